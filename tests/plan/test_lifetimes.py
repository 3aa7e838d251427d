"""Values are dropped at their last use; what leaves a step belongs to the caller alone; loops end when told to."""

from __future__ import annotations

import threading
import tracemalloc
import weakref
from typing import Any

import numpy as np
import pytest

import runstep
from runstep import errors
from runstep.kernels import cpu_kernels
from runstep.kernels.registry import KernelDef
from runstep.plan import elementwise
from runstep.protos import config_pb2

SIZE = 1 << 18  # floats: a MiB


@pytest.fixture
def alive(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many arrays that came from Sin were alive whenever one was made, Sin's own kernel watched."""
    counts: list[int] = []
    refs: list[weakref.ref[Any]] = []

    def watched(x: Any) -> Any:
        found = np.sin(x)
        refs.append(weakref.ref(found))
        counts.append(sum(ref() is not None for ref in refs))
        return found

    row = KernelDef("Sin", lambda node: watched, types=None, view=False, step=False, is_async=False)
    monkeypatch.setitem(cpu_kernels()._rows, "Sin", [row])
    monkeypatch.setattr(elementwise, "join", lambda live, needed: list(live))  # one node holds its input to its end
    return counts


def test_a_chain_holds_two_values_at_a_time(rs: Any, alive: list[int]) -> None:
    x = y = rs.placeholder("float32", [None])
    for _ in range(50):
        y = rs.sin(y)
    with rs.Session() as session:
        session.run(y, {x: np.ones(4, np.float32)})
    assert len(alive) == 50
    assert max(alive) == 2


def test_a_value_lives_until_its_last_use(rs: Any, alive: list[int]) -> None:
    x = y = rs.placeholder("float32", [None])
    first = rs.sin(x)
    y = first
    for _ in range(10):
        y = rs.sin(y)
    y = y + first
    for _ in range(10):
        y = rs.sin(y)
    with rs.Session() as session:
        session.run(y, {x: np.ones(4, np.float32)})
    assert alive[9] == 3 and alive[-1] == 2


def test_targets_do_not_keep_values(rs: Any, alive: list[int]) -> None:
    x = rs.placeholder("float32", [None])
    targets = [rs.sin(x + float(i)).op for i in range(20)]  # not behind a group: nobody would look at them
    with rs.Session() as session:
        session.run(targets, {x: np.ones(4, np.float32)})
    assert max(alive) == 1


def test_a_loop_does_not_pile_up(rs: Any, alive: list[int]) -> None:
    x = rs.placeholder("float32", [None])
    found = rs.while_loop(lambda i, y: i < 30, lambda i, y: (i + 1, rs.sin(rs.sin(y))), [rs.constant(0), x])
    with rs.Session() as session:
        session.run(found, {x: np.ones(4, np.float32)})
    assert len(alive) == 60
    assert max(alive) <= 3


def test_token_loops_do_not_pile_up(rs: Any, alive: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    from runstep.plan import frames

    monkeypatch.setattr(frames, "plain_loop", lambda frame: False)
    test_a_loop_does_not_pile_up(rs, alive)


def test_a_loop_s_result_is_dropped_too(rs: Any, alive: list[int]) -> None:
    x = rs.placeholder("float32", [None])
    _, y = rs.while_loop(lambda i, y: i < 3, lambda i, y: (i + 1, rs.sin(y)), [rs.constant(0), x])
    for _ in range(5):
        y = rs.sin(y)
    with rs.Session() as session:
        session.run(y, {x: np.ones(4, np.float32)})
    assert alive[-1] == 2


def test_a_branch_drops_what_only_the_other_needs(rs: Any, alive: list[int]) -> None:
    p, x = rs.placeholder("bool", []), rs.placeholder("float32", [None])
    y = rs.sin(x)
    found = rs.cond(p, lambda: rs.sin(rs.sin(y)), lambda: x)
    with rs.Session() as session:
        session.run(found, {p: True, x: np.ones(4, np.float32)})
    assert alive == [1, 2, 3] or alive == [1, 2, 2]


def test_memory_of_a_long_chain(rs: Any) -> None:
    x = y = rs.placeholder("float32", [None])
    for _ in range(40):
        y = rs.exp(rs.negative(y))
    value = np.ones(SIZE, np.float32)
    with rs.Session() as session:
        session.run(y, {x: value})
        tracemalloc.start()
        try:
            session.run(y, {x: value})
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert peak < 4 * value.nbytes


def test_nothing_stays_after_a_step(rs: Any, alive: list[int]) -> None:
    x = rs.placeholder("float32", [None])
    fetches = [rs.sin(x), rs.sin(x + 1.0)]
    with rs.Session() as session:
        session.run(fetches, {x: np.ones(4, np.float32)})
        session.run(rs.sin(x * 2.0), {x: np.ones(4, np.float32)})
    assert alive[-1] == 1


def fetched(rs: Any) -> dict[str, Any]:
    x = rs.placeholder("float32", [4], name="x")
    v = rs.Variable([1.0, 2.0, 3.0, 4.0], use_resource=False, name="v")
    r = rs.Variable([1.0, 2.0, 3.0, 4.0], use_resource=True, name="r")
    c = rs.constant([1.0, 2.0, 3.0, 4.0])
    p = rs.placeholder_with_default(True, [])
    return {
        "x": x,
        "a feed through Identity": rs.identity(x),
        "a view of a feed": rs.reshape(x, [2, 2]),
        "a constant": c,
        "a view of a constant": rs.reshape(c, [2, 2]),
        "a folded constant": c + 1.0,
        "a reference": v,
        "a variable read": r.read_value(),
        "an assignment": rs.assign(v, x),
        "a slice": rs.exp(x)[1:3],
        "a branch": rs.cond(p, lambda: x, lambda: c),
        "a loop": rs.while_loop(lambda i, y: i < 0, lambda i, y: (i, y), [rs.constant(0), x])[1],
        "a computed value": rs.exp(x),
    }


def _names() -> list[str]:
    with runstep.Graph().as_default():  # not in the one that other tests find
        return [name for name in fetched(runstep) if name != "x"]


@pytest.mark.parametrize("name", _names())
def test_what_is_fetched_is_private(rs: Any, name: str) -> None:
    """S76: writing into a fetched array changes neither the feed, nor a constant, or a variable."""
    tensors = fetched(rs)
    x, fetch = tensors["x"], tensors[name]
    fed = np.array([5.0, 6.0, 7.0, 8.0], np.float32)
    with rs.Session() as session:
        session.run(rs.global_variables_initializer())
        first = session.run(fetch, {x: fed})
        want = np.array(first)
        assert first.flags.writeable and first.flags.owndata
        first[...] = -1.0
        np.testing.assert_array_equal(fed, [5.0, 6.0, 7.0, 8.0])
        np.testing.assert_array_equal(session.run(fetch, {x: fed}), want)


def test_a_feed_that_is_kept_is_copied(rs: Any) -> None:
    x = rs.placeholder("float32", [2])
    v = rs.Variable([0.0, 0.0], use_resource=False)
    assign = rs.assign(v, x)
    fed = np.array([1.0, 2.0], np.float32)
    with rs.Session() as session:
        session.run(assign, {x: fed})
        fed[...] = -1.0
        np.testing.assert_array_equal(session.run(v), [1.0, 2.0])


@pytest.mark.parametrize("form", ["structured", "tokens", "While"])
def test_an_endless_loop_ends_at_its_deadline(rs: Any, form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every turn of a loop looks at the step."""
    from runstep.plan import frames

    if form == "tokens":
        monkeypatch.setattr(frames, "plain_loop", lambda frame: False)
    if form == "While":
        from runstep.graph.functions import FunctionGraph, define

        graph = rs.get_default_graph()
        goes_on, turn = FunctionGraph("goes_on", graph), FunctionGraph("turn", graph)
        with goes_on.as_default():
            i = goes_on.add_input("i", rs.int32, ())
            goes_on.outputs.append(i >= 0)
        with turn.as_default():
            i = turn.add_input("i", rs.int32, ())
            turn.outputs.append(i * 1)
        names: Any = {"cond": define(graph, goes_on, "goes_on"), "body": define(graph, turn, "turn")}
        from runstep.graph.apply import apply

        (found,) = apply("While", [rs.constant(0)], **names)
    else:
        found = rs.while_loop(lambda i: i >= 0, lambda i: i * 1, [rs.placeholder_with_default(0, [])])
    with rs.Session() as session:
        with pytest.raises(errors.DeadlineExceededError):
            session.run(found, options=config_pb2.RunOptions(timeout_in_ms=50))
        assert session.run(rs.constant(1)) == 1


def test_closing_ends_a_loop(rs: Any) -> None:
    turned = threading.Event()

    def note(i: Any) -> Any:
        turned.set()
        return i

    start = rs.placeholder_with_default(0, None)
    found = rs.while_loop(lambda i: i >= 0, lambda i: rs.py_func(note, [i * 1], rs.int32), [start])
    session = rs.Session()
    outcome: list[BaseException] = []

    def run() -> None:
        try:
            session.run(found)
        except errors.OpError as error:
            outcome.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    assert turned.wait(10)
    session.close()
    thread.join(10)
    assert not thread.is_alive()
    assert isinstance(outcome[0], errors.CancelledError)
