"""Control flow made explicit: which loop frame and which condition each node runs under.

TensorFlow runs Switch, Merge, Enter, Exit and NextIteration by passing live and dead tokens at run time. Here deadness
is worked out at plan time: a node's *guard* is a conjunction of symbols (a Switch's predicate, or its negation), and a
node runs when its guard holds. That is the same as token passing for every graph whose frames can run as units:

- a node's guard is the conjunction of its inputs' guards; a Switch adds its predicate; a Merge takes the disjunction;
- a disjunction that is no conjunction (p or q) becomes a symbol of its own, computed by the emitted code;
- a frame runs as one item of its parent region: it starts when all its Enters are there, and ends when no NextIteration
  is alive.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from runstep.plan.apart import apart
from runstep.plan.node import (
    ALWAYS,
    ENTERS,
    EXITS,
    MERGES,
    NEXTS,
    SWITCHES,
    Guard,
    PlanNode,
    Ref,
    root,
)
from runstep.plan.order import topological


class Frame:
    """One loop: an item of its parent's region, with a region of its own. `piles`: see `plan.piles`."""

    def __init__(self, name: str, parent: Frame | None) -> None:
        self.name = name
        self.parent = parent
        self.enters: list[PlanNode] = []
        self.exits: list[PlanNode] = []
        self.merges: list[PlanNode] = []
        self.region = Region(self)
        self.guard: Guard = ALWAYS
        self.structured = False
        self.piles: Any = None
        self.depth: int = 0 if parent is None else parent.depth + 1

    def __repr__(self) -> str:
        return f"<Frame {self.name}>"


Item = PlanNode | Frame


class Region:
    """The nodes of one frame (or of the top level) and its inner loops, in an order they can run in."""

    def __init__(self, frame: Frame | None) -> None:
        self.frame = frame
        self.nodes: list[PlanNode] = []
        self.items: list[Item] = []
        self.predecessors: dict[Item, set[Item]] = {}


class Symbols:
    """The conditions of a plan. A symbol is the truth of a predicate's value, or a disjunction of guards."""

    def __init__(self) -> None:
        self._by_key: dict[Any, int] = {}
        self.predicates: dict[int, tuple[Ref, int | None]] = {}  # symbol -> predicate value, and the case it equals
        self.disjunctions: dict[int, list[Guard]] = {}
        self.flags: dict[int, str] = {}  # symbols that the emitter sets itself: liveness inside loops
        self.exits: dict[int, PlanNode] = {}  # flags that say whether an Exit was reached
        self.cases: dict[int, tuple[Ref, int]] = {}
        self.unsure: set[int] = set()  # predicates that the graph does not say to be scalars
        self._count = 0

    def _new(self) -> int:
        self._count += 1
        return self._count

    def predicate(self, ref: Ref, case: int | None = None) -> int:
        key = (ref, case)
        if key not in self._by_key:
            symbol = self._by_key[key] = self._new()
            self.predicates[symbol] = (ref, case)
        return self._by_key[key]

    def flag(self, name: str) -> int:
        symbol = self._new()
        self.flags[symbol] = f"{name}{symbol}"
        return symbol

    def either(self, guards: Sequence[Guard]) -> Guard:
        """The guard that holds when any of these does."""
        left = list(dict.fromkeys(guards))
        merged = True
        while merged and len(left) > 1:
            merged = False
            for i, a in enumerate(left):
                for j in range(i + 1, len(left)):
                    joined = _joined(a, left[j])
                    if joined is not None:
                        left[j : j + 1] = []
                        left[i] = joined
                        merged = True
                        break
                if merged:
                    break
        if len(left) > 1:
            left = self._without_cases(left)
        if len(left) == 1:
            return left[0]
        key = frozenset(left)
        if key not in self._by_key:
            symbol = self._by_key[key] = self._new()
            self.disjunctions[symbol] = left
        common = frozenset.intersection(*left)
        return common | {self._by_key[key]}

    def _without_cases(self, guards: list[Guard]) -> list[Guard]:
        # All outputs of one _SwitchN together are as alive as its input.
        common = frozenset.intersection(*guards)
        rest = [guard - common for guard in guards]
        if all(len(guard) == 1 for guard in rest):
            symbols = [next(iter(guard)) for guard in rest]
            facts = [self.predicates.get(symbol) for symbol in symbols]
            if all(f is not None and f[1] is not None for f in facts):
                source = facts[0][0][0] if facts[0] else None
                wide = {f[0] for f in facts}  # type: ignore[index]
                switches = self.cases.get(symbols[0])
                if source is not None and len(wide) == 1 and switches is not None and len(symbols) == switches[1]:
                    return [common]
        return guards


