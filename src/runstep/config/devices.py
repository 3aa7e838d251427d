"""The devices of the machine, and what was said about them (source: tf.compat.v1.config)."""

from __future__ import annotations

from typing import Any, NamedTuple

__all__: list[str] = []


class PhysicalDevice(NamedTuple):
    """A device of the machine. Mirrors `tf.config.PhysicalDevice`."""

    name: str
    device_type: str


class LogicalDevice(NamedTuple):
    """A device as graphs name it. Mirrors `tf.config.LogicalDevice`."""

    name: str
    device_type: str


class LogicalDeviceConfiguration(NamedTuple):
    """How a physical device is divided. Mirrors `tf.config.LogicalDeviceConfiguration`."""

    memory_limit: Any = None
    experimental_priority: Any = None
    experimental_device_ordinal: Any = None


_CPU = PhysicalDevice("/physical_device:CPU:0", "CPU")
_settings: dict[str, Any] = {"visible": [_CPU], "logical": None, "soft": False}


def list_physical_devices(device_type: str | None = None) -> list[PhysicalDevice]:
    """The devices of this machine: one CPU."""
    return [_CPU] if device_type in (None, "CPU") else []


def get_visible_devices(device_type: str | None = None) -> list[PhysicalDevice]:
    """The devices that may be used."""
    return [device for device in _settings["visible"] if device_type in (None, device.device_type)]


def set_visible_devices(devices: Any, device_type: str | None = None) -> None:
    """Says which devices may be used. ValueError: one of them isn't there, or is of another type."""
    found = list(devices) if isinstance(devices, list | tuple) and not hasattr(devices, "device_type") else [devices]
    for device in found:
        if device not in list_physical_devices():
            raise ValueError(f"Unrecognized device: {device!r}")
        if device_type is not None and device.device_type != device_type:
            raise ValueError(f"Unrecognized device: {device!r}")
    kept = [] if device_type is None else [each for each in _settings["visible"] if each.device_type != device_type]
    _settings["visible"] = kept + found


def get_logical_device_configuration(device: Any) -> Any:
    """How a device is divided: None where nothing was said. ValueError: it isn't there."""
    if device not in list_physical_devices():
        raise ValueError(f"Unrecognized device: {device!r}")
    return _settings["logical"]


def set_logical_device_configuration(device: Any, logical_devices: Any) -> None:
    """Says how a device is divided. (A session's `device_count` is what counts.) ValueError: it isn't there."""
    if device not in list_physical_devices():
        raise ValueError(f"Unrecognized device: {device!r}")
    _settings["logical"] = list(logical_devices)


def list_logical_devices(device_type: str | None = None) -> list[LogicalDevice]:
    """The devices as graphs name them."""
    if device_type not in (None, "CPU"):
        return []
    count = len(_settings["logical"]) if _settings["logical"] else 1
    return [LogicalDevice(f"/device:CPU:{index}", "CPU") for index in range(count)]


def get_soft_device_placement() -> bool:
    """What was set, False at first. (A session's `allow_soft_placement` is what counts.)"""
    return bool(_settings["soft"])


def set_soft_device_placement(enabled: bool) -> None:
    """See `get_soft_device_placement`."""
    _settings["soft"] = bool(enabled)
