"""make_callable, and callables from CallableOptions (S130-S136)."""

from __future__ import annotations

import gc
from typing import Any

import numpy as np
import pytest


def test_without_feeds(same: Any) -> None:
    """S130: a function of no arguments, of what run returns."""

    def program(tf: Any) -> Any:
        a, b = tf.constant(1), tf.constant([2.0])
        with tf.Session() as session:
            return [session.make_callable(fetch)() for fetch in (a, a.op, [a, {"k": (b,)}], (a, b.op), "Const:0")]

    assert same(program)[0] == "returned"


def test_bad_fetches_are_refused_when_made(tf: Any) -> None:
    """S130."""
    tf.constant(1)
    with tf.Session() as session:
        for fetch, error in ((None, TypeError), (3, TypeError), ("nope", ValueError), ([None], TypeError)):
            with pytest.raises(error, match="Argument `fetch` = "):
                session.make_callable(fetch)


def test_arguments(tf: Any) -> None:
    """S130: none without feed_list; options only when they are accepted."""
    c = tf.constant(1)
    with tf.Session() as session:
        call = session.make_callable(c)
        with pytest.raises(TypeError):
            call(3)
        with pytest.raises(TypeError):
            call(options=tf.RunOptions())
        metadata = tf.RunMetadata()
        with_options = session.make_callable(c, accept_options=True)
        assert with_options() == 1
        assert with_options(options=tf.RunOptions(trace_level=3), run_metadata=metadata) == 1
        assert metadata.HasField("step_stats")
        with pytest.raises(TypeError):
            with_options(other=1)


def test_with_feeds(tf: Any) -> None:
    """S131: lists and tuples, all kinds of keys; options are always accepted."""
    x, y = tf.placeholder(tf.float32, name="x"), tf.placeholder(tf.float32)
    sparse = tf.sparse_placeholder(tf.float32)
    z = x - y
    with tf.Session() as session:
        assert session.make_callable(z, [x, y])(5.0, 2.0) == 3.0
        assert session.make_callable([z, {"k": z.op}], ("x:0", y))(5, np.float64(2)) == [3.0, {"k": None}]
        assert session.make_callable(z, [(x, y)])((5.0, 2.0)) == 3.0
        value = tf.SparseTensorValue([[0]], [4.0], [2])
        assert session.make_callable(sparse.values * 2.0, [sparse])(value).tolist() == [8.0]
        metadata = tf.RunMetadata()
        call = session.make_callable(z, [x, y])
        assert call(5.0, 2.0, options=tf.RunOptions(trace_level=3), run_metadata=metadata) == 3.0
        assert metadata.HasField("step_stats")
        assert session.make_callable(x, [x])(3.0) == 3.0


def test_feed_list_must_be_a_list(tf: Any) -> None:
    """S131."""
    x = tf.placeholder(tf.float32)
    with tf.Session() as session:
        for wrong in (x, {x: 1}, "x:0"):
            with pytest.raises(TypeError, match="Argument `feed_list` must be a list or tuple. Received: feed_list="):
                session.make_callable(x, feed_list=wrong)


def test_feeds_are_decided_when_made(rs: Any) -> None:
    """S131: bad keys are refused at once, and so is a wrong number of arguments (TensorFlow: at the first call, or
    never)."""
    x = rs.placeholder(rs.float32)
    with rs.Session() as session:
        with pytest.raises(TypeError, match="Cannot interpret feed_dict key as Tensor"):
            session.make_callable(x, ["nope:0"])
        with pytest.raises(TypeError, match="Argument `fetch` = None"):
            session.make_callable(None, [x])
        call = session.make_callable(x + 1.0, [x])
        for values in ((), (1.0, 2.0)):
            with pytest.raises(
                TypeError, match=f"takes 1 values, one for each of its feed_list, but got {len(values)}"
            ):
                call(*values)
        twice = session.make_callable(x + 1.0, [(x,)])
        with pytest.raises(TypeError, match="takes 1 values"):
            twice()


def test_duplicate_feeds(tf: Any) -> None:
    """S131: as in run: by object and name, the later one counts."""
    x = tf.placeholder(tf.float32, name="x")
    with tf.Session() as session:
        assert session.make_callable(x + 0.0, [x, "x:0"])(1.0, 2.0) == 2.0


