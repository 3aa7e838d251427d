"""Segments Thai text into words with a frozen TensorFlow 1.4 graph: a dynamic_rnn LSTM of 309 nodes.

    python examples/thai_words.py                      # the default sentences
    python examples/thai_words.py "ฉันกินข้าวที่บ้านเพื่อน"

The graph and its character dictionary come out of the source package `cutkum` 2.4, which pip downloads on the first
run.
Labels: every character begins a word (B), is in the middle (M), ends it (E) or is a word alone (S).
"""

from __future__ import annotations

import argparse
import ast
import os
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import numpy as np

import runstep as tf

SENTENCES = ["สารานุกรมไทยสำหรับเยาวชนฯ", "ฉันกินข้าวที่บ้านเพื่อน"]
BEGIN, MIDDLE, END, SINGLE = 1, 2, 3, 4
# What may come before each label (0 is padding).
BEFORE = {0: (0, 0), BEGIN: (END, SINGLE), MIDDLE: (BEGIN, MIDDLE), END: (BEGIN, MIDDLE), SINGLE: (END, SINGLE)}


def fetch_package(folder: Path) -> Path:
    """The sdist of cutkum 2.4 in `folder`; pip gets it when it isn't there."""
    archive = folder / "cutkum-2.4.tar.gz"
    if not archive.exists():
        folder.mkdir(parents=True, exist_ok=True)
        print("downloading cutkum 2.4 (6 MB) ...", file=sys.stderr)
        subprocess.run(
            [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", ":all:"]
            + ["--dest", str(folder), "cutkum==2.4"],
            check=True,
        )
    return archive


def read_package(archive: Path) -> tuple[bytes, dict[str, int]]:
    """The serialised GraphDef, and the class of each known character."""
    with tarfile.open(archive) as package:
        files = {
            name: package.extractfile(f"cutkum-2.4/cutkum/{name}") for name in ("frozen_model.pb", "char_dictionary.py")
        }
        model, source = (file.read() for file in files.values() if file is not None)
    return model, character_classes(source.decode())


def character_classes(source: str) -> dict[str, int]:
    """Reads the groups of characters off the dictionary's source: Thai letters one by one, then groups that share a
    class."""
    groups: dict[str, str] = {}
    for node in ast.walk(ast.parse(source)):
        if (
            isinstance(node, ast.Assign)
            and isinstance(node.targets[0], ast.Name)
            and isinstance(node.value, ast.Constant)
        ):
            groups.setdefault(node.targets[0].id, str(node.value.value))
    letters = groups["thai_chars"]
    classes = {letter: 2 + position for position, letter in enumerate(letters)}  # 0 is padding, 1 is unknown
    for number, group in enumerate(
        [groups["numbers"], " ", ".", groups["symbols1"], groups["symbols2"], groups["eng_chars"]]
    ):
        classes.update((character, len(letters) + 2 + number) for character in group)
    return classes


class Segmenter:
    """The graph in a session, ready to segment."""

    def __init__(self, model: bytes, classes: dict[str, int]) -> None:
        self.classes = classes
        self.graph = tf.Graph()
        with self.graph.as_default():
            tf.import_graph_def(model, name="")
        self.session = tf.Session(graph=self.graph)
        self.look_ahead, self.inputs, states = (
            int(np.sum(value)) for value in self.session.run(["look_ahead:0", "input_classes:0", "cell_sizes:0"])
        )
        shape = self.graph.get_tensor_by_name("placeholder/fw_state:0").shape
        self.state = np.zeros([int(shape[0]), 1, states], np.float32)
        self.probabilities = self.session.make_callable(
            "probs:0",
            ["placeholder/inputs:0", "placeholder/seq_lengths:0", "placeholder/fw_state:0", "placeholder/keep_prob:0"],
        )

    def words(self, text: str) -> list[str]:
        """The words of one sentence."""
        numbers = [self.classes.get(character, 1) for character in text] + [self.classes[" "]] * self.look_ahead
        one_hot = np.eye(self.inputs, dtype=np.float32)[numbers][:, None, :]
        found = self.probabilities(one_hot, [len(numbers)], self.state, 1.0)
        labels = most_likely(found.reshape(len(numbers), -1))[self.look_ahead :]
        words: list[str] = []
        inside = False
        for character, label in zip(text, labels, strict=True):
            if inside and label in (MIDDLE, END):
                words[-1] += character
            else:
                words.append(character)
            inside = label in (BEGIN, MIDDLE)
        return words


def most_likely(probabilities: np.ndarray) -> list[int]:
    """The likeliest sequence of labels (Viterbi) for probabilities [time, label]."""
    score = np.log(probabilities + 1e-6)
    came_from = np.zeros(probabilities.shape, int)
    for t in range(1, len(score)):
        for label, (a, b) in BEFORE.items():
            best = a if score[t - 1, a] >= score[t - 1, b] else b
            came_from[t, label] = best
            score[t, label] += score[t - 1, best]
    labels = [int(np.argmax(score[-1]))]
    for t in range(len(score) - 1, 0, -1):
        labels.append(int(came_from[t, labels[-1]]))
    return labels[::-1]


def main() -> None:
    parser = argparse.ArgumentParser(description="Segments Thai text into words.")
    parser.add_argument("sentences", nargs="*", default=SENTENCES)
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "runstep"
    parser.add_argument("--cache", type=Path, default=cache, help="where the downloaded package is kept")
    options = parser.parse_args()
    segmenter = Segmenter(*read_package(fetch_package(options.cache)))
    for sentence in options.sentences:
        start = time.perf_counter()
        words = segmenter.words(sentence.strip())
        print("|".join(words))
        print(f"  {len(sentence)} characters in {(time.perf_counter() - start) * 1e3:.1f} ms", file=sys.stderr)


if __name__ == "__main__":
    main()
