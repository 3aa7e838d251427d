"""`cond`, `case` and `while_loop` make the graph that TensorFlow makes, node by node."""

from __future__ import annotations

from typing import Any

import pytest

from runstep.testing import programs

PROGRAMS: dict[str, Any] = {}


def program(function: Any) -> Any:
    PROGRAMS[function.__name__] = function
    return function


def inputs(tf: Any) -> tuple[Any, Any, Any]:
    return (
        tf.placeholder(tf.bool, [], name="p"),
        tf.placeholder(tf.float32, [], name="x"),
        tf.placeholder(tf.int32, [], name="n"),
    )


@program
def cond(tf: Any) -> Any:
    p, x, _ = inputs(tf)
    return tf.cond(p, lambda: x + 1.0, lambda: tf.constant(2.0))


@program
def cond_with_a_name(tf: Any) -> Any:
    p, x, _ = inputs(tf)
    return tf.cond(p, lambda: x * 2.0, lambda: x, name="choice")


@program
def cond_of_a_list(tf: Any) -> Any:
    p, x, n = inputs(tf)
    return tf.cond(p, lambda: [x, n], lambda: [x * 2.0, n + 1])


@program
def cond_of_a_dict(tf: Any) -> Any:
    p, x, n = inputs(tf)
    found = tf.cond(p, lambda: {"a": x, "b": n}, lambda: {"a": -x, "b": n * 3})
    return found["a"]


@program
def cond_of_operations(tf: Any) -> Any:
    p, x, _ = inputs(tf)
    return tf.cond(p, lambda: tf.no_op(), lambda: tf.group(x + 1.0))


@program
def conds_nested(tf: Any) -> Any:
    p, x, n = inputs(tf)
    q = n > 3
    return tf.cond(p, lambda: tf.cond(q, lambda: x + 1.0, lambda: x), lambda: tf.cond(q, lambda: -x, lambda: x * x))


@program
def case(tf: Any) -> Any:
    _, _, n = inputs(tf)
    pairs = [(tf.equal(n, 1), lambda: tf.constant(10)), (tf.equal(n, 2), lambda: tf.constant(20))]
    return tf.case(pairs, default=lambda: n * 100)


@program
def while_loop(tf: Any) -> Any:
    _, x, n = inputs(tf)
    return tf.while_loop(lambda i, s: i < n, lambda i, s: (i + 1, s * x), [tf.constant(0), tf.constant(1.0)])[1]


@program
def while_loop_of_one(tf: Any) -> Any:
    _, _, n = inputs(tf)
    return tf.while_loop(lambda i: i < n, lambda i: i + 1, [0], name="count", parallel_iterations=3)


@program
def loops_nested(tf: Any) -> Any:
    _, _, n = inputs(tf)

    def outer(i: Any, s: Any) -> Any:
        _, t = tf.while_loop(lambda j, t: j < i, lambda j, t: [j + 1, t + j * n], [tf.constant(0), s])
        return [i + 1, t]

    return tf.while_loop(lambda i, s: i < n, outer, [tf.constant(0), tf.constant(0)])[1]


@program
def cond_in_a_loop(tf: Any) -> Any:
    _, x, n = inputs(tf)

    def body(i: Any, s: Any) -> Any:
        return i + 1, s + tf.cond(tf.equal(i, 2), lambda: x, lambda: tf.constant(0.0))

    return tf.while_loop(lambda i, s: i < n, body, [tf.constant(0), tf.constant(1.0)])[1]


@program
def loop_in_a_cond(tf: Any) -> Any:
    p, _, n = inputs(tf)
    return tf.cond(p, lambda: tf.while_loop(lambda i: i < n, lambda i: i + 3, [0]), lambda: tf.constant(-1))


@program
def a_limit_of_iterations(tf: Any) -> Any:
    _, _, n = inputs(tf)
    first = (tf.constant(0), tf.constant(0))
    return tf.while_loop(
        lambda i, s: tf.logical_and(i < n, s < 20), lambda i, s: (i + 1, s + i), first, maximum_iterations=3
    )[1]


