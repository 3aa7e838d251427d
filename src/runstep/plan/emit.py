"""Plans as Python source: straight-line calls of kernels on local variables, branches and loops where the graph has
them.

    def segment(step, a0, a1):
     v3 = k3(a0, c1)
     g1 = bool(v3)
     if g1:
      v4 = k4(a1)
     ...
     return (own(v7),)

One statement a line, so that a traceback's line number tells the failing node, at no cost while nothing fails.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Sequence, Set
from types import FrameType, TracebackType
from typing import Any

import numpy as np

from runstep.graph.dtypes import DType
from runstep.kernels import blas
from runstep.kernels.resources import read_ref
from runstep.plan.frames import NEVER, ControlFlow, Frame, Item
from runstep.plan.inside import Inside
from runstep.plan.node import ALIASES, ALWAYS, MERGES, NEXTS, PASS, Guard, PlanNode, Ref, root
from runstep.plan.stacks import POP, PUSH
from runstep.plan.straight import (
    LONG,
    PAUSE,
    Instruction,
    Result,
    Straight,
    compiled_when_called_again,
    statement,
)
from runstep.plan.tokens import CODES, TOKENS
from runstep.plan.values import (
    IN_PLACE,
    INFIX,
    dead,
    is_list_of_one,
    is_reference,
    only,
    overwritten,
    own,
    private,
    references,
    scalar_truth,
    to_blame,
)
from runstep.plan.walk import Walk

_serial = itertools.count(1)

FLAG = -1
"""The index of a node's liveness flag, beside its outputs (Exits of loops that end in several ways)."""

_LINES = "<nodes by line>"
"""The name, among the globals of an emitted function, of which node a line computes."""

_WALKS = {Walk.run.__code__} | CODES
"""Functions that go from node to node: the local `_node` is the one at work, `taken` are its inputs."""

_VALUE = re.compile(r"[av]\d+(_\d+)?|x\d+|c\d+(_0d)?|out")
"""The names of values in emitted code."""


class Segment:
    """Compiled code. `run(step, *args)` returns a tuple of results; a coroutine when `is_async`.

    Without `needs_step` (no loop, no kernel that asks for the step) the step may be None. Of the body of a function,
    `cost`, `bytes`, `inside` and `endless` say what it takes, `name`, `takes` and `gives` (dtypes) whom it fits.
    `source` is its Python source, or what writes it.
    """

    __slots__ = (
        "__weakref__",
        "_source",
        "bytes",
        "cost",
        "endless",
        "gives",
        "inside",
        "is_async",
        "name",
        "needs_step",
        "nodes",
        "run",
        "takes",
    )

    def __init__(
        self,
        run: Callable[..., Any],
        is_async: bool,
        needs_step: bool,
        source: str | Callable[[], str],
        nodes: Sequence[PlanNode],
    ) -> None:
        self.run = run
        self.needs_step = needs_step
        self.is_async = is_async
        self._source = source
        self.nodes = nodes
        self.cost = 0.0
        self.bytes = 0
        self.inside: Inside | None = None
        self.endless = False
        self.name = ""
        self.takes: Sequence[DType] = ()
        self.gives: Sequence[DType] = ()

    @property
    def source(self) -> str:
        return self._source if isinstance(self._source, str) else self._source()


