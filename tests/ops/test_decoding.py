"""Raw bytes, CSV, TensorProtos and JSON are read and written as TensorFlow does."""

from __future__ import annotations

import numpy as np
import pytest

import runstep.kernels.numpy.decoding  # noqa: F401
from runstep import errors
from runstep.graph import tensor_proto
from runstep.ops import decoding
from runstep.testing import bools, case, check, of, real, strings
from runstep.testing.building import compare_graphs

INVALID = errors.InvalidArgumentError
SHORT = {"out_type": ["int16"]}
BYTES = bytes(range(1, 33))
FLOAT, INT, LONG, TEXT = of([1.5]), of([7]), of([9], "int64"), of(["x"])
NONE, NO_TEXT = of([], "float32"), of(np.zeros(0, object), "string")
PROTO = tensor_proto.make_tensor_proto([[1.5, 2.5]], "float32").SerializeToString()
JSON = (
    '{"features": {"feature": {"a": {"floatList": {"value": [1.5, "NaN"]}}, "b": {"int64_list": {"value": ["3", 4]}}}}}'
)


def csv(record, *defaults, error=None, **attrs):
    return case("DecodeCSV", of([record]), list(defaults), error=error, **attrs)


CASES = [
    case("DecodeRaw", of([BYTES, BYTES[::-1]])),
    case("DecodeRaw", of([[BYTES], [BYTES[::-1]]]), little_endian=False),
    case("DecodeRaw", of(b"\1\2"), types=SHORT),
    case("DecodeRaw", strings(0), types=SHORT),
    case("DecodeRaw", of(["", ""]), types=SHORT),
    case("DecodeRaw", of([b"\1\2\3"]), types=SHORT, error=INVALID),
    case("DecodeRaw", of([b"\1\2", b"\1"]), types=SHORT, error=INVALID),
    case("DecodePaddedRaw", of([BYTES, b"", b"\1\2\3"]), 16),
    case("DecodePaddedRaw", of([[BYTES, b"\1\2\3"]]), 16, little_endian=False),
    case("DecodePaddedRaw", strings(0), 4, types=SHORT),
    *[case("DecodePaddedRaw", of([b"\1\2\3"]), length, types=SHORT, error=INVALID) for length in (3, 0, -2, [4])],
    csv("1,2,abc", FLOAT, INT, TEXT),
    csv(",,", FLOAT, INT, TEXT),
    csv('"1","2","a ""b"", c"', FLOAT, INT, TEXT),
    csv('1,"2\n","a\nb"', FLOAT, INT, TEXT),
    csv('1,2,"a"b', FLOAT, INT, TEXT, use_quote_delim=False),
    csv("1\t2\tx", FLOAT, INT, TEXT, field_delim="\t"),
    csv("NA,NA,", FLOAT, INT, TEXT, na_value="NA"),
    csv("1,2,3,4", INT, TEXT, select_cols=[1, 3]),
    csv(" 1 , 2 , 3 ", FLOAT, INT, TEXT),
    csv("1,99999999999,1e400", of(1.5), LONG, of([2.5], "float64")),
    csv("inf,nan", FLOAT, NONE),
    csv('""', TEXT),
    case("DecodeCSV", of([["1,2,a", "3,4,b"]]), [FLOAT, INT, TEXT]),
    case("DecodeCSV", of("1,2,a"), [FLOAT, INT, TEXT]),
    case("DecodeCSV", strings(0), [FLOAT, INT, TEXT]),
    *[
        csv(record, *defaults, error=INVALID, **attrs)  # type: ignore[arg-type]
        for record, defaults, attrs in [
            (",,", [NONE, INT, TEXT], {}),
            ("1,2", [FLOAT, INT, TEXT], {}),
            ("1,2,3,4", [FLOAT, INT, TEXT], {}),
            ('1,2,"a', [FLOAT, INT, TEXT], {}),
            ('1,2,a"b', [FLOAT, INT, TEXT], {}),
            ('1,2,"a"b', [FLOAT, INT, TEXT], {}),
            ("1.x,2,3", [FLOAT, INT, TEXT], {}),
            ("1,2.5,3", [FLOAT, INT, TEXT], {}),
            ("1,99999999999", [FLOAT, INT], {}),
            ("1,2,a\n", [FLOAT, INT, TEXT], {}),
            ("1,2,a", [of([[1.5]]), INT, TEXT], {}),
            ("1,2,a", [of([1.5, 2.5]), INT, TEXT], {}),
            ("1,2,a", [FLOAT, INT, TEXT], {"field_delim": "ab"}),
            ("1,2,3", [INT], {"select_cols": [5]}),
            ("1,2,3", [INT], {"select_cols": [1, 2]}),
            ("", [TEXT], {}),
            ("", [NO_TEXT], {}),
            ('"a" ,2', [TEXT, INT], {}),
            ("0x10", [INT], {}),
            ("a\rb", [TEXT], {}),
        ]
    ],
    case("SerializeTensor", real(2, 3)),
    case("SerializeTensor", real()),
    case("SerializeTensor", real(0, 2)),
    case("SerializeTensor", bools(3), types={"T": ["bool"]}),
    case("ParseTensor", of(PROTO), out_type="float32"),
    case("ParseTensor", of(PROTO), out_type="int32", error=INVALID),
    case("ParseTensor", of(b"\xff\xff"), out_type="int32", error=INVALID),
    case("ParseTensor", of([PROTO]), out_type="float32", error=INVALID),
    case("ParseTensor", of(b""), out_type="int32", error=INVALID),
    case("DecodeJSONExample", of([[JSON, "{}"]])),
    case("DecodeJSONExample", of("{}")),
    case("DecodeJSONExample", of(["{"]), error=INVALID),
    case("DecodeJSONExample", of(['{"x": 1}']), error=INVALID),
]


@pytest.mark.parametrize("row", CASES, ids=str)
def test_ops(row):
    check(row)


BUILDERS = [
    lambda tf: tf.decode_raw(tf.placeholder("string", [None]), tf.uint8),
    lambda tf: tf.decode_raw(bytes=["a"], out_type=tf.uint8, little_endian=False, name="x"),
    lambda tf: tf.decode_raw(["a"], tf.uint8, bytes=["a"]),
    lambda tf: tf.decode_csv(tf.placeholder("string", [None]), [[1.0], ["a"], [3]]),
    lambda tf: tf.decode_csv(["1,2"], [[1.0]], select_cols=[1], field_delim=";", name="x"),
    lambda tf: tf.decode_csv(["1,2"], [[1.0], [2]], select_cols=[1]),
    lambda tf: tf.decode_csv(["1,2"], [[1.0], [2]], select_cols=[1, 0]),
    lambda tf: tf.decode_csv(["1,2"], [[1.0]], select_cols=[-1]),
    lambda tf: tf.parse_tensor("a", tf.int32),
    lambda tf: tf.serialize_tensor([1.0], name="x"),
    lambda tf: tf.decode_json_example("{}"),
]


@pytest.mark.parametrize("index", range(len(BUILDERS)))
def test_graph_is_tensorflows(index):
    compare_graphs(BUILDERS[index], [decoding])
