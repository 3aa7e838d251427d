"""What a plan is thought to take, in time and memory, before it runs.

Most plans are small: a look at the static shapes says so, at a microsecond a node. The others get a closer one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import attrs

from runstep.graph import shapes
from runstep.graph.shapes import RawShape
from runstep.plan.cost import HEAVY
from runstep.plan.memory import Projection
from runstep.plan.node import PlanNode
from runstep.plan.sizes import item_size

if TYPE_CHECKING:
    from runstep.plan.device import PlanDevice

TINY = 1 << 16
"""Bytes: feeds that are not larger change nothing about what is worth a thread or a reservation, unless the plan makes
much of little."""

LITTLE = 1 << 19
"""Bytes: plans whose values take no more altogether get no closer look."""

SHARE = 12
"""Plans that take less than 2 ** -12 of a device's memory reserve nothing."""

PAUSE = 500.0
"""Microseconds of straight code after which a step looks whether it has been cancelled."""

_PILES = frozenset("StackPushV2 TensorArrayWriteV3 TensorListPushBack TensorListSetItem".split())
"""Ops that keep what each turn of a loop makes."""

_HEAVY_OPS = frozenset("Svd Eig Qr SelfAdjointEigV2".split())


@attrs.frozen
class Need:
    """What a plan takes of one device's memory, in bytes.

    Attributes:
      least: when its tasks run one after the other. most: however they run.
      projection: of the former. kept: what is there for its regions from one step to the next (`idle` bytes).
    """

    device: PlanDevice
    least: int
    most: int
    projection: Projection
    kept: tuple[Any, ...] = ()

    @property
    def claim(self) -> int:
        """What a step claims: enough for any order of its tasks, if that isn't much."""
        plenty = self.device.memory_limit >> 2
        return self.most if self.most <= plenty else max(self.least, min(self.most, plenty))


@attrs.frozen(eq=False)
class Estimate:
    """What a plan is thought to take.

    Attributes:
      time: microseconds on one thread. endless: nobody can say when it ends: it has a loop, or somebody else's code.
      needs: the memory of each device that it reserves; none when that isn't worth it.
      fed: bytes of the feeds that it was made for, of those whose size the graph leaves open.
      limits: for each feed the bytes up to which all this holds; None where the graph fixes its size. floor: bytes of
        all feeds up to which it holds at least.
      is_open: it may turn out to need more, when it runs (see `plan.watch`).
      sizing: the feeds whose values sizes are made of, if so (see `plan.foresight`).
      is_fixed: it does not depend on the shapes of what is fed. is_elastic: on these, or on values.
    """

    time: float = 0.0
    endless: bool = False
    needs: tuple[Need, ...] = ()
    fed: int = 0
    limits: tuple[int | None, ...] = ()
    floor: int = TINY
    is_open: bool = False
    sizing: tuple[int, ...] = ()
    is_fixed: bool = attrs.field(init=False)
    is_elastic: bool = attrs.field(init=False)

    @is_fixed.default
    def _is_fixed(self) -> bool:
        return self.limits.count(None) == len(self.limits)

    @is_elastic.default
    def _is_elastic(self) -> bool:
        return bool(self.sizing) or not self.is_fixed

    @property
    def is_heavy(self) -> bool:
        """Whether it would keep an event loop waiting."""
        return self.endless or self.time >= 2 * HEAVY


def is_small(device: PlanDevice, size: int) -> bool:
    """Whether so many bytes are not worth a reservation on this device."""
    return size <= device.memory_limit >> SHARE


def sizes_of(feeds: Sequence[Any], given: Sequence[RawShape] | None) -> list[int | None]:
    """For each feed its bytes in the shape `given`; None where the graph fixes its size."""
    found: list[int | None] = []
    for position, tensor in enumerate(feeds):
        if shapes.num_elements(tensor.raw_shape) is not None or not item_size(tensor.dtype):
            found.append(None)
        else:
            count = 0 if given is None else shapes.num_elements(given[position])
            found.append((count or 0) * item_size(tensor.dtype))
    return found


class Glance:
    """What one look at the nodes of a plan tells of what they take."""

    def __init__(self, nodes: Iterable[PlanNode]) -> None:
        self._asks_for_more = self._piles = False
        counts: dict[RawShape, int] = {}  # few different ones
        for node in nodes:
            kind = node.type
            if node.inner_bytes or node.inner_cost >= HEAVY or node.endless or kind in _HEAVY_OPS or node.parts:
                self._asks_for_more = True
                break
            if kind in _PILES:
                self._piles = True
            for tensor in node.op.outputs:  # type: ignore[union-attr]
                raw = tensor.raw_shape
                if raw:
                    counts[raw] = counts.get(raw, 0) + 1
        self._counts = counts

    def looks_tiny(self, fed: int, open_size: int, most: int) -> bool:
        """Whether nothing in a plan can be worth a closer look: all its values together take less than `most` bytes.

        Args:
          fed: bytes of the feeds. open_size: what a size that the graph leaves open is taken for.
        """
        if fed > TINY or self._asks_for_more:
            return False
        left = most >> 9 if self._piles else most >> 3
        for raw, count in self._counts.items():
            for size in raw or ():
                count *= open_size if size is None else size
            left -= count
        return left >= 0

    def floor(self, feeds: Sequence[Any], sizes: Sequence[int | None], most: int) -> int:
        """Bytes of feeds of open size up to which an estimate holds that was made for less: what its values take is
        next to nothing even then. TINY, unless little that is fed becomes much."""
        open_feeds = [feed for feed, size in zip(feeds, sizes, strict=True) if size is not None]
        if not open_feeds:
            return TINY
        for shift in range(0, 10, 3):
            fed = TINY >> shift
            if self.looks_tiny(0, max([_side(feed, fed) for feed in open_feeds]), most):
                return fed
        return fed >> 3


def _side(feed: Any, nbytes: int) -> int:
    """The sizes that a feed leaves open, if they are equal and it takes so many bytes."""
    raw = feed.raw_shape
    count = nbytes // item_size(feed.dtype)
    if raw is None:
        return count
    for size in raw:
        count //= max(1, size or 1)
    return max(1, int(count ** (1 / raw.count(None))))
