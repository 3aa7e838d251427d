"""What ops make of inputs that nobody means to give: NaN and infinities, nothing at all, sizes that no machine has,
shapes that do not fit. One graph and one session for all rows, in TensorFlow and here."""

from __future__ import annotations

from typing import Any

import numpy as np

from runstep import errors
from runstep.testing import graphs, oracle, subject
from runstep.testing.combinations import combinations
from runstep.testing.harness import compared
from runstep.testing.rows import Instance, case
from runstep.testing.values import of, real, variable

INVALID, INTERNAL = errors.InvalidArgumentError, errors.InternalError
NAN, INF, HUGE = np.nan, np.inf, 2**63 - 1
ONE: Any = {"T": ["float32"]}
PLACES = of([[0, 1], [1, 0], [1, 2]], dtype="int64")


def of64(value):
    return of(value, dtype="int64")


def of32(value):
    return of(value, dtype="float32")


def sparse(op, *shapes, error=INTERNAL, **attrs):
    """Concatenations of sparse tensors of these shapes."""
    count = len(shapes)
    return case(op, [PLACES] * count, [real(3)] * count, list(map(of64, shapes)), types=ONE, error=error, **attrs)


def lstm(peephole=(4,), i=(5, 2, 4), h=(5, 2, 4)):
    weights = [real(2, 4), real(2, 4), real(7, 16), real(4), real(4), real(*peephole), real(16)]
    grads = [real(*i), *[real(5, 2, 4)] * 5, real(*h), real(5, 2, 4), real(5, 2, 4)]
    return case("BlockLSTMGrad", of64(5), real(5, 2, 3), *weights, *grads, use_peephole=True, types=ONE, error=INVALID)


def crossed(indices, shape, **attrs):
    parts = [[of64(indices)], [of([b"a", b"b", b"c"])], [of64(shape)], []]
    return case("SparseCross", *parts, **attrs, internal_type="string", hash_key=9)


HASHED: Any = {"hashed_output": True, "num_buckets": 7, "out_type": "int64"}
GATES = of32([1.0, NAN, INF, -INF, NAN, INF, 2.0, NAN])
OPENED = of32([NAN, NAN, -1.0, 0.0, 1.0, 3.0, 6.0, 7.0])
PAIR = of([[1.0, NAN], [INF, 2.0]])
POOL: Any = {"ksize": [1, 2, 2, 1], "strides": [1, 2, 2, 1], "padding": "SAME", "types": ONE}
POOL3: Any = {"ksize": [1, 2, 2, 2, 1], "strides": [1, 2, 2, 2, 1], "padding": "SAME", "types": ONE}
DILATED = [real(1, 5, 5, 2), real(2, 2, 2), real(1, 5, 5, 2)]
SMALL = [of([[0, 0, 0, 0]], dtype="quint8")] * 2
CONV: Any = {"strides": [1, 1, 1, 1], "padding": "SAME", "out_type": "qint32", "error": INVALID}
CONV_INPUTS = [real(1, 4, 4, 2, dtype="quint8"), real(2, 2, 2, 2, dtype="quint8"), of32(0.0), of32(1.0)] + [
    of32(0.0),
    of32(1.0),
]
PATCHES: Any = {"padding": "SAME", "types": ONE, "error": errors.UnimplementedError}
SIZES: Any = {"types": {"T": ["float32"], "Index": ["int32"]}}

