"""Sizes that only the run knows count too: claimed when they are found out, waited for, refused, and given back."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
import trio
import trio.testing

from runstep import errors
from runstep.graph.apply import apply
from runstep.graph.functions import FunctionGraph, define
from runstep.protos import config_pb2

MIB = 1 << 20
L0 = config_pb2.ConfigProto(inter_op_parallelism_threads=1)
L0.graph_options.optimizer_options.opt_level = config_pb2.OptimizerOptions.L0
"""One node after the other, as written."""


def memory(session: Any) -> Any:
    return session._engine.devices[0].statistics().memory


def is_at_rest(session: Any) -> bool:
    statistics = memory(session)
    return (statistics.in_use, statistics.reserved, statistics.waiting) == (0, 0, 0)


# ---------------------------------------------------------------------- what counts


def filled(rs: Any, n: Any) -> Any:
    """Two arrays of n times 4 bytes at once."""
    return rs.reduce_sum(rs.sin(rs.fill([n], 1.0)))


def selected(rs: Any, n: Any) -> Any:
    """n times 8 for the places, then n times 4 twice."""
    mask = rs.range(1 << 20) < n
    return rs.reduce_sum(rs.sin(rs.cast(rs.where(mask), rs.float32)))


def repeated(rs: Any, n: Any) -> Any:
    return rs.reduce_sum(rs.sin(rs.tile([1.0], [n])))


def called(rs: Any, n: Any) -> Any:
    made = rs.py_func(lambda n: np.ones(n, np.float32), [n], rs.float32)
    return rs.reduce_sum(rs.sin(made))


def gathered_turns(rs: Any, n: Any) -> Any:
    """What a loop has collected counts when it leaves."""
    row = rs.placeholder_with_default(np.ones(1 << 10, np.float32), [1 << 10])
    array = rs.TensorArray(rs.float32, n // 1024)
    array = rs.while_loop(lambda i, a: i < n // 1024, lambda i, a: (i + 1, a.write(i, row)), [0, array])[1]
    return rs.reduce_sum(rs.sin(array.stack()))


@pytest.mark.parametrize(
    ("program", "each"), [(filled, 8), (selected, 12), (repeated, 8), (called, 8), (gathered_turns, 8)]
)
def test_what_the_run_finds_out_counts(rs: Any, program: Callable[..., Any], each: int) -> None:
    n = rs.placeholder("int32", [])
    y = program(rs, n)
    before = 5 * MIB if program is selected else 0  # what the plan knew
    with rs.Session(config=L0, memory_limit="64MiB") as session:
        for count in (10, 1 << 19, 1 << 18):
            session.run(y, {n: count})
            assert is_at_rest(session)
        assert each << 19 <= memory(session).peak <= (each << 19) * 1.26 + before
    with rs.Session(config=L0, memory_limit=(each << 18) + before) as session:
        session.run(y, {n: 1 << 17})
        with pytest.raises(errors.ResourceExhaustedError):
            session.run(y, {n: 1 << 20})
        assert is_at_rest(session)
        session.run(y, {n: 1 << 17})


def turns(rs: Any, n: Any) -> Any:
    """Each turn frees what it made."""
    return rs.while_loop(lambda i, s: i < 3, lambda i, s: (i + 1, s + rs.reduce_max(filled(rs, n + i))), [0, 0.0])[1]


def doubled(rs: Any, n: Any) -> Any:
    """A loop variable that grows: before and after the last turn it takes n times 4 bytes and half of that."""
    shapes = [rs.TensorShape([]), rs.TensorShape([None])]
    start = [0, rs.fill([n // 8], 1.0)]
    return rs.reduce_sum(
        rs.while_loop(lambda i, s: i < 3, lambda i, s: (i + 1, rs.concat([s, s], 0)), start, shape_invariants=shapes)[1]
    )


def in_a_function(rs: Any, n: Any) -> Any:
    call = rs.function(lambda n: filled(rs, n))
    return call(n) + call(n // 2)


def in_functions(rs: Any, n: Any) -> Any:
    """What the caller and the called one hold at the same time."""
    inner = rs.function(lambda n: filled(rs, n))

    @rs.function
    def outer(n: Any) -> Any:
        mine = rs.fill([n], 2.0)
        with rs.control_dependencies([mine]):
            there = inner(rs.identity(n))
        with rs.control_dependencies([there]):
            return there + rs.reduce_max(mine)

    return outer(n)


def on_a_branch(rs: Any, n: Any) -> Any:
    return rs.cond(n > 0, lambda: in_a_function(rs, n), lambda: 0.0)


def in_turns_of_functions(rs: Any, n: Any) -> Any:
    call = rs.function(lambda n: filled(rs, n))
    return rs.while_loop(lambda i, s: i < 3, lambda i, s: (i + 1, s + call(n)), [0, 0.0])[1]


def kept_for_the_gradient(rs: Any, n: Any) -> Any:
    """Each of 64 turns keeps n // 64 floats."""
    start = rs.fill([n // 64], 0.5)
    end = rs.while_loop(lambda i, s: i < 64, lambda i, s: (i + 1, rs.sin(s)), [0, start])[1]
    return rs.reduce_max(rs.gradients(end, start)[0])


def collected(rs: Any, n: Any) -> Any:
    """An array of n // 1024 rows of 4 KiB, of which one is read."""
    row = rs.placeholder_with_default(np.ones(1 << 10, np.float32), [1 << 10])
    array = rs.TensorArray(rs.float32, n // 1024, clear_after_read=False)
    loop = rs.while_loop(lambda i, a: i < n // 1024, lambda i, a: (i + 1, a.write(i, row * 2.0)), [0, array])
    return rs.reduce_max(loop[1].read(0))


def row_of(rs: Any) -> Any:
    """4 KiB that nobody knows before the run."""
    return rs.placeholder_with_default(np.ones(1 << 10, np.float32), [1 << 10])


def grown(rs: Any, n: Any) -> Any:
    """As `collected`, in an array that has no size at first."""
    row = row_of(rs)
    array = rs.TensorArray(rs.float32, 0, dynamic_size=True, clear_after_read=False)
    loop = rs.while_loop(lambda i, a: i < n // 1024, lambda i, a: (i + 1, a.write(i, row * 2.0)), [0, array])
    return rs.reduce_max(loop[1].read(0))


def pushed(rs: Any, n: Any) -> Any:
    row, ops = row_of(rs), rs.raw_ops
    empty = ops.EmptyTensorList(element_shape=[1 << 10], max_num_elements=-1, element_dtype=rs.float32)

    def turn(i: Any, there: Any) -> Any:
        return i + 1, ops.TensorListPushBack(input_handle=there, tensor=row * 2.0)

    return ops.TensorListLength(input_handle=rs.while_loop(lambda i, _: i < n // 1024, turn, [0, empty])[1])


def called_in_turns(rs: Any, inputs: list[Any], goes_on: Callable[..., Any], turn: Callable[..., Any]) -> Any:
    """A functional While: its outputs."""
    graph = rs.get_default_graph()
    functions: dict[str, Any] = {}
    for name, build in (("cond", goes_on), ("body", turn)):
        body = FunctionGraph(name, graph)
        with body.as_default():
            given = [body.add_input(f"x{i}", x.dtype, x.raw_shape) for i, x in enumerate(inputs)]
            body.outputs.extend(rs.identity(value) for value in build(*given))
        functions[name] = define(graph, body, f"{name}_of_{len(graph.get_operations())}")
    shapes = [tensor.shape.as_proto() for tensor in inputs]
    return apply("While", inputs, **functions, output_shapes=shapes)


def set_in_called_turns(rs: Any, n: Any) -> Any:
    """What a TensorArray is within functions."""
    ops, count = rs.raw_ops, n // 1024
    whole = ops.TensorListReserve(element_shape=[1 << 10], num_elements=count, element_dtype=rs.float32)

    def turn(i: Any, count: Any, there: Any, row: Any) -> Any:
        return i + 1, count, ops.TensorListSetItem(input_handle=there, index=i, item=row * 2.0), row

    inputs = [rs.constant(0), count, whole, row_of(rs)]
    return ops.TensorListLength(input_handle=called_in_turns(rs, inputs, lambda i, n, *_: [i < n], turn)[2])


def carried_in_called_turns(rs: Any, n: Any) -> Any:
    """A variable that doubles from turn to turn."""
    start = rs.placeholder_with_default(np.ones(1 << 10, np.float32), [None])

    def turn(n: Any, value: Any) -> Any:
        return n, rs.concat([value, value], 0)

    return rs.reduce_max(called_in_turns(rs, [n, start], lambda n, v: [rs.size(v) < n], turn)[1][:5])


@pytest.mark.parametrize(
    ("program", "least", "most"),
    [
        (grown, 4, 8),
        (pushed, 4, 8),
        (set_in_called_turns, 4, 8),
        (carried_in_called_turns, 6, 14),
        (kept_for_the_gradient, 4, 12),
        (collected, 4, 8),
        (turns, 4, 8),
        (doubled, 6, 12),
        (in_a_function, 4, 8),
        (in_functions, 8, 12),
        (on_a_branch, 4, 8),
        (in_turns_of_functions, 4, 8),
    ],
)
def test_the_insides_of_loops_and_functions_count(rs: Any, program: Callable[..., Any], least: int, most: int) -> None:
    """`least` and `most` bytes for each of n."""
    n = rs.placeholder("int32", [])
    y = program(rs, n)
    with rs.Session(config=L0, memory_limit="64MiB") as session:
        for count in (1 << 11, 1 << 20, 1 << 18):
            session.run(y, {n: count})
            assert is_at_rest(session)
        assert least << 20 <= memory(session).peak <= (most << 20) * 1.26
    with rs.Session(config=L0, memory_limit=least << 19) as session:
        session.run(y, {n: 1 << 16})
        with pytest.raises(errors.ResourceExhaustedError, match="OOM when allocating tensor"):
            session.run(y, {n: 1 << 20})
        assert is_at_rest(session)
        session.run(y, {n: 1 << 16})
        assert is_at_rest(session)


def test_what_a_function_takes_depends_on_what_it_is_called_with(rs: Any) -> None:
    """Its own graph knows no shape; who calls it does, before anything runs."""
    ran: list[int] = []
    x = rs.placeholder("float32", [None])

    @rs.function
    def call(x: Any) -> Any:
        return rs.reduce_sum(rs.cumsum(x))

    with rs.control_dependencies([rs.py_func(lambda: ran.append(1), [], [])]):
        y = call(rs.identity(x))
    with rs.Session(memory_limit="6MiB") as session:
        for count in (1 << 8, 1 << 20):
            session.run(y, {x: np.zeros(count, np.float32)})
            assert is_at_rest(session)
        assert 4 * MIB <= memory(session).peak <= 4 * MIB + 64 and ran == [1, 1]
        with pytest.raises(errors.ResourceExhaustedError):
            session.run(y, {x: np.zeros(2 << 20, np.float32)})
        assert ran == [1, 1] and is_at_rest(session)


def test_what_a_queue_gives_counts(rs: Any) -> None:
    queue = rs.FIFOQueue(9, [rs.float32])
    x = rs.placeholder("float32", [None])
    put, y = queue.enqueue(x), rs.reduce_sum(rs.sin(queue.dequeue()))
    with rs.Session(config=L0, memory_limit="11MiB") as session:
        for count in (1 << 18, 1 << 20, 1 << 20):
            session.run(put, {x: np.zeros(count, np.float32)})
        assert memory(session).in_use == 9 * MIB
        assert session.run(y) == 0 and memory(session).in_use == 8 * MIB
        with pytest.raises(errors.ResourceExhaustedError, match="shape.1048576. and type float"):
            session.run(y)  # it takes 8 MiB, and the queue has 4
        assert memory(session).in_use == 4 * MIB


# ---------------------------------------------------------------------- what is foreseen


def test_fed_sizes_are_foreseen(rs: Any) -> None:
    """They are claimed before the step runs, whose order fits them; what never fits is refused before anything has
    run."""
    ran: list[int] = []
    sizes = rs.placeholder("int32", [2])
    with rs.control_dependencies([rs.py_func(lambda: ran.append(1), [], [])]):
        big = [rs.fill(sizes * 2, float(i), name=f"big_{i}") for i in range(9)]
    ends = [rs.add_n([end(b) for b in big]) for end in (rs.reduce_max, rs.reduce_min)]
    with rs.Session(config=L0, memory_limit="20MiB") as session:
        for side in (1, 512, 500, 2, 700, 512):  # 700: 7.5 MiB each
            assert session.run(ends, {sizes: [side, side]}) == [36, 36]
            assert is_at_rest(session)
        assert 7 * MIB <= memory(session).peak <= 16 * MIB and len(ran) == 6
        with pytest.raises(errors.ResourceExhaustedError, match=r"shape.4096,2048. and type float") as caught:
            session.run(ends, {sizes: [2048, 1024]})
        assert caught.value.op in [b.op for b in big] and len(ran) == 6 and is_at_rest(session)
        with pytest.raises(errors.InvalidArgumentError):
            session.run(ends, {sizes: [-1, 4]})
        assert is_at_rest(session)
        (plan,) = [request.plan for request in session._cache.values()]
        taken = [plan.fitted([np.array([side, side], np.int32)])[1] for side in (1, 480, 500, 2000)]
        assert taken[0] is None and [each.fits for each in taken[1:]] == [True, True, False]
        assert taken[1].needs[0].least == taken[2].needs[0].least  # near enough, and looked at once


# ---------------------------------------------------------------------- what does not fit


def test_the_error_tells_what_and_who(rs: Any) -> None:
    """And is raised before the memory is asked for: 400 GB would end the process."""
    n = rs.placeholder("int32", [])
    kept = rs.fill([1 << 18], rs.cast(n, rs.float32), name="kept")
    big = rs.fill([n, 1000], 1.0, name="big")
    variable = rs.Variable(rs.fill([1 << 17], 1.0), name="weights", use_resource=True)
    with rs.Session(memory_limit="8MiB") as session:
        session.run(variable.initializer)
        with pytest.raises(errors.ResourceExhaustedError) as caught:
            session.run([rs.reduce_max(big), kept], {n: 100_000_000})
        assert caught.value.op is big.op
        text = caught.value.message
        assert "OOM when allocating tensor with shape[100000000,1000] and type float on /job:localhost" in text
        assert "the limit is 8 MiB (8388608 bytes), of which 512 KiB (524288 bytes) are in use" in text
        notes = "\n".join(caught.value.__notes__)
        assert "400,000,000,000 bytes  big:0 float32[100000000,1000] (made there)" in notes
        assert "524,288 bytes  tensorflow::Var weights" in notes
        assert session.run(rs.reduce_max(big), {n: 10}) == 1
        assert memory(session).in_use == MIB // 2 and memory(session).reserved == 0


def test_what_follows_is_foreseen(rs: Any) -> None:
    """The product does not fit; that is said when the rows are known, before they are multiplied."""
    ran: list[int] = []
    x = rs.placeholder("float32", [1 << 12])
    rows = rs.boolean_mask(x, x > 0)
    with rs.control_dependencies([rs.py_func(lambda r: ran.append(len(r)), [rows], [])]):
        product = rs.matmul(rs.reshape(rows, [-1, 1]), rs.reshape(x, [1, -1]), name="product")
    with rs.Session(memory_limit="16MiB") as session:
        assert session.run(product, {x: np.r_[np.ones(256), np.zeros(3840)]}).shape == (256, 4096)
        with pytest.raises(errors.ResourceExhaustedError, match="shape.2048,4096. and type float"):
            session.run(product, {x: np.r_[np.ones(2048), np.zeros(2048)]})
        assert ran == [256] and is_at_rest(session)


# ---------------------------------------------------------------------- whose turn it is


class Gate:
    """A py_func that tells when it is entered and waits to be let on."""

    def __init__(self, rs: Any, x: Any) -> None:
        self.entered, self.open = threading.Semaphore(0), threading.Semaphore(0)
        self.out = rs.py_func(self._pass, [x], x.dtype)
        self.out.set_shape(x.shape)

    def _pass(self, x: Any) -> Any:
        self.entered.release()
        assert self.open.acquire(timeout=30)
        return x


def in_thread(call: Callable[[], Any]) -> tuple[threading.Thread, list[Any]]:
    found: list[Any] = []

    def run() -> None:
        try:
            found.append(call())
        except BaseException as error:
            found.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    return thread, found


def until_waiting(session: Any, count: int) -> None:
    seen = threading.Event()
    while memory(session).waiting < count:
        assert not seen.wait(0.001)


def two_stages(rs: Any, n: Any) -> tuple[Any, Gate]:
    """Takes n floats, passes a gate, takes n more."""
    first = rs.fill([n], 1.0)
    gate = Gate(rs, rs.reduce_max(first))
    with rs.control_dependencies([gate.out]):
        second = rs.fill([rs.identity(n)], 2.0)
        last = rs.reduce_sum(second)
    with rs.control_dependencies([last]):
        return rs.reduce_sum(first) + last, gate


def test_a_step_waits_to_grow(rs: Any) -> None:
    n = rs.placeholder("int32", [])
    one, gate = two_stages(rs, n)
    other = rs.reduce_sum(rs.fill([n], 3.0))
    with rs.Session(config=L0, memory_limit="10MiB") as session:
        thread, found = in_thread(lambda: session.run(one, {n: 1 << 20}))  # 4 MiB, then 8
        assert gate.entered.acquire(timeout=30)
        waiting, late = in_thread(lambda: session.run(other, {n: 2 << 20}))  # 8 MiB
        until_waiting(session, 1)
        gate.open.release()
        for each in (thread, waiting):
            each.join(30)
        assert found == [3 << 20] and late == [6 << 20] and is_at_rest(session)


def test_of_two_that_wait_for_each_other_the_last_is_refused(rs: Any) -> None:
    n = rs.placeholder("int32", [])
    one, gate = two_stages(rs, n)
    other, second = two_stages(rs, n)
    with rs.Session(config=L0, memory_limit="10MiB") as session:
        runs = [in_thread(partial(session.run, y, {n: 1 << 20})) for y in (one, other)]
        assert gate.entered.acquire(timeout=30) and second.entered.acquire(timeout=30)
        assert memory(session).reserved >= 8 * MIB
        gate.open.release()
        until_waiting(session, 1)
        second.open.release()
        for thread, _ in runs:
            thread.join(30)
        assert runs[0][1] == [3 << 20]
        assert isinstance(runs[1][1][0], errors.ResourceExhaustedError)
        assert is_at_rest(session)


@pytest.mark.parametrize("end", ["timeout", "close"])
def test_waiting_to_grow_can_be_ended(rs: Any, end: str) -> None:
    n = rs.placeholder("int32", [])
    one, gate = two_stages(rs, n)
    other = rs.reduce_sum(rs.fill([n], 3.0))
    session = rs.Session(config=L0, memory_limit="10MiB")
    thread, found = in_thread(lambda: session.run(one, {n: 1 << 20}))
    assert gate.entered.acquire(timeout=30)
    if end == "timeout":
        with pytest.raises(errors.DeadlineExceededError) as caught:
            session.run(other, {n: 2 << 20}, options=rs.RunOptions(timeout_in_ms=20))
        assert any(note.startswith("waiting: memory of /job:localhost") for note in caught.value.__notes__)
        closing = None
    else:
        waiting, ended = in_thread(lambda: session.run(other, {n: 2 << 20}))
        until_waiting(session, 1)
        closing, _ = in_thread(session.close)
        waiting.join(30)
        assert isinstance(ended[0], errors.CancelledError)
    gate.open.release()
    thread.join(30)
    if closing is None:
        assert found == [3 << 20]
        session.close()
    else:
        closing.join(30)
        assert isinstance(found[0], errors.CancelledError)
    assert is_at_rest(session)


def test_ten_at_once(rs: Any) -> None:
    n = rs.placeholder("int32", [])
    y = rs.reduce_sum(rs.sin(rs.fill([n], 1.0)))
    with rs.Session(config=L0, memory_limit="10MiB") as session:
        runs = [in_thread(lambda: session.run(y, {n: 1 << 20})) for _ in range(10)]  # 8 MiB each
        for thread, _ in runs:
            thread.join(60)
        assert len({float(found[0]) for _, found in runs}) == 1
        assert 8 * MIB <= memory(session).peak <= 10 * MIB and is_at_rest(session)


# ---------------------------------------------------------------------- given back


def test_a_failed_step_gives_back(rs: Any) -> None:
    n = rs.placeholder("int32", [])
    y = rs.check_numerics(rs.log(rs.fill([n], -1.0)), "no")
    with rs.Session(config=L0, memory_limit="10MiB") as session:
        for _ in range(3):
            with pytest.raises(errors.InvalidArgumentError):
                session.run(y, {n: 1 << 20})
            assert is_at_rest(session)


@pytest.mark.parametrize("program", [turns, in_functions, kept_for_the_gradient, filled])
@pytest.mark.parametrize("end", ["fails", "times out", "is closed", "is abandoned", "waits"])
def test_every_end_gives_back(rs: Any, program: Callable[..., Any], end: str) -> None:
    """Whatever was claimed on the way, and however the step ends that claimed it."""
    n = rs.placeholder("int32", [])
    queue = rs.FIFOQueue(1, [rs.float32], [()])
    made = program(rs, n)
    with rs.control_dependencies([made]):
        gate = Gate(rs, rs.identity(made))
        item = queue.dequeue()
        wrong = rs.check_numerics(made / 0.0, "no")
    session = rs.Session(memory_limit="64MiB")
    much = {n: 1 << 20}
    if end == "fails":
        with pytest.raises(errors.InvalidArgumentError, match="no : Tensor had"):
            session.run(wrong, much)
    elif end == "times out":
        with pytest.raises(errors.DeadlineExceededError):
            session.run(item, much, options=rs.RunOptions(timeout_in_ms=200))
    elif end == "is abandoned":
        handle = session.partial_run_setup([made, made * 2.0], [n])
        session.partial_run(handle, made, much)
        session.partial_run_close(handle)
    elif end == "waits":
        thread, found = in_thread(lambda: session.run([made, item], much))
        session.run(queue.enqueue(3.0))
        thread.join(30)
        assert found[0][1] == 3
    else:
        thread, found = in_thread(lambda: session.run(gate.out, much))
        assert gate.entered.acquire(timeout=30) and memory(session).reserved >= 4 * MIB
        closing, _ = in_thread(session.close)
        gate.open.release()
        for each in (thread, closing):
            each.join(30)
        assert isinstance(found[0], errors.CancelledError)
    if end not in ("is abandoned", "times out"):  # those may not get so far
        assert memory(session).peak >= 4 * MIB
    assert is_at_rest(session)
    session.close()
    assert is_at_rest(session)


@pytest.mark.trio
async def test_a_step_that_waits_holds_what_it_has(rs: Any) -> None:
    """While it waits for a queue, others have the rest; when it goes on it claims again what it needs."""
    n = rs.placeholder("int32", [])
    queue = rs.FIFOQueue(9, [rs.float32], [()])
    big = rs.fill([n], 1.0)
    with rs.control_dependencies([rs.reduce_max(big)]):
        item = queue.dequeue()
    y = rs.reduce_sum(big * item)
    other = rs.reduce_sum(rs.fill([n], 3.0))
    found: list[Any] = []
    with rs.Session(config=L0, memory_limit="10MiB") as session:

        async def first() -> None:
            found.append(await session.arun(y, {n: 1 << 20}))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(first)
            await trio.testing.wait_all_tasks_blocked(0.01)
            while memory(session).reserved or not memory(session).in_use:
                await trio.testing.wait_all_tasks_blocked(0.01)
            assert 4 * MIB <= memory(session).in_use <= 4 * MIB + 64
            assert session.run(other, {n: 1 << 20}) == 3 << 20
            with pytest.raises(errors.ResourceExhaustedError):
                session.run(other, {n: 2 << 20})
            session.run(queue.enqueue(2.0))
        assert found == [2 << 20] and is_at_rest(session)


# ---------------------------------------------------------------------- who pays


def test_plans_of_known_sizes_are_not_watched(rs: Any) -> None:
    """What follows from the shapes that are fed is known, sizes computed from them included."""
    x = rs.placeholder("float32", [None, 3])
    batch = rs.shape(x)[0]
    zeros = rs.zeros([batch, 4])
    y = rs.concat([x, zeros, rs.tile(rs.ones([1, 2]), [batch * 2 // 2, 1])], 1)
    state = rs.while_loop(lambda i, s: i < 3, lambda i, s: (i + 1, rs.sin(s)), [0, y])[1]
    flat = rs.reshape(state, [batch * 9])
    n = rs.placeholder("int32", [])
    with rs.Session() as session:

        def plan(fetches: list[Any], feeds: list[Any], given: Any) -> Any:
            return session._engine.prepare(session.graph, feeds, fetches, [], given=given)

        for count in (2, 1 << 20):
            found = plan([flat, rs.reduce_sum(y)], [x], [(count, 3)])
            assert not found.estimate.is_open
        assert plan([y], [x], [(2, 3)]).straight is not None
        assert plan([rs.fill([n], 1.0)], [n], [()]).estimate.is_open
