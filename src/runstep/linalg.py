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
    diag as tensor_diag,
)
from runstep.ops.creation import (
    eye as eye,
)
from runstep.ops.linalg_composed import (
    expm as expm,
)
from runstep.ops.linalg_composed import (
    matrix_rank as matrix_rank,
)
from runstep.ops.linalg_composed import (
    pinv as pinv,
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
    matrix_determinant as det,
)
from runstep.ops.linalg_functions import (
    matrix_inverse as inv,
)
from runstep.ops.linalg_functions import (
    matrix_solve as solve,
)
from runstep.ops.linalg_functions import (
    matrix_solve_ls as lstsq,
)
from runstep.ops.linalg_functions import (
    matrix_square_root as sqrtm,
)
from runstep.ops.linalg_functions import (
    matrix_triangular_solve as triangular_solve,
)
from runstep.ops.linalg_functions import (
    qr as qr,
)
from runstep.ops.linalg_functions import (
    self_adjoint_eig as eigh,
)
from runstep.ops.linalg_functions import (
    self_adjoint_eigvals as eigvalsh,
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
from runstep.ops.matrix_diag import (
    matrix_band_part as band_part,
)
from runstep.ops.matrix_diag import (
    matrix_diag as diag,
)
from runstep.ops.matrix_diag import (
    matrix_diag_part as diag_part,
)
from runstep.ops.matrix_diag import (
    matrix_set_diag as set_diag,
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
from runstep.ops.rearranging import (
    matrix_transpose as transpose,
)
