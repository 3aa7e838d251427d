"""Bias, batch normalization and local response normalization against TensorFlow."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import runstep.kernels.numpy.normalization  # noqa: F401
from runstep.errors import InvalidArgumentError
from runstep.graph import dtypes
from runstep.kernels.registry import numpy_kernel
from runstep.testing import case, check, of, positive, real

LOOSE = {"float32": 1e-4, "float16": 4e-3, "bfloat16": 3e-2}
X = real(2, 4, 3, 5)


def vectors(size=5):
    return [real(size), real(size), real(size), positive(size)]


def norm(op, *inputs, **more):
    return case(op, *inputs, rtol=LOOSE, atol=LOOSE, **more)


CASES = [
    *[
        case("BiasAdd", real(*shape, 3), real(3))
        for shape in ((2,), (2, 4), (2, 4, 5), (1, 2, 2, 2), (0, 2), (3, 40, 50))
    ],
    case("BiasAdd", real(2, 40, 30, 4), of([1, 2, 3, 4])),
    case("BiasAdd", real(200, 30), of(np.arange(30)), types={"T": ["float32", "int32"]}),
    case("BiasAdd", real(2, 3, 4, 5), real(3), data_format="NCHW"),
    case("BiasAdd", real(2, 3, 4), real(3), data_format="NCHW"),
    case("BiasAdd", real(3), real(3), error=InvalidArgumentError),
    case("BiasAdd", real(2, 3), real(4), error=InvalidArgumentError),
    case("BiasAdd", real(2, 3), real(3, 1), error=InvalidArgumentError),
    case("BiasAdd", real(2, 3), real(4), error=ValueError),
    case("BiasAddV1", real(2, 4, 3), real(3)),
    *[case("BiasAddGrad", real(*shape, 3), rtol=LOOSE, atol=0.05) for shape in ((2,), (2, 4), (2, 4, 5), (0, 2))],
    case("BiasAddGrad", real(2, 3, 4, 5), data_format="NCHW", rtol=LOOSE, atol=0.05),
    *[
        case("BiasAddGrad", real(*shape), data_format="NCHW", rtol=LOOSE, atol=0.05)
        for shape in ((2, 3, 4), (2, 3, 4, 2, 2))
    ],
    case("BiasAddGrad", real(3), error=InvalidArgumentError),
    *[
        # TensorFlow leaves the reserve spaces unset in inference; test_inference looks at the values.
        norm(op, X, *vectors(), is_training=False, epsilon=0.01, stateful=True)
        for op in ("FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3")
    ],
    norm("FusedBatchNormV2", X, *vectors(), is_training=True, exponential_avg_factor=0.75),
    norm("FusedBatchNormV2", X, real(5), real(5), of([]), of([]), is_training=True),
    norm("FusedBatchNormV3", X, real(5), real(5), of([]), of([]), is_training=True),
    norm("FusedBatchNormV2", real(0, 4, 3, 5), *vectors(), is_training=False, stateful=True),
    norm("FusedBatchNormV2", X, *vectors(4), is_training=False, error=InvalidArgumentError),
    norm("FusedBatchNormV2", real(4, 3, 5), *vectors(), is_training=False, error=InvalidArgumentError),
    *[
        norm(op, X, X, real(5), real(5), positive(5), *more, is_training=training)
        for op, more in (("FusedBatchNormGrad", []), ("FusedBatchNormGradV2", []), ("FusedBatchNormGradV3", [real(5)]))
        for training in (True, False)
    ],
    norm("LRN", real(2, 3, 3, 7)),
    norm("LRN", real(2, 3, 3, 7), depth_radius=2, bias=2.0, alpha=0.5, beta=0.75),
    norm(
        "LRNGrad", real(2, 3, 3, 7), real(2, 3, 3, 7), real(2, 3, 3, 7), depth_radius=2, bias=2.0, alpha=0.5, beta=0.75
    ),
    norm("LRN", real(3, 3, 7), error=InvalidArgumentError),
]


@pytest.mark.parametrize("row", CASES, ids=str)
def test_ops(row):
    check(row)


@pytest.mark.parametrize("constant", [True, False])
def test_inference(constant):
    """Batch norm in inference is one multiply-add, worked out at plan time where the moments are constant."""
    values: Any = np.array([[1, 2, 3], [0, 1, -1], [1, 1, 2], [1, 2, 4]], np.float32)
    scale, offset, mean, variance = values
    x = np.random.default_rng(0).normal(size=(2, 5, 4, 3)).astype(np.float32)
    vectors = {1: scale, 2: offset, 3: mean, 4: variance}
    found: Any = numpy_kernel.find("FusedBatchNormV3", {})
    kernel = found.make(
        SimpleNamespace(
            attrs={"data_format": b"NHWC", "epsilon": 0.5, "is_training": False},
            output_types=[dtypes.float32] * 6,
            constant=lambda index: vectors.get(index) if constant else None,
        )
    )
    y, *moments = kernel(x, scale, offset, mean, variance)
    np.testing.assert_allclose(y, (x - mean) / np.sqrt(variance + 0.5) * scale + offset, rtol=1e-5, atol=1e-5)
    for got, want in zip(moments, (mean, variance, mean, variance, 0), strict=True):
        np.testing.assert_array_equal(got, want)
