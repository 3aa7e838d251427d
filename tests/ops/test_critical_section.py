"""Sections of one execution at a time, functions of each row, checks of every float: as TensorFlow's."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

import runstep as tf

Both = tuple[Any, Any]


@pytest.fixture(scope="module")
def real() -> Any:
    import tensorflow

    return tensorflow.compat.v1


def counting(lib: Any) -> tuple[Any, Any]:
    """A variable, and what reads it and sets it to one more, in two operations."""
    counter = lib.Variable(0, use_resource=True)

    def increase() -> Any:
        before = counter.read_value()
        with lib.control_dependencies([counter.assign(before + 1)]):
            return lib.identity(before)

    return counter, increase


def test_executions_of_a_step_run_one_after_the_other() -> None:
    counter, increase = counting(tf)
    section = tf.CriticalSection()
    outs = [section.execute(increase) for _ in range(5)]
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        assert sorted(sess.run(outs)) == [0, 1, 2, 3, 4] and sess.run(counter) == 5


def test_executions_of_several_threads_run_one_after_the_other() -> None:
    counter, increase = counting(tf)
    out = tf.CriticalSection(shared_name="one").execute(increase)
    with tf.Session() as sess, ThreadPoolExecutor(4) as pool:
        sess.run(tf.global_variables_initializer())
        seen = [each.result() for each in [pool.submit(sess.run, out) for _ in range(40)]]
        assert sorted(seen) == list(range(40)) and sess.run(counter) == 40


def test_a_section_within_itself_is_refused() -> None:
    section = tf.CriticalSection(name="once")
    with pytest.raises(ValueError, match="Attempting to lock a CriticalSection"):
        section.execute(lambda: section.execute(lambda: tf.constant(1)))
    assert section.name == "once"
    assert section.execute(lambda: None) is None  # the refusal left nothing behind


def test_a_resource_of_another_section_is_refused() -> None:
    _, increase = counting(tf)
    tf.CriticalSection().execute(increase)
    with pytest.raises(ValueError, match="accessed by another CriticalSection"):
        tf.CriticalSection().execute(increase)


ROWS: dict[str, Callable[[Any], Any]] = {
    "one": lambda lib: lib.vectorized_map(lambda x: x * 2, lib.constant([1.0, 2.0])),
    "pair": lambda lib: lib.vectorized_map(
        lambda x: (lib.reduce_sum(x), lib.cast(x, lib.int32)), lib.constant([[1.0, 2.0], [3.0, 4.0]])
    ),
    "dict": lambda lib: lib.vectorized_map(lambda d: {"y": d["x"] + 1}, {"x": lib.ones([3])}),
    "row_for_all": lambda lib: lib.vectorized_map(lambda a: a[0] + a[1], (lib.ones([3, 2]), lib.ones([1, 2]))),
    "constant": lambda lib: lib.vectorized_map(lambda x: lib.constant(1.0), lib.constant([1.0, 2.0, 3.0])),
}


def test_functions_of_each_row(real: Any) -> None:
    values = []
    for lib in (tf, real):
        with lib.Graph().as_default(), lib.Session() as sess:
            values.append(sess.run({key: row(lib) for key, row in ROWS.items()}))
    ours, theirs = values
    for key in ROWS:
        for one, other in zip(tf.nest.flatten(ours[key]), tf.nest.flatten(theirs[key]), strict=True):
            np.testing.assert_array_equal(one, other)
            assert one.dtype == other.dtype


def test_each_float_of_the_graph_is_checked(real: Any) -> None:
    names = []
    for lib in (tf, real):
        with lib.Graph().as_default() as graph, lib.Session() as sess:
            lib.cast(lib.log(lib.placeholder_with_default([1.0, 0.0], [2])), lib.int32)
            check = lib.add_check_numerics_ops()
            names.append([op.name for op in graph.get_operations()])
            with pytest.raises(lib.errors.InvalidArgumentError, match="Log:0"):
                sess.run(check)
    assert names[0] == names[1]


def test_branches_cannot_be_checked() -> None:
    tf.cond(tf.constant(True), lambda: tf.constant(1.0), lambda: tf.constant(2.0))
    with pytest.raises(ValueError, match="not compatible with TensorFlow control flow"):
        tf.add_check_numerics_ops()


def test_parts_of_device_names(real: Any) -> None:
    for lib in (tf, real):
        spec = lib.DeviceSpec.from_string("/job:a/task:1/device:GPU:0")
        assert spec.replace(task=2).to_string() == "/job:a/task:2/device:GPU:0"
        assert lib.DeviceSpec("a").parse_from_string("/job:w/cpu:0").to_string() == "/job:w/device:CPU:0"
        spec.merge_from(lib.DeviceSpec.from_string("/device:CPU:1"))
        assert spec.to_string() == "/job:a/task:1/device:CPU:1"
