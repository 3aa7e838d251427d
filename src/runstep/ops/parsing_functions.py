"""`tf.parse_example` and its kin: what features to read, and the ops that read them."""

from __future__ import annotations

import collections
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from runstep.graph import dtypes, shapes
from runstep.graph.apply import apply
from runstep.graph.composite import SparseTensor
from runstep.graph.convert import convert_to_tensor
from runstep.graph.graph import name_scope
from runstep.graph.tensor import Tensor, TensorLike
from runstep.ops.sparse_functions import sparse_merge

__all__ = [
    "FixedLenFeature",
    "FixedLenSequenceFeature",
    "SparseFeature",
    "VarLenFeature",
    "parse_example",
    "parse_sequence_example",
    "parse_single_example",
    "parse_single_sequence_example",
]

VarLenFeature = collections.namedtuple("VarLenFeature", ["dtype"])
VarLenFeature.__doc__ = """A feature of any length, read as a SparseTensor. Mirrors `tf.io.VarLenFeature`."""

FixedLenFeature = collections.namedtuple("FixedLenFeature", ["shape", "dtype", "default_value"], defaults=[None])
FixedLenFeature.__doc__ = """A feature of one shape, read as a Tensor. Mirrors `tf.io.FixedLenFeature`.

Without a default value every example must have it.
"""

FixedLenSequenceFeature = collections.namedtuple(
    "FixedLenSequenceFeature", ["shape", "dtype", "allow_missing", "default_value"], defaults=[False, None]
)
FixedLenSequenceFeature.__doc__ = """Any number of entries of one shape, read as a Tensor filled up to the longest.

Mirrors `tf.io.FixedLenSequenceFeature`.
"""

SparseFeature = collections.namedtuple(
    "SparseFeature", ["index_key", "value_key", "dtype", "size", "already_sorted"], defaults=[False]
)
SparseFeature.__doc__ = """A SparseTensor kept as one feature of values and one, or several, of indices.

Mirrors `tf.io.SparseFeature`.
"""


class _Wanted:
    """Features by key, sorted by how the op reads them."""

    def __init__(self, features: Mapping[str, Any] | None, allowed: Sequence[type]) -> None:
        self.sparse: dict[str, Any] = {}
        self.dense: dict[str, tuple[Any, Any, Any]] = {}  # dtype, raw shape, default value
        self.may_miss: list[bool] = []
        for key in sorted(features or {}):
            feature = (features or {})[key]
            if type(feature) not in allowed:
                if isinstance(feature, _FLAT):
                    raise ValueError(f"Unsupported {type(feature).__name__} {feature}.")
                raise ValueError(f"Unsupported {type(feature).__name__} {feature} for key '{key}'")
            if not feature.dtype:
                raise ValueError(f"Missing type for feature {key}. Received feature={feature}")
            self._add(key, feature)

    def _add(self, key: str, feature: Any) -> None:
        dtype = dtypes.as_dtype(feature.dtype)
        if isinstance(feature, VarLenFeature):
            self._add_sparse(key, dtype)
        elif isinstance(feature, SparseFeature):
            if not feature.index_key or not feature.value_key:
                raise ValueError(f"Missing index_key or value_key for SparseFeature {key}. Received feature={feature}")
            keys = feature.index_key
            for index_key in sorted(keys) if isinstance(keys, list | tuple) else [keys]:
                self._add_sparse(index_key, dtypes.int64)
            self._add_sparse(feature.value_key, dtype)
        else:
            if feature.shape is None:
                raise ValueError(f"Missing shape for feature {key}. Received feature={feature}")
            raw = shapes.as_raw(feature.shape)
            if isinstance(feature, FixedLenFeature) and raw and raw[0] is None:
                raise ValueError(
                    f"First dimension of shape for feature {key} unknown. Consider using FixedLenSequenceFeature. "
                    f"Received feature={feature}."
                )
            if raw is None or None in (raw[1:] if isinstance(feature, FixedLenFeature) else raw):
                raise ValueError(f"All dimensions of shape for feature {key} need to be known but received {raw}.")
            self.dense[key] = (dtype, raw, feature.default_value)
            self.may_miss.append(getattr(feature, "allow_missing", False))

    def _add_sparse(self, key: str, dtype: Any) -> None:
        if self.sparse.setdefault(key, dtype) is not dtype:
            raise ValueError(f"Conflicting type {self.sparse[key]} vs {dtype} for feature {key}.")

    def defaults(self, variable: Collection[str] = ()) -> list[Tensor]:
        """The default of each dense feature as a tensor: none is an empty one; padding is a scalar."""
        found = []
        for key, (dtype, raw, value) in self.dense.items():
            empty = b"" if dtype is dtypes.string else 0
            if key in variable:
                if value is None:
                    found.append(convert_to_tensor(empty, dtype))
                else:
                    found.append(apply("Reshape", _named_default(key, value, dtype), []))
            elif value is None:
                found.append(convert_to_tensor(np.zeros(0, dtype.np), dtype))
            else:
                found.append(apply("Reshape", _named_default(key, value, dtype), np.array(raw, np.int32)))
        return found


