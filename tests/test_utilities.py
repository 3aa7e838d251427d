"""tf.compat, tf.nest, tf.gfile, tf.logging and the switches, against TensorFlow."""

from __future__ import annotations

import collections
import logging as python_logging
import os
import pathlib
from typing import Any

import attrs
import numpy as np
import pytest

import runstep
from runstep import compat, gfile, logging, nest
from runstep.ops import behavior
from runstep.testing import oracle


def outcome(function: Any) -> Any:
    try:
        return function()
    except Exception as error:
        return type(error).__name__, str(getattr(error, "message", error))


def tensorflow() -> Any:
    return oracle.tensorflow().compat.v1


# --- compat -------------------------------------------------------------------------------------------------------

COMPAT = {
    "bytes": lambda c: [c.as_bytes(x) for x in ("é", b"e", bytearray(b"e"))] + [c.as_bytes("é", "latin1")],
    "bytes of a number": lambda c: c.as_bytes(1),
    "bytes in an unknown encoding": lambda c: c.as_bytes("a", "nonono"),
    "text": lambda c: [f(x) for f in (c.as_text, c.as_str, c.as_str_any) for x in ("é", b"\xc3\xa9")],
    "text of a number": lambda c: c.as_text(1),
    "str of a number": lambda c: c.as_str(1),
    "any": lambda c: [c.as_str_any(1), c.as_str_any(None)],
    "path": lambda c: [c.path_to_str(x) for x in ("a", pathlib.Path("b"), 3)],
    "past and future": lambda c: [c.forward_compatible(2018, 1, 1), c.forward_compatible(2099, 1, 1)],
    "sizes": lambda c: [c.dimension_value(3), c.dimension_value(None)],
    "types": lambda c: [c.integral_types, c.real_types, c.complex_types, c.bytes_or_text_types],
}


@pytest.mark.parametrize("name", COMPAT)
def test_compat(name: str) -> None:
    assert outcome(lambda: COMPAT[name](compat)) == outcome(lambda: COMPAT[name](tensorflow().compat))


def test_dimensions() -> None:
    shape = runstep.TensorShape([3, None])
    assert compat.dimension_value(shape[0]) == 3
    assert compat.dimension_at_index(shape, 0).value == 3
    assert compat.dimension_at_index(runstep.TensorShape(None), 1).value is None


def test_the_horizon_moves() -> None:
    with compat.forward_compatibility_horizon(2010, 1, 1):
        assert not compat.forward_compatible(2011, 1, 1)
        assert compat.forward_compatible(2009, 1, 1)
    assert compat.forward_compatible(2011, 1, 1)


# --- nest ---------------------------------------------------------------------------------------------------------

Pair = collections.namedtuple("Pair", "a b")


@attrs.define
class Thing:
    left: Any
    right: Any


STRUCTURES = [  # type: ignore[var-annotated]
    1, None, "abc", b"a", [], {}, (), [[]], [1, (2, [3])], {"b": 1, "a": [2, (3, None)]}, Pair(1, [2]), Thing(1, (2,)),
    collections.OrderedDict([("z", 1), ("a", 2)]), collections.defaultdict(list, {"b": 1, "a": 2}), {1, 2}, range(3),  # type: ignore[arg-type]
    {"a": 1}.values(), bytearray(b"ab"), np.arange(3),
]  # fmt: skip


@pytest.mark.parametrize("structure", STRUCTURES, ids=repr)
def test_structures(structure: Any) -> None:
    real = tensorflow().nest
    assert nest.is_nested(structure) == real.is_nested(structure)
    assert repr(nest.flatten(structure)) == repr(real.flatten(structure))
    if not isinstance(structure, range | bytearray | type({}.values())):
        leaves = [object() for _ in nest.flatten(structure)]
        ours, theirs = nest.pack_sequence_as(structure, leaves), real.pack_sequence_as(structure, leaves)
        assert repr(ours) == repr(theirs) and type(ours) is type(theirs)
        assert repr(nest.map_structure(repr, structure)) == repr(real.map_structure(repr, structure))


NEST = {
    "not callable": lambda n: n.map_structure(1, 2),
    "no structure": lambda n: n.map_structure(lambda x: x),
    "two": lambda n: n.map_structure(lambda x, y: x + y, [1, (2,)], [3, (4,)]),
    "two lengths": lambda n: n.map_structure(lambda x, y: x, [1], [1, 2]),
    "two types": lambda n: n.map_structure(lambda x, y: x, [1], (1,)),
    "types not checked": lambda n: n.map_structure(lambda x, y: x + y, [1], (1,), check_types=False),
    "keyword": lambda n: n.map_structure(lambda x: x, [1], foo=1),
    "pack less": lambda n: n.pack_sequence_as([1, 2], [1]),
    "pack one": lambda n: n.pack_sequence_as(1, [5]),
    "pack more": lambda n: n.pack_sequence_as([1], [1, 2]),
    "pack a leaf": lambda n: n.pack_sequence_as(1, [1, 2]),
    "pack a number": lambda n: n.pack_sequence_as([1], 5),
    "pack a dict": lambda n: n.pack_sequence_as({"b": 1, "a": 2}, [1, 2]),
    "keys without order": lambda n: n.flatten({1: 2, "a": 3}),
    "same": lambda n: n.assert_same_structure([1, {"a": (2,)}], ["x", {"a": (None,)}]),
    "same dicts": lambda n: n.assert_same_structure({"a": 1}, collections.OrderedDict(a=1)),
    "other types": lambda n: n.assert_same_structure([1], (1,)),
    "other types allowed": lambda n: n.assert_same_structure([1], (1,), check_types=False),
    "other lengths": lambda n: n.assert_same_structure([1], [1, 2]),
    "a leaf": lambda n: n.assert_same_structure([1], 1),
    "other keys": lambda n: n.assert_same_structure({"a": 1}, {"b": 1}),
    "other names": lambda n: n.assert_same_structure(Pair(1, 2), (1, 2)),
}


