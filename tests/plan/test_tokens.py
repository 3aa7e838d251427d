"""What plans that run by tokens have in common with all others: errors, limits, traces, functions, partial runs.

Two loops of one frame, the second of which starts with what the first ends with and reads its turns; what they compute
is compared with TensorFlow in `test_raw_control_flow.py`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import runstep
from runstep.graph.apply import apply
from runstep.testing.oracle import tensorflow


def loop(rs: Any, start: Any, limit: Any, step: Any = None) -> tuple[Any, Any]:
    """Where a loop ends, and its variable. `step` takes the variable's value in a turn that is taken."""
    entered = apply("Enter", start, frame_name="f", parallel_iterations=10)
    bound = apply("Enter", limit, frame_name="f", parallel_iterations=10, is_constant=True)
    i, _ = apply("Merge", [entered, entered])
    done, more = apply("Switch", i, rs.less(i, bound))
    with rs.control_dependencies([more]):
        after = more + 1 if step is None else step(more)
    i.op._update_input(1, apply("NextIteration", after))
    return apply("Exit", done), i


def two_loops(rs: Any, n: Any, limit: Any) -> Any:
    first, i = loop(rs, rs.constant(0), n)
    return loop(rs, first, limit, lambda value: rs.add(value, i, name="turn"))[0]


@pytest.mark.parametrize("turns", (1, 2))
def test_what_is_inside_of_a_loop_is_fetched_and_fed_as_in_tensorflow(turns: int) -> None:
    """What is alive in one turn has that value; in more: Internal, in none: InvalidArgument. Nothing is fed there."""
    v1 = tensorflow().compat.v1
    before = v1.control_flow_v2_enabled()
    v1.disable_control_flow_v2()
    try:
        with v1.Graph().as_default() as graph:
            x = v1.placeholder("float32", [], name="x")

            def turn(i: Any, s: Any) -> Any:
                return i + 1, v1.while_loop(lambda t: t < s, lambda t: t + 1.0, [v1.sin(s)]) + x

            v1.identity(v1.while_loop(lambda i, s: i < turns, turn, [0, x])[1], name="y")
            definition = graph.as_graph_def()
    finally:
        if before:
            v1.enable_control_flow_v2()
    names = [f"{node.name}:0" for node in definition.node]

    def run(module: Any, session: Any, fetch: str, feeds: dict[str, Any]) -> Any:
        try:
            return session.run(fetch, feeds, options=module.RunOptions(timeout_in_ms=20_000))
        except module.errors.OpError as error:
            return type(error).__name__

    def answers(module: Any, graph_def: Any) -> list[Any]:
        with module.Graph().as_default() as graph:
            module.import_graph_def(graph_def, name="")
            ones = {name: graph.get_tensor_by_name(name).dtype.as_numpy_dtype(1) for name in names}
            with module.Session() as session:
                found = [run(module, session, name, {"x:0": 0.5}) for name in names]
                return found + [run(module, session, "y:0", {"x:0": 0.5, name: ones[name]}) for name in names]

    wanted = answers(v1, definition)
    found = answers(runstep, runstep.GraphDef.FromString(definition.SerializeToString()))
    kinds = {answer for answer in wanted if isinstance(answer, str)}
    assert kinds == {"InternalError", "InvalidArgumentError"}
    for name, ours, theirs in zip((*names, *names), found, wanted, strict=True):
        assert ours == theirs if isinstance(theirs, str) else ours == pytest.approx(theirs), name


def test_a_constant_of_a_frame_is_fetched_beside_others(rs: Any) -> None:
    """It has no device of its own."""
    x = rs.placeholder("float32", [])
    with rs.control_dependencies([apply("Enter", x, frame_name="f", parallel_iterations=10)]):
        inside = rs.constant(5.0)
    with rs.Session() as session:
        assert session.run([x * 2.0, inside], {x: 2.0}) == [4.0, 5.0]
        handle = session.partial_run_setup([x * 3.0, inside], [x])
        assert session.partial_run(handle, inside, {x: 2.0}) == 5.0


