"""Learning rates that follow recent gradients: Adadelta and RMSProp."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from runstep.ops.creation import ones_like
from runstep.train.apply_optimizer import ApplyOptimizer
from runstep.variables.initializers import ones_initializer

__all__ = ["AdadeltaOptimizer", "RMSPropOptimizer"]


class AdadeltaOptimizer(ApplyOptimizer):
    """Steps as large as past ones, per gradient (source: tf.train.AdadeltaOptimizer). See Zeiler, 2012."""

    _kind = "Adadelta"
    _slot_order = ("accum", "accum_update")

    def __init__(
        self,
        learning_rate: Any = 0.001,
        rho: Any = 0.95,
        epsilon: Any = 1e-8,
        use_locking: bool = False,
        name: str = "Adadelta",
    ) -> None:
        super().__init__(use_locking, name)
        self._lr = learning_rate
        self._rho = rho
        self._epsilon = epsilon

    def _create_slots(self, var_list: Sequence[Any]) -> None:
        for var in var_list:
            self._zeros_slot(var, "accum", self._name)
            self._zeros_slot(var, "accum_update", self._name)

    def _hyperparameters(self) -> dict[str, tuple[Any, str]]:
        return {"lr": (self._lr, "lr"), "rho": (self._rho, "rho"), "epsilon": (self._epsilon, "epsilon")}


class RMSPropOptimizer(ApplyOptimizer):
    """Gradients divided by a running mean of their magnitude (source: tf.train.RMSPropOptimizer).

        mean_square = decay * mean_square + (1 - decay) * grad ** 2
        mom = momentum * mom + learning_rate * grad / sqrt(mean_square + epsilon)
        var -= mom

    Args:
      centered: divide by the standard deviation: the mean gradient is estimated too.
    """

    def __init__(
        self,
        learning_rate: Any,
        decay: Any = 0.9,
        momentum: Any = 0.0,
        epsilon: Any = 1e-10,
        use_locking: bool = False,
        centered: bool = False,
        name: str = "RMSProp",
    ) -> None:
        super().__init__(use_locking, name)
        self._learning_rate = learning_rate
        self._decay = decay
        self._momentum = momentum
        self._epsilon = epsilon
        self._centered = centered
        self._kind = "CenteredRMSProp" if centered else "RMSProp"
        self._slot_order = ("mg", "rms", "momentum") if centered else ("rms", "momentum")  # type: ignore[misc]

    def _create_slots(self, var_list: Sequence[Any]) -> None:
        for var in var_list:
            kind = var.dtype.base_dtype
            shape = var.get_shape()
            if shape.is_fully_defined():
                start = ones_initializer(dtype=kind)
                self._get_or_make_slot_with_initializer(var, start, shape, kind, "rms", self._name)
            else:
                self._get_or_make_slot(var, ones_like(var), "rms", self._name)
            if self._centered:
                self._zeros_slot(var, "mg", self._name)
            self._zeros_slot(var, "momentum", self._name)

    def _hyperparameters(self) -> dict[str, tuple[Any, str]]:
        return {
            "lr": (self._learning_rate, "learning_rate"),
            "rho": (self._decay, "decay"),
            "momentum": (self._momentum, "momentum"),
            "epsilon": (self._epsilon, "epsilon"),
        }
