"""Image files are read and written as TensorFlow does; JPEG and GIF by Pillow."""

from __future__ import annotations

import io
import struct
import sys
import zlib
from typing import Any

import numpy as np
import pytest
from PIL import Image

import runstep.kernels.numpy.image_codecs  # noqa: F401
from runstep import errors
from runstep.kernels import png
from runstep.testing import case, check, of, oracle

INVALID = errors.InvalidArgumentError
RANDOM = np.random.RandomState(0)
SMOOTH = np.add.outer(np.arange(13) * 7, np.arange(17) * 5)[..., None] + np.array([0, 40, 90])
RGB = (SMOOTH % 256).astype(np.uint8)
NOISE = RANDOM.randint(0, 256, (9, 7, 4)).astype(np.uint8)
BYTES, WIDE = {"dtype": ["uint8"]}, {"dtype": ["uint16"]}


def file(image: Any, kind: str, **how: Any) -> Any:
    found = io.BytesIO()
    image.save(found, kind, **how)
    return of(found.getvalue())


def written(pixels: Any, mode: str | None = None, kind: str = "PNG", **how: Any) -> Any:
    return file(Image.fromarray(pixels, mode) if mode else Image.fromarray(pixels), kind, **how)


def filtered(kind: int) -> Any:
    """A PNG file all of whose rows have one filter."""
    rows, step = NOISE.reshape(9, 28).astype(np.int64), 4
    left = np.pad(rows, ((0, 0), (step, 0)))[:, :-step]
    up = np.pad(rows, ((1, 0), (0, 0)))[:-1]
    both = np.pad(up, ((0, 0), (step, 0)))[:, :-step]
    guess = left + up - both
    near = np.stack([abs(guess - left), abs(guess - up), abs(guess - both)])
    paeth = np.choose(near.argmin(0), [left, up, both])
    stored = (rows - [0 * rows, left, up, (left + up) // 2, paeth][kind]) % 256
    body = np.pad(stored, ((0, 0), (1, 0)), constant_values=kind).astype(np.uint8).tobytes()
    header = struct.pack(">IIBBBBB", 7, 9, 8, 6, 0, 0, 0)
    chunks = (png._chunk(b"IHDR", header), png._chunk(b"IDAT", zlib.compress(body)), png._chunk(b"IEND", b""))
    return of(b"\x89PNG\r\n\x1a\n" + b"".join(chunks))


def bmp(bits: int, height: int) -> Any:
    channels = bits // 8
    row = -(-7 * channels // 4) * 4
    pixels = RANDOM.randint(0, 256, abs(height) * row).astype(np.uint8).tobytes()
    header = struct.pack("<2sIHHIIiiHHIIiiII", b"BM", 54 + len(pixels), 0, 0, 54, 40, 7, height, 1, bits, *[0] * 6)
    return of(header + pixels)


GRAY, COLOR, ALPHA = written(NOISE[..., 0]), written(NOISE[..., :3]), written(NOISE)
DEEP = written(RANDOM.randint(0, 2**16, (5, 6)).astype(np.uint16))
DEEP_COLOR = of(png.encode(RANDOM.randint(0, 2**16, (5, 6, 3)).astype(np.uint16)))
STILL = file(Image.fromarray(RGB).convert("P"), "GIF")
PALETTE = file(Image.fromarray(NOISE[..., :3]).convert("P", palette=Image.Palette.ADAPTIVE, colors=200), "PNG")
ONE_BIT = file(Image.fromarray(NOISE[..., 0]).convert("1"), "PNG")
GIF = file(
    Image.fromarray(RGB).convert("P"), "GIF", save_all=True, append_images=[Image.fromarray(RGB[::-1]).convert("P")]
)

CASES = [
    *[case("DecodePng", name, types=BYTES) for name in (GRAY, COLOR, ALPHA, PALETTE, ONE_BIT, DEEP)],
    *[case("DecodePng", filtered(kind), types=BYTES) for kind in range(5)],
    *[case("DecodePng", name, channels=k, types=BYTES) for name in (GRAY, ALPHA) for k in (3, 4)],
    *[case("DecodePng", name, types=WIDE) for name in (COLOR, DEEP)],
    *[case("DecodePng", name, channels=1, types={"dtype": ["uint8", "uint16"]}) for name in (ALPHA, DEEP_COLOR)],
    *[case(op, STILL, types=types) for op, types in (("DecodePng", WIDE), ("DecodeJpeg", {}))],
    *[case(op, name) for op, name in (("DecodeJpeg", ALPHA), ("DecodeGif", ALPHA), ("DecodeGif", GRAY))],
    *[case(op, GIF, error=INVALID) for op in ("DecodeJpeg", "DecodeBmp")],
    *[case("DecodeJpeg", name, channels=k, error=INVALID) for name, k in ((COLOR, 2), (written(RGB, kind="JPEG"), 4))],
    case("DecodeBmp", bmp(24, 5), channels=1, error=INVALID),
    case("DecodePng", of(b"\x89PNG"), types=BYTES, error=INVALID),
    case("DecodePng", of(b""), types=BYTES, error=INVALID),
    *[case("DecodeBmp", bmp(bits, height)) for bits in (8, 24, 32) for height in (5, -5)],
    case("DecodeBmp", bmp(24, 5), channels=3),
    case("DecodeBmp", bmp(24, 5), channels=4),
    case("DecodeBmp", bmp(8, 5), channels=3),
    case("DecodeBmp", of(b"BM"), error=INVALID),
    case("DecodeGif", GIF),
    case("DecodeGif", of(b"GIF89a"), error=INVALID),
    case("DecodeImage", COLOR, channels=3, types=BYTES),
    *[case("DecodeImage", name, types={"dtype": ["uint8", "uint16", "float32"]}) for name in (bmp(24, 5), COLOR, GIF)],
    case("DecodeImage", GIF, expand_animations=False, types=BYTES),
    case("DecodeImage", of(b"nothing"), types=BYTES, error=INVALID),
    case("ExtractJpegShape", written(RGB, kind="JPEG")),
    case("ExtractJpegShape", of(b"nothing"), error=INVALID),
    case("DecodeJpeg", of(b"nothing"), error=INVALID),
    case("DecodeAndCropJpeg", of(b"nothing"), of([0, 0, 1, 1]), error=INVALID),
]


@pytest.mark.parametrize("row", CASES, ids=str)
def test_ops(row: Any) -> None:
    check(row)


def run(build: Any) -> tuple[Any, Any]:
    """What `build(tf)` gives in both libraries, ours first."""
    found = []
    for tf in (runstep, oracle.tensorflow().compat.v1):
        with tf.Graph().as_default(), tf.Session() as session:
            found.append(session.run(build(tf)))
    return found[0], found[1]


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_a_written_png_is_read_back_by_tensorflow(kind: Any, channels: int) -> None:
    """The files differ: TensorFlow filters rows first. What they hold is the same. (Op: EncodePng.)"""
    pixels = RANDOM.randint(0, np.iinfo(kind).max, (2, 5, 6, channels)).astype(kind)
    with runstep.Graph().as_default(), runstep.Session() as session:
        files = session.run(runstep.image.encode_png(pixels))
    assert files.shape == (2,)
    real = oracle.tensorflow().compat.v1
    with real.Graph().as_default(), real.Session() as session:
        read = session.run([real.image.decode_png(name, dtype=real.as_dtype(kind)) for name in files])
    np.testing.assert_array_equal(read, pixels)


def test_jpeg_differs_by_rounding_only() -> None:
    """Two decoders of one format: pixels are within a few levels. (Ops: EncodeJpeg, DecodeJpeg, DecodeAndCropJpeg.)"""
    ours, theirs = run(lambda tf: tf.image.encode_jpeg(RGB, quality=92))
    for name in (ours, theirs):
        for decode in (
            lambda tf: tf.image.decode_jpeg(name),  # noqa: B023
            lambda tf: tf.image.decode_jpeg(name, channels=1),  # noqa: B023
            lambda tf: tf.image.decode_and_crop_jpeg(name, [2, 3, 8, 9], channels=3),  # noqa: B023
            lambda tf: tf.image.decode_image(name, channels=3),  # noqa: B023
        ):
            mine, want = run(decode)
            assert mine.shape == want.shape and mine.dtype == want.dtype
            assert abs(mine.astype(int) - want).mean() < 2


def test_without_pillow_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "PIL", None)
    with runstep.Graph().as_default(), runstep.Session() as session:
        with pytest.raises(errors.UnimplementedError, match=r'pip install "runstep\[image\]"'):
            session.run(runstep.image.decode_jpeg(b"\xff\xd8\xff"))
