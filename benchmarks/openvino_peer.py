"""OpenVINO on frozen graphs, the other peer of the real models, in a process of its own.

    python benchmarks/openvino_peer.py      # needs `pip install openvino`; imports neither TensorFlow nor runstep

It answers `load MODEL.pb` (with MODEL.npz beside it) with "ready", and `time N` with the seconds of one of N runs.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np


class Peer:
    """The process, seen from the one that compares. `python` is an interpreter that has openvino."""

    def __init__(self, python: str) -> None:
        pipe = subprocess.PIPE
        self._process = subprocess.Popen([python, __file__], stdin=pipe, stdout=pipe, text=True, bufsize=1)

    @staticmethod
    def is_installed(python: str) -> bool:
        """Whether this interpreter has openvino."""
        return subprocess.run([python, "-c", "import openvino"], capture_output=True, check=False).returncode == 0

    def load(self, model: Path) -> None:
        """Compiles a frozen graph, and runs it once on the feeds in the .npz beside it."""
        self._ask(f"load {model}")

    def timed(self, times: int) -> float:
        """Seconds per run of the model loaded last."""
        return float(self._ask(f"time {times}"))

    def _ask(self, line: str) -> str:
        assert self._process.stdin is not None and self._process.stdout is not None
        print(line, file=self._process.stdin, flush=True)
        answer = self._process.stdout.readline()
        if not answer:
            raise RuntimeError(f"OpenVINO could not do this: {line}")
        return answer

    def __enter__(self) -> Peer:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._process.kill()
        self._process.wait()


def _model(path: Path) -> Any:
    """A function of no arguments that runs one inference in float32."""
    import openvino  # type: ignore[import-not-found]

    core = openvino.Core()
    with np.load(path.with_suffix(".npz")) as file:
        feeds = {name[3:]: file[name] for name in file if name.startswith("in:")}
    read = core.read_model(path)
    read.reshape({name: value.shape for name, value in feeds.items()})
    request = core.compile_model(read, "CPU", {"INFERENCE_PRECISION_HINT": "f32"}).create_infer_request()
    return lambda: request.infer(feeds)


def main() -> None:
    run: Any = None
    for line in sys.stdin:
        verb, argument = line.rstrip("\n").split(" ", 1)
        if verb == "load":
            run = _model(Path(argument))
            run()
            print("ready", flush=True)
        else:
            start = time.perf_counter()
            for _ in range(int(argument)):
                run()
            print((time.perf_counter() - start) / int(argument), flush=True)


if __name__ == "__main__":
    main()
