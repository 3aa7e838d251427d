"""The stack of default sessions (S20-S37)."""

from __future__ import annotations

import gc
import logging
import threading
import weakref
from typing import Any

import numpy as np
import pytest

import runstep


def test_default_session_is_the_innermost_entered(tf: Any) -> None:
    """S20: constructing a Session does not install it."""
    assert tf.get_default_session() is None
    outer, inner = tf.Session(), tf.Session()
    assert tf.get_default_session() is None
    with outer.as_default():
        assert tf.get_default_session() is outer
        with inner.as_default():
            assert tf.get_default_session() is inner
        assert tf.get_default_session() is outer
    assert tf.get_default_session() is None


def test_an_interactive_session_installs_itself(tf: Any) -> None:
    """S21: and its graph, when it was given one."""
    before = tf.get_default_graph()
    session = tf.InteractiveSession()
    assert tf.get_default_session() is session and tf.get_default_graph() is before
    session.close()
    assert tf.get_default_session() is None
    graph = tf.Graph()
    session = tf.InteractiveSession(graph=graph)
    assert tf.get_default_session() is session and tf.get_default_graph() is graph
    session.close()
    assert tf.get_default_session() is None and tf.get_default_graph() is before


def test_the_page_of_interactive_session(tf: Any) -> None:
    """S21: the documentation's example."""
    sess = tf.InteractiveSession()
    a = tf.constant(5.0)
    b = tf.constant(6.0)
    c = a * b
    assert c.eval() == 30.0
    sess.close()


def test_with_session(tf: Any) -> None:
    """S22, S26: default session and default graph inside, closed at the end."""
    graph = tf.Graph()
    before = tf.get_default_graph()
    with tf.Session(graph=graph) as session:
        assert tf.get_default_session() is session and tf.get_default_graph() is graph
        c = tf.constant(1)
        assert c.eval() == 1
    assert tf.get_default_session() is None and tf.get_default_graph() is before
    with pytest.raises(RuntimeError, match="Attempted to use a closed Session."):
        session.run(c)
    with tf.Session() as session:
        session.close()


def test_with_session_and_an_exception(tf: Any) -> None:
    """S22: the exception comes out, the session is closed, both stacks are as before."""
    before = tf.get_default_graph()
    with pytest.raises(KeyError, match="mine"):
        with tf.Session(graph=tf.Graph()) as session:
            tf.constant(1)
            raise KeyError("mine")
    assert tf.get_default_session() is None and tf.get_default_graph() is before
    with pytest.raises(RuntimeError, match="closed Session"):
        session.run([])


def test_as_default(tf: Any) -> None:
    """S23: does not close, does not change the default graph, may be entered again and inside of itself."""
    before = tf.get_default_graph()
    graph = tf.Graph()
    with graph.as_default():
        c = tf.constant(2)
    session = tf.Session(graph=graph)
    for _ in range(2):
        with session.as_default() as entered:
            assert entered is session and tf.get_default_graph() is before
            with session.as_default():
                assert c.eval() == 2
            assert tf.get_default_session() is session
    assert session.run(c) == 2


def test_with_is_not_reentrant(tf: Any) -> None:
    """S24, S190, T: testReentry."""
    session = tf.Session()
    tf.constant(1)
    with pytest.raises(RuntimeError, match="not re-entrant"):
        with session:
            with session:
                pass
    assert tf.get_default_session() is None
    with pytest.raises(RuntimeError, match="closed Session"):
        session.run([])


def test_a_second_with_enters_a_closed_session(tf: Any) -> None:
    """S25."""
    session = tf.Session()
    c = tf.constant(1)
    with session:
        session.run(c)
    with session:
        with pytest.raises(RuntimeError, match="Attempted to use a closed Session."):
            session.run(c)


def test_with_interactive_session(rs: Any) -> None:
    """S27: allowed, and closes it; TensorFlow refuses with a TypeError what many users write."""
    with rs.InteractiveSession() as session:
        c = rs.constant(3)
        assert c.eval() == 3
    assert rs.get_default_session() is None
    with pytest.raises(RuntimeError, match="closed Session"):
        session.run(c)


