"""Gradients of making, taking and setting diagonals."""

from __future__ import annotations

from typing import Any

from runstep.gradients.broadcasting import is_full
from runstep.gradients.registry import gradient
from runstep.graph.apply import apply
from runstep.graph.operation import Operation
from runstep.graph.tensor import Tensor
from runstep.ops.creation import zeros_like


def _align(op: Operation) -> dict[str, Any]:
    return {"align": op.attrs["align"]} if "align" in op.attrs else {}


def _zero(x: Tensor) -> Any:
    return 0 if not x.dtype.is_bool else False


@gradient("MatrixDiag")
def _matrix_diag(op: Operation, grad: Any) -> Any:
    return apply("MatrixDiagPart", grad)


@gradient("MatrixDiagV2", "MatrixDiagV3")
def _matrix_diag_v2(op: Operation, grad: Any) -> Any:
    part = op.type.replace("Diag", "DiagPart")
    return apply(part, grad, op.inputs[1], _zero(grad), **_align(op)), None, None, None, None


@gradient("MatrixDiagPart")
def _matrix_diag_part(op: Operation, grad: Any) -> Any:
    (x,) = op.inputs
    sizes = None if x.raw_shape is None else x.raw_shape[-2:]
    if is_full(sizes) and sizes is not None and sizes[0] == sizes[1]:
        return apply("MatrixDiag", grad)
    return apply("MatrixSetDiag", zeros_like(x), grad)


@gradient("MatrixDiagPartV2", "MatrixDiagPartV3")
def _matrix_diag_part_v2(op: Operation, grad: Any) -> Any:
    x, k, _ = op.inputs
    sizes = None if x.raw_shape is None else x.raw_shape[-2:]
    version = op.type[-2:]
    if sizes is not None and is_full(sizes):
        made = apply(f"MatrixDiag{version}", grad, k, sizes[0], sizes[1], _zero(grad), **_align(op))
        return made, None, None
    return apply(f"MatrixSetDiag{version}", zeros_like(x), grad, k, **_align(op)), None, None


@gradient("MatrixSetDiag")
def _matrix_set_diag(op: Operation, grad: Any) -> Any:
    return apply("MatrixSetDiag", grad, zeros_like(op.inputs[1])), apply("MatrixDiagPart", grad)


@gradient("MatrixSetDiagV2", "MatrixSetDiagV3")
def _matrix_set_diag_v2(op: Operation, grad: Any) -> Any:
    _, diagonal, k = op.inputs
    part = op.type.replace("SetDiag", "DiagPart")
    return (
        apply(op.type, grad, zeros_like(diagonal), k, **_align(op)),
        apply(part, grad, k, _zero(grad), **_align(op)),
        None,
    )


@gradient("MatrixBandPart")
def _matrix_band_part(op: Operation, grad: Any) -> Any:
    return apply("MatrixBandPart", grad, op.inputs[1], op.inputs[2]), None, None
