"""Whole graphs that wait, run by a Session: queues between threads, time limits, closing, coroutine functions."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest
import trio
import trio.lowlevel

import runstep as tf
from runstep.ops.io import IdentityReader


def _in_thread(call: Any) -> tuple[threading.Thread, list[Any]]:
    found: list[Any] = []

    def run() -> None:
        try:
            found.append(call())
        except Exception as error:
            found.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    return thread, found


def test_one_step_waits_for_another() -> None:
    with tf.Graph().as_default(), tf.Session() as session:
        queue = tf.FIFOQueue(2, [tf.int32], [()])
        put, take = queue.enqueue(5), queue.dequeue_many(3)
        thread, found = _in_thread(lambda: session.run(take))
        for _ in range(3):
            session.run(put)
        thread.join(10)
        assert found[0].tolist() == [5, 5, 5]


def test_timed_out_dequeue_consumes_nothing() -> None:  # S115
    with tf.Graph().as_default(), tf.Session() as session:
        queue = tf.FIFOQueue(9, [tf.int32], [()])
        session.run(queue.enqueue_many([[1, 2]]))
        with pytest.raises(tf.errors.DeadlineExceededError):
            session.run(queue.dequeue_many(3), options=tf.RunOptions(timeout_in_ms=50))
        assert session.run(queue.dequeue_many(2)).tolist() == [1, 2]


def test_close_cancels_a_waiting_step() -> None:  # S43
    with tf.Graph().as_default():
        session = tf.Session()
        take = tf.FIFOQueue(9, [tf.int32], [()], name="q").dequeue(name="take")
        started = tf.py_func(lambda: entered.set(), [], [])
        entered = threading.Event()
        with tf.control_dependencies([started]):
            both = tf.identity(take)
        thread, found = _in_thread(lambda: session.run([both, started]))
        assert entered.wait(10)
        session.close()
        thread.join(10)
        assert isinstance(found[0], tf.errors.CancelledError)


def test_closed_queue_ends_the_step_with_its_name() -> None:  # S184
    with tf.Graph().as_default(), tf.Session() as session:
        queue = tf.FIFOQueue(9, [tf.int32], [()])
        session.run(queue.close())
        text = r"FIFOQueue '_\d+_fifo_queue' is closed and has insufficient elements \(requested 1, current size 0\)"
        with pytest.raises(tf.errors.OutOfRangeError, match=text) as caught:
            session.run(queue.dequeue())
        assert caught.value.op.type == "QueueDequeueV2"
        with pytest.raises(tf.errors.CancelledError, match="is closed."):
            session.run(queue.enqueue(1))


def test_many_steps_share_one_queue() -> None:
    with tf.Graph().as_default(), tf.Session() as session:
        queue = tf.FIFOQueue(3, [tf.int32], [()])
        value = tf.placeholder(tf.int32, [])
        put, take = queue.enqueue(value), queue.dequeue()
        takers = [_in_thread(lambda: [int(session.run(take)) for _ in range(20)]) for _ in range(3)]
        putters = [_in_thread(lambda n=n: [session.run(put, {value: n * 30 + i}) for i in range(30)]) for n in range(2)]
        for thread, _ in takers + putters:
            thread.join(30)
        assert sorted(sum((found[0] for _, found in takers), [])) == list(range(60))


def test_coroutine_function_and_error_with_cause() -> None:  # S185
    async def slow(x: Any) -> Any:
        await trio.lowlevel.checkpoint()
        return x + 1

    def fails() -> Any:
        raise KeyError("lost")

    with tf.Graph().as_default(), tf.Session() as session:
        assert session.run(tf.py_func(slow, [np.int32(4)], tf.int32)) == 5
        with pytest.raises(tf.errors.UnknownError, match="KeyError: 'lost'") as caught:
            session.run(tf.py_func(fails, [], tf.float32, name="bad"))
        assert isinstance(caught.value.__cause__, KeyError) and caught.value.op.name == "bad"


def test_reader_tables_and_checkpoints_in_one_session(tmp_path: Any) -> None:
    with tf.Graph().as_default(), tf.Session() as session:
        queue = tf.FIFOQueue(9, [tf.string], [()])
        session.run(queue.enqueue_many([["b", "a", "x"]]))
        _, word = IdentityReader().read(queue)
        made = tf.lookup.KeyValueTensorInitializer(["a", "b"], [1, 2])
        table = tf.lookup.StaticHashTable(made, -1)
        session.run(tf.tables_initializer())
        number = table.lookup(word)
        assert [int(session.run(number)) for _ in range(3)] == [2, 1, -1]
        path = str(tmp_path / "model")
        names = {"prefix": path, "tensor_names": ["n"], "shape_and_slices": [""]}
        session.run(tf.raw_ops.SaveV2(**names, tensors=[tf.constant([7])]))
        restored = tf.raw_ops.RestoreV2(**names, dtypes=[tf.int32])
        assert session.run(restored)[0].tolist() == [7]


def test_one_name_is_one_queue_of_one_type() -> None:  # S48
    with tf.Graph().as_default(), tf.Session() as session:
        session.run(tf.FIFOQueue(9, [tf.float32], [()], shared_name="zz").enqueue(1.0))
        assert session.run(tf.FIFOQueue(9, [tf.float32], [()], shared_name="zz").size()) == 1
        with pytest.raises(tf.errors.InvalidArgumentError, match="Shared queue 'zz' has component types float but"):
            session.run(tf.FIFOQueue(9, [tf.int32], [()], shared_name="zz").size())
