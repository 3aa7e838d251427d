"""Types that sessions learn to fetch and feed: composites of the library, and what users register (S173)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from runstep.graph.composite import IndexedSlices, SparseTensor
from runstep.graph.ragged_tensor import RaggedTensor

FetchFunction = Callable[[Any], tuple[Sequence[Any], Callable[[Sequence[Any]], Any]]]
FeedFunction = Callable[[Any, Any], Sequence[tuple[Any, Any]]]
PartialFeedFunction = Callable[[Any], Sequence[Any]]

_registered: list[tuple[type, FetchFunction, FeedFunction | None, PartialFeedFunction | None]] = []
_COMPOSITES = (SparseTensor, IndexedSlices, RaggedTensor)


def register_session_run_conversion_functions(
    tensor_type: type,
    fetch_function: FetchFunction,
    feed_function: FeedFunction | None = None,
    feed_function_for_partial_run: PartialFeedFunction | None = None,
) -> None:
    """Teaches `Session.run` a type (source: tf.python.client.session.register_session_run_conversion_functions).

    Args:
      tensor_type: the class of what users fetch and feed.
      fetch_function: from such an object to (what to fetch for it, a function from their values to the result).
      feed_function: from (object, fed value) to pairs of tensor and value.
      feed_function_for_partial_run: from such an object to the tensors that it stands for as a feed.

    Raises:
      ValueError: the type or a subclass of it is registered already.
    """
    for registered, *_ in _registered:
        if issubclass(registered, tensor_type):
            raise ValueError(f"{tensor_type} has already been registered so ignore it.")
    _registered.insert(0, (tensor_type, fetch_function, feed_function, feed_function_for_partial_run))


def fetch_conversion(fetch: Any) -> tuple[Sequence[Any], Callable[[Sequence[Any]], Any]] | None:
    """What to fetch for an object of a known type, and how to put the values together; None for other types."""
    if isinstance(fetch, _COMPOSITES):
        return fetch._component_tensors(), fetch._from_component_values
    for tensor_type, fetch_function, _, _ in _registered:
        if isinstance(fetch, tensor_type):
            return fetch_function(fetch)
    return None


def feed_conversion(key: Any, value: Any) -> Sequence[tuple[Any, Any]] | None:
    """The tensors and values that feeding `value` for `key` means; None for types that are fed as they are.

    Raises:
      TypeError: the type was registered without a feed function. ValueError: the value has the wrong structure.
    """
    if isinstance(key, _COMPOSITES):
        return key._feed_components(value)
    for tensor_type, _, feed_function, _ in _registered:
        if isinstance(key, tensor_type):
            if feed_function is None:
                raise TypeError(
                    f"Objects of type {tensor_type.__name__} cannot be fed: they were registered without a "
                    "feed_function. Give one to register_session_run_conversion_functions."
                )
            return feed_function(key, value)
    return None


def feed_tensors(key: Any) -> Sequence[Any] | None:
    """The tensors that `key` stands for as a feed of a partial run; None for types that stand for themselves."""
    if isinstance(key, _COMPOSITES):
        return key._component_tensors()
    for tensor_type, _, _, partial in _registered:
        if isinstance(key, tensor_type):
            if partial is None:
                raise TypeError(
                    f"Objects of type {tensor_type.__name__} cannot be fed to partial runs: they were registered "
                    "without a feed_function_for_partial_run."
                )
            return partial(key)
    return None
