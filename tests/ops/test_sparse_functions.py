"""The functions on SparseTensors build TensorFlow's graphs."""

from __future__ import annotations

import numpy as np
import pytest

import runstep.ops.table  # noqa: F401
from runstep.graph.composite import IndexedSlices, SparseTensorValue
from runstep.ops import sparse_functions
from runstep.testing.building import Names, compare_graphs

Names.IndexedSlices = IndexedSlices  # type: ignore[attr-defined]
Names.SparseTensorValue = SparseTensorValue  # type: ignore[attr-defined]


def sparse(tf, kind="float32", rank=2):
    return tf.SparseTensor(
        tf.placeholder("int64", [None, rank]), tf.placeholder(kind, [None]), tf.placeholder("int64", [rank])
    )


def value(tf):
    return tf.SparseTensorValue(np.array([[0, 1]], np.int64), np.array([1.5], np.float32), np.array([2, 3], np.int64))


BUILDERS = {
    "to_dense": lambda tf: tf.sparse_tensor_to_dense(sparse(tf)),
    "to_dense value": lambda tf: tf.sparse_tensor_to_dense(value(tf)),
    "to_dense text": lambda tf: tf.sparse_tensor_to_dense(sparse(tf, "string")),
    "to_dense default": lambda tf: tf.sparse_tensor_to_dense(sparse(tf, "string"), "x", name="n"),
    "to_dense no": lambda tf: tf.sparse_tensor_to_dense(tf.placeholder("float32")),
    "sparse_to_dense": lambda tf: tf.sparse_to_dense([[0, 1]], [2, 3], [1.0]),
    "reshape": lambda tf: tf.sparse_reshape(sparse(tf), [3, -1]),
    "concat": lambda tf: tf.sparse_concat(1, [sparse(tf), sparse(tf)]),
    "concat one": lambda tf: tf.sparse_concat(1, [sparse(tf)]),
    "concat old": lambda tf: tf.sparse_concat(concat_dim=0, sp_inputs=[sparse(tf), sparse(tf)], name="x"),
    "concat both names": lambda tf: tf.sparse_concat(0, [sparse(tf)], concat_dim=0),
    "concat expand": lambda tf: tf.sparse_concat(-1, [sparse(tf), sparse(tf)], expand_nonconcat_dim=True),
    "concat expand 0": lambda tf: tf.sparse_concat(0, [sparse(tf), sparse(tf)], expand_nonconcat_dims=True),
    "split": lambda tf: tf.sparse_split(sp_input=sparse(tf), num_split=2, axis=1),
    "split no": lambda tf: tf.sparse_split(sp_input=sparse(tf), num_split=2),
    "split old": lambda tf: tf.sparse_split(1, sparse(tf), 2),
    "slice": lambda tf: tf.sparse_slice(sparse(tf), [0, 0], [1, 2]),
    "reorder": lambda tf: tf.sparse_reorder(sparse(tf)),
    "reorder value": lambda tf: tf.sparse_reorder(value(tf)),
    "times": lambda tf: [sparse(tf) * 2.0, sparse(tf) * tf.placeholder("float32", [3])],
    "divided": lambda tf: [sparse(tf) / 2.0, sparse(tf, "int32") / 2, sparse(tf, "int32").__div__(2)],
    "times sparse": lambda tf: sparse(tf) * sparse(tf),
    "retain": lambda tf: tf.sparse_retain(sparse(tf), [True, False]),
    "fill": lambda tf: tf.sparse_fill_empty_rows(sparse(tf), 0),
    "sum": lambda tf: tf.sparse_reduce_sum(sparse(tf)),
    "sum axis": lambda tf: tf.sparse_reduce_sum(sparse(tf), axis=1, keepdims=True),
    "sum old": lambda tf: tf.sparse_reduce_sum(sparse(tf), reduction_axes=[0], keep_dims=True),
    "sum sparse": lambda tf: tf.sparse_reduce_sum_sparse(sparse(tf), [0]),
    "max": lambda tf: tf.sparse_reduce_max(sparse(tf), 0),
    "max sparse": lambda tf: tf.sparse_reduce_max_sparse(sparse(tf), 0),
    "matmul": lambda tf: tf.sparse_tensor_dense_matmul(sparse(tf), [[1.0]], adjoint_a=True),
    "matmul name": lambda tf: tf.sparse_tensor_dense_matmul(sparse(tf), tf.placeholder("float32"), name="x"),
    "add": lambda tf: tf.sparse_add(sparse(tf), sparse(tf)),
    "add dense": lambda tf: tf.sparse_add(tf.placeholder("float32", [2, 3]), sparse(tf)),
    "add threshold": lambda tf: tf.sparse_add(sparse(tf), sparse(tf), thresh=0.5),
    "add no": lambda tf: tf.sparse_add(1, 2),
    "softmax": lambda tf: tf.sparse_softmax(sparse(tf)),
    "minimum": lambda tf: tf.sparse_minimum(sparse(tf), sparse(tf)),
    "maximum": lambda tf: tf.sparse_maximum(sparse(tf), sparse(tf), name="x"),
    "merge": lambda tf: tf.sparse_merge(sparse(tf, "int64"), sparse(tf), 10),
    "merge two": lambda tf: tf.sparse_merge([sparse(tf, "int64"), sparse(tf, "int32")], sparse(tf), [10, 5], "x", True),
    "merge no": lambda tf: tf.sparse_merge([sparse(tf, "int64")], sparse(tf), [10, 5]),
    "indicator": lambda tf: tf.sparse_to_indicator(sparse(tf, "int64"), 10),
    "mask": lambda tf: tf.sparse_mask(
        tf.IndexedSlices(tf.placeholder("float32", [3, 2]), tf.placeholder("int32", [3])), [1]
    ),
    "reset": lambda tf: tf.sparse_reset_shape(sparse(tf)),
}


@pytest.mark.parametrize("name", BUILDERS)
def test_graph_is_tensorflows(name):
    compare_graphs(BUILDERS[name], [sparse_functions])
