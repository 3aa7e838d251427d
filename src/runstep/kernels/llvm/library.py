"""Finds LLVM: the package `llvmlite`, which `pip install runstep[llvm]` brings. `RUNSTEP_LLVM=0` leaves it alone.

Importing it takes a tenth of a second and 80 MB, so it is imported when the first loop has proved worth compiling.
"""

from __future__ import annotations

import functools
import os
import threading
from importlib import metadata
from typing import Any

VARIABLE = "RUNSTEP_LLVM"
_OFF = frozenset(("0", "off", "no", "false"))
_LEAST = (0, 45)
_LEVEL = 3  # of LLVM's -O levels: the one that makes loops of vector instructions

_lock = threading.Lock()


@functools.cache
def is_there() -> bool:
    """Whether loops can be compiled here."""
    if os.environ.get(VARIABLE, "").lower() in _OFF:
        return False
    try:
        version = metadata.version("llvmlite")
    except metadata.PackageNotFoundError:
        return False
    return tuple(map(int, version.split(".")[:2])) >= _LEAST


@functools.cache
def _host() -> tuple[Any, Any, str, str]:
    """LLVM's binding, and this machine: its architecture, CPU and that CPU's features."""
    from llvmlite import binding

    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    features = binding.get_host_cpu_features().flatten()
    return binding, binding.Target.from_default_triple(), binding.get_host_cpu_name(), features


class Compiled:
    """Machine code. It is there as long as this object is."""

    def __init__(self, source: str, name: str) -> None:
        """`source` is a module of LLVM's assembly language, `name` the function in it to call."""
        with _lock:
            binding, target, cpu, features = _host()
            machine = target.create_target_machine(opt=_LEVEL, cpu=cpu, features=features)  # the engine will own it
            module = binding.parse_assembly(source)
            module.verify()
            options = binding.create_pipeline_tuning_options(speed_level=_LEVEL)
            options.loop_vectorization = True
            builder = binding.create_pass_builder(machine, options)
            builder.getModulePassManager().run(module, builder)
            self._engine = binding.create_mcjit_compiler(module, machine)
            self._engine.finalize_object()
            self.address: int = self._engine.get_function_address(name)
