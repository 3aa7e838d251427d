"""Static shapes of ops that slide a window: what convolutions, pooling and patch extraction share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from runstep.graph import shapes
from runstep.ops.common import Shapes

_CHANNELS_FIRST = frozenset((b"NCHW", b"NCDHW", b"CHANNELS_FIRST", b"NCHW_VECT_C"))

Size = int | None


def channels_first(data_format: bytes) -> bool:
    """Whether the channels come before the spatial axes: NCHW, NCDHW."""
    return data_format in _CHANNELS_FIRST


def split(values: Sequence[Any], first: bool) -> tuple[Any, Any, tuple[Any, ...]]:
    """Batch, channel and spatial entries of a per-axis sequence in either data format."""
    if first:
        return values[0], values[1], tuple(values[2:])
    return values[0], values[-1], tuple(values[1:-1])


def join(batch: Any, channel: Any, spatial: Sequence[Any], first: bool) -> tuple[Any, ...]:
    """The opposite of `split`."""
    return (batch, channel, *spatial) if first else (batch, *spatial, channel)


def out_size(
    size: Size, window: Size, stride: int, padding: bytes, pad: tuple[int, int] = (0, 0), dilation: int = 1
) -> Size:
    """How many positions a window takes along one axis. ValueError for a window larger than the padded input."""
    if stride <= 0:
        raise ValueError(f"Stride must be > 0, but got {stride}")
    if dilation < 1:
        raise ValueError(f"Dilation rate must be >= 1, but got {dilation}")
    if size is None:
        return None
    if padding == b"SAME":
        return -(-size // stride)
    if window is None:
        return None
    reach = (window - 1) * dilation + 1
    padded = size + pad[0] + pad[1]
    if padded < reach:
        raise ValueError(f"Negative dimension size caused by subtracting {reach} from {padded}")
    return (padded - reach) // stride + 1


def spatial_pads(op: Any, first: bool, rank: int) -> list[tuple[int, int]]:
    """The explicit (before, after) padding of each spatial axis; zeros unless padding is EXPLICIT."""
    explicit = op.attrs.get("explicit_paddings", ())
    if op.attrs["padding"] != b"EXPLICIT":
        if explicit:
            raise ValueError("explicit_paddings attribute must be empty if the padding attribute is not EXPLICIT")
        return [(0, 0)] * (rank - 2)
    if len(explicit) != 2 * rank:
        raise ValueError(f"explicit_paddings attribute must contain {2 * rank} values, but got: {len(explicit)}")
    if min(explicit) < 0:
        raise ValueError("All elements of explicit_paddings must be nonnegative")
    batch, channel, spatial = split([explicit[2 * axis : 2 * axis + 2] for axis in range(rank)], first)
    if any(batch) or any(channel):
        raise ValueError("Nonzero explicit padding in the batch or depth dimensions is not supported")
    return list(spatial)


def per_axis(op: Any, values: Sequence[int], what: str, rank: int) -> Sequence[int]:
    """`values`, or ValueError if there is not one for each of `rank` axes."""
    if len(values) != rank:
        name = op.attrs["data_format"].decode() if "data_format" in op.attrs else "NHWC"
        raise ValueError(
            f"{op.type} on data format {name} requires the {what} attribute to contain {rank} values, "
            f"but got: {len(values)}"
        )
    return values


def from_vector(op: Any, index: int, rank: int) -> Shapes:
    """The output's shape is the value of input `index`, a vector of `rank` sizes."""
    vector = op.inputs[index].raw_shape
    if vector is not None:
        shapes.with_rank(vector, 1)
        if vector[0] is not None and vector[0] != rank and op.constant_shape(index) is None:
            raise ValueError(f"Shape must be rank {rank} but is rank {vector[0]}")
    return [shapes.with_rank(op.constant_shape(index), rank)]
