"""Lookup tables as operations. The user's classes are in `runstep.ops.lookup`."""

from __future__ import annotations

from typing import Any

from runstep.graph import shapes
from runstep.ops.common import Shapes, nothing, scalar
from runstep.ops.registry import op


def _pair(op: Any) -> Shapes:
    # The handle of the first generation: a vector of container and name.
    return [(2,)]


def _declared(op: Any) -> Any:
    """The operation that made the handle, where that is known and says what the table holds."""
    maker = op.inputs[0].op
    return maker if maker.type.removeprefix("Anonymous").startswith("Mutable") else None


def _handle(op: Any) -> None:
    shapes.with_rank(op.inputs[0].raw_shape, 0)


def _find(op: Any) -> Shapes:
    _handle(op)
    maker = _declared(op)
    if maker is None:
        return [None]
    held, asked = maker.attrs["key_dtype"], op.attrs["Tin"]
    if held is not asked:
        raise ValueError(f"Trying to read value with wrong dtype. Expected {held.name} got {asked.name}")
    key = maker.inputs[0].raw_shape if maker.inputs else ()
    keys, value = op.inputs[1].raw_shape, maker.attrs.get("value_shape", ())
    if key is None or keys is None or value is None:
        return [None]
    batch = len(keys) - len(key)
    if batch < 0 or not shapes.is_compatible(keys[batch:], key):
        raise ValueError(f"Expected keys to have suffix {shapes.text(key)} but saw shape: {shapes.text(keys)}")
    return [(*keys[:batch], *value)]


def _find_first_generation(op: Any) -> Shapes:
    return [None]


def _export(op: Any) -> Shapes:
    _handle(op)
    return [None, None]


def _export_first_generation(op: Any) -> Shapes:
    return [(None,), None]


def _size(op: Any) -> Shapes:
    _handle(op)
    return [()]


def _change(op: Any) -> Shapes:
    _handle(op)
    return []


def _import(op: Any) -> Shapes:
    _handle(op)
    (count,) = shapes.with_rank(op.inputs[1].raw_shape, 1)
    values = op.inputs[2].raw_shape
    if values and count is not None and values[0] is not None and values[0] != count:
        raise ValueError(f"Dimensions must be equal, but are {count} and {values[0]}")
    return []


def _initialize(op: Any) -> Shapes:
    shapes.merge(shapes.with_rank(op.inputs[1].raw_shape, 1), op.inputs[2].raw_shape)
    return []


def _initialize_from_file(op: Any) -> Shapes:
    shapes.with_rank(op.inputs[1].raw_shape, 0)
    return []