def test_nesting_violated(tf: Any) -> None:
    """S28, S190, T: testNonInteractiveSessionNesting."""
    first, second = tf.Session(), tf.Session()
    outer, inner = first.as_default(), second.as_default()
    outer.__enter__()
    inner.__enter__()
    with pytest.raises(AssertionError, match=r"Nesting violated for default stack of <class '.*Session'> objects"):
        outer.__exit__(None, None, None)
    assert tf.get_default_session() is second
    inner.__exit__(None, None, None)
    # The failing exit popped nothing: `first` is still there, and only a new stack (a new thread) is without it.
    assert tf.get_default_session() is first
    _empty_stack(tf)


def _empty_stack(tf: Any) -> None:
    if tf is runstep:
        from runstep.session import default

        default._stack.sessions.clear()
    else:
        from tensorflow.python.framework import stack

        stack._default_session_stack.reset()


def test_interactive_sessions_closed_in_any_order(rs: Any, caplog: pytest.LogCaptureFixture) -> None:
    """S29: TensorFlow raises the AssertionError of S28 and leaves the first on the stack."""
    a, b = rs.InteractiveSession(), rs.InteractiveSession()
    a.close()
    assert rs.get_default_session() is b
    b.close()
    assert rs.get_default_session() is None


def test_several_active_interactive_sessions_are_reported(rs: Any, caplog: pytest.LogCaptureFixture) -> None:
    """S30, T: testMultipleInteractiveSessionsError. One after the other is fine."""
    with caplog.at_level(logging.ERROR):
        for _ in range(2):
            rs.InteractiveSession().close()
        assert not caplog.records
        sessions = [rs.InteractiveSession(), rs.InteractiveSession()]
    assert [r.levelno for r in caplog.records] == [logging.ERROR]
    assert (
        caplog.records[0]
        .getMessage()
        .startswith("An interactive session is already active. This can cause out-of-memory errors")
    )
    assert rs.InteractiveSession._active_session_count == 2
    for session in reversed(sessions):
        session.close()
    assert rs.InteractiveSession._active_session_count == 0


