"""`tf.summary`: summaries (source: tf.compat.v1.summary)."""

from runstep.ops.summary import (
    histogram_summary as histogram,
    image_summary as image,
    merge_all_summaries as merge_all,
    merge_summary as merge,
    scalar_summary as scalar,
    tensor_summary as tensor_summary,
    text_summary as text,
)
