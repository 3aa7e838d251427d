"""How close is close: two values of one dtype."""

from __future__ import annotations

from typing import Any

import numpy as np

from runstep.graph.dtypes import DType
from runstep.testing.rows import Tolerance

# Relative, absolute. Two units in the last place of the short types; TensorFlow sums in another order than numpy in the
# long ones.
_DEFAULT = {
    "float16": (2e-3, 1e-6),
    "bfloat16": (1.6e-2, 1e-6),
    "float32": (1e-5, 1e-6),
    "complex64": (1e-5, 1e-6),
    "float64": (1e-12, 1e-12),
    "complex128": (1e-12, 1e-12),
    "float8_e5m2": (0.5, 1e-6),
    "float8_e4m3fn": (0.25, 1e-6),
}


def tolerance(kind: DType, rtol: Tolerance, atol: Tolerance) -> tuple[float, float]:
    """The relative and absolute tolerance for `kind`: the row's where it is wider than the default."""
    relative, absolute = _DEFAULT.get(kind.name, (0.0, 0.0))

    def wider(least: float, asked: Tolerance) -> float:
        if asked is None:
            return least
        return max(least, asked.get(kind.name, 0.0) if not isinstance(asked, (int, float)) else asked)

    return wider(relative, rtol), wider(absolute, atol)


def differences(ours: Any, theirs: Any, kind: DType, rtol: Tolerance, atol: Tolerance) -> str | None:
    """None when the values agree, else what differs. Shapes and dtypes must be equal, NaN stand in the same places."""
    mine, want = np.asarray(ours), np.asarray(theirs)
    if mine.dtype != want.dtype:
        return f"dtype {mine.dtype}, TensorFlow has {want.dtype}"
    if mine.shape != want.shape:
        return f"shape {mine.shape}, TensorFlow has {want.shape}"
    if kind.is_floating or kind.is_complex:
        relative, absolute = tolerance(kind, rtol, atol)
        wide = np.complex128 if kind.is_complex else np.float64
        with np.errstate(all="ignore"):
            close = np.isclose(mine.astype(wide), want.astype(wide), relative, absolute, equal_nan=True)
    else:
        close = np.asarray(mine == want, dtype=bool)
    if close.all():
        return None
    wrong = np.argwhere(~close)
    lines = [f"{len(wrong)} of {mine.size} elements differ"]
    for place in wrong[:5]:
        index = tuple(place.tolist())
        lines.append(f"  at {list(index)}: {mine[index]!r}, TensorFlow has {want[index]!r}")
    return "\n".join(lines)
