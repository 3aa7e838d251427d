"""Python's operators on tensors: what `x + 1`, `x[1:]` or `-x` add to the graph, under TensorFlow's names.

`==` and `!=` are left alone: tensors compare by identity (S108). Import this module to install the operators; a class
that stands for a tensor, such as a variable, gets them from `overload`.
"""

from __future__ import annotations

import numbers
from collections.abc import Callable
from typing import Any, NoReturn

import numpy as np

from runstep import errors
from runstep.graph import dtypes
from runstep.graph.apply import apply
from runstep.graph.composite import SparseTensor
from runstep.graph.convert import constant, convert_to_tensor
from runstep.graph.graph import name_scope
from runstep.graph.shapes import Dimension
from runstep.graph.tensor import Tensor

Build = Callable[[Any, Any, str | None], Any]
"""Adds the nodes of a binary operator: x, y and the node's name."""


def _node(op_type: str) -> Build:
    return lambda x, y, name: apply(op_type, x, y, name=name)


def _add(x: Any, y: Any, name: str | None) -> Any:
    kind = x.dtype.base_dtype if isinstance(x, Tensor) else y.dtype.base_dtype
    return apply("Add" if kind is dtypes.string else "AddV2", x, y, name=name)


def _multiply(x: Any, y: Any, name: str | None) -> Any:
    if isinstance(y, SparseTensor):
        with name_scope(name, "mul", [x, y.values]) as scope:
            values = apply("SparseDenseCwiseMul", y.indices, y.values, y.dense_shape, x, name=scope)
            return SparseTensor(y.indices, values, y.dense_shape)
    return apply("Mul", x, y, name=name)


def _truediv(x: Any, y: Any, name: str | None) -> Any:
    from runstep.ops.arithmetic import truediv

    return truediv(x, y, name)


def _div(x: Any, y: Any, name: str | None) -> Any:
    from runstep.ops.arithmetic import div

    return div(x, y, name)


def _matmul(x: Any, y: Any, name: str | None) -> Any:
    from runstep.ops.matmul import matmul

    return matmul(x, y, name=name)


def _logical(of_bools: str, of_ints: str, default_name: str) -> Build:
    def build(x: Any, y: Any, name: str | None) -> Any:
        if (x if isinstance(x, Tensor) else y).dtype.base_dtype is dtypes.bool:
            return apply(of_bools, x, y, name=name)
        with name_scope(name, default_name, [x, y]):
            return apply(of_ints, x, y)

    return build


def _xor(x: Any, y: Any, name: str | None) -> Any:
    with name_scope(name, "xor", [x, y]) as scope:
        if (x if isinstance(x, Tensor) else y).dtype.base_dtype is dtypes.bool:
            either = apply("LogicalOr", x, y)
            both = apply("LogicalAnd", x, y)
            return apply("LogicalAnd", either, apply("LogicalNot", both), name=scope)
        return apply("BitwiseXor", x, y)


_BINARY: dict[str, Build] = {
    "add": _add,
    "sub": _node("Sub"),
    "mul": _multiply,
    "div": _div,
    "truediv": _truediv,
    "floordiv": _node("FloorDiv"),
    "mod": _node("FloorMod"),
    "pow": _node("Pow"),
    "matmul": _matmul,
    "and": _logical("LogicalAnd", "BitwiseAnd", "and"),
    "or": _logical("LogicalOr", "BitwiseOr", "or"),
    "xor": _xor,
}
_COMPARISONS = {"lt": "Less", "le": "LessEqual", "gt": "Greater", "ge": "GreaterEqual"}


_PLAIN = (numbers.Number, str, bytes, list, tuple, np.generic, np.ndarray, Tensor)


def _forward(name: str, build: Build) -> Callable[[Tensor, Any], Any]:
    reverse = f"__r{name}__"

    def method(x: Tensor, y: Any) -> Any:
        try:
            return build(x, y, name)
        except (TypeError, ValueError):
            # The right side may know what to do with a tensor. If not, the error from here says more.
            plain = isinstance(y, _PLAIN)
            found = getattr(y, reverse)(x) if not plain and hasattr(type(y), reverse) else NotImplemented
            if found is NotImplemented:
                raise
            return found

    return method


def _reversed(name: str, build: Build) -> Callable[[Tensor, Any], Any]:
    def method(y: Tensor, x: Any) -> Any:
        if isinstance(x, Tensor):
            return build(x, y, name)
        with name_scope(name) as scope:
            return build(convert_to_tensor(x, y.dtype.base_dtype, name="x"), y, scope)

    return method


