"""Supervisors do what TensorFlow's do: what is made, what is restored, which threads run, what is raised."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import runstep

Same = Callable[..., None]


def side(tf: Any, folder: Path) -> str:
    return str(folder / ("theirs" if "tensorflow" in tf.__name__ else "ours"))


def model(tf: Any) -> Any:
    step = tf.train.get_or_create_global_step()
    v = tf.get_variable("v", initializer=10.0)
    tf.get_variable("local", initializer=1.0, collections=[tf.GraphKeys.LOCAL_VARIABLES])
    tf.summary.scalar("seen", v)
    with tf.control_dependencies([tf.assign_add(v, 0.5)]):
        return tf.assign_add(step, 1)


def events(tf: Any, folder: str) -> list[Any]:
    """What the event files of a folder say, without times and paths."""
    found: list[Any] = []
    for path in sorted(Path(folder).glob("events*")):
        for event in tf.train.summary_iterator(str(path)):
            kind = event.WhichOneof("what")
            if kind == "summary":
                found.append((event.step, [(value.tag, value.simple_value) for value in event.summary.value]))
            elif kind == "session_log":
                found.append((event.step, event.session_log.status, Path(event.session_log.checkpoint_path).name))
            else:
                found.append((event.step, kind))
    return found


def test_what_it_makes_and_finds(same: Same, tmp_path: Path) -> None:
    def program(tf: Any, log: Any) -> None:
        train = model(tf)
        sv = tf.train.Supervisor(logdir=side(tf, tmp_path))
        log(sv.ready_op, sv.ready_for_local_init_op, sv.init_op, sv.summary_op, sv.global_step, sv.is_chief)
        log(sv.init_feed_dict, sv.save_summaries_secs, sv.save_model_secs, Path(sv.save_path).name)
        log(type(sv.saver).__name__, type(sv.session_manager).__name__, type(sv.coord).__name__)
        log(type(sv.summary_writer).__name__, tf.get_default_graph().finalized, sv.USE_DEFAULT)
        log([tf.get_collection(key) for key in (tf.GraphKeys.READY_OP, tf.GraphKeys.INIT_OP, tf.GraphKeys.SUMMARY_OP)])
        log(tf.get_collection(tf.GraphKeys.LOCAL_INIT_OP), len(tf.get_collection(tf.GraphKeys.SAVERS)))
        log(tf.get_collection(tf.GraphKeys.READY_FOR_LOCAL_INIT_OP), len(tf.get_collection(tf.GraphKeys.GLOBAL_STEP)))
        again = tf.train.Supervisor(ready_op=None, init_op=None, summary_op=None, saver=None, global_step=None)
        log(again.ready_op, again.init_op, again.summary_op, again.saver, again.global_step, again.save_path)
        log(again.summary_writer, train)
        log.tried(lambda: again.summary_computed(None, b""))
        worker = tf.train.Supervisor(is_chief=True, checkpoint_basename="other", logdir=side(tf, tmp_path))
        log(Path(worker.save_path).name)
        sv.summary_writer.close()
        worker.summary_writer.close()

    same(program)


def test_programs_that_are_not_the_chief(same: Same, tmp_path: Path) -> None:
    def program(tf: Any, log: Any) -> None:
        with tf.device("/cpu:0"):
            model(tf)
        sv = tf.train.Supervisor(is_chief=False, logdir=side(tf, tmp_path), recovery_wait_secs=1)
        log(sv.save_path, sv.summary_writer, sv.save_model_secs, sv.save_summaries_secs, sv.is_chief)
        log.tried(lambda: sv.start_standard_services(None))
        log.tried(lambda: sv.prepare_or_wait_for_session(max_wait_secs=0))
        ready = tf.train.Supervisor(is_chief=False, ready_op=None, local_init_op=None)
        with ready.managed_session() as sess:
            log.tried(lambda: sess.run("v:0"))
        log(ready.should_stop())
        with tf.Graph().as_default():
            tf.Variable(1.0, use_resource=False)
            log.tried(lambda: tf.train.Supervisor(is_chief=False))

    same(program, graph=False)


def test_a_managed_session_trains_saves_and_restores(same: Same, tmp_path: Path) -> None:
    def run(tf: Any, log: Any, steps: int, folder: str) -> None:
        with tf.Graph().as_default():
            train = model(tf)
            calls: list[Any] = []
            sv = tf.train.Supervisor(logdir=folder, save_summaries_secs=0, save_model_secs=0, init_fn=calls.append)
            with sv.managed_session() as sess:
                log(sess.run(["v:0", "local:0", "global_step:0"]), len(calls), sv.should_stop())
                for _ in range(steps):
                    sess.run(train)
                sv.summary_computed(sess, sess.run(sv.summary_op))
                sv.summary_computed(sess, sess.run(sv.summary_op), global_step=77)
                log.tried(lambda: sv.summary_computed(sess, 3, global_step=1))
                sv.saver.save(sess, sv.save_path, global_step=sv.global_step)
            log(sv.should_stop(), sv.coord.joined)

    def program(tf: Any, log: Any) -> None:
        folder = side(tf, tmp_path)
        run(tf, log, 3, folder)
        log(sorted(path.name for path in Path(folder).glob("*") if not path.name.startswith("events")))
        found = events(tf, folder)
        # The thread's own entry of the first checkpoint comes when it likes.
        log([entry for entry in found if entry[1] != 3])
        run(tf, log, 1, folder)
        log(tf.train.latest_checkpoint(folder).rpartition("/")[2])

    same(program, graph=False, texts=False)


def test_threads_of_services(tmp_path: Path) -> None:
    """Each of the three threads does its work when it starts; after that, every so many seconds."""
    tf = runstep
    with tf.Graph().as_default():
        model(tf)
        written: dict[str, threading.Event] = {"seen": threading.Event(), "global_step/sec": threading.Event()}
        checkpoint = threading.Event()

        class Writer(tf.summary.FileWriter):
            def add_summary(self, summary: Any, global_step: Any = None) -> None:
                super().add_summary(summary, global_step)
                if isinstance(summary, bytes):
                    summary = tf.Summary.FromString(summary)
                for value in summary.value:
                    written[value.tag].set()

            def add_session_log(self, session_log: Any, global_step: Any = None) -> None:
                super().add_session_log(session_log, global_step)
                if session_log.status == session_log.CHECKPOINT:
                    checkpoint.set()

        sv = tf.train.Supervisor(logdir=str(tmp_path), summary_writer=Writer(str(tmp_path)))
        with sv.managed_session():
            assert checkpoint.wait(60) and all(event.wait(60) for event in written.values())
        found = events(tf, str(tmp_path))
        assert [entry[1] for entry in found[:4]] == ["file_version", "graph_def", "meta_graph_def", 1]
        assert sorted(str(entry[1])[:8] for entry in found[4:]) == ["2", "3", "[('globa", "[('seen'"]
        assert (tmp_path / "graph.pbtxt").exists() and (tmp_path / "model.ckpt-0.index").exists()


def test_ends(same: Same) -> None:
    def program(tf: Any, log: Any) -> None:
        x = tf.placeholder_with_default(0.0, [])
        check = tf.Assert(x < 1.0, [x], name="check")
        sv = tf.train.Supervisor()
        count: list[int] = []

        def work(sess: Any, first: Any, last: Any = None) -> None:
            count.append(first)
            if len(count) == 3:
                raise tf.errors.OutOfRangeError(None, None, "no more")

        log(tf.train.basic_train_loop(sv, work, (5,), {"last": 6}), count, sv.should_stop())

        def fails(error: Exception) -> None:
            with sv.managed_session() as sess:
                log(sv.should_stop(), sess.run(x))
                raise error

        log.tried(lambda: fails(ValueError("mine")))
        log.tried(lambda: fails(tf.errors.OutOfRangeError(None, None, "the end")))

        def in_a_thread(error: Exception) -> None:
            def once() -> None:
                raise error

            with sv.managed_session():
                sv.loop(None, once)
                sv.wait_for_stop()
                log(sv.should_stop())

        log.tried(lambda: in_a_thread(KeyError("theirs")))
        log.tried(lambda: in_a_thread(tf.errors.OutOfRangeError(None, None, "the end")))

        def by_hand() -> None:
            sess = sv.prepare_or_wait_for_session(start_standard_services=False)
            with sv.stop_on_exception():
                sess.run(check, {x: 2.0})
            log(sv.should_stop(), sess.run(x))
            sess.close()
            sv.stop()

        log.tried(by_hand)

    same(program, graph=False, texts=False)


def test_queue_runners_are_started_and_end_with_the_session(same: Same) -> None:
    def program(tf: Any, log: Any) -> None:
        queue = tf.FIFOQueue(4, [tf.float32], [[]])
        first = tf.FIFOQueue(1, [tf.float32], [[]])
        tf.train.add_queue_runner(tf.train.QueueRunner(queue, [queue.enqueue(2.0)] * 2))
        other = tf.train.QueueRunner(first, [first.enqueue(3.0)])
        two, three = queue.dequeue(), first.dequeue()
        sv = tf.train.Supervisor(stop_grace_secs=60)
        with sv.managed_session() as sess:
            log([sess.run(two) for _ in range(6)])
            log(len(sv.start_queue_runners(sess, [other])), sess.run(three))
            log(len(sv.start_queue_runners(sess)), len(sv.start_queue_runners(sess, [])))
        log(sv.coord.joined)

    same(program)
