"""Images out of files and into files. Op definitions and the `tf.image.*` functions."""

from __future__ import annotations

from typing import Any

from runstep.graph import dtypes, shapes
from runstep.graph.apply import apply
from runstep.graph.convert import convert_to_tensor
from runstep.graph.graph import name_scope
from runstep.graph.tensor import Tensor, TensorLike
from runstep.ops.common import Shapes
from runstep.ops.comparison import equal
from runstep.ops.registry import op
from runstep.ops.strings import substr

__all__ = [
    "decode_and_crop_jpeg",
    "decode_bmp",
    "decode_gif",
    "decode_image",
    "decode_jpeg",
    "decode_png",
    "encode_jpeg",
    "encode_png",
    "extract_jpeg_shape",
    "is_jpeg",
]


def _of_contents(op: Any) -> None:
    shapes.with_rank(op.inputs[0].raw_shape, 0)


def _image(op: Any) -> Shapes:
    _of_contents(op)
    channels = op.attrs["channels"]
    if channels < 0:
        raise ValueError(f"channels must be non-negative, got {channels}")
    return [(None, None, channels or None)]


def _cropped(op: Any) -> Shapes:
    _of_contents(op)
    window = op.constant(1)
    height, width = (None, None) if window is None else (int(window[2]), int(window[3]))
    return [(height, width, op.attrs["channels"] or None)]


def _frames(op: Any) -> Shapes:
    _of_contents(op)
    return [(None, None, None, 3)]


def _any_image(op: Any) -> Shapes:
    _of_contents(op)
    if op.attrs["channels"] == 0 and op.attrs["expand_animations"]:
        return [None]
    return [None if op.attrs["expand_animations"] else (None, None, op.attrs["channels"] or None)]


def _three(op: Any) -> Shapes:
    _of_contents(op)
    return [(3,)]


def _file(op: Any) -> Shapes:
    shapes.with_rank(op.inputs[0].raw_shape, 3)
    return [()]


def _file_of_quality(op: Any) -> Shapes:
    shapes.with_rank(op.inputs[1].raw_shape, 0)
    return _file(op)


def _files(op: Any) -> Shapes:
    shape = shapes.with_rank_at_least(op.inputs[0].raw_shape, 3)
    return [None if shape is None else shape[:-3]]


_JPEG = (
    "channels: int = 0",
    "ratio: int = 1",
    "fancy_upscaling: bool = true",
    "try_recover_truncated: bool = false",
    "acceptable_fraction: float = 1.0",
    "dct_method: string = ''",
)
op(
    "DecodePng",
    "contents: string -> image: dtype",
    "channels: int = 0",
    "dtype: {uint8, uint16} = uint8",
    shape=_image,
)
op("DecodeJpeg", "contents: string -> image: uint8", *_JPEG, shape=_image)
op("DecodeAndCropJpeg", "contents: string, crop_window: int32 -> image: uint8", *_JPEG, shape=_cropped)
op("DecodeBmp", "contents: string -> image: uint8", "channels: int = 0", shape=_image)
op("DecodeGif", "contents: string -> image: uint8", shape=_frames)
op(
    "DecodeImage",
    "contents: string -> image: dtype",
    "channels: int = 0",
    "dtype: {uint8, uint16, float32} = uint8",
    "expand_animations: bool = true",
    shape=_any_image,
)
op(
    "ExtractJpegShape",
    "contents: string -> image_shape: output_type",
    "output_type: {int32, int64} = int32",
    shape=_three,
)
op(
    "EncodePng",
    "image: T -> contents: string",
    "compression: int = -1",
    "T: {uint8, uint16} = uint8",
    shape=_files,
)
op(
    "EncodeJpeg",
    "image: uint8 -> contents: string",
    "format: {'', 'grayscale', 'rgb'} = ''",
    "quality: int = 95",
    "progressive: bool = false",
    "optimize_size: bool = false",
    "chroma_downsampling: bool = true",
    "density_unit: {'in', 'cm'} = 'in'",
    "x_density: int = 300",
    "y_density: int = 300",
    "xmp_metadata: string = ''",
    shape=_file,
)
op("EncodeJpegVariableQuality", "images: uint8, quality: int32 -> contents: string", shape=_file_of_quality)


def decode_png(contents: TensorLike, channels: int = 0, dtype: Any = dtypes.uint8, name: str | None = None) -> Tensor:
    """The pixels of a PNG file, `[height, width, channels]`. Source: `tf.image.decode_png`.

    Args:
      channels: 0 as in the file; 1 gray, 3 RGB, 4 RGBA. dtype: uint8 or uint16.
    """
    return apply("DecodePng", contents, channels=channels, dtype=dtype, name=name)


