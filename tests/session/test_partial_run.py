"""partial_run_setup and partial_run (S140-S162), on TensorFlow too where runstep does not mean to differ."""

from __future__ import annotations

import gc
import inspect
import logging
import threading
import tracemalloc
import weakref
from typing import Any

import numpy as np
import pytest

import runstep
from runstep.actors.loop import loop_thread


def chain(tf: Any) -> tuple[Any, Any, Any, Any, Any]:
    """The documentation's graph: r1 = a + b, r2 = r1 * c."""
    a = tf.placeholder(tf.float32, shape=[], name="a")
    b = tf.placeholder(tf.float32, shape=[], name="b")
    c = tf.placeholder(tf.float32, shape=[], name="c")
    r1 = tf.add(a, b, name="r1")
    r2 = tf.multiply(r1, c, name="r2")
    return a, b, c, r1, r2


def refused(tf: Any, text: str, call: Any, *args: Any, **kwargs: Any) -> None:
    with pytest.raises(tf.errors.InvalidArgumentError, match=text):
        call(*args, **kwargs)


# ---------------------------------------------------------------------- the documentation


@pytest.mark.parametrize("kind", ["Session", "InteractiveSession"])
def test_the_documented_example(rs: Any, kind: str) -> None:
    """S159, T of #3233: word for word; TensorFlow's InteractiveSession cannot do it."""
    array_ops, dtypes, math_ops, sess = rs, rs, rs, getattr(rs, kind)()

    a = array_ops.placeholder(dtypes.float32, shape=[])
    b = array_ops.placeholder(dtypes.float32, shape=[])
    c = array_ops.placeholder(dtypes.float32, shape=[])
    r1 = math_ops.add(a, b)
    r2 = math_ops.multiply(r1, c)

    h = sess.partial_run_setup([r1, r2], [a, b, c])
    res = sess.partial_run(h, r1, feed_dict={a: 1, b: 2})
    assert res == 3
    res = sess.partial_run(h, r2, feed_dict={c: res})
    assert res == 9 and type(res) is np.float32
    sess.close()


def test_place_pruned_graph(rs: Any) -> None:
    """S159: the option makes no difference."""
    a, b, c, r1, r2 = chain(rs)
    with rs.Session(config=rs.ConfigProto(graph_options=rs.GraphOptions(place_pruned_graph=True))) as sess:
        h = sess.partial_run_setup([r1, r2], [a, b, c])
        assert sess.partial_run(h, r1, {a: 1, b: 2}) == 3
        assert sess.partial_run(h, r2, {c: 3}) == 9


def test_arguments(tf: Any) -> None:
    """S140, S142: names, order and defaults; what runstep adds has to be named."""
    for method, names in (
        ("partial_run_setup", ["fetches", "feeds"]),
        ("partial_run", ["handle", "fetches", "feed_dict"]),
    ):
        found = inspect.signature(getattr(tf.Session, method)).parameters.values()
        assert [p.name for p in found if p.kind is p.POSITIONAL_OR_KEYWORD] == ["self", *names]


# ---------------------------------------------------------------------- setup


def test_handles_are_strings(tf: Any) -> None:
    """S140: each setup has its own; thousands may be open."""
    a, b, c, r1, r2 = chain(tf)
    with tf.Session() as sess:
        handles = [sess.partial_run_setup([r1, r2], [a, b, c]) for _ in range(300)]
        assert all(isinstance(handle, str) for handle in handles) and len(set(handles)) == 300
        assert handles[0].startswith("a:0,b:0,c:0->r1:0,r2:0//1/;")
        for number, handle in enumerate(handles):
            assert sess.partial_run(handle, r1, {a: number, b: 1}) == number + 1
        assert sess.partial_run(handles[7], r2, {c: 2}) == 16


def test_a_copy_of_the_handle_is_as_good(tf: Any) -> None:
    """S140: what counts is the text, as long as the handle itself lives."""
    a, b, c, r1, r2 = chain(tf)
    with tf.Session() as sess:
        handle = sess.partial_run_setup([r1], [a, b])
        assert sess.partial_run("".join(list(handle)), r1, {a: 1, b: 2}) == 3


def test_structures_of_setup(tf: Any) -> None:
    """S140: fetches as for run; feeds one key, or a list or tuple of them."""
    a, b, c, r1, r2 = chain(tf)
    with tf.Session() as sess:
        handle = sess.partial_run_setup({"x": r1, "y": (r2, [r1])}, (a, "b:0", c))
        assert sess.partial_run(handle, {"sum": r1}, {"a:0": 1, b: 2}) == {"sum": 3}
        assert sess.partial_run(handle, [(r2,)], {c: 2}) == [(6,)]
        handle = sess.partial_run_setup(tf.negative(a), a)
        assert sess.partial_run(handle, "Neg:0", {a: 2}) == -2
        handle = sess.partial_run_setup(tf.constant(4.0, name="four"))
        assert sess.partial_run(handle, "four:0") == 4


