"""`tf.sparse`: sparse tensors (source: tf.compat.v1.sparse)."""

from runstep.graph.composite import (
    SparseTensor,
)
from runstep.ops.basic import (
    sparse_placeholder as placeholder,
)
from runstep.ops.sparse_cross import (
    sparse_cross as cross,
)
from runstep.ops.sparse_cross import (
    sparse_cross_hashed as cross_hashed,
)
from runstep.ops.sparse_functions import (
    sparse_add as add,
)
from runstep.ops.sparse_functions import (
    sparse_concat as concat,
)
from runstep.ops.sparse_functions import (
    sparse_expand_dims as expand_dims,
)
from runstep.ops.sparse_functions import (
    sparse_fill_empty_rows as fill_empty_rows,
)
from runstep.ops.sparse_functions import (
    sparse_mask as mask,
)
from runstep.ops.sparse_functions import (
    sparse_maximum as maximum,
)
from runstep.ops.sparse_functions import (
    sparse_merge as merge,
)
from runstep.ops.sparse_functions import (
    sparse_minimum as minimum,
)
from runstep.ops.sparse_functions import (
    sparse_reduce_max as reduce_max,
)
from runstep.ops.sparse_functions import (
    sparse_reduce_max_sparse as reduce_max_sparse,
)
from runstep.ops.sparse_functions import (
    sparse_reduce_sum as reduce_sum,
)
from runstep.ops.sparse_functions import (
    sparse_reduce_sum_sparse as reduce_sum_sparse,
)
from runstep.ops.sparse_functions import (
    sparse_reorder as reorder,
)
from runstep.ops.sparse_functions import (
    sparse_reset_shape as reset_shape,
)
from runstep.ops.sparse_functions import (
    sparse_reshape as reshape,
)
from runstep.ops.sparse_functions import (
    sparse_retain as retain,
)
from runstep.ops.sparse_functions import (
    sparse_slice as slice,
)
from runstep.ops.sparse_functions import (
    sparse_softmax as softmax,
)
from runstep.ops.sparse_functions import (
    sparse_split as split,
)
from runstep.ops.sparse_functions import (
    sparse_tensor_dense_matmul as matmul,
)
from runstep.ops.sparse_functions import (
    sparse_tensor_dense_matmul as sparse_dense_matmul,
)
from runstep.ops.sparse_functions import (
    sparse_tensor_to_dense as to_dense,
)
from runstep.ops.sparse_functions import (
    sparse_to_indicator as to_indicator,
)
from runstep.ops.sparse_functions import (
    sparse_transpose as transpose,
)
from runstep.ops.sparse_making import (
    sparse_eye as eye,
)
from runstep.ops.sparse_making import (
    sparse_from_dense as from_dense,
)
from runstep.ops.sparse_segment import (
    sparse_segment_mean as segment_mean,
)
from runstep.ops.sparse_segment import (
    sparse_segment_sqrt_n as segment_sqrt_n,
)
from runstep.ops.sparse_segment import (
    sparse_segment_sum as segment_sum,
)

__all__ = [
    "SparseTensor",
    "add",
    "concat",
    "cross",
    "cross_hashed",
    "expand_dims",
    "eye",
    "fill_empty_rows",
    "from_dense",
    "mask",
    "matmul",
    "maximum",
    "merge",
    "minimum",
    "placeholder",
    "reduce_max",
    "reduce_max_sparse",
    "reduce_sum",
    "reduce_sum_sparse",
    "reorder",
    "reset_shape",
    "reshape",
    "retain",
    "segment_mean",
    "segment_sqrt_n",
    "segment_sum",
    "slice",
    "softmax",
    "sparse_dense_matmul",
    "split",
    "to_dense",
    "to_indicator",
    "transpose",
]
