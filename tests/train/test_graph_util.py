"""Freezing graphs and taking parts of them: node for node as TensorFlow, and run in both."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import runstep
from runstep.testing import programs

Same = Callable[..., None]


def model(tf: Any, use_resource: bool) -> Any:
    with tf.variable_scope("m", use_resource=use_resource):
        w = tf.get_variable("w", initializer=[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
        b = tf.get_variable("b", initializer=[0.5, -0.5])
        x = tf.placeholder(tf.int32, [None], name="x")
        y = tf.identity(tf.nn.relu(tf.gather(w, x) + b), name="y")
        picked = tf.cond(tf.size(x) > 1, lambda: y * b, lambda: y)
        return tf.check_numerics(tf.identity(picked), "bad", name="z")


def shown(graph_def: Any) -> list[Any]:
    return sorted((node.name, node.op, list(node.input), sorted(node.attr)) for node in graph_def.node)


@pytest.mark.parametrize("use_resource", [False, True], ids=["ref", "resource"])
def test_freezing(use_resource: bool, same: Same) -> None:
    def program(tf: Any, log: Any) -> None:
        model(tf, use_resource)
        util = tf.graph_util
        with tf.Session() as sess:
            sess.run(tf.global_variables_initializer())
            for options in ({}, {"variable_names_whitelist": ["m/b"]}, {"variable_names_blacklist": ["m/b"]}):
                frozen = util.convert_variables_to_constants(sess, sess.graph.as_graph_def(), ["m/y"], **options)
                log(shown(frozen))
            frozen = util.convert_variables_to_constants(sess, sess.graph.as_graph_def(), ["m/z"])
        with tf.Graph().as_default(), tf.Session() as sess:
            tf.import_graph_def(frozen, name="")
            log(sess.run("m/z:0", {"m/x:0": [2]}), sess.run("m/z:0", {"m/x:0": [2, 0]}))

    same(program, graph=False)


def test_frozen_graphs_run_in_the_other_library(tmp_path: Path) -> None:
    with programs._version_one() as theirs:
        for use_resource in (False, True):
            for writer, reader in ((runstep, theirs), (theirs, runstep)):
                tf: Any = writer
                with tf.Graph().as_default(), tf.Session() as sess:
                    model(tf, use_resource)
                    sess.run(tf.global_variables_initializer())
                    graph_def = sess.graph.as_graph_def()
                    frozen = tf.graph_util.convert_variables_to_constants(sess, graph_def, ["m/z"])
                    slim = tf.graph_util.remove_training_nodes(frozen, protected_nodes=["m/z"])
                    tf.train.write_graph(slim, str(tmp_path), "slim.pb", as_text=False)
                    path = tf.train.write_graph(slim, f"{tmp_path}/new", "slim.txt")
                    assert path == f"{tmp_path}/new/slim.txt" and "GatherV2" in Path(path).read_text()
                tf = reader
                with tf.Graph().as_default(), tf.Session() as sess:
                    graph_def = tf.GraphDef.FromString((tmp_path / "slim.pb").read_bytes())
                    tf.import_graph_def(graph_def, name="")
                    assert sess.run("m/z:0", {"m/x:0": [2, 0]}).tolist() == [[2.75, -2.75], [0.75, -0.75]]


def test_parts(same: Same) -> None:
    def program(tf: Any, log: Any) -> None:
        model(tf, False)
        halves = tf.split(tf.stop_gradient(tf.stop_gradient(tf.ones([2]))), 2)
        tf.exp(tf.stop_gradient(halves[1]))
        util = tf.graph_util
        graph = tf.get_default_graph()
        graph_def = graph.as_graph_def()
        log(shown(util.extract_sub_graph(graph_def, ["m/y", "m/b/read"])))
        log(shown(util.remove_training_nodes(graph_def)))
        log(shown(util.remove_training_nodes(graph_def, ["m/y", "m/w/read", "m/z"])))
        log.tried(lambda: util.extract_sub_graph(graph_def, "m/y"))
        log.tried(lambda: util.extract_sub_graph(3, ["m/y"]))
        log.tried(lambda: util.extract_sub_graph(graph_def, ["none"]))
        log(util.tensor_shape_from_node_def_name(graph, "m/y"), util.tensor_shape_from_node_def_name(graph, "m/x:0"))
        strings = tf.constant("a"), tf.constant(1), tf.constant(1.0)
        log([util.must_run_on_cpu(item.op) for item in strings], util.must_run_on_cpu(graph_def.node[1], True))

    same(program, graph=False)
