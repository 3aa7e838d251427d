"""Loops in Python: `while_loop`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from runstep.graph import nest, shapes
from runstep.graph.apply import apply, apply_op
from runstep.graph.collections import GraphKeys
from runstep.graph.composite import IndexedSlices, SparseTensor
from runstep.graph.control_flow import WhileContext, checked_predicate, enter, switched
from runstep.graph.convert import constant, convert_to_tensor
from runstep.graph.graph import Graph, get_default_graph, name_scope
from runstep.graph.shapes import TensorShape
from runstep.graph.tensor import Tensor
from runstep.ops.basic import identity
from runstep.ops.control_flow import merge
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
        if maximum_iterations is not None:
            return _limited(
                cond, body, loop_vars, shape_invariants, parallel_iterations, maximum_iterations, return_same_structure
            )
        return _build(cond, body, loop_vars, shape_invariants, parallel_iterations, return_same_structure)


def _limited(
    cond: Any, body: Any, loop_vars: Any, shape_invariants: Any, parallel: int, limit: Any, same_structure: bool
) -> Any:
    limit = convert_to_tensor(limit, name="maximum_iterations")
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
    _, found = _build(limited_cond, limited_body, [counter, loop_vars], invariants, parallel, True)
    if not same_structure and isinstance(found, list | tuple) and len(found) == 1:
        return found[0]
    return found


class _Leaf:
    """A loop variable: how to take it apart into tensors and put it together again."""

    def __init__(self, value: Any) -> None:
        self.array = value if isinstance(value, TensorArray) else None
        self.composite = value if isinstance(value, SparseTensor | IndexedSlices) else None
        if self.array is not None:
            self.tensors = [self.array.flow]
        elif self.composite is not None:
            self.tensors = list(self.composite._component_tensors())
        else:
            self.tensors = [convert_to_tensor(value, as_ref=True)]

    def rebuilt(self, tensors: list[Tensor]) -> Any:
        if self.array is not None:
            return self.array._with_flow(tensors[0])
        if isinstance(self.composite, SparseTensor):
            return SparseTensor(*tensors)
        if self.composite is not None:
            return IndexedSlices(*tensors)
        return tensors[0]


def _build(cond: Any, body: Any, loop_vars: Any, shape_invariants: Any, parallel: int, same_structure: bool) -> Any:
    graph = get_default_graph()
    context = WhileContext(graph, f"{graph.get_name_scope()}/while_context", parallel)
    graph.add_to_collection(GraphKeys.WHILE_CONTEXT, context)
    leaves = [_Leaf(value) for value in nest.flatten(loop_vars)]
    originals = [tensor for leaf in leaves for tensor in leaf.tensors]
    invariants = _invariants(loop_vars, leaves, shape_invariants)
    outer = context.outer_context
    if outer is not None:
        originals = [outer.add_value(tensor) for tensor in originals]
    controllers = graph._scope.controllers
    with graph._in(controllers=()):
        entered = [
            enter(tensor, context.frame_name, False, parallel)
            if outer is None
            else _inside(outer, lambda t=tensor: enter(t, context.frame_name, False, parallel))
            for tensor in originals
        ]
    for tensor, invariant in zip(entered, invariants, strict=True):
        graph._unfeedable.add(tensor)
        graph._unfetchable.discard(tensor.op)
        tensor.raw_shape = invariant
        context.wait_outside(tensor.op, controllers)
        context._adopt(tensor.op)
    context.loop_enters = entered
    return _turns(graph, context, cond, body, loop_vars, leaves, entered, same_structure)


def _inside(context: Any, make: Any) -> Any:
    with context.entered():
        return make()


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
    with context.entered():
        with graph._in(control_flow_context=_Bare(context)):
            merged = [_first_merge(tensor) for tensor in entered]
        context.pivot_for_pred = merged[0].op
        result = _call(cond, _packed(loop_vars, leaves, merged))
        condition = checked_predicate(convert_to_tensor(result) if isinstance(result, bool) else result)
        condition = context.add_value(condition)
        gate = apply("LoopCond", condition, name="LoopCond")
        switches = []
        for tensor in merged:
            with graph._in(control_flow_context=_Bare(context)):
                switches.append(switched(tensor, gate))
        turn = [identity(true) if not true.dtype.is_ref else apply("RefIdentity", true) for _, true in switches]
        context.pivot_for_body = turn[0].op
        found = _call(body, _packed(loop_vars, leaves, turn))
        nexts = _next_values(context, loop_vars, leaves, found)
        for enter_tensor, merge_tensor, value in zip(entered, merged, nexts, strict=True):
            _go_round(graph, context, enter_tensor, merge_tensor, value)
    context.loop_exits = exits = []
    outer = context.outer_context
    for false, _ in switches:
        kind = "RefExit" if false.dtype.is_ref else "Exit"
        with graph._in(control_flow_context=_Leaving(context)):
            exits.append(apply(kind, false, name="Exit"))
    for tensor in exits:
        graph._unfetchable.discard(tensor.op)
        graph._unfeedable.discard(tensor)
        tensor.op._control_flow_context = outer
        if outer is not None:
            outer._adopt(tensor.op)
            graph._unfeedable.add(tensor)
            graph._unfetchable.add(tensor.op)
    packed = _packed(loop_vars, leaves, exits)
    if not same_structure and isinstance(packed, list | tuple) and not hasattr(packed, "_fields") and len(packed) == 1:
        return packed[0]
    return packed


class _Bare:
    """The context of the operations that make up the loop itself: inside it, but their inputs are taken as they are."""

    def __init__(self, context: WhileContext) -> None:
        self._context = context

    def prepare(self, name: str, inputs: Any) -> Any:
        return tuple(inputs)

    def added(self, op: Any) -> None:
        op.control_inputs = ()
        self._context._adopt(op)
        for tensor in op.outputs:
            op.graph._unfeedable.add(tensor)
        op.graph._unfetchable.add(op)


class _Leaving(_Bare):
    """The context of Exits: they take values from inside and are outside themselves."""

    def added(self, op: Any) -> None:
        op.control_inputs = ()


def _first_merge(tensor: Tensor) -> Tensor:
    # The second input is the value of the next turn, which does not exist yet.
    output, _ = merge([tensor, tensor], name="Merge")
    output.raw_shape = tensor.raw_shape
    output._handle_data = tensor._handle_data
    return output


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


def _go_round(graph: Graph, context: WhileContext, entered: Tensor, merged: Tensor, value: Tensor) -> None:
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
    kind = "RefNextIteration" if value.dtype.is_ref and merged.dtype.is_ref else "NextIteration"
    with graph._in(control_flow_context=_Bare(context)):
        again = apply_op(kind, value, name="NextIteration")
    merged.op.inputs = (merged.op.inputs[0], again.outputs[0])


def _start_name(entered: Tensor) -> str:
    """The name of the outer tensor that a loop variable starts with."""
    return entered.op.inputs[0].name
