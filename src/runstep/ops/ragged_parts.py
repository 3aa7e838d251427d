"""Ragged tensors made of other forms, as far as functions of other families need them."""

from __future__ import annotations

from typing import Any

import numpy as np

from runstep.graph import dtypes
from runstep.graph.apply import apply
from runstep.graph.convert import convert_to_tensor
from runstep.graph.graph import name_scope
from runstep.graph.ragged_tensor import RaggedTensor
from runstep.graph.tensor import Tensor


def part(x: Tensor, begin: Any, end: Any, strides: Any, **masks: int) -> Tensor:
    """A StridedSlice with the nodes that indexing a tensor makes."""
    with name_scope(None, "strided_slice") as scope:
        bounds = [convert_to_tensor(value, name="stack") for value in (begin, end, strides)]
        result: Tensor = apply("StridedSlice", x, *bounds, name=scope, **masks)
    return result


def from_value_rowids(values: Any, value_rowids: Tensor, nrows: Tensor) -> RaggedTensor:
    """Row `i` holds the `values` whose id is `i`; the ids (int64) do not fall, and are below `nrows`.

    The nodes are those of `tf.RaggedTensor.from_value_rowids` without validation.
    """
    with name_scope("RaggedFromValueRowIds"), name_scope("RowPartitionFromValueRowIds"):
        ids = apply("Cast", value_rowids, DstT=dtypes.int32, name="Cast")
        count = apply("Cast", nrows, DstT=dtypes.int32, name="Cast")
        with name_scope("bincount"):
            some = apply("Greater", apply("Size", ids), 0, name="Greater")
            some = apply("Cast", some, DstT=dtypes.int32, name="Cast")
            most = apply("Max", ids, convert_to_tensor(np.zeros(1, np.int32)))
            size = apply("Mul", some, apply("AddV2", most, 1, name="add"), name="mul")
            size = apply("Minimum", count, apply("Maximum", count, size))
            flat = apply("Reshape", ids, [-1])
            weights = convert_to_tensor(np.zeros(0, np.int64))
            lengths = apply("DenseBincount", flat, size, weights)
        ends = apply("Cumsum", lengths, 0)
        splits = apply("ConcatV2", [np.zeros(1, np.int64), ends], 0, name="concat")
    return RaggedTensor(values, splits)


def as_ragged(dense: Tensor) -> RaggedTensor:
    """A tensor [rows, columns] as a RaggedTensor of rows of one length."""
    shape = apply("Shape", dense, out_type=dtypes.int64)
    rows, columns = apply("Unpack", shape, num=2)
    flat = apply("Reshape", dense, [-1])
    splits = apply("Mul", apply("Range", np.int64(0), apply("AddV2", rows, np.int64(1)), np.int64(1)), columns)
    return RaggedTensor(flat, splits)
