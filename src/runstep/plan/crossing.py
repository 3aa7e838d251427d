"""Refuses nodes that mix frames: a value enters a loop only through Enter, and leaves it only through Exit.

Looked at once constants are folded, as TensorFlow does, and before rewrites that drop inputs, which TensorFlow's keep
as something to wait for. So a node that constants decide mixes nothing, whatever frames they enter (`fold.constant`),
nor does a Switch that one decides: what is outside of its frame is brought in.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from runstep import errors
from runstep.plan.apart import Path, paths
from runstep.plan.fold import constant
from runstep.plan.node import ENTERS, EXITS, MERGES, SWITCHES, PlanNode
from runstep.plan.order import topological


def unmixed(nodes: Sequence[PlanNode], fold: Callable[[PlanNode], bool]) -> list[PlanNode]:
    """The nodes of a plan, in any order, with the constants that are brought in; `fold` has constants decide a node.

    Raises:
      InvalidArgumentError: one has inputs of different frames, or leaves a loop that it is not in; a cycle.
    """
    if not any(node.type in ENTERS or node.type in EXITS for node in nodes):
        return list(nodes)
    order = topological(nodes)
    inside, outside = paths(order)
    brought: dict[PlanNode, PlanNode] = {}
    is_folded = False
    for node in order:
        path = inside.get(node, ())
        if not path and node.type in EXITS:
            raise errors.InvalidArgumentError(
                None,
                node.op,
                f"Invalid Exit op: Cannot find a corresponding Enter op for {{{{node {node.name}}}}}.",
            )
        if not path and node.type not in MERGES:
            continue  # what takes from a frame is in one, but for a Merge that it goes round to
        if node.type in ENTERS:
            path = path[:-1]
        if _takes_from_others(node, path, outside):
            if not is_folded:  # traced plans have not been
                is_folded = True
                for earlier in order:
                    if earlier.known is None:
                        fold(earlier)
            if node.known is not None:
                node.inputs = []
            elif node.type in SWITCHES and (copy := _bring_in(node, outside)) is not None:
                brought[node], outside[copy] = copy, path
            if _takes_from_others(node, path, outside):
                raise _frames_differ(node, outside)
        if any(outside.get(control, ()) != path for control in node.controls if not _is_always_there(control)):
            raise _frames_differ(node, outside)
    if not brought:
        return list(nodes)
    return [one for node in nodes for one in ((brought[node], node) if node in brought else (node,))]


def _takes_from_others(node: PlanNode, path: Path, outside: dict[PlanNode, Path]) -> bool:
    """Whether an input is not of the frame that has this path."""
    return any(outside.get(source, ()) != path for source, _ in node.inputs)


def _bring_in(switch: PlanNode, outside: dict[PlanNode, Path]) -> PlanNode | None:
    """In place of a constant that stands outside of a Switch's frame one inside, where constants decide the Switch."""
    if constant(switch.inputs[1]) is None:
        return None
    for position, (source, index) in enumerate(switch.inputs):
        if source.known is not None and source not in outside:
            copy = PlanNode(source.op, source.type, source.name)
            copy.number, copy.known, copy.controls = switch.number, source.known, [switch.inputs[1 - position][0]]
            switch.inputs = [(copy, index) if at == position else ref for at, ref in enumerate(switch.inputs)]
            return copy
    return None


def _is_always_there(node: PlanNode) -> bool:
    """Whether nobody needs to wait for it, wherever he is: a constant that waits for nothing else."""
    return node.known is not None and all(_is_always_there(control) for control in node.controls)


def _frames_differ(node: PlanNode, outside: dict[PlanNode, Path]) -> errors.OpError:
    found: dict[Path, PlanNode] = {}
    for source in (*(source for source, _ in node.inputs), *node.controls):
        found.setdefault(outside.get(source, ()), source)
    places = " ".join(
        f"The input {{{{node {source.name}}}}} is in frame '{path[-1].decode('utf-8', 'replace') if path else ''}'."
        for path, source in found.items()
    )
    return errors.InvalidArgumentError(
        None,
        node.op,
        f"{{{{node {node.name}}}}} has inputs from different frames. {places} A value enters a loop only through Enter "
        f"('' is outside of all loops).\n\t [[{{{{node {node.name}}}}}]]",
    )
