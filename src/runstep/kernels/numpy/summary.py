"""Summaries as serialized Summary messages."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from runstep import errors
from runstep.graph.dtypes import DType
from runstep.kernels import png
from runstep.kernels.bytestrings import Array, scalar, text_shape
from runstep.kernels.registry import Kernel, Node, numpy_kernel
from runstep.kernels.tensor_content import content_proto


def _invalid(message: str) -> errors.InvalidArgumentError:
    return errors.InvalidArgumentError(None, None, message)


def _summary() -> Any:
    from runstep.protos import summary_pb2  # on first use: protobuf costs tens of milliseconds

    return summary_pb2.Summary()


@numpy_kernel("ScalarSummary")
def scalar_summary(tags: Array, values: Array) -> Array:
    if np.shape(tags) != np.shape(values):
        raise _invalid(
            f"tags and values are not the same shape: {text_shape(np.shape(tags))} != {text_shape(np.shape(values))}"
        )
    summary = _summary()
    for tag, value in zip(np.ravel(tags).tolist(), np.ravel(values).tolist(), strict=True):
        summary.value.add(tag=tag.decode("utf-8", "replace"), simple_value=float(np.float32(value)))
    return scalar(summary.SerializeToString())


@functools.cache
def _limits() -> Array:
    """The buckets' upper limits: a tenth apart from 1e-12 to 1e20 on both sides of zero."""
    positive = []
    limit = 1.0e-12
    while limit < 1.0e20:
        positive.append(limit)
        limit *= 1.1
    most = float(np.finfo(np.float64).max)
    return np.array([-most, *(-limit for limit in reversed(positive)), 0.0, *positive, most])


@numpy_kernel.make("HistogramSummary")
def histogram_summary(node: Node) -> Kernel:
    def kernel(tag: Array, values: Array) -> Array:
        if np.ndim(tag):
            raise _invalid("tags must be scalar")
        summary = _summary()
        histogram_proto(summary, tag.item().decode("utf-8", "replace"), values, node.name)
        return scalar(summary.SerializeToString())

    return kernel


def histogram_proto(summary: Any, tag: str, values: Array, name: str) -> None:
    """Adds how `values` are spread to a Summary; `name` is what the errors call it."""
    flat = np.ravel(values).astype(np.float64)
    if np.isnan(flat).any():
        raise _invalid(f"Nan in summary histogram for: {name}")
    if np.isinf(flat).any():
        raise _invalid(f"Infinity in summary histogram for: {name}")
    _fill(summary.value.add(tag=tag).histo, flat)


def _fill(histogram: Any, values: Array) -> None:
    limits = _limits()
    most = float(limits[-1])
    histogram.min = float(values.min(initial=most))
    histogram.max = float(values.max(initial=-most))
    histogram.num = float(values.size)
    # One after the other, as TensorFlow adds them, so that the last digits agree.
    histogram.sum = float(np.cumsum(values)[-1]) if values.size else 0.0
    histogram.sum_squares = float(np.cumsum(values * values)[-1]) if values.size else 0.0
    counts = np.bincount(np.minimum(np.searchsorted(limits, values, "right"), len(limits) - 1), minlength=len(limits))
    # Of a run of empty buckets only the last is written.
    kept = np.flatnonzero((counts > 0) | np.append(counts[1:] > 0, True))
    histogram.bucket_limit.extend(limits[kept].tolist())
    histogram.bucket.extend(counts[kept].astype(np.float64).tolist())


@numpy_kernel("MergeSummary")
def merge_summary(*inputs: Array) -> Array:
    from google.protobuf.message import DecodeError

    from runstep.protos import summary_pb2

    merged = summary_pb2.Summary()
    seen = set()
    for data in inputs:
        for text in np.ravel(data).tolist():
            try:
                part = summary_pb2.Summary.FromString(text)
            except DecodeError:
                raise _invalid("Could not parse one of the summary inputs. Possibly corrupt?") from None
            for value in part.value:
                if value.tag:
                    if value.tag in seen:
                        raise _invalid(f"Duplicate tag {value.tag} found in summary inputs")
                    seen.add(value.tag)
            merged.MergeFrom(part)
    return scalar(merged.SerializeToString())


