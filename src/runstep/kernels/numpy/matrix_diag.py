"""Kernels for diagonals and bands of (batches of) matrices.

Which matrix element belongs to which place of a packed band depends only on sizes: those index arrays are cached.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np

from runstep.kernels.numpy.shape_ops import invalid, text
from runstep.kernels.registry import Kernel, Node, numpy_kernel

Places = tuple[Any, Any, Any, Any]


@functools.lru_cache(maxsize=64)
def _places(rows: int, columns: int, lower: int, upper: int, width: int, align: bytes) -> Places:
    """Where the elements of diagonals lower .. upper are: (row, column) in the matrix, (line, place) in the band.

    The band has a line per diagonal, the uppermost first, each `width` long; `align` says where shorter ones start.
    """
    row, column = np.indices((rows, columns))
    diagonal = column - row
    inside = (diagonal >= lower) & (diagonal <= upper)
    row, column, diagonal = row[inside], column[inside], diagonal[inside]
    length = np.minimum(rows + np.minimum(diagonal, 0), columns - np.maximum(diagonal, 0))
    above, below = align.split(b"_")
    left = ((diagonal >= 0) & (above == b"LEFT")) | ((diagonal <= 0) & (below == b"LEFT"))
    place = np.minimum(row, column) + np.where(left, 0, width - length)
    return row, column, upper - diagonal, place


def _bounds(k: Any) -> tuple[int, int]:
    if k.ndim == 1 and k.size not in (1, 2):
        invalid(f"diag_index must have only one or two elements, received {k.size} elements.")
    if k.ndim > 1:
        invalid(f"diag_index must be a scalar or vector, received shape: {text(k.shape)}")
    values = k.reshape(-1).tolist()
    lower, upper = values[0], values[-1]
    if lower > upper:
        invalid(f"lower_diag_index must not be larger than upper_diag_index: {lower} > {upper}")
    return lower, upper


def _check_bounds(rows: int, columns: int, lower: int, upper: int, part: bool = False) -> None:
    for what, value in (("lower", lower), ("upper", upper)):
        if not (-rows < value < columns or value == 0):
            stop = "." if part and what == "lower" else ""
            invalid(f"{what}_diag_index is out of bound: {value}{stop} It must be between {-rows} and {columns}")


def _matrix(value: Any) -> None:
    if value.ndim < 2:
        invalid(f"input must be at least 2-dim, received shape: {text(value.shape)}")


def _width(rows: int, columns: int, lower: int, upper: int) -> int:
    return min(rows + min(upper, 0), columns - max(lower, 0))


def _align(node: Node) -> bytes:
    found: bytes = node.attrs.get("align", b"LEFT_LEFT")
    return found


# --- MatrixDiag ---------------------------------------------------------------------------------------------------


def _diag(diagonal: Any, lower: int, upper: int, rows: int, columns: int, padding: Any, align: bytes) -> Any:
    if not diagonal.ndim:
        invalid(f"diagonal must be at least 1-dim, received shape: {text(diagonal.shape)}")
    count = upper - lower + 1
    if count > 1 and (diagonal.ndim < 2 or diagonal.shape[-2] != count):
        invalid(
            "The number of diagonals provided in the input does not match the lower_diag_index and upper_diag_index "
            "range."
        )
    width = diagonal.shape[-1]
    least_rows, least_columns = width - min(upper, 0), width + max(lower, 0)
    if rows == columns == -1:
        rows = columns = max(least_rows, least_columns)
    elif rows == -1:
        rows = least_rows
    elif columns == -1:
        columns = least_columns
    if rows < least_rows:
        invalid("The number of rows is too small.")
    if columns < least_columns:
        invalid("The number of columns is too small.")
    if rows != least_rows and columns != least_columns:
        invalid("The number of rows or columns is not consistent with the specified d_lower, d_upper, and diagonal.")
    band = diagonal if count > 1 else diagonal[..., None, :]
    if math.prod(band.shape[:-2]) * rows * columns >= 2**63:
        invalid(f"Encountered overflow when multiplying {rows} with {columns}")
    out = np.empty((*band.shape[:-2], rows, columns), diagonal.dtype)
    out.fill(padding)
    row, column, line, place = _places(rows, columns, lower, upper, width, align)
    out[..., row, column] = band[..., line, place]
    return out


@numpy_kernel("MatrixDiag", "BatchMatrixDiag")
def matrix_diag(diagonal: Any) -> Any:
    if not diagonal.ndim:
        invalid(f"diagonal must be at least 1-dim, received shape: {text(diagonal.shape)}")
    size = diagonal.shape[-1]
    out = np.zeros((*diagonal.shape, size), diagonal.dtype)
    at = np.arange(size)
    out[..., at, at] = diagonal
    return out


@numpy_kernel.make("MatrixDiagV2", "MatrixDiagV3")
def matrix_diag_v3(node: Node) -> Kernel:
    align = _align(node)

    def kernel(diagonal: Any, k: Any, rows: Any, columns: Any, padding: Any) -> Any:
        for what, value in (("num_rows", rows), ("num_cols", columns), ("padding_value", padding)):
            if value.ndim:
                invalid(f"{what} must be a scalar")
        return _diag(diagonal, *_bounds(k), int(rows), int(columns), padding, align)

    return kernel


# --- MatrixDiagPart -----------------------------------------------------------------------------------------------


@numpy_kernel("MatrixDiagPart", "BatchMatrixDiagPart")
def matrix_diag_part(value: Any) -> Any:
    _matrix(value)
    at = np.arange(min(value.shape[-2:]))
    return value[..., at, at]


@numpy_kernel.make("MatrixDiagPartV2", "MatrixDiagPartV3")
def matrix_diag_part_v3(node: Node) -> Kernel:
    align = _align(node)

    def kernel(value: Any, k: Any, padding: Any) -> Any:
        if padding.size != 1:
            invalid("Padding must be scalar.")
        _matrix(value)
        lower, upper = _bounds(k)
        rows, columns = value.shape[-2:]
        _check_bounds(rows, columns, lower, upper, part=True)
        width = _width(rows, columns, lower, upper)
        out = np.empty((*value.shape[:-2], upper - lower + 1, width), value.dtype)
        out[...] = padding.reshape(())
        row, column, line, place = _places(rows, columns, lower, upper, width, align)
        out[..., line, place] = value[..., row, column]
        return out if upper > lower else out[..., 0, :]

    return kernel


# --- MatrixSetDiag ------------------------------------------------------------------------------------------------


def _set_diag(value: Any, diagonal: Any, lower: int, upper: int, align: bytes) -> Any:
    _matrix(value)
    rows, columns = value.shape[-2:]
    _check_bounds(rows, columns, lower, upper)
    width = _width(rows, columns, lower, upper)
    count = upper - lower + 1
    wanted = (*value.shape[:-2], *([count] if count > 1 else []), width)
    if diagonal.shape != wanted:
        invalid(
            "Either first dimensions of diagonal don't match input.shape[:-2], or diagonal.shape[:-1] is not equal to "
            f"the longests diagonal in range [lower_diag_index:upper_diag_index].\nInput shape: {text(value.shape)}\n"
            f"Diagonal shape: {text(diagonal.shape)}\nExpected diagonal shape: {text(wanted)}"
        )
    out = value.copy()
    band = diagonal if count > 1 else diagonal[..., None, :]
    row, column, line, place = _places(rows, columns, lower, upper, width, align)
    out[..., row, column] = band[..., line, place]
    return out


@numpy_kernel("MatrixSetDiag", "BatchMatrixSetDiag")
def matrix_set_diag(value: Any, diagonal: Any) -> Any:
    return _set_diag(value, diagonal, 0, 0, b"LEFT_LEFT")


@numpy_kernel.make("MatrixSetDiagV2", "MatrixSetDiagV3")
def matrix_set_diag_v3(node: Node) -> Kernel:
    align = _align(node)
    return lambda value, diagonal, k: _set_diag(value, diagonal, *_bounds(k), align)


# --- MatrixBandPart -----------------------------------------------------------------------------------------------


@functools.lru_cache(maxsize=64)
def _outside_band(rows: int, columns: int, below: int, above: int) -> Any:
    offset = np.arange(columns) - np.arange(rows)[:, None]
    return ((below >= 0) & (-offset > below)) | ((above >= 0) & (offset > above))


@numpy_kernel("MatrixBandPart", "BatchMatrixBandPart")
def matrix_band_part(value: Any, below: Any, above: Any) -> Any:
    _matrix(value)
    rows, columns = value.shape[-2:]
    if below.ndim or above.ndim:
        invalid("num_lower and num_upper must be scalars")
    if below > rows:
        invalid(f"num_lower must be negative or less or equal to number of rows ({rows}) got: {below}")
    if above > columns:
        invalid(f"num_upper must be negative or less or equal to number of columns ({columns}) got: {above}")
    out = value.copy()
    out[..., _outside_band(rows, columns, int(below), int(above))] = 0
    return out
