"""Iterators: their states and errors, handles, files and generators, graphs that cross over to TensorFlow and back."""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import runstep as tf
from runstep.testing import oracle

D = tf.data.Dataset


@pytest.fixture(autouse=True)
def graph() -> Iterator[tf.Graph]:
    with tf.Graph().as_default() as graph:
        yield graph


def elements(dataset: Any) -> list[Any]:
    iterator = tf.data.make_initializable_iterator(dataset)
    element = iterator.get_next()
    found = []
    with tf.Session() as sess:
        sess.run(iterator.initializer)
        with pytest.raises(tf.errors.OutOfRangeError, match="End of sequence"):
            while True:
                found.append(sess.run(element))
    return found


def test_an_iterator_must_be_initialized_and_can_be_again() -> None:
    iterator = tf.data.make_initializable_iterator(D.range(2))
    element = iterator.get_next()
    with tf.Session() as sess:
        with pytest.raises(tf.errors.FailedPreconditionError, match="iterator has not been initialized"):
            sess.run(element)
        for _ in range(2):
            sess.run(iterator.initializer)
            assert [sess.run(element), sess.run(element)] == [0, 1]
            for _ in range(2):
                with pytest.raises(tf.errors.OutOfRangeError, match="End of sequence"):
                    sess.run(element)


def test_one_iterator_serves_several_datasets() -> None:
    iterator = tf.data.Iterator.from_structure(tf.int64, [None])
    first = iterator.make_initializer(D.range(4).batch(2))
    second = iterator.make_initializer(D.range(9, 10).batch(3), name="second")
    element = iterator.get_next()
    assert second.name == "second"
    with pytest.raises(ValueError, match="does not have an initializer"):
        _ = iterator.initializer
    with pytest.raises(TypeError, match="Expected output types"):
        iterator.make_initializer(D.from_tensors([1.0]))
    with pytest.raises(TypeError, match="Expected output shapes"):
        iterator.make_initializer(D.range(3))
    with tf.Session() as sess:
        sess.run(first)
        assert sess.run(element).tolist() == [0, 1]
        sess.run(second)
        assert sess.run(element).tolist() == [9]


def test_a_string_handle_chooses_the_iterator() -> None:
    handle = tf.placeholder(tf.string, [])
    chosen = tf.data.Iterator.from_string_handle(handle, tf.int64, []).get_next()
    iterators = [tf.data.make_initializable_iterator(D.range(start, 9)) for start in (0, 5)]
    wrong = tf.data.make_initializable_iterator(D.range(4).batch(2))
    with tf.Session() as sess:
        sess.run([each.initializer for each in (*iterators, wrong)])
        names = sess.run([each.string_handle() for each in iterators])
        assert [sess.run(chosen, {handle: names[k]}) for k in (0, 1, 0, 1)] == [0, 5, 1, 6]
        with pytest.raises(tf.errors.InvalidArgumentError, match=r"expected \[\] but got \[\?\]"):
            sess.run(chosen, {handle: sess.run(wrong.string_handle())})
        with pytest.raises(tf.errors.InvalidArgumentError, match="valid ResourceHandle"):
            sess.run(chosen, {handle: b"garbage"})


def test_feeds_and_variables_reach_datasets() -> None:
    x = tf.placeholder(tf.float32, [None])
    scale = tf.get_variable("scale", initializer=2.0, use_resource=True)
    iterator = tf.data.make_initializable_iterator(D.from_tensor_slices(x).map(lambda v: v * scale))
    element = iterator.get_next()
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        fed = np.array([1.0, 2.0], np.float32)
        sess.run(iterator.initializer, {x: fed})
        fed[:] = -1
        assert sess.run(element) == 2.0
        sess.run(scale.assign(10.0))
        assert sess.run(element) == 20.0


def test_what_a_one_shot_iterator_cannot_take() -> None:
    with pytest.raises(ValueError, match="Cannot capture a placeholder"):
        tf.data.make_one_shot_iterator(D.from_tensors(tf.placeholder(tf.int32, [])))
    scale = tf.get_variable("scale", initializer=2.0, use_resource=True)
    with pytest.raises(ValueError, match="Cannot capture a stateful node .*make_initializable_iterator"):
        tf.data.make_one_shot_iterator(D.from_tensors(1.0).map(lambda v: v * scale))


