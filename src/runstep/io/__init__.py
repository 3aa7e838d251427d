"""Files: checkpoints, records, and the tables that they are made of. As `tf.io` it has the names of `namespace`."""

from __future__ import annotations

import importlib
import importlib.util
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from runstep.io.namespace import *  # noqa: F403


def __getattr__(name: str) -> Any:
    # Late, because the ops that `tf.io` names are built on the modules here.
    if not name.startswith("_"):
        if importlib.util.find_spec(f"runstep.io.{name}") is not None:
            return importlib.import_module(f"runstep.io.{name}")
        names = vars(importlib.import_module("runstep.io.namespace"))
        if name in names:
            return names[name]
    raise AttributeError(f"module 'runstep.io' has no attribute {name!r}")
