"""Compiled loops give, bit for bit, what numpy's kernels give, however the inputs lie."""

from __future__ import annotations

import os
import subprocess
import sys
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

import runstep as tf
import runstep.ops.table  # noqa: F401
from runstep.graph.apply import apply
from runstep.kernels import tiles
from runstep.kernels.llvm import library, loop, ops
from runstep.kernels.numpy import table  # noqa: F401
from runstep.kernels.registry import numpy_kernel
from runstep.ops.basic import placeholder
from runstep.plan.node import PlanNode

pytestmark = pytest.mark.skipif(not library.is_there(), reason="LLVM isn't installed (pip install llvmlite)")

RNG = np.random.default_rng(5)
SPECIAL = [0.0, -0.0, np.inf, -np.inf, np.nan, 1.0, -1.0, 6.0, 0.5, 1.5, 2.5, -2.5, 1e-45, 3e38, -3e38, 7.0]
ROWS, WIDTH = 12, 33
TWO = {
    *"Add AddV2 Sub Mul Maximum Minimum SquaredDifference Less LessEqual Greater GreaterEqual Equal NotEqual".split(),
    *"RealDiv Div DivNoNan MulNoNan SigmoidGrad TanhGrad SqrtGrad RsqrtGrad ReciprocalGrad InvGrad".split(),
    *"BitwiseAnd BitwiseOr BitwiseXor LogicalAnd LogicalOr".split(),
    *ops.STRICT,
}
FLOATS, INTEGERS = ("float32", "float64"), ("uint8", "int32", "uint64")
OPS = {
    **dict.fromkeys("AddV2 Sub Mul Maximum Minimum".split(), FLOATS + INTEGERS),
    **dict.fromkeys("Add Abs Neg Square SquaredDifference".split(), (*FLOATS, "int32", "int64")),
    **dict.fromkeys("Less LessEqual Greater GreaterEqual".split(), FLOATS + INTEGERS),
    **dict.fromkeys(("Equal", "NotEqual", "SelectV2"), (*FLOATS, *INTEGERS, "bool")),
    **dict.fromkeys(ops.FLOATS, FLOATS),
    **dict.fromkeys(("LeakyRelu", "LeakyReluGrad"), FLOATS),
    "Relu": FLOATS + INTEGERS,
    **dict.fromkeys(("BitwiseAnd", "BitwiseOr", "BitwiseXor", "Invert"), INTEGERS),
    **dict.fromkeys(("LogicalAnd", "LogicalOr", "LogicalNot"), ("bool",)),
}


def array(dtype: str, shape: tuple[int, ...]) -> Any:
    kind = np.dtype(dtype)
    if kind.kind == "f":
        found = RNG.choice(SPECIAL, shape) if len(shape) > 1 else RNG.normal(size=shape)
        return np.where(RNG.random(shape) < 0.5, found, RNG.normal(size=shape) * 5).astype(kind)
    if kind == np.bool_:
        return RNG.random(shape) < 0.5
    limits = np.iinfo(kind)
    return RNG.choice(np.array([limits.min, limits.max, 0, 1, 2, 3], kind), shape)


def plan_node(op: str, inputs: list[Any], **attrs: Any) -> Any:
    with tf.Graph().as_default():
        made = apply(op, *[placeholder(tf.as_dtype(x.dtype), [None, None]) for x in inputs], **attrs).op
    node = PlanNode(made, made.type, made.name)
    node.inputs = [(PlanNode(None, "_Arg", ""), 0)] * len(inputs)
    node.row = numpy_kernel.find(op, made.attrs)
    return node


def check(node: Any, inputs: list[Any], kinds: str) -> None:
    rule = ops.rule(node)
    assert rule is not None
    types = [node.output_types[0].np, *(x.dtype for x in inputs)]
    made = loop.Loop(types, [loop.Step(rule, tuple(range(1, len(types))))], [len(types)])
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        wanted = node.row.make(node)(*inputs)
    native = made.native(loop.FULL + kinds, loop._WORTH)
    assert native is not None
    found = np.empty(wanted.shape, wanted.dtype)
    native(found.ctypes.data, *[x.ctypes.data for x in inputs], *wanted.shape)
    np.testing.assert_array_equal(found, wanted)
    if found.dtype.kind == "f":
        np.testing.assert_array_equal(np.signbit(found) & ~np.isnan(found), np.signbit(wanted) & ~np.isnan(wanted))


