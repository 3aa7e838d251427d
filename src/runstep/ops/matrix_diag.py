"""Ops on diagonals and bands of (batches of) matrices."""

from __future__ import annotations

from typing import Any

from runstep.graph import shapes
from runstep.graph.apply import apply
from runstep.graph.convert import convert_to_tensor
from runstep.graph.shapes import RawShape
from runstep.graph.tensor import Tensor
from runstep.ops.common import Shapes, unknown
from runstep.ops.registry import op

__all__ = ["matrix_band_part", "matrix_diag", "matrix_diag_part", "matrix_set_diag"]


# --- static shape rules -------------------------------------------------------------------------------------------


def _bounds(op: Any, index: int) -> tuple[int, int] | None:
    """The lower and upper diagonal that input `index` names, or None while that is unknown."""
    k = op.constant(index)
    if k is None:
        return None
    values = k.reshape(-1).tolist()
    if k.ndim > 1 or len(values) not in (1, 2):
        raise ValueError("diag_index must be a scalar or vector with one or two elements")
    if values[0] > values[-1]:
        raise ValueError("lower_diag_index is greater than upper_diag_index")
    return values[0], values[-1]


def _diag(op: Any) -> Shapes:
    raw = shapes.with_rank_at_least(op.inputs[0].raw_shape, 1)
    return [None if raw is None else (*raw, raw[-1])]


def _diag_v3(op: Any) -> Shapes:
    raw, bounds = shapes.with_rank_at_least(op.inputs[0].raw_shape, 1), _bounds(op, 1)
    if raw is None or bounds is None:
        return [None]
    lower, upper = bounds
    rows, columns = [None if value is None or value == -1 else int(value) for value in (op.constant(2), op.constant(3))]
    known = [op.constant(index) is not None for index in (2, 3)]
    count = upper - lower + 1
    if count > 1:
        if len(raw) < 2 or (raw[-2] is not None and raw[-2] != count):
            raise ValueError(
                "The number of rows of `diagonal` doesn't match the number of diagonals implied from `d_lower` and "
                f"`d_upper`.\nnum_diags = {count}, d_lower = {lower}, d_upper = {upper}, "
                f"input_rank = {len(raw)}, other_input_dim = {raw[-2] if len(raw) > 1 else None}"
            )
    batch = raw[:-2] if count > 1 else raw[:-1]
    width = raw[-1]
    if width is None:
        return [(*batch, rows, columns)]
    least_rows, least_columns = width - min(upper, 0), width + max(lower, 0)
    if rows is not None and rows < least_rows:
        raise ValueError("num_rows is too small")
    if columns is not None and columns < least_columns:
        raise ValueError("num_cols is too small.")
    if all(known):
        if rows is None and columns is None:
            rows = columns = max(least_rows, least_columns)
        elif rows is None:
            rows = least_rows
        elif columns is None:
            columns = least_columns
        if rows != least_rows and columns != least_columns:
            raise ValueError(
                "num_rows and num_cols are not consistent with lower_diag_index, upper_diag_index, "
                "and the length of the given diagonals."
            )
    return [(*batch, rows, columns)]


def _diag_part(op: Any) -> Shapes:
    raw = shapes.with_rank_at_least(op.inputs[0].raw_shape, 2)
    if raw is None:
        return [None]
    rows, columns = raw[-2:]
    return [(*raw[:-2], 0 if rows == 0 or columns == 0 else _width(rows, columns, 0, 0))]


def _check_bounds(rows: int | None, columns: int | None, lower: int, upper: int) -> None:
    if rows is None or columns is None:
        return
    for what, value in (("lower", lower), ("upper", upper)):
        if not (-rows < value < columns or value == 0):
            raise ValueError(f"{what}_diag_index is out of bound.")


def _width(rows: int | None, columns: int | None, lower: int, upper: int) -> int | None:
    if rows is None or columns is None:
        return None
    return min(rows + min(upper, 0), columns - max(lower, 0))


def _diag_part_v3(op: Any) -> Shapes:
    raw = shapes.with_rank_at_least(op.inputs[0].raw_shape, 2)
    bounds = None if raw is None else _bounds(op, 1)
    if raw is None or bounds is None:
        return [None]
    lower, upper = bounds
    rows, columns = raw[-2:]
    _check_bounds(rows, columns, lower, upper)
    count = upper - lower + 1
    return [(*raw[:-2], *([count] if count > 1 else []), _width(rows, columns, lower, upper))]


def _set_diag(op: Any) -> Shapes:
    raw = shapes.with_rank_at_least(op.inputs[0].raw_shape, 2)
    diagonal = shapes.with_rank_at_least(op.inputs[1].raw_shape, 1)
    if raw is None:
        return [None if diagonal is None else (*diagonal[:-1], None, None)]
    width = None if None in raw[-2:] else min(raw[-2:])  # type: ignore[type-var]
    shapes.merge(diagonal, (*raw[:-2], width))
    return [(*_merged_batch(raw[:-2], None if diagonal is None else diagonal[:-1]), *raw[-2:])]


def _merged_batch(a: RawShape, b: RawShape) -> tuple[int | None, ...]:
    return shapes.merge(a, b) or ()


