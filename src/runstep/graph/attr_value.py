"""Attribute values: Python objects inside, `AttrValue` messages on the wire.

type <-> DType; int, float, bool; string <-> bytes; shape <-> raw shape; tensor <-> ndarray; func <-> NameAttrs;
list(...) <-> tuple of these.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from runstep.graph import dtypes, shapes
from runstep.graph.dtypes import DType
from runstep.graph.tensor_proto import decode, encode

_SCALAR_FIELDS = {
    "type": "type",
    "int": "i",
    "float": "f",
    "bool": "b",
    "string": "s",
    "shape": "shape",
    "tensor": "tensor",
    "func": "func",
}
_KINDS = {field: kind for kind, field in _SCALAR_FIELDS.items()}


class NameAttrs:
    """A function of the graph's library with the attribute values to instantiate it with (a `NameAttrList`)."""

    __slots__ = ("attrs", "name")

    def __init__(self, name: str, attrs: dict[str, Any] | None = None) -> None:
        self.name = name
        self.attrs = attrs or {}

    def __repr__(self) -> str:
        return f"NameAttrs({self.name!r}, {self.attrs!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, NameAttrs) and (self.name, self.attrs) == (other.name, other.attrs)

    def __hash__(self) -> int:
        return hash(self.name)


class Placeholder:
    """An attribute inside a function body that takes its value from the function's instantiation (`placeholder`)."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name


def from_proto(kind: str | None, proto: Any) -> Any:
    """The Python value of an `AttrValue`. `kind` is the op def's; None keeps an attribute that no op def explains."""
    field = proto.WhichOneof("value")
    if field == "placeholder":
        return Placeholder(proto.placeholder)
    if kind is None:
        if field == "list" and len(proto.list.s):
            return tuple(proto.list.s)
        if field in ("s", "i", "f", "b"):
            return getattr(proto, field)
        return proto
    element = kind[5:-1] if kind.startswith("list(") else kind
    expected = _SCALAR_FIELDS[kind] if element is kind else "list"
    if field != expected:
        if field is None:
            raise ValueError(f"AttrValue missing value with expected type '{kind}'")
        raise ValueError(f"AttrValue had value with type '{_KINDS.get(field, field)}' when '{kind}' expected")
    if element is not kind:
        return tuple(_from_field(element, item) for item in getattr(proto.list, _SCALAR_FIELDS[element]))
    return _from_field(kind, getattr(proto, expected))


def _from_field(kind: str, value: Any) -> Any:
    if kind == "type":
        return dtypes.as_dtype(value)
    if kind == "shape":
        return shapes.from_proto(value)
    if kind == "tensor":
        array = decode(value)
        array.flags.writeable = False
        return array
    if kind == "func":
        return name_attrs(value)
    return value


def name_attrs(proto: Any) -> NameAttrs:
    """The NameAttrs that a `NameAttrList` message says; the values of its attributes are guessed from their fields."""
    return NameAttrs(proto.name, {name: _guess(value) for name, value in proto.attr.items()})


def _guess(proto: Any) -> Any:
    field = proto.WhichOneof("value")
    if field in _KINDS:
        return from_proto(_KINDS[field], proto)
    return from_proto(None, proto)


def to_proto(kind: str | None, value: Any, proto: Any, dtype: DType | None = None) -> None:
    """Writes a Python attribute value into the `AttrValue` message `proto`.

    `dtype` is that of a tensor value; without it, it is told from the array, whose elements quantized types share with
    plain integers.
    """
    if isinstance(value, Placeholder):
        proto.placeholder = value.name
    elif hasattr(value, "SerializeToString"):
        proto.CopyFrom(value)
    elif kind is None:
        _guess_into(value, proto)
    elif kind.startswith("list("):
        proto.list.SetInParent()
        element = kind[5:-1]
        field = getattr(proto.list, _SCALAR_FIELDS[element])
        if element in ("shape", "tensor", "func"):
            for item in value:
                _message_into(element, item, field.add(), dtype)
        else:
            field.extend(_wire_scalar(element, item) for item in value)
    elif kind in ("shape", "tensor", "func"):
        message = getattr(proto, _SCALAR_FIELDS[kind])
        message.SetInParent()
        _message_into(kind, value, message, dtype)
    else:
        setattr(proto, _SCALAR_FIELDS[kind], _wire_scalar(kind, value))


def _wire_scalar(kind: str, value: Any) -> Any:
    return value.enum if kind == "type" else value


def _message_into(kind: str, value: Any, message: Any, dtype: DType | None) -> None:
    if kind == "shape":
        message.CopyFrom(shapes.to_proto(value))
    elif kind == "tensor":
        tensor = hasattr(value, "SerializeToString")
        message.CopyFrom(value if tensor else encode(value, dtype or dtypes.as_dtype(value.dtype)))
    else:
        message.name = value.name
        for name, item in value.attrs.items():
            _guess_into(item, message.attr[name])


def _guess_into(value: Any, proto: Any) -> None:
    sample = value[0] if isinstance(value, tuple | list) and value else value
    kind = next(
        (
            kind
            for cls, kind in (
                (bool, "bool"),
                (int, "int"),
                (float, "float"),
                (bytes, "string"),
                (str, "string"),
                (DType, "type"),
                (np.ndarray, "tensor"),
                (NameAttrs, "func"),
            )
            if isinstance(sample, cls)
        ),
        "shape" if sample is None else None,
    )
    if isinstance(value, tuple | list):
        if kind is None or not value:
            proto.list.SetInParent()
            return
        kind = f"list({kind})"
        value = tuple(item.encode() if isinstance(item, str) else item for item in value)
    elif isinstance(value, str):
        value = value.encode()
    if kind is None:
        raise TypeError(f"Cannot write {value!r} of type {type(value).__name__} as an attribute value")
    to_proto(kind, value, proto)


def public_value(kind: str | None, value: Any, dtype: DType | None = None) -> Any:
    """An attribute value as `Operation.get_attr` gives it: shapes, tensors and functions as messages, lists as
    lists. `dtype` is that of a tensor value."""
    from runstep.protos import attr_value_pb2

    if hasattr(value, "SerializeToString") and value.DESCRIPTOR.name == "AttrValue":
        field = value.WhichOneof("value")
        return public_value(_KINDS[field], from_proto(_KINDS[field], value)) if field in _KINDS else value
    element = kind[5:-1] if kind is not None and kind.startswith("list(") else kind
    if element in ("shape", "tensor", "func"):
        message = attr_value_pb2.AttrValue()
        to_proto(kind, value, message, dtype)
        found = getattr(message.list if kind != element else message, _SCALAR_FIELDS[element])
        return list(found) if kind != element else found
    return list(value) if isinstance(value, tuple) else value
