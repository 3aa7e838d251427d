"""Images out of files and into files: PNG and BMP by hand, JPEG and GIF by Pillow where it is installed."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from typing import Any

import numpy as np

from runstep import errors
from runstep.graph import dtypes, shapes
from runstep.kernels import png
from runstep.kernels.bytestrings import Array, scalar
from runstep.kernels.registry import Kernel, Node, numpy_kernel


def _invalid(message: str) -> errors.InvalidArgumentError:
    return errors.InvalidArgumentError(None, None, message)


def _pillow(what: str) -> Any:
    """Pillow's Image module.

    Raises:
      UnimplementedError: it isn't installed.
    """
    try:
        from PIL import Image
    except ImportError:
        raise errors.UnimplementedError(
            None, None, f'{what} needs Pillow: pip install "runstep[image]". PNG and BMP work without.'
        ) from None
    return Image


def _content(contents: Array) -> bytes:
    if contents.ndim:
        raise _invalid(f"contents must be scalar, got shape {shapes.text(contents.shape)}")
    return bytes(contents.item())


_SIGNATURES = ((b"\x89PNG\r\n\x1a\n", "PNG"), (b"\xff\xd8\xff", "JPEG"), (b"GIF8", "GIF"), (b"BM", "BMP"))


def _format(data: bytes) -> str:
    """Which kind of file it is, whatever the op is called: TensorFlow's, too, read one another's."""
    if not data:
        raise _invalid("Input is empty.")
    for start, kind in _SIGNATURES:
        if data.startswith(start):
            return kind
    raise _invalid("Unknown image file format. One of JPEG, PNG, GIF, BMP required.")


def _checked_channels(node: Node) -> int:
    found = int(node.attrs["channels"])
    if found not in (0, 1, 3, 4):
        raise _invalid(f"`channels` must be 0, 1, 3 or 4 but got {found}")
    return found


# --- reading ----------------------------------------------------------------------------------------------------------


def _png(data: bytes, channels: int, wide: bool) -> Array:
    """The pixels with as many channels as asked for (0: as stored), of uint16 where `wide`, else of uint8."""
    try:
        pixels = png.decode(data)
    except ValueError as error:
        raise _invalid(f"Invalid PNG data, size {len(data)}: {error}") from None
    pixels = _with_channels(pixels, channels)
    if wide and pixels.dtype == np.uint8:
        return pixels.astype(np.uint16) * np.uint16(257)
    return pixels if wide or pixels.dtype == np.uint8 else (pixels >> 8).astype(np.uint8)


def _with_channels(pixels: Array, channels: int) -> Array:
    stored = pixels.shape[2]
    if channels in (0, stored):
        return pixels
    full = np.iinfo(pixels.dtype).max
    color = pixels[..., : stored - 1] if stored in (2, 4) else pixels
    alpha = pixels[..., -1:] if stored in (2, 4) else np.full((*pixels.shape[:2], 1), full, pixels.dtype)
    if channels == 1 and color.shape[2] == 3:
        # The weights of red, green and blue, in 1/32768, as libpng takes them; it rounds 16 bits, and cuts 8.
        red, green, blue = (color[..., index].astype(np.uint32) for index in range(3))
        half = 0 if pixels.dtype == np.uint8 else 1 << 14
        color = ((9797 * red + 19234 * green + 3737 * blue + half) >> 15).astype(pixels.dtype)[..., None]
    elif channels in (3, 4) and color.shape[2] == 1:
        color = np.repeat(color, 3, axis=2)
    return np.concatenate([color, alpha], axis=2) if channels == 4 else color


def _jpeg(data: bytes, channels: int, ratio: int = 1) -> Array:
    if channels == 4:
        raise _invalid("JPEG does not support 4 channels")
    image_module = _pillow("JPEG")
    try:
        image = image_module.open(io.BytesIO(data), formats=["JPEG"])
        wanted = {0: image.mode, 1: "L", 3: "RGB"}[channels]
        width, height = image.size
        image.draft(None if image.mode == "CMYK" else wanted, (-(-width // ratio), -(-height // ratio)))
        image = image.convert("RGB" if wanted == "CMYK" else wanted)
    except OSError as error:
        raise _invalid(f"Invalid JPEG data or crop window, data size {len(data)}: {error}") from None
    pixels = np.asarray(image)
    return pixels[..., None] if pixels.ndim == 2 else pixels


def _gif(data: bytes) -> Array:
    image_module = _pillow("GIF")
    try:
        image = image_module.open(io.BytesIO(data), formats=["GIF"])
        frames = []
        for index in range(image.n_frames):
            image.seek(index)
            frames.append(np.asarray(image.convert("RGB")))
    except OSError as error:
        raise _invalid(f"Invalid GIF data (size {len(data)}), {error}") from None
    return np.stack(frames)


def _bmp(data: bytes, channels: int) -> Array:
    if channels == 1:
        raise _invalid("`channels` must be 0, 3 or 4 for BMP, but got 1")
    if len(data) < 32:
        raise _invalid(f"Incomplete bmp content, requires at least 32 bytes for its header, got {len(data)} bytes")
    (start,) = struct.unpack_from("<I", data, 10)
    width, height = struct.unpack_from("<ii", data, 18)
    (bits,) = struct.unpack_from("<H", data, 28)
    stored = bits // 8
    if stored not in (1, 3, 4) or width <= 0:
        raise _invalid(f"Number of channels inherent in the image must be 1, 3 or 4, was {stored}")
    rows, row = abs(height), -(-width * stored // 4) * 4
    if len(data) < start + row * rows:
        raise _invalid(f"Incomplete bmp content, requires at least {start + row * rows} bytes, got {len(data)} bytes")
    lines = np.frombuffer(data, np.uint8, row * rows, start).reshape(rows, row)[:, : width * stored]
    pixels = lines.reshape(rows, width, stored)
    if height > 0:
        pixels = pixels[::-1]
    if stored >= 3:
        pixels = pixels[..., [2, 1, 0, 3][:stored]]
    return np.ascontiguousarray(_with_channels(pixels, channels))


def _as(pixels: Array, kind: Any) -> Array:
    """Bytes as numbers of a wider kind: the upper bytes of uint16, floats in [0, 1]."""
    if kind is dtypes.uint16 and pixels.dtype == np.uint8:
        return pixels.astype(np.uint16) << np.uint16(8)
    if kind is dtypes.float32:
        return pixels.astype(np.float32) / np.float32(np.iinfo(pixels.dtype).max)
    return pixels


def _frames(data: bytes, channels: int) -> Array:
    if channels not in (0, 3):
        raise _invalid(f"channels must be 0 or 3 for GIF, got {channels}")
    return _gif(data)


@numpy_kernel.make("DecodePng", "DecodeJpeg")
def decode_still(node: Node) -> Kernel:
    """One picture, out of a file of any kind that TensorFlow's op reads."""
    channels, ratio = _checked_channels(node), node.attrs.get("ratio", 1)
    kind = node.output_types[0]

    def kernel(contents: Array) -> Array:
        data = _content(contents)
        found = _format(data)
        if found == "PNG":
            return _png(data, channels, kind is dtypes.uint16)
        if found == "JPEG":
            return _as(_jpeg(data, channels, ratio), kind)
        if found == "BMP":
            why = "Trying to decode BMP format using a wrong op. Use `decode_bmp` or `decode_image` instead."
            raise _invalid(f"{why} Op used: {node.type}")
        frames = _frames(data, channels)
        if len(frames) > 1:
            why = "but animated gifs can only be decoded by tf.io.decode_gif or tf.io.decode_image"
            raise _invalid(f"Got {len(frames)} frames, {why}")
        return _as(frames[0], kind)

    return kernel


