"""The nodes of a plan: what is left of a graph for one request, and what kernels are made for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from runstep.graph.attr_value import NameAttrs
from runstep.graph.dtypes import DType
from runstep.graph.operation import Operation
from runstep.graph.shapes import RawShape
from runstep.kernels.registry import Kernel, KernelDef

if TYPE_CHECKING:
    from runstep.plan.device import PlanDevice
    from runstep.plan.inside import Inside

Ref = tuple["PlanNode", int]
"""One output of one node."""

Guard = frozenset[int]
"""The condition that a node runs under: all of these symbols hold (positive) or don't (negative). Empty: always."""

ALWAYS: Guard = frozenset()

ENTERS = frozenset(("Enter", "RefEnter"))
EXITS = frozenset(("Exit", "RefExit"))
NEXTS = frozenset(("NextIteration", "RefNextIteration"))
MERGES = frozenset(("Merge", "RefMerge"))
SWITCHES = frozenset(("Switch", "RefSwitch", "_SwitchN"))
ALIASES = ENTERS | NEXTS | SWITCHES


class PlanNode:
    """One node of a plan. Implements the `Node` protocol that kernels are made for.

    Attributes:
      op: the operation it comes from; None for a feed.
      inputs, controls: where its data comes from, and what must have run before.
      known: the values of its outputs when the plan knows them.
      frame: the loop frame that it runs in; None outside of loops.
      guard: the condition that it runs under.
      changed: attributes that a rewrite put in place of the operation's; None where it has its own.
      kernel: made for it, None for structural nodes (Switch, Enter ...) and known ones.
      inner_bytes, inner_cost, endless: of a node that calls functions: what their values take, the microseconds that
        their nodes take, and whether nobody can say when they end. bodies: what they take by the shapes of its inputs.
      parts: of a region, the nodes that it computes, producers first.
    """

    __slots__ = (
        "bodies",
        "changed",
        "controls",
        "device",
        "endless",
        "feed",
        "frame",
        "guard",
        "inner_bytes",
        "inner_cost",
        "inputs",
        "is_async",
        "kernel",
        "known",
        "name",
        "number",
        "op",
        "parts",
        "row",
        "type",
        "uses_step",
        "where",
        "functions",
        "_is_pure",
    )

    def __init__(self, op: Operation | None, type_: str, name: str) -> None:
        self.op = op
        self.changed: dict[str, Any] | None = None
        self.type = type_
        self.name = name
        self.inputs: Sequence[Ref] = ()
        self.controls: Sequence[PlanNode] = ()
        self.known: list[np.ndarray] | None = None
        self.frame: Any = None
        self.guard: Guard = ALWAYS
        self.kernel: Kernel | None = None
        self.row: KernelDef | None = None
        self.is_async = False
        self.uses_step = False
        self.feed = -1
        self.number = 0
        self.device = ""
        self.where: PlanDevice | None = None
        self.functions: Callable[[PlanNode, Any], Any] | None = None
        self.inner_bytes = 0
        self.bodies: tuple[Inside, ...] = ()
        self.inner_cost = 0.0
        self.endless = False
        self.parts: Sequence[PlanNode] = ()
        self._is_pure: bool | None = None

    @property
    def is_pure(self) -> bool:
        """Whether running the node twice, once, or at plan time makes no difference."""
        if self._is_pure is None:
            self._is_pure = _is_pure(self.op)
        return self._is_pure

    @property
    def key(self) -> str:
        function = getattr(self.op.graph, "name", "")  # type: ignore[union-attr]
        return f"{function}:{self.name}" if function else self.name

    @property
    def attrs(self) -> dict[str, Any]:
        return self.op.attrs if self.changed is None else self.changed  # type: ignore[union-attr]

    @property
    def input_types(self) -> list[DType]:
        return [tensor.dtype for tensor in self.op.inputs]  # type: ignore[union-attr]

    @property
    def output_types(self) -> list[DType]:
        return [tensor.dtype for tensor in self.op.outputs]  # type: ignore[union-attr]

    @property
    def input_shapes(self) -> list[RawShape]:
        return [tensor.raw_shape for tensor in self.op.inputs]  # type: ignore[union-attr]

    @property
    def output_shapes(self) -> list[RawShape]:
        return [tensor.raw_shape for tensor in self.op.outputs]  # type: ignore[union-attr]

    @property
    def resources(self) -> Any:
        return self.where.resources  # type: ignore[union-attr]

    def become(self, type_: str, outputs: Sequence[Any]) -> None:
        """Says what a rewrite has made of this pure node: another type, other outputs."""
        self._is_pure = True
        self.op = OpView(self.op, outputs, type_)  # type: ignore[assignment]
        self.type = type_

    def constant(self, index: int) -> np.ndarray | None:
        """The value of input `index` when the plan knows it."""
        node, output = self.inputs[index]
        return None if node.known is None else node.known[output]

    def function(self, name: Any) -> Any:
        """The compiled body of a library function: called with the step and the inputs, returns a tuple."""
        return self.functions(self, name)  # type: ignore[misc]

    def __repr__(self) -> str:
        return f"<PlanNode {self.name} ({self.type})>"


def _is_pure(op: Operation | None) -> bool:
    if op is None or op.op_def is None or op.op_def.is_stateful:
        return False
    for tensor in op.inputs:
        if tensor.dtype.is_opaque:
            return False
    for tensor in op.outputs:
        if tensor.dtype.is_opaque:
            return False
    return not (op.op_def.takes_function and any(isinstance(value, NameAttrs) for value in op.attrs.values()))


class OpView:
    """Stands for the operation of a node that a rewrite has changed: another type, or other outputs."""

    op_def = None

    def __init__(self, op: Any, outputs: Sequence[Any], type_: str) -> None:
        self._op = op
        self.outputs = outputs
        self.type = type_

    def __getattr__(self, name: str) -> Any:
        return getattr(self._op, name)

    @property
    def origin(self) -> Operation:
        """The operation of the graph."""
        found: Operation = self._op.origin if isinstance(self._op, OpView) else self._op
        return found


def PASS() -> None:  # noqa: N802 - a mark, never called
    """The kernel of nodes that the plan has turned into aliases of their input."""


def root(ref: Ref) -> Ref:
    """The output that really holds the value: Switch, Enter, NextIteration and Exits of plain loops only pass it on."""
    node, index = ref
    if node.kernel is not None and node.kernel is not PASS:  # it computes
        return ref
    while True:
        if node.known is not None or node.feed >= 0:
            return node, index
        kind = node.type
        if (
            kind in ALIASES
            or node.kernel is PASS
            or (kind in EXITS and node.frame is not None and node.frame.structured)
        ):
            node, index = node.inputs[0]
        else:
            return node, index
