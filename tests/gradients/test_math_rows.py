"""Gradients of math and array ops against TensorFlow's and central differences, first and second order."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from runstep.ops import registry
from runstep.testing import check_grads, grad_case, of, permutation, positive, real
from runstep.testing.gradients import GradCase
from runstep.testing.values import distinct

INDEX = frozenset(
    """
    Tidx Tindices Taxis Tshift Tlen Tperm Tdim Tmultiples Tshape Tpaddings Index Tindex index_type Tk Tblock_shape
    Tcrops out_type
    """.split()
)
UNIT: dict[str, Any] = {"low": -0.9, "high": 0.9}


def row(op: str, *inputs: Any, types: str = "float64 complex128", index: str = "int32", **more: Any) -> GradCase:
    """A row in these types of numbers, as far as the op takes them, and this type of index."""
    op_def = registry.get(op)
    assert op_def is not None
    narrowed: dict[str, Any] = {}
    for name, attr in op_def.attrs.items():
        if attr.kind != "type" or name in more:
            continue
        if name in INDEX:
            narrowed[name] = [index]
        else:
            allowed = {kind.name for kind in attr.allowed} if attr.allowed is not None else set(types.split())
            narrowed[name] = [kind for kind in types.split() if kind in allowed]
    return grad_case(op, *inputs, types=narrowed, **more)


def unary() -> Iterator[GradCase]:
    for op in "Neg Square Exp Expm1 Sin Cos Tan Sinh Cosh Tanh Sigmoid Asinh Atan".split():
        yield row(op, real(2, 3, low=-1.3, high=1.2))
    for op in "Reciprocal Inv Sqrt Rsqrt Log Log1p".split():
        yield row(op, positive(2, 3))
    for op in "Asin Acos Atanh".split():
        yield row(op, real(2, 3, **UNIT))
    yield row("Acosh", real(2, 3, low=1.2, high=3))
    yield row("Sign", real(2, 4), types="float64")
    yield row("Sign", real(2, 4), types="complex128", numeric=False)  # TensorFlow's is 0 for these too
    for op in "Abs Relu Relu6 Elu Selu Softplus Softsign LeakyRelu Softmax LogSoftmax".split():
        yield row(op, real(2, 4, low=-2, high=7))
    for op in "ReciprocalGrad InvGrad SqrtGrad RsqrtGrad TanhGrad SigmoidGrad".split():
        yield row(op, positive(2, 3), real(2, 3), rtol=1e-9)
    for op in "ReluGrad Relu6Grad EluGrad SeluGrad LeakyReluGrad SoftplusGrad".split():
        yield row(op, real(2, 3), real(2, 3))
    for op in ("Real", "Imag", "Conj", "Angle", "ComplexAbs"):
        yield row(op, real(2, 3), types="complex128 float64" if op != "Conj" else "complex128", **_of_parts(op))
    for source, target in (("float32", "float64"), ("float64", "complex128"), ("complex128", "float64")):
        yield grad_case("Cast", real(2, 3), types={"SrcT": [source], "DstT": [target]}, numeric=False)


def _of_parts(op: str) -> dict[str, Any]:
    return {} if op == "Conj" else {"T": "complex128", "Tout": "float64"}


BROADCASTS = [
    (positive(2, 3), positive(2, 3)),
    (positive(2, 3), positive(3)),
    (positive(), positive(2, 3)),
    (positive(2, 1, 3), positive(4, 1)),
    (positive(1, 3), positive(2, 1)),
    (positive(2, 0), positive(2, 1)),
]


def binary() -> Iterator[GradCase]:
    for op in "Add AddV2 Sub Mul RealDiv Pow".split():
        for x, y in BROADCASTS:
            yield row(op, x, y, types="float64" if x is not BROADCASTS[1][0] else "float64 complex128", rtol=1e-9)
    for op in "Div DivNoNan Maximum Minimum Atan2 SquaredDifference MulNoNan Xlogy Xlog1py Xdivy NextAfter".split():
        for x, y in BROADCASTS[1:4]:
            yield row(op, x, y, types="float64", rtol=1e-9)
    # TensorFlow forgets the conjugate in these, which numbers on the real axis do not show.
    for op in "SquaredDifference MulNoNan".split():
        yield row(op, positive(2, 3), positive(3), types="complex128", numeric=False)
    yield row("DivNoNan", [1.0, 2.0], [0.0, 4.0], wrt=[0, 1], types="float64", known=[False], numeric=False)
    yield row("Xlogy", [0.0, 2.0], [0.0, 4.0], wrt=[0, 1], types="float64", known=[False], numeric=False)
    yield row("Pow", [0.0, 2.0, -1.0], [2.0, 0.0, 3.0], wrt=[0, 1], types="float64", known=[False], numeric=False)
    yield row("FloorMod", real(2, 3), positive(3), types="float64", order=1)
    yield row("Cross", real(2, 3), real(2, 3))
    yield row("AddN", [real(2, 3), real(2, 3), real(2, 3)])
    yield row("Complex", real(2, 3), real(3), types="float64", Tout="complex128")
    yield row("ClipByValue", real(2, 3), real(low=-2, high=-1), real(low=1, high=2), types="float64")
    yield row("ClipByValue", real(2, 3), real(2, 3, low=-2, high=-1), real(2, 3, low=1, high=2), types="float64")
    yield row("Select", [True, False], real(2, 3), real(2, 3))
    yield row("SelectV2", [True, False, True], real(2, 3), real(3))
    yield row("SelectV2", [[True], [False]], real(2, 3), real())
    yield row("CheckNumerics", real(2, 3), message="here")


def products() -> Iterator[GradCase]:
    for flip_a in (False, True):
        for flip_b in (False, True):
            a, b = real(*((3, 2) if flip_a else (2, 3))), real(*((4, 3) if flip_b else (3, 4)))
            yield row("MatMul", a, b, transpose_a=flip_a, transpose_b=flip_b)
            a, b = real(2, *a.shape), real(2, *b.shape)
            yield row("BatchMatMul", a, b, adj_x=flip_a, adj_y=flip_b)
            yield row("BatchMatMulV2", a, real(*b.shape[1:]), adj_x=flip_a, adj_y=flip_b)
    yield row("BatchMatMulV2", real(3, 1, 2, 3), real(2, 3, 4), types="float64")
    yield row("BatchMatMulV3", real(1, 2, 3), real(2, 3, 4), types="float64")
    for equation, *shapes in (
        ("ij,jk->ik", (2, 3), (3, 4)),
        ("bij,bjk->kib", (2, 2, 3), (2, 3, 4)),
        ("ij->ji", (2, 3)),
        ("ij->i", (2, 3)),
        ("ii->i", (3, 3)),
        ("i->ii", (3,)),
        ("iij,jk->ik", (2, 2, 3), (3, 2)),
        ("ij,kl->ik", (2, 3), (2, 2)),
        ("...ij,...jk->...ik", (2, 2, 3), (1, 3, 2)),
        ("i...j,j->...i", (2, 4, 3), (3,)),
        ("...,...->...", (2, 1, 3), (2, 1)),
        ("i...,j->...j", (2, 3), (2,)),
    ):
        yield row("Einsum", [real(*shape) for shape in shapes], equation=equation, N=len(shapes))
    yield grad_case("SparseMatMul", real(2, 3), real(3, 4), types={"Ta": ["float32"], "Tb": ["float32"]}, known=[True])


HARD = ("EuclideanNorm", "Prod")
"""Not for central differences: TensorFlow's EuclideanNorm is wrong for complex numbers, large products lose digits."""


