"""Matrix products, with what follows them."""

from __future__ import annotations

from typing import Any

from runstep.kernels.onednn import api as c
from runstep.kernels.onednn.api import Unsupported
from runstep.kernels.onednn.conv import Affine
from runstep.kernels.onednn.elementwise import finish
from runstep.kernels.onednn.lowering import Lowering, lowers
from runstep.kernels.onednn.program import Value, constant


@lowers("MatMul")
def matmul(lowering: Lowering, node: Any, inputs: list[Value]) -> Value:
    x, w = inputs
    if len(x.shape) != 2 or len(w.shape) != 2:
        raise Unsupported("MatMul")
    rows, inner = x.shape[::-1] if node.attrs["transpose_a"] else x.shape
    taken, columns = w.shape[::-1] if node.attrs["transpose_b"] else w.shape
    if inner != taken or not rows * inner * columns:
        raise Unsupported("MatMul")
    b = lowering.b
    b.sized(2 * rows * inner * columns)
    posts = lowering.tail(node, (rows, columns))
    affine = Affine(node, posts, columns, 2, scales=w.array is not None)
    if affine.scale is not None:
        w = constant(w.array * (affine.scale[:, None] if node.attrs["transpose_b"] else affine.scale))
    source = c.strided(b.api, (rows, inner), (1, rows) if node.attrs["transpose_a"] else (inner, 1))
    plain = c.strided(b.api, (inner, columns), (1, inner) if node.attrs["transpose_b"] else (columns, 1))
    weights = b.any((inner, columns)) if w.array is not None else plain
    result = b.new((rows, columns))
    target, bias = b.desc(result), c.strided(b.api, (1, columns), (columns, 1))

    def make(attributes: Any) -> Any:
        return b.primitive("matmul", source, weights, bias if affine.bias is not None else None, target, attributes)

    primitive, arguments, last = lowering.fused(node, posts, 2, make, last=affine.last)
    chosen = primitive.layout(c.QUERY_WEIGHTS, (inner, columns))
    w_home = b.arranged(w, plain, chosen)
    if affine.bias is not None:
        arguments.append((c.ARG_BIAS, constant(affine.bias).home, bias))
    b.run(
        primitive,
        [(c.ARG_SRC, x.home, source), (c.ARG_WEIGHTS, w_home, chosen), (c.ARG_DST, result.home, target), *arguments],
    )
    finish(lowering, node, last, result)
    return result
