"""Slots: variables beside a variable, for what an optimizer or a moving average keeps about it."""

from __future__ import annotations

import contextlib
from typing import Any

from runstep.graph.graph import get_default_graph
from runstep.graph.shapes import TensorShape
from runstep.variables.facts import SaveSliceInfo
from runstep.variables.initializers import zeros_initializer
from runstep.variables.scope import get_variable, get_variable_scope, variable_scope
from runstep.variables.variable import Variable

__all__: list[str] = []


def create_slot(primary: Any, val: Any, name: str, colocate_with_primary: bool = True) -> Any:
    """A variable "<primary's name>/<name>" that starts as the tensor `val`; it is not trained.

    Args:
      primary: the variable or tensor that the slot is for.
    """
    validate_shape = val.get_shape().is_fully_defined()
    with _slot_scope(primary, name, colocate_with_primary):
        return _slot(primary, val, validate_shape, None, None)


def create_slot_with_initializer(
    primary: Any, initializer: Any, shape: TensorShape, dtype: Any, name: str, colocate_with_primary: bool = True
) -> Any:
    """As `create_slot`, from an initializer of (shape, dtype)."""
    with _slot_scope(primary, name, colocate_with_primary):
        return _slot(primary, initializer, shape.is_fully_defined(), shape, dtype)


def create_zeros_slot(primary: Any, name: str, dtype: Any = None, colocate_with_primary: bool = True) -> Any:
    """As `create_slot`, all zeros of the shape of `primary`, and of its dtype by default."""
    dtype = primary.dtype.base_dtype if dtype is None else dtype
    shape = primary.get_shape()
    if shape.is_fully_defined():
        return create_slot_with_initializer(primary, zeros_initializer(), shape, dtype, name, colocate_with_primary)
    from runstep.ops.creation import zeros
    from runstep.ops.shape_ops import shape as shape_of

    now = primary.initialized_value() if isinstance(primary, Variable) else primary
    return create_slot(primary, zeros(shape_of(now), dtype=dtype), name, colocate_with_primary)


@contextlib.contextmanager
def _slot_scope(primary: Any, name: str, colocate: bool) -> Any:
    prefix = primary._shared_name if isinstance(primary, Variable) else primary.op.name
    with variable_scope(None, f"{prefix}/{name}"), contextlib.ExitStack() as stack:
        if colocate:
            stack.enter_context(get_default_graph().colocate_with(primary.op))
        yield


def _slot(primary: Any, initializer: Any, validate_shape: bool, shape: Any, dtype: Any) -> Any:
    scope = get_variable_scope()
    partitioner = scope.partitioner
    scope.set_partitioner(None)  # a slot is as partitioned as its primary: not at all, or a part beside a part
    try:
        slot = get_variable(
            "",
            initializer=initializer,
            trainable=False,
            use_resource=not primary.dtype.is_ref if isinstance(primary, Variable) else None,
            shape=shape,
            dtype=dtype,
            validate_shape=validate_shape,
        )
    finally:
        scope.set_partitioner(partitioner)
    info = primary._get_save_slice_info() if isinstance(primary, Variable) else None
    if info is not None:
        slot_name = slot.op.name[len(primary.op.name) + 1 :]
        whole = SaveSliceInfo(
            f"{info.full_name}/{slot_name}",
            list(info.full_shape or ()),
            list(info.var_offset or ()),
            list(info.var_shape or ()),
        )
        slot._set_save_slice_info(whole)
    return slot
