"""Matrix products: op definitions and the `tf.*` functions."""

from __future__ import annotations

from typing import Any

from runstep.graph import dtypes, shapes
from runstep.graph.apply import apply
from runstep.graph.convert import convert_to_tensor
from runstep.graph.graph import name_scope
from runstep.graph.tensor import Tensor, TensorLike
from runstep.ops.cast import conj
from runstep.ops.common import Shapes
from runstep.ops.registry import op

__all__ = ["matmul", "matvec", "sparse_matmul"]


def product(op: Any) -> Shapes:
    a = shapes.with_rank(op.inputs[0].raw_shape, 2)
    b = shapes.with_rank(op.inputs[1].raw_shape, 2)
    rows, inner = reversed(a) if op.attrs["transpose_a"] else a
    also_inner, columns = reversed(b) if op.attrs["transpose_b"] else b
    shapes.merge_size(inner, also_inner)
    return [(rows, columns)]


def _batched(op: Any, *, broadcast: bool) -> Shapes:
    x = shapes.with_rank_at_least(op.inputs[0].raw_shape, 2)
    y = shapes.with_rank_at_least(op.inputs[1].raw_shape, 2)
    if x is None or y is None:
        # Even without broadcasting the other operand could have more axes in a batch that is stretched.
        if broadcast:
            return [None]
        known = x or y
        if known is None:
            return [None]
        x = x or (*known[:-2], None, None)
        y = y or (*known[:-2], None, None)
    rows, inner = (x[-1], x[-2]) if op.attrs["adj_x"] else x[-2:]
    also_inner, columns = (y[-1], y[-2]) if op.attrs["adj_y"] else y[-2:]
    batch = shapes.broadcast(x[:-2], y[:-2]) if broadcast else shapes.merge(x[:-2], y[:-2])
    shapes.merge_size(inner, also_inner)
    return [None if batch is None else (*batch, rows, columns)]


def _stretched_batch(op: Any) -> Shapes:
    return _batched(op, broadcast=True)


def _equal_batch(op: Any) -> Shapes:
    return _batched(op, broadcast=False)


_FLAGS = ("adj_x: bool = false", "adj_y: bool = false", "grad_x: bool = false", "grad_y: bool = false")
op(
    "MatMul",
    "a: T, b: T -> product: T",
    "transpose_a: bool = false",
    "transpose_b: bool = false",
    "T: {bfloat16, float16, float32, float64, int32, int64, uint8, uint16, uint32, uint64, complex64, complex128}",
    "grad_a: bool = false",
    "grad_b: bool = false",
    shape=product,
)
op(
    "BatchMatMul",
    "x: T, y: T -> output: T",
    "T: {bfloat16, float16, float32, float64, int32, int64, complex64, complex128}",
    *_FLAGS,
    shape=_equal_batch,
)
op(
    "BatchMatMulV2",
    "x: T, y: T -> output: T",
    "T: {bfloat16, float16, float32, float64, int16, int32, int64, uint8, uint16, uint32, uint64, complex64, "
    "complex128}",
    *_FLAGS,
    shape=_stretched_batch,
)
op(
    "BatchMatMulV3",
    "x: Ta, y: Tb -> output: Tout",
    "Ta: {bfloat16, float16, float32, float64, uint8, int8, int16, int32, int64, complex64, complex128}",
    "Tb: {bfloat16, float16, float32, float64, uint8, int8, int16, int32, int64, complex64, complex128}",
    "Tout: {bfloat16, float16, float32, float64, int16, int32, int64, complex64, complex128}",
    *_FLAGS,
    shape=_stretched_batch,
)
op(
    "SparseMatMul",
    "a: Ta, b: Tb -> product: float32",
    "transpose_a: bool = false",
    "transpose_b: bool = false",
    "a_is_sparse: bool = false",
    "b_is_sparse: bool = false",
    "Ta: {float32, bfloat16} = float32",
    "Tb: {float32, bfloat16} = float32",
    shape=product,
)

_SPARSE_TYPES = (dtypes.bfloat16, dtypes.float32)


