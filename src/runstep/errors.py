"""The errors of running a graph. Mirrors `tf.errors`: same classes, codes and attributes.

    Exception
     └ OpError                       .message .op .node_def .error_code .experimental_payloads
        ├ CancelledError             1   the step or the waiting operation was cancelled
        ├ UnknownError               2   anything without a better class
        ├ InvalidArgumentError       3   wrong values, shapes or types; an unfed placeholder
        ├ DeadlineExceededError      4   a timeout passed
        ├ NotFoundError              5   no such file, device, engine or resource
        ├ AlreadyExistsError         6   the thing to create is there already
        ├ PermissionDeniedError      7
        ├ ResourceExhaustedError     8   does not fit in the memory budget
        ├ FailedPreconditionError    9   an uninitialized variable, a deleted resource
        ├ AbortedError               10
        ├ OutOfRangeError            11  the end of a queue or a data set
        ├ UnimplementedError         12  no kernel for these types on this device
        ├ InternalError              13
        ├ UnavailableError           14
        ├ DataLossError              15  a damaged file
        └ UnauthenticatedError       16

A kernel raises `InvalidArgumentError(None, None, "text")`; the step adds the node. Mistakes in building a graph are
`TypeError`, `ValueError` and `KeyError`, exactly where TensorFlow raises them.
"""

from __future__ import annotations

import traceback
import warnings
from types import TracebackType
from typing import Any

OK = 0
CANCELLED = 1
UNKNOWN = 2
INVALID_ARGUMENT = 3
DEADLINE_EXCEEDED = 4
NOT_FOUND = 5
ALREADY_EXISTS = 6
PERMISSION_DENIED = 7
RESOURCE_EXHAUSTED = 8
FAILED_PRECONDITION = 9
ABORTED = 10
OUT_OF_RANGE = 11
UNIMPLEMENTED = 12
INTERNAL = 13
UNAVAILABLE = 14
DATA_LOSS = 15
UNAUTHENTICATED = 16


class OpError(Exception):
    """A step, or a request for one, failed. Mirrors `tf.errors.OpError`.

    `op` is the Operation that failed, or None when it is not known or not an operation of the user's graph;
    `node_def` is its NodeDef, which exists also for nodes that only the engine knows.
    """

    def __init__(self, node_def: Any, op: Any, message: str, error_code: int, *args: Any) -> None:
        super().__init__()
        self._node_def = node_def
        self._op = op
        self._message = message
        self._error_code = error_code
        self._experimental_payloads: Any = args[0] if args else {}

    @property
    def message(self) -> str:
        """What failed, without the stack trace that `str()` adds."""
        return self._message

    @property
    def op(self) -> Any:
        """The Operation that failed, or None."""
        return self._op

    @property
    def node_def(self) -> Any:
        """The NodeDef of the operation that failed, or None."""
        return self._node_def

    @property
    def error_code(self) -> int:
        """The integer code, one of the constants of this module."""
        return self._error_code

    @property
    def experimental_payloads(self) -> Any:
        """What the raiser attached: a dict of bytes by name."""
        return self._experimental_payloads

    def __reduce__(self) -> tuple[Any, ...]:
        arguments: tuple[Any, ...] = (self._node_def, self._op, self._message)
        if type(self) is OpError:
            arguments += (self._error_code,)
        return type(self), arguments

    def __str__(self) -> str:
        op = self._op
        if op is None:
            return self._message
        frames = traceback.format_list(op.traceback)
        parts = [f"{self._message}\n\nOriginal stack trace for {op.name!r}:\n", *frames]
        original = op._original_op
        while original is not None:
            parts.append(f"\n...which was originally created as op {original.name!r}, defined at:\n")
            previous, frames = frames, traceback.format_list(original.traceback)
            parts += _elide(frames, previous)
            original = original._original_op
        return "".join(parts)


def _elide(frames: list[str], previous: list[str]) -> list[str]:
    """Leave out the frames that this trace shares with the one printed before it."""
    shared = 0
    for mine, theirs in zip(frames, previous, strict=False):
        if mine != theirs:
            break
        shared += 1
    if shared <= 1:
        return frames
    if shared == len(frames):
        return frames[:1]
    return [frames[0], f"[elided {shared - 2} identical lines from previous traceback]\n", *frames[shared - 1 :]]


class _CodedError(OpError):
    """A class of errors with one code."""

    _code = UNKNOWN

    def __init__(self, node_def: Any, op: Any, message: str, *args: Any) -> None:
        super().__init__(node_def, op, message, self._code, *args)


