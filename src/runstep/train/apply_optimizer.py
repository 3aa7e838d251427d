"""Optimizers whose update of a variable is one node: an Apply op, in its four forms."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from runstep.graph.apply import apply_op
from runstep.graph.composite import IndexedSlices
from runstep.graph.convert import convert_to_tensor
from runstep.graph.operation import Operation
from runstep.graph.tensor import Tensor
from runstep.ops.cast import cast
from runstep.ops.training_ops import OPTIMIZERS
from runstep.train.optimizer import Optimizer

__all__: list[str] = []


class ApplyOptimizer(Optimizer):
    """An optimizer that updates a variable by `Apply<kind>`, `SparseApply<kind>` or their Resource twins.

    Attributes:
      _kind: of the op types; its inputs are those of `runstep.ops.training_ops.OPTIMIZERS`.
      _slot_order: the names of slots, in the order of the op's inputs.
    """

    _kind: str
    _slot_order: ClassVar[tuple[str, ...]] = ()

    def __init__(self, use_locking: bool, name: str, use_own_namescope_for_non_slot_vars: bool = False) -> None:
        super().__init__(use_locking, name, use_own_namescope_for_non_slot_vars)
        self._tensors: dict[str, Any] = {}

    def _hyperparameters(self) -> Mapping[str, tuple[Any, str]]:
        """By the op's input: a hyperparameter (or a function that returns it) and the name of its tensor."""
        raise NotImplementedError

    def _attributes(self) -> dict[str, Any]:
        """Attributes of the node besides `use_locking`."""
        return {}

    def _prepare(self) -> None:
        self._tensors = {
            key: convert_to_tensor(self._call_if_callable(value), name=name)
            for key, (value, name) in self._hyperparameters().items()
        }

    def _operand(self, key: str, dtype: Any) -> Any:
        """The input `key` of the update of a variable of `dtype`."""
        return cast(self._tensors[key], dtype)

    def _node(self, form: str, var: Any, grad: Tensor, indices: Tensor | None = None) -> Operation:
        resource = form.startswith("Resource")
        dtype = grad.dtype.base_dtype if resource else var.dtype.base_dtype
        held = [var, *(self.get_slot(var, name) for name in self._slot_order)]
        inputs: list[Any] = [one.handle if resource else one._ref() for one in held]
        for key in OPTIMIZERS[self._kind][1].split():
            if key in ("grad", "delta"):
                inputs.append(grad)
                if indices is not None:
                    inputs.append(indices)
            else:
                inputs.append(self._operand(key, dtype))
        return apply_op(f"{form}Apply{self._kind}", *inputs, use_locking=self._use_locking, **self._attributes())

    def _apply_dense(self, grad: Tensor, var: Any) -> Operation:
        return self._node("", var, grad)

    def _resource_apply_dense(self, grad: Tensor, handle: Any) -> Operation:
        return self._node("Resource", handle, grad)

    def _apply_sparse(self, grad: IndexedSlices, var: Any) -> Operation:
        return self._node("Sparse", var, grad.values, grad.indices)

    def _resource_apply_sparse(self, grad: Tensor, handle: Any, indices: Tensor) -> Operation:
        return self._node("ResourceSparse", handle, grad, indices)
