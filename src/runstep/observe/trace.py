"""`with trace("t.json"):` - every step of the process in one Chrome trace, which ui.perfetto.dev opens.

While a trace is on, plans are compiled with tracing and nothing is run past the recorder; steps take several times as
long as otherwise. The file has these rows:

    Steps                  one event a step: its number, and the code of its error if it failed
    /device:CPU:0          one event a kernel call, in lanes where calls overlap; `args` say the step, the node, its
                           inputs, thread, shapes and bytes of its outputs, and how long it was ready before it began
    Memory                 for each device a counter: bytes of the outputs of the calls that run

Arrows lead from kernels to those on other devices that read their outputs. Times are microseconds.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs

from runstep.graph.dtypes import as_dtype
from runstep.observe.timeline import ChromeTrace, op_label


@attrs.frozen
class TracedStep:
    """One step of a trace: its StepStats message, when it began and ended (nanoseconds of the clock), its error."""

    stats: Any
    began: int
    ended: int
    error: str


class Tracer:
    """Collects steps, from any thread."""

    def __init__(self) -> None:
        self._steps: list[TracedStep] = []
        self._lock = threading.Lock()

    def add(self, step: TracedStep) -> None:
        with self._lock:
            self._steps.append(step)

    @property
    def steps(self) -> tuple[TracedStep, ...]:
        """The steps that have ended, in the order in which they began."""
        with self._lock:
            return tuple(sorted(self._steps, key=lambda step: step.began))

    def chrome_trace(self) -> ChromeTrace:
        """What has been collected, as a Chrome trace."""
        return _drawn(self.steps)


_active: list[Tracer] = []
_starting = threading.Lock()


def active() -> Tracer | None:
    """The trace that is on; the innermost, if several are."""
    return _active[-1] if _active else None


@contextmanager
def trace(path: str | os.PathLike[str]) -> Iterator[Tracer]:
    """Traces every step of every session of the process that begins inside of the block, in all threads.

    Args:
      path: where the trace is written at the end, also when the block fails; complete or not at all.

    Yields:
      The Tracer. Traces may be nested: steps go to the innermost.

    Raises:
      OSError: the file cannot be written.
    """
    from runstep.session.session import watch_sessions

    tracer = Tracer()
    with _starting:
        _active.append(tracer)
        watch_sessions(True)
    try:
        yield tracer
    finally:
        with _starting:
            _active.remove(tracer)
            watch_sessions(bool(_active))
        _write(Path(path), tracer.chrome_trace().format_to_string())


def _write(path: Path, text: str) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _drawn(steps: tuple[TracedStep, ...]) -> ChromeTrace:
    trace = ChromeTrace()
    row = trace.row("Steps")
    lanes = _Lanes()
    for number, step in enumerate(steps):
        began, ended = step.began // 1000, -(-step.ended // 1000)
        error = {"error": step.error} if step.error else {}
        lane = lanes.take(began, ended)
        trace.add("X", f"step {number}", row, lane, began, "Step", dur=ended - began, args={"step": number, **error})
    devices: dict[str, _Device] = {}
    for number, step in enumerate(steps):
        made: dict[str, tuple[_Device, int, int]] = {}
        for stats in step.stats.dev_stats:
            if stats.device not in devices:
                devices[stats.device] = _Device(trace, stats.device)
        for stats in step.stats.dev_stats:
            device = devices[stats.device]
            for node in stats.node_stats:
                made[node.node_name] = device, *device.show(node, number)
        _show_arrows(trace, step, devices, made)
    memory = trace.row("Memory")
    for device in devices.values():
        device.count_memory(memory)
    return trace


class _Lanes:
    """Lanes of a row: events in one lane do not overlap."""

    def __init__(self) -> None:
        self._ends: list[int] = []

    def take(self, start: int, end: int) -> int:
        for lane, busy in enumerate(self._ends):
            if busy <= start:
                self._ends[lane] = end
                return lane
        self._ends.append(end)
        return len(self._ends) - 1


class _Device:
    """The row of one device."""

    def __init__(self, trace: ChromeTrace, name: str) -> None:
        self._trace = trace
        self._name = name
        self._row = trace.row(name)
        self._lanes = _Lanes()
        self._changes: list[tuple[int, int]] = []

    def show(self, node: Any, step: int) -> tuple[int, int]:
        """Adds a kernel call; its lane and its end."""
        name, op, inputs = op_label(node)
        start, length = node.all_start_micros, node.all_end_rel_micros
        lane = self._lanes.take(start, start + length)
        args: dict[str, Any] = {"step": step, "name": name, "thread": node.thread_id}
        if inputs:
            args["inputs"] = inputs
        if start > node.scheduled_micros > 0:
            args["ready_for_us"] = start - node.scheduled_micros
        size = 0
        for output in node.output:
            held = output.tensor_description
            shape = ",".join(str(dim.size) for dim in held.shape.dim)
            args[f"output{output.slot}"] = f"{as_dtype(held.dtype).name}[{shape}]"
            size += held.allocation_description.allocated_bytes
        if size:
            args["bytes"] = size
            self._changes += [(start, size), (start + length, -size)]
        self._trace.add("X", op, self._row, lane, start, "Op", dur=length, args=args)
        return lane, start + length

    def arrow(self, kind: str, number: int, name: str, lane: int, time: int) -> None:
        more = {"bp": "e"} if kind == "f" else {}
        self._trace.add(kind, name, self._row, lane, time, "DataFlow", id=number, **more)

    def count_memory(self, row: int) -> None:
        total = 0
        for time, size in sorted(self._changes):
            total += size
            self._trace.add("C", self._name, row, 0, time, "Memory", args={"bytes": total})


def _show_arrows(
    trace: ChromeTrace, step: TracedStep, devices: dict[str, _Device], made: dict[str, tuple[_Device, int, int]]
) -> None:
    for stats in step.stats.dev_stats:
        device = devices[stats.device]
        for node in stats.node_stats:
            for given in op_label(node)[2]:
                source = made.get(given.lstrip("^").split(":")[0])
                if source is not None and source[0] is not device:
                    number = len(trace.events)
                    source[0].arrow("s", number, given, source[1], source[2])
                    device.arrow("f", number, given, made[node.node_name][1], node.all_start_micros)
