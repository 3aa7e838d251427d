"""Where the gradients of what is inside branches and loops go, and how values of the way forward get there.

The gradient of a loop is a loop that runs backward, as many turns as the forward one took. A value of a forward turn
that it needs is pushed on a stack in that turn and popped in the turn that mirrors it:

    forward turn i:   v = ...; push(stack, v); count += 1
    backward turn:    count -= 1; v = pop(stack); ...

One stack serves a loop inside of other loops as well: pushes and pops are ordered through the counters of all loops
around them. A value of a branch is pushed and popped in that branch only. In functions, whose way back may be cut off
and become another function, a tensor list takes the place of the stack (`threads.py`).
"""

from __future__ import annotations

from runstep.gradients import threads
from runstep.graph.apply import apply, apply_op
from runstep.graph.constant_value import known_value
from runstep.graph.control_flow import CondContext, ControlFlowContext, WhileContext, placed, switched
from runstep.graph.convert import constant
from runstep.graph.functions import FunctionGraph
from runstep.graph.graph import Graph
from runstep.graph.operation import Operation
from runstep.graph.tensor import Tensor
from runstep.ops.loop_variables import enter_variables, first_merge, gated, go_round, leave

_PASSING = frozenset(("Identity", "StopGradient", "PreventGradient", "Snapshot"))
_KNOWN_SIZE = 1024  # elements of a known value that are written again rather than kept


def context_of(op: Operation) -> ControlFlowContext | None:
    """The branch or loop that an operation was made in."""
    found: ControlFlowContext | None = op._control_flow_context
    return found


def is_inside(tensor: Tensor, context: ControlFlowContext) -> bool:
    return context.contains(tensor.op)


class Counter:
    """The variable of a loop that counts its turns, and what must happen before the next one.

    Attributes:
      turn: an operation of the current turn that runs after all of the turn before it was waited for.
      exit: the count when the loop has ended.
    """

    def __init__(self, context: WhileContext, turn: Operation, again: Operation, exit_: Tensor) -> None:
        self.context = context
        self.turn = turn
        self.exit = exit_
        self._again = again
        self._trigger: Operation | None = None

    def wait_for(self, op: Operation) -> None:
        """Makes the next turn wait for `op`, which may be in a branch that is not taken."""
        op._add_control_input(self.turn)
        self.end_with(op)

    def end_with(self, op: Operation) -> None:
        if context_of(op) is self.context:
            self._again._add_control_input(op)
            return
        if self._trigger is None:
            with placed(op.graph, self.context):
                self._trigger = apply("ControlTrigger", name="sync")
            self._again._add_control_input(self._trigger)
        assert self._trigger is not None
        self._trigger._add_control_input(op)


