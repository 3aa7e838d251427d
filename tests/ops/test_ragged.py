"""Ragged tensors take the forms that TensorFlow gives them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import runstep.kernels.numpy.ragged  # noqa: F401
import runstep.ops.table  # noqa: F401
from runstep import errors
from runstep.graph import dtypes
from runstep.graph.apply import apply
from runstep.graph.ragged_tensor import RaggedTensor
from runstep.ops import ragged
from runstep.testing import case, check, of, real
from runstep.testing.bench import Bench

INVALID = errors.InvalidArgumentError
BY_HAND = {
    "RaggedTensorToVariant": "a variant cannot leave a session; what is made of it again is looked at",
    "RaggedTensorFromVariant": "its input is a variant",
    "RaggedTensorToVariantGradient": "its input is a variant; tests/gradients/test_ragged.py has its values",
}
ONE = {"T": ["float32"], "Tsplits": ["int64"]}
KIND = {"T": ["float32"]}
FEW = {"T": ["float32", "int32", "string", "bool"]}
VALUES = {"Tvalues": ["float32"], "Tsplits": ["int64"], "Tindices": ["int32"]}
SIMPLE = {"T": ["float32"], "Tindex": ["int64"], "Tshape": ["int64"]}


def of64(value):
    return of(value, "int64")


def dense(shape, values, default, partitions, kinds, types=SIMPLE, **more):
    return case(
        "RaggedTensorToTensor",
        of(shape), values, default, [of(part) for part in partitions],
        row_partition_types=[{"S": "ROW_SPLITS", "V": "VALUE_ROWIDS", "F": "FIRST_DIM_SIZE"}.get(k, k) for k in kinds],
        types=types, **more,
    )  # fmt: skip


CASES = [
    case("RaggedTensorToSparse", [[0, 2, 2, 3]], real(3)),
    case("RaggedTensorToSparse", [[0, 2, 3], [0, 1, 1, 3]], real(3), types=ONE),
    case("RaggedTensorToSparse", [[0, 2, 2, 3]], real(3, 2, 2), types=ONE),
    case("RaggedTensorToSparse", [of64([0])], real(0), types=ONE),
    case("RaggedTensorToSparse", [of64([0, 0])], real(0, 3), types=ONE),
    *[
        case("RaggedTensorToSparse", [of64(part) for part in nested], real(3), types=ONE, error=INVALID)  # type: ignore[attr-defined]
        for nested in [[[1, 3]], [[0, 2, 1, 3]], [[0, 2]], [[]], [[0, 2, 4], [0, 1, 3]]]
    ],
    case("RaggedRange", [0, 5, 8], [3, 5, 12], 1),
    case("RaggedRange", [5, 1], [0, 9], [-2, 3], types={"T": ["int32", "int64", "float32"]}),
    case("RaggedRange", 0, 5, 1),
    case("RaggedRange", 3, 0, 1),
    case("RaggedRange", of([0.0, 1.0]), of([1.5, 2.0]), of(0.1), types={"T": ["float32", "float64"]}),
    case("RaggedRange", of([]), of([]), of([]), types={"T": ["int32"]}),
    case("RaggedRange", 0, 3, 0, types={"T": ["int32"]}, error=INVALID),
    case("RaggedRange", [1], [2, 3], [1], types={"T": ["int32"]}, error=INVALID),
    case("RaggedRange", [1], [2, 3], [1], types={"T": ["int32"]}, error=ValueError),
    case("RaggedRange", [[1]], [2], [1], types={"T": ["int32"]}, error=INVALID),
    case("RaggedRange", of(0.0), of(float("inf")), of(1.0), types={"T": ["float32"]}, error=INVALID),
    case("RaggedGather", [[0, 2, 2, 3]], real(3), [2, 0], OUTPUT_RAGGED_RANK=1),
    case("RaggedGather", [[0, 2, 3], [0, 1, 1, 3]], real(3, 2), [1, 0, 1], OUTPUT_RAGGED_RANK=2, types=VALUES),
    case("RaggedGather", [[0, 2, 2, 3]], real(3), [[2, 0], [1, 1]], OUTPUT_RAGGED_RANK=2, types=VALUES),
    case("RaggedGather", [[0, 2, 2, 3]], real(3), 0, OUTPUT_RAGGED_RANK=0, types=VALUES),
    case("RaggedGather", [[0, 2, 3], [0, 1, 1, 3]], real(3), 1, OUTPUT_RAGGED_RANK=1, types=VALUES),
    case("RaggedGather", [[0, 2, 2, 3]], real(3), of([]), OUTPUT_RAGGED_RANK=1, types=VALUES),
    *[
        case("RaggedGather", [splits], real(3), indices, OUTPUT_RAGGED_RANK=1, types=VALUES, error=INVALID)
        for splits, indices in [([0, 2, 3], [3]), ([0, 2, 3], [-1]), ([0, 2, 2, 9], [2]), ([0, 2, 1, 3], [1])]
    ],
    dense([-1, -1], real(3), real(), [[0, 2, 2, 3]], "S", types={}),
    dense([4, 2], real(3), real(), [[0, 2, 2, 3]], "S"),
    dense([2, 1], real(3), real(), [[0, 2, 2, 3]], "S"),
    dense([0, -1], real(3), real(), [[0, 2, 2, 3]], "S"),
    dense(-1, real(3), real(), [[0, 2, 2, 3]], "S"),
    dense([-1, -1], real(3), real(), [4, [0, 2, 2]], "FV"),
    dense([-1, -1, -1], real(3), real(), [[0, 2, 3], [0, 1, 1, 3]], "SS"),
    dense([-1, 1, -1], real(3), real(), [[0, 2, 3], [0, 1, 1, 3]], "SS"),
    dense([-1, -1, -1], real(3), real(), [3, [0, 0, 1], [0, 2, 2]], "FVV"),
    dense([-1, -1, -1], real(3), real(), [3, [0, 0, 2], [0, 1, 1, 3]], "FVS"),
    dense([-1, -1, 2], real(3, 2), real(), [[0, 2, 2, 3]], "S"),
    dense([-1, -1, -1], real(3, 2), real(2), [[0, 2, 2, 3]], "S"),
    dense([-1, -1, 2], real(3, 2), real(1), [[0, 2, 2, 3]], "S"),
    dense([-1, -1], real(0), real(), [[0, 0]], "S"),
    dense([-1, -1], real(0), real(), [[0]], "S"),
    dense([-1, -1, 3], real(3, 2), real(), [[0, 2, 2, 3]], "S", error=INVALID),
    dense([-1], real(3), real(), [[0, 2, 3]], "S", error=INVALID),
    dense([-1, -1], real(3), real(1), [[0, 2, 2, 3]], "S", error=INVALID),
    dense([-1, -1], real(3), real(), [4, [0, 2, 5]], "FV", error=INVALID),
    case("RaggedFillEmptyRows", of64([0, 2, 2]), real(3), of64(4), real()),
    case("RaggedFillEmptyRows", of64([2, 0]), real(2), of64(3), real(), types=FEW),
    case("RaggedFillEmptyRows", of64([]), real(0), of64(2), real(), types=KIND),
    case("RaggedFillEmptyRows", of64([]), real(0), of64(0), real(), types=KIND),
    *[
        case("RaggedFillEmptyRows", of64(rows), real(count), of64(number), real(), types=KIND, error=INVALID)
        for rows, count, number in [([0], 1, 0), ([5], 1, 2), ([-1], 1, 2), ([0], 2, 2), ([[0]], 1, 2), ([0], 1, [2])]
    ],
    case("RaggedFillEmptyRowsGrad", of64([1, 0]), real(4), types={"T": ["float32", "float64", "int32"]}),
    case("RaggedFillEmptyRowsGrad", of64([5]), real(4), types=KIND, error=INVALID),
]


@pytest.mark.parametrize("row", CASES, ids=str)
def test_ops(row):
    check(row)


@pytest.fixture
def bench():
    found = Bench()
    with found.graph.as_default():
        yield found


def _run(bench, tensors):
    flat = [item for part in tensors for item in (part if isinstance(part, list) else [part])]
    return [bench.run(tensor).tolist() for tensor in flat]


@pytest.mark.parametrize("batched", [False, True])
def test_variants_hold_ragged_tensors(bench, batched):
    splits = [np.array([0, 2, 3], np.int64), np.array([0, 1, 1, 3], np.int64)]
    encoded = apply("RaggedTensorToVariant", splits, np.float32([1, 2, 3]), batched_input=batched)  # type: ignore[arg-type]
    assert encoded.raw_shape == ((2,) if batched else ())
    for rank in (-1, 1 if batched else 2):
        back = apply(
            "RaggedTensorFromVariant", encoded, input_ragged_rank=rank, output_ragged_rank=2, Tvalues=dtypes.float32
        )
        assert _run(bench, back) == [[0, 2, 3], [0, 1, 1, 3], [1.0, 2.0, 3.0]]


def test_variants_of_rows_without_splits(bench):
    encoded = apply("RaggedTensorToVariant", [np.array([0, 2, 3], np.int64)], np.float32([1, 2, 3]), batched_input=True)  # type: ignore[arg-type]
    back = apply("RaggedTensorFromVariant", encoded, input_ragged_rank=0, output_ragged_rank=1, Tvalues=dtypes.float32)
    assert _run(bench, back) == [[0, 2, 3], [1.0, 2.0, 3.0]]
    with pytest.raises(INVALID, match="dtype"):
        attrs = {"input_ragged_rank": 0, "output_ragged_rank": 1, "Tvalues": dtypes.int32}
        _run(bench, apply("RaggedTensorFromVariant", encoded, **attrs))  # type: ignore[arg-type]


def test_gradients_of_variants_must_fit(bench):
    splits = np.array([0, 2, 3], np.int64)
    encoded = apply("RaggedTensorToVariant", [splits], np.float32([1, 2, 3]), batched_input=True)  # type: ignore[arg-type]

    def rows(ends: Any, sizes: list[int], dtype: Any = dtypes.float32) -> Any:
        return apply("RaggedTensorToVariantGradient", encoded, ends, sizes, Tvalues=dtype)

    assert rows(splits, [3, 1]).raw_shape == (3, 1)
    assert bench.run(rows(splits, [3, 1])).tolist() == [[1.0], [2.0], [3.0]]
    for wrong, text in (
        (rows(splits, [4]), r"have 3 values, which are none of shape \[4\]"),  # TensorFlow reads beyond them
        (rows(splits, [3], dtypes.int32), "Expected values Tensor dtype: int32"),  # TensorFlow aborts
        (rows(splits[None], [3]), "must be rank 1 but is rank 2"),
        (apply("AddN", [encoded, encoded]), "AddN of non-scalar Tensor"),
        (apply("ZerosLike", encoded), "ZerosLike of non-scalar Tensor"),
    ):
        with pytest.raises(INVALID, match=text):
            bench.run(wrong)


def test_functions(bench):
    rows = RaggedTensor.from_row_splits([1, 2, 3], np.array([0, 2, 2, 3], np.int64), validate=False)
    assert bench.run(ragged.ragged_to_tensor(rows)).tolist() == [[1, 2], [0, 0], [3, 0]]
    assert bench.run(ragged.ragged_to_tensor(rows, 9, shape=[None, 1])).tolist() == [[1], [9], [3]]
    assert bench.run(ragged.ragged_to_sparse(rows).indices).tolist() == [[0, 0], [0, 1], [2, 0]]
    counted = ragged.ragged_range([2, 0, 3])
    assert bench.run(counted.values).tolist() == [0, 1, 0, 1, 2]
    assert bench.run(ragged.ragged_range([1], [2.5]).values).tolist() == [1.0, 2.0]
