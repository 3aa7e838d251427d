"""Kernels of accumulators."""

from __future__ import annotations

from typing import Any

import numpy as np

from runstep.graph import shapes
from runstep.kernels import shared
from runstep.kernels.accumulators import Accumulator, DenseAccumulator, SparseAccumulator
from runstep.kernels.registry import Kernel, Node, numpy_kernel
from runstep.kernels.shared import invalid, shape_of

_DENSE = "tensorflow::ConditionalAccumulatorBase"
_SPARSE = "tensorflow::SparseConditionalAccumulatorBase"


def accumulator_of(handle: Any) -> Accumulator:
    """The accumulator that a handle names, dense or sparse."""
    if type(handle) is shared.RefHandle:
        handle = handle.handle
    kind = _SPARSE if getattr(handle, "type_name", "") == _SPARSE else _DENSE
    return shared.found(handle, kind)


def _owner(node: Node, cls: type[Accumulator], type_name: str) -> Kernel:
    dtype, shape = node.attrs["dtype"], node.attrs["shape"]
    mean = node.attrs["reduction_type"] == b"MEAN"

    def check(found: Accumulator) -> None:
        if found.dtype is not dtype or not shapes.is_compatible(found.shape, shape):
            raise invalid(
                f"Shared accumulator '{found.name}' has type {shared.type_text(found.dtype)} and shape "
                f"{shapes.text(found.shape)} but {shared.type_text(dtype)} and {shapes.text(shape)} were requested"
            )

    return shared.owner(node, type_name, lambda name: cls(name, dtype, shape, mean), check)


@numpy_kernel.make("ConditionalAccumulator", "ResourceConditionalAccumulator")
def conditional_accumulator(node: Node) -> Kernel:
    return _owner(node, DenseAccumulator, _DENSE)


@numpy_kernel.make("SparseConditionalAccumulator")
def sparse_conditional_accumulator(node: Node) -> Kernel:
    return _owner(node, SparseAccumulator, _SPARSE)


def _typed(node: Node, handle: Any) -> Accumulator:
    found = accumulator_of(handle)
    if found.dtype is not node.attrs["dtype"]:
        raise invalid(
            f"Accumulator '{found.name}' holds {shared.type_text(found.dtype)}, "
            f"{shared.type_text(node.attrs['dtype'])} was given or asked for"
        )
    return found


def _scalar(value: Any, what: str) -> int:
    if shape_of(value):
        raise invalid(f"Argument {what} must be scalar, but had shape: {shapes.text(shape_of(value))}")
    return int(value)


@numpy_kernel.make("AccumulatorApplyGradient", "ResourceAccumulatorApplyGradient")
def apply_gradient(node: Node) -> Kernel:
    return lambda handle, step, gradient: _typed(node, handle).apply(_scalar(step, "local_step"), np.asarray(gradient))


@numpy_kernel.make("SparseAccumulatorApplyGradient")
def sparse_apply_gradient(node: Node) -> Kernel:
    known = node.attrs["has_known_shape"]

    def run(handle: Any, step: Any, indices: Any, values: Any, shape: Any) -> None:
        given = np.ravel(shape).tolist() if known else None
        _typed(node, handle).apply(_scalar(step, "local_step"), np.asarray(indices), np.asarray(values), given)

    return run


@numpy_kernel.make(
    "AccumulatorTakeGradient", "ResourceAccumulatorTakeGradient", "SparseAccumulatorTakeGradient", is_async=True
)
def take_gradient(node: Node) -> Kernel:
    async def run(handle: Any, required: Any) -> Any:
        count = _scalar(required, "num_required")
        if count <= 0:
            raise invalid(f"Argument num_required must be positive, but was {count}")
        return await _typed(node, handle).take(count)

    return run


@numpy_kernel("AccumulatorNumAccumulated", "ResourceAccumulatorNumAccumulated")
def num_accumulated(handle: Any) -> Any:
    return np.int32(accumulator_of(handle).count)


@numpy_kernel("AccumulatorSetGlobalStep", "ResourceAccumulatorSetGlobalStep")
def set_global_step(handle: Any, step: Any) -> None:
    accumulator_of(handle).set_step(_scalar(step, "new_global_step"))
