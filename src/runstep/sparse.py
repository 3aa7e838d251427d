"""`tf.sparse`: sparse tensors (source: tf.compat.v1.sparse)."""

