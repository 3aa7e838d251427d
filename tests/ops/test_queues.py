"""Queues: values and texts against TensorFlow, and who waits for whom, step by step."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from runstep import errors
from runstep.graph import dtypes
from runstep.graph.apply import apply
from runstep.ops import (
    data_flow,
    table as table,  # rows
)
from runstep.testing.bench import Bench, compare
from runstep.testing.building import compare_graphs


@pytest.fixture
def bench() -> Iterator[Bench]:
    bench = Bench()
    with bench.graph.as_default():
        yield bench


# --- against TensorFlow -------------------------------------------------------------------------------------------

F, N, S, L = "float32", "int32", "string", "int64"


@pytest.mark.parametrize("generation", ["", "V2"])
@pytest.mark.parametrize("kind", ["FIFOQueue", "PaddingFIFOQueue", "RandomShuffleQueue"])
def test_elements_and_batches(kind: str, generation: str) -> None:
    more = {"seed": 3, "seed2": 7, "min_after_dequeue": 1} if kind == "RandomShuffleQueue" else {}

    def program(api: Any) -> None:
        def op(name: str, *inputs: Any, **attrs: Any) -> Any:
            return api.op(name + generation, queue, *inputs, **attrs)

        queue = api.op(kind + generation, component_types=[F, S], shapes=[[2], []], capacity=9, shared_name="q", **more)
        types = [F, S]
        api.run(op("QueueEnqueue", [api.hidden([1.0, 2.0]), api.hidden("a")]))
        api.run(op("QueueEnqueueMany", [api.hidden([[3.0, 4.0], [5.0, 6.0], [7.0, 8.0]]), api.hidden(["b", "c", "d"])]))
        api.run(op("QueueSize"))
        api.run(op("QueueDequeue", component_types=types))
        api.run(op("QueueDequeueMany", api.constant(0), component_types=types))
        api.run(op("QueueDequeueMany", api.constant(2), component_types=types))
        api.run(op("QueueEnqueueMany", [api.hidden(np.ones((0, 2), np.float32)), api.hidden(np.array([], object), S)]))
        api.run(op("QueueSize"))
        api.run(op("QueueIsClosed"))
        api.run(op("QueueClose"))
        api.run(op("QueueIsClosed"))
        api.run(op("QueueDequeueMany", api.constant(3), component_types=types))
        api.run(op("QueueDequeueUpTo", api.constant(3), component_types=types))
        api.run(op("QueueDequeueUpTo", api.constant(3), component_types=types))
        api.run(op("QueueDequeueMany", api.constant(2), component_types=types))
        api.run(op("QueueDequeue", component_types=types))
        api.run(op("QueueEnqueue", [api.hidden([1.0, 2.0]), api.hidden("a")]))
        api.run(op("QueueClose"))
        api.run(op("QueueClose", cancel_pending_enqueues=True))

    compare(program)


def test_wrong_components() -> None:
    def program(api: Any) -> None:
        queue = api.op("FIFOQueueV2", component_types=[F], shapes=[[2]], shared_name="q")
        loose = api.op("FIFOQueueV2", component_types=[F, N], shared_name="loose")
        old = api.op("FIFOQueue", component_types=[F], shared_name="old")
        padded = api.op("PaddingFIFOQueueV2", component_types=[S], shapes=[[None, 2]], shared_name="padded")
        api.run(api.op("QueueEnqueueV2", queue, [api.hidden([1.0, 2.0, 3.0])]))
        api.run(api.op("QueueEnqueueV2", queue, [api.hidden([1, 2])]))
        api.run(api.op("QueueEnqueueV2", queue, [api.hidden([1.0, 2.0]), api.hidden(1)]))
        api.run(api.op("QueueEnqueue", old, [api.hidden(1)]))
        api.run(api.op("QueueEnqueueManyV2", queue, [api.hidden([[1.0, 2.0, 3.0]])]))
        api.run(api.op("QueueEnqueueManyV2", loose, [api.hidden([1.0, 2.0]), api.hidden([1])]))
        known = api.op("FIFOQueueV2", component_types=[F, N], shapes=[[], []], shared_name="known")
        api.run(api.op("QueueEnqueueManyV2", known, [api.hidden([1.0, 2.0]), api.hidden([1])]))
        api.run(api.op("QueueEnqueueV2", known, [api.hidden(1.0), api.hidden(1)], timeout_ms=5))
        api.run(api.op("QueueDequeueV2", known, component_types=[F, N], timeout_ms=5))
        api.run(api.op("QueueDequeueManyV2", known, api.hidden([0]), component_types=[F, N]))
        api.run(api.op("QueueEnqueueV2", padded, [api.hidden([["a", "b", "c"]])]))
        api.run(api.op("QueueEnqueueV2", padded, [api.hidden(["a"])]))
        api.run(api.op("QueueEnqueueManyV2", padded, [api.hidden([["a"]])]))
        api.run(api.op("QueueDequeueV2", queue, component_types=[N]))
        api.run(api.op("QueueDequeueV2", queue, component_types=[F, F]))
        api.run(api.op("QueueDequeueManyV2", queue, api.hidden(1), component_types=[N]))
        api.run(api.op("QueueDequeueManyV2", queue, api.hidden(-1), component_types=[F]))
        api.run(api.op("QueueDequeueUpToV2", queue, api.hidden(-1), component_types=[F]))
        api.run(api.op("QueueDequeueManyV2", loose, api.hidden(1), component_types=[F, N]))
        api.run(api.op("QueueDequeueUpToV2", loose, api.hidden(1), component_types=[F, N]))
        api.build("QueueDequeueManyV2", queue, -1, component_types=[F])

    compare(program)


def test_wrong_declarations() -> None:
    def program(api: Any) -> None:
        def owner(kind: str, **attrs: Any) -> None:
            api.run(api.op("QueueSizeV2", api.op(kind, **attrs)))

        owner("FIFOQueueV2", component_types=[F], shapes=[[], []])
        owner("FIFOQueueV2", component_types=[F], shapes=[[None]])
        owner("PaddingFIFOQueueV2", component_types=[F])
        owner("RandomShuffleQueueV2", component_types=[F], capacity=3, min_after_dequeue=5)
        owner("RandomShuffleQueueV2", component_types=[F], capacity=3, min_after_dequeue=-1)
        owner("FIFOQueueV2", component_types=[F], capacity=0)

    compare(program)


def test_one_name_is_one_queue_of_one_kind() -> None:  # S48
    def program(api: Any) -> None:
        def size(kind: str, name: str = "zz", **attrs: Any) -> None:
            attrs = {"component_types": [F], "shapes": [[2]], "capacity": 3, **attrs}
            api.run(api.op("QueueSizeV2", api.op(kind, shared_name=name, **attrs)))

        queue = api.op("FIFOQueueV2", component_types=[F], shapes=[[2]], capacity=3, shared_name="zz")
        api.run(api.op("QueueEnqueueV2", queue, [api.hidden([1.0, 2.0])]))
        size("FIFOQueueV2")
        size("FIFOQueueV2", component_types=[N])
        size("FIFOQueueV2", shapes=[[3]])
        size("FIFOQueueV2", shapes=[])
        size("FIFOQueueV2", capacity=4)
        size("FIFOQueueV2", capacity=-1)
        size("FIFOQueueV2", container="other")
        size("PaddingFIFOQueueV2")
        size("RandomShuffleQueueV2")
        size("PriorityQueueV2")
        size("PaddingFIFOQueueV2", "p", shapes=[[None]])
        size("PaddingFIFOQueueV2", "p")
        size("PaddingFIFOQueueV2", "p", shapes=[[3, 2]])
        random = {"min_after_dequeue": 1, "seed": 3, "seed2": 4}
        size("RandomShuffleQueueV2", "r", **random)
        size("RandomShuffleQueueV2", "r", min_after_dequeue=1)
        size("RandomShuffleQueueV2", "r", **{**random, "min_after_dequeue": 2})
        size("RandomShuffleQueueV2", "r", **{**random, "seed2": 5})
        size("FIFOQueueV2", "r")

    compare(program)


def test_padding() -> None:
    def program(api: Any) -> None:
        types = [S, F, N]
        queue = api.op("PaddingFIFOQueueV2", component_types=types, shapes=[[None, 2], [None], []], shared_name="three")

        def put(text: Any, numbers: Any, last: int) -> None:
            api.run(api.op("QueueEnqueueV2", queue, [api.hidden(text), api.hidden(numbers, F), api.hidden(last)]))

        put([["a", "b"], ["c", "d"]], [1.0], 1)
        put([["e", "f"]], [], 2)
        put([["g", "h"]], [1.0, 2.0, 3.0], 3)
        api.run(api.op("QueueDequeueManyV2", queue, api.constant(3), component_types=types))
        api.run(api.op("QueueDequeueManyV2", queue, api.constant(0), component_types=types))
        put([["e", "f"]], [4.0], 2)
        api.run(api.op("QueueDequeueV2", queue, component_types=types))
        api.run(api.op("QueueEnqueueManyV2", queue, [api.hidden([[["a", "b"]]]), api.hidden([[1.0]]), api.hidden([4])]))
        api.run(api.op("QueueCloseV2", queue))
        api.run(api.op("QueueDequeueUpToV2", queue, api.constant(3), component_types=types))
        api.run(api.op("QueueDequeueManyV2", queue, api.constant(1), component_types=types))

    compare(program)


@pytest.mark.parametrize("generation", ["", "V2"])
def test_priority(generation: str) -> None:
    def program(api: Any) -> None:
        queue = api.op("PriorityQueue" + generation, component_types=[S], shapes=[[]], shared_name="p")
        types = [L, S]
        many = [api.hidden([5, -3, 4], L), api.hidden(["five", "minus three", "four"])]
        api.run(api.op("QueueEnqueueMany" + generation, queue, many))
        api.run(api.op("QueueEnqueue" + generation, queue, [api.hidden(2, L), api.hidden("two")]))
        api.run(api.op("QueueEnqueue" + generation, queue, [api.hidden([2], L), api.hidden("two")]))
        api.run(api.op("QueueEnqueue" + generation, queue, [api.hidden(2), api.hidden("two")]))
        api.run(api.op("QueueDequeue" + generation, queue, component_types=types))
        api.run(api.op("QueueDequeueMany" + generation, queue, api.constant(2), component_types=types))
        api.run(api.op("QueueClose" + generation, queue))
        api.run(api.op("QueueDequeueMany" + generation, queue, api.constant(2), component_types=types))
        api.run(api.op("QueueDequeue" + generation, queue, component_types=types))
        api.run(api.op("QueueDequeueUpTo" + generation, queue, api.constant(2), component_types=types))

    compare(program)


def test_closed_priority_queue_gives_what_it_has(bench: Bench) -> None:
    # TensorFlow refuses, with "requested 1, current size 0", and loses the element.
    queue = data_flow.PriorityQueue(3, [dtypes.int32], [()])
    bench.run(queue.enqueue([3, 4]))
    bench.run(queue.close())
    assert [value.tolist() for value in bench.run(queue.dequeue_up_to(2))] == [[3], [4]]


@pytest.mark.parametrize("seeds", [(3, 4), (0, 7), (87654321, 1), (2**40 + 3, -5)])
def test_random_order_is_tensorflows(seeds: tuple[int, int]) -> None:
    def program(api: Any) -> None:
        queue = api.op("RandomShuffleQueueV2", component_types=[N], shapes=[[]], seed=seeds[0], seed2=seeds[1])
        api.run(api.op("QueueEnqueueManyV2", queue, [np.arange(60, dtype=np.int32)]))
        api.run(api.op("QueueDequeueManyV2", queue, api.constant(40), component_types=[N]))
        api.run(api.op("QueueEnqueueManyV2", queue, [np.arange(60, 70, dtype=np.int32)]))
        api.run(api.op("QueueDequeueManyV2", queue, api.constant(30), component_types=[N]))

    compare(program)


@pytest.mark.parametrize("dtype", "bfloat16 float16 float64 int8 uint16 int64 bool complex64 string".split())
@pytest.mark.parametrize("shape", [(), (2,)])
def test_every_kind_of_component(dtype: str, shape: tuple[int, ...]) -> None:
    values = np.arange(6).reshape(3, 2)[(slice(None), 0) if shape == () else slice(None)]
    kind = dtypes.as_dtype(dtype)
    batch = values.astype("S").astype(object) if dtype == "string" else values.astype(kind.np)

    def program(api: Any) -> None:
        queue = api.op("FIFOQueueV2", component_types=[dtype], shapes=[list(shape)])
        api.run(api.op("QueueEnqueueManyV2", queue, [api.hidden(batch, dtype)]))
        api.run(api.op("QueueEnqueueV2", queue, [api.hidden(batch[0], dtype)]))
        api.run(api.op("QueueDequeueV2", queue, component_types=[dtype]))
        api.run(api.op("QueueDequeueManyV2", queue, api.constant(3), component_types=[dtype]))

    compare(program)


def test_handle_of_another_type(bench: Bench) -> None:
    handle = apply("VarHandleOp", dtype=dtypes.float32, shape=[], shared_name="v")
    with pytest.raises(errors.InvalidArgumentError, match="of type 'tensorflow::Var'.*as type 'tensorflow::QueueInter"):
        bench.run(apply("QueueSizeV2", handle))


def test_handle_of_the_first_generation_is_a_pair(bench: Bench) -> None:
    queue = apply("FIFOQueue", component_types=[dtypes.int32], shared_name="q", container="c")
    assert bench.run(queue).tolist() == [b"c", b"q"]
    fake = apply("FakeQueue", apply("FIFOQueueV2", component_types=[dtypes.int32], shared_name="q", container="c"))
    bench.run(apply("QueueEnqueue", fake, [1]))
    assert bench.run(apply("QueueSize", queue)) == 1


# --- who waits ----------------------------------------------------------------------------------------------------


class Ints:
    """A queue of ints and the nodes on it."""

    def __init__(self, bench: Bench, kind: str = "FIFOQueueV2", **attrs: Any) -> None:
        self.bench = bench
        self.types = [dtypes.int32]
        self.queue = apply(kind, component_types=self.types, shapes=[()], shared_name="ints", **attrs)

    def put(self, *values: int) -> Any:
        return self.bench.start(apply("QueueEnqueueManyV2", self.queue, [np.array(values, np.int32)]))

    def take(self, count: int | None = None, up_to: bool = False) -> Any:
        if count is None:
            return self.bench.start(apply("QueueDequeueV2", self.queue, component_types=self.types)[0])
        op = "QueueDequeueUpToV2" if up_to else "QueueDequeueManyV2"
        return self.bench.start(apply(op, self.queue, count, component_types=self.types)[0])

    def close(self, cancel: bool = False) -> Any:
        return self.bench.start(apply("QueueCloseV2", self.queue, cancel_pending_enqueues=cancel))

    @property
    def resource(self) -> Any:
        return self.bench.run(self.queue).entry.resource

    def __len__(self) -> int:
        return int(self.bench.run(apply("QueueSizeV2", self.queue)))


def test_dequeue_waits_for_enqueue_in_order(bench: Bench) -> None:
    q = Ints(bench)
    first, second = q.take(), q.take()
    assert not first.woken and not second.woken
    assert "queue 'ints' 0, no enqueue" in first.waiter.reason
    q.put(1)
    assert first.woken and not second.woken
    q.put(2)
    assert (first.resume(), second.resume()) == (1, 2)


def test_enqueue_waits_for_room_and_goes_in_part_by_part(bench: Bench) -> None:
    q = Ints(bench, capacity=2)
    put = q.put(1, 2, 3)
    later = q.put(4)
    assert len(q) == 2 and not put.woken
    assert q.take().result() == 1
    assert put.woken and not later.woken and len(q) == 2
    put.resume()
    assert q.take().result() == 2
    assert later.woken and q.take(2).result().tolist() == [3, 4]


def test_batch_larger_than_the_queue_passes_through(bench: Bench) -> None:
    q = Ints(bench, capacity=2)
    take = q.take(5)
    for value in range(4):
        assert q.put(value).done and not take.woken and len(q) == 0
    q.put(4)
    assert take.resume().tolist() == [0, 1, 2, 3, 4]


def test_small_request_stands_behind_a_large_one(bench: Bench) -> None:
    q = Ints(bench)
    large, small = q.take(3), q.take()
    q.put(1, 2)
    assert not small.woken
    q.put(3, 4)
    assert large.resume().tolist() == [1, 2, 3] and small.resume() == 4


@pytest.mark.parametrize("error", [errors.CancelledError(None, None, "x"), KeyboardInterrupt()])
def test_cancelled_dequeue_consumes_nothing(bench: Bench, error: BaseException) -> None:  # S115
    q = Ints(bench)
    take = q.take(3)
    q.put(1, 2)
    behind = q.take()
    assert len(q) == 0
    if isinstance(error, Exception):
        take.cancel(error)
        with pytest.raises(errors.CancelledError, match="Dequeue operation was cancelled"):
            take.result()
    else:
        with pytest.raises(type(error)):
            take.cancel(error)
    assert behind.resume() == 1 and len(q) == 1


def test_dequeue_cancelled_after_it_was_served_gives_back(bench: Bench) -> None:
    q = Ints(bench)
    take = q.take(2)
    q.put(1, 2, 3)
    assert take.woken
    take.cancel(errors.CancelledError(None, None, ""))
    assert q.take(3).result().tolist() == [1, 2, 3]


@pytest.mark.parametrize("kind", ["RandomShuffleQueueV2", "PriorityQueueV2", "PaddingFIFOQueueV2"])
def test_others_give_back_too(bench: Bench, kind: str) -> None:
    types = [dtypes.int64] if kind == "PriorityQueueV2" else []
    queue = apply(kind, component_types=[dtypes.int32], shapes=[()])
    types += [dtypes.int32]
    take = bench.start(apply("QueueDequeueManyV2", queue, 3, component_types=types)[0])
    values = [np.array([7, 5], np.int64)] * (len(types) - 1) + [np.array([1, 2], np.int32)]
    bench.run(apply("QueueEnqueueManyV2", queue, values))
    take.cancel(errors.CancelledError(None, None, ""))
    out = bench.run(apply("QueueDequeueManyV2", queue, 2, component_types=types)[-1])
    assert out.tolist() == [2, 1] if kind == "PriorityQueueV2" else sorted(out.tolist()) == [1, 2]


def test_cancelled_enqueue_keeps_what_went_in(bench: Bench) -> None:
    q = Ints(bench, capacity=2)
    put, behind = q.put(1, 2, 3), q.put(4)
    put.cancel(errors.CancelledError(None, None, ""))
    with pytest.raises(errors.CancelledError, match="Enqueue operation was cancelled"):
        put.result()
    assert q.take(2).result().tolist() == [1, 2]
    behind.resume()
    assert q.take().result() == 4


def test_close_ends_those_who_wait_for_elements(bench: Bench) -> None:
    q = Ints(bench)
    batch, one, some = q.take(3), q.take(), q.take(2, up_to=True)
    q.put(1, 2)
    q.close()
    with pytest.raises(errors.OutOfRangeError, match=r"FIFOQueue 'ints' .* \(requested 1, current size 0\)"):
        batch.resume()
    assert one.resume() == 1
    assert some.resume().tolist() == [2]


def test_close_waits_for_those_who_put_something_in(bench: Bench) -> None:
    q = Ints(bench, capacity=1)
    put, close, late = q.put(1, 2), q.close(), q.put(3)
    assert not close.woken and not bench.run(apply("QueueIsClosedV2", q.queue))
    assert q.take().result() == 1
    put.resume()
    close.resume()
    with pytest.raises(errors.CancelledError, match="FIFOQueue 'ints' is closed."):
        late.resume()
    assert q.take().result() == 2


def test_close_with_pending_enqueues_cancelled(bench: Bench) -> None:
    q = Ints(bench, capacity=1)
    put, close = q.put(1, 2), q.close()
    assert q.close(cancel=True).done
    for pending in (put, close):
        with pytest.raises(errors.CancelledError, match="Enqueue operation was cancelled"):
            pending.resume()
    assert q.take().result() == 1


@pytest.mark.parametrize("up_to", [False, True])
def test_random_batch_that_close_ends_is_drawn_anew(bench: Bench, up_to: bool) -> None:
    # The order is TensorFlow's, which cannot be made to wait in a test of one thread.
    q = Ints(bench, "RandomShuffleQueueV2", seed=87654321, seed2=3)
    take = q.take(7, up_to)
    q.put(*range(5))
    assert not take.woken and not len(q)
    q.close()
    found = [0, 4, 2, 1, 3]
    if up_to:
        assert take.resume().tolist() == found
        return
    with pytest.raises(errors.OutOfRangeError, match="requested 2, current size 0"):
        take.resume()
    assert q.take(5).result().tolist() == found


def test_priority_batch_waits_until_it_is_whole(bench: Bench) -> None:
    queue = data_flow.PriorityQueue(2, [dtypes.int32], [()])
    take = bench.start(queue.dequeue_many(2)[1])
    bench.run(queue.enqueue([9, 9]))
    assert not take.woken and bench.run(queue.size()) == 1
    bench.run(queue.enqueue([1, 1]))
    assert [value.tolist() for value in take.resume()] == [[1, 9], [1, 9]]
    more = bench.start(queue.dequeue_many(3)[1])  # TensorFlow would wait for ever: two is all that fit
    bench.run(queue.enqueue_many([[5, 4], [5, 4]]))
    bench.run(queue.enqueue([3, 3]))
    assert more.resume()[0].tolist() == [4, 5, 3]


def test_random_queue_keeps_its_minimum_until_closed(bench: Bench) -> None:
    q = Ints(bench, "RandomShuffleQueueV2", min_after_dequeue=2, capacity=10)
    q.put(1, 2)
    take = q.take()
    assert not take.woken
    q.put(3)
    assert take.resume() in (1, 2, 3)
    take = q.take(2)
    assert not take.woken
    q.close()
    assert len(take.resume()) == 2


def test_bytes_are_accounted_for(bench: Bench) -> None:
    q = Ints(bench)
    assert q.resource.nbytes == 0
    q.put(1, 2, 3)
    assert q.resource.nbytes == 12
    take = q.take(5)
    assert q.resource.nbytes == 0
    take.cancel(errors.CancelledError(None, None, ""))
    assert q.resource.nbytes == 12 and bench.resources.nbytes == 12
    q.take(3).result()
    assert q.resource.nbytes == 0
    texts = apply("FIFOQueueV2", component_types=[dtypes.string], shapes=[(2,)])
    bench.run(apply("QueueEnqueueV2", texts, [["abc", "defgh"]]))
    assert bench.resources.nbytes == 16 + 8


def test_elements_are_private_copies(bench: Bench) -> None:
    queue = apply("FIFOQueueV2", component_types=[dtypes.float32], shapes=[(2,)])
    fed = np.array([1, 2], np.float32)
    bench.run(apply("QueueEnqueueV2", queue, [value := apply("Placeholder", dtype=dtypes.float32)]), {value: fed})
    fed[0] = 7
    assert bench.run(apply("QueueDequeueV2", queue, component_types=[dtypes.float32])[0]).tolist() == [1, 2]


# --- the classes --------------------------------------------------------------------------------------------------


def _everything(tf: Any, queue: Any, element: Any, batch: Any) -> None:
    queue.enqueue(element)
    queue.enqueue_many(batch)
    queue.dequeue()
    queue.dequeue_many(2)
    queue.dequeue_many(tf.placeholder("int32", []))
    queue.dequeue_up_to(2)
    queue.size()
    queue.is_closed()
    queue.close()
    queue.close(cancel_pending_enqueues=True, name="now")


def _chosen(tf: Any) -> None:
    queues = [tf.FIFOQueue(3, ["float32"], [()]), tf.FIFOQueue(3, ["float32"], [()])]
    tf.QueueBase.from_list(1, queues).enqueue(1.0)


def _outside(tf: Any) -> None:
    first = tf.FIFOQueue(3, "float32")
    with tf.device("/cpu:1"), tf.control_dependencies([first.size()]):
        tf.FIFOQueue(3, "float32")
        tf.PaddingFIFOQueue(3, "float32", [()])


def _seeded(tf: Any) -> None:
    tf.set_random_seed(9)
    tf.RandomShuffleQueue(3, 1, ["int64"])
    tf.RandomShuffleQueue(3, 1, ["int64"], seed=5)
    tf.RandomShuffleQueue(3, 1, ["int64"], shared_name="shared")


BUILDERS: dict[str, Callable[[Any], Any]] = {
    "fifo": lambda tf: _everything(tf, tf.FIFOQueue(3, ["float32"], shapes=[()]), 1, [[1, 2]]),
    "named": lambda tf: _everything(
        tf,
        tf.FIFOQueue(3, ["int64", "int32"], [(), (2,)], ["a", "b"], "shared", "mine"),
        {"b": [1, 2], "a": 1},
        {"a": [1], "b": [[1, 2]]},
    ),
    "loose": lambda tf: tf.FIFOQueue(3, "float32").dequeue_many(3),
    "random": lambda tf: _everything(tf, tf.RandomShuffleQueue(3, 1, ["int32"], [()], seed=4), 1, [[1, 2]]),
    "seeds": _seeded,
    "padding": lambda tf: _everything(tf, tf.PaddingFIFOQueue(3, ["int32"], [(None, 2)]), [[1, 2]], [[[[1, 2]]]]),
    "priority": lambda tf: _everything(tf, tf.PriorityQueue(3, ["int32"], [()]), [1, 2], [[1, 2], [3, 4]]),
    "from list": _chosen,
    "outermost": _outside,
    "one shape": lambda tf: tf.FIFOQueue(3, "float32", [2, 3]),
    "no list of shapes": lambda tf: tf.FIFOQueue(3, "float32", 2),
    "unknown size": lambda tf: tf.FIFOQueue(3, "float32", [[None]]).size(),
    "too few shapes": lambda tf: tf.FIFOQueue(3, ["float32", "int32"], [()]),
    "too few names": lambda tf: tf.FIFOQueue(3, ["float32", "int32"], names=["a"]),
    "padding without shapes": lambda tf: tf.PaddingFIFOQueue(3, "float32", None),
    "padding without a list": lambda tf: tf.PaddingFIFOQueue(3, "float32", [2]),
    "padding of no shapes": lambda tf: tf.PaddingFIFOQueue(3, "float32", []),
    "cut capacity": lambda tf: tf.FIFOQueue(1.5, "float32"),
    "no dtype": lambda tf: tf.FIFOQueue(3, "float33"),
    "padding of unknown rank": lambda tf: tf.PaddingFIFOQueue(3, "float32", [tf.TensorShape(None)]).size(),
    "priority without shapes": lambda tf: tf.PriorityQueue(3, "float32"),
    "wrong shape": lambda tf: tf.FIFOQueue(3, "float32", [(2,)]).enqueue([[1.0, 2.0, 3.0]]),
    "wrong batch": lambda tf: tf.FIFOQueue(3, "float32", [(2,)]).enqueue_many([[[1.0, 2.0, 3.0]]]),
    "scalar batch": lambda tf: tf.FIFOQueue(3, "float32", [()]).enqueue_many([1.0]),
    "uneven batch": lambda tf: tf.FIFOQueue(3, ["int32"] * 2, [(), ()]).enqueue_many([[1], [2, 3]]),
    "wrong type": lambda tf: tf.FIFOQueue(3, "float32").enqueue(tf.constant(1)),
    "dict without names": lambda tf: tf.FIFOQueue(3, "float32").enqueue({"a": 1.0}),
    "names without dict": lambda tf: tf.FIFOQueue(3, "float32", names=["a"]).enqueue(1.0),
    "wrong names": lambda tf: tf.FIFOQueue(3, ["float32", "int32"], names=["a", "b"]).enqueue({"a": 1}),
    "no list": lambda tf: tf.QueueBase.from_list(0, [1]),
    "other types": lambda tf: tf.QueueBase.from_list(0, [tf.FIFOQueue(3, ["float32"]), tf.FIFOQueue(3, ["int32"])]),
}


@pytest.mark.parametrize("name", BUILDERS)
def test_graph_is_tensorflows(name: str) -> None:
    compare_graphs(BUILDERS[name], [data_flow])


def test_chosen_queue_works(bench: Bench) -> None:
    queues = [data_flow.FIFOQueue(3, dtypes.float32, [()]) for _ in range(2)]
    bench.run(queues[1].enqueue(5.0))
    assert bench.run(data_flow.QueueBase.from_list(1, queues).dequeue()) == 5.0
