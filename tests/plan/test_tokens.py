"""What plans that run by tokens have in common with all others: errors, limits, traces, functions, partial runs.

Two loops of one frame, the second of which starts with what the first ends with and reads its turns; what they compute
is compared with TensorFlow in `test_raw_control_flow.py`.
"""

from __future__ import annotations

from typing import Any

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
