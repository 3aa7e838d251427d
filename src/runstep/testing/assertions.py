"""The assertions of absl's test case, which TensorFlow's has too: on containers, numbers and texts."""

from __future__ import annotations

import re
import threading
import unittest
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

__all__: list[str] = []


class ContainerAssertions(unittest.TestCase):
    """`unittest.TestCase` with absl's assertions (source: absl.testing.absltest.TestCase)."""

    __test__ = False

    def _unless(self, holds: bool, what: str, msg: str | None) -> None:
        if not holds:
            self.fail(f"{msg} : {what}" if msg else what)

    def assertEmpty(self, container: Any, msg: str | None = None) -> None:  # noqa: N802
        """Nothing is in it."""
        self._unless(not len(container), f"{container!r} has length of {len(container)}.", msg)

    def assertNotEmpty(self, container: Any, msg: str | None = None) -> None:  # noqa: N802
        """Something is in it."""
        self._unless(bool(len(container)), f"{container!r} has length of 0.", msg)

    def assertLen(self, container: Any, expected_len: int, msg: str | None = None) -> None:  # noqa: N802
        """So many items are in it."""
        found = len(container)
        self._unless(found == expected_len, f"{container!r} has length of {found}, expected {expected_len}.", msg)

    def assertItemsEqual(self, expected_seq: Any, actual_seq: Any, msg: str | None = None) -> None:  # noqa: N802
        """The same items, as often, in any order."""
        self.assertCountEqual(expected_seq, actual_seq, msg)

    def assertSameElements(self, expected_seq: Any, actual_seq: Any, msg: str | None = None) -> None:  # noqa: N802
        """The same items, however often, in any order."""
        expected, actual = list(expected_seq), list(actual_seq)
        missing = [item for item in expected if item not in actual]
        more = [item for item in actual if item not in expected]
        self._unless(not missing and not more, f"Missing: {missing!r}; unexpected: {more!r}", msg)

    def assertContainsSubset(  # noqa: N802
        self, expected_subset: Iterable[Any], actual_set: Iterable[Any], msg: str | None = None
    ) -> None:
        """All of the first are in the second."""
        missing = set(expected_subset) - set(actual_set)
        self._unless(not missing, f"Missing elements {missing}", msg)

    def assertNoCommonElements(self, expected_seq: Any, actual_seq: Any, msg: str | None = None) -> None:  # noqa: N802
        """Nothing is in both."""
        common = set(expected_seq) & set(actual_seq)
        self._unless(not common, f"Common elements {common}", msg)

    def assertSequenceAlmostEqual(  # noqa: N802
        self,
        expected_seq: Sequence[Any],
        actual_seq: Sequence[Any],
        places: int | None = None,
        msg: str | None = None,
        delta: float | None = None,
    ) -> None:
        """Numbers are nearly equal, one by one."""
        near: Any = self.assertAlmostEqual
        self.assertEqual(len(expected_seq), len(actual_seq), msg)
        for one, other in zip(expected_seq, actual_seq, strict=True):
            near(one, other, places=places, msg=msg, delta=delta)

    def assertDictAlmostEqual(  # noqa: N802
        self,
        expected: Mapping[Any, Any],
        actual: Mapping[Any, Any],
        places: int | None = None,
        msg: str | None = None,
        delta: float | None = None,
    ) -> None:
        """The same keys, with numbers that are nearly equal."""
        near: Any = self.assertAlmostEqual
        self.assertEqual(expected.keys(), actual.keys(), msg)
        for key, value in expected.items():
            near(value, actual[key], places=places, msg=msg, delta=delta)

    def assertBetween(self, value: Any, minv: Any, maxv: Any, msg: str | None = None) -> None:  # noqa: N802
        """It is neither below the first nor above the second."""
        self._unless(minv <= value <= maxv, f'"{value!r}" unexpectedly not between "{minv!r}" and "{maxv!r}"', msg)

    def assertTotallyOrdered(self, *groups: Iterable[Any]) -> None:  # noqa: N802
        """What is in a group is below what is in the next."""
        for lower, upper in zip(groups, groups[1:], strict=False):
            for one in lower:
                for other in upper:
                    self.assertLess(one, other)
                    self.assertGreater(other, one)

    def assertSequenceStartsWith(self, prefix: Sequence[Any], whole: Sequence[Any], msg: str | None = None) -> None:  # noqa: N802
        """The second begins with the items of the first."""
        self._unless(len(prefix) > 0, "Prefix must contain at least one element.", msg)
        self.assertSequenceEqual(list(prefix), list(whole[: len(prefix)]), msg)

    def assertContainsInOrder(self, strings: Sequence[str], target: str, msg: str | None = None) -> None:  # noqa: N802
        """The text holds these, one behind the other."""
        at = 0
        for text in [strings] if isinstance(strings, str) else strings:
            at = target.find(text, at)
            self._unless(at >= 0, f"Did not find {text!r} in order in {target!r}", msg)
            at += len(text)

    def assertEndsWith(self, actual: str, expected_end: str, msg: str | None = None) -> None:  # noqa: N802
        self._unless(actual.endswith(expected_end), f"{actual!r} does not end with {expected_end!r}", msg)

    def assertNotStartsWith(self, actual: str, unexpected_start: str, msg: str | None = None) -> None:  # noqa: N802
        self._unless(not actual.startswith(unexpected_start), f"{actual!r} does start with {unexpected_start!r}", msg)

    def assertNotEndsWith(self, actual: str, unexpected_end: str, msg: str | None = None) -> None:  # noqa: N802
        self._unless(not actual.endswith(unexpected_end), f"{actual!r} does end with {unexpected_end!r}", msg)

    def assertRegexMatch(self, actual_str: str, regexes: Sequence[str], message: str | None = None) -> None:  # noqa: N802
        """One of the patterns is found in the text."""
        if isinstance(regexes, str):
            raise ValueError("regexes is string or bytes; use assertRegex instead.")
        found = any(re.search(pattern, actual_str, re.DOTALL | re.MULTILINE) for pattern in regexes)
        self._unless(found, f"String {actual_str!r} matches none of {list(regexes)!r}", message)

    def assertRaisesWithLiteralMatch(  # noqa: N802
        self,
        expected_exception: Any,
        expected_exception_message: str,
        callable_obj: Callable[..., Any] | None = None,
        *args: Any,
        **kwargs: Any,
    ) -> Any:
        """What is called, or what is inside of the `with` block, raises this with exactly this text."""
        pattern = rf"\A{re.escape(expected_exception_message)}\Z"
        if callable_obj is None:
            return self.assertRaisesRegex(expected_exception, pattern)
        return self.assertRaisesRegex(expected_exception, pattern, callable_obj, *args, **kwargs)

    def checkedThread(self, target: Callable[..., Any], args: Any = None, kwargs: Any = None) -> CheckedThread:  # noqa: N802
        """A thread whose error is the test's: `join` raises it."""
        return CheckedThread(target, args or (), kwargs or {})


class CheckedThread(threading.Thread):
    """A thread that keeps what its function raised, for `join`."""

    def __init__(self, target: Callable[..., Any], args: Any, kwargs: Any) -> None:
        super().__init__(daemon=True)
        self._call: Callable[[], Any] = lambda: target(*args, **kwargs)
        self._error: BaseException | None = None

    def run(self) -> None:
        try:
            self._call()
        except BaseException as error:  # noqa: BLE001 - whatever it is, who joins gets it
            self._error = error

    def join(self, timeout: float | None = None) -> None:
        super().join(timeout)
        if self._error is not None:
            raise AssertionError(f"Error in checkedThread: {self._error}") from self._error
