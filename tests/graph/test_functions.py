"""The library of functions: imported, exported, instantiated."""

from __future__ import annotations

from typing import Any

import pytest

import runstep
from runstep.graph.attr_value import NameAttrs
from runstep.graph.functions import FunctionGraph, define
from runstep.protos import function_pb2, graph_pb2
from runstep.testing.oracle import tensorflow


def with_functions() -> Any:
    """A graph of TensorFlow's with functions that call functions, branch and loop."""
    tf = tensorflow()

    @tf.function
    def inner(x: Any) -> Any:
        return x * 2.0, x - 1.0

    @tf.function
    def outer(x: Any, y: Any) -> Any:
        a, b = inner(x)
        if y > 0:
            a = a + b
        while a < 100.0:
            a = a * 2.0
        return a

    with tf.Graph().as_default() as graph:
        x = tf.compat.v1.placeholder(tf.float32, [], name="x")
        y = tf.compat.v1.placeholder(tf.int32, [], name="y")
        tf.identity(outer(x, y), name="found")
    return graph.as_graph_def()


def test_functions_come_back_as_they_were() -> None:
    definition = with_functions()
    assert definition.library.function
    with runstep.Graph().as_default() as graph:
        runstep.import_graph_def(definition, name="")
        assert graph.as_graph_def() == graph_pb2.GraphDef.FromString(definition.SerializeToString())


def test_functions_imported_twice_are_one(rs: Any) -> None:
    definition = with_functions()
    rs.import_graph_def(definition)
    rs.import_graph_def(definition)
    assert len(rs.get_default_graph().as_graph_def().library.function) == len(definition.library.function)
    with rs.Session() as session:
        feeds = {"import/x:0": 3.0, "import/y:0": 1, "import_1/x:0": 3.0, "import_1/y:0": 1}
        one, other = session.run(["import/found:0", "import_1/found:0"], feeds)
        assert one == other == 128.0


def test_gradient_functions_are_kept(rs: Any) -> None:
    definition = graph_pb2.GraphDef()
    for name in ("f", "g"):
        function = definition.library.function.add()
        function.signature.name = name
    definition.library.gradient.add(function_name="f", gradient_func="g")
    rs.import_graph_def(definition)
    library = rs.get_default_graph().as_graph_def().library
    assert [(g.function_name, g.gradient_func) for g in library.gradient] == [("f", "g")]


def square(graph: Any) -> NameAttrs:
    body = FunctionGraph("square", graph)
    with body.as_default():
        x = body.add_input("x", runstep.float32, ())
        body.outputs.append(x * x)
    return define(graph, body, "square")


def call(name: NameAttrs, *inputs: Any, types: Any = (runstep.float32,)) -> Any:
    from runstep.graph.apply import apply

    return apply("PartitionedCall", list(inputs), f=name, Tin=[t.dtype for t in inputs], Tout=list(types))


def test_a_defined_function_runs_here_and_in_tensorflow(rs: Any) -> None:
    graph = rs.get_default_graph()
    x = rs.placeholder(rs.float32, [], name="x")
    (y,) = call(square(graph), x)
    with rs.Session() as session:
        assert session.run(y, {x: 3.0}) == 9.0
    tf = tensorflow().compat.v1
    with tf.Graph().as_default():
        tf.import_graph_def(tf.GraphDef.FromString(graph.as_graph_def().SerializeToString()), name="")
        with tf.Session() as session:
            assert session.run(y.name, {"x:0": 3.0}) == 9.0


def test_captured_tensors_become_inputs(rs: Any) -> None:
    graph = rs.get_default_graph()
    outside = rs.placeholder(rs.float32, [], name="outside")
    body = FunctionGraph("add", graph)
    with body.as_default():
        x = body.add_input("x", rs.float32, ())
        body.outputs.append(x + outside + outside)
    assert list(body.captures) == [outside]
    assert [t.op.name for t in body.inputs] == ["x", "outside"]
    x = rs.placeholder(rs.float32, [], name="x")
    (y,) = call(define(graph, body, "add"), x, *body.captures)
    with rs.Session() as session:
        assert session.run(y, {x: 1.0, outside: 10.0}) == 21.0


def polymorphic() -> Any:
    """A function of any type, called by its own name and through a call with its type."""
    definition = graph_pb2.GraphDef()
    function = definition.library.function.add()
    signature = function.signature
    signature.name = "Double"
    signature.attr.add(name="T", type="type")
    signature.input_arg.add(name="x", type_attr="T")
    signature.output_arg.add(name="y", type_attr="T")
    node = function.node_def.add(name="sum", op="AddV2", input=["x", "x"])
    node.attr["T"].placeholder = "T"
    function.ret["y"] = "sum:z:0"
    for kind, name in ((1, "f"), (3, "i")):
        definition.node.add(name=name, op="Placeholder").attr["dtype"].type = kind  # type: ignore[assignment]
        call_ = definition.node.add(name=f"call_{name}", op="Double", input=[name])
        call_.attr["T"].type = kind  # type: ignore[assignment]
    return definition


def test_functions_of_any_type(rs: Any) -> None:
    rs.import_graph_def(polymorphic(), name="")
    with rs.Session() as session:
        f, i = session.run(["call_f:0", "call_i:0"], {"f:0": 1.5, "i:0": 4})
    assert (f, i) == (3.0, 8)
    assert (f.dtype.name, i.dtype.name) == ("float32", "int32")


@pytest.mark.parametrize(
    ("change", "phrase"),
    [
        (lambda f: f.ret.__setitem__("y", "sum:nothing:0"), "sum:nothing:0"),
        (lambda f: f.node_def[0].input.__setitem__(0, "nobody"), "nobody"),
        (lambda f: f.node_def[0].attr["T"].__setattr__("placeholder", "U"), "without its attribute 'U'"),
        (lambda f: f.node_def.add(name="sum", op="NoOp"), "Node 'sum' is not unique"),
    ],
)
def test_broken_functions_fail_when_they_are_called(rs: Any, change: Any, phrase: str) -> None:
    definition = polymorphic()
    change(definition.library.function[0])
    rs.import_graph_def(definition, name="")
    with rs.Session() as session:
        with pytest.raises(rs.errors.InvalidArgumentError, match=f"Function Double: .*{phrase}"):
            session.run("call_f:0", {"f:0": 1.0})
        assert session.run("f:0", {"f:0": 1.0}) == 1.0


def test_shapes_of_arguments(rs: Any) -> None:
    function = function_pb2.FunctionDef()
    function.signature.name = "f"
    function.signature.input_arg.add(name="x", type=1)
    function.signature.output_arg.add(name="y", type=1)
    function.arg_attr[0].attr["_output_shapes"].list.shape.add().dim.add(size=3)
    function.ret["y"] = "x"
    definition = graph_pb2.GraphDef()
    definition.library.function.add().CopyFrom(function)
    rs.import_graph_def(definition)
    body = rs.get_default_graph()._functions["f"].body({})
    assert body.inputs[0].shape.as_list() == [3]
    assert body.outputs == body.inputs
