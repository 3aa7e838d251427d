"""What a plan needs to know of a device, and the placement of nodes on devices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from runstep import errors
from runstep.graph import device as names
from runstep.graph.operation import Operation
from runstep.kernels.registry import KernelTable
from runstep.plan.node import PlanNode


class PlanDevice(Protocol):
    """A device as plans see it: its full name, its kernels and its resources."""

    @property
    def name(self) -> str: ...
    @property
    def kernels(self) -> KernelTable: ...
    @property
    def resources(self) -> Any: ...
    @property
    def memory_limit(self) -> int: ...
    @property
    def budget(self) -> Any: ...


class Placement:
    """Finds the device for each node among those of a session."""

    def __init__(self, devices: Sequence[PlanDevice], soft: bool) -> None:
        self._devices = list(devices)
        self._soft = soft
        self._cache: dict[str, PlanDevice | None] = {"": self._devices[0]}

    def place(self, node: PlanNode) -> PlanDevice:
        """The device that `node` asks for; where it says nothing, that of the resource or variable it works on.

        Raises:
          InvalidArgumentError: there is no such device here (S186).
        """
        op = node.op
        assert op is not None
        for position, tensor in enumerate(op.inputs[: len(node.inputs)]):
            dtype = tensor.dtype
            if dtype.is_opaque and (dtype.is_ref or dtype.name == "resource"):
                source = node.inputs[position][0]
                if source.where is not None:
                    return source.where
        found = self._find(op.device)
        if found is None:
            raise self._refusal(op)
        return found

    def _find(self, asked: str) -> PlanDevice | None:
        if asked not in self._cache:
            self._cache[asked] = self._look_up(asked)
        return self._cache[asked]

    def _look_up(self, asked: str) -> PlanDevice | None:
        want = names.parse(asked)
        for device in self._devices:
            have = names.parse(device.name)
            if all(
                getattr(want, part) is None or getattr(want, part) == getattr(have, part)
                for part in ("job", "replica", "task", "device_type", "device_index")
            ):
                return device
        if self._soft:
            elsewhere = names.DeviceSpec(want.job, want.replica, want.task).to_string()
            if elsewhere != asked:
                return self._look_up(elsewhere)
        return None

    def _refusal(self, op: Operation) -> errors.OpError:
        available = ", ".join(device.name for device in self._devices)
        error = errors.InvalidArgumentError(
            op.node_def,
            op,
            f"Cannot assign a device for operation {op.name}: {{{{node {op.name}}}}} was explicitly assigned to "
            f"{op.device} "
            f"but available devices are [ {available} ]. Make sure the device specification refers to a valid device. "
            "To run it elsewhere, set allow_soft_placement=True in the ConfigProto or change tf.device(...)."
            f"\n\t [[{{{{node {op.name}}}}}]]",
        )
        able = [device.name for device in self._devices if device.kernels.rows(op.type)]
        error.add_note(f"Kernels for {op.type} exist on {', '.join(able) or 'none of them'}; asked for {op.device}")
        return error
