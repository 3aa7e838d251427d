"""Terms that are alike are computed as rows of a stack: the same bits as one by one, and only where that may be."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import runstep as tf
from runstep.testing.oracle import config, tensorflow

RNG = np.random.default_rng(11)
X = RNG.normal(size=(3, 4)).astype(np.float32)
Y = RNG.normal(size=4).astype(np.float32)
FACTORS = [float(number) for number in RNG.normal(size=20).astype(np.float32)]
MATRICES = RNG.normal(size=(9, 3, 4)).astype(np.float32)
VECTORS = RNG.normal(size=(20, 4)).astype(np.float32)


def products(x: Any, factors: Any = FACTORS) -> list[Any]:
    return [x * factor for factor in factors]


def beside(x: Any, y: Any) -> list[Any]:
    terms = products(x)
    terms[3], terms[17] = tf.tanh(x), x
    return terms


def kept(x: Any, y: Any) -> list[Any]:
    terms = products(x)
    return [tf.add_n(terms), terms[5]]


def waited_for(x: Any, y: Any) -> Any:
    terms = products(x)
    with tf.control_dependencies([terms[5].op]):
        return tf.add_n([tf.add_n(terms), x])


def in_a_loop(x: Any, y: Any) -> Any:
    return tf.while_loop(lambda i, s: i < 3, lambda i, s: (i + 1, tf.add_n(products(s / 8.0))), (tf.constant(0), x))[1]


def in_a_branch(x: Any, y: Any) -> Any:
    return tf.cond(tf.reduce_sum(y) > 100.0, lambda: x, lambda: tf.add_n(products(x)))


# From a matrix and a vector: what is fetched, and how many products, sums, differences ... the plan has then.
ROWS: dict[str, tuple[Callable[[Any, Any], Any], int]] = {
    "scalars": (lambda x, y: tf.add_n(products(x)), 0),
    "vectors": (lambda x, y: tf.add_n(products(x, VECTORS)), 0),
    "matrices": (lambda x, y: tf.add_n(products(y, MATRICES)), 0),
    "no ranks alike": (lambda x, y: tf.add_n([y * v for v in VECTORS]), 0),
    "two kinds in turn": (lambda x, y: tf.add_n([t for p in zip(products(x), products(-x)) for t in p]), 0),  # noqa: B905
    "of another kind beside": (lambda x, y: tf.add_n(beside(x, y)), 0),
    "of terms in their turn": (lambda x, y: tf.add_n([tf.square(y - x * c) / 2.0 for c in FACTORS]), 0),
    "the constant first": (lambda x, y: tf.add_n([c - tf.maximum(y, c * x) for c in FACTORS]), 0),
    "of terms of another rank": (lambda x, y: tf.add_n([tf.maximum(x, c * y) for c in FACTORS]), 40),
    "packed": (lambda x, y: tf.stack(products(x)), 0),
    "some packed": (lambda x, y: tf.stack(beside(x, y)), 0),
    "packed along another axis": (lambda x, y: tf.stack(products(x), 1), 20),
    "few": (lambda x, y: tf.add_n(products(x, FACTORS[:7])), 7),
    "most of other kinds": (lambda x, y: tf.add_n([*products(x, FACTORS[:9]), *[tf.tanh(x)] * 10]), 9),
    "one is fetched too": (kept, 1),
    "one is waited for, which changes nothing": (waited_for, 0),
    "one used twice": (lambda x, y: tf.add_n([*(t := products(x)), t[2]]), 1),
    "in a loop": (in_a_loop, 2),
    "in a branch": (in_a_branch, 0),
    "one element": (lambda x, y: tf.add_n(products(x[:1, 0])), 20),
    "of open size": (lambda x, y: tf.add_n(products(tf.boolean_mask(y, y > 0))), 20),
    "large": (lambda x, y: tf.add_n(products(tf.tile(x, [20, 20]))), 20),
    "integers": (lambda x, y: tf.add_n([tf.cast(x * 9.0, tf.int32) * i for i in range(2, 12)]), 1),
    "gradients": (lambda x, y: tf.gradients(tf.add_n([tf.square(y * c) for c in FACTORS]), y), 0),
}


def run(build: Callable[[Any, Any], Any], level: Any) -> tuple[list[Any], list[Any]]:
    """What is fetched, and the nodes of the plan."""
    options = tf.ConfigProto()
    options.graph_options.optimizer_options.opt_level = level
    with tf.Graph().as_default(), tf.Session(config=options) as session:
        x, y = tf.placeholder(tf.float32, [3, 4]), tf.placeholder(tf.float32, [4])
        made = build(x, y)
        fetches = list(made) if isinstance(made, (list, tuple)) else [made]
        found = [session.run(fetches, {x: X, y: Y}) for _ in range(3)]
        for again in found[1:]:
            for a, b in zip(found[0], again, strict=True):
                np.testing.assert_array_equal(a, b)
        (request,) = session._cache.values()
    return found[0], [node for node in request.plan.nodes if node.known is None]


_COUNTED = frozenset("Mul Sub Add AddV2 RealDiv Square Maximum".split())


@pytest.mark.parametrize("name", ROWS)
def test_row(name: str) -> None:
    build, left = ROWS[name]
    stacked, nodes = run(build, tf.OptimizerOptions.L1)
    plain, all_nodes = run(build, tf.OptimizerOptions.L0)
    for a, b in zip(stacked, plain, strict=True):
        assert (a.dtype, a.shape) == (b.dtype, b.shape)
        np.testing.assert_array_equal(a, b)
    assert sum(node.type in _COUNTED for node in all_nodes) >= 7
    assert sum(node.type in _COUNTED for node in nodes) == left, [node.type for node in nodes]


def test_a_fetched_stack_belongs_to_the_caller() -> None:
    with tf.Graph().as_default(), tf.Session() as session:
        x = tf.placeholder(tf.float32, [4])
        packed = tf.stack(products(x))
        first = session.run(packed, {x: Y})
        first[...] = 0
        np.testing.assert_array_equal(session.run(packed, {x: Y})[2], Y * np.float32(FACTORS[2]))


def test_many_are_added_in_the_order_of_tensorflow() -> None:
    """To the last bit, however many there are and however small."""
    oracle = tensorflow().compat.v1
    counts, shapes = (3, 8, 9, 10, 16, 17, 25, 40), ((), (1,), (3,), (2, 300))
    fed = [RNG.normal(size=(max(counts), *shape)).astype(np.float32) for shape in shapes]

    def build(module: Any) -> tuple[list[Any], list[Any]]:
        feeds = [module.placeholder(module.float32, value.shape) for value in fed]
        return feeds, [module.add_n(module.unstack(feed[:count])) for feed in feeds for count in counts]

    with oracle.Graph().as_default(), oracle.Session(config=config()) as session:
        feeds, sums = build(oracle)
        wanted = session.run(sums, dict(zip(feeds, fed, strict=True)))
    with tf.Graph().as_default(), tf.Session() as session:
        feeds, sums = build(tf)
        for a, b in zip(session.run(sums, dict(zip(feeds, fed, strict=True))), wanted, strict=True):
            np.testing.assert_array_equal(a, b)
