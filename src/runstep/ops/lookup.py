"""`tf.lookup`: tables from keys to values as users make them, and what fills them."""

from __future__ import annotations

import uuid
from typing import Any

from runstep.graph import dtypes
from runstep.graph.apply import apply
from runstep.graph.collections import GraphKeys
from runstep.graph.composite import SparseTensor
from runstep.graph.convert import convert_to_tensor
from runstep.graph.dtypes import DType
from runstep.graph.graph import get_default_graph, name_scope
from runstep.graph.operation import Operation
from runstep.graph.ragged_tensor import RaggedTensor
from runstep.graph.tensor import Tensor
from runstep.ops.basic import group, no_op
from runstep.ops.data_flow import on_host
from runstep.ops.hashing import string_to_hash_bucket_fast
from runstep.ops.selecting import where_v2
from runstep.ops.strings import as_string
from runstep.variables.saveable import SaveableObject, SaveSpec

__all__ = [
    "DenseHashTable",
    "KeyValueTensorInitializer",
    "MutableHashTable",
    "StaticHashTable",
    "StaticVocabularyTable",
    "TextFileIndex",
    "TextFileInitializer",
    "initialize_all_tables",
    "tables_initializer",
]


def tables_initializer(name: str = "init_all_tables") -> Operation:
    """The operation that fills all tables of the graph (source: tf.tables_initializer)."""
    initializers = get_default_graph().get_collection(GraphKeys.TABLE_INITIALIZERS)
    return group(*initializers, name=name) if initializers else no_op(name=name)


def initialize_all_tables(name: str = "init_all_tables") -> Operation:
    """The old name of `tables_initializer`."""
    return tables_initializer(name)


# --- what fills a table -------------------------------------------------------------------------------------------


class TableInitializerBase:
    """What fills a static table with keys and values of these dtypes."""

    def __init__(self, key_dtype: Any, value_dtype: Any) -> None:
        self._key_dtype = dtypes.as_dtype(key_dtype)
        self._value_dtype = dtypes.as_dtype(value_dtype)

    @property
    def key_dtype(self) -> DType:
        return self._key_dtype

    @property
    def value_dtype(self) -> DType:
        return self._value_dtype

    def initialize(self, table: Any) -> Operation:
        """The operation that fills `table`."""
        raise NotImplementedError

    @property
    def _shared_name(self) -> str:
        """The name of the table that it fills: tables with the same content may be one."""
        return f"hash_table_{uuid.uuid4()}"

    def _check(self, table: Any) -> None:
        for what, theirs, mine in (
            ("key", table.key_dtype, self._key_dtype),
            ("value", table.value_dtype, self._value_dtype),
        ):
            if theirs.base_dtype is not mine.base_dtype:
                raise TypeError(f"Invalid {what} dtype for table, expected {theirs!r} but got {mine!r}.")


class KeyValueTensorInitializer(TableInitializerBase):
    """Fills a table from two tensors (source: tf.lookup.KeyValueTensorInitializer).

    Args:
      keys, values: vectors of one length. key_dtype, value_dtype: needed only where conversion is to be told.

    Raises:
      FailedPreconditionError (in the run): a key has two values.
    """

    def __init__(
        self, keys: Any, values: Any, key_dtype: Any = None, value_dtype: Any = None, name: str | None = None
    ) -> None:
        self._keys = convert_to_tensor(keys, dtype=key_dtype, name="keys")
        self._values = convert_to_tensor(values, dtype=value_dtype, name="values")
        self._name = name if name is not None else "key_value_init"
        super().__init__(self._keys.dtype, self._values.dtype)

    def initialize(self, table: Any) -> Operation:
        self._check(table)
        with name_scope(self._name, values=(table.resource_handle, self._keys, self._values)):
            made = apply("LookupTableImportV2", table.resource_handle, self._keys, self._values)
        get_default_graph().add_to_collection(GraphKeys.TABLE_INITIALIZERS, made)
        return made


class TextFileIndex:
    """Which part of a line is meant, besides the columns 0, 1, ... (source: tf.lookup.TextFileIndex)."""

    WHOLE_LINE = -2
    LINE_NUMBER = -1


