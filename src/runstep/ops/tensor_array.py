"""`tf.TensorArray`: a list of tensors in the graph, written and read at positions that are computed there."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from runstep.graph import dtypes
from runstep.graph.apply import apply
from runstep.graph.constant_value import constant_value
from runstep.graph.convert import convert_to_tensor
from runstep.graph.dtypes import DType
from runstep.graph.graph import get_default_graph, graph_of, name_scope
from runstep.graph.operation import Operation
from runstep.graph.shapes import TensorShape
from runstep.graph.tensor import Tensor, TensorLike
from runstep.ops import tensor_array_rows as _rows  # noqa: F401 - registers them
from runstep.ops.basic import identity
from runstep.ops.cast import cast
from runstep.ops.creation import range as range_
from runstep.ops.shape_ops import shape as shape_of

__all__ = ["TensorArray"]


class TensorArray:
    """A list of tensors of one dtype, each written once (source: tf.compat.v1.TensorArray).

    Inside of a `tf.function` it is a tensor list (`ListArray`), as in TensorFlow.

    Every write returns a new object; use that one from then on. Its `flow`, a float scalar, makes what comes later wait
    for the write.

    Args:
      dtype: of the elements.
      size: int32 scalar, the number of elements; needed unless `handle` is given.
      dynamic_size: whether writing past the end makes it longer.
      clear_after_read: whether an element is dropped once read (the default); if so it can be read once.
      tensor_array_name: for error messages.
      handle, flow: of an existing TensorArray, in place of `size`.
      infer_shape: whether all elements have one shape, that of the first.
      element_shape: what is known of the shape of every element.
      colocate_with_first_write_call: whether it lives on the device of what is written first.

    Raises:
      ValueError, TypeError: handle and size (or an option of a new array) are both given, or neither is.
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
        if handle is None and get_default_graph()._functional_flow:
            from runstep.ops.tensor_array_list import ListArray

            options = (size, dynamic_size, clear_after_read, tensor_array_name, handle, flow)
            self.__class__ = ListArray
            ListArray.__init__(self, dtype, *options, infer_shape=infer_shape, element_shape=element_shape, name=name)  # type: ignore[arg-type]
            return
        if handle is not None:
            for argument, given in (
                ("tensor_array_name", tensor_array_name),
                ("dynamic_size", dynamic_size),
                ("clear_after_read", clear_after_read),
                ("size", size),
            ):
                if given is not None and given != "":
                    both = (
                        f"both a `handle` and `{argument}`" if argument == "size" else f"both `handle` and `{argument}`"
                    )
                    raise ValueError(f"Cannot provide {both} arguments at the same time.")
            if not isinstance(handle, Tensor):
                raise TypeError(
                    f"Expected `handle` to be a Tensor, but got `{handle}` of type `{type(handle)}` instead."
                )
        elif size is None:
            raise ValueError("Argument `size` must be provided if handle is not provided.")
        self._dtype = dtypes.as_dtype(dtype).base_dtype
        self._size = size
        self._dynamic_size = bool(dynamic_size)
        self._infer_shape = infer_shape
        # Shared with the objects that writes return: what one of them learns, all know.
        self._element_shape = [TensorShape(element_shape)]
        self._colocate: list[Tensor] | None = [] if colocate_with_first_write_call else None
        if handle is not None:
            self._handle = handle
            self._flow = flow if flow is not None else convert_to_tensor(0.0, dtypes.float32)
            return
        graph = graph_of([size, flow])
        with contextlib.ExitStack() as stack:
            if graph is not get_default_graph():
                stack.enter_context(graph.as_default())
            scope = stack.enter_context(name_scope(name, "TensorArray"))
            if colocate_with_first_write_call:
                stack.enter_context(graph.device(None))
                stack.enter_context(graph.colocate_with(None, ignore_existing=True))
            self._handle, self._flow = apply(
                "TensorArrayV3",
                size,
                dtype=self._dtype,
                element_shape=self._element_shape[0].raw,
                dynamic_size=self._dynamic_size,
                clear_after_read=clear_after_read if clear_after_read is not None else True,
                identical_element_shapes=infer_shape,
                tensor_array_name=tensor_array_name or "",
                name=scope,
            )
        if flow is not None:
            self._flow = flow

    # --- what it is -----------------------------------------------------------------------------------------------

    @property
    def flow(self) -> Tensor:
        """The float scalar that orders what is done with the array."""
        return self._flow

    @property
    def dtype(self) -> DType:
        return self._dtype

    @property
    def handle(self) -> Tensor:
        """The resource handle."""
        return self._handle

    @property
    def element_shape(self) -> TensorShape:
        """What is known of the shape of every element."""
        return self._element_shape[0]

    @property
    def dynamic_size(self) -> bool:
        """Whether writing past the end makes it longer."""
        return self._dynamic_size

    def _with_flow(self, flow: Tensor) -> TensorArray:
        other = object.__new__(type(self))
        other.__dict__.update(self.__dict__)
        other._flow = flow
        return other

    def _given_back(self, flow: Tensor) -> TensorArray:
        """The array that a function or a branch returned: how long it is, another branch may see otherwise."""
        found = self._with_flow(flow)
        found._size = None
        return found

    def _check_element_shape(self, shape: TensorShape) -> None:
        known = self._element_shape[0]
        if not shape.is_compatible_with(known):
            raise ValueError(f"Inconsistent shapes: saw {shape} but expected {known} ")
        if self._infer_shape:
            self._element_shape[0] = known.merge_with(shape)

    @contextlib.contextmanager
    def _beside_first(self, value: Tensor) -> Iterator[None]:
        if self._colocate is None:
            yield
            return
        if not self._colocate:
            self._colocate.append(value)
        with get_default_graph().colocate_with(self._colocate[0]):
            yield

    # --- reading and writing --------------------------------------------------------------------------------------

    def identity(self) -> TensorArray:
        """A TensorArray with the same content and a flow of its own."""
        return self._with_flow(identity(self._flow))

    def grad(self, source: str, flow: Tensor | None = None, name: str | None = None) -> TensorArray:
        """The TensorArray that gathers gradients of the elements under the name `source`."""
        if flow is None:
            flow = self._flow
        with name_scope(name, "TensorArrayGrad", [self._handle]):
            graph = get_default_graph()
            with graph.colocate_with(self._handle):
                handle, _ = apply("TensorArrayGradV3", self._handle, flow, source=source, name=name)
                with graph.control_dependencies([handle]):
                    flow = identity(flow, name="gradient_flow")
        made = TensorArray(
            self._dtype, handle=handle, flow=flow, infer_shape=self._infer_shape, colocate_with_first_write_call=False
        )
        made._element_shape = self._element_shape
        return made

    def read(self, index: TensorLike, name: str | None = None) -> Tensor:
        """Element `index` (int32 scalar)."""
        value: Tensor = apply("TensorArrayReadV3", self._handle, index, self._flow, dtype=self._dtype, name=name)
        if self.element_shape.rank is not None:
            value.set_shape(self.element_shape)
        return value

    def write(self, index: TensorLike, value: TensorLike, name: str | None = None) -> TensorArray:
        """Sets element `index` (int32 scalar). ValueError if the shape of `value` is not that of the others."""
        with name_scope(name, "TensorArrayWrite", [self._handle, value]):
            value = convert_to_tensor(value, preferred_dtype=self._dtype, name="value")
            self._check_element_shape(value.shape)
            with self._beside_first(value):
                flow = apply("TensorArrayWriteV3", self._handle, index, value, self._flow, name=name)
        return self._with_flow(flow)

    def stack(self, name: str | None = None) -> Tensor:
        """All elements as one tensor: shape `[size] + element_shape`."""
        graph = self._handle.graph
        with graph.as_default(), graph.colocate_with(self._handle), name_scope(name, "TensorArrayStack"):
            size = self.size()
            value = self.gather(range_(0, size), name=name)
            if self.element_shape.rank is not None:
                known = constant_value(size)
                count = None if known is None else int(known)
                value.set_shape(TensorShape([count]).concatenate(self.element_shape))
            return value

    def gather(self, indices: TensorLike, name: str | None = None) -> Tensor:
        """The elements at `indices` (int32 vector), stacked."""
        shape = self.element_shape
        value: Tensor = apply(
            "TensorArrayGatherV3",
            self._handle,
            indices,
            self._flow,
            dtype=self._dtype,
            element_shape=shape.raw,
            name=name,
        )
        if shape.rank is not None:
            value.set_shape(TensorShape([None]).concatenate(shape))
        return value

    def concat(self, name: str | None = None) -> Tensor:
        """All elements, one after the other along their first axis."""
        shape = self.element_shape.raw
        value: Tensor
        value, _ = apply(
            "TensorArrayConcatV3",
            self._handle,
            self._flow,
            dtype=self._dtype,
            element_shape_except0=None if shape is None else shape[1:],
            name=name,
        )
        if shape:
            count = constant_value(self.size()) if self._infer_shape else None
            length = None if count is None or shape[0] is None else int(count) * shape[0]
            value.set_shape((length, *shape[1:]))
        return value

    def unstack(self, value: TensorLike, name: str | None = None) -> TensorArray:
        """Sets all elements: element k to `value[k]`."""
        with name_scope(name, "TensorArrayUnstack", [self._handle, value]):
            indices = range_(0, shape_of(value)[0])
            return self.scatter(indices, value, name=name)

    def scatter(self, indices: TensorLike, value: TensorLike, name: str | None = None) -> TensorArray:
        """Sets element `indices[k]` to `value[k]` for each k."""
        with name_scope(name, "TensorArrayScatter", [self._handle, value, indices]):
            value = convert_to_tensor(value, preferred_dtype=self._dtype, name="value")
            if value.raw_shape is not None:
                self._check_element_shape(value.shape[1:])
            with self._beside_first(value):
                flow = apply("TensorArrayScatterV3", self._handle, indices, value, self._flow, name=name)
        return self._with_flow(flow)

    def split(self, value: TensorLike, lengths: TensorLike, name: str | None = None) -> TensorArray:
        """Sets element k to the k-th piece of `value`, `lengths[k]` rows long."""
        with name_scope(name, "TensorArraySplit", [self._handle, value, lengths]):
            value = convert_to_tensor(value, preferred_dtype=self._dtype, name="value")
            with self._beside_first(value):
                lengths = cast(lengths, dtypes.int64)
                self._check_pieces(value, lengths)
                flow = apply("TensorArraySplitV3", self._handle, value, lengths, self._flow, name=name)
        return self._with_flow(flow)

    def _check_pieces(self, value: Tensor, lengths: Tensor) -> None:
        known, raw = constant_value(lengths), value.raw_shape
        if raw is not None and known is not None and known.size and known.max() == known.min():
            self._check_element_shape(TensorShape((int(known.flat[0]), *raw[1:])))

    def size(self, name: str | None = None) -> Tensor:
        """The number of elements, int32."""
        if not self._dynamic_size and self._size is not None:
            return convert_to_tensor(self._size, dtypes.int32)
        size: Tensor = apply("TensorArraySizeV3", self._handle, self._flow, name=name)
        return size

    def close(self, name: str | None = None) -> Operation:
        """Drops the elements."""
        closed: Operation = apply("TensorArrayCloseV3", self._handle, name=name)
        return closed

    def __repr__(self) -> str:
        return (
            f"<tf.TensorArray dtype={self._dtype.name} element_shape={self.element_shape} handle={self._handle.name!r}>"
        )
