"""The assertions against TensorFlow: the nodes made, static failures, failures of runs."""

from __future__ import annotations

from typing import Any

import pytest

import runstep
from runstep.ops import assertions, assertions_static
from runstep.testing import oracle

NAMES = (
    "placeholder constant Session Graph float32 float64 int32 string bool control_dependencies identity zeros".split()
)


class Ours:
    """The tf namespace with the functions under test, which the namespace may not list yet."""

    def __init__(self) -> None:
        for name in NAMES:
            setattr(self, name, getattr(runstep, name))
        for module in (assertions, assertions_static):
            for name in module.__all__:
                setattr(self, name, getattr(module, name))


class Theirs:
    def __init__(self) -> None:
        tf = oracle.tensorflow().compat.v1
        for name in (*NAMES, *assertions.__all__, *assertions_static.__all__):
            setattr(self, name, getattr(tf, name, None) or getattr(tf.debugging, name))


@pytest.fixture(autouse=True)
def _old_control_flow() -> Any:
    tf = oracle.tensorflow().compat.v1
    was = tf.control_flow_v2_enabled()
    tf.disable_control_flow_v2()
    yield
    if was:
        tf.enable_control_flow_v2()


def p(tf: Any, *shape: Any, kind: str = "float32") -> Any:
    return tf.placeholder(kind, shape)


def unknown(tf: Any) -> Any:
    return tf.placeholder("float32")


PAIRS = ["equal", "none_equal", "less", "less_equal", "greater", "greater_equal"]
SIGNS = ["negative", "positive", "non_negative", "non_positive"]
GRAPHS: dict[str, Any] = {
    **{f"{n}": lambda tf, n=n: getattr(tf, f"assert_{n}")(p(tf, 2), 1.0) for n in (*PAIRS, "near")},
    **{f"{n} unknown": lambda tf, n=n: getattr(tf, f"assert_{n}")(unknown(tf), unknown(tf)) for n in (*PAIRS, "near")},
    **{f"{n} m": lambda tf, n=n: getattr(tf, f"assert_{n}")(p(tf, 2), 1.0, message="m") for n in (*PAIRS, "near")},
    **{
        f"{n} all": lambda tf, n=n: getattr(tf, f"assert_{n}")(
            p(tf, 2), 1.0, data=[p(tf, 2), "text"], summarize=5, message="m", name="n"
        )
        for n in PAIRS
    },
    **{f"{n}": lambda tf, n=n: getattr(tf, f"assert_{n}")(p(tf, 2)) for n in SIGNS},
    **{f"{n} m": lambda tf, n=n: getattr(tf, f"assert_{n}")(p(tf, 2, kind="int32"), message="m") for n in SIGNS},
    **{
        f"{n} data": lambda tf, n=n: getattr(tf, f"assert_{n}")(p(tf, 2), data=[3], summarize=1, name="q")
        for n in SIGNS
    },
    "equal holds": lambda tf: tf.assert_equal([1, 2], [1, 2]),
    "near holds": lambda tf: tf.assert_near([1.0], [1.0], name="x"),
    "near tolerances": lambda tf: tf.assert_near(p(tf, 2), 1.0, rtol=0.1, atol=tf.constant(0.2), data=[1]),
    "near double": lambda tf: tf.assert_near(p(tf, 2, kind="float64"), 1.0),
    "near complex": lambda tf: tf.assert_near(p(tf, 2, kind="complex64"), 1.0),
    "rank": lambda tf: tf.assert_rank(unknown(tf), 2),
    "rank holds": lambda tf: tf.assert_rank(p(tf, 2, 3), 2),
    "rank of a variable rank": lambda tf: tf.assert_rank(unknown(tf), p(tf, kind="int32"), message="m", data=[1]),
    "rank m": lambda tf: tf.assert_rank(unknown(tf), 2, message="mm", summarize=7),
    "rank at least": lambda tf: tf.assert_rank_at_least(unknown(tf), 2, name="z"),
    "rank at least holds": lambda tf: tf.assert_rank_at_least(p(tf, 2, 3), 1),
    "rank in": lambda tf: tf.assert_rank_in(unknown(tf), (1, 2)),
    "rank in holds": lambda tf: tf.assert_rank_in(p(tf, 2), (1, 2)),
    "rank in variable ranks": lambda tf: tf.assert_rank_in(p(tf), (p(tf, kind="int32"), 2), message="m"),
    "type": lambda tf: (tf.assert_type(p(tf), tf.float32), tf.assert_type(1, tf.int32, name="t")),
    "integer": lambda tf: (tf.assert_integer(p(tf, kind="int32")), tf.assert_integer([1])),
    "scalar": lambda tf: (tf.assert_scalar(p(tf)), tf.assert_scalar(3.0), tf.assert_scalar(3, name="s")),
    "same float": lambda tf: (tf.assert_same_float_dtype([p(tf), p(tf)]), tf.assert_same_float_dtype()),
}
ERRORS: dict[str, Any] = {
    "equal": lambda tf: tf.assert_equal([1, 2], [1, 3]),
    "equal data": lambda tf: tf.assert_equal([1, 2], [1, 3], message="hey", data=["d", 5]),
    "equal m": lambda tf: tf.assert_equal([[1, 2]], [1, 3], message="hey", summarize=1),
    "less dtypes": lambda tf: tf.assert_less([1.5, 2], [1, 3]),
    "less": lambda tf: tf.assert_less([1.5, 2], [1.0, 3]),
    "greater": lambda tf: tf.assert_greater([1], [2], message=""),
    "non positive": lambda tf: tf.assert_non_positive([1.0], message="k"),
    "non negative": lambda tf: tf.assert_non_negative([-1]),
    "negative": lambda tf: tf.assert_negative([1.0], message="k", name="n"),
    "near integers": lambda tf: tf.assert_near(1, 2),
    "rank": lambda tf: tf.assert_rank(p(tf, 2, 3), 1),
    "rank m": lambda tf: tf.assert_rank(p(tf, 2, 3), 1, message="m", name="k"),
    "rank list": lambda tf: tf.assert_rank(p(tf, 2), [1]),
    "rank float": lambda tf: tf.assert_rank(p(tf, 2), 1.5),
    "rank at least": lambda tf: tf.assert_rank_at_least(p(tf, 2), 2),
    "rank in": lambda tf: tf.assert_rank_in(p(tf), (1, 2), message="m"),
    "rank in one": lambda tf: tf.assert_rank_in(p(tf), (1,)),
    "rank in list": lambda tf: tf.assert_rank_in(p(tf), ([1], 2)),
    "type": lambda tf: tf.assert_type(p(tf), tf.int32, message="m"),
    "integer": lambda tf: tf.assert_integer([1.0], message="m"),
    "float differs": lambda tf: tf.assert_same_float_dtype([p(tf), p(tf, kind="float64")]),
    "float other": lambda tf: tf.assert_same_float_dtype([p(tf)], tf.float64),
    "float integers": lambda tf: tf.assert_same_float_dtype([p(tf, kind="int32")]),
    "scalar": lambda tf: tf.assert_scalar(p(tf, 2), message="m"),
    "scalar unknown": lambda tf: tf.assert_scalar(unknown(tf)),
    "iterable string": lambda tf: tf.assert_proper_iterable("ab"),
    "iterable number": lambda tf: tf.assert_proper_iterable(3),
}


