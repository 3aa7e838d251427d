"""Kernels of datasets: they make the objects of `runstep.kernels.datasets`."""

from __future__ import annotations

import inspect
import itertools
import os
import random
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from runstep import errors
from runstep.graph import shapes
from runstep.graph.dtypes import DType
from runstep.kernels import datasets, shared
from runstep.kernels.datasets import Dataset, Element, Walk
from runstep.kernels.queues import Philox
from runstep.kernels.registry import Kernel, Node, numpy_kernel
from runstep.kernels.shared import invalid, scalar, shape_of
from runstep.kernels.waiting import NeedsLoop


def dataset_of(value: Any) -> Dataset:
    """The dataset that a variant holds. InvalidArgumentError: it holds something else."""
    found = value.item() if isinstance(value, np.ndarray) and value.size == 1 else value
    if not isinstance(found, Dataset):
        raise invalid("Tensor must be a Dataset object.")
    return found


def function_of(node: Node, attr: str) -> datasets.Function:
    """The body of a function attribute: takes the step and the inputs. Where it waits, its thread waits."""
    run = node.function(node.attrs[attr])
    if not inspect.iscoroutinefunction(run):
        return run

    def waiting(step: Any, *inputs: Any) -> Element:
        return _blocking(step, run(step, *inputs))

    return waiting


def _blocking(step: Any, running: Any) -> Element:
    """Runs a coroutine of a function body to its end in this thread, and waits for what it waits for."""
    event = threading.Event()
    try:
        while True:
            waiter = running.send(None)
            if isinstance(waiter, NeedsLoop):
                text = "A coroutine function cannot be called by a function of a dataset: it has no event loop."
                raise errors.UnimplementedError(None, None, text)
            event.clear()
            waiter.on_wake(event.set)
            while not event.wait(0.05):
                if step is not None and step.cancelled:
                    running.throw(step.cause)
    except StopIteration as done:
        return done.value
    finally:
        running.close()


# --- rows and batches ---------------------------------------------------------------------------------------------


def _row(value: np.ndarray, index: int) -> Any:
    found = value[index]
    return scalar(found) if type(found) is bytes else found


class _Rows(datasets.Iterating):
    def __init__(self, components: Element, first: int, stop: int) -> None:
        self._components, self._next, self._stop = components, first, stop

    def __next__(self) -> Element:
        index = self._next
        if index >= self._stop:
            raise StopIteration
        self._next = index + 1
        return tuple([_row(value, index) for value in self._components])


def _length(components: Element) -> int:
    for index, value in enumerate(components):
        if not shape_of(value):
            raise invalid("All components must be at least 1-dimensional")
        if shape_of(value)[0] != shape_of(components[0])[0]:
            raise invalid(
                f"All components must have the same size in the 0th dimension: component {index} has "
                f"{shape_of(value)[0]}, the first {shape_of(components[0])[0]}"
            )
    return shape_of(components[0])[0]


def _stacker(types: Sequence[DType]) -> Callable[[list[Element]], Element]:
    def joined(elements: list[Element]) -> Element:
        return tuple(
            _stacked(list(column), dtype) for column, dtype in zip(zip(*elements, strict=True), types, strict=True)
        )

    return joined


def _stacked(items: list[Any], dtype: DType) -> np.ndarray:
    shape = shape_of(items[0])
    for item in items:
        if shape_of(item) != shape:
            unlike = "number of elements" if np.prod(shape_of(item)) != np.prod(shape) else "shape"
            raise invalid(
                f"Cannot add tensor to the batch: {unlike} does not match. Shapes are: [tensor]: "
                f"{shapes.text(shape_of(item))}, [batch]: {shapes.text(shape)}"
            )
    return shared.stacked(items, dtype, shape)


def _batch(source: Dataset, size: int, drop: bool, joined: Callable[[list[Element]], Element]) -> Dataset:
    if size <= 0:
        raise invalid("Batch size must be greater than zero.")
    return Dataset(lambda walk: datasets.Grouped(source.iterate(walk), size, drop, joined))


@numpy_kernel.make("BatchDataset", "BatchDatasetV2")
def batch(node: Node) -> Kernel:
    joined = _stacker(node.attrs["output_types"])
    return lambda source, size, drop=False: _batch(dataset_of(source), int(size), bool(drop), joined)


@numpy_kernel.make("ParallelBatchDataset")
def parallel_batch(node: Node) -> Kernel:
    joined = _stacker(node.attrs["output_types"])
    return lambda source, size, _, drop: _batch(dataset_of(source), int(size), bool(drop), joined)


