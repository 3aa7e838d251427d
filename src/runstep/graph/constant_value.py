"""What the graph alone tells about values: `constant_value`, and the shapes that shape vectors describe.

Used by shape rules on every op that takes a shape or an axis, so the common cases (a Const) come first.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from runstep.graph import shapes
from runstep.graph.operation import Operation
from runstep.graph.shapes import RawShape, TensorShape
from runstep.graph.tensor import Tensor

_LARGEST = 1 << 16  # elements: past that a value is not worth knowing while a graph is built
_DEPTH = 40

# Pure ops on small values that shape computations are made of. The kernels compute them.
_FOLDABLE = frozenset(
    "Add AddV2 Sub Mul FloorDiv FloorMod Div RealDiv Maximum Minimum Neg Cast Reshape ExpandDims Squeeze Slice "
    "StridedSlice "
    "Pack Concat ConcatV2 Gather GatherV2 Fill Range Prod Sum Max Min All Any Equal NotEqual Less LessEqual Greater "
    "GreaterEqual "
    "LogicalAnd LogicalOr LogicalNot Select SelectV2 Identity Tile Transpose ReverseV2 Where InvertPermutation "
    "BroadcastTo BroadcastArgs ZerosLike OnesLike Split SplitV Unpack ConcatOffset Mod TruncateMod TruncateDiv OneHot "
    "BroadcastGradientArgs ListDiff Abs Square StopGradient Round Rint Floor Ceil Sqrt Rsqrt Exp Log Pow Sign Mean "
    "Cumsum ArgMax ArgMin GatherNd ScatterNd Pad PadV2 LinSpace Unique DynamicPartition DynamicStitch "
    "ParallelDynamicStitch BitwiseAnd BitwiseOr LeftShift RightShift".split()
)


def constant_value(tensor: Any, partial: bool = False) -> np.ndarray | None:
    """The value of a tensor as far as the graph alone tells it, else None (source: tf.get_static_value).

    A tensor whose value was read so may no longer be fed (S101).
    """
    if not isinstance(tensor, Tensor):
        return np.asarray(tensor)
    value = known_value(tensor)
    if value is not None:
        tensor.graph._unfeedable.add(tensor)
    return value


def known_value(tensor: Tensor, depth: int = 0) -> np.ndarray | None:
    """As `constant_value`, for looking only: the tensor stays feedable. Do not write into the result."""
    op = tensor.op
    if op.type == "Const":
        return op.attrs["value"]
    raw = tensor.raw_shape
    known = op.graph._constants.get(tensor)
    if known is not None:
        return known
    value: np.ndarray | None = None
    if op.type == "Shape" or op.type == "Size" or op.type == "Rank" or op.type == "ShapeN":
        value = _of_shape(tensor, op, depth)
    elif (
        op.type in _FOLDABLE and depth < _DEPTH and not (raw is not None and (shapes.num_elements(raw) or 0) > _LARGEST)
    ):
        value = _folded(tensor, op, depth)
    if value is not None and value.size <= _LARGEST:
        value.flags.writeable = False
        op.graph._constants[tensor] = value
    return value


def _of_shape(tensor: Tensor, op: Operation, depth: int) -> np.ndarray | None:
    source = op.inputs[tensor.value_index]
    raw = source.raw_shape
    if raw is None or (None in raw and op.type != "Rank"):
        value = known_value(source, depth + 1) if depth < _DEPTH else None
        if value is None:
            return None
        raw = value.shape
    if op.type == "Rank":
        return np.array(len(raw), np.int32)
    if op.type == "Size":
        return np.array(shapes.num_elements(raw), tensor.dtype.np)
    return np.array(raw, tensor.dtype.np)


def _folded(tensor: Tensor, op: Operation, depth: int) -> np.ndarray | None:
    values = []
    for source in op.inputs:
        value = known_value(source, depth + 1)
        if value is None or value.size > _LARGEST:
            return None
        values.append(value)
    kernel = _kernel(op, values)
    if kernel is None:
        return None
    try:
        with np.errstate(all="ignore"):
            results = kernel(*values)
    except Exception:  # the run will report it, with the node
        return None
    if len(op.outputs) > 1:
        results = results[tensor.value_index]
    return np.array(results)


class _Known:
    """The node that a kernel is made for when all of its inputs are known."""

    def __init__(self, op: Operation, values: list[np.ndarray]) -> None:
        self.name = self.key = op.name
        self.type, self.device, self.attrs = op.type, op.device, op.attrs
        self.input_types, self.output_types = op.input_types, op.output_types
        self.input_shapes = [tuple(value.shape) for value in values]
        self.output_shapes = [tensor.raw_shape for tensor in op.outputs]
        self.resources = None
        self._values = values

    def constant(self, index: int) -> np.ndarray:
        return self._values[index]

    def function(self, name: Any) -> Any:
        raise NotImplementedError


def _kernel(op: Operation, values: list[np.ndarray]) -> Callable[..., Any] | None:
    from runstep.kernels import cpu_kernels

    row = cpu_kernels().find(op.type, op.attrs)
    if row is None:
        return None
    try:
        return row.make(_Known(op, values))
    except Exception:
        return None


def known_shape(tensor: Tensor, depth: int = 0) -> RawShape:
    """The shape that a vector of sizes describes (-1 is an unknown size); None when not even its rank is known."""
    op = tensor.op
    if op.type == "Shape" or op.type == "ShapeN":
        return op.inputs[tensor.value_index].raw_shape
    value = known_value(tensor)
    if value is not None:
        if value.ndim == 0:
            if int(value) == -1:
                return None
            raise ValueError("Received a scalar with value different from -1 as a shape")
        if value.ndim > 1:
            raise ValueError(f"Shape must be rank 1 but is rank {value.ndim}")
        sizes = value.tolist()
        for size in sizes:
            if size < -1:
                raise ValueError(f"Invalid value in tensor used for shape: {size}")
        return tuple(None if size == -1 else size for size in sizes)
    found: RawShape = None
    if depth < _DEPTH:
        found = _composed(op, tensor, depth)
    if found is None:
        raw = tensor.raw_shape
        if raw is not None and len(raw) == 1 and raw[0] is not None:
            return (None,) * raw[0]
    return found


def _composed(op: Operation, tensor: Tensor, depth: int) -> RawShape:
    """The partly known shape that packing, joining, slicing and casting of shapes gives."""
    if op.type == "Pack" and op.attrs["axis"] == 0:
        sizes: list[int | None] = []
        for source in op.inputs:
            if source.raw_shape != ():
                return None
            sizes.append(_known_size(source, depth))
        return tuple(sizes)
    if op.type in ("ConcatV2", "Concat"):
        parts = op.inputs[:-1] if op.type == "ConcatV2" else op.inputs[1:]
        joined: tuple[int | None, ...] = ()
        for source in parts:
            if source.raw_shape is None or len(source.raw_shape) != 1:
                return None
            part = known_shape(source, depth + 1)
            if part is None:
                return None
            joined += part
        return joined
    if op.type in ("Cast", "Identity", "StopGradient") and tensor.dtype.is_integer:
        return known_shape(op.inputs[0], depth + 1) if op.inputs[0].raw_shape not in ((), None) else None
    if op.type == "StridedSlice":
        return _sliced(op, depth)
    if op.type == "PlaceholderWithDefault":
        return None
    return None


def _known_size(scalar: Tensor, depth: int) -> int | None:
    value = known_value(scalar)
    if value is not None:
        size = int(value)
        return None if size < 0 else size
    op = scalar.op
    if op.type in ("Cast", "Identity") and depth < _DEPTH:
        return _known_size(op.inputs[0], depth + 1)
    if op.type == "StridedSlice":
        begin = known_value(op.inputs[1])
        attrs = op.attrs
        single = attrs["shrink_axis_mask"] == 1 and not (attrs["ellipsis_mask"] or attrs["new_axis_mask"])
        if begin is not None and begin.size == 1 and single:
            whole = known_shape(op.inputs[0], depth + 1)
            index = int(begin[0])
            if whole is not None and -len(whole) <= index < len(whole):
                return whole[index]
    return None


def _sliced(op: Operation, depth: int) -> RawShape:
    attrs = op.attrs
    bounds = [known_value(source) for source in op.inputs[1:4]]
    if any(b is None or b.size != 1 for b in bounds):
        return None
    if attrs["ellipsis_mask"] or attrs["new_axis_mask"] or attrs["shrink_axis_mask"]:
        return None
    whole = known_shape(op.inputs[0], depth + 1)
    if whole is None:
        return None
    begin, end, stride = (int(b[0]) for b in bounds)  # type: ignore[index]
    return whole[slice(None if attrs["begin_mask"] & 1 else begin, None if attrs["end_mask"] & 1 else end, stride)]


def constant_value_as_shape(tensor: Tensor) -> TensorShape:
    """The shape that a vector of sizes describes, as far as the graph tells it (source: constant_value_as_shape)."""
    return TensorShape.from_raw(known_shape(tensor))
