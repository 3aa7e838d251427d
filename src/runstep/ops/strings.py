"""String ops that work element by element, and formatting: op definitions and the functions of `tf.strings`."""

from __future__ import annotations

from typing import Any

from runstep.graph import dtypes, shapes
from runstep.graph.apply import apply
from runstep.graph.tensor import Tensor, TensorLike
from runstep.ops.common import Shapes, scalar, unchanged
from runstep.ops.reduction import one_of
from runstep.ops.registry import op

__all__ = [
    "as_string",
    "decode_base64",
    "encode_base64",
    "string_format",
    "string_join",
    "string_length",
    "string_lower",
    "string_strip",
    "string_to_number",
    "string_upper",
    "substr",
]


def _joined(op: Any) -> Shapes:
    found: shapes.RawShape = None
    unknown = False
    for tensor in op.inputs:
        shape = tensor.raw_shape
        if shape is None:
            unknown = True
        elif shape:
            found = shapes.merge(found, shape)
    return [() if found is None and not unknown else found]


def _substrings(op: Any) -> Shapes:
    text, pos, length = (tensor.raw_shape for tensor in op.inputs)
    if pos is not None and length is not None:
        shapes.with_rank(pos, len(length))
        for a, b in zip(pos, length, strict=True):
            if a is not None and b is not None and a != b:
                raise ValueError(f"pos and len dims must match: {shapes.text(pos)} vs {shapes.text(length)}")
    return [shapes.broadcast(pos, text)]


op("StringJoin", "inputs: N * string -> output: string", "N: int >= 0", "separator: string = ''", shape=_joined)
op(
    "Substr",
    "input: string, pos: T, len: T -> output: string",
    "T: {int32, int64}",
    "unit: {'BYTE', 'UTF8_CHAR'} = 'BYTE'",
    shape=_substrings,
)
op("StringLower", "input: string -> output: string", "encoding: string = ''", shape=unchanged)
op("StringUpper", "input: string -> output: string", "encoding: string = ''", shape=unchanged)
op("StringStrip", "input: string -> output: string", shape=unchanged)
op(
    "StringLength",
    "input: string -> output: int32",
    "unit: {'BYTE', 'UTF8_CHAR'} = 'BYTE'",
    shape=unchanged,
)
op(
    "StringToNumber",
    "string_tensor: string -> output: out_type",
    "out_type: {float32, float64, int32, int64, uint32, uint64} = float32",
    shape=unchanged,
)
op(
    "AsString",
    "input: T -> output: string",
    "T: {float32, float64, int32, uint8, int16, int8, int64, bfloat16, uint16, float16, uint32, uint64, complex64, "
    "complex128, bool, variant, string}",
    "precision: int = -1",
    "scientific: bool = false",
    "shortest: bool = false",
    "width: int = -1",
    "fill: string = ''",
    shape=unchanged,
)
op("EncodeBase64", "input: string -> output: string", "pad: bool = false", shape=unchanged)
op("DecodeBase64", "input: string -> output: string", shape=unchanged)


def _formatted(op: Any) -> Shapes:
    template, placeholder = op.attrs["template"], op.attrs["placeholder"]
    wanted = template.count(placeholder) if placeholder else 0
    if wanted != len(op.inputs):
        raise ValueError(f"num placeholders in template and num inputs must match: {wanted} vs. {len(op.inputs)}")
    return scalar(op)


op(
    "StringFormat",
    "inputs: T -> output: string",
    "T: list(type) >= 0",
    "template: string = '%s'",
    "placeholder: string = '%s'",
    "summarize: int = 3",
    shape=_formatted,
)


def string_join(inputs: Any, separator: str = "", name: str | None = None) -> Tensor:
    """The strings of `inputs` (tensors of one shape, or scalars) joined, each to each. Source: `tf.strings.join`."""
    result: Tensor = apply("StringJoin", inputs, separator=separator, name=name)
    return result


