"""Ops that call functions of the graph's library: If, While, Case, For, PartitionedCall."""

from __future__ import annotations

from typing import Any

from runstep.graph import shapes
from runstep.ops.common import Shapes
from runstep.ops.registry import op


def _output_shapes(op: Any) -> Shapes:
    count = len(op.outputs)
    given = op.attrs.get("output_shapes", ())
    if len(given) == count:
        return list(given)
    return [None] * count


def _loop(op: Any) -> Shapes:
    for start, end in zip(op.inputs, op.outputs, strict=True):
        end._handle_data = start._handle_data
    return _output_shapes(op)


def _mapped(op: Any) -> Shapes:
    count: int | None = None
    for source in op.inputs[: len(op.attrs["Targuments"])]:
        raw = source.raw_shape
        if raw == ():
            raise ValueError("Arguments must have at least rank 1")
        count = shapes.merge_size(count, None if raw is None else raw[0])
    return [None if raw is None else (count, *raw) for raw in op.attrs["output_shapes"]]


_BRANCHES = ("then_branch: func", "else_branch: func", "output_shapes: list(shape) = []")
_IF = ("Tcond: type", "Tin: list(type) >= 0", "Tout: list(type) >= 0", *_BRANCHES)
op("If", "cond: Tcond, input: Tin -> output: Tout", *_IF, shape=_output_shapes, stateful=True)
op("StatelessIf", "cond: Tcond, input: Tin -> output: Tout", *_IF, shape=_output_shapes)
_WHILE = (
    "T: list(type) >= 0",
    "cond: func",
    "body: func",
    "output_shapes: list(shape) = []",
    "parallel_iterations: int = 10",
)
op("While", "input: T -> output: T", *_WHILE, shape=_loop, stateful=True)
op("StatelessWhile", "input: T -> output: T", *_WHILE, shape=_loop)
_CASE = (
    "Tin: list(type) >= 0",
    "Tout: list(type) >= 0",
    "branches: list(func) >= 1",
    "output_shapes: list(shape) = []",
)
op("Case", "branch_index: int32, input: Tin -> output: Tout", *_CASE, shape=_output_shapes, stateful=True)
op("StatelessCase", "branch_index: int32, input: Tin -> output: Tout", *_CASE, shape=_output_shapes)
op("For", "start: int32, limit: int32, delta: int32, input: T -> output: T", "T: list(type) >= 0", "body: func")
_CALL = (
    "Tin: list(type) >= 0",
    "Tout: list(type) >= 0",
    "f: func",
    "config: string = ''",
    "config_proto: string = ''",
    "executor_type: string = ''",
)
op("PartitionedCall", "args: Tin -> output: Tout", *_CALL)
op("StatefulPartitionedCall", "args: Tin -> output: Tout", *_CALL, stateful=True)
op(
    "RemoteCall",
    "target: string, args: Tin -> output: Tout",
    "Tin: list(type) >= 1",
    "Tout: list(type) >= 1",
    "f: func",
    stateful=True,
)
op(
    "MapDefun",
    "arguments: Targuments, captured_inputs: Tcaptured -> output: output_types",
    "Targuments: list(type) >= 1",
    "Tcaptured: list(type) >= 0 = []",
    "output_types: list(type) >= 1",
    "output_shapes: list(shape) >= 1",
    "f: func",
    "max_intra_op_parallelism: int = 1",
    shape=_mapped,
)
op("DeviceIndex", " -> index: int32", "device_names: list(string)", stateful=True)
op("SymbolicGradient", "input: Tin -> output: Tout", "Tin: list(type) >= 1", "Tout: list(type) >= 1", "f: func")
