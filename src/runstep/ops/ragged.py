"""Ragged tensors: to and from other forms, ranges, gathers. Op definitions and functions."""

from __future__ import annotations

from typing import Any

from runstep.graph import dtypes, shapes
from runstep.graph.apply import apply
from runstep.graph.composite import SparseTensor
from runstep.graph.convert import convert_to_tensor
from runstep.graph.graph import name_scope
from runstep.graph.ragged_tensor import RaggedTensor
from runstep.graph.tensor import Tensor, TensorLike
from runstep.ops.common import Shapes
from runstep.ops.registry import op

__all__ = ["ragged_range", "ragged_to_sparse", "ragged_to_tensor"]

_SPLITS = "Tsplits: {int32, int64} = int64"


def _sparse_form(op: Any) -> Shapes:
    values = op.inputs[-1].raw_shape
    for tensor in op.inputs[:-1]:
        shapes.with_rank(tensor.raw_shape, 1)
    shapes.with_rank_at_least(values, 1)
    rank = None if values is None else op.attrs["RAGGED_RANK"] + len(values)
    count = 0 if values is not None and 0 in values else shapes.num_elements(values)
    return [(count, rank), (count,), (rank,)]


def _dense_form(op: Any) -> Shapes:
    if op.inputs[0].raw_shape == () and op.constant(0) is None:
        raise ValueError(
            "Received a shape scalar with unknown static value.  A static value of '-1' is required to represent an "
            "unknown shape."
        )
    wanted = op.constant_shape(0)
    values = op.inputs[1].raw_shape
    ragged_rank = _ragged_rank(op.attrs["row_partition_types"])
    shapes.with_rank_at_most(op.inputs[0].raw_shape, 1)
    default = op.inputs[2].raw_shape
    if values is None:
        return [wanted]
    if not values:
        raise ValueError("values must be at least rank 1")
    inner = values[1:]
    if default is not None and len(default) >= len(values):
        raise ValueError(
            f"default_value.shape={shapes.text(default)} and rt_input.flat_values.shape={shapes.text(values)} are "
            f"incompatible: default_value.rank = {len(default)}  must be less than rt_input.flat_values.rank = "
            f"{len(values)}"
        )
    found: shapes.RawShape = (*(None,) * (ragged_rank + 1), *inner)
    return [found if wanted is None else shapes.merge(wanted, found)]


def _ragged_rank(kinds: Any) -> int:
    if not kinds:
        return 0
    return len(kinds) - 1 if kinds[0] == b"FIRST_DIM_SIZE" else len(kinds)


def _ranges(op: Any) -> Shapes:
    size: int | None = None
    for tensor in op.inputs:
        shape = shapes.with_rank_at_most(tensor.raw_shape, 1)
        if shape:
            size = shapes.merge_size(size, shape[0])
    if all(tensor.raw_shape == () for tensor in op.inputs):
        return [(2,), (None,)]
    return [(None if size is None else size + 1,), (None,)]


def _gathered(op: Any) -> Shapes:
    ranks = op.attrs["PARAMS_RAGGED_RANK"], op.attrs["OUTPUT_RAGGED_RANK"]
    values, indices = op.inputs[-2].raw_shape, op.inputs[-1].raw_shape
    if indices is not None and len(indices) - 1 + ranks[0] != ranks[1]:
        raise ValueError(f"Expected OUTPUT_RAGGED_RANK to be {len(indices) - 1 + ranks[0]}, got {ranks[1]}")
    for tensor in op.inputs[:-2]:
        shapes.with_rank(tensor.raw_shape, 1)
    shapes.with_rank_at_least(values, 1)
    return [(None,)] * ranks[1] + [None if values is None else (None, *values[1:])]


def _to_variant(op: Any) -> Shapes:
    splits = [shapes.with_rank(tensor.raw_shape, 1) for tensor in op.inputs[:-1]]
    shapes.with_rank_at_least(op.inputs[-1].raw_shape, 1 if splits else 0)
    if not op.attrs["batched_input"]:
        return [()]
    if not splits:
        values = op.inputs[-1].raw_shape
        return [(values[0],) if values else (None,)]
    count = splits[0][0]
    return [(None if count is None else count - 1,)]


def _variant_gradient(op: Any) -> Shapes:
    return [op.constant_shape(2)]


def _from_variant(op: Any) -> Shapes:
    rank, encoded = op.attrs["output_ragged_rank"], op.inputs[0].raw_shape
    given = op.attrs["input_ragged_rank"]
    if encoded is not None and given >= 0 and given + len(encoded) != rank:
        raise ValueError(
            f"output_ragged_rank must be equal to input_ragged_rank + encoded_ragged.rank: {rank} != {given} + "
            f"{len(encoded)}"
        )
    return [(None,)] * rank + [None]


def _filled(op: Any) -> Shapes:
    count = shapes.with_rank(op.inputs[0].raw_shape, 1)[0]
    count = shapes.merge_size(count, shapes.with_rank(op.inputs[1].raw_shape, 1)[0])
    shapes.with_rank(op.inputs[2].raw_shape, 0)
    shapes.with_rank(op.inputs[3].raw_shape, 0)
    return [(None,), (None,), (None,), (count,)]


def _fill_gradient(op: Any) -> Shapes:
    count = shapes.with_rank(op.inputs[0].raw_shape, 1)
    shapes.with_rank(op.inputs[1].raw_shape, 1)
    return [count, ()]


