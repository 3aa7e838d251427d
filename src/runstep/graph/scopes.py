"""The scopes and collections of the default graph, as functions (source: tf.device, tf.control_dependencies ...)."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from runstep.graph.graph import get_default_graph, graph_of


def device(device_name_or_function: Any) -> contextlib.AbstractContextManager[None]:
    """See `Graph.device`."""
    return get_default_graph().device(device_name_or_function)


def control_dependencies(control_inputs: Any) -> contextlib.AbstractContextManager[None]:
    """See `Graph.control_dependencies`."""
    return get_default_graph().control_dependencies(control_inputs)


def colocate_with(op: Any, ignore_existing: bool = False) -> contextlib.AbstractContextManager[None]:
    """See `Graph.colocate_with`."""
    return get_default_graph().colocate_with(op, ignore_existing)


def container(container_name: str) -> contextlib.AbstractContextManager[str]:
    """See `Graph.container`."""
    return get_default_graph().container(container_name)


def add_to_collection(name: Any, value: Any) -> None:
    """See `Graph.add_to_collection`."""
    get_default_graph().add_to_collection(name, value)


def add_to_collections(names: Any, value: Any) -> None:
    """See `Graph.add_to_collections`."""
    get_default_graph().add_to_collections(names, value)


def get_collection(key: Any, scope: str | None = None) -> list[Any]:
    """See `Graph.get_collection`."""
    return get_default_graph().get_collection(key, scope)


def get_collection_ref(key: Any) -> list[Any]:
    """See `Graph.get_collection_ref`."""
    return get_default_graph().get_collection_ref(key)


@contextlib.contextmanager
def op_scope(values: Any, name: str | None, default_name: str | None = None) -> Iterator[str]:
    """A name scope in the graph of `values` (source: tf.op_scope, deprecated in favour of name_scope)."""
    graph = graph_of(values)
    with graph.as_default(), graph.name_scope(name or default_name) as scope:
        yield scope


@contextlib.contextmanager
def init_scope() -> Iterator[None]:
    """What is made inside is made outside of functions, branches and loops, and waits for nothing (source:
    tf.init_scope)."""
    from runstep.graph.functions import FunctionGraph

    graph = inner = get_default_graph()
    device = inner._scope
    while isinstance(graph, FunctionGraph) and graph.outer is not None:
        graph = graph.outer
        if not device.device and not device.device_functions:
            device = graph._scope
    scope = inner.get_name_scope()
    with (
        graph.as_default(),
        graph.name_scope(f"{scope}/" if scope else ""),
        graph.control_dependencies(None),
        graph._in(device=device.device, device_functions=device.device_functions),
    ):
        yield
