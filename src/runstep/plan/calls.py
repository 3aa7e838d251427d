"""Kernels of the ops that call library functions: their bodies are compiled segments, called in place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from runstep import errors
from runstep.graph import dtypes
from runstep.graph.attr_value import NameAttrs
from runstep.kernels.truth import truth
from runstep.plan.emit import Segment
from runstep.plan.node import PlanNode
from runstep.plan.piles import Carried
from runstep.plan.signatures import (
    fitting,
    of_a_branch,
    of_a_call,
    of_a_condition,
    of_a_count,
    of_a_gradient,
    of_a_turn,
)

Body = Callable[[Any], Segment]
"""From a NameAttrs to its compiled segment."""

_CALLS = frozenset(("PartitionedCall", "StatefulPartitionedCall", "RemoteCall"))


def is_call(node: PlanNode) -> bool:
    """Whether a node's kernel is made here."""
    return node.type in _MAKERS or _is_named_call(node)


def is_loop(node: PlanNode) -> bool:
    """Whether a node calls its functions over and over."""
    return node.type in ("While", "StatelessWhile", "For")


def _is_named_call(node: PlanNode) -> bool:
    op = node.op
    return op is not None and op.type in op.graph._functions


def make_call(node: PlanNode, body: Body) -> tuple[Callable[..., Any], bool]:
    """The kernel of a calling node, and whether it may wait. It takes the step before its inputs."""
    maker = _MAKERS.get(node.type)
    if maker is not None:
        return maker(node, body)
    segment = body(NameAttrs(node.type, node.attrs))
    if len(node.op.outputs) == 1 and not node.op.op_def.outputs[0].is_sequence:  # type: ignore[union-attr]
        return _single(segment), segment.is_async
    return segment.run, segment.is_async


def _single(segment: Segment) -> Callable[..., Any]:
    run = segment.run
    if segment.is_async:

        async def waiting(step: Any, *inputs: Any) -> Any:
            return (await run(step, *inputs))[0]

        return waiting
    return lambda step, *inputs: run(step, *inputs)[0]


def _call(node: PlanNode, body: Body) -> tuple[Callable[..., Any], bool]:
    is_remote = node.type == "RemoteCall"
    takes = node.input_types[1:] if is_remote else node.input_types
    segment = fitting(node, body(node.attrs["f"]), takes, node.output_types, of_a_call)
    run = segment.run
    if is_remote:
        if segment.is_async:

            async def remote_waiting(step: Any, target: Any, *inputs: Any) -> Any:
                return await run(step, *inputs)

            return remote_waiting, True
        return lambda step, target, *inputs: run(step, *inputs), False
    return run, segment.is_async


def _symbolic(node: PlanNode, body: Body) -> tuple[Callable[..., Any], bool]:
    from runstep.gradients.functional import symbolic_gradient

    segment = body(symbolic_gradient(node.op.graph, node.attrs["f"]))  # type: ignore[union-attr]
    gives = node.output_types
    error = errors.InternalError if len(segment.gives) == len(gives) else errors.InvalidArgumentError
    segment = fitting(node, segment, node.input_types, gives, of_a_gradient, error)
    return segment.run, segment.is_async


def _if(node: PlanNode, body: Body) -> tuple[Callable[..., Any], bool]:
    then, other = (_branch(node, body(node.attrs[name])) for name in ("then_branch", "else_branch"))
    yes, no = then.run, other.run
    if then.is_async or other.is_async:

        async def waiting(step: Any, condition: Any, *inputs: Any) -> Any:
            chosen = then if truth(condition) else other
            return await chosen.run(step, *inputs) if chosen.is_async else chosen.run(step, *inputs)

        return waiting, True
    return lambda step, condition, *inputs: (yes if truth(condition) else no)(step, *inputs), False


def _branch(node: PlanNode, segment: Segment) -> Segment:
    return fitting(node, segment, node.input_types[1:], node.output_types, of_a_branch)


