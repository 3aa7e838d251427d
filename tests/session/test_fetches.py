"""What may be fetched, and what comes back (S70-S85)."""

from __future__ import annotations

import collections
import dataclasses
import types
from typing import Any, NamedTuple

import attrs
import numpy as np
import pytest


class Pair(NamedTuple):
    a: Any
    b: Any


@attrs.define
class Made:
    x: Any
    y: Any


@attrs.define(kw_only=True)
class Named:
    x: Any
    _y: Any


@dataclasses.dataclass
class Data:
    x: Any
    y: Any


class Listed(list):
    pass


Old = collections.namedtuple("Old", ["p", "q"])


def test_leaves(same: Any) -> None:
    """S70, S77, S84: tensors, operations, names of either as str or bytes, what has _as_graph_element."""

    def program(tf: Any) -> Any:
        a = tf.constant([1, 2], name="a")

        class Thing:
            def _as_graph_element(self) -> Any:
                return a

        with tf.Session() as session:
            return session.run([a, a.op, "a:0", b"a:0", "a", b"a", Thing(), tf.group(a)])

    assert same(program)[0] == "returned"


def test_structures(same: Any) -> None:
    """S71: the structure comes back; a subclass of list as a list, everything else as what it was."""

    def program(tf: Any) -> Any:
        a, b = tf.constant(1), tf.constant([2.0])
        default = collections.defaultdict(list, {"k": a})
        with tf.Session() as session:
            found = [  # type: ignore[var-annotated]
                session.run(fetch)
                for fetch in (
                    [a, (b, [a])],
                    Listed([a, b]),
                    (a,),
                    Pair(a, [b]),
                    Old(a, b),
                    {"x": a, 3: {"y": (b,)}},
                    collections.OrderedDict([("z", a), ("y", b)]),
                    default,
                    [],
                    {"x": []},
                )
            ]
            made = session.run(Made(a, [b]))
            assert type(made) is Made and made.x == 1
            assert session.run(default).default_factory is list
        return found

    assert same(program)[0] == "returned"


def test_more_structures(rs: Any) -> None:
    """S71: dataclasses, attrs classes with keywords, MappingProxyType, which TensorFlow refuses."""
    a, b = rs.constant(1), rs.constant(2)
    with rs.Session() as session:
        assert session.run(Data(a, [b])) == Data(1, [2])
        assert session.run(Named(x=a, y=b)) == Named(x=1, y=2)
        found = session.run(types.MappingProxyType({"k": a}))
        assert type(found) is types.MappingProxyType and found["k"] == 1


def test_no_structures(tf: Any) -> None:
    """S71, S73: sets, generators and deques are leaves of the wrong type."""
    a = tf.constant(1)
    with tf.Session() as session:
        for fetch in ({a}, (x for x in [a]), collections.deque([a])):
            with pytest.raises(TypeError, match="has invalid type .* must be a string or Tensor"):
                session.run(fetch)


def test_none(tf: Any) -> None:
    """S72."""
    a = tf.constant(1)
    with tf.Session() as session:
        for fetch in (None, [None], {"k": (a, None)}):
            with pytest.raises(TypeError, match='^Argument `fetch` = None has invalid type "NoneType". Cannot be None'):
                session.run(fetch)