def made(tf: Any, build: Any) -> Any:
    graph = tf.Graph()
    with graph.as_default():
        build(tf)
    return sorted(
        (
            op.name,
            op.type,
            [tensor.name for tensor in op.inputs],
            sorted(control.name for control in op.control_inputs),
            [None if tensor.shape.rank is None else tensor.shape.as_list() for tensor in op.outputs],
            op.get_attr("summarize") if op.type == "Assert" else None,
            op.colocation_groups(),
        )
        for op in graph.get_operations()
    )


@pytest.mark.parametrize("name", GRAPHS)
def test_assertions_build_tensorflows_nodes(name: str) -> None:
    want, got = made(Theirs(), GRAPHS[name]), made(Ours(), GRAPHS[name])
    for ours, theirs in zip(got, want, strict=False):
        assert ours == theirs
    assert len(got) == len(want)


def refused(tf: Any, build: Any) -> tuple[str, str]:
    with tf.Graph().as_default(), pytest.raises(Exception) as caught:
        build(tf)
    return type(caught.value).__name__, str(getattr(caught.value, "message", caught.value)).replace("<unknown>", "?")


@pytest.mark.parametrize("name", ERRORS)
def test_what_is_known_to_fail_is_refused(name: str) -> None:
    want, got = refused(Theirs(), ERRORS[name]), refused(Ours(), ERRORS[name])
    assert got[0] == want[0]
    assert got[1].replace("<unknown>", "?") == want[1].replace("TensorShape", "")


def failure(tf: Any, assertion: str, *values: Any) -> str | None:
    with tf.Graph().as_default(), tf.Session() as session:
        feeds = {tf.placeholder("float32"): value for value in values}
        try:
            with tf.control_dependencies([getattr(tf, f"assert_{assertion}")(*feeds, message="why")]):
                session.run(tf.identity(1.0), feeds)
        except Exception as error:
            return f"{type(error).__name__} {error.message.partition(chr(10))[0]}"  # type: ignore[attr-defined]
    return None


@pytest.mark.parametrize("assertion", [*PAIRS, "near", *SIGNS])
@pytest.mark.parametrize("value", [[1.0, 2.0], [2.0, 1.0], [-1.0, -2.0], [0.0], [], [float("nan")]])
def test_runs_fail_where_tensorflows_do(assertion: str, value: Any) -> None:
    values = (value,) if assertion in SIGNS else (value, [1.0] * len(value))
    want, got = failure(Theirs(), assertion, *values), failure(Ours(), assertion, *values)
    assert (got is None) == (want is None)
    if got and want:
        assert got.split(" [")[0].split("Assert")[0] == want.split(" [")[0].split("Assert")[0]


def test_numeric_tensors() -> None:
    kinds = "float32 string bool complex64 bfloat16 half uint16 uint32 qint8 int8 resource variant".split()
    real = oracle.tensorflow().compat.v1
    with real.Graph().as_default(), runstep.Graph().as_default():
        for kind in kinds:
            theirs = real.is_numeric_tensor(real.placeholder(kind))
            assert assertions_static.is_numeric_tensor(runstep.placeholder(kind)) == theirs, kind
    assert not assertions_static.is_numeric_tensor(1)


def test_proper_iterables() -> None:
    assertions_static.assert_proper_iterable([1])
    with runstep.Graph().as_default(), pytest.raises(TypeError, match="proper"):
        assertions_static.assert_proper_iterable(runstep.placeholder("float32"))