def _compare(op_type: str) -> Callable[[Tensor, Any], Any]:
    return lambda x, y: apply(op_type, x, y)


def _abs(x: Tensor) -> Any:
    from runstep.ops.elementwise import abs as absolute

    return absolute(x)


def _negative(x: Tensor) -> Any:
    return apply("Neg", x)


def _invert(x: Tensor) -> Any:
    return apply("LogicalNot" if x.dtype.base_dtype is dtypes.bool else "Invert", x)


# --- indexing -----------------------------------------------------------------------------------------------------

_INDEX_TYPES = (dtypes.int16, dtypes.int32, dtypes.int64)


def _check_index(index: Any) -> Any:
    """`index`, a Python int where it is a known number. TypeError for what cannot be an index."""
    if type(index) is int:
        return index
    if isinstance(index, Dimension):
        return int(index)
    if isinstance(index, numbers.Integral):  # numpy's integers too
        return int(index)
    dtype = getattr(index, "dtype", None)
    fits = False
    if dtype is not None:
        try:
            kind = dtypes.as_dtype(dtype).base_dtype
        except TypeError:
            kind = None
        shape = getattr(index, "raw_shape", getattr(index, "shape", ()))
        fits = kind in _INDEX_TYPES and not (shape is not None and len(shape) == 1)
    if not fits:
        raise TypeError(
            "Only integers, slices (`:`), ellipsis (`...`), tf.newaxis (`None`) and scalar tf.int32/tf.int64 tensors "
            f"are valid indices, got {index!r}"
        )
    return int(index) if isinstance(index, np.ndarray) else index


def _known(bound: Any) -> bool:
    return bound is not None and not (isinstance(bound, Dimension) and bound.value is None)


def _is_mask(key: Any) -> bool:
    if isinstance(key, Tensor):
        return key.dtype.base_dtype is dtypes.bool
    return isinstance(key, bool) or (isinstance(key, np.ndarray) and key.dtype == np.bool_)


class _Spec:
    """The begin, end, strides and masks that a Python index says."""

    def __init__(self, key: Any) -> None:
        self.begin: list[Any] = []
        self.end: list[Any] = []
        self.strides: list[Any] = []
        self.masks: dict[str, Any] = {
            "begin_mask": 0,
            "end_mask": 0,
            "ellipsis_mask": 0,
            "new_axis_mask": 0,
            "shrink_axis_mask": 0,
        }
        for place, item in enumerate(key if isinstance(key, list | tuple) else (key,)):
            bit = 1 << place
            if isinstance(item, slice):
                self._range(item, bit)
            elif item is Ellipsis:
                self._put(0, 0, 1, "ellipsis_mask", bit)
            elif item is None:
                self._put(0, 0, 1, "new_axis_mask", bit)
            else:
                at = _check_index(item)
                wide = isinstance(at, Tensor) and at.dtype.base_dtype is not dtypes.int32
                self._put(at, at + 1, constant(1, at.dtype) if wide else 1, "shrink_axis_mask", bit)

    def _put(self, begin: Any, end: Any, stride: Any, mask: str, bit: int) -> None:
        self.begin.append(begin)
        self.end.append(end)
        self.strides.append(stride)
        self.masks[mask] |= bit

    def _range(self, item: slice, bit: int) -> None:
        kinds = [part.dtype.base_dtype for part in (item.start, item.stop, item.step) if isinstance(part, Tensor)]
        # Where a bound is a tensor the missing ones are constants of its type, so that they pack together.
        kind = next((wanted for wanted in (dtypes.int64, dtypes.int32, dtypes.int16) if wanted in kinds), None)

        def missing(value: int) -> Any:
            return value if kind is None else constant(value, kind)

        if _known(item.start):
            self.begin.append(_check_index(item.start))
        else:
            self.begin.append(missing(0))
            self.masks["begin_mask"] |= bit
        if _known(item.stop):
            self.end.append(_check_index(item.stop))
        else:
            self.end.append(missing(0))
            self.masks["end_mask"] |= bit
        self.strides.append(_check_index(item.step) if _known(item.step) else missing(1))


