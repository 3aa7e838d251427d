"""`Timeline`: a StepStats message as a Chrome trace, which ui.perfetto.dev and chrome://tracing open.

The events are TensorFlow's. Each device has two rows, "Compute" and "Tensors"; kernels that overlap get lanes of their
own; counters show what each allocator holds. Times are microseconds.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import attrs

ALLOCATORS = "Allocators"


@attrs.frozen
class AllocationMaximum:
    """The most that one allocator held (source: timeline.AllocationMaximum).

    Attributes:
      timestamp: when, in microseconds. num_bytes: how much. tensors: names of those that were there.
    """

    timestamp: int
    num_bytes: int
    tensors: frozenset[str] | set[str]


@attrs.frozen
class StepStatsAnalysis:
    """What `analyze_step_stats` finds (source: timeline.StepStatsAnalysis).

    Attributes:
      chrome_trace: the trace; `chrome_trace.format_to_string()` is its JSON.
      allocator_maximums: for each allocator, its AllocationMaximum.
    """

    chrome_trace: ChromeTrace
    allocator_maximums: dict[str, AllocationMaximum]


class ChromeTrace:
    """Events in the Chrome trace format, in the order in which they are added; names of rows come first."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []
        self.events: list[dict[str, Any]] = []

    def row(self, name: str) -> int:
        """A new row ("process"); its number."""
        number = len(self.rows)
        self.rows.append({"name": "process_name", "ph": "M", "pid": number, "args": {"name": name}})
        return number

    def add(self, kind: str, name: str, row: int, lane: int, time: int, category: str, **more: Any) -> None:
        """An event: its kind is Chrome's `ph`."""
        self.events.append({"ph": kind, "cat": category, "name": name, "pid": row, "tid": lane, "ts": time, **more})

    def format_to_string(self, pretty: bool = False) -> str:
        """The trace as JSON."""
        trace = {"traceEvents": self.rows + self.events}
        return json.dumps(trace, indent=4, separators=(",", ": ")) if pretty else json.dumps(trace)


class _Tensor:
    """A value between the kernel that makes it and the last that reads it."""

    def __init__(
        self, number: int, name: str, made: int, end: int, row: int, source: tuple[int, int], allocator: str, size: int
    ) -> None:
        self.number = number
        self.name = name
        self.made = made
        self.end = end
        self.source = source
        self.row = row
        self.allocator = allocator
        self.size = size
        self.readers: list[int] = []

    @property
    def gone(self) -> int:
        return max([self.end, *self.readers])


class Timeline:
    """A visualizer of step statistics (source: tensorflow.python.client.timeline.Timeline).

    Args:
      step_stats: a StepStats message: `run_metadata.step_stats`.
      graph: ignored, as by TensorFlow for messages that have labels.
    """

    def __init__(self, step_stats: Any, graph: Any = None) -> None:
        self._step_stats = step_stats

    def generate_chrome_trace_format(
        self, show_dataflow: bool = True, show_memory: bool = False, op_time: str = "schedule"
    ) -> str:
        """The trace as JSON.

        Args:
          show_dataflow: with arrows from producers to consumers in other lanes.
          show_memory: with the life of each tensor, and counters of what allocators hold.
          op_time: "schedule", "gpu" or "all": what counts as the time of an operation whose kernels ran on a GPU. No
            difference here: what TensorFlow's tracer saw on a GPU is shown as another device.
        """
        return self._analyzed(show_dataflow, show_memory)[0].format_to_string(pretty=True)

    def analyze_step_stats(
        self, show_dataflow: bool = True, show_memory: bool = True, op_time: str = "schedule"
    ) -> StepStatsAnalysis:
        """The trace with the peaks of allocators. Arguments as of `generate_chrome_trace_format`."""
        return StepStatsAnalysis(*self._analyzed(show_dataflow, show_memory))

    def _analyzed(self, show_dataflow: bool, show_memory: bool) -> tuple[ChromeTrace, dict[str, AllocationMaximum]]:
        work = _Analysis(self._step_stats)
        work.make_tensors(show_memory)
        work.show_operations(show_dataflow)
        maximums = work.show_memory() if show_memory else {}
        return work.trace, maximums


