"""Element by element string ops agree with TensorFlow."""

from __future__ import annotations

import pytest

import runstep.kernels.numpy.string_format
import runstep.kernels.numpy.strings  # noqa: F401
from runstep import errors
from runstep.ops import strings as string_ops
from runstep.testing import bools, case, check, ints, of, real, strings
from runstep.testing.building import compare_graphs

INVALID = errors.InvalidArgumentError
HARD = ["aé中😀", "", b"\xff\xfea\xe4\xb8", b"\x80\x80", "Straße"]
NUMBERS = ["1", " 12 ", "+3", "-4", "\n7\t", "00012", "2147483647"]
FLOATS = ["1.5", "1e3", "0x10", "inf", "-Inf", "nan", "NaN", "infinity", "1e400", "1e-400", "1.", ".5", "0x1.8p3", "-0"]
FLOAT = {"out_type": ["float32", "float64"]}
INTEGER = {"out_type": ["int32", "int64", "uint32", "uint64"]}
REAL = {"T": ["float32", "float64"]}
SIGNED = {"T": ["int32", "int64", "int8"]}
TEXT = {"T": ["string"]}
LIST = [of([[1, 2, 3], [4, 5, 6]]), of(1.5), of("str"), bools(2)]

CASES = [
    case("StringJoin", [strings(3), strings(3)]),
    case("StringJoin", [strings(2, 3), strings(), strings(2, 3)], separator="--"),
    case("StringJoin", [strings(), strings()], separator="-"),
    case("StringJoin", [strings(0), strings()]),
    case("StringJoin", []),
    case("StringJoin", [strings(2), strings(3)], error=INVALID),
    case("StringJoin", [strings(2), strings(3)], error=ValueError),
    case("StringJoin", [strings(2), strings(2, 1)], error=ValueError),
    case("Substr", of(["hello", "world"]), of([1, 2]), of([2, 30])),
    case("Substr", of("hello"), of(5), of(1)),
    case("Substr", of("hello"), of(-5), of(2)),
    case("Substr", of("hello"), of(1), of(-3)),
    case("Substr", of("hello"), of(1), of(-1)),
    case("Substr", of([["hello"], ["world"]]), of([0, 1, 2]), of([1, 2, 2])),
    case("Substr", of("hello"), of([0, 1, 2]), of([1, 2, 2])),
    case("Substr", of(["hello", "abc"]), of([0]), of([1])),
    case("Substr", of([["hello", "abc"]]), of(1), of(2)),
    case("Substr", of("hello"), of(6), of(1), error=INVALID),
    case("Substr", of("hello"), of(-6), of(1), error=INVALID),
    case("Substr", of(["a"]), of([0, 0]), of([1]), error=INVALID),
    case("Substr", of(["a"]), of([0, 0]), of([1]), error=ValueError),
    case("Substr", of([[["a"]]]), of([[[0]], [[1]]]), of([[[0]], [[1]]]), error=errors.UnimplementedError),
    *[
        case("Substr", of("heéllo中😀"), of(pos), of(length), unit="UTF8_CHAR", types={"T": ["int32"]})
        for pos, length in [(2, 3), (-2, 3), (8, 1), (0, 8), (1, -2), (3, 0)]
    ],
    case("Substr", of(b"a\xff\xfeb\xe4\xb8"), of(1), of(2), unit="UTF8_CHAR"),
    case("Substr", of("heé"), of(4), of(3), unit="UTF8_CHAR", error=INVALID),
    case("StringLower", strings(4, 2)),
    case("StringLower", of(["AbCÉİ", "ẞΣΑΣ", b"\xff\xc9A"])),
    case("StringLower", of(["AbCÉİ", "ẞΣΑΣ", b"\xff\xc9A"]), encoding="utf-8"),
    case("StringLower", of(["A"]), encoding="latin1", error=INVALID),
    case("StringUpper", of(["abCéßıﬁ", b"\xff\xe9"])),
    case("StringUpper", of(["abCéßıﬁ", b"\xff\xe9"]), encoding="utf-8"),
    case("StringUpper", of("a"), encoding="utf-16", error=INVALID),
    case("StringStrip", of([b" a b \t\n", b"\x0b\x0c\r x \x00", b"\xa0x\xa0", "\u00a0x", b"\x1cx\x1d\x85", ""])),
    case("StringStrip", strings()),
    case("StringLength", of(HARD)),
    case("StringLength", strings(2, 3)),
    case("StringLength", of(HARD), unit="UTF8_CHAR"),
    case("StringToNumber", of(NUMBERS)),
    case("StringToNumber", of([["-1", "2"]]), types={"out_type": ["int32", "int64"]}),
    case("StringToNumber", strings(0)),
    case("StringToNumber", of(FLOATS), types=FLOAT),
    *[
        case("StringToNumber", of(text), types=FLOAT, error=INVALID)
        for text in ["", "  ", "1_0", "+ 3", "e3", "1f", "--1", "1,5", b"1\x00", "٣", "0x", "in"]
    ],
    *[case("StringToNumber", of(text), types=INTEGER, error=INVALID) for text in ["", "1.5", "0x10", "٣", "1_0"]],
    *[case("StringToNumber", of(text), out_type="int32", error=INVALID) for text in ["2147483648", "-2147483649"]],
    *[case("StringToNumber", of(text), out_type="uint64", error=INVALID) for text in ["-0", "18446744073709551616"]],
    case("AsString", real(2, 3)),
    case("AsString", real()),
    case("AsString", of([1.5, -2.25, 1e10, 1e-10, float("inf"), float("nan"), -0.0, 0.1, 3e38]), types=REAL),
    *[
        case("AsString", of([1.5, -2.25, 0.1, 1e10, 1e-10, 1234567.0, float("-inf")]), types=REAL, **attrs)  # type: ignore[arg-type]
        for attrs in [
            {"scientific": True},
            {"shortest": True},
            {"shortest": True, "precision": 3},
            {"precision": 2},
            {"precision": 0},
            {"precision": 2, "width": 8},
            {"precision": 2, "width": 8, "fill": "0"},
            {"precision": 2, "width": 8, "fill": "-"},
            {"precision": 2, "width": 8, "fill": "+"},
            {"precision": 2, "width": 8, "fill": " "},
            {"fill": "0"},
        ]
    ],
    *[case("AsString", of([1, -2, 30]), types=SIGNED, width=5, fill=fill) for fill in ["", "0", "-", "+", " "]],
    *[case("AsString", of([1, 200]), types={"T": ["uint8", "uint64"]}, width=5, fill=fill) for fill in "0-+ "],
    case("AsString", real(3), types={"T": ["complex64", "complex128"]}, precision=1, width=6, fill="0"),
    case("AsString", of(["abc", "é"]), width=5, fill="-", types=TEXT),
    case("AsString", of(["abc"]), width=5, fill="0", types=TEXT),
    case("AsString", bools(3), width=7, types={"T": ["bool"]}),
    case("AsString", real(2), types=SIGNED, precision=2, error=INVALID),
    case("AsString", real(2), types=SIGNED, scientific=True, error=INVALID),
    case("AsString", real(2), types=REAL, scientific=True, shortest=True, error=INVALID),
    case("AsString", real(2), types=REAL, fill="x", error=INVALID),
    case("AsString", real(2), types=REAL, fill="00", error=INVALID),
    case("EncodeBase64", of(["", "a", "ab", "abc", b"\xff\xfe\xfb"])),
    case("EncodeBase64", of([["", "a", "ab", "abc", b"\xff\xfe\xfb"]]), pad=True),
    case("DecodeBase64", of(["", "YQ", "YQ==", "YWI", "YWI=", "_-77", "YR", "YWJ"])),
    *[
        case("DecodeBase64", of(text), error=INVALID)
        for text in ["/+77", "YQ=", "Y", "YWJj=", "YW Jj", "====", "YQ==YQ==", "Y Q", "AAA=AAAA"]
    ],
    case("StringFormat", LIST, template="{}|{}|{}|{}", placeholder="{}"),
    case("StringFormat", [], template="abc"),
    *[
        case("StringFormat", [ints(*shape, high=100)], summarize=summarize)
        for shape, summarize in [((8,), 3), ((6,), 3), ((4, 3, 2), 1), ((2, 2, 2), 1), ((3, 2), -1), ((3,), 0), ((), 3)]
    ],
    case("StringFormat", [real(0)]),
    case("StringFormat", [real(2, 0)]),
    case("StringFormat", [real(3, 0, 2)]),
    case("StringFormat", [strings(3, 2)]),
    case("StringFormat", [of("a\"b\n'\\é")]),
    *[
        case("StringFormat", [of([1 / 3, 0.1, 123456789.0, 1e20, 1e5, 1e-7, float("nan"), -0.0], kind)], summarize=-1)
        for kind in ["float32", "float64"]
    ],
    case("StringFormat", [of([1.5, 0.1], "float16"), of([1, 2], "int8")], template="%s %s"),
    case("StringFormat", [real(2), real(2)], error=ValueError),
]


