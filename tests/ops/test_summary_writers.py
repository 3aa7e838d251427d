"""Summaries that the graph writes: the events in the files are TensorFlow's."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from runstep.io.event_files import read_events
from runstep.ops import registry, summary_writers  # noqa: F401 - its rows are looked up
from runstep.protos.event_pb2 import Event
from runstep.protos.graph_pb2 import GraphDef
from runstep.protos.summary_pb2 import Summary, SummaryMetadata
from runstep.testing.stateful import RunstepApi, TensorFlowApi, agree, outcomes

WRITES = "Scalar Histogram Image Audio Graph RawProto".split()
BY_HAND = dict.fromkeys(
    ["SummaryWriter", "CreateSummaryFileWriter", "FlushSummaryWriter", "CloseSummaryWriter", "ImportEvent",
     "WriteSummary", *(f"Write{kind}Summary" for kind in WRITES)],
    "programs in this file",
)  # fmt: skip
BAD = b"\xff\xff"
COLOR = np.array([255, 0, 0, 255], np.uint8)
RAW = Summary(value=[Summary.Value(tag="raw", simple_value=3)]).SerializeToString()


def compare(folder: Path, program: Any) -> None:
    """Runs `program(api, folder)` on both and compares outcomes, and the events of all files."""
    found = []
    for api in (TensorFlowApi(), RunstepApi()):
        place = folder / api.name
        log = outcomes(api, partial(program, place=str(place)))
        api.session.close()
        events = []
        for path in sorted(place.glob("*")):
            for event in read_events(str(path)):
                event.ClearField("source_metadata")  # which program wrote it
                if event.wall_time > 1000:
                    event.ClearField("wall_time")
                for value in event.summary.value:
                    if value.HasField("image"):
                        assert value.image.encoded_image_string.startswith(b"\x89PNG")
                        value.image.encoded_image_string = b""  # other bytes, the same pixels: test_summary.py
                events.append(event)
        suffixes = [path.name.rpartition(".")[2] for path in sorted(place.glob("*"))]
        found.append((log, [str(event) for event in events], suffixes))
    agree(found[0][0], found[1][0], texts=True)
    assert found[1][1:] == found[0][1:]
    assert len(found[0][1]) > 1


def opened(api: Any, place: str, name: str = "w", most: int = 3, milliseconds: int = 100000) -> Any:
    writer = api.op("SummaryWriter", shared_name=name)
    api.run(api.op("CreateSummaryFileWriter", writer, place, most, milliseconds, ".x"))
    return writer


@pytest.fixture(autouse=True)
def rows_are_there() -> None:
    assert all(registry.get(name) is not None for name in BY_HAND)


def test_numbers_and_tensors(tmp_path: Path) -> None:
    def program(api: Any, place: str) -> None:
        writer = opened(api, place)
        for step, dtype in enumerate(
            "float32 float64 int32 uint8 int8 int16 uint16 uint32 int64 uint64 float16 bfloat16".split()
        ):
            value = api.constant(np.array([3, 100]), dtype)
            api.run(api.op("WriteHistogramSummary", writer, step, dtype, value))
            api.run(api.op("WriteScalarSummary", writer, step, dtype, api.constant(7, dtype)))
        api.run(api.op("WriteScalarSummary", writer, api.hidden([5], "int64"), api.hidden(["t"]), api.hidden([2.5])))
        metadata = SummaryMetadata(display_name="x").SerializeToString()
        for tensor, message in ([[[1.0, 2.0]], b""], [["a"], metadata], [1, BAD], [True, metadata]):
            api.run(api.op("WriteSummary", writer, 3, api.constant(tensor), "tensor", message))
        for values in ([True, False], [1.0, np.nan], [1.0, np.inf]):
            api.run(api.op("WriteHistogramSummary", writer, 4, "h", api.constant(values)))
        api.run(api.op("WriteHistogramSummary", writer, 4, "none", api.constant([], "float64")))

    compare(tmp_path, program)


def test_images_and_sounds(tmp_path: Path) -> None:
    def program(api: Any, place: str) -> None:
        writer = opened(api, place)
        write = "WriteImageSummary"
        for shape, dtype in (((4, 2, 2, 1), "uint8"), ((1, 2, 2, 3), "float16"), ((1, 1, 1, 2), "float32")):
            api.run(api.op(write, writer, 5, "i", api.constant(np.ones(shape), dtype), COLOR))
        pixel = api.constant([[[[np.nan, 0.5, 1]]]], "float64")
        api.run(api.op(write, writer, 5, "i", pixel, COLOR, max_images=1))
        for color in (np.empty(0, np.uint8), COLOR[None]):
            api.run(api.op(write, writer, 5, "i", pixel, color))
        for rate in (8000.0, 0.0):
            api.run(api.op("WriteAudioSummary", writer, 6, "a", np.ones((4, 2), np.float32), rate))

    compare(tmp_path, program)


def test_messages(tmp_path: Path) -> None:
    def program(api: Any, place: str) -> None:
        writer = opened(api, place, most=-1, milliseconds=-1)
        for graph in (GraphDef().SerializeToString(), BAD):
            api.run(api.op("WriteGraphSummary", writer, 7, graph))
        for summaries in (RAW, [RAW, RAW], [RAW, BAD]):
            api.run(api.op("WriteRawProtoSummary", writer, 8, summaries))
        for event in (Event(step=9, wall_time=3, summary=Summary.FromString(RAW)).SerializeToString(), BAD):
            api.run(api.op("ImportEvent", writer, event))

    compare(tmp_path, program)


def test_writers_are_opened_flushed_and_closed(tmp_path: Path) -> None:
    def program(api: Any, place: str) -> None:
        def events() -> None:
            paths = list(Path(place).glob("*"))
            api.log.append(str([len(list(read_events(str(path)))) for path in paths]))

        writer = opened(api, place, most=2)
        api.run(api.op("CreateSummaryFileWriter", writer, place, 3, 1000, ".y"))  # there is one: nothing happens
        write = api.op("WriteScalarSummary", writer, 1, "t", 2.5)
        flush = api.op("FlushSummaryWriter", writer)
        close = api.op("CloseSummaryWriter", writer)
        for node in (write, write, flush, write, write, write, write, close, write, flush, close):
            api.run(node)
            events()
        other = api.op("SummaryWriter", shared_name="other")
        for bad in range(4):
            arguments: list[Any] = [place, np.int32(3), np.int32(1000), ".z"]
            arguments[bad] = [arguments[bad]]
            api.run(api.op("CreateSummaryFileWriter", other, *arguments))
        api.run(api.op("CreateSummaryFileWriter", other, "/proc/none/x", 3, 1000, ""))

    compare(tmp_path, program)
