"""Element-by-element functions of ragged tensors: of one as of its values, of several brought to one shape."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import attrs
import numpy as np

from runstep.graph import dtypes
from runstep.graph.apply import apply
from runstep.graph.constant_value import constant_value
from runstep.graph.convert import convert_to_tensor
from runstep.graph.ragged_tensor import RaggedTensor
from runstep.graph.scopes import control_dependencies
from runstep.graph.tensor import Tensor
from runstep.ops.assertions import assert_equal
from runstep.ops.cast import cast
from runstep.ops.joining import concat
from runstep.ops.shape_ops import reshape, shape
from runstep.ragged import rows

__all__: list[str] = []


def elementwise(function: Callable[..., Any], *operands: Any) -> Any:
    """`function` of tensors of which some are ragged, each brought to the shape of all of them.

    Dimensions of size 1 stretch if they are uniform; ragged ones must have equal rows.

    Raises:
      ValueError: the shapes cannot be one. InvalidArgumentError (in the run): nor can the rows.
    """
    values, splits = aligned(operands)
    return nested(function(*values), splits)


def nested(values: Any, splits: Sequence[Any]) -> Any:
    """A ragged tensor with these rows: for each dimension splits, or a pair of these and the length of all rows."""
    for each in reversed(splits):
        values = RaggedTensor(values, *(each if isinstance(each, tuple) else (each,)))
    return values


def one_splits_dtype(tensors: Sequence[Any]) -> Any:
    """The dtype of all row splits. ValueError: there are two."""
    kinds = {tensor.row_splits.dtype for tensor in tensors if isinstance(tensor, RaggedTensor)}
    if len(kinds) > 1:
        raise ValueError(
            "Input RaggedTensors have mismatched row_splits dtypes; use RaggedTensor.with_row_splits_dtype() to "
            "convert them to compatible dtypes."
        )
    return next(iter(kinds), dtypes.int64)


def same_rows(tensors: Sequence[RaggedTensor]) -> bool:
    """Whether it is known that all have the same rows."""
    first = tensors[0].nested_row_splits
    for tensor in tensors[1:]:
        splits = tensor.nested_row_splits
        if len(splits) != len(first) or not all(map(_same, first, splits)):
            return False
    return True


def _same(a: Tensor, b: Tensor) -> bool:
    if a is b:
        return True
    x, y = constant_value(a), constant_value(b)
    return x is not None and y is not None and np.array_equal(x, y)


def aligned(operands: Sequence[Any]) -> tuple[list[Any], tuple[Any, ...]]:
    """The flat values of each operand, stretched to the common rows, and the splits of these."""
    hint = next(each.dtype for each in operands if isinstance(each, RaggedTensor))
    tensors = [each if isinstance(each, RaggedTensor) else _dense(each, hint) for each in operands]
    kind = one_splits_dtype(tensors)
    ragged = [each for each in tensors if isinstance(each, RaggedTensor)]
    inner = min((each.flat_values.shape.rank or 1) for each in ragged) - 1
    if same_rows(ragged):
        dense = [each for each in tensors if not isinstance(each, RaggedTensor)]
        if all(each.shape.rank is not None and each.shape.rank <= inner for each in dense):
            found = [each.flat_values if isinstance(each, RaggedTensor) else each for each in tensors]
            return found, _rows(ragged[0])
    return _stretched(tensors, kind)


def _rows(rt: Any) -> tuple[Any, ...]:
    """What `nested` takes to give the same rows."""
    found = []
    while isinstance(rt, RaggedTensor):
        found.append((rt.row_splits, rt.uniform_row_length))
        rt = rt.values
    return tuple(found)


def _dense(value: Any, hint: Any) -> Tensor:
    return convert_to_tensor(value, dtype_hint=hint)


@attrs.define
class _Operand:
    """A tensor on the way down its dimensions.

    Attributes:
      values: what is left of it, its first axis the rows at the present depth.
      places: which row each row of the result is made of; None for the same one.
      ahead: how many dimensions of size 1 it lacks in front.
    """

    values: Any
    places: Tensor | None
    ahead: int


def _stretched(tensors: Sequence[Any], kind: Any) -> tuple[list[Any], tuple[Any, ...]]:
    ranks = [each.shape.rank for each in tensors]
    if any(rank is None for rank in ranks):
        raise ValueError("Unable to broadcast: unknown rank")
    rank = max(ranks)
    depth = max(
        each.ragged_rank + rank - own if isinstance(each, RaggedTensor) else 0
        for each, own in zip(tensors, ranks, strict=True)
    )
    operands = [_Operand(each, None, rank - own) for each, own in zip(tensors, ranks, strict=True)]
    outer = [_size(each, kind) for each in operands]
    total = _common(outer, kind)
    for each, size in zip(operands, outer, strict=True):
        each.places = _spread(size, total, kind)
    splits: list[Any] = []
    for _ in range(depth):
        ends, uniform = _descend(operands, total, kind)
        splits.append((ends, uniform))
        total = ends[-1]
    return [_flat(each) for each in operands], tuple(splits)


def _size(operand: _Operand, kind: Any) -> Any:
    """The first axis of an operand: a Python number where it is known."""
    if operand.ahead:
        return 1
    return _number(rows.count(operand.values, kind))


def _number(tensor: Any) -> Any:
    if isinstance(tensor, int):
        return tensor
    known = constant_value(tensor)
    return tensor if known is None else int(known)


def _common(sizes: Sequence[Any], kind: Any) -> Tensor:
    """The size that the others are stretched to."""
    known = {size for size in sizes if isinstance(size, int) and size != 1}
    if len(known) > 1:
        raise ValueError(f"Unable to broadcast: dimension size mismatch in dimension: {sorted(known)}")
    if known:
        return convert_to_tensor(known.pop(), kind)
    found = convert_to_tensor(1, kind)
    for size in sizes:
        if not isinstance(size, int):
            found = apply("SelectV2", apply("Equal", found, cast(1, kind)), size, found)
    return found


def _spread(size: Any, total: Tensor, kind: Any) -> Tensor | None:
    """Which of `size` rows each of `total` rows is."""
    known = constant_value(total)
    if isinstance(size, int):
        if size == 1:
            return None if known == 1 else apply("Fill", [total], np.zeros((), kind.as_numpy_dtype))
        return None
    factor = cast(apply("NotEqual", size, cast(1, kind)), kind)
    checked = _checked(size, total, kind)
    return rows.numbers(checked, kind) * factor


def _checked(size: Tensor, total: Tensor, kind: Any) -> Tensor:
    good = apply("SelectV2", apply("Equal", size, cast(1, kind)), total, size)
    check = assert_equal(good, total, message="Unable to broadcast: dimension size mismatch in dimension")
    if check is None:
        return total
    with control_dependencies([check]):
        result: Tensor = apply("Identity", total)
    return result


def _descend(operands: Sequence[_Operand], total: Tensor, kind: Any) -> tuple[Tensor, Tensor | None]:
    """Goes down one dimension of all operands; gives the splits of the result there, and the length of all its rows."""
    lengths: list[Tensor] = []  # of the rows of the result, as each ragged operand has them
    uniform: list[Any] = []
    for each in operands:
        if isinstance(each.values, RaggedTensor) and not each.ahead and each.values.uniform_row_length is None:
            lengths.append(_taken(rows.lengths_of(each.values.row_splits), each.places))
        else:
            uniform.append(_inner_size(each, kind))
    if lengths:
        found = _equal_lengths(lengths)
        for size in uniform:
            if size != 1:
                found = _equal_to(found, size, kind)
        splits, length = _splits_of(operands, lengths, found), None
    else:
        length = _common(uniform, kind)
        splits = rows.numbers(total + 1, kind) * length
    ids = rows.rowids_of(splits)
    offsets = rows.offsets_of(splits, ids)
    for each in operands:
        _go_down(each, ids, offsets, kind)
    return splits, length


def _splits_of(operands: Sequence[_Operand], lengths: Sequence[Tensor], found: Tensor) -> Tensor:
    if len(lengths) == 1 and found is lengths[0]:
        for each in operands:
            if isinstance(each.values, RaggedTensor) and not each.ahead and each.places is None:
                return each.values.row_splits
    return rows.splits_of_lengths(found)


def _inner_size(operand: _Operand, kind: Any) -> Any:
    """The size of the dimension below an operand's rows, where that is one number."""
    if operand.ahead > 1:
        return 1
    if operand.ahead == 1:
        return _number(rows.count(operand.values, kind))
    if isinstance(operand.values, RaggedTensor):
        return _number(cast(operand.values.uniform_row_length, kind))
    size = operand.values.shape[1].value
    return shape(operand.values, out_type=kind)[1] if size is None else size


