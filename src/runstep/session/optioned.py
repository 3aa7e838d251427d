"""Callables from CallableOptions: positional arrays in, a list out, compiled once (S135)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from runstep import errors
from runstep.graph.dtypes import as_dtype
from runstep.graph.graph import Graph
from runstep.graph.operation import Operation
from runstep.graph.tensor import Tensor
from runstep.kernels.shared import invalid, type_text
from runstep.session import feeds
from runstep.session.failure import explained

if TYPE_CHECKING:
    from runstep.session.session import BaseSession


def from_options(session: BaseSession, callable_options: Any) -> Callable[..., list[Any]]:
    """A function of as many arrays as there are feeds; it takes the keyword `run_metadata` too.

    Args:
      callable_options: a CallableOptions message: feed, fetch, target, run_options, tensor_connection.

    Raises:
      InvalidArgumentError: a name that is not in the graph, a tensor fed twice or fed and fetched, nothing to do, a
        cycle of connections. The function: a wrong number of values, or a dtype that isn't exactly the tensor's.
      NotFoundError: a connection leads to a tensor that is not in the graph.
    """
    from runstep.protos import config_pb2

    options = config_pb2.CallableOptions.FromString(callable_options.SerializeToString())
    graph = session.graph
    if not (options.fetch or options.target):
        raise invalid("Must specify at least one target to fetch or execute.")
    keys = [_tensor(graph, name) for name in options.feed]
    fetches = [_tensor(graph, name) for name in options.fetch]
    targets = [graph.get_operation_by_name(name.partition(":")[0]) for name in options.target]
    links = _links(graph, options.tensor_connection, keys)
    for fetch in fetches:
        if fetch in keys or fetch in links:
            raise invalid(f"{fetch.name} is both fed and fetched.")
    wanted = options.run_options if options.HasField("run_options") else None
    return _Optioned(session, keys, fetches, targets, links, wanted)


class _Optioned:
    """One such function. Its plan is made at the first call, and again when the graph was edited."""

    def __init__(
        self,
        session: BaseSession,
        keys: Sequence[Tensor],
        fetches: Sequence[Tensor],
        targets: Sequence[Operation],
        links: Mapping[Tensor, Tensor],
        options: Any,
    ) -> None:
        self._session = session
        self._keys = keys
        self._request = (tuple(keys), tuple(fetches), tuple(targets))
        self._links = links
        self._options = options
        self._plans: dict[bool, tuple[Any, list[feeds.Convert]]] = {}

    def __call__(self, *values: Any, run_metadata: Any = None) -> list[Any]:
        session = self._session
        engine = session._engine
        if session._closed or engine is None or engine.closed:
            raise errors.CancelledError(None, None, "Session has been closed.")
        if len(values) != len(self._keys):
            raise invalid(f"Expected {len(self._keys)} feed tensors, but got {len(values)}")
        for tensor, value in zip(self._keys, values, strict=True):
            _check_type(tensor, value)
        recording = session._metadata.begin(self._options, run_metadata, engine)
        plan, converters = self._plan(recording.trace)
        fed = [convert(value) for convert, value in zip(converters, values, strict=True)]
        milliseconds = 0 if self._options is None else self._options.timeout_in_ms
        timeout = milliseconds / 1000 if milliseconds > 0 else session._timeout
        try:
            try:
                found = engine.run_step(plan, fed, recording.context, timeout)
            finally:
                recording.finish(plan)
        except BaseException as error:
            raise explained(error) from error.__cause__
        return list(found)

    def _plan(self, trace: bool) -> tuple[Any, list[feeds.Convert]]:
        found = self._plans.get(trace)
        graph, engine = self._session.graph, self._session._engine
        if found is None or found[0].edits != graph._edits:
            plan = engine.prepare(graph, *self._request, trace, links=self._links)  # type: ignore[union-attr]
            strict = self._session._strict_feeds
            converters = [feeds.converter(tensor, i in plan.kept_feeds, strict) for i, tensor in enumerate(self._keys)]
            found = self._plans[trace] = (plan, converters)
        return found


def _tensor(graph: Graph, name: str) -> Tensor:
    try:
        return graph.get_tensor_by_name(name)
    except (KeyError, ValueError):
        raise invalid(
            f"Tensor {name}, specified in either feed_devices or fetch_devices was not found in the Graph"
        ) from None


def _links(graph: Graph, connections: Any, keys: Sequence[Tensor]) -> dict[Tensor, Tensor]:
    """Which tensor stands in for which, by tensor_connection."""
    links: dict[Tensor, Tensor] = {}
    for connection in connections:
        try:
            source = graph.get_tensor_by_name(connection.from_tensor)
        except (KeyError, ValueError):
            raise invalid(f'Requested tensor connection from unknown node: "{connection.to_tensor}".') from None
        try:
            target = graph.get_tensor_by_name(connection.to_tensor)
        except (KeyError, ValueError):
            raise errors.NotFoundError(
                None, None, f"FeedInputs: unable to find feed output {connection.to_tensor}"
            ) from None
        if target in links:
            raise invalid(f'Endpoint "{target.name}" fed more than once.')
        links[target] = source
        if _needs(source, target, links):
            raise invalid(
                f'Requested Tensor connection between nodes "{target.op.name}" and "{source.op.name}" would create a '
                "cycle."
            )
    for key in keys:
        if key in links or list(keys).count(key) > 1:
            raise invalid(f'Endpoint "{key.name}" fed more than once.')
    return links


def _needs(tensor: Tensor, other: Tensor, links: Mapping[Tensor, Tensor]) -> bool:
    """Whether computing `tensor` needs `other`."""
    stack, seen = [tensor.op], {tensor.op}
    while stack:
        op = stack.pop()
        if other in op.inputs or other.op is op:
            return True
        before = [links.get(source, source).op for source in op.inputs] + list(op.control_inputs)
        stack.extend(found for found in before if found not in seen)
        seen.update(before)
    return False


def _check_type(tensor: Tensor, value: Any) -> None:
    array = np.asarray(value)
    if array.dtype != tensor.dtype.np and array.dtype.kind not in "SUO":
        have, want = type_text(as_dtype(array.dtype)), type_text(tensor.dtype)
        raise invalid(f"Type mismatch for feed {tensor.name}: actual {have} vs. expect {want}")
