"""Example messages to tensors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from runstep.graph import dtypes
from runstep.graph.dtypes import DType
from runstep.kernels import examples
from runstep.kernels.bytestrings import Array, text_shape
from runstep.kernels.examples import Dense, invalid
from runstep.kernels.registry import Kernel, Node, numpy_kernel

Keyed = Sequence[tuple[str, DType]]


def _keys(value: Any) -> list[str]:
    return [key.decode("utf-8", "replace") for key in np.ravel(value).tolist()]


def _labels(names: Array, serialized: Array) -> tuple[list[bytes], list[str]]:
    """The examples' names as given, and as messages print them."""
    given = np.ravel(names).tolist()
    if given and np.shape(names) != np.shape(serialized):
        raise invalid(
            f"Expected names have the same shape as serialized: name.shape={text_shape(np.shape(names))}, "
            f"serialized.shape={text_shape(np.shape(serialized))}"
        )
    if not given:
        return [], ["<unknown>"] * int(np.size(serialized))
    return given, [name.decode("utf-8", "replace") for name in given]


def dense_features(
    keys: Sequence[str], kinds: Sequence[DType], sizes: Sequence[Any], defaults: Sequence[Any]
) -> list[Dense]:
    """The dense features, their defaults checked against their shapes."""
    found = []
    for index, (key, kind, shape, default) in enumerate(zip(keys, kinds, sizes, defaults, strict=True)):
        feature = Dense(key, kind, shape, default)
        if feature.is_variable:
            if np.size(default) != 1:
                raise invalid(
                    f"dense_shape[{index}] is a variable length shape: {feature._text()}, therefore def_value[{index}] "
                    f"must contain a single element (the padding element).  But its shape is: "
                    f"{text_shape(np.shape(default))}"
                )
        elif np.size(default) and np.shape(default) != tuple(shape):
            raise invalid(
                f"def_value[{index}].shape() == {text_shape(np.shape(default))} is not compatible with "
                f"dense_shapes_[{index}] == {feature._text()}"
            )
        found.append(feature)
    return found


def _columns(maps: Sequence[Any], features: Keyed, labels: Sequence[str]) -> list[list[Any]]:
    return [
        [examples.read(held, key, kind, f"Name: {where}") for held, where in zip(maps, labels, strict=True)]
        for key, kind in features
    ]


def flat_features(
    maps: Sequence[Any], sparse: Keyed, dense: Sequence[Dense], ragged: Keyed, splits: Sequence[DType],
    labels: Sequence[str], is_batch: bool,
) -> list[Array]:  # fmt: skip
    """The outputs for features without time: sparse indices, values, shapes, dense values, ragged values, splits."""
    dense_values = [
        feature.column(column, labels)
        for feature, column in zip(
            dense, _columns(maps, [(feature.key, feature.kind) for feature in dense], labels), strict=True
        )
    ]
    parts = [
        examples.sparse(column, kind) for column, (_, kind) in zip(_columns(maps, sparse, labels), sparse, strict=True)
    ]
    columns = _columns(maps, ragged, labels)
    ragged_values = [
        examples.joined([row or () for row in column], kind) for column, (_, kind) in zip(columns, ragged, strict=True)
    ]
    if is_batch:
        ends = [examples.splits(column, kind) for column, kind in zip(columns, splits, strict=True)]
    else:
        dense_values = [value[0] for value in dense_values]
        parts = [(indices[:, 1:], values, shape[1:]) for indices, values, shape in parts]
        ends = [np.zeros(0, kind.np) for kind in splits]
    found = [part[place] for place in range(3) for part in parts]
    return [*found, *dense_values, *ragged_values, *ends]


@numpy_kernel.make("ParseExampleV2")
def parse_example_v2(node: Node) -> Kernel:
    attrs = node.attrs

    def kernel(
        serialized: Array, names: Array, sparse_keys: Array, dense_keys: Array, ragged_keys: Array, *defaults: Array
    ) -> tuple[Array, ...]:
        if np.ndim(serialized) > 1:
            raise invalid(f"Expected serialized to be a scalar or vector, got shape: {text_shape(serialized.shape)}")
        for name, value, want in (
            ("sparse_keys", sparse_keys, attrs["num_sparse"]),
            ("dense_keys", dense_keys, len(attrs["Tdense"])),
            ("ragged_keys", ragged_keys, len(attrs["ragged_value_types"])),
        ):
            if np.shape(value) != (want,):
                raise invalid(f"Expected len({name}) == {want}, got shape {text_shape(np.shape(value))}")
        given, labels = _labels(names, serialized)
        dense = dense_features(_keys(dense_keys), attrs["Tdense"], attrs["dense_shapes"], defaults)
        parsed = examples.messages(np.ravel(serialized).tolist(), "Example", given)
        return tuple(
            flat_features(
                [message.features.feature for message in parsed],
                list(zip(_keys(sparse_keys), attrs["sparse_types"], strict=True)),
                dense,
                list(zip(_keys(ragged_keys), attrs["ragged_value_types"], strict=True)),
                attrs["ragged_split_types"],
                labels,
                np.ndim(serialized) == 1,
            )
        )

    return kernel


