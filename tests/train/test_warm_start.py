"""Variables that start from another model's, whose words may have other rows, as TensorFlow's do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import runstep

Same = Callable[..., None]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    tf: Any = runstep
    folder = tmp_path_factory.mktemp("before")
    (folder / "old").write_text("a\nb\nc\nd\n")
    (folder / "new").write_text("c\nx\na\ny\n")
    with tf.Graph().as_default(), tf.Session() as sess:
        tf.get_variable("words", initializer=np.arange(8, dtype=np.float32).reshape(4, 2))
        tf.get_variable("classes", initializer=np.arange(12, dtype=np.float32).reshape(3, 4))
        tf.get_variable("bias", initializer=np.arange(4, dtype=np.float32))
        tf.get_variable("mean", initializer=5.0, trainable=False)
        sess.run(tf.global_variables_initializer())
        tf.train.Saver().save(sess, f"{folder}/m")
    yield str(folder)


def nines(tf: Any, name: str, shape: list[int], **more: Any) -> Any:
    return tf.get_variable(name, shape, initializer=tf.constant_initializer(9.0), **more)


PLAIN: list[dict[str, Any]] = [
    {},
    {"vars_to_warm_start": "[bw]"},
    {"vars_to_warm_start": ["bias", "mean", "missing"]},
    {"vars_to_warm_start": []},
    {"vars_to_warm_start": None},
    {"vars_to_warm_start": 3},
    {"vars_to_warm_start": ["bias", 3]},
    {"vars_to_warm_start": "[bo]", "var_name_to_prev_var_name": {"other": "bias"}},
    {"var_name_to_prev_var_name": {"misspelled": "bias"}},
    {"var_name_to_vocab_info": {"misspelled": None}},
]


def test_which_variables(folder: str, same: Same) -> None:
    def row(tf: Any, log: Any, arguments: dict[str, Any]) -> None:
        nines(tf, "bias", [4], use_resource=True)
        nines(tf, "words", [4, 2], partitioner=tf.fixed_size_partitioner(2))
        nines(tf, "mean", [], trainable=False)
        if "other" in arguments.get("var_name_to_prev_var_name", {}):
            nines(tf, "other", [4])
        log.tried(lambda: tf.train.warm_start(folder, **arguments))
        with tf.Session() as sess:
            sess.run(tf.global_variables_initializer())
            log(sess.run({v.name: v for v in tf.global_variables()}))

    def program(tf: Any, log: Any) -> None:
        for arguments in PLAIN:
            with tf.Graph().as_default():
                row(tf, log, arguments)

    same(program, graph=False)


def test_a_list_of_variables(folder: str, same: Same) -> None:
    def program(tf: Any, log: Any) -> None:
        bias, mean = nines(tf, "bias", [4]), nines(tf, "mean", [])
        tf.train.warm_start(f"{folder}/m", [bias])
        with tf.Session() as sess:
            sess.run(tf.global_variables_initializer())
            log(sess.run([bias, mean]))

    same(program)


WORDS: list[tuple[list[int], dict[str, Any]]] = [
    ([4, 2], {}),
    ([6, 2], {"num_oov_buckets": 2}),
    ([4, 2], {"old_vocab_size": 2}),
    ([2, 2], {"new_vocab_size": 2}),
    ([4, 2], {"new_vocab_size": 3}),
    ([3, 4], {"axis": 1}),
    ([3, 4], {"axis": 2}),
]


def test_words(folder: str, same: Same) -> None:
    def row(tf: Any, log: Any, shape: list[int], info: dict[str, Any], parts: int) -> None:
        arguments = {"new_vocab_size": 4, "num_oov_buckets": 0, **info}
        spread = tf.truncated_normal_initializer(seed=3) if info.get("num_oov_buckets") else None
        nines(tf, "now", shape, partitioner=tf.fixed_size_partitioner(parts))

        def start() -> None:
            words = tf.train.VocabInfo(
                f"{folder}/new", old_vocab=f"{folder}/old", backup_initializer=spread, **arguments
            )
            before = "classes" if words.axis else "words"
            tf.train.warm_start(folder, ".*", {"now": words}, {"now": before})

        log.tried(start)
        with tf.Session() as sess:
            sess.run(tf.global_variables_initializer())
            log(sess.run({v.name: v for v in tf.global_variables()}))

    def program(tf: Any, log: Any) -> None:
        for shape, info in WORDS:
            for parts in (1, 2):
                with tf.Graph().as_default():
                    row(tf, log, shape, info, parts)

    same(program, graph=False)


def test_initializers_that_ask_for_a_shape(folder: str) -> None:
    """TensorFlow hands them the number of what is missing, a tensor, which those of constants and fans don't take."""
    tf: Any = runstep
    info = tf.train.VocabInfo(f"{folder}/new", 4, 1, f"{folder}/old", backup_initializer=tf.constant_initializer(7.0))
    words = nines(tf, "words", [5, 2])
    tf.train.warm_start(folder, var_name_to_vocab_info={"words": info})
    with tf.Session() as sess:
        sess.run(words.initializer)
        np.testing.assert_array_equal(sess.run(words), [[4, 5], [7, 7], [0, 1], [7, 7], [7, 7]])
    with pytest.raises(ValueError, match="Expected 2-dim shape"):
        nines(tf, "bias", [5])
        tf.train.warm_start(folder, "bias", {"bias": info})
