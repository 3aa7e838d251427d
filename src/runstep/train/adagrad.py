"""Adagrad and its relatives: learning rates that fall with the sum of squared gradients."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from runstep.graph.graph import get_default_graph
from runstep.ops.basic import constant, identity
from runstep.ops.cast import cast
from runstep.ops.creation import fill
from runstep.ops.shape_ops import shape
from runstep.train.apply_optimizer import ApplyOptimizer
from runstep.variables.initializers import constant_initializer

__all__ = ["AdagradDAOptimizer", "AdagradOptimizer", "ProximalAdagradOptimizer"]


class AdagradOptimizer(ApplyOptimizer):
    """`accumulator += grad ** 2; var -= learning_rate * grad / sqrt(accumulator)` (source: tf.train.AdagradOptimizer).

    Raises:
      ValueError: `initial_accumulator_value` is not positive.
    """

    _kind = "Adagrad"
    _slot_order = ("accumulator",)

    def __init__(
        self,
        learning_rate: Any,
        initial_accumulator_value: float = 0.1,
        use_locking: bool = False,
        name: str = "Adagrad",
    ) -> None:
        if initial_accumulator_value <= 0.0:
            raise ValueError(f"initial_accumulator_value must be positive: {initial_accumulator_value}")
        super().__init__(use_locking, name)
        self._learning_rate = learning_rate
        self._initial_accumulator_value = initial_accumulator_value

    def _create_slots(self, var_list: Sequence[Any]) -> None:
        for var in var_list:
            kind = var.dtype.base_dtype
            if var.get_shape().is_fully_defined():
                start: Any = constant_initializer(self._initial_accumulator_value, dtype=kind)
            else:
                start = _filled(var, self._initial_accumulator_value, kind)
            self._get_or_make_slot_with_initializer(var, start, var.get_shape(), kind, "accumulator", self._name)

    def _hyperparameters(self) -> dict[str, tuple[Any, str]]:
        return {"lr": (self._learning_rate, "learning_rate")}


def _filled(var: Any, value: float, dtype: Any) -> Callable[[], Any]:
    return lambda: cast(fill(shape(var), value), dtype)


class ProximalAdagradOptimizer(ApplyOptimizer):
    """Adagrad, then a step towards 0 by the regularization (source: tf.train.ProximalAdagradOptimizer).

    Raises:
      ValueError: `initial_accumulator_value` is not positive.
    """

    _kind = "ProximalAdagrad"
    _slot_order = ("accumulator",)

    def __init__(
        self,
        learning_rate: Any,
        initial_accumulator_value: float = 0.1,
        l1_regularization_strength: float = 0.0,
        l2_regularization_strength: float = 0.0,
        use_locking: bool = False,
        name: str = "ProximalAdagrad",
    ) -> None:
        if initial_accumulator_value <= 0.0:
            raise ValueError(f"initial_accumulator_value must be positive: {initial_accumulator_value}")
        super().__init__(use_locking, name)
        self._learning_rate = learning_rate
        self._initial_accumulator_value = initial_accumulator_value
        self._l1_regularization_strength = l1_regularization_strength
        self._l2_regularization_strength = l2_regularization_strength

    def _create_slots(self, var_list: Sequence[Any]) -> None:
        for var in var_list:
            with get_default_graph().colocate_with(var):
                start = constant(self._initial_accumulator_value, var.dtype.base_dtype, var.get_shape())
            self._get_or_make_slot(var, start, "accumulator", self._name)

    def _hyperparameters(self) -> dict[str, tuple[Any, str]]:
        return {
            "lr": (self._learning_rate, "learning_rate"),
            "l1": (self._l1_regularization_strength, "l1_regularization_strength"),
            "l2": (self._l2_regularization_strength, "l2_regularization_strength"),
        }


class AdagradDAOptimizer(ApplyOptimizer):
    """Adagrad by dual averaging, for sparse linear models (source: tf.train.AdagradDAOptimizer).

    Args:
      global_step: the number of steps so far, an integer tensor or variable.

    Raises:
      ValueError: `initial_gradient_squared_accumulator_value` is not positive.
    """

    _kind = "AdagradDA"
    _slot_order = ("gradient_accumulator", "gradient_squared_accumulator")

    def __init__(
        self,
        learning_rate: Any,
        global_step: Any,
        initial_gradient_squared_accumulator_value: float = 0.1,
        l1_regularization_strength: float = 0.0,
        l2_regularization_strength: float = 0.0,
        use_locking: bool = False,
        name: str = "AdagradDA",
    ) -> None:
        if initial_gradient_squared_accumulator_value <= 0.0:
            raise ValueError(
                "initial_gradient_squared_accumulator_value must be positive: "
                f"{initial_gradient_squared_accumulator_value}"
            )
        super().__init__(use_locking, name)
        self._learning_rate = learning_rate
        self._initial_gradient_squared_accumulator_value = initial_gradient_squared_accumulator_value
        self._l1_regularization_strength = l1_regularization_strength
        self._l2_regularization_strength = l2_regularization_strength
        self._global_step = global_step

    def _create_slots(self, var_list: Sequence[Any]) -> None:
        for var in var_list:
            kind, size = var.dtype.base_dtype, var.get_shape()
            with get_default_graph().colocate_with(var):
                gradients = constant(0.0, kind, size)
                squares = constant(self._initial_gradient_squared_accumulator_value, kind, size)
            self._get_or_make_slot(var, gradients, "gradient_accumulator", self._name)
            self._get_or_make_slot(var, squares, "gradient_squared_accumulator", self._name)

    def _hyperparameters(self) -> dict[str, tuple[Any, str]]:
        return {"lr": (self._learning_rate, "learning_rate")}

    def _operand(self, key: str, dtype: Any) -> Any:
        if key == "l1":
            return cast(self._l1_regularization_strength, dtype)
        if key == "l2":
            return cast(self._l2_regularization_strength, dtype)
        if key == "global_step":
            return self._step_here
        return super()._operand(key, dtype)

    def _prepare(self) -> None:
        super()._prepare()
        with get_default_graph().colocate_with(self._tensors["lr"]):
            self._step = identity(self._global_step) + 1  # this step's number

    def _node(self, form: str, var: Any, grad: Any, indices: Any = None) -> Any:
        with get_default_graph().device(var.device):
            self._step_here = identity(self._step)
        return super()._node(form, var, grad, indices)
