"""`tf.train`: training (source: tf.compat.v1.train)."""

from runstep.variables.global_step import (
    assert_global_step,
    create_global_step,
    get_global_step,
    get_or_create_global_step,
    global_step,
)
from runstep.variables.moving_average import (
    ExponentialMovingAverage,
)

__all__ = [
    "ExponentialMovingAverage",
    "assert_global_step",
    "create_global_step",
    "get_global_step",
    "get_or_create_global_step",
    "global_step",
]