@pytest.mark.parametrize(("op", "dtype"), [(op, dtype) for op, dtypes in OPS.items() for dtype in dtypes])
def test_every_op(op: str, dtype: str) -> None:
    shape = (ROWS, WIDTH)
    inputs = [array(dtype, shape) for _ in range(2 if op in TWO else 1)]
    if op == "SelectV2":
        inputs = [array("bool", shape), array(dtype, shape), array(dtype, shape)]
    node = plan_node(op, inputs, **({"alpha": 0.3} if op.startswith("Leaky") else {}))
    check(node, inputs, loop.FULL * len(inputs))


@pytest.mark.parametrize("source", ("float32", "float64", "bool", "int8", *INTEGERS))
def test_casts(source: str) -> None:
    x = array(source, (ROWS, WIDTH))
    for target in ("float32", "float64", "bool", "int16", "uint64"):
        if source[0] == "f" and target[0] in "ui":
            assert ops.rule(plan_node("Cast", [x], DstT=tf.as_dtype(target))) is None
        else:
            check(plan_node("Cast", [x], DstT=tf.as_dtype(target)), [x], loop.FULL)


@pytest.mark.parametrize("kinds", ["FF", "FC", "CF", "FR", "RF", "FO", "OF", "CR", "RO"])
def test_every_way_to_lie(kinds: str) -> None:
    shapes = {"F": (ROWS, WIDTH), "C": (ROWS, 1), "R": (1, WIDTH), "O": (1, 1)}
    x, y = (array("float32", shapes[kind]) for kind in kinds)
    node = plan_node("Sub", [x, y])
    rule = ops.rule(node)
    assert rule is not None
    made = loop.Loop([x.dtype] * 3, [loop.Step(rule, (1, 2))], [3]).native(loop.FULL + kinds, loop._WORTH)
    assert made is not None
    found = np.empty((ROWS, WIDTH), np.float32)
    made(found.ctypes.data, x.ctypes.data, y.ctypes.data, ROWS, WIDTH)
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(found, np.broadcast_to(x - y, found.shape))


