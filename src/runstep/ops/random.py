"""Random numbers from streams that belong to the nodes: op definitions and the `tf.random_*` functions."""

from __future__ import annotations

from typing import Any

import numpy as np

from runstep.graph import dtypes, shapes
from runstep.graph.apply import apply
from runstep.graph.convert import convert_to_tensor
from runstep.graph.dtypes import DType
from runstep.graph.graph import get_default_graph, name_scope
from runstep.graph.random_seed import get_seed, seed_attrs, set_random_seed
from runstep.graph.shapes import Dimension, RawShape
from runstep.graph.tensor import Tensor, TensorLike
from runstep.ops.common import Shapes, unchanged
from runstep.ops.registry import op

__all__ = [
    "categorical",
    "get_seed",
    "multinomial",
    "parameterized_truncated_normal",
    "random_crop",
    "random_gamma",
    "random_normal",
    "random_poisson",
    "random_shuffle",
    "random_uniform",
    "set_random_seed",
    "truncated_normal",
]

SEEDS = ("seed: int = 0", "seed2: int = 0")
FLOATS = "dtype: {float16, bfloat16, float32, float64}"
SIZES = "T: {int32, int64}"


# --- shape rules --------------------------------------------------------------------------------------------------


def described(op: Any) -> Shapes:
    """The output's shape is the value of input 0."""
    shapes.with_rank(op.inputs[0].raw_shape, 1)
    return [op.constant_shape(0)]


def described_by_scalars(first: int) -> Any:
    """As `described`, with scalars for inputs `first` and `first + 1`."""

    def rule(op: Any) -> Shapes:
        for place in (first, first + 1):
            shapes.with_rank(op.inputs[place].raw_shape, 0)
        return described(op)

    return rule


def _bounded(op: Any) -> Shapes:
    for place in range(1, 5):
        shapes.with_rank_at_most(op.inputs[place].raw_shape, 1)
    return described(op)


def _followed_by_parameter(op: Any) -> Shapes:
    outer: RawShape = described(op)[0]
    inner = op.inputs[1].raw_shape
    return [None if outer is None or inner is None else outer + inner]


def drawn_classes(op: Any) -> Shapes:
    """(rows of the logits, num_samples)."""
    logits = shapes.with_rank(op.inputs[0].raw_shape, 2)
    shapes.with_rank(op.inputs[1].raw_shape, 0)
    count = op.constant(1)
    if count is None:
        return [(logits[0], None)]
    if count < 0:
        raise ValueError(f"Dimension size, given by scalar input 1, must be non-negative but is {int(count)}")
    return [(logits[0], int(count))]


# --- rows ---------------------------------------------------------------------------------------------------------

for _name in ("RandomUniform", "RandomStandardNormal", "TruncatedNormal"):
    op(_name, "shape: T -> output: dtype", *SEEDS, FLOATS, SIZES, shape=described, stateful=True)
op(
    "RandomUniformInt",
    "shape: T, minval: Tout, maxval: Tout -> output: Tout",
    *SEEDS,
    "Tout: {int32, int64}",
    SIZES,
    shape=described_by_scalars(1),
    stateful=True,
)
op(
    "ParameterizedTruncatedNormal",
    "shape: T, means: dtype, stdevs: dtype, minvals: dtype, maxvals: dtype -> output: dtype",
    *SEEDS,
    FLOATS,
    SIZES,
    shape=_bounded,
    stateful=True,
)
op("RandomShuffle", "value: T -> output: T", *SEEDS, "T: type", shape=unchanged, stateful=True)
op(
    "RandomGamma",
    "shape: S, alpha: T -> output: T",
    *SEEDS,
    "S: {int32, int64}",
    "T: {float16, float32, float64}",
    shape=_followed_by_parameter,
    stateful=True,
)
op(
    "RandomPoisson",
    "shape: S, rate: dtype -> output: dtype",
    *SEEDS,
    "S: {int32, int64}",
    "dtype: {float16, float32, float64}",
    shape=_followed_by_parameter,
    stateful=True,
)
op(
    "RandomPoissonV2",
    "shape: S, rate: R -> output: dtype",
    *SEEDS,
    "S: {int32, int64}",
    "R: {float16, float32, float64, int32, int64} = float64",
    "dtype: {float16, float32, float64, int32, int64} = int64",
    shape=_followed_by_parameter,
    stateful=True,
)
op(
    "Multinomial",
    "logits: T, num_samples: int32 -> output: output_dtype",
    *SEEDS,
    "T: realnumbertype",
    "output_dtype: {int32, int64} = int64",
    shape=drawn_classes,
    stateful=True,
)
op(
    "NonDeterministicInts",
    "shape: shape_dtype -> output: dtype",
    "dtype: type = int64",
    "shape_dtype: type = int64",
    shape=described,
    stateful=True,
)


# --- functions ----------------------------------------------------------------------------------------------------


def shape_tensor(shape: Any) -> Tensor:
    """A shape argument as a tensor named "shape": plain sizes are int32."""
    dtype = None
    if isinstance(shape, list | tuple) and all(isinstance(size, int | Dimension) for size in shape):
        dtype = dtypes.int32
    return convert_to_tensor(shape, dtype, name="shape")


