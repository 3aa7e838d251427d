"""What sessions do with variables: state, fetching, feeding, failing and threads."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest

import runstep

KINDS = pytest.mark.parametrize("resource", [False, True], ids=["ref", "resource"])
tf: Any = runstep


@KINDS
def test_each_session_has_its_own_values(resource: bool) -> None:
    """S44, S47: nothing is shared between sessions, and closing one forgets its values."""
    with tf.Graph().as_default():
        v = tf.Variable(1.0, name="v", use_resource=resource)
        with tf.Session() as first, tf.Session() as second:
            first.run(v.initializer)
            first.run(v.assign(7.0))
            assert first.run(v) == 7.0
            with pytest.raises(tf.errors.FailedPreconditionError):
                second.run(v)
            second.run(v.initializer)
            assert (first.run(v), second.run(v)) == (7.0, 1.0)
        with tf.Session() as third, pytest.raises(tf.errors.FailedPreconditionError):
            third.run(v)


@KINDS
def test_updates_from_eight_threads_are_exact(resource: bool) -> None:
    """S59: 8 threads, 200 `assign_add` each."""
    with tf.Graph().as_default(), tf.Session() as session:
        v = tf.Variable(np.zeros(3, np.float64), use_resource=resource)
        add = v.assign_add(np.ones(3), use_locking=True)
        add = add.op
        session.run(v.initializer)

        def work() -> None:
            for _ in range(200):
                session.run(add)

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert session.run(v).tolist() == [1600.0] * 3


@KINDS
def test_fetched_values_are_private(resource: bool) -> None:
    """S76: writable, and neither side sees what the other does to its own."""
    with tf.Graph().as_default(), tf.Session() as session:
        v = tf.Variable([1.0, 2.0], use_resource=resource)
        session.run(v.initializer)
        for fetch in (v, v.value(), v.read_value(), v.assign_add([0.0, 0.0])):
            found = session.run(fetch)
            assert found.flags.writeable and found.flags.owndata
            found[:] = 9.0
            assert session.run(v).tolist() == [1.0, 2.0]
        kept = session.run(v)
        session.run(v.assign_add([1.0, 1.0]))
        assert kept.tolist() == [1.0, 2.0]
        mine = np.array([5.0, 6.0], np.float32)
        v.load(mine)
        mine[:] = 0.0
        assert session.run(v).tolist() == [5.0, 6.0]


def test_a_ref_fetched_with_its_update_is_what_it_is_afterwards() -> None:
    """S79."""
    with tf.Graph().as_default(), tf.Session() as session:
        v = tf.Variable(1.0)
        session.run(v.initializer)
        assert session.run([v, v.assign_add(1.0)]) == [2.0, 2.0]
        assert session.run("Variable:0") == 2.0


@KINDS
def test_uninitialized(resource: bool) -> None:
    """S81; an update of a resource variable says what TensorFlow's does."""
    with tf.Graph().as_default(), tf.Session() as session:
        v = tf.Variable([1.0], name="vv", use_resource=resource)
        text = "Could not find variable vv" if resource else "Attempting to use uninitialized value vv"
        for fetch in (v, v + 1.0, v.value()):
            with pytest.raises(tf.errors.FailedPreconditionError, match=text):
                session.run(fetch)
        error = tf.errors.NotFoundError if resource else tf.errors.FailedPreconditionError
        with pytest.raises(error, match="vv"):
            session.run(v.assign_add([1.0]))


def test_fed_variables() -> None:
    """S90: a ref variable takes the fed value everywhere; of a resource variable only its own read does."""
    with tf.Graph().as_default(), tf.Session() as session:
        ref = tf.Variable([1.0, 2.0], name="ref")
        total = ref + 1.0
        assert session.run(total, {ref: [5.0, 6.0]}).tolist() == [6.0, 7.0]
        assert session.run(ref, {"ref:0": [5.0, 6.0]}).tolist() == [5.0, 6.0]
        with pytest.raises(ValueError, match="Cannot feed value of shape"):
            session.run(total, {ref: [5.0]})
        resource = tf.Variable([1.0, 2.0], name="resource", use_resource=True)
        session.run(resource.initializer)
        assert session.run([resource, resource + 1.0], {resource: [5.0, 6.0]})[0].tolist() == [5.0, 6.0]
        assert session.run(resource + 1.0, {resource: [5.0, 6.0]}).tolist() == [2.0, 3.0]


@KINDS
def test_a_training_loop(resource: bool) -> None:
    """Reads come before the updates that are computed from them; control dependencies order the rest."""
    with tf.Graph().as_default(), tf.Session() as session:
        w = tf.get_variable("w", [3, 1], initializer=tf.zeros_initializer(), use_resource=resource)
        x = tf.placeholder(tf.float32, [None, 3])
        y = tf.placeholder(tf.float32, [None, 1])
        error = tf.matmul(x, w) - y
        gradient = tf.matmul(x, error, transpose_a=True) / 64.0
        update = w.assign_sub(0.5 * gradient)
        with tf.control_dependencies([update]):
            after = tf.reduce_sum(w.read_value())
        session.run(tf.global_variables_initializer())
        rng = np.random.default_rng(0)
        truth = np.array([[1.0], [-2.0], [3.0]], np.float32)
        for _ in range(200):
            data = rng.normal(size=(64, 3)).astype(np.float32)
            total = session.run(after, {x: data, y: data @ truth})
            assert total == pytest.approx(session.run(w).sum(), abs=1e-5)
        assert session.run(w) == pytest.approx(truth, abs=1e-3)
