"""Test rows: an op, its inputs and attributes, and what to expect."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from runstep.graph import dtypes, shapes
from runstep.graph.dtypes import DType
from runstep.ops.registry import REQUIRED, OpDef, single
from runstep.testing.values import Spec, as_spec

Tolerance = float | Mapping[str, float] | None


class Case:
    """One row. Made by `case`, whose docstring describes the fields."""

    def __init__(
        self,
        op: str,
        inputs: tuple[Any, ...],
        attrs: dict[str, Any],
        *,
        rtol: Tolerance,
        atol: Tolerance,
        error: type[BaseException] | None,
        types: Mapping[str, Sequence[Any]],
        name: str | None,
        stateful: bool,
    ) -> None:
        self.op = op
        self.inputs = inputs
        self.attrs = attrs
        self.rtol = rtol
        self.atol = atol
        self.error = error
        self.types = {attr: tuple(map(dtypes.as_dtype, allowed)) for attr, allowed in types.items()}
        self.name = name
        self.stateful = stateful

    def __str__(self) -> str:
        if self.name:
            return f"{self.op}-{self.name}"
        parts = [_text(value) for value in self.inputs]
        parts += [f"{key}={_attr_text(value)}" for key, value in self.attrs.items()]
        parts += [f"{key}:{_types_text(kinds)}" for key, kinds in self.types.items()]
        if self.error is not None:
            parts.append(self.error.__name__)
        return f"{self.op}({','.join(parts)})"

    __repr__ = __str__

    @property
    def seed(self) -> int:
        """The seed of this row's values: they stay the same when other rows come or go."""
        return zlib.crc32(str(self).encode())


def _types_text(kinds: Sequence[DType]) -> str:
    names = [kind.name for kind in kinds]
    return "/".join(names if len(names) <= 3 else [*names[:2], f"{len(names) - 2}more"])


def _text(value: Any) -> str:
    if isinstance(value, list):
        return "[" + ",".join(map(_text, value)) + "]"
    return str(as_spec(value))


def _attr_text(value: Any) -> str:
    if isinstance(value, DType):
        return value.name
    if isinstance(value, bytes):
        return value.decode("latin1")
    if isinstance(value, (list, tuple)):
        return "[" + ",".join(map(_attr_text, value)) + "]"
    return str(value).replace(" ", "")[:40]


def case(
    op: str,
    /,
    *inputs: Any,
    rtol: Tolerance = None,
    atol: Tolerance = None,
    error: type[BaseException] | None = None,
    types: Mapping[str, Sequence[Any]] | None = None,
    name: str | None = None,
    stateful: bool = False,
    **attrs: Any,
) -> Case:
    """A row: op `op` on `inputs` gives what TensorFlow gives, in every dtype that TensorFlow's CPU kernels take.

    Args:
      op: the op type.
      inputs: in op def order, one description (`real(2, 3)`), or one literal (`-1`, `[0, 1]`), an argument; a Python
        list of these for a list argument.
      rtol, atol: tolerance where the default (2 ulps of half and bfloat16, 1e-5 for float32, 1e-12 for float64) is too
        tight: one number for every floating dtype, or by dtype name.
      error: what both must raise. A class of `runstep.errors`: raised by the run, with static shapes unknown.
        ValueError or TypeError: raised when the graph is built with static shapes and constants known.
      types: by type attribute, the dtypes to try, instead of all that TensorFlow's kernels take.
      name: replaces the inputs and attributes in the row's id.
      stateful: the values can't be compared (random numbers without a seed ...); dtypes and shapes are.
      attrs: attributes of the node; one that is left out takes its default, or follows from the inputs.
    """
    return Case(op, inputs, attrs, rtol=rtol, atol=atol, error=error, types=types or {}, name=name, stateful=stateful)


