"""`tf.strings`: strings (source: tf.compat.v1.strings)."""

from runstep.ops.hashing import (
    string_to_hash_bucket as to_hash_bucket,
)
from runstep.ops.hashing import (
    string_to_hash_bucket_fast as to_hash_bucket_fast,
)
from runstep.ops.hashing import (
    string_to_hash_bucket_strong as to_hash_bucket_strong,
)
from runstep.ops.regex import (
    regex_full_match as regex_full_match,
)
from runstep.ops.regex import (
    regex_replace as regex_replace,
)
from runstep.ops.string_parts import (
    reduce_join as reduce_join,
)
from runstep.ops.string_parts import (
    string_bytes_split as bytes_split,
)
from runstep.ops.string_parts import (
    string_ngrams as ngrams,
)
from runstep.ops.string_parts import (
    string_split_v2 as split,
)
from runstep.ops.string_parts import (
    unsorted_segment_join as unsorted_segment_join,
)
from runstep.ops.strings import (
    as_string as as_string,
)
from runstep.ops.strings import (
    string_format as format,
)
from runstep.ops.strings import (
    string_join as join,
)
from runstep.ops.strings import (
    string_length as length,
)
from runstep.ops.strings import (
    string_lower as lower,
)
from runstep.ops.strings import (
    string_strip as strip,
)
from runstep.ops.strings import (
    string_to_number as to_number,
)
from runstep.ops.strings import (
    string_upper as upper,
)
