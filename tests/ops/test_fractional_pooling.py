"""Fractional pooling: regions, values and gradients are TensorFlow's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import runstep as tf
from runstep import errors
from runstep.graph.apply import apply
from runstep.testing import case, check, check_grads, distinct, grad_case, ints, of, real

INVALID = errors.InvalidArgumentError
FORWARD = ("FractionalMaxPool", "FractionalAvgPool")
RATIO = [1.0, 1.44, 1.73, 1.0]
ROWS, COLUMNS = [0, 1, 3, 4, 6, 7], [0, 2, 3, 5]
X = distinct(2, 13, 11, 3)


def pool(op: str, value: Any = X, ratio: Any = RATIO, seeds: tuple[int, int] = (1, 2), **more: Any) -> Any:
    given = {"deterministic": True, "seed": seeds[0], "seed2": seeds[1], "pooling_ratio": ratio, **more}
    given = {name: item for name, item in given.items() if item is not None}
    return case(op, value, **given)


TIES = np.random.default_rng(0).integers(0, 3, (2, 7, 5, 3))


def largest(rows: list[int], columns: list[int], more: int) -> Any:
    found = np.empty((2, 5, 3, 3), np.int64)
    for i, j in np.ndindex(5, 3):
        found[:, i, j] = TIES[:, rows[i] : rows[i + 1] + more, columns[j] : columns[j + 1] + more].max((1, 2))
    return found


def backward(overlapping: bool = False) -> Any:
    inputs = [of(TIES), of(largest(ROWS, COLUMNS, overlapping)), real(2, 5, 3, 3), ROWS, COLUMNS]
    return [
        case("FractionalMaxPoolGrad", *inputs, overlapping=overlapping, name=f"overlapping{overlapping}"),
        case("FractionalMaxPoolGrad", inputs[0], of(TIES[:, :5, :3] + 9), *inputs[2:], error=INVALID, name="other"),
        case("FractionalAvgPoolGrad", [2, 7, 5, 3], *inputs[2:], overlapping=overlapping),
    ]


CASES = [
    *(pool(op, seeds=seeds, pseudo_random=evenly) for op in FORWARD for seeds in ((1, 2), (5, 0)) for evenly in (0, 1)),
    *(pool(op, ratio=[1.0, 2.4, 1.9, 1.0], overlapping=True, seeds=(0, 5)) for op in FORWARD),
    *(pool(op, ratio=[1.0, 2.4, 4.1, 1.0], pseudo_random=True, seeds=(2, 1)) for op in FORWARD),
    *(pool(FORWARD[0], ratio=[1.0, 1.0, 1.73, 1.0], pseudo_random=evenly) for evenly in (0, 1)),
    pool(FORWARD[1], ints(1, 7, 8, 1, low=-9, high=9), overlapping=True),
    pool(FORWARD[0], ratio=[1.0, 0.5, 2.0, 1.0], error=ValueError),
    pool(FORWARD[0], ratio=[2.0, 1.5, 2.0, 1.0], error=errors.UnimplementedError),
    pool(FORWARD[1], ratio=[1.0, 1.5, 20.0, 1.0], error=INVALID),
    pool(FORWARD[1], real(0, 4, 4, 1), error=INVALID),
    pool(FORWARD[0], real(4, 4, 1), error=INVALID),
    pool(FORWARD[0], deterministic=False, error=INVALID),
    *backward(),
    *backward(True),
]  # fmt: skip


@pytest.mark.parametrize("row", CASES, ids=str)
def test_row(row: Any) -> None:
    check(row)


@pytest.mark.parametrize("op", FORWARD)
def test_gradients(op: str) -> None:
    # TensorFlow cannot build the gradient of a mean where shapes are not known.
    beyond = op == "FractionalAvgPool"
    given: Any = {"pooling_ratio": RATIO, "deterministic": True, "seed": 1, "seed2": 2}
    check_grads(grad_case(op, distinct(1, 7, 5, 2), **given, order=1, beyond=beyond))


def test_without_seeds_regions_change_unless_they_are_fixed() -> None:
    x = tf.placeholder(tf.float32, [1, 101, 101, 1])
    value = np.zeros((1, 101, 101, 1))
    free, fixed = (tf.nn.fractional_max_pool(x, RATIO, deterministic=fixed) for fixed in (False, True))
    with tf.Session() as session:
        runs = [session.run([free[1], fixed[1]], {x: value}) for _ in range(2)]
    assert not np.array_equal(runs[0][0], runs[1][0])
    assert np.array_equal(runs[0][1], runs[1][1])


@pytest.mark.parametrize("op", ["FractionalMaxPoolGrad", "FractionalAvgPoolGrad"])
def test_a_sequence_that_does_not_fit_is_refused(op: str) -> None:
    for rows in ([0, 1, 3, 4, 6, 8], [0, 1, 3, 4, 6], [0, 3, 3, 4, 6, 7], [-1, 1, 3, 4, 6, 7]):
        with tf.Session() as session, pytest.raises(INVALID, match="pooling sequence"):
            first = tf.ones([2, 7, 5, 3]), tf.ones([2, 5, 3, 3])
            shape = tf.constant([2, 7, 5, 3], tf.int64)
            ends = np.array(rows, np.int64), np.array(COLUMNS, np.int64)
            before = first if op == "FractionalMaxPoolGrad" else (shape,)
            session.run(apply(op, *before, first[1], *ends))
