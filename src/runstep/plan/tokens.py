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

from collections import deque
from collections.abc import Sequence
from types import CodeType
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np

from runstep import errors
from runstep.graph import dtypes
from runstep.graph.shapes import RawShape
from runstep.kernels.resources import read_ref
from runstep.plan.idle import conditional
from runstep.plan.node import ENTERS, EXITS, MERGES, NEXTS, PASS, SWITCHES, OpView, PlanNode, Ref
from runstep.plan.values import is_list_of_one, only, references, scalar_truth

if TYPE_CHECKING:
    from runstep.plan.frames import Frame

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
        leaving = list(dict.fromkeys(ref for ref in ends if ref[0] in moving and ref[1] < len(_outputs(ref[0]))))
        taken = dict.fromkeys(ref for node in self.inside for ref in node.inputs if ref[0] not in moving)
        inputs = [ref for ref in taken if ref[0].known is None]
        known = [ref for ref in taken if ref[0].known is not None]
        self._machine = _Machine(self.inside, inputs, known, leaving)
        last = next(node for node in reversed(self.inside) if node.where is not None)  # constants are nowhere
        number = max(node.number for node in nodes) + 1
        outputs = [output for node, index in leaving for output in (_outputs(node)[index], _Alive())]
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
        if any(node.is_async for node in self.inside):
            self._node.is_async, self._node.kernel = True, self._machine.run_waiting


def _outputs(node: PlanNode) -> Sequence[Any]:
    return node.op.outputs  # type: ignore[union-attr]


class _Spec:
    """What of a node is the same in every turn: how much it waits for, and who takes its outputs."""

    __slots__ = ("controls", "ends", "inputs", "is_merge", "node", "reads", "users", "waiters")

    def __init__(self, node: PlanNode) -> None:
        self.node = node
        self.is_merge = node.type in MERGES
        self.inputs = len(node.inputs)
        self.controls = 0
        self.reads: Sequence[int] | None = None
        self.users: dict[int, list[tuple[_Spec, int]]] = {}
        self.waiters: list[_Spec] = []
        self.ends: list[tuple[int, int]] = []  # outputs that leave, and their places


class _Waiting:
    """A node in one turn: what has come and what has not."""

    __slots__ = ("dead", "index", "is_ready", "missing", "values")

    def __init__(self, spec: _Spec) -> None:
        self.missing = spec.controls if spec.is_merge else spec.controls + spec.inputs
        self.values: list[Any] = [None] * spec.inputs
        self.dead = 0
        self.index = -1  # of a Merge, which input it takes
        self.is_ready = False


class _Turn:
    """One turn of a frame that has not ended."""

    __slots__ = ("frames", "nodes", "open")

    def __init__(self) -> None:
        self.nodes: dict[_Spec, _Waiting] = {}
        self.frames: dict[Frame, _Frame] = {}
        self.open = 0  # nodes that are ready, frames that have not ended


class _Frame:
    """One run of a frame, from what enters first to its last turn."""

    __slots__ = (
        "constants",
        "dead",
        "deferred",
        "enters",
        "first",
        "last",
        "limit",
        "parent",
        "shape",
        "turn",
        "turns",
    )

    def __init__(self, shape: Frame | None, parent: _Frame | None, turn: int, limit: int) -> None:
        self.shape = shape
        self.parent = parent
        self.turn = turn  # of the parent
        self.limit = limit
        self.enters = 0 if shape is None else len(shape.enters)  # that have not come
        self.first = self.last = 0
        self.turns = {0: _Turn()}
        self.constants: list[tuple[_Spec, Any]] = []
        self.deferred: list[tuple[_Spec, Any]] = []
        self.dead: list[_Spec] = []  # Exits that are dead in the last turn


_DEAD: Any = object()


@attrs.frozen
class _Job:
    """A node that is ready, in a turn of a frame; its inputs, `_DEAD` in place of them where one is."""

    spec: _Spec
    frame: _Frame
    turn: int
    values: Any


