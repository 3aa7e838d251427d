"""Sparse tensors as strings, and kept between steps in a table."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from runstep.graph import dtypes
from runstep.graph.dtypes import DType
from runstep.kernels.bytestrings import Array, text_shape
from runstep.kernels.registry import Kernel, Node, numpy_kernel
from runstep.kernels.resources import resource_name
from runstep.kernels.sparse_arrays import check_order, check_parts, check_ranks, check_tensor, invalid
from runstep.kernels.tensor_content import content_proto, packed_content_proto

Parts = tuple[Array, Array, Array]


def _objects(rows: Sequence[Sequence[Any]]) -> Array:
    out = np.empty((len(rows), 3), object)
    for place, row in enumerate(rows):
        for column, item in enumerate(row):
            out[place, column] = item
    return out


def _written(parts: Parts, kind: DType, as_variants: bool) -> list[Any]:
    if as_variants:
        return [part.copy() for part in parts]
    write = packed_content_proto if kind is dtypes.string else content_proto
    indices, values, shape = parts
    protos = (content_proto(indices, dtypes.int64), write(values, kind), content_proto(shape, dtypes.int64))
    return [proto.SerializeToString() for proto in protos]


def _rows(indices: Array, values: Array, shape: Array) -> list[Parts]:
    """Each row along the first axis, as a sparse tensor of one rank less."""
    check_ranks(indices, values, shape)
    check_tensor(indices, values, shape)
    if len(shape) < 2:
        raise invalid(f"Rank of input SparseTensor should be > 1, but saw rank: {len(shape)}")
    check_order(indices, shape.tolist())
    bounds = np.searchsorted(indices[:, 0], np.arange(int(shape[0]) + 1)).tolist()
    return [
        (indices[start:end, 1:], values[start:end], shape[1:]) for start, end in zip(bounds, bounds[1:], strict=False)
    ]


@numpy_kernel.make("SerializeSparse")
def serialize_sparse(node: Node) -> Kernel:
    kind, as_variants = node.attrs["T"], node.attrs["out_type"] is dtypes.variant

    def kernel(indices: Array, values: Array, shape: Array) -> Array:
        check_ranks(indices, values, shape)
        row: Array = _objects([_written((indices, values, shape), kind, as_variants)])[0]
        return row

    return kernel


@numpy_kernel.make("SerializeManySparse")
def serialize_many_sparse(node: Node) -> Kernel:
    kind, as_variants = node.attrs["T"], node.attrs["out_type"] is dtypes.variant
    return lambda *parts: _objects([_written(row, kind, as_variants) for row in _rows(*parts)])


def _read(item: Any, kind: DType, place: int, what: str) -> Array:
    if isinstance(item, np.ndarray):
        return item
    from google.protobuf.message import DecodeError

    from runstep.graph.tensor_proto import decode
    from runstep.protos import tensor_pb2

    try:
        proto = tensor_pb2.TensorProto.FromString(item)
        found = dtypes.as_dtype(proto.dtype)
    except (DecodeError, TypeError):
        raise invalid("Could not parse serialized proto") from None
    if found is not kind:
        raise invalid(
            f"Requested SparseTensor of type {kind.name} but SparseTensor[{place}].{what}.dtype() == {found.name}"
        )
    try:
        return np.array(decode(proto))
    except (TypeError, ValueError):
        raise invalid("Could not construct tensor from proto") from None


def _parsed(rows: Array, kind: DType) -> list[Parts]:
    return [
        (
            _read(row[0], dtypes.int64, place, "indices"),
            _read(row[1], kind, place, "values"),
            _read(row[2], dtypes.int64, place, "shape"),
        )
        for place, row in enumerate(rows)
    ]


def _checked(rows: Sequence[Parts]) -> Array:
    """The least shape that holds every row."""
    rank = len(rows[0][2]) if rows[0][2].ndim == 1 else 0
    shape = np.zeros(rank, np.int64)
    for place, (indices, values, sizes) in enumerate(rows):
        if indices.ndim != 2:
            raise invalid(f"Expected serialized_sparse[{place}, 0] to represent an index matrix")
        if values.ndim != 1:
            raise invalid(f"Expected serialized_sparse[{place}, 1] to represent a values vector")
        if sizes.ndim != 1:
            raise invalid(f"Expected serialized_sparse[{place}, 2] to be a shape vector")
        if len(indices) != len(values):
            raise invalid(f"Expected row counts of indices and values to match at minibatch index {place}")
        if len(sizes) != rank:
            raise invalid(
                f"Inconsistent rank across SparseTensors: rank prior to SparseTensor[{place}] was: {rank} but rank of "
                f"SparseTensor[{place}] is: {len(sizes)}"
            )
        shape = np.maximum(shape, sizes)
    return shape


def _batched(rows: Sequence[Parts], batch: tuple[int, ...]) -> Parts:
    """The rows as one sparse tensor with the axes `batch` in front."""
    shape = _checked(rows)
    leads = np.array(list(itertools.product(*map(range, batch))), np.int64).reshape(len(rows), len(batch))
    counts = [len(values) for _, values, _ in rows]
    inner = np.concatenate([indices for indices, _, _ in rows])
    indices = np.concatenate((np.repeat(leads, counts, axis=0), inner), axis=1)
    values = np.concatenate([values for _, values, _ in rows])
    return indices, values, np.concatenate((np.array(batch, np.int64), shape))


def _check_serialized(serialized: Array) -> None:
    if not np.ndim(serialized):
        raise invalid("Serialized sparse should have non-zero rank []")
    if serialized.shape[-1] != 3:
        raise invalid(f"Serialized sparse should have 3 as the last dimension {text_shape(serialized.shape)}")
    if 0 in serialized.shape:
        raise invalid(
            "Serialized sparse should have at least 1 serialized tensor, but has a zero dimension "
            f"{text_shape(serialized.shape)}"
        )


@numpy_kernel.make("DeserializeSparse", "DeserializeManySparse")
def deserialize_sparse(node: Node) -> Kernel:
    kind = node.attrs["dtype"]

    def kernel(serialized: Array) -> Parts:
        _check_serialized(serialized)
        rows = _parsed(serialized.reshape(-1, 3), kind)
        if serialized.ndim == 1:
            _checked(rows)
            return rows[0]
        return _batched(rows, serialized.shape[:-1])

    return kernel


# --- tables -------------------------------------------------------------------------------------------------------

_TABLE = "runstep::SparseTensorsMap"


class SparseTensorsMap:
    """Sparse tensors by handle, each taken out once."""

    def __init__(self, kind: DType) -> None:
        self.kind = kind
        self._held: dict[int, Parts] = {}
        self._count = itertools.count()

    def add(self, parts: Parts) -> int:
        handle = next(self._count)
        self._held[handle] = (parts[0].copy(), parts[1].copy(), parts[2].copy())
        return handle

    def take(self, handle: int) -> Parts:
        found = self._held.pop(handle, None)
        if found is None:
            raise invalid(f"Unable to find SparseTensor: {handle} in map.")
        return found


def _table(node: Node) -> SparseTensorsMap:
    attrs = node.attrs
    container, name = resource_name(node)
    found: SparseTensorsMap = node.resources.get_or_create(
        container, _TABLE, name, lambda: SparseTensorsMap(attrs["T"])
    )
    if found.kind is not attrs["T"]:
        raise invalid(f"The map {name} holds elements of type {found.kind.name}, not {attrs['T'].name}")
    return found


@numpy_kernel.make("AddSparseToTensorsMap")
def add_sparse_to_tensors_map(node: Node) -> Kernel:
    def kernel(indices: Array, values: Array, shape: Array) -> Any:
        check_parts(indices, values, shape)
        return np.int64(_table(node).add((indices, values, shape)))

    return kernel


@numpy_kernel.make("AddManySparseToTensorsMap")
def add_many_sparse_to_tensors_map(node: Node) -> Kernel:
    def kernel(indices: Array, values: Array, shape: Array) -> Array:
        table = _table(node)
        return np.array([table.add(row) for row in _rows(indices, values, shape)], np.int64)

    return kernel


@numpy_kernel.make("TakeManySparseFromTensorsMap")
def take_many_sparse_from_tensors_map(node: Node) -> Kernel:
    attrs = node.attrs
    container, name = attrs["container"].decode(), attrs["shared_name"].decode()

    def kernel(handles: Array) -> Parts:
        if np.ndim(handles) != 1:
            raise invalid(f"sparse_handles should be a vector but received shape {text_shape(np.shape(handles))}")
        table = node.resources.lookup(container, _TABLE, name)
        if table is None:
            raise invalid(f"Unable to find the SparseTensorsMap {name!r}: nothing was added to it")
        if not len(handles):
            raise invalid("Must have at least 1 serialized SparseTensor, but input matrix has 0 rows")
        rows = [table.take(handle) for handle in handles.tolist()]
        if table.kind is not attrs["dtype"]:
            raise invalid(f"Requested SparseTensor of type {attrs['dtype'].name} but the map holds {table.kind.name}")
        return _batched(rows, (len(rows),))

    return kernel
