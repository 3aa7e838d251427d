"""`tf.linalg`: linear algebra (source: tf.compat.v1.linalg)."""

from runstep.ops.arithmetic import (
    cross as cross,
)
from runstep.ops.contraction import (
    einsum as einsum,
    tensordot as tensordot,
)
from runstep.ops.creation import (
    diag as tensor_diag,
    eye as eye,
)
from runstep.ops.matmul import (
    matvec as matvec,
)
from runstep.ops.matrix_diag import (
    matrix_band_part as band_part,
    matrix_diag as diag,
    matrix_diag_part as diag_part,
    matrix_set_diag as set_diag,
)
from runstep.ops.nn_statistics import (
    l2_normalize as l2_normalize,
)
from runstep.ops.norms import (
    global_norm as global_norm,
    norm as norm,
)
from runstep.ops.rearranging import (
    matrix_transpose as transpose,
)
