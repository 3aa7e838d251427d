"""What `import runstep` leaves for when it is first used: sessions, op functions and sub-namespaces, by explicit import."""

from runstep import (
    bitwise,
    debugging,
    image,
    initializers,
    io,
    linalg,
    lookup,
    manip,
    math,
    nn,
    queue,
    ragged,
    random,
    sets,
    signal,
    sparse,
    spectral,
    strings,
    summary,
)
from runstep.ops.arithmetic import (
    accumulate_n,
    add,
    add_n,
    atan2,
    cross,
    div,
    div_no_nan,
    divide,
    floor_div,
    floordiv,
    floormod,
    maximum,
    minimum,
    mod,
    multiply,
    pow,
    realdiv,
    scalar_mul,
    squared_difference,
    subtract,
    truediv,
    truncatediv,
    truncatemod,
)
from runstep.ops.assertions import (
    assert_equal,
    assert_greater,
    assert_greater_equal,
    assert_less,
    assert_less_equal,
    assert_near,
    assert_negative,
    assert_non_negative,
    assert_non_positive,
    assert_none_equal,
    assert_positive,
)
from runstep.ops.assertions_static import (
    assert_integer,
    assert_proper_iterable,
    assert_rank,
    assert_rank_at_least,
    assert_rank_in,
    assert_same_float_dtype,
    assert_scalar,
    assert_type,
    is_numeric_tensor,
)
from runstep.ops.basic import (
    constant,
    group,
    guarantee_const,
    identity,
    identity_n,
    no_op,
    placeholder,
    placeholder_with_default,
    sparse_placeholder,
    stop_gradient,
    tuple,
)
from runstep.ops.branching import (
    case,
    cond,
)
from runstep.ops.cast import (
    angle,
    cast,
    complex,
    conj,
    imag,
    real,
    saturate_cast,
    to_bfloat16,
    to_complex64,
    to_complex128,
    to_double,
    to_float,
    to_int32,
    to_int64,
)
from runstep.ops.comparison import (
    equal,
    greater,
    greater_equal,
    less,
    less_equal,
    logical_and,
    logical_not,
    logical_or,
    logical_xor,
    not_equal,
)
from runstep.ops.contraction import (
    einsum,
    tensordot,
)
from runstep.ops.creation import (
    diag,
    diag_part,
    eye,
    fill,
    one_hot,
    ones,
    ones_like,
    range,
    zeros,
    zeros_like,
)
from runstep.ops.cumulative import (
    cumprod,
    cumsum,
)
from runstep.ops.data_flow import (
    FIFOQueue,
    PaddingFIFOQueue,
    PriorityQueue,
    QueueBase,
    RandomShuffleQueue,
)
from runstep.ops.decoding import (
    decode_csv,
    decode_json_example,
    decode_raw,
    parse_tensor,
    serialize_tensor,
)
from runstep.ops.elementwise import (
    abs,
    acos,
    acosh,
    asin,
    asinh,
    atan,
    atanh,
    ceil,
    cos,
    cosh,
    exp,
    expm1,
    floor,
    is_finite,
    is_inf,
    is_nan,
    log,
    log1p,
    log_sigmoid,
    negative,
    reciprocal,
    rint,
    round,
    rsqrt,
    sigmoid,
    sign,
    sin,
    sinh,
    sqrt,
    square,
    tan,
    tanh,
)
from runstep.ops.fft import (
    fft,
    fft2d,
    fft3d,
    ifft,
    ifft2d,
    ifft3d,
)
from runstep.ops.functional_loops import (
    foldl,
    foldr,
    map_fn,
    scan,
)
from runstep.ops.grids import (
    lin_space,
    linspace,
    meshgrid,
    repeat,
    sequence_mask,
)
from runstep.ops.hashing import (
    fingerprint,
    string_to_hash_bucket,
    string_to_hash_bucket_fast,
    string_to_hash_bucket_strong,
)
from runstep.ops.histogram import (
    bincount,
    histogram_fixed_width,
    histogram_fixed_width_bins,
)
from runstep.ops.indexing import (
    batch_gather,
    dynamic_partition,
    dynamic_stitch,
    gather,
    gather_nd,
    scatter_nd,
    tensor_scatter_add,
    tensor_scatter_nd_add,
    tensor_scatter_nd_max,
    tensor_scatter_nd_min,
    tensor_scatter_nd_sub,
    tensor_scatter_nd_update,
    tensor_scatter_sub,
    tensor_scatter_update,
    unravel_index,
)
from runstep.ops.joining import (
    concat,
    pad,
    parallel_stack,
    split,
    stack,
    tile,
    unstack,
)
from runstep.ops.linalg_functions import (
    cholesky,
    cholesky_solve,
    matrix_determinant,
    matrix_inverse,
    matrix_solve,
    matrix_solve_ls,
    matrix_square_root,
    matrix_triangular_solve,
    qr,
    self_adjoint_eig,
    self_adjoint_eigvals,
    svd,
)
from runstep.ops.logging import (
    Assert,
    Print,
    print,
)
from runstep.ops.lookup import (
    initialize_all_tables,
    tables_initializer,
)
from runstep.ops.looping import (
    while_loop,
)
from runstep.ops.matmul import (
    matmul,
    sparse_matmul,
)
from runstep.ops.matrix_diag import (
    matrix_band_part,
    matrix_diag,
    matrix_diag_part,
    matrix_set_diag,
)
from runstep.ops.nn_pooling import (
    extract_image_patches,
)
from runstep.ops.norms import (
    clip_by_average_norm,
    clip_by_global_norm,
    clip_by_norm,
    clip_by_value,
    global_norm,
    norm,
    trace,
)
from runstep.ops.parsing_functions import (
    FixedLenFeature,
    FixedLenSequenceFeature,
    SparseFeature,
    VarLenFeature,
    parse_example,
    parse_single_example,
    parse_single_sequence_example,
)
from runstep.ops.random import (
    multinomial,
    random_crop,
    random_gamma,
    random_normal,
    random_poisson,
    random_shuffle,
    random_uniform,
    truncated_normal,
)
from runstep.ops.rearranging import (
    batch_to_space,
    batch_to_space_nd,
    bitcast,
    depth_to_space,
    invert_permutation,
    matrix_transpose,
    required_space_to_batch_paddings,
    reverse,
    reverse_sequence,
    reverse_v2,
    roll,
    space_to_batch,
    space_to_batch_nd,
    space_to_depth,
    transpose,
)
from runstep.ops.reduction import (
    argmax,
    argmin,
    count_nonzero,
    is_non_decreasing,
    is_strictly_increasing,
    reduce_all,
    reduce_any,
    reduce_logsumexp,
    reduce_max,
    reduce_mean,
    reduce_min,
    reduce_prod,
    reduce_sum,
)
from runstep.ops.ref_scatter import (
    scatter_add,
    scatter_div,
    scatter_max,
    scatter_min,
    scatter_mul,
    scatter_nd_add,
    scatter_nd_sub,
    scatter_nd_update,
    scatter_sub,
    scatter_update,
)
from runstep.ops.regex import (
    regex_replace,
)
from runstep.ops.script_ops import (
    numpy_function,
    py_func,
    py_function,
)
from runstep.ops.segment import (
    segment_max,
    segment_mean,
    segment_min,
    segment_prod,
    segment_sum,
    unsorted_segment_max,
    unsorted_segment_mean,
    unsorted_segment_min,
    unsorted_segment_prod,
    unsorted_segment_sqrt_n,
    unsorted_segment_sum,
)
from runstep.ops.selecting import (
    boolean_mask,
    check_numerics,
    searchsorted,
    setdiff1d,
    unique,
    unique_with_counts,
    verify_tensor_all_finite,
    where,
    where_v2,
)
from runstep.ops.sets import (
    edit_distance,
)
from runstep.ops.shape_ops import (
    broadcast_dynamic_shape,
    broadcast_static_shape,
    broadcast_to,
    ensure_shape,
    expand_dims,
    rank,
    reshape,
    shape,
    shape_n,
    size,
    squeeze,
)
from runstep.ops.slicing import (
    slice,
    strided_slice,
)
from runstep.ops.sparse_functions import (
    sparse_add,
    sparse_concat,
    sparse_fill_empty_rows,
    sparse_mask,
    sparse_maximum,
    sparse_merge,
    sparse_minimum,
    sparse_reduce_max,
    sparse_reduce_max_sparse,
    sparse_reduce_sum,
    sparse_reduce_sum_sparse,
    sparse_reorder,
    sparse_reset_shape,
    sparse_reshape,
    sparse_retain,
    sparse_slice,
    sparse_softmax,
    sparse_split,
    sparse_tensor_dense_matmul,
    sparse_tensor_to_dense,
    sparse_to_dense,
    sparse_to_indicator,
    sparse_transpose,
)
from runstep.ops.sparse_segment import (
    sparse_segment_mean,
    sparse_segment_sqrt_n,
    sparse_segment_sum,
)
from runstep.ops.sparse_serial import (
    deserialize_many_sparse,
    serialize_many_sparse,
    serialize_sparse,
)
from runstep.ops.special import (
    betainc,
    digamma,
    erf,
    erfc,
    igamma,
    igammac,
    lbeta,
    lgamma,
    polygamma,
    zeta,
)
from runstep.ops.state import (
    assign,
    assign_add,
    assign_sub,
    count_up_to,
    is_variable_initialized,
)
from runstep.ops.string_parts import (
    reduce_join,
    string_split,
)
from runstep.ops.strings import (
    as_string,
    decode_base64,
    encode_base64,
    string_join,
    string_strip,
    string_to_number,
    substr,
)
from runstep.ops.tensor_array import (
    TensorArray,
)
from runstep.session.conversions import (
    register_session_run_conversion_functions as register_session_run_conversion_functions,
)
from runstep.session.default import get_default_session as get_default_session
from runstep.session.session import InteractiveSession as InteractiveSession, Session as Session
from runstep.variables.collections import (
    all_variables,
    assert_variables_initialized,
    global_variables,
    global_variables_initializer,
    initialize_all_variables,
    initialize_local_variables,
    initialize_variables,
    local_variables,
    local_variables_initializer,
    model_variables,
    moving_average_variables,
    report_uninitialized_variables,
    trainable_variables,
    variables_initializer,
)
from runstep.variables.creation import (
    disable_resource_variables,
    enable_resource_variables,
    resource_variables_enabled,
    variable_creator_scope,
)
from runstep.variables.facts import (
    VariableAggregation,
    VariableSynchronization,
)
from runstep.variables.initializers import (
    constant_initializer,
    glorot_normal_initializer,
    glorot_uniform_initializer,
    ones_initializer,
    orthogonal_initializer,
    random_normal_initializer,
    random_uniform_initializer,
    truncated_normal_initializer,
    uniform_unit_scaling_initializer,
    variance_scaling_initializer,
    zeros_initializer,
)
from runstep.variables.partition import (
    create_partitioned_variables,
    fixed_size_partitioner,
    min_max_variable_partitioner,
    variable_axis_size_partitioner,
)
from runstep.variables.scope import (
    VariableScope,
    get_local_variable,
    get_variable,
    get_variable_scope,
    no_regularizer,
    variable_op_scope,
    variable_scope,
)
from runstep.variables.slices import (
    batch_scatter_update,
)
from runstep.variables.variable import (
    Variable,
)
