"""From what a user feeds (S90-S107) to arrays: keys are resolved once per request, values are converted every run."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from runstep import errors
from runstep.graph.graph import Graph
from runstep.graph.shapes import RawShape
from runstep.graph.tensor import Tensor
from runstep.session.conversions import feed_conversion, feed_tensors

Convert = Callable[[Any], Any]

_EXACT_INT = 2**53  # a float64 holds every int up to here, so that casting it rounds once
_EXACT = (int, float, bool, str, bytes, complex, np.generic)


def check_mapping(feed_dict: Any) -> Mapping[Any, Any]:
    """The feed_dict, if it is one (S91)."""
    if not feed_dict:
        return {}
    if not isinstance(feed_dict, Mapping):
        raise TypeError(
            "FlattenDictItems: 'dict' must be a dictionary or collection.Mapping type object, instead of "
            f"'{type(feed_dict).__name__}'."
        )
    return feed_dict


def flatten(graph: Graph, feed_dict: Mapping[Any, Any]) -> list[tuple[Tensor, Any]]:
    """The pairs of tensor and fed value that a feed_dict means: nested keys zipped with their values (S92).

    Raises:
      TypeError: a key is not something to feed, or a value is a tensor. ValueError: structures differ, a tensor comes
        twice, or may not be fed.
    """
    found: list[tuple[Any, Any]] = []
    for key, value in feed_dict.items():
        _flatten_into(key, value, found, nested=False)
    seen: set[Any] = set()
    for key, _ in found:
        try:
            again = key in seen
            seen.add(key)
        except TypeError:
            continue
        if again:
            raise ValueError(
                f"Could not flatten dictionary: key {key} is not unique. Cannot flatten dict because this key is not "
                f"unique: {key}"
            )
    pairs: list[tuple[Tensor, Any]] = []
    for key, value in found:
        parts = feed_conversion(key, value)
        pairs.extend((resolve_key(graph, k), v) for k, v in ([(key, value)] if parts is None else parts))
    for tensor, value in pairs:
        check_value(tensor, value)
    return pairs


def _flatten_into(key: Any, value: Any, out: list[tuple[Any, Any]], nested: bool) -> None:
    if not isinstance(key, list | tuple | Mapping) or isinstance(key, str | bytes):
        out.append((key, value))
        return
    keys = list(key.values()) if isinstance(key, Mapping) else list(key)
    if isinstance(value, Mapping):
        values = list(value.values())
    elif isinstance(value, list | tuple):
        values = list(value)
    elif isinstance(value, np.ndarray) and value.ndim:
        values = list(value)
    else:
        values = [value]
        if len(keys) != 1:
            raise ValueError(
                f"Could not flatten dictionary. Key had {len(keys)} elements, but value had 1 elements. Key: {key}, "
                f"value: {value}."
            )
    if len(keys) != len(values):
        raise ValueError(
            f"Could not flatten dictionary. Key had {len(keys)} elements, but value had {len(values)} elements. "
            f"Key: {key}, value: {value}."
        )
    for inner_key, inner_value in zip(keys, values, strict=True):
        _flatten_into(inner_key, inner_value, out, nested=True)


def resolve_key(graph: Graph, key: Any) -> Tensor:
    """The tensor that a feed key means (S90, S101)."""
    try:
        tensor = graph.as_graph_element(key, allow_tensor=True, allow_operation=False)
    except Exception as error:
        text = error.args[0] if error.args else error
        raise TypeError(f"Cannot interpret feed_dict key as Tensor: {text}") from None
    if not graph.is_feedable(tensor):
        raise ValueError(f"Tensor {tensor.name} may not be fed.")
    return tensor


def keys_of(graph: Graph, feeds: Any) -> list[Tensor]:
    """The tensors of a list of feed keys (make_callable, partial_run_setup)."""
    found: list[Tensor] = []
    for key in feeds if isinstance(feeds, list | tuple) else [feeds]:
        if isinstance(key, list | tuple):
            found.extend(keys_of(graph, key))
            continue
        parts = feed_tensors(key)
        found.extend(resolve_key(graph, part) for part in ([key] if parts is None else parts))
    return found


def check_value(tensor: Tensor, value: Any) -> None:
    """Refuses what can never be a value: a tensor, a variable, or anything for a resource (S95, S105)."""
    if isinstance(value, Tensor) or (hasattr(value, "_as_graph_element") and not hasattr(value, "to_numpy_array")):
        raise TypeError(_tensor_as_value(tensor, value))
    if tensor.dtype.name in ("resource", "variant"):
        raise TypeError(
            f"Tensor {tensor.name} has dtype {tensor.dtype.name}, whose values cannot be fed; feed what it is made "
            "from."
        )


def _tensor_as_value(tensor: Tensor, value: Any) -> str:
    return (
        "The value of a feed cannot be a tf.Tensor object. Acceptable feed values include Python scalars, strings, "
        "lists, "
        f"numpy ndarrays, or TensorHandles. For reference, the tensor object was {value} which was passed to the "
        f"argument `feed_dict` with key {tensor}."
    )


class Large(Exception):
    """A fed value is larger than what a plan was made for."""


def shapes_of(tensors: Sequence[Tensor], values: Sequence[Any]) -> list[RawShape]:
    """The shapes of values that are fed, before they are converted; None where that would be too early to say."""
    found: list[RawShape] = []
    for tensor, value in zip(tensors, values, strict=True):
        raw = tensor.raw_shape
        if raw is None or None in raw:
            try:
                raw = None if hasattr(value, "fed_for") else tuple(np.shape(value))
            except Exception:  # the conversion says what is wrong
                raw = None
        found.append(raw)
    return found


def converter(tensor: Tensor, keep: bool, strict: bool, limit: int | None = None) -> Convert:
    """The function that makes an array of a value fed for `tensor`, as TensorFlow would (S93-S98).

    Args:
      keep: something may hold on to the value after the step (a variable, a queue): it is then always a copy.
      strict: values that lose something when cast (1.5 to int32) raise instead of being cut.
      limit: bytes of an array from which the function raises `Large`.

    The function raises:
      TypeError: a tensor, or a Python int that the dtype cannot hold. ValueError: the shape contradicts the tensor's.
    """
    dtype = tensor.dtype
    if dtype.base_dtype.name == "string":
        return _string_converter(tensor)
    np_dtype = dtype.base_dtype.np
    raw = tensor.raw_shape
    fits = _shape_test(raw)
    ndarray = np.ndarray
    last: Any = None  # the shape of an array that passed all that is asked of shapes: mostly the next one's too

    def convert(value: Any) -> Any:
        nonlocal last
        if type(value) is ndarray and value.dtype is np_dtype and value.shape == last:
            return value.copy() if keep else value
        if type(value) is ndarray and (value.dtype is np_dtype or (value.dtype == np_dtype and value.dtype.isnative)):
            array = value
        else:
            array = _cast(tensor, value, np_dtype, strict)
        if not fits(array.shape):
            raise _wrong_shape(tensor, array)
        if limit is not None and array.nbytes > limit:
            raise Large
        last = array.shape
        return array.copy() if keep else array

    return convert


def check_all(tensors: Sequence[Tensor], values: Sequence[Any], strict: bool) -> None:
    """Raises what `converter` raises for the first value that cannot be fed for its tensor."""
    for tensor, value in zip(tensors, values, strict=True):
        if not hasattr(value, "fed_for"):
            converter(tensor, False, strict)(value)


def scalar_type(tensor: Tensor) -> type | None:
    """The numpy scalars that a feed of this tensor takes as they are; None if it takes none."""
    name = tensor.dtype.base_dtype.name
    if name in ("string", "resource", "variant") or tensor.raw_shape not in (None, ()):
        return None
    found: type = tensor.dtype.base_dtype.np.type
    return found


def _shape_test(raw: RawShape) -> Callable[[tuple[int, ...]], bool]:
    if raw is None:
        return lambda shape: True
    if None not in raw:
        return raw.__eq__
    rank = len(raw)
    known = [(axis, size) for axis, size in enumerate(raw) if size is not None]
    return lambda shape: len(shape) == rank and all(shape[axis] == size for axis, size in known)


def _cast(tensor: Tensor, value: Any, np_dtype: np.dtype[Any], strict: bool) -> np.ndarray:
    kind = type(value)
    if np_dtype.kind == "f" and (kind is float or (kind is int and -_EXACT_INT <= value <= _EXACT_INT)):
        return np.array(value, np_dtype)
    if isinstance(value, int) and kind is not bool:
        _check_int(tensor, value, np_dtype)
    try:
        array = np.asarray(value)
        if array.dtype != np_dtype:
            array = array.astype(np_dtype)  # unsafe casts, as TensorFlow's: 1+2j is 1.0, [2**40] is 0
    except (TypeError, ValueError, OverflowError, NotImplementedError) as error:
        if not isinstance(value, _EXACT) and _holds_tensor(value):
            raise TypeError(_tensor_as_value(tensor, value)) from None
        error.add_note(f"feed '{tensor.name}' (dtype {tensor.dtype.name}, shape {tensor.get_shape()})")
        raise
    if np_dtype.kind in "iub" and not (isinstance(value, np.ndarray) and value.dtype.kind in "iub"):
        _warn_of_loss(tensor, value, array, strict)
    return array


def _check_int(tensor: Tensor, value: int, np_dtype: np.dtype[Any]) -> None:
    kind = np_dtype.kind
    if kind in "iu":
        limits = np.iinfo(np_dtype)
        lost = not limits.min <= value <= limits.max
    elif kind == "b":
        lost = value not in (0, 1)
    else:
        lost = False
    if lost:
        raise TypeError(
            f"Type of feed value {value} with type {type(value)} is not compatible with Tensor type {np_dtype.type}. "
            "Try explicitly setting the type of the feed tensor to a larger type (e.g. int64)."
        )


_warned: set[str] = set()


def _warn_of_loss(tensor: Tensor, value: Any, array: np.ndarray, strict: bool) -> None:
    original = np.asarray(value)
    if original.dtype.kind != "f" or not original.size or bool((original == array).all()):
        return
    lossy = original.ravel()[(original != array).ravel()][0]
    text = f"feed '{tensor.name}': values such as {lossy} lose their fraction as {tensor.dtype.name}"
    if strict:
        raise TypeError(text)
    if tensor.name not in _warned:
        _warned.add(tensor.name)
        warnings.warn(text + "; TensorFlow does the same silently", RuntimeWarning, stacklevel=5)


def _holds_tensor(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return any(_holds_tensor(item) for item in value)
    return isinstance(value, Tensor) or hasattr(value, "_as_graph_element")


def _wrong_shape(tensor: Tensor, array: np.ndarray) -> ValueError:
    shape = tensor.raw_shape
    text = f"Cannot feed value of shape {array.shape} for Tensor {tensor.name}, which has shape {_tuple_text(shape)}"
    error = ValueError(text)
    if shape is not None and len(shape) == array.ndim:
        axes = [i for i, (a, b) in enumerate(zip(shape, array.shape, strict=True)) if a is not None and a != b]
        error.add_note(f"They differ in axis {', '.join(map(str, axes))}.")
    frames = tensor.op.traceback
    if frames:
        error.add_note(f"'{tensor.op.name}' was made at {frames[-1].filename}:{frames[-1].lineno}.")
    return error


def _tuple_text(raw: RawShape) -> str:
    if raw is None:
        return "<unknown>"
    return "(" + ", ".join("?" if size is None else str(size) for size in raw) + ("," if len(raw) == 1 else "") + ")"


def _string_converter(tensor: Tensor) -> Convert:
    fits = _shape_test(tensor.raw_shape)

    def convert(value: Any) -> Any:
        if isinstance(value, int) and not isinstance(value, bool):
            raise TypeError(
                f"Type of feed value {value} with type {type(value)} is not compatible with Tensor type {object}. "
                "Try explicitly setting the type of the feed tensor to a larger type (e.g. int64)."
            )
        if _holds_tensor(value):
            raise TypeError(_tensor_as_value(tensor, value))
        array = as_bytes(value)
        if not fits(array.shape):
            raise _wrong_shape(tensor, array)
        return array

    return convert


def as_bytes(value: Any) -> np.ndarray:
    """An object array of bytes: str is encoded as UTF-8, bytes stay as they are (S97).

    Raises:
      InternalError: an element is neither.
    """
    source = value if isinstance(value, np.ndarray) else np.array(value, dtype=object)
    result = np.empty(source.shape, dtype=object)
    flat, out = source.reshape(-1), result.reshape(-1)
    for position, item in enumerate(flat.tolist() if source.dtype != object else flat):
        if isinstance(item, bytes):
            out[position] = bytes(item)
        elif isinstance(item, str):
            out[position] = item.encode()
        else:
            raise errors.InternalError(None, None, f"Unsupported object type {type(item).__name__}")
    return result


def split(pairs: Sequence[tuple[Tensor, Any]]) -> tuple[tuple[Tensor, ...], list[Any]]:
    """Distinct tensors and their values; of a tensor that came twice, the later one (S92)."""
    merged = dict(pairs)
    return tuple(merged), list(merged.values())
