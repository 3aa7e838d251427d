"""`tf.summary`: summaries (source: tf.compat.v1.summary)."""

from runstep.ops.summary import (
    audio_summary as audio,
    histogram_summary as histogram,
    image_summary as image,
    merge_all_summaries as merge_all,
    merge_summary as merge,
    scalar_summary as scalar,
    tensor_summary,
    text_summary as text,
)
from runstep.protos.event_pb2 import Event, SessionLog, TaggedRunMetadata
from runstep.protos.summary_pb2 import Summary, SummaryDescription
from runstep.train.summary_io import FileWriter, FileWriterCache

__all__ = [
    "Event",
    "FileWriter",
    "FileWriterCache",
    "SessionLog",
    "Summary",
    "SummaryDescription",
    "TaggedRunMetadata",
    "audio",
    "histogram",
    "image",
    "merge",
    "merge_all",
    "scalar",
    "tensor_summary",
    "text",
]