def test_execution_starts_at_setup(rs: Any) -> None:
    """S141: what hangs on no feed has run when setup returns."""
    v = rs.Variable(0, use_resource=True)
    a = rs.placeholder(rs.int32, [])
    add = v.assign_add(1)
    with rs.Session() as sess:
        sess.run(v.initializer)
        handle = sess.partial_run_setup([add, rs.negative(a)], [a])
        assert sess.run(v) == 1
        del handle


def test_a_waiting_kernel_waits_in_the_background(rs: Any) -> None:
    """S141, S156: setup returns, other feeds and fetches go on meanwhile."""
    q = rs.FIFOQueue(10, rs.float32)
    a, b = rs.placeholder(rs.float32, []), rs.placeholder(rs.float32, [])
    taken = q.dequeue()
    taken.set_shape([])
    both, doubled, late = taken + a, b * 2, taken * b
    with rs.Session() as sess:
        loop_thread()
        threads = threading.active_count()
        handle = sess.partial_run_setup([both, doubled, late], [a, b])
        assert sess.partial_run(handle, doubled, {b: 4}) == 8
        assert threading.active_count() <= threads + 1  # for `doubled`; none for the kernel that waits
        sess.run(q.enqueue(5.0))
        assert sess.partial_run(handle, both, {a: 1}) == 6
        assert sess.partial_run(handle, late) == 20


def test_setup_errors(tf: Any) -> None:
    """S150."""
    a, b, c, r1, r2 = chain(tf)
    with tf.Session() as sess:
        refused(tf, "Must specify at least one target to fetch or execute.", sess.partial_run_setup, [], [a])
        refused(tf, 'Endpoint "a:0" fed more than once.', sess.partial_run_setup, [r1], [a, b, a])
        with pytest.raises(TypeError, match="Argument `fetch` = None has invalid type"):
            sess.partial_run_setup(None, [a])
        with pytest.raises(ValueError, match="cannot be interpreted as a Tensor"):
            sess.partial_run_setup("nothing:0", [a])


def test_bad_feed_keys_are_type_errors(rs: Any) -> None:
    """S150: where TensorFlow trips over its own message."""
    a, b, c, r1, r2 = chain(rs)
    with rs.Session() as sess:
        for key in (3, "zz:0", "a", None.__class__, {a: 1}):
            with pytest.raises(TypeError, match="Cannot interpret argument `feed` key as Tensor: "):
                sess.partial_run_setup([r1], [key])
        with pytest.raises(TypeError, match="Cannot interpret argument `feed` key as Tensor: "):
            sess.partial_run_setup([r1], {a: 1})


def test_closed_and_empty(tf: Any) -> None:
    """S150, S158."""
    with pytest.raises(RuntimeError, match="The Session graph is empty"):
        tf.Session(graph=tf.Graph()).partial_run_setup("x:0")
    a, b, c, r1, r2 = chain(tf)
    sess = tf.Session()
    handle = sess.partial_run_setup([r1], [a, b])
    sess.close()
    for call in (lambda: sess.partial_run_setup([r1], [a]), lambda: sess.partial_run(handle, r1, {a: 1, b: 2})):
        with pytest.raises(RuntimeError, match="Attempted to use a closed Session."):
            call()


def test_a_feed_may_be_fetched(rs: Any) -> None:
    """S150, #2422: as in run; TensorFlow refuses it."""
    a, b, c, r1, r2 = chain(rs)
    with rs.Session() as sess:
        handle = sess.partial_run_setup([a, r1, b], [a, b])
        given = np.array(2, np.float32)
        found = sess.partial_run(handle, a, {a: given})
        assert found is given
        refused(rs, "The fetch a:0 has already been fetched.", sess.partial_run, handle, a)
        refused(rs, "Fetch b:0 can't be computed", sess.partial_run, handle, b)
        assert sess.partial_run(handle, r1, {b: 3}) == 5
        assert sess.partial_run(handle, b) == 3
        refused(rs, "Must run 'setup'", sess.partial_run, handle, b)
        only = sess.partial_run_setup([a], [a])
        assert sess.partial_run(only, [a], {a: 7}) == [7]


# ---------------------------------------------------------------------- calls


