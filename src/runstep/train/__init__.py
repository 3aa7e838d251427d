"""`tf.train`: training (source: tf.compat.v1.train). Its names are those of `namespace`, loaded when first used."""

from __future__ import annotations

import importlib
import importlib.util
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from runstep.train.namespace import *  # noqa: F403


def __getattr__(name: str) -> Any:
    if not name.startswith("_"):
        if importlib.util.find_spec(f"runstep.train.{name}") is not None:
            return importlib.import_module(f"runstep.train.{name}")
        names = vars(importlib.import_module("runstep.train.namespace"))
        if name in names:
            return names[name]
    raise AttributeError(f"module 'runstep.train' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *importlib.import_module("runstep.train.namespace").__all__})
