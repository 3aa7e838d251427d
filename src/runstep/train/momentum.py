"""Gradient descent with momentum."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from runstep.train.apply_optimizer import ApplyOptimizer

__all__ = ["MomentumOptimizer"]


class MomentumOptimizer(ApplyOptimizer):
    """`accumulation = momentum * accumulation + grad; var -= learning_rate * accumulation`.

    Source: tf.train.MomentumOptimizer.

    Args:
      use_nesterov: Nesterov's momentum (Sutskever et al., On the importance of initialization and momentum in deep
        learning, 2013).
    """

    _kind = "Momentum"
    _slot_order = ("momentum",)

    def __init__(
        self,
        learning_rate: Any,
        momentum: Any,
        use_locking: bool = False,
        name: str = "Momentum",
        use_nesterov: bool = False,
    ) -> None:
        super().__init__(use_locking, name)
        self._learning_rate = learning_rate
        self._momentum = momentum
        self._use_nesterov = use_nesterov

    def _create_slots(self, var_list: Sequence[Any]) -> None:
        for var in var_list:
            self._zeros_slot(var, "momentum", self._name)

    def _hyperparameters(self) -> dict[str, tuple[Any, str]]:
        return {"lr": (self._learning_rate, "learning_rate"), "momentum": (self._momentum, "momentum")}

    def _attributes(self) -> dict[str, Any]:
        return {"use_nesterov": self._use_nesterov}
