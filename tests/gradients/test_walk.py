"""The walk of `tf.gradients`: what it passes, how it names, adds up, stops and refuses, as TensorFlow's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import runstep
from runstep.testing.oracle import tensorflow

X = [1.0, 2.0, -3.0]
Z = [0.5, -1.5, 2.0]
PROGRAMS: dict[str, Any] = {}


def program(function: Any) -> Any:
    PROGRAMS[function.__name__] = function
    return function


@program
def one(tf: Any, put: Any) -> Any:
    x = put(X)
    return tf.gradients(x * x, x)


@program
def several_uses_are_added_up(tf: Any, put: Any) -> Any:
    x, z = put(X), put(Z)
    return tf.gradients(x * z + x * x + x, [x, z])


@program
def several_ys(tf: Any, put: Any) -> Any:
    x, z = put(X), put(Z)
    y = x * z
    return tf.gradients([y, y, x + z], [x, z])


@program
def a_y_that_another_y_needs(tf: Any, put: Any) -> Any:
    x = put(X)
    y = x * x
    return tf.gradients([y * y, y], [x, y])


@program
def in_name_scopes(tf: Any, put: Any) -> Any:
    x = put(X)
    with tf.name_scope("layer"), tf.name_scope("inner"):
        y = x * x
    with tf.name_scope("train"):
        first = tf.gradients(y, x)
        second = tf.gradients(y, x)
        third = tf.gradients(y, x, name="named")
    return first + second + third


@program
def grad_ys(tf: Any, put: Any) -> Any:
    x = put(X)
    return tf.gradients([x * x, x + x, x - x], x, grad_ys=[np.array(Z, np.float32), None, x * 2.0])


@program
def grad_ys_of_slices(tf: Any, put: Any) -> Any:
    x = put(X)
    return tf.gradients(x * x, x, grad_ys=tf.IndexedSlices(tf.constant([2.0, 3.0]), [0, 2], [3]))


@program
def unconnected(tf: Any, put: Any) -> Any:
    x, z, n = put(X), put(Z), put([1, 2], dtype=np.int32)
    y = x * x
    return [
        *tf.gradients(y, [x, z, n]),
        *tf.gradients(y, [x, z], unconnected_gradients="zero"),
        *tf.gradients(y, [z], unconnected_gradients=tf.UnconnectedGradients.ZERO),
        *tf.gradients([], [z]),
        *tf.gradients(y, []),
        *tf.gradients(y, 3.0),
    ]


@program
def of_itself(tf: Any, put: Any) -> Any:
    x, z = put(X), put(Z)
    return tf.gradients(x, x) + tf.gradients([x, z], [z, x])


@program
def stops(tf: Any, put: Any) -> Any:
    x = put(X)
    y = x * x
    z = y * x
    return [
        *tf.gradients(z, [x, y]),
        *tf.gradients(z, [x, y], stop_gradients=y),
        *tf.gradients(z, [x, y], stop_gradients=[x, y]),
        *tf.gradients(tf.stop_gradient(y) * x, [x, y]),
    ]


@program
def an_x_between_two_others(tf: Any, put: Any) -> Any:
    x = put(X)
    y = x * x
    z = y * y
    return tf.gradients(z, [x, y, z])


@program
def not_trainable(tf: Any, put: Any) -> Any:
    n = put([1, 2], dtype=np.int32)
    return tf.gradients(n * n, n)


@program
def through_integers(tf: Any, put: Any) -> Any:
    x = put(X)
    return tf.gradients(tf.cast(tf.cast(x, tf.int32), tf.float32), x)


@program
def zero_where_nothing_comes_in(tf: Any, put: Any) -> Any:
    x = put([0.0, 4.0, 0.0, -1.0])
    ys = [tf.where(x > 0.0, f(x), tf.zeros_like(x)) for f in (tf.sqrt, tf.rsqrt, tf.reciprocal)]
    complex_x = tf.complex(x, x)
    ys += [tf.where(x > 0.0, tf.real(tf.sqrt(complex_x)), tf.zeros_like(x))]
    scalar = put(0.0)
    return [tf.gradients(y, x)[0] for y in ys] + tf.gradients(tf.where(scalar > 0.0, tf.sqrt(scalar), scalar), scalar)


@program
def a_mean_of_nothing(tf: Any, put: Any) -> Any:
    x, upstream = put(np.zeros([0, 3]), None), put([1.0, 2.0, 3.0])
    (first,) = tf.gradients(tf.reduce_mean(x, 0), x, grad_ys=upstream)
    return [tf.identity(first), tf.identity(tf.gradients(first, upstream)[0])]


@program
def rows_of_no_larger_norm(tf: Any, put: Any) -> Any:
    table, ids = put([[3.0, 4.0], [0.3, 0.4], [5.0, 12.0]], None), put([[0, 1], [2, 0]], None, np.int32)
    several = tf.nn.embedding_lookup([table, table], ids, max_norm=2.0)
    one = tf.nn.embedding_lookup(table, ids, max_norm=1.0)
    return [one, several, *tf.gradients([one, several], table)]


@program
def stacks_of_matrices(tf: Any, put: Any) -> Any:
    x, w, b = put(np.ones([2, 2, 3]), None), put(np.ones([2, 3, 4]), None), put([1.0, 2.0, 3.0, -9.0])
    ys = [tf.nn.xw_plus_b(x, w, b), tf.nn.relu_layer(x, w, b), tf.nn.zero_fraction(x)]
    return [*ys, *tf.gradients(ys[:2], [x, w, b])]


@program
def rows_of_embeddings(tf: Any, put: Any) -> Any:
    v = tf.Variable(np.arange(12.0, dtype=np.float32).reshape(4, 3), use_resource=True, name="v")
    u = tf.Variable(np.arange(12.0, dtype=np.float32).reshape(4, 3), use_resource=False, name="u")
    i, j = put([1, 3, 1], dtype=np.int32), put([[0], [2]], dtype=np.int64)
    y = tf.gather(v, i) * 2.0
    z = tf.gather(u, i) + tf.gather(u, tf.constant([0, 1, 2]))
    return [
        *tf.gradients([y, z], [v, u]),
        *tf.gradients([y, tf.gather(v, j)], v),
        *tf.gradients([z, u * u], u),
        *tf.gradients(tf.gather_nd(u, j), u),
    ]


@program
def rows_of_tables_put_together(tf: Any, put: Any) -> Any:
    tables = [put(np.ones((rows, 2)), (rows, 2) if rows != 3 else None) for rows in (2, 3, 1)]
    i = put([5, 0, 3, 1, 3], dtype=np.int32)
    whole, known = tf.concat(tables, 0), tf.concat([tables[2], tables[0]], -2)
    return tf.gradients(tf.gather(known, i[1:2]) * 2.0, tables) + tf.gradients(tf.gather(whole, i), tables)


@program
def samples_move_with_their_parameter(tf: Any, put: Any) -> Any:
    alpha, seed = put([0.5, 2.0, 9.0], dtype=np.float64), put([1, 2], dtype=np.int32)
    drawn = tf.random.gamma([2, 4], alpha, dtype=tf.float64, seed=3)
    keyed = tf.random.stateless_gamma([4, 3], seed, alpha, dtype=tf.float64)
    return tf.gradients(drawn * drawn, alpha) + tf.gradients(keyed * keyed, alpha)


@program
def gated(tf: Any, put: Any) -> Any:
    x, z = put(X), put(Z)
    return tf.gradients(x * z + x, [x, z], gate_gradients=True)


@program
def tree(tf: Any, put: Any) -> Any:
    x, z = put(X), put(Z)
    y = x * z + x * x + x
    found = []
    for method in (tf.AggregationMethod.EXPERIMENTAL_TREE, tf.AggregationMethod.EXPERIMENTAL_ACCUMULATE_N):
        found += tf.gradients(y, x, aggregation_method=method)
    return found


@program
def colocated(tf: Any, put: Any) -> Any:
    x = put(X)
    with tf.device("/cpu:0"):
        y = x * x
    (grad,) = tf.gradients(y, x, colocate_gradients_with_ops=True)
    assert grad.op.colocation_groups() == [f"loc:@{y.op.name}".encode()]
    assert grad.device == y.device
    return [grad]


@program
def second_order(tf: Any, put: Any) -> Any:
    x = put(X)
    (first,) = tf.gradients(x * x * x, x)
    return [first, *tf.gradients(first, x)]


@program
def complex_numbers(tf: Any, put: Any) -> Any:
    x, z = put([1 + 2j, 3 - 1j], dtype=np.complex64), put([2 - 1j, 1j], dtype=np.complex64)
    return tf.gradients(x * z, [x, z], grad_ys=x)


@program
def variables_of_both_kinds(tf: Any, put: Any) -> Any:
    x = put(X)
    v = tf.Variable(np.array(Z, np.float32), use_resource=True, name="v")
    u = tf.Variable(np.array(Z, np.float32), use_resource=False, name="u")
    y = v * x + u * v
    return tf.gradients(y, [v, u, v.handle, u.value(), x])


@program
def a_variable_of_itself(tf: Any, put: Any) -> Any:
    v = tf.Variable(np.array(Z, np.float32), use_resource=True, name="v")
    u = tf.Variable(np.array(Z, np.float32), use_resource=False, name="u")
    read = v.value()
    return tf.gradients(v, v) + tf.gradients(u, u) + tf.gradients(v * 1.0, read)


@program
def registered(tf: Any, put: Any) -> Any:
    x = put(X)
    name = f"RegisteredHere{tf.__name__.replace('.', '')}"
    tf.RegisterGradient(name)(lambda op, grad: [grad * 100.0, None])
    with tf.get_default_graph().gradient_override_map({"Mul": name}):
        y = x * x
    z = x * x
    return tf.gradients(y, x) + tf.gradients(z, x)


@program
def the_default_graph_does_not_matter(tf: Any, put: Any) -> Any:
    x = put(X)
    y = x * x
    with tf.Graph().as_default():
        return tf.gradients(y, x)


OTHER_NAMES = {
    "rows_of_embeddings": "reshapes that change nothing are left out",
    "rows_of_tables_put_together": "as are other nodes",
    "samples_move_with_their_parameter": "as are other nodes",
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_as_tensorflow(name: str, same: Any) -> None:
    same(PROGRAMS[name], names=name not in OTHER_NAMES)


def overridden(tf: Any, x: Any, function: Any) -> Any:
    name = f"Overridden{tf.__name__.replace('.', '')}{function.__code__.co_firstlineno}"
    tf.RegisterGradient(name)(function)
    with tf.get_default_graph().gradient_override_map({"Mul": name}):
        y = x * x
    return tf.gradients(y, x)


REFUSED = {
    "an unknown method": (
        ValueError,
        "Invalid `aggregation_method`",
        lambda tf, x: tf.gradients(x * x, x, None, "g", False, False, 7),
    ),
    "an unknown word": (
        ValueError,
        "Unknown value for unconnected_gradients",
        lambda tf, x: tf.gradients(x, x, unconnected_gradients="no"),
    ),
    "a complex y": (TypeError, "Gradients of complex tensors", lambda tf, x: tf.gradients(tf.cast(x, tf.complex64), x)),
    "lengths": (ValueError, "Passed 2 grad_ys for 1 ys", lambda tf, x: tf.gradients(x, x, [None, None])),
    "a string gradient": (TypeError, "must be real or integer", lambda tf, x: tf.gradients(x, x, tf.constant("a"))),
    "a complex gradient": (TypeError, "must be real or integer", lambda tf, x: tf.gradients(x, x, tf.constant(1j))),
    "a real gradient": (TypeError, "must be real", lambda tf, x: tf.gradients(tf.cast(x, tf.complex64), x, x)),
    "an operation": (TypeError, "(?i)tensor", lambda tf, x: tf.gradients(x.op, x)),
    "a sparse tensor": (
        ValueError,
        "Type SparseTensor is not supported",
        lambda tf, x: tf.gradients(tf.SparseTensor([[0, 1]], x[:1], [2, 2]), x),
    ),
    "an op without gradient": (
        LookupError,
        "No gradient defined for operation.*op type: TruncateMod",
        lambda tf, x: tf.gradients(tf.truncatemod(x, x), x),
    ),
    "a wrong number of gradients": (
        ValueError,
        "(?s)Num gradients 1 generated for op.*do not match num inputs 2",
        lambda tf, x: overridden(tf, x, lambda op, grad: [grad]),
    ),
    "a wrong shape": (
        ValueError,
        "Incompatible shapes between op input and calculated input gradient",
        lambda tf, x: overridden(tf, x, lambda op, grad: [tf.zeros([7]), None]),
    ),
    "a disabled gradient": (
        LookupError,
        "Gradient explicitly disabled. Reason:.*because",
        lambda tf, x: tf.gradients(tf.raw_ops.PreventGradient(input=x, message="because"), x),
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_refused_as_by_tensorflow(what: str, both_raise: Any) -> None:
    error, text, build = REFUSED[what]
    both_raise(error, text, lambda tf, put: build(tf, put(X)))


def test_slices_are_sources_and_targets() -> None:
    # TensorFlow recurses without end.
    with runstep.Graph().as_default():
        x = runstep.placeholder(runstep.float32, [2, 3])
        rows = runstep.IndexedSlices(x * x, runstep.constant([0, 4]))
        (to_x,) = runstep.gradients(rows, x)
        (to_rows,) = runstep.gradients(rows.values * rows.values, rows)
        value = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], np.float32)
        with runstep.Session() as session:
            found = session.run([to_x, to_rows], {x: value})
    np.testing.assert_allclose(found[0], 2 * value)
    np.testing.assert_allclose(found[1].values, 2 * value * value)
    assert found[1].indices.tolist() == [0, 4]


def test_registering_twice_is_refused() -> None:
    with pytest.raises(KeyError, match="AddN"):
        runstep.RegisterGradient("AddN")(lambda op, grad: None)
    with pytest.raises(TypeError, match="must be a string"):
        runstep.RegisterGradient(3)  # type: ignore[arg-type]


def test_constants_of_the_method_are_tensorflows() -> None:
    theirs = tensorflow().compat.v1.AggregationMethod
    for name in ("ADD_N", "DEFAULT", "EXPERIMENTAL_TREE", "EXPERIMENTAL_ACCUMULATE_N"):
        assert getattr(runstep.AggregationMethod, name) == getattr(theirs, name)


def test_the_package_does_not_hide_the_function() -> None:
    import runstep.gradients.table  # noqa: F401

    assert callable(runstep.gradients) and runstep.gradients is runstep.api.gradients


def ragged(tf: Any, feed: Any) -> list[Any]:
    """A ragged tensor is differentiated in its values, and its gradient has its rows."""
    rows = tf.RaggedTensor.from_row_splits(feed([1.0, 2.0, 3.0]), [0, 1, 3], validate=False)
    squares = rows.with_values(rows.values * rows.values)
    (found,) = tf.gradients(squares, rows, grad_ys=rows)
    return [found.values, found.row_splits]


def test_ragged_tensors(same: Any) -> None:
    same(ragged, names=False)
