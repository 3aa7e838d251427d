"""Losses over a sample of the classes: `tf.nn.sampled_softmax_loss` and `tf.nn.nce_loss`."""

from __future__ import annotations

from typing import Any

from runstep.graph import dtypes
from runstep.graph.convert import convert_to_tensor
from runstep.graph.graph import name_scope
from runstep.graph.tensor import Tensor, TensorLike
from runstep.ops.arithmetic import multiply
from runstep.ops.basic import stop_gradient
from runstep.ops.cast import cast
from runstep.ops.creation import ones, ones_like, zeros_like
from runstep.ops.elementwise import log
from runstep.ops.embedding import embedding_lookup
from runstep.ops.joining import concat, stack
from runstep.ops.matmul import matmul
from runstep.ops.nn_losses import sigmoid_cross_entropy_with_logits, softmax_cross_entropy_with_logits_v2
from runstep.ops.random_samplers import compute_accidental_hits, log_uniform_candidate_sampler
from runstep.ops.shape_ops import expand_dims, reshape, shape
from runstep.ops.slicing import slice
from runstep.ops.sparse_functions import sparse_to_dense
from runstep.variables.partition import PartitionedVariable

__all__ = ["nce_loss", "sampled_softmax_loss"]


def _row_sums(x: Tensor) -> Tensor:
    """The sum of each row, by a product with ones: its gradient is cheaper than a reduction's."""
    columns = shape(x)[1]
    return reshape(matmul(x, ones(stack([columns, 1]), x.dtype)), [-1])


def _sampled_logits(
    weights: Any,
    biases: Any,
    labels: TensorLike,
    inputs: TensorLike,
    num_sampled: int,
    num_classes: int,
    num_true: int,
    sampled_values: Any,
    subtract_log_q: bool,
    remove_accidental_hits: bool,
    partition_strategy: str,
    name: str | None,
    seed: int | None,
) -> tuple[Tensor, Tensor]:
    """The logits `[batch, num_true + num_sampled]` of the labels and of sampled classes, and the labels that belong to
    them."""
    if isinstance(weights, PartitionedVariable):
        weights = list(weights)
    if not isinstance(weights, list):
        weights = [weights]
    with name_scope(name, "compute_sampled_logits", [*weights, biases, inputs, labels]):
        labels = convert_to_tensor(labels)
        if labels.dtype is not dtypes.int64:
            labels = cast(labels, dtypes.int64)
        flat_labels = reshape(labels, [-1])
        if sampled_values is None:
            sampled_values = log_uniform_candidate_sampler(
                true_classes=labels,
                num_true=num_true,
                num_sampled=num_sampled,
                unique=True,
                range_max=num_classes,
                seed=seed,
            )
        sampled, true_count, sampled_count = (stop_gradient(value) for value in sampled_values)
        sampled = cast(sampled, dtypes.int64)

        ids = concat([flat_labels, sampled], 0)
        rows = embedding_lookup(weights, ids, partition_strategy=partition_strategy)
        if rows.dtype is not convert_to_tensor(inputs).dtype:
            rows = cast(rows, convert_to_tensor(inputs).dtype)
        true_rows = slice(rows, [0, 0], stack([shape(flat_labels)[0], -1]))
        sampled_rows = slice(rows, stack([shape(flat_labels)[0], 0]), [-1, -1])
        sampled_logits = matmul(inputs, sampled_rows, transpose_b=True)

        offsets = embedding_lookup(biases, ids, partition_strategy=partition_strategy)
        true_offsets = slice(offsets, [0], shape(flat_labels))
        sampled_offsets = slice(offsets, shape(flat_labels), [-1])

        width = shape(true_rows)[1:2]
        shaped = concat([[-1, num_true], width], 0)
        products = multiply(expand_dims(inputs, 1), reshape(true_rows, shaped))
        true_logits = reshape(_row_sums(reshape(products, concat([[-1], width], 0))), [-1, num_true])
        true_logits += reshape(true_offsets, [-1, num_true])
        sampled_logits += sampled_offsets

        if remove_accidental_hits:
            sampled_logits += _hits(labels, sampled, num_true, num_sampled, sampled_logits)
        if subtract_log_q:
            true_logits -= log(true_count)
            sampled_logits -= log(sampled_count)
        logits = concat([true_logits, sampled_logits], 1)
        found = concat([ones_like(true_logits) / num_true, zeros_like(sampled_logits)], 1)
        return logits, found


def _hits(labels: Tensor, sampled: Tensor, num_true: int, num_sampled: int, logits: Tensor) -> Tensor:
    """Very negative numbers where a sampled class is a label of the row, and zeros elsewhere."""
    rows, columns, weights = compute_accidental_hits(labels, sampled, num_true=num_true)
    places = concat([reshape(rows, [-1, 1]), reshape(cast(columns, dtypes.int32), [-1, 1])], 1, "sparse_indices")
    size = concat([shape(labels)[:1], expand_dims(num_sampled, 0)], 0)
    if logits.dtype != weights.dtype:
        weights = cast(weights, logits.dtype)
    return sparse_to_dense(places, size, weights, default_value=0.0, validate_indices=False)


def sampled_softmax_loss(
    weights: Any,
    biases: Any,
    labels: TensorLike,
    inputs: TensorLike,
    num_sampled: int,
    num_classes: int,
    num_true: int = 1,
    sampled_values: Any = None,
    remove_accidental_hits: bool = True,
    partition_strategy: str = "mod",
    name: str = "sampled_softmax_loss",
    seed: int | None = None,
) -> Tensor:
    """The softmax loss over the labels and a sample of the other classes, for training. Source:
    `tf.nn.sampled_softmax_loss` (arXiv 1412.2007).

    Args:
      weights: `[num_classes, dim]`, or a list of parts of it. biases: `[num_classes]`. labels: `[batch, num_true]` of
        int64. inputs: `[batch, dim]`. sampled_values: of a candidate sampler; `log_uniform_candidate_sampler` by
        default, which wants classes sorted by falling frequency. remove_accidental_hits: a sampled class that is a
        label of the row doesn't count. partition_strategy: how ids are spread over parts, see `embedding_lookup`.

    Returns:
      `[batch]`.
    """
    logits, found = _sampled_logits(
        weights,
        biases,
        labels,
        inputs,
        num_sampled,
        num_classes,
        num_true,
        sampled_values,
        True,
        remove_accidental_hits,
        partition_strategy,
        name,
        seed,
    )
    found = stop_gradient(found, name="labels_stop_gradient")
    return softmax_cross_entropy_with_logits_v2(labels=found, logits=logits)


def nce_loss(
    weights: Any,
    biases: Any,
    labels: TensorLike,
    inputs: TensorLike,
    num_sampled: int,
    num_classes: int,
    num_true: int = 1,
    sampled_values: Any = None,
    remove_accidental_hits: bool = False,
    partition_strategy: str = "mod",
    name: str = "nce_loss",
) -> Tensor:
    """The noise-contrastive estimation loss, for training. Source: `tf.nn.nce_loss` (Gutmann and Hyvarinen 2010).

    Args:
      As `sampled_softmax_loss`.

    Returns:
      `[batch]`.
    """
    logits, found = _sampled_logits(
        weights,
        biases,
        labels,
        inputs,
        num_sampled,
        num_classes,
        num_true,
        sampled_values,
        True,
        remove_accidental_hits,
        partition_strategy,
        name,
        None,
    )
    return _row_sums(sigmoid_cross_entropy_with_logits(labels=found, logits=logits, name="sampled_losses"))
