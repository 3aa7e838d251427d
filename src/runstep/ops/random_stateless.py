"""Random numbers that depend on nothing but a seed that is an input: op definitions and `tf.random.stateless_*`."""

from __future__ import annotations

from typing import Any

from runstep.graph import dtypes, shapes
from runstep.graph.apply import apply
from runstep.graph.convert import convert_to_tensor
from runstep.graph.graph import name_scope
from runstep.graph.tensor import Tensor, TensorLike
from runstep.ops.common import Shapes, unchanged
from runstep.ops.random import (
    described,
    drawn_classes,
    gamma_parameters,
    positive_quotient,
    scaled_uniform,
    shape_tensor,
)
from runstep.ops.registry import op

__all__ = [
    "stateless_binomial",
    "stateless_categorical",
    "stateless_fold_in",
    "stateless_gamma",
    "stateless_multinomial",
    "stateless_normal",
    "stateless_parameterized_truncated_normal",
    "stateless_poisson",
    "stateless_shuffle",
    "stateless_split",
    "stateless_truncated_normal",
    "stateless_uniform",
]

# --- shape rules --------------------------------------------------------------------------------------------------


def _check_seed(raw: shapes.RawShape) -> None:
    (size,) = shapes.with_rank(raw, 1)
    if size is not None and size != 2:
        raise ValueError(f"Dimension must be 2 but is {size}")


def _check_scalars(op: Any, first: int) -> None:
    for source in op.inputs[first:]:
        shapes.with_rank(source.raw_shape, 0)


def _seeded(op: Any) -> Shapes:
    _check_seed(op.inputs[1].raw_shape)
    return described(op)


def _seeded_range(op: Any) -> Shapes:
    _check_scalars(op, 2)
    return _seeded(op)


def _keyed(op: Any) -> Shapes:
    _check_key(op, 1)
    return described(op)


def _check_key(op: Any, first: int) -> None:
    key, counter, alg = (source.raw_shape for source in op.inputs[first : first + 3])
    (size,) = shapes.with_rank(key, 1)
    if size is not None and size != 1:
        raise ValueError(f"Dimension must be 1 but is {size}")
    shapes.with_rank(counter, 1)
    shapes.with_rank(alg, 0)


def _keyed_range(op: Any) -> Shapes:
    _check_scalars(op, 4)
    return _keyed(op)


def _seeded_classes(op: Any) -> Shapes:
    _check_seed(op.inputs[2].raw_shape)
    return drawn_classes(op)


def _key_and_counter(op: Any) -> Shapes:
    _check_seed(op.inputs[0].raw_shape)
    found: Shapes = [(1,), (2,), ()]
    return found[: len(op.output_types)]


def _shuffled(op: Any) -> Shapes:
    _check_key(op, 1)
    return unchanged(op)


# --- rows ---------------------------------------------------------------------------------------------------------

_FLOATS = "dtype: {float16, bfloat16, float32, float64} = float32"
_SIZES = "T: {int32, int64}"
_SEED = "Tseed: {int32, int64} = int64"
_SHAPE = "Tshape: {int32, int64} = int32"
_WHOLE = "dtype: {int32, int64, uint32, uint64} = uint64"
_KEYED = "shape: Tshape, key: uint64, counter: uint64, alg: int32"

for _name in ("StatelessRandomUniform", "StatelessRandomNormal", "StatelessTruncatedNormal"):
    op(_name, "shape: T, seed: Tseed -> output: dtype", _FLOATS, f"{_SIZES} = int32", _SEED, shape=_seeded)
    op(f"{_name}V2", f"{_KEYED} -> output: dtype", _FLOATS, _SHAPE, shape=_keyed)
