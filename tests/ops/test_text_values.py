"""Functions on text and sparse tensors give TensorFlow's values where their graphs are other than TensorFlow's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import runstep
from runstep.testing import oracle


def _sparse(tf: Any, kind: str = "float32") -> Any:
    return tf.SparseTensor([[0, 1], [1, 0], [1, 2]], np.array([1, 2, 3], kind), [2, 3])


def _rows(tf: Any) -> Any:
    return tf.strings.split(["a b c", "d", ""], result_type="RaggedTensor")


BUILDERS = {
    "split": lambda tf: tf.strings.split(["a b c", "", " d"]),
    "split rows": _rows,
    "string_split rows": lambda tf: tf.string_split(["a,b", "c"], ",", result_type="RaggedTensor"),
    "bytes": lambda tf: tf.strings.bytes_split(["ab", "", "c"]),
    "bytes of one": lambda tf: tf.strings.bytes_split("abc"),
    "ngrams": lambda tf: tf.strings.ngrams(["a", "b", "c"], 2, pad_values="-"),
    "ngrams of rows": lambda tf: tf.strings.ngrams([["a", "b"], ["c", "d"]], [1, 2], separator="|"),
    "ngrams of ragged rows": lambda tf: tf.strings.ngrams(_rows(tf), 2, pad_values=("<", ">"), padding_width=1),
    "decode": lambda tf: tf.strings.unicode_decode(["aé", ""], "UTF-8"),
    "characters": lambda tf: tf.strings.unicode_split(["aé", "中"], "UTF-8"),
    "characters of one": lambda tf: tf.strings.unicode_split_with_offsets("aé中", "UTF-8"),
    "encode": lambda tf: tf.strings.unicode_encode([[97, 98], [233, 20013]], "UTF-8"),
    "encode one": lambda tf: tf.strings.unicode_encode([97, 233], "UTF-16-BE"),
    "transpose": lambda tf: tf.sparse.transpose(_sparse(tf)),
    "transpose by": lambda tf: tf.sparse.transpose(_sparse(tf), [0, 1]),
    "from_dense": lambda tf: tf.sparse.from_dense([[0, 1], [2, 0]]),
    "eye": lambda tf: tf.sparse.eye(2, 3),
    "expand_dims": lambda tf: tf.sparse.expand_dims(_sparse(tf), 1),
    "expand_dims at the end": lambda tf: tf.sparse.expand_dims(_sparse(tf)),
    "reset_shape": lambda tf: tf.sparse.reset_shape(_sparse(tf)),
    "reset_shape to": lambda tf: tf.sparse.reset_shape(_sparse(tf), [3, 4]),
    "concat expanded": lambda tf: tf.sparse.concat(0, [_sparse(tf), tf.sparse.transpose(_sparse(tf))], None, True),
    "matmul from the left": lambda tf: tf.sparse.sparse_dense_matmul(np.ones((4, 2), np.float32), _sparse(tf)),
    "indicator": lambda tf: tf.sparse.to_indicator(_sparse(tf, "int64"), 5),
    "weighted": lambda tf: tf.nn.embedding_lookup_sparse(
        np.arange(8, dtype=np.float32).reshape(4, 2), _sparse(tf, "int64"), _sparse(tf), combiner="sqrtn"
    ),
    "safe": lambda tf: tf.nn.safe_embedding_lookup_sparse(
        tf.constant(np.arange(8, dtype=np.float32).reshape(4, 2)),
        tf.SparseTensor([[0, 0], [2, 0]], np.array([1, -1], np.int64), [3, 1]),
    ),
    "norms": lambda tf: tf.nn.embedding_lookup(np.arange(8, dtype=np.float32).reshape(4, 2), [3, 0], max_norm=2.0),
    "in parts": lambda tf: tf.nn.embedding_lookup(
        [tf.constant([[1.0], [2.0]]), tf.constant([[3.0]])], [0, 2, 1], partition_strategy="div"
    ),
}


def _plain(value: Any) -> Any:
    """Nested lists of whatever a run gave."""
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    if hasattr(value, "to_list"):
        return value.to_list()
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else value


def _value(tf: Any, build: Any) -> Any:
    with tf.Graph().as_default(), tf.Session() as session:
        return _plain(session.run(build(tf)))


@pytest.mark.parametrize("name", BUILDERS)
def test_value_is_tensorflows(name: str) -> None:
    ours, theirs = _value(runstep, BUILDERS[name]), _value(oracle.tensorflow().compat.v1, BUILDERS[name])
    if name == "norms":
        assert np.allclose(ours, theirs)
    else:
        assert ours == theirs


def test_a_shape_that_does_not_hold_the_elements_fails() -> None:
    with pytest.raises(runstep.errors.InvalidArgumentError, match="Condition x <= y did not hold"):

        def build(tf: Any) -> Any:
            return tf.sparse.reset_shape(tf.sparse.transpose(_sparse(tf)), tf.placeholder_with_default([1, 1], [2]))

        _value(runstep, build)
