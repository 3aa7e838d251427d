"""Kernels of lookup tables: nodes that own one, and those that fill, change and read it."""

from __future__ import annotations

from typing import Any

import numpy as np

from runstep import errors
from runstep.graph import dtypes, shapes
from runstep.graph.dtypes import DType
from runstep.io.failures import failed
from runstep.kernels import shared
from runstep.kernels.registry import Kernel, Node, numpy_kernel
from runstep.kernels.resources import ANONYMOUS_NAME
from runstep.kernels.shared import invalid, shape_of
from runstep.kernels.tables import DenseTable, FixedTable, MutableTable, Table

TABLE = "tensorflow::lookup::LookupInterface"

# --- owners -------------------------------------------------------------------------------------------------------


def _owner(node: Node, make: Any) -> Kernel:
    types = node.attrs["key_dtype"], node.attrs["value_dtype"]

    def check(table: Table) -> None:
        if (table.key_dtype, table.value_dtype) != types:
            raise invalid(
                f"Conflicting key/value dtypes {types[0].name}->{types[1].name} with "
                f"{table.key_dtype.name}-{table.value_dtype.name} for table {table.name}"
            )

    if node.type.startswith("Anonymous") or node.attrs.get("shared_name") == ANONYMOUS_NAME.encode():
        return shared.anonymous_owner(node, TABLE, make)
    return shared.owner(node, TABLE, make, check, own_name=node.attrs["use_node_name_sharing"])


@numpy_kernel.make("HashTable", "HashTableV2", "AnonymousHashTable")
def hash_table(node: Node) -> Kernel:
    types = node.attrs["key_dtype"], node.attrs["value_dtype"]
    return _owner(node, lambda name: FixedTable(name, *types))


@numpy_kernel.make("MutableHashTable", "MutableHashTableV2", "AnonymousMutableHashTable")
def mutable_hash_table(node: Node) -> Kernel:
    types = node.attrs["key_dtype"], node.attrs["value_dtype"]
    return _owner(node, lambda name: MutableTable(name, *types))


def _value_shape(node: Node) -> tuple[int, ...]:
    shape = node.attrs["value_shape"]
    if not shapes.is_fully_defined(shape):
        raise invalid(f"Default value must be a vector or a scalar, got shape {shapes.text(shape)}")
    return tuple(shape)


@numpy_kernel.make("MutableHashTableOfTensors", "MutableHashTableOfTensorsV2", "AnonymousMutableHashTableOfTensors")
def mutable_hash_table_of_tensors(node: Node) -> Kernel:
    types = node.attrs["key_dtype"], node.attrs["value_dtype"]
    shape = _value_shape(node)
    if len(shape) != 1:
        raise invalid(f"Default value must be a vector, got shape {shapes.text(shape)}")
    return _owner(node, lambda name: MutableTable(name, *types, shape))


@numpy_kernel.make("MutableDenseHashTable", "MutableDenseHashTableV2", "AnonymousMutableDenseHashTable")
def mutable_dense_hash_table(node: Node) -> Kernel:
    attrs = node.attrs
    types = attrs["key_dtype"], attrs["value_dtype"]
    shape = _value_shape(node)
    keys: Any = ()

    def make(name: str) -> DenseTable:
        return DenseTable(name, types, shape, keys[0], keys[1], attrs["initial_num_buckets"], attrs["max_load_factor"])

    own = _owner(node, make)

    def run(empty: Any, *rest: Any) -> Any:
        nonlocal keys
        if not rest:  # the first generation has no input for it, and never worked
            raise invalid("Unknown input name: deleted_key")
        (deleted,) = rest
        keys = empty, deleted
        return own()

    return run


# --- use ----------------------------------------------------------------------------------------------------------


def table_of(handle: Any) -> Table:
    """The table that a handle names."""
    return shared.found(handle, TABLE)


def _check(node: Node, table: Table, have: tuple[DType, ...], expected: tuple[DType, ...], out: int = 0) -> None:
    """Raises unless the types that the node takes, and (the last `out` of them) returns, are the table's."""
    if have != expected:
        handle = dtypes.string._as_ref if node.input_types[0].is_ref else dtypes.resource
        inputs, outputs = len(node.input_types) - 1, len(node.output_types)
        raise shared.signature_mismatch(
            ((handle, *have[:inputs]), have[len(have) - outputs :] if outputs else ()),
            ((handle, *expected[:inputs]), expected[len(expected) - outputs :] if outputs else ()),
        )


@numpy_kernel.make("LookupTableFind", "LookupTableFindV2")
def find(node: Node) -> Kernel:
    types = node.attrs["Tin"], node.attrs["Tout"]

    def run(handle: Any, keys: Any, default: Any) -> Any:
        table = table_of(handle)
        if types[0] is not table.key_dtype or types[1] is not table.value_dtype:
            _check(node, table, types, (table.key_dtype, table.value_dtype))
        return table.find(keys, default)

    return run


def _pairs(method: str, key: str, value: str) -> Any:
    """A kernel that hands (keys, values) to a method of the table."""

    def make(node: Node) -> Kernel:
        types = node.attrs[key], node.attrs[value]

        def run(handle: Any, keys: Any, values: Any) -> None:
            table = table_of(handle)
            _check(node, table, types, (table.key_dtype, table.value_dtype))
            getattr(table, method)(keys, values)

        return run

    return make