def test_feeding_and_fetching_apart(tf: Any) -> None:
    """S143: feeds without fetches, fetches without feeds, neither; S142: a fetch twice in one call."""
    a, b, c, r1, r2 = chain(tf)
    with tf.Session() as sess:
        handle = sess.partial_run_setup([r1, r2], [a, b, c])
        assert sess.partial_run(handle, [], {a: 1}) == []
        assert sess.partial_run(handle, []) == []
        assert sess.partial_run(handle, {}, {c: 3}) == {}
        assert sess.partial_run(handle, [], {b: 2}) == []
        assert sess.partial_run(handle, [r1, {"again": r1}]) == [3, {"again": 3}]
        assert sess.partial_run(handle, r2) == 9


def test_misuse_leaves_the_handle_usable(tf: Any) -> None:
    """S144: the texts, and that the feeds of a refused call are not used up."""
    a, b, c, r1, r2 = chain(tf)
    d = tf.placeholder(tf.float32, [], name="d")
    with tf.Session() as sess:
        handle = sess.partial_run_setup([r1, r2], [a, b, c])
        run = sess.partial_run
        refused(tf, "The feed d:0 was not specified in partial_run_setup.", run, handle, r1, {a: 1, b: 1, d: 1})
        refused(tf, "The fetch c:0 was not specified in partial_run_setup.", run, handle, c)
        refused(tf, "Fetch b:0 can't be computed from the feeds that have been fed so far.", run, handle, r1, {a: 1})
        with pytest.raises(ValueError, match="Cannot feed value of shape"):
            run(handle, r1, {a: [1, 2], b: 1})
        with pytest.raises(TypeError, match="The value of a feed cannot be a tf.Tensor object"):
            run(handle, r1, {a: b, b: 1})
        assert run(handle, r1, {a: 1, b: 2}) == 3
        refused(tf, "The feed a:0 has already been fed.", run, handle, r2, {a: 1, c: 1})
        refused(tf, "The fetch r1:0 has already been fetched.", run, handle, r1)
        refused(tf, "The fetch r1:0 has already been fetched.", run, handle, [r1, r2], {c: 3})
        refused(tf, "Fetch c:0 can't be computed from the feeds that have been fed so far.", run, handle, r2)
        assert run(handle, r2, {c: 3}) == 9


def test_misuse_says_what_is_open(rs: Any) -> None:
    """S144: a note tells what the handle still has to be fed and fetched."""
    a, b, c, r1, r2 = chain(rs)
    with rs.Session() as sess:
        handle = sess.partial_run_setup([r1, r2], [a, b, c])
        sess.partial_run(handle, r1, {a: 1, b: 2})
        with pytest.raises(rs.errors.InvalidArgumentError) as caught:
            sess.partial_run(handle, r1)
        assert "Still open in this handle: feeds c:0; fetches r2:0" in caught.value.__notes__


def test_what_can_be_computed_is_told_from_the_graph(tf: Any) -> None:
    """S145: a feed that only the branch not taken uses must have come all the same; S154: cond."""
    p, a, b = (
        tf.placeholder(tf.bool, [], name="p"),
        tf.placeholder(tf.float32, []),
        tf.placeholder(tf.float32, [], name="b"),
    )
    chosen = tf.cond(p, lambda: a + 1, lambda: b * 2)
    with tf.Session() as sess:
        handle = sess.partial_run_setup([chosen], [p, a, b])
        refused(tf, "Fetch b:0 can't be computed", sess.partial_run, handle, chosen, {p: True, a: 1})
        assert sess.partial_run(handle, chosen, {p: True, a: 1, b: 5}) == 2


def test_a_control_dependency_must_be_met(tf: Any) -> None:
    """S145: a fetch also needs what its control inputs need."""
    a, b = tf.placeholder(tf.float32, [], name="a"), tf.placeholder(tf.float32, [], name="b")
    with tf.control_dependencies([tf.negative(b)]):
        after = tf.identity(a)
    with tf.Session() as sess:
        handle = sess.partial_run_setup([after], [a, b])
        refused(tf, "Fetch b:0 can't be computed", sess.partial_run, handle, after, {a: 1})
        assert sess.partial_run(handle, after, {a: 1, b: 2}) == 1


def test_waiting_for_a_fed_placeholder(rs: Any) -> None:
    """S145: a control edge from a placeholder is one from its feed. (TensorFlow's first partial_run never returns.)"""
    a = rs.placeholder(rs.float32, [], name="a")
    with rs.control_dependencies([a]):
        after, beside = rs.constant(1), rs.constant(2) + 1
    with rs.Session() as sess:
        assert sess.run([after, beside], {a: 1.0}) == [1, 3]
        handle = sess.partial_run_setup([after, beside], [a])
        refused(rs, "Fetch a:0 can't be computed", sess.partial_run, handle, after)
        assert sess.partial_run(handle, [after, beside], {a: 1.0}) == [1, 3]
        refused(rs, "You must feed a value for placeholder tensor 'a'", sess.run, a.op, {a: 1.0})


