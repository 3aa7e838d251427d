"""Folding, sharing of duplicates, skipping of pass-through nodes: less to run, the same values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from runstep import errors
from runstep.protos import config_pb2

PLAIN = config_pb2.ConfigProto()
PLAIN.graph_options.optimizer_options.opt_level = config_pb2.OptimizerOptions.L0


def runs(session: Any, fetches: Any, feeds: Any = (), targets: Any = ()) -> list[str]:
    """The names of the nodes that a plan runs."""
    plan = session._engine.prepare(session.graph, list(feeds), list(fetches), list(targets))
    return [node.name for task in plan.tasks for node in task.segment.nodes]


def both(rs: Any, fetches: Any, feeds: Any = None) -> tuple[Any, Any]:
    with rs.Session() as session, rs.Session(config=PLAIN) as plain:
        return session.run(fetches, feeds), plain.run(fetches, feeds)


def test_constants_are_folded(rs: Any) -> None:
    x = rs.placeholder("float32", [2])
    y = x * (rs.constant([1.0, 2.0]) + 1.0) * rs.cast(rs.size(rs.zeros([2, 3])), "float32")
    with rs.Session() as session, rs.Session(config=PLAIN) as plain:
        assert len(runs(session, [y], [x])) == 2
        assert len(runs(plain, [y], [x])) > 2
        np.testing.assert_array_equal(session.run(y, {x: [1, 1]}), plain.run(y, {x: [1, 1]}))


def test_duplicates_run_once(rs: Any) -> None:
    x = rs.placeholder("float32", [2])
    y = rs.tanh(x) + rs.tanh(x) * rs.tanh(x)
    with rs.Session() as session, rs.Session(config=PLAIN) as plain:
        assert sum("Tanh" in name for name in runs(session, [y], [x])) == 1
        assert sum("Tanh" in name for name in runs(plain, [y], [x])) == 3
        np.testing.assert_array_equal(session.run(y, {x: [1, 2]}), plain.run(y, {x: [1, 2]}))


def test_what_differs_in_an_attribute_is_no_duplicate(rs: Any) -> None:
    x = rs.placeholder("float32", [3])
    fetches = [rs.cast(x, "int32"), rs.cast(x, "int64"), rs.cast(x, "bool"), rs.cast(x, "int32")]
    with rs.Session() as session:
        found = session.run(fetches, {x: [0.0, 1.5, 2.0]})
    assert [value.dtype.name for value in found] == ["int32", "int64", "bool", "int32"]
    assert found[0] is not found[3] and not np.shares_memory(found[0], found[3])


def test_constants_equal_in_value_but_not_in_kind(rs: Any) -> None:
    fetches = [rs.constant(1), rs.constant(1.0), rs.constant([1]), rs.constant(0.0), rs.constant(-0.0), rs.constant(1)]
    ones, plain = both(rs, fetches)
    assert [(np.asarray(v).dtype, np.shape(v), np.signbit(v).any()) for v in ones] == [
        (np.asarray(v).dtype, np.shape(v), np.signbit(v).any()) for v in plain
    ]


def test_random_ops_are_neither_folded_nor_shared(rs: Any) -> None:
    a, b = rs.random_uniform([4]), rs.random_uniform([4])
    with rs.Session() as session:
        one, other = session.run([a, b])
        again = session.run(a)
    assert not np.array_equal(one, other) and not np.array_equal(one, again)


def test_variables_are_read_each_time(rs: Any) -> None:
    v = rs.Variable(1.0, use_resource=True)
    first = v.read_value()
    with rs.control_dependencies([first]):
        changed = v.assign_add(1.0)
    with rs.control_dependencies([changed]):
        second = v.read_value()
    with rs.Session() as session:
        session.run(v.initializer)
        assert session.run([first, second]) == [1.0, 2.0]
        assert session.run([first, second]) == [2.0, 3.0]


def test_a_folded_error_is_left_to_the_run(rs: Any) -> None:
    x = rs.placeholder("int32", [])
    p = rs.placeholder("bool", [])
    bad = rs.cond(p, lambda: rs.floordiv(rs.constant(1), rs.constant(0)), lambda: x)
    with rs.Session() as session:
        assert session.run(bad, {p: False, x: 3}) == 3
        with pytest.raises(errors.InvalidArgumentError, match="division by zero"):
            session.run(bad, {p: True, x: 3})


def test_folding_stops_at_large_constants(rs: Any) -> None:
    small, large = rs.fill([10], 1.0) + 1.0, rs.fill([4096, 1024], 1.0)
    with rs.Session() as session:
        assert runs(session, [small]) == []
        assert runs(session, [large]) != []  # 16 MiB of one value: the plan does not hold it


def test_control_edges_stay_where_nodes_are_skipped(rs: Any) -> None:
    v = rs.Variable(1.0, use_resource=True)
    x = rs.placeholder("float32", [])
    assign = v.assign(x)
    with rs.control_dependencies([assign]):
        skipped = rs.identity(rs.constant(5.0))
    with rs.control_dependencies([skipped]):
        read = v.read_value()
    with rs.Session() as session:
        assert session.run([read, skipped], {x: 7.0}) == [7.0, 5.0]


def test_fed_values_win_over_constants(rs: Any) -> None:
    c = rs.constant(2.0)
    y = c * 3.0
    with rs.Session() as session:
        assert session.run([y, c]) == [6.0, 2.0]
        assert session.run([y, c], {c: 5.0}) == [15.0, 5.0]
        assert session.run(y, {y: 1.0}) == 1.0


def test_tracing_runs_every_node(rs: Any) -> None:
    x = rs.placeholder("float32", [])
    y = rs.identity(rs.tanh(x)) + rs.tanh(x)
    options = config_pb2.RunOptions(trace_level=config_pb2.RunOptions.FULL_TRACE)
    metadata = config_pb2.RunMetadata()
    with rs.Session() as session:
        traced = session.run(y, {x: 1.0}, options=options, run_metadata=metadata)
        assert traced == session.run(y, {x: 1.0})
    names = {stat.node_name for device in metadata.step_stats.dev_stats for stat in device.node_stats}
    assert {op.name for op in x.graph.get_operations() if op.type in ("Tanh", "Identity", "AddV2")} <= names


SPELLINGS: dict[str, Callable[[Any, Any, Any], Any]] = {
    "positive part": lambda rs, x, c: x + rs.nn.relu(c),
    "negative part": lambda rs, x, c: rs.nn.relu(x) - 0.5 * rs.nn.relu(-c),
    "minimum": lambda rs, x, c: rs.nn.relu(x) + rs.minimum(c, 0.0) * 0.5,
    "absolute": lambda rs, x, c: x + 0.5 * (c - rs.abs(c)) + (x - rs.abs(x)) * 0.5,
    "swish": lambda rs, x, c: x * rs.sigmoid(c) * rs.sigmoid(x),
    "hard swish": lambda rs, x, c: x * (1 / 6) * rs.nn.relu6(c + 3.0) * rs.nn.relu6(x + 3.0),
    "leaky": lambda rs, x, c: rs.maximum(x, 0.3 * c),
    "transposes": lambda rs, x, c: rs.transpose(rs.nn.relu(rs.transpose(c))) + x,
}


@pytest.mark.parametrize("build", SPELLINGS.values(), ids=SPELLINGS)
def test_parts_of_idioms_that_are_known(rs: Any, build: Callable[[Any, Any, Any], Any]) -> None:
    """A folded node has let go of its inputs: no spelling goes through it."""
    values = np.linspace(-4, 4, 6, dtype=np.float32).reshape(2, 3)
    x = rs.placeholder("float32", [2, 3])
    y = build(rs, x, rs.constant(values[::-1] + 0.25))
    found, want = both(rs, y, {x: values})
    assert np.allclose(found, want, rtol=1e-6, atol=0)
