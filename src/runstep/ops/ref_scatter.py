"""Changing rows and slices of ref variables."""

from __future__ import annotations

from typing import Any

from runstep.graph import shapes
from runstep.graph.apply import apply
from runstep.graph.shapes import RawShape
from runstep.graph.tensor import TensorLike
from runstep.ops.common import Shapes
from runstep.ops.registry import op
from runstep.ops.state import is_ref, ref_of

__all__ = [
    "scatter_add",
    "scatter_div",
    "scatter_max",
    "scatter_min",
    "scatter_mul",
    "scatter_nd_add",
    "scatter_nd_sub",
    "scatter_nd_update",
    "scatter_sub",
    "scatter_update",
]


# --- static shape rules -------------------------------------------------------------------------------------------


def check_scatter(params: RawShape, indices: RawShape, updates: RawShape) -> None:
    """ValueError unless updates are a scalar or `indices.shape + params.shape[1:]`."""
    if updates == ():
        return
    if params is not None and indices is not None:
        shapes.merge(updates, indices + params[1:])


def check_scatter_nd(params: RawShape, indices: RawShape, updates: RawShape) -> None:
    """ValueError unless updates are `indices.shape[:-1] + params.shape[indices.shape[-1]:]`."""
    if params is None or indices is None or updates is None:
        return
    shapes.with_rank_at_least(params, 1)
    shapes.with_rank_at_least(indices, 1)
    outer = len(indices) - 1
    texts = f"indices[shape={shapes.text(indices)}]", f"updates[shape={shapes.text(updates)}]"
    try:
        shapes.merge(indices[:-1], updates[:outer])
    except ValueError as error:
        raise ValueError(
            f"Dimensions [0,{outer}) of {texts[0]} = {shapes.text(indices[:-1])} must match dimensions "
            f"[0,{outer}) of {texts[1]} = {shapes.text(updates[:outer])}: {error}"
        ) from None
    depth = indices[-1]
    if depth is None:
        return
    try:
        shapes.merge(params[depth:], updates[outer:])
    except ValueError as error:
        raise ValueError(
            f"Dimensions [{depth},{len(params)}) of input[shape={shapes.text(params)}] = "
            f"{shapes.text(params[depth:])} must match dimensions [{outer},{len(updates)}) of {texts[1]} = "
            f"{shapes.text(updates[outer:])}: {error}"
        ) from None


def check_strided_assign(op: Any, params: RawShape) -> None:
    """ValueError unless begin, end and strides are vectors of one length."""
    merged: RawShape = (None,)
    for tensor in op.inputs[1:4]:
        merged = shapes.merge(merged, shapes.with_rank(tensor.raw_shape, 1))


def _scatter(op: Any) -> Shapes:
    ref, indices, updates = op.inputs
    check_scatter(ref.raw_shape, indices.raw_shape, updates.raw_shape)
    return [ref.raw_shape]


def _scatter_nd(op: Any) -> Shapes:
    ref, indices, updates = op.inputs
    check_scatter_nd(ref.raw_shape, indices.raw_shape, updates.raw_shape)
    return [ref.raw_shape]


def _strided(op: Any) -> Shapes:
    check_strided_assign(op, op.inputs[0].raw_shape)
    return [op.inputs[0].raw_shape]


# --- rows ---------------------------------------------------------------------------------------------------------

for _name in ("Add", "Sub", "Mul", "Div", "Min", "Max", "Update"):
    op(
        f"Scatter{_name}",
        "ref: Ref(T), indices: Tindices, updates: T -> output_ref: Ref(T)",
        {"Min": "T: {float16, bfloat16, float32, float64, int32, int64}", "Update": "T: type"}.get(
            _name.replace("Max", "Min"), "T: numbertype"
        ),
        "Tindices: {int32, int64}",
        "use_locking: bool = true" if _name == "Update" else "use_locking: bool = false",
        shape=_scatter,
    )
for _name in ("Update", "Add", "Sub", "Max", "Min"):
    op(
        f"ScatterNd{_name}",
        "ref: Ref(T), indices: Tindices, updates: T -> output_ref: Ref(T)",
        "T: type" if _name == "Update" else "T: numbertype",
        "Tindices: {int32, int64}",
        "use_locking: bool = true" if _name == "Update" else "use_locking: bool = false",
        "bad_indices_policy: string = ''",
        shape=_scatter_nd,
    )