op(
    "StatelessRandomUniformInt",
    "shape: T, seed: Tseed, minval: dtype, maxval: dtype -> output: dtype",
    "dtype: {int32, int64}",
    _SIZES,
    _SEED,
    shape=_seeded_range,
)
op(
    "StatelessRandomUniformIntV2",
    f"{_KEYED}, minval: dtype, maxval: dtype -> output: dtype",
    "dtype: {int32, int64, uint32, uint64}",
    _SHAPE,
    shape=_keyed_range,
)
op(
    "StatelessRandomUniformFullInt",
    "shape: T, seed: Tseed -> output: dtype",
    _WHOLE,
    f"{_SIZES} = int32",
    "Tseed: {int32, int64, uint32, uint64} = int64",
    shape=_seeded,
)
op("StatelessRandomUniformFullIntV2", f"{_KEYED} -> output: dtype", _WHOLE, _SHAPE, shape=_keyed)
op(
    "StatelessMultinomial",
    "logits: T, num_samples: int32, seed: Tseed -> output: output_dtype",
    "T: realnumbertype",
    _SEED,
    "output_dtype: {int32, int64} = int64",
    shape=_seeded_classes,
)
op(
    "StatelessRandomGammaV2",
    "shape: T, seed: Tseed, alpha: dtype -> output: dtype",
    "dtype: {float16, float32, float64}",
    _SIZES,
    _SEED,
    shape=_seeded,
)
op(
    "StatelessRandomGammaV3",
    "shape: shape_dtype, key: uint64, counter: uint64, alg: int32, alpha: dtype -> output: dtype",
    "dtype: {float16, float32, float64}",
    "shape_dtype: {int32, int64} = int32",
    shape=_keyed,
)
op(
    "StatelessRandomBinomial",
    "shape: S, seed: Tseed, counts: T, probs: T -> output: dtype",
    "S: {int32, int64}",
    _SEED,
    "T: {float16, float32, float64, int32, int64} = float64",
    "dtype: {float16, float32, float64, int32, int64} = int64",
    shape=_seeded,
)
op(
    "StatelessRandomPoisson",
    "shape: T, seed: Tseed, lam: Rtype -> output: dtype",
    "Rtype: {float16, float32, float64, int32, int64}",
    "dtype: {float16, float32, float64, int32, int64}",
    _SIZES,
    _SEED,
    shape=_seeded,
)
op(
    "StatelessParameterizedTruncatedNormal",
    "shape: S, seed: Tseed, means: dtype, stddevs: dtype, minvals: dtype, maxvals: dtype -> output: dtype",
    "S: {int32, int64}",
    _SEED,
    "dtype: {float16, float32, float64}",
    shape=_seeded,
)
op(
    "StatelessRandomGetKeyCounter",
    "seed: Tseed -> key: uint64, counter: uint64",
    _SEED,
    shape=_key_and_counter,
)
op(
    "StatelessRandomGetKeyCounterAlg",
    "seed: Tseed -> key: uint64, counter: uint64, alg: int32",
    _SEED,
    shape=_key_and_counter,
)
op("StatelessRandomGetAlg", " -> alg: int32", shape=lambda op: [()], stateful=True)
op(
    "StatelessShuffle",
    "value: T, key: uint64, counter: uint64, alg: int32 -> output: T",
    "T: type",
    shape=_shuffled,
)

# --- functions ----------------------------------------------------------------------------------------------------

_ALGORITHMS = {"philox": 1, "threefry": 2, "auto_select": 3, 1: 1, 2: 2, 3: 3}


def _key_counter_alg(seed: Any, alg: Any) -> tuple[Any, ...]:
    """The inputs key, counter and alg. The explicit Philox starts at the seed's scrambled key just the same."""
    number = _ALGORITHMS.get(alg if isinstance(alg, str) else getattr(alg, "value", alg))
    if number is None:
        raise ValueError(
            f"Argument `alg` got unsupported value {alg}. Supported values are philox for the Philox algorithm, "
            "threefry for the ThreeFry algorithm, and auto_select for auto-selection."
        )
    return (*apply("StatelessRandomGetKeyCounter", seed), number)


