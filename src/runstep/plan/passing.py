"""Tokens on their way through the nodes of one step: see `tokens`."""

from __future__ import annotations

import types
from collections import deque
from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from runstep import errors
from runstep.kernels.resources import read_ref
from runstep.kernels.waiting import Waiter
from runstep.memory import bytes_held
from runstep.plan.node import ENTERS, EXITS, MERGES, NEXTS, PASS, SWITCHES, PlanNode
from runstep.plan.values import is_list_of_one, only, references, scalar_truth

if TYPE_CHECKING:
    from runstep.plan.frames import Frame

_OFTEN = 8
"""What tokens hold is looked at whenever 2 ** -8 of a device's memory has been made."""


def outputs_of(node: PlanNode) -> Sequence[Any]:
    return node.op.outputs  # type: ignore[union-attr]


class Spec:
    """What of a node is the same in every turn: how much it waits for, what it does, and who takes its outputs.

    Attributes:
      inputs, controls: how many. is_merge: whether it takes the first that comes.
      users, waiters: who takes an output, at which input; who only waits for it. ends: outputs that leave, and where.
      known: its outputs, where they are known. passes: it computes nothing. reads: the inputs that are references.
      kind: how it sends what it has.
    """

    __slots__ = (
        "controls",
        "ends",
        "inputs",
        "is_merge",
        "is_switch",
        "kind",
        "known",
        "node",
        "outputs",
        "passes",
        "reads",
        "users",
        "waiters",
    )

    def __init__(self, node: PlanNode) -> None:
        self.node = node
        self.is_merge = node.type in MERGES
        self.is_switch = node.type in SWITCHES
        self.inputs = len(node.inputs)
        self.outputs = len(outputs_of(node))
        self.controls = 0
        self.kind = next((kind for kind in (ENTERS, EXITS, NEXTS) if node.type in kind), None)
        self.known = None if node.known is None else [scalar(value) for value in node.known]
        self.passes = self.kind is not None
        self.reads = references(node, node.inputs)
        self.users: dict[int, list[tuple[Spec, int]]] = {}
        self.waiters: list[Spec] = []
        self.ends: list[tuple[int, int]] = []

    def made(self) -> None:
        """The node's kernel has been made."""
        self.passes = self.passes or self.node.kernel is PASS


class _Waiting:
    """A node in one turn: what has come and what has not."""

    __slots__ = ("dead", "index", "is_ready", "missing", "values")

    def __init__(self, spec: Spec) -> None:
        self.missing = spec.controls if spec.is_merge else spec.controls + spec.inputs
        self.values: list[Any] = [None] * spec.inputs
        self.dead = 0
        self.index = -1  # of a Merge, which input it takes
        self.is_ready = False


class _Turn:
    """One turn of a frame that has not ended."""

    __slots__ = ("frames", "nodes", "open")

    def __init__(self) -> None:
        self.nodes: dict[Spec, _Waiting] = {}
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
        self.constants: list[tuple[Spec, Any]] = []
        self.deferred: list[tuple[Spec, Any]] = []
        self.dead: list[Spec] = []  # Exits that are dead in the last turn


DEAD: Any = object()


class Job:
    """A node that is ready, in a turn of a frame; its inputs, `DEAD` in place of them where one is. Of a traced step,
    when it `started`."""

    __slots__ = ("frame", "spec", "started", "turn", "values")

    def __init__(self, spec: Spec, frame: _Frame, turn: int, values: Any) -> None:
        self.spec = spec
        self.frame = frame
        self.turn = turn
        self.values = values
        self.started = 0


class Parked:
    """Kernels that wait.

    Attributes:
      jobs: each with its coroutine, and what it waits for. bell: woken when one may go on.
    """

    def __init__(self) -> None:
        self.jobs: list[tuple[Job, Any, Waiter]] = []
        self.bell = Waiter(self._reasons, self._cures)

    def add(self, job: Job, coroutine: Any, waiter: Waiter) -> None:
        self.jobs.append((job, coroutine, waiter))
        waiter.on_wake(self.bell.wake)

    def next(self) -> tuple[Job, Any] | None:
        """One that may go on, which is then parked no more."""
        if not self.bell.woken:
            return None
        for place, (job, coroutine, waiter) in enumerate(self.jobs):
            if waiter.woken:
                del self.jobs[place]
                return job, coroutine
        self.bell = Waiter(self._reasons, self._cures)
        for _, _, waiter in self.jobs:
            waiter.on_wake(self.bell.wake)
        return None

    def _reasons(self) -> str:
        """What the first waits for, whose name is known elsewhere, and all others."""
        texts = [f"{job.spec.node.name} ({waiter.reason})" for job, _, waiter in self.jobs]
        return "; ".join([*[waiter.reason for _, _, waiter in self.jobs[:1]], *texts[1:]])

    def _cures(self) -> str:
        return next((waiter.cure for _, _, waiter in self.jobs.copy() if waiter.cure), "")


