"""A computation that stops to ask a human, and goes on in another process when the answer has come.

    python examples/human_in_the_loop.py                     # asks and answers, in two processes
    python examples/human_in_the_loop.py ask FILE            # works until it needs a decision; FILE holds the rest
    python examples/human_in_the_loop.py answer FILE 0.8     # days later, on another machine: goes on from there

The graph cleans noisy readings of a thermometer. How much of the outliers to cut is for a human to say, who wants to
see the numbers first. What has been computed by then is in the file, and is not computed again.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

import runstep as tf


def build() -> dict[str, Any]:
    """The graph: readings in, a summary out; a limit in, the cleaned readings out."""
    readings = tf.placeholder(tf.float64, [None], name="readings")
    limit = tf.placeholder(tf.float64, [], name="limit")
    readings_seen = tf.Print(readings, [tf.size(readings)], "the slow part runs on readings: ")
    mean = tf.reduce_mean(readings_seen)
    spread = tf.sqrt(tf.reduce_mean(tf.square(readings - mean)))
    away = tf.abs(readings - mean) / spread
    summary = tf.stack([mean, spread, tf.reduce_max(away)], name="summary")
    kept = tf.boolean_mask(readings, away <= limit, name="kept")
    return {
        "readings": readings,
        "limit": limit,
        "summary": summary,
        "result": [tf.size(kept, name="how_many"), tf.reduce_mean(kept, name="mean_of_kept")],
    }


def ask(file: str) -> None:
    graph = build()
    readings = np.concatenate([np.random.RandomState(3).normal(20, 0.5, 60), [35.0, -4.0, 31.0]])
    with tf.Session() as session:
        handle = session.pipeline([graph["summary"], *graph["result"]], [graph["readings"], graph["limit"]])
        mean, spread, worst = handle(graph["summary"], {graph["readings"]: readings})
        handle.save(file)
    print(f"mean {mean:.2f}, spread {spread:.2f}, the worst reading is {worst:.1f} spreads away.")
    print(f"How many spreads are fine? The step rests in {Path(file).name} ({Path(file).stat().st_size} bytes).")


def answer(file: str, limit: float) -> None:
    graph = build()
    with tf.Session() as session:
        handle = session.restore_partial_run(file)
        count, mean = handle(graph["result"], {graph["limit"]: limit})
    print(f"{count} readings are left; their mean is {mean:.2f}.")


def main() -> None:
    if sys.argv[1:2] == ["ask"]:
        ask(sys.argv[2])
    elif sys.argv[1:2] == ["answer"]:
        answer(sys.argv[2], float(sys.argv[3]))
    else:
        with tempfile.TemporaryDirectory() as folder:
            file = str(Path(folder) / "cleaning.step")
            for words in (["ask", file], ["answer", file, "1.5"]):
                print(f"$ human_in_the_loop.py {words[0]} ...", flush=True)
                subprocess.run([sys.executable, __file__, *words], check=True)


if __name__ == "__main__":
    main()
