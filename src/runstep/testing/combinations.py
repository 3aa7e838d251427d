"""Which dtypes a row is tried in: those of TensorFlow's CPU kernels, within what the op def and the row allow."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence

from runstep.graph import dtypes
from runstep.graph.dtypes import DType
from runstep.ops.registry import OpDef
from runstep.testing import oracle
from runstep.testing.rows import Case, attr_value
from runstep.testing.values import Spec

# What an attribute ranges over where neither op def nor kernels restrict it: all that numpy can feed and fetch, the
# usual suspect first.
ANY: tuple[DType, ...] = tuple(
    dtypes.as_dtype(name)
    for name in (
        "float32 float64 int32 int64 float16 bfloat16 bool string complex64 complex128 uint8 int8 uint16 int16 uint32 "
        "uint64 qint8 quint8 qint32 qint16 quint16"
    ).split()
)
_ORDER = {kind: place for place, kind in enumerate(ANY)}
_NOT_DRAWN = (dtypes.resource, dtypes.variant)
_MOST = 500
"""Pairs of dtypes of one row; `Cast` has 441."""


def combinations(row: Case, op_def: OpDef) -> list[dict[str, DType]]:
    """Dtypes by type attribute. Each dtype of the main attribute (the first that varies) meets each of every other
    attribute's at least once, as far as TensorFlow has a kernel for it."""
    kernels = oracle.kernel_constraints(row.op)
    if not kernels:
        raise LookupError(f"{row}: TensorFlow has no CPU kernel for op {row.op}")
    fixed = _fixed(row, op_def)
    choices: dict[str, list[DType]] = {}
    for name, attr in op_def.attrs.items():
        if attr.kind != "type":
            continue
        if name in fixed:
            choices[name] = [fixed[name]]
            continue
        limited = any(name in kernel for kernel in kernels)
        allowed: Iterable[DType] = attr.allowed or ANY
        if limited:
            by_kernels = frozenset().union(*(kernel.get(name, frozenset(ANY)) for kernel in kernels))
            allowed = by_kernels if attr.allowed is None else by_kernels & set(attr.allowed)
        if name in row.types:
            allowed = [kind for kind in row.types[name] if kind in set(allowed)]
            if not allowed:
                raise LookupError(f"{row}: TensorFlow has no CPU kernel for {name} in {row.types[name]}")
        choices[name] = sorted(
            (kind for kind in allowed if kind not in _NOT_DRAWN), key=lambda kind: _ORDER.get(kind, 100 + kind.enum)
        )
    for name in row.types:
        if name not in choices:
            raise TypeError(f"{row}: op {row.op} has no type attribute {name!r}")
    found = [dict(zip(choices, chosen, strict=True)) for chosen in itertools.product(*choices.values())]
    found = [types for types in found if any(_accepts(kernel, types) for kernel in kernels)]
    if not found:
        raise LookupError(f"{row}: TensorFlow's CPU kernels take none of these dtypes: {choices}")
    return _covering(found, choices)


def _fixed(row: Case, op_def: OpDef) -> dict[str, DType]:
    """The type attributes that the row gives, or that follow from an input with a dtype of its own."""
    fixed = {
        name: attr_value("type", value)
        for name, value in row.attrs.items()
        if name in op_def.attrs and op_def.attrs[name].kind == "type"
    }
    for arg, value in zip(op_def.inputs, row.inputs, strict=False):
        for item in value if isinstance(value, list) else [value]:
            if arg.type_attr and isinstance(item, Spec) and item.dtype is not None:
                fixed.setdefault(arg.type_attr, item.dtype)
    return fixed


def _accepts(kernel: Mapping[str, frozenset[DType]], types: Mapping[str, DType]) -> bool:
    return all(types[name] in allowed for name, allowed in kernel.items() if name in types)


def _covering(found: Sequence[dict[str, DType]], choices: Mapping[str, Sequence[DType]]) -> list[dict[str, DType]]:
    varying = [name for name, kinds in choices.items() if len(kinds) > 1]
    if len(varying) <= 2:
        return list(found[:_MOST])
    main, *others = varying
    pending = {(types[main], name, types[name]) for types in found for name in others}
    kept = []
    for types in found:  # first those in which every pair is new
        new = {(types[main], name, types[name]) for name in others} & pending
        if len(new) == len(others):
            kept.append(types)
            pending -= new
    for types in found:  # then what those left over
        new = {(types[main], name, types[name]) for name in others} & pending
        if new:
            kept.append(types)
            pending -= new
    return kept[:_MOST]