def test_wrong_types(tf: Any) -> None:
    """S73."""
    a = tf.constant(1)
    queue = tf.FIFOQueue(1, tf.float32)
    array = tf.TensorArray(tf.float32, 1)
    wrong = [
        3,
        2.5,
        np.zeros(2),
        {1},
        tf.Graph(),
        tf.TensorShape([1]),
        queue,
        array,
        tf.SparseTensorValue([[0]], [1.0], [1]),
    ]
    with tf.Session() as session:
        for fetch in wrong:
            leaf = type(fetch).__name__ if not isinstance(fetch, tuple) else "int"
            with pytest.raises(TypeError) as caught:
                session.run([a, fetch])
            text = str(caught.value)
            assert (
                f'has invalid type "{leaf}" must be a string or Tensor. (Can not convert a {leaf} into a Tensor or '
                "Operation.)" in text
            )


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (
            "nope:0",
            "(\"The name 'nope:0' refers to a Tensor which does not exist. The operation, 'nope', does not exist in "
            "the graph.",
        ),
        ("nope", "(\"The name 'nope' refers to an Operation not in the graph."),
        (
            "a:3",
            "(\"The name 'a:3' refers to a Tensor which does not exist. The operation, 'a', exists but only has 1 "
            "outputs.",
        ),
        (
            "a:x",
            "(The name 'a:x' looks a like a Tensor name, but is not a valid one. "
            'Tensor names must be of the form "<op_name>:<output_index>".',
        ),
        ("a:b:0", "(The name 'a:b:0' looks a like a Tensor name, but is not a valid one."),
        ("^a", "(\"The name '^a' refers to an Operation not in the graph."),
        ("", "(\"The name '' refers to an Operation not in the graph."),
    ],
)
def test_unknown_names(tf: Any, name: str, text: str) -> None:
    """S74."""
    tf.constant(1, name="a")
    with tf.Session() as session:
        with pytest.raises(ValueError) as caught:
            session.run(name)
        assert f"Argument `fetch` = {name} cannot be interpreted as a Tensor. {text}" in str(caught.value)


def test_similar_names_are_suggested(rs: Any) -> None:
    """S74: more than TensorFlow says."""
    rs.constant(1, name="node")
    with pytest.raises(ValueError, match="Did you mean 'node:0'"):
        rs.Session().run("nodes:0")


def test_types_of_results(same: Any) -> None:
    """S75: numpy scalars for rank 0, bytes for strings, arrays otherwise; quantized as what they are stored in."""

    def program(tf: Any) -> Any:
        names = ["float16", "bfloat16", "float32", "float64", "int8", "uint8", "int16", "uint16", "int32", "int64"]
        names += ["uint32", "uint64", "complex64", "complex128", "bool"]
        fetches: list[Any] = []
        for name in names:
            fetches += [tf.cast(1, getattr(tf, name)), tf.cast([1, 0], getattr(tf, name))]
        fetches += [tf.constant("s"), tf.constant(["s", b"t\0"]), tf.zeros([0, 2]), tf.zeros([2, 0], tf.string)]
        quantized = [tf.placeholder(dtype) for dtype in (tf.qint8, tf.quint8, tf.qint32)]
        fetches += [tf.identity(x) for x in quantized]
        with tf.Session() as session:
            return session.run(fetches, dict.fromkeys(quantized, [1, 2]))

    assert same(program)[0] == "returned"


def test_results_are_the_callers_own(tf: Any) -> None:
    """S76: writable, contiguous, private; one array for one tensor."""
    c = tf.constant([[1.0, 2.0], [3.0, 4.0]])
    v = tf.raw_ops.VariableV2(shape=[2], dtype=tf.float32)
    start = tf.raw_ops.Assign(ref=v, value=[5.0, 6.0])
    x = tf.placeholder(tf.float32, [2, 2])
    fetches = [c, v, tf.transpose(c), c[:, 0], tf.reshape(c, [4]), tf.identity(x), tf.identity(v)]
    with tf.Session() as session:
        session.run(start)
        given = np.ones((2, 2), np.float32)
        before = [array.tolist() for array in session.run(fetches, {x: given})]
        for array in session.run(fetches, {x: given}):
            assert array.flags.writeable and array.flags.c_contiguous
            array[...] = -1
        assert [array.tolist() for array in session.run(fetches, {x: given})] == before
        assert given.tolist() == [[1.0, 1.0], [1.0, 1.0]]
        first, again, inner = session.run([c, c, {"k": c}])
        assert first is again is inner["k"]


