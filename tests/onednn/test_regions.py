"""Regions: what goes into one, what comes out, and what happens where oneDNN can't be used."""

from __future__ import annotations

import ctypes.util
import os
import subprocess
import sys
import threading
from typing import Any

import numpy as np
import pytest

import runstep as tf
from runstep import errors
from runstep.graph.apply import apply
from runstep.kernels.onednn import api, library, provider
from runstep.plan import regions

RNG = np.random.default_rng(5)
W = RNG.normal(size=(3, 3, 4, 4)).astype(np.float32)


def real(*shape: int) -> Any:
    return RNG.normal(size=shape).astype(np.float32)


def conv(x: Any) -> Any:
    return apply("Conv2D", x, W, strides=[1, 1, 1, 1], padding="SAME")


def ints(*values: int) -> Any:
    return np.array(values, np.int32)


OPS = {
    "max pool": lambda x: apply("MaxPool", x, ksize=[1, 3, 2, 1], strides=[1, 2, 2, 1], padding="SAME"),
    "avg pool": lambda x: apply("AvgPool", x, ksize=[1, 3, 3, 1], strides=[1, 1, 2, 1], padding="SAME"),
    "avg pool, valid": lambda x: apply("AvgPool", x, ksize=[1, 2, 2, 1], strides=[1, 2, 2, 1], padding="VALID"),
    "mean": lambda x: apply("Mean", x, ints(1, 2), keep_dims=True),
    "mean of channels": lambda x: apply("Mean", x, ints(3), keep_dims=False),
    "bilinear": lambda x: apply("ResizeBilinear", x, ints(16, 9), half_pixel_centers=True),
    "bilinear, smaller": lambda x: apply("ResizeBilinear", x, ints(5, 3), half_pixel_centers=True),
    "bilinear, legacy": lambda x: apply("ResizeBilinear", x, ints(16, 12)),
    "bilinear, corners": lambda x: apply("ResizeBilinear", x, ints(16, 12), align_corners=True),
    "nearest": lambda x: apply("ResizeNearestNeighbor", x, ints(16, 12), half_pixel_centers=True),
    "nearest, legacy": lambda x: apply("ResizeNearestNeighbor", x, ints(24, 18)),
    "nearest, smaller": lambda x: apply("ResizeNearestNeighbor", x, ints(5, 4)),
    "softmax": lambda x: apply("Softmax", apply("Reshape", x, ints(-1, 4))),
    "pad": lambda x: apply("Pad", x, np.array([[0, 0], [1, 2], [0, 1], [0, 3]], np.int32)),
    "concat": lambda x: apply("ConcatV2", [x, apply("Relu", x)], np.int32(3)),
    "concat of rows": lambda x: apply("ConcatV2", [x, x], np.int32(1)),
    "squeeze": lambda x: apply("Squeeze", apply("Mean", x, ints(1, 2), keep_dims=True), squeeze_dims=[1, 2]),
    "expand": lambda x: apply("ExpandDims", apply("Mean", x, ints(1, 2), keep_dims=False), np.int32(-2)),
    "add of three": lambda x: apply("AddN", [x, apply("Relu", x), apply("Tanh", x)]),
    "row by position": lambda x: apply("Mul", x, np.arange(8, dtype=np.float32).reshape(8, 1, 1)),
    "larger constant": lambda x: apply("Sub", np.ones((2, 1, 1, 4), np.float32), x),
    "matmul": lambda x: apply("MatMul", W[0, 0], apply("Reshape", x, ints(-1, 4)), transpose_b=True),
}


@pytest.mark.parametrize("name", OPS)
def test_op_between_convolutions(sides: Any, name: str) -> None:
    sides.check(lambda x: OPS[name](apply("Relu", conv(x))), real(2, 8, 6, 4), shapes=[[None, None, None, 4]])
    assert sides.programs[-1] is not None


@pytest.mark.parametrize("kind", ["MaxPool", "AvgPool"])
@pytest.mark.parametrize(
    ("taps", "stride", "padding"), [(2, 2, "SAME"), (3, 2, "SAME"), (3, 1, "VALID"), (2, 3, "SAME")]
)
def test_gradients_of_pooling(sides: Any, kind: str, taps: int, stride: int, padding: str) -> None:
    """Of several equal maxima (after a Relu, zeros) the first one gets the gradient."""
    attrs: Any = {"ksize": [1, taps, taps, 1], "strides": [1, stride, stride, 1], "padding": padding}

    def build(x: Any) -> Any:
        y = apply("Relu", conv(x))
        pooled = apply(kind, y, **attrs)
        g = apply("Mul", apply("Tanh", pooled), np.float32(3))
        if kind == "MaxPool":
            return [apply("MaxPoolGrad", y, pooled, g, **attrs), g]
        return [apply("AvgPoolGrad", ints(2, 7, 8, 4), g, **attrs), g]

    sides.check(build, real(2, 7, 8, 4))
    assert "numpy" not in sides.steps()


