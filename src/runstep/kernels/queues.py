"""Queues: elements in and out in the order of asking, waiting where there is no room or nothing to take.

An element is a tuple of arrays. Those who wait stand in two lines, to put in and to take out; only the first of a line
makes progress, element by element, so that a batch larger than the queue goes through it. A wait that is given up
gives back what it had taken.
"""

from __future__ import annotations

import heapq
import random
import threading
from collections import deque
from collections.abc import Sequence
from functools import partial
from typing import Any

from runstep import errors
from runstep.graph import shapes
from runstep.graph.dtypes import DType
from runstep.graph.shapes import RawShape
from runstep.kernels.shared import bytes_of
from runstep.kernels.waiting import Waiter, park

Element = tuple[Any, ...]

UNBOUNDED = 2**31 - 1


class _Attempt:
    """One standing in a line: `items` put in or taken so far, `left` elements to go."""

    __slots__ = ("done", "error", "items", "left", "waiter")

    def __init__(self, left: int, items: list[Element]) -> None:
        self.left = left
        self.items = items
        self.waiter: Waiter | None = None
        self.error: errors.OpError | None = None
        self.done = False

    def advance(self, queue: Queue) -> bool:
        """Goes as far as it can, under the queue's lock. True when there is no more to do."""
        raise NotImplementedError

    def withdraw(self, queue: Queue) -> None:
        """Undoes what it did; the asker no longer wants it."""


class _Put(_Attempt):
    __slots__ = ()

    def advance(self, queue: Queue) -> bool:
        if queue.closed:
            self.error = errors.CancelledError(None, None, f"{queue.kind} '{queue.name}' is closed.")
            return True
        items = self.items
        while self.left and len(queue) < queue.capacity:
            queue._add(items[len(items) - self.left])
            self.left -= 1
        return not self.left


class _Take(_Attempt):
    """Takes out.

    Args:
      batch: as a batch, not one alone. up_to: a closed queue may give fewer.
    """

    __slots__ = ("batch", "up_to")

    def __init__(self, left: int, batch: bool, up_to: bool) -> None:
        super().__init__(left, [])
        self.batch = batch
        self.up_to = up_to

    def advance(self, queue: Queue) -> bool:
        size = len(queue)
        if queue.closed and size < self.left:
            kind = queue.batch_kind if self.batch else queue.kind
            said = (
                f"{kind} '{queue.name}' is closed and has insufficient elements "
                f"(requested {self.left}, current size {size})"
            )
            self.withdraw(queue)  # also for fewer: they are taken afresh, which for a random order is another
            self.left = len(queue)
            if not self.up_to or not self.left:
                self.error = errors.OutOfRangeError(None, None, said)
                return True
        count = min(self.left, queue._available(self.left))
        for _ in range(count):
            self.items.append(queue._remove())
        self.left -= count
        return not self.left

    def withdraw(self, queue: Queue) -> None:
        queue._give_back(self.items)
        self.items = []


class _Close(_Attempt):
    __slots__ = ()

    def advance(self, queue: Queue) -> bool:
        if queue.closed:
            self.error = errors.CancelledError(None, None, f"Queue '{queue.name}' is already closed.")
        queue.closed = True
        return True


