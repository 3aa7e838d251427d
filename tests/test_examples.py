"""The examples run, and print what is worth seeing. (The main one is checked by test_readme.py.)"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"

PRINTED = {
    "web_handler.py": ['7f8285  {"name": "grey"', 'colour  {"error": "colour is no colour', "5 steps, 1 refused"],
    "beam_search.py": ["ca -1.4  ch -1.7  co -2.1", "best: candle"],
    "human_in_the_loop.py": [
        "the slow part runs on readings: [63]",
        "the worst reading is 6.2 spreads away.",
        "60 readings are left; their mean is 19.89.",
    ],
}


@pytest.mark.parametrize("name", PRINTED)
def test_an_example(name: str, tmp_path: Path) -> None:
    command = [sys.executable, "-W", "error", str(EXAMPLES / name)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env={**os.environ}, timeout=120)
    assert done.returncode == 0, done.stderr
    printed = done.stdout + done.stderr
    for text in PRINTED[name]:
        assert printed.count(text) == 1, printed


def test_digits_are_learned(tmp_path: Path) -> None:
    command = [sys.executable, "-W", "error", str(EXAMPLES / "digits.py"), "--plot", "loss.svg"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env={**os.environ}, timeout=240)
    assert done.returncode == 0, done.stderr
    accuracies = [float(part) for part in re.findall(r"test accuracy ([0-9.]+)%", done.stdout)]
    assert len(accuracies) == 15 and accuracies[-1] > 97, done.stdout
    losses = [float(part) for part in re.findall(r"loss ([0-9.]+)", done.stdout)]
    assert losses[-1] < losses[0] / 4
    drawn = (tmp_path / "loss.svg").read_text(encoding="utf-8")
    assert drawn.startswith("<svg") and drawn.count("<polyline") == 2