def _padded(items: list[Any], dtype: DType, wanted: tuple[int, ...], filler: Any) -> np.ndarray:
    """Items along a new first dimension, each filled up at its end to `wanted`; -1 there is the largest of them."""
    sizes = [shape_of(item) for item in items]
    for size in sizes:
        if len(size) != len(wanted):
            raise invalid(
                "All elements in a batch must have the same rank as the padded shape for component: expected rank "
                f"{len(wanted)} but got element with rank {len(size)}"
            )
    shape = tuple(max(size[axis] for size in sizes) if limit < 0 else limit for axis, limit in enumerate(wanted))
    if any(size > limit for each in sizes for size, limit in zip(each, shape, strict=True)):
        raise errors.DataLossError(None, None, "Attempted to pad to a smaller size than the input element.")
    out = np.full((len(items), *shape), np.asarray(filler).item() if dtype.np.hasobject else filler, dtype.np)
    for index, (item, size) in enumerate(zip(items, sizes, strict=True)):
        part: Any = (index, *map(slice, size))
        out[part] = item.item() if isinstance(item, np.ndarray) and not item.ndim else item
    return out


@numpy_kernel.make("PaddedBatchDataset", "PaddedBatchDatasetV2")
def padded_batch(node: Node) -> Kernel:
    count, types = node.attrs["N"], node.attrs["Toutput_types"]

    def run(source: Any, size: Any, *rest: Any) -> Dataset:
        wanted = [tuple(int(n) for n in value) for value in rest[:count]]
        fillers = rest[count : 2 * count]
        drop = bool(rest[2 * count]) if len(rest) > 2 * count else False

        def joined(elements: list[Element]) -> Element:
            columns = zip(*elements, strict=True)
            return tuple(
                _padded(list(column), *more) for column, *more in zip(columns, types, wanted, fillers, strict=True)
            )

        return _batch(dataset_of(source), int(size), drop, joined)

    return run


# --- sources ------------------------------------------------------------------------------------------------------


@numpy_kernel("TensorDataset")
def tensor_dataset(*components: Any) -> Dataset:
    return Dataset(lambda walk: iter((components,)))


@numpy_kernel("TensorSliceDataset")
def tensor_slice_dataset(*components: Any) -> Dataset:
    length = _length(components)
    return Dataset(lambda walk: _Rows(components, 0, length))


@numpy_kernel.make("RangeDataset")
def range_dataset(node: Node) -> Kernel:
    make = node.attrs["output_types"][0].np.type

    def run(start: Any, stop: Any, step: Any) -> Dataset:
        if not step:
            raise invalid("step must be a non-zero integer.")
        numbers = range(int(start), int(stop), int(step))
        return Dataset(lambda walk: ((make(number),) for number in numbers))

    return run


@numpy_kernel.make("GeneratorDataset")
def generator_dataset(node: Node) -> Kernel:
    begin, go_on, end = (function_of(node, f"{part}_func") for part in ("init", "next", "finalize"))
    first = len(node.attrs["Tinit_func_args"])
    second = first + len(node.attrs["Tnext_func_args"])

    def run(step: Any, *inputs: Any) -> Dataset:
        to_begin, to_go_on, to_end = inputs[:first], inputs[first:second], inputs[second:]
        return Dataset(
            lambda walk: datasets.Generated(
                walk,
                lambda step: begin(step, *to_begin),
                lambda step, *state: go_on(step, *state, *to_go_on),
                lambda step, *state: end(step, *state, *to_end),
            )
        )

    return run


# --- by functions -------------------------------------------------------------------------------------------------


@numpy_kernel.make("MapDataset", "ParallelMapDataset", "ParallelMapDatasetV2")
def map_dataset(node: Node) -> Kernel:
    function = function_of(node, "f")
    count = len(node.attrs["Targuments"])

    def run(step: Any, source: Any, *rest: Any) -> Dataset:
        return _mapped(dataset_of(source), function, rest[:count])

    return run


def _mapped(source: Dataset, function: datasets.Function, captured: Element) -> Dataset:
    return Dataset(lambda walk: datasets.Mapped(source.iterate(walk), walk, function, captured))


@numpy_kernel.make("MapAndBatchDataset")
def map_and_batch(node: Node) -> Kernel:
    function, joined = function_of(node, "f"), _stacker(node.attrs["output_types"])

    def run(step: Any, source: Any, *rest: Any) -> Dataset:
        *captured, size, _, drop = rest
        return _batch(_mapped(dataset_of(source), function, tuple(captured)), int(size), bool(drop), joined)

    return run


