"""What may be fed, for what, and what becomes of it (S90-S108)."""

from __future__ import annotations

import collections
import collections.abc
import warnings
from typing import Any

import numpy as np
import pytest

import runstep
from runstep.graph.ragged_tensor import RaggedTensorValue


class Fed(collections.abc.Mapping):
    """A mapping that is no dict."""

    def __init__(self, items: Any) -> None:
        self._items = dict(items)

    def __getitem__(self, key: Any) -> Any:
        return self._items[key]

    def __iter__(self) -> Any:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)


class Arrayed:
    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return np.array([7.0, 8.0], dtype)


def test_keys(same: Any) -> None:
    """S90: tensors, names as str and bytes, composites, tuples of these."""

    def program(tf: Any) -> Any:
        x, y = tf.placeholder(tf.float32, name="x"), tf.placeholder(tf.float32, name="y")
        sparse = tf.sparse_placeholder(tf.float32)
        values = sparse.values * 2.0
        slices = tf.IndexedSlices(tf.placeholder(tf.float32), tf.placeholder(tf.int32))
        both = slices.values + tf.cast(slices.indices, tf.float32)
        with tf.Session() as session:
            return [
                session.run(x + y, {x: 1.0, "y:0": 2.0}),
                session.run(x + y, {b"x:0": 1.0, y: 2.0}),
                session.run(x + y, {(x, y): (1.0, 2.0)}),
                session.run(values, {sparse: tf.SparseTensorValue([[0]], [3.0], [4])}),
                session.run(both, {slices: (np.float32([1.0]), np.int32([2]))}),  # type: ignore[arg-type]
            ]

    assert same(program)[0] == "returned"


def test_variables_as_keys(tf: Any) -> None:
    """S90: a ref variable's tensor may be fed before it is initialized."""
    v = tf.raw_ops.VariableV2(shape=[], dtype=tf.float32)
    with tf.Session() as session:
        assert session.run(tf.identity(v) + 1.0, {v: 3.0}) == 4.0


def test_what_is_no_key(tf: Any) -> None:
    """S90, S190, T: testFeedDictKeyException."""
    x = tf.placeholder(tf.float32, name="x")
    with tf.Graph().as_default():
        other = tf.constant(1.0)
    texts = {
        3: "Can not convert a int into a Tensor.",
        None: "Can not convert a NoneType into a Tensor.",
        x.op: "Can not convert a Operation into a Tensor.",
        "x": "The name 'x' refers to an Operation, not a Tensor. Tensor names must be of the form "
        '"<op_name>:<output_index>".',
        "nope:0": "The name 'nope:0' refers to a Tensor which does not exist. The operation, 'nope', does not exist "
        "in the graph.",
        other: "is not an element of this graph.",
    }
    with tf.Session() as session:
        for key, text in texts.items():
            with pytest.raises(TypeError) as caught:
                session.run(x, {key: 1.0})
            assert str(caught.value).startswith("Cannot interpret feed_dict key as Tensor: ") and text in str(
                caught.value
            )


def test_feed_dicts(tf: Any) -> None:
    """S91: any mapping, or nothing."""
    x = tf.placeholder(tf.float32)
    c = tf.constant(3)
    with tf.Session() as session:
        assert session.run(x + 1.0, Fed({x: 1.0})) == 2.0
        assert session.run(x + 1.0, collections.OrderedDict({x: 1.0})) == 2.0
        for nothing in (None, {}, (), Fed({})):  # type: ignore[var-annotated]
            assert session.run(c, nothing) == 3
        for wrong, name in (([x], "list"), (3, "int"), ({x}, "set")):
            with pytest.raises(
                TypeError, match=f"'dict' must be a dictionary or collection.Mapping type object, instead of '{name}'"
            ):
                session.run(c, wrong)


