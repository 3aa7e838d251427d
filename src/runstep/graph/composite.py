"""Values made of several tensors: SparseTensor, IndexedSlices, RaggedTensor, and the numpy forms that runs return.

Each graph class tells a session what it is made of by three methods: `_component_tensors()` are the tensors to run,
`_from_component_values(values)` makes the result of what they gave, and `_feed_components(value)` splits a fed value
into pairs of tensor and value.
"""

from __future__ import annotations

import collections
from collections.abc import Sequence
from typing import Any

import numpy as np

from runstep.graph import dtypes
from runstep.graph.constant_value import constant_value_as_shape
from runstep.graph.convert import convert_to_tensor, register_tensor_conversion_function
from runstep.graph.dtypes import DType
from runstep.graph.graph import Graph, name_scope
from runstep.graph.operation import Operation
from runstep.graph.shapes import TensorShape, as_shape, unknown_shape
from runstep.graph.tensor import Tensor

Feeds = list[tuple[Any, Any]]

SparseTensorValue = collections.namedtuple("SparseTensorValue", ["indices", "values", "dense_shape"])
SparseTensorValue.__doc__ = """A SparseTensor's value: indices int64 [n, rank], values [n], dense_shape int64 [rank].

Mirrors `tf.compat.v1.SparseTensorValue`.
"""

IndexedSlicesValue = collections.namedtuple("IndexedSlicesValue", ["values", "indices", "dense_shape"])
IndexedSlicesValue.__doc__ = """An IndexedSlices' value: values [n, ...], indices [n], dense_shape or None."""


def _consumers(tensors: Sequence[Any]) -> list[Operation]:
    found: dict[Operation, None] = {}
    for tensor in tensors:
        found.update(dict.fromkeys(tensor.consumers()))
    return list(found)


class SparseTensor:
    """A tensor of which only some elements are stored. Mirrors `tf.SparseTensor`.

    Args:
      indices: int64 [n, rank], the place of each stored element.
      values: [n], the stored elements, of any type.
      dense_shape: int64 [rank].

    Raises:
      ValueError: the shapes do not fit together. TypeError: the types do not.
    """

    def __init__(self, indices: Any, values: Any, dense_shape: Any) -> None:
        with name_scope(None, "SparseTensor", [indices, values, dense_shape]):
            self._indices = convert_to_tensor(indices, dtypes.int64, name="indices")
            self._values = convert_to_tensor(values, name="values")
            self._dense_shape = convert_to_tensor(dense_shape, dtypes.int64, name="dense_shape")
        places = self._indices.get_shape().with_rank(2)
        elements = self._values.get_shape().with_rank(1)
        rank = self._dense_shape.get_shape().with_rank(1)
        places[0].assert_is_compatible_with(elements[0])
        places[1].assert_is_compatible_with(rank[0])
        self._static_shape = constant_value_as_shape(self._dense_shape)

    @classmethod
    def from_value(cls, sparse_tensor_value: Any) -> SparseTensor:
        """A SparseTensor of a SparseTensorValue (or of a SparseTensor's components). TypeError for anything else."""
        if not isinstance(sparse_tensor_value, SparseTensor | SparseTensorValue):
            raise TypeError(
                f"Argument sparse_tensor_value={sparse_tensor_value} is neither a SparseTensor nor SparseTensorValue."
            )
        return cls(sparse_tensor_value.indices, sparse_tensor_value.values, sparse_tensor_value.dense_shape)

    @property
    def indices(self) -> Tensor:
        """int64 [n, rank]: the place of each stored element."""
        return self._indices

    @property
    def values(self) -> Tensor:
        """[n]: the stored elements."""
        return self._values

    @property
    def dense_shape(self) -> Tensor:
        """int64 [rank]: the shape of the whole."""
        return self._dense_shape

    @property
    def shape(self) -> TensorShape:
        """What is known of the dense shape."""
        return self._static_shape

    def get_shape(self) -> TensorShape:
        """What is known of the dense shape."""
        return self._static_shape

    def set_shape(self, shape: Any) -> None:
        """Adds what is known of the dense shape. ValueError if it contradicts what was known."""
        self._static_shape = self._static_shape.merge_with(as_shape(shape))

    @property
    def dtype(self) -> DType:
        """The type of the elements."""
        return self._values.dtype

    @property
    def op(self) -> Operation:
        """The operation that makes `values`."""
        return self._values.op

    @property
    def graph(self) -> Graph:
        """The graph of the three tensors."""
        return self._indices.graph

    def consumers(self) -> list[Operation]:
        """The operations that take one of the three tensors."""
        return _consumers(self._component_tensors())

    def with_values(self, new_values: Any) -> SparseTensor:
        """The same places with other elements."""
        return SparseTensor(self._indices, new_values, self._dense_shape)

    def eval(self, feed_dict: Any = None, session: Any = None) -> Any:
        """Run the three tensors; a SparseTensorValue (S36). ValueError without a session."""
        from runstep.session.default import session_for_tensor

        return session_for_tensor(self._values, session).run(self, feed_dict)

    def __str__(self) -> str:
        return f"SparseTensor(indices={self._indices}, values={self._values}, dense_shape={self._dense_shape})"

    __repr__ = __str__

    def _component_tensors(self) -> tuple[Tensor, ...]:
        return self._indices, self._values, self._dense_shape

    def _from_component_values(self, values: Sequence[Any]) -> Any:
        return SparseTensorValue(*values)

    def _feed_components(self, value: Any) -> Feeds:
        return list(zip(self._component_tensors(), value, strict=True))


