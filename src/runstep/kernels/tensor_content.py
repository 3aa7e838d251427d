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
    message: Any = tensor_pb2.TensorProto  # its stub wants the enum's own type
    proto = message(dtype=kind.enum)
    proto.tensor_shape.SetInParent()
    for size in array.shape:
        proto.tensor_shape.dim.add(size=size)
    if kind is dtypes.string:
        proto.string_val.extend(array.ravel().tolist())
    else:
        proto.tensor_content = array.tobytes()
    return proto


def packed_content_proto(value: Any, kind: DType) -> Any:
    """As `content_proto`, with strings in `tensor_content` too: first all their lengths, then all their bytes."""
    if kind is not dtypes.string:
        return content_proto(value, kind)
    proto = content_proto(value, kind)
    texts = list(proto.string_val)
    del proto.string_val[:]
    proto.tensor_content = b"".join([*(varint(len(text)) for text in texts), *texts])
    return proto


def varint(value: int) -> bytes:
    """A number as protobuf writes it: 7 bits a byte, least first."""
    value &= (1 << 64) - 1
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)
