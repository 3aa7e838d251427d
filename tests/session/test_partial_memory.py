"""What the pieces of a partial run take is claimed when their feeds come, before they run; what nobody needs goes."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trio
import trio.testing

from runstep import errors
from runstep.protos import config_pb2

MIB = 1 << 20
ONES = np.ones(1 << 18, np.float32)
"""1 MiB."""


def memory(session: Any, device: int = 0) -> Any:
    return session._engine.devices[device].statistics().memory


def settled(session: Any, least: int, most: int, device: int = 0) -> bool:
    """Whether so much is in use, now or once the loop thread has let go of a step."""
    for _ in range(2000):
        found = memory(session, device)
        if not found.reserved and least <= found.in_use <= most:
            return True
        threading.Event().wait(0.002)
    return False


def by_shape(rs: Any, x: Any) -> Any:
    return rs.cumsum(rs.tile(x, [4]))


def by_value(rs: Any, x: Any) -> Any:
    return rs.cumsum(rs.fill([x], 1.0))


def by_run(rs: Any, x: Any) -> Any:
    return rs.cumsum(rs.cast(rs.where(x > 0)[:, 0], "float32"))


def behind_a_queue(rs: Any, x: Any) -> Any:
    queue = rs.FIFOQueue(9, [rs.float32], [()])
    with rs.control_dependencies([queue.enqueue(1.0)]):
        return rs.cumsum(rs.tile(x, [4]) * queue.dequeue())


Program = Callable[[Any, Any], Any]
PROGRAMS: list[tuple[Program, Any, Any]] = [
    (by_shape, np.repeat(ONES, 2), np.repeat(ONES, 12)),  # 8 MiB after 2, 48 after 12
    (by_value, 1 << 21, 12 << 20),
    (by_run, np.repeat(ONES, 2), np.repeat(ONES, 14)),
    (behind_a_queue, np.repeat(ONES, 2), np.repeat(ONES, 12)),
]


@pytest.mark.parametrize(("program", "some", "much"), PROGRAMS)
def test_a_piece_is_claimed_before_it_runs(rs: Any, program: Program, some: Any, much: Any) -> None:
    """And refused where it never fits, with the op and the shape; the handle is spent then, as after any failure."""
    x = rs.placeholder("int32", []) if program is by_value else rs.placeholder("float32", [None])
    y = rs.placeholder("float32", [])
    made = program(rs, x)
    ends = [rs.reduce_max(made), rs.reduce_sum(made * y)]
    with rs.Session(memory_limit="32MiB") as session:
        handle = session.partial_run_setup(ends, [x, y])
        session.partial_run(handle, ends[0], {x: some})
        held = 8 * MIB if program is not by_run else 2 * MIB
        assert settled(session, held, held + 64) and memory(session).peak >= 2 * held
        session.partial_run(handle, ends[1], {y: 2.0})
        assert settled(session, 0, 0)
        handle = session.partial_run_setup(ends, [x, y])
        with pytest.raises(errors.ResourceExhaustedError, match=r"OOM when allocating tensor with shape.\d+") as caught:
            session.partial_run(handle, ends[0], {x: much})
        assert caught.value.op is not None and memory(session).peak <= 32 * MIB + 64
        with pytest.raises(errors.InvalidArgumentError, match="Must run 'setup'"):
            session.partial_run(handle, ends[1], {y: 2.0})
        assert settled(session, 0, 0)
        handle = session.partial_run_setup(ends, [x, y])
        session.partial_run(handle, ends, {x: some, y: 2.0})


def test_nothing_of_a_refused_piece_has_run(rs: Any) -> None:
    ran: list[int] = []
    x, y = rs.placeholder("float32", [None]), rs.placeholder("float32", [])
    with rs.control_dependencies([rs.py_func(lambda: ran.append(1), [], []), rs.identity(x)]):
        made = by_shape(rs, rs.identity(x))
    with rs.control_dependencies([rs.py_func(lambda n: ran.append(2), [rs.size(x)], [])]):
        ends = [rs.reduce_max(made), rs.reduce_sum(made) * y]
    with rs.Session(memory_limit="16MiB") as session:
        handle = session.partial_run_setup(ends, [x, y])
        assert ran == [1]  # no feed is needed for that
        with pytest.raises(errors.ResourceExhaustedError):
            session.partial_run(handle, ends[0], {x: np.repeat(ONES, 4)})
        assert ran == [1]


def test_what_can_never_fit_is_refused_at_once(rs: Any) -> None:
    x, y = rs.placeholder("float32", []), rs.placeholder("float32", [])
    large = [rs.cumsum(rs.fill([8, 1 << 18], x * scale)) for scale in (1.0, 2.0)]
    ends = [rs.reduce_max(each * y) for each in large]
    with rs.Session(memory_limit="12MiB") as session:
        with pytest.raises(errors.ResourceExhaustedError, match=r"shape.8,262144."):
            session.partial_run_setup(ends, [x, y])
        assert memory(session).in_use == 0


@pytest.mark.parametrize("waits", [False, True])
def test_what_nobody_needs_any_more_goes(rs: Any, waits: bool) -> None:
    """Each piece makes 3 MiB of what the one before has made, and another one lets go of that."""
    feeds = [rs.placeholder("float32", [None]), *[rs.placeholder("float32", []) for _ in range(4)]]
    value, made = feeds[0], []
    if waits:
        queue = rs.FIFOQueue(9, [rs.float32])
        with rs.control_dependencies([queue.enqueue(value)]):
            value = queue.dequeue()
    for feed in feeds[1:]:
        value = value * feed
        made.append(value)
    with rs.Session(memory_limit="10MiB") as session:
        for fetched in (made, [rs.reduce_max(each) for each in made]):
            handle = session.partial_run_setup(fetched, feeds)
            session.partial_run(handle, [], {feeds[0]: np.repeat(ONES, 3)})
            for number, feed in enumerate(feeds[1:]):
                session.partial_run(handle, fetched[number], {feed: 2.0})
                left = 3 * MIB if number < 3 else 0
                assert settled(session, left, left + 64)
            assert memory(session).peak <= 10 * MIB


def test_a_piece_waits_for_its_turn_and_can_be_ended(rs: Any) -> None:
    x, y = rs.placeholder("float32", [None]), rs.placeholder("float32", [])
    made = by_shape(rs, x)
    ends = [rs.reduce_max(made), rs.reduce_sum(made * y)]
    entered, go_on = threading.Event(), threading.Event()

    def pass_on(value: Any) -> Any:
        entered.set()
        assert go_on.wait(30)
        return value

    other = rs.reduce_sum(rs.fill([6, 1 << 18], rs.py_func(pass_on, [y], rs.float32)))
    found: list[Any] = []
    with rs.Session(memory_limit="12MiB") as session:
        runner = threading.Thread(target=lambda: found.append(session.run(other, {y: 1.0})))
        runner.start()
        assert entered.wait(30)
        late = session.partial_run_setup(ends, [x, y])
        with pytest.raises(errors.DeadlineExceededError) as caught:
            session.partial_run(late, ends[0], {x: ONES}, options=rs.RunOptions(timeout_in_ms=20))
        assert any(note.startswith("waiting: memory of /job:localhost") for note in caught.value.__notes__)
        handle = session.partial_run_setup(ends, [x, y])
        piece = threading.Thread(target=lambda handle: found.append(handle(ends[0], {x: ONES})), args=(handle,))
        piece.start()
        while not memory(session).waiting:
            threading.Event().wait(0.001)
        go_on.set()
        for thread in (runner, piece):
            thread.join(30)
        assert sorted(found) == [4 << 18, 6 << 18]
        del handle, late, piece
        assert settled(session, 0, 0)


@pytest.mark.trio
async def test_an_event_loop_goes_on_while_a_piece_waits(rs: Any) -> None:
    x, y = rs.placeholder("float32", [None]), rs.placeholder("float32", [])
    made = by_shape(rs, x)
    ends = [rs.reduce_max(made), rs.reduce_sum(made * y)]
    with rs.Session(memory_limit="12MiB") as session:
        claim = session._engine.devices[0].budget.ask(6 * MIB, "")
        handle = await session.apartial_run_setup(ends, [x, y])
        async with trio.open_nursery() as nursery:
            nursery.start_soon(session.apartial_run, handle, ends[0], {x: ONES})
            while not memory(session).waiting:
                await trio.lowlevel.checkpoint()
            session._engine.devices[0].budget.give_back(claim)
        assert settled(session, 4 * MIB, 4 * MIB + 64)


def test_forks_and_restored_handles_count(rs: Any, tmp_path: Path) -> None:
    x, y = rs.placeholder("float32", [None]), rs.placeholder("float32", [])
    made = by_shape(rs, x)
    ends = [rs.reduce_max(made), rs.reduce_sum(made * y)]
    with rs.Session(memory_limit="40MiB") as session:
        handle = session.partial_run_setup(ends, [x, y])
        session.partial_run(handle, ends[0], {x: ONES})
        handle.save(tmp_path / "handle")
        twin = handle.fork()
        del handle
        assert settled(session, 4 * MIB, 4 * MIB + 64)
        restored = session.restore_partial_run(tmp_path / "handle")
        assert settled(session, 8 * MIB, 8 * MIB + 64)
        assert session.partial_run(twin, ends[1], {y: 2.0}) == session.partial_run(restored, ends[1], {y: 2.0})
        assert settled(session, 0, 0)


def test_each_device_counts_its_own(rs: Any) -> None:
    x, y = rs.placeholder("float32", [None]), rs.placeholder("float32", [])
    with rs.device("/cpu:0"):
        first = by_shape(rs, x)
    with rs.device("/cpu:1"):
        second = rs.cumsum(rs.concat([first, first], 0))
        ends = [rs.reduce_max(second), rs.reduce_sum(second * y)]
    config = config_pb2.ConfigProto(device_count={"CPU": 2})
    with rs.Session(memory_limit={"/cpu:0": "16MiB", "/cpu:1": "20MiB"}, config=config) as session:
        handle = session.partial_run_setup(ends, [x, y])
        session.partial_run(handle, ends[0], {x: ONES})
        assert settled(session, 8 * MIB, 8 * MIB + 64, 1) and settled(session, 0, 0)
        del handle
        assert settled(session, 0, 0, 1)
        handle = session.partial_run_setup(ends, [x, y])
        with pytest.raises(errors.ResourceExhaustedError, match="device:CPU:1"):
            session.partial_run(handle, ends[0], {x: np.repeat(ONES, 2)[: 3 << 17]})
        assert settled(session, 0, 0) and settled(session, 0, 0, 1)


@pytest.mark.parametrize("waits", [False, True])
def test_feeds_that_do_not_fit_are_refused(rs: Any, waits: bool) -> None:
    """They are copied, and held until something needs them no more."""
    x, y = rs.placeholder("float32", [None]), rs.placeholder("float32", [])
    value = x * rs.FIFOQueue(1, [rs.float32], [()]).dequeue() if waits else x
    ends = [rs.reduce_sum(value * y)]
    with rs.Session(memory_limit="4MiB") as session:
        first, second = (session.partial_run_setup(ends, [x, y]) for _ in range(2))
        session.partial_run(first, [], {x: np.repeat(ONES, 2)})
        with pytest.raises(errors.ResourceExhaustedError, match=r"shape.786432. and type float") as caught:
            session.partial_run(second, [], {x: np.repeat(ONES, 3)})
        assert caught.value.op is x.op
        assert settled(session, 2 * MIB, 2 * MIB + 64) and memory(session).peak <= 4 * MIB
        del first, second
        assert settled(session, 0, 0)


def test_a_failed_piece_holds_nothing(rs: Any) -> None:
    """Though its error's traceback knows the step."""
    x, y = rs.placeholder("float32", [None]), rs.placeholder("float32", [])
    ends = [rs.check_numerics(rs.reduce_sum(x) / y, "no"), rs.reduce_sum(x * y)]
    with rs.Session(memory_limit="8MiB") as session:
        handle = session.partial_run_setup(ends, [x, y])
        session.partial_run(handle, [], {x: np.repeat(ONES, 2)})
        with pytest.raises(errors.InvalidArgumentError) as caught:
            session.partial_run(handle, ends[0], {y: 0.0})
        assert settled(session, 0, 0) and "no : Tensor had" in str(caught.value)


def test_a_fork_outlives_an_origin_that_computes(rs: Any) -> None:
    """`handle = handle.fork()`: the first handle is garbage before the fork knows where it was."""
    entered, go_on = threading.Event(), threading.Event()

    def slow(value: Any) -> Any:
        entered.set()
        assert go_on.wait(30)
        return value

    x, y = rs.placeholder("float32", []), rs.placeholder("float32", [])
    with rs.device("/cpu:1"):
        made = rs.py_func(slow, [x], rs.float32)
    config = config_pb2.ConfigProto(device_count={"CPU": 2})
    with rs.device("/cpu:0"):
        end = made * y
    with rs.Session(config=config) as session:
        handle = session.partial_run_setup([end], [x, y])
        session.partial_run(handle, [], {x: 3.0})
        assert entered.wait(30)
        handle = handle.fork()
        go_on.set()
        assert session.partial_run(handle, end, {y: 2.0}) == 6