class IndexedSlices:
    """Some rows of a larger tensor: the usual gradient of a gather. Mirrors `tf.IndexedSlices`.

    Row `i` of `values` is (a part of) row `indices[i]` of a tensor of shape `dense_shape`, which may be None.
    """

    def __init__(self, values: Any, indices: Any, dense_shape: Any = None) -> None:
        self._values = values
        self._indices = indices
        self._dense_shape = dense_shape

    @property
    def values(self) -> Any:
        """[n, ...]: the rows."""
        return self._values

    @property
    def indices(self) -> Any:
        """[n]: which row of the whole each one is."""
        return self._indices

    @property
    def dense_shape(self) -> Any:
        """The shape of the whole, or None."""
        return self._dense_shape

    @property
    def shape(self) -> TensorShape:
        """What is known of the dense shape."""
        return unknown_shape() if self._dense_shape is None else constant_value_as_shape(self._dense_shape)

    @property
    def name(self) -> str:
        """The name of `values`."""
        return self._values.name

    @property
    def device(self) -> str:
        """The device of `values`."""
        return self._values.device

    @property
    def op(self) -> Operation:
        """The operation that makes `values`."""
        return self._values.op

    @property
    def dtype(self) -> DType:
        """The type of the elements."""
        return self._values.dtype

    @property
    def graph(self) -> Graph:
        """The graph of `values`."""
        return self._values.graph

    def consumers(self) -> list[Operation]:
        """The operations that take one of the tensors."""
        return _consumers(self._component_tensors())

    def __neg__(self) -> IndexedSlices:
        return IndexedSlices(-self._values, self._indices, self._dense_shape)

    def __str__(self) -> str:
        shape = "" if self._dense_shape is None else f", dense_shape={self._dense_shape}"
        return f"IndexedSlices(indices={self._indices}, values={self._values}{shape})"

    __repr__ = __str__

    def _component_tensors(self) -> tuple[Any, ...]:
        tensors = (self._values, self._indices)
        return tensors if self._dense_shape is None else (*tensors, self._dense_shape)

    def _from_component_values(self, values: Sequence[Any]) -> Any:
        return IndexedSlicesValue(*values, *[None] * (3 - len(values)))

    def _feed_components(self, value: Any) -> Feeds:
        return list(zip(self._component_tensors(), value, strict=False))


