"""Reading einsum equations such as `"...ij,jk->...ik"`: shared by the shape rule, the kernel and `tf.einsum`."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TypeAlias

ELLIPSIS = "..."
Subscript: TypeAlias = tuple[str, ...]
"""The labels of one operand, one per axis; ELLIPSIS stands for any number of axes."""


def read_subscript(text: str) -> Subscript:
    """The labels in `text`. ValueError for stray periods or two ellipses."""
    head, dots, tail = text.partition(ELLIPSIS)
    if "." in head or "." in tail:
        raise ValueError(
            f"Expected at most one ellipsis (...), but found {text.count('.')} periods (.) in the input "
            f"subscript: {text}"
        )
    return (*head, ELLIPSIS, *tail) if dots else tuple(head)


@lru_cache(maxsize=512)
def parse(equation: str) -> tuple[tuple[Subscript, ...], Subscript]:
    """The operands' subscripts and the output's, of an equation as the Einsum op takes it.

    Raises:
      ValueError: there is not exactly one "->", not one or two operands, or an output label that no operand has.
    """
    parts = equation.split("->")
    if len(parts) != 2:
        raise ValueError(f"Expecting exactly one '->' in einsum equation: {equation}")
    operands = parts[0].split(",")
    if len(operands) > 2:
        raise ValueError(f"Expecting 1 or 2 input subscripts in equation '{equation}' but got: {len(operands)}")
    inputs = tuple(read_subscript(text) for text in operands)
    output = read_subscript(parts[1])
    known = {label for subscript in inputs for label in subscript}
    for label in output:
        if label not in known and label != ELLIPSIS:
            raise ValueError(
                f"Einsum output subscripts for equation '{equation}' has label '{label}' which is not present in the "
                "input subscripts"
            )
    return inputs, output


def expanded(subscript: Subscript, rank: int, dots: int) -> tuple[str | int, ...]:
    """`subscript` with its ellipsis replaced by axis numbers, counted from the right end of the `dots` broadcast axes.

    Raises:
      ValueError: an operand of `rank` axes does not fit.
    """
    if ELLIPSIS not in subscript:
        if len(subscript) != rank:
            raise ValueError(f"Shape must be rank {len(subscript)} but is rank {rank}")
        return subscript
    where = subscript.index(ELLIPSIS)
    width = rank - (len(subscript) - 1)
    if width < 0:
        raise ValueError(f"Shape must be at least rank {len(subscript) - 1} but is rank {rank}")
    return (*subscript[:where], *range(dots - width, dots), *subscript[where + 1 :])


def ellipsis_width(inputs: Sequence[Subscript], ranks: Sequence[int]) -> int:
    """How many axes the ellipsis stands for: as many as in the operand where it stands for most."""
    widths = [rank - len(s) + 1 for s, rank in zip(inputs, ranks, strict=True) if ELLIPSIS in s]
    return max(widths, default=0)
