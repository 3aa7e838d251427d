"""RE2's regular expressions on Python's `re`: the syntax is read here and written anew.

RE2 works on UTF-8 and knows no look-around and no back references; its classes \\d, \\w, \\s and \\b are ASCII. Text is
decoded so that every byte that is not UTF-8 becomes a lone surrogate, which no part of a pattern matches. What
differs: \\C is a character here and a byte there, and \\B is never inside of a character.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Iterable

from runstep.kernels import unicode_scripts

_LAST = 0x10FFFF
_SURROGATES = (0xD800, 0xDFFF)
_BROKEN = r"\udc80-\udcff"
_REPEATS = re.compile(r"\{(\d+)(,(\d*))?\}")
_WORD = "0-9A-Za-z_"
_ESCAPED = {"a": 7, "f": 12, "n": 10, "r": 13, "t": 9, "v": 11}

Ranges = list[tuple[int, int]]


def _of(text: str) -> Ranges:
    """Ranges written as pairs of characters."""
    return [(ord(a), ord(b)) for a, b in zip(text[::2], text[1::2], strict=True)]


_PERL = {"d": _of("09"), "w": _of("09AZ__az"), "s": _of("\t\n\f\r  ")}
_POSIX = {
    "alnum": _of("09AZaz"),
    "alpha": _of("AZaz"),
    "ascii": [(0, 127)],
    "blank": _of("\t\t  "),
    "cntrl": [(0, 31), (127, 127)],
    "digit": _of("09"),
    "graph": _of("!~"),
    "lower": _of("az"),
    "print": _of(" ~"),
    "punct": _of("!/:@[`{~"),
    "space": _of("\t\r  "),
    "upper": _of("AZ"),
    "word": _of("09AZ__az"),
    "xdigit": _of("09AFaf"),
}


class Error(ValueError):
    """The pattern is not RE2's syntax; the text says what is wrong with it, in RE2's words."""


def _complement(ranges: Ranges) -> Ranges:
    found, start = [], 0
    for low, high in sorted([*ranges, _SURROGATES]):
        if low > start:
            found.append((start, low - 1))
        start = max(start, high + 1)
    if start <= _LAST:
        found.append((start, _LAST))
    return found


@functools.cache
def _categories() -> dict[str, Ranges]:
    """The ranges of each two-letter general category."""
    found: dict[str, Ranges] = {}
    last, start = unicodedata.category("\0"), 0
    for code in range(1, _LAST + 2):
        kind = unicodedata.category(chr(code)) if code <= _LAST else ""
        if kind != last:
            found.setdefault(last, []).append((start, code - 1))
            last, start = kind, code
    found.pop("Cs", None)
    found.pop("Cn", None)
    return found


def _unicode_class(name: str) -> Ranges | None:
    if name == "Any":
        return _complement([])
    if name in unicode_scripts.NAMES:
        return unicode_scripts.ranges(unicode_scripts.NAMES.index(name))
    found = [part for kind, ranges in _categories().items() if kind.startswith(name) for part in ranges]
    return sorted(found) or None


def _class_text(ranges: Iterable[tuple[int, int]], negated: bool) -> str:
    parts = [f"\\U{low:08x}" + (f"-\\U{high:08x}" if high > low else "") for low, high in ranges]
    if negated:
        return f"[^{''.join(parts)}{_BROKEN}]"
    return f"[{''.join(parts)}]" if parts else r"(?!)"


class _Translator:
    """Reads one pattern, once, from left to right."""

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self.at = 0
        self.out: list[str] = []
        self.flags = {"i": False, "m": False, "s": False, "U": False}
        self.groups = 0
        # Whether there is something that a repetition could repeat, and the text of the repetition just before.
        self.repeatable = False
        self.repetition = ""

    def run(self) -> str:
        self._alternatives(0)
        if self.at < len(self.pattern):
            raise Error(f"unexpected ): {self.pattern}")
        return "".join(self.out)

    def _atom(self, text: str, foldable: bool = False) -> None:
        self.out.append(f"(?i:{text})" if foldable and self.flags["i"] else text)
        self.repeatable, self.repetition = True, ""

    def _literal(self, code: int) -> None:
        self._atom(re.escape(chr(code)), foldable=True)

    def _alternatives(self, depth: int) -> None:
        pattern = self.pattern
        self.repeatable, self.repetition = False, ""
        while self.at < len(pattern):
            char = pattern[self.at]
            if char == ")":
                return
            if char == "(":
                self._group(depth)
            elif char == "|":
                self.at += 1
                self.out.append("|")
                self.repeatable, self.repetition = False, ""
            elif char in "*+?":
                self._repeat(self.at + 1, char)
            elif char == "{" and (match := _REPEATS.match(pattern, self.at)):
                self._count(match)
            else:
                self._one(char)

    def _one(self, char: str) -> None:
        if char == "[":
            self._class()
        elif char == "\\":
            self._escape()
        else:
            self.at += 1
            if char == ".":
                self._atom(f"[^{_BROKEN}]" if self.flags["s"] else f"[^\\n{_BROKEN}]")
            elif char == "^":
                self._atom("(?:(?m:^))" if self.flags["m"] else r"(?:\A)")
            elif char == "$":
                self._atom("(?:(?m:$))" if self.flags["m"] else r"(?:\Z)")
            else:
                self._literal(ord(char))

    # --- groups and repetitions ---

    def _group(self, depth: int) -> None:
        saved = dict(self.flags)
        if self.pattern.startswith("(?", self.at):
            if not self._perl_group():
                return
        else:
            self.at += 1
            self.groups += 1
            self.out.append("(")
        if depth > 900:
            raise Error("expression nests too deeply")
        self._alternatives(depth + 1)
        if self.at >= len(self.pattern):
            raise Error(f"missing ): {self.pattern}")
        self.at += 1
        self.flags = saved
        self.out.append(")")
        self.repeatable, self.repetition = True, ""

    def _perl_group(self) -> bool:
        """Reads `(?...`; whether a group has begun (False: only flags were set)."""
        start = self.at
        named = re.compile(r"\(\?P<(\w+)>").match(self.pattern, start)
        if named:
            self.at, self.groups = named.end(), self.groups + 1
            self.out.append("(")
            return True
        if self.pattern.startswith("(?P<", start):
            raise Error(f"invalid named capture group: {self.pattern[start:]}")
        place, value, seen = start + 2, True, False
        while place < len(self.pattern):
            char = self.pattern[place]
            place += 1
            if char in self.flags:
                self.flags[char], seen = value, True
            elif char == "-" and value:
                value, seen = False, False
            elif char in ":)" and (value or seen):
                self.at = place
                if char == ":":
                    self.out.append("(?:")
                    return True
                self.repeatable = False
                return False
            else:
                break
        raise Error(f"invalid perl operator: {self.pattern[start:place]}")

    def _count(self, match: re.Match[str]) -> None:
        least, most = int(match[1]), int(match[3]) if match[3] else None
        if least > 1000 or (most is not None and (most > 1000 or most < least)):
            raise Error(f"invalid repetition size: {match[0]}")
        self._repeat(match.end(), match[0])

    def _repeat(self, end: int, text: str) -> None:
        lazy = self.pattern.startswith("?", end)
        written = text + ("?" if lazy else "")
        if self.repetition:
            raise Error(f"bad repetition operator: {self.repetition}{text}")
        if not self.repeatable:
            raise Error(f"no argument for repetition operator: {text}")
        self.at = end + lazy
        self.out.append(text + ("?" if lazy != self.flags["U"] else ""))
        self.repetition = written

    # --- classes and escapes ---

    def _escape(self) -> None:
        pattern = self.pattern
        char = pattern[self.at + 1 : self.at + 2]
        if char == "Q":
            end = pattern.find("\\E", self.at)
            for quoted in pattern[self.at + 2 : end if end >= 0 else None]:
                self._literal(ord(quoted))
            self.at = end + 2 if end >= 0 else len(pattern)
            return
        simple = {
            "A": r"(?:\A)",
            "z": r"(?:\Z)",
            "C": "(?s:.)",
            "b": f"(?:(?<=[{_WORD}])(?![{_WORD}])|(?<![{_WORD}])(?=[{_WORD}]))",
            "B": f"(?:(?<=[{_WORD}])(?=[{_WORD}])|(?<![{_WORD}])(?![{_WORD}]))",
        }.get(char)
        if simple:
            self.at += 2
            self._atom(simple)
            return
        ranges = self._named_class()
        if ranges is not None:
            self._atom(_class_text(ranges, False), foldable=True)
        else:
            self._literal(self._escaped_code())

    def _named_class(self) -> Ranges | None:
        """The class that a backslash begins here (as \\d or \\pL), read; or None, nothing read."""
        pattern, start = self.pattern, self.at
        char = pattern[start + 1 : start + 2]
        if char and char in "dwsDWS":
            self.at += 2
            ranges = _PERL[char.lower()]
            return _complement(ranges) if char.isupper() else ranges
        if not char or char not in "pP":
            return None
        match = re.compile(r"\\[pP](?:\{(\^?)(\w+)\}|(\w))").match(pattern, start)
        found = _unicode_class(match[2] or match[3]) if match else None
        if match is None or found is None:
            end = match.end() if match else len(pattern)
            raise Error(f"invalid character class range: {pattern[start:end]}")
        self.at = match.end()
        return _complement(found) if (char == "P") != (match[1] == "^") else found

    def _escaped_code(self) -> int:
        pattern, start = self.pattern, self.at
        if start + 1 >= len(pattern):
            raise Error("trailing \\")
        char = pattern[start + 1]
        match = re.compile(r"\\(?:0[0-7]{0,2}|[1-7][0-7]{1,2})").match(pattern, start)
        if match:
            self.at = match.end()
            return int(match[0][1:], 8)
        match = re.compile(r"\\x(?:([0-9A-Fa-f]{2})|\{([0-9A-Fa-f]+)\})").match(pattern, start)
        if match and int(match[1] or match[2], 16) <= _LAST:
            self.at = match.end()
            return int(match[1] or match[2], 16)
        if char in _ESCAPED or (ord(char) < 128 and not char.isalnum()):
            self.at = start + 2
            return _ESCAPED.get(char, ord(char))
        raise Error(f"invalid escape sequence: {pattern[start : start + 2]}")

    def _class(self) -> None:
        pattern, start = self.pattern, self.at
        self.at += 1
        negated = pattern.startswith("^", self.at)
        self.at += negated
        ranges: Ranges = []
        first = True
        while first or not pattern.startswith("]", self.at):
            first = False
            if self.at >= len(pattern):
                raise Error(f"missing ]: {pattern[start:]}")
            named = self._posix_class() if pattern.startswith("[:", self.at) else None
            if named is None and pattern[self.at] == "\\":
                named = self._named_class()
            if named is not None:
                ranges += named
                continue
            begin = self.at
            low = high = self._class_code()
            if pattern.startswith("-", self.at) and self.at + 1 < len(pattern) and pattern[self.at + 1] != "]":
                self.at += 1
                high = self._class_code()
            if high < low:
                raise Error(f"invalid character class range: {pattern[begin : self.at]}")
            ranges.append((low, high))
        self.at += 1
        self._atom(_class_text(ranges, negated), foldable=True)

    def _class_code(self) -> int:
        if self.pattern[self.at] == "\\":
            return self._escaped_code()
        self.at += 1
        return ord(self.pattern[self.at - 1])

    def _posix_class(self) -> Ranges | None:
        end = self.pattern.find(":]", self.at + 2)
        if end < 0:
            return None
        name = self.pattern[self.at + 2 : end]
        found = _POSIX.get(name.lstrip("^"))
        if found is None:
            raise Error(f"invalid character class range: [:{name}:]")
        self.at = end + 2
        return _complement(found) if name.startswith("^") else found


@functools.lru_cache(256)
def compiled(pattern: bytes) -> re.Pattern[str]:
    """RE2's `pattern` as a pattern for text that `decoded` made. Error if it is not RE2's syntax."""
    try:
        text = pattern.decode()
    except UnicodeDecodeError:
        raise Error("invalid UTF-8") from None
    return re.compile(_Translator(text).run())


def decoded(text: bytes) -> str:
    """`text` as the patterns expect it."""
    return text.decode("utf-8", "surrogateescape")


def encoded(text: str) -> bytes:
    """The bytes that `decoded` read."""
    return text.encode("utf-8", "surrogateescape")


class Rewrite:
    """What a match is replaced by: text, with \\0 to \\9 for the match and its groups, \\\\ for a backslash."""

    def __init__(self, rewrite: bytes) -> None:
        self.parts: list[str | int] = []
        self.is_valid = True
        for piece in re.findall(r"\\.?|[^\\]+", decoded(rewrite), re.S):
            if piece[0] != "\\":
                self.parts.append(piece)
            elif piece[1:].isdigit() and piece[1] in "0123456789":
                self.parts.append(int(piece[1]))
            elif piece == "\\\\":
                self.parts.append("\\")
            else:
                self.is_valid = False  # what comes before it is used all the same
                break
        self.groups = max((int(digit) for digit in re.findall(rb"\\([0-9])", rewrite)), default=0)

    def of(self, match: re.Match[str]) -> str:
        return "".join(part if isinstance(part, str) else match[part] or "" for part in self.parts)


def replace(pattern: re.Pattern[str], rewrite: Rewrite, text: str, everywhere: bool) -> str:
    """`text` with the first match, or every one, rewritten; unchanged where the rewrite asks for a group too many."""
    if rewrite.groups > pattern.groups:
        return text
    if not everywhere:
        match = pattern.search(text)
        if match is None or not rewrite.is_valid:
            return text
        return text[: match.start()] + rewrite.of(match) + text[match.end() :]
    out, place, last_end = [], 0, -1
    while place <= len(text):
        match = pattern.search(text, place)
        if match is None:
            break
        out.append(text[place : match.start()])
        place = match.end()
        if match.start() == match.end() == last_end:
            # No empty match where the last one ended.
            out.append(text[place : place + 1])
            place += 1
            continue
        out.append(rewrite.of(match))
        last_end = place
    out.append(text[place:])
    return "".join(out)
