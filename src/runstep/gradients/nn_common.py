"""What gradient functions of several families share."""

from __future__ import annotations

from typing import Any

from runstep.graph.apply import apply
from runstep.graph.operation import Operation
from runstep.graph.tensor import Tensor
from runstep.ops.creation import zeros_like


def same_attrs(op: Operation, *names: str) -> dict[str, Any]:
    """These attributes of `op`, to pass on to its gradient's nodes."""
    return {name: op.attrs[name] for name in names}


def or_zeros(grad: Any, like: Tensor) -> Tensor:
    """The gradient of an output, zeros where none comes in."""
    return zeros_like(like) if grad is None else dense(grad)


def dense(grad: Any) -> Tensor:
    """A gradient as a Tensor."""
    from runstep.graph.convert import convert_to_tensor

    return grad if type(grad) is Tensor else convert_to_tensor(grad)


def along_rows(vector: Tensor, matrix: Tensor) -> Tensor:
    """Each row of a batch of matrices times its number."""
    from runstep.ops.shape_ops import expand_dims

    return apply("Mul", expand_dims(vector, -1), matrix, name="mul")
