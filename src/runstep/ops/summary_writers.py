"""Summaries that the graph itself writes to event files: op definitions."""

from __future__ import annotations

from runstep.ops.common import nothing, scalar
from runstep.ops.registry import op

_NUMBERS = "float32, float64, int32, uint8, int16, int8, int64, bfloat16, uint16, float16, uint32, uint64"
_TO = "writer: resource, step: int64"

op(
    "SummaryWriter",
    " -> writer: resource",
    "shared_name: string = ''",
    "container: string = ''",
    shape=scalar,
    stateful=True,
)
op(
    "CreateSummaryFileWriter",
    "writer: resource, logdir: string, max_queue: int32, flush_millis: int32, filename_suffix: string -> ",
    shape=nothing,
    stateful=True,
)
for _name in ("FlushSummaryWriter", "CloseSummaryWriter"):
    op(_name, "writer: resource -> ", shape=nothing, stateful=True)
op("ImportEvent", "writer: resource, event: string -> ", shape=nothing, stateful=True)
for _name in ("WriteGraphSummary", "WriteRawProtoSummary"):
    op(_name, f"{_TO}, tensor: string -> ", shape=nothing, stateful=True)
op("WriteScalarSummary", f"{_TO}, tag: string, value: T -> ", "T: realnumbertype", shape=nothing, stateful=True)
op(
    "WriteSummary",
    f"{_TO}, tensor: T, tag: string, summary_metadata: string -> ",
    "T: type",
    shape=nothing,
    stateful=True,
)
op(
    "WriteHistogramSummary",
    f"{_TO}, tag: string, values: T -> ",
    f"T: {{{_NUMBERS}, bool}} = float32",
    shape=nothing,
    stateful=True,
)
op(
    "WriteImageSummary",
    f"{_TO}, tag: string, tensor: T, bad_color: uint8 -> ",
    "max_images: int >= 1 = 3",
    "T: {uint8, float64, float32, float16} = float32",
    shape=nothing,
    stateful=True,
)
op(
    "WriteAudioSummary",
    f"{_TO}, tag: string, tensor: float32, sample_rate: float32 -> ",
    "max_outputs: int >= 1 = 3",
    shape=nothing,
    stateful=True,
)
