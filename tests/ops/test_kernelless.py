"""Ops of TensorFlow's own tests: they can be built, written and read, and nothing computes them."""

from __future__ import annotations

import pytest

import runstep as tf
from runstep.testing import oracle

OPS = {
    "IntAttr": [tf.int64],
    "Int64Output": [tf.int64],
    "Namespace>TestStringOutput": [tf.float32, tf.string],
    "OpWithDefaultAttr": [tf.int32],
    "OpWithFutureDefaultAttr": [],
}
NO_KERNEL = dict.fromkeys(OPS, "TensorFlow has none either")
BY_HAND = dict.fromkeys(OPS, "graphs in this file")


def test_graphs_are_tensorflows_and_do_not_run() -> None:
    theirs = oracle.tensorflow().compat.v1
    graph = tf.Graph()
    with graph.as_default(), tf.Session() as session:
        x = tf.constant(1.0)
        made = [graph.create_op(name, [x] if ">" in name else [], kinds) for name, kinds in OPS.items()]
        for node in made:
            with pytest.raises(tf.errors.InvalidArgumentError, match="No OpKernel was registered to support Op"):
                session.run(node)
    other = theirs.Graph()
    with other.as_default():
        theirs.import_graph_def(theirs.GraphDef.FromString(graph.as_graph_def().SerializeToString()), name="")
        with theirs.Session() as session, pytest.raises(theirs.errors.InvalidArgumentError, match="No OpKernel"):
            session.run("OpWithDefaultAttr:0")
    again = tf.Graph()
    with again.as_default():
        tf.import_graph_def(tf.GraphDef.FromString(other.as_graph_def().SerializeToString()), name="")
    for node in made:
        copy = again.get_operation_by_name(node.name)
        assert copy.node_def == node.node_def
        found = [other.get_operation_by_name(node.name).outputs, copy.outputs]
        assert [[tensor.shape.rank for tensor in outputs] for outputs in found] == [[None] * len(node.outputs)] * 2
