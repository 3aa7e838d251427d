"""Printing and asserting against TensorFlow: texts, streams, and the graphs that the functions build."""

from __future__ import annotations

import collections
import logging as std_logging
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from runstep import errors
from runstep.graph import dtypes
from runstep.graph.apply import apply
from runstep.graph.composite import SparseTensor
from runstep.graph.convert import constant
from runstep.kernels.summarize import summarized
from runstep.ops import (
    logging,
    strings,
    table as table,  # rows
)
from runstep.testing.bench import Bench, compare
from runstep.testing.building import compare_graphs


@pytest.fixture
def bench() -> Iterator[Bench]:
    bench = Bench()
    with bench.graph.as_default():
        yield bench


VALUES: list[Any] = [
    [1.0, 2.5, 3.25, 4.0],
    [[1.0, 2.0], [3.0, 4.0]],
    np.arange(12.0).reshape(2, 3, 2),
    3,
    "abc",
    ["a", "b c", "d", "e"],
    [["a", "b"], ["c", "d"]],
    'é\n"',
    [True, False],
    np.zeros((2, 0), np.float32),
    np.array([1 / 3, 1e-7, 1e20]),
    np.array([1 / 3], np.float16),
    [1 / 3, 1e10, -0.0, np.nan, np.inf],
    np.array([-1, 2], np.int8),
    np.array([1, 200], np.uint8),
    np.array([1 + 2j]),
]


@pytest.mark.parametrize("summarize", [3, -1, 1, 2])
def test_assertion_shows_the_data(summarize: int) -> None:
    def program(api: Any) -> None:
        data = [api.constant(value) for value in VALUES]
        api.run(api.op("Assert", api.hidden(False), data, summarize=summarize))
        api.run(api.op("Assert", api.hidden(True), data))

    compare(program)


def test_condition_is_one_bool() -> None:
    def program(api: Any) -> None:
        api.run(api.op("Assert", api.hidden([True, True]), [api.constant(1)]))

    compare(program)


def test_print_passes_its_input_on(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    value = logging.Print(constant([1, 2]), [constant([1.5, 2.0, 3.0, 4.0]), "a"], "so: ", first_n=2)
    for _ in range(3):
        assert bench.run(value).tolist() == [1, 2]
    assert capsys.readouterr().err == "so: [1.5 2 3...][a]\n" * 2


def test_print_shows_what_tensorflow_shows(tmp_path: Path) -> None:
    program = (
        "import os, pickle, sys\n"
        "os.environ['TF_CPP_MIN_LOG_LEVEL'] = '3'\n"
        "import tensorflow.compat.v1 as tf\n"
        "tf.disable_eager_execution()\n"
        "with tf.Session() as s:\n"
        "    for limit in (3, 1):\n"
        "        for v in pickle.load(open(sys.argv[1], 'rb')):\n"
        "            s.run(tf.raw_ops.Print(input=1, data=[v], summarize=limit, message='@'))\n"
    )
    import pickle

    (tmp_path / "values").write_bytes(pickle.dumps(VALUES))
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path / "values")], capture_output=True, check=True)
    theirs = [line[1:] for line in done.stderr.decode().splitlines() if line.startswith("@")]
    ours = []
    for limit in (3, 1):
        for value in VALUES:
            tensor = constant(value)
            text = summarized(tensor.op.attrs["value"], tensor.dtype, limit)
            ours.append(f"[{text.decode()}]")
    assert ours == theirs


def test_print_v2_writes_where_it_is_told(bench: Bench, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    for stream, end in (("stdout", "\n"), ("stderr", "|"), ("log(info)", "\n"), (f"file://{tmp_path}/out", "\n")):
        bench.run(apply("PrintV2", "é", output_stream=stream, end=end))
    bench.run(apply("PrintV2", "2", output_stream=f"file://{tmp_path}/out"))
    out, err = capsys.readouterr()
    assert (out, err) == ("é\n", "é|I é\n")
    assert (tmp_path / "out").read_text("utf-8") == "é\n2\n"
    with pytest.raises(errors.NotFoundError, match="No such file"):
        bench.run(apply("PrintV2", "é", output_stream=f"file://{tmp_path}/no/out"))
    with pytest.raises(errors.InvalidArgumentError, match="Unknown output stream: bad"):
        bench.run(apply("PrintV2", "é", output_stream="bad"))


def test_print_shows_structures(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    bench.run(logging.print("x is", constant([1, 2]), {"y": constant("s")}, output_stream=sys.stdout, end="!\n"))
    assert capsys.readouterr().out == "x is [1 2] {'y': \"s\"}!\n"


def test_abort_is_an_error(bench: Bench) -> None:
    with pytest.raises(errors.AbortedError, match="enough"):
        bench.run(apply("Abort", error_msg="enough"))


Pair = collections.namedtuple("Pair", "x y")

BUILDERS: dict[str, Callable[[Any], Any]] = {
    "Print": lambda tf: tf.Print(tf.constant(1.0), [tf.constant(2), "a"], "m", 3, 2, "named"),
    "Print plain": lambda tf: tf.Print(tf.constant(1.0), [tf.constant(2)]),
    "print all": lambda tf: tf.print("hi", tf.constant(1), sep="|", end="", summarize=2, name="named"),
    "print nothing": lambda tf: tf.print(),
    "print string": lambda tf: tf.print(tf.constant("s")),
    "print strings": lambda tf: tf.print(tf.constant("s"), tf.constant("s")),
    "print dict": lambda tf: tf.print({"z": tf.constant(1), "a": [tf.constant(2), "s", (None,)]}),
    "print pair": lambda tf: tf.print(Pair(tf.constant(1), "s")),
    "print ordered": lambda tf: tf.print(collections.OrderedDict([("b", 1), ("a", tf.constant(2))])),
    "print array": lambda tf: tf.print(np.array([1, 2]), tf.constant(1), b"s", 2.5, None),
    "print to stdout": lambda tf: tf.print("a", output_stream=sys.stdout),
    "print to file": lambda tf: tf.print("a", output_stream="file:///tmp/x"),
    "print nowhere": lambda tf: tf.print("a", output_stream="xx"),
    "print what": lambda tf: tf.print("a", what=1),
    "Assert": lambda tf: tf.Assert(True, ["a", 1]),
    "Assert more": lambda tf: tf.Assert(tf.constant(True), [tf.constant("a")], summarize=5, name="named"),
    "Assert no list": lambda tf: tf.Assert(tf.constant(True), "b"),
}


@pytest.mark.parametrize("name", BUILDERS)
def test_graph_is_tensorflows(name: str) -> None:
    compare_graphs(BUILDERS[name], [logging, strings])


def test_sparse_and_logging_functions(bench: Bench) -> None:
    made = logging.print(SparseTensor([[0]], [1], [2]), output_stream=std_logging.getLogger("x").warning)
    assert made.get_attr("output_stream") == b"log(warning)"
    template = made.inputs[0].op.get_attr("template")
    assert template == b"'SparseTensor(indices={}, values={}, shape={})'"


def test_message_is_a_scalar(bench: Bench) -> None:
    with pytest.raises(ValueError, match="input must be a scalar, but has rank: 1"):
        apply("PrintV2", ["a"])
    fed = apply("Placeholder", dtype=dtypes.string)
    with pytest.raises(errors.InvalidArgumentError, match=r"Input is expected to be scalar, but got \[1\]"):
        bench.run(apply("PrintV2", fed), {fed: np.array([b"a"], object)})