def reductions() -> Iterator[GradCase]:
    for op in "Sum Mean Prod Max Min EuclideanNorm".split():
        kinds = "float64" if op in ("Max", "Min", "Prod") else "float64 complex128"
        for axes in (1, [0, -1], [0, 1, 2], []):
            yield row(op, distinct(2, 3, 4), axes, types=kinds, rtol=1e-9, atol=1e-9, numeric=op not in HARD and 1)
        yield row(op, positive(2, 3), [0], keep_dims=True, types=kinds, numeric=op not in HARD and 2)
    yield row("EuclideanNorm", positive(2, 3), [0], types="float64")
    yield row("Prod", positive(2, 3, 2), [2, 0], types="float64")
    yield row(
        "Prod", [[1.0, 0.0, 2.0], [0.0, 0.0, 3.0]], 1, types="float64", wrt=[0], known=[False], numeric=1, order=1
    )
    yield row("Max", [1.0, 3.0, 3.0], 0, types="float64", wrt=[0], known=[False], numeric=False)
    for exclusive in (False, True):
        for reverse in (False, True):
            how: dict[str, Any] = {"exclusive": exclusive, "reverse": reverse}
            yield row("Cumsum", real(3, 4), 1, **how)
            yield row("Cumprod", positive(3, 4), 0, types="float64", rtol=1e-9, **how)
            yield row("CumulativeLogsumexp", real(3, 4), 1, types="float64", rtol=1e-9, numeric=1, **how)


