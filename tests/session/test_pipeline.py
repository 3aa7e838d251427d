"""Handles of partial runs as objects: called, awaited, forked, saved and restored."""

from __future__ import annotations

import asyncio
import gc
import hashlib
import os
import pickle
import subprocess
import sys
import threading
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trio
import trio.testing

import runstep
from runstep.actors.loop import loop_thread
from runstep.session.durable import _parsed, _write


class Chain:
    """r1 = a + b, r2 = r1 * c; `count` counts how often r1 was computed; `taken` waits for a queue."""

    def __init__(self, tf: Any) -> None:
        self.a, self.b, self.c = (tf.placeholder(tf.float32, [], name=name) for name in "abc")
        self.count = tf.Variable(0.0, use_resource=True)
        with tf.control_dependencies([self.count.assign_add(self.a * 0 + 1)]):
            self.r1 = tf.add(self.a, self.b, name="r1")
        self.r2 = tf.multiply(self.r1, self.c, name="r2")
        self.queue = tf.FIFOQueue(100, tf.float32, shapes=[[]], name="q")
        self.taken = tf.multiply(self.queue.dequeue(), self.a, name="taken")
        self.feeds = [self.a, self.b, self.c]


@pytest.fixture
def graph() -> Any:
    with runstep.Graph().as_default():
        yield Chain(runstep)


@pytest.fixture
def session(graph: Chain) -> Any:
    with runstep.Session() as session:
        session.run(graph.count.initializer)
        yield session


def refused(text: str, call: Any, *args: Any) -> None:
    with pytest.raises(runstep.errors.InvalidArgumentError, match=text):
        call(*args)


# ---------------------------------------------------------------------- called and awaited


def test_a_handle_is_called(graph: Chain, session: Any) -> None:
    with session.pipeline([graph.r1, graph.r2], graph.feeds) as p:
        assert issubclass(type(p), str) and p.startswith("a:0,b:0,c:0->r1:0,r2:0")
        assert p(graph.r1, {graph.a: 1, graph.b: 2}) == 3
        assert session.partial_run(p, graph.r2, {graph.c: 4}) == 12
        refused("Must run 'setup'", p, graph.r2)
    with session.pipeline([graph.r1], graph.feeds) as p:
        pass
    refused("Must run 'setup'", p, graph.r1, {graph.a: 1, graph.b: 2})
    p.close()
    assert pickle.loads(pickle.dumps(p)) == p and type(pickle.loads(pickle.dumps(p))) is str


@pytest.mark.parametrize("loop", ["trio", "asyncio"])
def test_a_handle_is_awaited(graph: Chain, session: Any, loop: str) -> None:
    async def program() -> None:
        async with session.pipeline([graph.r1, graph.r2, graph.taken], graph.feeds) as p:
            assert await p(graph.r1, {graph.a: 1, graph.b: 2}) == 3
            twin = p.fork()
            assert await p(graph.r2, {graph.c: 4}) == 12
            assert await twin(graph.r2, {graph.c: 5}) == 15
            twin.close()

    if loop == "trio":
        trio.run(program)
    else:
        asyncio.run(program())
    session.run(graph.queue.enqueue(1.0))  # the kernels that waited have ended
    assert session.run(graph.queue.size()) == 1


@pytest.mark.trio
async def test_in_the_callers_nursery(graph: Chain) -> None:
    """Forks and files, where the device actors live in the caller's loop."""
    async with runstep.Session() as session:
        session.run(graph.count.initializer)
        async with session.pipeline([graph.r1, graph.taken, graph.r2], graph.feeds) as p:
            assert await p(graph.r1, {graph.a: 2, graph.b: 1}) == 3
            twin = p.fork()
            await session.arun(graph.queue.enqueue_many([[10.0, 20.0]]))
            assert sorted([await twin(graph.taken), await p(graph.taken)]) == [20, 40]
            twin.close()


# ---------------------------------------------------------------------- statistics


def test_statistics(graph: Chain, session: Any) -> None:
    with session.pipeline([graph.r1, graph.r2, graph.taken], graph.feeds) as p:
        found = p.statistics()
        assert found.feeds_left == ("a:0", "b:0", "c:0") and found.fetches_left == ("r1:0", "r2:0", "taken:0")
        assert len(found.waiting) == 1 and "q" in found.waiting[0]
        done = found.tasks_done
        p(graph.r1, {graph.a: 1, graph.b: 2})
        found = p.statistics()
        assert found.feeds_left == ("c:0",) and found.fetches_left == ("r2:0", "taken:0")
        assert done < found.tasks_done < found.tasks and 4 <= found.nbytes <= 64
    assert p.statistics().nbytes == 0


