"""TensorMap ops: persistent maps from tensors to tensors, in variant tensors."""

from __future__ import annotations

from runstep.ops.common import scalar, unknown
from runstep.ops.registry import op

__all__: list[str] = []

op("EmptyTensorMap", " -> handle: variant", shape=scalar)
op("TensorMapSize", "input_handle: variant -> size: int32", shape=scalar)
op(
    "TensorMapLookup",
    "input_handle: variant, key: key_dtype -> value: value_dtype",
    "key_dtype: type",
    "value_dtype: type",
    shape=unknown,
)
op(
    "TensorMapInsert",
    "input_handle: variant, key: key_dtype, value: value_dtype -> output_handle: variant",
    "key_dtype: type",
    "value_dtype: type",
    shape=scalar,
)
op(
    "TensorMapErase",
    "input_handle: variant, key: key_dtype -> output_handle: variant",
    "key_dtype: type",
    "value_dtype: type",
    shape=scalar,
)
op("TensorMapHasKey", "input_handle: variant, key: key_dtype -> has_key: bool", "key_dtype: type", shape=scalar)
op("TensorMapStackKeys", "input_handle: variant -> keys: key_dtype", "key_dtype: type", shape=unknown)
