"""`tf.sparse`: sparse tensors (source: tf.compat.v1.sparse)."""

from runstep.ops.basic import (
    sparse_placeholder as placeholder,
)
from runstep.ops.sparse_segment import (
    sparse_segment_mean as segment_mean,
    sparse_segment_sqrt_n as segment_sqrt_n,
    sparse_segment_sum as segment_sum,
)