@numpy_kernel.make("DecodeAndCropJpeg")
def decode_and_crop_jpeg(node: Node) -> Kernel:
    channels, ratio = node.attrs["channels"], node.attrs["ratio"]

    def kernel(contents: Array, window: Array) -> Array:
        pixels = _jpeg(_content(contents), channels, ratio)
        top, left, height, width = window.tolist()
        if (
            min(top, left) < 0
            or min(height, width) <= 0
            or top + height > len(pixels)
            or left + width > pixels.shape[1]
        ):
            raise _invalid(f"Invalid JPEG data or crop window, data size {len(_content(contents))}")
        return pixels[top : top + height, left : left + width].copy()

    return kernel


@numpy_kernel("DecodeGif")
def decode_gif(contents: Array) -> Array:
    data = _content(contents)
    found = _format(data)
    if found == "BMP":
        why = "Trying to decode BMP format using a wrong op. Use `decode_bmp` or `decode_image` instead."
        raise _invalid(f"{why} Op used: DecodeGif")
    if found == "GIF":
        return _gif(data)
    return (_png(data, 3, False) if found == "PNG" else _jpeg(data, 3))[None]


@numpy_kernel.make("DecodeBmp")
def decode_bmp(node: Node) -> Kernel:
    channels = _checked_channels(node)

    def kernel(contents: Array) -> Array:
        data = _content(contents)
        found = _format(data)
        if found != "BMP":
            why = f"Use `decode_{found.lower()}` or `decode_image` instead."
            raise _invalid(f"Trying to decode {found} format using DecodeBmp op. {why}")
        return _bmp(data, channels)

    return kernel


