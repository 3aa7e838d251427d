"""Where a thread stands in a graph's nested `with` blocks."""

from __future__ import annotations

import threading
from typing import Any

from runstep.graph import device as devices
from runstep.graph.operation import Operation


class Controller:
    """One `control_dependencies` block: what to wait for, and the ops made inside it so far."""

    __slots__ = ("ops", "seen")

    def __init__(self, ops: tuple[Operation, ...]) -> None:
        self.ops = ops
        self.seen: set[Operation] = set()


class Scope:
    """Where a thread stands in a graph's nested `with` blocks. Not changed once made.

    Attributes:
      device_functions: each with what is said outside of it.
      plain: nothing but `name` differs from the outermost level.
    """

    __slots__ = (
        "attrs",
        "colocation",
        "container",
        "control_flow_context",
        "controllers",
        "device",
        "device_functions",
        "gradient_overrides",
        "name",
        "original_op",
        "plain",
        "variable_creators",
    )

    def __init__(self) -> None:
        self.name = ""
        self.device = ""
        self.device_functions: tuple[tuple[devices.DeviceFunction, str], ...] = ()
        self.controllers: tuple[Controller, ...] = ()
        self.attrs: dict[str, Any] | None = None
        self.gradient_overrides: dict[str, str] | None = None
        self.container = ""
        self.colocation: tuple[bytes, ...] = ()
        self.original_op: Operation | None = None
        self.control_flow_context: Any = None
        self.variable_creators: tuple[Any, ...] = ()
        self.plain = True

    def changed(self, **state: Any) -> Scope:
        """The same with other values for these attributes."""
        new = self.renamed(self.name)
        for key, value in state.items():
            setattr(new, key, value)
        new.plain = not (
            new.device
            or new.device_functions
            or new.controllers
            or new.attrs is not None
            or new.gradient_overrides is not None
            or new.container
            or new.colocation
            or new.original_op is not None
            or new.control_flow_context is not None
        )
        return new

    def renamed(self, name: str) -> Scope:
        """The same with another name; by hand, since every op function opens a name scope."""
        new = Scope.__new__(Scope)
        new.name = name
        new.device, new.device_functions, new.controllers = self.device, self.device_functions, self.controllers
        new.attrs, new.gradient_overrides, new.container = self.attrs, self.gradient_overrides, self.container
        new.colocation, new.original_op = self.colocation, self.original_op
        new.control_flow_context, new.variable_creators = self.control_flow_context, self.variable_creators
        new.plain = self.plain
        return new


OUTERMOST = Scope()


class Here(threading.local):
    """This thread's scope. Each thread starts at the outermost level."""

    scope = OUTERMOST
