"""Single elements of tensors, as `x[i]` and `x[tf.newaxis]` take them."""

from __future__ import annotations

import numpy as np

from runstep.graph.apply import apply
from runstep.graph.convert import convert_to_tensor
from runstep.graph.graph import name_scope
from runstep.graph.tensor import Tensor


def _strided(x: Tensor, begin: int, end: int, **masks: int) -> Tensor:
    with name_scope(None, "strided_slice") as scope:
        bounds = [
            convert_to_tensor(np.array([value], np.int32), name=name)
            for value, name in ((begin, "stack"), (end, "stack_1"), (1, "stack_2"))
        ]
        result: Tensor = apply("StridedSlice", x, *bounds, name=scope, **masks)
        return result


def element(x: Tensor, index: int) -> Tensor:
    """`x[index]` for a non-negative index."""
    return _strided(x, index, index + 1, shrink_axis_mask=1)


def with_new_axis(x: Tensor) -> Tensor:
    """`x[tf.newaxis]`."""
    return _strided(x, 0, 0, new_axis_mask=1)