def test_thousands_of_handles(graph: Chain, session: Any) -> None:
    """Kilobytes each: 1.2 kB measured, for three feeds and two fetches. (20 kB where a kernel waits.)"""
    p = session.pipeline([graph.r1, graph.r2], graph.feeds)
    p(graph.r1, {graph.a: 1, graph.b: 2})
    gc.collect()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    handles = [p.fork() for _ in range(1000)]
    handles += [session.pipeline([graph.r1, graph.r2], graph.feeds) for _ in range(1000)]
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert grown / 2000 < 2500
    assert [handle(graph.r2, {graph.c: n}) for n, handle in enumerate(handles[:3])] == [0, 3, 6]


# ---------------------------------------------------------------------- forks


def test_a_fork_goes_on_from_the_same_point(graph: Chain, session: Any) -> None:
    """Nothing that has run runs again; each has its own future."""
    p = session.pipeline([graph.r1, graph.r2], graph.feeds)
    p([], {graph.a: 1, graph.b: 2})
    twin = p.fork()
    third = twin.fork()
    assert twin != p and issubclass(type(twin), str)
    assert p(graph.r1) == 3 and twin(graph.r1) == 3 and session.run(graph.count) == 1
    refused("r1:0 has already been fetched", twin, graph.r1)
    refused("b:0 has already been fed", third, [], {graph.b: 1})
    assert [h(graph.r2, {graph.c: c}) for h, c in ((twin, 10), (p, 20))] == [30, 60]
    refused("Must run 'setup'", p.fork)
    assert third([graph.r1, graph.r2], {graph.c: 1}) == [3, 3]
    assert session.run(graph.count) == 1


def test_forks_share_values_but_not_results(rs: Any) -> None:
    """What the user gets is his own on both sides; what the steps hold is one array."""
    x, y = rs.placeholder(rs.float32, [1000]), rs.placeholder(rs.float32, [])
    doubled, last = x * 2, x * 2 + y
    with rs.Session() as session:
        p = session.pipeline([doubled, last, x], [x, y])
        p([], {x: np.ones(1000)})
        twin = p.fork()
        mine, his = p._run.step.slots, twin._run.step.slots
        shared = [a is b for a, b in zip(mine, his, strict=True) if b is not None]
        assert all(shared) and shared
        first = p([doubled, x])
        for array in first:
            array[:] = 99
        assert all((array == n).all() for array, n in zip(twin([doubled, x]), (2, 1), strict=True))
        assert (p(last, {y: 1}) == 3).all() and (twin(last, {y: 2}) == 4).all()


def test_what_lives_in_a_step_is_forked_too(rs: Any) -> None:
    """TensorArrays, stacks and temporary variables: what one does to them the other does not see."""
    x, y = rs.placeholder(rs.float32, []), rs.placeholder(rs.float32, [])
    array = rs.TensorArray(rs.float32, 2, clear_after_read=False).write(0, x).write(1, y).stack()
    held = rs.raw_ops.StackV2(max_size=5, elem_type=rs.float32, stack_name="s")
    pushed = rs.raw_ops.StackPushV2(handle=held, elem=x)
    with rs.control_dependencies([pushed]):
        again = rs.raw_ops.StackPushV2(handle=held, elem=y)
    with rs.control_dependencies([again]):
        popped = rs.raw_ops.StackPopV2(handle=held, elem_type=rs.float32)
    with rs.control_dependencies([popped]):
        rest = rs.raw_ops.StackPopV2(handle=held, elem_type=rs.float32)
    temporary = rs.raw_ops.TemporaryVariable(shape=[], dtype=rs.float32, var_name="t")
    begun = rs.assign(temporary, x)
    added = rs.assign_add(begun, y)
    total = rs.raw_ops.DestroyTemporaryVariable(ref=added, var_name="t")
    with rs.Session() as session:
        p = session.pipeline([array, popped, rest, total], [x, y])
        p([], {x: 1})
        forks = [p.fork() for _ in range(3)]
        for n, handle in enumerate([*forks, p]):
            found = handle([array, popped, rest, total], {y: n})
            assert [found[0].tolist(), *found[1:]] == [[1, n], n, 1, 1 + n]


