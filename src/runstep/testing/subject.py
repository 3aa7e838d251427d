"""runstep under test, below the Session: a kernel on a stand-in for the node."""

from __future__ import annotations

from collections.abc import Coroutine, Mapping, Sequence
from typing import Any

import numpy as np

import runstep.ops.table  # noqa: F401 - fills the registry
from runstep.graph import dtypes
from runstep.graph.dtypes import DType
from runstep.graph.shapes import RawShape
from runstep.kernels import cpu_kernels
from runstep.kernels.registry import Kernel, KernelDef, KernelTable, numpy_kernel
from runstep.kernels.resources import VARIABLE, RefVariable, ResourceManager, ResourceVariable, Variable
from runstep.ops import registry
from runstep.testing import graphs
from runstep.testing.rows import Instance

Arrays = list[np.ndarray[Any, Any]]


def op_def(op: str) -> registry.OpDef:
    """The row of `op`; LookupError when there is none."""
    cpu_kernels()
    found = registry.get(op)
    if found is None:
        raise LookupError(f"runstep has no row for op {op} (is its module imported in runstep/ops/table.py?)")
    return found


class FakeNode:
    """A node of a plan, as a kernel factory sees it (`runstep.kernels.registry.Node`)."""

    name = key = "node"
    device = "/job:localhost/replica:0/task:0/device:CPU:0"

    def __init__(self, instance: Instance, values: Arrays, known: bool) -> None:
        self.type = instance.row.op
        self.attrs: Mapping[str, Any] = instance.attrs
        self.input_types: Sequence[DType] = instance.input_types
        self.output_types: Sequence[DType] = instance.output_types
        self.resources = ResourceManager(self.device)
        self.input_shapes: Sequence[RawShape] = [value.shape if known else None for value in values]
        self.output_shapes: Sequence[RawShape] = [None] * len(instance.output_types)
        self._constants: list[Any] = [None] * len(values)
        if known:
            self._constants = [value if instance.is_literal(index) else None for index, value in enumerate(values)]
            shapes = graphs.static_shapes(instance, values, self.known(values))
            if not isinstance(shapes, Exception):
                self.output_shapes = shapes

    def known(self, values: Arrays) -> list[Any]:
        """Per input, True where it is a constant, else its shape."""
        return [
            value.shape if constant is None else True for value, constant in zip(values, self._constants, strict=True)
        ]

    def constant(self, index: int) -> np.ndarray[Any, Any] | None:
        value: np.ndarray[Any, Any] | None = self._constants[index]
        return value

    def function(self, name: Any) -> Kernel:
        raise LookupError(f"{self.type}: a test row's node has no function library (asked for {name})")