class RaggedTensorValue:
    """A RaggedTensor's value. Mirrors `tf.compat.v1.ragged.RaggedTensorValue`.

    Args:
      values: an array [n, ...] or a RaggedTensorValue: the rows, one after the other.
      row_splits: an int32 or int64 array [rows + 1]; row `i` is `values[row_splits[i] : row_splits[i + 1]]`.

    Raises:
      TypeError: an argument is not of these types.
    """

    def __init__(self, values: Any, row_splits: Any) -> None:
        is_array = isinstance(row_splits, np.ndarray | np.generic)
        if not (is_array and row_splits.dtype in (np.int32, np.int64) and row_splits.ndim == 1):
            raise TypeError("row_splits must be a 1D int32 or int64 numpy array")
        if not isinstance(values, np.ndarray | np.generic | RaggedTensorValue):
            raise TypeError("values must be a numpy array or a RaggedTensorValue")
        if isinstance(values, RaggedTensorValue) and row_splits.dtype != values.row_splits.dtype:
            raise ValueError("row_splits and values.row_splits must have the same dtype")
        self.values: Any = values
        self.row_splits: Any = row_splits

    @property
    def flat_values(self) -> Any:
        """The innermost values, an array."""
        return self.values.flat_values if isinstance(self.values, RaggedTensorValue) else self.values

    @property
    def nested_row_splits(self) -> tuple[Any, ...]:
        """The row splits of all ragged dimensions, outermost first."""
        inner = self.values.nested_row_splits if isinstance(self.values, RaggedTensorValue) else ()
        return (self.row_splits, *inner)

    @property
    def ragged_rank(self) -> int:
        """The number of ragged dimensions."""
        return len(self.nested_row_splits)

    @property
    def dtype(self) -> Any:
        """The numpy dtype of the values."""
        return self.values.dtype

    @property
    def shape(self) -> tuple[int | None, ...]:
        """The number of rows, None for the ragged dimension, then the shape of a value."""
        return (self.row_splits.shape[0] - 1, None, *self.values.shape[1:])

    def to_list(self) -> list[Any]:
        """The rows as nested lists."""
        items = self.values.to_list() if isinstance(self.values, RaggedTensorValue) else self.values.tolist()
        ends = self.row_splits.tolist()
        return [items[start:end] for start, end in zip(ends, ends[1:], strict=False)]

    def __str__(self) -> str:
        return f"<tf.RaggedTensorValue {self.to_list()}>"

    def __repr__(self) -> str:
        return f"tf.RaggedTensorValue(values={self.values!r}, row_splits={self.row_splits!r})"


