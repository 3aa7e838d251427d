"""run() in general: what runs, how often, what an error leaves, threads, signals, forks (S50-S63)."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import threading
from typing import Any

import numpy as np
import pytest


def test_empty_graph(tf: Any) -> None:
    """S50, S190, T: testUseEmptyGraph."""
    with tf.Session() as session:
        for fetches in ([], (), "nope"):  # type: ignore[var-annotated]
            with pytest.raises(
                RuntimeError,
                match=r"^The Session graph is empty\. Add operations to the graph before calling run\(\)\.",
            ):
                session.run(fetches)


def test_nothing_to_fetch(tf: Any) -> None:
    """S51, S100: nothing runs, and feeds are checked all the same."""
    x = tf.placeholder(tf.float32, [2])
    with tf.Session() as session:
        assert session.run([]) == [] and session.run(()) == () and session.run({}) == {}
        assert session.run([], {x: [1.0, 2.0]}) == []
        with pytest.raises(ValueError, match="Cannot feed value of shape"):
            session.run([], {x: [1.0, 2.0, 3.0]})


def test_only_ancestors_run(tf: Any) -> None:
    """S52, S99: side effects that nobody asked for, or that feeds cut off, do not happen."""
    ran: list[str] = []

    def noted(name: str) -> Any:
        return tf.py_func(lambda: (ran.append(name), np.float32(1))[1], [], tf.float32, name=name)

    a, b = noted("a"), noted("b")
    c = a + 1.0
    with tf.Session() as session:
        session.run(c)
        assert ran == ["a"]
        assert session.run(c, {a: 5.0}) == 6
        assert ran == ["a"]
        session.run(b.op)
        assert ran == ["a", "b"]


def test_each_operation_runs_once_a_run(tf: Any) -> None:
    """S52."""
    v = tf.raw_ops.VariableV2(shape=[], dtype=tf.float32)
    start = tf.raw_ops.Assign(ref=v, value=0.0)
    add = tf.raw_ops.AssignAdd(ref=v, value=1.0)
    noise = tf.random_uniform([3])
    with tf.Session() as session:
        session.run(start)
        assert session.run([add, add, add.op]) == [1.0, 1.0, None]
        first, again = session.run([noise, noise])
        assert first.tolist() == again.tolist()
        assert session.run(noise).tolist() != first.tolist()


def test_control_edges_order(tf: Any) -> None:
    """S53: order is that of data and control edges."""
    order: list[str] = []

    def noted(name: str) -> Any:
        return tf.py_func(lambda: (order.append(name), np.float32(1))[1], [], tf.float32)

    last = noted("third")
    second = noted("second")
    with tf.control_dependencies([second]):
        behind = tf.identity(last)
    first = noted("first")
    second.op._add_control_input(first.op)
    last.op._add_control_input(second.op)
    with tf.Session() as session:
        for _ in range(3):
            order.clear()
            session.run(behind)
            assert order == ["first", "second", "third"]


def test_an_error_leaves_the_session_usable(tf: Any) -> None:
    """S54: dependents do not run; side effects done before stay."""
    v = tf.raw_ops.VariableV2(shape=[], dtype=tf.float32)
    start = tf.raw_ops.Assign(ref=v, value=0.0)
    add = tf.raw_ops.AssignAdd(ref=v, value=1.0)
    ran: list[int] = []
    x = tf.placeholder(tf.float32)
    with tf.control_dependencies([add]):
        checked = tf.check_numerics(x, "bad")
    after = tf.py_func(lambda value: (ran.append(1), value)[1], [checked], tf.float32)
    with tf.Session() as session:
        session.run(start)
        with pytest.raises(tf.errors.InvalidArgumentError, match="bad : Tensor had NaN values"):
            session.run(after, {x: np.nan})
        assert not ran and session.run(v) == 1.0
        assert session.run(after, {x: 2.0}) == 2.0 and ran == [1]


def test_the_first_error_wins(tf: Any) -> None:
    """S55: whichever comes first; a second one is not raised besides."""
    x = tf.placeholder(tf.float32)
    both = [tf.check_numerics(x, "one"), tf.check_numerics(x, "two")]
    with tf.Session() as session:
        with pytest.raises(tf.errors.InvalidArgumentError, match="(one|two) : Tensor had NaN values"):
            session.run(both, {x: np.nan})


def test_started_kernels_are_waited_for(rs: Any) -> None:
    """S55: here on two devices: one fails, the other is let go only when the failure has happened."""
    failed, ended = threading.Event(), []

    def slow() -> Any:
        assert failed.wait(30)
        ended.append(1)
        return np.float32(1)

    def fail() -> Any:
        failed.set()
        raise ValueError("mine")

    with rs.device("/cpu:0"):
        a = rs.py_func(slow, [], rs.float32)
    with rs.device("/cpu:1"):
        b = rs.py_func(fail, [], rs.float32)
    with rs.Session(config=rs.ConfigProto(device_count={"CPU": 2})) as session:
        with pytest.raises(rs.errors.InvalidArgumentError, match="mine"):
            session.run([a, b])
        assert ended == [1]


def test_graphs_grow_between_runs(tf: Any) -> None:
    """S56, T: testExtendWithStatelessOperations."""
    a = tf.constant(1.0)
    with tf.Session() as session:
        assert session.run(a) == 1
        b = a + 1.0
        assert session.run(b) == 2
        assert session.run([a, b * 2.0]) == [1, 4]


def test_graphs_grow_while_they_run(tf: Any) -> None:
    """S56, T: testParallelRunAndBuild: threads that build and run one graph."""
    graph = tf.get_default_graph()
    session = tf.Session()
    failures: list[BaseException] = []

    def build_and_run(number: int) -> None:
        try:
            with graph.as_default():
                for i in range(20):
                    assert session.run(tf.constant(number) + i) == number + i
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=build_and_run, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


def test_finalized_graphs(tf: Any) -> None:
    """S57."""
    a = tf.constant(1.0)
    tf.get_default_graph().finalize()
    with tf.Session() as session:
        assert session.run(a) == 1
        with pytest.raises(RuntimeError, match=r"Graph is finalized and cannot be modified\."):
            tf.constant(2.0)


def test_edits_of_operations_that_ran(rs: Any) -> None:
    """S58: a rewired input is seen by the next run, here; TensorFlow's sessions never see it."""
    a, b = rs.constant(1.0), rs.constant(2.0)
    c = rs.identity(a) + 0.0
    call = rs.Session().make_callable(c)
    with rs.Session() as session:
        assert session.run(c) == 1 and call() == 1
        c.op.inputs[0].op._update_input(0, b)
        assert session.run(c) == 2 and call() == 2


