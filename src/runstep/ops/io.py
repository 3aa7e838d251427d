"""Files as operations, and readers, which read records from files that a queue names."""

from __future__ import annotations

from typing import Any

from runstep.graph import dtypes
from runstep.graph.apply import apply
from runstep.graph.operation import Operation
from runstep.graph.shapes import with_rank, with_rank_at_most
from runstep.graph.tensor import Tensor
from runstep.ops.common import Shapes, nothing, scalar
from runstep.ops.registry import op

__all__ = [
    "FixedLengthRecordReader",
    "IdentityReader",
    "LMDBReader",
    "ReaderBase",
    "TFRecordReader",
    "TextLineReader",
    "WholeFileReader",
    "matching_files",
    "read_file",
    "write_file",
]


def _pair(op: Any) -> Shapes:
    # The handle of the first generation: a vector of container and name.
    return [(2,)]


def _scalars(op: Any) -> Shapes:
    for tensor in op.inputs:
        with_rank(tensor.raw_shape, 0)
    return [()] * len(op.output_types)


def _up_to(op: Any) -> Shapes:
    with_rank(op.inputs[2].raw_shape, 0)
    return [(None,)] * 2


def _restore(op: Any) -> Shapes:
    with_rank(op.inputs[1].raw_shape, 0)
    return []


def _patterns(op: Any) -> Shapes:
    with_rank_at_most(op.inputs[0].raw_shape, 1)
    return [(None,)]


op("ReadFile", "filename: string -> contents: string", shape=_scalars)
op("WriteFile", "filename: string, contents: string -> ", shape=_scalars, stateful=True)
op(
    "ImmutableConst",
    " -> tensor: dtype",
    "dtype: type",
    "shape: shape",
    "memory_region_name: string",
    shape=lambda op: [op.attrs["shape"]],
)
op("MatchingFiles", "pattern: string -> filenames: string", shape=_patterns)
op(
    "WholeFileReader",
    " -> reader_handle: Ref(string)",
    "container: string = ''",
    "shared_name: string = ''",
    shape=_pair,
    stateful=True,
)
op(
    "WholeFileReaderV2",
    " -> reader_handle: resource",
    "container: string = ''",
    "shared_name: string = ''",
    shape=scalar,
    stateful=True,
)
op(
    "TextLineReader",
    " -> reader_handle: Ref(string)",
    "skip_header_lines: int = 0",
    "container: string = ''",
    "shared_name: string = ''",
    shape=_pair,
    stateful=True,
)
op(
    "TextLineReaderV2",
    " -> reader_handle: resource",
    "skip_header_lines: int = 0",
    "container: string = ''",
    "shared_name: string = ''",
    shape=scalar,
    stateful=True,
)
op(
    "FixedLengthRecordReader",
    " -> reader_handle: Ref(string)",
    "header_bytes: int = 0",
    "record_bytes: int",
    "footer_bytes: int = 0",
    "hop_bytes: int = 0",
    "container: string = ''",
    "shared_name: string = ''",
    shape=_pair,
    stateful=True,
)
op(
    "FixedLengthRecordReaderV2",
    " -> reader_handle: resource",
    "header_bytes: int = 0",
    "record_bytes: int",
    "footer_bytes: int = 0",
    "hop_bytes: int = 0",
    "container: string = ''",
    "shared_name: string = ''",
    "encoding: string = ''",
    shape=scalar,
    stateful=True,
)
op(
    "TFRecordReader",
    " -> reader_handle: Ref(string)",
    "container: string = ''",
    "shared_name: string = ''",
    "compression_type: string = ''",
    shape=_pair,
    stateful=True,
)
op(
    "TFRecordReaderV2",
    " -> reader_handle: resource",
    "container: string = ''",
    "shared_name: string = ''",
    "compression_type: string = ''",
    shape=scalar,
    stateful=True,
)
op(
    "IdentityReader",
    " -> reader_handle: Ref(string)",
    "container: string = ''",
    "shared_name: string = ''",
    shape=_pair,
    stateful=True,
)
op(
    "IdentityReaderV2",
    " -> reader_handle: resource",
    "container: string = ''",
    "shared_name: string = ''",
    shape=scalar,
    stateful=True,
)
op(
    "LMDBReader",
    " -> reader_handle: Ref(string)",
    "container: string = ''",
    "shared_name: string = ''",
    shape=_pair,
    stateful=True,
)
op("ReaderRead", "reader_handle: Ref(string), queue_handle: Ref(string) -> key: string, value: string", shape=scalar)
op(
    "ReaderReadV2",
    "reader_handle: resource, queue_handle: resource -> key: string, value: string",
    shape=scalar,
    stateful=True,
)
op(
    "ReaderReadUpTo",
    "reader_handle: Ref(string), queue_handle: Ref(string), num_records: int64 -> keys: string, values: string",
    shape=_up_to,
)
op(
    "ReaderReadUpToV2",
    "reader_handle: resource, queue_handle: resource, num_records: int64 -> keys: string, values: string",
    shape=_up_to,
    stateful=True,
)
op("ReaderNumRecordsProduced", "reader_handle: Ref(string) -> records_produced: int64", shape=scalar)
op("ReaderNumRecordsProducedV2", "reader_handle: resource -> records_produced: int64", shape=scalar, stateful=True)
op("ReaderNumWorkUnitsCompleted", "reader_handle: Ref(string) -> units_completed: int64", shape=scalar)
op("ReaderNumWorkUnitsCompletedV2", "reader_handle: resource -> units_completed: int64", shape=scalar, stateful=True)
op("ReaderSerializeState", "reader_handle: Ref(string) -> state: string", shape=scalar)
op("ReaderSerializeStateV2", "reader_handle: resource -> state: string", shape=scalar, stateful=True)
op("ReaderRestoreState", "reader_handle: Ref(string), state: string -> ", shape=_restore)
op("ReaderRestoreStateV2", "reader_handle: resource, state: string -> ", shape=_restore, stateful=True)
op("ReaderReset", "reader_handle: Ref(string) -> ", shape=nothing)
op("ReaderResetV2", "reader_handle: resource -> ", shape=nothing, stateful=True)


