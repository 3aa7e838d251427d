"""Gradients of ops that put elements in another order: the order back."""

from __future__ import annotations

from typing import Any

import numpy as np

from runstep.gradients.registry import gradient
from runstep.graph.apply import apply
from runstep.graph.constant_value import known_value
from runstep.graph.operation import Operation
from runstep.graph.tensor import Tensor


def _back(order: Tensor) -> Any:
    known = known_value(order)
    return apply("InvertPermutation", order) if known is None else np.argsort(known % len(known)).astype(known.dtype)


@gradient("Transpose", "ConjugateTranspose")
def _transpose(op: Operation, grad: Any) -> Any:
    return apply(op.type, grad, _back(op.inputs[1])), None


@gradient("Reverse", "ReverseV2")
def _reverse(op: Operation, grad: Any) -> Any:
    return apply(op.type, grad, op.inputs[1]), None


@gradient("ReverseSequence")
def _reverse_sequence(op: Operation, grad: Any) -> Any:
    axes = {name: op.attrs[name] for name in ("seq_dim", "batch_dim")}
    return apply("ReverseSequence", grad, op.inputs[1], **axes), None


@gradient("Roll")
def _roll(op: Operation, grad: Any) -> Any:
    _, shift, axis = op.inputs
    return apply("Roll", grad, -shift, axis), None, None


@gradient("SpaceToBatch", "BatchToSpace")
def _space_and_batch(op: Operation, grad: Any) -> Any:
    back = "BatchToSpace" if op.type == "SpaceToBatch" else "SpaceToBatch"
    return apply(back, grad, op.inputs[1], block_size=op.attrs["block_size"]), None


@gradient("SpaceToBatchND", "BatchToSpaceND")
def _space_and_batch_nd(op: Operation, grad: Any) -> Any:
    back = "BatchToSpaceND" if op.type == "SpaceToBatchND" else "SpaceToBatchND"
    return apply(back, grad, op.inputs[1], op.inputs[2]), None, None


@gradient("SpaceToDepth", "DepthToSpace")
def _space_and_depth(op: Operation, grad: Any) -> Any:
    back = "DepthToSpace" if op.type == "SpaceToDepth" else "SpaceToDepth"
    return apply(back, grad, block_size=op.attrs["block_size"], data_format=op.attrs["data_format"])
