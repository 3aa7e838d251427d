"""What the file system says, as errors of a step."""

from __future__ import annotations

import os
from typing import BinaryIO

from runstep import errors


def failed(error: OSError, path: str) -> errors.OpError:
    """The error of the step for one of the operating system."""
    kinds: dict[type[OSError], type[errors.OpError]] = {
        FileNotFoundError: errors.NotFoundError,
        NotADirectoryError: errors.FailedPreconditionError,
        IsADirectoryError: errors.FailedPreconditionError,
        PermissionError: errors.PermissionDeniedError,
        FileExistsError: errors.AlreadyExistsError,
    }
    kind = next((found for cls, found in kinds.items() if isinstance(error, cls)), errors.UnknownError)
    return kind(None, None, f"{path}; {error.strerror}")  # type: ignore[call-arg]


def opened(name: bytes | str) -> BinaryIO:
    """A file to be read. The error of the step when it can't be."""
    path = os.path.normpath(os.fsdecode(name)) if name else ""
    try:
        return open(path, "rb")
    except OSError as error:
        raise failed(error, path) from error