class Queue:
    """First in, first out (source: tf.queue.FIFOQueue).

    Attributes:
      name: for messages. types: of the components of an element; shapes: theirs, None when they may vary.
      capacity: how many elements fit. closed: nothing more goes in.
      lock: guards all of it.
    """

    kind = "FIFOQueue"
    batch_kind = "FIFOQueue"

    def __init__(
        self, name: str, types: Sequence[DType], component_shapes: Sequence[RawShape] | None, capacity: int
    ) -> None:
        self.name = name
        self.types = tuple(types)
        self.shapes = tuple(component_shapes) if component_shapes else None
        self.capacity = capacity if capacity >= 0 else UNBOUNDED
        self.closed = False
        self.lock = threading.Lock()
        self.nbytes = 0
        self._items: Any = deque()
        self._putting: deque[_Attempt] = deque()
        self._taking: deque[_Attempt] = deque()

    def __len__(self) -> int:
        return len(self._items)

    # How elements are kept; subclasses keep them otherwise.

    def _push(self, element: Element) -> None:
        self._items.append(element)

    def _pop(self) -> Element:
        return self._items.popleft()

    def _unpop(self, elements: list[Element]) -> None:
        self._items.extendleft(reversed(elements))

    def _available(self, wanted: int) -> int:
        """How many elements may be taken now by one who wants so many."""
        return len(self)

    def _add(self, element: Element) -> None:
        self.nbytes += sum(map(bytes_of, element))
        self._push(element)

    def _remove(self) -> Element:
        element = self._pop()
        self.nbytes -= sum(map(bytes_of, element))
        return element

    def _give_back(self, elements: list[Element]) -> None:
        self.nbytes += sum(bytes_of(value) for element in elements for value in element)
        self._unpop(elements)

    # The lines.

    def _flush(self) -> list[Waiter]:
        """Lets everybody go as far as possible. Returns whom to wake once the lock is released."""
        woken: list[Waiter] = []
        progress = True
        while progress:
            progress = False
            for line in (self._putting, self._taking):
                while line:
                    first = line[0]
                    left = first.left
                    if first.advance(self):
                        line.popleft()
                        first.done = True
                        if first.waiter is not None:
                            woken.append(first.waiter)
                        progress = True
                        continue
                    progress = progress or first.left != left
                    break
        return woken

    async def _stand(self, line: deque[_Attempt], attempt: _Attempt, what: str) -> None:
        """Stands in line until `attempt` is done, then raises its error if it has one."""
        try:
            with self.lock:
                line.append(attempt)
                woken = self._flush()
                if not attempt.done:
                    attempt.waiter = Waiter(partial(self._reason, attempt), partial(self._cure, attempt))
            for waiter in woken:
                waiter.wake()
            if attempt.waiter is not None:
                await park(attempt.waiter)
        except errors.CancelledError:
            self._forget(line, attempt)
            raise errors.CancelledError(None, None, f"{what} operation was cancelled") from None
        except BaseException:  # Ctrl-C may come at any line
            self._forget(line, attempt)
            raise
        if attempt.error is not None:
            raise attempt.error

    @property
    def in_words(self) -> str:
        """What it is and how full, for people."""
        room = "" if self.capacity == UNBOUNDED else f"/{self.capacity}"
        return f"queue '{self.name}' {len(self)}{room}{' closed' if self.closed else ''}"

    def _reason(self, attempt: _Attempt) -> str:
        words = [self.in_words]
        if isinstance(attempt, _Take):
            words += self._kept()
        if attempt.left + len(attempt.items) > 1:
            words.append(f"{attempt.left} more to {'dequeue' if isinstance(attempt, _Take) else 'enqueue'}")
        other, what = (self._putting, "enqueue") if isinstance(attempt, _Take) else (self._taking, "dequeue")
        words.append(f"{len(other) or 'no'} {what} pending")
        return ", ".join(words)

    def _kept(self) -> list[str]:
        """What else keeps elements from being taken out."""
        return []

    def _cure(self, attempt: _Attempt) -> str:
        if self._putting and self._taking:
            return ""
        if isinstance(attempt, _Take):
            return (
                f"Nobody enqueues to '{self.name}': start its queue runners (tf.train.start_queue_runners), run an "
                "enqueue, or close the queue, which lets those who wait go."
            )
        return f"Nobody dequeues from '{self.name}': run a dequeue, or make its capacity larger."

    def _forget(self, line: deque[_Attempt], attempt: _Attempt) -> None:
        with self.lock:
            if attempt in line:
                line.remove(attempt)
            if attempt.error is None:
                attempt.withdraw(self)
            woken = self._flush()
        for waiter in woken:
            waiter.wake()

    # What kernels call.

    async def put(self, elements: list[Element]) -> None:
        """Puts elements in, in order, waiting for room.

        Raises:
          CancelledError: the queue is closed, or was closed with pending enqueues cancelled.
        """
        if elements:
            await self._stand(self._putting, _Put(len(elements), elements), "Enqueue")

    async def take(self, count: int, batch: bool = True, up_to: bool = False) -> list[Element]:
        """Takes `count` elements out, waiting for them; with `up_to`, fewer (at least one) from a closed queue.

        `batch` tells messages that it is not one alone.

        Raises:
          OutOfRangeError: the queue is closed and holds too few.
        """
        attempt = _Take(count, batch, up_to)
        if count:
            await self._stand(self._taking, attempt, "Dequeue")
        return attempt.items

    async def close(self, cancel_pending_enqueues: bool = False) -> None:
        """Lets nothing more in: after those in line, or at once when they are to be cancelled.

        Raises:
          CancelledError: it is closed already (unless pending enqueues are to be cancelled).
        """
        if not cancel_pending_enqueues:
            await self._stand(self._putting, _Close(1, []), "Close")
            return
        with self.lock:
            self.closed = True
            woken = []
            for attempt in self._putting:
                attempt.error = errors.CancelledError(None, None, "Enqueue operation was cancelled")
                attempt.done = True
                if attempt.waiter is not None:
                    woken.append(attempt.waiter)
            self._putting.clear()
            woken += self._flush()
        for waiter in woken:
            waiter.wake()

    # Shapes.

    def like(self, declared: tuple[RawShape, ...]) -> bool:
        """Whether another node may declare these shapes for the queue."""
        return (self.shapes or ()) == declared

    def check(self, actual: Sequence[tuple[int, ...]], batch: tuple[int | None, ...]) -> None:
        """Raises InvalidArgumentError unless components of these shapes may go in; `batch` is what is in front."""
        if self.shapes is None:
            return
        for index, (shape, wanted) in enumerate(zip(actual, self.shapes, strict=True)):
            if shape[: len(batch)] != batch or not self._fits(shape[len(batch) :], wanted):
                expected = shapes.text((*batch, *(wanted or ())))
                raise errors.InvalidArgumentError(
                    None,
                    None,
                    f"Shape mismatch in tuple component {index}. Expected {expected}, got {shapes.text(shape)}",
                )

    @staticmethod
    def _fits(shape: tuple[int, ...], wanted: RawShape) -> bool:
        return shape == wanted


