"""`as_graph_def`: TensorFlow reads what we write, we read what it writes, binary and as text, and nothing is lost."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from google.protobuf import text_format

import runstep
from runstep.protos import graph_pb2
from runstep.testing.oracle import tensorflow

GRAPHS: dict[str, Any] = {}


def program(function: Any) -> Any:
    GRAPHS[function.__name__] = function
    return function


@program
def arithmetic(tf: Any) -> Any:
    x = tf.placeholder(tf.float32, [None, 2], name="x")
    return tf.reduce_sum(tf.matmul(x, tf.constant([[1.0, 2.0], [3.0, 4.0]])) * 2.0, axis=1, keepdims=True)


@program
def constants_of_every_kind(tf: Any) -> Any:
    kinds = "float32 float64 float16 bfloat16 int8 int16 int32 int64 uint8 uint16 uint32 uint64 complex64 complex128"
    for kind in kinds.split():
        dtype = getattr(tf, kind)
        tf.constant(np.array([1, 2, 3]), dtype)
        tf.constant(1, dtype, shape=[2, 3])
        tf.constant([], dtype)
    tf.constant([True, False])
    tf.constant(["a", "\u00e9"])
    tf.constant([float("nan"), float("inf"), -0.0])
    return tf.constant(b"\xff\x00")


@program
def devices_and_order(tf: Any) -> Any:
    with tf.device("/job:w/cpu:1"):
        a = tf.constant(1.0, name="a")
    with tf.control_dependencies([a, tf.no_op(name="n")]):
        return tf.identity(tf.constant(2.0), name="b")


@program
def several_outputs(tf: Any) -> Any:
    x = tf.placeholder(tf.float32, [6], name="x")
    a, b, c = tf.split(x, 3)
    return tf.concat([c, a, b], 0)


@program
def attributes_of_every_kind(tf: Any) -> Any:
    x = tf.placeholder(tf.float32, [1, 8, 8, 2], name="x")
    y = tf.nn.conv2d(x, tf.ones([3, 3, 2, 4]), strides=[1, 2, 2, 1], padding="SAME")
    y = tf.nn.max_pool(y, [1, 2, 2, 1], [1, 1, 1, 1], "VALID")
    y = tf.nn.leaky_relu(y, alpha=0.3)
    tf.placeholder(tf.string, name="unknown")
    tf.placeholder(tf.int32, [None, 3], name="partly")
    return tf.strided_slice(y, [0, 0, 0, 0], [1, 1, 1, 1])


@program
def loops_and_branches(tf: Any) -> Any:
    n = tf.placeholder(tf.int32, [], name="n")
    i = tf.while_loop(lambda i: i < n, lambda i: i + 1, [tf.constant(0)])
    return tf.cond(i > 3, lambda: i * 2, lambda: i - 1)


@program
def variables(tf: Any) -> Any:
    v = tf.Variable([1.0, 2.0], use_resource=False, name="v")
    r = tf.Variable([1.0, 2.0], use_resource=True, name="r")
    with tf.control_dependencies([tf.assign_add(v, [1.0, 1.0])]):
        return r.read_value()


def written(tf: Any, build: Any, **arguments: Any) -> bytes:
    build(tf)
    return bytes(tf.get_default_graph().as_graph_def(**arguments).SerializeToString())


def our_message(content: bytes) -> Any:
    return graph_pb2.GraphDef.FromString(content)


def plain(content: bytes) -> dict[str, Any]:
    """Nodes by name, without what only TensorFlow's Python notes for itself."""
    found = {}
    for node in our_message(content).node:
        for key in ("_has_manual_control_dependencies", "_class"):
            if key in node.attr:
                del node.attr[key]
        found[node.name] = node
    return found


@pytest.mark.parametrize("name", GRAPHS)
def test_tensorflow_s_graph_comes_back_as_it_was(name: str, both: Any) -> None:
    _, content = both(lambda tf: written(tf, GRAPHS[name]))
    with runstep.Graph().as_default() as graph:
        runstep.import_graph_def(content, name="")
        again = graph.as_graph_def()
    assert by_name(again) == by_name(our_message(content))
    assert again.versions == our_message(content).versions
    tf = tensorflow().compat.v1
    with tf.Graph().as_default() as graph:  # in the order in which it comes back there too
        tf.import_graph_def(tf.GraphDef.FromString(content), name="")
        assert [node.name for node in again.node] == [node.name for node in graph.as_graph_def().node]


def by_name(message: Any) -> dict[str, Any]:
    return {node.name: node for node in message.node}


