"""Gradients through `tf.py_function`, whose function works on tensors with values."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import runstep


def branching(tf: Any) -> Any:
    def function(x: Any) -> Any:
        assert x.numpy().dtype == np.float32 and float(x) == x.numpy()
        return x * x if x > 2.0 else tf.sin(x)

    return function


def several(tf: Any) -> Any:
    def function(x: Any, y: Any) -> Any:
        total = sum(part * float(place) for place, part in enumerate(y))
        return [tf.reduce_sum(x * y), total + np.float32(len(y))]

    return function


def called(tf: Any, feed: Any) -> list[Any]:
    found = []
    for value in (3.0, 1.0):
        x = feed(value)
        y = tf.py_function(branching(tf), [x], tf.float32)
        found += [y, *tf.gradients(y, x)]
    x, y = feed([1.0, 2.0]), feed([3.0, 4.0])
    results = tf.py_function(several(tf), [x, y], [tf.float32, tf.float32])
    found += [*results, *tf.gradients(results, [x, y], [tf.constant(2.0), tf.constant(3.0)])]
    found.append(tf.py_function(lambda x: x.shape[0], [x], tf.int32))
    found += [tf.py_function(lambda x: f"{x:.1f} {x!r}", [feed(1.5)], tf.string)]
    return found


def test_as_tensorflow(same: Any) -> None:
    def program(tf: Any, feed: Any) -> list[Any]:
        *found, text = called(tf, feed)
        expected = "1.5 <tf.Tensor: shape=(), dtype=float32, numpy=1.5>"
        return [*found, tf.cast(tf.equal(text, expected), tf.int32)]

    same(program, names=False)


def test_what_tensorflow_has_not() -> None:
    """Second order, integers beside what is differentiated, loops; zeros in shape for what is made of values alone."""
    x = runstep.constant(2.0)
    cube = runstep.py_function(lambda x: x * x * x, [x], runstep.float32)
    (slope,) = runstep.gradients(cube, x)
    scaled = runstep.py_function(lambda x, n: x * runstep.cast(n, runstep.float32), [x, 3], runstep.float32)
    grown = runstep.while_loop(
        lambda turn, _: turn < 3,
        lambda turn, a: (turn + 1, runstep.reshape(runstep.py_function(lambda v: v * v, [a], "float32"), [])),
        [0, x],
    )[1]
    row = runstep.constant([1.0, 2.0])
    constant = runstep.py_function(lambda v: np.sin(v.numpy()), [row], runstep.float32)
    wanted = [runstep.gradients(y, x)[0] for y in (slope, scaled, grown)] + runstep.gradients(constant, row)
    with runstep.Session() as session:
        second, factor, power, nothing = session.run(wanted)
    assert [second, factor, power] == [12.0, 3.0, 8 * 2.0**7]
    assert nothing.tolist() == [0.0, 0.0]


def test_a_tensor_of_another_type_is_refused() -> None:
    wrong = runstep.py_function(lambda x: x * 2.0, [runstep.constant(2.0)], runstep.float64)
    with runstep.Session() as session:
        with pytest.raises(runstep.errors.InvalidArgumentError, match="to a tensor of dtype float64"):
            session.run(wrong)
