"""Datasets in sessions: what comes out, in order, is what TensorFlow gives; so are the errors (S85)."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import runstep as tf
from runstep.testing import oracle

Build = Callable[[Any], Any]


def drained(module: Any, build: Build, one_shot: bool = False) -> list[Any]:
    """All elements of two passes; an error is its class and the first line of what it says."""
    out: list[Any] = []
    with module.Graph().as_default():
        data = module.data
        dataset = build(module)
        make = data.make_one_shot_iterator if one_shot else data.make_initializable_iterator
        iterator = make(dataset)
        element = iterator.get_next()
        out.append(str(data.get_output_types(iterator)))
        out.append(re.sub(r"Dimension\((\w+)\)", r"\1", repr(data.get_output_shapes(iterator))))
        with module.Session() as sess:
            for _ in range(1 if one_shot else 2):
                _pass(module, sess, out, element, None if one_shot else iterator.initializer)
    return out


def _pass(module: Any, sess: Any, out: list[Any], element: Any, initializer: Any) -> None:
    try:
        if initializer is not None:
            sess.run(initializer)
    except module.errors.OpError as error:
        out.append(type(error).__name__)
        return
    for _ in range(40):
        try:
            out.append(sess.run(element))
        except module.errors.OutOfRangeError:
            out.append("end")
            return
        except module.errors.OpError as error:
            out.append(type(error).__name__)
            if isinstance(error, module.errors.NotFoundError):
                return


def same(ours: list[Any], theirs: list[Any]) -> None:
    assert len(ours) == len(theirs), (ours, theirs)
    for a, b in zip(ours, theirs, strict=True):
        assert _like(a) == _like(b)


def _like(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _like(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return tuple(map(_like, value))
    if isinstance(value, np.ndarray | np.generic):
        return str(value.dtype), value.shape, value.tolist()
    return type(value).__name__, value


def inverse(tf: Any, x: Any) -> Any:
    return tf.check_numerics(1.0 / tf.cast(x - 1, tf.float32), "bad")


def scaled(tf: Any, by: Any) -> Any:
    return D(tf).range(3).map(lambda x: x * by)


def D(tf: Any) -> Any:  # noqa: N802 - a class, by its module
    return tf.data.Dataset


ROWS: dict[str, Build] = {
    "tensors": lambda tf: D(tf).from_tensors((np.arange(3), {"a": 1.5, "b": "text"})).repeat(2),
    "slices": lambda tf: D(tf).from_tensor_slices({"x": np.ones((3, 2), np.float32), "y": ["a", "b", "c"]}),
    "range": lambda tf: D(tf).range(5, 0, -2),
    "range of int32": lambda tf: D(tf).range(2, output_type=tf.int32),
    "range by nothing": lambda tf: D(tf).range(5, 0, 0),
    "map": lambda tf: D(tf).range(4).map(lambda x: (x, x * 2)),
    "map of a tuple": lambda tf: D(tf).from_tensor_slices(([1, 2], [3.0, 4.0])).map(lambda a, b: {"b": b, "a": a}),
    "map in parallel": lambda tf: D(tf).range(4).map(lambda x: x * x, num_parallel_calls=2),
    "map to a list": lambda tf: D(tf).range(2).map(lambda x: [x, x + 1]),
    "map that captures": lambda tf: scaled(tf, tf.constant(3, tf.int64)),
    "map that fails": lambda tf: D(tf).range(4).map(lambda x: inverse(tf, x)),
    "errors ignored": lambda tf: (
        D(tf).range(4).map(lambda x: inverse(tf, x)).apply(tf.data.experimental.ignore_errors())
    ),
    "filter": lambda tf: D(tf).range(6).filter(lambda x: tf.equal(x % 2, 0)),
    "take while": lambda tf: D(tf).range(6).apply(tf.data.experimental.take_while(lambda x: x < 3)),
    "flat map": lambda tf: D(tf).range(4).flat_map(lambda x: D(tf).from_tensors(x).repeat(x)),
    "interleave": lambda tf: (
        D(tf).range(5).interleave(lambda x: D(tf).from_tensors(x).repeat(x), cycle_length=2, block_length=2)
    ),
    "interleave in parallel": lambda tf: (
        D(tf).range(5).interleave(lambda x: D(tf).range(x), cycle_length=3, num_parallel_calls=2)
    ),
    "scan": lambda tf: (
        D(tf).range(4).apply(tf.data.experimental.scan(tf.constant(0, tf.int64), lambda s, x: (s + x, s * x)))
    ),
    "batch": lambda tf: D(tf).range(5).map(lambda x: (x, tf.as_string(x))).batch(2),
    "whole batches": lambda tf: D(tf).range(5).batch(2, drop_remainder=True),
    "batch of nothing": lambda tf: D(tf).range(4).batch(0),
    "batch of unlike shapes": lambda tf: D(tf).range(4).map(lambda x: tf.range(x)).batch(2),
    "padded batch": lambda tf: D(tf).range(4).map(lambda x: tf.fill([x], x)).padded_batch(2, padded_shapes=[None]),
    "padded to a size": lambda tf: (
        D(tf)
        .range(4)
        .map(lambda x: (tf.fill([x], tf.as_string(x)), x))
        .padded_batch(2, padded_shapes=([5], []), padding_values=("-", None), drop_remainder=True)
    ),
    "padded too little": lambda tf: D(tf).range(4).map(lambda x: tf.fill([x], x)).padded_batch(2, padded_shapes=[1]),
    "unbatch": lambda tf: D(tf).from_tensors(([1, 2], ["a", "b"])).apply(tf.data.experimental.unbatch()),
    "window": lambda tf: D(tf).range(9).window(3, shift=2, stride=2).flat_map(lambda d: d.batch(3)),
    "windows apart": lambda tf: D(tf).range(9).window(2, shift=3, drop_remainder=True).flat_map(lambda d: d.batch(3)),
    "take": lambda tf: D(tf).range(5).take(2).concatenate(D(tf).range(3).take(-1)),
    "skip": lambda tf: D(tf).range(5).skip(3).concatenate(D(tf).range(3).skip(-1)),
    "shard": lambda tf: D(tf).range(5).shard(2, 1),
    "shard outside": lambda tf: D(tf).range(5).shard(2, tf.constant(2, tf.int64)),
    "concatenate": lambda tf: D(tf).from_tensors([1, 2]).concatenate(D(tf).from_tensors([3])),
    "zip": lambda tf: D(tf).zip((D(tf).range(3), {"a": D(tf).range(5)})),
    "enumerate": lambda tf: D(tf).from_tensor_slices(["a", "b"]).enumerate(3),
    "unique": lambda tf: D(tf).from_tensor_slices([1, 2, 1]).apply(tf.data.experimental.unique()),
    "empty without end": lambda tf: D(tf).range(0).repeat(),
    "prefetch": lambda tf: D(tf).range(3).prefetch(2),
    "cache": lambda tf: D(tf).range(3).map(lambda x: x + 1).cache().repeat(2),
    "shuffle": lambda tf: D(tf).range(9).shuffle(4, seed=5),
    "shuffle all": lambda tf: D(tf).range(9).shuffle(100, seed=7),
    "shuffle and repeat": lambda tf: D(tf).range(4).apply(tf.data.experimental.shuffle_and_repeat(3, 3, seed=5)),
    "shuffle, repeat": lambda tf: D(tf).range(4).shuffle(4, seed=5).repeat(3),
    "shuffle once": lambda tf: D(tf).range(4).shuffle(4, seed=5, reshuffle_each_iteration=False).repeat(3),
    "shuffle batches": lambda tf: D(tf).range(7).shuffle(3, seed=2).batch(3).repeat(2),
    "shuffle in none": lambda tf: D(tf).range(4).shuffle(0),
    "map and batch": lambda tf: D(tf).range(5).apply(tf.data.experimental.map_and_batch(lambda x: x + 1, 2)),
    "numpy": lambda tf: D(tf).range(3).map(lambda x: tf.py_func(lambda v: v + 1, [x], tf.int64)),
    "branches": lambda tf: D(tf).range(4).map(lambda x: tf.cond(x > 1, lambda: x * 10, lambda: x)),
    "no file": lambda tf: tf.data.TFRecordDataset("/nonexistent"),
    "no match": lambda tf: D(tf).list_files("/nonexistent*"),
}


@pytest.mark.parametrize("row", ROWS)
def test_elements_are_tensorflows(row: str) -> None:
    same(drained(tf, ROWS[row]), drained(oracle.tensorflow().compat.v1, ROWS[row]))


@pytest.mark.parametrize("row", ["map that captures", "flat map", "shuffle", "cache", "map that fails"])
def test_one_shot_iterators_start_by_themselves(row: str) -> None:
    same(drained(tf, ROWS[row], one_shot=True), drained(oracle.tensorflow().compat.v1, ROWS[row], one_shot=True))
