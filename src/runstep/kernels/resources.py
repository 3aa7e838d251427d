"""What outlives a step: the resources of a device (variables, tables, queues ...) and the handles that name them.

Resources are kept by container, type and name, so a queue and a variable may share a name. A `ResourceHandle` is the
value of a resource tensor; it points at the *entry* of its resource rather than at the resource, so that a handle
made once serves every step, also when the resource is made later, destroyed, or made again.

Values of variables are handed out without copying and without a lock. That is safe because an array that somebody
else may hold is never written again: an update makes a new array, or writes into the old one only when the
variable's own reference to it is the last one. The reference count tells exactly that, views included (a view refers
to the array it looks into).
"""

from __future__ import annotations

import hashlib
import sys
import threading
import weakref
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from typing import Any

import numpy as np

from runstep import errors
from runstep.graph.dtypes import DType
from runstep.graph.shapes import RawShape

DEFAULT_CONTAINER = "localhost"
"""Where a resource lives whose node names no container."""

ANONYMOUS_NAME = "cd2c89b7-88b7-44c8-ad83-06c2a9158347"
"""The shared_name that stands for "no name: the resource lives as long as its handle"."""

VARIABLE = "tensorflow::Var"
LEGACY_VARIABLE = "tensorflow::LegacyVar"

IN_PLACE_BYTES = 8192
"""Arrays below this size are cheaper to make anew than to check for other holders."""


# --- entries, handles and the manager -----------------------------------------------------------------------------


class Entry:
    """One place in a resource manager: `resource` is None while nothing lives there."""

    __slots__ = ("__weakref__", "container", "name", "resource", "type_name")

    def __init__(self, container: str, type_name: str, name: str, resource: Any = None) -> None:
        self.container = container
        self.type_name = type_name
        self.name = name
        self.resource = resource


@cache
def _hash_code(type_name: str) -> int:
    return int.from_bytes(hashlib.blake2b(type_name.encode(), digest_size=8).digest(), "little")


class ResourceHandle:
    """The value of a resource tensor: which resource of which device. Equal if it names the same one.

    Attributes:
      device, container, name, type_name: where it lives; `type_name` as in "tensorflow::Var".
      dtypes_and_shapes: (DType, raw shape) pairs, for variables what they hold.
      entry: where the resource is; `handle.entry.resource` is the resource, or None.
    """

    __slots__ = ("container", "device", "dtypes_and_shapes", "entry", "name", "type_name")

    def __init__(self, device: str, entry: Entry, dtypes_and_shapes: tuple[tuple[DType, RawShape], ...] = ()) -> None:
        self.device = device
        self.entry = entry
        self.container = entry.container
        self.name = entry.name
        self.type_name = entry.type_name
        self.dtypes_and_shapes = dtypes_and_shapes

    @property
    def hash_code(self) -> int:
        """A number that stands for the type of the resource."""
        return _hash_code(self.type_name)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ResourceHandle) and self.entry is other.entry

    def __hash__(self) -> int:
        return hash(id(self.entry))

    def __repr__(self) -> str:
        return f"<ResourceHandle {self.type_name} {self.container}/{self.name} on {self.device or 'no device'}>"


