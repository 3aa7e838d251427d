"""`tf.summary`: summaries (source: tf.compat.v1.summary)."""

from runstep.ops.control_flow import (
    merge as merge,
)
from runstep.ops.summary import (
    tensor_summary as tensor_summary,
)
