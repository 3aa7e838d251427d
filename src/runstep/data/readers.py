"""Datasets of files (source: tf.data.TFRecordDataset and its kin)."""

from __future__ import annotations

from typing import Any

from runstep.data.dataset import Dataset
from runstep.graph import dtypes
from runstep.graph.apply import apply
from runstep.graph.convert import convert_to_tensor
from runstep.graph.shapes import TensorShape
from runstep.graph.type_spec import TensorSpec

_RECORD = TensorSpec(TensorShape([]), dtypes.string)


def _text(value: Any, name: str) -> Any:
    return convert_to_tensor("" if value is None else value, dtypes.string, name=name)


def _number(value: Any, name: str, default: int = 0) -> Any:
    return convert_to_tensor(default if value is None else value, dtypes.int64, name=name)


_BUFFER = 256 * 1024


def _names(filenames: Any) -> Dataset:
    from runstep.ops.shape_ops import reshape

    return Dataset.from_tensor_slices(reshape(_text(filenames, "filenames"), [-1]))


class _FileDataset(Dataset):
    """A dataset of records of `filenames`: names, or a dataset of names."""

    def __init__(
        self, op_type: str, filenames: Any, inputs: list[Any], name: str | None, num_parallel_reads: Any = None
    ) -> None:
        if num_parallel_reads is not None:  # one record of each of so many files in turn
            files = filenames if isinstance(filenames, Dataset) else _names(filenames)
            made = files.interleave(
                lambda one: Dataset(apply(op_type, one, *inputs), _RECORD),
                num_parallel_reads,
                1,
                num_parallel_calls=num_parallel_reads,
                name=name,
            )
            super().__init__(made._variant, _RECORD)
        elif isinstance(filenames, Dataset):
            made = filenames.flat_map(lambda one: Dataset(apply(op_type, one, *inputs), _RECORD), name=name)
            super().__init__(made._variant, _RECORD)
        else:
            super().__init__(apply(op_type, _text(filenames, "filenames"), *inputs, name=name), _RECORD)


class TFRecordDataset(_FileDataset):
    """The records of TFRecord files, as string scalars (source: tf.data.TFRecordDataset).

    Args:
      filenames: a string, a vector of them, or a dataset of them. compression_type: "", "ZLIB" or "GZIP".
      buffer_size: accepted, and changes nothing. num_parallel_reads: so many files at once, a record of each in turn.

    Raises (in the run):
      NotFoundError: there is no such file. DataLossError: it is damaged.
    """

    def __init__(
        self,
        filenames: Any,
        compression_type: Any = None,
        buffer_size: Any = None,
        num_parallel_reads: Any = None,
        name: str | None = None,
    ) -> None:
        inputs = [_text(compression_type, "compression_type"), _number(buffer_size, "buffer_size", _BUFFER)]
        super().__init__("TFRecordDataset", filenames, inputs, name, num_parallel_reads)


class TextLineDataset(_FileDataset):
    """The lines of text files, without their ends (source: tf.data.TextLineDataset). See TFRecordDataset."""

    def __init__(
        self,
        filenames: Any,
        compression_type: Any = None,
        buffer_size: Any = None,
        num_parallel_reads: Any = None,
        name: str | None = None,
    ) -> None:
        inputs = [_text(compression_type, "compression_type"), _number(buffer_size, "buffer_size", _BUFFER)]
        super().__init__("TextLineDataset", filenames, inputs, name, num_parallel_reads)


class FixedLengthRecordDataset(_FileDataset):
    """Pieces of `record_bytes` between a header and a footer (source: tf.data.FixedLengthRecordDataset).

    See TFRecordDataset. InvalidArgumentError in the run: a file isn't a whole number of records long.
    """

    def __init__(
        self,
        filenames: Any,
        record_bytes: Any,
        header_bytes: Any = None,
        footer_bytes: Any = None,
        buffer_size: Any = None,
        compression_type: Any = None,
        num_parallel_reads: Any = None,
        name: str | None = None,
    ) -> None:
        inputs = [
            _number(header_bytes, "header_bytes"),
            _number(record_bytes, "record_bytes"),
            _number(footer_bytes, "footer_bytes"),
            _number(buffer_size, "buffer_size", _BUFFER),
            _text(compression_type, "compression_type"),
        ]
        super().__init__("FixedLengthRecordDatasetV2", filenames, inputs, name, num_parallel_reads)
