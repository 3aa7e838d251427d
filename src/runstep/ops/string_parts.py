"""Strings taken apart and put together along an axis: split, n-grams, joins by axis and by segment."""

from __future__ import annotations

from typing import Any

import numpy as np

from runstep.graph import dtypes, shapes
from runstep.graph.apply import apply
from runstep.graph.composite import SparseTensor
from runstep.graph.convert import convert_to_tensor
from runstep.graph.graph import name_scope
from runstep.graph.ragged_tensor import RaggedTensor
from runstep.graph.tensor import Tensor, TensorLike
from runstep.ops.common import Shapes
from runstep.ops.ragged_parts import as_ragged, from_value_rowids, part
from runstep.ops.reduction import one_of
from runstep.ops.registry import op

__all__ = [
    "reduce_join",
    "string_bytes_split",
    "string_ngrams",
    "string_split",
    "string_split_v2",
    "unsorted_segment_join",
]


def _split(op: Any) -> Shapes:
    shapes.with_rank(op.inputs[0].raw_shape, 1)
    shapes.with_rank(op.inputs[1].raw_shape, 0)
    return [(None, 2), (None,), (2,)]


def _ngrams(op: Any) -> Shapes:
    shapes.with_rank(op.inputs[0].raw_shape, 1)
    splits = shapes.with_rank(op.inputs[1].raw_shape, 1)
    return [(None,), splits]


def _joined(op: Any) -> Shapes:
    shape = op.inputs[0].raw_shape
    shapes.with_rank_at_most(op.inputs[1].raw_shape, 1)
    axes = op.constant(1)
    if shape is None:
        return [None]
    rank = len(shape)
    if axes is None:
        return [(None,) * rank if op.attrs["keep_dims"] else None]
    gone = set()
    for axis in np.ravel(axes).tolist():
        if not -rank <= axis < rank:
            raise ValueError(f"Invalid reduction dimension {axis} for input with {rank} dimension(s)")
        gone.add(axis % rank)
    if op.attrs["keep_dims"]:
        return [tuple(1 if axis in gone else size for axis, size in enumerate(shape))]
    return [tuple(size for axis, size in enumerate(shape) if axis not in gone)]


def _segments(op: Any) -> Shapes:
    data, ids, count = (tensor.raw_shape for tensor in op.inputs)
    shapes.with_rank(count, 0)
    number = op.constant(2)
    if number is not None and number < 0:
        raise ValueError(f"Dimension size, given by scalar input 2, must be non-negative but is {number}")
    if data is None or ids is None:
        return [None]
    for a, b in zip(data, ids, strict=False):
        shapes.merge_size(a, b)
    if len(ids) > len(data):
        raise ValueError(f"Shape must be at least rank {len(ids)} but is rank {len(data)}")
    return [(None if number is None else int(number), *data[len(ids) :])]


op(
    "StringSplit",
    "input: string, delimiter: string -> indices: int64, values: string, shape: int64",
    "skip_empty: bool = true",
    shape=_split,
)
op(
    "StringSplitV2",
    "input: string, sep: string -> indices: int64, values: string, shape: int64",
    "maxsplit: int = -1",
    shape=_split,
)
op(
    "StringNGrams",
    "data: string, data_splits: Tsplits -> ngrams: string, ngrams_splits: Tsplits",
    "separator: string",
    "ngram_widths: list(int) >= 0",
    "left_pad: string",
    "right_pad: string",
    "pad_width: int",
    "preserve_short_sequences: bool",
    "Tsplits: {int32, int64} = int64",
    shape=_ngrams,
)
op(
    "ReduceJoin",
    "inputs: string, reduction_indices: int32 -> output: string",
    "keep_dims: bool = false",
    "separator: string = ''",
    shape=_joined,
)
op(
    "UnsortedSegmentJoin",
    "inputs: string, segment_ids: Tindices, num_segments: Tnumsegments -> output: string",
    "separator: string = ''",
    "Tindices: {int32, int64}",
    "Tnumsegments: {int32, int64} = int32",
    shape=_segments,
)


