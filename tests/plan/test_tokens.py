"""What plans that run by tokens have in common with all others: errors, limits, traces, functions, partial runs.

Two loops of one frame, the second of which starts with what the first ends with and reads its turns; what they compute
is compared with TensorFlow in `test_raw_control_flow.py`.
"""

from __future__ import annotations

from typing import Any

import pytest

from runstep.graph.apply import apply


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
