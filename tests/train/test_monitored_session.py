"""Monitored sessions and their hooks do what TensorFlow's do, call by call."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import runstep

Same = Callable[..., None]


def side(tf: Any) -> str:
    return "theirs" if "tensorflow" in tf.__name__ else "ours"


def model(tf: Any) -> Any:
    """An operation that raises the global step; a variable that follows it; a summary.

    The step is raised after what hooks read of it, or TensorFlow's threads would decide what they read.
    """
    step = tf.train.get_or_create_global_step()
    tf.train.StepCounterHook().begin()  # makes the read that all hooks share
    reads = tf.get_collection("global_step_read_op_cache")
    assert reads
    v = tf.get_variable("v", initializer=10.0)
    now = v + 0.0
    tf.summary.scalar("v", now)
    with tf.control_dependencies([now]):
        moved = tf.assign_add(v, 0.5)
    with tf.control_dependencies([moved, *reads]):
        return tf.assign_add(step, 1)


def spy(tf: Any, log: Any, name: str, **answers: Any) -> Any:
    """A hook that logs what it is told, and does what `answers` say: before(context), after(context)."""

    class Spy(tf.train.SessionRunHook):  # type: ignore[misc]
        def begin(self) -> None:
            log(f"{name}: begin, final {tf.get_default_graph().finalized}")

        def after_create_session(self, session: Any, coord: Any) -> None:
            log(f"{name}: created, {coord.should_stop()}, final {tf.get_default_graph().finalized}")

        def before_run(self, run_context: Any) -> Any:
            log(f"{name}: before", str(run_context.original_args.feed_dict))
            return answers["before"](run_context) if "before" in answers else None

        def after_run(self, run_context: Any, run_values: Any) -> None:
            log(f"{name}: after", run_values.results, type(run_values.options).__name__)
            log(type(run_values.run_metadata).__name__, run_context.stop_requested)
            if "after" in answers:
                answers["after"](run_context)

        def end(self, session: Any) -> None:
            log(f"{name}: end", session.run("global_step:0"))

    return Spy()


def test_the_calls_of_hooks(same: Same) -> None:
    def program(tf: Any, log: Any) -> None:
        x = tf.placeholder_with_default(1.0, [], name="x")
        y = tf.placeholder_with_default(1.0, [], name="y")
        total = x + y
        train = model(tf)
        args = tf.train.SessionRunArgs
        first = spy(tf, log, "first", before=lambda context: args([total, {"v": "v:0"}], feed_dict={x: 5.0}))
        second = spy(tf, log, "second", before=lambda context: args(None, {}))
        with tf.train.MonitoredSession(hooks=[first, second]) as sess:
            log(sess.run([train, total]), sess.run(total, {y: 7.0}), sess.should_stop())
            log.tried(lambda: sess.run(total, {x: 2.0}))
            log(sess.run_step_fn(lambda step_context: step_context.session.run(total)))
            log(sess.run_step_fn(lambda step_context: step_context.run_with_hooks(total)))
            log.tried(lambda: sess.run_step_fn(lambda other: None))
            sess.run_step_fn(lambda step_context: step_context.request_stop())
            log(sess.should_stop())
            log.tried(lambda: sess.run(total))
        log(sess.should_stop(), tf.get_default_graph().finalized, sess.graph)
        log.tried(lambda: sess.close())

    same(program, graph=False)


def test_two_hooks_that_feed_one_tensor(same: Same) -> None:
    def program(tf: Any, log: Any) -> None:
        x = tf.placeholder(tf.float32, [])
        hooks = [tf.train.FeedFnHook(lambda: {x: 3.0}) for _ in range(2)]
        with tf.train.MonitoredSession(hooks=hooks[:1]) as sess:
            log(sess.run(x))
        with tf.train.SingularMonitoredSession(hooks=hooks) as sess:
            log.tried(lambda: sess.run(x))
            log(type(sess.raw_session()).__name__)

    same(program, graph=False)


def test_how_it_ends(same: Same) -> None:
    """OutOfRangeError ends it in good order: hooks get their `end`. Other errors pass, and they don't."""

    def program(tf: Any, log: Any) -> None:
        train = model(tf)
        failing = tf.check_numerics(tf.log(tf.get_variable("zero", initializer=0.0)), "not finite")
        limited = tf.get_variable("n", initializer=0, trainable=False).count_up_to(2)

        def until_the_end() -> None:
            with tf.train.MonitoredSession(hooks=[spy(tf, log, "a")]) as sess:
                while True:
                    sess.run([train, limited])

        def until_an_error() -> None:
            with tf.train.MonitoredSession(hooks=[spy(tf, log, "b")]) as sess:
                sess.run(failing)

        def until_stopped() -> None:
            stop = spy(tf, log, "c", after=lambda context: context.request_stop())
            with tf.train.MonitoredSession(hooks=[stop]) as sess:
                while not sess.should_stop():
                    sess.run(train)
                sess.run(train)

        def raised() -> None:
            with tf.train.MonitoredSession(hooks=[spy(tf, log, "d")]):
                raise StopIteration

        for attempt in (until_the_end, until_an_error, until_stopped, raised):
            log.tried(attempt)

    same(program, graph=False, texts=False)


