"""The user functions of mathematics make the nodes that TensorFlow makes: types, names, inputs, attributes, shapes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import runstep.kernels.numpy.table  # noqa: F401
from runstep.ops import (
    activation,
    arithmetic,
    bitwise,
    cast,
    comparison,
    contraction,
    cumulative,
    elementwise,
    histogram,
    indexing,
    joining,
    loss,
    matmul,
    matrix_diag,
    norms,
    rearranging,
    reduction,
    segment,
    selecting,
    shape_ops,
    slicing,
    special,
)
from runstep.testing import building

MODULES = [
    arithmetic, cast, comparison, contraction, cumulative, elementwise, histogram, matmul, norms, reduction, segment,
]  # fmt: skip
DEEPER = [*MODULES, bitwise, special]
OTHERS = (activation, indexing, joining, loss, matrix_diag, rearranging, selecting, shape_ops, slicing)


def p(tf: Any) -> Any:
    return tf.placeholder(tf.float32, [2, 3], name="p")


def i(tf: Any) -> Any:
    return tf.placeholder(tf.int32, [2, 3], name="i")


def u(tf: Any) -> Any:
    return tf.placeholder(tf.float32, name="u")


def b(tf: Any) -> Any:
    return tf.placeholder(tf.bool, [2, 3], name="b")


def c(tf: Any) -> Any:
    return tf.placeholder("complex64", [2], name="c")


BUILDS = {
    "add": lambda tf: tf.add(p(tf), 1),
    "add numbers": lambda tf: tf.add(1, 2),
    "add strings": lambda tf: tf.add("a", "b"),
    "add mixed": lambda tf: tf.add(1, p(tf)),
    "add shapes": lambda tf: tf.add(p(tf), [1.0, 2.0]),
    "subtract": lambda tf: tf.subtract(p(tf), 1, name="less"),
    "multiply": lambda tf: tf.multiply(2.0, p(tf)),
    "divide": lambda tf: tf.divide(p(tf), 2),
    "divide named": lambda tf: tf.divide(p(tf), 2, name="q"),
    "divide numbers": lambda tf: tf.divide(3, 2),
    "divide numbers named": lambda tf: tf.divide(3, 2, name="q"),
    "divide integers": lambda tf: tf.divide(i(tf), 2),
    "truediv": lambda tf: tf.truediv(i(tf), i(tf)),
    "truediv mixed": lambda tf: tf.truediv(p(tf), i(tf)),
    "truediv bool": lambda tf: tf.truediv(b(tf), b(tf)),
    "div": lambda tf: (tf.div(i(tf), 2), tf.div(p(tf), 2, name="zz")),
    "floordiv": lambda tf: (tf.floordiv(p(tf), 2), tf.floor_div(i(tf), 2)),
    "floordiv mixed": lambda tf: tf.floordiv(p(tf), i(tf)),
    "mod": lambda tf: (tf.floormod(p(tf), 2), tf.mod(i(tf), 2)),
    "realdiv": lambda tf: (tf.realdiv(p(tf), 2), tf.truncatediv(p(tf), 2), tf.truncatemod(p(tf), 2)),
    "div_no_nan": lambda tf: (tf.div_no_nan(p(tf), 2), tf.div_no_nan(2, p(tf)), tf.div_no_nan(1.0, 2.0)),
    "div_no_nan integers": lambda tf: tf.div_no_nan(i(tf), i(tf)),
    "pow": lambda tf: tf.pow(p(tf), 2),
    "pow mixed": lambda tf: tf.pow(2, p(tf)),
    "squared_difference": lambda tf: tf.squared_difference(p(tf), 2),
    "scalar_mul": lambda tf: (tf.scalar_mul(2, p(tf)), tf.scalar_mul(2, i(tf))),
    "scalar_mul wrong": lambda tf: tf.scalar_mul(2.5, i(tf)),
    "scalar_mul vector": lambda tf: tf.scalar_mul(p(tf), p(tf)),
    "add_n": lambda tf: (tf.add_n([p(tf), u(tf)]), tf.add_n([p(tf)]), tf.add_n([p(tf)], name="k")),
    "add_n constants": lambda tf: tf.add_n([[1.0, 2.0], [3.0, 4.0]]),
    "add_n nothing": lambda tf: tf.add_n([]),
    "add_n mixed": lambda tf: tf.add_n([p(tf), i(tf)]),
    "add_n number": lambda tf: tf.add_n(3),
    "accumulate_n": lambda tf: (tf.accumulate_n([p(tf), u(tf)]), tf.accumulate_n([p(tf)], name="k")),
    "accumulate_n nothing": lambda tf: tf.accumulate_n([]),
    "accumulate_n dtype": lambda tf: tf.accumulate_n([p(tf)], tensor_dtype=tf.int32),
    "accumulate_n shape": lambda tf: tf.accumulate_n([p(tf)], shape=[3]),
    "maximum": lambda tf: (tf.maximum(p(tf), 2), tf.minimum(p(tf), 2), tf.atan2(p(tf), 2)),
    "cross": lambda tf: tf.cross(p(tf), p(tf)),
    "abs": lambda tf: (tf.abs(p(tf)), tf.abs(c(tf))),
    "unary": lambda tf: (tf.negative(p(tf)), tf.square(p(tf)), tf.exp(p(tf)), tf.floor(p(tf)), tf.sign(p(tf))),
    "round": lambda tf: (tf.round(p(tf)), tf.round(i(tf))),
    "sigmoid": lambda tf: (tf.sigmoid(p(tf)), tf.sigmoid(1.0), tf.tanh(p(tf))),
    "equal": lambda tf: (tf.equal(p(tf), 2), tf.not_equal(p(tf), 2), tf.less(p(tf), 2)),
    "logical": lambda tf: (tf.logical_and(b(tf), True), tf.logical_not(b(tf)), tf.logical_xor(b(tf), b(tf))),
    "cast": lambda tf: (tf.cast(p(tf), tf.int32), tf.cast(p(tf), tf.float32), tf.cast(1, tf.float32)),
    "cast named": lambda tf: (tf.cast(p(tf), tf.float32, name="k"), tf.cast([1.5], "int32"), tf.cast(c(tf), "int32")),
    "saturate_cast": lambda tf: (tf.saturate_cast(p(tf), "uint8"), tf.saturate_cast(i(tf), "uint8")),
    "saturate_cast wide": lambda tf: (tf.saturate_cast(p(tf), tf.int32), tf.saturate_cast(i(tf), tf.int64)),
    "saturate_cast narrow": lambda tf: (tf.saturate_cast(p(tf), "half"), tf.saturate_cast(p(tf), "float64", name="k")),
    "saturate_cast complex": lambda tf: (tf.saturate_cast(c(tf), "int8"), tf.saturate_cast(p(tf), "complex64")),
    "saturate_cast bool": lambda tf: tf.saturate_cast(b(tf), "uint8"),
    "to": lambda tf: (tf.to_float(i(tf)), tf.to_float(p(tf)), tf.to_int32(p(tf)), tf.to_double(p(tf))),
    "complex": lambda tf: (tf.complex(p(tf), p(tf)), tf.complex(1.0, 2.0)),
    "complex integers": lambda tf: tf.complex(i(tf), i(tf)),
    "real": lambda tf: (tf.real(c(tf)), tf.real(p(tf)), tf.imag(c(tf)), tf.imag(p(tf))),
    "real bool": lambda tf: tf.real(b(tf)),
    "conj": lambda tf: (tf.conj(c(tf)), tf.conj(p(tf))),
    "conj bool": lambda tf: tf.conj(b(tf)),
    "angle": lambda tf: (tf.angle(c(tf)), tf.angle(p(tf))),
    "reduce_sum": lambda tf: (tf.reduce_sum(p(tf)), tf.reduce_sum(u(tf)), tf.reduce_sum(p(tf), 1)),
    "reduce_sum old": lambda tf: tf.reduce_sum(p(tf), reduction_indices=[0, 1], keep_dims=True, name="k"),
    "reduce_sum both": lambda tf: tf.reduce_sum(p(tf), axis=0, reduction_indices=[0]),
    "reduce_sum keep": lambda tf: tf.reduce_sum(p(tf), keepdims=True, keep_dims=True),
    "reduce_sum axis": lambda tf: tf.reduce_sum(p(tf), axis=2),
    "reduce_sum constant": lambda tf: tf.reduce_sum(p(tf), axis=tf.constant([1])),
    "reduce_sum values": lambda tf: (tf.reduce_sum(5), tf.reduce_sum([5, 6])),
    "reduce others": lambda tf: (
        tf.reduce_mean(p(tf)),
        tf.reduce_max(p(tf)),
        tf.reduce_all(b(tf)),
        tf.reduce_any(b(tf)),
    ),
    "logsumexp": lambda tf: tf.reduce_logsumexp(p(tf)),
    "logsumexp kept": lambda tf: tf.reduce_logsumexp(p(tf), axis=1, keepdims=True, name="k"),
    "logsumexp unknown": lambda tf: tf.reduce_logsumexp(u(tf), axis=1),
    "count_nonzero": lambda tf: (tf.count_nonzero(p(tf)), tf.count_nonzero(b(tf))),
    "count_nonzero axis": lambda tf: tf.count_nonzero(p(tf), axis=1, dtype=tf.int32, name="k"),
    "count_nonzero strings": lambda tf: tf.count_nonzero(tf.constant(["a", ""])),
    "argmax": lambda tf: (tf.argmax(p(tf)), tf.argmax(p(tf), 1), tf.argmin(u(tf), -1)),
    "argmax old": lambda tf: tf.argmax(p(tf), dimension=1, output_type=tf.int32),
    "argmax axis": lambda tf: tf.argmax(p(tf), axis=2),
    "cumsum": lambda tf: (tf.cumsum(p(tf), 1, True, True), tf.cumprod(p(tf))),
    "matmul": lambda tf: (tf.matmul(p(tf), p(tf), transpose_b=True), tf.matmul([[1.0]], [[2.0]], name="m")),
    "matmul shapes": lambda tf: tf.matmul(p(tf), p(tf)),
    "matmul unknown": lambda tf: (tf.matmul(u(tf), p(tf)), tf.matmul(p(tf), u(tf), adjoint_b=True)),
    "matmul vector": lambda tf: tf.matmul(c(tf), c(tf)),
    "matmul adjoint": lambda tf: tf.matmul(p(tf), p(tf), adjoint_a=True),
    "matmul sparse": lambda tf: tf.matmul(p(tf), p(tf), transpose_b=True, a_is_sparse=True),
    "matmul sparse integers": lambda tf: tf.matmul(i(tf), i(tf), transpose_b=True, a_is_sparse=True),
    "matmul both": lambda tf: tf.matmul(p(tf), p(tf), transpose_b=True, adjoint_b=True),
    "matmul mixed": lambda tf: tf.matmul(p(tf), i(tf), transpose_b=True),
    "matmul wide": lambda tf: tf.matmul(tf.cast(p(tf), "int8"), tf.cast(p(tf), "int8"), True, output_type=tf.int32),
    "sparse_matmul": lambda tf: tf.sparse_matmul(p(tf), p(tf), transpose_b=True),
    "tensordot": lambda tf: (tf.tensordot(p(tf), p(tf), [[1], [1]]), tf.tensordot(p(tf), p(tf), [[0], [0]])),
    "tensordot outer": lambda tf: tf.tensordot(p(tf), p(tf), 0),
    "tensordot partial": lambda tf: tf.tensordot(tf.placeholder(tf.float32, [None, None, 3]), p(tf), [[2], [1]]),
    "tensordot unknown": lambda tf: tf.tensordot(u(tf), p(tf), [[1], [0]]),
    "tensordot tensor": lambda tf: tf.tensordot(p(tf), p(tf), tf.constant([[1], [1]])),
    "einsum": lambda tf: (tf.einsum("ij,kj->ik", p(tf), p(tf)), tf.einsum("ij,kj", p(tf), p(tf))),
    "einsum one": lambda tf: (tf.einsum(" i j -> j i ", p(tf), name="k"), tf.einsum("...j->j...", p(tf))),
    "einsum count": lambda tf: tf.einsum("ij,jk", p(tf), p(tf), p(tf)),
    "norm": lambda tf: (tf.norm(p(tf)), tf.norm(p(tf), axis=1, keepdims=True), tf.norm(p(tf), "fro", axis=[0, 1])),
    "norm orders": lambda tf: (tf.norm(p(tf), 1, axis=1), tf.norm(p(tf), np.inf, axis=1), tf.norm(p(tf), 3, axis=1)),
    "norm matrices": lambda tf: (tf.norm(p(tf), 1, axis=[0, 1]), tf.norm(p(tf), np.inf, axis=[0, 1])),
    "norm word": lambda tf: tf.norm(p(tf), "foo", axis=[0, 1]),
    "norm order": lambda tf: tf.norm(p(tf), 3, axis=[0, 1]),
    "norm axis": lambda tf: tf.norm(p(tf), 3, axis=[0, 0]),
    "norm vector word": lambda tf: tf.norm(p(tf), "fro"),
    "clip_by_value": lambda tf: (tf.clip_by_value(p(tf), 0, 1), tf.clip_by_value(p(tf), [0.0, 1, 2], 1.0, name="k")),
    "clip_by_value shapes": lambda tf: tf.clip_by_value(p(tf), [1.0, 2.0], 3.0),
    "clip_by_norm": lambda tf: (tf.clip_by_norm(p(tf), 1.0), tf.clip_by_norm(p(tf), 1.0, axes=[0], name="k")),
    "global_norm": lambda tf: tf.global_norm([p(tf), None, u(tf)]),
    "clip_by_global_norm": lambda tf: tf.clip_by_global_norm([p(tf), None, u(tf)], 2.0),
    "clip_by_average_norm": lambda tf: tf.clip_by_average_norm(p(tf), 2.0),
    "trace": lambda tf: tf.trace(p(tf)),
    "segment_sum": lambda tf: (tf.segment_sum(p(tf), [0, 1]), tf.unsorted_segment_sum(p(tf), [0, 1], 3)),
    "unsorted_segment_mean": lambda tf: tf.unsorted_segment_mean(p(tf), [0, 1], 2),
    "unsorted_segment_sqrt_n": lambda tf: tf.unsorted_segment_sqrt_n(p(tf), [0, 1], 2),
    "bincount": lambda tf: (tf.bincount(i(tf)), tf.bincount([1, 2], dtype=tf.float32)),
    "bincount weights": lambda tf: tf.bincount(i(tf), weights=p(tf), minlength=2, maxlength=5),
    "histogram_fixed_width": lambda tf: tf.histogram_fixed_width(p(tf), [0.0, 1.0]),
}

# Functions that TensorFlow has in a namespace below `tf`.
DEEPER_BUILDS = {
    "multiply_no_nan": ("math", lambda tf: (tf.multiply_no_nan(p(tf), 2), tf.xlogy(p(tf), 2))),
    "xdivy": ("math", lambda tf: (tf.xdivy(p(tf), 2.0), tf.xlog1py(p(tf), 2.0))),
    "nextafter": ("math", lambda tf: tf.nextafter(p(tf), 2)),
    "reciprocal_no_nan": ("math", lambda tf: tf.reciprocal_no_nan(p(tf))),
    "log_sigmoid": ("math", lambda tf: tf.log_sigmoid(p(tf))),
    "variance": ("math", lambda tf: (tf.reduce_variance(p(tf), axis=1), tf.reduce_std(p(tf)))),
    "variance complex": ("math", lambda tf: tf.reduce_variance(c(tf), axis=0)),
    "variance integers": ("math", lambda tf: tf.reduce_variance(i(tf))),
    "euclidean": ("math", lambda tf: tf.reduce_euclidean_norm(p(tf), axis=1)),
    "cumulative_logsumexp": ("math", lambda tf: tf.cumulative_logsumexp(p(tf))),
    "polyval": (
        "math",
        lambda tf: (tf.polyval([1.0, 2.0, 3.0], p(tf)), tf.polyval([1.0], p(tf)), tf.polyval([], p(tf))),
    ),
    "matvec": ("linalg", lambda tf: tf.matvec(p(tf), [1.0, 2.0, 3.0])),
    "left_shift": ("bitwise", lambda tf: (tf.left_shift(i(tf), 2), tf.invert(i(tf)))),
    "erf": ("math", lambda tf: (tf.lgamma(p(tf)), tf.erf(p(tf)), tf.erfinv(p(tf)), tf.ndtri(p(tf)), tf.erfcinv(p(tf)))),
    "igamma": ("math", lambda tf: (tf.igamma(1.0, p(tf)), tf.betainc(1.0, 2.0, p(tf)), tf.lbeta(p(tf)))),
    "bessel": ("math", lambda tf: tf.bessel_i0e(p(tf))),
}


@pytest.mark.parametrize("build", BUILDS.values(), ids=BUILDS)
def test_graph(build: Any) -> None:
    building.compare_graphs(build, MODULES)


class _Below:
    """`tf` with the names of one of its namespaces on top."""

    def __init__(self, tf: Any, namespace: str) -> None:
        self.tf, self.namespace = tf, getattr(tf, namespace)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.namespace, name, None) or getattr(self.tf, name)


@pytest.mark.parametrize("namespace, build", DEEPER_BUILDS.values(), ids=DEEPER_BUILDS)
def test_graph_of_namespace(namespace: str, build: Any) -> None:
    building.compare_graphs(build, DEEPER, theirs=lambda tf: build(_Below(tf, namespace)))
