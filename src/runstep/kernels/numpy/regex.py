"""Matching and replacing by regular expressions."""

from __future__ import annotations

import re

import numpy as np

from runstep import errors
from runstep.kernels import re2
from runstep.kernels.bytestrings import Array, mapped, numbers, text_shape
from runstep.kernels.registry import Kernel, Node, numpy_kernel


def _compiled(pattern: bytes) -> re.Pattern[str]:
    try:
        return re2.compiled(pattern)
    except re2.Error as error:
        text = pattern.decode("utf-8", "replace")
        raise errors.InvalidArgumentError(None, None, f"Invalid pattern: {text}, error: {error}") from None


def _scalar(value: Array, what: str) -> bytes:
    if np.ndim(value):
        raise errors.InvalidArgumentError(
            None, None, f"{what} must be scalar, but received {text_shape(np.shape(value))}"
        )
    found: bytes = value.item()
    return found


def _matches(pattern: re.Pattern[str], x: Array) -> Array:
    match = pattern.fullmatch
    return numbers(lambda text: match(re2.decoded(text)) is not None, x, np.bool_)


def _replaced(pattern: re.Pattern[str], rewrite: re2.Rewrite, everywhere: bool, x: Array) -> Array:
    return mapped(lambda text: re2.encoded(re2.replace(pattern, rewrite, re2.decoded(text), everywhere)), x)


@numpy_kernel.make("StaticRegexFullMatch")
def static_regex_full_match(node: Node) -> Kernel:
    pattern = _compiled(node.attrs["pattern"])
    return lambda x: _matches(pattern, x)


@numpy_kernel("RegexFullMatch")
def regex_full_match(x: Array, pattern: Array) -> Array:
    return _matches(_compiled(_scalar(pattern, "Pattern")), x)


@numpy_kernel.make("StaticRegexReplace")
def static_regex_replace(node: Node) -> Kernel:
    pattern, rewrite = _compiled(node.attrs["pattern"]), re2.Rewrite(node.attrs["rewrite"])
    everywhere = node.attrs["replace_global"]
    return lambda x: _replaced(pattern, rewrite, everywhere, x)


@numpy_kernel.make("RegexReplace")
def regex_replace(node: Node) -> Kernel:
    everywhere = node.attrs["replace_global"]

    def kernel(x: Array, pattern: Array, rewrite: Array) -> Array:
        compiled = _compiled(_scalar(pattern, "Pattern"))
        return _replaced(compiled, re2.Rewrite(_scalar(rewrite, "Rewrite")), everywhere, x)

    return kernel
