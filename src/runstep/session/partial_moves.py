"""Calls of `partial_run` as Python source: what a call does to a step depends only on the feeds that came before it.

    def move(slots, a0, a1):
     slots[0] = a0
     slots[1] = a1
     v3, = t0(None, a0, a1)
     slots[3] = v3
     f0, = c0(None, v3)
     return (f0, )

Written when a call is first made in a state, for steps that nobody needs to be able to end: no loops, no kernel that
asks for the step, no memory worth claiming.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from runstep import errors

if TYPE_CHECKING:
    from runstep.graph.tensor import Tensor
    from runstep.plan.compile import Plan
    from runstep.session.partial_request import Call

Move = Callable[..., tuple[Any, ...]]
"""`move(slots, *values)` feeds, runs, and returns what is fetched. An error of it ends the step."""

MOST = 64
"""So many states of one call get a move: a handle that is fed in any order has very many."""


def written(plan: Plan, call: Call, before: int) -> Move | None:
    """The move of a call on a step to which the feeds `before` have come; None where it takes more than that: a task
    whose failure would be no concern of this call."""
    stages = plan.stages
    assert stages is not None
    due = stages.due(before, call.now, call.wanted) if call.now else []
    if any(not stages.serves[number] & call.wanted for number in due):
        return None
    names: dict[str, Any] = {"InvalidArgumentError": errors.InvalidArgumentError}
    held = {slot: f"a{n}" for n, slot in enumerate(call.fed)}
    lines = [f"def move({', '.join(['slots', *held.values()])}):"]
    lines += [f" slots[{slot}] = {name}" for slot, name in held.items()]

    def call_of(name: str, run: Any, args: tuple[int, ...]) -> str:
        names[name] = run
        return f"{name}({', '.join(['None', *(held.get(slot, f'slots[{slot}]') for slot in args)])})"

    for number in due:
        task = plan.tasks[number]
        results = {slot: f"v{slot}" for slot in task.results}
        made = call_of(f"t{number}", task.segment.run, task.args)
        lines.append(f" {''.join(f'{name}, ' for name in results.values())}= {made}" if results else f" {made}")
        lines += [f" slots[{slot}] = {name}" for slot, name in results.items()]
        held.update(results)
    for position, (collect, args, fetch) in enumerate(call.values):
        names[f"e{position}"] = partial(not_valid, plan.fetches[fetch])
        lines += [
            " try:",
            f"  f{position}, = {call_of(f'c{position}', collect, args)}",
            " except InvalidArgumentError:",
            f"  raise e{position}() from None",
        ]
    lines.append(f" return ({''.join(f'f{position}, ' for position in range(len(call.values)))})")
    exec(compile("\n".join(lines), "<runstep partial run>", "exec"), names)  # noqa: S102 - the source is ours
    move: Move = names["move"]
    return move


def not_valid(fetch: Tensor) -> errors.OpError:
    """The error of fetching what a branch that was not taken would have made."""
    return errors.InvalidArgumentError(None, None, f"The tensor returned for {fetch.name} was not valid.")
