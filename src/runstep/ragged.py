"""`tf.ragged`: ragged tensors (source: tf.compat.v1.ragged)."""

from runstep.ops.ragged_placeholder import (
    ragged_placeholder as placeholder,
)

__all__ = [
    "placeholder",
]
