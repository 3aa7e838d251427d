"""What oneDNN offers to a plan: which nodes it takes, and when it is worth it."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from runstep.graph import dtypes
from runstep.kernels.onednn import api, library
from runstep.kernels.onednn.api import Api
from runstep.kernels.onednn.lowering import table
from runstep.kernels.onednn.region import Region
from runstep.kernels.registry import Kernel

_HEAVY = frozenset(
    "Conv2D Conv3D DepthwiseConv2dNative Conv2DBackpropInput Conv2DBackpropFilter DepthwiseConv2dNativeBackpropInput "
    "DepthwiseConv2dNativeBackpropFilter MaxPoolGrad".split()
)
"""Ops that oneDNN computes so much faster that they are worth a region, however small they are."""

_SIZES = frozenset(
    ("Pack", "StridedSlice", "Slice", "GatherV2", "ConcatV2", "Mul", "Add", "AddV2", "Sub", "FloorDiv", "Prod", "Cast")
)
_LAST = (b"NHWC", b"NDHWC", b"")


class OneDnn:
    """The provider of regions (see `runstep.plan.regions.Provider`)."""

    def is_wanted(self, nodes: Sequence[Any]) -> bool:
        return any(node.type in _HEAVY for node in nodes) and self.api is not None

    @functools.cached_property
    def api(self) -> Api | None:
        return api.get()

    def accepts(self, node: Any) -> bool:
        if node.type not in table() or (node.kernel is not None and not node.type.startswith("_")):
            return False
        if node.kernel is None and (node.row is None or node.row.uses_step or node.row.is_async):
            return False
        if node.output_types[0] is not dtypes.float32 or node.attrs.get("data_format", b"") not in _LAST:
            return False
        return all(tensor.dtype is dtypes.float32 or tensor.dtype.is_integer for tensor in node.op.inputs)

    def of_sizes(self, node: Any) -> bool:
        return node.type in _SIZES and node.output_types[0].is_integer and node.kernel is None

    def is_source_of_sizes(self, node: Any) -> bool:
        return node.type == "Shape"

    def is_worth(self, nodes: Sequence[Any]) -> bool:
        return any(node.type in _HEAVY for node in nodes)

    def make(
        self,
        nodes: Sequence[Any],
        inputs: Sequence[tuple[Any, int]],
        outputs: Sequence[Any],
        node_by_node: Callable[[], Callable[..., tuple[Any, ...]]],
    ) -> Kernel:
        assert self.api is not None
        return Region(self.api, nodes, inputs, outputs, node_by_node)


@functools.cache
def get() -> OneDnn | None:
    """The provider; None when the user turned oneDNN off."""
    return None if library.is_off() else OneDnn()
