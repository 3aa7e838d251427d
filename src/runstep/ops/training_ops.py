"""The update ops of optimizers: Apply*, SparseApply* on refs and their Resource twins."""

from __future__ import annotations

from typing import Any

from runstep.graph import shapes
from runstep.graph.shapes import RawShape
from runstep.ops.common import Shapes
from runstep.ops.registry import op
from runstep.ops.resource_state import variable_shape

__all__: list[str] = []

OPTIMIZERS: dict[str, tuple[str, str, str]] = {
    # name: the variables it changes, its other inputs in order, its own attribute
    "GradientDescent": ("var", "alpha delta", ""),
    "ProximalGradientDescent": ("var", "alpha l1 l2 delta", ""),
    "Momentum": ("var accum", "lr grad momentum", "use_nesterov: bool = false"),
    "KerasMomentum": ("var accum", "lr grad momentum", "use_nesterov: bool = false"),
    "Adagrad": ("var accum", "lr grad", "update_slots: bool = true"),
    "AdagradV2": ("var accum", "lr epsilon grad", "update_slots: bool = true"),
    "AdagradDA": ("var gradient_accumulator gradient_squared_accumulator", "grad lr l1 l2 global_step", ""),
    "ProximalAdagrad": ("var accum", "lr l1 l2 grad", ""),
    "Adadelta": ("var accum accum_update", "lr rho epsilon grad", ""),
    "RMSProp": ("var ms mom", "lr rho momentum epsilon grad", ""),
    "CenteredRMSProp": ("var mg ms mom", "lr rho momentum epsilon grad", ""),
    "Adam": ("var m v", "beta1_power beta2_power lr beta1 beta2 epsilon grad", "use_nesterov: bool = false"),
    "AdamWithAmsgrad": ("var m v vhat", "beta1_power beta2_power lr beta1 beta2 epsilon grad", ""),
    "AdaMax": ("var m v", "beta1_power lr beta1 beta2 epsilon grad", ""),
    "Ftrl": ("var accum linear", "grad lr l1 l2 lr_power", "multiply_linear_by_lr: bool = false"),
    "FtrlV2": ("var accum linear", "grad lr l1 l2 l2_shrinkage lr_power", "multiply_linear_by_lr: bool = false"),
    "AddSign": ("var m", "lr alpha sign_decay beta grad", ""),
    "PowerSign": ("var m", "lr logbase sign_decay beta grad", ""),
}

RESOURCE_ONLY = ("KerasMomentum", "AdamWithAmsgrad")

SPARSE = (
    "ProximalGradientDescent",
    "Momentum",
    "KerasMomentum",
    "Adagrad",
    "AdagradV2",
    "AdagradDA",
    "ProximalAdagrad",
    "Adadelta",
    "RMSProp",
    "CenteredRMSProp",
    "Ftrl",
    "FtrlV2",
)
"""The optimizers that can update the rows that a vector `indices` names."""


def _rule(slots: list[str], rest: list[str], sparse: bool, resource: bool) -> Any:
    def rule(op: Any) -> Shapes:
        inputs = op.inputs
        merged: RawShape = None
        for tensor in inputs[: len(slots)]:
            merged = shapes.merge(merged, variable_shape(tensor) if resource else tensor.raw_shape)
        indices: RawShape = None
        if sparse:
            indices = shapes.with_rank(inputs[len(slots) + rest.index("indices")].raw_shape, 1)
        for name, tensor in zip(rest, inputs[len(slots) :], strict=True):
            if name in ("grad", "delta"):
                if not sparse:
                    merged = shapes.merge(merged, tensor.raw_shape)
                    continue
                grad = tensor.raw_shape
                if grad is not None and grad:
                    shapes.merge_size(indices[0] if indices else None, grad[0])
                    if merged is not None:
                        shapes.merge((None, *merged[1:]), grad)
            elif name != "indices":
                shapes.with_rank(tensor.raw_shape, 0)
        return [] if resource else [merged]

    return rule


def _row(name: str, sparse: bool, resource: bool) -> None:
    slot_names, rest_names, attr = OPTIMIZERS[name]
    slots, rest = slot_names.split(), rest_names.split()
    if sparse:
        rest = ["grad" if one == "delta" else one for one in rest]
        rest.insert(rest.index("grad") + 1, "indices")
    kinds = {"indices": "Tindices", "global_step": "int64"}
    args = [f"{slot}: {'resource' if resource else 'Ref(T)'}" for slot in slots]
    args += [f"{one}: {kinds.get(one, 'T')}" for one in rest]
    attrs = ["T: numbertype"]
    if sparse:
        attrs.append("Tindices: {int32, int64}")
    attrs.append("use_locking: bool = false")
    if attr:
        attrs.append(attr)
    op(
        f"{'Resource' if resource else ''}{'Sparse' if sparse else ''}Apply{name}",
        f"{', '.join(args)} -> {'' if resource else 'out: Ref(T)'}",
        *attrs,
        shape=_rule(slots, rest, sparse, resource),
        stateful=resource,
    )


for _name in OPTIMIZERS:
    for _resource in (False, True):
        if _resource or _name not in RESOURCE_ONLY:
            _row(_name, False, _resource)
            if _name in SPARSE:
                _row(_name, True, _resource)
