"""`tf.manip`: rearranging (source: tf.compat.v1.manip)."""

from runstep.ops.indexing import (
    gather_nd as gather_nd,
    scatter_nd as scatter_nd,
)
from runstep.ops.joining import (
    tile as tile,
)
from runstep.ops.rearranging import (
    batch_to_space_nd as batch_to_space_nd,
    reverse_v2 as reverse,
    roll as roll,
    space_to_batch_nd as space_to_batch_nd,
)
from runstep.ops.shape_ops import (
    reshape as reshape,
)