@pytest.mark.parametrize("name", NEST)
def test_nest(name: str) -> None:
    ours, theirs = outcome(lambda: NEST[name](nest)), outcome(lambda: NEST[name](tensorflow().nest))
    if isinstance(theirs, tuple) and theirs[0].endswith("Error"):
        assert ours[0] == theirs[0]
        assert ours[1].partition("\n")[0] == theirs[1].partition("\n")[0] or name == "keys without order"
    else:
        assert ours == theirs


def test_composites_are_taken_apart() -> None:
    with runstep.Graph().as_default():
        sparse = runstep.SparseTensor([[0]], [1.0], [3])
        assert nest.flatten([sparse, 1]) == [sparse, 1]
        parts = nest.flatten([sparse, 1], expand_composites=True)
        assert parts == [sparse.indices, sparse.values, sparse.dense_shape, 1]
        again = nest.pack_sequence_as([sparse, 1], parts, expand_composites=True)
        assert again[0].values is sparse.values and again[1] == 1
        nest.assert_same_structure([sparse], [again[0]], expand_composites=True)
        with pytest.raises(ValueError, match="same nested structure"):
            nest.assert_same_structure([sparse], [1], expand_composites=True)
        with pytest.raises(ValueError, match="Could not pack"):
            nest.pack_sequence_as([sparse], parts, expand_composites=True)


# --- gfile --------------------------------------------------------------------------------------------------------


def touched(g: Any) -> Any:
    with g.GFile("x", "w") as file:
        file.write("héllo\nworld\n")
    with g.GFile("y", "wb") as file:
        file.write(b"zz")


def seek(g: Any) -> Any:
    file, log = g.GFile("x"), []
    log.append([file.read(1), file.tell(), file.seek(3), file.read(2), file.tell()])
    log.append([file.seek(-3, 2), file.read(), file.seek(0), file.seek(position=3), file.read(1), file.name, file.mode])
    log.append([file.close(), file.read(3), outcome(lambda: file.seek(0, 5)), outcome(lambda: file.write("a"))])
    return log


def appended(g: Any) -> Any:
    with g.GFile("y", "a") as file:
        file.write(b"aa")
        file.write("é")
        place = file.tell()
        refused = outcome(file.read)
    with g.GFile("y", "r+") as file:
        log = [file.read(2)]
    return [place, refused, log, g.FastGFile("y", "rb").read(), g.Open("y").size()]


def sorted_walk(g: Any, **more: Any) -> Any:
    return sorted((a, sorted(b), sorted(c)) for a, b, c in g.Walk(".", **more))


STEPS = [
    lambda g: outcome(lambda: g.GFile("miss").read()),
    lambda g: outcome(lambda: g.GFile("miss").size()),
    touched,
    lambda g: [g.GFile("x").read(), g.GFile("x", "rb").read(), g.GFile("x").readlines(), list(g.GFile("x"))],
    lambda g: [g.GFile("x").readline(), g.GFile("x", "rb").readline(), g.GFile("x").size(), g.GFile("x").tell()],
    seek,
    appended,
    lambda g: outcome(lambda: g.GFile("x", "w").read()),
    lambda g: outcome(lambda: g.GFile("x", "q")),
    lambda g: [g.Exists(x) for x in ("x", "n", b"x", "", ".", pathlib.Path("x"))],
    lambda g: [g.IsDirectory(x) for x in ("x", "n", ".")],
    lambda g: [g.MkDir("a"), g.MkDir("a"), outcome(lambda: g.MkDir("p/q"))],
    lambda g: [g.MakeDirs("p/q/r"), g.MakeDirs("p/q/r")],
    lambda g: [outcome(lambda: g.MakeDirs("y/q")), outcome(lambda: g.MakeDirs("y"))],
    lambda g: [g.Copy("y", "z"), outcome(lambda: g.Copy("y", "z")), g.Copy("x", "z", overwrite=True)],
    lambda g: g.GFile("z").read(),
    lambda g: [outcome(lambda: g.Copy("nn", "z2")), outcome(lambda: g.Copy("y", "nodir/z"))],
    lambda g: outcome(lambda: g.Copy("a", "z3"))[0],
    lambda g: (g.Exists("z3") and g.Remove("z3")) or None,
    lambda g: [g.Rename("z", "w"), outcome(lambda: g.Rename("y", "w")), g.Rename("y", "w", True)],
    lambda g: outcome(lambda: g.Rename("nn", "w2")),
    lambda g: [outcome(lambda: g.Remove("nn")), outcome(lambda: g.Remove("a"))],
    lambda g: sorted(g.ListDirectory(".")),
    lambda g: [outcome(lambda name=name: g.ListDirectory(name)) for name in ("nn", "x", "")],
    lambda g: [sorted(g.Glob(x)) for x in ("*", ["x", "p/*"], "nn*", "p*", "p/**", "[xp]", "nodir/*", "x", "nn")],
    sorted_walk,
    lambda g: sorted_walk(g, in_order=False),
    lambda g: list(g.Walk("nn")),
    lambda g: [g.Stat("x").length, g.Stat("x").is_directory, g.Stat("p").is_directory],
    lambda g: outcome(lambda: g.Stat("nn")),
    lambda g: [outcome(lambda: g.GFile("a").read()), outcome(lambda: g.GFile("a", "w").write("s"))],
    lambda g: [outcome(lambda: g.GFile("no/a", "w").write("s")), bool(g.GFile("no/a", "w"))],
    lambda g: [g.DeleteRecursively("p"), g.DeleteRecursively("x"), outcome(lambda: g.DeleteRecursively("nn"))],
    lambda g: [g.Remove("w"), sorted(os.listdir("."))],
]


