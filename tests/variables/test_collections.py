"""Collections of variables, and what initializes them or tells which are not initialized (S44, S47)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Same = Callable[..., None]


def test_initializers_and_reports(same: Same) -> None:
    def program(tf: Any, log: Any) -> None:
        a = tf.Variable(1.0, name="a")
        b = tf.Variable([2.0], name="b", use_resource=True)
        tf.Variable(1, collections=["local_variables"], name="l")
        tf.global_variables_initializer()
        tf.local_variables_initializer()
        tf.report_uninitialized_variables()
        tf.assert_variables_initialized()
        tf.variables_initializer([a])
        tf.variables_initializer([], name="empty")
        tf.is_variable_initialized(a)
        tf.is_variable_initialized(b)
        tf.initialize_all_variables()
        tf.initialize_local_variables()
        tf.initialize_variables([b])
        tf.report_uninitialized_variables([], name="none")
        tf.report_uninitialized_variables([b])
        tf.assert_variables_initialized([a])
        log(tf.all_variables(), tf.model_variables(), tf.moving_average_variables(), tf.global_variables("a"))
        log(tf.trainable_variables("b"), tf.local_variables("x"))

    same(program)


def test_a_graph_without_variables(same: Same) -> None:
    def program(tf: Any, log: Any) -> None:
        log(tf.global_variables(), tf.trainable_variables(), tf.local_variables())
        tf.report_uninitialized_variables()
        tf.assert_variables_initialized()
        tf.global_variables_initializer()

    same(program)


def test_values(same: Same) -> None:
    def program(tf: Any, log: Any) -> None:
        for resource in (False, True):
            with tf.Graph().as_default(), tf.Session() as session:
                a = tf.Variable(1.0, name="a", use_resource=resource)
                b = tf.get_variable("b", [2], initializer=tf.zeros_initializer(), use_resource=resource)
                missing = tf.report_uninitialized_variables()
                known = [tf.is_variable_initialized(v) for v in (a, b)]
                log(session.run(missing), session.run(known))
                log.tried(lambda: session.run(b))
                log.tried(lambda: session.run(b + 1.0))
                session.run(a.initializer)
                log(session.run(missing), session.run(known))
                session.run(tf.global_variables_initializer())
                log(session.run(missing), session.run(known), session.run([a, b]))

    same(program, graph=False, texts=False)
