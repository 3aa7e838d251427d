"""Loops in Python: `while_loop`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from runstep.graph import nest, shapes
from runstep.graph.apply import apply
from runstep.graph.collections import GraphKeys
from runstep.graph.composite import SparseTensor
from runstep.graph.control_flow import WhileContext, checked_predicate
from runstep.graph.convert import constant, convert_to_tensor
from runstep.graph.graph import Graph, get_default_graph, name_scope
from runstep.graph.shapes import TensorShape
from runstep.graph.tensor import Tensor
from runstep.ops.basic import identity
from runstep.ops.loop_variables import enter_variables, first_merge, gated, go_round, leave
from runstep.ops.tensor_array import TensorArray

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
    with name_scope(name, "while", nest.flatten(loop_vars)):
        limit = None
        if maximum_iterations is not None:
            limit = convert_to_tensor(maximum_iterations, name="maximum_iterations")
        graph = get_default_graph()
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


class _Leaf:
    """A loop variable: how to take it apart into tensors and put it together again."""

    def __init__(self, value: Any) -> None:
        self.array = value if isinstance(value, TensorArray) else None
        self.composite = value if hasattr(value, "_component_tensors") else None
        if self.array is not None:
            self.tensors = [self.array.flow]
        elif self.composite is not None:
            self.tensors = list(self.composite._component_tensors())
        else:
            self.tensors = [convert_to_tensor(value)]

    def rebuilt(self, tensors: list[Tensor]) -> Any:
        if self.array is not None:
            return self.array._with_flow(tensors[0])
        if self.composite is not None:
            return self.composite._with_components(tensors)
        return tensors[0]


def _build(
    context: WhileContext, cond: Any, body: Any, loop_vars: Any, shape_invariants: Any, same_structure: bool
) -> Any:
    graph = context.graph
    leaves = [_Leaf(value) for value in nest.flatten(loop_vars)]
    originals = [tensor for leaf in leaves for tensor in leaf.tensors]
    invariants = _invariants(loop_vars, leaves, shape_invariants)
    outer = context.outer_context
    if outer is not None:
        originals = [outer.add_value(tensor) for tensor in originals]
    entered = enter_variables(context, originals, invariants)
    context.loop_enters = entered
    if outer is None:
        graph.add_to_collection(GraphKeys.WHILE_CONTEXT, context)
    return _turns(graph, context, cond, body, loop_vars, leaves, entered, same_structure)


def _invariants(loop_vars: Any, leaves: list[_Leaf], given: Any) -> list[Any]:
    found: list[Any] = []
    if given is None:
        return [tensor.raw_shape for leaf in leaves for tensor in leaf.tensors]
    flat = [x for x in _flat_shapes(loop_vars, given)]
    for leaf, shape in zip(leaves, flat, strict=True):
        raw = shapes.as_raw(shape) if not isinstance(shape, TensorShape) else shape.raw
        if leaf.array is not None:
            found.append(())
        elif leaf.composite is not None:
            rank = None if raw is None else len(raw)
            found.extend(
                [(None, rank), (None,), (rank,)]
                if isinstance(leaf.composite, SparseTensor)
                else [None] * len(leaf.tensors)
            )
        else:
            start = leaf.tensors[0].raw_shape
            if raw is not None and (start is None or not _less_specific(raw, start)):
                raise ValueError(
                    f"The shape invariant specified for {leaf.tensors[0].name} is not compatible with the initial "
                    "shape of the "
                    f"loop variable. It enters the loop with shape {TensorShape.from_raw(start)}, but the specified "
                    f"shape invariant is {TensorShape.from_raw(raw)}."
                )
            found.append(raw)
    return found


def _flat_shapes(structure: Any, given: Any) -> list[Any]:
    """The shapes of `given` in the order of the leaves of `structure`; a TensorShape or a list of sizes is one
    shape."""
    if not nest.is_nested(structure):
        return [given]
    items = list(structure.values()) if isinstance(structure, dict) else list(structure)
    parts = list(given.values()) if isinstance(given, dict) else list(given)
    if len(items) != len(parts):
        raise ValueError("'shape_invariants' and 'loop_vars' must have the same structure.")
    return [shape for item, part in zip(items, parts, strict=True) for shape in _flat_shapes(item, part)]


def _less_specific(general: Any, special: Any) -> bool:
    if general is None:
        return True
    if special is None or len(general) != len(special):
        return False
    return all(a is None or a == b for a, b in zip(general, special, strict=True))


def _turns(
    graph: Graph,
    context: WhileContext,
    cond: Any,
    body: Any,
    loop_vars: Any,
    leaves: list[_Leaf],
    entered: list[Tensor],
    same_structure: bool,
) -> Any:
    merged = [first_merge(context, tensor) for tensor in entered]
    with context.entered():
        context.pivot_for_pred = merged[0].op
        result = _call(cond, _packed(loop_vars, leaves, merged))
        condition = checked_predicate(convert_to_tensor(result) if isinstance(result, bool) else result)
        context.gate = apply("LoopCond", context.add_value(condition), name="LoopCond")
        switches = [gated(context, tensor) for tensor in merged]
        turn = [identity(true) if not true.dtype.is_ref else apply("RefIdentity", true) for _, true in switches]
        context.pivot_for_body = turn[0].op
        found = _call(body, _packed(loop_vars, leaves, turn))
        nexts = _next_values(context, loop_vars, leaves, found)
        for enter_tensor, merge_tensor, value in zip(entered, merged, nexts, strict=True):
            _check_next(enter_tensor, merge_tensor, value)
            go_round(context, merge_tensor, value)
    context.loop_exits = exits = [leave(context, false) for false, _ in switches]
    packed = _packed(found if nest.is_nested(found) else [found], leaves, exits)
    if not same_structure and isinstance(packed, list | tuple) and not hasattr(packed, "_fields") and len(packed) == 1:
        return packed[0]
    return packed


def _packed(structure: Any, leaves: list[_Leaf], tensors: list[Tensor]) -> Any:
    values, start = [], 0
    for leaf in leaves:
        count = len(leaf.tensors)
        values.append(leaf.rebuilt(tensors[start : start + count]))
        start += count
    return nest.pack_sequence_as(structure, values)


def _call(function: Any, values: Any) -> Any:
    if isinstance(values, list | tuple):
        return function(*values)
    return function(**values) if isinstance(values, dict) else function(values)


def _next_values(context: WhileContext, loop_vars: Any, leaves: list[_Leaf], found: Any) -> list[Tensor]:
    if not nest.is_nested(found) or (
        len(leaves) == 1 and not isinstance(loop_vars, dict) and len(nest.flatten(found)) == 1
    ):
        values = nest.flatten(found)
    else:
        if isinstance(loop_vars, list | tuple) and isinstance(found, list | tuple) and len(found) == len(loop_vars):
            for before, after in zip(loop_vars, found, strict=True):
                nest.assert_same_structure(before, after)
        else:
            nest.assert_same_structure(loop_vars, found)
        values = nest.flatten(found)
    if len(values) != len(leaves):
        raise ValueError(
            f"The number of inputs and outputs of body must be the same: it took {len(leaves)} loop variables and "
            f"returned {len(values)}."
        )
    tensors: list[Tensor] = []
    for leaf, value in zip(leaves, values, strict=True):
        wanted = leaf.tensors[0].dtype.base_dtype
        if leaf.array is None and leaf.composite is None and not isinstance(value, Tensor):
            try:
                value = convert_to_tensor(value, wanted, as_ref=False)
            except (TypeError, ValueError):
                value = convert_to_tensor(value)
        parts = _Leaf(value).tensors
        tensors.extend(context.add_value(part) for part in parts)
    return tensors


def _check_next(entered: Tensor, merged: Tensor, value: Tensor) -> None:
    if value.dtype.base_dtype is not merged.dtype.base_dtype:
        raise TypeError(
            f"Input tensor '{_start_name(entered)}' enters the loop with type {merged.dtype.base_dtype.name}, but has "
            f"type {value.dtype.base_dtype.name} after one iteration."
        )
    if not _less_specific(merged.raw_shape, value.raw_shape):
        raise ValueError(
            f"Input tensor '{_start_name(entered)}' enters the loop with shape {merged.get_shape()}, but has shape "
            f"{value.get_shape()} after one iteration. To allow the shape to vary across iterations, use the "
            "`shape_invariants` argument of tf.while_loop to specify a less-specific shape."
        )


def _start_name(entered: Tensor) -> str:
    """The name of the outer tensor that a loop variable starts with."""
    return entered.op.inputs[0].name