def test_results_own_their_data(rs: Any) -> None:
    """S76: no hidden base: what a user keeps is all that is kept."""
    c = rs.constant(np.zeros((50, 50), np.float32))
    x = rs.placeholder(rs.float32, [50, 50])
    with rs.Session() as session:
        for array in session.run([c, c[0], rs.transpose(x), x + c, rs.reshape(x + 1.0, [-1])], {x: np.zeros((50, 50))}):
            assert array.base is None and array.flags.owndata


def test_operations(tf: Any) -> None:
    """S77: None, and they run."""
    v = tf.raw_ops.VariableV2(shape=[], dtype=tf.float32)
    start = tf.raw_ops.Assign(ref=v, value=2.0)
    with tf.Session() as session:
        assert session.run(start.op) is None
        assert session.run(v) == 2
        assert session.run([tf.group(start), "Assign", v.op, tf.constant(1).op, tf.no_op()]) == [None] * 5


def test_composites(same: Any) -> None:
    """S78, S70: SparseTensorValue, IndexedSlicesValue with None for no shape."""

    def program(tf: Any) -> Any:
        sparse = tf.SparseTensor([[0, 1], [1, 0]], [1.0, 2.0], [2, 2])
        slices = tf.IndexedSlices(tf.constant([[1.0]]), tf.constant([3]))
        shaped = tf.IndexedSlices(tf.constant([[1.0]]), tf.constant([3]), tf.constant([9, 1]))
        with tf.Session() as session:
            return session.run([sparse, {"k": slices}, shaped])

    kind, found = same(program)
    assert kind == "returned"
    assert [item[0] for item in found[1]] == ["SparseTensorValue", "dict", "IndexedSlicesValue"]


def test_ragged(rs: Any) -> None:
    """S78: RaggedTensorValue."""
    from runstep.graph.ragged_tensor import RaggedTensorValue

    ragged = rs.RaggedTensor.from_row_splits(rs.constant([1, 2, 3]), rs.constant([0, 2, 3], rs.int64))
    with rs.Session() as session:
        found = session.run(ragged)
        assert isinstance(found, RaggedTensorValue) and found.to_list() == [[1, 2], [3]]


def test_variables_with_assignments(tf: Any) -> None:
    """S79: a ref variable fetched together with an assignment shows it."""
    v = tf.raw_ops.VariableV2(shape=[], dtype=tf.float32)
    start = tf.raw_ops.Assign(ref=v, value=1.0)
    add = tf.raw_ops.AssignAdd(ref=v, value=1.0)
    with tf.Session() as session:
        session.run(start)
        assert session.run([v, add]) == [2.0, 2.0]
        assert session.run([add, v]) == [3.0, 3.0]


def test_handles_are_opaque(rs: Any) -> None:
    """S80, S79: a resource tensor gives an object, not of use to users."""
    handle = rs.raw_ops.VarHandleOp(dtype=rs.float32, shape=[])
    with rs.Session() as session:
        found = session.run(handle)
        assert "tensorflow::Var" in repr(found)


def test_uninitialized_ref_variables(tf: Any) -> None:
    """S81."""
    v = tf.raw_ops.VariableV2(shape=[], dtype=tf.float32, name="vv")
    w = tf.identity(v, name="w")
    with tf.Session() as session:
        with pytest.raises(tf.errors.FailedPreconditionError, match="Attempting to use uninitialized value vv"):
            session.run(v)
        with pytest.raises(
            tf.errors.FailedPreconditionError, match="Attempting to use uninitialized value vv"
        ) as caught:
            session.run(w)
        assert caught.value.op is w.op


def test_uninitialized_ref_variables_are_named(rs: Any) -> None:
    """S81: `.op` is the variable; TensorFlow leaves it None."""
    v = rs.raw_ops.VariableV2(shape=[], dtype=rs.float32, name="vv")
    with rs.Session() as session:
        with pytest.raises(rs.errors.FailedPreconditionError) as caught:
            session.run(v)
        assert caught.value.op is v.op


