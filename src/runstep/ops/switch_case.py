"""One of several branches, by number: `switch_case`, a `Case` of functions as TensorFlow makes it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from runstep.graph import nest
from runstep.graph.apply import apply
from runstep.graph.functions import FunctionGraph, define, function_named, unused_name
from runstep.graph.graph import Graph, get_default_graph, name_scope
from runstep.graph.operation import Operation
from runstep.graph.shapes import common
from runstep.graph.tensor import Tensor
from runstep.graph.tracing import captured, packed, traced
from runstep.ops.basic import identity

__all__ = ["switch_case"]

Branch = Callable[[], Any]


def switch_case(
    branch_index: Any,
    branch_fns: Any,
    default: Branch | None = None,
    name: str = "switch_case",
) -> Any:
    """The outputs of the function with the number `branch_index`; only that one runs (source: tf.switch_case).

    Args:
      branch_index: an int32 scalar tensor.
      branch_fns: functions of no arguments that return tensors in one nested structure: a list, or a dict or list of
        pairs by their numbers, which must be 0 to n-1. An Operation among the outputs becomes a number.
      default: what runs where no function has the number; without it, the last one does.

    Raises:
      TypeError: the index or a function is none, or the functions differ in the structure or the dtypes of what they
      return. ValueError: numbers are missing or there are several of one; one function returns None.
    """
    branches = _numbered(branch_index, branch_fns)
    if default is not None:
        branches.append(default)
    graph = get_default_graph()
    with name_scope(name, "case", [branch_index]), name_scope("indexed_case") as inside:
        label = inside.rstrip("/").replace("/", "_")
        bodies, structures = [], []
        for number, branch in enumerate(branches):
            body, structure = _traced(graph, f"{label}_branch{number}", branch, branch_index)
            bodies.append(body)
            structures.append(structure)
        _check_alike(bodies, structures)
        inputs = _share_inputs(bodies)
        outputs = zip(*(body.outputs for body in bodies), strict=True)
        shapes = [common([output.raw_shape for output in alike]) for alike in outputs]
        names = [define(graph, body, unused_name(graph, body.name)) for body in bodies]
        stateful = any(function_named(graph, name.name).definition.signature.is_stateful for name in names)
        found = apply(
            "Case" if stateful else "StatelessCase",
            branch_index,
            inputs,
            Tout=[tensor.dtype for tensor in bodies[0].outputs],
            branches=names,
            output_shapes=shapes,
            name=inside,
        )
        made = [found] if isinstance(found, Tensor) else [] if isinstance(found, Operation) else list(found)
        op = graph.get_operation_by_name(inside[:-1])
        op.attrs = {**op.attrs, "_lower_using_switch_merge": True}
        graph._unfetchable.add(op)
        results = []
        for tensor, inner, shape in zip(made, bodies[0].outputs, shapes, strict=True):
            tensor.raw_shape = shape
            tensor._handle_data = inner._handle_data
            results.append(identity(tensor))
        return packed(structures[0], results)


def _numbered(branch_index: Any, branch_fns: Any) -> list[Branch]:
    """The functions in the order of their numbers."""
    if not isinstance(branch_index, Tensor):
        raise TypeError(f"'branch_index' must be a Tensor, got {type(branch_index)}")
    if not branch_index.dtype.is_integer:
        raise TypeError(f"'branch_index' must be an integer Tensor, got {branch_index.dtype}")
    if not branch_fns:
        raise ValueError("Must provide at least one item in 'branch_fns'")
    if not isinstance(branch_fns, list | tuple | dict):
        raise TypeError("'branch_fns' must be a list, tuple, or dict")
    if isinstance(branch_fns, dict):
        branch_fns = list(branch_fns.items())
    elif all(callable(branch) for branch in branch_fns):
        branch_fns = list(enumerate(branch_fns))
    for pair in branch_fns:
        if not isinstance(pair, tuple) or len(pair) != 2:
            raise TypeError(f"Each entry in 'branch_fns' must be a 2-tuple. Received {pair}.")
        if not isinstance(pair[0], int):
            raise TypeError(f"key must be a Python `int`, got {type(pair[0])}")
        if not callable(pair[1]):
            raise TypeError(f"fn for key {pair[0]} must be callable.")
    numbers = [number for number, _ in branch_fns]
    if sorted(numbers) != list(range(len(numbers))):
        raise ValueError(
            f"branch indices (keys) must form contiguous range of [0 to {len(numbers)}) but found "
            f"{{{','.join(map(str, sorted(numbers)))}}}"
        )
    return [branch for _, branch in sorted(branch_fns, key=lambda pair: int(pair[0]))]


def _traced(graph: Graph, name: str, branch: Branch, branch_index: Tensor) -> tuple[FunctionGraph, Any]:
    def once_run(leaf: Any) -> Any:
        """The number of the branch, once the operation has run, stands for it."""
        if not isinstance(leaf, Operation):
            return leaf
        with get_default_graph().control_dependencies([leaf]):
            return identity(branch_index)

    return traced(graph, name, [], lambda _: nest.map_structure(once_run, branch()))


def _check_alike(bodies: Sequence[FunctionGraph], structures: Sequence[Any]) -> None:
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
                f"branches[0] and branches[{i}] arguments to tf.switch_case must have the same number, type, and "
                f"overall structure of return values.\n\nbranches[0] output: {structures[0]}\n"
                f"branches[{i}] output: {structure}\n\nError details:\n{error}"
            ) from None
        if len(body.outputs) != len(first):
            raise ValueError(
                f"Lengths of branch outputs of case must match.\nlen(graphs[0].outputs): {len(first)}\n"
                f"len(graphs[{i}].outputs): {len(body.outputs)}\n"
            )


def _is_plain(a: Any, b: Any) -> bool:
    """Whether both are one tensor: Tensors, arrays, numbers."""
    return not any(hasattr(value, "_component_tensors") for value in (a, b))


def _share_inputs(bodies: Sequence[FunctionGraph]) -> list[Tensor]:
    """Makes the functions take the same arguments: what any of them uses from outside. Returns that."""
    wanted = list(dict.fromkeys(tensor for body in bodies for tensor in captured(body, 0)))
    for body in bodies:
        body.inputs = [body.capture(tensor) for tensor in wanted]
    return wanted
