"""What programs are wrapped in: flags, `tf.app.run`, `tf.test`."""

from __future__ import annotations

import enum
import subprocess
import sys
import unittest
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import runstep
from runstep import flags
from runstep.testing.unit import TestCase

tf: Any = runstep


class Color(enum.Enum):
    RED = 1
    BLUE = 2


def defined(module: Any) -> Any:
    """The same flags, by our module and by absl's."""
    values = module.FlagValues()
    module.DEFINE_string("name", "default", "a name", flag_values=values)
    module.DEFINE_string("none", None, "nothing", flag_values=values)
    module.DEFINE_integer("count", 3, "how many", lower_bound=0, flag_values=values)
    module.DEFINE_float("rate", 0.5, "how fast", flag_values=values)
    module.DEFINE_boolean("verbose", False, "say more", flag_values=values, short_name="v")
    module.DEFINE_bool("quick", True, "be quick", flag_values=values)
    module.DEFINE_list("items", "a,b", "a list", flag_values=values)
    module.DEFINE_enum("kind", "x", ["x", "y"], "one of", flag_values=values)
    module.DEFINE_enum_class("color", Color.RED, Color, "a color", flag_values=values)
    module.DEFINE_multi_string("many", ["p"], "many", flag_values=values)
    module.DEFINE_multi_integer("numbers", None, "numbers", flag_values=values)
    module.register_validator("count", lambda count: count != 13, "unlucky", flag_values=values)
    return values


NAMES = "name none count rate verbose quick items kind color many numbers".split()
LINES = [
    "",
    "--name=x --count 5 --rate=2 rest --verbose more",
    "-name x --noquick --items=q,r --kind=y --color=BLUE",
    "--many=1 --many 2 --numbers=1 --numbers=2 -v",
    "--verbose=true --quick=false -- --name=z",
    "--count=-1",
    "--count=x",
    "--count=13",
    "--kind=z",
    "--unknown=1",
    "--name",
    "--rate=fast",
]


@pytest.mark.parametrize("line", LINES)
def test_flags_read_command_lines_as_absl_does(line: str) -> None:
    absl_flags: Any = pytest.importorskip("absl.flags", reason="absl-py comes with the oracle")

    def outcome(module: Any) -> Any:
        values = defined(module)
        try:
            rest = values(["program", *line.split()])
        except module.Error as error:
            return type(error).__name__
        return rest, [(value := getattr(values, name)) and getattr(value, "name", value) for name in NAMES]

    ours, theirs = outcome(flags), outcome(absl_flags)
    if isinstance(theirs, str):
        assert ours == theirs
    else:
        rest, found = theirs
        rest = [item for item in rest if item != "--"]
        # absl stops at the first word that is no flag only in its GNU-less mode; the rest keeps its order.
        assert ours == (rest, found)


def test_flags_in_programs() -> None:
    values = defined(flags)
    values(["program", "--other=1", "--count=4", "word"], known_only=True)
    values.count = 7
    assert values.count == 7 and "count" in values and values["count"].help == "how many" and len(values) >= 11
    assert values.flag_values_dict()["count"] == 7 and values.is_parsed()
    with pytest.raises(flags.IllegalFlagValueError, match="unlucky"):
        values.count = 13
    with pytest.raises(AttributeError):
        values.nothing = 1
    with pytest.raises(flags.DuplicateFlagError):
        flags.DEFINE_string("name", "", "", flag_values=values)
    values.unparse_flags()
    values.set_default("rate", 0.25)
    values.mark_as_parsed()
    assert values.rate == 0.25 and values.count == 3
    flags.mark_flag_as_required("none", values)
    with pytest.raises(flags.IllegalFlagValueError, match="must have a value"):
        values(["program"])


def test_app_run(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        "import runstep as tf\n"
        "tf.app.flags.DEFINE_integer('n', 1, 'a number')\n"
        "FLAGS = tf.flags.FLAGS\n"
        "def main(argv):\n"
        "    print(argv[1:], FLAGS.n)\n"
        "    return 3\n"
        "if __name__ == '__main__':\n"
        "    tf.app.run()\n"
    )
    found = subprocess.run([sys.executable, str(program), "a", "--n=5", "b"], capture_output=True, text=True)
    assert (found.stdout, found.returncode) == ("['a', 'b'] 5\n", 3), found.stderr


class Example(TestCase):
    """Run by the test below, not by pytest."""

    __test__ = False

    def test_arrays(self) -> None:
        with self.session():
            x = tf.constant([1.0, 2.0])
            self.assertAllClose(x * 2.0, [2.0, 4.0])
            self.assertAllClose({"a": x, "b": [x, (x,)]}, {"a": [1.0, 2.0], "b": [[1.0, 2.0], ([1.0, 2.0],)]})
            self.assertAllEqual(x, np.array([1.0, 2.0]))
            self.assertAllEqual([np.nan], np.array([np.nan]))
            self.assertAllInRange(x, 1.0, 2.0)
            self.assertAllGreater(x, 0.5)
            self.assertNotAllClose(x, [1.0, 3.0])
            self.assertNotAllEqual(x, [1.0, 3.0])
            self.assertAllCloseAccordingToType(np.array([1.0], np.float16), np.array([1.001], np.float16))
            self.assertShapeEqual(np.zeros(2), x)
            self.assertDTypeEqual(x, tf.float32)
            with self.assertRaisesOpError("not finite"):
                self.evaluate(tf.check_numerics(x / 0.0, "not finite"))
            with self.assertRaisesRegex(ValueError, "Cannot reshape"):
                tf.reshape(x, [3])

    def test_sessions(self) -> None:
        with self.test_session() as first:
            v = tf.Variable(1.0)
            self.evaluate(v.initializer)
        with self.cached_session() as second:
            assert first is second
            assert self.evaluate(v) == 1.0
        assert len(self.get_temp_dir()) > 3
        assert tf.random_uniform([]).op.get_attr("seed") == 87654321

    def test_wrong_arrays(self) -> None:
        self.assertAllClose([1.0], [1.1])

    def test_wrong_shape(self) -> None:
        self.assertAllEqual([1.0], [1.0, 1.0])

    def test_no_error(self) -> None:
        with self.assertRaisesWithPredicateMatch(ValueError, "x"):
            pass


def test_test_cases() -> None:
    result = unittest.TestResult()
    unittest.defaultTestLoader.loadTestsFromTestCase(Example).run(result)
    assert not result.errors, result.errors[0][1]
    failed = sorted(case.id().rpartition(".")[2] for case, _ in result.failures)
    assert (result.testsRun, failed) == (6, ["test_no_error", "test_wrong_arrays", "test_wrong_shape"])


def test_the_rest_of_tf_test(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_TMPDIR", str(tmp_path))
    assert tf.test.get_temp_dir() == str(tmp_path)
    assert not tf.test.is_gpu_available() and tf.test.gpu_device_name() == "" and not tf.test.is_built_with_cuda()
    with tf.Graph().as_default() as one:
        tf.constant(1.0)
    with tf.Graph().as_default() as other:
        tf.constant(1.0)
    tf.test.assert_equal_graph_def(one.as_graph_def(), other.as_graph_def())
    with other.as_default():
        tf.constant(2.0)
    with pytest.raises(AssertionError, match="Const_1"):
        tf.test.assert_equal_graph_def(one.as_graph_def(), other.as_graph_def())
