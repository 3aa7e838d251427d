"""Runs the same programs under TensorFlow and under runstep in turn and prints times and ratios.

    python benchmarks/compare.py                     # every program
    python benchmarks/compare.py --only "run with"   # those whose name contains this
    python benchmarks/compare.py --models FOLDER     # also the frozen graphs of a folder of .pb with .npz beside them

Rounds alternate between the two, so that what else the machine does meets both alike; each figure is a median over
rounds.
TensorFlow comes from `pip install runstep[oracle]`.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
sys.path.insert(0, str(Path(__file__).parent))

import numpy as np  # noqa: E402
import programs  # type: ignore[import-not-found]  # noqa: E402

ROUNDS = 9
ROUND_SECONDS = 0.05


def timed(run: Callable[[], object], times: int) -> float:
    """Seconds per call."""
    start = time.perf_counter()
    for _ in range(times):
        run()
    return (time.perf_counter() - start) / times


def compare(make: Callable[[Any], Callable[[], object]], tensorflow: Any, runstep: Any) -> tuple[float, float]:
    """Median seconds per call under each."""
    runs = []
    for tf in (tensorflow, runstep):
        with tf.Graph().as_default():
            run = make(tf)
        run()
        runs.append((run, max(1, int(ROUND_SECONDS / max(timed(run, 2), 1e-7)))))
    figures: list[list[float]] = [[], []]
    for _ in range(ROUNDS):
        for (run, times), out in zip(runs, figures, strict=True):
            out.append(timed(run, times))
    return statistics.median(figures[0]), statistics.median(figures[1])


def import_seconds(module: str) -> float:
    """Median seconds that a new process spends on the import."""
    code = f"import time; t = time.perf_counter(); import {module}; print(time.perf_counter() - t)"
    found = [
        float(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout) for _ in range(3)
    ]
    return statistics.median(found)


def show(name: str, theirs: float, ours: float) -> None:
    unit, scale = ("us", 1e6) if theirs < 0.01 else ("ms", 1e3)
    print(f"{name:32} {theirs * scale:12.1f} {unit} {ours * scale:12.1f} {unit} {theirs / ours:9.2f}x", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description="Times TensorFlow and runstep on the same programs.")
    parser.add_argument("--only", default="", help="run the programs whose name contains this")
    parser.add_argument("--models", type=Path, help="a folder of frozen graphs, NAME.pb with NAME.npz")
    parser.add_argument("--json", type=Path, help="write the figures here")
    options = parser.parse_args()
    try:
        import tensorflow
    except ImportError:
        sys.exit("This compares with TensorFlow: pip install 'runstep[oracle]'")
    import runstep

    tf = tensorflow.compat.v1
    tf.disable_v2_behavior()
    results: dict[str, tuple[float, float]] = {}
    print(f"{'':32} {'TensorFlow':>15} {'runstep':>15} {'ratio':>10}")

    def record(name: str, measure: Callable[[], tuple[float, float]]) -> None:
        if options.only in name:
            results[name] = measure()
            show(name, *results[name])

    record("import", lambda: (import_seconds("tensorflow"), import_seconds("runstep")))
    for name, make in programs.PROGRAMS.items():
        record(name, lambda make=make: compare(make, tf, runstep))  # type: ignore[misc]
    record("building 2,000 ops", lambda: compare(lambda module: programs.build(module, 2000), tf, runstep))
    ratios = []
    for path in sorted(options.models.glob("*.pb")) if options.models else ():
        with np.load(path.with_suffix(".npz")) as file:
            arrays = dict(file)
        content = path.read_bytes()
        record(path.stem, lambda c=content, a=arrays: compare(lambda m: programs.model(m, c, a), tf, runstep))  # type: ignore[misc]
        if path.stem in results:
            ratios.append(results[path.stem][0] / results[path.stem][1])
    if ratios:
        print(f"{'models, geometric mean':64} {math.exp(statistics.fmean(map(math.log, ratios))):9.2f}x")
    if options.json:
        versions = {"python": platform.python_version(), "numpy": np.__version__, "tensorflow": tensorflow.__version__}
        machine = {"processor": platform.processor() or platform.machine(), "cores": os.cpu_count()}
        figures = {name: {"tensorflow": a, "runstep": b, "ratio": a / b} for name, (a, b) in results.items()}
        options.json.write_text(json.dumps({"versions": versions, "machine": machine, "seconds": figures}, indent=1))


if __name__ == "__main__":
    main()
