"""Rectangular parts of tensors in checkpoints: their specification as text, as messages, and as keys of a table.

A part is a tuple of (start, length) a dimension; length -1 is all of it. "4 3 0,2:-" specifies the part "0,2:-" (rows 0
and 1) of a tensor of shape [4, 3].
"""

from __future__ import annotations

from runstep import errors
from runstep.graph import shapes

Part = tuple[tuple[int, int], ...]
Shape = tuple[int, ...]

FULL = -1


def _invalid(text: str) -> errors.InvalidArgumentError:
    return errors.InvalidArgumentError(None, None, text)


def parse(text: str) -> Part:
    """ "0,2:-" -> ((0, 2), (0, -1)). InvalidArgumentError if it is not such a text."""
    part = []
    for item in text.split(":") if text else ():
        if item == "-":
            part.append((0, FULL))
            continue
        start, _, length = item.partition(",")
        if not (start.isdigit() and length.isdigit()) or int(length) == 0:
            raise _invalid(
                f"Expected a pair of numbers or '-' but got '{item}': string = {text}"
                if not (start.isdigit() and length.isdigit())
                else f"Expected non-negative start and positive length but got start = {start}, length = {length}: "
                f"string = {text}"
            )
        part.append((int(start), int(length)))
    return tuple(part)


def as_text(part: Part) -> str:
    return ":".join("-" if length == FULL else f"{start},{length}" for start, length in part)


def parse_spec(text: str) -> tuple[Shape, Part, Shape]:
    """ "4 3 0,2:-" -> the tensor's shape, the part, and the part's shape.

    Raises:
      InvalidArgumentError: it is not such a text, or the part has another rank.
      InternalError: the part lies outside.
    """
    items = text.split(" ")
    if len(items) < 2:
        raise _invalid(f"Need least two elements in shape_and_slice specification: {text}")
    sizes = items[:-1]
    if not all(size.isdigit() for size in sizes):
        raise _invalid(f"Non numerical dimension in shape_and_slice: {text}")
    shape = tuple(map(int, sizes))
    part = parse(items[-1])
    return shape, part, part_shape(shape, part)


def part_shape(shape: Shape, part: Part) -> Shape:
    """The shape of a part of a tensor of this shape."""
    if len(part) != len(shape):
        raise errors.InternalError(
            None,
            None,
            f"Mismatching ranks: shape = {shapes.text(shape)}, slice = {as_text(part)}",
        )
    found = []
    for axis, ((start, length), size) in enumerate(zip(part, shape, strict=True)):
        if length == FULL:
            found.append(size)
            continue
        if start + length > size:
            raise errors.InternalError(
                None,
                None,
                f"Extent in dimension {axis} out of bounds: shape = {shapes.text(shape)}, slice = {as_text(part)}",
            )
        found.append(length)
    return tuple(found)


def region(shape: Shape, part: Part) -> tuple[slice, ...]:
    """The part as an index into an array of this shape."""
    return tuple(
        slice(0, size) if length == FULL else slice(start, start + length)
        for (start, length), size in zip(part, shape, strict=True)
    )


def from_message(message: object) -> Part:
    """The part that a TensorSliceProto says."""
    return tuple(
        (extent.start, extent.length) if extent.HasField("length") else (0, FULL)
        for extent in message.extent  # type: ignore[attr-defined]
    )


def to_message(part: Part, message: object) -> None:
    """Fills a TensorSliceProto."""
    for start, length in part:
        extent = message.extent.add()  # type: ignore[attr-defined]
        if length != FULL:
            extent.start = start
            extent.length = length


# --- keys ---------------------------------------------------------------------------------------------------------


def _number(value: int) -> bytes:
    """A natural number, so that the order of the bytes is that of the numbers."""
    data = value.to_bytes((value.bit_length() + 7) // 8, "big")
    return bytes([len(data)]) + data


def _signed(value: int) -> bytes:
    """An integer, so that the order of the bytes is that of the integers: leading ones tell how many bytes follow."""
    magnitude = ~value if value < 0 else value
    if magnitude < 64:
        return bytes([0x80 ^ (value & 0xFF)])
    size = 1
    while magnitude >= 1 << (7 * size - 1):
        size += 1
    body = bytearray(value.to_bytes(size, "big", signed=True))
    header = (0xFFFF << (16 - size)) & 0xFFFF
    body[0] ^= header >> 8
    if size > 1:
        body[1] ^= header & 0xFF
    return bytes(body)


_ESCAPES = {0: b"\x00\xff", 0xFF: b"\xff\x00"}


def key(name: bytes, part: Part) -> bytes:
    """The key under which a part of tensor `name` is stored."""
    text = b"".join(_ESCAPES.get(byte) or bytes((byte,)) for byte in name)
    out = _number(0) + text + b"\x00\x01" + _number(len(part))
    for start, length in part:
        out += _signed(start) + _signed(length)
    return out
