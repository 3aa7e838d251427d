"""Ragged tensors against TensorFlow's: how they are made, indexed, and what functions do with them.

All rows are built into one graph of each library and run at once.
"""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import runstep as tf

ROWS: dict[str, str] = {
    # made
    "constant": "C([[1, 2], [], [3]])",
    "constant_strings": "C([['a'], [], ['b', 'c']])",
    "constant_inner_shape": "C([[[1, 2]], [[3, 4], [5, 6]]], inner_shape=(2,))",
    "constant_ragged_rank": "C([[[1, 2]], [[3, 4], [5, 6]]], ragged_rank=1)",
    "constant_empty": "C([[], []])",
    "constant_dtypes": "C([[1], [2, 3]], dtype=tf.float32, row_splits_dtype=tf.int32)",
    "from_row_splits": "T.from_row_splits([1, 2, 3], [0, 2, 2, 3])",
    "from_row_lengths": "T.from_row_lengths(tf.zeros([3, 2]), [1, 0, 2])",
    "from_row_starts": "T.from_row_starts([1, 2, 3], [0, 1, 1])",
    "from_row_limits": "T.from_row_limits([1, 2, 3], [0, 1, 3])",
    "from_value_rowids": "T.from_value_rowids([1, 2, 3], [0, 2, 2], nrows=5)",
    "from_uniform_row_length": "T.from_uniform_row_length([1, 2, 3, 4], 2)",
    "from_uniform_row_length_0": "T.from_uniform_row_length(tf.zeros([0]), 0, nrows=3)",
    "from_nested_row_lengths": "T.from_nested_row_lengths([1, 2, 3], [[2, 0], [1, 2]])",
    "from_nested_value_rowids": "T.from_nested_value_rowids([1, 2, 3], [[0, 1], [0, 1, 1]], [3, 2])",
    "from_tensor": "T.from_tensor([[1, 2, 3], [4, 5, 6]])",
    "from_tensor_ranks": "T.from_tensor([[[1, 2, 3], [4, 5, 6]]], ragged_rank=2)",
    "from_tensor_padding": "T.from_tensor([[1, 2, 0], [0, 4, 0], [0, 0, 0]], padding=0)",
    "from_tensor_lengths": "T.from_tensor([[1, 2, 0], [4, 0, 0]], lengths=[1, 2])",
    "from_tensor_nested_lengths": "T.from_tensor([[[1, 2], [3, 4]], [[5, 6], [7, 8]]], lengths=[[1, 2], [2, 1, 0]])",
    "from_sparse": "T.from_sparse(tf.SparseTensor([[0, 0], [0, 1], [2, 0]], [1, 2, 3], [3, 3]))",
    # told
    "nrows": "N.nrows()",
    "row_lengths": "N.row_lengths()",
    "row_lengths_2": "N.row_lengths(axis=2)",
    "row_starts": "N.row_starts()",
    "row_limits": "N.row_limits()",
    "value_rowids": "N.value_rowids()",
    "bounding_shape": "N.bounding_shape()",
    "bounding_shape_axes": "N.bounding_shape(axis=[0, 2])",
    "to_sparse": "N.to_sparse()",
    "to_tensor": "P.to_tensor(9)",
    "to_tensor_shape": "N.to_tensor(shape=[None, 2, 2])",
    "merge_outer": "N.merge_dims(0, 1)",
    "merge_inner": "N.merge_dims(-2, -1)",
    "merge_all": "N.merge_dims(0, 2)",
    "row_splits_dtype": "P.with_row_splits_dtype(tf.int32)",
    "segment_ids": "tf.ragged.row_splits_to_segment_ids([0, 3, 3, 5])",
    "row_splits": "tf.ragged.segment_ids_to_row_splits([0, 0, 2], num_segments=5)",
    # picked
    "row": "P[0]",
    "last_row": "P[-1]",
    "row_by_tensor": "P[tf.constant(1)]",
    "rows": "P[1:]",
    "rows_by_two": "P[::-2]",
    "inner": "P[:, :1]",
    "inner_end": "P[:, -1:]",
    "inner_reversed": "P[:, ::-1]",
    "element": "P[0, 1]",
    "new_axes": "P[None, :, None]",
    "dots": "N[..., :1]",
    "deep": "N[2, 0, 1]",
    "inner_of_inner": "N[:, :1, 1:]",
    "gather": "tf.gather(N, [[2, 0]])",
    "gather_by_ragged": "tf.gather(P, Q - 1)",
    "gather_of_dense": "tf.gather([10, 20, 30, 40], P)",
    "gather_inner": "tf.gather(C([[1, 2], [3, 4, 5]]), [0, 1], axis=1)",
    "batch_gather": "tf.batch_gather(C([[1, 2], [3, 4, 5]]), C([[0], [2, 1]]))",
    "batch_gather_dense": "tf.batch_gather(C([[1, 2], [3, 4, 5]]), [[0, 1], [2, 1]])",
    "gather_nd": "tf.gather_nd(N, [[0, 0], [2, 0]])",
    "gather_nd_elements": "tf.gather_nd(N, [[0, 0, 1], [2, 0, 2]])",
    "boolean_mask": "tf.ragged.boolean_mask(N, N > 2)",
    "boolean_mask_rows": "tf.ragged.boolean_mask(N, C([[True, False], [], [True, True, False]]))",
    "boolean_mask_dense": "tf.ragged.boolean_mask([[1, 2], [3, 4]], [[True, False], [True, True]])",
    "partitions": "tf.ragged.stack_dynamic_partitions(['a', 'b', 'c'], [1, 0, 1], 3)",
    "partitions_ragged": "tf.ragged.stack_dynamic_partitions(P, C([[1, 0], [1], []]), 2)",
    "dynamic_partition": "tf.dynamic_partition(P, [0, 1, 0], 2)[0]",
    # joined
    "concat": "tf.concat([P, Q], 0)",
    "concat_rows": "tf.concat([P, [[7, 7], [8, 8], [9, 9]]], 1)",
    "concat_inner": "tf.concat([N, N], -1)",
    "stack": "tf.stack([P, Q])",
    "stack_rows": "tf.stack([P, Q], 1)",
    "stack_elements": "tf.stack([P, P], 2)",
    "ragged_stack": "tf.ragged.stack([[1, 2], [3]])",
    "expand_dims": "[tf.expand_dims(P, axis) for axis in (0, 1, 2)]",
    "squeeze": "tf.squeeze(Q, 1)",
    "tile": "tf.tile(N, [2, 2, 2])",
    "reverse": "tf.reverse(P, [0, 1])",
    "split": "tf.split(P, [1, 2])",
    # element by element
    "operators": "[P + 1, 7 - P, P * P, 7 // P, P / 2, P % 2, 2 ** P, -P, abs(-P)]",
    "with_a_tensor": "tf.constant(2) * P",
    "comparisons": "[P > 1, P <= 2, ~(P > 1), (P > 1) & (P < 3), (P > 2) ^ (P < 2)]",
    "columns": "P + [[10], [20], [30]]",
    "stretched": "P + [10]",
    "more_dimensions": "P + [[[1]], [[2]]]",
    "inner_values": "C([[[1, 2]], [[3, 4], [5, 6]]], ragged_rank=1) * [10, 100]",
    "functions": "[tf.exp(R), tf.nn.relu(R), tf.cast(P, tf.float32), tf.clip_by_value(R, 0.0, 1.0), tf.sign(R)]",
    "two": "[tf.maximum(P, 2), tf.squared_difference(P, 1), tf.equal(P, P), tf.add_n([P, P, P])]",
    "likes": "[tf.zeros_like(P, dtype=tf.float32), tf.ones_like(P), tf.identity(P)]",
    "cumsum": "[tf.cumsum(R), tf.cumsum(R, axis=1)]",
    "where": "tf.where(P > 1)",
    "where_of_two": "tf.where(P > 1, P, -P)",
    "where_rows": "tf.where([True, False, True], P, -P)",
    "where_v2": "tf.where_v2(P > 1, P, 0)",
    "one_hot": "tf.one_hot(P, 3)",
    "size_and_rank": "[tf.size(P), tf.rank(N)]",
    "flat_values": "tf.ragged.map_flat_values(lambda x, y: x * y, P, P)",
    "embeddings": "tf.nn.embedding_lookup(tf.constant([[1.0, 2], [3, 4], [5, 6], [7, 8]]), P)",
    # reduced
    "sums": "[tf.reduce_sum(N, axis) for axis in (None, 0, 1, 2, [1, 2], [0, 2])]",
    "means": "[tf.reduce_mean(R, axis) for axis in (None, 0, 1)] + [tf.reduce_mean(N, 2)]",
    "extremes": "[tf.reduce_max(R, 1), tf.reduce_min(R, 1), tf.reduce_prod(R, 1), tf.reduce_max(P, 1)]",
    "bools": "[tf.reduce_all(P > 1, 1), tf.reduce_any(P > 1, 0)]",
    "kept": "[tf.reduce_mean(R, 1, keepdims=True), tf.reduce_sum(R, keepdims=True)]",
    "variance": "[tf.math.reduce_variance(R, 1), tf.math.reduce_std(R, 1)]",
    "logsumexp": "tf.reduce_logsumexp(R, 1)",
    "segments": "tf.math.unsorted_segment_sum(P, [0, 0, 1], 2)",
    # strings
    "join": "tf.strings.join([C([['a'], ['b', 'c']]), '-', C([['x'], ['y', 'z']])])",
    "reduce_join": "[tf.strings.reduce_join(S, axis=1, separator='+'), tf.strings.reduce_join(S, axis=0)]",
    "split_strings": "tf.strings.split(S, result_type='RaggedTensor')",
    "strings": "[tf.strings.length(S), tf.strings.upper(S), tf.strings.substr(S, 0, 1), tf.strings.bytes_split(S)]",
    "hash": "[tf.strings.to_hash_bucket_fast(S, 10), tf.strings.regex_replace(S, 'b', 'X')]",
    # in control flow, and through gradients
    "cond": "tf.cond(tf.constant(True), lambda: P, lambda: Q)",
    "loop": "tf.while_loop(lambda i, r: i < 3, lambda i, r: (i + 1, r + 1), [0, P])[1]",
    "gradients": "gradients(tf)",
}


