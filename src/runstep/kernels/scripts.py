"""Python functions as nodes: the registry that tokens in a graph point into, and what the functions may return.

A graph keeps its functions alive; the registry only knows them, so that they go when the graph goes.
"""

from __future__ import annotations

import inspect
import itertools
import traceback
import weakref
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from runstep import errors
from runstep.graph import dtypes
from runstep.graph.dtypes import DType
from runstep.kernels.shared import invalid, type_text


class Script:
    """A Python function under its token. `awaits` tells whether it is a coroutine function."""

    __slots__ = ("__weakref__", "awaits", "converts", "function", "token")

    def __init__(self, token: str, function: Callable[..., Any], converts: bool) -> None:
        self.token = token
        self.function = function
        self.awaits = inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(
            getattr(function, "__call__", None)  # noqa: B004 - objects with an async __call__ await too
        )
        self.converts = converts


_scripts: weakref.WeakValueDictionary[str, Script] = weakref.WeakValueDictionary()
_numbers = itertools.count()

others: list[Callable[[str], Callable[..., Any] | None]] = []
"""Registries of other makers of graphs in this process: from a token to its function."""


def register(function: Callable[..., Any], converts: bool = False) -> Script:
    """A new token for `function`. The caller keeps the Script as long as the token is in use.

    Args:
      converts: results are converted to the dtypes that the node declares (source: tf.py_function); else they must
        have them.
    """
    script = Script(f"pyfunc_{next(_numbers)}", function, converts)
    _scripts[script.token] = script
    return script


def find(token: str) -> Script:
    """The function of a token.

    Raises:
      InvalidArgumentError: there is none: the graph comes from another process, or its maker is gone.
    """
    script = _scripts.get(token)
    if script is not None:
        return script
    for registry in others:
        function = registry(token)
        if function is not None:
            return Script(token, function, False)
    raise invalid(f"ValueError: callback {token} is not found")


def results(script: Script, returned: Any, types: Sequence[DType]) -> Any:
    """What a function returned, as the outputs of the node: a tuple of arrays.

    Raises:
      InvalidArgumentError: not as many as declared, or of other dtypes.
    """
    if returned is None:
        values: list[Any] = []
    else:
        values = list(returned) if isinstance(returned, list | tuple) else [returned]
    if script.converts and types:
        values = values[: len(types)]  # as TensorFlow has it
    if len(values) != len(types):
        raise invalid(f"{script.token} returns {len(values)} values, but expects to see {len(types)} values.")
    arrays = [
        _array(script, index, value, dtype) for index, (value, dtype) in enumerate(zip(values, types, strict=True))
    ]
    return tuple(arrays)


def _array(script: Script, index: int, value: Any, dtype: DType) -> np.ndarray:
    try:
        array = np.asarray(value, order="C")
        if array.dtype.kind in "SU":
            array = _texts(value, array)
    except ValueError as error:
        raise invalid(f"ValueError: {error}") from error
    if array.dtype == object:
        _check_texts(array)
    elif not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    if array.dtype == dtype.np:
        return array
    found = dtypes.as_dtype(array.dtype)
    if script.converts and _converts(array.dtype.kind, dtype.np.kind):
        return array.astype(dtype.np)
    if script.converts:
        raise invalid(f"TypeError: Cannot convert {value!r} to a tensor of dtype {type_text(dtype)}")
    raise invalid(f"{index}-th value returned by {script.token} is {type_text(found)}, but expects {type_text(dtype)}")


def _texts(value: Any, array: np.ndarray) -> np.ndarray:
    """Strings as objects of bytes. Bytes are taken from `value` itself: numpy's fixed width drops zeros at the end."""
    source = np.asarray(value, dtype=object) if array.dtype.kind == "S" and array is not value else array
    out = np.empty(array.shape, object)
    flat = out.reshape(-1)
    for index, item in enumerate(source.ravel().tolist()):
        flat[index] = item.encode() if isinstance(item, str) else bytes(item)
    return out


def _converts(kind: str, wanted: str) -> bool:
    """Whether values of a kind of numpy's become those of another: nothing that loses a part of them."""
    return (
        "O" not in kind + wanted
        and kind != "b"
        and not (kind in "fc" and wanted in "iu")
        and (kind, wanted) != ("c", "f")
    )


def _check_texts(array: np.ndarray) -> None:
    items = array.reshape(-1)
    for index, item in enumerate(items.tolist()):
        if isinstance(item, str):
            items[index] = item.encode()
        elif not isinstance(item, bytes):
            raise errors.InternalError(None, None, f"Unsupported object type {type(item).__name__}")


_CLASSES: tuple[tuple[type[Exception], type[errors.OpError]], ...] = (
    (ValueError, errors.InvalidArgumentError),
    (TypeError, errors.InvalidArgumentError),
    (StopIteration, errors.OutOfRangeError),
    (StopAsyncIteration, errors.OutOfRangeError),
    (MemoryError, errors.ResourceExhaustedError),
    (NotImplementedError, errors.UnimplementedError),
)


def failure(error: Exception) -> errors.OpError:
    """The error of the step for an exception out of a function, with its traceback as text (S185)."""
    kind = next((coded for cls, coded in _CLASSES if isinstance(error, cls)), errors.UnknownError)
    trace = error.__traceback__
    frames = "".join(traceback.format_tb(trace.tb_next if trace is not None else None))
    text = "".join(traceback.format_exception_only(error))
    return kind(None, None, f"{type(error).__name__}: {error}\nTraceback (most recent call last):\n\n{frames}\n{text}")  # type: ignore[call-arg]
