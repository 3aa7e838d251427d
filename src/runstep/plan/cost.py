"""What a node costs, in microseconds of one thread, told from shapes: a rule of thumb, right to a factor of two or so.

It decides what is worth a thread, never what is computed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

from runstep.plan.frames import Frame, Item
from runstep.plan.node import PASS, PlanNode, root
from runstep.plan.sizes import Sizes

HEAVY = 300.0
"""Microseconds from which work is worth a thread of its own."""

_FLOPS = 30_000.0  # multiplications and additions a microsecond, in BLAS
_FASTER = 2  # times, that is a region's library than BLAS
_LAPACK = 4_000.0  # in decompositions
_BYTES = 8_000.0  # moved a microsecond
TURNS = 10
"""That a loop is taken to make."""

_CALL = 0.5  # microseconds of any kernel

# Microseconds an element, beside the bytes.
_PER_ELEMENT = {
    **dict.fromkeys("Exp Log Tanh Sigmoid Softmax LogSoftmax Elu Selu Softplus Sqrt Rsqrt Expm1 Log1p".split(), 0.001),
    **dict.fromkeys("Pow Sin Cos Tan Sinh Cosh Asin Acos Atan Atan2 Asinh Acosh Atanh FloorMod".split(), 0.01),
    **dict.fromkeys("Erf Erfc Erfinv Ndtri Lgamma Digamma Igamma Igammac Betainc Zeta Polygamma".split(), 0.05),
    **dict.fromkeys("TopK TopKV2 Unique UniqueV2 UniqueWithCounts Where NonMaxSuppressionV3".split(), 0.05),
    **dict.fromkeys("RandomUniform RandomStandardNormal TruncatedNormal RandomUniformInt".split(), 0.005),
    **dict.fromkeys("ResizeBilinear ResizeBicubic ResizeNearestNeighbor".split(), 0.005),
    **dict.fromkeys("MaxPool AvgPool MaxPoolGrad AvgPoolGrad LRN".split(), 0.005),
}

_FOREIGN = frozenset(("PyFunc", "PyFuncStateless", "EagerPyFunc", "IteratorGetNext", "MapDefun"))
"""Run for as long as somebody else's code likes."""


def _product(node: PlanNode, sizes: Sizes) -> float:
    """Of matrices: for [m, k] @ [k, n] the root of mk * kn * mn is mkn."""
    out = sizes.shape((node, 0))
    if not out or len(node.inputs) < 2:
        return 0.0
    batch = math.prod(size or 1 for size in out[:-2])
    parts = sizes.count(root(node.inputs[0])) * sizes.count(root(node.inputs[1])) * sizes.count((node, 0))
    return 2 * math.sqrt(parts / max(batch, 1)) / _FLOPS


def _window(weights: int, data: int | None) -> Callable[[PlanNode, Sizes], float]:
    """Of convolutions: each element of `data` (an input, or the output when None) takes a column of the weights."""

    def cost(node: PlanNode, sizes: Sizes) -> float:
        kernel = root(node.inputs[weights]) if weights >= 0 else (node, 0)
        shape = sizes.shape(kernel)
        if not shape or not shape[-1]:
            return 0.0
        many = sizes.count((node, 0) if data is None else root(node.inputs[data]))
        return 2 * many * sizes.count(kernel) / shape[-1] / _FLOPS

    return cost


def _depthwise(node: PlanNode, sizes: Sizes) -> float:
    shape = sizes.shape(root(node.inputs[1]))
    if not shape or len(shape) < 2:
        return 0.0
    return 2 * sizes.count((node, 0)) * (shape[0] or 1) * (shape[1] or 1) / _BYTES


def _cubic(factor: float) -> Callable[[PlanNode, Sizes], float]:
    """Of decompositions of matrices."""

    def cost(node: PlanNode, sizes: Sizes) -> float:
        shape = sizes.shape(root(node.inputs[0]))
        if not shape or len(shape) < 2:
            return 0.0
        return factor * sizes.count(root(node.inputs[0])) * (shape[-1] or 0) / _LAPACK

    return cost


_RULES: dict[str, Callable[[PlanNode, Sizes], float]] = {
    **dict.fromkeys(
        "MatMul BatchMatMul BatchMatMulV2 BatchMatMulV3 Einsum _FusedMatMul _MatMulChain".split(), _product
    ),
    **dict.fromkeys("Conv2D Conv3D Conv _FusedConv2D _Conv2DChain".split(), _window(1, None)),
    **dict.fromkeys("Conv2DBackpropInput Conv3DBackpropInputV2 _Conv2DBackpropInputChain".split(), _window(1, 2)),
    **dict.fromkeys("Conv2DBackpropFilter Conv3DBackpropFilterV2".split(), _window(-1, 2)),
    **dict.fromkeys(
        "DepthwiseConv2dNative _FusedDepthwiseConv2dNative _DepthwiseConv2dNativeChain".split(), _depthwise
    ),
    **dict.fromkeys("Cholesky MatrixInverse MatrixSolve MatrixTriangularSolve MatrixDeterminant".split(), _cubic(1)),
    **dict.fromkeys("Qr SelfAdjointEigV2 LogMatrixDeterminant".split(), _cubic(4)),
    **dict.fromkeys("Svd Eig".split(), _cubic(16)),
}


def cost_of(node: PlanNode, sizes: Sizes) -> float:
    """Microseconds of one call."""
    op = node.op
    if op is None or node.known is not None or node.kernel is None or node.kernel is PASS:
        return 0.0
    moved = 0
    if not (node.row is not None and node.row.view):
        for index in range(len(op.outputs)):
            moved += sizes.nbytes((node, index))
        for ref in node.inputs:
            moved += sizes.nbytes(root(ref))
    found = _CALL + node.inner_cost + moved / _BYTES + _products(node, sizes)
    if node.parts:
        found += sum(_products(part, sizes) for part in node.parts) / _FASTER
    per_element = _PER_ELEMENT.get(node.type)
    if per_element is not None:
        found += per_element * max(sizes.count((node, 0)), sizes.count(root(node.inputs[0])) if node.inputs else 0)
    return found


def flops_of(node: PlanNode, sizes: Sizes) -> float:
    """Multiplications and additions of one call of a product, a convolution, or a region of these; 0 for all else."""
    if node.kernel is PASS:  # it hands on what a region computed
        return 0.0
    return sum(_products(part, sizes) for part in (node, *node.parts)) * _FLOPS


def _products(node: PlanNode, sizes: Sizes) -> float:
    """Microseconds of a product or a convolution by BLAS; 0 for all else."""
    rule = _RULES.get(node.type)
    return 0.0 if rule is None else rule(node, sizes)


def item_cost(item: Item, sizes: Sizes) -> float:
    """Microseconds of a node, or of all turns of a loop."""
    if not isinstance(item, PlanNode):
        return TURNS * sum(item_cost(inner, sizes) for inner in item.region.items)
    kind = sizes.kinds.get(item)
    if kind is None or item.inner_cost or item.parts or item.kernel is PASS:
        return cost_of(item, sizes)
    if kind.cost < 0:
        kind.cost = cost_of(item, sizes)
    return kind.cost


def may_take_any_time(items: Iterable[Item]) -> bool:
    """Whether there is a loop among them, or foreign code: nobody can say when they end."""
    for item in items:
        if isinstance(item, Frame) or item.endless or item.type in _FOREIGN:
            return True
    return False
