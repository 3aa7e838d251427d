"""Arithmetic on two and more tensors: op definitions and the `tf.*` functions over them.

Inputs broadcast against each other as numpy's do. Sources: `tf.compat.v1.math`, `tf.compat.v1`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from runstep.graph import dtypes, shapes
from runstep.graph.apply import apply
from runstep.graph.composite import IndexedSlices
from runstep.graph.convert import convert_to_tensor
from runstep.graph.graph import name_scope
from runstep.graph.tensor import Tensor, TensorLike
from runstep.ops.common import Shapes, broadcast, merged
from runstep.ops.registry import op
from runstep.ops.typesets import FLOAT, FLOAT_COMPLEX

__all__ = [
    "accumulate_n",
    "add",
    "add_n",
    "add_v2",
    "atan2",
    "cross",
    "div",
    "div_no_nan",
    "divide",
    "floor_div",
    "floordiv",
    "floormod",
    "maximum",
    "minimum",
    "mod",
    "multiply",
    "multiply_no_nan",
    "nextafter",
    "pow",
    "realdiv",
    "scalar_mul",
    "squared_difference",
    "subtract",
    "truediv",
    "truncatediv",
    "truncatemod",
    "xdivy",
    "xlog1py",
    "xlogy",
]

_NUMBERS = (
    "T: {bfloat16, float16, float32, float64, uint8, int8, uint16, int16, int32, uint32, uint64, int64, "
    "complex64, complex128}"
)
_BINARY = "x: T, y: T -> z: T"


def _cross(op: Any) -> Shapes:
    a, b = op.inputs[0].raw_shape, op.inputs[1].raw_shape
    shape = shapes.merge(shapes.with_rank_at_least(a, 1), shapes.with_rank_at_least(b, 1))
    if shape:
        shapes.merge_size(shape[-1], 3)
    return [shape]


def _accumulated(op: Any) -> Shapes:
    shape = op.attrs["shape"]
    for tensor in op.inputs:
        shape = shapes.merge(shape, tensor.raw_shape)
    return [shape]


op(
    "AddV2",
    _BINARY,
    "T: {bfloat16, float16, float32, float64, uint8, uint16, uint32, uint64, int8, int16, int32, int64, "
    "complex64, complex128}",
    commutative=True,
    aggregate=True,
    shape=broadcast,
)
op(
    "Add",
    _BINARY,
    "T: {bfloat16, float16, float32, float64, uint8, int8, int16, int32, int64, complex64, complex128, string}",
    shape=broadcast,
)
op("Mul", _BINARY, _NUMBERS, commutative=True, shape=broadcast)
op(
    "Sub",
    _BINARY,
    "T: {bfloat16, float16, float32, float64, uint8, int8, uint16, int16, int32, int64, complex64, complex128, "
    "uint32, uint64}",
    shape=broadcast,
)
for _name in ("RealDiv", "FloorDiv", "TruncateDiv", "Div"):
    op(_name, _BINARY, _NUMBERS, shape=broadcast)
for _name in ("FloorMod", "Maximum", "Minimum"):
    op(_name, _BINARY, "T: realnumbertype", shape=broadcast)
op("TruncateMod", _BINARY, "T: {int32, int64, bfloat16, float16, float32, float64}", shape=broadcast)
op("Mod", _BINARY, "T: {int32, int64, float16, float16, bfloat16, float32, float64}", shape=broadcast)
op("DivNoNan", _BINARY, "T: {float16, float32, bfloat16, float64, complex64, complex128}", shape=broadcast)
op("MulNoNan", _BINARY, FLOAT_COMPLEX, shape=broadcast)
for _name in ("Xlogy", "Xdivy", "Xlog1py"):
    op(_name, _BINARY, "T: {float16, bfloat16, float32, float64, complex64, complex128}", shape=broadcast)
op(
    "SquaredDifference",
    _BINARY,
    "T: {bfloat16, float16, float32, float64, int32, int64, complex64, complex128}",
    commutative=True,
    shape=broadcast,
)
op(
    "Pow",
    _BINARY,
    "T: {bfloat16, float32, float16, float64, int8, int16, int32, int64, complex64, complex128}",
    shape=broadcast,
)
op("Atan2", "y: T, x: T -> z: T", FLOAT, shape=broadcast)
op("NextAfter", "x1: T, x2: T -> output: T", "T: {float64, float32} = float32", shape=broadcast)
op("Cross", "a: T, b: T -> product: T", "T: realnumbertype", shape=_cross)
op(
    "AddN",
    "inputs: N * T -> sum: T",
    "N: int >= 1",
    "T: {float32, float64, int32, uint8, int16, int8, complex64, int64, qint8, quint8, qint32, bfloat16, qint16, "
    "quint16, uint16, complex128, float16, uint32, uint64, variant}",
    commutative=True,
    aggregate=True,
    shape=merged,
)
op(
    "AccumulateNV2",
    "inputs: N * T -> sum: T",
    "N: int >= 1",
    "T: numbertype",
    "shape: shape",
    commutative=True,
    aggregate=True,
    shape=_accumulated,
)


def add(x: TensorLike, y: TensorLike, name: str | None = None) -> Tensor:
    """`x + y`; strings are joined. Source: `tf.add`."""
    if isinstance(x, Tensor) and x.dtype is not dtypes.string:
        return apply("AddV2", x, y, name=name or "Add")
    with name_scope(name, "Add") as scope:
        x = convert_to_tensor(x, name="x")
        return apply("Add" if x.dtype is dtypes.string else "AddV2", x, y, name=scope)


def add_v2(x: TensorLike, y: TensorLike, name: str | None = None) -> Tensor:
    """`x + y`. Source: `tf.raw_ops.AddV2`."""
    return apply("AddV2", x, y, name=name)


def subtract(x: TensorLike, y: TensorLike, name: str | None = None) -> Tensor:
    """`x - y`. Source: `tf.subtract`."""
    return apply("Sub", x, y, name=name)


def multiply(x: TensorLike, y: TensorLike, name: str | None = None) -> Tensor:
    """`x * y`, elementwise. Source: `tf.multiply`."""
    return apply("Mul", x, y, name=name)


def scalar_mul(scalar: TensorLike, x: Any, name: str | None = None) -> Any:
    """`scalar * x` for a Tensor or IndexedSlices `x`. ValueError unless `scalar` is 0-D. Source: `tf.scalar_mul`."""
    is_slices = isinstance(x, IndexedSlices)
    if not is_slices:
        x = convert_to_tensor(x)
    factor = convert_to_tensor(scalar, dtype=x.dtype.base_dtype, name="scalar")
    if factor.raw_shape != ():
        raise ValueError(f"The input scalar must be a 0-D value. Received shape {factor.get_shape()}.")
    if is_slices:
        return IndexedSlices(multiply(factor, x.values, name), x.indices, x.dense_shape)
    return multiply(factor, x, name)


_TRUE_DIVISION: dict[str, dtypes.DType | None] = {
    "uint8": dtypes.float32,
    "int8": dtypes.float32,
    "uint16": dtypes.float32,
    "int16": dtypes.float32,
    "uint32": dtypes.float64,
    "int32": dtypes.float64,
    "uint64": dtypes.float64,
    "int64": dtypes.float64,
    "bfloat16": None,
    "float16": None,
    "float32": None,
    "float64": None,
    "complex64": None,
    "complex128": None,
}


def _pair(x: TensorLike, y: TensorLike) -> tuple[Tensor, Tensor]:
    x = convert_to_tensor(x, name="x", dtype_hint=y.dtype.base_dtype if isinstance(y, Tensor) else None)
    return x, convert_to_tensor(y, name="y", dtype_hint=x.dtype.base_dtype)


def as_floats(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """The operands of a true division. TypeError if their dtypes differ or cannot be divided."""
    kind = x.dtype.base_dtype
    if kind is not y.dtype.base_dtype:
        raise TypeError(f"`x` and `y` must have the same dtype, got {x.dtype!r} != {y.dtype!r}.")
    try:
        wide = _TRUE_DIVISION[kind.name]
    except KeyError:
        allowed = ", ".join(f"tf.{name}" for name in _TRUE_DIVISION)
        raise TypeError(f"Invalid dtype {x.dtype!r} in __truediv__. Expected one of {{{allowed}}}.") from None
    if wide is None:
        return x, y
    return apply("Cast", x, DstT=wide), apply("Cast", y, DstT=wide)


def truediv(x: TensorLike, y: TensorLike, name: str | None = None) -> Tensor:
    """`x / y` as Python 3 divides: integers become floats. Source: `tf.truediv`."""
    with name_scope(name, "truediv") as scope:
        x, y = as_floats(*_pair(x, y))
        return apply("RealDiv", x, y, name=scope)


def divide(x: TensorLike, y: TensorLike, name: str | None = None) -> Tensor:
    """`x / y` as Python 3 divides. Source: `tf.divide`."""
    if name is None and not isinstance(x, Tensor) and not isinstance(y, Tensor):
        x = convert_to_tensor(x)
    return truediv(x, y, name)


def div(x: TensorLike, y: TensorLike, name: str | None = None) -> Tensor:
    """`x / y` as Python 2 divides: integers are rounded down. Deprecated. Source: `tf.div`."""
    with name_scope(name, "div") as scope:
        x = convert_to_tensor(x, name="x")
        y = convert_to_tensor(y, name="y", dtype=x.dtype.base_dtype)
        is_real = x.dtype.is_floating or x.dtype.is_complex
        return apply("RealDiv" if is_real else "FloorDiv", x, y, name=scope)


def floordiv(x: TensorLike, y: TensorLike, name: str | None = None) -> Tensor:
    """`x / y`, rounded down. Source: `tf.floordiv`."""
    with name_scope(name, "floordiv") as scope:
        return apply("FloorDiv", x, y, name=scope)


def floor_div(x: TensorLike, y: TensorLike, name: str | None = None) -> Tensor:
    """`x / y`, rounded down. Source: `tf.floor_div`."""
    return apply("FloorDiv", x, y, name=name)


def realdiv(x: TensorLike, y: TensorLike, name: str | None = None) -> Tensor:
    """`x / y` for real numbers. Source: `tf.realdiv`."""
    return apply("RealDiv", x, y, name=name)


def truncatediv(x: TensorLike, y: TensorLike, name: str | None = None) -> Tensor:
    """`x / y`, rounded to zero. Source: `tf.truncatediv`."""
    return apply("TruncateDiv", x, y, name=name)


def floormod(x: TensorLike, y: TensorLike, name: str | None = None) -> Tensor:
    """The remainder of `floordiv`: it has the sign of `y`. Source: `tf.floormod`."""
    return apply("FloorMod", x, y, name=name)


def mod(x: TensorLike, y: TensorLike, name: str | None = None) -> Tensor:
    """As `floormod`. Source: `tf.mod`."""
    return apply("FloorMod", x, y, name=name)


def truncatemod(x: TensorLike, y: TensorLike, name: str | None = None) -> Tensor:
    """The remainder of `truncatediv`: it has the sign of `x`. Source: `tf.truncatemod`."""
    return apply("TruncateMod", x, y, name=name)


def div_no_nan(x: TensorLike, y: TensorLike, name: str | None = None) -> Tensor:
    """`x / y`, and 0 where `y` is 0. Source: `tf.div_no_nan`, `tf.math.divide_no_nan`."""
    with name_scope(name, "div_no_nan") as scope:
        if not isinstance(x, Tensor) and isinstance(y, Tensor):
            y = convert_to_tensor(y, name="y")
            x = convert_to_tensor(x, name="x", dtype_hint=y.dtype.base_dtype)
        else:
            x, y = _pair(x, y)
        x, y = as_floats(x, y)
        return apply("DivNoNan", x, y, name=scope)


def multiply_no_nan(x: TensorLike, y: TensorLike, name: str | None = None) -> Tensor:
    """`x * y`, and 0 where `y` is 0, even if `x` is not finite. Source: `tf.math.multiply_no_nan`."""
    with name_scope(name, "multiply_no_nan") as scope:
        x = convert_to_tensor(x, name="x")
        y = convert_to_tensor(y, name="y", dtype=x.dtype.base_dtype)
        return apply("MulNoNan", x, y, name=scope)


def pow(x: TensorLike, y: TensorLike, name: str | None = None) -> Tensor:
    """`x ** y`. Source: `tf.pow`."""
    with name_scope(name, "Pow") as scope:
        return apply("Pow", x, y, name=scope)


def squared_difference(x: TensorLike, y: TensorLike, name: str | None = None) -> Tensor:
    """`conj(x - y) * (x - y)`. Source: `tf.squared_difference`."""
    return apply("SquaredDifference", x, y, name=name)


def maximum(x: TensorLike, y: TensorLike, name: str | None = None) -> Tensor:
    """The larger of `x` and `y`; NaN if either is. Source: `tf.maximum`."""
    return apply("Maximum", x, y, name=name)


def minimum(x: TensorLike, y: TensorLike, name: str | None = None) -> Tensor:
    """The smaller of `x` and `y`; NaN if either is. Source: `tf.minimum`."""
    return apply("Minimum", x, y, name=name)


def atan2(y: TensorLike, x: TensorLike, name: str | None = None) -> Tensor:
    """The angle of the point (x, y), in radians. Source: `tf.atan2`."""
    return apply("Atan2", y, x, name=name)


def xlogy(x: TensorLike, y: TensorLike, name: str | None = None) -> Tensor:
    """`x * log(y)`, and 0 where `x` is 0. Source: `tf.math.xlogy`."""
    return apply("Xlogy", x, y, name=name)


def xdivy(x: TensorLike, y: TensorLike, name: str | None = None) -> Tensor:
    """`x / y`, and 0 where `x` is 0. Source: `tf.math.xdivy`."""
    with name_scope(name, "xdivy"):
        return apply("Xdivy", x, y)


def xlog1py(x: TensorLike, y: TensorLike, name: str | None = None) -> Tensor:
    """`x * log1p(y)`, and 0 where `x` is 0. Source: `tf.math.xlog1py`."""
    with name_scope(name, "xlog1py"):
        return apply("Xlog1py", x, y)


def nextafter(x1: TensorLike, x2: TensorLike, name: str | None = None) -> Tensor:
    """The next number after `x1` towards `x2`. Source: `tf.math.nextafter`."""
    return apply("NextAfter", x1, x2, name=name)


def cross(a: TensorLike, b: TensorLike, name: str | None = None) -> Tensor:
    """The cross products of the 3-vectors in the last axis. Source: `tf.linalg.cross`."""
    return apply("Cross", a, b, name=name)


def add_n(inputs: Any, name: str | None = None) -> Tensor:
    """The sum of tensors of one shape and dtype. ValueError for none at all. Source: `tf.add_n`."""
    if not isinstance(inputs, Sequence) or not inputs:
        inputs = list(inputs)
        if not inputs:
            raise ValueError(
                "Inputs must be an iterable of at least one Tensor/IndexedSlices with the same dtype and shape."
            )
    if len(inputs) == 1:
        only = convert_to_tensor(inputs[0])
        return apply("Identity", only, name=name) if name else only
    return apply("AddN", [convert_to_tensor(item) for item in inputs], name=name)


def accumulate_n(inputs: Any, shape: Any = None, tensor_dtype: Any = None, name: str | None = None) -> Tensor:
    """The sum of tensors of one shape and dtype. Source: `tf.math.accumulate_n`.

    Raises:
      TypeError: `tensor_dtype` is not the dtype of the inputs.
      ValueError: there are no inputs, or their shapes differ from each other or from `shape`.
    """
    refusal = "inputs must be a list of at least one Tensor with the same dtype and shape"
    if not isinstance(inputs, (list, tuple)) or not inputs:
        raise ValueError(refusal)
    tensors = [convert_to_tensor(item) for item in inputs]
    if any(tensor.dtype is not tensors[0].dtype for tensor in tensors):
        raise ValueError(refusal)
    expected = shapes.as_shape(shape)
    for tensor in tensors:
        expected = expected.merge_with(tensor.get_shape())
    if tensor_dtype is not None and tensor_dtype != tensors[0].dtype:
        raise TypeError(
            f"The `tensor_dtype` argument is {dtypes.as_dtype(tensor_dtype)}, but `input` is of type "
            f"{tensors[0].dtype}. These must be equal. Try casting the input to the desired type."
        )
    return add_n(tensors, name=name)
