"""One of several branches, by number: `switch_case`, a `Case` of functions as TensorFlow makes it."""

from __future__ import annotations

from typing import Any

from runstep.graph.graph import get_default_graph, name_scope
from runstep.graph.tensor import Tensor
from runstep.ops.bodies import Branch, check_alike, chosen, label_of, traced_branch

__all__ = ["switch_case"]


def switch_case(
    branch_index: Any,
    branch_fns: Any,
    default: Branch | None = None,
    name: str = "switch_case",
) -> Any:
    """The outputs of the function with the number `branch_index`; only that one runs (source: tf.switch_case).

    Args:
      branch_index: an int32 scalar tensor.
      branch_fns: functions of no arguments that return tensors in one nested structure: a list, or a dict or list of
        pairs by their numbers, which must be 0 to n-1. An Operation among the outputs becomes a number.
      default: what runs where no function has the number; without it, the last one does.

    Raises:
      TypeError: the index or a function is none, or the functions differ in the structure or the dtypes of what they
      return. ValueError: numbers are missing or there are several of one; one function returns None.
    """
    branches = _numbered(branch_index, branch_fns)
    if default is not None:
        branches.append(default)
    graph = get_default_graph()
    with name_scope(name, "case", [branch_index]), name_scope("indexed_case") as inside:
        label = label_of(inside)
        bodies, structures = [], []
        for number, branch in enumerate(branches):
            body, structure = traced_branch(graph, f"{label}_branch{number}", branch, branch_index)
            bodies.append(body)
            structures.append(structure)
        names = [f"branches[{number}]" for number in range(len(branches))]
        check_alike(bodies, structures, names, "tf.switch_case", "case")
        return chosen(graph, "Case", branch_index, bodies, structures[0], inside, lambda found: {"branches": found})


def _numbered(branch_index: Any, branch_fns: Any) -> list[Branch]:
    """The functions in the order of their numbers."""
    if not isinstance(branch_index, Tensor):
        raise TypeError(f"'branch_index' must be a Tensor, got {type(branch_index)}")
    if not branch_index.dtype.is_integer:
        raise TypeError(f"'branch_index' must be an integer Tensor, got {branch_index.dtype}")
    if not branch_fns:
        raise ValueError("Must provide at least one item in 'branch_fns'")
    if not isinstance(branch_fns, list | tuple | dict):
        raise TypeError("'branch_fns' must be a list, tuple, or dict")
    if isinstance(branch_fns, dict):
        branch_fns = list(branch_fns.items())
    elif all(callable(branch) for branch in branch_fns):
        branch_fns = list(enumerate(branch_fns))
    for pair in branch_fns:
        if not isinstance(pair, tuple) or len(pair) != 2:
            raise TypeError(f"Each entry in 'branch_fns' must be a 2-tuple. Received {pair}.")
        if not isinstance(pair[0], int):
            raise TypeError(f"key must be a Python `int`, got {type(pair[0])}")
        if not callable(pair[1]):
            raise TypeError(f"fn for key {pair[0]} must be callable.")
    numbers = [number for number, _ in branch_fns]
    if sorted(numbers) != list(range(len(numbers))):
        raise ValueError(
            f"branch indices (keys) must form contiguous range of [0 to {len(numbers)}) but found "
            f"{{{','.join(map(str, sorted(numbers)))}}}"
        )
    return [branch for _, branch in sorted(branch_fns, key=lambda pair: int(pair[0]))]
