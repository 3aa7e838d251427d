"""Kernels of iterators: the resource, its beginnings, its elements, and strings that name it."""

from __future__ import annotations

from typing import Any

import numpy as np

from runstep import errors
from runstep.kernels import shared
from runstep.kernels.datasets import IteratorResource
from runstep.kernels.numpy.datasets import dataset_of, function_of
from runstep.kernels.numpy.optional import Optional
from runstep.kernels.registry import Kernel, Node, numpy_kernel
from runstep.kernels.resources import DEFAULT_CONTAINER, ResourceHandle, mangled
from runstep.kernels.shared import invalid, scalar

ITERATOR = "tensorflow::data::IteratorResource"


def iterator_of(handle: Any) -> IteratorResource:
    """The iterator that a handle names."""
    return shared.found(handle, ITERATOR)


@numpy_kernel.make("Iterator", "IteratorV2")
def iterator(node: Node) -> Kernel:
    types, component_shapes = node.attrs["output_types"], node.attrs["output_shapes"]
    return shared.owner(
        node,
        ITERATOR,
        lambda name: IteratorResource(name, types, component_shapes),
        lambda found: found.check_like(types, component_shapes),
    )


@numpy_kernel.make("OneShotIterator", step=True)
def one_shot_iterator(node: Node) -> Kernel:
    types, component_shapes = node.attrs["output_types"], node.attrs["output_shapes"]
    factory = function_of(node, "dataset_factory")
    own = shared.owner(node, ITERATOR, lambda name: IteratorResource(name, types, component_shapes))

    def run(step: Any) -> Any:
        handle = own()
        handle.entry.resource.start_once(lambda: dataset_of(factory(step)[0]), step)
        return handle

    return run


@numpy_kernel("MakeIterator", step=True)
def make_iterator(step: Any, dataset: Any, handle: Any) -> None:
    iterator_of(handle).start(dataset_of(dataset), step)


@numpy_kernel.make("IteratorGetNext", "IteratorGetNextSync", step=True, view=True)
def get_next(node: Node) -> Kernel:
    single = len(node.output_types) == 1

    def run(step: Any, handle: Any) -> Any:
        element = iterator_of(handle).next(step)
        return element[0] if single else element

    return run


@numpy_kernel("IteratorGetNextAsOptional", step=True, view=True)
def get_next_as_optional(step: Any, handle: Any) -> Optional:
    try:
        return Optional(iterator_of(handle).next(step))
    except errors.OutOfRangeError:
        return Optional(None)


@numpy_kernel("IteratorToStringHandle")
def to_string_handle(handle: Any) -> Any:
    from runstep.protos import resource_handle_pb2

    iterator_of(handle)
    message = resource_handle_pb2.ResourceHandleProto(
        device=handle.device,
        container=handle.container,
        name=handle.name,
        hash_code=handle.hash_code,
        maybe_type_name=mangled(ITERATOR),
    )
    return scalar(message.SerializeToString(deterministic=True))


@numpy_kernel.make("IteratorFromStringHandle", "IteratorFromStringHandleV2")
def from_string_handle(node: Node) -> Kernel:
    from google.protobuf.message import DecodeError

    from runstep.protos import resource_handle_pb2

    manager = node.resources
    types, component_shapes = node.attrs["output_types"], node.attrs["output_shapes"]

    def run(text: Any) -> ResourceHandle:
        try:
            message = resource_handle_pb2.ResourceHandleProto.FromString(np.asarray(text).item())
        except (DecodeError, TypeError):
            raise invalid("Could not parse string_handle as a valid ResourceHandle") from None
        if message.device != manager.device:
            raise invalid(
                f'Attempted create an iterator on device "{manager.device}" from handle defined on device '
                f'"{message.device}"'
            )
        if manager.lookup(message.container, ITERATOR, message.name) is None:
            raise errors.NotFoundError(
                None, None, f"Could not find resource: {message.container}/{message.name} on {manager.device}"
            )
        handle: ResourceHandle = manager.handle(message.container or DEFAULT_CONTAINER, ITERATOR, message.name)
        iterator_of(handle).check_like(types, component_shapes)
        return handle

    return run
