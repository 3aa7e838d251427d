"""Random ops whose stream is a variable: the numbers and the state afterwards are TensorFlow's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from runstep.testing.stateful import compare

FLOATS = ("StatefulUniform", "StatefulStandardNormalV2", "StatefulTruncatedNormal")
BY_HAND = dict.fromkeys(
    [*FLOATS, "RngReadAndSkip", "RngSkip", "StatefulUniformInt", "StatefulUniformFullInt", "StatefulRandomBinomial"],
    "programs in this file",
)
STATES = ([5, 0, 7], [-5, -1, -7], [2**63 - 1, 3, 1 << 40])


def state(api: Any, value: Any = STATES[1]) -> Any:
    return api.resource(np.array(value, np.int64), "int64", name=f"s{len(api.log)}")


@pytest.mark.parametrize("value", STATES, ids=str)
def test_reading_moves_the_counter_on(value):
    def program(api):
        r = state(api, value)
        for delta in (3, 0, 2**64 - 1):
            api.run(api.op("RngReadAndSkip", r, 1, delta))
            api.read(r, "int64")
        for delta in (3, -3):
            api.run(api.op("RngSkip", r, 3, delta))
            api.read(r, "int64")

    compare(program)


@pytest.mark.parametrize("op", FLOATS)
def test_floats(op):
    def program(api):
        r = state(api)
        for dtype in ("float32", "float64"):
            for shape in ([], [5], [0], [3, 7]):
                api.run(api.op(op, r, 1, np.array(shape, np.int64), dtype=dtype))
        api.run(api.op(op, r, 3, api.hidden([4], "int32")))
        api.read(r, "int64")

    compare(program, rtol=5e-7, atol=5e-7)


def test_short_floats_and_integers_are_bit_for_bit_tensorflows():
    def program(api):
        r = state(api)
        for dtype in ("float16", "bfloat16"):
            api.run(api.op("StatefulUniform", r, 1, [5], dtype=dtype))
        for dtype in ("int32", "int64"):
            low, high = np.array([-3, 300], dtype)
            api.run(api.op("StatefulUniformInt", r, 1, [5], low, high))
            api.run(api.op("StatefulRandomBinomial", r, 1, [5, 2], 90.0, np.array([0.1, 0.6]), dtype=dtype))
        for dtype in ("int32", "int64", "uint32", "uint64"):
            api.run(api.op("StatefulUniformFullInt", r, 1, [3], dtype=dtype))
        api.read(r, "int64")

    compare(program, rtol=0)


def test_refusals():
    def program(api):
        r = state(api)
        for algorithm in (2, 9, api.hidden([1], "int64")):
            api.run(api.op("RngSkip", r, algorithm, 3))
            api.run(api.op("StatefulUniform", r, algorithm, [3]))
        api.run(api.op("RngReadAndSkip", r, api.hidden([1]), 3))
        api.run(api.op("RngReadAndSkip", r, 1, api.hidden([3], "uint64")))
        api.run(api.op("RngSkip", r, 1, api.hidden([3], "int64")))
        for shape in (np.array([-1], np.int64), api.hidden([3], "float32")):
            api.run(api.op("StatefulUniform", r, 1, shape))
        for shape, *bounds in ([[0], 9, 3], [[5], 9, 3], [[5], [3], 9], [[5], 3, [9]]):
            low, high = (api.hidden(bound, "int64") for bound in bounds)
            api.run(api.op("StatefulUniformInt", r, 1, shape, low, high))
        api.build("StatefulUniformInt", r, 1, [5], np.array([3]), np.int64(9))
        api.build("StatefulUniform", r, 1, 3)
        api.build("RngSkip", r, 1, [3])
        api.build("RngReadAndSkip", r, [1], 3)
        for value in ([5, 0], [[5, 0, 7]], 5):
            api.run(api.op("RngReadAndSkip", state(api, value), 1, 3))
        short = api.resource([5, 0, 7], "int32", name="short")
        api.run(api.op("RngSkip", short, 1, 3))
        api.run(api.op("RngSkip", api.op("VarHandleOp", shape=[3], dtype="int64", shared_name="new"), 1, 3))
        api.read(r, "int64")

    compare(program)
