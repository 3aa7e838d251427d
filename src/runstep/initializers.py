"""`tf.initializers`: initializers (source: tf.compat.v1.initializers)."""

from runstep.ops.lookup import (
    tables_initializer as tables_initializer,
)
