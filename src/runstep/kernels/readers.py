"""Readers: records out of files whose names come from a queue. One read at a time; it may wait for the queue."""

from __future__ import annotations

import os
from typing import Any

from runstep import errors
from runstep.io.failures import failed, opened
from runstep.io.inflating import Inflating
from runstep.io.tfrecord import RecordReader
from runstep.kernels.lines import Turn
from runstep.kernels.queues import Queue
from runstep.kernels.shared import invalid

Record = tuple[bytes, bytes]


class Reader:
    """Reads records from one file (or other piece of work) after the other.

    Attributes:
      name: for messages. produced: records read. finished: pieces of work done.
    """

    kind = "Reader"
    serializes = False

    def __init__(self, name: str) -> None:
        self.name = name
        self.produced = 0
        self.started = 0
        self.finished = 0
        self._work: bytes | None = None
        self._turn = Turn(f"reader '{name}' is read by another step")

    # What a kind of reader does.

    def _start(self, work: bytes) -> None:
        """Begins a piece of work."""

    def _next(self, work: bytes) -> Record | None:
        """The next record, None at the end."""
        raise NotImplementedError

    def _end(self) -> None:
        """Ends a piece of work, or gives it up."""

    _single = False  # a piece of work is one record

    # What kernels call.

    async def read(self, queue: Queue) -> Record:
        """(key, value) of the next record; a new piece of work is taken from `queue` when the last is done."""
        async with self._turn:
            while True:
                record = await self._step(queue)
                if record is not None:
                    return record

    async def read_up_to(self, queue: Queue, count: int) -> list[Record]:
        """As `read`, up to `count` records of one piece of work, at least one."""
        found: list[Record] = []
        async with self._turn:
            while len(found) < count:
                if found and self._work is None:
                    break
                record = await self._step(queue)
                if record is not None:
                    found.append(record)
                elif found:
                    break
        return found

    async def _step(self, queue: Queue) -> Record | None:
        if self._work is None:
            work = (await queue.take(1, batch=False))[0][0].item()
            try:
                self._start(work)
            except errors.OpError:
                self._end()
                raise
            self._work = work
            self.started += 1
        record = self._next(self._work)
        if record is not None:
            self.produced += 1
        if record is None or self._single:
            self._end()
            self._work = None
            self.finished = self.started
        return record

    def reset(self) -> None:
        """Back to the beginning: no work, no records."""
        self._end()
        self._work = None
        self._last = b""
        self.produced = self.started = self.finished = 0

    def serialize(self) -> bytes:
        """The state as a `ReaderBaseState` message. UnimplementedError for readers in the midst of files."""
        from runstep.protos import reader_base_pb2

        if not self.serializes:
            raise errors.UnimplementedError(None, None, "Reader SerializeState")
        state = reader_base_pb2.ReaderBaseState(
            work_started=self.started, work_finished=self.finished, num_records_produced=self.produced
        )
        state.current_work = self._work or self._last
        message: bytes = state.SerializeToString(deterministic=True)
        return message

    _last = b""

    def restore(self, message: bytes) -> None:
        """Puts a serialized state back. InvalidArgumentError if it is not one: then the reader is at its beginning."""
        from google.protobuf.message import DecodeError

        from runstep.protos import reader_base_pb2

        self.reset()
        if not self.serializes:
            raise errors.UnimplementedError(None, None, "Reader RestoreState")
        what = f"{self.kind} '{self.name}': "
        try:
            state = reader_base_pb2.ReaderBaseState.FromString(message)
        except DecodeError:
            raise invalid(f"Could not parse state for {what}{message.decode(errors='replace')}") from None
        if state.work_started < 0 or state.work_finished < 0 or state.num_records_produced < 0:
            raise invalid(f"Unexpected negative value when restoring in {what}{state}")
        if state.work_started > state.work_finished:
            raise invalid(f"Inconsistent work started vs. finished when restoring in {what}{state}")
        self.started, self.finished = state.work_started, state.work_finished
        self.produced = state.num_records_produced
        self._last = state.current_work


class IdentityReader(Reader):
    """A piece of work is a record itself."""

    kind = "IdentityReader"
    serializes = True
    _single = True

    def _next(self, work: bytes) -> Record:
        self._last = work
        return work, work


class WholeFileReader(Reader):
    """A file is a record."""

    kind = "WholeFileReader"
    serializes = True
    _single = True

    def _next(self, work: bytes) -> Record:
        self._last = work
        with opened(work) as file:
            try:
                return work, file.read()
            except OSError as error:
                raise failed(error, os.fsdecode(work)) from error


class _FileReader(Reader):
    """A reader in the midst of a file."""

    _file: Any = None
    """Closed at the end of the file, or with the reader."""

    def _start(self, work: bytes) -> None:
        self._file = opened(work)

    def _end(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def __del__(self) -> None:
        self._end()


class TextLineReader(_FileReader):
    """A line is a record, without its end. `skip` lines at the start of each file are passed over."""

    kind = "TextLineReader"

    def __init__(self, name: str, skip: int) -> None:
        super().__init__(name)
        self._skip = skip
        self._line = 0

    def _start(self, work: bytes) -> None:
        super()._start(work)
        self._line = 0
        while self._line < self._skip and self._file.readline():
            self._line += 1

    def _next(self, work: bytes) -> Record | None:
        line = self._file.readline()
        if not line:
            return None
        self._line += 1
        return b"%b:%d" % (work, self._line), line.removesuffix(b"\n").removesuffix(b"\r")


class FixedLengthReader(_FileReader):
    """Records of so many bytes, `hop` bytes apart, between a header and a footer."""

    kind = "FixedLengthRecordReader"

    def __init__(self, name: str, header: int, record: int, footer: int, hop: int, encoding: str) -> None:
        super().__init__(name)
        self._header, self._record, self._footer = header, record, footer
        self._hop = hop or record
        self._encoding = encoding
        self._content: Any = None
        self._ahead = b""
        self._number = 0

    def _start(self, work: bytes) -> None:
        super()._start(work)
        self._content = Inflating(self._file, self._encoding) if self._encoding else self._file
        if len(self._content.read(self._header)) < self._header:
            raise errors.OutOfRangeError(None, None, "reached end of file")
        self._ahead = b""
        self._number = 0

    def _next(self, work: bytes) -> Record | None:
        wanted = self._record + self._footer
        self._ahead += self._content.read(max(0, wanted - len(self._ahead)))
        if len(self._ahead) < wanted:
            return None
        value = self._ahead[: self._record]
        self._content.read(max(0, self._hop - len(self._ahead)))
        self._ahead = self._ahead[self._hop :]
        self._number += 1
        return b"%b:%d" % (work, self._number - 1), value


class TFRecordFileReader(_FileReader):
    """The records of TFRecord files."""

    kind = "TFRecordReader"

    def __init__(self, name: str, compression: str) -> None:
        super().__init__(name)
        self._compression = compression
        self._records: RecordReader | None = None

    def _start(self, work: bytes) -> None:
        super()._start(work)
        self._records = RecordReader(self._file, self._compression)

    def _next(self, work: bytes) -> Record | None:
        assert self._records is not None
        offset = self._records.offset
        value = self._records.read()
        return None if value is None else (b"%b:%d" % (work, offset), value)
