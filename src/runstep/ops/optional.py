"""Optionals: a variant that holds a tuple of tensors or nothing. Gradients of functional loops and branches use
them."""

from __future__ import annotations

from typing import Any

from runstep.ops.common import Shapes, scalar
from runstep.ops.registry import op


def _components(op: Any) -> Shapes:
    return list(op.attrs["output_shapes"])


op(
    "OptionalFromValue",
    "components: Toutput_types -> optional: variant",
    "Toutput_types: list(type) >= 1",
    shape=scalar,
)
op("OptionalNone", " -> optional: variant", shape=scalar)
op("OptionalHasValue", "optional: variant -> has_value: bool", shape=scalar)
op(
    "OptionalGetValue",
    "optional: variant -> components: output_types",
    "output_types: list(type) >= 1",
    "output_shapes: list(shape) >= 1",
    shape=_components,
)
