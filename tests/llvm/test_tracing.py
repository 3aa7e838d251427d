"""The loop of an optimizer changes its variables as the optimizer's own formula does, to the bit."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest

import runstep as tf
from runstep.kernels.llvm import library, loop
from runstep.kernels.llvm.tracing import loop_of
from runstep.kernels.numpy import training_ops
from runstep.ops.training_ops import OPTIMIZERS

pytestmark = pytest.mark.skipif(not library.is_there(), reason="LLVM isn't installed (pip install llvmlite)")

NUMPY_ONLY = {
    "ProximalGradientDescent": "looks whether l1 is positive",
    "ProximalAdagrad": "looks whether l1 is positive",
    "AdagradDA": "looks whether l1 is positive; its step is an integer",
    "Ftrl": "looks at the power",
    "FtrlV2": "looks at the power",
    "PowerSign": "exp",
}
CASES = [
    (name, flag)
    for name, (_, _, attr) in OPTIMIZERS.items()
    if name not in NUMPY_ONLY
    for flag in ((False, True) if attr else (None,))
]


def formula(name: str, flag: bool | None) -> Any:
    update = training_ops._UPDATES[name]
    return update if flag is None else partial(update, **{OPTIMIZERS[name][2].partition(":")[0]: flag})


@pytest.mark.parametrize("dtype", (np.float32, np.float64))
@pytest.mark.parametrize(("name", "flag"), CASES)
def test_a_formula(name: str, flag: bool | None, dtype: Any) -> None:
    slot_names, rest_names, _ = OPTIMIZERS[name]
    slots, rest = slot_names.split(), rest_names.split()
    rng, size = np.random.default_rng(1), 1003
    arrays: list[Any] = [rng.random(size).astype(dtype) for _ in slots]
    values: list[Any] = [
        rng.normal(size=size).astype(dtype) if one in ("grad", "delta") else dtype(0.1 + 0.8 * rng.random())
        for one in rest
    ]
    update = formula(name, flag)
    made = loop_of(update, len(slots), [np.dtype(dtype)] * (len(slots) + len(rest)))
    assert made is not None
    kinds = "".join(loop.FULL if np.ndim(x) else loop.ONE for x in (*arrays, *values))
    native = made.native(kinds, loop._WORTH)
    assert native is not None
    wanted = [array.copy() for array in arrays]
    places = [np.ascontiguousarray(value) for value in values]
    for _ in range(3):
        update(*wanted, *values)
        native(*(x.ctypes.data for x in (*arrays, *places)), 1, size)
    for found, want in zip(arrays, wanted, strict=True):
        np.testing.assert_array_equal(found, want)


@pytest.mark.parametrize("name", NUMPY_ONLY)
def test_what_looks_at_a_value_stays_in_numpy(name: str) -> None:
    slots, rest, attr = OPTIMIZERS[name]
    dtypes: list[Any] = [np.dtype(np.float32)] * len(slots.split() + rest.split())
    if "global_step" in rest.split():
        dtypes[-1] = np.dtype(np.int64)
    assert loop_of(formula(name, False if attr else None), len(slots.split()), dtypes) is None


def test_half_and_complex_numbers_stay_in_numpy() -> None:
    for dtype in (np.float16, np.complex64):
        assert loop_of(training_ops.gradient_descent, 1, [np.dtype(dtype)] * 3) is None


def train(use_resource: bool) -> Any:
    with tf.Graph().as_default(), tf.Session() as session:
        start = np.random.default_rng(2).normal(size=(50, 100)).astype(np.float32)
        w = tf.get_variable("w", initializer=start, use_resource=use_resource)
        loss = tf.reduce_sum(tf.square(tf.sin(w)))
        steps = tf.train.AdamOptimizer(0.1).minimize(loss)
        session.run(tf.global_variables_initializer())
        for _ in range(4):
            session.run(steps)
        return session.run(w)


@pytest.mark.parametrize("use_resource", (False, True))
def test_training_is_the_same(monkeypatch: pytest.MonkeyPatch, use_resource: bool) -> None:
    monkeypatch.setattr(loop, "_compiled", {})
    wanted = train(use_resource)
    assert not loop._compiled
    monkeypatch.setattr(loop, "_WORTH", 0)
    monkeypatch.setattr(training_ops, "_TILE", 1024)
    np.testing.assert_array_equal(train(use_resource), wanted)
    assert len(loop._compiled) == 1


def test_chains_that_are_alike_share_their_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "_compiled", {})
    dtypes = [np.dtype(np.float32)] * 3
    first, second = (loop_of(training_ops.gradient_descent, 1, dtypes) for _ in range(2))
    assert first is not None and second is not None and second.native("FOF", 1) is None
    native = first.native("FOF", loop._WORTH)
    assert native is not None and second.native("FOF", 1) is native and second.native("FFF", 1) is None
    zeros = [loop.Step(None, number=number) for number in (np.float32(0.0), np.float32(-0.0), np.float64(0.0))]
    assert len(set(zeros)) == 3
