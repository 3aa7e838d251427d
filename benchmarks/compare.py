"""Runs the same programs under TensorFlow and under runstep in turn and prints times and ratios.

    python benchmarks/compare.py                     # every program
    python benchmarks/compare.py --only "run with"   # those whose name contains this
    python benchmarks/compare.py --models FOLDER     # also the frozen graphs of a folder of .pb with .npz beside them
    python benchmarks/compare.py --keep              # and keeps the figures under benchmarks/results, with a plot

Rounds alternate between the two, so that what else the machine does meets both alike; each figure is a median over
rounds. TensorFlow comes from `pip install runstep[oracle]`; OpenVINO is a third column of the models where it is
installed, here or for the interpreter that `--openvino PYTHON` names.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import gc
import importlib.metadata
import importlib.util
import json
import math
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

import numpy as np  # noqa: E402
import openvino_peer  # type: ignore[import-not-found]  # noqa: E402
import programs  # type: ignore[import-not-found]  # noqa: E402
import sessions  # type: ignore[import-not-found]  # noqa: E402
import training  # type: ignore[import-not-found]  # noqa: E402

ROUNDS = 9
ROUND_SECONDS = 0.05
RESULTS = HERE / "results"
Pair = tuple[float | None, float]
"""What TensorFlow takes (None: it has no such thing), and what runstep takes; seconds or bytes."""
Timer = Callable[[int], float]
"""Runs something so many times and returns seconds per call."""


def timed(run: Callable[[], object], times: int) -> float:
    """Seconds per call."""
    start = time.perf_counter()
    for _ in range(times):
        run()
    return (time.perf_counter() - start) / times


def interleaved(timers: list[Timer], rounds: int = ROUNDS) -> list[float]:
    """Median seconds per call of each, in rounds that alternate between them."""
    counts = [max(1, int(ROUND_SECONDS / max(timer(2), 1e-7))) for timer in timers]
    figures: list[list[float]] = [[] for _ in timers]
    for _ in range(rounds):
        for timer, count, out in zip(timers, counts, figures, strict=True):
            out.append(timer(count))
    return [statistics.median(found) for found in figures]


def both(make: Callable[[Any], Callable[[], object]], tensorflow: Any, runstep: Any) -> list[Timer]:
    """Timers of the program under each, after one call."""
    timers: list[Timer] = []
    for tf in (tensorflow, runstep):
        with tf.Graph().as_default():
            run = make(tf)
        run()
        timers.append(partial(timed, run))
    return timers


def compare(make: Callable[[Any], Callable[[], object]], tensorflow: Any, runstep: Any, rounds: int = ROUNDS) -> Pair:
    """Median seconds per call under each."""
    theirs, ours = interleaved(both(make, tensorflow, runstep), rounds)
    return theirs, ours


def once(make: Callable[[Any], Callable[[], object]], tensorflow: Any, runstep: Any) -> Pair:
    """Seconds of single calls: of work too long for rounds, or that cannot be repeated."""
    found = []
    for tf in (tensorflow, runstep):
        with tf.Graph().as_default():
            run = make(tf)
            found.append(statistics.median(timed(run, 1) for _ in clean(3)))
    return found[0], found[1]


def clean(times: int) -> Iterator[int]:
    """Counts, and removes garbage before each turn: nobody pays for what another has left."""
    for turn in range(times):
        gc.collect()
        yield turn


def import_seconds(module: str) -> float:
    """Median seconds that a new process spends on the import."""
    code = f"import time; t = time.perf_counter(); import {module}; print(time.perf_counter() - t)"
    found = [
        float(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout) for _ in range(3)
    ]
    return statistics.median(found)


def peak_bytes(module: str) -> float:
    """The most memory of a process that runs all programs."""
    command = [sys.executable, str(HERE / "memory.py"), module]
    return float(subprocess.run(command, capture_output=True, check=True).stdout)


def show(name: str, theirs: float | None, ours: float, *, of_bytes: bool = False, after: str = "") -> None:
    unit, scale = ("MB", 1e-6) if of_bytes else ("us", 1e6) if ours < 0.005 else ("ms", 1e3)
    left = f"{'-':>12}   " if theirs is None else f"{theirs * scale:12.1f} {unit}"
    ratio = "" if theirs is None else f"{theirs / ours:9.2f}x"
    print(f"{name:32} {left} {ours * scale:12.1f} {unit} {ratio}{after}", flush=True)


def measurements(tf: Any, runstep: Any) -> Iterator[tuple[str, Callable[[], Pair], bool]]:
    """Every program that needs no model: its name, what measures it, and whether the figures are bytes."""
    yield "import", lambda: (import_seconds("tensorflow"), import_seconds("runstep")), False
    for name, make in (programs.PROGRAMS | sessions.PROGRAMS | training.PROGRAMS).items():
        yield name, lambda make=make: compare(make, tf, runstep), False  # type: ignore[misc]
    for name, make in sessions.ONCE.items():
        yield name, lambda make=make: once(make, tf, runstep), False  # type: ignore[misc]
    for name, measure in sessions.MEASURED.items():
        yield name, lambda measure=measure: measure(tf, runstep), False  # type: ignore[misc]
    yield "peak memory of all programs", lambda: (peak_bytes("tensorflow"), peak_bytes("runstep")), True


def model_figures(path: Path, tf: Any, runstep: Any, peer: Any) -> list[float]:
    """Median seconds a run of a frozen graph: TensorFlow's, ours, and OpenVINO's where there is a `peer`."""
    with np.load(path.with_suffix(".npz")) as file:
        arrays = dict(file)
    content = path.read_bytes()
    timers = both(lambda module: programs.model(module, content, arrays), tf, runstep)
    if peer is not None:
        peer.load(path)
        timers.append(peer.timed)
    return interleaved(timers)


def compare_models(folder: Path, only: str, tf: Any, runstep: Any, python: str) -> dict[str, list[float]]:
    """The figures of each frozen graph of a folder, shown as they come, and their geometric means."""
    found: dict[str, list[float]] = {}
    with contextlib.ExitStack() as stack:
        peer = None
        if openvino_peer.Peer.is_installed(python):
            peer = stack.enter_context(openvino_peer.Peer(python))
            print(f"{'models':71} {'OpenVINO':>12}    OpenVINO's time / runstep's")
        for path in sorted(folder.glob("*.pb")):
            if only in path.stem:
                figures = found[path.stem] = model_figures(path, tf, runstep, peer)
                third = "" if peer is None else f"{figures[2] * 1e3:12.2f} ms {figures[2] / figures[1]:9.2f}x"
                show(path.stem, figures[0], figures[1], after=third)
    if found:
        means = [mean_ratio([(figures[i], figures[1]) for figures in found.values()]) for i in (0, 2)[: 1 + bool(peer)]]
        third = f" {means[1]:25.2f}x" if peer else ""
        print(f"{'models, geometric mean':64} {means[0]:9.2f}x{third}")
    return found


def mean_ratio(figures: list[tuple[float, float]]) -> float:
    """The geometric mean of the ratios."""
    return math.exp(statistics.fmean(math.log(theirs / ours) for theirs, ours in figures))


def report(results: dict[str, Pair], openvino: dict[str, float]) -> dict[str, Any]:
    """The figures with what they were measured on."""
    versions = {name: importlib.import_module(name).__version__ for name in ("numpy", "tensorflow", "runstep")}
    for package in ("onednn-cpu-gomp", "llvmlite"):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[package] = importlib.metadata.version(package)
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, cwd=HERE)
    return {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "commit": commit.stdout.strip(),
        "versions": {"python": platform.python_version(), **versions},
        "machine": {"processor": platform.processor() or platform.machine(), "cores": os.cpu_count()},
        "figures": {
            name: {"tensorflow": a, "runstep": b, "ratio": None if a is None else a / b}
            for name, (a, b) in results.items()
        },
        "openvino": openvino,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="Times TensorFlow and runstep on the same programs.")
    parser.add_argument("--only", default="", help="run the programs whose name contains this")
    parser.add_argument("--models", type=Path, help="a folder of frozen graphs, NAME.pb with NAME.npz")
    parser.add_argument("--openvino", default=sys.executable, metavar="PYTHON", help="an interpreter with openvino")
    parser.add_argument("--json", type=Path, help="write the figures here")
    parser.add_argument("--keep", action="store_true", help="keep the figures under benchmarks/results and draw them")
    options = parser.parse_args()
    try:
        import tensorflow
    except ImportError:
        sys.exit("This compares with TensorFlow: pip install 'runstep[oracle]'")
    import runstep

    tf = tensorflow.compat.v1
    tf.disable_v2_behavior()
    gc.freeze()  # TensorFlow's modules are 300,000 objects, which the collector would walk in everyone's time
    results: dict[str, Pair] = {}
    print(f"{'':32} {'TensorFlow':>15} {'runstep':>15} {'ratio':>10}")
    for name, measure, of_bytes in measurements(tf, runstep):
        if options.only in name:
            results[name] = measure()
            show(name, *results[name], of_bytes=of_bytes)
    openvino: dict[str, float] = {}
    if options.models:
        for name, figures in compare_models(options.models, options.only, tf, runstep, options.openvino).items():
            results[name] = figures[0], figures[1]
            if len(figures) > 2:
                openvino[name] = figures[2]
    kept = json.dumps(report(results, openvino), indent=1)
    if options.json:
        options.json.write_text(kept)
    if options.keep:
        import plot  # type: ignore[import-not-found]

        RESULTS.mkdir(exist_ok=True)
        (RESULTS / f"{datetime.date.today()}-{json.loads(kept)['commit']}.json").write_text(kept + "\n")
        print(f"kept; drawn in {plot.draw(RESULTS)}")


if __name__ == "__main__":
    main()