def test_tuples_of_keys(tf: Any) -> None:
    """S92."""
    x, y = tf.placeholder(tf.float32), tf.placeholder(tf.float32)
    z = x - y
    with tf.Session() as session:
        assert session.run(z, {(x, y): [5.0, 2.0]}) == 3.0
        assert session.run(z, {(x, (y,)): (5.0, (2.0,))}) == 3.0
        for value, count in (((1.0,), 1), ((1.0, 2.0, 3.0), 3), (1.0, 1)):
            with pytest.raises(
                ValueError, match=f"Could not flatten dictionary. Key had 2 elements, but value had {count} elements"
            ):
                session.run(z, {(x, y): value})
        with pytest.raises(
            ValueError, match="Could not flatten dictionary|Cannot flatten dict because this key is not unique"
        ):
            session.run(z, {(x, x): (1.0, 2.0)})


def test_one_key_twice(tf: Any) -> None:
    """S92: as object and by name, the later one counts."""
    x = tf.placeholder(tf.float32, name="x")
    y = tf.placeholder(tf.float32)
    with tf.Session() as session:
        assert session.run(x + 0.0, {x: 1.0, "x:0": 2.0}) == 2.0
        with pytest.raises(ValueError, match="Cannot flatten dict because this key is not unique"):
            session.run(x, {(x, y): (1.0, 2.0), x: 3.0})


def test_values(same: Any) -> None:
    """S93: whatever numpy takes, in any memory layout; the graph sees the numbers."""
    base = np.arange(12.0).reshape(3, 4)
    frozen = np.arange(3.0)
    frozen.flags.writeable = False
    values: list[Any] = [
        3, 2.5, True, [1, 2], (1.5, 2), range(3), base, base.T, base[::2, 1::2], np.asfortranarray(base), frozen,
        base.astype(">f4"), np.array([[1.0, 2.0]]).view(np.matrix), np.ma.array([1.0, 2.0], mask=[0, 1]),  # type: ignore[arg-type]
        Arrayed(), np.float64(3),
        np.array(4), [np.float32(1), 2], [[1], [2]], [], np.zeros((0, 3)), 1e300, 1 + 2j, "3", None, [None, 1.0],
        np.int64(7), np.bool_(True), np.array(["1", "2.5"]),
    ]  # fmt: skip

    def program(tf: Any) -> Any:
        x = tf.placeholder(tf.float32)
        y = tf.identity(x)
        with tf.Session() as session:
            return [session.run(y, {x: value}) for value in values]

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # numpy's, of matrices and complex numbers
        assert same(program)[0] == "returned"


CASTS = [
    ("int32", 1.7), ("int32", -1.7), ("int64", np.datetime64(5, "s")), ("int32", [2**40]), ("uint8", np.int64(300)),
    ("uint8", [300, -1]), ("float32", 2**25 + 1), ("bool", [0, 1, 5]), ("bool", 1), ("bool", "x"), ("float32", 1 + 2j),
    ("float16", 1e6), ("int32", True), ("int32", np.nan), ("bfloat16", [1.5, 1 / 3]), ("complex64", 2), ("int32", "7"),
    ("uint8", 255), ("int8", -128), ("int64", 2**62), ("float64", 10**30), ("qint8", [1, 2]), ("int32", [1.5, 2.5]),
]  # fmt: skip


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize(("dtype", "value"), CASTS, ids=str)
def test_casts(same: Any, dtype: str, value: Any) -> None:
    """S93, S94: values are cast as numpy casts, losses and all."""

    def program(tf: Any) -> Any:
        x = tf.placeholder(getattr(tf, dtype))
        return tf.Session().run(tf.identity(x), {x: value})

    same(program)


