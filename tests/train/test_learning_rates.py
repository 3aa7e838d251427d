"""Learning rate schedules are TensorFlow's, node for node and step for step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

Same = Callable[..., None]
STEPS = (0, 1, 4, 5, 9, 10, 11, 23, 100)

SCHEDULES: dict[str, Callable[[Any, Any], Any]] = {
    "exponential": lambda t, s: t.exponential_decay(0.1, s, 10, 0.96),
    "exponential, stairs": lambda t, s: t.exponential_decay(0.1, s, 10, 0.96, staircase=True, name="e"),
    "natural": lambda t, s: t.natural_exp_decay(0.1, s, 10, 0.5),
    "natural, stairs": lambda t, s: t.natural_exp_decay(0.1, s, 10, 0.5, staircase=True),
    "inverse": lambda t, s: t.inverse_time_decay(0.1, s, 10, 0.5),
    "inverse, stairs": lambda t, s: t.inverse_time_decay(0.1, s, 10, 0.5, staircase=True),
    "pieces": lambda t, s: t.piecewise_constant(s, [4, 10], [1.0, 0.5, 0.1]),
    "two pieces": lambda t, s: t.piecewise_constant_decay(s, [5], [1.0, 0.5]),
    "polynomial": lambda t, s: t.polynomial_decay(0.1, s, 10, 0.01, power=0.5),
    "polynomial, cycle": lambda t, s: t.polynomial_decay(0.1, s, 10, 0.01, power=2.0, cycle=True),
    "cosine": lambda t, s: t.cosine_decay(0.1, s, 10, alpha=0.1),
    "cosine restarts": lambda t, s: t.cosine_decay_restarts(0.1, s, 5, t_mul=2.0, m_mul=0.9, alpha=0.01),
    "cosine restarts of one length": lambda t, s: t.cosine_decay_restarts(0.1, s, 5, t_mul=1.0),
    "linear cosine": lambda t, s: t.linear_cosine_decay(0.1, s, 10, num_periods=1.5, alpha=0.1),
}


@pytest.mark.parametrize("name", SCHEDULES)
def test_schedules(name: str, same: Same) -> None:
    def program(tf: Any, log: Any) -> None:
        step = tf.placeholder(tf.int64, [])
        rate = SCHEDULES[name](tf.train, step)
        log(rate)
        with tf.Session() as sess:
            log([sess.run(rate, {step: value}) for value in STEPS])

    # TensorFlow makes a branch's Switch nodes after what takes them.
    same(program, ordered="restarts" not in name and "pieces" not in name)


def test_tensors_for_numbers(same: Same) -> None:
    def program(tf: Any, log: Any) -> None:
        start = tf.constant(0.1, tf.float64)
        step = tf.train.get_or_create_global_step()
        log(tf.train.exponential_decay(start, step, tf.constant(3), tf.constant(0.5, tf.float64)))
        log(tf.train.polynomial_decay(start, 3, tf.constant(7.0)), tf.train.inverse_time_decay(start, step, 3, 0.1))
        log(tf.train.piecewise_constant(tf.constant(0.5), [1.0, 2.0], [start, start, start]))

    same(program, ordered=False)


def test_noise(same: Same) -> None:
    def program(tf: Any, log: Any) -> None:
        tf.set_random_seed(3)
        step = tf.placeholder(tf.int64, [])
        rate = tf.train.noisy_linear_cosine_decay(0.1, step, 10)
        with tf.Session() as sess:
            log([sess.run(rate, {step: value}) for value in STEPS])

    same(program)


def test_refusals(same: Same) -> None:
    def program(tf: Any, log: Any) -> None:
        t = tf.train
        log.tried(lambda: t.piecewise_constant(tf.constant(1), [1.0], [1.0, 2.0]))
        log.tried(lambda: t.piecewise_constant(1, [1], [1.0, 2]))
        log.tried(lambda: t.piecewise_constant(1, [1, 2], [1.0, 2.0]))

    same(program, graph=False)
