"""`variable_scope` and `get_variable`: variables that several parts of a program share by name."""

from __future__ import annotations

import contextlib
import enum
import functools
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from runstep.graph import dtypes
from runstep.graph.collections import GraphKeys
from runstep.graph.convert import convert_to_tensor
from runstep.graph.graph import get_default_graph, graph_of, name_scope
from runstep.variables.facts import VariableAggregation, VariableSynchronization
from runstep.variables.store import VariableStore, root_graph, variable_store

__all__ = [
    "AUTO_REUSE",
    "VariableScope",
    "get_local_variable",
    "get_variable",
    "get_variable_scope",
    "no_regularizer",
    "variable_op_scope",
    "variable_scope",
]


class _ReuseMode(enum.Enum):
    AUTO_REUSE = 1


AUTO_REUSE = _ReuseMode.AUTO_REUSE
"""As `reuse`: variables are found where they exist, and made where they don't."""

_SCOPES_KEY = ("__varscope",)


def no_regularizer(_: Any) -> None:
    """As `regularizer`: none, where the scope has one (source: tf.no_regularizer)."""
    return None


class VariableScope:
    """A prefix of variable names, with defaults for what `get_variable` takes (source: tf.VariableScope).

    Attributes:
      name: the prefix, without a "/" at the end. original_name_scope: the name scope that was opened with it.
      reuse: False to make variables, True to find them, AUTO_REUSE for either.
      initializer, regularizer, caching_device, partitioner, custom_getter, dtype, use_resource, constraint: the
        defaults.
    """

    def __init__(
        self,
        reuse: Any,
        name: str = "",
        initializer: Any = None,
        regularizer: Any = None,
        caching_device: Any = None,
        partitioner: Any = None,
        custom_getter: Any = None,
        name_scope: str = "",
        dtype: Any = dtypes.float32,
        use_resource: bool | None = None,
        constraint: Any = None,
    ) -> None:
        self._name = name
        self._initializer = initializer
        self._regularizer = regularizer
        self._reuse = reuse
        self._caching_device = caching_device
        self._partitioner = partitioner
        self._custom_getter = custom_getter
        self._name_scope = name_scope
        self._dtype = dtype
        self._use_resource = use_resource
        self._constraint = constraint

    @property
    def name(self) -> str:
        return self._name

    @property
    def original_name_scope(self) -> str:
        return self._name_scope

    @property
    def reuse(self) -> Any:
        return self._reuse

    @property
    def initializer(self) -> Any:
        return self._initializer

    @property
    def dtype(self) -> Any:
        return self._dtype

    @property
    def use_resource(self) -> bool | None:
        return self._use_resource

    @property
    def regularizer(self) -> Any:
        return self._regularizer

    @property
    def caching_device(self) -> Any:
        return self._caching_device

    @property
    def partitioner(self) -> Any:
        return self._partitioner

    @property
    def custom_getter(self) -> Any:
        return self._custom_getter

    @property
    def constraint(self) -> Any:
        return self._constraint

    def reuse_variables(self) -> None:
        """From here on variables of this scope are found, not made."""
        self._reuse = True

    def set_initializer(self, initializer: Any) -> None:
        self._initializer = initializer

    def set_dtype(self, dtype: Any) -> None:
        self._dtype = dtype

    def set_use_resource(self, use_resource: bool) -> None:
        self._use_resource = use_resource

    def set_regularizer(self, regularizer: Any) -> None:
        self._regularizer = regularizer

    def set_caching_device(self, caching_device: Any) -> None:
        self._caching_device = caching_device

    def set_partitioner(self, partitioner: Any) -> None:
        self._partitioner = partitioner

    def set_custom_getter(self, custom_getter: Any) -> None:
        self._custom_getter = custom_getter

    def get_collection(self, name: Any) -> list[Any]:
        """The values of a graph collection whose names begin with this scope's."""
        return get_default_graph().get_collection(name, self._name + "/" if self._name else "")

    def trainable_variables(self) -> list[Any]:
        return self.get_collection(GraphKeys.TRAINABLE_VARIABLES)

    def global_variables(self) -> list[Any]:
        return self.get_collection(GraphKeys.GLOBAL_VARIABLES)

    def local_variables(self) -> list[Any]:
        return self.get_collection(GraphKeys.LOCAL_VARIABLES)

    def get_variable(
        self,
        var_store: VariableStore,
        name: str | None,
        shape: Any = None,
        dtype: Any = None,
        initializer: Any = None,
        regularizer: Any = None,
        reuse: Any = None,
        trainable: bool | None = None,
        collections: Sequence[Any] | None = None,
        caching_device: Any = None,
        partitioner: Any = None,
        validate_shape: bool = True,
        use_resource: bool | None = None,
        custom_getter: Any = None,
        constraint: Any = None,
        synchronization: Any = VariableSynchronization.AUTO,
        aggregation: Any = VariableAggregation.NONE,
    ) -> Any:
        """Finds or makes the variable `name` of this scope in a store. Arguments as `tf.get_variable`."""
        if self._name:
            name = f"{self._name}/{name}" if name is not None else self._name
        # Variables are named by the variable scope alone.
        with name_scope(None):
            if dtype is not None and initializer is not None and not callable(initializer):
                found = convert_to_tensor(initializer).dtype.base_dtype
                if found is not dtypes.as_dtype(dtype).base_dtype:
                    raise ValueError(
                        f"Initializer type '{found!r}' and explicit dtype '{dtypes.as_dtype(dtype)!r}' don't match."
                    )
            if trainable is None:
                trainable = synchronization is not VariableSynchronization.ON_READ
            return var_store.get_variable(
                name,  # type: ignore[arg-type]
                shape=shape,
                dtype=self._dtype if dtype is None else dtype,
                initializer=self._initializer if initializer is None else initializer,
                regularizer=self._regularizer if regularizer is None else regularizer,
                reuse=self._reuse if reuse is None else reuse,
                trainable=trainable,
                collections=collections,
                caching_device=self._caching_device if caching_device is None else caching_device,
                partitioner=self._partitioner if partitioner is None else partitioner,
                validate_shape=validate_shape,
                use_resource=self._use_resource if use_resource is None else use_resource,
                custom_getter=self._custom_getter if custom_getter is None else custom_getter,
                constraint=self._constraint if constraint is None else constraint,
                synchronization=synchronization,
                aggregation=aggregation,
            )


