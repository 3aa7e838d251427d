"""sort and argsort against TensorFlow: nodes, values, errors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import runstep
from runstep.ops import sorting
from runstep.testing import building, oracle

KINDS = "float32 float64 float16 int8 int16 int32 int64 uint8 uint16 uint32 uint64".split()


def p(tf: Any, *shape: Any, kind: str = "float32") -> Any:
    return tf.placeholder(kind, shape)


GRAPHS = {
    **{kind: lambda tf, kind=kind: (tf.sort(p(tf, 3, kind=kind)), tf.argsort(p(tf, 3, kind=kind))) for kind in KINDS},  # type: ignore[misc]
    "first axis": lambda tf: (tf.sort(p(tf, 3, 4), axis=0), tf.argsort(p(tf, None, 4), 0, "DESCENDING", True)),
    "middle axis": lambda tf: (tf.sort(p(tf, 2, 3, 4), axis=1), tf.argsort(p(tf, 2, None, 4), axis=-2, name="a")),
    "down": lambda tf: (tf.sort(p(tf, 3, 4), direction="DESCENDING", name="s"), tf.sort([3, 1, 2])),
    "unknown rank": lambda tf: [tf.sort(tf.placeholder("float32"), axis=axis) for axis in (-1, 0, -2)],
    "scalar": lambda tf: tf.sort(p(tf)),
    "direction": lambda tf: tf.sort(p(tf, 2), direction="x"),
    "axis unknown": lambda tf: tf.sort(p(tf, 2), axis=p(tf, kind="int32")),
    "axis too large": lambda tf: tf.sort(p(tf, 2, 3), axis=3),
    "axis too small": lambda tf: tf.argsort(p(tf, 2, 3), axis=-3),
    "strings": lambda tf: tf.sort(["a"]),
}


@pytest.mark.parametrize("name", GRAPHS)
def test_functions_build_tensorflows_nodes(name: str) -> None:
    want = building.nodes(oracle.tensorflow().compat.v1, GRAPHS[name])
    got = building.nodes(building.Names([sorting]), GRAPHS[name])
    if isinstance(want[0], str):
        assert got[0] == want[0]
        assert got[1].partition(" for '")[0].rpartition(" of ")[2] in want[1] or name == "axis unknown"
    else:
        assert sorted(map(repr, got)) == sorted(map(repr, want))


@pytest.mark.parametrize("direction", ["ASCENDING", "DESCENDING"])
@pytest.mark.parametrize("kind", KINDS)
def test_values_are_tensorflows(kind: str, direction: str) -> None:
    rng = np.random.default_rng(3)
    info = np.finfo(kind) if "float" in kind else np.iinfo(kind)
    x = rng.integers(-5 if info.min else 0, 5, (4, 3, 5)).astype(kind)
    x[0, 0, :2] = info.min, info.max

    def program(tf: Any, module: Any) -> list[Any]:
        with tf.Graph().as_default(), tf.Session() as session:
            given = tf.placeholder(kind)
            fetches = [f(given, axis, direction) for f in (module.sort, module.argsort) for axis in (-1, 0, -2)]
            return session.run(fetches, {given: x})

    tf = oracle.tensorflow().compat.v1
    for ours, theirs in zip(program(runstep, sorting), program(tf, tf), strict=True):
        assert ours.dtype == theirs.dtype
        np.testing.assert_array_equal(ours, theirs)
