"""TensorProto to and from arrays, with TensorFlow's choice of fields.

`encode` writes the bytes that TensorFlow writes: `tensor_content` for two and more elements of most types, else the
typed list of the type, cut short where the last element repeats. `decode` reads every form that TensorFlow's Python
and C++ write, also those that only C++ writes (strings in `tensor_content`).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from runstep.graph import dtypes
from runstep.graph.dtypes import DType
from runstep.graph.values import Array, convert, convert_value, fill

__all__ = ["MakeNdarray", "convert_value", "decode", "encode", "make_tensor_proto"]

# What a proto can hold, in bytes.
_LARGEST_CONTENT = 2**31

_LIST_FIELDS = {
    dtypes.float32: "float_val",
    dtypes.float64: "double_val",
    dtypes.int64: "int64_val",
    dtypes.uint32: "uint32_val",
    dtypes.uint64: "uint64_val",
    dtypes.bool: "bool_val",
    dtypes.string: "string_val",
    dtypes.float16: "half_val",
    dtypes.bfloat16: "half_val",
    dtypes.complex64: "scomplex_val",
    dtypes.complex128: "dcomplex_val",
}
for _dtype in dtypes.VALUE_DTYPES:
    if _dtype.is_floating:
        _LIST_FIELDS.setdefault(_dtype, "float8_val")
    elif _dtype.is_integer or _dtype.is_quantized:
        _LIST_FIELDS.setdefault(_dtype, "int_val")

# What a list's numbers are before they are read as the element type; other lists hold the elements themselves.
_LIST_STORAGE: dict[str, np.dtype[Any]] = {
    "int_val": np.dtype(np.int32),
    "half_val": np.dtype(np.uint32),
    "scomplex_val": np.dtype(np.float32),
    "dcomplex_val": np.dtype(np.float64),
}

# These are written as lists whatever their number.
_NO_CONTENT = frozenset(
    {dtypes.uint16, dtypes.bool, dtypes.complex64, dtypes.complex128, dtypes.string}
    | {dtypes.int4, dtypes.uint4, dtypes.int2, dtypes.uint2}
)


def make_tensor_proto(
    values: Any, dtype: Any = None, shape: Any = None, verify_shape: bool = False, allow_broadcast: bool = False
) -> Any:
    """A TensorProto of `values`. Mirrors `tf.make_tensor_proto`.

    A TensorProto passes unchanged. With a `shape` of more elements, the last one stands for the rest;
    `verify_shape` asks for equal shapes, `allow_broadcast` allows only one element to be repeated. TypeError and
    ValueError where TensorFlow raises them.
    """
    if allow_broadcast and verify_shape:
        raise ValueError("allow_broadcast and verify_shape are not both allowed.")
    if type(values).__name__ == "TensorProto":
        return values
    array, dtype, dims = convert(values, dtype, shape, verify_shape, allow_broadcast)
    return encode(array, dtype, dims)


def encode(array: Array, dtype: DType, shape: tuple[int, ...] | None = None) -> Any:
    """A TensorProto of `array`, whose elements are stored as `dtype.np`.

    `shape` may ask for more elements than `array` has; the last one stands for the rest. An array whose strides are
    all 0 is written as its one element. ValueError from 2 GiB on,
    which a proto cannot hold; TypeError for resources and variants.
    """
    from runstep.protos import tensor_pb2  # kept lazy: arrays need no protobuf

    dtype = dtype.base_dtype
    if shape is None:
        shape = array.shape
    proto: Any = tensor_pb2.TensorProto()
    proto.dtype = dtype.enum
    proto.tensor_shape.SetInParent()
    add = proto.tensor_shape.dim.add
    for size in shape:
        add(size=size)
    if array.size > 1 and not any(array.strides):
        array = array[(slice(1),) * array.ndim].reshape(())
    count = array.size
    if count > 1 and dtype not in _NO_CONTENT and count == math.prod(shape):
        if array.nbytes >= _LARGEST_CONTENT:
            raise ValueError("Cannot create a tensor proto whose content is larger than 2GB.")
        proto.tensor_content = array.tobytes()
        return proto
    field = _LIST_FIELDS.get(dtype)
    if field is None:
        raise TypeError(f"Element type not supported in TensorProto: {dtype.name}.")
    flat = np.ascontiguousarray(array).reshape(-1)
    if field == "float8_val":
        proto.float8_val = flat.tobytes()
    else:
        getattr(proto, field).extend(_as_numbers(flat, field))
    return proto


def _as_numbers(flat: Array, field: str) -> list[Any]:
    if field == "half_val":
        flat = flat.view(np.uint16)
    elif field == "scomplex_val":
        flat = flat.view(np.float32)
    elif field == "dcomplex_val":
        flat = flat.view(np.float64)
    elif field == "int_val":
        flat = flat.astype(np.int32)
    return flat.tolist()


def decode(proto: Any) -> Array:
    """The array that a TensorProto holds, its elements stored as the type's `.np`. It may be read-only.

    A list shorter than the shape is filled up with its last element, an empty one with zeros; a longer one is cut.
    One element that stands for all is not copied (strides 0): a graph with huge fills loads at once, and a damaged
    shape cannot eat the machine.
    ValueError for content that does not fit the shape; TypeError for types without arrays.
    """
    dtype = dtypes.as_dtype(proto.dtype).base_dtype
    field = _LIST_FIELDS.get(dtype)
    if field is None:
        raise TypeError(f"Unsupported tensor type: {proto.dtype} ({dtype.name}).")
    dims = tuple([dim.size for dim in proto.tensor_shape.dim])
    if dims and min(dims) < 0:
        raise ValueError(f"A tensor cannot have the shape {list(dims)}.")
    content = proto.tensor_content
    if content:
        if dtype is dtypes.string:
            return _decode_strings(content, math.prod(dims)).reshape(dims)
        array: Array = np.frombuffer(content, dtype.np)
        if array.size != math.prod(dims):
            raise ValueError(f"{array.size} elements of content do not fit the shape {list(dims)}.")
        return array.reshape(dims)
    return _fit(_decode_list(proto, field, dtype), dims)


def _decode_list(proto: Any, field: str, dtype: DType) -> Array:
    if field == "float8_val":
        return np.frombuffer(proto.float8_val, dtype.np)
    numbers = getattr(proto, field)[:]
    if field == "string_val":
        texts = np.empty(len(numbers), object)
        texts[:] = numbers
        return texts
    array: Array = np.array(numbers, _LIST_STORAGE.get(field, dtype.np))
    if field == "half_val":
        return array.astype(np.uint16).view(dtype.np)
    if dtype.is_complex:
        return array[: array.size // 2 * 2].view(dtype.np)
    return array.astype(dtype.np, copy=False)


def _fit(flat: Array, dims: tuple[int, ...]) -> Array:
    count = math.prod(dims)
    if flat.size >= count:
        return flat[:count].reshape(dims)
    if flat.size > 1 and count * flat.itemsize >= _LARGEST_CONTENT:
        raise ValueError(f"A list of {flat.size} elements does not fit the shape {list(dims)}.")
    return fill(flat, dims)


def _decode_strings(content: bytes, count: int) -> Array:
    """Strings as TensorFlow's C++ packs them: the lengths as varints, then the bytes of all."""
    position = 0
    lengths = []
    for _ in range(count):
        length = shift = 0
        while True:
            if position == len(content):
                raise ValueError(f"The content ends within the lengths of {count} strings.")
            byte = content[position]
            position += 1
            length |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                break
        lengths.append(length)
    if position + sum(lengths) != len(content):
        raise ValueError(f"The content's length does not fit that of its {count} strings.")
    texts = np.empty(count, object)
    for index, length in enumerate(lengths):
        texts[index] = content[position : position + length]
        position += length
    return texts


def MakeNdarray(tensor: Any) -> Array:
    """The array of a TensorProto, writable. Mirrors `tf.make_ndarray`: quantized types are one-field records."""
    array = decode(tensor)
    dtype = dtypes.as_dtype(tensor.dtype)
    if dtype.is_quantized:
        array = array.view(dtype.as_numpy_dtype)
    return array if array.flags.writeable else array.copy()
