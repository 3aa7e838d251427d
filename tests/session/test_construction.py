"""Session(...): arguments, checks, facts (S1-S14)."""

from __future__ import annotations

import gc
import inspect
import sys
from typing import Any

import numpy as np
import pytest

import runstep

# TensorFlow's half-made sessions complain in __del__ (S7).
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

METHODS = {
    "as_default": [],
    "close": [],
    "list_devices": [],
    "make_callable": ["fetches", "feed_list", "accept_options"],
    "run": ["fetches", "feed_dict", "options", "run_metadata"],
}


@pytest.mark.parametrize("kind", ["Session", "InteractiveSession"])
def test_positions_of_arguments(tf: Any, kind: str) -> None:
    """S1: target, graph, config, all optional, in this order; what is ours is only a keyword."""
    found = inspect.signature(getattr(tf, kind).__init__).parameters.values()
    assert [(p.name, p.default) for p in found if p.kind is not p.KEYWORD_ONLY][1:] == [
        ("target", ""),
        ("graph", None),
        ("config", None),
    ]
    graph = tf.Graph()
    session = getattr(tf, kind)("", graph, tf.ConfigProto())
    assert session.graph is graph
    session.close()


def test_the_default_graph_is_bound_at_construction(tf: Any) -> None:
    """S2: the session keeps the graph that was the default when it was made."""
    session = tf.Session()
    assert session.graph is tf.get_default_graph()
    bound = session.graph
    with tf.Graph().as_default():
        assert session.graph is bound
        assert tf.Session().graph is not bound


def test_graph_must_be_a_graph(tf: Any) -> None:
    """S3."""
    with pytest.raises(TypeError, match='^Argument `graph` must be a tf.Graph, but got "int"'):
        tf.Session("", 3)


def test_target_must_be_a_string(tf: Any) -> None:
    """S4, T: testInvalidArgument."""
    with pytest.raises(TypeError, match='Argument `target` must be a string, but got "int"'):
        tf.Session(37)
    with pytest.raises(
        TypeError, match=r'got "ConfigProto".*Did you do "Session\(config\)" instead of "Session\(config=config\)"'
    ):
        tf.Session(tf.ConfigProto())


def test_config_must_be_a_config(tf: Any) -> None:
    """S5, T: testInvalidArgument."""
    for wrong in (37, {}, tf.RunOptions()):  # type: ignore[var-annotated]
        with pytest.raises(
            TypeError, match=f'Argument `config` must be a tf.ConfigProto, but got "{type(wrong).__name__}"'
        ):
            tf.Session(config=wrong)


def test_config_of_an_interactive_session(rs: Any) -> None:
    """S5: TensorFlow ends in an AttributeError for 3; what is empty counts as none, as in TensorFlow."""
    with pytest.raises(TypeError, match="Argument `config` must be a tf.ConfigProto"):
        rs.InteractiveSession(config=3)
    rs.InteractiveSession(config={}).close()


def test_order_of_checks(tf: Any) -> None:
    """S6: graph, then target, then config, then the engine."""
    with pytest.raises(TypeError, match="`graph`"):
        tf.Session(3, 3, 3)
    with pytest.raises(TypeError, match="`target`"):
        tf.Session(3, None, 3)
    with pytest.raises(TypeError, match="`config`"):
        tf.Session("nowhere", None, 3)


