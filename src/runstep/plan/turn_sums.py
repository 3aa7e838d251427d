"""Sums over the turns of a loop of products: one product after the loop instead.

The gradient of a weight that a loop uses is the sum, over the turns, of `transpose(x) @ dy`; that of a bias, of the sum
of the rows of `dy`. Both are the same of all turns' rows together, and one large product is far cheaper than many small
ones with a sum after each. The variable of the loop becomes the collection of the rows (`Rows`), which adds them up
whenever they are many, so that memory stays bounded.

    while True: ...; total = total + transpose(x) @ dy          while True: ...; rows.add(x, dy)
                                                                total = rows.total(start)
"""

from __future__ import annotations

from collections.abc import Sequence, Set

from runstep.graph import shapes
from runstep.kernels.rows import Rows
from runstep.plan.node import ENTERS, EXITS, MERGES, NEXTS, SWITCHES, PlanNode, Ref

_LARGEST = 1 << 18  # elements of one turn's product from which a call costs little beside it
_DTYPES = ("float32", "float64")


def sum_after_loops(live: Sequence[PlanNode]) -> tuple[list[PlanNode], dict[PlanNode, PlanNode], list[PlanNode]]:
    """`live` with such sums taken out of their loops.

    Returns:
      The nodes, producers first; what stands for the Exits of these variables now; the nodes that are collected.
    """
    if not any(node.type == "LoopCond" for node in live):
        return list(live), {}, []
    users: dict[PlanNode, list[PlanNode]] = {}
    for node in live:
        for source in {source for source, _ in node.inputs}:
            users.setdefault(source, []).append(node)
    replaced: dict[PlanNode, PlanNode] = {}
    starts: dict[PlanNode, PlanNode] = {}  # by the Enter
    collected: list[PlanNode] = []
    gone: set[PlanNode] = set()
    number = max(node.number for node in live)
    for node in live:
        if node.type not in MERGES:
            continue
        found = _variable(node, users)
        if found is None:
            continue
        enter, total, passed, rows, exit_ = found
        start = enter.inputs[0]
        number += 2
        made = starts[enter] = _node(enter, "_Rows", number - 1, [start])
        made.kernel = Rows.of_terms(len(rows))
        end = replaced[exit_] = _node(exit_, "_TotalOfRows", number, [(exit_, 0), start])
        end.kernel = Rows.total
        enter.inputs = [(made, 0)]
        gate = next(ref for ref in total.inputs if ref[0] is not passed[0])
        total.inputs, total.type, total.row = [gate, *rows], "_AddRows", None
        total.kernel = Rows.add
        total.controls = list(dict.fromkeys((*total.controls, *(c for node in passed for c in node.controls))))
        collected += [source for source, _ in rows]
        gone.update(passed)
    if not replaced:
        return list(live), {}, []
    result = []
    for node in live:
        if node in gone:
            continue
        if node in starts:
            result.append(starts[node])
        if any(source in replaced for source, _ in node.inputs):
            node.inputs = [(replaced.get(source, source), output) for source, output in node.inputs]
        node.controls = [replaced.get(control, control) for control in _waits(node, gone)]
        result.append(node)
        if node in replaced:
            result.append(replaced[node])
    return result, replaced, collected


def _waits(node: PlanNode, gone: Set[PlanNode]) -> list[PlanNode]:
    """What a node waits for; in place of terms that are gone, what these were made of."""
    found: dict[PlanNode, None] = {}
    stack = [*reversed(node.controls)]
    while stack:
        control = stack.pop()
        if control in gone:
            stack += [*control.controls, *(source for source, _ in control.inputs)]
        else:
            found[control] = None
    return list(found)


def _node(like: PlanNode, kind: str, number: int, inputs: list[Ref]) -> PlanNode:
    node = PlanNode(like.op, kind, like.name)
    node.number, node.inputs, node.where, node.device = number, inputs, like.where, like.device
    return node


def _variable(
    merge: PlanNode, users: dict[PlanNode, list[PlanNode]]
) -> tuple[PlanNode, PlanNode, list[PlanNode], Sequence[Ref], PlanNode] | None:
    """Of a loop's variable that does nothing but add up: its Enter, the sum, the term (and before it the Identities
    that pass it on), what the term is made of, and its Exit."""
    if len(merge.inputs) != 2 or merge.inputs[0][0].type not in ENTERS or merge.inputs[1][0].type not in NEXTS:
        return None
    enter, again = merge.inputs[0][0], merge.inputs[1][0]
    gates, total = users.get(merge, []), again.inputs[0][0]
    if len(gates) != 1:
        return None
    gate = gates[0]
    if gate.type != "Switch" or gate.inputs[0] != (merge, 0):
        return None
    if total.type not in ("Add", "AddV2") or total.kernel is not None or users.get(total) != [again]:
        return None
    if users.get(again) != [merge] or users.get(enter) != [merge] or (gate, 1) not in total.inputs:
        return None
    exits = [user for user in users[gate] if user is not total]
    if len(exits) != 1 or exits[0].type not in EXITS or exits[0].inputs[0] != (gate, 0):
        return None
    passed = [source for source, _ in total.inputs if source is not gate]
    if len(passed) != 1 or users.get(passed[0]) != [total]:
        return None
    while passed[-1].type == "Identity":  # gradients that are handed out together
        (source, _), *_ = passed[-1].inputs
        if users.get(source) != [passed[-1]]:
            return None
        passed.append(source)
    rows = _terms(passed[-1])
    if rows is None or any(source.type in SWITCHES for source, _ in rows):  # nobody can wait for a side of a Switch
        return None
    return enter, total, passed, rows, exits[0]


def _terms(term: PlanNode) -> Sequence[Ref] | None:
    """What a term is made of row by row: two matrices for their product, one for the sum of its rows."""
    if term.kernel is not None or term.known is not None or term.op is None or term.type != term.op.type:
        return None
    if term.output_types[0].name not in _DTYPES:
        return None
    size = shapes.num_elements(term.output_shapes[0])
    if size is None or size > _LARGEST:
        return None
    if term.type == "MatMul":
        return term.inputs if term.attrs["transpose_a"] and not term.attrs["transpose_b"] else None
    rank = term.input_shapes[0]
    if rank is None or len(rank) != 2:
        return None
    if term.type == "BiasAddGrad":
        return term.inputs if term.attrs["data_format"] == b"NHWC" else None
    if term.type == "Sum" and not term.attrs["keep_dims"]:
        axes = term.constant(1)
        return term.inputs[:1] if axes is not None and axes.size == 1 and int(axes.reshape(-1)[0]) in (0, -2) else None
    return None
