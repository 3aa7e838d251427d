"""Rows gathered by index and reduced by segment, without the gathered rows ever being a tensor of the graph."""

from __future__ import annotations

from typing import Any

from runstep.graph import shapes
from runstep.graph.apply import apply
from runstep.graph.tensor import Tensor, TensorLike
from runstep.ops.common import Shapes
from runstep.ops.registry import op
from runstep.ops.typesets import FLOAT, INDEX

__all__ = ["sparse_segment_mean", "sparse_segment_sqrt_n", "sparse_segment_sum"]


def _checked(op: Any) -> shapes.RawShape:
    data, indices, ids = (tensor.raw_shape for tensor in op.inputs[:3])
    shapes.merge(shapes.with_rank(indices, 1), shapes.with_rank(ids, 1))
    return shapes.with_rank_at_least(data, 1)


def _reduced(op: Any) -> Shapes:
    data = _checked(op)
    return [None if data is None else (None, *data[1:])]


def _reduced_to_known(op: Any) -> Shapes:
    data = _checked(op)
    count = op.inputs[3].raw_shape
    shapes.with_rank(count, 0)
    number = op.constant(3)
    if number is not None and number < 0:
        raise ValueError("Cannot specify a negative value for num_segments")
    if data is None:
        return [None]
    return [(None if number is None else int(number), *data[1:])]


def _gradient(op: Any) -> Shapes:
    data = _checked(op)
    shapes.with_rank(op.inputs[3].raw_shape, 0)
    number = op.constant(3)
    if number is not None and number < 0:
        raise ValueError("Cannot specify a negative value for output_dim0")
    if data is None:
        return [None]
    return [(None if number is None else int(number), *data[1:])]


def _sparse_gradient(op: Any) -> Shapes:
    data = _checked(op)
    shapes.with_rank(op.inputs[3].raw_shape, 0)
    return [None if data is None else (None, *data[1:]), (None,)]


_IDS = "Tsegmentids: {int32, int64} = int32"
for _name in ("Mean", "Sum", "SqrtN"):
    _types = "T: realnumbertype" if _name == "Sum" else FLOAT
    op(
        f"SparseSegment{_name}",
        "data: T, indices: Tidx, segment_ids: Tsegmentids -> output: T",
        _types,
        INDEX,
        _IDS,
        "sparse_gradient: bool = false",
        shape=_reduced,
    )
    op(
        f"SparseSegment{_name}WithNumSegments",
        "data: T, indices: Tidx, segment_ids: Tsegmentids, num_segments: Tnumsegments -> output: T",
        _types,
        INDEX,
        "Tnumsegments: {int32, int64} = int32",
        _IDS,
        "sparse_gradient: bool = false",
        shape=_reduced_to_known,
    )
    op(
        f"SparseSegment{_name}Grad",
        "grad: T, indices: Tidx, segment_ids: Tsegmentids, output_dim0: int32 -> output: T",
        FLOAT,
        INDEX,
        _IDS,
        shape=_gradient,
    )
    op(
        f"SparseSegment{_name}GradV2",
        "grad: T, indices: Tidx, segment_ids: Tsegmentids, dense_output_dim0: int32 -> output: T, "
        "sorted_unique_indices: Tidx",
        FLOAT,
        INDEX,
        _IDS,
        shape=_sparse_gradient,
    )


def _segment(
    kind: str, data: Any, indices: Any, segment_ids: Any, name: str | None, num_segments: Any, sparse_gradient: bool
) -> Tensor:
    op_type, inputs = f"SparseSegment{kind}", [data, indices, segment_ids]
    if num_segments is not None:
        op_type, inputs = op_type + "WithNumSegments", [*inputs, num_segments]
    result: Tensor = apply(op_type, *inputs, sparse_gradient=sparse_gradient, name=name)
    return result


def sparse_segment_sum(
    data: TensorLike,
    indices: TensorLike,
    segment_ids: TensorLike,
    name: str | None = None,
    num_segments: Any = None,
    sparse_gradient: bool = False,
) -> Tensor:
    """[segments, ...]: the sums of the rows `data[indices[i]]` with one `segment_ids[i]`; the ids must not fall.

    Source: `tf.compat.v1.sparse_segment_sum`.

    Args:
      num_segments: how many rows the result has; one more than the last id when None.
      sparse_gradient: whether the gradient shall be IndexedSlices.
    """
    return _segment("Sum", data, indices, segment_ids, name, num_segments, sparse_gradient)


def sparse_segment_mean(
    data: TensorLike,
    indices: TensorLike,
    segment_ids: TensorLike,
    name: str | None = None,
    num_segments: Any = None,
    sparse_gradient: bool = False,
) -> Tensor:
    """As `sparse_segment_sum`, divided by the number of rows in the segment.

    Source: `tf.compat.v1.sparse_segment_mean`.
    """
    return _segment("Mean", data, indices, segment_ids, name, num_segments, sparse_gradient)


def sparse_segment_sqrt_n(
    data: TensorLike,
    indices: TensorLike,
    segment_ids: TensorLike,
    name: str | None = None,
    num_segments: Any = None,
    sparse_gradient: bool = False,
) -> Tensor:
    """As `sparse_segment_sum`, divided by the square root of the number of rows in the segment.

    Source: `tf.compat.v1.sparse_segment_sqrt_n`.
    """
    return _segment("SqrtN", data, indices, segment_ids, name, num_segments, sparse_gradient)
