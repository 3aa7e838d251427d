"""Text is decoded and encoded as in TensorFlow, errors and all."""

from __future__ import annotations

from typing import Any

import pytest

import runstep.kernels.numpy.unicode
import runstep.ops.table  # noqa: F401
from runstep import errors
from runstep.ops import unicode
from runstep.testing import case, check, ints, of, strings
from runstep.testing.bench import Bench
from runstep.testing.building import compare_graphs

INVALID = errors.InvalidArgumentError
GAPS = {
    name: "encodings are those of Python's codecs; ICU knows more"
    for name in ("UnicodeDecode", "UnicodeDecodeWithOffsets", "UnicodeTranscode")
}
GOOD = ["aé中😀", "", "สวัสดี", "a\tb\x01\x7f\u0085"]
BROKEN = [
    b"\xff\xfea\xe4\xb8",
    b"\xed\xa0\x80x",
    b"\xf4\x90\x80\x80",
    b"\xc0\x80",
    b"\xe4\xb8a",
    b"\xf0\x9f\x98",
    b"\x80",
]
ENCODED = {
    "UTF-16-BE": ["ab😀".encode("utf-16-be"), b"\xd8\x00\x00a", b"a", b"\xdc\x00\x00b"],
    "UTF-16-LE": ["ab😀".encode("utf-16-le"), b"a"],
    "UTF-32-BE": ["ab😀".encode("utf-32-be"), b"\0\x11\0\0", b"\0\0"],
    "UTF-16": ["ab".encode("utf-16")],
    "UTF-32": ["ab".encode("utf-32-be")],
    "ISO-8859-1": [b"\xe9a\x80"],
    "latin1": [b"\xe9a\x80"],
    "windows-1252": ["é€".encode("cp1252")],
    "US-ASCII": [b"a\xe9"],
    "shift_jis": ["日本".encode("shift-jis"), b"a"],
    "GBK": ["日a".encode("gbk")],
    "EUC-JP": ["日a".encode("euc-jp")],
    "big5": ["日a".encode("big5")],
    "utf8": [b"\xef\xbb\xbfa", "é"],
}
CODES = of([97, 233, 0x4E2D, 0x1F600, 0, 0xFFFE])
WRONG = of([97, 0x110000, -1, 0xD800, 0xFFFF])
UTF8: Any = {"input_encoding": "UTF-8"}
EXTRA: Any = {
    "UnicodeDecode": {},
    "UnicodeDecodeWithOffsets": {"Tsplits": "int64"},  # TensorFlow aborts the process for int32
    "UnicodeTranscode": {"output_encoding": "UTF-8"},
}