def shapes() -> Iterator[GradCase]:
    yield row("Reshape", real(2, 6), [3, -1])
    yield row("ExpandDims", real(2, 3), 1)
    yield row("Squeeze", real(2, 1, 3), squeeze_dims=[1])
    yield row("BroadcastTo", real(2, 1), [3, 2, 4])
    yield row("Tile", real(2, 3), [2, 3])
    yield row("Fill", [2, 3], real())
    yield row("Diag", real(2, 2))
    yield row("DiagPart", real(2, 3, 2, 3))
    yield row("Transpose", real(2, 3, 4), permutation(3))
    yield row("ConjugateTranspose", real(2, 3, 4), [2, 0, 1])
    # TensorFlow builds the inverse of negative axes, and cannot run it.
    yield row("Transpose", real(2, 3, 4), [-1, 0, 1], beyond=True, known=[True], types="float64")
    yield row("Reverse", real(2, 3), [True, False])
    yield row("ReverseV2", real(2, 3), [1])
    yield row("ReverseSequence", real(2, 4), [3, 2], seq_dim=1)
    yield row("Roll", real(4, 3), [1, -2], [0, 1])
    yield row("SpaceToBatch", real(1, 4, 4, 2), [[0, 0], [0, 0]], block_size=2)
    yield row("BatchToSpace", real(4, 2, 2, 2), [[0, 0], [1, 0]], block_size=2)
    yield row("SpaceToBatchND", real(1, 4, 6, 2), [2, 3], [[0, 0], [0, 0]], known=[True])
    yield row("BatchToSpaceND", real(6, 2, 2), [2], [[0, 1]], known=[True])
    yield row("SpaceToDepth", real(1, 4, 4, 1), block_size=2, types="float64")
    yield row("DepthToSpace", real(1, 2, 2, 4), block_size=2, types="float64")


def joins() -> Iterator[GradCase]:
    yield row("ConcatV2", [real(2, 3), real(1, 3), real(2, 3)], 0)
    yield row("ConcatV2", [real(2, 3), real(2, 1)], -1)
    yield row("Concat", 1, [real(2, 3), real(2, 1)])
    yield row("Pack", [real(2, 3), real(2, 3)], axis=1)
    yield row("Unpack", real(2, 3), num=3, axis=1)
    yield row("Unpack", real(2, 3), num=2, outputs=[1])
    yield row("Split", 1, real(2, 4), num_split=2)
    yield row("SplitV", real(2, 4), [1, 3], 1, num_split=2)
    yield row("Pad", real(2, 3), [[1, 0], [0, 2]])
    yield row("PadV2", real(2, 3), [[1, 0], [0, 2]], real(), wrt=[0])
    yield row("MirrorPad", real(3, 3), [[1, 0], [0, 2]], mode="REFLECT")
    yield row("MirrorPadGrad", real(4, 5), [[1, 0], [0, 2]], mode="SYMMETRIC")


def slices() -> Iterator[GradCase]:
    yield row("Slice", real(4, 5), [1, 0], [2, -1])
    yield row("StridedSlice", real(4, 5), [0, 4], [4, 0], [2, -1])
    yield row("StridedSlice", real(4, 5), [1, 2], [2, 3], [1, 1], shrink_axis_mask=2, end_mask=1, new_axis_mask=0)
    yield row("StridedSliceGrad", [4, 5], [0, 4], [4, 0], [2, -1], real(2, 4), wrt=[4])
    yield row("TensorStridedSliceUpdate", real(4, 5), [0, 1], [4, 3], [2, 1], real(2, 2))


