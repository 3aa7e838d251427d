"""Characters of text."""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Sequence

import numpy as np

from runstep import errors
from runstep.kernels import unicode_scripts
from runstep.kernels.bytestrings import Array, mapped, packed
from runstep.kernels.registry import Kernel, Node, numpy_kernel

_BROKEN = "\ud8ff"
"""What stands for bytes that are no text until it is decided what to do with them: it cannot be decoded from any."""

_MARKS = {"UTF16": (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE), "UTF32": (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)}

Decoded = tuple[str, list[int]]


def _invalid(message: str) -> errors.InvalidArgumentError:
    return errors.InvalidArgumentError(None, None, message)


def _keep_places(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeDecodeError)
    _lengths.append(error.end - error.start)
    return _BROKEN, error.end


_lengths: list[int] = []
codecs.register_error("runstep.places", _keep_places)


def _decoder(name: bytes) -> Callable[[bytes], Decoded]:
    """Text to characters, and how many bytes each took."""
    label = name.decode("latin1")
    try:
        codec = codecs.lookup(label)
    except LookupError:
        codec = None
    if codec is None or not getattr(codec, "_is_text_encoding", True):
        raise _invalid(f"Could not create converter for input encoding: {label}")
    plain = label.upper().replace("-", "").replace("_", "")
    if plain in _MARKS:
        return lambda text: _marked(text, plain)
    return lambda text: _decoded(text, codec.name)


def _marked(text: bytes, plain: str) -> Decoded:
    """Text that may say its byte order itself: big-endian if it does not. The mark belongs to the first character."""
    little, big = _MARKS[plain]
    base = f"utf-{plain[3:]}"
    if text.startswith(little):
        order, mark = "le", len(little)
    else:
        order, mark = "be", len(big) if text.startswith(big) else 0
    characters, sizes = _decoded(text[mark:], f"{base}-{order}")
    if sizes:
        sizes[0] += mark
    return characters, sizes


def _decoded(text: bytes, encoding: str) -> Decoded:
    if encoding == "utf-8" and text.isascii():
        return text.decode("ascii"), [1] * len(text)
    _lengths.clear()
    characters = text.decode(encoding, "runstep.places")
    broken = iter(_lengths.copy())
    if encoding == "utf-8":
        sizes = [next(broken) if char == _BROKEN else _utf8_size(ord(char)) for char in characters]
    else:
        sizes = [next(broken) if char == _BROKEN else len(char.encode(encoding)) for char in characters]
    return characters, sizes


def _utf8_size(code: int) -> int:
    return 1 if code < 0x80 else 2 if code < 0x800 else 3 if code < 0x10000 else 4


class _Policy:
    """What becomes of errors and control characters."""

    def __init__(self, node: Node) -> None:
        attrs = node.attrs
        self.errors = attrs["errors"]
        self.replacement = attrs["replacement_char"]
        self.controls = attrs.get("replace_control_characters", False)
        # Only there is a control character an error where errors are not borne with.
        self.transcodes = node.type == "UnicodeTranscode"
        if not 0 <= self.replacement <= 0x10FFFF:
            raise _invalid("replacement_char out of unicode codepoint range")

    def is_error(self, char: str) -> bool:
        return char == _BROKEN or (self.controls and char < " ")

    def codes(self, characters: str, sizes: Sequence[int]) -> tuple[list[int], list[int]]:
        """The code points that are left, and where they start."""
        if not self.controls and _BROKEN not in characters:
            starts = np.cumsum([0, *sizes])[:-1].tolist() if sizes else []
            return list(map(ord, characters)), starts
        codes, starts, place = [], [], 0
        for char, size in zip(characters, sizes, strict=True):
            if not self.is_error(char):
                codes.append(ord(char))
                starts.append(place)
            elif self.errors == b"strict" and (char == _BROKEN or self.transcodes):
                raise _invalid("Invalid formatting on input string")
            elif self.errors != b"ignore":
                codes.append(self.replacement)
                starts.append(place)
            place += size
        return codes, starts


@numpy_kernel.make("UnicodeDecode", "UnicodeDecodeWithOffsets")
def unicode_decode(node: Node) -> Kernel:
    decode, policy = _decoder(node.attrs["input_encoding"]), _Policy(node)
    dtype = node.attrs["Tsplits"].np
    with_offsets = node.type == "UnicodeDecodeWithOffsets"

    def kernel(texts: Array) -> tuple[Array, ...]:
        codes: list[int] = []
        starts: list[int] = []
        splits = [0]
        for text in texts.ravel().tolist():
            found, places = policy.codes(*decode(text))
            codes += found
            starts += places
            splits.append(len(codes))
        values = np.array(splits, dtype), np.array(codes, np.int32)
        return (*values, np.array(starts, np.int64)) if with_offsets else values

    return kernel


_SURROGATE = re.compile("[\ud800-\udfff]")
_CODECS = {b"UTF-8": "utf-8", b"UTF-16-BE": "utf-16-be", b"UTF-32-BE": "utf-32-be"}


def _text(codes: Sequence[int], encoding: str) -> bytes:
    text = "".join(map(chr, codes))
    if encoding != "utf-8":
        return text.encode(encoding, "surrogatepass")
    # UTF-8 has no lone surrogates, which only a replacement character can be.
    return text.encode("utf-8") if not _SURROGATE.search(text) else _SURROGATE.sub("\ufffd", text).encode()


@numpy_kernel.make("UnicodeTranscode")
def unicode_transcode(node: Node) -> Kernel:
    decode, policy = _decoder(node.attrs["input_encoding"]), _Policy(node)
    encoding = _CODECS[node.attrs["output_encoding"]]
    return lambda texts: mapped(lambda text: _text(policy.codes(*decode(text))[0], encoding), texts)


@numpy_kernel.make("UnicodeEncode")
def unicode_encode(node: Node) -> Kernel:
    policy, encoding = _Policy(node), _CODECS[node.attrs["output_encoding"]]

    def checked(codes: list[int]) -> list[int]:
        found = []
        for code in codes:
            if 0 <= code <= 0x10FFFF and not 0xD800 <= code <= 0xDFFF:
                found.append(code)
            elif policy.errors == b"strict":
                raise _invalid("Code point is out of range for Unicode, or is a surrogate.")
            elif policy.errors == b"replace":
                found.append(policy.replacement)
        return found

    def kernel(values: Array, splits: Array) -> Array:
        if np.ndim(values) != 1 or np.ndim(splits) != 1:
            raise _invalid("Both the input_tensor and input_splits should be of rank 1. ")
        if not len(splits):
            raise _invalid(f"Input_splits should contain elements, but given input_values has {len(values)} elements")
        ends, codes = splits.tolist(), values.tolist()
        if ends[0] != 0:
            raise _invalid("First value in input_splits must be zero.")
        if ends[-1] != len(codes):
            raise _invalid("Last value in input_splits must be equal to length of input_tensor.")
        if any(a > b for a, b in zip(ends, ends[1:], strict=False)):
            raise _invalid("Values in input_splits must be equal or in ascending order.")
        return packed([_text(checked(codes[start:end]), encoding) for start, end in zip(ends, ends[1:], strict=False)])

    return kernel


@numpy_kernel("UnicodeScript")
def unicode_script(codes: Array) -> Array:
    return np.asarray(unicode_scripts.of(np.asarray(codes)), np.int32)
