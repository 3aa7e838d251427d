"""`tf.sparse`: sparse tensors (source: tf.compat.v1.sparse)."""

from runstep.ops.basic import (
    sparse_placeholder as placeholder,
)
from runstep.ops.sparse_functions import (
    sparse_add as add,
)
from runstep.ops.sparse_functions import (
    sparse_concat as concat,
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
from runstep.ops.sparse_segment import (
    sparse_segment_mean as segment_mean,
)
from runstep.ops.sparse_segment import (
    sparse_segment_sqrt_n as segment_sqrt_n,
)
from runstep.ops.sparse_segment import (
    sparse_segment_sum as segment_sum,
)
