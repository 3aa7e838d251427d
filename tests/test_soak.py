"""A short soak: benchmarks/soak.py for ten seconds. (In full: 200,000 steps on three seeds.)"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

SOAK = Path(__file__).parents[1] / "benchmarks" / "soak.py"


def test_nothing_is_left_of_many_steps() -> None:
    command = [sys.executable, "-W", "error", str(SOAK), "--steps", "20000", "--seeds", "11", "--seconds", "10"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=250)
    assert done.returncode == 0 and done.stdout.endswith("nothing is left\n"), done.stdout + done.stderr
    match = re.search(r"seed 11: (\d+) steps", done.stdout)
    assert match is not None and int(match[1]) > 500
