"""Ref variables, and ops that pretend to work in place. A ref travels as the `RefVariable` itself."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np

from runstep import errors
from runstep.graph import dtypes, shapes
from runstep.graph.dtypes import DType
from runstep.kernels.registry import Kernel, Node, numpy_kernel
from runstep.kernels.resources import (
    LEGACY_VARIABLE,
    RefVariable,
    ResourceHandle,
    is_initialized,
    resource_name,
    resource_of,
    uninitialized as uninitialized_error,
)
from runstep.kernels.texts import invalid, shape_text
from runstep.kernels.waiting import Waiter, park


def zeros(shape: Any, dtype: DType) -> Any:
    """An array of zeros, of empty strings for strings."""
    if dtype is dtypes.string:
        return np.full(shape, b"", object)
    return np.zeros(shape, dtype.np)


# --- variables ----------------------------------------------------------------------------------------------------


def _static_shape(node: Node) -> tuple[int, ...]:
    shape = node.attrs["shape"]
    if shape is None:
        return ()
    if None in shape:
        raise invalid(f"Shape {shapes.text(shape)} is not fully defined")
    return tuple(shape)


@numpy_kernel.make("Variable", "VariableV2")
def variable(node: Node) -> Kernel:
    container, name = resource_name(node)
    manager = node.resources
    entry = manager.entry(container, LEGACY_VARIABLE, name)
    dtype = node.output_types[0].base_dtype

    def create() -> RefVariable:
        shape = _static_shape(node)
        return RefVariable(node.name, dtype, shape, zeros(shape, dtype) if 0 in shape else None)

    def run() -> RefVariable:
        found: RefVariable | None = entry.resource
        if found is None:
            found = manager.fill(entry, create)
        if found.dtype is not dtype:
            raise errors.InternalError(
                None,
                None,
                f"Output 0 of type {found.dtype.name}_ref does not match declared output type {dtype.name}_ref "
                f"for node {{{{node {node.name}}}}}",
            )
        return found

    return run


@numpy_kernel.make("TemporaryVariable")
def temporary_variable(node: Node) -> Kernel:
    dtype = node.output_types[0].base_dtype
    name = node.attrs["var_name"].decode() or node.name

    def run() -> RefVariable:
        shape = _static_shape(node)
        return RefVariable(name, dtype, shape, zeros(shape, dtype))

    return run


@numpy_kernel.make("DestroyTemporaryVariable")
def destroy_temporary_variable(node: Node) -> Kernel:
    name = node.attrs["var_name"].decode()

    def run(ref: RefVariable) -> Any:
        if ref.name != name:
            raise errors.NotFoundError(None, None, f"Resource {name} does not exist.")
        with ref.lock:
            return ref.take()

    return run


@numpy_kernel.make("Assign")
def assign(node: Node) -> Kernel:
    if not node.attrs["validate_shape"]:

        def assign_any(ref: RefVariable, value: Any) -> RefVariable:
            with ref.lock:
                ref.store(value)
                ref.shape = value.shape
            return ref

        return assign_any

    def run(ref: RefVariable, value: Any) -> RefVariable:
        if ref.shape != value.shape:
            raise invalid(
                "Assign requires shapes of both tensors to match. "
                f"lhs shape= {shape_text(ref.shape or ())} rhs shape= {shape_text(value.shape)}"
            )
        with ref.lock:
            ref.store(value)
        return ref

    return run


def _assign_update(function: Any) -> Kernel:
    def run(ref: RefVariable, value: Any) -> RefVariable:
        with ref.lock:
            if ref.value is None:
                raise uninitialized_error(ref.name)
            if ref.shape != value.shape:
                raise invalid("Parameters and update must be the same size")
            ref.apply(function, value)
        return ref

    return run


numpy_kernel("AssignAdd")(_assign_update(np.add))
numpy_kernel("AssignSub")(_assign_update(np.subtract))


@numpy_kernel("IsVariableInitialized")
def is_variable_initialized(ref: RefVariable) -> Any:
    return np.bool_(is_initialized(ref))


def next_count(variable: Any, limit: int) -> Any:
    """The value of a scalar counter, which is then raised by one. OutOfRangeError at the limit. Locks the variable."""
    with variable.lock:
        value = variable.value
        if value is None:
            raise uninitialized_error(variable.name)
        if value.shape != ():
            raise invalid("input is not a scalar: " + shape_text(value.shape))
        if value >= limit:
            raise errors.OutOfRangeError(None, None, f"Reached limit of {limit}")
        variable.value = value + value.dtype.type(1)
    return value


@numpy_kernel.make("CountUpTo")
def count_up_to(node: Node) -> Kernel:
    limit = node.attrs["limit"]
    return lambda ref: next_count(ref, limit)


# --- copies that pretend to be in place ---------------------------------------------------------------------------


def _check_rows(x: Any, i: Any, v: Any) -> None:
    if i.ndim != 1:
        raise invalid(f"i must be a vector. {shape_text(i.shape)}")
    if x.ndim != v.ndim or x.ndim == 0:
        raise invalid(f"x and v shape doesn't match (ranks differ): {shape_text(x.shape)} vs. {shape_text(v.shape)}")
    for axis in range(1, x.ndim):
        if x.shape[axis] != v.shape[axis]:
            raise invalid(
                f"x and v shape doesn't match at index {axis} : {shape_text(x.shape)} vs. {shape_text(v.shape)}"
            )
    if i.shape[0] != v.shape[0]:
        raise invalid(f"i and x shape doesn't match at index 0: {shape_text(i.shape)} vs. {shape_text(v.shape)}")


def _register_inplace(op: str, function: Any) -> None:
    def run(x: Any, i: Any, v: Any) -> Any:
        _check_rows(x, i, v)
        result = x.copy()
        if result.shape[0] == 0:
            return result
        # Rows outside the tensor wrap around, and a row named twice is updated twice, as in TensorFlow.
        for row, target in enumerate((i % result.shape[0]).tolist()):
            result[target] = v[row] if function is None else function(result[target], v[row])
        return result

    def make(node: Node) -> Kernel:
        dtype = node.output_types[0]
        if dtype.is_quantized or (function is not None and not dtype.is_numeric):
            raise invalid(f"Unsupported data type: {dtype.name}")
        return run

    numpy_kernel.make(op)(make)


_register_inplace("InplaceUpdate", None)
_register_inplace("InplaceAdd", np.add)
_register_inplace("InplaceSub", np.subtract)


@numpy_kernel.make("DeepCopy")
def deep_copy(node: Node) -> Kernel:
    if node.output_types[0].is_quantized:
        raise invalid(f"Unsupported data type: {node.output_types[0].name}")
    return lambda x: x.copy()


@numpy_kernel.make("Empty")
def empty(node: Node) -> Kernel:
    dtype = node.output_types[0]

    def run(shape: Any) -> Any:
        if shape.ndim != 1:
            raise invalid(f"shape must be a vector of int32, got shape {shape_text(shape.shape)}")
        sizes = shape.tolist()
        for size in sizes:
            if size < 0:
                raise invalid(f"Dimension {size} must be >= 0")
        return zeros(sizes, dtype)

    return run


@numpy_kernel("GuaranteeConst", view=True)
def guarantee_const(x: Any) -> Any:
    if isinstance(x, ResourceHandle):
        raise invalid("Input tensor cannot be a resource variable handle.")
    return x


# --- mutexes ------------------------------------------------------------------------------------------------------

MUTEX = "tensorflow::Mutex"


class Mutex:
    """A lock that steps take in turn. Waiting for it holds no thread."""

    __slots__ = ("_held", "_lock", "_waiters")

    nbytes = 0

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held = False
        self._waiters: list[Waiter] = []

    async def acquire(self) -> None:
        """Waits until the mutex is free and takes it."""
        while True:
            with self._lock:
                if not self._held:
                    self._held = True
                    return
                waiter = Waiter("the mutex is held")
                self._waiters.append(waiter)
            try:
                await park(waiter)
            except BaseException:
                self._pass_on(waiter)
                raise

    def release(self) -> None:
        """Frees the mutex and wakes the first that waits."""
        with self._lock:
            self._held = False
            waiter = self._waiters.pop(0) if self._waiters else None
        if waiter is not None:
            waiter.wake()

    def _pass_on(self, cancelled: Waiter) -> None:
        with self._lock:
            if cancelled in self._waiters:
                self._waiters.remove(cancelled)
                return
            waiter = self._waiters.pop(0) if self._waiters and not self._held else None
        if waiter is not None:
            waiter.wake()


class MutexGuard:
    """The value of a MutexLock: the mutex is free again when the last reference to this object goes."""

    __slots__ = ("_mutex",)

    def __init__(self, mutex: Mutex) -> None:
        self._mutex: Mutex | None = mutex

    def release(self) -> None:
        """Frees the mutex; does nothing the second time."""
        mutex, self._mutex = self._mutex, None
        if mutex is not None:
            mutex.release()

    def __del__(self) -> None:
        self.release()


@numpy_kernel.make("MutexV2")
def mutex(node: Node) -> Kernel:
    container, name = resource_name(node)
    handle = node.resources.handle(container, MUTEX, name)

    def run() -> Any:
        node.resources.fill(handle.entry, Mutex)
        return handle

    return run


@numpy_kernel("MutexLock", is_async=True)
async def mutex_lock(handle: Any) -> Any:
    mutex = resource_of(handle, MUTEX)
    await mutex.acquire()
    return MutexGuard(mutex)


@numpy_kernel("ConsumeMutexLock")
def consume_mutex_lock(guard: Any) -> None:
    guard.release()
