"""Running sums, products and log-sums along an axis."""

from __future__ import annotations

from typing import Any

import numpy as np

from runstep import errors
from runstep.kernels.registry import Kernel, Node, numpy_kernel


def _axis(x: Any, axis: Any) -> int:
    if axis.ndim:
        text = f"ScanOp: axis must be a scalar, not [{','.join(map(str, axis.shape))}]"
        raise errors.InvalidArgumentError(None, None, text)
    where = int(axis)
    if not -x.ndim <= where < x.ndim:
        text = f"ScanOp: Expected scan axis in the range [{-x.ndim}, {x.ndim}), but got {where}"
        raise errors.InvalidArgumentError(None, None, text)
    return where + x.ndim if where < 0 else where


def _register_scan(op: str, ufunc: np.ufunc, start: float) -> None:
    @numpy_kernel.make(op)
    def make(node: Node) -> Kernel:
        kind = node.output_types[0].np
        exclusive, reverse = node.attrs["exclusive"], node.attrs["reverse"]
        accumulate = ufunc.accumulate

        def scan(x: Any, axis: Any) -> Any:
            where = _axis(x, axis)
            if not exclusive and not reverse:
                return accumulate(x, where, kind)
            before = (slice(None),) * where
            backwards = (*before, slice(None, None, -1))
            if reverse:
                x = x[backwards]
            if exclusive:
                out = np.empty(x.shape, kind)
                if x.size:
                    out[(*before, slice(0, 1))] = start
                    accumulate(x[(*before, slice(None, -1))], where, kind, out[(*before, slice(1, None))])
            else:
                out = accumulate(x, where, kind)
            return out[backwards] if reverse else out

        return scan


_register_scan("Cumsum", np.add, 0)
_register_scan("Cumprod", np.multiply, 1)
_register_scan("CumulativeLogsumexp", np.logaddexp, -np.inf)
