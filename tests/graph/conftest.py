"""Two libraries side by side: what one test builds, both must build alike."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from google.protobuf import text_format

import runstep
from runstep.protos import graph_pb2
from runstep.testing.oracle import tensorflow


@contextlib.contextmanager
def version_one() -> Iterator[Any]:
    """TensorFlow as a version 1 program sees it, in an empty graph; put back to what it was at the end."""
    real = tensorflow().compat.v1
    with contextlib.ExitStack() as stack:
        for enabled, disable, enable in (
            (real.control_flow_v2_enabled, real.disable_control_flow_v2, real.enable_control_flow_v2),
            (real.resource_variables_enabled, real.disable_resource_variables, real.enable_resource_variables),
        ):
            if enabled():
                disable()
                stack.callback(enable)
        stack.enter_context(real.Graph().as_default())
        yield real


@pytest.fixture(params=["runstep", "tensorflow"])
def tf(request: pytest.FixtureRequest) -> Iterator[Any]:
    """The library under test, inside an empty default graph: what holds for TensorFlow holds for us."""
    if request.param == "tensorflow":
        with version_one() as real:
            yield real
    else:
        with runstep.Graph().as_default():
            yield runstep


@pytest.fixture
def rs() -> Iterator[Any]:
    """runstep alone, inside an empty default graph."""
    with runstep.Graph().as_default():
        yield runstep


def graph_def(tf: Any, text: str) -> Any:
    """The GraphDef message of the library that a text says."""
    message = graph_pb2.GraphDef() if tf is runstep else tf.GraphDef()
    return text_format.Parse(text, message)


Build = Callable[[Any], Any]


@pytest.fixture
def both() -> Callable[[Build], tuple[Any, Any]]:
    """Runs a function with each library, each time in an empty graph; returns runstep's answer and TensorFlow's."""

    def run(build: Build) -> tuple[Any, Any]:
        with runstep.Graph().as_default():
            ours = build(runstep)
        with version_one() as real:
            return ours, build(real)

    return run


@pytest.fixture
def parsed() -> Callable[[Any, str], Any]:
    return graph_def
