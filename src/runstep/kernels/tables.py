"""Lookup tables: keys to values. Keys are kept as Python values in a dict, in the order of their insertion.

FixedTable    filled once, then read only               (source: tf.lookup.StaticHashTable)
MutableTable  scalar or tensor values, by scalar keys    (source: tf.lookup.experimental.MutableHashTable)
DenseTable    keys may be vectors; two keys are reserved (source: tf.lookup.experimental.DenseHashTable)
"""

from __future__ import annotations

import itertools
import threading
from typing import Any

import numpy as np

from runstep import errors
from runstep.graph import shapes
from runstep.graph.dtypes import DType
from runstep.kernels import farmhash
from runstep.kernels.shared import invalid, shape_of

Shape = tuple[int, ...]


class Table:
    """What all tables do. `lock` is held by every change; look-ups are atomic reads of the dict.

    Attributes:
      name: for messages. key_dtype, value_dtype, key_shape, value_shape: of one entry.
    """

    default_for_each_key = False
    """Whether a default for each key is used as such; else, as in TensorFlow, the first stands for all."""

    def __init__(self, name: str, key_dtype: DType, value_dtype: DType, value_shape: Shape = ()) -> None:
        self.name = name
        self.key_dtype = key_dtype
        self.value_dtype = value_dtype
        self.key_shape: Shape = ()
        self.value_shape = value_shape
        self.lock = threading.Lock()
        self.entries: dict[Any, Any] = {}

    def __len__(self) -> int:
        return len(self.entries)

    @property
    def nbytes(self) -> int:
        """Bytes of keys and values, as arrays would hold them."""
        return _bytes(self.entries, self.key_dtype) + _bytes(self.entries.values(), self.value_dtype)

    # Arrays to entries and back.

    def _keys(self, keys: Any) -> list[Any]:
        flat = np.asarray(keys).reshape(-1, *self.key_shape).tolist()
        return list(map(tuple, flat)) if self.key_shape else flat

    def _values(self, values: Any, count: int) -> list[Any]:
        if not self.value_shape:
            return np.asarray(values).ravel().tolist()
        return list(np.asarray(values).reshape(count, *self.value_shape).copy())

    def _array(self, values: list[Any], shape: Shape) -> np.ndarray:
        full = (*shape, *self.value_shape)
        dtype = self.value_dtype.np
        if not self.value_shape and not dtype.hasobject:
            return np.array(values, dtype).reshape(full)
        out = np.empty((len(values), *self.value_shape), dtype)
        for index, value in enumerate(values):
            out[index] = value
        return out.reshape(full)

    def _batch(self, keys: Any) -> Shape:
        """The shape of `keys` without that of one key."""
        shape = shape_of(keys)
        return shape[: len(shape) - len(self.key_shape)]

    # Reading.

    def find(self, keys: Any, default: Any) -> np.ndarray:
        """The values of `keys`; `default` (one value, or one for each key) where there is none."""
        batch = self._batch(keys)
        given = shape_of(default)
        flat = self._keys(keys)
        if given == self.value_shape:
            if not self.value_shape and isinstance(default, np.ndarray | np.generic):
                default = default.tolist()
            defaults: Any = itertools.repeat(default)
        elif given == (*batch, *self.value_shape):
            defaults = self._values(default, len(flat))
            if not self.default_for_each_key:
                defaults = itertools.repeat(defaults[0] if defaults else None)
        else:
            one, each = shapes.text(self.value_shape), shapes.text((*batch, *self.value_shape))
            raise invalid(f"Expected shape {one} or {each} for default value, got {shapes.text(given)}")
        return self._array(list(map(self.entries.get, flat, defaults)), batch)

    def export(self) -> tuple[np.ndarray, np.ndarray]:
        """(keys, values) of all entries."""
        with self.lock:
            entries = dict(self.entries)
        keys = np.empty((len(entries), *self.key_shape), self.key_dtype.np)
        for index, key in enumerate(entries):
            keys[index] = key
        return keys, self._array(list(entries.values()), (len(entries),))

    # Writing.

    def check_values(self, keys: Any, values: Any) -> None:
        expected = (*self._batch(keys), *self.value_shape)
        if shape_of(values) != expected:
            raise invalid(f"Expected shape {shapes.text(expected)} for value, got {shapes.text(shape_of(values))}")

    def insert(self, keys: Any, values: Any) -> None:
        """Adds entries, in the place of those with the same keys."""
        self.check_values(keys, values)
        flat = self._keys(keys)
        with self.lock:
            self.entries.update(zip(flat, self._values(values, len(flat)), strict=True))

    def remove(self, keys: Any) -> None:
        """Removes entries; keys without one are passed over."""
        with self.lock:
            for key in self._keys(keys):
                self.entries.pop(key, None)

    def load(self, keys: Any, values: Any) -> None:
        """Makes these the only entries."""
        self.check_values(keys, values)
        flat = self._keys(keys)
        with self.lock:
            self.entries = dict(zip(flat, self._values(values, len(flat)), strict=True))

    def initialize(self, keys: Any, values: Any) -> None:
        raise invalid(f"Table localhost {self.name} is not initializable")


