"""map_fn, scan, foldl and foldr against TensorFlow: nodes, values, errors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import runstep
from runstep.ops import functional_loops
from runstep.testing import building, oracle

NAMES = ("add", "cast", "concat", "device", "get_variable", "multiply", "placeholder", "zeros", "Session", "Graph")
NAMES += ("float32", "int32", "reduce_sum")  # type: ignore[assignment]


class Ours:
    """The tf namespace with the functions under test, which the namespace may not list yet."""

    def __init__(self) -> None:
        for name in NAMES:
            setattr(self, name, getattr(runstep, name))
        for name in functional_loops.__all__:
            setattr(self, name, getattr(functional_loops, name))


@pytest.fixture(autouse=True)
def _old_control_flow() -> Any:
    tf = oracle.tensorflow().compat.v1
    was = tf.control_flow_v2_enabled(), tf.resource_variables_enabled()
    tf.disable_control_flow_v2()
    tf.disable_resource_variables()
    yield
    if was[0]:
        tf.enable_control_flow_v2()
    if was[1]:
        tf.enable_resource_variables()


def rows(tf: Any, *shape: Any, kind: str = "float32") -> Any:
    return tf.placeholder(kind, shape or None)


GRAPHS = {
    "map": lambda tf: tf.map_fn(lambda x: x + 1, rows(tf, 3, 2)),
    "map a list": lambda tf: tf.map_fn(lambda x: x * x, np.array([1, 2, 3])),
    "map no rows": lambda tf: tf.map_fn(lambda x: x + 1, rows(tf, 0, 2)),
    "map unknown": lambda tf: tf.map_fn(lambda x: x + 1, rows(tf), name="m", parallel_iterations=3),
    "map structures": lambda tf: tf.map_fn(
        lambda x: (x[0], x[1]["b"]),
        (rows(tf, None, 2), {"b": rows(tf, kind="int32")}),
        dtype=(tf.float32, tf.int32),
        infer_shape=False,
    ),
    "map fewer": lambda tf: tf.map_fn(lambda x: x[0] + x[1], (rows(tf, 2), rows(tf, 2)), dtype=tf.float32),
    "map signature": lambda tf: tf.map_fn(
        lambda x: tf.cast(x, tf.int32), rows(tf, 2), fn_output_signature=tf.int32, swap_memory=True, back_prop=False
    ),
    "map other dtype": lambda tf: tf.map_fn(lambda x: tf.cast(x, tf.int32), rows(tf, 2)),
    "map in map": lambda tf: tf.map_fn(lambda x: tf.map_fn(lambda y: y * 2, x), rows(tf, 2, 3)),
    "scan": lambda tf: tf.scan(lambda a, x: a + x, rows(tf, 3, 2)),
    "scan from": lambda tf: tf.scan(lambda a, x: a + x, rows(tf, None, 2), initializer=tf.zeros([2])),
    "scan back": lambda tf: tf.scan(lambda a, x: a + x, rows(tf, None, 2), reverse=True),
    "scan structures": lambda tf: tf.scan(
        lambda a, x: (a[0] + x, a[1]), rows(tf, 3, 2), (tf.zeros(2), 1), reverse=True, infer_shape=False
    ),
    "scan a list": lambda tf: tf.scan(lambda a, x: [a[0] + x, a[1]], rows(tf, 2), initializer=[1.0, 2.0], name="s"),
    "foldl": lambda tf: tf.foldl(lambda a, x: a + x, rows(tf, 3, 2)),
    "foldl no rows": lambda tf: tf.foldl(lambda a, x: a + x, rows(tf, 0)),
    "foldl from": lambda tf: tf.foldl(lambda a, x: a + x[0] * x[1], (rows(tf, 3), rows(tf, 3)), initializer=1.0),
    "foldr": lambda tf: tf.foldr(lambda a, x: a + x, rows(tf, 3, 2), name="f", parallel_iterations=1),
    "foldr unknown": lambda tf: tf.foldr(lambda a, x: a + x, rows(tf, None, 2)),
    "foldr from": lambda tf: tf.foldr(lambda a, x: a - x, rows(tf, 3), initializer=0.5),
    "a variable": lambda tf: tf.map_fn(lambda x: x * tf.get_variable("w", [], use_resource=False), rows(tf, 2)),
}


def made(tf: Any, build: Any) -> Any:
    graph = tf.Graph()
    with graph.as_default():
        build(tf)
    return sorted(
        (
            op.name,
            op.type,
            [tensor.name for tensor in op.inputs],
            sorted(control.name for control in op.control_inputs),
            op.device,
            [None if tensor.shape.rank is None else tensor.shape.as_list() for tensor in op.outputs],
            sorted(name for name in op.node_def.attr if not name.startswith("_")),
        )
        for op in graph.get_operations()
    )


@pytest.mark.parametrize("name", GRAPHS)
def test_functions_build_tensorflows_nodes(name: str) -> None:
    want = made(oracle.tensorflow().compat.v1, GRAPHS[name])
    got = made(Ours(), GRAPHS[name])
    for ours, theirs in zip(got, want, strict=False):
        assert ours == theirs
    assert len(got) == len(want)


ERRORS = {
    "map no elements": (lambda tf: tf.map_fn(lambda x: x, []), "does not contain any Tensors"),
    "map scalars": (lambda tf: tf.map_fn(lambda x: x, 1.0), "must be 1+ dimensional"),
    "map lengths": (lambda tf: tf.map_fn(lambda x: x[0], (rows(tf, 2), rows(tf, 3)), dtype=tf.float32), "2 and 3"),
    "map structure": (lambda tf: tf.map_fn(lambda x: (x, x), rows(tf, 2)), "same nested structure"),
    "scan structure": (lambda tf: tf.scan(lambda a, x: (a, a), rows(tf, 2), 1.0), "same nested structure"),
    "scan scalars": (lambda tf: tf.scan(lambda a, x: a, 1.0), ""),
    "scan nothing": (lambda tf: tf.scan(lambda a, x: a, []), ""),
    "foldl scalars": (lambda tf: tf.foldl(lambda a, x: a, 1.0), ""),
    "foldl shapes": (
        lambda tf: tf.foldl(lambda a, x: tf.concat([a, [x]], 0), rows(tf, 2), initializer=tf.zeros([0])),
        "enters the loop with shape (0,), but has shape (1,)",
    ),
}


@pytest.mark.parametrize("name", ERRORS)
def test_errors_are_tensorflows(name: str) -> None:
    build, phrase = ERRORS[name]
    want = building.nodes(oracle.tensorflow().compat.v1, build)
    got = building.nodes(Ours(), build)
    assert got[0] == want[0] and isinstance(got[0], str)
    assert phrase in want[1] and phrase in got[1]


@pytest.mark.parametrize("function", functional_loops.__all__)
def test_what_is_not_callable_is_refused(function: str) -> None:
    with pytest.raises(TypeError, match="callable"):
        getattr(functional_loops, function)(1, [1.0])


def values(tf: Any) -> list[Any]:
    x = np.arange(12, dtype=np.float32).reshape(4, 3)
    with tf.Graph().as_default(), tf.Session() as session:
        p = tf.placeholder(tf.float32, [None, 3])
        fetches = [
            tf.map_fn(lambda r: tf.reduce_sum(r) * r, p),
            tf.map_fn(lambda r: (r[0] + r[1], tf.cast(r[1], tf.int32)), (p, p), dtype=(tf.float32, tf.int32)),
            tf.map_fn(lambda r: tf.map_fn(lambda y: y * 2, r), p),
            tf.scan(lambda a, r: a * 0.5 + r, p),
            tf.scan(lambda a, r: a * 0.5 + r, p, reverse=True),
            tf.scan(lambda a, r: (a[0] + r, a[1] - 1), p, (tf.zeros([3]), 7), reverse=True),
            tf.foldl(lambda a, r: a * 0.5 + r, p),
            tf.foldr(lambda a, r: a * 0.5 + r, p),
            tf.foldr(lambda a, r: a * 0.5 - tf.reduce_sum(r), p, initializer=3.0),
        ]
        return [*session.run(fetches, {p: x}), session.run(fetches[0], {p: x[:0]})]


def test_values_are_tensorflows() -> None:
    for ours, theirs in zip(values(Ours()), values(oracle.tensorflow().compat.v1), strict=True):
        for a, b in zip(*(v if isinstance(v, tuple) else (v,) for v in (ours, theirs)), strict=True):
            assert a.dtype == b.dtype
            np.testing.assert_allclose(a, b, rtol=1e-6)
