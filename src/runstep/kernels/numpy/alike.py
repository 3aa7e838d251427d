"""AddN and Pack of terms most of which are rows of stacks (`plan/alike.py`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from runstep import errors
from runstep.graph import shapes
from runstep.kernels.numpy.arithmetic import sum_of_rows
from runstep.kernels.registry import Kernel


def gathered(count: int, singles: Sequence[int], stacks: Sequence[Sequence[int]], is_sum: bool) -> Kernel:
    """The kernel of single terms and of stacks of terms.

    Args:
      count: of the terms. singles, stacks: where among them each of the inputs stands.
      is_sum: their sum, else all of them in order.
    """
    if not singles and len(stacks) == 1:
        return sum_of_rows if is_sum else np.positive
    places: list[Any] = [*singles]
    for rows in stacks:
        is_run = rows[-1] - rows[0] == len(rows) - 1
        places.append(slice(rows[0], rows[-1] + 1) if is_run else np.array(rows))
    alone = len(singles)

    def kernel(*inputs: Any) -> Any:
        shape, dtype = inputs[-1].shape[1:], inputs[-1].dtype
        for term in inputs[:alone]:
            if term.shape != shape:  # which the graph had wrong
                text = f"A term has the shape {shapes.text(term.shape)} in place of {shapes.text(shape)}"
                raise errors.InvalidArgumentError(None, None, text)
        together = np.empty((count, *shape), dtype)
        for place, value in zip(places, inputs, strict=True):
            together[place] = value
        return sum_of_rows(together) if is_sum else together

    return kernel
