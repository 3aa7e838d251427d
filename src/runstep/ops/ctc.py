"""Connectionist temporal classification: rows, shape rules, and the `tf.nn.ctc_*` functions."""

from __future__ import annotations

from typing import Any

from runstep.graph import shapes
from runstep.graph.apply import apply
from runstep.graph.composite import SparseTensor
from runstep.graph.tensor import Tensor, TensorLike
from runstep.ops import rearranging
from runstep.ops.common import Shapes
from runstep.ops.reduction import one_of
from runstep.ops.registry import op

__all__ = ["ctc_beam_search_decoder", "ctc_beam_search_decoder_v2", "ctc_greedy_decoder", "ctc_loss"]


def _loss(op: Any) -> Shapes:
    inputs = shapes.with_rank(op.inputs[0].raw_shape, 3)
    indices = shapes.with_rank(op.inputs[1].raw_shape, 2)
    values = shapes.with_rank(op.inputs[2].raw_shape, 1)
    lengths = shapes.with_rank(op.inputs[3].raw_shape, 1)
    shapes.merge_size(indices[0], values[0])
    batch = shapes.merge_size(inputs[1], lengths[0])
    return [(batch,), (inputs[0], batch, inputs[2])]


def _batch(op: Any) -> int | None:
    inputs = shapes.with_rank(op.inputs[0].raw_shape, 3)
    lengths = shapes.with_rank(op.inputs[1].raw_shape, 1)
    return shapes.merge_size(inputs[1], lengths[0])


def _greedy(op: Any) -> Shapes:
    return [(None, 2), (None,), (2,), (_batch(op), 1)]


def _beam(op: Any) -> Shapes:
    batch, paths = _batch(op), op.attrs["top_paths"]
    return [*[(None, 2)] * paths, *[(None,)] * paths, *[(2,)] * paths, (batch, paths)]


_FLOATS = "T: {float32, float64} = float32"
_LABELS = "labels_indices: int64, labels_values: int32, sequence_length: int32"

op(
    "CTCLoss",
    f"inputs: T, {_LABELS} -> loss: T, gradient: T",
    "preprocess_collapse_repeated: bool = false",
    "ctc_merge_repeated: bool = true",
    "ignore_longer_outputs_than_inputs: bool = false",
    _FLOATS,
    shape=_loss,
)
op(
    "CTCLossV2",
    f"inputs: float32, {_LABELS} -> loss: float32, gradient: float32",
    "preprocess_collapse_repeated: bool = false",
    "ctc_merge_repeated: bool = true",
    "ignore_longer_outputs_than_inputs: bool = false",
    shape=_loss,
)
op(
    "CTCGreedyDecoder",
    "inputs: T, sequence_length: int32 -> decoded_indices: int64, decoded_values: int64, decoded_shape: int64, "
    "log_probability: T",
    "merge_repeated: bool = false",
    "blank_index: int = -1",
    _FLOATS,
    shape=_greedy,
)
op(
    "CTCBeamSearchDecoder",
    "inputs: T, sequence_length: int32 -> decoded_indices: top_paths * int64, decoded_values: top_paths * int64, "
    "decoded_shape: top_paths * int64, log_probability: T",
    "beam_width: int >= 1",
    "top_paths: int >= 1",
    "merge_repeated: bool = true",
    _FLOATS,
    shape=_beam,
)


def ctc_loss(
    labels: Any,
    inputs: TensorLike = None,
    sequence_length: TensorLike = None,
    preprocess_collapse_repeated: bool = False,
    ctc_merge_repeated: bool = True,
    ignore_longer_outputs_than_inputs: bool = False,
    time_major: bool = True,
    logits: TensorLike = None,
) -> Tensor:
    """The negative log probability of each sequence of labels, a SparseTensor of int32. Source: `tf.nn.ctc_loss`."""
    if not isinstance(labels, SparseTensor):
        raise TypeError(
            f"Expected argument `labels` to be a SparseTensor. Received labels={labels} of type: {type(labels)}"
        )
    values = one_of("logits", logits, "inputs", inputs)
    if not time_major:
        values = rearranging.transpose(values, [1, 0, 2])
    loss, _ = apply(
        "CTCLoss",
        values,
        labels.indices,
        labels.values,
        sequence_length,
        preprocess_collapse_repeated=preprocess_collapse_repeated,
        ctc_merge_repeated=ctc_merge_repeated,
        ignore_longer_outputs_than_inputs=ignore_longer_outputs_than_inputs,
    )
    return loss


def ctc_greedy_decoder(
    inputs: TensorLike, sequence_length: TensorLike, merge_repeated: bool = True, blank_index: int | None = None
) -> tuple[list[SparseTensor], Tensor]:
    """The best label of each step, without blanks. Source: `tf.nn.ctc_greedy_decoder`."""
    indices, values, shape, probability = apply(
        "CTCGreedyDecoder", inputs, sequence_length, merge_repeated=merge_repeated, blank_index=blank_index
    )
    return [SparseTensor(indices, values, shape)], probability


def ctc_beam_search_decoder(
    inputs: TensorLike,
    sequence_length: TensorLike,
    beam_width: int = 100,
    top_paths: int = 1,
    merge_repeated: bool = True,
) -> tuple[list[SparseTensor], Tensor]:
    """The most probable sequences of labels. Source: `tf.nn.ctc_beam_search_decoder`."""
    indices, values, sizes, probability = apply(
        "CTCBeamSearchDecoder",
        inputs,
        sequence_length,
        beam_width=beam_width,
        top_paths=top_paths,
        merge_repeated=merge_repeated,
    )
    paths = [SparseTensor(*parts) for parts in zip(indices, values, sizes, strict=True)]
    return paths, probability


def ctc_beam_search_decoder_v2(
    inputs: TensorLike, sequence_length: TensorLike, beam_width: int = 100, top_paths: int = 1
) -> tuple[list[SparseTensor], Tensor]:
    """As `ctc_beam_search_decoder`, and repeated labels stay. Source: `tf.nn.ctc_beam_search_decoder_v2`."""
    return ctc_beam_search_decoder(inputs, sequence_length, beam_width, top_paths, merge_repeated=False)