def _named_default(key: str, value: Any, dtype: Any) -> Tensor:
    if isinstance(value, Tensor):
        return value
    return convert_to_tensor(value, dtype, name="key_" + re.sub("[^A-Za-z0-9_.\\-/]", "_", key))


_FLAT = (VarLenFeature, SparseFeature, FixedLenFeature, FixedLenSequenceFeature)


def _keys(names: Any) -> Any:
    found = np.empty(len(names), object)
    found[:] = [name.encode() if isinstance(name, str) else name for name in names]
    return found


def parse_example(
    serialized: TensorLike, features: Mapping[str, Any], name: str | None = None, example_names: Any = None
) -> dict[str, Any]:
    """Serialized Example messages as tensors. Source: `tf.compat.v1.parse_example`.

    Args:
      serialized: a vector of serialized messages (or a scalar: one message, without a batch dimension).
      features: by key, a FixedLenFeature, FixedLenSequenceFeature, VarLenFeature or SparseFeature.
      example_names: strings of the same shape that error messages shall name the examples by.

    Returns:
      By key, a Tensor [batch, *shape] or a SparseTensor [batch, longest].

    Raises:
      ValueError: a feature lacks what reading it needs.
    """
    if not features:
        raise ValueError(f"Argument `features` cannot be None or falsy. Got {features}")
    for feature in features.values():
        if isinstance(feature, FixedLenSequenceFeature) and not feature.allow_missing:
            raise ValueError("Unsupported: FixedLenSequenceFeature requires allow_missing to be True.")
    wanted = _Wanted(features, _FLAT)
    timed = {key for key, feature in features.items() if isinstance(feature, FixedLenSequenceFeature)}
    with name_scope(name, "ParseExample", [serialized, example_names]):
        defaults = wanted.defaults(timed)
        found = apply(
            "ParseExampleV2",
            serialized,
            _keys([]) if example_names is None else example_names,
            _keys(wanted.sparse),
            _keys(wanted.dense),
            _keys([]),
            defaults,
            num_sparse=len(wanted.sparse),
            sparse_types=list(wanted.sparse.values()),
            ragged_value_types=[],
            ragged_split_types=[],
            dense_shapes=[
                shapes.TensorShape.from_raw((None, *raw) if key in timed else raw)
                for key, (_, raw, _) in wanted.dense.items()
            ],
            name=name,
        )
    indices, values, sizes, dense = found[:4]
    outputs: dict[str, Any] = {
        key: SparseTensor(*parts) for key, *parts in zip(wanted.sparse, indices, values, sizes, strict=True)
    }
    outputs.update(zip(wanted.dense, dense, strict=True))
    return _assembled(features, outputs)


def _assembled(features: Mapping[str, Any], outputs: dict[str, Any]) -> dict[str, Any]:
    """The outputs with the parts of each SparseFeature put together."""
    found = {key: value for key, value in outputs.items() if key in features}
    for key in sorted(features):
        feature = features[key]
        if isinstance(feature, SparseFeature):
            keys = feature.index_key
            ids = outputs[keys] if isinstance(keys, str) else [outputs[index_key] for index_key in keys]
            found[key] = sparse_merge(
                ids, outputs[feature.value_key], feature.size, already_sorted=feature.already_sorted
            )
    return found


def parse_single_example(
    serialized: TensorLike, features: Mapping[str, Any], name: str | None = None, example_names: Any = None
) -> dict[str, Any]:
    """One serialized Example message as tensors without a batch dimension.

    Source: `tf.compat.v1.parse_single_example`.
    """
    if not features:
        raise ValueError("Invalid argument: features cannot be None.")
    with name_scope(name, "ParseSingleExample", [serialized, example_names]):
        scalar = convert_to_tensor(serialized, name="serialized")
        _check_scalar(scalar)
        return parse_example(scalar, features, name, example_names)


