"""CRC-32C: known values, and the fast way against the slow one."""

from __future__ import annotations

import numpy as np
import pytest

from runstep.io import crc32c as module
from runstep.io.crc32c import crc32c, mask, masked_crc32c, unmask


@pytest.mark.parametrize(
    ("data", "want"),
    [
        (b"", 0),
        (b"123456789", 0xE3069283),
        (bytes(32), 0x8A9136AA),
        (b"\xff" * 32, 0x62A8AB43),
        (bytes(range(32)), 0x46DD794E),
    ],
)
def test_known_values(data: bytes, want: int) -> None:
    assert crc32c(data) == want


@pytest.mark.parametrize("size", [1, 95, 96, 97, 255, 256, 511, 2047, 2048, 4097, 65535, 65536, 70001, (1 << 18) + 3])
def test_lanes_equal_bytes(size: int) -> None:
    data = np.random.default_rng(size).integers(0, 256, size, dtype=np.uint8)
    slow = module._bytewise(data.tobytes(), 0xFFFFFFFF) ^ 0xFFFFFFFF
    assert crc32c(data) == crc32c(data.tobytes()) == slow
    for cut in (1, size // 3):
        assert crc32c(data[cut:], crc32c(data[:cut])) == slow


def test_more_than_one_block() -> None:
    data = np.random.default_rng(0).integers(0, 256, module._BLOCK + 1000, dtype=np.uint8)
    assert crc32c(data) == crc32c(data[12345:], crc32c(data[:12345]))


def test_mask() -> None:
    for crc in (0, 1, 0xE3069283, 0xFFFFFFFF):
        assert unmask(mask(crc)) == crc
    assert masked_crc32c(b"123456789") == mask(0xE3069283)
