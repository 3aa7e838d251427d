"""RunOptions in, RunMetadata out (S110-S121)."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import numpy as np
import pytest
import trio

CPU = "/job:localhost/replica:0/task:0/device:CPU:0"


def _options(tf: Any, **fields: Any) -> Any:
    return tf.RunOptions(**fields)


def _small(tf: Any) -> tuple[Any, Any]:
    x = tf.placeholder(tf.float32, [], name="x")
    return x, tf.add(x, 1.0, name="y")


def _experimental(tf: Any, **fields: Any) -> Any:
    config = tf.ConfigProto()
    for name, value in fields.items():
        if hasattr(value, "SerializeToString"):
            getattr(config.experimental, name).CopyFrom(value)
        else:
            setattr(config.experimental, name, value)
    return config


def test_options_are_optional(tf: Any) -> None:
    """S110."""
    x, y = _small(tf)
    with tf.Session() as session:
        assert session.run(y, {x: 1.0}, options=None, run_metadata=None) == 2.0
        assert session.run(y, {x: 1.0}, options=tf.RunOptions()) == 2.0


def test_other_types_are_refused(rs: Any) -> None:
    """S110: a clear TypeError; TensorFlow reads any other message as RunOptions, or fails on an attribute."""
    c = rs.constant(1)
    with rs.Session() as session:
        for wrong in (3, rs.ConfigProto(), {"timeout_in_ms": 3}):
            with pytest.raises(TypeError, match="Argument `options` must be a tf.RunOptions"):
                session.run(c, options=wrong)
        for wrong in (3, rs.RunOptions()):
            with pytest.raises(TypeError, match="Argument `run_metadata` must be a tf.RunMetadata"):
                session.run(c, run_metadata=wrong)


def test_messages_of_tensorflow_are_taken(rs: Any) -> None:
    """S110: and TensorFlow's RunMetadata is filled."""
    from runstep.testing.oracle import tensorflow

    real = tensorflow().compat.v1
    x, y = _small(rs)
    metadata = real.RunMetadata()
    rs.Session().run(
        y, {x: 1.0}, options=real.RunOptions(trace_level=real.RunOptions.FULL_TRACE), run_metadata=metadata
    )
    assert metadata.step_stats.dev_stats[0].device == CPU


def test_metadata_is_replaced(tf: Any) -> None:
    """S111, S121: on success wholly; on an early failure it is untouched; with nothing to run it is emptied."""
    x, y = _small(tf)
    metadata = tf.RunMetadata()
    metadata.step_stats.dev_stats.add(device="mine")
    trace = tf.RunOptions(trace_level=tf.RunOptions.FULL_TRACE)
    with tf.Session() as session:
        with pytest.raises(tf.errors.InvalidArgumentError):
            session.run(y, options=trace, run_metadata=metadata)
        assert [d.device for d in metadata.step_stats.dev_stats] == ["mine"]
        session.run(y, {x: 1.0}, options=trace, run_metadata=metadata)
        assert [d.device for d in metadata.step_stats.dev_stats] == [CPU]
        session.run([], options=trace, run_metadata=metadata)
        assert metadata == tf.RunMetadata()


def test_metadata_of_failed_steps(rs: Any) -> None:
    """S111, S121: what ran before the failure is told (TensorFlow tells nothing: tensorflow#25990)."""
    x = rs.placeholder(rs.float32, [], name="x")
    before = rs.add(x, 1.0, name="before")
    bad = rs.check_numerics(before, "bad", name="bad")
    metadata = rs.RunMetadata()
    with pytest.raises(rs.errors.InvalidArgumentError):
        rs.Session().run(bad, {x: np.nan}, options=rs.RunOptions(trace_level=3), run_metadata=metadata)
    assert "before" in [node.node_name for node in metadata.step_stats.dev_stats[0].node_stats]


@pytest.mark.parametrize("level", [0, 1, 2, 3])
def test_trace_levels(tf: Any, level: int) -> None:
    """S112, T: testPerStepTrace, testRunOptionsRunMetadata."""
    x, y = _small(tf)
    metadata = tf.RunMetadata()
    with tf.Session() as session:
        assert session.run(y, {x: 1.0}, options=_options(tf, trace_level=level), run_metadata=metadata) == 2.0
        assert metadata.HasField("step_stats") is (level > 0)
        assert len(metadata.step_stats.dev_stats) == (level > 0)
        assert session.run(y, {x: 1.0}, options=_options(tf, trace_level=level)) == 2.0


