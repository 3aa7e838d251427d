"""The variables that `get_variable` has made in a graph, by name: finding, checking and making them."""

from __future__ import annotations

import functools
import inspect
import traceback
from collections.abc import Callable, Sequence
from typing import Any

from runstep.graph import dtypes
from runstep.graph.collections import GraphKeys
from runstep.graph.dtypes import DType
from runstep.graph.functions import FunctionGraph
from runstep.graph.graph import Graph, get_default_graph, name_scope
from runstep.graph.shapes import TensorShape
from runstep.graph.tensor import Tensor
from runstep.variables.creation import lifted, resource_variables_enabled
from runstep.variables.facts import SaveSliceInfo
from runstep.variables.partition import PartitionedVariable, PartitionInfo, partitions_of, parts_of
from runstep.variables.variable import Variable

__all__: list[str] = []

_STORE_KEY = ("__variable_store",)
_INVALID = (
    "The initializer passed is not valid. It should be a callable with no arguments and the shape should not be "
    "provided or an instance of `tf.keras.initializers.*' and `shape` should be fully defined."
)


def root_graph() -> Graph:
    """The default graph, or around a function's body the graph that the function is for."""
    graph = get_default_graph()
    while isinstance(graph, FunctionGraph) and graph.outer is not None:
        graph = graph.outer
    return graph


def variable_store() -> VariableStore:
    """The store of the default graph."""
    found = root_graph().get_collection_ref(_STORE_KEY)
    if not found:
        found.append(VariableStore())
    return found[0]


