"""`tf.ragged`: ragged tensors (source: tf.compat.v1.ragged)."""

from runstep.graph.composite import (
    RaggedTensorValue,
)
from runstep.ops.ragged import (
    ragged_range as range,
)
from runstep.ops.ragged_placeholder import (
    ragged_placeholder as placeholder,
)

__all__ = [
    "RaggedTensorValue",
    "placeholder",
    "range",
]