def substr(input: TensorLike, pos: TensorLike, len: TensorLike, name: str | None = None, unit: str = "BYTE") -> Tensor:
    """`len` bytes (or characters of UTF-8) of each string from `pos` on; `pos` may count from the end.

    `pos` and `len` have one shape, which broadcasts against `input`. Source: `tf.strings.substr`.
    """
    result: Tensor = apply("Substr", input, pos, len, unit=unit, name=name)
    return result


def string_lower(input: TensorLike, encoding: str = "", name: str | None = None) -> Tensor:
    """In lower case: ASCII letters only, or with `encoding="utf-8"` all letters. Source: `tf.strings.lower`."""
    result: Tensor = apply("StringLower", input, encoding=encoding, name=name)
    return result


def string_upper(input: TensorLike, encoding: str = "", name: str | None = None) -> Tensor:
    """In upper case: ASCII letters only, or with `encoding="utf-8"` all letters. Source: `tf.strings.upper`."""
    result: Tensor = apply("StringUpper", input, encoding=encoding, name=name)
    return result


def string_strip(input: TensorLike, name: str | None = None) -> Tensor:
    """Without the ASCII white space at both ends. Source: `tf.strings.strip`."""
    result: Tensor = apply("StringStrip", input, name=name)
    return result


def string_length(input: TensorLike, name: str | None = None, unit: str = "BYTE") -> Tensor:
    """int32: the number of bytes, or of characters of UTF-8. Source: `tf.strings.length`."""
    result: Tensor = apply("StringLength", input, unit=unit, name=name)
    return result


def string_to_number(
    string_tensor: Any = None, out_type: Any = dtypes.float32, name: str | None = None, input: Any = None
) -> Tensor:
    """The numbers that the strings spell; the run fails where one is not a number. Source: `tf.strings.to_number`."""
    result: Tensor = apply(
        "StringToNumber", one_of("input", input, "string_tensor", string_tensor), out_type=out_type, name=name
    )
    return result


def as_string(
    input: TensorLike,
    precision: int = -1,
    scientific: bool = False,
    shortest: bool = False,
    width: int = -1,
    fill: str = "",
    name: str | None = None,
) -> Tensor:
    """Numbers as text, as C's printf writes them. Source: `tf.strings.as_string`.

    Args:
      precision: digits after the point, for floats only (6 when negative).
      scientific: as 1.5e+00. shortest: as %g does. At most one of both, and for floats only.
      width: the least number of characters. fill: one of "", " ", "0", "-" (to the left), "+".
    """
    result: Tensor = apply(
        "AsString",
        input,
        precision=precision,
        scientific=scientific,
        shortest=shortest,
        width=width,
        fill=fill,
        name=name,
    )
    return result


def encode_base64(input: TensorLike, pad: bool = False, name: str | None = None) -> Tensor:
    """In web-safe base64, padded with "=" if `pad`. Source: `tf.io.encode_base64`."""
    result: Tensor = apply("EncodeBase64", input, pad=pad, name=name)
    return result


def decode_base64(input: TensorLike, name: str | None = None) -> Tensor:
    """What web-safe base64, padded or not, stands for. Source: `tf.io.decode_base64`."""
    result: Tensor = apply("DecodeBase64", input, name=name)
    return result


def string_format(
    template: str, inputs: Any, placeholder: str = "{}", summarize: int = 3, name: str | None = None
) -> Tensor:
    """`template` with the placeholders replaced by the tensors, printed as numpy would. Source: `tf.strings.format`.

    Args:
      inputs: a tensor, or a list of as many tensors as there are placeholders.
      summarize: how many elements to show at either end of a dimension; -1 for all of them.

    Raises:
      ValueError: there are more or fewer placeholders than inputs.
    """
    tensors = list(inputs) if isinstance(inputs, list | tuple) else [inputs]
    if template.count(placeholder) != len(tensors):
        raise ValueError(
            f"The template expects {template.count(placeholder)} tensors, but the inputs only has {len(tensors)}. "
            "Please ensure the number of placeholders in template matches inputs length."
        )
    result: Tensor = apply(
        "StringFormat", tensors, template=template, placeholder=placeholder, summarize=summarize, name=name
    )
    return result
