"""`tf.manip`: rearranging (source: tf.compat.v1.manip)."""

from runstep.ops.indexing import (
    gather_nd as gather_nd,
)
from runstep.ops.indexing import (
    scatter_nd as scatter_nd,
)
from runstep.ops.joining import (
    tile as tile,
)
from runstep.ops.rearranging import (
    batch_to_space_nd as batch_to_space_nd,
)
from runstep.ops.rearranging import (
    reverse_v2 as reverse,
)
from runstep.ops.rearranging import (
    roll as roll,
)
from runstep.ops.rearranging import (
    space_to_batch_nd as space_to_batch_nd,
)
from runstep.ops.shape_ops import (
    reshape as reshape,
)
