"""`ExponentialMovingAverage`, slots, and the global step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

Same = Callable[..., None]
KINDS = pytest.mark.parametrize("resource", [False, True], ids=["ref", "resource"])


@KINDS
def test_what_an_average_adds_to_the_graph(same: Same, resource: bool) -> None:
    def program(tf: Any, log: Any) -> None:
        a = tf.Variable(1.0, name="a", use_resource=resource)
        b = tf.get_variable("sc/b", [2], initializer=tf.zeros_initializer(), use_resource=resource)
        steps = tf.Variable(3, name="steps", trainable=False, use_resource=resource)
        tensor = a * 2.0
        ema = tf.train.ExponentialMovingAverage(0.9)
        log(ema.average(a), ema.average_name(a))
        log(ema.apply([a, b]), ema.average(a), ema.average_name(a), ema.average_name(b), ema.name)
        log(ema.apply([tensor]), ema.average(tensor), ema.average_name(tensor))
        log(ema.apply([a]), tf.moving_average_variables(), tf.global_variables(), tf.trainable_variables())
        log(dict(sorted(ema.variables_to_restore().items())))
        log(tf.train.ExponentialMovingAverage(0.9, num_updates=steps, name="counted").apply())
        with tf.name_scope("scope"):
            log(
                tf.train.ExponentialMovingAverage(tf.constant(0.5), zero_debias=True, name="debiased").apply(
                    [tensor, a]
                )
            )
        log.tried(lambda: ema.apply([steps]))
        log(tf.train.ExponentialMovingAverage(0.9).average(a))

    same(program, ordered=False)


@KINDS
def test_averages(same: Same, resource: bool) -> None:
    def program(tf: Any, log: Any) -> None:
        v = tf.Variable([1.0, 10.0], name="v", use_resource=resource)
        steps = tf.Variable(0, trainable=False, use_resource=resource)
        tensor = v * 3.0
        plain = tf.train.ExponentialMovingAverage(0.9)
        counted = tf.train.ExponentialMovingAverage(0.9, num_updates=steps, name="counted")
        debiased = tf.train.ExponentialMovingAverage(0.9, zero_debias=True, name="debiased")
        updates = [plain.apply([v, tensor]), counted.apply([v]), debiased.apply([tensor])]
        averages = [plain.average(v), plain.average(tensor), counted.average(v), debiased.average(tensor)]
        with tf.Session() as session:
            session.run(tf.global_variables_initializer())
            for step in range(4):
                session.run(v.assign([step * 2.0, -1.0]))
                session.run(updates)
                session.run(steps.assign_add(1))
                log(session.run(averages))

    same(program, graph=False)


def test_the_global_step(same: Same) -> None:
    def program(tf: Any, log: Any) -> None:
        train = tf.train
        log(train.get_global_step())
        with tf.name_scope("ignored"):
            step = train.get_or_create_global_step()
        log(step, step.trainable, step.aggregation.value, tf.global_variables(), tf.get_collection("global_step"))
        log(train.get_global_step() is step, train.get_or_create_global_step() is step, train.assert_global_step(step))
        log.tried(lambda: train.create_global_step())
        with tf.Session() as session:
            session.run(step.initializer)
            session.run(step.assign_add(5))
            log(train.global_step(session, step))
        for bad in (tf.Variable(1.0, name="f"), tf.Variable([1], name="v"), 3):
            log.tried(lambda b=bad: train.assert_global_step(b))
        log(train.assert_global_step(tf.constant(1)))
        tf.add_to_collection("global_step", step)
        log(train.get_global_step())
        with tf.Graph().as_default() as graph:
            tf.Variable(1, name="global_step")
            log(train.get_global_step(), train.get_global_step(graph), train.create_global_step(tf.Graph()))
        with tf.Graph().as_default():
            tf.Variable(1.0, name="global_step")
            log.tried(lambda: train.get_global_step())

    same(program)
