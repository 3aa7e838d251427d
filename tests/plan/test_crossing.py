"""Nodes that take from several frames: those that constants decide run, all others are refused, as in TensorFlow."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import runstep
from runstep.graph.apply import apply
from runstep.testing.oracle import tensorflow

Row = Callable[[Any, Any], Any]


def enter(tf: Any, value: Any, constant: bool = True, frame: str = "f") -> Any:
    return tf.raw_ops.Enter(data=value, frame_name=frame, is_constant=constant, parallel_iterations=10)


def switch(tf: Any, value: Any, way: Any) -> Any:
    return tuple(tf.raw_ops.Switch(data=value, pred=way))


def after(tf: Any, value: Any, made: Callable[[], Any]) -> Any:
    with tf.control_dependencies([value]):
        return made()


def looped(tf: Any, x: Any, plus: Any, to: Any) -> Any:
    """A loop from x whose limit and step are what is given: tensors of its frame, or constants outside of it."""
    start = enter(tf, x, False)
    i = tf.raw_ops.Merge(inputs=[start, start])[0]
    done, more = switch(tf, i, tf.raw_ops.LoopCond(input=tf.less(i, to)))
    i.op._update_input(1, tf.raw_ops.NextIteration(data=more + plus))
    return done


def around(tf: Any, x: Any, again: Any) -> Any:
    found = tf.raw_ops.Merge(inputs=[x, x])[0]
    found.op._update_input(1, again)
    return found


RUN: dict[str, Row] = {
    "constants": lambda tf, x: enter(tf, tf.constant(3)) + 4,
    "constants twice": lambda tf, x: (enter(tf, tf.constant(3)) + 4) * (-enter(tf, tf.constant(5)) + 1),
    "a constant that waits": lambda tf, x: enter(tf, after(tf, x, lambda: tf.constant(3))) + 4,
    "outside of two frames": lambda tf, x: tf.raw_ops.Exit(
        data=enter(tf, enter(tf, tf.constant(3)), frame="g") + tf.constant(4)
    ),
    "then a value": lambda tf, x: (enter(tf, tf.constant(3)) + 4) * enter(tf, x),
    "limit of a loop": lambda tf, x: looped(tf, x, enter(tf, tf.constant(2)), enter(tf, tf.constant(5)) + 4),
    "step of a loop": lambda tf, x: looped(tf, x, enter(tf, tf.constant(2)) * 3, enter(tf, tf.constant(9))),
    "way known": lambda tf, x: -switch(tf, enter(tf, x), tf.constant(True))[1],
    "way entered": lambda tf, x: -switch(tf, tf.constant(3), enter(tf, tf.constant(True)))[1] + 1,
    "waits for a constant": lambda tf, x: after(tf, tf.constant(1), lambda: -enter(tf, x)),
}
REFUSED: dict[str, Row] = {
    "a value": lambda tf, x: enter(tf, tf.constant(3)) + x,
    "a value entered": lambda tf, x: enter(tf, x) + 4,
    "times one": lambda tf, x: enter(tf, x) * 1,
    "not as a constant": lambda tf, x: enter(tf, tf.constant(3), False) + 4,
    "two frames": lambda tf, x: enter(tf, tf.constant(3)) + enter(tf, tf.constant(4), frame="g"),
    "waits for a value": lambda tf, x: (lambda e: after(tf, x + 1, lambda: tf.identity(e)))(-enter(tf, x)),
    "a text": lambda tf, x: tf.strings.join([enter(tf, tf.constant("a")), tf.constant("b")]),
    "drawn": lambda tf, x: enter(tf, tf.constant(3)) + tf.random.uniform([], 4, 5, dtype="int32"),
    "way entered, value outside": lambda tf, x: -switch(tf, x, enter(tf, tf.constant(True)))[1],
    "limit outside": lambda tf, x: looped(tf, x, enter(tf, tf.constant(2)), tf.constant(5)),
    "goes round outside": lambda tf, x: tf.raw_ops.Enter(
        data=around(tf, x, tf.raw_ops.NextIteration(data=enter(tf, x))), frame_name="g"
    ),
}


ROWS = RUN | REFUSED


def outcome(tf: Any, session: Any, fetch: str, **kwargs: Any) -> Any:
    try:
        return session.run(fetch, {"x:0": 2}, **kwargs)
    except tf.errors.InvalidArgumentError as error:
        return "refused" if "has inputs from different frames" in str(error) else str(error)


@pytest.fixture(scope="module")
def wanted() -> Any:
    """TensorFlow's answers, and its graph of all rows."""
    v1 = tensorflow().compat.v1
    with v1.Graph().as_default() as graph:
        x = v1.placeholder("int32", [], name="x")
        for name, row in ROWS.items():
            with v1.name_scope(name.replace(" ", "_").replace(",", "")):
                v1.raw_ops.Exit(data=row(v1, x), name="found")
        names = [op.name + ":0" for op in graph.get_operations() if op.name.endswith("/found")]
        with v1.Session() as session:
            answers = [outcome(v1, session, name, options=v1.RunOptions(timeout_in_ms=30_000)) for name in names]
    return graph.as_graph_def(), dict(zip(ROWS, zip(names, answers, strict=True), strict=True))


@pytest.fixture(scope="module")
def session(wanted: Any) -> Any:
    with runstep.Graph().as_default():
        runstep.import_graph_def(runstep.GraphDef.FromString(wanted[0].SerializeToString()), name="")
        found = runstep.Session()
    yield found
    found.close()


@pytest.mark.parametrize("row", ROWS)
def test_what_mixes_frames(row: str, wanted: Any, session: Any) -> None:
    name, answer = wanted[1][row]
    np.testing.assert_array_equal(outcome(runstep, session, name), answer)
    assert (answer == "refused") == (row in REFUSED)
    traced = runstep.RunOptions(trace_level=runstep.RunOptions.FULL_TRACE)
    again = outcome(runstep, session, name, options=traced, run_metadata=runstep.RunMetadata())
    np.testing.assert_array_equal(again, answer, "traced")


def test_what_is_inside_is_fetched(rs: Any) -> None:
    """By tokens."""
    x = rs.placeholder("int32", [])
    out = -switch(rs, enter(rs, x), rs.constant(True))[1] + (enter(rs, rs.constant(3)) + 4)
    with rs.Session() as found:
        assert found.run(out, {x: 5}) == 2


def test_the_frames_are_named(rs: Any) -> None:
    x = rs.placeholder("int32", [], name="x")
    mixed = rs.add(apply("Enter", x, frame_name="f", is_constant=True), x, name="mixed")
    with rs.Session() as found, pytest.raises(rs.errors.InvalidArgumentError, match="'f'.*{{node x:0}} is in frame ''"):
        found.run(mixed, {x: 1})