def test_unknown_handles(tf: Any) -> None:
    """S146: garbage, another session's, a finished one; anything but a string is a TypeError."""
    a, b, c, r1, r2 = chain(tf)
    with tf.Session() as sess, tf.Session() as other:
        foreign = other.partial_run_setup([r1], [a, b])
        handle = sess.partial_run_setup([r1], [a, b])
        assert sess.partial_run(handle, r1, {a: 1, b: 2}) == 3
        for wrong in ("garbage", handle):
            refused(tf, "Must run 'setup' before performing partial runs!", sess.partial_run, wrong, r1, {a: 1, b: 2})
        if tf is runstep:  # TensorFlow counts per session: the texts may be equal
            refused(tf, "Must run 'setup'", sess.partial_run, foreign, r1, {a: 1, b: 2})
        with pytest.raises(TypeError):
            sess.partial_run(3, r1, {a: 1, b: 2})


def test_no_handle(rs: Any) -> None:
    """S146: None is no request for a plain run."""
    a, b, c, r1, r2 = chain(rs)
    with rs.Session() as sess:
        refused(rs, "Must run 'setup'", sess.partial_run, None, r1, {a: 1, b: 2})


def test_when_a_handle_ends(tf: Any) -> None:
    """S147: when all is fed and fetched; a feed that nothing needs keeps it open."""
    a, b, c, r1, r2 = chain(tf)
    with tf.Session() as sess:
        handle = sess.partial_run_setup([r1], [a, b, c])
        assert sess.partial_run(handle, r1, {a: 1, b: 2}) == 3
        assert sess.partial_run(handle, [], {c: 1}) == []
        refused(tf, "Must run 'setup'", sess.partial_run, handle, [], {c: 1})


def test_an_error_elsewhere_comes_with_the_next_call(tf: Any) -> None:
    """S148: and all branches of the handle are lost."""
    a, b = tf.placeholder(tf.float32, [], name="a"), tf.placeholder(tf.float32, [], name="b")
    bad, ok = tf.check_numerics(tf.log(a), "bad"), tf.identity(b)
    sess = tf.Session()
    handle = sess.partial_run_setup([bad, ok], [a, b])
    assert sess.partial_run(handle, [], {a: -1}) == []
    assert sess.partial_run(handle, []) == []
    if tf is not runstep:  # TensorFlow's kernel runs in the background
        threading.Event().wait(0.3)
    refused(tf, "bad : Tensor had NaN", sess.partial_run, handle, ok, {b: 2})
    refused(tf, "Must run 'setup'", sess.partial_run, handle, ok, {b: 2})


def test_an_error_in_the_same_call_is_no_concern_of_others(rs: Any) -> None:
    """S148: what is asked for comes first; TensorFlow lets chance decide."""
    a, b = rs.placeholder(rs.float32, [], name="a"), rs.placeholder(rs.float32, [], name="b")
    bad, ok, more = rs.check_numerics(rs.log(a), "bad"), rs.identity(b), a + b
    with rs.Session() as sess:
        handle = sess.partial_run_setup([bad, ok, more], [a, b])
        assert sess.partial_run(handle, [ok, more], {a: -1, b: 2}) == [2, 1]
        refused(rs, "bad : Tensor had NaN", sess.partial_run, handle, bad)


def test_an_error_tells_its_operation(rs: Any) -> None:
    """S147, S182: and ends the handle; the session goes on."""
    a, b = rs.placeholder(rs.int32, [], name="a"), rs.placeholder(rs.int32, [], name="b")
    quotient = rs.floordiv(a, b, name="quotient")
    with rs.Session() as sess:
        handle = sess.partial_run_setup([quotient, a + 1], [a, b])
        with pytest.raises(rs.errors.InvalidArgumentError, match="Integer division by zero") as caught:
            sess.partial_run(handle, quotient, {a: 1, b: 0})
        assert caught.value.op is quotient.op
        refused(rs, "Must run 'setup'", sess.partial_run, handle, quotient)
        assert sess.run(quotient, {a: 7, b: 2}) == 3


