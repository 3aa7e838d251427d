"""Candidate samplers. Each kind is a `Sampler`: how it reads classes off a stream of words, how probable they are."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from runstep.errors import NotFoundError
from runstep.kernels.numpy import distributions, philox
from runstep.kernels.numpy.philox import stream_of
from runstep.kernels.numpy.shape_ops import invalid
from runstep.kernels.registry import Kernel, Node, numpy_kernel

Array = np.ndarray[Any, Any]
_WORDS_EACH = 2048  # set aside for each class that a run samples
_ALL = 1 << 32


def _last_fair(count: int, numbers: int = _ALL) -> int:
    """The greatest of so many random numbers whose remainder by `count` is fair; greater ones are drawn again."""
    return numbers - 1 if count & (count - 1) == 0 else numbers - numbers % count - 1


class Sampler:
    """Classes 0 .. `size` - 1. `words_each`: words that one class takes, as a rule."""

    words_each = 2

    def __init__(self, size: int) -> None:
        self.size = size

    def classes(self, words: Array) -> Array:
        """The classes that these words give."""
        raise NotImplementedError

    def probability(self, classes: Array) -> Array:
        """float32 probabilities of being the next class."""
        raise NotImplementedError

    def learn(self, classes: Array) -> None:
        """Takes note of the true classes of a run."""


class Uniform(Sampler):
    def classes(self, words: Array) -> Array:
        drawn = distributions.as_uint64(words)
        fair = drawn <= np.uint64(_last_fair(self.size, 1 << 64))
        return (drawn[fair] % np.uint64(self.size)).astype(np.int64)

    def probability(self, classes: Array) -> Array:
        return np.full(classes.shape, np.float32(1) / np.float32(self.size))


class LogUniform(Sampler):
    def classes(self, words: Array) -> Array:
        uniforms = distributions.uniform(words, np.dtype(np.float64))
        drawn = np.exp(uniforms * math.log1p(self.size)).astype(np.int64) - 1
        return drawn % self.size  # rounding can give `size` itself

    def probability(self, classes: Array) -> Array:
        return (np.log((classes + 2.0) / (classes + 1.0)) / math.log1p(self.size)).astype(np.float32)


class Learned(Sampler):
    """As probable as often seen, everything seen once at first."""

    words_each = 1

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self._weights = np.ones(size, np.int64)

    def classes(self, words: Array) -> Array:
        sums = np.cumsum(self._weights)
        total = int(sums[-1])
        fair = words[words <= _last_fair(total)]
        return np.searchsorted(sums, fair % np.uint32(total), side="right")

    def probability(self, classes: Array) -> Array:
        return self._weights[classes].astype(np.float32) / np.float32(self._weights.sum())

    def learn(self, classes: Array) -> None:
        np.add.at(self._weights, classes.reshape(-1), 1)


class Weighted(Sampler):
    """Classes of given weights.

    Source: Walker's alias method: each class has a threshold, and an alias for when a uniform is above it.
    """

    def __init__(self, weights: list[float]) -> None:
        super().__init__(len(weights))
        number = np.float32
        self._weights = np.array(weights, np.float32)
        total = number(0)
        for weight in self._weights:
            total = number(total + weight)
        self._total = total
        share = [float(weight) * len(weights) / float(total) for weight in self._weights]
        self._threshold = np.ones(len(weights), np.float32)
        self._alias = np.arange(len(weights))
        low = [place for place, value in enumerate(share) if value < 1]
        high = [place for place, value in enumerate(share) if value >= 1]
        while low and high:
            small, large = low.pop(), high.pop()
            self._threshold[small], self._alias[small] = share[small], large
            share[large] -= 1 - share[small]
            (low if share[large] < 1 else high).append(large)

    def classes(self, words: Array) -> Array:
        last = _last_fair(self.size)
        parts = []
        while True:
            uniforms, places = words[0 : len(words) // 2 * 2 : 2], words[1::2]
            unfair = np.flatnonzero(places > last)
            if not unfair.size:
                parts.append(self._pick(uniforms, places))
                return np.concatenate(parts)
            # One number is drawn again: what follows is read from one word later on.
            first = int(unfair[0])
            parts.append(self._pick(uniforms[:first], places[:first]))
            words = np.concatenate((words[2 * first : 2 * first + 1], words[2 * first + 2 :]))

    def _pick(self, uniforms: Array, places: Array) -> Array:
        place = places % np.uint32(self.size)
        below = distributions.uniform(uniforms, np.dtype(np.float32)) < self._threshold[place]
        return np.where(below, place, self._alias[place]).astype(np.int64)

    def probability(self, classes: Array) -> Array:
        return self._weights[classes] / self._total


def _draw(sampler: Sampler, key: int, counter: int, count: int, unique: bool) -> tuple[Array, int]:
    """`count` classes, and how many it took to find them."""
    wanted = count
    while True:
        drawn = sampler.classes(philox.words(key, counter, wanted * sampler.words_each + 8))
        if not unique:
            if len(drawn) >= count:
                return drawn[:count], count
        else:
            found, first = np.unique(drawn, return_index=True)
            if len(found) >= count:
                places = np.sort(first)[:count]
                return drawn[places], int(places[-1]) + 1
        wanted *= 4


def _expected(probability: Array, count: int, tries: int) -> Array:
    if tries == count:
        return probability * np.float32(count)
    return -np.expm1(np.float32(tries) * np.log1p(-probability))


def _checked(true_classes: Any, num_true: int) -> None:
    if true_classes.ndim != 2:
        invalid("true_classes must be a matrix")
    if true_classes.shape[1] != num_true:
        invalid(f"true_classes must have num_true columns, expected: {true_classes.shape[1]} was: {num_true}")


def _check_range(true_classes: Array, size: int) -> None:
    wrong = true_classes[(true_classes < 0) | (true_classes >= size)]
    if wrong.size:
        invalid(f"`true_candidate` out of range [0, {size}), received {wrong.flat[0]}")


@numpy_kernel.make(
    "LogUniformCandidateSampler",
    "UniformCandidateSampler",
    "LearnedUnigramCandidateSampler",
    "ThreadUnsafeUnigramCandidateSampler",
    "FixedUnigramCandidateSampler",
)
def candidate_sampler(node: Node) -> Kernel:
    attrs, stream = node.attrs, stream_of(node)
    count, unique, num_true = attrs["num_sampled"], attrs["unique"], attrs["num_true"]
    # What it has learned belongs to the node as its stream does.
    sampler: Sampler = node.resources.get_or_create("", "runstep::Sampler", node.key, lambda: _made(node))

    def kernel(true_classes: Any) -> tuple[Array, Array, Array]:
        _checked(true_classes, num_true)
        if unique and count > sampler.size:
            invalid("Sampler's range is too small.")
        _check_range(true_classes, sampler.size)
        classes, tries = _draw(sampler, stream.key, stream.reserve_words(count * _WORDS_EACH), count, unique)
        expected = tuple(_expected(sampler.probability(which), count, tries) for which in (true_classes, classes))
        sampler.learn(true_classes)
        return classes, *expected  # type: ignore[return-value]

    return kernel


def _made(node: Node) -> Sampler:
    size = node.attrs["range_max"]
    if node.type == "FixedUnigramCandidateSampler":
        return _fixed(node.attrs)
    return {
        "LogUniformCandidateSampler": LogUniform,
        "UniformCandidateSampler": Uniform,
    }.get(node.type, Learned)(size)


def _fixed(attrs: Any) -> Sampler:
    weights: list[float] = []
    shards, shard, size = attrs["num_shards"], attrs["shard"], attrs["range_max"]
    if not attrs["vocab_file"] and not attrs["unigrams"]:
        invalid("Must provide either vocab_file or unigrams.")
    if attrs["vocab_file"] and attrs["unigrams"]:
        invalid("Must only provide one of vocab_file and unigrams.")
    if shard >= shards:
        invalid("shard must be less than num_shards.")
    weights += [0.0 for place in range(attrs["num_reserved_ids"]) if place % shards == shard]
    given = _in_file(attrs["vocab_file"].decode()) if attrs["vocab_file"] else attrs["unigrams"]
    for place, weight in enumerate(given, start=len(weights)):
        if place % shards == shard:
            weights.append(float(np.float32(weight) ** np.float32(attrs["distortion"])))
    if len(weights) != size:
        invalid(f"range is {size} must be equal to weights size  {len(weights)}")
    return Weighted(weights)


def _in_file(path: str) -> list[float]:
    try:
        with open(path, encoding="utf-8") as lines:
            return [float(line.rpartition(",")[2]) for line in lines]
    except FileNotFoundError:
        raise NotFoundError(None, None, f"{path}; No such file or directory") from None
    except ValueError as error:
        invalid(f"{path}: {error}")


@numpy_kernel.make("AllCandidateSampler")
def all_candidates(node: Node) -> Kernel:
    count, num_true = node.attrs["num_sampled"], node.attrs["num_true"]

    def kernel(true_classes: Any) -> tuple[Array, Array, Array]:
        _checked(true_classes, num_true)
        _check_range(true_classes, count)
        return np.arange(count, dtype=np.int64), np.ones(true_classes.shape, np.float32), np.ones(count, np.float32)

    return kernel


@numpy_kernel.make("ComputeAccidentalHits")
def compute_accidental_hits(node: Node) -> Kernel:
    num_true = node.attrs["num_true"]

    def kernel(true_classes: Any, sampled: Any) -> tuple[Array, Array, Array]:
        if true_classes.ndim != 2 or true_classes.shape[1] != num_true:
            invalid("true_candidates must be a batch_size * num_true matrix")
        if sampled.ndim != 1:
            invalid("sampled_candidates must be a vector, which is typically an output from CandidateSampler")
        rows = ids = np.empty(0, np.int64)
        if sampled.size:
            order = np.argsort(sampled, kind="stable")
            ordered = sampled[order]
            last = np.searchsorted(ordered, true_classes, side="right") - 1  # of equal ones the last counts
            hit = (last >= 0) & (ordered[last] == true_classes)
            rows, _ = np.nonzero(hit)
            ids = order[last[hit]]
        weights = np.full(len(rows), np.finfo(np.float32).min, np.float32)
        return rows.astype(np.int32), ids.astype(np.int64), weights

    return kernel
