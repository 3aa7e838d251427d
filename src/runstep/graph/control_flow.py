"""The contexts that graph-building branches and loops put around operations.

An operation made inside takes outer values through a Switch (in a branch) or an Enter (in a loop); one without inputs
waits for the context's pivot, so that it runs only when, and each time that, the branch or the turn is taken.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

from runstep.graph.dtypes import bool as bool_
from runstep.graph.graph import Graph
from runstep.graph.operation import Operation
from runstep.graph.scope import Controller
from runstep.graph.tensor import Tensor
from runstep.ops import registry


class ControlFlowContext:
    """A branch or a loop under construction, inside of `outer`."""

    def __init__(self, graph: Graph, name: str) -> None:
        self.graph = graph
        self.name = name
        self.outer_context: ControlFlowContext | None = graph._scope.control_flow_context
        self.nested: list[ControlFlowContext] = []
        self._inside: set[Tensor] = set()
        self._captured: dict[Tensor, Tensor] = {}
        if self.outer_context is not None:
            self.outer_context.nested.append(self)

    @property
    def pivot(self) -> Operation:
        """What operations without inputs wait for."""
        raise NotImplementedError

    def add_value(self, tensor: Tensor) -> Tensor:
        """The tensor to use inside for `tensor`, which may be from outside."""
        if tensor in self._inside:
            return tensor
        found = self._captured.get(tensor)
        if found is None:
            outer = tensor if self.outer_context is None else self.outer_context.add_value(tensor)
            controllers = self.graph._scope.controllers
            with self.graph._in(controllers=(), control_flow_context=None, device="", device_functions=()):
                found = self._capture(outer, controllers)
            self._captured[tensor] = found
            self._hide(found)
            self._adopt(found.op)
        return found

    def _capture(self, tensor: Tensor, controllers: Sequence[Controller]) -> Tensor:
        raise NotImplementedError

    def _hide(self, tensor: Tensor) -> None:
        raise NotImplementedError

    def _adopt(self, op: Operation) -> None:
        """Counts the outputs of an operation as values of this context and of those around it."""
        context: ControlFlowContext | None = self
        while context is not None:
            context._inside.update(op.outputs)
            context = context.outer_context
        op._control_flow_context = self

    def prepare(self, name: str, inputs: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """The inputs of an operation about to be made inside."""
        with self.graph._in(name=name):
            return tuple([self.add_value(tensor) for tensor in inputs])

    def added(self, op: Operation) -> None:
        """Takes in an operation that was just made inside."""
        self._inside_controls(op)
        self._adopt(op)
        # Not by prevent_fetching: nothing can have used an operation that is just being made.
        self.graph._unfetchable.add(op)

    def _inside_controls(self, op: Operation) -> None:
        raise NotImplementedError

    def contains(self, op: Operation) -> bool:
        """Whether an operation was made inside, or inside of something that is."""
        context = op._control_flow_context
        while context is not None:
            if context is self:
                return True
            context = context.outer_context
        return False

    @contextlib.contextmanager
    def entered(self) -> Iterator[None]:
        """Operations made in the `with` block are made inside."""
        with self.graph._in(control_flow_context=self):
            yield

    def around(self) -> Iterator[ControlFlowContext]:
        """This context and those around it, from the inside out."""
        context: ControlFlowContext | None = self
        while context is not None:
            yield context
            context = context.outer_context

    def GetControlPivot(self) -> Operation:  # noqa: N802 - TensorFlow's name
        return self.pivot

    def to_proto(self, export_scope: str | None = None) -> Any:
        """What a MetaGraphDef keeps of it, a CondContextDef or WhileContextDef; None outside of `export_scope`."""
        from runstep.graph.control_flow_proto import to_proto

        return to_proto(self, export_scope)


class CondContext(ControlFlowContext):
    """One branch of a `cond`.

    Attributes:
      pred: the predicate. branch: 1 for the true branch, 0 for the false one.
      other: the other branch, once it is known.
    """

    other: CondContext | None = None

    def __init__(self, graph: Graph, pred: Tensor, pivot: Tensor, branch: int, name: str) -> None:
        super().__init__(graph, name)
        self.pred = pred
        self.branch = branch
        self._pivot = pivot
        self._inside.update((pred, pivot))

    @property
    def pivot(self) -> Operation:
        return self._pivot.op

    @staticmethod
    def from_proto(context_def: Any, import_scope: str | None = None) -> CondContext:
        """The context that a CondContextDef describes, of operations that are in the default graph already."""
        from runstep.graph.control_flow_proto import cond_from_proto

        return cond_from_proto(context_def, import_scope)

    def _capture(self, tensor: Tensor, controllers: Sequence[Controller]) -> Tensor:
        return switched(tensor, self.pred)[self.branch]

    def _hide(self, tensor: Tensor) -> None:
        self.graph._unfetchable.add(tensor.op)

    def _inside_controls(self, op: Operation) -> None:
        loop = self.outer_context
        while loop is not None and not isinstance(loop, WhileContext):
            loop = loop.outer_context
        if loop is not None:
            op.control_inputs = tuple(control for control in op.control_inputs if loop.contains(control))
        if not op.inputs and not any(self.contains(control) for control in op.control_inputs):
            op.control_inputs += (self.pivot,)


class WhileContext(ControlFlowContext):
    """A loop.

    Attributes:
      frame_name: the name of its frame. pivot_for_pred, pivot_for_body: what constants of its two parts wait for.
      gate: the LoopCond that its variables are switched by, once there is one.
      back_prop: whether gradients go through it. swap_memory: an attribute of what they keep.
      maximum_iterations: the tensor that limits it, if any.
    """

    def __init__(
        self,
        graph: Graph,
        name: str,
        parallel_iterations: int,
        back_prop: bool = True,
        swap_memory: bool = False,
        maximum_iterations: Tensor | None = None,
    ) -> None:
        super().__init__(graph, name)
        self.frame_name = name
        self.parallel_iterations = parallel_iterations
        self.back_prop = back_prop
        self.swap_memory = swap_memory
        self.maximum_iterations = maximum_iterations
        self.gate: Tensor | None = None
        self.pivot_for_pred: Operation | None = None
        self.pivot_for_body: Operation | None = None
        self.loop_enters: list[Tensor] = []
        self.loop_exits: list[Tensor] = []

    @property
    def pivot(self) -> Operation:
        found = self.pivot_for_body or self.pivot_for_pred
        assert found is not None, "operations are made inside of a loop before it has variables"
        return found

    @staticmethod
    def from_proto(context_def: Any, import_scope: str | None = None) -> WhileContext:
        """The context that a WhileContextDef describes, of operations that are in the default graph already."""
        from runstep.graph.control_flow_proto import while_from_proto

        return while_from_proto(context_def, import_scope)

    def _capture(self, tensor: Tensor, controllers: Sequence[Controller]) -> Tensor:
        found = enter(tensor, self.frame_name, True, self.parallel_iterations)
        self.wait_outside(found.op, controllers)
        return found

    def wait_outside(self, entered: Operation, controllers: Sequence[Controller]) -> None:
        """Makes an Enter wait for what the blocks around the loop say: nothing inside of it can."""
        (tensor,) = entered.inputs
        waiting = [controller for controller in controllers if tensor.op not in controller.seen]
        outside = (op for controller in waiting for op in controller.ops if not self.contains(op))
        entered.control_inputs = tuple(dict.fromkeys((*entered.control_inputs, *outside)))

    def _hide(self, tensor: Tensor) -> None:
        self.graph._unfeedable.add(tensor)

    def added(self, op: Operation) -> None:
        super().added(op)
        self.graph._unfeedable.update(op.outputs)

    def _inside_controls(self, op: Operation) -> None:
        op.control_inputs = tuple(control for control in op.control_inputs if self.contains(control))
        if not op.control_inputs and all(_is_constant_enter(tensor.op) for tensor in op.inputs):
            op.control_inputs = (self.pivot,)  # each turn anew, though what it takes never changes


def _is_constant_enter(op: Operation) -> bool:
    return op.type in ("Enter", "RefEnter") and bool(op.attrs["is_constant"])


@contextlib.contextmanager
def placed(graph: Graph, context: ControlFlowContext | None) -> Iterator[None]:
    """Operations made in the `with` block are made in that context, whatever blocks stand around."""
    with graph._in(control_flow_context=context, controllers=()):
        yield


def switched(tensor: Tensor, pred: Tensor) -> tuple[Tensor, Tensor]:
    """A Switch (RefSwitch for a reference) of `tensor` on the device of `tensor`."""
    graph = tensor.graph
    kind = "RefSwitch" if tensor.dtype.is_ref else "Switch"
    with graph.colocate_with(tensor.op, ignore_existing=True):
        attrs = {"T": tensor.dtype.base_dtype}
        op = graph._create(registry.get(kind), kind, (tensor, pred), attrs, "Switch")
    for output in op.outputs:
        output._handle_data = tensor._handle_data
    return op.outputs[0], op.outputs[1]


def enter(tensor: Tensor, frame_name: str, is_constant: bool, parallel_iterations: int, name: str = "Enter") -> Tensor:
    """An Enter (RefEnter for a reference) of `tensor` into a frame."""
    graph = tensor.graph
    kind = "RefEnter" if tensor.dtype.is_ref else "Enter"
    attrs = {
        "T": tensor.dtype.base_dtype,
        "frame_name": frame_name.encode(),
        "is_constant": is_constant,
        "parallel_iterations": parallel_iterations,
    }
    op = graph._create(registry.get(kind), kind, (tensor,), attrs, name)
    op.outputs[0]._handle_data = tensor._handle_data
    if op.outputs[0].raw_shape is None:
        op.outputs[0].raw_shape = tensor.raw_shape
    return op.outputs[0]


def checked_predicate(pred: Any) -> Tensor:
    """A predicate as a tensor.

    Raises:
      TypeError: it is a Python bool, or not boolean.
    """
    if isinstance(pred, bool):
        raise TypeError("'pred' must not be a Python bool.")
    from runstep.graph.convert import convert_to_tensor

    tensor = convert_to_tensor(pred)
    if tensor.dtype.base_dtype is not bool_:
        raise TypeError(f"'pred' must be a bool tensor, found a tensor of dtype {tensor.dtype.name}.")
    return tensor
