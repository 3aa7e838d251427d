"""Gradients of losses."""

from __future__ import annotations

from typing import Any

from runstep.gradients.nn_common import along_rows, dense
from runstep.gradients.registry import gradient
from runstep.graph.apply import apply
from runstep.graph.operation import Operation
from runstep.graph.tensor import Tensor
from runstep.ops.reduction import reduce_sum


@gradient("L2Loss")
def _l2_loss(op: Operation, grad: Any) -> Any:
    return op.inputs[0] * grad


def _through_logits(op: Operation, grad: Any, grad_of_backprop: Any) -> Tensor:
    """The gradient in the logits; the second output is the gradient of the first, and has one of its own."""
    logits, softmax_less_labels = op.inputs[0], op.outputs[1]
    found: Any = None
    if grad is not None:
        found = along_rows(dense(grad), softmax_less_labels)
    if grad_of_backprop is not None and not _is_zero(grad_of_backprop):
        softmax = apply("Softmax", logits)
        weight = dense(grad_of_backprop)
        second = (weight - reduce_sum(weight * softmax, -1, keepdims=True)) * softmax
        found = second if found is None else found + second
    return found


def _is_zero(grad: Any) -> bool:
    """Whether a gradient is zero by construction."""
    return type(grad) is Tensor and grad.op.type in ("Zeros", "ZerosLike")


@gradient("SoftmaxCrossEntropyWithLogits")
def _softmax_cross_entropy(op: Operation, grad: Any, grad_of_backprop: Any) -> list[Any]:
    in_labels = None if grad is None else along_rows(dense(grad), -apply("LogSoftmax", op.inputs[0]))
    return [_through_logits(op, grad, grad_of_backprop), in_labels]


@gradient("SparseSoftmaxCrossEntropyWithLogits")
def _sparse_softmax_cross_entropy(op: Operation, grad: Any, grad_of_backprop: Any) -> list[Any]:
    return [_through_logits(op, grad, grad_of_backprop), None]


@gradient("CTCLoss", "CTCLossV2")
def _ctc_loss(op: Operation, grad: Any, _: Any) -> list[Any]:
    message = (
        "Currently there is no way to take the second derivative of ctc_loss due to the fused implementation's "
        "interaction with tf.gradients()"
    )
    once = apply("PreventGradient", op.outputs[1], message=message)
    return [along_rows(dense(grad), once), None, None, None]
