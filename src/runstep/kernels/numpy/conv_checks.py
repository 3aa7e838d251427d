"""What convolutions and their gradients refuse, in TensorFlow's words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from runstep.errors import InvalidArgumentError, UnimplementedError
from runstep.graph import shapes
from runstep.ops.windows import split

Sizes = Sequence[int]
Refused = type[InvalidArgumentError] | type[UnimplementedError]


def refuse(text: str) -> NoReturn:
    raise InvalidArgumentError(None, None, text)


def check_attrs(attrs: Mapping[str, Any], rank: int, first: bool, refused: Refused) -> None:
    """Strides, dilations and explicit padding for `rank` axes; `refused` where they skip batches or channels."""
    strides, dilations = attrs["strides"], attrs.get("dilations") or (1,) * rank
    volume = rank == 5
    if len(strides) != rank:
        refuse(f"Sliding window strides field must specify {rank} dimensions")
    if len(dilations) != rank:
        what = "Dilation rates" if volume else "Sliding window dilations"
        refuse(f"{what} field must specify {rank} dimensions")
    for values, what in ((strides, "strides"), (dilations, "dilation rates" if volume else "dilations")):
        batch, channels, spatial = split(values, first)
        if batch != 1 or channels != 1:
            text = f"Current implementation does not yet support {what} in the batch and depth dimensions."
            raise refused(None, None, text)
        if min(spatial) <= 0 and what == "strides":
            least = next(value for value in spatial if value <= 0)
            refuse(
                f"Stride must be > 0, but got {least}" if volume else "Row and column strides should be larger than 0."
            )
        if min(spatial) <= 0:
            refuse("Dilated rates should be larger than 0.")
    _check_explicit(attrs, rank, first)


def _check_explicit(attrs: Mapping[str, Any], rank: int, first: bool) -> None:
    explicit = attrs.get("explicit_paddings") or ()
    if attrs["padding"] != b"EXPLICIT":
        if explicit:
            refuse("explicit_paddings attribute must be empty if the padding attribute is not EXPLICIT")
        return
    if len(explicit) != 2 * rank:
        refuse(f"explicit_paddings attribute must contain {2 * rank} values, but got: {len(explicit)}")
    if min(explicit) < 0:
        refuse("All elements of explicit_paddings must be nonnegative")
    batch, channels, _ = split([explicit[2 * axis : 2 * axis + 2] for axis in range(rank)], first)
    if any(batch) or any(channels):
        refuse("Nonzero explicit padding in the batch or depth dimensions is not supported")


def check_forward(x_shape: Sizes, w_shape: Sizes, rank: int) -> None:
    """The shapes of an input, channels last, and of a filter."""
    volume = rank == 5
    for what, shape in (("input", x_shape), ("filter", w_shape)):
        if len(shape) != rank:
            text = f"{what} must be {rank}-dimensional"
            refuse(text if volume else f"convolution {text}: {shapes.text(tuple(shape))}")
    channels, taken, out = x_shape[-1], w_shape[-2], w_shape[-1]
    if taken == 0:
        refuse("filter_depth must be non-zero" if volume else "filter depth must be stricly positive, got 0")
    if channels % taken:
        refuse(f"{'I' if volume else 'i'}nput depth must be evenly divisible by filter depth: {channels} vs {taken}")
    if channels and out % (channels // taken):
        refuse(f"output depth must be evenly divisible by number of groups: {out} vs {channels // taken}")
    if 0 in w_shape and (volume or (out and 0 not in x_shape)):  # in a plane an empty result comes first
        refuse("filter must not have zero elements (i.e. all dimensions must be non-zero)")


def check_sizes(name: str, sizes: Any, what: str) -> tuple[int, ...]:
    """The shape that a vector input gives."""
    if sizes.ndim != 1:
        refuse(f"{name}: {what} input must be 1-dim, not {sizes.ndim}")
    return tuple(sizes.tolist())


def check_positive(shape: Sizes, what: str = "") -> None:
    for axis, size in enumerate(shape):
        if size < 0:
            refuse(f"Dimension {axis} of {what} must be >= 0" if what else f"Dimension {size} must be >= 0")


def check_ranks(prefix: str, rank: int, **given: Sizes) -> None:
    """That shapes have `rank` sizes. The names are those of the arguments in messages."""
    for what, shape in given.items():
        if len(shape) != rank:
            refuse(f"{what} tensor must have 5 dimensions" if rank == 5 else f"{prefix}: {what} must be 4-dimensional")


def check_gradient(prefix: str, x_shape: Sizes, w_shape: Sizes, g_shape: Sizes) -> int:
    """Batches and channels of an input, a filter and a gradient of one rank, channels last. Returns the groups."""
    channels, taken, made = x_shape[-1], w_shape[-2], w_shape[-1]
    volume = len(x_shape) == 5
    if taken == 0 or channels % taken:
        if volume:
            refuse(
                "input and filter_sizes must have the same number of channels. "
                f"Got {channels} for input and {taken} for filter_sizes"
            )
        refuse(f"{prefix}: input depth must be evenly divisible by filter depth")
    if x_shape[0] != g_shape[0]:
        refuse(
            f"{prefix}: input and out_backprop must have the same batch size. "
            f"Input batch: {x_shape[0]}, outbackprop batch: {g_shape[0]}, batch_dim: 0"
        )
    if made != g_shape[-1]:
        if volume:
            refuse(
                "out_backprop and filter_sizes must have the same number of channels. "
                f"Got {g_shape[-1]} for out_backprop and {made} for filter_sizes"
            )
        refuse(f"{prefix}: filter and out_backprop must have the same out_depth")
    groups = channels // taken
    if not groups or made % groups:
        refuse(
            "Gradients for grouped convolutions need an output depth that the groups divide. "
            f"Computed input depth {channels} doesn't match filter input depth {taken}"
        )
    return groups


def check_placed(
    prefix: str, spec: Any, sizes: Sizes, taps: Sizes, out: Sizes, placed: Sizes, names: Sequence[str] = ()
) -> None:
    """That a gradient has as many places as the windows; `names` of the axes where the op has names for them."""
    for axis, (size, tap, actual, computed) in enumerate(zip(sizes, taps, out, placed, strict=True)):
        if actual == computed:
            continue
        if names:
            refuse(
                f"{prefix}: Number of {names[axis]} of out_backprop doesn't match computed: "
                f"actual = {actual}, computed = {computed}"
            )
        refuse(
            f"{prefix}: Size of out_backprop doesn't match computed: actual = {actual}, computed = {computed} "
            f"spatial_dim: {axis + 1} input: {size} filter: {tap} output: {actual} stride: {spec.strides[axis]} "
            f"dilation: {spec.dilations[axis]}"
        )