def _bytes(items: Any, dtype: DType) -> int:
    if dtype.np.hasobject:
        return sum(len(item) if isinstance(item, bytes) else int(getattr(item, "nbytes", 8)) for item in items)
    first = next(iter(items), None)
    return len(items) * dtype.np.itemsize * int(np.size(first)) if first is not None else 0


class FixedTable(Table):
    """Filled once; then it never changes. Look-ups before that are FailedPreconditionError."""

    def __init__(self, name: str, key_dtype: DType, value_dtype: DType) -> None:
        super().__init__(name, key_dtype, value_dtype)
        self.initialized = False

    def find(self, keys: Any, default: Any) -> np.ndarray:
        if not self.initialized:
            raise errors.FailedPreconditionError(None, None, "Table not initialized.")
        return super().find(keys, default)

    def export(self) -> tuple[np.ndarray, np.ndarray]:
        if not self.initialized:
            raise errors.AbortedError(None, None, "HashTable is not initialized.")
        return super().export()

    def fill(self, keys: list[Any], values: list[Any]) -> None:
        """Fills the table; a second time it must be as many entries, which are then left alone, as in TensorFlow.

        Raises:
          FailedPreconditionError: a key with two values, or a table with other data.
        """
        entries: dict[Any, Any] = {}
        for key, value in zip(keys, values, strict=True):
            known = entries.setdefault(key, value)
            if known != value and not (known != known and value != value):
                raise errors.FailedPreconditionError(
                    None,
                    None,
                    "HashTable has different value for same key. "
                    f"Key {_text(key)} has {_text(known)} and trying to add value {_text(value)}",
                )
        with self.lock:
            if not self.initialized:
                self.entries, self.initialized = entries, True
            elif len(self.entries) != len(entries):
                raise errors.FailedPreconditionError(None, None, "Table was already initialized with different data.")

    def initialize(self, keys: Any, values: Any) -> None:
        if len(shape_of(keys)) != 1:
            raise invalid(f"Keys must be a vector, but received shape{shapes.text(shape_of(keys))}")
        count, values_count = int(np.size(keys)), int(np.size(values))
        if count != values_count:
            raise invalid(f"Keys and values must have the same size {count} vs {values_count}")
        self.fill(self._keys(keys), self._values(values, count))

    def load(self, keys: Any, values: Any) -> None:
        self.initialize(keys, values)

    def insert(self, keys: Any, values: Any) -> None:
        raise errors.UnimplementedError(None, None, "Insert not supported by InitializableLookupTable implementations")

    def remove(self, keys: Any) -> None:
        raise errors.UnimplementedError(None, None, "Remove not supported by InitializableLookupTable implementations")


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    if isinstance(value, bool):
        return str(int(value))
    return f"{value:g}" if isinstance(value, float) else str(value)


class MutableTable(Table):
    """Grows and shrinks."""

    default_for_each_key = True