def test_a_fork_waits_as_its_origin_does(graph: Chain, session: Any) -> None:
    """A kernel that waits has not run: each of the two takes an element of its own."""
    p = session.pipeline([graph.taken, graph.r1], graph.feeds)
    twin = p.fork()
    assert len(twin.statistics().waiting) == 1
    session.run(graph.queue.enqueue_many([[10.0, 20.0]]))
    assert sorted([p(graph.taken, {graph.a: 1}), twin(graph.taken, {graph.a: 1})]) == [10, 20]
    later = p.fork()
    assert later(graph.r1, {graph.b: 1}) == 2 and p(graph.r1, {graph.b: 2}) == 3
    refused("taken:0 has already been fetched", later, graph.taken)


def test_a_fork_of_what_computes_waits_for_it(rs: Any) -> None:
    """On several devices kernels compute in other threads: they are let finish, and are not called twice."""
    calls: list[float] = []
    begun, go_on = threading.Event(), threading.Event()

    def slow(x: float) -> np.float32:
        calls.append(float(x))
        begun.set()
        assert go_on.wait(60)
        return np.float32(x * 10)

    x, y = rs.placeholder(rs.float32, []), rs.placeholder(rs.float32, [])
    with rs.device("/cpu:0"):
        called = rs.py_func(slow, [x], rs.float32)
    with rs.device("/cpu:1"):
        last = called + y
    with rs.Session(config=rs.ConfigProto(device_count={"CPU": 2})) as session:
        p = session.pipeline([last], [x, y])
        p([], {x: 1})
        assert begun.wait(60)
        twin = p.fork()
        third = twin.fork()
        closed = p.fork()
        closed.close()
        go_on.set()
        assert [h(last, {y: n}) for n, h in enumerate((third, p, twin))] == [10, 11, 12]
        assert calls == [1]
        refused("Must run 'setup'", closed, last, {y: 1})


def test_failures_of_forks(rs: Any) -> None:
    """A failure belongs to the one that it happens to; one that was there before to both."""
    x, y = rs.placeholder(rs.int32, []), rs.placeholder(rs.int32, [])
    quotient, other = rs.floordiv(6, x), x + y
    with rs.Session() as session:
        p = session.pipeline([quotient, other], [x, y])
        twin = p.fork()
        with pytest.raises(rs.errors.InvalidArgumentError, match="Integer division by zero"):
            p(quotient, {x: 0})
        assert twin([quotient, other], {x: 2, y: 1}) == [3, 3]
        p = session.pipeline([quotient, other], [x, y])
        p([], {x: 0})
        twin = p.fork()
        for handle in (p, twin):
            with pytest.raises(rs.errors.InvalidArgumentError, match="Integer division by zero"):
                handle(other, {y: 1})


def test_a_fork_traces_as_its_origin(graph: Chain, session: Any) -> None:
    traced = runstep.RunOptions(trace_level=runstep.RunOptions.FULL_TRACE)
    p = session.pipeline([graph.r1, graph.r2], graph.feeds, options=traced)
    p(graph.r1, {graph.a: 1, graph.b: 2})
    twin, seen = p.fork(), runstep.RunMetadata()
    for handle in (p, twin):
        handle(graph.r2, {graph.c: 1}, run_metadata=seen)
        names = [node.node_name for node in seen.step_stats.dev_stats[0].node_stats]
        assert names.count("r1") == 1 and names.count("r2") == 1


# ---------------------------------------------------------------------- files

PROGRAM = """
import runstep as tf
x, y = tf.placeholder(tf.float32, [None], name="x"), tf.placeholder(tf.float32, [], name="y")
v, w = tf.get_variable("v", [], use_resource=False), tf.get_variable("w", [], use_resource=True)
text = tf.as_string(x, name="text")
half = tf.cast(x, tf.bfloat16)
first = tf.reduce_sum(x, name="first")
called = []
calls = tf.py_func(lambda s: (called.append(s), s)[1], [first], tf.float32)
q = tf.FIFOQueue(10, tf.float32, shapes=[[]])
after = [calls * y, tf.cast(half, tf.float32) + y, text, tf.assign_add(v, y), w.assign_add(y), x * y, q.dequeue() + y]
sess = tf.Session()
sess.run([v.assign(1.0), w.assign(2.0), q.enqueue(40.0)])
"""

