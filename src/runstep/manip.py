"""`tf.manip`: rearranging (source: tf.compat.v1.manip)."""

from runstep.ops.indexing import (
    gather_nd,
    scatter_nd,
)
from runstep.ops.joining import (
    tile,
)
from runstep.ops.rearranging import (
    batch_to_space_nd,
    reverse_v2 as reverse,
    roll,
    space_to_batch_nd,
)
from runstep.ops.shape_ops import (
    reshape,
)

__all__ = [
    "batch_to_space_nd",
    "gather_nd",
    "reshape",
    "reverse",
    "roll",
    "scatter_nd",
    "space_to_batch_nd",
    "tile",
]