def test_recovery(same: Same) -> None:
    """After AbortedError and UnavailableError a new session is made, and the run tried again."""

    def program(tf: Any, log: Any) -> None:
        train = model(tf)
        errors = [tf.errors.AbortedError(None, None, "lost"), tf.errors.UnavailableError(None, None, "gone")]

        def fail(context: Any) -> None:
            if errors:
                raise errors.pop()

        for kind in (tf.train.MonitoredSession, tf.train.SingularMonitoredSession):
            with kind(hooks=[spy(tf, log, "hook", after=fail)]) as sess:
                log(sess.run(train), sess.run(train))
            errors.append(tf.errors.AbortedError(None, None, "again"))
            if kind is tf.train.MonitoredSession:
                continue
            log.tried(lambda: None)
        log(len(errors))

    def guarded(tf: Any, log: Any) -> None:
        log.tried(lambda: program(tf, log))

    same(guarded, graph=False, texts=False)


def test_scaffolds(tmp_path: Path, same: Same) -> None:
    def program(tf: Any, log: Any) -> None:
        train = model(tf)
        given = tf.get_variable("given", shape=[], initializer=tf.zeros_initializer())
        local = tf.get_variable("local", initializer=3.0, collections=[tf.GraphKeys.LOCAL_VARIABLES])
        start = tf.placeholder(tf.float32, [])
        init = tf.group(tf.global_variables_initializer(), name="mine")
        with tf.control_dependencies([init]):
            init = tf.group(tf.assign(given, start))
        scaffold = tf.train.Scaffold(
            init_op=init,
            init_feed_dict={start: 4.0},
            init_fn=lambda scaffold, sess: log(type(scaffold).__name__, type(sess).__name__),
        )
        copied = tf.train.Scaffold(copy_from_scaffold=scaffold)
        with tf.train.SingularMonitoredSession(scaffold=copied) as sess:
            log(sess.run([given, local, train]))
        log(copied.init_op, copied.summary_op, type(copied.saver).__name__)
        log(copied.ready_op.dtype.name, copied.local_init_op, tf.get_collection(tf.GraphKeys.INIT_OP))
        log.tried(lambda: tf.train.Scaffold(copy_from_scaffold=3))
        for _ in range(2):
            tf.add_to_collection(tf.GraphKeys.LOCAL_INIT_OP, train.op)
        log.tried(lambda: tf.train.MonitoredSession())

    same(program, graph=False, texts=False)


def test_models_that_are_not_ready(same: Same) -> None:
    def program(tf: Any, log: Any) -> None:
        model(tf)
        nothing = tf.no_op(name="nothing")
        creator = tf.train.ChiefSessionCreator(tf.train.Scaffold(init_op=nothing))
        log.tried(lambda: tf.train.MonitoredSession(creator))
        worker = tf.train.WorkerSessionCreator(tf.train.Scaffold(), max_wait_secs=0)
        log.tried(lambda: tf.train.MonitoredSession(worker))
        manager = tf.train.SessionManager()
        log.tried(lambda: manager.prepare_session(""))
        log.tried(lambda: manager.prepare_session("", nothing, checkpoint_dir="a", checkpoint_filename_with_path="b"))
        log.tried(lambda: tf.train.SessionManager(ready_for_local_init_op=nothing))

    same(program, graph=False, texts=False)


