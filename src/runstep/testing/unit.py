"""`tf.test.TestCase`: unittest with sessions, and assertions on arrays (source: tf.test.TestCase)."""

from __future__ import annotations

import contextlib
import os
import random
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from runstep import errors
from runstep.graph.composite import IndexedSlicesValue, SparseTensorValue
from runstep.graph.graph import reset_default_graph
from runstep.graph.random_seed import set_random_seed
from runstep.session.default import get_default_session
from runstep.session.session import Session
from runstep.testing.assertions import ContainerAssertions

__all__: list[str] = []

_DEFAULT_SEED = 87654321


class TestCase(ContainerAssertions):
    """A test with a graph and seeds of its own (source: tf.test.TestCase).

    class SquareTest(tf.test.TestCase):
        def test_square(self):
            with self.session():
                self.assertAllClose(tf.square([2.0, 3.0]).eval(), [4.0, 9.0])
    """

    __test__ = False  # of the class itself; those derived from it are tests

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "__test__" not in vars(cls):
            cls.__test__ = True

    def __init__(self, methodName: str = "runTest") -> None:  # noqa: N803 - unittest's name
        super().__init__(methodName)
        self._cached_session: Any = None
        self._temporary: str | None = None

    def setUp(self) -> None:  # noqa: N802
        random.seed(_DEFAULT_SEED)
        np.random.seed(_DEFAULT_SEED)
        reset_default_graph()
        set_random_seed(_DEFAULT_SEED)

    def tearDown(self) -> None:  # noqa: N802
        self._clear_cached_session()
        if self._temporary is not None:
            shutil.rmtree(self._temporary, ignore_errors=True)

    def _clear_cached_session(self) -> None:
        if self._cached_session is not None:
            self._cached_session.close()
            self._cached_session = None

    def get_temp_dir(self) -> str:
        """A folder of the test's own, removed at its end."""
        if self._temporary is None:
            self._temporary = tempfile.mkdtemp(dir=get_temp_dir())
        return self._temporary

    # Sessions.

    @contextlib.contextmanager
    def session(
        self, graph: Any = None, config: Any = None, use_gpu: bool = True, force_gpu: bool = False
    ) -> Iterator[Any]:
        """A new session, the default one inside. There are no GPUs."""
        with Session(graph=graph, config=config) as sess:
            yield sess

    @contextlib.contextmanager
    def cached_session(
        self, graph: Any = None, config: Any = None, use_gpu: bool = True, force_gpu: bool = False
    ) -> Iterator[Any]:
        """The test's one session, which stays open to its end."""
        if self._cached_session is None:
            self._cached_session = Session(graph=graph, config=config)
        with self._cached_session.graph.as_default(), self._cached_session.as_default():
            yield self._cached_session

    def test_session(self, *args: Any, **kwargs: Any) -> Any:
        """As `cached_session`: the old name."""
        if self._testMethodName == "test_session":
            self.skipTest("Not a test.")
        return self.cached_session(*args, **kwargs)

    def evaluate(self, tensors: Any) -> Any:
        """The values of tensors, in a nest, in the default session."""
        sess = get_default_session()
        if sess is None:
            with Session() as sess:
                return sess.run(tensors)
        return sess.run(tensors)

    # Assertions on arrays. What is compared may be tensors.

    def _array(self, value: Any) -> Any:
        if hasattr(value, "graph") or hasattr(value, "op"):
            value = self.evaluate(value)
        if isinstance(value, SparseTensorValue | IndexedSlicesValue):
            return value
        return np.asarray(value)

    def _pairs(self, a: Any, b: Any, path: str = "") -> Iterator[tuple[str, Any, Any]]:
        if isinstance(a, Mapping) or isinstance(b, Mapping):
            self.assertIsInstance(a, Mapping, f"{path or 'a'} is no dict")
            self.assertIsInstance(b, Mapping, f"{path or 'b'} is no dict")
            self.assertCountEqual(a.keys(), b.keys(), f"keys of {path or 'the dicts'}")
            for key in a:
                yield from self._pairs(a[key], b[key], f"{path}[{key!r}]")
            return
        if isinstance(a, list | tuple) and isinstance(b, list | tuple) and any(map(_is_structured, [*a, *b])):
            self.assertEqual(len(a), len(b), f"lengths of {path or 'the lists'}")
            for index, (one, other) in enumerate(zip(a, b, strict=True)):
                yield from self._pairs(one, other, f"{path}[{index}]")
            return
        yield path, self._array(a), self._array(b)

    def assertAllClose(  # noqa: N802
        self, a: Any, b: Any, rtol: float = 1e-6, atol: float = 1e-6, msg: str | None = None
    ) -> None:
        """Arrays, or structures of arrays, agree within `atol + rtol * abs(b)`; NaN agrees with NaN."""
        for path, x, y in self._pairs(a, b):
            self.assertEqual(x.shape, y.shape, f"Shape mismatch: expected {x.shape}, got {y.shape}. {path} {msg or ''}")
            if x.dtype in _ROUGH or y.dtype in _ROUGH:
                rtol, atol = max(rtol, 1e-3), max(atol, 1e-3)
            if not np.allclose(x, y, rtol=rtol, atol=atol, equal_nan=True):
                np.testing.assert_allclose(x, y, rtol=rtol, atol=atol, err_msg=f"{path} {msg or ''}", equal_nan=True)

    def assertAllCloseAccordingToType(  # noqa: N802
        self,
        a: Any,
        b: Any,
        rtol: float = 1e-6,
        atol: float = 1e-6,
        float_rtol: float = 1e-6,
        float_atol: float = 1e-6,
        half_rtol: float = 1e-3,
        half_atol: float = 1e-3,
        bfloat16_rtol: float = 1e-2,
        bfloat16_atol: float = 1e-2,
        msg: str | None = None,
    ) -> None:
        """As `assertAllClose`, with tolerances by type."""
        kinds = {str(x.dtype) for pair in self._pairs(a, b) for x in pair[1:]}
        for names, more_rtol, more_atol in (
            (("float32", "complex64"), float_rtol, float_atol),
            (("float16",), half_rtol, half_atol),
            (("bfloat16",), bfloat16_rtol, bfloat16_atol),
        ):
            if kinds & set(names):
                rtol, atol = max(rtol, more_rtol), max(atol, more_atol)
        self.assertAllClose(a, b, rtol=rtol, atol=atol, msg=msg)

    def assertNotAllClose(self, a: Any, b: Any, rtol: float = 1e-6, atol: float = 1e-6, msg: str | None = None) -> None:  # noqa: N802
        """Somewhere they do not agree."""
        try:
            self.assertAllClose(a, b, rtol=rtol, atol=atol, msg=msg)
        except AssertionError:
            return
        raise AssertionError(f"The two values are close at all elements. {msg or ''}")

    def assertAllEqual(self, a: Any, b: Any, msg: str | None = None) -> None:  # noqa: N802
        """Arrays are equal; NaN equals NaN."""
        x, y = self._array(a), self._array(b)
        self.assertEqual(x.shape, y.shape, f"Shape mismatch: expected {x.shape}, got {y.shape}. {msg or ''}")
        same = x == y
        if x.dtype.kind in "fc" and y.dtype.kind in "fc":
            same = np.logical_or(same, np.logical_and(np.isnan(x), np.isnan(y)))
        if not np.all(same):
            np.testing.assert_array_equal(x, y, err_msg=msg or "")

    def assertNotAllEqual(self, a: Any, b: Any, msg: str | None = None) -> None:  # noqa: N802
        """Arrays differ somewhere."""
        try:
            self.assertAllEqual(a, b)
        except AssertionError:
            return
        raise AssertionError(f"The two values are equal at all elements. {msg or ''}")

    def _all(self, a: Any, holds: Callable[[Any], Any], what: str) -> None:
        value = self._array(a)
        if not np.all(holds(value)):
            raise AssertionError(f"Not all elements are {what}: {value}")

    def assertAllGreater(self, a: Any, comparison_target: Any) -> None:  # noqa: N802
        self._all(a, lambda x: x > comparison_target, f"greater than {comparison_target}")

    def assertAllLess(self, a: Any, comparison_target: Any) -> None:  # noqa: N802
        self._all(a, lambda x: x < comparison_target, f"less than {comparison_target}")

    def assertAllGreaterEqual(self, a: Any, comparison_target: Any) -> None:  # noqa: N802
        self._all(a, lambda x: x >= comparison_target, f"at least {comparison_target}")

    def assertAllLessEqual(self, a: Any, comparison_target: Any) -> None:  # noqa: N802
        self._all(a, lambda x: x <= comparison_target, f"at most {comparison_target}")

    def assertAllInRange(  # noqa: N802
        self,
        target: Any,
        lower_bound: Any,
        upper_bound: Any,
        open_lower_bound: bool = False,
        open_upper_bound: bool = False,
    ) -> None:
        """All elements are in the range, whose ends may be left out."""

        def inside(x: Any) -> Any:
            low = x > lower_bound if open_lower_bound else x >= lower_bound
            high = x < upper_bound if open_upper_bound else x <= upper_bound
            return np.logical_and(low, high)

        self._all(target, inside, f"from {lower_bound} to {upper_bound}")

    def assertAllInSet(self, target: Any, expected_set: Any) -> None:  # noqa: N802
        """All elements are among these."""
        found = set(self._array(target).ravel().tolist())
        if found - set(expected_set):
            raise AssertionError(f"{found - set(expected_set)} is not in {expected_set}")

    def assertNDArrayNear(self, ndarray1: Any, ndarray2: Any, err: float, msg: str | None = None) -> None:  # noqa: N802
        """The norm of the difference is below `err`."""
        distance = np.linalg.norm(self._array(ndarray1) - self._array(ndarray2))
        self.assertTrue(distance < err, f"{ndarray1} != {ndarray2}. {msg or ''}")

    def assertArrayNear(
        self, farray1: Sequence[Any], farray2: Sequence[Any], err: float, msg: str | None = None
    ) -> None:  # noqa: N802
        """Each difference is at most `err`."""
        self.assertEqual(len(farray1), len(farray2), msg)
        for one, other in zip(farray1, farray2, strict=True):
            self.assertNear(float(one), float(other), err, msg)

    def assertNear(self, f1: float, f2: float, err: float, msg: str | None = None) -> None:  # noqa: N802
        """The difference is at most `err`."""
        self.assertTrue(f1 == f2 or abs(f1 - f2) <= err, f"{f1} != {f2} +/- {err}. {msg or ''}")

    # Other assertions.

    def assertShapeEqual(self, input_a: Any, input_b: Any, msg: str | None = None) -> None:  # noqa: N802
        """Two tensors or arrays have one shape."""
        shapes = [x.shape if isinstance(x, np.ndarray) else tuple(x.get_shape().as_list()) for x in (input_a, input_b)]
        self.assertEqual(shapes[0], shapes[1], msg)

    def assertDTypeEqual(self, target: Any, expected_dtype: Any) -> None:  # noqa: N802
        """A value has this dtype."""
        found = target.dtype if hasattr(target, "dtype") else np.asarray(target).dtype
        self.assertTrue(found == expected_dtype, f"expected {expected_dtype}, got {found}")

    def assertProtoEquals(self, expected_message_maybe_ascii: Any, message: Any, msg: str | None = None) -> None:  # noqa: N802
        """Two messages are equal; the expected one may be text."""
        from google.protobuf import text_format

        expected = expected_message_maybe_ascii
        if isinstance(expected, str):
            expected = text_format.Merge(expected, type(message)())
        self.assertEqual(text_format.MessageToString(expected), text_format.MessageToString(message), msg)

    def assertStartsWith(self, actual: str, expected_start: str, msg: str | None = None) -> None:  # noqa: N802
        if not actual.startswith(expected_start):
            self.fail(msg or f"{actual!r} does not start with {expected_start!r}")

    @contextlib.contextmanager
    def assertRaisesWithPredicateMatch(self, exception_type: Any, expected_err_re_or_predicate: Any) -> Iterator[None]:  # noqa: N802
        """What is inside raises this, with a text that the pattern or the function accepts."""
        wanted = expected_err_re_or_predicate
        try:
            yield
        except exception_type as error:
            if callable(wanted):
                accepted = wanted(error)
            else:
                accepted = re.search(wanted, error.message if isinstance(error, errors.OpError) else str(error))
            if not accepted:
                raise AssertionError(f"Exception of type {type(error)}: {error}") from error
            return
        self.fail(f"{getattr(exception_type, '__name__', exception_type)} not raised")

    def assertRaisesOpError(self, expected_err_re_or_predicate: Any) -> Any:  # noqa: N802
        return self.assertRaisesWithPredicateMatch(errors.OpError, expected_err_re_or_predicate)

    def assertDeviceEqual(self, device1: Any, device2: Any, msg: str | None = None) -> None:  # noqa: N802
        """Two names mean one device."""
        from runstep.graph.device import canonical

        self.assertEqual(canonical(device1), canonical(device2), msg)


_ROUGH = (np.dtype(np.float16),)


def _is_structured(item: Any) -> bool:
    return isinstance(item, np.ndarray | Mapping | list | tuple) or hasattr(item, "graph") and not np.isscalar(item)


def get_temp_dir() -> str:
    """A folder for the tests of this process (source: tf.test.get_temp_dir)."""
    folder = os.environ.get("TEST_TMPDIR") or os.path.join(tempfile.gettempdir(), f"runstep-tests-{os.getpid()}")
    os.makedirs(folder, exist_ok=True)
    return folder
