"""From names and things to elements of a graph, with TensorFlow's errors (S74, S187)."""

from __future__ import annotations

from typing import Any

import pytest


@pytest.fixture
def graph(tf: Any) -> Any:
    x = tf.placeholder(tf.float32, [4], name="x")
    tf.split(x, 2, name="a/s")
    tf.no_op(name="n")
    return tf.get_default_graph()


@pytest.mark.parametrize("name", ["x:0", "a/s:0", "a/s:1"])
def test_tensors(graph: Any, name: str) -> None:
    tensor = graph.get_tensor_by_name(name)
    assert tensor.name == name
    assert graph.as_graph_element(name.encode()) is tensor
    assert graph.as_graph_element(name) is tensor and graph.as_graph_element(tensor) is tensor


@pytest.mark.parametrize("name", ["x", "a/s", "n"])
def test_operations(graph: Any, name: str) -> None:
    op = graph.get_operation_by_name(name)
    assert op.name == name
    assert graph.as_graph_element(name) is op and graph.as_graph_element(op, allow_tensor=False) is op


@pytest.mark.parametrize(
    ("name", "error", "phrase"),
    [
        (
            "y:0",
            KeyError,
            "The name 'y:0' refers to a Tensor which does not exist. The operation, 'y', does not exist in the",
        ),
        (
            "x:1",
            KeyError,
            "The name 'x:1' refers to a Tensor which does not exist. The operation, 'x', exists but only has 1",
        ),
        (
            "n:0",
            KeyError,
            "The name 'n:0' refers to a Tensor which does not exist. The operation, 'n', exists but only has 0",
        ),
        ("x:y", ValueError, 'must be of the form "<op_name>:<output_index>"'),
        ("x:0:0", ValueError, 'must be of the form "<op_name>:<output_index>"'),
        ("x", ValueError, "The name 'x' refers to an Operation, not a Tensor."),
        ("y", ValueError, "The name 'y' looks like an (invalid) Operation name, not a Tensor."),
        ("", ValueError, "looks like an (invalid) Operation name"),
        (b"x:0", TypeError, "Tensor names are strings (or similar), not bytes."),
        (1, TypeError, "Tensor names are strings (or similar), not int."),
        (None, TypeError, "Tensor names are strings (or similar), not NoneType."),
    ],
)
def test_no_such_tensor(graph: Any, name: Any, error: type[Exception], phrase: str) -> None:
    with pytest.raises(error) as caught:
        graph.get_tensor_by_name(name)
    assert phrase in str(caught.value.args[0])


@pytest.mark.parametrize(
    ("name", "error", "phrase"),
    [
        ("y", KeyError, "The name 'y' refers to an Operation not in the graph."),
        ("", KeyError, "The name '' refers to an Operation not in the graph."),
        ("x:0", ValueError, "Name 'x:0' appears to refer to a Tensor, not a Operation."),
        (1, TypeError, "Operation names are strings (or similar), not int."),
    ],
)
def test_no_such_operation(graph: Any, name: Any, error: type[Exception], phrase: str) -> None:
    with pytest.raises(error) as caught:
        graph.get_operation_by_name(name)
    assert phrase in str(caught.value.args[0])


def test_things(tf: Any, graph: Any) -> None:
    v = tf.Variable(1.0, use_resource=False, name="v")
    assert graph.as_graph_element(v) is graph.get_tensor_by_name("v:0")

    class Wrapped:
        def _as_graph_element(self) -> Any:
            return graph.get_tensor_by_name("x:0")

    assert graph.as_graph_element(Wrapped()).name == "x:0"


@pytest.mark.parametrize("thing", [1, 2.0, None, [], object()])
def test_no_elements(graph: Any, thing: Any) -> None:
    with pytest.raises(TypeError, match="Can not convert a .* into a Tensor or Operation."):
        graph.as_graph_element(thing)


def test_only_one_kind(graph: Any) -> None:
    x = graph.get_tensor_by_name("x:0")
    with pytest.raises(TypeError, match="Can not convert a Operation into a Tensor."):
        graph.as_graph_element(x.op, allow_operation=False)
    with pytest.raises(TypeError, match="Can not convert a (Symbolic)?Tensor into a Operation."):
        graph.as_graph_element(x, allow_tensor=False)
    with pytest.raises(ValueError, match="can't both be False"):
        graph.as_graph_element(x, allow_tensor=False, allow_operation=False)


def test_elements_of_another_graph(tf: Any, graph: Any) -> None:
    with tf.Graph().as_default():
        x = tf.constant(1.0)
    with pytest.raises(ValueError, match="is not an element of this graph."):
        graph.as_graph_element(x)
    with pytest.raises(ValueError, match="is not an element of this graph."):
        graph.as_graph_element(x.op)


def test_near_names_are_named(rs: Any) -> None:
    rs.placeholder(rs.float32, name="encoder/layer_1/kernel")
    graph = rs.get_default_graph()
    with pytest.raises(KeyError, match="Did you mean 'encoder/layer_1/kernel:0'"):
        graph.get_tensor_by_name("encoder/layer1/kernel:0")
    with pytest.raises(KeyError, match="Did you mean 'encoder/layer_1/kernel'"):
        graph.get_operation_by_name("encoder/layer1/kernel")
    with pytest.raises(ValueError, match='Did you mean "encoder/layer_1/kernel:0"'):
        graph.get_tensor_by_name("encoder/layer_1/kernel")


def test_consumers(tf: Any) -> None:
    x = tf.placeholder(tf.float32, name="x")
    assert x.consumers() == []
    y = tf.add(x, x, name="y")
    assert [op.name for op in x.consumers()] == ["y", "y"]
    z = tf.negative(x, name="z")
    assert [op.name for op in x.consumers()] == ["y", "y", "z"]
    z.op._update_input(0, y)
    assert [op.name for op in x.consumers()] == ["y", "y"] and [op.name for op in y.consumers()] == ["z"]
