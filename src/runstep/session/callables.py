"""Precompiled requests: `make_callable` (S130-S134)."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any

from runstep import errors
from runstep.observe.live import SAMPLED
from runstep.quiet import begin, end
from runstep.session import feeds
from runstep.session.fetches import Fetches

if TYPE_CHECKING:
    from runstep.session.session import BaseSession


def make_callable(session: BaseSession, fetches: Any, feed_list: Any, accept_options: bool) -> Callable[..., Any]:
    """See `Session.make_callable`."""
    if feed_list is not None and not isinstance(feed_list, list | tuple):
        raise TypeError(f"Argument `feed_list` must be a list or tuple. Received: feed_list={feed_list}")
    graph = session.graph
    wanted = Fetches(session, fetches)
    keys = list(feed_list or ())
    for key in keys:
        feeds.keys_of(graph, [key])  # bad keys are refused now
    tensors: list[Any] = [graph.as_graph_element(key, True, False) if _is_plain(key) else None for key in keys]
    if accept_options or None in tensors or len(set(tensors)) != len(tensors):
        return _through_run(session, fetches, keys, accept_options or bool(keys))
    request = session._request(wanted, tensors, False)
    plan = request.plan
    if plan is None:
        return _through_run(session, fetches, keys, False)
    return _direct(session, fetches, request, keys)


def _is_plain(key: Any) -> bool:
    from runstep.graph.tensor import Tensor

    return isinstance(key, Tensor | str | bytes)


def _through_run(session: BaseSession, fetches: Any, keys: list[Any], options: bool) -> Callable[..., Any]:
    def run(*values: Any, **kwargs: Any) -> Any:
        if kwargs and (not options or not kwargs.keys() <= {"options", "run_metadata"}):
            raise TypeError(f"This callable takes no argument {', '.join(kwargs)}.")
        _check_count(keys, values)
        _check_open(session)
        return session.run(fetches, dict(zip(keys, values, strict=True)), **kwargs)

    return run


def _check_count(keys: list[Any], values: tuple[Any, ...]) -> None:
    if len(values) != len(keys):
        raise TypeError(
            f"This callable takes {len(keys)} values, one for each of its feed_list, but got {len(values)}."
        )


def _check_open(session: BaseSession) -> None:
    if session._closed or session._engine.closed:  # type: ignore[union-attr]
        raise errors.CancelledError(None, None, "Session has been closed.")


def _direct(session: BaseSession, fetches: Any, request: Any, keys: list[Any]) -> Callable[..., Any]:
    converters, plain = request.quick, request.convert
    single = converters[0] if len(converters) == 1 else None
    count = len(converters)
    engine = session._engine
    assert engine is not None
    run_step, plan, build, direct, timeout = (
        engine.run_step,
        request.plan,
        request.build,
        request.direct,
        session._timeout,
    )
    graph, edits, straight = session.graph, request.edits, request.straight
    if direct:
        return _through_run(session, fetches, keys, True)

    def run(*values: Any, **kwargs: Any) -> Any:
        if len(values) != count:
            _check_count(keys, values)
        if kwargs or graph._edits != edits or not engine.direct:
            _check_open(session)
            return session.run(fetches, dict(zip(keys, values, strict=True)), **kwargs)
        session._steps = steps = session._steps + 1
        began = 0 if steps % SAMPLED else perf_counter_ns()
        quick = straight
        try:
            fed = (
                (single(values[0]),)
                if single is not None
                else [convert(v) for convert, v in zip(converters, values, strict=True)]
            )
        except feeds.Large:
            quick, fed = None, [convert(v) for convert, v in zip(plain, values, strict=True)]
        try:
            if quick is None:
                found = run_step(plan, fed, None, timeout)
            else:
                token = begin()
                try:
                    found = quick(None, *fed)
                finally:
                    end(token)
        except BaseException as error:
            raise session._failed(error) from error.__cause__
        if began:
            session._meter.took(perf_counter_ns() - began, SAMPLED)
        return build(found)

    if keys:
        return run

    def run_without_feeds() -> Any:
        return run()

    return run_without_feeds
