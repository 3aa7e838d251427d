"""The functions of `tf.sparse` and their older names. The ops are in `sparse`, `sparse_math` and `sparse_segment`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from runstep.graph import dtypes
from runstep.graph.apply import apply
from runstep.graph.composite import IndexedSlices, SparseTensor, SparseTensorValue
from runstep.graph.constant_value import constant_value
from runstep.graph.convert import convert_to_tensor
from runstep.graph.graph import name_scope
from runstep.graph.tensor import Tensor, TensorLike
from runstep.ops.cast import cast
from runstep.ops.creation import ones_like
from runstep.ops.indexing import gather
from runstep.ops.ragged_parts import part
from runstep.ops.reduction import all_axes, one_of

__all__ = [
    "sparse_add",
    "sparse_concat",
    "sparse_expand_dims",
    "sparse_fill_empty_rows",
    "sparse_mask",
    "sparse_maximum",
    "sparse_merge",
    "sparse_minimum",
    "sparse_reduce_max",
    "sparse_reduce_max_sparse",
    "sparse_reduce_sum",
    "sparse_reduce_sum_sparse",
    "sparse_reorder",
    "sparse_reset_shape",
    "sparse_reshape",
    "sparse_retain",
    "sparse_slice",
    "sparse_softmax",
    "sparse_split",
    "sparse_tensor_dense_matmul",
    "sparse_tensor_to_dense",
    "sparse_to_dense",
    "sparse_to_indicator",
    "sparse_transpose",
]


def convert_to_sparse(value: Any) -> SparseTensor:
    """A SparseTensor of a SparseTensor or a SparseTensorValue. TypeError for anything else."""
    if isinstance(value, SparseTensorValue):
        return SparseTensor.from_value(value)
    if not isinstance(value, SparseTensor):
        raise TypeError("Input must be a SparseTensor.")
    return value


def _is_sparse(value: Any) -> bool:
    return isinstance(value, SparseTensor | SparseTensorValue)


def _parts(value: SparseTensor) -> tuple[Tensor, Tensor, Tensor]:
    return value.indices, value.values, value.dense_shape


# --- dense and sparse ---------------------------------------------------------------------------------------------


def sparse_to_dense(
    sparse_indices: TensorLike,
    output_shape: TensorLike,
    sparse_values: TensorLike,
    default_value: Any = 0,
    validate_indices: bool = True,
    name: str | None = None,
) -> Tensor:
    """A tensor of `output_shape` with `sparse_values` at `sparse_indices` and `default_value` elsewhere.

    Source: `tf.compat.v1.sparse_to_dense`.

    Args:
      sparse_indices: a scalar, a vector, or [n, rank]. sparse_values: a vector [n], or a scalar for all places.
      validate_indices: fail unless the indices are sorted and without repetition.
    """
    result: Tensor = apply(
        "SparseToDense",
        sparse_indices,
        output_shape,
        sparse_values,
        default_value,
        validate_indices=validate_indices,
        name=name,
    )
    return result


def sparse_tensor_to_dense(
    sp_input: Any, default_value: Any = None, validate_indices: bool = True, name: str | None = None
) -> Tensor:
    """The dense form of a SparseTensor. Source: `tf.sparse.to_dense`."""
    sp_input = convert_to_sparse(sp_input)
    if default_value is None:
        default_value = convert_to_tensor(b"" if sp_input.dtype is dtypes.string else 0, sp_input.dtype, name="zeros")
    dense = sparse_to_dense(
        sp_input.indices, sp_input.dense_shape, sp_input.values, default_value, validate_indices, name
    )
    dense.set_shape(sp_input.shape)
    return dense


def sparse_to_indicator(sp_input: SparseTensor, vocab_size: Any, name: str | None = None) -> Tensor:
    """bool [..., vocab_size]: which ids each row of the SparseTensor of ids holds. Source: `tf.sparse.to_indicator`."""
    sp_input = convert_to_sparse(sp_input)
    with name_scope(name, "SparseToIndicator", list(_parts(sp_input))) as scope:
        count = part(apply("Shape", sp_input.indices), [0], [1], [1], shrink_axis_mask=1)
        there = apply("Fill", apply("ExpandDims", count, convert_to_tensor(0, name="ExpandDims/dim")), True)
        merged = _merged([sp_input], sp_input.with_values(there), [vocab_size], False)
        return sparse_tensor_to_dense(merged, default_value=False, validate_indices=False, name=scope)


# --- structure ----------------------------------------------------------------------------------------------------


def sparse_reorder(sp_input: Any, name: str | None = None) -> SparseTensor:
    """The same elements in the order of their places. Source: `tf.sparse.reorder`."""
    sp_input = convert_to_sparse(sp_input)
    indices, values = apply("SparseReorder", *_parts(sp_input), name=name)
    if sp_input.get_shape().is_fully_defined():
        shape: Any = sp_input.get_shape().as_list()
    else:
        shape = apply("Identity", sp_input.dense_shape)
    reordered = SparseTensor(indices, values, shape)
    reordered.set_shape(sp_input.shape)
    return reordered


def sparse_reshape(sp_input: Any, shape: Any, name: str | None = None) -> SparseTensor:
    """The same elements, row by row, in another shape; one size may be -1. Source: `tf.sparse.reshape`."""
    sp_input = convert_to_sparse(sp_input)
    shape = cast(shape, dtypes.int64)
    with name_scope(name, "SparseReshape", [sp_input.indices]) as scope:
        indices, new_shape = apply("SparseReshape", sp_input.indices, sp_input.dense_shape, shape, name=scope)
        return SparseTensor(indices, apply("Identity", sp_input.values), new_shape)


def sparse_concat(
    axis: int,
    sp_inputs: Any,
    name: str | None = None,
    expand_nonconcat_dim: bool = False,
    concat_dim: int | None = None,
    expand_nonconcat_dims: bool | None = None,
) -> SparseTensor:
    """SparseTensors joined along `axis`. Source: `tf.compat.v1.sparse_concat`.

    Args:
      expand_nonconcat_dim: whether the other sizes may differ, the largest being the result's.
    """
    expand = one_of("expand_nonconcat_dims", expand_nonconcat_dims, "expand_nonconcat_dim", expand_nonconcat_dim)
    along = one_of("axis", axis, "concat_dim", concat_dim)
    inputs = [convert_to_sparse(item) for item in sp_inputs]
    if len(inputs) == 1:
        return inputs[0]
    dense_shapes = [item.dense_shape for item in inputs]
    if expand:
        largest = _largest_shape(inputs)
        dense_shapes = [_with_size_of(largest, shape, along) for shape in dense_shapes]
    indices, values, shape = apply(
        "SparseConcat",
        [item.indices for item in inputs],
        [item.values for item in inputs],
        dense_shapes,
        concat_dim=along,
        name=name,
    )
    result = SparseTensor(indices, values, shape)
    if all(item.get_shape().rank is not None for item in inputs):
        sizes = inputs[0].get_shape().as_list()
        along_sizes = [item.get_shape().as_list()[along] for item in inputs]
        sizes = [None if expand else size for size in sizes]
        sizes[along] = None if None in along_sizes else sum(along_sizes)
        result.set_shape(sizes)
    return result


def _largest_shape(inputs: Sequence[SparseTensor]) -> Tensor:
    rows = [apply("Reshape", item.dense_shape, [1, -1]) for item in inputs]
    result: Tensor = apply("Max", apply("ConcatV2", rows, 0, name="concat"), 0)
    return result


def _with_size_of(largest: Tensor, shape: Tensor, axis: int) -> Tensor:
    """The sizes of `largest` but along `axis`, where it is that of `shape`."""
    before = part(largest, [0], [axis], [1], begin_mask=1)
    own = part(shape, [axis], [axis + 1 if axis != -1 else 0], [1], end_mask=int(axis == -1))
    after = np.zeros(0, np.int64) if axis == -1 else part(largest, [axis + 1], [0], [1], end_mask=1)
    result: Tensor = apply("ConcatV2", [before, own, after], 0, name="concat")
    return result


def sparse_split(
    keyword_required: Any = None,
    sp_input: Any = None,
    num_split: int | None = None,
    axis: Any = None,
    name: str | None = None,
    split_dim: Any = None,
) -> list[SparseTensor]:
    """`num_split` SparseTensors, the parts of one along `axis`. Source: `tf.compat.v1.sparse_split`."""
    if keyword_required is not None:
        raise ValueError("Keyword arguments are required for this function.")
    if sp_input is None:
        raise ValueError("sp_input is required")
    if num_split is None:
        raise ValueError("num_split is required")
    axis = one_of("axis", axis, "split_dim", split_dim)
    if axis is None:
        raise ValueError("axis is required")
    sp_input = convert_to_sparse(sp_input)
    indices, values, shapes = apply("SparseSplit", axis, *_parts(sp_input), num_split=num_split, name=name)
    return [SparseTensor(*parts) for parts in zip(indices, values, shapes, strict=True)]


def sparse_slice(sp_input: Any, start: Any, size: Any, name: str | None = None) -> SparseTensor:
    """The part of a SparseTensor from `start` on, of at most `size`. Source: `tf.sparse.slice`."""
    sp_input = convert_to_sparse(sp_input)
    start = convert_to_tensor(start, dtypes.int64)
    size = convert_to_tensor(size, dtypes.int64)
    with name_scope(name, "SparseSlice", [sp_input.indices]) as scope:
        return SparseTensor(*apply("SparseSlice", *_parts(sp_input), start, size, name=scope))


def sparse_retain(sp_input: Any, to_retain: TensorLike) -> SparseTensor:
    """The elements for which the bool vector `to_retain` is true. Source: `tf.sparse.retain`."""
    sp_input = convert_to_sparse(sp_input)
    keep = convert_to_tensor(to_retain)
    places = apply("Reshape", apply("Where", keep), [-1])
    indices, values = gather(sp_input.indices, places), gather(sp_input.values, places)
    return SparseTensor(indices, values, apply("Identity", sp_input.dense_shape))


def sparse_transpose(sp_input: Any, perm: Any = None, name: str | None = None) -> SparseTensor:
    """Axis `i` of the result is axis `perm[i]` of the input; the axes reversed when None.

    Source: `tf.sparse.transpose`.
    """
    with name_scope(name, "SparseTranspose"):
        sp_input = convert_to_sparse(sp_input)
        if perm is None:
            rank = sp_input.get_shape().rank
            if rank is not None:
                perm = np.arange(rank - 1, -1, -1, dtype=np.int32)
            else:
                count = apply("Rank", sp_input.dense_shape)
                perm = apply("Range", apply("Sub", count, 1), -1, -1)
        columns = apply("Transpose", sp_input.indices, [1, 0], name="transpose")
        indices = apply("Transpose", apply("GatherV2", columns, perm, 0), [1, 0], name="transpose")
        shape = apply("GatherV2", sp_input.dense_shape, perm, 0)
        return sparse_reorder(SparseTensor(indices, sp_input.values, shape))


def sparse_expand_dims(sp_input: Any, axis: int | None = None, name: str | None = None) -> SparseTensor:
    """With a new axis of size 1 at `axis` (the last by default). Source: `tf.sparse.expand_dims`."""
    sp_input = convert_to_sparse(sp_input)
    rank = sp_input.get_shape().rank
    if rank is None:
        raise ValueError("sparse_expand_dims needs a SparseTensor of known rank")
    axis = -1 if axis is None else axis
    if not -rank - 1 <= axis <= rank:
        raise ValueError(f"Axis {axis} out of bounds for a tensor of rank {rank}.")
    at = axis if axis >= 0 else axis + rank + 1
    with name_scope(name or "expand_dims"):
        zeros = apply("ZerosLike", part(sp_input.indices, [0, 0], [0, 1], [1, 1], begin_mask=3, end_mask=1))
        left = part(sp_input.indices, [0, 0], [0, at], [1, 1], begin_mask=1, end_mask=1)
        right = part(sp_input.indices, [0, at], [0, 0], [1, 1], begin_mask=1, end_mask=3)
        indices = apply("ConcatV2", [left, zeros, right], 1, name="concat")
        before = part(sp_input.dense_shape, [0], [at], [1])
        after = part(sp_input.dense_shape, [at], [0], [1], end_mask=1)
        shape = apply("ConcatV2", [before, np.ones(1, np.int64), after], 0, name="concat")
        return SparseTensor(indices, sp_input.values, shape)


def sparse_fill_empty_rows(sp_input: Any, default_value: Any, name: str | None = None) -> tuple[SparseTensor, Tensor]:
    """A SparseTensor in which every row has an element, and bool [rows], which rows had none.

    Source: `tf.sparse.fill_empty_rows`.
    """
    sp_input = convert_to_sparse(sp_input)
    with name_scope(name, "SparseFillEmptyRows", [sp_input.indices]):
        default = convert_to_tensor(default_value, sp_input.values.dtype)
        indices, values, empty, _ = apply("SparseFillEmptyRows", *_parts(sp_input), default)
        return SparseTensor(indices, values, sp_input.dense_shape), empty


def sparse_reset_shape(sp_input: Any, new_shape: Any = None) -> SparseTensor:
    """The same places in a larger shape, or in the smallest one that holds them. Source: `tf.sparse.reset_shape`.

    Raises:
      ValueError: the new shape is known to be too small, or of another rank.
    """
    sp_input = convert_to_sparse(sp_input)
    indices, values = apply("Identity", sp_input.indices), apply("Identity", sp_input.values)
    old_shape = apply("Identity", sp_input.dense_shape)
    if new_shape is None:
        highest = apply("Max", indices, 0)
        lowest = convert_to_tensor(np.int64(0))
        ones = ones_like(highest)
        return SparseTensor(indices, values, apply("Maximum", lowest, apply("AddV2", highest, ones, name="Add")))
    wanted = cast(convert_to_tensor(new_shape), dtypes.int64)
    known, old = constant_value(wanted), constant_value(sp_input.dense_shape)
    if known is not None and old is not None:
        if len(known) != len(old):
            raise ValueError(f"Shapes {tuple(old)} and {tuple(known)} do not have the same rank")
        if (known < old).any():
            raise ValueError(f"Requested new_shape should have dimension sizes >= sp_input.shape.  Found: {known}")
    # Never smaller than it was: places stay inside.
    fits = apply("All", apply("LessEqual", old_shape, wanted), [0])
    checked = apply("Assert", fits, ["Condition x <= y did not hold element-wise:", old_shape, wanted])
    with wanted.graph.control_dependencies([checked]):
        return SparseTensor(indices, values, apply("Identity", wanted))


def sparse_mask(a: IndexedSlices, mask_indices: TensorLike, name: str | None = None) -> IndexedSlices:
    """The rows of IndexedSlices whose index is not in `mask_indices`. Source: `tf.sparse.mask`."""
    with name_scope(name, "sparse_mask") as scope:
        kept, places = apply("ListDiff", a.indices, mask_indices)
        values = apply("GatherV2", a.values, places, convert_to_tensor(0, name="axis"), name=scope)
        return IndexedSlices(values, kept, a.dense_shape)


def sparse_merge(
    sp_ids: Any, sp_values: Any, vocab_size: Any, name: str | None = None, already_sorted: bool = False
) -> SparseTensor:
    """The values of `sp_values` at the places whose last axis is the ids of `sp_ids`.

    Source: `tf.compat.v1.sparse_merge`.

    Args:
      sp_ids: a SparseTensor of ids, or several, one for each of the last axes. sp_values: one of the same places.
      vocab_size: the size of the last axis; a list of sizes for several.
    """
    ids = [sp_ids] if _is_sparse(sp_ids) else sp_ids
    if ids is sp_ids and not isinstance(sp_ids, list | tuple):
        raise TypeError(f"sp_ids has to be a SparseTensor or list thereof. Found {type(sp_ids)}")
    if ids is not sp_ids:
        sizes = [vocab_size]
    else:
        if not isinstance(vocab_size, list | tuple):
            raise TypeError(f"vocab_size has to be a list of Tensors or Python ints. Found {type(vocab_size)}")
        sizes = list(vocab_size)
    if len(sizes) != len(ids):
        raise ValueError("sp_ids and vocab_size have to have equal lengths.")
    with name_scope(name, "SparseMerge"):
        return _merged([convert_to_sparse(item) for item in ids], convert_to_sparse(sp_values), sizes, already_sorted)


def _merged(
    ids: Sequence[SparseTensor], values: SparseTensor, sizes: Sequence[Any], already_sorted: bool
) -> SparseTensor:
    columns = []
    for item in ids:
        column = item.values if item.dtype is dtypes.int64 else cast(item.values, dtypes.int64)
        columns.append(apply("ExpandDims", column, 1, name="ExpandDims"))
    wide = [cast(size, dtypes.int64) for size in sizes]
    before = part(ids[0].indices, [0, 0], [0, -1], [1, 1], begin_mask=3, end_mask=1)
    indices = apply("ConcatV2", [before, *columns], 1, name="concat")
    lead = part(ids[0].dense_shape, [0], [-1], [1], begin_mask=1)
    shape = apply("ConcatV2", [lead, wide], 0, name="concat")
    result = SparseTensor(indices, values.values, shape)
    if already_sorted:
        return result
    ordered = sparse_reorder(result)
    return SparseTensor(ordered.indices, ordered.values, shape)


# --- arithmetic ---------------------------------------------------------------------------------------------------


def sparse_add(a: Any, b: Any, threshold: Any = None, thresh: Any = None) -> Any:
    """The sum of two tensors, at least one of them sparse; sparse if both are. Source: `tf.compat.v1.sparse_add`.

    Args:
      threshold: sums of two elements that are smaller in magnitude are left out of a sparse result.

    Raises:
      TypeError: neither is sparse.
    """
    threshold = one_of("threshold", threshold, "thresh", thresh)
    if not _is_sparse(a) and not _is_sparse(b):
        raise TypeError("At least one input should be SparseTensor; do you mean to use tf.add()?")
    if _is_sparse(a) and _is_sparse(b):
        a, b = convert_to_sparse(a), convert_to_sparse(b)
        real = a.values.dtype.real_dtype if a.values.dtype.is_complex else a.values.dtype
        limit = convert_to_tensor(0 if threshold is None else threshold, real.base_dtype, name="threshold")
        return SparseTensor(*apply("SparseAdd", *_parts(a), *_parts(b), limit))
    if _is_sparse(b):
        a, b = b, a
    a = convert_to_sparse(a)
    return apply("SparseTensorDenseAdd", *_parts(a), b)


def sparse_tensor_dense_matmul(
    sp_a: Any, b: Any, adjoint_a: bool = False, adjoint_b: bool = False, name: str | None = None
) -> Tensor:
    """The matrix product of a sparse and a dense matrix, either order. Source: `tf.sparse.sparse_dense_matmul`."""
    if _is_sparse(b) and not _is_sparse(sp_a):
        product = sparse_tensor_dense_matmul(b, sp_a, not adjoint_b, not adjoint_a)
        conjugated: Tensor = apply("Transpose", product, [1, 0], name="transpose")
        if conjugated.dtype.is_complex:
            conjugated = apply("Conj", conjugated)
        return conjugated
    sp_a = convert_to_sparse(sp_a)
    with name_scope(name, "SparseTensorDenseMatMul", [sp_a.indices, b]):
        result: Tensor = apply(
            "SparseTensorDenseMatMul",
            *_parts(sp_a),
            convert_to_tensor(b, name="b"),
            adjoint_a=adjoint_a,
            adjoint_b=adjoint_b,
        )
        return result


def sparse_softmax(sp_input: Any, name: str | None = None) -> SparseTensor:
    """Softmax over the stored elements of each row of the last axis. Source: `tf.sparse.softmax`."""
    with name_scope(name, "SparseSoftmax", [sp_input.indices, sp_input.values]):
        values = apply("SparseSoftmax", *_parts(sp_input))
        return SparseTensor(sp_input.indices, values, sp_input.dense_shape)


def _extreme(op_type: str, sp_a: SparseTensor, sp_b: SparseTensor, name: str | None) -> SparseTensor:
    with name_scope(name, op_type, [sp_a.indices, sp_b.indices]) as scope:
        indices, values = apply(op_type, *_parts(sp_a), *_parts(sp_b), name=scope)
    return SparseTensor(indices, values, sp_a.dense_shape)


def sparse_maximum(sp_a: SparseTensor, sp_b: SparseTensor, name: str | None = None) -> SparseTensor:
    """The greater of each two elements, 0 where one has none. Source: `tf.sparse.maximum`."""
    return _extreme("SparseSparseMaximum", sp_a, sp_b, name)


def sparse_minimum(sp_a: SparseTensor, sp_b: SparseTensor, name: str | None = None) -> SparseTensor:
    """The lesser of each two elements, 0 where one has none. Source: `tf.sparse.minimum`."""
    return _extreme("SparseSparseMinimum", sp_a, sp_b, name)


def _reduce(op_type: str, sp_input: SparseTensor, axis: Any, keep: Any, old_axes: Any, old_keep: Any) -> Any:
    keep = one_of("keepdims", keep, "keep_dims", old_keep)
    axis = one_of("axis", axis, "reduction_axes", old_axes)
    return apply(op_type, *_parts(sp_input), all_axes(sp_input, axis), keep_dims=bool(keep))


def sparse_reduce_sum(
    sp_input: SparseTensor, axis: Any = None, keepdims: Any = None, reduction_axes: Any = None, keep_dims: Any = None
) -> Tensor:
    """The sums over `axis` (all by default), as a dense tensor. Source: `tf.compat.v1.sparse_reduce_sum`."""
    result: Tensor = _reduce("SparseReduceSum", sp_input, axis, keepdims, reduction_axes, keep_dims)
    return result


def sparse_reduce_max(
    sp_input: SparseTensor, axis: Any = None, keepdims: Any = None, reduction_axes: Any = None, keep_dims: Any = None
) -> Tensor:
    """The greatest stored elements over `axis`, as a dense tensor; 0 where none is.

    Source: `tf.compat.v1.sparse_reduce_max`.
    """
    result: Tensor = _reduce("SparseReduceMax", sp_input, axis, keepdims, reduction_axes, keep_dims)
    return result


def sparse_reduce_sum_sparse(
    sp_input: SparseTensor, axis: Any = None, keepdims: Any = None, reduction_axes: Any = None, keep_dims: Any = None
) -> SparseTensor:
    """As `sparse_reduce_sum`, as a SparseTensor. Source: `tf.compat.v1.sparse_reduce_sum_sparse`."""
    return SparseTensor(*_reduce("SparseReduceSumSparse", sp_input, axis, keepdims, reduction_axes, keep_dims))


def sparse_reduce_max_sparse(
    sp_input: SparseTensor, axis: Any = None, keepdims: Any = None, reduction_axes: Any = None, keep_dims: Any = None
) -> SparseTensor:
    """As `sparse_reduce_max`, as a SparseTensor. Source: `tf.compat.v1.sparse_reduce_max_sparse`."""
    return SparseTensor(*_reduce("SparseReduceMaxSparse", sp_input, axis, keepdims, reduction_axes, keep_dims))
