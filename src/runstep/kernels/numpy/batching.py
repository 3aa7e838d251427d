"""Kernels that batch across steps. That of `BatchFunction` is called by the plan, which compiles its function."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from runstep import errors
from runstep.kernels.batching import Batcher, Gathering, Returns, Task, task_of
from runstep.kernels.registry import Kernel, Node, numpy_kernel
from runstep.kernels.resources import resource_name
from runstep.kernels.shared import invalid, shape_of

Array = np.ndarray[Any, Any]
_MICROSECOND = 1e-6


def _batcher(node: Node, may_end_lower: bool) -> Callable[[], Batcher]:
    """Finds or makes the node's batcher. InvalidArgumentError for attributes that make no sense."""
    attrs = node.attrs
    most, sizes, wait = attrs["max_batch_size"], attrs["allowed_batch_sizes"], attrs["batch_timeout_micros"]
    if most <= 0:
        raise invalid(f"input_batch_size_limit must be positive; was {most}")
    if wait < 0:
        raise invalid(f"batch_timeout_micros must be non-negative; was {wait}")
    if any(b <= a for a, b in zip(sizes, sizes[1:], strict=False)):
        raise invalid("allowed_batch_sizes entries must be monotonically increasing")
    if sizes and sizes[-1] != most and not may_end_lower:
        hint = " when enable_large_batch_splitting is False" if node.type == "BatchFunction" else ""
        raise invalid(f"final entry in allowed_batch_sizes must equal max_batch_size{hint}")
    if sizes and sizes[-1] > most:
        raise invalid(
            "When enable_large_batch_splitting is true, input_batch_size_limit must be greater than or equal to "
            f"max_execution_batch_size: {most} < {sizes[-1]}"
        )
    resources = node.resources
    container, name = resource_name(node)
    return lambda: resources.get_or_create(
        container, "tensorflow::Batch", name, lambda: Batcher(most, wait * _MICROSECOND, sizes)
    )


@numpy_kernel.make("Batch", is_async=True)
def batch(node: Node) -> Kernel:
    threads, queue = node.attrs["num_batch_threads"], node.attrs["batching_queue"]
    if threads <= 0:
        raise invalid(f"num_batch_threads must be positive; was {threads}")
    find = _batcher(node, False)

    async def kernel(*inputs: Any) -> Any:
        task = task_of(inputs)
        if not task.size:
            none = np.empty(0, np.int64)
            return (*(value.copy() for value in inputs), none, none.copy())
        batcher = find()

        async def work(tasks: list[Task]) -> list[Any]:
            ends = np.cumsum([one.size for one in tasks])
            index = np.array([(one.key, end - one.size, end) for one, end in zip(tasks, ends, strict=True)], np.int64)
            batched, _ = batcher.joined(tasks)
            return [*((None, None) for _ in tasks[1:]), (batched, index)]

        batched, index = await batcher.share(queue, task, work)
        if batched is None:
            batched, index = [value[:0].copy() for value in inputs], np.empty((0, 3), np.int64)
        return (*batched, index, np.int64(task.key))

    return kernel


def _key(value: Any) -> int:
    if shape_of(value):
        shape = ",".join(map(str, value.shape))
        listed = " ".join(map(str, np.ravel(value)[:3].tolist()))
        raise invalid(f"Input id should be scalar; Got: Tensor<type: int64 shape: [{shape}] values: {listed}>.")
    return int(value)


def _rows(tensor: Any, index: Any) -> list[tuple[int, int, int]]:
    """(key, first row, row after the last) of each step of a batch."""
    if not shape_of(tensor):
        raise invalid("Batched tensors must have at least one dimension.")
    if not len(tensor):
        return []
    if len(index) > len(tensor):
        raise invalid(
            f"Wrong shape for index tensor. Expected 0th dimension size to be no greater than {len(tensor)}; "
            f"Got: {len(index)}."
        )
    if index.ndim != 2 or index.shape[1] != 3:
        raise invalid(f"Wrong shape for index tensor. Expected [?,3]; Got: {list(index.shape)}.")
    found = [(key, first, end) for key, first, end in index.tolist()]
    if any(not 0 <= first <= end <= len(tensor) for _, first, end in found):
        raise invalid(f"An index of rows that are not there: {found}")
    return found


@numpy_kernel.make("Unbatch", is_async=True)
def unbatch(node: Node) -> Kernel:
    seconds = node.attrs["timeout_micros"] * _MICROSECOND
    resources = node.resources
    container, name = resource_name(node)

    async def kernel(batched: Any, index: Any, key: Any) -> Any:
        own = _key(key)
        returns: Returns = resources.get_or_create(container, "tensorflow::Unbatch", name, Returns)
        mine = None
        for other, first, end in _rows(batched, index):
            rows = batched[first:end].copy()
            if other == own:
                mine = rows
            else:
                returns.give(other, rows, seconds)
        return await returns.take(own, seconds) if mine is None else mine

    return kernel


@numpy_kernel.make("UnbatchGrad", is_async=True)
def unbatch_grad(node: Node) -> Kernel:
    resources = node.resources
    container, name = resource_name(node)

    async def kernel(original: Any, index: Any, grad: Any, key: Any) -> Any:
        own = _key(key)
        gathering: Gathering = resources.get_or_create(container, "tensorflow::UnbatchGrad", name, Gathering)
        parts = _rows(original, index)
        gathering.give(own, grad)
        if not len(original):
            return np.empty_like(original)
        gradients = await gathering.take([other for other, _, _ in parts])
        return np.concatenate(gradients) if gradients else np.empty_like(original[:0])

    return kernel


def batch_function(node: Node, run: Callable[..., Any], is_async: bool) -> Kernel:
    """The kernel of a BatchFunction node whose function is `run`; it takes the step before its inputs."""
    attrs = node.attrs
    queue, count, types = attrs["batching_queue"], len(attrs["Tin"]), attrs["Tout"]
    find = _batcher(node, attrs["enable_large_batch_splitting"])

    async def kernel(step: Any, *inputs: Any) -> Any:
        captured = inputs[count:]
        task = task_of(inputs[:count])
        if not task.size:
            return tuple(np.empty(0, kind.np) for kind in types)
        batcher = find()

        async def work(tasks: list[Task]) -> Sequence[Any]:
            batched, padding = batcher.joined(tasks)
            results = run(step, *batched, *captured)
            if is_async:
                results = await results
            return _shares(tasks, results, padding)

        return await batcher.share(queue, task, work)

    return kernel


def _shares(tasks: list[Task], results: Sequence[Any], padding: int) -> list[tuple[Array, ...]]:
    """Of each result, each task's rows."""
    size = sum(task.size for task in tasks)
    for result in results:
        if not shape_of(result):
            raise errors.FailedPreconditionError(None, None, "Batched output tensor has 0 dimensions")
        if len(result) != size + padding:
            raise errors.FailedPreconditionError(
                None,
                None,
                "Batched output tensor's 0th dimension does not equal the sum of the 0th dimension sizes of the input "
                f"tensors. 0th dimension size: {len(result)}; batch size: {size}; unbatched tasks size: 0; padding "
                f"size: {padding}",
            )
    ends = np.cumsum([task.size for task in tasks]).tolist()
    return [
        tuple(result[end - task.size : end].copy() for result in results) for task, end in zip(tasks, ends, strict=True)
    ]
