"""Gradients of imitated quantization: those of the identity, where the value was in range."""

from __future__ import annotations

from typing import Any

from runstep.gradients.registry import gradient, no_gradient
from runstep.graph.apply import apply
from runstep.graph.operation import Operation

no_gradient(
    "FakeQuantWithMinMaxArgsGradient",
    "FakeQuantWithMinMaxVarsGradient",
    "FakeQuantWithMinMaxVarsPerChannelGradient",
)


@gradient("FakeQuantWithMinMaxArgs")
def _fake_quant_args(op: Operation, grad: Any) -> Any:
    return apply("FakeQuantWithMinMaxArgsGradient", grad, op.inputs[0], **_attrs(op, "min max num_bits narrow_range"))


@gradient("FakeQuantWithMinMaxVars", "FakeQuantWithMinMaxVarsPerChannel")
def _fake_quant_vars(op: Operation, grad: Any) -> Any:
    return apply(f"{op.type}Gradient", grad, *op.inputs, **_attrs(op, "num_bits narrow_range"))


def _attrs(op: Operation, names: str) -> dict[str, Any]:
    return {name: op.attrs[name] for name in names.split()}


@gradient("QuantizeAndDequantize", "QuantizeAndDequantizeV2", "QuantizeAndDequantizeV3")
def _straight_through(op: Operation, grad: Any) -> Any:
    return [grad] + [None] * (len(op.inputs) - 1)


@gradient("QuantizeAndDequantizeV4")
def _in_range(op: Operation, grad: Any) -> Any:
    return apply("QuantizeAndDequantizeV4Grad", grad, *op.inputs, axis=op.attrs["axis"])