@numpy_kernel.make("FilterDataset", "TakeWhileDataset")
def filter_dataset(node: Node) -> Kernel:
    predicate, ends = function_of(node, "predicate"), node.type == "TakeWhileDataset"

    def run(step: Any, value: Any, *captured: Any) -> Dataset:
        source = dataset_of(value)
        return Dataset(lambda walk: datasets.Filtered(source.iterate(walk), walk, predicate, captured, ends))

    return run


def _made_by(
    function: datasets.Function, source: Iterator[Element], walk: Walk, captured: Element
) -> Callable[[], Dataset]:
    """What gives the dataset that `function` makes of the next element; StopIteration at the end."""
    return lambda: dataset_of(function(walk.step, *next(source), *captured)[0])


@numpy_kernel.make("FlatMapDataset")
def flat_map(node: Node) -> Kernel:
    function = function_of(node, "f")

    def run(step: Any, value: Any, *captured: Any) -> Dataset:
        source = dataset_of(value)
        return Dataset(lambda walk: datasets.Flattened(_made_by(function, source.iterate(walk), walk, captured), walk))

    return run


@numpy_kernel.make(
    "InterleaveDataset", "ParallelInterleaveDatasetV2", "ParallelInterleaveDatasetV3", "ParallelInterleaveDatasetV4"
)
def interleave(node: Node) -> Kernel:
    function = function_of(node, "f")
    count = len(node.attrs["Targuments"])

    def run(step: Any, value: Any, *rest: Any) -> Dataset:
        source, captured = dataset_of(value), rest[:count]
        cycle, block = int(rest[count]), int(rest[count + 1])
        if cycle == -1:
            cycle = os.cpu_count() or 1
        if cycle <= 0:
            raise invalid("cycle_length must be greater than zero.")
        if block <= 0:
            raise invalid("block_length must be greater than zero.")
        return Dataset(
            lambda walk: datasets.Interleaved(
                _made_by(function, source.iterate(walk), walk, captured), walk, cycle, block
            )
        )

    return run


@numpy_kernel.make("ScanDataset")
def scan(node: Node) -> Kernel:
    function, count = function_of(node, "f"), len(node.attrs["Tstate"])

    def run(step: Any, value: Any, *rest: Any) -> Dataset:
        source, state, captured = dataset_of(value), rest[:count], rest[count:]
        return Dataset(lambda walk: datasets.Scanned(source.iterate(walk), walk, function, state, captured))

    return run


@numpy_kernel.make("ReduceDataset", view=True)
def reduce(node: Node) -> Kernel:
    function, count = function_of(node, "f"), len(node.attrs["Tstate"])

    def run(step: Any, value: Any, *rest: Any) -> Any:
        state, captured = rest[:count], rest[count:]
        for element in dataset_of(value).iterate(Walk(step)):
            if step is not None and step.cancelled:
                step.stop()
            state = tuple(function(step, *state, *element, *captured))
        return state[0] if count == 1 else state

    return run


@numpy_kernel.make("DatasetToSingleElement", step=True, view=True)
def to_single_element(node: Node) -> Kernel:
    def run(step: Any, value: Any) -> Any:
        found = list(itertools.islice(dataset_of(value).iterate(Walk(step)), 2))
        if not found:
            raise invalid("Dataset was empty.")
        if len(found) > 1:
            raise invalid("Dataset had more than one element.")
        return found[0][0] if len(found[0]) == 1 else found[0]

    return run


# --- of datasets --------------------------------------------------------------------------------------------------


@numpy_kernel("RepeatDataset")
def repeat(value: Any, count: Any) -> Dataset:
    source, times = dataset_of(value), int(count)
    return Dataset(lambda walk: datasets.Repeated(source, walk, times))


@numpy_kernel("TakeDataset")
def take(value: Any, count: Any) -> Dataset:
    source, most = dataset_of(value), int(count)
    if most < 0:
        return source
    return Dataset(lambda walk: datasets.Taken(source.iterate(walk), most))


@numpy_kernel("SkipDataset")
def skip(value: Any, count: Any) -> Dataset:
    source, first = dataset_of(value), int(count)
    if first < 0:
        return Dataset(lambda walk: iter(()))
    return Dataset(lambda walk: datasets.Strided(source.iterate(walk), first))


@numpy_kernel("ShardDataset")
def shard(value: Any, num_shards: Any, index: Any) -> Dataset:
    source, count, own = dataset_of(value), int(num_shards), int(index)
    if count <= 0:
        raise invalid(f"Number of shards must be greater than zero (currently num_shards = {count}).")
    if not 0 <= own < count:
        raise invalid(f"Index must be between 0 and {count - 1} (currently index = {own}).")
    return Dataset(lambda walk: datasets.Strided(source.iterate(walk), own, count))