class _Machine:
    """Nodes that run by tokens.

    Args:
      inputs: what comes from outside, in the order of the kernel's arguments. known: what does, and is known.
      leaving: outputs that the kernel returns, each as a value and whether it is alive.
    """

    def __init__(
        self, nodes: Sequence[PlanNode], inputs: Sequence[Ref], known: Sequence[Ref], leaving: Sequence[Ref]
    ) -> None:
        specs = {node: _Spec(node) for node in nodes}
        outside: dict[Ref, list[tuple[_Spec, int]]] = {ref: [] for ref in (*inputs, *known)}
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
        self._known = [(outside[ref], _scalar(ref[0].known[ref[1]])) for ref in known]  # type: ignore[index]
        self._given = [outside[ref] for ref in inputs]
        self._idle = [spec for spec in specs.values() if not spec.inputs and not spec.controls]
        self._leaving = len(leaving)

    def run(self, step: Any, *args: Any) -> tuple[Any, ...]:
        """The kernel, where no node of it waits."""
        passing = _Passing(self._leaving)
        passing.begin(self._idle, [*self._known, *zip(self._given, args, strict=True)])
        while (job := passing.next(step)) is not None:
            _node = job.spec.node  # read from outside, when something fails: see `emit.node_at`
            taken = _taken(job, step)
            made = _node.kernel(*taken)  # type: ignore[misc]
            _node = taken = None  # type: ignore[assignment]
            passing.did(job, step, made)
        return passing.found()

    async def run_waiting(self, step: Any, *args: Any) -> tuple[Any, ...]:
        """The kernel, where some do: one after the other, when nothing else is left to do."""
        passing = _Passing(self._leaving)
        passing.begin(self._idle, [*self._known, *zip(self._given, args, strict=True)])
        while (job := passing.next(step)) is not None:
            _node = job.spec.node
            taken = _taken(job, step)
            made = _node.kernel(*taken)  # type: ignore[misc]
            if _node.is_async:
                made = await made
            _node = taken = None  # type: ignore[assignment]
            passing.did(job, step, made)
        return passing.found()


CODES: frozenset[CodeType] = frozenset((_Machine.run.__code__, _Machine.run_waiting.__code__))
"""Of the functions whose local `_node` is the node at work, and `taken` its inputs."""


def _taken(job: _Job, step: Any) -> list[Any]:
    """The arguments of a node's kernel."""
    spec, taken = job.spec, list(job.values)
    if spec.reads is None:
        spec.reads = references(spec.node, spec.node.inputs)
    for place in spec.reads:
        taken[place] = read_ref(taken[place])
    if spec.node.uses_step:
        taken.insert(0, step)
    return taken


