"""Runs the nodes of a graph one at a time, without a session: kernels that wait are stopped and resumed by hand.

bench = Bench()
with bench.graph.as_default():
    queue = apply("FIFOQueueV2", component_types=[dtypes.int32])
    pending = bench.start(apply("QueueDequeueV2", queue, component_types=[dtypes.int32]))
    assert not pending.done
    bench.run(apply("QueueEnqueueV2", queue, [1]))
    assert pending.resume() == 1
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

import numpy as np

import runstep.ops.table  # noqa: F401 - fills the registry
from runstep.graph.graph import Graph
from runstep.graph.operation import Operation
from runstep.graph.tensor import Tensor
from runstep.kernels import cpu_kernels
from runstep.kernels.registry import KernelTable
from runstep.kernels.resources import RefVariable, ResourceManager, read_ref
from runstep.kernels.waiting import Waiter
from runstep.testing import stateful

DEVICE = "/job:localhost/replica:0/task:0/device:CPU:0"


class _Node:
    """An operation as a kernel factory sees it (`runstep.kernels.registry.Node`)."""

    def __init__(self, op: Operation, resources: ResourceManager) -> None:
        self.name = self.key = op.name
        self.type = op.type
        self.device = resources.device
        self.attrs = op.attrs
        self.input_types = [tensor.dtype for tensor in op.inputs]
        self.output_types = op.output_types
        self.input_shapes = [tensor.raw_shape for tensor in op.inputs]
        self.output_shapes = [tensor.raw_shape for tensor in op.outputs]
        self.resources = resources
        self._op = op

    def constant(self, index: int) -> np.ndarray | None:
        return self._op.constant(index)

    def function(self, name: Any) -> Any:
        raise LookupError(f"{self.type}: the bench has no function library (asked for {name})")


class Pending:
    """One node under way. `done` once it has ended; until then it is parked on `waiter`."""

    def __init__(self, name: str, coroutine: Coroutine[Any, None, Any]) -> None:
        self.name = name
        self.done = False
        self.waiter: Waiter | None = None
        self._coroutine = coroutine
        self._value: Any = None
        self._error: BaseException | None = None
        self._go(lambda: coroutine.send(None))

    def _go(self, step: Any) -> None:
        try:
            self.waiter = step()
        except StopIteration as end:
            self.done, self._value = True, end.value
        except Exception as error:
            self.done, self._error = True, error

    @property
    def woken(self) -> bool:
        """Whether `resume` would get further."""
        return self.done or (self.waiter is not None and self.waiter.woken)

    def resume(self) -> Any:
        """Goes on after a wake-up; the value at the end. AssertionError when nothing woke it, or it parks again."""
        while not self.done:
            assert self.woken, f"{self.name} still waits: {self.waiter.reason if self.waiter else ''}"
            self._go(lambda: self._coroutine.send(None))
        return self.result()

    def cancel(self, error: BaseException) -> None:
        """Raises `error` where the kernel waits, as a driver does that cancels the step."""
        self._go(lambda: self._coroutine.throw(error))

    def result(self) -> Any:
        """The value of a node that has ended, or its error."""
        assert self.done, f"{self.name} still waits: {self.waiter.reason if self.waiter else ''}"
        if self._error is not None:
            raise self._error
        return self._value


class Bench:
    """A graph, the resources of one device, and a kernel for each node, made when the node first runs."""

    def __init__(self, table: KernelTable | None = None) -> None:
        self.graph = Graph()
        self.resources = ResourceManager(DEVICE)
        self._table = table or cpu_kernels()
        self._kernels: dict[Operation, tuple[Any, bool]] = {}

    def run(self, fetches: Any, feeds: Mapping[Tensor, Any] | None = None) -> Any:
        """The value of a tensor, None for an operation, a list for a list. Every node runs once.

        Raises:
          AssertionError: a node waits; `start` it instead.
        """
        values = dict(feeds or {})
        return self._fetch(fetches, values)

    def start(self, fetch: Any, feeds: Mapping[Tensor, Any] | None = None) -> Pending:
        """Runs the node of `fetch` until it ends or parks; its inputs are run to their ends first."""
        op = fetch.op if isinstance(fetch, Tensor) else fetch
        return self._start(op, dict(feeds or {}))

    def _fetch(self, fetch: Any, values: dict[Any, Any]) -> Any:
        if isinstance(fetch, list | tuple):
            return type(fetch)(self._fetch(item, values) for item in fetch)
        if isinstance(fetch, Operation):
            self._run(fetch, values)
            return None
        value = self._value(fetch, values)
        if isinstance(value, RefVariable):
            return read_ref(value)
        if isinstance(value, np.ndarray) and value.ndim == 0:
            return value.item() if value.dtype == object else value[()]
        return value

    def _value(self, tensor: Tensor, values: dict[Any, Any]) -> Any:
        if tensor not in values:
            self._run(tensor.op, values)
        return values[tensor]

    def _run(self, op: Operation, values: dict[Any, Any]) -> None:
        if op in values:
            return
        result = self._start(op, values).result()
        values[op] = None
        results = result if type(result) is tuple else (result,)
        for tensor, value in zip(op.outputs, results, strict=bool(op.outputs)):
            values[tensor] = value

    def _start(self, op: Operation, values: dict[Any, Any]) -> Pending:
        for control in op.control_inputs:
            self._run(control, values)
        if op not in self._kernels:
            row = self._table.find(op.type, op.attrs)
            assert row is not None, f"no kernel for {op.type} {op.attrs}"
            self._kernels[op] = row.make(_Node(op, self.resources)), row.is_async
        kernel, is_async = self._kernels[op]
        inputs = [self._input(op, index, values) for index in range(len(op.inputs))]

        async def call() -> Any:
            with np.errstate(all="ignore"):
                return await kernel(*inputs) if is_async else kernel(*inputs)

        return Pending(op.name, call())

    def _input(self, op: Operation, index: int, values: dict[Any, Any]) -> Any:
        value = self._value(op.inputs[index], values)
        if isinstance(value, RefVariable) and not _takes_ref(op, index):
            return read_ref(value)
        return value


class BenchApi(stateful.RunstepApi):
    """Runs the programs of `runstep.testing.stateful` on a bench: see `compare`."""

    def __init__(self) -> None:
        stateful.Api.__init__(self)
        self.bench = Bench()
        self.graph = self.bench.graph
        self.session = contextlib.nullcontext()

    def _run(self, fetches: Any, feeds: dict[Any, Any] | None) -> Any:
        return self.bench.run(fetches, feeds)


def compare(program: Callable[[Any], None], rtol: float = 1e-6, atol: float = 0.0, texts: bool = True) -> None:
    """`stateful.compare` on a bench, with the texts of errors."""
    theirs = stateful.outcomes(stateful.TensorFlowApi(), program)
    stateful.agree(theirs, stateful.outcomes(BenchApi(), program), rtol, atol, texts)


def _takes_ref(op: Operation, index: int) -> bool:
    place = 0
    for arg in op.op_def.inputs if op.op_def else ():
        count = 1
        if arg.number_attr:
            count = op.attrs[arg.number_attr]
        elif arg.type_list_attr:
            count = len(op.attrs[arg.type_list_attr])
        if place <= index < place + count:
            return arg.is_ref
        place += count
    return False
