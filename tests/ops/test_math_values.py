"""The composed functions of mathematics, run in a Session, give TensorFlow's values."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from runstep.graph.apply import apply
from runstep.ops import (
    arithmetic,
    basic,
    cast,
    contraction,
    cumulative,
    elementwise,
    histogram,
    matmul,
    norms,
    reduction,
    segment,
    special,
    table,  # noqa: F401
)
from runstep.session.session import Session
from runstep.testing import building, oracle

MODULES = (
    elementwise,
    arithmetic,
    cast,
    contraction,
    cumulative,
    histogram,
    matmul,
    norms,
    reduction,
    segment,
    special,
)
X = np.array([[0.5, -1.5, 2.0], [3.0, 0.25, -4.0]], np.float32)
CUBE = np.arange(24, dtype=np.float32).reshape(2, 3, 4) / 7
Z = np.array([[1 + 2j, -3j], [0.5, 2 - 1j]], np.complex64)
N = np.array([3, 1, 1, 0, 7], np.int32)

BY_HAND = {"AccumulateNV2": "here, below: TensorFlow has no kernel for it, it rewrites the graph."}

# A function of tf and of placeholders, and what is fed. The placeholders' shapes are known, or not at all.
VALUES: dict[str, tuple[Any, list[Any]]] = {
    "logsumexp": (lambda tf, x: tf.reduce_logsumexp(x, 1), [X]),
    "logsumexp all": (lambda tf, x: tf.reduce_logsumexp(x, keepdims=True), [X]),
    "logsumexp infinite": (lambda tf, x: tf.reduce_logsumexp(x), [np.array([-np.inf, -np.inf], np.float32)]),
    "variance": (lambda tf, x: tf.math.reduce_variance(x, 1), [X]),
    "variance complex": (lambda tf, x: tf.math.reduce_variance(x, 0), [Z]),
    "std": (lambda tf, x: tf.math.reduce_std(x), [X]),
    "count_nonzero": (lambda tf, x: tf.count_nonzero(x, 0), [N.reshape(1, 5)]),
    "is_non_decreasing": (lambda tf, x: tf.math.is_non_decreasing(x), [N]),
    "is_non_decreasing empty": (lambda tf, x: tf.math.is_non_decreasing(x), [N[:0]]),
    "is_strictly_increasing": (lambda tf, x: tf.math.is_strictly_increasing(x), [np.array([1, 2, 3])]),
    "einsum three": (lambda tf, x: tf.einsum("ij,kj,kl->il", x, x, x), [X]),
    "einsum batch": (lambda tf, x, y: tf.einsum("bij,bkj->bik", x, y), [CUBE, CUBE]),
    "tensordot": (lambda tf, x, y: tf.tensordot(x, y, [[1, 0], [0, 1]]), [CUBE, CUBE.transpose(1, 0, 2)]),
    "tensordot number": (lambda tf, x, y: tf.tensordot(x, y, 1), [X, X.T.copy()]),
    "tensordot outer": (lambda tf, x: tf.tensordot(x, x, 0), [X]),
    "matmul adjoint": (lambda tf, x: tf.matmul(x, x, adjoint_a=True), [Z]),
    "matmul batch": (lambda tf, x: tf.matmul(x, x, transpose_b=True), [CUBE]),
    "matvec": (lambda tf, x, y: tf.linalg.matvec(x, y), [X, X[0]]),
    "norm": (lambda tf, x: tf.norm(x), [X]),
    "norm complex": (lambda tf, x: tf.norm(x, axis=1), [Z]),
    "norm 3": (lambda tf, x: tf.norm(x, 3, axis=1), [X]),
    "norm inf": (lambda tf, x: tf.norm(x, np.inf, axis=[0, 1]), [X]),
    "clip_by_value": (lambda tf, x: tf.clip_by_value(x, -1, 1), [X]),
    "clip_by_norm": (lambda tf, x: tf.clip_by_norm(x, 2.0, axes=[1]), [X]),
    "clip_by_norm zero": (lambda tf, x: tf.clip_by_norm(x, 2.0), [X * 0]),
    "clip_by_global_norm": (lambda tf, x, y: tf.clip_by_global_norm([x, y], 2.0)[0], [X, CUBE]),
    "clip_by_average_norm": (lambda tf, x: tf.clip_by_average_norm(x, 0.1), [X]),
    "global_norm": (lambda tf, x, y: tf.global_norm([x, None, y]), [X, CUBE]),
    "trace": (lambda tf, x: tf.trace(x), [CUBE]),
    "polyval": (lambda tf, x: tf.math.polyval([1.0, -2.0, 3.0], x), [X]),
    "unsorted_segment_mean": (lambda tf, x: tf.unsorted_segment_mean(x, [2, 2], 3), [X]),
    "unsorted_segment_sqrt_n": (lambda tf, x: tf.unsorted_segment_sqrt_n(x, [2, 2], 3), [X]),
    "bincount": (lambda tf, x: tf.bincount(x, minlength=10), [N]),
    "bincount weights": (lambda tf, x, w: tf.bincount(x, weights=w, maxlength=4), [N, X.ravel()[:5]]),
    "histogram": (lambda tf, x: tf.histogram_fixed_width(x, [-2.0, 2.0], nbins=4), [X]),
    "histogram bins": (lambda tf, x: tf.histogram_fixed_width_bins(x, [-2.0, 2.0], nbins=4), [X]),
    "saturate_cast": (lambda tf, x: tf.saturate_cast(x, "int32"), [X * 1e9]),
    "saturate_cast small": (lambda tf, x: tf.saturate_cast(x, "uint8"), [X * 200]),
    "angle": (lambda tf, x: tf.angle(x), [Z]),
    "angle real": (lambda tf, x: tf.angle(x), [X]),
    "imag": (lambda tf, x: tf.imag(x), [X]),
    "divide": (lambda tf, x: tf.divide(x, 2), [N]),
    "div_no_nan": (lambda tf, x: tf.div_no_nan(x, x), [N]),
    "log_sigmoid": (lambda tf, x: tf.log_sigmoid(x), [X]),
    "erfcinv": (lambda tf, x: tf.math.erfcinv(x), [np.array([0.1, 1.0, 1.9], np.float32)]),
    "lbeta": (lambda tf, x: tf.lbeta(x), [np.abs(X)]),
    "cumsum": (lambda tf, x: tf.cumsum(x, 1, exclusive=True, reverse=True), [X]),
}


class _Ours(building.Names):
    """Our names, also below `tf.math` and `tf.linalg`."""

    @property
    def math(self) -> Any:
        return self

    linalg = math


def _run(tf: Any, session: Any, build: Any, feeds: list[Any], known: bool) -> Any:
    graph = tf.Graph()
    with graph.as_default():
        holders = [tf.placeholder(value.dtype, value.shape if known else None) for value in feeds]
        result = build(tf, *holders)
        with session(graph=graph) as running:
            return running.run(result, dict(zip(holders, feeds, strict=True)))


@pytest.mark.parametrize("known", [True, False], ids=["known", "unknown"])
@pytest.mark.parametrize("build, feeds", VALUES.values(), ids=VALUES)
def test_values(build: Any, feeds: list[Any], known: bool) -> None:
    tf = oracle.tensorflow().compat.v1
    want = _run(tf, tf.Session, build, feeds, known)
    got = _run(_Ours((basic, *MODULES)), Session, build, feeds, known)
    for ours, theirs in zip(
        got if isinstance(got, list) else [got], want if isinstance(want, list) else [want], strict=True
    ):
        assert np.asarray(ours).dtype == np.asarray(theirs).dtype
        assert np.shape(ours) == np.shape(theirs)
        np.testing.assert_allclose(ours, theirs, rtol=2e-5, atol=1e-6)


def test_accumulate_n() -> None:
    """The op of TensorFlow 1's accumulate_n, which its session replaces before it runs."""
    want = _run(
        oracle.tensorflow().compat.v1,
        oracle.tensorflow().compat.v1.Session,
        lambda tf, x: tf.raw_ops.AccumulateNV2(inputs=[x, x, x], shape=[2, 3]),
        [X],
        True,
    )
    got = _run(_Ours((basic,)), Session, lambda tf, x: apply("AccumulateNV2", [x, x, x], shape=[2, 3]), [X], True)
    np.testing.assert_array_equal(got, want)
