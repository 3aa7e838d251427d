"""Losses of dense labels, labels made ready, losses of a batch: TensorFlow's values and gradients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import runstep

LOGITS = np.random.RandomState(0).randn(4, 3, 5).astype(np.float32)
LABELS = [[1, 2], [3, 3], [1, 0]]


def test_ctc_loss(same: Callable[..., None]) -> None:
    def program(tf: Any, log: Any) -> None:
        nn, logits = tf.nn, tf.constant(LOGITS)
        sparse = tf.SparseTensor([[0, 0], [0, 1], [1, 0], [2, 0]], [1, 2, 3, 1], [3, 2])
        found = [
            nn.ctc_loss_v2(LABELS, logits, [2, 2, 1], [4, 4, 3]),
            nn.ctc_loss_v2(LABELS, logits, [2, 2, 1], [4, 4, 3], blank_index=4),
            nn.ctc_loss_v2(LABELS, LOGITS.transpose(1, 0, 2), [2, 2, 1], [4, 4, 3], False, blank_index=-1),
            nn.ctc_loss_v2([[1, 3], [3, 1], [0, 1]], logits, [2, 2, 1], [4, 4, 3], blank_index=2),
            nn.ctc_loss_v2(LABELS, logits, [2, 0, 1], [4, 4, 3]),
            nn.ctc_loss_v2(sparse, logits, None, [4, 4, 3], blank_index=0),
            nn.ctc_loss_v2(sparse, logits, None, [4, 4, 3], blank_index=-1),
        ]
        log([(one.shape.as_list(), one.dtype.name) for one in found])
        found += tf.gradients(found[0], logits) + tf.gradients(found[5], logits)
        found += [*nn.ctc_unique_labels([[3, 4, 4, 3], [1, 1, 1, 0]])]
        found += [*nn.collapse_repeated([[1, 1, 2, 2, 1], [3, 3, 3, 0, 0]], [5, 3])]
        log.tried(lambda: nn.ctc_loss_v2(sparse, logits, None, [4, 4, 3]))
        log.tried(lambda: nn.ctc_loss_v2(LABELS, logits, None, [4, 4, 3]))
        with tf.Session() as session:
            log(session.run(found))

    same(program, graph=False)


def test_labels_too_long_for_their_frames() -> None:
    """TensorFlow gives some hundreds, the logarithm of what its sum leaves."""
    loss = runstep.nn.ctc_loss_v2([[1, 2, 3], [3, 3, 3], [1, 0, 0]], LOGITS, [3, 3, 1], [4, 4, 3])
    with runstep.Session() as session:
        assert np.isinf(session.run(loss)).tolist() == [False, True, False]


def test_losses_of_a_batch(same: Callable[..., None]) -> None:
    def program(tf: Any, log: Any) -> None:
        average = tf.nn.compute_average_loss
        found = [
            average([1.0, 2.0]),
            average([1.0, 2.0], [0.5, 0.25], 4),
            average([[1.0, 2.0], [3.0, 4.0]], [1.0, 2.0]),
            average(tf.constant([1.0], tf.float64)),
            average([1, 2]),
            tf.nn.scale_regularization_loss([1.0, 2.0]),
        ]
        log([(one.shape.as_list(), one.dtype.name) for one in found])
        log.tried(lambda: average(1.0))
        log.tried(lambda: average([1.0], global_batch_size=[2]))
        log.tried(lambda: average([1.0], global_batch_size=2.0))
        with tf.Session() as session:
            log(session.run(found))

    same(program, graph=False, texts=False)
