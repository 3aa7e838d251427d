"""The run-time value of a TensorArray: a list of tensors that lives for one step.

The handle of a TensorArray is this object itself, whatever dtype the op def gives the handle (a resource, or a string
in old graphs). Elements are kept as they were written, not copied: nobody writes into a tensor once it is made.
"""

from __future__ import annotations

import copy
import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from runstep import errors
from runstep.graph import dtypes, shapes
from runstep.graph.dtypes import DType
from runstep.graph.shapes import RawShape
from runstep.kernels.texts import invalid, partial_text, type_text

_WRITTEN, _READ, _CLEARED = 1, 2, 4
_serial = itertools.count()


def shape_of(value: Any) -> tuple[int, ...]:
    """The shape of an element; resources and variants are scalars."""
    shape: tuple[int, ...] = getattr(value, "shape", ())
    return shape


def zeros(shape: Sequence[int], dtype: DType) -> Any:
    """A tensor of zeros, of empty strings for strings."""
    if dtype is dtypes.string:
        return np.full(shape, b"", object)
    return np.zeros(shape, dtype.np)


def stack_values(values: Sequence[Any], shape: tuple[int, ...], dtype: DType) -> np.ndarray:
    """Elements of one shape as one tensor with a new first axis. In one pass over the data, whatever their number."""
    if shape and values:
        whole: np.ndarray = np.concatenate(values)
        return whole.reshape((len(values), *shape))
    if dtype.np.hasobject:
        items = np.empty(len(values), object)
        for i, value in enumerate(values):
            items[i] = value[()] if isinstance(value, np.ndarray) else value
        return items.reshape((len(values), *shape))
    return np.array(values, dtype.np).reshape((len(values), *shape))


def unstack_value(value: np.ndarray, dtype: DType) -> list[Any]:
    """The elements along the first axis, as views."""
    if value.ndim > 1 or not value.dtype.hasobject:
        return list(value)
    if dtype is dtypes.string:
        return [value[i, ...] for i in range(len(value))]
    items: list[Any] = value.tolist()  # resources and variants travel as themselves
    return items


