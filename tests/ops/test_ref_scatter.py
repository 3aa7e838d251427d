"""Changing rows and slices of ref and resource variables, against TensorFlow."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from runstep.testing.stateful import compare

TABLE = np.arange(1, 13).reshape(4, 3)
NUMBERS = [
    "float16",
    "bfloat16",
    "float32",
    "float64",
    "int8",
    "uint8",
    "int16",
    "uint16",
    "int32",
    "uint32",
    "int64",
    "uint64",
]


BY_HAND = {
    f"{resource}{op}": "programs in this file"
    for resource in ("", "Resource")
    for op in (
        "StridedSliceAssign",
        *[f"Scatter{kind}" for kind in ("Add", "Sub", "Mul", "Div", "Min", "Max", "Update")],
        *[f"ScatterNd{kind}" for kind in ("Add", "Sub", "Min", "Max", "Update")],
    )
}


def on_both_kinds(api: Any, op: str, value: Any, dtype: str, *rest: Any, **attrs: Any) -> None:
    """Runs an op on a ref variable, and its Resource twin on a resource variable."""
    api.run(api.op(op, api.variable(value, dtype), *rest, **attrs))
    handle = api.resource(value, dtype)
    node = api.op(f"Resource{op}", handle, *rest, **attrs)
    api.run(node)
    api.read(handle, dtype)


@pytest.mark.parametrize("kind", ["Add", "Sub", "Mul", "Div", "Min", "Max", "Update"])
@pytest.mark.parametrize("dtype", NUMBERS)
def test_scatter(kind: str, dtype: str) -> None:
    updates = np.arange(2, 11).reshape(3, 3)

    def program(api: Any) -> None:
        if (kind, dtype) in {(k, d) for k in ("Min", "Max") for d in NUMBERS if "8" in d or "u" in d or d == "int16"}:
            return  # the op def of the ref twin does not allow these
        on_both_kinds(api, f"Scatter{kind}", TABLE, dtype, [1, 3, 1], api.constant(updates, dtype))
        on_both_kinds(api, f"Scatter{kind}", TABLE, dtype, api.constant([[0], [2]], "int64"), api.constant(2, dtype))
        on_both_kinds(api, f"Scatter{kind}", TABLE, dtype, 2, api.constant(updates[0], dtype))
        if "u" not in dtype:
            on_both_kinds(api, f"Scatter{kind}", [-7, 7], dtype, [0, 1], api.constant([2, 2], dtype))
        on_both_kinds(api, f"Scatter{kind}", [7, 8], dtype, api.hidden([], "int32"), api.hidden([], dtype))

    compare(program, rtol=1e-2 if dtype == "bfloat16" else 1e-6)


@pytest.mark.parametrize("dtype,value", [("string", "abcd"), ("bool", [True, False, True, False])])
def test_update_of_other_dtypes(dtype: str, value: Any) -> None:
    def program(api: Any) -> None:
        on_both_kinds(api, "ScatterUpdate", list(value), dtype, [1, 0], api.constant(list(value[2:]), dtype))
        on_both_kinds(api, "ScatterUpdate", list(value), dtype, [1, 0], api.constant(value[0], dtype))
        on_both_kinds(api, "ScatterNdUpdate", list(value), dtype, [[1], [0]], api.constant(list(value[2:]), dtype))

    compare(program)


@pytest.mark.parametrize("kind", ["Add", "Sub", "Mul", "Min", "Update"])
def test_rows_named_many_times(kind: str) -> None:
    rng = np.random.default_rng(0)
    indices = rng.integers(0, 4, 200)
    updates = (rng.random((200, 3)) * 0.2 + 0.9).astype(np.float32)

    def program(api: Any) -> None:
        on_both_kinds(api, f"Scatter{kind}", TABLE, "float32", indices, updates)
        on_both_kinds(api, f"Scatter{kind}", TABLE, "float32", indices[:20], updates[:20])
        on_both_kinds(api, f"Scatter{kind}", TABLE, "float32", indices[:20], np.float32(1.5))

    compare(program, rtol=1e-5)


def test_scatter_refuses() -> None:
    def program(api: Any) -> None:
        # TensorFlow has changed the rows before the bad index by then, runstep none: only errors are compared.
        for indices, updates in (([0, 5], [1.0, 2.0]), ([[0, -1]], [[1.0, 2.0]]), (7, 1.0)):
            for v, op in (api.variable([1.0, 2.0]), "ScatterAdd"), (api.resource([1.0, 2.0]), "ResourceScatterAdd"):
                api.run(api.op(op, v, indices, updates))
        v, r = api.variable([1.0, 2.0, 3.0]), api.resource([1.0, 2.0, 3.0])
        for op, target in (("ScatterAdd", v), ("ResourceScatterAdd", r)):
            api.build(op, target, [0, 1], [1.0, 2.0, 3.0])
            api.run(api.op(op, target, api.hidden([0, 1]), api.hidden([1.0, 2.0, 3.0])))
            api.run(api.op(op, target, api.hidden([0, 1]), api.hidden([[1.0, 2.0, 3.0]])))
        api.build("ScatterAdd", api.variable(1.0), [0], [1.0])
        scalar = api.variable(1.0, shape=None)
        api.build("ScatterUpdate", scalar, api.hidden([0]), api.hidden([1.0]))
        api.run(v)
        api.read(r)

    compare(program, texts=True)


@pytest.mark.parametrize("kind", ["Update", "Add", "Sub", "Min", "Max"])
@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16", "int8", "uint64", "int32"])
def test_scatter_nd(kind: str, dtype: str) -> None:
    op = f"ScatterNd{kind}"

    def program(api: Any) -> None:
        on_both_kinds(api, op, TABLE, dtype, [[1, 1], [3, 2], [0, 0]], api.constant([5, 9, 1], dtype))
        on_both_kinds(api, op, TABLE, dtype, [[[1]], [[3]]], api.constant(TABLE[:2, None] * 2, dtype))
        on_both_kinds(
            api, op, TABLE[:, 0], dtype, api.constant([[1], [1], [1]], "int64"), api.constant([2, 3, 4], dtype)
        )
        on_both_kinds(api, op, TABLE, dtype, [[1, 1], [9, 2]], api.constant([5, 9], dtype), bad_indices_policy="IGNORE")
        for indices, policy in (([[0, 3]], ""), ([[1, -1]], "ERROR"), ([[1, 1]], "X")):
            rest = indices, api.constant([5], dtype)
            api.run(api.op(op, api.variable(TABLE, dtype), *rest, bad_indices_policy=policy))
            api.run(api.op(f"Resource{op}", api.resource(TABLE, dtype), *rest, bad_indices_policy=policy))

    compare(program, texts=True)


def test_scatter_nd_refuses() -> None:
    def program(api: Any) -> None:
        for indices, updates in (
            ([[1, 1], [0, 0]], [50.0, 60.0, 70.0]),
            ([[1, 1, 1], [0, 0, 0]], [50.0, 60.0]),
            ([[1], [0]], [[50.0], [60.0]]),
        ):
            v, r = api.variable(TABLE[:2]), api.resource(TABLE[:2])
            api.build("ScatterNdAdd", v, indices, updates)
            api.build("ResourceScatterNdAdd", r, indices, updates)
            api.run(api.op("ScatterNdAdd", v, api.hidden(indices), api.hidden(updates)))
            api.run(api.op("ResourceScatterNdAdd", r, api.hidden(indices), api.hidden(updates)))
        empty = api.resource(np.zeros((0,), np.float32))
        api.run(api.op("ResourceScatterNdUpdate", empty, api.hidden([[0]]), api.hidden([1.0])))

    compare(program)


def test_strided_slice_assign() -> None:
    def program(api: Any) -> None:
        def both(begin: Any, end: Any, strides: Any, value: Any, **masks: int) -> None:
            on_both_kinds(api, "StridedSliceAssign", TABLE, "float32", begin, end, strides, value, **masks)

        both([0, 1], [2, 3], [1, 1], [[9.0, 8.0], [7.0, 6.0]])
        both([0, 1], [2, 3], [1, 1], 9.0)
        both([0, 1], [2, 3], [1, 1], [9.0, 8.0])
        both([3, 0], [0, 3], [-2, 1], api.hidden([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]))
        both([1], [2], [1], [9.0, 8.0, 7.0], shrink_axis_mask=1)
        both([1, 2], [2, 3], [1, 1], 5.0, shrink_axis_mask=3)
        both([0, 0], [0, 2], [1, 1], [[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]], new_axis_mask=1)
        both([0, 1], [0, 2], [1, 1], 5.0, ellipsis_mask=1)
        both(api.hidden([0, 1]), api.hidden([2, 3]), api.hidden([1, 1]), api.hidden(4.0))
        both([0, 1], [2, 3], [1, 1], api.hidden([[9.0, 8.0, 7.0]]))
        both(api.hidden([4]), api.hidden([5]), [1], [9.0, 8.0, 7.0], shrink_axis_mask=1)

    compare(program, texts=True)