def _joined(a: Guard, b: Guard) -> Guard | None:
    """a or b, where that is again a conjunction."""
    if a <= b:
        return a
    if b <= a:
        return b
    only_a, only_b = a - b, b - a
    if len(only_a) == 1 and len(only_b) == 1 and next(iter(only_a)) == -next(iter(only_b)):
        return a & b
    return None


NEVER: Guard = frozenset((0,))
"""The guard of a node that cannot run: both a condition and its negation, or the branch that a known predicate
rejects."""


def both(a: Guard, b: Guard) -> Guard:
    """The guard that holds when both do."""
    if a is b or not b:
        return a
    if not a:
        return b
    union = a | b
    if 0 in union or any(-symbol in union for symbol in b):
        return NEVER
    return union


class Tangled(Exception):
    """A frame cannot run as a unit: what enters it is made from what leaves it, or what is inside of it is fetched.

    Attributes:
      nodes: all nodes, producers first. They know their frames.
    """

    def __init__(self, nodes: Sequence[PlanNode]) -> None:
        self.nodes = nodes


class ControlFlow:
    """The frames of a pruned graph, and the guard of every node's outputs.

    Args:
      nodes: in any order. fetched: outputs that leave the plan.

    Raises:
      Tangled: a frame cannot run as a unit.
    """

    def __init__(self, nodes: Sequence[PlanNode], fetched: Iterable[Ref] = ()) -> None:
        self.symbols = Symbols()
        self.top = Region(None)
        self.frames: dict[tuple[Frame | None, bytes, PlanNode], Frame] = {}
        self._nodes, self._loop_of = apart(topological(nodes))
        for node in self._nodes:
            self._assign(node)
        if any(self.frame_after(node) is not None for node, _ in fetched):
            raise Tangled(self._nodes)
        self._guarded(self.top, self._in_order(self.top))

    # -- frames

    def frame_after(self, node: PlanNode) -> Frame | None:
        """The frame that the outputs of `node` are in."""
        if node.type in EXITS and node.frame is not None:
            return node.frame.parent
        return node.frame

    def _assign(self, node: PlanNode) -> None:
        sources = [*(source for source, _ in node.inputs), *node.controls]
        if node.type in MERGES:
            sources = [source for source in sources if source.type not in NEXTS]
        # All are of one frame (see `crossing`), but for constants that nobody has to wait for.
        frame = next((found for source in sources if (found := self.frame_after(source)) is not None), None)
        if node.type in ENTERS:
            name = node.attrs["frame_name"]
            key = (frame, name, self._loop_of[node])
            if key not in self.frames:
                self.frames[key] = Frame(name.decode("utf-8", "replace"), frame)
            frame = self.frames[key]
            frame.enters.append(node)
        elif node.type in EXITS:
            assert frame is not None, "checked by `crossing`"
            frame.exits.append(node)
        elif node.type in MERGES and frame is not None and any(s.type in NEXTS for s, _ in node.inputs):
            frame.merges.append(node)
        node.frame = frame
        (self.top if frame is None else frame.region).nodes.append(node)

    # -- order and guards

    def _inner(self, region: Region) -> list[Frame]:
        return [frame for (parent, *_), frame in self.frames.items() if parent is region.frame]

    def _in_order(self, region: Region) -> list[Item]:
        items = _scheduled(region, self._inner(region), None)
        if len(items) < len(region.predecessors):
            raise Tangled(self._nodes)
        return items

    def _guarded(self, region: Region, items: Sequence[Item]) -> None:
        """Finds the guards of a region's items, and with them the order that these run in."""
        for item in items:
            if isinstance(item, Frame):
                self._enter_frame(item)
            else:
                item.guard = self._guard(item)
        region.items = _scheduled(region, self._inner(region), {item: item.guard for item in items})

    def _enter_frame(self, frame: Frame) -> None:
        for enter in frame.enters:
            enter.guard = self._guard_of_inputs(enter)
        # What stays the same in a loop does not start it: it may be there when the variables are not.
        starts = [enter for enter in frame.enters if not enter.attrs["is_constant"]] or frame.enters
        alive = [enter.guard for enter in starts if enter.guard is not NEVER]
        frame.guard = frozenset.intersection(*alive) if alive else NEVER
        for enter in frame.enters:
            enter.guard = NEVER if enter.guard is NEVER else enter.guard - frame.guard
        items = self._in_order(frame.region)
        frame.structured = plain_loop(frame)
        self._guarded(frame.region, items)
        if frame.structured:
            round_again = frozenset((self.loop_symbol(frame),))
            if any(node.guard != round_again for node in frame.region.nodes if node.type in NEXTS):
                frame.structured = False  # something inside goes round only sometimes
                self._guarded(frame.region, items)
        for exit_ in frame.exits:
            exit_.guard = self._guard_of_inputs(exit_)

    def guard_after(self, ref: Ref) -> Guard:
        """The condition for output `ref` to be alive, seen from the region that it is in."""
        node, index = ref
        guard = node.guard
        if guard is NEVER:
            return NEVER
        if node.type in SWITCHES and node.known is None:
            return both(guard, self._branch(node, index))
        if node.type in EXITS:
            return self.exit_guard(node)
        return guard

    def exit_guard(self, node: PlanNode) -> Guard:
        """The guard of an Exit's output in the parent region."""
        frame: Frame = node.frame
        if node.guard is NEVER:
            return NEVER
        if self.is_structured(frame):
            return frame.guard
        return both(frame.guard, frozenset((self.exit_flag(node),)))

    def exit_flag(self, node: PlanNode) -> int:
        key = ("exit", node)
        if key not in self.symbols._by_key:
            symbol = self.symbols._by_key[key] = self.symbols.flag("x")
            self.symbols.exits[symbol] = node
        return self.symbols._by_key[key]

    def merge_flag(self, node: PlanNode) -> int:
        """The symbol that says whether a loop variable is alive in the current iteration."""
        key = ("merge", node)
        if key not in self.symbols._by_key:
            self.symbols._by_key[key] = self.symbols.flag("m")
        return self.symbols._by_key[key]

    def is_structured(self, frame: Frame) -> bool:
        """Whether the frame is an ordinary loop: one condition decides about going round, and everything goes round."""
        return frame.structured

    def loop_symbol(self, frame: Frame) -> int:
        """The symbol of the condition that an ordinary loop goes on by."""
        condition = next(node for node in frame.region.nodes if node.type == "LoopCond")
        return self.symbols.predicate(root((condition, 0)))

    def _branch(self, node: PlanNode, index: int) -> Guard:
        predicate = source, output = root(node.inputs[1])
        if source.known is not None:
            value = int(source.known[output])
            wanted = min(value, len(node.op.outputs) - 1) if node.type == "_SwitchN" else value  # type: ignore[union-attr]
            return ALWAYS if wanted == index else NEVER
        if node.type == "_SwitchN":
            symbol = self.symbols.predicate(predicate, index)
            self.symbols.cases[symbol] = (predicate, len(node.op.outputs))  # type: ignore[union-attr]
            return frozenset((symbol,))
        symbol = self.symbols.predicate(predicate)
        if node.op is not None and node.op.inputs[1].raw_shape != ():
            self.symbols.unsure.add(symbol)
        return frozenset((symbol if index == 1 else -symbol,))

    def _guard_of_inputs(self, node: PlanNode) -> Guard:
        guard = ALWAYS
        for ref in node.inputs:
            guard = both(guard, self.guard_after(ref))
            if guard is NEVER:
                return NEVER
        for control in node.controls:
            after = self.exit_guard(control) if control.type in EXITS else control.guard
            guard = both(guard, after)
            if guard is NEVER:
                return NEVER
        return guard

    def _guard(self, node: PlanNode) -> Guard:
        if node.type in ENTERS:
            return node.guard
        if node.type == "ControlTrigger":
            return ALWAYS  # it goes off as well when what it waits for is dead
        if node.type not in MERGES:
            return self._guard_of_inputs(node)
        frame = node.frame
        if frame is not None and node in frame.merges:
            return ALWAYS if frame.structured else frozenset((self.merge_flag(node),))
        guards = [guard for guard in map(self.guard_after, node.inputs) if guard is not NEVER]
        return self.symbols.either(guards) if guards else NEVER