def _scaled(op_type: str, shape: Any, mean: Any, stddev: Any, dtype: Any, seed: Any, scope: str) -> Tensor:
    sizes = shape_tensor(shape)
    dtype = dtypes.as_dtype(dtype)
    center = convert_to_tensor(mean, dtype, name="mean")
    width = convert_to_tensor(stddev, dtype, name="stddev")
    drawn = apply(op_type, sizes, dtype=dtype, **seed_attrs(seed))
    return apply("AddV2", apply("Mul", drawn, width, name="mul"), center, name=scope)


def random_normal(
    shape: TensorLike,
    mean: TensorLike = 0.0,
    stddev: TensorLike = 1.0,
    dtype: Any = dtypes.float32,
    seed: int | None = None,
    name: str | None = None,
) -> Tensor:
    """Normally distributed numbers. Source: `tf.random_normal`."""
    with name_scope(name, "random_normal") as scope:
        return _scaled("RandomStandardNormal", shape, mean, stddev, dtype, seed, scope)


def truncated_normal(
    shape: TensorLike,
    mean: TensorLike = 0.0,
    stddev: TensorLike = 1.0,
    dtype: Any = dtypes.float32,
    seed: int | None = None,
    name: str | None = None,
) -> Tensor:
    """Normally distributed numbers within two standard deviations. Source: `tf.truncated_normal`."""
    with name_scope(name, "truncated_normal") as scope:
        return _scaled("TruncatedNormal", shape, mean, stddev, dtype, seed, scope)


def parameterized_truncated_normal(
    shape: TensorLike,
    means: TensorLike = 0.0,
    stddevs: TensorLike = 1.0,
    minvals: TensorLike = -2.0,
    maxvals: TensorLike = 2.0,
    dtype: Any = dtypes.float32,
    seed: int | None = None,
    name: str | None = None,
) -> Tensor:
    """Normals cut at bounds; each parameter is a scalar or has one number per row of the output.

    Source: `parameterized_truncated_normal` of TensorFlow's random_ops.
    """
    with name_scope(name, "parameterized_truncated_normal"):
        sizes = shape_tensor(shape)
        parameters = [
            convert_to_tensor(value, dtype, name=what)
            for value, what in ((means, "means"), (stddevs, "stddevs"), (minvals, "minvals"), (maxvals, "maxvals"))
        ]
        return apply("ParameterizedTruncatedNormal", sizes, *parameters, **seed_attrs(seed))


def scaled_uniform(drawn: Any, low: Any, high: Any, scope: str, *, from_zero: bool) -> Tensor:
    """Uniforms in [0, 1), stretched to [low, high) by nodes in the current scope."""
    if from_zero:
        return apply("Mul", drawn, high)
    size = apply("Sub", high, low, name="sub")
    return apply("AddV2", apply("Mul", drawn, size, name="mul"), low, name=scope)


def random_uniform(
    shape: TensorLike,
    minval: TensorLike = 0,
    maxval: TensorLike | None = None,
    dtype: Any = dtypes.float32,
    seed: int | None = None,
    name: str | None = None,
) -> Tensor:
    """Evenly distributed numbers in [minval, maxval), by default in [0, 1). Source: `tf.random_uniform`.

    Raises:
      ValueError: an integer `dtype` without `maxval`, or a dtype that cannot be drawn.
    """
    dtype = dtypes.as_dtype(dtype)
    accepted = (dtypes.float16, dtypes.bfloat16, dtypes.float32, dtypes.float64, dtypes.int32, dtypes.int64)
    if dtype not in accepted:
        names = ", ".join(f"tf.{kind.name}" for kind in accepted)
        raise ValueError(f"Argument `dtype` got invalid value {dtype!r}. Accepted dtypes are ({names}).")
    if maxval is None:
        if dtype.is_integer:
            raise ValueError(f"Must specify maxval for integer dtype {dtype!r}")
        maxval = 1
    with name_scope(name, "random_uniform") as scope:
        sizes = shape_tensor(shape)
        # Python's int 0 and 1 only, as in TensorFlow: what 0.0 and 1.0 leave to compute counts for names and seeds.
        from_zero = not dtype.is_integer and isinstance(minval, int) and minval == 0
        to_one = not dtype.is_integer and isinstance(maxval, int) and maxval == 1
        if not (from_zero and to_one):
            minval = convert_to_tensor(minval, dtype, name="min")
            maxval = convert_to_tensor(maxval, dtype, name="max")
        seeds = seed_attrs(seed)
        if dtype.is_integer:
            return apply("RandomUniformInt", sizes, minval, maxval, name=scope, **seeds)
        drawn = apply("RandomUniform", sizes, dtype=dtype, **seeds)
        if from_zero and to_one:
            return drawn
        return scaled_uniform(drawn, minval, maxval, scope, from_zero=from_zero)


