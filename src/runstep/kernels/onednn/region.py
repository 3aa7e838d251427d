"""The kernel of a region: a program for each set of input shapes, and node by node where there is none."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from runstep.errors import OpError
from runstep.kernels.onednn.api import Api, Unsupported
from runstep.kernels.onednn.lowering import Lowering
from runstep.kernels.onednn.program import Home, Program, Refused, Value, constant

Array = Any

_MEMO = 16
"""Programs that a region keeps: each holds the memory of its intermediate values."""


class Kept:
    """The memory that the programs of one region keep between its runs, as the account of its device sees it."""

    def __init__(self, programs: dict[Any, Program | None]) -> None:
        self._programs = programs

    def _all(self) -> list[Program]:
        return [program for program in list(self._programs.values()) if program is not None]

    @property
    def nbytes(self) -> int:
        """Bytes of weights and workspaces."""
        return sum(program.nbytes for program in self._all())

    @property
    def idle(self) -> int:
        """Bytes that the next run finds."""
        return max((program.idle for program in self._all()), default=0)

    def release(self) -> bool:
        """Frees the workspaces that nobody uses. Whether there were any."""
        return any([program.release() for program in self._all()])


class Region:
    """The kernel of a region. `kept` is what it keeps between runs.

    Args:
      nodes: its nodes, producers first. inputs: the outputs of other nodes that it reads, in the order of the kernel's
        arguments. outputs: the nodes whose values leave.
      node_by_node: makes the function that computes the outputs one node after the other.
    """

    def __init__(
        self,
        api: Api,
        nodes: Sequence[Any],
        inputs: Sequence[tuple[Any, int]],
        outputs: Sequence[Any],
        node_by_node: Callable[[], Callable[..., tuple[Any, ...]]],
    ) -> None:
        self._api = api
        self._nodes = nodes
        self._sources = inputs
        self._outputs = outputs
        types = {
            ref: tensor.dtype
            for node in nodes
            if len(node.inputs) == len(node.op.inputs)  # no rewrite has changed them: those take float32 only
            for ref, tensor in zip(node.inputs, node.op.inputs, strict=True)
        }
        self._is_size = [ref in types and types[ref].is_integer for ref in inputs]
        self._has_sizes = any(self._is_size)
        self._single = len(outputs) == 1
        self._programs: dict[Any, Program | None] = {}
        self.kept = Kept(self._programs)
        self._entry = nodes[-1].where.resources.keep("memory of oneDNN", nodes[-1].name, self.kept)
        self._make_plain = node_by_node
        self._plain: Callable[..., tuple[Any, ...]] | None = None

    def __call__(self, *inputs: Array) -> Any:
        key: Any
        if self._has_sizes:
            key = tuple(
                (x.shape, x.tobytes()) if is_size else x.shape for x, is_size in zip(inputs, self._is_size, strict=True)
            )
        else:
            key = tuple([x.shape for x in inputs])
        threads = None if self._api.threads is None else self._api.max_threads()
        try:
            try:
                program = self._programs[key]
            except KeyError:
                program = self._build(key, inputs)
            if program is not None:
                results = program.run([np.ascontiguousarray(x) for x in inputs])
        finally:
            if threads is not None:
                self._api.threads(threads)  # it is a setting of the caller's thread, for all that uses OpenMP
        if program is None:
            if self._plain is None:
                self._plain = self._make_plain()
            found: Any = self._plain(None, *inputs)
            return found[0] if self._single else found
        return results[0] if self._single else tuple(results)

    def _build(self, key: Any, inputs: Sequence[Array]) -> Program | None:
        if len(self._programs) >= _MEMO:
            self._programs.pop(next(iter(self._programs)))
        program = None
        lowering = Lowering(self._api, self._nodes, self._outputs)
        for index, (source, x, is_size) in enumerate(zip(self._sources, inputs, self._is_size, strict=True)):
            value = constant(np.array(x)) if is_size else Value(x.shape, Home("input", x.nbytes, index))
            lowering.given[source] = value
        try:
            if all(x.size for x in inputs):
                program = lowering.program(self._outputs)
        except (Refused, Unsupported, OpError):
            program = None  # node by node, the error has its node
        self._programs[key] = program
        return program
