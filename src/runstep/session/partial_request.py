"""What handles of partial runs have in common: the compiled setup, and the ways of calling it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from runstep import errors
from runstep.graph.operation import Operation
from runstep.graph.tensor import Tensor
from runstep.plan.compile import Plan
from runstep.session import feeds
from runstep.session.failure import explained
from runstep.session.fetches import Build, Fetches
from runstep.session.suspended import FOREIGN, DrivenStep, PlainStep
from runstep.step import StepContext

if TYPE_CHECKING:
    from runstep.session.session import BaseSession

Left = tuple[Sequence[str], Sequence[str]]
"""Names of the feeds that have not come, and of the ends that have not been fetched."""


class Request:
    """A compiled setup.

    Attributes:
      feeds, ends: the positions of its feeds and of its ends: first what the plan computes (fetches, then targets),
        then the fetches that are feeds themselves.
      scripts, calls: what has been worked out for feedings and for calls on its handles.
    """

    def __init__(self, session: BaseSession, wanted: Fetches, fed: Sequence[Tensor], trace: bool) -> None:
        self.feeds = {tensor: position for position, tensor in enumerate(fed)}
        fetched = [tensor for tensor in wanted.tensors if tensor not in self.feeds]
        self.plan: Plan | None = None
        if fetched or wanted.targets:
            try:
                self.plan = session._engine.prepare(session.graph, fed, fetched, wanted.targets, trace, True)  # type: ignore[union-attr]
            except errors.OpError as error:
                raise explained(error) from None
        echoed = [tensor for tensor in wanted.tensors if tensor in self.feeds]
        ends: list[Tensor | Operation] = [*fetched, *wanted.targets, *echoed]
        self.ends = {end: position for position, end in enumerate(ends)}
        self.computed = len(fetched) + len(wanted.targets)
        self.echoes = bool(echoed)
        kept = self.plan.kept_feeds if self.plan else frozenset()
        self.convert = [feeds.converter(tensor, i in kept, session._strict_feeds) for i, tensor in enumerate(fed)]
        self.all_feeds = (1 << len(self.feeds)) - 1
        self.all_ends = (1 << len(self.ends)) - 1
        self.edits = session.graph._edits
        self.scripts: dict[Any, Any] = {}
        self.calls: dict[Any, Call] = {}
        names = ",".join(tensor.name for tensor in fed), ",".join(t.name for t in wanted.tensors)
        self.text = f"{names[0]}->{names[1]}/{','.join(op.name for op in wanted.targets)}/1/;"
        tasks = self.plan.tasks if self.plan else ()
        # Whether there is something that closing a session must be able to end.
        self.scripts[None] = any(task.segment.needs_step for task in tasks) or any(
            node.type in FOREIGN for task in tasks for node in task.segment.nodes
        )
        self.plain = not any(task.segment.is_async for task in tasks) and len({task.device for task in tasks}) <= 1

    def step(self, session: BaseSession, context: StepContext | None) -> PlainStep | DrivenStep | None:
        engine = session._engine
        assert engine is not None
        if self.plan is None:
            return None
        return (
            PlainStep(engine, self.plan, context, self.scripts)
            if self.plain
            else DrivenStep(engine, self.plan, context or StepContext())
        )


class Call:
    """One way of calling `partial_run` on handles of one request: these fetches, these feeds.

    Attributes:
      fed: positions of the feeds. now, wanted, taken, needs: as bits: the feeds of this call, the ends that the plan
        computes for it, all ends that it uses up, the feeds that must have come by then.
      values: for each fetched tensor where it comes from.
      echoed: positions of feeds that came in earlier calls and are fetched now.
    """

    def __init__(self, request: Request, wanted: Fetches, fed: Sequence[Tensor], left: Left) -> None:
        self.build: Build = wanted.build
        self.tensors = tuple(fed)
        self.elements: tuple[Tensor | Operation, ...] = (*wanted.tensors, *wanted.targets)
        for tensor in fed:
            if tensor not in request.feeds:
                raise misuse(f"The feed {tensor.name} was not specified in partial_run_setup.", left)
        for end in self.elements:
            if end not in request.ends and end not in self.tensors:
                raise misuse(f"The fetch {end.name} was not specified in partial_run_setup.", left)
        self.fed = [request.feeds[tensor] for tensor in fed]
        self.convert = [request.convert[position] for position in self.fed]
        self.now = sum(1 << position for position in self.fed)
        self.wanted = self.taken = self.needs = 0
        self.echoed: list[int] = []
        self.values = [self._source(request, tensor) for tensor in wanted.tensors]
        for op in wanted.targets:
            self._take(request, op)

    def _source(self, request: Request, tensor: Tensor) -> tuple[Callable[..., Any] | None, tuple[int, ...], int]:
        """What collects a tensor that the plan computes, from which slots, and which of its fetches it is.

        Of any other: None, and which it is of the values that were fed.
        """
        if tensor in request.feeds and (tensor in self.tensors or tensor in request.ends):
            if tensor in request.ends:
                self._take(request, tensor)
            if tensor in self.tensors:
                return None, (), self.tensors.index(tensor)
            self.echoed.append(request.feeds[tensor])
            return None, (), len(self.tensors) + len(self.echoed) - 1
        position = self._take(request, tensor)
        segment, slots = request.plan.stages.collectors[position]  # type: ignore[union-attr]
        return segment.run, slots, position

    def _take(self, request: Request, end: Tensor | Operation) -> int:
        position = request.ends[end]
        self.taken |= 1 << position
        if position < request.computed:
            self.wanted |= 1 << position
            self.needs |= request.plan.stages.needs[position]  # type: ignore[union-attr]
        else:
            self.needs |= 1 << request.feeds[end]  # type: ignore[index]
        return position


def misuse(text: str, left: Left) -> errors.OpError:
    """The error of a call that cannot be made; `left` are the feeds and fetches that are still open in the handle."""
    error = errors.InvalidArgumentError(None, None, text)
    error.add_note(
        f"Still open in this handle: feeds {', '.join(left[0]) or 'none'}; fetches {', '.join(left[1]) or 'none'}"
    )
    found = explained(error)
    assert isinstance(found, errors.OpError)
    return found


def fed_tensors(session: BaseSession, feed_keys: Any) -> list[Tensor]:
    if feed_keys is None:
        return []
    try:
        found = feeds.keys_of(session.graph, feed_keys)
    except TypeError as error:
        text = str(error).replace(
            "Cannot interpret feed_dict key as Tensor", "Cannot interpret argument `feed` key as Tensor"
        )
        raise TypeError(text) from None
    for tensor in found:
        if tensor.dtype.name in ("resource", "variant"):
            raise TypeError(f"Tensor {tensor.name} has dtype {tensor.dtype.name}, whose values cannot be fed.")
    return found