def matmul(
    a: TensorLike,
    b: TensorLike,
    transpose_a: bool = False,
    transpose_b: bool = False,
    adjoint_a: bool = False,
    adjoint_b: bool = False,
    a_is_sparse: bool = False,
    b_is_sparse: bool = False,
    output_type: Any = None,
    grad_a: bool = False,
    grad_b: bool = False,
    name: str | None = None,
) -> Tensor:
    """The matrix product of the last two axes; the axes before them broadcast. Source: `tf.matmul`.

    Args:
      transpose_a, transpose_b: swap the last two axes first; adjoint_a, adjoint_b: conjugate as well.
      a_is_sparse, b_is_sparse: hints that take effect for two matrices.
      output_type: the product's dtype where it is not that of the inputs (int8 to int32).

    Raises:
      ValueError: an operand is both transposed and adjoint, or the shapes do not fit.
    """
    with name_scope(name, "MatMul") as scope:
        for which, transposed, adjoint in (("a", transpose_a, adjoint_a), ("b", transpose_b, adjoint_b)):
            if transposed and adjoint:
                raise ValueError(
                    f"Only one of `transpose_{which}` and `adjoint_{which}` can be True. Received "
                    f"`transpose_{which}`={transposed}, `adjoint_{which}`={adjoint}."
                )
        a = convert_to_tensor(a, name="a")
        b = convert_to_tensor(b, dtype_hint=a.dtype.base_dtype, name="b")
        batched = any(x.raw_shape is None or len(x.raw_shape) > 2 for x in (a, b))
        wants_v3 = output_type is not None and (
            output_type != a.dtype.base_dtype or a.dtype.base_dtype is not b.dtype.base_dtype
        )
        if not (a_is_sparse or b_is_sparse) and (wants_v3 or batched):
            # The batch ops know adjoints only.
            if transpose_a:
                a, adjoint_a = conj(a), True
            if transpose_b:
                b, adjoint_b = conj(b), True
            flags: dict[str, Any] = {
                "adj_x": adjoint_a,
                "adj_y": adjoint_b,
                "grad_x": grad_a,
                "grad_y": grad_b,
                "name": scope,
            }
            if wants_v3:
                return apply("BatchMatMulV3", a, b, Tout=output_type, **flags)
            return apply("BatchMatMulV2", a, b, **flags)
        # The matrix ops know transposes only.
        if adjoint_a:
            a, transpose_a = conj(a), True
        if adjoint_b:
            b, transpose_b = conj(b), True
        if (a_is_sparse or b_is_sparse) and a.dtype.base_dtype in _SPARSE_TYPES and b.dtype.base_dtype in _SPARSE_TYPES:
            product = sparse_matmul(a, b, transpose_a, transpose_b, a_is_sparse, b_is_sparse, name=scope)
            both_short = a.dtype.base_dtype is dtypes.bfloat16 and b.dtype.base_dtype is dtypes.bfloat16
            return apply("Cast", product, DstT=dtypes.bfloat16) if both_short else product
        return apply(
            "MatMul", a, b, transpose_a=transpose_a, transpose_b=transpose_b, grad_a=grad_a, grad_b=grad_b, name=scope
        )


def matvec(
    a: TensorLike,
    b: TensorLike,
    transpose_a: bool = False,
    adjoint_a: bool = False,
    a_is_sparse: bool = False,
    b_is_sparse: bool = False,
    name: str | None = None,
) -> Tensor:
    """The product of matrices `a` and vectors `b` in the last axis. Source: `tf.linalg.matvec`."""
    with name_scope(name, "MatVec"):
        column = apply("ExpandDims", b, -1)
        product = matmul(a, column, transpose_a, False, adjoint_a, False, a_is_sparse, b_is_sparse)
        return apply("Squeeze", product, squeeze_dims=[-1])


def sparse_matmul(
    a: TensorLike,
    b: TensorLike,
    transpose_a: bool = False,
    transpose_b: bool = False,
    a_is_sparse: bool = False,
    b_is_sparse: bool = False,
    name: str | None = None,
) -> Tensor:
    """The product of two float32 or bfloat16 matrices, as float32. Source: `tf.sparse_matmul`."""
    return apply(
        "SparseMatMul",
        a,
        b,
        transpose_a=transpose_a,
        transpose_b=transpose_b,
        a_is_sparse=a_is_sparse,
        b_is_sparse=b_is_sparse,
        name=name,
    )