@program
def invariants(tf: Any) -> Any:
    _, _, n = inputs(tf)
    x = tf.placeholder(tf.float32, [2], name="v")
    return tf.while_loop(
        lambda i, y: i < n,
        lambda i, y: (i + 1, tf.concat([y, x], 0)),
        [tf.constant(0), x],
        shape_invariants=[tf.TensorShape([]), tf.TensorShape([None])],
    )[1]


@program
def order_inside(tf: Any) -> Any:
    p, x, _ = inputs(tf)
    before = tf.no_op(name="before")

    def then() -> Any:
        with tf.control_dependencies([before, tf.identity(x)]):
            return tf.constant(1.0)

    with tf.control_dependencies([before]):
        return tf.cond(p, then, lambda: x)


@program
def order_around(tf: Any) -> Any:
    p, x, n = inputs(tf)
    with tf.control_dependencies([tf.no_op(name="before")]):
        first = tf.cond(p, lambda: x * 2.0, lambda: tf.constant(1.0))
        return tf.while_loop(lambda i, y: i < n, lambda i, y: (i + 2, y * first), [tf.constant(0), x])[1]


@program
def order_in_a_branch_in_a_loop(tf: Any) -> Any:
    p, _, n = inputs(tf)
    before = tf.no_op(name="before")

    def body(i: Any) -> Any:
        with tf.control_dependencies([before, i]):
            return tf.cond(p, lambda: i * 2 + 1, lambda: tf.constant(1))

    return tf.while_loop(lambda i: i < n, body, [tf.constant(0)])


@program
def scopes_and_devices_inside(tf: Any) -> Any:
    p, x, n = inputs(tf)

    def body(i: Any, y: Any) -> Any:
        with tf.name_scope("deep"), tf.device("/cpu:0"):
            return i + 1, y * 2.0

    y = tf.while_loop(lambda i, y: i < n, body, [tf.constant(0), x])[1]
    with tf.device("/cpu:0"):
        return tf.cond(p, lambda: y, lambda: x)


def facts(tf: Any, build: Any) -> dict[str, Any]:
    fetch = build(tf)
    graph = tf.get_default_graph()
    found = {
        node.name: (
            node.op,
            list(node.input),
            node.device,
            sorted(
                (key, str(value))
                for key, value in node.attr.items()
                if key not in ("_class", "value", "_has_manual_control_dependencies")
            ),
        )
        for node in tf.get_default_graph().as_graph_def().node
    }
    shapes = {
        op.name: [
            (t.shape.as_list() if t.shape.rank is not None else None, graph.is_feedable(t), graph.is_fetchable(t))
            for t in op.outputs
        ]
        for op in graph.get_operations()
    }
    return {"nodes": found, "shapes": shapes, "fetch": getattr(fetch, "name", None)}


@pytest.mark.parametrize("start", [list, tuple])
@pytest.mark.parametrize("found", [list, tuple])
def test_a_loop_returns_the_structure_of_its_body(start: Any, found: Any, both: Any) -> None:
    def build(tf: Any) -> str:
        return type(tf.while_loop(lambda i, x: i < 3, lambda i, x: found([i + 1, x]), start([0, 1.0]))).__name__

    ours, theirs = both(build)
    assert ours == theirs == found.__name__


@pytest.mark.parametrize("name", PROGRAMS)
def test_same_graph(name: str, both: Any) -> None:
    ours, theirs = both(lambda tf: facts(tf, PROGRAMS[name]))
    assert ours["nodes"].keys() == theirs["nodes"].keys()
    assert ours == theirs


