"""Datasets by keys and by choice (source: tf.data.Dataset.group_by_window, sample_from_datasets and their kin)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from runstep.data import structure
from runstep.data.functions import trace, unpacked
from runstep.data.leaves import DatasetSpec
from runstep.graph import dtypes
from runstep.graph.apply import apply
from runstep.graph.constant_value import constant_value
from runstep.graph.convert import constant, convert_to_tensor
from runstep.graph.random_seed import get_seed
from runstep.graph.shapes import TensorShape, as_shape
from runstep.graph.tensor import Tensor
from runstep.graph.type_spec import RaggedTensorSpec, TensorSpec

if TYPE_CHECKING:
    from runstep.data.dataset import Dataset

__all__: list[str] = []

_NUMBER = TensorSpec(TensorShape([]), dtypes.int64)


def _is_number(spec: Any) -> bool:
    return isinstance(spec, TensorSpec) and spec.dtype == dtypes.int64 and spec.shape.is_compatible_with([])


def group_by_window(
    dataset: Dataset,
    key_func: Callable[..., Any],
    reduce_func: Callable[..., Any],
    window_size: Any = None,
    window_size_func: Callable[..., Any] | None = None,
    name: str | None = None,
) -> Dataset:
    if (window_size is None) == (window_size_func is None):
        raise ValueError("Either the `window_size` argument or the `window_size_func` argument must be specified.")
    size_func = window_size_func or (lambda key: convert_to_tensor(window_size, dtypes.int64))
    key = trace(key_func, unpacked(dataset._structure), "group_by_window_key")
    if not _is_number(key.structure):
        raise ValueError(
            "Invalid `key_func`. Expected `key_func` to return a scalar tf.int64 tensor, but its return type is "
            f"{key.structure!r}."
        )
    size = trace(size_func, (_NUMBER,), "group_by_window_size")
    if not _is_number(size.structure):
        raise ValueError(
            "Invalid `window_size_func`. Expected `window_size_func` to return a scalar tf.int64 tensor, but its "
            f"return type is {size.structure!r}."
        )
    reduced = trace(reduce_func, (_NUMBER, DatasetSpec(dataset._structure)), "group_by_window_reduce")
    if not isinstance(reduced.structure, DatasetSpec):
        raise TypeError(f"Invalid `reduce_func`. `reduce_func` must return a `tf.data.Dataset`: {reduced.structure!r}.")
    return dataset._made(
        "GroupByWindowDataset",
        dataset._variant,
        list(key.captured),
        list(reduced.captured),
        list(size.captured),
        key_func=key.name,
        reduce_func=reduced.name,
        window_size_func=size.name,
        elements=reduced.structure.element_spec,
        name=name,
    )


def bucket_by_sequence_length(
    dataset: Dataset,
    element_length_func: Callable[..., Any],
    bucket_boundaries: Sequence[int],
    bucket_batch_sizes: Sequence[int],
    padded_shapes: Any = None,
    padding_values: Any = None,
    pad_to_bucket_boundary: bool = False,
    no_padding: bool = False,
    drop_remainder: bool = False,
    name: str | None = None,
) -> Dataset:
    from runstep.ops.cast import cast
    from runstep.ops.reduction import reduce_min
    from runstep.ops.selecting import where

    if len(bucket_batch_sizes) != len(bucket_boundaries) + 1:
        raise ValueError(
            "`len(bucket_batch_sizes)` must equal `len(bucket_boundaries) + 1` but `len(bucket_batch_sizes)="
            f"{len(bucket_batch_sizes)}` and `len(bucket_boundaries)={len(bucket_boundaries)}`."
        )
    limits = np.iinfo(np.int32)
    lowest = np.array([limits.min, *bucket_boundaries], np.int32)
    highest = np.array([*bucket_boundaries, limits.max], np.int32)
    sizes = np.array(bucket_batch_sizes, np.int64)

    def bucket_of(*element: Any) -> Tensor:
        length = cast(element_length_func(*element), dtypes.int32)
        inside = apply("LogicalAnd", apply("LessEqual", lowest, length), apply("Less", length, highest))
        return reduce_min(where(inside))

    def size_of(bucket: Tensor) -> Tensor:
        found: Tensor = apply("GatherV2", constant(sizes), bucket, 0)
        return found

    def batched(bucket: Tensor, grouped: Dataset) -> Dataset:
        size = size_of(bucket)
        if no_padding:
            return grouped.batch(size, drop_remainder=drop_remainder)
        shapes = padded_shapes
        if shapes is None:
            shapes = grouped.output_shapes
        if pad_to_bucket_boundary:
            check = _boundary(bucket, highest)
            shapes = structure.pack(
                grouped._structure,
                [_bounded(each, check) for each in structure.flatten_up_to(grouped._structure, shapes)],
            )
        return grouped.padded_batch(size, shapes, padding_values, drop_remainder=drop_remainder)

    return group_by_window(dataset, bucket_of, batched, window_size_func=size_of, name=name)


def _boundary(bucket: Tensor, highest: np.ndarray) -> Tensor:
    """One below the end of a bucket. InvalidArgumentError in the run: it is the last bucket, which has no end."""
    from runstep.graph.scopes import control_dependencies
    from runstep.ops.assertions import assert_less

    last = np.int64(len(highest) - 1)
    text = "When pad_to_bucket_boundary=True, elements must have length < max(bucket_boundaries)."
    with control_dependencies([assert_less(bucket, last, message=text)]):
        end: Tensor = apply("GatherV2", constant(highest.astype(np.int64)), bucket, 0)
        return end - 1


def _bounded(shape: Any, end: Tensor) -> Any:
    sizes = as_shape([None if size == -1 else size for size in shape] if isinstance(shape, list | tuple) else shape)
    known = sizes.as_list()
    return apply("Pack", [end if size is None else constant(size, dtypes.int64) for size in known]) if known else sizes


# --- one of several


def random_dataset(make: Any, seed: int | None, name: str | None) -> Dataset:
    first, second = get_seed(seed)
    inputs = [convert_to_tensor(each or 0, dtypes.int64) for each in (first, second)]
    return make("RandomDataset", *inputs, elements=_NUMBER, name=name)


def sample_from_datasets(
    make: Any, datasets: Sequence[Dataset], weights: Any, seed: int | None, stop_on_empty_dataset: bool
) -> Dataset:
    from runstep.ops.random_stateless import stateless_multinomial
    from runstep.ops.shape_ops import squeeze

    if not datasets:
        raise ValueError("Invalid `datasets`. `datasets` should not be empty.")
    datasets = list(datasets)
    if weights is None:
        logits = constant(np.ones((1, len(datasets)), np.float32))
    else:
        given = convert_to_tensor(weights, dtype_hint=dtypes.float32, name="weights")
        if given.dtype not in (dtypes.float32, dtypes.float64):
            raise TypeError(f"Invalid `weights`. `weights` type must be either `tf.float32` or `tf.float64`: {given}")
        if not given.shape.is_compatible_with([len(datasets)]):
            raise ValueError(
                f"Invalid `weights`. The shape of `weights` should be compatible with `[{len(datasets)}]`."
            )
        known = constant_value(given)
        if known is not None and (known == 0).any():
            datasets = [each for each, weight in zip(datasets, known, strict=True) if weight != 0]
            if not datasets:
                raise ValueError("Invalid `weights`. At least one of them must be other than zero.")
            given = constant(known[known != 0])
        logits = apply("ExpandDims", apply("Log", given), 0)
    if len(datasets) == 1:
        return datasets[0]

    def chosen(seeds: Tensor) -> Tensor:
        return squeeze(stateless_multinomial(logits, 1, seed=seeds), [0, 1])

    selector = random_dataset(make, seed, None).batch(2).map(chosen)
    return _directed(make, selector, datasets, stop_on_empty_dataset)


def choose_from_datasets(
    make: Any, datasets: Sequence[Dataset], choice_dataset: Dataset, stop_on_empty_dataset: bool
) -> Dataset:
    if not datasets:
        raise ValueError("Invalid `datasets`. `datasets` should not be empty.")
    if not _is_number(choice_dataset._structure):
        raise TypeError(
            "Invalid `choice_dataset`. Elements of `choice_dataset` must be scalar `tf.int64` tensors but are "
            f"{choice_dataset._structure!r}."
        )
    return _directed(make, choice_dataset, list(datasets), stop_on_empty_dataset)


def _directed(make: Any, selector: Dataset, datasets: Sequence[Dataset], stop: bool) -> Dataset:
    first = datasets[0]._structure
    leaves = structure.flatten(first)
    for each in datasets[1:]:
        structure.assert_same(first, each._structure)
        pairs = zip(leaves, structure.flatten(each._structure), strict=True)
        leaves = [a.most_specific_compatible_type(b) for a, b in pairs]
    return make(
        "DirectedInterleaveDataset",
        selector._variant,
        [each._variant for each in datasets],
        elements=structure.pack(first, leaves),
        stop_on_empty_dataset=stop,
    )


def ragged_batch(dataset: Dataset, batch_size: Any, drop_remainder: Any, row_splits_dtype: Any) -> Dataset:
    """Batches of tensors of different sizes, as ragged tensors."""
    kind = dtypes.as_dtype(row_splits_dtype)

    def ragged(spec: Any) -> Any:
        if not isinstance(spec, TensorSpec) or spec.shape.is_fully_defined():
            return spec
        if spec.shape.rank is None:
            raise ValueError("Dataset elements of unknown rank cannot be batched to ragged tensors.")
        return RaggedTensorSpec(spec.shape, spec.dtype, spec.shape.rank - 1, kind)

    return dataset._as(structure.map_structure(ragged, dataset._structure)).batch(batch_size, drop_remainder)
