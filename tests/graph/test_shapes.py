"""TensorShape and Dimension against TensorFlow's with version 2 behaviour off; raw shapes against its shape functions.

Each expression is evaluated with TensorFlow's classes and with ours: the results must print the same, or the same
error must come out.
"""

import itertools
import pickle
from typing import Any

import numpy as np
import pytest
import tensorflow.compat.v1 as real
from tensorflow.core.framework import tensor_shape_pb2
from tensorflow.python.framework import tensor_shape

from runstep.graph import shapes

THING = object()


@pytest.fixture(scope="module", autouse=True)
def version_1_shapes() -> Any:
    before = tensor_shape._TENSORSHAPE_V2_OVERRIDE
    real.disable_v2_tensorshape()
    yield
    tensor_shape._TENSORSHAPE_V2_OVERRIDE = before


def names(module: Any, dimension_value: Any) -> dict[str, Any]:
    return {
        "S": module.TensorShape, "D": module.Dimension, "M": module, "np": np, "pickle": pickle, "THING": THING,
        "P": tensor_shape_pb2.TensorShapeProto, "dimension_value": dimension_value,
        "p1": tensor_shape_pb2.TensorShapeProto(dim=[{"size": 1}, {"size": -1}]),
        "p0": tensor_shape_pb2.TensorShapeProto(unknown_rank=True),
    }  # fmt: skip


def outcome(expression: str, scope: dict[str, Any]) -> str:
    try:
        text = repr(eval(expression, scope))
    except Exception as error:
        text = f"{type(error).__name__}: {error}"
    for module in (tensor_shape, shapes):
        text = text.replace(module.__name__, "M")
    return text


def same(*expressions: str) -> None:
    theirs = names(tensor_shape, real.dimension_value)
    ours = names(shapes, shapes.dimension_value)
    for expression in expressions:
        assert (expression, outcome(expression, ours)) == (expression, outcome(expression, theirs))


OPERATORS = ["+", "-", "*", "//", "%", "/", "<", "<=", ">", ">=", "==", "!="]
SHAPES = ["S(None)", "S([])", "S([2])", "S([None])", "S([2,3])", "S([2,None])", "S([None,None,4])", "S([0,3])"]


@pytest.mark.parametrize(
    "value",
    ["None", "3", "0", "-1", "3.0", "'3'", "np.int32(4)", "np.array(4)", "np.array([4])", "D(3)", "[]", "THING",
     "10**20", "b'3'", "np.bool_(True)"],
)  # fmt: skip
def test_dimension_takes(value: str) -> None:
    same(f"D({value})")


@pytest.mark.parametrize("sign", OPERATORS)
def test_dimension_arithmetic_and_comparison(sign: str) -> None:
    others = ["D(2)", "D(None)", "2", "None", "'a'", "2.5", "-1", "0", "D(0)", "np.int32(2)", "True", "[]"]
    same(*[f"{mine} {sign} {other}" for mine in ("D(3)", "D(None)") for other in others])
    same(*[f"{other} {sign} {mine}" for mine in ("D(3)", "D(None)") for other in ("7", "None", "'a'", "2.5")])


def test_dimension_methods() -> None:
    same(
        *[f"{function}({mine})" for function in ("int", "hash", "bool", "str", "float", "abs", "dimension_value")
          for mine in ("D(3)", "D(0)", "D(None)")],
        "range(4)[D(2)]", "[0]*D(3)", "np.zeros(D(3))", "'%d' % D(3)", "f'{D(3)}'", "D(3).value", "D(3).x",
        "pickle.loads(pickle.dumps(D(3)))", "dimension_value(3)", "M.dimension_at_index(S([1,2]),1)",
        "M.dimension_at_index(S(None),1)",
        *[f"{mine}.{method}({other})" for mine in ("D(3)", "D(None)") for other in ("3", "4", "None", "'a'")
          for method in ("is_compatible_with", "assert_is_compatible_with", "merge_with")],
    )  # fmt: skip


@pytest.mark.parametrize(
    "value",
    ["None", "3", "0", "-1", "[]", "[1,2]", "(1,None)", "[-1]", "['a']", "'ab'", "'3'", "''", "[D(3),2]", "D(3)",
     "S([1,2])", "p1", "p0", "P()", "P(dim=[P.Dim(size=-5)])", "np.array([1,2])", "np.array(3)", "np.int64(3)", "3.0",
     "[3.5]", "range(3)", "iter([1,2])", "{1:2}", "[[1,2]]", "THING", "[THING]", "b'ab'", "[np.int32(2)]", "[10**20]",
     "['1']", "[None,D(None)]", "[S([1])]"],
)  # fmt: skip
def test_shape_takes(value: str) -> None:
    same(f"S({value})", f"M.as_shape({value})")