@types.coroutine
def rest(coroutine: Any) -> Generator[Any, Any, Any]:
    """What a coroutine returns that has begun already, and may await anything."""
    answer: Any = None
    throw: BaseException | None = None
    while True:
        try:
            asked = coroutine.send(answer) if throw is None else coroutine.throw(throw)
        except StopIteration as end:
            return end.value
        answer = throw = None
        try:
            answer = yield asked
        except BaseException as error:
            throw = error


class Passing:
    """The tokens of one step on their way. `given` are the values that come from outside."""

    def __init__(self, leaving: int, step: Any, given: Sequence[Any]) -> None:
        self._step = step
        self._top = _Frame(None, None, 0, 1)
        self._ready: deque[Job] = deque()
        self._waiting: deque[Job] = deque()  # ready, but their kernels may have to wait
        self._found: list[Any] = [None, np.False_] * leaving
        self._given = given
        self.parked = Parked()
        self._new_bytes = 0  # of results since the tokens were last looked at

    def begin(self, idle: Spec) -> None:
        """A node that waits for nothing."""
        self._look(idle, self._top, 0, _Waiting(idle))

    def come(self, users: Sequence[tuple[Spec, int]], value: Any) -> None:
        """A value from outside."""
        for user, position in users:
            self._come(user, self._top, 0, position, value)

    def found(self) -> tuple[Any, ...]:
        return tuple(self._found)

    def next(self) -> Job | None:
        """The next call of a kernel, past all that has none."""
        step = self._step
        while self._ready or self._waiting:
            if step.cancelled:
                step.stop()
            job = self._ready.popleft() if self._ready else self._waiting.popleft()
            outputs = _outputs_without_kernel(job)
            if outputs is not None:
                self._send(job, outputs)
                continue
            if step.records is not None:
                job.started = step.started(job.spec.node.number)
            return job
        return None

    def did(self, job: Job, result: Any) -> None:
        """What the kernel of a job returned."""
        step, node = self._step, job.spec.node
        outputs: Sequence[Any]
        if job.spec.outputs == 1:
            outputs = (only(result) if is_list_of_one(node) else result,)
        else:
            outputs = tuple(result) if job.spec.outputs else ()
        if step.records is not None:
            step.ended(node.number, job.started, outputs)
        for value in outputs:
            self._new_bytes += getattr(value, "nbytes", 0)
        self._send(job, outputs)
        if self._new_bytes > node.where.memory_limit >> _OFTEN:  # type: ignore[union-attr]
            self._account(node, outputs)

    # ------------------------------------------------------------------ memory

    def _account(self, node: PlanNode, outputs: Sequence[Any]) -> None:
        """Tells the step what its tokens hold, now that `node` has made something. Raises as `Growth.see`."""
        device: Any = node.where
        self._new_bytes = 0
        step, size = self._step, self._held() + (device.memory_limit >> _OFTEN)
        shape = np.shape(outputs[0]) if outputs else None
        step.growing(device).add(step, self, node, size, ((node, 0), size, shape))

    def _held(self) -> int:
        """The bytes of all tokens but those that came from outside."""
        outside = set(map(id, self._given))
        jobs = [*self._ready, *self._waiting, *[job for job, _, _ in self.parked.jobs]]
        found: list[Any] = [v for job in jobs if job.values is not DEAD for v in job.values]
        found += self._found
        frames = [self._top]
        for frame in frames:
            found += [value for _, value in (*frame.constants, *frame.deferred)]
            for turn in frame.turns.values():
                frames.extend(turn.frames.values())
                for state in turn.nodes.values():
                    found += state.values
        return bytes_held(value for value in found if id(value) not in outside)

    # ------------------------------------------------------------------ sending

    def _send(self, job: Job, outputs: Sequence[Any]) -> None:
        """Sends the outputs of a node on, and ends its turn if that was the last that it had to do."""
        spec, frame, number = job.spec, job.frame, job.turn
        kind = spec.kind
        if kind is None:
            self._to_users(spec, frame, number, outputs)
        elif kind is ENTERS:
            self._enter(spec, frame, number, outputs[0])
        elif kind is EXITS:
            if outputs[0] is not DEAD:
                self._to_users(spec, frame.parent, frame.turn, outputs)  # type: ignore[arg-type]
            elif number == frame.last:
                frame.dead.append(spec)
        elif outputs[0] is not DEAD:
            self._go_round(spec, frame, number, outputs[0])
        frame.turns[number].open -= 1
        self._end_turns(frame)

    def _to_users(self, spec: Spec, frame: _Frame, turn: int, outputs: Sequence[Any]) -> None:
        for index, users in spec.users.items():
            value = outputs[index]
            for user, position in users:
                self._come(user, frame, turn, position, value, spec.kind is ENTERS)
        if spec.waiters:
            is_dead = bool(outputs) and all(value is DEAD for value in outputs)
            for waiter in spec.waiters:
                self._come(waiter, frame, turn, -1, DEAD if is_dead else None)
        for index, place in spec.ends:
            if outputs[index] is not DEAD:
                if self._found[2 * place + 1]:
                    raise _fetched_twice(spec.node, place)
                self._found[2 * place : 2 * place + 2] = outputs[index], np.True_

    def _enter(self, spec: Spec, frame: _Frame, turn: int, value: Any) -> None:
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

    def _go_round(self, spec: Spec, frame: _Frame, turn: int, value: Any) -> None:
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
                    self._to_users(spec, frame.parent, frame.turn, (DEAD,))
                del around.frames[frame.shape]  # type: ignore[arg-type]
                around.open -= 1
                frame = frame.parent

    # ------------------------------------------------------------------ arriving

    def _come(self, spec: Spec, frame: _Frame, turn: int, position: int, value: Any, entering: bool = False) -> None:
        """A token comes to an input of a node; to none (-1) from one that it only waits for."""
        nodes = frame.turns[turn].nodes
        state = nodes.get(spec)
        if state is None:
            state = nodes[spec] = _Waiting(spec)
        if not spec.is_merge:
            state.missing -= 1
            state.dead += value is DEAD
            if position >= 0:
                state.values[position] = value
        elif position < 0:
            state.missing -= 1
        elif value is DEAD:
            state.dead = spec.inputs if entering else state.dead + 1
        elif state.index < 0:
            state.values[position], state.index = value, position
        self._look(spec, frame, turn, state)

    def _look(self, spec: Spec, frame: _Frame, turn: int, state: _Waiting) -> None:
        """Queues a node if all that it needs has come."""
        if state.missing or state.is_ready:
            return
        values: Any = state.values
        if spec.is_merge:
            if state.index >= 0:
                values = state.values[state.index], np.int32(state.index)
            elif state.dead >= spec.inputs:
                values = DEAD
            else:
                return
        elif state.dead and spec.node.type != "ControlTrigger":
            values = DEAD
        state.is_ready, state.values = True, []
        frame.turns[turn].open += 1
        (self._waiting if spec.node.is_async else self._ready).append(Job(spec, frame, turn, values))


