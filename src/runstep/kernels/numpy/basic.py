"""Kernels of the ops that pass values on."""

from __future__ import annotations

from typing import Any

import numpy as np

from runstep.kernels.registry import Kernel, Node, numpy_kernel
from runstep.kernels.texts import invalid, shape_text
from runstep.kernels.truth import truth


@numpy_kernel(
    "Identity",
    "PlaceholderWithDefault",
    "StopGradient",
    "PreventGradient",
    "Snapshot",
    "RefIdentity",
    "LoopCond",
    "Copy",
    "CopyHost",
    "DebugGradientIdentity",
    "DebugGradientRefIdentity",
    view=True,
)
def identity(x: Any) -> Any:
    return x


@numpy_kernel("IdentityN", view=True)
def identity_n(*xs: Any) -> tuple[Any, ...]:
    return xs


@numpy_kernel("NoOp", "ControlTrigger")
def no_op() -> None:
    return None


@numpy_kernel.make("Const", view=True)
def const(node: Node) -> Kernel:
    value = node.attrs["value"]
    return lambda: value


@numpy_kernel.make("FakeParam", view=True)
def fake_param(node: Node) -> Kernel:
    shape = node.attrs["shape"]
    value = np.zeros([size or 0 for size in shape or ()], node.output_types[0].np)
    return lambda: value


@numpy_kernel.make("DeviceIndex")
def device_index(node: Node) -> Kernel:
    kind = node.device.rpartition("device:")[2].partition(":")[0].encode()
    names = node.attrs["device_names"]
    index = np.int32(names.index(kind) if kind in names else len(names))
    return lambda: index


@numpy_kernel("ToBool")
def to_bool(x: Any) -> Any:
    return np.bool_(truth(x))


@numpy_kernel("RefSelect")
def ref_select(index: Any, *refs: Any) -> Any:
    if index.ndim:
        raise invalid(f"Index must be a scalar, but it has shape {shape_text(index.shape)}")
    if not 0 <= index < len(refs):
        raise invalid(f"Index must be in the range [0, {len(refs)}) but got {index}")
    return refs[int(index)]
