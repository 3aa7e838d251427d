"""`tf.config.experimental`: devices and their memory (source: tf.compat.v1.config.experimental)."""

from __future__ import annotations

from typing import Any

from runstep.config.devices import (
    LogicalDeviceConfiguration as VirtualDeviceConfiguration,
    get_logical_device_configuration as get_virtual_device_configuration,
    get_visible_devices,
    list_logical_devices,
    list_physical_devices,
    set_logical_device_configuration as set_virtual_device_configuration,
    set_visible_devices,
)

__all__ = [
    "VirtualDeviceConfiguration",
    "enable_tensor_float_32_execution",
    "get_device_details",
    "get_memory_growth",
    "get_virtual_device_configuration",
    "get_visible_devices",
    "list_logical_devices",
    "list_physical_devices",
    "set_memory_growth",
    "set_virtual_device_configuration",
    "set_visible_devices",
    "tensor_float_32_execution_enabled",
]

_tensor_float = [True]


def _not_gpu(device: Any) -> ValueError:
    return ValueError(f"Cannot set memory growth on non-GPU and non-Pluggable devices: {device!r}")


def get_memory_growth(device: Any) -> bool:
    """ValueError: only GPUs have it, and there are none."""
    raise _not_gpu(device)


def set_memory_growth(device: Any, enable: bool) -> None:
    """ValueError: only GPUs have it, and there are none."""
    raise _not_gpu(device)


def get_device_details(device: Any) -> dict[str, Any]:
    """What is known of a device: nothing of a CPU."""
    return {}


def enable_tensor_float_32_execution(enabled: bool) -> None:
    """Remembered; products of float32 are float32 here."""
    _tensor_float[0] = bool(enabled)


def tensor_float_32_execution_enabled() -> bool:
    """What was set, True at first."""
    return _tensor_float[0]
