"""Datasets of a graph (source: tf.data.Dataset). Each method adds one node, of which iterators are made."""

from __future__ import annotations

import builtins
from collections.abc import Callable, Iterator as PythonIterator
from typing import Any

from runstep.data import choosing, iterators, structure
from runstep.data.functions import Traced, trace, unpacked
from runstep.data.generator import generator_dataset
from runstep.data.leaves import DatasetSpec
from runstep.data.options import Options, options_of, remember
from runstep.graph import dtypes
from runstep.graph.apply import apply
from runstep.graph.convert import constant, convert_to_tensor
from runstep.graph.graph import name_scope
from runstep.graph.random_seed import get_seed
from runstep.graph.shapes import TensorShape, as_shape
from runstep.graph.tensor import Tensor
from runstep.graph.type_spec import SparseTensorSpec, TensorSpec, TypeSpec

AUTOTUNE = -1
"""Where TensorFlow chooses a number by itself; here it changes nothing."""

INFINITE_CARDINALITY = -1
UNKNOWN_CARDINALITY = -2


def _int64(value: Any, name: str) -> Tensor:
    return convert_to_tensor(value, dtypes.int64, name=name)


class Dataset:
    """A sequence of elements, each a structure (tuples, dicts) of tensors (source: tf.data.Dataset).

    It is a description: `make_one_shot_iterator` or `make_initializable_iterator` make what goes through it.

    Attributes:
      output_types, output_shapes, output_classes: of elements, in their structure.
    """

    def __init__(self, variant_tensor: Tensor, elements: Any) -> None:
        self._variant = variant_tensor
        self._structure = elements

    @staticmethod
    def _made(op_type: str, *inputs: Any, elements: Any, name: str | None = None, **more: Any) -> Dataset:
        given = "Toutput_types" if op_type in _GIVEN else "output_types"
        described = {} if op_type in _UNTYPED else structure.element_attrs(elements, given)
        return Dataset(apply(op_type, *inputs, name=name, **described, **more), elements)

    def _as(self, elements: Any) -> Dataset:
        """The same elements, of another structure that their tensors fit: dense ones to ragged ones of rank 0."""

        def packed(*values: Any) -> Any:
            given = values[0] if len(values) == 1 and type(self._structure) is not tuple else values
            parts = structure.flatten(given)
            kinds = structure.flatten(elements)
            return structure.pack(
                elements, [structure.stored_as(*each) for each in builtins.zip(kinds, parts, strict=True)]
            )

        found = self.map(packed)
        return Dataset(found._variant, elements)

    def _like(self, op_type: str, *inputs: Any, name: str | None = None, **more: Any) -> Dataset:
        """A dataset made of this one with elements of the same structure."""
        return self._made(op_type, self._variant, *inputs, elements=self._structure, name=name, **more)

    def _traced(self, function: Callable[..., Any], transformation: str) -> Traced:
        return trace(function, unpacked(self._structure), transformation)

    # --- sources

    @staticmethod
    def from_tensors(tensors: Any, name: str | None = None) -> Dataset:
        """The one element `tensors`."""
        with name_scope("normalize_element"):
            elements, components = structure.normalized(tensors)
        return Dataset._made("TensorDataset", components, elements=elements, name=name)

    @staticmethod
    def from_tensor_slices(tensors: Any, name: str | None = None) -> Dataset:
        """The slices of `tensors` along their first dimension, which must be the same for all.

        Raises:
          ValueError: a component is a scalar, or the sizes differ.
        """
        with name_scope("normalize_element"):
            batched, components = structure.normalized(tensors, as_rows=True)
        size = None
        for leaf in structure.flatten(batched):
            if leaf.shape.ndims == 0:
                raise ValueError("Unbatching a tensor is only supported for rank >= 1")
            if leaf.shape.ndims is not None:
                first = leaf.shape[0]
                if size is None:
                    size = first
                size.assert_is_compatible_with(first)
        elements = structure.unbatched(batched)
        return Dataset._made("TensorSliceDataset", components, elements=elements, name=name)

    @staticmethod
    def range(*args: Any, **kwargs: Any) -> Dataset:
        """The numbers from `start` (0) to `stop` by `step` (1), as Python's range; int64 or `output_type`."""
        output_type = dtypes.as_dtype(kwargs.pop("output_type", dtypes.int64))
        name = kwargs.pop("name", None)
        if kwargs or not 1 <= len(args) <= 3:
            raise ValueError(f"Invalid `args`. The length of `args` should be between 1 and 3 but was {len(args)}.")
        start, stop, step = (0, args[0], 1) if len(args) == 1 else (*args, 1)[:3]
        inputs = _int64(start, "start"), _int64(stop, "stop"), _int64(step, "step")
        elements = TensorSpec(TensorShape([]), output_type)
        return Dataset._made("RangeDataset", *inputs, elements=elements, name=name)

    @staticmethod
    def from_generator(
        generator: Callable[..., Any],
        output_types: Any = None,
        output_shapes: Any = None,
        args: Any = None,
        output_signature: Any = None,
        name: str | None = None,
    ) -> Dataset:
        """What Python generators yield: each iterator calls `generator(*args)`.

        Args:
          output_types, output_shapes: of what it yields, in its structure; shapes are unknown by default.
          output_signature: both at once: anything with `dtype` and `shape` at the leaves.
          args: tensors; the generator gets their values.

        Raises:
          TypeError: `generator` is not callable, or nothing says what it yields.
          InvalidArgumentError (in the run): it yields something else.
        """
        if not callable(generator):
            raise TypeError("`generator` must be a Python callable.")
        if output_signature is not None:
            elements = structure.map_structure(
                lambda leaf: leaf if isinstance(leaf, TypeSpec) else TensorSpec(as_shape(leaf.shape), leaf.dtype),
                output_signature,
            )
        elif output_types is None:
            raise TypeError(
                "To specify the output signature you need to provide either `output_signature` or `output_types`."
            )
        else:
            elements = structure.structure_of(output_types, output_shapes)
        for leaf in structure.flatten(elements):
            if not isinstance(leaf, TensorSpec):
                raise TypeError(f"A generator can yield dense tensors only, not {leaf!r}. Yield the parts of one.")
        given = tuple(convert_to_tensor(value) for value in args or ())
        one = Dataset.from_tensors(constant(0))
        return one.flat_map(lambda _: generator_dataset(generator, given, elements), name=name)

    @staticmethod
    def list_files(
        file_pattern: Any, shuffle: bool | None = None, seed: int | None = None, name: str | None = None
    ) -> Dataset:
        """The names of the files that match a pattern, in random order unless `shuffle` is False.

        Raises (in the run):
          InvalidArgumentError: there are none.
        """
        from runstep.graph.scopes import control_dependencies
        from runstep.ops.io import matching_files
        from runstep.ops.logging import Assert
        from runstep.ops.shape_ops import size

        with name_scope("list_files"):
            pattern = convert_to_tensor(file_pattern, dtypes.string, name="file_pattern")
            files = matching_files(pattern)
            check = Assert(size(files) > 0, ["No files matched pattern: ", pattern], name="assert_not_empty")
            with control_dependencies([check]):
                files = apply("Identity", files)
            dataset = Dataset._made(
                "TensorSliceDataset", [files], elements=TensorSpec(TensorShape([]), dtypes.string), is_files=True
            )
            if shuffle is None or shuffle:
                dataset = dataset.shuffle(UNKNOWN_CARDINALITY, seed=seed)
            return dataset

    @staticmethod
    def zip(*args: Any, datasets: Any = None, name: str | None = None) -> Dataset:
        """Elements of several datasets (a structure of them) side by side, until the first ends."""
        if not args and datasets is None:
            raise TypeError("Must pass at least one dataset to `zip`.")
        given = (args[0] if len(args) == 1 else args) if args else datasets
        inner = structure.flatten(given)
        for each in inner:
            if not isinstance(each, Dataset):
                raise TypeError(f"The argument to `zip` must be a (nested) structure of `Dataset` objects, not {each}.")
        elements = structure.pack(given, [each._structure for each in inner])
        return Dataset._made("ZipDataset", [each._variant for each in inner], elements=elements, name=name)

    @staticmethod
    def random(
        seed: int | None = None, rerandomize_each_iteration: bool | None = None, name: str | None = None
    ) -> Dataset:
        """Random int64 numbers of 32 bits, without end; the same in each iteration."""
        return choosing.random_dataset(Dataset._made, seed, name)

    @staticmethod
    def counter(start: Any = 0, step: Any = 1, dtype: Any = dtypes.int64, name: str | None = None) -> Dataset:
        """`start`, `start + step`, and so on without end."""
        kind = dtypes.as_dtype(dtype)
        first, by = convert_to_tensor(start, kind, name="start"), convert_to_tensor(step, kind, name="step")
        return Dataset.from_tensors(0).repeat().scan(first, lambda state, _: (state + by, state))

    @staticmethod
    def sample_from_datasets(
        datasets: Any,
        weights: Any = None,
        seed: int | None = None,
        stop_on_empty_dataset: bool = False,
        rerandomize_each_iteration: bool | None = None,
    ) -> Dataset:
        """Each element the next one of a dataset drawn at random.

        Args:
          weights: of each dataset; equal ones by default. stop_on_empty_dataset: end with the first that ends.
        """
        return choosing.sample_from_datasets(Dataset._made, datasets, weights, seed, stop_on_empty_dataset)

    @staticmethod
    def choose_from_datasets(datasets: Any, choice_dataset: Any, stop_on_empty_dataset: bool = True) -> Dataset:
        """Each element the next one of the dataset whose number `choice_dataset` gives."""
        return choosing.choose_from_datasets(Dataset._made, datasets, choice_dataset, stop_on_empty_dataset)

    # --- by functions

    def map(
        self,
        map_func: Callable[..., Any],
        num_parallel_calls: Any = None,
        deterministic: bool | None = None,
        synchronous: bool | None = None,
        use_unbounded_threadpool: bool = False,
        name: str | None = None,
    ) -> Dataset:
        """`map_func` of each element. It gets the items of a tuple one by one."""
        traced = self._traced(map_func, "map")
        inputs = (self._variant, list(traced.captured))
        if num_parallel_calls is None:
            return self._made("MapDataset", *inputs, f=traced.name, elements=traced.structure, name=name)
        return self._made(
            "ParallelMapDatasetV2",
            *inputs,
            _int64(num_parallel_calls, "num_parallel_calls"),
            f=traced.name,
            elements=traced.structure,
            name=name,
            deterministic=_deterministic(deterministic),
        )

    def filter(self, predicate: Callable[..., Any], name: str | None = None) -> Dataset:
        """The elements for which `predicate` is true. ValueError: it doesn't return a bool scalar."""
        return self._by_predicate("FilterDataset", predicate, "filter", name)

    def take_while(self, predicate: Callable[..., Any], name: str | None = None) -> Dataset:
        """The elements before the first for which `predicate` is false."""
        return self._by_predicate("TakeWhileDataset", predicate, "take_while", name)

    def _by_predicate(self, op_type: str, predicate: Any, transformation: str, name: str | None) -> Dataset:
        traced = self._traced(predicate, transformation)
        leaf = traced.structure
        if not isinstance(leaf, TensorSpec) or leaf.dtype != dtypes.bool or not leaf.shape.is_compatible_with([]):
            raise ValueError(
                "Invalid `predicate`. `predicate` must return a `tf.bool` scalar tensor, but its return type is "
                f"{leaf!r}."
            )
        return self._like(op_type, list(traced.captured), predicate=traced.name, name=name)

    def _datasets(self, map_func: Callable[..., Any], transformation: str) -> Traced:
        traced = self._traced(map_func, transformation)
        if not isinstance(traced.structure, DatasetSpec):
            raise TypeError(f"The `map_func` argument must return a `Dataset` object. Got {traced.structure!r}.")
        return traced

    def flat_map(self, map_func: Callable[..., Any], name: str | None = None) -> Dataset:
        """The elements of the datasets that `map_func` makes of each element, one dataset after the other."""
        traced = self._datasets(map_func, "flat_map")
        inputs = (self._variant, list(traced.captured))
        return self._made("FlatMapDataset", *inputs, f=traced.name, elements=traced.structure.element_spec, name=name)

    def interleave(
        self,
        map_func: Callable[..., Any],
        cycle_length: Any = None,
        block_length: Any = None,
        num_parallel_calls: Any = None,
        deterministic: bool | None = None,
        name: str | None = None,
    ) -> Dataset:
        """As `flat_map`, of `cycle_length` datasets at a time, `block_length` elements of each in turn."""
        traced = self._datasets(map_func, "interleave")
        inputs = [
            self._variant,
            list(traced.captured),
            _int64(AUTOTUNE if cycle_length is None else cycle_length, "cycle_length"),
            _int64(1 if block_length is None else block_length, "block_length"),
        ]
        more = {"f": traced.name, "elements": traced.structure.element_spec, "name": name}
        if num_parallel_calls is None:
            return self._made("InterleaveDataset", *inputs, **more)
        return self._made(
            "ParallelInterleaveDatasetV4",
            *inputs,
            _int64(AUTOTUNE, "buffer_output_elements"),
            _int64(AUTOTUNE, "prefetch_input_elements"),
            _int64(num_parallel_calls, "num_parallel_calls"),
            deterministic=_deterministic(deterministic),
            **more,
        )

    def scan(self, initial_state: Any, scan_func: Callable[..., Any], name: str | None = None) -> Dataset:
        """`scan_func(state, element)` gives the next state, and what comes out.

        Raises:
          TypeError: it returns something else, or a state of another structure.
        """
        state, components = structure.normalized(initial_state)
        traced = trace(scan_func, (state, self._structure), "scan")
        if not isinstance(traced.structure, tuple) or len(traced.structure) != 2:
            raise TypeError("`scan_func` must return a pair: the new state and an output.")
        after, elements = traced.structure
        _same_state(state, after, "scan_func")
        return self._made(
            "ScanDataset",
            self._variant,
            components,
            list(traced.captured),
            f=traced.name,
            elements=elements,
            name=name,
            preserve_cardinality=True,
        )

    def reduce(self, initial_state: Any, reduce_func: Callable[..., Any], name: str | None = None) -> Any:
        """What `reduce_func(state, element)` makes of `initial_state` and all elements, as tensors."""
        state, components = structure.normalized(initial_state)
        traced = trace(reduce_func, (state, self._structure), "reduce")
        _same_state(state, traced.structure, "reduce_func")
        node = apply(
            "ReduceDataset",
            self._variant,
            components,
            list(traced.captured),
            f=traced.name,
            name=name,
            **structure.element_attrs(traced.structure),
        )
        return structure.denormalized(traced.structure, node if isinstance(node, list) else [node])

    def apply(self, transformation_func: Callable[[Any], Any]) -> Any:
        """`transformation_func(self)`. TypeError: that is no dataset."""
        found = transformation_func(self)
        if not isinstance(found, Dataset):
            raise TypeError(f"`transformation_func` must return a `tf.data.Dataset` object. Got {type(found)}.")
        return found

    def group_by_window(
        self,
        key_func: Callable[..., Any],
        reduce_func: Callable[..., Any],
        window_size: Any = None,
        window_size_func: Callable[..., Any] | None = None,
        name: str | None = None,
    ) -> Dataset:
        """The elements of the datasets that `reduce_func(key, window)` makes of elements of one key in a row.

        Args:
          key_func: gives an element's key, an int64 scalar.
          window_size: how many elements are a window; or `window_size_func`, which gives the number for a key.
        """
        return choosing.group_by_window(self, key_func, reduce_func, window_size, window_size_func, name)

    def bucket_by_sequence_length(
        self,
        element_length_func: Callable[..., Any],
        bucket_boundaries: Any,
        bucket_batch_sizes: Any,
        padded_shapes: Any = None,
        padding_values: Any = None,
        pad_to_bucket_boundary: bool = False,
        no_padding: bool = False,
        drop_remainder: bool = False,
        name: str | None = None,
    ) -> Dataset:
        """Padded batches of elements whose lengths are between the same two boundaries.

        Args:
          bucket_batch_sizes: one for each bucket, which is one more than there are boundaries.
        """
        return choosing.bucket_by_sequence_length(
            self,
            element_length_func,
            bucket_boundaries,
            bucket_batch_sizes,
            padded_shapes,
            padding_values,
            pad_to_bucket_boundary,
            no_padding,
            drop_remainder,
            name,
        )

    # --- batches

    def ragged_batch(
        self,
        batch_size: Any,
        drop_remainder: Any = False,
        row_splits_dtype: Any = dtypes.int64,
        name: str | None = None,
    ) -> Dataset:
        """As `batch`, of tensors whose sizes differ: ragged tensors where sizes are unknown."""
        return choosing.ragged_batch(self, batch_size, drop_remainder, row_splits_dtype)

    def batch(
        self,
        batch_size: Any,
        drop_remainder: Any = False,
        num_parallel_calls: Any = None,
        deterministic: bool | None = None,
        name: str | None = None,
    ) -> Dataset:
        """`batch_size` elements in a row, stacked; the last may be smaller unless `drop_remainder`."""
        static = _size(batch_size, drop_remainder)
        elements = structure.batched(self._structure, static)
        size = _int64(batch_size, "batch_size")
        drop = convert_to_tensor(drop_remainder, dtypes.bool, name="drop_remainder")
        if num_parallel_calls is None:
            return self._made("BatchDatasetV2", self._variant, size, drop, elements=elements, name=name)
        return self._made(
            "ParallelBatchDataset",
            self._variant,
            size,
            _int64(num_parallel_calls, "num_parallel_calls"),
            drop,
            elements=elements,
            name=name,
            deterministic=_deterministic(deterministic),
        )

    def padded_batch(
        self,
        batch_size: Any,
        padded_shapes: Any = None,
        padding_values: Any = None,
        drop_remainder: Any = False,
        name: str | None = None,
    ) -> Dataset:
        """As `batch`, each element filled up at its ends to `padded_shapes`.

        Args:
          padded_shapes: in the structure of elements; a size of None or -1 is the largest in the batch (default: all).
          padding_values: scalars in the structure of elements; 0 or "" by default.

        Raises (in the run):
          DataLossError: an element is larger than its padded shape.
        """
        leaves = structure.flatten(self._structure)
        if any(isinstance(leaf, SparseTensorSpec) for leaf in leaves):
            raise TypeError("Batching of padded sparse tensors is not currently supported")
        if padded_shapes is None:
            for leaf in leaves:
                if leaf.shape.ndims is None:
                    raise ValueError("You must provide `padded_shapes` argument because component has an unknown rank.")
            wanted = [leaf.shape for leaf in leaves]
        else:
            wanted = structure.flatten_up_to(self._structure, padded_shapes)
        limits = [_padded_shape(shape) for shape in wanted]
        if padding_values is None:
            fillers: list[Any] = [b"" if leaf.dtype is dtypes.string else 0 for leaf in leaves]
        elif not isinstance(self._structure, tuple | dict) or isinstance(padding_values, tuple | dict):
            fillers = structure.flatten_up_to(self._structure, padding_values)
        else:
            fillers = [padding_values] * len(leaves)
        fillers = [
            convert_to_tensor((b"" if leaf.dtype is dtypes.string else 0) if value is None else value, leaf.dtype)
            for leaf, value in builtins.zip(leaves, fillers, strict=True)
        ]
        size = _size(batch_size, drop_remainder)
        elements = structure.pack(
            self._structure,
            [
                TensorSpec(TensorShape([size]).concatenate(static), leaf.dtype)
                for leaf, (_, static) in builtins.zip(leaves, limits, strict=True)
            ],
        )
        return self._made(
            "PaddedBatchDatasetV2",
            self._variant,
            _int64(batch_size, "batch_size"),
            [limit for limit, _ in limits],
            fillers,
            convert_to_tensor(drop_remainder, dtypes.bool, name="drop_remainder"),
            elements=elements,
            name=name,
        )

    def unbatch(self, name: str | None = None) -> Dataset:
        """The slices of each element along its first dimension."""
        elements = structure.unbatched(self._structure)
        return self._made("UnbatchDataset", self._variant, elements=elements, name=name)

    def window(
        self, size: Any, shift: Any = None, stride: Any = 1, drop_remainder: bool = False, name: str | None = None
    ) -> Dataset:
        """Datasets of `size` elements each, beginning `shift` (default `size`) apart."""
        elements = structure.map_structure(DatasetSpec, self._structure)
        return self._made(
            "WindowDataset",
            self._variant,
            _int64(size, "size"),
            _int64(size if shift is None else shift, "shift"),
            _int64(stride, "stride"),
            convert_to_tensor(drop_remainder, dtypes.bool, name="drop_remainder"),
            elements=elements,
            name=name,
        )

    # --- order and number

    def shuffle(
        self,
        buffer_size: Any,
        seed: int | None = None,
        reshuffle_each_iteration: bool | None = True,
        name: str | None = None,
    ) -> Dataset:
        """Elements in random order, drawn from a buffer of `buffer_size`."""
        first, second = get_seed(seed)
        return self._like(
            "ShuffleDataset",
            _int64(buffer_size, "buffer_size"),
            _int64(first or 0, "seed"),
            _int64(second or 0, "seed2"),
            reshuffle_each_iteration=True if reshuffle_each_iteration is None else reshuffle_each_iteration,
            name=name,
        )

    def _shuffle_and_repeat(self, buffer_size: Any, count: Any, seed: int | None) -> Dataset:
        """For `tf.data.experimental.shuffle_and_repeat`."""
        first, second = get_seed(seed)
        return self._like(
            "ShuffleAndRepeatDataset",
            _int64(buffer_size, "buffer_size"),
            _int64(first or 0, "seed"),
            _int64(second or 0, "seed2"),
            _int64(-1 if count is None else count, "count"),
        )

    def repeat(self, count: Any = None, name: str | None = None) -> Dataset:
        """The elements over and over, `count` times; without end by default."""
        return self._like("RepeatDataset", _int64(-1 if count is None else count, "count"), name=name)

    def take(self, count: Any, name: str | None = None) -> Dataset:
        """The first `count` elements; all if it is -1."""
        return self._like("TakeDataset", _int64(count, "count"), name=name)

    def skip(self, count: Any, name: str | None = None) -> Dataset:
        """The elements behind the first `count`."""
        return self._like("SkipDataset", _int64(count, "count"), name=name)

    def shard(self, num_shards: Any, index: Any, name: str | None = None) -> Dataset:
        """Every `num_shards`-th element, from number `index` on."""
        return self._like("ShardDataset", _int64(num_shards, "num_shards"), _int64(index, "index"), name=name)

    def concatenate(self, dataset: Dataset, name: str | None = None) -> Dataset:
        """The elements of this, then those of `dataset`. TypeError: they are of another structure or type."""
        ours, others = structure.flatten(self._structure), structure.flatten(dataset._structure)
        if len(ours) != len(others) or any(a.dtype != b.dtype for a, b in builtins.zip(ours, others, strict=True)):
            raise TypeError(f"Incompatible dataset elements:\n  {self._structure!r} vs.   {dataset._structure!r}")
        elements = structure.pack(
            self._structure,
            [
                a if isinstance(a, DatasetSpec) else a.most_specific_compatible_type(b)
                for a, b in builtins.zip(ours, others, strict=True)
            ],
        )
        return self._made("ConcatenateDataset", self._variant, dataset._variant, elements=elements, name=name)

    def enumerate(self, start: Any = 0, name: str | None = None) -> Dataset:
        """Pairs of an element's number, from `start` on, and the element."""
        return Dataset.zip((Dataset.range(start, 2**63 - 1), self), name=name)

    def unique(self, name: str | None = None) -> Dataset:
        """The elements without those that came before. They must be single tensors."""
        return self._like("UniqueDataset", name=name)

    # --- ways of working

    def prefetch(self, buffer_size: Any, name: str | None = None) -> Dataset:
        """The same elements. (Here they are computed when asked for.)"""
        return self._like("PrefetchDataset", _int64(buffer_size, "buffer_size"), legacy_autotune=False, name=name)

    def cache(self, filename: Any = "", name: str | None = None) -> Dataset:
        """The same elements, kept in memory once an iterator has seen them all; `filename` must be empty."""
        return self._like("CacheDataset", convert_to_tensor(filename, dtypes.string, name="filename"), name=name)

    def ignore_errors(self, log_warning: bool = False, name: str | None = None) -> Dataset:
        """The elements that could be computed."""
        return self._like("IgnoreErrorsDataset", log_warning=log_warning, name=name)

    def with_options(self, options: Any, name: str | None = None) -> Dataset:
        """The same elements: options say how to work, never what comes out."""
        found = self._like("OptionsDataset", serialized_options="", name=name)
        remember(found._variant.op, options)
        return found

    def options(self) -> Options:
        """What was said by `with_options` of this dataset and of those that it is made of, merged."""
        return options_of(self._variant.op)

    def as_numpy_iterator(self) -> PythonIterator[Any]:
        """Raises RuntimeError: there is no eager execution."""
        raise RuntimeError(
            "`as_numpy_iterator()` is not supported while tracing functions: run an iterator's `get_next()`."
        )

    # --- iterators

    def make_one_shot_iterator(self) -> iterators.Iterator:
        """See `tf.data.make_one_shot_iterator`."""
        return iterators.make_one_shot_iterator(self)

    def make_initializable_iterator(self, shared_name: str | None = None) -> iterators.Iterator:
        """See `tf.data.make_initializable_iterator`."""
        return iterators.make_initializable_iterator(self, shared_name)

    def get_single_element(self, name: str | None = None) -> Any:
        """The one element. InvalidArgumentError in the run: there is none, or more than one."""
        node = apply("DatasetToSingleElement", self._variant, name=name, **structure.element_attrs(self._structure))
        return structure.denormalized(self._structure, node if isinstance(node, list) else [node])

    def __iter__(self) -> PythonIterator[Any]:
        raise RuntimeError(
            "`tf.data.Dataset` only supports Python-style iteration in eager mode or within tf.function: make an "
            "iterator and run its `get_next()` in a session."
        )

    @property
    def element_spec(self) -> Any:
        return self._structure

    @property
    def output_types(self) -> Any:
        return structure.map_structure(lambda leaf: leaf.dtype, self._structure)

    @property
    def output_shapes(self) -> Any:
        return structure.map_structure(lambda leaf: leaf.shape, self._structure)

    @property
    def output_classes(self) -> Any:
        return structure.map_structure(lambda leaf: leaf.value_type, self._structure)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} shapes: {self.output_shapes}, types: {self.output_types}>"