def test_a_placeholder_nobody_announced(tf: Any) -> None:
    """S149, T: RunTestPartialRunMissingPlaceholderFeedException."""
    a, b, c, r1, r2 = chain(tf)
    sess = tf.Session()
    handle = sess.partial_run_setup([r1, r2], [a, b])
    refused(
        tf,
        "You must feed a value for placeholder tensor 'c' with dtype float",
        sess.partial_run,
        handle,
        r1,
        {a: 1, b: 2},
    )
    refused(tf, "Must run 'setup'", sess.partial_run, handle, r1, {a: 1, b: 2})


def test_operations(rs: Any) -> None:
    """S151, #1899: train ops may be fetched; they give None once they have run, which is as soon as they can."""
    a, b = rs.placeholder(rs.float32, [], name="a"), rs.placeholder(rs.float32, [], name="b")
    v = rs.Variable(0.0, use_resource=True)
    loss = a * 2
    train = v.assign_add(loss + b).op
    with rs.Session() as sess:
        sess.run(v.initializer)
        handle = sess.partial_run_setup([loss, train], [a, b])
        refused(rs, "Fetch b:0 can't be computed", sess.partial_run, handle, train, {a: 1})
        assert sess.partial_run(handle, loss, {a: 1}) == 2
        assert sess.run(v) == 0
        assert sess.partial_run(handle, [], {b: 3}) == []
        assert sess.run(v) == 5
        assert sess.partial_run(handle, train) is None
        refused(rs, "Must run 'setup'", sess.partial_run, handle, train)
        handle = sess.partial_run_setup([loss, train], [a, b])
        assert sess.partial_run(handle, [train, loss], {a: 1, b: 1}) == [None, 2]
        refused(rs, "was not specified", sess.partial_run, sess.partial_run_setup(loss, a), train)


def test_operations_announced_but_not_fetched(tf: Any) -> None:
    """S151: they run all the same."""
    a, b, c, r1, r2 = chain(tf)
    v = tf.Variable(0.0, use_resource=True)
    with tf.Session() as sess:
        sess.run(v.initializer)
        handle = sess.partial_run_setup([r1, r2, v.assign_add(r1).op], [a, b, c])
        assert sess.partial_run(handle, r1, {a: 1, b: 2}) == 3
        assert sess.partial_run(handle, r2, {c: 2}) == 6
        assert sess.run(v) == 3


def test_fetching_what_is_fed_in_the_same_call(tf: Any) -> None:
    """S152: gives the fed array, and counts for nothing."""
    a, b, c, r1, r2 = chain(tf)
    with tf.Session() as sess:
        handle = sess.partial_run_setup([r1, r2], [a, b, c])
        given = np.array(1, np.float32)
        found = sess.partial_run(handle, [a, r1], {a: given, b: 2})
        assert found[0] is given and found[1] == 3
        refused(tf, "The fetch a:0 was not specified", sess.partial_run, handle, a)
        assert sess.partial_run(handle, [c, r2], {c: 2}) == [2, 6]


def test_variables_are_read_when_the_reader_is_ready(rs: Any) -> None:
    """S153."""
    a = rs.placeholder(rs.float32, [])
    ref = rs.Variable(1.0, use_resource=False)
    resource = rs.Variable(1.0, use_resource=True)
    late, early = ref + a, rs.identity(resource.read_value())
    assigns = [ref.assign(10.0).op, resource.assign(10.0).op]
    with rs.Session() as sess:
        sess.run([ref.initializer, resource.initializer])
        handle = sess.partial_run_setup([late, early], [a])
        sess.run(assigns)
        assert sess.partial_run(handle, [late, early], {a: 1}) == [11, 1]


def test_every_kind_of_graph(tf: Any) -> None:
    """S154: loops, strings, sparse tensors, gradients fed from outside."""
    n, x = tf.placeholder(tf.int32, []), tf.placeholder(tf.float32, [2])
    text = tf.placeholder(tf.string, [])
    sparse = tf.sparse_placeholder(tf.float32)
    doubled = tf.while_loop(lambda i, v: i < n, lambda i, v: (i + 1, v * 2), [0, x])[1]
    joined = tf.strings.join([text, "!"]) if hasattr(tf.strings, "join") else tf.string_join([text, "!"])
    turned = tf.SparseTensor(tf.identity(sparse.indices), sparse.values * 2, tf.identity(sparse.dense_shape))
    with tf.Session() as sess:
        handle = sess.partial_run_setup([doubled, joined, turned], [n, x, text, sparse])
        assert sess.partial_run(handle, joined, {text: "né"}) == "né!".encode()
        assert sess.partial_run(handle, doubled, {n: 3, x: [1, 2]}).tolist() == [8, 16]
        fed = tf.SparseTensorValue([[0, 1]], np.array([3], np.float32), [2, 2])
        found = sess.partial_run(handle, turned, {sparse: fed})
        assert found.values.tolist() == [6] and found.indices.tolist() == [[0, 1]]


