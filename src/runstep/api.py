"""What `import runstep` leaves for when it is first used: sessions, op functions and sub-namespaces, by explicit import."""

from runstep import (
    bitwise as bitwise,
)
from runstep import (
    debugging as debugging,
)
from runstep import (
    image as image,
)
from runstep import (
    initializers as initializers,
)
from runstep import (
    io as io,
)
from runstep import (
    linalg as linalg,
)
from runstep import (
    lookup as lookup,
)
from runstep import (
    manip as manip,
)
from runstep import (
    math as math,
)
from runstep import (
    nn as nn,
)
from runstep import (
    queue as queue,
)
from runstep import (
    ragged as ragged,
)
from runstep import (
    random as random,
)
from runstep import (
    sets as sets,
)
from runstep import (
    signal as signal,
)
from runstep import (
    sparse as sparse,
)
from runstep import (
    spectral as spectral,
)
from runstep import (
    strings as strings,
)
from runstep import (
    summary as summary,
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
    cross as cross,
)
from runstep.ops.arithmetic import (
    div as div,
)
from runstep.ops.arithmetic import (
    div_no_nan as div_no_nan,
)
from runstep.ops.arithmetic import (
    divide as divide,
)
from runstep.ops.arithmetic import (
    floor_div as floor_div,
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
    pow as pow,
)
from runstep.ops.arithmetic import (
    realdiv as realdiv,
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
    truncatediv as truncatediv,
)
from runstep.ops.arithmetic import (
    truncatemod as truncatemod,
)
from runstep.ops.basic import (
    constant as constant,
)
from runstep.ops.basic import (
    group as group,
)
from runstep.ops.basic import (
    guarantee_const as guarantee_const,
)
from runstep.ops.basic import (
    identity as identity,
)
from runstep.ops.basic import (
    identity_n as identity_n,
)
from runstep.ops.basic import (
    no_op as no_op,
)
from runstep.ops.basic import (
    placeholder as placeholder,
)
from runstep.ops.basic import (
    placeholder_with_default as placeholder_with_default,
)
from runstep.ops.basic import (
    sparse_placeholder as sparse_placeholder,
)
from runstep.ops.basic import (
    stop_gradient as stop_gradient,
)
from runstep.ops.basic import (
    tuple as tuple,
)
from runstep.ops.branching import (
    case as case,
)
from runstep.ops.branching import (
    cond as cond,
)
from runstep.ops.cast import (
    angle as angle,
)
from runstep.ops.cast import (
    cast as cast,
)
from runstep.ops.cast import (
    complex as complex,
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
from runstep.ops.cast import (
    saturate_cast as saturate_cast,
)
from runstep.ops.cast import (
    to_bfloat16 as to_bfloat16,
)
from runstep.ops.cast import (
    to_complex64 as to_complex64,
)
from runstep.ops.cast import (
    to_complex128 as to_complex128,
)
from runstep.ops.cast import (
    to_double as to_double,
)
from runstep.ops.cast import (
    to_float as to_float,
)
from runstep.ops.cast import (
    to_int32 as to_int32,
)
from runstep.ops.cast import (
    to_int64 as to_int64,
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
from runstep.ops.contraction import (
    einsum as einsum,
)
from runstep.ops.contraction import (
    tensordot as tensordot,
)
from runstep.ops.creation import (
    diag as diag,
)
from runstep.ops.creation import (
    diag_part as diag_part,
)
from runstep.ops.creation import (
    eye as eye,
)
from runstep.ops.creation import (
    fill as fill,
)
from runstep.ops.creation import (
    one_hot as one_hot,
)
from runstep.ops.creation import (
    ones as ones,
)
from runstep.ops.creation import (
    ones_like as ones_like,
)
from runstep.ops.creation import (
    range as range,
)
from runstep.ops.creation import (
    zeros as zeros,
)
from runstep.ops.creation import (
    zeros_like as zeros_like,
)
from runstep.ops.cumulative import (
    cumprod as cumprod,
)
from runstep.ops.cumulative import (
    cumsum as cumsum,
)
from runstep.ops.data_flow import (
    FIFOQueue as FIFOQueue,
)
from runstep.ops.data_flow import (
    PaddingFIFOQueue as PaddingFIFOQueue,
)
from runstep.ops.data_flow import (
    PriorityQueue as PriorityQueue,
)
from runstep.ops.data_flow import (
    QueueBase as QueueBase,
)
from runstep.ops.data_flow import (
    RandomShuffleQueue as RandomShuffleQueue,
)
from runstep.ops.decoding import (
    decode_csv as decode_csv,
)
from runstep.ops.decoding import (
    decode_json_example as decode_json_example,
)
from runstep.ops.decoding import (
    decode_raw as decode_raw,
)
from runstep.ops.decoding import (
    parse_tensor as parse_tensor,
)
from runstep.ops.decoding import (
    serialize_tensor as serialize_tensor,
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
from runstep.ops.fft import (
    fft as fft,
)
from runstep.ops.fft import (
    fft2d as fft2d,
)
from runstep.ops.fft import (
    fft3d as fft3d,
)
from runstep.ops.fft import (
    ifft as ifft,
)
from runstep.ops.fft import (
    ifft2d as ifft2d,
)
from runstep.ops.fft import (
    ifft3d as ifft3d,
)
from runstep.ops.functional_loops import (
    foldl as foldl,
)
from runstep.ops.functional_loops import (
    foldr as foldr,
)
from runstep.ops.functional_loops import (
    map_fn as map_fn,
)
from runstep.ops.functional_loops import (
    scan as scan,
)
from runstep.ops.grids import (
    lin_space as lin_space,
)
from runstep.ops.grids import (
    linspace as linspace,
)
from runstep.ops.grids import (
    meshgrid as meshgrid,
)
from runstep.ops.grids import (
    repeat as repeat,
)
from runstep.ops.grids import (
    sequence_mask as sequence_mask,
)
from runstep.ops.hashing import (
    fingerprint as fingerprint,
)
from runstep.ops.hashing import (
    string_to_hash_bucket as string_to_hash_bucket,
)
from runstep.ops.hashing import (
    string_to_hash_bucket_fast as string_to_hash_bucket_fast,
)
from runstep.ops.hashing import (
    string_to_hash_bucket_strong as string_to_hash_bucket_strong,
)
from runstep.ops.histogram import (
    bincount as bincount,
)
from runstep.ops.histogram import (
    histogram_fixed_width as histogram_fixed_width,
)
from runstep.ops.histogram import (
    histogram_fixed_width_bins as histogram_fixed_width_bins,
)
from runstep.ops.indexing import (
    batch_gather as batch_gather,
)
from runstep.ops.indexing import (
    dynamic_partition as dynamic_partition,
)
from runstep.ops.indexing import (
    dynamic_stitch as dynamic_stitch,
)
from runstep.ops.indexing import (
    gather as gather,
)
from runstep.ops.indexing import (
    gather_nd as gather_nd,
)
from runstep.ops.indexing import (
    scatter_nd as scatter_nd,
)
from runstep.ops.indexing import (
    tensor_scatter_add as tensor_scatter_add,
)
from runstep.ops.indexing import (
    tensor_scatter_nd_add as tensor_scatter_nd_add,
)
from runstep.ops.indexing import (
    tensor_scatter_nd_max as tensor_scatter_nd_max,
)
from runstep.ops.indexing import (
    tensor_scatter_nd_min as tensor_scatter_nd_min,
)
from runstep.ops.indexing import (
    tensor_scatter_nd_sub as tensor_scatter_nd_sub,
)
from runstep.ops.indexing import (
    tensor_scatter_nd_update as tensor_scatter_nd_update,
)
from runstep.ops.indexing import (
    tensor_scatter_sub as tensor_scatter_sub,
)
from runstep.ops.indexing import (
    tensor_scatter_update as tensor_scatter_update,
)
from runstep.ops.indexing import (
    unravel_index as unravel_index,
)
from runstep.ops.joining import (
    concat as concat,
)
from runstep.ops.joining import (
    pad as pad,
)
from runstep.ops.joining import (
    parallel_stack as parallel_stack,
)
from runstep.ops.joining import (
    split as split,
)
from runstep.ops.joining import (
    stack as stack,
)
from runstep.ops.joining import (
    tile as tile,
)
from runstep.ops.joining import (
    unstack as unstack,
)
from runstep.ops.linalg_functions import (
    cholesky as cholesky,
)
from runstep.ops.linalg_functions import (
    cholesky_solve as cholesky_solve,
)
from runstep.ops.linalg_functions import (
    matrix_determinant as matrix_determinant,
)
from runstep.ops.linalg_functions import (
    matrix_inverse as matrix_inverse,
)
from runstep.ops.linalg_functions import (
    matrix_solve as matrix_solve,
)
from runstep.ops.linalg_functions import (
    matrix_solve_ls as matrix_solve_ls,
)
from runstep.ops.linalg_functions import (
    matrix_square_root as matrix_square_root,
)
from runstep.ops.linalg_functions import (
    matrix_triangular_solve as matrix_triangular_solve,
)
from runstep.ops.linalg_functions import (
    qr as qr,
)
from runstep.ops.linalg_functions import (
    self_adjoint_eig as self_adjoint_eig,
)
from runstep.ops.linalg_functions import (
    self_adjoint_eigvals as self_adjoint_eigvals,
)
from runstep.ops.linalg_functions import (
    svd as svd,
)
from runstep.ops.logging import (
    Assert as Assert,
)
from runstep.ops.logging import (
    Print as Print,
)
from runstep.ops.logging import (
    print as print,
)
from runstep.ops.lookup import (
    initialize_all_tables as initialize_all_tables,
)
from runstep.ops.lookup import (
    tables_initializer as tables_initializer,
)
from runstep.ops.looping import (
    while_loop as while_loop,
)
from runstep.ops.matmul import (
    matmul as matmul,
)
from runstep.ops.matmul import (
    sparse_matmul as sparse_matmul,
)
from runstep.ops.matrix_diag import (
    matrix_band_part as matrix_band_part,
)
from runstep.ops.matrix_diag import (
    matrix_diag as matrix_diag,
)
from runstep.ops.matrix_diag import (
    matrix_diag_part as matrix_diag_part,
)
from runstep.ops.matrix_diag import (
    matrix_set_diag as matrix_set_diag,
)
from runstep.ops.nn_pooling import (
    extract_image_patches as extract_image_patches,
)
from runstep.ops.norms import (
    clip_by_average_norm as clip_by_average_norm,
)
from runstep.ops.norms import (
    clip_by_global_norm as clip_by_global_norm,
)
from runstep.ops.norms import (
    clip_by_norm as clip_by_norm,
)
from runstep.ops.norms import (
    clip_by_value as clip_by_value,
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
from runstep.ops.parsing_functions import (
    FixedLenFeature as FixedLenFeature,
)
from runstep.ops.parsing_functions import (
    FixedLenSequenceFeature as FixedLenSequenceFeature,
)
from runstep.ops.parsing_functions import (
    SparseFeature as SparseFeature,
)
from runstep.ops.parsing_functions import (
    VarLenFeature as VarLenFeature,
)
from runstep.ops.parsing_functions import (
    parse_example as parse_example,
)
from runstep.ops.parsing_functions import (
    parse_single_example as parse_single_example,
)
from runstep.ops.parsing_functions import (
    parse_single_sequence_example as parse_single_sequence_example,
)
from runstep.ops.random import (
    multinomial as multinomial,
)
from runstep.ops.random import (
    random_crop as random_crop,
)
from runstep.ops.random import (
    random_gamma as random_gamma,
)
from runstep.ops.random import (
    random_normal as random_normal,
)
from runstep.ops.random import (
    random_poisson as random_poisson,
)
from runstep.ops.random import (
    random_shuffle as random_shuffle,
)
from runstep.ops.random import (
    random_uniform as random_uniform,
)
from runstep.ops.random import (
    truncated_normal as truncated_normal,
)
from runstep.ops.rearranging import (
    batch_to_space as batch_to_space,
)
from runstep.ops.rearranging import (
    batch_to_space_nd as batch_to_space_nd,
)
from runstep.ops.rearranging import (
    bitcast as bitcast,
)
from runstep.ops.rearranging import (
    depth_to_space as depth_to_space,
)
from runstep.ops.rearranging import (
    invert_permutation as invert_permutation,
)
from runstep.ops.rearranging import (
    matrix_transpose as matrix_transpose,
)
from runstep.ops.rearranging import (
    required_space_to_batch_paddings as required_space_to_batch_paddings,
)
from runstep.ops.rearranging import (
    reverse as reverse,
)
from runstep.ops.rearranging import (
    reverse_sequence as reverse_sequence,
)
from runstep.ops.rearranging import (
    reverse_v2 as reverse_v2,
)
from runstep.ops.rearranging import (
    roll as roll,
)
from runstep.ops.rearranging import (
    space_to_batch as space_to_batch,
)
from runstep.ops.rearranging import (
    space_to_batch_nd as space_to_batch_nd,
)
from runstep.ops.rearranging import (
    space_to_depth as space_to_depth,
)
from runstep.ops.rearranging import (
    transpose as transpose,
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
    reduce_sum as reduce_sum,
)
from runstep.ops.ref_scatter import (
    scatter_add as scatter_add,
)
from runstep.ops.ref_scatter import (
    scatter_div as scatter_div,
)
from runstep.ops.ref_scatter import (
    scatter_max as scatter_max,
)
from runstep.ops.ref_scatter import (
    scatter_min as scatter_min,
)
from runstep.ops.ref_scatter import (
    scatter_mul as scatter_mul,
)
from runstep.ops.ref_scatter import (
    scatter_nd_add as scatter_nd_add,
)
from runstep.ops.ref_scatter import (
    scatter_nd_sub as scatter_nd_sub,
)
from runstep.ops.ref_scatter import (
    scatter_nd_update as scatter_nd_update,
)
from runstep.ops.ref_scatter import (
    scatter_sub as scatter_sub,
)
from runstep.ops.ref_scatter import (
    scatter_update as scatter_update,
)
from runstep.ops.regex import (
    regex_replace as regex_replace,
)
from runstep.ops.script_ops import (
    numpy_function as numpy_function,
)
from runstep.ops.script_ops import (
    py_func as py_func,
)
from runstep.ops.script_ops import (
    py_function as py_function,
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
from runstep.ops.selecting import (
    boolean_mask as boolean_mask,
)
from runstep.ops.selecting import (
    check_numerics as check_numerics,
)
from runstep.ops.selecting import (
    searchsorted as searchsorted,
)
from runstep.ops.selecting import (
    setdiff1d as setdiff1d,
)
from runstep.ops.selecting import (
    unique as unique,
)
from runstep.ops.selecting import (
    unique_with_counts as unique_with_counts,
)
from runstep.ops.selecting import (
    verify_tensor_all_finite as verify_tensor_all_finite,
)
from runstep.ops.selecting import (
    where as where,
)
from runstep.ops.selecting import (
    where_v2 as where_v2,
)
from runstep.ops.sets import (
    edit_distance as edit_distance,
)
from runstep.ops.shape_ops import (
    broadcast_dynamic_shape as broadcast_dynamic_shape,
)
from runstep.ops.shape_ops import (
    broadcast_static_shape as broadcast_static_shape,
)
from runstep.ops.shape_ops import (
    broadcast_to as broadcast_to,
)
from runstep.ops.shape_ops import (
    ensure_shape as ensure_shape,
)
from runstep.ops.shape_ops import (
    expand_dims as expand_dims,
)
from runstep.ops.shape_ops import (
    rank as rank,
)
from runstep.ops.shape_ops import (
    reshape as reshape,
)
from runstep.ops.shape_ops import (
    shape as shape,
)
from runstep.ops.shape_ops import (
    shape_n as shape_n,
)
from runstep.ops.shape_ops import (
    size as size,
)
from runstep.ops.shape_ops import (
    squeeze as squeeze,
)
from runstep.ops.slicing import (
    slice as slice,
)
from runstep.ops.slicing import (
    strided_slice as strided_slice,
)
from runstep.ops.sparse_functions import (
    sparse_add as sparse_add,
)
from runstep.ops.sparse_functions import (
    sparse_concat as sparse_concat,
)
from runstep.ops.sparse_functions import (
    sparse_fill_empty_rows as sparse_fill_empty_rows,
)
from runstep.ops.sparse_functions import (
    sparse_mask as sparse_mask,
)
from runstep.ops.sparse_functions import (
    sparse_maximum as sparse_maximum,
)
from runstep.ops.sparse_functions import (
    sparse_merge as sparse_merge,
)
from runstep.ops.sparse_functions import (
    sparse_minimum as sparse_minimum,
)
from runstep.ops.sparse_functions import (
    sparse_reduce_max as sparse_reduce_max,
)
from runstep.ops.sparse_functions import (
    sparse_reduce_max_sparse as sparse_reduce_max_sparse,
)
from runstep.ops.sparse_functions import (
    sparse_reduce_sum as sparse_reduce_sum,
)
from runstep.ops.sparse_functions import (
    sparse_reduce_sum_sparse as sparse_reduce_sum_sparse,
)
from runstep.ops.sparse_functions import (
    sparse_reorder as sparse_reorder,
)
from runstep.ops.sparse_functions import (
    sparse_reset_shape as sparse_reset_shape,
)
from runstep.ops.sparse_functions import (
    sparse_reshape as sparse_reshape,
)
from runstep.ops.sparse_functions import (
    sparse_retain as sparse_retain,
)
from runstep.ops.sparse_functions import (
    sparse_slice as sparse_slice,
)
from runstep.ops.sparse_functions import (
    sparse_softmax as sparse_softmax,
)
from runstep.ops.sparse_functions import (
    sparse_split as sparse_split,
)
from runstep.ops.sparse_functions import (
    sparse_tensor_dense_matmul as sparse_tensor_dense_matmul,
)
from runstep.ops.sparse_functions import (
    sparse_tensor_to_dense as sparse_tensor_to_dense,
)
from runstep.ops.sparse_functions import (
    sparse_to_dense as sparse_to_dense,
)
from runstep.ops.sparse_functions import (
    sparse_to_indicator as sparse_to_indicator,
)
from runstep.ops.sparse_functions import (
    sparse_transpose as sparse_transpose,
)
from runstep.ops.sparse_segment import (
    sparse_segment_mean as sparse_segment_mean,
)
from runstep.ops.sparse_segment import (
    sparse_segment_sqrt_n as sparse_segment_sqrt_n,
)
from runstep.ops.sparse_segment import (
    sparse_segment_sum as sparse_segment_sum,
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
    polygamma as polygamma,
)
from runstep.ops.special import (
    zeta as zeta,
)
from runstep.ops.state import (
    assign as assign,
)
from runstep.ops.state import (
    assign_add as assign_add,
)
from runstep.ops.state import (
    assign_sub as assign_sub,
)
from runstep.ops.state import (
    count_up_to as count_up_to,
)
from runstep.ops.state import (
    is_variable_initialized as is_variable_initialized,
)
from runstep.ops.string_parts import (
    reduce_join as reduce_join,
)
from runstep.ops.string_parts import (
    string_split as string_split,
)
from runstep.ops.strings import (
    as_string as as_string,
)
from runstep.ops.strings import (
    decode_base64 as decode_base64,
)
from runstep.ops.strings import (
    encode_base64 as encode_base64,
)
from runstep.ops.strings import (
    string_join as string_join,
)
from runstep.ops.strings import (
    string_strip as string_strip,
)
from runstep.ops.strings import (
    string_to_number as string_to_number,
)
from runstep.ops.strings import (
    substr as substr,
)
from runstep.ops.tensor_array import (
    TensorArray as TensorArray,
)
from runstep.session.conversions import (
    register_session_run_conversion_functions as register_session_run_conversion_functions,
)
from runstep.session.default import get_default_session as get_default_session
from runstep.session.session import InteractiveSession as InteractiveSession
from runstep.session.session import Session as Session
from runstep.variables.collections import (
    all_variables as all_variables,
)
from runstep.variables.collections import (
    assert_variables_initialized as assert_variables_initialized,
)
from runstep.variables.collections import (
    global_variables as global_variables,
)
from runstep.variables.collections import (
    global_variables_initializer as global_variables_initializer,
)
from runstep.variables.collections import (
    initialize_all_variables as initialize_all_variables,
)
from runstep.variables.collections import (
    initialize_local_variables as initialize_local_variables,
)
from runstep.variables.collections import (
    initialize_variables as initialize_variables,
)
from runstep.variables.collections import (
    local_variables as local_variables,
)
from runstep.variables.collections import (
    local_variables_initializer as local_variables_initializer,
)
from runstep.variables.collections import (
    model_variables as model_variables,
)
from runstep.variables.collections import (
    moving_average_variables as moving_average_variables,
)
from runstep.variables.collections import (
    report_uninitialized_variables as report_uninitialized_variables,
)
from runstep.variables.collections import (
    trainable_variables as trainable_variables,
)
from runstep.variables.collections import (
    variables_initializer as variables_initializer,
)
from runstep.variables.creation import (
    disable_resource_variables as disable_resource_variables,
)
from runstep.variables.creation import (
    enable_resource_variables as enable_resource_variables,
)
from runstep.variables.creation import (
    resource_variables_enabled as resource_variables_enabled,
)
from runstep.variables.creation import (
    variable_creator_scope as variable_creator_scope,
)
from runstep.variables.facts import (
    VariableAggregation as VariableAggregation,
)
from runstep.variables.facts import (
    VariableSynchronization as VariableSynchronization,
)
from runstep.variables.initializers import (
    constant_initializer as constant_initializer,
)
from runstep.variables.initializers import (
    glorot_normal_initializer as glorot_normal_initializer,
)
from runstep.variables.initializers import (
    glorot_uniform_initializer as glorot_uniform_initializer,
)
from runstep.variables.initializers import (
    ones_initializer as ones_initializer,
)
from runstep.variables.initializers import (
    orthogonal_initializer as orthogonal_initializer,
)
from runstep.variables.initializers import (
    random_normal_initializer as random_normal_initializer,
)
from runstep.variables.initializers import (
    random_uniform_initializer as random_uniform_initializer,
)
from runstep.variables.initializers import (
    truncated_normal_initializer as truncated_normal_initializer,
)
from runstep.variables.initializers import (
    uniform_unit_scaling_initializer as uniform_unit_scaling_initializer,
)
from runstep.variables.initializers import (
    variance_scaling_initializer as variance_scaling_initializer,
)
from runstep.variables.initializers import (
    zeros_initializer as zeros_initializer,
)
from runstep.variables.partition import (
    create_partitioned_variables as create_partitioned_variables,
)
from runstep.variables.partition import (
    fixed_size_partitioner as fixed_size_partitioner,
)
from runstep.variables.partition import (
    min_max_variable_partitioner as min_max_variable_partitioner,
)
from runstep.variables.partition import (
    variable_axis_size_partitioner as variable_axis_size_partitioner,
)
from runstep.variables.scope import (
    VariableScope as VariableScope,
)
from runstep.variables.scope import (
    get_local_variable as get_local_variable,
)
from runstep.variables.scope import (
    get_variable as get_variable,
)
from runstep.variables.scope import (
    get_variable_scope as get_variable_scope,
)
from runstep.variables.scope import (
    no_regularizer as no_regularizer,
)
from runstep.variables.scope import (
    variable_op_scope as variable_op_scope,
)
from runstep.variables.scope import (
    variable_scope as variable_scope,
)
from runstep.variables.slices import (
    batch_scatter_update as batch_scatter_update,
)
from runstep.variables.variable import (
    Variable as Variable,
)