class _Scopes(threading.local):
    """Where a thread stands: its variable scope, and how often each scope was entered, for default names."""

    def __init__(self) -> None:
        self.current = VariableScope(False)
        self.counts: dict[str, int] = {}

    def opened(self, name: str) -> None:
        self.counts[name] = self.counts.get(name, 0) + 1

    def forget_inside(self, name: str) -> None:
        for key in self.counts:
            if not name or key.startswith(name + "/"):
                self.counts[key] = 0

    def unique(self, default_name: str) -> str:
        outside = self.current.name
        prefix = f"{outside}/" if outside else ""
        found, number = default_name, 0
        while self.counts.get(prefix + found, 0):
            number += 1
            found = f"{default_name}_{number}"
        return found


def _scopes() -> _Scopes:
    found = root_graph().get_collection_ref(_SCOPES_KEY)
    if not found:
        found.append(_Scopes())
    return found[0]


def get_variable_scope() -> VariableScope:
    """The current variable scope (source: tf.get_variable_scope)."""
    return _scopes().current


def get_variable(
    name: str,
    shape: Any = None,
    dtype: Any = None,
    initializer: Any = None,
    regularizer: Callable[[Any], Any] | None = None,
    trainable: bool | None = None,
    collections: Sequence[Any] | None = None,
    caching_device: Any = None,
    partitioner: Any = None,
    validate_shape: bool = True,
    use_resource: bool | None = None,
    custom_getter: Callable[..., Any] | None = None,
    constraint: Callable[[Any], Any] | None = None,
    synchronization: Any = VariableSynchronization.AUTO,
    aggregation: Any = VariableAggregation.NONE,
) -> Any:
    """Finds or makes a variable, by the current variable scope's `reuse` (source: tf.get_variable).

    Args:
      name: within the current variable scope.
      shape: needed to make a variable from an initializer function.
      dtype: the scope's by default, which is float32.
      initializer: a function of (shape, dtype), a function of no arguments, or a value; the scope's by default, then
        `glorot_uniform_initializer`.
      regularizer: a function from the variable to a loss, which goes to `GraphKeys.REGULARIZATION_LOSSES`.
      partitioner: see `fixed_size_partitioner`; the result is then a `PartitionedVariable`.
      custom_getter: `f(getter, name, **kwargs)` returns the variable.

    Raises:
      ValueError: the variable exists but may not be reused, or must be reused but does not exist, or the found one has
        another shape or dtype.
    """
    return get_variable_scope().get_variable(
        variable_store(),
        name,
        shape=shape,
        dtype=dtype,
        initializer=initializer,
        regularizer=regularizer,
        trainable=trainable,
        collections=collections,
        caching_device=caching_device,
        partitioner=partitioner,
        validate_shape=validate_shape,
        use_resource=use_resource,
        custom_getter=custom_getter,
        constraint=constraint,
        synchronization=synchronization,
        aggregation=aggregation,
    )