def test_sizes_come_from_shapes(sides: Any) -> None:
    """What depends on nothing but shapes is worked out once for each shape, inside of the region."""

    def build(x: Any) -> Any:
        y = conv(x)
        batch = apply("StridedSlice", apply("Shape", y), ints(0), ints(1), ints(1), shrink_axis_mask=1)  # y.shape[0]
        flat = apply("Reshape", y, apply("Pack", [batch, np.int32(-1)]))
        return [apply("Relu", flat), batch]

    for batch in (1, 3):
        found = sides.check(build, real(batch, 4, 4, 4), shapes=[[None, None, None, 4]])
        assert found[0].shape == (batch, 64)
        assert sides.programs[-1] is not None


def test_a_program_for_each_shape(sides: Any) -> None:
    graph = tf.Graph()
    with graph.as_default():
        x = tf.placeholder(tf.float32, [None, None, None, 4])
        y = conv(x)
    with tf.Session(graph=graph) as session:
        for size in (3, 5, 3, 5, 3):
            image = real(1, size, size, 4)
            np.testing.assert_allclose(session.run(y, {x: image})[0, 1, 1], np.tensordot(image[0, :3, :3], W, 3), 1e-4)
    assert len(sides.programs) == 2


def test_a_region_does_not_wait_for_itself_by_way_of_a_control(sides: Any) -> None:
    """A check of the activation, and a copy of the input that waits for the check."""

    def build(x: Any) -> Any:
        y = tf.nn.relu(conv(x))
        with tf.control_dependencies([tf.Assert(tf.reduce_all(tf.equal(tf.shape(y), tf.shape_n([x, y])[1])), [y])]):
            waits = tf.identity(x)
        return apply("AddV2", y, conv(waits))

    sides.check(build, real(1, 8, 6, 4), shapes=[[None, None, None, 4]])
    assert None not in sides.programs


def test_a_region_is_not_left_and_entered_again(sides: Any) -> None:
    """`a` goes into the region both directly and by way of an op that oneDNN does not compute."""

    def build(x: Any) -> Any:
        a = conv(x)
        b = apply("Sin", a)
        return apply("AddV2", conv(apply("Relu", a)), conv(b))

    sides.check(build, real(1, 5, 5, 4))
    assert len(sides.programs) == 2


def test_empty_inputs_go_node_by_node(sides: Any) -> None:
    sides.check(lambda x: apply("Relu", conv(x)), real(0, 5, 5, 4), shapes=[[None, 5, 5, 4]])
    assert sides.programs == [None]


def test_an_error_names_its_node(sides: Any) -> None:
    graph = tf.Graph()
    with graph.as_default():
        x = tf.placeholder(tf.float32, [None, None, None, None])
        y = tf.nn.relu(tf.nn.conv2d(x, tf.constant(W), 1, "SAME", name="culprit"))
    with tf.Session(graph=graph) as session:
        with pytest.raises(errors.InvalidArgumentError) as caught:
            session.run(y, {x: real(1, 5, 5, 3)})
        assert caught.value.op.name == "culprit"
        assert session.run(y, {x: real(1, 5, 5, 4)}).shape == (1, 5, 5, 4)


def test_branches_keep_their_conditions(sides: Any) -> None:
    """Only the branch that is taken runs, and what is outside of it runs in any case."""

    def build(x: Any, p: Any) -> Any:
        outside = conv(x)
        inside = tf.cond(p, lambda: conv(apply("Relu", outside)), lambda: apply("Neg", conv(outside)))
        return [inside, outside]

    for value in (True, False):
        sides.check(build, real(1, 4, 4, 4), np.array(value))


def test_loops(sides: Any) -> None:
    def build(x: Any) -> Any:
        return tf.while_loop(lambda i, y: i < 3, lambda i, y: (i + 1, tf.tanh(conv(y))), (tf.constant(0), x))[1]

    sides.check(build, real(1, 4, 4, 4))
    assert len(sides.programs) == 1


