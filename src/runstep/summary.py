"""`tf.summary`: summaries (source: tf.compat.v1.summary)."""

from runstep.ops.summary import (
    histogram_summary as histogram,
    image_summary as image,
    merge_all_summaries as merge_all,
    merge_summary as merge,
    scalar_summary as scalar,
    tensor_summary,
    text_summary as text,
)

__all__ = [
    "histogram",
    "image",
    "merge",
    "merge_all",
    "scalar",
    "tensor_summary",
    "text",
]
