"""Hashes agree with TensorFlow, whatever the length of the string."""

from __future__ import annotations

import random

import pytest

import runstep.kernels.numpy.hashing  # noqa: F401
from runstep import errors
from runstep.ops import hashing
from runstep.testing import case, check, of, real, strings
from runstep.testing.building import compare_graphs

_RANDOM = random.Random(5)
LENGTHS = [*range(70), 127, 128, 129, 191, 192, 193, 255, 256, 257, 1000, 5000]
TEXTS = [_RANDOM.randbytes(length) for length in _RANDOM.sample(LENGTHS, len(LENGTHS))]
MANY = 2**62

CASES = [
    case("StringToHashBucketFast", of(TEXTS), num_buckets=MANY, name="lengths"),
    case("StringToHashBucketFast", strings(2, 3), num_buckets=7),
    case("StringToHashBucketFast", strings(), num_buckets=1),
    case("StringToHashBucketFast", strings(0), num_buckets=5),
    case("StringToHashBucketStrong", of(TEXTS), num_buckets=MANY, key=[123456789, 987654321], name="lengths"),
    case("StringToHashBucketStrong", strings(2, 3), num_buckets=11, key=[-1, 0]),
    case("StringToHashBucketStrong", strings(), num_buckets=11, key=[1], error=errors.InvalidArgumentError),
    case("StringToHashBucket", of(TEXTS), num_buckets=MANY, name="lengths"),
    case("StringToHashBucket", strings(2, 3), num_buckets=13),
    case("Fingerprint", real(3, 2), "farmhash64"),
    case("Fingerprint", real(4), "farmhash64"),
    case("Fingerprint", strings(3, 1), "farmhash64"),
    case("Fingerprint", strings(2, 3, 2), "farmhash64"),
    case("Fingerprint", real(0, 2), "farmhash64"),
    # TensorFlow leaves the memory as it was for empty rows of strings.
    case("Fingerprint", real(2, 0), "farmhash64", types={"T": ["float32", "int64"]}),
    case("Fingerprint", real(2), "sha", types={"T": ["float32"]}, error=errors.InvalidArgumentError),
    case("Fingerprint", real(2), "sha", types={"T": ["float32"]}, error=ValueError),
    case("Fingerprint", real(), "farmhash64", types={"T": ["float32"]}, error=errors.InvalidArgumentError),
    case("Fingerprint", real(2), of(["farmhash64"]), types={"T": ["float32"]}, error=errors.InvalidArgumentError),
]


@pytest.mark.parametrize("row", CASES, ids=str)
def test_ops(row):
    check(row)


BUILDERS = [
    lambda tf: tf.string_to_hash_bucket_fast(["a"], 10),
    lambda tf: tf.string_to_hash_bucket_strong(tf.placeholder("string"), 10, [1, 2], name="x"),
    lambda tf: tf.string_to_hash_bucket("a", 10),
    lambda tf: tf.string_to_hash_bucket(input=tf.placeholder("string", [2, None]), num_buckets=10),
    lambda tf: tf.string_to_hash_bucket("a", 10, input="b"),
    lambda tf: tf.string_to_hash_bucket_fast(["a"], 0),
    lambda tf: tf.fingerprint(tf.placeholder("float32", [3, 4])),
]


@pytest.mark.parametrize("index", range(len(BUILDERS)))
def test_graph_is_tensorflows(index):
    compare_graphs(BUILDERS[index], [hashing])
