"""The table of kernels: how a kind of device *computes* an op.

A kernel is made once per node, at plan time, so that dtype and attribute dispatch is never done per step:

    @numpy_kernel("SquaredDifference")                 # the function serves every node as it is
    def squared_difference(x, y): ...

    @numpy_kernel.make("Transpose", view=True)         # called once per node; returns the function of the inputs
    def transpose(node): ...

Values that flow between kernels:

- dense tensors: `np.ndarray`, or a numpy scalar (`np.generic`) where the rank is 0; never a bare Python number;
- strings: object arrays of `bytes` (rank 0: a 0-d object array);
- resources and variants: the Python object itself (rank 0), or an object array of them;
- a value of a ref dtype: the variable object; an input that is not a ref has been read already.

A kernel never writes into its inputs, returns exactly the node's output dtypes, and returns a tuple when the op def has
several outputs (a sequence output counts as its elements).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

import numpy as np

from runstep.graph.dtypes import DType
from runstep.graph.shapes import RawShape

Kernel = Callable[..., Any]


class Node(Protocol):
    """What a kernel is made for: one node of a plan."""

    @property
    def name(self) -> str: ...
    @property
    def key(self) -> str:
        """What is kept for the node beyond the plan has this name: nodes of two functions may share theirs."""

    @property
    def type(self) -> str: ...
    @property
    def device(self) -> str: ...
    @property
    def attrs(self) -> Mapping[str, Any]: ...
    @property
    def input_types(self) -> Sequence[DType]: ...
    @property
    def output_types(self) -> Sequence[DType]: ...
    @property
    def input_shapes(self) -> Sequence[RawShape]: ...
    @property
    def output_shapes(self) -> Sequence[RawShape]: ...
    @property
    def resources(self) -> Any: ...

    def constant(self, index: int) -> np.ndarray | None:
        """The value of input `index` where the plan knows it, else None. Do not write into it."""

    def function(self, name: Any) -> Kernel:
        """The compiled body of a function of the graph's library, as a kernel: inputs in, tuple of outputs out."""


class KernelDef:
    """One row: a factory with the constraints and promises of the kernels it makes."""

    __slots__ = ("is_async", "make", "op", "types", "uses_step", "view")

    def __init__(
        self,
        op: str,
        make: Callable[[Node], Kernel],
        *,
        types: Mapping[str, Sequence[DType]] | None,
        view: bool,
        step: bool,
        is_async: bool,
    ) -> None:
        self.op = op
        self.make = make
        self.types = types or {}
        self.view = view
        self.uses_step = step
        self.is_async = is_async

    def accepts(self, attrs: Mapping[str, Any]) -> bool:
        """Whether the node's type attributes are among those that this kernel computes."""
        for name, allowed in self.types.items():
            if attrs.get(name) not in allowed:
                return False
        return True


F = TypeVar("F", bound=Callable[..., Any])


class KernelTable:
    """The kernels of one kind of device. Calling it, or its `make`, as a decorator adds rows."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._rows: dict[str, list[KernelDef]] = {}

    def __call__(
        self,
        *ops: str,
        types: Mapping[str, Sequence[DType]] | None = None,
        view: bool = False,
        step: bool = False,
        is_async: bool = False,
    ) -> Callable[[F], F]:
        """Registers one function as the kernel of every node of these ops. See `make` for the arguments."""

        def register(function: F) -> F:
            self._add(ops, lambda node: function, types=types, view=view, step=step, is_async=is_async)
            return function

        return register

    def make(
        self,
        *ops: str,
        types: Mapping[str, Sequence[DType]] | None = None,
        view: bool = False,
        step: bool = False,
        is_async: bool = False,
    ) -> Callable[[F], F]:
        """Registers a factory `node -> kernel`, called once per node at plan time.

        Args:
          ops: the op types that it serves.
          types: per type attribute, the dtypes that it serves (all that the op def allows, by default).
          view: a result may be an input itself or share memory with one (Identity, Reshape, Split ...). Every other
            kernel returns memory that nothing else refers to.
          step: the kernel takes the running step as its first argument (cancellation, per-step containers).
          is_async: the kernel is a coroutine function; it may wait.
        """

        def register(factory: F) -> F:
            self._add(ops, factory, types=types, view=view, step=step, is_async=is_async)
            return factory

        return register

    def _add(self, ops: Sequence[str], make: Callable[[Node], Kernel], **promises: Any) -> None:
        for name in ops:
            self._rows.setdefault(name, []).append(KernelDef(name, make, **promises))

    def find(self, op: str, attrs: Mapping[str, Any]) -> KernelDef | None:
        """The first row for `op` that accepts these attributes, or None."""
        for row in self._rows.get(op, ()):
            if not row.types or row.accepts(attrs):
                return row
        return None

    def rows(self, op: str) -> Sequence[KernelDef]:
        """Every row for `op` (for error messages: which dtypes would have worked)."""
        return self._rows.get(op, ())

    def ops(self) -> Sequence[str]:
        """The op types that have at least one kernel."""
        return tuple(self._rows)


numpy_kernel = KernelTable("CPU")
"""The embedded default: numpy on a CPU."""
