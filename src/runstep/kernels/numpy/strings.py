"""String ops that work element by element."""

from __future__ import annotations

import base64
import math
import re
from collections.abc import Callable
from typing import Any

import numpy as np

from runstep import errors
from runstep.graph import dtypes
from runstep.kernels.bytestrings import Array, mapped, numbers, packed, scalar, text_shape
from runstep.kernels.registry import Kernel, Node, numpy_kernel

_SPACES = b" \t\n\v\f\r"


def _invalid(message: str) -> errors.InvalidArgumentError:
    return errors.InvalidArgumentError(None, None, message)


# --- joining, cutting, cases --------------------------------------------------------------------------------------


@numpy_kernel.make("StringJoin")
def string_join(node: Node) -> Kernel:
    join = node.attrs["separator"].join

    def kernel(*parts: Array) -> Array:
        shape = next((part.shape for part in parts if part.ndim), ())
        columns = []
        for part in parts:
            if not part.ndim:
                columns.append([part[()]] * math.prod(shape))
            elif part.shape == shape:
                columns.append(part.ravel().tolist())
            else:
                raise _invalid(f"Input shapes do not match: {text_shape(shape)} vs. {text_shape(part.shape)}")
        if not columns:
            return scalar(b"")
        return packed(list(map(join, zip(*columns, strict=True))), shape)

    return kernel


def character_starts(text: bytes) -> list[int]:
    """Where the characters of UTF-8 start: at each byte that does not continue one."""
    return [index for index, byte in enumerate(text) if byte & 0xC0 != 0x80]


def _cut_bytes(text: bytes, pos: int, length: int, index: int) -> bytes:
    size = len(text)
    if not -size <= pos <= size:
        raise _invalid(f"pos {pos} out of range for string b'{text.decode('latin1')}' at index {index}")
    if pos < 0:
        pos += size
    # A negative length means all the rest here, and nothing for characters: TensorFlow leaves it undefined.
    return text[pos : pos + length] if length >= 0 else text[pos:]


def _cut_characters(text: bytes, pos: int, length: int, index: int) -> bytes:
    starts = character_starts(text)
    size = len(starts)
    if not -size <= pos <= size:
        raise _invalid(f"pos {pos} out of range for string at index {index}")
    if pos < 0:
        pos += size
    starts.append(len(text))
    return text[starts[pos] : starts[min(pos + length, size)]] if length > 0 else b""


@numpy_kernel.make("Substr")
def substr(node: Node) -> Kernel:
    cut = _cut_bytes if node.attrs["unit"] == b"BYTE" else _cut_characters

    def kernel(text: Array, pos: Array, length: Array) -> Array:
        if np.shape(pos) != np.shape(length):
            raise _invalid(
                f"pos and len should have the same shape, got: {text_shape(np.shape(pos))} vs. "
                f"{text_shape(np.shape(length))}"
            )
        if text.shape != np.shape(pos) and np.ndim(pos):
            if max(text.ndim, np.ndim(pos)) > 2:
                raise errors.UnimplementedError(
                    None, None, f"Substr broadcast not implemented for {max(text.ndim, np.ndim(pos))} dimensions"
                )
            text, pos, length = np.broadcast_arrays(text, pos, length)
        elif not np.ndim(pos):
            pos, length = np.broadcast_to(pos, text.shape), np.broadcast_to(length, text.shape)
        rows = zip(text.ravel().tolist(), pos.ravel().tolist(), length.ravel().tolist(), strict=True)
        return packed([cut(*row, index) for index, row in enumerate(rows)], text.shape)

    return kernel


def _encoding(node: Node) -> bool:
    encoding = node.attrs["encoding"]
    if encoding not in (b"", b"utf-8"):
        raise _invalid(f"only utf-8 or '' (no encoding) is supported, received {encoding.decode('latin1')}")
    return bool(encoding)


@numpy_kernel.make("StringLower")
def string_lower(node: Node) -> Kernel:
    if _encoding(node):
        return lambda x: mapped(lambda text: text.decode("utf-8", "replace").lower().encode(), x)
    return lambda x: mapped(bytes.lower, x)


@numpy_kernel.make("StringUpper")
def string_upper(node: Node) -> Kernel:
    if _encoding(node):
        return lambda x: mapped(lambda text: text.decode("utf-8", "replace").upper().encode(), x)
    return lambda x: mapped(bytes.upper, x)


@numpy_kernel("StringStrip")
def string_strip(x: Array) -> Array:
    return mapped(lambda text: text.strip(_SPACES), x)


@numpy_kernel.make("StringLength")
def string_length(node: Node) -> Kernel:
    if node.attrs["unit"] == b"BYTE":
        return lambda x: numbers(len, x, np.int32)
    return lambda x: numbers(lambda text: len(character_starts(text)), x, np.int32)


# --- numbers ------------------------------------------------------------------------------------------------------

_INTEGER = re.compile(rb"[ \t\n\v\f\r]*([+-]?[0-9]+)[ \t\n\v\f\r]*", re.ASCII)
_FLOAT = re.compile(rb"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|[+-]?(?:inf|infinity)", re.ASCII | re.I)
_HEXADECIMAL = re.compile(rb"[+-]?0x(?:[0-9a-f]+\.?[0-9a-f]*|\.[0-9a-f]+)(?:p[+-]?[0-9]+)?", re.ASCII | re.I)
_NAN = re.compile(rb"[+-]?nan(?:\([0-9a-z_]*\))?", re.ASCII | re.I)


