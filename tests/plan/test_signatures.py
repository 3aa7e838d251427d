"""Calls of functions that don't fit their node: the error of TensorFlow's class, which begins with its words."""

from __future__ import annotations

import functools
import re
from typing import Any

import pytest

from runstep import errors
from runstep.graph.graph import Graph
from runstep.graph.importer import import_graph_def
from runstep.session.session import Session
from runstep.testing.oracle import tensorflow

TYPES = {"f": "float32", "i": "int32", "b": "bool"}

# Op, its functions by their types ("if_f" takes an int32 and a float32 and returns a float32; "none" isn't there),
# what the node gives and wants. The first function is called, the second isn't; of loops both are.
MISTAKES = [
    ("PartitionedCall", "none", "f", "f"),
    ("PartitionedCall", "f_f", "ff", "f"),
    ("PartitionedCall", "i_i", "f", "i"),
    ("PartitionedCall", "f_f", "f", "i"),
    ("PartitionedCall", "f_f", "f", "ff"),
    ("StatefulPartitionedCall", "none", "f", "f"),
    ("StatefulPartitionedCall", "i_i", "f", "i"),
    ("StatefulPartitionedCall", "f_f", "f", "i"),
    ("RemoteCall", "none", "f", "f"),
    ("RemoteCall", "ff_f", "f", "f"),
    ("RemoteCall", "f_f", "ff", "f"),
    ("RemoteCall", "i_f", "f", "f"),
    ("RemoteCall", "f_ff", "f", "fi"),
    ("RemoteCall", "f_f", "f", "ff"),
    ("SymbolicGradient", "f_f", "f", "f"),
    ("SymbolicGradient", "i_f", "ff", "f"),
    ("SymbolicGradient", "f_f", "ff", "i"),
    ("SymbolicGradient", "f_f", "ff", "ff"),
    *(
        (op, functions, given, wanted)
        for op in ("If", "StatelessIf", "Case")
        for functions, given, wanted in (
            ("ff_f f_f", "f", "f"),
            ("f_f f_f", "ff", "f"),
            ("i_f f_f", "f", "f"),
            ("f_i f_f", "f", "f"),
            ("f_ff f_f", "f", "f"),
            ("f_f f_ff", "f", "ff"),
            ("f_f i_i", "f", "f"),
            ("f_f ff_f", "f", "f"),
        )
    ),
    ("If", "none f_f", "f", "f"),
    ("StatelessIf", "f_f none", "f", "f"),
    ("Case", "f_f none", "f", "f"),
    ("StatelessCase", "i_f f_f", "f", "f"),
    ("StatelessCase", "f_i f_f", "f", "f"),
    *(
        ("While", functions, given, "")
        for functions, given in (
            ("f_b none", "f"),
            ("none f_f", "f"),
            ("i_b f_f", "f"),
            ("ff_b f_f", "f"),
            ("f_b f_f", "ff"),
            ("f_bb f_f", "f"),
            ("f_b f_i", "f"),
            ("f_b f_ff", "f"),
            ("f_b i_i", "f"),
            ("fi_b ff_fi", "ff"),
        )
    ),
    ("StatelessWhile", "f_b f_i", "f", ""),
    ("For", "none", "f", ""),
    ("For", "if_i", "f", ""),
    ("For", "if_ff", "f", ""),
    ("For", "iff_f", "ff", ""),
    ("For", "f_f", "f", ""),
    ("For", "ff_f", "f", ""),
    ("For", "iff_f", "f", ""),
]


def _function(types: str) -> Any:
    """Each output is one more than the first argument, or whether that is below three."""
    from tensorflow.python.framework import function

    tf = tensorflow().compat.v1
    takes, _, gives = types.partition("_")

    def body(*arguments: Any) -> Any:
        x = arguments[0]
        found = [x < 3 if kind == "b" else tf.cast(x + 1, TYPES[kind]) for kind in gives]
        return found if len(found) > 1 else found[0]

    return function.Defun(*(TYPES[kind] for kind in takes), func_name=types)(body)


Row = tuple[str, str, str, str]
Rows = tuple[Row, ...]


