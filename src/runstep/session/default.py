"""The stack of default sessions, one per thread (S20-S36)."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import Any


class _Stack(threading.local):
    def __init__(self) -> None:
        self.sessions: list[Any] = []


_stack = _Stack()


def get_default_session() -> Any:
    """The innermost default session of this thread, or None (source: tf.get_default_session)."""
    return _stack.sessions[-1] if _stack.sessions else None


@contextlib.contextmanager
def pushed(session: Any) -> Iterator[Any]:
    """Makes `session` the default inside the block.

    Raises:
      AssertionError: blocks are left in another order than they were entered (S28).
    """
    _stack.sessions.append(session)
    try:
        yield session
    finally:
        if not _stack.sessions or _stack.sessions[-1] is not session:
            raise AssertionError(f"Nesting violated for default stack of {type(session)} objects")
        _stack.sessions.pop()


def push(session: Any) -> None:
    """Installs a default session until `drop`."""
    _stack.sessions.append(session)


def drop(session: Any) -> None:
    """Takes a session off the stack, wherever it stands in it (S29)."""
    for position in range(len(_stack.sessions) - 1, -1, -1):
        if _stack.sessions[position] is session:
            del _stack.sessions[position]
            return


def session_for_tensor(tensor: Any, session: Any) -> Any:
    """The session that `Tensor.eval` runs in.

    Raises:
      ValueError: there is none, or it runs another graph.
    """
    return _chosen(
        tensor.graph,
        session,
        "Cannot evaluate tensor using `eval()`: No default session is registered. Use `with sess.as_default()` or "
        "pass an explicit session to `eval(session=sess)`.",
        "evaluate tensor: the tensor's graph is different from the session's graph.",
    )


def session_for_operation(operation: Any, session: Any) -> Any:
    """The session that `Operation.run` runs in. Raises as `session_for_tensor`."""
    return _chosen(
        operation.graph,
        session,
        "Cannot execute operation using `run()`: No default session is registered. Use `with sess.as_default():` or "
        "pass an explicit session to `run(session=sess)`.",
        "execute operation: the operation's graph is different from the session's graph.",
    )


def _chosen(graph: Any, session: Any, missing: str, different: str) -> Any:
    if session is None:
        session = get_default_session()
        if session is None:
            raise ValueError(missing)
        if session.graph is not graph:
            method = "eval" if "evaluate" in different else "run"
            raise ValueError(
                f"Cannot use the default session to {different} Pass an explicit session to `{method}(session=sess)`."
            )
    elif session.graph is not graph:
        raise ValueError(f"Cannot use the given session to {different}")
    return session