def test_what_functions_must_return() -> None:
    with pytest.raises(ValueError, match="must return a `tf.bool` scalar"):
        D.range(3).filter(lambda x: x)
    with pytest.raises(TypeError, match="must return a `Dataset`"):
        D.range(3).flat_map(lambda x: x)
    with pytest.raises(TypeError, match="Incompatible dataset elements"):
        D.range(3).concatenate(D.from_tensors(1.0))
    with pytest.raises(ValueError, match="rank >= 1"):
        D.from_tensor_slices(3)
    with pytest.raises(ValueError, match="3 and 4"):
        D.from_tensor_slices((np.arange(3), np.arange(4)))


def test_fetched_elements_are_the_callers() -> None:
    iterator = tf.data.make_one_shot_iterator(D.from_tensors(np.zeros(3)).repeat())
    element = iterator.get_next()
    with tf.Session() as sess:
        sess.run(element)[:] = 7
        assert sess.run(element).tolist() == [0, 0, 0]


def test_generators() -> None:
    def count(stop: Any) -> Iterator[Any]:
        for i in range(stop):
            yield {"number": i, "name": f"n{i}"}

    dataset = D.from_generator(count, {"number": tf.int32, "name": tf.string}, {"number": [], "name": []}, args=[2])
    assert dataset.output_shapes["number"].as_list() == []
    assert elements(dataset.repeat(2)) == [{"number": 0, "name": b"n0"}, {"number": 1, "name": b"n1"}] * 2


@pytest.mark.parametrize(
    ("yielded", "shape", "text"),
    [
        ("a", None, "could not be converted to the expected type"),
        ([1], [2], r"of shape \(1,\) where .* \(2,\) was expected"),
    ],
)
def test_what_a_generator_must_not_yield(yielded: Any, shape: Any, text: str) -> None:
    iterator = tf.data.make_one_shot_iterator(D.from_generator(lambda: iter([yielded]), tf.int32, shape))
    with tf.Session() as sess, pytest.raises(tf.errors.InvalidArgumentError, match=text):
        sess.run(iterator.get_next())


def test_files(tmp_path: Path) -> None:
    text, packed, records = tmp_path / "a.txt", tmp_path / "b.gz", tmp_path / "c.rec"
    text.write_bytes(b"one\r\ntwo")
    packed.write_bytes(gzip.compress(b"three\n"))
    with tf.python_io.TFRecordWriter(str(records)) as writer:
        writer.write(b"r1")
        writer.write(b"")
    assert elements(tf.data.TextLineDataset([str(text), str(text)])) == [b"one", b"two"] * 2
    assert elements(tf.data.TextLineDataset(str(packed), "GZIP")) == [b"three"]
    assert elements(tf.data.TFRecordDataset(D.from_tensors(str(records)))) == [b"r1", b""]
    assert elements(tf.data.FixedLengthRecordDataset(str(text), 2, 1, 1)) == [b"ne", b"\r\n", b"tw"]
    assert elements(D.list_files(str(tmp_path / "*.txt"), shuffle=False)) == [str(text).encode()]


def _outcomes(api: Any, dataset: Any) -> list[Any]:
    """What asking again and again gives: elements, and classes and texts of errors."""
    element, found = api.data.make_one_shot_iterator(dataset).get_next(), []
    with api.Session() as sess:
        for _ in range(7):
            try:
                found.append(sess.run(element))
            except api.errors.OpError as error:
                found.append((type(error).__name__, re.search(r"[^\n]*(?=\n\t \[\[)", error.message)[0]))  # type: ignore[index]
    return found