def test_lost_fractions_are_reported(rs: Any) -> None:
    """S93: once for each tensor; TensorFlow says nothing."""
    x = rs.placeholder(rs.int32, name="said_once_in_this_test")
    with rs.Session() as session:
        with pytest.warns(RuntimeWarning, match="values such as 1.5 lose their fraction as int32"):
            assert session.run(rs.identity(x), {x: 1.5}) == 1
    y = rs.identity(x)
    with rs.Session(strict_feeds=True) as session:
        handle = session.partial_run_setup(y, [x])
        for call in (
            lambda: session.run(y, {x: 1.5}),
            lambda: session.make_callable(y, [x])(1.5),
            lambda: session.make_callable(y, [x], accept_options=True)(1.5),
            lambda: session.partial_run(handle, y, {x: 1.5}),
        ):
            with pytest.raises(TypeError, match="values such as 1.5 lose their fraction as int32"):
                call()
        assert session.run(y, {x: 2.0}) == 2


@pytest.mark.parametrize(
    ("dtype", "value"), [("uint8", 300), ("uint8", -1), ("int32", 2**40), ("bool", 2), ("string", 5), ("int8", 128)]
)
def test_ints_that_do_not_fit(tf: Any, dtype: str, value: int) -> None:
    """S94, S190, T: testFeedPrecisionLossError, testAutoConvertAndCheckData."""
    x = tf.placeholder(getattr(tf, dtype))
    with tf.Session() as session:
        with pytest.raises(
            TypeError, match=f"Type of feed value {value} with type <(\\w+) 'int'> is not compatible with Tensor type"
        ):
            session.run(tf.identity(x), {x: value})


def test_tensors_as_values(tf: Any) -> None:
    """S95, S190, T: testFeedError."""
    x, c = tf.placeholder(tf.float32, name="x"), tf.constant(1.0, name="c")
    with tf.Session() as session:
        with pytest.raises(TypeError) as caught:
            session.run(x, {x: c})
        assert str(caught.value).startswith(
            "The value of a feed cannot be a tf.Tensor object. Acceptable feed values include Python scalars, "
            "strings, lists, "
            'numpy ndarrays, or TensorHandles. For reference, the tensor object was Tensor("c:0", shape=(), '
            "dtype=float32) "
            'which was passed to the argument `feed_dict` with key Tensor("x:0", dtype=float32).'
        )


def test_lists_of_tensors_as_values(rs: Any) -> None:
    """S95: the same TypeError (NotImplementedError or a ValueError of numpy in TensorFlow)."""
    x, c = rs.placeholder(rs.float32), rs.constant(1.0)
    s = rs.placeholder(rs.string)

    class Like:
        def _as_graph_element(self) -> Any:
            return c

    with rs.Session() as session:
        for key, value in ((x, [c]), (x, [[1.0, c]]), (x, Like()), (x, [Like()]), (s, [c])):
            with pytest.raises(TypeError, match="The value of a feed cannot be a tf.Tensor object"):
                session.run(key, {key: value})


@pytest.mark.parametrize("value", [[[1], [1, 2]], "a", {1: 2}, object(), ["a"]], ids=lambda value: type(value).__name__)
def test_values_that_numpy_refuses(same: Any, value: Any) -> None:
    """S96: numpy's own errors, before anything runs."""

    def program(tf: Any) -> Any:
        x = tf.placeholder(tf.float32)
        ran: list[int] = []
        y = tf.py_func(lambda v: (ran.append(1), v)[1], [x], tf.float32)
        try:
            return tf.Session().run(y, {x: value})
        finally:
            assert not ran

    assert same(program)[0] == "raised"


def test_refused_values_name_their_tensor(rs: Any) -> None:
    """S96: as a note beside numpy's text."""
    x = rs.placeholder(rs.float32, [2], name="x")
    with pytest.raises(ValueError) as caught:
        rs.Session().run(x, {x: "a"})
    assert "feed 'x:0' (dtype float32, shape (2,))" in caught.value.__notes__


def test_generators_are_no_values(tf: Any) -> None:
    """S96."""
    x = tf.placeholder(tf.float32)
    with pytest.raises(TypeError):
        tf.Session().run(x, {x: (i for i in [1])})


