"""Values of the turns of loops on tensor lists, where the way back may be another function: no stack goes there.

A list is a value, which goes through all loops and branches between where it begins and where something is pushed:

    forward turn i:   list = push(list, v)
    backward turn:    list, v = pop(list)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from runstep.graph import dtypes
from runstep.graph.apply import apply
from runstep.graph.control_flow import CondContext, ControlFlowContext, WhileContext, placed, switched
from runstep.graph.convert import constant
from runstep.graph.shapes import RawShape
from runstep.graph.tensor import Tensor
from runstep.ops.control_flow import merge
from runstep.ops.loop_variables import enter_variables, first_merge, gated, go_round, leave


def begun(like: Tensor) -> Tensor:
    """An empty list for values like this one."""
    found: Tensor = apply("EmptyTensorList", _size(like.raw_shape), -1, element_dtype=like.dtype.base_dtype)
    found._handle_data = ((like.raw_shape, like.dtype.base_dtype),)
    return found


def pushed(tensor: Tensor, handle: Tensor, contexts: Sequence[ControlFlowContext]) -> Tensor:
    """The list with all that `tensor` has been when the first of `contexts` has ended; it is made in the last one."""

    def push(inner: Tensor) -> Tensor:
        longer: Tensor = apply("TensorListPushBack", inner, tensor)
        longer._handle_data = handle._handle_data
        return longer

    return _through(contexts, handle, push)


def popped(like: Tensor, handle: Tensor, contexts: Sequence[ControlFlowContext]) -> Tensor:
    """The values of the list, the last one first, each in a turn of the last of `contexts`."""
    found: list[Tensor] = []

    def pop(inner: Tensor) -> Tensor:
        shorter, value = apply("TensorListPopBack", inner, _size(like.raw_shape), element_dtype=like.dtype.base_dtype)
        shorter._handle_data = handle._handle_data
        found.append(value)
        return shorter

    _through(contexts, handle, pop)
    return found[0]


def _size(raw: RawShape) -> Tensor:
    return constant(-1 if raw is None else [-1 if size is None else size for size in raw], dtype=dtypes.int32)


def _through(contexts: Sequence[ControlFlowContext], handle: Tensor, change: Callable[[Tensor], Tensor]) -> Tensor:
    """The list behind the first of `contexts` when each turn or branch of the last one changes it."""
    if not contexts:
        return change(handle)
    context, *inner = contexts
    graph = context.graph
    if isinstance(context, WhileContext):
        (entered,) = enter_variables(context, [handle], [()], "list")
        merged = first_merge(context, entered)
        done, turn = gated(context, merged)
        with placed(graph, context):
            after = _through(inner, turn, change)
        go_round(context, merged, after)
        return leave(context, done, "list")
    assert isinstance(context, CondContext)
    with placed(graph, context):
        after = _through(inner, context.add_value(handle), change)
    with placed(graph, context.outer_context):
        found: Tensor = merge([after, switched(handle, context.pred)[1 - context.branch]], name="list")[0]
    found._handle_data = handle._handle_data
    return found
