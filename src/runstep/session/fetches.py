"""From what a user asks for (S70-S78) to the tensors and operations to run, and back to the same structure.

A request's structure is analysed once; putting values into it is a chain of small closures.
"""

from __future__ import annotations

import dataclasses
import types
import weakref
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import attrs

from runstep.errors import InaccessibleTensorError
from runstep.graph.graph import Graph
from runstep.graph.operation import Operation
from runstep.graph.tensor import Tensor
from runstep.session.conversions import fetch_conversion
from runstep.session.handles import HANDLE_OPS, made

if TYPE_CHECKING:
    from runstep.session.session import BaseSession

Build = Callable[[Sequence[Any]], Any]
"""From the values of `Fetches.tensors` to the structure that the user asked for."""


class Fetches:
    """One analysed request.

    Attributes:
      tensors: the distinct tensors to fetch. targets: the operations to run besides.
      build: puts their values into the structure of the request.
    """

    def __init__(self, session: BaseSession, fetches: Any) -> None:
        self._graph: Graph = session.graph
        self._positions: dict[Tensor, int] = {}
        self._targets: dict[Operation, None] = {}
        self.build = self._builder(fetches)
        self.tensors = tuple(self._positions)
        if any(tensor.op.type in HANDLE_OPS for tensor in self.tensors):
            self.build = _with_handles(session, self.tensors, self.build)
        self.targets = tuple(self._targets)

    def _builder(self, fetch: Any) -> Build:
        if isinstance(fetch, Tensor | Operation | str | bytes):
            return self._element(fetch)
        if fetch is None:
            raise TypeError(f'Argument `fetch` = {fetch} has invalid type "{type(fetch).__name__}". Cannot be None')
        if isinstance(fetch, list):
            return self._sequence(list(fetch), list)
        if isinstance(fetch, tuple):
            cls = type(fetch)
            return self._sequence(fetch, tuple if cls is tuple else lambda items: cls(*items))
        if isinstance(fetch, Mapping):
            return self._mapping(fetch)
        if attrs.has(type(fetch)):
            return self._fields(fetch, [(f.name, f.alias, f.kw_only) for f in attrs.fields(type(fetch)) if f.init])
        if dataclasses.is_dataclass(fetch) and not isinstance(fetch, type):
            return self._fields(fetch, [(f.name, f.name, True) for f in dataclasses.fields(fetch) if f.init])
        wrapped = getattr(fetch, "__wrapped__", None)
        if wrapped is not None and type(fetch).__module__.startswith("wrapt"):
            return self._builder(wrapped)
        converted = fetch_conversion(fetch)
        if converted is not None:
            parts, contract = converted
            builds = [self._builder(part) for part in parts]
            return lambda values: contract([build(values) for build in builds])
        return self._element(fetch)

    def _element(self, fetch: Any) -> Build:
        try:
            element = self._graph.as_graph_element(fetch, allow_tensor=True, allow_operation=True)
        except TypeError as error:
            raise TypeError(
                f'Argument `fetch` = {fetch} has invalid type "{type(fetch).__name__}" must be a string or Tensor. '
                f"({error})"
            ) from None
        except ValueError as error:
            raise ValueError(f"Argument `fetch` = {fetch} cannot be interpreted as a Tensor. ({error})") from None
        except KeyError as error:
            raise ValueError(f"Argument `fetch` = {fetch} cannot be interpreted as a Tensor. ({error})") from None
        if not self._graph.is_fetchable(element):
            name = element.op.name if isinstance(element, Tensor) else element.name
            raise InaccessibleTensorError(
                f"Operation {name} has been marked as not fetchable. Typically this happens when it is defined in "
                "another "
                "function or code block. Use return values, explicit Python locals or TensorFlow collections to "
                "access it."
            )
        if isinstance(element, Operation):
            self._targets[element] = None
            return _nothing
        position = self._positions.setdefault(element, len(self._positions))
        return lambda values: values[position]

    def _sequence(self, items: Sequence[Any], make: Callable[[list[Any]], Any]) -> Build:
        builds = [self._builder(item) for item in items]
        if make is list:
            return lambda values: [build(values) for build in builds]
        return lambda values: make([build(values) for build in builds])

    def _mapping(self, fetch: Mapping[Any, Any]) -> Build:
        cls: Any = type(fetch)
        builds = {key: self._builder(value) for key, value in fetch.items()}
        if cls is dict:
            return lambda values: {key: build(values) for key, build in builds.items()}
        if isinstance(fetch, defaultdict):
            factory = fetch.default_factory
            return lambda values: cls(factory, ((key, build(values)) for key, build in builds.items()))
        if cls is types.MappingProxyType or cls is OrderedDict:
            return lambda values: cls(dict((key, build(values)) for key, build in builds.items()))
        return lambda values: cls((key, build(values)) for key, build in builds.items())

    def _fields(self, fetch: Any, fields: Sequence[tuple[str, str, bool]]) -> Build:
        cls = type(fetch)
        positional = [self._builder(getattr(fetch, name)) for name, _, by_name in fields if not by_name]
        named = {alias: self._builder(getattr(fetch, name)) for name, alias, by_name in fields if by_name}
        return lambda values: cls(
            *[build(values) for build in positional], **{alias: build(values) for alias, build in named.items()}
        )


def _with_handles(session: BaseSession, tensors: Sequence[Tensor], build: Build) -> Build:
    """`build` with a TensorHandle made of each fetched handle: one object however often it was asked for (S170)."""
    owner = weakref.ref(session)  # the session keeps what it has built

    def wrapped(values: Sequence[Any]) -> Any:
        session = owner()
        assert session is not None
        return build(
            [
                made(session, tensor, value) if tensor.op.type in HANDLE_OPS else value
                for tensor, value in zip(tensors, values, strict=True)
            ]
        )

    return wrapped


def _nothing(values: Sequence[Any]) -> None:
    return None


def structure_key(fetches: Any) -> Any:
    """A hashable stand-in for a request: equal for two requests that mean the same.

    Raises:
      TypeError: some leaf of it cannot be hashed; such a request is analysed every time.
    """
    kind = type(fetches)
    if kind is Tensor or kind is Operation:
        return fetches
    if kind is list or kind is tuple or isinstance(fetches, (list, tuple)):
        return (kind, *[item if type(item) is Tensor else structure_key(item) for item in fetches])
    if isinstance(fetches, Mapping):
        factory = getattr(fetches, "default_factory", None)
        return (kind, factory, *[(key, structure_key(item)) for key, item in fetches.items()])
    if attrs.has(kind) or dataclasses.is_dataclass(kind):
        raise TypeError("analysed every time")
    hash(fetches)
    return kind, fetches


def request_key(fetches: Any, feed_dict: Any) -> tuple[Any, ...]:
    """What a session remembers a request by: the structure of its fetches, and the keys of its feeds in order.

    Raises:
      TypeError: something in it cannot be hashed; such a request is analysed every time.
    """
    wanted = fetches if type(fetches) is Tensor else structure_key(fetches)
    return (wanted, *feed_dict) if feed_dict else (wanted,)
