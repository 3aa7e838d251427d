"""FTRL-proximal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from runstep.ops.arithmetic import maximum
from runstep.ops.creation import ones
from runstep.train.apply_optimizer import ApplyOptimizer

__all__ = ["FtrlOptimizer"]


class FtrlOptimizer(ApplyOptimizer):
    """Follow the regularized leader: sparse models by online learning (source: tf.train.FtrlOptimizer).

    See McMahan et al., Ad Click Prediction: a View from the Trenches, 2013.

    Args:
      learning_rate_power: at most 0; 0 keeps the learning rate fixed.
      accum_name, linear_name: of the slots' variables; the optimizer's name, and that with "_1", by default.
      l2_shrinkage_regularization_strength: penalizes only what has a gradient.
      beta: added to the l2 strength as `beta / (2 * learning_rate)`.

    Raises:
      ValueError: one of the numbers is out of range.
    """

    _kind = "Ftrl"
    _slot_order = ("accum", "linear")

    def __init__(
        self,
        learning_rate: Any,
        learning_rate_power: float = -0.5,
        initial_accumulator_value: float = 0.1,
        l1_regularization_strength: float = 0.0,
        l2_regularization_strength: float = 0.0,
        use_locking: bool = False,
        name: str = "Ftrl",
        accum_name: str | None = None,
        linear_name: str | None = None,
        l2_shrinkage_regularization_strength: float = 0.0,
        beta: float | None = None,
    ) -> None:
        super().__init__(use_locking, name)
        if initial_accumulator_value < 0.0:
            raise ValueError(f"initial_accumulator_value {initial_accumulator_value:f} needs to be positive or zero")
        if learning_rate_power > 0.0:
            raise ValueError(f"learning_rate_power {learning_rate_power:f} needs to be negative or zero")
        for what, strength in (
            ("l1_regularization_strength", l1_regularization_strength),
            ("l2_regularization_strength", l2_regularization_strength),
            ("l2_shrinkage_regularization_strength", l2_shrinkage_regularization_strength),
        ):
            if strength < 0.0:
                raise ValueError(f"{what} {strength:f} needs to be positive or zero")
        self._learning_rate = learning_rate
        self._learning_rate_power = learning_rate_power
        self._initial_accumulator_value = initial_accumulator_value
        self._l1_regularization_strength = l1_regularization_strength
        self._l2_regularization_strength = l2_regularization_strength
        self._l2_shrinkage_regularization_strength = l2_shrinkage_regularization_strength
        self._beta = 0.0 if beta is None else beta
        self._accum_name = accum_name
        self._linear_name = linear_name
        if l2_shrinkage_regularization_strength > 0:
            self._kind = "FtrlV2"

    def _create_slots(self, var_list: Sequence[Any]) -> None:
        for var in var_list:
            kind = var.dtype.base_dtype
            self._get_or_make_slot_with_initializer(
                var, self._start, var.get_shape(), kind, "accum", self._accum_name or self._name
            )
            self._zeros_slot(var, "linear", self._linear_name or self._name)

    def _start(self, shape: Any, dtype: Any = None, partition_info: Any = None) -> Any:
        return ones(shape, dtype) * self._initial_accumulator_value

    def _hyperparameters(self) -> dict[str, tuple[Any, str]]:
        return {
            "lr": (self._learning_rate, "learning_rate"),
            "l1": (self._l1_regularization_strength, "l1_regularization_strength"),
            "l2": (self._l2, "l2_regularization_strength"),
            "beta": (self._beta, "beta"),
            "l2_shrinkage": (self._l2_shrinkage_regularization_strength, "l2_shrinkage_regularization_strength"),
            "lr_power": (self._learning_rate_power, "learning_rate_power"),
        }

    def _l2(self) -> Any:
        rate = maximum(self._call_if_callable(self._learning_rate), 1e-36)
        return self._l2_regularization_strength + self._beta / (2.0 * rate)
