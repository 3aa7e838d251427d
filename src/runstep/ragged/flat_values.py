"""`tf.ragged.map_flat_values`: functions that know nothing of rows, applied to what is in them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from runstep.graph.apply import apply
from runstep.graph.constant_value import constant_value
from runstep.graph.convert import convert_to_tensor
from runstep.graph.ragged_tensor import RaggedTensor
from runstep.graph.scopes import control_dependencies
from runstep.ops.assertions import assert_equal
from runstep.ragged.broadcasting import nested, same_rows

__all__ = ["map_flat_values"]


def map_flat_values(op: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """`op` of the flat values of all ragged arguments, which must have the same rows.

    Source: tf.ragged.map_flat_values.

    Returns:
      Its result, in these rows. Without ragged arguments, `op(*args, **kwargs)`.

    Raises:
      ValueError: the result has another number of values. InvalidArgumentError (in the run): rows differ.
    """
    found: list[RaggedTensor] = []

    def flat(value: Any) -> Any:
        if isinstance(value, RaggedTensor):
            found.append(value)
            return value.flat_values
        if isinstance(value, list | tuple):
            return type(value)(map(flat, value))
        return value

    values, named = [flat(arg) for arg in args], {key: flat(arg) for key, arg in kwargs.items()}
    if not found:
        return op(*args, **kwargs)
    splits = _common_splits(found)
    result = op(*values, **named)
    size = found[0].flat_values.shape[:1]
    given = result.flat_values if isinstance(result, RaggedTensor) else convert_to_tensor(result)
    outer = result.shape if isinstance(result, RaggedTensor) else given.shape
    if not outer[:1].is_compatible_with(size) or outer.rank == 0:
        raise ValueError(
            "tf.ragged.map_flat_values requires that the output of `op` have the same outer-dimension size as "
            f"flat_values of any ragged inputs. (output shape: {outer}; expected outer dimension size: {size[0].value})"
        )
    return nested(result if isinstance(result, RaggedTensor) else given, splits)


def _common_splits(found: list[RaggedTensor]) -> Any:
    splits = found[0].nested_row_splits
    if same_rows(found):
        return splits
    if len({each.ragged_rank for each in found}) > 1:
        raise ValueError("All ragged inputs must have the same ragged_rank.")
    checks = []
    for each in found[1:]:
        for mine, other in zip(splits, each.nested_row_splits, strict=True):
            known = constant_value(mine), constant_value(other)
            if known[0] is not None and known[1] is not None and len(known[0]) != len(known[1]):
                raise ValueError("Inputs must have identical ragged splits")
            checks.append(assert_equal(mine, other, message="Inputs must have identical ragged splits"))
    with control_dependencies([check for check in checks if check is not None]):
        return tuple(apply("Identity", each) for each in splits)
