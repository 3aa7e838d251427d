"""TensorProtos as TensorFlow's kernels write and read them: the elements' bytes as they lie in memory."""

from __future__ import annotations

from typing import Any

import numpy as np

from runstep.graph import dtypes
from runstep.graph.dtypes import DType


def content_proto(value: Any, kind: DType) -> Any:
    """A TensorProto of `value`: `tensor_content`, or `string_val` for strings, also for a single element."""
    from runstep.protos import tensor_pb2  # on first use: protobuf costs tens of milliseconds

    array = np.asarray(value)
    proto: Any = tensor_pb2.TensorProto(dtype=kind.enum)
    proto.tensor_shape.SetInParent()
    for size in array.shape:
        proto.tensor_shape.dim.add(size=size)
    if kind is dtypes.string:
        proto.string_val.extend(array.ravel().tolist())
    else:
        proto.tensor_content = array.tobytes()
    return proto
