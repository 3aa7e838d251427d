"""Making a node from an op's row: inputs are converted, attributes inferred and checked, then the graph adds it."""

from __future__ import annotations

import collections
import contextlib
import functools
from collections.abc import Sequence
from typing import Any

import numpy as np

from runstep.graph import dtypes, shapes
from runstep.graph.attr_value import NameAttrs, from_proto
from runstep.graph.convert import convert_to_tensor
from runstep.graph.dtypes import DType
from runstep.graph.graph import Graph, get_default_graph
from runstep.graph.operation import Operation
from runstep.graph.tensor import Tensor
from runstep.ops import registry
from runstep.ops.registry import REQUIRED, ArgDef, AttrDef, OpDef, single


def apply(op_type: str, *inputs: Any, name: str | None = None, **attrs: Any) -> Any:
    """Adds one node of type `op_type` to the graph of its inputs, or the default graph.

    Args:
      inputs: in the op def's order; a list for an input that is a list. Python values are converted to the dtype that
        the op def and the other inputs imply.
      name: the node's name, the op type by default.
      attrs: attributes that the inputs don't imply.

    Returns:
      A Tensor for one output, a list for one list output, a tuple for several outputs (lists for the list outputs among
      them), the Operation for none.

    Raises:
      TypeError: an input's dtype is not allowed or differs from what another input implies.
      ValueError: an attribute or the shapes contradict the op def.
    """
    if not attrs:
        op_def = registry.get(op_type)
        if op_def is not None and op_def.quick is not None:
            graph = get_default_graph()
            types = _plain_types(graph, inputs)
            if types is not None:
                known = op_def.quick.get(types)
                if known is not None:
                    return graph._create(op_def, op_type, inputs, known[0], name, known[1])._outputs
                op = apply_op(op_type, *inputs, name=name)
                if (
                    op.graph is graph
                    and all(a is b for a, b in zip(op.inputs, inputs, strict=True))
                    and not op.attrs.get("_class")
                ):
                    op_def.quick[types] = {key: op.attrs[key] for key in op_def.attrs}, tuple(op.output_types)
                return op.outputs[0]
    return outputs_of(apply_op(op_type, *inputs, name=name, **attrs))


def apply_named(op_type: str, *inputs: Any, name: str | None = None, **attrs: Any) -> Any:
    """As `apply` of an op with several outputs, and returns a namedtuple of them, as TensorFlow does."""
    return _outputs_type(op_type)(*apply(op_type, *inputs, name=name, **attrs))


@functools.cache
def _outputs_type(op_type: str) -> Any:
    op_def = registry.get(op_type)
    assert op_def is not None, op_type
    return collections.namedtuple(op_type, [arg.name for arg in op_def.outputs])


def _plain_types(graph: Graph, inputs: tuple[Any, ...]) -> tuple[int, ...] | None:
    """The dtypes of the inputs, as numbers, if all are tensors of this graph."""
    if len(inputs) == 1:
        (x,) = inputs
        return (x.dtype.enum,) if type(x) is Tensor and x.op.graph is graph else None
    if len(inputs) == 2:
        x, y = inputs
        if type(x) is not Tensor or x.op.graph is not graph or type(y) is not Tensor or y.op.graph is not graph:
            return None
        return x.dtype.enum, y.dtype.enum
    for x in inputs:
        if type(x) is not Tensor or x.op.graph is not graph:
            return None
    return tuple([x.dtype.enum for x in inputs])


def apply_op(op_type: str, *inputs: Any, name: str | None = None, **attrs: Any) -> Operation:
    """As `apply`, and returns the Operation."""
    op_def = registry.get(op_type)
    if op_def is None:
        raise ValueError(f"Unknown op type '{op_type}'")
    if len(inputs) != len(op_def.inputs):
        raise TypeError(f"{op_type} takes {len(op_def.inputs)} inputs, {len(inputs)} were given.")
    graph = _graph(inputs)
    if graph is not get_default_graph():
        with graph.as_default():
            return _apply(graph, op_def, inputs, name, attrs)
    return _apply(graph, op_def, inputs, name, attrs)