ROWS = [
    # sparse tensors
    sparse("SparseConcat", [2, -3], [2, 3], concat_dim=0),
    sparse("SparseConcat", [2, HUGE], [2, 3], concat_dim=0),
    case("SparseSliceGrad", real(2), PLACES, of64([0, 1]), of64([[0, 4], [1, 3]]), types=ONE, error=INTERNAL),
    case("SparseSliceGrad", real(2), of64([[0, 1]]), of64([0, 1]), of64([[0, 4], [1, 3]]), types=ONE, error=INVALID),
    case("SparseToDense", PLACES, of64([2, HUGE]), real(3), real(), types=ONE, error=INVALID),
    case("SparseTensorDenseMatMul", PLACES, real(3), of64([0, 3]), real(3, 2), types=ONE),
    case(
        "SparseAdd",
        of64([[0, 1], [0, 1], [1, 2]]),
        real(3),
        of64([2, 3]),
        PLACES,
        real(3),
        of64([2, 3]),
        0.0,
        types={**ONE, "Treal": ["float32"]},
    ),
    case(
        "SparseSparseMaximum",
        of64([[1, 1], [0, 0], [1, 2]]),
        real(3),
        of64([2, 3]),
        PLACES,
        real(3),
        of64([2, 3]),
        types=ONE,
    ),
    crossed([[0, 0], [1, 0], [1, 1]], [0, 2], **HASHED),
    crossed([[5, 0], [1, 0], [1, 1]], [2, 2], **HASHED),
    crossed([[1, 0], [1, 1], [0, 0]], [2, 2], hashed_output=False, num_buckets=0, out_type="string"),
    case(
        "SparseCountSparseOutput",
        real(3, 0, dtype="int64"),
        of64([1, 1, 4]),
        of64([]),
        [],
        binary_output=False,
        output_type="float32",
        error=INVALID,
    ),
    case(
        "RaggedCountSparseOutput",
        of64(0),
        of64([1, 1, 4]),
        [],
        binary_output=False,
        output_type="float32",
        error=INVALID,
    ),
    case("SparseBincount", PLACES, of64(1), of64([2, 3]), of64(5), [], T="float32", Tidx="int64", error=INVALID),
    # NaN and infinities
    *[case(op, GATES, OPENED, types=ONE) for op in ("ReluGrad", "Relu6Grad")],
    *[case("LRN", of([[[row]]]), depth_radius=1) for row in ([1.0, NAN, 2.0, 3.0], [INF, 1.0, 0.0, 2.0])],
    *[case(op, PAIR, [0, 1], of([[NAN, 5.0], [NAN, -1.0]])) for op in ("ScatterMax", "ScatterMin")],
    *[case(op, PAIR, [[0], [1]], of([[NAN, 5.0], [NAN, -1.0]])) for op in ("TensorScatterMax", "TensorScatterMin")],
    case("FakeQuantWithMinMaxArgsGradient", GATES, of32([-9.0, -9.0, -9.0, 9.0, 9.0, 9.0, 0.0, 1.0])),
    case("LinSpace", 0.5, INF, 4, types={"T": ["float32"], "Tidx": ["int32"]}),
    case("LowerBound", of32([[0.0, 1.0, 3.0]]), of32([[NAN, INF, 1.0]])),
    case("LogMatrixDeterminant", of32([[NAN, 1.0], [1.0, 2.0]])),
    case("MatrixInverse", of32([[NAN, 1.0], [1.0, 2.0]]), error=INVALID),
    case("SelfAdjointEigV2", of32([[NAN, 1.0], [1.0, 2.0]]), error=INVALID),
    case("QuantizedRelu", of([1, 200], dtype="quint8"), NAN, 2.0, out_type="quint8"),
    # nothing to do
    case("ResourceScatterAdd", variable(real(5, 3)), of([], dtype="int32"), real(0, 7), dtype="float32"),
    case("GatherV2", real(5, 0), [-1, 7], 0, types={"Tparams": ["float32"], "Taxis": ["int32"]}),
    case(
        "RFFT3D", real(2, 4, 3, 0), [3, 15, 5], types={"Treal": ["float32"], "Tcomplex": ["complex64"]}, error=INVALID
    ),
    case("ResizeBilinearGrad", real(2, 0, 2, 3), real(2, 5, 4, 3), types=ONE, error=INVALID),
    case("Multinomial", real(0, 0), 4, types={**ONE, "output_dtype": ["int64"]}, error=INVALID, stateful=True),
    # fewer windows than fit, or more
    *[case("AvgPoolGrad", [2, 7, 6, 3], real(*shape), **POOL) for shape in ((2, 2, 2, 3), (2, 4, 4, 3), (1, 4, 3, 3))],
    case("AvgPoolGrad", [2, 7, 6, 3], real(2, 5, 5, 3), **POOL, error=INVALID),
    case("AvgPool3DGrad", [1, 2, 4, 4, 1], real(1, 1, 1, 2, 1), **POOL3),
    case("AvgPool3DGrad", [2, 2, 4, 4, 1], real(1, 1, 2, 2, 1), **POOL3, error=INVALID),
    # sizes, axes and ranks
    case("MatrixDiagV2", of32([[1.0, 2.0, 3.0]] * 2), -(2**31), -1, -1, 0.0, types=ONE, error=INVALID),
    case("DynamicStitch", [2**31 - 1], [real(2)], types=ONE, error=INVALID),
    case("StridedSliceGrad", [4, -3], [0, 0], [1, 1], [1, 1], real(1, 1), **SIZES, error=INVALID),
    case("Roll", real(3, 4), 1, [0], types={**ONE, "Tshift": ["int32"], "Taxis": ["int32"]}, error=INVALID),
    case("PadV2", real(2), [[1, 1]], real(2), types={**ONE, "Tpaddings": ["int32"]}, error=INVALID),
    case(
        "MirrorPad",
        real(1, 1, 1, 1, 1, 2),
        [[0, 0]] * 6,
        mode="REFLECT",
        types={**ONE, "Tpaddings": ["int32"]},
        error=errors.UnimplementedError,
    ),
    case(
        "UnsortedSegmentJoin",
        of(b"a"),
        [0],
        1,
        types={"Tindices": ["int32"], "Tnumsegments": ["int32"]},
        error=errors.OutOfRangeError,
    ),
    case("NonMaxSuppression", real(4), real(1), 3, error=INVALID),
    case("RaggedGather", [of64([0, 1])], real(), of64([0]), OUTPUT_RAGGED_RANK=1, Tvalues="float32", error=INVALID),
    case(
        "FractionalAvgPoolGrad", of64(7), real(1, 2, 2, 1), of64([0, 1, 3]), of64([0, 1, 3]), types=ONE, error=INVALID
    ),
    case("TruncateDiv", of([1, 2, 3], dtype="int32"), of([0, 0], dtype="int32"), error=INVALID),
    case("QuantizedConcat", -1, SMALL, [of32(0.0)] * 2, [of32(1.0)] * 2, error=INVALID),
    case("QuantizedConv2D", *CONV_INPUTS, **CONV, dilations=[1, 1, 2, 1]),
    *[
        case("Dilation2DBackpropFilter", *DILATED, strides=strides, rates=rates, padding="SAME", types=ONE, error=error)
        for strides, rates, error in [
            ([1, 1, 1, 1, 1], [1, 1, 1, 1], INVALID),
            ([1, 1, 1, 1], [1, 1, 1, 2], errors.UnimplementedError),
        ]
    ],
    *[
        case("ExtractImagePatches", real(1, 4, 4, 2), **PATCHES, strides=strides, ksizes=sizes, rates=rates)
        for strides, sizes, rates in [
            ([0, 1, 1, 1], [1, 2, 2, 1], [1, 1, 1, 1]),
            ([1, 1, 1, 1], [1, 2, 2, 2], [1, 1, 1, 1]),
            ([1, 1, 1, 1], [1, 2, 2, 1], [2, 1, 1, 1]),
        ]
    ],
    case("FusedBatchNorm", real(2, 2, 2, 3), real(3), real(3), real(), of([]), types=ONE, error=INVALID),
    case("MatrixSolveLs", real(3, 2), real(3, 1), of(NAN, dtype="float64"), types=ONE, error=INVALID),
    lstm(peephole=()),
    lstm(i=()),
    lstm(h=(5, 2)),
    *[
        case(
            "StatelessSampleDistortedBoundingBox",
            of(size, dtype="int32"),
            of32([[[0.1, 0.2, 0.6, 0.9]]]),
            of32(least),
            of64([3, 5]),
            error=INVALID,
        )
        for size, least in (([-2, 60, 3], 0.3), ([40, 60, 3], NAN))
    ],
]


