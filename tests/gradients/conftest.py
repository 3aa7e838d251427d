"""Gradients on both libraries: what one program differentiates, both must, to the same nodes and values."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import runstep
from runstep.testing.oracle import tensorflow


class Feeds:
    """Placeholders and what to feed them: `x = put([1.0, 2.0])`."""

    def __init__(self, tf: Any) -> None:
        self.tf = tf
        self.values: dict[Any, Any] = {}

    def __call__(self, value: Any, shape: Any = "full", dtype: Any = np.float32, name: str | None = None) -> Any:
        value = np.asarray(value, dtype)
        placeholder = self.tf.placeholder(
            self.tf.as_dtype(value.dtype), value.shape if isinstance(shape, str) else shape, name=name
        )
        self.values[placeholder] = value
        return placeholder


Program = Callable[[Any, Feeds], Any]


@contextlib.contextmanager
def version_one() -> Iterator[Any]:
    """TensorFlow as a version 1 program sees it; put back to what it was at the end."""
    real = tensorflow().compat.v1
    real.logging.set_verbosity(real.logging.FATAL)
    with contextlib.ExitStack() as stack:
        for enabled, disable, enable in (
            (real.control_flow_v2_enabled, real.disable_control_flow_v2, real.enable_control_flow_v2),
            (real.resource_variables_enabled, real.disable_resource_variables, real.enable_resource_variables),
        ):
            if enabled():
                disable()
                stack.callback(enable)
        real.disable_tensor_equality()
        stack.callback(real.enable_tensor_equality)
        yield real


def parts(result: Any) -> list[Any]:
    """The tensors of a gradient; None for none."""
    if result is None:
        return [None]
    if hasattr(result, "indices"):
        return [result.values, result.indices, result.dense_shape]
    return [result]


def _run(tf: Any, program: Program) -> tuple[list[Any], list[Any]]:
    """What the tensors of a program's results are, and their values."""
    with tf.Graph().as_default() as graph:
        feeds = Feeds(tf)
        results = program(tf, feeds)
        tensors = [part for result in results for part in parts(result)]
        start = tf.global_variables_initializer()
        facts = [
            None if t is None else (t.name, t.dtype.name, None if t.shape.ndims is None else t.shape.as_list())
            for t in tensors
        ]
        with tf.Session(graph=graph) as session:
            session.run(start)
            values = session.run([t for t in tensors if t is not None], feeds.values)
    return facts, values


@pytest.fixture
def same() -> Callable[..., None]:
    """`same(program)`: the gradients that `program(tf, feed)` returns have the same dtypes, shapes and values in both,
    and, unless not `names`, the same names."""

    def check(program: Program, names: bool = True, rtol: float = 1e-5, atol: float = 1e-6) -> None:
        with version_one() as real:
            want, want_values = _run(real, program)
        got, got_values = _run(runstep, program)
        if not names:
            want, got = ([fact and fact[1:] for fact in facts] for facts in (want, got))
        assert got == want
        for ours, theirs in zip(got_values, want_values, strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=rtol, atol=atol)

    return check


@pytest.fixture
def both_raise() -> Callable[..., None]:
    """`both_raise(error, text, program)`: both raise this class, and what they say contains `text`."""

    def check(error: type[Exception], text: str, program: Program) -> None:
        with version_one() as real:
            for tf in (real, runstep):
                with tf.Graph().as_default(), pytest.raises(error, match=text) as caught:
                    program(tf, Feeds(tf))
                assert type(caught.value) is error

    return check


@pytest.fixture
def feeds() -> type[Feeds]:
    """What makes placeholders and notes what to feed them."""
    return Feeds
