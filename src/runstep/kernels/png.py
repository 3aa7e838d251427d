"""Writing PNG images with nothing but zlib."""

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
