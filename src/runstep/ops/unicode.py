"""Characters of text: decoding, encoding, transcoding, scripts. Op definitions and the functions of `tf.strings`."""

from __future__ import annotations

from typing import Any

from runstep.graph import dtypes, shapes
from runstep.graph.apply import apply
from runstep.graph.convert import convert_to_tensor
from runstep.graph.graph import name_scope
from runstep.graph.ragged_tensor import RaggedTensor
from runstep.graph.tensor import Tensor, TensorLike
from runstep.ops.common import Shapes, unchanged
from runstep.ops.ragged_parts import as_ragged
from runstep.ops.registry import op

__all__ = [
    "unicode_decode",
    "unicode_decode_with_offsets",
    "unicode_encode",
    "unicode_script",
    "unicode_split",
    "unicode_split_with_offsets",
    "unicode_transcode",
]

_DECODING = (
    "input_encoding: string",
    "errors: {'strict', 'replace', 'ignore'} = 'replace'",
    "replacement_char: int = 65533",
    "replace_control_characters: bool = false",
)
_SPLITS = "Tsplits: {int32, int64} = int64"


def _decoded(op: Any) -> Shapes:
    raw = op.inputs[0].raw_shape
    count = shapes.num_elements(raw)
    return [(None if count is None else count + 1,), *[(None,)] * (len(op.output_types) - 1)]


def _encoded(op: Any) -> Shapes:
    shapes.with_rank(op.inputs[0].raw_shape, 1)
    splits = shapes.with_rank(op.inputs[1].raw_shape, 1)[0]
    if splits == 0:
        raise ValueError("Negative dimension size caused by subtracting 1 from 0")
    return [(None if splits is None else splits - 1,)]


op("UnicodeDecode", "input: string -> row_splits: Tsplits, char_values: int32", *_DECODING, _SPLITS, shape=_decoded)
op(
    "UnicodeDecodeWithOffsets",
    "input: string -> row_splits: Tsplits, char_values: int32, char_to_byte_starts: int64",
    *_DECODING,
    _SPLITS,
    shape=_decoded,
)
op(
    "UnicodeEncode",
    "input_values: int32, input_splits: Tsplits -> output: string",
    "errors: {'ignore', 'replace', 'strict'} = 'replace'",
    "output_encoding: {'UTF-8', 'UTF-16-BE', 'UTF-32-BE'}",
    "replacement_char: int = 65533",
    _SPLITS,
    shape=_encoded,
)
op(
    "UnicodeTranscode",
    "input: string -> output: string",
    "input_encoding: string",
    "output_encoding: {'UTF-8', 'UTF-16-BE', 'UTF-32-BE'}",
    *_DECODING[1:],
    shape=unchanged,
)
op("UnicodeScript", "input: int32 -> output: int32", shape=unchanged)


def _decode(op_type: str, text: Any, attrs: dict[str, Any], name: str | None) -> tuple[Tensor, Any, list[Any]]:
    """The input, its row splits, and the other outputs, for text of rank 0 or 1."""
    with name_scope(name, op_type):
        text = convert_to_tensor(text, dtypes.string, name="input")
        raw = text.raw_shape
        if raw is None:
            raise ValueError("Rank of `input` must be statically known.")
        if len(raw) > 1:
            raise ValueError("`input` must be a scalar or a vector of strings.")
        flat = apply("Reshape", text, [-1])
        splits, *values = apply(op_type, flat, name=op_type, **attrs)
    return text, splits, values


def _shaped(text: Tensor, splits: Tensor, values: Tensor) -> Any:
    return values if text.raw_shape == () else RaggedTensor(values, splits)


def unicode_decode(
    input: TensorLike,
    input_encoding: str,
    errors: str = "replace",
    replacement_char: int = 65533,
    replace_control_characters: bool = False,
    name: str | None = None,
) -> Any:
    """int32: the code points of each string, a RaggedTensor [strings, (characters)]; of a scalar, a vector.

    Source: `tf.strings.unicode_decode`.

    Args:
      input_encoding: the name of an encoding, as "UTF-8".
      errors: what to do with bytes that are no text: "replace" (by replacement_char), "ignore", or "strict" (the run fails).
      replace_control_characters: whether C0 control characters count as errors.
    """  # noqa: E501
    attrs = _attrs(input_encoding, errors, replacement_char, replace_control_characters)
    text, splits, (values,) = _decode("UnicodeDecode", input, attrs, name)
    return _shaped(text, splits, values)


