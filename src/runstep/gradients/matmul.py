"""Gradients of matrix products: products again."""

from __future__ import annotations

from typing import Any

from runstep.gradients.broadcasting import conj, unbroadcast_batch
from runstep.gradients.registry import gradient
from runstep.graph import dtypes
from runstep.graph.apply import apply
from runstep.graph.operation import Operation
from runstep.graph.tensor import Tensor
from runstep.ops.rearranging import transpose


@gradient("MatMul")
def _matmul(op: Operation, grad: Any) -> Any:
    a, b = op.inputs
    a, b = conj(a), conj(b)
    flip_a, flip_b = op.attrs["transpose_a"], op.attrs["transpose_b"]

    def product(x: Any, y: Any, flip_x: bool, flip_y: bool, **of: Any) -> Tensor:
        return apply("MatMul", x, y, transpose_a=flip_x, transpose_b=flip_y, **of)

    if flip_a:
        to_a = product(b, grad, flip_b, True, grad_b=True)
    else:
        to_a = product(grad, b, False, not flip_b, grad_a=True)
    if flip_b:
        to_b = product(grad, a, True, flip_a, grad_a=True)
    else:
        to_b = product(a, grad, not flip_a, False, grad_b=True)
    return to_a, to_b


def _of_batches(op: Operation, grad: Any) -> tuple[Tensor, Tensor]:
    x, y = op.inputs
    flip_x, flip_y = op.attrs["adj_x"], op.attrs["adj_y"]

    def product(a: Any, b: Any, flip_a: bool, flip_b: bool, like: Tensor, **attrs: Any) -> Tensor:
        if "Tout" in op.attrs:
            attrs["Tout"] = like.dtype.base_dtype
        return apply(op.type, a, b, adj_x=flip_a, adj_y=flip_b, **attrs)

    if flip_x:
        to_x = product(y, grad, flip_y, True, x, grad_y=True)
    else:
        to_x = product(grad, y, False, not flip_y, x, grad_x=True)
    if flip_y:
        to_y = product(grad, x, True, flip_x, y, grad_x=True)
    else:
        to_y = product(x, grad, not flip_x, False, y, grad_y=True)
    return to_x, to_y


@gradient("BatchMatMul")
def _batch_matmul(op: Operation, grad: Any) -> Any:
    return _of_batches(op, grad)


@gradient("BatchMatMulV2", "BatchMatMulV3")
def _stretched_batch_matmul(op: Operation, grad: Any) -> Any:
    x, y = op.inputs
    sum_x, sum_y = unbroadcast_batch(x, y)
    to_x, to_y = _of_batches(op, grad)
    return sum_x(to_x), sum_y(to_y)


@gradient("SparseMatMul")
def _sparse_matmul(op: Operation, grad: Any) -> Any:
    a, b = op.inputs
    flip_a, flip_b = op.attrs["transpose_a"], op.attrs["transpose_b"]
    sparse = {
        id(a): op.attrs["a_is_sparse"],
        id(b): op.attrs["b_is_sparse"],
        id(grad): grad.op.type == "ReluGrad",
    }

    def product(x: Tensor, y: Tensor, flip_x: bool, flip_y: bool, like: Tensor) -> Tensor:
        x_is_sparse, y_is_sparse = sparse[id(x)], sparse[id(y)]
        found: Tensor = apply(
            "SparseMatMul",
            x,
            transpose(y) if flip_y else y,
            transpose_a=flip_x,
            a_is_sparse=x_is_sparse,
            b_is_sparse=y_is_sparse,
        )
        kind = like.dtype.base_dtype
        return found if kind is dtypes.float32 else apply("Cast", found, DstT=kind)

    to_a = product(b, grad, flip_b, True, a) if flip_a else product(grad, b, False, not flip_b, a)
    to_b = product(grad, a, True, flip_a, b) if flip_b else product(a, grad, not flip_a, False, b)
    return to_a, to_b
