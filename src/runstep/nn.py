"""`tf.nn`: neural networks (source: tf.compat.v1.nn)."""

from runstep.ops.activation import (
    crelu as crelu,
)
from runstep.ops.activation import (
    elu as elu,
)
from runstep.ops.activation import (
    leaky_relu as leaky_relu,
)
from runstep.ops.activation import (
    log_softmax as log_softmax,
)
from runstep.ops.activation import (
    relu as relu,
)
from runstep.ops.activation import (
    relu6 as relu6,
)
from runstep.ops.activation import (
    selu as selu,
)
from runstep.ops.activation import (
    silu as silu,
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
from runstep.ops.activation import (
    swish as swish,
)
from runstep.ops.ctc import (
    ctc_beam_search_decoder as ctc_beam_search_decoder,
)
from runstep.ops.ctc import (
    ctc_beam_search_decoder_v2 as ctc_beam_search_decoder_v2,
)
from runstep.ops.ctc import (
    ctc_greedy_decoder as ctc_greedy_decoder,
)
from runstep.ops.ctc import (
    ctc_loss as ctc_loss,
)
from runstep.ops.elementwise import (
    sigmoid as sigmoid,
)
from runstep.ops.elementwise import (
    tanh as tanh,
)
from runstep.ops.embedding import (
    embedding_lookup as embedding_lookup,
)
from runstep.ops.embedding import (
    embedding_lookup_sparse as embedding_lookup_sparse,
)
from runstep.ops.embedding import (
    safe_embedding_lookup_sparse as safe_embedding_lookup_sparse,
)
from runstep.ops.nn_convolution import (
    atrous_conv2d as atrous_conv2d,
)
from runstep.ops.nn_convolution import (
    atrous_conv2d_transpose as atrous_conv2d_transpose,
)
from runstep.ops.nn_convolution import (
    conv1d as conv1d,
)
from runstep.ops.nn_convolution import (
    conv1d_transpose as conv1d_transpose,
)
from runstep.ops.nn_convolution import (
    conv2d as conv2d,
)
from runstep.ops.nn_convolution import (
    conv2d_backprop_filter as conv2d_backprop_filter,
)
from runstep.ops.nn_convolution import (
    conv2d_backprop_input as conv2d_backprop_input,
)
from runstep.ops.nn_convolution import (
    conv2d_transpose as conv2d_transpose,
)
from runstep.ops.nn_convolution import (
    conv3d as conv3d,
)
from runstep.ops.nn_convolution import (
    conv3d_backprop_filter as conv3d_backprop_filter,
)
from runstep.ops.nn_convolution import (
    conv3d_backprop_filter_v2 as conv3d_backprop_filter_v2,
)
from runstep.ops.nn_convolution import (
    conv3d_transpose as conv3d_transpose,
)
from runstep.ops.nn_convolution import (
    conv_transpose as conv_transpose,
)
from runstep.ops.nn_convolution import (
    convolution as convolution,
)
from runstep.ops.nn_convolution import (
    depthwise_conv2d as depthwise_conv2d,
)
from runstep.ops.nn_convolution import (
    depthwise_conv2d_backprop_filter as depthwise_conv2d_backprop_filter,
)
from runstep.ops.nn_convolution import (
    depthwise_conv2d_backprop_input as depthwise_conv2d_backprop_input,
)
from runstep.ops.nn_convolution import (
    depthwise_conv2d_native as depthwise_conv2d_native,
)
from runstep.ops.nn_convolution import (
    depthwise_conv2d_native_backprop_filter as depthwise_conv2d_native_backprop_filter,
)
from runstep.ops.nn_convolution import (
    depthwise_conv2d_native_backprop_input as depthwise_conv2d_native_backprop_input,
)
from runstep.ops.nn_convolution import (
    separable_conv2d as separable_conv2d,
)
from runstep.ops.nn_convolution import (
    with_space_to_batch as with_space_to_batch,
)
from runstep.ops.nn_losses import (
    in_top_k as in_top_k,
)
from runstep.ops.nn_losses import (
    log_poisson_loss as log_poisson_loss,
)
from runstep.ops.nn_losses import (
    sigmoid_cross_entropy_with_logits as sigmoid_cross_entropy_with_logits,
)
from runstep.ops.nn_losses import (
    softmax_cross_entropy_with_logits as softmax_cross_entropy_with_logits,
)
from runstep.ops.nn_losses import (
    softmax_cross_entropy_with_logits_v2 as softmax_cross_entropy_with_logits_v2,
)
from runstep.ops.nn_losses import (
    sparse_softmax_cross_entropy_with_logits as sparse_softmax_cross_entropy_with_logits,
)
from runstep.ops.nn_losses import (
    top_k as top_k,
)
from runstep.ops.nn_losses import (
    weighted_cross_entropy_with_logits as weighted_cross_entropy_with_logits,
)
from runstep.ops.nn_losses import (
    zero_fraction as zero_fraction,
)
from runstep.ops.nn_pooling import (
    avg_pool as avg_pool,
)
from runstep.ops.nn_pooling import (
    avg_pool1d as avg_pool1d,
)
from runstep.ops.nn_pooling import (
    avg_pool2d as avg_pool2d,
)
from runstep.ops.nn_pooling import (
    avg_pool3d as avg_pool3d,
)
from runstep.ops.nn_pooling import (
    avg_pool_v2 as avg_pool_v2,
)
from runstep.ops.nn_pooling import (
    dilation2d as dilation2d,
)
from runstep.ops.nn_pooling import (
    erosion2d as erosion2d,
)
from runstep.ops.nn_pooling import (
    max_pool as max_pool,
)
from runstep.ops.nn_pooling import (
    max_pool1d as max_pool1d,
)
from runstep.ops.nn_pooling import (
    max_pool2d as max_pool2d,
)
from runstep.ops.nn_pooling import (
    max_pool3d as max_pool3d,
)
from runstep.ops.nn_pooling import (
    max_pool_v2 as max_pool_v2,
)
from runstep.ops.nn_pooling import (
    max_pool_with_argmax as max_pool_with_argmax,
)
from runstep.ops.nn_pooling import (
    pool as pool,
)
from runstep.ops.nn_statistics import (
    batch_norm_with_global_normalization as batch_norm_with_global_normalization,
)
from runstep.ops.nn_statistics import (
    batch_normalization as batch_normalization,
)
from runstep.ops.nn_statistics import (
    bias_add as bias_add,
)
from runstep.ops.nn_statistics import (
    dropout as dropout,
)
from runstep.ops.nn_statistics import (
    fused_batch_norm as fused_batch_norm,
)
from runstep.ops.nn_statistics import (
    l2_loss as l2_loss,
)
from runstep.ops.nn_statistics import (
    l2_normalize as l2_normalize,
)
from runstep.ops.nn_statistics import (
    local_response_normalization as local_response_normalization,
)
from runstep.ops.nn_statistics import (
    lrn as lrn,
)
from runstep.ops.nn_statistics import (
    moments as moments,
)
from runstep.ops.nn_statistics import (
    normalize_moments as normalize_moments,
)
from runstep.ops.nn_statistics import (
    relu_layer as relu_layer,
)
from runstep.ops.nn_statistics import (
    sufficient_statistics as sufficient_statistics,
)
from runstep.ops.nn_statistics import (
    weighted_moments as weighted_moments,
)
from runstep.ops.nn_statistics import (
    xw_plus_b as xw_plus_b,
)
from runstep.ops.random_samplers import (
    all_candidate_sampler as all_candidate_sampler,
)
from runstep.ops.random_samplers import (
    compute_accidental_hits as compute_accidental_hits,
)
from runstep.ops.random_samplers import (
    fixed_unigram_candidate_sampler as fixed_unigram_candidate_sampler,
)
from runstep.ops.random_samplers import (
    learned_unigram_candidate_sampler as learned_unigram_candidate_sampler,
)
from runstep.ops.random_samplers import (
    log_uniform_candidate_sampler as log_uniform_candidate_sampler,
)
from runstep.ops.random_samplers import (
    uniform_candidate_sampler as uniform_candidate_sampler,
)
from runstep.ops.rearranging import (
    depth_to_space as depth_to_space,
)
from runstep.ops.rearranging import (
    space_to_batch as space_to_batch,
)
from runstep.ops.rearranging import (
    space_to_depth as space_to_depth,
)