def test_checks_of_values(tf: Any) -> None:
    """S131, S94, S98."""
    x = tf.placeholder(tf.uint8, [2])
    with tf.Session() as session:
        call = session.make_callable(tf.identity(x), [x])
        with pytest.raises(ValueError, match="Cannot feed value of shape"):
            call([1, 2, 3])
        with pytest.raises(TypeError, match="is not compatible with Tensor type"):
            call(300)
        assert call([1, 2]).tolist() == [1, 2]


def test_errors_are_those_of_run(rs: Any) -> None:
    """S132: with node, text and operation (TensorFlow: raw)."""
    x = rs.placeholder(rs.float32, name="x")
    checked = rs.check_numerics(rs.constant(np.nan), "mine", name="checked")
    fed = rs.check_numerics(x, "mine", name="fed")
    with rs.Session() as session:
        for op, call in (
            (checked.op, session.make_callable(checked)),
            (fed.op, lambda: session.make_callable(fed, [x])(np.nan)),
        ):
            with pytest.raises(rs.errors.InvalidArgumentError, match="mine : Tensor had NaN values") as caught:
                call()
            assert caught.value.op is op and caught.value.message.startswith("Graph execution error:")
            assert caught.value.node_def.name == op.name


def test_unfed_placeholders(rs: Any) -> None:
    """S102, S131: told when the callable is made or called."""
    x = rs.placeholder(rs.float32, name="x")
    with rs.Session() as session:
        with pytest.raises(rs.errors.InvalidArgumentError, match="You must feed a value for placeholder tensor 'x'"):
            session.make_callable(x + 1.0)()


def test_nothing_to_fetch(rs: Any) -> None:
    """S133: [] (InvalidArgumentError in TensorFlow)."""
    x = rs.placeholder(rs.float32)
    with rs.Session() as session:
        assert session.make_callable([])() == [] and session.make_callable([], [x])(1.0) == []


def test_callables_on_empty_graphs_and_graphs_that_grow(tf: Any) -> None:
    """S134."""
    with tf.Session() as session:
        session.make_callable([])
        a = tf.constant(1)
        call = session.make_callable(a)
        assert call() == 1
        b = a + 1
        assert call() == 1 and session.make_callable(b)() == 2 and call() == 1


def test_callables_keep_their_session(tf: Any) -> None:
    """S134."""
    x = tf.placeholder(tf.float32)
    calls = [tf.Session().make_callable(tf.constant(3)), tf.Session().make_callable(x + 1.0, [x])]
    gc.collect()
    assert calls[0]() == 3 and calls[1](1.0) == 2.0


def test_results_are_private(tf: Any) -> None:
    """S76, S130."""
    c = tf.constant([1.0, 2.0])
    call = tf.Session().make_callable(c)
    call()[:] = 9
    assert call().tolist() == [1.0, 2.0]


def _from(tf: Any, session: Any, connect: tuple[tuple[str, str], ...] = (), **fields: Any) -> Any:
    from runstep.testing.oracle import tensorflow

    tensorflow()
    from tensorflow.core.protobuf import config_pb2 as theirs

    from runstep.protos import config_pb2 as ours

    options = (ours if tf.__name__ == "runstep" else theirs).CallableOptions(**fields)
    for source, target in connect:
        options.tensor_connection.add(from_tensor=source, to_tensor=target)
    return session._make_callable_from_options(options)


def _graph(tf: Any) -> Any:
    x = tf.placeholder(tf.float32, [], name="x")
    tf.add(x, 1.0, name="y")
    tf.constant(5.0, name="d")
    tf.constant(1, name="c")
    return tf.Session()


def test_from_options(tf: Any) -> None:
    """S135, T: testOptimizedMakeCallable, testOptimizedMakeCallableWithRunMetadata: positional arrays in, a list
    out."""
    session = _graph(tf)
    call = _from(tf, session, feed=["x:0"], fetch=["y:0"])
    for value in (1.0, 2.0):
        assert call(np.float32(value)) == [value + 1]
    assert _from(tf, session, fetch=["c:0"], target=["y/y"])() == [1]
    metadata = tf.RunMetadata()
    traced = _from(tf, session, feed=["x:0"], fetch=["y:0"], run_options=tf.RunOptions(trace_level=3))
    assert traced(np.float32(1), run_metadata=metadata) == [2.0] and metadata.HasField("step_stats")


