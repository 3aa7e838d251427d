"""Do user functions build TensorFlow's graph? The same function builds on both libraries, and the nodes are compared.

compare_graphs(lambda tf: tf.queue.FIFOQueue(3, "float32").dequeue(), our_modules=[data_flow])
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

from runstep.testing import oracle


class Names:
    """A stand-in for the `tf` namespace: the public names of some of our modules, and what every graph needs."""

    def __init__(self, modules: Sequence[ModuleType]) -> None:
        from runstep.graph import dtypes
        from runstep.graph.composite import SparseTensor
        from runstep.graph.graph import Graph, get_default_graph, name_scope
        from runstep.graph.random_seed import set_random_seed
        from runstep.graph.shapes import TensorShape
        from runstep.ops import basic

        self.Graph, self.TensorShape, self.SparseTensor, self.name_scope = Graph, TensorShape, SparseTensor, name_scope
        self.get_default_graph, self.set_random_seed = get_default_graph, set_random_seed
        self.device = lambda name: get_default_graph().device(name)
        self.control_dependencies = lambda ops: get_default_graph().control_dependencies(ops)
        for name in "float32 float64 int32 int64 string bool resource uint8".split():
            setattr(self, name, getattr(dtypes, name))
        for module in (basic, *modules):
            for name in module.__all__:
                setattr(self, name, getattr(module, name))


def nodes(tf: Any, build: Callable[[Any], Any]) -> list[Any]:
    """What `build(tf)` makes: one tuple a node, in order; or the class and text of the error."""
    graph = tf.Graph()
    try:
        with graph.as_default():
            build(tf)
    except Exception as error:
        return [type(error).__name__, str(error)]
    return [
        (
            op.name,
            op.type,
            [tensor.name for tensor in op.inputs],
            sorted(control.name for control in op.control_inputs),  # TensorFlow keeps many in no fixed order
            op.device,
            sorted((name, _text(op.get_attr(name))) for name in op.node_def.attr if name not in _UNSTABLE),
            [None if tensor.shape.rank is None else tensor.shape.as_list() for tensor in op.outputs],
        )
        for op in graph.get_operations()
    ]


_UNSTABLE = ("value", "token", "_has_manual_control_dependencies", "_gradient_op_type")


def _text(value: Any) -> str:
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_text, value))}]"
    if isinstance(value, float):
        return f"{value:.6g}"
    return str(value.name) if type(value).__name__ == "DType" else str(value)


def compare_graphs(
    build: Callable[[Any], Any], our_modules: Sequence[ModuleType], theirs: Callable[[Any], Any] | None = None
) -> None:
    """Fails unless `build` makes the same nodes on both, or raises errors of one class with TensorFlow's text in ours.

    Args:
      our_modules: whose names (`__all__`) the function uses beyond those of `Names`.
      theirs: builds on TensorFlow's side, where the names are elsewhere.
    """
    want = nodes(oracle.tensorflow().compat.v1, theirs or build)
    got = nodes(Names(our_modules), build)
    if want and isinstance(want[0], str):
        assert got[:1] == want[:1], f"TensorFlow: {want}\nrunstep: {got}"
        assert _plain(want[1]) in _plain(got[1]), f"TensorFlow: {want}\nrunstep: {got}"
        return
    assert not got or not isinstance(got[0], str), f"TensorFlow builds it, runstep raises {got}"
    for index, (theirs_, ours) in enumerate(zip(want, got, strict=False)):
        assert ours == theirs_, f"node {index}:\nTensorFlow: {theirs_}\nrunstep:    {ours}"
    assert len(want) == len(got), f"TensorFlow: {want}\nrunstep: {got}"


def _plain(text: str) -> str:
    """Messages without what differs between the libraries by design: how shapes and dtypes are printed."""
    text = text.partition(" for '{{node")[0]
    text = re.sub(r"TensorShape\((.*?)\)", r"\1", text.replace("Dimension(None)", "None"))
    text = text.replace("(None,", "(?,").replace("component_0: ", "")
    text = re.sub(r"^\w+: (?=Tensor conversion)", "", text)
    return re.sub(r"<dtype: '(\w+)'>|tf\.(\w+)", lambda match: match[1] or match[2], text)
