"""close, del, list_devices, reset, and what lives in a session (S40-S48)."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import runstep
from runstep.kernels import queues

CLOSED = r"Attempted to use a closed Session\."


class InThread:
    """A call in a thread of its own. `result()` is what it returned or raised."""

    def __init__(self, call: Callable[[], Any]) -> None:
        self._call = call
        self._outcome: Any = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._outcome = self._call()
        except BaseException as error:
            self._outcome = error

    def result(self) -> Any:
        self._thread.join(30)
        assert not self._thread.is_alive()
        return self._outcome


@pytest.fixture
def parked(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Set once a kernel stands in the line of a queue."""
    event = threading.Event()
    original = queues.Waiter  # type: ignore[attr-defined]

    class Seen(original):  # type: ignore[misc, valid-type]
        def __init__(self, *args: Any) -> None:
            super().__init__(*args)
            event.set()

    monkeypatch.setattr(queues, "Waiter", Seen)
    return event


def test_errors_of_closing_say_what_was_waited_for(rs: Any) -> None:
    """S43."""
    take = rs.FIFOQueue(10, rs.float32, shared_name="q").dequeue(name="take")
    session = rs.Session()
    waiting = InThread(lambda: session.run(take))
    while not session.statistics().waiting:
        threading.Event().wait(0.001)
    session.close()
    error = waiting.result()
    assert isinstance(error, rs.errors.CancelledError) and error.op is take.op
    assert "waiting: take (queue 'q' 0/10, no enqueue pending)" in error.__notes__


@pytest.mark.parametrize("kind", ["Session", "InteractiveSession"])
def test_closing_twice(tf: Any, kind: str) -> None:
    """S40."""
    session = getattr(tf, kind)()
    session.close()
    session.close()
    assert tf.get_default_session() is None


def test_use_after_close(tf: Any) -> None:
    """S41, S190, T: testUseAfterClose."""
    x = tf.placeholder(tf.float32)
    c = tf.constant(1.0)
    session = tf.Session()
    without = session.make_callable(c)
    session.close()
    with pytest.raises(RuntimeError, match=CLOSED):
        session.run(c)
    with pytest.raises(RuntimeError, match=CLOSED):
        session.run(x, {x: 1.0})
    for closed in (without, session.list_devices):
        with pytest.raises(tf.errors.CancelledError, match=r"Session has been closed\."):
            closed()


def test_callables_with_feeds_after_close(rs: Any) -> None:
    """S41: CancelledError as without feeds (RuntimeError in TensorFlow), also when they are to be made."""
    x = rs.placeholder(rs.float32)
    session = rs.Session()
    call = session.make_callable(x + 1.0, [x])
    session.close()
    with pytest.raises(rs.errors.CancelledError, match=r"Session has been closed\."):
        call(1.0)
    with pytest.raises(rs.errors.CancelledError, match=r"Session has been closed\."):
        session.make_callable(x)


def test_del_closes(rs: Any) -> None:
    """S42: quietly; and what the session held goes."""
    session = rs.Session()
    engine = session._engine
    session.__del__()
    assert engine.closed
    with pytest.raises(RuntimeError, match=CLOSED):
        session.run(rs.constant(1))
    other = rs.Session()
    engine = other._engine
    del other
    gc.collect()
    assert engine.closed


def test_closing_while_a_dequeue_waits(rs: Any, parked: threading.Event) -> None:
    """S43."""
    queue = rs.FIFOQueue(2, rs.float32)
    taken = queue.dequeue(name="taken")
    session = rs.Session()
    running = InThread(lambda: session.run(taken))
    assert parked.wait(30)
    session.close()
    error = running.result()
    assert type(error) is rs.errors.CancelledError and error.op is taken.op
    assert "Dequeue operation was cancelled\n\t [[{{node taken}}]]" in error.message
    with pytest.raises(RuntimeError, match=CLOSED):  # T: testUseAfterCloseConcurrent
        session.run(taken)


def test_closing_while_an_enqueue_waits(rs: Any, parked: threading.Event) -> None:
    """S43."""
    queue = rs.FIFOQueue(1, rs.float32)
    put = queue.enqueue(1.0)
    session = rs.Session()
    session.run(put)
    running = InThread(lambda: session.run(put))
    assert parked.wait(30)
    session.close()
    error = running.result()
    assert type(error) is rs.errors.CancelledError and error.op is put
    assert "Enqueue operation was cancelled" in error.message