class CancelledError(_CodedError):
    """The step or the operation was cancelled. Mirrors `tf.errors.CancelledError`."""

    _code = CANCELLED


class UnknownError(_CodedError):
    """Anything without a better class. Mirrors `tf.errors.UnknownError`."""

    _code = UNKNOWN


class InvalidArgumentError(_CodedError):
    """Wrong values, shapes or types. Mirrors `tf.errors.InvalidArgumentError`."""

    _code = INVALID_ARGUMENT


class DeadlineExceededError(_CodedError):
    """A timeout passed. Mirrors `tf.errors.DeadlineExceededError`."""

    _code = DEADLINE_EXCEEDED


class NotFoundError(_CodedError):
    """No such file, device, engine or resource. Mirrors `tf.errors.NotFoundError`."""

    _code = NOT_FOUND


class AlreadyExistsError(_CodedError):
    """The thing to create is there already. Mirrors `tf.errors.AlreadyExistsError`."""

    _code = ALREADY_EXISTS


class PermissionDeniedError(_CodedError):
    """The caller may not do this. Mirrors `tf.errors.PermissionDeniedError`."""

    _code = PERMISSION_DENIED


class ResourceExhaustedError(_CodedError):
    """It does not fit in the memory budget. Mirrors `tf.errors.ResourceExhaustedError`."""

    _code = RESOURCE_EXHAUSTED


class FailedPreconditionError(_CodedError):
    """The system is not in the needed state. Mirrors `tf.errors.FailedPreconditionError`."""

    _code = FAILED_PRECONDITION


class AbortedError(_CodedError):
    """The operation was aborted. Mirrors `tf.errors.AbortedError`."""

    _code = ABORTED


class OutOfRangeError(_CodedError):
    """Past the end of a queue or a data set. Mirrors `tf.errors.OutOfRangeError`."""

    _code = OUT_OF_RANGE


class UnimplementedError(_CodedError):
    """No such kernel. Mirrors `tf.errors.UnimplementedError`."""

    _code = UNIMPLEMENTED


class InternalError(_CodedError):
    """An invariant of the engine is broken. Mirrors `tf.errors.InternalError`."""

    _code = INTERNAL


class UnavailableError(_CodedError):
    """The engine cannot be reached at the moment. Mirrors `tf.errors.UnavailableError`."""

    _code = UNAVAILABLE


class DataLossError(_CodedError):
    """A file is damaged. Mirrors `tf.errors.DataLossError`."""

    _code = DATA_LOSS


class UnauthenticatedError(_CodedError):
    """The caller did not say who they are. Mirrors `tf.errors.UnauthenticatedError`."""

    _code = UNAUTHENTICATED


class OperatorNotAllowedInGraphError(TypeError):
    """A symbolic Tensor was used as a Python value (`if t:`, `for x in t:`)."""


class InaccessibleTensorError(ValueError):
    """A Tensor was used outside the function or graph that owns it."""


_BY_CODE: dict[int, type[_CodedError]] = {error._code: error for error in _CodedError.__subclasses__()}


def exception_type_from_error_code(error_code: int) -> type[OpError]:
    """The class of `error_code`; KeyError for OK and for unknown codes."""
    return _BY_CODE[error_code]


def error_code_from_exception_type(cls: type[BaseException]) -> int:
    """The code of an exception class. UNKNOWN, with a warning, for a class that has none.

    (TensorFlow returns an UnknownError object in that case; a code is what the name promises.)
    """
    if issubclass(cls, _CodedError):
        return cls._code
    warnings.warn("Unknown class exception", stacklevel=2)
    return UNKNOWN


def make_error(node_def: Any, op: Any, message: str, error_code: int) -> OpError:
    """An error of the class that belongs to `error_code`; UnknownError, with a warning, for unknown codes."""
    cls = _BY_CODE.get(error_code)
    if cls is None:
        warnings.warn(f"Unknown error code: {error_code}", stacklevel=2)
        cls = UnknownError
    return cls(node_def, op, message)


class Status:
    """The outcome of a call: `code` is OK or an error code, `message` says why."""

    __slots__ = ("code", "message")

    def __init__(self) -> None:
        self.code = OK
        self.message = ""


class raise_exception_on_not_ok_status:
    """A context manager: `with ... as status:` raises the error that the body set on `status`.

    An exception out of the body wins over the status.
    """

    def __enter__(self) -> Status:
        self._status = Status()
        return self._status

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None and self._status.code != OK:
            raise make_error(None, None, self._status.message, self._status.code)
