"""`tf.logging`: the logger named tensorflow, of Python's logging (source: tf.compat.v1.logging)."""

from __future__ import annotations

import logging as _logging
import sys as _sys
import threading as _threading
from logging import DEBUG, ERROR, FATAL, INFO, WARN
from typing import Any

__all__ = [
    "DEBUG",
    "ERROR",
    "FATAL",
    "INFO",
    "WARN",
    "TaskLevelStatusMessage",
    "debug",
    "error",
    "fatal",
    "flush",
    "get_verbosity",
    "info",
    "log",
    "log_every_n",
    "log_first_n",
    "log_if",
    "set_verbosity",
    "vlog",
    "warn",
    "warning",
]

_lock = _threading.Lock()
_logger: _logging.Logger | None = None
_counts: dict[tuple[str, int], int] = {}


def _get() -> _logging.Logger:
    """The logger; the first call gives it a handler to stderr where the program has set up no logging."""
    global _logger
    if _logger is None:
        with _lock:
            logger = _logging.getLogger("tensorflow")
            if not _logging.getLogger().handlers and not logger.handlers:
                handler = _logging.StreamHandler(_sys.stderr)
                handler.setFormatter(_logging.Formatter(_logging.BASIC_FORMAT, None))
                logger.addHandler(handler)
            _logger = logger
    return _logger


def log(level: int, msg: Any, *args: Any, **kwargs: Any) -> None:
    """Logs `msg % args` at a level."""
    _get().log(level, msg, *args, stacklevel=2, **kwargs)


def debug(msg: Any, *args: Any, **kwargs: Any) -> None:
    _get().debug(msg, *args, stacklevel=2, **kwargs)


def info(msg: Any, *args: Any, **kwargs: Any) -> None:
    _get().info(msg, *args, stacklevel=2, **kwargs)


def warn(msg: Any, *args: Any, **kwargs: Any) -> None:
    _get().warning(msg, *args, stacklevel=2, **kwargs)


def warning(msg: Any, *args: Any, **kwargs: Any) -> None:
    _get().warning(msg, *args, stacklevel=2, **kwargs)


def error(msg: Any, *args: Any, **kwargs: Any) -> None:
    _get().error(msg, *args, stacklevel=2, **kwargs)


def fatal(msg: Any, *args: Any, **kwargs: Any) -> None:
    """Logs at the highest level. The program goes on."""
    _get().critical(msg, *args, stacklevel=2, **kwargs)


def vlog(level: int, msg: Any, *args: Any, **kwargs: Any) -> None:
    _get().log(level, msg, *args, stacklevel=2, **kwargs)


def TaskLevelStatusMessage(msg: Any) -> None:  # noqa: N802 - TensorFlow's name
    _get().error(msg, stacklevel=2)


def _calls_before() -> int:
    """How often the line that called the function that calls this has been here before."""
    caller = _sys._getframe(2)
    place = caller.f_code.co_filename, caller.f_lineno
    with _lock:
        count = _counts.get(place, 0)
        _counts[place] = count + 1
    return count


def log_every_n(level: int, msg: Any, n: int, *args: Any) -> None:
    """Logs the first and then every n-th call from one line."""
    if not _calls_before() % n:
        _get().log(level, msg, *args, stacklevel=2)


def log_first_n(level: int, msg: Any, n: int, *args: Any) -> None:
    """Logs the first n calls from one line."""
    if _calls_before() < n:
        _get().log(level, msg, *args, stacklevel=2)


def log_if(level: int, msg: Any, condition: Any, *args: Any) -> None:
    if condition:
        _get().log(level, msg, *args, stacklevel=2)


def flush() -> None:
    """Writes out what handlers hold back."""
    for handler in _get().handlers:
        handler.flush()


def get_verbosity() -> int:
    """The level from which on messages are shown, WARN at first."""
    return _get().getEffectiveLevel()


def set_verbosity(v: int | str) -> None:
    """Sets the level from which on messages are shown."""
    _get().setLevel(v)
