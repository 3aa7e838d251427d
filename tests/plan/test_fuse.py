"""Nodes joined into chains give what they give one by one, and nothing is joined that something else looks at."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import runstep.ops.table  # noqa: F401
from runstep import errors
from runstep.graph.apply import apply
from runstep.graph.graph import Graph
from runstep.kernels import blas
from runstep.kernels.onednn import provider
from runstep.ops.basic import placeholder
from runstep.plan import compile as plan_compile, fuse
from runstep.plan.node import PASS
from runstep.session.session import Session

HALVES = ("half of a prelu", "half of a prelu that does nothing")
RNG = np.random.default_rng(3)
W = RNG.normal(size=(3, 3, 4, 5)).astype(np.float32)
BIAS = RNG.normal(size=5).astype(np.float32)
IMAGE = RNG.normal(size=(1, 7, 6, 4)).astype(np.float32)


def conv(x: Any) -> Any:
    return apply("Conv2D", x, W, strides=[1, 1, 1, 1], padding="SAME")


def gate(x: Any, sixth: float) -> Any:
    return apply("Mul", apply("Mul", x, np.float32(sixth)), apply("Relu6", apply("Add", x, np.float32(3))))


def prelu_by_abs(x: Any, slopes: Any) -> Any:
    below = apply("Mul", apply("Mul", slopes, apply("Sub", x, apply("Abs", x))), np.float32(0.5))
    return apply("AddV2", apply("Relu", x), below)


def half_of_prelu(x: Any) -> Any:
    return apply("Add", apply("Mul", apply("Sub", x, apply("Abs", x)), BIAS), x)


CHAINS = {
    "bias, relu": lambda x: apply("Relu", apply("BiasAdd", conv(x), BIAS)),
    "add, relu6": lambda x: apply("Relu6", apply("Add", BIAS, conv(x))),
    "scale, offset, elu": lambda x: apply("Elu", apply("AddV2", apply("Mul", conv(x), BIAS), BIAS[None, None, None])),
    "sub, leaky": lambda x: apply("LeakyRelu", apply("Sub", conv(x), BIAS), alpha=0.25),
    "reversed sub": lambda x: apply("Sigmoid", apply("Sub", BIAS, conv(x))),
    "gate": lambda x: gate(apply("BiasAdd", conv(x), BIAS), 1 / 6),
    "gate of a feed": lambda x: gate(x, 1 / 6),
    "sum, relu": lambda x: apply("Relu", apply("AddV2", conv(x), conv(apply("Neg", x)))),
    "two consumers": lambda x: (lambda y: apply("AddV2", apply("Relu", y), apply("Tanh", y)))(conv(x)),
    "pool, bias": lambda x: apply(
        "BiasAdd", apply("MaxPool", x, ksize=[1, 2, 2, 1], strides=[1, 2, 2, 1], padding="SAME"), BIAS[:4]
    ),
    "swish": lambda x: (lambda y: apply("Mul", apply("Sigmoid", y), y))(conv(x)),
    "swish of a feed": lambda x: apply("Mul", x, apply("Sigmoid", x)),
    "prelu by abs": lambda x: prelu_by_abs(conv(x), BIAS),
    "prelu of a feed by abs": lambda x: prelu_by_abs(x, BIAS[:4]),
    "prelu by two relus": lambda x: (
        lambda y: apply("Sub", apply("Relu", y), apply("Mul", BIAS, apply("Relu", apply("Neg", y))))
    )(conv(x)),
    "prelu by minimum": lambda x: (
        lambda y: apply("Add", apply("Mul", apply("Minimum", y, np.float32(0)), BIAS), apply("Relu", y))
    )(conv(x)),
    "half of a prelu": lambda x: half_of_prelu(conv(x)),
    "half of a prelu that does nothing": lambda x: half_of_prelu(apply("Relu", conv(x))),
    "leaky by maximum": lambda x: (lambda y: apply("Maximum", apply("Mul", y, np.float32(0.3)), y))(conv(x)),
    "broader constant": lambda x: apply("Add", conv(x), np.ones((7, 6, 5), np.float32)),
}


def run(build: Any, monkeypatch: pytest.MonkeyPatch, fused: bool, also: str | None = None) -> Any:
    if not fused:
        monkeypatch.setattr(plan_compile, "fuse", lambda live, needed: list(live))
        monkeypatch.setattr(plan_compile, "idioms", lambda live, needed: list(live))
    with Graph().as_default() as graph:
        x = placeholder("float32", [None, None, None, 4])
        fetches = [build(x)]
        if also:
            fetches.append(graph.get_tensor_by_name(also))
        with Session(graph=graph) as session:
            return session.run(fetches, {x: IMAGE})


@pytest.mark.parametrize("name", CHAINS)
def test_chain(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    joined = run(CHAINS[name], monkeypatch, True)
    apart = run(CHAINS[name], monkeypatch, False)
    np.testing.assert_allclose(joined[0], apart[0], rtol=1e-5, atol=1e-5)


def test_fetched_values_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    joined = run(CHAINS["bias, relu"], monkeypatch, True, "BiasAdd:0")
    np.testing.assert_allclose(joined[0], np.maximum(joined[1], 0))
    assert joined[1].min() < 0


def test_joins(monkeypatch: pytest.MonkeyPatch) -> None:
    counts = []

    def counting(live: Any, needed: Any) -> Any:
        found = fuse.fuse(live, needed)
        counts.append(sum(node.known is None and node.feed < 0 and node.kernel is not PASS for node in found))
        return found

    monkeypatch.setattr(plan_compile, "fuse", counting)
    monkeypatch.setattr(provider, "get", lambda: None)  # oneDNN joins more
    for name in ("bias, relu", "gate", "two consumers", "swish", "prelu by abs", *HALVES):
        run(CHAINS[name], monkeypatch, True)
    assert counts[0] == 1  # the convolution, with bias and relu
    assert counts[1] == 1
    assert counts[2] >= 3
    assert counts[3:] == [1, 1, 1, 1]


def test_products_inside_of_chains_run_on_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """BLAS is told so by the nodes of a plan, and a chain is one node (a model of chains was forty times slower)."""
    begun = []
    begin = blas._begin
    monkeypatch.setattr(provider, "get", lambda: None)
    monkeypatch.setattr(blas, "_begin", lambda: (begun.append(1), begin()))
    run(CHAINS["bias, relu"], monkeypatch, True)
    assert begun == [1]


def test_small_products_leave_the_threads_of_blas_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """To set them takes as long as a small product; one large product sets them once, until its step is over."""
    begun: list[int] = []
    begin, end = blas._begin, blas._end
    monkeypatch.setattr(blas, "_begin", lambda: (begun.append(1), begin()))
    monkeypatch.setattr(blas, "_end", lambda: (begun.append(-1), end()))
    with Graph().as_default():
        x = placeholder("float32", [None, None])
        total = apply("Sum", apply("MatMul", apply("MatMul", x, x), x), np.int32(0))
        with Session() as session:
            session.run(total, {x: np.ones((4, 4), np.float32)})
            assert begun == []
            np.testing.assert_array_equal(session.run(total, {x: np.ones((64, 64), np.float32)}), [64.0**3] * 64)
            assert begun == [1, -1]
            session.run(total, {x: np.ones((4, 4), np.float32)})
            with pytest.raises(errors.InvalidArgumentError):
                session.run(total, {x: np.ones((64, 65), np.float32)})
    assert begun == [1, -1, 1, -1] and not blas._inside
