"""`tf.GradientTape` in graphs: what it records, and what TensorFlow's refuses there."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import runstep
from runstep.gradients.tape import GradientTape


def taped(tf: Any, feed: Any) -> list[Any]:
    """One program of many tapes: TensorFlow's graph is built and run once."""
    x, y = feed([3.0, 1.0]), feed([[3.0, 1.0], [2.0, 5.0]])
    outside = x * x
    found = []
    with tf.GradientTape() as tape:
        tape.watch(x)
        square = x * x
    found.append(tape.gradient(square, x, output_gradients=tf.constant([1.0, 10.0])))
    with tf.GradientTape() as tape:
        square = x * x
    found.append(tape.gradient(square, x))  # not watched
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        square = x * x
        higher = square * x
        with tape.stop_recording():
            unseen = x * x * x
        both = higher + unseen + outside * x
        found.append(tape.gradient(square, x))  # while it records
    found += [tape.gradient(target, x) for target in (square, higher, both, x)]
    found += tape.gradient(higher, [square, x])
    found.append(tape.gradient(outside, x))
    found.append(tape.gradient(square * 2.0, x))  # ends outside
    found.append(tape.gradient({"a": square, "b": [higher]}, {"x": [x]})["x"][0])
    found.append(tape.gradient(tf.cast(square, tf.int32), x))
    found.append(tape.jacobian(square * x[0], [x, y])[0])
    with tf.GradientTape() as late:
        square = x * x
        late.watch(x)
        late.watch(square)
        higher = square * square
    found += late.gradient(higher, [square, x])
    with tf.GradientTape() as again:
        again.watch(x)
        square = x * x
        again.reset()
        again.watch(x)
        higher = square * x
    found.append(again.gradient(higher, x))
    twice = tf.GradientTape()
    with twice:
        twice.watch(x)
        square = x * x
    with twice:
        higher = square * x
    found.append(twice.gradient(higher, x))
    with tf.GradientTape() as first:
        first.watch(x)
        with tf.GradientTape() as second:
            second.watch(x)
            cube = x * x * x
        inner = second.gradient(cube, x)
    found.append(first.gradient(inner, x))
    with tf.GradientTape() as tape:
        tape.watch([x, y])
        rows = tf.gather(y, [0, 0])
    found += tape.gradient(rows, [x, y], unconnected_gradients="zero")
    for pfor in (True, False):
        with tf.GradientTape() as tape:
            tape.watch(y)
            rows = y * y * y[:, :1]
        found.append(tape.batch_jacobian(rows, y, experimental_use_pfor=pfor))
        with tf.GradientTape() as tape:
            tape.watch(y)
            rows = tf.reduce_sum(y * y, 1)
        found.append(tape.jacobian(rows, y, experimental_use_pfor=pfor))
    number = tf.complex(x[0], 1.0)
    with tf.GradientTape() as tape:
        tape.watch(number)
        power = number * number
    found.append(tape.gradient(power, number))
    return found


def test_as_tensorflow(same: Any) -> None:
    same(taped, names=False)


def read(tf: Any, _: Any) -> list[Any]:
    seen = tf.get_variable("seen", initializer=2.0, use_resource=True)
    fixed = tf.get_variable("fixed", initializer=4.0, use_resource=True, trainable=False)
    with tf.GradientTape(persistent=True) as tape:
        product = seen * seen * fixed
    with tf.GradientTape(watch_accessed_variables=False) as blind:
        unseen = seen * fixed
    with tf.GradientTape(watch_accessed_variables=False) as told:
        told.watch(fixed)
        by_name = seen * fixed
    assert [[v.name for v in t.watched_variables()] for t in (tape, blind, told)] == [["seen:0"], [], ["fixed:0"]]
    return [*tape.gradient(product, [seen, fixed]), blind.gradient(unseen, seen), told.gradient(by_name, fixed)]


def test_variables_that_are_read_are_watched(same: Any) -> None:
    same(read, names=False)


REFUSED = [
    (RuntimeError, "can only be used to compute one set", lambda t, y, x: [t.gradient(y, x), t.gradient(y, x)]),
    (ValueError, "not tf.Tensor or tf.Variable or ExtensionType", lambda t, y, x: t.watch(3.0)),
    (ValueError, "Tape is not recording", lambda t, y, x: t.stop_recording().__enter__()),
    (TypeError, "Argument `target` should be", lambda t, y, x: t.gradient(None, x)),
    (ValueError, "first dimension of target shape", lambda t, y, x: t.batch_jacobian(y, x[:1])),
]


@pytest.mark.parametrize(("error", "text", "use"), REFUSED, ids=[text for _, text, _ in REFUSED])
def test_refused(both_raise: Any, error: Any, text: str, use: Any) -> None:
    def program(tf: Any, feed: Any) -> None:
        x = feed([[3.0], [1.0]])
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = x * x
        use(tape, y, x)

    both_raise(error, text, program)


def test_a_tape_that_records_cannot_be_entered(both_raise: Any) -> None:
    def program(tf: Any, _: Any) -> None:
        with tf.GradientTape() as tape, tape:
            pass

    both_raise(ValueError, "Tape is still recording", program)


def test_branches_loops_and_ref_variables() -> None:
    """None of which TensorFlow's tape takes in graphs."""
    x = runstep.constant(3.0)
    weight = runstep.get_variable("weight", initializer=5.0, use_resource=False)
    with GradientTape(persistent=True) as tape:
        tape.watch(x)
        branch = runstep.cond(x > 2.0, lambda: x * x, lambda: x)
        loop = runstep.while_loop(lambda i, _: i < 3, lambda i, a: (i + 1, a * x), [0, 1.0])[1]
        product = weight * weight
    assert tape.watched_variables() == (weight,)
    wanted = [tape.gradient(branch, x), tape.gradient(loop, x), tape.gradient(product, weight)]
    with runstep.Session() as session:
        session.run(runstep.global_variables_initializer())
        assert session.run(wanted) == [6.0, 27.0, 10.0]


def test_in_functions() -> None:
    scale = runstep.get_variable("scale", initializer=2.0, use_resource=True)

    @runstep.function
    def slope(x: Any) -> Any:
        with GradientTape() as tape:
            tape.watch(x)
            y = x * x * scale
        return tape.gradient(y, [x, scale])

    found = slope(runstep.constant(3.0))
    with runstep.Session() as session:
        session.run(scale.initializer)
        np.testing.assert_allclose(session.run(found), [12.0, 9.0])
