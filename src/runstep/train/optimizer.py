"""What all optimizers share: gradients of a loss, updates of variables, and the slots that an optimizer keeps."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from runstep.graph import dtypes
from runstep.graph.collections import GraphKeys
from runstep.graph.composite import IndexedSlices
from runstep.graph.convert import convert_to_tensor
from runstep.graph.graph import get_default_graph, name_scope
from runstep.graph.operation import Operation
from runstep.graph.tensor import Tensor
from runstep.ops import state
from runstep.ops.basic import group, tuple as together
from runstep.ops.conversion import convert_to_tensor_or_indexed_slices
from runstep.ops.segment import unsorted_segment_sum
from runstep.ops.selecting import unique
from runstep.ops.shape_ops import shape
from runstep.variables import slots
from runstep.variables.collections import trainable_variables
from runstep.variables.creation import lifted
from runstep.variables.resource import ResourceVariable
from runstep.variables.variable import Variable

__all__ = ["Optimizer"]

GradientsAndVariables = list[tuple[Any, Any]]


class Optimizer:
    """The base of optimizers (source: tf.train.Optimizer). One of its subclasses is what a program uses.

    A subclass says how a variable is updated: `_apply_dense(grad, var)`, `_apply_sparse(grad, var)` for ref variables,
    `_resource_apply_dense(grad, handle)` and `_resource_apply_sparse(grad, handle, indices)` for resource variables,
    each of which returns an operation; which slots it keeps (`_create_slots(var_list)`); what it needs before the
    updates (`_prepare()`) and after them (`_finish(update_ops, name_scope)`).

    Args:
      use_locking: updates exclude each other. name: of the update and of slots.
      use_own_namescope_for_non_slot_vars: variables that are no slots are in a name scope of the optimizer's own.

    Raises:
      ValueError: `name` is empty.
    """

    GATE_NONE = 0
    """Gradients are used as soon as they are there."""
    GATE_OP = 1
    """All gradients of one operation are there before one of them is used."""
    GATE_GRAPH = 2
    """All gradients are there before one of them is used."""

    def __init__(self, use_locking: bool, name: str, use_own_namescope_for_non_slot_vars: bool = False) -> None:
        if not name:
            raise ValueError("Must specify the optimizer name")
        self._own_scopes: dict[Any, str] | None = {} if use_own_namescope_for_non_slot_vars else None
        self._use_locking = use_locking
        self._name = name
        self._slots: dict[str, dict[Any, Any]] = {}
        self._non_slot_dict: dict[tuple[str, Any], Any] = {}

    def get_name(self) -> str:
        return self._name

    def minimize(
        self,
        loss: Any,
        global_step: Any = None,
        var_list: Any = None,
        gate_gradients: int = GATE_OP,
        aggregation_method: int | None = None,
        colocate_gradients_with_ops: bool = False,
        name: str | None = None,
        grad_loss: Any = None,
    ) -> Any:
        """The operation that updates the variables so that `loss` falls: `compute_gradients`, then `apply_gradients`.

        Raises:
          ValueError: the loss depends on none of the variables in a differentiable way.
        """
        grads_and_vars = self.compute_gradients(
            loss,
            var_list=var_list,
            gate_gradients=gate_gradients,
            aggregation_method=aggregation_method,
            colocate_gradients_with_ops=colocate_gradients_with_ops,
            grad_loss=grad_loss,
        )
        if all(grad is None for grad, _ in grads_and_vars):
            raise ValueError(
                "No gradients provided for any variable, check your graph for ops that do not support gradients, "
                f"between variables {[str(var) for _, var in grads_and_vars]} and loss {loss}."
            )
        return self.apply_gradients(grads_and_vars, global_step=global_step, name=name)

    def compute_gradients(
        self,
        loss: Any,
        var_list: Any = None,
        gate_gradients: int = GATE_OP,
        aggregation_method: int | None = None,
        colocate_gradients_with_ops: bool = False,
        grad_loss: Any = None,
    ) -> GradientsAndVariables:
        """Pairs of gradient and variable; the gradient is a Tensor, IndexedSlices, or None where none comes through.

        Args:
          loss: what to minimize, or a function of no arguments that returns it.
          var_list: the trainable variables by default.
          gate_gradients: `GATE_NONE`, `GATE_OP` or `GATE_GRAPH`.
          grad_loss: the gradient of the loss; 1 by default.

        Raises:
          ValueError: there are no variables, or one of the tensors is not floating.
        """
        if callable(loss):
            loss = loss()
        if gate_gradients not in (Optimizer.GATE_NONE, Optimizer.GATE_OP, Optimizer.GATE_GRAPH):
            raise ValueError(
                "gate_gradients must be one of: Optimizer.GATE_NONE, Optimizer.GATE_OP, Optimizer.GATE_GRAPH.  Not "
                f"{gate_gradients}"
            )
        self._assert_valid_dtypes([loss])
        if grad_loss is not None:
            self._assert_valid_dtypes([grad_loss])
        if var_list is None:
            var_list = trainable_variables()
        else:
            from runstep.nest import flatten

            var_list = flatten(var_list)
        for var in var_list:
            _check_optimizable(var)
        if not var_list:
            raise ValueError("No variables to optimize.")
        from runstep.gradients.backprop import gradients

        grads = gradients(
            loss,
            [_target(var) for var in var_list],
            grad_ys=grad_loss,
            aggregation_method=aggregation_method,
            gate_gradients=gate_gradients == Optimizer.GATE_OP,
            colocate_gradients_with_ops=colocate_gradients_with_ops,
        )
        if gate_gradients == Optimizer.GATE_GRAPH:
            grads = together(grads)
        found = list(zip(grads, var_list, strict=True))
        self._assert_valid_dtypes([var for grad, var in found if grad is not None])
        return found

    def apply_gradients(self, grads_and_vars: Iterable[Any], global_step: Any = None, name: str | None = None) -> Any:
        """The operation that updates the variables by their gradients, and then adds 1 to `global_step`.

        Raises:
          TypeError: a gradient is not a Tensor, IndexedSlices or None.
          ValueError: there are no pairs, or no pair has a gradient.
        """
        pairs = [(_converted(grad), var) for grad, var in grads_and_vars]
        if not pairs:
            raise ValueError("No variables provided.")
        for _, var in pairs:
            _check_optimizable(var)
        var_list = [var for grad, var in pairs if grad is not None]
        if not var_list:
            raise ValueError(f"No gradients provided for any variable: {[str(var) for _, var in pairs]}.")
        with lifted():
            self._create_slots(var_list)
        with name_scope(name, self._name) as scope:
            self._prepare()
            updates = [self._update(grad, var) for grad, var in pairs if grad is not None]
            if global_step is None:
                done = self._finish(updates, scope)
            else:
                graph = get_default_graph()
                with graph.control_dependencies([self._finish(updates, "update")]), graph.colocate_with(global_step):
                    done = _counted(global_step, scope)
            done = done.op if isinstance(done, Tensor) else done
            train_ops = get_default_graph().get_collection_ref(GraphKeys.TRAIN_OP)
            if done not in train_ops:
                train_ops.append(done)
            return done

    def _update(self, grad: Any, var: Any) -> Any:
        with name_scope(f"update_{var.op.name}"), get_default_graph().colocate_with(var):
            if not isinstance(var, Variable):
                raise NotImplementedError("Trying to update a Tensor ", var)
            resource = isinstance(var, ResourceVariable)
            if isinstance(grad, IndexedSlices):
                if var.constraint is not None:
                    raise RuntimeError("Cannot use a constraint function on a sparse variable.")
                if resource:
                    return self._resource_apply_sparse_duplicate_indices(grad.values, var, grad.indices)
                return self._apply_sparse_duplicate_indices(grad, var)
            done = self._resource_apply_dense(grad, var) if resource else self._apply_dense(grad, var)
            if var.constraint is None:
                return done
            with get_default_graph().control_dependencies([done]):
                return var.assign(var.constraint(var))

    # Slots.

    def get_slot(self, var: Any, name: str) -> Any:
        """The variable that the optimizer keeps beside `var` under that name; None where there is none."""
        return self._slots.get(name, {}).get(_key(var))

    def get_slot_names(self) -> list[str]:
        """The names of slots, sorted."""
        return sorted(self._slots)

    def variables(self) -> list[Any]:
        """The optimizer's own variables in the default graph, by name: slots, and what it keeps once."""
        graph = get_default_graph()
        found = [*self._non_slot_variables(), *(slot for named in self._slots.values() for slot in named.values())]
        return sorted((var for var in found if var.op.graph is graph), key=lambda var: var.name)

    def _slot_dict(self, slot_name: str) -> dict[Any, Any]:
        return self._slots.setdefault(slot_name, {})

    def _kept(self, slot_name: str, var: Any, make: Callable[[], Any]) -> Any:
        named = self._slot_dict(slot_name)
        key = _key(var)
        if key not in named:
            named[key] = make()
        return named[key]

    def _get_or_make_slot(self, var: Any, val: Any, slot_name: str, op_name: str) -> Any:
        """The slot `slot_name` of `var`, a variable "<var>/<op_name>" that starts as the tensor `val`."""
        return self._kept(slot_name, var, lambda: slots.create_slot(var, val, op_name))

    def _get_or_make_slot_with_initializer(
        self, var: Any, initializer: Any, shape: Any, dtype: Any, slot_name: str, op_name: str
    ) -> Any:
        """As `_get_or_make_slot`, from an initializer."""
        return self._kept(
            slot_name, var, lambda: slots.create_slot_with_initializer(var, initializer, shape, dtype, op_name)
        )

    def _zeros_slot(self, var: Any, slot_name: str, op_name: str) -> Any:
        """As `_get_or_make_slot`, all zeros."""
        return self._kept(slot_name, var, lambda: slots.create_zeros_slot(var, op_name))

    def _create_non_slot_variable(self, initial_value: Any, name: str, colocate_with: Any) -> Any:
        """A variable of the optimizer's own, one for each graph."""
        key = (name, colocate_with.graph)
        if key not in self._non_slot_dict:
            with get_default_graph().colocate_with(colocate_with), self._non_slot_scope():
                self._non_slot_dict[key] = Variable(
                    initial_value, name=name, trainable=False, use_resource=isinstance(colocate_with, ResourceVariable)
                )
        return self._non_slot_dict[key]

    @contextlib.contextmanager
    def _non_slot_scope(self) -> Iterator[None]:
        """The name scope of variables that are no slots: where the program is, or one of the optimizer's own."""
        if self._own_scopes is None:
            yield
            return
        graph = get_default_graph()
        with graph.name_scope(None):
            with graph.name_scope(self._own_scopes.get(graph, self._name)) as scope:
                self._own_scopes[graph] = scope
                yield

    def _get_non_slot_variable(self, name: str, graph: Any = None) -> Any:
        return self._non_slot_dict.get((name, graph))

    def _non_slot_variables(self) -> list[Any]:
        return list(self._non_slot_dict.values())

    # What subclasses say.

    def _create_slots(self, var_list: Sequence[Any]) -> None:
        """Makes the slots of these variables."""

    def _prepare(self) -> None:
        """Makes the tensors that all updates use."""

    def _finish(self, update_ops: Sequence[Any], name_scope: str) -> Any:
        """The operation, named `name_scope`, that is done when all updates are."""
        return group(*update_ops, name=name_scope)

    def _apply_dense(self, grad: Tensor, var: Any) -> Any:
        raise NotImplementedError()

    def _apply_sparse(self, grad: IndexedSlices, var: Any) -> Any:
        """The update by rows; no index comes twice."""
        raise NotImplementedError()

    def _resource_apply_dense(self, grad: Tensor, handle: Any) -> Any:
        raise NotImplementedError()

    def _resource_apply_sparse(self, grad: Tensor, handle: Any, indices: Tensor) -> Any:
        """The update of the rows `indices`; no index comes twice."""
        raise NotImplementedError()

    def _apply_sparse_duplicate_indices(self, grad: IndexedSlices, var: Any) -> Any:
        """As `_apply_sparse`, where an index may come several times."""
        values, indices = _deduplicated(grad.values, grad.indices)
        return self._apply_sparse(IndexedSlices(values, indices, grad.dense_shape), var)

    def _resource_apply_sparse_duplicate_indices(self, grad: Tensor, handle: Any, indices: Tensor) -> Any:
        """As `_resource_apply_sparse`, where an index may come several times."""
        values, rows = _deduplicated(grad, indices)
        return self._resource_apply_sparse(values, handle, rows)

    def _valid_dtypes(self) -> set[Any]:
        """The dtypes of losses and variables that it takes."""
        return {dtypes.float16, dtypes.bfloat16, dtypes.float32, dtypes.float64}

    def _assert_valid_dtypes(self, tensors: Iterable[Any]) -> None:
        valid = self._valid_dtypes()
        for tensor in tensors:
            kind = tensor.dtype.base_dtype
            if kind not in valid:
                raise ValueError(f"Invalid type {kind!r} for {tensor.name}, expected: {list(valid)}.")

    def _call_if_callable(self, param: Any) -> Any:
        """A hyperparameter, or what the function that stands for it returns."""
        return param() if callable(param) else param


