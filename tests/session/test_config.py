"""What each field of a ConfigProto does (SEMANTICS section 12; items S12, S45, S115, S117, S120, S186)."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest


def _config(tf: Any, **fields: Any) -> Any:
    config = tf.ConfigProto()
    for name, value in fields.items():
        setattr(config.experimental, name, value)
    return config


def test_fields_without_effect(tf: Any) -> None:
    """S12, section 12: whatever only matters for GPUs, XLA or clusters is accepted."""
    config = tf.ConfigProto(
        device_count={"GPU": 0, "CPU": 1},
        intra_op_parallelism_threads=1,
        inter_op_parallelism_threads=2,
        use_per_session_threads=True,
        placement_period=3,
        device_filters=["/job:nowhere"],
        gpu_options=tf.GPUOptions(per_process_gpu_memory_fraction=0.3, allow_growth=True, visible_device_list=""),
        isolate_session_state=True,
        graph_options=tf.GraphOptions(
            enable_recv_scheduling=True,
            timeline_step=1,
            enable_bfloat16_sendrecv=False,
            optimizer_options=tf.OptimizerOptions(do_common_subexpression_elimination=True, do_function_inlining=True),
        ),
    )
    config.graph_options.rewrite_options.disable_meta_optimizer = True
    config.experimental.disable_thread_spinning = True
    config.experimental.use_numa_affinity = False
    with tf.Session(config=config) as session:
        assert session.run(tf.constant(1) + 1) == 2


def test_negative_inter_op_threads(tf: Any) -> None:
    """S117, section 12: steps run in the caller's thread."""
    threads: list[int] = []
    c = tf.py_func(lambda: (threads.append(threading.get_ident()), np.float32(1))[1], [], tf.float32)
    with tf.Session(config=tf.ConfigProto(inter_op_parallelism_threads=-1)) as session:
        session.run(c)
    assert threads == [threading.get_ident()]


def test_pools_of_one_name(tf: Any) -> None:
    """S117, section 14: two sessions that disagree about a pool both run, in TensorFlow as here."""

    def session(threads: int) -> Any:
        config = tf.ConfigProto()
        config.session_inter_op_thread_pool.add(num_threads=threads, global_name="test_pools_of_one_name")
        return tf.Session(config=config)

    c = tf.constant(1)
    with session(2) as a, session(3) as b:
        assert a.run(c) == 1 and b.run(c, options=tf.RunOptions(inter_op_thread_pool=0)) == 1


def test_unknown_executors(tf: Any) -> None:
    """Section 12 (S12): told by the first run."""
    c = tf.constant(1)
    for known in ("", "DEFAULT", "SINGLE_THREADED_EXECUTOR"):
        with tf.Session(config=_config(tf, executor_type=known)) as session:
            assert session.run(c) == 1
    with tf.Session(config=_config(tf, executor_type="nope")) as session:
        for _ in range(2):
            with pytest.raises(
                tf.errors.NotFoundError, match="No executor factory registered for the given executor type: nope"
            ):
                session.run(c)


def test_static_graphs_may_grow(tf: Any) -> None:
    """Section 12 (S12, S56): optimize_for_static_graph promises what this session does not need."""
    with tf.Session(config=_config(tf, optimize_for_static_graph=True)) as session:
        assert session.run(tf.constant(1)) == 1
        assert session.run(tf.constant(2)) == 2


def test_logged_placements(rs: Any, capfd: pytest.CaptureFixture[str]) -> None:
    """Section 12 (S12), T: testDefaultLogDevicePlacement: one line for each node, to stderr, once."""
    x = rs.placeholder(rs.float32, name="x")
    with rs.device("/cpu:0"):
        y = rs.add(x, 1.0, name="y")
    with rs.Session(config=rs.ConfigProto(log_device_placement=True)) as session:
        for _ in range(2):
            session.run(y, {x: 1.0})
        session.run(rs.multiply(y, 2.0, name="later"), {x: 1.0})
    cpu = "/job:localhost/replica:0/task:0/device:CPU:0"
    lines = capfd.readouterr().err.splitlines()
    assert lines.count(f"y: (AddV2): {cpu}") == 1 and lines.count(f"later: (Mul): {cpu}") == 1


def test_placements_are_not_logged_unasked(rs: Any, capfd: pytest.CaptureFixture[str]) -> None:
    """Section 12 (S12)."""
    rs.Session().run(rs.constant(1) + 1)
    assert capfd.readouterr().err == ""


def test_optimization_levels(rs: Any) -> None:
    """Section 12 (S112): at L0 nothing is folded or dropped: every node of the graph runs."""
    a = rs.constant(2.0, name="a")
    total = rs.add(rs.multiply(a, 3.0, name="m"), rs.multiply(a, 3.0, name="n"), name="total")
    level0 = rs.ConfigProto(graph_options=rs.GraphOptions(optimizer_options=rs.OptimizerOptions(opt_level=-1)))
    with rs.Session(config=level0) as plain, rs.Session() as optimized:
        assert plain.run(total) == optimized.run(total) == 12.0
        graph = rs.get_default_graph()
        assert {node.name for node in plain._engine.prepare(graph, [], [total], []).nodes} == {"m", "n", "total"}
        assert not optimized._engine.prepare(graph, [], [total], []).nodes


def test_largest_folded_constant(rs: Any) -> None:
    """Section 12 (S12): max_folded_constant_in_bytes."""
    big = rs.ones([64]) + 1.0
    options = rs.OptimizerOptions(max_folded_constant_in_bytes=100)
    config = rs.ConfigProto(graph_options=rs.GraphOptions(optimizer_options=options))
    graph = rs.get_default_graph()
    with rs.Session(config=config) as session:
        assert session._engine.prepare(graph, [], [big], []).nodes
        assert session.run(big).tolist() == [2.0] * 64
    assert not rs.Session()._engine.prepare(graph, [], [big], []).nodes


def test_soft_placement(tf: Any) -> None:
    """S186, section 12."""
    with tf.device("/gpu:0"):
        c = tf.placeholder(tf.float32) * 2.0
    with tf.Session(config=tf.ConfigProto(allow_soft_placement=True)) as session:
        assert session.run(c, {c.op.inputs[0]: 1.0}) == 2.0


def test_debug_options_are_ignored(rs: Any) -> None:
    """Section 12 (S110): tfdbg has no part here."""
    options = rs.RunOptions()
    options.debug_options.debug_tensor_watch_opts.add(node_name="c", output_slot=0)
    assert rs.Session().run(rs.constant(1), options=options) == 1
