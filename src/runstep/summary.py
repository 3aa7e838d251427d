"""`tf.summary`: summaries (source: tf.compat.v1.summary)."""

from runstep.ops.summary import (
    histogram_summary as histogram,
)
from runstep.ops.summary import (
    image_summary as image,
)
from runstep.ops.summary import (
    merge_all_summaries as merge_all,
)
from runstep.ops.summary import (
    merge_summary as merge,
)
from runstep.ops.summary import (
    scalar_summary as scalar,
)
from runstep.ops.summary import (
    tensor_summary as tensor_summary,
)
from runstep.ops.summary import (
    text_summary as text,
)
