"""Tensors that stay in the session between steps, under a handle (S170, S171)."""

from __future__ import annotations

from typing import Any

from runstep.graph.apply import apply
from runstep.graph.dtypes import as_dtype
from runstep.graph.graph import get_default_graph
from runstep.graph.operation import Operation
from runstep.graph.shapes import with_rank
from runstep.graph.tensor import Tensor
from runstep.ops.basic import placeholder
from runstep.ops.common import Shapes, scalar, unknown
from runstep.ops.registry import op

__all__ = ["delete_session_tensor", "get_session_handle", "get_session_tensor"]


def _get(op: Any) -> Shapes:
    with_rank(op.inputs[0].raw_shape, 0)
    return unknown(op)


def _delete(op: Any) -> Shapes:
    with_rank(op.inputs[0].raw_shape, 0)
    return []


op("GetSessionHandle", "value: T -> handle: string", "T: type", shape=scalar, stateful=True)
op("GetSessionHandleV2", "value: T -> handle: resource", "T: type", shape=scalar, stateful=True)
op("GetSessionTensor", "handle: string -> value: dtype", "dtype: type", shape=_get, stateful=True)
op("DeleteSessionTensor", "handle: string -> ", shape=_delete, stateful=True)


def get_session_handle(data: Any, name: str | None = None) -> Tensor:
    """A tensor whose fetched value is a `TensorHandle` of `data` (source: tf.get_session_handle).

    Raises:
      TypeError: `data` is not a Tensor.
    """
    if not isinstance(data, Tensor):
        raise TypeError("`data` must be of type Tensor.")
    with get_default_graph().colocate_with(data):
        return apply("GetSessionHandle", data, name=name)


def get_session_tensor(handle: Any, dtype: Any, name: str | None = None) -> tuple[Tensor, Tensor]:
    """A placeholder for handles, and the tensor that the one fed to it names (source: tf.get_session_tensor).

    Args:
      handle: a handle (its text): says the device. dtype: of the kept tensor.
    """
    with get_default_graph().device(device_of(handle)):
        holder = placeholder("string")
        return holder, apply("GetSessionTensor", holder, dtype=as_dtype(dtype), name=name)


def delete_session_tensor(handle: Any, name: str | None = None) -> tuple[Tensor, Operation]:
    """A placeholder for handles, and the operation that deletes what the one fed to it names.

    Source: tf.delete_session_tensor.
    """
    with get_default_graph().device(device_of(handle)):
        holder = placeholder("string")
        return holder, apply("DeleteSessionTensor", holder, name=name)


def device_of(handle: Any) -> str:
    """The device that a handle names: its last part."""
    text = handle.decode() if isinstance(handle, bytes) else str(handle)
    return text.split(";")[-1]
