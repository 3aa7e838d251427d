"""Hash buckets and fingerprints."""

from __future__ import annotations

import numpy as np

from runstep import errors
from runstep.graph import dtypes
from runstep.kernels import farmhash
from runstep.kernels.bytestrings import Array, numbers, text_shape
from runstep.kernels.registry import Kernel, Node, numpy_kernel


@numpy_kernel.make("StringToHashBucketFast")
def string_to_hash_bucket_fast(node: Node) -> Kernel:
    buckets = np.uint64(node.attrs["num_buckets"])

    def kernel(x: Array) -> Array:
        found = farmhash.fingerprints(x.ravel().tolist()) % buckets
        return found.astype(np.int64).reshape(x.shape)

    return kernel


@numpy_kernel.make("StringToHashBucketStrong")
def string_to_hash_bucket_strong(node: Node) -> Kernel:
    buckets, words = node.attrs["num_buckets"], node.attrs["key"]
    if len(words) != 2:
        raise errors.InvalidArgumentError(None, None, f"Key must have 2 elements, got {len(words)}")
    key = (words[0] & (1 << 64) - 1, words[1] & (1 << 64) - 1)
    return lambda x: numbers(lambda text: farmhash.siphash(text, key) % buckets, x, np.int64)


@numpy_kernel.make("StringToHashBucket")
def string_to_hash_bucket(node: Node) -> Kernel:
    buckets = node.attrs["num_buckets"]
    return lambda x: numbers(lambda text: farmhash.murmur(text) % buckets, x, np.int64)


@numpy_kernel.make("Fingerprint")
def fingerprint(node: Node) -> Kernel:
    is_text = node.input_types[0] is dtypes.string

    def kernel(data: Array, method: Array) -> Array:
        if np.ndim(method):
            raise errors.InvalidArgumentError(
                None, None, f"`method` should be a scalar string: {text_shape(np.shape(method))}"
            )
        if method.item() != b"farmhash64":
            raise errors.InvalidArgumentError(
                None, None, f"Unsupported fingerprint method: {method.item().decode('latin1')}"
            )
        if not np.ndim(data):
            raise errors.InvalidArgumentError(None, None, "`data` should have at least one dimension: []")
        rows, width = data.shape[0], int(np.prod(data.shape[1:]))
        if is_text:
            # A row of one string has that string's fingerprint, a longer row the fingerprint of theirs.
            data = farmhash.fingerprints(data.ravel().tolist()).reshape(rows, width)
            if width == 1:
                return data.astype("<u8").view(np.uint8)
        raw = np.ascontiguousarray(data).tobytes()
        step = len(raw) // rows if rows else 0
        found = farmhash.fingerprints([raw[row * step : (row + 1) * step] for row in range(rows)])
        return found.astype("<u8").view(np.uint8).reshape(rows, 8)

    return kernel