_GIVEN = frozenset(("TensorDataset", "TensorSliceDataset", "PaddedBatchDatasetV2"))
_UNTYPED = frozenset(("TFRecordDataset", "TextLineDataset", "FixedLengthRecordDatasetV2"))


def _same_state(before: Any, after: Any, what: str) -> None:
    for a, b in builtins.zip(structure.flatten(before), structure.flatten_up_to(before, after), strict=True):
        if not hasattr(b, "dtype") or a.dtype != b.dtype:
            raise TypeError(
                f"The element types for the new state must match the initial state. Expected {before!r}; `{what}` "
                f"returned {after!r}."
            )


def _size(batch_size: Any, drop_remainder: Any) -> int | None:
    from runstep.graph.constant_value import constant_value

    if isinstance(drop_remainder, Tensor):
        drop_remainder = constant_value(drop_remainder)
    if isinstance(batch_size, Tensor):
        batch_size = constant_value(batch_size)
    return int(batch_size) if drop_remainder and batch_size is not None else None


def _padded_shape(shape: Any) -> tuple[Tensor, TensorShape]:
    """A padded shape as a vector, -1 where it is to be found out, and as far as it is known."""
    if isinstance(shape, Tensor):
        from runstep.graph.constant_value import constant_value_as_shape

        return shape, constant_value_as_shape(shape)
    sizes = [None if size is None or size == -1 else int(size) for size in as_shape(_plain(shape)).as_list()]
    return constant([-1 if size is None else size for size in sizes], dtypes.int64, [len(sizes)]), TensorShape(sizes)


def _plain(shape: Any) -> Any:
    if isinstance(shape, TensorShape):
        return shape
    return [None if size is not None and size == -1 else size for size in shape]


def _deterministic(value: bool | None) -> str:
    return "default" if value is None else str(bool(value)).lower()
