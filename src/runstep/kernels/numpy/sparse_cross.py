"""Crosses of columns of features."""

from __future__ import annotations

import itertools
import struct
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from runstep.graph import dtypes
from runstep.kernels import farmhash
from runstep.kernels.bytestrings import Array, packed, text_shape
from runstep.kernels.registry import Kernel, Node, numpy_kernel
from runstep.kernels.sparse_arrays import check_parts, invalid

Rows = list[list[Any]]
"""The features of one column, by example."""

_MOST = np.uint64((1 << 63) - 1)


def _columns(node: Node, parts: Sequence[Array]) -> tuple[list[Rows], int]:
    """The features of every column, and the number of examples."""
    number, count = node.attrs["N"], len(node.attrs["dense_types"])
    indices, values, shapes = parts[:number], parts[number : 2 * number], parts[2 * number : 3 * number]
    dense = parts[3 * number : 3 * number + count]
    sizes = []
    for place, part in enumerate(zip(indices, values, shapes, strict=True)):
        check_parts(*part)
        if len(part[2]) != 2:
            raise invalid(f"shape should imply a 2D tensor, but got {text_shape(part[2].tolist())} at position {place}")
        sizes.append(int(part[2][0]))
    for place, tensor in enumerate(dense):
        if np.ndim(tensor) != 2:
            raise invalid(f"Dense inputs should be a matrix but received {text_shape(np.shape(tensor))} at {place}")
        sizes.append(tensor.shape[0])
    batch = sizes[0] if sizes else 0
    for place, size in enumerate(sizes):
        if size != batch:
            raise invalid(f"Expected batch size {batch} got {size} at position {place}")
    found = [_sparse_rows(a, b, batch) for a, b in zip(indices, values, strict=True)]
    return [*found, *(tensor.tolist() for tensor in dense)], batch


def _sparse_rows(indices: Array, values: Array, batch: int) -> Rows:
    """Examples take features while these are theirs: what is out of order, and all that follows it, goes to nobody."""
    rows: Rows = []
    ids, features, start = indices[:, 0].tolist(), values.tolist(), 0
    for row in range(batch):
        end = start
        while end < len(ids) and ids[end] == row:
            end += 1
        rows.append(features[start:end])
        start = end
    return rows


def _crossed(columns: Sequence[Rows], batch: int, combine: Callable[[Sequence[Any]], Any]) -> tuple[Array, Any, Array]:
    indices, values, longest = [], [], 0
    for row in range(batch):
        found = [combine(chosen) for chosen in itertools.product(*(column[row] for column in columns))]
        longest = max(longest, len(found))
        indices += [(row, place) for place in range(len(found))]
        values += found
    places = np.array(indices, np.int64).reshape(-1, 2)
    return places, values, np.array([batch, longest], np.int64)


def _text(value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()


def _bounded(hashed: Any, buckets: int) -> int:
    return int(hashed % (np.uint64(buckets) if buckets > 0 else _MOST))


@numpy_kernel.make("SparseCross")
def sparse_cross(node: Node) -> Kernel:
    attrs = node.attrs
    buckets, key = attrs["num_buckets"], attrs["hash_key"] & (1 << 64) - 1
    numbers = dtypes.int64 in (*attrs["sparse_types"], *attrs["dense_types"])
    if numbers and attrs["internal_type"] is not dtypes.int64:
        raise invalid("Input values should be of internal type 7 but received 9")

    def kernel(*parts: Array) -> tuple[Array, Array, Array]:
        columns, batch = _columns(node, parts)
        if not attrs["hashed_output"]:
            indices, values, shape = _crossed(columns, batch, lambda chosen: b"_X_".join(map(_text, chosen)))
            return indices, packed(values), shape
        hashed = [_hashed_rows(column, _word) for column in columns]

        def combine(chosen: Sequence[Any]) -> int:
            total: Any = np.uint64(key)
            for word in chosen:
                total = farmhash.joined(total, word)
            return _bounded(total, buckets)

        indices, values, shape = _crossed(hashed, batch, combine)
        return indices, np.array(values, np.int64), shape

    return kernel


def _hashed_rows(rows: Rows, hashed: Callable[[Any], Any]) -> Rows:
    return [[hashed(value) for value in row] for row in rows]


def _word(value: Any) -> np.uint64:
    if isinstance(value, bytes):
        found: np.uint64 = farmhash.fingerprints([value])[0]
        return found
    return np.uint64(value & (1 << 64) - 1)


@numpy_kernel.make("SparseCrossV2")
def sparse_cross_v2(node: Node) -> Kernel:
    def kernel(*parts: Array) -> tuple[Array, Array, Array]:
        if np.ndim(parts[-1]):
            raise invalid(f"Input separator should be a scalar. Received: {text_shape(np.shape(parts[-1]))}")
        columns, batch = _columns(node, parts)
        join = parts[-1].item().join
        indices, values, shape = _crossed(columns, batch, lambda chosen: join(map(_text, chosen)))
        return indices, packed(values), shape

    return kernel


@numpy_kernel.make("SparseCrossHashed")
def sparse_cross_hashed(node: Node) -> Kernel:
    def kernel(*parts: Array) -> tuple[Array, Array, Array]:
        buckets, strong, salt = parts[-3:]
        if np.ndim(buckets) or np.ndim(strong):
            raise invalid("Input num_buckets and strong_hash should be scalars")
        if np.shape(salt) != (2,):
            raise invalid(f'Input "salt" must have length 2 but has length {np.size(salt)}')
        columns, batch = _columns(node, parts)
        key = tuple(word & (1 << 64) - 1 for word in salt.tolist())
        bound = int(buckets)

        def hashed(value: Any) -> Any:
            # TensorFlow hashes the low 4 of a number's 8 bytes.
            data = value if isinstance(value, bytes) else struct.pack("<q", value)[:4]
            if strong:
                return np.uint64(farmhash.siphash(data, (key[0], key[1])))
            return farmhash.fingerprints([data])[0]

        def combine(chosen: Sequence[Any]) -> int:
            total = chosen[0]
            for word in chosen[1:]:
                total = farmhash.joined(total, word)
            return _bounded(total, bound)

        words = [_hashed_rows(column, hashed) for column in columns]
        indices, values, shape = _crossed(words, batch if columns else 0, combine)
        return indices, np.array(values, np.int64), shape

    return kernel
