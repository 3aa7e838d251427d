"""Tensors out of strings and into strings: raw bytes, CSV, TensorProto, JSON."""

from __future__ import annotations

import base64
import json
import struct
import zlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from runstep import errors
from runstep.graph import dtypes
from runstep.kernels.bytestrings import Array, mapped, packed, scalar, text_shape
from runstep.kernels.numpy.strings import parse_float, parse_integer
from runstep.kernels.registry import Kernel, Node, numpy_kernel
from runstep.kernels.tensor_content import content_proto, varint


def _invalid(message: str) -> errors.InvalidArgumentError:
    return errors.InvalidArgumentError(None, None, message)


# --- raw bytes ----------------------------------------------------------------------------------------------------


def _numbers(data: bytes, kind: Any, little_endian: bool) -> Array:
    dtype = kind.np
    if not little_endian and dtype.itemsize > 1:
        part = dtype.itemsize // (2 if kind.is_complex else 1)
        swapped = np.frombuffer(data, np.uint8).reshape(-1, part)[:, ::-1]
        return np.ascontiguousarray(swapped).reshape(-1).view(dtype)
    return np.frombuffer(data, dtype).copy()


@numpy_kernel.make("DecodeCompressed", view=True)
def decode_compressed(node: Node) -> Kernel:
    kind = bytes(node.attrs["compression_type"]).decode()
    if kind not in ("", "ZLIB", "GZIP"):
        raise _invalid(f"Only ZLIB, GZIP or NONE are supported compressions: {kind}")
    if not kind:
        return lambda data: data
    wbits = zlib.MAX_WBITS if kind == "ZLIB" else zlib.MAX_WBITS | 16

    def whole(data: bytes) -> bytes:
        try:
            return zlib.decompressobj(wbits).decompress(data)
        except zlib.error as error:
            raise errors.DataLossError(None, None, f"inflate() failed with error {error}") from None

    return lambda data: mapped(whole, data)


