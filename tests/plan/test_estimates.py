"""What plans are thought to take: sizes, costs, memory, orders that take less, pieces worth a thread."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, strategies as st

from runstep.kernels import blas
from runstep.plan import memory, weigh
from runstep.plan.cost import HEAVY
from runstep.plan.lanes import lanes, makespan
from runstep.protos import config_pb2

MIB = 1 << 20


@pytest.fixture(autouse=True)
def one_blas_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that it does not depend on the machine what is worth a thread."""
    monkeypatch.setattr(blas, "of_a_large_product", lambda: 1)


def plan_of(session: Any, fetches: Sequence[Any], feeds: Sequence[Any] = (), given: Any = None) -> Any:
    return session._engine.prepare(session.graph, list(feeds), list(fetches), [], given=given)


def threads(count: int) -> Any:
    return config_pb2.ConfigProto(inter_op_parallelism_threads=count)


def chain_of(rs: Any, x: Any, length: int) -> Any:
    y = x
    for _ in range(length):
        y = rs.matmul(y, x)
    return y


# ---------------------------------------------------------------------- memory


def elementwise(rs: Any) -> tuple[Any, Any]:
    x = rs.placeholder("float32", [1 << 18])
    return rs.reduce_sum(rs.exp(rs.sin(x) * rs.cos(x)) - rs.tan(x)), np.ones(1 << 18, np.float32)


def of_any_size(rs: Any) -> tuple[Any, Any]:
    x = rs.placeholder("float32", [None, 64])
    y = rs.sin(rs.matmul(x, rs.ones([64, 256])))
    return rs.reshape(rs.cos(y), [-1, 128]), np.ones((2048, 64), np.float32)


def of_any_rank(rs: Any) -> tuple[Any, Any]:
    x = rs.placeholder("float32")
    return rs.sin(x) + rs.cos(x), np.ones((512, 1024), np.float32)


def views(rs: Any) -> tuple[Any, Any]:
    x = rs.placeholder("float32", [1 << 18])
    y = rs.reshape(rs.sin(x), [512, 512])
    return rs.reduce_sum(y[1:]) + rs.reduce_sum(rs.transpose(y)), np.ones(1 << 18, np.float32)


def branches(rs: Any) -> tuple[Any, Any]:
    x = rs.placeholder("float32", [1 << 18])
    return rs.cond(x[0] > 0, lambda: rs.sin(x) + rs.cos(x), lambda: x), np.ones(1 << 18, np.float32)


def loop(rs: Any) -> tuple[Any, Any]:
    x = rs.placeholder("float32", [1 << 18])
    return rs.while_loop(lambda i, y: i < 5, lambda i, y: (i + 1, rs.sin(y)), [0, x])[1], np.ones(1 << 18, np.float32)


@pytest.mark.parametrize("program", [elementwise, of_any_size, of_any_rank, views, branches, loop])
def test_the_projected_peak_is_the_real_one(rs: Any, program: Callable[[Any], tuple[Any, Any]]) -> None:
    """Within an eighth. Without rewrites: elementwise chains would take nothing but tiles."""
    y, value = program(rs)
    x = rs.get_default_graph().get_operations()[0].outputs[0]
    plain = threads(1)
    plain.graph_options.optimizer_options.opt_level = config_pb2.OptimizerOptions.L0
    with rs.Session(config=plain, memory_limit=1 << 30) as session:
        session.run(y, {x: value})
        plan = session._cache[next(iter(session._cache))].plan
        (need,) = plan.estimate.needs
        tracemalloc.start()
        try:
            session.run(y, {x: value})
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert peak <= need.least * 9 / 8
    assert need.least <= peak * 9 / 8


