"""Ragged tensors: rows of different lengths (source: tf.RaggedTensor). What they can do is in `runstep.ragged`."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

import numpy as np

from runstep.graph import dtypes
from runstep.graph.composite import Feeds, consumers_of
from runstep.graph.constant_value import constant_value
from runstep.graph.convert import convert_to_tensor
from runstep.graph.dtypes import DType
from runstep.graph.operation import Operation
from runstep.graph.shapes import TensorShape, unknown_shape
from runstep.graph.tensor import Tensor


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


def _unary(function: Callable[[Any], Any]) -> Callable[[RaggedTensor], Any]:
    return lambda self: self.with_flat_values(function(self.flat_values))


def _binary(function: Callable[[Any, Any], Any]) -> Callable[[RaggedTensor, Any], Any]:
    def method(self: RaggedTensor, other: Any) -> Any:
        from runstep.ragged.broadcasting import elementwise

        return elementwise(function, self, other)

    return method


def _reversed(function: Callable[[Any, Any], Any]) -> Callable[[RaggedTensor, Any], Any]:
    def method(self: RaggedTensor, other: Any) -> Any:
        from runstep.ragged.broadcasting import elementwise

        return elementwise(function, other, self)

    return method


def _div(x: Any, y: Any) -> Any:
    from runstep.ops.arithmetic import div

    return div(x, y)


class RaggedTensor:
    """Rows of different lengths, as one tensor of all their elements and one of where they end.

    Mirrors `tf.RaggedTensor`. Make one with `tf.ragged.constant`, or with one of the `from_` functions below.

    The first that is made teaches the functions of `tf` what ragged tensors are (`runstep.ragged.dispatch`), so that
    programs without them pay nothing.
    """

    _taught = False

    def __init__(self, values: Any, row_splits: Tensor, uniform_row_length: Tensor | None = None) -> None:
        self._values = values
        self._row_splits = row_splits
        self._uniform = uniform_row_length
        if not RaggedTensor._taught:
            RaggedTensor._taught = True
            from runstep.ragged import dispatch

            dispatch.install()

    # --- made of values and of where rows end

    @classmethod
    def from_row_splits(
        cls, values: Any, row_splits: Any, name: str | None = None, validate: bool = True
    ) -> RaggedTensor:
        """Row `i` is `values[row_splits[i] : row_splits[i + 1]]`.

        Args:
          values: a Tensor [n, ...] or a RaggedTensor.
          row_splits: int32 or int64 [rows + 1], 0 first, n last, not falling.
          validate: whether runs check that it is so.

        Raises:
          ValueError: the shapes or the type of `row_splits` do not fit. InvalidArgumentError (in the run): its values.
        """
        from runstep.ragged import making

        return making.from_row_splits(values, row_splits, name, validate)

    @classmethod
    def from_row_lengths(
        cls, values: Any, row_lengths: Any, name: str | None = None, validate: bool = True
    ) -> RaggedTensor:
        """Row `i` is the next `row_lengths[i]` values. See `from_row_splits`."""
        from runstep.ragged import making

        return making.from_row_lengths(values, row_lengths, name, validate)

    @classmethod
    def from_row_starts(
        cls, values: Any, row_starts: Any, name: str | None = None, validate: bool = True
    ) -> RaggedTensor:
        """Row `i` is `values[row_starts[i] : row_starts[i + 1]]`, the last one all that is left."""
        from runstep.ragged import making

        return making.from_row_starts(values, row_starts, name, validate)

    @classmethod
    def from_row_limits(
        cls, values: Any, row_limits: Any, name: str | None = None, validate: bool = True
    ) -> RaggedTensor:
        """Row `i` is `values[row_limits[i - 1] : row_limits[i]]`, the first one from 0 on."""
        from runstep.ragged import making

        return making.from_row_limits(values, row_limits, name, validate)

    @classmethod
    def from_value_rowids(
        cls, values: Any, value_rowids: Any, nrows: Any = None, name: str | None = None, validate: bool = True
    ) -> RaggedTensor:
        """Row `i` holds the values whose id is `i`; the ids do not fall. `nrows` counts rows, as far as the last id."""
        from runstep.ragged import making

        return making.from_value_rowids(values, value_rowids, nrows, name, validate)

    @classmethod
    def from_uniform_row_length(
        cls, values: Any, uniform_row_length: Any, nrows: Any = None, validate: bool = True, name: str | None = None
    ) -> RaggedTensor:
        """Rows of one length, which divides the number of values; `nrows` says how many where the length is 0."""
        from runstep.ragged import making

        return making.from_uniform_row_length(values, uniform_row_length, nrows, validate, name)

    @classmethod
    def from_nested_row_splits(
        cls, flat_values: Any, nested_row_splits: Any, name: str | None = None, validate: bool = True
    ) -> Any:
        """Rows of rows: `nested_row_splits` lists the row splits, outermost first; none gives `flat_values`."""
        from runstep.ragged import making

        return making.from_nested_row_splits(flat_values, nested_row_splits, name, validate)

    @classmethod
    def from_nested_row_lengths(
        cls, flat_values: Any, nested_row_lengths: Any, name: str | None = None, validate: bool = True
    ) -> Any:
        """As `from_nested_row_splits`, of row lengths."""
        from runstep.ragged import making

        return making.from_nested_row_lengths(flat_values, nested_row_lengths, name, validate)

    @classmethod
    def from_nested_value_rowids(
        cls,
        flat_values: Any,
        nested_value_rowids: Any,
        nested_nrows: Any = None,
        name: str | None = None,
        validate: bool = True,
    ) -> Any:
        """As `from_nested_row_splits`, of the rows of values, with the number of rows of each level or None."""
        from runstep.ragged import making

        return making.from_nested_value_rowids(flat_values, nested_value_rowids, nested_nrows, name, validate)

    @classmethod
    def from_tensor(
        cls,
        tensor: Any,
        lengths: Any = None,
        padding: Any = None,
        ragged_rank: int = 1,
        name: str | None = None,
        row_splits_dtype: Any = dtypes.int64,
    ) -> RaggedTensor:
        """A dense tensor in ragged form.

        Args:
          lengths: of each row; what is behind is left out. A list of vectors: for each ragged dimension.
          padding: a value; those at the end of a row are left out.
        """
        from runstep.ragged import making

        return making.from_tensor(tensor, lengths, padding, ragged_rank, name, row_splits_dtype)

    @classmethod
    def from_sparse(cls, st_input: Any, name: str | None = None, row_splits_dtype: Any = dtypes.int64) -> RaggedTensor:
        """A SparseTensor of rank 2 whose rows have no holes. InvalidArgumentError (in the run): one has."""
        from runstep.ragged import making

        return making.from_sparse(st_input, name, row_splits_dtype)

    # --- what it is made of

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
    def uniform_row_length(self) -> Tensor | None:
        """The length of all rows, where it is known to be one."""
        return self._uniform

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
        """The number of rows, the length of all rows or an unknown size, then the shape of a value."""
        values = self._values.shape
        rows = self._row_splits.get_shape().with_rank(1)[0] - 1
        length = None if self._uniform is None else constant_value(self._uniform)
        if values.rank is None:
            return unknown_shape()
        return TensorShape([rows, None if length is None else int(length)]).concatenate(values[1:])

    def get_shape(self) -> TensorShape:
        """As `shape`."""
        return self.shape

    def consumers(self) -> list[Operation]:
        """The operations that take one of the tensors."""
        return consumers_of(self._component_tensors())

    # --- its rows

    def nrows(self, out_type: Any = None, name: str | None = None) -> Tensor:
        """The number of rows."""
        from runstep.ragged import rows

        return rows.count_rows(self._row_splits, out_type)

    def row_lengths(self, axis: int = 1, name: str | None = None) -> Any:
        """The length of each row along `axis`: a vector, ragged for an inner axis."""
        from runstep.ragged import rows

        return rows.row_lengths(self, axis, name)

    def row_starts(self, name: str | None = None) -> Tensor:
        """Where each row begins in `values`."""
        return self._row_splits[:-1]

    def row_limits(self, name: str | None = None) -> Tensor:
        """Where each row ends in `values`."""
        return self._row_splits[1:]

    def value_rowids(self, name: str | None = None) -> Tensor:
        """The row of each value."""
        from runstep.ragged import rows

        return rows.rowids_of(self._row_splits, name)

    def nested_row_lengths(self, name: str | None = None) -> tuple[Tensor, ...]:
        """The row lengths of all ragged dimensions, outermost first."""
        from runstep.ragged import rows

        return rows.nested_row_lengths(self, name)

    def nested_value_rowids(self, name: str | None = None) -> tuple[Tensor, ...]:
        """The row of each value, for all ragged dimensions, outermost first."""
        from runstep.ragged import rows

        return rows.nested_value_rowids(self, name)

    def bounding_shape(self, axis: Any = None, name: str | None = None, out_type: Any = None) -> Tensor:
        """The smallest shape that holds the tensor; with `axis`, one size or several of it."""
        from runstep.ragged import rows

        return rows.bounding_shape(self, axis, name, out_type)

    # --- others made of it

    def with_values(self, new_values: Any) -> RaggedTensor:
        """The same rows of other values. ValueError if there are more or fewer of them."""
        if not isinstance(new_values, RaggedTensor):
            new_values = convert_to_tensor(new_values, name="values")
        new_values.shape.with_rank_at_least(1)
        self._values.shape[:1].assert_is_compatible_with(new_values.shape[:1])
        return RaggedTensor(new_values, self._row_splits, self._uniform)

    def with_flat_values(self, new_values: Any) -> RaggedTensor:
        """The same rows with other innermost values."""
        if isinstance(self._values, RaggedTensor):
            return self.with_values(self._values.with_flat_values(new_values))
        return self.with_values(new_values)

    def with_row_splits_dtype(self, dtype: Any) -> RaggedTensor:
        """The same rows, with row splits of int32 or int64. ValueError: another type."""
        from runstep.ops.cast import cast

        kind = dtypes.as_dtype(dtype)
        if kind not in (dtypes.int32, dtypes.int64):
            raise ValueError(f"Argument `row_splits` dtype must be int32 or int64. Received {kind}.")
        if kind is self._row_splits.dtype:
            return self
        values = self._values.with_row_splits_dtype(kind) if isinstance(self._values, RaggedTensor) else self._values
        uniform = None if self._uniform is None else cast(self._uniform, kind)
        return RaggedTensor(values, cast(self._row_splits, kind), uniform)

    def merge_dims(self, outer_axis: int, inner_axis: int) -> Any:
        """Makes one dimension of those from `outer_axis` to `inner_axis`."""
        from runstep.ragged import rows

        return rows.merge_dims(self, outer_axis, inner_axis)

    def to_tensor(self, default_value: Any = None, name: str | None = None, shape: Any = None) -> Tensor:
        """Filled up to a dense tensor.

        Args:
          default_value: what to fill up with; zeros, or empty strings, when None.
          shape: of the result; None for sizes that follow from the rows. Longer rows are cut.
        """
        from runstep.ops.ragged import ragged_to_tensor

        return ragged_to_tensor(self, default_value, name, shape)

    def to_sparse(self, name: str | None = None) -> Any:
        """A SparseTensor of the smallest shape."""
        from runstep.ops.ragged import ragged_to_sparse

        return ragged_to_sparse(self, name)

    def to_list(self) -> NoReturn:
        """ValueError: a graph holds no values. Run the tensor, and ask what comes out."""
        raise ValueError(
            "to_list can only be used in eager mode. Run the ragged tensor in a session: its value has one."
        )

    def numpy(self) -> NoReturn:
        """ValueError: a graph holds no values. Run the tensor."""
        raise ValueError("RaggedTensor.numpy() is only supported in eager mode. Run the ragged tensor in a session.")

    def __getitem__(self, key: Any) -> Any:
        from runstep.ragged.indexing import getitem

        return getitem(self, key)

    __neg__ = _unary(operator.__neg__)
    __abs__ = _unary(operator.__abs__)
    __invert__ = _unary(operator.__invert__)
    __lt__ = _binary(operator.__lt__)
    __le__ = _binary(operator.__le__)
    __gt__ = _binary(operator.__gt__)
    __ge__ = _binary(operator.__ge__)
    __add__ = _binary(operator.__add__)
    __radd__ = _reversed(operator.__add__)
    __sub__ = _binary(operator.__sub__)
    __rsub__ = _reversed(operator.__sub__)
    __mul__ = _binary(operator.__mul__)
    __rmul__ = _reversed(operator.__mul__)
    __truediv__ = _binary(operator.__truediv__)
    __rtruediv__ = _reversed(operator.__truediv__)
    __floordiv__ = _binary(operator.__floordiv__)
    __rfloordiv__ = _reversed(operator.__floordiv__)
    __mod__ = _binary(operator.__mod__)
    __rmod__ = _reversed(operator.__mod__)
    __pow__ = _binary(operator.__pow__)
    __rpow__ = _reversed(operator.__pow__)
    __and__ = _binary(operator.__and__)
    __rand__ = _reversed(operator.__and__)
    __or__ = _binary(operator.__or__)
    __ror__ = _reversed(operator.__or__)
    __xor__ = _binary(operator.__xor__)
    __rxor__ = _reversed(operator.__xor__)
    __div__ = _binary(_div)
    __rdiv__ = _reversed(_div)

    def __iter__(self) -> NoReturn:
        raise ValueError("A RaggedTensor of a graph cannot be iterated over: how many rows it has, only the run tells.")

    def __bool__(self) -> NoReturn:
        raise TypeError("RaggedTensor may not be used as a boolean.")

    def __str__(self) -> str:
        return f"tf.RaggedTensor(values={self._values}, row_splits={self._row_splits})"

    __repr__ = __str__

    def _component_tensors(self) -> tuple[Tensor, ...]:
        return (self.flat_values, *self.nested_row_splits)

    def _with_components(self, tensors: Sequence[Any]) -> Any:
        found = tensors[0]
        for splits in reversed(tensors[1:]):
            found = RaggedTensor(found, splits)
        return found

    def _from_component_values(self, values: Sequence[Any]) -> Any:
        result = values[0]
        for splits in reversed(values[1:]):
            result = RaggedTensorValue(result, splits)
        return result

    def _feed_components(self, value: Any) -> Feeds:
        return list(zip(self._component_tensors(), (value.flat_values, *value.nested_row_splits), strict=True))