SAVE = """
p = sess.pipeline([first, *after], [x, y])
print(p(first, {x: [1, 2.5]}), len(called))
p.save(sys.argv[1])
"""


def test_a_handle_outlives_its_process(tmp_path: Path) -> None:
    """The step goes on in another process: nothing that was computed is computed again."""
    path = tmp_path / "handle"
    command = [sys.executable, "-c", f"import sys\n{PROGRAM}{SAVE}", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "PYTHONHASHSEED": "7"})
    assert done.stdout == "3.5 1\n", done.stderr
    here: dict[str, Any] = {}
    with runstep.Graph().as_default():
        exec(PROGRAM, here)  # noqa: S102 - our own
        p = here["sess"].restore_partial_run(path)
        product, shifted, text, v, w, scaled, dequeued = p(here["after"], {here["y"]: 2})
        here["sess"].close()
    assert product == 7 and shifted.tolist() == [3, 4.5] and text.tolist() == [b"1.000000", b"2.500000"]
    assert (v, w, dequeued) == (3, 4, 42) and scaled.tolist() == [2, 5]
    assert not here["called"] and os.listdir(tmp_path) == ["handle"]


def test_a_saved_handle_stays(graph: Chain, session: Any, tmp_path: Path) -> None:
    """Saving ends nothing; a file may be restored many times; what it was for is still checked."""
    p = session.pipeline([graph.r1, graph.r2, graph.a], graph.feeds)
    assert p(graph.r1, {graph.a: 1, graph.b: 2}) == 3
    p.save(tmp_path / "p")
    p.save(str(tmp_path / "p"))
    for n in range(2):
        twin = session.restore_partial_run(tmp_path / "p")
        refused("r1:0 has already been fetched", twin, graph.r1)
        assert twin([graph.r2, graph.a], {graph.c: n}) == [3 * n, 1]
    assert p(graph.r2, {graph.c: 5}) == 15 and session.run(graph.count) == 1
    with runstep.Session() as other:
        assert other.restore_partial_run(tmp_path / "p")(graph.r2, {graph.c: 2}) == 6


def test_kernels_that_wait_wait_again(graph: Chain, session: Any, tmp_path: Path) -> None:
    p = session.pipeline([graph.taken, graph.r1], graph.feeds)
    p([], {graph.a: 3})

    async def program() -> Any:
        async with session.pipeline([graph.taken], graph.feeds) as other:
            await other.save(tmp_path / "other")

    trio.run(program)
    p.save(tmp_path / "p")
    p.close()
    twin = session.restore_partial_run(tmp_path / "p")
    assert len(twin.statistics().waiting) == 1
    session.run(graph.queue.enqueue(5.0))
    assert twin([graph.taken, graph.r1], {graph.b: 1}) == [15, 4]


def test_no_damage_goes_unnoticed(graph: Chain, session: Any, tmp_path: Path) -> None:
    """Every truncation, and a flipped bit in every byte."""
    p = session.pipeline([graph.r1, graph.r2], graph.feeds)
    p([], {graph.a: 1, graph.b: 2})
    path = tmp_path / "p"
    p.save(path)
    whole = path.read_bytes()
    damaged = [whole[:size] for size in range(len(whole))] + [whole + b"\0", whole[1:]]
    for position in range(len(whole)):
        found = bytearray(whole)
        found[position] ^= 1 << position % 8
        damaged.append(bytes(found))
    for data in damaged:
        with pytest.raises(runstep.errors.DataLossError, match="damaged"):
            _parsed(data, "p")
    for data in damaged[::500]:
        path.write_bytes(data)
        with pytest.raises(runstep.errors.DataLossError, match="damaged"):
            session.restore_partial_run(path)
    path.write_bytes(whole)
    assert session.restore_partial_run(path)(graph.r1) == 3


