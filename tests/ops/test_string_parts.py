"""Splits, n-grams and joins of strings agree with TensorFlow."""

from __future__ import annotations

import pytest

import runstep.kernels.numpy.string_parts  # noqa: F401
from runstep import errors
from runstep.ops import (  # noqa: F401
    arithmetic,
    comparison,
    creation,
    cumulative,
    histogram,
    joining,
    reduction,
    shape_ops,
    slicing,
    string_parts,
)
from runstep.testing import case, check, ints, of, strings
from runstep.testing.building import compare_graphs

INVALID = errors.InvalidArgumentError
TEXT = of(["a b c", "", " x  y ", "a,b;c,", ",;", "é中", " \t\n"])
TAGS = of(["a<>b<>c", "<>", "<><>", "", "a"])
LETTERS = of(["a", "b", "c", "d", "e", "f"])
PADS = {"separator": "|", "left_pad": "LP", "right_pad": "RP"}


def ngrams(splits, widths, pad_width=0, preserve=False, error=None, data=LETTERS, **attrs):
    return case(
        "StringNGrams",
        data,
        splits,
        error=error,
        ngram_widths=widths,
        pad_width=pad_width,
        preserve_short_sequences=preserve,
        **{**PADS, **attrs},
    )


CASES = [
    *[
        case("StringSplit", TEXT, of(separator), skip_empty=skip)
        for separator in [" ", "", ",;", "\n ", "é"]
        for skip in (True, False)
    ],
    case("StringSplit", strings(0), " "),
    case("StringSplit", strings(2), of([",", ";"]), error=INVALID),
    case("StringSplit", strings(2), of([","]), error=ValueError),
    case("StringSplit", strings(), " ", error=INVALID),
    *[case("StringSplitV2", TEXT, "", maxsplit=most) for most in (-2, -1, 0, 1, 2)],
    *[case("StringSplitV2", TAGS, "<>", maxsplit=most) for most in (-2, -1, 0, 1, 2)],
    case("StringSplitV2", strings(0), ""),
    case("StringSplitV2", strings(1, 2), "", error=INVALID),
    case("StringSplitV2", strings(2), of([" "]), error=INVALID),
    ngrams([0, 4, 6], [3]),
    *[ngrams([0, 4, 6], [3], pad) for pad in (-1, 1, 2, 5)],
    ngrams([0, 4, 6], [2, 3], 1),
    ngrams([0, 4, 6], []),
    ngrams([0, 0, 6], [1, 2]),
    ngrams(of([0], "int64"), [3], data=strings(0)),
    ngrams(of([], "int32"), [3], data=strings(0)),
    *[
        ngrams(splits, widths, pad, True)
        for splits in ([0, 1, 6], [0, 0, 6], [0, 2, 2, 6])
        for widths in ([3], [2, 3], [3, 2], [5, 3], [7], [7, 9], [9, 7])
        for pad in (-1, 0, 1, 2)
    ],
    ngrams([0, 2, 6], [], 1, True),
    ngrams([0, 2, 6], [], -1, True, error=INVALID),
    *[ngrams(splits, [2], error=INVALID) for splits in ([0, 4, 7], [0, 4, 3, 6], [1, 4, 6], [0, 4, 5])],
    ngrams([0, 6], [0], error=INVALID),
    case("ReduceJoin", strings(2, 3), 0),
    case("ReduceJoin", strings(2, 3), -1, separator="--"),
    case("ReduceJoin", strings(2, 3), [0, 1]),
    case("ReduceJoin", strings(2, 3), [1, 0], keep_dims=True),
    case("ReduceJoin", strings(2, 3), of([], "int32")),
    case("ReduceJoin", strings(2, 3, 2), [2, 0], separator="."),
    case("ReduceJoin", strings(2, 3, 2), [-1, 1], keep_dims=True),
    case("ReduceJoin", strings(2, 3), [[0]]),
    case("ReduceJoin", strings(), of([], "int32")),
    case("ReduceJoin", strings(2, 0), 1),
    case("ReduceJoin", strings(2, 0), 0),
    case("ReduceJoin", strings(0), 0),
    case("ReduceJoin", strings(2), 1, error=errors.OutOfRangeError),
    case("ReduceJoin", strings(2), 1, error=ValueError),
    case("ReduceJoin", strings(), 0, error=errors.OutOfRangeError),
    case("ReduceJoin", strings(2, 2), [0, -2], error=INVALID),
    case("UnsortedSegmentJoin", strings(3), [1, 0, 1], 3, separator="-"),
    case("UnsortedSegmentJoin", strings(2, 2), [0, 0], 1, separator=":"),
    case("UnsortedSegmentJoin", strings(2, 3), [[0, 1, 1], [1, 0, 3]], 4),
    case("UnsortedSegmentJoin", strings(1, 2, 2), ints(1, 2, high=2), 2),
    case("UnsortedSegmentJoin", strings(0), of([], "int32"), 2),
    case("UnsortedSegmentJoin", strings(2), [0, 0], 0, error=INVALID),
    case("UnsortedSegmentJoin", strings(3), [1, -1, 1], 2, error=INVALID),
    case("UnsortedSegmentJoin", strings(3), [1, 5, 1], 2, error=INVALID),
    case("UnsortedSegmentJoin", strings(1), [0], -1, error=INVALID),
    case("UnsortedSegmentJoin", strings(), 0, 1, error=INVALID),
    case("UnsortedSegmentJoin", strings(2, 2), [0], 1, error=INVALID),
    case("UnsortedSegmentJoin", strings(2, 2), [0], 1, error=ValueError),
    case("UnsortedSegmentJoin", strings(2), [0, 0], [1], error=INVALID),
]


