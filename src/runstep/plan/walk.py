"""The first call of straight-line code: the nodes as they stand, one after the other, without any source.

Python takes longer to compile a line than to call most kernels, and many plans run once (initializers, a look at a
value). So a long segment is walked when it is first called, and compiled when it is called again (`straight.py`). Both
do the same calls on the same values, and drop and write over values at the same places. What the source has in its text
is worked out here while walking, so that a plan that never runs again has nothing made for it.
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from typing import Any

import numpy as np

from runstep.kernels.resources import read_ref
from runstep.plan.node import PASS, Guard, PlanNode, Ref, root
from runstep.plan.values import (
    IN_PLACE,
    INFIX,
    has_known_size,
    is_list_of_one,
    only,
    overwritten,
    own,
    private,
    references,
    to_blame,
)

_LEAVE = {"own": own, "private": private}


class Walk:
    """The walk through nodes that run one after the other whatever happens, and never wait.

    Args:
      nodes: those with kernels, producers first. args: the outputs that come from outside.
      results: as `Emitter.emit` takes them. pauses: the nodes before which it is looked whether the step is cancelled.
    """

    __slots__ = ("_args", "_nodes", "_pauses", "_results")

    def __init__(
        self,
        nodes: Sequence[PlanNode],
        args: Sequence[Ref],
        results: Sequence[tuple[Ref, str, Guard]],
        pauses: Set[PlanNode],
    ) -> None:
        self._nodes = nodes
        self._args = args
        self._results = results
        self._pauses = pauses

    def run(self, step: Any, *args: Any) -> tuple[Any, ...]:
        values: dict[Ref, Any] = dict(zip(self._args, args, strict=True))
        del args
        results = [(root(ref), how) for ref, how, _ in self._results]
        inputs: list[Sequence[Ref]] = []
        last: dict[Ref, int] = {}
        shared: set[Ref] = set()  # what may be held on to, or be seen through views
        for position, node in enumerate(self._nodes):
            refs: Sequence[Ref] = node.inputs
            for source, _ in refs:
                if (source.kernel is None and source.feed < 0) or source.kernel is PASS:  # known, or only hands on
                    refs = [root(ref) for ref in refs]
                    _add_known(values, refs)
                    break
            inputs.append(refs)
            for ref in refs:
                last[ref] = position
            if type(node.kernel) is not np.ufunc:
                shared.update(refs)
        _add_known(values, [ref for ref, _ in results])
        stay = {ref: len(inputs) for ref in (*self._args, *(ref for ref, _ in results))}
        last.update(stay)  # they last longer than any node
        pauses = self._pauses
        _node: PlanNode | None  # read from outside, when something fails: see `emit.node_at`
        for position, _node in enumerate(self._nodes):
            if pauses and _node in pauses and step.cancelled:
                _node = None  # which has not begun
                raise step.cause
            refs = inputs[position]
            kernel: Any = _node.kernel
            taken = [values[ref] for ref in refs]
            if not (_node._is_pure or _node.is_pure):
                for place in references(_node, refs, passed=False):
                    taken[place] = read_ref(taken[place])
                if _node.uses_step:
                    taken.insert(0, step)
            elif _node.uses_step:
                taken.insert(0, step)
            elif type(kernel) is np.ufunc and len(refs) == 2:
                if kernel in IN_PLACE and has_known_size(_node) and (_node, 0) in last:
                    over = overwritten(_node, [ref for ref in refs if last[ref] == position], shared)
                    if over is not None:
                        taken.append(values[over])
                if len(taken) == 2 and kernel in INFIX:
                    kernel = INFIX[kernel][1]
            found = kernel(*taken)
            taken = ()  # type: ignore[assignment]
            outputs = _node.op.outputs  # type: ignore[union-attr]
            if len(outputs) == 1:
                made = (_node, 0)
                if made in last:
                    values[made] = only(found) if is_list_of_one(_node) else found
            elif outputs:
                _keep(values, _node, found, len(outputs), last)
            found = None
            for ref in refs:
                if last[ref] == position:
                    values.pop(ref, None)  # twice among the inputs, perhaps
        returned = []
        for ref, how in results:
            _node = to_blame(*ref, how)
            returned.append(_LEAVE[how](values[ref]) if how else values[ref])
        return tuple(returned)


def _add_known(values: dict[Ref, Any], refs: Sequence[Ref]) -> None:
    """Adds the values of the constants among `refs`; scalars as scalars, as in emitted code."""
    for ref in refs:
        known = ref[0].known
        if known is not None and ref not in values:
            value: Any = known[ref[1]]
            if isinstance(value, np.ndarray) and value.ndim == 0 and value.dtype != object:
                value = value[()]
            values[ref] = value


def _keep(values: dict[Ref, Any], node: PlanNode, found: Any, outputs: int, last: dict[Ref, int]) -> None:
    """Keeps those of several outputs that somebody reads."""
    wanted = [index for index in range(outputs) if (node, index) in last]
    if wanted:
        made = tuple(found)
        if len(made) != outputs:
            raise ValueError(f"{node.name} made {len(made)} values, not {outputs}")
        for index in wanted:
            values[node, index] = made[index]
