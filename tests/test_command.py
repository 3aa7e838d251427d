"""`python -m runstep`: what it prints about a model, and how it fails."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import runstep as tf
from runstep.command import main
from runstep.observe.profile import Profile


@pytest.fixture
def model(tmp_path: Path) -> Path:
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [None, 4], name="x")
        y = tf.nn.relu(tf.matmul(x, np.ones((4, 3), np.float32)) + 1.0)
        tf.identity(tf.nn.softmax(y), name="probs")
        path = tmp_path / "model.pb"
        path.write_bytes(graph.as_graph_def().SerializeToString())
    return path


def test_without_a_command_it_says_what_there_is() -> None:
    done = subprocess.run([sys.executable, "-m", "runstep"], capture_output=True, text=True, check=True)
    assert tf.__version__ in done.stdout and "device:CPU:0" in done.stdout and "runstep bench" in done.stdout


def test_show_lists_inputs_outputs_and_ops(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["show", str(model)])
    lines = capsys.readouterr().out.splitlines()
    assert lines[:4] == ["inputs:", "  x:0  float32  (?, 4)", "outputs:", "  probs:0  float32  (?, 3)"]
    assert "       1  MatMul" in lines


@pytest.fixture
def saved_model(tmp_path: Path) -> Path:
    with tf.Graph().as_default(), tf.Session() as session:
        x = tf.placeholder(tf.float32, [None, 2], name="x")
        unused = tf.placeholder(tf.float32, name="unused")
        y = tf.matmul(x, tf.get_variable("w", initializer=[[1.0], [2.0]]), name="y")
        tf.add(y, unused, name="not_served")
        session.run(tf.global_variables_initializer())
        tf.saved_model.simple_save(session, str(tmp_path / "saved"), {"points": x}, {"scores": y})
    return tmp_path / "saved"


def test_saved_models_show_and_run_their_signatures(saved_model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["show", str(saved_model)])
    assert capsys.readouterr().out.splitlines()[:3] == [
        "signature serving_default (tensorflow/serving/predict):",
        "  in  points: x:0  float32  (?, 2)",
        "  out scores: y:0  float32  (?, 1)",
    ]
    main(["bench", str(saved_model), "--time", "0"])  # what is not served is neither fed nor fetched
    out = capsys.readouterr().out
    assert "MatMul" in out and "Add" not in out


def test_show_marks_unknown_ops(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    message = tf.GraphDef()
    message.node.add(name="odd", op="NoSuchOp")
    path = tmp_path / "odd.pb"
    path.write_bytes(message.SerializeToString())
    main(["show", str(path)])
    assert "NoSuchOp   UNKNOWN" in capsys.readouterr().out


@pytest.mark.parametrize("api", ("sync", "async"))
def test_bench_prints_figures_and_the_slowest_kernels(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], api: str
) -> None:
    figures = tmp_path / "figures.json"
    main(["bench", str(model), "--time", "0", "--batch", "5", "--api", api, "--json", str(figures)])
    out = capsys.readouterr().out
    assert "steps_per_second" in out and "Softmax  1 nodes" in out and "_MatMulChain" in out
    assert json.loads(figures.read_text())["steps"] >= 1


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["show", "nowhere.pb"], "Cannot load nowhere.pb"),
        (["bench", "MODEL", "--outputs", "nope:0"], "Cannot run it: .*nope"),
    ],
)
def test_failures_are_one_line(model: Path, arguments: list[str], message: str) -> None:
    with pytest.raises(SystemExit, match=message):
        main([str(model) if argument == "MODEL" else argument for argument in arguments])


def profile_of(fetches: Any, feeds: Any) -> Profile:
    with tf.Session() as session:
        return session.profile(fetches, feeds, steps=3)


def test_a_profile_sees_the_kernels_that_really_run() -> None:
    with tf.Graph().as_default():
        x = tf.placeholder(tf.float32, [None, 64])
        y = tf.nn.relu(tf.matmul(x, np.ones((64, 32), np.float32)) + np.ones(32, np.float32))
        _, turns = tf.while_loop(lambda i, s: i < 5, lambda i, s: (i + 1, tf.sin(s)), [0, tf.reduce_sum(y)])
        found = profile_of([y, turns], {x: np.ones((8, 64), np.float32)})
    rows = {row.type: row for row in found.rows}
    product = rows["_MatMulChain"]
    assert (product.calls, product.nbytes) == (1, 8 * 32 * 4)
    assert product.flops == pytest.approx(2 * 8 * 64 * 32)
    assert rows["Sin"].calls == 5 and rows["Sin"].flops == 0
    assert sum(row.seconds for row in found.by_type()) == pytest.approx(sum(row.seconds for row in found.rows))
    assert found.table(most=1).count("\n") == 3 and str(len(found.rows) - 1) + " more" in found.table(most=1)


def test_a_profile_of_what_fails_fails_as_a_run() -> None:
    with tf.Graph().as_default(), pytest.raises(tf.errors.InvalidArgumentError, match="division by zero"):
        x = tf.placeholder(tf.int32, [], name="x")
        profile_of(1 // x, {x: 0})


@pytest.mark.parametrize("quantity", ["flops", "memory"])
def test_convolutions_that_took_their_padding_are_weighed(quantity: str) -> None:
    """Whoever computes them, oneDNN or numpy; the batch is known from the feed alone."""
    with tf.Graph().as_default():
        x = tf.placeholder(tf.float32, [None, 16, 16, 8])
        y = tf.nn.conv2d(tf.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]]), np.ones((3, 3, 8, 16)), [1, 1, 1, 1], "VALID")
        y = tf.nn.relu(y + 1.0)
        feed = {x: np.ones((5, 16, 16, 8))}
        if quantity == "flops":
            rows = [row for row in profile_of(y, feed).rows if row.flops]
            assert [row.flops for row in rows] == [pytest.approx(2 * 5 * 16 * 16 * 16 * 3 * 3 * 8)]
        else:
            with tf.Session(memory_limit=4 * 5 * 16 * 16 * 16 - 1) as session:
                with pytest.raises(tf.errors.ResourceExhaustedError):
                    session.run(y, feed)


def test_a_training_step_of_convolutions_is_weighed() -> None:
    """Also where the gradient of a filter leaves the region that computed it: what hands it on costs nothing."""
    with tf.Graph().as_default(), tf.Session(config=tf.ConfigProto(inter_op_parallelism_threads=2)) as session:
        x = tf.placeholder(tf.float32, [None, 28, 28, 1])
        y = x
        for count in (32, 64):
            y = tf.layers.conv2d(y, count, 5, padding="same", activation=tf.nn.relu)
            y = tf.layers.max_pooling2d(y, 2, 2)
        y = tf.layers.dense(tf.reshape(y, [-1, 7 * 7 * 64]), 256, tf.nn.relu)
        step = tf.train.GradientDescentOptimizer(0.01).minimize(tf.reduce_mean(y))
        session.run(tf.global_variables_initializer())
        before, feed = session.run(tf.trainable_variables()), {x: np.ones((32, 28, 28, 1))}
        session.run(step, feed)
        assert all(np.any(old != new) for old, new in zip(before, session.run(tf.trainable_variables()), strict=True))
