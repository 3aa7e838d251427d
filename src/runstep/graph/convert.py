"""`convert_to_tensor`: whatever a user passes where a tensor is meant becomes one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from runstep.graph import dtypes, shapes
from runstep.graph.dtypes import DType
from runstep.graph.graph import get_default_graph
from runstep.graph.shapes import Dimension, TensorShape
from runstep.graph.tensor import Tensor
from runstep.graph.values import convert_value
from runstep.ops import registry

Conversion = Callable[[Any, DType | None, str | None, bool], Any]

_conversions: list[tuple[int, Any, Conversion]] = []
_by_type: dict[type, Conversion | None] = {}
_PLAIN = frozenset((int, float, bool, str, bytes, complex, np.ndarray))


def register_tensor_conversion_function(base_type: Any, conversion_func: Conversion, priority: int = 100) -> None:
    """Teaches `convert_to_tensor` a type (source: tf.register_tensor_conversion_function).

    Args:
      base_type: a class, or a tuple of classes.
      conversion_func: `f(value, dtype, name, as_ref)` returns a Tensor, or NotImplemented to let the next one try.
      priority: lower ones are asked first.
    """
    _conversions.append((priority, base_type, conversion_func))
    _conversions.sort(key=lambda entry: entry[0])
    _by_type.clear()


def convert_to_tensor(
    value: Any,
    dtype: Any = None,
    name: str | None = None,
    preferred_dtype: Any = None,
    dtype_hint: Any = None,
    as_ref: bool = False,
) -> Tensor:
    """The Tensor that `value` is or can be made into (source: tf.convert_to_tensor).

    Args:
      value: a Tensor, a Variable, a number, string, numpy array, or nested lists of these.
      dtype: the dtype it must have. preferred_dtype, dtype_hint: the dtype to try first.
      as_ref: keep the reference of a ref variable instead of its value.

    Raises:
      TypeError, ValueError: it cannot be converted, or a Tensor has another dtype.
    """
    if dtype is not None:
        dtype = dtypes.as_dtype(dtype)
    if isinstance(value, Tensor):
        return _checked(value, dtype)
    cls = type(value)
    if cls not in _PLAIN:
        converted = _by_conversion(value, dtype, name, as_ref, preferred_dtype or dtype_hint)
        if converted is not None:
            return converted
    preferred = preferred_dtype if preferred_dtype is not None else dtype_hint
    if dtype is None and preferred is not None:
        try:
            return constant_node(value, dtypes.as_dtype(preferred), name=name or "Const")
        except (TypeError, ValueError):
            pass
    return constant_node(value, dtype, name=name or "Const")


def _checked(tensor: Tensor, dtype: DType | None) -> Tensor:
    if dtype is not None and not dtype.is_compatible_with(tensor.dtype):
        raise ValueError(
            f"Tensor conversion requested dtype {dtype.name} for Tensor with dtype {tensor.dtype.name}: {tensor!r}"
        )
    default = get_default_graph()
    if default.building_function and tensor.graph is not default:
        return default.capture(tensor)  # type: ignore[attr-defined]
    return tensor


def _by_conversion(value: Any, dtype: DType | None, name: str | None, as_ref: bool, preferred: Any) -> Tensor | None:
    for _, base_type, function in _conversions:
        if isinstance(value, base_type):
            if dtype is None and preferred is not None:
                try:
                    found = function(value, dtypes.as_dtype(preferred), name, as_ref)
                    if found is not NotImplemented:
                        return found
                except (TypeError, ValueError):
                    pass
            found = function(value, dtype, name, as_ref)
            if found is not NotImplemented:
                return found
    if hasattr(value, "_as_graph_element"):
        element = value._as_graph_element()
        if isinstance(element, Tensor):
            return _checked(element, dtype)
    if hasattr(value, "__tf_tensor__"):
        return value.__tf_tensor__(dtype, name)
    if not as_ref and isinstance(value, list | tuple) and _holds_tensors(value):
        return _pack(value, dtype, name)
    if isinstance(value, TensorShape):
        return _shape_constant(value, dtype, name)
    if isinstance(value, Dimension):
        if value.value is None:
            raise ValueError(f"Cannot convert an unknown Dimension to a Tensor: {value}")
        return constant_node(value.value, dtype or dtypes.int32, name=name or "Const")
    return None


def _holds_tensors(value: Any) -> bool:
    for item in value:
        if isinstance(item, Tensor) or (isinstance(item, list | tuple) and _holds_tensors(item)):
            return True
        if not isinstance(item, int | float | str | bytes | np.ndarray | np.generic | list | tuple) and (
            hasattr(item, "_as_graph_element")
        ):
            return True
    return False


def _tensor_dtype(value: Any) -> DType | None:
    for item in value:
        if isinstance(item, list | tuple):
            found = _tensor_dtype(item)
            if found is not None:
                return found
        elif isinstance(getattr(item, "dtype", None), DType):
            return item.dtype.base_dtype
    return None


def _pack(value: Any, dtype: DType | None, name: str | None) -> Tensor:
    """A list with tensors in it, packed level by level into one."""
    from runstep.graph.apply import apply

    dtype = dtype or _tensor_dtype(value)
    with get_default_graph().name_scope(name or "packed") as scope:

        def converted(items: Any, inner: str) -> Any:
            if isinstance(items, list | tuple):
                with get_default_graph().name_scope(inner) as nested:
                    return packed(items, nested) if _holds_tensors(items) else items
            return items

        def packed(items: Any, inner: str) -> Tensor:
            parts = [converted(item, str(i)) for i, item in enumerate(items)]
            parts = [
                part if isinstance(part, Tensor) else convert_to_tensor(part, dtype, name=str(i))
                for i, part in enumerate(parts)
            ]
            return apply("Pack", parts, name=inner)

        return packed(value, scope)


def _shape_constant(shape: TensorShape, dtype: DType | None, name: str | None) -> Tensor:
    if not shape.is_fully_defined():
        raise ValueError(f"Cannot convert a partially known TensorShape {shape} to a Tensor.")
    sizes = [int(size or 0) for size in shape.raw or ()]
    if dtype is None:
        dtype = dtypes.int64 if any(size >= 2**31 for size in sizes) else dtypes.int32
    elif dtype not in (dtypes.int32, dtypes.int64):
        raise TypeError(f"Cannot convert a TensorShape to dtype: {dtype.name}.")
    return constant_node(sizes, dtype, name=name or "shape_as_tensor")


def constant_node(value: Any, dtype: DType | None = None, shape: Any = None, name: str = "Const") -> Tensor:
    """Adds a Const node. `value` is converted as numpy would, checked against `dtype`, filled out to `shape`."""
    raw = None if shape is None else shapes.as_raw(shape)
    if dtype is not None and dtype.is_ref:
        dtype = dtype.base_dtype
    array, dtype = convert_value(value, dtype, raw)
    array.flags.writeable = False  # nobody may change a constant afterwards
    graph = get_default_graph()
    op = graph._create(registry.get("Const"), "Const", (), {"value": array, "dtype": dtype}, name)
    return op.outputs[0]


def constant(
    value: Any, dtype: Any = None, shape: Any = None, name: str = "Const", verify_shape: bool = False
) -> Tensor:
    """A constant tensor (source: tf.constant).

    Args:
      value: a number, string, array, or nested lists. dtype: inferred when None.
      shape: the result's shape; the last element fills up what is missing, unless `verify_shape`.

    Raises:
      TypeError: the value does not fit the dtype, or (with verify_shape) the shape. ValueError: it has too many
        elements.
    """
    wanted = None if dtype is None else dtypes.as_dtype(dtype)
    if verify_shape and shape is not None:
        array, _ = convert_value(value, wanted, None)
        if tuple(array.shape) != shapes.as_raw(shape):
            raise TypeError(f"Expected Tensor's shape: {tuple(shapes.as_raw(shape) or ())}, but got {array.shape}.")
    return constant_node(value, wanted, shape, name)