def plain_loop(frame: Frame) -> bool:
    """Whether a frame has the form that `while_loop` writes, told from its nodes alone.

    One LoopCond; every loop variable is Merge(Enter, NextIteration) -> Switch(LoopCond); its NextIteration hangs on
    true sides and every Exit on a false side.
    """
    conditions = [node for node in frame.region.nodes if node.type == "LoopCond"]
    if len(conditions) != 1 or not frame.merges:
        return False
    condition = conditions[0]
    if any(enter.guard != ALWAYS for enter in frame.enters):
        return False
    for merge in frame.merges:
        if sorted(source.type in NEXTS for source, _ in merge.inputs) != [False, True]:
            return False
        if any(source.type not in ENTERS and source.type not in NEXTS for source, _ in merge.inputs):
            return False
    for exit_ in frame.exits:
        source, index = exit_.inputs[0]
        if source.type not in SWITCHES or index != 0 or source.inputs[1][0] is not condition:
            return False
    sides = _sides(frame, condition)
    for node in frame.region.nodes:
        if node.type in NEXTS and sides.get(node) != {1}:
            return False
    return True


def _sides(frame: Frame, condition: PlanNode) -> dict[PlanNode, set[int]]:
    """For each NextIteration of the frame, the sides (0, 1) of the loop's own Switches that it depends on."""
    sides: dict[PlanNode, set[int]] = {merge: set() for merge in frame.merges}
    nexts = [node for node in frame.region.nodes if node.type in NEXTS]
    waiting = list(nexts)
    while waiting:
        node = waiting[-1]
        if node in sides:
            waiting.pop()
            continue
        refs, controls = _before(node, frame)
        gates = {index for source, index in refs if _is_gate(source, frame, condition)}
        sources = [*(source for source, _ in refs if not _is_gate(source, frame, condition)), *controls]
        missing = [source for source in sources if source not in sides]
        if missing:
            waiting += missing
        else:
            sides[node] = gates.union(*(sides[source] for source in sources))
            waiting.pop()
    return {node: sides[node] for node in nexts}