@pytest.mark.parametrize(
    "value",
    ["é", b"\xff\0", ["a", b"b\0"], np.array(["x", "yy"]), np.array([b"ab\0\0"]), np.array([b"a\0", "b"], object),
     [[b""], ["z"]],
     np.str_("s"), np.bytes_(b"s"), [], np.zeros((0, 2), object), ("t",)],
    ids=repr,
)  # fmt: skip
def test_strings(same: Any, value: Any) -> None:
    """S97, T: testStringFeed, testStringFeedWithNullCharacters, testStringFeedWithUnicode."""

    def program(tf: Any) -> Any:
        x = tf.placeholder(tf.string)
        return tf.Session().run(tf.identity(x), {x: value})

    assert same(program)[0] == "returned"


def test_what_is_no_string(tf: Any) -> None:
    """S97."""
    x = tf.placeholder(tf.string)
    y = tf.identity(x)
    with tf.Session() as session:
        for value in ([1, "a"], np.array(["x", 2], object), np.array([b"x", None], object)):
            with pytest.raises(tf.errors.InternalError, match="Unsupported object type (int|NoneType)"):
                session.run(y, {x: value})


def test_shapes(tf: Any) -> None:
    """S98, S190: against the static shape of the moment, of any tensor."""
    x = tf.placeholder(tf.float32, [2], name="x")
    p = tf.placeholder(tf.float32, [None, 2], name="p")
    later = tf.placeholder(tf.float32, name="later")
    c = tf.constant([1.0, 2.0], name="c")
    with tf.Session() as session:
        for key, value, text in (
            (x, [1.0, 2.0, 3.0], r"Cannot feed value of shape \(3,\) for Tensor x:0, which has shape \(2,\)"),
            (x, 1.0, r"Cannot feed value of shape \(\) for Tensor x:0, which has shape \(2,\)"),
            (p, [1.0, 2.0], r"Cannot feed value of shape \(2,\) for Tensor p:0, which has shape \(\?, 2\)"),
            (p, [[1.0, 2.0, 3.0]], r"Cannot feed value of shape \(1, 3\) for Tensor p:0, which has shape \(\?, 2\)"),
            (c, [1.0], r"Cannot feed value of shape \(1,\) for Tensor c:0, which has shape \(2,\)"),
        ):
            with pytest.raises(ValueError, match=text):
                session.run(key + 1.0, {key: value})
        y = later + 1.0
        assert session.run(y, {later: [1.0, 2.0, 3.0]}).tolist() == [2.0, 3.0, 4.0]
        later.set_shape([2])
        with pytest.raises(ValueError, match=r"for Tensor later:0, which has shape \(2,\)"):
            session.run(y, {later: [1.0, 2.0, 3.0]})


def test_shapes_of_sparse_placeholders(tf: Any) -> None:
    """S98: the components' shapes are enforced, the dense shape that the placeholder was given is not."""
    sparse = tf.sparse_placeholder(tf.float32, shape=[2, 2])
    with tf.Session() as session:
        found = session.run(sparse.values * 2.0, {sparse: tf.SparseTensorValue([[0, 0]], [1.0], [3, 3])})
        assert found.tolist() == [2.0]
        with pytest.raises(ValueError, match="Cannot feed value of shape"):
            session.run(sparse.values, {sparse: tf.SparseTensorValue([[0, 0, 0]], [1.0], [3, 3, 3])})


def test_wrong_shapes_are_explained(rs: Any) -> None:
    """S98: which axis, and where the tensor was made."""
    x = rs.placeholder(rs.float32, [2, 3], name="x")
    with pytest.raises(ValueError) as caught:
        rs.Session().run(x, {x: np.zeros((2, 4))})
    notes = " ".join(caught.value.__notes__)
    assert "differ in axis 1" in notes and "'x' was made at" in notes and "test_feeds.py" in notes


