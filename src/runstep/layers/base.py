"""The base of layers: when variables are made, under which names, and which losses and updates belong to them."""

from __future__ import annotations

import copy
import re
import weakref
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from runstep.graph import dtypes, nest
from runstep.graph.collections import GraphKeys
from runstep.graph.convert import convert_to_tensor
from runstep.graph.dtypes import DType
from runstep.graph.graph import Graph, get_default_graph, name_scope
from runstep.graph.tensor import Tensor
from runstep.layers.input_spec import InputSpec, check_inputs
from runstep.variables.facts import VariableAggregation, VariableSynchronization
from runstep.variables.initializers import glorot_uniform_initializer, zeros_initializer
from runstep.variables.partition import PartitionedVariable
from runstep.variables.scope import VariableScope, get_variable, get_variable_scope, variable_scope
from runstep.variables.variable import Variable

_counts: weakref.WeakKeyDictionary[Graph, dict[str, int]] = weakref.WeakKeyDictionary()


def _snake_case(name: str) -> str:
    """ "BatchNormalization" -> "batch_normalization", "Conv2DTranspose" -> "conv2d_transpose"."""
    spread = re.sub(r"(.)([A-Z][a-z0-9]+)", r"\1_\2", name)
    snake = re.sub(r"([a-z])([A-Z])", r"\1_\2", spread).lower()
    return f"private{snake}" if snake.startswith("_") else snake


def _unique(base: str) -> str:
    counts = _counts.setdefault(get_default_graph(), {})
    counts[base] = counts.get(base, 0) + 1
    return f"{base}_{counts[base]}"