class TensorArray:
    """See the module. Raises InvalidArgumentError with TensorFlow's texts for every misuse.

    Attributes:
      name, dtype: for messages, and what every element must be.
      element_shape: what is known of the shape of every element.
      values: the elements; None where nothing was written, the shape of the element where it was cleared.
    """

    __slots__ = (
        "_flags",
        "_grads",
        "_shapes",
        "aggregates",
        "clear_after_read",
        "closed",
        "dtype",
        "dynamic",
        "element_shape",
        "identical",
        "name",
        "values",
    )

    def __init__(
        self,
        name: str,
        dtype: DType,
        size: int,
        element_shape: RawShape = None,
        dynamic: bool = False,
        clear_after_read: bool = True,
        identical: bool = False,
        aggregates: bool = False,
    ) -> None:
        self.name = name
        self.dtype = dtype
        self.element_shape = element_shape
        self.dynamic = dynamic
        self.clear_after_read = clear_after_read
        self.identical = identical
        self.aggregates = aggregates
        self.closed = False
        self.values: list[Any] = [None] * size
        self._flags = bytearray(size)
        self._shapes: list[tuple[int, ...] | None] | None = None  # of grad arrays: the shapes of the forward elements
        self._grads: dict[str, TensorArray] = {}

    @classmethod
    def create(cls, name: str, dtype: DType, size: int, **options: Any) -> TensorArray:
        """A TensorArray with a name of its own."""
        return cls(f"{name}_{next(_serial)}", dtype, size, **options)

    @property
    def value(self) -> TensorArray:
        """Itself: what reading a ref to a TensorArray gives (handles of old graphs are refs)."""
        return self

    @property
    def nbytes(self) -> int:
        """Bytes of the elements it holds."""
        return sum(int(getattr(value, "nbytes", 0)) for value in self.values if value is not None)

    def forked(self, memo: dict[int, Any]) -> TensorArray:
        """One of its own with the same elements, for a step that begins where this one's is. Once per `memo`."""
        found = memo.get(id(self))
        if found is None:
            found = memo[id(self)] = copy.copy(self)
            found.values, found._flags = list(self.values), bytearray(self._flags)
            found._shapes = None if self._shapes is None else list(self._shapes)
            found._grads = {source: array.forked(memo) for source, array in self._grads.items()}
        return found

    def __len__(self) -> int:
        return len(self.values)

    def _grow(self, size: int) -> None:
        missing = size - len(self.values)
        if missing > 0:
            self.values.extend([None] * missing)
            self._flags.extend(bytes(missing))

    def check_dtype(self, dtype: DType, verb: str) -> None:
        if dtype is not self.dtype:
            raise invalid(f"TensorArray dtype is {type_text(self.dtype)} but Op {verb} dtype {type_text(dtype)}.")

    def _check_open(self) -> None:
        if self.closed:
            raise invalid(f"TensorArray {self.name} has already been closed.")

    # --- writing --------------------------------------------------------------------------------------------------

    def write(self, index: int, value: Any) -> None:
        """Sets element `index`, once; in a gradient array, adds to it."""
        self._check_open()
        size = len(self.values)
        if not 0 <= index < size:
            if index < 0 or not self.dynamic:
                raise invalid(
                    f"TensorArray {self.name}: Tried to write to index {index} but array is not resizeable and size "
                    f"is: {size}"
                )
            self._grow(index + 1)
        shape = shape_of(value)
        expected = self.element_shape
        if expected is not None and expected != shape and not shapes.is_compatible(expected, shape):
            raise self._refused(
                index,
                f"the value shape is {shapes.text(shape)} which is incompatible with the TensorArray's inferred "
                f"element shape: {partial_text(expected)} (consider setting infer_shape=False).",
            )
        flags = self._flags[index]
        if flags & _READ:
            raise self._refused(index, "it has already been read.")
        if flags & _WRITTEN:
            if not self.aggregates:
                raise self._refused(index, "it has already been written to.")
            self._aggregate(index, value)
            return
        self._check_forward_shape(index, shape)
        if self.identical and expected != shape:
            self.element_shape = shape
        self.values[index] = value
        self._flags[index] = _WRITTEN

    def _refused(self, index: int, why: str) -> errors.InvalidArgumentError:
        return invalid(f"TensorArray {self.name}: Could not write to TensorArray index {index} because {why}")

    def _aggregate(self, index: int, value: Any) -> None:
        old = self.values[index]
        if shape_of(old) != shape_of(value):
            raise self._mismatch(index, shape_of(old), shape_of(value))
        if not self.dtype.is_numeric:
            raise invalid(f"tensor_array::AddToTensor type not supported: {type_text(self.dtype)}")
        self.values[index] = np.add(old, value)

    def _mismatch(self, index: int, old: Sequence[int], new: Sequence[int]) -> errors.InvalidArgumentError:
        return invalid(
            f"TensorArray {self.name}: Could not aggregate to TensorArray index {index} because the existing shape is "
            f"{shapes.text(tuple(old))} but the new input shape is {shapes.text(tuple(new))}."
        )

    def _check_forward_shape(self, index: int, shape: tuple[int, ...]) -> None:
        if self._shapes is not None and self._shapes[index] is not None and self._shapes[index] != shape:
            raise self._mismatch(index, self._shapes[index] or (), shape)

    def scatter(self, indices: Any, value: Any, dtype: DType) -> None:
        """Sets element `indices[k]` to `value[k]` for each k."""
        if indices.ndim != 1:
            raise invalid(f"Expected indices to be a vector, but received shape: {shapes.text(indices.shape)}")
        if value.ndim == 0:
            raise invalid("Input value for unpack must be at least a vector but received shape: []")
        if len(indices) != len(value):
            raise invalid(f"Expected len(indices) == values.shape[0], but saw: {len(indices)} vs. {len(value)}")
        self.check_dtype(dtype, "is trying to write")
        positions = indices.tolist()
        last = max(positions, default=-1)
        if last >= len(self.values):
            if not self.dynamic:
                raise invalid(f"Max scatter index must be < array size ({last} vs. {len(self.values)})")
            self._grow(last + 1)
        for position, item in zip(positions, unstack_value(value, dtype), strict=True):
            self.write(position, item)

    def split(self, value: Any, lengths: Any, dtype: DType) -> None:
        """Sets element k to the k-th piece of `value`, `lengths[k]` rows long."""
        if lengths.ndim != 1:
            raise invalid(f"Expected lengths to be a vector, received shape: {shapes.text(lengths.shape)}")
        if value.ndim == 0:
            raise invalid("Expected value to be at least a vector, but received shape: []")
        self.check_dtype(dtype, "is trying to write")
        total = int(lengths.sum())
        if total != len(value):
            raise invalid(
                "Expected sum of lengths to be equal to values.shape[0], but sum of lengths is "
                f"{total} and value's shape is: {shapes.text(value.shape)}"
            )
        if len(lengths) > len(self.values) and self.dynamic:
            self._grow(len(lengths))
        if len(lengths) != len(self.values):
            raise invalid(
                "TensorArray's size is not equal to the size of lengths "
                f"({len(self.values)} vs. {len(lengths)}), and the TensorArray is not marked as dynamically resizeable"
            )
        start = 0
        for index, length in enumerate(lengths.tolist()):
            self.write(index, value[start : start + length])
            start += length

    # --- reading --------------------------------------------------------------------------------------------------

    def read(self, index: int) -> Any:
        """Element `index`; zeros where it was never written and its shape is known."""
        self._check_open()
        if not 0 <= index < len(self.values):
            raise invalid(f"Tried to read from index {index} but array size is: {len(self.values)}")
        flags = self._flags[index]
        if flags & _CLEARED:
            raise invalid(
                f"TensorArray {self.name}: Could not read index {index} twice because it was cleared after a previous "
                "read (perhaps try setting clear_after_read = false?)."
            )
        value = self.values[index] if flags & _WRITTEN else self._zeros(index)
        if self.clear_after_read:
            self.values[index] = shape_of(value)  # a gradient array may still ask
            self._flags[index] = _WRITTEN | _READ | _CLEARED
        else:
            self.values[index] = value
            self._flags[index] = _WRITTEN | _READ
        return value

    def _zeros(self, index: int) -> Any:
        shape: RawShape = self.element_shape
        if self._shapes is not None:
            shape = shape if self._shapes[index] is None else self._shapes[index]
        if shape is None or None in shape:
            raise invalid(
                f"TensorArray {self.name}: Could not read from TensorArray index {index}.  Furthermore, the element "
                f"shape is not fully defined: {partial_text(shape)}.  It is possible you are working with a resizeable "
                "TensorArray and stop_gradients is not allowing the gradients to be written.  If you set the full "
                "element_shape property on the forward TensorArray, the proper all-zeros tensor will be returned "
                "instead of incurring this error."
            )
        if not (self.dtype.is_numeric or self.dtype.is_bool):
            raise invalid(f"tensor_array::TensorSetZero type not supported: {type_text(self.dtype)}")
        return zeros(shape, self.dtype)  # type: ignore[arg-type]

    def gather(self, indices: Any, element_shape: RawShape) -> np.ndarray:
        """The elements at `indices`, stacked. `element_shape` is what their shape is claimed to be."""
        if not len(indices):
            if not shapes.is_fully_defined(element_shape):
                raise errors.UnimplementedError(
                    None,
                    None,
                    f"TensorArray has size zero, but element shape {partial_text(element_shape)} is not fully defined. "
                    "Currently only static shapes are supported when packing zero-size TensorArrays.",
                )
            empty: np.ndarray = zeros((0, *element_shape), self.dtype)  # type: ignore[misc]
            return empty
        values = [self.read(index) for index in indices]
        shape = shape_of(values[0])
        if not shapes.is_compatible(element_shape, shape):
            raise invalid(
                f"TensorArray was passed element_shape {partial_text(element_shape)} which does not match the Tensor "
                f"at index 0: {shapes.text(shape)}"
            )
        for k, value in enumerate(values):
            if shape_of(value) != shape:
                raise invalid(
                    f"TensorArray has inconsistent shapes.  Index 0 has shape: {shapes.text(shape)} but index {k} has "
                    f"shape: {shapes.text(shape_of(value))}"
                )
        return stack_values(values, shape, self.dtype)

    def concat(self, except0: RawShape) -> tuple[np.ndarray, np.ndarray]:
        """All elements, one after the other along their first axis, and their lengths along it."""
        if not self.values:
            if not shapes.is_fully_defined(except0):
                raise errors.UnimplementedError(
                    None,
                    None,
                    f"TensorArray has size zero, but element_shape_except0 {partial_text(except0)} is not fully "
                    "defined. Currently only static shapes are supported when concatenating zero-size TensorArrays.",
                )
            return zeros((0, *except0), self.dtype), np.zeros(0, np.int64)  # type: ignore[misc]
        values = [self.read(index) for index in range(len(self.values))]
        rest: tuple[int, ...] = ()
        for k, value in enumerate(values):
            shape = shape_of(value)
            if not shape:
                raise invalid(
                    f"Concat saw a scalar shape at index {k} but requires at least vectors.  Did you mean to call pack?"
                )
            if k == 0:
                rest = shape[1:]
                if not shapes.is_compatible(except0, rest):
                    raise invalid(
                        f"TensorArray was passed element_shape_except0 {partial_text(except0)} but index 0 has "
                        f"(excepting dimension 0) shape: {shapes.text(rest)} which does not match."
                    )
            elif shape[1:] != rest:
                raise invalid(
                    "TensorArray has inconsistent shapes.  Index 0 has (excepting dimension 0) shape: "
                    f"{shapes.text(rest)} "
                    f"but index {k} has (excepting dimension 0) shape: {shapes.text(shape[1:])}"
                )
        return np.concatenate(values), np.array([len(value) for value in values], np.int64)

    # --- the rest of its life -------------------------------------------------------------------------------------

    def grad(self, source: str, prepend: tuple[int, ...] = ()) -> TensorArray:
        """The array that gathers gradients of this one's elements under the name `source`; made on first use.

        Its size and shapes are those of this array, which from now on does not grow.
        """
        if self.aggregates:
            raise invalid(f"Wrong input container. _tensor_array_grads{self.name}")
        self._check_open()
        found = self._grads.get(source)
        if found is None:
            self.dynamic = False
            shape = self.element_shape
            found = TensorArray(
                f"{self.name}@{source}",
                self.dtype,
                len(self.values),
                None if shape is None else prepend + shape,
                identical=self.identical,
                aggregates=True,
            )
            found._shapes = [None if one is None else prepend + one for one in self._element_shapes()]
            self._grads[source] = found
        return found

    def _element_shapes(self) -> list[tuple[int, ...] | None]:
        return [
            None if value is None else value if flags & _CLEARED else shape_of(value)
            for value, flags in zip(self.values, self._flags, strict=True)
        ]

    def close(self) -> None:
        """Drops the elements. Reading and writing are errors from now on."""
        self.closed = True
        self.values = [None] * len(self.values)
        self._grads.clear()