def test_files(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    logs = []
    for name, library in (("ours", gfile), ("theirs", tensorflow().gfile)):
        (tmp_path / name).mkdir()
        monkeypatch.chdir(tmp_path / name)
        logs.append([outcome(lambda step=step, library=library: step(library)) for step in STEPS])
    for number, (ours, theirs) in enumerate(zip(*logs, strict=True)):
        assert ours == theirs, f"step {number}"


# --- logging ------------------------------------------------------------------------------------------------------


@pytest.fixture
def messages(caplog: pytest.LogCaptureFixture) -> Any:
    logger = python_logging.getLogger("tensorflow")
    level, propagate = logger.level, logger.propagate
    logger.propagate = True
    logger.setLevel(python_logging.WARNING)  # other tests make TensorFlow silent
    yield caplog
    logger.setLevel(level)
    logger.propagate = propagate


def test_messages_reach_the_logger_of_tensorflow(messages: Any) -> None:
    logging.set_verbosity(logging.DEBUG)
    for name in ("debug", "info", "warn", "warning", "error", "fatal"):
        getattr(logging, name)("%s %d", name, 1)
    logging.log(logging.INFO, "log")
    logging.vlog(logging.ERROR, "vlog")
    logging.TaskLevelStatusMessage("status")
    logging.log_if(logging.INFO, "yes", True)
    logging.log_if(logging.INFO, "no", False)
    logging.flush()
    assert [record.getMessage() for record in messages.records] == [
        "debug 1", "info 1", "warn 1", "warning 1", "error 1", "fatal 1", "log", "vlog", "status", "yes",
    ]  # fmt: skip
    assert {record.name for record in messages.records} == {"tensorflow"}
    assert {record.filename for record in messages.records} == {"test_utilities.py"}
    assert [record.levelno for record in messages.records][:6] == [10, 20, 30, 30, 40, 50]


def test_repeated_messages(messages: Any) -> None:
    for i in range(5):
        logging.log_every_n(logging.ERROR, "every %d", 2, i)
        logging.log_first_n(logging.ERROR, "first %d", 2, i)
    texts = [record.getMessage() for record in messages.records]
    assert texts == ["every 0", "first 0", "first 1", "every 2", "every 4"]


def test_verbosity(messages: Any) -> None:
    logging.set_verbosity("INFO")
    assert logging.get_verbosity() == logging.INFO == 20
    logging.debug("hidden")
    assert not messages.records
    with pytest.raises(ValueError, match="Unknown level"):
        logging.set_verbosity("foo")
    real = tensorflow().logging
    for name in ("DEBUG", "INFO", "WARN", "ERROR", "FATAL"):
        assert getattr(logging, name) == getattr(real, name)


# --- switches -----------------------------------------------------------------------------------------------------


def test_there_is_no_eager_execution() -> None:
    assert not behavior.executing_eagerly() and not behavior.executing_eagerly_outside_functions()
    assert not behavior.control_flow_v2_enabled()
    for switch in (behavior.enable_eager_execution, behavior.enable_v2_behavior):
        with pytest.raises(RuntimeError, match="graphs only"):
            switch()
    behavior.disable_eager_execution()
    behavior.disable_control_flow_v2()
    behavior.disable_v2_tensorshape()
    behavior.disable_tensor_equality()


def test_the_old_behaviour_has_ref_variables() -> None:
    was = runstep.resource_variables_enabled()
    try:
        runstep.enable_resource_variables()
        behavior.disable_v2_behavior()
        assert not runstep.resource_variables_enabled()
    finally:
        if was:
            runstep.enable_resource_variables()
        else:
            runstep.disable_resource_variables()
