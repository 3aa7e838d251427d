"""The array functions users call add the same nodes, under the same names, as TensorFlow's."""

from __future__ import annotations

import numpy as np
import pytest

from runstep.ops import (
    arithmetic,
    cast,
    creation,
    grids,
    indexing,
    joining,
    matrix_diag,
    rearranging,
    selecting,
    shape_ops,
    slicing,
    table,  # noqa: F401
)
from runstep.testing.building import compare_graphs

MODULES = [
    arithmetic,
    cast,
    creation,
    grids,
    indexing,
    joining,
    matrix_diag,
    rearranging,
    selecting,
    shape_ops,
    slicing,
]


class Given:
    """x [4, 5]; y [?, 5]; z of unknown rank; p int32 [2]; q int32 of unknown rank; b bool [4]; i int32; s string."""

    def __init__(self, tf):
        self.x = tf.placeholder(tf.float32, [4, 5])
        self.y = tf.placeholder(tf.float32, [None, 5])
        self.z = tf.placeholder(tf.float32, None)
        self.p = tf.placeholder(tf.int32, [2])
        self.q = tf.placeholder(tf.int32, None)
        self.b = tf.placeholder(tf.bool, [4])
        self.i = tf.placeholder(tf.int32, [])
        self.s = tf.placeholder(tf.string, [4])


