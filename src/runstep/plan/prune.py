"""The part of a graph that a request needs: ancestors of fetches and targets, cut at the fed tensors (S52, S99)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from runstep import errors
from runstep.graph.operation import Operation
from runstep.graph.tensor import Tensor
from runstep.plan.node import PASS as ARRIVED, PlanNode, Ref

# They only pass their input on. Where nothing hangs on their control inputs, consumers take the input itself.
PASS = frozenset(
    ("Identity", "StopGradient", "PreventGradient", "Snapshot", "PlaceholderWithDefault", "GuaranteeConst")
)


class Pruned:
    """The needed nodes, producers before consumers (but for loops), and how tensors map to their outputs."""

    def __init__(self, feeds: Sequence[Tensor]) -> None:
        self.nodes: list[PlanNode] = []
        self.by_op: dict[Operation, PlanNode] = {}
        self.feeds: list[PlanNode] = []
        self._fed: dict[Tensor, PlanNode] = {}
        self.has_control_flow = False
        self.arrivals: dict[Operation, PlanNode] = {}
        for position, tensor in enumerate(feeds):
            node = PlanNode(None, "_Feed", tensor.name)
            node.feed = position
            self.feeds.append(node)
            self._fed[tensor] = node

    def ref(self, tensor: Tensor) -> Ref:
        """Where the value of a needed tensor comes from."""
        fed = self._fed.get(tensor)
        return (fed, 0) if fed is not None else (self.by_op[tensor.op], tensor.value_index)

    def arrive(self, placeholder: Operation) -> None:
        """Adds a node that stands for the feed of a placeholder where others wait for it. It computes nothing."""
        node = self.arrivals[placeholder] = PlanNode(placeholder, placeholder.type, placeholder.name)
        node.kernel, node.inputs = ARRIVED, [(self._fed[placeholder.outputs[0]], 0)]
        node.number = len(self.nodes)
        self.nodes.append(node)

    def is_fed(self, tensor: Tensor) -> bool:
        return tensor in self._fed


_STRUCTURAL = frozenset(
    "Switch RefSwitch _SwitchN Merge RefMerge Enter RefEnter Exit RefExit NextIteration RefNextIteration "
    "LoopCond".split()
)


PLACEHOLDERS = frozenset(("Placeholder", "PlaceholderV2"))


def prune(
    feeds: Sequence[Tensor],
    fetches: Iterable[Tensor],
    targets: Iterable[Operation],
    links: Mapping[Tensor, Tensor] | None = None,
) -> Pruned:
    """Collects what a request needs, depth first, so that values are made shortly before they are used.

    Whoever takes a key of `links` as an input takes what it is mapped to instead. Who waits for a placeholder that is
    fed waits for the feed.

    Raises:
      InvalidArgumentError: a cycle, in a graph without loops. (`ControlFlow` finds those in graphs with loops.)
    """
    found = Pruned(feeds)
    roots = [tensor.op for tensor in fetches if not found.is_fed(tensor)]
    roots.extend(targets)
    by_op, fed = found.by_op, found._fed
    order = found.nodes
    back: tuple[Operation, Operation] | None = None  # an operation, and one that it needs and that needs it
    for root in roots:
        stack = [root]
        while stack:
            op = stack.pop()
            node = by_op.get(op)
            if node is not None:  # what it needs, which lay above it, is done
                if node.number < 0:
                    node.number = len(order)
                    order.append(node)
                    inputs = op.inputs if not links else [links.get(tensor, tensor) for tensor in op.inputs]
                    refs = [(fed[t], 0) if t in fed else (by_op[t.op], t.value_index) for t in inputs]
                    node.inputs = tuple(refs)
                    if op.control_inputs:
                        node.controls = [found.arrivals.get(control) or by_op[control] for control in op.control_inputs]
                continue
            by_op[op] = node = PlanNode(op, op.type, op.name)
            node.number = -1  # not finished
            if op.type in _STRUCTURAL:
                found.has_control_flow = True
            stack.append(op)
            for control in op.control_inputs:
                if control.type in PLACEHOLDERS and control.outputs[0] in fed:
                    if control not in found.arrivals:
                        found.arrive(control)
                    continue
                node = by_op.get(control)
                if node is None:
                    stack.append(control)
                elif node.number < 0:
                    back = back or (op, control)
            inputs = op.inputs if not links else [links.get(tensor, tensor) for tensor in op.inputs]
            for tensor in reversed(inputs):
                if tensor not in fed:
                    source = tensor.op
                    node = by_op.get(source)
                    if node is None:
                        stack.append(source)
                    elif node.number < 0:
                        back = back or (op, source)
    if back is not None and not found.has_control_flow:
        raise _cycle(*back)
    return found


def _cycle(first: Operation, last: Operation) -> errors.OpError:
    """The error of a graph in which `last` needs `first`, and `first` needs `last`."""
    # Back from `first` to `last`, breadth first: the shortest way is the cycle to show.
    came: dict[Operation, Operation | None] = {last: None}
    queue = [last]
    for op in queue:
        for source in (*(tensor.op for tensor in op.inputs), *op.control_inputs):
            if source not in came:
                came[source] = op
                queue.append(source)
    names: list[str] = []
    at: Operation | None = first
    while at is not None:
        names.append(at.name)
        at = came.get(at)
    return cycle_error(names, first)


def cycle_error(names: Sequence[str], op: Operation | None) -> errors.OpError:
    """The error of a graph with a cycle through these nodes that no loop explains."""
    shown = ", ".join(names[:8]) + (" ..." if len(names) > 8 else "")
    text = f"Graph is invalid, contains a cycle with {len(names)} nodes, including: {shown}"
    return errors.InvalidArgumentError(None, op, text)