def test_a_failing_kernel_is_named(rs: Any) -> None:
    n = rs.placeholder("int32", name="n")
    first, i = loop(rs, rs.identity(n) * 0, n)
    second, _ = loop(rs, first, rs.constant(10), lambda value: rs.floordiv(value, i, name="by_zero"))
    with rs.Session() as session, pytest.raises(rs.errors.InvalidArgumentError, match="by_zero") as caught:
        session.run(second, {n: 3})
    assert caught.value.op.name == "by_zero"
    (note,) = [note for note in caught.value.__notes__ if "with inputs" in note]
    assert note.count("int32[]") == 2, "the shapes of the run"


def test_endless_ones_end_with_their_time(rs: Any) -> None:
    first, i = loop(rs, rs.constant(0), rs.constant(1))
    second, _ = loop(rs, first, rs.constant(2), lambda value: rs.minimum(value, value + i))
    forever, _ = loop(rs, rs.constant(0), rs.constant(1), lambda value: rs.minimum(value, 0))
    with rs.Session() as session:
        with pytest.raises(rs.errors.DeadlineExceededError):
            session.run([second, forever], options=rs.RunOptions(timeout_in_ms=50))


def test_traced_turn_by_turn(rs: Any) -> None:
    n = rs.placeholder("int32", [], name="n")
    found = two_loops(rs, n, rs.constant(7))
    metadata = rs.RunMetadata()
    with rs.Session() as session:
        options = rs.RunOptions(trace_level=rs.RunOptions.FULL_TRACE)
        assert session.run(found, {n: 4}, options=options, run_metadata=metadata) == 7
    names = [node.node_name for device in metadata.step_stats.dev_stats for node in device.node_stats]
    assert names.count("turn") == 3  # 4 + 0 + 1 + 2


def test_in_a_function(rs: Any) -> None:
    @rs.function
    def called(n: Any) -> Any:
        return two_loops(rs, n, n + 3) * 2

    n = rs.placeholder("int32", [])
    with rs.Session() as session:
        assert session.run(called(n), {n: 4}) == 14


def test_in_a_partial_run(rs: Any) -> None:
    n, limit, x = (rs.placeholder("int32", [], name=name) for name in ("n", "limit", "x"))
    found, other = two_loops(rs, n, limit), x + 1
    total = found + x
    with rs.Session() as session:
        handle = session.partial_run_setup([found, other, total], [n, limit, x])
        assert session.partial_run(handle, other, {x: 1}) == 2
        assert session.partial_run(handle, [found, total], {n: 4, limit: 7}) == [7, 8]


def entered(queue: Any) -> Any:
    with runstep.control_dependencies(None):
        return apply("Enter", queue.queue_ref, frame_name="f", parallel_iterations=10, is_constant=True)


def dequeued(rs: Any, queue: Any, after: Any, name: str | None = None) -> Any:
    with rs.control_dependencies([rs.identity(after)]):  # not the Switch, which is there in the last turn, too
        return rs.raw_ops.QueueDequeueV2(handle=entered(queue), component_types=["int32"], name=name)[0]


def test_what_waits_waits_beside_all_else(rs: Any) -> None:
    """A dequeue does not keep the enqueue from it that feeds it, in turns and in loops that run at once."""
    queue = rs.FIFOQueue(4, "int32", [])
    other = rs.FIFOQueue(4, "int32", [])

    def passed(value: Any, source: Any, target: Any) -> Any:
        got = dequeued(rs, source, value)
        with rs.control_dependencies([rs.raw_ops.QueueEnqueueV2(handle=entered(target), components=[value])]):
            return value + rs.minimum(got, value) // value

    n = rs.placeholder("int32", [])
    first, i = loop(rs, rs.constant(1), n, lambda value: passed(value, queue, other))
    there, _ = loop(rs, rs.constant(1), n, lambda value: passed(value, other, queue))
    second, _ = loop(rs, first, rs.constant(10), lambda value: rs.add(value, i))
    with rs.Session() as session:
        options = rs.RunOptions(timeout_in_ms=20_000)
        assert session.run([second, there], {n: 4}, options=options) == [10, 4]
        assert session.run([queue.size(), other.size()]) == [0, 0]