BUILDERS = {
    "reshape": lambda tf, g: [tf.reshape(g.x, [-1]), tf.reshape([1, 2], g.p), tf.reshape(g.x, [2, g.i], name="re")],
    "reshape to a wrong size": lambda tf, g: tf.reshape(g.x, [3]),
    "shape": lambda tf, g: [tf.shape(g.x), tf.shape(g.y), tf.shape(g.y, out_type=tf.int64, name="sh"), tf.shape([[1]])],
    "size": lambda tf, g: [tf.size(g.x), tf.size(g.y), tf.size([1, 2], name="si"), tf.size(g.x, out_type=tf.int64)],
    "rank": lambda tf, g: [tf.rank(g.x), tf.rank(g.z), tf.rank([2])],
    "shape_n": lambda tf, g: tf.shape_n([g.x, g.y]),
    "expand_dims": lambda tf, g: [tf.expand_dims(g.x, 0), tf.expand_dims(g.x, dim=-1), tf.expand_dims(g.y, g.i)],
    "expand_dims without axis": lambda tf, g: tf.expand_dims(g.x),
    "expand_dims twice": lambda tf, g: tf.expand_dims(g.x, axis=1, dim=1),
    "squeeze": lambda tf, g: [tf.squeeze(g.y), tf.squeeze(g.z, 1), tf.squeeze(g.z, squeeze_dims=[1, 2], name="sq")],
    "squeeze twice": lambda tf, g: tf.squeeze(g.x, axis=1, squeeze_dims=1),
    "broadcast": lambda tf, g: [tf.broadcast_to(g.x, [2, 4, 5]), tf.broadcast_dynamic_shape(g.p, [1, 2])],
    "ensure_shape": lambda tf, g: [tf.ensure_shape(g.y, [3, 5]), tf.ensure_shape(g.z, [None, 2])],
    "zeros": lambda tf, g: [tf.zeros([2, 3]), tf.zeros([200, 300]), tf.zeros([999]), tf.zeros([1000]), tf.zeros([])],
    "zeros of types": lambda tf, g: [
        tf.zeros([2], "int8"),
        tf.zeros([2], tf.bool),
        tf.zeros(tf.TensorShape([2]), tf.string),
    ],
    "zeros of computed shape": lambda tf, g: [
        tf.zeros(3),
        tf.zeros(g.p, tf.int32),
        tf.zeros([g.i, 3], name="zz"),
        tf.zeros(g.i),
    ],
    "ones": lambda tf, g: [tf.ones([2, 3]), tf.ones([200, 300], tf.int32), tf.ones(g.p), tf.ones(3, tf.bool, name="o")],
    "zeros_like": lambda tf, g: [tf.zeros_like(g.x), tf.zeros_like(g.y), tf.zeros_like(g.s), tf.zeros_like([[1, 2]])],
    "zeros_like as": lambda tf, g: [
        tf.zeros_like(g.x, tf.int32),
        tf.zeros_like(g.y, tf.int32),
        tf.zeros_like(g.z, tf.int32, name="k"),
    ],
    "zeros_like as op": lambda tf, g: tf.zeros_like(g.x, optimize=False),
    "ones_like": lambda tf, g: [
        tf.ones_like(g.x),
        tf.ones_like(g.y),
        tf.ones_like(g.b),
        tf.ones_like([1, 2], name="q"),
    ],
    "ones_like as": lambda tf, g: [tf.ones_like(g.y, tf.int32), tf.ones_like(g.x, optimize=False)],
    "fill": lambda tf, g: [tf.fill([2, 3], 9), tf.fill(g.p, 1.5, name="f")],
    "eye": lambda tf, g: [tf.eye(3), tf.eye(3, 4, batch_shape=[2], dtype=tf.int32, name="e")],
    "eye of computed size": lambda tf, g: [tf.eye(g.i, 4), tf.eye(3, batch_shape=g.p)],
    "linspace": lambda tf, g: [tf.linspace(0.0, 1.0, 5), tf.lin_space(0.0, 1.0, 5, name="ls")],
    "linspace along an axis": lambda tf, g: tf.linspace([0.0, 1.0], [1.0, 5.0], 5, axis=1),
    "range": lambda tf, g: [
        tf.range(5),
        tf.range(1, 5.5, delta=0.5),
        tf.range(g.i),
        tf.range(0, 5, dtype=tf.float64, name="rr"),
    ],
    "one_hot": lambda tf, g: [
        tf.one_hot(g.p, 3),
        tf.one_hot(g.p, 3, on_value=5, axis=0),
        tf.one_hot([0, 1], 3, dtype=tf.int32),
    ],
    "one_hot of bools": lambda tf, g: tf.one_hot([0, 1], 3, on_value=True, off_value=False, axis=0, name="oh"),
    "one_hot of two types": lambda tf, g: tf.one_hot([0, 1], 3, 1.0, 0),
    "one_hot of another type": lambda tf, g: tf.one_hot([0, 1], 3, 1.0, dtype=tf.int32),
    "diag": lambda tf, g: [tf.diag([1, 2]), tf.diag_part(g.x[:, :4])],
    "matrix_band_part": lambda tf, g: tf.matrix_band_part(g.x, 1, -1),
    "matrix_diag": lambda tf, g: [tf.matrix_diag(g.x), tf.matrix_diag(g.x, k=(-1, 2), num_rows=6, padding_value=2)],
    "matrix_diag_part": lambda tf, g: [tf.matrix_diag_part(g.x), tf.matrix_diag_part(g.x, k=1)],
    "matrix_set_diag": lambda tf, g: tf.matrix_set_diag(g.x, [1.0, 2, 3, 4]),
    "stack": lambda tf, g: [
        tf.stack([g.x, g.x]),
        tf.stack([1, 2]),
        tf.stack([g.i, 1], axis=-1),
        tf.stack([g.y, g.y], axis=1, name="k"),
    ],
    "stack of lists": lambda tf, g: tf.stack([[g.i, 1], [2, 3]]),
    "stack at a wrong axis": lambda tf, g: tf.stack([g.x, g.x], axis=5),
    "parallel_stack": lambda tf, g: tf.parallel_stack([g.x, g.x]),
    "unstack": lambda tf, g: [tf.unstack(g.x), tf.unstack(g.y, axis=1), tf.unstack(g.z, num=2)],
    "unstack unknown": lambda tf, g: tf.unstack(g.y),
    "unstack at a wrong axis": lambda tf, g: tf.unstack(g.x, axis=4),
    "concat": lambda tf, g: [tf.concat([g.x, g.y], 0), tf.concat([g.x, g.x], g.i, name="c"), tf.concat([[1], g.p], 0)],
    "concat of one": lambda tf, g: [tf.concat([g.x], 0), tf.concat(g.x, 1)],
    "split": lambda tf, g: [
        tf.split(g.x, 2),
        tf.split(g.x, [1, 3]),
        tf.split(g.x, [1, -1], axis=1),
        tf.split(g.x, g.p),
    ],
    "split at a computed axis": lambda tf, g: tf.split(g.z, 3, axis=g.i, name="sp"),
    "split by a scalar": lambda tf, g: tf.split(g.x, g.i),
    "tile": lambda tf, g: [tf.tile(g.x, [2, 1]), tf.tile(g.y, [2, g.i])],
    "pad": lambda tf, g: [tf.pad(g.x, [[1, 1], [0, 2]]), tf.pad(g.x, [[1, 1], [0, 2]], constant_values=3)],
    "pad by reflection": lambda tf, g: [
        tf.pad(g.x, [[1, 1], [0, 2]], "REFLECT"),
        tf.pad(g.x, [[1, 1], [0, 2]], "symmetric", name="pp"),
    ],
    "pad partly known": lambda tf, g: [tf.pad(g.x, [[1, 1], [0, g.i]]), tf.pad(g.y, [[1, 1], [0, 2]])],
    "pad otherwise": lambda tf, g: tf.pad(g.x, [[1, 1], [0, 2]], "WRAP"),
    "transpose": lambda tf, g: [tf.transpose(g.x), tf.transpose(g.y, [1, 0]), tf.transpose(g.z), tf.transpose([[1]])],
    "transpose of conjugates": lambda tf, g: [
        tf.transpose(g.x, conjugate=True),
        tf.transpose(tf.cast(g.x, "complex64"), conjugate=True),
    ],
    "matrix_transpose": lambda tf, g: [tf.matrix_transpose(g.y), tf.matrix_transpose(g.z, name="mt")],
    "matrix_transpose of a vector": lambda tf, g: tf.matrix_transpose(g.p),
    "reverse": lambda tf, g: [tf.reverse(g.x, [0]), tf.reverse_v2(g.x, [-1])],
    "reverse_sequence": lambda tf, g: [
        tf.reverse_sequence(g.x, [1, 2, 3, 4], seq_axis=1),
        tf.reverse_sequence(g.x, [1, 2, 3, 4], 1, 0),
    ],
    "roll": lambda tf, g: [tf.roll(g.x, 1, 0), tf.roll(g.x, [1, 2], [0, 1])],
    "slice": lambda tf, g: [tf.slice(g.x, [0, 1], [2, -1]), tf.slice(g.x, g.p, [1, 1])],
    "strided_slice": lambda tf, g: [
        tf.strided_slice(g.x, [0], [1], [1]),
        tf.strided_slice(g.x, [0, 0], [1, 1]),
        tf.strided_slice(g.x, g.p, g.p),
    ],
    "strided_slice of unknown rank": lambda tf, g: tf.strided_slice(g.x, g.q, g.q, name="foo"),
    "gather": lambda tf, g: [
        tf.gather(g.x, g.p),
        tf.gather(g.x, g.p, axis=1),
        tf.gather(g.x, [[1], [2]], axis=-1, name="ga"),
    ],
    "gather in batches": lambda tf, g: tf.gather(g.x, np.zeros([4, 2], np.int32), batch_dims=1),
    "gather_nd": lambda tf, g: tf.gather_nd(g.x, [[0, 1]]),
    "scatter_nd": lambda tf, g: tf.scatter_nd([[1]], [2.0], [4]),
    "tensor_scatter": lambda tf, g: [
        tf.tensor_scatter_nd_update(g.x, [[0, 1]], [2.0]),
        tf.tensor_scatter_update(g.x, [[0, 1]], [2.0]),
        tf.tensor_scatter_add(g.x, [[0, 1]], [2.0]),
        tf.tensor_scatter_nd_sub(g.x, [[0, 1]], [2.0]),
        tf.tensor_scatter_nd_max(g.x, [[0, 1]], [2.0]),
        tf.tensor_scatter_nd_min(g.x, [[0, 1]], [2.0]),
    ],
    "dynamic_partition": lambda tf, g: tf.dynamic_partition(g.x, [0, 1, 1, 0], 2),
    "dynamic_stitch": lambda tf, g: tf.dynamic_stitch([[0], [1]], [[1], [2]]),
    "unravel_index": lambda tf, g: tf.unravel_index(g.p, [2, 2]),
    "where": lambda tf, g: [
        tf.where(g.b),
        tf.where(g.b, g.x, g.x),
        tf.where(g.x > 1, g.x, g.x, name="w"),
        tf.where([True, False]),
    ],
    "where_v2": lambda tf, g: [tf.where_v2(g.b), tf.where_v2(g.x > 1, g.x, 0.0)],
    "where of one": lambda tf, g: tf.where(g.b, g.x),
    "unique": lambda tf, g: [tf.unique(g.p), tf.unique([1, 1], tf.int64, "u"), tf.unique_with_counts(g.p)],
    "setdiff1d": lambda tf, g: [tf.setdiff1d(g.p, [1])],
    "invert_permutation": lambda tf, g: [tf.invert_permutation(g.p)],
    "space_to_batch_nd": lambda tf, g: [
        tf.space_to_batch_nd(np.zeros([1, 4, 4, 1], np.float32), [2, 2], [[0, 0], [0, 0]]),
        tf.batch_to_space_nd(np.zeros([4, 4, 4, 1], np.float32), [2, 2], [[0, 0], [0, 0]]),
    ],
    "space_to_batch": lambda tf, g: [
        tf.space_to_batch(np.zeros([1, 4, 4, 1], np.float32), [[0, 0], [0, 0]], 2),
        tf.batch_to_space(np.zeros([4, 4, 4, 1], np.float32), [[0, 0], [0, 0]], 2),
    ],
    "space_to_depth": lambda tf, g: [
        tf.space_to_depth(np.zeros([1, 4, 4, 1], np.float32), 2),
        tf.depth_to_space(np.zeros([1, 4, 4, 4], np.float32), 2),
    ],
    "required_space_to_batch_paddings": lambda tf, g: tf.required_space_to_batch_paddings([3, 4], [2, 2]),
    "required paddings of a computed shape": lambda tf, g: tf.required_space_to_batch_paddings(
        g.p, [2, 2], base_paddings=[[1, 1], [0, 0]], name="q"
    ),
    "sequence_mask": lambda tf, g: [tf.sequence_mask(g.p, 5), tf.sequence_mask(g.p, dtype=tf.float32, name="sm")],
    "meshgrid": lambda tf, g: tf.meshgrid([1, 2, 3], g.p),
    "meshgrid by rows": lambda tf, g: tf.meshgrid([1, 2, 3], [1, 2], indexing="ij"),
    "searchsorted": lambda tf, g: [
        tf.searchsorted(g.x, g.x),
        tf.searchsorted([1, 2], g.p, side="right", out_type=tf.int64, name="ss"),
    ],
    "bitcast": lambda tf, g: tf.bitcast(g.x, tf.int32),
    "repeat": lambda tf, g: [
        tf.repeat([[1, 2]], 3, axis=0),
        tf.repeat([[1, 2]], 3),
        tf.repeat(g.x, [1, 2, 3, 4], axis=0),
    ],
    "repeat by tensor": lambda tf, g: tf.repeat(g.p, g.p, name="rp"),
    "check_numerics": lambda tf, g: [tf.check_numerics(g.x, "msg"), tf.verify_tensor_all_finite(g.x, "hi")],
    "boolean_mask": lambda tf, g: [
        tf.boolean_mask(g.x, g.b),
        tf.boolean_mask(g.x, [True, False, True, False, True], axis=1, name="bm"),
    ],
    "boolean_mask of matrices": lambda tf, g: tf.boolean_mask(g.y, tf.placeholder(tf.bool, [None, None])),
    "boolean_mask of another shape": lambda tf, g: tf.boolean_mask(g.x, [True, False]),
}


@pytest.mark.parametrize("name", BUILDERS)
def test_nodes_are_tensorflows(name):
    build = BUILDERS[name]
    compare_graphs(lambda tf: build(tf, Given(tf)), MODULES)