class ResourceManager:
    """The resources of one device. All methods may be called from any thread."""

    def __init__(self, device: str = "") -> None:
        self.device = device
        self._lock = threading.RLock()
        self._entries: dict[tuple[str, str, str], Entry] = {}
        self._anonymous: weakref.WeakSet[Entry] = weakref.WeakSet()
        self._anonymous_count = 0
        self._kept: weakref.WeakSet[Entry] = weakref.WeakSet()

    def entry(self, container: str, type_name: str, name: str) -> Entry:
        """The place of a resource, made if need be. An entry stays valid as long as the manager."""
        key = (container or DEFAULT_CONTAINER, type_name, name)
        with self._lock:
            found = self._entries.get(key)
            if found is None:
                found = self._entries[key] = Entry(*key)
            return found

    def get_or_create(self, container: str, type_name: str, name: str, make: Callable[[], Any]) -> Any:
        """The resource at (container, type, name); `make()` makes it when there is none."""
        return self.fill(self.entry(container, type_name, name), make)

    def fill(self, entry: Entry, make: Callable[[], Any]) -> Any:
        """The resource of `entry`; `make()` makes it when there is none, once however many threads ask."""
        resource = entry.resource
        if resource is None:
            with self._lock:
                resource = entry.resource
                if resource is None:
                    resource = entry.resource = make()
        return resource

    def handle(
        self,
        container: str,
        type_name: str,
        name: str,
        dtypes_and_shapes: tuple[tuple[DType, RawShape], ...] = (),
    ) -> ResourceHandle:
        """A handle of (container, type, name). The resource need not exist yet."""
        return ResourceHandle(self.device, self.entry(container, type_name, name), dtypes_and_shapes)

    def anonymous(
        self,
        type_name: str,
        resource: Any = None,
        dtypes_and_shapes: tuple[tuple[DType, RawShape], ...] = (),
    ) -> ResourceHandle:
        """A handle of a resource without a name; the resource lives as long as its handles."""
        with self._lock:
            self._anonymous_count += 1
            entry = Entry(DEFAULT_CONTAINER, type_name, f"_AnonymousVar{self._anonymous_count}", resource)
            self._anonymous.add(entry)
        return ResourceHandle(self.device, entry, dtypes_and_shapes)

    def keep(self, type_name: str, name: str, kept: Any) -> Entry:
        """Counts memory that outlives steps and that no op knows of, as long as somebody has the entry.

        Args:
          kept: has `nbytes`, and `release()`, which frees what it can do without and tells whether there was any.
        """
        entry = Entry(DEFAULT_CONTAINER, type_name, name, kept)
        with self._lock:
            self._kept.add(entry)
        return entry

    def release(self, but: Iterable[Any] = ()) -> bool:
        """Frees what such memory can do without, but for some of it. Whether there was any."""
        with self._lock:
            kept = [entry.resource for entry in self._kept]
        spared = set(map(id, but))
        return any([one.release() for one in kept if one is not None and id(one) not in spared])

    def lookup(self, container: str, type_name: str, name: str) -> Any:
        """The resource at (container, type, name), or None."""
        found = self._entries.get((container or DEFAULT_CONTAINER, type_name, name))
        return None if found is None else found.resource

    def delete(self, entry: Entry) -> bool:
        """Drops the resource of `entry`. False if there was none."""
        with self._lock:
            there = entry.resource is not None
            entry.resource = None
            return there

    def clear(self, containers: Iterable[str] | None = None) -> None:
        """Drops every resource, or those of the named containers (`Session.reset`)."""
        chosen = None if not containers else set(containers)
        with self._lock:
            for (container, _, _), entry in self._entries.items():
                if chosen is None or container in chosen:
                    entry.resource = None
            for entry in self._kept:
                entry.resource = None if chosen is None else entry.resource

    def has_container(self, container: str) -> bool:
        """Whether any resource lives in `container`."""
        with self._lock:
            return any(key[0] == container and entry.resource is not None for key, entry in self._entries.items())

    def __iter__(self) -> Iterator[tuple[str, str, str, Any]]:
        """(container, type, name, resource) of every living resource; anonymous ones too."""
        with self._lock:
            entries = [*self._entries.values(), *self._anonymous, *self._kept]
        for entry in entries:
            resource = entry.resource
            if resource is not None:
                yield entry.container, entry.type_name, entry.name, resource

    @property
    def nbytes(self) -> int:
        """Bytes that all resources hold together, as far as they say (`.nbytes`)."""
        return sum(int(getattr(resource, "nbytes", 0)) for _, _, _, resource in self)


def resource_name(node: Any) -> tuple[str, str]:
    """(container, name) of the resource that a node owns: its shared_name, or its own name where it has none."""
    attrs = node.attrs
    shared = attrs.get("shared_name") or b""
    container = attrs.get("container") or b""
    return container.decode() or DEFAULT_CONTAINER, shared.decode() or node.name


def mangled(type_name: str) -> str:
    """A type's name as TensorFlow's texts spell it: "tensorflow::Var" -> "N10tensorflow3VarE"."""
    return "N" + "".join(f"{len(part)}{part}" for part in type_name.split("::")) + "E"


def wrong_type(handle: ResourceHandle, type_name: str) -> str:
    """The text for a handle that is used as a handle of another type."""
    return (
        "Trying to access a handle's resource using the wrong type. The handle points to a resource "
        f"(name '{handle.name}') of type '{handle.type_name}' (hash code {handle.hash_code}) but you are trying to "
        f"access the resource as type '{type_name}' (hash code {_hash_code(type_name)})"
    )


def missing(handle: ResourceHandle) -> str:
    """The text for a handle whose resource does not exist."""
    return f"Resource {handle.container}/{handle.name}/{mangled(handle.type_name)} does not exist."


def resource_of(handle: Any, type_name: str) -> Any:
    """The resource that a handle names.

    Raises:
      InvalidArgumentError: it is no handle, or a handle of another type.
      NotFoundError: the resource does not exist.
    """
    if type(handle) is not ResourceHandle:
        if isinstance(handle, np.ndarray) and handle.size == 1:
            return resource_of(handle.item(), type_name)
        raise errors.InvalidArgumentError(None, None, f"{handle!r} is not a resource handle")
    if handle.type_name != type_name:
        raise errors.InvalidArgumentError(None, None, wrong_type(handle, type_name))
    resource = handle.entry.resource
    if resource is None:
        raise errors.NotFoundError(None, None, missing(handle))
    return resource