def _graph(inputs: Sequence[Any]) -> Graph:
    found: Graph | None = None
    first: Any = None
    default = get_default_graph()
    for value in inputs:
        for item in value if type(value) in (list, tuple) else (value,):
            graph = item.op.graph if type(item) is Tensor else getattr(item, "graph", None)
            if isinstance(graph, Graph) and graph is not found:
                if found is not None:
                    if default.building_function:
                        return default
                    raise ValueError(f"{item!r} must be from the same graph as {first!r}.")
                found, first = graph, item
    if found is None or default.building_function:
        return default
    return found


def _apply(graph: Graph, op_def: OpDef, inputs: Sequence[Any], name: str | None, attrs: dict[str, Any]) -> Operation:
    given: dict[str, Any] = {}
    for key, value in attrs.items():
        if value is not None:
            attr = op_def.attrs.get(key)
            if attr is None:
                if not key.startswith("_"):
                    raise TypeError(f"{op_def.name} got an unexpected keyword argument '{key}'")
                given[key] = value
                continue
            given[key] = checked(op_def, attr, value)
    tensors: list[Tensor] = []
    if any(type(value) is not Tensor for value in inputs):
        # Constants made here are named inside the node's own scope, as "Add/y".
        scope = graph.name_scope(name or op_def.name)
        inner = scope.__enter__()
        try:
            _convert_inputs(graph, op_def, inputs, given, tensors)
        finally:
            scope.__exit__(None, None, None)
        name = inner
    else:
        for arg, value in zip(op_def.inputs, inputs, strict=True):
            attr_name = arg.type_attr
            if arg.is_sequence:
                raise TypeError(f"Expected list for '{arg.name}' argument to '{op_def.name}' Op, not {value}.")
            if attr_name is not None:
                base = value.dtype
                if base.is_ref:
                    base = base.base_dtype
                expected = given.get(attr_name)
                if expected is None:
                    given[attr_name] = checked_type(op_def, arg, base)
                elif expected is not base:
                    raise _mismatch(op_def, arg, value, expected, given)
            elif value.dtype is not arg.type and value.dtype.base_dtype is not arg.type:
                raise TypeError(
                    f"Input '{arg.name}' of '{op_def.name}' Op has type {value.dtype.base_dtype.name} that does not "
                    "match "
                    f"expected type of {arg.type.name}."  # type: ignore[union-attr]
                )
            _check_ref(op_def, arg, value)
            tensors.append(value)
    for key, attr in op_def.attrs.items():
        if key not in given:
            if attr.default is REQUIRED:
                raise TypeError(f"No argument for attr '{key}' of op '{op_def.name}': it must be given.")
            given[key] = attr.default
    given = graph._alike.shared(op_def.name, given)
    if op_def.has_ref_input:
        return _beside_references(graph, op_def, tensors, given, name)
    return graph._create(op_def, op_def.name, tuple(tensors), given, name)


def _beside_references(
    graph: Graph, op_def: OpDef, tensors: list[Tensor], attrs: dict[str, Any], name: str | None
) -> Operation:
    """An op that takes references must run where they live; of a list of references the first one counts."""
    with contextlib.ExitStack() as stack:
        position = 0
        for arg in op_def.inputs:
            if arg.is_ref and tensors[position].graph is graph:
                stack.enter_context(graph.colocate_with(tensors[position].op))
            position += attrs[arg.number_attr] if arg.number_attr is not None else 1
        return graph._create(op_def, op_def.name, tuple(tensors), attrs, name)


def _convert_inputs(
    graph: Graph, op_def: OpDef, inputs: Sequence[Any], attrs: dict[str, Any], out: list[Tensor]
) -> None:
    for arg, value in zip(op_def.inputs, inputs, strict=True):
        if arg.is_sequence:
            out.extend(_convert_list(op_def, arg, value, attrs))
            continue
        if arg.type_attr is not None:
            expected = attrs.get(arg.type_attr)
        else:
            expected = arg.type
        tensor = value if type(value) is Tensor else _convert_one(op_def, arg, value, expected)
        dtype = tensor.dtype.base_dtype
        if expected is None:
            attrs[arg.type_attr] = checked_type(op_def, arg, dtype)  # type: ignore[index]
        elif dtype is not expected.base_dtype:
            raise _mismatch(op_def, arg, tensor, expected, attrs)
        _check_ref(op_def, arg, tensor)
        out.append(tensor)


