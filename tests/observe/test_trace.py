"""`with runstep.trace(path)`, step statistics of concurrent and failed steps, live numbers."""

from __future__ import annotations

import json
import os
import queue
import signal
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing

from runstep.observe import live, signals
from runstep.observe.trace import active


def events(path: Path, kind: str, **wanted: Any) -> list[dict[str, Any]]:
    found = json.loads(path.read_text())["traceEvents"]
    return [e for e in found if e["ph"] == kind and all(e.get(key) == value for key, value in wanted.items())]


def rows(path: Path) -> dict[str, int]:
    return {event["args"]["name"]: event["pid"] for event in events(path, "M")}


def valid(path: Path) -> None:
    """What Perfetto's importer of this format asks for: known kinds, numbers for times, rows that exist, lanes whose
    events do not overlap, arrows with two ends that lie on events."""
    found = json.loads(path.read_text())["traceEvents"]
    numbers = {event["pid"] for event in found if event["ph"] == "M"}
    lanes: dict[Any, list[tuple[int, int]]] = {}
    arrows: dict[int, list[str]] = {}
    for event in found:
        assert event["ph"] in "MXCsf" and isinstance(event["name"], str) and event["pid"] in numbers
        if event["ph"] == "X":
            assert event["dur"] >= 0
            lanes.setdefault((event["pid"], event["tid"]), []).append((event["ts"], event["ts"] + event["dur"]))
        elif event["ph"] == "C":
            assert event["args"]["bytes"] >= 0
        elif event["ph"] in "sf":
            arrows.setdefault(event["id"], []).append(event["ph"])
    for spans in lanes.values():
        spans.sort()
        assert all(before[1] <= after[0] for before, after in zip(spans, spans[1:], strict=False))
    assert all(kinds == ["s", "f"] for kinds in arrows.values())


def test_many_steps(rs: Any, tmp_path: Path) -> None:
    """Every way of running is traced, cached requests and callables too; afterwards nothing is."""
    path = tmp_path / "t.json"
    x = rs.placeholder(rs.float32, [None], name="x")
    with rs.device("/cpu:1"):
        y = rs.square(x, name="squared")
    z = rs.reduce_sum(y, name="total")
    with rs.Session(config=rs.ConfigProto(device_count={"CPU": 2})) as session:
        call = session.make_callable(z, [x])
        session.run(z, {x: [1.0]})
        with rs.trace(str(path)) as tracer:
            assert active()
            for n in range(3):
                assert session.run(z, {x: [n]}) == n * n
            assert call([2.0]) == 4
            assert trio.run(session.arun, z, {x: [3.0]}) == 9
            with session.pipeline([y, z], [x]) as p:
                assert p(z, {x: [1.0, 2.0]}) == 5
            with rs.Session(config=rs.ConfigProto(device_count={"CPU": 2})) as other:
                assert other.run(z, {x: [1.0]}) == 1
            with pytest.raises(rs.errors.OpError):
                session.run(rs.reshape(x, [7]), {x: [1.0]})
        assert len(tracer.steps) == 8 and active() is None
        assert session.run(z, {x: [5.0]}) == 25 and call([1.0]) == 1 and len(tracer.steps) == 8
    valid(path)
    steps = events(path, "X", pid=rows(path)["Steps"])
    assert [step["args"]["step"] for step in steps] == list(range(8))
    assert [step["args"].get("error") for step in steps] == [None] * 7 + ["InvalidArgumentError"]
    (device,) = [name for name in rows(path) if name.endswith("device:CPU:1")]
    squares = events(path, "X", pid=rows(path)[device], name="Square")
    assert [event["args"]["step"] for event in squares] == list(range(7))
    assert squares[0]["args"]["output0"] == "float32[1]" and squares[0]["args"]["bytes"] == 4
    assert events(path, "s") and events(path, "C", name=device)
    assert os.listdir(tmp_path) == ["t.json"]


def test_the_trace_is_written_when_the_block_fails(rs: Any, tmp_path: Path) -> None:
    with rs.Session() as session, pytest.raises(KeyError):
        with rs.trace(tmp_path / "t.json"):
            session.run(rs.constant(1.0) + 2.0)
            raise KeyError("x")
    valid(tmp_path / "t.json")
    assert len(events(tmp_path / "t.json", "X", name="step 0")) == 1 and active() is None
    assert isinstance(rs.trace(rs.constant([[1.0]])), rs.Tensor)  # of a matrix, it is TensorFlow's


def test_statistics_of_concurrent_steps(rs: Any) -> None:
    """S113: each node with its own thread and times; ready before it starts."""
    barrier = threading.Barrier(2, timeout=60)
    x = rs.placeholder(rs.float32, [], name="x")
    sides = []
    for number in range(2):
        with rs.device(f"/cpu:{number}"):
            sides.append(rs.py_func(lambda v: (barrier.wait(), v)[1], [x + number], rs.float32, name=f"side{number}"))
    seen = rs.RunMetadata()
    with rs.Session(config=rs.ConfigProto(device_count={"CPU": 2})) as session:
        session.run(sides, {x: 1.0}, rs.RunOptions(trace_level=3), seen)
    nodes = {node.node_name: node for device in seen.step_stats.dev_stats for node in device.node_stats}
    first, second = nodes["side0"], nodes["side1"]
    assert first.thread_id != second.thread_id
    for one, other in ((first, second), (second, first)):
        assert one.all_start_micros <= other.all_start_micros + other.all_end_rel_micros  # they overlap
        assert one.scheduled_micros <= one.all_start_micros
        assert one.memory[0].total_bytes == 4
    assert first.scheduled_nanos >= nodes["add"].all_start_nanos + nodes["add"].all_end_rel_nanos


