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
from runstep.ops.linalg_composed import (
    expm as expm,
    matrix_rank as matrix_rank,
    pinv as pinv,
)
from runstep.ops.linalg_functions import (
    adjoint as adjoint,
    cholesky as cholesky,
    cholesky_solve as cholesky_solve,
    logdet as logdet,
    logm as logm,
    lu as lu,
    lu_matrix_inverse as lu_matrix_inverse,
    lu_reconstruct as lu_reconstruct,
    lu_solve as lu_solve,
    matrix_determinant as det,
    matrix_inverse as inv,
    matrix_solve as solve,
    matrix_solve_ls as lstsq,
    matrix_square_root as sqrtm,
    matrix_triangular_solve as triangular_solve,
    qr as qr,
    self_adjoint_eig as eigh,
    self_adjoint_eigvals as eigvalsh,
    slogdet as slogdet,
    svd as svd,
    tridiagonal_matmul as tridiagonal_matmul,
    tridiagonal_solve as tridiagonal_solve,
)
from runstep.ops.matmul import (
    matmul as matmul,
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
    trace as trace,
)
from runstep.ops.rearranging import (
    matrix_transpose as matrix_transpose,
    matrix_transpose as transpose,
)
