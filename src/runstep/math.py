"""`tf.math`: mathematics (source: tf.compat.v1.math)."""

from runstep.ops.activation import (
    log_softmax as log_softmax,
)
from runstep.ops.activation import (
    softmax as softmax,
)
from runstep.ops.activation import (
    softplus as softplus,
)
from runstep.ops.activation import (
    softsign as softsign,
)
from runstep.ops.arithmetic import (
    accumulate_n as accumulate_n,
)
from runstep.ops.arithmetic import (
    add as add,
)
from runstep.ops.arithmetic import (
    add_n as add_n,
)
from runstep.ops.arithmetic import (
    atan2 as atan2,
)
from runstep.ops.arithmetic import (
    div_no_nan as divide_no_nan,
)
from runstep.ops.arithmetic import (
    divide as divide,
)
from runstep.ops.arithmetic import (
    floordiv as floordiv,
)
from runstep.ops.arithmetic import (
    floormod as floormod,
)
from runstep.ops.arithmetic import (
    maximum as maximum,
)
from runstep.ops.arithmetic import (
    minimum as minimum,
)
from runstep.ops.arithmetic import (
    mod as mod,
)
from runstep.ops.arithmetic import (
    multiply as multiply,
)
from runstep.ops.arithmetic import (
    multiply_no_nan as multiply_no_nan,
)
from runstep.ops.arithmetic import (
    nextafter as nextafter,
)
from runstep.ops.arithmetic import (
    pow as pow,
)
from runstep.ops.arithmetic import (
    scalar_mul as scalar_mul,
)
from runstep.ops.arithmetic import (
    squared_difference as squared_difference,
)
from runstep.ops.arithmetic import (
    subtract as subtract,
)
from runstep.ops.arithmetic import (
    truediv as truediv,
)
from runstep.ops.arithmetic import (
    xdivy as xdivy,
)
from runstep.ops.arithmetic import (
    xlog1py as xlog1py,
)
from runstep.ops.arithmetic import (
    xlogy as xlogy,
)
from runstep.ops.cast import (
    angle as angle,
)
from runstep.ops.cast import (
    conj as conj,
)
from runstep.ops.cast import (
    imag as imag,
)
from runstep.ops.cast import (
    real as real,
)
from runstep.ops.comparison import (
    equal as equal,
)
from runstep.ops.comparison import (
    greater as greater,
)
from runstep.ops.comparison import (
    greater_equal as greater_equal,
)
from runstep.ops.comparison import (
    less as less,
)
from runstep.ops.comparison import (
    less_equal as less_equal,
)
from runstep.ops.comparison import (
    logical_and as logical_and,
)
from runstep.ops.comparison import (
    logical_not as logical_not,
)
from runstep.ops.comparison import (
    logical_or as logical_or,
)
from runstep.ops.comparison import (
    logical_xor as logical_xor,
)
from runstep.ops.comparison import (
    not_equal as not_equal,
)
from runstep.ops.cumulative import (
    cumprod as cumprod,
)
from runstep.ops.cumulative import (
    cumsum as cumsum,
)
from runstep.ops.cumulative import (
    cumulative_logsumexp as cumulative_logsumexp,
)
from runstep.ops.elementwise import (
    abs as abs,
)
from runstep.ops.elementwise import (
    acos as acos,
)
from runstep.ops.elementwise import (
    acosh as acosh,
)
from runstep.ops.elementwise import (
    asin as asin,
)
from runstep.ops.elementwise import (
    asinh as asinh,
)
from runstep.ops.elementwise import (
    atan as atan,
)
from runstep.ops.elementwise import (
    atanh as atanh,
)
from runstep.ops.elementwise import (
    ceil as ceil,
)
from runstep.ops.elementwise import (
    cos as cos,
)
from runstep.ops.elementwise import (
    cosh as cosh,
)
from runstep.ops.elementwise import (
    exp as exp,
)
from runstep.ops.elementwise import (
    expm1 as expm1,
)
from runstep.ops.elementwise import (
    floor as floor,
)
from runstep.ops.elementwise import (
    is_finite as is_finite,
)
from runstep.ops.elementwise import (
    is_inf as is_inf,
)
from runstep.ops.elementwise import (
    is_nan as is_nan,
)
from runstep.ops.elementwise import (
    log as log,
)
from runstep.ops.elementwise import (
    log1p as log1p,
)
from runstep.ops.elementwise import (
    log_sigmoid as log_sigmoid,
)
from runstep.ops.elementwise import (
    negative as negative,
)
from runstep.ops.elementwise import (
    reciprocal as reciprocal,
)
from runstep.ops.elementwise import (
    reciprocal_no_nan as reciprocal_no_nan,
)
from runstep.ops.elementwise import (
    rint as rint,
)
from runstep.ops.elementwise import (
    round as round,
)
from runstep.ops.elementwise import (
    rsqrt as rsqrt,
)
from runstep.ops.elementwise import (
    sigmoid as sigmoid,
)
from runstep.ops.elementwise import (
    sign as sign,
)
from runstep.ops.elementwise import (
    sin as sin,
)
from runstep.ops.elementwise import (
    sinh as sinh,
)
from runstep.ops.elementwise import (
    sqrt as sqrt,
)
from runstep.ops.elementwise import (
    square as square,
)
from runstep.ops.elementwise import (
    tan as tan,
)
from runstep.ops.elementwise import (
    tanh as tanh,
)
from runstep.ops.histogram import (
    bincount as bincount,
)
from runstep.ops.nn_losses import (
    in_top_k as in_top_k,
)
from runstep.ops.nn_losses import (
    top_k as top_k,
)
from runstep.ops.nn_losses import (
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
)
from runstep.ops.reduction import (
    argmin as argmin,
)
from runstep.ops.reduction import (
    count_nonzero as count_nonzero,
)
from runstep.ops.reduction import (
    is_non_decreasing as is_non_decreasing,
)
from runstep.ops.reduction import (
    is_strictly_increasing as is_strictly_increasing,
)
from runstep.ops.reduction import (
    reduce_all as reduce_all,
)
from runstep.ops.reduction import (
    reduce_any as reduce_any,
)
from runstep.ops.reduction import (
    reduce_euclidean_norm as reduce_euclidean_norm,
)
from runstep.ops.reduction import (
    reduce_logsumexp as reduce_logsumexp,
)
from runstep.ops.reduction import (
    reduce_max as reduce_max,
)
from runstep.ops.reduction import (
    reduce_mean as reduce_mean,
)
from runstep.ops.reduction import (
    reduce_min as reduce_min,
)
from runstep.ops.reduction import (
    reduce_prod as reduce_prod,
)
from runstep.ops.reduction import (
    reduce_std as reduce_std,
)
from runstep.ops.reduction import (
    reduce_sum as reduce_sum,
)
from runstep.ops.reduction import (
    reduce_variance as reduce_variance,
)
from runstep.ops.segment import (
    segment_max as segment_max,
)
from runstep.ops.segment import (
    segment_mean as segment_mean,
)
from runstep.ops.segment import (
    segment_min as segment_min,
)
from runstep.ops.segment import (
    segment_prod as segment_prod,
)
from runstep.ops.segment import (
    segment_sum as segment_sum,
)
from runstep.ops.segment import (
    unsorted_segment_max as unsorted_segment_max,
)
from runstep.ops.segment import (
    unsorted_segment_mean as unsorted_segment_mean,
)
from runstep.ops.segment import (
    unsorted_segment_min as unsorted_segment_min,
)
from runstep.ops.segment import (
    unsorted_segment_prod as unsorted_segment_prod,
)
from runstep.ops.segment import (
    unsorted_segment_sqrt_n as unsorted_segment_sqrt_n,
)
from runstep.ops.segment import (
    unsorted_segment_sum as unsorted_segment_sum,
)
from runstep.ops.special import (
    bessel_i0 as bessel_i0,
)
from runstep.ops.special import (
    bessel_i0e as bessel_i0e,
)
from runstep.ops.special import (
    bessel_i1 as bessel_i1,
)
from runstep.ops.special import (
    bessel_i1e as bessel_i1e,
)
from runstep.ops.special import (
    betainc as betainc,
)
from runstep.ops.special import (
    digamma as digamma,
)
from runstep.ops.special import (
    erf as erf,
)
from runstep.ops.special import (
    erfc as erfc,
)
from runstep.ops.special import (
    erfcinv as erfcinv,
)
from runstep.ops.special import (
    erfinv as erfinv,
)
from runstep.ops.special import (
    igamma as igamma,
)
from runstep.ops.special import (
    igammac as igammac,
)
from runstep.ops.special import (
    lbeta as lbeta,
)
from runstep.ops.special import (
    lgamma as lgamma,
)
from runstep.ops.special import (
    ndtri as ndtri,
)
from runstep.ops.special import (
    polygamma as polygamma,
)
from runstep.ops.special import (
    zeta as zeta,
)