class Emitter:
    """Writes one segment. Before each of the nodes `pauses` it looks whether the step has been cancelled.

    With `place`, an element type, the function takes an array `out` after the step, which it may write intermediate
    results of ufuncs to; all of the nodes then work element by element, on values that broadcast to the shape of `out`.
    """

    def __init__(
        self,
        flow: ControlFlow | None,
        trace: bool = False,
        pauses: Set[PlanNode] = frozenset(),
        place: np.dtype[Any] | None = None,
    ) -> None:
        self._flow = flow
        self._trace = trace
        self._pauses = pauses
        self._lines: list[str] = []
        self._globals: dict[str, Any] = {
            "read_ref": read_ref,
            "own": own,
            "private": private,
            "int32": np.int32,
            "dead": dead,
            "scalar_truth": scalar_truth,
            "only": only,
        }
        self._line_nodes: dict[int, PlanNode] = {}
        self._names: dict[Ref, str] = {}
        self._defined: set[int] = set()
        self._constants: dict[int, str] = {}
        self._nodes: list[PlanNode] = []
        self._is_async = False
        self._shared: set[Ref] = set()
        self._place = place
        self._placed: Ref | None = None  # whose value `out` holds

    # ------------------------------------------------------------------ the segment

    def emit(
        self,
        items: Sequence[Item],
        args: Sequence[Ref],
        results: Sequence[tuple[Ref, str, Guard]],
        name: str = "segment",
    ) -> Segment:
        """Compiles `items`, in this order, into one function.

        Args:
          args: the outputs (roots) that come from outside, in the order of the function's arguments after the step.
          results: what the function returns: an output, how it leaves ("own" or "private" for a fetch, "" for as it
            is), and the condition for it to be alive; a dead one raises when it leaves as a fetch, and is None
            otherwise.
        """
        if self._flow is None and not self._trace and not any(item.is_async for item in items):  # type: ignore[union-attr]
            return self._straight(items, args, results, name)  # type: ignore[arg-type]
        for position, ref in enumerate(args):
            self._names[ref] = f"a{position}"
        kept = {root(ref) for ref, _, _ in results}
        for _, _, guard in results:
            kept |= self.guard_reads(guard)
        reads = self._reads_of(items)
        self._lines.append("")  # the def line, written last
        for ref, how, _ in results:
            node = root(ref)[0]
            if how or node.known is not None or root(ref) in self._names:
                continue
            if node.guard or node.frame is not None:
                self._line(1, f"{self._name(root(ref))} = None")
        self._region(items, 1, kept, reads)
        returned: list[str] = []
        for ref, how, guard in results:
            value = self._name(root(ref))
            if how:
                node, index = root(ref)
                if not guard and is_reference((node, index)):
                    self._line(1, f"r{len(returned)} = {how}({value})", node)  # a line that tells the variable
                    returned.append(f"r{len(returned)}")
                    continue
                value = f"{how}({value})"
                if guard is NEVER:
                    value = "dead()"
                elif guard:
                    value = f"({value} if {self._condition(guard, 1)} else dead())"
            returned.append(value)
        self._line(1, f"return ({', '.join(returned)}{',' if returned else ''})")
        arguments = "".join(f", a{position}" for position in range(len(args)))
        self._lines[0] = f"{'async ' if self._is_async else ''}def {name}(step{arguments}):"
        return self._compile(name)

    def _compile(self, name: str) -> Segment:
        filename = f"<runstep segment {next(_serial)}>"
        source = "\n".join(self._lines)
        run = _compiled(name, filename, source, self._line_nodes, self._globals)
        if not self._is_async:
            run = _with_blas(run, self._nodes)
        needs_step = any("step" in line for line in self._lines[1:])
        return Segment(run, self._is_async, needs_step, source, self._nodes)

    def _straight(
        self, items: Sequence[PlanNode], args: Sequence[Ref], results: Sequence[tuple[Ref, str, Guard]], name: str
    ) -> Segment:
        """As `emit`, of nodes that run one after the other whatever happens, and never wait."""
        nodes = [node for node in items if not _no_code(node)]
        pauses, place = self._pauses, self._place
        filename = f"<runstep segment {next(_serial)}>"

        def written() -> tuple[str, dict[int, PlanNode], dict[str, Any]]:
            return Emitter(None, False, pauses, place)._instructions(nodes, args, results, name).written()

        def compiled() -> Callable[..., Any]:
            return _compiled(name, filename, *written())

        is_walked = len(nodes) >= LONG and place is None  # a tile's code is called for each tile
        walk = Walk(nodes, args, results, pauses)
        run = compiled_when_called_again(walk.run, compiled) if is_walked else compiled()
        needs_step = any([node.uses_step for node in nodes]) or any(node in pauses for node in nodes if pauses)
        return Segment(_with_blas(run, nodes), False, needs_step, lambda: written()[0], nodes)

    def _instructions(
        self, nodes: Sequence[PlanNode], args: Sequence[Ref], results: Sequence[tuple[Ref, str, Guard]], name: str
    ) -> Straight:
        """The instructions of such nodes."""
        for position, ref in enumerate(args):
            self._names[ref] = f"a{position}"
        kept = {root(ref) for ref, _, _ in results}
        inputs = [[root(ref) for ref in node.inputs] for node in nodes]
        last: dict[Ref, int] = {}
        for position, refs in enumerate(inputs):
            for ref in refs:
                last[ref] = position
            if type(nodes[position].kernel) is not np.ufunc:
                self._shared.update(refs)  # may be held on to, or be seen through views
        used = kept | last.keys()
        made = set(nodes)
        dying: dict[int, list[Ref]] = {}
        for ref, position in last.items():
            if ref[0] in made and ref not in kept:
                dying.setdefault(position, []).append(ref)
        instructions = []
        for position, node in enumerate(nodes):
            instruction, ends = self._instruction(node, inputs[position], used, dying.get(position, ()))
            if ends or node in self._pauses:
                gone = [self._names[ref] for ref in ends]
                instruction = instruction._replace(gone=gone, pauses=node in self._pauses)
            instructions.append(instruction)
        returned = []
        for ref, how, _ in results:
            node, index = root(ref)
            returned.append(Result(self._name((node, index)), how, to_blame(node, index, how)))
        arguments = [*(["out"] if self._place is not None else ()), *(f"a{position}" for position in range(len(args)))]
        return Straight(name, arguments, instructions, returned, self._globals)

    def _line(self, depth: int, text: str, node: PlanNode | None = None) -> None:
        self._lines.append(" " * depth + text)
        if node is not None:
            self._line_nodes[len(self._lines)] = node

    # ------------------------------------------------------------------ names and values

    def _name(self, ref: Ref) -> str:
        """The expression of a root's value."""
        found = self._names.get(ref)
        if found is not None:
            return found
        node, index = ref
        if node.known is not None:
            value = node.known[index]
            key = id(value)
            found = self._constants.get(key)
            if found is None:
                found = self._constants[key] = f"c{len(self._constants)}"
                if isinstance(value, np.ndarray) and value.ndim == 0 and value.dtype != object:
                    self._globals[found] = value[()]
                else:
                    self._globals[found] = value
        elif index == 0:
            found = f"v{node.number}"
        else:
            found = f"v{node.number}_{index}" if index != FLAG else f"x{node.number}"
        self._names[ref] = found
        return found

    def _array_constant(self, node: PlanNode, position: int, ref: Ref) -> str | None:
        """A scalar constant beside an array, as an array of rank 0: numpy takes a third of the time for it."""
        if ref[0].known is None or node.op is None or node.type != node.op.type:
            return None
        if not node.op.inputs[1 - position].raw_shape:  # of rank 0, where numpy's scalars are faster, or unknown
            return None
        value = ref[0].known[ref[1]]
        if not isinstance(value, np.ndarray) or value.ndim or value.dtype == object:
            return None
        name = f"{self._name(ref)}_0d"
        self._globals[name] = value
        return name

    # ------------------------------------------------------------------ conditions

    def _condition(self, guard: Guard, depth: int, skip: int = 0) -> str:
        """The Python condition for a guard; defines its symbols first, at this depth."""
        symbols = sorted((literal for literal in guard if abs(literal) != abs(skip)), key=abs)
        for literal in symbols:
            self._define(abs(literal), depth, skip)
        return " and ".join(self._literal(literal) for literal in symbols) or "True"

    def _literal(self, literal: int) -> str:
        symbol = abs(literal)
        symbols = self._flow.symbols  # type: ignore[union-attr]
        if symbol in symbols.exits:
            name = self._name((symbols.exits[symbol], FLAG))
        else:
            name = symbols.flags.get(symbol, f"g{symbol}")
        return name if literal > 0 else f"not {name}"

    def _define(self, symbol: int, depth: int, skip: int) -> None:
        if symbol in self._defined:
            return
        flow = self._flow
        assert flow is not None
        symbols = flow.symbols
        self._defined.add(symbol)
        if symbol in symbols.flags:
            return
        if symbol in symbols.predicates:
            ref, case = symbols.predicates[symbol]
            guard = flow.guard_after(ref)
            if guard is NEVER:
                value = "False"
            else:
                value = self._name(root(ref))
                if case is None:
                    value = f"{'scalar_truth' if symbol in symbols.unsure else 'bool'}({value})"
                elif case == symbols.cases[symbol][1] - 1:
                    value = f"not 0 <= {value} < {case}"  # the last branch takes what is out of range
                else:
                    value = f"bool({value} == {case})"
                condition = self._condition(guard, depth, skip)
                if condition != "True":
                    value = f"{condition} and {value}"
        else:
            value = " or ".join(f"({self._condition(guard, depth, skip)})" for guard in symbols.disjunctions[symbol])
        self._line(depth, f"g{symbol} = {value}")

    # ------------------------------------------------------------------ what items read

    def _reads_of(self, items: Sequence[Item]) -> list[set[Ref]]:
        return [self.reads(item) for item in items]

    def reads(self, item: Item) -> set[Ref]:
        """The roots that an item reads from outside of itself, those of its conditions included."""
        if isinstance(item, PlanNode) and not item.guard and not _no_code(item):
            return {ref for ref in map(root, item.inputs) if ref[0].known is None}
        found: set[Ref] = set()
        if item.guard is NEVER:
            return found
        if isinstance(item, Frame):
            for enter in item.enters:
                if enter.guard is not NEVER:
                    found.add(root(enter.inputs[0]))
                    found |= self.guard_reads(enter.guard)
            found |= self.guard_reads(item.guard)
            made: set[PlanNode] = set()
            for inner in item.region.items:
                found |= self.reads(inner)
                made |= produced(inner)
            for exit_ in item.exits:
                made.add(exit_)
                if exit_.guard is not NEVER:
                    found.add(root(exit_.inputs[0]))
                    found |= self.guard_reads(exit_.guard)
            for node in item.region.nodes:
                if node.type in NEXTS and node.guard is not NEVER:
                    found.add(root(node.inputs[0]))
                    found |= self.guard_reads(node.guard)
            found = {ref for ref in found if ref[0] not in made}
        elif item.type in MERGES:
            for ref in item.inputs:
                guard = ALWAYS if self._flow is None else self._flow.guard_after(ref)
                if guard is not NEVER:
                    found.add(root(ref))
                    found |= self.guard_reads(guard)
        else:
            if item.type not in ALIASES and item.kernel is not PASS and item.known is None:
                found = {root(ref) for ref in item.inputs}
            if item.guard:
                found |= self.guard_reads(item.guard)
        return {ref for ref in found if ref[0].known is None}

    def guard_reads(self, guard: Guard) -> set[Ref]:
        """The roots that the symbols of a guard are worked out from."""
        found: set[Ref] = set()
        if not guard or guard is NEVER:
            return found
        flow = self._flow
        assert flow is not None
        for literal in guard:
            symbol = abs(literal)
            if symbol in flow.symbols.predicates:
                ref = flow.symbols.predicates[symbol][0]
                found.add(root(ref))
                found |= self.guard_reads(flow.guard_after(ref))
            elif symbol in flow.symbols.exits:
                found.add((flow.symbols.exits[symbol], FLAG))
            elif symbol in flow.symbols.disjunctions:
                for part in flow.symbols.disjunctions[symbol]:
                    found |= self.guard_reads(part)
        return found

    # ------------------------------------------------------------------ items

    def _region(self, items: Sequence[Item], depth: int, kept: set[Ref], reads: list[set[Ref]], loop: int = 0) -> None:
        """Writes items in order. `loop` is the symbol of the loop condition, known to hold here."""
        last: dict[Ref, int] = {}
        for position, refs in enumerate(reads):
            for ref in refs:
                last[ref] = position
        used = kept | last.keys()
        bound: dict[PlanNode, Guard] = {}  # what is made here, and where it is surely there
        for item in items:
            if isinstance(item, PlanNode):
                bound[item] = item.guard
            else:
                bound.update(dict.fromkeys(item.merges if item.structured else item.exits, item.guard))
        for item, refs in zip(items, reads, strict=True):
            if not (isinstance(item, PlanNode) and type(item.kernel) is np.ufunc):
                self._shared |= refs  # may be held on to, or be seen through views
        dying: dict[int, list[Ref]] = {}
        for ref, position in last.items():
            if ref[0] in bound and ref[1] != FLAG and ref not in kept:
                dying.setdefault(position, []).append(ref)
        block: Guard = ALWAYS  # the guard of the `if` that is open at this depth
        for position, item in enumerate(items):
            guard = item.guard
            if guard is NEVER or (isinstance(item, PlanNode) and item.type not in MERGES and _no_code(item)):
                continue
            if loop:
                guard = frozenset(literal for literal in guard if literal != loop)
            ends: Sequence[Ref] = dying.get(position, ())
            if isinstance(item, PlanNode) and item.type in MERGES:
                if item.frame is None or item not in item.frame.merges:
                    self._merge(item, depth, loop, set(ends), used)
                    block = ALWAYS
                continue
            if guard != block and guard:
                self._line(depth, f"if {self._condition(guard, depth, loop)}:")
            block = guard
            inner = depth + 1 if guard else depth
            if isinstance(item, Frame):
                self._loop(item, inner)
            else:
                ends = self._node(item, inner, used, ends)
            gone = sorted(self._names[ref] for ref in ends if ref in self._names and bound[ref[0]] <= item.guard)
            if gone:
                self._line(inner, f"del {', '.join(gone)}")

    def _node(self, node: PlanNode, depth: int, used: Set[Ref], ends: Sequence[Ref]) -> Sequence[Ref]:
        """Writes one node; of `ends`, the values that it is the last to read, returns those whose names still stand."""
        self._nodes.append(node)
        kernel = f"k{node.number}"
        self._globals[kernel] = node.kernel
        if node in self._pauses:
            self._line(depth, PAUSE)
        instruction, ends = self._instruction(node, [root(ref) for ref in node.inputs], used, ends)
        self._is_async = self._is_async or node.is_async
        if self._trace and node.type != TOKENS:  # whose parts tell for themselves
            self._line(depth, f"t{node.number} = step.started({node.number})")
        self._line(depth, statement(instruction, kernel), node)
        if self._trace and node.type != TOKENS:
            names = ", ".join(self._name((node, i)) for i in range(len(node.op.outputs)))  # type: ignore[union-attr]
            self._line(depth, f"step.ended({node.number}, t{node.number}, ({names}{',' if names else ''}))")
        return ends

    def _instruction(
        self, node: PlanNode, refs: Sequence[Ref], used: Set[Ref], ends: Sequence[Ref]
    ) -> tuple[Instruction, Sequence[Ref]]:
        """The call of a node that reads `refs`; of `ends`, which it is the last to read, those whose names stand."""
        kernel, op = node.kernel, node.op
        assert kernel is not None and op is not None
        known = self._names
        arguments = [known.get(ref) or self._name(ref) for ref in refs]
        reads = references(node, refs, self._flow is not None)
        sign = ""
        if type(kernel) is np.ufunc:
            if len(refs) == 2:
                sign = INFIX[kernel][0] if kernel in INFIX else ""
                for place in (0, 1):
                    if refs[place][0].known is not None:
                        arguments[place] = self._array_constant(node, place, refs[place]) or arguments[place]
        if self._place is not None and (self._placed is None or self._placed in ends):
            ends, self._placed = [ref for ref in ends if ref != self._placed], None
            if type(kernel) is np.ufunc and node.output_types[0].np == self._place:
                self._placed, known[node, 0] = (node, 0), "out"
                arguments.append("out=out")  # by name: numpy takes maximum's in no other way
                return Instruction(node, arguments, "", reads, (), False), ends
        if type(kernel) is np.ufunc:
            if kernel in IN_PLACE and ends and (node, 0) in used:
                known_already = self._trace or (node, 0) in known
                over = None if known_already else overwritten(node, ends, self._shared)
                if over is not None:
                    name = known[node, 0] = self._name(over)
                    arguments.append(name)
                    return Instruction(node, arguments, "", reads, (), False), [r for r in ends if r != over]
        elif kernel is PUSH or kernel is POP:
            sign = f".{kernel.__name__}"
        if node.uses_step:
            arguments.insert(0, "step")
            reads = [place + 1 for place in reads]
        if ends and len(op.outputs) == 1 and (node, 0) in used and (node, 0) not in known:
            ends = self._renamed(node, ends)
        targets, is_list = self._targets(node, used)
        return Instruction(node, arguments, sign, reads, targets, is_list), ends

    def _renamed(self, node: PlanNode, ends: Sequence[Ref]) -> Sequence[Ref]:
        """Gives the result the name of a value that dies here, which is dropped by that; the rest of `ends`."""
        for ref in ends:
            source = ref[0]
            if ref in self._names and source.guard == node.guard and source.frame is node.frame:
                if source.kernel is not None and source.type not in MERGES:
                    self._names[node, 0] = self._names[ref]
                    return [other for other in ends if other != ref]
        return ends

    def _targets(self, node: PlanNode, used: Set[Ref]) -> tuple[Sequence[str], bool]:
        """The names of a node's outputs, and whether its one output is a list of one."""
        op = node.op
        assert op is not None
        count = len(op.outputs)
        if count == 1:
            if not self._trace and (node, 0) not in used:
                return (), False
            return (self._name((node, 0)),), is_list_of_one(node)
        wanted = [self._trace or (node, i) in used for i in range(count)]
        if not any(wanted):
            return (), False
        return [self._name((node, i)) if wanted[i] else "_" for i in range(count)], False

    def _merge(self, node: PlanNode, depth: int, loop: int, ends: set[Ref], used: Set[Ref]) -> None:
        value = self._name((node, 0)) if (node, 0) in used else ""
        index = self._name((node, 1)) if (node, 1) in used else ""
        flow = self._flow
        assert flow is not None
        for position, ref in enumerate(node.inputs):
            guard = flow.guard_after(ref)
            if guard is NEVER:
                continue
            source = self._name(root(ref))
            parts = [f"{value} = {self._passed(node, ref)}"] if value else []
            if index:
                parts.append(f"{index} = int32({position})")
            if root(ref) in ends:
                parts.append(f"{source} = None")
            if parts:
                self._line(depth, f"if {self._condition(guard, depth, loop)}: {'; '.join(parts)}")

    def _passed(self, merge: PlanNode, ref: Ref) -> str:
        """What a Merge takes from one of its inputs: a value, unless it is one of references."""
        name = self._name(root(ref))
        return f"read_ref({name})" if merge.type == "Merge" and is_reference(root(ref)) else name

    # ------------------------------------------------------------------ loops

    def _loop(self, frame: Frame, depth: int) -> None:
        defined = set(self._defined)
        if frame.structured:
            self._plain_loop(frame, depth)
        else:
            self._token_loop(frame, depth)
        self._defined = defined

    def _kept_in(self, frame: Frame) -> set[Ref]:
        """What the end of a turn still reads: the next values, the values that leave, and whether they do."""
        ends = [*frame.exits, *(node for node in frame.region.nodes if node.type in NEXTS)]
        kept = {root(node.inputs[0]) for node in ends}
        for node in ends:
            kept |= self.guard_reads(node.guard)
        return kept

    def _plain_loop(self, frame: Frame, depth: int) -> None:
        flow = self._flow
        assert flow is not None
        symbol = flow.loop_symbol(frame)
        variables, starts, nexts = [], [], []
        for merge in frame.merges:
            entered = next(ref for ref in merge.inputs if ref[0].type not in NEXTS)
            again = next(ref for ref in merge.inputs if ref[0].type in NEXTS)
            variables.append(self._name((merge, 0)))
            starts.append(self._passed(merge, entered))
            nexts.append(self._passed(merge, again))
        self._line(depth, f"{', '.join(variables)} = {', '.join(starts)}")
        self._indices(frame, depth, 0)
        self._line(depth, "while True:")
        inside = depth + 1
        self._line(inside, "if step.cancelled: step.stop()", _loop_condition(frame))
        if frame.piles is not None:
            stacks = [self._name(ref) for ref in frame.piles.stacks]
            look = f"p{len(self._lines)}"
            self._globals[look] = frame.piles.look
            looks = f"if not len({stacks[0]}) & {frame.piles.turns - 1}: {look}(step, {', '.join(stacks)})"
            self._line(inside, looks, frame.piles.node)
        before: list[Item] = []
        after: list[Item] = []
        leaving: list[Item] = []
        for item in frame.region.items:
            if item.guard is NEVER:
                continue
            (after if symbol in item.guard else leaving if -symbol in item.guard else before).append(item)
        kept = self._kept_in(frame)
        later = set().union(*self._reads_of(after + leaving), self.guard_reads(frozenset((symbol,))), kept)
        self._region(before, inside, kept | later, self._reads_of(before))
        condition = self._condition(frozenset((symbol,)), inside)
        self._line(inside, f"if not {condition}:")
        self._region(leaving, inside + 1, kept, self._reads_of(leaving), loop=-symbol)
        self._forget(frame, inside + 1)
        self._line(inside + 1, "break")
        self._region(after, inside, kept, self._reads_of(after), loop=symbol)
        self._line(inside, f"{', '.join(variables)} = {', '.join(nexts)}")
        self._indices(frame, inside, 1)

    def _forget(self, frame: Frame, depth: int, *names: str) -> None:
        """Drops what was made for a turn that does not come."""
        made = {node for item in frame.region.items for node in produced(item)} - set(frame.merges)
        left = {root(exit_.inputs[0]) for exit_ in frame.exits} if frame.structured else set()
        nexts = [root(node.inputs[0]) for node in frame.region.nodes if node.type in NEXTS and node.guard is not NEVER]
        gone = [ref for ref in nexts if ref[0] in made and ref[0].known is None and ref not in left]
        names = (*names, *dict.fromkeys(self._name(ref) for ref in gone))
        if names:
            self._line(depth, f"{' = '.join(names)} = None")

    def _indices(self, frame: Frame, depth: int, again: int) -> None:
        """Sets those value_index outputs of loop variables that something reads."""
        used = {ref[0] for node in frame.region.nodes for ref in node.inputs if ref[0].type in MERGES and ref[1] == 1}
        for merge in frame.merges:
            if merge in used:
                first = next(i for i, ref in enumerate(merge.inputs) if ref[0].type not in NEXTS)
                self._line(depth, f"{self._name((merge, 1))} = int32({1 - first if again else first})")

    def _token_loop(self, frame: Frame, depth: int) -> None:
        flow = self._flow
        assert flow is not None
        flags = {merge: flow.symbols.flags[flow.merge_flag(merge)] for merge in frame.merges}
        exits = [exit_ for exit_ in frame.exits if exit_.guard is not NEVER]
        for exit_ in exits:
            self._defined.add(flow.exit_flag(exit_))
            self._line(depth, f"{self._name((exit_, FLAG))} = False; {self._name((exit_, 0))} = None")
        for merge in frame.merges:
            self._defined.add(flow.merge_flag(merge))
            value, index = self._name((merge, 0)), self._name((merge, 1))
            self._line(depth, f"{flags[merge]} = False; {value} = None; {index} = None")
            for position, ref in enumerate(merge.inputs):
                if ref[0].type not in NEXTS and (guard := flow.guard_after(ref)) is not NEVER:
                    condition = self._condition(guard, depth)
                    start = self._passed(merge, ref)
                    self._line(
                        depth, f"if {condition}: {flags[merge]} = True; {value} = {start}; {index} = int32({position})"
                    )
        self._line(depth, "while True:")
        inside = depth + 1
        self._line(inside, "if step.cancelled: step.stop()", _loop_condition(frame))
        kept = self._kept_in(frame)
        items = [item for item in frame.region.items if item.guard is not NEVER]
        self._region(items, inside, kept, self._reads_of(items))
        for exit_ in exits:
            flag = self._name((exit_, FLAG))
            condition = self._condition(exit_.guard, inside)
            self._line(
                inside, f"if {condition}: {flag} = True; {self._name((exit_, 0))} = {self._name(root(exit_.inputs[0]))}"
            )
        updates = []
        for merge in frame.merges:
            value, index, flag = self._name((merge, 0)), self._name((merge, 1)), flags[merge]
            self._line(inside, f"n{flag} = False; n{value} = None; n{index} = None")
            for position, ref in enumerate(merge.inputs):
                if ref[0].type in NEXTS and ref[0].guard is not NEVER:
                    condition = self._condition(ref[0].guard, inside)
                    again = self._passed(merge, ref)
                    self._line(
                        inside, f"if {condition}: n{flag} = True; n{value} = {again}; n{index} = int32({position})"
                    )
            updates.append((flag, value, index))
        self._line(inside, f"if not ({' or '.join(f'n{flag}' for flag, _, _ in updates) or 'False'}): break")
        for flag, value, index in updates:
            self._line(inside, f"{flag} = n{flag}; {value} = n{value}; {index} = n{index}")
        self._forget(frame, depth, *(value for _, value, _ in updates))


