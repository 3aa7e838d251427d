"""`tf.config`: devices and how they are used (source: tf.compat.v1.config).

In programs that make Sessions these are questions for the most part: what a session uses, its ConfigProto says. So what
is set here is remembered, and told who asks.
"""

from __future__ import annotations

from runstep.config import experimental, optimizer, threading
from runstep.config.devices import (
    LogicalDevice,
    LogicalDeviceConfiguration,
    PhysicalDevice,
    get_logical_device_configuration,
    get_soft_device_placement,
    get_visible_devices,
    list_logical_devices,
    list_physical_devices,
    set_logical_device_configuration,
    set_soft_device_placement,
    set_visible_devices,
)

__all__ = [
    "LogicalDevice",
    "LogicalDeviceConfiguration",
    "PhysicalDevice",
    "experimental",
    "experimental_functions_run_eagerly",
    "experimental_run_functions_eagerly",
    "functions_run_eagerly",
    "get_logical_device_configuration",
    "get_soft_device_placement",
    "get_visible_devices",
    "list_logical_devices",
    "list_physical_devices",
    "optimizer",
    "run_functions_eagerly",
    "set_logical_device_configuration",
    "set_soft_device_placement",
    "set_visible_devices",
    "threading",
]


def functions_run_eagerly() -> bool:
    """False: functions become graphs."""
    return False


def run_functions_eagerly(run_eagerly: bool) -> None:
    """RuntimeError when true: there is no eager execution."""
    if run_eagerly:
        raise RuntimeError("runstep runs graphs only: functions cannot run eagerly.")


experimental_functions_run_eagerly = functions_run_eagerly
experimental_run_functions_eagerly = run_functions_eagerly
