"""Kernels that write summaries to event files (source: SummaryWriterInterface)."""

from __future__ import annotations

import threading
import time
from typing import Any

import ml_dtypes
import numpy as np

from runstep import errors
from runstep.graph.dtypes import DType
from runstep.io.event_files import EventsWriter
from runstep.kernels.bytestrings import Array
from runstep.kernels.numpy.audio import audio_proto
from runstep.kernels.numpy.summary import histogram_proto, image_proto, tensor_proto
from runstep.kernels.registry import Kernel, Node, numpy_kernel
from runstep.kernels.resources import ResourceHandle, resource_name, resource_of
from runstep.kernels.shared import invalid

_WRITER = "tensorflow::SummaryWriterInterface"


class SummaryFileWriter:
    """An event file, and events that are not in it yet. Safe to use from several threads.

    Args:
      folder, suffix: as of EventsWriter.
      most: events that may wait; `seconds`: how long.
    """

    def __init__(self, folder: str, suffix: str, most: int, seconds: float) -> None:
        self._file = EventsWriter(folder, suffix)
        self._most = max(most, 0)
        self._seconds = seconds
        self._lock = threading.Lock()
        self._waiting: list[Any] = []
        self._flushed = time.monotonic()

    def write(self, event: Any) -> None:
        """Adds an `Event`."""
        with self._lock:
            self._waiting.append(event)
            late = time.monotonic() - self._flushed > self._seconds
            if late or len(self._waiting) > self._most:
                self._flush()

    def _flush(self) -> None:
        for event in self._waiting:
            self._file.write(event)
        self._waiting.clear()
        self._file.flush()
        self._flushed = time.monotonic()

    def flush(self) -> None:
        """Puts all events into the file."""
        with self._lock:
            self._flush()

    def __del__(self) -> None:
        if hasattr(self, "_flushed"):  # else the file could not be opened
            self._flush()
            self._file.close()


def _writer(handle: Any) -> SummaryFileWriter:
    found: SummaryFileWriter = resource_of(handle, _WRITER)
    return found


def _first(value: Any) -> Any:
    """What is taken for a scalar: TensorFlow does not look at the shape."""
    return np.reshape(value, -1)[0]


def _tag(value: Array) -> str:
    text: bytes = _first(value)
    return text.decode("utf-8", "replace")


def _message(name: str) -> Any:
    from runstep.protos import event_pb2, graph_pb2, summary_pb2  # on first use: protobuf costs tens of milliseconds

    return {"Event": event_pb2.Event, "Summary": summary_pb2.Summary, "GraphDef": graph_pb2.GraphDef}[name]()


def _parsed(name: str, data: bytes, where: str = "") -> Any:
    from google.protobuf.message import DecodeError

    message = _message(name)
    try:
        message.ParseFromString(data)
    except DecodeError:
        known = {"Summary": "tf.compat.v1.Summary"}.get(name, f"tf.{name}")
        raise errors.DataLossError(None, None, f"Bad {known} binary proto tensor string{where}") from None
    return message


def _write(handle: Any, step: Any, **content: Any) -> None:
    event = _message("Event").__class__(wall_time=time.time(), step=int(_first(step)), **content)
    _writer(handle).write(event)


@numpy_kernel.make("SummaryWriter")
def summary_writer(node: Node) -> Kernel:
    container, name = resource_name(node)
    handle: ResourceHandle = node.resources.handle(container, _WRITER, name)
    return lambda: handle


@numpy_kernel.make("CreateSummaryFileWriter")
def create_summary_file_writer(node: Node) -> Kernel:
    resources = node.resources

    def kernel(handle: Any, folder: Array, most: Any, milliseconds: Any, suffix: Array) -> None:
        parts = {"logdir": folder, "max_queue": most, "flush_millis": milliseconds, "filename_suffix": suffix}
        for name, part in parts.items():
            if part.ndim:
                raise invalid(f"{name} must be a scalar")
        resources.fill(
            handle.entry,
            lambda: SummaryFileWriter(
                folder.item().decode(), suffix.item().decode(), int(most), float(milliseconds) / 1000
            ),
        )

    return kernel


@numpy_kernel("FlushSummaryWriter")
def flush_summary_writer(handle: Any) -> None:
    _writer(handle).flush()


@numpy_kernel.make("CloseSummaryWriter")
def close_summary_writer(node: Node) -> Kernel:
    resources = node.resources

    def kernel(handle: Any) -> None:
        _writer(handle).flush()
        resources.delete(handle.entry)

    return kernel


@numpy_kernel("ImportEvent")
def import_event(handle: Any, event: Array) -> None:
    _writer(handle).write(_parsed("Event", _first(event)))


@numpy_kernel("WriteGraphSummary")
def write_graph_summary(handle: Any, step: Any, graph: Array) -> None:
    data = _first(graph)
    _parsed("GraphDef", data)
    _write(handle, step, graph_def=data)


@numpy_kernel("WriteRawProtoSummary")
def write_raw_proto_summary(handle: Any, step: Any, summaries: Array) -> None:
    merged = _message("Summary")
    for index, data in enumerate(np.ravel(summaries).tolist()):
        merged.MergeFrom(_parsed("Summary", data, f" at index {index}"))
    _write(handle, step, summary=merged)


def _refuse_bfloat16(values: Any) -> None:
    if values.dtype == ml_dtypes.bfloat16:
        raise errors.UnimplementedError(None, None, "SummaryFileWriter bfloat16 not supported.")


@numpy_kernel("WriteScalarSummary")
def write_scalar_summary(handle: Any, step: Any, tag: Array, value: Any) -> None:
    _refuse_bfloat16(value)
    summary = _message("Summary")
    summary.value.add(tag=_tag(tag), simple_value=float(np.float32(_first(value))))
    _write(handle, step, summary=summary)


@numpy_kernel.make("WriteSummary")
def write_summary(node: Node) -> Kernel:
    kind: DType = node.attrs["T"]

    def kernel(handle: Any, step: Any, tensor: Any, tag: Array, metadata: Array) -> None:
        summary = _message("Summary")
        tensor_proto(summary, _tag(tag), tensor, kind, _first(metadata))
        if not _first(metadata):
            summary.value[0].ClearField("metadata")
        _write(handle, step, summary=summary)

    return kernel


@numpy_kernel("WriteHistogramSummary")
def write_histogram_summary(handle: Any, step: Any, tag: Array, values: Array) -> None:
    _refuse_bfloat16(values)
    summary = _message("Summary")
    histogram_proto(summary, _tag(tag), values, _tag(tag))
    _write(handle, step, summary=summary)


@numpy_kernel.make("WriteImageSummary")
def write_image_summary(node: Node) -> Kernel:
    most = node.attrs["max_images"]

    def kernel(handle: Any, step: Any, tag: Array, images: Array, bad_color: Array) -> None:
        if bad_color.ndim != 1:
            raise invalid(f"bad_color must be a vector, got shape [{','.join(map(str, bad_color.shape))}]")
        summary = _message("Summary")
        image_proto(summary, _tag(tag), images, most, bad_color)
        _write(handle, step, summary=summary)

    return kernel


@numpy_kernel.make("WriteAudioSummary")
def write_audio_summary(node: Node) -> Kernel:
    most = node.attrs["max_outputs"]

    def kernel(handle: Any, step: Any, tag: Array, sound: Array, sample_rate: Any) -> None:
        summary = _message("Summary")
        audio_proto(summary, _tag(tag), sound, float(_first(sample_rate)), most)
        _write(handle, step, summary=summary)

    return kernel
