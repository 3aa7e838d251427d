"""A long segment is walked when it is first called and compiled when it is called again: both must do the same."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest

from runstep.plan import emit
from runstep.plan.straight import LONG

X = np.linspace(0.5, 2.0, 6, dtype=np.float32).reshape(2, 3)


def scalars(rs: Any, x: Any) -> Any:
    y = rs.reduce_sum(x)
    return [y * 2.0 + 1.0, y / 3.0 > 1.0, y - y]


def in_place(rs: Any, x: Any) -> Any:
    y = rs.reshape(x, [2, 3])
    for i in range(4):
        y = y * 1.5 + rs.square(y) if i % 2 else y - 0.25
    return y


def twice_read(rs: Any, x: Any) -> Any:
    y = rs.reshape(x, [2, 3]) + 1.0
    kept = y - 2.0
    y = y * y
    return [y + y, kept * 2.0, kept]


def several_outputs(rs: Any, x: Any) -> Any:
    a, _, c = rs.split(x, 3, axis=1)
    (whole,) = rs.split(x, 1)
    return [a + c, whole, rs.nn.moments(x, [0])]


def views(rs: Any, x: Any) -> Any:
    y = rs.transpose(rs.reshape(x, [3, 2]))
    return [y, y + x, rs.identity(x), rs.constant([1.0, 2.0])]


def references(rs: Any, x: Any) -> Any:
    v = rs.Variable(np.ones((2, 3), np.float32), use_resource=False)
    changed = rs.assign_add(v, x)
    with rs.control_dependencies([changed]):
        return [rs.identity(v) * 2.0, changed]


def functions(rs: Any, x: Any) -> Any:
    inner = rs.function(lambda a: (rs.tanh(a), a * 2.0))
    first, second = inner(x)
    return [first + second, rs.while_loop(lambda i: i < 3, lambda i: i + 1, [rs.constant(0)])]


def random(rs: Any, x: Any) -> Any:
    return rs.random_uniform([2, 3], seed=3) + x


def leaves(found: Any) -> list[Any]:
    return [leaf for item in found for leaf in leaves(item)] if isinstance(found, list | tuple) else [found]


@pytest.mark.parametrize(
    "build", [scalars, in_place, twice_read, several_outputs, views, references, functions, random]
)
def test_walked_and_compiled_give_the_same(rs: Any, build: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = []
    for shortest in (0, 1 << 30):  # all are walked first, none is
        monkeypatch.setattr(emit, "LONG", shortest)
        with rs.Graph().as_default():
            x = rs.placeholder("float32", [None, 3])
            fetches = build(rs, x)
            with rs.Session() as session:
                session.run(rs.global_variables_initializer())
                runs.append([leaves(session.run(fetches, {x: X})) for _ in range(3)])
    for walked, compiled in zip(*runs, strict=True):
        assert len(walked) == len(compiled)
        for a, b in zip(walked, compiled, strict=True):
            assert type(a) is type(b) and a.dtype == b.dtype and np.array_equal(a, b)


def test_code_is_compiled_at_the_second_call(rs: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    compiled: list[str] = []
    compile_ = emit._compiled

    def counted(name: str, *args: Any) -> Any:
        compiled.append(name)
        return compile_(name, *args)

    monkeypatch.setattr(emit, "_compiled", counted)
    with rs.Graph().as_default():
        x = y = rs.placeholder("float32", [])
        for _ in range(LONG):
            y = rs.tanh(y)
        with rs.Session() as session:
            counts = []
            for _ in range(3):
                session.run(y, {x: 0.5})
                counts.append(len(compiled))
            assert counts == [0, 1, 1]
            session.run(rs.tanh(x), {x: 0.5})  # a short one at once
            assert len(compiled) == 2


def test_an_error_names_the_node_either_way(rs: Any) -> None:
    with rs.Graph().as_default():
        x = y = rs.placeholder("float32", [None])
        for i in range(LONG):
            y = rs.tanh(y)
            if i == 20:
                y = rs.matmul(rs.reshape(y, [1, 3]), np.ones((3, 2), np.float32), name="product")
        with rs.Session() as session:
            texts = []
            for _ in range(3):
                with pytest.raises(rs.errors.InvalidArgumentError) as caught:
                    session.run(y, {x: np.ones(2, np.float32)})
                assert caught.value.op.type == "Reshape"
                texts.append((str(caught.value), caught.value.__notes__))
    assert texts[0] == texts[1] == texts[2]


def test_values_are_dropped_at_the_same_places(rs: Any) -> None:
    ones = np.ones(1 << 17, np.float32)
    with rs.Graph().as_default():
        x = y = rs.placeholder("float32", [None, 1])  # rows of one are not computed tile by tile
        for _ in range(LONG):
            y = rs.floor(y) + rs.cumsum(y, 1)  # which end at once
        with rs.Session() as session:
            segment = session._engine.prepare(x.graph, [x], [y], []).tasks[0].segment
            peaks = []
            for _ in range(3):
                tracemalloc.start()
                segment.run(None, ones[:, None])
                peaks.append(tracemalloc.get_traced_memory()[1])
                tracemalloc.stop()
    assert peaks[0] < peaks[2] + ones.nbytes // 2 < 6 * ones.nbytes


def test_a_cancelled_step_stops_before_a_node_either_way(rs: Any) -> None:
    class Step:
        cancelled = True
        cause = rs.errors.CancelledError(None, None, "enough")

    with rs.Graph().as_default() as graph:
        x = y = rs.placeholder("float32", [1 << 16])
        for _ in range(LONG):
            y = rs.cumsum(y)
        with rs.Session() as session:
            segment = session._engine.prepare(graph, [x], [y], []).tasks[0].segment
            assert segment.needs_step and "step.cancelled" in segment.source
            for _ in range(3):
                with pytest.raises(rs.errors.CancelledError, match="enough"):
                    segment.run(Step, np.zeros(1 << 16, np.float32))
