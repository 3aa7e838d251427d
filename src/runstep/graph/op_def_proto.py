"""Rows of the op table as `OpDef` messages, and back (for the op lists that a GraphDef's producer sends along)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from runstep.graph import attr_value, dtypes
from runstep.graph.dtypes import DType
from runstep.ops.registry import REQUIRED, ArgDef, AttrDef, OpDef
from runstep.protos import op_def_pb2

_FLAGS = ("is_stateful", "is_commutative", "is_aggregate", "allows_uninitialized_input")


def to_proto(op_def: OpDef) -> Any:
    """The `OpDef` message of a row; made once for each row."""
    if op_def.proto is None:
        proto = op_def_pb2.OpDef(name=op_def.name)
        for arg in op_def.inputs:
            _write_arg(arg, proto.input_arg.add())
        for arg in op_def.outputs:
            _write_arg(arg, proto.output_arg.add())
        for attr in op_def.attrs.values():
            _write_attr(attr, proto.attr.add())
        for flag in _FLAGS:
            setattr(proto, flag, getattr(op_def, flag))
        op_def.proto = proto
    return op_def.proto


def _write_arg(arg: ArgDef, proto: Any) -> None:
    proto.name = arg.name
    proto.is_ref = arg.is_ref
    proto.number_attr = arg.number_attr or ""
    proto.type_attr = arg.type_attr or ""
    proto.type_list_attr = arg.type_list_attr or ""
    if arg.type is not None:
        proto.type = arg.type.enum


def _write_attr(attr: AttrDef, proto: Any) -> None:
    proto.name = attr.name
    proto.type = attr.kind
    if attr.default is not REQUIRED:
        attr_value.to_proto(attr.kind, attr.default, proto.default_value)
    if attr.minimum is not None:
        proto.has_minimum = True
        proto.minimum = attr.minimum
    if attr.allowed is not None:
        if isinstance(attr.allowed[0], DType):
            proto.allowed_values.list.type.extend(kind.enum for kind in attr.allowed)
        else:
            proto.allowed_values.list.s.extend(attr.allowed)


def from_proto(proto: Any) -> OpDef:
    """An OpDef, without a shape rule, that says what the message says. It is not added to the table.

    Takes a message of any protobuf library with TensorFlow's field names.
    """
    op_def = OpDef(proto.name, "->", (), None)
    op_def.attrs = {attr.name: _read_attr(attr) for attr in proto.attr}
    op_def.inputs = _read_args(proto.input_arg)
    op_def.outputs = _read_args(proto.output_arg)
    for flag in _FLAGS:
        setattr(op_def, flag, getattr(proto, flag))
    return op_def


def _read_args(protos: Sequence[Any]) -> tuple[ArgDef, ...]:
    return tuple(_read_arg(proto) for proto in protos)


def _read_arg(proto: Any) -> ArgDef:
    arg = object.__new__(ArgDef)
    arg.name = proto.name
    arg.is_ref = proto.is_ref
    arg.number_attr = proto.number_attr or None
    arg.type_attr = proto.type_attr or None
    arg.type_list_attr = proto.type_list_attr or None
    arg.type = dtypes.as_dtype(proto.type) if proto.type else None
    return arg


def _read_attr(proto: Any) -> AttrDef:
    attr = object.__new__(AttrDef)
    attr.name = proto.name
    attr.kind = proto.type
    attr.default = REQUIRED
    if proto.HasField("default_value"):
        attr.default = attr_value.from_proto(proto.type, proto.default_value)
    attr.minimum = proto.minimum if proto.has_minimum else None
    attr.allowed = None
    if proto.HasField("allowed_values"):
        allowed = proto.allowed_values.list
        attr.allowed = tuple(map(dtypes.as_dtype, allowed.type)) if allowed.type else tuple(allowed.s)
    return attr