op(
    "HashTable",
    " -> table_handle: Ref(string)",
    "container: string = ''",
    "shared_name: string = ''",
    "use_node_name_sharing: bool = false",
    "key_dtype: type",
    "value_dtype: type",
    shape=_pair,
    stateful=True,
)
op(
    "HashTableV2",
    " -> table_handle: resource",
    "container: string = ''",
    "shared_name: string = ''",
    "use_node_name_sharing: bool = false",
    "key_dtype: type",
    "value_dtype: type",
    shape=scalar,
    stateful=True,
)
op(
    "AnonymousHashTable",
    " -> table_handle: resource",
    "key_dtype: type",
    "value_dtype: type",
    shape=scalar,
    stateful=True,
)
op(
    "MutableHashTable",
    " -> table_handle: Ref(string)",
    "container: string = ''",
    "shared_name: string = ''",
    "use_node_name_sharing: bool = false",
    "key_dtype: type",
    "value_dtype: type",
    shape=_pair,
    stateful=True,
)
op(
    "MutableHashTableV2",
    " -> table_handle: resource",
    "container: string = ''",
    "shared_name: string = ''",
    "use_node_name_sharing: bool = false",
    "key_dtype: type",
    "value_dtype: type",
    shape=scalar,
    stateful=True,
)
op(
    "AnonymousMutableHashTable",
    " -> table_handle: resource",
    "key_dtype: type",
    "value_dtype: type",
    shape=scalar,
    stateful=True,
)
op(
    "MutableHashTableOfTensors",
    " -> table_handle: Ref(string)",
    "container: string = ''",
    "shared_name: string = ''",
    "use_node_name_sharing: bool = false",
    "key_dtype: type",
    "value_dtype: type",
    "value_shape: shape = []",
    shape=_pair,
    stateful=True,
)
op(
    "MutableHashTableOfTensorsV2",
    " -> table_handle: resource",
    "container: string = ''",
    "shared_name: string = ''",
    "use_node_name_sharing: bool = false",
    "key_dtype: type",
    "value_dtype: type",
    "value_shape: shape = []",
    shape=scalar,
    stateful=True,
)
op(
    "AnonymousMutableHashTableOfTensors",
    " -> table_handle: resource",
    "key_dtype: type",
    "value_dtype: type",
    "value_shape: shape = []",
    shape=scalar,
    stateful=True,
)
op(
    "MutableDenseHashTable",
    "empty_key: key_dtype -> table_handle: Ref(string)",
    "container: string = ''",
    "shared_name: string = ''",
    "use_node_name_sharing: bool = false",
    "key_dtype: type",
    "value_dtype: type",
    "value_shape: shape = []",
    "initial_num_buckets: int = 131072",
    "max_load_factor: float = 0.8",
    shape=_pair,
    stateful=True,
)
op(
    "MutableDenseHashTableV2",
    "empty_key: key_dtype, deleted_key: key_dtype -> table_handle: resource",
    "container: string = ''",
    "shared_name: string = ''",
    "use_node_name_sharing: bool = false",
    "key_dtype: type",
    "value_dtype: type",
    "value_shape: shape = []",
    "initial_num_buckets: int = 131072",
    "max_load_factor: float = 0.8",
    shape=scalar,
    stateful=True,
)
op(
    "AnonymousMutableDenseHashTable",
    "empty_key: key_dtype, deleted_key: key_dtype -> table_handle: resource",
    "key_dtype: type",
    "value_dtype: type",
    "value_shape: shape = []",
    "initial_num_buckets: int = 131072",
    "max_load_factor: float = 0.8",
    shape=scalar,
    stateful=True,
)
op(
    "LookupTableFind",
    "table_handle: Ref(string), keys: Tin, default_value: Tout -> values: Tout",
    "Tin: type",
    "Tout: type",
    shape=_find_first_generation,
)
op(
    "LookupTableFindV2",
    "table_handle: resource, keys: Tin, default_value: Tout -> values: Tout",
    "Tin: type",
    "Tout: type",
    shape=_find,
    stateful=True,
)
op(
    "LookupTableInsert",
    "table_handle: Ref(string), keys: Tin, values: Tout -> ",
    "Tin: type",
    "Tout: type",
    shape=nothing,
)
op(
    "LookupTableInsertV2",
    "table_handle: resource, keys: Tin, values: Tout -> ",
    "Tin: type",
    "Tout: type",
    shape=_change,
    stateful=True,
)
op("LookupTableRemoveV2", "table_handle: resource, keys: Tin -> ", "Tin: type", shape=_change, stateful=True)
op("LookupTableSize", "table_handle: Ref(string) -> size: int64", shape=scalar)
op("LookupTableSizeV2", "table_handle: resource -> size: int64", shape=_size, stateful=True)
op(
    "LookupTableExport",
    "table_handle: Ref(string) -> keys: Tkeys, values: Tvalues",
    "Tkeys: type",
    "Tvalues: type",
    shape=_export_first_generation,
)
op(
    "LookupTableExportV2",
    "table_handle: resource -> keys: Tkeys, values: Tvalues",
    "Tkeys: type",
    "Tvalues: type",
    shape=_export,
    stateful=True,
)
op(
    "LookupTableImport",
    "table_handle: Ref(string), keys: Tin, values: Tout -> ",
    "Tin: type",
    "Tout: type",
    shape=nothing,
)
op(
    "LookupTableImportV2",
    "table_handle: resource, keys: Tin, values: Tout -> ",
    "Tin: type",
    "Tout: type",
    shape=_import,
    stateful=True,
)
op(
    "InitializeTable",
    "table_handle: Ref(string), keys: Tkey, values: Tval -> ",
    "Tkey: type",
    "Tval: type",
    shape=_initialize,
)
op(
    "InitializeTableV2",
    "table_handle: resource, keys: Tkey, values: Tval -> ",
    "Tkey: type",
    "Tval: type",
    shape=_initialize,
    stateful=True,
)
op(
    "InitializeTableFromTextFile",
    "table_handle: Ref(string), filename: string -> ",
    "key_index: int >= -2",
    "value_index: int >= -2",
    "vocab_size: int >= -1 = -1",
    "delimiter: string = '\t'",
    "offset: int = 0",
    shape=_initialize_from_file,
)
op(
    "InitializeTableFromTextFileV2",
    "table_handle: resource, filename: string -> ",
    "key_index: int >= -2",
    "value_index: int >= -2",
    "vocab_size: int >= -1 = -1",
    "delimiter: string = '\t'",
    "offset: int = 0",
    shape=_initialize_from_file,
    stateful=True,
)