def test_threads_at_once(sides: Any) -> None:
    graph = tf.Graph()
    with graph.as_default():
        x = tf.placeholder(tf.float32, [1, 8, 8, 4])
        y = conv(apply("Relu", conv(x)))
    images = [real(1, 8, 8, 4) for _ in range(4)]
    with tf.Session(graph=graph) as session:
        wanted = [session.run(y, {x: image}) for image in images]
        found: dict[int, bool] = {}

        def work(number: int) -> None:
            found[number] = all((session.run(y, {x: images[number]}) == wanted[number]).all() for _ in range(50))

        threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert found == dict.fromkeys(range(4), True)


def test_the_threads_setting_of_the_caller_stays(sides: Any) -> None:
    found = api.get()
    if found is None or found.threads is None:
        pytest.skip("this library has no OpenMP")
    before = found.max_threads()
    try:
        for count in (1, 3):
            found.threads(count)
            sides.run(conv, real(1, 60, 60, 4))
            assert found.max_threads() == count
    finally:
        found.threads(before)


def test_options_turn_it_off(sides: Any) -> None:
    """OptimizerOptions.L0, and step statistics, show every node by itself."""
    graph = tf.Graph()
    with graph.as_default():
        y = conv(tf.constant(real(1, 4, 4, 4)))
        x = tf.placeholder(tf.float32, [1, 4, 4, 4])
        y = conv(x)
    config = tf.ConfigProto()
    config.graph_options.optimizer_options.opt_level = tf.OptimizerOptions.L0
    with tf.Session(graph=graph, config=config) as session:
        session.run(y, {x: real(1, 4, 4, 4)})
    with tf.Session(graph=graph) as session:
        session.run(y, {x: real(1, 4, 4, 4)}, tf.RunOptions(trace_level=tf.RunOptions.FULL_TRACE), tf.RunMetadata())
        assert sides.programs == []
        session.run(y, {x: real(1, 4, 4, 4)})
    assert len(sides.programs) == 1


def test_a_plan_without_convolutions_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(regions, "join", lambda *args: pytest.fail("asked"))
    assert tf.Session is not None
    graph = tf.Graph()
    with graph.as_default():
        y = tf.nn.relu(tf.placeholder_with_default(np.float32(-1), []))
    with tf.Session(graph=graph) as session:
        assert session.run(y) == 0


# --- the library ------------------------------------------------------------------------------------------------------


@pytest.mark.without_library
@pytest.mark.parametrize(
    ("version", "words"),
    [((2, 7, 3, 2), "oneDNN 2.7.3"), ((3, 0, 0, 2), "3.1 on"), ((4, 0, 1, 2), "oneDNN 4.0.1"), ((3, 5, 0, 512), "CPU")],
)
def test_a_version_with_another_interface_is_refused(version: Any, words: str) -> None:
    assert words in (library.refusal(library.Version(*version)) or "")
    assert library.refusal(library.Version(3, 2, 0, 2)) is None


@pytest.mark.without_library
def test_a_named_library_that_is_none_is_an_error() -> None:
    libc = ctypes.util.find_library("c")
    for path in ("/no/such/libdnnl.so.3", libc or "libc.so.6"):
        with pytest.raises(errors.FailedPreconditionError, match="RUNSTEP_ONEDNN=.*pip install onednn-cpu-gomp"):
            library.open_named(path)


@pytest.mark.without_library
@pytest.mark.parametrize("value", ["0", "off"])
def test_turned_off_everything_works(value: str) -> None:
    code = """
import numpy as np, runstep as tf
x = tf.placeholder(tf.float32, [1, 4, 4, 2])
y = tf.nn.relu(tf.nn.conv2d(x, tf.ones([3, 3, 2, 1]), 1, "SAME"))
print(tf.Session().run(y, {x: np.ones((1, 4, 4, 2), np.float32)})[0, 1, 1, 0])
from runstep.kernels.onednn import api
print(api.get())
"""
    environment = {**os.environ, "RUNSTEP_ONEDNN": value}
    command = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.stdout.split() == ["18.0", "None"], done.stderr


def test_it_is_found() -> None:
    found = provider.get()
    assert found is not None and found.api is not None
    assert found.api.version.major == 3


def test_large_results_that_leave_a_region(sides: Any) -> None:
    """The aliases of a region's outputs cost nothing, whatever op they were (plans of large feeds are weighed)."""

    def build(x: Any, g: Any) -> Any:
        return apply("Conv2DBackpropInput", ints(1, 90, 90, 4), W, g, strides=[1, 1, 1, 1], padding="SAME")

    sides.check(build, real(1, 90, 90, 4), real(1, 90, 90, 4), shapes=[[None, None, None, 4]] * 2)
