"""The most memory that one library takes for all the programs: run in a process of its own.

    python benchmarks/memory.py tensorflow|runstep

prints the peak of the resident set in bytes.
"""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
sys.path.insert(0, str(Path(__file__).parent))

import programs  # type: ignore[import-not-found]  # noqa: E402
import sessions  # type: ignore[import-not-found]  # noqa: E402
import training  # type: ignore[import-not-found]  # noqa: E402


def main() -> None:
    tf = importlib.import_module(sys.argv[1])
    if sys.argv[1] == "tensorflow":
        tf = tf.compat.v1
        tf.disable_v2_behavior()
    for make in (*programs.PROGRAMS.values(), *training.PROGRAMS.values(), *sessions.PROGRAMS.values()):
        with tf.Graph().as_default():
            run = make(tf)
        for _ in range(10):
            run()
    # Not getrusage: its figure begins with that of the process that started this one.
    (line,) = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM:")]
    print(int(line.split()[1]) * 1024)


if __name__ == "__main__":
    main()