def indices() -> Iterator[GradCase]:
    yield row("Gather", real(5, 2), [0, 4, 4])
    yield row("GatherV2", real(5, 2), [[0, 4], [4, 1]], 0)
    yield row("GatherV2", real(5), 3, 0)
    yield row("GatherV2", real(2, 5, 3), [0, 4, 4], 1)
    yield row("GatherV2", real(2, 3, 4), [[0, 2], [1, 1]], -1, batch_dims=1)
    yield row("GatherV2", real(2, 2, 3), [[[0], [2]], [[1], [1]]], 2, batch_dims=2)
    nowhere = of(np.zeros((2, 0), np.int32))
    for params, indices, batch in ((real(2, 0), nowhere, 1), (real(0, 4), of(np.zeros((0, 2), np.int32)), 1)):
        yield row("GatherV2", params, indices, 1, batch_dims=batch, types="float64", known=[True])
    yield row("GatherNd", real(3, 4), [[0, 1], [2, 3], [0, 1]])
    yield row("GatherNd", real(3, 4), [[1], [1]])
    yield row("GatherNd", real(3, 4), [1, 2], beyond=True, known=[True])
    yield row("ScatterNd", [[1], [1], [3]], real(3, 2), [5, 2])
    for op in "TensorScatterAdd TensorScatterSub TensorScatterUpdate ScatterNdNonAliasingAdd".split():
        yield row(op, real(5, 2), [[1], [3]], real(2, 2))
    for op in ("TensorScatterMax", "TensorScatterMin"):
        yield row(op, real(5), [[1], [3]], real(2), types="float64")
    yield row("TopKV2", distinct(2, 5), 3, types="float64", outputs=[0])
    yield row("TopK", distinct(5), k=2, types="float64", outputs=[0], beyond=True)
    yield row("NthElement", distinct(2, 5), 2, types="float64")


def diagonals() -> Iterator[GradCase]:
    yield row("MatrixDiag", real(2, 3))
    yield row("MatrixDiagV3", real(2, 2, 3), [-1, 0], 3, 3, real(), align="LEFT_RIGHT", wrt=[0])
    yield row("MatrixDiagV2", real(2, 3), 1, -1, -1, real(), wrt=[0])
    yield row("MatrixDiagPart", real(2, 3, 3))
    yield row("MatrixDiagPart", real(2, 3, 4))
    yield row("MatrixDiagPartV2", real(3, 4), 1, real(), wrt=[0])
    yield row("MatrixDiagPartV3", real(2, 3, 4), [-1, 1], real(), align="RIGHT_LEFT", wrt=[0])
    yield row("MatrixSetDiag", real(2, 3, 4), real(2, 3))
    yield row("MatrixSetDiagV2", real(3, 4), real(3), 1)
    yield row("MatrixSetDiagV3", real(2, 3, 4), real(2, 2, 3), [0, 1])
    yield row("MatrixBandPart", real(2, 4, 4), 1, 0)


def imitations() -> Iterator[GradCase]:
    inside: dict[str, Any] = {"order": 1, "numeric": False, "known": [True]}
    yield grad_case("FakeQuantWithMinMaxArgs", real(2, 3), min=-1.0, max=2.0, **inside)
    yield grad_case("FakeQuantWithMinMaxVars", real(2, 3), real(low=-2, high=-1), real(low=1, high=2), **inside)
    low, high = real(3, low=-2, high=-1), real(3, low=1, high=2)
    yield grad_case("FakeQuantWithMinMaxVarsPerChannel", real(2, 3), low, high, **inside)
    yield row("QuantizeAndDequantizeV2", real(2, 3), real(), real(), types="float64", **inside)
    yield row("QuantizeAndDequantizeV3", real(2, 3), -1.0, 2.0, 8, types="float64", **inside)
    yield row("QuantizeAndDequantizeV4", real(2, 3), -1.0, 2.0, range_given=True, types="float64", **inside)


def samples() -> Iterator[GradCase]:
    # TensorFlow's mean and deviation take the bounds with them: differences would say otherwise.
    kinds: dict[str, Any] = {"types": {"dtype": ["float32", "float64"], "S": ["int32"], "Tseed": ["int64"]}}
    op, low, high = "StatelessParameterizedTruncatedNormal", {"low": -2, "high": -1}, {"low": 1, "high": 2}
    for mean, deviation, *bounds in (
        (real(3, 1), positive(2), real(2, **low), real(2, **high)),
        (real(), positive(), real(**low), real(**high)),
    ):
        yield grad_case(op, [3, 2], [1, 2], mean, deviation, *bounds, wrt=[2, 3, 4, 5], numeric=False, **kinds)


FAMILIES = (unary, binary, products, reductions, shapes, joins, slices, indices, diagonals, imitations, samples)
ROWS = [one for family in FAMILIES for one in family()]


@pytest.mark.parametrize("case", ROWS, ids=str)
def test_gradient(case: GradCase) -> None:
    check_grads(case)