class _Seeds:
    """The seeds of one pass after the other; the same for all unless `again`."""

    def __init__(self, seed: int, seed2: int, again: bool) -> None:
        if not (seed or seed2):
            seed, seed2 = random.getrandbits(63), random.getrandbits(63)
        self._fixed = (seed, seed2)
        self._numbers = Philox(seed, seed2) if again else None
        self._lock = threading.Lock()

    def next(self) -> Philox:
        if self._numbers is None:
            return Philox(*self._fixed)
        with self._lock:
            return Philox(self._numbers.next(), self._numbers.next())


def _shuffled(node: Node, value: Any, buffer_size: Any, seed: Any, seed2: Any) -> Dataset:
    source, size = dataset_of(value), int(buffer_size)
    seeds = _Seeds(int(seed), int(seed2), node.attrs["reshuffle_each_iteration"])
    if size == -2:  # all of it
        size = 2**63 - 1
    if size <= 0:
        raise invalid("buffer_size must be greater than zero or UNKNOWN_CARDINALITY")
    return Dataset(lambda walk: datasets.Shuffled(source.iterate(walk), size, seeds.next().next))


@numpy_kernel.make("ShuffleDataset")
def shuffle(node: Node) -> Kernel:
    return lambda *inputs: _shuffled(node, *inputs)


@numpy_kernel.make("ShuffleAndRepeatDataset")
def shuffle_and_repeat(node: Node) -> Kernel:
    def run(source: Any, size: Any, seed: Any, seed2: Any, count: Any) -> Dataset:
        return repeat(_shuffled(node, source, size, seed, seed2), count)

    return run


@numpy_kernel("PrefetchDataset", "RewriteDataset", view=True)
def passed(value: Any, _: Any) -> Any:
    return dataset_of(value)


@numpy_kernel("OptionsDataset", view=True)
def options(value: Any) -> Any:
    return dataset_of(value)


@numpy_kernel("ConcatenateDataset")
def concatenate(value: Any, another: Any) -> Dataset:
    both = dataset_of(value), dataset_of(another)
    return Dataset(lambda walk: datasets.Chained(both, walk))


@numpy_kernel("ZipDataset")
def zip_dataset(*values: Any) -> Dataset:
    sources = [dataset_of(value) for value in values]
    return Dataset(lambda walk: datasets.Zipped([source.iterate(walk) for source in sources]))


@numpy_kernel("CacheDataset")
def cache(value: Any, filename: Any) -> Dataset:
    path = np.asarray(filename).item()
    if path:
        raise errors.UnimplementedError(
            None, None, f"Datasets are cached in memory only, not in a file ('{path.decode(errors='replace')}')."
        )
    return Dataset(datasets.Cached(dataset_of(value)).iterate)


@numpy_kernel("WindowDataset")
def window(value: Any, size: Any, shift: Any, stride: Any, drop: Any) -> Dataset:
    source = dataset_of(value)
    for what, number in (("size", size), ("shift", shift), ("stride", stride)):
        if number <= 0:
            raise invalid(f"Window {what} must be greater than zero.")

    def joined(elements: list[Element]) -> Element:
        return tuple(
            Dataset(lambda walk, column=column: iter([(item,) for item in column]))  # type: ignore[misc]
            for column in zip(*elements, strict=True)
        )

    sizes = int(size), int(shift), int(stride), bool(drop)
    return Dataset(lambda walk: datasets.Windowed(source.iterate(walk), *sizes, joined))


@numpy_kernel("UnbatchDataset")
def unbatch(value: Any) -> Dataset:
    source = dataset_of(value)

    def begin(walk: Walk) -> Iterator[Element]:
        batches = source.iterate(walk)

        def one() -> Dataset:
            components = next(batches)
            length = _length(components)
            return Dataset(lambda walk: _Rows(components, 0, length))

        return datasets.Flattened(one, walk)

    return Dataset(begin)


def _key(element: Element) -> Any:
    (value,) = element
    array = np.asarray(value)
    return (array.shape, tuple(array.ravel().tolist()) if array.dtype.hasobject else array.tobytes())


@numpy_kernel("UniqueDataset")
def unique(value: Any) -> Dataset:
    source = dataset_of(value)
    return Dataset(lambda walk: datasets.Distinct(source.iterate(walk), _key))


@numpy_kernel("IgnoreErrorsDataset")
def ignore_errors(value: Any) -> Dataset:
    source = dataset_of(value)
    return Dataset(lambda walk: datasets.Tolerant(source.iterate(walk)))
