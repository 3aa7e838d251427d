"""How a walk goes through branches and loops.

Branches are walked operation by operation: the gradient of a Merge is a Switch, that of a Switch a Merge. A loop is
taken as a whole, as if it were one operation from what enters to what leaves: its gradient is a loop that runs
backward, in whose body the walk goes on through the body of the forward loop. So loops nest as on the way forward.

    x -> Enter -> Merge -> Switch -> body -> NextIteration -> Merge       dx <- Exit <- ... backward loop ...
                             |                                                              |
                             +-> Exit -> y                                 dy -> Enter -----+
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import attrs

from runstep.gradients.history import BackwardLoop, LoopHistory, Mirrors, context_of, history_of
from runstep.gradients.registry import gradient, no_gradient
from runstep.gradients.trainable import is_trainable, zeros_for
from runstep.graph import dtypes
from runstep.graph.apply import apply
from runstep.graph.composite import IndexedSlices
from runstep.graph.control_flow import CondContext, ControlFlowContext, WhileContext, placed, switched
from runstep.graph.convert import constant, convert_to_tensor
from runstep.graph.operation import Operation
from runstep.graph.tensor import Tensor
from runstep.ops.basic import identity
from runstep.ops.control_flow import merge
from runstep.ops.creation import zeros, zeros_like
from runstep.ops.loop_variables import enter_variables, first_merge, gated, go_round, leave
from runstep.ops.shape_ops import shape

if TYPE_CHECKING:
    from runstep.gradients.backprop import Walk

_ENTERS = frozenset(("Enter", "RefEnter"))
_MERGES = frozenset(("Merge", "RefMerge"))
_NEXTS = frozenset(("NextIteration", "RefNextIteration"))
_SWITCHES = frozenset(("Switch", "RefSwitch"))

Unit = Operation | WhileContext
"""What a walk takes at once: an operation, or a whole loop."""


@attrs.define(eq=False)
class _Variable:
    """A variable of a backward loop: the gradient of a variable of the forward loop, or what adds up in it."""

    merged: Tensor
    leaving: Tensor
    value: Tensor


class Flow:
    """The branches and loops around the operations of one walk."""

    def __init__(self, walk: Walk) -> None:
        self._walk = walk
        self._mirrors = Mirrors(walk.graph)
        self._members: dict[WhileContext, list[Operation]] = {}
        self._sizes: dict[Tensor, Tensor] = {}

    # ------------------------------------------------------------------ the order of the walk

    def region(self, op: Operation) -> WhileContext | None:
        """The innermost loop around an operation that is not around the whole walk."""
        context = context_of(op)
        if context is None:
            return None
        while context is not None and not self._mirrors.is_around(context):
            if isinstance(context, WhileContext):
                return context
            context = context.outer_context
        return None

    def unit(self, op: Operation, region: WhileContext | None) -> Unit:
        """What is taken as a whole, seen from a loop around it: the operation itself or a loop that it is in."""
        found: Unit = op
        inner = self.region(op)
        while inner is not region and inner is not None:
            found = inner
            outer = inner.outer_context
            while outer is not None and not isinstance(outer, WhileContext):
                outer = outer.outer_context
            inner = None if self._mirrors.is_around(outer) else outer
        return found

    def add(self, op: Operation) -> None:
        """Notes an operation of the walk."""
        region = self.region(op)
        if region is not None:
            self._members.setdefault(region, []).append(op)

    def uses(self, op: Operation) -> Iterator[tuple[Unit, Tensor]]:
        """What an operation makes wait until it is taken, and through which input. A turn starts with nothing done."""
        if is_loop_merge(op):
            return
        region = self.region(op)
        if region is not None and op.type in _ENTERS and context_of(op) is region:
            # The loop takes it, as a whole.
            outer = region.outer_context
            while outer is not None and not isinstance(outer, WhileContext):
                outer = outer.outer_context
            region = None if self._mirrors.is_around(outer) else outer
        for tensor in self._walk.inputs(op):
            yield self.unit(tensor.op, region), tensor

    # ------------------------------------------------------------------ where nodes are made

    @contextlib.contextmanager
    def _in(self, context: ControlFlowContext | None) -> Iterator[None]:
        graph = self._walk.graph
        if context is graph._scope.control_flow_context:
            yield
        else:
            with graph._in(control_flow_context=context):
                yield

    def summing(self, op: Operation) -> contextlib.AbstractContextManager[Any]:
        """Where the gradients that come into the outputs of `op` are added up."""
        context = context_of(op)
        return contextlib.nullcontext() if context is None else self._in(self._mirrors.of(context))

    def differentiating(self, op: Operation) -> contextlib.AbstractContextManager[Any]:
        """Where the gradient of `op` is made."""
        context = context_of(op)
        if context is None:
            return contextlib.nullcontext()
        if op.type in _SWITCHES and isinstance(context, CondContext):
            context = context.outer_context
        return self._in(self._mirrors.of(context))

    def zeros(self, op: Operation, index: int) -> Any:
        """The gradient of an output of `op` that nothing depends on."""
        if op.type in _SWITCHES:
            return None
        return self._zeros_of(op.outputs[index])

    def _zeros_of(self, tensor: Tensor) -> Any:
        """Zeros like a tensor of the way forward, in the context under construction."""
        here = self._walk.graph._scope.control_flow_context
        if history_of(here) is None or tensor.dtype.base_dtype in (dtypes.resource, dtypes.variant):
            return zeros_for(tensor)
        raw = tensor.raw_shape
        if raw is not None and None not in raw:
            return zeros(list(raw), tensor.dtype.base_dtype)
        size = self._sizes.get(tensor)
        if size is None:
            with placed(self._walk.graph, context_of(tensor.op)):
                size = self._sizes[tensor] = shape(tensor)
        return zeros(size, tensor.dtype.base_dtype)

    # ------------------------------------------------------------------ gradients of the nodes of control flow

    def is_end(self, op: Operation) -> bool:
        """Whether the walk through a loop's body ends at this operation, with what has come into it."""
        if is_loop_merge(op):
            return True
        return op.type in _ENTERS and not self._mirrors.is_around(context_of(op))

    def function(self, op: Operation) -> Callable[..., Any] | None:
        """The gradient function of an operation that a branch or loop consists of; None for any other."""
        kind = op.type
        if kind in _SWITCHES:
            return self._gate if _is_gate(op) else self._switch
        return self._merge if kind in _MERGES else None

    def _gate(self, op: Operation, *grads: Any) -> Any:
        if self._mirrors.is_around(context_of(op)):
            raise self._walk.no_gradient_of_start(op)
        return grads[1], None

    def _merge(self, op: Operation, grad: Any, _: Any) -> list[Any]:
        return [_each(functools.partial(self._taken, op, i), grad) for i in range(len(op.inputs))]

    def _taken(self, op: Operation, index: int, grad: Tensor) -> Tensor:
        """`grad`, alive where the Merge took input `index`."""
        branch = context_of(op.inputs[index].op)
        if not isinstance(branch, CondContext) or branch is context_of(op):
            return switched(grad, apply("Equal", op.outputs[1], index))[1]
        mirrored = self._mirrors.of(branch)
        if isinstance(mirrored, CondContext) and history_of(mirrored) is not None:
            return mirrored.add_value(grad)
        return switched(grad, branch.pred)[branch.branch]

    def _switch(self, op: Operation, false: Any, true: Any) -> Any:
        """The gradient comes from the side that was taken."""
        grads = [false, true]
        for side, grad in enumerate(grads):
            if grad is None:
                grads[side] = self._nothing(op, side)
        if any(grad is None for grad in grads):
            return None, None
        if any(isinstance(grad, IndexedSlices) for grad in grads):
            return _merged_slices([self._as_slices(op, side, grad) for side, grad in enumerate(grads)]), None
        return merge(grads, name="cond_grad")[0], None

    def _nothing(self, op: Operation, side: int) -> Any:
        """Zeros that are there when that side of a Switch was taken."""
        branch = context_of(op)
        with self._side(branch, side):
            if isinstance(branch, CondContext) and history_of(self._mirrors.of(branch)) is not None:
                return self._zeros_of(op.inputs[0])
            output = op.outputs[side]
            if output.dtype is dtypes.resource:
                return self._zeros_of(output)
            return zeros_like(output, optimize=False)

    @contextlib.contextmanager
    def _side(self, branch: ControlFlowContext | None, side: int) -> Iterator[None]:
        if isinstance(branch, CondContext):
            mirrored = self._mirrors
            with self._in(mirrored.of(branch) if branch.branch == side else mirrored.other_side(branch)):
                yield
        else:
            yield

    def _as_slices(self, op: Operation, side: int, grad: Any) -> IndexedSlices:
        if isinstance(grad, IndexedSlices):
            return grad
        # Where that side wasn't taken the indices must not be there either, though the graph may know their number.
        with self._side(context_of(op), side), self._walk.graph.control_dependencies([grad]):
            size = shape(grad)
            return IndexedSlices(grad, apply("Range", 0, size[0], 1), size)

    # ------------------------------------------------------------------ loops

    def differentiate(self, loop: WhileContext) -> list[Operation]:
        """Takes a loop whose every exit has its gradient: makes the backward loop, gives what enters its gradient.

        Returns its Enters.
        """
        members = self._members[loop]
        self._go_back(loop, members)
        return [op for op in members if op.type in _ENTERS]

    def _go_back(self, loop: WhileContext, members: list[Operation]) -> None:
        merges = [op for op in members if is_loop_merge(op)]
        gates = {op.inputs[0]: op for op in members if op.type in _SWITCHES and _is_gate(op)}
        exits = dict(zip(loop.loop_enters, loop.loop_exits, strict=False))
        starts = []
        for op in merges:
            gate = gates.get(op.outputs[0])
            with self._in(self._mirrors.of(loop.outer_context)):
                starts.append(None if gate is None else self._walk.taken(gate, 0))
        if not loop.back_prop or all(start is None for start in starts):
            return
        if isinstance(loop, BackwardLoop):
            raise TypeError("Second-order gradient for while loops not supported.")
        history = self._mirrors.loop(loop)
        variables = []
        for op, start in zip(merges, starts, strict=True):
            if not is_trainable(op.outputs[0]):
                continue
            with self._in(history.mirrored.outer_context):
                if start is None:
                    start = self._zeros_of(exits.get(op.inputs[0], op.inputs[0]))
                start = convert_to_tensor(start)
            variable = _variable(history, start, op.outputs[0].raw_shape, "b_exit")
            variables.append((op, variable))
            self._walk.add(op.inputs[1], variable.value)
        self._walk.run([op for op in members if self._walk.is_free(op)])
        mirrored = history.mirrored
        for op, variable in variables:
            with self._in(mirrored):
                found = self._walk.taken(op, 0)
                found = self._zeros_of(gates[op.outputs[0]].outputs[1]) if found is None else convert_to_tensor(found)
            entered = op.inputs[0].op
            self._walk.give(entered, entered.inputs[0], _finished(history, variable, mirrored.add_value(found)))
        for op in members:
            if op.type in _ENTERS and op.attrs["is_constant"]:
                with self._in(mirrored):
                    found = self._walk.taken(op, 0)
                if found is not None:
                    self._walk.give(op, op.inputs[0], self._accumulated(history, op.inputs[0], found))

    def _accumulated(self, history: LoopHistory, value: Tensor, found: Any) -> Any:
        """The sum over all turns of the gradients of a value that enters a loop and stays the same in it."""
        mirrored = history.mirrored
        if isinstance(found, IndexedSlices):
            return self._accumulated_slices(history, value, found)
        with self._in(mirrored.outer_context):
            start = convert_to_tensor(self._zeros_of(value))
        variable = _variable(history, start, start.raw_shape, "b_acc")
        with self._in(mirrored):
            total = apply("AddV2", variable.value, found, name="Add")
        return _finished(history, variable, total)

    def _accumulated_slices(self, history: LoopHistory, value: Tensor, found: IndexedSlices) -> IndexedSlices:
        # It starts with a row of zeros for index 0, as TensorFlow's does: optimizers of sparse updates tell the
        # difference.
        mirrored = history.mirrored
        kind = found.values.dtype.base_dtype
        with self._in(mirrored.outer_context):
            size = self._size_of(value)
            rest = found.values.raw_shape
            if rest is None or None in rest[1:]:
                row = apply("ConcatV2", [constant([1], dtype=size.dtype), size[1:]], 0)
            else:
                row = [1, *rest[1:]]
            values = zeros(row, kind)
            indices = constant([0], dtype=found.indices.dtype)
        known = None if rest is None else (None, *rest[1:])
        kept = _variable(history, values, known, "b_acc"), _variable(history, indices, (None,), "b_acc")
        with self._in(mirrored):
            more = [
                apply("ConcatV2", [variable.value, part], 0)
                for variable, part in zip(kept, (found.values, found.indices), strict=True)
            ]
        ends = [_finished(history, variable, part) for variable, part in zip(kept, more, strict=True)]
        return IndexedSlices(ends[0], ends[1], size)

    def _size_of(self, value: Tensor) -> Tensor:
        if value.dtype is dtypes.resource:
            found: Tensor = apply("VariableShape", value)
            return found
        return shape(value)