# --- variables ----------------------------------------------------------------------------------------------------

_getrefcount = sys.getrefcount


def _take(variable: Variable) -> tuple[Any, int]:
    """Takes the value out of a variable, with its reference count at that moment."""
    value = variable.value
    variable.value = None
    return value, _getrefcount(value)


class Variable:
    """A place for one value. Holds its bytes; knows nothing of graphs.

    Attributes:
      name: of the node that made it, for messages.
      dtype: the DType of its values.
      value: an ndarray or numpy scalar that must not be written to; None before the first assignment, and for a
        moment while an update writes in place (under `lock`): readers that see None ask again under the lock.
      lock: held by every update.
    """

    __slots__ = ("__weakref__", "dtype", "lock", "name", "shape", "value")

    def __init__(self, name: str, dtype: DType, shape: tuple[int, ...] | None = None, value: Any = None) -> None:
        self.name = name
        self.dtype = dtype
        self.shape = shape
        self.value = value
        self.lock = threading.Lock()

    @property
    def nbytes(self) -> int:
        """Bytes of the value; 0 before the first assignment. Strings count by their lengths."""
        value = self.value
        if value is None:
            return 0
        if value.dtype.hasobject:
            return int(value.nbytes) + sum(len(item) for item in value.ravel().tolist() if isinstance(item, bytes))
        return int(value.nbytes)

    def locked_read(self) -> Any:
        """The value once no update is under way; None if there has been no assignment."""
        with self.lock:
            return self.value

    def take(self) -> np.ndarray:
        """The value as a C-contiguous array that may be written to.

        The caller holds `lock` and stores it (or a new value) back.
        """
        value, holders = _take(self)
        if not isinstance(value, np.ndarray):
            return np.asarray(value)
        return value.copy() if holders > _SOLE_HOLDER or not value.flags.c_contiguous else value

    def store(self, value: Any) -> None:
        """Makes a private copy of `value` the new value. The caller holds `lock`."""
        if not isinstance(value, np.ndarray):
            self.value = value
            return
        old = self.value
        if (
            value.nbytes >= IN_PLACE_BYTES
            and isinstance(old, np.ndarray)
            and old.shape == value.shape
            and old.dtype == value.dtype
        ):
            del old
            target, holders = _take(self)
            # On failure nothing was written: shapes and types are equal.
            if holders > _SOLE_HOLDER:
                target = value.copy()
            else:
                np.copyto(target, value)
            self.value = target
            return
        self.value = np.array(value, order="C")

    def apply(self, function: Any, operand: Any) -> None:
        """`value = function(value, operand)` for a ufunc. The caller holds `lock` and has checked the shapes."""
        value = self.value
        if value.nbytes < IN_PLACE_BYTES:
            self.value = function(value, operand)
            return
        del value
        value, holders = _take(self)
        try:
            if holders > _SOLE_HOLDER:
                value = function(value, operand)
            else:
                function(value, operand, out=value)
        finally:
            self.value = value


class RefVariable(Variable):
    """What a ref tensor carries: the variable itself, not its value (source: VariableV2)."""

    __slots__ = ()


class ResourceVariable(Variable):
    """What a handle of type `VARIABLE` names (source: VarHandleOp)."""

    __slots__ = ()


def _count_of_sole_holder() -> int:
    if not getattr(sys, "_is_gil_enabled", lambda: True)():
        return -1  # without the lock of the interpreter counts are not exact: always copy
    probe = Variable("", None, None, np.zeros(2))  # type: ignore[arg-type]
    return _take(probe)[1]


# Measured, because it depends on how the interpreter passes arguments.
_SOLE_HOLDER = _count_of_sole_holder()


def read_ref(ref: Any, name: str | None = None) -> Any:
    """The value of a ref tensor, to be read and not written.

    Args:
      ref: the `RefVariable`.
      name: of the node that produced the ref, for the message; the variable's by default.

    Raises:
      FailedPreconditionError: the variable has no value yet.
    """
    value = ref.value
    if value is None:
        value = ref.locked_read()
        if value is None:
            raise uninitialized(name or ref.name)
    return value


def uninitialized(name: str) -> errors.FailedPreconditionError:
    """The error of reading a ref variable that has no value."""
    return errors.FailedPreconditionError(None, None, f"Attempting to use uninitialized value {name}")


def is_initialized(ref: Any) -> bool:
    """Whether a ref variable has a value."""
    return ref.value is not None or ref.locked_read() is not None
