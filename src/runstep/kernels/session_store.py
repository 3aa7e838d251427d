"""The session store: tensors kept between steps, by the text of their handle."""

from __future__ import annotations

import itertools
import threading
from typing import Any

from runstep.kernels.resources import ResourceManager
from runstep.kernels.shared import bytes_of, invalid, kept

STORE = "runstep::SessionStore"


class SessionStore:
    """Tensors by handle. All methods may be called from any thread."""

    def __init__(self) -> None:
        self._numbers = itertools.count()
        self._tensors: dict[str, Any] = {}
        self._lock = threading.Lock()

    @property
    def nbytes(self) -> int:
        """Bytes of all tensors."""
        with self._lock:
            return sum(map(bytes_of, self._tensors.values()))

    def put(self, name: str, device: str, value: Any) -> str:
        """Keeps a copy of `value`; returns its handle, "name;number;device"."""
        with self._lock:
            handle = f"{name};{next(self._numbers)};{device}"
            self._tensors[handle] = kept(value)
            return handle

    def get(self, handle: str) -> Any:
        """The tensor of a handle. Do not write into it.

        Raises:
          InvalidArgumentError: there is none (any more).
        """
        with self._lock:
            if handle in self._tensors:
                return self._tensors[handle]
        raise invalid(f"The tensor with handle '{handle}' is not in the session store.")

    def delete(self, handle: str) -> None:
        """Forgets the tensor of a handle.

        Raises:
          InvalidArgumentError: there is none (any more).
        """
        with self._lock:
            if handle not in self._tensors:
                raise invalid(f"Failed to delete a tensor with handle '{handle}' in the session store.")
            del self._tensors[handle]


def store_of(manager: ResourceManager) -> SessionStore:
    """The store of a session's device."""
    return manager.get_or_create("", STORE, "store", SessionStore)
