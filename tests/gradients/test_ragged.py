"""Gradients of ragged tensors and of optionals against TensorFlow."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from runstep.graph.apply import apply
from runstep.testing import check_grads, grad_case, of, real

SPLITS = of([0, 2, 2, 5], dtype="int64")
ROW_SPLITS, ROWIDS, FIRST = "ROW_SPLITS", "VALUE_ROWIDS", "FIRST_DIM_SIZE"


def dense(shape: Any, values: Any, default: Any, parts: Any, kinds: Any) -> Any:
    types = {"T": ["float64"], "Tindex": ["int64", "int32"], "Tshape": ["int64"]}
    parts = [of(part) for part in parts]
    kinds = {"row_partition_types": kinds}
    return grad_case("RaggedTensorToTensor", of(shape), values, default, parts, types=types, wrt=[1, 2], **kinds)


def gathered(nested: Any, values: Any, indices: Any, rank: int) -> Any:
    types = {"Tvalues": ["float64"], "Tsplits": ["int64", "int32"], "Tindices": ["int32"]}
    nested = [of(splits) for splits in nested]
    return grad_case("RaggedGather", nested, values, indices, types=types, OUTPUT_RAGGED_RANK=rank)


def encoded(nested: Any, batched: bool) -> Callable[..., Any]:
    """To variants and back."""

    def there_and_back(x: Any) -> Any:
        splits = [np.array(ends, np.int64) for ends in nested]
        variants = apply("RaggedTensorToVariant", splits, x, batched_input=batched)
        return _decoded(variants, len(splits), x)

    return there_and_back


def _decoded(variants: Any, rank: int, like: Any) -> Any:
    how: dict[str, Any] = {"input_ragged_rank": -1, "output_ragged_rank": rank, "Tvalues": like.dtype}
    return apply("RaggedTensorFromVariant", variants, **how)[-1]


def one_row(x: Any) -> Any:
    """The other rows' gradients are zeros, and as many as their splits say."""
    variants = apply("RaggedTensorToVariant", [np.array([0, 2, 2, 5], np.int64)], x, batched_input=True)
    return _decoded(variants[0], 0, x)


def optional(x: Any, y: Any) -> Any:
    made = apply("OptionalFromValue", [x, y])
    how: dict[str, Any] = {"output_types": [x.dtype, y.dtype], "output_shapes": [x.shape, y.shape]}
    return list(apply("OptionalGetValue", made, **how))


def composite(x: Any, y: Any) -> Any:
    made = apply("CompositeTensorVariantFromComponents", [x, y], metadata="")
    return list(apply("CompositeTensorVariantToComponents", made, metadata="", Tcomponents=[x.dtype, y.dtype]))


ROWS = [
    grad_case("RaggedTensorToSparse", [SPLITS], real(5), types={"T": ["float64"]}, outputs=[1], order=1),
    grad_case("RaggedTensorToSparse", [SPLITS], real(5, 2), types={"T": ["float64"]}, outputs=[1], order=1),
    dense([-1, -1], real(5), real(), [[0, 2, 2, 5]], [ROW_SPLITS]),
    dense([2, 2], real(5), real(), [[0, 2, 2, 5]], [ROW_SPLITS]),  # what is cut off gets nothing
    dense([-1, -1, 2], real(5, 2), real(2), [[0, 2, 2, 5]], [ROW_SPLITS]),
    dense([-1, -1, 2], real(5, 2), real(), [[0, 2, 2, 5]], [ROW_SPLITS]),
    dense([-1, -1, -1], real(5), real(), [[0, 2, 3], [0, 2, 2, 5]], [ROW_SPLITS, ROW_SPLITS]),
    dense([-1, -1], real(5), real(), [3, [0, 0, 2, 2, 2]], [FIRST, ROWIDS]),
    dense([-1, 3], real(0), real(), [[0, 0, 0]], [ROW_SPLITS]),
    gathered([[0, 2, 2, 5]], real(5), [2, 0], 1),
    gathered([[0, 2, 2, 5]], real(5, 2), [[2, 0], [1, 1]], 2),
    gathered([[0, 2, 2, 5]], real(5), 2, 0),
    gathered([[0, 2, 3], [0, 2, 2, 5]], real(5), [1, 0, 1], 2),
    grad_case(encoded([[0, 2, 2, 5]], True), real(5), name="rows"),
    grad_case(encoded([[0, 2, 3], [0, 2, 2, 5]], True), real(5, 2), name="rows of rows"),
    grad_case(encoded([[0, 2, 2, 5]], False), real(5), name="one"),
    grad_case(encoded([], False), real(5, 2), name="dense"),
    grad_case(one_row, real(5)),
    grad_case(optional, real(2), real(3)),
    grad_case(composite, real(2), real(3)),
    grad_case(optional, real(2), real(3), outputs=[1], name="optional of which one is used"),
]


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_gradients(row: Any) -> None:
    check_grads(row)
