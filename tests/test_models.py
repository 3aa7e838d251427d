"""Real frozen graphs give TensorFlow's answers: each NAME.pb of the folder of models, against NAME.npz beside it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

import runstep as tf

FOLDER = Path(os.environ.get("RUNSTEP_MODELS", Path(__file__).parents[2] / "shared" / "models"))
NAMES = sorted(path.stem for path in FOLDER.glob("*.pb"))
needs_models = pytest.mark.skipif(not NAMES, reason="the folder of models (RUNSTEP_MODELS) is not on this machine")


@needs_models
@pytest.mark.parametrize("name", NAMES or ["none"])
def test_a_frozen_graph_gives_tensorflows_answer(name: str) -> None:
    with np.load(FOLDER / f"{name}.npz") as file:
        arrays = dict(file)
    graph = tf.Graph()
    with graph.as_default():
        tf.import_graph_def((FOLDER / f"{name}.pb").read_bytes(), name="")
    feeds = {key[3:]: value for key, value in arrays.items() if key.startswith("in:")}
    wanted = {key[4:]: value for key, value in arrays.items() if key.startswith("out:")}
    with tf.Session(graph=graph) as session:
        for found, expected in zip(session.run(list(wanted), feeds), wanted.values(), strict=True):
            found = np.asarray(found)
            assert (found.dtype, found.shape) == (expected.dtype, expected.shape)
            if expected.size:
                assert np.abs(found - expected).max() <= 1e-3 * np.abs(expected).max()


@pytest.mark.skipif(not (FOLDER / "guesslang").is_dir(), reason="guesslang's SavedModel is not on this machine")
def test_an_estimators_export_gives_tensorflows_answer() -> None:
    """Strings, n-grams, hash buckets, tables, sparse embeddings, functional loops, checkpointed variables."""
    folder = FOLDER / "guesslang"
    golden = json.loads((folder / "golden.json").read_text())
    with tf.Session(graph=tf.Graph()) as session:
        model = tf.saved_model.load(session, [tf.saved_model.tag_constants.SERVING], str(folder))
        signature = model.signature_def["predict"]
        (key,) = (info.name for info in signature.inputs.values())
        outputs = {name: signature.outputs[name].name for name in ("logits", "probabilities", "class_ids")}
        found = session.run(outputs, {key: golden["texts"]})
    np.testing.assert_allclose(found["logits"], golden["logits"], rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(found["probabilities"], golden["probabilities"], rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(found["class_ids"], golden["class_ids"])
