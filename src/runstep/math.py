"""`tf.math`: mathematics (source: tf.compat.v1.math)."""

from runstep.ops.activation import (
    log_softmax as log_softmax,
    softmax as softmax,
    softplus as softplus,
    softsign as softsign,
)
from runstep.ops.arithmetic import (
    accumulate_n as accumulate_n,
    add_n as add_n,
    atan2 as atan2,
    div_no_nan as divide_no_nan,
    floordiv as floordiv,
    multiply_no_nan as multiply_no_nan,
    nextafter as nextafter,
    pow as pow,
    squared_difference as squared_difference,
    subtract as subtract,
    truediv as truediv,
    xdivy as xdivy,
    xlog1py as xlog1py,
    xlogy as xlogy,
)
from runstep.ops.comparison import (
    equal as equal,
    greater as greater,
    greater_equal as greater_equal,
    less as less,
    less_equal as less_equal,
    logical_and as logical_and,
    logical_not as logical_not,
    logical_or as logical_or,
    logical_xor as logical_xor,
    not_equal as not_equal,
)
from runstep.ops.cumulative import (
    cumprod as cumprod,
    cumsum as cumsum,
    cumulative_logsumexp as cumulative_logsumexp,
)
from runstep.ops.elementwise import (
    is_finite as is_finite,
    is_inf as is_inf,
    is_nan as is_nan,
    reciprocal_no_nan as reciprocal_no_nan,
)
from runstep.ops.histogram import (
    bincount as bincount,
)
from runstep.ops.nn_losses import (
    in_top_k as in_top_k,
    top_k as top_k,
    zero_fraction as zero_fraction,
)
from runstep.ops.nn_statistics import (
    l2_normalize as l2_normalize,
)
from runstep.ops.norms import (
    polyval as polyval,
)
from runstep.ops.rearranging import (
    invert_permutation as invert_permutation,
)
from runstep.ops.reduction import (
    argmax as argmax,
    argmin as argmin,
    count_nonzero as count_nonzero,
    is_non_decreasing as is_non_decreasing,
    is_strictly_increasing as is_strictly_increasing,
    reduce_all as reduce_all,
    reduce_any as reduce_any,
    reduce_euclidean_norm as reduce_euclidean_norm,
    reduce_logsumexp as reduce_logsumexp,
    reduce_std as reduce_std,
    reduce_variance as reduce_variance,
)
from runstep.ops.segment import (
    segment_max as segment_max,
    segment_mean as segment_mean,
    segment_min as segment_min,
    segment_prod as segment_prod,
    segment_sum as segment_sum,
    unsorted_segment_max as unsorted_segment_max,
    unsorted_segment_mean as unsorted_segment_mean,
    unsorted_segment_min as unsorted_segment_min,
    unsorted_segment_prod as unsorted_segment_prod,
    unsorted_segment_sqrt_n as unsorted_segment_sqrt_n,
    unsorted_segment_sum as unsorted_segment_sum,
)
from runstep.ops.special import (
    bessel_i0 as bessel_i0,
    bessel_i0e as bessel_i0e,
    bessel_i1 as bessel_i1,
    bessel_i1e as bessel_i1e,
    betainc as betainc,
    erfcinv as erfcinv,
    erfinv as erfinv,
    igamma as igamma,
    igammac as igammac,
    lbeta as lbeta,
    ndtri as ndtri,
    polygamma as polygamma,
    zeta as zeta,
)
