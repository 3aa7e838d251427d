"""Datasets of sparse and ragged elements, by keys, by choice: what comes out is what TensorFlow gives.

All rows are built into one graph of each library, and their iterators run one after the other.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import runstep as tf

LENGTHS = [1, 5, 2, 8, 3, 9, 4, 2]


def sequences(lib: Any) -> Any:
    return lib.data.Dataset.from_tensor_slices(LENGTHS).map(lambda n: lib.ones([n], lib.int32))


def parsed(lib: Any) -> Any:
    sparse = lib.SparseTensor([[0, 0], [0, 1], [2, 0]], [1, 2, 3], [3, 2])
    return lib.data.Dataset.from_tensor_slices({"a": sparse, "b": [0.5, 1.5, 2.5]})


def ragged(lib: Any) -> Any:
    return lib.data.Dataset.from_tensor_slices(lib.ragged.constant([[1, 2], [], [3]]))


def by_thirds(lib: Any, **sizes: Any) -> Any:
    return lib.data.Dataset.range(10).apply(
        lib.data.experimental.group_by_window(lambda x: x % 3, lambda key, window: window.batch(10), **sizes)
    )


def buckets(lib: Any, dataset: Any = None, **more: Any) -> Any:
    dataset = sequences(lib) if dataset is None else dataset
    return dataset.apply(
        lib.data.experimental.bucket_by_sequence_length(lambda x: lib.size(x), [3, 6], [2, 2, 2], **more)
    )


def two(lib: Any) -> Any:
    return [lib.data.Dataset.range(0, 4), lib.data.Dataset.range(100, 109)]


ROWS: dict[str, Callable[[Any], Any]] = {
    "sparse": parsed,
    "sparse_batched": lambda lib: parsed(lib).batch(2),
    "sparse_in_functions": lambda lib: parsed(lib).map(lambda x: lib.sparse_tensor_to_dense(x["a"])),
    "sparse_batches_in_functions": lambda lib: parsed(lib).batch(3).map(lambda x: lib.sparse_tensor_to_dense(x["a"])),
    "sparse_unbatched": lambda lib: parsed(lib).batch(2).unbatch(),
    "sparse_shuffled": lambda lib: parsed(lib).filter(lambda x: x["b"] > 1.0).shuffle(3, seed=1).repeat(2),
    "ragged": ragged,
    "ragged_batched": lambda lib: ragged(lib).batch(2).map(lambda x: x * 2),
    "ragged_twice": lambda lib: (
        lib.data.Dataset.from_tensors(lib.ragged.constant([[1, 2], [], [3]])).repeat(3).batch(2)
    ),
    "ragged_batch": lambda lib: sequences(lib).apply(lib.data.experimental.dense_to_ragged_batch(3)),
    "ragged_batch_of_pairs": lambda lib: (
        sequences(lib).map(lambda x: (x, lib.size(x))).ragged_batch(3, drop_remainder=True)
    ),
    "windows": lambda lib: by_thirds(lib, window_size=2),
    "windows_by_key": lambda lib: by_thirds(lib, window_size_func=lambda key: key + 1),
    "windows_of_nothing": lambda lib: by_thirds(lib, window_size=0),
    "buckets": buckets,
    "buckets_without_remainders": lambda lib: buckets(lib, drop_remainder=True),
    "buckets_padded_to_boundaries": lambda lib: buckets(
        lib, sequences(lib).filter(lambda x: lib.size(x) < 6), pad_to_bucket_boundary=True
    ),
    "random": lambda lib: lib.data.Dataset.random(seed=5).take(3),
    "sampled": lambda lib: lib.data.experimental.sample_from_datasets(two(lib), seed=3),
    "sampled_by_weight": lambda lib: lib.data.Dataset.sample_from_datasets(two(lib), [0.2, 0.8], seed=3),
    "sampled_until_one_ends": lambda lib: lib.data.Dataset.sample_from_datasets(
        two(lib), seed=4, stop_on_empty_dataset=True
    ),
    "chosen": lambda lib: lib.data.experimental.choose_from_datasets(two(lib), lib.data.Dataset.range(2).repeat(6)),
    "chosen_until_one_ends": lambda lib: lib.data.Dataset.choose_from_datasets(
        two(lib), lib.data.Dataset.range(2).repeat(6)
    ),
    "chosen_badly": lambda lib: lib.data.Dataset.choose_from_datasets(two(lib), lib.data.Dataset.range(3)),
    "counted": lambda lib: lib.data.experimental.Counter(3, 2).take(3),
    "as_many": lambda lib: lib.data.Dataset.range(3).apply(lib.data.experimental.assert_cardinality(3)),
    "fewer": lambda lib: lib.data.Dataset.range(3).apply(lib.data.experimental.assert_cardinality(4)),
    "more": lambda lib: lib.data.Dataset.range(3).apply(lib.data.experimental.assert_cardinality(2)),
}


def plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if hasattr(value, "to_list"):
        return ["ragged", value.to_list()]
    if isinstance(value, tuple):
        return [plain(item) for item in value]
    return [str(value.dtype), value.tolist()]


def told(lib: Any, dataset: Any) -> list[str]:
    shapes = re.sub(r"Dimension\((\w+)\)", r"\1", repr(lib.data.get_output_shapes(dataset)))
    return [repr(lib.data.get_output_types(dataset)), shapes]


def drained(lib: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    with lib.Graph().as_default(), lib.Session() as sess:
        made = {key: build(lib) for key, build in ROWS.items()}
        elements = {key: lib.data.make_one_shot_iterator(each).get_next() for key, each in made.items()}
        for key, element in elements.items():
            found[key] = told(lib, made[key])
            for _ in range(12):
                try:
                    found[key].append(plain(sess.run(element)))
                except lib.errors.OpError as error:
                    found[key].append(type(error).__name__)
                    break
    return found


@pytest.fixture(scope="module")
def both() -> tuple[dict[str, Any], dict[str, Any]]:
    import tensorflow

    return drained(tf), drained(tensorflow.compat.v1)


@pytest.mark.parametrize("key", ROWS)
def test_elements_are_tensorflows(both: tuple[dict[str, Any], dict[str, Any]], key: str) -> None:
    ours, theirs = both
    assert ours[key] == theirs[key]


def test_files_that_are_read_at_once_give_a_record_in_turn(tmp_path: Path) -> None:
    names = []
    for index in range(3):
        names.append(str(tmp_path / f"{index}.txt"))
        Path(names[-1]).write_text("".join(f"{index}-{line}\n" for line in range(index + 1)))
    element = tf.data.make_one_shot_iterator(tf.data.TextLineDataset(names, num_parallel_reads=2).batch(9)).get_next()
    with tf.Session() as sess:
        assert sess.run(element).tolist() == [b"0-0", b"1-0", b"1-1", b"2-0", b"2-1", b"2-2"]


def test_options_are_kept_and_told() -> None:
    options = tf.data.Options()
    options.experimental_deterministic = False
    options.experimental_optimization.map_fusion = True
    dataset = tf.data.Dataset.range(3).with_options(options).map(lambda x: x)
    assert dataset.options().deterministic is False and dataset.options().experimental_optimization.map_fusion
    with pytest.raises(AttributeError, match="Cannot set the property nope on Options"):
        options.nope = 1
    with pytest.raises(TypeError, match='Property "experimental_slack" must be of type'):
        options.experimental_slack = "yes"


def test_specs_say_what_values_are_like() -> None:
    spec = tf.TensorSpec([None, 2], tf.int32)
    assert spec == tf.TensorSpec([None, 2], tf.int32) and spec != tf.TensorSpec([None, 2], tf.int64)
    assert spec.is_compatible_with(tf.zeros([3, 2], tf.int32)) and not spec.is_compatible_with(tf.zeros([3, 2]))
    assert tf.type_spec_from_value(tf.ragged.constant([[1], [2, 3]])) == tf.RaggedTensorSpec([2, None], tf.int32)
    assert tf.type_spec_from_value(tf.SparseTensor([[0]], [1], [2])) == tf.SparseTensorSpec([2], tf.int32)
    assert parsed(tf).element_spec == {"a": tf.SparseTensorSpec([2], tf.int32), "b": tf.TensorSpec([], tf.float32)}
    with pytest.raises(TypeError, match="dense tensors only"):
        tf.data.Dataset.from_generator(lambda: iter(()), output_signature=tf.SparseTensorSpec([2], tf.int32))
