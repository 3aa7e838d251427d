"""Tensors that stay in a session between steps, and the handles that name them (S170-S172)."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import numpy as np

from runstep import errors
from runstep.graph.dtypes import DType, as_dtype, string
from runstep.graph.tensor import Tensor
from runstep.kernels.session_store import SessionStore, store_of
from runstep.kernels.shared import type_text
from runstep.ops.session_store import device_of

if TYPE_CHECKING:
    from runstep.session.session import BaseSession

HANDLE_OPS = frozenset(("GetSessionHandle", "GetSessionHandleV2"))
"""Ops whose fetched value is a `TensorHandle`."""


class TensorHandle:
    """Names a tensor that a session keeps (source: tf.python.ops.session_ops.TensorHandle).

    It may be fed for a tensor, in the session that it came from. The tensor goes when its handle does, unless
    `get_raw_handle` was called.

    Attributes:
      handle: "op name;number;device". dtype: of the tensor.
    """

    def __init__(self, handle: str, dtype: DType, session: BaseSession) -> None:
        self.handle = handle
        self.dtype = dtype
        self._session = session
        self._owned = True

    def __str__(self) -> str:
        return self.handle

    def __repr__(self) -> str:
        return f"<TensorHandle {self.handle} dtype={self.dtype.name}>"

    def eval(self) -> Any:
        """The kept tensor's value: the caller's own.

        Raises:
          TypeError: it was deleted, or its handle taken. InvalidArgumentError: something else deleted it.
          RuntimeError: the session is closed.
        """
        self._check_owned()
        return _private(_store(self.handle, self._session).get(self.handle))

    def delete(self) -> None:
        """Lets the session forget the tensor. Raises as `eval`."""
        self._check_owned()
        self._owned = False
        _store(self.handle, self._session).delete(self.handle)

    def get_raw_handle(self) -> str:
        """The handle as text; from now on the caller sees to its deletion."""
        self._owned = False
        return self.handle

    def to_numpy_array(self) -> np.ndarray:
        """The handle as an array of rank 0, to feed to the placeholder of `get_session_tensor`."""
        found = np.empty((), object)
        found[()] = self.handle.encode()
        return found

    def fed_for(self, tensor: Tensor, session: BaseSession) -> Any:
        """What to put in the place of `tensor` in a run of `session`. Its shape is not compared, as in TensorFlow.

        Raises:
          InvalidArgumentError: the dtypes differ, the tensor was deleted, or is of another session.
        """
        if tensor.dtype.base_dtype is not self.dtype.base_dtype:
            raise errors.InvalidArgumentError(
                None, None, f"Expects arg[0] to be {type_text(tensor.dtype)} but {type_text(self.dtype)} is provided"
            )
        return _private(_store(self.handle, session).get(self.handle))

    def _check_owned(self) -> None:
        if not self._owned:
            raise TypeError(f"Persistent tensor {self.handle} may have already been deleted.")

    def __del__(self) -> None:
        if self._owned and not self._session._closed:
            with contextlib.suppress(errors.OpError):
                self.delete()


def made(session: BaseSession, tensor: Tensor, value: Any) -> TensorHandle:
    """The TensorHandle of a fetched handle."""
    text = value.decode() if isinstance(value, bytes) else value.name
    return TensorHandle(text, tensor.op.inputs[0].dtype.base_dtype, session)


def handle_of(text: str, session: BaseSession) -> TensorHandle:
    """The handle of a tensor that `session` keeps; it stays when the handle goes.

    Raises:
      InvalidArgumentError: there is none (any more).
    """
    value = np.asarray(_store(text, session).get(text))
    handle = TensorHandle(text, string if value.dtype == object else as_dtype(value.dtype), session)
    handle.get_raw_handle()
    return handle


def _store(handle: str, session: BaseSession) -> SessionStore:
    """The store of the device that a handle names, in this session."""
    engine = session._engine
    if session._closed or engine is None:
        raise RuntimeError("Attempted to use a closed Session.")
    name = device_of(handle)
    device = next((device for device in engine.devices if device.name == name), engine.devices[0])
    return store_of(device.resources)


def _private(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value.copy() if value.ndim else value[()]
    return value