def _rows(indices: Tensor, values: Tensor, shape: Tensor) -> RaggedTensor:
    """The ragged form of what a split gives."""
    rowids = part(indices, [0, 0], [0, 1], [1, 1], begin_mask=1, end_mask=1, shrink_axis_mask=2)
    return from_value_rowids(values, rowids, part(shape, [0], [1], [1], shrink_axis_mask=1))


def _check_result_type(result_type: str) -> None:
    if result_type not in ("SparseTensor", "RaggedTensor"):
        raise ValueError("result_type must be 'RaggedTensor' or 'SparseTensor'.")


def string_split(
    source: TensorLike,
    sep: Any = None,
    skip_empty: bool = True,
    delimiter: Any = None,
    result_type: str = "SparseTensor",
    name: str | None = None,
) -> Any:
    """The pieces of each string of a vector between any of the bytes of `sep` (" " by default; "": every byte).

    Source: `tf.compat.v1.string_split`.

    Returns:
      A SparseTensor of shape [strings, most pieces], or with `result_type="RaggedTensor"` a RaggedTensor.
    """
    sep = one_of("sep", sep, "delimiter", delimiter)
    _check_result_type(result_type)
    with name_scope(name, "StringSplit", [source]):
        sep = convert_to_tensor(" " if sep is None else sep, dtypes.string)
        source = convert_to_tensor(source, dtypes.string)
        indices, values, shape = apply("StringSplit", source, sep, skip_empty=skip_empty)
        if result_type == "RaggedTensor":
            return _rows(indices, values, shape)
        for tensor, known in ((indices, (None, 2)), (values, (None,)), (shape, (2,))):
            tensor.set_shape(known)
        return SparseTensor(indices, values, shape)


def string_split_v2(
    input: Any = None,
    sep: str | None = None,
    maxsplit: int = -1,
    result_type: str = "SparseTensor",
    source: Any = None,
    name: str | None = None,
) -> Any:
    """The pieces of each string of a vector between the whole of `sep` (by default between runs of white space).

    Source: `tf.compat.v1.strings.split`.

    Args:
      maxsplit: the most cuts in one string, from the left; all for -1.

    Returns:
      A SparseTensor of shape [strings, most pieces], or with `result_type="RaggedTensor"` a RaggedTensor.
    """
    input = one_of("source", source, "input", input)
    _check_result_type(result_type)
    with name_scope(name, "StringSplit", [input]):
        input = convert_to_tensor(input, dtypes.string, name="input")
        if input.raw_shape == ():
            input = apply("ExpandDims", input, convert_to_tensor(0, name="ExpandDims/dim"), name="ExpandDims")
        if result_type == "RaggedTensor":
            with name_scope("StringSplit"):
                return _rows(*_split_v2(input, sep, maxsplit))
        return SparseTensor(*_split_v2(input, sep, maxsplit))


def _split_v2(input: Tensor, sep: Any, maxsplit: int) -> Any:
    sep = convert_to_tensor("" if sep is None else sep, dtypes.string)
    return apply("StringSplitV2", input, sep, maxsplit=maxsplit)


def string_bytes_split(input: TensorLike, name: str | None = None) -> Any:
    """Each string of a vector as bytes, a RaggedTensor; of a scalar, a vector. Source: `tf.strings.bytes_split`."""
    with name_scope(name, "StringsByteSplit"):
        text = convert_to_tensor(input, dtypes.string, name="input")
        is_scalar = text.raw_shape == ()
        if is_scalar:
            text = apply("Pack", [text], name="stack")
        elif text.raw_shape is None or len(text.raw_shape) != 1:
            raise ValueError("input must have a statically-known rank of 0 or 1.")
        indices, values, shape = apply("StringSplit", text, "", skip_empty=False)
        return values if is_scalar else _rows(indices, values, shape)


