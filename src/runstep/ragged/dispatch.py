"""What functions of `tf` do with ragged tensors.

TensorFlow asks each call whether an argument is ragged. Here nobody asks until the first ragged tensor is made:
`install` then puts functions that do ask into the public namespaces, in the place of those named below. So programs
without ragged tensors pay nothing, and the functions themselves know nothing of them.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import sys
from collections.abc import Callable, Iterator
from typing import Any

from runstep.graph import dtypes
from runstep.graph.apply import apply
from runstep.graph.ragged_tensor import RaggedTensor
from runstep.ragged import gathering, joining, reduction, rows
from runstep.ragged.broadcasting import aligned, elementwise

__all__: list[str] = []

Function = Callable[..., Any]
Knows = Callable[[Function], Function]
"""Makes of a function of tensors the one that is called when an argument is ragged."""

_NAMESPACES = (
    "bitwise debugging dtypes image io.namespace linalg manip math nn random sparse strings compat contrib".split()
)


def install() -> None:
    """Puts functions that take ragged tensors into the public namespaces."""
    api = importlib.import_module("runstep.api")
    modules = [api, sys.modules["runstep"]]
    modules += [importlib.import_module(f"runstep.{name}") for name in _NAMESPACES]
    taught: dict[int, Function] = {}
    for path, knows in _table():
        home: Any = api
        for part in path.split("."):
            home = getattr(home, part)
        if id(home) not in taught:
            taught[id(home)] = _asking(home, knows(home))
    for module in modules:
        names = vars(module)
        for name, value in list(names.items()):
            if id(value) in taught and not name.startswith("_"):
                names[name] = taught[id(value)]


def _asking(function: Function, ragged: Function) -> Function:
    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        if any(map(_is_ragged, args)) or (kwargs and any(map(_is_ragged, kwargs.values()))):
            return ragged(*args, **kwargs)
        return function(*args, **kwargs)

    return call


def _is_ragged(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return any(isinstance(item, RaggedTensor) for item in value)
    return isinstance(value, RaggedTensor)


# --- kinds of functions


def _on_values(function: Function) -> Function:
    """Of the flat values; nothing else of it is ragged."""
    signature = inspect.signature(function)
    first = next(iter(signature.parameters))

    def call(*args: Any, **kwargs: Any) -> Any:
        given = signature.bind(*args, **kwargs).arguments
        value = given.pop(first, None)
        if not isinstance(value, RaggedTensor):
            raise TypeError(f"{function.__name__} takes a ragged tensor as its first argument only.")
        more = given.pop("kwargs", {})
        return value.with_flat_values(function(value.flat_values, **given, **more))

    return call


def _on_operands(count: int) -> Knows:
    """Element by element of the first `count` arguments."""

    def knows(function: Function) -> Function:
        signature = inspect.signature(function)
        names = list(signature.parameters)[:count]

        def call(*args: Any, **kwargs: Any) -> Any:
            given = signature.bind(*args, **kwargs).arguments
            operands = [given.pop(name) for name in names]
            return elementwise(lambda *values: function(*values, **given), *operands)

        return call

    return knows


def _on_list(function: Function) -> Function:
    """Element by element of the list that comes first."""

    def call(inputs: Any, *args: Any, **kwargs: Any) -> Any:
        return elementwise(lambda *values: function(list(values), *args, **kwargs), *inputs)

    return call


def _check(function: Function) -> Function:
    """An assertion about two tensors, element by element."""

    def call(x: Any, y: Any, *args: Any, **kwargs: Any) -> Any:
        (one, other), _ = aligned([x, y])
        return function(one, other, *args, **kwargs)

    return call


def _is(ragged: Function) -> Knows:
    return lambda function: ragged


def _segment(function: Function) -> Function:
    def call(data: Any, segment_ids: Any, num_segments: Any, name: str | None = None) -> Any:
        if isinstance(segment_ids, RaggedTensor):
            if not isinstance(data, RaggedTensor) or data.ragged_rank < segment_ids.ragged_rank:
                raise ValueError("segment_ids may be ragged where data is, with the same rows.")
            return call(data.values, segment_ids.values, num_segments)
        if not isinstance(data, RaggedTensor):
            return function(data, segment_ids, num_segments)
        return reduction.segments(function, data, rows.index_tensor(segment_ids), num_segments)

    return call


def _of_texts(function: Function) -> Function:
    """Of each string a row of parts."""

    def call(input: Any = None, *args: Any, **kwargs: Any) -> Any:
        value = kwargs.pop("source", input) if input is None else input
        kwargs.pop("result_type", None)
        flat = value.flat_values
        return value.with_flat_values(function(flat, *args, **kwargs))

    return call


def _split(function: Function) -> Function:
    def call(
        input: Any = None,
        sep: Any = None,
        maxsplit: int = -1,
        result_type: str = "SparseTensor",
        source: Any = None,
        name: str | None = None,
    ) -> Any:
        value = source if input is None else input
        parts = function(value.flat_values, sep, maxsplit, "RaggedTensor", name=name)
        found = value.with_flat_values(parts)
        return found.to_sparse() if result_type == "SparseTensor" else found

    return call


def _reduce_join(function: Function) -> Function:
    def call(
        inputs: Any,
        axis: Any = None,
        keep_dims: Any = None,
        separator: str = "",
        name: Any = None,
        reduction_indices: Any = None,
        keepdims: Any = None,
    ) -> Any:
        def segments(data: Any, ids: Any, number: Any) -> Any:
            return apply("UnsortedSegmentJoin", data, ids, number, separator=separator)

        def whole(data: Any, along: Any = None) -> Any:
            return function(data, along, separator=separator)

        axis = reduction_indices if axis is None else axis
        return reduction._reduced(segments, whole, inputs, axis, keepdims if keepdims is not None else keep_dims)

    return call


def _identity(function: Function) -> Function:
    def call(input: Any, name: str | None = None) -> Any:
        splits = [function(each) for each in input.nested_row_splits]
        found: Any = function(input.flat_values, name)
        for each in reversed(splits):
            found = RaggedTensor(found, each)
        return found

    return call


def _lookup(function: Function) -> Function:
    def call(params: Any, ids: Any, *args: Any, **kwargs: Any) -> Any:
        return ids.with_flat_values(function(params, ids.flat_values, *args, **kwargs))

    return call


def _one_hot(function: Function) -> Function:
    signature = inspect.signature(function)

    def call(*args: Any, **kwargs: Any) -> Any:
        given = signature.bind(*args, **kwargs).arguments
        indices, axis = given.pop("indices"), given.pop("axis", None)
        if axis is not None and axis >= 0:
            if axis <= indices.ragged_rank:
                raise ValueError(f"axis ({axis}) must be greater than indices.ragged_rank ({indices.ragged_rank}).")
            axis -= indices.ragged_rank
        given["axis"] = -1 if axis is None else axis
        return indices.with_flat_values(function(indices.flat_values, **given))

    return call


def _through_dense(function: Function) -> Function:
    """Of the tensor filled up with zeros."""

    def call(x: Any, *args: Any, **kwargs: Any) -> Any:
        dense = function(x.to_tensor(), *args, **kwargs)
        return RaggedTensor.from_tensor(
            dense, lengths=list(x.nested_row_lengths()), row_splits_dtype=x.row_splits.dtype
        )

    return call


def _of_flat(function: Function) -> Function:
    """Of all values at once."""

    def call(first: Any, *args: Any, **kwargs: Any) -> Any:
        return function(first.flat_values, *args, **kwargs)

    return call


def _rank(function: Function) -> Function:
    def call(input: Any, name: str | None = None) -> Any:
        known = input.shape.rank
        if known is not None:
            from runstep.graph.convert import constant

            return constant(known, dtypes.int32, name=name or "Rank")
        return function(input.flat_values) + input.ragged_rank

    return call


def _size(function: Function) -> Function:
    def call(input: Any, name: str | None = None, out_type: Any = dtypes.int32) -> Any:
        return function(input.flat_values, name, out_type)

    return call


def _where(function: Function) -> Function:
    return gathering.where_v2 if function.__name__ == "where_v2" else gathering.where


def _mask(function: Function) -> Function:
    def call(tensor: Any, mask: Any, name: str | None = "boolean_mask", axis: Any = None) -> Any:
        if axis not in (None, 0):
            raise ValueError("A ragged tensor can be masked from its first axis on only.")
        return gathering.boolean_mask(tensor, mask, name)

    return call


def _reshape(function: Function) -> Function:
    def call(tensor: Any, shape: Any, name: str | None = None) -> Any:
        if isinstance(shape, list | tuple) and list(shape) == [-1]:
            return function(tensor.flat_values, [-1], name)
        raise ValueError("A ragged tensor can be reshaped to [-1] only. See merge_dims and to_tensor.")

    return call


_ON_VALUES = """
abs acos acosh angle as_string asin asinh atan atanh bitcast cast ceil check_numerics conj cos cosh decode_base64
decode_compressed digamma encode_base64 erf erfc exp expm1 floor imag is_finite is_inf is_nan lgamma log log1p
log_sigmoid logical_not negative ones_like real reciprocal rint round rsqrt saturate_cast sigmoid sign sin sinh sqrt
square stop_gradient string_strip string_to_hash_bucket string_to_hash_bucket_fast string_to_hash_bucket_strong
string_to_number substr regex_replace tan tanh to_bfloat16 to_complex128 to_complex64 to_double to_float to_int32
to_int64 zeros_like math.bessel_i0 math.bessel_i0e math.bessel_i1 math.bessel_i1e math.erfcinv math.erfinv
math.log_softmax math.ndtri math.reciprocal_no_nan math.softplus math.softsign math.special.bessel_j0 nn.dropout nn.elu
nn.leaky_relu nn.log_softmax nn.relu nn.relu6 nn.selu nn.sigmoid nn.silu nn.softplus nn.softsign nn.swish nn.tanh
strings.length strings.lower strings.upper strings.strip strings.regex_full_match strings.regex_replace strings.substr
strings.to_hash_bucket strings.to_hash_bucket_fast strings.to_hash_bucket_strong strings.to_number
strings.unicode_script strings.unicode_transcode strings.as_string bitwise.invert image.convert_image_dtype
io.decode_base64 io.encode_base64 io.decode_compressed io.is_jpeg image.is_jpeg
"""

_ON_TWO = """
add atan2 complex div div_no_nan divide equal floor_div floordiv floormod greater greater_equal less less_equal
logical_and logical_or logical_xor maximum minimum mod multiply not_equal pow realdiv squared_difference subtract
truediv truncatediv truncatemod zeta math.multiply_no_nan math.nextafter math.xdivy math.xlog1py math.xlogy
bitwise.bitwise_and bitwise.bitwise_or bitwise.bitwise_xor bitwise.left_shift bitwise.right_shift
math.divide_no_nan math.squared_difference
"""

_CHECKS = """
assert_equal assert_greater assert_greater_equal assert_less assert_less_equal assert_near assert_none_equal
"""

_SEGMENTS = """
unsorted_segment_max unsorted_segment_mean unsorted_segment_min unsorted_segment_prod unsorted_segment_sqrt_n
unsorted_segment_sum
"""

_OTHERS: dict[str, Knows] = {
    "add_n": _on_list,
    "batch_gather": _is(gathering.batch_gather),
    "bincount": _of_flat,
    "boolean_mask": _mask,
    "clip_by_value": _on_operands(3),
    "concat": _is(joining.concat),
    "cumsum": _through_dense,
    "dynamic_partition": _is(gathering.dynamic_partition),
    "expand_dims": _is(joining.expand_dims),
    "gather": _is(gathering.gather),
    "gather_nd": _is(gathering.gather_nd),
    "identity": _identity,
    "nn.embedding_lookup": _lookup,
    "one_hot": _one_hot,
    "rank": _rank,
    "reduce_all": _is(reduction.reduce_all),
    "reduce_any": _is(reduction.reduce_any),
    "reduce_join": _reduce_join,
    "reduce_logsumexp": _is(reduction.reduce_logsumexp),
    "reduce_max": _is(reduction.reduce_max),
    "reduce_mean": _is(reduction.reduce_mean),
    "reduce_min": _is(reduction.reduce_min),
    "reduce_prod": _is(reduction.reduce_prod),
    "reduce_sum": _is(reduction.reduce_sum),
    "math.reduce_std": _is(reduction.reduce_std),
    "math.reduce_variance": _is(reduction.reduce_variance),
    "reshape": _reshape,
    "reverse": _is(joining.reverse),
    "size": _size,
    "split": _is(joining.split),
    "squeeze": _is(joining.squeeze),
    "stack": _is(joining.stack),
    "strings.bytes_split": _of_texts,
    "strings.join": _on_list,
    "strings.reduce_join": _reduce_join,
    "strings.split": _split,
    "strings.unicode_decode": _of_texts,
    "tile": _is(joining.tile),
    "where": _where,
    "where_v2": _where,
}


def _table() -> Iterator[tuple[str, Knows]]:
    for names, knows in (
        (_ON_VALUES, _on_values),
        (_ON_TWO, _on_operands(2)),
        (_CHECKS, _check),
        (_SEGMENTS, _segment),
    ):
        for name in names.split():
            yield name, knows
    yield from _OTHERS.items()
