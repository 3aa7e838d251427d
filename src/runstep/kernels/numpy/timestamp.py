"""The clock's time, when a step asks for it."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from runstep.kernels.registry import numpy_kernel


@numpy_kernel("Timestamp")
def timestamp() -> Any:
    return np.array(time.time())
