"""OpenVINO on the frozen graphs of a folder, the other peer of the real models: milliseconds a run.

    python benchmarks/openvino_peer.py FOLDER      # NAME.pb with NAME.npz beside it; needs `pip install openvino`

It may live in an environment of its own: it imports neither TensorFlow nor runstep.
"""

from __future__ import annotations

import statistics
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

ROUNDS = 9
ROUND_SECONDS = 0.05


def model(content: Path, arrays: dict[str, np.ndarray]) -> Any:
    """A function of no arguments that runs one inference in float32 on the feeds in `arrays` (`in:TENSOR`)."""
    import openvino  # type: ignore[import-not-found]

    core = openvino.Core()
    feeds = {name[3:]: value for name, value in arrays.items() if name.startswith("in:")}
    read = core.read_model(content)
    read.reshape({name: value.shape for name, value in feeds.items()})
    request = core.compile_model(read, "CPU", {"INFERENCE_PRECISION_HINT": "f32"}).create_infer_request()
    return lambda: request.infer(feeds)


def milliseconds(run: Any) -> float:
    """The median over rounds."""
    run()
    start = time.perf_counter()
    run()
    times = max(1, int(ROUND_SECONDS / (time.perf_counter() - start)))
    found = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        for _ in range(times):
            run()
        found.append((time.perf_counter() - start) / times * 1e3)
    return statistics.median(found)


def main() -> None:
    for path in sorted(Path(sys.argv[1]).glob("*.pb")):
        with np.load(path.with_suffix(".npz")) as file:
            arrays = dict(file)
        print(f"{path.stem:32} {milliseconds(model(path, arrays)):9.2f} ms", flush=True)


if __name__ == "__main__":
    main()
