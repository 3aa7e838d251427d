"""Gradients through tensor lists and tensor arrays against TensorFlow."""

from __future__ import annotations

import pytest

import runstep as tf
from runstep.graph.apply import apply
from runstep.testing import check_grads, grad_case, real

FLOAT = tf.float32
WIDE = {"T": ["float64"]}
X = real(3, 2)
SHAPE = [2]


def from_tensor(x):
    return apply("TensorListFromTensor", x, SHAPE)


def stacked(handle, dtype, shape=SHAPE):
    return apply("TensorListStack", handle, shape, element_dtype=dtype)


def pushed(x, y):
    full = apply("TensorListPushBack", from_tensor(x), y)
    return stacked(full, x.dtype)


def popped(x, y):
    rest, last = apply("TensorListPopBack", from_tensor(x * x), SHAPE, element_dtype=x.dtype)
    return stacked(rest, x.dtype) * y, last


def last_only(x):
    return apply("TensorListPopBack", from_tensor(x * x), SHAPE, element_dtype=x.dtype)[1]


def item(x):
    return apply("TensorListGetItem", from_tensor(x * x), 1, SHAPE, element_dtype=x.dtype)


def replaced(x, y):
    return stacked(apply("TensorListSetItem", from_tensor(x * x), 1, y), x.dtype)


def resized(x):
    longer = apply("TensorListResize", from_tensor(x), 4)
    return stacked(longer, x.dtype)


def gathered(x):
    return apply("TensorListGather", from_tensor(x * x), [2, 0], SHAPE, element_dtype=x.dtype)


def scattered(x):
    return stacked(apply("TensorListScatterV2", x * x, [2, 0, 1], SHAPE, 3), x.dtype)


def scattered_into(x, y):
    found = apply("TensorListScatterIntoExistingList", from_tensor(x * x), y * y, [2, 0])
    return stacked(found, x.dtype)


def split_and_joined(x):
    pieces = apply("TensorListSplit", x * x, [-1, 2], tf.constant([2, 1], tf.int64))
    return apply("TensorListConcatV2", pieces, [-1, 2], tf.constant([], tf.int64), element_dtype=x.dtype)[0]


def array(x, **more):
    return tf.TensorArray(x.dtype, 3, element_shape=SHAPE, **more)


def written(x, y):
    made = array(x).write(0, x[0] * y).write(1, x[1]).write(2, y)
    return made.stack() * 2.0


def read(x):
    made = array(x, clear_after_read=False).unstack(x * x)
    return made.read(0) * made.read(2) + made.read(0)


def array_gathered(x):
    return array(x).unstack(x * x).gather([2, 0])


def array_scattered(x):
    return array(x).scatter([2, 0, 1], x * x).stack()


def array_split(x):
    made = tf.TensorArray(x.dtype, 2, infer_shape=False).split(x * x, [2, 1])
    return made.concat()


ROWS = [
    grad_case(function, *inputs, types=WIDE, order=1)
    for function, *inputs in (
        (pushed, X, real(2)),
        (popped, X, real(2)),
        (last_only, X),
        (item, X),
        (replaced, X, real(2)),
        (gathered, X),
        (scattered, X),
        (scattered_into, X, real(2, 2)),
        (split_and_joined, X),
        (written, X, real(2)),
        (read, X),
        (array_gathered, X),
        (array_scattered, X),
        (array_split, X),
    )
]


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_gradients(row):
    check_grads(row)


def test_two_calls_have_gradient_arrays_of_their_own() -> None:
    with tf.Graph().as_default(), tf.Session() as session:
        x = tf.constant([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
        y = read(x)
        first, second = tf.gradients(y, x)[0], tf.gradients(y, x)[0]
        sources = {op.get_attr("source") for op in x.graph.get_operations() if op.type == "TensorArrayGradV3"}
        assert sources == {b"gradients", b"gradients_1"}
        one, other = session.run([first, second])
        assert one.tolist() == other.tolist()


def test_the_name_must_say_that_it_is_a_gradient() -> None:
    with tf.Graph().as_default():
        x = tf.constant([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
        with pytest.raises(ValueError, match="Expected op/tensor name to start with gradients"):
            tf.gradients(read(x), x, name="slopes")