def _attrs(encoding: str, errors: str, replacement: int, controls: bool = False) -> dict[str, Any]:
    return {
        "input_encoding": encoding,
        "errors": errors,
        "replacement_char": replacement,
        "replace_control_characters": controls,
    }


def unicode_decode_with_offsets(
    input: TensorLike,
    input_encoding: str,
    errors: str = "replace",
    replacement_char: int = 65533,
    replace_control_characters: bool = False,
    name: str | None = None,
) -> tuple[Any, Any]:
    """As `unicode_decode`, and int64: at which byte each character starts. Source: `tf.strings.unicode_decode_with_offsets`."""  # noqa: E501
    attrs = _attrs(input_encoding, errors, replacement_char, replace_control_characters)
    text, splits, (values, starts) = _decode("UnicodeDecodeWithOffsets", input, attrs, name)
    return _shaped(text, splits, values), _shaped(text, splits, starts)


def _split(op_type: str, name: str | None, input: Any, encoding: str, errors: str, replacement: int) -> Any:
    with name_scope(name, op_type.replace("Decode", "Split")) as scope:
        text, splits, (values, *starts) = _decode(op_type, input, _attrs(encoding, errors, replacement), scope)
        ends = apply("Range", 0, apply("AddV2", apply("Size", values), 1), 1)
        characters = apply(
            "UnicodeEncode",
            values,
            ends,
            output_encoding=encoding,
            errors=errors,
            replacement_char=replacement,
        )
    return [_shaped(text, splits, part) for part in (characters, *starts)]


def unicode_split(
    input: TensorLike,
    input_encoding: str,
    errors: str = "replace",
    replacement_char: int = 65533,
    name: str | None = None,
) -> Any:
    """The characters of each string, as strings in the same encoding. Source: `tf.strings.unicode_split`."""
    return _split("UnicodeDecode", name, input, input_encoding, errors, replacement_char)[0]


def unicode_split_with_offsets(
    input: TensorLike,
    input_encoding: str,
    errors: str = "replace",
    replacement_char: int = 65533,
    name: str | None = None,
) -> tuple[Any, Any]:
    """As `unicode_split`, and at which byte each character starts. Source: `tf.strings.unicode_split_with_offsets`."""
    characters, starts = _split("UnicodeDecodeWithOffsets", name, input, input_encoding, errors, replacement_char)
    return characters, starts


def unicode_encode(
    input: Any,
    output_encoding: str,
    errors: str = "replace",
    replacement_char: int = 65533,
    name: str | None = None,
) -> Tensor:
    """The strings that rows of code points spell: [rows] of a RaggedTensor or matrix, a scalar of a vector.

    Source: `tf.strings.unicode_encode`.
    """
    with name_scope(name, "UnicodeEncode"):
        rows = input if isinstance(input, RaggedTensor) else convert_to_tensor(input, dtypes.int32)
        attrs: Any = {"output_encoding": output_encoding, "errors": errors, "replacement_char": replacement_char}
        if isinstance(rows, Tensor):
            raw = rows.raw_shape
            if raw is None:
                raise ValueError("Rank of input_tensor must be statically known.")
            if len(raw) == 0:
                raise ValueError("input_tensor's rank must be at least 1.")
            if len(raw) == 1:
                size = apply("ExpandDims", apply("Size", rows), 0)
                ends = apply("ConcatV2", [[0], size], 0, name="concat")
                one: Tensor = apply("Reshape", apply("UnicodeEncode", rows, ends, **attrs), [])
                return one
            if len(raw) > 2:
                raise ValueError("unicode_encode takes code points of rank 1 or 2, or a RaggedTensor of rank 2.")
            rows = as_ragged(rows)
        result: Tensor = apply("UnicodeEncode", rows.flat_values, rows.row_splits, **attrs)
        return result


def unicode_transcode(
    input: TensorLike,
    input_encoding: str,
    output_encoding: str,
    errors: str = "replace",
    replacement_char: int = 65533,
    replace_control_characters: bool = False,
    name: str | None = None,
) -> Tensor:
    """The same text in another encoding. Source: `tf.strings.unicode_transcode`."""
    attrs = _attrs(input_encoding, errors, replacement_char, replace_control_characters)
    result: Tensor = apply("UnicodeTranscode", input, output_encoding=output_encoding, name=name, **attrs)
    return result


def unicode_script(input: TensorLike, name: str | None = None) -> Tensor:
    """int32: the script of each code point as ICU numbers them, -1 for none. Source: `tf.strings.unicode_script`."""
    result: Tensor = apply("UnicodeScript", input, name=name)
    return result
