"""Connectionist temporal classification against TensorFlow."""

from __future__ import annotations

from typing import Any

import pytest

from runstep.errors import FailedPreconditionError, InvalidArgumentError
from runstep.testing import case, check, of, real

LABELS = (of([[0, 0], [0, 1], [0, 2], [1, 0], [1, 1]]), of([0, 1, 1, 2, 0]))
# TensorFlow sums up in float32 whatever the type.
LOOSE = {"float32": 1e-4, "float64": 1e-4}


def ctc(op: str, *inputs: Any, **more: Any) -> Any:
    return case(op, *inputs, rtol=LOOSE, atol=LOOSE, **more)


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
