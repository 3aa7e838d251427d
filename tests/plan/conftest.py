"""TensorFlow writes a program's graph, both run it: values, or the class of the error, must be the same."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pytest

import runstep
from runstep import errors
from runstep.graph.graph import Graph
from runstep.graph.importer import import_graph_def
from runstep.plan import compile as compile_module, frames, lanes, memory, tasks
from runstep.plan.estimate import Glance
from runstep.plan.idle import conditional
from runstep.plan.tokens import TOKENS
from runstep.plan.weigh import Scales
from runstep.protos import config_pb2
from runstep.session.session import Session
from runstep.testing.oracle import tensorflow

Feeds = Sequence[Mapping[str, Any]]
Program = Callable[[Any], tuple[Any, Feeds]]
"""Takes `tf.compat.v1`, builds a graph; returns what to fetch, and by name what to feed in each run. An operation named
"init" runs once before."""


@contextlib.contextmanager
def control_flow(v2: bool) -> Iterator[Any]:
    """TensorFlow's compat.v1 in an empty graph, with functional (v2) or dataflow (v1) control flow."""
    tf = tensorflow().compat.v1
    before = tf.control_flow_v2_enabled()
    (tf.enable_control_flow_v2 if v2 else tf.disable_control_flow_v2)()
    try:
        with tf.Graph().as_default():
            yield tf
    finally:
        (tf.enable_control_flow_v2 if before else tf.disable_control_flow_v2)()


MODES = ("as it is", "token loops", "tokens", "no rewrites", "two devices", "in pieces", "least memory")


def _config(mode: str) -> Any:
    config = config_pb2.ConfigProto()
    if mode == "no rewrites":
        config.graph_options.optimizer_options.opt_level = config_pb2.OptimizerOptions.L0
    if mode == "two devices":
        config.device_count["CPU"] = 2
    if mode == "in pieces":
        config.inter_op_parallelism_threads = 3
    return config


def _run(session: Any, fetches: Any, feeds: Any, family: type[Exception]) -> Any:
    try:
        return session.run(fetches, feeds)
    except family as error:
        return type(error).__name__


def _alternate(graph: Graph) -> None:
    """Puts every other operation on the second device, but for what must share one."""
    for number, op in enumerate(graph.get_operations()):
        takes = any(t.dtype.is_ref or t.dtype.name in ("resource", "variant") for t in (*op.inputs, *op.outputs))
        if number % 2 and not takes and not op.device:
            op.device = "/device:CPU:1"


def _equal(found: Any, wanted: Any) -> bool:
    if isinstance(found, str) or isinstance(wanted, str):
        return bool(isinstance(found, str) and found == wanted)
    for a, b in zip(found, wanted, strict=True):
        if (a is None) != (b is None) or np.shape(a) != np.shape(b):
            return False
        if a is not None:
            one, other = np.asarray(a), np.asarray(b)
            if one.dtype != other.dtype:
                return False
            exact = one.dtype.kind in "OSUb"
            if not (np.array_equal(one, other) if exact else np.allclose(one, other, rtol=1e-5, equal_nan=True)):
                return False
    return True


REFUSED = "enters_of_two_frames_meet", "inside_and_outside_meet"
"""Programs that have no value to compare."""


@functools.cache
def _by_tensorflow(program: Program, v2: bool) -> tuple[Any, list[str], list[str], Feeds, list[Any]]:
    """The graph of a program, names to fetch, what runs first, what is fed, and what TensorFlow answers."""
    with control_flow(v2) as tf:
        fetches, feeds = program(tf)
        flat = list(fetches) if isinstance(fetches, list | tuple) else [fetches]
        names = [item.name for item in flat]
        definition = tf.get_default_graph().as_graph_def()
        first = ["init"] if any(node.name == "init" for node in definition.node) else []
        with tf.Session() as session:
            session.run(first)
            wanted = [_run(session, names, {f"{k}:0": v for k, v in fed.items()}, tf.errors.OpError) for fed in feeds]
    return definition, names, first, feeds, wanted


def check_same(program: Program, v2: bool, mode: str = "as it is") -> None:
    definition, names, first, feeds, wanted = _by_tensorflow(program, v2)
    assert program.__name__ in REFUSED or not all(isinstance(answer, str) for answer in wanted), wanted
    graph = Graph()
    with graph.as_default():
        import_graph_def(definition, name="")
    if mode == "two devices":
        _alternate(graph)
    with Session(graph=graph, config=_config(mode)) as session:
        session.run(first)
        for fed, answer in zip(feeds, wanted, strict=True):
            found = _run(session, names, {f"{k}:0": v for k, v in fed.items()}, errors.OpError)
            assert _equal(found, answer), f"fed {fed}: {found} instead of {answer}"


@pytest.fixture(params=MODES)
def mode(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Each way of compiling: they must all give the same."""
    if request.param == "token loops":
        monkeypatch.setattr(frames, "plain_loop", lambda frame: False)
    elif request.param == "tokens":
        monkeypatch.setattr(compile_module, "ControlFlow", _Tangled)
    elif request.param in ("in pieces", "least memory"):
        monkeypatch.setattr(Glance, "looks_tiny", lambda *args: False)
        if request.param == "least memory":
            monkeypatch.setattr(Scales, "lanes", lambda *args: None)
            monkeypatch.setattr(Scales, "fitting", _reordered)
        else:
            monkeypatch.setattr(lanes, "HEAVY", 0.1)
            monkeypatch.setattr(tasks, "HEAVY", 0.1)
            monkeypatch.setattr(Scales, "gains", lambda *args: True)
    return str(request.param)


class _Tangled(frames.ControlFlow):
    """Takes every frame and branch for one that cannot run as a unit."""

    def __init__(self, nodes: Any, fetched: Any = ()) -> None:
        super().__init__(nodes, fetched)
        if conditional(nodes) and not any(node.type == TOKENS for node in nodes):
            raise frames.Tangled(self._nodes)


def _reordered(scales: Scales, items: Any, before: Any, results: Any, device: Any) -> Any:
    """In the other order, whether it takes less or not."""

    def walk(_items: Any, order: Any, *_: Any) -> memory.Projection:
        return memory.Projection(int(isinstance(order, range)), None, ())

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(memory, "_walk", walk)
        return memory.reordered(items, before(), scales.sizes, scales._reads, results)


@pytest.fixture
def same(mode: str) -> Callable[..., None]:
    """Checks one program: `same(program, v2=True)`."""

    def check(program: Program, v2: bool = False) -> None:
        check_same(program, v2, mode)

    return check


@pytest.fixture
def rs() -> Iterator[Any]:
    """runstep inside an empty default graph."""
    with runstep.Graph().as_default():
        yield runstep
