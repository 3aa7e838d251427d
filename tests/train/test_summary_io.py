"""Event and record files go from one library to the other."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import runstep
from runstep.testing import programs

Same = Callable[..., None]


def written(tf: Any, folder: Path) -> list[Any]:
    """Events of all kinds, as they are read back."""
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [None])
        tf.summary.scalar("mean", tf.reduce_mean(x))
        tf.summary.histogram("all", x)
        tf.summary.text("text", tf.constant("words"))
        merged = tf.summary.merge_all()
        with tf.summary.FileWriter(str(folder), graph, filename_suffix=".mine") as writer, tf.Session() as sess:
            assert writer.get_logdir() == str(folder)
            for step in range(3):
                writer.add_summary(sess.run(merged, {x: [1.0 * step, 2.0]}), step)
            value = tf.Summary.Value(tag="by hand", simple_value=0.5)
            writer.add_summary(tf.Summary(value=[value]), global_step=7)
            writer.add_session_log(tf.summary.SessionLog(status=tf.summary.SessionLog.STOP, msg="end"), 8)
            writer.add_run_metadata(tf.RunMetadata(), "run", 9)
            with pytest.raises(ValueError, match="already used"):
                writer.add_run_metadata(tf.RunMetadata(), "run", 9)
            writer.add_event(tf.Event(step=10))
            writer.flush()
    return read(tf, folder)


def read(tf: Any, folder: Path) -> list[Any]:
    names = sorted(name for name in os.listdir(folder))
    assert names and all(name.startswith("events.out.tfevents.") and name.endswith(".mine") for name in names)
    found = []
    for name in names:
        for event in tf.train.summary_iterator(f"{folder}/{name}"):
            kind = event.WhichOneof("what")
            values = [
                (v.tag, v.simple_value, v.HasField("metadata"), v.metadata.plugin_data.plugin_name, v.histo.num)
                for v in event.summary.value
            ]
            found.append((kind, event.step, values, event.file_version, event.session_log.msg))
            assert event.wall_time > 0 or event.step == 10
    return found


def test_events(tmp_path: Path) -> None:
    with programs._version_one() as theirs:
        ours, others = written(runstep, tmp_path / "ours"), written(theirs, tmp_path / "theirs")
        assert ours == others and len(ours) == 10
        assert read(theirs, tmp_path / "ours") == ours
        assert read(runstep, tmp_path / "theirs") == others


def test_a_closed_writer_takes_nothing_until_it_is_reopened(tmp_path: Path) -> None:
    tf: Any = runstep
    writer = tf.summary.FileWriter(str(tmp_path), max_queue=1)
    summary = tf.Summary(value=[tf.Summary.Value(tag="t", simple_value=1.0)])
    writer.close()
    writer.add_summary(summary, 1)
    writer.reopen()
    writer.add_summary(summary, 2)
    steps = [
        event.step
        for name in sorted(os.listdir(tmp_path))
        for event in tf.train.summary_iterator(f"{tmp_path}/{name}")
        if event.WhichOneof("what") == "summary"
    ]
    assert steps == [2]  # on disk at once: the queue holds one
    writer.close()
    first = tf.summary.FileWriterCache.get(f"{tmp_path}/cached")
    assert tf.summary.FileWriterCache.get(f"{tmp_path}/cached") is first
    tf.summary.FileWriterCache.clear()
    assert tf.summary.FileWriterCache.get(f"{tmp_path}/cached") is not first
    tf.summary.FileWriterCache.clear()
    with pytest.raises(tf.errors.NotFoundError):
        next(tf.train.summary_iterator(f"{tmp_path}/none"))


@pytest.mark.parametrize("kind", ["", "GZIP", "ZLIB", 1, 2])
def test_records(kind: Any, tmp_path: Path) -> None:
    """Examples in TFRecord files, compressed in every way, with a flush in between."""
    with programs._version_one() as theirs:
        for writer, reader in ((runstep, theirs), (theirs, runstep), (runstep, runstep)):
            tf: Any = writer
            feature = {
                "label": tf.train.Feature(int64_list=tf.train.Int64List(value=[3])),
                "name": tf.train.Feature(bytes_list=tf.train.BytesList(value=[b"x"])),
                "values": tf.train.Feature(float_list=tf.train.FloatList(value=[0.5, 1.5])),
            }
            example = tf.train.Example(features=tf.train.Features(feature=feature))
            path = f"{tmp_path}/records"
            options = tf.python_io.TFRecordOptions(kind)
            with tf.python_io.TFRecordWriter(path, options) as file:
                file.write(example.SerializeToString())
                file.flush()
                file.write(b"")
                file.write(b"raw" * 1000)
            tf = reader
            records = list(tf.python_io.tf_record_iterator(path, tf.python_io.TFRecordOptions(kind)))
            assert records[1:] == [b"", b"raw" * 1000]
            found = tf.train.Example.FromString(records[0]).features.feature
            assert found["label"].int64_list.value == [3] and found["values"].float_list.value == [0.5, 1.5]
            with tf.Graph().as_default(), tf.Session() as sess:
                spec = {"name": tf.FixedLenFeature([], tf.string), "label": tf.FixedLenFeature([1], tf.int64)}
                parsed = sess.run(tf.parse_single_example(records[0], spec))
            assert parsed["name"] == b"x" and parsed["label"].tolist() == [3]


def test_refusals(tmp_path: Path, same: Same) -> None:
    def program(tf: Any, log: Any) -> None:
        options = tf.python_io.TFRecordOptions
        log.tried(lambda: options("LZ4"))
        log(options.get_compression_type_string(options("GZIP")), options.get_compression_type_string(None))
        log.tried(lambda: list(tf.python_io.tf_record_iterator(f"{tmp_path}/none")))
        (tmp_path / "text").write_text("this is no record file at all")
        log.tried(lambda: list(tf.python_io.tf_record_iterator(f"{tmp_path}/text")))
        with tf.python_io.TFRecordWriter(f"{tmp_path}/r") as writer:
            log.tried(lambda: writer.write("text"))
        with tf.summary.FileWriter(f"{tmp_path}/w") as events:
            log.tried(lambda: events.add_graph(3))
            log.tried(lambda: events.add_graph(None))
            log.tried(lambda: events.add_meta_graph(3))

    same(program, graph=False, texts=False)