def _layout(value: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The same values in another memory layout: what a kernel that returns a view hands on."""
    if value.ndim < 2:
        wide = np.empty(value.shape + (2,), value.dtype)
        wide[..., 0] = value
        return wide[..., 0] if value.ndim else value
    return np.asfortranarray(value)


def call(instance: Instance, values: Arrays, *, known: bool, table: KernelTable = numpy_kernel) -> list[Any]:
    """The outputs of the kernel, called twice as two steps would.

    Args:
      known: constants and shapes are known to the factory, inputs of rank 0 are numpy scalars and all are read-only;
        else nothing is known, rank 0 are 0-d arrays and other inputs are strided.

    Raises:
      AssertionError: the kernel broke a promise (wrote into an input, returned memory that is not its own, the wrong
        number of outputs, something that is not a numpy value).
      LookupError: no kernel takes these types.
      Exception: what the factory or the kernel raised.
    """
    kernel_def = table.find(instance.row.op, instance.attrs)
    if kernel_def is None:
        raise LookupError(f"runstep has no {table.kind} kernel for {instance}")
    with np.errstate(all="ignore"):
        node = FakeNode(instance, [value.copy() for value in values], known)
        inputs = _inputs(instance, values, node, known)
        kernel = kernel_def.make(node)
        first = _outputs(instance, _run(kernel_def, kernel, inputs))
        kept = [np.array(value, copy=True) if isinstance(value, np.ndarray) else value for value in first]
        if any(instance.held):
            # The run changed the variables: what they hold now is part of the outcome, and there is no second one.
            return kept + [_variable(value).value for value, held in zip(inputs, instance.held, strict=True) if held]
        second = _outputs(instance, _run(kernel_def, kernel, inputs))
    for index, (before, now) in enumerate(zip(values, inputs, strict=True)):
        assert same(before, now), f"{instance}: the kernel wrote into input {index}"
    for index, (before, now) in enumerate(zip(kept, first, strict=True)):
        assert same(before, now), f"{instance}: the second call changed what the first returned as output {index}"
    if not (instance.row.stateful or instance.op_def.is_stateful):
        for index, (before, now) in enumerate(zip(kept, second, strict=True)):
            assert same(before, now), f"{instance}: the second call returned another output {index}"
    if not kernel_def.view:
        _check_ownership(instance, inputs, first, second)
    return kept


def _inputs(instance: Instance, values: Arrays, node: FakeNode, known: bool) -> list[Any]:
    found: list[Any] = []
    for index, (value, kind, held) in enumerate(zip(values, instance.input_types, instance.held, strict=True)):
        if held is None:
            found.append(_frozen(value) if known else _layout(value))
        elif kind.is_ref:
            found.append(RefVariable(f"variable{index}", held, value.shape, value.copy()))
        else:
            handle = node.resources.handle("", VARIABLE, f"variable{index}", ((held, value.shape),))
            handle.entry.resource = ResourceVariable(f"variable{index}", held, value.shape, value.copy())
            found.append(handle)
    return found


def _variable(value: Any) -> Variable:
    found: Variable = value if isinstance(value, Variable) else value.entry.resource
    return found


def _frozen(value: np.ndarray[Any, Any]) -> Any:
    if value.ndim == 0 and value.dtype != object:
        return value[()]
    value = value.copy()
    value.flags.writeable = False
    return value


def _run(kernel_def: KernelDef, kernel: Kernel, inputs: Sequence[Any]) -> Any:
    if kernel_def.uses_step:
        raise LookupError(f"{kernel_def.op}: its kernel needs a running step; test it through a Session")
    if kernel_def.is_async:
        return _run_to_end(kernel_def.op, kernel(*inputs))
    return kernel(*inputs)


def _run_to_end(op: str, coroutine: Coroutine[Any, None, Any]) -> Any:
    try:
        waiter = coroutine.send(None)
    except StopIteration as done:
        return done.value
    coroutine.close()
    raise LookupError(f"{op}: its kernel waits ({waiter}); test it through a Session")


def _outputs(instance: Instance, result: Any) -> list[Any]:
    count = len(instance.output_types)
    if type(result) is tuple:
        outputs = list(result)
    else:
        outputs = [result] if count or result is not None else []
    assert len(outputs) == count, f"{instance}: the kernel returned {len(outputs)} outputs, not {count}"
    outputs = [value.value if isinstance(value, RefVariable) else value for value in outputs]
    for index, (value, kind) in enumerate(zip(outputs, instance.output_types, strict=True)):
        if kind.base_dtype in (dtypes.resource, dtypes.variant):
            continue
        assert isinstance(value, (np.ndarray, np.generic)), (
            f"{instance}: output {index} is a {type(value).__name__}, not an ndarray or a numpy scalar"
        )
        assert value.dtype == kind.np, f"{instance}: output {index} is {value.dtype}, not {kind.name}"
        if kind is dtypes.string:
            wrong = [item for item in np.ravel(np.asarray(value)) if type(item) is not bytes]
            assert not wrong, f"{instance}: output {index} holds {wrong[0]!r}, not bytes"
    return outputs


def _check_ownership(instance: Instance, inputs: Sequence[Any], first: Sequence[Any], second: Sequence[Any]) -> None:
    for index, value in enumerate(first):
        if not isinstance(value, np.ndarray):
            continue
        for place, other in enumerate(inputs):
            if isinstance(other, np.ndarray) and np.may_share_memory(value, other):
                raise AssertionError(f"{instance}: output {index} shares memory with input {place} without view=True")
        for other in second:
            if isinstance(other, np.ndarray) and np.may_share_memory(value, other):
                raise AssertionError(f"{instance}: output {index} is the same memory in two calls without view=True")


def same(a: Any, b: Any) -> bool:
    """Whether two values are equal bit by bit as far as numpy can say, NaN equal to NaN."""
    a, b = np.asarray(a), np.asarray(b)
    if a.dtype != b.dtype or a.shape != b.shape:
        return False
    if a.dtype == object:
        return all(x is y or x == y for x, y in zip(a.ravel().tolist(), b.ravel().tolist(), strict=True))
    return np.ascontiguousarray(a).tobytes() == np.ascontiguousarray(b).tobytes()
