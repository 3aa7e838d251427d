"""`import_graph_def`: the graph that TensorFlow makes, or its error; never half of a graph."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import runstep
from runstep.protos import graph_pb2, op_def_pb2, types_pb2


def node(name: str, op: str, inputs: str = "", device: str = "", **attrs: str) -> str:
    parts = [f'name: "{name}" op: "{op}" device: "{device}"']
    parts += [f'input: "{ref}"' for ref in inputs.split()]
    parts += [f'attr {{ key: "{key}" value {{ {value} }} }}' for key, value in attrs.items()]
    return f"node {{ {' '.join(parts)} }}\n"


def placeholder(name: str, dtype: str = "DT_FLOAT", **attrs: str) -> str:
    return node(name, "Placeholder", dtype=f"type: {dtype}", **attrs)


def neg(name: str, inputs: str, **attrs: str) -> str:
    return node(name, "Neg", inputs, **{"T": "type: DT_FLOAT", **attrs})


TWO = placeholder("x") + neg("y", "x ^x", _class='list { s: "loc:@x" }')
SCALAR = "shape { }"


def imported(tf: Any, parsed: Any, text: str, before: Any = None, **arguments: Any) -> Any:
    """What an import does: the nodes of the graph afterwards, or the class of its error."""
    if before is not None:
        before(tf)
    graph = tf.get_default_graph()
    there = [op.name for op in graph.get_operations()]
    try:
        found = tf.import_graph_def(parsed(tf, text), **arguments)
    except (ValueError, TypeError) as error:
        if tf is runstep:
            made = [op.name for op in graph.get_operations()]
            assert made[: len(there)] == there and all("_inputs" in name for name in made[len(there) :])
        return type(error).__name__, str(error)
    made = [
        (item.name, item.op, list(item.input), item.device, list(item.attr["_class"].list.s), text_of(tf, item.name))
        for item in graph.as_graph_def().node
    ]
    return [getattr(item, "name", item) for item in found or ()], made


def text_of(tf: Any, name: str) -> list[tuple[str, Any]]:
    op = tf.get_default_graph().get_operation_by_name(name)
    return [(t.dtype.name, t.shape.as_list() if t.shape.rank is not None else None) for t in op.outputs]


GOOD: dict[str, tuple[str, dict[str, Any]]] = {
    "default prefix": (TWO, {}),
    "no prefix": (TWO, {"name": ""}),
    "a prefix": (TWO, {"name": "a/b"}),
    "a prefix taken literally": (TWO, {"name": "a/b/"}),
    "returned": (TWO, {"return_elements": ["x", "y:0", "x:0", "y"]}),
    "nothing returned": (TWO, {"return_elements": []}),
    "consumers first": (neg("c", "b") + neg("b", "a") + placeholder("a"), {"return_elements": ["c"]}),
    "order of nodes": (placeholder("z") + neg("b", "z") + placeholder("a") + neg("c", "a"), {}),
    "names of one spelling": (placeholder("x") + placeholder("X"), {"name": ""}),
    "defaults left out": (placeholder("x") + node("m", "MatMul", "x x", T="type: DT_FLOAT"), {}),
    "an attribute nobody knows": (placeholder("x") + neg("y", "x", foo="i: 3", _bar='s: "b"'), {}),
    "an explicit port": (placeholder("x") + neg("y", "x:0"), {}),
    "several ports": (
        placeholder("x", shape="shape { dim { size: 4 } }")
        + node("axis", "Const", dtype="type: DT_INT32", value="tensor { dtype: DT_INT32 tensor_shape { } int_val: 0 }")
        + node("s", "Split", "axis x", T="type: DT_FLOAT", num_split="i: 2")
        + neg("y", "s:1"),
        {"return_elements": ["s:1", "y:0"]},
    ),
    "a device": (node("n", "NoOp", device="/job:w/cpu:1"), {}),
    "an empty graph": ("", {}),
    "only versions": ("versions { producer: 30 }", {}),
    "old scalars are unknown": (placeholder("x", shape=SCALAR) + "versions { producer: 21 }", {}),
    "scalars are scalars": (placeholder("x", shape=SCALAR) + "versions { producer: 22 }", {}),
    "no version is an old one": (placeholder("x", shape=SCALAR), {}),
    "old shapes with sizes": (placeholder("x", shape="shape { dim { size: 2 } }") + "versions { producer: 5 }", {}),
}


@pytest.mark.parametrize("name", GOOD)
def test_same_graph(name: str, both: Any, parsed: Any) -> None:
    text, arguments = GOOD[name]
    ours, theirs = both(lambda tf: imported(tf, parsed, text, **arguments))
    assert ours == theirs


SURROUNDINGS: dict[str, Any] = {
    "a name scope": lambda tf, stack: tf.get_default_graph().name_scope("outer"),
    "a device": lambda tf, stack: tf.device("/cpu:1"),
    "a device function": lambda tf, stack: tf.device(lambda op: "/cpu:2" if op.type == "NoOp" else "/job:q"),
    "control dependencies": lambda tf, stack: tf.control_dependencies([tf.no_op(name="first")]),
    "a colocation": lambda tf, stack: tf.get_default_graph().colocate_with(tf.placeholder("float32", name="leader").op),
}


@pytest.mark.parametrize("prefix", [None, "", "s"])
@pytest.mark.parametrize("name", SURROUNDINGS)
def test_same_graph_inside_of_blocks(name: str, prefix: Any, both: Any, parsed: Any) -> None:
    text = TWO + node("d", "NoOp", device="/job:w") + node("e", "NoOp", device="/gpu:3")

    def build(tf: Any) -> Any:
        with SURROUNDINGS[name](tf, None):
            return imported(tf, parsed, text, name=prefix)

    ours, theirs = both(build)
    assert ours == theirs


def test_names_that_are_taken(both: Any, parsed: Any) -> None:
    def build(tf: Any) -> Any:
        for name in ("x", "a/x", "a/x_1", "Y"):
            tf.placeholder("float32", name=name)
        first = imported(tf, parsed, TWO, name="", return_elements=["x", "x:0", "y:0"])
        second = imported(tf, parsed, TWO, name="a/", return_elements=["x", "x:0", "y:0"])
        third = imported(tf, parsed, TWO)
        return first, second, third, imported(tf, parsed, TWO)

    ours, theirs = both(build)
    assert ours == theirs


BAD: dict[str, tuple[str, dict[str, Any], str]] = {
    "no such input": (neg("y", "x"), {}, "Node 'y': Unknown input node 'x'"),
    "no such port": (
        placeholder("x") + neg("y", "x:3"),
        {},
        "Connecting to invalid output 3 of source node x which has 1",
    ),
    "another type": (
        placeholder("x", "DT_INT32") + neg("y", "x"),
        {},
        "was passed int32 from import/x:0 incompatible with",
    ),
    "too few inputs": (
        placeholder("x") + node("y", "AddV2", "x", T="type: DT_FLOAT"),
        {},
        "do not match 1 inputs specified",
    ),
    "too many inputs": (placeholder("x") + neg("y", "x x"), {}, "do not match 2 inputs specified"),
    "one name twice": (placeholder("x") * 2, {}, "Node 'x' is not unique"),
    "a cycle": (neg("a", "b") + neg("b", "a"), {}, "2 nodes in a cycle"),
    "an attribute left out": (
        placeholder("x") + node("y", "Neg", "x"),
        {},
        "NodeDef missing attr 'T' from Op<name=Neg",
    ),
    "an attribute of another kind": (
        placeholder("x") + neg("y", "x", T="i: 1"),
        {},
        "AttrValue had value with type 'int' when 'type' expected",
    ),
    "a type that is not allowed": (
        placeholder("x", "DT_STRING") + neg("y", "x", T="type: DT_STRING"),
        {},
        "Value for attr 'T' of string is not in the list of allowed values: bfloat16, half, float, double",
    ),
    "a control input first": (
        placeholder("x") + placeholder("z") + neg("y", "^z x"),
        {},
        "Node 'y': Control dependencies must come after regular dependencies",
    ),
    "no such control input": (placeholder("x") + neg("y", "x ^z"), {}, "Node 'y': Unknown input node '^z'"),
    "shapes that clash": (
        placeholder("x", shape="shape { dim { size: 2 } dim { size: 3 } }")
        + node("m", "MatMul", "x x", T="type: DT_FLOAT"),
        {},
        "Dimensions must be equal, but are 3 and 2 for '{{node import/m}} = MatMul",
    ),
    "a name with a space": (placeholder("a b"), {}, "Node 'a b': Node name contains invalid characters"),
    "a name with an underscore": (placeholder("_x"), {}, "Node '_x': Node name contains invalid characters"),
    "no name": (placeholder(""), {}, "Node name contains invalid characters"),
    "no such leader": (
        placeholder("x") + neg("y", "x", _class='list { s: "loc:@gone" }'),
        {},
        "Node 'y' expects to be colocated with unknown node 'gone'",
    ),
    "no such element": (
        placeholder("x"),
        {"return_elements": ["z"]},
        "Requested return node 'z' not found in graph def",
    ),
    "no such tensor": (
        placeholder("x"),
        {"return_elements": ["z:0"]},
        "Requested return tensor 'z:0' not found in graph",
    ),
    "no such output": (
        placeholder("x"),
        {"return_elements": ["x:1"]},
        "Invalid return output 1 of node 'x', which has 1 output(s)",
    ),
    "elements that are no list": (placeholder("x"), {"return_elements": 7}, "not iterable"),
    "elements that are no names": (
        placeholder("x"),
        {"return_elements": [7]},
        "`return_elements` must be a list of strings",
    ),
    "a bad prefix": (placeholder("x"), {"name": "a b"}, "is not a valid root scope name"),
    "a map of other keys": (
        placeholder("x"),
        {"input_map": {1: 1.0}},
        "All keys for argument `input_map` must be strings",
    ),
    "a map to nothing": (placeholder("x"), {"input_map": {"z": 1.0}}, "that were not found in graph_def: [z:0]"),
    "a map to no port": (
        placeholder("x") + neg("y", "x"),
        {"input_map": {"x:1": 1.0}},
        "Attempted to map inputs that were not found in graph_def: [x:1]",
    ),
    "a map of another type": (
        placeholder("x") + neg("y", "x"),
        {"input_map": {"x": 1}},
        "incompatible with expected float.",
    ),
    "a map of a strange name": (placeholder("x"), {"input_map": {"x:0:1": 1.0}}, "should not contain more than 1 `:`"),
    "a newer version": (
        placeholder("x") + "versions { min_consumer: 99999 }",
        {},
        "GraphDef min consumer version 99999 above",
    ),
    "a version that excludes us": (
        placeholder("x") + "versions { producer: 100 bad_consumers: 2474 }",
        {},
        "GraphDef disallows consumer version 2474",
    ),
    "a negative version": (
        placeholder("x") + "versions { producer: -1 }",
        {},
        "GraphDef producer version -1 below min producer 0",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_same_error(name: str, both: Any, parsed: Any) -> None:
    text, arguments, phrase = BAD[name]
    ours, theirs = both(lambda tf: imported(tf, parsed, text, **arguments))
    assert ours[0] == theirs[0]
    assert phrase in ours[1] and phrase in theirs[1]


def test_a_bad_device_leaves_no_node(rs: Any, parsed: Any) -> None:
    """TensorFlow leaves the nodes that it had made."""
    with pytest.raises(ValueError, match="Node 'x': Unknown attribute 'bogus'"):
        rs.import_graph_def(parsed(rs, placeholder("z") + node("x", "NoOp", device="bogus")))
    assert rs.get_default_graph().get_operations() == []


def test_a_damaged_constant(rs: Any, parsed: Any) -> None:
    """TensorFlow notices when it runs."""
    tensor = 'tensor { dtype: DT_FLOAT tensor_shape { dim { size: 3 } } tensor_content: "abc" }'
    with pytest.raises(ValueError, match="Node 'c' .Const.: attr 'value' is damaged"):
        rs.import_graph_def(parsed(rs, node("c", "Const", dtype="type: DT_FLOAT", value=tensor)))
    other = "tensor { dtype: DT_INT32 tensor_shape { } int_val: 1 }"
    with pytest.raises(ValueError, match="attr 'value' holds int32, attr 'dtype' says float"):
        rs.import_graph_def(parsed(rs, node("c", "Const", dtype="type: DT_FLOAT", value=other)))


def test_a_failure_leaves_functions_and_versions_alone(rs: Any, parsed: Any) -> None:
    graph = rs.get_default_graph()
    text = 'library { function { signature { name: "f" } } } versions { producer: 50 min_consumer: 3 bad_consumers: 4 }'
    with pytest.raises(ValueError):
        rs.import_graph_def(parsed(rs, text + neg("y", "x")))
    assert not graph.as_graph_def().library.function
    versions = graph.graph_def_versions
    assert (versions.producer, versions.min_consumer, list(versions.bad_consumers)) == (2474, 0, [])


def test_input_map(tf: Any, parsed: Any) -> None:
    a, b = tf.constant(1.0, name="a"), tf.constant([2.0], name="b")
    text = placeholder("x") + placeholder("w") + node("y", "AddV2", "x w ^x", T="type: DT_FLOAT") + neg("z", "y")
    y, x, z = tf.import_graph_def(parsed(tf, text), input_map={"x": a, "w:0": b}, return_elements=["y", "x:0", "z:0"])
    assert list(y.inputs) == [a, b]
    assert [op.name for op in y.control_inputs] == ["import/x"]
    assert x is a
    assert z.shape.as_list() == [1]


def test_mapped_control_input(tf: Any, parsed: Any) -> None:
    a = tf.constant(1.0, name="a")
    (y,) = tf.import_graph_def(parsed(tf, TWO), input_map={"^x": a}, return_elements=["y"])
    assert [op.name for op in y.control_inputs] == ["a"]
    assert [t.name for t in y.inputs] == ["import/x:0"]
    with pytest.raises(ValueError, match=r"not found in graph_def: \[\^z\]"):
        tf.import_graph_def(parsed(tf, TWO), input_map={"^z": a})


def test_mapped_python_values(tf: Any, parsed: Any) -> None:
    (y,) = tf.import_graph_def(parsed(tf, TWO), input_map={"x": 3.0}, return_elements=["y"], name="p")
    assert y.inputs[0].name == "p/_inputs/Const:0"


def test_keys_of_mapped_inputs_that_nothing_uses(tf: Any, parsed: Any) -> None:
    tf.import_graph_def(parsed(tf, placeholder("x")), input_map={"x": 1.0, "x:0": 2.0})


def test_finalized_graph(tf: Any, parsed: Any) -> None:
    tf.get_default_graph().finalize()
    with pytest.raises(RuntimeError, match="Graph is finalized and cannot be modified."):
        tf.import_graph_def(parsed(tf, TWO))


@pytest.mark.parametrize("wrong", [None, 7, "text", ["node"]])
def test_no_graph_def(tf: Any, wrong: Any) -> None:
    with pytest.raises(TypeError, match="Argument `graph_def` must be a GraphDef proto."):
        tf.import_graph_def(wrong)


def test_versions_join(tf: Any, parsed: Any) -> None:
    tf.import_graph_def(parsed(tf, "versions { producer: 100 min_consumer: 5 bad_consumers: 3 }"))
    tf.import_graph_def(parsed(tf, "versions { producer: 50 min_consumer: 7 bad_consumers: 4 bad_consumers: 3 }"))
    versions = tf.get_default_graph().graph_def_versions
    assert (versions.producer, versions.min_consumer, list(versions.bad_consumers)) == (50, 7, [3, 4])


def test_messages_of_any_library(rs: Any, parsed: Any) -> None:
    from runstep.testing.oracle import tensorflow

    theirs = tensorflow().compat.v1.GraphDef.FromString(parsed(rs, TWO).SerializeToString())
    for definition in (theirs, parsed(rs, TWO), parsed(rs, TWO).SerializeToString()):
        rs.import_graph_def(definition, name="g")
    assert len(rs.get_default_graph().get_operations()) == 6
    with pytest.raises(ValueError, match="These 2 bytes are not a GraphDef, or it is cut short"):
        rs.import_graph_def(b"\xff\xff")


def test_imported_operations_know_where_they_come_from(rs: Any, parsed: Any) -> None:
    rs.import_graph_def(parsed(rs, TWO))
    frames = rs.get_default_graph().get_operation_by_name("import/y").traceback
    assert frames[-1].name == "test_imported_operations_know_where_they_come_from"


def test_unknown_ops_are_kept(rs: Any, parsed: Any) -> None:
    text = (
        node(
            "u", "FromElsewhere", dtype="type: DT_INT32", depth="i: 4", f="func { name: 'g' }", l="list { f: 1 f: 2.5 }"
        )
        + node("v", "Another", "u:2 ^u", _x="b: true", device="/cpu:0")
        + node("i", "Identity", "u:1", T="type: DT_INT32")
    )
    rs.import_graph_def(parsed(rs, text), name="")
    graph = rs.get_default_graph()
    u, i = graph.get_operation_by_name("u"), graph.get_tensor_by_name("i:0")
    assert u.op_def is None and len(u.outputs) == 3 and i.dtype is rs.int32
    again = graph.as_graph_def()
    again.ClearField("versions")
    assert {item.name: item for item in again.node} == {item.name: with_device(item) for item in parsed(rs, text).node}
    with rs.Session() as session:
        assert session.run(i, {u.outputs[1]: 3}) == 3


def with_device(item: Any) -> Any:
    item.device = "/device:CPU:0" if item.device else ""
    return item


def test_the_producer_s_definitions(rs: Any, parsed: Any) -> None:
    """An attribute that only the producer knows goes where it says no more than the producer's default."""
    ops = op_def_pb2.OpList()
    op = ops.op.add(name="Neg")
    for name in ("new", "other"):
        attr = op.attr.add(name=name, type="int")
        attr.default_value.i = 7
    rs.import_graph_def(parsed(rs, placeholder("x") + neg("y", "x", new="i: 7", other="i: 8")), producer_op_list=ops)
    definition = rs.get_default_graph().get_operation_by_name("import/y").node_def
    assert "new" not in definition.attr and definition.attr["other"].i == 8