def gradients(lib: Any) -> list[Any]:
    x = lib.constant([1.0, -2.0, 3.5, 4.0])
    rows = lib.RaggedTensor.from_row_splits(x, [0, 2, 2, 4])
    losses = [
        lib.reduce_sum(lib.square(rows)),
        lib.reduce_sum(lib.reduce_mean(rows, 0) ** 2),
        lib.reduce_sum(lib.reduce_max(rows[::2], 1) ** 2),
        lib.reduce_sum(lib.concat([rows, rows * rows], 1)[:, 1:]),
        lib.reduce_sum((rows + [[1.0], [2.0], [3.0]]).to_tensor() ** 2),
        lib.reduce_logsumexp(rows),
    ]
    return [lib.convert_to_tensor(lib.gradients(loss, x)[0]) for loss in losses]


def built(lib: Any) -> dict[str, Any]:
    constant = lib.ragged.constant
    names = {
        "tf": lib,
        "C": constant,
        "T": lib.RaggedTensor,
        "P": constant([[1, 2], [3], []]),
        "Q": constant([[1], [2], [3]]),
        "R": constant([[1.0, -2.0], [], [3.5]]),
        "N": constant([[[1, 2], [3]], [], [[4, 5, 6], [7], []]]),
        "S": constant([["a b", "b"], ["c"]]),
        "gradients": gradients,
    }
    return {key: eval(text, names) for key, text in ROWS.items()}