@pytest.mark.parametrize("program", [elementwise, of_any_size, views])
def test_the_quick_bound_is_one(rs: Any, program: Callable[[Any], Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """`memory.bound` is no less than what `memory.project` says."""
    found: list[tuple[int | None, int]] = []

    def project(items: Any, sizes: Any, reads: Any, results: Any, *args: Any, **more: Any) -> Any:
        projection = memory.project(items, sizes, reads, results, *args, **more)
        found.append((memory.bound(items, sizes, results), projection.peak))
        return projection

    y, value = program(rs)
    monkeypatch.setattr(weigh, "project", project)
    x = rs.get_default_graph().get_operations()[0].outputs[0]
    plain = threads(1)
    plain.graph_options.optimizer_options.opt_level = config_pb2.OptimizerOptions.L0
    with rs.Session(config=plain, memory_limit=1 << 30) as session:
        plan_of(session, [y], [x], [value.shape])
    assert found
    assert all(bound is not None and peak <= bound <= 3 * peak for bound, peak in found)


def test_many_small_values_one_after_the_other_are_not_looked_at(rs: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weigh, "project", None)
    x = y = rs.placeholder("float32", [8])
    for _ in range(2000):
        y = rs.tanh(y)
    with rs.Session(config=threads(1), memory_limit=64 * MIB) as session:  # of which 16 KiB count for nothing
        plan = plan_of(session, [y], [x])
        assert plan.estimate.needs == () and plan.estimate.time > 0


def test_joined_chains_take_tiles(rs: Any) -> None:
    y, value = elementwise(rs)
    x = rs.get_default_graph().get_operations()[0].outputs[0]
    with rs.Session(config=threads(1), memory_limit=1 << 30) as session:
        assert plan_of(session, [y], [x]).estimate.needs == ()
        assert np.isfinite(session.run(y, {x: value}))


def test_small_plans_reserve_nothing(rs: Any) -> None:
    x = rs.placeholder("float32", [1000])
    with rs.Session(memory_limit=1 << 30) as session:
        plan = plan_of(session, [rs.sin(x)], [x])
        assert plan.estimate.needs == () and plan.straight is not None


def test_another_order_where_the_own_does_not_fit(rs: Any) -> None:
    """Depth first, all big values are there before the first is done with."""
    x = rs.placeholder("float32", [])
    big = [rs.fill([1 << 18], x * float(i)) for i in range(12)]
    fetches = [rs.add_n([rs.reduce_sum(b) for b in big]), rs.add_n([rs.reduce_max(b) for b in big])]
    with rs.Session(memory_limit=1 << 30) as wide, rs.Session(memory_limit="4MiB") as narrow:
        for session, peak in ((wide, 12), (narrow, 1)):
            plan = plan_of(session, fetches, [x])
            assert plan.estimate.needs[0].least == pytest.approx(peak * MIB, rel=0.01)
        assert [v.tolist() for v in wide.run(fetches, {x: 1.0})] == [v.tolist() for v in narrow.run(fetches, {x: 1.0})]
        natural = [node.name for node in plan_of(wide, fetches, [x]).tasks[0].segment.nodes]
        with rs.Session(memory_limit="16MiB") as enough:
            assert [n.name for n in plan_of(enough, fetches, [x]).tasks[0].segment.nodes] == natural


def test_what_frees_most_comes_first(rs: Any) -> None:
    """The sum makes more than any of the others, but what it reads is then done with."""
    x = rs.placeholder("float32", [])
    big = rs.fill([4, 1 << 18], x)
    largest = rs.reduce_max(big)
    small = [rs.ones([1 << 17]) * (largest + float(i)) for i in range(8)]
    fetches = [*small, rs.reduce_sum(big, axis=0)]
    with rs.Session(memory_limit=1 << 30) as wide, rs.Session(memory_limit="8MiB") as narrow:
        for session, peak in ((wide, 9), (narrow, 5)):
            assert plan_of(session, fetches, [x]).estimate.needs[0].least == pytest.approx(peak * MIB, rel=0.01)
        assert [v.tolist() for v in wide.run(fetches, {x: 1.0})] == [v.tolist() for v in narrow.run(fetches, {x: 1.0})]


def test_effects_keep_their_order(rs: Any) -> None:
    """Reads and assignments stay as they were, whatever the memory."""
    x = rs.placeholder("float32", [])
    variable = rs.Variable(1.0, use_resource=True)
    big = [rs.fill([1 << 18], x * float(i)) for i in range(8)]
    first = variable.assign_add(rs.reduce_sum(big[0])) * 1.0
    rest = [rs.reduce_sum(b) for b in big]
    fetches = [rs.add_n([rs.reduce_max(b) for b in big]), first, *rest, variable.assign(x) * 1.0]
    with rs.Session(memory_limit="1GiB") as wide, rs.Session(memory_limit="3MiB") as narrow:
        own, other = (
            [node.name for node in plan_of(session, fetches, [x]).tasks[0].segment.nodes] for session in (wide, narrow)
        )
        assert own != other and sorted(own) == sorted(other)
        assert [[name for name in names if "Variable" in name] for names in (own, other)] == [
            ["Variable", "AssignAddVariableOp", "ReadVariableOp_1", "AssignVariableOp", "ReadVariableOp_3"]
        ] * 2


# ---------------------------------------------------------------------- pieces


def test_two_chains_run_beside_each_other(rs: Any) -> None:
    x, y = rs.placeholder("float32", [512, 512]), rs.placeholder("float32", [512, 512])
    total = chain_of(rs, x, 3) + chain_of(rs, y, 3)
    with rs.Session(config=threads(2)) as session:
        plan = plan_of(session, [total], [x, y])
        assert [len(task.segment.nodes) for task in plan.tasks] == [3, 3, 1]
        assert [task.before for task in plan.tasks] == [(), (), (0, 1)]
        assert [task.is_heavy for task in plan.tasks[:2]] == [True, True]
        a, b = np.eye(512, dtype=np.float32) * 2, np.eye(512, dtype=np.float32)
        assert session.run(total, {x: a, y: b})[0, :2].tolist() == [17.0, 0.0]


def test_a_lane_is_cut_where_another_takes_its_results(rs: Any) -> None:
    """As in training: the gradients of the weights hang off the chain of those of the activations."""
    x = y = rs.placeholder("float32", [512, 512])
    beside = []
    for _ in range(4):
        y = rs.matmul(y, x)
        beside.append(rs.reduce_sum(rs.matmul(y, y)))
    with rs.Session(config=threads(2)) as session:
        plan = plan_of(session, [y, rs.add_n(beside)], [x])
    costs = [task.cost for task in plan.tasks]
    assert makespan([task.before for task in plan.tasks], costs, 2) < 0.75 * sum(costs)


@pytest.mark.parametrize("count", [1, -1])
def test_one_thread_gets_one_piece(rs: Any, count: int) -> None:
    x = rs.placeholder("float32", [512, 512])
    with rs.Session(config=threads(count)) as session:
        assert plan_of(session, [chain_of(rs, x, 2), rs.matmul(x, x, transpose_a=True)], [x]).inline is not None


def test_what_gains_nothing_stays_in_one_piece(rs: Any) -> None:
    """A chain, and many cheap nodes side by side."""
    x, s = rs.placeholder("float32", [512, 512]), rs.placeholder("float32", [16])
    with rs.Session(config=threads(2)) as session:
        assert plan_of(session, [chain_of(rs, x, 4)], [x]).inline is not None
        cheap = plan_of(session, [rs.add_n([s * float(i) for i in range(100)])], [s])
        assert cheap.straight is not None


def test_how_heavy_a_plan_is_depends_on_what_is_fed(rs: Any) -> None:
    """A request that is fed more than before is compiled for that; less, and the small plan is back."""
    x = rs.placeholder("float32", [None, 256])
    y = rs.tanh(rs.matmul(x, rs.ones([256, 256]))) + rs.tanh(rs.matmul(x, rs.ones([256, 256]) * 2.0))
    few, many = np.ones((1, 256), np.float32), np.ones((20000, 256), np.float32)
    with rs.Session(config=threads(2), memory_limit=1 << 30) as session:
        want = session.run(y, {x: few})
        plan = session._cache[next(iter(session._cache))].plan
        assert not plan.estimate.is_heavy and plan.straight is not None
        assert np.array_equal(session.run(y, {x: many})[:1], want)
        grown = plan.fitted([many])[0]
        assert grown is not plan and grown.estimate.is_heavy and len(grown.tasks) > 1 and grown.estimate.needs
        assert plan.fitted([few])[0] is plan and plan.fitted([many])[0] is grown
        call = session.make_callable(y, [x])
        assert np.array_equal(call(many)[:1], want) and np.array_equal(call(few), want)


def test_loops_and_foreign_code_may_take_any_time(rs: Any) -> None:
    with rs.Session() as session:
        turns = rs.while_loop(lambda i: i < 3, lambda i: i + 1, [0])
        called = rs.py_func(lambda: np.float32(1), [], rs.float32)
        assert [plan_of(session, [f]).estimate.endless for f in (turns, called, called + 1.0, rs.constant(1) + 1)] == [
            True,
            True,
            True,
            False,
        ]


@st.composite
def graphs(draw: st.DrawFn) -> tuple[list[set[int]], list[float]]:
    size = draw(st.integers(1, 25))
    before = [draw(st.sets(st.integers(0, n - 1), max_size=4)) if n else set() for n in range(size)]
    return before, [draw(st.sampled_from([0.0, 1.0, HEAVY / 2, HEAVY, 5 * HEAVY])) for _ in range(size)]


@given(graphs(), st.integers(2, 4))
def test_lanes_of_any_graph(case: tuple[list[set[int]], list[float]], count: int) -> None:
    """Every item has a lane; pieces of a lane come in order; there are lanes only where time can be gained."""
    before, costs = case
    items: Any = list(range(len(costs)))
    waits: Any = dict(enumerate(before))
    found = lanes(items, waits, costs, count)
    longest = [0.0] * len(costs)
    for n, sources in enumerate(before):
        longest[n] = costs[n] + max((longest[source] for source in sources), default=0.0)
    if sum(costs) - max(longest) < HEAVY:
        assert found is None
    if found is not None:
        assert set(found) == set(items)
        assert len({lane for lane, _ in found.values()}) >= 2
        pieces: dict[int, int] = {}
        for item in items:
            lane, piece = found[item]
            assert piece >= pieces.get(lane, 0)
            pieces[lane] = piece


@given(graphs(), st.integers(1, 4))
def test_a_makespan_is_between_the_longest_path_and_all_in_a_row(
    case: tuple[list[set[int]], list[float]], count: int
) -> None:
    before, costs = case
    longest = [0.0] * len(costs)
    for n, sources in enumerate(before):
        longest[n] = costs[n] + max((longest[source] for source in sources), default=0.0)
    found = makespan([sorted(sources) for sources in before], costs, count)
    assert max(longest) <= found <= sum(costs) + 25.0 * len(costs) + 1e-6
