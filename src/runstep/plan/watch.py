"""What only the run of a plan can tell about its memory: nodes whose results are as large as values say.

Where, a dequeue, a Fill of fed sizes: each of these nodes is given a kernel that tells the step how large its result
is when it is there, or where its inputs tell, before it is made. All that follows from that is projected as before the
step (`Projections`), and what is missing is claimed (`runstep.actors.growth`); in loops too, turn by turn. In functions
only such ops are told as make much of little by their nature. Plans whose sizes follow from the shapes that are fed
have no such node, and pay nothing.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

import numpy as np

from runstep.graph.shapes import RawShape, num_elements
from runstep.plan.device import PlanDevice
from runstep.plan.estimate import Need, is_small
from runstep.plan.foresight import Foresight, Project
from runstep.plan.inside import Inside
from runstep.plan.node import PASS, PlanNode
from runstep.plan.sizes import BOUNDED, Seen, Sizes, item_size, shapes_of_call
from runstep.plan.stacks import POP, PUSH

_SPACING = 1.25
"""What takes up to so many times less than something that was projected is taken for that."""

_REMEMBERED = 64
_KINDS = 256

_NOTHING = Foresight({}, {}, (), [])


def least_of(device: PlanDevice) -> int:
    """Bytes of a result that is worth telling: more may follow from it."""
    return max(device.memory_limit >> 18, 256)


class Projections:
    """What one plan takes, by what its steps have found out.

    Attributes:
      sizing: the feeds whose values sizes are made of.
      told: the nodes that tell. before: what it claims before it runs, where nothing is foreseen.
    """

    def __init__(self, sizing: Sequence[int]) -> None:
        self.told: list[PlanNode] = []
        self.sizing = tuple(sizing)
        self.before: tuple[Need, ...] = ()
        self._project: Project | None = None
        self._lock = threading.Lock()
        self._found: dict[Any, list[tuple[int, tuple[Need, ...]]]] = {}

    def of_plan(self, before: tuple[Need, ...], project: Project) -> None:
        self.before, self._project = before, project

    def needs(self, seen: Seen, foresight: Foresight | None, exact: bool = False) -> tuple[Need, ...]:
        """What it takes of each device; unless `exact`, maybe a fifth too much."""
        if self._project is None:
            return ()
        if foresight is None:
            foresight = _NOTHING
        given = foresight.fed, foresight.shapes, foresight.tasks
        if exact:
            return self._project(seen, *given)[0]
        size = sum(
            (num_elements(shape) or 0) * max(item_size(dtype), 1)
            for node, found in seen.items()
            for shape, dtype in zip(found, node.output_types, strict=False)
        )
        key = frozenset(seen), foresight.tasks, tuple(foresight.measure)
        with self._lock:
            for there, needs in self._found.get(key, ()):
                if size <= there <= size * _SPACING:
                    return needs
            needs = self._project(seen, *given)[0]
            if len(self._found) >= _KINDS and key not in self._found:
                self._found.clear()
            known = self._found.setdefault(key, [])
            known.append((size, needs))
            del known[:-_REMEMBERED]
        return needs


def watch(
    nodes: Sequence[PlanNode], feeds: Sequence[RawShape], whole: Iterable[int], any_size: bool = False
) -> Projections | None:
    """Has the nodes told that make results of open size, for feeds of these shapes; None if none is worth it.

    Args:
      whole: the feeds that are whole numbers. any_size: the feeds may as well be much larger.
    """
    sizes = Sizes(nodes, feeds, beyond=True)
    if not any_size and sizes.bounded.issuperset(sizes.sources):  # all that there could be may be little
        total = 0
        for node in nodes:
            total += sum(sizes.nbytes((node, index)) for index in range(len(node.output_types)))
        if all(is_small(node.where, 2 * total) for node in sizes.sources if node.where is not None):
            return None
    mine = set(nodes)  # not what regions are made of
    found = None
    turned = [node for merge in sizes.changing for node in sizes.turned(merge)]
    for node in dict.fromkeys([*sizes.sources, *turned]):
        if node in mine and _is_told(node.kernel):
            found = found or Projections(sorted(sizes.asked.intersection(whole)))
            found.told.append(node)
            if node in sizes.elements:
                _tell_array(node, partial(_see, found), sizes.elements[node])
            else:
                _tell(node, partial(_see, found))
    return found


def _see(projections: Projections, step: Any, node: PlanNode, shapes: Sequence[RawShape]) -> None:
    step.growing(node.where, projections).see(step, projections, node, shapes)


def watch_body(nodes: Sequence[PlanNode], inside: Inside) -> None:
    """Has the nodes of a function's body told that may make much of little."""
    for node in nodes:
        if node.type in _MUCH and _is_open(node) and _is_told(node.kernel):
            _tell(node, partial(_see_inside, inside))


def _see_inside(inside: Inside, step: Any, node: PlanNode, shapes: Sequence[RawShape]) -> None:
    step.growing(node.where).see_inside(step, inside, node, shapes)


def _is_open(node: PlanNode) -> bool:
    return any(num_elements(tensor.raw_shape) is None for tensor in node.op.outputs)  # type: ignore[union-attr]


