"""Connectionist temporal classification of dense labels: `tf.nn.ctc_loss_v2` and what prepares labels for it."""

from __future__ import annotations

from typing import Any

import numpy as np

from runstep.graph import dtypes
from runstep.graph.composite import SparseTensor
from runstep.graph.convert import constant, convert_to_tensor
from runstep.graph.graph import name_scope
from runstep.graph.tensor import Tensor, TensorLike
from runstep.ops.cast import cast
from runstep.ops.comparison import equal, logical_and, not_equal
from runstep.ops.creation import ones_like
from runstep.ops.ctc import ctc_loss
from runstep.ops.functional_loops import map_fn
from runstep.ops.grids import sequence_mask
from runstep.ops.indexing import scatter_nd
from runstep.ops.joining import concat, pad, stack
from runstep.ops.reduction import reduce_max, reduce_sum
from runstep.ops.selecting import boolean_mask, unique as unique_of, where, where_v2
from runstep.ops.shape_ops import shape as shape_of

__all__ = ["collapse_repeated", "ctc_loss_v2", "ctc_unique_labels"]


def ctc_loss_v2(
    labels: Any,
    logits: TensorLike,
    label_length: TensorLike,
    logit_length: TensorLike,
    logits_time_major: bool = True,
    unique: Any = None,
    blank_index: int | None = None,
    name: str | None = None,
) -> Tensor:
    """The negative log probability of each sequence of labels. Source: `tf.nn.ctc_loss_v2`.

    Args:
      labels: integers [batch, max_label_length], or a SparseTensor.
      logits: floats [frames, batch, classes]; [batch, frames, classes] unless `logits_time_major`.
      label_length: [batch]; None with sparse labels. logit_length: [batch].
      unique: what `ctc_unique_labels(labels)` gave; nothing is computed of it here.
      blank_index: the class of the blank, 0 by default; needed with sparse labels; negative from the end.

    Returns:
      [batch]; infinity for labels that are too long for their frames.
    """
    if isinstance(labels, SparseTensor):
        if blank_index is None:
            raise ValueError("Argument `blank_index` must be provided when labels is a SparseTensor.")
        with name_scope(name, "ctc_loss", [logits]):
            values, sparse = _blank_last(convert_to_tensor(logits, name="logits"), labels, blank_index)
            return ctc_loss(labels=sparse, inputs=values, sequence_length=logit_length, time_major=logits_time_major)
    with name_scope(name, "ctc_loss_dense", [logits, labels, label_length, logit_length]):
        dense = convert_to_tensor(labels, name="labels")
        lengths = convert_to_tensor(label_length, name="label_length")
        frames = convert_to_tensor(logit_length, name="logit_length")
        counted = sequence_mask(lengths, shape_of(dense)[1])
        sparse = SparseTensor(
            where(counted), cast(boolean_mask(dense, counted), dtypes.int32), shape_of(dense, out_type=dtypes.int64)
        )
        values, sparse = _blank_last(
            convert_to_tensor(logits, name="logits"), sparse, 0 if blank_index is None else blank_index
        )
        loss = ctc_loss(
            labels=sparse,
            inputs=values,
            sequence_length=cast(frames, dtypes.int32),
            ignore_longer_outputs_than_inputs=True,
            time_major=logits_time_major,
        )
        # Between two labels that are the same there must be a blank.
        repeated = logical_and(equal(dense[:, 1:], dense[:, :-1]), counted[:, 1:])
        needed = cast(lengths, frames.dtype) + reduce_sum(cast(repeated, frames.dtype), axis=1)
        return where_v2(needed > frames, constant(np.inf, loss.dtype), loss)


def _blank_last(logits: Tensor, labels: SparseTensor, blank: int) -> tuple[Tensor, SparseTensor]:
    """Classes in another order, that of the blank behind the others."""
    known = logits.shape.as_list()[-1] if logits.shape.ndims is not None else None
    if blank == -1 or blank + 1 == known:
        return logits, labels
    place: Any = blank
    if blank < 0:
        place = blank + (shape_of(logits)[2] if known is None else known)
    ordered = concat([logits[:, :, :place], logits[:, :, place + 1 :], logits[:, :, place : place + 1]], axis=2)
    ordered.set_shape(logits.shape)
    values = where_v2(labels.values < place, labels.values, labels.values - 1)
    return ordered, SparseTensor(labels.indices, values, labels.dense_shape)


def collapse_repeated(labels: TensorLike, seq_length: TensorLike, name: str | None = None) -> tuple[Tensor, Tensor]:
    """Labels [batch, time] with each run of the same label as one: (labels, lengths), zeros behind.

    Source: `tf.nn.collapse_repeated`.

    Args:
      seq_length: [batch]: how many labels of each row count.
    """
    with name_scope(name, "collapse_repeated_labels", [labels, seq_length]):
        labels = convert_to_tensor(labels, name="labels")
        seq_length = convert_to_tensor(seq_length, name="seq_length")
        first = ones_like(labels[:, :1], dtypes.bool)
        kept = logical_and(
            concat([first, not_equal(labels[:, 1:], labels[:, :-1])], axis=1),
            sequence_mask(seq_length, maxlen=shape_of(labels)[1]),
        )
        lengths = reduce_sum(cast(kept, seq_length.dtype), axis=1)
        most = reduce_max(lengths)
        places = where(sequence_mask(lengths, maxlen=most))
        sizes = stack([shape_of(labels, out_type=dtypes.int64)[0], cast(most, dtypes.int64)])
        found = scatter_nd(places, boolean_mask(labels, kept), sizes)
        found.set_shape([labels.get_shape()[0], None])
        return found, lengths


def ctc_unique_labels(labels: TensorLike, name: str | None = None) -> tuple[Tensor, Tensor]:
    """Each row's different labels (int64), zeros behind, and for each label its place among them (int32).

    Source: `tf.nn.ctc_unique_labels`.
    """
    with name_scope(name, "ctc_unique_labels", [labels]):
        labels = convert_to_tensor(labels, name="labels")

        def of_row(row: Tensor) -> list[Tensor]:
            found = unique_of(row)
            missing = shape_of(row)[0] - shape_of(found[0])[0]
            return [cast(pad(found[0], [[0, missing]]), dtypes.int64), found[1]]

        values, places = map_fn(of_row, labels, dtype=[dtypes.int64, dtypes.int32])
        for tensor in (values, places):
            tensor.set_shape(labels.get_shape())
        return values, places