def _is_gate(node: PlanNode, frame: Frame, condition: PlanNode) -> bool:
    return node.type in SWITCHES and node.frame is frame and node.inputs[1][0] is condition


def _before(node: PlanNode, frame: Frame) -> tuple[Sequence[Ref], Sequence[PlanNode]]:
    """What a node of a frame's region waits for in that region; an Exit of an inner loop, for all that enters this."""
    if node.type in ENTERS and node.frame is frame:
        return [], []
    if node.type in EXITS and node.frame is not frame:
        enters = node.frame.enters
        return [ref for enter in enters for ref in enter.inputs], [c for enter in enters for c in enter.controls]
    return node.inputs, node.controls


def _scheduled(region: Region, inner: Iterable[Frame], guards: dict[Item, Guard] | None) -> list[Item]:
    """The items of a region in an order they can run in, but for those that wait for themselves; with guards, items
    under one guard stand together."""
    items: list[Item] = [node for node in region.nodes if node.type not in EXITS]
    items.extend(inner)
    own = set(items)

    def item_of(node: PlanNode) -> Item | None:
        if node in own:
            return node
        frame = node.frame
        while frame is not None and frame.parent is not region.frame:
            frame = frame.parent
        return frame if frame is not None and frame in own else None

    pending: dict[Item, int] = {}
    consumers: dict[Item, list[Item]] = {}
    for item in items:
        sources: set[Any] = set()
        nodes = item.enters if isinstance(item, Frame) else [item]
        for node in nodes:
            if isinstance(item, PlanNode) and node.type in ENTERS:
                continue  # an Enter belongs to its own frame, where it is there from the start
            for source, _ in node.inputs:
                if not (node.type in MERGES and source.type in NEXTS and source.frame is region.frame):
                    sources.add(item_of(source))
            sources.update(item_of(control) for control in node.controls)
        sources.discard(None)
        region.predecessors[item] = sources
        pending[item] = len(sources)
        for source in sources:
            consumers.setdefault(source, []).append(item)
    order: list[Item] = []
    buckets: dict[Guard, list[Item]] = {}
    position = {item: i for i, item in enumerate(items)}

    def add(item: Item) -> None:
        buckets.setdefault(ALWAYS if guards is None else guards[item], []).append(item)

    for item in items:
        if not pending[item]:
            add(item)
    current = ALWAYS
    while buckets:
        if current not in buckets:
            current = min(buckets, key=lambda guard: (len(guard), position[buckets[guard][0]]))
        queue = buckets[current]
        item = queue.pop(0)
        if not queue:
            del buckets[current]
        order.append(item)
        for consumer in consumers.get(item, ()):
            pending[consumer] -= 1
            if not pending[consumer]:
                add(consumer)
    return order
