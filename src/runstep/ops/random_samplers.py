"""Candidate samplers: which classes to compare with when there are too many to compare with all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from runstep.graph import shapes
from runstep.graph.apply import apply_named
from runstep.graph.random_seed import seed_attrs
from runstep.graph.tensor import TensorLike
from runstep.ops.common import Shapes
from runstep.ops.random import SEEDS
from runstep.ops.registry import op

__all__ = [
    "all_candidate_sampler",
    "compute_accidental_hits",
    "fixed_unigram_candidate_sampler",
    "learned_unigram_candidate_sampler",
    "log_uniform_candidate_sampler",
    "uniform_candidate_sampler",
]

Sampled = Any  # a namedtuple of three tensors


def _sampled(op: Any) -> Shapes:
    rows, _ = shapes.with_rank(op.inputs[0].raw_shape, 2)
    count = op.attrs["num_sampled"]
    return [(count,), (rows, op.attrs["num_true"]), (count,)]


def _hits(op: Any) -> Shapes:
    _, columns = shapes.with_rank(op.inputs[0].raw_shape, 2)
    num_true = op.attrs["num_true"]
    if columns is not None and columns != num_true:
        raise ValueError(f"Dimension must be {num_true} but is {columns}")
    shapes.with_rank(op.inputs[1].raw_shape, 1)
    return [(None,)] * 3


_OUTPUTS = (
    "true_classes: int64 -> sampled_candidates: int64, true_expected_count: float32, sampled_expected_count: float32"
)
_COUNTS = ("num_true: int >= 1", "num_sampled: int >= 1", "unique: bool")
op("AllCandidateSampler", _OUTPUTS, *_COUNTS, *SEEDS, shape=_sampled, stateful=True)
for _name in (
    "LogUniformCandidateSampler",
    "UniformCandidateSampler",
    "LearnedUnigramCandidateSampler",
    "ThreadUnsafeUnigramCandidateSampler",
):
    op(_name, _OUTPUTS, *_COUNTS, "range_max: int >= 1", *SEEDS, shape=_sampled, stateful=True)
op(
    "FixedUnigramCandidateSampler",
    _OUTPUTS,
    *_COUNTS,
    "range_max: int >= 1",
    "vocab_file: string = ''",
    "distortion: float = 1.0",
    "num_reserved_ids: int = 0",
    "num_shards: int >= 1 = 1",
    "shard: int >= 0 = 0",
    "unigrams: list(float) = []",
    *SEEDS,
    shape=_sampled,
    stateful=True,
)
op(
    "ComputeAccidentalHits",
    "true_classes: int64, sampled_candidates: int64 -> indices: int32, ids: int64, weights: float32",
    "num_true: int",
    *SEEDS,
    shape=_hits,
)


def _sampler(op_type: str, true_classes: Any, seed: Any, name: Any, **attrs: Any) -> Sampled:
    return apply_named(op_type, true_classes, name=name, **seed_attrs(seed), **attrs)


def uniform_candidate_sampler(
    true_classes: TensorLike,
    num_true: int,
    num_sampled: int,
    unique: bool,
    range_max: int,
    seed: int | None = None,
    name: str | None = None,
) -> Sampled:
    """Classes below `range_max`, all equally probable. Source: `tf.random.uniform_candidate_sampler`.

    Returns:
      The classes, int64 (num_sampled,); how often each true class was to be expected among them, float32 (rows,
      num_true); and each sampled class, float32 (num_sampled,).
    """
    return _sampler(
        "UniformCandidateSampler",
        true_classes,
        seed,
        name,
        num_true=num_true,
        num_sampled=num_sampled,
        unique=unique,
        range_max=range_max,
    )


def log_uniform_candidate_sampler(
    true_classes: TensorLike,
    num_true: int,
    num_sampled: int,
    unique: bool,
    range_max: int,
    seed: int | None = None,
    name: str | None = None,
) -> Sampled:
    """Classes below `range_max`, the first most probable (Zipf). Source: `tf.random.log_uniform_candidate_sampler`.

    Returns as `uniform_candidate_sampler`.
    """
    return _sampler(
        "LogUniformCandidateSampler",
        true_classes,
        seed,
        name,
        num_true=num_true,
        num_sampled=num_sampled,
        unique=unique,
        range_max=range_max,
    )


def learned_unigram_candidate_sampler(
    true_classes: TensorLike,
    num_true: int,
    num_sampled: int,
    unique: bool,
    range_max: int,
    seed: int | None = None,
    name: str | None = None,
) -> Sampled:
    """Classes as probable as they have been true so far. Source: `tf.random.learned_unigram_candidate_sampler`.

    Returns as `uniform_candidate_sampler`.
    """
    return _sampler(
        "LearnedUnigramCandidateSampler",
        true_classes,
        seed,
        name,
        num_true=num_true,
        num_sampled=num_sampled,
        unique=unique,
        range_max=range_max,
    )


def fixed_unigram_candidate_sampler(
    true_classes: TensorLike,
    num_true: int,
    num_sampled: int,
    unique: bool,
    range_max: int,
    vocab_file: str = "",
    distortion: float = 1.0,
    num_reserved_ids: int = 0,
    num_shards: int = 1,
    shard: int = 0,
    unigrams: Sequence[float] = (),
    seed: int | None = None,
    name: str | None = None,
) -> Sampled:
    """Classes of given weights, from `unigrams` or the last column of a file, raised to the power `distortion`.

    Source: `tf.random.fixed_unigram_candidate_sampler`. Returns as `uniform_candidate_sampler`.
    """
    return _sampler(
        "FixedUnigramCandidateSampler",
        true_classes,
        seed,
        name,
        num_true=num_true,
        num_sampled=num_sampled,
        unique=unique,
        range_max=range_max,
        vocab_file=vocab_file,
        distortion=distortion,
        num_reserved_ids=num_reserved_ids,
        num_shards=num_shards,
        shard=shard,
        unigrams=unigrams,
    )


def all_candidate_sampler(
    true_classes: TensorLike,
    num_true: int,
    num_sampled: int,
    unique: bool,
    seed: int | None = None,
    name: str | None = None,
) -> Sampled:
    """Every class below `num_sampled`. Returns as `uniform_candidate_sampler`.

    Source: `tf.random.all_candidate_sampler`.
    """
    return _sampler(
        "AllCandidateSampler", true_classes, seed, name, num_true=num_true, num_sampled=num_sampled, unique=unique
    )


def compute_accidental_hits(
    true_classes: TensorLike,
    sampled_candidates: TensorLike,
    num_true: int,
    seed: int | None = None,
    name: str | None = None,
) -> Sampled:
    """Where sampled classes are true ones: row, place among the sampled, and a weight that makes a logit not count.

    Source: `tf.nn.compute_accidental_hits`.
    """
    return apply_named(
        "ComputeAccidentalHits", true_classes, sampled_candidates, num_true=num_true, name=name, **seed_attrs(seed)
    )
