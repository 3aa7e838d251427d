"""Loops inside of functions: `while_loop` as a While of two functions, as TensorFlow makes it there.

loop_counter, maximum_iterations, variables..., outer tensors... -> the same after the last turn
"""

from __future__ import annotations

from typing import Any

from runstep.graph import dtypes, nest
from runstep.graph.apply import apply
from runstep.graph.control_flow import checked_predicate
from runstep.graph.convert import constant, convert_to_tensor
from runstep.graph.functions import FunctionGraph, function_named
from runstep.graph.graph import Graph, get_default_graph
from runstep.graph.shapes import RawShape
from runstep.graph.tensor import Tensor
from runstep.graph.tracing import traced
from runstep.ops.basic import stop_gradient
from runstep.ops.bodies import added, defined, label_of, share_inputs
from runstep.ops.loop_structure import Leaf, called, check_next, invariants_of, next_values, packed

_OWN = 2  # the variables that every loop has


def functional_while(
    cond: Any,
    body: Any,
    loop_vars: Any,
    shape_invariants: Any,
    parallel_iterations: int,
    back_prop: bool,
    maximum_iterations: Any,
    same_structure: bool,
    scope: str,
) -> Any:
    """See `while_loop`. `scope` is the name scope, and the name of the node."""
    graph = get_default_graph()
    most = -1 if maximum_iterations is None else maximum_iterations
    limit = convert_to_tensor(most, dtypes.int32, name="maximum_iterations")
    leaves = [Leaf(value) for value in nest.flatten(loop_vars)]
    starts = [constant(0, name="loop_counter"), limit, *(tensor for leaf in leaves for tensor in leaf.tensors)]
    shapes = [(), limit.raw_shape, *invariants_of(loop_vars, leaves, shape_invariants)]

    def goes_on(own: list[Tensor], variables: list[Tensor]) -> Tensor:
        result = called(cond, packed(loop_vars, leaves, variables))
        holds = checked_predicate(convert_to_tensor(result) if isinstance(result, bool) else result)
        if maximum_iterations is None:
            return holds
        more: Tensor = apply("LogicalAnd", apply("Less", *own), holds)
        return more

    structure: Any = None

    def turn(own: list[Tensor], variables: list[Tensor]) -> list[Tensor]:
        nonlocal structure
        structure = called(body, packed(loop_vars, leaves, variables))
        found = next_values(loop_vars, leaves, structure)
        for start, before, after in zip(starts[_OWN:], variables, found, strict=True):
            check_next(start, before, after)
        return [apply("AddV2", own[0], 1), own[1], *found]

    label = label_of(scope)
    bodies = [
        _traced(graph, f"{label}_{what}", starts, shapes, function)
        for what, function in (("cond", goes_on), ("body", turn))
    ]
    outer = share_inputs(bodies, len(starts))
    bodies[1].outputs += bodies[1].inputs[len(starts) :]
    inputs = [*starts, *outer]
    (condition, again), stateful = defined(graph, bodies)
    function_named(graph, again.name).count = 0
    made = added(
        graph,
        "While" if stateful else "StatelessWhile",
        (inputs,),
        bodies,
        scope,
        cond=condition,
        body=again,
        output_shapes=[*shapes, *(tensor.raw_shape for tensor in outer)],
        parallel_iterations=parallel_iterations,
        _num_original_outputs=len(inputs),
    )
    ends = made[_OWN : len(starts)]
    if not back_prop:
        ends = [stop_gradient(end) for end in ends]
    found = packed(structure if nest.is_nested(structure) else [structure], leaves, ends)
    if not same_structure and isinstance(found, list | tuple) and not hasattr(found, "_fields") and len(found) == 1:
        return found[0]
    return found


def _traced(graph: Graph, name: str, starts: list[Tensor], shapes: list[RawShape], function: Any) -> FunctionGraph:
    """The body of a function of all variables, the loop's own apart."""

    def build(variables: list[Tensor]) -> Any:
        for variable, start in zip(variables, starts, strict=True):
            variable._handle_data = start._handle_data
        return function(variables[:_OWN], variables[_OWN:])

    pairs = enumerate(zip(starts, shapes, strict=True))
    arguments = [(f"arg_{i}", start.dtype.base_dtype, raw) for i, (start, raw) in pairs]
    return traced(graph, name, arguments, build)[0]