@numpy_kernel.make("ParseExample")
def parse_example(node: Node) -> Kernel:
    attrs = node.attrs
    n_sparse, n_dense = attrs["Nsparse"], attrs["Ndense"]

    def kernel(serialized: Array, names: Array, *rest: Array) -> tuple[Array, ...]:
        if np.ndim(serialized) != 1:
            raise invalid(f"Expected serialized to be a vector, got shape: {text_shape(np.shape(serialized))}")
        given, labels = _labels(names, serialized)
        sparse_keys, dense_keys = rest[:n_sparse], rest[n_sparse : n_sparse + n_dense]
        defaults = rest[n_sparse + n_dense :]
        for key in (*sparse_keys, *dense_keys):
            if np.ndim(key):
                raise invalid(f"Expected key to be a scalar, got shape: {text_shape(np.shape(key))}")
        keys = [key.item().decode("utf-8", "replace") for key in dense_keys]
        dense = dense_features(keys, attrs["Tdense"], attrs["dense_shapes"], defaults)
        parsed = examples.messages(serialized.tolist(), "Example", given)
        names_of_sparse = [key.item().decode("utf-8", "replace") for key in sparse_keys]
        return tuple(
            flat_features(
                [message.features.feature for message in parsed],
                list(zip(names_of_sparse, attrs["sparse_types"], strict=True)),
                dense,
                [],
                [],
                labels,
                True,
            )
        )

    return kernel


@numpy_kernel.make("ParseSingleExample")
def parse_single_example(node: Node) -> Kernel:
    attrs = node.attrs
    sparse = list(zip(_keys(attrs["sparse_keys"]), attrs["sparse_types"], strict=True))

    def kernel(serialized: Array, *defaults: Array) -> tuple[Array, ...]:
        if np.ndim(serialized):
            raise invalid(f"Expected serialized to be a scalar, got shape: {text_shape(np.shape(serialized))}")
        dense = dense_features(_keys(attrs["dense_keys"]), attrs["Tdense"], attrs["dense_shapes"], defaults)
        parsed = examples.messages([serialized.item()], "Example", [])
        maps = [message.features.feature for message in parsed]
        return tuple(flat_features(maps, sparse, dense, [], [], ["<unknown>"], False))

    return kernel


# --- sequences ----------------------------------------------------------------------------------------------------


def list_features(
    maps: Sequence[Any], sparse: Keyed, dense: Sequence[tuple[Dense, bool]], ragged: Keyed, splits: Sequence[DType],
    labels: Sequence[str], is_batch: bool,
) -> tuple[list[Array], list[Array], list[Array], list[Array]]:  # fmt: skip
    """The outputs for features with time: sparse parts, dense values, dense lengths, ragged values and splits.

    `dense` pairs each feature with whether an example may lack it.
    """
    parts = []
    for key, kind in sparse:
        times = [_times(held, key, kind, where) or [] for held, where in zip(maps, labels, strict=True)]
        indices = [
            (example, time, place)
            for example, rows in enumerate(times)
            for time, row in enumerate(rows)
            for place in range(len(row))
        ]
        longest = max((len(row) for rows in times for row in rows), default=0)
        shape = [len(times), max((len(rows) for rows in times), default=0), longest]
        values = examples.joined([row for rows in times for row in rows], kind)
        parts.append((np.array(indices, np.int64).reshape(-1, 3), values, np.array(shape, np.int64)))
    dense_values, lengths = [], []
    for feature, may_miss in dense:
        columns = [_dense_times(held, feature, may_miss, where) for held, where in zip(maps, labels, strict=True)]
        timed = Dense(feature.key, feature.kind, (None, *feature.shape), np.zeros(0))
        dense_values.append(timed.padded([[v for row in rows for v in row] for rows in columns]))
        lengths.append(np.array([len(rows) for rows in columns], np.int64))
    ragged_values, outer, inner = [], [], []
    for (key, kind), split in zip(ragged, splits, strict=True):
        times = [_times(held, key, kind, where) or [] for held, where in zip(maps, labels, strict=True)]
        rows = [row for times_of_one in times for row in times_of_one]
        ragged_values.append(examples.joined(rows, kind))
        outer.append(examples.splits(times, split) if is_batch else np.zeros((), split.np))
        inner.append(examples.splits(rows, split))
    if not is_batch:
        parts = [(indices[:, 1:], values, shape[1:]) for indices, values, shape in parts]
        dense_values = [value[0] for value in dense_values]
        lengths = [value[0] for value in lengths]
    sparse_values = [part[place] for place in range(3) for part in parts]
    return sparse_values, dense_values, lengths, [*ragged_values, *outer, *inner]