@pytest.mark.parametrize("name", PROGRAMS)
def test_tensorflow_loads_it(name: str, both: Any) -> None:
    """What we export runs there as it runs here."""
    import runstep
    from runstep.testing.oracle import tensorflow

    with runstep.Graph().as_default() as graph:
        fetch = PROGRAMS[name](runstep)
        feeds = {"p:0": True, "x:0": 2.0, "n:0": 5}
        if name == "invariants":
            feeds["v:0"] = [1.0, 2.0]  # type: ignore[assignment]
        with runstep.Session() as session:
            fetch = fetch[0] if isinstance(fetch, list) else fetch
            ours = session.run(fetch, feeds)
        definition = graph.as_graph_def().SerializeToString()
    tf = tensorflow().compat.v1
    with tf.Graph().as_default():
        tf.import_graph_def(tf.GraphDef.FromString(definition), name="")
        with tf.Session() as session:
            theirs = session.run(fetch.name, feeds)
    assert str(ours) == str(theirs)


WRONG: dict[str, Any] = {
    "a Python bool": lambda tf: tf.cond(True, lambda: 1, lambda: 2),
    "no function": lambda tf: tf.cond(tf.constant(True), 1, 2),
    "another dtype": lambda tf: tf.cond(tf.constant(True), lambda: 1, lambda: 2.0),
    "another structure": lambda tf: tf.cond(tf.constant(True), lambda: [1, 2], lambda: [1]),
    "a predicate of numbers": lambda tf: tf.cond(tf.constant(1.0), lambda: 1, lambda: 2),
    "a loop without variables": lambda tf: tf.while_loop(lambda: True, lambda: (), []),
    "a condition that is none": lambda tf: tf.while_loop(1, lambda i: i, [0]),
    "a body that is none": lambda tf: tf.while_loop(lambda i: True, 1, [0]),
    "a shape that changes": lambda tf: tf.while_loop(
        lambda x: True, lambda x: tf.concat([x, x], 0), [tf.constant([1.0, 2.0])]
    ),
    "fewer variables": lambda tf: tf.while_loop(lambda i, j: i < 3, lambda i, j: [i], [0, 0]),
    "no parallel iterations": lambda tf: tf.while_loop(lambda i: i < 3, lambda i: i + 1, [0], parallel_iterations=0),
    "an invariant that does not fit": lambda tf: tf.while_loop(
        lambda x: True, lambda x: x, [tf.constant([1.0, 2.0])], shape_invariants=[tf.TensorShape([3])]
    ),
    "pairs that are none": lambda tf: tf.case([1]),
}


@pytest.mark.parametrize("name", WRONG)
def test_same_error(name: str, both: Any) -> None:
    def kind(tf: Any) -> str:
        try:
            WRONG[name](tf)
        except (TypeError, ValueError) as error:
            return type(error).__name__
        return "none"

    ours, theirs = both(kind)
    assert ours == theirs != "none"


def test_what_is_inside_cannot_be_fetched(tf: Any) -> None:
    p = tf.placeholder(tf.bool, [])
    inside: list[Any] = []

    def then() -> Any:
        inside.append(tf.constant(1.0) * 2.0)
        return inside[0]

    found = tf.cond(p, then, lambda: tf.constant(0.0))
    graph = tf.get_default_graph()
    assert not graph.is_fetchable(inside[0])
    assert graph.is_fetchable(found)
    with tf.Session() as session, pytest.raises(ValueError, match="not fetchable"):
        session.run(inside[0], {p: True})


def test_cases_with_and_without_default() -> None:
    def program(tf: Any, log: Any) -> None:
        x = tf.placeholder(tf.float32, [])
        pairs = [(x > number, lambda number=number: tf.constant(number)) for number in (1.0, 2.0, 3.0)]
        first = tf.case(pairs)
        only = tf.case(dict(pairs[:2]), default=lambda: tf.constant(5.0), exclusive=True, name="only")
        with tf.Session() as sess:
            for value in (4.0, 1.5, 0.0):
                log.tried(lambda: sess.run(first, {x: value}))
                log.tried(lambda: sess.run(only, {x: value}))

    programs.same(program, ordered=False, texts=False)
