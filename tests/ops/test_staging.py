"""Staging areas and maps: values and texts against TensorFlow, and who waits for whom."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from runstep import errors
from runstep.graph import dtypes
from runstep.graph.apply import apply
from runstep.testing.bench import Bench, compare

F, N, L = "float32", "int32", "int64"


@pytest.fixture
def bench() -> Iterator[Bench]:
    bench = Bench()
    with bench.graph.as_default():
        yield bench


def test_area_against_tensorflow() -> None:
    def program(api: Any) -> None:
        kind: Any = {"dtypes": [F, N], "shared_name": "a"}

        def stage(number: Any, last: int) -> None:
            api.run(api.op("Stage", [api.hidden(number, F), api.hidden(last)], shared_name="a"))

        api.run(api.op("StageSize", **kind))
        stage(1.0, 1)
        stage([2.0, 3.0], 2)
        api.run(api.op("StageSize", **kind))
        api.run(api.op("StagePeek", api.hidden(1), **kind))
        api.run(api.op("Unstage", **kind))
        api.run(api.op("Unstage", **kind))
        stage(1.0, 1)
        api.run(api.op("StageClear", **kind))
        api.run(api.op("StageSize", **kind))
        api.run(api.op("Stage", [api.hidden([1.0] * 5)], shared_name="small", memory_limit=10))
        api.run(api.op("Stage", [api.hidden([1.0])], shared_name="typed"))
        api.run(api.op("Unstage", dtypes=[N], shared_name="typed"))

    compare(program)


@pytest.mark.parametrize("kind", ["", "Ordered"])
def test_map_against_tensorflow(kind: str) -> None:
    def program(api: Any) -> None:
        both: Any = {"dtypes": [F, N], "shared_name": "m"}

        def op(name: str, *inputs: Any, **attrs: Any) -> None:
            api.run(api.op(kind + name, *inputs, **{**both, **attrs}))

        def stage(key: int, indices: list[int], *values: Any) -> None:
            op("MapStage", api.hidden(key, L), api.hidden(np.array(indices, np.int32)), [api.hidden(v) for v in values])

        def get(name: str, key: int, indices: list[int], types: list[str]) -> None:
            op(name, api.hidden(key, L), api.hidden(np.array(indices, np.int32)), dtypes=types)

        def sizes() -> None:
            op("MapSize")
            op("MapIncompleteSize")

        sizes()
        stage(3, [0, 1], 1.0, 1)
        stage(1, [0], 2.0)
        sizes()
        stage(1, [0], 2.0)
        stage(1, [1], 7)
        sizes()
        stage(3, [0, 1], 9.0, 9)
        get("MapPeek", 3, [0, 1], [F, N])
        get("MapPeek", 3, [1], [N])
        get("MapUnstage", 3, [1], [N])
        get("MapPeek", 3, [1], [N])
        sizes()
        get("MapUnstage", 3, [0], [F])
        sizes()
        if kind:
            stage(0, [0, 1], 4.0, 4)
            stage(9, [0, 1], 5.0, 5)
            for _ in range(2):
                op("MapUnstageNoKey", api.hidden([0, 1]))
        stage(5, [2], 1.0)
        stage(5, [0, 0], 1.0, 1.0)
        get("MapUnstage", 77, [1, 0], [N, F])
        op("MapUnstageNoKey", api.hidden([1, 0]))
        stage(6, [1], 6)
        stage(6, [0, 1], 4.0, 4)
        sizes()
        get("MapUnstage", 6, [0, 1], [F, N])
        both["capacity"], both["shared_name"] = 1, "full"
        stage(1, [0], 1.0)
        stage(2, [1], 2)
        stage(1, [1], 1)
        stage(2, [0], 2.0)
        sizes()
        op("MapClear")
        sizes()

    compare(program)


class Floats:
    """A staging area of floats and the nodes on it."""

    def __init__(self, bench: Bench, **limits: int) -> None:
        self.bench = bench
        self.kind: Any = {"dtypes": [dtypes.float32], "shared_name": "area", **limits}

    def put(self, value: Any) -> Any:
        return self.bench.start(apply("Stage", [np.array(value, np.float32)], **self.kind))

    def get(self) -> Any:
        return self.bench.start(apply("Unstage", **self.kind)[0])

    def peek(self, index: int) -> Any:
        return self.bench.start(apply("StagePeek", index, **self.kind)[0])

    def size(self) -> int:
        return int(self.bench.run(apply("StageSize", **self.kind)))


def test_get_waits(bench: Bench) -> None:
    area = Floats(bench)
    first, second = area.get(), area.get()
    assert not first.woken
    assert "staging area 0" in first.waiter.reason
    area.put(1)
    assert first.woken and not second.woken
    assert first.resume() == 1
    area.put(2)
    assert second.resume() == 2


def test_peek_waits(bench: Bench) -> None:
    area = Floats(bench)
    area.put(1)
    peek = area.peek(1)
    assert not peek.woken
    area.put(2)
    assert peek.resume() == 2 and area.size() == 2


def test_capacity(bench: Bench) -> None:
    area = Floats(bench, capacity=2)
    area.put(1)
    area.put(2)
    put = area.put(3)
    assert not put.woken and area.size() == 2
    assert area.get().result() == 1
    put.resume()
    assert area.size() == 2


def test_memory_limit(bench: Bench) -> None:
    area = Floats(bench, memory_limit=10)
    area.put([1, 2])
    put = area.put([3])
    assert not put.woken and bench.resources.nbytes == 8
    area.get().result()
    put.resume()
    assert bench.resources.nbytes == 4


def test_cancelled_wait_leaves_everything(bench: Bench) -> None:
    area = Floats(bench, capacity=1)
    get = area.get()
    area.put(1)
    get.cancel(errors.CancelledError(None, None, ""))
    with pytest.raises(errors.CancelledError, match="Unstage operation was cancelled"):
        get.result()
    assert area.size() == 1 and bench.resources.nbytes == 4
    put = area.put(2)
    put.cancel(errors.CancelledError(None, None, ""))
    assert area.get().result() == 1 and area.size() == 0


def test_map_waits_for_its_key(bench: Bench) -> None:
    kind: Any = {"dtypes": [dtypes.float32, dtypes.int32], "shared_name": "m"}

    def stage(key: int, indices: list[int], *values: Any) -> Any:
        return bench.start(apply("MapStage", np.int64(key), np.array(indices, np.int32), list(values), **kind))

    one = bench.start(apply("MapUnstage", np.int64(1), [0, 1], **kind)[0])
    two = bench.start(apply("MapUnstage", np.int64(2), [0, 1], **kind)[0])
    stage(2, [0, 1], 2.0, 2)
    assert two.woken and not one.woken
    stage(1, [0], 1.0)
    assert not one.woken
    stage(1, [1], 1)
    assert [value.tolist() for value in one.resume()] == [1.0, 1]
    assert [value.tolist() for value in two.resume()] == [2.0, 2]


def test_full_map_takes_parts_but_no_more_elements(bench: Bench) -> None:
    kind: Any = {"dtypes": [dtypes.float32, dtypes.int32], "shared_name": "m", "capacity": 1}

    def stage(key: int, indices: list[int], *values: Any) -> Any:
        return bench.start(apply("MapStage", np.int64(key), np.array(indices, np.int32), list(values), **kind))

    stage(1, [0, 1], 1.0, 1)
    whole, part = stage(2, [0, 1], 2.0, 2), stage(3, [0], 3.0)
    assert part.done and not whole.woken
    bench.run(apply("MapUnstage", np.int64(1), [0, 1], **kind)[0])
    whole.resume()
    any_ = bench.run(apply("MapUnstageNoKey", [0, 1], **kind))
    assert any_[0] == 2
