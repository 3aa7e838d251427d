"""Parsing functions build TensorFlow's graphs."""

from __future__ import annotations

import pytest

import runstep.ops.table  # noqa: F401
from runstep.ops import parsing_functions
from runstep.testing.building import Names, compare_graphs


class Io:
    parse_sequence_example = staticmethod(parsing_functions.parse_sequence_example)


Names.io = Io  # type: ignore[attr-defined]


def texts(tf):
    return tf.placeholder("string", [None])


def text(tf):
    return tf.placeholder("string", [])


def many(tf):
    return {
        "a": tf.FixedLenFeature([2], tf.float32),
        "b": tf.VarLenFeature(tf.int64),
        "c/c c": tf.FixedLenFeature([], tf.string, default_value="q"),
        "d": tf.FixedLenSequenceFeature([], tf.int64, allow_missing=True),
        "e": tf.SparseFeature("ix", "vx", tf.float32, 10),
    }


def context(tf):
    return {"a": tf.FixedLenFeature([2], tf.float32), "b": tf.VarLenFeature(tf.int64)}


def lists(tf):
    return {"d": tf.FixedLenSequenceFeature([2], tf.int64), "x": tf.VarLenFeature(tf.string)}


BUILDERS = {
    "many": lambda tf: tf.parse_example(texts(tf), many(tf)),
    "many single": lambda tf: tf.parse_single_example(text(tf), many(tf)),
    "named": lambda tf: tf.parse_example(texts(tf), context(tf), name="x", example_names=["a", "b"]),
    "named single": lambda tf: tf.parse_single_example(text(tf), context(tf), name="x"),
    "default": lambda tf: tf.parse_example(texts(tf), {"a": tf.FixedLenFeature([2, 1], tf.float32, [1.0, 2.0])}),
    "sorted": lambda tf: tf.parse_example(texts(tf), {"e": tf.SparseFeature("i", "v", tf.float32, 3, True)}),
    "indices": lambda tf: tf.parse_example(texts(tf), {"e": tf.SparseFeature(["i", "j"], "v", tf.float32, [3, 4])}),
    "sequences": lambda tf: tf.io.parse_sequence_example(texts(tf), context(tf), lists(tf)),
    "sequence": lambda tf: tf.parse_single_sequence_example(text(tf), context(tf), lists(tf)),
    "sequences only": lambda tf: tf.parse_single_sequence_example(text(tf), None, lists(tf)),
    "no features": lambda tf: tf.parse_example(texts(tf), {}),
    "no length": lambda tf: tf.parse_example(texts(tf), {"a": tf.FixedLenFeature([None], tf.float32)}),
    "no missing": lambda tf: tf.parse_example(texts(tf), {"a": tf.FixedLenSequenceFeature([], tf.float32)}),
    "no feature": lambda tf: tf.parse_example(texts(tf), {"a": 5}),
    "conflict": lambda tf: tf.parse_example(
        texts(tf), {"v": tf.VarLenFeature(tf.int64), "w": tf.SparseFeature("i", "v", tf.float32, 3)}
    ),
}


@pytest.mark.parametrize("name", BUILDERS)
def test_graph_is_tensorflows(name):
    compare_graphs(BUILDERS[name], [parsing_functions])


def test_features_have_tensorflows_defaults():
    feature = parsing_functions.FixedLenFeature([2], "float32")
    assert feature == ([2], "float32", None)
    assert parsing_functions.SparseFeature("i", "v", "float32", 3).already_sorted is False


def test_a_type_is_needed():
    with pytest.raises(ValueError, match="Missing type for feature a"):
        parsing_functions.parse_example(["x"], {"a": parsing_functions.VarLenFeature(None)})
