"""What cannot run is refused with the node and the reason, before anything runs; and the session works afterwards."""

from __future__ import annotations

from typing import Any

import pytest

from runstep import errors
from runstep.graph.apply import apply
from runstep.graph.graph import Graph
from runstep.graph.importer import import_graph_def
from runstep.kernels import cpu_kernels
from runstep.kernels.registry import KernelDef
from runstep.ops.control_flow import merge, switch
from runstep.protos import graph_pb2


def enter(data: Any, frame: str) -> Any:
    return apply("Enter", data, frame_name=frame)


def refused(rs: Any, fetch: Any, feeds: Any = None, match: str = "") -> errors.OpError:
    with rs.Session(graph=fetch.graph) as session:
        for _ in range(2):
            with pytest.raises(errors.OpError, match=match) as caught:
                session.run(fetch, feeds)
        with fetch.graph.as_default():
            assert session.run(rs.constant(1.0) + 1.0) == 2.0
    return caught.value


def test_unknown_op(rs: Any) -> None:
    definition = graph_pb2.GraphDef()
    definition.node.add(name="strange", op="MatMool")
    import_graph_def(definition, name="")
    strange = rs.get_default_graph().get_tensor_by_name("strange:0")
    error = refused(rs, strange, match="Op type not registered 'MatMool'.*strange.*Similar: .*MatMul")
    assert isinstance(error, errors.NotFoundError)
    assert error.op is strange.op


def test_unknown_op_that_is_not_needed(rs: Any) -> None:
    definition = graph_pb2.GraphDef()
    definition.node.add(name="strange", op="MatMool").attr["dtype"].type = rs.int32.as_datatype_enum
    import_graph_def(definition, name="")
    strange = rs.get_default_graph().get_tensor_by_name("strange:0")
    with rs.Session() as session:
        assert session.run(rs.constant(3)) == 3
        assert session.run(strange, {strange: 5}) == 5


