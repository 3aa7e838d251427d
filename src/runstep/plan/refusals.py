"""The errors of requests that can't become plans: what is missing, and all of it."""

from __future__ import annotations

import difflib
from collections import deque
from collections.abc import Iterable, Sequence

from runstep import errors
from runstep.graph import shapes
from runstep.graph.dtypes import DType
from runstep.graph.functions import FunctionGraph
from runstep.graph.graph import Graph
from runstep.graph.operation import Operation
from runstep.graph.tensor import Tensor
from runstep.ops import registry
from runstep.plan.node import PlanNode
from runstep.plan.prune import Pruned

_SHOWN = 8
"""Of a longer way through the graph only the ends are shown."""


def placeholder_error(missing: Sequence[Operation], feeds: Sequence[Tensor], pruned: Pruned) -> errors.OpError:
    """The error of a run that needs placeholders that nobody fed: the first as TensorFlow says it, then all of them."""
    op = missing[0]
    error = errors.InvalidArgumentError(op.node_def, op, f"{_ask(op)}\n\t [[{{{{node {op.name}}}}}]]")
    path = _path_from_end(op, pruned)
    if len(path) > 1:
        half = _SHOWN // 2
        error.add_note(
            "Needed by " + " <- ".join(path if len(path) <= _SHOWN else [*path[:half], "...", *path[-half:]])
        )
    if len(missing) > 1:
        error.add_note("Not fed either: " + ", ".join(f"'{other.name}:0'" for other in missing[1:]))
    error.add_note("Fed: " + (", ".join(tensor.name for tensor in feeds) or "nothing"))
    return error


def is_unknown(op: Operation) -> bool:
    """Whether there is no row for this op, and nobody else defined it."""
    return op.op_def is None and registry.get(op.type) is None


def unknown_ops(op: Operation, pruned: Pruned) -> errors.NotFoundError:
    """The error of a run that needs ops that are unknown: `op` as TensorFlow says it, then all of them."""
    error = errors.NotFoundError(
        op.node_def,
        op,
        f"Op type not registered '{op.type}' in this build of runstep: node {op.name} needs it."
        f"{similar(op.type, registry.names())}\n\t [[{{{{node {op.name}}}}}]]",
    )
    users: dict[str, list[str]] = {}
    for node in pruned.nodes:
        if node.op is not None and is_unknown(node.op):
            users.setdefault(node.op.type, []).append(node.op.name)
    if len(users) > 1:
        parts = [
            f"{kind} ({names[0]}{f' and {len(names) - 1} more' * (len(names) > 1)})" for kind, names in users.items()
        ]
        error.add_note(f"Of the ops that this run needs, these are not registered: {', '.join(parts)}")
    return error


_CALLS = ("PartitionedCall", "StatefulPartitionedCall")


def unknown_function(node: PlanNode, name: str, graph: Graph) -> errors.OpError:
    """The error of a node that calls a function that isn't in the library: of the class that TensorFlow's has. Some
    nodes fail only if they run: their error has no operation yet."""
    text = (
        f"Function {name} is not defined: node {node.name} ({node.type}) calls it.{similar(name, graph._functions)} "
        "Add its FunctionDef to the graph's library."
    )
    if node.type in _CALLS and not isinstance(graph, FunctionGraph):
        return errors.InvalidArgumentError(
            None, node.op, f'Failed to find function "{name}" in function library. {text}'
        )
    return errors.NotFoundError(None, None if node.type in ("RemoteCall", "For") else node.op, text)


def _more(names: Sequence[str]) -> str:
    return f" and {len(names) - 1} more" if len(names) > 1 else ""


def _path_from_end(op: Operation, pruned: Pruned) -> list[str]:
    """Names on a shortest way from something that is fetched to `op`, each reading the next."""
    readers: dict[PlanNode, list[PlanNode]] = {}
    for node in pruned.nodes:
        for source, _ in node.inputs:
            readers.setdefault(source, []).append(node)
    start = pruned.by_op.get(op)
    came: dict[PlanNode, PlanNode | None] = {} if start is None else {start: None}
    queue = deque(came)
    while queue:
        node = queue.popleft()
        if node not in readers:
            path = []
            at: PlanNode | None = node
            while at is not None:
                path.append(at.name)
                at = came[at]
            return path
        for reader in readers[node]:
            if reader not in came:
                came[reader] = node
                queue.append(reader)
    return []


def _ask(op: Operation) -> str:
    tensor = op.outputs[0]
    name = word(tensor.dtype)
    shape = f" and shape {shapes.text(tensor.raw_shape)}" if tensor.raw_shape else ""  # a scalar's is not told
    return f"You must feed a value for placeholder tensor '{op.name}' with dtype {name}{shape}"


def similar(name: str, names: Iterable[str]) -> str:
    """Words that offer what may have been meant, or nothing."""
    found = difflib.get_close_matches(name, list(names), n=3)
    return f" Similar: {', '.join(found)}." if found else ""


def word(dtype: DType) -> str:
    """A dtype as TensorFlow's runtime names it."""
    return dtype.name.replace("float32", "float").replace("float64", "double").replace("float16", "half")
