"""Sets and sequences along the last axis: sizes, unions, intersections, differences, edit distances."""

from __future__ import annotations

from typing import Any

from runstep.graph import shapes
from runstep.graph.apply import apply
from runstep.graph.composite import SparseTensor, SparseTensorValue
from runstep.graph.convert import convert_to_tensor
from runstep.graph.tensor import Tensor, TensorLike
from runstep.ops.common import Shapes, unknown
from runstep.ops.registry import op
from runstep.ops.sparse_functions import convert_to_sparse

__all__ = ["edit_distance", "set_difference", "set_intersection", "set_size", "set_union"]

_TYPES = "T: {int8, int16, int32, int64, uint8, uint16, string}"
_RESULT = " -> result_indices: int64, result_values: T, result_shape: int64"


def _sparse_of_rank(rank: int | None) -> Shapes:
    return [(None, rank), (None,), (rank,)]


def _dense_pair(op: Any) -> Shapes:
    a, b = (tensor.raw_shape for tensor in op.inputs)
    if a is None or b is None:
        known = a if a is not None else b
        return _sparse_of_rank(None if known is None else _set_rank(known))
    rank = _set_rank(a)
    if len(b) != rank:
        raise ValueError(f"Input ranks do not match: {rank} and {len(b)}")
    shapes.merge(a[:-1], b[:-1])
    return _sparse_of_rank(rank)


def _set_rank(raw: tuple[int | None, ...]) -> int:
    if len(raw) < 2:
        raise ValueError(f"Input 0, expected rank >= 2, got {len(raw)}.")
    return len(raw)


def _dense_sparse(op: Any) -> Shapes:
    a = op.inputs[0].raw_shape
    _check_sparse(op, 1)
    if a is not None:
        _set_rank(a)
    shape = op.inputs[3].raw_shape
    rank = shape[0] if shape is not None and len(shape) == 1 else None
    if a is not None:
        rank = len(a)
    return _sparse_of_rank(rank)


def _sparse_pair(op: Any) -> Shapes:
    _check_sparse(op, 0)
    _check_sparse(op, 3)
    rank: int | None = None
    for place in (2, 5):
        shape = op.inputs[place].raw_shape
        if shape is not None and len(shape) == 1 and shape[0] is not None:
            rank = shape[0]
            break
    return _sparse_of_rank(rank)


def _check_sparse(op: Any, first: int) -> None:
    indices, values, shape = (tensor.raw_shape for tensor in op.inputs[first : first + 3])
    shapes.with_rank(indices, 2)
    shapes.with_rank(values, 1)
    shapes.with_rank(shape, 1)


def _edit_distances(op: Any) -> Shapes:
    _check_sparse(op, 0)
    _check_sparse(op, 3)
    mine, truth = op.constant(2), op.constant(5)
    if mine is None or truth is None:
        return [None]
    if mine.size != truth.size:
        raise ValueError(f"Num elements of hypothesis_shape does not match truth_shape: {mine.size} vs. {truth.size}")
    for shape, what in ((mine, "Hypothesis"), (truth, "Truth")):
        if shape.size < 2:
            raise ValueError(
                f"Input {what} SparseTensors must have rank at least 2, but {what.lower()}_shape rank is: {shape.size}"
            )
    return [tuple(max(a, b) for a, b in zip(mine.tolist()[:-1], truth.tolist()[:-1], strict=True))]


op(
    "SetSize",
    "set_indices: int64, set_values: T, set_shape: int64 -> size: int32",
    "validate_indices: bool = true",
    _TYPES,
    shape=unknown,
)
op(
    "DenseToDenseSetOperation",
    "set1: T, set2: T" + _RESULT,
    "set_operation: string",
    "validate_indices: bool = true",
    _TYPES,
    shape=_dense_pair,
)
op(
    "DenseToSparseSetOperation",
    "set1: T, set2_indices: int64, set2_values: T, set2_shape: int64" + _RESULT,
    "set_operation: string",
    "validate_indices: bool = true",
    _TYPES,
    shape=_dense_sparse,
)
op(
    "SparseToSparseSetOperation",
    "set1_indices: int64, set1_values: T, set1_shape: int64, set2_indices: int64, set2_values: T, set2_shape: int64"
    + _RESULT,
    "set_operation: string",
    "validate_indices: bool = true",
    _TYPES,
    shape=_sparse_pair,
)
op(
    "EditDistance",
    "hypothesis_indices: int64, hypothesis_values: T, hypothesis_shape: int64, truth_indices: int64, truth_values: T, "
    "truth_shape: int64 -> output: float32",
    "normalize: bool = true",
    "T: type",
    shape=_edit_distances,
)