class Layer:
    """The base of all layers (source: tf.layers.Layer).

    A subclass makes its variables in `build(input_shape)` with `add_weight`, and computes in `call(inputs)`. A layer is
    called as a function; the first call builds it. Its variables and operations are named after its scope: the name it
    was given, or its class's in snake case, made unique in the variable scope of the first call.

    Args:
      trainable: whether its variables are trained. name: of its variable scope. dtype: of its variables; that of the
        first input by default.

    Attributes:
      built, trainable, name, dtype, input_spec, weights, variables, trainable_weights, trainable_variables,
      non_trainable_weights, non_trainable_variables, losses, updates, graph, scope_name.
    """

    def __init__(self, trainable: bool = True, name: Any = None, dtype: Any = None, **kwargs: Any) -> None:
        scope = kwargs.pop("_scope", None)
        self._reuse = kwargs.pop("_reuse", None)
        self._activity_regularizer = kwargs.pop("activity_regularizer", None)
        for unknown in kwargs:
            raise TypeError(("Keyword argument not understood:", unknown))
        self._base_name = name.name if isinstance(name, VariableScope) else name or _snake_case(type(self).__name__)
        self._name = name if name and not isinstance(name, VariableScope) else _unique(_snake_case(type(self).__name__))
        self._dtype = None if dtype is None else dtypes.as_dtype(dtype).name
        self.trainable = trainable
        self.built = False
        self.input_spec: Any = None
        self._trainable_weights: list[Any] = []
        self._non_trainable_weights: list[Any] = []
        self._weights_by_name: dict[str, Any] = {}
        self._losses: list[tuple[Any, bool]] = []  # with whether it depends on the inputs
        self._updates: list[tuple[Any, bool]] = []
        self._graph: Graph | None = None
        self._scope: VariableScope | None = None
        self._current_scope: VariableScope | None = None
        if scope:
            with variable_scope(scope) as captured:
                self._scope = captured

    # What it is called and belongs to.

    @property
    def name(self) -> str:
        return self._name

    @property
    def dtype(self) -> str | None:
        return self._dtype

    @property
    def graph(self) -> Graph | None:
        return self._graph

    @property
    def activity_regularizer(self) -> Any:
        return self._activity_regularizer

    @property
    def scope_name(self) -> str:
        """The name of its variable scope.

        Raises:
          ValueError: it has not been called yet.
        """
        if self._scope is None:
            raise ValueError(
                f'No name available for layer scope because the layer "{self._name}" has not been used yet. The scope '
                "name  is determined the first time the layer instance is called. You must therefore call the layer "
                "before querying `scope_name`."
            )
        return self._scope.name

    def _set_scope(self, scope: Any = None) -> None:
        if self._scope is None:
            default = None if self._reuse else self._base_name
            target = self._base_name if scope is None and self._reuse else scope
            with variable_scope(target, default_name=default) as captured:
                self._scope = captured

    def _name_scope(self) -> str:
        """The name scope of its operations."""
        assert self._current_scope is not None
        return self._current_scope.original_name_scope

    # Variables.

    def add_weight(
        self,
        name: str,
        shape: Any,
        dtype: Any = None,
        initializer: Any = None,
        regularizer: Callable[[Any], Any] | None = None,
        trainable: bool | None = None,
        constraint: Callable[[Any], Any] | None = None,
        use_resource: bool | None = None,
        synchronization: Any = VariableSynchronization.AUTO,
        aggregation: Any = VariableAggregation.NONE,
        partitioner: Any = None,
        **kwargs: Any,
    ) -> Any:
        """Makes or finds a variable in the layer's scope, as `tf.get_variable` does.

        Args:
          initializer: the variable scope's by default, then glorot_uniform for floats and zeros for others.
          regularizer: its loss goes to `losses` and `GraphKeys.REGULARIZATION_LOSSES`, once a variable.

        Raises:
          ValueError: no default initializer for this dtype; trainable and read only when told (`ON_READ`).
        """
        for unknown in kwargs:
            if unknown not in ("getter", "collections", "experimental_autocast", "caching_device"):
                raise TypeError("Unknown keyword argument:", unknown)
        if synchronization is VariableSynchronization.ON_READ:
            if trainable:
                raise ValueError(
                    "Synchronization value can be set to VariableSynchronization.ON_READ only for non-trainable "
                    "variables. You have specified trainable=True and synchronization=VariableSynchronization.ON_READ."
                )
            trainable = False
        elif trainable is None:
            trainable = True
        kind = dtypes.as_dtype(dtype or self._dtype or dtypes.float32)
        self._set_scope()
        with variable_scope(self._scope, reuse=self.built or self._reuse, auxiliary_name_scope=False) as scope:
            self._current_scope = scope
            with name_scope(self._name_scope()):
                before = _globals() if regularizer is not None else 0
                variable = get_variable(
                    name,
                    shape=() if shape is None else shape,
                    dtype=kind,
                    initializer=_initializer(initializer or scope.initializer, name, kind),
                    trainable=trainable and self.trainable,
                    collections=kwargs.get("collections"),
                    caching_device=kwargs.get("caching_device"),
                    partitioner=partitioner,
                    use_resource=use_resource or scope.use_resource,
                    constraint=constraint,
                    synchronization=synchronization,
                    aggregation=aggregation,
                )
                if regularizer is not None:
                    for part in variable if isinstance(variable, PartitionedVariable) else [variable]:
                        if not _made_before(part, before):
                            with name_scope(f"{name}/Regularizer"):
                                loss = regularizer(part)
                            self.add_loss(loss)
        self._weights_by_name[name] = variable
        kept = self._trainable_weights if trainable else self._non_trainable_weights
        kept.extend(part for part in _parts(variable) if not any(part is held for held in kept))
        return variable

    add_variable = add_weight

    def _held(self) -> dict[str, Any]:
        """What a checkpoint of objects knows it by: its variables, and layers and variables among its attributes."""
        found = dict(self._weights_by_name)
        own = (*_LISTS, *found)
        for key, value in vars(self).items():
            if key not in own and not any(value is held for held in found.values()):
                if any(True for _ in _layers_and_variables(value)):
                    found[key] = value
        return found

    def _members(self) -> Iterator[Any]:
        """Layers and variables among the attributes, also inside of lists and dicts."""
        for key, value in vars(self).items():
            if key not in _LISTS:
                yield from _layers_and_variables(value)

    def _gathered(self, trainable: bool) -> list[Any]:
        own = list(self._trainable_weights if trainable else self._non_trainable_weights)
        added = [*self._trainable_weights, *self._non_trainable_weights]
        for member in self._members():
            if isinstance(member, Layer):
                own += member._gathered(trainable)
            elif not any(member is held for held in added) and bool(member.trainable) is trainable:
                own.append(member)
        return _distinct(own)

    @property
    def trainable_weights(self) -> list[Any]:
        """Variables that are trained: none where `trainable` is False."""
        return self._gathered(True) if self.trainable else []

    @property
    def non_trainable_weights(self) -> list[Any]:
        """Variables that are not trained: all where `trainable` is False."""
        rest = self._gathered(False)
        return rest if self.trainable else _distinct([*self._gathered(True), *rest])

    @property
    def weights(self) -> list[Any]:
        return [*self.trainable_weights, *self.non_trainable_weights]

    @property
    def variables(self) -> list[Any]:
        return self.weights

    @property
    def trainable_variables(self) -> list[Any]:
        return self.trainable_weights

    @property
    def non_trainable_variables(self) -> list[Any]:
        return self.non_trainable_weights

    def count_params(self) -> int:
        """The number of elements of its variables.

        Raises:
          ValueError: it is not built.
        """
        if not self.built:
            raise ValueError(
                f"You tried to call `count_params` on layer {self.name}, but the layer isn't built. You can build it "
                f"manually via: `{self.name}.build(batch_input_shape)`."
            )
        return int(sum(np.prod(weight.get_shape().as_list()) for weight in self.weights))

    # Losses and updates.

    def add_loss(self, losses: Any, inputs: Any = None) -> None:
        """Adds scalar losses, to `losses` and to `GraphKeys.REGULARIZATION_LOSSES`.

        Args:
          inputs: tensors that they depend on; None where they depend on variables alone.
        """
        _add(self._losses, losses, inputs is not None, GraphKeys.REGULARIZATION_LOSSES)

    def add_update(self, updates: Any) -> None:
        """Adds operations that a training step should run, to `updates` and to `GraphKeys.UPDATE_OPS`; nothing where
        `trainable` is False."""
        if not self.trainable:
            return
        found = updates if isinstance(updates, list | tuple) else [updates]
        operations = [getattr(update, "op", update) for update in found]
        _add(self._updates, operations, True, GraphKeys.UPDATE_OPS)

    @property
    def losses(self) -> list[Any]:
        inner = [loss for member in self._members() if isinstance(member, Layer) for loss in member.losses]
        return [loss for loss, _ in self._losses] + inner

    @property
    def updates(self) -> list[Any]:
        """Its updates; none where `trainable` is False."""
        if not self.trainable:
            return []
        inner = [update for member in self._members() if isinstance(member, Layer) for update in member.updates]
        return [update for update, _ in self._updates] + inner

    def get_losses_for(self, inputs: Any) -> list[Any]:
        """Those losses that depend on inputs, or with None those that don't."""
        return [loss for loss, conditional in self._losses if conditional is (inputs is not None)]

    def get_updates_for(self, inputs: Any) -> list[Any]:
        """Those updates that depend on inputs, or with None those that don't."""
        return [update for update, conditional in self._updates if conditional is (inputs is not None)]

    # Calls.

    def build(self, input_shape: Any) -> None:
        """Makes the variables. Subclasses override it, and set `built` or call this."""
        self.built = True

    def call(self, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        """Computes the outputs. Subclasses override it."""
        return inputs

    def __call__(self, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        """The outputs for `inputs`: a tensor, or a structure of them; arrays and numbers become constants.

        Args:
          args, kwargs: for `call`; `scope` is the variable scope of the first call.
        """
        inputs = nest.map_structure(_as_tensor, inputs)
        self._set_scope(kwargs.pop("scope", None))
        reuse = True if self.built else self._reuse
        with variable_scope(self._scope, reuse=reuse, auxiliary_name_scope=False) as scope:
            self._current_scope = scope
            with name_scope(self._name_scope()):
                check_inputs(self.input_spec, inputs, self.name)
                self._build_once(inputs)
                check_inputs(self.input_spec, inputs, self.name)
                outputs = self.call(inputs, *args, **kwargs)
                if outputs is None:
                    raise ValueError(
                        f"A layer's `call` method should return a Tensor or a list of Tensors, not None (layer: "
                        f"{self.name})."
                    )
                self._regularize_activity(inputs, outputs)
        return outputs

    def apply(self, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        """Another name of calling the layer."""
        return self(inputs, *args, **kwargs)

    def _build_once(self, inputs: Any) -> None:
        if self.built:
            return
        tensors = nest.flatten(inputs)
        if tensors:
            self._graph = tensors[0].graph
            if self._dtype is None:
                self._dtype = tensors[0].dtype.base_dtype.name
        self.build(nest.map_structure(lambda tensor: tensor.get_shape(), inputs))
        self.built = True

    def _regularize_activity(self, inputs: Any, outputs: Any) -> None:
        if self._activity_regularizer is None:
            return
        from runstep.ops.cast import cast
        from runstep.ops.shape_ops import shape

        with name_scope("ActivityRegularizer"):
            for output in nest.flatten(outputs):
                loss = self._activity_regularizer(output)
                self.add_loss(loss / cast(shape(output)[0], loss.dtype), inputs)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The shape of the outputs for inputs of this shape. Subclasses override it."""
        raise NotImplementedError(f"{type(self).__name__} does not say which shape its outputs have.")

    def __deepcopy__(self, memo: dict[int, Any]) -> Layer:
        new = type(self).__new__(type(self))
        memo[id(self)] = new
        for key, value in vars(self).items():
            shared = key in ("_graph", "_scope", "_current_scope") or callable(value)
            setattr(new, key, value if shared else copy.deepcopy(value, memo))
        return new


def _as_tensor(value: Any) -> Any:
    return convert_to_tensor(value) if isinstance(value, np.ndarray | np.generic | float | int) else value


def _initializer(initializer: Any, name: str, kind: DType) -> Any:
    if initializer is not None:
        return initializer
    if kind.is_floating:
        return glorot_uniform_initializer()
    if kind.is_integer or kind.is_unsigned or kind.is_bool:
        return zeros_initializer()
    raise ValueError(
        f"An initializer for variable {name} of type {kind.name} is required for layer {get_variable_scope().name}."
    )


def _globals() -> int:
    return len(get_default_graph().get_collection_ref(GraphKeys.GLOBAL_VARIABLES))


def _made_before(variable: Any, count: int) -> bool:
    """Whether a variable is among the first `count` of the graph: regularized when it was made."""
    return any(variable is made for made in get_default_graph().get_collection(GraphKeys.GLOBAL_VARIABLES)[:count])


def _parts(variable: Any) -> Sequence[Any]:
    return list(variable) if isinstance(variable, PartitionedVariable) else [variable]


def _add(kept: list[tuple[Any, bool]], values: Any, conditional: bool, collection: str) -> None:
    found = list(values) if isinstance(values, list | tuple) else [values]
    found = [value() if callable(value) else value for value in found]
    found = [value for value in found if value is not None]
    kept.extend((value, conditional) for value in found)
    graph = get_default_graph()
    for value in found:
        if not any(value is known for known in graph.get_collection_ref(collection)):
            graph.add_to_collection(collection, value)


_LISTS = ("_trainable_weights", "_non_trainable_weights", "_weights_by_name", "_losses", "_updates", "_scope")


def _layers_and_variables(value: Any) -> Iterator[Any]:
    if isinstance(value, Layer | Variable):
        yield value
    elif isinstance(value, PartitionedVariable):
        yield from value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _layers_and_variables(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _layers_and_variables(item)


def _distinct(values: list[Any]) -> list[Any]:
    return list({id(value): value for value in values}.values())


__all__ = ["InputSpec", "Layer", "Tensor"]