def test_a_failed_constructor_leaves_nothing_behind(rs: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """S7: no complaint from __del__ (TensorFlow prints one)."""
    ignored: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", ignored.append)
    for arguments in ((37,), ("", 3), ("", None, 3), ("nowhere",)):
        with pytest.raises((TypeError, rs.errors.NotFoundError)):
            rs.Session(*arguments)
        with pytest.raises((TypeError, rs.errors.NotFoundError)):
            rs.InteractiveSession(*arguments)
    gc.collect()
    assert not ignored
    assert rs.InteractiveSession._active_session_count == 0


def test_unknown_targets(tf: Any) -> None:
    """S8, S190, T: testInvalidTargetFails."""
    for target in ("INVALID_TARGET", "local"):
        with pytest.raises(
            tf.errors.NotFoundError, match="No session factory registered for the given session options"
        ) as caught:
            tf.Session(target)
        assert f'target: "{target}"' in str(caught.value) and "Registered factories are {" in str(caught.value)
        assert caught.value.op is None and caught.value.node_def is None


def test_targets_of_engines_that_are_not_installed(rs: Any) -> None:
    """S8: a scheme without an engine is named."""
    with pytest.raises(rs.errors.NotFoundError, match="No engine for 'grpc://' is installed"):
        rs.Session("grpc://localhost:2222")


def test_sess_str_is_the_target_as_bytes(tf: Any) -> None:
    """S9: None stays None, and works as ''."""
    assert tf.Session().sess_str == b""
    assert tf.Session(b"").sess_str == b""
    with tf.Session(None) as session:
        assert session.sess_str is None
        assert session.run(tf.constant(3)) == 3


def test_facts_are_read_only_and_outlive_the_session(tf: Any) -> None:
    """S10, T: testGraphDef."""
    session = tf.Session()
    assert len(session.graph_def.node) == 0
    tf.constant(5.0, name="c")
    assert [node.name for node in session.graph_def.node] == ["c"]
    session.close()
    assert [node.name for node in session.graph_def.node] == ["c"]
    assert session.graph is tf.get_default_graph() and session.sess_str == b""
    for name in ("graph", "graph_def", "sess_str"):
        with pytest.raises(AttributeError):
            setattr(session, name, None)


@pytest.mark.parametrize("infer", [False, True])
def test_graph_def_carries_shapes_when_asked(tf: Any, infer: bool) -> None:
    """S10, T: testInferShapesTrue, testInferShapesFalse."""
    config = tf.ConfigProto(graph_options=tf.GraphOptions(infer_shapes=infer))
    tf.constant([[1.0, 2.0]])
    node = tf.Session(config=config).graph_def.node[0]
    assert ("_output_shapes" in node.attr) is infer
    if infer:
        assert [d.size for d in node.attr["_output_shapes"].list.shape[0].dim] == [1, 2]


def test_versions_of_an_empty_graph(tf: Any) -> None:
    """S11."""
    versions = tf.Session().graph_def.versions
    assert versions.producer > 2000 and versions.min_consumer == 0


def test_versions_are_those_of_tensorflow() -> None:
    """S11: what we write, TensorFlow 2.21 wrote too."""
    from runstep.testing.oracle import tensorflow

    assert runstep.Graph().as_graph_def().versions.producer == tensorflow().Graph().as_graph_def().versions.producer


def test_config_of_interactive_sessions(tf: Any) -> None:
    """S12: allow_growth without a config, place_pruned_graph always."""
    session = tf.InteractiveSession()
    assert session._config.gpu_options.allow_growth and session._config.graph_options.place_pruned_graph
    session.close()
    session = tf.InteractiveSession(config=tf.ConfigProto(log_device_placement=False))
    assert not session._config.gpu_options.allow_growth and session._config.graph_options.place_pruned_graph
    session.close()


def test_the_callers_config_is_not_changed(rs: Any) -> None:
    """S12: TensorFlow sets place_pruned_graph in the message that the caller keeps."""
    config = rs.ConfigProto()
    rs.InteractiveSession(config=config).close()
    assert config == rs.ConfigProto()


def test_a_tensorflow_config_is_taken(rs: Any) -> None:
    """S5: any ConfigProto message serves: it is read as bytes."""
    from runstep.testing.oracle import tensorflow

    config = tensorflow().compat.v1.ConfigProto(device_count={"CPU": 2})
    with rs.Session(config=config) as session:
        assert len(session.list_devices()) == 2


@pytest.mark.parametrize("kind", ["Session", "InteractiveSession"])
def test_public_attributes(tf: Any, kind: str) -> None:
    """S13: the methods and properties, with the parameters of each; `reset` on Session only."""
    cls = getattr(tf, kind)
    for name, parameters in METHODS.items():
        assert list(inspect.signature(getattr(cls, name)).parameters)[1:] == parameters, name
    for name in ("graph", "graph_def", "sess_str"):
        assert isinstance(getattr(cls, name), property)
    assert hasattr(cls, "reset") is (kind == "Session")
    if kind == "Session":
        assert list(inspect.signature(cls.reset).parameters) == ["target", "containers", "config"]


def test_keywords(tf: Any) -> None:
    """S14: every argument has its name; too many are an ordinary TypeError."""
    x = tf.placeholder(tf.float32)
    with tf.Session() as session:
        found = session.run(fetches=x + 1.0, feed_dict={x: 1.0}, options=tf.RunOptions(), run_metadata=tf.RunMetadata())
        assert found == np.float32(2)
        with pytest.raises(TypeError):
            session.run(x, None, None, None, None)
        with pytest.raises(TypeError):
            session.run(x, feeds={x: 1.0})