class _Passing:
    """The tokens of one step on their way."""

    def __init__(self, leaving: int) -> None:
        self._top = _Frame(None, None, 0, 1)
        self._ready: deque[_Job] = deque()
        self._waiting: deque[_Job] = deque()  # ready, but their kernels may have to wait
        self._found: list[Any] = [None, np.False_] * leaving
        self._started = 0

    def begin(self, idle: Sequence[_Spec], given: Sequence[tuple[Sequence[tuple[_Spec, int]], Any]]) -> None:
        for spec in idle:
            self._look(spec, self._top, 0, _Waiting(spec))
        for users, value in given:
            for user, position in users:
                self._come(user, self._top, 0, position, value)

    def found(self) -> tuple[Any, ...]:
        return tuple(self._found)

    def next(self, step: Any) -> _Job | None:
        """The next call of a kernel, past all that has none."""
        while self._ready or self._waiting:
            if step.cancelled:
                step.stop()
            job = self._ready.popleft() if self._ready else self._waiting.popleft()
            outputs = _outputs_without_kernel(job)
            if outputs is not None:
                self._send(job, outputs)
                continue
            if step.records is not None:
                self._started = step.started(job.spec.node.number)
            return job
        return None

    def did(self, job: _Job, step: Any, result: Any) -> None:
        """What the kernel of a job returned."""
        node = job.spec.node
        outputs: Sequence[Any]
        if len(_outputs(node)) == 1:
            outputs = (only(result) if is_list_of_one(node) else result,)
        else:
            outputs = tuple(result) if _outputs(node) else ()
        if step.records is not None:
            step.ended(node.number, self._started, outputs)
        self._send(job, outputs)

    # ------------------------------------------------------------------ sending

    def _send(self, job: _Job, outputs: Sequence[Any]) -> None:
        """Sends the outputs of a node on, and ends its turn if that was the last that it had to do."""
        spec, frame, number = job.spec, job.frame, job.turn
        kind = spec.node.type
        if kind in ENTERS:
            self._enter(spec, frame, number, outputs[0])
        elif kind in EXITS:
            if outputs[0] is not _DEAD:
                self._to_users(spec, frame.parent, frame.turn, outputs)  # type: ignore[arg-type]
            elif number == frame.last:
                frame.dead.append(spec)
        elif kind in NEXTS:
            if outputs[0] is not _DEAD:
                self._go_round(spec, frame, number, outputs[0])
        else:
            self._to_users(spec, frame, number, outputs)
        frame.turns[number].open -= 1
        self._end_turns(frame)

    def _to_users(self, spec: _Spec, frame: _Frame, turn: int, outputs: Sequence[Any]) -> None:
        for index, users in spec.users.items():
            value = outputs[index]
            for user, position in users:
                self._come(user, frame, turn, position, value, spec.node.type in ENTERS)
        if spec.waiters:
            is_dead = bool(outputs) and all(value is _DEAD for value in outputs)
            for waiter in spec.waiters:
                self._come(waiter, frame, turn, -1, _DEAD if is_dead else None)
        for index, place in spec.ends:
            if outputs[index] is not _DEAD:
                if self._found[2 * place + 1]:
                    raise _fetched_twice(spec.node, place)
                self._found[2 * place : 2 * place + 2] = outputs[index], np.True_

    def _enter(self, spec: _Spec, frame: _Frame, turn: int, value: Any) -> None:
        shape: Frame = spec.node.frame
        around = frame.turns[turn]
        inner = around.frames.get(shape)
        if inner is None:
            inner = around.frames[shape] = _Frame(shape, frame, turn, spec.node.attrs["parallel_iterations"])
            around.open += 1
        if spec.node.attrs["is_constant"]:
            inner.constants.append((spec, value))
            for number in list(inner.turns):
                self._to_users(spec, inner, number, (value,))
        else:
            self._to_users(spec, inner, 0, (value,))
        inner.enters -= 1
        self._end_turns(inner)

    def _go_round(self, spec: _Spec, frame: _Frame, turn: int, value: Any) -> None:
        if turn == frame.last:
            if len(frame.turns) == frame.limit:
                frame.deferred.append((spec, value))
                return
            self._begin_turn(frame)
        self._to_users(spec, frame, turn + 1, (value,))

    def _begin_turn(self, frame: _Frame) -> None:
        frame.last += 1
        frame.turns[frame.last] = _Turn()
        frame.dead.clear()
        for spec, value in frame.constants:
            self._to_users(spec, frame, frame.last, (value,))

    def _end_turns(self, frame: _Frame) -> None:
        """Ends what turns have nothing left to do, oldest first, and with the last one the frame."""
        while frame.parent is not None:
            turn = frame.turns.get(frame.first)
            if turn is None or turn.open or (frame.first == 0 and frame.enters):
                return
            del frame.turns[frame.first]
            frame.first += 1
            if frame.deferred:
                again, frame.deferred = frame.deferred, []
                self._begin_turn(frame)
                for spec, value in again:
                    self._to_users(spec, frame, frame.last, (value,))
            if not frame.turns:
                around = frame.parent.turns[frame.turn]
                for spec in frame.dead:
                    self._to_users(spec, frame.parent, frame.turn, (_DEAD,))
                del around.frames[frame.shape]  # type: ignore[arg-type]
                around.open -= 1
                frame = frame.parent

    # ------------------------------------------------------------------ arriving

    def _come(self, spec: _Spec, frame: _Frame, turn: int, position: int, value: Any, entering: bool = False) -> None:
        """A token comes to an input of a node; to none (-1) from one that it only waits for."""
        nodes = frame.turns[turn].nodes
        state = nodes.get(spec)
        if state is None:
            state = nodes[spec] = _Waiting(spec)
        if not spec.is_merge:
            state.missing -= 1
            state.dead += value is _DEAD
            if position >= 0:
                state.values[position] = value
        elif position < 0:
            state.missing -= 1
        elif value is _DEAD:
            state.dead = spec.inputs if entering else state.dead + 1
        elif state.index < 0:
            state.values[position], state.index = value, position
        self._look(spec, frame, turn, state)

    def _look(self, spec: _Spec, frame: _Frame, turn: int, state: _Waiting) -> None:
        """Queues a node if all that it needs has come."""
        if state.missing or state.is_ready:
            return
        values: Any = state.values
        if spec.is_merge:
            if state.index >= 0:
                values = state.values[state.index], np.int32(state.index)
            elif state.dead >= spec.inputs:
                values = _DEAD
            else:
                return
        elif state.dead and spec.node.type != "ControlTrigger":
            values = _DEAD
        state.is_ready, state.values = True, []
        frame.turns[turn].open += 1
        (self._waiting if spec.node.is_async else self._ready).append(_Job(spec, frame, turn, values))


def _fetched_twice(node: PlanNode, place: int) -> errors.OpError:
    return errors.InternalError(
        None, node.op, f"Retval[{place}] has already been set. {node.name} is in a loop and ran in more than one turn."
    )


def _outputs_without_kernel(job: _Job) -> Sequence[Any] | None:
    """The outputs of a node that computes nothing; None of one that does."""
    node, values = job.spec.node, job.values
    count = len(_outputs(node))
    if values is _DEAD:
        return (_DEAD,) * max(count, 1)
    if node.known is not None:
        return [_scalar(value) for value in node.known]
    kind = node.type
    if kind in MERGES:
        return values
    if kind in SWITCHES:
        chosen = read_ref(values[1]) if hasattr(values[1], "locked_read") else values[1]
        if kind == "_SwitchN":
            way = int(chosen) if 0 <= chosen < count else count - 1
        else:
            way = int(scalar_truth(chosen))
        return [values[0] if index == way else _DEAD for index in range(count)]
    if node.kernel is PASS or kind in ENTERS or kind in NEXTS or kind in EXITS:
        return values[:1]
    return None


def _scalar(value: Any) -> Any:
    """A known value as kernels take it: of rank 0 as a scalar."""
    is_scalar = isinstance(value, np.ndarray) and value.ndim == 0 and value.dtype != object
    return value[()] if is_scalar else value