def ran(lib: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    with lib.Graph().as_default(), lib.Session() as sess:
        found = built(lib)
        return found, sess.run(found)


@pytest.fixture(scope="module")
def both() -> Any:
    import tensorflow

    theirs = tensorflow.compat.v1
    return SimpleNamespace(ours=ran(tf), theirs=ran(theirs))


def plain(value: Any) -> Any:
    if isinstance(value, list):
        return [plain(item) for item in value]
    if hasattr(value, "to_list"):
        return [str(np.asarray(value.flat_values).dtype), str(value.row_splits.dtype), value.to_list()]
    if isinstance(value, tuple):
        return [plain(item) for item in value]
    value = np.asarray(value)
    return [str(value.dtype), list(value.shape), value.tolist()]


def assert_alike(ours: Any, theirs: Any) -> None:
    if isinstance(ours, list):
        assert isinstance(theirs, list) and len(ours) == len(theirs)
        for one, other in zip(ours, theirs, strict=True):
            assert_alike(one, other)
    elif isinstance(ours, float):
        assert ours == pytest.approx(theirs, rel=1e-5, nan_ok=True)
    else:
        assert ours == theirs


@pytest.mark.parametrize("key", ROWS)
def test_values_and_ranks_are_tensorflows(both: Any, key: str) -> None:
    (ours, our_values), (theirs, their_values) = both.ours, both.theirs
    assert_alike(plain(our_values[key]), plain(their_values[key]))
    if hasattr(ours[key], "ragged_rank"):
        assert ours[key].ragged_rank == theirs[key].ragged_rank
        assert (ours[key].uniform_row_length is None) == (theirs[key].uniform_row_length is None)
        known = [size for size in theirs[key].shape.as_list()]
        assert [a if b is not None else None for a, b in zip(ours[key].shape.as_list(), known, strict=True)] == known


@pytest.mark.parametrize(
    "make",
    [
        lambda: tf.RaggedTensor.from_row_splits([1, 2, 3], [0, 2]),
        lambda: tf.RaggedTensor.from_row_splits([1, 2, 3], [0, 2, 1, 3]),
        lambda: tf.RaggedTensor.from_row_splits([1, 2, 3], [1, 3]),
        lambda: tf.RaggedTensor.from_row_lengths([1, 2, 3], [1, 1]),
        lambda: tf.RaggedTensor.from_value_rowids([1, 2], [1, 0]),
        lambda: tf.RaggedTensor.from_sparse(tf.SparseTensor([[0, 1]], [1], [1, 3])),
        lambda: tf.ragged.constant([[1, 2], [3]]) + tf.ragged.constant([[1], [2, 3]]),
        lambda: tf.ragged.constant([[1, 2], [3]]) + [10, 20],
    ],
)
def test_rows_that_do_not_fit_fail_in_the_run(make: Callable[[], Any]) -> None:
    with tf.Session() as sess, pytest.raises(tf.errors.InvalidArgumentError):
        sess.run(make())


@pytest.mark.parametrize(
    ("error", "match", "make"),
    [
        (ValueError, "inner ragged dimension", lambda x: x[:, 0]),
        (TypeError, "valid indices", lambda x: x["a"]),
        (ValueError, "out of bounds", lambda x: tf.reduce_sum(x, 2)),
        (ValueError, "mismatched row_splits dtypes", lambda x: x + x.with_row_splits_dtype(tf.int32)),
        (ValueError, "same nesting depth", lambda x: tf.ragged.constant([[1], 2])),
        (ValueError, "nrows >= 0", lambda x: tf.RaggedTensor.from_value_rowids([1], [0], nrows=-2)),
        (ValueError, "same outer-dimension", lambda x: tf.ragged.map_flat_values(tf.reduce_sum, x)),
        (ValueError, "eager mode", lambda x: x.to_list()),
        (ValueError, "iterated", lambda x: list(x)),
        (TypeError, "boolean", lambda x: bool(x)),
    ],
)
def test_what_cannot_be_is_refused_when_built(error: type[Exception], match: str, make: Callable[[Any], Any]) -> None:
    with pytest.raises(error, match=match):
        make(tf.ragged.constant([[1, 2], [3]]))


def test_programs_without_ragged_tensors_have_the_plain_functions() -> None:
    import subprocess
    import sys

    code = (
        "import runstep as tf\n"
        "plain = tf.add, tf.math.add\n"
        "assert plain[0] is plain[1] and not hasattr(tf.add, '__wrapped__')\n"
        "rows = tf.ragged.constant([[1, 2], [3]])\n"
        "assert tf.add is tf.math.add and tf.add.__wrapped__ is plain[0]\n"
        "assert type(tf.add(rows, 1)) is tf.RaggedTensor and type(tf.add(1, 1)) is tf.Tensor\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_fed_rows_go_through() -> None:
    x = tf.ragged.placeholder(tf.float32, 1)
    with tf.Session() as sess:
        value = tf.ragged.constant_value([[1.0, 2.0], [], [3.0]], dtype=np.float32)
        assert sess.run(tf.reduce_sum(x * 2.0, axis=1), {x: value}).tolist() == [6.0, 0.0, 6.0]
