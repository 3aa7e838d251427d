"""Control flow by tokens: how a plan runs whose frames cannot run as units.

A frame is a unit where all that enters it is there before its first turn, and nothing leaves it but by its Exits. Where
something enters that is made from what leaves, turns of the frame have been taken by then. Such a plan does what
TensorFlow does with every graph: each value is a token, alive or dead, in one turn of one frame; a node runs in a turn
once all of its tokens have come.

- a Switch sends its value one way and a dead token the other; who takes a dead token sends dead ones; a Merge takes the
  first live token that comes, and is dead when all are dead, or what enters is;
- Enter sends into the first turn of a frame, a constant into every turn; NextIteration sends into the next turn, unless
  `parallel_iterations` of them are open: then when the oldest has ended; Exit sends into the turn around the frame;
- a turn ends when nothing in it is left to do, and those before it have ended; the first, when all has entered, too;
- with its last turn a frame ends: the Exits that were dead in that turn send their dead tokens then.

All that depends on a branch or a loop becomes one node of the plan, the rest is compiled as ever.
"""

from __future__ import annotations

import types
from collections.abc import Sequence
from typing import Any

import attrs

from runstep.graph import dtypes
from runstep.graph.shapes import RawShape
from runstep.kernels.resources import read_ref
from runstep.kernels.waiting import NeedsLoop, park
from runstep.plan.idle import conditional
from runstep.plan.node import OpView, PlanNode, Ref
from runstep.plan.passing import Job, Passing, Spec, outputs_of, rest, scalar

TOKENS = "_Tokens"
"""The type of the node that runs others by tokens."""


@attrs.frozen
class _Alive:
    """The output that says whether another is alive."""

    dtype = dtypes.bool
    raw_shape: RawShape = ()


class ByTokens:
    """Puts all of `nodes` that depend on a branch or a loop into one node. They know their frames.

    Args:
      ends: outputs that leave the plan.

    Attributes:
      nodes: those of the plan now. inside: those that are in the one node.
    """

    def __init__(self, nodes: Sequence[PlanNode], ends: Sequence[Ref]) -> None:
        moving = conditional(nodes)
        self.inside = [node for node in nodes if node in moving]
        leaving = list(dict.fromkeys(ref for ref in ends if ref[0] in moving and ref[1] < len(outputs_of(ref[0]))))
        taken = dict.fromkeys(ref for node in self.inside for ref in node.inputs if ref[0] not in moving)
        inputs = [ref for ref in taken if ref[0].known is None]
        known = [ref for ref in taken if ref[0].known is not None]
        self._machine = _Machine(self.inside, inputs, known, leaving)
        last = next(node for node in reversed(self.inside) if node.where is not None)  # constants are nowhere
        number = max(node.number for node in nodes) + 1
        outputs = [output for node, index in leaving for output in (outputs_of(node)[index], _Alive())]
        found = self._node = PlanNode(OpView(last.op, outputs, TOKENS), TOKENS, last.name)  # type: ignore[arg-type]
        found.number, found.where, found.device = number, last.where, last.device
        found.inputs = inputs
        found.controls = list(dict.fromkeys(c for node in self.inside for c in node.controls if c not in moving))
        found.endless = found.uses_step = True
        found.kernel = self._machine.run
        self._gates: dict[Ref, PlanNode] = {}
        for position, ref in enumerate(leaving):
            gate = self._gates[ref] = PlanNode(None, "Switch", ref[0].name)
            gate.number, gate.where, gate.device = number + 1 + position, last.where, last.device
            gate.inputs = [(found, 2 * position), (found, 2 * position + 1)]
        self.nodes = [*(node for node in nodes if node not in moving), found, *self._gates.values()]
        self._moved = moving

    def ref(self, ref: Ref) -> Ref:
        """Where the value of an output of `ends` comes from."""
        return (self._gates[ref], 1) if ref in self._gates else ref

    def node(self, node: PlanNode) -> PlanNode:
        """The node that runs it."""
        return self._node if node in self._moved else node

    def made(self) -> None:
        """The kernels of the nodes inside have been made: does one wait?"""
        self._machine.made()
        if any(node.is_async for node in self.inside):
            self._node.is_async, self._node.kernel = True, self._machine.run_waiting


