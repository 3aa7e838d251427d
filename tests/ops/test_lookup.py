"""Lookup tables against TensorFlow: kernels by programs, the user's classes by the graphs that they build."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from runstep import errors
from runstep.graph import dtypes
from runstep.graph.apply import apply
from runstep.graph.collections import GraphKeys
from runstep.graph.composite import SparseTensor
from runstep.ops import (
    lookup,
    table as table,  # rows
)
from runstep.testing import building
from runstep.testing.bench import Bench, compare

S, L, F = "string", "int64", "float32"


@pytest.fixture
def bench() -> Iterator[Bench]:
    bench = Bench()
    with bench.graph.as_default():
        yield bench


class On:
    """The ops on one table."""

    def __init__(self, api: Any, handle: Any, generation: str = "V2", types: tuple[str, str] = (S, L)) -> None:
        self.api, self.handle, self.generation, self.types = api, handle, generation, types

    def _run(self, op: str, *inputs: Any, **attrs: Any) -> None:
        self.api.run(self.api.op(op + self.generation, self.handle, *inputs, **attrs))

    def _hidden(self, value: Any, place: int) -> Any:
        return self.api.hidden(value, self.types[place])

    def find(self, keys: Any, default: Any) -> None:
        self._run("LookupTableFind", self._hidden(keys, 0), self._hidden(default, 1))

    def pairs(self, op: str, keys: Any, values: Any) -> None:
        self._run(op, self._hidden(keys, 0), self._hidden(values, 1))

    def remove(self, keys: Any) -> None:
        self._run("LookupTableRemove", self._hidden(keys, 0))

    def size(self) -> None:
        self._run("LookupTableSize")

    def export(self) -> None:
        """Logs the entries in order of their keys; as exported they have none."""
        types: Any = {"Tkeys": self.types[0], "Tvalues": self.types[1]}
        pairs = self.api.run(self.api.op("LookupTableExport" + self.generation, self.handle, **types))
        if pairs is not None:
            first = pairs[0].reshape(len(pairs[0]), -1)[:, 0] if pairs[0].size else pairs[0]
            order = np.argsort(first, kind="stable")
            self.api.log[-1] = [part[order] for part in pairs]


@pytest.mark.parametrize("generation", ["", "V2"])
def test_fixed_table(generation: str) -> None:
    def program(api: Any) -> None:
        t = On(api, api.op("HashTable" + generation, key_dtype=S, value_dtype=L, shared_name="h"), generation)
        t.find(["a"], -1)
        t.size()
        t.export()
        t.pairs("LookupTableInsert", ["a"], [1])
        if generation:
            t.remove(["a"])
        t.pairs("InitializeTable", ["a", "a"], [1, 2])
        t.size()
        t.pairs("InitializeTable", [["a"]], [[1]])
        t.pairs("InitializeTable", "a", 1)
        t.pairs("InitializeTable", ["a", "b"], [1, 2, 3])
        t.pairs("InitializeTable", ["a", "b", "a"], [1, 2, 1])
        t.size()
        t.pairs("InitializeTable", ["a", "b"], [1, 3])  # as many: taken for the same
        t.pairs("InitializeTable", ["a"], [1])
        t.pairs("LookupTableImport", ["a"], [1])
        t.find([["a", "z"]], -1)
        t.find("b", -1)
        t.find(["a", "z"], [-1, -2])
        t.find(["a", "z"], [-1, -2, -3])
        t.find(np.zeros((0, 2), object), -1)
        t.export()
        t.pairs("LookupTableInsert", ["a"], [1])
        api.run(api.op("LookupTableFind" + generation, t.handle, api.hidden([1]), api.hidden(-1, L)))
        api.run(api.op("InitializeTable" + generation, t.handle, api.hidden([1]), api.hidden([1], L)))

    compare(program)


@pytest.mark.parametrize("shape", [(), (2,)])
@pytest.mark.parametrize("generation", ["", "V2"])
def test_mutable_table(generation: str, shape: tuple[int, ...]) -> None:
    def values(*numbers: int) -> Any:
        return [[n, -n] for n in numbers] if shape else list(numbers)

    def program(api: Any) -> None:
        kind, more = ("MutableHashTableOfTensors", {"value_shape": [2]}) if shape else ("MutableHashTable", {})
        t = On(api, api.op(kind + generation, key_dtype=S, value_dtype=L, shared_name="m", **more), generation)
        t.size()
        t.export()
        t.pairs("LookupTableInsert", ["a", "b", "a"], values(1, 2, 3))
        t.find([["a", "z"]], values(-1)[0])
        t.find(["a", "z"], values(7, 8))
        t.find(["a", "z"], values(7, 8, 9))
        t.find(["a", "z"], [7, 8, 9])
        t.pairs("LookupTableInsert", ["a", "b", "c"], values(1, 2))
        t.pairs("LookupTableInsert", ["a", "b"], [[1, 2, 3], [1, 2, 3]])
        t.pairs("LookupTableInsert", "c", values(4)[0])
        t.pairs("LookupTableInsert", [["d"]], [values(5)])
        t.size()
        if generation:
            t.remove(["a", "q", "c"])
            t.remove([["d"]])
            api.run(api.op("LookupTableRemoveV2", t.handle, api.hidden([1])))
            t.export()
        t.pairs("LookupTableImport", ["x"], values(1))
        t.export()
        t.pairs("InitializeTable", ["x"], [1])

    compare(program)


def test_dense_table() -> None:
    def program(api: Any) -> None:
        handle = api.op(
            "MutableDenseHashTableV2",
            api.hidden(0, L),
            api.hidden(-1, L),
            value_dtype=F,
            initial_num_buckets=4,
            shared_name="d",
        )
        t = On(api, handle, "V2", (L, F))
        t.export()
        t.pairs("LookupTableInsert", [5, 6, 9], [1.0, 2.0, 3.0])
        t.find([6, 7, 9], -1.0)
        t.find(5, -1.0)
        t.find([[6, 7]], -1.0)
        t.export()
        t.pairs("LookupTableInsert", [7, 1], [4.0, 5.0])
        t.size()
        t.remove([5, 8])
        t.size()
        for key in (0, -1):
            t.find([key], -1.0)
            t.pairs("LookupTableInsert", [key], [1.0])
            t.remove([key])
        t.pairs("LookupTableInsert", [5, 6, 7], [1.0, 2.0])
        t.pairs("InitializeTable", [5], [1.0])

    compare(program)


def test_first_dense_table_lacks_an_input() -> None:
    def program(api: Any) -> None:
        table = api.op("MutableDenseHashTable", api.hidden(0, L), value_dtype=F, shared_name="d")
        api.run(api.op("LookupTableSize", table))

    compare(program, texts=True)


def test_dense_table_of_vectors() -> None:
    def program(api: Any) -> None:
        keys = api.hidden([0, 0], L), api.hidden([-1, -1], L)
        handle = api.op(
            "MutableDenseHashTableV2", *keys, value_dtype=F, value_shape=[2], initial_num_buckets=4, shared_name="d"
        )
        t = On(api, handle, "V2", (L, F))
        t.pairs("LookupTableInsert", [[1, 2], [3, 4]], [[1.0, 2.0], [3.0, 4.0]])
        t.find([[3, 4], [9, 9]], [-1.0, -2.0])
        t.find([3, 4], [-1.0, -2.0])
        t.find([[3, 4, 5]], [-1.0, -2.0])
        t.export()

    compare(program)


def test_wrong_dense_tables() -> None:
    def program(api: Any) -> None:
        def size(empty: Any, deleted: Any, **attrs: Any) -> None:
            keys = api.hidden(empty, L), api.hidden(deleted, L)
            api.run(api.op("LookupTableSizeV2", api.op("MutableDenseHashTableV2", *keys, value_dtype=F, **attrs)))

        size(0, -1, initial_num_buckets=3)
        size(0, -1, initial_num_buckets=2)
        size(0, -1, max_load_factor=0.0)
        size(0, -1, max_load_factor=1.0)
        size(0, 0)
        size([0, 0], [1, 1, 1])

    compare(program)


@pytest.mark.parametrize("types", [(L, S), ("int32", "float64"), (S, "bool"), ("int64", "float32"), (S, S)])
def test_types(types: tuple[str, str]) -> None:
    def some(dtype: str) -> Any:
        kind = dtypes.as_dtype(dtype)
        numbers = np.array([0, 5, 7])
        return numbers.astype("S").astype(object) if dtype == S else numbers.astype(kind.np)

    def program(api: Any) -> None:
        keys, values = (api.hidden(some(kind), kind) for kind in types)
        handle = api.op("AnonymousHashTable", key_dtype=types[0], value_dtype=types[1])
        filled = api.op("InitializeTableV2", handle, keys, values)
        default = api.hidden(some(types[1])[0], types[1])
        found = api.after(filled, lambda: api.op("LookupTableFindV2", handle, keys, default))
        api.run(found)

    # The handle is anonymous: one step makes, fills and reads the table.
    compare(program)


def test_one_name_is_one_table() -> None:
    def program(api: Any) -> None:
        made = api.op("HashTableV2", key_dtype=S, value_dtype=L, shared_name="h")
        api.run(api.op("InitializeTableV2", made, api.hidden(["a"]), api.hidden([1], L)))
        named = api.op("MutableHashTableV2", key_dtype=S, value_dtype=L, name="n", use_node_name_sharing=True)
        api.run(api.op("LookupTableInsertV2", named, api.hidden(["a"]), api.hidden([1], L)))
        for name, types in (("h", (S, L)), ("h", (L, L)), ("n", (S, L)), ("other", (S, L))):
            again = api.op("HashTableV2", key_dtype=types[0], value_dtype=types[1], shared_name=name)
            api.run(api.op("LookupTableSizeV2", again))

    compare(program)


W, NUMBER = -2, -1
FILES: list[tuple[str, str, str, int, int, dict[str, Any]]] = [
    ("emerson\nlake\npalmer\n", S, L, W, NUMBER, {}),
    ("emerson\nlake\npalmer", L, S, NUMBER, W, {}),
    ("emerson\r\nlake\r\n", S, L, W, NUMBER, {"offset": 3}),
    ("a\nb\nc\n", S, L, W, NUMBER, {"vocab_size": 2}),
    ("a\nb\nc\n", S, L, W, NUMBER, {"vocab_size": 4}),
    ("a 1\nb 2\n", S, L, 0, 1, {"delimiter": " "}),
    ("a\t1.5\nb\t2\n", S, "float64", 0, 1, {}),
    ("1,2\n3,4\n", "int32", "int32", 1, 0, {"delimiter": ","}),
    ("a 1\nb 2\n", S, S, W, 0, {"delimiter": " "}),
    ("a 1\n", L, S, 0, 1, {"delimiter": " "}),
    ("a 1\n", S, L, 0, 1, {}),
    ("a\n\nb\n", S, L, W, NUMBER, {}),
    ("a\na\n", S, L, W, NUMBER, {}),
    ("a\nb\n", S, S, W, NUMBER, {}),
    ("a b\n", S, S, 0, 1, {"delimiter": ""}),
]


@pytest.mark.parametrize("row", FILES, ids=lambda row: f"{row[0]!r} {row[3]},{row[4]} {row[5]}")
def test_text_file(row: Any, tmp_path: Path) -> None:
    text, key, value, key_index, value_index, more = row
    path = tmp_path / "vocabulary.txt"
    path.write_bytes(text.encode())

    def program(api: Any) -> None:
        t = On(api, api.op("HashTableV2", key_dtype=key, value_dtype=value, shared_name="h"), "V2", (key, value))
        indices: Any = {"key_index": key_index, "value_index": value_index}
        api.run(api.op("InitializeTableFromTextFileV2", t.handle, api.hidden(str(path)), **indices, **more))
        t.export()

    compare(program)


@pytest.mark.parametrize("name", ["", ["a"], "/proc/no"])
def test_wrong_file_names(name: Any) -> None:
    def program(api: Any) -> None:
        handle = api.op("HashTable", key_dtype=S, value_dtype=L, shared_name="h")
        op = api.op("InitializeTableFromTextFile", handle, api.hidden(name, S), key_index=W, value_index=NUMBER)
        api.run(op)

    compare(program)


def test_bytes_are_accounted_for(bench: Bench) -> None:
    table = lookup.MutableHashTable(dtypes.string, dtypes.int32, [0, 0])
    bench.run(table.insert(["abc", "d"], [[1, 2], [3, 4]]))
    assert bench.resources.nbytes == 4 + 16


def test_dense_export_can_be_imported(bench: Bench) -> None:
    made: Any = {"key_dtype": dtypes.string, "value_dtype": dtypes.int64, "default_value": -1}
    table = lookup.DenseHashTable(**made, empty_key="", deleted_key="-", initial_num_buckets=4)
    bench.run(table.insert(["a", "b", "c", "d"], [1, 2, 3, 4]))
    other = lookup.DenseHashTable(**made, empty_key="", deleted_key="-")
    bench.run(apply("LookupTableImportV2", other.resource_handle, *table.export()))
    assert bench.run(other.lookup(["d", "a", "x"])).tolist() == [4, 1, -1]


def test_anonymous_tables_are_new_each_time(bench: Bench) -> None:
    kind = {"key_dtype": dtypes.int64, "value_dtype": dtypes.int64}
    for op in ("AnonymousMutableHashTable", "AnonymousMutableHashTableOfTensors", "AnonymousMutableDenseHashTable"):
        more: Any = {"value_shape": [2]} if op.endswith("Tensors") else {}
        keys = [np.int64(0), np.int64(1)] if "Dense" in op else []
        handle = apply(op, *keys, **({"value_dtype": dtypes.int64} if keys else kind), **more)  # type: ignore[arg-type]
        first, second = bench.run(handle), bench.run(handle)
        assert first is not second and first.entry is not second.entry


# --- the classes --------------------------------------------------------------------------------------------------


class Lookup:
    """`tf.lookup` and `tf.lookup.experimental` in one, on either side."""

    def __init__(self, tf: Any) -> None:
        self._tf = tf

    def __getattr__(self, name: str) -> Any:
        if not hasattr(self._tf, "lookup"):
            return getattr(self._tf, name)
        return getattr(self._tf.lookup, name, None) or getattr(self._tf.lookup.experimental, name)


def _static(tf: Any, lk: Any) -> None:
    table = lk.StaticHashTable(lk.KeyValueTensorInitializer(["a", "b"], [1, 2]), -1)
    table.lookup(tf.constant(["a", "c"]))
    table.size()
    table.export()
    tf.tables_initializer()


def _text(tf: Any, lk: Any) -> None:
    index = lk.TextFileIndex
    made = lk.TextFileInitializer("v.txt", tf.string, index.WHOLE_LINE, tf.int64, index.LINE_NUMBER, 3, " ")
    lk.StaticHashTable(made, -1, name="named").lookup(tf.constant(["a"]))
    lk.StaticHashTable(lk.TextFileInitializer("v.txt", "string", -2, "int64", -1, value_index_offset=2), -1)
    tf.tables_initializer("init")


def _mutable(tf: Any, lk: Any) -> None:
    table = lk.MutableHashTable(tf.string, tf.int64, -1)
    table.lookup(tf.constant(["a", "c"]))
    table.lookup(tf.constant(["a", "c"]), dynamic_default_values=tf.constant([1, 2], tf.int64))
    table.size()
    table.export()
    table.insert(["a"], [1])
    table.remove(tf.constant(["a"]))


def _dense(tf: Any, lk: Any) -> None:
    table = lk.DenseHashTable(tf.int64, tf.int64, -1, empty_key=0, deleted_key=-5)
    table.lookup(tf.constant([1, 2], tf.int64))
    table.size()
    table.export()
    table.insert(np.array([1]), np.array([1]))
    table.erase(np.array([1]))
    table.remove(np.array([1]))


def _vocabulary(tf: Any, lk: Any, key: Any, lookup_key: Any) -> None:
    made = None
    if key is not None:
        made = lk.KeyValueTensorInitializer(tf.constant(["5", "6"] if key == "string" else [5, 6], key), np.arange(2))
    table = lk.StaticVocabularyTable(made, 3, lookup_key_dtype=lookup_key and getattr(tf, lookup_key))
    table.lookup(tf.constant(["a"] if (lookup_key or "string") == "string" else [1], lookup_key or "string"))
    table.size()


def _fixed(lk: Any, value: Any = 1, default: Any = -1) -> Any:
    return lk.StaticHashTable(lk.KeyValueTensorInitializer(["a"], [value]), default)


BUILDERS: dict[str, Callable[[Any, Any], Any]] = {
    "static": _static,
    "text": _text,
    "mutable": _mutable,
    "dense": _dense,
    "no tables": lambda tf, lk: tf.tables_initializer(),
    "of tensors": lambda tf, lk: lk.MutableHashTable(tf.string, tf.int64, [-1, -1], "m").lookup(tf.constant(["a"])),
    "anonymous": lambda tf, lk: lk.MutableHashTable(tf.string, tf.int64, [0, 1], experimental_is_anonymous=True).size(),
    "not saved": lambda tf, lk: lk.MutableHashTable(tf.string, tf.int64, -1, checkpoint=False).size(),
    "strings": lambda tf, lk: _vocabulary(tf, lk, "string", None),
    "integers": lambda tf, lk: _vocabulary(tf, lk, "int64", "int64"),
    "cast": lambda tf, lk: _vocabulary(tf, lk, "int64", "int32"),
    "only buckets": lambda tf, lk: _vocabulary(tf, lk, None, None),
    "wrong default": lambda tf, lk: _fixed(lk, default="x"),
    "wrong keys": lambda tf, lk: _fixed(lk).lookup(tf.constant([1])),
    "uneven": lambda tf, lk: lk.StaticHashTable(lk.KeyValueTensorInitializer(["a"], [1, 2]), -1),
    "wrong key type": lambda tf, lk: lk.KeyValueTensorInitializer([1.5], ["a"], key_dtype=tf.string),
    "no file": lambda tf, lk: lk.TextFileInitializer("", tf.string, -2, tf.int64, -1),
    "float line": lambda tf, lk: lk.TextFileInitializer("x", tf.float32, -2, tf.int64, -1),
    "string number": lambda tf, lk: lk.TextFileInitializer("x", tf.string, -1, tf.int64, -1),
    "no such index": lambda tf, lk: lk.TextFileInitializer("x", tf.string, -3, tf.int64, -1),
    "empty vocabulary": lambda tf, lk: lk.TextFileInitializer("x", tf.string, -2, tf.int64, -1, vocab_size=0),
    "wrong insert": lambda tf, lk: lk.MutableHashTable(tf.string, tf.int64, -1).insert([1], [2]),
    "wrong find": lambda tf, lk: lk.MutableHashTable(tf.string, tf.int64, -1).lookup(tf.constant([1])),
    "wrong remove": lambda tf, lk: lk.MutableHashTable(tf.string, tf.int64, -1).remove(tf.constant([1])),
    "no buckets": lambda tf, lk: lk.StaticVocabularyTable(lk.KeyValueTensorInitializer(["a"], np.array([0])), 0),
    "int32 ids": lambda tf, lk: lk.StaticVocabularyTable(lk.KeyValueTensorInitializer(["a"], [0]), 1),
}


@pytest.mark.parametrize("name", BUILDERS)
def test_graph_is_tensorflows(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    text = building._text
    unique = re.compile("hash_table_[0-9a-f-]{36}")
    monkeypatch.setattr(building, "_text", lambda value: unique.sub("hash_table", text(value)))
    building.compare_graphs(lambda tf: BUILDERS[name](tf, Lookup(tf)), [lookup])


def test_sparse_keys_give_sparse_values(bench: Bench) -> None:
    table = lookup.StaticHashTable(lookup.KeyValueTensorInitializer(["a", "b"], [1, 2]), -1)
    bench.run(lookup.tables_initializer())
    found = table.lookup(SparseTensor([[0, 1], [2, 0]], ["b", "x"], [3, 3]))
    assert isinstance(found, SparseTensor)
    assert bench.run(found.values).tolist() == [2, -1]
    assert bench.run(table["a"]) == 1


def test_vocabulary_runs(bench: Bench) -> None:
    import tensorflow as tf

    made = lookup.KeyValueTensorInitializer(["a", "b"], np.array([0, 1]))
    table = lookup.StaticVocabularyTable(made, 4)
    bench.run(lookup.tables_initializer())
    words = ["b", "x", "hello", "a"]
    buckets = tf.strings.to_hash_bucket_fast(words, 4).numpy() + 2
    assert bench.run(table.lookup(words)).tolist() == [1, buckets[1], buckets[2], 0]
    assert bench.run(table.size()) == 6


def test_collections(bench: Bench) -> None:
    lookup.StaticHashTable(lookup.TextFileInitializer("v.txt", "string", -2, "int64", -1), -1)
    table = lookup.MutableHashTable("string", "int64", -1, name="mine")
    assert [t.op.get_attr("value") is not None for t in bench.graph.get_collection(GraphKeys.ASSET_FILEPATHS)] == [True]
    (saved,) = bench.graph.get_collection(GraphKeys.SAVEABLE_OBJECTS)
    assert saved.op is table.resource_handle and [spec.name for spec in saved.specs] == ["mine-keys", "mine-values"]
    bench.run(table.insert(["a"], [1]))
    tensors = [spec.tensor for spec in saved.specs]
    assert bench.run(tensors[0]).tolist() == [b"a"]
    bench.run(saved.restore([["x", "y"], np.array([1, 2])]))
    assert bench.run(table.size()) == 2


def test_wrong_handle(bench: Bench) -> None:
    with pytest.raises(errors.InvalidArgumentError, match="as type 'tensorflow::lookup::LookupInterface'"):
        bench.run(apply("LookupTableSizeV2", apply("VarHandleOp", dtype=dtypes.int32, shape=[], shared_name="v")))
