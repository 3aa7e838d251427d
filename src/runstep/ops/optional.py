"""Variants that hold a tuple of tensors: optionals, which may hold nothing (gradients of functional loops and branches
use them), and tensors that are made of several."""

from __future__ import annotations

from typing import Any

from runstep.ops.common import Shapes, scalar, unknown
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
op(
    "CompositeTensorVariantFromComponents",
    "components: Tcomponents -> encoded: variant",
    "metadata: string",
    "Tcomponents: list(type) >= 0",
    shape=scalar,
)
op(
    "CompositeTensorVariantToComponents",
    "encoded: variant -> components: Tcomponents",
    "metadata: string",
    "Tcomponents: list(type) >= 0",
    shape=unknown,
)
