"""What happens to values around the calls of kernels: which are read first, which are written over, how they leave."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence, Set
from typing import Any

import numpy as np

from runstep.kernels.resources import read_ref
from runstep.plan.node import OpView, PlanNode, Ref

# numpy's operators do what these ufuncs do, and on scalars ten times faster.
INFIX: dict[Any, tuple[str, Callable[[Any, Any], Any]]] = {
    np.add: ("+", operator.add),
    np.subtract: ("-", operator.sub),
    np.multiply: ("*", operator.mul),
    np.true_divide: ("/", operator.truediv),
    np.less: ("<", operator.lt),
    np.less_equal: ("<=", operator.le),
    np.greater: (">", operator.gt),
    np.greater_equal: (">=", operator.ge),
    np.logical_and: ("&", operator.and_),
}

# Those that may write over an input, given as a third argument.
IN_PLACE = frozenset((np.add, np.subtract, np.multiply))


def references(node: PlanNode, refs: Sequence[Ref], passed: bool = True) -> Sequence[int]:
    """The places of inputs that are references, of which the kernel takes the values.

    Args:
      refs: the roots of the inputs. passed: whether one may be a reference that a Switch of values has passed on.
    """
    op: Any = node.op
    if isinstance(op, OpView) or node.type != op.type:  # made by a rewrite, which takes no references
        return ()
    found = []
    for position, tensor in enumerate(op.inputs[: len(refs)]):
        if (tensor.dtype.is_ref and refs[position][0].feed < 0) or (passed and is_reference(refs[position])):
            if not takes_ref(op, position):
                found.append(position)
    return found


def is_reference(ref: Ref) -> bool:
    """Whether what a node gives is a reference, not a value."""
    node, index = ref
    return node.feed < 0 and node.op is not None and bool(node.op.outputs[index].dtype.is_ref)


def has_known_size(node: PlanNode) -> bool:
    """Whether a node has one output, no scalar, of which the graph tells the size: it may be written over an input."""
    if node.op is None or node.type != node.op.type:
        return False
    (result,) = node.op.outputs
    raw = result.raw_shape
    return raw is not None and bool(raw) and None not in raw


def overwritten(node: PlanNode, ends: Sequence[Ref], shared: Set[Ref]) -> Ref | None:
    """The input whose memory the result of a ufunc may take: nobody reads it later, nobody else knows it, and it fits.

    Args:
      ends: the inputs that nobody reads later. shared: values that something else may know.
    """
    if not has_known_size(node):
        return None
    (result,) = node.op.outputs  # type: ignore[union-attr]
    for ref in ends:
        source = ref[0]
        if (
            ref not in shared
            and type(source.kernel) is np.ufunc
            and source.guard == node.guard
            and source.op is not None
            and source.type == source.op.type
            and source.op.outputs[0].dtype is result.dtype
            and source.op.outputs[0].raw_shape == result.raw_shape
        ):
            return ref
    return None


def takes_ref(op: Any, position: int) -> bool:
    """Whether input `position` of an operation is a reference that the kernel gets unread."""
    op_def = op.op_def
    if op_def is None:
        return False
    for arg in op_def.inputs:
        count = 1
        if arg.number_attr is not None:
            count = op.attrs[arg.number_attr]
        elif arg.type_list_attr is not None:
            count = len(op.attrs[arg.type_list_attr])
        if position < count:
            return bool(arg.is_ref)
        position -= count
    return False


def is_list_of_one(node: PlanNode) -> bool:
    """Whether the one output of a node is a sequence, of which kernels may return the list."""
    op_def = node.op.op_def  # type: ignore[union-attr]
    if op_def is None:
        return False
    outputs = op_def.outputs
    return len(outputs) != 1 or outputs[0].is_sequence


def to_blame(node: PlanNode, index: int, how: str) -> PlanNode | None:
    """The node whose failure it is when this output cannot leave as a fetch: that of a variable without a value."""
    return node if how and is_reference((node, index)) else None


def only(found: Any) -> Any:
    """The one value of an output that is a list of one: kernels may return it with or without a tuple around it."""
    return found[0] if type(found) is tuple or type(found) is list else found


def own(value: Any) -> Any:
    """A fetched value that nothing else refers to: as it is, a rank-0 array as a scalar (S75, S76)."""
    if type(value) is np.ndarray:
        if value.ndim == 0:
            return value[()]
        if value.base is None and value.flags.c_contiguous and value.flags.writeable:
            return value
        return np.array(value, order="C")
    return value


def private(value: Any) -> Any:
    """A fetched value that something else may refer to: a copy of its own (S76)."""
    if type(value) is np.ndarray:
        return value[()] if value.ndim == 0 else np.array(value, order="C")
    if isinstance(value, np.generic):
        return value
    if hasattr(value, "locked_read"):
        return private(read_ref(value))
    return value


def scalar_truth(predicate: Any) -> bool:
    """The truth of a Switch's predicate. InvalidArgumentError unless it is a scalar."""
    if getattr(predicate, "ndim", 0):
        from runstep import errors

        shape = ",".join(map(str, predicate.shape))
        raise errors.InvalidArgumentError(None, None, f"The second input must be a scalar, but it has shape [{shape}]")
    return bool(predicate)


def dead() -> Any:
    """Fetching a value whose branch was not taken (S83)."""
    from runstep import errors

    raise errors.InvalidArgumentError(None, None, "Retval[0] does not have value")