class _Machine:
    """Nodes that run by tokens.

    Args:
      inputs: what comes from outside, in the order of the kernel's arguments. known: what does, and is known.
      leaving: outputs that the kernel returns, each as a value and whether it is alive.
    """

    def __init__(
        self, nodes: Sequence[PlanNode], inputs: Sequence[Ref], known: Sequence[Ref], leaving: Sequence[Ref]
    ) -> None:
        specs = {node: Spec(node) for node in nodes}
        outside: dict[Ref, list[tuple[Spec, int]]] = {ref: [] for ref in (*inputs, *known)}
        for node, spec in specs.items():
            for position, ref in enumerate(node.inputs):
                users = outside[ref] if ref in outside else specs[ref[0]].users.setdefault(ref[1], [])
                users.append((spec, position))
            for control in node.controls:
                if control in specs:
                    specs[control].waiters.append(spec)
                    spec.controls += 1
        for place, (node, index) in enumerate(leaving):
            specs[node].ends.append((index, place))
        self._known = [(outside[ref], scalar(ref[0].known[ref[1]])) for ref in known]  # type: ignore[index]
        self._given = [outside[ref] for ref in inputs]
        self._idle = [spec for spec in specs.values() if not spec.inputs and not spec.controls]
        self._leaving = len(leaving)
        self._specs = tuple(specs.values())

    def made(self) -> None:
        """The kernels of the nodes have been made."""
        for spec in self._specs:
            spec.made()

    def run(self, step: Any, *args: Any) -> tuple[Any, ...]:
        """The kernel, where no node of it waits."""
        passing = self._begun(step, args)
        while (job := passing.next()) is not None:
            _node = job.spec.node  # read from outside, when something fails: see `emit.node_at`
            taken = _taken(job, step)
            made = _node.kernel(*taken)  # type: ignore[misc]
            _node = taken = None  # type: ignore[assignment]
            passing.did(job, made)
        return passing.found()

    async def run_waiting(self, step: Any, *args: Any) -> tuple[Any, ...]:
        """The kernel, where some do. What waits does so beside all else: what it waits for may be done here."""
        passing = self._begun(step, args)
        parked = passing.parked
        coroutine: Any = None
        try:
            while True:
                coroutine = None
                if (found := parked.next()) is not None:
                    job, coroutine = found
                    _node = job.spec.node
                elif (ready := passing.next()) is not None:
                    job, _node = ready, ready.spec.node
                    taken = _taken(job, step)
                    made = _node.kernel(*taken)  # type: ignore[misc]
                    taken = None  # type: ignore[assignment]
                    if _node.is_async:
                        coroutine = made
                elif parked.jobs:
                    _node = parked.jobs[0][0].spec.node  # for who asks what the step waits for
                    try:
                        await park(parked.bell)
                    except BaseException as cause:
                        parked.jobs[0][1].throw(cause)  # it says at which operation
                        raise
                    continue
                else:
                    return passing.found()
                if coroutine is not None:
                    try:
                        waiter = coroutine.send(None)
                    except StopIteration as end:
                        made = end.value
                    else:
                        if not isinstance(waiter, NeedsLoop):
                            parked.add(job, coroutine, waiter)
                            continue
                        await park(waiter)  # it goes on with what only the loop understands: nothing goes beside it
                        made = await rest(coroutine)
                _node = None  # type: ignore[assignment]
                passing.did(job, made)
        finally:
            for begun in (coroutine, *(one for _, one, _ in parked.jobs)):
                if begun is not None:
                    begun.close()

    def _begun(self, step: Any, args: Sequence[Any]) -> Passing:
        passing = Passing(self._leaving, step, args)
        for spec in self._idle:
            passing.begin(spec)
        for users, value in (*self._known, *zip(self._given, args, strict=True)):
            passing.come(users, value)
        return passing


CODES: frozenset[types.CodeType] = frozenset((_Machine.run.__code__, _Machine.run_waiting.__code__))
"""Of the functions whose local `_node` is the node at work, and `taken` its inputs."""


def _taken(job: Job, step: Any) -> list[Any]:
    """The arguments of a node's kernel."""
    spec, taken = job.spec, list(job.values)
    for place in spec.reads:
        taken[place] = read_ref(taken[place])
    if spec.node.uses_step:
        taken.insert(0, step)
    return taken
