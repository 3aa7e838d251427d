"""`tf.config.optimizer` (source: tf.compat.v1.config.optimizer). What a session uses, its ConfigProto says."""

from __future__ import annotations

from typing import Any

__all__ = ["get_experimental_options", "get_jit", "set_experimental_options", "set_jit"]

_settings: dict[str, Any] = {"jit": "", "options": {"disable_model_pruning": False, "disable_meta_optimizer": False}}


def get_jit() -> str:
    """What was set: "autoclustering", or an empty string."""
    return str(_settings["jit"])


def set_jit(enabled: Any) -> None:
    """Remembered. There is no XLA; plans are compiled anyway."""
    _settings["jit"] = "autoclustering" if enabled in (True, "autoclustering") else ""


def get_experimental_options() -> dict[str, Any]:
    """What was set."""
    return dict(_settings["options"])


def set_experimental_options(options: dict[str, Any]) -> None:
    """Remembered."""
    _settings["options"].update(options)
