"""What a `py_function` works on: tensors that have values, in a graph that lives as long as the call.

Operations on them are nodes as ever, so that they can be differentiated; a value is worked out when it is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from runstep.graph.dtypes import DType
from runstep.graph.graph import Graph
from runstep.graph.shapes import Dimension, TensorShape
from runstep.graph.tensor import Tensor


class ValueTensor(Tensor):
    """A tensor whose value can be had: by `numpy()`, and wherever Python asks for one."""

    __slots__ = ()

    def numpy(self) -> Any:
        """The value: an array, a numpy scalar, or bytes (source: tf.Tensor.numpy)."""
        graph: Any = self.graph
        return graph.value(self)

    @property
    def shape(self) -> TensorShape:
        found = super().shape
        return found if found.is_fully_defined() else TensorShape(np.shape(self.numpy()))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        return np.array(self.numpy(), dtype)

    def __bool__(self) -> bool:
        return bool(self.numpy())

    def __int__(self) -> int:
        return int(self.numpy())

    def __index__(self) -> int:
        return int(self.numpy().__index__())

    def __float__(self) -> float:
        return float(self.numpy())

    def __complex__(self) -> complex:
        return complex(self.numpy())

    def __len__(self) -> int:
        return len(self.numpy())

    def __iter__(self) -> Iterator[Any]:
        return (self[place] for place in range(len(self)))

    def __format__(self, spec: str) -> str:
        value = self.numpy()
        return format(value, spec) if np.ndim(value) == 0 else format(str(self), spec)

    def __str__(self) -> str:
        return f"tf.Tensor({self.numpy()}, shape={self.shape}, dtype={self.dtype.name})"

    def __repr__(self) -> str:
        value = self.numpy()
        text = repr(value) if isinstance(value, np.ndarray | bytes) else str(value)
        return f"<tf.Tensor: shape={self.shape}, dtype={self.dtype.name}, numpy={text}>"


class ScriptGraph(Graph):
    """The graph of one call."""

    _tensor_class = ValueTensor

    def __init__(self) -> None:
        super().__init__()
        self._known: dict[Tensor, Any] = {}
        self._session: Any = None

    def given(self, value: Any, dtype: DType) -> Tensor:
        """A tensor of this value."""
        attrs = {"dtype": dtype, "shape": TensorShape(np.shape(value))}
        tensor = self.create_op("Placeholder", [], attrs=attrs, name="input").outputs[0]
        self._known[tensor] = value
        return tensor

    def value(self, tensor: Tensor) -> Any:
        """What a tensor of this graph is. It is worked out once, from what is known already."""
        if tensor not in self._known:
            (self._known[tensor],) = self.values([tensor])
        return self._known[tensor]

    def values(self, tensors: Sequence[Tensor]) -> list[Any]:
        """As `value`, of several at once."""
        from runstep.session.session import Session

        unknown = [tensor for tensor in tensors if tensor not in self._known]
        if unknown:
            if self._session is None:
                self._session = Session(graph=self)
            self._known.update(zip(unknown, self._session.run(unknown, self._known), strict=True))
        return [self._known[tensor] for tensor in tensors]

    def close(self) -> None:
        """Frees what the call held."""
        if self._session is not None:
            self._session.close()


def call(function: Callable[..., Any], inputs: Sequence[Any], types: Sequence[DType], wanted: Sequence[DType]) -> Any:
    """What a function returns for these values, of these types, its tensors as arrays.

    Raises:
      TypeError: a tensor is not of the type that is wanted in its place.
    """
    graph = ScriptGraph()
    try:
        with graph.as_default():
            returned = function(*map(graph.given, inputs, types))
            single = not isinstance(returned, list | tuple)
            items = [returned] if single else list(returned)
            for item, dtype in zip(items, wanted, strict=False):
                if isinstance(item, Tensor) and item.dtype is not dtype:
                    raise TypeError(
                        f"Cannot convert {item!r} to a tensor of dtype {dtype.name}; cast it, or declare its dtype "
                        f"as Tout."
                    )
            tensors = [item for item in items if isinstance(item, Tensor) and item.graph is graph]
            values = dict(zip(tensors, graph.values(tensors), strict=True))
        found = [values.get(item, item) if isinstance(item, Tensor) else _plain(item) for item in items]
        return found[0] if single else found
    finally:
        graph.close()


def _plain(item: Any) -> Any:
    return int(item) if isinstance(item, Dimension) else item