def test_damaged_files_are_tensorflows(tmp_path: Path) -> None:
    good, bad, cut, packed, junk = (str(tmp_path / name) for name in ("good", "bad", "cut", "packed", "junk"))
    with tf.python_io.TFRecordWriter(good) as writer:
        writer.write(b"aaaa")
        writer.write(b"bbbb")
    data = Path(good).read_bytes()
    Path(bad).write_bytes(data[:13] + b"?" + data[14:])
    Path(cut).write_bytes(data[:-1])
    Path(packed).write_bytes(gzip.compress(data))
    Path(junk).write_bytes(gzip.compress(data) + b"junk")
    rows: list[Callable[[Any], Any]] = [
        lambda data: data.TFRecordDataset([bad, cut, good]),
        lambda data: data.TFRecordDataset([junk, packed], "GZIP"),
        lambda data: data.FixedLengthRecordDataset([good], 7),
        lambda data: data.FixedLengthRecordDataset([packed, packed], 19, 1, 1, compression_type="GZIP"),
        lambda data: data.FixedLengthRecordDataset([packed, packed], 15, 1, 1, compression_type="GZIP"),
        lambda data: data.FixedLengthRecordDataset([good, packed], 19, 1, 1, compression_type="GZIP"),
        lambda data: data.TextLineDataset([good, packed], "GZIP"),
        lambda data: data.TextLineDataset([packed, good], "GZIP"),
    ]
    theirs = oracle.tensorflow().compat.v1
    for row in rows:
        with theirs.Graph().as_default():
            want = _outcomes(theirs, row(theirs.data))
        with tf.Graph().as_default():
            assert _outcomes(tf, row(tf.data)) == want


def test_reduce_and_the_one_element() -> None:
    total = D.range(5).reduce(tf.constant(0, tf.int64), lambda s, x: s + x)
    only = D.range(3).batch(3).get_single_element()
    optional = tf.raw_ops.IteratorGetNextAsOptional(
        iterator=tf.data.make_one_shot_iterator(D.range(1))._resource, output_types=[tf.int64], output_shapes=[[]]
    )
    there = tf.raw_ops.OptionalHasValue(optional=optional)
    with tf.Session() as sess:
        assert sess.run(total) == 10
        assert sess.run(only).tolist() == [0, 1, 2]
        assert [sess.run(there), sess.run(there)] == [True, False]


def test_optionals(same: Callable[..., None]) -> None:
    def program(tf: Any, log: Any) -> None:
        rows = tf.data.Dataset.from_tensor_slices({"n": [1, 2], "s": ["a", "b"]})
        iterator = tf.data.make_initializable_iterator(rows)
        optional = iterator.get_next_as_optional()
        there, value = optional.has_value(), optional.get_value(name="value")
        kinds = tf.data.experimental.Optional
        some, none = kinds.from_value((1.5, {"x": ["a", "b"]})), kinds.empty(optional.element_spec)
        log(there, value, some.get_value())
        with tf.Session() as sess:
            log.tried(lambda: sess.run(there))
            sess.run(iterator.initializer)
            for _ in range(2):
                log(sess.run([there, value]))
            log(sess.run(there))
            log.tried(lambda: sess.run(value))
            log(sess.run([some.has_value(), some.get_value(), none.has_value()]))
            log.tried(lambda: sess.run(none.get_value()))

    same(program, graph=False)


def test_iterators_as_sessions_see_them(same: Callable[..., None]) -> None:
    def program(tf: Any, log: Any) -> None:
        def end(number: Any) -> Any:
            if number == 1:
                raise StopIteration
            return number

        dataset = tf.data.Dataset.range(4)
        ending = tf.data.make_initializable_iterator(dataset.map(lambda n: tf.py_func(end, [n], tf.int64)))
        element, handle = ending.get_next(), tf.placeholder(tf.string, [])
        numbers = tf.data.Iterator.from_string_handle(handle, tf.int64, []).get_next()
        halves = tf.data.make_one_shot_iterator(tf.data.Dataset.from_tensors(0.5)).string_handle()
        with tf.Session() as sess, tf.Session() as other:
            for _ in range(2):  # what a function ended starts again with the initializer only
                sess.run(ending.initializer)
                for _ in range(4):
                    log.tried(lambda: sess.run(element))
            log.tried(lambda: sess.run(numbers, {handle: sess.run(halves)}))
            log.tried(lambda: sess.run(numbers, {handle: b""}))
            with pytest.raises(tf.errors.NotFoundError, match="Could not find resource: localhost/"):
                other.run(numbers, {handle: sess.run(ending.string_handle())})
        one = tf.data.Iterator.from_structure(tf.int64, [])
        with pytest.raises(ValueError, match="don't have the same nested structure"):
            one.make_initializer(tf.data.Dataset.zip((dataset, dataset)))
        log.tried(lambda: tf.data.get_output_types(5))
        with pytest.warns(UserWarning, match="An unusually high number of `Iterator.get_next"):
            for _ in range(33):
                one.get_next()

    same(program, graph=False)