@numpy_kernel.make("DecodeImage")
def decode_image(node: Node) -> Kernel:
    channels, kind, animated = _checked_channels(node), node.attrs["dtype"], node.attrs["expand_animations"]

    def kernel(contents: Array) -> Array:
        data = _content(contents)
        found = _format(data)
        if found == "PNG":
            return _as(_png(data, channels, kind is not dtypes.uint8), kind)
        if found == "GIF":
            frames = _frames(data, channels)
            return _as(frames if animated else frames[0], kind)
        return _as(_jpeg(data, channels) if found == "JPEG" else _bmp(data, channels), kind)

    return kernel


@numpy_kernel.make("ExtractJpegShape")
def extract_jpeg_shape(node: Node) -> Kernel:
    kind = node.attrs["output_type"].np

    def kernel(contents: Array) -> Array:
        image_module = _pillow("JPEG")
        data = _content(contents)
        try:
            image = image_module.open(io.BytesIO(data), formats=["JPEG"])
        except OSError as error:
            raise _invalid(f"Invalid JPEG data, size {len(data)}: {error}") from None
        return np.array([image.size[1], image.size[0], len(image.getbands())], kind)

    return kernel


# --- writing ----------------------------------------------------------------------------------------------------------


@numpy_kernel.make("EncodePng")
def encode_png(node: Node) -> Kernel:
    compression = node.attrs["compression"]

    def kernel(images: Array) -> Array:
        if images.ndim < 3 or images.shape[-1] not in (1, 2, 3, 4) or not images.size:
            raise _invalid(f"image must be at least rank 3 with 1, 2, 3 or 4 channels, got {shapes.text(images.shape)}")
        files = [png.encode(image, compression) for image in images.reshape(-1, *images.shape[-3:])]
        found = np.empty(len(files), object)
        found[:] = files
        return found.reshape(images.shape[:-3])

    return kernel


@numpy_kernel.make("EncodeJpeg")
def encode_jpeg(node: Node) -> Kernel:
    attrs = node.attrs
    form = {b"": None, b"default": None, b"grayscale": 1, b"rgb": 3}[bytes(attrs["format"])]
    how = {
        "quality": attrs["quality"],
        "progressive": attrs["progressive"],
        "optimize": attrs["optimize_size"],
        "subsampling": 2 if attrs["chroma_downsampling"] else 0,
        "dpi": (attrs["x_density"], attrs["y_density"]),
    }
    return _jpeg_writer(form, how)


def _jpeg_writer(form: int | None, how: dict[str, Any]) -> Callable[[Array], Array]:
    def kernel(image: Array) -> Array:
        channels = image.shape[-1] if image.ndim == 3 else 0
        if channels not in (1, 3) or form not in (None, channels):
            raise _invalid(f"image must be 3-dimensional with 1 or 3 channels, got {shapes.text(image.shape)}")
        file = io.BytesIO()
        pixels = image[..., 0] if channels == 1 else image
        _pillow("JPEG").fromarray(np.ascontiguousarray(pixels)).save(file, "JPEG", **how)
        return scalar(file.getvalue())

    return kernel


@numpy_kernel("EncodeJpegVariableQuality")
def encode_jpeg_variable_quality(image: Array, quality: Array) -> Array:
    if quality.ndim or not 0 <= quality <= 100:
        raise _invalid(f"quality must be a scalar from 0 to 100, got {quality.tolist()}")
    return _jpeg_writer(None, {"quality": int(quality), "subsampling": 2, "dpi": (300, 300)})(image)
