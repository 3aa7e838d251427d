"""Windows and normalized tensors against TensorFlow."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np


def test_windows(same: Callable[..., None]) -> None:
    def program(tf: Any, log: Any) -> None:
        signal = tf.signal
        found = [
            window(length, periodic=periodic, dtype=dtype)
            for window in (signal.hann_window, signal.hamming_window)
            for length, periodic, dtype in ((6, True, tf.float32), (5, True, tf.float64), (5, False, tf.float32))
        ]
        found.append(signal.hann_window(1))
        log(found)
        log.tried(lambda: signal.hann_window(3, dtype=tf.int32))
        with tf.Session() as session:
            log(session.run(found))

    same(program, ordered=False, texts=False)


def test_a_length_that_only_the_step_knows(same: Callable[..., None]) -> None:
    """TensorFlow computes a part of it outside of the branch: other nodes, the same window."""

    def program(tf: Any, log: Any) -> None:
        length = tf.placeholder(tf.int32, [])
        found = tf.signal.hamming_window(length, name="w")
        log(found)
        with tf.Session() as session:
            log([session.run(found, {length: size}) for size in (1, 4, 5)])

    same(program, graph=False)


def test_normalize(same: Callable[..., None]) -> None:
    values = np.random.RandomState(0).randn(3, 4).astype(np.float32)

    def program(tf: Any, log: Any) -> None:
        found = [tf.linalg.normalize(tf.constant(values), *how) for how in ((), (1, 1), (np.inf, 0), ("fro", [0, 1]))]
        log(found)
        with tf.Session() as session:
            log(session.run(found))

    same(program)