def test_traced_nodes(same: Any) -> None:
    """S112: one entry for each node that ran, with the arguments and results of the step."""

    def program(tf: Any) -> Any:
        x, y = _small(tf)
        metadata = tf.RunMetadata()
        with tf.Session() as session:
            session.run(y, {x: 1.0}, options=tf.RunOptions(trace_level=3), run_metadata=metadata)
        (device,) = metadata.step_stats.dev_stats
        return device.device, sorted((node.node_name, node.timeline_label) for node in device.node_stats)

    kind, found = same(program)
    assert kind == "returned" and "y = AddV2" in str(found)


def test_traced_loops(tf: Any) -> None:
    """S112: a node in a loop appears once for each turn."""
    end = tf.while_loop(lambda i: i < 3, lambda i: tf.add(i, 1, name="turn"), [0])
    metadata = tf.RunMetadata()
    with tf.Session() as session:
        assert session.run(end, options=tf.RunOptions(trace_level=3), run_metadata=metadata) == 3
    names = [node.node_name for node in metadata.step_stats.dev_stats[0].node_stats]
    assert names.count("while/turn") == 3


def test_fields_of_node_stats(tf: Any) -> None:
    """S113, T: timeline_test: times, outputs, memory."""
    x = tf.placeholder(tf.float32, [2, 3], name="x")
    y = tf.add(x, 1.0, name="y")
    metadata = tf.RunMetadata()
    with tf.Session() as session:
        session.run(y, {x: np.ones((2, 3))}, options=tf.RunOptions(trace_level=3), run_metadata=metadata)
    (node,) = [n for n in metadata.step_stats.dev_stats[0].node_stats if n.node_name == "y"]
    assert node.all_start_micros > 10**15 and node.all_start_nanos // 1000 == node.all_start_micros
    assert node.op_end_rel_nanos >= node.op_start_rel_nanos >= 0 and node.all_end_rel_nanos >= node.op_end_rel_nanos
    assert node.all_end_rel_micros >= 0 and node.scheduled_micros <= node.all_start_micros
    (output,) = node.output
    description = output.tensor_description
    assert output.slot == 0 and description.dtype == 1 and [d.size for d in description.shape.dim] == [2, 3]
    allocation = description.allocation_description
    assert allocation.requested_bytes == 24 and allocation.allocated_bytes >= 24 and allocation.allocator_name == "cpu"
    assert node.memory[0].allocator_name == "cpu" and node.HasField("memory_stats")


def test_the_timeline_reads_it(rs: Any) -> None:
    """S113: TensorFlow's own timeline.py makes a trace of our metadata."""
    from tensorflow.core.protobuf import config_pb2
    from tensorflow.python.client.timeline import Timeline

    x, y = _small(rs)
    metadata = rs.RunMetadata()
    rs.Session().run(y * 2.0, {x: 1.0}, options=rs.RunOptions(trace_level=3), run_metadata=metadata)
    theirs = config_pb2.RunMetadata.FromString(metadata.SerializeToString())
    trace = Timeline(theirs.step_stats).generate_chrome_trace_format(show_memory=True)
    assert '"AddV2"' in trace and '"Mul"' in trace


def test_partition_graphs(same: Any) -> None:
    """S114, T: testOutputPartitionGraphsDirect."""

    def program(tf: Any) -> Any:
        x, y = _small(tf)
        metadata = tf.RunMetadata()
        with tf.Session() as session:
            session.run(y, {x: 1.0}, options=tf.RunOptions(output_partition_graphs=True), run_metadata=metadata)
        (graph,) = metadata.partition_graphs
        return sorted((node.name, node.op, node.device, sorted(node.input)) for node in graph.node)

    kind, found = same(program)
    assert kind == "returned" and "_arg_x_0_0" in str(found) and "_retval_y_0_0" in str(found)