def attr_value(kind: str, value: Any) -> Any:
    """An attribute's value as rules and kernels see it (DType, bytes, raw shape, tuple ...) from what a row says."""
    if kind.startswith("list("):
        return tuple(attr_value(kind[5:-1], item) for item in value)
    if kind == "type":
        return dtypes.as_dtype(value)
    if kind == "string":
        return value.encode() if isinstance(value, str) else bytes(value)
    if kind == "shape":
        return None if value is None else shapes.as_raw([None if size == -1 else size for size in value])
    if kind == "tensor":
        return np.asarray(value)
    if kind == "float":
        return single(value)
    return int(value) if kind == "int" else bool(value) if kind == "bool" else value


class Instance:
    """A row in one combination of dtypes: flat lists of inputs and all attributes."""

    def __init__(self, row: Case, op_def: OpDef, types: Mapping[str, DType]) -> None:
        self.row = row
        self.op_def = op_def
        self.types = dict(types)
        self.specs: list[Spec] = []
        self.input_types: list[DType] = []
        self.attrs: dict[str, Any] = {}
        if len(row.inputs) != len(op_def.inputs):
            raise TypeError(f"{row}: {row.op} takes {len(op_def.inputs)} inputs, the row has {len(row.inputs)}")
        given = {name: attr_value(self._kind(name), value) for name, value in row.attrs.items()}
        known: dict[str, Any] = {**given, **types}
        for arg, value in zip(op_def.inputs, row.inputs, strict=True):
            if arg.is_sequence:
                if not isinstance(value, list):
                    raise TypeError(f"{row}: input {arg.name!r} is a list, write [...]")
                specs = [as_spec(item) for item in value]
            else:
                specs = [as_spec(value)]
            if arg.number_attr:
                known.setdefault(arg.number_attr, len(specs))
            if arg.type_list_attr:
                kinds = known.setdefault(arg.type_list_attr, tuple(spec.natural for spec in specs))
            else:
                kinds = [arg.type if arg.type is not None else known[arg.type_attr or ""]] * len(specs)
            self.specs += specs
            self.input_types += [kind._as_ref if arg.is_ref else kind for kind in kinds]
        for name, attr in op_def.attrs.items():
            if name in known:
                self.attrs[name] = known[name]
            elif attr.default is not REQUIRED:
                self.attrs[name] = attr.default
            else:
                raise TypeError(f"{row}: attribute {name!r} has no default and is not given")
        self.output_types = self._outputs()
        # Per input, the type of what the variable that is passed there holds; None for an ordinary tensor.
        self.held: list[DType | None] = [
            kind.base_dtype if kind.is_ref else self._held_by(spec) if spec.is_variable else None
            for spec, kind in zip(self.specs, self.input_types, strict=True)
        ]

    def is_literal(self, index: int) -> bool:
        """Whether input `index` is what a graph would hold as a constant."""
        return self.specs[index].is_literal and self.held[index] is None

    def _held_by(self, spec: Spec) -> DType:
        found: DType = spec.dtype or self.attrs.get("dtype") or self.attrs.get("T") or spec.natural
        return found

    def _kind(self, name: str) -> str:
        attr = self.op_def.attrs.get(name)
        if attr is None:
            raise TypeError(f"{self.row}: op {self.op_def.name} has no attribute {name!r}")
        return attr.kind

    def _outputs(self) -> list[DType]:
        found: list[DType] = []
        for arg in self.op_def.outputs:
            if arg.type_list_attr:
                found += self.attrs[arg.type_list_attr]
                continue
            kind = arg.type if arg.type is not None else self.attrs[arg.type_attr or ""]
            kind = kind._as_ref if arg.is_ref else kind
            found += [kind] * (self.attrs[arg.number_attr] if arg.number_attr else 1)
        return found

    def values(self) -> list[np.ndarray[Any, Any]]:
        """Fresh input arrays, the same ones on each call; for a variable, what it holds before the run."""
        rng = np.random.default_rng(self.row.seed)
        return [
            spec(held or kind, rng) for spec, kind, held in zip(self.specs, self.input_types, self.held, strict=True)
        ]

    def __str__(self) -> str:
        types = ", ".join(f"{name}={kind.name}" for name, kind in self.types.items())
        return f"{self.row} [{types}]"