def read_file(filename: Any, name: str | None = None) -> Tensor:
    """The contents of a file: a string of rank 0 (source: tf.read_file)."""
    return apply("ReadFile", filename, name=name)


def write_file(filename: Any, contents: Any, name: str | None = None) -> Operation:
    """The operation that writes a file, and the directories on the way to it (source: tf.write_file)."""
    return apply("WriteFile", filename, contents, name=name)


def matching_files(pattern: Any, name: str | None = None) -> Tensor:
    """The names of the files that match a pattern, or any of a vector, sorted (source: tf.matching_files)."""
    return apply("MatchingFiles", pattern, name=name)


class ReaderBase:
    """Reads records from files whose names come from a queue of strings (source: tf.ReaderBase).

    Args:
      reader_ref: the tensor that holds the reader's handle.
      supports_serialize: whether its state can be saved between two records.
    """

    def __init__(self, reader_ref: Tensor, supports_serialize: bool = False) -> None:
        self._reader_ref = reader_ref
        self._supports_serialize = supports_serialize
        self._is_resource = reader_ref.dtype is dtypes.resource

    @property
    def reader_ref(self) -> Tensor:
        return self._reader_ref

    @property
    def supports_serialize(self) -> bool:
        return self._supports_serialize

    def _use(self, op: str, *inputs: Any, name: str | None) -> Any:
        return apply(f"{op}V2" if self._is_resource else op, self._reader_ref, *inputs, name=name)

    def _names(self, queue: Any) -> Tensor:
        ref = queue if isinstance(queue, Tensor) else queue.queue_ref
        return ref if self._is_resource else apply("FakeQueue", ref)

    def read(self, queue: Any, name: str | None = None) -> Any:
        """(key, value) of the next record. The step waits for the queue when the last file is at its end.

        Raises:
          OutOfRangeError (in the run): the queue is closed and empty.
        """
        return self._use("ReaderRead", self._names(queue), name=name)

    def read_up_to(self, queue: Any, num_records: Any, name: str | None = None) -> Any:
        """(keys, values) of up to so many records, at least one: vectors of strings."""
        return self._use("ReaderReadUpTo", self._names(queue), num_records, name=name)

    def num_records_produced(self, name: str | None = None) -> Any:
        """How many records were read: int64 of rank 0."""
        return self._use("ReaderNumRecordsProduced", name=name)

    def num_work_units_completed(self, name: str | None = None) -> Any:
        """How many files were read to their ends: int64 of rank 0."""
        return self._use("ReaderNumWorkUnitsCompleted", name=name)

    def serialize_state(self, name: str | None = None) -> Any:
        """The state as a string. UnimplementedError (in the run) unless `supports_serialize`."""
        return self._use("ReaderSerializeState", name=name)

    def restore_state(self, state: Any, name: str | None = None) -> Any:
        """The operation that puts a serialized state back."""
        return self._use("ReaderRestoreState", state, name=name)

    def reset(self, name: str | None = None) -> Any:
        """The operation that takes the reader back to its beginning."""
        return self._use("ReaderReset", name=name)