class VariableStore:
    """Variables by their full names. Variables that were made otherwise are not in it."""

    def __init__(self) -> None:
        self._vars: dict[str, Any] = {}
        self._partitioned_vars: dict[str, PartitionedVariable] = {}

    def get_variable(
        self,
        name: str,
        shape: Any = None,
        dtype: Any = dtypes.float32,
        initializer: Any = None,
        regularizer: Any = None,
        reuse: Any = None,
        trainable: bool | None = None,
        collections: Sequence[Any] | None = None,
        caching_device: Any = None,
        partitioner: Any = None,
        validate_shape: bool = True,
        use_resource: bool | None = None,
        custom_getter: Callable[..., Any] | None = None,
        constraint: Any = None,
        synchronization: Any = None,
        aggregation: Any = None,
    ) -> Any:
        """Finds or makes the variable of this full name. Arguments as `tf.get_variable`."""
        if custom_getter is not None and not callable(custom_getter):
            raise ValueError(f"Passed a custom_getter which is not callable: {custom_getter}")
        arguments: dict[str, Any] = {
            "name": name,
            "shape": shape,
            "dtype": dtype,
            "initializer": initializer,
            "regularizer": regularizer,
            "reuse": reuse,
            "trainable": trainable,
            "collections": collections,
            "caching_device": caching_device,
            "partitioner": partitioner,
            "validate_shape": validate_shape,
            "use_resource": use_resource,
            "synchronization": synchronization,
            "aggregation": aggregation,
        }
        if custom_getter is None:
            return self._get(constraint=constraint, **arguments)
        if constraint is not None or _takes(custom_getter, "constraint"):
            arguments["constraint"] = constraint
        return custom_getter(getter=self._get, **arguments)

    def _get(
        self,
        name: str,
        shape: Any = None,
        dtype: Any = dtypes.float32,
        initializer: Any = None,
        partitioner: Any = None,
        reuse: Any = None,
        **how: Any,
    ) -> Any:
        scalar = isinstance(shape, Sequence) and not shape
        if partitioner is not None and not scalar:
            if not callable(partitioner):
                raise ValueError(f"Partitioner must be callable, but received: {partitioner}")
            with name_scope(None):
                return self._partitioned(name, partitioner, shape, dtype, initializer, reuse, **how)
        if reuse is True and partitioner is None and name in self._partitioned_vars:
            return self._partitioned(name, None, shape, dtype, initializer, reuse, **how)
        if f"{name}/part_0" in self._vars:
            raise ValueError(
                f"No partitioner was provided, but a partitioned version of the variable was found: {name}/part_0. "
                "Perhaps a variable of the same name was already created with partitioning?"
            )
        return self._single(name, shape, dtype, initializer, reuse, **how)

    # One variable.

    def _single(
        self,
        name: str,
        shape: Any,
        dtype: Any,
        initializer: Any,
        reuse: Any,
        regularizer: Any = None,
        partition_info: PartitionInfo | None = None,
        trainable: bool | None = None,
        collections: Any = None,
        caching_device: Any = None,
        validate_shape: bool = True,
        use_resource: bool | None = None,
        constraint: Any = None,
        synchronization: Any = None,
        aggregation: Any = None,
    ) -> Any:
        if shape is not None and initializer is not None and not callable(initializer):
            raise ValueError("If initializer is a constant, do not specify shape.")
        kind = None if dtype is None else dtypes.as_dtype(dtype)
        wanted = TensorShape(shape)
        if name in self._vars:
            return self._found(name, wanted, kind, reuse)
        if reuse is True:
            raise ValueError(
                f"Variable {name} does not exist, or was not created with tf.get_variable(). Did you mean to set "
                "reuse=tf.AUTO_REUSE in VarScope?"
            )
        if initializer is None:
            if shape is None:
                raise ValueError(
                    f"Variable {name} did not get an initializer, so its `shape` argument must be specified."
                )
            initializer = default_initializer(name, kind or dtypes.float32)
        with lifted():
            value, variable_dtype, variable_shape = _initial_value(initializer, wanted, kind, partition_info)
            variable = Variable(
                initial_value=value,
                name=name,
                trainable=trainable,
                collections=collections,
                caching_device=caching_device,
                dtype=variable_dtype,
                validate_shape=validate_shape,
                constraint=constraint,
                use_resource=resource_variables_enabled() if use_resource is None else use_resource,
                synchronization=synchronization,
                aggregation=aggregation,
                shape=variable_shape,
            )
        self._vars[name] = variable
        if regularizer is not None:
            _regularize(name, variable, regularizer)
        return variable

    def _found(self, name: str, shape: TensorShape, dtype: DType | None, reuse: Any) -> Any:
        variable = self._vars[name]
        if reuse is False:
            where = "".join(traceback.format_list(list(reversed(variable.op.traceback))[:3]))
            raise ValueError(
                f"Variable {name} already exists, disallowed. Did you mean to set reuse=True or reuse=tf.AUTO_REUSE in "
                f"VarScope? Originally defined at:\n\n{where}"
            )
        if not shape.is_compatible_with(variable.get_shape()):
            raise ValueError(
                f"Trying to share variable {name}, but specified shape {shape} and found shape {variable.get_shape()}."
            )
        if dtype is not None and not dtype.is_compatible_with(variable.dtype):
            raise ValueError(
                f"Trying to share variable {name}, but specified dtype {dtype.name} and found dtype "
                f"{variable.dtype.name}."
            )
        return variable

    # A variable in parts.

    def _partitioned(
        self,
        name: str,
        partitioner: Any,
        shape: Any,
        dtype: Any,
        initializer: Any,
        reuse: Any,
        **how: Any,
    ) -> PartitionedVariable:
        if name in self._vars:
            raise ValueError(
                f"A partitioner was provided, but an unpartitioned version of the variable was found: {name}.  "
                "Perhaps a variable of the same name was already created without partitioning?"
            )
        whole = TensorShape(shape)
        from_value = initializer is not None and not callable(initializer)
        if from_value and hasattr(initializer, "get_shape"):
            whole = whole.merge_with(initializer.get_shape())
        kind = dtypes.as_dtype(dtype or dtypes.float32)
        partitions = partitions_of(partitioner, whole, kind) if not reuse or partitioner else None
        if name in self._partitioned_vars:
            return self._found_partitioned(name, whole, kind, partitions, reuse)
        if reuse is True:
            raise ValueError(
                f"PartitionedVariable {name} does not exist, or was not created with tf.get_variable(). Did you mean "
                "to set reuse=False or reuse=tf.AUTO_REUSE in VarScope?"
            )
        assert partitions is not None
        sizes = [size for size in whole.raw or () if size is not None]
        parts = []
        for index, (offset, part_shape) in enumerate(parts_of(sizes, partitions)):
            info = PartitionInfo(sizes, offset)
            part_name = f"{name}/part_{index}"
            with name_scope(part_name + "/PartitionedInitializer"):
                part_initializer = _part(initializer, offset, part_shape, kind) if from_value else initializer
            with name_scope(None):
                variable = self._single(
                    part_name,
                    None if from_value else part_shape,
                    part_initializer.dtype.base_dtype if from_value else kind,
                    part_initializer,
                    reuse,
                    partition_info=info,
                    **how,
                )
            variable._set_save_slice_info(SaveSliceInfo(name, sizes, offset, part_shape))
            parts.append(variable)
        found = PartitionedVariable(name, whole, parts[0].dtype.base_dtype, parts, partitions)
        self._partitioned_vars[name] = found
        return found

    def _found_partitioned(
        self, name: str, shape: TensorShape, dtype: DType, partitions: list[int] | None, reuse: Any
    ) -> PartitionedVariable:
        if reuse is False:
            raise ValueError(
                f"Partitioned variable with name {name} already exists. Did you mean to set reuse=True or "
                "reuse=tf.AUTO_REUSE in VarScope?"
            )
        found = self._partitioned_vars[name]
        for what, said, has, fits in (
            ("shape", shape, found.shape, shape.is_compatible_with(found.shape)),
            ("dtype", dtype.name, found.dtype.name, dtype.is_compatible_with(found.dtype)),
            ("partitions", partitions, found._get_partitions(), partitions in (None, found._get_partitions())),
        ):
            if not fits:
                raise ValueError(
                    f"Trying to reuse partitioned variable {name}, but specified {what} {said} and found {what} {has}."
                )
        return found


