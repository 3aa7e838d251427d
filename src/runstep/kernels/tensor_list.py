"""The run-time value of a TensorList: a persistent list of tensors, kept in a variant tensor.

A list never changes: every change gives a new one. Appending is O(1) all the same, because lists that grow out of each
other share one buffer, of which each sees a prefix; the first to append to a prefix gets the buffer's next place, the
others copy. A list with only a few elements set knows which: the gradient of a read is such a list, and a loop adds up
one for each turn.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from runstep.graph import shapes
from runstep.graph.dtypes import DType
from runstep.graph.shapes import RawShape
from runstep.kernels.tensor_array import shape_of, stack_values, unstack_value, zeros
from runstep.kernels.texts import invalid, partial_text, type_text


def merge(a: RawShape, b: RawShape) -> RawShape:
    """What is known about a shape that is both. InvalidArgumentError if no tensor has both."""
    if a == b:
        return a
    try:
        return shapes.merge(a, b)
    except ValueError:
        text = f"PartialTensorShape: Incompatible shapes during merge: {partial_text(a)} vs. {partial_text(b)}"
        raise invalid(text) from None


def full(shape: Sequence[int], dtype: DType) -> Any:
    """What an element that was never set reads as."""
    if dtype.name in ("variant", "resource"):
        return np.full(shape, None, object) if shape else None
    return zeros(shape, dtype)


_FEW = 4


class TensorList:
    """See the module. Raises InvalidArgumentError with TensorFlow's texts for every misuse.

    Attributes:
      dtype, element_shape: what every element is, as far as is known.
      most: how many elements it may have; -1 for any number.
    """

    __slots__ = ("_buffer", "_few", "_length", "dtype", "element_shape", "most")

    def __init__(
        self,
        dtype: DType,
        element_shape: RawShape,
        values: list[Any] | None = None,
        most: int = -1,
        length: int | None = None,
        few: tuple[int, ...] | None = None,
    ) -> None:
        self.dtype = dtype
        self.element_shape = element_shape
        self.most = most
        self._buffer: list[Any] = [] if values is None else values
        self._length = len(self._buffer) if length is None else length
        self._few = few  # which elements are set, where these are few and known

    def __len__(self) -> int:
        return self._length

    def __repr__(self) -> str:
        return f"<TensorList of {self._length} {self.dtype.name} {partial_text(self.element_shape)}>"

    @property
    def values(self) -> list[Any]:
        """A copy of the list of elements; None for one that was never set."""
        return self._buffer[: self._length]

    @property
    def nbytes(self) -> int:
        """Bytes of the elements."""
        return sum(int(getattr(value, "nbytes", 0)) for value in self.values if value is not None)

    def _new(self, values: list[Any], length: int | None = None) -> TensorList:
        return TensorList(self.dtype, self.element_shape, values, self.most, length)

    # --- changing -------------------------------------------------------------------------------------------------

    def push(self, value: Any, dtype: DType) -> TensorList:
        """With `value` appended."""
        self.check_dtype(dtype)
        if not shapes.is_compatible(self.element_shape, shape_of(value)):
            raise invalid(
                "Tried to append a tensor with incompatible shape to a list. "
                f"Op element shape: {shapes.text(shape_of(value))} list shape: {partial_text(self.element_shape)}"
            )
        length = self._length
        if 0 <= self.most <= length:
            raise invalid(f"Tried to push item into a full list list size: {length} max_num_elements: {self.most}")
        buffer = self._buffer
        if len(buffer) == length:
            buffer.append(value)
            if buffer[length] is value:  # nobody was faster
                return self._new(buffer, length + 1)
        return self._new([*buffer[:length], value])

    def pop(self, element_shape: RawShape, dtype: DType) -> tuple[TensorList, Any]:
        """Without the last element, and that element."""
        self.check_dtype(dtype)
        length = self._length - 1
        if length < 0:
            raise invalid("Trying to pop from an empty list.")
        value = self._buffer[length]
        if value is None:
            shape = merge(self.element_shape, element_shape)
            if shape is None or None in shape:
                raise invalid(
                    "Trying to read an uninitialized tensor but element_shape is not fully "
                    f"defined.{partial_text(shape)}"
                )
            value = full(shape, self.dtype)  # type: ignore[arg-type]
        if 2 * length < len(self._buffer):  # let go of what nobody but older lists can see
            return self._new(self._buffer[:length]), value
        return self._new(self._buffer, length), value

    def set(self, index: int, value: Any, dtype: DType, resize: bool) -> TensorList:
        """With element `index` replaced."""
        self.check_dtype(dtype)
        values = self.values
        if resize and index >= len(values):
            values.extend([None] * (index + 1 - len(values)))
        if not 0 <= index < len(values):
            raise invalid(f"Trying to modify element {index} in a list with {len(values)} elements.")
        if not shapes.is_compatible(self.element_shape, shape_of(value)):
            raise invalid(
                "Tried to set a tensor with incompatible shape at a list index. "
                f"Item element shape: {shapes.text(shape_of(value))} list shape: {partial_text(self.element_shape)}"
            )
        values[index] = value
        found = self._new(values)
        if self._few is not None and len(self._few) < _FEW:
            found._few = (*self._few, index)
        return found

    def resized(self, size: int) -> TensorList:
        """With `size` elements: cut, or filled up with elements that are not set."""
        if size < 0:
            raise invalid(f"TensorListSlice expects size to be non-negative. Got: {size}")
        if size <= self._length:
            return self._new(self._buffer[:size])
        return self._new([*self.values, *[None] * (size - self._length)])

    def scattered(self, tensor: Any, indices: Any, dtype: DType) -> TensorList:
        """With element `indices[k]` replaced by `tensor[k]`, longer if need be."""
        self.check_dtype(dtype)
        check_rows(tensor, indices)
        values = self.values
        positions = indices.tolist()
        last = max(positions, default=-1)
        if last >= len(values):
            values.extend([None] * (last + 1 - len(values)))
        for position, item in zip(positions, unstack_value(tensor, dtype), strict=True):
            values[position] = item
        return self._new(values)

    def joined(self, other: TensorList) -> TensorList:
        """This list and then the other."""
        if self.dtype is not other.dtype:
            raise invalid(
                f"input_a and input_b TensorList element types are not identical: {type_text(self.dtype)} vs. "
                f"{type_text(other.dtype)}"
            )
        if self.element_shape != other.element_shape:
            raise invalid(
                "input_a and input_b TensorList element shapes are not identical at index 0.  "
                f"Saw {partial_text(self.element_shape)} vs. {partial_text(other.element_shape)}"
            )
        return self._new([*self.values, *other.values])

    def zeros_like(self) -> TensorList:
        """A list of zeros of the same shapes (ZerosLike)."""
        if self.dtype.name == "variant":
            return self._new([None if v is None else v.zeros_like() for v in self.values])
        return self._new([None if v is None else zeros(shape_of(v), self.dtype) for v in self.values])

    def plus(self, other: TensorList) -> TensorList:
        """The elementwise sum of two lists (AddN)."""
        if self.dtype is not other.dtype or len(self) != len(other):
            raise invalid("Trying to add two lists of tensors with different lengths or element types.")
        most, few = (self, other) if other._few is not None else (other, self)
        places = range(len(self)) if few._few is None else dict.fromkeys(few._few)
        values, more = most.values, few._buffer
        nested = self.dtype.name == "variant"
        for i in places:
            a, b = values[i], more[i]
            values[i] = b if a is None else a if b is None else a.plus(b) if nested else np.add(a, b)
        return TensorList(self.dtype, merge(self.element_shape, other.element_shape), values, self.most)

    # --- reading --------------------------------------------------------------------------------------------------

    def check_dtype(self, dtype: DType) -> None:
        """InvalidArgumentError unless elements are of this dtype."""
        if dtype is not self.dtype:
            raise invalid(
                f"Invalid data types; op elements {type_text(dtype)} but list elements {type_text(self.dtype)}"
            )

    def get(self, index: int, element_shape: RawShape, dtype: DType) -> Any:
        """Element `index`; zeros where it was never set."""
        self.check_dtype(dtype)
        if not 0 <= index < self._length:
            raise invalid(f"Trying to access element {index} in a list with {self._length} elements.")
        value = self._buffer[index]
        if value is not None:
            return value
        shape = self._common_shape(merge(self.element_shape, element_shape), self.values)
        if shape is None or None in shape:
            raise invalid(
                f"Trying to read an uninitialized tensor but element_shape is not fully defined: {partial_text(shape)} "
                "and no list element is set."
            )
        return full(shape, self.dtype)  # type: ignore[arg-type]

    @staticmethod
    def _common_shape(shape: RawShape, values: Sequence[Any]) -> RawShape:
        for value in values:
            if value is not None:
                found = shape_of(value)
                if found != shape:
                    shape = merge(shape, found)
        return shape

    def _stacked(self, values: list[Any], shape: RawShape, complaint: str, empty: str) -> np.ndarray:
        shape = self._common_shape(shape, values)
        if shape is None or None in shape:
            raise invalid(f"{complaint if values else empty}: {partial_text(shape)}")
        if any(value is None for value in values):
            blank = full(shape, self.dtype)  # type: ignore[arg-type]
            values = [blank if value is None else value for value in values]
        return stack_values(values, shape, self.dtype)  # type: ignore[arg-type]

    def stack(self, element_shape: RawShape, dtype: DType, count: int = -1) -> np.ndarray:
        """All elements as one tensor. `count`: how many there must be; -1 for any number."""
        self.check_dtype(dtype)
        if count >= 0 and count != self._length:
            raise invalid(
                f"Operation expected a list with {count} elements but got a list with {self._length} elements."
            )
        return self._stacked(
            self.values,
            merge(self.element_shape, element_shape),
            "Tried to stack list which only contains uninitialized tensors and has a non-fully-defined element_shape",
            "Tried to stack elements of an empty list with non-fully-defined element_shape",
        )

    def gather(self, indices: Any, element_shape: RawShape, dtype: DType) -> np.ndarray:
        """The elements at `indices`, stacked."""
        self.check_dtype(dtype)
        positions = indices.ravel().tolist()
        shape = merge(self.element_shape, element_shape)
        for position in positions:
            if not 0 <= position < self._length:
                if not shapes.is_fully_defined(shape):
                    raise invalid(f"Trying to gather element {position} in a list with {self._length} elements.")
                raise invalid(f"Index {position} out o range; list only has {self._length} elements.")
        return self._stacked(
            [self._buffer[position] for position in positions],
            shape,
            "Tried to gather uninitialized tensors from a list with non-fully-defined element_shape",
            "Tried to gather 0-elements from a list with non-fully-defined shape",
        )

    def concat(self, element_shape: RawShape, leading: Sequence[int], dtype: DType) -> tuple[np.ndarray, np.ndarray]:
        """All elements, one after the other along their first axis, and their lengths along it.

        `leading` gives the lengths of elements that were never set, where `element_shape` does not.
        """
        self.check_dtype(dtype)
        values = self.values
        shape = merge(self.element_shape, element_shape)
        first = shape[0] if shape else None
        rest: RawShape = None if shape is None else shape[1:]
        for index, value in enumerate(values):
            if value is None:
                continue
            found = shape_of(value)
            if not found:
                raise invalid(f"Concat saw a scalar shape at index {index} but requires at least vectors.")
            if first is not None and first != found[0]:
                raise invalid(
                    "First entry of element_shape input does not match the first dim of list element at index: "
                    f"{index} Expected: {first} Actual: {found[0]}"
                )
            rest = merge(rest, found[1:])
        if rest is None or None in rest:
            raise invalid(
                "All except the first dimension must be fully defined when concating an empty tensor list. "
                f"element_shape: {partial_text(shape)}"
            )
        if not values:
            return full((0, *rest), self.dtype), np.zeros(0, np.int64)  # type: ignore[arg-type]
        for index, value in enumerate(values):
            if value is None:
                length = self._missing_length(index, first, leading, values)
                values[index] = full((length, *rest), self.dtype)  # type: ignore[arg-type]
        return np.concatenate(values), np.array([len(value) for value in values], np.int64)

    def _missing_length(self, index: int, first: int | None, leading: Sequence[int], values: Sequence[Any]) -> int:
        if first is None and len(leading):
            if index >= len(leading):
                raise invalid(
                    f"List contains uninitialized tensor at index {index} but leading_dims has only {len(leading)} "
                    "elements."
                )
            return int(leading[index])
        if first is None:
            shape = self._common_shape(self.element_shape, values)
            first = shape[0] if shape else None
        if first is None:
            raise invalid("Length of list elements that were never set is not known.")
        return first


def check_rows(tensor: Any, indices: Any) -> None:
    """InvalidArgumentError unless `indices` are a vector of non-negative numbers, one per row of `tensor`."""
    if (np.asarray(indices) < 0).any():
        raise invalid("Indices in TensorListScatter must all be non-negative.")
    if tensor.ndim == 0:
        raise invalid("Tensor must be at least a vector, but saw shape: []")
    if indices.ndim != 1 or len(indices) != len(tensor):
        raise invalid(f"Invalid number of rows in input tensor. Expected: {indices.size} Actual: {len(tensor)}")


def from_rows(tensor: Any, element_shape: RawShape, dtype: DType) -> TensorList:
    """The list of the rows of `tensor`."""
    if tensor.ndim == 0:
        raise invalid("Tensor must be at least a vector, but saw shape: []")
    if not shapes.is_compatible(element_shape, tensor.shape[1:]):
        raise invalid(
            f"Specified a list with shape {partial_text(element_shape)} from a tensor with shape "
            f"{shapes.text(tensor.shape[1:])}"
        )
    return TensorList(dtype, element_shape, unstack_value(tensor, dtype))


def from_pieces(tensor: Any, lengths: Any, element_shape: RawShape, dtype: DType) -> TensorList:
    """The list of pieces of `tensor` along its first axis, `lengths[k]` rows each."""
    if tensor.ndim == 0:
        raise invalid("Tensor must be at least a vector, but saw shape: []")
    if lengths.ndim != 1:
        raise invalid(f"Expected lengths to be a vector, received shape: {shapes.text(lengths.shape)}")
    rest = None if element_shape is None else (None, *element_shape[1:])
    if not shapes.is_compatible(rest, tensor.shape):
        raise invalid(
            f"tensor shape {shapes.text(tensor.shape)} is not compatible with element_shape "
            f"{partial_text(element_shape)}"
        )
    values: list[Any] = []
    start = 0
    for length in lengths.tolist():
        if length < 0:
            raise invalid(f"Invalid value in lengths: {length}")
        if start + length > len(tensor):
            raise invalid(f"Attempting to slice [{start}, {start + length}] from tensor with length {len(tensor)}")
        values.append(tensor[start : start + length])
        start += length
    if start != len(tensor):
        raise invalid(f"Unused values in tensor. Length of tensor: {len(tensor)} Values used: {start}")
    return TensorList(dtype, element_shape, values)


def from_scattered(tensor: Any, indices: Any, element_shape: RawShape, count: int, dtype: DType) -> TensorList:
    """A list with element `indices[k]` being `tensor[k]`; `count` elements, or as many as needed for -1."""
    check_rows(tensor, indices)
    if count < -1:
        raise invalid(f"TensorListScatter expects num_elements >= -1, found: {count}")
    positions = indices.tolist()
    last = max(positions, default=-1)
    if count == -1:
        count = last + 1
    elif last >= count:
        raise invalid(f"TensorListScatter: Trying to scatter at index {last} in list with size {count}")
    if not shapes.is_compatible(element_shape, tensor.shape[1:]):
        raise invalid(
            f"Specified a list with shape {partial_text(element_shape)} from a tensor with shape "
            f"{shapes.text(tensor.shape[1:])}"
        )
    values: list[Any] = [None] * count
    for position, item in zip(positions, unstack_value(tensor, dtype), strict=True):
        values[position] = item
    return TensorList(dtype, element_shape, values)
