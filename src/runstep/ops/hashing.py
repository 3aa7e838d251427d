"""Strings to numbers of a fixed range: hash buckets and fingerprints."""

from __future__ import annotations

from typing import Any

from runstep.graph import shapes
from runstep.graph.apply import apply
from runstep.graph.tensor import Tensor, TensorLike
from runstep.ops.common import Shapes, unchanged
from runstep.ops.reduction import one_of
from runstep.ops.registry import op

__all__ = ["fingerprint", "string_to_hash_bucket", "string_to_hash_bucket_fast", "string_to_hash_bucket_strong"]


def _fingerprinted(op: Any) -> Shapes:
    data, method = (tensor.raw_shape for tensor in op.inputs)
    shapes.with_rank_at_least(data, 1)
    shapes.with_rank(method, 0)
    rows = data[0] if data is not None else None
    name = op.constant(1)
    if name is None:
        return [(rows, None)]
    if name.item() != b"farmhash64":
        raise ValueError(f"unsupported method: {name.item().decode('latin1')}")
    return [(rows, 8)]


op("StringToHashBucketFast", "input: string -> output: int64", "num_buckets: int >= 1", shape=unchanged)
op(
    "StringToHashBucketStrong",
    "input: string -> output: int64",
    "num_buckets: int >= 1",
    "key: list(int)",
    shape=unchanged,
)
op("StringToHashBucket", "string_tensor: string -> output: int64", "num_buckets: int >= 1", shape=unchanged)
op("Fingerprint", "data: T, method: string -> fingerprint: uint8", "T: type", shape=_fingerprinted)


def string_to_hash_bucket_fast(input: TensorLike, num_buckets: int, name: str | None = None) -> Tensor:
    """int64 in [0, num_buckets): FarmHash of each string. Source: `tf.strings.to_hash_bucket_fast`."""
    result: Tensor = apply("StringToHashBucketFast", input, num_buckets=num_buckets, name=name)
    return result


def string_to_hash_bucket_strong(input: TensorLike, num_buckets: int, key: Any, name: str | None = None) -> Tensor:
    """int64 in [0, num_buckets): SipHash of each string under `key`, two ints.

    Source: `tf.strings.to_hash_bucket_strong`.
    """
    result: Tensor = apply("StringToHashBucketStrong", input, num_buckets=num_buckets, key=key, name=name)
    return result


def string_to_hash_bucket(
    string_tensor: Any = None, num_buckets: int | None = None, name: str | None = None, input: Any = None
) -> Tensor:
    """int64 in [0, num_buckets), by a hash that may change between versions. Source: `tf.strings.to_hash_bucket`."""
    result: Tensor = apply(
        "StringToHashBucket",
        one_of("input", input, "string_tensor", string_tensor),
        num_buckets=num_buckets,
        name=name,
    )
    return result


def fingerprint(data: TensorLike, method: str = "farmhash64", name: str | None = None) -> Tensor:
    """uint8 [rows, 8]: a hash of each row of `data` (of its bytes, or its strings). Source: `tf.fingerprint`."""
    result: Tensor = apply("Fingerprint", data, method, name=name)
    return result