def test_anything_may_be_fed(tf: Any) -> None:
    """S99, S52: constants, intermediate results, one of several outputs, defaults; what is above does not run."""
    ran: list[int] = []
    above = tf.py_func(lambda: (ran.append(1), np.float32(1))[1], [], tf.float32)
    with tf.control_dependencies([above]):
        middle = tf.identity(above)
    c = tf.constant(2.0)
    default = tf.placeholder_with_default(5.0, [])
    first, second = tf.split(tf.constant([1.0, 2.0]), 2)
    unrelated = tf.placeholder(tf.float32)
    with tf.Session() as session:
        assert session.run(middle + c, {middle: 10.0}) == 12.0 and not ran
        assert session.run(c * 2.0, {c: 7.0}) == 14.0
        assert session.run(default + 1.0) == 6.0 and session.run(default + 1.0, {default: 1.0}) == 2.0
        assert session.run(first + second, {second: [9.0]}).tolist() == [10.0]
        assert session.run(c + 0.0, {unrelated: 3.0}) == 2.0
        assert session.run(middle + 0.0) == 1.0 and ran == [1]


def test_waiting_for_what_is_fed(tf: Any) -> None:
    """S99: who waits for a placeholder waits for its value; who waits for another operation waits for it to run."""
    x = tf.placeholder(tf.float32, [], name="x")
    doubled = x * 2.0
    with tf.control_dependencies([x]):
        after, no_op = tf.constant(1.0) + 1.0, tf.no_op()
        chosen = tf.cond(tf.constant(3.0) > 2.0, lambda: tf.constant(1.0) + x, lambda: tf.constant(2.0))
    with tf.control_dependencies([doubled]):
        behind = tf.constant(3.0) + 1.0
    with tf.Session() as session:
        assert session.run([after, no_op, chosen], {x: 4.0}) == [2.0, None, 5.0]
        assert session.run([behind], {x: 4.0, doubled: 1.0}) == [4.0]
        for fetch, fed in ((after, {}), (behind, {doubled: 1.0})):
            with pytest.raises(tf.errors.InvalidArgumentError, match="You must feed a value for placeholder"):
                session.run(fetch, fed)


def test_unfeedable(tf: Any) -> None:
    """S101: marked so, or inside of a loop."""
    c = tf.constant(1.0, name="c")
    inside: list[Any] = []

    def turn(i: Any) -> Any:
        inside.append(i)
        return i + 1

    end = tf.while_loop(lambda i: i < 3, turn, [0])
    with tf.Session() as session:
        assert session.run(c + 0.0, {c: 5.0}) == 5.0
        tf.get_default_graph().prevent_feeding(c)
        with pytest.raises(ValueError, match="Tensor c:0 may not be fed."):
            session.run(c, {c: 1.0})
        entered = [op.outputs[0] for op in tf.get_default_graph().get_operations() if op.type == "Enter"]
        with pytest.raises(ValueError, match="may not be fed."):
            session.run(end, {entered[0]: 1})


def test_baked_in_constants(tf: Any) -> None:
    """S101: a constant whose value went into the static shapes."""
    size = tf.constant([2, 3], name="size")
    y = tf.fill(size, 1.0)
    assert y.shape.as_list() == [2, 3]
    seen = tf.get_static_value(size) if hasattr(tf, "get_static_value") else None
    assert seen is not None
    with tf.Session() as session:
        with pytest.raises(ValueError, match="Tensor size:0 may not be fed."):
            session.run(y, {size: [1, 1]})


def test_unfed_placeholders(tf: Any) -> None:
    """S102, S190."""
    known = tf.placeholder(tf.float32, [2, 3], name="known")
    unknown = tf.placeholder(tf.float64, name="unknown")
    part = tf.placeholder(tf.int32, [None, 3], name="part")
    with tf.Session() as session:
        for tensor, text in (
            (
                known,
                "You must feed a value for placeholder tensor 'known' with dtype float and shape [2,3]\n\t [[{{node "
                "known}}]]",
            ),
            (
                unknown,
                "You must feed a value for placeholder tensor 'unknown' with dtype double\n\t [[{{node unknown}}]]",
            ),
            (
                part,
                "You must feed a value for placeholder tensor 'part' with dtype int32 and shape [?,3]\n\t [[{{node "
                "part}}]]",
            ),
        ):
            for fetch in (tensor, tensor + 1, tensor.op):
                with pytest.raises(tf.errors.InvalidArgumentError) as caught:
                    session.run(fetch)
                assert text in caught.value.message and caught.value.op is tensor.op
        with pytest.raises(
            tf.errors.InvalidArgumentError, match="You must feed a value for placeholder tensor 'unknown'"
        ):
            session.run(unknown.op, {unknown: 1.0})


