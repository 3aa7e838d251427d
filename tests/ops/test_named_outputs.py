"""Functions of several tensors return TensorFlow's namedtuples."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import tensorflow

import runstep

Build = Callable[[Any], Any]


def classes(tf: Any) -> Any:
    return tf.ones([1, 1], tf.int64)


FUNCTIONS: dict[str, Build] = {
    "top_k": lambda tf: tf.nn.top_k(tf.ones([3])),
    "unique": lambda tf: tf.unique([1, 2]),
    "unique_with_counts": lambda tf: tf.unique_with_counts([1, 2]),
    "setdiff1d": lambda tf: tf.setdiff1d([1, 2], [1]),
    "qr": lambda tf: tf.qr(tf.eye(2)),
    "lu": lambda tf: tf.linalg.lu(tf.eye(2)),
    "slogdet": lambda tf: tf.linalg.slogdet(tf.eye(2)),
    "svd": lambda tf: tf.svd(tf.eye(2)),
    "max_pool_with_argmax": lambda tf: tf.nn.max_pool_with_argmax(
        tf.ones([1, 4, 4, 1]), [1, 2, 2, 1], [1, 2, 2, 1], "SAME"
    ),
    "log_uniform": lambda tf: tf.random.log_uniform_candidate_sampler(classes(tf), 1, 2, True, 5),
    "uniform": lambda tf: tf.random.uniform_candidate_sampler(classes(tf), 1, 2, True, 5),
    "compute_accidental_hits": lambda tf: tf.nn.compute_accidental_hits(classes(tf), tf.ones([2], tf.int64), 1),
    "raw Switch": lambda tf: tf.raw_ops.Switch(data=1.0, pred=True),
    "raw Unique": lambda tf: tf.raw_ops.Unique(x=[1, 2]),
}

RENAMED: dict[str, Build] = {
    "Sum": lambda tf: tf.raw_ops.Sum(input=[1.0], axis=0),
    "ExpandDims": lambda tf: tf.raw_ops.ExpandDims(input=1.0, axis=0),
    "Select": lambda tf: tf.raw_ops.Select(condition=True, x=1.0, y=2.0),
    "Split": lambda tf: tf.raw_ops.Split(axis=0, value=[1.0, 2.0], num_split=2)[0],
    "SplitV": lambda tf: tf.raw_ops.SplitV(value=[1.0, 2.0], size_splits=[1, 1], axis=0, num_split=2)[0],
    "Squeeze": lambda tf: tf.raw_ops.Squeeze(input=[1.0], axis=[0]),
    "Where": lambda tf: tf.raw_ops.Where(condition=[True]),
}


@pytest.mark.parametrize("name", RENAMED)
def test_raw_ops_take_pythons_names_of_arguments(name: str) -> None:
    made = []
    for tf in (tensorflow.compat.v1, runstep):
        with tf.Graph().as_default():
            op = RENAMED[name](tf).op
            made.append((op.type, [x.op.type for x in op.inputs], op.outputs[0].shape.as_list()))
    assert made[0] == made[1]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_fields_are_tensorflows(name: str) -> None:
    with runstep.Graph().as_default():
        mine = FUNCTIONS[name](runstep)
    with tensorflow.Graph().as_default():
        theirs = FUNCTIONS[name](tensorflow.compat.v1)
    assert getattr(mine, "_fields", len(mine)) == getattr(theirs, "_fields", len(theirs))
    assert [part.name for part in mine] == [part.name for part in theirs]


def test_what_is_fetched_has_the_fields() -> None:
    with runstep.Graph().as_default(), runstep.Session() as sess:
        found = sess.run(runstep.nn.top_k([1.0, 3.0, 2.0], 2))
        assert found.values.tolist() == [3.0, 2.0] and found.indices.tolist() == [1, 2]
