"""Finds and opens oneDNN's shared library.

`RUNSTEP_ONEDNN` names the file, or turns oneDNN off ("0", "off"). Without it we look where the wheels
`onednn-cpu-gomp` and `onednn` put it, then ask the system. A library that is named but can't be used is an error; one
that is merely lying around and doesn't fit is passed over.
"""

from __future__ import annotations

import ctypes
import functools
import os
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from runstep.errors import FailedPreconditionError

VARIABLE = "RUNSTEP_ONEDNN"
_OFF = frozenset(("0", "off", "no", "false"))
_NAMES = {"linux": "libdnnl.so.3", "darwin": "libdnnl.3.dylib", "win32": "dnnl.dll"}
_MAJOR = 3  # the version of the C API that `api` declares
_LEAST = (3, 1)


class Version(NamedTuple):
    """`dnnl_version()`: numbers and what the library was built for."""

    major: int
    minor: int
    patch: int
    cpu_runtime: int


class _CVersion(ctypes.Structure):
    _fields_ = [
        ("major", ctypes.c_int),
        ("minor", ctypes.c_int),
        ("patch", ctypes.c_int),
        ("hash", ctypes.c_char_p),
        ("cpu_runtime", ctypes.c_uint),
        ("gpu_runtime", ctypes.c_uint),
    ]


_RUNTIMES = {1: "sequential", 2: "OpenMP", 4: "TBB"}  # the CPU runtimes that need no callbacks or queues of ours


def version_of(library: ctypes.CDLL) -> Version:
    """What `library` says it is. AttributeError if it isn't oneDNN."""
    function = library.dnnl_version
    function.restype = ctypes.POINTER(_CVersion)
    found = function().contents
    return Version(found.major, found.minor, found.patch, found.cpu_runtime)


def refusal(version: Version) -> str | None:
    """Why a library of this version can't be used; None if it can."""
    if version.major != _MAJOR or version[:2] < _LEAST:
        number = ".".join(map(str, version[:3]))
        return f"it is oneDNN {number}; this build of runstep speaks the C API of 3.x, from 3.1 on"
    if version.cpu_runtime not in _RUNTIMES:
        return "it was built for a CPU runtime other than OpenMP, TBB or sequential"
    return None


def _places() -> Iterator[str]:
    name = _NAMES.get(sys.platform, "libdnnl.so.3")
    folders = [Path(sys.prefix) / "lib", Path(sys.prefix) / "Library" / "bin"]
    for key in ("purelib", "platlib"):
        site = Path(sysconfig.get_paths()[key])
        folders += [site / "onednn" / "lib", site.parent.parent]
    for folder in dict.fromkeys(folders):
        if (folder / name).is_file():
            yield str(folder / name)
    yield name  # wherever the system's loader looks


def open_named(path: str) -> ctypes.CDLL:
    """Opens the library that the user named.

    Raises:
      FailedPreconditionError: it can't be opened, isn't oneDNN, or is of a version with another interface.
    """
    try:
        library = _open(path)
        version = version_of(library)
    except (OSError, AttributeError) as error:
        raise _refused(path, str(error)) from None
    why = refusal(version)
    if why is not None:
        raise _refused(path, why)
    return library


def _refused(path: str, why: str) -> FailedPreconditionError:
    return FailedPreconditionError(
        None,
        None,
        f"{VARIABLE}={path} can't be used: {why}. Name a library of oneDNN 3.x (pip install onednn-cpu-gomp), or set "
        f"{VARIABLE}=0 to run on numpy alone.",
    )


_SPINS = 2000
"""Turns (about 50 microseconds) that an idle thread of GCC's OpenMP spins for its next work. Its default is 300,000:
as soon as another process wants the core, every primitive then waits milliseconds for a thread that isn't running."""


def _open(path: str) -> ctypes.CDLL:
    """Opens a library. The OpenMP runtime that may come with it reads its settings from the environment then."""
    if "GOMP_SPINCOUNT" in os.environ or "OMP_WAIT_POLICY" in os.environ:
        return ctypes.CDLL(path)
    os.environ["GOMP_SPINCOUNT"] = str(_SPINS)
    try:
        return ctypes.CDLL(path)
    finally:
        del os.environ["GOMP_SPINCOUNT"]


def is_off() -> bool:
    """Whether the user turned oneDNN off."""
    return os.environ.get(VARIABLE, "").lower() in _OFF


@functools.cache
def find() -> ctypes.CDLL | None:
    """The library to use, opened; None if there is none or the user turned it off.

    Raises:
      FailedPreconditionError: `RUNSTEP_ONEDNN` names something that can't be used.
    """
    if is_off():
        return None
    named = os.environ.get(VARIABLE, "")
    if named:
        return open_named(named)
    for path in _places():
        try:
            library = _open(path)
            if refusal(version_of(library)) is None:
                return library
        except (OSError, AttributeError):
            continue
    return None