def test_ops_that_only_the_producer_defines(rs: Any, parsed: Any) -> None:
    ops = op_def_pb2.OpList()
    op = ops.op.add(name="Theirs")
    op.input_arg.add(name="x", type_attr="T")
    op.output_arg.add(name="a", type_attr="T")
    op.output_arg.add(name="b", type=types_pb2.DT_INT64)
    op.attr.add(name="T", type="type")
    text = placeholder("x") + node("y", "Theirs", "x", T="type: DT_FLOAT")
    rs.import_graph_def(parsed(rs, text), producer_op_list=ops, name="")
    y = rs.get_default_graph().get_operation_by_name("y")
    assert [t.dtype.name for t in y.outputs] == ["float32", "int64"]
    with rs.Session() as session, pytest.raises(rs.errors.OpError, match="Theirs"):
        session.run(y.outputs[0], {"x:0": 1.0})


def test_loops_close(tf: Any, parsed: Any) -> None:
    """A GraphDef may have cycles through NextIteration and Merge."""
    original = tf.Graph()
    with original.as_default():
        tf.while_loop(lambda i: i < 5, lambda i: i + 2, [tf.constant(0)], name="w")
    (found,) = tf.import_graph_def(original.as_graph_def(), return_elements=["w/Exit:0"])
    with tf.Session() as session:
        assert session.run(found) == 6


