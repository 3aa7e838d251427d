"""`tf.io`: reading and writing (source: tf.compat.v1.io)."""

from runstep.ops.data_flow import (
    PaddingFIFOQueue,
    PriorityQueue,
    QueueBase,
    RandomShuffleQueue,
)
from runstep.ops.decoding import (
    decode_csv,
    decode_json_example,
    decode_raw,
    parse_tensor,
    serialize_tensor,
)
from runstep.ops.io import (
    matching_files,
    read_file,
    write_file,
)
from runstep.ops.parsing_functions import (
    FixedLenFeature,
    FixedLenSequenceFeature,
    SparseFeature,
    VarLenFeature,
    parse_example,
    parse_sequence_example,
    parse_single_example,
    parse_single_sequence_example,
)
from runstep.ops.sparse_serial import (
    deserialize_many_sparse,
    serialize_many_sparse,
    serialize_sparse,
)
from runstep.ops.strings import (
    decode_base64,
    encode_base64,
)

__all__ = [
    "FixedLenFeature",
    "FixedLenSequenceFeature",
    "PaddingFIFOQueue",
    "PriorityQueue",
    "QueueBase",
    "RandomShuffleQueue",
    "SparseFeature",
    "VarLenFeature",
    "decode_base64",
    "decode_csv",
    "decode_json_example",
    "decode_raw",
    "deserialize_many_sparse",
    "encode_base64",
    "matching_files",
    "parse_example",
    "parse_sequence_example",
    "parse_single_example",
    "parse_single_sequence_example",
    "parse_tensor",
    "read_file",
    "serialize_many_sparse",
    "serialize_sparse",
    "serialize_tensor",
    "write_file",
]
