"""Kernels of barriers."""

from __future__ import annotations

from typing import Any

import numpy as np

from runstep.graph import dtypes, shapes
from runstep.kernels import barriers, shared
from runstep.kernels.barriers import Barrier
from runstep.kernels.registry import Kernel, Node, numpy_kernel
from runstep.kernels.shared import invalid, shape_of

_BARRIER = "tensorflow::barrier::Barrier"


def _shapes_text(component_shapes: Any) -> str:
    return f"[{', '.join(map(shapes.text, component_shapes))}]"


def barrier_of(handle: Any) -> Barrier:
    """The barrier that a handle names."""
    return shared.found(handle, _BARRIER)


@numpy_kernel.make("Barrier")
def barrier(node: Node) -> Kernel:
    types, declared = node.attrs["component_types"], node.attrs["shapes"]
    if node.attrs["capacity"] != -1:
        raise invalid(
            "Barrier only accepts capacity=-1.  Feed the inputs to your Barrier through a queue to enforce a limited "
            "capacity."
        )
    if len(declared) != len(types):
        raise invalid("All of the component shapes must be specified")
    for shape in declared:
        if not shapes.is_fully_defined(shape):
            raise invalid(f"Shape {shapes.text(shape)} is not fully defined")

    def check(found: Barrier) -> None:
        said = f"Shared barrier '{found.name}' has"
        if found.types != types:
            raise invalid(
                f"{said} component types {shared.types_text(found.types)} "
                f"but requested component types were {shared.types_text(types)}"
            )
        if found.shapes != declared:
            raise invalid(
                f"{said} component shapes {_shapes_text(found.shapes)} "
                f"but requested component shapes were {_shapes_text(declared)}"
            )

    return shared.owner(node, _BARRIER, lambda name: Barrier(name, types, declared), check)


@numpy_kernel.make("BarrierInsertMany")
def insert_many(node: Node) -> Kernel:
    component, dtype = node.attrs["component_index"], node.attrs["T"]
    ref = dtypes.string._as_ref

    def run(handle: Any, keys: Any, values: Any) -> None:
        found = barrier_of(handle)
        if not 0 <= component < len(found.types):
            raise invalid(f"The component ID is out of range {component} > num_components (= {len(found.types)})")
        if found.types[component] is not dtype:
            ours, theirs = (((ref, dtypes.string, kind), ()) for kind in (dtype, found.types[component]))
            raise shared.signature_mismatch(ours, theirs)
        expected = (int(np.size(keys)), *found.shapes[component])
        if shape_of(values) != expected:
            raise invalid(
                f"Shape mismatch in tuple component {component}. Expected {shapes.text(expected)}, "
                f"got {shapes.text(shape_of(values))}"
            )
        found.insert(component, np.ravel(keys).tolist(), shared.rows(values, dtype))

    return run


@numpy_kernel.make("BarrierTakeMany", is_async=True)
def take_many(node: Node) -> Kernel:
    types = node.attrs["component_types"]
    small = node.attrs["allow_small_batch"]  # `wait_for_incomplete` changes nothing, as in TensorFlow
    shared.refuse_timeout(node)

    async def run(handle: Any, count: Any) -> Any:
        found = barrier_of(handle)
        if found.types != types:
            inputs, fixed = (dtypes.string._as_ref, dtypes.int32), (dtypes.int64, dtypes.string)
            raise shared.signature_mismatch((inputs, (*fixed, *types)), (inputs, (*fixed, *found.types)))
        if shape_of(count):
            raise invalid("num_elements must be a scalar.")
        if count < 0:
            raise invalid(f"TakeMany requested {int(count)} < 0 elements")
        elements = await found.take(int(count), small)
        keys = np.empty(len(elements), object)
        keys[:] = [element[2] for element in elements]
        components = [
            shared.stacked([element[3][place] for element in elements], dtype, shape)
            for place, (dtype, shape) in enumerate(zip(found.types, found.shapes, strict=True))
        ]
        return (barriers.indices(elements), keys, *components)

    return run


@numpy_kernel.make("BarrierClose")
def close(node: Node) -> Kernel:
    cancel = node.attrs["cancel_pending_enqueues"]
    return lambda handle: barrier_of(handle).close(cancel)


@numpy_kernel("BarrierReadySize")
def ready_size(handle: Any) -> Any:
    return np.int32(barrier_of(handle).ready_size)


@numpy_kernel("BarrierIncompleteSize")
def incomplete_size(handle: Any) -> Any:
    return np.int32(barrier_of(handle).incomplete_size)
