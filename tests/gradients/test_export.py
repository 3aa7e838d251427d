"""Gradients leave in a GraphDef: TensorFlow runs the nodes that we made for them to the values that we get."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np

import runstep
from runstep.testing import gradients as harness
from runstep.testing.oracle import config, tensorflow


def _rows() -> Any:
    spec = importlib.util.spec_from_file_location("math_rows", Path(__file__).with_name("test_math_rows.py"))
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.ROWS


def _gradients(graph: Any) -> tuple[dict[str, Any], list[str]]:
    """Adds the rows and their gradients of both orders: what to feed, and the names of the gradients."""
    feeds: dict[str, Any] = {}
    names: list[str] = []
    for row in _rows():
        if row.beyond:
            continue  # TensorFlow cannot run even the forward node
        for trial in harness._trials(row, graph, row.known[-1]):
            first = runstep.gradients(trial.ys, trial.xs, [runstep.ones_like(y) for y in trial.ys])
            if any(grad is not None for grad in first):
                feeds.update(trial.feeds)
                names += [grad.name for grad in first if isinstance(grad, runstep.Tensor)]
    return feeds, names


def test_tensorflow_runs_our_gradients() -> None:
    with runstep.Graph().as_default() as graph:
        feeds, names = _gradients(graph)
        assert len(names) > 300
        with runstep.Session() as session:
            ours = session.run(names, {graph.get_tensor_by_name(name): value for name, value in feeds.items()})
        definition = graph.as_graph_def().SerializeToString()
    tf = tensorflow().compat.v1
    with tf.Graph().as_default() as theirs, tf.device("/cpu:0"):
        tf.import_graph_def(tf.GraphDef.FromString(definition), name="")
        with tf.Session(graph=theirs, config=config()) as session:
            values = session.run(names, feeds)
    for name, mine, want in zip(names, ours, values, strict=True):
        assert mine.dtype == want.dtype
        np.testing.assert_allclose(mine, want, rtol=1e-4 if mine.dtype == np.float32 else 1e-8, atol=1e-8, err_msg=name)
