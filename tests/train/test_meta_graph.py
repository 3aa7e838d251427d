"""Meta graphs: what goes into them, and what comes back, in both libraries."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import runstep
from runstep.testing import programs

Same = Callable[..., None]


def model(tf: Any) -> Any:
    """A trained layer with collections of all kinds."""
    with tf.device("/cpu:0"):
        x = tf.placeholder(tf.float32, [None, 2], name="x")
    with tf.variable_scope("layer"):
        w = tf.get_variable("w", initializer=[[1.0], [2.0]])
        b = tf.get_variable("b", initializer=[0.5], use_resource=True)
        y = tf.identity(tf.matmul(x, w) + b, name="y")
    tf.train.get_or_create_global_step()
    tf.add_to_collection("tensors", y)
    tf.add_to_collection("ops", y.op)
    tf.add_to_collection("numbers", 3)
    tf.add_to_collection("fractions", 0.5)
    tf.add_to_collection("names", "name")
    tf.add_to_collection(("a", "tuple"), y)
    tf.summary.scalar("mean", tf.reduce_mean(y))
    return y


def names(meta: Any) -> Any:
    nodes = {node.name: (node.op, list(node.input), node.device) for node in meta.graph_def.node}
    collections = {key: str(value) for key, value in sorted(meta.collection_def.items())}
    return nodes, collections, [op.name for op in meta.meta_info_def.stripped_op_list.op], str(meta.saver_def)


EXPORTS: dict[str, dict[str, Any]] = {
    "all": {},
    "some collections": {"collection_list": ["numbers", "variables"]},
    "a scope": {"export_scope": "layer"},
    "no devices": {"clear_devices": True},
    "no other savers": {"clear_extraneous_savers": True},
    "no defaults": {"strip_default_attrs": True},
}


@pytest.mark.parametrize("name", EXPORTS)
def test_exported(name: str, same: Same) -> None:
    def program(tf: Any, log: Any) -> None:
        model(tf)
        tf.train.Saver()
        meta = tf.train.export_meta_graph(**EXPORTS[name])
        log(*names(meta), meta.meta_info_def.stripped_default_attrs)
        log({node.name: sorted(set(node.attr) - {"_has_manual_control_dependencies"}) for node in meta.graph_def.node})

    same(program, graph=False)


@pytest.mark.parametrize("scope", [None, "inner"])
@pytest.mark.parametrize("ours_first", [True, False], ids=["ours to theirs", "theirs to ours"])
def test_imported(ours_first: bool, scope: str | None, tmp_path: Path) -> None:
    def written(tf: Any) -> str:
        with tf.Graph().as_default(), tf.Session() as sess:
            model(tf)
            sess.run(tf.global_variables_initializer())
            return tf.train.Saver().save(sess, f"{tmp_path}/m", global_step=7)

    def read(tf: Any, path: str) -> list[Any]:
        found: list[Any] = []
        with tf.Graph().as_default() as graph, tf.Session() as sess:
            tf.constant(0)
            saver = tf.train.import_meta_graph(f"{path}.meta", import_scope=scope, clear_devices=True)
            saver.restore(sess, path)
            for key in ("variables", "trainable_variables", "tensors", "ops", "summaries", "global_step"):
                found.append([item.name for item in tf.get_collection(key)])
            found += [tf.get_collection(key) for key in ("numbers", "fractions", "names")]
            prefix = f"{scope}/" if scope else ""
            y = sess.run(f"{prefix}layer/y:0", {f"{prefix}x:0": [[1.0, 1.0]]})
            found += [y.tolist(), graph.get_operation_by_name(f"{prefix}x").device]
            found.append(
                [var is other for var, other in zip(tf.trainable_variables(), tf.global_variables(), strict=False)]
            )
        return found

    with programs._version_one() as theirs:
        path = written(runstep if ours_first else theirs)
        ours, others = read(runstep, path), read(theirs, path)
    assert ours == others


def test_pieces_of_graphs(same: Same) -> None:
    def program(tf: Any, log: Any) -> None:
        model(tf)
        meta = tf.train.export_meta_graph(export_scope="layer")
        with tf.Graph().as_default() as graph:
            log.tried(lambda: tf.train.import_meta_graph(meta))
            x = tf.placeholder(tf.float32, [None, 2])
            tf.train.import_meta_graph(meta, input_map={"$unbound_inputs_x": x})
            log([op.name for op in graph.get_operations()], tf.global_variables())
            log.tried(lambda: tf.train.import_meta_graph("/no/such/file"))

    same(program, graph=False, texts=False)


def test_a_program_continues_with_an_imported_graph(tmp_path: Path) -> None:
    """Train, export, import into a fresh graph, train on."""
    tf: Any = runstep
    with tf.Graph().as_default(), tf.Session() as sess:
        model(tf)
        w, b = tf.trainable_variables()
        loss = tf.add(w * w, b * b, name="loss")
        tf.train.AdamOptimizer(0.1).minimize(loss, global_step=tf.train.get_global_step(), name="step")
        sess.run(tf.global_variables_initializer())
        for _ in range(3):
            sess.run("step", {"x:0": [[1.0, 1.0]]})
        path = tf.train.Saver().save(sess, f"{tmp_path}/m")
        for _ in range(3):
            sess.run("step", {"x:0": [[1.0, 1.0]]})
        want = sess.run(tf.trainable_variables())
    with tf.Graph().as_default(), tf.Session() as sess:
        tf.train.import_meta_graph(f"{path}.meta").restore(sess, path)
        for _ in range(3):
            sess.run("step", {"x:0": [[1.0, 1.0]]})
        assert all(map(np.array_equal, sess.run(tf.trainable_variables()), want))
        assert sess.run(tf.train.get_global_step()) == 6
