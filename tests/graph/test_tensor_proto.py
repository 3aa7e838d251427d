"""Constants against TensorFlow's: the bytes of make_tensor_proto, the arrays of make_ndarray, the errors of both."""

import warnings
from typing import Any

import ml_dtypes
import numpy as np
import pytest
import tensorflow.compat.v1 as real
from google.protobuf import text_format
from tensorflow.core.framework import tensor_pb2

from runstep.graph import dtypes, shapes, tensor_proto
from runstep.protos import tensor_pb2 as our_tensor_pb2

NUMBERS = [dtypes.as_dtype(enum) for enum in range(1, 34)]


def outcome(function: Any, *arguments: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TensorFlow warns where its casts overflow
        try:
            return function(*arguments)
        except Exception as error:
            # TensorFlow's advice after the first sentence is its own.
            return f"{type(error).__name__}: {error}".split(" Consider casting")[0]


def same_proto(values: Any, dtype: Any = None, shape: Any = None, **options: bool) -> None:
    theirs = outcome(lambda: real.make_tensor_proto(values, dtype and real.as_dtype(dtype.enum), shape, **options))
    ours = outcome(lambda: tensor_proto.make_tensor_proto(values, dtype, shape, **options))
    if isinstance(theirs, str) or isinstance(ours, str):
        assert ours == theirs
        return
    assert ours.SerializeToString(deterministic=True) == theirs.SerializeToString(deterministic=True), (ours, theirs)
    if np.prod(shape if shape is not None else 1) < 1e6:
        same_array(real.make_ndarray(theirs), tensor_proto.MakeNdarray(ours))


def same_array(theirs: Any, ours: Any) -> None:
    assert (ours.dtype, ours.shape, ours.flags.writeable) == (theirs.dtype, theirs.shape, True)
    assert ours.tolist() == theirs.tolist() if theirs.dtype == object else ours.tobytes() == theirs.tobytes()


VALUES: list[Any] = [
    1, 1.5, True, "a", b"a", 1j, 2**31, 2**63, 2**64, -(2**31), -(2**31) - 1, -(2**63), -(2**63) - 1, [1, 2], [1, 1],
    [1.5, 2], [1, 2.5], [True, False], [True, 1], ["a", "b"], [b"a", "b"], [], [[]], [[], []], [[1, 2], [3, 4]],
    [[1, 2], [3]], [1, [2]], [[1], 2], [1, "a"], ["a", 1], None, [None], [1, None], (), (1, 2), range(3), np.array(3),
    np.int32(4), np.float64(2), np.arange(3), np.array([]), np.zeros((2, 0)), np.array(["a", "bc"]), np.array([b"a"]),
    np.array(["a", b"b"], object), np.array([1, 2], object), np.array([True, False]), np.float16([1, 2]),  # type: ignore[arg-type]
    np.float16(1), ml_dtypes.bfloat16(1), np.array([1, 2], ml_dtypes.bfloat16), np.array([1, 2], np.uint16),
    np.array([1, 2], np.uint32), np.array([1, 2], np.uint64), np.uint64(2**63), np.array([1, 2], np.int8),
    np.complex64(1 + 2j), np.array([1 + 2j, 3]), np.array([[1, 2], [3, 4]]).T, np.array(["2020-01-01"], "M8[D]"),
    np.longdouble(1), {1: 2}, {1}, 1.5e300, [1e300], float("inf"), float("nan"), [float("nan")] * 2,
    [np.float32(1), 2], [np.float64(1), 2], [np.int64(1), 2], [np.array([1, 2]), np.array([3, 4])],
    [np.array([1, 2]), [3, 4]], [np.array(1), 2], [np.uint8(1), 2], [np.uint8(1)], [2**31, 1], [2**63], [1j, 1],
    [1, 1.5, True], bytearray(b"ab"), memoryview(b"ab"), "é", ["é"], np.str_("é"), np.bytes_(b"x"), np.array("é"),
    [b"a\x00"], b"a\x00", [[[1]]], np.array(5, object), np.bool_(True), [np.bool_(True), False], [2, 1, 1, 1], -0.0,
    [-0.0, 0.0], 0, "", [""], ["", ""], [[1.0, 1.0], [1.0, 1.0]], [("a", "b"), ["c", "d"]], np.ones((2, 3))[:, ::2],
]  # fmt: skip


@pytest.mark.parametrize("values", VALUES, ids=lambda value: repr(value).partition(" at 0x")[0])
def test_inferred_types(values: Any) -> None:
    same_proto(values)
    if isinstance(values, list):
        same_proto(tuple(values))


@pytest.mark.parametrize("dtype", NUMBERS, ids=str)
def test_asked_types(dtype: Any) -> None:
    for values in (
        1, 1.5, "a", True, [True, False], 1j, None, [], -1, 300, [[1, 1], [1, 1]], 2**40, [1, None], [[1], [2, 3]],
        np.array(7), np.array([1, 2]), np.array([1.5, 2.5]), [(1,), (2,)], [np.bool_(True)], [np.float32(1.5)],
        [np.int64(3)], [1, "a"], object,
    ):  # fmt: skip
        if "fnuz" not in dtype.name or (isinstance(values, np.ndarray) and values.size > 1):
            same_proto(values, dtype)
    if "fnuz" in dtype.name or not dtype.is_numpy_compatible:
        return
    for values, shape in ((1, [3]), ([1, 2], [3]), ([1, 2, 3, 4], [2]), ([], [0]), (np.array([1, 2, 3]), [3, 1])):  # type: ignore[assignment]
        same_proto(values, dtype, shape)


@pytest.mark.parametrize("name", ["float8_e4m3fnuz", "float8_e4m3b11fnuz", "float8_e5m2fnuz"])
def test_single_narrow_floats_are_written_too(name: str) -> None:
    """TensorFlow has no encoding for one element of these types in Python; its C++ reads float8_val."""
    dtype = dtypes.as_dtype(name)
    proto = tensor_proto.make_tensor_proto(1.5, dtype)
    assert len(proto.float8_val) == 1
    assert tensor_proto.MakeNdarray(proto) == dtype.np.type(1.5)


def test_other_byte_orders_are_swapped() -> None:
    """TensorFlow writes the swapped bytes as they are, so that 1 comes back as 16777216."""
    proto = tensor_proto.make_tensor_proto(np.array([1, 2], ">i4"))
    assert proto.tensor_content == np.array([1, 2], "<i4").tobytes()


@pytest.mark.parametrize(
    ("values", "shape"),
    [(1, [2, 2]), (1, []), ([1], [3]), ([1, 2], [2, 1]), ([1, 2], [4, 1]), ([1, 2, 3], [2]), ([1, 2], [0]), ([], [2]),
     ([], [0, 2]), (1, 3), (1, [None]), ("a", [2]), (["a", "b"], [3]), (["a", "b", "c"], [2]), ("a", [0]),
     ([1, 2], [2.0]), ([1, 2], np.array([2])), (np.zeros((2, 2)), [4]), (np.zeros((2, 2)), [3]),
     (np.zeros((2, 2)), [0]), (np.array("a"), [2]), ([True, False], [3]), ([1j, 2j], [3]), (1.0, [2**20, 2**12])],
    ids=repr,
)  # fmt: skip
def test_shapes_and_their_checks(values: Any, shape: Any) -> None:
    same_proto(values, None, shape)
    same_proto(values, None, shape, verify_shape=True)
    same_proto(values, None, shape, allow_broadcast=True)
    same_proto(values, None, shape, allow_broadcast=True, verify_shape=True)
    same_proto(1, None, [-1])


def test_sizes_and_tensors() -> None:
    assert tensor_proto.make_tensor_proto([shapes.Dimension(3), 2], dtypes.int64).tensor_content[0] == 3
    with pytest.raises(TypeError, match="Failed to convert elements of 3"):
        tensor_proto.make_tensor_proto(shapes.Dimension(3))

    class Symbolic:
        graph = op = None

        def __len__(self) -> int:
            raise AssertionError("a tensor's length was asked for")

        def __str__(self) -> str:
            return "t"

    for values in (Symbolic(), [Symbolic()], [1, [Symbolic()]]):
        with pytest.raises(TypeError, match="Expected any non-tensor type, but got a tensor instead."):
            tensor_proto.make_tensor_proto(values)
        with pytest.raises(TypeError, match="Expected int32, but got t of type 'Symbolic'"):
            tensor_proto.make_tensor_proto(values, dtypes.int32)
    proto = our_tensor_pb2.TensorProto()
    assert tensor_proto.make_tensor_proto(proto) is proto


SHAPE_2, SHAPE_3, SHAPE_0 = (f"tensor_shape {{ dim {{ size: {size} }} }}" for size in (2, 3, 0))
FIELDS = {
    "FLOAT": "float_val", "DOUBLE": "double_val", "INT64": "int64_val", "UINT32": "uint32_val", "UINT64": "uint64_val",
    "BOOL": "bool_val", "HALF": "half_val", "BFLOAT16": "half_val", "COMPLEX64": "scomplex_val",
    "COMPLEX128": "dcomplex_val",
} | {
    name: "int_val" for name in ("INT32 UINT8 UINT16 INT8 INT16 QINT8 QUINT8 QINT32 QINT16 QUINT16 INT4 UINT4 INT2 "
                                 "UINT2").split()
}  # fmt: skip


def same_ndarray(text: str) -> None:
    theirs = text_format.Parse(text, tensor_pb2.TensorProto())
    ours = our_tensor_pb2.TensorProto.FromString(theirs.SerializeToString())
    same_array(real.make_ndarray(theirs), tensor_proto.MakeNdarray(ours))


@pytest.mark.parametrize("name", FIELDS)
def test_typed_lists(name: str) -> None:
    field = FIELDS[name]
    lists = [f"{field}: 1", f"{SHAPE_3} {field}: 1 {field}: 0", SHAPE_2, SHAPE_0, f"{SHAPE_3} {field}: 1 {field}: 1"]
    for text in lists:
        if name not in ("COMPLEX64", "COMPLEX128") or "_val" not in text or text.count(field) == 2:
            same_ndarray(f"dtype: DT_{name} {text}")


def test_typed_lists_of_strings_and_narrow_floats() -> None:
    for text in (
        f'STRING {SHAPE_3} string_val: "a" string_val: "b"', f'STRING {SHAPE_3} string_val: "a"', f"STRING {SHAPE_0}",
        'STRING string_val: "a"', f'FLOAT8_E5M2 {SHAPE_3} float8_val: "<@"', 'FLOAT4_E2M1FN float8_val: "\\002"',
        f'BOOL {SHAPE_2} tensor_content: "\\001\\000"', f'INT4 {SHAPE_2} tensor_content: "\\001\\017"',
        f'QINT8 {SHAPE_2} tensor_content: "\\001\\002"', "FLOAT tensor_shape { unknown_rank: true } float_val: 1",
    ):  # fmt: skip
        same_ndarray("dtype: DT_" + text)


def decode(text: str) -> Any:
    return tensor_proto.decode(text_format.Parse("dtype: DT_" + text, our_tensor_pb2.TensorProto()))


def test_what_only_tensorflows_core_writes() -> None:
    packed = decode(f'STRING {SHAPE_2} tensor_content: "\\001\\002abc"')
    assert packed.tolist() == [b"a", b"bc"]
    assert decode(f"STRING {SHAPE_2}").tolist() == [b"", b""]  # Python's make_ndarray gives str here
    assert decode("UINT8 int_val: 300") == 44
    assert decode("QINT8 int_val: -3").dtype == np.int8
    assert decode(f"FLOAT {SHAPE_2} float_val: 1 float_val: 2 float_val: 3").tolist() == [1, 2]


@pytest.mark.parametrize(
    "text",
    [f'FLOAT {SHAPE_2} tensor_content: "abc"', f'FLOAT {SHAPE_2} tensor_content: "abcd"', "FLOAT "
     "tensor_shape { dim { size: -1 } } float_val: 1", f'STRING {SHAPE_2} tensor_content: "\\001\\007abc"',
     f'STRING {SHAPE_2} tensor_content: "\\200"', "FLOAT tensor_shape { dim { size: 99999999999 } } float_val: 1 "
     "float_val: 2", "FLOAT tensor_shape { dim { size: 4611686018427387904 } dim { size: 8 } } float_val: 1"],
)  # fmt: skip
def test_damaged_protos_are_refused(text: str) -> None:
    with pytest.raises(ValueError):
        decode(text)


@pytest.mark.parametrize("text", ["INVALID", "RESOURCE", "VARIANT"])
def test_types_without_arrays_are_refused(text: str) -> None:
    with pytest.raises(TypeError):
        decode(text)


def test_fills_cost_no_memory() -> None:
    array = decode("FLOAT tensor_shape { dim { size: 1000000 } dim { size: 1000000 } } float_val: 2")
    assert array.shape == (1000000, 1000000) and array[7, 7] == 2
    assert list(tensor_proto.encode(array, dtypes.float32).float_val) == [2]
    array, _ = tensor_proto.convert_value(2.0, None, [1000000, 1000000])
    assert array.strides == (0, 0)


def test_constants_do_not_share_memory_with_the_users_arrays() -> None:
    for dtype in (None, dtypes.float32, dtypes.float64):
        for mine in (np.zeros(3, np.float32), np.zeros((3, 3))[::2].T):
            array, _ = tensor_proto.convert_value(mine, dtype)
            assert not np.shares_memory(array, mine) and array.flags.c_contiguous
