"""What handles of partial runs have in common: the compiled setup, and the ways of calling it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING, Any

from runstep import errors
from runstep.graph.operation import Operation
from runstep.graph.tensor import Tensor
from runstep.plan.compile import Plan
from runstep.plan.estimate import TINY, Estimate
from runstep.plan.exhausted import refusal
from runstep.session import feeds
from runstep.session.failure import explained
from runstep.session.fetches import Build, Fetches
from runstep.session.partial_moves import MOST, Move, written
from runstep.session.suspended import FOREIGN, DrivenStep, PlainStep
from runstep.step import StepContext

if TYPE_CHECKING:
    from runstep.session.session import BaseSession

Left = tuple[Sequence[str], Sequence[str]]
"""Names of the feeds that have not come, and of the ends that have not been fetched."""

# What numpy makes a new array of; anything else may share its memory with the caller, who may change it between two
# calls.
_COPIED = frozenset((int, float, bool, complex, str, bytes, list, tuple))


class Request:
    """A compiled setup.

    Attributes:
      feeds, ends: the positions of its feeds and of its ends: first what the plan computes (fetches, then targets),
        then the fetches that are feeds themselves.
      scripts, calls: what has been worked out for feedings and for calls on its handles.
      endless: it has tasks that somebody must be able to end. small: it takes no memory that somebody must know of;
        elastic: whether it does depends on its feeds. light: it is neither endless nor ever large with small feeds.
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
        # What the step keeps is a copy of what these return.
        self.convert = [feeds.converter(tensor, False, session._strict_feeds) for tensor in fed]
        self.scalars = [feeds.scalar_type(tensor) for tensor in fed]
        self.all_feeds = (1 << len(self.feeds)) - 1
        self.all_ends = (1 << len(self.ends)) - 1
        self.edits = session.graph._edits
        self.scripts: dict[Any, Any] = {}
        self.calls: dict[Any, Call] = {}
        names = ",".join(tensor.name for tensor in fed), ",".join(t.name for t in wanted.tensors)
        self.text = f"{names[0]}->{names[1]}/{','.join(op.name for op in wanted.targets)}/1/;"
        tasks = self.plan.tasks if self.plan else ()
        # Whether there is something that closing a session must be able to end.
        self.endless = any(task.segment.needs_step for task in tasks) or any(
            node.type in FOREIGN for task in tasks for node in task.segment.nodes
        )
        estimate = Estimate() if self.plan is None else self.plan.estimate
        self.elastic = estimate.is_elastic
        self.small = not (estimate.needs or self.elastic or estimate.is_open)
        self.light = not (estimate.needs or estimate.sizing or self.endless)
        # Bytes of each feed up to which what it leads to need not be looked at.
        self.limits = [TINY if limit is None else limit for limit in estimate.limits]
        if estimate.needs:
            _check_memory(self.plan)  # type: ignore[arg-type]
        self.plain = not any(task.segment.is_async for task in tasks) and len({task.device for task in tasks}) <= 1

    def may_wait_for_memory(self, values: Collection[Any]) -> bool:
        """Whether a call that feeds these values may have to wait for memory, or to work on much."""
        if self.small or self.plan is None:
            return False
        estimate = self.plan.estimate
        least = min(self.limits, default=TINY)
        return bool(estimate.needs) or estimate.is_open or any(_nbytes(value) > least for value in values)

    def step(self, session: BaseSession, context: StepContext | None) -> PlainStep | DrivenStep | None:
        engine = session._engine
        assert engine is not None
        if self.plan is None:
            return None
        return (
            PlainStep(engine, self, context) if self.plain else DrivenStep(engine, self.plan, context or StepContext())
        )


class Call:
    """One way of calling `partial_run` on handles of one request: these fetches, these feeds.

    Attributes:
      fed: positions of the feeds. now, wanted, taken, needs: as bits: the feeds of this call, the ends that the plan
        computes for it, all ends that it uses up, the feeds that must have come by then.
      values: for each fetched tensor where it comes from.
      echoed: positions of feeds that came in earlier calls and are fetched now.
      plain: none of its fetches is a feed. light: it is so, and its request is.
      moves: its code, for the feeds that have come before it (`partial_moves`); None where it has none.
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
        self.scalars = [request.scalars[position] for position in self.fed]
        self.now = sum(1 << position for position in self.fed)
        self.wanted = self.taken = self.needs = 0
        self.echoed: list[int] = []
        self.values = [self._source(request, tensor) for tensor in wanted.tensors]
        for op in wanted.targets:
            self._take(request, op)
        self.plain = all(collect is not None for collect, *_ in self.values)
        self.light = self.plain and request.light
        self.moves: dict[int, Move | None] = {}
        self._plan = request.plan

    def move(self, before: int) -> Move | None:
        """Its code on a step to which the feeds `before` have come."""
        try:
            return self.moves[before]
        except KeyError:
            plan = self._plan
            assert plan is not None
            if len(self.moves) >= MOST:
                return None
            found = self.moves[before] = written(plan, self, before)
            return found

    def kept(self, session: BaseSession, values: Collection[Any]) -> list[Any]:
        """The step's own of the values fed: what the caller cannot change afterwards."""
        kept = []
        for tensor, value, scalar, convert in zip(self.tensors, values, self.scalars, self.convert):  # noqa: B905 - equal
            kind = type(value)
            if kind is scalar:
                kept.append(value)
            elif kind in _COPIED:
                kept.append(convert(value))
            elif hasattr(value, "fed_for"):
                kept.append(_of_handle(session, tensor, value).copy())
            else:
                kept.append(convert(value).copy())
        return kept

    def given(self, session: BaseSession, values: Collection[Any]) -> list[Any]:
        """The values fed as arrays, as the caller may fetch them; the step takes copies of those."""
        return [
            _of_handle(session, tensor, value) if hasattr(value, "fed_for") else convert(value)
            for tensor, value, convert in zip(self.tensors, values, self.convert)  # noqa: B905 - equal by construction
        ]

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


def _check_memory(plan: Plan) -> None:
    """Refuses a plan one of whose tasks, by what the graph knows, takes more than its device has."""
    assert plan.feedings is not None
    slots = [None] * plan.slots
    for number in range(len(plan.tasks)):
        for need in plan.feedings.of((number,), slots, 0).needs:
            if need.least > need.device.memory_limit:
                raise explained(refusal(need, need.least, need.device.budget.statistics()))


def _nbytes(value: Any) -> int:
    """About how many bytes the array of a fed value takes."""
    if isinstance(value, list | tuple):
        return 8 if not value else len(value) * _nbytes(value[0])
    return getattr(value, "nbytes", 8)


def _of_handle(session: BaseSession, tensor: Tensor, value: Any) -> Any:
    try:
        return value.fed_for(tensor, session)
    except errors.OpError as error:
        raise explained(error) from None


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
