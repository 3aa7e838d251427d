"""Summaries: what a training run reports, as serialized Summary messages. Op definitions and `tf.summary`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from runstep.graph import dtypes
from runstep.graph.apply import apply
from runstep.graph.collections import GraphKeys
from runstep.graph.convert import convert_to_tensor
from runstep.graph.graph import get_default_graph, name_scope
from runstep.graph.tensor import Tensor, TensorLike
from runstep.ops.common import scalar
from runstep.ops.registry import op

__all__ = [
    "audio_summary",
    "histogram_summary",
    "image_summary",
    "merge_all_summaries",
    "merge_summary",
    "scalar_summary",
    "tensor_summary",
    "text_summary",
]


op("ScalarSummary", "tags: string, values: T -> summary: string", "T: realnumbertype", shape=scalar)
op("HistogramSummary", "tag: string, values: T -> summary: string", "T: realnumbertype = float32", shape=scalar)
op("MergeSummary", "inputs: N * string -> summary: string", "N: int >= 1", shape=scalar)
op(
    "TensorSummary",
    "tensor: T -> summary: string",
    "T: type",
    "description: string = ''",
    "labels: list(string) = []",
    "display_name: string = ''",
    shape=scalar,
)
op(
    "TensorSummaryV2",
    "tag: string, tensor: T, serialized_summary_metadata: string -> summary: string",
    "T: type",
    shape=scalar,
)
op(
    "ImageSummary",
    "tag: string, tensor: T -> summary: string",
    "max_images: int >= 1 = 3",
    "T: {uint8, float32, float16, float64} = float32",
    "bad_color: tensor = uint8 [255, 0, 0, 255]",
    shape=scalar,
)
op(
    "AudioSummary",
    "tag: string, tensor: float32 -> summary: string",
    "sample_rate: float",
    "max_outputs: int >= 1 = 3",
    shape=scalar,
)
op(
    "AudioSummaryV2",
    "tag: string, tensor: float32, sample_rate: float32 -> summary: string",
    "max_outputs: int >= 1 = 3",
    shape=scalar,
)


def _clean(name: str) -> str:
    return re.sub(r"[^-/\w\.]", "_", name, flags=re.ASCII).lstrip("/")


@contextmanager
def _scope(name: str, family: str | None, values: Sequence[Any]) -> Iterator[tuple[str, str]]:
    """The tag of a summary and the name of its node, inside of that node's scope."""
    base = _clean(name)
    if family is not None:
        family = _clean(family)
        base = f"{family}/{base}"
    with name_scope(base, None, values) as scope:
        tag = scope.rstrip("/")
        yield (tag if family is None else f"{family}/{tag}"), scope


def _collected(summary: Tensor, collections: Any) -> Tensor:
    keys = [GraphKeys.SUMMARIES] if collections is None else list(collections)
    get_default_graph().add_to_collections(keys, summary)
    return summary


def scalar_summary(name: str, tensor: TensorLike, collections: Any = None, family: str | None = None) -> Tensor:
    """A scalar string tensor: the Summary of one number. Source: `tf.compat.v1.summary.scalar`.

    Args:
      name: the tag, and the name of the node; characters that names cannot have become "_".
      tensor: a real number.
      collections: where to add the result, GraphKeys.SUMMARIES when None.
      family: a prefix of the tag, for display.
    """
    with _scope(name, family, [tensor]) as (tag, scope):
        return _collected(apply("ScalarSummary", tag, tensor, name=scope), collections)


def histogram_summary(name: str, values: TensorLike, collections: Any = None, family: str | None = None) -> Tensor:
    """A scalar string tensor: the Summary of how `values` are spread. Source: `tf.compat.v1.summary.histogram`."""
    with _scope(name, family, [values]) as (tag, scope):
        return _collected(apply("HistogramSummary", tag, values, name=scope), collections)


def image_summary(
    name: str, tensor: TensorLike, max_outputs: int = 3, collections: Any = None, family: str | None = None
) -> Tensor:
    """A scalar string tensor: the Summary of the first `max_outputs` images of a batch, as PNG.

    Source: `tf.compat.v1.summary.image`.

    Args:
      tensor: [batch, height, width, channels], channels 1, 3 or 4; uint8, or floats, which are scaled to 0 .. 255.
    """
    with _scope(name, family, [tensor]) as (tag, scope):
        return _collected(apply("ImageSummary", tag, tensor, max_images=max_outputs, name=scope), collections)


def audio_summary(
    name: str,
    tensor: TensorLike,
    sample_rate: TensorLike,
    max_outputs: int = 3,
    collections: Any = None,
    family: str | None = None,
) -> Tensor:
    """A scalar string tensor: the Summary of the first `max_outputs` sounds of a batch, as WAV.

    Source: `tf.compat.v1.summary.audio`.

    Args:
      tensor: float32 [batch, frames, channels] or [batch, frames] in [-1, 1]. sample_rate: float32, frames a second.
    """
    with _scope(name, family, [tensor]) as (tag, scope):
        rate = convert_to_tensor(sample_rate, dtypes.float32, name="sample_rate")
        return _collected(apply("AudioSummaryV2", tag, tensor, rate, max_outputs=max_outputs, name=scope), collections)


def tensor_summary(
    name: str,
    tensor: TensorLike,
    summary_description: str | None = None,
    collections: Any = None,
    summary_metadata: Any = None,
    family: str | None = None,
    display_name: str | None = None,
) -> Tensor:
    """A scalar string tensor: the Summary of a whole tensor. Source: `tf.compat.v1.summary.tensor_summary`.

    Args:
      summary_metadata: a SummaryMetadata message, which display_name and summary_description are put into.
    """
    from runstep.protos import summary_pb2  # graphs without summaries need no protobuf

    metadata = summary_pb2.SummaryMetadata()
    if summary_metadata is not None:
        metadata.ParseFromString(summary_metadata.SerializeToString())
    if display_name is not None:
        metadata.display_name = display_name
    if summary_description is not None:
        metadata.summary_description = summary_description
    with _scope(name, family, [tensor]) as (tag, scope):
        summary = apply("TensorSummaryV2", tag, tensor, metadata.SerializeToString(), name=scope)
        return _collected(summary, collections)


def text_summary(name: str, tensor: Any, collections: Any = None) -> Tensor:
    """A scalar string tensor: the Summary of text. ValueError if it is no text. Source: `tf.compat.v1.summary.text`."""
    from runstep.protos import summary_pb2

    if tensor.dtype is not dtypes.string:
        raise ValueError(f"Expected tensor {tensor.name} to have dtype string, got {tensor.dtype}")
    metadata = summary_pb2.SummaryMetadata()
    metadata.plugin_data.plugin_name = "text"
    return tensor_summary(name, tensor, summary_metadata=metadata, collections=collections)


def merge_summary(inputs: Any, collections: Any = None, name: str | None = None) -> Tensor:
    """A scalar string tensor: one Summary of all values of several. Source: `tf.compat.v1.summary.merge`."""
    with name_scope(name, "Merge", inputs):
        summary: Tensor = apply("MergeSummary", list(inputs), name=name)
        get_default_graph().add_to_collections([] if collections is None else list(collections), summary)
    return summary


def merge_all_summaries(
    key: str = GraphKeys.SUMMARIES, scope: str | None = None, name: str | None = None
) -> Tensor | None:
    """The merge of all summaries of the graph, None when there are none. Source: `tf.compat.v1.summary.merge_all`."""
    found = get_default_graph().get_collection(key, scope)
    return merge_summary(found, name=name) if found else None
