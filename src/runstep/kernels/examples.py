"""Features of Example messages as arrays: what all parsing kernels are made of.

A *column* is the values of one feature in each example of a batch, lists of Python numbers or bytes; None where an
example does not have the feature.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from runstep import errors
from runstep.graph import dtypes
from runstep.graph.dtypes import DType
from runstep.kernels.bytestrings import Array, packed

Values = Sequence[Any]

_KINDS = {"bytes_list": dtypes.string, "float_list": dtypes.float32, "int64_list": dtypes.int64}
_NAMES = {dtypes.string: "string", dtypes.float32: "float", dtypes.int64: "int64"}


def invalid(message: str) -> errors.InvalidArgumentError:
    return errors.InvalidArgumentError(None, None, message)


def messages(serialized: Sequence[bytes], kind: str, names: Sequence[bytes]) -> list[Any]:
    """The parsed messages, `kind` "Example" or "SequenceExample". InvalidArgumentError that says which is damaged."""
    from google.protobuf.message import DecodeError

    from runstep.protos import example_pb2

    parse = getattr(example_pb2, kind).FromString
    found = []
    for index, data in enumerate(serialized):
        try:
            found.append(parse(data))
        except DecodeError:
            where = names[index].decode("utf-8", "replace") if names else "<unknown>"
            raise invalid(f"Name: {where}, Could not parse example input, value: {data!r}") from None
    return found


def read(features: Mapping[str, Any], key: str, kind: DType, where: str) -> Values | None:
    """The values of feature `key`, or None where there is none. InvalidArgumentError if they are not of `kind`."""
    if key not in features:
        return None
    return values_of(features[key], kind, f"{where}, Key: {key}")


def values_of(feature: Any, kind: DType, where: str) -> Values | None:
    """The values of one Feature message."""
    held = feature.WhichOneof("kind")
    if held is None:
        return None
    if _KINDS[held] is not kind:
        raise invalid(
            f"{where}, Index: 0.  Data types don't match. Expected type: {_NAMES[kind]}, Actual type: "
            f"{_NAMES[_KINDS[held]]}"
        )
    values: Values = getattr(feature, held).value
    return values


def array(values: Values, kind: DType) -> Array:
    """A vector of the values."""
    return packed(list(values)) if kind is dtypes.string else np.array(values, kind.np)


def joined(rows: Sequence[Values], kind: DType) -> Array:
    """A vector of the values of all rows."""
    return array([value for row in rows for value in row], kind)


def sparse(rows: Sequence[Values | None], kind: DType) -> tuple[Array, Array, Array]:
    """Indices [n, 2], values [n] and shape [2] of rows of different lengths."""
    filled = [row or () for row in rows]
    lengths = np.array([len(row) for row in filled], np.int64)
    indices = np.empty((int(lengths.sum()), 2), np.int64)
    indices[:, 0] = np.repeat(np.arange(len(filled)), lengths)
    indices[:, 1] = np.arange(len(indices)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    return indices, joined(filled, kind), np.array([len(filled), lengths.max(initial=0)], np.int64)


def splits(rows: Sequence[Values | None], kind: DType) -> Array:
    """Where each row ends."""
    out = np.zeros(len(rows) + 1, kind.np)
    np.cumsum([len(row or ()) for row in rows], out=out[1:])
    return out


class Dense:
    """A feature of a fixed shape, or of a fixed shape but for its first size."""

    def __init__(self, key: str, kind: DType, shape: Sequence[int | None], default: Array) -> None:
        self.key, self.kind = key, kind
        self.shape = tuple(shape)
        self.is_variable = bool(self.shape) and self.shape[0] is None
        inner = self.shape[1:] if self.is_variable else self.shape
        self.stride = int(np.prod([size or 0 for size in inner]))
        self.default = np.ravel(default).tolist()

    def column(self, rows: Sequence[Values | None], names: Sequence[str]) -> Array:
        """[rows, *shape]: the values, or the default."""
        found = []
        for row, where in zip(rows, names, strict=True):
            if row is None:
                row = self._missing(where)
            elif self.is_variable:
                if self.stride and len(row) % self.stride:
                    raise invalid(
                        f"Name: {where}, Key: {self.key}, Index: 0.  Number of {_NAMES[self.kind]} values is not a "
                        f"multiple of stride length. Saw {len(row)} values but output shape is: {self._text()}"
                    )
            elif len(row) != self.stride:
                raise invalid(
                    f"Name: {where}, Key: {self.key}, Index: 0.  Number of {_NAMES[self.kind]} values != expected.  "
                    f"Values size: {len(row)} but output shape: {self._text()}"
                )
            found.append(row)
        if not self.is_variable:
            return joined(found, self.kind).reshape(len(rows), *(size or 0 for size in self.shape))
        return self.padded(found, self.default[0] if self.default else None)

    def padded(self, rows: Sequence[Values], filler: Any = None) -> Array:
        """[rows, longest, *inner]: rows of different lengths, filled up."""
        longest = max((len(row) // max(self.stride, 1) for row in rows), default=0)
        width = longest * self.stride
        if filler is None:
            filler = b"" if self.kind is dtypes.string else 0
        out = np.empty((len(rows), width), self.kind.np)
        out[...] = filler
        for place, row in enumerate(rows):
            if len(row):
                out[place, : len(row)] = row
        return out.reshape(len(rows), longest, *(size or 0 for size in self.shape[1:]))

    def _missing(self, where: str) -> Values:
        if self.is_variable:
            return ()
        if len(self.default) != self.stride or not self.default:
            raise invalid(
                f"Name: {where}, Feature: {self.key} (data type: {_NAMES[self.kind]}) is required but could not be "
                "found."
            )
        return self.default

    def _text(self) -> str:
        return "[" + ",".join("?" if size is None else str(size) for size in self.shape) + "]"