def _convert_one(op_def: OpDef, arg: ArgDef, value: Any, expected: DType | None) -> Tensor:
    if expected is None and arg.type_attr is not None:
        default, allowed = op_def.attrs[arg.type_attr].default, op_def.attrs[arg.type_attr].allowed
        if allowed is not None:
            # The value's own type counts. Only where that will not do (an empty list is a float) the default is tried.
            try:
                tensor = convert_to_tensor(value, name=arg.name, as_ref=arg.is_ref)
            except TypeError:
                pass
            else:
                if tensor.dtype.base_dtype in allowed:
                    return tensor
        preferred = None if default is REQUIRED else default
        return convert_to_tensor(value, name=arg.name, as_ref=arg.is_ref, preferred_dtype=preferred)
    try:
        return convert_to_tensor(value, expected, name=arg.name, as_ref=arg.is_ref)
    except (TypeError, ValueError) as error:
        try:
            found = convert_to_tensor(value, name=arg.name, as_ref=arg.is_ref).dtype
        except (TypeError, ValueError):
            raise error from None
        if expected is None or found.base_dtype is expected:
            raise
        raise TypeError(_mismatch_text(op_def, arg, found, expected, {})) from None


def _convert_list(op_def: OpDef, arg: ArgDef, value: Any, attrs: dict[str, Any]) -> list[Tensor]:
    if not isinstance(value, list | tuple):
        raise TypeError(f"Expected list for '{arg.name}' argument to '{op_def.name}' Op, not {value}.")
    if arg.type_list_attr is not None:
        given = attrs.get(arg.type_list_attr)
        types: Sequence[DType | None] = given if given is not None else [None] * len(value)
        if len(types) != len(value):
            raise ValueError(
                f"'{arg.name}' of '{op_def.name}' Op takes {len(types)} tensors (attr {arg.type_list_attr}), "
                f"{len(value)} were given."
            )
        found = [
            item if type(item) is Tensor else convert_to_tensor(item, dtype, name=f"{arg.name}_{i}", as_ref=arg.is_ref)
            for i, (item, dtype) in enumerate(zip(value, types, strict=True))
        ]
        attr = op_def.attrs[arg.type_list_attr]
        _check_length(op_def, arg, attr, len(found))
        attrs[arg.type_list_attr] = tuple(tensor.dtype.base_dtype for tensor in found)
        return found
    number = op_def.attrs[arg.number_attr]
    _check_length(op_def, arg, number, len(value))
    if attrs.setdefault(arg.number_attr, len(value)) != len(value):  # type: ignore[arg-type]
        raise ValueError(
            f"List argument '{arg.name}' to '{op_def.name}' Op with length {len(value)} must match length "
            f"{attrs[arg.number_attr]}"  # type: ignore[index]
            " of another argument."
        )
    expected = arg.type if arg.type_attr is None else attrs.get(arg.type_attr)
    if expected is None:
        expected = next(
            (item.dtype.base_dtype for item in value if hasattr(item, "dtype") and isinstance(item.dtype, DType)), None
        )
        if (
            expected is None
            and value
            and arg.type_attr is not None
            and (default := op_def.attrs[arg.type_attr].default) is not REQUIRED
        ):
            expected = default
    found = []
    for i, item in enumerate(value):
        tensor = (
            item
            if isinstance(item, Tensor)
            else convert_to_tensor(item, expected, name=f"{arg.name}_{i}", as_ref=arg.is_ref)
        )
        expected = expected or tensor.dtype.base_dtype
        found.append(tensor)
    if any(tensor.dtype.base_dtype is not expected for tensor in found):
        names = ", ".join(tensor.dtype.base_dtype.name for tensor in found)
        expectation = (
            "that don't all match." if arg.type is None else f"that do not match expected type {arg.type.name}."
        )
        raise TypeError(
            f"Tensors in list passed to '{arg.name}' of '{op_def.name}' Op have types [{names}] {expectation}"
        )
    if arg.type_attr is not None and expected is not None:
        attrs[arg.type_attr] = checked_type(op_def, arg, expected)
    return found


