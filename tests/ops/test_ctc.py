"""Connectionist temporal classification against TensorFlow."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import runstep
from runstep.errors import FailedPreconditionError, InvalidArgumentError
from runstep.graph.apply import apply
from runstep.testing import case, check, of, real

LABELS = (of([[0, 0], [0, 1], [0, 2], [1, 0], [1, 1]]), of([0, 1, 1, 2, 0]))
# TensorFlow sums up in float32 whatever the type.
LOOSE = {"float32": 1e-4, "float64": 1e-4}


def ctc(op: str, *inputs: Any, **more: Any) -> Any:
    return case(op, *inputs, rtol=LOOSE, atol=LOOSE, **more)


BY_HAND = {"CTCLossV2": "TensorFlow has no CPU kernel; the same as CTCLoss with the blank label first"}
CASES = [
    ctc("CTCLoss", real(6, 2, 4), *LABELS, of([6, 5])),
    ctc("CTCLoss", real(6, 2, 4), *LABELS, of([6, 4]), preprocess_collapse_repeated=True),
    ctc("CTCLoss", real(6, 2, 4), *LABELS, of([6, 4]), ctc_merge_repeated=False),
    ctc("CTCLoss", real(6, 2, 4), *LABELS, of([3, 4]), ignore_longer_outputs_than_inputs=True),
    ctc("CTCLoss", real(6, 2, 4), *LABELS, of([3, 4])),
    ctc("CTCLoss", real(6, 2, 4), *LABELS, of([2, 4]), error=InvalidArgumentError),
    ctc("CTCLoss", real(6, 2, 4), *LABELS, of([2, 4]), ignore_longer_outputs_than_inputs=True),
    ctc("CTCLoss", real(6, 2, 4), *LABELS, of([7, 4]), error=InvalidArgumentError),
    *[
        ctc("CTCGreedyDecoder", real(7, 3, 4), of([7, 5, 1]), merge_repeated=merge, blank_index=blank)
        for merge in (False, True)
        for blank in (-1, 0, 2)
    ],
    ctc("CTCGreedyDecoder", real(7, 3, 4), of([8, 5, 1]), error=FailedPreconditionError),
    *[
        ctc("CTCBeamSearchDecoder", real(6, 2, 4), of([6, 4]), beam_width=width, top_paths=paths, merge_repeated=merge)
        for width, paths in ((50, 1), (50, 3), (16, 2))
        for merge in (False, True)
    ],
    ctc("CTCBeamSearchDecoder", real(6, 2, 4), of([6, 4]), beam_width=2, top_paths=3, error=InvalidArgumentError),
]


@pytest.mark.parametrize("row", CASES, ids=str)
def test_ops(row: Any) -> None:
    check(row)


@pytest.mark.parametrize("merge", [True, False])
def test_loss_with_the_blank_first(merge: bool) -> None:
    logits = np.random.default_rng(0).normal(size=(6, 2, 4)).astype(np.float32)
    indices = np.array([[0, 0], [0, 1], [0, 2], [1, 0], [1, 1]])
    labels = np.array([0, 1, 1, 2, 0], np.int32)
    with runstep.Graph().as_default(), runstep.Session() as session:
        rest = np.array([6, 5], np.int32)
        last = apply("CTCLoss", logits, indices, labels, rest, ctc_merge_repeated=merge)
        first = apply(
            "CTCLossV2", np.roll(logits, 1, axis=2), indices, labels + np.int32(1), rest, ctc_merge_repeated=merge
        )
        want, got = session.run([last, first])
    np.testing.assert_allclose(got[0], want[0], rtol=1e-6)
    np.testing.assert_allclose(got[1], np.roll(want[1], 1, axis=2), rtol=1e-5, atol=1e-6)