def test_no_kernel_for_these_types(rs: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    table = cpu_kernels()
    (row,) = table.rows("Tanh")
    only = KernelDef("Tanh", row.make, types={"T": [rs.float64]}, view=False, step=False, is_async=False)
    monkeypatch.setitem(table._rows, "Tanh", [only])
    x = rs.tanh(rs.constant(1.0), name="t")
    error = refused(rs, x, match="No OpKernel was registered to support Op 'Tanh' used by {{node t}}")
    assert isinstance(error, errors.InvalidArgumentError)
    assert error.op is x.op
    assert "T=float32" in str(error) and "T in [float64]" in str(error)


def test_no_kernel_at_all(rs: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(cpu_kernels()._rows, "Tanh")
    refused(rs, rs.tanh(rs.constant(1.0)), match="No kernel is registered for it on /job:localhost")


def test_placeholder_that_is_not_fed(rs: Any) -> None:
    x, y = rs.placeholder("float32", [2], name="x"), rs.placeholder("int32", name="y")
    error = refused(
        rs, rs.cast(y, "float32") * x, match=r"You must feed a value for placeholder tensor 'y' with dtype int32"
    )
    assert isinstance(error, errors.InvalidArgumentError)
    assert any("x:0" in note for note in error.__notes__)


def test_inputs_from_different_frames(rs: Any) -> None:
    """S191."""
    x = rs.placeholder("float32", [], name="x")
    both = apply("AddV2", enter(x, "first"), enter(x, "second"), name="both")
    found = apply("Exit", both)
    error = refused(rs, found, {x: 1.0}, match=r"\{\{node both\}\} has inputs from different frames.*'first'.*'second'")
    assert isinstance(error, errors.InvalidArgumentError)
    assert error.op is both.op


def test_inside_and_outside_meet(rs: Any) -> None:
    """S191."""
    x = rs.placeholder("float32", [], name="x")
    refused(rs, apply("Exit", apply("AddV2", enter(x, "f"), x)), {x: 1.0}, match="has inputs from different frames")


def test_exit_without_a_loop(rs: Any) -> None:
    refused(rs, apply("Exit", rs.constant(1.0)), match="Invalid Exit op: Cannot find a corresponding Enter")


def loop_from(rs: Any, start: Any, limit: Any, frame: str, plus: Any = None) -> tuple[Any, Any]:
    """Where a counting loop ends, and its variable."""
    entered, bound = enter(start, frame), apply("Enter", limit, frame_name=frame, is_constant=True)
    i, _ = merge([entered, entered])
    done, again = switch(i, apply("LoopCond", rs.less(i, bound)))
    with rs.control_dependencies([again]):
        i.op._update_input(1, apply("NextIteration", again + (1 if plus is None else plus)))
    return apply("Exit", done), i


def test_loops_of_one_frame_name_run_one_after_the_other(rs: Any) -> None:
    """TensorFlow refuses two LoopConds in frames of one name."""
    n = rs.placeholder("int32", [])
    first, _ = loop_from(rs, rs.constant(0), n, "f")
    second, _ = loop_from(rs, first, n * 3, "f")
    with rs.Session() as session:
        assert session.run([first, second], {n: 40}) == [40, 120]


def test_cycle(rs: Any) -> None:
    x = rs.placeholder("float32", [])
    a = apply("AddV2", x, 1.0, name="a")
    b = apply("Mul", a, 2.0, name="b")
    c = apply("Neg", b, name="c")
    a.op._update_input(0, b)
    error = refused(rs, c, match="contains a cycle with 2 nodes, including: ")
    assert isinstance(error, errors.InvalidArgumentError)


def test_cycle_of_control_edges(rs: Any) -> None:
    a, b = rs.no_op(name="a"), rs.no_op(name="b")
    a._add_control_input(b)
    b._add_control_input(a)
    refused(rs, a, match="contains a cycle")


def test_node_that_needs_itself(rs: Any) -> None:
    a = apply("Neg", rs.constant(1.0), name="a")
    a.op._update_input(0, a)
    refused(rs, a, match="contains a cycle with 1 nodes, including: a")


def test_cycle_beside_a_loop(rs: Any) -> None:
    found = rs.while_loop(lambda i: i < 3, lambda i: i + 1, [rs.constant(0)])
    a = apply("AddV2", found, 1)
    b = apply("Mul", a, 2)
    a.op._update_input(0, b)
    refused(rs, b + found, match="contains a cycle")


def test_cycle_through_a_merge(rs: Any) -> None:
    p = rs.placeholder("bool", [])
    false, true = switch(rs.constant(1.0), p)
    merged, _ = merge([false, true])
    again = merged + 1.0
    merged.op._update_input(1, again)
    refused(rs, again, {p: True}, match="contains a cycle")


def test_long_chains_and_wide_graphs_are_no_cycles(rs: Any) -> None:
    x = rs.constant(0.0)
    layer = [x] * 50
    for _ in range(20):
        with rs.control_dependencies(layer[:3]):
            layer = [a + b for a, b in zip(layer, layer[1:] + layer[:1], strict=True)]
    with rs.Session() as session:
        assert session.run(layer[0]) == 0.0


def test_a_refusal_inside_a_branch_waits_until_the_branch_is_taken(rs: Any) -> None:
    p, x = rs.placeholder("bool", []), rs.placeholder("float32", [2, 2])
    five = rs.placeholder_with_default([5], [1])
    found = rs.cond(p, lambda: rs.reshape(x, five), lambda: rs.reshape(x, [4]))
    with rs.Session() as session:
        assert session.run(found, {p: False, x: [[1, 2], [3, 4]]}).tolist() == [1, 2, 3, 4]
        with pytest.raises(errors.InvalidArgumentError):
            session.run(found, {p: True, x: [[1, 2], [3, 4]]})


def test_graph_of_another_session_is_untouched() -> None:
    """A refused plan is not cached as a broken one."""
    graph = Graph()
    import runstep as rs

    with graph.as_default():
        a = apply("Neg", rs.constant(1.0), name="a")
        a.op._update_input(0, a)
        with rs.Session() as session:
            with pytest.raises(errors.InvalidArgumentError, match="cycle"):
                session.run(a)
            a.op._update_input(0, rs.constant(2.0))
            assert session.run(a) == -2.0