def decode_jpeg(
    contents: TensorLike,
    channels: int = 0,
    ratio: int = 1,
    fancy_upscaling: bool = True,
    try_recover_truncated: bool = False,
    acceptable_fraction: float = 1,
    dct_method: str = "",
    name: str | None = None,
) -> Tensor:
    """The pixels of a JPEG file, `[height, width, channels]` of uint8; needs Pillow (`runstep[image]`).
    Source: `tf.image.decode_jpeg`.

    Args:
      channels: 0 as in the file; 1 gray, 3 RGB. ratio: 1, 2, 4 or 8 times smaller.
    """
    return apply(
        "DecodeJpeg",
        contents,
        channels=channels,
        ratio=ratio,
        fancy_upscaling=fancy_upscaling,
        try_recover_truncated=try_recover_truncated,
        acceptable_fraction=acceptable_fraction,
        dct_method=dct_method,
        name=name,
    )


def decode_and_crop_jpeg(
    contents: TensorLike,
    crop_window: TensorLike,
    channels: int = 0,
    ratio: int = 1,
    fancy_upscaling: bool = True,
    try_recover_truncated: bool = False,
    acceptable_fraction: float = 1,
    dct_method: str = "",
    name: str | None = None,
) -> Tensor:
    """`decode_jpeg`, of the window `[top, left, height, width]`. Source: `tf.image.decode_and_crop_jpeg`."""
    return apply(
        "DecodeAndCropJpeg",
        contents,
        crop_window,
        channels=channels,
        ratio=ratio,
        fancy_upscaling=fancy_upscaling,
        try_recover_truncated=try_recover_truncated,
        acceptable_fraction=acceptable_fraction,
        dct_method=dct_method,
        name=name,
    )


def decode_bmp(contents: TensorLike, channels: int = 0, name: str | None = None) -> Tensor:
    """The pixels of a BMP file, `[height, width, channels]` of uint8. Source: `tf.image.decode_bmp`."""
    return apply("DecodeBmp", contents, channels=channels, name=name)


def decode_gif(contents: TensorLike, name: str | None = None) -> Tensor:
    """The frames of a GIF file, `[frames, height, width, 3]` of uint8; needs Pillow (`runstep[image]`).
    Source: `tf.image.decode_gif`."""
    return apply("DecodeGif", contents, name=name)


def decode_image(
    contents: TensorLike,
    channels: int | None = None,
    dtype: Any = dtypes.uint8,
    name: str | None = None,
    expand_animations: bool = True,
) -> Tensor:
    """The pixels of a PNG, JPEG, GIF or BMP file; a GIF has one axis more, but for `expand_animations=False`.
    Source: `tf.image.decode_image`.

    Args:
      dtype: uint8, uint16, or float32 for pixels in [0, 1].
    """
    with name_scope(name, "decode_image"):
        return apply(
            "DecodeImage",
            contents,
            channels=0 if channels is None else channels,
            dtype=dtypes.as_dtype(dtype),
            expand_animations=expand_animations,
        )


def extract_jpeg_shape(contents: TensorLike, output_type: Any = dtypes.int32, name: str | None = None) -> Tensor:
    """`[height, width, channels]` of a JPEG file; needs Pillow (`runstep[image]`).
    Source: `tf.image.extract_jpeg_shape`."""
    return apply("ExtractJpegShape", contents, output_type=output_type, name=name)


def is_jpeg(contents: TensorLike, name: str | None = None) -> Tensor:
    """Whether a file begins as a JPEG file does. Source: `tf.image.is_jpeg`."""
    with name_scope(name, "is_jpeg"):
        return equal(substr(contents, 0, 3), b"\xff\xd8\xff", name=name)


def encode_png(image: TensorLike, compression: int = -1, name: str | None = None) -> Tensor:
    """PNG files of `[..., height, width, channels]` of uint8 or uint16. Source: `tf.image.encode_png`."""
    return apply("EncodePng", convert_to_tensor(image), compression=compression, name=name)


def encode_jpeg(
    image: TensorLike,
    format: str = "",
    quality: int = 95,
    progressive: bool = False,
    optimize_size: bool = False,
    chroma_downsampling: bool = True,
    density_unit: str = "in",
    x_density: int = 300,
    y_density: int = 300,
    xmp_metadata: str = "",
    name: str | None = None,
) -> Tensor:
    """A JPEG file of `[height, width, channels]` of uint8; needs Pillow (`runstep[image]`).
    Source: `tf.image.encode_jpeg`."""
    return apply(
        "EncodeJpeg",
        image,
        format=format,
        quality=quality,
        progressive=progressive,
        optimize_size=optimize_size,
        chroma_downsampling=chroma_downsampling,
        density_unit=density_unit,
        x_density=x_density,
        y_density=y_density,
        xmp_metadata=xmp_metadata,
        name=name,
    )