@pytest.mark.parametrize("row", CASES, ids=str)
def test_ops(row):
    check(row)


BUILDERS = [
    lambda tf: tf.string_join(["a", tf.placeholder("string", [2]), tf.placeholder("string")], separator="-"),
    lambda tf: tf.string_join([["a", "b"], ["c"]], name="x"),
    lambda tf: tf.substr(tf.placeholder("string"), 1, [2, 3]),
    lambda tf: tf.substr(["abc"], [1], [2], unit="UTF8_CHAR", name="cut"),
    lambda tf: tf.string_strip([" a "]),
    lambda tf: tf.string_to_number("1", "int64", "n"),
    lambda tf: tf.string_to_number(input=["1"]),
    lambda tf: tf.string_to_number("1", input="2"),
    lambda tf: tf.as_string([1.5], precision=2, fill="0"),
    lambda tf: tf.as_string(tf.placeholder("int32", [None, 2])),
    lambda tf: tf.encode_base64(["a"], pad=True),
    lambda tf: tf.decode_base64(tf.placeholder("string", [3])),
]


@pytest.mark.parametrize("index", range(len(BUILDERS)))
def test_graph_is_tensorflows(index):
    compare_graphs(BUILDERS[index], [string_ops])


NAMESPACED = {
    "format": ("string_format", ["a {} {}", [["x"], 1.5]], {"summarize": 2}),
    "length": ("string_length", [["x"]], {"unit": "UTF8_CHAR"}),
    "lower": ("string_lower", [["x"], "utf-8"], {}),
    "upper": ("string_upper", [["x"]], {"name": "up"}),
}


@pytest.mark.parametrize("name", NAMESPACED)
def test_graph_of_namespaced_function_is_tensorflows(name):
    ours, args, kwargs = NAMESPACED[name]
    compare_graphs(
        lambda tf: getattr(tf, ours)(*args, **kwargs),  # type: ignore[arg-type, misc]
        [string_ops],
        lambda tf: getattr(tf.strings, name)(*args, **kwargs),  # type: ignore[arg-type, misc]
    )


def test_format_counts_placeholders():
    with pytest.raises(ValueError, match="expects 1 tensors, but the inputs only has 2"):
        string_ops.string_format("{}", [1, 2])
