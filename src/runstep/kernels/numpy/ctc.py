"""Connectionist temporal classification: the loss by forward and backward sums in logarithms, and two decoders."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from runstep.errors import FailedPreconditionError, InvalidArgumentError, OpError
from runstep.graph import shapes
from runstep.kernels.registry import Kernel, Node, numpy_kernel

Array = Any
_NEVER = -math.inf


def _checked(inputs: Array, lengths: Array, refused: Callable[..., OpError] = FailedPreconditionError) -> list[int]:
    if inputs.ndim != 3:
        raise InvalidArgumentError(None, None, "inputs is not a 3-Tensor")
    steps, batch, _ = inputs.shape
    if lengths.ndim != 1:
        raise InvalidArgumentError(None, None, "sequence_length is not a vector")
    if lengths.size != batch:
        raise refused(
            None,
            None,
            f"len(sequence_length) != batch_size.  len(sequence_length):  {lengths.size} batch_size: {batch}",
        )
    if not inputs.size and steps:
        raise InvalidArgumentError(None, None, "inputs must not be empty")
    if steps == 0:
        raise InvalidArgumentError(None, None, f"max_time is 0: {shapes.text(inputs.shape)}")
    found: list[int] = lengths.tolist()  # less than none is none, where TensorFlow looks at the end only
    for place, length in enumerate(found):
        if length > steps or (length < 0 and refused is InvalidArgumentError):
            raise refused(None, None, f"sequence_length({place}) <= {steps}: {length}")
    return [max(0, length) for length in found]


def _log_softmax(x: Array) -> Array:
    shifted = x - x.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


def _collapsed(labels: Sequence[int]) -> list[int]:
    return [label for label, _ in itertools.groupby(labels)]


class _Sequence:
    """One sequence of labels with blanks between, and which steps lead from state to state."""

    def __init__(self, labels: list[int], blank: int, merge: bool) -> None:
        states = [blank]
        for label in labels:
            states += [label, blank]
        self.states = np.array(states)
        self.is_blank = self.states == blank
        self.stays = self.is_blank | merge
        same = np.zeros(len(states), bool)
        same[2:] = self.states[2:] == self.states[:-2]
        self.skips = ~self.is_blank & ~(same & merge)
        self.skips[:2] = False

    def forward(self, logs: Array) -> Array:
        """`[time, states]`: the log probability of all ways to be in a state after a step."""
        alpha = np.full((logs.shape[0], len(self.states)), _NEVER)
        emitted = logs[:, self.states]
        alpha[0, :2] = emitted[0, :2]
        for step in range(1, logs.shape[0]):
            before = alpha[step - 1]
            total = np.where(self.stays, before, _NEVER)
            total[1:] = np.logaddexp(total[1:], before[:-1])
            total[2:] = np.where(self.skips[2:], np.logaddexp(total[2:], before[:-2]), total[2:])
            alpha[step] = total + emitted[step]
        return alpha

    def backward(self, logs: Array) -> Array:
        """`[time, states]`: the log probability of all that may follow a state."""
        beta = np.full((logs.shape[0], len(self.states)), _NEVER)
        emitted = logs[:, self.states]
        beta[-1, -2:] = 0
        for step in reversed(range(logs.shape[0] - 1)):
            after = beta[step + 1] + emitted[step + 1]
            total = np.where(self.stays, after, _NEVER)
            total[:-1] = np.logaddexp(total[:-1], after[1:])
            total[:-2] = np.where(self.skips[2:], np.logaddexp(total[:-2], after[2:]), total[:-2])
            beta[step] = total
        return beta


@numpy_kernel.make("CTCLoss", "CTCLossV2")
def loss(node: Node) -> Kernel:
    """The losses, and their gradients with respect to the logits."""
    attrs = node.attrs
    collapse, merge = attrs["preprocess_collapse_repeated"], attrs["ctc_merge_repeated"]
    ignore = attrs["ignore_longer_outputs_than_inputs"]
    dtype = node.output_types[0].np

    def kernel(inputs: Array, indices: Array, values: Array, lengths: Array) -> tuple[Array, Array]:
        found = _checked(inputs, lengths, InvalidArgumentError)
        if indices.ndim != 2 or values.ndim != 1 or indices.shape[0] != values.size:
            raise InvalidArgumentError(
                None, None, "labels_indices and labels_values must contain the same number of rows"
            )
        _, batch, classes = inputs.shape
        blank = 0 if node.type == "CTCLossV2" else classes - 1
        labels: list[list[int]] = [[] for _ in range(batch)]
        for (place, _), label in zip(indices.tolist(), values.tolist(), strict=True):
            if not 0 <= place < batch:
                raise InvalidArgumentError(None, None, f"labels batch must be between 0 and {batch}, saw {place}")
            if not 0 <= label < classes or label == blank:
                raise InvalidArgumentError(
                    None,
                    None,
                    "Saw a non-null label (index >= num_classes - 1) following a null label, "
                    f"batch: {place} num_classes: {classes} labels: {label}",
                )
            labels[place].append(label)
        losses, gradient = np.zeros(batch, dtype), np.zeros(inputs.shape, dtype)
        for place, length in enumerate(found):
            if length == 0:
                continue
            own = _collapsed(labels[place]) if collapse else labels[place]
            if len(own) > length:
                if ignore:
                    continue
                raise InvalidArgumentError(
                    None,
                    None,
                    f"Not enough time for target transition sequence (required: {len(own)}, available: "
                    f"{length}){place}You can turn this error into a warning by using the flag "
                    "ignore_longer_outputs_than_inputs",
                )
            logs = _log_softmax(inputs[:length, place].astype(np.float64))
            sequence = _Sequence(own, blank, merge)
            alpha, beta = sequence.forward(logs), sequence.backward(logs)
            total = np.logaddexp.reduce(alpha[-1, -2:])
            losses[place] = -total
            share = np.exp(logs)
            if total > _NEVER:
                states = np.zeros((len(sequence.states), classes))
                states[np.arange(len(sequence.states)), sequence.states] = 1
                share = share - np.exp(alpha + beta - total) @ states
            gradient[:length, place] = share
        return losses, gradient

    return kernel


def _sparse(paths: Sequence[Sequence[int]]) -> tuple[Array, Array, Array]:
    """Indices, values and shape of a SparseTensor whose rows are `paths`."""
    indices = [(row, column) for row, path in enumerate(paths) for column in range(len(path))]
    values = [label for path in paths for label in path]
    longest = max((len(path) for path in paths), default=0)
    return (
        np.array(indices, np.int64).reshape(-1, 2),
        np.array(values, np.int64),
        np.array([len(paths), longest], np.int64),
    )


@numpy_kernel.make("CTCGreedyDecoder")
def greedy(node: Node) -> Kernel:
    merge, blank = node.attrs["merge_repeated"], node.attrs["blank_index"]
    dtype = node.output_types[3].np

    def kernel(inputs: Array, lengths: Array) -> tuple[Array, ...]:
        found = _checked(inputs, lengths)
        classes = inputs.shape[2]
        nothing = blank + classes if blank < 0 else blank
        if not 0 <= nothing < classes:
            raise InvalidArgumentError(None, None, f"blank_index expected to be between {-classes} and {classes - 1}")
        best, largest = inputs.argmax(axis=2), inputs.max(axis=2)
        paths, scores = [], np.zeros((len(found), 1), dtype)
        for place, length in enumerate(found):
            labels = best[:length, place].tolist()
            paths.append([label for label in (_collapsed(labels) if merge else labels) if label != nothing])
            scores[place] = -largest[:length, place].sum()
        return (*_sparse(paths), scores)

    return kernel


def _add(a: float, b: float) -> float:
    if a < b:
        a, b = b, a
    return a if b == _NEVER else a + math.log1p(math.exp(b - a))


def _search(logs: Array, width: int) -> list[tuple[float, tuple[int, ...]]]:
    """The `width` most probable label sequences with their log probabilities, the best first."""
    blank = logs.shape[1] - 1
    beams: dict[tuple[int, ...], tuple[float, float]] = {(): (0.0, _NEVER)}  # ends in: a blank, a label
    for row in logs.tolist():
        grown: dict[tuple[int, ...], list[float]] = {}
        for prefix, (by_blank, by_label) in beams.items():
            total = _add(by_blank, by_label)
            own = grown.setdefault(prefix, [_NEVER, _NEVER])
            own[0] = _add(own[0], total + row[blank])
            if prefix:
                own[1] = _add(own[1], by_label + row[prefix[-1]])
            for label in range(blank):
                before = by_blank if prefix and prefix[-1] == label else total
                if before == _NEVER:
                    continue
                longer = grown.setdefault((*prefix, label), [_NEVER, _NEVER])
                longer[1] = _add(longer[1], before + row[label])
        best = sorted(grown.items(), key=lambda item: _add(*item[1]), reverse=True)[:width]
        beams = {prefix: (ends[0], ends[1]) for prefix, ends in best}
    return sorted(((_add(*ends), prefix) for prefix, ends in beams.items()), key=lambda item: -item[0])


@numpy_kernel.make("CTCBeamSearchDecoder")
def beam_search(node: Node) -> Kernel:
    attrs = node.attrs
    width, count, merge = attrs["beam_width"], attrs["top_paths"], attrs["merge_repeated"]
    dtype = node.output_types[-1].np

    def kernel(inputs: Array, lengths: Array) -> tuple[Array, ...]:
        found = _checked(inputs, lengths)
        if count > width:
            raise InvalidArgumentError(None, None, "requested more paths than the beam width.")
        scores = np.zeros((len(found), count), dtype)
        paths: list[list[list[int]]] = [[] for _ in range(count)]
        for place, length in enumerate(found):
            best = _search(_log_softmax(inputs[:length, place].astype(np.float64)), width)
            if len(best) < count:
                raise InvalidArgumentError(None, None, "Less leaves in the beam search than requested.")
            for rank in range(count):
                score, labels = best[rank]
                scores[place, rank] = score
                paths[rank].append(_collapsed(labels) if merge else list(labels))
        indices, values, sizes = zip(*map(_sparse, paths), strict=True)
        return (*indices, *values, *sizes, scores)

    return kernel
