"""What a value is like, without the value (source: tf.TypeSpec and its kinds)."""

from __future__ import annotations

from typing import Any

from runstep.graph import dtypes
from runstep.graph.composite import IndexedSlices, SparseTensor, SparseTensorValue
from runstep.graph.convert import convert_to_tensor
from runstep.graph.dtypes import DType
from runstep.graph.ragged_tensor import RaggedTensor, RaggedTensorValue
from runstep.graph.shapes import TensorShape, as_shape
from runstep.graph.tensor import Tensor

__all__ = [
    "IndexedSlicesSpec",
    "RaggedTensorSpec",
    "SparseTensorSpec",
    "TensorArraySpec",
    "TensorSpec",
    "TypeSpec",
    "type_spec_from_value",
]


class TypeSpec:
    """The base of the kinds of specs. Equal specs say the same. Mirrors `tf.TypeSpec`."""

    @property
    def value_type(self) -> Any:
        """The class of values."""
        raise NotImplementedError

    def _says(self) -> tuple[Any, ...]:
        raise NotImplementedError

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and _plain(self._says()) == _plain(other._says())

    def __hash__(self) -> int:
        return hash((type(self), str(_plain(self._says()))))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(map(repr, self._says()))})"

    def is_compatible_with(self, spec_or_value: Any) -> bool:
        """Whether a value, or values of another spec, may be of this one."""
        other = spec_or_value if isinstance(spec_or_value, TypeSpec) else type_spec_from_value(spec_or_value)
        if type(self) is not type(other):
            return False
        return all(_compatible(a, b) for a, b in zip(self._says(), other._says(), strict=True))

    def most_specific_compatible_type(self, other: Any) -> Any:
        """The spec that values of both are of. ValueError: there is none."""
        if type(self) is not type(other):
            raise ValueError(f"No TypeSpec is compatible with both {self} and {other}")
        found: list[Any] = []
        for a, b in zip(self._says(), other._says(), strict=True):
            if isinstance(a, TensorShape):
                found.append(a.most_specific_compatible_shape(b))
            elif a == b or isinstance(self, TensorSpec) and (a is None or isinstance(a, str)):
                found.append(a if a == b else None)
            else:
                raise ValueError(f"No TypeSpec is compatible with both {self} and {other}")
        return type(self)(*found)