def getitem(tensor: Tensor, key: Any) -> Tensor:
    """`tensor[key]` as numpy slices: ints, ranges, `...`, None for a new axis, scalar int tensors; or a boolean mask.

    TypeError for any other index, ValueError where it does not fit the tensor's shape.
    """
    if _is_mask(key):
        from runstep.ops.selecting import boolean_mask

        return boolean_mask(tensor, key)
    from runstep.ops.joining import stack
    from runstep.ops.slicing import strided_slice

    spec = _Spec(key)
    with name_scope("strided_slice") as scope:
        if spec.begin:
            bounds = [stack(values, name="stack") for values in (spec.begin, spec.end, spec.strides)]
            if any(bound.dtype is dtypes.int64 for bound in bounds):
                from runstep.ops.cast import cast

                bounds = [cast(bound, dtypes.int64) for bound in bounds]
        else:
            bounds = [constant(np.zeros(0, np.int32))] * 3
        begin, end, strides = bounds
        return strided_slice(tensor, begin, end, strides, name=scope, **spec.masks)


# --- what a symbolic tensor cannot do -----------------------------------------------------------------------------


def _not_in_graph(task: str, advice: str) -> NoReturn:
    raise errors.OperatorNotAllowedInGraphError(f"{task} is not allowed. {advice}")


def _bool(self: Tensor) -> bool:
    _not_in_graph(
        "Using a symbolic `tf.Tensor` as a Python `bool`",
        f"{self!r} has no value before a Session runs it: use `tf.cond` and `tf.logical_and` in the graph, "
        "`t is not None` to ask whether there is a tensor.",
    )


def _iter(self: Tensor) -> Any:
    _not_in_graph(
        "Iterating over a symbolic `tf.Tensor`",
        f"{self!r} has no value before a Session runs it: use `tf.unstack` where the size is known, "
        "`tf.while_loop` else.",
    )


def _len(self: Tensor) -> int:
    raise TypeError(
        f"len is not well defined for a symbolic Tensor ({self.name}). "
        "Please call `x.shape` rather than `len(x)` for shape information."
    )


def _array(self: Tensor, dtype: Any = None, copy: Any = None) -> Any:
    raise NotImplementedError(
        f"Cannot convert a symbolic tf.Tensor ({self.name}) to a numpy array. This error may indicate that you're "
        "trying to pass a Tensor to a NumPy call, which is not supported."
    )


# --- sparse tensors -----------------------------------------------------------------------------------------------


def _of_sparse(op_type: str, name: str) -> Callable[[SparseTensor, Any], SparseTensor]:
    """`sparse * dense` or `sparse / dense`: what is stored, by what stands there in `dense`, which may be broadcast."""

    def method(sparse: SparseTensor, dense: Any) -> SparseTensor:
        indices, values, shape = sparse.indices, sparse.values, sparse.dense_shape
        with name_scope(None, name, [indices, values, shape, dense]) as scope:
            dense = convert_to_tensor(dense, values.dtype.base_dtype, name="y")
            if name == "truediv":
                from runstep.ops.arithmetic import as_floats

                values, dense = as_floats(values, dense)
            return SparseTensor(indices, apply(op_type, indices, values, shape, dense, name=scope), shape)

    return method


# --- installing ---------------------------------------------------------------------------------------------------


def _operators() -> dict[str, Callable[..., Any]]:
    found: dict[str, Callable[..., Any]] = {"__getitem__": getitem}
    for name, build in _BINARY.items():
        found[f"__{name}__"] = _forward(name, build)
        found[f"__r{name}__"] = _reversed(name, build)
    for name, op_type in _COMPARISONS.items():
        found[f"__{name}__"] = _compare(op_type)
    found |= {"__abs__": _abs, "__neg__": _negative, "__invert__": _invert}
    return found


OPERATORS = _operators()
"""Every operator by the name of its method: takes a Tensor, and the other operand where there is one."""

Tensor.OVERLOADABLE_OPERATORS = {*OPERATORS, "__eq__", "__ne__"}


def overload(cls: type, value: Callable[[Any], Tensor]) -> None:
    """Gives the instances of `cls` the operators of the tensor that `value` returns for them."""
    for name, function in OPERATORS.items():

        def method(self: Any, *args: Any, _function: Callable[..., Any] = function) -> Any:
            return _function(value(self), *args)

        method.__name__ = name
        setattr(cls, name, method)


for _name, _function in OPERATORS.items():
    setattr(Tensor, _name, _function)
_REFUSALS = {"__bool__": _bool, "__nonzero__": _bool, "__iter__": _iter, "__len__": _len, "__array__": _array}
for _name, _function in _REFUSALS.items():
    setattr(Tensor, _name, _function)
for _name, _does in (("mul", "Mul"), ("truediv", "Div"), ("div", "Div")):
    setattr(SparseTensor, f"__{_name}__", _of_sparse(f"SparseDenseCwise{_does}", _name))
