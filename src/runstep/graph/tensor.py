"""`tf.Tensor`: one output of one operation. A name for a value that a run will compute, never the value itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

from runstep.graph import shapes
from runstep.graph.dtypes import DType
from runstep.graph.shapes import RawShape, TensorShape

if TYPE_CHECKING:
    from runstep.graph.graph import Graph
    from runstep.graph.operation import Operation


_OF_ARRAYS = {
    "T": "`tf.transpose(x)`",
    "astype": "`tf.cast(x, dtype)`",
    "clip": "`tf.clip_by_value(x, low, high)`",
    "data": "`session.run(x)`",
    "item": "`session.run(x).item()`",
    "max": "`tf.reduce_max(x)`",
    "mean": "`tf.reduce_mean(x)`",
    "min": "`tf.reduce_min(x)`",
    "numpy": "`session.run(x)`",
    "ravel": "`tf.reshape(x, [-1])`",
    "reshape": "`tf.reshape(x, shape)`",
    "size": "`tf.size(x)`",
    "sum": "`tf.reduce_sum(x)`",
    "tolist": "`session.run(x).tolist()`",
    "transpose": "`tf.transpose(x)`",
}


class Reference:
    """What `ref()` of a tensor or variable gives: equal for the same object, and good as a key."""

    __slots__ = ("_wrapped",)

    def __init__(self, wrapped: Any) -> None:
        self._wrapped = wrapped

    def deref(self) -> Any:
        """The tensor or variable."""
        return self._wrapped

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Reference) and self._wrapped is other._wrapped

    def __hash__(self) -> int:
        return id(self._wrapped)

    def __repr__(self) -> str:
        return f"<Reference wrapping {self._wrapped!r}>"


class Tensor:
    """A symbolic handle to one output of an operation (source: tf.Tensor).

    Hashes and compares by identity (S108), so that tensors can be keys of a feed_dict. The arithmetic operators and
    indexing are installed by `runstep.graph.operators`. A program may hang attributes of its own on a tensor.

    Attributes:
      op: the operation that produces it.
      value_index: which of that operation's outputs it is.
      dtype: its element type.
      raw_shape: its static shape as a tuple (None for an unknown size), or None for an unknown rank.
    """

    __slots__ = ("__dict__", "__weakref__", "_handle_data", "dtype", "op", "raw_shape", "value_index")

    __array_priority__ = 100

    OVERLOADABLE_OPERATORS: ClassVar[set[str]]
    """The names of the operators' methods, for classes that hand them on. Set by `runstep.graph.operators`."""

    def __init__(self, op: Operation, value_index: int, dtype: DType, raw_shape: RawShape = None) -> None:
        self.op = op
        self.value_index = value_index
        self.dtype = dtype
        self.raw_shape = raw_shape
        self._handle_data: Any = None

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> NoReturn:
            """Says what to write for an array's attribute that tensors do not have."""
            cure = _OF_ARRAYS.get(name)
            said = f": {self!r} has no value before a Session runs it. Write {cure}." if cure else ""
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}{said}")

    @property
    def graph(self) -> Graph:
        return self.op.graph

    @property
    def name(self) -> str:
        """`"<op name>:<output index>"`."""
        return f"{self.op.name}:{self.value_index}"

    @property
    def device(self) -> str:
        return self.op.device

    @property
    def shape(self) -> TensorShape:
        return TensorShape.from_raw(self.raw_shape)

    def get_shape(self) -> TensorShape:
        """The static shape, as `shape`."""
        return TensorShape.from_raw(self.raw_shape)

    @property
    def ndim(self) -> int:
        """The number of axes, -1 where it is unknown."""
        return -1 if self.raw_shape is None else len(self.raw_shape)

    def _shape_as_list(self) -> list[int | None] | None:
        return None if self.raw_shape is None else list(self.raw_shape)

    def set_shape(self, shape: Any) -> None:
        """Adds what `shape` says to the static shape.

        Raises:
          ValueError: `shape` contradicts what is known already.
        """
        raw = shapes.as_raw(shape)
        try:
            self.raw_shape = shapes.merge(self.raw_shape, raw)
        except ValueError:
            mine, other = TensorShape.from_raw(self.raw_shape), TensorShape.from_raw(raw)
            raise ValueError(f"Shapes {mine} and {other} are not compatible") from None
        self.op.graph._shape_was_set(self)

    def consumers(self) -> list[Operation]:
        """The operations that take this tensor as an input."""
        return self.op.graph._consumers_of(self)

    def eval(self, feed_dict: Any = None, session: Any = None) -> Any:
        """Runs this tensor in `session` or the default session and returns its value (S34-S36).

        Raises:
          ValueError: there is no session, or it runs another graph.
        """
        from runstep.session.default import session_for_tensor

        return session_for_tensor(self, session).run(self, feed_dict)

    def ref(self) -> Reference:
        """What stands for this tensor in sets and dicts."""
        return Reference(self)

    experimental_ref = ref

    def _as_graph_element(self) -> Tensor:
        return self

    @property
    def _id(self) -> int:
        return id(self)

    if TYPE_CHECKING:  # installed by runstep.graph.operators

        def __getitem__(self, key: Any) -> Tensor: ...
        def __neg__(self) -> Tensor: ...
        def __abs__(self) -> Tensor: ...
        def __invert__(self) -> Tensor: ...
        def __add__(self, other: Any) -> Any: ...
        def __radd__(self, other: Any) -> Any: ...
        def __sub__(self, other: Any) -> Any: ...
        def __rsub__(self, other: Any) -> Any: ...
        def __mul__(self, other: Any) -> Any: ...
        def __rmul__(self, other: Any) -> Any: ...
        def __truediv__(self, other: Any) -> Any: ...
        def __rtruediv__(self, other: Any) -> Any: ...
        def __floordiv__(self, other: Any) -> Any: ...
        def __rfloordiv__(self, other: Any) -> Any: ...
        def __mod__(self, other: Any) -> Any: ...
        def __rmod__(self, other: Any) -> Any: ...
        def __pow__(self, other: Any) -> Any: ...
        def __rpow__(self, other: Any) -> Any: ...
        def __matmul__(self, other: Any) -> Any: ...
        def __rmatmul__(self, other: Any) -> Any: ...
        def __and__(self, other: Any) -> Any: ...
        def __rand__(self, other: Any) -> Any: ...
        def __or__(self, other: Any) -> Any: ...
        def __ror__(self, other: Any) -> Any: ...
        def __xor__(self, other: Any) -> Any: ...
        def __rxor__(self, other: Any) -> Any: ...
        def __lt__(self, other: Any) -> Any: ...
        def __le__(self, other: Any) -> Any: ...
        def __gt__(self, other: Any) -> Any: ...
        def __ge__(self, other: Any) -> Any: ...

    def __repr__(self) -> str:
        return f"<tf.Tensor '{self.name}' shape={self.get_shape()} dtype={self.dtype.name}>"

    def __str__(self) -> str:
        shape = "" if self.raw_shape is None else f", shape={self.get_shape()}"
        device = f", device={self.device}" if self.device else ""
        return f'Tensor("{self.name}"{shape}, dtype={self.dtype.name}{device})'

    def __copy__(self) -> Tensor:
        return self

    def __deepcopy__(self, memo: Any) -> Tensor:
        return self


TensorLike = Any
"""A Tensor, or anything that `convert_to_tensor` takes: Python numbers, strings, nested lists, numpy arrays,
variables."""

Tensors = Sequence[Tensor]