@numpy_kernel.make("TensorSummary")
def tensor_summary(node: Node) -> Kernel:
    kind: DType = node.input_types[0]

    def kernel(tensor: Array) -> Array:
        summary = _summary()
        value = summary.value.add(node_name=node.name)
        value.tensor.CopyFrom(content_proto(tensor, kind))
        return scalar(summary.SerializeToString())

    return kernel


@numpy_kernel.make("TensorSummaryV2")
def tensor_summary_v2(node: Node) -> Kernel:
    kind: DType = node.input_types[1]

    def kernel(tag: Array, tensor: Array, metadata: Array) -> Array:
        if np.ndim(tag):
            raise _invalid("tag must be scalar")
        if np.ndim(metadata):
            raise _invalid("serialized_summary_metadata must be scalar")
        summary = _summary()
        tensor_proto(summary, tag.item().decode("utf-8", "replace"), tensor, kind, metadata.item())
        return scalar(summary.SerializeToString())

    return kernel


def tensor_proto(summary: Any, tag: str, tensor: Array, kind: DType, metadata: bytes) -> None:
    """Adds a whole tensor to a Summary, with a SummaryMetadata message beside it."""
    from google.protobuf.message import DecodeError

    value = summary.value.add(tag=tag)
    value.tensor.CopyFrom(content_proto(tensor, kind))
    value.metadata.SetInParent()
    try:
        value.metadata.MergeFromString(metadata)
    except DecodeError:
        value.metadata.Clear()  # TensorFlow takes what cannot be read for nothing
        value.metadata.SetInParent()


@numpy_kernel.make("ImageSummary")
def image_summary(node: Node) -> Kernel:
    most, bad_color = node.attrs["max_images"], np.asarray(node.attrs["bad_color"])

    def kernel(tag: Array, images: Array) -> Array:
        if np.ndim(tag):
            raise _invalid("Tag must be a scalar")
        summary = _summary()
        image_proto(summary, tag.item().decode("utf-8", "replace"), images, most, bad_color)
        return scalar(summary.SerializeToString())

    return kernel


def image_proto(summary: Any, tag: str, images: Array, most: int, bad_color: Array) -> None:
    """Adds the first `most` images of a batch, [batch, height, width, channels], to a Summary."""
    if np.ndim(images) != 4 or images.shape[3] not in (1, 3, 4):
        raise _invalid(f"Tensor must be 4-D with last dim 1, 3, or 4, not {text_shape(np.shape(images))}")
    for index, image in enumerate(images[:most]):
        pixels = image if image.dtype == np.uint8 else _scaled(image, bad_color)
        value = summary.value.add(tag=f"{tag}/image/{index}" if most > 1 else f"{tag}/image")
        value.image.height, value.image.width, value.image.colorspace = image.shape
        value.image.encoded_image_string = png.encode(pixels)


def _scaled(image: Array, bad_color: Array) -> Array:
    """Floats to 0 .. 255: zero stays black, or gray where some are negative; pixels that are not finite get a color."""
    channels = image.shape[2]
    if bad_color.ndim != 1 or len(bad_color) < channels:
        raise _invalid(f"expected depth <= bad_color.size, got depth = {channels}, bad_color.size = {bad_color.size}")
    finite = np.isfinite(image).all(axis=2)
    least, most = np.float32(image[finite].min(initial=0)), np.float32(image[finite].max(initial=0))
    if least < 0:
        largest = max(abs(least), abs(most))
        scale, offset = (np.float32(127) / largest if largest >= 1e-6 else 0), 128
    else:
        scale, offset = (np.float32(255) / most if most >= 1e-6 else 0), 0
    out = np.empty(image.shape, np.uint8)
    out[finite] = (image[finite] * image.dtype.type(scale) + image.dtype.type(offset)).astype(np.uint8)
    out[~finite] = bad_color[:channels]
    return out
