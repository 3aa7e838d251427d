"""From Python and numpy values to the arrays that constants and feeds hold.

TensorFlow's inference and error texts: Python floats become float32, ints int32 (int64 or uint64 where they do not
fit), strings object arrays of bytes; numpy values keep their type. Where a type is asked for, Python values must be
of its kind, numpy arrays are cast.

This is the hot path of `tf.constant`, so the common cases come first and are spelled out.
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Sequence
from typing import Any, NoReturn

import numpy as np

from runstep.graph import dtypes
from runstep.graph.dtypes import DType

Array = np.ndarray[Any, np.dtype[Any]]

_F32 = dtypes.float32.np
_F32_MAX = float(np.finfo(np.float32).max)
_I32 = dtypes.int32.np
_I32_MIN, _I32_MAX = -(2**31), 2**31 - 1
_OBJECT = np.dtype(object)
_BOOL = np.dtype(bool)

# Arrays of these are taken as they are.
_PLAIN = {d.np: d for d in dtypes.VALUE_DTYPES if d.is_numpy_compatible and not d.is_quantized and d.np != _OBJECT}
_RECORDS = {d.as_numpy_dtype: d for d in dtypes.VALUE_DTYPES if d.is_quantized}
_TEXT = frozenset({str, bytes, np.str_, np.bytes_})


def convert_value(value: Any, dtype: Any = None, shape: Any = None) -> tuple[Array, DType]:
    """The array that `tf.constant(value, dtype, shape)` holds, and its type.

    The array is new, C-contiguous and in native byte order. With a `shape` of more elements than `value` has, the
    last element is repeated; where it is the only one, the array is a read-only view of it (all strides 0).
    Raises TypeError for values that do not fit `dtype`, ValueError for ragged values and for more elements than
    `shape` takes.
    """
    if shape is None:
        kind = type(value)
        if dtype is None:
            if kind is float:
                if -_F32_MAX <= value <= _F32_MAX:
                    return np.array(value, _F32), dtypes.float32
            elif kind is int:
                if _I32_MIN <= value <= _I32_MAX:
                    return np.array(value, _I32), dtypes.int32
            elif kind is np.ndarray:
                plain = _PLAIN.get(value.dtype)
                if plain is not None and value.dtype.isnative:
                    return value.copy(), plain
            elif kind is list:
                quick = _flat_list(value)
                if quick is not None:
                    return quick
            elif kind is bool:
                return np.array(value, _BOOL), dtypes.bool
            elif kind is str or kind is bytes:
                return _text_scalar(value), dtypes.string
        elif type(dtype) is DType:
            quick_array = _scalar_as(value, kind, dtype)
            if quick_array is not None:
                return quick_array, dtype
    array, dtype, dims = convert(value, dtype, shape)
    if array.shape != dims:
        array = array.reshape(dims) if array.size == math.prod(dims) else fill(array, dims)
    return array, dtype


def _flat_list(values: list[Any]) -> tuple[Array, DType] | None:
    kinds = set(map(type, values))
    if kinds == {int}:
        if min(values) >= _I32_MIN and max(values) <= _I32_MAX:
            return np.array(values, _I32), dtypes.int32
    elif kinds == {float}:
        array = np.array(values)
        # Written so that NaN and infinities, which compare false, take the slow way.
        if -_F32_MAX <= array.min() and array.max() <= _F32_MAX:
            return array.astype(_F32), dtypes.float32
    return None


def _scalar_as(value: Any, kind: type, dtype: DType) -> Array | None:
    if kind is int:
        if dtype is dtypes.int32 and _I32_MIN <= value <= _I32_MAX:
            return np.array(value, _I32)
        if dtype is dtypes.int64 and -(2**63) <= value < 2**63:
            return np.array(value, dtype.np)
        if dtype is dtypes.float32 and -(2**53) <= value <= 2**53:  # exact on its way through a double
            return np.array(float(value), _F32)
    elif kind is float:
        if dtype is dtypes.float32 and -_F32_MAX <= value <= _F32_MAX:
            return np.array(value, _F32)
        if dtype is dtypes.float64:
            return np.array(value)
    elif kind is np.ndarray and dtype.np is value.dtype and dtype.np is not _OBJECT:
        return value.copy()
    elif kind is list and (dtype is dtypes.int32 or dtype is dtypes.float32):
        quick = _flat_list(value)
        return quick[0] if quick is not None and quick[1] is dtype else None
    return None


def convert(
    value: Any, dtype: Any = None, shape: Any = None, verify_shape: bool = False, allow_broadcast: bool = False
) -> tuple[Array, DType, tuple[int, ...]]:
    """The elements of `value`, their type, and the shape of the tensor they are for.

    The array has at most as many elements as the shape; when it has fewer, the last one stands for the rest.
    `verify_shape` and `allow_broadcast` are those of `make_tensor_proto`.
    """
    if dtype is not None:
        dtype = dtypes.as_dtype(dtype).base_dtype
    if value is None:
        raise ValueError("None values not supported.")
    dims = None if shape is None else _int_shape(shape)
    if is_symbolic(value):
        _refuse(value, dtype)
    if _is_array(value):
        array, dtype = _from_array(np.asarray(value), dtype)
    elif dims is not None and 0 in dims:
        dtype = dtypes.float32 if dtype is None else dtype
        if not dtype.is_numpy_compatible:
            raise TypeError(f"`dtype` {dtype} is not compatible with {value}.")
        array = np.zeros(dims, dtype.np)
    else:
        array, dtype = _from_python(value, dtype)
    if dims is None:
        return array, dtype, array.shape
    _check_shape(array, dims, verify_shape, allow_broadcast)
    return array, dtype, dims


def fill(array: Array, dims: tuple[int, ...]) -> Array:
    """`array`'s elements in order, the last one repeated, as an array of shape `dims`; zeros for no elements.

    One element that stands for all is not copied: the result is a read-only view with strides 0.
    """
    flat = array.ravel()
    if flat.size == 0:
        flat = _text_array(np.array([""], _OBJECT)) if flat.dtype == _OBJECT else np.zeros(1, flat.dtype)
    if flat.size == 1:
        return np.broadcast_to(flat.reshape(()), dims)
    full = np.empty(math.prod(dims), flat.dtype)
    full[: flat.size] = flat
    full[flat.size :] = flat[-1]
    return full.reshape(dims)


def is_symbolic(value: Any) -> bool:
    """True for graph tensors and what stands for them, which have no value yet."""
    return hasattr(value, "graph") and (hasattr(value, "op") or hasattr(value, "_as_graph_element"))


def as_bytes(text: Any) -> bytes:
    """`text` as UTF-8 bytes. TypeError for anything but str and bytes."""
    if isinstance(text, bytes):
        return bytes(text)
    if isinstance(text, str):
        return text.encode()
    raise TypeError(f"Expected binary or unicode string, got {text!r}")


# --- arrays -------------------------------------------------------------------------------------------------------


def _is_array(value: Any) -> bool:
    if isinstance(value, (np.ndarray, np.generic, bytearray, memoryview)):
        return True
    return hasattr(value, "__array__") or hasattr(value, "__array_interface__")


def _from_array(array: Array, dtype: DType | None) -> tuple[Array, DType]:
    record = _RECORDS.get(array.dtype)
    if record is not None:
        array = array.view(record.np)
    if dtype is None:
        dtype = record or dtypes.as_dtype(array.dtype)
    if dtype is dtypes.string:
        return _text_array(array), dtype
    if not dtype.is_numpy_compatible:
        raise TypeError(f"`dtype` {dtype} is not compatible with {array} of dtype {array.dtype}.")
    if array.dtype.kind == "c" and not dtype.is_complex:
        array = array.real
    return _cast(array, dtype.np), dtype


def _cast(array: Array, target: np.dtype[Any]) -> Array:
    # Overflow to infinity and wrapping are what TensorFlow's casts do; they are no news to the user.
    with np.errstate(all="ignore"):
        return array.astype(target, order="C")


def _text_array(array: Array) -> Array:
    texts = [as_bytes(text) for text in array.ravel().tolist()]
    out = np.empty(len(texts), _OBJECT)
    out[:] = texts
    return out.reshape(array.shape)


def _text_scalar(text: str | bytes) -> Array:
    out = np.empty((), _OBJECT)
    out[()] = text if type(text) is bytes else as_bytes(text)
    return out


# --- Python values ------------------------------------------------------------------------------------------------


def _from_python(value: Any, dtype: DType | None) -> tuple[Array, DType]:
    if dtype is None:
        return _infer(value)
    if dtype.is_quantized:
        _check_leaves(value, dtype, list)
        return np.array(value, dtype.as_numpy_dtype).view(dtype.np), dtype
    _check_leaves(value, dtype, (list, tuple))
    if dtype is dtypes.string:
        return _text_from_python(value), dtype
    array = np.array(value)
    if not dtype.is_numpy_compatible:
        raise TypeError(f"`dtype` {dtype} is not compatible with {value} of dtype {array.dtype}.")
    _check_dense(value, array)
    return _cast(array, dtype.np), dtype


def _infer(value: Any) -> tuple[Array, DType]:
    kinds: set[type] = set()
    _collect_kinds(value, kinds)
    if kinds and kinds <= _TEXT:
        return _text_from_python(value), dtypes.string
    if any(not issubclass(kind, (int, float, complex, np.generic)) for kind in kinds):
        for leaf in _leaves(value, (list, tuple)):
            if is_symbolic(leaf):
                _refuse(leaf, None)
    array = np.array(value)
    _check_dense(value, array)
    if array.dtype == np.float64:
        return _cast(array, _F32), dtypes.float32
    if array.dtype == np.int64:
        narrow = array.astype(np.int32)
        if (narrow == array).all():
            return narrow, dtypes.int32
    dtype = None if kinds & _TEXT else _PLAIN.get(array.dtype)
    if dtype is None:
        raise TypeError(
            f"Failed to convert elements of {value} to Tensor. Consider casting elements to a supported type: numbers, "
            "bools, or strings, not mixed."
        )
    return array, dtype


def _text_from_python(value: Any) -> Array:
    if isinstance(value, (str, bytes)):
        return _text_scalar(value)
    array = np.array(value, _OBJECT)
    _check_dense(value, array)
    return _text_array(array)


def _collect_kinds(value: Any, into: set[type]) -> None:
    if not isinstance(value, (list, tuple)):
        into.add(type(value))
        return
    kinds = set(map(type, value))
    nested = {kind for kind in kinds if issubclass(kind, (list, tuple))}
    into |= kinds - nested
    if nested:
        for item in value:
            if type(item) in nested:
                _collect_kinds(item, into)


def _leaves(value: Any, containers: Any) -> Any:
    if isinstance(value, containers):
        for item in value:
            yield from _leaves(item, containers)
    else:
        yield value


_INTEGERS = (numbers.Integral, np.integer)
_REALS = (numbers.Real, np.integer, np.floating)


def _accepted(dtype: DType) -> tuple[type, ...]:
    if dtype.is_integer:
        from runstep.graph.shapes import Dimension  # sizes are ints to the user

        return (*_INTEGERS, Dimension)
    if dtype.is_floating:
        return _REALS
    if dtype.is_complex:
        return (numbers.Complex, np.number)
    if dtype.is_bool:
        return (bool,)  # not np.bool_, as in TensorFlow
    if dtype.is_quantized:
        return (tuple,)
    return (str, bytes) if dtype is dtypes.string else (object,)


def _check_leaves(value: Any, dtype: DType, containers: Any) -> None:
    accepted = _accepted(dtype)
    if not dtype.is_quantized:
        kinds: set[type] = set()
        _collect_kinds(value, kinds)
        if all(issubclass(kind, accepted) for kind in kinds):
            return
    for leaf in _leaves(value, containers):
        # An array of one element among the values is as good as the element.
        if isinstance(leaf, np.ndarray) and not dtype.is_quantized:
            fits = leaf.size == 0 or isinstance(leaf.ravel()[0], accepted)
        else:
            fits = isinstance(leaf, accepted)
        if not fits:
            _refuse(leaf, dtype)


def _refuse(leaf: Any, dtype: DType | None) -> NoReturn:
    if dtype is None:
        raise TypeError("Expected any non-tensor type, but got a tensor instead.")
    raise TypeError(f"Expected {dtype.name}, but got {leaf} of type '{type(leaf).__name__}'.")


def _dense_shape(value: Any) -> list[int]:
    shape = []
    while isinstance(value, (list, tuple)):
        shape.append(len(value))
        if not value:
            break
        value = value[0]
    return shape


def _check_dense(value: Any, array: Array) -> None:
    wanted = _dense_shape(value)
    if list(array.shape) != wanted:
        raise ValueError(
            f"Expected values {value} to be a dense tensor with shape {wanted}, but got shape {list(array.shape)}."
        )


# --- shapes -------------------------------------------------------------------------------------------------------


def _int_shape(shape: Any) -> tuple[int, ...]:
    if getattr(shape, "raw", ()) is None:
        raise TypeError("A constant needs a shape of known rank, not <unknown>.")
    return tuple([int(size) for size in shape])


def _check_shape(array: Array, dims: Sequence[int], verify_shape: bool, allow_broadcast: bool) -> None:
    wanted = tuple(dims)
    size = math.prod(wanted)
    if allow_broadcast:
        wrong = array.shape not in ((), (1,)) and array.size != size
    else:
        wrong = verify_shape and array.shape != wanted
    if wrong:
        raise TypeError(f"Expected Tensor's shape: {wanted}, but got {array.shape}.")
    if array.size > size or min(wanted, default=0) < 0:
        raise ValueError(f"Too many elements provided. Takes at most {size}, but got {array.size}.")
