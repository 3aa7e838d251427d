"""Straight-line code as Python source, and when it is compiled: a long segment when it is called again, after a walk
through its nodes (`walk.py`)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from runstep.plan.node import PlanNode

LONG = 96
"""Instructions from which a segment is walked before it is compiled. Shorter ones are compiled at once, so that nothing
stands between a call and their code."""


PAUSE = "if step.cancelled: raise step.cause"


class Instruction(NamedTuple):
    """One call.

    Attributes:
      node: whose kernel it is.
      arguments: names of values. sign: the operator, or method, that the source has in place of the call; "" for none.
      reads: positions of arguments that are references, to be read first; rarely any.
      targets: names for the outputs; "_" for those that nobody reads, none at all where nobody reads any.
      is_list: the one output is a list of one.
      gone: names that are dropped afterwards.
      pauses: whether it is looked before whether the step has been cancelled.
    """

    node: PlanNode
    arguments: Sequence[str]
    sign: str
    reads: Sequence[int]
    targets: Sequence[str]
    is_list: bool
    gone: Sequence[str] = ()
    pauses: bool = False


class Result(NamedTuple):
    """One value that is returned: its name, the function that it leaves through, the node that is to blame when that
    fails."""

    name: str
    leave: str
    node: PlanNode | None


def statement(instruction: Instruction, kernel: str) -> str:
    """The Python source of an instruction, without what is dropped; `kernel` is the kernel's name."""
    names = instruction.arguments
    if instruction.reads:
        names = [f"read_ref({name})" if i in instruction.reads else name for i, name in enumerate(names)]
    if instruction.sign[:1] == ".":  # a method of the first argument
        call = f"{names[0]}{instruction.sign}({', '.join(names[1:])})"
    elif instruction.sign:
        call = f"{names[0]} {instruction.sign} {names[1]}"
    else:
        call = f"{kernel}({', '.join(names)})"
    if instruction.node.is_async:
        call = f"await {call}"
    if instruction.is_list:
        call = f"only({call})"
    return f"{', '.join(instruction.targets)} = {call}" if instruction.targets else call


class Straight:
    """The code of one segment.

    Args:
      arguments: names of the function's arguments after the step. scope: what else names stand for: constants, and the
        functions of `emit`.
    """

    def __init__(
        self,
        name: str,
        arguments: Sequence[str],
        instructions: Sequence[Instruction],
        results: Sequence[Result],
        scope: dict[str, Any],
    ) -> None:
        self._name = name
        self._arguments = arguments
        self._instructions = instructions
        self._results = results
        self._scope = scope

    def written(self) -> tuple[str, dict[int, PlanNode], dict[str, Any]]:
        """The source, the node of each line, and what its names stand for."""
        lines = [f"def {self._name}({', '.join(('step', *self._arguments))}):"]
        line_nodes: dict[int, PlanNode] = {}
        scope = dict(self._scope)
        kernels: dict[int, str] = {}
        for instruction in self._instructions:
            node = instruction.node
            kernel = kernels.get(id(node.kernel))
            if kernel is None:
                kernel = kernels[id(node.kernel)] = f"k{node.number}"
                scope[kernel] = node.kernel
            if instruction.pauses:
                lines.append(f" {PAUSE}")
            lines.append(f" {statement(instruction, kernel)}")
            line_nodes[len(lines)] = node
            if instruction.gone:
                lines.append(f" del {', '.join(instruction.gone)}")
        returned = []
        for position, (name, leave, blamed) in enumerate(self._results):
            value = f"{leave}({name})" if leave else name
            if blamed is not None:
                lines.append(f" r{position} = {value}")
                line_nodes[len(lines)] = blamed
                value = f"r{position}"
            returned.append(value)
        lines.append(f" return ({', '.join(returned)}{',' if returned else ''})")
        return "\n".join(lines), line_nodes, scope


def compiled_when_called_again(
    walk: Callable[..., tuple[Any, ...]], compiled: Callable[[], Callable[..., tuple[Any, ...]]]
) -> Callable[..., tuple[Any, ...]]:
    """A function that is `walk` when it is first called, and what `compiled` makes from then on."""
    calls = 0
    run: Callable[..., tuple[Any, ...]] | None = None

    def segment(*args: Any) -> tuple[Any, ...]:
        nonlocal calls, run
        if run is not None:
            return run(*args)
        calls += 1
        if calls == 1:
            return walk(*args)
        run = compiled()
        return run(*args)

    return segment
