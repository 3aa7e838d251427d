"""Trains a small convolutional network on scikit-learn's handwritten digits, in the style of TensorFlow 1.

    python examples/digits.py                      # 15 epochs: more than 98 % of the test images right
    python examples/digits.py --epochs 3 --plot loss.svg

Needs scikit-learn for its images (1,797 of 8x8 pixels, part of the package): pip install "runstep[examples]".
The loss of every step is drawn into an SVG file.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

import runstep as tf


def load(seed: int) -> tuple[Any, Any, Any, Any]:
    """Images `[n, 8, 8, 1]` in [0, 1] and labels, for training and for the test: 1,437 and 360."""
    try:
        from sklearn.datasets import load_digits
    except ImportError:
        sys.exit('This example reads its images from scikit-learn: pip install "runstep[examples]"')
    images, labels = load_digits(return_X_y=True)
    images = (images / 16.0).astype(np.float32).reshape(-1, 8, 8, 1)
    order = np.random.RandomState(seed).permutation(len(images))
    train, test = order[:1437], order[1437:]
    return images[train], labels[train], images[test], labels[test]


class Network:
    """The graph: what is fed, what is fetched."""

    def __init__(self, learning_rate: float) -> None:
        self.images = tf.placeholder(tf.float32, [None, 8, 8, 1], name="images")
        self.labels = tf.placeholder(tf.int64, [None], name="labels")
        self.training = tf.placeholder_with_default(False, [], name="training")

        net = tf.layers.conv2d(self.images, 16, 3, padding="same", activation=tf.nn.relu)
        net = tf.layers.conv2d(net, 32, 3, padding="same", use_bias=False)
        net = tf.nn.relu(tf.layers.batch_normalization(net, training=self.training))
        net = tf.layers.max_pooling2d(net, 2, 2)
        net = tf.layers.dense(tf.layers.flatten(net), 64, activation=tf.nn.relu)
        net = tf.layers.dropout(net, 0.5, training=self.training)
        logits = tf.layers.dense(net, 10, name="logits")

        self.loss = tf.losses.sparse_softmax_cross_entropy(self.labels, logits)
        right = tf.equal(tf.argmax(logits, 1), self.labels)
        self.accuracy = tf.reduce_mean(tf.cast(right, tf.float32))
        self.step = tf.train.get_or_create_global_step()
        rate = tf.train.exponential_decay(learning_rate, self.step, 200, 0.7)
        with tf.control_dependencies(tf.get_collection(tf.GraphKeys.UPDATE_OPS)):
            self.train = tf.train.AdamOptimizer(rate).minimize(self.loss, self.step)


def train(network: Network, data: tuple[Any, Any, Any, Any], epochs: int, batch: int, seed: int) -> list[float]:
    """Runs the training, shows how it goes, and returns the loss of each step."""
    images, labels, test_images, test_labels = data
    random = np.random.RandomState(seed)
    test = {network.images: test_images, network.labels: test_labels}
    losses: list[float] = []
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        started = time.perf_counter()
        for epoch in range(1, epochs + 1):
            order = random.permutation(len(images))
            for start in range(0, len(order), batch):
                chosen = order[start : start + batch]
                feeds = {network.images: images[chosen], network.labels: labels[chosen], network.training: True}
                losses.append(float(session.run([network.loss, network.train], feeds)[0]))
                show(epoch, epochs, (start + len(chosen)) / len(order), losses[-1])
            accuracy = session.run(network.accuracy, test)
            mean = np.mean(losses[-(len(order) // batch + 1) :])
            print(f"\repoch {epoch:2}/{epochs}  loss {mean:.4f}  test accuracy {accuracy:.2%}{' ' * 24}")
        took = time.perf_counter() - started
    print(f"{len(losses)} steps in {took:.1f} s, {1e3 * took / len(losses):.1f} ms each")
    return losses


def show(epoch: int, epochs: int, part: float, loss: float) -> None:
    """The progress of an epoch, on one line of a terminal."""
    if sys.stdout.isatty():
        bar = "=" * round(30 * part)
        print(f"\repoch {epoch:2}/{epochs} [{bar:<30}] loss {loss:.4f}", end="", flush=True)


def plot(losses: list[float], path: Path) -> None:
    """Draws the losses, and their running mean, on a logarithmic scale."""
    width, height, edge = 640, 360, 48
    smooth = np.convolve(losses, np.ones(9) / 9, mode="valid") if len(losses) > 9 else np.asarray(losses)
    high = float(np.ceil(np.log10(max(losses))))
    low = float(np.floor(np.log10(max(min(losses), 1e-4))))

    def line(values: Any, colour: str, offset: int) -> str:
        steps = np.arange(len(values)) + offset
        x = edge + (width - 2 * edge) * steps / max(len(losses) - 1, 1)
        logs = np.log10(np.maximum(values, 10**low))
        y = height - edge - (height - 2 * edge) * (logs - low) / max(high - low, 1e-9)
        points = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, y, strict=True))
        return f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.5"/>'

    marks = []
    for power in range(int(low), int(high) + 1):
        y = height - edge - (height - 2 * edge) * (power - low) / max(high - low, 1e-9)
        marks.append(f'<line x1="{edge}" x2="{width - edge}" y1="{y:.1f}" y2="{y:.1f}" stroke="#ddd"/>')
        marks.append(f'<text x="{edge - 6}" y="{y + 4:.1f}" text-anchor="end">1e{power}</text>')
    svg = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" font-family="sans-serif" '
        'font-size="12">',
        f'<rect width="{width}" height="{height}" fill="white"/>',
        *marks,
        line(losses, "#b8d0e8", 0),
        line(smooth, "#1f5fa8", min(4, len(losses) - len(smooth))),
        f'<text x="{width / 2}" y="{edge / 2}" text-anchor="middle">Training loss: handwritten digits</text>',
        f'<text x="{width / 2}" y="{height - edge / 3}" text-anchor="middle">step (of {len(losses)})</text>',
        "</svg>",
    ]
    path.write_text("\n".join(svg) + "\n", encoding="utf-8")
    print(f"loss plot: {path}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=15)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--learning-rate", type=float, default=3e-3)
    parser.add_argument("--seed", type=int, default=2)
    parser.add_argument("--plot", type=Path, default=Path("digits-loss.svg"))
    arguments = parser.parse_args()
    data = load(arguments.seed)
    tf.set_random_seed(arguments.seed)
    network = Network(arguments.learning_rate)
    plot(train(network, data, arguments.epochs, arguments.batch, arguments.seed), arguments.plot)


if __name__ == "__main__":
    main()