def _rows(row: Row) -> Rows:
    """The rows that share a graph with `row`: TensorFlow looks for all functions that a graph calls."""
    return (row,) if "none" in row[1] else tuple(other for other in MISTAKES if "none" not in other[1])


def _graph(rows: Rows) -> tuple[Any, dict[Any, str]]:
    """A graph of these rows, and the names of their nodes."""
    tf = tensorflow().compat.v1
    with tf.Graph().as_default() as graph:
        for types in sorted({types for _, functions, _, _ in rows for types in functions.split()} - {"none"}):
            _function(types).add_to_graph(graph)
        starts = {kind: tf.placeholder_with_default(tf.constant(1, TYPES[kind]), []) for kind in "fi"}
        true, zero, two = (tf.placeholder_with_default(tf.constant(value), []) for value in (True, 0, 2))
        first = {"If": [true], "Case": [zero], "RemoteCall": [tf.constant("/cpu:0")], "For": [zero, two, starts["i"]]}
        return graph, {
            row: _node(graph, row, [*first.get(row[0].removeprefix("Stateless"), ()), *(starts[k] for k in row[2])])
            for row in rows
        }


def _node(graph: Any, row: Any, inputs: list[Any]) -> str:
    from tensorflow.core.framework import attr_value_pb2

    tf = tensorflow().compat.v1
    op, functions, *_ = row
    given, wanted = ([tf.as_dtype(TYPES[kind]) for kind in kinds] for kinds in (row[2], row[3] or row[2]))
    names = [tf.AttrValue(func=attr_value_pb2.NameAttrList(name=name)) for name in functions.split()]
    if "While" in op or op == "For":
        attrs = {"T": given}
    else:
        attrs = {"Tin": given, "Tout": wanted}
    values = {
        key: tf.AttrValue(list=tf.AttrValue.ListValue(type=[dtype.as_datatype_enum for dtype in types]))
        for key, types in attrs.items()
    }
    if op.endswith("Case"):
        values["branches"] = tf.AttrValue(list=tf.AttrValue.ListValue(func=[name.func for name in names]))
    elif op.endswith("If"):
        values |= {
            "then_branch": names[0],
            "else_branch": names[1],
            "Tcond": tf.AttrValue(type=tf.bool.as_datatype_enum),
        }
    elif op.endswith("While"):
        values |= {"cond": names[0], "body": names[1]}
    else:
        values["body" if op == "For" else "f"] = names[0]
    return str(graph.create_op(op, inputs, wanted, attrs=values).name)


@functools.cache
def _answers(rows: Rows) -> list[dict[Any, tuple[str, Any, str]]]:
    """What each row's node gives in TensorFlow and in ours: its values, or class and words of its error."""
    tf = tensorflow().compat.v1
    original, names = _graph(rows)
    ours = Graph()
    with ours.as_default():
        import_graph_def(original.as_graph_def(), name="")
    with tf.Session(graph=original) as session:
        wanted = {row: _told(session, name, len(row[3] or row[2]), tf.errors.OpError) for row, name in names.items()}
    with Session(graph=ours) as other:
        return [wanted, {row: _told(other, name, len(row[3] or row[2]), errors.OpError) for row, name in names.items()}]


def _told(session: Any, name: str, count: int, family: Any) -> tuple[str, Any, str]:
    try:
        return "", session.run([f"{name}:{i}" for i in range(count)]), ""
    except family as error:
        lines = [line for line in error.message.splitlines() if line and not line.startswith(_AROUND)]
        return type(error).__name__, None, lines[0]


_AROUND = ("Graph execution error", "Detected at", "Node:", " ", "\t")

OTHER_WORDS = ("PartitionedCall-f_f-ff-f", "While-f_b i_i-f-")
"""Rows for which TensorFlow has words that say less."""


@pytest.mark.parametrize("row", MISTAKES, ids="-".join)
def test_same_as_tensorflow(row: Row) -> None:
    (*wanted, their_words), (*found, our_words) = (answers[row] for answers in _answers(_rows(row)))
    assert found == wanted
    if wanted[0] and "-".join(row) not in OTHER_WORDS:
        assert our_words.startswith(re.split(r"[.:]? ?goo|[.]$| for node| from", their_words)[0])
        assert f"({row[0]})" in our_words  # the node
