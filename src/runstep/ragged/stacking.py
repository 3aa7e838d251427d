"""`tf.ragged.stack`."""

from __future__ import annotations

from typing import Any

from runstep.ragged import joining

__all__ = ["stack"]


def stack(values: Any, axis: Any = 0, name: str | None = None) -> Any:
    """Stacks tensors of one rank, whose shapes may differ, to a ragged one (source: tf.ragged.stack).

    Args:
      values: a list of tensors and ragged tensors. axis: which dimension of the result counts them; it must be known.
    """
    if not isinstance(values, list | tuple):
        values = [values]
    if not values:
        raise ValueError("values may not be empty.")
    return joining.stack(values, axis, name or "RaggedStack")
