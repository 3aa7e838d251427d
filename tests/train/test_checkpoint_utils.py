"""Looking into checkpoints, and starting variables from them, as TensorFlow does."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import runstep

Same = Callable[..., None]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    tf: Any = runstep
    folder = tmp_path_factory.mktemp("checkpoint")
    with tf.Graph().as_default(), tf.Session() as sess:
        tf.get_variable("s/a", initializer=[1.0, 2.0])
        tf.get_variable(
            "s/b", [4, 2], partitioner=tf.fixed_size_partitioner(2), initializer=tf.constant_initializer(3.0)
        )
        tf.get_variable("c", initializer=5.0, use_resource=True)
        tf.get_variable("n", initializer=tf.constant([7], tf.int64))
        sess.run(tf.global_variables_initializer())
        tf.train.Saver().save(sess, f"{folder}/m")
    yield str(folder)


def test_contents(checkpoint: str, tmp_path: Path, same: Same) -> None:
    def program(tf: Any, log: Any) -> None:
        t = tf.train
        log(t.list_variables(checkpoint), t.load_variable(checkpoint, "c:0"), t.load_variable(checkpoint, "s/b"))
        reader = t.NewCheckpointReader(f"{checkpoint}/m")
        log(reader.get_variable_to_shape_map(), {k: v.name for k, v in reader.get_variable_to_dtype_map().items()})
        log(reader.has_tensor("c"), reader.has_tensor("d"), t.load_checkpoint(checkpoint).get_tensor("n"))
        log.tried(lambda: t.load_variable(checkpoint, "zz"))
        log.tried(lambda: t.load_checkpoint(str(tmp_path)))
        log.tried(lambda: t.load_checkpoint("/nope"))
        log.tried(lambda: reader.get_tensor("zz"))
        log(list(t.checkpoints_iterator(checkpoint, timeout=0)))

    same(program)


def inside(tf: Any) -> None:
    with tf.variable_scope("n"):
        tf.get_variable("a", [2])
        tf.get_variable("b", [4, 2], partitioner=tf.fixed_size_partitioner(2))
        tf.get_variable("cc", [], use_resource=True)


def scope_only(tf: Any) -> None:
    tf.get_variable("x/a", [2])
    tf.get_variable("x/b", [4, 2])


MAPS: dict[str, tuple[Callable[[Any], None], Callable[[Any], Any]]] = {
    "by name": (inside, lambda tf: {"s/a": "n/a", "c": "n/cc", "s/b": "n/b"}),
    "by variable": (inside, lambda tf: {"s/a": tf.global_variables()[0]}),
    "by parts": (inside, lambda tf: {"s/b": tf.global_variables()[1:3]}),
    "scopes": (scope_only, lambda tf: {"s/": "x/"}),
    "pairs": (scope_only, lambda tf: [("s/a", "x/a"), ("s/b", "x/b")]),
    "scope that lacks one": (inside, lambda tf: {"s/": "n/"}),
    "root": (inside, lambda tf: {"/": "n/"}),
    "not in the checkpoint": (inside, lambda tf: {"qq": "n/a"}),
    "not in the graph": (inside, lambda tf: {"c": "zz"}),
    "another shape": (inside, lambda tf: {"c": "n/a"}),
}


@pytest.mark.parametrize("name", MAPS)
def test_starting_variables_from_a_checkpoint(name: str, checkpoint: str, same: Same) -> None:
    make, mapping = MAPS[name]

    def program(tf: Any, log: Any) -> None:
        make(tf)
        log.tried(lambda: tf.train.init_from_checkpoint(checkpoint, mapping(tf)))
        if name in ("by name", "scopes", "pairs"):
            with tf.Session() as sess:
                sess.run(tf.global_variables_initializer())
                log(sess.run(tf.global_variables()))

    # A failure may come after some were made, in an order of TensorFlow's sets.
    same(program, graph=name not in ("scope that lacks one", "root"), texts=name != "not in the checkpoint")


def test_waiting_for_the_next_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each new checkpoint is given once; the timeout function says when to stop."""
    tf: Any = runstep
    naps: list[float] = []
    monkeypatch.setattr(time, "sleep", naps.append)
    with tf.Graph().as_default(), tf.Session() as sess:
        v = tf.Variable(1.0)
        sess.run(v.initializer)
        saver = tf.train.Saver()
        written = [saver.save(sess, f"{tmp_path}/m", global_step=0)]
        asked: list[bool] = []

        def more() -> bool:
            written.append(saver.save(sess, f"{tmp_path}/m", global_step=len(written)))
            asked.append(len(asked) == 2)
            return asked[-1]

        found = list(tf.train.checkpoints_iterator(str(tmp_path), timeout=0, timeout_fn=more))
    assert found == written[:3] and asked == [False, False, True] and naps
