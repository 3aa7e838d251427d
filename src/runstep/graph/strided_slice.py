"""What a strided slice means: the begin, end, strides and masks of StridedSlice, worked out for a shape.

Both the static shape rule and the kernels read a slice the same way, so the reading lives here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from runstep.graph.shapes import RawShape

MASKS = ("begin_mask", "end_mask", "ellipsis_mask", "new_axis_mask", "shrink_axis_mask")

Index = int | slice | None
"""One entry of a numpy index: an int takes one element and drops the axis, None adds an axis."""


def index(
    begin: Sequence[int], end: Sequence[int], strides: Sequence[int], attrs: Mapping[str, Any], strict: bool = True
) -> tuple[Any, ...]:
    """The numpy index that takes the same elements from any array that the slice fits.

    numpy clamps ranges as TensorFlow does, so the shape of the array is not needed. Always holds one Ellipsis.
    ValueError with TensorFlow's phrase for a slice that fits no array; without `strict` one element may be taken with a
    negative stride, which TensorFlow refuses only once it knows the shape.
    """
    begin_mask, end_mask, ellipsis_mask, new_axis_mask, shrink_mask = [attrs[mask] for mask in MASKS]
    if ellipsis_mask & (ellipsis_mask - 1):
        raise ValueError("Multiple ellipses in slice spec not allowed")
    items: list[Any] = []
    for i, (first, last, step) in enumerate(zip(begin, end, strides, strict=True)):
        bit = 1 << i
        if ellipsis_mask & bit:
            items.append(Ellipsis)
        elif new_axis_mask & bit:
            items.append(None)
        elif step == 0:
            raise ValueError(f"strides[{i}] must be non-zero")
        elif shrink_mask & bit:
            if step < 0 and strict:
                raise ValueError("only stride 1 allowed on non-range indexing.")
            items.append(first)  # a begin mask does not count where one element is taken
        else:
            items.append(slice(None if begin_mask & bit else first, None if end_mask & bit else last, step))
    if Ellipsis not in items:
        items.append(Ellipsis)
    return tuple(items)


def result_shape(raw: RawShape, items: Sequence[Any]) -> RawShape:
    """The shape of an array of shape `raw` under a numpy index that holds an Ellipsis.

    An entry `Unknown` stands for a range whose bounds are not known. ValueError if the index does not fit.
    """
    if raw is None:
        return None
    used = sum(item is not None and item is not Ellipsis for item in items)
    if used > len(raw):
        raise ValueError(f"Index out of range using input dim {len(raw)}; input has only {len(raw)} dims")
    sizes: list[int | None] = []
    axis = 0
    for item in items:
        if item is None:
            sizes.append(1)
            continue
        if item is Ellipsis:
            rest = len(raw) - used
            sizes.extend(raw[axis : axis + rest])
            axis += rest
            continue
        size = raw[axis]
        if type(item) is slice:
            if item.start is None and item.stop is None and item.step in (1, -1, None):
                sizes.append(size)
            elif size is None:
                sizes.append(None)
            else:
                sizes.append(len(range(*item.indices(size))))
        elif item is UNKNOWN_RANGE:
            sizes.append(None)
        elif item is not UNKNOWN_ELEMENT and size is not None and not -size <= item < size:
            raise ValueError(f"slice index {item + size if item < 0 else item} of dimension {axis} out of bounds.")
        axis += 1
    return tuple(sizes)


class _Unknown:
    """Stands in an index for something that is only known at run time."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return self.name


UNKNOWN_RANGE = _Unknown("UNKNOWN_RANGE")
UNKNOWN_ELEMENT = _Unknown("UNKNOWN_ELEMENT")


def unknown_index(strides: Sequence[int], attrs: Mapping[str, Any], strict: bool = True) -> tuple[Any, ...]:
    """As `index`, where only the strides are known. A range that both masks cover is known all the same."""
    items: list[Any] = []
    whole = attrs["begin_mask"] & attrs["end_mask"]
    count = len(strides)
    for i, item in enumerate(index([0] * count, [0] * count, strides, attrs, strict)):
        if type(item) is int:
            item = UNKNOWN_ELEMENT
        elif type(item) is slice and not whole >> i & 1:
            item = UNKNOWN_RANGE
        items.append(item)
    return tuple(items)
