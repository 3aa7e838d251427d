"""Where the time of a step goes: per kernel, per fused region, against what the machine can do.

A profiled step is rewritten and fused as any other, unlike a traced one (RunOptions.trace_level): what is timed are the
kernels that really run. The clock costs a third of a microsecond a kernel.
"""

from __future__ import annotations

import functools
import statistics
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np

from runstep import errors
from runstep.plan.cost import flops_of
from runstep.plan.node import PlanNode
from runstep.plan.sizes import Sizes
from runstep.session import feeds
from runstep.session.failure import explained
from runstep.session.fetches import Fetches
from runstep.step import StepContext

if TYPE_CHECKING:
    from runstep.plan.compile import Plan
    from runstep.session.session import BaseSession


@attrs.frozen
class Row:
    """One kernel of a plan.

    Attributes:
      name, type: of the node; a type that begins with "_" is that of several nodes joined.
      device: where it ran. calls: how often in a step. seconds: of a step, all calls together, the median of the steps.
      nbytes: of what it makes in a step. flops: multiplications and additions of its products and convolutions in a
        step; 0 for other kernels.
    """

    name: str
    type: str
    device: str
    calls: float
    seconds: float
    nbytes: float
    flops: float


@attrs.frozen
class Peak:
    """What one thread of this machine was seen to do: multiplications and additions, and bytes moved, a second."""

    flops: float
    nbytes: float


@attrs.frozen
class Profile:
    """What `session.profile` found.

    Attributes:
      rows: the kernels, the slowest first. steps: how many were timed.
      seconds: of a whole step as callers see it, without the clock around each kernel.
      peak: what the machine can do.
    """

    rows: tuple[Row, ...]
    steps: int
    seconds: float
    peak: Peak

    def by_type(self) -> list[Row]:
        """The rows of one type of kernel added up, the slowest first; `name` tells how many there are."""
        found: dict[str, list[Row]] = {}
        for row in self.rows:
            found.setdefault(row.type, []).append(row)
        added = [
            Row(
                f"{len(rows)} nodes",
                kind,
                rows[0].device,
                sum(row.calls for row in rows),
                sum(row.seconds for row in rows),
                sum(row.nbytes for row in rows),
                sum(row.flops for row in rows),
            )
            for kind, rows in found.items()
        ]
        return sorted(added, key=lambda row: -row.seconds)

    def table(self, most: int = 20, by_type: bool = False) -> str:
        """The slowest kernels as text.

        Columns: microseconds a step, share of all kernels' time, calls, MB made, GB a second, GFLOP a second and its
        share of the machine's peak on one thread.
        """
        rows = self.by_type() if by_type else list(self.rows)
        total = sum(row.seconds for row in self.rows) or 1.0
        lines = [
            f"one step: {self.seconds * 1e6:.1f} us, kernels {total * 1e6:.1f} us; median of {self.steps}; "
            f"one thread here does {self.peak.flops / 1e9:.0f} GFLOP/s and moves {self.peak.nbytes / 1e9:.0f} GB/s",
            f"{'us':>10} {'share':>6} {'calls':>6} {'MB':>8} {'GB/s':>6} {'GFLOP/s':>8} {'peak':>5}  kernel",
        ]
        for row in rows[:most]:
            rate = row.flops / row.seconds if row.seconds else 0.0
            moved = row.nbytes / row.seconds / 1e9 if row.seconds else 0.0
            work = f"{rate / 1e9:8.1f} {rate / self.peak.flops:5.0%}" if row.flops else f"{'':8} {'':5}"
            lines.append(
                f"{row.seconds * 1e6:10.1f} {row.seconds / total:6.1%} {row.calls:6.0f} {row.nbytes / 1e6:8.2f} "
                f"{moved:6.1f} {work}  {row.type}  {row.name}"
            )
        if len(rows) > most:
            rest = sum(row.seconds for row in rows[most:])
            lines.append(f"{rest * 1e6:10.1f} {rest / total:6.1%}  {len(rows) - most} more")
        return "\n".join(lines)

    def __str__(self) -> str:
        return self.table()


def profile(session: BaseSession, fetches: Any, feed_dict: Any, steps: int) -> Profile:
    """See `Session.profile`."""
    engine, graph = session._engine, session.graph
    assert engine is not None
    if steps < 1:
        raise ValueError(f"steps must be at least 1, not {steps}")
    wanted = Fetches(session, fetches)
    tensors, values = feeds.split(feeds.flatten(graph, feeds.check_mapping(feed_dict)))
    fetched = [tensor for tensor in wanted.tensors if tensor not in tensors]
    given = feeds.shapes_of(tensors, values)
    try:
        plan = engine.prepare(graph, tensors, fetched, wanted.targets, True, given=given, rewritten=True)
    except errors.OpError as error:
        raise explained(error) from None
    fed = [
        feeds.converter(tensor, i in plan.kept_feeds, session._strict_feeds)(value)
        for i, (tensor, value) in enumerate(zip(tensors, values, strict=True))
    ]
    records = []
    whole = []
    try:
        for _ in range(steps + 1):
            context = StepContext()
            context.records = []
            engine.run_step(plan, fed, context)
            records.append(context.records)
            start = time.perf_counter()
            session.run(fetches, feed_dict)
            whole.append(time.perf_counter() - start)
    except BaseException as error:
        raise explained(error) from error.__cause__
    rows = _rows(plan, records[1:], [np.shape(value) for value in fed])
    return Profile(tuple(rows), steps, statistics.median(whole[1:]), peak())


def _rows(plan: Plan, records: list[Any], shapes: list[tuple[int, ...]]) -> list[Row]:
    nodes: dict[int, PlanNode] = {node.number: node for node in plan.nodes}
    sizes = Sizes(plan.nodes, shapes)
    seconds: dict[int, list[float]] = {}
    calls: dict[int, int] = {}
    made: dict[int, int] = {}
    for step in records:
        spent: dict[int, float] = {}
        for record in step:
            spent[record.node] = spent.get(record.node, 0.0) + (record.ended - record.started) / 1e9
            calls[record.node] = calls.get(record.node, 0) + 1
            made[record.node] = made.get(record.node, 0) + sum(getattr(x, "nbytes", 0) for x in record.outputs)
        for number, found in spent.items():
            seconds.setdefault(number, []).append(found)
    rows = []
    for number, times_spent in seconds.items():
        node = nodes.get(number)
        if node is None:
            continue
        times = calls[number] / len(records)
        flops = flops_of(node, sizes) * times
        rows.append(
            Row(
                node.name,
                node.type,
                node.device,
                times,
                statistics.median(times_spent),
                made[number] / len(records),
                flops,
            )
        )
    return sorted(rows, key=lambda row: -row.seconds)


@functools.cache
def peak() -> Peak:
    """What one thread does with a product of 512 x 512 matrices, and with a copy of 32 MB; measured once, in 50 ms."""
    from runstep.kernels import blas

    a = np.ones((512, 512), np.float32)
    source, target = np.ones(1 << 23, np.float32), np.empty(1 << 23, np.float32)
    product = blas.limited(lambda: np.matmul(a, a))
    return Peak(2 * 512**3 / _best(product), 2 * source.nbytes / _best(lambda: np.copyto(target, source)))


def _best(work: Callable[[], object]) -> float:
    found = []
    for _ in range(5):
        start = time.perf_counter()
        work()
        found.append(time.perf_counter() - start)
    return min(found)
