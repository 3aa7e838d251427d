"""`tf.TensorArray` inside of functions: a tensor list, as TensorFlow makes it there. Its flow is the list itself."""

from __future__ import annotations

from typing import Any

from runstep.graph import dtypes
from runstep.graph.apply import apply
from runstep.graph.constant_value import constant_value
from runstep.graph.convert import constant, convert_to_tensor
from runstep.graph.graph import name_scope
from runstep.graph.operation import Operation
from runstep.graph.shapes import TensorShape
from runstep.graph.tensor import Tensor, TensorLike
from runstep.ops.basic import identity, no_op
from runstep.ops.cast import cast
from runstep.ops.tensor_array import TensorArray


class ListArray(TensorArray):
    """A TensorArray that is a tensor list. It has no handle and no gradient array, and elements can be set again.

    Elements that were never written are zeros.
    """

    def __init__(
        self,
        dtype: Any,
        size: TensorLike | None = None,
        dynamic_size: bool | None = None,
        clear_after_read: bool | None = None,
        tensor_array_name: str | None = None,
        handle: Tensor | None = None,
        flow: Tensor | None = None,
        infer_shape: bool = True,
        element_shape: Any = None,
        colocate_with_first_write_call: bool = True,
        name: str | None = None,
    ) -> None:
        if flow is not None and size is not None:
            raise ValueError("Cannot provide both `flow` and `size` arguments at the same time.")
        if flow is None and size is None:
            raise ValueError("Argument `size` must be provided if argument `flow` is not provided.")
        self._dtype = dtypes.as_dtype(dtype).base_dtype
        self._size = size
        self._dynamic_size = bool(dynamic_size)
        self._infer_shape = infer_shape
        self._element_shape = [TensorShape(element_shape)]
        self._colocate = None
        if flow is not None:
            self._flow = convert_to_tensor(flow)
            return
        with name_scope(name, "TensorArrayV2", [size]) as scope:
            self._flow = apply("TensorListReserve", self._element_size(), size, element_dtype=self._dtype, name=scope)

    def _element_size(self) -> Tensor:
        raw = self._element_shape[0].raw
        sizes = -1 if raw is None else [-1 if size is None else size for size in raw]
        return constant(sizes, dtypes.int32, name="element_shape")

    @property
    def handle(self) -> Any:
        """None: there is none."""
        return None

    def identity(self) -> TensorArray:
        return self._with_flow(identity(self._flow))

    def grad(self, source: str, flow: Tensor | None = None, name: str | None = None) -> TensorArray:
        """NotImplementedError: the gradient of a list is a list."""
        raise NotImplementedError("A TensorArray inside of a function has no gradient array: its gradient is a list.")

    def read(self, index: TensorLike, name: str | None = None) -> Tensor:
        with name_scope(name, "TensorArrayV2Read", [self._flow, index]):
            return self._item("TensorListGetItem", self._flow, index, self._element_size())

    def write(self, index: TensorLike, value: TensorLike, name: str | None = None) -> TensorArray:
        with name_scope(name, "TensorArrayV2Write", [self._flow, index, value]):
            value = self._converted(value)
            self._check_element_shape(value.shape)
            flow = apply(
                "TensorListSetItem", self._flow, index, value, resize_if_index_out_of_bounds=self._dynamic_size
            )
        return self._with_flow(flow)

    def stack(self, name: str | None = None) -> Tensor:
        with name_scope(name, "TensorArrayV2Stack", [self._flow]):
            known = None if self._dynamic_size or self._size is None else constant_value(self._size)
            count = -1 if known is None else int(known)
            return self._item("TensorListStack", self._flow, self._element_size(), num_elements=count)

    def gather(self, indices: TensorLike, name: str | None = None) -> Tensor:
        return self._item("TensorListGather", self._flow, indices, self._element_size(), name=name)

    def concat(self, name: str | None = None) -> Tensor:
        raw = self._element_shape[0].raw
        sizes = -1 if raw is None else [-1, *(-1 if size is None else size for size in raw[1:])]
        none: list[int] = []
        leading = constant(none, dtypes.int64)
        return self._item("TensorListConcatV2", self._flow, constant(sizes, dtypes.int32), leading, name=name)[0]

    def _item(self, kind: str, *inputs: Any, name: str | None = None, **attrs: Any) -> Any:
        return apply(kind, *inputs, element_dtype=self._dtype, name=name, **attrs)

    def unstack(self, value: TensorLike, name: str | None = None) -> TensorArray:
        with name_scope(name, "TensorArrayUnstack", [self._flow, value]):
            value = self._converted(value)
            self._check_element_shape(value.shape[1:])
            sizes = self._size_of_rows(value)
            return self._with_flow(apply("TensorListFromTensor", value, sizes))

    def _size_of_rows(self, value: Tensor) -> Any:
        raw = value.raw_shape
        if raw is None:
            return -1
        return constant([-1 if size is None else size for size in raw[1:]], dtypes.int32, name="element_shape")

    def scatter(self, indices: TensorLike, value: TensorLike, name: str | None = None) -> TensorArray:
        with name_scope(name, "TensorArrayScatter", [self._flow, value, indices]):
            value = self._converted(value)
            self._check_element_shape(value.shape[1:])
            return self._with_flow(apply("TensorListScatterIntoExistingList", self._flow, value, indices))

    def split(self, value: TensorLike, lengths: TensorLike, name: str | None = None) -> TensorArray:
        with name_scope(name, "TensorArraySplit", [self._flow, value, lengths]):
            value = self._converted(value)
            lengths = cast(lengths, dtypes.int64)
            self._check_pieces(value, lengths)
            return self._with_flow(apply("TensorListSplit", value, self._element_size(), lengths))

    def _converted(self, value: TensorLike) -> Tensor:
        return convert_to_tensor(value, preferred_dtype=self._dtype, name="value")

    def size(self, name: str | None = None) -> Tensor:
        if not self._dynamic_size and self._size is not None:
            return convert_to_tensor(self._size, dtypes.int32)
        found: Tensor = apply("TensorListLength", self._flow, name=name)
        return found

    def close(self, name: str | None = None) -> Operation:
        """Nothing: the list goes when nobody needs it."""
        return no_op(name=name)

    def __repr__(self) -> str:
        return f"<tf.TensorArray dtype={self._dtype.name} element_shape={self.element_shape} flow={self._flow.name!r}>"
