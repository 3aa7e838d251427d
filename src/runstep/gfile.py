"""`tf.gfile`: files of the machine that the program runs on (source: tf.compat.v1.gfile)."""

from __future__ import annotations

import glob as _glob
import os as _os
import shutil as _shutil
from collections.abc import Iterator
from typing import Any, BinaryIO

import attrs as _attrs

from runstep import errors as _errors
from runstep.compat import as_bytes as _as_bytes, as_str_any as _as_str_any, path_to_str as _path_to_str
from runstep.io.failures import failed as _failed

__all__ = [
    "Copy",
    "DeleteRecursively",
    "Exists",
    "FastGFile",
    "GFile",
    "Glob",
    "IsDirectory",
    "ListDirectory",
    "MakeDirs",
    "MkDir",
    "Open",
    "Remove",
    "Rename",
    "Stat",
    "Walk",
]

_MODES = {"r": "rb", "w": "wb", "a": "ab", "r+": "r+b", "w+": "w+b", "a+": "a+b"}


def _path(name: Any) -> str:
    return _as_str_any(_path_to_str(name)).removeprefix("file://")


class GFile:
    """A file, opened when first used; errors of the file system are those of `tf.errors`.

    Args:
      name: its path. mode: r, w, a, r+, w+ or a+; with a b, reads give bytes instead of text.

    Raises:
      InvalidArgumentError: another mode.
    """

    def __init__(self, name: Any, mode: str = "r") -> None:
        self._name = name
        self._mode = mode
        self._binary = "b" in mode
        self._plain_mode = mode.replace("b", "")
        if self._plain_mode not in _MODES:
            raise _errors.InvalidArgumentError(None, None, "mode is not 'r' or 'w' or 'a' or 'r+' or 'w+' or 'a+'")
        self._open: BinaryIO | None = None

    @property
    def name(self) -> Any:
        return self._name

    @property
    def mode(self) -> str:
        return self._mode

    def _file(self) -> BinaryIO:
        if self._open is None:
            path = _path(self._name)
            try:
                self._open = open(path, _MODES[self._plain_mode])  # type: ignore[assignment]  # noqa: SIM115
            except OSError as error:
                raise _failed(error, path) from None
        assert self._open is not None
        return self._open

    def _readable(self) -> BinaryIO:
        if self._plain_mode in ("w", "a"):
            raise _errors.PermissionDeniedError(None, None, "File isn't open for reading")
        return self._file()

    def _text(self, data: bytes) -> Any:
        return data if self._binary else data.decode()

    def size(self) -> int:
        """The number of bytes."""
        return Stat(self._name).length

    def write(self, file_content: Any) -> None:
        """Appends text (as UTF-8) or bytes."""
        if self._plain_mode == "r":
            raise _errors.PermissionDeniedError(None, None, "File isn't open for writing")
        self._file().write(_as_bytes(file_content))

    def read(self, n: int = -1) -> Any:
        """So many bytes, or all that are left; as text unless the mode has a b."""
        return self._text(self._readable().read(n))

    def readline(self) -> Any:
        """The next line with its end, empty at the end of the file."""
        return self._text(self._readable().readline())

    def readlines(self) -> list[Any]:
        return [self._text(line) for line in self._readable().readlines()]

    def seek(self, offset: int | None = None, whence: int = 0, position: int | None = None) -> None:
        """Goes to an offset in bytes from the start (whence 0), from here (1) or from the end (2).

        Args:
          position: the old name of `offset`.
        """
        if whence not in (0, 1, 2):
            raise _errors.InvalidArgumentError(
                None, None, f"Invalid whence argument: {whence}. Valid values are 0, 1, or 2."
            )
        where = position if offset is None else offset
        if where is None:
            raise TypeError("seek(): offset argument required")
        self._readable().seek(where, whence)

    def tell(self) -> int:
        """The offset in bytes of what is read or written next."""
        return self._file().tell()

    def flush(self) -> None:
        if self._open is not None and self._plain_mode != "r":
            self._open.flush()

    def close(self) -> None:
        """Closes the file. A later use opens it again."""
        if self._open is not None:
            self._open.close()
            self._open = None

    def seekable(self) -> bool:
        return True

    def __enter__(self) -> GFile:
        return self

    def __exit__(self, *exc: Any) -> None:
        self.close()

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        line = self.readline()
        if not line:
            raise StopIteration
        return line

    next = __next__

    def __del__(self) -> None:
        if getattr(self, "_open", None) is not None:
            self.close()


Open = GFile


class FastGFile(GFile):
    """As `GFile`."""


@_attrs.frozen
class FileStatistics:
    """What `Stat` tells: the length in bytes, the time of the last change in ns, whether it is a directory."""

    length: int
    mtime_nsec: int
    is_directory: bool


