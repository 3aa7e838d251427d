"""Compiling costs in proportion to the graph: lines of Python executed are counted, not time."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import pytest

from runstep.protos import config_pb2

Build = Callable[[Any, int], Any]


def chain(rs: Any, n: int) -> Any:
    y = rs.placeholder("float32", [2], name="x")
    for _ in range(n):
        y = rs.tanh(y)
    return y


def wide(rs: Any, n: int) -> Any:
    x = rs.placeholder("float32", [2], name="x")
    return rs.add_n([rs.tanh(x + float(i)) for i in range(n)])


def many_consumers(rs: Any, n: int) -> Any:
    x = rs.placeholder("float32", [2], name="x")
    first = rs.tanh(x)
    y = first
    for i in range(n):
        y = y * first + float(i)
    return y


def constants(rs: Any, n: int) -> Any:
    y = rs.placeholder("float32", [2], name="x")
    for i in range(n):
        y = y + rs.reshape(rs.constant([float(i), 1.0]) * 2.0, [2])
    return y


def controls(rs: Any, n: int) -> Any:
    x = rs.placeholder("float32", [2], name="x")
    ops = [rs.tanh(x + float(i)) for i in range(n)]
    with rs.control_dependencies(ops):
        return rs.identity(x)


def branches(rs: Any, n: int) -> Any:
    x = y = rs.placeholder("float32", [], name="x")
    for i in range(n // 4):
        y = rs.cond(y > float(i), lambda y=y: y + 1.0, lambda y=y: y * 2.0)
    return y + x


def branches_side_by_side(rs: Any, n: int) -> Any:
    x = rs.placeholder("float32", [], name="x")
    found = [rs.cond(x > float(i), lambda i=i: x + float(i), lambda: x) for i in range(n // 4)]
    return rs.add_n(found)


def loop(rs: Any, n: int) -> Any:
    x = rs.placeholder("float32", [], name="x")

    def body(i: Any, y: Any) -> Any:
        for _ in range(n):
            y = rs.tanh(y)
        return i + 1, y

    return rs.while_loop(lambda i, y: i < 3, body, [rs.constant(0), x])[1]


def loops_in_a_row(rs: Any, n: int) -> Any:
    y = rs.placeholder("float32", [], name="x")
    for _ in range(n // 8):
        y = rs.while_loop(lambda i, y: i < 2, lambda i, y: (i + 1, y * 2.0), [rs.constant(0), y])[1]
    return y


def loop_of_many_variables(rs: Any, n: int) -> Any:
    x = rs.placeholder("float32", [], name="x")
    variables = [rs.constant(0), *[x + float(i) for i in range(n // 4)]]
    found = rs.while_loop(lambda i, *_: i < 2, lambda i, *v: (i + 1, *[y * 2.0 for y in v]), variables)
    return rs.add_n(found[1:])


def branches_in_a_loop(rs: Any, n: int) -> Any:
    x = rs.placeholder("float32", [], name="x")

    def body(i: Any, y: Any) -> Any:
        return i + 1, branches_of(rs, y, n)

    return rs.while_loop(lambda i, y: i < 3, body, [rs.constant(0), x])[1]


def branches_of(rs: Any, y: Any, n: int) -> Any:
    for i in range(n // 4):
        y = rs.cond(y > float(i), lambda y=y: y + 1.0, lambda y=y: y * 2.0)
    return y


def lines(rs: Any, build: Build, n: int, config: Any) -> int:
    """Lines of Python that a plan of `build(n)` takes to compile."""
    count = 0

    def local(frame: Any, event: str, arg: Any) -> Any:
        nonlocal count
        count += event == "line"
        return local

    with rs.Graph().as_default() as graph:
        fetch = build(rs, n)
        feed = graph.get_tensor_by_name("x:0")
        with rs.Session(config=config) as session:
            session._engine.prepare(graph, [feed], [fetch], [])  # kernels are imported, op defs read
            before = sys.gettrace()
            sys.settrace(lambda frame, event, arg: local)
            try:
                session._engine.prepare(graph, [feed], [fetch], [])
            finally:
                sys.settrace(before)
    return count


@pytest.mark.parametrize("cpus", [1, 2])
@pytest.mark.parametrize(
    "build",
    [
        chain,
        wide,
        many_consumers,
        constants,
        controls,
        branches,
        branches_side_by_side,
        loop,
        loops_in_a_row,
        loop_of_many_variables,
        branches_in_a_loop,
    ],
)
def test_four_times_the_graph_takes_four_times_the_work(rs: Any, build: Build, cpus: int) -> None:
    config = config_pb2.ConfigProto(device_count={"CPU": cpus})
    small, large = lines(rs, build, 64, config), lines(rs, build, 256, config)
    assert large < 5 * small, f"{small} lines, then {large}"


def test_across_devices(rs: Any) -> None:
    def build(rs: Any, n: int) -> Any:
        y = rs.placeholder("float32", [2], name="x")
        for i in range(n):
            with rs.device(f"/cpu:{i % 2}"):
                y = rs.tanh(y)
        return y

    config = config_pb2.ConfigProto(device_count={"CPU": 2})
    small, large = lines(rs, build, 64, config), lines(rs, build, 256, config)
    assert large < 5 * small, f"{small} lines, then {large}"