class Mirrors:
    """The contexts that gradients are built in, each for a context of the way forward.

    Gradients of a branch outside of loops need no context: what they are computed from is dead when it is not taken.

    Attributes:
      here: the context that gradients were asked for in: gradients of what is around it are built in it.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.here: ControlFlowContext | None = graph._scope.control_flow_context
        self._around = set(() if self.here is None else self.here.around())
        self._found: dict[ControlFlowContext, ControlFlowContext] = {}

    def is_around(self, context: ControlFlowContext | None) -> bool:
        """Whether a context is the one that gradients were asked for in, or around it, or around the function."""
        return context is None or context in self._around or context.graph is not self.graph

    def of(self, context: ControlFlowContext | None) -> ControlFlowContext | None:
        """The context for gradients of operations made in `context`, a loop being run backward already."""
        if context is None or self.is_around(context):
            return self.here
        found = self._found.get(context)
        if found is None:
            outer = self.of(context.outer_context)
            if history_of(outer) is None:
                return outer
            assert isinstance(context, CondContext), f"{context.name} is not being run backward"
            found = self._found[context] = MirroredBranch(context, outer)
        return found

    def loop(self, forward: WhileContext) -> LoopHistory:
        """Starts to run a loop backward."""
        history = LoopHistory(forward, self)
        self._found[forward] = history.mirrored
        return history

    def other_side(self, branch: CondContext) -> ControlFlowContext | None:
        """The context of gradients for what happens when a branch is not taken."""
        mirrored = self.of(branch)
        if not isinstance(mirrored, MirroredBranch):
            return mirrored
        if mirrored.other is None:
            other = None if branch.other is None else self.of(branch.other)
            if not isinstance(other, CondContext):
                pivot = _side(mirrored.pred, 1 - branch.branch)
                with placed(self.graph, mirrored.outer_context):
                    other = CondContext(self.graph, mirrored.pred, pivot, 1 - branch.branch, f"{branch.name}_other")
            mirrored.other, other.other = other, mirrored
        return mirrored.other

    def value(self, tensor: Tensor, context: ControlFlowContext | None) -> Tensor:
        """What stands for a tensor in a context of gradients."""
        return tensor if context is None else context.add_value(tensor)


def _side(pred: Tensor, branch: int) -> Tensor:
    """A tensor that is alive in one branch only."""
    context = context_of(pred.op)
    with placed(pred.graph, context):
        found: Tensor = apply("Identity", switched(pred, pred)[branch], name="switch_t" if branch else "switch_f")
    return found


def history_of(context: ControlFlowContext | None) -> LoopHistory | None:
    """The nearest loop around that is being run backward."""
    for around in () if context is None else context.around():
        if isinstance(around, BackwardLoop):
            return around.history
    return None


class _Mirrored(ControlFlowContext):
    """A context of gradients: values of the context that it mirrors are had from the past."""

    forward: ControlFlowContext

    def add_value(self, tensor: Tensor) -> Tensor:
        if tensor in self._inside:
            return tensor
        found = self._captured.get(tensor)
        if found is not None:
            return found
        if not is_inside(tensor, self.forward):
            return super().add_value(tensor)
        found = self._captured[tensor] = self._from_the_past(tensor)
        return found

    def _from_the_past(self, tensor: Tensor) -> Tensor:
        op, forward = tensor.op, self.forward
        if context_of(op) is not forward:
            raise ValueError(f"{tensor!r} is inside of a branch or loop of its own and cannot be used outside of it.")
        if op.type in _PASSING and context_of(op.inputs[0].op) is forward:
            return self.add_value(op.inputs[0])
        if self._is_captured(op):
            return self.add_value(op.inputs[0])
        known = known_value(tensor)
        if known is not None and (op.type == "Const" or known.size <= _KNOWN_SIZE):
            with placed(self.graph, self):
                return constant(known, dtype=tensor.dtype.base_dtype)
        history = history_of(self)
        if history is None:
            return super().add_value(tensor)
        return history.kept(tensor, self)

    def _is_captured(self, op: Operation) -> bool:
        raise NotImplementedError


class MirroredBranch(_Mirrored, CondContext):
    """A branch of gradients inside of a backward loop, taken in the turns that `forward` was taken in."""

    def __init__(self, forward: CondContext, outer: ControlFlowContext | None) -> None:
        graph = forward.graph
        pred = forward.pred if outer is None else outer.add_value(forward.pred)
        with placed(graph, outer):
            CondContext.__init__(self, graph, pred, _side(pred, forward.branch), forward.branch, f"{forward.name}_grad")
        self.forward = forward

    def _is_captured(self, op: Operation) -> bool:
        return op.type in ("Switch", "RefSwitch") and op.inputs[1] is self.forward.pred  # type: ignore[attr-defined]


class BackwardLoop(_Mirrored, WhileContext):
    """The loop of the gradients of the loop `forward`."""

    def __init__(self, history: LoopHistory, outer: ControlFlowContext | None) -> None:
        self.forward = forward = history.forward
        self.history = history
        graph = forward.graph
        name = graph.unique_name("while_context")
        with placed(graph, outer):
            WhileContext.__init__(self, graph, name, forward.parallel_iterations, True, forward.swap_memory)

    def _is_captured(self, op: Operation) -> bool:
        return op.type in ("Enter", "RefEnter") and bool(op.attrs["is_constant"])


class LoopHistory:
    """A loop of which gradients are made: counts its turns, keeps their values, and counts down in the mirrored loop.

    Attributes:
      forward, mirrored: the two loops. ahead, back: their counters.
    """

    def __init__(self, forward: WhileContext, mirrors: Mirrors) -> None:
        self.forward = forward
        self.graph = forward.graph
        outer = mirrors.of(forward.outer_context)
        self._around = history_of(outer)
        # A loop that gradients are asked for in may run several turns at once: each needs stacks of its own.
        self._home = mirrors.here if mirrors.here in (forward.outer_context and forward.around() or ()) else None
        self.ahead = self._count()
        self.mirrored = BackwardLoop(self, outer)
        self.back = self._count_down(mirrors.value(self.ahead.exit, outer))

    def _count(self) -> Counter:
        forward = self.forward
        with placed(self.graph, forward.outer_context):
            start = constant(0, name="f_count")
            if self._around is not None:
                start.op._add_control_input(self._around.ahead.turn)
            (entered,) = enter_variables(forward, [start], [()], "f_count")
        merged = first_merge(forward, entered)
        false, true = gated(forward, merged)
        with placed(self.graph, forward):
            turn = apply("AddV2", true, constant(1, name="Add/y"), name="Add")
        again = go_round(forward, merged, turn)
        counter = Counter(forward, turn.op, again, leave(forward, false, "f_count"))
        if self._around is not None:
            self._around.ahead.end_with(counter.exit.op)
        return counter

    def _count_down(self, start: Tensor) -> Counter:
        loop = self.mirrored
        with placed(self.graph, loop.outer_context):
            (entered,) = enter_variables(loop, [start], [()], "b_count")
        merged = first_merge(loop, entered)
        loop.pivot_for_pred = merged.op
        with placed(self.graph, loop):
            one = constant(1, name="GreaterEqual/y")
            loop.gate = apply("LoopCond", apply("GreaterEqual", merged, one), name="b_count")
        false, true = gated(loop, merged)
        with placed(self.graph, loop):
            turn = apply("Sub", true, one, name="Sub")
        loop.pivot_for_body = turn.op
        again = go_round(loop, merged, turn)
        counter = Counter(loop, turn.op, again, leave(loop, false, "b_count"))
        loop.loop_enters.append(entered)
        loop.loop_exits.append(counter.exit)
        if self._around is not None:
            self._around.back.end_with(counter.exit.op)
        return counter

    def kept(self, tensor: Tensor, mirrored: ControlFlowContext) -> Tensor:
        """The value that `tensor`, of a context inside of the forward loop, had in the turn that is being mirrored."""
        graph, forward = self.graph, context_of(tensor.op)
        assert forward is not None
        if isinstance(graph, FunctionGraph):
            popped = self._kept_on_a_list(tensor, mirrored)
        else:
            popped = self._kept_on_a_stack(tensor, forward, mirrored)
        popped.raw_shape = tensor.raw_shape
        popped._handle_data = tensor._handle_data
        return popped

    def _kept_on_a_stack(self, tensor: Tensor, forward: ControlFlowContext, mirrored: ControlFlowContext) -> Tensor:
        graph = self.graph
        dtype = tensor.dtype.base_dtype
        with placed(graph, self._home):
            most = constant(-1, name="Const")
            stack = apply("StackV2", most, elem_type=dtype, stack_name="", name="f_acc")
        with placed(graph, forward):
            swap = self.forward.swap_memory
            pushed = apply_op("StackPushV2", forward.add_value(stack), tensor, swap_memory=swap, name="StackPushV2")
        self.ahead.wait_for(pushed)
        with placed(graph, mirrored):
            popped: Tensor = apply("StackPopV2", mirrored.add_value(stack), elem_type=dtype, name="StackPopV2")
        self.back.wait_for(popped.op)
        return popped

    def _kept_on_a_list(self, tensor: Tensor, mirrored: ControlFlowContext) -> Tensor:
        outermost = self
        while outermost._around is not None:
            outermost = outermost._around
        back: list[_Mirrored] = []
        for context in mirrored.around():
            assert isinstance(context, _Mirrored)
            back.insert(0, context)
            if context is outermost.mirrored:
                break
        with placed(self.graph, outermost.forward.outer_context):
            start = threads.begun(tensor)
        end = threads.pushed(tensor, start, [context.forward for context in back])
        around = outermost.mirrored.outer_context
        return threads.popped(tensor, end if around is None else around.add_value(end), back)