def _scaled(op_type: str, shape: Any, seed: Any, mean: Any, stddev: Any, dtype: Any, alg: Any, scope: str) -> Tensor:
    sizes = shape_tensor(shape)
    kind = dtypes.as_dtype(dtype)
    center = convert_to_tensor(mean, kind, name="mean")
    width = convert_to_tensor(stddev, kind, name="stddev")
    drawn = apply(op_type, sizes, *_key_counter_alg(seed, alg), dtype=kind)
    return apply("AddV2", apply("Mul", drawn, width, name="mul"), center, name=scope)


def stateless_normal(
    shape: TensorLike,
    seed: TensorLike,
    mean: TensorLike = 0.0,
    stddev: TensorLike = 1.0,
    dtype: Any = dtypes.float32,
    name: str | None = None,
    alg: Any = "auto_select",
) -> Tensor:
    """Normally distributed numbers; `seed` is two integers. Source: `tf.random.stateless_normal`."""
    with name_scope(name, "stateless_random_normal") as scope:
        return _scaled("StatelessRandomNormalV2", shape, seed, mean, stddev, dtype, alg, scope)


def stateless_truncated_normal(
    shape: TensorLike,
    seed: TensorLike,
    mean: TensorLike = 0.0,
    stddev: TensorLike = 1.0,
    dtype: Any = dtypes.float32,
    name: str | None = None,
    alg: Any = "auto_select",
) -> Tensor:
    """Normals within two standard deviations. Source: `tf.random.stateless_truncated_normal`."""
    with name_scope(name, "stateless_truncated_normal") as scope:
        return _scaled("StatelessTruncatedNormalV2", shape, seed, mean, stddev, dtype, alg, scope)


def stateless_uniform(
    shape: TensorLike,
    seed: TensorLike,
    minval: TensorLike | None = 0,
    maxval: TensorLike | None = None,
    dtype: Any = dtypes.float32,
    name: str | None = None,
    alg: Any = "auto_select",
) -> Tensor:
    """Evenly distributed numbers in [minval, maxval); integers over their whole range where both are None.

    Source: `tf.random.stateless_uniform`.
    """
    kind = dtypes.as_dtype(dtype)
    if kind.is_integer:
        if (minval is None) != (maxval is None):
            raise ValueError(
                f"For integer `dtype` argument {kind!r}, argument `minval` and `maxval` must be both None or not None. "
                f"Got `minval`={minval} and `maxval`={maxval}."
            )
    elif maxval is None:
        maxval = 1
    with name_scope(name, "stateless_random_uniform") as scope:
        sizes = shape_tensor(shape)
        if kind.is_integer and minval is None:
            source = _key_counter_alg(seed, alg)
            return apply("StatelessRandomUniformFullIntV2", sizes, *source, dtype=kind, name=scope)
        low = convert_to_tensor(minval, kind, name="min")
        high = convert_to_tensor(maxval, kind, name="max")
        source = _key_counter_alg(seed, alg)
        if kind.is_integer:
            return apply("StatelessRandomUniformIntV2", sizes, *source, low, high, name=scope)
        drawn = apply("StatelessRandomUniformV2", sizes, *source, dtype=kind)
        return scaled_uniform(drawn, low, high, scope, from_zero=False)


def stateless_multinomial(
    logits: TensorLike,
    num_samples: TensorLike,
    seed: TensorLike,
    output_dtype: Any = dtypes.int64,
    name: str | None = None,
) -> Tensor:
    """Classes drawn by their logits: (rows, num_samples). Source: `tf.random.stateless_multinomial`."""
    with name_scope(name, "stateless_multinomial"):
        values = convert_to_tensor(logits, name="logits")
        return apply("StatelessMultinomial", values, num_samples, seed, output_dtype=dtypes.as_dtype(output_dtype))


def stateless_categorical(
    logits: TensorLike,
    num_samples: TensorLike,
    seed: TensorLike,
    dtype: Any = dtypes.int64,
    name: str | None = None,
) -> Tensor:
    """As `stateless_multinomial`. Source: `tf.random.stateless_categorical`."""
    with name_scope(name, "stateless_categorical"):
        values = convert_to_tensor(logits, name="logits")
        return apply("StatelessMultinomial", values, num_samples, seed, output_dtype=dtypes.as_dtype(dtype))


