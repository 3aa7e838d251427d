"""Kernels of staging areas. All nodes of one shared_name use one area; whoever runs first makes it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from runstep import errors
from runstep.graph.dtypes import DType, as_dtype
from runstep.kernels import shared
from runstep.kernels.registry import Kernel, Node, numpy_kernel
from runstep.kernels.resources import resource_name
from runstep.kernels.staging import Element, StagingArea, StagingMap

_AREA = "runstep::StagingArea"
_MAP = "runstep::StagingMap"


def _area(node: Node) -> Callable[[], Any]:
    """Finds the area of a node, and makes it if need be."""
    attrs, manager = node.attrs, node.resources
    limits = attrs["capacity"], attrs["memory_limit"]
    is_map = "Map" in node.type
    ordered = node.type.startswith("Ordered")
    entry = manager.entry(resource_name(node)[0], _MAP if is_map else _AREA, resource_name(node)[1])

    def make() -> Any:
        if is_map:
            return StagingMap(*limits, len(attrs["dtypes"]), ordered)
        return StagingArea(*limits)

    return lambda: manager.fill(entry, make)


def _outputs(values: Element, types: tuple[DType, ...], node: Node) -> Any:
    if len(values) != len(types):
        raise shared.invalid(f"{node.type} expects {len(types)} tensors, the staging area holds {len(values)}.")
    for index, (value, dtype) in enumerate(zip(values, types, strict=True)):
        held = getattr(value, "dtype", None)
        if held is not None and held != dtype.np:
            raise errors.InternalError(
                None,
                None,
                f"Output {index} of type {shared.type_text(as_dtype(held))} does not match declared output type "
                f"{shared.type_text(dtype)} for node {{{{node {node.name}}}}}",
            )
    return values[0] if len(values) == 1 else values


def _indices(value: Any) -> list[int]:
    return np.ravel(value).tolist()


@numpy_kernel.make("Stage", is_async=True)
def stage(node: Node) -> Kernel:
    area = _area(node)

    async def run(*values: Any) -> None:
        await area().put(tuple(map(shared.kept, values)))

    return run


@numpy_kernel.make("Unstage", is_async=True)
def unstage(node: Node) -> Kernel:
    area, types = _area(node), node.attrs["dtypes"]

    async def run() -> Any:
        return _outputs(await area().get(), types, node)

    return run


@numpy_kernel.make("StagePeek", is_async=True, view=True)
def stage_peek(node: Node) -> Kernel:
    area, types = _area(node), node.attrs["dtypes"]

    async def run(index: Any) -> Any:
        return _outputs(await area().peek(int(index)), types, node)

    return run


@numpy_kernel.make("MapStage", "OrderedMapStage", is_async=True)
def map_stage(node: Node) -> Kernel:
    area = _area(node)

    async def run(key: Any, indices: Any, *values: Any) -> None:
        await area().put(int(np.ravel(key)[0]), _indices(indices), tuple(map(shared.kept, values)))

    return run


def _map_get(take: bool) -> Callable[[Node], Kernel]:
    def make(node: Node) -> Kernel:
        area, types = _area(node), node.attrs["dtypes"]

        async def run(key: Any, indices: Any) -> Any:
            found = await area().get(int(np.ravel(key)[0]), _indices(indices), take)
            return _outputs(found, types, node)

        return run

    return make


numpy_kernel.make("MapUnstage", "OrderedMapUnstage", is_async=True)(_map_get(True))
numpy_kernel.make("MapPeek", "OrderedMapPeek", is_async=True, view=True)(_map_get(False))


@numpy_kernel.make("MapUnstageNoKey", "OrderedMapUnstageNoKey", is_async=True)
def map_unstage_no_key(node: Node) -> Kernel:
    area, types = _area(node), node.attrs["dtypes"]

    async def run(indices: Any) -> Any:
        key, values = await area().get_any(_indices(indices))
        found = _outputs(values, types, node)
        return (np.int64(key), *(found if isinstance(found, tuple) else (found,)))

    return run


@numpy_kernel.make("StageSize", "MapSize", "OrderedMapSize")
def size(node: Node) -> Kernel:
    area = _area(node)
    return lambda: np.int32(len(area()))


@numpy_kernel.make("MapIncompleteSize", "OrderedMapIncompleteSize")
def incomplete_size(node: Node) -> Kernel:
    area = _area(node)
    return lambda: np.int32(area().incomplete)


@numpy_kernel.make("StageClear", "MapClear", "OrderedMapClear")
def clear(node: Node) -> Kernel:
    area = _area(node)
    return lambda: area().clear()
