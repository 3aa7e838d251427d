"""The threads of numpy's BLAS while steps run.

A model is hundreds of small matrix products. OpenBLAS splits each over all cores and lets its threads spin for the next
one: a little faster on an idle machine, ten to a hundred times slower as soon as anything else wants a core. So while a
step with matrix products runs, BLAS works on one thread, and products that are worth it (`LARGE`) are split here, among
threads that sleep while there is nothing to do. The process' own setting is back when no step runs.
`intra_op_parallelism_threads` sets how many threads one product gets.
"""

from __future__ import annotations

import ctypes
import functools
import os
import threading
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

LARGE = 1 << 22
"""Multiplications from which a matrix product is split among threads: some 80 microseconds on one."""

SMALL = 9216
"""Multiplications below which OpenBLAS never uses a second thread, so that nobody needs to tell it not to: its limit
for a matrix times a vector; that for two matrices is higher."""

_UNIT = 16
"""Rows or columns of a part are a multiple of this: BLAS works on so many at once."""

OPS = frozenset(
    "MatMul BatchMatMul BatchMatMulV2 BatchMatMulV3 Einsum Conv2D Conv3D Conv _FusedConv2D _FusedMatMul FusedPadConv2D "
    "FusedResizeAndPadConv2D Conv2DBackpropInput Conv2DBackpropFilter Conv3DBackpropInputV2 Conv3DBackpropFilterV2 "
    "DepthwiseConv2dNative DepthwiseConv2dNativeBackpropInput DepthwiseConv2dNativeBackpropFilter "
    "_FusedDepthwiseConv2dNative "
    "Mean Sum LSTMBlockCell BlockLSTM BlockLSTMV2 GRUBlockCell SparseTensorDenseMatMul Cholesky MatrixSolve "
    "MatrixInverse QuantizedMatMul QuantizedConv2D "
    "MatrixTriangularSolve Qr Svd".split()
)
"""The ops whose kernels call BLAS."""


_HOLDING = frozenset("MatMul BatchMatMul BatchMatMulV2 BatchMatMulV3 Mean Sum".split())
"""Those whose kernels say so (`hold`) before they have BLAS do more than `SMALL`: a step of small ones saves that."""

# OpenBLAS under the names that numpy's wheels, conda and distributions give it.
_NAMES = (
    "scipy_openblas_{}_num_threads64_",
    "scipy_openblas_{}_num_threads",
    "openblas_{}_num_threads64_",
    "openblas_{}_num_threads",
)
_Control = tuple[Callable[[int], object], Callable[[], int]]


@functools.cache
def _control() -> _Control | None:
    """The functions that set and tell the number of threads of the BLAS library that numpy uses; None if unknown."""
    import numpy.linalg  # noqa: F401 - loads it

    try:
        with open("/proc/self/maps") as maps:
            paths = {line.split(maxsplit=5)[5].strip() for line in maps if "/" in line}
    except OSError:
        return None
    for path in sorted(path for path in paths if "openblas" in path.lower()):
        library = ctypes.PyDLL(path)  # the calls are so short that letting go of the interpreter costs more
        for name in _NAMES:
            if hasattr(library, name.format("set")):
                return getattr(library, name.format("set")), getattr(library, name.format("get"))
    return None


_lock = threading.Lock()
_steps = 0
_usual = 1
_allowed = 0
_cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
_inside: dict[int, bool] = {}
"""The threads that are in functions that are `limited`, and whether BLAS is on one thread for them."""


def of_a_large_product() -> int:
    """How many threads a large product gets, when it is the only one that runs."""
    control = _control()
    with _lock:
        return 1 if control is None else _usual if _steps else control[1]()


def set_threads(count: int) -> None:
    """Lets BLAS use `count` threads from now on, in the whole process (as TensorFlow's own setting is)."""
    global _usual, _allowed
    control = _control()
    _usual = _allowed = count
    if control is not None:
        with _lock:
            control[0](1 if _steps else count)


def threads() -> int:
    """How many threads one kernel may use: what `set_threads` was told last, or all cores."""
    return _allowed or _cores


def _begin() -> None:
    global _steps, _usual
    control = _control()
    with _lock:
        _steps += 1
        if _steps == 1 and control is not None:
            _usual = control[1]()
            if _usual > 1:
                control[0](1)


def _end() -> None:
    global _steps
    control = _control()
    with _lock:
        _steps -= 1
        if not _steps and control is not None and _usual > 1:
            control[0](_usual)


def hold() -> None:
    """Puts BLAS on one thread until the `limited` function returns that this thread is in, if it is in one."""
    here = threading.get_ident()
    if not _inside.get(here, True):
        _inside[here] = True
        _begin()


def limited(run: Callable[..., Any], at_once: bool = True) -> Callable[..., Any]:
    """The same function, with BLAS on one thread while it runs; if not `at_once`, from when a kernel calls `hold`."""

    def with_one_thread(*args: Any) -> Any:
        here = threading.get_ident()
        if here in _inside:
            if at_once:
                hold()
            return run(*args)
        try:
            _inside[here] = False
            if at_once:
                hold()
            return run(*args)
        finally:
            if _inside.pop(here, False):
                _end()

    return with_one_thread


def limited_for(ops: Iterable[str], run: Callable[..., Any]) -> Callable[..., Any]:
    """`run`, whose nodes are of these ops: `limited` if one of them calls BLAS. The op of a chain is that which it
    begins with (`_Conv2DChain`)."""
    called = {op[1:-5] if op.endswith("Chain") else op for op in ops} & OPS
    return limited(run, at_once=not called <= _HOLDING) if called else run


def matmul(a: np.ndarray, b: np.ndarray, out: np.ndarray | None = None) -> Any:
    """`np.matmul` of matrices, or of stacks of them. A large product is split into several, which go to all threads
    while no other thread is in a step with products: then each has a core of its own to work on."""
    work = a.size * b.shape[-1]
    if work >= SMALL:
        hold()
    if work < LARGE or _usual < 2 or len(_inside) > 1:
        return np.matmul(a, b) if out is None else np.matmul(a, b, out=out)
    return _split(a, b, out)


def _split(a: np.ndarray, b: np.ndarray, out: np.ndarray | None) -> Any:
    """In parts that depend on the shapes alone, so that results do not depend on who computes them."""
    from runstep.kernels import parallel

    rows, columns = a.shape[-2], b.shape[-1]
    if a.dtype != b.dtype or a.shape[:-2] != b.shape[:-2] or a.dtype.kind not in "fc" or a.shape[-1] != b.shape[-2]:
        return np.matmul(a, b, out=out)
    if out is None:
        out = np.empty((*a.shape[:-1], columns), a.dtype)
    items = len(a) if a.ndim > 2 else max(rows, columns)
    by_columns = a.ndim == 2 and columns > rows
    count = min(threads(), max(2, 2 * a.size * columns // LARGE), items)
    share = -(-items // count)
    if a.ndim == 2:
        share = -(-share // _UNIT) * _UNIT
        count = -(-items // share)

    def work(first: int, last: int) -> None:
        for index in range(first, last):
            part = slice(index * share, (index + 1) * share)
            if by_columns:
                np.matmul(a, b[:, part], out=out[:, part])
            else:
                np.matmul(a[part], b if a.ndim == 2 else b[part], out=out[part])

    parallel.split(count, work)
    return out
