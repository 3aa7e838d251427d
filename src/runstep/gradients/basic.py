"""Gradients of ops that pass values on."""

from __future__ import annotations

from typing import Any

from runstep.gradients.registry import gradient, no_gradient
from runstep.graph.operation import Operation

no_gradient("Const", "StopGradient")


@gradient(
    *("Identity", "RefIdentity", "PlaceholderWithDefault", "EnsureShape"),
    *("DebugGradientIdentity", "DebugGradientRefIdentity"),
)
def _passed(op: Operation, grad: Any) -> Any:
    return grad


@gradient("IdentityN")
def _all_passed(op: Operation, *grads: Any) -> Any:
    return list(grads)


@gradient("PreventGradient")
def _prevented(op: Operation, grad: Any) -> Any:
    message = op.attrs["message"].decode()
    raise LookupError(f"Gradient explicitly disabled. Reason: {message!r}.")


@gradient("ReadVariableOp")
def _read(op: Operation, grad: Any) -> Any:
    return grad