def test_partition_graphs_switched_off(tf: Any) -> None:
    """S114: with metadata or without."""
    c = tf.constant(1)
    with tf.Session(config=_experimental(tf, disable_output_partition_graphs=True)) as session:
        for metadata in (None, tf.RunMetadata()):
            with pytest.raises(
                tf.errors.InvalidArgumentError, match=r"RunOptions.output_partition_graphs\(\) is not supported"
            ):
                session.run(c, options=tf.RunOptions(output_partition_graphs=True), run_metadata=metadata)


def test_partition_graphs_of_several_devices(rs: Any) -> None:
    """S114: one graph for each, with what is sent between them."""
    with rs.device("/cpu:0"):
        a = rs.py_func(lambda: np.float32(1), [], rs.float32, name="a")
    with rs.device("/cpu:1"):
        b = rs.identity(a, name="b") + 1.0
    metadata = rs.RunMetadata()
    with rs.Session(config=rs.ConfigProto(device_count={"CPU": 2})) as session:
        session.run(b, options=rs.RunOptions(output_partition_graphs=True), run_metadata=metadata)
    ops = {graph.node[0].device[-5:]: {node.op for node in graph.node} for graph in metadata.partition_graphs}
    assert "_Send" in ops["CPU:0"] and "_Recv" in ops["CPU:1"]


@pytest.mark.parametrize("where", ["options", "config"])
def test_timeouts(tf: Any, where: str) -> None:
    """S115, C++ T: TimeoutSession: of no operation; the session stays usable; nothing was taken out of the queue."""
    queue = tf.FIFOQueue(3, tf.float32, shapes=[()])
    put, taken = queue.enqueue(5.0), queue.dequeue()
    config = tf.ConfigProto(operation_timeout_in_ms=20) if where == "config" else None
    options = tf.RunOptions(timeout_in_ms=20) if where == "options" else None
    with tf.Session(config=config) as session:
        for _ in range(2):
            with pytest.raises(tf.errors.DeadlineExceededError, match="Timed out waiting for notification") as caught:
                session.run(taken, options=options)
            assert caught.value.op is None and caught.value.node_def is None and caught.value.error_code == 4
        session.run(put)
        assert session.run(taken) == 5.0 and session.run(queue.size()) == 0


def test_options_win_over_the_config(tf: Any) -> None:
    """S115: and a timeout of zero or less is none."""
    c = tf.py_func(lambda: np.float32(1), [], tf.float32)
    with tf.Session(config=tf.ConfigProto(operation_timeout_in_ms=20_000)) as session:
        for timeout in (10_000, 0, -1):
            assert session.run(c, options=tf.RunOptions(timeout_in_ms=timeout)) == 1
    queue = tf.FIFOQueue(3, tf.float32, shapes=[()])
    with tf.Session(config=tf.ConfigProto(operation_timeout_in_ms=600_000)) as session:
        with pytest.raises(tf.errors.DeadlineExceededError):
            session.run(queue.dequeue(), options=tf.RunOptions(timeout_in_ms=20))


