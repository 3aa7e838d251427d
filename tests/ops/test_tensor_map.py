"""TensorMaps, against TensorFlow."""

from __future__ import annotations

from typing import Any

import pytest

from runstep.testing.stateful import compare

KEYS = [("int32", 2, 3), ("string", "a", "b"), ("float32", [1.0, 2.0], [2.0, 1.0]), ("bool", True, False)]


BY_HAND = dict.fromkeys(
    [
        "EmptyTensorMap",
        "TensorMapSize",
        "TensorMapLookup",
        "TensorMapInsert",
        "TensorMapErase",
        "TensorMapHasKey",
        "TensorMapStackKeys",
    ],
    "programs in this file",
)


def insert(api: Any, handle: Any, key: Any, value: Any, dtype: str | None = None) -> Any:
    return api.op("TensorMapInsert", handle, api.constant(key, dtype), api.constant(value))


@pytest.mark.parametrize("dtype,present,absent", KEYS)
def test_everything_once(dtype: str, present: Any, absent: Any) -> None:
    def program(api: Any) -> None:
        def key(value: Any) -> Any:
            return api.constant(value, dtype)

        empty = api.op("EmptyTensorMap")
        one = insert(api, empty, present, [1.0], dtype)
        two = insert(api, insert(api, one, absent, [5.0, 6.0], dtype), present, [2.0], dtype)
        for handle in (empty, one, two):
            api.run(api.op("TensorMapSize", handle))
            for value in (present, absent):
                api.run(api.op("TensorMapHasKey", handle, key(value)))
                api.run(api.op("TensorMapLookup", handle, key(value), value_dtype="float32"))
                erased = api.op("TensorMapErase", handle, key(value), value_dtype="float32")
                api.run(api.op("TensorMapSize", erased))
        api.run(api.op("TensorMapStackKeys", one, key_dtype=dtype))
        api.run(api.op("TensorMapStackKeys", empty, key_dtype=dtype))

    compare(program)


def test_refuses() -> None:
    def program(api: Any) -> None:
        one = insert(api, api.op("EmptyTensorMap"), 2, [1.0])
        api.run(api.op("TensorMapHasKey", one, api.constant(2, "int64")))
        api.run(api.op("TensorMapLookup", one, 2, value_dtype="int32"))
        api.run(api.op("TensorMapStackKeys", one, key_dtype="int64"))
        api.run(api.op("TensorMapStackKeys", insert(api, one, [5], [1.0]), key_dtype="int32"))
        api.run(api.op("TensorMapStackKeys", insert(api, one, 5, [1.0], "int64"), key_dtype="int32"))
        api.run(api.op("TensorMapLookup", one, 7, value_dtype="float32"))
        api.run(api.op("TensorMapLookup", one, "seven", value_dtype="float32"))

    compare(program, texts=True)