def _variable(history: LoopHistory, start: Tensor, raw: Any, name: str) -> _Variable:
    loop = history.mirrored
    (entered,) = enter_variables(loop, [start], [raw], name)
    merged = first_merge(loop, entered)
    false, true = gated(loop, merged)
    loop.loop_enters.append(entered)
    return _Variable(merged, false, true)


def _finished(history: LoopHistory, variable: _Variable, value: Tensor) -> Tensor:
    go_round(history.mirrored, variable.merged, value)
    found = leave(history.mirrored, variable.leaving)
    history.mirrored.loop_exits.append(found)
    return found


def is_loop_merge(op: Operation) -> bool:
    """Whether an operation is where a turn of a loop begins."""
    return op.type in _MERGES and any(tensor.op.type in _NEXTS for tensor in op.inputs)


def _is_gate(op: Operation) -> bool:
    return op.inputs[1].op.type == "LoopCond"


@gradient("Enter", "RefEnter", "NextIteration", "RefNextIteration")
def _passed(op: Operation, grad: Any) -> Any:
    return grad


@gradient("Exit", "RefExit")
def _exit(op: Operation, grad: Any) -> Any:
    if context_of(op.inputs[0].op) is None:
        raise ValueError(
            f"'{op.name}' leaves a loop of which the graph does not say what is in it, as it is after "
            "import_graph_def: there is no gradient through it. Import a MetaGraphDef, which keeps the loops."
        )
    return grad


@gradient("Switch", "RefSwitch", "Merge", "RefMerge")
def _walked(op: Operation, *grads: Any) -> Any:
    raise AssertionError(f"the gradient of {op.name} is the walk's own affair")


no_gradient("LoopCond", "StackV2", "StackPushV2", "StackPopV2", "StackCloseV2")
no_gradient("Stack", "StackPush", "StackPop", "StackClose")


def _each(function: Callable[[Tensor], Tensor], grad: Any) -> Any:
    """A function of a gradient, or of each part of one that is IndexedSlices."""
    if not isinstance(grad, IndexedSlices):
        return function(grad)
    parts = [None if part is None else function(part) for part in (grad.values, grad.indices, grad.dense_shape)]
    return IndexedSlices(*parts)


def _merged_slices(both: list[IndexedSlices]) -> IndexedSlices:
    def part(name: str) -> Tensor:
        return merge([getattr(one, name) for one in both], name="cond_grad")[0]

    sizes = []
    for one in both:
        with one.values.graph.control_dependencies([one.values]):  # a constant would always be there
            sizes.append(identity(one.dense_shape))
    return IndexedSlices(part("values"), part("indices"), merge(sizes, name="cond_grad")[0])
