"""`tf.linalg`: linear algebra (source: tf.compat.v1.linalg)."""

from runstep.ops.arithmetic import (
    cross as cross,
)
from runstep.ops.contraction import (
    einsum as einsum,
)
from runstep.ops.contraction import (
    tensordot as tensordot,
)
from runstep.ops.creation import (
    eye as eye,
)
from runstep.ops.linalg_functions import (
    adjoint as adjoint,
)
from runstep.ops.linalg_functions import (
    cholesky as cholesky,
)
from runstep.ops.linalg_functions import (
    cholesky_solve as cholesky_solve,
)
from runstep.ops.linalg_functions import (
    logdet as logdet,
)
from runstep.ops.linalg_functions import (
    logm as logm,
)
from runstep.ops.linalg_functions import (
    lu as lu,
)
from runstep.ops.linalg_functions import (
    lu_matrix_inverse as lu_matrix_inverse,
)
from runstep.ops.linalg_functions import (
    lu_reconstruct as lu_reconstruct,
)
from runstep.ops.linalg_functions import (
    lu_solve as lu_solve,
)
from runstep.ops.linalg_functions import (
    qr as qr,
)
from runstep.ops.linalg_functions import (
    slogdet as slogdet,
)
from runstep.ops.linalg_functions import (
    svd as svd,
)
from runstep.ops.linalg_functions import (
    tridiagonal_matmul as tridiagonal_matmul,
)
from runstep.ops.linalg_functions import (
    tridiagonal_solve as tridiagonal_solve,
)
from runstep.ops.matmul import (
    matmul as matmul,
)
from runstep.ops.matmul import (
    matvec as matvec,
)
from runstep.ops.nn_statistics import (
    l2_normalize as l2_normalize,
)
from runstep.ops.norms import (
    global_norm as global_norm,
)
from runstep.ops.norms import (
    norm as norm,
)
from runstep.ops.norms import (
    trace as trace,
)
from runstep.ops.rearranging import (
    matrix_transpose as matrix_transpose,
)
