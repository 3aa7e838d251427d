"""TensorLists, against TensorFlow."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from runstep.graph import dtypes
from runstep.kernels.tensor_list import TensorList
from runstep.testing.stateful import compare

PAIRS = [[1.0, 2.0], [3.0, 4.0]]
UNKNOWN = -1


BY_HAND = dict.fromkeys(
    [
        "EmptyTensorList",
        "TensorListReserve",
        "TensorListFromTensor",
        "TensorListSplit",
        "TensorListScatter",
        "TensorListScatterV2",
        "TensorListScatterIntoExistingList",
        "TensorListPushBack",
        "TensorListPushBackBatch",
        "TensorListPopBack",
        "TensorListSetItem",
        "TensorListResize",
        "TensorListConcatLists",
        "TensorListLength",
        "TensorListElementShape",
        "TensorListGetItem",
        "TensorListStack",
        "TensorListGather",
        "TensorListConcat",
        "TensorListConcatV2",
    ],
    "programs in this file",
)


class Lists:
    """Writes programs over the TensorList ops."""

    def __init__(self, api: Any, dtype: str = "float32") -> None:
        self.api = api
        self.dtype = dtype
        self.attr = {"element_dtype": dtype}

    def shape(self, shape: Any) -> Any:
        return self.api.constant(shape, "int32")

    def empty(self, shape: Any = UNKNOWN, most: int = -1) -> Any:
        return self.api.op("EmptyTensorList", self.shape(shape), most, **self.attr)

    def reserve(self, shape: Any, count: Any) -> Any:
        return self.api.op("TensorListReserve", self.shape(shape), count, **self.attr)

    def of(self, tensor: Any, shape: Any = UNKNOWN) -> Any:
        return self.api.op("TensorListFromTensor", tensor, self.shape(shape))

    def push(self, values: Any, *items: Any) -> Any:
        for item in items:
            values = self.api.op("TensorListPushBack", values, item)
        return values

    def set(self, values: Any, index: int, item: Any, **attrs: Any) -> Any:
        return self.api.op("TensorListSetItem", values, index, item, **attrs)

    def get(self, values: Any, index: Any, shape: Any = UNKNOWN) -> Any:
        return self.api.op("TensorListGetItem", values, index, self.shape(shape), **self.attr)

    def stack(self, values: Any, shape: Any = UNKNOWN, **attrs: Any) -> Any:
        return self.api.op("TensorListStack", values, self.shape(shape), **self.attr, **attrs)

    def pop(self, values: Any, shape: Any = UNKNOWN) -> Any:
        return self.api.op("TensorListPopBack", values, self.shape(shape), **self.attr)

    def gather(self, values: Any, indices: Any, shape: Any = UNKNOWN) -> Any:
        return self.api.op(
            "TensorListGather", values, self.api.constant(indices, "int32"), self.shape(shape), **self.attr
        )

    def concat(self, values: Any, shape: Any = UNKNOWN, leading: Any = ()) -> list[Any]:
        leading = self.api.constant(leading, "int64")
        return list(self.api.op("TensorListConcatV2", values, self.shape(shape), leading, **self.attr))

    def split(self, tensor: Any, lengths: Any, shape: Any = UNKNOWN) -> Any:
        return self.api.op("TensorListSplit", tensor, self.shape(shape), self.api.constant(lengths, "int64"))

    def length(self, values: Any) -> Any:
        return self.api.op("TensorListLength", values)

    def element_shape(self, values: Any, kind: str = "int32") -> Any:
        return self.api.op("TensorListElementShape", values, shape_type=kind)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64", "int8", "uint16", "int64", "bool", "complex64"])
@pytest.mark.parametrize("shape", [(), (2,), (0, 2), (2, 1, 3)])
def test_dtypes(dtype: str, shape: tuple[int, ...]) -> None:
    def program(api: Any) -> None:
        lists = Lists(api, dtype)
        values = [api.constant(np.full(shape, i), dtype) for i in range(3)]
        one = lists.push(lists.empty(), *values)
        api.run([lists.stack(one), lists.get(one, 2), lists.gather(one, [1, 0, 1]), lists.length(one)])
        if shape:
            api.run(lists.concat(one))
        one = lists.of(api.constant(np.full((2, *shape), 1), dtype))
        api.run([lists.get(one, 1), lists.stack(one)])
        if shape:
            unset = lists.reserve(list(shape), 2)
            api.run([lists.stack(unset), lists.get(unset, 1), lists.gather(unset, [0])])

    compare(program)


def test_strings() -> None:
    def program(api: Any) -> None:
        lists = Lists(api, "string")
        one = lists.push(lists.empty(), "a", "b")
        api.run([lists.stack(one), lists.get(one, 1), lists.gather(one, [1, 0])])
        two = lists.of(api.constant([["a", "b"], ["c", "d"]]))
        api.run([lists.get(two, 1), lists.concat(two)[0], lists.get(lists.of(api.constant(["x", "y"])), 1)])

    compare(program)


def test_push_and_pop() -> None:
    def program(api: Any) -> None:
        lists = Lists(api)
        first = lists.push(lists.empty([2]), *PAIRS)
        left, right = lists.push(first, [5.0, 5.0]), lists.push(first, [6.0, 6.0])
        api.run([lists.stack(one) for one in (first, left, right)])
        shorter, last = lists.pop(left)
        api.run([last, lists.stack(shorter), lists.stack(lists.push(shorter, [7.0, 7.0])), lists.stack(left)])
        api.run(lists.pop(lists.empty([2]))[1])
        api.run(lists.pop(lists.reserve([2], 1))[1])
        api.run(lists.pop(lists.reserve(UNKNOWN, 1))[1])
        api.run(lists.stack(lists.push(lists.empty([3]), api.hidden([1.0, 2.0]))))
        api.run(lists.stack(lists.push(lists.empty([2], most=1), *PAIRS)))
        api.build("TensorListPushBack", lists.empty([3]), [1, 2, 3])
        api.build("TensorListPushBack", lists.empty([3]), [1.0, 2.0])

    compare(program, texts=True)


def test_stack() -> None:
    def program(api: Any) -> None:
        lists = Lists(api)
        for values in (lists.empty([2]), lists.empty(), lists.of(PAIRS), lists.reserve([2], 3), lists.reserve(-1, 3)):
            api.run(lists.stack(values))
            api.run(lists.stack(values, [2]))
            api.run(lists.stack(values, num_elements=2))
        api.run(lists.stack(lists.push(lists.empty(), [1.0, 2.0]), [3]))
        api.run(lists.stack(lists.push(lists.empty(), [1.0, 2.0], [3.0])))
        api.run(lists.stack(lists.set(lists.reserve(UNKNOWN, 3), 1, [1.0, 2.0])))
        api.run(lists.stack(lists.reserve([2], 0)))
        api.run(lists.stack(lists.reserve([2], -1)))
        api.build("TensorListStack", lists.empty(), [2], element_dtype="int32")

    compare(program, texts=True)


def test_items() -> None:
    def program(api: Any) -> None:
        lists = Lists(api)
        for index in (0, 1, 2, -1):
            api.run(lists.get(lists.of(PAIRS, [2]), index, [2]))
            api.run(lists.stack(lists.set(lists.of(PAIRS, [2]), index, [9.0, 9.0])))
        api.run(lists.get(lists.reserve([2], 3), 1))
        api.run(lists.get(lists.reserve(UNKNOWN, 3), 1))
        api.run(lists.get(lists.reserve([-1, 2], 3), 1, [3, -1]))
        api.run(lists.get(lists.set(lists.reserve(UNKNOWN, 3), 0, [1.0, 2.0]), 1))
        both = lists.set(lists.set(lists.reserve(UNKNOWN, 3), 0, [1.0, 2.0]), 2, [1.0])
        api.run(lists.get(both, 1))
        api.run(lists.get(lists.push(lists.empty(), [1.0, 2.0]), 0, [3]))
        api.run(lists.length(lists.set(lists.reserve([2], 2), 5, [1.0, 2.0], resize_if_index_out_of_bounds=True)))
        api.run(lists.stack(lists.set(lists.reserve([2], 2), 0, api.hidden([1.0]))))
        api.build("TensorListGetItem", lists.of(PAIRS), 0, [2], element_dtype="int32")
        api.build("TensorListSetItem", lists.of(PAIRS, [2]), 0, [1.0])

    compare(program, texts=True)


def test_resize() -> None:
    def program(api: Any) -> None:
        lists = Lists(api)
        for size in (0, 1, 2, 4, -1):
            resized = api.op("TensorListResize", lists.of(PAIRS, [2]), size)
            api.run(lists.stack(resized))
            api.run(lists.stack(lists.push(resized, [0.0, 1.0])))

    compare(program, texts=True)


def test_element_shape() -> None:
    def program(api: Any) -> None:
        lists = Lists(api)
        for shape in ([2], UNKNOWN, [-1, 3]):
            for kind in ("int32", "int64"):
                api.run(lists.element_shape(lists.empty(shape), kind))
                api.run(lists.element_shape(lists.reserve(shape, 1), kind))
        api.run(lists.element_shape(lists.push(lists.empty(), [1.0])))
        api.run(lists.element_shape(lists.of(PAIRS)))
        api.run(lists.element_shape(api.op("EmptyTensorList", api.hidden([3]), -1, element_dtype="float32")))
        api.run(lists.element_shape(api.op("EmptyTensorList", api.hidden([[3]]), -1, element_dtype="float32")))
        api.build("EmptyTensorList", [-2], -1, element_dtype="float32")
        api.build("EmptyTensorList", 2, -1, element_dtype="float32")

    compare(program)


def test_gather() -> None:
    def program(api: Any) -> None:
        lists = Lists(api)
        for indices in ([1, 0, 1], [], [2], [-1]):
            for values in (lists.of(PAIRS, [2]), lists.of(PAIRS), lists.set(lists.reserve(UNKNOWN, 2), 0, [1.0, 2.0])):
                api.run(lists.gather(values, indices))
        api.run(lists.gather(lists.empty(), []))
        api.run(lists.gather(lists.reserve(UNKNOWN, 3), [0, 1]))
        api.run(lists.gather(lists.push(lists.empty(), [1.0, 2.0], [3.0]), [0, 1]))
        api.build("TensorListGather", lists.of(PAIRS, [2]), [0], [3], element_dtype="float32")

    compare(program, texts=True)


def test_scatter() -> None:
    def program(api: Any) -> None:
        lists = Lists(api)

        def scattered(tensor: Any, indices: Any, shape: Any, *count: int) -> Any:
            op = "TensorListScatterV2" if count else "TensorListScatter"
            return lists.stack(api.op(op, tensor, indices, lists.shape(shape), *count))

        api.run(scattered(PAIRS, [3, 0], [2]))
        for count in (5, -1, 2, -2):
            api.run(scattered(PAIRS, [3, 0], [2], count))
        api.run(scattered(PAIRS, [3, -1], [2]))
        api.run(scattered(api.hidden(PAIRS), [3], [2]))
        api.build("TensorListScatter", PAIRS, [3, 0], [3])
        into = api.op("TensorListScatterIntoExistingList", lists.of(PAIRS, [2]), [[9.0, 9.0]], [1])
        api.run(lists.stack(into))
        api.build("TensorListScatterIntoExistingList", lists.of(PAIRS, [2]), [[9, 9]], [1])

    compare(program, texts=True)


def test_split() -> None:
    def program(api: Any) -> None:
        lists = Lists(api)
        rows = [[1.0], [2.0], [3.0]]
        for lengths in ([1, 2], [0, 3], [1, 1], [1, 4]):
            for shape in (UNKNOWN, [-1, 1]):
                made = lists.split(rows, lengths, shape)
                api.run([lists.get(made, 0), lists.get(made, 1), lists.element_shape(made)])
        api.run(lists.length(lists.split(api.hidden(rows), [1, 2], [-1, 2])))
        api.run(lists.length(lists.split(api.hidden(1.0), [1, 2], [-1, 2])))
        api.run(lists.length(api.op("TensorListSplit", api.hidden([[1.0]]), -1, api.hidden([[1]], "int64"))))
        api.build("TensorListSplit", rows, [1], api.constant([1, 2], "int64"))

    compare(program, texts=True)


def test_concat() -> None:
    def program(api: Any) -> None:
        lists = Lists(api)
        ragged = lists.push(lists.empty(), [1.0, 2.0], [3.0])
        api.run(lists.concat(ragged))
        api.run(lists.concat(ragged, [-1]))
        api.run(lists.concat(ragged, UNKNOWN, [5, 5]))
        api.run(list(api.op("TensorListConcat", ragged, element_dtype="float32")))
        api.run(lists.concat(lists.of(PAIRS), [2]))
        part = lists.set(lists.reserve(UNKNOWN, 2), 0, [1.0, 2.0])
        api.run(lists.concat(part))
        api.run(lists.concat(part, [-1], [2, 3]))
        api.run(lists.concat(lists.set(lists.reserve([2], 2), 0, [1.0, 2.0]), [2]))
        api.run(lists.concat(lists.reserve(UNKNOWN, 2), [-1, 2], [1, 2]))
        api.run(lists.concat(lists.reserve(UNKNOWN, 2), [-1, 2], [1]))
        api.run(lists.concat(lists.empty()))
        api.run(lists.concat(lists.empty(), [-1, 2]))
        api.run(lists.concat(lists.push(lists.empty(), 1.0)))
        api.run(lists.concat(lists.push(lists.empty(), [[1.0, 2.0]], [[3.0]])))
        api.run(lists.concat(lists.push(lists.empty(), [1.0, 2.0]), [3]))

    compare(program, texts=True)


def test_concat_lists() -> None:
    def program(api: Any) -> None:
        lists = Lists(api)

        def joined(a: Any, b: Any) -> Any:
            return api.op("TensorListConcatLists", a, b, element_dtype="float32")

        api.run(lists.stack(joined(lists.of(PAIRS), lists.of(PAIRS[:1]))))
        api.run(lists.length(joined(lists.of(PAIRS, [2]), lists.empty())))
        api.build("TensorListConcatLists", lists.of(PAIRS, [2]), lists.of([[3.0]], [1]), element_dtype="float32")
        api.build("TensorListConcatLists", lists.of(PAIRS), lists.of([[3]]), element_dtype="float32")

    compare(program, texts=True)


def test_push_batch() -> None:
    def program(api: Any) -> None:
        lists = Lists(api)
        batch = api.op("Pack", [lists.empty([2]), lists.of([[9.0, 9.0]], [2])])
        for rows in (PAIRS, api.hidden(PAIRS), api.hidden(PAIRS[:1]), api.hidden(1.0)):
            pushed = api.op("TensorListPushBackBatch", batch, rows)
            for one in (0, 1):
                picked = api.op("StridedSlice", pushed, [one], [one + 1], [1], shrink_axis_mask=1)
                api.run(api.op("TensorListStack", picked, [2], element_dtype="float32"))

    compare(program)


def test_static_shapes() -> None:
    def program(api: Any) -> None:
        lists = Lists(api)
        for shape in (UNKNOWN, [2], [-1]):
            values = lists.push(lists.empty(shape), [1.0, 2.0])
            for given in (UNKNOWN, [2], [-1]):
                api.run([lists.stack(values, given), lists.get(values, 0, given), lists.gather(values, [0], given)])
                api.run([*lists.concat(values, given), lists.stack(values, given, num_elements=1)])
                api.run(list(lists.pop(values, given))[1])
            api.run([lists.get(lists.of(PAIRS, shape), 0), lists.element_shape(lists.of(PAIRS, shape))])

    compare(program)


def test_growing_shares_the_buffer() -> None:
    values = [TensorList(dtypes.float32, ())]
    for i in range(10):
        values.append(values[-1].push(np.float32(i), dtypes.float32))
    assert all(later._buffer is values[0]._buffer for later in values)
    branch = values[5].push(np.float32(-1), dtypes.float32)
    assert branch.values == [0, 1, 2, 3, 4, -1] and values[6].values == [0, 1, 2, 3, 4, 5]
    last = values[-1]
    while len(last):
        last, _ = last.pop((), dtypes.float32)
    assert len(last._buffer) == 0, "what was popped is let go"
