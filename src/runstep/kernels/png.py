"""Reading and writing PNG images with nothing but zlib."""

from __future__ import annotations

import struct
import zlib

import numpy as np

from runstep.kernels.bytestrings import Array

_COLOR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def encode(pixels: Array, compression: int = -1) -> bytes:
    """The PNG file of an image.

    Args:
      pixels: [height, width, channels] of uint8 or uint16, 1 (gray), 2 (gray, alpha), 3 (RGB) or 4 channels (RGBA).
      compression: zlib's level.
    """
    height, width, channels = pixels.shape
    depth = pixels.dtype.itemsize * 8
    header = struct.pack(">IIBBBBB", width, height, depth, _COLOR_TYPES[channels], 0, 0, 0)
    stored = np.ascontiguousarray(pixels.astype(pixels.dtype.newbyteorder(">"), copy=False))
    rows = stored.reshape(height, -1).view(np.uint8).reshape(height, width * channels * pixels.dtype.itemsize)
    filtered = np.zeros((height, rows.shape[1] + 1), np.uint8)  # filter 0 before each row: none
    filtered[:, 1:] = rows
    body = zlib.compress(filtered.tobytes(), compression)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", body) + _chunk(b"IEND", b"")


def decode(data: bytes) -> Array:
    """The pixels of a PNG file, [height, width, channels], of uint8 or uint16; palettes become colours.

    Raises:
      ValueError: not a PNG file, or a damaged one.
    """
    header, palette, alphas, body = _parse(data)
    width, height, depth, color, _, _, interlace = struct.unpack(">IIBBBBB", header)
    samples = _SAMPLES.get(color)
    if samples is None or depth not in (1, 2, 4, 8, 16) or not width or not height:
        raise ValueError(f"PNG of color type {color} and depth {depth}")
    try:
        stream = np.frombuffer(zlib.decompress(body), np.uint8)
    except zlib.error as error:
        raise ValueError(f"PNG data: {error}") from None
    pixels = np.zeros((height, width, samples), np.uint16 if depth == 16 else np.uint8)
    position = 0
    for top, left, down, right in _ADAM7 if interlace else ((0, 0, 1, 1),):
        rows, columns = -(-(height - top) // down), -(-(width - left) // right)
        if rows > 0 and columns > 0:
            size = -(-columns * samples * depth // 8)
            plain = _unfiltered(stream, position, rows, size, max(1, samples * depth // 8))
            position += rows * (size + 1)
            pixels[top::down, left::right] = _unpacked(plain, columns * samples, depth).reshape(rows, columns, samples)
    if color == 3:
        table = np.zeros((256, 3 if alphas is None else 4), np.uint8)
        colors = np.frombuffer(palette or b"", np.uint8).reshape(-1, 3)
        table[: len(colors), :3] = colors
        if alphas is not None:
            table[:, 3] = 255
            table[: len(alphas), 3] = np.frombuffer(alphas, np.uint8)
        return table[pixels[..., 0]]
    if depth < 8:
        return pixels * np.uint8(255 // (2**depth - 1))
    return pixels


_SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
# First row and column, and their steps, of the seven passes of an interlaced image.
_ADAM7 = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1))


def _parse(data: bytes) -> tuple[bytes, bytes | None, bytes | None, bytes]:
    """The header, the palette, its alphas, and the compressed pixels."""
    if data[:8] != b"\x89PNG\r\n\x1a\n":
        raise ValueError("not a PNG file")
    found: dict[bytes, list[bytes]] = {}
    position = 8
    while position + 8 <= len(data):
        (size,) = struct.unpack_from(">I", data, position)
        kind = data[position + 4 : position + 8]
        content = data[position + 8 : position + 8 + size]
        if len(content) < size:
            break
        found.setdefault(kind, []).append(content)
        position += size + 12
        if kind == b"IEND":
            break
    if len(found.get(b"IHDR", [b""])[0]) != 13 or b"IDAT" not in found or b"IEND" not in found:
        raise ValueError("PNG file without header, pixels or end")
    palette, alphas = found.get(b"PLTE"), found.get(b"tRNS")
    return (
        found[b"IHDR"][0],
        palette[0] if palette else None,
        alphas[0] if alphas else None,
        b"".join(found[b"IDAT"]),
    )


def _unfiltered(stream: Array, start: int, rows: int, size: int, step: int) -> Array:
    """Rows of bytes: each was stored as differences from its neighbours `step` to the left and above."""
    if start + rows * (size + 1) > len(stream):
        raise ValueError("PNG pixels end early")
    stored = stream[start : start + rows * (size + 1)].reshape(rows, size + 1)
    plain = np.zeros((rows + 1, size), np.uint8)
    for index in range(rows):
        kind, line, above = int(stored[index, 0]), stored[index, 1:], plain[index]
        if kind == 0:
            plain[index + 1] = line
        elif kind == 1:
            padded = np.zeros(-(-size // step) * step, np.uint8)
            padded[:size] = line
            sums = np.cumsum(padded.reshape(-1, step), axis=0, dtype=np.uint8)
            plain[index + 1] = sums.reshape(-1)[:size]
        elif kind == 2:
            plain[index + 1] = line + above
        elif kind in (3, 4):
            plain[index + 1] = (_averaged if kind == 3 else _paeth)(line.tolist(), above.tolist(), step)
        else:
            raise ValueError(f"PNG filter {kind}")
    return plain[1:]


def _averaged(line: list[int], above: list[int], step: int) -> list[int]:
    found = [0] * step
    for index, value in enumerate(line):
        found.append((value + (found[index] + above[index]) // 2) & 255)
    return found[step:]


def _paeth(line: list[int], above: list[int], step: int) -> list[int]:
    found = [0] * step
    corner = [0] * step + above
    for index, value in enumerate(line):
        left, up, both = found[index], above[index], corner[index]
        guess = left + up - both
        near = (abs(guess - left), abs(guess - up), abs(guess - both))
        best = left if near[0] <= near[1] and near[0] <= near[2] else up if near[1] <= near[2] else both
        found.append((value + best) & 255)
    return found[step:]


def _unpacked(plain: Array, count: int, depth: int) -> Array:
    """Samples of `depth` bits from bytes."""
    if depth == 16:
        return plain.reshape(len(plain), -1).copy().view(">u2").astype(np.uint16)
    if depth == 8:
        return plain
    bits = np.unpackbits(plain, axis=1)
    weights = 1 << np.arange(depth - 1, -1, -1)
    samples = bits[:, : bits.shape[1] // depth * depth].reshape(len(plain), -1, depth) @ weights
    return samples[:, :count].astype(np.uint8)
