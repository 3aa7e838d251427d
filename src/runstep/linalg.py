"""`tf.linalg`: linear algebra (source: tf.compat.v1.linalg)."""

from runstep.ops.arithmetic import (
    cross,
)
from runstep.ops.contraction import (
    einsum,
    tensordot,
)
from runstep.ops.creation import (
    diag as tensor_diag,
    diag_part as tensor_diag_part,
    eye,
)
from runstep.ops.linalg_composed import (
    eigh_tridiagonal,
    expm,
    matrix_rank,
    pinv,
)
from runstep.ops.linalg_functions import (
    adjoint,
    cholesky,
    cholesky_solve,
    logdet,
    logm,
    lu,
    lu_matrix_inverse,
    lu_reconstruct,
    lu_solve,
    matrix_determinant as det,
    matrix_inverse as inv,
    matrix_solve as solve,
    matrix_solve_ls as lstsq,
    matrix_square_root as sqrtm,
    matrix_triangular_solve as triangular_solve,
    qr,
    self_adjoint_eig as eigh,
    self_adjoint_eigvals as eigvalsh,
    slogdet,
    svd,
    tridiagonal_matmul,
    tridiagonal_solve,
)
from runstep.ops.matmul import (
    matmul,
    matvec,
)
from runstep.ops.matrix_diag import (
    matrix_band_part as band_part,
    matrix_diag as diag,
    matrix_diag_part as diag_part,
    matrix_set_diag as set_diag,
)
from runstep.ops.nn_statistics import (
    l2_normalize,
)
from runstep.ops.norms import (
    global_norm,
    norm,
    normalize,
    trace,
)
from runstep.ops.rearranging import (
    matrix_transpose,
    matrix_transpose as transpose,
)

__all__ = [
    "adjoint",
    "band_part",
    "cholesky",
    "cholesky_solve",
    "cross",
    "det",
    "diag",
    "diag_part",
    "eigh",
    "eigvalsh",
    "einsum",
    "eigh_tridiagonal",
    "expm",
    "eye",
    "global_norm",
    "inv",
    "l2_normalize",
    "logdet",
    "logm",
    "lstsq",
    "lu",
    "lu_matrix_inverse",
    "lu_reconstruct",
    "lu_solve",
    "matmul",
    "matrix_rank",
    "matrix_transpose",
    "matvec",
    "norm",
    "normalize",
    "pinv",
    "qr",
    "set_diag",
    "slogdet",
    "solve",
    "sqrtm",
    "svd",
    "tensor_diag",
    "tensor_diag_part",
    "tensordot",
    "trace",
    "transpose",
    "triangular_solve",
    "tridiagonal_matmul",
    "tridiagonal_solve",
]