def reduce_join(
    inputs: TensorLike,
    axis: Any = None,
    keep_dims: bool | None = None,
    separator: str = "",
    name: str | None = None,
    reduction_indices: Any = None,
    keepdims: bool | None = None,
) -> Tensor:
    """The strings along `axis` joined; along several axes in the order given, along all by default.

    Source: `tf.compat.v1.reduce_join`.
    """
    keep = one_of("keepdims", keepdims, "keep_dims", keep_dims)
    axis = one_of("axis", axis, "reduction_indices", reduction_indices)
    with name_scope(None, "ReduceJoin"):
        text = convert_to_tensor(inputs, dtypes.string)
        if axis is None:
            axis = _from_last_to_first(text)
        result: Tensor = apply("ReduceJoin", text, axis, keep_dims=bool(keep), separator=separator, name=name)
        return result


def _from_last_to_first(text: Tensor) -> Tensor:
    """TensorFlow 1 joins along the last axis first."""
    if text.raw_shape is not None:
        return convert_to_tensor(np.arange(len(text.raw_shape) - 1, -1, -1, dtype=np.int32))
    last = apply("Sub", apply("Rank", text), 1, name="sub")
    result: Tensor = apply("Range", last, -1, -1, name="range")
    return result


def unsorted_segment_join(
    inputs: TensorLike, segment_ids: TensorLike, num_segments: TensorLike, separator: str = "", name: str | None = None
) -> Tensor:
    """[num_segments, ...]: the strings with one segment id joined. Source: `tf.strings.unsorted_segment_join`."""
    result: Tensor = apply("UnsortedSegmentJoin", inputs, segment_ids, num_segments, separator=separator, name=name)
    return result


def string_ngrams(
    data: Any,
    ngram_width: Any,
    separator: str = " ",
    pad_values: Any = None,
    padding_width: int | None = None,
    preserve_short_sequences: bool = False,
    name: str | None = None,
) -> Any:
    """The n-grams of each row of strings, n in `ngram_width` (an int, or several). Source: `tf.strings.ngrams`.

    Args:
      data: a vector, a matrix or a RaggedTensor of strings.
      pad_values: a string, or one for the left and one for the right, to pad rows with; no padding when None.
      padding_width: the most pads at either end; n - 1 when None.
      preserve_short_sequences: a row too short for any n-gram gives one of the whole row.

    Returns:
      A RaggedTensor of as many rows as `data`; for a vector, a vector.
    """
    with name_scope(name, "StringNGrams"):
        left, right = _pads(pad_values)
        if pad_values is None:
            padding_width = 0
        elif padding_width is not None and padding_width < 1:
            raise ValueError("padding_width must be 1 or greater.")
        widths = [ngram_width] if isinstance(ngram_width, int) else list(ngram_width)
        if any(width < 1 for width in widths):
            raise ValueError(f"All ngram_widths must be greater than 1. Received: ngram_width={ngram_width}")
        rows = data if isinstance(data, RaggedTensor) else convert_to_tensor(data, name="data", dtype=dtypes.string)
        is_vector = isinstance(rows, Tensor) and rows.raw_shape is not None and len(rows.raw_shape) == 1
        if is_vector:
            rows = apply("ExpandDims", rows, 0, name="ExpandDims")
        if isinstance(rows, Tensor):
            rows = as_ragged(rows)
        ngrams, splits = apply(
            "StringNGrams",
            rows.flat_values,
            rows.nested_row_splits[-1],
            separator=separator,
            ngram_widths=widths,
            left_pad=left,
            right_pad=right,
            pad_width=-1 if padding_width is None else padding_width,
            preserve_short_sequences=preserve_short_sequences,
        )
        if is_vector:
            return ngrams
        return RaggedTensor.from_nested_row_splits(ngrams, [*rows.nested_row_splits[:-1], splits])


def _pads(pad_values: Any) -> tuple[Any, Any]:
    if pad_values is None:
        return "", ""
    if isinstance(pad_values, str | bytes):
        return pad_values, pad_values
    if not isinstance(pad_values, list | tuple) or len(pad_values) != 2:
        raise TypeError("pad_values must be a string, tuple of strings, or None.")
    return pad_values[0], pad_values[1]