class WholeFileReader(ReaderBase):
    """A file is a record; its key is its name (source: tf.WholeFileReader)."""

    def __init__(self, name: str | None = None) -> None:
        super().__init__(apply("WholeFileReaderV2", name=name), supports_serialize=True)


class TextLineReader(ReaderBase):
    """A line is a record; its key is "file:number" (source: tf.TextLineReader)."""

    def __init__(self, skip_header_lines: int | None = None, name: str | None = None) -> None:
        super().__init__(apply("TextLineReaderV2", skip_header_lines=skip_header_lines, name=name))


class FixedLengthRecordReader(ReaderBase):
    """Records of `record_bytes` bytes between a header and a footer (source: tf.FixedLengthRecordReader).

    Args:
      hop_bytes: from one record to the next, `record_bytes` by default. encoding: "", "ZLIB" or "GZIP".
    """

    def __init__(
        self,
        record_bytes: int,
        header_bytes: int | None = None,
        footer_bytes: int | None = None,
        hop_bytes: int | None = None,
        name: str | None = None,
        encoding: str | None = None,
    ) -> None:
        made = apply(
            "FixedLengthRecordReaderV2",
            record_bytes=record_bytes,
            header_bytes=header_bytes,
            footer_bytes=footer_bytes,
            hop_bytes=hop_bytes,
            encoding=encoding,
            name=name,
        )
        super().__init__(made)


class TFRecordReader(ReaderBase):
    """The records of TFRecord files; a key is "file:offset" (source: tf.TFRecordReader).

    Args:
      options: something with a `compression_type`: "", "ZLIB", "GZIP", or TensorFlow's number for it.
    """

    def __init__(self, name: str | None = None, options: Any = None) -> None:
        kind = getattr(options, "compression_type", options)
        text = {None: "", 0: "", 1: "ZLIB", 2: "GZIP"}.get(kind, kind)
        super().__init__(apply("TFRecordReaderV2", compression_type=text, name=name))


class IdentityReader(ReaderBase):
    """The names in the queue are the records (source: tf.IdentityReader)."""

    def __init__(self, name: str | None = None) -> None:
        super().__init__(apply("IdentityReaderV2", name=name), supports_serialize=True)


class LMDBReader(ReaderBase):
    """Builds only: neither TensorFlow nor we read LMDB databases any more (source: tf.LMDBReader).

    Raises:
      UnimplementedError (in the run).
    """

    def __init__(self, name: str | None = None, options: Any = None) -> None:
        super().__init__(apply("LMDBReader", name=name))