class RaggedTensor:
    """Rows of different lengths, as one tensor of all their elements and one of where they end.

    Mirrors `tf.RaggedTensor` as far as it needs no operations of its own. Make one with `from_row_splits`.
    """

    def __init__(self, values: Any, row_splits: Tensor) -> None:
        self._values = values
        self._row_splits = row_splits

    @classmethod
    def from_row_splits(
        cls, values: Any, row_splits: Any, name: str | None = None, validate: bool = True
    ) -> RaggedTensor:
        """Row `i` is `values[row_splits[i] : row_splits[i + 1]]`.

        Only what is known without running is validated (TensorFlow adds assertions to the graph).

        Args:
          values: a Tensor [n, ...] or a RaggedTensor.
          row_splits: int32 or int64 [rows + 1], 0 first, n last, not falling.

        Raises:
          ValueError: the shapes or the type of `row_splits` do not fit.
        """
        with name_scope(name, "RaggedFromRowSplits", [values, row_splits]):
            if not isinstance(values, RaggedTensor):
                values = convert_to_tensor(values, name="values")
            hint = values.row_splits.dtype if isinstance(values, RaggedTensor) else dtypes.int64
            with name_scope(None, "RowPartitionFromRowSplits", [row_splits]):  # a class of its own in TensorFlow
                row_splits = convert_to_tensor(row_splits, dtype_hint=hint, name="row_splits")
        if row_splits.dtype not in (dtypes.int32, dtypes.int64):
            raise ValueError("row_splits must have dtype int32 or int64")
        if row_splits.get_shape().with_rank(1).num_elements() == 0:
            raise ValueError("row_splits tensor may not be empty.")
        if isinstance(values, RaggedTensor) and values.row_splits.dtype != row_splits.dtype:
            raise ValueError("values and row_splits must have the same row_splits dtype")
        if isinstance(values, Tensor):
            values.get_shape().with_rank_at_least(1)
        return cls(values, row_splits)

    @classmethod
    def from_nested_row_splits(
        cls, flat_values: Any, nested_row_splits: Any, name: str | None = None, validate: bool = True
    ) -> Any:
        """Rows of rows: `nested_row_splits` lists the row splits, outermost first; none gives `flat_values`."""
        if isinstance(nested_row_splits, Tensor):
            raise TypeError(f"Argument `nested_row_splits` must be a list of Tensors. Received {nested_row_splits}.")
        with name_scope(name, "RaggedFromNestedRowSplits", [flat_values, *nested_row_splits]):
            result = flat_values
            for splits in reversed(nested_row_splits):
                result = cls.from_row_splits(result, splits, validate=validate)
            return result

    @property
    def values(self) -> Any:
        """The rows, one after the other: a Tensor, or a RaggedTensor."""
        return self._values

    @property
    def row_splits(self) -> Tensor:
        """Where the rows end: int32 or int64 [rows + 1]."""
        return self._row_splits

    @property
    def flat_values(self) -> Tensor:
        """The innermost values."""
        values = self._values
        return values.flat_values if isinstance(values, RaggedTensor) else values

    @property
    def nested_row_splits(self) -> tuple[Tensor, ...]:
        """The row splits of all ragged dimensions, outermost first."""
        inner = self._values.nested_row_splits if isinstance(self._values, RaggedTensor) else ()
        return (self._row_splits, *inner)

    @property
    def ragged_rank(self) -> int:
        """The number of ragged dimensions."""
        return len(self.nested_row_splits)

    @property
    def dtype(self) -> DType:
        """The type of the elements."""
        return self._values.dtype

    @property
    def shape(self) -> TensorShape:
        """The number of rows, an unknown size, then the shape of a value; what is not known left open."""
        values = self._values.shape
        if values.rank is None:
            return unknown_shape()
        return TensorShape([self._row_splits.get_shape().with_rank(1)[0] - 1, None]).concatenate(values[1:])

    def get_shape(self) -> TensorShape:
        """As `shape`."""
        return self.shape

    def consumers(self) -> list[Operation]:
        """The operations that take one of the tensors."""
        return _consumers(self._component_tensors())

    def with_values(self, new_values: Any) -> RaggedTensor:
        """The same rows of other values. ValueError if there are more or fewer of them."""
        if not isinstance(new_values, RaggedTensor):
            new_values = convert_to_tensor(new_values, name="values")
        new_values.shape.with_rank_at_least(1)
        self._values.shape[:1].assert_is_compatible_with(new_values.shape[:1])
        return RaggedTensor(new_values, self._row_splits)

    def with_flat_values(self, new_values: Any) -> RaggedTensor:
        """The same rows with other innermost values."""
        if isinstance(self._values, RaggedTensor):
            return self.with_values(self._values.with_flat_values(new_values))
        return self.with_values(new_values)

    def __str__(self) -> str:
        return f"tf.RaggedTensor(values={self._values}, row_splits={self._row_splits})"

    __repr__ = __str__

    def _component_tensors(self) -> tuple[Tensor, ...]:
        return (self.flat_values, *self.nested_row_splits)

    def _from_component_values(self, values: Sequence[Any]) -> Any:
        result = values[0]
        for splits in reversed(values[1:]):
            result = RaggedTensorValue(result, splits)
        return result

    def _feed_components(self, value: Any) -> Feeds:
        return list(zip(self._component_tensors(), (value.flat_values, *value.nested_row_splits), strict=True))


def _slices_to_tensor(value: IndexedSlices, dtype: DType | None, name: str | None, as_ref: bool) -> Tensor:
    """The tensor that the rows are of: rows named twice are added up, rows not named are zeros.

    Raises:
      ValueError: nothing says how many rows there are, or `dtype` is another one.
    """
    from runstep.graph.apply import apply

    if dtype is not None and not dtype.is_compatible_with(value.dtype):
        raise ValueError(
            f"Tensor conversion requested dtype {dtype.name} for IndexedSlices with dtype {value.dtype.name}"
        )
    if value.dense_shape is None:
        raise ValueError(f"Tensor conversion requested for IndexedSlices without dense_shape: {value}")
    raw = value.shape.raw
    rows = value.dense_shape[0] if not raw or raw[0] is None else raw[0]
    return apply("UnsortedSegmentSum", value.values, value.indices, rows, name=name)


register_tensor_conversion_function(IndexedSlices, _slices_to_tensor)