def _check_length(op_def: OpDef, arg: ArgDef, attr: AttrDef, length: int) -> None:
    if attr.minimum is not None and length < attr.minimum:
        raise ValueError(
            f"List argument '{arg.name}' to '{op_def.name}' Op with length {length} shorter than minimum length "
            f"{attr.minimum}."
        )


def _check_ref(op_def: OpDef, arg: ArgDef, tensor: Tensor) -> None:
    if arg.is_ref and not tensor.dtype.is_ref:
        raise TypeError(
            f"'{op_def.name}' Op requires that input '{arg.name}' be a mutable tensor (e.g.: a tf.Variable)"
        )


def _mismatch(op_def: OpDef, arg: ArgDef, tensor: Tensor, expected: DType, attrs: dict[str, Any]) -> TypeError:
    return TypeError(_mismatch_text(op_def, arg, tensor.dtype, expected, attrs))


def _mismatch_text(op_def: OpDef, arg: ArgDef, found: DType, expected: DType, attrs: dict[str, Any]) -> str:
    text = f"Input '{arg.name}' of '{op_def.name}' Op has type {found.base_dtype.name} that does not match"
    if arg.type_attr is None:
        return f"{text} expected type of {expected.name}."
    source = next((a.name for a in op_def.inputs if a.type_attr == arg.type_attr and a is not arg), None)
    if source is None:
        return f"{text} expected type of {expected.name}."
    return f"{text} type {expected.name} of argument '{source}'."


def checked_type(op_def: OpDef, arg: ArgDef, dtype: DType) -> DType:
    """`dtype`, if the op def allows it for this input."""
    allowed = op_def.attrs[arg.type_attr].allowed
    if allowed is not None and dtype not in allowed:
        names = ", ".join(t.name for t in allowed)
        raise TypeError(
            f"Value passed to parameter '{arg.name}' has DataType {dtype.name} not in list of allowed values: {names}"
        )
    return dtype


def checked(op_def: OpDef, attr: AttrDef, value: Any) -> Any:
    """`value` as the Python form of an attribute of this kind, checked against what the op def allows."""
    kind = attr.kind
    if hasattr(value, "WhichOneof") and value.DESCRIPTOR.name == "AttrValue":
        value = from_proto(kind, value)
    if kind.startswith("list("):
        if not isinstance(value, list | tuple | np.ndarray) and not hasattr(value, "__iter__"):
            raise TypeError(f"Expected list for attr {attr.name}, obtained {type(value).__name__} instead.")
        found: Any = tuple(_scalar(op_def, attr, kind[5:-1], item) for item in value)
        if attr.minimum is not None and len(found) < attr.minimum:
            raise ValueError(
                f"Attr '{attr.name}' of '{op_def.name}' Op passed list of length {len(found)} less than minimum "
                f"{attr.minimum}."
            )
        return found
    found = _scalar(op_def, attr, kind, value)
    if kind == "int" and attr.minimum is not None and found < attr.minimum:
        raise ValueError(f"Attr '{attr.name}' of '{op_def.name}' Op passed {found} less than minimum {attr.minimum}.")
    return found