@numpy_kernel.make("DecodeRaw")
def decode_raw(node: Node) -> Kernel:
    kind, little_endian = node.attrs["out_type"], node.attrs["little_endian"]
    size = kind.np.itemsize

    def kernel(data: Array) -> Array:
        rows = data.ravel().tolist()
        if not rows:
            return np.zeros((*data.shape, 0), kind.np)
        length = len(rows[0])
        for index, row in enumerate(rows):
            if len(row) != length:
                raise _invalid(
                    "DecodeRaw requires input strings to all be the same size, but element "
                    f"{index} has size {len(row)} != {length}"
                )
        if length % size:
            raise _invalid(
                f"Input to DecodeRaw has length {length} that is not a multiple of {size}, the size of {kind.name}"
            )
        return _numbers(b"".join(rows), kind, little_endian).reshape(*data.shape, length // size)

    return kernel


@numpy_kernel.make("DecodePaddedRaw")
def decode_padded_raw(node: Node) -> Kernel:
    kind, little_endian = node.attrs["out_type"], node.attrs["little_endian"]
    size = kind.np.itemsize

    def kernel(data: Array, fixed_length: Array) -> Array:
        if np.ndim(fixed_length):
            raise _invalid(f"k must be scalar, got shape {text_shape(np.shape(fixed_length))}")
        length = int(fixed_length)
        if length <= 0:
            raise _invalid(f"fixed_length ({length}) must be greater than zero.")
        if length % size:
            raise _invalid(f"fixed_length ({length}) must be a multiple of the size of out_type ({size})")
        joined = b"".join(row[:length].ljust(length, b"\0") for row in data.ravel().tolist())
        return _numbers(joined, kind, little_endian).reshape(*data.shape, length // size)

    return kernel


# --- CSV ----------------------------------------------------------------------------------------------------------


class _Csv:
    """How records are cut into fields."""

    def __init__(self, node: Node) -> None:
        delimiter = node.attrs["field_delim"]
        if len(delimiter) != 1:
            raise _invalid("field_delim should be only 1 char")
        self.delimiter = delimiter
        self.quoted = node.attrs["use_quote_delim"]
        self.columns = node.attrs["select_cols"]
        self.count = len(node.output_types)
        if self.columns and len(self.columns) != self.count:
            raise _invalid("select_cols should match output size")
        if any(a >= b for a, b in zip(self.columns, self.columns[1:], strict=False)):
            raise _invalid("select_cols should be strictly increasing indices")

    def fields(self, record: bytes) -> list[bytes]:
        if not record:
            return []
        found = self._quoted(record) if self.quoted and b'"' in record else self._plain(record)
        if self.columns:
            return [found[column] for column in self.columns if column < len(found)]
        return found

    def _plain(self, record: bytes) -> list[bytes]:
        if self.quoted and (b"\n" in record or b"\r" in record):
            raise _invalid("Unquoted fields cannot have quotes/CRLFs inside")
        return record.split(self.delimiter)

    def _quoted(self, record: bytes) -> list[bytes]:
        found, place, size = [], 0, len(record)
        while True:
            if record.startswith(b'"', place):
                field, place = self._in_quotes(record, place + 1)
            else:
                end = record.find(self.delimiter, place)
                end = size if end < 0 else end
                field = record[place:end]
                if b'"' in field or b"\n" in field or b"\r" in field:
                    raise _invalid("Unquoted fields cannot have quotes/CRLFs inside")
                place = end
            found.append(field)
            if place >= size:
                return found
            place += 1

    def _in_quotes(self, record: bytes, place: int) -> tuple[bytes, int]:
        """The field whose opening quote is before `place`, and where its delimiter, or the end, is."""
        parts = []
        while True:
            end = record.find(b'"', place)
            if end < 0:
                raise _invalid("Quoted field has to end with quote followed by delim or end")
            parts.append(record[place:end])
            after = record[end + 1 : end + 2]
            if after == b'"':
                parts.append(b'"')
                place = end + 2
            elif after in (b"", self.delimiter):
                return b"".join(parts), end + 1
            else:
                raise _invalid("Quote inside a string has to be escaped by another quote")


def _reader(kind: Any) -> Callable[[bytes], Any]:
    if kind is dtypes.string:
        return lambda text: text
    if kind.is_floating:
        return parse_float
    info = np.iinfo(kind.np)
    least, most = int(info.min), int(info.max)
    return lambda text: parse_integer(text, least, most)


@numpy_kernel.make("DecodeCSV")
def decode_csv(node: Node) -> Kernel:
    csv, kinds, na_value = _Csv(node), tuple(node.output_types), node.attrs["na_value"]
    names = {"float32": "float", "float64": "double"}
    readers = [_reader(kind) for kind in kinds]

    def kernel(records: Array, *defaults: Array) -> tuple[Array, ...]:
        for index, default in enumerate(defaults):
            if np.ndim(default) > 1:
                raise _invalid("Each record default should be at most rank 1")
            if np.size(default) > 1:
                raise _invalid(f"There should only be 1 default per field but field {index} has {np.size(default)}")
        rows = []
        for index, record in enumerate(np.ravel(records).tolist()):
            fields = csv.fields(record)
            if len(fields) != len(kinds):
                raise _invalid(f"Expect {len(kinds)} fields but have {len(fields)} in record {index}")
            rows.append(fields)
        return tuple(_column(rows, column, defaults[column], np.shape(records)) for column in range(len(kinds)))

    def _column(rows: Sequence[Sequence[bytes]], column: int, default: Array, shape: tuple[int, ...]) -> Array:
        read, kind = readers[column], kinds[column]
        fallback = np.ravel(default).tolist()
        values = []
        for index, fields in enumerate(rows):
            field = fields[column]
            if not field or field == na_value:
                if not fallback:
                    raise _invalid(f"Field {column} is required but missing in record {index}!")
                values.append(fallback[0])
                continue
            value = read(field)
            if value is None:
                raise _invalid(
                    f"Field {column} in record {index} is not a valid {names.get(kind.name, kind.name)}: "
                    f"{field.decode('utf-8', 'replace')}"
                )
            values.append(value)
        return packed(values, shape) if kind is dtypes.string else np.array(values, kind.np).reshape(shape)

    return kernel


# --- messages -----------------------------------------------------------------------------------------------------


@numpy_kernel.make("SerializeTensor")
def serialize_tensor(node: Node) -> Kernel:
    kind = node.input_types[0]
    return lambda tensor: scalar(content_proto(tensor, kind).SerializeToString())


@numpy_kernel.make("ParseTensor")
def parse_tensor(node: Node) -> Kernel:
    kind = node.attrs["out_type"]

    def kernel(serialized: Array) -> Array:
        from google.protobuf.message import DecodeError

        from runstep.graph.tensor_proto import decode
        from runstep.protos import tensor_pb2

        if np.ndim(serialized):
            raise _invalid(f"Expected `serialized` to be a scalar, got shape: {text_shape(np.shape(serialized))}")
        data = serialized.item()
        try:
            proto = tensor_pb2.TensorProto.FromString(data)
        except DecodeError:
            where = base64.urlsafe_b64encode(data).decode()
            raise _invalid(f"Could not parse `serialized` as TensorProto, base64: {where}") from None
        try:
            found = dtypes.as_dtype(proto.dtype)
        except TypeError:
            raise _invalid(f"Cannot parse tensor from proto: {proto}") from None
        if found is not kind:
            raise _invalid(f"Type mismatch between parsed tensor ({found.name}) and dtype ({kind.name})")
        try:
            return np.array(decode(proto))
        except (TypeError, ValueError):
            raise _invalid(f"Cannot parse tensor from proto: {proto}") from None

    return kernel


@numpy_kernel("DecodeJSONExample")
def decode_json_example(texts: Array) -> Array:
    from google.protobuf import json_format

    from runstep.protos import example_pb2

    def serialized(text: bytes) -> bytes:
        try:
            message = json_format.Parse(text, example_pb2.Example())
        except (json_format.ParseError, UnicodeDecodeError) as error:
            raise _invalid(f"Error while parsing JSON: {error}") from None
        return _streamed(message, json.loads(text))

    return mapped(serialized, texts)


def _streamed(example: Any, source: Any) -> bytes:
    """The message as TensorFlow writes it while it reads the JSON: in the order of the text, numbers not packed."""
    if source.get("features") is None:
        return b""
    entries = []
    for name in source["features"].get("feature") or ():
        feature = example.features.feature[name]
        kind = feature.WhichOneof("kind")
        body = b""
        if kind == "bytes_list":
            body = _field(1, b"".join(_field(1, value) for value in feature.bytes_list.value))
        elif kind == "float_list":
            body = _field(2, b"".join(b"\x0d" + struct.pack("<f", value) for value in feature.float_list.value))
        elif kind == "int64_list":
            body = _field(3, b"".join(b"\x08" + varint(value) for value in feature.int64_list.value))
        entries.append(_field(1, _field(1, name.encode()) + _field(2, body)))
    return _field(1, b"".join(entries))


def _field(number: int, data: bytes) -> bytes:
    return bytes([number << 3 | 2]) + varint(len(data)) + data
