"""Strings taken apart and put together along an axis."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from runstep import errors
from runstep.kernels.bytestrings import Array, packed, text_shape
from runstep.kernels.registry import Kernel, Node, numpy_kernel


def _invalid(message: str) -> errors.InvalidArgumentError:
    return errors.InvalidArgumentError(None, None, message)


# --- splitting ----------------------------------------------------------------------------------------------------


def _sparse(rows: Sequence[Sequence[bytes]]) -> tuple[Array, Array, Array]:
    lengths = np.fromiter(map(len, rows), np.int64, len(rows))
    total = int(lengths.sum())
    indices = np.empty((total, 2), np.int64)
    indices[:, 0] = np.repeat(np.arange(len(rows)), lengths)
    indices[:, 1] = np.arange(total) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    values = packed([piece for row in rows for piece in row])
    return indices, values, np.array([len(rows), lengths.max(initial=0)], np.int64)


def _split_kernel(make: Callable[[bytes], Callable[[bytes], Sequence[bytes]]], name: str) -> Kernel:
    def kernel(text: Array, separator: Array) -> tuple[Array, Array, Array]:
        if text.ndim != 1:
            raise _invalid(f"input must be a vector, got shape: {text_shape(text.shape)}")
        if np.ndim(separator):
            raise _invalid(f"{name} must be a scalar, got shape: {text_shape(np.shape(separator))}")
        return _sparse(list(map(make(separator.item()), text.tolist())))

    return kernel


def _bytes_of(text: bytes) -> list[bytes]:
    return [text[index : index + 1] for index in range(len(text))]


@numpy_kernel.make("StringSplit")
def string_split(node: Node) -> Kernel:
    skip_empty = node.attrs["skip_empty"]

    def make(delimiters: bytes) -> Callable[[bytes], Sequence[bytes]]:
        if not delimiters:
            return _bytes_of
        first = delimiters[:1]
        others = delimiters[1:]
        to_first = bytes.maketrans(others, first * len(others))

        def split(text: bytes) -> Sequence[bytes]:
            if not text:
                return ()
            if others:
                marks = text.translate(to_first).split(first)
                pieces, place = [], 0
                for mark in marks:
                    pieces.append(text[place : place + len(mark)])
                    place += len(mark) + 1
            else:
                pieces = text.split(first)
            return [piece for piece in pieces if piece] if skip_empty else pieces

        return split

    return _split_kernel(make, "delimiter")


@numpy_kernel.make("StringSplitV2")
def string_split_v2(node: Node) -> Kernel:
    most = node.attrs["maxsplit"]

    def make(separator: bytes) -> Callable[[bytes], Sequence[bytes]]:
        if most == 0:
            return lambda text: (text,)
        if separator:
            return lambda text: text.split(separator, most)
        if most < 0:
            return bytes.split

        def split(text: bytes) -> Sequence[bytes]:
            pieces = text.split(None, most)
            if len(pieces) == most:
                pieces.append(b"")  # what is left after the last cut counts, though nothing is
            return pieces

        return split

    return _split_kernel(make, "sep")


# --- n-grams ------------------------------------------------------------------------------------------------------


@numpy_kernel.make("StringNGrams")
def string_ngrams(node: Node) -> Kernel:
    attrs = node.attrs
    separator, widths, pad_width = attrs["separator"], attrs["ngram_widths"], attrs["pad_width"]
    left, right, preserve = attrs["left_pad"], attrs["right_pad"], attrs["preserve_short_sequences"]
    if any(width <= 0 for width in widths):
        raise _invalid("ngram_widths must contain positive values")

    def pads(width: int) -> int:
        return width - 1 if pad_width < 0 else min(pad_width, width - 1)

    def of_row(row: list[bytes]) -> list[bytes]:
        found = []
        for width in widths:
            count = pads(width)
            padded = [left] * count + row + [right] * count
            found += [separator.join(gram) for gram in zip(*(padded[i:] for i in range(width)), strict=False)]
        if not found and preserve and row:
            if pad_width < 0:
                raise _invalid(
                    "Pad width should be >= 0 when preserve_short_sequences is True and ngram_widths are not "
                    f"provided, got {pad_width}"
                )
            found = [separator.join([left] * pad_width + row + [right] * pad_width)]
        return found

    def kernel(data: Array, splits: Array) -> tuple[Array, Array]:
        ends, values = splits.ravel().tolist(), data.ravel().tolist()
        _check_splits(ends, len(values))
        if not values:
            return packed([]), np.zeros_like(splits)
        rows = [of_row(values[start:end]) for start, end in zip(ends, ends[1:], strict=False)]
        counts = np.zeros(len(ends), splits.dtype)
        np.cumsum([len(row) for row in rows], out=counts[1:])
        return packed([gram for row in rows for gram in row]), counts.reshape(splits.shape)

    return kernel


def _check_splits(ends: Sequence[int], size: int) -> None:
    if not ends:
        return
    if ends[0] != 0:
        raise _invalid(f"First split value must be 0, got {ends[0]}")
    for before, end in zip(ends, ends[1:], strict=False):
        if not before <= end <= size:
            raise _invalid(f"Invalid split value {end}, must be in [{before}, {size}]")
    if ends[-1] != size:
        raise _invalid(f"Last split value must be data size. Expected {size}, got {ends[-1]}")


# --- joining ------------------------------------------------------------------------------------------------------


@numpy_kernel.make("ReduceJoin")
def reduce_join(node: Node) -> Kernel:
    join, keep = node.attrs["separator"].join, node.attrs["keep_dims"]

    def kernel(text: Array, axes: Array) -> Array:
        rank = text.ndim
        chosen: list[int] = []
        for axis in np.ravel(axes).tolist():
            if not -rank <= axis < rank:
                raise errors.OutOfRangeError(
                    None, None, f"Invalid reduction dimension {axis} for input with {rank} dimension(s)"
                )
            if axis % rank in chosen:
                raise _invalid(f"Duplicate reduction dimension {axis}")
            chosen.append(axis % rank)
        if not chosen:
            return text.copy()
        rest = [axis for axis in range(rank) if axis not in chosen]
        kept = tuple(text.shape[axis] for axis in rest)
        count = int(np.prod([text.shape[axis] for axis in chosen]))
        rows = text.transpose([*rest, *reversed(chosen)]).reshape(int(np.prod(kept)), count).tolist()
        shape = tuple(1 if axis in chosen else size for axis, size in enumerate(text.shape)) if keep else kept
        return packed(list(map(join, rows)), shape)

    return kernel


@numpy_kernel.make("UnsortedSegmentJoin")
def unsorted_segment_join(node: Node) -> Kernel:
    join = node.attrs["separator"].join

    def kernel(text: Array, ids: Array, number: Array) -> Array:
        if np.ndim(number):
            raise _invalid("Number of segments must be a scalar")
        count = int(number)
        if count < 0:
            raise _invalid(f"Number of segments must be non-negative but got {count}")
        if not np.ndim(ids):
            raise _invalid("Segment_id cannot have rank 0")
        if ids.ndim > text.ndim:
            why = f"Invalid segment_id rank {ids.ndim} for input with {text.ndim} dimension(s)"
            raise errors.OutOfRangeError(None, None, why)
        if text.shape[: ids.ndim] != ids.shape:
            axis = next(i for i, size in enumerate(ids.shape) if text.shape[i] != size)
            of = text.shape[axis]
            raise _invalid(f"Segment dimension is {ids.shape[axis]} while input dimension is {of} in rank {axis}")
        if ids.size and not 0 <= ids.min() <= ids.max() < count:
            raise _invalid("segment_ids are not allowed to exceed num_segments or to have negative values.")
        tail = text.shape[ids.ndim :]
        width = int(np.prod(tail))
        gathered: list[list[bytes]] = [[] for _ in range(count * width)]
        for row, segment in zip(text.reshape(ids.size, width).tolist(), ids.ravel().tolist(), strict=True):
            for column, value in enumerate(row):
                gathered[segment * width + column].append(value)
        return packed(list(map(join, gathered)), (count, *tail))

    return kernel
