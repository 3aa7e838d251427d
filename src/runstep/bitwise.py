"""`tf.bitwise`: bits (source: tf.compat.v1.bitwise)."""

from runstep.ops.bitwise import (
    bitwise_and as bitwise_and,
)
from runstep.ops.bitwise import (
    bitwise_or as bitwise_or,
)
from runstep.ops.bitwise import (
    bitwise_xor as bitwise_xor,
)
from runstep.ops.bitwise import (
    invert as invert,
)
from runstep.ops.bitwise import (
    left_shift as left_shift,
)
from runstep.ops.bitwise import (
    right_shift as right_shift,
)
