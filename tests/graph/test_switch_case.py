"""`switch_case` makes TensorFlow's Case of functions; `init_scope` leaves functions, branches and loops."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import runstep
from runstep.testing import programs
from runstep.testing.oracle import tensorflow

INDICES = (0, 1, 2, 7, -1)


def build(tf: Any, gradients: bool = True) -> tuple[list[Any], Any]:
    """Fetches, and what sets the variable."""
    n = tf.placeholder(tf.int32, [], name="n")
    x = tf.placeholder(tf.float32, [2], name="x")
    v = tf.get_variable("v", initializer=2.0, use_resource=False)
    r = tf.get_variable("r", initializer=2.0, use_resource=True)

    def adding(amount: float) -> Callable[[], Any]:
        return lambda: tf.group(r.assign_add(amount))

    found = [tf.switch_case(n, [lambda: x * v, lambda: tf.tile(x, [n])], default=lambda: x)]
    nested = tf.switch_case(n, {1: lambda: {"a": x, "b": (n, [v])}, 0: lambda: {"a": x + 1.0, "b": (n, [v])}}, name="a")
    found += [nested["a"], nested["b"][0], nested["b"][1][0]]
    found.append(tf.switch_case(n, [(1, lambda: x * 5.0), (0, lambda: tf.exp(x))]))
    sparse = [lambda k=k: tf.SparseTensor([[k]], x[:1] * v, [3]) for k in (0, 1)]
    found.append(tf.sparse_tensor_to_dense(tf.switch_case(n, sparse)))

    def inner() -> Any:
        return tf.switch_case(n - 1, [lambda: x * 7.0, lambda: x * r])

    found.append(tf.switch_case(n, [lambda: -x, inner]))
    turn = tf.while_loop(
        lambda i, s: i < 3, lambda i, s: (i + 1, tf.switch_case(i, [lambda: s * 2.0, lambda: s + x])), [0, x]
    )
    found.append(turn[1])
    if gradients:
        found += tf.gradients(found[0] + found[-2], [x, v, r])
    with tf.control_dependencies(found):
        changed = tf.switch_case(n, [adding(1.0), adding(10.0)])
        with tf.control_dependencies([changed]):
            found += [changed, r.read_value()]
    return found, tf.global_variables_initializer()


def run(tf: Any, graph_def: Any = None, names: Any = None) -> tuple[list[Any], Any, list[str]]:
    with tf.Graph().as_default() as graph:
        if graph_def is None:
            found, start = build(tf)
        else:
            tf.import_graph_def(tf.GraphDef.FromString(graph_def), name="")
            found, start = [graph.get_tensor_by_name(name) for name in names[:-1]], names[-1]
        values = []
        with tf.Session() as session:
            session.run(start)
            for index in INDICES:
                values.append(session.run(found, {"n:0": index, "x:0": [1.5, -2.0]}))
        return values, graph, [*(tensor.name for tensor in found), getattr(start, "name", "")]


def nodes(tf: Any) -> dict[str, Any]:
    with tf.Graph().as_default() as graph:
        build(tf, gradients=False)
    kinds = ("Case", "StatelessCase")
    return {
        node.name: (
            node.op,
            [name for name in node.input if name[0] != "^"],
            str(node.attr["Tout"]) + str(node.attr["output_shapes"]),
            len(node.attr["branches"].list.func),
            str(node.attr["_lower_using_switch_merge"]),
        )
        for node in graph.as_graph_def().node
        if node.op in kinds and not node.name.startswith("while")  # TensorFlow's loop may be a function
    }


def test_same_values_and_tensorflow_runs_it() -> None:
    tf = tensorflow().compat.v1
    theirs, _, _ = run(tf)
    ours, graph, names = run(runstep)
    for a, b in zip(ours, theirs, strict=True):
        for x, y in zip(a, b, strict=True):
            np.testing.assert_allclose(x, y, rtol=1e-6)
    assert nodes(runstep) == nodes(tf) != {}
    again, _, _ = run(tf, graph.as_graph_def().SerializeToString(), names)
    for a, b in zip(again, theirs, strict=True):
        for x, y in zip(a, b, strict=True):
            np.testing.assert_allclose(x, y, rtol=1e-6)


def changing(tf: Any, n: Any, x: Any, variable: Any) -> Any:
    return tf.switch_case(n, [lambda: variable.assign_add(1.0), lambda: x])


WRONG: dict[str, Callable[[Any, Any, Any], Any]] = {
    "another dtype": lambda tf, n, x: tf.switch_case(n, [lambda: x, lambda: tf.cast(x, tf.float64)]),
    "None beside a tensor": lambda tf, n, x: tf.switch_case(n, [lambda: x, lambda: None]),
    "none": lambda tf, n, x: tf.switch_case(n, []),
    "1 without 0": lambda tf, n, x: tf.switch_case(n, {1: lambda: x}),
    "2 without 1": lambda tf, n, x: tf.switch_case(n, {0: lambda: x, 2: lambda: x}),
    "twice 1": lambda tf, n, x: tf.switch_case(n, [(1, lambda: x), (1, lambda: x)]),
    "a string": lambda tf, n, x: tf.switch_case(n, {0: lambda: x, "a": lambda: x}),
    "a number": lambda tf, n, x: tf.switch_case(n, [(0, 3), (1, lambda: x)]),
    "three": lambda tf, n, x: tf.switch_case(n, [(1, 2, 3)]),
    "no functions": lambda tf, n, x: tf.switch_case(n, 3),
    "a default that is none": lambda tf, n, x: tf.switch_case(n, [lambda: x], default=3),
    "an index of Python": lambda tf, n, x: tf.switch_case(1, [lambda: x, lambda: x]),
    "an index of 64 bits": lambda tf, n, x: tf.switch_case(tf.cast(n, tf.int64), [lambda: x, lambda: x]),
    "an index of floats": lambda tf, n, x: tf.switch_case(x, [lambda: x, lambda: x]),
    "a reference that is changed": lambda tf, n, x: tf.switch_case(n, [tf.Variable(1.0).assign(x).op, lambda: x]),
    "a reference changed inside": lambda tf, n, x: changing(tf, n, x, tf.Variable(1.0, use_resource=False)),
}


def test_same_errors() -> None:
    def program(tf: Any, log: Any) -> None:
        n, x = tf.placeholder(tf.int32, [], name="n"), tf.placeholder(tf.float32, [], name="x")
        for name, wrong in WRONG.items():
            try:
                wrong(tf, n, x)
            except (TypeError, ValueError) as error:
                log(name, type(error).__name__)

    programs.same(program, graph=False)
    log: list[Any] = []
    with runstep.Graph().as_default():
        program(runstep, lambda *said: log.append(said))
    assert [name for name, _ in log] == list(WRONG)


def test_what_returns_nothing_or_another_number() -> None:
    """TensorFlow fails with AssertionError in words of its own."""
    with runstep.Graph().as_default():
        n = runstep.placeholder("int32", [])
        assert runstep.switch_case(n, [lambda: None, lambda: None]) is None
        with pytest.raises(TypeError, match="must have the same number, type, and overall structure"):
            runstep.switch_case(n, [lambda: (n, n), lambda: (n,)])


def test_outside_of_everything() -> None:
    def program(tf: Any, log: Any) -> None:
        graph = tf.get_default_graph()

        def said(what: str) -> Any:
            with tf.init_scope():
                made = tf.constant(3.0, name=what)
            context = made.op._get_control_flow_context()
            log(what, made.name, made.graph is graph, context, made.op.device, len(made.op.control_inputs))
            return made

        first = tf.constant(1.0)
        with tf.name_scope("outer"), tf.device("/cpu:1"), tf.control_dependencies([first]):
            said("plain")
            tf.cond(first > 0.0, lambda: said("branch"), lambda: first)
            tf.while_loop(lambda i: i < 9.0, lambda i: i + said("loop"), [first])
            tf.switch_case(tf.constant(1), [lambda: said("number"), lambda: first])

            def of_its_own() -> Any:
                with tf.name_scope("inner"), tf.device("/cpu:2"):
                    return said("named")

            tf.switch_case(tf.constant(1), [of_its_own, lambda: first])

    programs.same(program, graph=False)


def test_a_misspelt_name() -> None:
    with pytest.raises(AttributeError, match="no attribute 'placholder'. Did you mean: 'placeholder'"):
        _ = runstep.placholder
    with pytest.raises(AttributeError, match="no attribute 'quite_another_thing'$"):
        _ = runstep.quite_another_thing
