"""Bulk work without garbage collection: plans and imported graphs are many objects and no garbage."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator


@contextlib.contextmanager
def uncollected() -> Iterator[None]:
    """Without garbage collection inside of the block, where each round would walk all graphs that there are.

    For work that makes many objects which all stay, and that ends by itself: the switch is the whole process's.
    """
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