@pytest.mark.parametrize("shape", SHAPES)
def test_shape_members(shape: str) -> None:
    members = [
        "rank", "dims", "ndims", "num_elements()", "is_fully_defined()", "as_list()", "as_proto()", "with_rank(2)",
        "assert_is_fully_defined()", "with_rank(None)", "with_rank_at_least(2)", "with_rank_at_most(2)",
        "assert_has_rank(2)", "__reduce__()", "_dims",
    ]  # fmt: skip
    keys = [
        "0", "-1", "5", "-5", "1:", ":1", ":-1", "5:", "-2:", "::2", "1:None", "0:D(1)", "'a'", "None", "D(0)",
        "np.int64(0)", "1.5", "0,1", ":7", "1:7", "2:1", "::-1", "-1:1",
    ]  # fmt: skip
    same(*[f"{shape}.{member}" for member in members], *[f"{shape}[{key}]" for key in keys])
    same(*[f"{function}({shape})" for function in ("str", "hash", "list", "tuple", "repr", "len", "bool", "S")])
    same(f"np.zeros({shape})", f"pickle.loads(pickle.dumps({shape}))", f"None in {shape}", f"{shape} * 2")


@pytest.mark.parametrize("shape", SHAPES)
def test_shape_with_another(shape: str) -> None:
    others = [*SHAPES, "None", "[2]", "(2,3)", "2", "'a'", "[None,3]", "3.5", "THING", "[-1,3]", "p1"]
    methods = [
        "merge_with", "concatenate", "is_compatible_with", "assert_is_compatible_with", "assert_same_rank",
        "most_specific_compatible_shape",
    ]  # fmt: skip
    for other in others:
        same(*[f"{shape}.{method}({other})" for method in methods])
        same(*[f"{shape} {sign} {other}" for sign in ("==", "!=", "+", "<")], f"{other} + {shape}")
    for other in SHAPES:
        same(f"{shape}.is_subtype_of({other})", f"{shape}.most_specific_common_supertype([{other}])")


def test_unknown_shapes() -> None:
    same(*[f"M.unknown_shape({rank})" for rank in ("", "3", "rank=0")], "M.as_dimension(3)", "M.as_dimension(D(2))")


def test_raw_shapes_are_shared_not_checked_again() -> None:
    raw = (1, None)
    assert shapes.TensorShape.from_raw(raw).raw is raw
    assert shapes.as_raw(raw) == raw and shapes.as_raw(np.array([2, 3])) == (2, 3)
    assert shapes.num_elements((2, 3)) == 6 and shapes.num_elements((2, None)) is None
    assert shapes.from_proto(shapes.to_proto(raw)) == raw and shapes.from_proto(shapes.to_proto(None)) is None


RAW = [None, (), (0,), (1,), (2,), (None,), (3,), (2, 3), (1, 3), (None, 3), (2, None), (0, 3), (4, 1), (5, 2, 3)]


def their_rule(build: Any) -> Any:
    with real.Graph().as_default():
        try:
            shape = build().shape
        except ValueError as error:
            return str(error).split(" for '")[0]
        return None if shape.rank is None else tuple(shape.as_list())


def our_rule(rule: Any, *arguments: Any) -> Any:
    try:
        return rule(*arguments)
    except ValueError as error:
        return str(error)


@pytest.mark.parametrize(("a", "b"), list(itertools.product(RAW, RAW)))
def test_broadcast_and_merge_follow_tensorflows_shape_functions(a: Any, b: Any) -> None:
    def sum_of() -> Any:
        return real.raw_ops.AddV2(x=real.placeholder(real.float32, a), y=real.placeholder(real.float32, b))

    def pack_of() -> Any:
        packed = real.raw_ops.Pack(values=[real.placeholder(real.float32, a), real.placeholder(real.float32, b)])
        return packed if packed.shape.rank is None else packed[0]

    assert our_rule(shapes.broadcast, a, b) == their_rule(sum_of)
    merged, theirs = our_rule(shapes.merge, a, b), their_rule(pack_of)
    if isinstance(theirs, str):
        theirs = theirs.removeprefix("From merging shape 0 with other shapes.").strip()
        assert isinstance(merged, str) and (merged in theirs or theirs in merged)
    else:
        assert merged == theirs
    assert shapes.is_compatible(a, b) is not isinstance(merged, str)
