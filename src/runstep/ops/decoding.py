"""Tensors out of strings and into strings: raw bytes, CSV, TensorProto, JSON. Op definitions and functions."""

from __future__ import annotations

from typing import Any

from runstep.graph import shapes
from runstep.graph.apply import apply
from runstep.graph.tensor import Tensor, TensorLike
from runstep.ops.common import Shapes, scalar, unchanged, unknown
from runstep.ops.reduction import one_of
from runstep.ops.registry import op

__all__ = [
    "decode_compressed",
    "decode_csv",
    "decode_json_example",
    "decode_padded_raw",
    "decode_raw",
    "parse_tensor",
    "serialize_tensor",
]


def _raw(op: Any) -> Shapes:
    shape = op.inputs[0].raw_shape
    return [None if shape is None else (*shape, None)]


def _padded(op: Any) -> Shapes:
    shape = op.inputs[0].raw_shape
    length = op.constant(1)
    size = op.attrs["out_type"].size
    width = None
    if length is not None:
        if length.ndim:
            raise ValueError(f"Input must be scalar but has rank {length.ndim}")
        if length < 0:
            raise ValueError(f"Dimension size, given by scalar input 1, must be non-negative but is {length}")
        if length % size:
            raise ValueError(f"fixed_length must be a multiple of the size of out_type: {length} vs. {size}")
        width = int(length) // size
    return [None if shape is None else (*shape, width)]


def _columns(op: Any) -> Shapes:
    for index, default in enumerate(op.inputs[1:]):
        shape = shapes.with_rank_at_most(default.raw_shape, 1)
        if shape is not None and len(shape) == 1 and shape[0] is not None and shape[0] > 1:
            raise ValueError(f"Shape of a default must be a length-0 or length-1 vector, or a scalar. Field {index}")
    return [op.inputs[0].raw_shape] * len(op.output_types)


op(
    "DecodeRaw",
    "bytes: string -> output: out_type",
    "out_type: {float16, float32, float64, int32, uint16, uint8, int16, int8, int64, complex64, complex128, bool, "
    "bfloat16}",
    "little_endian: bool = true",
    shape=_raw,
)
op("DecodeCompressed", "bytes: string -> output: string", "compression_type: string = ''", shape=unchanged)
op(
    "DecodePaddedRaw",
    "input_bytes: string, fixed_length: int32 -> output: out_type",
    "out_type: {float16, float32, float64, int32, uint16, uint8, int16, int8, int64, bfloat16}",
    "little_endian: bool = true",
    shape=_padded,
)
op(
    "DecodeCSV",
    "records: string, record_defaults: OUT_TYPE -> output: OUT_TYPE",
    "OUT_TYPE: list({float32, float64, int32, int64, string}) >= 1",
    "field_delim: string = ','",
    "use_quote_delim: bool = true",
    "na_value: string = ''",
    "select_cols: list(int) = []",
    shape=_columns,
)
op("ParseTensor", "serialized: string -> output: out_type", "out_type: type", shape=unknown)
op("SerializeTensor", "tensor: T -> serialized: string", "T: type", shape=scalar)
op("DecodeJSONExample", "json_examples: string -> binary_examples: string", shape=unchanged)


def decode_raw(
    input_bytes: Any = None,
    out_type: Any = None,
    little_endian: bool = True,
    name: str | None = None,
    bytes: Any = None,
) -> Tensor:
    """[..., n]: the bytes of each string read as numbers; all strings must have one length.

    Source: `tf.compat.v1.decode_raw`.
    """
    data = one_of("input_bytes", input_bytes, "bytes", bytes)
    if out_type is None:
        raise ValueError("decode_raw_v1() missing 1 positional argument: 'out_type'")
    result: Tensor = apply("DecodeRaw", data, out_type=out_type, little_endian=little_endian, name=name)
    return result


def decode_padded_raw(
    input_bytes: TensorLike,
    fixed_length: Any,
    out_type: Any,
    little_endian: bool = True,
    name: str | None = None,
) -> Tensor:
    """As `decode_raw`, each string first cut or filled up with zeros to `fixed_length` bytes.

    Source: `tf.io.decode_raw`.
    """
    result: Tensor = apply(
        "DecodePaddedRaw", input_bytes, fixed_length, out_type=out_type, little_endian=little_endian, name=name
    )
    return result


def decode_compressed(bytes: TensorLike, compression_type: str = "", name: str | None = None) -> Tensor:
    """Each string, decompressed. Source: `tf.io.decode_compressed`.

    Args:
      compression_type: "ZLIB", "GZIP", or "" for none. DataLossError for strings that are not of that form.
    """
    return apply("DecodeCompressed", bytes, compression_type=compression_type, name=name)


def decode_csv(
    records: TensorLike,
    record_defaults: Any,
    field_delim: str = ",",
    use_quote_delim: bool = True,
    name: str | None = None,
    na_value: str = "",
    select_cols: Any = None,
) -> list[Tensor]:
    """One tensor a column, each in the shape of `records`. Source: `tf.compat.v1.decode_csv`.

    Args:
      record_defaults: per column, a tensor (or list) of its type: its one element stands for an empty field, a tensor
        without elements says that the field must be there.
      field_delim: the character between fields. use_quote_delim: whether fields may be in double quotes.
      na_value: further text that means that a field is empty.
      select_cols: the columns to read, in rising order; all of them when None.
    """
    if select_cols is not None:
        if any(a >= b for a, b in zip(select_cols, select_cols[1:], strict=False)):
            raise ValueError("select_cols is not strictly increasing.")
        if select_cols and select_cols[0] < 0:
            raise ValueError("select_cols contains negative values.")
        if len(select_cols) != len(record_defaults):
            raise ValueError("Length of select_cols and record_defaults do not match.")
    result: list[Tensor] = apply(
        "DecodeCSV",
        records,
        list(record_defaults),
        field_delim=field_delim,
        use_quote_delim=use_quote_delim,
        na_value=na_value,
        select_cols=select_cols,
        name=name,
    )
    return result


def parse_tensor(serialized: TensorLike, out_type: Any, name: str | None = None) -> Tensor:
    """The tensor that a serialized TensorProto holds. Source: `tf.io.parse_tensor`."""
    result: Tensor = apply("ParseTensor", serialized, out_type=out_type, name=name)
    return result


def serialize_tensor(tensor: TensorLike, name: str | None = None) -> Tensor:
    """A scalar string: the tensor as a serialized TensorProto. Source: `tf.io.serialize_tensor`."""
    result: Tensor = apply("SerializeTensor", tensor, name=name)
    return result


def decode_json_example(json_examples: TensorLike, name: str | None = None) -> Tensor:
    """Example messages in protobuf's JSON form, as serialized messages. Source: `tf.io.decode_json_example`."""
    result: Tensor = apply("DecodeJSONExample", json_examples, name=name)
    return result
