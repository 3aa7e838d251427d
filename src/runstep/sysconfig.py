"""`tf.sysconfig`: how the library was built (source: tf.compat.v1.sysconfig). There is nothing to link to."""

from __future__ import annotations

import os
from typing import NoReturn

from runstep.version import CXX11_ABI_FLAG, CXX_VERSION, MONOLITHIC_BUILD

__all__ = [
    "CXX11_ABI_FLAG",
    "CXX_VERSION",
    "MONOLITHIC_BUILD",
    "get_build_info",
    "get_compile_flags",
    "get_include",
    "get_lib",
    "get_link_flags",
]


def get_lib() -> str:
    """The folder of the package."""
    import runstep

    return os.path.dirname(os.path.abspath(runstep.__file__))


def get_build_info() -> dict[str, bool]:
    """Nothing is built for any accelerator."""
    return {"is_cuda_build": False, "is_rocm_build": False, "is_tensorrt_build": False}


def _refuse() -> NoReturn:
    raise NotImplementedError(
        "runstep has no C++ headers and no library to link ops with. A kernel is a Python function: see "
        "runstep.kernels.registry, or use tf.py_func."
    )


def get_include() -> str:
    """Raises NotImplementedError: there are no headers."""
    _refuse()


def get_compile_flags() -> list[str]:
    """Raises NotImplementedError: there are no headers."""
    _refuse()


def get_link_flags() -> list[str]:
    """Raises NotImplementedError: there is no library."""
    _refuse()
