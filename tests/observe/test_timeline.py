"""Timeline against TensorFlow's, on statistics of both and on any that there could be."""

from __future__ import annotations

import inspect
import json
import random
from typing import Any

import pytest

import runstep
from runstep.observe.timeline import Timeline
from runstep.protos import step_stats_pb2
from runstep.testing.oracle import tensorflow

WAYS: list[dict[str, Any]] = [{}, {"show_memory": True}, {"show_dataflow": False}, {"op_time": "all"}]


@pytest.fixture(scope="module")
def theirs() -> Any:
    tensorflow()
    from tensorflow.python.client import timeline

    return timeline.Timeline


def theirs_of(stats: Any) -> Any:
    from tensorflow.core.framework import step_stats_pb2

    return step_stats_pb2.StepStats.FromString(stats.SerializeToString())


def check(stats: Any, theirs: Any) -> None:
    """Same events in the same order, and the same peaks."""
    timeline = Timeline(stats)
    for way in WAYS:  # TensorFlow's can be used only once: it goes on counting
        other = theirs(theirs_of(stats))
        assert json.loads(timeline.generate_chrome_trace_format(**way)) == json.loads(
            other.generate_chrome_trace_format(**way)
        )
    ours, wanted = timeline.analyze_step_stats(), theirs(theirs_of(stats)).analyze_step_stats()
    assert {name: (m.timestamp, m.num_bytes, m.tensors) for name, m in ours.allocator_maximums.items()} == {
        name: (m.timestamp, m.num_bytes, m.tensors) for name, m in wanted.allocator_maximums.items()
    }
    assert json.loads(ours.chrome_trace.format_to_string()) == json.loads(wanted.chrome_trace.format_to_string(True))


def anything(seed: int) -> Any:
    """Statistics with overlaps, loops, odd labels, and times that go back."""
    dice = random.Random(seed)
    stats, names = step_stats_pb2.StepStats(), ["first"]
    for number in range(dice.choice([1, 1, 2, 3])):
        device = stats.dev_stats.add(device=f"/job:localhost/replica:0/task:0/device:CPU:{number}")
        time = 1000
        for _ in range(dice.randrange(1, 12)):
            name = dice.choice(["a", "b/c", "x_1", "dup:MatMul"]) + str(dice.randrange(9))
            given = [dice.choice(["", "", "^"]) + dice.choice(names) + dice.choice(["", ":1"]) for _ in range(2)]
            label = f"{name} = {dice.choice(['Add', '_Recv'])}({', '.join(given[: dice.randrange(3)])})"
            if dice.random() < 0.1:
                label = dice.choice(["weird", "a = b", "x = Y(z", "[a] b = C(d) @@e"])
            node = device.node_stats.add(node_name=name, timeline_label=label, all_start_micros=time)
            node.all_end_rel_micros, node.op_end_rel_micros = dice.randrange(9), dice.randrange(9)
            time += dice.randrange(-2, 6)
            for slot in range(dice.randrange(3)):
                held = node.output.add(slot=slot).tensor_description.allocation_description
                held.requested_bytes, held.allocated_bytes = dice.randrange(100), 99
                held.allocator_name = dice.choice(["cpu", "pool"])
            names.append(name)
    return stats


def test_any_statistics(theirs: Any) -> None:
    for seed in range(25):
        check(anything(seed), theirs)


def test_statistics_of_a_run(theirs: Any) -> None:
    with runstep.Graph().as_default():
        x = runstep.placeholder(runstep.float32, [None], name="x")
        with runstep.device("/cpu:1"):
            y = runstep.square(x) + 1.0
        total = runstep.while_loop(lambda i, s: i < 3, lambda i, s: (i + 1, s + y), (0, y))[1]
        with runstep.Session(config=runstep.ConfigProto(device_count={"CPU": 2})) as session:
            seen = runstep.RunMetadata()
            session.run(
                [total, y * 2], {x: [1.0, 2.0]}, runstep.RunOptions(trace_level=runstep.RunOptions.FULL_TRACE), seen
            )
    check(seen.step_stats, theirs)


def test_signatures_are_tensorflows(theirs: Any) -> None:
    for name in ("__init__", "generate_chrome_trace_format", "analyze_step_stats"):
        ours, wanted = (inspect.signature(getattr(cls, name)).parameters for cls in (Timeline, theirs))
        assert [(p.name, p.default) for p in ours.values()] == [(p.name, p.default) for p in wanted.values()]
