"""Optionals against TensorFlow: made, asked, opened, and as AddN and ZerosLike take them."""

from __future__ import annotations

from typing import Any

import pytest

import runstep.kernels.numpy.table  # noqa: F401
from runstep.testing.stateful import compare

BY_HAND = dict.fromkeys(
    (
        *("OptionalFromValue", "OptionalNone", "OptionalHasValue", "OptionalGetValue"),
        *("CompositeTensorVariantFromComponents", "CompositeTensorVariantToComponents"),
    ),
    "a variant cannot be fed or fetched",
)


def _parts(api: Any, optional: Any) -> Any:
    return api.op("OptionalGetValue", optional, output_types=["float32", "string"], output_shapes=[[2], []])


def _pair(api: Any) -> Any:
    return api.op("OptionalFromValue", [api.hidden([1.0, 2.0]), api.hidden("a")])


def test_parts_come_back() -> None:
    def program(api: Any) -> None:
        optional = _pair(api)
        api.run(api.op("OptionalHasValue", optional))
        for part in _parts(api, optional):
            api.run(part)

    compare(program)


def test_nothing_has_no_parts() -> None:
    def program(api: Any) -> None:
        optional = api.op("OptionalNone")
        api.run(api.op("OptionalHasValue", optional))
        api.run(_parts(api, optional)[0])

    compare(program, texts=True)


def test_zeros_like() -> None:
    def program(api: Any) -> None:
        numbers = api.op("OptionalFromValue", [api.hidden([1.0, 2.0]), api.hidden(3)])
        zeros = api.op("ZerosLike", numbers)
        for part in api.op("OptionalGetValue", zeros, output_types=["float32", "int32"], output_shapes=[[2], []]):
            api.run(part)
        api.run(_parts(api, api.op("ZerosLike", _pair(api)))[0])  # strings have no zero here
        api.run(api.op("OptionalHasValue", api.op("ZerosLike", api.op("OptionalNone"))))

    compare(program)


@pytest.mark.parametrize("full", [(True, True), (False, False), (True, False)])
def test_sums(full: tuple[bool, bool]) -> None:
    def program(api: Any) -> None:
        optionals = [
            api.op("OptionalFromValue", [api.hidden([1.0, 2.0])]) if one else api.op("OptionalNone") for one in full
        ]
        total = api.op("AddN", optionals)
        api.run(api.op("OptionalHasValue", total))
        api.run(api.op("OptionalGetValue", total, output_types=["float32"], output_shapes=[[2]])[0])

    compare(program)


def test_composite_tensors_come_back_in_parts() -> None:
    def program(api: Any) -> None:
        encoded = api.op("CompositeTensorVariantFromComponents", [api.hidden([1.0, 2.0]), api.hidden("a")], metadata="")
        for kinds in (["float32", "string"], ["float32"], ["float32", "float32"]):
            parts = api.op("CompositeTensorVariantToComponents", encoded, metadata="", Tcomponents=kinds)
            for part in parts:
                api.run(part)
        optional = api.op("OptionalNone")
        api.run(api.op("CompositeTensorVariantToComponents", optional, metadata="", Tcomponents=["float32"])[0])

    compare(program)
