"""`tf.nn` functions make the nodes that TensorFlow's make."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from runstep.ops import (
    activation,
    ctc,
    embedding,
    nn_convolution,
    nn_dilated_convolution,
    nn_losses,
    nn_pooling,
    nn_statistics,
    nn_transposed_convolution,
)
from runstep.testing.building import compare_graphs

MODULES = [
    activation,
    ctc,
    embedding,
    nn_convolution,
    nn_dilated_convolution,
    nn_losses,
    nn_pooling,
    nn_statistics,
    nn_transposed_convolution,
]


def x(tf: Any, *shape: int | None, dtype: str = "float32") -> Any:
    return tf.placeholder(dtype, None if shape == (None,) else shape, name="x")


def same(build: Callable[[Any, Any], Any]) -> None:
    """`build(tf, tf.nn)` on both."""
    compare_graphs(lambda tf: build(tf, tf), MODULES, theirs=lambda tf: build(tf, tf.nn))


ACTIVATIONS = [
    lambda tf, nn: nn.relu([1.0, 2.0]),
    lambda tf, nn: nn.relu6([1.0, 2.0]),
    lambda tf, nn: nn.crelu(x(tf, 3, 4)),
    lambda tf, nn: nn.leaky_relu(x(tf, 3)),
    lambda tf, nn: nn.leaky_relu(x(tf, 3, dtype="int32"), 0.25),
    lambda tf, nn: nn.swish(x(tf, 3)),
    lambda tf, nn: nn.silu(x(tf, 3), 2.0),
    lambda tf, nn: [nn.elu(x(tf, 3)), nn.selu(x(tf, 3)), nn.softplus(x(tf, 3)), nn.softsign(x(tf, 3))],
    lambda tf, nn: nn.softmax(x(tf, 3, 4)),
    lambda tf, nn: nn.softmax(x(tf, None), name="probabilities"),
    lambda tf, nn: nn.softmax(x(tf, 3, 4, 5), axis=0),
    lambda tf, nn: nn.softmax(x(tf, 3, 4, 5), axis=1, name="foo"),
    lambda tf, nn: nn.softmax(x(tf, 3, 4), axis=3),
    lambda tf, nn: nn.log_softmax(x(tf, 3, 4), dim=0),
    lambda tf, nn: nn.log_softmax(x(tf, 3, 4), dim=-1),
]


@pytest.mark.parametrize("build", ACTIVATIONS)
def test_activations(build: Any) -> None:
    same(build)


CONVOLUTIONS = [
    lambda tf, nn: nn.conv2d(x(tf, 2, 8, 8, 4), x(tf, 3, 3, 4, 5), [1, 1, 1, 1], "SAME"),
    lambda tf, nn: nn.conv2d(x(tf, 2, 8, 8, 4), x(tf, 3, 3, 4, 5), 2, "SAME", dilations=[1, 1], name="c"),
    lambda tf, nn: nn.conv2d(x(tf, 2, 8, 8, 4), x(tf, 3, 3, 4, 5), 1, [[0, 0], [1, 1], [2, 0], [0, 0]]),
    lambda tf, nn: nn.conv2d(x(tf, None), filters=x(tf, 3, 3, 4, 5), strides=[1, 1], padding="VALID"),
    lambda tf, nn: nn.conv2d(x(tf, 2, 8, 8, 3), x(tf, 3, 3, 4, 5), [1, 1, 1, 1], "SAME"),
    lambda tf, nn: nn.conv1d(x(tf, 2, 8, 4), x(tf, 3, 4, 5), 2, "SAME"),
    lambda tf, nn: nn.conv1d(x(tf, 2, 4, 8), x(tf, 3, 4, 5), 2, "SAME", data_format="NCW"),
    lambda tf, nn: nn.conv3d(x(tf, 2, 4, 4, 4, 3), x(tf, 2, 2, 2, 3, 5), [1, 1, 1, 1, 1], "SAME"),
    lambda tf, nn: nn.depthwise_conv2d_native(x(tf, 2, 8, 8, 4), x(tf, 3, 3, 4, 2), [1, 1, 1, 1], "SAME"),
    lambda tf, nn: nn.depthwise_conv2d(x(tf, 2, 8, 8, 4), x(tf, 3, 3, 4, 2), [1, 1, 1, 1], "SAME"),
    lambda tf, nn: nn.depthwise_conv2d(x(tf, 2, 8, 8, 4), x(tf, 3, 3, 4, 2), [1, 1, 1, 1], "SAME", rate=[2, 2]),
    lambda tf, nn: nn.depthwise_conv2d(x(tf, 2, 8, 8, 4), x(tf, 3, 3, 4, 2), [1, 1, 1, 1], "VALID", rate=[2, 2]),
    lambda tf, nn: nn.separable_conv2d(x(tf, 2, 8, 8, 4), x(tf, 3, 3, 4, 2), x(tf, 1, 1, 8, 6), [1, 1, 1, 1], "SAME"),
    lambda tf, nn: nn.separable_conv2d(
        x(tf, 2, 8, 8, 4), x(tf, 3, 3, 4, 2), x(tf, 1, 1, 8, 6), [1, 1, 1, 1], "SAME", rate=[2, 2]
    ),
    lambda tf, nn: nn.conv2d_transpose(x(tf, 2, 8, 8, 4), x(tf, 3, 3, 5, 4), [2, 16, 16, 5], [1, 2, 2, 1]),
    lambda tf, nn: nn.conv3d_transpose(x(tf, 2, 4, 4, 4, 3), x(tf, 2, 2, 2, 5, 3), [2, 8, 8, 8, 5], [1, 2, 2, 2, 1]),
    lambda tf, nn: nn.conv1d_transpose(x(tf, 2, 8, 4), x(tf, 3, 5, 4), [2, 16, 5], 2),
    lambda tf, nn: nn.conv_transpose(x(tf, 2, 8, 8, 4), x(tf, 3, 3, 5, 4), [2, 16, 16, 5], 2),
    lambda tf, nn: nn.conv2d_backprop_input([2, 8, 8, 4], x(tf, 3, 3, 4, 5), x(tf, 2, 8, 8, 5), [1, 1, 1, 1], "SAME"),
    lambda tf, nn: nn.conv2d_backprop_filter(x(tf, 2, 8, 8, 4), [3, 3, 4, 5], x(tf, 2, 8, 8, 5), [1, 1, 1, 1], "SAME"),
    lambda tf, nn: nn.depthwise_conv2d_native_backprop_input(
        [2, 8, 8, 4], x(tf, 3, 3, 4, 2), x(tf, 2, 8, 8, 8), [1, 1, 1, 1], "SAME"
    ),
    lambda tf, nn: nn.atrous_conv2d(x(tf, 2, 8, 8, 4), x(tf, 3, 3, 4, 5), 2, "SAME"),
    lambda tf, nn: nn.atrous_conv2d(x(tf, 2, 8, 8, 4), x(tf, 3, 3, 4, 5), 1, "SAME"),
    lambda tf, nn: nn.atrous_conv2d_transpose(x(tf, 2, 8, 8, 4), x(tf, 3, 3, 5, 4), [2, 8, 8, 5], 2, "SAME"),
    lambda tf, nn: nn.convolution(x(tf, 2, 8, 8, 4), x(tf, 3, 3, 4, 5), "SAME"),
    lambda tf, nn: nn.convolution(x(tf, 2, 8, 8, 4), x(tf, 3, 3, 4, 5), "VALID", strides=[2, 2]),
    lambda tf, nn: nn.convolution(x(tf, 2, 8, 8, 4), x(tf, 3, 3, 4, 5), "VALID", dilation_rate=[2, 3], name="q"),
    lambda tf, nn: nn.convolution(x(tf, 2, 8, 4), x(tf, 3, 4, 5), "SAME"),
    lambda tf, nn: nn.convolution(x(tf, 2, 4, 4, 4, 3), x(tf, 2, 2, 2, 3, 5), "SAME"),
    lambda tf, nn: nn.with_space_to_batch(
        x(tf, 2, 8, 8, 4), [2, 2], "VALID", lambda a, num_spatial_dims, padding: a, filter_shape=[3, 3]
    ),
]
POOLS = [
    lambda tf, nn: nn.pool(x(tf, 2, 8, 8, 4), [2, 2], "MAX", "SAME"),
    lambda tf, nn: nn.pool(x(tf, 2, 8, 8, 4), [2, 2], "AVG", "SAME", dilation_rate=[2, 2]),
    lambda tf, nn: nn.pool(x(tf, 2, 8, 8, 4), [2, 2], "AVG", "VALID", dilation_rate=[2, 2]),
    lambda tf, nn: nn.pool(x(tf, 2, 8, 8, 4), [2, 2], "AVG", "VALID", strides=[2, 2]),
    lambda tf, nn: nn.max_pool(x(tf, 2, 8, 8, 4), [1, 2, 2, 1], [1, 2, 2, 1], "SAME"),
    lambda tf, nn: nn.max_pool(x(tf, 2, 8, 8, 4), 2, 2, [[0, 0], [1, 1], [0, 0], [0, 0]]),
    lambda tf, nn: nn.avg_pool(x(tf, 2, 8, 8, 4), 2, 2, "SAME", name="p"),
    lambda tf, nn: nn.avg_pool2d(x(tf, 2, 8, 8, 4), 2, 2, "SAME"),
    lambda tf, nn: nn.max_pool2d(x(tf, 2, 8, 8, 4), 2, 2, "SAME"),
    lambda tf, nn: nn.max_pool1d(x(tf, 2, 8, 4), 2, 2, "SAME"),
    lambda tf, nn: nn.avg_pool1d(x(tf, 2, 8, 4), 2, 2, "SAME"),
    lambda tf, nn: nn.avg_pool3d(x(tf, 2, 4, 4, 4, 3), 2, 2, "SAME"),
    lambda tf, nn: nn.max_pool3d(x(tf, 2, 4, 4, 4, 3), [1, 2, 2, 2, 1], [1, 2, 2, 2, 1], "SAME"),
    lambda tf, nn: nn.avg_pool_v2(x(tf, 2, 8, 4), 2, 2, "SAME"),
    lambda tf, nn: nn.max_pool_v2(x(tf, 2, 8, 8, 4), 2, 2, "SAME"),
    lambda tf, nn: nn.max_pool_with_argmax(x(tf, 2, 8, 8, 4), [1, 2, 2, 1], [1, 2, 2, 1], "SAME"),
    lambda tf, nn: nn.erosion2d(x(tf, 2, 8, 8, 4), x(tf, 3, 3, 4), [1, 1, 1, 1], [1, 1, 1, 1], "SAME"),
    lambda tf, nn: nn.dilation2d(x(tf, 2, 8, 8, 4), x(tf, 3, 3, 4), [1, 1, 1, 1], [1, 1, 1, 1], "SAME"),
    lambda tf, nn: tf.extract_image_patches(x(tf, 2, 8, 8, 4), [1, 2, 2, 1], [1, 1, 1, 1], [1, 1, 1, 1], "SAME"),
]


@pytest.mark.parametrize("build", CONVOLUTIONS + POOLS)
def test_windows(build: Any) -> None:
    same(build)


STATISTICS = [
    lambda tf, nn: nn.bias_add(x(tf, 2, 8, 8, 4), x(tf, 4)),
    lambda tf, nn: nn.bias_add(x(tf, 2, 8, 8, 4), x(tf, 8), data_format="NCHW", name="b"),
    lambda tf, nn: nn.bias_add(x(tf, 2, 4), x(tf, 4), data_format="NCHW"),
    lambda tf, nn: nn.bias_add(x(tf, 2, 8, 8, 4), [1.0, 2.0, 3.0, 4.0]),
    lambda tf, nn: nn.xw_plus_b(x(tf, 3, 4), x(tf, 4, 5), x(tf, 5)),
    lambda tf, nn: nn.relu_layer(x(tf, 3, 4), x(tf, 4, 5), x(tf, 5)),
    lambda tf, nn: nn.dropout(x(tf, 2, 8), 0.5),
    lambda tf, nn: nn.dropout(x(tf, 2, 8), rate=0.25, seed=1),
    lambda tf, nn: nn.dropout(x(tf, 2, 8), rate=0.25, noise_shape=[2, 1], name="d"),
    lambda tf, nn: nn.dropout(x(tf, 2, 8), x(tf)),
    lambda tf, nn: nn.dropout(x(tf, 2, 8), rate=x(tf)),
    lambda tf, nn: nn.dropout(x(tf, 2, 8), rate=0.0),
    lambda tf, nn: nn.dropout(x(tf, 2, 8), rate=1.0),
    lambda tf, nn: nn.dropout(x(tf, None), rate=0.5),
    lambda tf, nn: nn.moments(x(tf, 2, 8, 8, 4), [0, 1, 2]),
    lambda tf, nn: nn.moments(x(tf, 2, 8, 8, 4), [0, 1], keep_dims=True, name="mm"),
    lambda tf, nn: nn.moments(x(tf, 2, 3, dtype="float16"), [0]),
    lambda tf, nn: nn.weighted_moments(x(tf, 2, 8, 8, 4), [0, 1, 2], x(tf, 2, 8, 8, 1)),
    lambda tf, nn: nn.weighted_moments(x(tf, 2, 8, 8, 4), [0, 1, 2], 2.0, keep_dims=True),
    lambda tf, nn: nn.sufficient_statistics(x(tf, 2, 8, 8, 4), [0, 1, 2]),
    lambda tf, nn: nn.sufficient_statistics(x(tf, None), [0], shift=1.0),
    lambda tf, nn: nn.sufficient_statistics(x(tf, None, 3), [0], keep_dims=True),
    lambda tf, nn: nn.normalize_moments(x(tf), x(tf, 3), x(tf, 3), None),
    lambda tf, nn: nn.normalize_moments(x(tf), x(tf, 3), x(tf, 3), x(tf, 3)),
    lambda tf, nn: nn.batch_normalization(x(tf, 2, 8, 8, 4), x(tf, 4), x(tf, 4), x(tf, 4), x(tf, 4), 1e-3),
    lambda tf, nn: nn.batch_normalization(x(tf, 2, 8, 8, 4), x(tf, 4), x(tf, 4), None, None, 1e-3),
    lambda tf, nn: nn.batch_normalization(x(tf, 2, 8, 8, 4), x(tf, 4), x(tf, 4), x(tf, 4), None, 1e-3),
    lambda tf, nn: nn.batch_norm_with_global_normalization(
        x(tf, 2, 8, 8, 4), x(tf, 4), x(tf, 4), x(tf, 4), x(tf, 4), 1e-3, True
    ),
    lambda tf, nn: nn.fused_batch_norm(x(tf, 2, 8, 8, 4), x(tf, 4), x(tf, 4)),
    lambda tf, nn: nn.fused_batch_norm(
        x(tf, 2, 8, 8, 4), x(tf, 4), x(tf, 4), x(tf, 4), x(tf, 4), is_training=False, epsilon=1e-6
    ),
    lambda tf, nn: nn.l2_normalize(x(tf, 3, 4), 1),
    lambda tf, nn: nn.l2_normalize(x(tf, 3, 4), dim=[0, 1]),
    lambda tf, nn: nn.l2_normalize(x(tf, 3, 4)),
    lambda tf, nn: nn.l2_loss(x(tf, 3, 4)),
    lambda tf, nn: nn.lrn(x(tf, 2, 8, 8, 4), 3, bias=2.0),
]
LOSSES = [
    lambda tf, nn: nn.sigmoid_cross_entropy_with_logits(labels=x(tf, 3), logits=x(tf, 3)),
    lambda tf, nn: nn.sigmoid_cross_entropy_with_logits(labels=x(tf, 3), logits=x(tf, 4)),
    lambda tf, nn: nn.weighted_cross_entropy_with_logits(x(tf, 3), x(tf, 3), 2.0),
    lambda tf, nn: nn.log_poisson_loss(x(tf, 3), x(tf, 3)),
    lambda tf, nn: nn.log_poisson_loss(x(tf, 3), x(tf, 3), True),
    lambda tf, nn: nn.softmax_cross_entropy_with_logits(labels=x(tf, 3, 4), logits=x(tf, 3, 4)),
    lambda tf, nn: nn.softmax_cross_entropy_with_logits_v2(labels=x(tf, 3, 4), logits=x(tf, 3, 4), name="loss"),
    lambda tf, nn: nn.softmax_cross_entropy_with_logits_v2(labels=x(tf, 2, 3, 4), logits=x(tf, 2, 3, 4)),
    lambda tf, nn: nn.softmax_cross_entropy_with_logits_v2(labels=x(tf, 3, 4), logits=x(tf, 3, 4), axis=0),
    lambda tf, nn: nn.softmax_cross_entropy_with_logits_v2(labels=x(tf, None), logits=x(tf, None)),
    lambda tf, nn: nn.softmax_cross_entropy_with_logits_v2(
        labels=x(tf, 3, 4, dtype="float16"), logits=x(tf, 3, 4, dtype="float16")
    ),
    lambda tf, nn: nn.sparse_softmax_cross_entropy_with_logits(labels=x(tf, 3, dtype="int32"), logits=x(tf, 3, 4)),
    lambda tf, nn: nn.sparse_softmax_cross_entropy_with_logits(
        labels=x(tf, 2, 3, dtype="int32"), logits=x(tf, 2, 3, 4)
    ),
    lambda tf, nn: nn.sparse_softmax_cross_entropy_with_logits(labels=x(tf, dtype="int32"), logits=x(tf, 4)),
    lambda tf, nn: nn.sparse_softmax_cross_entropy_with_logits(labels=x(tf, 2, 3, dtype="int32"), logits=x(tf, 3, 4)),
    lambda tf, nn: nn.top_k(x(tf, 3, 4), 2),
    lambda tf, nn: nn.top_k(x(tf, 3, 4)),
    lambda tf, nn: nn.in_top_k(x(tf, 3, 4), x(tf, 3, dtype="int32"), 2),
]


@pytest.mark.parametrize("build", STATISTICS + LOSSES)
def test_statistics_and_losses(build: Any) -> None:
    same(build)


LOOKUPS = [
    lambda tf, nn: nn.embedding_lookup(x(tf, 3, 4), x(tf, 2, dtype="int32")),
    lambda tf, nn: nn.embedding_lookup([x(tf, 3, 4)], x(tf, 2, 5, dtype="int64"), name="rows"),
    lambda tf, nn: nn.embedding_lookup(x(tf, 3, 4), x(tf, 2, dtype="int32"), max_norm=1.0),
    lambda tf, nn: nn.embedding_lookup([x(tf, 3, 4), x(tf, 3, 4)], x(tf, 2, dtype="int32")),
    lambda tf, nn: nn.embedding_lookup([x(tf, 3, 4), x(tf, 3, 4)], x(tf, 2, dtype="int32"), "div"),
    lambda tf, nn: nn.embedding_lookup([], x(tf, 2, dtype="int32")),
    lambda tf, nn: nn.ctc_greedy_decoder(x(tf, 5, 1, 4), [5]),
    lambda tf, nn: nn.ctc_beam_search_decoder(x(tf, 5, 1, 4), [5], top_paths=2),
]


@pytest.mark.parametrize("build", LOOKUPS)
def test_lookups(build: Any) -> None:
    same(build)
