"""`tf.Variable`: the nodes it makes, its methods, and its errors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

Same = Callable[..., None]
KINDS = pytest.mark.parametrize("resource", [False, True], ids=["ref", "resource"])


@KINDS
def test_what_a_variable_adds_to_the_graph(same: Same, resource: bool) -> None:
    def program(tf: Any, log: Any) -> None:
        log(
            tf.Variable(1.0, name="v", use_resource=resource),
            tf.Variable([1, 2], use_resource=resource),
            tf.Variable(tf.ones([2]) + 1.0, name="t", use_resource=resource),
            tf.Variable(lambda: tf.ones([2]) + 1.0, name="c", use_resource=resource),
            tf.Variable("text", use_resource=resource),
            tf.Variable([1.5], dtype=tf.float64, use_resource=resource),
            tf.Variable([1, 2], shape=[None], use_resource=resource),
            tf.Variable(3, expected_shape=[7], use_resource=resource),
            tf.Variable(tf.placeholder(tf.float32), validate_shape=False, use_resource=resource),
            tf.Variable(tf.ones([3]), validate_shape=False, use_resource=resource),
            tf.Variable(lambda: 3.0, name="p", dtype=tf.float32, use_resource=resource),
        )

    same(program)


@KINDS
def test_scopes_devices_containers_and_control_dependencies(same: Same, resource: bool) -> None:
    def program(tf: Any, log: Any) -> None:
        first = tf.constant(1.0)
        with tf.container("kept"), tf.name_scope("s"):
            log(tf.Variable(1.0, name="v", use_resource=resource), tf.Variable(2.0, name="v", use_resource=resource))
        with tf.device("/device:CPU:1"):
            tf.Variable(tf.ones([2]), name="tensor", use_resource=resource)
            tf.Variable([1.0], name="value", use_resource=resource)
            v = tf.Variable(lambda: tf.ones([2]) + 1.0, name="callable", use_resource=resource)
        log(v.device)
        with tf.control_dependencies([first]):
            tf.Variable(1.0, use_resource=resource)
            tf.Variable(lambda: tf.ones([2]) + 1.0, use_resource=resource)
            tf.Variable(tf.ones([2]), use_resource=resource)
        with tf.colocate_with(v.op):
            tf.Variable(1.0, name="near", use_resource=resource)
            tf.Variable(lambda: tf.ones([2]), name="near_too", use_resource=resource)
        v.read_value()
        v.assign([1.0, 2.0])
        with tf.device("/device:CPU:0"), tf.name_scope("q"):
            v.assign([1.0, 2.0])
            v.read_value()
            v.value()
        w = tf.Variable(tf.ones([2]), name="cached", caching_device="/device:CPU:0", use_resource=resource)
        log(w.value(), w + 1.0)

    same(program)


@KINDS
def test_collections(same: Same, resource: bool) -> None:
    def program(tf: Any, log: Any) -> None:
        tf.Variable(1.0, use_resource=resource)
        tf.Variable(2.0, trainable=False, collections=["mine"], use_resource=resource)
        tf.Variable(3.0, trainable=True, collections=["mine", "other"], use_resource=resource)
        graph = tf.get_default_graph()
        log({key: graph.get_collection(key) for key in sorted(graph.get_all_collection_keys())})
        for collections in ("mine", 3):
            log.tried(lambda c=collections: tf.Variable(1, collections=c, use_resource=resource))

    same(program, graph=False)


@KINDS
def test_inside_of_branches_and_loops(same: Same, resource: bool) -> None:
    def program(tf: Any, log: Any) -> None:
        def branch() -> Any:
            v = tf.Variable(1.0, name="v", use_resource=resource)
            w = tf.Variable(lambda: tf.ones([]) * 2.0, name="w", use_resource=resource)
            log(v, w)
            return v.value() + w + tf.get_variable("g", [], initializer=tf.zeros_initializer(), use_resource=resource)

        tf.cond(tf.placeholder(tf.bool, []), branch, lambda: tf.constant(1.0))
        with tf.variable_scope("", reuse=tf.AUTO_REUSE):
            tf.while_loop(lambda i: i < 10.0, lambda i: i + branch(), [1.0])

    same(program, ordered=False)


@KINDS
def test_methods(same: Same, resource: bool) -> None:
    def program(tf: Any, log: Any) -> None:
        v = tf.Variable([1.0, 2.0], name="v", use_resource=resource)
        log(v, v.value(), v.read_value(), v.initializer, v.initial_value, v.op, v.name, v.dtype.name, v.shape)
        log(v.device, v.trainable, v.constraint, v.get_shape(), v.synchronization.value, v.aggregation.value)
        log(v.assign([1, 2]), v.assign_add([1, 2]), v.assign_sub([1, 2]), v.assign([1, 2], name="named"))
        log(v.assign([1, 2], read_value=False), v.assign_add([1, 2], read_value=False))
        log(v.assign_sub([1, 2], read_value=False), v._as_graph_element())
        log(v + 1.0, 1.0 - v, v * v, -v, abs(v), v**2.0, 2.0**v, v / v, v < 2.0, v[0], v[:1], v // 2.0, v % 2.0)
        log(tf.add(v, 1.0), tf.identity(v), tf.convert_to_tensor(v), tf.shape(v), tf.stack([v, v]))
        v.set_shape([2])
        log.tried(lambda: v.set_shape([3]))
        log(v == v, v != v, v in {v: 1}, hash(v) == hash(v))
        log.tried(lambda: iter(v))
        log.tried(lambda: len(v))
        log.tried(lambda: v.eval())
        log.tried(lambda: v.load([1.0, 2.0]))
        log.tried(lambda: v.assign([1.0, 2.0, 3.0]))
        log.tried(lambda: tf.convert_to_tensor(v, dtype=tf.int32))
        log.tried(lambda: tf.add(v, tf.constant(1)))
        count = tf.Variable(0, name="count", use_resource=resource)
        log(count.count_up_to(3), tf.is_variable_initialized(v))
        log(repr(v), str(v))

    same(program, texts=False)


@KINDS
def test_rows_and_slices(same: Same, resource: bool) -> None:
    def program(tf: Any, log: Any) -> None:
        v = tf.Variable([1.0, 2.0], name="v", use_resource=resource)
        rows = tf.IndexedSlices(tf.constant([1.0]), tf.constant([0]))
        for kind in "add sub max min mul div update".split():
            log(getattr(v, f"scatter_{kind}")(rows))
        log(v.batch_scatter_update(rows))
        for kind in "sub add update max min".split():
            log(getattr(v, f"scatter_nd_{kind}")([[0]], [1.0]))
        log.tried(lambda: v.scatter_add(3))
        log(v[:1].assign([3.0]), v[0].assign(4.0, name="named"), hasattr(tf.constant([1])[0], "assign"))
        w = tf.Variable([[1.0, 2.0]], name="w", use_resource=resource)
        log(tf.batch_scatter_update(w, [[0]], [[3.0]]))
        if resource:
            log(v.sparse_read([0]), v.gather_nd([[0]]), v.is_initialized())
            log.tried(lambda: v.__iadd__(1.0))

    same(program)


@KINDS
def test_what_cannot_be_a_variable(same: Same, resource: bool) -> None:
    def program(tf: Any, log: Any) -> None:
        for arguments in (
            {},
            {"initial_value": None},
            {"initial_value": 1, "constraint": 3},
            {"initial_value": "a", "dtype": tf.float32},
            {"initial_value": tf.ones([1]), "dtype": tf.int32},
            {"initial_value": [1, 2], "shape": [3]},
        ):
            log.tried(lambda a=arguments: tf.Variable(use_resource=resource, **a))
        if not resource:
            log.tried(lambda: tf.Variable(tf.placeholder(tf.float32)))
        log(tf.Variable(1, synchronization=tf.VariableSynchronization.ON_READ, use_resource=resource).trainable)

    same(program, graph=False)


def test_what_assign_of_a_resource_variable_returns(same: Same) -> None:
    """The variable as it is afterwards: its reads wait for the update."""

    def program(tf: Any, log: Any) -> None:
        v = tf.Variable([3.0], name="v", use_resource=True)
        u = v.assign([5.0])
        log(u.op, u.name, u.shape, u.value(), u.read_value(), u._as_graph_element(), u + 1.0, u.assign([6.0]))
        log(tf.identity(u))
        with tf.control_dependencies([v.assign([3.0])]):
            tf.no_op()
        log(tf.group(v.assign([1.0]), v), tf.tuple([v]))

    same(program)


def test_one_variable_from_another(same: Same) -> None:
    """Initializers may run in any order, so a value computed from a variable falls back on how that one starts."""

    def program(tf: Any, log: Any) -> None:
        a = tf.Variable(tf.ones([2]), name="a")
        b = tf.Variable(a.initialized_value() * 2.0, name="b")
        tf.Variable(a * 2.0, name="c")
        tf.Variable(b.initialized_value() + a.initialized_value(), name="d")
        e = tf.Variable(lambda: a + 1.0, name="e")
        with tf.Session() as session:
            session.run(e.initializer)
            log(session.run(e))

    same(program, ordered=False)


def test_values(same: Same) -> None:
    """S76, S79, S81, S90: what is fetched, fed, loaded and evaluated."""

    def program(tf: Any, log: Any) -> None:
        for resource in (False, True):
            v = tf.Variable([1.0, 2.0], name="v", use_resource=resource)
            step = tf.Variable(0, use_resource=resource)
            with tf.Session() as session:
                log.tried(lambda: session.run(v))
                session.run([v.initializer, step.initializer])
                log(session.run(v), session.run([v, {"a": v}]), session.run(v + 1.0, {v: [5.0, 6.0]}))
                log(session.run(v.assign_add([1.0, 1.0])), session.run(v[:1].assign([9.0])), v.eval())
                v.load([7.0, 8.0])
                log(session.run(v), session.run(v.value()), session.run(v.read_value()))
                fetched = session.run(v)
                session.run(v.assign([0.0, 0.0]))
                log(fetched, session.run(v), session.run(v.op if not resource else v.initializer))
                log([session.run(step.count_up_to(2)) for _ in range(2)])
                log.tried(lambda: session.run(step.count_up_to(2)))
                log.tried(lambda: session.run(v + 1.0, {v: [1.0]}))
                log.tried(lambda: v.assign("text"))

    same(program, graph=False, texts=False)


@KINDS
def test_as_arguments_of_operations(same: Same, resource: bool) -> None:
    def program(tf: Any, log: Any) -> None:
        v = tf.Variable([1.0, 2.0], name="v", use_resource=resource)
        w = tf.Variable([1.0, 2.0], name="w", use_resource=resource)
        log(tf.reduce_sum(v), tf.reduce_mean([v, w]), tf.shape(v), tf.rank(v), tf.size(v), tf.zeros_like(v))
        log(tf.gather(v, [0]), tf.gather_nd(v, [[0]]), tf.concat([v, w], 0), tf.matmul([v], [w], transpose_b=True))
        log(
            tf.reshape(v, [1, 2]),
            tf.cast(v, tf.int32),
            tf.add_n([v, w]),
            tf.transpose(v),
            tf.argmax(v),
            tf.tile(v, [2]),
        )
        log(tf.group(v, w), tf.tuple([v, tf.constant(1.0)]), tf.reduce_sum([v.value()], axis=0), tf.maximum(v, 0.0))
        with tf.control_dependencies([v, w.assign([1.0, 2.0])]):
            tf.no_op()
        log(tf.assign(v, [1.0, 2.0]), tf.assign_add(v, [1.0, 2.0]), tf.assign_sub(v, [1.0, 2.0], name="named"))
        log(tf.scatter_add(v, [0], [1.0]), tf.scatter_update(v, [0], [1.0]), tf.scatter_nd_add(v, [[0]], [1.0]))
        unknown = tf.Variable(tf.placeholder(tf.float32), validate_shape=False, use_resource=resource)
        log(tf.reduce_sum(unknown))

    same(program)


def test_resource_variables_by_default(same: Same) -> None:
    def program(tf: Any, log: Any) -> None:
        log(tf.resource_variables_enabled())
        tf.enable_resource_variables()
        try:
            log(
                tf.resource_variables_enabled(),
                tf.Variable(1.0),
                tf.get_variable("v", [2], initializer=tf.zeros_initializer),
            )
            log(tf.Variable(1.0, use_resource=False))
        finally:
            tf.disable_resource_variables()

    same(program)