def events(tf: Any, folder: Path) -> list[Any]:
    """What was written to the folder's event files, which go: TensorFlow's writers of one second take one name."""
    found = []
    for file in sorted(name for name in os.listdir(folder) if "tfevents" in name):
        for event in tf.train.summary_iterator(f"{folder}/{file}"):
            kind = event.WhichOneof("what")
            values = [(value.tag, value.simple_value) for value in event.summary.value if "/sec" not in value.tag]
            rates = [value.tag for value in event.summary.value if "/sec" in value.tag]
            log = (event.session_log.status, os.path.basename(event.session_log.checkpoint_path))
            found.append((kind, event.step, values, rates, log if kind == "session_log" else None))
        (folder / file).unlink()
    return found


def test_training_sessions(tmp_path: Path, same: Same) -> None:
    """Checkpoints, summaries and steps per second; a second session goes on where the first ended."""

    def program(tf: Any, log: Any) -> None:
        folder = tmp_path / side(tf)
        listener_calls: list[Any] = []

        class Listener(tf.train.CheckpointSaverListener):  # type: ignore[misc]
            def begin(self) -> None:
                listener_calls.append("begin")

            def before_save(self, session: Any, global_step_value: int) -> None:
                listener_calls.append(("before", int(global_step_value)))

            def after_save(self, session: Any, global_step_value: int) -> bool:
                listener_calls.append(("after", int(global_step_value)))
                return bool(global_step_value >= 9)

            def end(self, session: Any, global_step_value: int) -> None:
                listener_calls.append(("end", int(global_step_value)))

        for last in (7, 20):
            with tf.Graph().as_default():
                train = model(tf)
                extra = tf.train.CheckpointSaverHook(
                    f"{folder}/more", save_steps=2, saver=tf.train.Saver(), listeners=[Listener()], save_graph_def=False
                )
                with tf.train.MonitoredTrainingSession(
                    checkpoint_dir=str(folder),
                    hooks=[tf.train.StopAtStepHook(last_step=last), extra],
                    save_checkpoint_steps=4,
                    save_summaries_steps=3,
                    log_step_count_steps=2,
                ) as sess:
                    while not sess.should_stop():
                        log(sess.run(train))
            tf.summary.FileWriterCache.clear()
            log(events(tf, folder), events(tf, folder / "more"), sorted(os.listdir(folder)))
        log(listener_calls)

    same(program, graph=False)


def test_hooks_that_stop_and_log(same: Same, tmp_path: Path) -> None:
    def program(tf: Any, log: Any) -> None:
        lines: list[str] = []
        t = tf.train
        train = model(tf)
        nan = tf.log(tf.get_variable("w", initializer=-1.0), name="nan")

        def formatted(values: Any) -> str:
            lines.append(f"{sorted(values)} {values['v']}")
            return lines[-1]

        def run(count: int, *hooks: Any) -> None:
            with t.MonitoredSession(hooks=hooks) as sess:
                for _ in range(count):
                    if sess.should_stop():
                        break
                    log(sess.run(train))

        run(9, t.StopAtStepHook(num_steps=2))
        run(9, t.StopAtStepHook(last_step=3))
        run(5, t.LoggingTensorHook({"v": "v"}, every_n_iter=2, formatter=formatted))
        run(2, t.LoggingTensorHook({"v": "v:0"}, at_end=True, formatter=formatted))
        log(lines)
        log.tried(lambda: run(2, t.NanTensorHook(nan)))
        run(2, t.NanTensorHook(nan, fail_on_nan_loss=False))
        run(1, t.GlobalStepWaiterHook(0))
        final = t.FinalOpsHook(["v:0", "global_step:0"])
        run(2, final)
        log(final.final_ops_values)

    same(program, graph=False)


