"""Ref variables: the variable is a tensor that other operations refer to and change in place."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from runstep.graph import shapes
from runstep.graph.apply import apply
from runstep.graph.convert import convert_to_tensor
from runstep.graph.dtypes import DType
from runstep.graph.graph import name_scope
from runstep.graph.shapes import RawShape, TensorShape
from runstep.graph.tensor import Tensor
from runstep.ops import ref_scatter, state
from runstep.ops.basic import identity
from runstep.variables.creation import lifted
from runstep.variables.facts import VariableAggregation, VariableSynchronization, checked_collections, distribution
from runstep.variables.guard import guarded
from runstep.variables.variable import Variable

__all__: list[str] = []


class RefVariable(Variable):
    """A variable made with `use_resource=False`: TensorFlow 1's default. Arguments as `Variable`."""

    _variable: Tensor
    _snapshot: Tensor

    def __init__(
        self,
        initial_value: Any = None,
        trainable: bool | None = None,
        collections: Sequence[Any] | None = None,
        validate_shape: bool = True,
        caching_device: Any = None,
        name: str | None = None,
        variable_def: Any = None,
        dtype: Any = None,
        expected_shape: Any = None,
        import_scope: str | None = None,
        constraint: Callable[[Any], Any] | None = None,
        synchronization: VariableSynchronization | None = None,
        aggregation: VariableAggregation | None = None,
        shape: Any = None,
    ) -> None:
        if variable_def is not None:
            if initial_value is not None:
                raise ValueError("variable_def and initial_value are mutually exclusive.")
            find = self._init_from_proto(variable_def, import_scope)
            self._variable, self._snapshot = find(variable_def.variable_name), find(variable_def.snapshot_name)
            return
        self._synchronization, self._aggregation, self._trainable = distribution(
            synchronization, aggregation, trainable
        )
        if initial_value is None:
            raise ValueError("initial_value must be specified.")
        keys = checked_collections(collections, self._trainable)
        if constraint is not None and not callable(constraint):
            raise ValueError("The `constraint` argument must be a callable.")
        self._constraint = constraint
        self._caching_device = caching_device
        with lifted() as graph:
            with name_scope(name, "Variable") as scope:
                self._add_nodes(graph, scope, initial_value, dtype, shape, validate_shape)
            graph.add_to_collections(keys, self)

    def _add_nodes(
        self, graph: Any, scope: str, initial_value: Any, dtype: Any, shape: Any, validate_shape: bool
    ) -> None:
        if callable(initial_value):
            # The initializer's nodes are made before the variable that they stand beside.
            beside = {"_class": (f"loc:@{scope.rstrip('/')}".encode(),)}
            with graph._attr_scope(beside):
                with name_scope("Initializer"), graph.device(None):
                    self._initial_value = convert_to_tensor(initial_value(), dtype, name="initial_value")
                self._variable = self._node(scope, self._initial_value, shape, validate_shape)
        else:
            self._initial_value = convert_to_tensor(initial_value, dtype, name="initial_value")
            self._variable = self._node(scope, self._initial_value, shape, validate_shape)
        if validate_shape and not self._initial_value.get_shape().is_fully_defined():
            raise ValueError(f"initial_value must have a shape specified: {self._initial_value}")
        assigned = state.assign(self._variable, guarded(scope, self._initial_value), validate_shape=validate_shape)
        self._initializer_op = assigned.op
        if self._caching_device is not None:
            with graph.device(self._caching_device):
                self._snapshot = identity(self._variable, name="read")
        else:
            with graph.colocate_with(self._variable.op):
                self._snapshot = identity(self._variable, name="read")

    @staticmethod
    def _node(scope: str, initial_value: Tensor, shape: Any, validate_shape: bool) -> Tensor:
        if shape is not None:
            raw: RawShape = shapes.as_raw(shape)
        else:
            raw = initial_value.raw_shape if validate_shape else None
        return apply("VariableV2", shape=TensorShape.from_raw(raw), dtype=initial_value.dtype.base_dtype, name=scope)

    def _handle_tensor(self) -> Tensor:
        return self._variable

    def _ref(self) -> Tensor:
        """The reference that updates take."""
        return self._variable

    def _AsTensor(self) -> Tensor:  # noqa: N802 - TensorFlow's name
        return self._snapshot

    def _as_graph_element(self) -> Tensor:
        return self._variable

    def _convert(self, dtype: DType | None, name: str | None, as_ref: bool) -> Tensor:
        if dtype is not None and not dtype.is_compatible_with(self.dtype):
            raise ValueError(
                f"Incompatible type conversion requested to type '{dtype.name}' for variable of type "
                f"'{self.dtype.name}'"
            )
        return self._variable if as_ref else self._snapshot

    def value(self) -> Tensor:
        return self._snapshot

    def read_value(self) -> Tensor:
        return identity(self._variable, name="read")

    def _snapshot_name(self) -> str:
        return self._snapshot.name

    def set_shape(self, shape: Any) -> None:
        self._variable.set_shape(shape)
        self._snapshot.set_shape(shape)

    def assign(
        self, value: Any, use_locking: bool | None = False, name: str | None = None, read_value: bool = True
    ) -> Any:
        done = state.assign(self._variable, value, use_locking=use_locking, name=name)
        return done if read_value else done.op

    def assign_add(
        self, delta: Any, use_locking: bool | None = False, name: str | None = None, read_value: bool = True
    ) -> Any:
        done = state.assign_add(self._variable, delta, use_locking=use_locking, name=name)
        return done if read_value else done.op

    def assign_sub(
        self, delta: Any, use_locking: bool | None = False, name: str | None = None, read_value: bool = True
    ) -> Any:
        done = state.assign_sub(self._variable, delta, use_locking=use_locking, name=name)
        return done if read_value else done.op

    def _scatter(self, kind: str, indices: Any, updates: Any, use_locking: bool | None, name: str | None) -> Any:
        return ref_scatter._scattered(kind, self, indices, updates, bool(use_locking), name)
