"""What stands at the leaves of a dataset's elements, and as which tensors.

A dense tensor is itself. Sparse and ragged tensors and datasets are variants between one function and the next: so a
batch of them is a vector of variants. A leaf is a `tf.TypeSpec`; what is to be done with each kind is told here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs

from runstep.graph import dtypes
from runstep.graph.apply import apply
from runstep.graph.composite import SparseTensor
from runstep.graph.ragged_tensor import RaggedTensor
from runstep.graph.shapes import TensorShape
from runstep.graph.tensor import Tensor
from runstep.graph.type_spec import RaggedTensorSpec, SparseTensorSpec, TensorSpec, TypeSpec


class DatasetSpec(TypeSpec):
    """A dataset whose elements have this structure. Mirrors `tf.data.DatasetSpec`."""

    dtype = dtypes.variant
    shape = TensorShape([])

    def __init__(self, element_spec: Any, dataset_shape: Any = ()) -> None:
        self._element_spec = element_spec

    @property
    def element_spec(self) -> Any:
        return self._element_spec

    @property
    def value_type(self) -> Any:
        from runstep.data.dataset import Dataset

        return Dataset

    def _says(self) -> tuple[Any, ...]:
        return self._element_spec, TensorShape([])


@attrs.frozen
class Kind:
    """What is done with leaves of one kind.

    Attributes:
      stored: the dtype and shape of the tensor that stands for a value. pack, unpack: a value to that tensor, and back.
      batched, unbatched: the leaf of several (or None: any number of) values in a row, and of one of them.
      rows: as `pack`, of a value that is to be cut into rows.
    """

    stored: Callable[[Any], tuple[Any, TensorShape]]
    pack: Callable[[Any, Any], Tensor]
    unpack: Callable[[Any, Tensor], Any]
    batched: Callable[[Any, int | None], Any]
    unbatched: Callable[[Any], Any]
    rows: Callable[[Any, Any], Tensor]


def kind_of(leaf: Any) -> Kind:
    """What is done with this leaf."""
    return _KINDS[type(leaf)]


def _longer(leaf: Any, size: int | None) -> TensorShape:
    return TensorShape([size]).concatenate(leaf.shape)


def _dense_unpacked(leaf: Any, tensor: Tensor) -> Tensor:
    tensor.set_shape(leaf.shape)
    return tensor


def _dataset_unpacked(leaf: Any, tensor: Tensor) -> Any:
    from runstep.data.dataset import Dataset

    return Dataset(tensor, leaf.element_spec)


def _no_batches(leaf: Any, *_: Any) -> Any:
    raise TypeError("A dataset of datasets cannot be batched, and has no slices; use flat_map first.")


def _sparse_packed(leaf: Any, value: SparseTensor) -> Tensor:
    found: Tensor = apply("SerializeSparse", value.indices, value.values, value.dense_shape, out_type=dtypes.variant)
    return found


def _sparse_unpacked(leaf: Any, tensor: Tensor) -> SparseTensor:
    found = SparseTensor(*apply("DeserializeSparse", tensor, dtype=leaf.dtype))
    if leaf.shape.rank is not None:
        found.indices.set_shape([None, leaf.shape.rank])
        found.dense_shape.set_shape([leaf.shape.rank])
    found.set_shape(leaf.shape)
    return found


def _sparse_rows(leaf: Any, value: SparseTensor) -> Tensor:
    found: Tensor = apply(
        "SerializeManySparse", value.indices, value.values, value.dense_shape, out_type=dtypes.variant
    )
    return found


def _to_variants(leaf: Any, value: Any, batched: bool) -> Tensor:
    ragged = isinstance(value, RaggedTensor)
    splits = list(value.nested_row_splits) if ragged else []
    found: Tensor = apply(
        "RaggedTensorToVariant",
        splits,
        value.flat_values if ragged else value,
        batched_input=batched,
        **({} if ragged else {"Tsplits": leaf.row_splits_dtype, "RAGGED_RANK": 0}),
    )
    return found


def _ragged_unpacked(leaf: Any, tensor: Tensor) -> Any:
    rank = leaf.ragged_rank
    splits, values = apply(
        "RaggedTensorFromVariant",
        tensor,
        Tvalues=leaf.dtype,
        Tsplits=leaf.row_splits_dtype,
        input_ragged_rank=-1 if rank else 0,
        output_ragged_rank=rank,
    )
    if leaf.shape.rank is not None:
        values.set_shape([None, *leaf.shape.as_list()[rank + 1 :]] if rank else leaf.shape)
        if splits and leaf.shape[0].value is not None:
            splits[0].set_shape([leaf.shape[0].value + 1])
    for each in reversed(splits):
        values = RaggedTensor(values, each)
    return values


def _ragged_batched(leaf: Any, size: int | None) -> RaggedTensorSpec:
    return RaggedTensorSpec(_longer(leaf, size), leaf.dtype, leaf.ragged_rank + 1, leaf.row_splits_dtype)


def _ragged_unbatched(leaf: Any) -> RaggedTensorSpec:
    return RaggedTensorSpec(leaf.shape[1:], leaf.dtype, leaf.ragged_rank - 1, leaf.row_splits_dtype)


_VARIANT = dtypes.variant, TensorShape(None)

_KINDS = {
    TensorSpec: Kind(
        stored=lambda leaf: (leaf.dtype, leaf.shape),
        pack=lambda leaf, value: value,
        unpack=_dense_unpacked,
        batched=lambda leaf, size: TensorSpec(_longer(leaf, size), leaf.dtype),
        unbatched=lambda leaf: TensorSpec(leaf.shape[1:], leaf.dtype),
        rows=lambda leaf, value: value,
    ),
    DatasetSpec: Kind(
        stored=lambda leaf: (dtypes.variant, TensorShape([])),
        pack=lambda leaf, value: value._variant,
        unpack=_dataset_unpacked,
        batched=_no_batches,
        unbatched=_no_batches,
        rows=lambda leaf, value: value._variant,
    ),
    SparseTensorSpec: Kind(
        stored=lambda leaf: _VARIANT,
        pack=_sparse_packed,
        unpack=_sparse_unpacked,
        batched=lambda leaf, size: SparseTensorSpec(_longer(leaf, size), leaf.dtype),
        unbatched=lambda leaf: SparseTensorSpec(leaf.shape[1:], leaf.dtype),
        rows=_sparse_rows,
    ),
    RaggedTensorSpec: Kind(
        stored=lambda leaf: _VARIANT,
        pack=lambda leaf, value: _to_variants(leaf, value, False),
        unpack=_ragged_unpacked,
        batched=_ragged_batched,
        unbatched=_ragged_unbatched,
        rows=lambda leaf, value: _to_variants(leaf, value, True),
    ),
}