def _compiled(
    name: str, filename: str, source: str, line_nodes: dict[int, PlanNode], scope: dict[str, Any]
) -> Callable[..., Any]:
    """The function of this name that the source defines."""
    exec(compile(source, filename, "exec"), scope)  # noqa: S102 - the source is ours
    scope[_LINES] = line_nodes
    run: Callable[..., Any] = scope.pop(name)  # its own globals would keep it alive
    return run


def node_at_work(traceback: TracebackType) -> PlanNode | None:
    """The node that a segment was computing where a traceback goes through it; None where it goes through other code,
    or between two nodes."""
    return node_at(traceback.tb_frame, traceback.tb_lineno)


def inputs_at_work(traceback: TracebackType) -> Sequence[Any]:
    """The values that the node of `node_at_work` was computing from, in the order of its inputs; empty where they are
    not to be had any more. They are told from the byte code of the line: plans keep nothing for it."""
    frame = traceback.tb_frame
    if frame.f_code in _WALKS:
        return [value for value in frame.f_locals.get("taken", ()) if value is not frame.f_locals["step"]]
    import dis

    names: list[str] = []
    for instruction in dis.get_instructions(frame.f_code):
        if instruction.opname.startswith("LOAD_") and instruction.positions is not None:
            if instruction.positions.lineno == traceback.tb_lineno:
                loaded = instruction.argval  # two names, where Python loads two at once
                names += loaded if isinstance(loaded, tuple) else [loaded]
    names = [name for name in names if isinstance(name, str) and _VALUE.fullmatch(name)]
    values = {**frame.f_globals, **frame.f_locals}
    return [values[name] for name in names] if all(name in values for name in names) else []


def node_at(frame: FrameType, line: int) -> PlanNode | None:
    """The node that a line of emitted code computes, in whose frame it is, or that a walk is at; None in other code."""
    if frame.f_code in _WALKS:
        at_work: PlanNode | None = frame.f_locals.get("_node")
        return at_work
    found: PlanNode | None = frame.f_globals.get(_LINES, {}).get(line)
    return found


def _with_blas(run: Callable[..., Any], nodes: Sequence[PlanNode]) -> Callable[..., Any]:
    return blas.limited_for({node.type for node in nodes}, run)


def _loop_condition(frame: Frame) -> PlanNode | None:
    """The node that a loop is told by when it is cancelled."""
    return next((node for node in frame.region.nodes if node.type == "LoopCond"), None)


def _no_code(node: PlanNode) -> bool:
    return node.kernel is None or node.kernel is PASS


def produced(item: Item) -> set[PlanNode]:
    """The nodes whose values an item makes."""
    if isinstance(item, PlanNode):
        return {item}
    found: set[PlanNode] = set(item.exits)
    for inner in item.region.items:
        found |= produced(inner)
    return found
