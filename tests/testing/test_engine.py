"""The wire door: graphs that TensorFlow's frontend wrote, run by name through `Engine`, with TensorFlow's answers."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from runstep import errors
from runstep.protos import config_pb2
from runstep.testing.engine import Engine, EngineError
from runstep.testing.oracle import tensorflow


@pytest.fixture(scope="module")
def v1() -> Any:
    return tensorflow().compat.v1


@pytest.fixture(params=[1, 2], ids=["control flow v1", "control flow v2"])
def tf(v1: Any, request: pytest.FixtureRequest) -> Iterator[Any]:
    """TensorFlow inside an empty graph, once for each generation of its control flow."""
    was = v1.control_flow_v2_enabled()
    (v1.disable_control_flow_v2 if request.param == 1 else v1.enable_control_flow_v2)()
    with v1.Graph().as_default():
        yield v1
    (v1.enable_control_flow_v2 if was else v1.disable_control_flow_v2)()


def door(tf: Any, config: bytes = b"") -> Engine:
    engine = Engine(config)
    engine.extend(tf.get_default_graph().as_graph_def().SerializeToString())
    return engine


def agree(tf: Any, fetches: list[Any], feeds: dict[Any, Any] | None = None, first: tuple[Any, ...] = ()) -> list[Any]:
    """Runs `first`, then `fetches`, on both; the values must be the same. Returns them."""
    feeds = feeds or {}
    engine = door(tf)
    with tf.Session() as session:
        for op in first:
            session.run(op)
            engine.run({}, [], [op.name])
        expected = session.run(fetches, feeds)
    found, _ = engine.run({tensor.name: value for tensor, value in feeds.items()}, [tensor.name for tensor in fetches])
    for ours, theirs in zip(found, expected, strict=True):
        assert np.asarray(ours).dtype == np.asarray(theirs).dtype and np.shape(ours) == np.shape(theirs)
        if np.asarray(theirs).dtype == object:
            assert np.asarray(ours).tolist() == np.asarray(theirs).tolist()
        else:
            np.testing.assert_allclose(ours, theirs, rtol=1e-5)
    engine.close()
    return found


def test_run_by_name(tf: Any) -> None:
    x = tf.placeholder(tf.float32, [None, 2], name="x")
    y = tf.matmul(x, [[1.0, 2.0], [3.0, 4.0]], name="y")
    agree(tf, [y, tf.reduce_sum(y), x + 1], {x: np.ones((3, 2), np.float32)})
    engine = door(tf)
    values, metadata = engine.run({"x": [[1, 1]]}, ["y"])
    assert values[0].tolist() == [[4, 6]] and metadata == b""


def test_the_graph_grows_in_steps(tf: Any) -> None:
    """Later pieces take inputs from earlier ones, colocate with them, and bring functions of their own."""
    graph = tf.get_default_graph()
    engine = Engine()
    sent: set[str] = set()

    def send() -> None:
        piece = graph.as_graph_def()
        new = [node for node in piece.node if node.name not in sent]
        sent.update(node.name for node in new)
        del piece.node[:]
        piece.node.extend(new)
        engine.extend(piece.SerializeToString())

    a = tf.constant([1.0, 2.0], name="a")
    send()
    assert engine.run({}, ["a:0"])[0][0].tolist() == [1, 2]
    with tf.colocate_with(a.op):
        b = tf.square(a, name="b")
    send()
    assert engine.run({}, ["b:0", "a:0"])[0][0].tolist() == [1, 4]
    doubled = tensorflow().function(lambda t: t * 2)
    tf.identity(doubled(b), name="c")
    with tf.control_dependencies([b]):
        tf.no_op(name="after")
    send()
    assert engine.run({}, ["c:0"], ["after"])[0][0].tolist() == [2, 8]


def test_a_refused_piece_leaves_the_graph_as_it_was(tf: Any) -> None:
    a = tf.constant(1.0, name="a")
    engine = door(tf)
    with tf.Graph().as_default() as other:
        tf.identity(tf.constant(1.0, name="b"), name="c")
        piece = other.as_graph_def()
    del piece.node[0]
    with pytest.raises(EngineError) as caught:
        engine.extend(piece.SerializeToString())
    assert caught.value.code == errors.INVALID_ARGUMENT and "b" in caught.value.message
    with pytest.raises(EngineError):
        engine.extend(b"\xff\xff\xff")
    assert engine.run({}, [a.name])[0] == [1.0]
    with pytest.raises(EngineError):
        engine.extend(tf.get_default_graph().as_graph_def().SerializeToString())  # a second node "a"


def test_reference_variables(tf: Any) -> None:
    v = tf.Variable([1.0, 2.0], use_resource=False)
    add = tf.assign_add(v, [1.0, 1.0])
    engine = door(tf)
    with pytest.raises(EngineError) as caught:
        engine.run({}, [v.name])
    assert caught.value.code == errors.FAILED_PRECONDITION and "uninitialized value" in caught.value.message
    engine.run({}, [], [v.initializer.name])
    assert engine.run({}, [add.name])[0][0].tolist() == [2, 3]
    engine.run({}, [], [add.op.name])
    assert engine.run({}, [v.name])[0][0].tolist() == [3, 4]


def test_variables_and_updates(tf: Any) -> None:
    v = tf.Variable([1.0, 2.0], use_resource=False)
    w = tf.Variable([1.0, 2.0], use_resource=True)
    updates = [tf.scatter_add(v, [0], [5.0]), w.scatter_nd_update([[1]], [7.0])]
    with tf.control_dependencies(updates):
        read = tf.identity(v.read_value()), w.read_value()
    agree(tf, list(read), first=(v.initializer, w.initializer))


GRAPHS: dict[str, Callable[[Any, Any], list[Any]]] = {
    "cond": lambda tf, x: [tf.cond(tf.reduce_sum(x) > 0, lambda: x * 2, lambda: x - 1)],
    "while_loop": lambda tf, x: list(tf.while_loop(lambda i, v: i < 5, lambda i, v: (i + 1, v * 1.5), [0, x])),
    "nested loops": lambda tf, x: [
        tf.while_loop(
            lambda i, v: i < 3,
            lambda i, v: (i + 1, tf.while_loop(lambda j, u: j < i, lambda j, u: (j + 1, u + 1.0), [0, v])[1]),
            [0, x],
        )[1]
    ],
    "case": lambda tf, x: [tf.case([(x[0] < 0, lambda: x), (x[0] > 0, lambda: x * 10)], default=lambda: x + 1)],
    "map_fn": lambda tf, x: [tf.map_fn(lambda e: e * e, x)],
    "scan": lambda tf, x: [tf.scan(lambda a, e: a + e, x)],
    "switch_case": lambda tf, x: [tf.switch_case(tf.constant(1), [lambda: x, lambda: -x])],
    "strings": lambda tf, x: [tf.strings.join([tf.as_string(x), ["a", "é"]]), tf.string_split(["a b"]).values],
    "sparse": lambda tf, x: [tf.sparse_tensor_dense_matmul(tf.SparseTensor([[0, 1]], [2.0], [2, 2]), x[:, None])],
    "slices": lambda tf, x: [x[::-1], x[None, ..., :1], tf.gather(x, [1, 0, 1]), tf.boolean_mask(x, [True, False])],
    "nn": lambda tf, x: [tf.nn.softmax(x), tf.nn.top_k(x).indices, tf.nn.l2_normalize(x, 0)],
    "gradients": lambda tf, x: tf.gradients(tf.reduce_sum(tf.exp(x) * tf.cond(x[0] > 0, lambda: x, lambda: -x)), [x]),
    "loop gradients": lambda tf, x: tf.gradients(
        tf.while_loop(lambda i, v: i < 4, lambda i, v: (i + 1, v * v), [0, x])[1], [x]
    ),
    "tensor array": lambda tf, x: [tf.TensorArray(tf.float32, 2).unstack(x).stack()],
    "function": lambda tf, x: [tensorflow().function(lambda t: t * 2 if t.shape[0] == 2 else t)(x)],
    "defun": lambda tf, x: [tensorflow().function(lambda t: tensorflow().cond(t[0] > 0, lambda: t, lambda: -t))(x)],
    "dead": lambda tf, x: [tf.raw_ops.Merge(inputs=list(tf.raw_ops.Switch(data=x, pred=x[0] > 0)))[1]],
}


@pytest.mark.parametrize("name", GRAPHS)
def test_graphs(tf: Any, name: str) -> None:
    x = tf.placeholder(tf.float32, [2], name="x")
    agree(tf, GRAPHS[name](tf, x), {x: np.array([1.5, 0.5], np.float32)})


def test_a_function_whose_gradient_is_another_of_the_library(tf: Any) -> None:
    function = importlib.import_module("tensorflow.python.framework.function")
    steep = function.Defun(tf.float32, tf.float32, func_name="steep")(lambda x, dy: x * dy * 7.0)
    square = function.Defun(tf.float32, func_name="square", grad_func=steep)(lambda x: x * x)
    x = tf.constant([1.0, 2.0])
    assert agree(tf, tf.gradients(square(x), [x]))[0].tolist() == [7, 14]


TEXTS: dict[str, Callable[[Any, Any], Any]] = {
    "Unable to broadcast tensor of shape [3] to tensor of shape [2,1]": lambda tf, n: tf.broadcast_to(tf.ones([3]), n),
    "'axis'[0] = 2 is out of valid range [": lambda tf, n: tf.reverse(tf.ones([3]), n),
    "Split size at index 0 must be >= 0. Got: -2": lambda tf, n: tf.split(tf.ones([3]), -n, num=2)[0],
    "Inputs to operation Select of type Select must have the same size and shape.  Input 0: [2] != input 1: [3]": (
        lambda tf, n: tf.where(n > 0, tf.ones([3]), tf.ones([3]))
    ),
}


@pytest.mark.parametrize("text", TEXTS)
def test_texts(v1: Any, text: str) -> None:
    """What a test of TensorFlow may look for in a message."""
    with v1.Graph().as_default():
        n = v1.placeholder(v1.int32, [None])
        y = TEXTS[text](v1, n)
        with v1.Session() as session, pytest.raises(v1.errors.InvalidArgumentError, match=re.escape(text)):
            session.run(y, {n: [2, 1]})
        with pytest.raises(EngineError, match=re.escape(text)):
            door(v1).run({n.name: [2, 1]}, [y.name])


def test_kept_tensors(v1: Any) -> None:
    """A handle leaves as a string, which names the tensor, and may be fed as the bytes of its message (S170)."""
    handles = importlib.import_module("tensorflow.core.framework.resource_handle_pb2")
    with v1.Graph().as_default():
        kept = v1.get_session_handle(v1.constant([1.0, 2.0]))
        holder, taken = v1.get_session_tensor("x;0;/device:CPU:0", v1.float32)
        x = v1.placeholder(v1.float32, [2])
        doubled = x * 2
        engine = door(v1)
    (handle,), _ = engine.run({}, [kept.name])
    text = handle.item()
    assert isinstance(text, bytes) and text.startswith(b"GetSessionHandle;0;")
    message = handles.ResourceHandleProto(container="TensorHandle", name=text.decode())
    wire = np.frombuffer(message.SerializeToString(), np.dtype([("resource", np.ubyte)]))
    (again, product), _ = engine.run({holder.name: text, x.name: wire}, [taken.name, doubled.name])
    assert again.tolist() == [1, 2] and product.tolist() == [2, 4]
    message.name = "gone;1;"
    wire = np.frombuffer(message.SerializeToString(), wire.dtype)
    with pytest.raises(EngineError, match="The tensor with handle 'gone;1;' is not in the session store"):
        engine.run({x.name: wire}, [doubled.name])


def test_words_of_partial_runs(v1: Any) -> None:
    """The feed that is told to be missing is the one that TensorFlow's search finds first."""
    with v1.Graph().as_default():
        a, b, c = (v1.placeholder(v1.float32, [], name=name) for name in "abc")
        sum_ = a + b
        product = sum_ * c
        engine = door(v1)
        with v1.Session() as session:
            theirs = session.partial_run_setup([product], [a, b, c])
            with pytest.raises(v1.errors.InvalidArgumentError) as expected:
                session.partial_run(theirs, product, {a: 1})
    handle = engine.partial_run_setup(["a:0", "b:0", "c:0"], [product.name])
    with pytest.raises(EngineError) as caught:
        engine.partial_run(handle, {"a:0": 1}, [product.name])
    assert caught.value.message == expected.value.message.splitlines()[-1] and "Fetch c:0" in caught.value.message
    with pytest.raises(EngineError) as caught:
        engine.partial_run(handle, {}, ["later:0"])
    assert caught.value.code == errors.INVALID_ARGUMENT and "later:0 was not specified" in caught.value.message
    engine.close()
    with pytest.raises(EngineError, match="Session has been closed") as caught:
        engine.run({}, ["a:0"])
    assert caught.value.code == errors.CANCELLED


