"""Resource variables, against TensorFlow."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from runstep.testing.stateful import compare

BY_HAND = dict.fromkeys(
    [
        "VarHandleOp",
        "VarIsInitializedOp",
        "ReadVariableOp",
        "AssignVariableOp",
        "AssignAddVariableOp",
        "AssignSubVariableOp",
        "VariableShape",
        "DestroyResourceOp",
        "DisableCopyOnRead",
        "ResourceCountUpTo",
        "ResourceGather",
        "ResourceGatherNd",
    ],
    "programs in this file",
)


def test_assign_read_update() -> None:
    def program(api: Any) -> None:
        r = api.resource([1.0, 2.0])
        api.read(r)
        api.run(api.op("VarIsInitializedOp", r))
        api.run(api.op("AssignAddVariableOp", r, [1.0, 1.0]))
        api.run(api.op("AssignSubVariableOp", r, [0.5, 3.0]))
        api.read(r)
        api.run(api.op("AssignAddVariableOp", r, api.hidden([1.0])))
        api.run(api.op("AssignSubVariableOp", r, api.hidden(1.0)))
        api.run(api.op("AssignVariableOp", r, api.hidden([1.0, 2.0, 3.0]), validate_shape=True))
        api.run(api.op("AssignVariableOp", r, api.hidden([1.0, 2.0, 3.0])))
        api.read(r)
        for out_type in ("int32", "int64"):
            api.run(api.op("VariableShape", r, out_type=out_type))
        api.build("AssignVariableOp", r, [1.0, 2.0, 3.0])
        api.build("AssignAddVariableOp", r, [1, 2])
        api.build("ReadVariableOp", r, dtype="int32")
        api.run(api.op("DisableCopyOnRead", r))

    compare(program, texts=True)


@pytest.mark.parametrize(
    "dtype", ["float16", "bfloat16", "float64", "int8", "uint8", "uint16", "int32", "uint32", "int64", "complex64"]
)
@pytest.mark.parametrize("shape", [(), (3,), (0,)])
def test_updates_of_every_dtype(dtype: str, shape: tuple[int, ...]) -> None:
    def program(api: Any) -> None:
        r = api.resource(np.full(shape, 100), dtype)
        api.run(api.op("AssignAddVariableOp", r, api.constant(np.full(shape, 100), dtype)))
        api.read(r, dtype)

    compare(program)


@pytest.mark.parametrize("dtype,value", [("string", ["a", "b"]), ("bool", [True]), ("string", "x"), ("bool", False)])
def test_other_dtypes(dtype: str, value: Any) -> None:
    def program(api: Any) -> None:
        api.read(api.resource(value, dtype), dtype)

    compare(program)


def test_uninitialized() -> None:
    def program(api: Any) -> None:
        r = api.op("VarHandleOp", shape=[2], dtype="float32", shared_name="r")
        api.run(api.op("VarIsInitializedOp", r))
        api.read(r)
        api.run(api.op("AssignAddVariableOp", r, [1.0, 1.0]))
        api.run(api.op("ResourceGather", r, [0], dtype="float32"))
        api.run(api.op("ResourceGatherNd", r, [[0]], dtype="float32"))
        api.run(api.op("ResourceScatterAdd", r, [0], [1.0]))
        api.run(api.op("ResourceScatterNdAdd", r, [[0]], [1.0]))
        api.run(api.op("VariableShape", r))
        api.run(api.op("DestroyResourceOp", r))
        api.run(api.op("DestroyResourceOp", r, ignore_lookup_error=False))
        api.run(api.op("ResourceStridedSliceAssign", r, [0], [1], [1], 0.0))

    compare(program)


def test_destroyed_and_made_again() -> None:
    def program(api: Any) -> None:
        r = api.resource([1.0, 2.0])
        api.run(api.op("DestroyResourceOp", r, ignore_lookup_error=False))
        api.read(r)
        api.run(api.op("AssignVariableOp", r, [5.0, 6.0]))
        api.read(r)

    compare(program)


def test_names() -> None:
    def program(api: Any) -> None:
        def handle(**attrs: Any) -> Any:
            return api.op("VarHandleOp", shape=[2], dtype=attrs.pop("dtype", "float32"), **attrs)

        a, b = handle(shared_name="s", name="a"), handle(shared_name="s", name="b")
        other = handle(shared_name="s", container="c", name="d")
        nameless, also = handle(name="e"), handle(name="f")
        integers = handle(shared_name="s", dtype="int32", name="g")
        api.run(api.op("AssignVariableOp", a, [1.0, 2.0]))
        api.read(b)
        api.read(other)
        api.run(api.op("AssignVariableOp", nameless, [3.0, 4.0]))
        api.read(also)
        api.run(api.op("AssignVariableOp", integers, [1, 2]))
        api.read(b)

    compare(program)


def test_anonymous() -> None:
    def program(api: Any) -> None:
        name = "cd2c89b7-88b7-44c8-ad83-06c2a9158347"
        handle = api.op("VarHandleOp", shape=[2], dtype="float32", shared_name=name)
        assign = api.op("AssignVariableOp", handle, [1.0, 2.0])
        api.run(api.after(assign, lambda: api.op("ReadVariableOp", handle, dtype="float32")))
        api.read(handle)

    compare(program)


def test_count_up_to() -> None:
    def program(api: Any) -> None:
        for dtype in ("int32", "int64"):
            count = api.op("ResourceCountUpTo", api.resource(0, dtype, name=dtype), limit=2, T=dtype)
            for _ in range(3):
                api.run(count)

    compare(program, texts=True)


def test_gather() -> None:
    def program(api: Any) -> None:
        r = api.resource(np.arange(24).reshape(2, 3, 4))
        for indices in ([1, 0, 1], [[1], [0]], 1, np.zeros((0, 2), np.int32), api.constant([1], "int64")):
            api.run(api.op("ResourceGather", r, indices, dtype="float32"))
        api.run(api.op("ResourceGather", r, [[2, 0], [1, 1]], dtype="float32", batch_dims=1))
        api.run(api.op("ResourceGather", r, api.hidden([[2], [1]]), dtype="float32", batch_dims=1))
        for indices in ([[2]], [0, -1], 5):
            api.run(api.op("ResourceGather", r, indices, dtype="float32"))
        api.build("ResourceGather", api.resource(1.0, name="scalar"), [0], dtype="float32")

    compare(program, texts=True)


def test_gather_nd() -> None:
    def program(api: Any) -> None:
        r = api.resource(np.arange(24).reshape(2, 3, 4))
        for indices in ([[1, 0]], [[[1]], [[0]]], [1, 2, 3], np.zeros((0, 2), np.int32), api.hidden([[1, 2]])):
            api.run(api.op("ResourceGatherNd", r, indices, dtype="float32"))
        for indices in ([[1, 3]], [[-1]], [[1, 2, 3, 4]]):
            api.run(api.op("ResourceGatherNd", r, api.hidden(indices), dtype="float32"))

    compare(program)