class _Analysis:
    """One trace in the making."""

    def __init__(self, step_stats: Any) -> None:
        self.trace = ChromeTrace()
        self._allocators = self.trace.row(ALLOCATORS)
        self._devices = [
            (device, self.trace.row(f"{device.device} Compute"), self.trace.row(f"{device.device} Tensors"))
            for device in step_stats.dev_stats
        ]
        self._lanes = {id(device): _lanes(device.node_stats) for device, _, _ in self._devices}
        self._tensors: dict[str, _Tensor] = {}
        self._arrows = 0

    def make_tensors(self, show: bool) -> None:
        """Finds the tensors, in the order in which they were made."""
        for device, compute, row in self._devices:
            for node, lane in zip(device.node_stats, self._lanes[id(device)], strict=True):
                name = node.node_name
                for position, output in enumerate(node.output):
                    full = name if position == 0 else f"{name}:{position}"
                    description = output.tensor_description
                    held = description.allocation_description
                    number = len(self._tensors)
                    times = node.all_start_micros, _end(node)
                    self._tensors[full] = _Tensor(
                        number, full, *times, row, (compute, lane), held.allocator_name, held.requested_bytes
                    )
                    if show:
                        self.trace.add("N", full, row, lane, node.all_start_micros, "Tensor", id=number)
                        self.trace.add(
                            "O",
                            full,
                            row,
                            lane,
                            _end(node) - 1,
                            "Tensor",
                            id=number,
                            args={"snapshot": {"tensor_description": str(description).replace('"', "")}},
                        )

    def show_operations(self, arrows: bool) -> None:
        """One event for each kernel call, and arrows to it."""
        for device, row, _ in self._devices:
            for node, lane in zip(device.node_stats, self._lanes[id(device)], strict=True):
                name, op, inputs = op_label(node)
                args = {"name": name, "op": op, **{f"input{i}": given for i, given in enumerate(inputs)}}
                start = node.all_start_micros
                self.trace.add("X", op, row, lane, start, "Op", dur=node.all_end_rel_micros, args=args)
                for given in inputs:
                    self._read(given, row, lane, node, arrows)

    def _read(self, name: str, row: int, lane: int, node: Any, arrow: bool) -> None:
        tensor = self._tensors.get(name)
        if tensor is None:
            return
        tensor.readers.append(_end(node) - 1)
        if not arrow or tensor.source == (row, lane):
            return
        number, self._arrows = self._arrows, self._arrows + 1
        self.trace.add("s", name, *tensor.source, tensor.end, "DataFlow", id=number)
        self.trace.add("t", name, row, lane, node.all_start_micros, "DataFlow", id=number)

    def show_memory(self) -> dict[str, AllocationMaximum]:
        """The ends of tensors, and what allocators hold over time; the most that they held."""
        changes: dict[str, list[tuple[int, int, str]]] = {}
        for tensor in self._tensors.values():
            self.trace.add("D", tensor.name, tensor.row, 0, tensor.gone, "Tensor", id=tensor.number)
            found = changes.setdefault(tensor.allocator, [])
            found.append((tensor.made, tensor.size, tensor.name))
            found.append((tensor.gone, -tensor.size, tensor.name))
        maximums = {}
        for allocator, found in changes.items():
            maximums[allocator] = self._count(allocator, found)
        return maximums

    def _count(self, allocator: str, changes: Iterable[tuple[int, int, str]]) -> AllocationMaximum:
        total, present = 0, set[str]()
        most = AllocationMaximum(0, 0, set())
        for time, size, name in sorted(changes):
            total += size
            (present.add if size >= 0 else present.discard)(name)
            if total > most.num_bytes:
                most = AllocationMaximum(time, total, set(present))
            self.trace.add("C", allocator, self._allocators, 0, time, "Memory", args={allocator: total})
        return most


def _end(node: Any) -> int:
    return int(node.all_start_micros + node.all_end_rel_micros)


def _lanes(nodes: Iterable[Any]) -> list[int]:
    """For each node the first lane that is free when it starts."""
    ends: list[int] = []
    found = []
    for node in nodes:
        start = node.all_start_micros
        lane = next((lane for lane, end in enumerate(ends) if end < start), len(ends))
        end = _end(node)
        if lane == len(ends):
            ends.append(end)
        else:
            ends[lane] = end
        found.append(lane)
    return found


def op_label(node: Any) -> tuple[str, str, list[str]]:
    """Name, op type and inputs of a node, by its label "name = Op(input, input:1)"."""
    _, equals, call = node.timeline_label.partition(" = ")
    op, bracket, rest = call.partition("(")
    inputs, closed, _ = rest.rpartition(")")
    if not (equals and bracket and closed):
        return node.node_name, "unknown", []
    return node.node_name, op, inputs.split(", ") if inputs else []
