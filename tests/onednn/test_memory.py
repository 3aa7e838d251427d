"""What oneDNN's programs keep between steps is in the account, and goes when others need it."""

from __future__ import annotations

import numpy as np
import pytest

import runstep as tf
from runstep import errors

MIB = 1 << 20


def test_workspaces_count_and_make_room() -> None:
    with tf.Graph().as_default() as graph:
        x = tf.placeholder("float32", [None, 64, 64, 16])  # 256 KiB each
        y = x
        for seed in range(3):
            weights = np.random.default_rng(seed).normal(size=(3, 3, 16, 16)).astype(np.float32)
            y = tf.nn.relu(tf.nn.conv2d(y, weights, 1, "SAME"))
        images, other = tf.reduce_max(y), tf.reduce_max(tf.fill([3, 1 << 20], tf.reduce_max(x)))
        with tf.Session(graph=graph, memory_limit=18 * MIB) as session:

            def run(count: int, fetch: object = images) -> None:
                session.run(fetch, {x: np.ones((count, 64, 64, 16), np.float32)})

            memory = session._engine.devices[0].budget.statistics  # type: ignore[union-attr]
            run(1)
            one = memory().in_use
            assert MIB // 2 <= one < MIB and memory().reserved == 0
            for _ in range(3):  # what is there needs not be claimed again
                run(16)
                assert 8 * MIB <= memory().in_use - one < 9 * MIB and memory().reserved == 0
            run(1, other)  # takes 12 MiB
            assert memory().in_use < MIB and memory().reserved == 0
            run(16)
            with pytest.raises(errors.ResourceExhaustedError):
                run(40)  # 10 MiB leave the region, and 20 are inside
            assert memory().in_use < 9 * MIB and memory().reserved == 0
            run(16)
        assert memory().in_use == 0