def test_all_unfed_placeholders_are_named(rs: Any) -> None:
    """S102: with what needs them, and what was fed."""
    x, y, z = (rs.placeholder(rs.float32, name=name) for name in "xyz")
    with pytest.raises(rs.errors.InvalidArgumentError, match="placeholder tensor 'x'") as caught:
        rs.Session().run(rs.sqrt(rs.tanh(x) + y * z, name="end"), {z: 1.0})
    assert caught.value.__notes__ == ["Needed by end <- add <- Tanh <- x", "Not fed either: 'y:0'", "Fed: z:0"]
    for _ in range(20):
        x = rs.negative(x)
    with pytest.raises(rs.errors.InvalidArgumentError, match="placeholder tensor 'x'") as caught:
        rs.Session().run(x)
    assert (
        caught.value.__notes__[0]
        == "Needed by Neg_19 <- Neg_18 <- Neg_17 <- Neg_16 <- ... <- Neg_2 <- Neg_1 <- Neg <- x"
    )


def test_a_wrong_feed_is_told_before_a_missing_one(tf: Any) -> None:
    """S96, S102."""
    x, y = (tf.placeholder(tf.float32, [None, 4], name=name) for name in "xy")
    with tf.Session() as session, pytest.raises(ValueError, match=r"Cannot feed value of shape \(2, 3\)"):
        session.run(x + y, {y: np.ones((2, 3))})


def test_fetching_what_is_fed(tf: Any) -> None:
    """S103, T: testFeedAndFetch: the converted array itself, of rank 0 too."""
    x = tf.placeholder(tf.float32)
    given = np.array([1.0, 2.0], np.float32)
    with tf.Session() as session:
        assert session.run(x, {x: given}) is given
        found = session.run([x, x + 1.0], {x: given})
        assert found[0] is given and found[1].tolist() == [2.0, 3.0]
        other = session.run(x, {x: [1, 2]})
        assert other.dtype == np.float32 and other.tolist() == [1.0, 2.0]
        scalar = session.run(x, {x: 3})
        assert type(scalar) is np.ndarray and scalar.shape == () and scalar == 3.0
        for _ in range(2):
            assert session.run([x], {x: given})[0] is given


def test_results_do_not_alias_feeds(tf: Any) -> None:
    """S104, S76."""
    x = tf.placeholder(tf.float32, [2, 2])
    given = np.ones((2, 2), np.float32)
    fetches = [tf.identity(x), tf.reshape(x, [4]), x[0], tf.transpose(x), tf.stop_gradient(x)]
    v = tf.raw_ops.VariableV2(shape=[2, 2], dtype=tf.float32)
    keep = tf.raw_ops.Assign(ref=v, value=x)
    with tf.Session() as session:
        for found in session.run(fetches, {x: given}):
            assert not np.shares_memory(found, given)
        session.run(keep, {x: given})
        given[...] = 9
        assert session.run(v).tolist() == [[1.0, 1.0], [1.0, 1.0]]


def test_resources_cannot_be_fed(rs: Any) -> None:
    """S105: a clear TypeError; TensorFlow: KeyError: 20."""
    handle = rs.raw_ops.VarHandleOp(dtype=rs.float32, shape=[])
    read = rs.raw_ops.ReadVariableOp(resource=handle, dtype=rs.float32)
    with pytest.raises(TypeError, match="has dtype resource, whose values cannot be fed"):
        rs.Session().run(read, {handle: 3})


