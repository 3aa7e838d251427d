"""Batching across steps: one step against TensorFlow, several by what TensorFlow was seen to give."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import trio
import trio.lowlevel

import runstep as tf
from runstep import errors
from runstep.graph.defun import Defun
from runstep.kernels import batching
from runstep.testing.bench import Bench, Pending
from runstep.testing.stateful import compare

NO_KERNEL = {"BatchFunction": "compiled into the plan"}
BY_HAND = dict.fromkeys(("Batch", "Unbatch", "UnbatchGrad", "BatchFunction"), "several steps in this file")
ALONE: Any = {"num_batch_threads": 1, "max_batch_size": 4, "batch_timeout_micros": 0}
LONG: Any = {**ALONE, "batch_timeout_micros": 10**9}
NONE = np.empty((0, 3), np.int64)


class Clock:
    """Alarms that ring when the test says so."""

    def __init__(self) -> None:
        self.alarms: list[tuple[float, Callable[[], None], list[bool]]] = []

    def after(self, seconds: float, function: Any, *args: Any) -> Any:
        cleared: list[bool] = []
        self.alarms.append((seconds, lambda: function(*args), cleared))
        return type("Alarm", (), {"clear": lambda self: cleared.append(True)})()

    @property
    def pending(self) -> int:
        return sum(not cleared for _, _, cleared in self.alarms)

    def ring(self) -> None:
        for _, call, cleared in self.alarms:
            if not cleared:
                call()
        self.alarms.clear()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    monkeypatch.setattr(batching, "clock", lambda: found)
    return found


@pytest.fixture
def bench() -> Iterator[Bench]:
    bench = Bench()
    with bench.graph.as_default():
        yield bench


class Feeding:
    """One Batch node that several steps run."""

    def __init__(self, bench: Bench, **attrs: Any) -> None:
        self.bench = bench
        self.x = tf.placeholder(tf.int32, None)
        self.node = tf.raw_ops.Batch(in_tensors=[self.x], grad_timeout_micros=0, **{**LONG, **attrs})[2].op

    def start(self, *rows: Any) -> Pending:
        return self.bench.start(self.node, {self.x: np.array(rows, np.int32)})


def test_one_step_against_tensorflow() -> None:
    def program(api: Any) -> None:
        def batch(*inputs: Any, **attrs: Any) -> None:
            made = api.op("Batch", [api.hidden(value) for value in inputs], grad_timeout_micros=0, **{**ALONE, **attrs})
            # Keys are random.
            api.run([*made[0], api.op("Slice", made[1], [0, 1], [-1, 2]) if np.size(inputs[0]) else made[1]])

        batch([1, 2])
        batch([[1, 2]], ["a"], allowed_batch_sizes=[2, 4])
        batch([1, 2, 3], allowed_batch_sizes=[2, 4])
        batch(np.empty(0, np.int32))
        batch(7)
        batch([1, 2], [1.0])
        batch([1, 2, 3, 4, 5])
        for sizes in ([4, 2], [2, 3], [2, 4, 4], [0, 4]):
            batch([1], allowed_batch_sizes=sizes)
        for name in ("num_batch_threads", "max_batch_size"):
            batch([1], **{name: 0})
        batch([1], batch_timeout_micros=-1)
        for shape in ([2, 3], None, []):
            p = api.placeholder("float32", shape)
            made = api.build("Batch", [p], grad_timeout_micros=0, **ALONE)
            if made is not None:
                api.log.append(str([None if t.shape.ndims is None else t.shape.as_list() for t in made[0]]))
            api.build("Unbatch", p, [[1, 2, 3]], 3, timeout_micros=3)
        for tensor, index, key in (
            ([1.0, 2.0], [[51, 0, 1]], 51),
            ([1.0, 2.0], [[51, 0, 1], [52, 1, 2]], 52),
            ([1.0, 2.0], [[52, 0, 2]], [52]),
            ([1.0, 2.0], [30, 0, 1], 30),
            (np.empty(0), NONE, 99),
        ):
            hidden = api.hidden(tensor, "float32"), api.hidden(index, "int64"), api.hidden(key, "int64")
            api.run(api.op("Unbatch", *hidden, timeout_micros=20000))
            api.run(api.op("UnbatchGrad", hidden[0], hidden[1], hidden[0], hidden[2]) if key == 51 else [])

    compare(program, texts=True)


def test_the_last_step_gets_the_rows_of_all(bench: Bench, clock: Clock) -> None:
    feeding = Feeding(bench)
    first, second = feeding.start(1, 2), feeding.start(3, 4)
    rows, index, key = second.result()
    none, empty, other = first.resume()
    assert rows.tolist() == [1, 2, 3, 4] and not none.size and empty.shape == (0, 3)
    assert index.tolist() == [[other, 0, 2], [key, 2, 4]]
    assert not clock.pending


def test_a_batch_is_closed_by_time_or_by_what_does_not_fit(bench: Bench, clock: Clock) -> None:
    feeding = Feeding(bench, allowed_batch_sizes=[3, 4])
    first, second = feeding.start(1), feeding.start(2)
    third = feeding.start(3, 4, 5)
    assert second.resume()[0].tolist() == [1, 2, 1]
    assert not first.resume()[0].size and not third.woken
    assert clock.alarms[0][0] == 1000 and clock.pending == 1
    clock.ring()
    assert third.resume()[0].tolist() == [3, 4, 5]


def test_queues_do_not_mix_and_share_by_name(bench: Bench, clock: Clock) -> None:
    one, same, other = (Feeding(bench, shared_name="s", batching_queue=queue) for queue in "aab")
    waiting = one.start(1, 2)
    assert not other.start(3, 4).woken
    assert same.start(5, 6).result()[0].tolist() == [1, 2, 5, 6]
    assert not waiting.resume()[0].size


def test_who_is_cancelled_takes_his_rows_along_or_hands_on_the_work(bench: Bench, clock: Clock) -> None:
    feeding = Feeding(bench)
    alone = feeding.start(1, 2)
    alone.cancel(errors.CancelledError(None, None, "stop"))
    assert not clock.pending
    first, second = feeding.start(3), feeding.start(4)
    clock.ring()
    second.cancel(errors.CancelledError(None, None, "stop"))
    assert first.woken
    assert not first.resume()[0].size  # the rows were for the one that came last


def test_rows_that_do_not_fit_together_fail_in_every_step(bench: Bench, clock: Clock) -> None:
    feeding = Feeding(bench)
    first, second, third = feeding.start([1, 2]), feeding.start([3, 4, 5]), feeding.start(7)
    clock.ring()
    for step in (third, first, second):
        with pytest.raises(errors.InvalidArgumentError, match=r"Dimensions of all input .* \[1,2\] vs. shape\[1\]"):
            step.resume()


class Returning:
    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.inputs = [tf.placeholder(kind, None) for kind in (tf.float32, tf.int64, tf.int64)]
        batched, index, key = self.inputs
        self.back = tf.raw_ops.Unbatch(batched_tensor=batched, batch_index=index, id=key, timeout_micros=10**6)
        self.grad = tf.raw_ops.UnbatchGrad(original_input=batched, batch_index=index, grad=batched, id=key)

    def start(self, key: int, batched: Any = (), index: Any = NONE, what: str = "back") -> Pending:
        values = np.array(batched, np.float32), np.array(index, np.int64), np.int64(key)
        return self.bench.start(getattr(self, what), dict(zip(self.inputs, values, strict=True)))


def test_each_step_gets_its_rows_back(bench: Bench, clock: Clock) -> None:
    returning = Returning(bench)
    index = [[5, 0, 1], [6, 1, 3]]
    for early in (True, False):
        waiting = returning.start(5) if early else None
        assert returning.start(6, [1, 2, 3], index).result().tolist() == [2, 3]
        assert (waiting.resume() if waiting else returning.start(5).result()).tolist() == [1]
        assert not clock.pending


def test_rows_are_waited_for_and_kept_for_a_time(bench: Bench, clock: Clock) -> None:
    returning = Returning(bench)
    waiting = returning.start(5)
    with pytest.raises(errors.AlreadyExistsError, match="Multiple session runs with the same batch key"):
        returning.start(5).result()
    clock.ring()
    with pytest.raises(errors.DeadlineExceededError, match="did not arrive within timeout window"):
        waiting.resume()
    assert returning.start(6, [1, 2], [[5, 0, 1], [6, 1, 2]]).result().tolist() == [2]
    clock.ring()
    late = returning.start(5)
    late.cancel(errors.CancelledError(None, None, "stop"))
    assert not late.woken or late.done
    assert not clock.pending
    with pytest.raises(errors.InvalidArgumentError, match="rows that are not there"):
        returning.start(7, [1], [[7, 0, 2]]).result()


def test_gradients_are_gathered_for_the_step_that_had_the_batch(bench: Bench) -> None:
    x = Returning(bench)

    def start(key: int, grad: Any, size: int = 0, index: Any = NONE) -> Pending:
        batched, places, name = x.inputs
        node = nodes[0] if nodes else None
        if node is None:
            gradient = tf.placeholder(tf.float32, None)
            made = tf.raw_ops.UnbatchGrad(original_input=batched, batch_index=places, grad=gradient, id=name)
            node = (made, gradient)
            nodes.append(node)
        feeds = {batched: np.ones(size, np.float32), places: np.array(index), name: np.int64(key)}
        return bench.start(node[0], {**feeds, node[1]: np.array(grad, np.float32)})

    nodes: list[Any] = []
    gathered = start(6, [20, 30], 3, [[5, 0, 1], [6, 1, 3]])
    assert not start(5, [10]).result().size
    assert gathered.resume().tolist() == [10, 20, 30]
    assert not start(5, [10]).result().size
    with pytest.raises(errors.InvalidArgumentError, match="Two runs with the same batch key"):
        start(5, [11]).result()
    assert start(7, [1, 2], 3, [[5, 0, 1], [7, 1, 3]]).result().tolist() == [10, 1, 2]


# --- BatchFunction ------------------------------------------------------------------------------------------------


class Doubling:
    """x + c, and how many rows were worked on at once: as many times."""

    def __init__(self, **attrs: Any) -> None:
        @Defun(tf.float32, tf.float32)
        def function(x: Any, c: Any) -> Any:
            return x + c, tf.shape(x) * tf.ones_like(tf.cast(x, tf.int32))

        function.add_to_graph(tf.get_default_graph())
        self.x, self.c = tf.placeholder(tf.float32, None), tf.placeholder_with_default(10.0, [])
        self.outputs = tf.raw_ops.BatchFunction(
            in_tensors=[self.x],
            captured_tensors=[self.c],
            f=function,
            Tout=[tf.float32, tf.int32],
            **{**LONG, **attrs},
        )


def run_together(session: Any, steps: list[tuple[Any, Any]], cancel: int | None = None) -> list[Any]:
    """Outcomes of steps that start one after the other, each when the others can do no more."""
    found: list[Any] = [None] * len(steps)
    ended = [trio.Event() for _ in steps]

    async def one(place: int, scope: trio.CancelScope) -> None:
        with scope:
            try:
                found[place] = await session.arun(*steps[place])
            except errors.OpError as error:
                found[place] = error
        ended[place].set()

    async def at_rest(started: int) -> None:
        while session.statistics().waiting + sum(event.is_set() for event in ended) < started:
            await trio.lowlevel.checkpoint()

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            for place in range(len(steps)):
                scope = trio.CancelScope()
                nursery.start_soon(one, place, scope)
                await at_rest(place + 1)
                if place == cancel:
                    scope.cancel()
                    await ended[place].wait()

    trio.run(main)
    return [[part.tolist() for part in outcome] if isinstance(outcome, list) else outcome for outcome in found]


def test_a_function_is_called_once_for_all() -> None:
    with tf.Graph().as_default(), tf.Session() as session:
        doubling = Doubling(allowed_batch_sizes=[2, 4])
        steps = [(doubling.outputs, {doubling.x: [1, 2], doubling.c: 5}), (doubling.outputs, {doubling.x: [3, 4]})]
        assert run_together(session, steps) == [[[11, 12], [4, 4]], [[13, 14], [4, 4]]]
        alone = (doubling.outputs, {doubling.x: [9]})
        assert run_together(session, [alone, *steps], cancel=0) == [None, [[11, 12], [4, 4]], [[13, 14], [4, 4]]]


def test_a_function_that_fails_or_waits_does_so_for_all() -> None:
    with tf.Graph().as_default(), tf.Session() as session:
        queue = tf.FIFOQueue(1, [tf.float32], [[]], shared_name="q")
        rows = tf.placeholder(tf.float32, None)

        @Defun(tf.float32)
        def function(x: Any) -> Any:
            got = tf.FIFOQueue(1, [tf.float32], [[]], shared_name="q").dequeue()
            return tf.reshape(x + got, tf.where(got < 0, [3], [4]))

        function.add_to_graph(tf.get_default_graph())
        (out,) = tf.raw_ops.BatchFunction(in_tensors=[rows], captured_tensors=[], f=function, Tout=[tf.float32], **LONG)
        steps: Any = [([out], {rows: [1, 2]}), ([out], {rows: [3, 4]}), (queue.enqueue(10.0), {})]
        assert run_together(session, steps) == [[[11, 12]], [[13, 14]], None]
        first, second, _ = run_together(session, [*steps[:2], (queue.enqueue(-1.0), {})])
        assert first is not second
        for error in (first, second):
            assert type(error) is errors.InvalidArgumentError and "reshape" in str(error)


def test_one_call_against_tensorflow() -> None:
    def program(api: Any) -> None:
        tensorflow = api.name == "TensorFlow"
        if tensorflow:
            from tensorflow.python.framework.function import Defun as defun
        else:
            defun = Defun
        module = api.tf if tensorflow else tf

        @defun(module.float32, module.float32)
        def plus(x: Any, c: Any) -> Any:
            return x + c, module.shape(x) * module.ones_like(module.cast(x, module.int32))

        @defun(module.float32, module.float32)
        def total(x: Any, c: Any) -> Any:
            return module.reduce_sum(x), module.shape(x)

        @defun(module.float32, module.float32)
        def short(x: Any, c: Any) -> Any:
            return x[:1], module.shape(x)

        def call(function: Any, value: Any, **attrs: Any) -> None:
            function.add_to_graph(module.get_default_graph())
            made = module.raw_ops.BatchFunction(
                in_tensors=[api.hidden(value, "float32")],
                captured_tensors=[api.constant(10.0)],
                f=function,
                Tout=[module.float32, module.int32],
                **{**ALONE, **attrs},
            )
            api.run(list(made))

        call(plus, [1, 2])
        call(plus, [[1, 2]], allowed_batch_sizes=[2, 4])
        call(total, [1, 2])
        call(short, [1, 2])
        call(plus, [])
        call(plus, 3)
        call(plus, [1, 2, 3, 4, 5])
        call(plus, [1, 2, 3, 4, 5], enable_large_batch_splitting=True)
        for sizes in ([4, 2], [2, 3]):
            call(plus, [1], allowed_batch_sizes=sizes)
        call(plus, [1], allowed_batch_sizes=[2, 3], enable_large_batch_splitting=True)
        call(plus, [1], max_batch_size=0)
        call(plus, [1], batch_timeout_micros=-1)

    compare(program, texts=True)