class TextFileInitializer(TableInitializerBase):
    """Fills a table from the lines of a text file (source: tf.lookup.TextFileInitializer).

    Args:
      filename: a string, or a string tensor of rank 0.
      key_index, value_index: the column, or one of `TextFileIndex`.
      vocab_size: so many lines are read; all of them by default. delimiter: one byte between columns.
      value_index_offset: added to line numbers.

    Raises:
      ValueError: an index that its dtype cannot hold, no file name, or vocab_size < 1.
    """

    def __init__(
        self,
        filename: Any,
        key_dtype: Any,
        key_index: int,
        value_dtype: Any,
        value_index: int,
        vocab_size: int | None = None,
        delimiter: str = "\t",
        name: str | None = None,
        value_index_offset: int = 0,
    ) -> None:
        if not isinstance(filename, Tensor) and not filename:
            raise ValueError("`filename` argument required for tf.lookup.TextFileInitializer")
        super().__init__(key_dtype, value_dtype)
        _check_index("key", key_index, self._key_dtype)
        _check_index("value", value_index, self._value_dtype)
        if vocab_size is not None and vocab_size <= 0:
            raise ValueError(f"`vocab_size` should be > 0, received: {vocab_size}")
        self._key_index, self._value_index = key_index, value_index
        self._vocab_size, self._delimiter, self._offset = vocab_size, delimiter, value_index_offset
        self._name = name if name is not None else "text_file_init"
        self._filename_arg = filename
        with on_host():
            self._filename = convert_to_tensor(filename, dtypes.string, name="asset_path")

    def initialize(self, table: Any) -> Operation:
        self._check(table)
        with name_scope(self._name, values=(table.resource_handle,)):
            made = apply(
                "InitializeTableFromTextFileV2",
                table.resource_handle,
                self._filename,
                key_index=self._key_index,
                value_index=self._value_index,
                vocab_size=-1 if self._vocab_size is None else self._vocab_size,
                delimiter=self._delimiter,
                offset=self._offset,
            )
        graph = get_default_graph()
        graph.add_to_collection(GraphKeys.TABLE_INITIALIZERS, made)
        if self._filename.op.type == "Const":
            graph.add_to_collection(GraphKeys.ASSET_FILEPATHS, self._filename)
        return made

    @property
    def _shared_name(self) -> str:
        name = self._filename_arg.name if isinstance(self._filename_arg, Tensor) else self._filename_arg
        parts: list[Any] = [name, self._vocab_size, self._key_index, self._value_index]
        if self._vocab_size is None:
            del parts[1]
        if self._offset:
            parts.append(self._offset)
        return "hash_table_" + "_".join(map(str, parts))


def _check_index(what: str, index: int, dtype: DType) -> None:
    if index < -2:
        raise ValueError(f"`{what}_index` should be >= -2, received: {index}.")
    if index == TextFileIndex.LINE_NUMBER and dtype is not dtypes.int64:
        raise ValueError(f"`{what}_dtype` must be int64 if `{what}_index` is {index}, received: {dtype!r}")
    if index == TextFileIndex.WHOLE_LINE and dtype not in (dtypes.string, dtypes.int64):
        raise ValueError(
            f"`{what}_dtype` should be either integer or string for `{what}_index` {index}, received: {dtype!r}"
        )


# --- tables -------------------------------------------------------------------------------------------------------


class LookupInterface:
    """What all tables offer."""

    _colocates = False

    def __init__(self, key_dtype: Any, value_dtype: Any) -> None:
        self._key_dtype = dtypes.as_dtype(key_dtype)
        self._value_dtype = dtypes.as_dtype(value_dtype)
        self._resource_handle: Any = None
        self._default_value: Any = None

    @property
    def key_dtype(self) -> DType:
        return self._key_dtype

    @property
    def value_dtype(self) -> DType:
        return self._value_dtype

    @property
    def name(self) -> str:
        """The name of the table's node."""
        return self._resource_handle.op.name

    @property
    def resource_handle(self) -> Tensor:
        """The tensor that holds the table's handle."""
        return self._resource_handle

    def _op(self, op_type: str, *inputs: Any, **attrs: Any) -> Any:
        if not self._colocates:
            return apply(op_type, self._resource_handle, *inputs, **attrs)
        with get_default_graph().colocate_with(self._resource_handle):
            return apply(op_type, self._resource_handle, *inputs, **attrs)

    def _check_keys(self, keys: Any) -> None:
        if keys.dtype is not self._key_dtype:
            raise TypeError(f"Dtype of argument `keys` must be {self._key_dtype!r}, received: {keys.dtype!r}")

    def _map(self, keys: Any, find: Any) -> Any:
        """`find` on the values of a sparse or ragged tensor, or on a dense one; the form is kept."""
        if isinstance(keys, SparseTensor):
            return SparseTensor(keys.indices, find(keys.values), keys.dense_shape)
        if isinstance(keys, RaggedTensor):
            return keys.with_flat_values(find(keys.flat_values))
        return find(keys)

    def size(self, name: str | None = None) -> Tensor:
        """The number of entries: int64 of rank 0."""
        with name_scope(name, f"{self.name}_Size", [self._resource_handle]):
            return self._op("LookupTableSizeV2")

    def lookup(self, keys: Any, name: str | None = None) -> Any:
        """The values of `keys`, the default where there is none; sparse and ragged keys give such values."""
        raise NotImplementedError

    def __getitem__(self, keys: Any) -> Any:
        return self.lookup(convert_to_tensor(keys, self._key_dtype) if not hasattr(keys, "dtype") else keys)


