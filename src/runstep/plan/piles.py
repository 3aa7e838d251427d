"""What loops pile up: the stacks that their gradients read, lists and arrays of tensors.

A turn frees what it made, but not what it has pushed. How many turns there will be nobody knows, so such a loop looks
at its stacks every so many turns, in one line of emitted code, and tells the step how large they get until it looks
again. Lists, and arrays that grow, are looked at by the kernels that write to them, every so many elements; what all
elements take is told from the one that was written last. Variables of functional loops whose shapes are open are looked
at in every turn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import attrs
import numpy as np

from runstep.graph.shapes import RawShape, num_elements
from runstep.plan.device import PlanDevice
from runstep.plan.estimate import SHARE, is_small
from runstep.plan.frames import NEVER, Frame
from runstep.plan.node import PlanNode, Ref, root
from runstep.plan.sizes import Sizes
from runstep.plan.watch import least_of

_SMALL = 64
"""Bytes of values that no loop piles up enough of."""

_TURNS = 64
"""Turns between two looks, at most."""


@attrs.frozen(eq=False)
class Piles:
    """The stacks that one loop pushes on.

    Attributes:
      stacks: their handles. turns: between two looks, a power of two.
    """

    node: PlanNode
    stacks: tuple[Ref, ...]
    turns: int
    least: int

    def look(self, step: Any, *stacks: Any) -> None:
        """Tells the step how large these get: lists, or stacks with a list. Raises as `Growth.see`."""
        size = 0
        for stack in stacks:
            values = getattr(stack, "values", stack)
            if values:
                size += int(getattr(values[-1], "nbytes", 0)) * (len(values) + self.turns)
        if size >= self.least:
            _claim(step, self, self.node, size, (self.node, 0), None)


def watch_loops(frames: Iterable[Frame], sizes: Sizes) -> None:
    """Has the loops look at their stacks that push what may be large."""
    for frame in frames:
        pushes = [
            node
            for node in frame.region.nodes
            if node.type == "StackPushV2" and node.guard is not NEVER and root(node.inputs[0])[0].type == "StackV2"
        ]
        known = {push: sizes.nbytes(root(push.inputs[1])) for push in pushes}
        pushes = [push for push in pushes if known[push] > _SMALL or not sizes.count(root(push.inputs[1]))]
        condition = next((node for node in frame.region.nodes if node.type == "LoopCond"), None)
        if frame.structured and pushes and condition is not None and condition.where is not None:
            turns = _turns(condition.where, max(known[push] for push in pushes))
            handles = tuple(dict.fromkeys(root(push.inputs[0]) for push in pushes))
            frame.piles = Piles(pushes[0], handles, turns, least_of(condition.where))


class Carried:
    """The variables of a loop that a node runs by calling functions, of which some may grow."""

    def __init__(self, node: PlanNode, open_: Sequence[int]) -> None:
        self._node = node
        self._open = tuple(open_)

    @classmethod
    def of(cls, node: PlanNode) -> Carried | None:
        """Those of a node whose outputs they are; None where none may grow."""
        found = [
            place
            for place, tensor in enumerate(node.op.outputs)  # type: ignore[union-attr]
            if num_elements(tensor.raw_shape) is None and not tensor.dtype.is_opaque
        ]
        return cls(node, found) if found else None

    def _size(self, values: Sequence[Any]) -> int:
        size = 0
        for place in self._open:
            size += getattr(values[place], "nbytes", 0)
        return size

    def look(self, values: Sequence[Any]) -> Callable[[Any, Sequence[Any]], None]:
        """What looks at the variables after each turn of a loop that begins with these values: beyond what they take
        there, what goes into a turn and what comes out counts. Raises as `Growth.see`."""
        first = seen = self._size(values)
        node = self._node

        def look(step: Any, values: Sequence[Any]) -> None:
            nonlocal seen
            size = self._size(values)
            if size <= seen:
                return
            seen = size
            if not is_small(node.where, size - first):  # type: ignore[arg-type]
                largest = max(self._open, key=lambda place: getattr(values[place], "nbytes", 0))
                _claim(step, node, node, 2 * (size - first), (node, largest), np.shape(values[largest]))

        return look


def _claim(step: Any, key: Any, node: PlanNode, size: int, ref: Ref, shape: RawShape) -> None:
    """Has a step claim an eighth more than `size`, unless it has that much for `key`: so it claims rarely."""
    device: Any = node.where
    growth = step.growing(device)
    if not growth.has(key, size):
        growth.add(step, key, node, size + max(size >> 3, device.memory_limit >> SHARE), (ref, size, shape))


def _turns(device: PlanDevice, size: int) -> int:
    """Turns between two looks at what piles up pieces of so many bytes; 0: of whatever size."""
    much = device.memory_limit >> 10
    turns = 1
    while turns < _TURNS and turns * (size or much >> 3) < much:
        turns *= 2
    return turns


def watch_writes(nodes: Iterable[PlanNode], nbytes: Callable[[Ref], int]) -> None:
    """Has kernels tell how much they have collected that write to lists, or to arrays that grow.

    Args:
      nbytes: the bytes of an output; 0 where that is not known.
    """
    for node in nodes:
        rule = _WRITES.get(node.type)
        if rule is None or node.kernel is None or node.where is None:
            continue
        position, wrap = rule
        size = nbytes(root(node.inputs[position]))
        if (size > _SMALL or not size) and not (node.type in _ARRAYS and _has_fixed_size(node)):
            node.kernel = wrap(node, node.kernel, _turns(node.where, size) - 1)
            node.uses_step = True


def _has_fixed_size(write: PlanNode) -> bool:
    """Whether an array does not grow, as far as can be told here: its elements then count by its length."""
    array = root(write.inputs[0])[0]
    while array.type.startswith("TensorArrayGrad"):
        array = root(array.inputs[0])[0]
    return array.type in _MAKERS and not array.attrs["dynamic_size"]


def _tell(step: Any, node: PlanNode, count: int, value: Any) -> None:
    """Tells the step that there will be so many elements like this one, before it is told again."""
    size = int(getattr(value, "nbytes", 0)) * count
    if not is_small(node.where, size):  # type: ignore[arg-type]
        _claim(step, node, node, size, (node, 0), (count, *np.shape(value)))


def _pushes(node: PlanNode, plain: Any, mask: int) -> Any:
    def push(step: Any, handle: Any, value: Any) -> Any:
        made = plain(handle, value)
        count = len(made)
        if not count & mask:
            _tell(step, node, count + mask, value)
        return made

    return push


def _sets(node: PlanNode, plain: Any, mask: int) -> Any:
    def put(step: Any, handle: Any, index: Any, value: Any) -> Any:
        made = plain(handle, index, value)
        if not index & mask:
            _tell(step, node, min(int(index) + mask + 1, len(made)), value)
        return made

    return put


def _writes(node: PlanNode, plain: Any, mask: int) -> Any:
    from runstep.kernels.numpy.tensor_array import told_write  # one call less than around `plain`

    def tell(step: Any, array: Any, value: Any) -> None:
        _tell(step, node, len(array) + mask if array.dynamic else len(array), value)

    return told_write(node, mask, tell)


_ARRAYS = frozenset(("TensorArrayWrite", "TensorArrayWriteV2", "TensorArrayWriteV3"))
_MAKERS = frozenset(("TensorArray", "TensorArrayV2", "TensorArrayV3"))
_WRITES: dict[str, tuple[int, Callable[[PlanNode, Any, int], Any]]] = {
    "TensorListPushBack": (1, _pushes),
    "TensorListSetItem": (2, _sets),
    **dict.fromkeys(_ARRAYS, (2, _writes)),
}
"""Ops that add an element to what is there: the input that is the element, and what makes a kernel that tells."""