def test_what_waits_in_vain_is_told(rs: Any) -> None:
    """All of it, at the end of the step's time; the queues are then as before."""
    queues = [rs.FIFOQueue(4, "int32", [], name=name) for name in ("one", "two")]

    def both(value: Any) -> Any:
        return rs.add_n([value, *(dequeued(rs, queue, value, f"from_{queue.name}") for queue in queues)])

    first, i = loop(rs, rs.constant(0), rs.constant(1))
    second, _ = loop(rs, first, rs.constant(3), lambda value: both(value) + (i - i))
    given = rs.placeholder("int32", [])
    fill = [queue.enqueue(given) for queue in queues]
    with rs.Session() as session:
        with pytest.raises(rs.errors.DeadlineExceededError) as caught:
            session.run(second, options=rs.RunOptions(timeout_in_ms=50))
        notes = " ".join(caught.value.__notes__)
        assert "from_one" in notes and "from_two" in notes
        session.run(fill, {given: 2})
        assert session.run(second) == 5
        assert session.run([queue.size() for queue in queues]) == [0, 0]


def test_an_error_beside_what_waits(rs: Any) -> None:
    queue = rs.FIFOQueue(4, "int32", [])

    def turn(value: Any) -> Any:
        return dequeued(rs, queue, value) + rs.floordiv(value, value - value, name="by_zero")

    first, i = loop(rs, rs.constant(0), rs.constant(1))
    second, _ = loop(rs, first, rs.constant(3), lambda value: turn(value) + (i - i))
    with rs.Session() as session:
        with pytest.raises(rs.errors.InvalidArgumentError, match="by_zero"):
            session.run(second)
        session.run(queue.enqueue(7))
        assert session.run(queue.dequeue()) == 7


def test_coroutines_in_turns(rs: Any) -> None:
    import trio

    async def slowly(value: Any) -> Any:
        await trio.lowlevel.checkpoint()
        return value + 1

    def turn(value: Any) -> Any:
        return rs.py_func(slowly, [value], "int32")

    first, i = loop(rs, rs.constant(0), rs.constant(2), turn)
    second, _ = loop(rs, first, rs.constant(5), lambda value: turn(value) + (i - i))
    with rs.Session() as session:
        assert session.run(second) == 5


def test_what_tokens_hold_counts(rs: Any) -> None:
    """A value of another turn that waits for a last one; what is refused is named, and all is given back."""
    x = rs.placeholder("float32", [None])

    def loop_of(start: Any, size: Any, other: Any = None) -> tuple[Any, Any]:
        entered = apply("Enter", start, frame_name="f", parallel_iterations=10)
        bound = apply("Enter", size, frame_name="f", parallel_iterations=10, is_constant=True)
        v, _ = apply("Merge", [entered, entered])
        done, more = apply("Switch", v, rs.less(rs.size(v), bound))
        with rs.control_dependencies([more]):
            axis = rs.constant(0)
        twice = apply("ConcatV2", [more, more], axis, name="twice")
        if other is not None:
            with rs.control_dependencies([more]):
                twice = twice + rs.reduce_sum(other) * rs.constant(0.0)
        v.op._update_input(1, apply("NextIteration", twice))
        return apply("Exit", done), v

    n = rs.placeholder("int32", [])
    first, v = loop_of(x, n)
    second, _ = loop_of(first, n * 2, v)
    size_of = rs.size(second)
    with rs.Session(memory_limit="1MiB") as session:
        memory = session._engine.devices[0].budget
        for size in (1 << 13, 1 << 20, 1 << 14):
            feeds = {x: np.ones(size >> 4, np.float32), n: size}
            if size == 1 << 20:
                with pytest.raises(rs.errors.ResourceExhaustedError, match=r"tensor with shape\[\d+\]") as caught:
                    session.run(size_of, feeds)
                assert caught.value.op is not None
            else:
                assert session.run(size_of, feeds) == 2 * size
            statistics = memory.statistics()
            assert (statistics.in_use, statistics.reserved, statistics.waiting) == (0, 0, 0)
