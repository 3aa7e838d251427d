"""The README is true: its commands run, and print what it says."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    fences = re.findall(r"^```(\w*)\n(.*?)^```$", TEXT, re.S | re.M)
    return [content for name, content in fences if name == language]


@pytest.mark.network
def test_the_first_command_installs_and_segments_thai_text(tmp_path: Path) -> None:
    checkout = tmp_path / "runstep"
    keep_out = shutil.ignore_patterns(".git", ".venv", "__pycache__", "*.egg-info", ".*_cache", "build")
    shutil.copytree(ROOT, checkout, symlinks=True, ignore=keep_out)
    command = blocks("sh")[0].strip()
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache")}
    environment.pop("PYTHONPATH", None)
    done = subprocess.run(
        command, shell=True, cwd=checkout, env=environment, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == blocks("")[0].strip()


def test_the_second_command_is_the_one_ci_runs() -> None:
    assert blocks("sh")[1].strip() == ".ci/run"
    assert os.access(ROOT / ".ci" / "run", os.X_OK)


def test_the_first_program_prints_what_it_says() -> None:
    program = blocks("python")[0]
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == re.findall(r"# (\[.*\])$", program, re.M)


def test_the_benchmark_runs() -> None:
    assert "benchmarks/compare.py" in blocks("sh")[2]
    command = [sys.executable, str(ROOT / "benchmarks" / "compare.py"), "--only", "run const"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    assert re.search(r"run const .*x$", done.stdout.strip(), re.M)
