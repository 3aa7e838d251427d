"""The assertions on containers, numbers and texts that `tf.test.TestCase` has from absl."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import runstep as tf

HOLDS: list[tuple[str, tuple[Any, ...], tuple[Any, ...]]] = [
    ("assertEmpty", ([],), ([1],)),
    ("assertNotEmpty", ([1],), ([],)),
    ("assertLen", ([1, 2], 2), ([1, 2], 3)),
    ("assertItemsEqual", ([1, 2, 2], [2, 1, 2]), ([1, 2, 2], [1, 1, 2])),
    ("assertSameElements", ([1, 2, 2], [2, 1]), ([1, 2], [1, 3])),
    ("assertContainsSubset", ([1], [1, 2]), ([3], [1, 2])),
    ("assertNoCommonElements", ([1], [2]), ([1], [1, 2])),
    ("assertSequenceAlmostEqual", ([1.0, 2.0], [1.0, 2.0 + 1e-9]), ([1.0], [1.1])),
    ("assertDictAlmostEqual", ({"a": 1.0}, {"a": 1.0 + 1e-9}), ({"a": 1.0}, {"a": 1.1})),
    ("assertBetween", (2, 1, 3), (4, 1, 3)),
    ("assertTotallyOrdered", ([1], [2, 3]), ([2], [2, 3])),
    ("assertSequenceStartsWith", ([1], [1, 2]), ([2], [1, 2])),
    ("assertContainsInOrder", (["a", "c"], "abc"), (["c", "a"], "abc")),
    ("assertEndsWith", ("abc", "bc"), ("abc", "ab")),
    ("assertNotStartsWith", ("abc", "bc"), ("abc", "ab")),
    ("assertNotEndsWith", ("abc", "ab"), ("abc", "bc")),
    ("assertRegexMatch", ("abc", ["x", "b."]), ("abc", ["x", "y"])),
]


@pytest.mark.parametrize(("name", "good", "bad"), HOLDS, ids=[row[0] for row in HOLDS])
def test_an_assertion_holds_and_fails(name: str, good: tuple[Any, ...], bad: tuple[Any, ...]) -> None:
    check: Callable[..., None] = getattr(tf.test.TestCase(), name)
    check(*good)
    with pytest.raises(AssertionError):
        check(*bad)


def test_a_literal_text_is_matched_whole() -> None:
    case = tf.test.TestCase()
    with case.assertRaisesWithLiteralMatch(ValueError, "a.b"):
        raise ValueError("a.b")
    with pytest.raises(AssertionError), case.assertRaisesWithLiteralMatch(ValueError, "a.b"):
        raise ValueError("axb")


def test_a_checked_thread_hands_on_its_error() -> None:
    case = tf.test.TestCase()
    thread = case.checkedThread(lambda: case.assertLen([], 1))
    thread.start()
    with pytest.raises(AssertionError, match="Error in checkedThread"):
        thread.join()