def test_a_function_that_waits_lets_its_run_time_out() -> None:
    queue = tf.queue.FIFOQueue(3, [tf.int64], [[]])
    put = queue.enqueue(7)
    iterator = tf.data.make_initializable_iterator(D.range(2).map(lambda x: x + queue.dequeue()))
    element = iterator.get_next()
    with tf.Session() as sess:
        sess.run([iterator.initializer, put])
        assert sess.run(element) == 7
        with pytest.raises(tf.errors.DeadlineExceededError):
            sess.run(element, options=tf.RunOptions(timeout_in_ms=20))


def pipeline(tf: Any) -> tuple[str, str]:
    data = tf.data
    offset = tf.constant(3, tf.int64)
    dataset = data.Dataset.range(6).map(lambda x: {"x": x + offset, "y": tf.as_string(x)}, num_parallel_calls=2)
    dataset = dataset.filter(lambda e: e["x"] > 4).shuffle(3, seed=4).repeat(2).batch(3).prefetch(1)
    dataset = data.Dataset.zip((dataset, data.Dataset.range(9).flat_map(lambda x: data.Dataset.range(x))))
    iterator = data.make_initializable_iterator(dataset)
    (element, number) = iterator.get_next()
    once = data.make_one_shot_iterator(data.Dataset.range(40).window(2).flat_map(lambda d: d.batch(2)))
    for name, tensor in {"x": element["x"], "y": element["y"], "number": number, "once": once.get_next()}.items():
        tf.identity(tensor, name=name)
    return iterator.initializer.name, "x:0 y:0 number:0 once:0"


def run(module: Any, graph_def: Any, initializer: str, names: str) -> list[Any]:
    with module.Graph().as_default(), module.Session() as sess:
        module.import_graph_def(graph_def, name="")
        sess.run(initializer)
        return [[value.tolist() for value in sess.run(names.split())] for _ in range(3)]


def test_a_graph_of_either_runs_in_the_other() -> None:
    v1 = oracle.tensorflow().compat.v1
    with v1.Graph().as_default() as theirs:
        their_names = pipeline(v1)
    with tf.Graph().as_default() as ours:
        our_names = pipeline(tf)
    text = theirs.as_graph_def().SerializeToString()
    back = ours.as_graph_def().SerializeToString()
    expected = run(v1, theirs.as_graph_def(), *their_names)
    assert run(tf, tf.GraphDef.FromString(text), *their_names) == expected
    assert run(v1, v1.GraphDef.FromString(back), *our_names) == expected


def test_plans_share_a_one_shot_iterator() -> None:
    """It starts once in a session, whatever is fetched of it."""
    first, second = tf.data.make_one_shot_iterator(D.range(10).map(lambda x: (x, x * x))).get_next()
    with tf.Session() as sess:
        assert [sess.run(first), sess.run(second), sess.run(first + second)] == [0, 1, 6]


def test_a_one_shot_iterator_takes_a_seed_of_the_graph() -> None:
    """What is random after it, initial values of variables above all, is then what it is in TensorFlow."""
    found = []
    for module in (tf, oracle.tensorflow().compat.v1):
        with module.Graph().as_default():
            module.set_random_seed(14)
            for make in (module.data.make_one_shot_iterator, module.data.make_initializable_iterator):
                make(module.data.Dataset.range(3).shuffle(2))
            op = module.random_uniform([2]).op
            found.append([op.inputs[0].op.type, *(op.get_attr(name) for name in ("seed", "seed2"))])
    assert found[0] == found[1]
    assert found[0][-1] == 3
