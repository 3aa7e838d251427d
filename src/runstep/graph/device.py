"""Device names: what a user may write, its canonical form, and how nested `device` blocks combine."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from typing import Any

DeviceFunction = Callable[[Any], "str | DeviceSpec | None"]


class DeviceSpec:
    """A full or partial device name (source: tf.DeviceSpec): job, replica, task, device_type, device_index."""

    __slots__ = ("device_index", "device_type", "job", "replica", "task")

    def __init__(
        self,
        job: str | None = None,
        replica: int | None = None,
        task: int | None = None,
        device_type: str | None = None,
        device_index: int | None = None,
    ) -> None:
        self.job = job
        self.replica = None if replica is None else int(replica)
        self.task = None if task is None else int(task)
        self.device_type = None if device_type is None else _type_name(str(device_type))
        self.device_index = None if device_index is None else int(device_index)

    @classmethod
    def from_string(cls, spec: str) -> DeviceSpec:
        """Reads "/job:worker/task:1/device:CPU:0", "/cpu:0" and the like.

        Raises:
          ValueError: it is not a device name.
        """
        found = cls()
        for part in spec.split("/"):
            key, *values = part.split(":")
            if not key and not values:
                continue
            if key in ("replica", "task") and len(values) == 1 and values[0].isdigit():
                setattr(found, key, int(values[0]))
            elif key == "job" and len(values) == 1:
                found.job = values[0]
            elif key == "device" and len(values) == 2:
                found.device_type, found.device_index = _type_name(values[0]), _index(values[1:], spec)
            elif len(values) <= 1 and re.fullmatch(r"cpu|gpu|tpu|CPU|GPU|TPU", key):
                found.device_type, found.device_index = key.upper(), _index(values, spec)
            else:
                raise ValueError(f"Unknown attribute '{key}' is encountered while parsing the device spec: '{spec}'.")
        return found

    def parse_from_string(self, spec: str) -> DeviceSpec:
        """Becomes what `from_string` reads, and returns itself."""
        found = DeviceSpec.from_string(spec)
        for part in self.__slots__:
            setattr(self, part, getattr(found, part))
        return self

    def merge_from(self, dev: DeviceSpec) -> None:
        """Takes the parts that `dev` gives."""
        merged = self.merged_under(dev)
        for part in self.__slots__:
            setattr(self, part, getattr(merged, part))

    def replace(self, **kwargs: Any) -> DeviceSpec:
        """A copy with other parts."""
        return DeviceSpec(**{**{part: getattr(self, part) for part in self.__slots__}, **kwargs})

    def to_string(self) -> str:
        """The canonical name: "/job:worker/replica:0/task:1/device:CPU:0"; parts not given are left out."""
        text = "" if self.job is None else f"/job:{self.job}"
        if self.replica is not None:
            text += f"/replica:{self.replica}"
        if self.task is not None:
            text += f"/task:{self.task}"
        if self.device_type is not None:
            text += f"/device:{self.device_type}:{'*' if self.device_index is None else self.device_index}"
        return text

    def merged_under(self, inner: DeviceSpec) -> DeviceSpec:
        """This name with the parts that `inner` gives in their place."""
        merged = DeviceSpec()
        for part in self.__slots__:
            value = getattr(inner, part)
            setattr(merged, part, getattr(self, part) if value is None else value)
        return merged

    def make_merged_spec(self, dev: DeviceSpec) -> DeviceSpec:
        return self.merged_under(dev)

    def __str__(self) -> str:
        return self.to_string()

    def __repr__(self) -> str:
        return f"<DeviceSpec {self.to_string()!r}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, DeviceSpec) and self.to_string() == other.to_string()

    def __hash__(self) -> int:
        return hash(self.to_string())


def _type_name(name: str) -> str:
    return name.upper() if name.lower() in ("cpu", "gpu", "tpu") else name


def _index(values: list[str], spec: str) -> int | None:
    if not values or values[0] == "*":
        return None
    if not values[0].isdigit():
        raise ValueError(f"Cannot read the device index in '{spec}'; write it like '/device:CPU:0'.")
    return int(values[0])


@functools.lru_cache(maxsize=4096)
def _parse(spec: str) -> DeviceSpec:
    return DeviceSpec.from_string(spec)


def parse(device: str | DeviceSpec | None) -> DeviceSpec:
    """The DeviceSpec of a name; do not change it, it is shared."""
    if device is None:
        return _parse("")
    return device if isinstance(device, DeviceSpec) else _parse(str(device))


def canonical(device: str | DeviceSpec | None) -> str:
    """The canonical name of what a user wrote ("/cpu:0" is "/device:CPU:0")."""
    return parse(device).to_string()


@functools.lru_cache(maxsize=4096)
def merge(outer: str, inner: str) -> str:
    """The device inside a block: what `inner` says, and what `outer` says beyond that."""
    return parse(outer).merged_under(parse(inner)).to_string()
