"""`tf.random.experimental`: what is `tf.random`'s now (source: tf.compat.v1.random.experimental)."""

from runstep.ops.random_generator import (
    Algorithm,
    Generator,
    create_rng_state,
    get_global_generator,
    set_global_generator,
)
from runstep.ops.random_stateless import (
    stateless_fold_in,
    stateless_split,
)

__all__ = [
    "Algorithm",
    "Generator",
    "create_rng_state",
    "get_global_generator",
    "set_global_generator",
    "stateless_fold_in",
    "stateless_split",
]