def test_attributes_of_operations_that_ran(rs: Any) -> None:
    """S58: set without an error, and wholly seen by plans made later: never half."""
    from runstep.protos import attr_value_pb2

    x = rs.placeholder(rs.float32, [2, 2])
    product = rs.matmul(x, [[1.0, 2.0], [3.0, 4.0]])
    with rs.Session() as session:
        first = session.run(product, {x: [[0.0, 1.0], [0.0, 0.0]]})
        product.op._set_attr("transpose_a", attr_value_pb2.AttrValue(b=True))
        again = session.run(product, {x: [[0.0, 1.0], [0.0, 0.0]]})
        later = rs.Session().run(product, {x: [[0.0, 1.0], [0.0, 0.0]]})
        assert first.tolist() == [[3.0, 4.0], [0.0, 0.0]] and later.tolist() == [[0.0, 0.0], [1.0, 2.0]]
        assert again.tolist() in (first.tolist(), later.tolist())


@pytest.mark.parametrize("kind", ["resource", "ref"])
def test_threads_count_exactly(tf: Any, kind: str) -> None:
    """S59: 8 threads, 200 additions each."""
    if kind == "ref":
        v = tf.raw_ops.VariableV2(shape=[], dtype=tf.float32)
        start, add = tf.raw_ops.Assign(ref=v, value=0.0), tf.raw_ops.AssignAdd(ref=v, value=1.0, use_locking=True)
        read = v
    else:
        v = tf.raw_ops.VarHandleOp(dtype=tf.float32, shape=[])
        start = tf.raw_ops.AssignVariableOp(resource=v, value=0.0)
        add = tf.raw_ops.AssignAddVariableOp(resource=v, value=1.0)
        read = tf.raw_ops.ReadVariableOp(resource=v, dtype=tf.float32)
    add = add if kind == "resource" else add.op
    with tf.Session() as session:
        session.run(start)

        def count() -> None:
            for _ in range(200):
                session.run(add)

        threads = [threading.Thread(target=count) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert session.run(read) == 1600


def test_seeds(same: Any) -> None:
    """S60: a seed gives TensorFlow's very numbers, the same in each new session; runs go on in the stream."""

    def program(tf: Any) -> Any:
        tf.set_random_seed(1)
        noise, own = tf.random_normal([3]), tf.random_uniform([2], seed=7)
        found = []
        for _ in range(2):
            with tf.Session() as session:
                found.append([session.run([noise, own]), session.run([noise, own])])
        assert found[0][0][0].tolist() == found[1][0][0].tolist()
        assert found[0][0][0].tolist() != found[0][1][0].tolist()
        return found

    assert same(program)[0] == "returned"


def test_no_seed(tf: Any) -> None:
    """S60: differs from session to session."""
    noise = tf.random_uniform([4])
    assert tf.Session().run(noise).tolist() != tf.Session().run(noise).tolist()


def test_feed_dicts_are_not_changed(tf: Any) -> None:
    """S61."""
    x, y = tf.placeholder(tf.float32), tf.placeholder(tf.float32)
    value = [1.0, 2.0]
    given = {x: value, (y,): (3,)}
    with tf.Session() as session:
        session.run(x + y, given)
        assert list(given.items()) == [(x, value), ((y,), (3,))] and given[x] is value and value == [1.0, 2.0]


INTERRUPTED = """
import os, signal, threading
import numpy as np
import runstep as tf
from runstep.kernels import queues

signal.signal(signal.SIGINT, signal.default_int_handler)  # also where the tests run in the background of a shell

def interrupt():
    os.kill(os.getpid(), signal.SIGINT)

class Seen(queues.Waiter):
    def on_wake(self, notify):  # the actors' loop is about to wait for it
        super().on_wake(notify)
        threading.Thread(target=interrupt).start()

with tf.Session() as session:
    c = tf.constant(1)
    queue = tf.FIFOQueue(3, tf.float32, shapes=[()])
    taken = queue.dequeue()
    plain, queues.Waiter = queues.Waiter, Seen
    try:
        session.run(taken)
    except KeyboardInterrupt:
        print("dequeue interrupted")
    queues.Waiter = plain

    begun = threading.Event()
    def turn(i):
        if not begun.is_set():
            begun.set()
            threading.Thread(target=interrupt).start()
        return i
    i = tf.while_loop(lambda i: i >= 0, lambda i: tf.reshape(tf.py_func(turn, [i], tf.int32), []), [0])
    try:
        session.run(i)
    except KeyboardInterrupt:
        print("loop interrupted")
    except tf.errors.OpError as error:
        print(error)
    session.run(queue.enqueue(2.0))
    assert session.run(c) == 1 and session.run(taken) == 2.0 and not session._engine._active
    print("usable")
"""


def _run(program: str) -> list[str]:
    found = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", textwrap.dedent(program)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert found.returncode == 0, found.stderr
    return found.stdout.split("\n")[:-1]


def test_ctrl_c() -> None:
    """S62: ends a step that waits or loops at once with KeyboardInterrupt; the session goes on (TensorFlow waits)."""
    assert _run(INTERRUPTED) == ["dequeue interrupted", "loop interrupted", "usable"]


FORKED = """
import os
import numpy as np
import runstep as tf

with tf.Session() as session:
    x = tf.placeholder(tf.float32, [2])
    y = x * 2.0
    queue = tf.FIFOQueue(3, tf.float32, shapes=[()])
    put, taken = queue.enqueue(1.0), queue.dequeue()
    slow = tf.py_func(lambda: np.float32(3), [], tf.float32)
    with tf.device("/cpu:1"):
        there = tf.identity(x) + slow
    session = tf.Session(config=tf.ConfigProto(device_count={"CPU": 2}))
    def use():
        assert session.run(y, {x: [1, 2]}).tolist() == [2, 4]
        assert session.run(there, {x: [1, 2]}).tolist() == [4, 5]
        session.run(put)
        assert session.run(taken) == 1.0
    use()
    child = os.fork()
    if not child:
        use()
        session.close()
        print("child", flush=True)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    use()
    print("parent")
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_fork() -> None:
    """S63: the child goes on with the session, on a loop thread of its own (TensorFlow's child hangs)."""
    assert _run(FORKED) == ["child", "parent"]