@pytest.mark.parametrize("row", CASES, ids=str)
def test_ops(row):
    check(row)


BUILDERS = [
    lambda tf: tf.string_split(tf.placeholder("string", [2])),
    lambda tf: tf.string_split(["a b"], delimiter=","),
    lambda tf: tf.string_split(["a b"], sep="", name="x", skip_empty=False),
    lambda tf: tf.string_split(["a b"], sep=" ", delimiter=" "),
    lambda tf: tf.string_split(["a b"], result_type="dense"),
    lambda tf: tf.string_split(tf.placeholder("string", [2]), result_type="RaggedTensor"),
    lambda tf: tf.reduce_join(tf.placeholder("string", [2, 3])),
    lambda tf: tf.reduce_join(tf.placeholder("string")),
    lambda tf: tf.reduce_join([["a"]], reduction_indices=[1, 0]),
    lambda tf: tf.reduce_join([["a"]], 1, keep_dims=True, separator="-", name="x"),
]


@pytest.mark.parametrize("index", range(len(BUILDERS)))
def test_graph_is_tensorflows(index):
    compare_graphs(BUILDERS[index], [string_parts])


SPLITS = [
    lambda split, tf: split(tf.placeholder("string", [2]), ","),
    lambda split, tf: split(tf.placeholder("string", [2]), name="x", maxsplit=1),
    lambda split, tf: split(tf.placeholder("string", []), ","),
    lambda split, tf: split(tf.placeholder("string", [1]), ",", result_type="RaggedTensor"),
]


@pytest.mark.parametrize("index", range(len(SPLITS)))
def test_graph_of_strings_split_is_tensorflows(index):
    compare_graphs(
        lambda tf: SPLITS[index](tf.string_split_v2, tf),
        [string_parts],
        lambda tf: SPLITS[index](tf.strings.split, tf),
    )


def test_graph_of_segment_join_is_tensorflows():
    compare_graphs(
        lambda tf: tf.unsorted_segment_join(tf.placeholder("string"), [0], 3),
        [string_parts],
        lambda tf: tf.strings.unsorted_segment_join(tf.placeholder("string"), [0], 3),
    )
