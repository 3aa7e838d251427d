"""Libraries of compiled ops, which cannot be used here (source: tf.load_op_library and its kin)."""

from __future__ import annotations

import os
from typing import Any, NoReturn

from runstep import errors

__all__ = ["load_file_system_library", "load_library", "load_op_library"]

_CURE = (
    "Graphs with ops of other libraries can be imported and exported. To compute such an op, give it a Python kernel "
    "(runstep.kernels.registry), or use tf.py_func in its place."
)


def _refuse(location: Any, what: str) -> NoReturn:
    path = os.fspath(location)
    if not os.path.exists(path):
        raise errors.NotFoundError(None, None, f"{path}: cannot open shared object file: No such file or directory")
    raise errors.UnimplementedError(
        None, None, f"{path}: {what} compiled for TensorFlow needs TensorFlow's own library. {_CURE}"
    )


def load_op_library(library_filename: Any) -> Any:
    """Raises UnimplementedError: ops compiled for TensorFlow need TensorFlow. NotFoundError: there is no such file."""
    _refuse(library_filename, "a library of ops")


def load_library(library_location: Any) -> None:
    """As `load_op_library`, which see."""
    _refuse(library_location, "a library of ops or kernels")


def load_file_system_library(library_filename: Any) -> None:
    """As `load_op_library`, which see."""
    _refuse(library_filename, "a file system")