class StaticHashTable(LookupInterface):
    """A table that is filled once, by its `initializer` (source: tf.lookup.StaticHashTable).

    Args:
      initializer: says what is in it. default_value: of keys that are not, a scalar.

    Raises:
      FailedPreconditionError (in the run): looked up before it was filled.
    """

    def __init__(
        self,
        initializer: Any,
        default_value: Any,
        name: str | None = None,
        experimental_is_anonymous: bool = False,
    ) -> None:
        super().__init__(initializer.key_dtype, initializer.value_dtype)
        self._initializer = initializer
        self._default_value = convert_to_tensor(default_value, dtype=self._value_dtype)
        types = {"key_dtype": self._key_dtype, "value_dtype": self._value_dtype}
        name = name or "hash_table"
        if experimental_is_anonymous:
            self._resource_handle = apply("AnonymousHashTable", name=name, **types)
        else:
            self._resource_handle = apply("HashTableV2", shared_name=initializer._shared_name, name=name, **types)
        self._init_op = initializer.initialize(self)

    @property
    def default_value(self) -> Tensor:
        return self._default_value

    @property
    def initializer(self) -> Operation:
        """The operation that fills the table. It is in the collection TABLE_INITIALIZERS."""
        return self._init_op

    def lookup(self, keys: Any, name: str | None = None) -> Any:
        if not isinstance(keys, SparseTensor | RaggedTensor):
            keys = convert_to_tensor(keys, name="keys") if not isinstance(keys, Tensor) else keys
        self._check_keys(keys)

        def find(dense: Any) -> Any:
            with name_scope(name, f"{self.name}_Lookup", (self._resource_handle, dense, self._default_value)):
                values = self._op("LookupTableFindV2", dense, self._default_value)
                values.set_shape(dense.shape)
                return values

        return self._map(keys, find)

    def export(self, name: str | None = None) -> tuple[Tensor, Tensor]:
        """(keys, values) of all entries, in no particular order."""
        with name_scope(name, f"{self.name}_Export", [self._resource_handle]):
            return self._op("LookupTableExportV2", Tkeys=self._key_dtype, Tvalues=self._value_dtype)


