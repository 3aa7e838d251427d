"""`tf.ragged`: ragged tensors (source: tf.compat.v1.ragged)."""

from runstep.graph.ragged_tensor import RaggedTensorValue
from runstep.ops.ragged import (
    ragged_range as range,
)
from runstep.ops.ragged_placeholder import (
    ragged_placeholder as placeholder,
)
from runstep.ragged.constants import (
    constant,
    constant_value,
)
from runstep.ragged.flat_values import (
    map_flat_values,
)
from runstep.ragged.gathering import (
    boolean_mask,
    stack_dynamic_partitions,
)
from runstep.ragged.rows import (
    row_splits_to_segment_ids,
    segment_ids_to_row_splits,
)
from runstep.ragged.stacking import (
    stack,
)

__all__ = [
    "RaggedTensorValue",
    "boolean_mask",
    "constant",
    "constant_value",
    "map_flat_values",
    "placeholder",
    "range",
    "row_splits_to_segment_ids",
    "segment_ids_to_row_splits",
    "stack",
    "stack_dynamic_partitions",
]