def test_sparse_values(tf: Any) -> None:
    """S106: a SparseTensorValue or any 3-tuple; what is not fed is missed."""
    sparse = tf.sparse_placeholder(tf.float32, name="s")
    doubled = sparse.values * 2.0
    with tf.Session() as session:
        for value in (
            tf.SparseTensorValue([[0]], [3.0], [4]),
            ([[0]], [3.0], [4]),
            ((np.int64([[0]])), np.float32([3.0]), [4]),  # type: ignore[arg-type]
        ):
            assert session.run(doubled, {sparse: tuple(value)}).tolist() == [6.0]
        with pytest.raises(tf.errors.InvalidArgumentError, match="You must feed a value for placeholder tensor 's/"):
            session.run(sparse, {sparse.values: [1.0]})
        with pytest.raises(ValueError):
            session.run(doubled, {sparse: np.zeros((3, 3))})


def test_ragged_placeholders(tf: Any) -> None:
    """S107: fed whole or by components."""
    ragged = tf.ragged.placeholder(tf.int32, 2, value_shape=[])
    Value = RaggedTensorValue if tf is runstep else tf.ragged.RaggedTensorValue
    value = Value(Value(np.int32([1, 2, 3]), np.int64([0, 2, 2, 3])), np.int64([0, 2, 3]))  # type: ignore[arg-type]
    doubled = ragged.flat_values * 2
    with tf.Session() as session:
        found = session.run(ragged, {ragged: value})
        assert found.to_list() == [[[1, 2], []], [[3]]]
        assert session.run(doubled, {ragged: value}).tolist() == [2, 4, 6]
        parts = {ragged.flat_values: [1, 2, 3]}
        parts.update(zip(ragged.nested_row_splits, value.nested_row_splits, strict=True))
        assert session.run(ragged, parts).to_list() == [[[1, 2], []], [[3]]]
        with pytest.raises(tf.errors.InvalidArgumentError, match="You must feed a value for placeholder tensor"):
            session.run(ragged)


def test_tensors_are_keys_by_identity(tf: Any) -> None:
    """S108."""
    x, y = tf.constant(1), tf.constant(1)
    assert x == x and not (x == y) and x != y and hash(x) == hash(x)
    assert {x: 1, y: 2}[y] == 2 and x in [y, x] and x not in [y]
    with pytest.raises(TypeError, match="unhashable"):
        tf.Session().run(x, {[x]: 1})


def test_ragged_placeholders_are_tensorflows(same: Any) -> None:
    """S107: nodes, names and static shapes."""

    def program(tf: Any) -> Any:
        tf.ragged.placeholder(tf.int32, 2, value_shape=[])
        tf.ragged.placeholder(tf.float32, 1, value_shape=[3], name="q")
        tf.ragged.placeholder(tf.float32, 1)
        tf.ragged.placeholder(tf.float32, 0, value_shape=[3], name="dense")
        ops = tf.get_default_graph().get_operations()
        return [(op.name, op.type, op.outputs[0].dtype.name, str(op.outputs[0].shape)) for op in ops]

    assert same(program)[0] == "returned"


@pytest.mark.parametrize("use_resource", [False, True])
def test_variable_objects_as_keys(same: Any, use_resource: bool) -> None:
    """S90: for a ref variable its value, for a resource variable the one tensor that it fetches as."""

    def program(tf: Any) -> Any:
        v = tf.Variable(1.0, use_resource=use_resource)
        with tf.Session() as session:
            found = [session.run(v, {v: 3.0})]
            if not use_resource:
                found.append(session.run(v + 1.0, {v: 3.0}))
            return found

    assert same(program)[0] == "returned"


def test_variables_as_values(rs: Any) -> None:
    """S95: the TypeError of tensors (numpy's ValueError in TensorFlow)."""
    x = rs.placeholder(rs.float32)
    for use_resource in (False, True):
        v = rs.Variable(1.0, use_resource=use_resource)
        with pytest.raises(TypeError, match="The value of a feed cannot be a tf.Tensor object"):
            rs.Session().run(x, {x: v})
