"""The body of a function and its gradient, built in one graph and cut into two functions.

The function of the way forward gives, besides its outputs, the values that the gradient needs; the function of the way
back takes them, the arguments, and the gradients of the outputs. So nothing is computed twice, a random number is
drawn once, and a variable is read when the function ran.

    arguments -> body -> outputs                                arguments -> body -> outputs, kept values
                  |                    is cut into
    grads -> gradient of the body -> grads of arguments         arguments, kept values, grads -> grads of arguments
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from runstep.gradients.history import context_of
from runstep.gradients.trainable import is_trainable, zeros_for
from runstep.graph import dtypes
from runstep.graph.apply import apply
from runstep.graph.attr_value import NameAttrs
from runstep.graph.composite import IndexedSlices
from runstep.graph.control_flow import CondContext, ControlFlowContext, placed, switched
from runstep.graph.control_flow_proto import copied_contexts
from runstep.graph.convert import convert_to_tensor
from runstep.graph.functions import (
    Function,
    FunctionGraph,
    add_arguments,
    define_part,
    function_named,
    inline_body,
    unused_name,
)
from runstep.graph.graph import Graph
from runstep.graph.operation import Operation
from runstep.graph.shapes import RawShape
from runstep.graph.tensor import Tensor
from runstep.ops.handles import handle_data

# Made again in the backward function rather than kept.
_REPEATED = frozenset(("Const", "VarHandleOp", "FakeParam"))
# What is kept is a size, not the value that it is the size of.
_SIZES = frozenset(("Rank", "Shape", "ShapeN", "Size", "TensorListElementShape", "VariableShape"))
_OF_ONE_RUN = frozenset(("StackV2", "TensorArrayV3"))
# Stateful, but the same when it is done again.
_REPEATABLE = frozenset(
    ("Placeholder", "VarHandleOp", "StackPopV2", "StackPushV2", "StackV2")
    + ("TensorArrayGatherV3", "TensorArrayReadV3", "TensorArrayScatterV3", "TensorArraySizeV3", "TensorArraySplitV3")
    + ("TensorArrayConcatV3", "TensorArrayV3", "TensorArrayWriteV3")
)
_SWITCHES = frozenset(("Switch", "RefSwitch"))


class Split:
    """A function's body with the gradients of its arguments.

    Args:
      inputs: what it is called with: what is known of them is known of the arguments.
      present: per output, whether a gradient comes in.
      is_loop: whether it is called again and again with what it returns: gradients come in with later turns, too.
      is_branch: whether it is one of several, of which others are called: then what it keeps may not be there.

    Attributes:
      graph: where all of it is. arguments, outputs: of the function.
      given: the gradients that come in. grads: per argument, the gradient: a Tensor, IndexedSlices, or None.
      kept: values of the way forward that the way back needs, once `back` has been called for all that it gives.
      used: the arguments that it needs.
      outer: tensors of the graph around that gradients use, by the argument of the way back that stands for each.
    """

    def __init__(
        self,
        graph: Graph,
        name: NameAttrs,
        inputs: Sequence[Tensor],
        present: Sequence[bool],
        is_loop: bool = False,
        is_branch: bool = False,
    ) -> None:
        from runstep.gradients.backprop import gradients

        self._library = graph
        self._is_branch = is_branch
        self.function: Function = function_named(graph, name.name)
        self.graph = body = FunctionGraph(f"{self.function.name}_backward", graph)
        with body.as_default():
            self.arguments = add_arguments(body, self.function, name.attrs)
            for argument, tensor in zip(self.arguments, inputs, strict=True):
                argument._handle_data = tensor._handle_data
            self.outputs, self._controls = inline_body(body, self.function, name.attrs, self.arguments)
            body.copied_from = self.function.source
            copied_contexts(self.function.contexts, body)
            self._ahead = set(body.get_operations())
            self.present = tuple(self._reached(present) if is_loop else present)
            ys = [y for y, there in zip(self.outputs, self.present, strict=True) if there]
            self.given = [body.add_input(f"grad_{i}", gradient_dtype(y), gradient_shape(y)) for i, y in enumerate(ys)]
            sources = [argument for argument in self.arguments if is_trainable(argument)]
            wanted = ys and sources
            found = dict(zip(sources, gradients(ys, sources, grad_ys=self.given), strict=True)) if wanted else {}
        count = self.function.own_outputs
        self._own_outputs = len(self.outputs) if count is None else count
        self.grads = [found.get(argument) for argument in self.arguments]
        self.outer = {op.outputs[0]: tensor for op, tensor in body.behind.items()}
        self._free = {*self.arguments, *self.given, *self.outer}
        self._repeats = self._is_to_be_repeated()
        self._mark_ahead()
        self._behind: set[Operation] = set()
        self._standing: dict[Tensor, Tensor] = {}
        self._pivots: dict[Operation, Operation] = {}
        self.kept: list[Tensor] = []
        self.used: list[Tensor] = []

    def _reached(self, present: Sequence[bool]) -> list[bool]:
        """Of the variables of a loop, those with a gradient: what an output of `present` is computed from."""
        found = list(present)
        while True:
            wanted = [y for y, there in zip(self.outputs, found, strict=True) if there]
            reaching = _before(wanted)
            more = [
                _has_gradient(y) and (there or argument in reaching)
                for y, there, argument in zip(self.outputs, found, self.arguments, strict=True)
            ]
            if more == found:
                return found
            found = more

    def _is_to_be_repeated(self) -> bool:
        """Whether the way back computes everything again, rather than to take what may not be there.

        TensorFlow can't hand stacks and TensorArrays on to another function, nor values of a branch that isn't taken
        (and what is a branch can't be told in the gradient of a branch). That a random number is drawn once, and a
        variable read once, matters more.
        """
        if any(op.op_def is not None and op.op_def.is_stateful and op.type not in _REPEATABLE for op in self._ahead):
            return False
        return any(op.type in _SWITCHES and op.inputs[1].op.type != "LoopCond" for op in self._ahead) or any(
            op.type in _OF_ONE_RUN for op in self.graph.get_operations()
        )

    def _mark_ahead(self) -> None:
        """Finds what `gradients` has added to the way forward: what loops count and keep, and what that starts with."""
        ahead = self._ahead
        placeholders = {tensor.op for tensor in self.given}
        contexts = {context for op in ahead for context in _around(op)}
        added = [before for op in ahead for before in _before_op(op)]
        for op in self.graph.get_operations():
            if op in ahead or op in placeholders:
                continue
            if context_of(op) in contexts or (op.type == "Exit" and context_of(op.inputs[0].op) in contexts):
                added.append(op)
            elif op.type in _SIZES and not op.control_inputs and all(_is_plain(t, ahead) for t in op.inputs):
                ahead.add(op)
        while added:
            op = added.pop()
            if op not in ahead:
                ahead.add(op)
                added += _before_op(op)

    # ------------------------------------------------------------------ the way back

    def back(self, tensors: Iterable[Tensor]) -> list[Tensor]:
        """The values of the backward function that stand for these, with all that they are computed from."""
        found = [self._standing_for(tensor) for tensor in tensors]
        waiting = [tensor.op for tensor in found if not self._is_free(tensor)]
        while waiting:
            op = waiting.pop()
            if op in self._behind:
                continue
            self._behind.add(op)
            if op in self._ahead and not self._repeats:  # a constant
                continue
            inputs = tuple(self._standing_for(tensor) for tensor in op.inputs)
            if inputs != op.inputs:
                op.inputs = inputs
            op.control_inputs = tuple(c for c in map(self._waited_for, op.control_inputs) if c is not None)
            waiting += [tensor.op for tensor in inputs if not self._is_free(tensor)]
            waiting += op.control_inputs
        return found

    def _is_free(self, tensor: Tensor) -> bool:
        return tensor in self._free

    def _standing_for(self, tensor: Tensor) -> Tensor:
        if tensor not in self._free and (self._repeats or tensor.op not in self._ahead):
            return tensor
        found = self._standing.get(tensor)
        if found is None:
            found = self._standing[tensor] = self._carried(tensor)
        return found

    def _carried(self, tensor: Tensor) -> Tensor:
        """What stands for a value of the way forward on the way back."""
        op = tensor.op
        if tensor in self._free:
            if tensor in self.arguments:
                self.used.append(tensor)
            return tensor
        if op.type == "Identity" and not op.inputs[0].dtype.is_ref:
            return self._standing_for(op.inputs[0])
        context = context_of(op)
        if op.type in _SWITCHES:
            value, pred = (self._standing_for(part) for part in op.inputs)
            with self.graph.as_default(), placed(self.graph, None):
                found = switched(value, pred)[tensor.value_index]
        elif context is None:
            if op.type in _REPEATED:
                return tensor
            if self._is_branch and tensor.dtype is dtypes.variant:
                return self._unboxed(tensor)
            self.kept.append(tensor)
            self._free.add(tensor)
            return tensor
        else:
            assert isinstance(context, CondContext), f"{tensor!r} of a loop is used outside of it"
            value, pred = self._standing_for(self._always(tensor, context)), self._standing_for(context.pred)
            with self.graph.as_default(), placed(self.graph, None):
                found = switched(value, pred)[context.branch]
        found.raw_shape = tensor.raw_shape
        found._handle_data = tensor._handle_data
        return found

    def _unboxed(self, tensor: Tensor) -> Tensor:
        """A variant that is kept as an optional, as TensorFlow does: of one that isn't there nobody makes zeros."""
        with self.graph.as_default():
            boxed = self.also(apply("OptionalFromValue", [tensor]))
            (found,) = apply("OptionalGetValue", boxed, output_types=[tensor.dtype], output_shapes=[tensor.raw_shape])
        found._handle_data = tensor._handle_data
        self.kept.append(boxed)
        self._free.add(boxed)
        return found

    def _always(self, tensor: Tensor, context: CondContext) -> Tensor:
        """A value of a branch; where the branch isn't taken, an empty one."""
        with self.graph.as_default(), placed(self.graph, context.outer_context):
            other = apply("Identity", switched(context.pred, context.pred)[1 - context.branch])
            nothing = apply("FakeParam", dtype=tensor.dtype, shape=())
            nothing.op._add_control_input(other.op)
            merged: Tensor = apply("Merge", [tensor, nothing])[0]
        for value in (other.op.inputs[0], other, merged):
            self.also(value)
        return merged

    def _waited_for(self, op: Operation) -> Operation | None:
        """What an operation of the way back waits for in place of `op`: only that a branch is taken matters."""
        if self._repeats or op not in self._ahead:
            return op
        if op.type != "Identity" or op.inputs[0].op.type not in _SWITCHES:
            return None
        found = self._pivots.get(op)
        if found is None:
            alive = self._standing_for(op.inputs[0])
            with self.graph.as_default(), placed(self.graph, None):
                found = self._pivots[op] = apply("Identity", alive).op
        return found

    # ------------------------------------------------------------------ what it is composed with

    def wanted(self) -> tuple[bool, ...]:
        """`present`, or more: with zeros for the others, where an argument gets a gradient of those only.

        So it gets zeros, as in TensorFlow, rather than none.
        """
        others = [
            i < self._own_outputs and is_trainable(y) and y.dtype is not dtypes.resource
            for i, y in enumerate(self.outputs)
        ]
        reaching = _before(y for y, other in zip(self.outputs, others, strict=True) if other)
        pairs = zip(self.arguments, self.grads, strict=True)
        if not any(grad is None and argument in reaching for argument, grad in pairs):
            return self.present
        return tuple(there or other for there, other in zip(self.present, others, strict=True))

    def grad(self, position: int) -> list[Tensor]:
        """The parts of an argument's gradient: none, one, or the three of IndexedSlices."""
        grad = self.grads[position]
        if grad is None:
            return []
        return [grad] if isinstance(grad, Tensor) else list(grad._component_tensors())

    def dense(self, position: int) -> Tensor:
        """An argument's gradient as one tensor: zeros where none comes through."""
        with self.graph.as_default():
            grad = self.grads[position]
            found: Tensor = convert_to_tensor(zeros_for(self.arguments[position]) if grad is None else grad)
        return found

    def is_sliced(self, position: int) -> bool:
        return isinstance(self.grads[position], IndexedSlices)

    def also(self, tensor: Tensor) -> Tensor:
        """Counts an operation that was made after the others, and what it takes, as part of the way forward."""
        self._ahead.update((tensor.op, *(value.op for value in tensor.op.inputs)))
        return tensor

    def stand_in(self, dtype: Any) -> Tensor:
        """A value of the way forward that nobody uses."""
        with self.graph.as_default():
            if dtype is dtypes.variant:
                return self.also(apply("OptionalNone"))
            return self.also(apply("FakeParam", dtype=dtype, shape=()))

    def unused(self, dtype: Any, raw: RawShape = None) -> Tensor:
        """An argument of the way back that it doesn't need."""
        return self.graph.add_input("unused", dtype, raw)

    def forward(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> NameAttrs:
        """Defines the function of the way forward."""
        name = unused_name(self._library, f"{self.function.name}_forward")
        controls = [op for op in self._controls if context_of(op) is None]  # a branch that isn't taken has none
        found = define_part(self._library, self.graph, name, inputs, outputs, self._ahead, controls, True)
        function_named(self._library, name).own_outputs = self._own_outputs
        return found

    def backward(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> NameAttrs:
        """Defines the function of the way back. `outputs` are what `back` returned."""
        name = unused_name(self._library, self.graph.name)
        return define_part(self._library, self.graph, name, inputs, outputs, self._behind, (), self._repeats)


def _before_op(op: Operation) -> list[Operation]:
    return [*(tensor.op for tensor in op.inputs), *op.control_inputs]


def _around(op: Operation) -> Iterable[ControlFlowContext]:
    context = context_of(op)
    return () if context is None else context.around()


def _is_plain(tensor: Tensor, ahead: set[Operation]) -> bool:
    return tensor.op in ahead and context_of(tensor.op) is None


def _has_gradient(tensor: Tensor) -> bool:
    """Whether a variable of a loop has one: a handle only where it is known of what."""
    return is_trainable(tensor) and (tensor.dtype is not dtypes.resource or bool(handle_data(tensor)))


def _before(tensors: Iterable[Tensor]) -> set[Tensor]:
    """These, and all that they are computed from in a differentiable way."""
    found: set[Tensor] = set()
    waiting = list(tensors)
    while waiting:
        tensor = waiting.pop()
        if tensor not in found and is_trainable(tensor):
            found.add(tensor)
            waiting += tensor.op.inputs
    return found


def gradient_dtype(y: Tensor) -> Any:
    """The dtype of a tensor's gradient: of a variable's handle, that of the variable."""
    data = handle_data(y) if y.dtype is dtypes.resource else None
    return data[0][1] if data else y.dtype.base_dtype


def gradient_shape(y: Tensor) -> RawShape:
    """The shape of a tensor's gradient."""
    data = handle_data(y) if y.dtype is dtypes.resource else None
    return data[0][0] if data else y.raw_shape
