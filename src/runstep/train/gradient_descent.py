"""Gradient descent, plain and proximal."""

from __future__ import annotations

from typing import Any

from runstep.graph.apply import apply
from runstep.graph.composite import IndexedSlices
from runstep.graph.tensor import Tensor
from runstep.train.apply_optimizer import ApplyOptimizer

__all__ = ["GradientDescentOptimizer", "ProximalGradientDescentOptimizer"]


class GradientDescentOptimizer(ApplyOptimizer):
    """`var -= learning_rate * grad` (source: tf.train.GradientDescentOptimizer)."""

    _kind = "GradientDescent"

    def __init__(self, learning_rate: Any, use_locking: bool = False, name: str = "GradientDescent") -> None:
        super().__init__(use_locking, name)
        self._learning_rate = learning_rate

    def _hyperparameters(self) -> dict[str, tuple[Any, str]]:
        return {"alpha": (self._learning_rate, "learning_rate")}

    def _apply_sparse_duplicate_indices(self, grad: IndexedSlices, var: Any) -> Any:
        step = grad.values * self._operand("alpha", var.dtype.base_dtype)
        return var.scatter_sub(IndexedSlices(step, grad.indices, grad.dense_shape), use_locking=self._use_locking)

    def _resource_apply_sparse_duplicate_indices(self, grad: Tensor, handle: Any, indices: Tensor) -> Any:
        step = -grad * self._operand("alpha", grad.dtype.base_dtype)
        return apply("ResourceScatterAdd", handle.handle, indices, step, dtype=handle.dtype)


class ProximalGradientDescentOptimizer(ApplyOptimizer):
    """Gradient descent, then a step towards 0 by the regularization.

    Source: tf.train.ProximalGradientDescentOptimizer.
    See Duchi and Singer, Efficient Online and Batch Learning Using Forward Backward Splitting, 2009.
    """

    _kind = "ProximalGradientDescent"

    def __init__(
        self,
        learning_rate: Any,
        l1_regularization_strength: float = 0.0,
        l2_regularization_strength: float = 0.0,
        use_locking: bool = False,
        name: str = "ProximalGradientDescent",
    ) -> None:
        super().__init__(use_locking, name)
        self._learning_rate = learning_rate
        self._l1_regularization_strength = l1_regularization_strength
        self._l2_regularization_strength = l2_regularization_strength

    def _hyperparameters(self) -> dict[str, tuple[Any, str]]:
        return {
            "alpha": (self._learning_rate, "learning_rate"),
            "l1": (self._l1_regularization_strength, "l1_regularization_strength"),
            "l2": (self._l2_regularization_strength, "l2_regularization_strength"),
        }