@pytest.mark.parametrize("name", GRAPHS)
def test_tensorflow_reads_our_graph(name: str, both: Any) -> None:
    content, _ = both(lambda tf: written(tf, GRAPHS[name]))
    tf = tensorflow().compat.v1
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(tf.GraphDef.FromString(content), name="")
        again = graph.as_graph_def().SerializeToString()
    assert by_name(our_message(again)) == by_name(our_message(content))


@pytest.mark.parametrize("name", GRAPHS)
def test_the_same_program_makes_the_same_graph(name: str, both: Any) -> None:
    ours, theirs = both(lambda tf: written(tf, GRAPHS[name]))
    assert plain(ours) == plain(theirs)


@pytest.mark.parametrize("name", GRAPHS)
def test_text(name: str, both: Any) -> None:
    """What either writes as text, the other reads."""
    ours, theirs = both(lambda tf: text_format.MessageToString(GRAPHS[name](tf).graph.as_graph_def()))
    real = tensorflow().compat.v1
    assert our_message(text_format.Parse(ours, real.GraphDef()).SerializeToString()) == text_format.Parse(
        ours, graph_pb2.GraphDef()
    )
    assert our_message(text_format.Parse(theirs, real.GraphDef()).SerializeToString()) == text_format.Parse(
        theirs, graph_pb2.GraphDef()
    )


def test_static_shapes(both: Any) -> None:
    for name in ("arithmetic", "several_outputs", "attributes_of_every_kind"):
        ours, theirs = both(lambda tf, name=name: plain(written(tf, GRAPHS[name], add_shapes=True)))
        assert {n: node.attr["_output_shapes"] for n, node in ours.items()} == {
            n: node.attr["_output_shapes"] for n, node in theirs.items()
        }


def test_from_a_version(rs: Any) -> None:
    """As documented; TensorFlow 2.21 writes the whole graph."""
    tf, graph = rs, rs.get_default_graph()
    tf.constant(1.0, name="a")
    version = graph.version
    tf.constant(2.0, name="b")
    tf.constant(3.0, name="c")
    assert [node.name for node in graph.as_graph_def(from_version=version).node] == ["b", "c"]
    assert [node.name for node in graph.as_graph_def(from_version=graph.version).node] == []
    assert len(graph.as_graph_def().node) == 3


def test_versions(tf: Any) -> None:
    tf.constant(1.0)
    versions = tf.get_default_graph().as_graph_def().versions
    assert versions.producer == 2474 and versions == tf.get_default_graph().graph_def_versions


def test_node_def(both: Any) -> None:
    def build(tf: Any) -> Any:
        x = tf.placeholder(tf.float32, [2], name="x")
        with tf.device("/cpu:0"):
            y = tf.add(x, tf.constant([1.0, 2.0], name="c"), name="y")
        return y.op.node_def.SerializeToString(deterministic=True), str(y.op)

    ours, theirs = both(build)
    assert ours == theirs


def test_get_attr(both: Any) -> None:
    def build(tf: Any) -> Any:
        x = tf.placeholder(tf.float32, [1, 8, 8, 2], name="x")
        y = tf.nn.conv2d(x, tf.ones([3, 3, 2, 4]), strides=[1, 2, 2, 1], padding="SAME", name="y")
        c = tf.constant([1, 2], name="c")
        get = y.op.get_attr
        message = c.op.get_attr("value")
        shape = x.op.get_attr("shape")
        return (
            get("T").name,
            get("strides"),
            get("padding"),
            get("use_cudnn_on_gpu"),
            message.SerializeToString(),
            shape.SerializeToString(),
            type(get("strides")).__name__,
        )

    ours, theirs = both(build)
    assert ours == theirs
    with runstep.Graph().as_default(), pytest.raises(ValueError, match="has no attr named 'nothing'"):
        runstep.constant(1).op.get_attr("nothing")


def test_attributes_that_are_set(tf: Any) -> None:
    x = tf.constant(1.0)
    value = runstep.protos.attr_value_pb2.AttrValue(s=b"note") if tf is runstep else tf.AttrValue(s=b"note")
    x.op._set_attr("_note", value)
    assert x.op.get_attr("_note") == b"note"
    assert tf.get_default_graph().as_graph_def().node[0].attr["_note"].s == b"note"


def test_large_constants_are_not_expanded(rs: Any) -> None:
    """One value for all elements stays one value."""
    definition = graph_pb2.GraphDef()
    node = definition.node.add(name="c", op="Const")
    node.attr["dtype"].type = 1  # type: ignore[assignment]
    tensor = node.attr["value"].tensor
    tensor.dtype = 1  # type: ignore[assignment]
    tensor.tensor_shape.dim.add(size=1 << 40)
    tensor.float_val.append(2.0)
    rs.import_graph_def(definition, name="")
    assert rs.get_default_graph().as_graph_def().node[0] == node
