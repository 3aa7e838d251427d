"""Adam."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from runstep.graph.apply import apply
from runstep.graph.composite import IndexedSlices
from runstep.graph.graph import get_default_graph
from runstep.graph.operation import Operation
from runstep.graph.tensor import Tensor
from runstep.ops import state
from runstep.ops.basic import group
from runstep.ops.cast import cast
from runstep.ops.elementwise import sqrt
from runstep.ops.ref_scatter import scatter_add
from runstep.train.apply_optimizer import ApplyOptimizer

__all__ = ["AdamOptimizer"]


class AdamOptimizer(ApplyOptimizer):
    """Steps of the mean gradient over the root of its mean square (source: tf.train.AdamOptimizer).

        lr_t = learning_rate * sqrt(1 - beta2 ** t) / (1 - beta1 ** t)
        m = beta1 * m + (1 - beta1) * grad
        v = beta2 * v + (1 - beta2) * grad ** 2
        var -= lr_t * m / (sqrt(v) + epsilon)

    See Kingma and Ba, 2014; `epsilon` is their "epsilon hat". Rows without a gradient move too.
    """

    _kind = "Adam"
    _slot_order = ("m", "v")

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta1: Any = 0.9,
        beta2: Any = 0.999,
        epsilon: Any = 1e-8,
        use_locking: bool = False,
        name: str = "Adam",
        use_own_namescope_for_non_slot_vars: bool = False,
    ) -> None:
        super().__init__(use_locking, name, use_own_namescope_for_non_slot_vars)
        self._lr = learning_rate
        self._beta1 = beta1
        self._beta2 = beta2
        self._epsilon = epsilon

    def _get_beta_accumulators(self) -> tuple[Any, Any]:
        graph = get_default_graph()
        return self._get_non_slot_variable("beta1_power", graph), self._get_non_slot_variable("beta2_power", graph)

    def _create_slots(self, var_list: Sequence[Any]) -> None:
        first = min(var_list, key=lambda var: var.name)  # the same one whatever the order of the list
        self._create_non_slot_variable(self._beta1, "beta1_power", first)
        self._create_non_slot_variable(self._beta2, "beta2_power", first)
        for var in var_list:
            self._zeros_slot(var, "m", self._name)
            self._zeros_slot(var, "v", self._name)

    def _hyperparameters(self) -> dict[str, tuple[Any, str]]:
        return {
            "lr": (self._lr, "learning_rate"),
            "beta1": (self._beta1, "beta1"),
            "beta2": (self._beta2, "beta2"),
            "epsilon": (self._epsilon, "epsilon"),
        }

    def _operand(self, key: str, dtype: Any) -> Any:
        if key == "beta1_power":
            return cast(self._get_beta_accumulators()[0], dtype)
        if key == "beta2_power":
            return cast(self._get_beta_accumulators()[1], dtype)
        return super()._operand(key, dtype)

    def _apply_sparse(self, grad: IndexedSlices, var: Any) -> Operation:
        def add(slot: Any, indices: Tensor, rows: Tensor) -> Any:
            return scatter_add(slot, indices, rows, use_locking=self._use_locking)

        return self._rows(grad.values, var, grad.indices, add)

    def _resource_apply_sparse(self, grad: Tensor, handle: Any, indices: Tensor) -> Operation:
        def add(slot: Any, indices: Tensor, rows: Tensor) -> Any:
            added = apply("ResourceScatterAdd", slot.handle, indices, rows, dtype=slot.dtype)
            with get_default_graph().control_dependencies([added]):
                return slot.value()

        return self._rows(grad, handle, indices, add)

    def _rows(self, grad: Tensor, var: Any, indices: Tensor, add: Callable[[Any, Tensor, Tensor], Any]) -> Operation:
        """There is no op for it: the moments of all rows decay, those that have a gradient take it in."""
        kind = var.dtype.base_dtype
        beta1_power, beta2_power, lr, beta1, beta2, epsilon = (
            self._operand(key, kind) for key in ("beta1_power", "beta2_power", "lr", "beta1", "beta2", "epsilon")
        )
        rate = lr * sqrt(1 - beta2_power) / (1 - beta1_power)
        moments = []
        for name, beta, square in (("m", beta1, False), ("v", beta2, True)):
            slot = self.get_slot(var, name)
            rows = (grad * grad if square else grad) * (1 - beta)
            decayed = state.assign(slot, slot * beta, use_locking=self._use_locking)
            with get_default_graph().control_dependencies([decayed]):
                moments.append(add(slot, indices, rows))
        m, v = moments
        root = sqrt(v)
        moved = state.assign_sub(var, rate * m / (root + epsilon), use_locking=self._use_locking)
        return group(moved, m, v)

    def _finish(self, update_ops: Sequence[Any], name_scope: str) -> Operation:
        graph = get_default_graph()
        with graph.control_dependencies(update_ops):
            beta1_power, beta2_power = self._get_beta_accumulators()
            with graph.colocate_with(beta1_power):
                powers = [
                    power.assign(power * self._tensors[key], use_locking=self._use_locking)
                    for power, key in ((beta1_power, "beta1"), (beta2_power, "beta2"))
                ]
        return group(*update_ops, *powers, name=name_scope)
