"""TFRecord files for programs: a writer, an iterator, and their options."""

from __future__ import annotations

import gzip
import os
import zlib
from collections.abc import Iterator
from typing import Any, ClassVar

from runstep.io.failures import failed
from runstep.io.tfrecord import RecordReader, frame

__all__ = ["TFRecordCompressionType", "TFRecordOptions", "TFRecordWriter", "tf_record_iterator"]


class TFRecordCompressionType:
    """How files are compressed (source: tf.io.TFRecordCompressionType)."""

    NONE = 0
    ZLIB = 1
    GZIP = 2


class TFRecordOptions:
    """How a file is written (source: tf.io.TFRecordOptions).

    Args:
      compression_type: "", "ZLIB", "GZIP", None, or a `TFRecordCompressionType`; or other options.
      compression_level: 0 to 9. The others are of zlib's inner workings, and not used.

    Raises:
      ValueError: an unknown compression.
    """

    compression_type_map: ClassVar[dict[int, str]] = {
        TFRecordCompressionType.ZLIB: "ZLIB",
        TFRecordCompressionType.GZIP: "GZIP",
        TFRecordCompressionType.NONE: "",
    }

    def __init__(
        self,
        compression_type: Any = None,
        flush_mode: int | None = None,
        input_buffer_size: int | None = None,
        output_buffer_size: int | None = None,
        window_bits: int | None = None,
        compression_level: int | None = None,
        compression_method: int | None = None,
        mem_level: int | None = None,
        compression_strategy: int | None = None,
    ) -> None:
        self.get_compression_type_string(compression_type)
        self.compression_type = compression_type
        self.flush_mode = flush_mode
        self.input_buffer_size = input_buffer_size
        self.output_buffer_size = output_buffer_size
        self.window_bits = window_bits
        self.compression_level = compression_level
        self.compression_method = compression_method
        self.mem_level = mem_level
        self.compression_strategy = compression_strategy

    @classmethod
    def get_compression_type_string(cls, options: Any) -> str:
        """The name of the compression of options, or of what stands for them."""
        if not options:
            return ""
        if isinstance(options, TFRecordOptions):
            return cls.get_compression_type_string(options.compression_type)
        if options in cls.compression_type_map:
            return cls.compression_type_map[options]
        if options in cls.compression_type_map.values():
            return options
        raise ValueError(f'Not a valid compression_type: "{options}"')


class TFRecordWriter:
    """Writes a TFRecord file (source: tf.io.TFRecordWriter).

    Args:
      options: `TFRecordOptions`, or a compression.

    Raises:
      OpError: the file cannot be written.
    """

    def __init__(self, path: str, options: Any = None) -> None:
        kind = TFRecordOptions.get_compression_type_string(options)
        level = getattr(options, "compression_level", None)
        self._path = os.fspath(path)
        try:
            self._file: Any = open(self._path, "wb")  # closed by `close`
        except OSError as error:
            raise failed(error, self._path) from None
        self._zlib = zlib.compressobj(-1 if level is None else level) if kind == "ZLIB" else None
        self._gzip = None
        if kind == "GZIP":
            self._gzip = gzip.GzipFile(fileobj=self._file, mode="wb", compresslevel=9 if level is None else level)

    def __enter__(self) -> TFRecordWriter:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def write(self, record: Any) -> None:
        """Adds one record: bytes, or a text. TypeError for anything else."""
        if isinstance(record, str):
            record = record.encode()
        if not isinstance(record, bytes | bytearray | memoryview):
            raise TypeError(f"expected bytes, {type(record).__name__} found")
        data = frame(bytes(record))
        if self._gzip is not None:
            self._gzip.write(data)
        elif self._zlib is not None:
            self._file.write(self._zlib.compress(data))
        else:
            self._file.write(data)

    def flush(self) -> None:
        """Hands what was written to the operating system."""
        if self._gzip is not None:
            self._gzip.flush()
        elif self._zlib is not None:
            self._file.write(self._zlib.flush(zlib.Z_SYNC_FLUSH))
        self._file.flush()

    def close(self) -> None:
        if self._file.closed:
            return
        if self._gzip is not None:
            self._gzip.close()
        elif self._zlib is not None:
            self._file.write(self._zlib.flush())
        self._file.close()


def tf_record_iterator(path: str, options: Any = None) -> Iterator[bytes]:
    """The records of a TFRecord file (source: tf.io.tf_record_iterator).

    Raises:
      NotFoundError: there is none. DataLossError: it is damaged.
    """
    kind = TFRecordOptions.get_compression_type_string(options)
    path = os.fspath(path)
    try:
        file = open(path, "rb")
    except OSError as error:
        raise failed(error, path) from None
    with file:
        yield from RecordReader(file, kind)