def test_inside_of_a_branch(tf: Any, parsed: Any) -> None:
    """What is imported inside of a branch belongs to it."""
    p, a = tf.placeholder("bool", name="p"), tf.placeholder("float32", [], name="a")

    def then() -> Any:
        definition = parsed(tf, placeholder("x") + neg("y", "x"))
        return tf.import_graph_def(definition, input_map={"x": a}, return_elements=["y:0"])[0]

    found = tf.cond(p, then, lambda: a)
    with tf.Session() as session:
        assert [session.run(found, {p: value, a: 2.0}) for value in (True, False)] == [-2.0, 2.0]


def test_large_graphs(rs: Any) -> None:
    """Import is linear: a hundred thousand nodes are no matter."""
    definition = graph_pb2.GraphDef()
    definition.node.add(name="n0", op="Placeholder").attr["dtype"].type = 1  # type: ignore[assignment]
    for i in range(1, 30_000):
        item = definition.node.add(name=f"n{i}", op="Neg", input=[f"n{i - 1}"])
        item.attr["T"].type = 1  # type: ignore[assignment]
    definition.node.sort(key=lambda node: node.name)
    (last,) = rs.import_graph_def(definition, return_elements=["n29999:0"], name="")
    assert last.op.inputs[0].name == "n29998:0"


