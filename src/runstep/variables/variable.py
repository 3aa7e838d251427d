"""`tf.Variable`: what ref and resource variables share, and how `tf.Variable(...)` chooses between them."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from runstep.graph.composite import IndexedSlices
from runstep.graph.convert import register_tensor_conversion_function
from runstep.graph.dtypes import DType
from runstep.graph.graph import Graph, get_default_graph
from runstep.graph.operation import Operation
from runstep.graph.operators import overload
from runstep.graph.shapes import TensorShape
from runstep.graph.tensor import Reference, Tensor
from runstep.variables import facts
from runstep.variables.creation import creators, resource_variables_enabled
from runstep.variables.facts import (
    SaveSliceInfo,
    VariableAggregation,
    VariableSynchronization,
    with_scope,
    without_scope,
)

if TYPE_CHECKING:
    from runstep.session.session import Session

__all__ = ["Variable"]


class VariableType(type):
    """`Variable(...)` makes a ref or a resource variable, by way of the creator functions in force."""

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        if cls is Variable:
            return _create(*args, **kwargs)
        return super().__call__(*args, **kwargs)


class Variable(metaclass=VariableType):
    """A tensor that keeps its value from run to run (source: tf.Variable).

    `Variable(initial_value, ...)` adds to the default graph: the variable, an operation that sets it to `initial_value`
    (`initializer`; nothing runs it by itself), and a read of it. Variables can stand wherever a tensor can.

    Args:
      initial_value: a tensor or what converts to one; or a function of no arguments that returns one.
      trainable: whether optimizers train it; True by default.
      collections: the graph collections to add it to; `GraphKeys.GLOBAL_VARIABLES` by default.
      validate_shape: False lets values of any shape be assigned, and the initial value be of unknown shape.
      caching_device: where reads are cached.
      name: "Variable" by default; made unique.
      variable_def: a `VariableDef` message: finds an existing variable in the graph instead of making one.
      dtype: the initial value is converted to it.
      expected_shape: not used.
      import_scope: a prefix of the names in `variable_def`.
      constraint: a function from the new value to the allowed one, which optimizers apply after an update.
      use_resource: True for a resource variable, False for a ref variable; None takes the variable scope's choice.
      shape: the variable's static shape; that of the initial value by default.

    Raises:
      ValueError: there is no initial value, or its shape is unknown with `validate_shape`.
    """

    SaveSliceInfo: ClassVar[Any] = SaveSliceInfo
    __array_priority__ = 100

    if TYPE_CHECKING:  # what `Variable(...)` takes, which the metaclass passes on

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
            use_resource: bool | None = None,
            synchronization: VariableSynchronization = VariableSynchronization.AUTO,
            aggregation: VariableAggregation = VariableAggregation.NONE,
            shape: Any = None,
        ) -> None: ...

    _in_graph_mode = True
    _initial_value: Tensor | None
    _initializer_op: Operation
    _trainable: bool
    _caching_device: Any = None
    _constraint: Callable[[Any], Any] | None = None
    _synchronization = VariableSynchronization.AUTO
    _aggregation = VariableAggregation.NONE
    _save_slice_info: facts.SaveSliceInfo | None = None

    # What kinds of variables define.

    def value(self) -> Tensor:
        """The tensor that is the variable's value; for a ref variable always the same, cached one."""
        raise NotImplementedError

    def read_value(self) -> Tensor:
        """A new read of the variable, which control dependencies can order."""
        raise NotImplementedError

    def _handle_tensor(self) -> Tensor:
        """The reference or the resource handle."""
        raise NotImplementedError

    def _as_graph_element(self) -> Tensor:
        """What sessions fetch and feed in the variable's place."""
        raise NotImplementedError

    def _convert(self, dtype: DType | None, name: str | None, as_ref: bool) -> Any:
        """The tensor for `convert_to_tensor`, or NotImplemented."""
        raise NotImplementedError

    def assign(
        self, value: Any, use_locking: bool | None = None, name: str | None = None, read_value: bool = True
    ) -> Any:
        """Sets the variable; returns its new value, or the operation when not `read_value`."""
        raise NotImplementedError

    def assign_add(
        self, delta: Any, use_locking: bool | None = None, name: str | None = None, read_value: bool = True
    ) -> Any:
        """Adds to the variable; returns as `assign`."""
        raise NotImplementedError

    def assign_sub(
        self, delta: Any, use_locking: bool | None = None, name: str | None = None, read_value: bool = True
    ) -> Any:
        """Subtracts from the variable; returns as `assign`."""
        raise NotImplementedError

    def _scatter(self, kind: str, indices: Any, updates: Any, use_locking: bool | None, name: str | None) -> Any:
        """Updates rows or slices with the op type that ends in `kind`."""
        raise NotImplementedError

    def set_shape(self, shape: Any) -> None:
        """Adds what `shape` says to the static shape. ValueError where it contradicts what is known."""
        raise NotImplementedError

    # Facts.

    @property
    def name(self) -> str:
        return self._handle_tensor().name

    @property
    def op(self) -> Operation:
        return self._handle_tensor().op

    @property
    def graph(self) -> Graph:
        return self._handle_tensor().graph

    @property
    def device(self) -> str:
        return self._handle_tensor().device

    @property
    def dtype(self) -> DType:
        return self._handle_tensor().dtype

    @property
    def shape(self) -> TensorShape:
        return self._handle_tensor().shape

    def ref(self) -> Reference:
        """What stands for this variable in sets and dicts."""
        return Reference(self)

    experimental_ref = ref

    def get_shape(self) -> TensorShape:
        return self.shape

    def _shape_as_list(self) -> list[int | None] | None:
        shape = self.shape
        return None if shape.raw is None else list(shape.raw)

    @property
    def _shared_name(self) -> str:
        return self.name[: self.name.index(":")]

    @property
    def initializer(self) -> Operation:
        """The operation that sets the variable to its initial value."""
        return self._initializer_op

    @property
    def initial_value(self) -> Tensor | None:
        """The tensor that `initializer` assigns."""
        return self._initial_value

    @property
    def trainable(self) -> bool:
        return self._trainable

    @property
    def constraint(self) -> Callable[[Any], Any] | None:
        return self._constraint

    @property
    def synchronization(self) -> VariableSynchronization:
        return self._synchronization

    @property
    def aggregation(self) -> VariableAggregation:
        return self._aggregation

    def _control_op(self) -> Operation:
        """What a control dependency on the variable waits for."""
        return self.op

    # Running.

    def eval(self, session: Session | None = None) -> np.ndarray:
        """The variable's value in `session` or the default session."""
        return self._as_graph_element().eval(session=session)

    def load(self, value: Any, session: Session | None = None) -> None:
        """Sets the variable to a value of Python in `session` or the default session, without adding to the graph.

        Raises:
          ValueError: there is no session.
        """
        from runstep.session.default import get_default_session

        session = session or get_default_session()
        if session is None:
            raise ValueError("Either session argument should be provided or default session should be established")
        session.run(self.initializer, {self.initializer.inputs[1]: value})

    def initialized_value(self) -> Tensor:
        """The variable's value if it has one, else its initial value: to initialize one variable from another."""
        from runstep.ops.branching import cond
        from runstep.ops.state import is_variable_initialized
        from runstep.variables.creation import lifted

        with lifted():
            return cond(is_variable_initialized(self), self.read_value, lambda: self.initial_value)

    # Updating rows and slices.

    def scatter_add(self, sparse_delta: IndexedSlices, use_locking: bool = False, name: str | None = None) -> Any:
        """Adds `sparse_delta.values` to the rows `sparse_delta.indices`."""
        return self._rows("Add", sparse_delta, use_locking, name)

    def scatter_sub(self, sparse_delta: IndexedSlices, use_locking: bool = False, name: str | None = None) -> Any:
        """Subtracts from rows."""
        return self._rows("Sub", sparse_delta, use_locking, name)

    def scatter_mul(self, sparse_delta: IndexedSlices, use_locking: bool = False, name: str | None = None) -> Any:
        """Multiplies rows."""
        return self._rows("Mul", sparse_delta, use_locking, name)

    def scatter_div(self, sparse_delta: IndexedSlices, use_locking: bool = False, name: str | None = None) -> Any:
        """Divides rows."""
        return self._rows("Div", sparse_delta, use_locking, name)

    def scatter_max(self, sparse_delta: IndexedSlices, use_locking: bool = False, name: str | None = None) -> Any:
        """Takes the greater of rows and values."""
        return self._rows("Max", sparse_delta, use_locking, name)

    def scatter_min(self, sparse_delta: IndexedSlices, use_locking: bool = False, name: str | None = None) -> Any:
        """Takes the lesser of rows and values."""
        return self._rows("Min", sparse_delta, use_locking, name)

    def scatter_update(self, sparse_delta: IndexedSlices, use_locking: bool = False, name: str | None = None) -> Any:
        """Sets rows."""
        return self._rows("Update", sparse_delta, use_locking, name)

    def batch_scatter_update(
        self, sparse_delta: IndexedSlices, use_locking: bool = False, name: str | None = None
    ) -> Any:
        """Sets rows along the last axis of the indices, batch by batch. See `tf.batch_scatter_update`."""
        from runstep.variables.slices import batch_scatter_update

        self._check_slices(sparse_delta)
        return batch_scatter_update(self, sparse_delta.indices, sparse_delta.values, use_locking, name)

    def scatter_nd_add(self, indices: Any, updates: Any, name: str | None = None) -> Any:
        """Adds to slices: the last axis of `indices` holds positions along the first axes of the variable."""
        return self._scatter("NdAdd", indices, updates, True, name)

    def scatter_nd_sub(self, indices: Any, updates: Any, name: str | None = None) -> Any:
        """Subtracts from slices."""
        return self._scatter("NdSub", indices, updates, True, name)

    def scatter_nd_update(self, indices: Any, updates: Any, name: str | None = None) -> Any:
        """Sets slices."""
        return self._scatter("NdUpdate", indices, updates, True, name)

    def scatter_nd_max(self, indices: Any, updates: Any, name: str | None = None) -> Any:
        """Takes the greater of slices and updates."""
        return self._scatter("NdMax", indices, updates, True, name)

    def scatter_nd_min(self, indices: Any, updates: Any, name: str | None = None) -> Any:
        """Takes the lesser of slices and updates."""
        return self._scatter("NdMin", indices, updates, True, name)

    def _rows(self, kind: str, sparse_delta: Any, use_locking: bool, name: str | None) -> Any:
        self._check_slices(sparse_delta)
        return self._scatter(kind, sparse_delta.indices, sparse_delta.values, use_locking, name)

    def _check_slices(self, sparse_delta: Any) -> None:
        if not isinstance(sparse_delta, IndexedSlices):
            raise TypeError(f"sparse_delta is not IndexedSlices: {sparse_delta}")

    def count_up_to(self, limit: int) -> Tensor:
        """The scalar variable's value, which is then raised by one; OutOfRangeError at `limit`."""
        from runstep.ops.state import count_up_to

        return count_up_to(self, limit)

    # Saving.

    def _set_save_slice_info(self, save_slice_info: facts.SaveSliceInfo | None) -> None:
        self._save_slice_info = save_slice_info

    def _get_save_slice_info(self) -> facts.SaveSliceInfo | None:
        return self._save_slice_info

    def _snapshot_name(self) -> str:
        """The name of the tensor that is the variable's value."""
        raise NotImplementedError

    def to_proto(self, export_scope: str | None = None) -> Any:
        """As a `VariableDef` message, names without `export_scope`; None for a variable outside of that scope."""
        from runstep.protos import variable_pb2

        if export_scope is not None and not self.name.startswith(export_scope):
            return None
        message: Any = variable_pb2.VariableDef  # its stub wants the enums' own types
        proto = message(
            variable_name=without_scope(self.name, export_scope),
            initializer_name=without_scope(self.initializer.name, export_scope),
            snapshot_name=without_scope(self._snapshot_name(), export_scope),
            trainable=self.trainable,
            synchronization=self.synchronization.value,
            aggregation=self.aggregation.value,
            is_resource=not self.dtype.is_ref,
        )
        if self._initial_value is not None:
            proto.initial_value_name = without_scope(self._initial_value.name, export_scope)
        if self._save_slice_info is not None:
            found = self._save_slice_info.to_proto(export_scope)
            if found is not None:
                proto.save_slice_info_def.MergeFrom(found)
        return proto

    @staticmethod
    def from_proto(variable_def: Any, import_scope: str | None = None) -> Variable:
        """The variable of the default graph that a `VariableDef` message describes.

        Raises:
          KeyError: the graph lacks one of its nodes.
        """
        return _kind(variable_def.is_resource)(variable_def=variable_def, import_scope=import_scope)

    def _init_from_proto(self, proto: Any, import_scope: str | None) -> Callable[[str], Any]:
        """Sets what both kinds take from the message; returns the look-up of its names."""
        graph = get_default_graph()

        def find(name: str) -> Any:
            return graph.as_graph_element(with_scope(name, import_scope))

        self._initializer_op = find(proto.initializer_name)
        self._initial_value = find(proto.initial_value_name) if proto.initial_value_name else None
        self._synchronization = VariableSynchronization(proto.synchronization)
        self._aggregation = VariableAggregation(proto.aggregation)
        self._trainable = proto.trainable
        if proto.HasField("save_slice_info_def"):
            self._save_slice_info = SaveSliceInfo(
                save_slice_info_def=proto.save_slice_info_def, import_scope=import_scope
            )
        return find

    def __iter__(self) -> Any:
        """Variables are not iterable: raises TypeError as a tensor does."""
        return iter(self.read_value())

    def __repr__(self) -> str:
        return f"<tf.Variable '{self.name}' shape={self.get_shape()} dtype={self.dtype.name}>"

    def __copy__(self) -> Variable:
        return self

    def __deepcopy__(self, memo: Any) -> Variable:
        return self


