"""The devices of this machine, as messages (source: tensorflow.python.client.device_lib)."""

from __future__ import annotations

from typing import Any

__all__ = ["list_local_devices"]


def list_local_devices(session_config: Any = None) -> list[Any]:
    """The devices that a session has, as `DeviceAttributes` messages."""
    from runstep.protos.device_attributes_pb2 import DeviceAttributes
    from runstep.session.session import Session

    with Session(config=session_config) as sess:
        return [
            DeviceAttributes(
                name="/device:" + device.name.rpartition("/device:")[2],
                device_type=device.device_type,
                memory_limit=device.memory_limit_bytes,
                incarnation=device.incarnation,
            )
            for device in sess.list_devices()
        ]