def _part(initializer: Any, offset: list[int], shape: list[int], dtype: DType) -> Tensor:
    from runstep.graph.convert import convert_to_tensor
    from runstep.ops.slicing import slice as slice_op

    value = initializer if isinstance(initializer, Tensor) else convert_to_tensor(initializer, dtype)
    return slice_op(value, offset, shape)


def _initial_value(
    initializer: Any, shape: TensorShape, dtype: DType | None, partition_info: PartitionInfo | None
) -> tuple[Any, DType | None, TensorShape | None]:
    """What `Variable` takes as initial value, dtype and shape."""
    if not callable(initializer):
        return initializer, None, None
    if inspect.isclass(initializer):
        initializer = initializer()
    if shape.is_fully_defined():
        more = {"partition_info": partition_info} if _names(initializer, "partition_info") else {}
        sizes = [size for size in shape.raw or () if size is not None]
        kind = None if dtype is None else dtype.base_dtype
        return functools.partial(initializer, sizes, dtype=dtype, **more), kind, shape
    if not _required(initializer):
        return initializer, None, None
    raise ValueError(_INVALID)


def default_initializer(name: str, dtype: DType) -> Callable[..., Any]:
    """How a variable starts when nothing is said: glorot_uniform for floats; zeros for integers, booleans and strings.

    Raises:
      ValueError: there is no default for this dtype.
    """
    from runstep.variables.initializers import glorot_uniform_initializer, zeros_initializer

    if dtype.is_floating:
        return glorot_uniform_initializer()
    if dtype.is_integer or dtype.is_unsigned or dtype.is_bool or dtype.base_dtype is dtypes.string:
        return zeros_initializer()
    raise ValueError(f"An initializer for variable {name} of {dtype.name} is required")


def _regularize(name: str, variable: Any, regularizer: Callable[[Any], Any]) -> None:
    # Called twice, as TensorFlow does: first to see whether there is a loss at all. The nodes of both count for names
    # and seeds.
    if regularizer(variable) is None:
        return
    graph = variable.graph
    with graph.colocate_with(variable.op), graph.name_scope(f"{name}/Regularizer/"):
        loss = regularizer(variable)
    graph.add_to_collection(GraphKeys.REGULARIZATION_LOSSES, loss)


def _parameters(function: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    try:
        return dict(inspect.signature(function).parameters)
    except (TypeError, ValueError):
        return {}


def _names(function: Callable[..., Any], parameter: str) -> bool:
    found = _parameters(function).get(parameter)
    return found is not None and found.kind not in (found.VAR_KEYWORD, found.VAR_POSITIONAL)


def _takes(function: Callable[..., Any], parameter: str) -> bool:
    return _names(function, parameter) or any(p.kind is p.VAR_KEYWORD for p in _parameters(function).values())


def _required(function: Callable[..., Any]) -> bool:
    return any(
        p.default is p.empty and p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL) for p in _parameters(function).values()
    )