def _kind(use_resource: bool) -> Any:
    if use_resource:
        from runstep.variables.resource import ResourceVariable

        return ResourceVariable
    from runstep.variables.ref import RefVariable

    return RefVariable


def _create(
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
    use_resource: bool | None = None,
    synchronization: VariableSynchronization = VariableSynchronization.AUTO,
    aggregation: VariableAggregation = VariableAggregation.NONE,
    shape: Any = None,
) -> Any:
    create: Callable[..., Any] = _default_creator
    for creator in creators(get_default_graph()):
        create = functools.partial(creator, create)
    return create(
        initial_value=initial_value,
        trainable=trainable,
        collections=collections,
        validate_shape=validate_shape,
        caching_device=caching_device,
        name=name,
        variable_def=variable_def,
        dtype=dtype,
        expected_shape=expected_shape,
        import_scope=import_scope,
        constraint=constraint,
        use_resource=use_resource,
        synchronization=synchronization,
        aggregation=aggregation,
        shape=shape,
    )


def _default_creator(use_resource: bool | None = None, expected_shape: Any = None, **kwargs: Any) -> Variable:
    if use_resource is None:
        from runstep.variables.scope import get_variable_scope

        use_resource = get_variable_scope().use_resource
    if use_resource is None:
        use_resource = resource_variables_enabled()
    return _kind(use_resource)(**kwargs)


def _converted(variable: Variable, dtype: DType | None, name: str | None, as_ref: bool) -> Any:
    return variable._convert(dtype, name, as_ref)


def _operand(variable: Variable) -> Tensor:
    return variable.value()


register_tensor_conversion_function(Variable, _converted)
overload(Variable, _operand)