def test_uninitialized_resource_variables(tf: Any) -> None:
    """S81."""
    v = tf.raw_ops.VarHandleOp(dtype=tf.float32, shape=[], shared_name="vv")
    read = tf.raw_ops.ReadVariableOp(resource=v, dtype=tf.float32)
    with tf.Session() as session:
        with pytest.raises(
            tf.errors.FailedPreconditionError,
            match="Could not find variable vv. This could mean that the variable has been deleted. "
            "In TF1, it can also mean the variable is uninitialized.",
        ) as caught:
            session.run(read)
        assert caught.value.op is read.op


def test_unfetchable(tf: Any) -> None:
    """S82: marked so, or made inside of a loop or a branch."""
    c = tf.constant(1, name="c")
    inside: list[Any] = []

    def turn(i: Any) -> Any:
        inside.append(i + 1)
        return inside[-1]

    def branch() -> Any:
        inside.append(tf.add(c, 1))
        return inside[-1]

    tf.while_loop(lambda i: i < 3, turn, [0])
    tf.cond(tf.constant(True), branch, lambda: tf.constant(2))
    text = (
        "has been marked as not fetchable. Typically this happens when it is defined in another function or code block."
    )
    with tf.Session() as session:
        assert session.run(c) == 1
        tf.get_default_graph().prevent_fetching(c.op)
        for fetch in (c, c.op, "c:0", *inside, inside[0].op, "cond/Switch:0", "cond/pred_id:0"):
            with pytest.raises(ValueError, match=text) as caught:
                session.run(fetch)
            assert type(caught.value).__name__ == "InaccessibleTensorError"


def test_dead_tensors(tf: Any) -> None:
    """S83."""
    false, true = tf.raw_ops.Switch(data=tf.constant([1, 2]), pred=tf.constant(True))
    with tf.Session() as session:
        assert session.run(true).tolist() == [1, 2]
        for fetch in (false, [true, false]):
            with pytest.raises(tf.errors.InvalidArgumentError, match=r"Retval\[\d\] does not have value"):
                session.run(fetch)


def test_duplicates(tf: Any) -> None:
    """S84."""
    a = tf.constant(1, name="a")
    with tf.Session() as session:
        assert session.run([a, "a:0", a.op, a, {"k": b"a:0"}]) == [1, 1, None, 1, {"k": 1}]


def test_structures_of_elements(tf: Any) -> None:
    """S85: what a queue with names, or an iterator, hands out, is fetched in its structure."""
    queue = tf.FIFOQueue(2, [tf.int32, tf.float32], names=["i", "f"], shapes=[(), (2,)])
    put = queue.enqueue({"i": 1, "f": [2.0, 3.0]})
    element = queue.dequeue()
    with tf.Session() as session:
        session.run(put)
        found = session.run(element)
        assert sorted(found) == ["f", "i"] and found["i"] == 1 and found["f"].tolist() == [2.0, 3.0]


@pytest.mark.parametrize("use_resource", [False, True])
def test_variables(same: Any, use_resource: bool) -> None:
    """S70, S79, S81, S77: variables of both kinds, and what their names mean."""

    def program(tf: Any) -> Any:
        v = tf.Variable([1.0, 2.0], name="v", use_resource=use_resource)
        with tf.Session() as session:
            try:
                session.run(v)
            except tf.errors.FailedPreconditionError as error:
                missing = type(error).__name__
            session.run(v.initializer)
            found = [session.run([v, {"k": v}, v.op if not use_resource else v.initializer])]
            session.run(v)[:] = 9
            found.append(session.run(v))
            if not use_resource:
                found.append(session.run("v:0"))
            return missing, found

    assert same(program)[0] == "returned"


def test_names_of_resource_variables_mean_their_handles(rs: Any) -> None:
    """S79, S80."""
    rs.Variable(1.0, name="v", use_resource=True)
    with rs.Session() as session:
        assert "tensorflow::Var" in repr(session.run("v:0"))
