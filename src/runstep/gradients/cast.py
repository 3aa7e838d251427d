"""Gradients of changes of type and of the parts of complex numbers."""

from __future__ import annotations

from typing import Any

from runstep.gradients.broadcasting import unbroadcast
from runstep.gradients.registry import gradient
from runstep.graph import dtypes
from runstep.graph.apply import apply
from runstep.graph.operation import Operation
from runstep.graph.tensor import Tensor
from runstep.ops.creation import zeros_like

_DIFFERENTIABLE = frozenset(
    (
        dtypes.float16,
        dtypes.float32,
        dtypes.float64,
        dtypes.bfloat16,
        dtypes.complex64,
        dtypes.complex128,
    )
)


@gradient("Cast")
def _cast(op: Operation, grad: Any) -> Any:
    source, target = op.inputs[0].dtype.base_dtype, grad.dtype.base_dtype
    if source in _DIFFERENTIABLE and target in _DIFFERENTIABLE:
        return apply("Cast", grad, DstT=source)
    return None


def _complex(real: Any, imag: Any) -> Tensor:
    kind = dtypes.complex64 if real.dtype.base_dtype is dtypes.float32 else dtypes.complex128
    return apply("Complex", real, imag, Tout=kind)


def _part(op: str, number: Tensor) -> Tensor:
    return apply(op, number, Tout=number.dtype.real_dtype)


@gradient("Complex")
def _of_complex(op: Operation, grad: Any) -> Any:
    to_real, to_imag = unbroadcast(*op.inputs)
    return to_real(_part("Real", grad)), to_imag(_part("Imag", grad))


@gradient("Real")
def _real(op: Operation, grad: Any) -> Any:
    return _complex(grad, zeros_like(grad))


@gradient("Imag")
def _imag(op: Operation, grad: Any) -> Any:
    return _complex(zeros_like(grad), grad)


@gradient("Angle")
def _angle(op: Operation, grad: Any) -> Any:
    (x,) = op.inputs
    across = apply("Reciprocal", _complex(_part("Imag", x), _part("Real", x)))
    return apply("Mul", -_complex(grad, zeros_like(grad)), across)


@gradient("Conj")
def _conj(op: Operation, grad: Any) -> Any:
    return apply("Conj", grad)


@gradient("ComplexAbs")
def _complex_abs(op: Operation, grad: Any) -> Any:
    size = op.outputs[0]
    pointing = apply("Mul", _complex(grad, zeros_like(grad)), op.inputs[0])
    return apply("DivNoNan", pointing, _complex(size, zeros_like(size)))