def test_gradients_fed_from_outside(tf: Any) -> None:
    """S154: fetch the activations, compute outside, feed the gradient back."""
    if not hasattr(tf, "gradients"):
        pytest.skip("gradients are not there yet")
    x, dy = tf.placeholder(tf.float32, [2]), tf.placeholder(tf.float32, [2])
    y = tf.square(x)
    (dx,) = tf.gradients(y, x, grad_ys=dy)
    with tf.Session() as sess:
        handle = sess.partial_run_setup([y, dx], [x, dy])
        out = sess.partial_run(handle, y, {x: [1, 2]})
        assert sess.partial_run(handle, dx, {dy: out * 10}).tolist() == [20, 160]


def test_a_dead_fetch(tf: Any) -> None:
    """S155: ends the handle."""
    p, a = tf.placeholder(tf.bool, []), tf.placeholder(tf.float32, [])
    sides = tf.raw_ops.Switch(data=a, pred=p)
    no, yes = tf.identity(sides[0], name="no"), tf.identity(sides[1])
    sess = tf.Session()
    for _ in range(3):
        handle = sess.partial_run_setup([no, yes], [p, a])
        assert sess.partial_run(handle, yes, {p: True, a: 2}) == 2
        refused(tf, "The tensor returned for no:0 was not valid.", sess.partial_run, handle, no)
        refused(tf, "Must run 'setup'", sess.partial_run, handle, no)


def test_calls_that_have_been_made_before(rs: Any) -> None:
    """S142, S147, S156: another handle that is called the same way; its feeds are its own, its errors too."""
    x, y = rs.placeholder(rs.float32, [None]), rs.placeholder(rs.int32, [])
    wide, half, picked = x + 1.0, 6 // y, rs.gather(x, y)
    sess = rs.Session()
    for _ in range(3):
        handle = sess.partial_run_setup([wide, half, picked], [x, y])
        given = np.array([1, 2], np.float32)
        assert sess.partial_run(handle, wide, {x: given}).tolist() == [2, 3]
        given[:] = 9
        assert sess.partial_run(handle, [half, picked], {y: np.int32(1)}) == [6, 2]
        refused(rs, "Must run 'setup'", sess.partial_run, handle, half)
        large = sess.partial_run_setup([wide, half, picked], [x, y])
        assert sess.partial_run(large, wide, {x: np.arange(50_000)})[-1] == 50_000
        with pytest.raises(ValueError, match="Cannot feed value of shape"):
            sess.partial_run(large, half, {y: [1]})
        refused(rs, "Integer division by zero|invalid value encountered", sess.partial_run, large, half, {y: 0})
        refused(rs, "Must run 'setup'", sess.partial_run, large, half)


def test_handles_interleave(tf: Any) -> None:
    """S156: with one another, with runs, and with a graph that grows."""
    a, b, c, r1, r2 = chain(tf)
    with tf.Session() as sess:
        handles = [sess.partial_run_setup([r1, r2], [a, b, c]) for _ in range(3)]
        for number, handle in enumerate(handles):
            assert sess.partial_run(handle, r1, {a: number, b: 0}) == number
        assert sess.run(tf.negative(r1), {a: 1, b: 1}) == -2
        for number, handle in reversed(list(enumerate(handles))):
            assert sess.partial_run(handle, r2, {c: 10}) == 10 * number


