"""The time of the run."""

from __future__ import annotations

import time

import numpy as np
import pytest

import runstep
from runstep.testing import oracle

BY_HAND = {"Timestamp": "never the same: tests/ops/test_timestamp.py"}


def test_each_step_asks_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """TensorFlow's dtype, shape, node and seconds; a step's value is not known beforehand, or kept."""
    api = oracle.tensorflow().compat.v1
    with api.Graph().as_default(), api.Session() as session:
        theirs = api.timestamp()
        began = time.time()
        seen = session.run(theirs)
        assert began - 1 <= seen <= time.time() + 1
    now = runstep.timestamp()
    assert (now.name, now.op.type, now.dtype.name, now.shape.as_list()) == (
        theirs.name, theirs.op.type, theirs.dtype.name, theirs.shape.as_list(),
    )  # fmt: skip
    clock = iter([10.5, 20.25])
    with runstep.Session() as session:
        monkeypatch.setattr(time, "time", lambda: next(clock))
        first, second = session.run(now), session.run([now, now + 1.0])
    assert (first, second) == (10.5, [20.25, 21.25]) and first.dtype == seen.dtype == np.float64