def test_queues(tf: Any) -> None:
    queue = tf.FIFOQueue(3, tf.float32, shapes=[[]])
    put, take = queue.enqueue_many([[1.0, 2.0, 3.0]]), queue.dequeue_many(2)
    engine = door(tf)
    engine.run({}, [], [put.name])
    assert engine.run({}, [take.name])[0][0].tolist() == [1, 2]
    options = config_pb2.RunOptions(timeout_in_ms=30).SerializeToString()
    with pytest.raises(EngineError) as caught:
        engine.run({}, [take.name], (), options)
    assert caught.value.code == errors.DEADLINE_EXCEEDED


def test_python_functions_of_the_client(tf: Any) -> None:
    x = tf.placeholder(tf.float32, [2], name="x")
    doubled = tf.py_func(lambda x: x * 2, [x], tf.float32, name="doubled")
    agree(tf, [doubled, tf.numpy_function(np.sum, [doubled], tf.float32)], {x: [1.0, 2.0]})
    wrong = tf.py_func(lambda x: x.astype(np.int64), [x], tf.float32, name="wrong")
    with pytest.raises(EngineError, match="0-th value returned by pyfunc_.* is int64, but expects float"):
        door(tf).run({"x": [1.0, 2.0]}, [wrong.name])


def test_eager_functions_of_the_client(tf: Any) -> None:
    """`py_function`: on TensorFlow's eager tensors, with the tape that its gradient asks for."""
    x = tf.placeholder(tf.float32, [2], name="x")

    def cube(x: Any) -> Any:
        assert hasattr(x, "numpy")
        return x * x * x

    y = tf.py_function(cube, [x], tf.float32)
    words = tf.py_function(lambda s: [s + "!", tf.size(s)], [["a", "b"]], [tf.string, tf.int32])
    none = tf.py_function(lambda x: None, [x], [])
    agree(tf, [y, *words, *tf.gradients(tf.ensure_shape(y, [2]), [x])], {x: [1.0, 2.0]})
    engine = door(tf)
    engine.run({"x": [1.0, 2.0]}, [], [none.name])
    bad = tf.py_function(lambda x: 1 // 0, [x], tf.float32)
    with pytest.raises(EngineError, match="ZeroDivisionError"):
        door(tf).run({"x": [1.0, 2.0]}, [bad.name])


def test_strings_and_odd_types(tf: Any) -> None:
    s = tf.placeholder(tf.string, [None])
    b = tf.placeholder(tf.bfloat16, [2])
    h = tf.placeholder(tf.half, [])
    engine = door(tf)
    text, narrow, half = engine.run({s.name: ["né", b"\0x"], b.name: [1, 2], h.name: 0.5}, [s.name, b.name, h.name])[0]
    assert text.dtype == object and text.tolist() == ["né".encode(), b"\0x"]
    assert narrow.dtype.name == "bfloat16" and half.dtype == np.float16


def test_options_and_metadata(tf: Any) -> None:
    x = tf.constant(2.0)
    y = tf.square(x, name="y")
    options = config_pb2.RunOptions(trace_level=config_pb2.RunOptions.FULL_TRACE, output_partition_graphs=True)
    values, data = door(tf).run({}, [y.name], (), options.SerializeToString())
    seen = tf.RunMetadata.FromString(data)
    assert values == [4.0] and [graph for graph in seen.partition_graphs]
    assert "y" in [node.node_name for device in seen.step_stats.dev_stats for node in device.node_stats]


def test_errors(tf: Any) -> None:
    """Code, the kernel's own text, and the node; the engine goes on."""
    x = tf.placeholder(tf.int32, [], name="x")
    quotient = tf.floordiv(tf.constant(1), x, name="quotient")
    engine = door(tf)
    cases = [
        (({"x:0": 0}, ["quotient:0"]), errors.INVALID_ARGUMENT, "quotient", "Integer division by zero"),
        (({}, ["quotient:0"]), errors.INVALID_ARGUMENT, "x", "You must feed a value for placeholder tensor 'x'"),
        (({}, ["nothing:0"]), errors.NOT_FOUND, "", "nothing:0"),
        (({}, [], ["nothing"]), errors.NOT_FOUND, "", "nothing"),
        (({"no:0": 1}, []), errors.NOT_FOUND, "", "no:0"),
        (({"x:0": [1, 2]}, ["quotient:0"]), errors.INVALID_ARGUMENT, "", "Cannot feed value of shape"),
    ]
    for arguments, code, node, text in cases:
        with pytest.raises(EngineError) as caught:
            engine.run(*arguments)  # type: ignore[arg-type]
        assert (caught.value.code, caught.value.node) == (code, node)
        assert text in caught.value.message and "Graph execution error" not in caught.value.message
        assert "Detected at node" not in caught.value.message
    with pytest.raises(EngineError, match=r"with dtype int32\n"):  # TensorFlow leaves out the shape of a scalar
        engine.run({}, ["quotient:0"])
    assert engine.run({"x:0": 1}, [quotient.name])[0] == [1]


def test_devices_and_config(tf: Any) -> None:
    config = config_pb2.ConfigProto(device_count={"CPU": 2}).SerializeToString()
    with tf.device("/cpu:1"):
        tf.constant(3.0, name="there")
    engine = door(tf, config)
    assert [device[:2] for device in engine.list_devices()] == [
        (f"/job:localhost/replica:0/task:0/device:CPU:{i}", "CPU") for i in range(2)
    ]
    assert engine.run({}, ["there:0"])[0] == [3.0]
    with pytest.raises(EngineError) as caught:
        door(tf).run({}, ["there:0"])
    assert caught.value.code == errors.INVALID_ARGUMENT and "Cannot assign a device" in caught.value.message


def test_close(tf: Any) -> None:
    tf.constant(1.0, name="a")
    engine = door(tf)
    engine.close()
    engine.close()
    for call in (lambda: engine.run({}, ["a:0"]), lambda: engine.partial_run_setup([], ["a:0"]), engine.list_devices):
        with pytest.raises(EngineError):
            call()


def test_partial_run(tf: Any) -> None:
    """S140-S155 by name."""
    a, b, c = (tf.placeholder(tf.float32, [], name=name) for name in "abc")
    r1 = tf.add(a, b, name="r1")
    tf.multiply(tf.cond(r1 > 0, lambda: r1, lambda: -r1), c, name="r2")
    v = tf.Variable(0.0, use_resource=False, name="v")
    tf.assign(v, r1, name="keep")
    engine = door(tf)
    engine.run({}, [], [v.initializer.name])
    handle = engine.partial_run_setup(["a:0", "b:0", "c:0"], ["r1:0", "r2:0"], ["keep"])
    assert isinstance(handle, str)
    assert engine.partial_run(handle, {"a:0": -1, "b:0": -2}, ["r1:0"]) == [-3]
    assert engine.run({}, ["v:0"])[0] == [-3]
    for feeds, fetches, text in (
        ({"a:0": 1}, ["r2:0"], "The feed a:0 has already been fed."),
        ({}, ["r2:0"], "Fetch c:0 can't be computed from the feeds that have been fed so far."),
        ({}, ["r1:0"], "The fetch r1:0 has already been fetched."),
        ({}, ["c:0"], "The fetch c:0 was not specified in partial_run_setup."),
    ):
        with pytest.raises(EngineError) as caught:
            engine.partial_run(handle, feeds, fetches)
        assert (caught.value.code, caught.value.message) == (errors.INVALID_ARGUMENT, text)
    assert engine.partial_run(handle, {"c:0": 2}, ["r2:0"]) == [6]
    with pytest.raises(EngineError, match="Must run 'setup' before performing partial runs!"):
        engine.partial_run("no handle", {}, ["r1:0"])
    with pytest.raises(EngineError, match="Must specify at least one target"):
        engine.partial_run_setup([], [])
