"""Where values come into a graph, and the ops that pass them on: Const, Placeholder, Identity, NoOp, groups."""

from __future__ import annotations

from typing import Any

from runstep.graph import dtypes, shapes
from runstep.graph.apply import apply, apply_op
from runstep.graph.composite import IndexedSlices, SparseTensor
from runstep.graph.convert import constant, convert_to_tensor
from runstep.graph.graph import get_default_graph, graph_of, name_scope
from runstep.graph.operation import Operation
from runstep.graph.tensor import Tensor
from runstep.ops.common import Shapes, nothing, scalar, unchanged
from runstep.ops.registry import get, op

__all__ = [
    "constant",
    "group",
    "guarantee_const",
    "identity",
    "identity_n",
    "no_op",
    "placeholder",
    "placeholder_v2",
    "placeholder_with_default",
    "prevent_gradient",
    "sparse_placeholder",
    "stop_gradient",
    "tuple",
    "with_dependencies",
]

_tuple: type = tuple  # `tuple` below is TensorFlow's


def _of_value(op: Any) -> Shapes:
    return [op.attrs["value"].shape]


def _of_attr(op: Any) -> Shapes:
    return [op.attrs["shape"]]


def _each_unchanged(op: Any) -> Shapes:
    return [tensor.raw_shape for tensor in op.inputs]


def _with_default(op: Any) -> Shapes:
    asked, found = op.attrs["shape"], op.inputs[0].raw_shape
    if asked is not None and found is not None and not shapes.is_compatible(asked, found):
        raise ValueError(f"Shapes must be compatible, but are {shapes.text(found)} and {shapes.text(asked)}")
    return [asked]


op("Const", " -> output: dtype", "value: tensor", "dtype: type", shape=_of_value)
op("Identity", "input: T -> output: T", "T: type", shape=unchanged)
op("IdentityN", "input: T -> output: T", "T: list(type) >= 1", shape=_each_unchanged)
op("Placeholder", " -> output: dtype", "dtype: type", "shape: shape = None", shape=_of_attr)
op("PlaceholderV2", " -> output: dtype", "dtype: type", "shape: shape", shape=_of_attr)
op("PlaceholderWithDefault", "input: dtype -> output: dtype", "dtype: type", "shape: shape", shape=_with_default)
op("StopGradient", "input: T -> output: T", "T: type", shape=unchanged)
op("PreventGradient", "input: T -> output: T", "T: type", "message: string = ''", shape=unchanged)
op("Snapshot", "input: T -> output: T", "T: type", shape=unchanged)
op("DebugGradientIdentity", "input: T -> output: T", "T: type", shape=unchanged, uninitialized=True)
op("DebugGradientRefIdentity", "input: Ref(T) -> output: Ref(T)", "T: type", shape=unchanged, uninitialized=True)
for _name in ("Copy", "CopyHost"):  # a debugger puts them in, to look at tensors
    op(
        _name,
        "input: T -> output: T",
        "T: type",
        "tensor_name: string = ''",
        "debug_ops_spec: list(string) = []",
        shape=unchanged,
        uninitialized=True,
    )
op("NoOp", " -> ", shape=nothing)
op("ControlTrigger", " -> ", shape=nothing)
op("FakeParam", " -> output: dtype", "dtype: type", "shape: shape", shape=_of_attr)
op("ToBool", "input: T -> output: bool", "T: type", shape=scalar)
op("_Arg", " -> output: T", "T: type", "index: int >= 0", stateful=True)
op("_Retval", "input: T -> ", "T: type", "index: int >= 0", shape=nothing, stateful=True)


def placeholder(dtype: Any, shape: Any = None, name: str | None = None) -> Tensor:
    """A tensor whose value every run must feed (source: tf.placeholder).

    Args:
      dtype: its element type. shape: what fed values must be compatible with; None for anything.
    """
    return apply("Placeholder", dtype=dtypes.as_dtype(dtype), shape=_shape_attr(shape), name=name)


def _shape_attr(shape: Any) -> Any:
    return None if shape is None else shapes.as_raw(shape)


def placeholder_v2(dtype: Any, shape: Any, name: str | None = None) -> Tensor:
    """As `placeholder`, with the shape required (the op PlaceholderV2)."""
    return apply("PlaceholderV2", dtype=dtypes.as_dtype(dtype), shape=shapes.as_raw(shape), name=name)


def placeholder_with_default(input: Any, shape: Any, name: str | None = None) -> Tensor:
    """A tensor that has the value of `input` unless a run feeds it (source: tf.placeholder_with_default)."""
    with get_default_graph().name_scope(name or "PlaceholderWithDefault") as name:
        tensor = convert_to_tensor(input, name="input")
    attrs = {"dtype": tensor.dtype.base_dtype, "shape": shapes.as_raw(shape)}
    row = get("PlaceholderWithDefault")  # by hand: shape None (unknown) is a value of this attribute, not its absence
    return tensor.graph._create(row, "PlaceholderWithDefault", (tensor,), attrs, name).outputs[0]


