"""Names, blocks and collections of a graph: what holds for TensorFlow holds for us."""

from __future__ import annotations

import threading
from typing import Any

import pytest


def names(tf: Any) -> list[str]:
    return [op.name for op in tf.get_default_graph().get_operations()]


def test_unique_names(tf: Any) -> None:
    for name in ("a", "a", "A", "a_1", "a", "a_1", "b/a", "b/a", None, None):
        tf.no_op(name=name)
    assert names(tf) == ["a", "a_1", "A_2", "a_1_1", "a_3", "a_1_2", "b/a", "b/a_1", "NoOp", "NoOp_1"]


def test_unique_name_without_marking(tf: Any) -> None:
    graph = tf.get_default_graph()
    assert graph.unique_name("x", mark_as_used=False) == "x"
    assert [graph.unique_name("x") for _ in range(3)] == ["x", "x_1", "x_2"]
    assert graph.unique_name("x", mark_as_used=False) == "x_3"


def test_name_scopes(tf: Any) -> None:
    graph = tf.get_default_graph()
    with graph.name_scope("a") as first:
        assert first == "a/"
        tf.no_op(name="n")
        with graph.name_scope("b") as inner:
            assert inner == "a/b/"
            tf.no_op(name="n")
        with graph.name_scope("b") as inner:
            assert inner == "a/b_1/"
        with graph.name_scope(None) as outermost:
            assert outermost == ""
            tf.no_op(name="n")
        with graph.name_scope("x/y/") as literal:
            assert literal == "x/y/"
            tf.no_op(name="n")
            tf.no_op(name="n")
        assert graph.get_name_scope() == "a"
    with graph.name_scope("a") as second:
        assert second == "a_1/"
    with graph.name_scope(first):
        tf.no_op(name="n")
    assert graph.get_name_scope() == ""
    assert names(tf) == ["a/n", "a/b/n", "n", "x/y/n", "x/y/n_1", "a/n_1"]


def test_name_scope_of_ops(tf: Any) -> None:
    with tf.name_scope("layer"):
        tf.add(tf.constant(1.0), 2.0)
        tf.add(tf.constant(1.0), 2.0, name="total")
    with tf.name_scope(None, "default", [tf.constant(1.0)]) as scope:
        assert scope == "default/"
    assert names(tf) == [
        "layer/Const",
        "layer/Add/y",
        "layer/Add",
        "layer/Const_1",
        "layer/total/y",
        "layer/total",
        "Const",
    ]


@pytest.mark.parametrize("name", ["_a", "a b", "-", "/a", "a:b", "\u00e9"])
def test_bad_scope_names(tf: Any, name: str) -> None:
    with pytest.raises(ValueError, match="is not a valid root scope name"), tf.get_default_graph().name_scope(name):
        pass


def test_names_allowed_inside(tf: Any) -> None:
    with tf.name_scope("a"), tf.name_scope("_b"):
        tf.no_op(name="n")
    assert names(tf) == ["a/_b/n"]


def test_a_scope_is_left_after_an_error(tf: Any) -> None:
    graph = tf.get_default_graph()
    with pytest.raises(LookupError), graph.name_scope("a"), graph.device("/cpu:0"), graph.control_dependencies([]):
        raise LookupError
    assert (graph.get_name_scope(), tf.no_op().device, names(tf)) == ("", "", ["NoOp"])


def test_control_dependencies(tf: Any) -> None:
    a, b = tf.no_op(name="a"), tf.constant(1.0, name="b")
    with tf.control_dependencies([a, b]):
        c = tf.constant(1.0, name="c")
        with tf.control_dependencies([c]):
            d = tf.no_op(name="d")
        with tf.control_dependencies(None):
            e = tf.no_op(name="e")
        f = tf.add(c, c, name="f")
        g = tf.add(b, c, name="g")
        h = tf.identity(b, name="h")
    found = {op.name: [item.name for item in op.control_inputs] for op in (c.op, d, e, f.op, g.op, h.op)}
    assert found == {"c": ["a", "b"], "d": ["a", "b", "c"], "e": [], "f": [], "g": [], "h": ["a"]}


def test_control_dependencies_of_other_things(tf: Any) -> None:
    v = tf.Variable(1.0, use_resource=False, name="v")
    slices = tf.IndexedSlices(tf.constant([[1.0]]), tf.constant([0]))
    with tf.control_dependencies([v, slices, "v/Assign"]):
        n = tf.no_op()
    assert [op.name for op in n.control_inputs] == ["v", slices.op.name, "v/Assign"]
    with pytest.raises(TypeError), tf.control_dependencies([1.0]):
        pass
    with pytest.raises(KeyError), tf.control_dependencies(["nobody"]):
        pass