op(
    "StridedSliceAssign",
    "ref: Ref(T), begin: Index, end: Index, strides: Index, value: T -> output_ref: Ref(T)",
    "T: type",
    "Index: {int32, int64}",
    "begin_mask: int = 0",
    "end_mask: int = 0",
    "ellipsis_mask: int = 0",
    "new_axis_mask: int = 0",
    "shrink_axis_mask: int = 0",
    shape=_strided,
)


# --- functions ----------------------------------------------------------------------------------------------------


def _scattered(kind: str, ref: Any, indices: Any, updates: Any, use_locking: bool, name: str | None) -> Any:
    if is_ref(ref):
        return apply(f"Scatter{kind}", ref_of(ref), indices, updates, use_locking=use_locking, name=name)
    return ref._scatter(kind, indices, updates, use_locking, name)


def scatter_update(
    ref: Any, indices: TensorLike, updates: TensorLike, use_locking: bool = True, name: str | None = None
) -> Any:
    """Sets rows: `ref[indices] = updates`; updates have shape `indices.shape + ref.shape[1:]` or are a scalar
    (source: tf.compat.v1.scatter_update)."""
    return _scattered("Update", ref, indices, updates, use_locking, name)


def scatter_add(
    ref: Any, indices: TensorLike, updates: TensorLike, use_locking: bool = False, name: str | None = None
) -> Any:
    """Adds to rows; rows named several times are added to several times (source: tf.compat.v1.scatter_add)."""
    return _scattered("Add", ref, indices, updates, use_locking, name)


def scatter_sub(
    ref: Any, indices: TensorLike, updates: TensorLike, use_locking: bool = False, name: str | None = None
) -> Any:
    """Subtracts from rows (source: tf.compat.v1.scatter_sub)."""
    return _scattered("Sub", ref, indices, updates, use_locking, name)


def scatter_mul(
    ref: Any, indices: TensorLike, updates: TensorLike, use_locking: bool = False, name: str | None = None
) -> Any:
    """Multiplies rows (source: tf.compat.v1.scatter_mul)."""
    return _scattered("Mul", ref, indices, updates, use_locking, name)


def scatter_div(
    ref: Any, indices: TensorLike, updates: TensorLike, use_locking: bool = False, name: str | None = None
) -> Any:
    """Divides rows (source: tf.compat.v1.scatter_div)."""
    return _scattered("Div", ref, indices, updates, use_locking, name)


def scatter_min(
    ref: Any, indices: TensorLike, updates: TensorLike, use_locking: bool = False, name: str | None = None
) -> Any:
    """Takes the elementwise least of rows and updates (source: tf.compat.v1.scatter_min)."""
    return _scattered("Min", ref, indices, updates, use_locking, name)


def scatter_max(
    ref: Any, indices: TensorLike, updates: TensorLike, use_locking: bool = False, name: str | None = None
) -> Any:
    """Takes the elementwise greatest of rows and updates (source: tf.compat.v1.scatter_max)."""
    return _scattered("Max", ref, indices, updates, use_locking, name)


def scatter_nd_update(
    ref: Any, indices: TensorLike, updates: TensorLike, use_locking: bool = True, name: str | None = None
) -> Any:
    """Sets slices: the last axis of indices holds positions along the first axes of ref
    (source: tf.compat.v1.scatter_nd_update)."""
    return _scattered("NdUpdate", ref, indices, updates, use_locking, name)


def scatter_nd_add(
    ref: Any, indices: TensorLike, updates: TensorLike, use_locking: bool = False, name: str | None = None
) -> Any:
    """Adds to slices, as `scatter_nd_update` names them (source: tf.compat.v1.scatter_nd_add)."""
    return _scattered("NdAdd", ref, indices, updates, use_locking, name)


def scatter_nd_sub(
    ref: Any, indices: TensorLike, updates: TensorLike, use_locking: bool = False, name: str | None = None
) -> Any:
    """Subtracts from slices, as `scatter_nd_update` names them (source: tf.compat.v1.scatter_nd_sub)."""
    return _scattered("NdSub", ref, indices, updates, use_locking, name)