def test_closing_while_a_loop_runs(tf: Any) -> None:
    """S43: the error is at the loop's condition."""
    turns = threading.Event()
    note = tf.py_func(lambda i: (turns.set(), i)[1], [tf.constant(0)], tf.int32)
    end = tf.while_loop(lambda i: i < 10**9, lambda i: i + 1, [note])
    session = tf.Session()
    running = InThread(lambda: session.run(end))
    assert turns.wait(30)
    session.close()
    error = running.result()
    assert type(error) is tf.errors.CancelledError
    if error.op is not None:  # else it had not yet begun to turn
        assert error.op.name == "while/LoopCond" and "Loop execution was cancelled." in error.message


def test_closing_while_a_loop_turns(rs: Any) -> None:
    """S43: surely inside of the loop."""
    turns = threading.Event()

    def turn(i: Any) -> Any:
        turns.set()
        return i + np.int32(1)

    end = rs.while_loop(lambda i: i >= 0, lambda i: rs.reshape(rs.py_func(turn, [i], rs.int32), []), [0])
    session = rs.Session()
    running = InThread(lambda: session.run(end))
    assert turns.wait(30)
    session.close()
    error = running.result()
    assert type(error) is rs.errors.CancelledError and error.op.name == "while/LoopCond"
    assert "Loop execution was cancelled.\n\t [[{{node while/LoopCond}}]]" in error.message


def test_closing_while_python_runs(tf: Any) -> None:
    """S43: it is waited for, then its step is cancelled."""
    began, go_on = threading.Event(), threading.Event()
    order: list[str] = []

    def wait() -> Any:
        began.set()
        assert go_on.wait(30)
        order.append("kernel ended")
        return np.float32(1)

    call = tf.py_func(wait, [], tf.float32)
    session = tf.Session()
    running = InThread(lambda: session.run(call))
    assert began.wait(30)
    closing = InThread(lambda: (session.close(), order.append("closed")))
    go_on.set()
    closing.result()
    error = running.result()
    assert order == ["kernel ended", "closed"]
    if isinstance(error, BaseException):  # else the kernel ended before the closing began
        assert (
            type(error) is tf.errors.CancelledError and error.op is None and "Run call was cancelled" in error.message  # type: ignore[attr-defined]
        )


def test_a_cancelled_python_function_ends_its_step(rs: Any) -> None:
    """S43: "Run call was cancelled" when the kernel ends; a step may close its own session."""
    session = rs.Session()
    call = rs.py_func(lambda: (session.close(), np.float32(1))[1], [], rs.float32)
    with pytest.raises(rs.errors.CancelledError, match="Run call was cancelled") as caught:
        session.run(call)
    assert caught.value.op is None


def test_closing_releases_state(tf: Any) -> None:
    """S44."""
    v = tf.raw_ops.VariableV2(shape=[], dtype=tf.float32)
    queue = tf.FIFOQueue(2, tf.float32)
    with tf.Session() as session:
        session.run([tf.raw_ops.Assign(ref=v, value=1.0), queue.enqueue(1.0)])
        assert session.run([v, queue.size()]) == [1.0, 1]
    with tf.Session() as session:
        with pytest.raises(tf.errors.FailedPreconditionError):
            session.run(v)
        assert session.run(queue.size()) == 0


def test_closing_lets_go_of_memory(rs: Any) -> None:
    """S44: what a variable held is not held by the closed session."""
    session = rs.Session()
    v = rs.raw_ops.VariableV2(shape=[], dtype=rs.float32)
    session.run(rs.raw_ops.Assign(ref=v, value=1.0))
    device = session._engine.devices[0]
    assert device.resources.nbytes == 4
    session.close()
    assert device.resources.nbytes == 0


def test_list_devices(tf: Any) -> None:
    """S45, T: session_list_devices_test."""
    with tf.Session() as session:
        (device,) = session.list_devices()
    assert device.name == "/job:localhost/replica:0/task:0/device:CPU:0" and device.device_type == "CPU"
    assert device.memory_limit_bytes > 0 and isinstance(device.incarnation, int)
    assert repr(device) == (f"_DeviceAttributes({device.name}, CPU, {device.memory_limit_bytes}, {device.incarnation})")


def test_several_devices(rs: Any) -> None:
    """S45: device_count says how many; `memory_limit`, which TensorFlow documents and lacks, is there."""
    with rs.Session(config=rs.ConfigProto(device_count={"CPU": 3})) as session:
        devices = session.list_devices()
    assert [device.name[-5:] for device in devices] == ["CPU:0", "CPU:1", "CPU:2"]
    assert all(device.memory_limit == device.memory_limit_bytes for device in devices)
    assert len({device.incarnation for device in devices}) == 3


