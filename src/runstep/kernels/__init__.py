"""Kernels: how each kind of device computes the ops."""

from __future__ import annotations

from runstep.kernels.registry import KernelTable, numpy_kernel


def cpu_kernels() -> KernelTable:
    """The CPU's table, with every row in it (the kernels are imported on first use, to keep `import runstep` fast)."""
    import runstep.kernels.numpy.table  # noqa: F401

    return numpy_kernel
