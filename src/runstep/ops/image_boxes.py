"""Boxes in images: non-max suppression. Rows and shape rules."""

from __future__ import annotations

from typing import Any

from runstep.graph import shapes
from runstep.graph.shapes import RawShape
from runstep.ops.common import Shapes
from runstep.ops.registry import op


def _count(op: Any, boxes: int, scores: int) -> None:
    box = shapes.with_rank(op.inputs[boxes].raw_shape, 2)
    score = shapes.with_rank(op.inputs[scores].raw_shape, 1)
    shapes.with_rank(op.inputs[2].raw_shape, 0)
    shapes.merge_size(box[0], score[0])
    if box[1] not in (None, 4):
        raise ValueError(f"Dimension must be 4 but is {box[1]}")


def _scalars(op: Any, first: int) -> None:
    for tensor in op.inputs[first:]:
        shapes.with_rank(tensor.raw_shape, 0)


def _suppression(op: Any) -> Shapes:
    _count(op, 0, 1)
    _scalars(op, 3)
    return [(None,)]


def _with_overlaps(op: Any) -> Shapes:
    overlaps = shapes.with_rank(op.inputs[0].raw_shape, 2)
    scores = shapes.with_rank(op.inputs[1].raw_shape, 1)
    _scalars(op, 2)
    shapes.merge_size(overlaps[0], scores[0])
    shapes.merge_size(overlaps[0], overlaps[1])
    return [(None,)]


def _selected(op: Any) -> RawShape:
    """Selected boxes: as many as asked for when padded, else not known."""
    _count(op, 0, 1)
    _scalars(op, 3)
    if not op.attrs["pad_to_max_output_size"]:
        return (None,)
    value = op.constant(2)
    if value is None:
        return (None,)
    if value < 0:
        raise ValueError(f"Dimension size, given by scalar input 2, must be non-negative but is {int(value)}")
    return (int(value),)


def _suppression_v4(op: Any) -> Shapes:
    return [_selected(op), ()]


def _suppression_v5(op: Any) -> Shapes:
    shape = _selected(op)
    return [shape, shape, ()]


def _combined(op: Any) -> Shapes:
    boxes = shapes.with_rank(op.inputs[0].raw_shape, 4)
    scores = shapes.with_rank(op.inputs[1].raw_shape, 3)
    _scalars(op, 2)
    shapes.merge_size(boxes[0], scores[0])
    shapes.merge_size(boxes[1], scores[1])
    if boxes[3] not in (None, 4):
        raise ValueError(f"Dimension must be 4 but is {boxes[3]}")
    if boxes[2] is not None and scores[2] is not None and boxes[2] not in (1, scores[2]):
        raise ValueError("third dimension of boxes must be either 1 or equal to the third dimension of scores")
    total, each = op.constant(3), op.constant(2)
    size: int | None = None
    if total is not None:
        if total <= 0:
            raise ValueError("max_total_size should be > 0 ")
        size = int(total)
        if op.attrs["pad_per_class"]:
            if each is None or scores[2] is None:
                size = None
            else:
                size = min(size, int(each) * scores[2])
    batch = boxes[0]
    return [(batch, size, 4), (batch, size), (batch, size), (batch,)]


_T = "T: {float16, float32} = float32"
_THRESHOLD = "T_threshold: {float16, float32} = float32"
_PAD = "pad_to_max_output_size: bool = false"

op(
    "NonMaxSuppression",
    "boxes: float32, scores: float32, max_output_size: int32 -> selected_indices: int32",
    "iou_threshold: float = 0.5",
    shape=_suppression,
)
op(
    "NonMaxSuppressionV2",
    "boxes: T, scores: T, max_output_size: int32, iou_threshold: T_threshold -> selected_indices: int32",
    _T,
    _THRESHOLD,
    shape=_suppression,
)
op(
    "NonMaxSuppressionV3",
    "boxes: T, scores: T, max_output_size: int32, iou_threshold: T_threshold, score_threshold: T_threshold -> "
    "selected_indices: int32",
    _T,
    _THRESHOLD,
    shape=_suppression,
)
op(
    "NonMaxSuppressionV4",
    "boxes: T, scores: T, max_output_size: int32, iou_threshold: T_threshold, score_threshold: T_threshold -> "
    "selected_indices: int32, valid_outputs: int32",
    _T,
    _THRESHOLD,
    _PAD,
    shape=_suppression_v4,
)
op(
    "NonMaxSuppressionV5",
    "boxes: T, scores: T, max_output_size: int32, iou_threshold: T, score_threshold: T, soft_nms_sigma: T -> "
    "selected_indices: int32, selected_scores: T, valid_outputs: int32",
    _T,
    _PAD,
    shape=_suppression_v5,
)
op(
    "NonMaxSuppressionWithOverlaps",
    "overlaps: float32, scores: float32, max_output_size: int32, overlap_threshold: float32, score_threshold: float32 "
    "-> selected_indices: int32",
    shape=_with_overlaps,
)
op(
    "CombinedNonMaxSuppression",
    "boxes: float32, scores: float32, max_output_size_per_class: int32, max_total_size: int32, iou_threshold: float32, "
    "score_threshold: float32 -> nmsed_boxes: float32, nmsed_scores: float32, nmsed_classes: float32, "
    "valid_detections: int32",
    "pad_per_class: bool = false",
    "clip_boxes: bool = true",
    shape=_combined,
)
