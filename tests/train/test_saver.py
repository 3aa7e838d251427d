"""Savers make TensorFlow's nodes; checkpoints and meta graphs go from one library to the other."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import runstep
from runstep.ops import lookup
from runstep.testing import programs

Same = Callable[..., None]
V1 = 1


def both(tf: Any) -> list[Any]:
    """A ref and a resource variable."""
    return [tf.Variable([1.0, 2.0], name="a"), tf.Variable([3, 4], name="b", use_resource=True)]


def parts(tf: Any) -> list[Any]:
    """Variables in parts, of both kinds, beside a whole one."""
    cut = tf.fixed_size_partitioner(2)
    with tf.variable_scope("s"):

        def start(shape: Any, dtype: Any, partition_info: Any = None) -> Any:
            return tf.ones(shape, dtype) * float(partition_info.var_offset[0] if partition_info else 9)

        whole = [tf.get_variable("p", [5, 2], partitioner=cut, initializer=start)]
        whole += [tf.get_variable("q", [3], tf.int64, tf.zeros_initializer(), partitioner=cut, use_resource=True)]
    return [*whole, tf.Variable(1, name="z")]


def placed(tf: Any) -> list[Any]:
    with tf.device("/cpu:0"):
        a = tf.Variable([1.0, 2.0], name="a")
    with tf.device("/cpu:1"):
        b = tf.Variable([1.0, 2.0], name="b", use_resource=True)
    return [a, b, tf.Variable(2.0, name="c")]


SAVERS: dict[str, tuple[Callable[[Any], list[Any]], dict[str, Any]]] = {
    "plain": (both, {}),
    "named": (both, {"name": "mine", "filename": "file", "max_to_keep": 2}),
    "reshape": (both, {"reshape": True}),
    "old": (both, {"write_version": V1}),
    "parts": (parts, {}),
    "placed": (placed, {}),
    "sharded": (placed, {"sharded": True}),
    "sharded, old": (placed, {"sharded": True, "write_version": V1}),
    "sharded, one by one": (placed, {"sharded": True, "restore_sequentially": True}),
}


@pytest.mark.parametrize("name", SAVERS)
def test_nodes(name: str, same: Same) -> None:
    variables, options = SAVERS[name]

    def program(tf: Any, log: Any) -> None:
        saver = tf.train.Saver(variables(tf), **options)
        log(str(saver.saver_def), str(saver.to_proto("save")), saver.to_proto("other"))
        named = {"first": tf.global_variables()[0], "second": tf.global_variables()[1]}
        log(str(tf.train.Saver(named).saver_def))

    same(program, graph=name != "parts")  # TensorFlow restores the parts of all variables in no fixed order


def saved(tf: Any, folder: Path, make: Callable[[Any], list[Any]], **options: Any) -> tuple[str, dict[str, Any]]:
    """A checkpoint of variables that have changed since they were initialized, and what is in it."""
    with tf.Graph().as_default():
        make(tf)
        saver = tf.train.Saver(**options)
        with tf.Session(config=tf.ConfigProto(device_count={"CPU": 2})) as sess:
            sess.run(tf.global_variables_initializer())
            sess.run([tf.assign_add(var, tf.ones_like(var)) for var in tf.global_variables()])
            path = saver.save(sess, f"{folder}/model", global_step=3)
            return path, {var.op.name: sess.run(var) for var in tf.global_variables()}


def restored(tf: Any, path: str, make: Callable[[Any], list[Any]], **options: Any) -> dict[str, Any]:
    with tf.Graph().as_default():
        make(tf)
        saver = tf.train.Saver(**options)
        with tf.Session(config=tf.ConfigProto(device_count={"CPU": 2})) as sess:
            saver.restore(sess, path)
            return {var.op.name: sess.run(var) for var in tf.global_variables()}


def imported(tf: Any, path: str) -> dict[str, Any]:
    """From the meta graph alone."""
    with tf.Graph().as_default():
        saver = tf.train.import_meta_graph(f"{path.partition('-?')[0]}.meta")
        with tf.Session(config=tf.ConfigProto(device_count={"CPU": 2})) as sess:
            saver.restore(sess, path)
            return {var.op.name: sess.run(var) for var in tf.global_variables()}


def assert_equal(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert one.keys() == other.keys()
    for name, value in one.items():
        assert np.array_equal(value, other[name]) and np.asarray(value).dtype == np.asarray(other[name]).dtype


@pytest.mark.parametrize("ours_first", [True, False], ids=["ours to theirs", "theirs to ours"])
@pytest.mark.parametrize("name", ["plain", "old", "parts", "sharded", "sharded, old"])
def test_checkpoints_go_from_one_library_to_the_other(name: str, ours_first: bool, tmp_path: Path) -> None:
    make, options = SAVERS[name]
    with programs._version_one() as theirs:
        writer, reader = (runstep, theirs) if ours_first else (theirs, runstep)
        path, values = saved(writer, tmp_path, make, **options)
        assert_equal(values, restored(reader, path, make, **options))
        assert_equal(values, imported(reader, path))
        assert reader.train.latest_checkpoint(str(tmp_path)) == writer.train.latest_checkpoint(str(tmp_path))


def test_the_part_of_a_variable_that_another_cut_needs(tmp_path: Path) -> None:
    path, values = saved(runstep, tmp_path, parts)

    def whole(tf: Any) -> list[Any]:
        with tf.variable_scope("s"):
            return [tf.get_variable("p", [5, 2])]

    found = restored(runstep, path, whole)
    assert np.array_equal(found["s/p"], np.concatenate([values["s/p/part_0"], values["s/p/part_1"]]))


def listed(folder: Path) -> list[str]:
    return sorted(os.listdir(folder))


def test_files_and_state(tmp_path: Path, same: Same) -> None:
    """Which files there are after each of many saves, and what the file "checkpoint" says."""

    def program(tf: Any, log: Any) -> None:
        folder = tmp_path / ("theirs" if "tensorflow" in tf.__name__ else "ours")
        folder.mkdir()
        (folder / "other").mkdir()

        def state() -> None:
            text = (folder / "checkpoint").read_text().replace(str(folder), "FOLDER")
            log(listed(folder), text, [path.replace(str(folder), "FOLDER") for path in saver.last_checkpoints])

        v = tf.Variable(1.0, name="v")
        saver = tf.train.Saver(max_to_keep=2)
        with tf.Session() as sess:
            sess.run(v.initializer)
            for step in (1, 2, tf.constant(3), 2, np.int64(4)):
                saver.save(sess, f"{folder}/m", global_step=step)
                state()
            saver.save(sess, f"{folder}/m", write_meta_graph=False)
            saver.save(sess, f"{folder}/n", write_state=False, meta_graph_suffix="graph")
            saver.save(sess, f"{folder}/other/o", latest_filename="latest")
            state()
            log(listed(folder / "other"))
            padded = tf.train.Saver(pad_step_number=True, save_relative_paths=True, max_to_keep=None)
            padded.save(sess, f"{folder}/other/p", global_step=7)
            log((folder / "other" / "checkpoint").read_text(), listed(folder / "other"), padded.last_checkpoints)
            found = tf.train.get_checkpoint_state(f"{folder}/other")
            log(found.model_checkpoint_path.replace(str(folder), ""), len(found.all_model_checkpoint_paths))
            again = tf.train.Saver()
            again.recover_last_checkpoints([f"{folder}/m-4", f"{folder}/gone"])
            log(len(again.last_checkpoints), tf.train.checkpoint_exists(f"{folder}/m-4"))
            tf.train.remove_checkpoint(f"{folder}/m-4")
            log(listed(folder), tf.train.checkpoint_exists(f"{folder}/m-4"))
            log(tf.train.latest_checkpoint(f"{folder}/none"), tf.train.get_checkpoint_state(str(folder), "none"))

    same(program, graph=False)


def test_hourly_checkpoints_stay(tmp_path: Path, same: Same) -> None:
    def program(tf: Any, log: Any) -> None:
        folder = tmp_path / ("theirs" if "tensorflow" in tf.__name__ else "ours")
        folder.mkdir()
        v = tf.Variable(1.0, name="v")
        saver = tf.train.Saver(max_to_keep=1, keep_checkpoint_every_n_hours=0.0)
        with tf.Session() as sess:
            sess.run(v.initializer)
            for step in range(3):
                saver.save(sess, f"{folder}/m", global_step=step, write_meta_graph=False)
        log(listed(folder))

    same(program, graph=False)


def test_refusals(tmp_path: Path, same: Same) -> None:
    def program(tf: Any, log: Any) -> None:
        folder = tmp_path / "saved"  # one for both, one after the other: messages name it
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        t = tf.train
        log.tried(lambda: t.Saver())
        log.tried(lambda: t.Saver(allow_empty=True).save(None, "x"))
        a, _ = tf.Variable(1.0, name="a"), tf.Variable([2.0], name="b")
        log.tried(lambda: t.Saver([a * 1.0]))
        log.tried(lambda: t.Saver({"a": a, "b": a}))
        log.tried(lambda: t.Saver([a, a]))
        log.tried(lambda: t.Saver({"x": a * 1.0}))
        log.tried(lambda: t.Saver({1: a}))
        log.tried(lambda: t.Saver([a], defer_build=True))
        log.tried(lambda: t.Saver(defer_build=True).save(None, "x"))
        log.tried(lambda: t.update_checkpoint_state(str(tmp_path), f"{tmp_path}/checkpoint"))
        saver = t.Saver()
        with tf.Session() as sess:
            log.tried(lambda: saver.save(3, "x"))
            log.tried(lambda: saver.save(sess, f"{folder}/x"))
            sess.run(tf.global_variables_initializer())
            path = saver.save(sess, f"{folder}/x")
            log.tried(lambda: saver.save(sess, f"{folder}/checkpoint"))
            log.tried(lambda: saver.save(sess, f"{folder}/y", latest_filename="c/d"))
            log.tried(lambda: saver.restore(sess, None))
            log.tried(lambda: saver.restore(sess, "nope"))
        log.tried(lambda: saver.save(sess, f"{folder}/x"))
        with tf.Graph().as_default(), tf.Session() as sess:
            a, c = tf.Variable([1.0, 2.0], name="a"), tf.Variable([2.0], name="c")
            log.tried(lambda: t.Saver([a]).restore(sess, path))
            log.tried(lambda: t.Saver([c]).restore(sess, path))
            log.tried(lambda: t.Saver({"b": c}).restore(sess, path))

    same(program, graph=False)


def test_tables_and_saveable_objects(tmp_path: Path) -> None:
    tf: Any = runstep
    from runstep.train.saver import BaseSaverBuilder

    class Doubled(BaseSaverBuilder.SaveableObject):  # type: ignore[misc]
        """Saved as twice its value."""

        def __init__(self, variable: Any) -> None:
            self._variable = variable
            super().__init__(variable, [BaseSaverBuilder.SaveSpec(variable * 2.0, "", "twice")], "twice")

        def restore(self, restored_tensors: Any, restored_shapes: Any) -> Any:
            return self._variable.assign(restored_tensors[0] / 2.0)

    table = lookup.MutableHashTable(tf.string, tf.int64, -1)
    v = tf.Variable(3.0)
    saver = tf.train.Saver([Doubled(v), *tf.get_collection(tf.GraphKeys.SAVEABLE_OBJECTS)])
    with tf.Session() as sess:
        sess.run([v.initializer, table.insert(["a", "b"], [1, 2])])
        path = saver.save(sess, f"{tmp_path}/m")
        assert tf.train.load_variable(path, "twice") == 6.0
    with tf.Session() as sess:
        saver.restore(sess, path)
        assert sess.run(v) == 3.0
        assert sess.run(table.lookup(["b", "a", "c"])).tolist() == [2, 1, -1]


def test_checkpoints_of_tensorflow_two(tmp_path: Path) -> None:
    """`tf.train.Checkpoint` names variables by objects; a Saver finds them by the names they had."""
    with programs._version_one() as theirs, theirs.Graph().as_default():
        a = theirs.get_variable("a", initializer=[1.0, 5.0], use_resource=True)
        with theirs.Session() as sess:
            sess.run(a.initializer)
            path = theirs.train.Checkpoint(thing=a).save(f"{tmp_path}/c", session=sess)
    tf: Any = runstep
    a = tf.get_variable("a", [2])
    with tf.Session() as sess:
        tf.train.Saver([a]).restore(sess, path)
        assert sess.run(a).tolist() == [1.0, 5.0]
        b = tf.get_variable("b", [2])
        with pytest.raises(tf.errors.NotFoundError, match="Existing variables not in the checkpoint: b"):
            tf.train.Saver([b]).restore(sess, path)