def test_quantized_constants(rs: Any) -> None:
    definition = graph_pb2.GraphDef()
    kind: Any
    for kind, values in ((rs.qint8, [-3, 4]), (rs.quint8, [3, 200]), (rs.qint32, [-70000, 1]), (rs.qint16, [-300, 2])):
        item: Any = definition.node.add(name=kind.name, op="Const")
        item.attr["dtype"].type = kind.as_datatype_enum
        tensor = item.attr["value"].tensor
        tensor.dtype = kind.as_datatype_enum
        tensor.tensor_shape.dim.add(size=2)
        tensor.int_val.extend(values)
    rs.import_graph_def(definition, name="")
    graph = rs.get_default_graph()
    with rs.Session() as session:
        for item in definition.node:
            np.testing.assert_array_equal(session.run(f"{item.name}:0"), list(item.attr["value"].tensor.int_val))
    again = {item.name: item for item in graph.as_graph_def().node}
    for item in definition.node:
        assert again[item.name].attr["value"].tensor.dtype == item.attr["dtype"].type
    from runstep.testing.oracle import tensorflow

    tf = tensorflow().compat.v1
    with tf.Graph().as_default() as theirs:
        tf.import_graph_def(tf.GraphDef.FromString(graph.as_graph_def().SerializeToString()), name="")
        with tf.Session(graph=theirs) as session:
            for item in definition.node:
                values = session.run(f"{item.name}:0")
                np.testing.assert_array_equal(values.astype(np.int64), list(item.attr["value"].tensor.int_val))


