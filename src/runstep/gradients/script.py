"""The gradient of `tf.py_function`: the function is called again, and what it does with tensors differentiated."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from runstep.gradients.backprop import UnconnectedGradients, gradients
from runstep.gradients.nn_common import dense
from runstep.gradients.registry import gradient
from runstep.gradients.trainable import is_trainable
from runstep.graph.convert import convert_to_tensor
from runstep.graph.operation import Operation
from runstep.kernels import scripts
from runstep.ops.script_ops import py_function


@gradient("EagerPyFunc")
def _py_function(op: Operation, *grads: Any) -> list[Any]:
    """Raises InvalidArgumentError for a function of another process."""
    function = scripts.find(op.attrs["token"].decode()).function
    xs = [place for place, tensor in enumerate(op.inputs) if is_trainable(tensor)]
    ys = [place for place, grad in enumerate(grads) if grad is not None]
    found: list[Any] = [None] * len(op.inputs)
    if xs:
        given = [*op.inputs, *(dense(grads[place]) for place in ys)]
        types = [op.inputs[place].dtype for place in xs]
        with op.graph.control_dependencies(op.outputs):
            made = py_function(_backward(function, len(op.inputs), xs, ys), given, types)
        for place, grad in zip(xs, made, strict=True):
            grad.set_shape(op.inputs[place].shape)
            found[place] = grad
    return found


def _backward(function: Callable[..., Any], count: int, xs: Sequence[int], ys: Sequence[int]) -> Callable[..., Any]:
    """A function of `count` inputs and of the gradients of results `ys`: those of inputs `xs`."""

    def backward(*values: Any) -> list[Any]:
        inputs, upstream = values[:count], list(values[count:])
        returned = function(*inputs)
        results = returned if isinstance(returned, list | tuple) else [returned]
        targets = [convert_to_tensor(results[place], grad.dtype) for place, grad in zip(ys, upstream, strict=True)]
        sources = [inputs[place] for place in xs]
        return gradients(targets, sources, upstream, unconnected_gradients=UnconnectedGradients.ZERO)

    return backward
