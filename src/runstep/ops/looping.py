"""Loops in Python: `while_loop`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from runstep.graph import nest
from runstep.graph.apply import apply
from runstep.graph.collections import GraphKeys
from runstep.graph.control_flow import WhileContext, checked_predicate
from runstep.graph.convert import constant, convert_to_tensor
from runstep.graph.graph import Graph, get_default_graph, name_scope
from runstep.graph.shapes import TensorShape
from runstep.graph.tensor import Tensor
from runstep.ops.basic import identity
from runstep.ops.loop_structure import Leaf, called, check_next, invariants_of, next_values, packed
from runstep.ops.loop_variables import enter_variables, first_merge, gated, go_round, leave

__all__ = ["while_loop"]


def while_loop(
    cond: Callable[..., Any],
    body: Callable[..., Any],
    loop_vars: Any,
    shape_invariants: Any = None,
    parallel_iterations: int = 10,
    back_prop: bool = True,
    swap_memory: bool = False,
    name: str | None = None,
    maximum_iterations: Any = None,
    return_same_structure: bool = False,
) -> Any:
    """Runs `body` again and again while `cond` holds (source: tf.while_loop).

    Args:
      cond: from the loop variables to a boolean scalar. body: from the loop variables to their next values.
      loop_vars: a nested structure of tensors, TensorArrays, SparseTensors: the variables before the first turn.
      shape_invariants: the same structure of TensorShapes, for variables whose shape changes from turn to turn.
      parallel_iterations: a positive int; kept in the graph (turns run one after the other here).
      back_prop, swap_memory: accepted; gradients decide what they keep.
      maximum_iterations: stop after so many turns even if `cond` still holds.
      return_same_structure: return a list of one variable as a list.

    Returns:
      The variables after the last turn.

    Raises:
      TypeError: cond or body is not callable, dtypes change. ValueError: loop_vars is empty, structures or shapes
        differ.
    """
    if not callable(cond):
        raise TypeError("'cond' must be callable.")
    if not callable(body):
        raise TypeError("'body' must be callable.")
    if parallel_iterations < 1:
        raise TypeError("'parallel_iterations' must be a positive integer.")
    loop_vars = list(loop_vars) if isinstance(loop_vars, list) else loop_vars
    if not nest.flatten(loop_vars) and not isinstance(loop_vars, Tensor):
        raise ValueError("'loop_vars' must be provided.")
    with name_scope(name, "while", nest.flatten(loop_vars)) as scope:
        graph = get_default_graph()
        if graph._functional_flow:
            from runstep.ops.functional_while import functional_while

            return functional_while(
                cond,
                body,
                loop_vars,
                shape_invariants,
                parallel_iterations,
                back_prop,
                maximum_iterations,
                return_same_structure,
                scope,
            )
        limit = None
        if maximum_iterations is not None:
            limit = convert_to_tensor(maximum_iterations, name="maximum_iterations")
        context = WhileContext(
            graph, f"{graph.get_name_scope()}/while_context", parallel_iterations, back_prop, swap_memory, limit
        )
        if limit is not None:
            return _limited(context, cond, body, loop_vars, shape_invariants, limit, return_same_structure)
        return _build(context, cond, body, loop_vars, shape_invariants, return_same_structure)


def _limited(
    context: WhileContext,
    cond: Any,
    body: Any,
    loop_vars: Any,
    shape_invariants: Any,
    limit: Tensor,
    same_structure: bool,
) -> Any:
    if limit.raw_shape not in ((), None):
        raise ValueError(f"`maximum_iterations` must be a scalar. Received shape {limit.get_shape()}")
    counter = constant(0, dtype=limit.dtype, name="iteration_counter")
    single = not nest.is_nested(loop_vars) or (len(nest.flatten(loop_vars)) == 1 and not isinstance(loop_vars, dict))
    if single and not nest.is_nested(loop_vars):
        loop_vars = [loop_vars]

    def limited_cond(i: Tensor, values: Any) -> Tensor:
        return apply("LogicalAnd", apply("Less", i, limit), cond(*values))

    def limited_body(i: Tensor, values: Any) -> tuple[Any, Any]:
        again = i + 1
        found = body(*values)
        if not nest.is_nested(found) or (single and not isinstance(found, type(values))):
            found = type(values)([found]) if isinstance(values, list | tuple) else found
        elif isinstance(values, list | tuple) and type(found) is not type(values) and not hasattr(values, "_fields"):
            found = type(values)(found)
        return again, found

    invariants = None if shape_invariants is None else [TensorShape([]), shape_invariants]
    _, found = _build(context, limited_cond, limited_body, [counter, loop_vars], invariants, True)
    if not same_structure and isinstance(found, list | tuple) and len(found) == 1:
        return found[0]
    return found


def _build(
    context: WhileContext, cond: Any, body: Any, loop_vars: Any, shape_invariants: Any, same_structure: bool
) -> Any:
    graph = context.graph
    leaves = [Leaf(value) for value in nest.flatten(loop_vars)]
    originals = [tensor for leaf in leaves for tensor in leaf.tensors]
    invariants = invariants_of(loop_vars, leaves, shape_invariants)
    outer = context.outer_context
    if outer is not None:
        originals = [outer.add_value(tensor) for tensor in originals]
    entered = enter_variables(context, originals, invariants)
    context.loop_enters = entered
    if outer is None:
        graph.add_to_collection(GraphKeys.WHILE_CONTEXT, context)
    return _turns(graph, context, cond, body, loop_vars, leaves, entered, same_structure)


def _turns(
    graph: Graph,
    context: WhileContext,
    cond: Any,
    body: Any,
    loop_vars: Any,
    leaves: list[Leaf],
    entered: list[Tensor],
    same_structure: bool,
) -> Any:
    merged = [first_merge(context, tensor) for tensor in entered]
    with context.entered():
        context.pivot_for_pred = merged[0].op
        result = called(cond, packed(loop_vars, leaves, merged))
        condition = checked_predicate(convert_to_tensor(result) if isinstance(result, bool) else result)
        context.gate = apply("LoopCond", context.add_value(condition), name="LoopCond")
        switches = [gated(context, tensor) for tensor in merged]
        turn = [identity(true) if not true.dtype.is_ref else apply("RefIdentity", true) for _, true in switches]
        context.pivot_for_body = turn[0].op
        found = called(body, packed(loop_vars, leaves, turn))
        nexts = [context.add_value(value) for value in next_values(loop_vars, leaves, found)]
        for enter_tensor, merge_tensor, value in zip(entered, merged, nexts, strict=True):
            check_next(enter_tensor.op.inputs[0], merge_tensor, value)
            go_round(context, merge_tensor, value)
    context.loop_exits = exits = [leave(context, false) for false, _ in switches]
    result = packed(found if nest.is_nested(found) else [found], leaves, exits)
    if not same_structure and isinstance(result, list | tuple) and not hasattr(result, "_fields") and len(result) == 1:
        return result[0]
    return result