class StaticVocabularyTable(LookupInterface):
    """Strings or integers to ids; those that are not in it hash to ids behind the others.

    Source: tf.lookup.StaticVocabularyTable.

    Args:
      initializer: says what is in it, with int64 values; None for buckets alone.
      num_oov_buckets: how many buckets, at least 1.
    """

    def __init__(
        self,
        initializer: Any,
        num_oov_buckets: int,
        lookup_key_dtype: Any = None,
        name: str | None = None,
        experimental_is_anonymous: bool = False,
    ) -> None:
        if num_oov_buckets <= 0:
            raise ValueError("`num_oov_buckets` must be > 0; use StaticHashTable.")
        self._num_oov_buckets = num_oov_buckets
        self._table: StaticHashTable | None = None
        if initializer is None:
            super().__init__(dtypes.string if lookup_key_dtype is None else lookup_key_dtype, dtypes.int64)
            self._oov_name = name or "hash_bucket"
            return
        if initializer.value_dtype is not dtypes.int64:
            raise TypeError(f"Invalid `value_dtype`, expected {dtypes.int64!r} but got {initializer.value_dtype!r}.")
        if initializer.key_dtype not in (dtypes.string, dtypes.int64):
            raise TypeError(
                f"Invalid `key_dtype`, expected one of {[dtypes.string, dtypes.int64]} "
                f"but got {initializer.key_dtype!r}."
            )
        wanted = initializer.key_dtype if lookup_key_dtype is None else dtypes.as_dtype(lookup_key_dtype)
        if initializer.key_dtype.is_integer != wanted.is_integer:
            raise TypeError("Invalid `key_dtype`, must be an integer type if `lookup_key_dtype` is one.")
        super().__init__(wanted, dtypes.int64)
        self._table = StaticHashTable(initializer, -1, name, experimental_is_anonymous)
        self._resource_handle = self._table.resource_handle

    @property
    def name(self) -> str:
        return self._table.name if self._table is not None else self._oov_name

    @property
    def initializer(self) -> Operation:
        """The operation that fills the table."""
        return self._table.initializer if self._table is not None else no_op()

    def size(self, name: str | None = None) -> Tensor:
        """The number of ids, buckets included: int64 of rank 0."""
        with name_scope(name, f"{self.name}_Size"):
            known = convert_to_tensor(0, dtypes.int64) if self._table is None else self._table.size()
            return apply("AddV2", known, self._num_oov_buckets, name="add")

    def lookup(self, keys: Any, name: str | None = None) -> Any:
        if not isinstance(keys, SparseTensor | RaggedTensor):
            keys = convert_to_tensor(keys, name="keys") if not isinstance(keys, Tensor) else keys
        self._check_keys(keys)
        return self._map(keys, lambda dense: self._find(dense, name))

    def _find(self, keys: Any, name: str | None) -> Tensor:
        table = self._table
        if table is not None and keys.dtype is not table.key_dtype:
            keys = apply("Cast", keys, DstT=table.key_dtype)
        with name_scope(name, f"{self.name}_Lookup"):
            text = as_string(keys) if keys.dtype.is_integer else keys
            bucket = string_to_hash_bucket_fast(text, self._num_oov_buckets, name="hash_bucket")
            if table is None:
                return bucket
            ids = table.lookup(keys)
            bucket = apply("AddV2", bucket, table.size(), name="Add")
            known = apply("NotEqual", ids, table.default_value)
            return where_v2(known, ids, bucket)


class _Mutable(LookupInterface):
    """Tables that grow and shrink, and are saved with the variables."""

    _colocates = True

    def _saved(self, checkpoint: bool) -> None:
        if checkpoint:
            get_default_graph().add_to_collection(GraphKeys.SAVEABLE_OBJECTS, TableSaveable(self))

    def lookup(  # type: ignore[override]  # TensorFlow has the default before the name
        self, keys: Any, dynamic_default_values: Any = None, name: str | None = None
    ) -> Any:
        """The values of `keys`. Where there is none, the default, or what `dynamic_default_values` has for that key."""

        def find(dense: Any) -> Any:
            with name_scope(name, f"{self.name}_lookup_table_find", (self._resource_handle, dense)):
                dense = convert_to_tensor(dense, self._key_dtype, name="keys")
                default = self._default_value
                if dynamic_default_values is not None:
                    default = convert_to_tensor(
                        dynamic_default_values, self._value_dtype, name="dynamic_default_values"
                    )
                return self._op("LookupTableFindV2", dense, default)

        return self._map(keys, find)

    def insert(self, keys: Any, values: Any, name: str | None = None) -> Operation:
        """The operation that adds entries, in the place of those with the same keys."""
        with name_scope(name, f"{self.name}_lookup_table_insert", [self._resource_handle]):
            keys = convert_to_tensor(keys, self._key_dtype, name="keys")
            values = convert_to_tensor(values, self._value_dtype, name="values")
            return self._op("LookupTableInsertV2", keys, values)

    def remove(self, keys: Any, name: str | None = None) -> Operation:
        """The operation that removes entries; keys that have none are passed over."""
        if keys.dtype != self._key_dtype:
            raise TypeError(f"Dtype of argument `keys` must be {self._key_dtype!r}, received: {keys.dtype!r}")
        with name_scope(name, f"{self.name}_lookup_table_remove"):
            return apply("LookupTableRemoveV2", self._resource_handle, keys)

    def export(self, name: str | None = None) -> tuple[Tensor, Tensor]:
        """(keys, values) of all entries, in no particular order."""
        with name_scope(name, f"{self.name}_lookup_table_export_values", [self._resource_handle]):
            return self._op("LookupTableExportV2", Tkeys=self._key_dtype, Tvalues=self._value_dtype)


