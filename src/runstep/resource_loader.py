"""`tf.resource_loader`: files beside the program's own (source: tf.compat.v1.resource_loader)."""

from __future__ import annotations

import os
import sys

__all__ = [
    "get_data_files_path",
    "get_path_to_datafile",
    "get_root_dir_with_all_resources",
    "load_resource",
    "readahead_file_path",
]


def get_data_files_path() -> str:
    """The folder of the file that calls this."""
    return os.path.dirname(sys._getframe(1).f_code.co_filename)


def get_path_to_datafile(path: str) -> str:
    """`path`, seen from the folder of the file that calls this."""
    return os.path.join(os.path.dirname(sys._getframe(1).f_code.co_filename), path)


def get_root_dir_with_all_resources() -> str:
    """As `get_data_files_path`."""
    return os.path.dirname(sys._getframe(1).f_code.co_filename)


def load_resource(path: str) -> bytes:
    """The content of a file, which is named from the folder above the package. OSError: it cannot be read."""
    import runstep

    with open(os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(runstep.__file__))), path), "rb") as file:
        return file.read()


def readahead_file_path(path: str, readahead: str = "128M") -> str:
    """`path`."""
    return path
