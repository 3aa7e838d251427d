"""Pure nodes that others only wait for are not run; what waits for them waits for what they waited for."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import runstep as tf


def ran(sess: Any) -> list[str]:
    return [node.name for request in sess._cache.values() for node in request.plan.nodes]


def plain() -> Any:
    config = tf.ConfigProto()
    config.graph_options.optimizer_options.opt_level = tf.OptimizerOptions.L0
    return tf.Session(config=config)


def test_the_gradient_of_the_data_is_not_computed() -> None:
    with tf.Graph().as_default(), tf.Session() as sess:
        x = tf.placeholder(tf.float32, [2, 3])
        w = tf.Variable(np.ones((3, 1), np.float32))
        step = tf.train.GradientDescentOptimizer(0.5).minimize(tf.reduce_sum(tf.matmul(x, w)))
        sess.run(tf.global_variables_initializer())
        sess._cache.clear()
        sess.run(step, {x: [[1, 2, 3], [4, 5, 6]]})
        assert [name for name in ran(sess) if "MatMul" in name] == ["gradients/MatMul_grad/MatMul_1"]
        np.testing.assert_array_equal(sess.run(w), [[-1.5], [-2.5], [-3.5]])


@pytest.mark.parametrize("use_resource", (False, True))
def test_a_read_behind_an_idle_node_still_comes_first(use_resource: bool) -> None:
    with tf.Graph().as_default(), tf.Session() as sess:
        v = tf.Variable(1.0, use_resource=use_resource)
        read = v.read_value() if use_resource else tf.identity(v) + 0.0
        seen = tf.py_func(lambda value: value, [read], tf.float32)  # has effects, so it is run
        idle = tf.exp(tf.sin(seen))
        with tf.control_dependencies([idle]):
            assign = tf.assign(v, 5.0).op
        sess.run(tf.global_variables_initializer())
        sess._cache.clear()
        found, _ = sess.run([seen, assign])
        assert found == 1.0 and sess.run(v) == 5.0
        assert idle.op.name not in ran(sess)


def test_what_runs_for_its_effect_behind_an_idle_node_is_run() -> None:
    calls: list[float] = []
    with tf.Graph().as_default(), tf.Session() as sess:
        x = tf.placeholder(tf.float32, [])
        noted = tf.py_func(lambda value: calls.append(float(value)) or value, [x], tf.float32)
        idle = noted * 2.0
        with tf.control_dependencies([idle, idle + 1.0]):
            y = x + 1.0
        assert sess.run(y, {x: 3.0}) == 4.0
        assert calls == [3.0]
        assert idle.op.name not in ran(sess)


def test_an_idle_node_does_not_fail_unless_rewrites_are_off() -> None:
    with tf.Graph().as_default():
        x = tf.placeholder(tf.int32, [])
        with tf.control_dependencies([tf.constant(1) // x]):
            y = x + 1
        with tf.Session() as sess:
            assert sess.run(y, {x: 0}) == 1
        with plain() as sess, pytest.raises(tf.errors.InvalidArgumentError, match="division by zero"):
            sess.run(y, {x: 0})


def test_what_is_asked_for_is_run() -> None:
    with tf.Graph().as_default(), tf.Session() as sess:
        x = tf.placeholder(tf.int32, [])
        failing = tf.constant(1) // x
        with pytest.raises(tf.errors.InvalidArgumentError, match="division by zero"):
            sess.run(failing.op, {x: 0})


def test_a_node_of_a_branch_is_not_taken_for_idle() -> None:
    calls: list[str] = []
    with tf.Graph().as_default(), tf.Session() as sess:
        p, x = tf.placeholder(tf.bool, []), tf.placeholder(tf.float32, [])
        dead, alive = tf.raw_ops.Switch(data=x, pred=p)
        with tf.control_dependencies([alive * 2.0]):  # waits in vain where the branch is not taken
            note = tf.py_func(lambda: calls.append("ran"), [], [])
        merged, _ = tf.raw_ops.Merge(inputs=[dead, alive])
        sess.run([merged, note], {p: True, x: 1.0})
        assert calls == ["ran"]
        sess.run([merged, note], {p: False, x: 1.0})
        assert calls == ["ran"]


def test_a_partial_run_waits_for_the_feed_of_an_idle_node() -> None:
    with tf.Graph().as_default(), tf.Session() as sess:
        x, z = tf.placeholder(tf.float32, []), tf.placeholder(tf.float32, [])
        v = tf.Variable(0.0)
        with tf.control_dependencies([x * 2.0]):
            assign = tf.assign(v, 7.0)
        sess.run(tf.global_variables_initializer())
        handle = sess.partial_run_setup([assign.op, z + 1.0], [x, z])
        assert sess.run(v) == 0.0
        sess.partial_run(handle, assign.op, {x: 1.0})
        assert sess.run(v) == 7.0


def test_in_a_loop_too() -> None:
    with tf.Graph().as_default(), tf.Session() as sess:
        x = tf.placeholder(tf.float32, [2, 3])
        w = tf.Variable(np.full((3, 3), 0.5, np.float32))
        s = tf.while_loop(lambda i, s: i < 3, lambda i, s: (i + 1, tf.tanh(s + tf.matmul(x, w))), (0, tf.zeros([2, 3])))
        step = tf.train.GradientDescentOptimizer(0.5).minimize(tf.reduce_sum(s[1]))
        sess.run(tf.global_variables_initializer())
        sess._cache.clear()
        sess.run(step, {x: np.ones((2, 3))})
        assert not [name for name in ran(sess) if name.endswith("MatMul_grad/MatMul")]
        got = sess.run(w)
        sess.run(tf.global_variables_initializer())
        with plain() as other:
            other.run(tf.global_variables_initializer())
            other.run(step, {x: np.ones((2, 3))})
            np.testing.assert_allclose(got, other.run(w), rtol=1e-6)


def test_a_branch_waits_for_its_own_idle_nodes() -> None:
    """What waits for an idle node of a branch that is not taken does not run, in any turn of a loop."""
    calls: list[int] = []
    with tf.Graph().as_default(), tf.Session() as sess:

        def turn(i: Any, total: Any) -> Any:
            def taken() -> Any:
                idle = tf.exp(tf.cast(i, tf.float32))
                with tf.control_dependencies([idle, tf.sin(idle)]):
                    noted = tf.py_func(lambda: calls.append(1) or np.int32(1), [], tf.int32)
                noted.set_shape([])
                return total + noted

            return i + 1, tf.cond(tf.equal(i % 2, 0), taken, lambda: total)

        assert sess.run(tf.while_loop(lambda i, _: i < 5, turn, (0, 0)))[1] == 3
        assert len(calls) == 3
        assert not [name for name in ran(sess) if "Exp" in name or "Sin" in name]
