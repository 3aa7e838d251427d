"""`tf.app`: running a program with flags (source: tf.compat.v1.app)."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from runstep import flags as flags

__all__ = ["flags", "run"]


def run(main: Callable[..., Any] | None = None, argv: Sequence[str] | None = None) -> NoReturn:
    """Parses the flags, calls `main(argv)` with what is left, and exits with what it returns (source: tf.app.run).

    Args:
      main: the `main` of the program by default. argv: `sys.argv` by default.
    """
    main = main or sys.modules["__main__"].main
    rest = flags.FLAGS(list(sys.argv if argv is None else argv), known_only=True)
    sys.exit(main(rest))