def test_spoiled_inputs_are_treated_as_tensorflow_treats_them():
    instances = []
    for row in ROWS:
        op_def = subject.op_def(row.op)
        instances += [Instance(row, op_def, types) for types in combinations(row, op_def)]
    values = [instance.values() for instance in instances]
    outcomes = oracle.run(instances, values)
    results = graphs.run(instances, values, constants=False)
    problems: list[str] = []
    for instance, result, outcome in zip(instances, results, outcomes, strict=True):
        error = instance.row.error
        if type(outcome) is not error and isinstance(outcome, Exception):
            assert error is not None and type(outcome).__name__ == error.__name__, f"{instance}: {outcome}"
        problems += compared(instance, str(instance), result, outcome)
    assert not problems, "\n".join(problems)


def test_nan_is_largest_of_few_and_of_many():
    """TensorFlow keeps it or not, by its place."""
    x = np.random.default_rng(0).normal(size=600).astype(np.float32)
    x[[10, 300, 590]] = np.nan
    types = {"T": ["float32"], "Tk": ["int32"], "index_type": ["int64"]}
    rows = [case("TopKV2", of(x), k, types=types) for k in (5, 100)]
    op_def = subject.op_def("TopKV2")
    instances = [Instance(row, op_def, combinations(row, op_def)[0]) for row in rows]
    few, many = graphs.run(instances, [instance.values() for instance in instances], constants=False)
    assert not isinstance(few, Exception) and not isinstance(many, Exception)
    assert few[1].tolist() == many[1][:5].tolist()
    assert set(few[1][:3].tolist()) == {10, 300, 590}
