"""`tf.Operation`: one node of a graph."""

from __future__ import annotations

import linecache
import traceback
from types import CodeType
from typing import TYPE_CHECKING, Any

import numpy as np

from runstep.graph.dtypes import DType
from runstep.graph.shapes import RawShape
from runstep.graph.tensor import Tensor

if TYPE_CHECKING:
    from runstep.graph.graph import Graph
    from runstep.ops.registry import OpDef


class Operation:
    """A node: an op type, its inputs, attributes and device (source: tf.Operation). Made by `Graph.create_op`.

    Attributes:
      graph, name, type, device: as in the NodeDef; `device` is what was asked for, "" for anywhere.
      inputs: the data inputs, a tuple of tensors.
      control_inputs: the operations that must run first.
      outputs: a tuple of tensors.
      attrs: never changed in place, since nodes share them; attribute values as Python objects: DType, int, float,
        bool, bytes, raw shape, ndarray, NameAttrs, tuples;
        attributes that the op def doesn't know are kept as AttrValue messages.
      op_def: its definition; None where the op type is unknown.
    """

    __slots__ = (
        "__dict__",
        "__weakref__",
        "_control_flow_context",
        "_creation",
        "_inputs",
        "_original_op",
        "_outputs",
        "attrs",
        "control_inputs",
        "device",
        "graph",
        "name",
        "node_def_source",
        "op_def",
        "type",
    )

    def __init__(
        self,
        graph: Graph,
        name: str,
        op_type: str,
        op_def: OpDef | None,
        inputs: tuple[Tensor, ...],
        attrs: dict[str, Any],
        creation: tuple[CodeType | int, ...],
    ) -> None:
        self.graph = graph
        self.name = name
        self.type = op_type
        self.op_def = op_def
        self._inputs: Tensor | tuple[Tensor, ...] = inputs[0] if len(inputs) == 1 else inputs
        self.attrs = attrs
        self.control_inputs: tuple[Operation, ...] = ()
        self._outputs: Tensor | tuple[Tensor, ...] = ()
        self.device = ""
        self.node_def_source: Any = None
        self._creation = creation
        self._original_op: Operation | None = None
        self._control_flow_context: Any = None

    # A tensor that is alone is held as it is: a tuple around it would be one object more for each collection to walk.

    @property
    def inputs(self) -> tuple[Tensor, ...]:
        found = self._inputs
        return found if type(found) is tuple else (found,)  # type: ignore[return-value]

    @inputs.setter
    def inputs(self, tensors: tuple[Tensor, ...]) -> None:
        self._inputs = tensors[0] if len(tensors) == 1 else tensors

    @property
    def outputs(self) -> tuple[Tensor, ...]:
        found = self._outputs
        return found if type(found) is tuple else (found,)  # type: ignore[return-value]

    @outputs.setter
    def outputs(self, tensors: tuple[Tensor, ...]) -> None:
        self._outputs = tensors[0] if len(tensors) == 1 else tensors

    # What shape rules and kernels ask for.

    @property
    def output_types(self) -> list[DType]:
        return [tensor.dtype for tensor in self.outputs]

    @property
    def input_types(self) -> list[DType]:
        return [tensor.dtype for tensor in self.inputs]

    def constant(self, index: int) -> np.ndarray | None:
        """The value of input `index` where the graph alone tells it, else None."""
        from runstep.graph.constant_value import known_value

        return known_value(self.inputs[index])

    def constant_shape(self, index: int) -> RawShape:
        """The shape that input `index`, a vector of sizes, describes: None for an unknown size or rank."""
        from runstep.graph.constant_value import known_shape

        return known_shape(self.inputs[index])

    # The public face.

    @property
    def node_def(self) -> Any:
        """This node as a `NodeDef` message."""
        from runstep.graph.exporter import node_def

        return node_def(self)

    def get_attr(self, name: str) -> Any:
        """The value of attribute `name`.

        Raises:
          ValueError: there is no such attribute.
        """
        if name not in self.attrs:
            raise ValueError(f"Operation '{self.name}' has no attr named '{name}'.")
        from runstep.graph.attr_value import public_value

        dtype = self.attrs.get("dtype") if name == "value" else None
        return public_value(self._attr_kind(name), self.attrs[name], dtype)

    def _attr_kind(self, name: str) -> str | None:
        attr = self.op_def.attrs.get(name) if self.op_def is not None else None
        return None if attr is None else attr.kind

    def _set_attr(self, name: str, attr_value: Any) -> None:
        """Sets an attribute from an `AttrValue` message. Plans that were compiled before do not see it (S58)."""
        from runstep.graph.attr_value import from_proto

        self.attrs = {**self.attrs, name: from_proto(self._attr_kind(name), attr_value)}

    def _add_control_inputs(self, ops: Any) -> None:
        for op in ops:
            self._add_control_input(op)

    def _add_control_input(self, op: Operation) -> None:
        self.graph._check_not_finalized()
        if op not in self.control_inputs:
            self.control_inputs = (*self.control_inputs, op)
            self.graph._edited()

    def _remove_all_control_inputs(self) -> None:
        self.control_inputs = ()
        self.graph._edited()

    def _update_input(self, index: int, tensor: Tensor) -> None:
        """Rewires input `index`. The next run of every session sees it (S58)."""
        self.graph._check_not_finalized()
        if tensor.graph is not self.graph:
            raise ValueError(f"{tensor!r} must be from the same graph as {self!r}.")
        self.inputs = (*self.inputs[:index], tensor, *self.inputs[index + 1 :])
        self.graph._edited()

    def colocation_groups(self) -> list[bytes]:
        """The groups that this node must share a device with; at least its own `loc:@name`."""
        groups = self.attrs.get("_class", ())
        return [g for g in groups if g.startswith(b"loc:@")] or [f"loc:@{self.name}".encode()]

    def _set_device(self, device: Any) -> None:
        from runstep.graph.device import canonical

        self.device = canonical(device)

    def values(self) -> tuple[Tensor, ...]:
        return self.outputs

    def run(self, feed_dict: Any = None, session: Any = None) -> None:
        """Runs this operation in `session` or the default session (S34-S36)."""
        from runstep.session.default import session_for_operation

        session_for_operation(self, session).run(self, feed_dict)

    @property
    def traceback(self) -> traceback.StackSummary:
        """The Python stack at creation, outermost call first, frames of this library left out."""
        codes: Any = self._creation[::2]
        instructions: Any = self._creation[1::2]
        frames = []
        for code, instruction in zip(reversed(codes), reversed(instructions), strict=True):
            line = _line_of(code, instruction)
            text = linecache.getline(code.co_filename, line).strip()
            frames.append((code.co_filename, line, code.co_name, text))
        return traceback.StackSummary.from_list(frames)

    def _as_graph_element(self) -> Operation:
        return self

    def _get_control_flow_context(self) -> Any:
        return self._control_flow_context

    def _set_control_flow_context(self, context: Any) -> None:
        self._control_flow_context = context

    def __repr__(self) -> str:
        return f"<tf.Operation '{self.name}' type={self.type}>"

    def __str__(self) -> str:
        return str(self.node_def)

    def __copy__(self) -> Operation:
        return self

    def __deepcopy__(self, memo: Any) -> Operation:
        return self


def _line_of(code: CodeType, instruction: int) -> int:
    """The line of the source that an instruction comes from."""
    for start, end, line in code.co_lines():
        if start <= instruction < end and line is not None:
            return line
    return code.co_firstlineno
