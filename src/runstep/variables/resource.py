"""Resource variables: the graph holds a handle; every use is a read or an update of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from runstep.graph import shapes
from runstep.graph.apply import apply
from runstep.graph.convert import convert_to_tensor
from runstep.graph.dtypes import DType
from runstep.graph.graph import Graph, name_scope
from runstep.graph.operation import Operation
from runstep.graph.shapes import RawShape, TensorShape
from runstep.graph.tensor import Tensor
from runstep.ops.basic import identity
from runstep.ops.handles import handle_data
from runstep.variables.creation import lifted
from runstep.variables.facts import VariableAggregation, VariableSynchronization, checked_collections, distribution
from runstep.variables.guard import guarded
from runstep.variables.variable import Variable

__all__: list[str] = []


class ResourceVariable(Variable):
    """A variable made with `use_resource=True`. Arguments as `Variable`.

    Attributes:
      handle: the resource tensor that names the variable.
    """

    handle: Tensor
    _dtype: DType
    _graph_element: Tensor
    _cached_value: Tensor | None = None
    _shape: RawShape

    def __init__(
        self,
        initial_value: Any = None,
        trainable: bool | None = None,
        collections: Sequence[Any] | None = None,
        validate_shape: bool = True,
        caching_device: Any = None,
        name: str | None = None,
        dtype: Any = None,
        variable_def: Any = None,
        import_scope: str | None = None,
        constraint: Callable[[Any], Any] | None = None,
        synchronization: VariableSynchronization | None = None,
        aggregation: VariableAggregation | None = None,
        shape: Any = None,
    ) -> None:
        if variable_def is not None:
            if initial_value is not None:
                raise ValueError("variable_def and initial_value are mutually exclusive.")
            self._find(variable_def, import_scope)
            return
        self._synchronization, self._aggregation, self._trainable = distribution(
            synchronization, aggregation, trainable
        )
        if initial_value is None:
            raise ValueError(
                "The `initial_value` arg to `tf.Variable` must be specified except when you are not providing a "
                "`variable_def`. You provided neither."
            )
        keys = checked_collections(collections, self._trainable)
        if constraint is not None and not callable(constraint):
            raise ValueError(
                f"Argument `constraint` must be None or a callable. a callable. Got a {type(constraint)}:  {constraint}"
            )
        self._constraint = constraint
        self._caching_device = caching_device
        with lifted() as graph:
            with name_scope(name, "Variable") as scope:
                self._add_nodes(graph, scope, initial_value, dtype, shape, validate_shape)
            graph.add_to_collections(keys, self)

    def _add_nodes(
        self, graph: Graph, scope: str, initial_value: Any, dtype: Any, shape: Any, validate_shape: bool
    ) -> None:
        name = scope.rstrip("/")
        with graph._attr_scope({"_class": (f"loc:@{name}".encode(),)}):
            with name_scope("Initializer"), graph.device(None):
                value = initial_value() if callable(initial_value) else initial_value
                value = convert_to_tensor(value, dtype, name="initial_value")
            self._shape = value.raw_shape if shape is None else shapes.as_raw(shape)
            if shape is not None and not value.get_shape().is_compatible_with(self.shape):
                raise ValueError(
                    f"In this `tf.Variable` creation, the initial value's shape ({value.get_shape()}) is not "
                    f"compatible with the explicitly supplied `shape` argument ({shape})."
                )
            self._dtype = value.dtype.base_dtype
            self._initial_value = value
            self.handle = apply(
                "VarHandleOp", shape=self.shape, dtype=self._dtype, shared_name=name, debug_name=scope, name=scope
            )
        with name_scope("IsInitialized"):
            self._is_initialized_op = apply("VarIsInitializedOp", self.handle)
        with (
            name_scope("Assign") as assign_scope,
            graph.colocate_with(None, ignore_existing=True),
            graph.device(self.handle.device),
        ):
            self._initializer_op = apply(
                "AssignVariableOp", self.handle, guarded(scope, value), dtype=self._dtype, name=assign_scope
            )
        with name_scope("Read"):
            with graph.device(self.handle.device):
                self._graph_element = self._read()
            if self._caching_device is not None:
                with graph.device(self._caching_device):
                    self._cached_value = identity(self._graph_element)

    def _find(self, proto: Any, import_scope: str | None) -> None:
        find = self._init_from_proto(proto, import_scope)
        self.handle = find(proto.variable_name)
        data = handle_data(self.handle)
        self._shape = data[0][0] if data else None
        self._dtype = self.handle.op.attrs["dtype"]
        snapshot = find(proto.snapshot_name)
        self._graph_element = snapshot
        if snapshot.op.type != "ReadVariableOp":
            self._cached_value = snapshot
            self._graph_element = snapshot.op.inputs[0]

    # Facts.

    def _handle_tensor(self) -> Tensor:
        return self.handle

    @property
    def dtype(self) -> DType:
        return self._dtype

    @property
    def shape(self) -> TensorShape:
        return TensorShape.from_raw(self._shape)

    @property
    def create(self) -> Operation:
        """The operation that sets the variable to its initial value, as `initializer`."""
        return self._initializer_op

    def set_shape(self, shape: Any) -> None:
        other = TensorShape.from_raw(shapes.as_raw(shape))
        if not self.shape.is_compatible_with(other):
            raise ValueError(f"Shapes {self.shape} and {other} are not compatible")
        self._shape = self.shape.merge_with(other).raw

    def __bool__(self) -> bool:
        return bool(self.value())

    def __iadd__(self, other: Any) -> NoReturn:
        self._not_in_place("+", "add")

    def __isub__(self, other: Any) -> NoReturn:
        self._not_in_place("-", "sub")

    def __imul__(self, other: Any) -> NoReturn:
        self._not_in_place("*", "`var.assign(var * value)`")

    def __itruediv__(self, other: Any) -> NoReturn:
        self._not_in_place("/", "`var.assign(var / value)`")

    def __ipow__(self, other: Any) -> NoReturn:
        self._not_in_place("**", "`var.assign(var ** value)`")

    def _not_in_place(self, operator: str, instead: str) -> NoReturn:
        use = f"`variable.assign_{instead}(value)`" if instead in ("add", "sub") else instead
        raise RuntimeError(
            f"`variable {operator}= value` with `tf.Variable`s is not supported. Use {use} to modify the variable, or "
            f"`out = variable {operator} value` if you need to get a new output Tensor."
        )

    # Reading.

    def _read(self) -> Tensor:
        return apply("ReadVariableOp", self.handle, dtype=self._dtype)

    def _as_graph_element(self) -> Tensor:
        return self._graph_element

    def _convert(self, dtype: DType | None, name: str | None, as_ref: bool) -> Any:
        if dtype is not None and not dtype.is_compatible_with(self._dtype):
            raise ValueError(
                f"Incompatible type conversion requested to type {dtype.name} for `tf.Variable of type "
                f"{self._dtype.name}. (Variable: {self})"
            )
        return self.read_value().op.inputs[0] if as_ref else self.value()

    def value(self) -> Tensor:
        if self._cached_value is not None:
            return self._cached_value
        with self.graph.colocate_with(None, ignore_existing=True):
            return self._read()

    def read_value(self) -> Tensor:
        with name_scope("Read"):
            value = self._read()
        return identity(value)

    def _snapshot_name(self) -> str:
        return (self._graph_element if self._cached_value is None else self._cached_value).name

    def is_initialized(self, name: str | None = None) -> Tensor:
        """A boolean scalar: whether the variable has a value."""
        return apply("VarIsInitializedOp", self.handle, name=name)

    def sparse_read(self, indices: Any, name: str | None = None) -> Tensor:
        """The rows that `indices` name, without reading the rest."""
        with name_scope(name, "Gather") as scope:
            return apply("ResourceGather", self.handle, indices, dtype=self._dtype, name=scope)

    def gather_nd(self, indices: Any, name: str | None = None) -> Tensor:
        """The slices whose positions along the first axes the last axis of `indices` holds."""
        with name_scope(name, "GatherNd") as scope:
            value = apply("ResourceGatherNd", self.handle, indices, dtype=self._dtype, name=scope)
        return identity(value)

    # Updating.

    def assign(
        self, value: Any, use_locking: bool | None = None, name: str | None = None, read_value: bool = True
    ) -> Any:
        tensor = convert_to_tensor(value, self._dtype)
        if not self.shape.is_compatible_with(tensor.get_shape()):
            raise ValueError(
                f"Cannot assign value to variable ' {self.handle.name}': Shape mismatch.The variable shape "
                f"{self.shape}, "
                f"and the assigned value shape {tensor.get_shape()} are incompatible."
            )
        done = apply("AssignVariableOp", self.handle, tensor, validate_shape=True, name=name)
        return self._lazy_read(done) if read_value else done

    def assign_add(
        self, delta: Any, use_locking: bool | None = None, name: str | None = None, read_value: bool = True
    ) -> Any:
        done = apply("AssignAddVariableOp", self.handle, convert_to_tensor(delta, self._dtype), name=name)
        return self._lazy_read(done) if read_value else done

    def assign_sub(
        self, delta: Any, use_locking: bool | None = None, name: str | None = None, read_value: bool = True
    ) -> Any:
        done = apply("AssignSubVariableOp", self.handle, convert_to_tensor(delta, self._dtype), name=name)
        return self._lazy_read(done) if read_value else done

    def _scatter(self, kind: str, indices: Any, updates: Any, use_locking: bool | None, name: str | None) -> Any:
        attrs = {} if kind.startswith("Nd") else {"dtype": self._dtype}
        updates = convert_to_tensor(updates, self._dtype)
        return self._lazy_read(apply(f"ResourceScatter{kind}", self.handle, indices, updates, name=name, **attrs))

    def batch_scatter_update(self, sparse_delta: Any, use_locking: bool = False, name: str | None = None) -> Any:
        done = super().batch_scatter_update(sparse_delta, use_locking, name)
        return self._lazy_read(done.op)

    def _check_slices(self, sparse_delta: Any) -> None:
        from runstep.graph.composite import IndexedSlices

        if not isinstance(sparse_delta, IndexedSlices):
            raise TypeError(f"Argument `sparse_delta` must be a `tf.IndexedSlices`. Received arg: {sparse_delta}")

    def _lazy_read(self, done: Operation) -> UnreadVariable:
        """The variable as it is after the update `done`."""
        return UnreadVariable(self, done)


class UnreadVariable(ResourceVariable):
    """A resource variable seen after an update: what `assign` returns. Its reads wait for the update."""

    def __init__(self, variable: ResourceVariable, parent_op: Operation) -> None:
        self.handle = variable.handle
        self._shape, self._dtype = variable._shape, variable._dtype
        self._initial_value, self._initializer_op = variable._initial_value, variable._initializer_op
        self._trainable, self._constraint = variable._trainable, variable._constraint
        self._synchronization, self._aggregation = variable._synchronization, variable._aggregation
        self._save_slice_info = variable._save_slice_info
        self._parent_op = parent_op
        with parent_op.graph.control_dependencies([parent_op]):
            self._graph_element = self._read()

    @property
    def name(self) -> str:
        return self._parent_op.name

    @property
    def op(self) -> Operation:
        """The update."""
        return self._parent_op

    def value(self) -> Tensor:
        with self._parent_op.graph.control_dependencies([self._parent_op]):
            return super().value()

    def read_value(self) -> Tensor:
        with self._parent_op.graph.control_dependencies([self._parent_op]):
            return self._read()

    def assign(
        self, value: Any, use_locking: bool | None = None, name: str | None = None, read_value: bool = True
    ) -> Any:
        with self._parent_op.graph.control_dependencies([self._parent_op]):
            return super().assign(value, use_locking, name, read_value)

    def assign_add(
        self, delta: Any, use_locking: bool | None = None, name: str | None = None, read_value: bool = True
    ) -> Any:
        with self._parent_op.graph.control_dependencies([self._parent_op]):
            return super().assign_add(delta, use_locking, name, read_value)

    def assign_sub(
        self, delta: Any, use_locking: bool | None = None, name: str | None = None, read_value: bool = True
    ) -> Any:
        with self._parent_op.graph.control_dependencies([self._parent_op]):
            return super().assign_sub(delta, use_locking, name, read_value)

    def _scatter(self, kind: str, indices: Any, updates: Any, use_locking: bool | None, name: str | None) -> Any:
        with self._parent_op.graph.control_dependencies([self._parent_op]):
            return super()._scatter(kind, indices, updates, use_locking, name)