def _is_told(kernel: Any) -> bool:
    return kernel is not None and kernel not in (PASS, PUSH, POP) and type(kernel) is not np.ufunc


def may_grow(nodes: Sequence[PlanNode], any_size: bool = False) -> bool:
    """Whether a plan that looks tiny has anything in it that may be large all the same; with `any_size`, or when it is
    fed much."""
    types = _MUCH if any_size else _LARGE
    for node in nodes:
        if node.type in types and _is_open(node):
            return True
    return False


def _tell(node: PlanNode, say: Callable[[Any, PlanNode, Sequence[RawShape]], None]) -> None:
    """Puts a kernel in place of a node's own that says what it makes."""
    kernel: Any = node.kernel
    device: Any = node.where
    least, bound = least_of(device), _BOUNDS.get(node.type)
    if not node.uses_step:
        plain = kernel

        def kernel(step: Any, *inputs: Any) -> Any:
            return plain(*inputs)

    def look(step: Any, made: Any) -> None:
        if type(made) is np.ndarray:
            if made.nbytes >= least:
                say(step, node, [made.shape])
        elif type(made) in (tuple, list):
            size = 0
            for value in made:
                size += getattr(value, "nbytes", 0)
            if size >= least:
                say(step, node, [np.shape(value) for value in made])

    async def waits(step: Any, *inputs: Any) -> Any:
        made = await kernel(step, *inputs)
        look(step, made)
        return made

    def computes(step: Any, *inputs: Any) -> Any:
        if bound is not None and _at_most(bound, inputs) * item >= least:
            shapes = shapes_of_call(node, inputs)
            if shapes is not None and None not in (shapes[0] or (None,)):
                say(step, node, shapes)
        made = kernel(step, *inputs)
        look(step, made)
        return made

    item = item_size(node.output_types[0]) if node.output_types else 0
    node.kernel = waits if node.is_async else computes
    node.uses_step = True


def _tell_array(node: PlanNode, say: Callable[[Any, PlanNode, Sequence[RawShape]], None], element: int) -> None:
    """As `_tell`, of an array of tensors, whose elements take so many bytes: it says how many there are."""
    kernel: Any = node.kernel
    few = least_of(node.where) // element  # type: ignore[arg-type]

    def makes(step: Any, size: Any) -> Any:
        if size > few:
            say(step, node, [(int(size),), ()])
        return kernel(size)

    node.kernel, node.uses_step = makes, True


# --- how many elements come out, from what goes in: cheap, rather too many --------------------------------------------


def _at_most(bound: Callable[..., float], inputs: Sequence[Any]) -> float:
    try:
        return bound(*inputs)
    except (TypeError, ValueError, AttributeError, IndexError, OverflowError):  # the kernel refuses them
        return 0


def _product(dims: Any) -> int:
    return max(math.prod(dims.tolist()) if np.ndim(dims) else int(dims), 0)


def _range(start: Any, limit: Any, delta: Any) -> float:
    return abs((float(limit) - float(start)) / float(delta)) if delta else 0


def _padded(x: Any, paddings: Any, *rest: Any) -> int:
    return math.prod(size + int(sum(more)) for size, more in zip(np.shape(x), paddings.tolist(), strict=False))


_BOUNDS: dict[str, Callable[..., float]] = {
    **dict.fromkeys(
        "Fill Empty RandomUniform RandomStandardNormal TruncatedNormal RandomUniformInt StatelessRandomUniform "
        "StatelessRandomNormal StatelessTruncatedNormal StatelessRandomUniformV2 StatelessRandomNormalV2 "
        "StatelessTruncatedNormalV2".split(),
        lambda dims, *rest: _product(dims),
    ),
    **dict.fromkeys("BroadcastTo SparseToDense".split(), lambda x, dims, *rest: _product(dims)),
    **dict.fromkeys("ScatterNd LinSpace".split(), lambda a, b, dims: _product(dims)),
    **dict.fromkeys("Tile OneHot".split(), lambda x, times, *rest: np.size(x) * _product(times)),
    **dict.fromkeys("Pad PadV2 MirrorPad".split(), _padded),
    **dict.fromkeys(
        "ResizeBilinear ResizeNearestNeighbor ResizeBicubic ResizeArea".split(),
        lambda x, dims: x.size // max(math.prod(x.shape[1:3]), 1) * _product(dims),
    ),
    "Range": _range,
}

_LARGE = frozenset(_BOUNDS) | frozenset(
    "QueueDequeueV2 QueueDequeueManyV2 QueueDequeueUpToV2 Unstage StagePeek MapUnstage MapPeek BarrierTakeMany "
    "IteratorGetNext IteratorGetNextSync PyFunc PyFuncStateless EagerPyFunc DecodeRaw DecodeJpeg DecodePng DecodeBmp "
    "DecodeGif DecodeImage DecodeWav DecodeCSV ParseExample ParseExampleV2 ParseTensor RestoreV2 Restore "
    "TensorArrayGatherV3 TensorArrayConcatV3 TensorListStack TensorListConcatV2 RandomGamma RandomPoissonV2 "
    "Multinomial SequenceMask ResourceGather".split()
)
"""Ops that may make much out of little."""

_MUCH = _LARGE | BOUNDED
"""Ops whose values say how large their results are, whatever the shapes of their inputs."""