def stateless_gamma(
    shape: TensorLike,
    seed: TensorLike,
    alpha: TensorLike,
    beta: TensorLike | None = None,
    dtype: Any = dtypes.float32,
    name: str | None = None,
) -> Tensor:
    """Gamma-distributed numbers of shape `shape`, which ends in that of the parameters.

    Source: `tf.random.stateless_gamma`.
    """
    kind = dtypes.as_dtype(dtype)
    with name_scope(name, "stateless_random_gamma"):
        sizes = shape_tensor(shape)
        alphas, betas = gamma_parameters(alpha, beta, kind)
        drawn = apply("StatelessRandomGammaV3", sizes, *_key_counter_alg(seed, "auto_select"), alphas)
        return positive_quotient(drawn, betas, kind)


def stateless_poisson(
    shape: TensorLike, seed: TensorLike, lam: TensorLike, dtype: Any = dtypes.int32, name: str | None = None
) -> Tensor:
    """Poisson-distributed numbers of shape `shape`, which ends in that of `lam`.

    Source: `tf.random.stateless_poisson`.
    """
    with name_scope(name, "stateless_random_poisson"):
        return apply("StatelessRandomPoisson", shape_tensor(shape), seed, lam, dtype=dtypes.as_dtype(dtype))


def stateless_binomial(
    shape: TensorLike,
    seed: TensorLike,
    counts: TensorLike,
    probs: TensorLike,
    output_dtype: Any = dtypes.int32,
    name: str | None = None,
) -> Tensor:
    """How many of `counts` trials succeed, each with probability `probs`: of shape `shape`, which ends in that of both.

    Source: `tf.random.stateless_binomial`.
    """
    with name_scope(name, "stateless_random_binomial"):
        sizes = shape_tensor(shape)
        probs = convert_to_tensor(probs, dtype_hint=dtypes.float32, name="probs")
        counts = convert_to_tensor(counts, dtype_hint=probs.dtype, name="counts")
        return apply("StatelessRandomBinomial", sizes, seed, counts, probs, dtype=dtypes.as_dtype(output_dtype))


def stateless_parameterized_truncated_normal(
    shape: TensorLike,
    seed: TensorLike,
    means: TensorLike = 0.0,
    stddevs: TensorLike = 1.0,
    minvals: TensorLike = -2.0,
    maxvals: TensorLike = 2.0,
    name: str | None = None,
) -> Tensor:
    """Normals cut at bounds. Source: `tf.random.stateless_parameterized_truncated_normal`."""
    with name_scope(name, "stateless_parameterized_truncated_normal"):
        sizes = shape_tensor(shape)
        parameters = [
            convert_to_tensor(value, name=what)
            for value, what in ((means, "means"), (stddevs, "stddevs"), (minvals, "minvals"), (maxvals, "maxvals"))
        ]
        return apply("StatelessParameterizedTruncatedNormal", sizes, seed, *parameters)


def stateless_shuffle(value: TensorLike, seed: TensorLike, alg: Any = "auto_select", name: str | None = None) -> Tensor:
    """`value` with the order of its first axis changed. Source: `tf.random.experimental.stateless_shuffle`."""
    with name_scope(name, "stateless_shuffle"):
        return apply("StatelessShuffle", value, *_key_counter_alg(seed, alg))


def stateless_split(seed: TensorLike, num: int = 2, alg: Any = "auto_select") -> Tensor:
    """`num` new seeds out of one: (num, 2). Source: `tf.random.split`."""
    start = convert_to_tensor(seed)
    return stateless_uniform([num, 2], start, None, None, start.dtype, alg=alg)


def stateless_fold_in(seed: TensorLike, data: Any, alg: Any = "auto_select") -> Tensor:
    """A new seed out of a seed and a number. Source: `tf.random.fold_in`."""
    number = convert_to_tensor(data)
    first = stateless_uniform([], seed, None, None, number.dtype, alg=alg)
    return apply("Pack", [first, number], axis=0, name="stack")
