"""`tf.strings`: strings (source: tf.compat.v1.strings)."""

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
    unsorted_segment_join as unsorted_segment_join,
)
from runstep.ops.strings import (
    as_string as as_string,
)
