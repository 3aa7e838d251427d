"""Input by queues gives what TensorFlow's gives, in its order."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import runstep

Same = Callable[..., None]

PRODUCERS: dict[str, Callable[[Any], Any]] = {
    "strings": lambda tf: tf.train.string_input_producer(["a", "b", "c"], num_epochs=2, shuffle=False).dequeue(),
    "shuffled": lambda tf: tf.train.string_input_producer(["a", "b", "c"], num_epochs=2, seed=3).dequeue(),
    "numbers": lambda tf: tf.train.range_input_producer(4, num_epochs=1, shuffle=False).dequeue(),
    "rows": lambda tf: tf.train.input_producer(tf.constant([[1, 2], [3, 4]]), num_epochs=1, shuffle=False).dequeue(),
    "slices": lambda tf: tf.train.slice_input_producer([[1, 2, 3], ["x", "y", "z"]], num_epochs=1, shuffle=False),
}


def source(tf: Any, count: int = 10) -> Any:
    return tf.train.range_input_producer(count, num_epochs=1, shuffle=False).dequeue()


def sparse(tf: Any, number: Any = None) -> Any:
    n = tf.cast(source(tf) if number is None else number, tf.int64)
    return tf.SparseTensor([[0, 0], [2, 1]], tf.stack([n, -n]), tf.stack([3, n + 2]))


def rows(tf: Any) -> Any:
    return tf.SparseTensor([[0, 0], [1, 1], [2, 0]], ["a", "b", "c"], [3, 2])


def odd(tf: Any, n: Any) -> Any:
    return tf.equal(n % 2, 1)


BATCHES: dict[str, Callable[[Any], Any]] = {
    "batch": lambda tf: tf.train.batch([source(tf)], 4),
    "smaller": lambda tf: tf.train.batch({"n": (n := source(tf)), "m": n * 2}, 4, allow_smaller_final_batch=True),
    "many": lambda tf: tf.train.batch([tf.reshape(source(tf), [1]) + [0, 100]], 5, enqueue_many=True),
    "pad": lambda tf: tf.train.batch([tf.range(source(tf, 4))], 2, dynamic_pad=True),
    "some": lambda tf: tf.train.maybe_batch([n := source(tf)], tf.equal(n % 2, 0), 2),
    "join": lambda tf: tf.train.batch_join([[source(tf)]], 5),
    "kept rows": lambda tf: tf.train.maybe_batch(
        [tf.stack([n := source(tf), n]), [[1, 2], [3, 4]]], [True, False], 3, enqueue_many=True
    ),
    "sparse": lambda tf: tf.train.batch([sparse(tf)], 4),
    "sparse beside": lambda tf: tf.train.batch({"n": (n := source(tf)), "s": sparse(tf, n), "t": sparse(tf, n + 1)}, 4),
    "sparse join": lambda tf: tf.train.maybe_batch_join([[n := source(tf), sparse(tf, n)]], odd(tf, n), 2),
    "sparse rows": lambda tf: tf.train.maybe_batch(
        [tf.stack([n := source(tf), n, n]), rows(tf)], [True, False, True], 4, enqueue_many=True
    ),
    "sparse rows, sometimes": lambda tf: tf.train.maybe_batch(
        [rows(tf), tf.stack([n := source(tf), n, n])], odd(tf, n), 5, enqueue_many=True
    ),
    "none after all": lambda tf: tf.train.shuffle_batch([source(tf, 6)], 2, 12, 0, seed=1),
}


def drained(tf: Any, fetch: Any, log: Any) -> None:
    with tf.Session() as sess:
        sess.run([tf.global_variables_initializer(), tf.local_variables_initializer()])
        coord = tf.train.Coordinator()
        threads = tf.train.start_queue_runners(sess, coord)
        with pytest.raises(tf.errors.OutOfRangeError):
            while True:
                log(sess.run(fetch))
        coord.request_stop()
        coord.join(threads)


@pytest.mark.parametrize("name", PRODUCERS)
def test_producers(name: str, same: Same) -> None:
    same(lambda tf, log: drained(tf, PRODUCERS[name](tf), log), ordered=False)


@pytest.mark.parametrize("name", [name for name in BATCHES if name != "none after all"])
def test_batches(name: str, same: Same) -> None:
    same(lambda tf, log: drained(tf, BATCHES[name](tf), log), graph=False)


def test_shuffled_batches() -> None:
    tf: Any = runstep
    with tf.Graph().as_default():
        found: list[Any] = []
        drained(tf, BATCHES["none after all"](tf), found.append)
    with tf.Graph().as_default():
        joined = tf.train.shuffle_batch_join([[source(tf)], [source(tf)]], 4, 40, 0)
        both: list[Any] = []
        drained(tf, joined, both.append)
    assert sorted(int(n) for batch in found for n in batch) == list(range(6))
    assert sorted(int(n) for batch in both for n in batch) == sorted([*range(10), *range(10)])


def test_files(tmp_path: Path) -> None:
    """The way of many programs: names, reader, decoder, batch."""
    tf: Any = runstep
    for number in range(3):
        (tmp_path / f"{number}.csv").write_text(f"{number},{number * 10}\n{number + 0.5},1\n")
    with tf.Graph().as_default():
        names = tf.train.string_input_producer(
            tf.train.match_filenames_once(f"{tmp_path}/*.csv"), num_epochs=1, shuffle=False
        )
        _, line = tf.TextLineReader().read(names)
        x, y = tf.decode_csv(line, [[0.0], [0]])
        found: list[Any] = []
        drained(tf, tf.train.batch([x, y], 3), found.append)
    assert [(x.tolist(), y.tolist()) for x, y in found] == [([0, 0.5, 1], [0, 1, 10]), ([1.5, 2, 2.5], [1, 20, 1])]


def test_refusals(same: Same) -> None:
    def program(tf: Any, log: Any) -> None:
        t = tf.train
        log.tried(lambda: t.string_input_producer([]))
        log.tried(lambda: t.limit_epochs(tf.constant(1), 0))
        log.tried(lambda: t.input_producer(tf.placeholder(tf.int32)))
        log.tried(lambda: t.slice_input_producer([]))
        log.tried(lambda: t.batch([], 3))

    same(program, graph=False, texts=False)


def test_what_batches_refuse(same: Same) -> None:
    def program(tf: Any, log: Any) -> None:
        t, one, two, unknown = tf.train, tf.constant(1), tf.constant([1, 2]), tf.placeholder(tf.int32)
        log.tried(lambda: t.batch([unknown], 2))
        log.tried(lambda: t.batch([unknown], 2, dynamic_pad=True))
        log.tried(lambda: t.batch_join([], 2))
        log.tried(lambda: t.batch_join([[one], [tf.constant("a")]], 2))
        log.tried(lambda: t.batch_join([[one], [two]], 2))
        log.tried(lambda: t.batch_join([{"a": one}, {"b": one}], 2))
        log.tried(lambda: t.maybe_batch([one], [True], 2))
        log.tried(lambda: t.maybe_batch([two], [[True]], 2, enqueue_many=True))
        log.tried(lambda: t.maybe_batch([two], tf.placeholder(tf.bool), 2, enqueue_many=True))
        log.tried(lambda: t.shuffle_batch([one], 2, 5, 5))

    same(program, graph=False)


def test_what_batches_of_sparse_tensors_refuse(same: Same) -> None:
    def program(tf: Any, log: Any) -> None:
        log.tried(lambda: tf.train.batch_join([[rows(tf)], [tf.constant("a")]], 2))
        log.tried(lambda: tf.train.batch_join([[rows(tf)], [tf.SparseTensor([[0]], ["a"], [1])]], 2))
        log.tried(lambda: tf.train.maybe_batch([rows(tf)], tf.constant(False), 2, enqueue_many=True))

    same(program, graph=False, texts=False)