def test_no_devices(tf: Any) -> None:
    """S45."""
    with pytest.raises(tf.errors.NotFoundError, match="No CPU devices are available in this process"):
        tf.Session(config=tf.ConfigProto(device_count={"CPU": 0}))


def test_names_of_devices_are_canonical() -> None:
    """S45, T: testDeviceAttributes, testDeviceAttributesCanonicalization."""
    from tensorflow.python.client.session import _DeviceAttributes

    from runstep.session.engine import DeviceAttributes

    for cls in (DeviceAttributes, _DeviceAttributes):
        for name in ("/job:worker/replica:0/task:3/device:CPU:2", "/job:worker/replica:0/task:3/cpu:2"):
            found = cls(name, "TYPE", 1337, 1000000)
            assert repr(found) == "_DeviceAttributes(/job:worker/replica:0/task:3/device:CPU:2, TYPE, 1337, 1000000)"


def test_reset_closes_every_session(tf: Any) -> None:
    """S46, C++ T: TestDirectSessionReset."""
    c = tf.constant(1)
    x = tf.placeholder(tf.float32)
    y = x + 1.0
    for arguments in (("",), (None,), ("", ["nonesuch"])):
        session = tf.Session()
        call = session.make_callable(c)
        assert session.run(c) == 1 and session.run(y, {x: 1.0}) == 2 and call() == 1
        tf.Session.reset(*arguments)
        assert not session._closed
        for closed in (lambda: session.run(c), lambda: session.run(y, {x: 1.0}), call):
            with pytest.raises(tf.errors.CancelledError, match=r"Session has been closed\."):
                closed()
        session.close()


def test_reset_wants_a_target(tf: Any) -> None:
    """S46."""
    with pytest.raises(TypeError, match="Expected binary or unicode string, got 3"):
        tf.Session.reset(3)


def test_reset_clears_containers(rs: Any) -> None:
    """S46: variables and queues of the named containers are gone; without names all are."""
    with rs.container("kept"):
        v = rs.raw_ops.VariableV2(shape=[], dtype=rs.float32)
    session = rs.Session()
    session.run(rs.raw_ops.Assign(ref=v, value=1.0))
    resources = session._engine.devices[0].resources
    assert resources.has_container("kept")
    rs.Session.reset("", ["kept"])
    assert not resources.has_container("kept")


def test_sessions_share_no_state(tf: Any) -> None:
    """S47: nor does isolate_session_state=False make them."""
    queue = tf.FIFOQueue(2, tf.float32, shared_name="same")
    with tf.Session(config=tf.ConfigProto(isolate_session_state=False)) as a:
        with tf.Session(config=tf.ConfigProto(isolate_session_state=False)) as b:
            a.run(queue.enqueue(1.0))
            assert a.run(queue.size()) == 1 and b.run(queue.size()) == 0


def test_shared_names(tf: Any) -> None:
    """S48: one queue for one name, in one container; its types must agree."""
    first = tf.FIFOQueue(3, tf.float32, shapes=[()], shared_name="zz")
    second = tf.FIFOQueue(3, tf.float32, shapes=[()], shared_name="zz")
    clash = tf.FIFOQueue(3, tf.int32, shapes=[()], shared_name="zz")
    with tf.container("elsewhere"):
        apart = tf.FIFOQueue(3, tf.float32, shapes=[()], shared_name="zz")
    with tf.Session() as session:
        session.run(first.enqueue(1.0))
        assert session.run([second.size(), apart.size()]) == [1, 0]
        with pytest.raises(
            tf.errors.InvalidArgumentError,
            match="Shared queue 'zz' has component types float but requested component types were int32",
        ):
            session.run(clash.size())


def test_shared_variables(tf: Any) -> None:
    """S48: resource variables of one shared_name are one variable; a container keeps them apart."""

    def handle(container: str = "") -> Any:
        return tf.raw_ops.VarHandleOp(dtype=tf.float32, shape=[], shared_name="vv", container=container)

    first, second, apart = handle(), handle(), handle("elsewhere")
    with tf.Session() as session:
        session.run(tf.raw_ops.AssignVariableOp(resource=first, value=3.0))
        assert session.run(tf.raw_ops.ReadVariableOp(resource=second, dtype=tf.float32)) == 3.0
        assert not session.run(tf.raw_ops.VarIsInitializedOp(resource=apart))


def test_a_dropped_session_with_a_callable_lives(rs: Any) -> None:
    """S42, S134: the callable keeps its session."""
    session = rs.Session()
    call = session.make_callable(rs.constant(3))
    alive = weakref.ref(session)
    del session
    gc.collect()
    assert alive() is not None and call() == 3
    assert runstep.get_default_session() is None
