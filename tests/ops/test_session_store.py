"""Tensors kept in the session: handles, use, deletion."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from runstep import errors
from runstep.graph import dtypes
from runstep.graph.apply import apply
from runstep.kernels.session_store import store_of
from runstep.ops import table as table  # rows
from runstep.testing.bench import DEVICE, Bench, compare


@pytest.fixture
def bench() -> Iterator[Bench]:
    bench = Bench()
    with bench.graph.as_default():
        yield bench


def test_keep_use_delete(bench: Bench) -> None:
    value = apply("Placeholder", dtype=dtypes.int32)
    handle = apply("GetSessionHandle", value, name="keep")
    fed = np.array([1, 2], np.int32)
    first = bench.run(handle, {value: fed})
    second = bench.run(handle, {value: np.int32(3)})
    fed[0] = 9
    assert (first, second) == (f"keep;0;{DEVICE}".encode(), f"keep;1;{DEVICE}".encode())
    assert store_of(bench.resources).nbytes == bench.resources.nbytes == 12
    name = apply("Placeholder", dtype=dtypes.string)
    tensor = apply("GetSessionTensor", name, dtype=dtypes.int32)
    assert bench.run(tensor, {name: np.array(first, object)}).tolist() == [1, 2]
    assert bench.run(tensor, {name: np.array(second, object)}) == 3
    delete = apply("DeleteSessionTensor", name)
    bench.run(delete, {name: np.array(first, object)})
    assert bench.resources.nbytes == 4
    for gone in (tensor, delete):
        with pytest.raises(errors.InvalidArgumentError, match="'keep;0;.*' (is not )?in the session store."):
            bench.run(gone, {name: np.array(first, object)})


def test_other_type(bench: Bench) -> None:
    handle = apply("GetSessionHandle", apply("GetSessionHandle", [1.0]))
    with pytest.raises(errors.InvalidArgumentError, match="is string, float was asked for"):
        bench.run(apply("GetSessionTensor", handle, dtype=dtypes.float32))


def test_handle_as_resource(bench: Bench) -> None:
    handle = bench.run(apply("GetSessionHandleV2", [1.0]))
    assert store_of(bench.resources).get(handle.name).tolist() == [1.0]


def test_wrong_handles() -> None:
    def program(api: Any) -> None:
        for handle in ("foo", ["a", "b"]):
            api.run(api.op("GetSessionTensor", api.hidden(handle), dtype="float32"))
            api.run(api.op("DeleteSessionTensor", api.hidden(handle)))
        api.build("GetSessionTensor", api.constant(["a"]), dtype="float32")
        api.build("DeleteSessionTensor", api.constant(["a"]))

    compare(program, texts=False)
