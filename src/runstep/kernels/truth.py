"""What TensorFlow takes for true."""

from __future__ import annotations

from typing import Any

import numpy as np


def truth(x: Any) -> bool:
    """Whether TensorFlow takes a value for true: a number unlike 0, a string or array that is not empty."""
    if isinstance(x, np.ndarray) and x.ndim:
        return x.size > 0
    return bool(x[()] if isinstance(x, np.ndarray) else x)
