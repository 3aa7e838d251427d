"""Which nodes of a step should run beside each other: paths through the graph that are worth a thread.

The longest path is the first lane; the longest one through what is left the next, and so on while there are any of
`HEAVY` microseconds. A lane is cut where another one takes a result of it, so that that one need not wait for the rest.
What is cheap goes with those who read it. Each piece becomes a task of the plan (`plan.tasks`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from heapq import heappop, heappush

from runstep.plan.cost import HEAVY
from runstep.plan.frames import Item
from runstep.plan.node import PlanNode

Label = tuple[int, int]
"""A lane, and a piece of it."""

_OVERHEAD = 25.0  # microseconds to launch a task and to pass its results on
_PATHS = 128
_LOOKED_AT = 2_000_000
"""Items that are looked at, in all searches for a path together: each search goes through all of them."""


def may_be_lanes(items: Sequence[Item], costs: Sequence[float], threads: int) -> bool:
    """Whether `lanes` may find some: a quick look that rules out most plans, those that are one long chain too."""
    total = sum(costs)
    if threads < 2 or total < 2 * HEAVY:
        return False
    longest: dict[Item, float] = {}  # the cost of the longest path that ends there, loops and effects left out
    for item, cost in zip(items, costs, strict=True):
        before = 0.0
        if isinstance(item, PlanNode):
            for source, _ in item.inputs:
                if (found := longest.get(source, 0.0)) > before:
                    before = found
        longest[item] = before + cost
    return total - max(max(longest.values()), total / threads) >= HEAVY


def lanes(
    items: Sequence[Item], before: Mapping[Item, Set[Item]], costs: Sequence[float], threads: int
) -> dict[Item, Label] | None:
    """The lane and piece of each item; None when one thread does as well. `items` come producers first."""
    total = sum(costs)
    if threads < 2 or total < 2 * HEAVY:
        return None
    position = {item: place for place, item in enumerate(items)}
    sources = [[position[other] for other in before.get(item, ()) if other in position] for item in items]
    free = [True] * len(items)
    paths: list[tuple[float, list[int]]] = []
    for _ in range(min(_PATHS, max(8, _LOOKED_AT // len(items)))):
        cost, path = _longest(sources, costs, free)
        if cost < HEAVY:
            break
        paths.append((cost, path))
        for place in path:
            free[place] = False
    if len(paths) < 2 or total - max(paths[0][0], total / threads) < HEAVY:
        return None
    lane = _packed(paths, len(items), 2 * threads)
    _join(sources, lane)
    return _cut(items, sources, costs, lane)


def _longest(sources: Sequence[Sequence[int]], costs: Sequence[float], free: Sequence[bool]) -> tuple[float, list[int]]:
    """The most expensive path through what is free."""
    best = [0.0] * len(costs)
    came = [-1] * len(costs)
    end = -1
    for place, cost in enumerate(costs):
        if not free[place]:
            continue
        for source in sources[place]:
            if best[source] > 0 and free[source] and (came[place] < 0 or best[source] > best[came[place]]):
                came[place] = source
        best[place] = cost + (best[came[place]] if came[place] >= 0 else 0.0)
        if end < 0 or best[place] > best[end]:
            end = place
    path = []
    place = end
    while place >= 0:
        path.append(place)
        place = came[place]
    return (best[end] if end >= 0 else 0.0), path


def _packed(paths: Sequence[tuple[float, list[int]]], count: int, most: int) -> list[int]:
    """The lane of each node on a path, -1 for others; short paths share lanes when there are many."""
    lane = [-1] * count
    loads: list[tuple[float, int]] = []
    for number, (cost, path) in enumerate(paths):
        if number < most:
            load, chosen = 0.0, number
        else:
            load, chosen = heappop(loads)
        heappush(loads, (load + cost, chosen))
        for place in path:
            lane[place] = chosen
    return lane


def _join(sources: Sequence[Sequence[int]], lane: list[int]) -> None:
    """Gives what is on no path to the lane of a reader, or else of a producer."""
    for place in range(len(lane) - 1, -1, -1):
        if lane[place] >= 0:
            for source in sources[place]:
                if lane[source] < 0:
                    lane[source] = lane[place]
    for place, sourced in enumerate(sources):
        if lane[place] < 0:
            lane[place] = next((lane[source] for source in sourced), 0)


def _cut(
    items: Sequence[Item], sources: Sequence[Sequence[int]], costs: Sequence[float], lane: Sequence[int]
) -> dict[Item, Label]:
    leads_out = [False] * len(items)
    for place, sourced in enumerate(sources):
        for source in sourced:
            if lane[source] != lane[place]:
                leads_out[source] = True
    piece: dict[int, int] = {}
    since: dict[int, float] = {}
    labels: dict[Item, Label] = {}
    for place, item in enumerate(items):
        here = lane[place]
        labels[item] = (here, piece.get(here, 0))
        since[here] = since.get(here, 0.0) + costs[place]
        if leads_out[place] and since[here] >= HEAVY / 2:
            piece[here] = piece.get(here, 0) + 1
            since[here] = 0.0
    return labels


def makespan(before: Sequence[Sequence[int]], costs: Sequence[float], threads: int) -> float:
    """Microseconds that tasks take on so many threads, the most urgent first. They come producers first."""
    after: list[list[int]] = [[] for _ in costs]
    for number, sources in enumerate(before):
        for source in sources:
            after[source].append(number)
    urgency = list(costs)
    for number in range(len(costs) - 1, -1, -1):
        urgency[number] += max((urgency[other] for other in after[number]), default=0.0)
    pending = [len(sources) for sources in before]
    ready = [(-urgency[number], number) for number, count in enumerate(pending) if not count]
    ready.sort()
    running: list[tuple[float, int]] = []
    now = 0.0
    while ready or running:
        while ready and len(running) < threads:
            _, number = heappop(ready)
            heappush(running, (now + costs[number] + _OVERHEAD, number))
        now, number = heappop(running)
        for other in after[number]:
            pending[other] -= 1
            if not pending[other]:
                heappush(ready, (-urgency[other], other))
    return now
