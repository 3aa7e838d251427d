"""Definitions of the ops that runstep does not compute: `python -m runstep.testing.definitions` writes them, from
TensorFlow's, to the file that `runstep.ops.uncomputed` reads. Run it in the project's folder, with TensorFlow
installed, when ops were added."""

from __future__ import annotations

import importlib
from typing import Any

from runstep.graph import dtypes, op_def_proto
from runstep.graph.dtypes import DType
from runstep.ops import registry, uncomputed
from runstep.protos import op_def_pb2
from runstep.testing import oracle

_FLAGS = ("is_stateful", "is_commutative", "is_aggregate", "allows_uninitialized_input")


def missing() -> list[Any]:
    """TensorFlow's OpDef messages, as ours, of the ops that have no row; rewrites of oneDNN's (`_Mkl...`) left out."""
    oracle.tensorflow()
    client = importlib.import_module("tensorflow.python.client.pywrap_tf_session")
    found = op_def_pb2.OpList.FromString(client.TF_GetBuffer(client.TF_GetAllOpList())).op
    registry.get("NoOp")
    rows = set(registry.names())
    return sorted(
        (proto for proto in found if proto.name not in rows and not proto.name.startswith("_Mkl")),
        key=lambda proto: proto.name,
    )


def row(proto: Any) -> str:
    """One op as a line: its name, signature and attributes as `runstep.ops.registry.op` takes them, and flags."""
    op_def = op_def_proto.from_proto(proto)
    left, right = (", ".join(map(_arg, args)) for args in (op_def.inputs, op_def.outputs))
    flags = " ".join(flag for flag in _FLAGS if getattr(op_def, flag))
    attrs = "; ".join(map(_attr, op_def.attrs.values()))
    return "\t".join((op_def.name, f"{left} -> {right}", attrs, flags)).rstrip("\t")


def _arg(arg: registry.ArgDef) -> str:
    kind = arg.type_list_attr or arg.type_attr or ("" if arg.type is None else arg.type.name)
    if arg.number_attr:
        kind = f"{arg.number_attr} * {kind}"
    return f"{arg.name}: {f'Ref({kind})' if arg.is_ref else kind}"


def _attr(attr: registry.AttrDef) -> str:
    kind = attr.kind
    if attr.allowed is not None:
        allowed = ", ".join(item.name if isinstance(item, DType) else repr(item.decode()) for item in attr.allowed)
        element = f"{{{allowed}}}"
        kind = f"list({element})" if kind.startswith("list(") else element
    text = f"{attr.name}: {kind}"
    if attr.minimum is not None:
        text += f" >= {attr.minimum}"
    if attr.default is not registry.REQUIRED:
        text += f" = {_value(attr.kind, attr.default)}"
    return text


def _value(kind: str, value: Any) -> str:
    if kind.startswith("list("):
        return f"[{', '.join(_value(kind[5:-1], item) for item in value)}]"
    if kind == "shape":
        return str(None if value is None else [-1 if size is None else size for size in value])
    if kind == "type":
        return str(dtypes.as_dtype(value).name)
    if kind == "bool":
        return str(bool(value)).lower()
    if kind == "string":
        return repr(value.decode())
    if kind == "tensor":
        return f"{dtypes.as_dtype(value.dtype).name} {value.tolist()}"
    return str(value)


def main() -> None:
    """Writes the file."""
    uncomputed.FILE.write_text("".join(f"{row(proto)}\n" for proto in missing()), "utf-8")


if __name__ == "__main__":
    main()
