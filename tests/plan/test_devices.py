"""Several devices: placement, refusals, and values and order that cross from one to another."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from runstep import errors
from runstep.protos import config_pb2

TWO = config_pb2.ConfigProto(device_count={"CPU": 2})


def placed(session: Any, fetches: Any, feeds: Any = ()) -> list[tuple[str, list[str]]]:
    """The tasks of a plan: the device's number, and the names of the nodes that run there."""
    graph = session.graph
    plan = session._engine.prepare(graph, [graph.as_graph_element(f) for f in feeds], fetches, [])
    return [(task.device.name[-1], [node.name for node in task.segment.nodes]) for task in plan.tasks]


def test_each_node_runs_where_it_was_put(rs: Any) -> None:
    x = rs.placeholder("float32", [], name="x")
    with rs.device("/cpu:0"):
        a = rs.add(x, 1.0, name="a")
    with rs.device("/device:CPU:1"):
        b = rs.multiply(a, 2.0, name="b")
    with rs.device("/cpu:0"):
        c = rs.subtract(b, a, name="c")
    with rs.Session(config=TWO) as session:
        assert session.run([a, b, c], {x: 4.0}) == [5.0, 10.0, 5.0]
        assert placed(session, [c], [x]) == [("0", ["a"]), ("1", ["b"]), ("0", ["c"])]


def test_there_and_back_many_times(rs: Any) -> None:
    x = y = rs.placeholder("int32", [], name="x")
    for i in range(20):
        with rs.device(f"/cpu:{i % 2}"):
            y = y + i
    with rs.Session(config=TWO) as session:
        assert session.run(y, {x: 1}) == 191


def test_order_crosses_devices(rs: Any) -> None:
    with rs.device("/cpu:0"):
        v = rs.Variable(1.0, use_resource=True)
        assign = v.assign(5.0)
    with rs.device("/cpu:1"), rs.control_dependencies([assign]):
        between = rs.no_op()
    with rs.device("/cpu:0"), rs.control_dependencies([between]):
        read = v.read_value()
    with rs.Session(config=TWO) as session:
        session.run(v.initializer)
        assert session.run(read) == 5.0


def test_what_works_on_a_variable_goes_to_it(rs: Any) -> None:
    with rs.device("/cpu:1"):
        v = rs.Variable([1.0, 2.0], use_resource=False, name="v")
    with rs.device("/cpu:0"):
        changed = rs.assign_add(v, [1.0, 1.0], name="changed")
    with rs.Session(config=TWO) as session:
        session.run(v.initializer)
        np.testing.assert_array_equal(session.run(changed), [2.0, 3.0])
        assert all(device == "1" for device, names in placed(session, [changed]) if "changed" in names)


def test_branches_over_devices(rs: Any) -> None:
    p, x = rs.placeholder("bool", []), rs.placeholder("float32", [])
    with rs.device("/cpu:1"):
        y = x * 2.0

    def then() -> Any:
        with rs.device("/cpu:0"):
            return y + 1.0

    def other() -> Any:
        with rs.device("/cpu:1"):
            return y - 1.0

    found = rs.cond(p, then, other)
    with rs.Session(config=TWO) as session:
        assert [session.run(found, {p: v, x: 3.0}) for v in (True, False)] == [7.0, 5.0]


def test_a_loop_over_devices(rs: Any) -> None:
    n = rs.placeholder("int32", [])

    def body(i: Any, s: Any) -> Any:
        with rs.device("/cpu:1"):
            t = s + i
        with rs.device("/cpu:0"):
            return i + 1, t * 2

    found = rs.while_loop(lambda i, s: i < n, body, [rs.constant(0), rs.constant(1)])
    with rs.device("/cpu:1"):
        after = found[1] + 1
    with rs.Session(config=TWO) as session:
        s = 1
        for i in range(5):
            s = (s + i) * 2
        assert session.run([after, *found], {n: 5}) == [s + 1, 5, s]


def test_a_failure_on_one_device_ends_the_step(rs: Any) -> None:
    x = rs.placeholder("int32", [])
    with rs.device("/cpu:1"):
        bad = rs.floordiv(1, x, name="bad")
    with rs.device("/cpu:0"):
        y = bad + 1
    with rs.Session(config=TWO) as session:
        with pytest.raises(errors.InvalidArgumentError) as caught:
            session.run(y, {x: 0})
        assert caught.value.op is bad.op
        assert session.run(y, {x: 1}) == 2


def test_a_fetch_that_is_dead_on_another_device(rs: Any) -> None:
    from runstep.ops.control_flow import switch

    p = rs.placeholder("bool", [])
    _, true = switch(rs.constant(1.0), p)
    with rs.device("/cpu:1"):
        y = rs.identity(true) * 2.0
    with rs.Session(config=TWO) as session:
        assert session.run(y, {p: True}) == 2.0
        with pytest.raises(errors.InvalidArgumentError, match="does not have value"):
            session.run(y, {p: False})


@pytest.mark.parametrize("device", ["/cpu:7", "/gpu:0", "/job:worker/task:3", "/device:TPU:0"])
def test_no_such_device(rs: Any, device: str) -> None:
    """S186: the error names the node, what it asked for, what there is, and the cure."""
    with rs.device(device):
        x = rs.constant([1.0], name="lost")
    with rs.Session() as session:
        with pytest.raises(errors.InvalidArgumentError) as caught:
            session.run(x)
        message = str(caught.value)
        assert "Cannot assign a device for operation lost" in message
        assert "/job:localhost/replica:0/task:0/device:CPU:0" in message
        assert "allow_soft_placement" in message
        assert caught.value.op is x.op


@pytest.mark.parametrize("device", ["/gpu:0", "/cpu:7", "/device:TPU:0"])
def test_soft_placement_finds_another(rs: Any, device: str) -> None:
    with rs.device(device):
        x = rs.identity([1.0])
    with rs.Session(config=config_pb2.ConfigProto(allow_soft_placement=True)) as session:
        np.testing.assert_array_equal(session.run(x), [1.0])


def test_a_refusal_leaves_the_session_usable(rs: Any) -> None:
    with rs.device("/gpu:0"):
        bad = rs.identity(1.0)
    good = rs.identity(2.0)
    with rs.Session() as session:
        for _ in range(2):
            with pytest.raises(errors.InvalidArgumentError):
                session.run(bad)
        assert session.run(good) == 2.0