def test_colocation(tf: Any) -> None:
    graph = tf.get_default_graph()
    with tf.device("/cpu:1"):
        a = tf.constant(1.0, name="a")
    b = tf.constant(1.0, name="b")
    with graph.colocate_with(a.op):
        c = tf.constant(1.0, name="c")
        with graph.colocate_with(b.op):
            d = tf.constant(1.0, name="d")
        with graph.colocate_with(b.op, ignore_existing=True):
            e = tf.constant(1.0, name="e")
        with graph.colocate_with(None, True):
            f = tf.constant(1.0, name="f")
    with tf.device("/cpu:2"), graph.colocate_with(b.op):
        h = tf.constant(1.0, name="h")
    assert h.op.device == ""
    with graph.colocate_with(c.op):
        g = tf.constant(1.0, name="g")
    groups = {t.op.name: t.op.colocation_groups() for t in (a, b, c, d, e, f, g)}
    assert groups == {
        "a": [b"loc:@a"],
        "b": [b"loc:@b"],
        "c": [b"loc:@a"],
        "d": [b"loc:@a", b"loc:@b"],
        "e": [b"loc:@b"],
        "f": [b"loc:@f"],
        "g": [b"loc:@a"],
    }
    assert [t.op.device for t in (c, d, e, f, g)] == ["/device:CPU:1", "/device:CPU:1", "", "", "/device:CPU:1"]
    with pytest.raises(ValueError), graph.colocate_with(None):
        pass


def test_collections(tf: Any) -> None:
    graph = tf.get_default_graph()
    a, b = tf.constant(1.0, name="x/a"), tf.constant(1.0, name="y/b")
    graph.add_to_collection("one", a)
    graph.add_to_collections(["one", "two"], b)
    graph.add_to_collections("three", 7)
    assert graph.get_collection("one") == [a, b]
    assert graph.get_collection("one", "x") == [a] and graph.get_collection("three", "x") == []
    assert graph.get_collection("none") == []
    graph.get_collection("one").append(3)
    assert graph.get_collection("one") == [a, b]
    graph.get_collection_ref("one").append(3)
    assert graph.get_collection("one") == [a, b, 3]
    assert sorted(graph.get_all_collection_keys()) == ["one", "three", "two"]
    graph.clear_collection("one")
    assert graph.get_collection("one") == []


def test_finalize(tf: Any) -> None:
    graph = tf.get_default_graph()
    tf.constant(1.0)
    assert not graph.finalized
    graph.finalize()
    assert graph.finalized
    for attempt in (lambda: tf.constant(2.0), lambda: graph.add_to_collection("c", 1), lambda: tf.no_op()):
        with pytest.raises(RuntimeError, match="Graph is finalized and cannot be modified."):
            attempt()
    with tf.Session() as session:
        assert session.run("Const:0") == 1.0


def test_gradient_override_map(tf: Any) -> None:
    graph = tf.get_default_graph()
    with graph.gradient_override_map({"Neg": "Mine", "Abs": "Other"}):
        a = tf.negative(tf.constant(1.0))
        with graph.gradient_override_map({"Neg": "Inner"}):
            b = tf.negative(a)
            c = tf.abs(b)
        d = tf.exp(c)
    assert [t.op.get_attr("_gradient_op_type") for t in (a, b, c)] == [b"Mine", b"Inner", b"Other"]
    with pytest.raises(ValueError):
        d.op.get_attr("_gradient_op_type")
    for wrong in (["Neg"], {"Neg": 1}, {1: "Neg"}):
        with pytest.raises(TypeError), graph.gradient_override_map(wrong):
            pass


def test_containers(tf: Any) -> None:
    graph = tf.get_default_graph()
    with graph.container("box"):
        v = tf.Variable(1.0, use_resource=False)
        with graph.container("inner"):
            w = tf.Variable(1.0, use_resource=True)
    assert v.op.get_attr("container") == b"box"
    assert w.handle.op.get_attr("container") == b"inner"


def test_versions_count_operations(tf: Any) -> None:
    graph = tf.get_default_graph()
    assert graph.version == 0
    tf.constant(1.0) + 1.0
    assert graph.version == 3
    assert [op.name for op in graph.get_operations()] == ["Const", "add/y", "add"]


def test_default_graphs_nest(tf: Any) -> None:
    outer = tf.get_default_graph()
    inner = tf.Graph()
    with inner.as_default():
        assert tf.get_default_graph() is inner
        tf.constant(1.0)
        with outer.as_default():
            tf.constant(2.0)
    assert tf.get_default_graph() is outer
    assert len(outer.get_operations()) == len(inner.get_operations()) == 1


def test_threads_have_blocks_of_their_own(tf: Any) -> None:
    graph = tf.get_default_graph()
    found: list[Any] = []

    def build() -> None:
        with graph.as_default():
            op = tf.no_op(name="n")
            found.append((op.name, op.device, list(op.control_inputs)))

    with graph.name_scope("a"), graph.device("/cpu:0"), graph.control_dependencies([tf.no_op()]):
        thread = threading.Thread(target=build)
        thread.start()
        thread.join()
    assert found == [("n", "", [])]


def test_prevent_feeding_and_fetching(tf: Any) -> None:
    graph = tf.get_default_graph()
    x = tf.placeholder(tf.float32, [])
    y = x + 1.0
    graph.prevent_feeding(x)
    graph.prevent_fetching(y.op)
    assert not graph.is_feedable(x) and graph.is_feedable(y)
    assert not graph.is_fetchable(y) and not graph.is_fetchable(y.op) and graph.is_fetchable(x)
    with tf.Session() as session:
        with pytest.raises(ValueError, match="may not be fed"):
            session.run(x * 2.0, {x: 1.0})
        with pytest.raises(ValueError, match="not fetchable"):
            session.run(y)


def test_inputs_of_two_graphs(tf: Any) -> None:
    a = tf.constant(1.0)
    with tf.Graph().as_default():
        b = tf.constant(1.0)
        with pytest.raises(ValueError, match="must be from the same graph"):
            tf.add(a, b)