class Heard(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(record.getMessage())


def test_text_of_several_interactive_sessions(same: Any) -> None:
    """S30: word for word TensorFlow's, on TensorFlow's logger there and on `runstep` here."""

    def program(tf: Any) -> list[str]:
        heard = Heard()
        logger = logging.getLogger("runstep" if tf is runstep else "tensorflow")
        logger.addHandler(heard)
        level = logger.level
        logger.setLevel(logging.ERROR)  # other tests make TensorFlow silent
        try:
            with tf.Graph().as_default():
                first, second = tf.InteractiveSession(), tf.InteractiveSession()
                second.close()
                first.close()
        finally:
            logger.removeHandler(heard)
            logger.setLevel(level)
        return heard.texts

    kind, found = same(program)
    assert kind == "returned" and len(found[1]) == 1


def test_default_session_of_a_new_thread(tf: Any) -> None:
    """S31: none, and the process-wide default graph."""
    found: list[Any] = []
    with tf.Session():
        inside = tf.get_default_graph()
        thread = threading.Thread(target=lambda: found.extend((tf.get_default_session(), tf.get_default_graph())))
        thread.start()
        thread.join()
    assert found[0] is None and found[1] is not inside


def test_unreferenced_default_sessions_live(tf: Any) -> None:
    """S32, T: testAsDefault."""
    c = tf.constant(37)
    with tf.Session().as_default():
        gc.collect()
        assert c.eval() == 37
        assert c.op.run() is None
    tf.InteractiveSession()
    gc.collect()
    assert c.eval() == 37
    tf.get_default_session().close()


def test_a_dropped_session_is_collected(rs: Any) -> None:
    """S32, S42: once it is off the stack nothing holds it."""
    session = rs.Session()
    session.run(rs.constant(1))
    gone = weakref.ref(session)
    del session
    gc.collect()
    assert gone() is None


def test_reset_default_graph_inside_of_graphs(tf: Any) -> None:
    """S33."""
    with tf.Session(graph=tf.Graph()):
        with pytest.raises(AssertionError, match="Do not use tf.reset_default_graph\\(\\) to clear nested graphs"):
            tf.reset_default_graph()


def test_reset_default_graph_with_an_interactive_session() -> None:
    """S33: works, and the session keeps its graph."""
    session = runstep.InteractiveSession()
    c = runstep.constant(4)
    old = runstep.get_default_graph()
    runstep.reset_default_graph()
    assert runstep.get_default_graph() is not old and session.graph is old
    assert session.run(c) == 4
    session.close()


def test_eval_and_run_without_a_default_session(tf: Any) -> None:
    """S34, S190, T: testNotEntered."""
    c = tf.constant(1)
    with pytest.raises(
        ValueError, match=r"Cannot evaluate tensor using `eval\(\)`: No default session is registered\."
    ):
        c.eval()
    with pytest.raises(
        ValueError, match=r"Cannot execute operation using `run\(\)`: No default session is registered\."
    ):
        c.op.run()


def test_eval_and_run_in_a_session_of_another_graph(tf: Any) -> None:
    """S35."""
    c = tf.constant(1)
    other = tf.Session(graph=tf.Graph())
    with other.as_default():
        with pytest.raises(
            ValueError,
            match="Cannot use the default session to evaluate tensor: the tensor's graph is different from the "
            "session's graph.",
        ):
            c.eval()
        with pytest.raises(
            ValueError,
            match="Cannot use the default session to execute operation: the operation's graph is different from the "
            "session's",
        ):
            c.op.run()
    with pytest.raises(
        ValueError, match="Cannot use the given session to evaluate tensor: the tensor's graph is different"
    ):
        c.eval(session=other)
    with pytest.raises(ValueError, match="Cannot use the given session to execute operation: the operation's graph is"):
        c.op.run(session=other)


def test_eval_takes_feeds_and_any_session_like_object(tf: Any) -> None:
    """S36."""
    x = tf.placeholder(tf.float32)
    sparse = tf.SparseTensor([[0]], [2.0] * x, [3])
    ran: list[Any] = []

    class Recorder:
        graph = tf.get_default_graph()

        def run(self, fetches: Any, feed_dict: Any = None) -> str:
            ran.append((fetches, feed_dict))
            return "recorded"

    y = x + 1.0
    assert y.eval({x: 1}, Recorder()) == "recorded"
    y.op.run(session=Recorder())
    assert [item[0] for item in ran] == [y, y.op]
    with tf.Session() as session:
        assert y.eval({x: 1.0}) == np.float32(2)
        assert y.eval(feed_dict={x: 1.0}, session=session) == np.float32(2)
        assert y.op.run(feed_dict={x: 1.0}) is None
    with pytest.raises(AttributeError):
        y.eval(session=3)
    del sparse


def test_sparse_tensor_eval(tf: Any) -> None:
    """S36: SparseTensor.eval(feed_dict, session)."""
    values = tf.placeholder(tf.float32, [1])
    sparse = tf.SparseTensor([[1]], values, [3])
    with tf.Session() as session:
        found = sparse.eval({values: [2.0]}, session)
        assert isinstance(found, tf.SparseTensorValue)
        assert found.indices.tolist() == [[1]] and found.values.tolist() == [2.0] and found.dense_shape.tolist() == [3]
        assert sparse.eval(feed_dict={values: [3.0]}).values.tolist() == [3.0]


def test_variable_eval_and_load(tf: Any) -> None:
    """S36: Variable.eval(session), Variable.load(value, session)."""
    v = tf.Variable(1.0)
    with tf.Session() as session:
        v.initializer.run()
        assert v.eval() == 1.0 and v.eval(session) == 1.0
        v.load(5.0, session)
        assert v.eval() == 5.0


def test_elements_of_another_graph(tf: Any) -> None:
    """S37."""
    with tf.Graph().as_default():
        other = tf.constant(1.0, name="other")
    x = tf.placeholder(tf.float32, name="x")
    with tf.Session() as session:
        with pytest.raises(
            ValueError, match="^Argument `fetch` = .* cannot be interpreted as a Tensor. .*not an element of this graph"
        ):
            session.run(other)
        with pytest.raises(
            TypeError, match="^Cannot interpret feed_dict key as Tensor: Tensor .*is not an element of this graph"
        ):
            session.run(x, {other: 1.0})


def test_the_two_graphs_are_described(rs: Any) -> None:
    """S37: more than TensorFlow says."""
    with rs.Graph().as_default():
        other = rs.constant(1.0)
    rs.constant(2.0)
    with pytest.raises(ValueError, match="of a graph with 1 operations, this one is another with 1 operations"):
        rs.Session().run(other)
