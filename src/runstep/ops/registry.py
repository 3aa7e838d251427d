"""The table of op definitions: what an op *is*, on any device.

One row an op, in the notation of TensorFlow's op registration (its `OpDef` proto says the same):

    op("Pack", "values: N * T -> output: T", "N: int >= 1", "T: type", "axis: int = 0", shape=pack)

A row costs next to nothing until the op is first used: it is parsed into an `OpDef` on first look-up, so that importing
hundreds of rows keeps the import fast.
"""

from __future__ import annotations

import ast
import math
import re
import struct
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from runstep.graph import dtypes
from runstep.graph.dtypes import DType
from runstep.graph.shapes import RawShape

ShapeFunction = Callable[[Any], Sequence[RawShape]]
"""Takes the operation under construction, returns one raw shape per output. Raises ValueError on contradiction."""

REQUIRED: Any = type("Required", (), {"__repr__": lambda self: "REQUIRED"})()
"""Default of an attribute that must be given or inferred."""

_ITEM = re.compile(r"\[[^\]]*\]|'[^']*'|\"[^\"]*\"|\w+ [^,\s]+|[^,\s]+")
"""One of a list: a shape, a text, a tensor (type and value), or a word."""
_SINGLE = struct.Struct("f")
_TYPE_SETS: dict[str, tuple[DType, ...]] = {
    "numbertype": tuple(
        dtypes.as_dtype(name)
        for name in (
            "float32 float64 int32 uint8 int16 int8 complex64 int64 qint8 quint8 qint32 bfloat16 qint16 quint16 uint16 "
            "complex128 float16 uint32 uint64"
        ).split()
    ),
    "realnumbertype": tuple(
        dtypes.as_dtype(name)
        for name in "float32 float64 int32 uint8 int16 int8 int64 bfloat16 uint16 float16 uint32 uint64".split()
    ),
    "quantizedtype": tuple(dtypes.as_dtype(name) for name in "qint8 quint8 qint32 qint16 quint16".split()),
}


class ArgDef:
    """One input or output of an op: a tensor, `number_attr` tensors of one type, or a list typed by
    `type_list_attr`."""

    __slots__ = ("is_ref", "name", "number_attr", "type", "type_attr", "type_list_attr")

    def __init__(self, name: str, spec: str, attrs: dict[str, AttrDef]) -> None:
        self.name = name
        self.type: DType | None = None
        self.type_attr: str | None = None
        self.number_attr: str | None = None
        self.type_list_attr: str | None = None
        ref = re.fullmatch(r"Ref\((.*)\)", spec)
        self.is_ref = ref is not None
        if ref:
            spec = ref[1].strip()
        if "*" in spec:
            number, spec = (part.strip() for part in spec.split("*"))
            self.number_attr = number
        if spec in attrs:
            if attrs[spec].kind == "list(type)":
                self.type_list_attr = spec
            else:
                self.type_attr = spec
        else:
            self.type = dtypes.as_dtype(spec)

    @property
    def is_sequence(self) -> bool:
        return self.number_attr is not None or self.type_list_attr is not None


def single(value: Any) -> float:
    """`value` as an attribute holds it: attributes of kind float are stored in 32 bits."""
    try:
        return _SINGLE.unpack(_SINGLE.pack(value))[0]
    except OverflowError:
        return math.copysign(math.inf, value)


class AttrDef:
    """One attribute: its kind (`type`, `int`, `list(shape)`, `func`...), default, allowed values and least value or
    length."""

    __slots__ = ("allowed", "default", "kind", "minimum", "name")

    def __init__(self, spec: str) -> None:
        match = re.fullmatch(r"\s*(\w+)\s*:\s*(.*?)\s*(?:>=\s*(-?\d+))?\s*(?:=\s*(.*?))?\s*", spec, re.S)
        if match is None:
            raise ValueError(f"Cannot read the attribute {spec!r}; write it as 'name: kind = default'")
        self.name, kind, minimum, default = match.groups()
        self.minimum = None if minimum is None else int(minimum)
        self.allowed: tuple[Any, ...] | None = None
        inner = re.fullmatch(r"list\((.*)\)", kind)
        element = inner[1].strip() if inner else kind
        if element in _TYPE_SETS:
            self.allowed, element = _TYPE_SETS[element], "type"
        elif element.startswith("{"):
            items = [item.strip() for item in element.strip("{}").split(",")]
            if items[0][0] in "'\"":
                self.allowed, element = tuple(ast.literal_eval(item).encode() for item in items), "string"
            else:
                self.allowed, element = tuple(dtypes.as_dtype(item) for item in items), "type"
        self.kind = f"list({element})" if inner else element
        self.default: Any = REQUIRED if default is None else self._value(default)

    def _value(self, text: str) -> Any:
        kind = self.kind
        if kind.startswith("list("):
            items = text.strip().removeprefix("[").removesuffix("]").strip()
            element = AttrDef(f"{self.name}: {kind[5:-1]}")
            return tuple(element._value(item) for item in _ITEM.findall(items))
        if kind == "type":
            return dtypes.as_dtype(text.removeprefix("DT_").lower())
        if kind == "bool":
            return text.lower() == "true"
        if kind == "int":
            return int(text)
        if kind == "float":
            return single(float(text))
        if kind == "string":
            return ast.literal_eval(text).encode()
        if kind == "tensor":
            dtype, _, items = text.partition(" ")
            return np.array(ast.literal_eval(items), dtypes.as_dtype(dtype).np)
        if kind == "shape":
            value = ast.literal_eval(text)  # None (unknown rank) or a list of sizes, -1 where unknown
            return None if value is None else tuple(None if size == -1 else int(size) for size in value)
        raise ValueError(f"An attribute of kind {kind} cannot have a default")


