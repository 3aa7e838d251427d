"""Straight-line code, called once as it stands and compiled when it is called again.

Python takes longer to compile a line than to call most kernels, and many plans run once (initializers, a look at a
value). So the instructions of a long segment are first walked as a table; from the second call on its Python source is
compiled. Both do the same calls on the same values, and drop values at the same places.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, NamedTuple

from runstep.plan.node import PlanNode

LONG = 96
"""Instructions from which a segment is walked before it is compiled. Shorter ones are compiled at once, so that nothing
stands between a call and their code."""


PAUSE = "if step.cancelled: raise step.cause"


class Instruction(NamedTuple):
    """One call.

    Attributes:
      node: whose kernel it is. call: what to call; the kernel, or what stands for it.
      arguments: names of values. sign: the operator, or method, that the source has in place of the call; "" for none.
      reads: positions of arguments that are references, to be read first; rarely any.
      targets: names for the outputs; "_" for those that nobody reads, none at all where nobody reads any.
      is_list: the one output is a list of one.
      gone: names that are dropped afterwards.
      pauses: whether it is looked before whether the step has been cancelled.
    """

    node: PlanNode
    call: Callable[..., Any]
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

    def walk(self, step: Any, *args: Any) -> tuple[Any, ...]:
        """Does what the source says."""
        scope = self._scope
        values = {**scope, "step": step, **dict(zip(self._arguments, args, strict=True))}
        del args
        _node: PlanNode | None  # read from outside, when something fails: see `walked_node`
        for _node, call, arguments, _, reads, targets, is_list, gone, pauses in self._instructions:
            if pauses and step.cancelled:
                _node = None  # which has not begun
                raise step.cause
            if reads or is_list:
                call = _adapted(call, reads, is_list, scope)
            if len(targets) == 1:
                values[targets[0]] = call(*[values[name] for name in arguments])
            elif not targets:
                call(*[values[name] for name in arguments])
            else:
                values.update(zip(targets, call(*[values[name] for name in arguments]), strict=True))
            for name in gone:
                del values[name]
        found = []
        for name, leave, _node in self._results:
            found.append(scope[leave](values[name]) if leave else values[name])
        return tuple(found)


def _adapted(call: Callable[..., Any], reads: Sequence[int], is_list: bool, scope: dict[str, Any]) -> Any:
    """The call, with the references among its arguments read first, and a list of one opened."""

    def adapted(*inputs: Any) -> Any:
        found = call(*[scope["read_ref"](value) if i in reads else value for i, value in enumerate(inputs)])
        return scope["only"](found) if is_list else found

    return adapted


def walked_node(traceback: TracebackType) -> PlanNode | None:
    """The node that was at work in a call of `Straight.walk`, when the traceback goes through one."""
    frame = traceback.tb_frame
    found: PlanNode | None = frame.f_locals.get("_node") if frame.f_code is Straight.walk.__code__ else None
    return found


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