def set_size(a: SparseTensor, validate_indices: bool = True) -> Tensor:
    """int32: how many different elements each set along the last axis has. Source: `tf.sets.size`."""
    a = _sparse(a)
    if not isinstance(a, SparseTensor):
        raise TypeError(f"Expected `SparseTensor`, got {a}.")
    result: Tensor = apply("SetSize", a.indices, a.values, a.dense_shape, validate_indices=validate_indices)
    return result


def _sparse(value: Any) -> Any:
    if isinstance(value, SparseTensor | SparseTensorValue):
        return convert_to_sparse(value)
    return value if isinstance(value, Tensor) else convert_to_tensor(value)


def _operation(a: Any, b: Any, name: str, validate_indices: bool) -> SparseTensor:
    """`a` is dense where only one of the two is."""
    attrs: Any = {"set_operation": name, "validate_indices": validate_indices}
    if isinstance(a, SparseTensor):
        parts = (a.indices, a.values, a.dense_shape, b.indices, b.values, b.dense_shape)
        return SparseTensor(*apply("SparseToSparseSetOperation", *parts, **attrs))
    if isinstance(b, SparseTensor):
        return SparseTensor(*apply("DenseToSparseSetOperation", a, b.indices, b.values, b.dense_shape, **attrs))
    return SparseTensor(*apply("DenseToDenseSetOperation", a, b, **attrs))


def _pair(a: Any, b: Any) -> tuple[Any, Any, bool]:
    """Both converted, and whether they were exchanged to have the dense one first."""
    a, b = _sparse(a), _sparse(b)
    if a.dtype.base_dtype is not b.dtype.base_dtype:
        raise TypeError(f"Types don't match, {a.dtype} vs {b.dtype}.")
    if isinstance(a, SparseTensor) and not isinstance(b, SparseTensor):
        return b, a, True
    return a, b, False


def set_intersection(a: TensorLike, b: TensorLike, validate_indices: bool = True) -> SparseTensor:
    """The elements of each set along the last axis that `a` and `b` share, sorted. Source: `tf.sets.intersection`."""
    a, b, _ = _pair(a, b)
    return _operation(a, b, "intersection", validate_indices)


def set_union(a: TensorLike, b: TensorLike, validate_indices: bool = True) -> SparseTensor:
    """The elements of each set along the last axis of `a` or `b`, sorted. Source: `tf.sets.union`."""
    a, b, _ = _pair(a, b)
    return _operation(a, b, "union", validate_indices)


def set_difference(a: TensorLike, b: TensorLike, aminusb: bool = True, validate_indices: bool = True) -> SparseTensor:
    """The elements of each set of `a` that are not in `b`'s (or the other way round), sorted.

    Source: `tf.sets.difference`.
    """
    a, b, exchanged = _pair(a, b)
    return _operation(a, b, "a-b" if aminusb != exchanged else "b-a", validate_indices)


def edit_distance(hypothesis: Any, truth: Any, normalize: bool = True, name: str | None = "edit_distance") -> Tensor:
    """float32: the least number of insertions, deletions and replacements that make one sequence the other.

    Source: `tf.edit_distance`.

    Args:
      hypothesis, truth: SparseTensors of sequences along the last axis.
      normalize: divide by the length of the true sequence (infinite where that is empty and the other is not).
    """
    for value, what in ((hypothesis, "Hypothesis"), (truth, "Truth")):
        if not isinstance(value, SparseTensor | SparseTensorValue):
            raise TypeError(f"{what} must be a SparseTensor.")
    hypothesis, truth = convert_to_sparse(hypothesis), convert_to_sparse(truth)
    result: Tensor = apply(
        "EditDistance",
        hypothesis.indices,
        hypothesis.values,
        hypothesis.dense_shape,
        truth.indices,
        truth.values,
        truth.dense_shape,
        normalize=normalize,
        name=name,
    )
    return result