numpy_kernel.make("LookupTableInsert", "LookupTableInsertV2")(_pairs("insert", "Tin", "Tout"))
numpy_kernel.make("LookupTableImport", "LookupTableImportV2")(_pairs("load", "Tin", "Tout"))
numpy_kernel.make("InitializeTable", "InitializeTableV2")(_pairs("initialize", "Tkey", "Tval"))


@numpy_kernel.make("LookupTableRemoveV2")
def remove(node: Node) -> Kernel:
    types = (node.attrs["Tin"],)

    def run(handle: Any, keys: Any) -> None:
        table = table_of(handle)
        _check(node, table, types, (table.key_dtype,))
        table.remove(keys)

    return run


@numpy_kernel("LookupTableSize", "LookupTableSizeV2")
def size(handle: Any) -> Any:
    return np.int64(len(table_of(handle)))


@numpy_kernel.make("LookupTableExport", "LookupTableExportV2")
def export(node: Node) -> Kernel:
    types = node.attrs["Tkeys"], node.attrs["Tvalues"]

    def run(handle: Any) -> Any:
        table = table_of(handle)
        _check(node, table, types, (table.key_dtype, table.value_dtype))
        return table.export()

    return run


# --- from a text file ---------------------------------------------------------------------------------------------

LINE_NUMBER, WHOLE_LINE = -1, -2


def _parsed(field: bytes, dtype: DType, line: int) -> Any:
    if dtype is dtypes.string:
        return field
    try:
        text = field.strip()
        if dtype in (dtypes.int32, dtypes.int64):
            value = int(text)
            if abs(value) < 2 ** (8 * dtype.np.itemsize - 1):
                return value
        elif dtype in (dtypes.float32, dtypes.float64):
            return dtype.np.type(text).item()
    except ValueError:
        pass
    raise invalid(f"Field {field.decode(errors='replace')} in line {line} is not a valid {dtype.name}.")


def _check_index(what: str, index: int, dtype: DType) -> None:
    if index == LINE_NUMBER and dtype is not dtypes.int64:
        raise invalid(f"{what} index for line number requires table {what.lower()} dtype of int64, got {dtype.name}")
    if index == WHOLE_LINE and dtype not in (dtypes.int64, dtypes.string):
        raise invalid(
            f"{what} index for whole line requires table {what.lower()} dtype of int64 or string, got {dtype.name}"
        )


@numpy_kernel.make("InitializeTableFromTextFile", "InitializeTableFromTextFileV2")
def initialize_from_text_file(node: Node) -> Kernel:
    attrs = node.attrs
    delimiter = attrs["delimiter"]
    if len(delimiter) != 1:
        raise invalid("delimiter should be only 1 char")
    indices = attrs["key_index"], attrs["value_index"]
    limit, offset = attrs["vocab_size"], attrs["offset"]
    columns = max(*indices, 0) + 1
    split = max(indices) >= 0

    def run(handle: Any, filename: Any) -> None:
        table = table_of(handle)
        if shape_of(filename) != ():
            raise invalid(f"filename should be a single string, but got {shapes.text(shape_of(filename))}")
        path = np.asarray(filename).item().decode()
        if not path:
            raise invalid("filename cannot be empty.")
        if not isinstance(table, FixedTable):
            raise invalid(f"Table localhost {table.name} is not initializable")
        types = table.key_dtype, table.value_dtype
        for what, index, dtype in zip(("Key", "Value"), indices, types, strict=True):
            _check_index(what, index, dtype)
        found: tuple[list[Any], list[Any]] = [], []
        for number, line in enumerate(vocabulary_lines(path, limit)):
            fields = line.split(delimiter) if split else [line]
            if split and len(fields) < columns:
                raise invalid(
                    f"Invalid number of columns in {path} line {number} ({line.decode(errors='replace')}) : "
                    f"expected at least {columns} got {len(fields)}"
                )
            for index, dtype, into in zip(indices, types, found, strict=True):
                if index == LINE_NUMBER:
                    into.append(number + offset)
                else:
                    into.append(_parsed(line if index == WHOLE_LINE else fields[index], dtype, number))
        table.fill(*found)

    return run


def vocabulary_lines(path: str, limit: int) -> list[bytes]:
    """The lines of a vocabulary, at most `limit` of them when that is not -1."""
    try:
        with open(path, "rb") as file:
            content = file.read()
    except OSError as error:
        raise failed(error, path) from error
    lines = content.split(b"\n")
    if lines[-1] == b"":
        lines.pop()
    if limit == 0:
        raise errors.OutOfRangeError(None, None, f"Finished reading 0 of lines from {path}")
    if limit > 0:
        if len(lines) < limit:
            raise invalid(f"Invalid vocab_size in {path}: expected {limit} but got {len(lines)}")
        lines = lines[:limit]
    position = 0
    for index, line in enumerate(lines):
        position += len(line) + 1
        lines[index] = line.removesuffix(b"\r")
        if not lines[index]:
            raise invalid(f"Invalid content in {path}: empty line found at position {position}.")
    return lines
