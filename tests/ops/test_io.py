"""Files and readers: values and texts against TensorFlow, and who waits for the queue."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from runstep import errors
from runstep.graph import dtypes
from runstep.graph.apply import apply
from runstep.io.inflating import Inflating
from runstep.io.tfrecord import RecordReader, frame, write_records
from runstep.ops import data_flow, io
from runstep.protos import reader_base_pb2
from runstep.testing import oracle
from runstep.testing.bench import Bench, compare
from runstep.testing.building import compare_graphs

S, L = "string", "int64"


@pytest.fixture
def bench() -> Iterator[Bench]:
    bench = Bench()
    with bench.graph.as_default():
        yield bench


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "lines").write_bytes(b"h\na\nb\r\n\nlast")
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "more").write_bytes(b"x\ny\n")
    (tmp_path / "fixed").write_bytes(b"HH" + b"abcdefgh" + b"FFF")
    (tmp_path / "fixed.z").write_bytes(zlib.compress(b"HH" + b"abcdefgh" + b"FFF"))
    (tmp_path / "fixed.gz").write_bytes(gzip.compress(b"HH" + b"abcdefgh" + b"FFF"))
    for name, compression in (("records", ""), ("records.z", "ZLIB"), ("records.gz", "GZIP")):
        with (tmp_path / name).open("wb") as file:
            write_records(file, [b"one", b"", b"three" * 1000], compression)
    records, packed = ((tmp_path / name).read_bytes() for name in ("records", "records.gz"))
    (tmp_path / "records.cut").write_bytes(records[:-5])
    (tmp_path / "records.short").write_bytes(records[: 19 + 16 + 7])
    (tmp_path / "records.bad").write_bytes(records[:13] + b"?" + records[14:])
    (tmp_path / "records.cut.gz").write_bytes(packed[:-20])
    (tmp_path / "twice.gz").write_bytes(packed + packed)
    (tmp_path / "cut.gz").write_bytes(gzip.compress(b"abcdefgh")[:-4])
    return tmp_path


FIXED = {"header_bytes": 2, "record_bytes": 3, "footer_bytes": 3}
READS: list[tuple[str, dict[str, Any], list[Any], int, int | None]] = [
    ("TextLineReaderV2", {}, ["lines", "empty", "more"], 8, None),
    ("TextLineReaderV2", {"skip_header_lines": 1}, ["lines", "empty", "more"], 6, None),
    ("TextLineReaderV2", {}, ["lines", "more"], 5, 2),
    ("TextLineReaderV2", {}, ["lines", "more"], 3, 100),
    ("TextLineReaderV2", {}, ["none", "more"], 4, None),
    ("WholeFileReaderV2", {}, ["more", "empty"], 3, None),
    ("WholeFileReaderV2", {}, ["more", "empty"], 3, 5),
    ("WholeFileReaderV2", {}, ["none", "more"], 2, None),
    ("IdentityReaderV2", {}, ["a", "b"], 3, None),
    ("IdentityReaderV2", {}, ["a", "b", "c"], 4, 2),
    ("FixedLengthRecordReaderV2", FIXED, ["fixed", "fixed"], 5, None),
    ("FixedLengthRecordReaderV2", {**FIXED, "record_bytes": 4, "hop_bytes": 2}, ["fixed"], 4, None),
    ("FixedLengthRecordReaderV2", {**FIXED, "encoding": "ZLIB"}, ["fixed.z"], 3, None),
    ("FixedLengthRecordReaderV2", {**FIXED, "encoding": "GZIP"}, ["fixed.gz"], 3, 5),
    ("FixedLengthRecordReaderV2", FIXED, ["empty", "fixed"], 3, None),
    ("FixedLengthRecordReaderV2", {**FIXED, "encoding": "GZIP"}, ["lines", "fixed.gz"], 4, None),
    ("FixedLengthRecordReaderV2", {"record_bytes": 3, "encoding": "ZLIB"}, ["lines", "fixed.z"], 2, None),
    ("FixedLengthRecordReaderV2", {"record_bytes": 3, "encoding": "GZIP"}, ["cut.gz", "fixed.gz"], 5, None),
    ("TFRecordReaderV2", {}, ["records.cut", "more"], 3, None),
    ("TFRecordReaderV2", {}, ["records.short", "records"], 4, None),
    ("TFRecordReaderV2", {}, ["records.bad", "records"], 3, None),
    ("TFRecordReaderV2", {"compression_type": "GZIP"}, ["records.cut.gz", "records.gz"], 3, None),
    ("TFRecordReaderV2", {"compression_type": "GZIP"}, ["twice.gz", "lines"], 6, None),
    ("IdentityReaderV2", {}, [b"\xff\0"], 1, None),
    ("TFRecordReaderV2", {}, ["records", "lines"], 5, None),
    ("TFRecordReaderV2", {}, ["records", "empty", "records"], 4, 2),
    ("TFRecordReaderV2", {"compression_type": "ZLIB"}, ["records.z"], 4, None),
    ("TFRecordReaderV2", {"compression_type": "GZIP"}, ["records.gz"], 3, 2),
]


@pytest.mark.parametrize("dtype", ["float32", "int8", "string"])
@pytest.mark.parametrize(("path", "shape"), [("constant", [2, 3]), ("constant", []), ("constant", [9, 9]), ("no", [2])])
def test_constants_of_files(path: str, shape: list[int], dtype: str, folder: Path) -> None:
    Path("constant").write_bytes(np.arange(6, dtype=np.float32).tobytes())

    def program(api: Any) -> None:
        api.run(api.op("ImmutableConst", dtype=dtype, shape=shape, memory_region_name=path))

    compare(program)


@pytest.mark.parametrize("row", READS, ids=lambda row: f"{row[0]} {row[1]} {row[2]} {row[4]}")
def test_reading_against_tensorflow(row: Any, folder: Path) -> None:
    kind, attrs, files, times, up_to = row

    def program(api: Any) -> None:
        reader = api.op(kind, shared_name="r", **attrs)
        queue = api.op("FIFOQueueV2", component_types=[S], shapes=[[]], shared_name="q")
        api.run(api.op("QueueEnqueueManyV2", queue, [api.hidden(files, S)]))
        api.run(api.op("QueueCloseV2", queue))
        if up_to is None:
            made = api.op("ReaderReadV2", reader, queue)
        else:
            made = api.op("ReaderReadUpToV2", reader, queue, api.hidden(up_to, L))
        for _ in range(times):
            api.run(list(made))
        api.run(api.op("ReaderNumRecordsProducedV2", reader))
        if "Fixed" not in kind:  # TensorFlow counts a file that ended with its last record twice or not at all
            api.run(api.op("ReaderNumWorkUnitsCompletedV2", reader))

    compare(program)


@pytest.mark.parametrize("kind", ["IdentityReaderV2", "WholeFileReaderV2", "TextLineReaderV2"])
def test_state(kind: str, folder: Path) -> None:
    def program(api: Any) -> None:
        reader = api.op(kind, shared_name="r")
        queue = api.op("FIFOQueueV2", component_types=[S], shapes=[[]], shared_name="q")
        api.run(api.op("QueueEnqueueManyV2", queue, [api.hidden(["lines", "more", "lines"], S)]))
        read = api.op("ReaderReadV2", reader, queue)
        api.run(list(read))
        api.run(list(read))
        state = api.run(api.op("ReaderSerializeStateV2", reader))
        api.run(api.op("ReaderResetV2", reader))
        api.run(api.op("ReaderNumRecordsProducedV2", reader))
        api.run(api.op("ReaderRestoreStateV2", reader, api.hidden("junk")))
        for begun, ended, produced in ((1, 0, 0), (1, 1, -1), (1, 1, 7), (1, 2, 0)):
            odd = reader_base_pb2.ReaderBaseState(
                work_started=begun, work_finished=ended, num_records_produced=produced, current_work=b"w"
            )
            api.run(api.op("ReaderRestoreStateV2", reader, api.hidden(odd.SerializeToString(), S)))
            api.run(api.op("ReaderSerializeStateV2", reader))
        if state is not None:
            api.run(api.op("ReaderRestoreStateV2", reader, api.hidden(state, S)))
            api.run(api.op("ReaderNumRecordsProducedV2", reader))
            api.run(api.op("ReaderNumWorkUnitsCompletedV2", reader))
            api.run(api.op("ReaderRestoreStateV2", reader, api.hidden([state], S)))
            api.run(api.op("ReaderSerializeStateV2", reader))

    compare(program, texts=False)  # TensorFlow's have a line of its proto library's in the middle


def test_wrong_use(folder: Path) -> None:
    def program(api: Any) -> None:
        numbers = api.op("FIFOQueueV2", component_types=["int32"], shapes=[[]], shared_name="q")
        api.run(api.op("QueueEnqueueV2", numbers, [api.hidden(1)]))
        reader = api.op("TextLineReaderV2", shared_name="r")
        api.run(list(api.op("ReaderReadV2", reader, numbers)))
        pairs = api.op("FIFOQueueV2", component_types=[S, S], shapes=[[], []], shared_name="p")
        api.run(api.op("QueueEnqueueV2", pairs, [api.hidden("a"), api.hidden("b")]))
        api.run(list(api.op("ReaderReadV2", reader, pairs)))
        api.build("ReaderReadUpToV2", reader, pairs, api.constant([2], L))
        for attrs in ({"record_bytes": 1, "header_bytes": -1}, {"record_bytes": 1, "footer_bytes": -1}):
            api.run(api.op("ReaderNumRecordsProducedV2", api.op("FixedLengthRecordReaderV2", **attrs)))
        api.build("ReaderRestoreStateV2", reader, api.constant(["a"]))

    compare(program)


def test_read_waits_for_the_queue_one_after_the_other(bench: Bench, folder: Path) -> None:
    queue, reader = data_flow.FIFOQueue(9, [dtypes.string], [()]), io.TextLineReader()
    first, second = (bench.start(reader.read(queue)[1]) for _ in range(2))
    assert "no enqueue pending" in first.waiter.reason and "is read by another step" in second.waiter.reason  # type: ignore[union-attr]
    bench.run(queue.enqueue("more"))
    assert first.woken and not second.woken
    assert first.resume()[1].item() == b"x"
    assert second.resume()[1].item() == b"y"


def test_cancelled_read_lets_the_next_one_in(bench: Bench, folder: Path) -> None:
    queue, reader = data_flow.FIFOQueue(9, [dtypes.string], [()]), io.IdentityReader()
    first, second, third = (bench.start(reader.read(queue)[1]) for _ in range(3))
    cancelled = errors.CancelledError(None, None, "")
    second.cancel(cancelled)
    first.cancel(cancelled)
    bench.run(queue.enqueue("a"))
    with pytest.raises(AssertionError, match="still waits"):  # it has its turn and now waits for the queue's wake-up
        third.result()
    assert third.resume()[1].item() == b"a"


def test_first_generation(bench: Bench, folder: Path) -> None:
    queue = apply("FIFOQueue", component_types=[dtypes.string], shapes=[()])
    bench.run(apply("QueueEnqueueMany", queue, [["more", "more"]]))
    for kind in ("TextLineReader", "WholeFileReader", "TFRecordReader", "IdentityReader", "FixedLengthRecordReader"):
        more = {"record_bytes": 1} if kind.startswith("Fixed") else {}
        reader = apply(kind, **more)  # type: ignore[arg-type]
        assert bench.run(reader)[0] == b"localhost"
        assert bench.run(apply("ReaderNumRecordsProduced", reader)) == 0
        assert bench.run(apply("ReaderNumWorkUnitsCompleted", reader)) == 0
        bench.run(apply("ReaderReset", reader))
    reader = apply("IdentityReader")
    assert bench.run(apply("ReaderRead", reader, queue)[0]) == b"more"
    assert bench.run(apply("ReaderReadUpTo", reader, queue, 3)[0]).tolist() == [b"more"]
    state = bench.run(apply("ReaderSerializeState", reader))
    bench.run(apply("ReaderRestoreState", reader, np.array(state, object)))


def test_record_of_no_bytes_is_refused(bench: Bench) -> None:
    # TensorFlow gives empty records without end.
    with pytest.raises(errors.InvalidArgumentError, match="record_bytes must be > 0"):
        bench.run(io.FixedLengthRecordReader(0).num_records_produced())


# --- TFRecord files -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("compression", ["", "ZLIB", "GZIP"])
def test_records_both_ways(compression: str, tmp_path: Path) -> None:
    tf = oracle.tensorflow()
    records = [b"one", b"", b"x" * 100_000]
    with tf.io.TFRecordWriter(str(tmp_path / "theirs"), tf.io.TFRecordOptions(compression)) as writer:
        for record in records:
            writer.write(record)
    with (tmp_path / "ours").open("wb") as file:
        write_records(file, records, compression)
    with (tmp_path / "theirs").open("rb") as file:
        assert list(RecordReader(file, compression)) == records
    found = tf.compat.v1.io.tf_record_iterator(str(tmp_path / "ours"), tf.io.TFRecordOptions(compression))
    assert list(found) == records
    if not compression:
        assert (tmp_path / "ours").read_bytes() == (tmp_path / "theirs").read_bytes()


def test_damaged_records() -> None:
    import io as std_io

    whole = frame(b"hello") + frame(b"world")
    for place in range(len(whole)):
        broken = bytearray(whole)
        broken[place] ^= 1
        with pytest.raises(errors.DataLossError):
            list(RecordReader(std_io.BytesIO(bytes(broken))))
    for place in range(12):
        assert list(RecordReader(std_io.BytesIO(whole[: 21 + place]))) == [b"hello"]
    with pytest.raises(errors.DataLossError, match="truncated record at 21"):
        list(RecordReader(std_io.BytesIO(whole[:-1])))
    with pytest.raises(errors.DataLossError):
        list(RecordReader(std_io.BytesIO(b"no zlib"), "ZLIB"))
    with pytest.raises(errors.DataLossError, match="incorrect header check"):
        list(RecordReader(std_io.BytesIO(b"no gzip"), "GZIP"))
    with pytest.raises(errors.InvalidArgumentError, match="Unsupported compression_type:LZ"):
        RecordReader(std_io.BytesIO(b""), "LZ")


def test_compressed_files_in_parts() -> None:
    import io as std_io

    text = b"".join(b"%d\n" % n for n in range(100_000))
    for kind, packed in (("GZIP", gzip.compress(text[:9]) + gzip.compress(text[9:])), ("ZLIB", zlib.compress(text))):
        content = Inflating(std_io.BytesIO(packed), kind)
        assert (content.read(3), next(content), content.read(2)) == (text[:3], b"\n", text[4:6])
        assert next(iter(content)) == b"3\n" and content.read() == text[8:] and content.read(1) == b""
        assert next(content, None) is None
        assert text.startswith(Inflating(std_io.BytesIO(packed[: len(packed) // 2]), kind).read())
    damaged = Inflating(std_io.BytesIO(gzip.compress(text) + b"junk"), "GZIP")
    assert damaged.read(len(text)) == text
    for _ in range(2):
        with pytest.raises(errors.DataLossError, match=r"inflate\(\) failed with error -3: incorrect header check"):
            damaged.read(1)


def test_records_of_lmdb_are_refused_by_name(bench: Bench) -> None:
    reader, queue = io.LMDBReader(), data_flow.FIFOQueue(1, [dtypes.string], [()])
    assert reader.read(queue)[0].op.type == "ReaderRead"
    with pytest.raises(errors.UnimplementedError, match="LMDB support is removed from TensorFlow"):
        bench.run(reader.num_records_produced())


# --- whole files --------------------------------------------------------------------------------------------------


def test_files_against_tensorflow(folder: Path) -> None:
    def program(api: Any) -> None:
        def run(op: str, *inputs: Any) -> None:
            api.run(api.op(op, *(api.hidden(value, S) for value in inputs)))

        run("ReadFile", "more")
        run("ReadFile", "none/x")
        run("ReadFile", str(folder))
        run("ReadFile", ["more"])
        run("WriteFile", "new/deep/file", b"hey\0")
        run("ReadFile", "new/deep/file")
        run("WriteFile", "a", ["b"])
        run("WriteFile", ["a"], "b")
        run("WriteFile", str(folder), "b")
        for pattern in ("*", "fixed.?", "none/*", "[ef]*", "*/deep", "more"):
            run("MatchingFiles", f"{folder}/{pattern}")
        run("MatchingFiles", [f"{folder}/more", f"{folder}/l*"])
        run("MatchingFiles", [["more"]])
        api.build("ReadFile", api.constant(["a"]))
        api.build("MatchingFiles", api.constant([["a"]]))

    compare(program)


def _readers(tf: Any) -> None:
    queue = tf.FIFOQueue(3, "string")
    reader = tf.TFRecordReader()
    reader.read(queue)
    reader.read_up_to(queue, 3)
    reader.num_records_produced()
    reader.num_work_units_completed()
    reader.restore_state(reader.serialize_state())
    reader.reset()
    tf.WholeFileReader(name="whole")
    tf.TextLineReader(skip_header_lines=1)
    tf.FixedLengthRecordReader(4, 1, 2, hop_bytes=1, encoding="GZIP")
    tf.IdentityReader()
    tf.read_file("x")
    tf.write_file("x", "y")
    tf.matching_files("*")


def test_graph_is_tensorflows() -> None:
    compare_graphs(_readers, [data_flow, io])
