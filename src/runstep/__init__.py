"""runstep: TensorFlow-1-style graphs, run in Sessions, without TensorFlow.

    import runstep as tf

    x = tf.placeholder(tf.float32, [None])
    y = tf.reduce_sum(x * 2.0)
    with tf.Session() as sess:
        print(sess.run(y, {x: [1.0, 2.0]}))

The names here are those of `tf.compat.v1`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from runstep import (
    bitwise as bitwise,
    debugging as debugging,
    errors as errors,
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
    sparse as sparse,
    strings as strings,
    summary as summary,
)
from runstep.graph.collections import GraphKeys as GraphKeys
from runstep.graph.composite import (
    IndexedSlices as IndexedSlices,
)
from runstep.graph.composite import (
    IndexedSlicesValue as IndexedSlicesValue,
)
from runstep.graph.composite import (
    RaggedTensor as RaggedTensor,
)
from runstep.graph.composite import (
    SparseTensor as SparseTensor,
)
from runstep.graph.composite import (
    SparseTensorValue as SparseTensorValue,
)
from runstep.graph.constant_value import constant_value as get_static_value
from runstep.graph.convert import convert_to_tensor as convert_to_tensor
from runstep.graph.convert import register_tensor_conversion_function as register_tensor_conversion_function
from runstep.graph.device import DeviceSpec as DeviceSpec
from runstep.graph.dtypes import *  # noqa: F403 - one name per element type
from runstep.graph.dtypes import DType as DType
from runstep.graph.dtypes import as_dtype as as_dtype
from runstep.graph.graph import Graph as Graph
from runstep.graph.graph import get_default_graph as get_default_graph
from runstep.graph.graph import name_scope as name_scope
from runstep.graph.graph import reset_default_graph as reset_default_graph
from runstep.graph.importer import import_graph_def as import_graph_def
from runstep.graph.operation import Operation as Operation
from runstep.graph.scopes import (
    add_to_collection as add_to_collection,
)
from runstep.graph.scopes import (
    add_to_collections as add_to_collections,
)
from runstep.graph.scopes import (
    colocate_with as colocate_with,
)
from runstep.graph.scopes import (
    container as container,
)
from runstep.graph.scopes import (
    control_dependencies as control_dependencies,
)
from runstep.graph.scopes import (
    device as device,
)
from runstep.graph.scopes import (
    get_collection as get_collection,
)
from runstep.graph.scopes import (
    get_collection_ref as get_collection_ref,
)
from runstep.graph.scopes import (
    op_scope as op_scope,
)
from runstep.graph.shapes import Dimension as Dimension
from runstep.graph.shapes import TensorShape as TensorShape
from runstep.graph.tensor import Tensor as Tensor
from runstep.graph.tensor_proto import MakeNdarray as make_ndarray
from runstep.graph.tensor_proto import make_tensor_proto as make_tensor_proto
from runstep.ops.raw import raw_ops as raw_ops
from runstep.session.conversions import (
    register_session_run_conversion_functions as register_session_run_conversion_functions,
)
from runstep.session.default import get_default_session as get_default_session
from runstep.session.session import InteractiveSession as InteractiveSession
from runstep.session.session import Session as Session

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
from runstep.ops.logging import (
    Assert as Assert,
    Print as Print,
    print as print,
)
from runstep.ops.lookup import (
    initialize_all_tables as initialize_all_tables,
    tables_initializer as tables_initializer,
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
from runstep.ops.random_seed import (
    get_seed as get_seed,
    set_random_seed as set_random_seed,
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

if TYPE_CHECKING:
    from runstep.protos.attr_value_pb2 import AttrValue as AttrValue
    from runstep.protos.attr_value_pb2 import NameAttrList as NameAttrList
    from runstep.protos.config_pb2 import ConfigProto as ConfigProto
    from runstep.protos.config_pb2 import GPUOptions as GPUOptions
    from runstep.protos.config_pb2 import GraphOptions as GraphOptions
    from runstep.protos.config_pb2 import OptimizerOptions as OptimizerOptions
    from runstep.protos.config_pb2 import RunMetadata as RunMetadata
    from runstep.protos.config_pb2 import RunOptions as RunOptions
    from runstep.protos.event_pb2 import Event as Event
    from runstep.protos.graph_pb2 import GraphDef as GraphDef
    from runstep.protos.meta_graph_pb2 import MetaGraphDef as MetaGraphDef
    from runstep.protos.node_def_pb2 import NodeDef as NodeDef
    from runstep.protos.summary_pb2 import HistogramProto as HistogramProto
    from runstep.protos.summary_pb2 import Summary as Summary

__version__ = "0.1.0"

newaxis = None

# Messages are imported when first asked for: a program that makes no ConfigProto needs no protobuf to build a graph.
_MESSAGES = {
    "AttrValue": "attr_value",
    "ConfigProto": "config",
    "Event": "event",
    "GPUOptions": "config",
    "GraphDef": "graph",
    "GraphOptions": "config",
    "HistogramProto": "summary",
    "MetaGraphDef": "meta_graph",
    "NameAttrList": "attr_value",
    "NodeDef": "node_def",
    "OptimizerOptions": "config",
    "RunMetadata": "config",
    "RunOptions": "config",
    "Summary": "summary",
}


def __getattr__(name: str) -> Any:
    if name in _MESSAGES:
        value = getattr(importlib.import_module(f"runstep.protos.{_MESSAGES[name]}_pb2"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'runstep' has no attribute {name!r}")