def _scalar(op_def: OpDef, attr: AttrDef, kind: str, value: Any) -> Any:
    if kind == "type":
        try:
            found = dtypes.as_dtype(value).base_dtype
        except TypeError:
            raise TypeError(f"Expected DataType for argument '{attr.name}' not {value!r}.") from None
        if attr.allowed is not None and found not in attr.allowed:
            names = ", ".join(t.name for t in attr.allowed)
            raise TypeError(
                f"Value passed to parameter '{attr.name}' has DataType {found.name} not in list of allowed values: "
                f"{names}"
            )
        return found
    if kind == "string":
        if isinstance(value, str):
            value = value.encode()
        if not isinstance(value, bytes):
            raise TypeError(f"Expected string for argument '{attr.name}' not {value!r}.")
        if attr.allowed is not None and value not in attr.allowed:
            allowed = '", "'.join(item.decode() for item in attr.allowed)
            raise ValueError(
                f"Attr '{attr.name}' of '{op_def.name}' Op passed string '{value.decode()}' not in: \"{allowed}\"."
            )
        return value
    if kind == "bool":
        if not isinstance(value, bool | np.bool_ | int):
            raise TypeError(f"Expected bool for argument '{attr.name}' not {value!r}.")
        return bool(value)
    if kind in ("int", "float"):
        value = getattr(value, "value", value)  # a Dimension
        if isinstance(value, str | bytes):
            raise TypeError(f"Expected {kind} for argument '{attr.name}' not {value!r}.")
        try:
            return int(value) if kind == "int" else single(value)  # a fraction is cut off, as in TensorFlow
        except (TypeError, ValueError, OverflowError):
            raise TypeError(f"Expected {kind} for argument '{attr.name}' not {value!r}.") from None
    if kind == "shape":
        return shapes.as_raw(value)
    if kind == "tensor":
        return value if isinstance(value, np.ndarray) else from_proto(kind, _tensor_attr(value))
    if kind == "func":
        return value if isinstance(value, NameAttrs) else NameAttrs(getattr(value, "name", value))
    raise TypeError(f"Attr '{attr.name}' of '{op_def.name}' Op has kind {kind}, which cannot be given.")


def _tensor_attr(value: Any) -> Any:
    from runstep.protos import attr_value_pb2, tensor_pb2

    message = attr_value_pb2.AttrValue()
    message.tensor.CopyFrom(tensor_pb2.TensorProto.FromString(value.SerializeToString()))
    return message


def complete_attrs(op_def: OpDef, inputs: list[Tensor], attrs: dict[str, Any]) -> dict[str, Any]:
    """All attributes of a node: those given, those that its flat list of inputs implies, and the defaults."""
    found: dict[str, Any] = {}
    for key, value in attrs.items():
        attr = op_def.attrs.get(key)
        if attr is not None:
            found[key] = checked(op_def, attr, value)
        else:
            found[key] = from_proto(None, value) if hasattr(value, "WhichOneof") else value
    if len(op_def.inputs) == len(inputs):  # a flat list of tensors says all unless several inputs are lists
        for arg, tensor in zip(op_def.inputs, inputs, strict=True):
            if arg.type_attr is not None:
                found.setdefault(arg.type_attr, tensor.dtype.base_dtype)
    for arg in op_def.inputs:
        if len(op_def.inputs) == 1 and arg.type_list_attr is not None:
            found.setdefault(arg.type_list_attr, tuple(tensor.dtype.base_dtype for tensor in inputs))
        elif len(op_def.inputs) == 1 and arg.number_attr is not None:
            found.setdefault(arg.number_attr, len(inputs))
            if arg.type_attr is not None and inputs:
                found.setdefault(arg.type_attr, inputs[0].dtype.base_dtype)
    for key, attr in op_def.attrs.items():
        if key not in found:
            if attr.default is REQUIRED:
                raise ValueError(f"NodeDef missing attr '{key}' from {op_def!r}")
            found[key] = attr.default
    return found


def outputs_of(op: Operation) -> Any:
    """What `apply` returns for this node."""
    op_def = op.op_def
    if op_def is None or len(op_def.outputs) != 1:
        if not op.outputs:
            return op
        return structured_outputs(op)
    return list(op.outputs) if op_def.outputs[0].is_sequence else op.outputs[0]


def structured_outputs(op: Operation) -> tuple[Any, ...]:
    """The outputs by output argument: a Tensor, or a list for a list output."""
    if op.op_def is None:
        return op.outputs
    found: list[Any] = []
    start = 0
    for arg in op.op_def.outputs:
        if not arg.is_sequence:
            found.append(op.outputs[start])
            start += 1
            continue
        size = op.attrs[arg.number_attr] if arg.number_attr is not None else len(op.attrs[arg.type_list_attr])  # type: ignore[index]
        found.append(list(op.outputs[start : start + size]))
        start += size
    return tuple(found)