class MutableHashTable(_Mutable):
    """A table that grows and shrinks (source: tf.lookup.experimental.MutableHashTable).

    Args:
      default_value: of keys that have no entry, a scalar or a vector; it gives the values' shape.
      checkpoint: whether savers save it.
    """

    def __init__(
        self,
        key_dtype: Any,
        value_dtype: Any,
        default_value: Any,
        name: str = "MutableHashTable",
        checkpoint: bool = True,
        experimental_is_anonymous: bool = False,
    ) -> None:
        super().__init__(key_dtype, value_dtype)
        self._default_value = convert_to_tensor(default_value, dtype=self._value_dtype)
        attrs: dict[str, Any] = {"key_dtype": self._key_dtype, "value_dtype": self._value_dtype}
        kind = "MutableHashTable"
        if self._default_value.raw_shape != ():
            kind, attrs["value_shape"] = "MutableHashTableOfTensors", self._default_value.raw_shape
        if experimental_is_anonymous:
            self._resource_handle = apply(f"Anonymous{kind}", name=name, **attrs)
        else:
            self._resource_handle = apply(f"{kind}V2", use_node_name_sharing=checkpoint, name=name, **attrs)
        self._saved(checkpoint)


class DenseHashTable(_Mutable):
    """A table that grows and shrinks, with keys of any one shape (source: tf.lookup.experimental.DenseHashTable).

    Args:
      default_value: of keys that have no entry; it gives the values' shape.
      empty_key, deleted_key: two keys that are never used; they give the keys' shape.
      initial_num_buckets: a power of two.
    """

    def __init__(
        self,
        key_dtype: Any,
        value_dtype: Any,
        default_value: Any,
        empty_key: Any,
        deleted_key: Any,
        initial_num_buckets: int | None = None,
        name: str = "MutableDenseHashTable",
        checkpoint: bool = True,
        experimental_is_anonymous: bool = False,
    ) -> None:
        super().__init__(key_dtype, value_dtype)
        self._default_value = convert_to_tensor(default_value, dtype=self._value_dtype, name="default_value")
        empty = convert_to_tensor(empty_key, dtype=self._key_dtype, name="empty_key")
        deleted = convert_to_tensor(deleted_key, dtype=self._key_dtype, name="deleted_key")
        attrs: dict[str, Any] = {
            "value_dtype": self._value_dtype,
            "value_shape": self._default_value.raw_shape,
            "initial_num_buckets": initial_num_buckets,
        }
        if experimental_is_anonymous:
            self._resource_handle = apply("AnonymousMutableDenseHashTable", empty, deleted, name=name, **attrs)
        else:
            self._resource_handle = apply(
                "MutableDenseHashTableV2", empty, deleted, use_node_name_sharing=checkpoint, name=name, **attrs
            )
        self._saved(checkpoint)

    def insert_or_assign(self, keys: Any, values: Any, name: str | None = None) -> Operation:
        """As `insert`."""
        return self.insert(keys, values, name)

    def erase(self, keys: Any, name: str | None = None) -> Operation:
        """As `remove`."""
        return self.remove(keys, name)

    def remove(self, keys: Any, name: str | None = None) -> Operation:
        if not isinstance(keys, Tensor):
            with name_scope(name, f"{self.name}_lookup_table_remove"):
                return apply("LookupTableRemoveV2", self._resource_handle, keys)
        return super().remove(keys, name)


class TableSaveable(SaveableObject):
    """What a saver needs to know of a table: two tensors to save, and how to put them back."""

    def __init__(self, table: Any, name: str | None = None) -> None:
        name = name or table.name
        keys, values = table.export()
        specs = [SaveSpec(keys, "", f"{name}-keys"), SaveSpec(values, "", f"{name}-values")]
        super().__init__(table.resource_handle, specs, name)
        self.table = table

    def restore(self, restored_tensors: Any, restored_shapes: Any = None) -> Operation:
        """The operation that makes the restored keys and values the only entries."""
        with get_default_graph().colocate_with(self.op), name_scope(f"{self.name}_table_restore"):
            return apply("LookupTableImportV2", self.op, *restored_tensors)
