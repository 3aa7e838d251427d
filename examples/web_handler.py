"""A web server that answers from a graph: what is this colour called?

    python examples/web_handler.py            # starts, asks itself a few questions, ends
    python examples/web_handler.py --port 8000   # stays: http://127.0.0.1:8000/ff7a00

Each request is an asyncio task that awaits its own step. Steps of small graphs run where they are awaited; one that
waits holds no thread. A client that goes away, or is slower than the time limit, cancels its step and no other.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from typing import Any

import numpy as np

import runstep as tf

COLOURS = {
    "black": (0, 0, 0),
    "white": (255, 255, 255),
    "red": (220, 20, 40),
    "orange": (255, 130, 0),
    "yellow": (255, 230, 0),
    "green": (20, 150, 40),
    "turquoise": (60, 220, 205),
    "blue": (30, 70, 220),
    "purple": (130, 40, 150),
    "pink": (250, 160, 190),
    "brown": (120, 70, 30),
    "grey": (128, 128, 128),
}


def build() -> tuple[Any, dict[str, Any]]:
    """The graph: a colour as hex digits in, the nearest name and how sure it is out."""
    digits = tf.placeholder(tf.string, [], name="digits")
    channels = tf.py_func(
        lambda text: np.frombuffer(bytes.fromhex(text.decode()), np.uint8), [digits], tf.uint8, name="hex"
    )
    colour = tf.cast(tf.reshape(channels, [3]), tf.float32)
    table = tf.constant(list(COLOURS.values()), tf.float32)
    distance = tf.sqrt(tf.reduce_sum(tf.square(table - colour), axis=1))
    sure = tf.nn.softmax(-distance / 20)
    return digits, {"name": tf.gather(list(COLOURS), tf.argmax(sure)), "sure": tf.reduce_max(sure)}


class Handler:
    """Answers `GET /rrggbb`."""

    def __init__(self, session: tf.Session) -> None:
        digits, answer = build()
        self.ask = session.make_async_callable(answer, [digits])

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line = (await reader.readline()).decode("latin-1").split()
        digits = line[1].lstrip("/") if len(line) > 1 else ""
        try:
            found = await asyncio.wait_for(self.ask(digits), timeout=1)
            status, body = "200 OK", {"name": found["name"].decode(), "sure": round(float(found["sure"]), 2)}
        except tf.errors.InvalidArgumentError as error:  # of the graph: no hex digits, or not six of them
            status, body = "400 Bad Request", {"error": f"{digits} is no colour ({error.op.name} refused it)"}
        text = json.dumps(body)
        writer.write(f"HTTP/1.1 {status}\r\nContent-Length: {len(text)}\r\nConnection: close\r\n\r\n{text}".encode())
        await writer.drain()
        writer.close()


async def get(port: int, path: str) -> str:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET /{path} HTTP/1.1\r\n\r\n".encode())
    answer = (await reader.read()).decode()
    writer.close()
    return answer.partition("\r\n\r\n")[2]


async def main() -> None:
    parser = argparse.ArgumentParser(description="Names colours over HTTP.")
    parser.add_argument("--port", type=int, default=0, help="stay, and listen here (on 127.0.0.1 only)")
    options = parser.parse_args()
    async with tf.Session() as session:
        server = await asyncio.start_server(Handler(session), "127.0.0.1", options.port)
        if options.port:
            await server.serve_forever()
        port = server.sockets[0].getsockname()[1]
        questions = ["ff7a00", "101010", "7f8285", "40e0d0", "colour"]
        answers = await asyncio.gather(*[get(port, question) for question in questions])  # all at once
        for question, answer in zip(questions, answers, strict=True):
            print(f"{question}  {answer}")
        found = session.statistics()
        print(f"{found.steps} steps, {sum(found.failures.values())} refused")
        server.close()


if __name__ == "__main__":
    asyncio.run(main())
