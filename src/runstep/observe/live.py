"""What a session is doing now: numbers for a monitor, and a report for somebody whose program hangs.

Counting must cost next to nothing, so the time of a step that runs straight through is taken only every 64th time.
"""

from __future__ import annotations

import itertools
import signal
from collections import Counter
from typing import Any

import attrs

from runstep import errors
from runstep.memory import readable
from runstep.observe.waits import waits

_SHOWN = 5

SAMPLED = 64
"""One in so many straight steps is timed. A power of two."""


@attrs.frozen
class Latency:
    """How long steps took, in seconds: half, nine tenths, 99 hundredths of them no longer. Exact to a fifth."""

    p50: float
    p90: float
    p99: float


@attrs.frozen
class SessionStatistics:
    """A session's numbers.

    Attributes:
      steps: how many were begun: runs, calls of callables, partial runs. (Where threads run without the interpreter's
        lock, a few may be missed.)
      failures: how many ended in an error, by the name of its code ("INVALID_ARGUMENT").
      in_flight: steps that run or wait now, but for those that run straight through. waiting: of them, those with a
        kernel that waits.
      partial_runs: handles that are open.
      latency: of runs, awaited or not; None before the first was timed.
      devices: what each device does (`runstep.actors.device.DeviceStatistics`), by name.
    """

    steps: int
    failures: dict[str, int]
    in_flight: int
    waiting: int
    partial_runs: int
    latency: Latency | None
    devices: dict[str, Any]


class Meter:
    """Counts what fails and how long steps take. Any thread may."""

    def __init__(self) -> None:
        self.failures: Counter[str] = Counter()
        self._buckets: Counter[int] = Counter()

    def failed(self, error: BaseException) -> None:
        """A step ended in this error, as its caller sees it."""
        self.failures[_code(error)] += 1

    def took(self, nanoseconds: int, steps: int = 1) -> None:
        """So many steps took so long, each."""
        bits = nanoseconds.bit_length()
        self._buckets[(bits << 2) + ((nanoseconds >> (bits - 3)) & 3 if bits > 2 else 0)] += steps

    def latency(self) -> Latency | None:
        """What has been counted; None if nothing has."""
        counts = sorted(self._buckets.copy().items())
        total = sum(count for _, count in counts)
        if not total:
            return None
        return Latency(*(_quantile(counts, total * part / 100) for part in (50, 90, 99)))


def _quantile(counts: list[tuple[int, int]], wanted: float) -> float:
    """The upper end of the bucket in which this many have been counted."""
    seen = itertools.accumulate(count for _, count in counts)
    bucket = next(bucket for (bucket, _), total in zip(counts, seen, strict=True) if total >= wanted)
    bits, quarter = bucket >> 2, bucket & 3
    return (5 + quarter) * 2.0 ** (bits - 3) / 1e9


_NAMES = {
    value: name for name, value in vars(errors).items() if name.isupper() and isinstance(value, int) and value > 0
}


def _code(error: BaseException) -> str:
    if isinstance(error, errors.OpError):
        return _NAMES.get(error.error_code, str(error.error_code))
    return type(error).__name__


class Observed:
    """What sessions tell about themselves."""

    def statistics(self: Any) -> SessionStatistics:
        """The session's numbers; also of one that is closed."""
        engine = self._engine
        contexts = {*engine._active, *engine._inboxes}
        return SessionStatistics(
            steps=self._steps,
            failures=dict(self._meter.failures),
            in_flight=len(contexts),
            waiting=sum(bool(context.waiting) for context in contexts),
            partial_runs=len(self._open_runs()),
            latency=self._meter.latency(),
            devices={device.name: device.statistics() for device in engine.devices},
        )

    def debug_dump(self: Any) -> str:
        """A report for people: devices, how full their queues are and what holds most memory there, steps and what they
        wait for, open partial runs. From any thread, at any time."""
        engine = self._engine
        lines = [repr(self)]
        for device in engine.devices:
            lines.append(f"{device.name}: {device.statistics()}")
            lines.extend(f"  {words}" for words in _resources(device))
        contexts = {*engine._active, *engine._inboxes}
        lines.append(f"steps in flight: {len(contexts)}")
        for context in contexts:
            thread = engine._active.get(context)
            where = "suspended" if thread is None else f"in thread {thread}"
            found = waits(context)
            what = f"waits: {'; '.join(found)}" if found else "computing"
            lines.append(f"  {where}: {what}")
        runs = self._open_runs()
        lines.append(f"partial runs: {len(runs)}")
        for text, run in runs:
            found = run.statistics()
            lines.append(
                f"  {text}: {found.tasks_done} of {found.tasks} tasks done, {found.nbytes} bytes; "
                f"to feed: {', '.join(found.feeds_left) or 'nothing'}; "
                f"to fetch: {', '.join(found.fetches_left) or 'nothing'}"
            )
            lines.extend(f"    waits: {reason}" for reason in found.waiting)
        return "\n".join(lines)

    def debug_dump_on_signal(self: Any, signum: int | None = None, file: Any = None) -> None:
        """Writes `debug_dump` whenever the process gets a signal, as long as the session lives.

        With the name of a signal in the environment variable RUNSTEP_DEBUG_SIGNAL, every session does. To be called in
        the main thread. A report is written by a thread of its own; what handled the signal before still does.

        Args:
          signum: which signal; None for SIGUSR1. file: where to write; None for stderr.

        Raises:
          ValueError: the caller is not the main thread.
        """
        from runstep.observe.signals import watch

        watch(self, signal.SIGUSR1 if signum is None else signum, file)

    def _open_runs(self: Any) -> list[Any]:
        runs = self.__dict__.get("_partial_runs")  # made when first used
        return [] if runs is None else runs.open()


def _resources(device: Any) -> list[str]:
    """Queues and the like, with how full they are; and what holds most memory."""
    found = list(device.resources)
    words = [resource.in_words for *_, resource in found if hasattr(resource, "in_words")]
    held = sorted(((int(getattr(resource, "nbytes", 0)), name) for _, _, name, resource in found), reverse=True)
    largest = [f"'{name.removeprefix('__private_')}' {readable(size)}" for size, name in held[:_SHOWN] if size]
    return [*words, *([f"holds {', '.join(largest)}"] if largest else [])]
