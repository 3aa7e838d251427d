"""Python's operators on tensors make TensorFlow's graphs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from runstep import errors
from runstep.graph import dtypes, operators
from runstep.graph.apply import apply
from runstep.graph.graph import Graph
from runstep.graph.tensor import Tensor
from runstep.ops import table  # noqa: F401
from runstep.testing.building import compare_graphs


class Given:
    """The operands: float x [4, 5], int32 p [2], bool b [4], int32 i, string s, and one of any dtype."""

    def __init__(self, tf):
        self.tf = tf
        self.x = tf.placeholder(tf.float32, [4, 5])
        self.p = tf.placeholder(tf.int32, [2])
        self.b = tf.placeholder(tf.bool, [4])
        self.i = tf.placeholder(tf.int32, [])
        self.s = tf.placeholder(tf.string, [4])

    def of(self, dtype):
        return self.tf.placeholder(dtype, [2])

    def sparse(self, dtype):
        return self.tf.SparseTensor([[0, 1]], self.tf.placeholder(dtype, [1]), [2, 2])


BUILDERS = {
    "add": lambda g: [g.x + 1, 1 + g.x, g.x + g.x, g.p + [1, 2], g.s + "a", np.ones(5, np.float32) + g.x],
    "sub": lambda g: [g.x - 1, 1 - g.x, g.p - np.array([1, 2])],
    "mul": lambda g: [g.x * 2, 2 * g.x, g.x * np.float64(2)],
    "truediv": lambda g: [g.x / 2, 2 / g.x, g.p / 2, 2 / g.p, g.p / g.p],
    "truediv of small and wide": lambda g: [g.of("int8") / 2, g.of("int64") / 3, g.of("complex64") / 2],
    "Python 2's div": lambda g: [g.x.__div__(2), g.x.__rdiv__(2), g.p.__div__(2), g.p.__rdiv__([1, 2])],
    "sparse": lambda g: [
        part
        for dtype in ("float32", "int32", "uint8")
        for made in (
            g.sparse(dtype) * 2,
            g.sparse(dtype) / 2,
            g.sparse(dtype).__div__([[1], [2]]),
            g.of(dtype) * g.sparse(dtype),
        )
        for part in (made.indices, made.values, made.dense_shape)
    ],
    "sparse by sparse": lambda g: g.sparse("int32") * g.sparse("int32"),
    "floordiv": lambda g: [g.x // 2, 2 // g.x, g.p // 2],
    "mod": lambda g: [g.x % 2, 2 % g.x, g.p % 3],
    "pow": lambda g: [g.x**2, 2**g.x, g.p**2],
    "matmul": lambda g: [g.x @ np.ones((5, 3), np.float32), np.ones((3, 4), np.float32) @ g.x],
    "unary": lambda g: [-g.x, abs(g.x), ~g.b, ~g.p, abs(g.of("complex64"))],
    "comparisons": lambda g: [g.x < 1, g.x <= 1, g.x > 1, g.x >= 1, 1 < g.x, g.x < g.x],
    "logical": lambda g: [g.b & g.b, g.b | True, g.b ^ g.b, True & g.b],
    "bitwise": lambda g: [g.p & 1, g.p | 1, g.p ^ 1, 1 & g.p, 1 | g.p],
    "and of floats": lambda g: g.x & g.x,
    "float and int": lambda g: g.x + g.p,
    "int and float number": lambda g: g.p + 1.5,
    "float and string": lambda g: g.x + "a",
    "division of two types": lambda g: g.p / g.x,
    "none": lambda g: g.p + None,
    "none on the left": lambda g: None + g.p,
    "bools do not add": lambda g: g.b + g.b,
    "one element": lambda g: [g.x[1], g.x[-1], g.x[1, 2], g.x[[1, 2]]],
    "ranges": lambda g: [g.x[1:3], g.x[:2], g.x[::2], g.x[::-1], g.x[1:, 2], g.x[:]],
    "ellipsis and new axes": lambda g: [g.x[1:3, ..., None], g.x[..., 0], g.x[None], g.x[..., None, 1]],
    "nothing": lambda g: g.x[()],
    "tensor index": lambda g: [g.x[g.i], g.x[:, g.i], g.x[g.i, 1:]],
    "tensor bounds": lambda g: [
        g.x[g.i :],
        g.x[: g.i],
        g.x[g.i : g.i + 2],
        g.x[:: g.i],
        g.x[1 : g.i],
        g.x[::2, g.i : 3],
    ],
    "index of other ints": lambda g: [g.x[g.of("int64")[0]], g.x[g.of("int16")[0]], g.x[g.of("int64")[0] : 2]],
    "numpy index": lambda g: [g.x[np.int64(2)], g.x[np.array(1)], g.x[np.int32(1) : np.int32(3)]],
    "large index": lambda g: g.x[0 : 2**40],
    "mask": lambda g: [g.x[g.b]],
    "numpy mask": lambda g: [g.x[np.array([True, False, True, False])]],
    "scalar mask": lambda g: g.x[True],
    "too many indices": lambda g: g.x[1, 2, 3],
    "out of bounds": lambda g: g.x[7],
    "two ellipses": lambda g: g.x[..., ...],
    "stride zero": lambda g: g.x[::0],
}


@pytest.mark.parametrize("name", BUILDERS)
def test_nodes_are_tensorflows(name):
    build = BUILDERS[name]
    compare_graphs(lambda tf: build(Given(tf)), [])


REFUSED = ["a", 1.0, np.array([1]), (1, "a"), slice(1.0, 2)]


@pytest.mark.parametrize("key", REFUSED, ids=repr)
def test_other_indices_are_refused(key):
    compare_graphs(lambda tf: Given(tf).x[key], [])


@pytest.fixture
def x():
    with Graph().as_default():
        yield apply("Placeholder", dtype="float32", shape=(4, 5))


def test_an_index_tensor_must_be_a_scalar_of_ints(x):
    for key in (apply("Placeholder", dtype="int32", shape=(2,)), apply("Placeholder", dtype="int8", shape=()), x):
        with pytest.raises(TypeError, match="Only integers, slices"):
            x[key]


def test_a_tensor_is_no_bool(x):
    with pytest.raises(errors.OperatorNotAllowedInGraphError, match="as a Python `bool` is not allowed"):
        bool(x)
    with pytest.raises(TypeError, match="bool"):
        not x  # noqa: B018


def test_a_tensor_is_not_iterable(x):
    with pytest.raises(
        errors.OperatorNotAllowedInGraphError, match="Iterating over a symbolic `tf.Tensor` is not allowed"
    ):
        list(x)
    with pytest.raises(TypeError):
        1 in x  # noqa: B015


def test_a_tensor_has_no_length(x):
    with pytest.raises(TypeError, match="len is not well defined for a symbolic Tensor"):
        len(x)


def test_a_tensor_is_no_array(x):
    with pytest.raises(NotImplementedError, match="Cannot convert a symbolic tf.Tensor"):
        np.array(x)
    with pytest.raises(NotImplementedError, match="Cannot convert a symbolic tf.Tensor"):
        np.add(np.ones(2), x)


def test_tensors_compare_by_identity(x):
    """S108."""
    assert (x == x) is True
    assert (x != x) is False
    assert (x == 1) is False
    assert {x: 1}[x] == 1


def test_numpy_leaves_the_operator_to_the_tensor(x):
    assert (np.ones(5) + x).dtype is dtypes.float32
    assert (np.float64(2) * x).dtype is dtypes.float32


def test_the_right_side_may_know_better(x):
    class Aware:
        def __radd__(self, other):
            return "aware", other

    assert x + Aware() == ("aware", x)
    with pytest.raises(TypeError):
        x - Aware()


def test_a_class_that_stands_for_a_tensor_gets_the_operators(x):
    class Box:
        def __init__(self, tensor):
            self.tensor = tensor

    operators.overload(Box, lambda box: box.tensor)
    box: Any = Box(x)
    assert (box + 1).op.type == "AddV2"
    assert (2 - box).op.type == "Sub"
    assert box[0].raw_shape == (5,)
    assert (-box).op.type == "Neg"


def test_numbers_become_the_tensors_type():
    with Graph().as_default():
        value = apply("Placeholder", dtype="bfloat16", shape=())
        assert (value * 2).op.inputs[1].dtype is dtypes.bfloat16
        assert (1 - value).op.inputs[0].dtype is dtypes.bfloat16


def test_other_classes_may_hand_the_operators_on():
    import tensorflow

    assert Tensor.OVERLOADABLE_OPERATORS == set(tensorflow.Tensor.OVERLOADABLE_OPERATORS)


def test_programs_may_hang_attributes_on_tensors_and_operations(x):
    x.scope, x.op.layer = "conv1", 3
    assert (x.scope, x.op.layer) == ("conv1", 3)


def test_an_arrays_attribute_is_refused_with_what_to_write(x):
    assert not hasattr(x, "numpy")
    with pytest.raises(AttributeError, match=r"'astype': <tf.Tensor 'Placeholder:0' .*Write `tf.cast\(x, dtype\)`"):
        _ = x.astype


def test_ndim_is_minus_one_where_the_rank_is_unknown(x):
    assert x.ndim == 2
    with x.graph.as_default():
        assert apply("Placeholder", dtype=dtypes.float32, shape=None).ndim == -1