def _key(var: Any) -> Any:
    return var.op.graph, var.op.name


def _check_optimizable(var: Any) -> None:
    if not isinstance(var, Variable | Tensor) and var.op is not None:  # AttributeError for a number, as TensorFlow's
        raise NotImplementedError("Trying to optimize unsupported type ", var)


def _target(var: Any) -> Any:
    """What the loss is differentiated by for a variable."""
    return var if isinstance(var, ResourceVariable | Tensor) else var._ref()


def _converted(grad: Any) -> Any:
    if grad is None:
        return None
    try:
        return convert_to_tensor_or_indexed_slices(grad)
    except TypeError:
        raise TypeError(f"Gradient must be convertible to a Tensor or IndexedSlices, or None: {grad}") from None


def _deduplicated(values: Tensor, indices: Tensor) -> tuple[Tensor, Tensor]:
    """Each index once, with the sum of its values."""
    once, places = unique(indices)
    return unsorted_segment_sum(values, places, shape(once)[0]), once


def _counted(global_step: Any, name: str) -> Operation | Tensor:
    if isinstance(global_step, ResourceVariable):
        from runstep.graph.apply import apply

        return apply(
            "AssignAddVariableOp", global_step.handle, convert_to_tensor(1, dtype=global_step.dtype), name=name
        )
    return state.assign_add(global_step, 1, name=name)