def _times(held: Any, key: str, kind: DType, where: str) -> list[Any] | None:
    if key not in held:
        return None
    return [examples.values_of(feature, kind, f"Name: {where}, Key: {key}") or () for feature in held[key].feature]


def _dense_times(held: Any, feature: Dense, may_miss: bool, where: str) -> list[Any]:
    rows = _times(held, feature.key, feature.kind, where)
    if rows is None:
        if not may_miss:
            raise invalid(
                f"Name: {where}, Feature list '{feature.key}' is required but could not be found.  Did you mean to "
                "include it in feature_list_dense_missing_assumed_empty or feature_list_dense_defaults?"
            )
        return []
    for time, row in enumerate(rows):
        if len(row) != feature.stride:
            raise invalid(
                f"Name: {where}, Key: {feature.key}, Index: {time}.  Number of values != expected.  values size: "
                f"{len(row)} but output shape: {feature._text()}"
            )
    return rows


def _sequence(
    node: Node, serialized: Array, names: Array, context: tuple[Keyed, list[Dense], Keyed],
    lists: tuple[Keyed, list[tuple[Dense, bool]], Keyed], has_lengths: bool,
) -> tuple[Array, ...]:  # fmt: skip
    attrs = node.attrs
    is_batch = np.ndim(serialized) == 1
    given, labels = _labels(names, serialized)
    parsed = examples.messages(np.ravel(serialized).tolist(), "SequenceExample", given)
    context_splits = attrs.get("context_ragged_split_types", ())
    list_splits = attrs.get("feature_list_ragged_split_types", ())
    for feature in context[1]:
        if is_batch and not parsed and feature.stride:
            raise invalid(
                f"Inconsistent max number of elements for feature {feature.key}: expected {feature.stride}, but found 0"
            )
    flat = flat_features([message.context.feature for message in parsed], *context, context_splits, labels, is_batch)
    if not is_batch and context_splits:
        flat[-len(context_splits) :] = [np.zeros((), kind.np) for kind in context_splits]
    sparse, dense, lengths, ragged = list_features(
        [message.feature_lists.feature_list for message in parsed], *lists, list_splits, labels, is_batch
    )
    return (*flat, *sparse, *dense, *(lengths if has_lengths else ()), *ragged)


def _pairs(keys: Any, kinds: Sequence[DType]) -> Keyed:
    return list(zip(_keys(keys), kinds, strict=True))


def _list_dense(keys: Sequence[str], attrs: Any, may_miss: Sequence[bool]) -> list[tuple[Dense, bool]]:
    kinds, sizes = attrs["feature_list_dense_types"], attrs["feature_list_dense_shapes"]
    return [
        (Dense(key, kind, shape, np.zeros(0)), missing)
        for key, kind, shape, missing in zip(keys, kinds, sizes, may_miss, strict=True)
    ]


