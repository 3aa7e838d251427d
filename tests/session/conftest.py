"""`tf`: the same test, once on runstep and once on TensorFlow as a version 1 program sees it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import runstep
from runstep.testing.oracle import tensorflow


@contextlib.contextmanager
def _version_one() -> Iterator[Any]:
    """TensorFlow 1's behaviour, put back to what it was at the end: other tests share the process."""
    real = tensorflow().compat.v1
    with contextlib.ExitStack() as stack:
        for enabled, disable, enable in (
            (real.control_flow_v2_enabled, real.disable_control_flow_v2, real.enable_control_flow_v2),
            (real.resource_variables_enabled, real.disable_resource_variables, real.enable_resource_variables),
            (
                lambda: isinstance(real.TensorShape([1])[0], int),
                real.disable_v2_tensorshape,
                real.enable_v2_tensorshape,
            ),
        ):
            if enabled():
                disable()
                stack.callback(enable)
        real.disable_tensor_equality()
        stack.callback(real.enable_tensor_equality)
        with real.Graph().as_default():
            yield real


@pytest.fixture(params=["runstep", "tensorflow"])
def tf(request: pytest.FixtureRequest) -> Iterator[Any]:
    """The library under test, inside an empty default graph."""
    if request.param == "tensorflow":
        with _version_one() as real:
            yield real
    else:
        with runstep.Graph().as_default():
            yield runstep


@pytest.fixture
def rs() -> Iterator[Any]:
    """runstep alone, inside an empty default graph: where it means to differ from TensorFlow."""
    with runstep.Graph().as_default():
        yield runstep


def _shown(value: Any) -> Any:
    """A result in a form that compares equal between the libraries: types by name, values exactly."""
    if isinstance(value, np.ndarray | np.generic):
        return type(value).__name__, value.dtype.name, value.shape, repr(value.tolist())
    if isinstance(value, dict):
        return type(value).__name__, [(key, _shown(item)) for key, item in value.items()]
    if isinstance(value, list | tuple):
        return type(value).__name__, [_shown(item) for item in value]
    return type(value).__name__, repr(value)


def _outcome(program: Callable[[Any], Any], library: Any) -> Any:
    try:
        return "returned", _shown(program(library))
    except Exception as error:
        # Whatever goes back to numpy says it in numpy's words; our own texts are matched by the tests that cite them.
        return "raised", type(error).__name__


@pytest.fixture
def same() -> Callable[[Callable[[Any], Any]], Any]:
    """`same(program)` runs `program(tf)` on both libraries; fails unless the results, or error classes, agree."""

    def check(program: Callable[[Any], Any]) -> Any:
        with runstep.Graph().as_default():
            ours = _outcome(program, runstep)
        with _version_one() as real:
            theirs = _outcome(program, real)
        assert ours == theirs
        return ours

    return check
