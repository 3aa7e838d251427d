"""Candidate samplers draw TensorFlow's classes, run after run, and expect what it expects."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import runstep.kernels.numpy.table  # noqa: F401
from runstep import errors
from runstep.ops import random_samplers
from runstep.testing import building, case, check, ints, of
from runstep.testing.stateful import compare

SEEDS: Any = {"seed": 7, "seed2": 9}
TRUE = np.array([[1, 2], [0, 1]], np.int64)
COUNTS: Any = {"num_true": 2, "num_sampled": 4, "unique": True}


def thrice(api, op, true_classes=TRUE, **attrs):
    node = api.op(op, true_classes, **{"num_true": 2, **SEEDS, **attrs})
    for _ in range(3):
        api.run(list(node))


@pytest.mark.parametrize("unique", [False, True])
@pytest.mark.parametrize(
    "op",
    [
        "LogUniformCandidateSampler",
        "UniformCandidateSampler",
        "LearnedUnigramCandidateSampler",
        "ThreadUnsafeUnigramCandidateSampler",
    ],
)
def test_samplers_with_a_range(op, unique):
    def program(api):
        for count, size in ((1, 3), (3, 3), (8, 20), (5, 1000), (200, 300), (50, 1 << 20), (7, 8)):
            thrice(api, op, num_sampled=count, unique=unique, range_max=size)
        thrice(api, op, num_sampled=5, unique=unique, range_max=4)
        thrice(api, op, np.array([[3, 77]]), num_sampled=3, unique=unique, range_max=4)
        thrice(api, op, np.array([[3, -1]]), num_sampled=3, unique=unique, range_max=4)
        thrice(api, op, api.hidden([3, 1], "int64"), num_sampled=3, unique=unique, range_max=4)
        thrice(api, op, api.hidden([[3]], "int64"), num_sampled=3, unique=unique, range_max=4)

    compare(program, texts=True)


@pytest.mark.parametrize("unique", [False, True])
def test_fixed_weights(unique, tmp_path):
    weights = [1.0, 5, 3, 2, 1, 7, 0.5, 0.25, 4, 2]
    vocabulary = tmp_path / "words.csv"
    vocabulary.write_text("".join(f"w{place},x,{weight}\n" for place, weight in enumerate(weights)))

    def program(api):
        op = "FixedUnigramCandidateSampler"
        thrice(api, op, num_sampled=6, unique=unique, range_max=10, unigrams=weights)
        thrice(api, op, num_sampled=6, unique=unique, range_max=10, vocab_file=str(vocabulary))
        thrice(api, op, num_sampled=6, unique=unique, range_max=10, unigrams=weights, distortion=0.5)
        thrice(api, op, num_sampled=6, unique=unique, range_max=12, unigrams=weights, num_reserved_ids=2)
        for shard in (0, 1, 2):
            for size in (3, 4, 5):
                thrice(
                    api, op, num_sampled=3, unique=unique, range_max=size, unigrams=weights, num_shards=3, shard=shard
                )
        # Shares that are whole numbers only in double precision.
        thrice(api, op, num_sampled=6, unique=unique, range_max=10, unigrams=[float(i) for i in range(1, 11)])
        thrice(api, op, num_sampled=2, unique=unique, range_max=10)
        thrice(api, op, num_sampled=2, unique=unique, range_max=10, unigrams=weights, vocab_file=str(vocabulary))
        thrice(api, op, num_sampled=2, unique=unique, range_max=10, vocab_file=str(vocabulary) + ".no")
        thrice(api, op, num_sampled=2, unique=unique, range_max=10, unigrams=weights, num_shards=2, shard=2)

    compare(program)


CASES = [
    case("AllCandidateSampler", ints(3, 2, high=5), num_true=2, num_sampled=5, unique=True),
    case("AllCandidateSampler", of([[1]]), num_true=1, num_sampled=1, unique=True, error=errors.InvalidArgumentError),
    case("UniformCandidateSampler", ints(3, 2, high=5), **COUNTS, range_max=9, stateful=True),
    case("LogUniformCandidateSampler", ints(3, 2, high=5), **COUNTS, range_max=9, stateful=True),
    case("LearnedUnigramCandidateSampler", ints(3, 2, high=5), **COUNTS, range_max=9, stateful=True),
    case("ThreadUnsafeUnigramCandidateSampler", ints(3, 2, high=5), **COUNTS, range_max=9, stateful=True),
    case(
        "FixedUnigramCandidateSampler",
        ints(3, 2, high=4),
        **COUNTS,
        range_max=5,
        unigrams=[1.0, 2.0, 3.0, 2.0, 1.0],
        stateful=True,
    ),
    case("UniformCandidateSampler", ints(3), **COUNTS, range_max=9, error=ValueError),
    case("UniformCandidateSampler", ints(3), **COUNTS, range_max=9, error=errors.InvalidArgumentError),
    case("UniformCandidateSampler", ints(3, 1), **COUNTS, range_max=9, error=errors.InvalidArgumentError),
    case("ComputeAccidentalHits", of([[1, 2], [3, 1], [7, 7]]), of([1, 7, 3, 1, 5]), num_true=2),
    case("ComputeAccidentalHits", ints(20, 3, high=9), ints(30, high=20), num_true=3),
    case("ComputeAccidentalHits", ints(2, 3), ints(0), num_true=3),
    case("ComputeAccidentalHits", ints(0, 3), ints(2), num_true=3),
    case("ComputeAccidentalHits", ints(2, 3), ints(2), num_true=2, error=ValueError),
    case("ComputeAccidentalHits", ints(2, 3), ints(2), num_true=2, error=errors.InvalidArgumentError),
    case("ComputeAccidentalHits", ints(2, 3), ints(2, 2), num_true=3, error=errors.InvalidArgumentError),
]


@pytest.mark.parametrize("row", CASES, ids=str)
def test_ops(row):
    check(row)


def test_functions_build_tensorflows_nodes():
    def build(tf):
        tf.log_uniform_candidate_sampler([[1, 2]], 2, 3, True, 10, seed=3)
        tf.uniform_candidate_sampler([[1, 2]], 2, 3, True, 10)
        tf.learned_unigram_candidate_sampler([[1, 2]], 2, 3, True, 10)
        tf.fixed_unigram_candidate_sampler([[1, 2]], 2, 3, True, 3, unigrams=[1, 2, 3], name="f")
        tf.all_candidate_sampler([[1, 2]], 2, 3, True)
        tf.compute_accidental_hits([[1, 2]], tf.constant([1, 2, 3], tf.int64), 2)

    def theirs(tf):
        build(type("nn", (), {name: staticmethod(getattr(tf.nn, name)) for name in random_samplers.__all__}
                   | {"constant": staticmethod(tf.constant), "int64": tf.int64}))  # fmt: skip

    building.compare_graphs(build, [random_samplers], theirs=theirs)
