"""`tf.dtypes`: element types (source: tf.compat.v1.dtypes)."""

from runstep.graph.dtypes import (
    DType,
    as_dtype,
)
from runstep.ops.cast import (
    cast,
    complex,
    saturate_cast,
)
from runstep.ops.strings import (
    as_string,
)

__all__ = [
    "DType",
    "as_dtype",
    "as_string",
    "cast",
    "complex",
    "saturate_cast",
]