def _set_diag_v3(op: Any) -> Shapes:
    raw = shapes.with_rank_at_least(op.inputs[0].raw_shape, 2)
    diagonal = shapes.with_rank_at_least(op.inputs[1].raw_shape, 1)
    shapes.with_rank_at_most(op.inputs[2].raw_shape, 1)
    bounds = _bounds(op, 2)
    if bounds is None:
        if raw is None and diagonal is not None and op.inputs[2].raw_shape == ():
            return [(*diagonal[:-1], None, None)]
        return [raw]
    lower, upper = bounds
    count = upper - lower + 1
    lines = 1 if count > 1 else 0
    if raw is None:
        if diagonal is None:
            return [None]
        shapes.with_rank_at_least(diagonal, 1 + lines)
        return [(*diagonal[: len(diagonal) - 1 - lines], None, None)]
    rows, columns = raw[-2:]
    _check_bounds(rows, columns, lower, upper)
    batch: RawShape = raw[:-2]
    if diagonal is not None:
        shapes.with_rank(diagonal, len(raw) - 1 + lines)
        if lines:
            shapes.merge_size(diagonal[-2], count)
        batch = _merged_batch(batch, diagonal[: len(diagonal) - 1 - lines])
    return [(*(batch or ()), rows, columns)]


def _band_part(op: Any) -> Shapes:
    for tensor in op.inputs[1:]:
        shapes.with_rank(tensor.raw_shape, 0)
    return [op.inputs[0].raw_shape]


_ALIGN = "align: {'LEFT_RIGHT', 'RIGHT_LEFT', 'LEFT_LEFT', 'RIGHT_RIGHT'} = 'RIGHT_LEFT'"

op("MatrixDiag", "diagonal: T -> output: T", "T: type", shape=_diag)
_DIAG = "diagonal: T, k: int32, num_rows: int32, num_cols: int32, padding_value: T -> output: T"
op("MatrixDiagV2", _DIAG, "T: type", shape=_diag_v3)
op("MatrixDiagV3", _DIAG, "T: type", _ALIGN, shape=_diag_v3)
op("MatrixDiagPart", "input: T -> diagonal: T", "T: type", shape=_diag_part)
_DIAG_PART = "input: T, k: int32, padding_value: T -> diagonal: T"
op("MatrixDiagPartV2", _DIAG_PART, "T: type", shape=_diag_part_v3)
op("MatrixDiagPartV3", _DIAG_PART, "T: type", _ALIGN, shape=_diag_part_v3)
op("MatrixSetDiag", "input: T, diagonal: T -> output: T", "T: type", shape=_set_diag)
_SET_DIAG = "input: T, diagonal: T, k: int32 -> output: T"
op("MatrixSetDiagV2", _SET_DIAG, "T: type", shape=_set_diag_v3)
op("MatrixSetDiagV3", _SET_DIAG, "T: type", _ALIGN, shape=_set_diag_v3)
op(
    "MatrixBandPart",
    "input: T, num_lower: Tindex, num_upper: Tindex -> band: T",
    "T: type",
    "Tindex: {int32, int64} = int64",
    shape=_band_part,
)
# The names that they had when there were others for single matrices: nothing is known of their shapes.
op("BatchMatrixDiag", "diagonal: T -> output: T", "T: type", shape=unknown)
op("BatchMatrixDiagPart", "input: T -> diagonal: T", "T: type", shape=unknown)
op("BatchMatrixSetDiag", "input: T, diagonal: T -> output: T", "T: type", shape=unknown)
op("BatchMatrixBandPart", "input: T, num_lower: int64, num_upper: int64 -> band: T", "T: type", shape=unknown)


# --- user functions -----------------------------------------------------------------------------------------------


def _padding(value: Any, like: Tensor) -> Any:
    dtype = like.dtype.base_dtype
    return bool(value) if dtype.is_bool else value


def matrix_diag(
    diagonal: Any,
    name: str = "diag",
    k: Any = 0,
    num_rows: Any = -1,
    num_cols: Any = -1,
    padding_value: Any = 0,
    align: str = "RIGHT_LEFT",
) -> Tensor:
    """Matrices with the given diagonals k (a number, or lower and upper), `padding_value` else.

    Mirrors `tf.linalg.diag`. Diagonals are lines of the last two axes, the uppermost first; `align` says where
    those that are shorter start, above and below the main one.
    """
    diagonal = convert_to_tensor(diagonal, name="diagonal")
    value = _padding(padding_value, diagonal)
    return apply("MatrixDiagV3", diagonal, k, num_rows, num_cols, value, align=align, name=name)


diag = matrix_diag


def matrix_diag_part(
    input: Any, name: str = "diag_part", k: Any = 0, padding_value: Any = 0, align: str = "RIGHT_LEFT"
) -> Tensor:
    """The diagonals k (a number, or lower and upper) of matrices. Mirrors `tf.linalg.diag_part`."""
    input = convert_to_tensor(input, name="input")
    return apply("MatrixDiagPartV3", input, k, _padding(padding_value, input), align=align, name=name)


diag_part = matrix_diag_part


def matrix_set_diag(input: Any, diagonal: Any, name: str = "set_diag", k: Any = 0, align: str = "RIGHT_LEFT") -> Tensor:
    """Matrices with the diagonals k (a number, or lower and upper) replaced. Mirrors `tf.linalg.set_diag`."""
    return apply("MatrixSetDiagV3", input, diagonal, k, align=align, name=name)


set_diag = matrix_set_diag


def matrix_band_part(input: Any, num_lower: Any, num_upper: Any, name: str | None = None) -> Tensor:
    """The matrices, zero outside of the band of diagonals; a negative number keeps all on that side.

    Mirrors `tf.linalg.band_part`.
    """
    return apply("MatrixBandPart", input, num_lower, num_upper, name=name)