op(
    "RaggedTensorToSparse",
    "rt_nested_splits: RAGGED_RANK * Tsplits, rt_dense_values: T -> sparse_indices: int64, sparse_values: T, "
    "sparse_dense_shape: int64",
    "RAGGED_RANK: int >= 1",
    "T: type",
    _SPLITS,
    shape=_sparse_form,
)
op(
    "RaggedTensorToTensor",
    "shape: Tshape, values: T, default_value: T, row_partition_tensors: num_row_partition_tensors * Tindex -> "
    "result: T",
    "T: type",
    "Tindex: {int64, int32}",
    "Tshape: {int64, int32}",
    "num_row_partition_tensors: int >= 1",
    "row_partition_types: list(string)",
    shape=_dense_form,
)
op(
    "RaggedRange",
    "starts: T, limits: T, deltas: T -> rt_nested_splits: Tsplits, rt_dense_values: T",
    "T: {bfloat16, float32, float64, int32, int64} = int32",
    _SPLITS,
    shape=_ranges,
)
op(
    "RaggedGather",
    "params_nested_splits: PARAMS_RAGGED_RANK * Tsplits, params_dense_values: Tvalues, indices: Tindices -> "
    "output_nested_splits: OUTPUT_RAGGED_RANK * Tsplits, output_dense_values: Tvalues",
    "Tvalues: type",
    "Tindices: {int32, int64}",
    _SPLITS,
    "PARAMS_RAGGED_RANK: int >= 1",
    "OUTPUT_RAGGED_RANK: int >= 0",
    shape=_gathered,
)
op(
    "RaggedTensorToVariant",
    "rt_nested_splits: RAGGED_RANK * Tsplits, rt_dense_values: Tvalues -> encoded_ragged: variant",
    "RAGGED_RANK: int >= 0",
    "Tvalues: type",
    _SPLITS,
    "batched_input: bool",
    shape=_to_variant,
)
op(
    "RaggedTensorToVariantGradient",
    "encoded_ragged_grad: variant, row_splits: Tsplits, dense_values_shape: int32 -> dense_values_grad: Tvalues",
    "Tvalues: type",
    _SPLITS,
    shape=_variant_gradient,
)
op(
    "RaggedTensorFromVariant",
    "encoded_ragged: variant -> output_nested_splits: output_ragged_rank * Tsplits, output_dense_values: Tvalues",
    "input_ragged_rank: int >= -1",
    "output_ragged_rank: int >= 0",
    "Tvalues: type",
    _SPLITS,
    shape=_from_variant,
)
op(
    "RaggedFillEmptyRows",
    "value_rowids: int64, values: T, nrows: int64, default_value: T -> output_value_rowids: int64, output_values: T, "
    "empty_row_indicator: bool, reverse_index_map: int64",
    "T: type",
    shape=_filled,
)
op(
    "RaggedFillEmptyRowsGrad",
    "reverse_index_map: int64, grad_values: T -> d_values: T, d_default_value: T",
    "T: type",
    shape=_fill_gradient,
)


def ragged_to_sparse(rt: RaggedTensor, name: str | None = None) -> SparseTensor:
    """A ragged tensor as a SparseTensor of the smallest shape. Source: `tf.RaggedTensor.to_sparse`."""
    with name_scope(name, "RaggedToSparse"):
        return SparseTensor(*apply("RaggedTensorToSparse", list(rt.nested_row_splits), rt.flat_values, name=name))


def ragged_to_tensor(rt: RaggedTensor, default_value: Any = None, name: str | None = None, shape: Any = None) -> Tensor:
    """A ragged tensor filled up to a dense one. Source: `tf.RaggedTensor.to_tensor`.

    Args:
      default_value: what to fill up with; zeros (or empty strings) when None.
      shape: the shape of the result, None for sizes that follow from the rows; longer rows are cut.
    """
    with name_scope(name, "RaggedToTensor"):
        values = rt.flat_values
        if default_value is None:
            default_value = b"" if values.dtype is dtypes.string else 0
        default = convert_to_tensor(default_value, values.dtype, name="default_value")
        wanted: Any = -1 if shape is None else [-1 if size is None else size for size in shapes.as_raw(shape) or ()]
        splits = list(rt.nested_row_splits)
        result: Tensor = apply(
            "RaggedTensorToTensor",
            convert_to_tensor(wanted, splits[0].dtype),
            values,
            default,
            splits,
            row_partition_types=["ROW_SPLITS"] * len(splits),
        )
        rows = rt.shape[0].value
        if rows is not None and (wanted == -1 or wanted[0] == -1):
            result.set_shape([rows, *[None] * ((rt.shape.rank or 1) - 1)])
        return result


def ragged_range(
    starts: TensorLike,
    limits: Any = None,
    deltas: Any = 1,
    dtype: Any = None,
    name: str | None = None,
    row_splits_dtype: Any = dtypes.int64,
) -> RaggedTensor:
    """Row `i` counts from `starts[i]` to below `limits[i]` in steps of `deltas[i]`; scalars serve every row.

    Source: `tf.ragged.range`. With `starts` alone the rows count from 0 to below it.
    """
    if limits is None:
        starts, limits = 0, starts
    with name_scope(name, "RaggedRange"):
        tensors = _of_one_type([starts, limits, deltas], ["starts", "limits", "deltas"], dtype)
        splits, values = apply("RaggedRange", *tensors, Tsplits=dtypes.as_dtype(row_splits_dtype), name=name)
        return RaggedTensor(values, splits)


def _of_one_type(values: list[Any], names: list[str], dtype: Any) -> list[Tensor]:
    tensors = [
        convert_to_tensor(value, dtype, name=name, dtype_hint=dtypes.int32)
        for value, name in zip(values, names, strict=True)
    ]
    order = (dtypes.int32, dtypes.int64, dtypes.float32, dtypes.float64)
    widest = max((tensor.dtype for tensor in tensors), key=lambda kind: order.index(kind) if kind in order else -1)
    return [tensor if tensor.dtype is widest else apply("Cast", tensor, DstT=widest) for tensor in tensors]