def test_refusals_and_timers(same: Same) -> None:
    def program(tf: Any, log: Any) -> None:
        t = tf.train
        for build in (
            lambda: t.StopAtStepHook(),
            lambda: t.StopAtStepHook(1, 2),
            lambda: t.LoggingTensorHook(["x"]),
            lambda: t.LoggingTensorHook(["x"], every_n_iter=0),
            lambda: t.LoggingTensorHook(["x"], every_n_iter=1, every_n_secs=1),
            lambda: t.StepCounterHook(1, 1),
            lambda: t.SummarySaverHook(save_steps=1),
            lambda: t.CheckpointSaverHook("d", save_steps=1, saver=1, scaffold=2),
            lambda: t.SecondOrStepTimer(),
            lambda: t.SecondOrStepTimer(1, 1),
            lambda: t.StopAtStepHook(1).begin(),
            lambda: t.StepCounterHook().begin(),
            lambda: t.SummarySaverHook(save_steps=1, summary_op=tf.constant("")).begin(),
        ):
            log.tried(build)
        log(str(t.NanLossDuringTrainingError()))
        timer = t.SecondOrStepTimer(every_steps=3)
        log([timer.should_trigger_for_step(0), timer.update_last_triggered_step(0), timer.last_triggered_step()])
        log([timer.should_trigger_for_step(step) for step in (0, 1, 2, 3, 4)])
        log(timer.update_last_triggered_step(4)[1])
        timer.reset()
        log(timer.should_trigger_for_step(1), timer.last_triggered_step())
        timer = t.SecondOrStepTimer(every_secs=1000.0)
        timer.update_last_triggered_step(1)
        log(timer.should_trigger_for_step(2))
        context = t.SessionRunContext(t.SessionRunArgs("f", {"a": 1}), None)
        log(context.original_args.fetches, context.original_args.options, context.stop_requested)

    same(program, graph=False, texts=False)


def test_queue_runners_start_and_stop(same: Same) -> None:
    def program(tf: Any, log: Any) -> None:
        queue = tf.FIFOQueue(3, tf.int32, shapes=[[]])
        runner = tf.train.QueueRunner(queue, [queue.enqueue(tf.get_variable("n", initializer=0).count_up_to(5))])
        tf.train.add_queue_runner(runner)
        item = queue.dequeue()
        with tf.train.MonitoredSession() as sess:
            log(tf.train.start_queue_runners(sess))
            while not sess.should_stop():
                log(sess.run(item))
        log("done")

    same(program, graph=False)


def test_traces(tmp_path: Path) -> None:
    tf: Any = runstep
    with tf.Graph().as_default():
        train = model(tf)
        hook = tf.train.ProfilerHook(save_steps=2, output_dir=str(tmp_path), show_memory=True)
        with tf.train.MonitoredSession(hooks=[hook]) as sess:
            for _ in range(5):
                sess.run(train)
    tf.summary.FileWriterCache.clear()
    traces = sorted(name for name in os.listdir(tmp_path) if name.startswith("timeline"))
    assert traces == ["timeline-2.json", "timeline-4.json"]
    assert "AssignAdd" in (tmp_path / traces[0]).read_text()
    assert [kind for kind, *_ in events(tf, tmp_path)].count("tagged_run_metadata") == 2


def test_a_trace_is_asked_for_only_when_wanted() -> None:
    """The options of hooks are brought together: the most that any wants."""
    tf: Any = runstep
    from runstep.protos.config_pb2 import RunOptions

    train = model(tf)

    class Traced(tf.train.SessionRunHook):  # type: ignore[misc]
        def before_run(self, run_context: Any) -> Any:
            return tf.train.SessionRunArgs(None, options=RunOptions(trace_level=RunOptions.FULL_TRACE))

        def after_run(self, run_context: Any, run_values: Any) -> None:
            assert run_values.options.trace_level == RunOptions.FULL_TRACE and run_values.options.timeout_in_ms == 50000
            assert run_values.run_metadata.step_stats.dev_stats

    with tf.train.MonitoredSession(hooks=[Traced(), tf.train.SessionRunHook()]) as sess:
        sess.run(train, options=RunOptions(timeout_in_ms=50000))


@pytest.fixture(autouse=True)
def _fresh_graph() -> Any:
    with runstep.Graph().as_default():
        yield
