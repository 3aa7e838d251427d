"""SparseTensor, IndexedSlices and RaggedTensor against TensorFlow's; their parts as a session takes them."""

from typing import Any

import numpy as np
import pytest
import tensorflow.compat.v1 as real

from runstep.graph import composite, dtypes, ragged_tensor
from runstep.graph.convert import constant
from runstep.graph.graph import Graph
from runstep.ops import basic  # noqa: F401 - the rows of Const and Placeholder


@pytest.fixture(autouse=True)
def graphs() -> Any:
    with Graph().as_default() as graph, real.Graph().as_default():
        yield graph


def both(build: Any) -> tuple[Any, Any]:
    """`build(library)` with ours and with TensorFlow's names."""
    return build(Ours), build(real)


class Ours:
    SparseTensor = composite.SparseTensor
    SparseTensorValue = composite.SparseTensorValue
    IndexedSlices = composite.IndexedSlices
    RaggedTensor = ragged_tensor.RaggedTensor
    constant = staticmethod(constant)
    int64 = dtypes.int64


def test_sparse_tensor_parts() -> None:
    ours, theirs = both(lambda tf: tf.SparseTensor([[0, 1]], [1.0], [2, 3]))
    assert str(ours) == str(theirs) and repr(ours) == repr(theirs)
    for part in ("indices", "values", "dense_shape"):
        mine, other = [(t.name, t.dtype.name, t.shape.as_list()) for t in (getattr(ours, part), getattr(theirs, part))]
        assert mine == other
    assert ours.shape == (2, 3) and ours.get_shape() == (2, 3) and ours.dtype is dtypes.float32
    assert ours.op is ours.values.op and ours.graph is ours.indices.graph and ours.consumers() == []
    assert composite.SparseTensorValue._fields == real.SparseTensorValue._fields
    again = ours.with_values([5])
    assert again.indices is ours.indices and again.dtype is dtypes.int32
    with pytest.raises(ValueError):
        ours.set_shape([3, 3])


@pytest.mark.parametrize(
    "arguments",
    [([[0, 1]], [1.0, 2.0], [2, 3]), ([0, 1], [1.0], [2, 3]), ([[0, 1]], [[1.0]], [2, 3]), ([[0, 1]], [1.0], [2]),
     ([[0.5, 1]], [1.0], [2, 3]), ([[0, 1]], [1.0], 2)],
    ids=repr,
)  # fmt: skip
def test_sparse_tensor_refuses_what_tensorflow_refuses(arguments: Any) -> None:
    with pytest.raises((ValueError, TypeError)) as theirs:
        real.SparseTensor(*arguments)
    with pytest.raises(theirs.type) as ours:
        composite.SparseTensor(*arguments)
    if np.ndim(arguments[2]):  # TensorFlow's text for a scalar shape is about something else
        assert str(ours.value).replace("?", "None") == str(theirs.value).replace("?", "None")


def test_sparse_tensor_from_value() -> None:
    value = composite.SparseTensorValue([[0, 1]], [1.0], [2, 3])
    made = composite.SparseTensor.from_value(value)
    assert composite.SparseTensor.from_value(made).indices is made.indices
    for wrong in (3, ([[0, 1]], [1.0], [2, 3])):
        with pytest.raises(TypeError, match="is neither a SparseTensor nor SparseTensorValue"):
            composite.SparseTensor.from_value(wrong)


def test_indexed_slices() -> None:
    def build(tf: Any) -> Any:
        return tf.IndexedSlices(tf.constant([[1.0, 2.0]]), tf.constant([3]), tf.constant([5, 2]))

    ours, theirs = both(build)
    assert str(ours) == str(theirs)
    assert (ours.name, ours.device, ours.dtype.name) == (theirs.name, theirs.device, theirs.dtype.name)
    assert ours.shape == (5, 2) and ours.op is ours.values.op and ours.graph is ours.values.graph
    open_ended = composite.IndexedSlices(ours.values, ours.indices)
    assert open_ended.shape.rank is None and open_ended.dense_shape is None
    assert str(open_ended) == str(real.IndexedSlices(theirs.values, theirs.indices))
    assert open_ended._from_component_values([1, 2]) == composite.IndexedSlicesValue(1, 2, None)
    assert ours._from_component_values([1, 2, 3]) == composite.IndexedSlicesValue(values=1, indices=2, dense_shape=3)