def test_from_options_refuses(tf: Any) -> None:
    """S135: other dtypes, another number of feeds, names that are not there, a feed twice, nothing to do."""
    session = _graph(tf)
    invalid = tf.errors.InvalidArgumentError
    for values, text in (
        ((np.float64(1),), "Type mismatch.*: actual double vs. expect float"),
        ((1.0,), "Type mismatch.*: actual double vs. expect float"),
        ((np.int32(1),), "Type mismatch.*: actual int32 vs. expect float"),
        ((), "Expected 1 feed tensors, but got 0"),
        ((np.float32(1), np.float32(1)), "Expected 1 feed tensors, but got 2"),
    ):
        with pytest.raises(invalid, match=text):
            _from(tf, session, feed=["x:0"], fetch=["y:0"])(*values)
    one = np.float32(1)
    for fields, values, text in (  # type: ignore[assignment]
        ({}, (), "Must specify at least one target to fetch or execute."),
        (
            {"feed": ["nope:0"], "fetch": ["y:0"]},
            (one,),
            "Tensor nope:0, specified in either feed_devices or fetch_devices was not found",
        ),
        (
            {"feed": ["x:0"], "fetch": ["nope:0"]},
            (one,),
            "Tensor nope:0, specified in either feed_devices or fetch_devices was not found",
        ),
        ({"feed": ["x:0"], "fetch": ["x:0"]}, (one,), "x:0 is both fed and fetched."),
        ({"feed": ["x:0", "x:0"], "fetch": ["y:0"]}, (one, one), 'Endpoint "x:0" fed more than once.'),
    ):
        with pytest.raises(invalid, match=text):
            _from(tf, session, **fields)(*values)  # type: ignore[arg-type]


def test_tensor_connections(tf: Any) -> None:
    """S135, C++ T: TestTensorConnection: one tensor takes the value of another of the same step."""
    session = _graph(tf)
    assert _from(tf, session, (("d:0", "x:0"),), fetch=["y:0"])() == [6.0]
    assert _from(tf, session, (("d:0", "x:0"),), fetch=["d:0", "y:0"], target=["c"])() == [5.0, 6.0]


def test_tensor_connections_with_feeds(tf: Any) -> None:
    """S135: beside ordinary feeds, and from what these lead to."""
    session = _graph(tf)
    a = tf.placeholder(tf.float32, [], name="a")
    tf.multiply(a, 2.0, name="twice")
    call = _from(tf, session, (("twice:0", "x:0"),), feed=["a:0"], fetch=["y:0"])
    assert call(np.float32(3)) == [7.0] and call(np.float32(4)) == [9.0]


def test_bad_tensor_connections(tf: Any) -> None:
    """S135, C++ T: TestTensorConnectionUseTwice and those after it."""
    session = _graph(tf)
    invalid = tf.errors.InvalidArgumentError
    for connect, fields, error, text in (
        ((("bad:0", "x:0"),), {}, invalid, "Requested tensor connection from unknown node"),
        ((("d:0", "bad:0"),), {}, tf.errors.NotFoundError, "unable to find feed output bad:0"),
        ((("d:0", "x:0"),), {"feed": ["x:0"]}, invalid, 'Endpoint "x:0" fed more than once.'),
        ((("d:0", "x:0"), ("d:0", "x:0")), {}, invalid, 'Endpoint "x:0" fed more than once.'),
        ((("y:0", "x:0"),), {}, invalid, 'Requested Tensor connection between nodes "x" and "y" would create a cycle.'),
    ):
        with pytest.raises(error, match=text):
            _from(tf, session, connect, fetch=["y:0"], **fields)(*[np.float32(1)] * len(fields.get("feed", ())))


def test_a_callable_is_compiled_once(rs: Any) -> None:
    """S136: calling it again does not ask the engine for a plan."""
    x = rs.placeholder(rs.float32)
    session = rs.Session()
    call, fixed = session.make_callable(x + 1.0, [x]), session.make_callable(rs.constant(1))
    prepared: list[int] = []
    original = session._engine.prepare
    session._engine.prepare = lambda *args: (prepared.append(1), original(*args))[1]
    for _ in range(3):
        assert call(1.0) == 2.0 and fixed() == 1
    assert not prepared