Quick = dict[tuple[int, ...], tuple[dict[str, Any], Sequence[DType]]]
"""Per numbers of input dtypes that have been seen and checked: the complete attributes, shared by all such nodes, and
output dtypes."""


class OpDef:
    """A parsed row. `inputs`, `outputs` are tuples of `ArgDef`; `attrs` maps names to `AttrDef` in TensorFlow's
    order."""

    __slots__ = (
        "allows_uninitialized_input",
        "attrs",
        "has_ref_input",
        "inputs",
        "is_aggregate",
        "is_commutative",
        "is_stateful",
        "name",
        "outputs",
        "proto",
        "quick",
        "shape",
        "takes_function",
    )

    def __init__(self, name: str, signature: str, attr_specs: Sequence[str], shape: ShapeFunction | None) -> None:
        self.name = name
        self.attrs = {attr.name: attr for attr in map(AttrDef, attr_specs)}
        left, arrow, right = signature.partition("->")
        if not arrow:
            raise ValueError(f"The signature of op {name} has no '->': {signature!r}")
        self.inputs = self._args(left)
        self.outputs = self._args(right)
        self.has_ref_input = any(arg.is_ref for arg in self.inputs)
        self.takes_function = any(attr.kind == "func" for attr in self.attrs.values())
        self.shape = shape
        self.is_stateful = False
        self.is_commutative = False
        self.is_aggregate = False
        self.allows_uninitialized_input = False
        self.quick = self._quick()
        self.proto: Any = None  # the OpDef message, made on demand by runstep.graph.op_def_proto

    def _quick(self) -> Quick | None:
        """A cache for nodes that take plain tensors and no attributes; None where an op asks for more."""
        args = (*self.inputs, *self.outputs)
        if any(arg.is_sequence or arg.is_ref for arg in args) or len(self.outputs) != 1:
            return None
        keys = [arg.type_attr for arg in self.inputs]
        defaults = {name: attr.default for name, attr in self.attrs.items() if name not in keys}
        if any(default is REQUIRED for default in defaults.values()):
            return None
        return {}

    def _args(self, text: str) -> tuple[ArgDef, ...]:
        args = (part.partition(":") for part in text.split(",") if part.strip())
        return tuple(ArgDef(name.strip(), spec.strip(), self.attrs) for name, _, spec in args)

    def __repr__(self) -> str:
        return f"<OpDef {self.name}>"


_rows: dict[str, tuple[str, tuple[str, ...], ShapeFunction | None, tuple[str, ...]]] = {}
_parsed: dict[str, OpDef] = {}


def op(
    name: str,
    signature: str,
    *attrs: str,
    shape: ShapeFunction | None = None,
    stateful: bool = False,
    commutative: bool = False,
    aggregate: bool = False,
    uninitialized: bool = False,
) -> None:
    """Adds the row of one op.

    Args:
      name: TensorFlow's name of the op type.
      signature: inputs -> outputs, each `name: type`, where type is a dtype ("float", "int32"), a type attribute ("T"),
        "N * T" (N tensors), a list(type) attribute, or any of these in Ref(...).
      attrs: attributes in TensorFlow's order, `"name: kind"`, optionally with `>= minimum` and `= default`; kind is
        type, int, float, bool, string, shape, tensor, func, a set such as {float, double} or {'SAME', 'VALID'},
        numbertype, realnumbertype, or list(...) of one of these. A shape default is None or [2, -1],
        a tensor default "uint8 [255, 0]".
      shape: the static shape rule; without one every output's shape is unknown.
      stateful, commutative, aggregate, uninitialized: the flags of TensorFlow's OpDef (uninitialized is
        allows_uninitialized_input).
    """
    if name in _rows:
        raise ValueError(f"Op {name} has two rows")
    flags = tuple(
        flag
        for flag, on in (
            ("is_stateful", stateful),
            ("is_commutative", commutative),
            ("is_aggregate", aggregate),
            ("allows_uninitialized_input", uninitialized),
        )
        if on
    )
    _rows[name] = (signature, attrs, shape, flags)


def _unknown(op: Any) -> Sequence[RawShape]:
    return [None] * len(op.outputs)


def get(name: str) -> OpDef | None:
    """The definition of op type `name`, or None when neither runstep nor TensorFlow has such an op."""
    found = _parsed.get(name)
    if found is not None:
        return found
    if name not in _rows:
        import runstep.ops.table  # noqa: F401 - all rows, when one is asked for that isn't there yet
    row = _rows.get(name)
    if row is None:
        from runstep.ops import uncomputed  # kept lazy: a file of hundreds of lines

        if name in uncomputed.rows():
            signature, attrs, flags = uncomputed.rows()[name]
            row = (signature, attrs, _unknown, flags)
    if row is not None:
        signature, attrs, shape, flags = row
        found = OpDef(name, signature, attrs, shape)
        for flag in flags:
            setattr(found, flag, True)
        _parsed[name] = found
    return found


def names() -> Iterator[str]:
    """The names of all ops that have a row: those that are computed."""
    return iter(_rows)