def test_statistics_of_a_step_that_failed(rs: Any) -> None:
    """S111: what ran is there, and what failed or still waited."""
    x = rs.placeholder(rs.int32, [], name="x")
    bad = rs.floordiv(1, rs.identity(x - 1, name="before"), name="bad")
    never = rs.negative(bad, name="never")
    waiting = rs.FIFOQueue(1, rs.float32).dequeue(name="waiting")
    with rs.Session() as session:
        for fetches, kind, there in (
            (never, rs.errors.InvalidArgumentError, "bad"),
            (waiting, rs.errors.DeadlineExceededError, "waiting"),
        ):
            seen = rs.RunMetadata()
            with pytest.raises(kind):
                session.run(fetches, {x: 1}, rs.RunOptions(trace_level=3, timeout_in_ms=20), seen)
            names = [node.node_name for device in seen.step_stats.dev_stats for node in device.node_stats]
            assert there in names and "never" not in names


def test_live_numbers(rs: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    x = rs.placeholder(rs.int32, [], name="x")
    quotient = rs.floordiv(6, x)
    queue = rs.FIFOQueue(10, rs.float32, shapes=[[]], shared_name="q")
    waiting = queue.dequeue()
    session = rs.Session()
    found = session.statistics()
    assert (found.steps, found.failures, found.in_flight, found.latency) == (0, {}, 0, None)
    for n in range(1, 130):
        session.run(quotient, {x: n})
    call = session.make_callable(quotient, [x])
    assert call(2) == 3
    for run in (
        lambda: session.run(quotient, {x: 0}),
        lambda: call(0),
        lambda: trio.run(session.arun, quotient, {x: 0}),
    ):
        with pytest.raises(rs.errors.InvalidArgumentError):
            run()
    found = session.statistics()
    assert found.steps == 133 and found.failures == {"INVALID_ARGUMENT": 3}
    assert found.latency is not None and 0 < found.latency.p50 <= found.latency.p90 <= found.latency.p99 < 1

    async def program() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(session.arun, waiting)
            await trio.testing.wait_all_tasks_blocked()
            with session.pipeline([quotient, waiting], [x]) as p:
                while session.statistics().waiting < 2:  # noqa: ASYNC110 - the second is parked by another thread
                    await trio.lowlevel.checkpoint()
                found = session.statistics()
                assert (found.in_flight, found.waiting, found.partial_runs) == (2, 2, 1)
                report = session.debug_dump()
                assert "steps in flight: 2" in report and "partial runs: 1" in report and str(p) in report
                assert report.count(f"{waiting.op.name} (queue 'q' 0/10, ") == 3 and "to feed: x:0" in report
            nursery.cancel_scope.cancel()

    trio.run(program)
    while session.statistics().in_flight:
        threading.Event().wait(0.001)
    assert session.statistics().partial_runs == 0
    session.close()
    assert session.statistics().steps > 133 and "closed" in session.debug_dump()


def test_percentiles() -> None:
    """Exact to a fifth, however the samples are spread."""
    meter = live.Meter()
    for microseconds in range(1, 1001):
        meter.took(microseconds * 1000)
    found = meter.latency()
    assert found is not None
    for value, wanted in ((found.p50, 500e-6), (found.p90, 900e-6), (found.p99, 990e-6)):
        assert wanted <= value <= 1.25 * wanted
    meter.took(10**9, steps=10**6)
    found = meter.latency()
    assert found is not None and 1 <= found.p50 <= 1.25


class Paper:
    """A file that tells of each report."""

    def __init__(self) -> None:
        self.text = ""
        self.reports: queue.SimpleQueue[str] = queue.SimpleQueue()

    def write(self, text: str) -> None:
        self.text += text

    def flush(self) -> None:
        self.reports.put(self.text)
        self.text = ""


def test_reports_on_a_signal(rs: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """By asking, or by name in the environment; after them, who had the signal before."""
    paper, before = Paper(), []
    previous = signal.signal(signal.SIGUSR2, lambda number, frame: before.append(number))
    jobs = rs.FIFOQueue(10, rs.float32, shared_name="q")
    try:
        with rs.Session() as session:
            session.run(jobs.enqueue(1.0))
            session.debug_dump_on_signal(signal.SIGUSR2, paper)
            signal.raise_signal(signal.SIGUSR2)
            report = paper.reports.get(timeout=30)
            assert "target=''" in report and "queue 'q' 1/10" in report and "holds 'q' 4" in report
            assert before == [signal.SIGUSR2]
            monkeypatch.setenv("RUNSTEP_DEBUG_SIGNAL", "USR2")
            monkeypatch.setattr(sys, "stderr", paper)
            with rs.Session(graph=rs.Graph()):
                signal.raise_signal(signal.SIGUSR2)
                reports = [paper.reports.get(timeout=30) for _ in range(2)]
            assert "queue 'q' 1/10" in reports[0] and "graph of 0 operations" in reports[1]
            monkeypatch.setenv("RUNSTEP_DEBUG_SIGNAL", "USR99")
            with pytest.raises(ValueError, match="RUNSTEP_DEBUG_SIGNAL=USR99: there is no such signal"):
                rs.Session()
    finally:
        signal.signal(signal.SIGUSR2, previous)
        signals._previous.pop(signal.SIGUSR2, None)
        signals._watched.pop(signal.SIGUSR2, None)
