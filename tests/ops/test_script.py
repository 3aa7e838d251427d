"""py_func against TensorFlow; what is ours: coroutine functions, and the original exception as the cause."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from runstep import errors
from runstep.graph import dtypes
from runstep.graph.convert import constant
from runstep.graph.graph import Graph
from runstep.kernels import scripts
from runstep.kernels.waiting import NeedsLoop, Waiter, park
from runstep.ops import script_ops
from runstep.testing import oracle
from runstep.testing.bench import Bench
from runstep.testing.building import compare_graphs


@pytest.fixture
def bench() -> Iterator[Bench]:
    bench = Bench()
    with bench.graph.as_default():
        yield bench


RETURNS: dict[str, tuple[Callable[..., Any], Any]] = {
    "array": (lambda v: v * 2, "float32"),
    "list of one": (lambda v: [v], "float32"),
    "python float": (lambda v: 3.5, "float64"),
    "wrong float": (lambda v: 3.5, "float32"),
    "python int": (lambda v: 3, "int64"),
    "wrong int": (lambda v: 3, "int32"),
    "int for float": (lambda v: 3, "float32"),
    "wrong array": (lambda v: v, "float64"),
    "str": (lambda v: "abc", "string"),
    "bytes with zeros": (lambda v: b"a\0b\0", "string"),
    "array of str": (lambda v: np.array(["a", "d"]), "string"),
    "array of objects": (lambda v: np.array(["a", b"d"], object), "string"),
    "list of str": (lambda v: ["abc", "d"], "string"),
    "string for float": (lambda v: "a", "float32"),
    "none": (lambda v: None, "float32"),
    "none for nothing": (lambda v: None, []),
    "empty list": (lambda v: [], []),
    "too many": (lambda v: (v, v), ["float32"]),
    "too few": (lambda v: (v,), ["float32", "float32"]),
    "one for two": (lambda v: v, ["float32", "float32"]),
    "two": (lambda v: [v, v], ["float32", "float32"]),
    "object": (lambda v: object(), "float32"),
    "object of ints": (lambda v: np.array([1, 2], object), "int64"),
    "bytes of numpy": (lambda v: np.bytes_(b"ab"), "string"),
    "text of numpy": (lambda v: np.str_("ab"), "string"),
    "turned": (lambda v: np.arange(6.0).reshape(2, 3)[:, ::-1].T, "float64"),
    "bool": (lambda v: True, "bool"),
    "complex": (lambda v: 1j, "complex128"),
    "argument types": (
        lambda v: np.array(" ".join(f"{type(a).__name__} {a.flags.writeable}" for a in [v])),
        "string",
    ),
}


@pytest.mark.parametrize("stateful", [True, False])
@pytest.mark.parametrize("name", RETURNS)
def test_returned_values(name: str, stateful: bool, bench: Bench) -> None:
    function, types = RETURNS[name]
    tf = oracle.tensorflow().compat.v1
    value = np.array([1.0, 2.0], np.float32)
    with tf.Graph().as_default(), tf.Session() as session:
        tout = [tf.as_dtype(t) for t in types] if isinstance(types, list) else tf.as_dtype(types)
        theirs = tf.py_func(function, [value], tout, stateful=stateful)
        made = script_ops.py_func(function, [value], types, stateful=stateful)
        try:
            want = session.run(theirs)
        except tf.errors.OpError as error:
            with pytest.raises(getattr(errors, type(error).__name__)) as caught:
                bench.run(made)
            text = error.message.split("Node: '", 1)[1].split("\n", 1)[1].split("\n")[0]
            mine = caught.value.message
            assert mine.replace(mine[mine.find("pyfunc_") :].split()[0], "") == text.replace(
                text[text.find("pyfunc_") :].split()[0], ""
            )
            return
    got = bench.run(made)
    wants, gots = (x if isinstance(x, list) else [x] for x in (want, got))
    for x, y in zip(wants, gots, strict=True):
        assert type(x) is type(y) or (x is None and y is None)
        if x is not None:
            np.testing.assert_array_equal(x, y)
            assert getattr(x, "dtype", None) == getattr(y, "dtype", None)


def test_arguments(bench: Bench) -> None:
    seen: list[Any] = []
    inputs = [constant(1), constant(2.5), constant("s"), constant(True), constant(["a"]), constant([1, 2])]
    bench.run(script_ops.py_func(lambda *args: seen.extend(args), inputs, []))
    assert [type(value) for value in seen] == [np.int32, np.float32, bytes, np.bool_, np.ndarray, np.ndarray]
    seen[-1][0] = 5
    assert bench.run(inputs[-1]).tolist() == [1, 2]


@pytest.mark.parametrize(
    ("raised", "kind"),
    [
        (ValueError("boom"), errors.InvalidArgumentError),
        (TypeError("boom"), errors.InvalidArgumentError),
        (StopIteration("boom"), errors.OutOfRangeError),
        (MemoryError("boom"), errors.ResourceExhaustedError),
        (NotImplementedError("boom"), errors.UnimplementedError),
        (KeyError("boom"), errors.UnknownError),
        (errors.AbortedError(None, None, "boom"), errors.UnknownError),
    ],
    ids=lambda x: type(x).__name__,
)
def test_exceptions(raised: Exception, kind: type[errors.OpError], bench: Bench) -> None:  # S185
    def fail() -> Any:
        raise raised

    with pytest.raises(kind, match=f"{type(raised).__name__}: .*boom.*\nTraceback .*\n(.|\n)*in fail") as caught:
        bench.run(script_ops.py_func(fail, [], "float32"))
    assert caught.value.__cause__ is raised


def test_keyboard_interrupt_passes(bench: Bench) -> None:  # S62
    def fail() -> Any:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        bench.run(script_ops.py_func(fail, [], "float32"))


def test_converted_results(bench: Bench) -> None:
    assert bench.run(script_ops.py_function(lambda: 3, [], "float32")) == np.float32(3)
    assert bench.run(script_ops.py_function(lambda: [1, 2], [], dtypes.float64)) == 1.0  # TensorFlow's
    assert bench.run(script_ops.py_function(lambda: [1, 2, 3], [], [dtypes.float64] * 2)) == [1.0, 2.0]
    with pytest.raises(errors.InvalidArgumentError, match="TypeError: Cannot convert 2.5 to a tensor of dtype int32"):
        bench.run(script_ops.py_function(lambda: 2.5, [], "int32"))
    with pytest.raises(errors.InvalidArgumentError, match="returns 0 values, but expects to see 1 values"):
        bench.run(script_ops.py_function(lambda: None, [], "int32"))
    with pytest.raises(errors.InvalidArgumentError, match="TypeError: Cannot convert 'a' to a tensor of dtype float"):
        bench.run(script_ops.py_function(lambda: "a", [], "float32"))


def test_coroutine_function_is_awaited_in_the_loop(bench: Bench) -> None:
    inner = Waiter("inner")

    async def function(value: Any) -> Any:
        await park(inner)
        return value + np.int32(1)

    pending = bench.start(script_ops.py_func(function, [constant(1)], "int32"))
    assert isinstance(pending.waiter, NeedsLoop) and not pending.done
    pending.waiter.wake()
    with pytest.raises(AssertionError, match="inner"):
        pending.resume()
    inner.wake()
    assert pending.resume() == (2,)


def test_coroutine_function_fails(bench: Bench) -> None:
    class Function:
        async def __call__(self) -> Any:
            raise ValueError("boom")

    pending = bench.start(script_ops.py_func(Function(), [], "int32"))
    pending.waiter.wake()  # type: ignore[union-attr]
    with pytest.raises(errors.InvalidArgumentError, match="boom"):
        pending.resume()


def test_function_lives_as_long_as_its_graph() -> None:
    graph = Graph()
    with graph.as_default():
        token = script_ops.py_func(lambda: 1, [], "int64").op.get_attr("token").decode()
    assert scripts.find(token)
    del graph
    gc.collect()
    with pytest.raises(errors.InvalidArgumentError, match=f"callback {token} is not found"):
        scripts.find(token)


def _all(tf: Any) -> None:
    x = tf.constant([1.0, 2.0])
    tf.py_func(lambda v: v, [x], tf.float32)
    tf.py_func(lambda v: v, [x, 1], [tf.float32, tf.int32], stateful=False, name="named")
    tf.numpy_function(lambda v: v, [x], tf.float32)
    tf.py_function(lambda v: v, [x], tf.float32)
    tf.py_func(lambda: None, [], [])


def test_other_byte_orders_are_turned(bench: Bench) -> None:  # TensorFlow gives other numbers
    assert bench.run(script_ops.py_func(lambda: np.array([1, 2], ">f4"), [], "float32")).tolist() == [1.0, 2.0]


def test_inputs_are_a_list() -> None:
    with pytest.raises(TypeError, match="'float' object is not iterable"):
        script_ops.py_func(lambda v: v, 1.0, "float32")


def test_graph_is_tensorflows() -> None:
    compare_graphs(_all, [script_ops])


def test_text_is_utf8(bench: Bench) -> None:
    # TensorFlow takes ASCII only from arrays.
    assert bench.run(script_ops.py_func(lambda: np.array(["é"]), [], "string")).tolist() == ["é".encode()]