def _case(node: PlanNode, body: Body) -> tuple[Callable[..., Any], bool]:
    branches = [_branch(node, body(branch)) for branch in node.attrs["branches"]]
    last = len(branches) - 1

    def chosen(index: Any) -> Segment:
        return branches[int(index)] if 0 <= index <= last else branches[last]

    if any(branch.is_async for branch in branches):

        async def waiting(step: Any, index: Any, *inputs: Any) -> Any:
            branch = chosen(index)
            return await branch.run(step, *inputs) if branch.is_async else branch.run(step, *inputs)

        return waiting, True
    return lambda step, index, *inputs: chosen(index).run(step, *inputs), False


def _while(node: PlanNode, body: Body) -> tuple[Callable[..., Any], bool]:
    types = node.input_types
    condition, turn = body(node.attrs["cond"]), body(node.attrs["body"])
    one = condition.gives[:1] or (dtypes.bool,)  # of any dtype
    condition = fitting(node, condition, types, one, of_a_condition, errors.InvalidArgumentError)
    turn = fitting(node, turn, types, types, of_a_turn, errors.InvalidArgumentError)
    goes_on, go, carried = condition.run, turn.run, Carried.of(node)
    if condition.is_async or turn.is_async:

        async def waiting(step: Any, *values: Any) -> Any:
            look = None if carried is None else carried.look(values)
            while True:
                if step.cancelled:
                    step.stop()
                (more,) = await goes_on(step, *values) if condition.is_async else goes_on(step, *values)
                if not truth(more):
                    return values
                values = await go(step, *values) if turn.is_async else go(step, *values)
                if look is not None:
                    look(step, values)

        return waiting, True

    def loop(step: Any, *values: Any) -> Any:
        look = None if carried is None else carried.look(values)
        while True:
            if step.cancelled:
                step.stop()
            (more,) = goes_on(step, *values)
            if not truth(more):
                return values
            values = go(step, *values)
            if look is not None:
                look(step, values)

    return loop, False


def _for(node: PlanNode, body: Body) -> tuple[Callable[..., Any], bool]:
    turn, types = body(node.attrs["body"]), node.input_types[3:]
    error = errors.InternalError if len(turn.gives) < len(types) else errors.InvalidArgumentError
    turn = fitting(node, turn, (dtypes.int32, *types), types, of_a_count, error)
    carried = Carried.of(node)

    def counts(start: Any, limit: Any, delta: Any) -> range:
        if int(delta) == 0 or (int(delta) > 0) != (int(limit) >= int(start)) and int(limit) != int(start):
            raise errors.InvalidArgumentError(None, None, f"Invalid start/limit/delta: {start} {limit} {delta}")
        return range(int(start), int(limit), int(delta))

    if turn.is_async:

        async def waiting(step: Any, start: Any, limit: Any, delta: Any, *values: Any) -> Any:
            look = None if carried is None else carried.look(values)
            for i in counts(start, limit, delta):
                if step.cancelled:
                    step.stop()
                values = await turn.run(step, np.int32(i), *values)
                if look is not None:
                    look(step, values)
            return values

        return waiting, True

    def loop(step: Any, start: Any, limit: Any, delta: Any, *values: Any) -> Any:
        look = None if carried is None else carried.look(values)
        for i in counts(start, limit, delta):
            if step.cancelled:
                step.stop()
            values = turn.run(step, np.int32(i), *values)
            if look is not None:
                look(step, values)
        return values

    return loop, False


def _batched(node: PlanNode, body: Body) -> tuple[Callable[..., Any], bool]:
    from runstep.kernels.numpy.batching import batch_function

    segment = body(node.attrs["f"])
    return batch_function(node, segment.run, segment.is_async), True


_MAKERS: dict[str, Callable[[PlanNode, Body], tuple[Callable[..., Any], bool]]] = {
    "If": _if,
    "StatelessIf": _if,
    "Case": _case,
    "StatelessCase": _case,
    "While": _while,
    "StatelessWhile": _while,
    "For": _for,
    "BatchFunction": _batched,
    "SymbolicGradient": _symbolic,
    **dict.fromkeys(_CALLS, _call),
}
