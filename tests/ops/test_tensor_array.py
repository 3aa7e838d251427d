"""TensorArrays, against TensorFlow."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from runstep.graph import dtypes
from runstep.graph.graph import Graph
from runstep.ops.basic import placeholder
from runstep.ops.tensor_array import TensorArray
from runstep.testing import oracle
from runstep.testing.stateful import RunstepApi, agree, compare, outcomes

PAIRS = [[1.0, 2.0], [3.0, 4.0]]


BY_HAND = {
    f"TensorArray{stem}{generation}": "programs in this file"
    for stem in ("", "Grad", "Write", "Read", "Gather", "Scatter", "Concat", "Split", "Size", "Close")
    for generation in ("V3", "V2", "")
} | dict.fromkeys(["TensorArrayGradWithShape", "TensorArrayPack", "TensorArrayUnpack"], "programs in this file")


class Arrays:
    """Writes programs over one generation of the TensorArray ops."""

    def __init__(self, api: Any, generation: str = "V3") -> None:
        self.api = api
        self.generation = generation

    def op(self, stem: str, *inputs: Any, **attrs: Any) -> Any:
        return self.api.op(f"TensorArray{stem}{self.generation}", *inputs, **attrs)

    def made(self, *values: Any, size: Any = 3, dtype: str = "float32", **attrs: Any) -> tuple[Any, Any]:
        made = self.op("", size, dtype=dtype, **attrs)
        handle, flow = made if self.generation == "V3" else (made, self.api.constant(0.0))
        for i, value in enumerate(values):
            flow = self.write(handle, i, value, flow)
        return handle, flow

    def write(self, handle: Any, index: Any, value: Any, flow: Any) -> Any:
        return self.op("Write", handle, index, value, flow)

    def read(self, handle: Any, index: Any, flow: Any, dtype: str = "float32") -> Any:
        return self.op("Read", handle, index, flow, dtype=dtype)

    def gather(self, handle: Any, indices: Any, flow: Any, dtype: str = "float32", **attrs: Any) -> Any:
        return self.op("Gather", handle, indices, flow, dtype=dtype, **attrs)

    def scatter(self, handle: Any, indices: Any, value: Any, flow: Any) -> Any:
        return self.op("Scatter", handle, indices, value, flow)

    def split(self, handle: Any, value: Any, lengths: Any, flow: Any) -> Any:
        return self.op("Split", handle, value, self.api.constant(lengths, "int64"), flow)

    def concat(self, handle: Any, flow: Any, dtype: str = "float32", **attrs: Any) -> list[Any]:
        return list(self.op("Concat", handle, flow, dtype=dtype, **attrs))

    def size(self, handle: Any, flow: Any) -> Any:
        return self.op("Size", handle, flow)

    def grad(self, handle: Any, flow: Any, source: str = "g") -> tuple[Any, Any]:
        made = self.op("Grad", handle, flow, source=source)
        return made if self.generation == "V3" else (made, flow)


def with_arrays(program: Callable[[Any, Arrays], None], **options: Any) -> None:
    compare(lambda api: program(api, Arrays(api)), **options)


def everything_once(api: Any, ta: Arrays) -> None:
    h, f = ta.made(*PAIRS)
    api.run(f)
    api.run(ta.read(h, 1, f))
    h, f = ta.made(*PAIRS)
    api.run(ta.gather(h, [1, 0], f))
    h, f = ta.made()
    f = ta.scatter(h, [2, 0], PAIRS, f)
    api.run(ta.gather(h, [0, 2], f, element_shape=[2]))
    h, f = ta.made([1.0, 2.0], [3.0], size=2)
    api.run(ta.concat(h, f))
    h, f = ta.made(size=2)
    f = ta.split(h, [[1.0], [2.0], [3.0]], [1, 2], f)
    api.run(ta.read(h, 1, f))
    h, f = ta.made(size=2)
    api.run(ta.size(h, f))
    api.run(ta.op("Close", h))
    h, f = ta.made(*PAIRS)
    g, gf = ta.grad(h, f)
    gf = ta.write(g, 0, [5.0, 1.0], ta.write(g, 0, [1.0, 1.0], gf))
    api.run(ta.gather(g, [0, 1], gf))


def test_everything_once() -> None:
    with_arrays(everything_once)


@pytest.mark.parametrize("generation", ["V2", ""])
def test_old_generations(generation: str) -> None:
    # TensorFlow builds no graphs with these any more: they are compared with the newest.
    values = []
    for one in ("V3", generation):
        log = outcomes(RunstepApi(), lambda api, one=one: everything_once(api, Arrays(api, one)))  # type: ignore[misc]
        values.append([item for item in log if not isinstance(item, str)])
    agree(*values)  # type: ignore[arg-type]


def test_pack_and_unpack() -> None:
    def program(api: Any) -> None:
        ta = Arrays(api, "")
        h, f = ta.made(size=2)
        f = ta.op("Unpack", h, PAIRS, f)
        assert api.run(ta.op("Pack", h, f, dtype="float32")).tolist() == PAIRS

    outcomes(RunstepApi(), program)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64", "int8", "uint16", "int64", "bool", "complex64"])
@pytest.mark.parametrize("shape", [(), (2,), (0, 2), (2, 1, 3)])
def test_dtypes(dtype: str, shape: tuple[int, ...]) -> None:
    def program(api: Any, ta: Arrays) -> None:
        values = [api.constant(np.full(shape, i), dtype) for i in range(3)]
        h, f = ta.made(*values, dtype=dtype, clear_after_read=False)
        api.run([ta.gather(h, [0, 1, 2, 1], f, dtype), ta.read(h, 2, f, dtype)])
        if shape:
            api.run(ta.concat(h, f, dtype))
        h, f = ta.made(dtype=dtype)
        f = ta.scatter(h, [1, 0], api.constant(np.full((2, *shape), 1), dtype), f)
        api.run(ta.read(h, 1, f, dtype))
        h, f = ta.made(dtype=dtype, element_shape=list(shape))
        api.run([ta.read(h, 1, f, dtype), ta.gather(h, [0, 2], f, dtype)])

    with_arrays(program)


def test_strings() -> None:
    def program(api: Any, ta: Arrays) -> None:
        h, f = ta.made("a", "b", dtype="string", clear_after_read=False)
        api.run([ta.gather(h, [1, 0], f, "string"), ta.read(h, 1, f, "string")])
        h, f = ta.made(dtype="string", element_shape=[])
        f = ta.scatter(h, [1, 0], ["x", "y"], f)
        api.run(ta.gather(h, [0, 1], f, "string"))
        api.run(ta.read(h, 2, f, "string"))
        h, f = ta.made(["a", "b"], ["c", "d"], dtype="string", clear_after_read=False, size=2)
        api.run([ta.gather(h, [1, 0], f, "string"), ta.concat(h, f, "string")[0]])

    with_arrays(program)


def test_unwritten_elements() -> None:
    def program(api: Any, ta: Arrays) -> None:
        for shape in (None, [2], [None]):
            h, f = ta.made([1.0, 2.0], element_shape=shape) if shape else ta.made([1.0, 2.0])
            api.run(ta.read(h, 1, f))
            api.run(ta.gather(h, [0, 1], f))
            api.run(ta.concat(h, f))
        h, f = ta.made([1.0, 2.0], identical_element_shapes=True)
        api.run(ta.read(h, 1, f))

    with_arrays(program)


def test_bounds_and_growth() -> None:
    def program(api: Any, ta: Arrays) -> None:
        for dynamic in (False, True):
            for index in (5, -1):
                h, f = ta.made([1.0, 2.0], dynamic_size=dynamic)
                api.run(ta.read(h, index, f))
                api.run(ta.size(h, ta.write(h, index, [1.0, 2.0], f)))
                api.run(ta.gather(h, [0, index], f))
            h, f = ta.made(dynamic_size=dynamic)
            api.run(ta.size(h, ta.scatter(h, [4, 0], PAIRS, f)))
            api.run(ta.size(h, ta.split(h, [[1.0], [2.0], [3.0], [4.0]], [1, 1, 1, 1], f)))
        api.run(ta.made(size=-1)[1])
        api.run(ta.made(size=api.hidden([1]))[1])

    with_arrays(program, texts=False)


def test_written_and_read_once() -> None:
    def program(api: Any, ta: Arrays) -> None:
        h, f = ta.made([1.0, 2.0])
        api.run(ta.write(h, 0, [1.0, 3.0], f))
        for clear in (True, False):
            h, f = ta.made([1.0, 2.0], clear_after_read=clear)
            first = ta.read(h, 0, f)
            api.run(api.after(first, lambda h=h, f=f: ta.read(h, 0, f)))
            api.run(api.after(first, lambda h=h, f=f: ta.write(h, 0, [1.0, 2.0], f)))
            api.run(ta.gather(h, [0, 0], f))
        h, f = ta.made()
        api.run(ta.scatter(h, [2, 2], api.hidden(PAIRS), f))

    with_arrays(program)


def test_shapes_of_elements() -> None:
    def program(api: Any, ta: Arrays) -> None:
        h, f = ta.made([1.0, 2.0], [3.0])
        api.run(ta.read(h, 1, f))
        api.run(ta.gather(h, [0, 1], f))
        api.run(ta.made([1.0, 2.0], [3.0], identical_element_shapes=True)[1])
        api.run(ta.made([1.0, 2.0], api.hidden([3.0]), element_shape=[2])[1])
        api.run(ta.made([1.0, 2.0], element_shape=[None, 2])[1])
        h, f = ta.made([1.0, 2.0])
        api.run(ta.gather(h, [0], f, element_shape=[3]))
        api.run(ta.gather(h, [0], f, element_shape=[None]))
        api.build("TensorArrayWriteV3", *ta.made(element_shape=[2])[:1], 0, [1.0], 0.0)
        h, f = ta.made(1.0, 2.0, size=2)
        api.run(ta.concat(h, f))
        h, f = ta.made([[1.0, 2.0]], [[3.0]], size=2)
        api.run(ta.concat(h, f))

    with_arrays(program)


def test_empty() -> None:
    def program(api: Any, ta: Arrays) -> None:
        none = np.zeros(0, np.int32)
        for attrs in ({}, {"element_shape": [2]}, {"element_shape": [None]}):
            h, f = ta.made([1.0, 2.0])
            api.run(ta.gather(h, none, f, **attrs))
        h, f = ta.made(size=0)
        api.run(ta.concat(h, f))
        api.run(ta.concat(h, f, element_shape_except0=[2]))
        api.run(ta.scatter(h, none, np.zeros((0, 2), np.float32), f))
        api.run(ta.size(h, f))

    with_arrays(program, texts=True)


def test_refuses() -> None:
    def program(api: Any, ta: Arrays) -> None:
        h, f = ta.made([1.0, 2.0])
        api.run(ta.write(h, 1, 1, f))
        api.run(ta.read(h, 0, f, "int32"))
        api.run(ta.gather(h, [0], f, "int32"))
        api.run(ta.gather(h, api.hidden([[0]]), f))
        api.run(ta.scatter(h, api.hidden([2, 0, 1]), api.hidden(PAIRS), f))
        api.run(ta.scatter(h, api.hidden([[2]]), api.hidden(PAIRS), f))
        api.run(ta.scatter(h, api.hidden([2]), api.hidden(1.0), f))
        api.run(ta.scatter(h, [2], [1], f))
        api.run(ta.split(h, [[1.0], [2.0]], [1, 0, 2], f))
        h, f = ta.made(size=2)
        api.run(ta.split(h, [[1.0], [2.0]], [1, 1, 0], f))
        api.run(ta.split(h, api.hidden(1.0), [1, 1], f))

    with_arrays(program, texts=True)


def test_closed() -> None:
    def program(api: Any, ta: Arrays) -> None:
        h, f = ta.made([1.0])
        closed = api.after(f, lambda: ta.op("Close", h))
        api.run(api.after(closed, lambda: ta.size(h, f)))
        api.run(api.after(closed, lambda: ta.op("Close", h)))
        api.run(api.after(closed, lambda: ta.write(h, 1, [1.0], f)))

    with_arrays(program)


def test_gradient_arrays() -> None:
    def program(api: Any, ta: Arrays) -> None:
        h, f = ta.made(*PAIRS)
        g, gf = ta.grad(h, f)
        once = ta.write(g, 0, [1.0, 1.0], gf)
        api.run([ta.read(g, 0, once)])
        api.run(ta.read(g, 1, once))
        api.run(ta.read(g, 2, once))
        api.run(ta.gather(g, [0, 1], once))
        api.run(ta.write(g, 0, [1.0], gf))
        api.run(ta.write(g, 0, [1.0], once))
        same, sf = ta.grad(h, once)
        api.run(ta.read(same, 0, sf))
        other, of = ta.grad(h, once, "other")
        api.run(ta.read(other, 0, of))
        api.run(ta.grad(g, gf)[1])
        read = ta.read(h, 0, f)
        late, lf = api.after(read, lambda: ta.grad(h, f))
        api.run(ta.read(late, 0, lf))
        h, f = ta.made([1.0], dynamic_size=True)
        g, gf = ta.grad(h, f)
        api.run(api.after(gf, lambda: ta.write(h, 7, [1.0], f)))
        api.run(ta.read(g, 0, ta.write(g, 0, [2.0], ta.write(g, 0, [1.0], gf))))
        h, f = ta.made(True, dtype="bool")
        g, gf = ta.grad(h, f)
        api.run(ta.write(g, 0, True, ta.write(g, 0, True, gf)))

    with_arrays(program)


def test_gradient_arrays_with_a_shape() -> None:
    def program(api: Any, ta: Arrays) -> None:
        h, f = ta.made([1.0, 2.0])
        g, gf = api.op("TensorArrayGradWithShape", h, f, [3], source="g")
        api.run(ta.read(g, 0, gf))
        api.run(ta.read(g, 0, ta.write(g, 0, np.ones((3, 2), np.float32), gf)))

    with_arrays(program)


def test_static_shapes() -> None:
    def program(api: Any, ta: Arrays) -> None:
        for attrs in ({}, {"element_shape": [2]}, {"element_shape": [None]}, {"identical_element_shapes": True}):
            h, f = ta.made(*PAIRS, **attrs, clear_after_read=False)
            api.run([f, ta.read(h, 0, f), ta.gather(h, [0, 1], f), *ta.concat(h, ta.write(h, 2, PAIRS[0], f))])
            api.run(ta.gather(h, [0], f, element_shape=[2]))
            api.run(ta.gather(h, api.hidden([0]), f, element_shape=[2]))

    with_arrays(program)


# --- the class ----------------------------------------------------------------------------------------------------


def write_read_stack(make: Any, feed: Any) -> list[Any]:
    ta = make("float32", 3)
    ta = ta.write(0, [1.0, 2.0]).write(1, [3.0, 4.0], name="second")
    return [ta.read(0), ta.read(1, name="named"), ta.stack(), ta.stack(name="st"), ta.size(), ta.flow, ta.handle]


def scatter_gather(make: Any, feed: Any) -> list[Any]:
    ta = make("float32", size=2, infer_shape=False, name="foo", element_shape=[2])
    ta = ta.scatter([0, 1], [[1.0, 2.0], [3.0, 4.0]], name="sc")
    return [ta.identity().flow, ta.gather([0, 1], name="g"), ta.grad("source").flow, ta.concat(name="cc"), ta.close()]


def split_concat(make: Any, feed: Any) -> list[Any]:
    ta = make("float32", size=0, dynamic_size=True, clear_after_read=False, tensor_array_name="tt")
    ta = ta.split([[1.0], [2.0]], [1, 1])
    return [ta.concat(), ta.size(name="count"), ta.write(2, [[5.0]], name="w").size()]


def unstack_fed(make: Any, feed: Any) -> list[Any]:
    ta = make("float32", size=feed("int32", []), name="x").unstack(feed("float32", [None, 2]))
    return [ta.stack(), ta.gather([0])]


def unstack_known(make: Any, feed: Any) -> list[Any]:
    ta = make("float32", 3).unstack([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    return [ta.concat(), ta.stack()]


def inconsistent(make: Any, feed: Any) -> list[Any]:
    ta = make("float32", 3).write(0, [1.0, 2.0])
    with pytest.raises(ValueError, match=r"Inconsistent shapes: saw \(3,\) but expected \(2,\)"):
        ta.write(1, [1.0, 2.0, 3.0])
    with pytest.raises(ValueError, match="Argument `size` must be provided if handle is not provided"):
        make("float32")
    with pytest.raises(ValueError, match="Cannot provide both a `handle` and `size` arguments at the same time"):
        make("float32", size=3, handle=ta.handle)
    with pytest.raises(ValueError, match="Cannot provide both `handle` and `dynamic_size` arguments at the same time"):
        make("float32", dynamic_size=True, handle=ta.handle)
    with pytest.raises(TypeError, match="Expected `handle` to be a Tensor"):
        make("float32", handle=3)
    return [make("float32", handle=ta.handle, flow=ta.flow).read(0)]


def drawn(graph: Any, build: Callable[[Any, Any], list[Any]], make: Any, feed: Any) -> list[Any]:
    """The graph that `build` makes: per operation its name, type, inputs, static shapes and the place it asks for."""
    with graph.as_default():
        build(make, feed)
    lines = []
    for op in graph.get_operations():
        groups = op.node_def.attr["_class"].list.s
        inputs = [tensor.name for tensor in op.inputs], [control.name for control in op.control_inputs]
        shapes = [shape.as_list() if shape.ndims is not None else None for shape in (t.get_shape() for t in op.outputs)]
        lines.append((op.name, op.type, *inputs, shapes, list(groups), op.device))
    return lines


@pytest.mark.parametrize(
    "build", [write_read_stack, scatter_gather, split_concat, unstack_fed, unstack_known, inconsistent]
)
def test_the_class_makes_the_graph_that_tensorflow_makes(build: Any) -> None:
    tf = oracle.tensorflow().compat.v1
    enabled = tf.control_flow_v2_enabled()
    tf.disable_control_flow_v2()
    try:
        theirs = drawn(tf.Graph(), build, tf.TensorArray, tf.placeholder)
    finally:
        if enabled:
            tf.enable_control_flow_v2()
    ours = drawn(Graph(), build, TensorArray, placeholder)
    assert ours == theirs


def test_attributes() -> None:
    with Graph().as_default():
        ta = TensorArray("float32", 3, dynamic_size=True).write(0, [1.0])
        assert ta.dtype is dtypes.float32 and ta.dynamic_size and ta.element_shape.as_list() == [1]
        assert ta.handle.dtype is dtypes.resource and ta.flow.shape.as_list() == []
