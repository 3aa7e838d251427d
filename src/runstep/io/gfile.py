"""`tf.io.gfile`: files by names of the second version (source: tf.compat.v1.io.gfile)."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

from runstep import gfile as _first
from runstep.gfile import GFile

__all__ = [
    "GFile",
    "copy",
    "exists",
    "get_registered_schemes",
    "glob",
    "isdir",
    "join",
    "listdir",
    "makedirs",
    "mkdir",
    "remove",
    "rename",
    "rmtree",
    "stat",
    "walk",
]


def copy(src: Any, dst: Any, overwrite: bool = False) -> None:
    """Copies a file. AlreadyExistsError if `dst` is there, unless `overwrite`."""
    _first.Copy(src, dst, overwrite)


def exists(path: Any) -> bool:
    """Whether there is a file or folder of that name."""
    return _first.Exists(path)


def get_registered_schemes() -> list[str]:
    """The kinds of file systems: files of this machine only."""
    return ["", "file"]


def glob(pattern: Any) -> list[str]:
    """The files that match a pattern, or one of several."""
    return _first.Glob(pattern)


def isdir(path: Any) -> bool:
    """Whether there is a folder of that name."""
    return _first.IsDirectory(path)


def join(path: Any, *paths: Any) -> Any:
    """Parts of a path as one."""
    return os.path.join(path, *paths)


def listdir(path: Any) -> list[str]:
    """The names in a folder. NotFoundError if there is none."""
    return _first.ListDirectory(path)


def makedirs(path: Any) -> None:
    """Makes a folder, and those above it that are missing."""
    _first.MakeDirs(path)


def mkdir(path: Any) -> None:
    """Makes a folder in one that is there."""
    _first.MkDir(path)


def remove(path: Any) -> None:
    """Removes a file. NotFoundError if there is none."""
    _first.Remove(path)


def rename(src: Any, dst: Any, overwrite: bool = False) -> None:
    """Gives a file another name. AlreadyExistsError if that is taken, unless `overwrite`."""
    _first.Rename(src, dst, overwrite)


def rmtree(path: Any) -> None:
    """Removes a folder and all that is in it."""
    _first.DeleteRecursively(path)


def stat(path: Any) -> Any:
    """A file's length and times. NotFoundError if there is none."""
    return _first.Stat(path)


def walk(top: Any, topdown: bool = True, onerror: Callable[[Any], Any] | None = None) -> Iterator[Any]:
    """(folder, names of folders, names of files) of each folder below `top`; errors go to `onerror`, or nowhere."""
    try:
        _first.Stat(top)
    except Exception as error:
        if onerror is not None:
            onerror(error)
        return
    yield from _first.Walk(top, in_order=topdown)