def test_what_somebody_wrote_a_checksum_for_is_read_with_care(graph: Chain, session: Any, tmp_path: Path) -> None:
    """It may be wrong, but is never something else than an error of ours."""
    path = tmp_path / "handle"
    handle = session.partial_run_setup([graph.r1, graph.r2], [graph.a, graph.b, graph.c])
    session.partial_run(handle, graph.r1, {graph.a: 1, graph.b: 2})
    handle.save(path)
    whole = path.read_bytes()
    start = whole.index(b"\n") + 33
    kinds = set()
    for place in range(start, len(whole), 7):
        payload = bytearray(whole[start:])
        payload[place - start] ^= 1 << place % 8
        path.write_bytes(whole[: start - 32] + hashlib.sha256(payload).digest() + payload)
        try:
            session.restore_partial_run(path).close()
        except runstep.errors.OpError as error:
            kinds.add(type(error))
    assert runstep.errors.DataLossError in kinds


def test_another_graph_is_refused(graph: Chain, session: Any, tmp_path: Path) -> None:
    p = session.pipeline([graph.r1], graph.feeds)
    p.save(tmp_path / "p")
    with runstep.Graph().as_default() as empty:
        runstep.constant(1)
        with runstep.Session(graph=empty) as other:
            refused("was saved from another graph: .*'a'", other.restore_partial_run, tmp_path / "p")
    with runstep.Graph().as_default() as changed:
        a, b, _ = (runstep.placeholder(runstep.float32, [], name=name) for name in "abc")
        runstep.subtract(a, b, name="r1")
        with runstep.Session(graph=changed) as other:
            refused("another graph: its operations have the same names", other.restore_partial_run, tmp_path / "p")
    two = runstep.ConfigProto(device_count={"CPU": 2})
    with runstep.device("/cpu:1"):
        late = runstep.negative(graph.r1, name="late")
    with runstep.Session(config=two) as two_devices:
        two_devices.pipeline([late], graph.feeds).save(tmp_path / "late")
    with pytest.raises(runstep.errors.FailedPreconditionError, match="saved with another plan"):
        soft = runstep.ConfigProto(allow_soft_placement=True)
        runstep.Session(config=soft).restore_partial_run(tmp_path / "late")


def test_what_cannot_be_saved(rs: Any, tmp_path: Path) -> None:
    x, y = rs.placeholder(rs.float32, []), rs.placeholder(rs.float32, [])
    array = rs.TensorArray(rs.float32, 2).write(0, x).write(1, y).stack()
    bad = rs.floordiv(1, rs.to_int32(x)) + rs.to_int32(y)
    with rs.Session() as session:
        p = session.pipeline([array], [x, y])
        p([], {x: 1})
        with pytest.raises(rs.errors.UnimplementedError, match="holds a TensorArray, .* made by TensorArray"):
            p.save(tmp_path / "p")
        assert p(array, {y: 2}).tolist() == [1, 2]
        p = session.pipeline([bad], [x, y])
        p([], {x: 0})
        with pytest.raises(rs.errors.InvalidArgumentError, match="Integer division by zero"):
            p.save(tmp_path / "p")
        with pytest.raises(FileNotFoundError):
            session.pipeline([x + y], [x, y]).save(tmp_path / "no" / "p")
        with pytest.raises(FileNotFoundError):
            session.restore_partial_run(tmp_path / "p")
    assert not os.listdir(tmp_path)


def test_a_file_appears_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: Any) -> None:
        raise OSError("the disk is full")

    _write(tmp_path / "p", b"old")
    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="the disk is full"):
        _write(tmp_path / "p", b"new")
    assert os.listdir(tmp_path) == ["p"] and (tmp_path / "p").read_bytes() == b"old"


# ---------------------------------------------------------------------- closing


def test_closing_before_the_actors_have_taken_a_step_over(graph: Chain) -> None:
    """S158: who waits for it is told, though its driver never begins."""
    session = runstep.Session()
    session.run(graph.queue.enqueue(1.0))
    first = session.pipeline([graph.taken], graph.feeds)
    assert first(graph.taken, {graph.a: 1}) == 1  # the actors serve this session
    session.pipeline([graph.taken], graph.feeds).close()
    gate, caught = threading.Event(), list[BaseException]()
    loop_thread().post(gate.wait)
    p = session.pipeline([graph.taken], graph.feeds)

    def work() -> None:
        try:
            p(graph.taken, {graph.a: 1})
        except (runstep.errors.CancelledError, RuntimeError) as error:
            caught.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    while not p._run.step._mailbox._tickets:
        threading.Event().wait(0.001)
    session.close()
    gate.set()
    thread.join(60)
    assert not thread.is_alive() and len(caught) == 1