def random_shuffle(value: TensorLike, seed: int | None = None, name: str | None = None) -> Tensor:
    """`value` with the order of its first axis changed at random. Source: `tf.random_shuffle`."""
    return apply("RandomShuffle", value, name=name, **seed_attrs(seed))


def multinomial(
    logits: TensorLike,
    num_samples: TensorLike,
    seed: int | None = None,
    name: str | None = None,
    output_dtype: Any = None,
) -> Tensor:
    """Classes drawn by their logits: int64 (or `output_dtype`) (rows, num_samples). Source: `tf.multinomial`."""
    with name_scope(name, "multinomial"):
        return _drawn_classes(logits, num_samples, output_dtype, seed)


def categorical(
    logits: TensorLike,
    num_samples: TensorLike,
    dtype: Any = None,
    seed: int | None = None,
    name: str | None = None,
) -> Tensor:
    """Classes drawn by their logits: int64 (or `dtype`) (rows, num_samples). Source: `tf.random.categorical`."""
    with name_scope(name, "categorical"):
        return _drawn_classes(logits, num_samples, dtype, seed)


def _drawn_classes(logits: Any, num_samples: Any, dtype: Any, seed: Any) -> Tensor:
    values = convert_to_tensor(logits, name="logits")
    kind = dtypes.int64 if dtype is None else dtypes.as_dtype(dtype)
    return apply("Multinomial", values, num_samples, output_dtype=kind, **seed_attrs(seed))


def gamma_parameters(alpha: Any, beta: Any, dtype: DType) -> tuple[Tensor, Tensor]:
    """`alpha`, stretched to the shape that it and `beta` have together, and `beta`."""
    from runstep.ops.shape_ops import shape as shape_of

    alphas = convert_to_tensor(alpha, dtype, name="alpha")
    betas = convert_to_tensor(1 if beta is None else beta, dtype, name="beta")
    together = apply("BroadcastArgs", shape_of(alphas, name="Shape_1"), shape_of(betas, name="Shape_2"))
    return apply("BroadcastTo", alphas, together), betas


def positive_quotient(drawn: Any, betas: Tensor, dtype: DType) -> Tensor:
    """`drawn / betas`, but at least the least normal number, for what is gamma-distributed is never 0."""
    return apply("Maximum", _least_normal(dtype), apply("RealDiv", drawn, betas, name="truediv"))


def _least_normal(dtype: DType) -> Any:
    return np.array(np.finfo(dtype.np).tiny, dtype.np)


def random_gamma(
    shape: TensorLike,
    alpha: TensorLike,
    beta: TensorLike | None = None,
    dtype: Any = dtypes.float32,
    seed: int | None = None,
    name: str | None = None,
) -> Tensor:
    """Gamma-distributed numbers, of shape `shape` + that of `alpha` and `beta` together. Source: `tf.random_gamma`."""
    kind = dtypes.as_dtype(dtype)
    with name_scope(name, "random_gamma"):
        sizes = convert_to_tensor(shape, dtypes.int32, name="shape")
        alphas, betas = gamma_parameters(alpha, beta, kind)
        drawn = apply("RandomGamma", sizes, alphas, **seed_attrs(seed))
        return positive_quotient(drawn, betas, kind)


def random_poisson(
    lam: TensorLike,
    shape: TensorLike,
    dtype: Any = dtypes.float32,
    seed: int | None = None,
    name: str | None = None,
) -> Tensor:
    """Poisson-distributed numbers, of shape `shape` + that of the rates `lam`. Source: `tf.random_poisson`."""
    with name_scope(name, "random_poisson"):
        sizes = convert_to_tensor(shape, dtypes.int32, name="shape")
        return apply("RandomPoissonV2", sizes, lam, dtype=dtypes.as_dtype(dtype), **seed_attrs(seed))


def random_crop(value: TensorLike, size: TensorLike, seed: int | None = None, name: str | None = None) -> Tensor:
    """A part of `value`, of shape `size`, from a place chosen at random. Source: `tf.random_crop`."""
    from runstep.ops.basic import with_dependencies
    from runstep.ops.reduction import reduce_all
    from runstep.ops.shape_ops import shape as shape_of

    with name_scope(name, "random_crop") as scope:
        whole = convert_to_tensor(value, name="value")
        sizes = convert_to_tensor(size, dtypes.int32, name="size")
        dims = shape_of(whole)
        fits = reduce_all(apply("GreaterEqual", dims, sizes))
        with name_scope(None, "Assert"):
            text = "Need value.shape >= size, got "
            convert_to_tensor(text)  # TensorFlow's graph has this node too
            check = apply("Assert", fits, [text, dims, sizes], summarize=1000)
        with get_default_graph().colocate_with(dims):
            dims = with_dependencies([check], dims)
        places = apply("AddV2", apply("Sub", dims, sizes, name="sub"), 1, name="add")
        highest = np.iinfo(sizes.dtype.np).max
        drawn = random_uniform(shape_of(dims), maxval=highest, dtype=sizes.dtype, seed=seed)
        return apply("Slice", whole, apply("FloorMod", drawn, places, name="mod"), sizes, name=scope)
