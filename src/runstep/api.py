"""The op functions of the `tf` namespace, and its sub-namespaces, by explicit import."""

from runstep import (
    bitwise as bitwise,
    debugging as debugging,
    image as image,
    initializers as initializers,
    io as io,
    linalg as linalg,
    lookup as lookup,
    manip as manip,
    math as math,
    nn as nn,
    queue as queue,
    random as random,
    signal as signal,
    sparse as sparse,
    spectral as spectral,
    strings as strings,
    summary as summary,
)
from runstep.ops.arithmetic import (
    accumulate_n as accumulate_n,
    add as add,
    add_n as add_n,
    atan2 as atan2,
    cross as cross,
    div as div,
    div_no_nan as div_no_nan,
    divide as divide,
    floor_div as floor_div,
    floordiv as floordiv,
    floormod as floormod,
    maximum as maximum,
    minimum as minimum,
    mod as mod,
    multiply as multiply,
    pow as pow,
    realdiv as realdiv,
    scalar_mul as scalar_mul,
    squared_difference as squared_difference,
    subtract as subtract,
    truediv as truediv,
    truncatediv as truncatediv,
    truncatemod as truncatemod,
)
from runstep.ops.basic import (
    constant as constant,
    group as group,
    guarantee_const as guarantee_const,
    identity as identity,
    identity_n as identity_n,
    no_op as no_op,
    placeholder as placeholder,
    placeholder_with_default as placeholder_with_default,
    sparse_placeholder as sparse_placeholder,
    stop_gradient as stop_gradient,
    tuple as tuple,
)
from runstep.ops.branching import (
    case as case,
    cond as cond,
)
from runstep.ops.cast import (
    angle as angle,
    cast as cast,
    complex as complex,
    conj as conj,
    imag as imag,
    real as real,
    saturate_cast as saturate_cast,
    to_bfloat16 as to_bfloat16,
    to_complex128 as to_complex128,
    to_complex64 as to_complex64,
    to_double as to_double,
    to_float as to_float,
    to_int32 as to_int32,
    to_int64 as to_int64,
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
from runstep.ops.contraction import (
    einsum as einsum,
    tensordot as tensordot,
)
from runstep.ops.creation import (
    diag as diag,
    diag_part as diag_part,
    eye as eye,
    fill as fill,
    one_hot as one_hot,
    ones as ones,
    ones_like as ones_like,
    range as range,
    zeros as zeros,
    zeros_like as zeros_like,
)
from runstep.ops.cumulative import (
    cumprod as cumprod,
    cumsum as cumsum,
)
from runstep.ops.data_flow import (
    FIFOQueue as FIFOQueue,
    PaddingFIFOQueue as PaddingFIFOQueue,
    PriorityQueue as PriorityQueue,
    QueueBase as QueueBase,
    RandomShuffleQueue as RandomShuffleQueue,
)
from runstep.ops.decoding import (
    decode_csv as decode_csv,
    decode_json_example as decode_json_example,
    decode_raw as decode_raw,
    parse_tensor as parse_tensor,
    serialize_tensor as serialize_tensor,
)
from runstep.ops.elementwise import (
    abs as abs,
    acos as acos,
    acosh as acosh,
    asin as asin,
    asinh as asinh,
    atan as atan,
    atanh as atanh,
    ceil as ceil,
    cos as cos,
    cosh as cosh,
    exp as exp,
    expm1 as expm1,
    floor as floor,
    is_finite as is_finite,
    is_inf as is_inf,
    is_nan as is_nan,
    log as log,
    log1p as log1p,
    log_sigmoid as log_sigmoid,
    negative as negative,
    reciprocal as reciprocal,
    rint as rint,
    round as round,
    rsqrt as rsqrt,
    sigmoid as sigmoid,
    sign as sign,
    sin as sin,
    sinh as sinh,
    sqrt as sqrt,
    square as square,
    tan as tan,
    tanh as tanh,
)
from runstep.ops.fft import (
    fft as fft,
    fft2d as fft2d,
    fft3d as fft3d,
    ifft as ifft,
    ifft2d as ifft2d,
    ifft3d as ifft3d,
)
from runstep.ops.grids import (
    lin_space as lin_space,
    linspace as linspace,
    meshgrid as meshgrid,
    repeat as repeat,
    sequence_mask as sequence_mask,
)
from runstep.ops.hashing import (
    fingerprint as fingerprint,
    string_to_hash_bucket as string_to_hash_bucket,
    string_to_hash_bucket_fast as string_to_hash_bucket_fast,
    string_to_hash_bucket_strong as string_to_hash_bucket_strong,
)
from runstep.ops.histogram import (
    bincount as bincount,
    histogram_fixed_width as histogram_fixed_width,
    histogram_fixed_width_bins as histogram_fixed_width_bins,
)
from runstep.ops.indexing import (
    batch_gather as batch_gather,
    dynamic_partition as dynamic_partition,
    dynamic_stitch as dynamic_stitch,
    gather as gather,
    gather_nd as gather_nd,
    scatter_nd as scatter_nd,
    tensor_scatter_add as tensor_scatter_add,
    tensor_scatter_nd_add as tensor_scatter_nd_add,
    tensor_scatter_nd_max as tensor_scatter_nd_max,
    tensor_scatter_nd_min as tensor_scatter_nd_min,
    tensor_scatter_nd_sub as tensor_scatter_nd_sub,
    tensor_scatter_nd_update as tensor_scatter_nd_update,
    tensor_scatter_sub as tensor_scatter_sub,
    tensor_scatter_update as tensor_scatter_update,
    unravel_index as unravel_index,
)
from runstep.ops.joining import (
    concat as concat,
    pad as pad,
    parallel_stack as parallel_stack,
    split as split,
    stack as stack,
    tile as tile,
    unstack as unstack,
)
from runstep.ops.linalg_functions import (
    cholesky as cholesky,
    cholesky_solve as cholesky_solve,
    matrix_determinant as matrix_determinant,
    matrix_inverse as matrix_inverse,
    matrix_solve as matrix_solve,
    matrix_solve_ls as matrix_solve_ls,
    matrix_square_root as matrix_square_root,
    matrix_triangular_solve as matrix_triangular_solve,
    qr as qr,
    self_adjoint_eig as self_adjoint_eig,
    self_adjoint_eigvals as self_adjoint_eigvals,
    svd as svd,
)
from runstep.ops.logging import (
    Assert as Assert,
    Print as Print,
    print as print,
)
from runstep.ops.lookup import (
    initialize_all_tables as initialize_all_tables,
    tables_initializer as tables_initializer,
)
from runstep.ops.looping import (
    while_loop as while_loop,
)
from runstep.ops.matmul import (
    matmul as matmul,
    sparse_matmul as sparse_matmul,
)
from runstep.ops.matrix_diag import (
    matrix_band_part as matrix_band_part,
    matrix_diag as matrix_diag,
    matrix_diag_part as matrix_diag_part,
    matrix_set_diag as matrix_set_diag,
)
from runstep.ops.nn_convolution import (
    conv2d_backprop_filter as conv2d_backprop_filter_v2,
    conv2d_backprop_input as conv2d_backprop_input_v2,
)
from runstep.ops.nn_pooling import (
    extract_image_patches as extract_image_patches,
)
from runstep.ops.norms import (
    clip_by_average_norm as clip_by_average_norm,
    clip_by_global_norm as clip_by_global_norm,
    clip_by_norm as clip_by_norm,
    clip_by_value as clip_by_value,
    global_norm as global_norm,
    norm as norm,
    trace as trace,
)
from runstep.ops.random import (
    multinomial as multinomial,
    random_crop as random_crop,
    random_gamma as random_gamma,
    random_normal as random_normal,
    random_poisson as random_poisson,
    random_shuffle as random_shuffle,
    random_uniform as random_uniform,
    truncated_normal as truncated_normal,
)
from runstep.ops.rearranging import (
    batch_to_space as batch_to_space,
    batch_to_space_nd as batch_to_space_nd,
    bitcast as bitcast,
    depth_to_space as depth_to_space,
    invert_permutation as invert_permutation,
    matrix_transpose as matrix_transpose,
    required_space_to_batch_paddings as required_space_to_batch_paddings,
    reverse as reverse,
    reverse_sequence as reverse_sequence,
    reverse_v2 as reverse_v2,
    roll as roll,
    space_to_batch as space_to_batch,
    space_to_batch_nd as space_to_batch_nd,
    space_to_depth as space_to_depth,
    transpose as transpose,
)
from runstep.ops.reduction import (
    argmax as argmax,
    argmin as argmin,
    count_nonzero as count_nonzero,
    is_non_decreasing as is_non_decreasing,
    is_strictly_increasing as is_strictly_increasing,
    reduce_all as reduce_all,
    reduce_any as reduce_any,
    reduce_logsumexp as reduce_logsumexp,
    reduce_max as reduce_max,
    reduce_mean as reduce_mean,
    reduce_min as reduce_min,
    reduce_prod as reduce_prod,
    reduce_sum as reduce_sum,
)
from runstep.ops.ref_scatter import (
    scatter_add as scatter_add,
    scatter_div as scatter_div,
    scatter_max as scatter_max,
    scatter_min as scatter_min,
    scatter_mul as scatter_mul,
    scatter_nd_add as scatter_nd_add,
    scatter_nd_sub as scatter_nd_sub,
    scatter_nd_update as scatter_nd_update,
    scatter_sub as scatter_sub,
    scatter_update as scatter_update,
)
from runstep.ops.regex import (
    regex_replace as regex_replace,
)
from runstep.ops.script_ops import (
    numpy_function as numpy_function,
    py_func as py_func,
    py_function as py_function,
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
from runstep.ops.selecting import (
    boolean_mask as boolean_mask,
    check_numerics as check_numerics,
    searchsorted as searchsorted,
    setdiff1d as setdiff1d,
    unique as unique,
    unique_with_counts as unique_with_counts,
    verify_tensor_all_finite as verify_tensor_all_finite,
    where as where,
    where_v2 as where_v2,
)
from runstep.ops.shape_ops import (
    broadcast_dynamic_shape as broadcast_dynamic_shape,
    broadcast_static_shape as broadcast_static_shape,
    broadcast_to as broadcast_to,
    ensure_shape as ensure_shape,
    expand_dims as expand_dims,
    rank as rank,
    reshape as reshape,
    shape as shape,
    shape_n as shape_n,
    size as size,
    squeeze as squeeze,
)
from runstep.ops.slicing import (
    slice as slice,
    strided_slice as strided_slice,
)
from runstep.ops.sparse_functions import (
    sparse_add as sparse_add,
    sparse_concat as sparse_concat,
    sparse_fill_empty_rows as sparse_fill_empty_rows,
    sparse_mask as sparse_mask,
    sparse_maximum as sparse_maximum,
    sparse_merge as sparse_merge,
    sparse_minimum as sparse_minimum,
    sparse_reduce_max as sparse_reduce_max,
    sparse_reduce_max_sparse as sparse_reduce_max_sparse,
    sparse_reduce_sum as sparse_reduce_sum,
    sparse_reduce_sum_sparse as sparse_reduce_sum_sparse,
    sparse_reorder as sparse_reorder,
    sparse_reset_shape as sparse_reset_shape,
    sparse_reshape as sparse_reshape,
    sparse_retain as sparse_retain,
    sparse_slice as sparse_slice,
    sparse_softmax as sparse_softmax,
    sparse_split as sparse_split,
    sparse_tensor_dense_matmul as sparse_tensor_dense_matmul,
    sparse_tensor_to_dense as sparse_tensor_to_dense,
    sparse_to_dense as sparse_to_dense,
    sparse_to_indicator as sparse_to_indicator,
    sparse_transpose as sparse_transpose,
)
from runstep.ops.sparse_segment import (
    sparse_segment_mean as sparse_segment_mean,
    sparse_segment_sqrt_n as sparse_segment_sqrt_n,
    sparse_segment_sum as sparse_segment_sum,
)
from runstep.ops.special import (
    betainc as betainc,
    digamma as digamma,
    erf as erf,
    erfc as erfc,
    igamma as igamma,
    igammac as igammac,
    lbeta as lbeta,
    lgamma as lgamma,
    polygamma as polygamma,
    zeta as zeta,
)
from runstep.ops.state import (
    assign as assign,
    assign_add as assign_add,
    assign_sub as assign_sub,
    count_up_to as count_up_to,
    is_variable_initialized as is_variable_initialized,
)
from runstep.ops.string_parts import (
    reduce_join as reduce_join,
    string_split as string_split,
)
from runstep.ops.strings import (
    as_string as as_string,
    decode_base64 as decode_base64,
    encode_base64 as encode_base64,
    string_join as string_join,
    string_strip as string_strip,
    string_to_number as string_to_number,
    substr as substr,
)
from runstep.ops.tensor_array import (
    TensorArray as TensorArray,
)
from runstep.variables.creation import (
    disable_resource_variables as disable_resource_variables,
    enable_resource_variables as enable_resource_variables,
    resource_variables_enabled as resource_variables_enabled,
    variable_creator_scope as variable_creator_scope,
)
from runstep.variables.facts import (
    VariableAggregation as VariableAggregation,
    VariableSynchronization as VariableSynchronization,
)
from runstep.variables.partition import (
    create_partitioned_variables as create_partitioned_variables,
    fixed_size_partitioner as fixed_size_partitioner,
    min_max_variable_partitioner as min_max_variable_partitioner,
    variable_axis_size_partitioner as variable_axis_size_partitioner,
)
from runstep.variables.scope import (
    VariableScope as VariableScope,
    get_local_variable as get_local_variable,
    get_variable as get_variable,
    get_variable_scope as get_variable_scope,
    no_regularizer as no_regularizer,
    variable_op_scope as variable_op_scope,
    variable_scope as variable_scope,
)
from runstep.variables.variable import (
    Variable as Variable,
)