@numpy_kernel.make("ParseSequenceExampleV2")
def parse_sequence_example_v2(node: Node) -> Kernel:
    attrs = node.attrs
    counts = [
        ("context_sparse_keys)", attrs["Ncontext_sparse"], "Ncontext_sparse"),
        ("context_dense_keys)", len(attrs["Tcontext_dense"]), "len(Tcontext_dense)"),
        ("context_ragged_keys)", len(attrs["context_ragged_value_types"]), "len(context_ragged_value_types)"),
        ("feature_list_sparse_keys)", attrs["Nfeature_list_sparse"], "Nfeature_list_sparse"),
        ("feature_list_dense_keys)", attrs["Nfeature_list_dense"], "Nfeature_list_dense"),
        (
            "feature_list_ragged_keys)",
            len(attrs["feature_list_ragged_value_types"]),
            "len(feature_list_ragged_value_types)",
        ),
        ("feature_list_dense_missing_assumed_empty", attrs["Nfeature_list_dense"], "Nfeature_list_dense"),
    ]
    """Of each input of keys: what TensorFlow calls it (one bracket is missing there), how many, in its words."""

    def kernel(serialized: Array, names: Array, *rest: Array) -> tuple[Array, ...]:
        if np.ndim(serialized) > 1:
            raise invalid(f"Expected serialized to be a scalar or vector, got shape: {text_shape(serialized.shape)}")
        for (name, want, written), keys in zip(counts, rest, strict=False):
            if np.size(keys) != want:
                raise invalid(f"Expected len({name} to match {written}")
        c_sparse, c_dense, c_ragged, l_sparse, l_dense, l_ragged, may_miss = rest[:7]
        dense = dense_features(_keys(c_dense), attrs["Tcontext_dense"], attrs["context_dense_shapes"], rest[7:])
        context: Any = (
            _pairs(c_sparse, attrs["context_sparse_types"]),
            dense,
            _pairs(c_ragged, attrs["context_ragged_value_types"]),
        )
        lists: Any = (
            _pairs(l_sparse, attrs["feature_list_sparse_types"]),
            _list_dense(_keys(l_dense), attrs, np.ravel(may_miss).tolist()),
            _pairs(l_ragged, attrs["feature_list_ragged_value_types"]),
        )
        return _sequence(node, serialized, names, context, lists, True)

    return kernel


@numpy_kernel.make("ParseSequenceExample")
def parse_sequence_example(node: Node) -> Kernel:
    attrs = node.attrs
    missing = set(_keys(attrs["feature_list_dense_missing_assumed_empty"]))

    def kernel(serialized: Array, names: Array, *defaults: Array) -> tuple[Array, ...]:
        if np.ndim(serialized) != 1:
            raise invalid(f"Expected serialized to be a vector, got shape: {text_shape(np.shape(serialized))}")
        keys = _keys(attrs["context_dense_keys"])
        dense = dense_features(keys, attrs["Tcontext_dense"], attrs["context_dense_shapes"], defaults)
        timed = _keys(attrs["feature_list_dense_keys"])
        context: Any = (_pairs(attrs["context_sparse_keys"], attrs["context_sparse_types"]), dense, [])
        lists: Any = (
            _pairs(attrs["feature_list_sparse_keys"], attrs["feature_list_sparse_types"]),
            _list_dense(timed, attrs, [key in missing for key in timed]),
            [],
        )
        return _sequence(node, serialized, names, context, lists, True)

    return kernel


@numpy_kernel.make("ParseSingleSequenceExample")
def parse_single_sequence_example(node: Node) -> Kernel:
    attrs = node.attrs
    groups = ("context_sparse", "context_dense", "feature_list_sparse", "feature_list_dense")
    counts = [attrs[f"N{name}"] for name in groups]
    ends = np.cumsum([0, *counts]).tolist()

    def kernel(serialized: Array, missing: Array, *rest: Array) -> tuple[Array, ...]:
        if np.ndim(serialized):
            raise invalid(f"Expected serialized to be a scalar, got shape: {text_shape(np.shape(serialized))}")
        if np.ndim(missing) != 1:
            where = text_shape(np.shape(missing))
            raise invalid(f"Expected feature_list_dense_missing_assumed_empty to be a vector, got shape: {where}")
        keys = []
        for group, start, end in zip(groups, ends, ends[1:], strict=False):
            for place, key in enumerate(rest[start:end]):
                if np.ndim(key):
                    where = text_shape(np.shape(key))
                    raise invalid(f"Expected {group}_keys[{place}] to be a scalar, got shape: {where}")
            keys.append([key.item().decode("utf-8", "replace") for key in rest[start:end]])
        name, defaults = rest[-1], rest[ends[-1] : -1]
        if np.ndim(name):
            raise invalid(f"Expected debug_name to be a scalar, got shape: {text_shape(np.shape(name))}")
        dense = dense_features(keys[1], attrs["Tcontext_dense"], attrs["context_dense_shapes"], defaults)
        may_miss = set(_keys(missing))
        context: Any = (list(zip(keys[0], attrs["context_sparse_types"], strict=True)), dense, [])
        lists: Any = (
            list(zip(keys[2], attrs["feature_list_sparse_types"], strict=True)),
            _list_dense(keys[3], attrs, [key in may_miss for key in keys[3]]),
            [],
        )
        names = name if name.item() else np.zeros(0, dtypes.string.np)
        return _sequence(node, serialized, names, context, lists, False)

    return kernel
