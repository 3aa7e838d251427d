"""Ref variables and the ops that read and change them as a whole, and ops that pretend to work in place."""

from __future__ import annotations

from typing import Any

from runstep.graph import shapes
from runstep.graph.apply import apply
from runstep.graph.tensor import Tensor, TensorLike
from runstep.ops.common import Shapes, nothing, scalar, unchanged
from runstep.ops.registry import op

__all__ = [
    "assign",
    "assign_add",
    "assign_sub",
    "count_up_to",
    "guarantee_const",
    "is_variable_initialized",
]


# --- static shape rules -------------------------------------------------------------------------------------------


def _declared(op: Any) -> Shapes:
    return [op.attrs["shape"]]


def _declared_not_scalar(op: Any) -> Shapes:
    # Old graphs wrote the empty shape where they did not know it.
    return [op.attrs["shape"] or None]


def _assign(op: Any) -> Shapes:
    ref, value = op.inputs[0].raw_shape, op.inputs[1].raw_shape
    return [shapes.merge(ref, value) if op.attrs["validate_shape"] else value]


def merged_with_value(op: Any) -> Shapes:
    """The output is the ref; ref and value have one shape."""
    return [shapes.merge(op.inputs[0].raw_shape, op.inputs[1].raw_shape)]


def _counter(op: Any) -> Shapes:
    return [shapes.with_rank(op.inputs[0].raw_shape, 0)]


def _empty(op: Any) -> Shapes:
    return [op.constant_shape(0)]


# --- rows ---------------------------------------------------------------------------------------------------------

op(
    "Variable",
    " -> ref: Ref(dtype)",
    "shape: shape",
    "dtype: type",
    "container: string = ''",
    "shared_name: string = ''",
    shape=_declared_not_scalar,
    stateful=True,
)
op(
    "VariableV2",
    " -> ref: Ref(dtype)",
    "shape: shape",
    "dtype: type",
    "container: string = ''",
    "shared_name: string = ''",
    shape=_declared,
    stateful=True,
)
op(
    "Assign",
    "ref: Ref(T), value: T -> output_ref: Ref(T)",
    "T: type",
    "validate_shape: bool = true",
    "use_locking: bool = true",
    shape=_assign,
    uninitialized=True,
)
op(
    "AssignAdd",
    "ref: Ref(T), value: T -> output_ref: Ref(T)",
    "T: numbertype",
    "use_locking: bool = false",
    shape=merged_with_value,
)
op(
    "AssignSub",
    "ref: Ref(T), value: T -> output_ref: Ref(T)",
    "T: numbertype",
    "use_locking: bool = false",
    shape=merged_with_value,
)
op(
    "IsVariableInitialized",
    "ref: Ref(dtype) -> is_initialized: bool",
    "dtype: type",
    shape=scalar,
    uninitialized=True,
)
op("CountUpTo", "ref: Ref(T) -> output: T", "limit: int", "T: {int32, int64}", shape=_counter)
op(
    "TemporaryVariable",
    " -> ref: Ref(dtype)",
    "shape: shape",
    "dtype: type",
    "var_name: string = ''",
    shape=_declared,
    stateful=True,
)
op("DestroyTemporaryVariable", "ref: Ref(T) -> value: T", "T: type", "var_name: string", shape=unchanged)
op("InplaceUpdate", "x: T, i: int32, v: T -> y: T", "T: type", shape=unchanged)
op("InplaceAdd", "x: T, i: int32, v: T -> y: T", "T: type", shape=unchanged)
op("InplaceSub", "x: T, i: int32, v: T -> y: T", "T: type", shape=unchanged)
op("DeepCopy", "x: T -> y: T", "T: type", shape=unchanged, stateful=True)
op("Empty", "shape: int32 -> output: dtype", "dtype: type", "init: bool = false", shape=_empty, stateful=True)
op("GuaranteeConst", "input: T -> output: T", "T: type", shape=unchanged, stateful=True)
op(
    "MutexV2",
    " -> resource: resource",
    "container: string = ''",
    "shared_name: string = ''",
    shape=scalar,
    stateful=True,
)
op("MutexLock", "mutex: resource -> mutex_lock: variant", shape=scalar, stateful=True)
op("ConsumeMutexLock", "mutex_lock: variant -> ", shape=nothing, stateful=True)


# --- functions ----------------------------------------------------------------------------------------------------


def is_ref(value: Any) -> bool:
    """Whether `value` is a ref tensor or a variable that stands for one."""
    return bool(value.dtype.is_ref)


def ref_of(value: Any) -> Any:
    """The ref tensor of a ref variable object; tensors as they are."""
    return value if type(value) is Tensor else getattr(value, "_ref", lambda: value)()


def assign(
    ref: Any,
    value: TensorLike,
    validate_shape: bool | None = None,
    use_locking: bool | None = None,
    name: str | None = None,
) -> Any:
    """Sets `ref` to `value` and returns the ref (source: tf.compat.v1.assign)."""
    if is_ref(ref):
        return apply("Assign", ref_of(ref), value, validate_shape=validate_shape, use_locking=use_locking, name=name)
    return ref.assign(value, name=name)


def assign_add(ref: Any, value: TensorLike, use_locking: bool | None = None, name: str | None = None) -> Any:
    """Adds `value` to `ref` and returns the ref (source: tf.compat.v1.assign_add)."""
    if is_ref(ref):
        return apply("AssignAdd", ref_of(ref), value, use_locking=use_locking, name=name)
    return ref.assign_add(value)


def assign_sub(ref: Any, value: TensorLike, use_locking: bool | None = None, name: str | None = None) -> Any:
    """Subtracts `value` from `ref` and returns the ref (source: tf.compat.v1.assign_sub)."""
    if is_ref(ref):
        return apply("AssignSub", ref_of(ref), value, use_locking=use_locking, name=name)
    return ref.assign_sub(value)


def count_up_to(ref: Any, limit: int, name: str | None = None) -> Any:
    """The scalar variable's value, which is then raised by one; OutOfRangeError at `limit` (source: tf.count_up_to)."""
    if is_ref(ref):
        return apply("CountUpTo", ref_of(ref), limit=limit, name=name)
    return apply("ResourceCountUpTo", ref.handle, limit=limit, T=ref.dtype, name=name)


def is_variable_initialized(ref: Any, name: str | None = None) -> Any:
    """A boolean scalar: whether the variable has a value (source: tf.compat.v1.is_variable_initialized)."""
    if is_ref(ref):
        return apply("IsVariableInitialized", ref_of(ref), name=name)
    return ref.is_initialized(name=name)


def guarantee_const(input: TensorLike, name: str | None = None) -> Any:
    """`input`, which the caller promises never changes (source: tf.guarantee_const)."""
    return apply("GuaranteeConst", input, name=name)
