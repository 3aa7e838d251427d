"""Coordinators and queue runners: who stops when, and what is raised."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest

import runstep

tf: Any = runstep
Same = Callable[..., None]


def test_stopping() -> None:
    coord = tf.train.Coordinator()
    ran = threading.Event()

    def work() -> None:
        ran.set()
        coord.wait_for_stop()

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    assert ran.wait(10) and not coord.should_stop() and not coord.wait_for_stop(0.0)
    coord.request_stop()
    coord.join(threads)
    assert coord.should_stop() and coord.joined and not any(thread.is_alive() for thread in threads)
    coord.clear_stop()
    assert not coord.should_stop() and not coord.joined


def test_threads_that_end_need_no_stop() -> None:
    coord = tf.train.Coordinator()
    thread = threading.Thread(target=lambda: None)
    coord.register_thread(thread)
    thread.start()
    coord.join()
    assert not coord.should_stop()


@pytest.mark.parametrize("form", ["exception", "info", "block"])
def test_the_first_error_is_raised_where_joined(form: str) -> None:
    coord = tf.train.Coordinator()

    def work() -> None:
        if form == "block":
            with coord.stop_on_exception():
                raise RuntimeError("first")
        try:
            raise RuntimeError("first")
        except RuntimeError as error:
            coord.request_stop(error if form == "exception" else sys.exc_info())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    coord.request_stop(ValueError("second"))
    with pytest.raises(RuntimeError, match="first"):
        coord.raise_requested_exception()
    with pytest.raises(RuntimeError, match="first") as caught:
        coord.join([thread])
    assert caught.traceback[-1].name == "work"  # it points to where it happened
    with pytest.raises(ValueError, match="late"):
        coord.request_stop(ValueError("late"))


def test_the_end_of_the_input_is_no_error() -> None:
    coord = tf.train.Coordinator()
    coord.request_stop(tf.errors.OutOfRangeError(None, None, "end"))
    coord.join([])
    strict = tf.train.Coordinator(clean_stop_exception_types=())
    strict.request_stop(tf.errors.OutOfRangeError(None, None, "end"))
    with pytest.raises(tf.errors.OutOfRangeError):
        strict.join([])


def test_what_is_no_exception_stands_for_the_one_that_is_handled(same: Same) -> None:
    def program(tf: Any, log: Any) -> None:
        for reason in ("text", 5, [1]):
            coord = tf.train.Coordinator(clean_stop_exception_types=[ValueError])
            try:
                raise KeyError("handled")
            except KeyError:
                coord.request_stop(reason)
            with pytest.raises(KeyError, match="handled"):
                coord.join([])
            log(coord.joined)
            coord.clear_stop()
            coord.join([])
            coord.request_stop(ValueError("an end that comes late"))  # sets the event, and raises nothing
            log(coord.should_stop())

    same(program)


def test_threads_that_do_not_end() -> None:
    go_on = threading.Event()
    thread = threading.Thread(target=go_on.wait, name="slow")
    thread.start()
    coord = tf.train.Coordinator()
    coord.request_stop()
    try:
        with pytest.raises(RuntimeError, match="Coordinator stopped with threads still running: slow"):
            coord.join([thread], stop_grace_period_secs=0.01)
        coord.join([thread], stop_grace_period_secs=0.01, ignore_live_threads=True)
    finally:
        go_on.set()
        thread.join()


def test_loops() -> None:
    coord = tf.train.Coordinator()
    calls: list[int] = []

    def work(number: int, last: int) -> None:
        calls.append(number)
        if len(calls) == last:
            coord.request_stop()

    looper = tf.train.LooperThread.loop(coord, None, work, args=(3,), kwargs={"last": 4})
    coord.join()
    assert calls == [3] * 4 and looper.daemon
    coord.clear_stop()
    tf.train.LooperThread.loop(coord, 0.001, work, args=(5, 6))
    coord.join()
    assert calls[4:] == [5] * 2
    with pytest.raises(ValueError, match="'coord' argument must be a Coordinator"):
        tf.train.LooperThread(3, 1.0)
    with pytest.raises(ValueError, match="require that you also pass 'target'"):
        tf.train.LooperThread(coord, 1.0, args=(1,))


def counted(limit: int) -> tuple[Any, Any]:
    """A queue that is filled with the numbers below a limit."""
    queue = tf.FIFOQueue(10, tf.int64, shapes=[[]])
    number = tf.Variable(0, dtype=tf.int64, name="number")
    return queue, tf.train.QueueRunner(queue, [queue.enqueue(number.count_up_to(limit))])


def test_a_queue_is_filled_and_closed() -> None:
    with tf.Graph().as_default(), tf.Session() as sess:
        queue, runner = counted(25)
        tf.train.add_queue_runner(runner)
        item = queue.dequeue()
        sess.run(tf.global_variables_initializer())
        coord = tf.train.Coordinator()
        threads = tf.train.start_queue_runners(sess, coord)
        assert [thread.name for thread in threads] == [
            f"QueueRunnerThread-fifo_queue-{runner.enqueue_ops[0].name}",
            "QueueRunnerThread-fifo_queue-close_on_stop",
        ]
        assert runner.create_threads(sess) == []  # they run
        assert [sess.run(item) for _ in range(25)] == list(range(25))
        with pytest.raises(tf.errors.OutOfRangeError):
            sess.run(item)
        coord.request_stop()
        coord.join(threads)
        assert runner.exceptions_raised == []


def test_a_stop_ends_threads_that_wait() -> None:
    with tf.Graph().as_default(), tf.Session() as sess:
        queue = tf.FIFOQueue(1, tf.int32)
        runner = tf.train.QueueRunner(queue, [queue.enqueue(1)] * 3)
        coord = tf.train.Coordinator()
        threads = runner.create_threads(sess, coord, daemon=True, start=True)
        size = queue.size()
        while sess.run(size) == 0:
            pass
        coord.request_stop()
        coord.join(threads)
        assert sess.run(queue.is_closed())


def test_an_error_is_reported() -> None:
    with tf.Graph().as_default(), tf.Session() as sess:
        queue = tf.FIFOQueue(10, tf.float32)
        bad = queue.enqueue(tf.check_numerics(tf.constant(1.0) / 0.0, "no"))
        coord = tf.train.Coordinator()
        threads = tf.train.QueueRunner(queue, [bad]).create_threads(sess, coord, start=True)
        with pytest.raises(tf.errors.InvalidArgumentError, match="no"):
            coord.join(threads)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_without_a_coordinator_errors_are_kept() -> None:
    with tf.Graph().as_default(), tf.Session() as sess:
        queue = tf.FIFOQueue(10, tf.float32)
        runner = tf.train.QueueRunner(queue, [queue.enqueue(tf.check_numerics(tf.constant(1.0) / 0.0, "no"))])
        for thread in runner.create_threads(sess, start=True):
            thread.join()
        assert len(runner.exceptions_raised) == 1


def test_messages_and_refusals(same: Same) -> None:
    def program(tf: Any, log: Any) -> None:
        t = tf.train
        queue = tf.FIFOQueue(10, tf.float32, name="q")
        kinds = (tf.errors.OutOfRangeError, tf.errors.CancelledError)
        runner = t.QueueRunner(queue, [queue.enqueue(1.0)], queue_closed_exception_types=kinds)
        t.add_queue_runner(runner)
        log(str(runner.to_proto()), runner.to_proto("elsewhere"), runner.name)
        again = t.QueueRunner.from_proto(runner.to_proto())
        log(again.name, again.enqueue_ops, again.close_op, again.cancel_op)
        log([kind.__name__ for kind in again.queue_closed_exception_types])
        meta = t.export_meta_graph()
        with tf.Graph().as_default():
            t.import_meta_graph(meta, import_scope="s")
            log(str(tf.get_collection(tf.GraphKeys.QUEUE_RUNNERS)[0].to_proto("s")))
        log.tried(lambda: t.QueueRunner())
        log.tried(lambda: t.QueueRunner(queue, []))
        log.tried(lambda: t.QueueRunner(queue, [queue.enqueue(1.0)], queue_closed_exception_types=ValueError))
        log.tried(lambda: t.QueueRunner(queue, queue_runner_def=runner.to_proto()))
        log.tried(lambda: t.start_queue_runners())
        log.tried(lambda: t.start_queue_runners(3))

    same(program, graph=False)