class PaddingQueue(Queue):
    """A queue whose components have a rank but not all sizes; batches are filled up.

    Source: tf.queue.PaddingFIFOQueue.
    """

    batch_kind = "PaddingFIFOQueue"

    def like(self, declared: tuple[RawShape, ...]) -> bool:
        ours = self.shapes or ()
        return len(ours) == len(declared) and all(map(shapes.is_compatible, ours, declared))

    @staticmethod
    def _fits(shape: tuple[int, ...], wanted: RawShape) -> bool:
        return shapes.is_compatible(shape, wanted)


class ShuffleQueue(Queue):
    """Elements come out in random order (source: tf.queue.RandomShuffleQueue).

    Args:
      min_after_dequeue: so many stay inside, unless the queue is closed.
      seed, seed2: with either, the order is TensorFlow's.
    """

    kind = batch_kind = "RandomShuffleQueue"

    def __init__(
        self,
        name: str,
        types: Sequence[DType],
        component_shapes: Sequence[RawShape] | None,
        capacity: int,
        min_after_dequeue: int,
        seed: int,
        seed2: int,
    ) -> None:
        super().__init__(name, types, component_shapes, capacity)
        self.min_after_dequeue = min_after_dequeue
        self.seeds = (seed, seed2)
        if not (seed or seed2):
            seed, seed2 = random.getrandbits(64), random.getrandbits(64)
        self._numbers = Philox(seed, seed2)
        self._items = []

    def _available(self, wanted: int) -> int:
        return len(self) if self.closed else max(0, len(self) - self.min_after_dequeue)

    def _kept(self) -> list[str]:
        return [f"{self.min_after_dequeue} of which stay"] if self.min_after_dequeue else []

    def _pop(self) -> Element:
        items: list[Element] = self._items
        index = self._numbers.next() % len(items)
        chosen, items[index] = items[index], items[-1]
        items.pop()
        return chosen

    def _unpop(self, elements: list[Element]) -> None:
        self._items.extend(reversed(elements))


class PriorityQueue(Queue):
    """Elements come out by their first component, the smallest first (source: tf.queue.PriorityQueue).

    Equal ones come out in the order in which they went in. (TensorFlow's order among equals is that of its heap.)
    A batch waits until all of it is there, so that its smallest is its first.
    """

    kind = batch_kind = "PriorityQueue"

    def __init__(
        self, name: str, types: Sequence[DType], component_shapes: Sequence[RawShape] | None, capacity: int
    ) -> None:
        super().__init__(name, types, component_shapes, capacity)
        self._items = []
        self._arrivals = 0

    def _available(self, wanted: int) -> int:
        size = len(self)
        return size if size >= min(wanted, self.capacity) else 0

    def _push(self, element: Element) -> None:
        self._arrivals += 1
        heapq.heappush(self._items, (int(element[0]), self._arrivals, element))

    def _pop(self) -> Element:
        element: Element = heapq.heappop(self._items)[2]
        return element

    def _unpop(self, elements: list[Element]) -> None:
        for place, element in enumerate(elements):
            heapq.heappush(self._items, (int(element[0]), place - len(elements), element))


class Philox:
    """The stream of 32-bit numbers of Philox 4x32-10, one at a time, keyed as TensorFlow keys it."""

    __slots__ = ("_counter", "_key", "_ready")

    def __init__(self, seed: int, seed2: int) -> None:
        self._key = seed & (2**64 - 1)
        self._counter = (seed2 & (2**64 - 1)) << 64
        self._ready: list[int] = []

    def next(self) -> int:
        if not self._ready:
            self._ready = self._block()[::-1]
        return self._ready.pop()

    def _block(self) -> list[int]:
        mask = 2**32 - 1
        counter = self._counter
        self._counter = (counter + 1) % 2**128
        a, b, c, d = (counter >> shift & mask for shift in (0, 32, 64, 96))
        low, high = self._key & mask, self._key >> 32
        for _ in range(10):
            x, y = a * 0xD2511F53, c * 0xCD9E8D57
            a, b, c, d = (y >> 32) ^ b ^ low, y & mask, (x >> 32) ^ d ^ high, x & mask
            low, high = (low + 0x9E3779B9) & mask, (high + 0xBB67AE85) & mask
        return [a, b, c, d]