def get_local_variable(
    name: str,
    shape: Any = None,
    dtype: Any = None,
    initializer: Any = None,
    regularizer: Callable[[Any], Any] | None = None,
    trainable: bool | None = False,
    collections: Sequence[Any] | None = None,
    caching_device: Any = None,
    partitioner: Any = None,
    validate_shape: bool = True,
    use_resource: bool | None = None,
    custom_getter: Callable[..., Any] | None = None,
    constraint: Callable[[Any], Any] | None = None,
    synchronization: Any = VariableSynchronization.AUTO,
    aggregation: Any = VariableAggregation.NONE,
) -> Any:
    """As `get_variable`, for a variable that is neither trained nor saved (source: tf.get_local_variable)."""
    return get_variable(
        name,
        shape,
        dtype,
        initializer,
        regularizer,
        False,
        [*(collections or ()), GraphKeys.LOCAL_VARIABLES],
        caching_device,
        partitioner,
        validate_shape,
        use_resource,
        custom_getter,
        constraint,
        synchronization,
        aggregation,
    )


class variable_scope:  # noqa: N801 - TensorFlow's name
    """Opens a variable scope, and a name scope of the same name (source: tf.variable_scope).

        with tf.variable_scope("layer", reuse=tf.AUTO_REUSE):
            w = tf.get_variable("w", [3])   # "layer/w"

    Args:
      name_or_scope: a name within the current scope, or a `VariableScope` to re-enter. None takes `default_name`, made
        unique.
      values: tensors whose graph becomes the default graph.
      reuse: True or AUTO_REUSE; None and False keep what the scope around it says.
      auxiliary_name_scope: False opens no name scope.
      initializer ... constraint: defaults for `get_variable` inside; None keeps those of the scope around it.

    Raises:
      TypeError: neither a name nor a default name. ValueError: a bad `reuse`.
    """

    def __init__(
        self,
        name_or_scope: Any,
        default_name: str | None = None,
        values: Any = None,
        initializer: Any = None,
        regularizer: Any = None,
        caching_device: Any = None,
        partitioner: Any = None,
        custom_getter: Any = None,
        reuse: Any = None,
        dtype: Any = None,
        use_resource: bool | None = None,
        constraint: Any = None,
        auxiliary_name_scope: bool = True,
    ) -> None:
        if default_name is None and name_or_scope is None:
            raise TypeError("If default_name is None then name_or_scope is required")
        if name_or_scope is not None and not isinstance(name_or_scope, str | VariableScope):
            raise TypeError("VariableScope: name_or_scope must be a string or VariableScope.")
        if reuse is False:
            reuse = None  # it cannot be taken back inside of a scope that reuses
        if not (reuse is True or reuse is None or reuse is AUTO_REUSE):
            raise ValueError("The reuse parameter must be True or False or None.")
        if name_or_scope is None and reuse is True:
            raise ValueError("reuse=True cannot be used without a name_or_scope")
        if not isinstance(auxiliary_name_scope, bool):
            raise TypeError(f"The auxiliary_name_scope must be `True` or `False`, while get {auxiliary_name_scope}")
        self._name_or_scope = name_or_scope
        self._default_name = default_name
        self._values = values or []
        self._reuse = reuse
        self._constraint = constraint
        self._custom_getter = custom_getter
        self._given = {
            "initializer": initializer,
            "regularizer": regularizer,
            "caching_device": caching_device,
            "partitioner": partitioner,
            "dtype": dtype,
            "use_resource": use_resource,
        }
        self._auxiliary_name_scope = auxiliary_name_scope

    def __enter__(self) -> VariableScope:
        self._stack = contextlib.ExitStack()
        graph = graph_of(self._values) if self._values else get_default_graph()
        if graph is not get_default_graph():
            self._stack.enter_context(graph.as_default())
        try:
            return self._stack.enter_context(self._entered())
        except BaseException:
            self._stack.close()
            raise

    def __exit__(self, *exc: Any) -> None:
        self._stack.__exit__(*exc)

    @contextlib.contextmanager
    def _entered(self) -> Iterator[VariableScope]:
        scopes = _scopes()
        before = scopes.current
        target = self._name_or_scope
        if target is None:
            target = scopes.unique(self._default_name)  # type: ignore[arg-type]
            opened = self._default_name
        else:
            opened = target if isinstance(target, str) else target.name.rsplit("/", 1)[-1]
        with contextlib.ExitStack() as stack:
            if self._auxiliary_name_scope and opened:
                inside = stack.enter_context(name_scope(opened))
            else:
                outer = get_default_graph().get_name_scope()
                inside = outer + "/" if outer else ""
            if isinstance(target, VariableScope):
                scope = self._scope(target, target.name, target.original_name_scope)
            else:
                scope = self._scope(before, f"{before.name}/{target}" if before.name else target, inside)
            counts = dict(scopes.counts)
            scopes.opened(scope.name)
            scopes.current = scope
            try:
                yield scope
            finally:
                scopes.forget_inside(scope.name)
                if isinstance(target, VariableScope):
                    scopes.counts = counts
                scopes.current = before

    def _scope(self, like: VariableScope, name: str, scope_name: str) -> VariableScope:
        defaults = {key: getattr(like, key) if value is None else value for key, value in self._given.items()}
        getter = like.custom_getter
        if self._custom_getter is not None:
            getter = _nested(self._custom_getter, getter)
        return VariableScope(
            self._reuse or like.reuse,
            name=name,
            custom_getter=getter,
            name_scope=scope_name,
            constraint=self._constraint,
            **defaults,
        )


def _nested(inner: Callable[..., Any], outer: Callable[..., Any] | None) -> Callable[..., Any]:
    """Inside of a scope with a custom getter, the getter that an inner one is given is the outer one."""
    if outer is None:
        return inner

    def nested(getter: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        return inner(functools.partial(outer, getter), *args, **kwargs)

    return nested


@contextlib.contextmanager
def variable_op_scope(
    values: Any,
    name_or_scope: Any,
    default_name: str | None = None,
    initializer: Any = None,
    regularizer: Any = None,
    caching_device: Any = None,
    partitioner: Any = None,
    custom_getter: Any = None,
    reuse: Any = None,
    dtype: Any = None,
    use_resource: bool | None = None,
    constraint: Any = None,
) -> Iterator[VariableScope]:
    """The old form of `variable_scope` (source: tf.variable_op_scope)."""
    with variable_scope(
        name_or_scope,
        default_name,
        values,
        initializer,
        regularizer,
        caching_device,
        partitioner,
        custom_getter,
        reuse,
        dtype,
        use_resource,
        constraint,
    ) as scope:
        yield scope
