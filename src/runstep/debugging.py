"""`tf.debugging`: checks (source: tf.compat.v1.debugging)."""

from runstep.ops.elementwise import (
    is_finite as is_finite,
)
from runstep.ops.elementwise import (
    is_inf as is_inf,
)
from runstep.ops.elementwise import (
    is_nan as is_nan,
)
from runstep.ops.logging import (
    Assert as Assert,
)
from runstep.ops.reduction import (
    is_non_decreasing as is_non_decreasing,
)
from runstep.ops.reduction import (
    is_strictly_increasing as is_strictly_increasing,
)
from runstep.ops.selecting import (
    check_numerics as check_numerics,
)
from runstep.ops.selecting import (
    verify_tensor_all_finite as assert_all_finite,
)