def test_ragged_tensor() -> None:
    def build(tf: Any) -> Any:
        splits = tf.constant([0, 2, 3], tf.int64)
        inner = tf.RaggedTensor.from_row_splits(tf.constant([1, 2, 3]), splits, validate=False)
        return inner, tf.RaggedTensor.from_nested_row_splits([1, 2, 3], [[0, 1], [0, 3]], validate=False)

    for ours, theirs in zip(*both(build), strict=True):
        assert str(ours) == str(theirs)
        assert ours.ragged_rank == theirs.ragged_rank == len(ours.nested_row_splits)
        assert ours.shape.as_list() == ours.get_shape().as_list() == theirs.shape.as_list()
        assert ours.dtype.name == theirs.dtype.name and ours.flat_values.name == theirs.flat_values.name
        assert ours.with_flat_values([7, 8, 9]).row_splits is ours.row_splits
        assert ours.row_splits.dtype is dtypes.int64
    with pytest.raises(ValueError):
        ours.with_flat_values([7, 8])


@pytest.mark.parametrize(
    ("values", "splits"), [([1, 2], [0.0, 2.0]), ([1, 2], [[0, 2]]), ([1, 2], []), (3, [0, 1])], ids=repr
)
def test_ragged_tensor_refuses_what_tensorflow_refuses(values: Any, splits: Any) -> None:
    for cls in (ragged_tensor.RaggedTensor, real.RaggedTensor):
        with pytest.raises(ValueError):
            cls.from_row_splits(values, splits)


def ragged_values(cls: Any) -> list[Any]:
    flat = cls(np.array([1, 2, 3]), np.array([0, 2, 3]))
    return [flat, cls(flat, np.array([0, 2])), cls(np.array([[1, 2], [3, 4]]), np.array([0, 2], np.int32))]


@pytest.mark.parametrize("index", range(3))
def test_ragged_tensor_value(index: int) -> None:
    ours = ragged_values(ragged_tensor.RaggedTensorValue)[index]
    theirs = ragged_values(real.ragged.RaggedTensorValue)[index]
    for name in ("shape", "dtype", "ragged_rank"):
        assert getattr(ours, name) == getattr(theirs, name)
    assert (str(ours), repr(ours), ours.to_list()) == (str(theirs), repr(theirs), theirs.to_list())
    np.testing.assert_array_equal(ours.flat_values, theirs.flat_values)
    for mine, other in zip(ours.nested_row_splits, theirs.nested_row_splits, strict=True):
        np.testing.assert_array_equal(mine, other)


@pytest.mark.parametrize(
    "arguments",
    [(np.array([1]), [0, 1]), (np.array([1]), np.array([0.0, 1])), ([1], np.array([0, 1]))],
    ids=repr,
)
def test_ragged_tensor_value_refuses_what_tensorflow_refuses(arguments: Any) -> None:
    with pytest.raises(TypeError) as theirs:
        real.ragged.RaggedTensorValue(*arguments)
    with pytest.raises(TypeError) as ours:
        ragged_tensor.RaggedTensorValue(*arguments)
    assert str(ours.value) == str(theirs.value)


def test_parts_for_a_session() -> None:
    sparse = composite.SparseTensor([[0, 1]], [1.0], [2, 3])
    assert sparse._component_tensors() == (sparse.indices, sparse.values, sparse.dense_shape)
    assert sparse._from_component_values([1, 2, 3]) == composite.SparseTensorValue(1, 2, 3)
    assert sparse._feed_components((1, 2, 3)) == [(sparse.indices, 1), (sparse.values, 2), (sparse.dense_shape, 3)]
    with pytest.raises(ValueError):
        sparse._feed_components((1, 2))
    ragged = ragged_tensor.RaggedTensor.from_nested_row_splits([1, 2, 3], [[0, 1], [0, 3]])
    value = ragged._from_component_values([np.array([4, 5, 6]), np.array([0, 1]), np.array([0, 3])])
    assert value.to_list() == [[[4, 5, 6]]]
    assert [tensor for tensor, _ in ragged._feed_components(value)] == list(ragged._component_tensors())
