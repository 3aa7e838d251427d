"""Accumulators: gradients of several workers, gathered for one update."""

from __future__ import annotations

from typing import Any

from runstep.graph.apply import apply
from runstep.graph.composite import IndexedSlices
from runstep.graph.convert import convert_to_tensor
from runstep.graph.dtypes import as_dtype, int64
from runstep.graph.operation import Operation
from runstep.graph.shapes import TensorShape, with_rank
from runstep.graph.tensor import Tensor
from runstep.ops.cast import cast
from runstep.ops.common import Shapes
from runstep.ops.registry import op

__all__ = ["ConditionalAccumulator", "ConditionalAccumulatorBase", "SparseConditionalAccumulator"]


def _pair(op: Any) -> Shapes:
    return [(2,)]


def _step(op: Any) -> Shapes:
    with_rank(op.inputs[1].raw_shape, 0)
    return [None] * len(op.output_types)


def _count(op: Any) -> Shapes:
    return [()]


def _sparse_apply(op: Any) -> Shapes:
    with_rank(op.inputs[1].raw_shape, 0)
    return []


op(
    "ConditionalAccumulator",
    " -> handle: Ref(string)",
    "dtype: numbertype",
    "shape: shape",
    "container: string = ''",
    "shared_name: string = ''",
    "reduction_type: {'MEAN', 'SUM'} = 'MEAN'",
    shape=_pair,
    stateful=True,
)
op(
    "SparseConditionalAccumulator",
    " -> handle: Ref(string)",
    "dtype: numbertype",
    "shape: shape",
    "container: string = ''",
    "shared_name: string = ''",
    "reduction_type: {'MEAN', 'SUM'} = 'MEAN'",
    shape=_pair,
    stateful=True,
)
op(
    "ResourceConditionalAccumulator",
    " -> handle: resource",
    "dtype: numbertype",
    "shape: shape",
    "container: string = ''",
    "shared_name: string = ''",
    "reduction_type: {'MEAN', 'SUM'} = 'MEAN'",
    shape=_pair,
    stateful=True,
)
op(
    "AccumulatorApplyGradient",
    "handle: Ref(string), local_step: int64, gradient: dtype -> ",
    "dtype: numbertype",
    shape=_step,
)
op(
    "AccumulatorTakeGradient",
    "handle: Ref(string), num_required: int32 -> average: dtype",
    "dtype: numbertype",
    shape=_step,
)
op("AccumulatorNumAccumulated", "handle: Ref(string) -> num_accumulated: int32", shape=_count)
op("AccumulatorSetGlobalStep", "handle: Ref(string), new_global_step: int64 -> ", shape=_step)
op(
    "SparseAccumulatorApplyGradient",
    "handle: Ref(string), local_step: int64, gradient_indices: int64, gradient_values: dtype, "
    "gradient_shape: int64 -> ",
    "dtype: numbertype",
    "has_known_shape: bool",
    shape=_sparse_apply,
)
op(
    "SparseAccumulatorTakeGradient",
    "handle: Ref(string), num_required: int32 -> indices: int64, values: dtype, shape: int64",
    "dtype: numbertype",
    shape=_step,
)
op(
    "ResourceAccumulatorApplyGradient",
    "handle: resource, local_step: int64, gradient: dtype -> ",
    "dtype: numbertype",
    shape=_step,
    stateful=True,
)
op(
    "ResourceAccumulatorTakeGradient",
    "handle: resource, num_required: int32 -> average: dtype",
    "dtype: numbertype",
    shape=_step,
    stateful=True,
)
op("ResourceAccumulatorNumAccumulated", "handle: resource -> num_accumulated: int32", shape=_count, stateful=True)
op("ResourceAccumulatorSetGlobalStep", "handle: resource, new_global_step: int64 -> ", shape=_step, stateful=True)


class ConditionalAccumulatorBase:
    """What both accumulators share (source: tf.ConditionalAccumulatorBase)."""

    _prefix = "Accumulator"

    def __init__(self, dtype: Any, shape: Any, accumulator_ref: Tensor) -> None:
        self._dtype = dtype
        self._shape = TensorShape(shape) if shape is not None else TensorShape(None)
        self._accumulator_ref = accumulator_ref
        self._name = accumulator_ref.op.name

    @property
    def accumulator_ref(self) -> Tensor:
        """The tensor that holds the accumulator's handle."""
        return self._accumulator_ref

    @property
    def name(self) -> str:
        """The name of the accumulator's node."""
        return self._name

    @property
    def dtype(self) -> Any:
        return self._dtype

    def num_accumulated(self, name: str | None = None) -> Tensor:
        """How many gradients are gathered: int32 of rank 0."""
        name = name or f"{self._name}_NumAccumulated"
        return apply(f"{self._prefix}NumAccumulated", self._accumulator_ref, name=name)

    def set_global_step(self, new_global_step: Any, name: str | None = None) -> Operation:
        """The operation that sets the step; gradients computed before it will be dropped."""
        step = cast(convert_to_tensor(new_global_step), int64)
        return apply(f"{self._prefix}SetGlobalStep", self._accumulator_ref, step, name=name)