def test_equal_attributes_are_shared(rs: Any) -> None:
    """Plans ask once for all nodes that share theirs; what only looks equal stays apart, and is exported as it was."""
    source = graph_pb2.GraphDef()
    for number, (alpha, mark) in enumerate([(0.0, True), (-0.0, True), (0.5, True)]):
        node = source.node.add(name=f"leaky{number}", op="LeakyRelu", input=["x"])
        node.attr["T"].type = types_pb2.DT_FLOAT
        node.attr["alpha"].f = alpha
        node.attr["_mark"].b = mark
    for number, kind in enumerate(["true", "true", "one"]):
        node = source.node.add(name=f"tanh{number}", op="Tanh", input=["x"])
        node.attr["T"].type = types_pb2.DT_FLOAT
        if kind == "true":
            node.attr["_mark"].b = True
        else:
            node.attr["_mark"].i = 1
    x = source.node.add(name="x", op="Placeholder")
    x.attr["dtype"].type = types_pb2.DT_FLOAT
    x.attr["shape"].shape.dim.add(size=3)
    with rs.Graph().as_default() as graph:
        rs.import_graph_def(source, name="")
    attrs = [graph.get_operation_by_name(node.name).attrs for node in source.node]
    assert attrs[3] is attrs[4] and len({id(found) for found in attrs}) == len(attrs) - 1
    again = {node.name: node for node in graph.as_graph_def().node}
    assert all(again[node.name].attr == node.attr for node in source.node)
    assert np.signbit([again[f"leaky{number}"].attr["alpha"].f for number in range(3)]).tolist() == [False, True, False]
