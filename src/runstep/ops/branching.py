"""Branches in Python: `cond`, `case`, and assertions on them."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Sequence
from typing import Any

from runstep.graph import nest
from runstep.graph.collections import GraphKeys
from runstep.graph.control_flow import CondContext, checked_predicate
from runstep.graph.convert import convert_to_tensor
from runstep.graph.graph import get_default_graph, name_scope
from runstep.graph.operation import Operation
from runstep.graph.tensor import Tensor
from runstep.ops.basic import identity, with_dependencies
from runstep.ops.control_flow import merge
from runstep.ops.shape_ops import squeeze
from runstep.ops.tensor_array import TensorArray

__all__ = ["case", "cond", "smart_cond"]

Branch = Callable[[], Any]


def cond(
    pred: Any,
    true_fn: Branch | None = None,
    false_fn: Branch | None = None,
    strict: bool = False,
    name: str | None = None,
    fn1: Branch | None = None,
    fn2: Branch | None = None,
) -> Any:
    """The outputs of `true_fn` when `pred` holds, else of `false_fn`; only one of them runs (source: tf.cond).

    Args:
      pred: a boolean scalar tensor.
      true_fn, false_fn: functions of no arguments that return tensors in one nested structure.
      strict: keep a list of one output a list. fn1, fn2: old names of true_fn and false_fn.

    Raises:
      TypeError: `pred` is a Python bool, or a function is not callable. ValueError: the branches differ in structure or
      dtypes.
    """
    true_fn, false_fn = true_fn or fn1, false_fn or fn2
    if not callable(true_fn):
        raise TypeError("'true_fn' must be callable.")
    if not callable(false_fn):
        raise TypeError("'false_fn' must be callable.")
    if isinstance(pred, bool):
        raise TypeError("'pred' must not be a Python bool.")
    graph = get_default_graph()
    with name_scope(name, "cond", [pred]) as scope:
        if graph._functional_flow:
            return _functional(pred, true_fn, false_fn, scope)
        pred = checked_predicate(pred)
        chosen_false, chosen_true = _pivots(pred)
        pivots = identity(chosen_true, name="switch_t"), identity(chosen_false, name="switch_f")
        pred = identity(pred, name="pred_id")
        for tensor in (chosen_false, chosen_true, *pivots, pred):
            graph._unfetchable.add(tensor.op)
        then = CondContext(graph, pred, pivots[0], 1, f"{graph.get_name_scope()}/cond_text")
        otherwise = CondContext(graph, pred, pivots[1], 0, f"{graph.get_name_scope()}/cond_text_1")
        then.other, otherwise.other = otherwise, then
        if then.outer_context is None:
            graph.add_to_collection(GraphKeys.COND_CONTEXT, then)
            graph.add_to_collection(GraphKeys.COND_CONTEXT, otherwise)
        true_out, true_flat = _branch(then, true_fn)
        false_out, false_flat = _branch(otherwise, false_fn)
        nest.assert_same_structure(true_out, false_out, check_types=False)
        merged = [_merged(f, t) for f, t in zip(false_flat, true_flat, strict=True)]
        if not strict and isinstance(true_out, list | tuple) and not hasattr(true_out, "_fields") and len(merged) == 1:
            return merged[0]
        return nest.pack_sequence_as(true_out, merged)


def _functional(pred: Any, true_fn: Branch, false_fn: Branch, scope: str) -> Any:
    """`cond` inside of a function: an If of two functions, as TensorFlow makes it there. A list of one stays one."""
    from runstep.ops.bodies import check_alike, chosen, label_of, traced_branch

    graph = get_default_graph()
    pred = convert_to_tensor(pred)
    if pred.raw_shape != ():
        pred = squeeze(pred)
    branches = (("true", true_fn), ("false", false_fn))
    traces = [traced_branch(graph, f"{label_of(scope)}_{side}", branch, pred) for side, branch in branches]
    bodies, structures = [body for body, _ in traces], [structure for _, structure in traces]
    check_alike(bodies, structures, ["true_fn", "false_fn"], "tf.cond", "cond")
    return chosen(
        graph,
        "If",
        pred,
        bodies,
        structures[0],
        scope,
        lambda names: {"then_branch": names[0], "else_branch": names[1]},
    )


def _pivots(pred: Tensor) -> tuple[Tensor, Tensor]:
    from runstep.graph.apply import apply

    return apply("Switch", pred, pred, name="Switch")


def _branch(context: CondContext, function: Branch) -> tuple[Any, list[Any]]:
    with context.entered():
        outputs = function()
        flat = []
        for leaf in nest.flatten(outputs):
            flat.append(_branch_output(context, leaf))
    return outputs, flat


def _branch_output(context: CondContext, leaf: Any) -> Any:
    if leaf is None:
        return None
    if isinstance(leaf, Operation):
        # The pivot, once the operation has run: a tensor that stands for it in the merge.
        return with_dependencies([leaf], context.pivot.outputs[0])
    if hasattr(leaf, "_component_tensors"):
        return leaf._with_components([context.add_value(part) for part in leaf._component_tensors()])
    if isinstance(leaf, TensorArray):
        return leaf._with_flow(context.add_value(leaf.flow))
    tensor = convert_to_tensor(leaf)
    captured = tensor in context._captured
    output = context.add_value(tensor)
    if not captured:  # what a branch only passes on counts as made inside of the blocks around it
        for controller in context.graph._scope.controllers:
            controller.seen.add(output.op)
    return output


def _merged(false: Any, true: Any) -> Any:
    if (false is None) != (true is None):
        raise ValueError("One branch of a cond returns None where the other returns a value.")
    if false is None:
        return None
    if hasattr(false, "_component_tensors"):
        parts = [_merged(a, b) for a, b in zip(false._component_tensors(), true._component_tensors(), strict=True)]
        return false._with_components(parts)
    if isinstance(false, TensorArray):
        return false._with_flow(_merged(false.flow, true.flow))
    if false.dtype.base_dtype is not true.dtype.base_dtype:
        raise ValueError(
            f"Outputs of true_fn and false_fn must have the same type(s). Received {true.dtype.name} from true_fn and "
            f"{false.dtype.name} from false_fn."
        )
    output, _ = merge([false, true], name="Merge")
    output._handle_data = true._handle_data
    return output


def smart_cond(pred: Any, true_fn: Branch, false_fn: Branch, name: str | None = None) -> Any:
    """As `cond`; where the graph knows `pred`, only that branch is built."""
    from runstep.graph.constant_value import constant_value

    value = pred if isinstance(pred, bool | int) else constant_value(convert_to_tensor(pred))
    if value is not None:
        return true_fn() if value else false_fn()
    return cond(pred, true_fn, false_fn, name=name)


def case(
    pred_fn_pairs: Any,
    default: Branch | None = None,
    exclusive: bool = False,
    strict: bool = False,
    name: str = "case",
) -> Any:
    """The outputs of the first function whose predicate holds, else of `default` (source: tf.case).

    Args:
      pred_fn_pairs: a list of pairs (boolean scalar tensor, function), or a dict of these.
      exclusive: more than one true predicate is an error when it runs.

    Raises:
      TypeError: a pair is malformed.
    """
    pairs = list(pred_fn_pairs.items()) if isinstance(pred_fn_pairs, dict) else list(pred_fn_pairs)
    if not pairs and default is None:
        raise ValueError("pred_fn_pairs must not be empty without a default.")
    for pair in pairs:
        if not isinstance(pair, tuple) or len(pair) != 2:
            raise TypeError(f"Each entry in pred_fn_pairs must be a 2-tuple. Received {pair}.")
        if not callable(pair[1]):
            raise TypeError(f"fn for pred {pair[0]} must be callable.")
    if default is not None and not callable(default):
        raise TypeError("default must be callable.")
    with get_default_graph().name_scope(name):
        preds = [pred for pred, _ in pairs]
        if default is None:
            default = _last_resort(preds, pairs.pop()[1])
        with contextlib.ExitStack() as stack:
            if exclusive:
                check = _at_most(1, preds, "Input error: exclusive=True")
                stack.enter_context(get_default_graph().control_dependencies([check]))
            chosen = functools.reduce(lambda rest, pair: _nested(pair, rest, strict), reversed(pairs), default)
            return chosen()


def _at_most(limit: int, preds: Sequence[Any], what: str) -> Any:
    """The assertion that at most so many predicates hold."""
    from runstep.ops import basic, cast, comparison, logging, reduction
    from runstep.ops.joining import stack

    together = stack(preds, name="preds_c")
    counted = reduction.reduce_sum(cast.cast(together, "int32"), name="num_true_conds")
    few = comparison.less_equal(counted, basic.constant(limit, name="n_true_conds"))
    names = ", ".join(getattr(pred, "name", "?") for pred in preds)
    text = f"{what}: more than {limit} conditions ({names}) evaluated as True:"
    return logging.Assert(few, [text, together], summarize=len(preds))


def _last_resort(preds: Sequence[Any], function: Branch) -> Branch:
    """The last function of a `case` without default: it asserts that its predicate holds, and no other."""
    from runstep.ops import logging
    from runstep.ops.joining import stack

    def run() -> Any:
        place = len(preds) - 1
        message = ["Input error: None of conditions evaluated as True:", stack(preds, name="preds_c")]
        what = f"Implementation error: selected default action #{place} was called, but some of other predicates are "
        what += "True: "
        checks = [_at_most(0, preds[:-1], what), logging.Assert(preds[-1], message)]
        with get_default_graph().control_dependencies(checks):
            return function()

    return run


def _nested(pair: Any, rest: Branch, strict: bool) -> Branch:
    pred, function = pair
    return lambda: cond(pred, function, rest, strict=strict)
