"""Beam search with suspended steps: each hypothesis is a partial run, and growing it is a fork.

    python examples/beam_search.py [WORD]

A graph models how letters follow each other; a dictionary service (here a slow coroutine, elsewhere a web request)
says which beginnings of words exist. The step of a hypothesis rests while the service is asked, without a thread, and
its forks go on from its state: no letter is ever computed twice, and nothing is copied.
"""

from __future__ import annotations

import sys
from typing import Any

import attrs
import numpy as np
import trio

import runstep as tf

LETTERS = "abcdefghijklmnopqrstuvwxyz"
WORDS = """anchor anthem apple arrow banana barrel basket beacon bottle bridge button candle canyon carpet castle cheese
cherry circle cotton desert dinner dragon engine family feather finger flower forest garden hammer harbor island jacket
jungle kettle ladder lantern letter lemon market meadow mirror monkey mountain needle ocean orange paper pepper planet
pocket pumpkin rabbit river rocket saddle sailor shadow silver spring stone summer thunder timber valley velvet violin
window winter yellow""".split()
LENGTH = 6
WIDTH = 4


@attrs.frozen
class Model:
    """The graph: letters in, one after the other; after each, how likely the next ones are, out."""

    letters: list[Any]
    scores: list[Any]

    @classmethod
    def build(cls) -> Model:
        pairs = np.full((26, 26), 0.05, np.float32)
        skips = np.full((26, 26), 0.05, np.float32)
        for word in WORDS:
            codes = [LETTERS.index(letter) for letter in word]
            for first, second in zip(codes, codes[1:], strict=False):
                pairs[first, second] += 1
            for first, third in zip(codes, codes[2:], strict=False):
                skips[first, third] += 1
        letters = [tf.placeholder(tf.int32, [], name=f"letter{i}") for i in range(LENGTH - 1)]
        state, scores = tf.zeros([26]), []
        for letter in letters:
            logits = tf.gather(tf.log(pairs), letter) + 0.5 * state
            scores.append(tf.nn.log_softmax(logits))
            state = tf.gather(tf.log(skips), letter)  # what the letter says about the one after the next
        return cls(letters, scores)


@attrs.frozen
class Beam:
    """A beginning of a word, how likely it is, and the step that rests behind its last letter."""

    text: str
    score: float
    handle: Any


async def exists(beginning: str) -> bool:
    """The dictionary service."""
    await trio.sleep(0.01)
    return any(word.startswith(beginning) for word in WORDS)


async def grow(model: Model, beam: Beam, found: list[Beam]) -> None:
    """Adds the continuations of a beam by one letter that the dictionary knows."""
    position = len(beam.text) - 1
    feed = {model.letters[position]: LETTERS.index(beam.text[-1])}
    scores = await beam.handle(model.scores[position], feed)
    async with trio.open_nursery() as nursery:

        async def try_letter(code: int) -> None:
            text = beam.text + LETTERS[code]
            if await exists(text):
                handle = beam.handle.fork() if len(text) < LENGTH else None
                found.append(Beam(text, beam.score + float(scores[code]), handle))

        for code in np.argsort(scores)[-WIDTH:].tolist():
            nursery.start_soon(try_letter, code)
    beam.handle.close()


async def main() -> None:
    first = (sys.argv[1] if len(sys.argv) > 1 else "c")[0]
    model = Model.build()
    async with tf.Session() as session, session.pipeline(model.scores, model.letters) as start:
        beams = [Beam(first, 0.0, start.fork())]
        for _ in range(LENGTH - 1):
            found: list[Beam] = []
            async with trio.open_nursery() as nursery:
                for beam in beams:
                    nursery.start_soon(grow, model, beam, found)
            beams = sorted(found, key=lambda beam: -beam.score)[:WIDTH]
            print("  ".join(f"{beam.text} {beam.score:.1f}" for beam in beams))
        print(f"best: {beams[0].text if beams else 'nothing'}")


if __name__ == "__main__":
    trio.run(main)
