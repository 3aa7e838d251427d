"""`tf.sets`: sets (source: tf.compat.v1.sets)."""

from runstep.ops.sets import (
    set_difference as difference,
)
from runstep.ops.sets import (
    set_difference as set_difference,
)
from runstep.ops.sets import (
    set_intersection as intersection,
)
from runstep.ops.sets import (
    set_intersection as set_intersection,
)
from runstep.ops.sets import (
    set_size as set_size,
)
from runstep.ops.sets import (
    set_size as size,
)
from runstep.ops.sets import (
    set_union as set_union,
)
from runstep.ops.sets import (
    set_union as union,
)
