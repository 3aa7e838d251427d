"""Regular expressions in RE2's syntax: op definitions and the functions of `tf.strings`."""

from __future__ import annotations

from typing import Any

from runstep.graph import shapes
from runstep.graph.apply import apply
from runstep.graph.tensor import Tensor, TensorLike
from runstep.ops.common import Shapes, unchanged
from runstep.ops.registry import op

__all__ = ["regex_full_match", "regex_replace"]


def _matched(op: Any) -> Shapes:
    for tensor in op.inputs[1:]:
        shapes.with_rank(tensor.raw_shape, 0)
    return unchanged(op)


op("RegexReplace", "input: string, pattern: string, rewrite: string -> output: string", "replace_global: bool = true",
   shape=_matched)  # fmt: skip
op("RegexFullMatch", "input: string, pattern: string -> output: bool", shape=_matched)
op(
    "StaticRegexReplace",
    "input: string -> output: string",
    "pattern: string",
    "rewrite: string",
    "replace_global: bool = true",
    shape=unchanged,
)
op("StaticRegexFullMatch", "input: string -> output: bool", "pattern: string", shape=unchanged)


def regex_full_match(input: TensorLike, pattern: Any, name: str | None = None) -> Tensor:
    """bool: whether the whole of each string matches. Source: `tf.strings.regex_full_match`."""
    result: Tensor
    if isinstance(pattern, str | bytes):
        result = apply("StaticRegexFullMatch", input, pattern=pattern, name=name)
    else:
        result = apply("RegexFullMatch", input, pattern, name=name)
    return result


def regex_replace(
    input: TensorLike, pattern: Any, rewrite: Any, replace_global: bool = True, name: str | None = None
) -> Tensor:
    """Every match (or only the first) replaced by `rewrite`.

    In the rewrite \\1 to \\9 are the match's groups and \\0 is all of it. Source: `tf.strings.regex_replace`.
    """
    result: Tensor
    if isinstance(pattern, str | bytes) and isinstance(rewrite, str | bytes):
        result = apply(
            "StaticRegexReplace", input, pattern=pattern, rewrite=rewrite, replace_global=replace_global, name=name
        )
    else:
        result = apply("RegexReplace", input, pattern, rewrite, replace_global=replace_global, name=name)
    return result