def test_constants_are_themselves() -> None:
    floats: list[Any] = [np.float32(0.1), np.float64(-1e-310), np.float32(np.nan), np.float64(-0.0)]
    for number in [*floats, np.int8(-128), np.uint64(2**64 - 1), np.bool_(True)]:
        made = loop.Loop([number.dtype], [loop.Step(None, number=number)], [1]).native(loop.FULL, loop._WORTH)
        assert made is not None
        found = np.zeros(3, number.dtype)
        made(found.ctypes.data, 1, 3)
        np.testing.assert_array_equal(found, np.full(3, number))
        assert found.dtype.kind != "f" or np.signbit(found[0]) == np.signbit(number)


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Chains of 64 elements are compiled when first run. How the arguments of each lay."""
    compiled: list[str] = []
    source = loop.Loop.source

    def recorded(made: Any, kinds: str) -> str:
        compiled.append(kinds)
        return source(made, kinds)

    monkeypatch.setattr(loop.Loop, "source", recorded)
    monkeypatch.setattr(loop, "_WORTH", 0)
    monkeypatch.setattr(tiles, "LARGE", 64)
    monkeypatch.setattr(tiles, "TILE", 36)
    monkeypatch.setattr(tiles, "_SPLIT", 1)
    yield compiled


UNARY: list[Any] = [tf.abs, tf.nn.relu, tf.negative, tf.square, tf.nn.relu6, lambda x: tf.nn.leaky_relu(x, 0.3)]
BINARY: list[Any] = [
    tf.add,
    tf.subtract,
    tf.multiply,
    tf.maximum,
    lambda x, y: tf.where_v2(x > y, x, y * 2.0),
    lambda x, y: tf.cast(tf.cast(x, tf.float64) - tf.cast(y, tf.float64), tf.float32),
    lambda x, y: x + tf.cast(tf.logical_and(x < y, tf.not_equal(y, 0.0)), tf.float32),
]
ENDS: list[Any] = [tf.identity, tf.reduce_sum, tf.reduce_mean, lambda x: tf.reduce_max(x, -1)]
INPUTS = {"x": (7, 5, 6), "full": (7, 5, 6), "row": (6,), "rows": (5, 6), "column": (7, 5, 1), "one": (1, 1)}


def run(level: Any, fetches: Any, feeds: Any) -> Any:
    config = tf.ConfigProto()
    config.graph_options.optimizer_options.opt_level = level
    with tf.Session(config=config) as session:
        return session.run(fetches, feeds)


def random_chain(choices: list[tuple[int, int, int]], end: int) -> tuple[Any, dict[Any, Any]]:
    rng = np.random.default_rng(0)
    values = [placeholder(tf.float32, list(shape), name) for name, shape in INPUTS.items()]
    feeds = {x: rng.normal(size=shape).astype(np.float32) for x, shape in zip(values, INPUTS.values(), strict=True)}
    made, value = [*values, tf.constant(0.5)], values[0]
    for kind, which, left in choices:
        function = (UNARY + BINARY)[kind % (len(UNARY) + len(BINARY))]
        other = made[which % len(made)]
        value = function(value) if function in UNARY else function(*((value, other) if left % 2 else (other, value)))
        made.append(value)
    return ENDS[end](value), feeds


def test_random_chains(at_once: list[str]) -> None:
    @settings(max_examples=16, deadline=None, derandomize=True)
    @given(
        st.lists(st.tuples(st.integers(0, 99), st.integers(0, 99), st.integers(0, 1)), min_size=2, max_size=7),
        st.integers(0, 3),
    )
    def each(choices: list[tuple[int, int, int]], end: int) -> None:
        with tf.Graph().as_default():
            fetch, feeds = random_chain(choices, end)
            found = run(0, fetch, feeds)
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr("runstep.kernels.llvm.library.is_there", lambda: False)
                wanted = run(0, fetch, feeds)
            np.testing.assert_array_equal(found, wanted)
            np.testing.assert_allclose(found, run(-1, fetch, feeds), rtol=2e-5, atol=1e-5)

    each()
    assert len(at_once) > 10 and {kind for kinds in at_once for kind in kinds} == set("FCRO")


def test_a_chain_with_an_op_that_two_libraries_round_differently_stays_in_numpy(at_once: list[str]) -> None:
    with tf.Graph().as_default():
        x = placeholder(tf.float32, [96, 96])
        value = RNG.normal(size=(96, 96)).astype(np.float32)
        found = run(0, tf.tanh(x + 1.0) * x, {x: value})
    np.testing.assert_allclose(found, np.tanh(value + 1) * value, rtol=1e-6)
    assert at_once == []


def test_what_must_not_broadcast_is_refused_as_ever(at_once: list[str]) -> None:
    with tf.Graph().as_default(), tf.Session() as session:
        g, x = placeholder(tf.float32, [None, None]), placeholder(tf.float32, [None, None])
        y = apply("ReluGrad", g, x) * x * g
        ones = np.ones((12, 12), np.float32)
        session.run(y, {g: ones, x: ones})
        assert at_once == ["FFF"]
        with pytest.raises(tf.errors.InvalidArgumentError, match="same size"):
            session.run(y, {g: ones[:, :1], x: ones})
        assert at_once == ["FFF"]


def test_a_chain_is_compiled_when_it_has_cost_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "_WORTH", 4 * 96 * 1024 * 2)
    natives: list[bool] = []
    native = loop.Loop.native

    def recorded(made: Any, kinds: str, elements: int) -> Any:
        found = native(made, kinds, elements)
        natives.append(found is not None)
        return found

    monkeypatch.setattr(loop.Loop, "native", recorded)
    with tf.Graph().as_default(), tf.Session() as session:
        x = placeholder(tf.float32, [96, 1024])
        y = tf.square(x) + x
        value = RNG.normal(size=(96, 1024)).astype(np.float32)
        results = [session.run(y, {x: value}) for _ in range(6)]
    assert natives == [False, False, False, True, True, True]
    assert all((found == value * value + value).all() for found in results)


def test_turned_off_everything_works() -> None:
    code = """
import numpy as np, runstep as tf, sys
x = tf.placeholder(tf.float32, [1 << 17])
y = tf.square(x) + x
session = tf.Session()
from runstep.kernels.llvm import loop
loop._WORTH = 0
found = session.run(y, {x: np.ones(1 << 17, np.float32)})
print(found.sum(), "llvmlite" in sys.modules)
"""
    command = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "RUNSTEP_LLVM": "0"})
    assert done.stdout.split() == ["262144.0", "False"], done.stderr