def test_running_kernels_end_first(rs: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """S115: the error comes when the kernel has ended; a cached request has its time limit too."""
    expired = threading.Event()
    ended: list[int] = []
    from runstep.session.engine import LocalEngine

    original = LocalEngine.expire

    def expire(self: Any, context: Any, timeout: float) -> None:
        original(self, context, timeout)
        expired.set()

    monkeypatch.setattr(LocalEngine, "expire", expire)

    def slow() -> Any:
        assert expired.wait(30)
        ended.append(1)
        return np.float32(1)

    call = rs.py_func(slow, [], rs.float32)
    with rs.Session(config=rs.ConfigProto(operation_timeout_in_ms=10)) as session:
        for turn in (1, 2):
            expired.clear()
            with pytest.raises(rs.errors.DeadlineExceededError):
                session.run(call)
            assert len(ended) == turn


async def _never() -> Any:
    await trio.sleep_forever()


def _shuffled(rs: Any) -> Any:
    queue = rs.RandomShuffleQueue(10, 2, rs.float32, shapes=[()], shared_name="q")
    with rs.control_dependencies([queue.enqueue_many([[1.0, 2.0, 3.0]])]):
        return queue.dequeue_many(2, name="take")


def _full(rs: Any) -> Any:
    queue = rs.FIFOQueue(2, rs.float32, shapes=[()], shared_name="q")
    return queue.enqueue_many([[1.0, 2.0, 3.0, 4.0]], name="put")


def _in_loop(rs: Any) -> Any:
    queue = rs.FIFOQueue(9, rs.int32, shapes=[()], shared_name="q")
    return rs.while_loop(lambda i: i < 9, lambda i: i + queue.dequeue(name="take"), [0], name="loop")


def _take_grad(rs: Any) -> Any:
    return rs.ConditionalAccumulator(rs.float32, shape=(), shared_name="a").take_grad(3, name="take")


WAITS = [
    (
        lambda rs: rs.FIFOQueue(10, rs.float32, shared_name="q").dequeue(name="take"),
        "take (queue 'q' 0/10, no enqueue pending)",
        "Nobody enqueues to 'q': start its queue runners",
    ),
    (
        lambda rs: rs.FIFOQueue(-1, rs.float32, shapes=[()], shared_name="q").dequeue_many(5, name="take"),
        "take (queue 'q' 0, 5 more to dequeue, no enqueue pending)",
        "Nobody enqueues",
    ),
    (_shuffled, "take (queue 'q' 2/10, 2 of which stay, 1 more to dequeue, no enqueue pending)", "Nobody enqueues"),
    (_full, "put (queue 'q' 2/2, 2 more to enqueue, no dequeue pending)", "Nobody dequeues from 'q'"),
    (_in_loop, "loop/take (queue 'q' 0/9, no enqueue pending)", "Nobody enqueues"),
    (_take_grad, "take (accumulator 'a' 0 gradients at step 0, 3 to take)", None),
    (lambda rs: rs.py_func(_never, [], rs.float32, name="call"), "call (py_func ", None),
]


@pytest.mark.parametrize(("make", "text", "cure"), WAITS, ids="fifo many shuffle full loop take await".split())
def test_timeouts_say_what_was_waited_for(rs: Any, make: Any, text: str, cure: str | None) -> None:
    """S115: as notes, by run, arun and partial_run."""
    fetch = make(rs)
    limited = rs.RunOptions(timeout_in_ms=20)
    for run in (
        lambda session: session.run(fetch, options=limited),
        lambda session: trio.run(session.arun, fetch, None, limited),
        lambda session: asyncio.run(session.arun(fetch, None, limited)),
        lambda session: session.partial_run(session.partial_run_setup(fetch), fetch, options=limited),
    ):
        with rs.Session() as session, pytest.raises(rs.errors.DeadlineExceededError) as caught:
            run(session)
        first, *rest = caught.value.__notes__
        assert first.startswith(f"waiting: {text}")
        assert rest[0].startswith(cure) if cure else not rest


def test_timeouts_of_loops_say_where_they_were(rs: Any) -> None:
    """S115."""
    endless = rs.while_loop(lambda i: i >= 0, lambda i: i + 0, [0])
    with rs.Session() as session, pytest.raises(rs.errors.DeadlineExceededError) as caught:
        session.run(endless, options=rs.RunOptions(timeout_in_ms=20))
    assert "It was at while/LoopCond (LoopCond)." in caught.value.__notes__


def test_timeouts_of_loops(tf: Any) -> None:
    """S116."""
    end = tf.while_loop(lambda i: i < 10**9, lambda i: i + 1, [0])
    with tf.Session() as session:
        with pytest.raises(tf.errors.DeadlineExceededError, match="Timed out waiting for notification") as caught:
            session.run(end, options=tf.RunOptions(timeout_in_ms=20))
        assert caught.value.op is None


def test_timeouts_of_endless_loops(rs: Any) -> None:
    """S116: also when the condition is a constant, where TensorFlow never looks (tensorflow#22217)."""
    end = rs.while_loop(lambda i: True, lambda i: i + 1, [0])
    inner = rs.while_loop(lambda i: i < 2, lambda i: i + rs.while_loop(lambda j: True, lambda j: j, [i]), [0])
    with rs.Session() as session:
        for fetch in (end, inner):
            with pytest.raises(rs.errors.DeadlineExceededError):
                session.run(fetch, options=rs.RunOptions(timeout_in_ms=20))


def test_pools(tf: Any) -> None:
    """S117: -1 is the caller's thread; an index must be there."""
    threads: list[int] = []
    c = tf.py_func(lambda: (threads.append(threading.get_ident()), np.float32(1))[1], [], tf.float32)
    with tf.Session() as session:
        assert session.run(c, options=tf.RunOptions(inter_op_thread_pool=0)) == 1
        threads.clear()
        session.run(c, options=tf.RunOptions(inter_op_thread_pool=-1))
        assert threads == [threading.get_ident()]
        for pool in (1, 5, -2):
            with pytest.raises(tf.errors.InvalidArgumentError, match=f"Invalid inter_op_thread_pool: {pool}"):
                session.run(c, options=tf.RunOptions(inter_op_thread_pool=pool))


def test_pools_of_a_session(tf: Any) -> None:
    """S117: config.session_inter_op_thread_pool says how many."""
    config = tf.ConfigProto()
    config.session_inter_op_thread_pool.add()
    config.session_inter_op_thread_pool.add(num_threads=1)
    c = tf.constant(1)
    with tf.Session(config=config) as session:
        for pool in (-1, 0, 1):
            assert session.run(c, options=tf.RunOptions(inter_op_thread_pool=pool)) == 1
        with pytest.raises(tf.errors.InvalidArgumentError, match="Invalid inter_op_thread_pool: 2"):
            session.run(c, options=tf.RunOptions(inter_op_thread_pool=2))


def test_reporting_allocations_collects_statistics(tf: Any) -> None:
    """S118."""
    x, y = _small(tf)
    metadata = tf.RunMetadata()
    with tf.Session() as session:
        options = tf.RunOptions(report_tensor_allocations_upon_oom=True)
        session.run(y, {x: 1.0}, options=options, run_metadata=metadata)
    assert metadata.HasField("step_stats")


def test_cost_models(tf: Any) -> None:
    """S119, T: testBuildCostModel: every N-th step, after the first so many."""
    x, y = _small(tf)
    config = tf.ConfigProto(graph_options=tf.GraphOptions(build_cost_model=2, build_cost_model_after=1))
    found = []
    with tf.Session(config=config) as session:
        for _ in range(6):
            metadata = tf.RunMetadata()
            session.run(y, {x: 1.0}, run_metadata=metadata)
            found.append((metadata.HasField("cost_graph"), metadata.HasField("step_stats")))
            if metadata.HasField("cost_graph"):
                nodes = {node.name: node for node in metadata.cost_graph.node}
                assert "y" in nodes and nodes["y"].output_info[0].dtype == 1
    assert found == [(False, False), (False, False), (True, True), (False, False), (True, True), (False, False)]


def test_session_metadata(tf: Any) -> None:
    """S120: copied to the metadata of each step; a name and version once at a time."""
    c = tf.constant(1)
    proto = type(tf.ConfigProto().experimental.session_metadata)

    def config(version: int) -> Any:
        return _experimental(tf, session_metadata=proto(name="test_session_metadata", version=version))

    session = tf.Session(config=config(3))
    metadata = tf.RunMetadata()
    session.run(c, run_metadata=metadata)
    assert metadata.session_metadata.name == "test_session_metadata" and metadata.session_metadata.version == 3
    with pytest.raises(
        tf.errors.InvalidArgumentError, match="A session with the same name and version has already been created"
    ):
        tf.Session(config=config(3))
    with pytest.raises(tf.errors.InvalidArgumentError, match="Session version shouldn't be negative"):
        tf.Session(config=config(-1))
    tf.Session(config=config(4)).close()
    session.close()
    tf.Session(config=config(3)).close()


def test_a_failed_session_frees_its_name(rs: Any) -> None:
    """S120: a session that could not be opened does not hold name and version."""
    proto = type(rs.ConfigProto().experimental.session_metadata)
    config = _experimental(rs, session_metadata=proto(name="test_a_failed_session", version=1))
    with pytest.raises(rs.errors.NotFoundError):
        rs.Session("nowhere", config=config)
    rs.Session(config=config).close()