class DenseTable(Table):
    """Open addressing, as TensorFlow's, seen from outside: `empty` and `deleted` are no keys, buckets are exported.

    Args:
      buckets: how many there are at first, a power of two. max_load: doubled when they are fuller than this.
    """

    def __init__(
        self,
        name: str,
        dtypes: tuple[DType, DType],
        value_shape: Shape,
        empty: Any,
        deleted: Any,
        buckets: int,
        max_load: float,
    ) -> None:
        super().__init__(name, *dtypes, value_shape)
        if shape_of(empty) != shape_of(deleted):
            raise invalid(
                "Empty and deleted keys must have same shape, got shapes: "
                f"{shapes.text(shape_of(empty))} and {shapes.text(shape_of(deleted))}"
            )
        self.key_shape = shape_of(empty)
        self._empty, self._deleted = self._keys(empty)[0], self._keys(deleted)[0]
        if self._empty == self._deleted:
            raise invalid("Empty and deleted keys cannot be equal")
        if not 0 < max_load < 1:
            raise invalid(f"max_load_factor must be between 0 and 1, got: {max_load:g}")
        if buckets < 4 or buckets & (buckets - 1):
            raise invalid(f"Number of buckets must be at least 4 and a power of 2, got: {buckets}")
        self._buckets = buckets
        self._max_load = max_load

    def _checked(self, keys: Any) -> None:
        shape, one = shape_of(keys), self.key_shape
        if shape[len(shape) - len(one) :] != one or len(shape) < len(one):
            raise invalid(
                f"Input key shape {shapes.text(shape)} must end with the table's key shape {shapes.text(one)}"
            )
        if len(shape) > len(one) + 1 or (one and len(shape) == len(one)):
            raise invalid(f"Expected key shape {shapes.text((shape[0], *one))} got {shapes.text(shape)}")
        for key in self._keys(keys):
            if key == self._empty:
                raise invalid("Using the empty_key as a table key is not allowed")
            if key == self._deleted:
                raise invalid("Using the deleted_key as a table key is not allowed")

    def find(self, keys: Any, default: Any) -> np.ndarray:
        self._checked(keys)
        return super().find(keys, default)

    def insert(self, keys: Any, values: Any) -> None:
        self.check_values(keys, values)
        self._checked(keys)
        super().insert(keys, values)
        while len(self.entries) > self._buckets * self._max_load:
            self._buckets *= 2

    def remove(self, keys: Any) -> None:
        self._checked(keys)
        super().remove(keys)

    def load(self, keys: Any, values: Any) -> None:
        """Takes what `export` gave: buckets, of which some are empty or deleted."""
        keys, values = np.asarray(keys), np.asarray(values)
        count = len(keys)
        flat, items = self._keys(keys), self._values(values, count)
        with self.lock:
            self.entries = {
                key: item for key, item in zip(flat, items, strict=True) if key not in (self._empty, self._deleted)
            }
        while count > self._buckets:
            self._buckets *= 2

    def export(self) -> tuple[np.ndarray, np.ndarray]:
        with self.lock:
            entries = dict(self.entries)
        count = self._buckets
        keys = np.empty((count, *(self.key_shape or (1,))), self.key_dtype.np)
        keys[:] = self._empty
        values = np.zeros((count, *(self.value_shape or (1,))), self.value_dtype.np)
        if self.value_dtype.name == "string":
            values[:] = b""
        taken = set()
        for key, value in entries.items():
            place, probe = self._hash(key) % count, 0
            while place in taken:
                probe += 1
                place = (place + probe) % count
            taken.add(place)
            keys[place], values[place] = key, value
        return keys, values

    @staticmethod
    def _hash(key: Any) -> int:
        if isinstance(key, tuple):
            total = 0
            for part in key:
                mixed = _scalar_hash(part) + 0x9E3779B97F4A7800 + (total << 10) + (total >> 4)
                total = (total ^ mixed) % 2**64
            return total
        return _scalar_hash(key)


def _scalar_hash(key: Any) -> int:
    return key % 2**64 if isinstance(key, int) else farmhash.murmur(key)