def test_two_threads_on_one_handle(tf: Any) -> None:
    """S156."""
    feeds = [tf.placeholder(tf.float32, []) for _ in range(40)]
    fetches = [feed * 2 for feed in feeds]
    found: dict[int, Any] = {}
    with tf.Session() as sess:
        handle = sess.partial_run_setup(fetches, feeds)

        def work(numbers: range) -> None:
            for n in numbers:
                found[n] = sess.partial_run(handle, fetches[n], {feeds[n]: n})

        threads = [threading.Thread(target=work, args=(range(start, 40, 4),)) for start in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert found == {n: 2 * n for n in range(40)}


def test_two_threads_where_one_waits(rs: Any) -> None:
    """S156: while one waits for a queue, the other feeds and fetches on the same handle."""
    q = rs.FIFOQueue(10, rs.float32)
    a, b = rs.placeholder(rs.float32, []), rs.placeholder(rs.float32, [])
    waits, goes = q.dequeue() * a, b + 1
    found: list[Any] = []
    with rs.Session() as sess:
        handle = sess.partial_run_setup([waits, goes], [a, b])
        thread = threading.Thread(target=lambda: found.append(sess.partial_run(handle, waits, {a: 2})))
        thread.start()
        assert sess.partial_run(handle, goes, {b: 1}) == 2
        sess.run(q.enqueue(4.0))
        thread.join(10)
    assert found == [8]


def test_a_feed_under_another_name_while_the_actors_carry_the_step(rs: Any) -> None:
    """S142: it is there at once, whatever the actors are doing."""
    q = rs.FIFOQueue(10, rs.float32)
    a, b = rs.placeholder(rs.float32, []), rs.placeholder(rs.float32, [])
    waits = q.dequeue()
    with rs.control_dependencies([a * 1.0]):
        same = rs.identity(b)
    with rs.Session() as sess:
        for _ in range(20):
            handle = sess.partial_run_setup([waits, same], [a, b])
            sess.partial_run(handle, [], {a: 1})
            assert sess.partial_run(handle, same, {b: 2}) == 2


def test_a_time_limit_ends_one_handle_only(rs: Any) -> None:
    """S157: operation_timeout_in_ms; TensorFlow ends all handles of the session."""
    q = rs.FIFOQueue(10, rs.float32)
    a, b, c, r1, r2 = chain(rs)
    with rs.Session(config=rs.ConfigProto(operation_timeout_in_ms=30)) as sess:
        other = sess.partial_run_setup([r1, r2], [a, b, c])
        assert sess.partial_run(other, r1, {a: 1, b: 2}) == 3
        waiting = q.dequeue() + a
        handle = sess.partial_run_setup([waiting], [a])
        with pytest.raises(rs.errors.DeadlineExceededError):
            sess.partial_run(handle, waiting, {a: 1})
        refused(rs, "Must run 'setup'", sess.partial_run, handle, waiting)
        assert sess.partial_run(other, r2, {c: 2}) == 6


def test_closing_ends_a_call_that_waits(rs: Any) -> None:
    """S158, S43."""
    q = rs.FIFOQueue(10, rs.float32)
    waiting = q.dequeue()
    sess = rs.Session()
    handle = sess.partial_run_setup([waiting])
    caught: list[BaseException] = []
    begun = threading.Event()

    def work() -> None:
        try:
            begun.set()
            sess.partial_run(handle, waiting)
        except (rs.errors.CancelledError, RuntimeError) as error:
            caught.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    begun.wait(10)
    sess.close()
    thread.join(10)
    assert len(caught) == 1 and not thread.is_alive()


def test_sessions_with_open_handles_may_be_dropped(tf: Any) -> None:
    """S158."""
    a, b, c, r1, r2 = chain(tf)
    sess = tf.Session()
    handle = sess.partial_run_setup([r1, r2], [a, b, c])
    sess.partial_run(handle, r1, {a: 1, b: 2})
    del sess
    gc.collect()
    assert handle


def test_reset_ends_handles(rs: Any) -> None:
    """S46, S158."""
    a, b, c, r1, r2 = chain(rs)
    sess = rs.Session()
    handle = sess.partial_run_setup([r1], [a, b])
    rs.Session.reset("")
    with pytest.raises(rs.errors.CancelledError, match="Session has been closed."):
        sess.partial_run(handle, r1, {a: 1, b: 2})


# ---------------------------------------------------------------------- beyond TensorFlow


def test_abandoned_handles_free_their_memory(rs: Any) -> None:
    """S160, #21953: when the last reference goes, not when the session does."""
    x, y = rs.placeholder(rs.float32, [100_000]), rs.placeholder(rs.float32, [])
    doubled = x * 2
    with rs.Session() as sess:
        value = np.zeros(100_000, np.float32)
        sess.partial_run_setup([doubled, doubled * y], [x, y])
        tracemalloc.start()
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(30):
            handle = sess.partial_run_setup([doubled, doubled * y], [x, y])
            sess.partial_run(handle, doubled, {x: value})
        del handle
        gc.collect()
        grown = tracemalloc.get_traced_memory()[0] - before
        tracemalloc.stop()
        assert grown < 800_000


def test_an_abandoned_handle_stops_waiting(rs: Any) -> None:
    """S160: a kernel that waits for a queue leaves it when its handle is garbage."""
    q = rs.FIFOQueue(10, rs.float32)
    taken = q.dequeue()
    with rs.Session() as sess:
        handle = sess.partial_run_setup([taken])
        step = handle._run.step._step
        del handle
        gc.collect()
        while not step.over:
            threading.Event().wait(0.001)
        sess.run(q.enqueue(1.0))
        assert sess.run(q.size()) == 1


def test_closing_a_handle(rs: Any) -> None:
    """S160: partial_run_close, twice too."""
    a, b, c, r1, r2 = chain(rs)
    with rs.Session() as sess:
        handle = sess.partial_run_setup([r1, r2], [a, b, c])
        state = weakref.ref(handle._run.step)
        sess.partial_run_close(handle)
        assert state() is None
        sess.partial_run_close(handle)
        refused(rs, "Must run 'setup'", sess.partial_run, handle, r1, {a: 1, b: 2})


def test_options_and_metadata(rs: Any) -> None:
    """S161: traced handles tell what their step has done so far; a time limit holds for one call."""
    a, b, c, r1, r2 = chain(rs)
    with rs.Session() as sess:
        traced = rs.RunOptions(trace_level=rs.RunOptions.FULL_TRACE)
        handle = sess.partial_run_setup([r1, r2], [a, b, c], options=traced)
        seen = rs.RunMetadata()
        sess.partial_run(handle, r1, {a: 1, b: 2}, run_metadata=seen)
        names = [node.node_name for device in seen.step_stats.dev_stats for node in device.node_stats]
        assert "r1" in names and "r2" not in names
        sess.partial_run(handle, r2, {c: 2}, options=rs.RunOptions(timeout_in_ms=10_000), run_metadata=seen)
        names = [node.node_name for device in seen.step_stats.dev_stats for node in device.node_stats]
        assert "r1" in names and "r2" in names
        plain = sess.partial_run_setup([r1], [a, b])
        refused(
            rs,
            "This handle does not trace",
            sess.partial_run,
            plain,
            r1,
            {a: 1, b: 2},
            options=traced,
            run_metadata=seen,
        )
        with pytest.raises(TypeError, match="Argument `options` must be a tf.RunOptions"):
            sess.partial_run(plain, r1, {a: 1, b: 2}, options=3)
        q = rs.FIFOQueue(1, rs.float32)
        waiting = q.dequeue()
        handle = sess.partial_run_setup([waiting])
        with pytest.raises(rs.errors.DeadlineExceededError):
            sess.partial_run(handle, waiting, options=rs.RunOptions(timeout_in_ms=20))


def test_no_deprecation_warning(rs: Any, caplog: pytest.LogCaptureFixture) -> None:
    """S162."""
    a, b, c, r1, r2 = chain(rs)
    with rs.Session() as sess, caplog.at_level(logging.DEBUG):
        sess.partial_run(sess.partial_run_setup([r1], [a, b]), r1, {a: 1, b: 2})
    assert not caplog.records


def test_nothing_is_shared_between_calls(rs: Any) -> None:
    """What a caller does to fed or fetched arrays between two calls is not seen by the step."""
    x, y = rs.placeholder(rs.float32, [2]), rs.placeholder(rs.float32, [])
    same, doubled, view = rs.identity(x), x * 2, rs.reshape(x * 2, [2, 1])
    later = [rs.reshape(view, [2]) * y, doubled * y, same * y, x + y]
    with rs.Session() as sess:
        handle = sess.partial_run_setup([same, doubled, view, *later], [x, y])
        given = np.array([1, 2], np.float32)
        for array in [*sess.partial_run(handle, [same, doubled, view], {x: given}), given]:
            array[:] = 99
        found = sess.partial_run(handle, later, {y: 1})
        assert [array.tolist() for array in found] == [[2, 4], [2, 4], [1, 2], [2, 3]]


def test_each_task_runs_once(rs: Any) -> None:
    """S52: whatever the order of feeding, what several fetches need is computed one time."""
    a, b, c = (rs.placeholder(rs.float32, []) for _ in range(3))
    v = rs.Variable(0.0, use_resource=True)
    count = v.assign_add(a)
    fetches = [count + b, count * c, count + b + c]
    with rs.Session() as sess:
        for order in ([a, b, c], [c, b, a], [b, a, c]):
            sess.run(v.initializer)
            handle = sess.partial_run_setup(fetches, [a, b, c])
            for feed in order:
                sess.partial_run(handle, [], {feed: 1})
            assert sess.partial_run(handle, fetches) == [2, 1, 3]
            assert sess.run(v) == 1


def test_several_devices(rs: Any) -> None:
    """S156: a handle whose step spans devices is carried by the device actors."""
    a, b = rs.placeholder(rs.float32, []), rs.placeholder(rs.float32, [])
    with rs.device("/cpu:0"):
        first = a + 1
    with rs.device("/cpu:1"):
        second = first * b
    with rs.Session(config=rs.ConfigProto(device_count={"CPU": 2})) as sess:
        handle = sess.partial_run_setup([first, second], [a, b])
        assert sess.partial_run(handle, first, {a: 1}) == 2
        assert sess.partial_run(handle, second, {b: 5}) == 10
