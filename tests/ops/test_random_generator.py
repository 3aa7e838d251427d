"""`tf.random.Generator` draws TensorFlow's numbers; its state is a variable."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import runstep as tf

ROWS: dict[str, Callable[[Any], Any]] = {
    "normal": lambda g: g.from_seed(1).normal([3], 1.0, 2.0),
    "truncated": lambda g: g.from_seed(1).truncated_normal([300]),
    "uniform": lambda g: g.from_seed(2).uniform([3], 2.0, 5.0),
    "integers": lambda g: g.from_seed(1).uniform([3], 0, 10, np.int32),
    "all_integers": lambda g: g.from_seed(2**70 + 5).uniform_full_int([3]),
    "seeds": lambda g: g.from_seed([1, 2]).make_seeds(2),
    "of_a_state": lambda g: g.from_state([1, 2, 3], alg="philox").normal([2]),
    "of_a_key": lambda g: g.from_key_counter(3, [0, 0], alg="philox").normal([2]),
}


def drawn(lib: Any) -> list[Any]:
    with lib.Graph().as_default(), lib.Session() as sess:
        rows = {key: row(lib.random.Generator) for key, row in ROWS.items()}
        skipping = lib.random.Generator.from_seed(1234)
        sess.run(lib.global_variables_initializer())
        passes = [sess.run(rows) for _ in range(2)]
        sess.run(skipping.skip(10))
        names = [(v.name, v.dtype.base_dtype.name) for v in lib.global_variables()]
        return [passes, sess.run(skipping.state).tolist(), names, sess.run(lib.random.create_rng_state([7, 8], 1))]


@pytest.fixture(scope="module")
def both() -> tuple[list[Any], list[Any]]:
    import tensorflow

    return drawn(tf), drawn(tensorflow.compat.v1)


@pytest.mark.parametrize("key", ROWS)
def test_numbers_are_tensorflows(both: tuple[list[Any], list[Any]], key: str) -> None:
    ours, theirs = both
    for mine, other in zip(ours[0], theirs[0], strict=True):
        assert mine[key].dtype == other[key].dtype
        np.testing.assert_allclose(mine[key], other[key], rtol=1e-6)
    assert not np.array_equal(ours[0][0][key], ours[0][1][key])  # other numbers each time


def test_states_are_tensorflows(both: tuple[list[Any], list[Any]]) -> None:
    ours, theirs = both
    assert ours[1:3] == theirs[1:3]
    assert ours[3].tolist() == theirs[3].tolist()


def test_the_graphs_generator_is_the_one_that_was_set() -> None:
    tf.set_random_seed(5)
    seeded = tf.random.get_global_generator()
    assert tf.random.get_global_generator() is seeded
    tf.random.set_global_generator(tf.random.Generator(copy_from=seeded))
    assert tf.random.get_global_generator() is not seeded
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        draws = sess.run([seeded.normal([2]), tf.random.get_global_generator().normal([2])])
        np.testing.assert_array_equal(*draws)


@pytest.mark.parametrize(
    ("error", "make"),
    [
        (ValueError, lambda g: g.from_seed(1, alg="nobody")),
        (ValueError, lambda g: g.from_seed(1).uniform([2], dtype=tf.int32)),
        (ValueError, lambda g: g()),
        (NotImplementedError, lambda g: g.from_seed(1).split(2)),
    ],
)
def test_what_cannot_be_is_refused(error: type[Exception], make: Callable[[Any], Any]) -> None:
    with pytest.raises(error):
        make(tf.random.Generator)