def _check_scalar(serialized: Tensor) -> None:
    if serialized.raw_shape:
        raise ValueError(f"Input serialized must be a scalar, got rank {len(serialized.raw_shape)}")


def parse_sequence_example(
    serialized: TensorLike,
    context_features: Mapping[str, Any] | None = None,
    sequence_features: Mapping[str, Any] | None = None,
    example_names: Any = None,
    name: str | None = None,
) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """Serialized SequenceExample messages as tensors. Source: `tf.io.parse_sequence_example`.

    Args:
      context_features: by key, a FixedLenFeature or VarLenFeature of the context.
      sequence_features: by key, a FixedLenSequenceFeature or VarLenFeature of the feature lists.

    Returns:
      The context by key; the sequences by key, [batch, longest, ...]; the lengths of the dense sequences by key.
    """
    if not (context_features or sequence_features):
        raise ValueError(
            "Both `context_features` and `sequence_features` argument are None, but at least one should have values."
        )
    with name_scope(name, "ParseSequenceExample", [serialized, example_names]):
        return _sequences(serialized, context_features, sequence_features, example_names, name)


def _sequences(
    serialized: TensorLike,
    context_features: Mapping[str, Any] | None,
    sequence_features: Mapping[str, Any] | None,
    example_names: Any,
    name: str | None,
) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    context = _Wanted(context_features, (VarLenFeature, FixedLenFeature))
    sequences = _Wanted(sequence_features, (VarLenFeature, FixedLenSequenceFeature))
    for key, (_, _, default) in sequences.dense.items():
        if default is not None:
            raise ValueError(
                f"Cannot provide any defaults for the feature list {key!r}: missing entries are only allowed as empty."
            )
    with name_scope(name, "ParseSequenceExample", [serialized, example_names]):
        defaults = context.defaults()
        found = apply(
            "ParseSequenceExampleV2",
            serialized,
            _keys([]) if example_names is None else example_names,
            _keys(context.sparse),
            _keys(context.dense),
            _keys([]),
            _keys(sequences.sparse),
            _keys(sequences.dense),
            _keys([]),
            np.array(sequences.may_miss, bool),
            defaults,
            Ncontext_sparse=len(context.sparse),
            context_sparse_types=list(context.sparse.values()),
            context_dense_shapes=[shapes.TensorShape.from_raw(raw) for _, raw, _ in context.dense.values()],
            Nfeature_list_sparse=len(sequences.sparse),
            Nfeature_list_dense=len(sequences.dense),
            feature_list_sparse_types=list(sequences.sparse.values()),
            feature_list_dense_types=[dtype for dtype, _, _ in sequences.dense.values()],
            feature_list_dense_shapes=[shapes.TensorShape.from_raw(raw) for _, raw, _ in sequences.dense.values()],
            name=name,
        )
    outputs = _gathered(context, found[0], found[1], found[2], found[3])
    timed = _gathered(sequences, found[6], found[7], found[8], found[9])
    return outputs, timed, dict(zip(sequences.dense, found[10], strict=True))


def _gathered(wanted: _Wanted, indices: Any, values: Any, sizes: Any, dense: Any) -> dict[str, Any]:
    found: dict[str, Any] = {
        key: SparseTensor(*parts) for key, *parts in zip(wanted.sparse, indices, values, sizes, strict=True)
    }
    found.update(zip(wanted.dense, dense, strict=True))
    return found


def parse_single_sequence_example(
    serialized: TensorLike,
    context_features: Mapping[str, Any] | None = None,
    sequence_features: Mapping[str, Any] | None = None,
    example_name: Any = None,
    name: str | None = None,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """One serialized SequenceExample message as tensors: the context by key, and the sequences by key.

    Source: `tf.io.parse_single_sequence_example`.
    """
    if not (context_features or sequence_features):
        raise ValueError("Both context_features and sequence_features are None, but at least one should have values.")
    with name_scope(name, "ParseSingleSequenceExample", [serialized, example_name]):
        scalar = convert_to_tensor(serialized, name="serialized")
        _check_scalar(scalar)
        context, sequences, _ = _sequences(scalar, context_features, sequence_features, example_name, name)
        return context, sequences