def _fetched_twice(node: PlanNode, place: int) -> errors.OpError:
    return errors.InternalError(
        None, node.op, f"Retval[{place}] has already been set. {node.name} is in a loop and ran in more than one turn."
    )


def _outputs_without_kernel(job: Job) -> Sequence[Any] | None:
    """The outputs of a node that computes nothing; None of one that does."""
    spec, values = job.spec, job.values
    if values is DEAD:
        return (DEAD,) * max(spec.outputs, 1)
    if spec.known is not None:
        return spec.known
    if spec.is_merge:
        value, index = values
        return read_ref(value) if index in spec.reads else value, index
    for place in spec.reads if spec.is_switch or spec.passes else ():
        values[place] = read_ref(values[place])
    if spec.is_switch:
        chosen, count = values[1], spec.outputs
        if spec.node.type == "_SwitchN":
            way = int(chosen) if 0 <= chosen < count else count - 1
        else:
            way = int(scalar_truth(chosen))
        return [values[0] if index == way else DEAD for index in range(count)]
    return values[:1] if spec.passes else None


def scalar(value: Any) -> Any:
    """A known value as kernels take it: of rank 0 as a scalar."""
    is_scalar = isinstance(value, np.ndarray) and value.ndim == 0 and value.dtype != object
    return value[()] if is_scalar else value
