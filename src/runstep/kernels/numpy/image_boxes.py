"""Non-max suppression: of boxes that overlap, the one with the best score stays."""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from runstep.errors import InvalidArgumentError
from runstep.graph import shapes
from runstep.kernels.registry import Kernel, Node, numpy_kernel

Array = Any
Overlap = Callable[[int, Array], Array]
"""`overlap(box, others)`: how much box `box` overlaps each of the boxes `others` (indices)."""


def _corners(boxes: Array) -> tuple[Array, Array, Array]:
    low = np.minimum(boxes[:, :2], boxes[:, 2:])
    high = np.maximum(boxes[:, :2], boxes[:, 2:])
    return low, high, np.prod(high - low, axis=1)


def intersection_over_union(boxes: Array) -> Overlap:
    """The overlap of boxes `[count, 4]`, two opposite corners each in any order. Empty boxes overlap nothing."""
    low, high, areas = _corners(boxes.astype(np.float32, copy=False))

    def overlap(box: int, others: Array) -> Array:
        sides = np.maximum(np.minimum(high[box], high[others]) - np.maximum(low[box], low[others]), 0)
        common = sides[:, 0] * sides[:, 1]
        union = areas[box] + areas[others] - common
        real = (areas[box] > 0) & (areas[others] > 0)
        return np.where(real, common / np.where(real, union, 1), np.float32(0))

    return overlap


def suppress(scores: Array, overlap: Overlap, most: int, iou: Any, least: float) -> Array:
    """Indices of the boxes that stay, the best first; of equal scores the first box first."""
    scores = scores.astype(np.float32, copy=False)
    order = np.argsort(-scores, kind="stable")
    order = order[scores[order] > least]
    chosen: list[int] = []
    while order.size and len(chosen) < most:
        best = int(order[0])
        chosen.append(best)
        rest = order[1:]
        order = rest[overlap(best, rest) <= iou] if rest.size else rest
    return np.array(chosen, np.int32)


def _soften(scores: Array, overlap: Overlap, most: int, iou: float, least: float, sigma: float) -> tuple[Array, Array]:
    """Soft suppression: a box's score shrinks by how much it overlaps the ones chosen before it."""
    scale = -0.5 / sigma if sigma > 0 else 0.0
    # (-score, box, how many of the chosen it has been weighed against)
    heap = [(-float(score), box, 0) for box, score in enumerate(scores) if score > least]
    heapq.heapify(heap)
    chosen: list[int] = []
    kept: list[float] = []
    while heap and len(chosen) < most:
        negative, box, weighed = heapq.heappop(heap)
        original = score = -negative
        dropped = False
        for other in reversed(chosen[weighed:]):
            similarity = float(overlap(box, np.array([other]))[0])
            weight = math.exp(scale * similarity * similarity)
            score *= weight if similarity <= iou or sigma > 0 else 0.0
            if sigma <= 0 and similarity > iou:
                dropped = True
                break
            if score <= least:
                break
        if dropped:
            continue
        if score == original:
            chosen.append(box)
            kept.append(score)
        elif score > least:
            heapq.heappush(heap, (-score, box, len(chosen)))
    return np.array(chosen, np.int32), np.array(kept, np.float32)


def _check_scalars(**values: Any) -> None:
    for name, value in values.items():
        if np.ndim(value):
            raise InvalidArgumentError(None, None, f"{name} must be 0-D, got shape {shapes.text(value.shape)}")


def _count(most: Array) -> int:
    if most < 0:
        raise InvalidArgumentError(None, None, "output size must be non-negative")
    return int(most)


def _check(boxes: Array, scores: Array, most: Array, iou: Any, **more: Any) -> int:
    _check_scalars(max_output_size=most, iou_threshold=iou, **more)
    if not 0 <= iou <= 1:
        raise InvalidArgumentError(None, None, "iou_threshold must be in [0, 1]")
    if boxes.ndim != 2:
        raise InvalidArgumentError(None, None, f"boxes must be 2-D{shapes.text(boxes.shape)}")
    if boxes.shape[1] != 4:
        raise InvalidArgumentError(None, None, "boxes must have 4 columns")
    if scores.ndim != 1:
        raise InvalidArgumentError(None, None, f"scores must be 1-D{shapes.text(scores.shape)}")
    if scores.size != boxes.shape[0]:
        raise InvalidArgumentError(None, None, "scores has incompatible shape")
    return _count(most)


_ALL = -math.inf


@numpy_kernel.make("NonMaxSuppression")
def non_max_suppression(node: Node) -> Kernel:
    iou: Any = np.float32(node.attrs["iou_threshold"])

    def kernel(boxes: Array, scores: Array, most: Array) -> Array:
        count = _check(boxes, scores, most, iou)
        return suppress(scores, intersection_over_union(boxes), count, iou, _ALL)

    return kernel


@numpy_kernel("NonMaxSuppressionV2", "NonMaxSuppressionV3")
def non_max_suppression_v3(boxes: Array, scores: Array, most: Array, iou: Array, least: Any = _ALL) -> Array:
    """Hard suppression; boxes whose score is not above `least` do not take part."""
    count = _check(boxes, scores, most, iou, score_threshold=least)
    return suppress(scores, intersection_over_union(boxes), count, np.float32(iou), least)


def _padded(values: Array, size: int) -> Array:
    result = np.zeros(size, values.dtype)
    result[: values.size] = values
    return result