def _missing(path: str) -> _errors.NotFoundError:
    return _errors.NotFoundError(None, None, f"{path}; No such file or directory")


def Stat(filename: Any) -> FileStatistics:  # noqa: N802 - TensorFlow's name
    """The length of a file and more. NotFoundError if there is none."""
    path = _path(filename)
    try:
        found = _os.stat(path)
    except OSError as error:
        raise _failed(error, path) from None
    return FileStatistics(found.st_size, found.st_mtime_ns, _os.path.isdir(path))


def Exists(filename: Any) -> bool:  # noqa: N802
    """Whether there is a file or directory of this name."""
    return _os.path.exists(_path(filename))


def IsDirectory(dirname: Any) -> bool:  # noqa: N802
    return _os.path.isdir(_path(dirname))


def MkDir(dirname: Any) -> None:  # noqa: N802
    """Makes a directory, unless it is there. NotFoundError if the one around it isn't."""
    path = _path(dirname)
    try:
        if not _os.path.isdir(path):
            _os.mkdir(path)
    except OSError as error:
        raise _failed(error, path) from None


def MakeDirs(dirname: Any) -> None:  # noqa: N802
    """Makes a directory and those around it, unless they are there. FailedPreconditionError if one is a file."""
    path = _path(dirname)
    try:
        _os.makedirs(path, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        while path and not _os.path.isfile(path):
            path = _os.path.dirname(path)
        raise _errors.FailedPreconditionError(None, None, f"{path} is not a directory") from None
    except OSError as error:
        raise _failed(error, path) from None


def ListDirectory(dirname: Any) -> list[str]:  # noqa: N802
    """The names in a directory, in no order. NotFoundError if there is none."""
    path = _path(dirname)
    if not _os.path.isdir(path):
        raise _errors.NotFoundError(None, None, f"Could not find directory {path}")
    try:
        return _os.listdir(path)
    except OSError as error:
        raise _failed(error, path) from None


def Walk(  # noqa: N802
    top: Any, in_order: bool = True
) -> Iterator[tuple[str, list[str], list[str]]]:
    """For `top` and each directory below it: its path, the names of directories in it, the names of files in it.

    Args:
      in_order: a directory comes before those in it, else after them.
    """
    yield from _os.walk(_path(top), topdown=in_order)


def Glob(filename: Any) -> list[str]:  # noqa: N802
    """The paths that match a pattern, or one of a list of patterns; * and ? stay within one directory."""
    patterns = filename if isinstance(filename, list | tuple) else [filename]
    found: list[str] = []
    for pattern in map(_path, patterns):
        # As TensorFlow has it, a bare pattern with a wildcard gives ./names.
        bare = "/" not in pattern and _glob.has_magic(pattern)
        found += _glob.glob(f"./{pattern}" if bare else pattern, include_hidden=True)
    return found


def Remove(filename: Any) -> None:  # noqa: N802
    """Deletes a file. NotFoundError if there is none, FailedPreconditionError for a directory."""
    path = _path(filename)
    try:
        _os.remove(path)
    except OSError as error:
        raise _failed(error, path) from None


def DeleteRecursively(dirname: Any) -> None:  # noqa: N802
    """Deletes a directory with all that is in it, or a file. NotFoundError if there is none."""
    path = _path(dirname)
    if not _os.path.lexists(path):
        raise _errors.NotFoundError(None, None, f"{path} not found")
    try:
        if _os.path.isdir(path) and not _os.path.islink(path):
            _shutil.rmtree(path)
        else:
            _os.remove(path)
    except OSError as error:
        raise _failed(error, path) from None


def _check_new(path: str, overwrite: bool) -> None:
    if not overwrite and _os.path.exists(path):
        raise _errors.AlreadyExistsError(None, None, "file already exists")


def Copy(oldpath: Any, newpath: Any, overwrite: bool = False) -> None:  # noqa: N802
    """Copies a file. AlreadyExistsError if there is one of the new name and it may not be overwritten."""
    old, new = _path(oldpath), _path(newpath)
    _check_new(new, overwrite)
    if not _os.path.exists(old):
        raise _missing(old)
    if _os.path.isdir(old):
        raise _errors.InvalidArgumentError(None, None, f"{new}; Invalid argument")
    try:
        _shutil.copyfile(old, new)
    except OSError as error:
        raise _failed(error, new) from None


def Rename(oldname: Any, newname: Any, overwrite: bool = False) -> None:  # noqa: N802
    """Renames or moves a file or directory; see `Copy`."""
    old, new = _path(oldname), _path(newname)
    _check_new(new, overwrite)
    try:
        _os.replace(old, new)
    except OSError as error:
        raise _failed(error, old) from None
