"""How kernels word their complaints: as TensorFlow's runtime does."""

from __future__ import annotations

from collections.abc import Sequence

from runstep import errors
from runstep.graph import shapes
from runstep.graph.dtypes import DType
from runstep.graph.shapes import RawShape

_TYPE_TEXT = {"float32": "float", "float64": "double", "float16": "half"}


def invalid(text: str) -> errors.InvalidArgumentError:
    """An InvalidArgumentError of a kernel; the step adds the node."""
    return errors.InvalidArgumentError(None, None, text)


def shape_text(shape: Sequence[int | None]) -> str:
    """A shape: `[2,3]`."""
    return shapes.text(tuple(shape))


def partial_text(shape: RawShape) -> str:
    """A shape that may not be known: `[?,2]`, `<unknown>`."""
    return "<unknown>" if shape is None else shapes.text(shape)


def type_text(dtype: DType) -> str:
    """A dtype: `float` for float32."""
    return _TYPE_TEXT.get(dtype.name, dtype.name)