def sparse_placeholder(dtype: Any, shape: Any = None, name: str | None = None) -> Any:
    """A SparseTensor of three placeholders: indices, values and dense shape (source: tf.sparse_placeholder)."""
    from runstep.graph.composite import SparseTensor

    raw = None if shape is None or isinstance(shape, Tensor) else shapes.as_raw(shape)
    rank = None if raw is None else len(raw)
    prefix = "" if name is None else name
    indices = placeholder(dtypes.int64, (None, rank), name=f"{prefix}/indices" if prefix else None)
    values = placeholder(dtype, (None,), name=f"{prefix}/values" if prefix else None)
    if isinstance(shape, Tensor):
        dense = shape
    elif raw is not None and None not in raw:
        default = constant(list(raw), dtypes.int64, name=f"{prefix}/shape_default" if prefix else "Const")
        dense = placeholder_with_default(default, (rank,), name=f"{prefix}/shape" if prefix else None)
    else:
        dense = placeholder(dtypes.int64, (rank,), name=f"{prefix}/shape" if prefix else None)
    result = SparseTensor(values=values, indices=indices, dense_shape=dense)
    if shape is not None and not isinstance(shape, Tensor):
        result.set_shape(shape)
    return result


def identity(input: Any, name: str | None = None) -> Any:
    """A tensor with the same value (source: tf.identity); composites keep their form."""
    if isinstance(input, SparseTensor | IndexedSlices):
        parts = [None if part is None else identity(part) for part in (input.indices, input.values, input.dense_shape)]
        if isinstance(input, SparseTensor):
            return SparseTensor(parts[0], parts[1], parts[2])
        return IndexedSlices(parts[1], parts[0], parts[2])
    return apply("Identity", input, name=name)


def identity_n(input: Any, name: str | None = None) -> list[Tensor]:
    return apply("IdentityN", input, name=name)


def stop_gradient(input: Any, name: str | None = None) -> Tensor:
    """The same value, held constant by `gradients` (source: tf.stop_gradient)."""
    return apply("StopGradient", input, name=name)


def prevent_gradient(input: Any, message: str = "", name: str | None = None) -> Tensor:
    """The same value; asking for a gradient through it is an error with `message`."""
    return apply("PreventGradient", input, message=message, name=name)


def guarantee_const(input: Any, name: str | None = None) -> Tensor:
    """The same value, promised not to change between runs."""
    return apply("GuaranteeConst", input, name=name)


def no_op(name: str | None = None) -> Operation:
    """Does nothing; something to hang control dependencies on (source: tf.no_op)."""
    return apply_op("NoOp", name=name)


def group(*inputs: Any, **kwargs: Any) -> Operation:
    """One operation that has run when all inputs have (source: tf.group).

    Args:
      inputs: operations, tensors, variables, or nested lists and dicts of these; None is passed over.
      name: the operation's name, "group_deps" by default.
    """
    name = kwargs.pop("name", None)
    if kwargs:
        raise ValueError(f"Unknown keyword arguments: {', '.join(kwargs)}.")
    found: dict[Operation, None] = {}
    for item in _flat(inputs):
        if item is None:
            continue
        if not hasattr(item, "device") and not hasattr(item, "op"):
            raise TypeError(
                f"'inputs' should be zero or more (nested) Tensors. Received '{item}' with type '{type(item)}'."
            )
        element = item if isinstance(item, Operation) else getattr(item, "op", None)
        found[element if element is not None else item] = None
    with name_scope(name, "group_deps", list(found)) as scope:
        by_device: dict[str, list[Operation]] = {}
        for operation in found:
            by_device.setdefault(operation.device, []).append(operation)
        if len(by_device) <= 1:
            device, operations = next(iter(by_device.items()), ("", []))
            return _barrier(operations, device, scope)
        barriers = [_barrier(operations, device, None) for device, operations in sorted(by_device.items())]
        return _barrier(barriers, None, scope)


def _barrier(operations: list[Operation], device: str | None, name: str | None) -> Operation:
    graph = get_default_graph()
    with graph.control_dependencies(operations):
        if device:
            with graph.device(device):
                return no_op(name=name)
        return no_op(name=name)


def _flat(items: Any) -> list[Any]:
    found: list[Any] = []
    for item in items.values() if isinstance(items, dict) else items:
        if isinstance(item, list | _tuple | dict):
            found.extend(_flat(item))
        else:
            found.append(item)
    return found


def tuple(tensors: Any, name: str | None = None, control_inputs: Any = None) -> list[Any]:
    """The same tensors, none of which is available before all are (source: tf.tuple)."""
    graph = graph_of(tensors)
    with name_scope(name, "tuple", list(tensors)), graph.as_default():
        gates = [getattr(t, "op", t) for t in tensors if t is not None]
        for control in control_inputs or ():
            gates.append(control if isinstance(control, Operation) else control.op)
        if not gates:
            raise ValueError(f"`tensors` must have at least one Tensor. Received: {tensors}.")
        gate = group(*gates)
        return [t if t is None or isinstance(t, Operation) else with_dependencies([gate], t) for t in tensors]


def with_dependencies(dependencies: Any, output_tensor: Any, name: str | None = None) -> Any:
    """`output_tensor`, available only after `dependencies` have run."""
    with name_scope(name, "control_dependency", [*dependencies, output_tensor]) as scope:
        graph = get_default_graph()
        with graph.colocate_with(output_tensor), graph.control_dependencies(dependencies):
            return identity(output_tensor, name=scope)
