"""TensorFlow's ops that runstep does not compute: they can be built, written and read, and a step that needs one is
refused."""

from __future__ import annotations

import re
from typing import Any

import pytest

import runstep as tf
from runstep.graph.op_def_proto import to_proto
from runstep.ops import registry
from runstep.protos import op_def_pb2
from runstep.testing import definitions, oracle

OPS = {
    "IntAttr": [tf.int64],
    "Int64Output": [tf.int64],
    "Namespace>TestStringOutput": [tf.float32, tf.string],
    "OpWithDefaultAttr": [tf.int32],
    "OpWithFutureDefaultAttr": [],
}


def _plain(proto: Any) -> Any:
    """An OpDef without what is for people, and what only TensorFlow's own passes read."""
    found = op_def_pb2.OpDef()
    found.CopyFrom(proto)
    for field in ("summary", "description", "deprecation", "is_distributed_communication", "control_output"):
        found.ClearField(field)
    for part in (*found.input_arg, *found.output_arg):
        part.ClearField("description")
        part.ClearField("handle_data")
        part.ClearField("experimental_full_type")
    for attr in found.attr:
        attr.ClearField("description")
    return found


def test_every_op_of_tensorflow_is_defined() -> None:
    protos = definitions.missing()
    assert len(protos) > 500
    known: Any = {proto.name: registry.get(proto.name) for proto in protos}
    differing = [proto.name for proto in protos if _plain(to_proto(known[proto.name])) != _plain(proto)]
    assert differing == []


def _add(graph: Any, proto: Any) -> tuple[Any, list[int]]:
    """Adds a node of an op, with attributes as short as they can be; returns it and the types of its outputs."""
    node = graph.node.add(name=f"it.{proto.name}".replace(">", "."), op=proto.name)
    for attr in proto.attr:
        if attr.HasField("default_value"):
            continue
        found = node.attr[attr.name]
        least = max(attr.minimum, 1)
        allowed = attr.allowed_values.list
        if attr.type.startswith("list("):
            element = attr.type[5:-1]
            values = {"type": found.list.type, "int": found.list.i, "float": found.list.f, "string": found.list.s}
            if element in values:
                one = next(iter(allowed.s), b"x") if element == "string" else next(iter(allowed.type), 1)
                values[element].extend([one] * least)
            elif element == "shape":
                found.list.shape.add()
            elif element == "func":
                found.list.func.add(name="f")
            else:
                found.list.SetInParent()
        elif attr.type == "type":
            found.type = next(iter(allowed.type), 1)
        elif attr.type == "string":
            found.s = next(iter(allowed.s), b"x")
        elif attr.type == "shape":
            found.shape.dim.add(size=2)
        elif attr.type == "func":
            found.func.name = "f"
        elif attr.type == "int":
            found.i = least
        elif attr.type == "tensor":
            found.tensor.dtype = 1
            found.tensor.tensor_shape.SetInParent()
            found.tensor.float_val.append(1)
        else:
            setattr(found, attr.type[0], 1)

    def types(arg: Any) -> list[int]:
        def value(name: str) -> Any:
            given = node.attr[name] if name in node.attr else None
            return given or next(attr.default_value for attr in proto.attr if attr.name == name)

        if arg.type_list_attr:
            return list(value(arg.type_list_attr).list.type)
        kind = arg.type or value(arg.type_attr).type
        return [kind + (100 if arg.is_ref else 0)] * (value(arg.number_attr).i if arg.number_attr else 1)

    for index, kind in enumerate(kind for arg in proto.input_arg for kind in types(arg)):
        source = graph.node.add(name=f"{node.name}.{index}", op="VariableV2" if kind > 100 else "FakeParam")
        source.attr["dtype"].type = kind % 100
        source.attr["shape"].shape.SetInParent()
        node.input.append(source.name)
    return node, [kind for arg in proto.output_arg for kind in types(arg)]


def test_nodes_of_them_survive_and_are_refused() -> None:
    graph_def = tf.GraphDef()
    graph_def.library.function.add().signature.name = "f"
    added = [(proto, *_add(graph_def, proto)) for proto in definitions.missing()]
    graph = tf.Graph()
    with graph.as_default():
        tf.import_graph_def(graph_def, name="")
    for proto, given, kinds in added:
        node = graph.get_operation_by_name(given.name)
        assert [tensor.dtype.as_datatype_enum for tensor in node.outputs] == kinds, proto.name
        written = node.node_def
        assert set(written.attr) == {attr.name for attr in proto.attr}, proto.name
        for attr in proto.attr:
            if attr.HasField("default_value"):
                assert written.attr[attr.name] == attr.default_value
                del written.attr[attr.name]
        assert written == given, proto.name
    with tf.Session(graph=graph) as session:
        for proto, given, _ in added[::20]:
            text = f"No OpKernel was registered to support Op '{proto.name}' used by {{{{node {given.name}}}}}"
            with pytest.raises(tf.errors.InvalidArgumentError, match=re.escape(text)):
                session.run(given.name)


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
