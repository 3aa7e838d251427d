"""SyncReplicasOptimizer: TensorFlow's graph, and its updates when the chief's part is run by hand or by its thread."""

from __future__ import annotations

from typing import Any

import pytest

import runstep
from runstep.testing import programs


def built(tf: Any, replicas: int = 2, total: int | None = 3) -> tuple[Any, Any, Any, Any]:
    """The optimizer, what a worker runs, and two variables."""
    x = tf.get_variable("x", initializer=[2.0, 3.0], use_resource=True)
    y = tf.get_variable("y", initializer=[[2.0], [3.0]], use_resource=False)
    unused = tf.get_variable("unused", initializer=1.0)
    step = tf.train.get_or_create_global_step()
    fed = tf.placeholder(tf.float32, [], name="fed")
    optimizer = tf.train.SyncReplicasOptimizer(tf.train.MomentumOptimizer(0.1, 0.9), replicas, total)
    loss = tf.reduce_sum(x * x) * fed + tf.reduce_sum(tf.gather(y, [1, 1]) * fed)
    pairs = [*optimizer.compute_gradients(loss, [x, y]), (None, unused)]
    return optimizer, optimizer.apply_gradients(pairs, global_step=step), x, y


def test_step_by_step() -> None:
    def program(tf: Any, log: Any) -> None:
        optimizer, train, x, y = built(tf)
        log(optimizer.get_slot_names(), optimizer.get_slot(x, "momentum"), optimizer.variables(), tf.local_variables())
        log(optimizer.get_name(), train)
        tokens = optimizer.get_init_tokens_op()
        log(tokens)
        (update,) = optimizer.get_chief_queue_runner().enqueue_ops
        made = [op for op in tf.get_default_graph().get_operations() if op.name.startswith("sync_")]
        made += [op.inputs[0].op for op in made if op.type == "QueueEnqueueManyV2"]
        for op in made:
            inputs = [tensor.name for tensor in op.inputs if tensor.name.startswith(("sync_", "global"))]
            log(op.type, op.name, inputs, sorted(before.name for before in op.control_inputs))
        with tf.Session() as session:
            log(session.run(optimizer.ready_for_local_init_op))
            session.run(tf.global_variables_initializer())
            session.run(tf.local_variables_initializer())
            log(session.run(optimizer.ready_for_local_init_op))
            session.run([optimizer.chief_init_op])
            session.run(tokens)
            step = tf.train.get_global_step()
            state = [x, y, step, tf.local_variables()[0], optimizer.get_slot(y, "momentum")]
            for fed in (1.0, 2.0):
                session.run(train, {"fed:0": fed})
            log(*session.run(state))
            session.run(update)
            log(*session.run(state))
            session.run(train, {"fed:0": 100.0})  # computed before the update: it is dropped
            for fed in (3.0, 4.0):
                session.run(train, {"fed:0": fed})
            session.run(update)
            log(*session.run(state))

    programs.same(program, graph=False)  # that of gradients differs


def test_averages_after_updates_and_errors() -> None:
    def program(tf: Any, log: Any) -> None:
        average = tf.train.ExponentialMovingAverage(0.5)
        x = tf.get_variable("x", initializer=2.0)
        step = tf.train.get_or_create_global_step()
        inner = tf.train.GradientDescentOptimizer(0.5)
        optimizer = tf.train.SyncReplicasOptimizer(inner, 1, None, average, [x])
        log.tried(lambda: optimizer.get_init_tokens_op())
        log.tried(lambda: optimizer.get_chief_queue_runner())
        log.tried(lambda: optimizer.apply_gradients([]))
        log.tried(lambda: optimizer.apply_gradients([(x, x)]))
        log.tried(lambda: optimizer.make_session_run_hook(True).begin())
        train = optimizer.minimize(x * x, global_step=step)
        (update,) = optimizer.get_chief_queue_runner().enqueue_ops
        needy = tf.train.SyncReplicasOptimizer(inner, 5, 2, name="needy")
        needy.minimize(x * x, global_step=step)
        log.tried(lambda: needy.get_init_tokens_op(2))
        with tf.Session() as session:
            session.run(tf.global_variables_initializer())
            session.run(tf.local_variables_initializer())
            session.run(optimizer.chief_init_op)
            session.run(optimizer.get_init_tokens_op())
            session.run(train)
            session.run(update)
            log(*session.run([x, average.average(x), step]))

    programs.same(program, graph=False)  # that of gradients differs


def test_the_hook_of_the_chief() -> None:
    """With no tokens at the start each step waits for its update, which the chief's thread makes."""

    def program(tf: Any, log: Any) -> None:
        optimizer, train, x, y = built(tf, 1, None)
        hook = optimizer.make_session_run_hook(is_chief=True, num_tokens=0)
        hook.begin()
        coordinator = tf.train.Coordinator()
        with tf.Session() as session:
            session.run(tf.global_variables_initializer())
            session.run(tf.local_variables_initializer())
            hook.after_create_session(session, coordinator)
            for fed in (1.0, 0.5, 0.25):
                log(session.run(train, {"fed:0": fed}))
            log(*session.run([x, y]))
            coordinator.request_stop()
        coordinator.join()  # the session's end cancels what its thread waits for

    programs.same(program, graph=False)  # that of gradients differs


def test_variables_that_nobody_initialized() -> None:
    with runstep.Graph().as_default(), runstep.Session() as session:
        optimizer, _, _, _ = built(runstep)
        hook = optimizer.make_session_run_hook(is_chief=False)
        hook.begin()
        with pytest.raises(RuntimeError, match="did not make model ready .*not initialized: .*global_step"):
            hook.after_create_session(session, None)
