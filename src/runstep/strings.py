"""`tf.strings`: strings (source: tf.compat.v1.strings)."""

from runstep.ops.hashing import (
    string_to_hash_bucket as to_hash_bucket,
    string_to_hash_bucket_fast as to_hash_bucket_fast,
    string_to_hash_bucket_strong as to_hash_bucket_strong,
)
from runstep.ops.regex import (
    regex_full_match as regex_full_match,
    regex_replace as regex_replace,
)
from runstep.ops.string_parts import (
    reduce_join as reduce_join,
    string_bytes_split as bytes_split,
    string_ngrams as ngrams,
    string_split as split,
    unsorted_segment_join as unsorted_segment_join,
)
from runstep.ops.strings import (
    as_string as as_string,
    string_format as format,
    string_join as join,
    string_length as length,
    string_lower as lower,
    string_strip as strip,
    string_to_number as to_number,
    string_upper as upper,
)