def _equal_lengths(lengths: Sequence[Tensor]) -> Tensor:
    found = lengths[0]
    checks = [assert_equal(found, each, message="Inputs must have identical ragged splits") for each in lengths[1:]]
    if not checks:
        return found
    with control_dependencies([check for check in checks if check is not None]):
        result: Tensor = apply("Identity", found)
    return result


def _equal_to(lengths: Tensor, size: Any, kind: Any) -> Tensor:
    size = cast(size, kind)
    good = apply("LogicalOr", apply("Equal", size, cast(1, kind)), apply("Equal", lengths, size))
    check = assert_equal(good, True, message="Unable to broadcast: dimension size mismatch in dimension")
    with control_dependencies([] if check is None else [check]):
        result: Tensor = apply("Identity", lengths)
    return result


def _taken(vector: Tensor, places: Tensor | None) -> Tensor:
    return vector if places is None else apply("GatherV2", vector, places, 0)


def _go_down(operand: _Operand, ids: Tensor, offsets: Tensor, kind: Any) -> None:
    if operand.ahead:
        operand.ahead -= 1
        size = _number(rows.count(operand.values, kind)) if not operand.ahead else 1
        operand.places = offsets * _factor(size, kind)
        return
    row = ids if operand.places is None else apply("GatherV2", operand.places, ids, 0)
    values = operand.values
    if isinstance(values, RaggedTensor):
        if operand.places is None and values.uniform_row_length is None:
            operand.places = None  # the result has its very rows
        else:
            length = values.uniform_row_length
            within = offsets if length is None else offsets * _factor(_number(cast(length, kind)), kind)
            operand.places = apply("GatherV2", values.row_splits, row, 0) + within
        operand.values = values.values
        return
    size = _inner_size(operand, kind)
    operand.places = row * cast(size, kind) + offsets * _factor(size, kind)
    sizes = shape(values, out_type=kind)
    flat = reshape(values, concat([[-1], sizes[2:]], 0))
    known = values.shape.as_list()
    flat.set_shape([None if None in known[:2] else known[0] * known[1], *known[2:]])
    operand.values = flat


def _factor(size: Any, kind: Any) -> Tensor:
    """0 for a dimension that is stretched, 1 for another."""
    if isinstance(size, int):
        return cast(0 if size == 1 else 1, kind)
    return cast(apply("NotEqual", size, cast(1, kind)), kind)


def _flat(operand: _Operand) -> Any:
    return operand.values if operand.places is None else apply("GatherV2", operand.values, operand.places, 0)
