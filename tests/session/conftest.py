"""`tf`: the same test, once on runstep and once on TensorFlow as a version 1 program sees it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest

import runstep
from runstep.testing.oracle import tensorflow


@contextlib.contextmanager
def _version_one() -> Iterator[Any]:
    """TensorFlow 1's behaviour, put back to what it was at the end: other tests share the process."""
    real = tensorflow().compat.v1
    with contextlib.ExitStack() as stack:
        for enabled, disable, enable in (
            (real.executing_eagerly_outside_functions, None, None),
            (real.control_flow_v2_enabled, real.disable_control_flow_v2, real.enable_control_flow_v2),
            (real.resource_variables_enabled, real.disable_resource_variables, real.enable_resource_variables),
        ):
            if disable is not None and enabled():
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
