"""Definitions of TensorFlow's ops that runstep does not compute: graphs with them can be built, read and written, and
each of their nodes is refused only by a step that needs it. Nothing is known of their shapes.

They are lines of a file, which `python -m runstep.testing.definitions` writes and which is read when an op is looked up
that has no row."""

from __future__ import annotations

import functools
from pathlib import Path

FILE = Path(__file__).with_suffix(".txt")

Row = tuple[str, tuple[str, ...], tuple[str, ...]]
"""Signature, attributes and flags, as `runstep.ops.registry.op` takes them."""


@functools.cache
def rows() -> dict[str, Row]:
    """By name of the op."""
    found: dict[str, Row] = {}
    for line in FILE.read_text("utf-8").splitlines():
        name, signature, attrs, flags = (line.split("\t") + ["", ""])[:4]
        found[name] = (signature, tuple(attrs.split("; ")) if attrs else (), tuple(flags.split()))
    return found