def _plain(items: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(item.raw if isinstance(item, TensorShape) else item for item in items)


def _compatible(a: Any, b: Any) -> bool:
    if isinstance(a, TensorShape):
        return a.is_compatible_with(b)
    return not isinstance(a, DType) or a == b


class TensorSpec(TypeSpec):
    """A tensor's dtype and shape. Mirrors `tf.TensorSpec`."""

    def __init__(self, shape: Any, dtype: Any = dtypes.float32, name: str | None = None) -> None:
        self._shape, self._dtype, self._name = as_shape(shape), dtypes.as_dtype(dtype), name

    @classmethod
    def from_spec(cls, spec: Any, name: str | None = None) -> TensorSpec:
        """As another spec, under another name."""
        return cls(spec.shape, spec.dtype, name or spec.name)

    @classmethod
    def from_tensor(cls, tensor: Any, name: str | None = None) -> TensorSpec:
        """What is known of a tensor."""
        return cls(tensor.shape, tensor.dtype, name or tensor.op.name)

    @property
    def shape(self) -> TensorShape:
        return self._shape

    @property
    def dtype(self) -> DType:
        return self._dtype

    @property
    def name(self) -> str | None:
        return self._name

    @property
    def value_type(self) -> Any:
        return Tensor

    def _says(self) -> tuple[Any, ...]:
        return self._shape, self._dtype, self._name

    def __repr__(self) -> str:
        return f"TensorSpec(shape={self._shape}, dtype={self._dtype!r}, name={self._name!r})"


class SparseTensorSpec(TypeSpec):
    """A SparseTensor's dtype and dense shape. Mirrors `tf.SparseTensorSpec`."""

    def __init__(self, shape: Any = None, dtype: Any = dtypes.float32) -> None:
        self._shape, self._dtype = as_shape(shape), dtypes.as_dtype(dtype)

    @property
    def shape(self) -> TensorShape:
        return self._shape

    @property
    def dtype(self) -> DType:
        return self._dtype

    @property
    def value_type(self) -> Any:
        return SparseTensor

    def _says(self) -> tuple[Any, ...]:
        return self._shape, self._dtype


class RaggedTensorSpec(TypeSpec):
    """A RaggedTensor's dtype, shape, ragged rank and row splits' dtype. Mirrors `tf.RaggedTensorSpec`."""

    def __init__(
        self,
        shape: Any = None,
        dtype: Any = dtypes.float32,
        ragged_rank: int | None = None,
        row_splits_dtype: Any = dtypes.int64,
        flat_values_spec: Any = None,
    ) -> None:
        self._shape = as_shape(shape)
        self._row_splits_dtype = dtypes.as_dtype(row_splits_dtype)
        self._flat_values_spec = flat_values_spec
        self._dtype = flat_values_spec.dtype if dtype is None else dtypes.as_dtype(dtype)
        rank = self._shape.rank
        if ragged_rank is None:
            if rank is None:
                raise ValueError("Must specify ragged_rank or a shape with a known rank.")
            ragged_rank = rank - 1
        if rank is not None and ragged_rank >= rank > 0:
            raise ValueError(f"Argument `ragged_rank` ({ragged_rank}) must be less than rank ({rank}).")
        self._ragged_rank = ragged_rank

    @property
    def shape(self) -> TensorShape:
        return self._shape

    @property
    def dtype(self) -> DType:
        return self._dtype

    @property
    def ragged_rank(self) -> int:
        return self._ragged_rank

    @property
    def row_splits_dtype(self) -> DType:
        return self._row_splits_dtype

    @property
    def flat_values_spec(self) -> Any:
        return self._flat_values_spec

    @property
    def value_type(self) -> Any:
        return RaggedTensor if self._ragged_rank > 0 else Tensor

    def _says(self) -> tuple[Any, ...]:
        return self._shape, self._dtype, self._ragged_rank, self._row_splits_dtype


class IndexedSlicesSpec(TypeSpec):
    """What is known of IndexedSlices. Mirrors `tf.IndexedSlicesSpec`."""

    def __init__(
        self,
        shape: Any = None,
        dtype: Any = dtypes.float32,
        indices_dtype: Any = dtypes.int64,
        dense_shape_dtype: Any = None,
        indices_shape: Any = None,
    ) -> None:
        self._shape, self._values_dtype = as_shape(shape), dtypes.as_dtype(dtype)
        self._indices_dtype = dtypes.as_dtype(indices_dtype)
        self._dense_shape_dtype = None if dense_shape_dtype is None else dtypes.as_dtype(dense_shape_dtype)
        self._indices_shape = as_shape(indices_shape).with_rank(1)

    @property
    def value_type(self) -> Any:
        return IndexedSlices

    def _says(self) -> tuple[Any, ...]:
        return self._shape, self._values_dtype, self._indices_dtype, self._dense_shape_dtype, self._indices_shape


class TensorArraySpec(TypeSpec):
    """What is known of a TensorArray. Mirrors `tf.TensorArraySpec`."""

    def __init__(
        self,
        element_shape: Any = None,
        dtype: Any = dtypes.float32,
        dynamic_size: bool = False,
        infer_shape: bool = True,
    ) -> None:
        self._element_shape, self._dtype = as_shape(element_shape), dtypes.as_dtype(dtype)
        self._dynamic_size, self._infer_shape = dynamic_size, infer_shape

    @property
    def value_type(self) -> Any:
        from runstep.ops.tensor_array import TensorArray

        return TensorArray

    def _says(self) -> tuple[Any, ...]:
        return self._element_shape, self._dtype, self._dynamic_size, self._infer_shape


def type_spec_from_value(value: Any) -> TypeSpec:
    """What is known of a value (source: tf.type_spec_from_value).

    Raises:
      TypeError: it cannot become a tensor, and is none of the others.
    """
    from runstep.data.dataset import Dataset

    if isinstance(value, SparseTensor):
        return SparseTensorSpec(value.shape, value.dtype)
    if isinstance(value, SparseTensorValue):
        return SparseTensorSpec(tuple(value.dense_shape), value.values.dtype)
    if isinstance(value, RaggedTensor):
        return RaggedTensorSpec(value.shape, value.dtype, value.ragged_rank, value.row_splits.dtype)
    if isinstance(value, RaggedTensorValue):
        return RaggedTensorSpec(value.shape, value.dtype, value.ragged_rank, value.row_splits.dtype)
    if isinstance(value, IndexedSlices):
        kind = None if value.dense_shape is None else value.dense_shape.dtype
        return IndexedSlicesSpec(value.shape, value.dtype, value.indices.dtype, kind, value.indices.shape)
    if isinstance(value, Dataset):
        from runstep.data.leaves import DatasetSpec

        return DatasetSpec(value.element_spec)
    if hasattr(value, "flow") and hasattr(value, "element_shape"):
        return TensorArraySpec(value.element_shape, value.dtype, bool(value.dynamic_size), True)
    if isinstance(value, Tensor):
        return TensorSpec(value.shape, value.dtype)
    try:
        tensor = convert_to_tensor(value)
    except (TypeError, ValueError):
        raise TypeError(f"Could not build a TypeSpec for {value!r} of unsupported type {type(value)}.") from None
    return TensorSpec(tensor.shape, tensor.dtype)
