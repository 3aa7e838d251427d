"""The bodies of branches and loops as functions: what `Case`, `If` and `While` are made of.

Inside of functions TensorFlow builds branches and loops so, and `switch_case` everywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from runstep.graph import nest
from runstep.graph.apply import apply
from runstep.graph.attr_value import NameAttrs
from runstep.graph.functions import FunctionGraph, define, function_named, unused_name
from runstep.graph.graph import Graph, get_default_graph
from runstep.graph.operation import Operation
from runstep.graph.shapes import RawShape, common
from runstep.graph.tensor import Tensor
from runstep.graph.tracing import captured, packed, traced
from runstep.ops.basic import identity
from runstep.ops.handles import common_data

Branch = Callable[[], Any]


def label_of(scope: str) -> str:
    """What the names of functions made in a name scope begin with."""
    return scope.rstrip("/").replace("/", "_")


def traced_branch(graph: Graph, name: str, branch: Branch, selector: Tensor) -> tuple[FunctionGraph, Any]:
    """The body of a branch and what it returned. `selector`, once it has run, stands for an Operation."""

    def once_run(leaf: Any) -> Any:
        if not isinstance(leaf, Operation):
            return leaf
        with get_default_graph().control_dependencies([leaf]):
            return identity(selector)

    return traced(graph, name, [], lambda _: nest.map_structure(once_run, branch()))


def check_alike(
    bodies: Sequence[FunctionGraph], structures: Sequence[Any], names: Sequence[str], caller: str, kind: str
) -> None:
    """That all branches return the same: TypeError for other structures or types, ValueError for other numbers."""
    first = bodies[0].outputs
    for i, (body, structure) in enumerate(zip(bodies, structures, strict=True)):
        try:
            nest.assert_same_structure(structures[0], structure)
            for a, b in zip(nest.flatten(structures[0]), nest.flatten(structure), strict=True):
                if type(a) is not type(b) and (a is None) == (b is None) and not _is_plain(a, b):
                    raise TypeError(f"{a!r} and {b!r} are of different kinds.")
            if len(body.outputs) == len(first):
                for a, b in zip(first, body.outputs, strict=True):
                    if a.dtype is not b.dtype:
                        raise TypeError(f"{a.dtype.name} and {b.dtype.name} are different types.")
        except (TypeError, ValueError) as error:
            raise TypeError(
                f"{names[0]} and {names[i]} arguments to {caller} must have the same number, type, and overall "
                f"structure of return values.\n\n{names[0]} output: {structures[0]}\n{names[i]} output: {structure}\n\n"
                f"Error details:\n{error}"
            ) from None
        if len(body.outputs) != len(first):
            raise ValueError(
                f"Lengths of branch outputs of {kind} must match.\nlen(graphs[0].outputs): {len(first)}\n"
                f"len(graphs[{i}].outputs): {len(body.outputs)}\n"
            )


def _is_plain(a: Any, b: Any) -> bool:
    """Whether both are one tensor: Tensors, arrays, numbers."""
    return not any(hasattr(value, "_component_tensors") for value in (a, b))


def share_inputs(bodies: Sequence[FunctionGraph], explicit: int = 0) -> list[Tensor]:
    """Makes the functions take the same arguments after the explicit ones: what any uses from outside. Returns that."""
    wanted = list(dict.fromkeys(tensor for body in bodies for tensor in captured(body, explicit)))
    for body in bodies:
        body.inputs = [*body.inputs[:explicit], *(body.capture(tensor) for tensor in wanted)]
    return wanted


def defined(graph: Graph, bodies: Sequence[FunctionGraph]) -> tuple[list[NameAttrs], bool]:
    """What nodes call the functions of these bodies by, and whether any of them is stateful."""
    names = [define(graph, body, unused_name(graph, body.name)) for body in bodies]
    return names, any(function_named(graph, name.name).definition.signature.is_stateful for name in names)


def added(
    graph: Graph, kind: str, inputs: Sequence[Any], bodies: Sequence[FunctionGraph], scope: str, **attrs: Any
) -> list[Tensor]:
    """The outputs of the node that calls `bodies`, named as the scope. It waits for what is awaited in them."""
    with graph.control_dependencies([op for body in bodies for op in body.awaited]):
        found = apply(kind, *inputs, name=scope, **attrs)
    op = graph.get_operation_by_name(scope.rstrip("/"))
    op.attrs = {**op.attrs, "_lower_using_switch_merge": True}
    return [found] if isinstance(found, Tensor) else [] if isinstance(found, Operation) else list(found)


def chosen(
    graph: Graph,
    kind: str,
    selector: Tensor,
    bodies: Sequence[FunctionGraph],
    structure: Any,
    scope: str,
    functions: Callable[[list[NameAttrs]], dict[str, Any]],
) -> Any:
    """What one of several branches returns, in their structure: the outputs of a node of this kind.

    Args:
      functions: the attributes that say which functions are called.
    """
    inputs = share_inputs(bodies)
    outputs = list(zip(*(body.outputs for body in bodies), strict=True))
    shapes: list[RawShape] = [common([output.raw_shape for output in alike]) for alike in outputs]
    names, stateful = defined(graph, bodies)
    made = added(
        graph,
        kind if stateful else f"Stateless{kind}",
        (selector, inputs),
        bodies,
        scope,
        Tout=[tensor.dtype for tensor in bodies[0].outputs],
        output_shapes=shapes,
        **functions(names),
    )
    graph._unfetchable.add(graph.get_operation_by_name(scope.rstrip("/")))
    results = []
    for tensor, alike, shape in zip(made, outputs, shapes, strict=True):
        tensor.raw_shape = shape
        tensor._handle_data = common_data(alike)
        results.append(identity(tensor))
    return packed(structure, results)
