"""`tf.python_io`: TFRecord files, read and written outside of graphs (source: tf.compat.v1.python_io)."""

from runstep.io.record_files import (
    TFRecordCompressionType,
    TFRecordOptions,
    TFRecordWriter,
    tf_record_iterator,
)

__all__ = [
    "TFRecordCompressionType",
    "TFRecordOptions",
    "TFRecordWriter",
    "tf_record_iterator",
]