@numpy_kernel.make("NonMaxSuppressionV4")
def non_max_suppression_v4(node: Node) -> Kernel:
    pads = node.attrs["pad_to_max_output_size"]

    def kernel(boxes: Array, scores: Array, most: Array, iou: Array, least: Array) -> tuple[Array, Array]:
        count = _check(boxes, scores, most, iou, score_threshold=least)
        chosen = suppress(scores, intersection_over_union(boxes), count, np.float32(iou), least)
        return (_padded(chosen, count) if pads else chosen), np.int32(chosen.size)

    return kernel


@numpy_kernel.make("NonMaxSuppressionV5")
def non_max_suppression_v5(node: Node) -> Kernel:
    pads = node.attrs["pad_to_max_output_size"]
    dtype = node.output_types[1].np

    def kernel(boxes: Array, scores: Array, most: Array, iou: Array, least: Array, sigma: Array) -> tuple[Array, ...]:
        count = _check(boxes, scores, most, iou, score_threshold=least, soft_nms_sigma=sigma)
        if sigma < 0:
            raise InvalidArgumentError(None, None, "soft_nms_sigma_val must be >= 0")
        overlap = intersection_over_union(boxes)
        chosen, kept = _soften(scores, overlap, count, float(iou), float(least), float(sigma))
        valid = np.int32(chosen.size)
        if pads:
            chosen, kept = _padded(chosen, count), _padded(kept, count)
        return chosen, kept.astype(dtype), valid

    return kernel


@numpy_kernel("NonMaxSuppressionWithOverlaps")
def non_max_suppression_with_overlaps(overlaps: Array, scores: Array, most: Array, limit: Array, least: Array) -> Array:
    """Hard suppression by given pairwise overlaps."""
    _check_scalars(max_output_size=most, overlap_threshold=limit, score_threshold=least)
    if overlaps.ndim != 2:
        raise InvalidArgumentError(None, None, f"overlaps must be 2-D{shapes.text(overlaps.shape)}")
    if overlaps.shape[0] != overlaps.shape[1]:
        raise InvalidArgumentError(None, None, f"overlaps must be square{shapes.text(overlaps.shape)}")
    if scores.ndim != 1:
        why = f"Shape must be rank 1 but is rank {scores.ndim}"
        raise InvalidArgumentError(None, None, f"scores must be 1-D{shapes.text(scores.shape)} ({why})")
    if scores.size != len(overlaps):
        why = f"Dimensions must be equal, but are {len(overlaps)} and {scores.size}"
        raise InvalidArgumentError(None, None, f"scores has incompatible shape ({why})")
    return suppress(scores, lambda box, others: overlaps[others, box], _count(most), limit, least)


def _check_combined(boxes: Array, scores: Array, each: Array, total: Array, iou: Array, least: Array) -> None:
    _check_scalars(max_size_per_class=each)
    if each <= 0:
        raise InvalidArgumentError(None, None, "max_size_per_class must be positive")
    _check_scalars(max_total_size=total)
    if total <= 0:
        raise InvalidArgumentError(None, None, "max_total_size must be > 0")
    _check_scalars(iou_threshold=iou, score_threshold=least)
    if not 0 <= iou <= 1:
        raise InvalidArgumentError(None, None, "iou_threshold must be in [0, 1]")
    if boxes.ndim != 4:
        raise InvalidArgumentError(None, None, f"boxes must be 4-D{shapes.text(boxes.shape)}")
    if not scores.ndim or scores.shape[0] != boxes.shape[0]:
        raise InvalidArgumentError(None, None, "boxes and scores must have same batch size")
    if scores.ndim != 3:
        raise InvalidArgumentError(None, None, f"scores must be 3-D{shapes.text(scores.shape)}")
    if boxes.shape[2] not in (1, scores.shape[2]):
        raise InvalidArgumentError(None, None, "third dimension of boxes must be either 1 or num classes")
    if boxes.shape[3] != 4:
        raise InvalidArgumentError(None, None, "boxes must have 4 columns")
    if boxes.shape[1] != scores.shape[1]:
        raise InvalidArgumentError(None, None, "scores has incompatible shape")


@numpy_kernel.make("CombinedNonMaxSuppression")
def combined_non_max_suppression(node: Node) -> Kernel:
    """Suppression in each class of each image, then the best of all classes."""
    clips, per_class = node.attrs["clip_boxes"], node.attrs["pad_per_class"]

    def kernel(boxes: Array, scores: Array, each: Array, total: Array, iou: Array, least: Array) -> tuple[Array, ...]:
        _check_combined(boxes, scores, each, total, iou, least)
        batch, _, classes = scores.shape
        size = min(int(total), int(each) * classes) if per_class else int(total)
        out_boxes = np.zeros((batch, size, 4), np.float32)
        out_scores, out_classes = np.zeros((batch, size), np.float32), np.zeros((batch, size), np.float32)
        valid = np.zeros(batch, np.int32)
        for image in range(batch):
            found = []
            for label in range(classes):
                own = boxes[image, :, label if boxes.shape[2] > 1 else 0]
                chosen = suppress(scores[image, :, label], intersection_over_union(own), int(each), iou, least)
                found += [(-scores[image, box, label], place, label, own[box]) for place, box in enumerate(chosen)]
            best = sorted(found, key=lambda item: item[0])[:size]
            valid[image] = len(best)
            for place, (negative, _, label, box) in enumerate(best):
                out_boxes[image, place] = np.clip(box, 0, 1) if clips else box
                out_scores[image, place], out_classes[image, place] = -negative, label
        return out_boxes, out_scores, out_classes, valid

    return kernel
