"""Event files: what TensorBoard shows, as TFRecords of `Event` messages."""

from __future__ import annotations

import itertools
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from runstep.io.failures import failed
from runstep.io.tfrecord import RecordReader, write_records

__all__: list[str] = []

VERSION = "brain.Event:2"
_numbers = itertools.count()


class EventsWriter:
    """Appends events to a file of its own in a folder.

    Args:
      folder: is made where there is none. suffix: of the file's name.

    Raises:
      OpError: the file cannot be written.
    """

    def __init__(self, folder: str, suffix: str = "") -> None:
        from runstep.protos.event_pb2 import Event

        now = time.time()
        # TensorBoard looks for "tfevents", and reads a folder's files in the order of their times.
        name = f"events.out.tfevents.{int(now):010d}.{socket.gethostname()}.{os.getpid()}.{next(_numbers)}{suffix}"
        self.path = os.path.join(folder, name)
        try:
            os.makedirs(folder, exist_ok=True)
            self._file = open(self.path, "ab")  # closed by `close`
        except OSError as error:
            raise failed(error, error.filename or self.path) from None
        self.write(Event(wall_time=now, file_version=VERSION))
        self.flush()

    def write(self, event: Any) -> None:
        write_records(self._file, [event.SerializeToString()])

    def flush(self) -> None:
        """Hands everything to the operating system."""
        self._file.flush()

    def close(self) -> None:
        self._file.close()


def read_events(path: str) -> Iterator[Any]:
    """The `Event` messages of a file. NotFoundError: there is none. DataLossError: it is damaged."""
    from runstep.protos.event_pb2 import Event

    try:
        file = Path(path).open("rb")
    except OSError as error:
        raise failed(error, path) from None
    with file:
        for record in RecordReader(file):
            yield Event.FromString(record)
