"""Gradients of tensor arrays: each has others beside it for its gradients, one for each `tf.gradients` call."""

from __future__ import annotations

from typing import Any

from runstep.gradients.registry import gradient, no_gradient
from runstep.graph.operation import Operation
from runstep.graph.tensor import Tensor
from runstep.ops.tensor_array import TensorArray


def grad_source(name: str) -> str:
    """The part of a name that says which `tf.gradients` call it comes from: two calls must not add into one array.

    Raises:
      ValueError: no scope of the name begins with "gradients".
    """
    scopes = name.split("/")
    found = [place for place, scope in enumerate(scopes) if scope.startswith("gradients")]
    if not found:
        raise ValueError(
            f"Expected op/tensor name to start with gradients (excluding scope), got: {name}. This means that a "
            "tf.gradients op with this op in its dependency path has a custom name that does not start with "
            "'gradients'. Please make sure all calls to tf.gradients that have non-empty `name` arguments use names "
            "that start with 'gradients'."
        )
    return "/".join(scopes[: found[-1] + 1])


def _beside(op: Operation, dtype: Any, handle: Tensor, flow: Tensor, grad: Tensor) -> TensorArray:
    """The array of gradients that belongs to this one."""
    array = TensorArray(dtype=dtype, handle=handle, flow=flow, colocate_with_first_write_call=False)
    return array.grad(source=grad_source(grad.name), flow=flow)


@gradient("TensorArrayRead", "TensorArrayReadV2", "TensorArrayReadV3")
def _read(op: Operation, grad: Any) -> list[Any]:
    handle, index, flow = op.inputs
    array = _beside(op, op.attrs["dtype"], handle, flow, grad)
    return [None, None, array.write(index, grad).flow]


@gradient("TensorArrayWrite", "TensorArrayWriteV2", "TensorArrayWriteV3")
def _write(op: Operation, flow: Any) -> list[Any]:
    handle, index = op.inputs[0], op.inputs[1]
    array = _beside(op, op.attrs["T"], handle, flow, flow)
    return [None, None, array.read(index), flow]


@gradient("TensorArrayGather", "TensorArrayGatherV2", "TensorArrayGatherV3")
def _gather(op: Operation, grad: Any) -> list[Any]:
    handle, indices, flow = op.inputs
    array = _beside(op, op.attrs["dtype"], handle, flow, grad)
    return [None, None, array.scatter(indices, grad).flow]


@gradient("TensorArrayScatter", "TensorArrayScatterV2", "TensorArrayScatterV3")
def _scatter(op: Operation, flow: Any) -> list[Any]:
    handle, indices = op.inputs[0], op.inputs[1]
    array = _beside(op, op.attrs["T"], handle, flow, flow)
    return [None, None, array.gather(indices), flow]


@gradient("TensorArrayConcat", "TensorArrayConcatV2", "TensorArrayConcatV3")
def _concat(op: Operation, grad: Any, _: Any) -> list[Any]:
    handle, flow = op.inputs
    array = _beside(op, op.attrs["dtype"], handle, flow, grad)
    return [None, array.split(grad, lengths=op.outputs[1]).flow]


@gradient("TensorArraySplit", "TensorArraySplitV2", "TensorArraySplitV3")
def _split(op: Operation, flow: Any) -> list[Any]:
    array = _beside(op, op.attrs["T"], op.inputs[0], flow, flow)
    return [None, array.concat(), None, flow]


no_gradient(
    *(f"TensorArray{what}{version}" for what in ("", "Grad", "Size", "Close") for version in ("", "V2", "V3")),
    "TensorArrayGradWithShape",
)
