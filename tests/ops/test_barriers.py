"""Barriers: values and texts against TensorFlow, and who waits for whom."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from runstep import errors
from runstep.graph import dtypes
from runstep.ops.barriers import Barrier
from runstep.testing.bench import Bench, compare

F, N, S = "float32", "int32", "string"
TYPES = [F, N]


@pytest.fixture
def bench() -> Iterator[Bench]:
    bench = Bench()
    with bench.graph.as_default():
        yield bench


def test_against_tensorflow() -> None:
    def program(api: Any) -> None:
        def make(**more: Any) -> Any:
            return api.op("Barrier", **{"component_types": TYPES, "shapes": [[], [2]], "shared_name": "b", **more})

        b = make()

        def insert(index: int, keys: Any, values: Any) -> None:
            inputs = api.hidden(keys, S), api.hidden(values)
            api.run(api.op("BarrierInsertMany", b, *inputs, component_index=index))

        def take(count: Any, **attrs: Any) -> None:
            made = api.op("BarrierTakeMany", b, api.hidden(count), component_types=TYPES, **attrs)
            api.run([made.indices, made.keys, *made[2]] if hasattr(made, "indices") else [made[0], made[1], *made[2]])

        def sizes() -> None:
            api.run(api.op("BarrierReadySize", b))
            api.run(api.op("BarrierIncompleteSize", b))

        insert(0, ["a", "b", "c"], [1.0, 2.0, 3.0])
        sizes()
        insert(1, ["c", "a"], [[1, 1], [2, 2]])
        sizes()
        take(1)
        take(1)
        sizes()
        insert(0, ["b"], [9.0])
        insert(0, ["e", "b", "f"], [9.0, 9.0, 9.0])
        insert(1, ["e"], [[7, 7]])
        take(1)
        insert(0, ["a"], [9.0])
        insert(0, ["q"], [1])
        insert(1, ["b", "a"], [[3, 3], [4, 4]])
        take(2)
        api.run(api.op("BarrierTakeMany", b, api.hidden(1), component_types=[F])[0])
        insert(0, ["x", "y"], [1.0, 2.0])
        insert(1, ["y"], [[5, 5]])
        api.run(api.op("BarrierClose", b))
        insert(0, ["new"], [1.0])
        insert(1, ["x"], [[6, 6]])
        sizes()
        take(3)
        take(0)
        take([1])
        take(1, timeout_ms=5)
        take(3, allow_small_batch=True, wait_for_incomplete=True)
        take(3, allow_small_batch=True)
        take(1)
        take(0)
        take(1, allow_small_batch=True)
        api.run(api.op("BarrierClose", b))
        api.run(api.op("BarrierClose", b, cancel_pending_enqueues=True))
        api.run(api.op("BarrierClose", b, cancel_pending_enqueues=True))
        insert(0, ["zz"], [1.0])
        for more in (
            {"component_types": [N], "shapes": [[]]},
            {"shapes": [[], [3]]},
            {"shapes": [], "shared_name": "none"},
            {"capacity": 3, "shared_name": "limited"},
            {"shapes": [[], [None]], "shared_name": "open"},
        ):
            api.run(api.op("BarrierReadySize", make(**more)))
        api.build("BarrierInsertMany", b, api.constant(["a"]), api.constant([1.0, 2.0]), component_index=0)
        api.build("BarrierInsertMany", b, api.constant([["a"]]), api.constant([1.0, 2.0]), component_index=0)

    compare(program)


def test_what_tensorflow_lets_pass(bench: Bench) -> None:
    barrier = Barrier([dtypes.float32], [()])
    for call in (lambda: barrier.insert_many(2, ["a"], [1.0]), lambda: barrier.take_many(-1)[0]):
        with pytest.raises(errors.InvalidArgumentError, match="out of range 2|requested -1 < 0"):
            bench.run(call())


class Pairs:
    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.barrier = Barrier([dtypes.float32, dtypes.int32], [(), ()], shared_name="pairs")

    def insert(self, index: int, **values: Any) -> None:
        self.bench.run(self.barrier.insert_many(index, list(values), list(values.values())))

    def take(self, count: int, small: bool = False) -> Any:
        return self.bench.start(self.barrier.take_many(count, allow_small_batch=small)[1])


def test_take_waits_for_all_components(bench: Bench) -> None:
    pairs = Pairs(bench)
    take = pairs.take(2)
    pairs.insert(0, a=1.0, b=2.0)
    pairs.insert(1, b=2)
    assert not take.woken
    assert bench.resources.nbytes == 12
    pairs.insert(1, a=1)
    indices, keys, floats, ints = take.resume()
    assert sorted(zip(keys.tolist(), floats.tolist(), ints.tolist(), strict=True)) == [(b"a", 1.0, 1), (b"b", 2.0, 2)]
    assert bench.resources.nbytes == 0


def test_closed_barrier_waits_for_incomplete_elements(bench: Bench) -> None:
    pairs = Pairs(bench)
    pairs.insert(0, a=1.0)
    bench.run(pairs.barrier.close())
    take = pairs.take(1)
    with pytest.raises(errors.OutOfRangeError, match=r"\(requested 0, total size 0\)"):
        pairs.take(1, small=True).result()
    assert not take.woken
    pairs.insert(1, a=1)
    assert take.resume()[1].tolist() == [b"a"]


def test_close_ends_those_who_wait(bench: Bench) -> None:
    pairs = Pairs(bench)
    take = pairs.take(1)
    bench.run(pairs.barrier.close())
    with pytest.raises(errors.OutOfRangeError, match="is closed and has insufficient elements"):
        take.resume()


def test_close_with_cancel_drops_what_is_incomplete(bench: Bench) -> None:
    pairs = Pairs(bench)
    pairs.insert(0, a=1.0, b=2.0)
    pairs.insert(1, a=1)
    bench.run(pairs.barrier.close(cancel_pending_enqueues=True))
    assert bench.run([pairs.barrier.ready_size(), pairs.barrier.incomplete_size()]) == [1, 0]
    with pytest.raises(errors.CancelledError, match="Pending enqueues cancelled: 1"):
        pairs.insert(1, b=2)
    with pytest.raises(errors.OutOfRangeError, match=r"\(requested 2, total size 1\)"):
        pairs.take(2).result()
    assert pairs.take(2, small=True).result()[1].tolist() == [b"a"]


def test_cancelled_take_gives_back(bench: Bench) -> None:
    pairs = Pairs(bench)
    take = pairs.take(1)
    pairs.insert(0, a=1.0)
    pairs.insert(1, a=1)
    take.cancel(errors.CancelledError(None, None, ""))
    assert pairs.take(1).result()[1].tolist() == [b"a"]


def test_static_shapes(bench: Bench) -> None:
    barrier = Barrier([dtypes.float32], [(2,)])
    indices, keys, (value,) = barrier.take_many(3)
    assert [t.shape.as_list() for t in (indices, keys, value)] == [[3], [3], [3, 2]]
    indices, keys, (value,) = barrier.take_many(3, allow_small_batch=True)
    assert value.shape.as_list() == [None, 2]