CASES = [
    *[
        row
        for name in ("UnicodeDecode", "UnicodeDecodeWithOffsets", "UnicodeTranscode")
        for extra in [EXTRA[name]]
        for row in (
            case(name, of([*GOOD, *BROKEN]), **UTF8, **extra),
            case(name, of(GOOD), **UTF8, **extra, errors="strict"),
            case(name, of(BROKEN), **UTF8, **extra, errors="ignore"),
            case(name, of(BROKEN), **UTF8, **extra, replacement_char=63),
            case(name, of([*GOOD, *BROKEN]), **UTF8, **extra, replace_control_characters=True),
            case(name, of([*GOOD, *BROKEN]), **UTF8, **extra, replace_control_characters=True, errors="ignore"),
            *[case(name, of([text]), **UTF8, **extra, errors="strict", error=INVALID) for text in BROKEN[:2]],
            case(name, strings(2, 3), **UTF8, **extra),
            case(name, of("aé"), **UTF8, **extra),
            case(name, strings(0), **UTF8, **extra),
            case(name, of(["a"]), input_encoding="nope", **extra, error=INVALID),
            case(name, of(["a"]), **UTF8, **extra, replacement_char=0x110000, error=INVALID),
            *[case(name, of(texts), input_encoding=encoding, **extra) for encoding, texts in ENCODED.items()],
        )
    ],
    *[
        case("UnicodeTranscode", of([*GOOD, *BROKEN]), **UTF8, output_encoding=encoding)
        for encoding in ("UTF-16-BE", "UTF-32-BE")
    ],
    case(
        "UnicodeTranscode",
        of(GOOD),
        **UTF8,
        output_encoding="UTF-8",
        replace_control_characters=True,
        errors="strict",
        error=INVALID,
    ),
    case("UnicodeDecode", of(GOOD), **UTF8, replace_control_characters=True, errors="strict"),
    case("UnicodeTranscode", of(BROKEN), **UTF8, output_encoding="UTF-8", replacement_char=0xD800),
    *[
        row
        for encoding in ("UTF-8", "UTF-16-BE", "UTF-32-BE")
        for row in (
            case("UnicodeEncode", CODES, [0, 2, 2, 6], output_encoding=encoding),
            case("UnicodeEncode", WRONG, [0, 5], output_encoding=encoding),
            case("UnicodeEncode", WRONG, [0, 5], output_encoding=encoding, errors="ignore"),
            case("UnicodeEncode", WRONG, [0, 5], output_encoding=encoding, replacement_char=63),
            case("UnicodeEncode", WRONG, [0, 5], output_encoding=encoding, replacement_char=0xD800),
            case("UnicodeEncode", WRONG, [0, 5], output_encoding=encoding, errors="strict", error=INVALID),
        )
    ],
    case("UnicodeEncode", ints(0), [0, 0], output_encoding="UTF-8"),
    *[
        case("UnicodeEncode", CODES, splits, output_encoding="UTF-8", error=INVALID)
        for splits in ([0, 2], [0, 7], [1, 6], [0, 4, 2, 6])
    ],
    case("UnicodeEncode", ints(0), of([], "int64"), output_encoding="UTF-8", error=INVALID),
    case("UnicodeEncode", ints(0), of([], "int64"), output_encoding="UTF-8", error=ValueError),
    case("UnicodeEncode", ints(1, 2), [0, 1], output_encoding="UTF-8", error=INVALID),
    case("UnicodeScript", of([97, 233, 0x4E2D, 0x1F600, 0x110000, -1, 0x3042, 0xD800, 0x378, 0x10FFFF, 0])),
    case("UnicodeScript", ints(40, 50, high=0x20000)),
    case("UnicodeScript", of(97)),
]


@pytest.mark.parametrize("row", CASES, ids=str)
def test_ops(row):
    check(row)


def test_graph_of_decode_is_tensorflows():
    for name in ("unicode_decode", "unicode_decode_with_offsets"):
        compare_graphs(
            lambda tf, name=name: getattr(tf, name)(tf.placeholder("string", [2]), "UTF-8", errors="strict"),  # type: ignore[misc]
            [unicode],
            lambda tf, name=name: getattr(tf.strings, name)(tf.placeholder("string", [2]), "UTF-8", errors="strict"),  # type: ignore[misc]
        )


def test_functions_give_rows_of_characters():
    bench = Bench()
    with bench.graph.as_default():
        parts = unicode.unicode_split(["aé", "中"], "UTF-8")
        assert bench.run(parts.values).tolist() == [b"a", "é".encode(), "中".encode()]
        assert bench.run(parts.row_splits).tolist() == [0, 2, 3]
        characters, starts = unicode.unicode_split_with_offsets("aé中", "UTF-8")
        assert bench.run(characters).tolist() == [b"a", "é".encode(), "中".encode()]
        assert bench.run(starts).tolist() == [0, 1, 3]
        assert bench.run(unicode.unicode_encode([97, 233], "UTF-8")) == "aé".encode()
        assert bench.run(unicode.unicode_encode([[97, 98], [99, 100]], "UTF-8")).tolist() == [b"ab", b"cd"]
        assert bench.run(unicode.unicode_encode(unicode.unicode_decode(["aé", ""], "UTF-8"), "UTF-8")).tolist() == [
            "aé".encode(),
            b"",
        ]
