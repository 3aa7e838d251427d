"""Values made of several tensors: SparseTensor, IndexedSlices, and the numpy forms that runs return.

Each graph class tells what it is made of: `_component_tensors()` are the tensors, `_with_components(tensors)` is one of
the same kind made of others (in a branch, a loop, a function). For sessions `_from_component_values(values)` makes the
result of what the tensors gave, and `_feed_components(value)` splits a fed value into pairs of tensor and value.
"""

from __future__ import annotations

import collections
from collections.abc import Sequence
from typing import Any

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


def consumers_of(tensors: Sequence[Any]) -> list[Operation]:
    """The operations that take one of these."""
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
        return consumers_of(self._component_tensors())

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

    def _with_components(self, tensors: Sequence[Any]) -> SparseTensor:
        return SparseTensor(*tensors)

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
        return consumers_of(self._component_tensors())

    def __neg__(self) -> IndexedSlices:
        return IndexedSlices(-self._values, self._indices, self._dense_shape)

    def __str__(self) -> str:
        shape = "" if self._dense_shape is None else f", dense_shape={self._dense_shape}"
        return f"IndexedSlices(indices={self._indices}, values={self._values}{shape})"

    __repr__ = __str__

    def _component_tensors(self) -> tuple[Any, ...]:
        tensors = (self._values, self._indices)
        return tensors if self._dense_shape is None else (*tensors, self._dense_shape)

    def _with_components(self, tensors: Sequence[Any]) -> IndexedSlices:
        return IndexedSlices(*tensors)

    def _from_component_values(self, values: Sequence[Any]) -> Any:
        return IndexedSlicesValue(*values, *[None] * (3 - len(values)))

    def _feed_components(self, value: Any) -> Feeds:
        return list(zip(self._component_tensors(), value, strict=False))


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
