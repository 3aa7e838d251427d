"""Regular expressions mean what they mean in TensorFlow."""

from __future__ import annotations

import pytest

import runstep.kernels.numpy.regex  # noqa: F401
from runstep import errors
from runstep.ops import regex
from runstep.testing import case, check, of, strings
from runstep.testing.building import compare_graphs

INVALID = errors.InvalidArgumentError
GAPS = {
    "RegexReplace": "\\C is a character, not a byte; \\B is never inside of a character",
    "StaticRegexReplace": "as RegexReplace",
}
TEXTS = of(
    ["a", "é", "É", "AA", "aa", "ab\ncd", "8", "\x07", "b", "", " ", "-", "a*", "Ω", "日本 OK", b"\xff", "x_1\t"]
)

PATTERNS = r"""
a|.|.*|(?s).*|a*|a|b|a|ab|(?i)é|(?i)k|é+|\w+|\W|\d|\D|\s|\S|\pL|\PL|\p{^L}|\p{Lu}+|\p{Greek}|\p{Han}+.*|\p{Any}
[[:alpha:]]+|[[:^alpha:]]|[^a]|[a-]|[-a]|[]a]+|[\d-z]|[[.a.]]|a{0}|a{1}|a{0,}|a{1,1000}|a{,2}|a{|a{2|(?P<n>a)|(?P<1>a)
(?i-s:A)b|(?s)a(?-s).|(?m)^c|(?m)b$|^c|b$|(?U)a.*|a+?|\bab\b|\Aa\z|^*|$*|\b*|(?)|(?ii)a|\Qa*\E|\Qa*
\07|\12|\101|\x41|\x{e9}|\a|\-|\.|[\]\-a]|(((a)))|x_\d\t|[x_1\t]+|(?i)[a-z]+|(?i)(?P<x>A)|a(?i)A|(a(?i)a)A|
""".strip().split("|")
PATTERNS += [r"[\pL\d]", "(|a)*", "(?:a|ab)(?:c)?", "a|b", "a|ab|", "(a|é)+", "(?:a|A)*", "|a"]

WRONG = r"""*a a** a*+ a{1001} a{2,1} x{2}{3} (?<n>a) (?P=n) (?#c) (?!a) (?i [a [b-a] \8 \o [\o] \pX \p{Foo} a) (?x)a
\x{110000} \xg (?:a [^] [] [\A] \G \K \R \X \h \cA \e [a-\d] \ [\ a{2}* a?* (?-) (?=b) (?<=b) (a)\1 b\Z ( \é
""".split()
WRONG += ["a|*", "(?P<n a)", "\\u0041"]

CASES = [
    *[case("StaticRegexFullMatch", TEXTS, pattern=text, name=f"{i} {text}") for i, text in enumerate(PATTERNS)],
    *[
        case("StaticRegexReplace", TEXTS, pattern=text, rewrite=r"<\0>", name=f"{i} {text}")
        for i, text in enumerate(PATTERNS)
    ],
    *[case("RegexFullMatch", TEXTS, of(text), error=INVALID) for text in WRONG],
    case("StaticRegexReplace", strings(3), pattern="(", rewrite="", error=INVALID),
    case("StaticRegexFullMatch", strings(3), pattern="(", error=INVALID),
    case("RegexFullMatch", strings(2, 3), ".*r.*"),
    case("RegexFullMatch", strings(), of(["a"]), error=INVALID),
    case("RegexFullMatch", strings(), of(["a"]), error=ValueError),
    *[
        case("RegexReplace", of([["foobar", "ob"], ["boo", ""]]), "(o+)(b)?", rewrite, replace_global=everywhere)
        for everywhere in (True, False)
        for rewrite in [r"\2\1\0", "", r"[\1]", "\\\\", r"\3", r"[\x]", "\\"]
    ],
    *[
        case("RegexReplace", of(["aaa", "baaac", "é", ""]), pattern, "-", replace_global=everywhere)
        for everywhere in (True, False)
        for pattern in ["a*", "a*?", "b|", "", "^", "$", r"\b"]
    ],
    case("RegexReplace", strings(2), of(["a"]), "b", error=INVALID),
    case("RegexReplace", strings(2), "a", of(["b"]), error=INVALID),
]


@pytest.mark.parametrize("row", CASES, ids=str)
def test_ops(row):
    check(row)


BUILDERS = [
    lambda tf: tf.regex_replace(tf.placeholder("string"), "a", "b", replace_global=False),
    lambda tf: tf.regex_replace(tf.placeholder("string"), tf.constant("a"), "b"),
    lambda tf: tf.regex_replace(["a"], b"a", b"b", name="x"),
]


@pytest.mark.parametrize("index", range(len(BUILDERS)))
def test_graph_is_tensorflows(index):
    compare_graphs(BUILDERS[index], [regex])


@pytest.mark.parametrize("as_tensor", [False, True])
def test_graph_of_full_match_is_tensorflows(as_tensor):
    def pattern(tf):
        return tf.constant("a") if as_tensor else "a"

    compare_graphs(
        lambda tf: tf.regex_full_match(tf.placeholder("string"), pattern(tf)),
        [regex],
        lambda tf: tf.strings.regex_full_match(tf.placeholder("string"), pattern(tf)),
    )
