"""Datasets of what Python generators yield."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from runstep.data import structure
from runstep.data.functions import trace
from runstep.graph import dtypes
from runstep.graph.apply import apply
from runstep.graph.shapes import TensorShape
from runstep.graph.tensor import Tensor
from runstep.graph.type_spec import TensorSpec
from runstep.ops.script_ops import py_func

if TYPE_CHECKING:
    from runstep.data.dataset import Dataset


class _Running:
    """Generators under way, by number."""

    def __init__(self, generator: Callable[..., Any], elements: Any) -> None:
        self._generator = generator
        self._structure = elements
        self._leaves: list[TensorSpec] = structure.flatten(elements)
        self._numbers = itertools.count()
        self._lock = threading.Lock()
        self._iterators: dict[int, Iterator[Any]] = {}

    def begin(self, *args: Any) -> Any:
        with self._lock:
            number = next(self._numbers)
        self._iterators[number] = iter(self._generator(*args))
        return np.int64(number)

    def end(self, number: Any) -> Any:
        self._iterators.pop(int(number), None)
        return np.int64(0)

    def next(self, number: Any) -> list[np.ndarray]:
        yielded = next(self._iterators[int(number)])
        try:
            parts = structure.flatten_up_to(self._structure, yielded)
        except (TypeError, ValueError) as error:
            raise TypeError(
                "`generator` yielded an element that did not match the expected structure. The expected structure was "
                f"{self._structure!r}, but the yielded element was {yielded}."
            ) from error
        found = [self._array(part, leaf) for part, leaf in zip(parts, self._leaves, strict=True)]
        for array, leaf in zip(found, self._leaves, strict=True):
            if not leaf.shape.is_compatible_with(array.shape):
                raise TypeError(
                    f"`generator` yielded an element of shape {array.shape} where an element of shape "
                    f"{tuple(leaf.shape.as_list())} was expected."
                )
        return found

    @classmethod
    def _array(cls, value: Any, leaf: TensorSpec) -> np.ndarray:
        try:
            return np.asarray(value, leaf.dtype.np, order="C") if leaf.dtype is not dtypes.string else cls._texts(value)
        except (TypeError, ValueError) as error:
            raise TypeError(
                "`generator` yielded an element that could not be converted to the expected type. The expected type "
                f"was {leaf.dtype.name}, but the yielded element was {value}."
            ) from error

    @staticmethod
    def _texts(value: Any) -> np.ndarray:
        array = np.array(value, dtype=object)
        flat = array.reshape(-1)
        for index, item in enumerate(flat.tolist()):
            if not isinstance(item, str | bytes):
                raise TypeError(f"{item!r} is no string")
            flat[index] = item.encode() if isinstance(item, str) else item
        return array


def generator_dataset(generator: Callable[..., Any], args: Sequence[Tensor], elements: Any) -> Dataset:
    """A dataset each of whose iterators calls `generator` with the values of `args`."""
    from runstep.data.dataset import Dataset

    running = _Running(generator, elements)
    leaves = structure.flatten(elements)
    number = TensorSpec(TensorShape([]), dtypes.int64)
    zero = TensorSpec(TensorShape([]), dtypes.int32)

    def begin(_: Tensor) -> Tensor:
        found: Tensor = py_func(running.begin, list(args), dtypes.int64)
        found.set_shape([])
        return found

    def go_on(which: Tensor) -> Any:
        found = py_func(running.next, [which], [leaf.dtype for leaf in leaves])
        for tensor, leaf in zip(found, leaves, strict=True):
            tensor.set_shape(leaf.shape)
        return structure.pack(elements, found)

    def end(which: Tensor) -> Tensor:
        found: Tensor = py_func(running.end, [which], dtypes.int64)
        return found

    from runstep.graph.convert import constant

    first = trace(begin, (zero,), "from_generator")
    second = trace(go_on, (number,), "from_generator")
    third = trace(end, (number,), "from_generator")
    variant = apply(
        "GeneratorDataset",
        [constant(0), *first.captured],
        list(second.captured),
        list(third.captured),
        init_func=first.name,
        next_func=second.name,
        finalize_func=third.name,
        **structure.element_attrs(elements),
    )
    return Dataset(variant, elements)