def _made(op_type: str, dtype: Any, shape: Any, shared_name: str | None, name: str, reduction_type: str) -> Tensor:
    return apply(
        op_type,
        dtype=as_dtype(dtype),
        shape=TensorShape(shape),
        shared_name=shared_name or "",
        reduction_type=reduction_type,
        name=name,
    )


class ConditionalAccumulator(ConditionalAccumulatorBase):
    """Gathers dense gradients (source: tf.ConditionalAccumulator).

    Args:
      dtype, shape: of the gradients. reduction_type: "MEAN" or "SUM".
    """

    _prefix = "ResourceAccumulator"

    def __init__(
        self,
        dtype: Any,
        shape: Any = None,
        shared_name: str | None = None,
        name: str = "conditional_accumulator",
        reduction_type: str = "MEAN",
    ) -> None:
        ref = _made("ResourceConditionalAccumulator", dtype, shape, shared_name, name, reduction_type)
        super().__init__(dtype, shape, ref)

    def apply_grad(self, grad: Any, local_step: Any = 0, name: str | None = None) -> Operation:
        """The operation that adds a gradient, unless it was computed before the accumulator's step."""
        grad = convert_to_tensor(grad, self._dtype)
        if not grad.shape.is_compatible_with(self._shape):
            raise ValueError(f"Shapes {grad.shape} and {self._shape} are incompatible")
        step = cast(convert_to_tensor(local_step), int64)
        return apply("ResourceAccumulatorApplyGradient", self._accumulator_ref, step, grad, name=name)

    def take_grad(self, num_required: Any, name: str | None = None) -> Tensor:
        """What `num_required` or more gradients come to. The step waits for them; then the accumulator is empty."""
        taken = apply(
            "ResourceAccumulatorTakeGradient", self._accumulator_ref, num_required, dtype=self._dtype, name=name
        )
        taken.set_shape(self._shape)
        return taken


class SparseConditionalAccumulator(ConditionalAccumulatorBase):
    """Gathers gradients of some rows (source: tf.SparseConditionalAccumulator).

    Args:
      dtype, shape: of the whole gradients. reduction_type: "MEAN", of a row over the gradients that had it, or "SUM".
    """

    def __init__(
        self,
        dtype: Any,
        shape: Any = None,
        shared_name: str | None = None,
        name: str = "sparse_conditional_accumulator",
        reduction_type: str = "MEAN",
    ) -> None:
        ref = _made("SparseConditionalAccumulator", dtype, shape, shared_name, name, reduction_type)
        super().__init__(dtype, shape, ref)

    def _beside(self, made: Operation) -> Operation:
        """Puts the node itself, and not its constants, on the accumulator's device."""
        made.attrs = {**made.attrs, "_class": (f"loc:@{self._name}".encode(),)}  # others may share its attributes
        made.device = self._accumulator_ref.op.device or made.device
        return made

    def apply_indexed_slices_grad(self, grad: IndexedSlices, local_step: Any = 0, name: str | None = None) -> Operation:
        """As `apply_grad`, for IndexedSlices."""
        return self.apply_grad(grad.indices, grad.values, grad.dense_shape, local_step, name)

    def apply_grad(
        self, grad_indices: Any, grad_values: Any, grad_shape: Any = None, local_step: Any = 0, name: str | None = None
    ) -> Operation:
        """The operation that adds a gradient of the rows `grad_indices`, unless it is stale."""
        step = cast(convert_to_tensor(local_step), int64)
        indices = cast(grad_indices, int64)
        shape = cast([] if grad_shape is None else grad_shape, int64)
        made = apply(
            "SparseAccumulatorApplyGradient",
            self._accumulator_ref,
            step,
            indices,
            grad_values,
            shape,
            has_known_shape=grad_shape is not None,
            name=name,
        )
        return self._beside(made)

    def take_grad(self, num_required: Any, name: str | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """(indices, values, shape) of what the gradients come to. The step waits for `num_required` of them."""
        taken = apply(
            "SparseAccumulatorTakeGradient", self._accumulator_ref, num_required, dtype=self._dtype, name=name
        )
        self._beside(taken[0].op)
        return taken

    def take_indexed_slices_grad(self, num_required: Any, name: str | None = None) -> IndexedSlices:
        """As `take_grad`, as IndexedSlices."""
        indices, values, shape = self.take_grad(num_required, name)
        return IndexedSlices(values, indices, shape)