def _not_a_number(text: bytes) -> errors.InvalidArgumentError:
    return _invalid(f"StringToNumberOp could not correctly convert string: {text.decode('utf-8', 'replace')}")


def parse_float(text: bytes) -> float | None:
    """The number that C's strtod reads from the whole of `text`, white space at both ends aside."""
    trimmed = text.strip(_SPACES)
    if _FLOAT.fullmatch(trimmed):
        return float(trimmed)
    if _HEXADECIMAL.fullmatch(trimmed):
        try:
            return float.fromhex(trimmed.decode())
        except OverflowError:
            return math.inf
    if _NAN.fullmatch(trimmed):
        return math.nan
    return None


def parse_integer(text: bytes, least: int, most: int) -> int | None:
    """The decimal number in [least, most] that the whole of `text` spells, white space at both ends aside."""
    match = _INTEGER.fullmatch(text)
    if match is None or (least == 0 and match[1].startswith(b"-")):
        return None
    value = int(match[1])
    return value if least <= value <= most else None


@numpy_kernel.make("StringToNumber")
def string_to_number(node: Node) -> Kernel:
    dtype = node.attrs["out_type"].np
    if dtype.kind == "f":
        parse: Callable[[bytes], Any] = parse_float
    else:
        info = np.iinfo(dtype)
        least, most = int(info.min), int(info.max)

        def parse(text: bytes) -> int | None:
            return parse_integer(text, least, most)

    def number(text: bytes) -> Any:
        value = parse(text)
        if value is None:
            raise _not_a_number(text)
        return value

    return lambda x: numbers(number, x, dtype)


@numpy_kernel.make("AsString")
def as_string(node: Node) -> Kernel:
    kind = node.input_types[0]
    write = _writer(node, kind)
    return lambda x: packed([write(value).encode("latin1") for value in np.ravel(x).tolist()], np.shape(x))


def _writer(node: Node, kind: Any) -> Callable[[Any], str]:
    attrs = node.attrs
    precision, width, fill = attrs["precision"], attrs["width"], attrs["fill"].decode("latin1")
    is_float = kind.is_floating or kind.is_complex
    if attrs["scientific"] and attrs["shortest"]:
        raise _invalid("Cannot select both scientific and shortest notation")
    if len(fill) > 1:
        raise _invalid(f"Fill string must be one or fewer characters, received: {fill}")
    if fill and fill not in "+- 0":
        raise _invalid(f'Fill argument not supported: "{fill}"')
    if kind in (dtypes.bool, dtypes.string):
        return _text_writer(kind, precision, width, fill)
    if not is_float:
        if attrs["scientific"] or attrs["shortest"]:
            raise _invalid(f"scientific and shortest format not supported for datatype {kind.name}")
        if precision >= 0:
            raise _invalid(f"precision not supported for datatype {kind.name}")
        if kind.is_unsigned:
            fill = fill.strip("+ ")  # C ignores these for unsigned numbers
        pattern = f"%{fill}{width if width > -1 else ''}d"
        return lambda value: pattern % value
    letter = "e" if attrs["scientific"] else "g" if attrs["shortest"] else "f"
    body = f"{width if width > -1 else ''}{f'.{precision}' if precision > -1 else ''}{letter}"
    pattern, unbounded = f"%{fill}{body}", f"%{fill.strip('0')}{body}"

    def write(value: float) -> str:
        return (pattern if math.isfinite(value) else unbounded) % value

    if kind.is_complex:
        return lambda value: f"({write(value.real)},{write(value.imag)})"
    return write


def _text_writer(kind: Any, precision: int, width: int, fill: str) -> Callable[[Any], str]:
    if kind is dtypes.bool:
        return lambda value: "true" if value else "false"
    pattern = f"%{'-' if fill == '-' else ''}{width if width > -1 else ''}s"
    return lambda value: pattern % value.decode("latin1")


# --- base64 -------------------------------------------------------------------------------------------------------

_WEB_SAFE = re.compile(rb"[A-Za-z0-9_-]*(={0,2})", re.ASCII)


@numpy_kernel.make("EncodeBase64")
def encode_base64(node: Node) -> Kernel:
    if node.attrs["pad"]:
        return lambda x: mapped(base64.urlsafe_b64encode, x)
    return lambda x: mapped(lambda data: base64.urlsafe_b64encode(data).rstrip(b"="), x)


def _from_base64(text: bytes) -> bytes:
    if len(text) % 4 == 1:
        raise _invalid("Base64 string length cannot be 1 modulo 4.")
    match = _WEB_SAFE.fullmatch(text)
    if match is None or (match[1] and len(text) % 4):
        raise _invalid("Invalid character found in base64.")
    return base64.urlsafe_b64decode(text + b"=" * (-len(text) % 4))


@numpy_kernel("DecodeBase64")
def decode_base64(x: Array) -> Array:
    return mapped(_from_base64, x)
