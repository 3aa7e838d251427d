"""Optimizers make TensorFlow's nodes and slots, and take its steps: dense and by rows, on both kinds of variables."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

Same = Callable[..., None]

OPTIMIZERS: dict[str, Callable[[Any], Any]] = {
    "gradient descent": lambda t: t.GradientDescentOptimizer(0.1),
    "gradient descent, locking": lambda t: t.GradientDescentOptimizer(0.1, use_locking=True, name="G"),
    "proximal gradient descent": lambda t: t.ProximalGradientDescentOptimizer(0.1, 0.01, 0.02),
    "momentum": lambda t: t.MomentumOptimizer(0.1, 0.9),
    "nesterov": lambda t: t.MomentumOptimizer(lambda: 0.1, lambda: 0.9, use_nesterov=True),
    "adagrad": lambda t: t.AdagradOptimizer(0.5),
    "proximal adagrad": lambda t: t.ProximalAdagradOptimizer(0.5, 0.2, 0.01, 0.02),
    "adadelta": lambda t: t.AdadeltaOptimizer(1.0),
    "rmsprop": lambda t: t.RMSPropOptimizer(0.05),
    "rmsprop, centered": lambda t: t.RMSPropOptimizer(0.05, momentum=0.5, epsilon=1e-3, centered=True),
    "adam": lambda t: t.AdamOptimizer(0.1),
    "adam, locking": lambda t: t.AdamOptimizer(0.1, 0.8, 0.95, 1e-4, use_locking=True, name="A"),
    "ftrl": lambda t: t.FtrlOptimizer(0.5),
    "ftrl, regularized": lambda t: t.FtrlOptimizer(
        0.5, -0.4, 0.2, 0.01, 0.02, accum_name="a", linear_name="l", beta=0.1
    ),
    "ftrl, shrinkage": lambda t: t.FtrlOptimizer(0.5, l2_shrinkage_regularization_strength=0.1),
}


def gradients(tf: Any, a: Any, b: Any) -> list[tuple[Any, Any]]:
    """A dense gradient for `a`; for `b` one by rows, row 0 twice."""
    rows = tf.placeholder_with_default([0, 2, 0], [3])
    slices = tf.IndexedSlices(tf.gather(b, rows) * 0.5 - 0.1, rows, dense_shape=tf.constant([4, 2]))
    return [(a * 0.8 - 1.0, a), (slices, b)]


def trained(tf: Any, log: Any, make: Callable[[Any], Any], dtype: Any, use_resource: bool) -> None:
    start = tf.constant([[1.0, -2.0], [0.5, 0.0], [3.0, 1.0], [-1.0, 0.2]], dtype=dtype)
    a = tf.Variable(start * 2.0, name="a", use_resource=use_resource)
    with tf.variable_scope("inner"):
        b = tf.get_variable("b", initializer=start, use_resource=use_resource)
    c = tf.Variable(1.0, name="c", use_resource=use_resource)
    step = tf.train.get_or_create_global_step()
    optimizer = make(tf.train)
    done = optimizer.apply_gradients([*gradients(tf, a, b), (None, c)], global_step=step)
    names = optimizer.get_slot_names()
    log(done, names, optimizer.get_name(), optimizer.variables(), tf.get_collection(tf.GraphKeys.TRAIN_OP))
    slots = [optimizer.get_slot(var, name) for var in (a, b) for name in names]
    log(slots, optimizer.get_slot(c, "m"), optimizer.get_slot(a, "none such"))
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        for _ in range(6):
            for _ in range(5):
                sess.run(done)
            log(sess.run([a, b, c, step, *slots]))


@pytest.mark.parametrize("use_resource", [False, True], ids=["ref", "resource"])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_thirty_steps(name: str, use_resource: bool, same: Same) -> None:
    same(lambda tf, log: trained(tf, log, OPTIMIZERS[name], tf.float32, use_resource))


@pytest.mark.parametrize("use_resource", [False, True], ids=["ref", "resource"])
@pytest.mark.parametrize(
    "name", [name for name in OPTIMIZERS if not name.startswith("proximal")]
)  # refused by TensorFlow
def test_double_precision(name: str, use_resource: bool, same: Same) -> None:
    same(lambda tf, log: trained(tf, log, OPTIMIZERS[name], tf.float64, use_resource))


def test_adagrad_da(same: Same) -> None:
    def program(tf: Any, log: Any) -> None:
        for use_resource in (False, True):
            for dtype in (tf.float32, tf.float64):
                with tf.Graph().as_default():
                    step = tf.train.create_global_step()
                    trained(
                        tf,
                        log,
                        lambda t: t.AdagradDAOptimizer(0.5, step, 0.2, 0.01, 0.02),
                        dtype,
                        use_resource,  # noqa: B023
                    )
                    log([(op.name, op.type) for op in tf.get_default_graph().get_operations()])

    same(program)


def test_one_optimizer_in_two_graphs(same: Same) -> None:
    def program(tf: Any, log: Any) -> None:
        optimizer = tf.train.AdamOptimizer()
        for _ in range(2):
            with tf.Graph().as_default():
                v = tf.Variable([1.0], name="v")
                optimizer.apply_gradients([([2.0], v)])
                optimizer.apply_gradients([([2.0], v)], name="again")
                log(optimizer.variables(), tf.global_variables())
        log(optimizer.variables())

    same(program)


def test_a_name_scope_of_its_own(same: Same) -> None:
    def program(tf: Any, log: Any) -> None:
        v = tf.Variable([1.0], name="v")
        with tf.name_scope("outer"):
            for _ in range(2):
                optimizer = tf.train.AdamOptimizer(name="Mine", use_own_namescope_for_non_slot_vars=True)
                optimizer.apply_gradients([([2.0], v)])
                log(optimizer.variables())

    same(program, graph=False)


def test_variables_of_unknown_shape(same: Same) -> None:
    makers = ("adagrad", "rmsprop, centered", "adam", "momentum")

    def program(tf: Any, log: Any) -> None:
        for name in makers:
            v = tf.Variable(tf.placeholder_with_default([1.0, 2.0], None), validate_shape=False)
            optimizer = OPTIMIZERS[name](tf.train)
            done = optimizer.apply_gradients([(tf.constant([0.5, 0.25]), v)])
            with tf.Session() as sess:
                sess.run(tf.global_variables_initializer())
                sess.run(done)
                log(sess.run([v, *optimizer.variables()]))

    same(program, graph=False)


def test_constraints(same: Same) -> None:
    def program(tf: Any, log: Any) -> None:
        for use_resource in (True,):
            v = tf.Variable(
                [1.0, -2.0, 0.3], use_resource=use_resource, constraint=lambda x: tf.clip_by_value(x, 0.0, 1.0)
            )
            optimizer = tf.train.GradientDescentOptimizer(0.5)
            done = optimizer.apply_gradients([(tf.constant([1.0, 1.0, -1.0]), v)])
            with tf.Session() as sess:
                sess.run(tf.global_variables_initializer())
                sess.run(done)
                log(sess.run(v))
            rows = tf.IndexedSlices(tf.constant([1.0]), tf.placeholder(tf.int32, [1]))
            log.tried(lambda: optimizer.apply_gradients([(rows, v)]))  # noqa: B023

    same(program)


def test_refusals(same: Same) -> None:
    def program(tf: Any, log: Any) -> None:
        t = tf.train
        v = tf.Variable(1.0, name="v")
        gd = t.GradientDescentOptimizer(0.1)
        log.tried(lambda: t.GradientDescentOptimizer(0.1, name=""))
        log.tried(lambda: t.AdagradOptimizer(0.1, 0.0))
        log.tried(lambda: t.AdagradDAOptimizer(0.1, 0, 0.0))
        log.tried(lambda: t.ProximalAdagradOptimizer(0.1, -1.0))
        log.tried(lambda: t.FtrlOptimizer(0.1, learning_rate_power=0.1))
        log.tried(lambda: t.FtrlOptimizer(0.1, initial_accumulator_value=-0.1))
        log.tried(lambda: t.FtrlOptimizer(0.1, l1_regularization_strength=-0.1))
        log.tried(lambda: t.FtrlOptimizer(0.1, l2_regularization_strength=-0.1))
        log.tried(lambda: t.FtrlOptimizer(0.1, l2_shrinkage_regularization_strength=-0.1))
        log.tried(lambda: gd.apply_gradients([]))
        log.tried(lambda: gd.apply_gradients([(None, v)]))
        log.tried(lambda: gd.apply_gradients([({}, v)]))
        log.tried(lambda: gd.apply_gradients([(1.0, tf.constant(1.0))]))
        log.tried(lambda: gd.apply_gradients([(1.0, 2.0)]))
        log.tried(lambda: gd.compute_gradients(v * 1.0, gate_gradients=7))
        log.tried(lambda: gd.compute_gradients(v * 1.0, var_list=[]))
        log.tried(lambda: gd.compute_gradients(v * 1.0, var_list=[3.0]))
        log.tried(lambda: gd.compute_gradients(tf.constant(1)))
        log.tried(lambda: gd.compute_gradients(v * 1.0, grad_loss=tf.constant(1)))

    same(program)


def test_subclasses(same: Same) -> None:
    def program(tf: Any, log: Any) -> None:
        class SignOptimizer(tf.train.Optimizer):  # type: ignore[misc]
            def __init__(self) -> None:
                super().__init__(False, "Sign")

            def _create_slots(self, var_list: Any) -> None:
                for var in var_list:
                    self._zeros_slot(var, "steps", self._name)
                    self._get_or_make_slot(var, tf.ones([3]), "ones", "Ones")

            def _apply_dense(self, grad: Any, var: Any) -> Any:
                counted = tf.assign_add(self.get_slot(var, "steps"), tf.abs(tf.sign(grad)))
                return tf.group(tf.assign_sub(var, 0.1 * tf.sign(grad)), counted)

            _resource_apply_dense = _apply_dense

        optimizer = SignOptimizer()
        a = tf.Variable([1.0, 2.0, 3.0])
        b = tf.Variable([1.0, 2.0, 3.0], use_resource=True)
        done = optimizer.apply_gradients([(a - 2.0, a), (b - 2.0, b)])
        rows = tf.IndexedSlices(tf.constant([1.0]), tf.placeholder(tf.int32, [1]))
        log.tried(lambda: optimizer.apply_gradients([(rows, a)]))
        log.tried(lambda: optimizer.apply_gradients([(rows, b)]))
        with tf.Session() as sess:
            sess.run(tf.global_variables_initializer())
            sess.run(done)
            log(sess.run([a, b, *optimizer.variables()]), optimizer.get_slot_names())

    same(program)
