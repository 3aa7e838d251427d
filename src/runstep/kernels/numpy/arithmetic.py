"""Arithmetic on two and more tensors. Where numpy has the ufunc with TensorFlow's rules, the kernel is that ufunc."""

from __future__ import annotations

from functools import partial, reduce
from typing import Any

import numpy as np

from runstep import errors
from runstep.graph import dtypes, shapes
from runstep.kernels.registry import Kernel, Node, numpy_kernel
from runstep.kernels.shared import one_variant

_DIVISION_BY_ZERO = "Integer division by zero"
_FRACTIONS = (
    dtypes.bfloat16,
    dtypes.float16,
    dtypes.float32,
    dtypes.float64,
    dtypes.complex64,
    dtypes.complex128,
)
_UNEXPECTED = "Unexpected error in binary operator (only integer div and mod should have errors)"


def add_strings(x: Any, y: Any) -> Any:
    """Joins elementwise; a scalar stays a 0-d object array."""
    joined = np.add(x, y)
    return joined if isinstance(joined, np.ndarray) else np.array(joined, dtype=object)


numpy_kernel("Add", types={"T": (dtypes.string,)})(add_strings)
for _op, _ufunc in (
    ("AddV2", np.add),
    ("Add", np.add),
    ("Sub", np.subtract),
    ("Mul", np.multiply),
    ("Maximum", np.maximum),
    ("Minimum", np.minimum),
    ("Atan2", np.arctan2),
    ("NextAfter", np.nextafter),
):
    numpy_kernel(_op)(_ufunc)
# Its op def has integers too, but neither TensorFlow nor a quotient that is one of them.
numpy_kernel("RealDiv", types={"T": _FRACTIONS})(np.true_divide)


def floor_of_quotient(x: Any, y: Any) -> Any:
    """Rounds the quotient, so floor_divide(1, 0.1) is 10 and not numpy's 9."""
    quotient = np.true_divide(x, y)
    return np.floor(quotient, out=quotient) if isinstance(quotient, np.ndarray) else np.floor(quotient)


def truncated_quotient(x: Any, y: Any) -> Any:
    return np.trunc(np.true_divide(x, y))


def truncating_division(x: Any, y: Any) -> Any:
    """Integer division that rounds to zero, as C's."""
    return np.floor_divide(np.subtract(x, np.fmod(x, y)), y)


def checked_division(node: Node, kernel: Kernel, error: type[Exception], text: str) -> Kernel:
    """`kernel` for integers, which raises `error(text)` where an element would be divided by zero."""
    divisor = node.constant(1)
    if divisor is not None and divisor.all():
        return kernel

    def divide(x: Any, y: Any) -> Any:
        if not y.all() and x.size:
            np.add(x, y)  # that shapes don't fit is said first
            raise error(None, None, text)
        return kernel(x, y)

    return divide


def _register_division(op: str, integer: Kernel, real: Kernel, error: Any, text: str) -> None:
    @numpy_kernel.make(op)
    def make(node: Node) -> Kernel:
        return checked_division(node, integer, error, text) if node.output_types[0].is_integer else real


for _op, _integer, _real in (
    ("FloorDiv", np.floor_divide, floor_of_quotient),
    ("FloorMod", np.remainder, np.remainder),
    ("Div", truncating_division, np.true_divide),
    ("Mod", np.fmod, np.fmod),
):
    _register_division(_op, _integer, _real, errors.InvalidArgumentError, _DIVISION_BY_ZERO)
for _op, _integer, _real in (
    ("TruncateDiv", truncating_division, truncated_quotient),
    ("TruncateMod", np.fmod, np.fmod),
):
    # TensorFlow itself calls a zero divisor in these two an internal error.
    _register_division(_op, _integer, _real, errors.InternalError, _UNEXPECTED)


@numpy_kernel.make("DivNoNan")
def div_no_nan(node: Node) -> Kernel:
    zero = node.output_types[0].np.type(0)
    return lambda x, y: np.where(y == zero, zero, np.true_divide(x, y))


@numpy_kernel.make("MulNoNan")
def mul_no_nan(node: Node) -> Kernel:
    zero = node.output_types[0].np.type(0)
    return lambda x, y: np.where(y == zero, zero, np.multiply(x, y))


def _zero_where_x_is(node: Node, function: Kernel) -> Kernel:
    zero = node.output_types[0].np.type(0)
    return lambda x, y: np.where(x == zero, zero, function(x, y))


@numpy_kernel.make("Xdivy")
def xdivy(node: Node) -> Kernel:
    return _zero_where_x_is(node, np.true_divide)


@numpy_kernel.make("Xlogy")
def xlogy(node: Node) -> Kernel:
    return _zero_where_x_is(node, lambda x, y: np.multiply(x, np.log(y)))


@numpy_kernel.make("Xlog1py")
def xlog1py(node: Node) -> Kernel:
    return _zero_where_x_is(node, lambda x, y: np.multiply(x, np.log1p(y)))


@numpy_kernel.make("SquaredDifference")
def squared_difference(node: Node) -> Kernel:
    if node.output_types[0].is_complex:

        def squared_magnitude(x: Any, y: Any) -> Any:
            difference = np.subtract(x, y)
            return np.multiply(np.conjugate(difference), difference)

        return squared_magnitude

    def squared(x: Any, y: Any) -> Any:
        difference = np.subtract(x, y)
        if isinstance(difference, np.ndarray):
            return np.multiply(difference, difference, out=difference)
        return np.multiply(difference, difference)

    return squared


def power_of_integers(x: Any, y: Any) -> Any:
    try:
        return np.power(x, y)
    except ValueError as error:
        if "negative" not in str(error):
            raise
        text = "Integers to negative integer powers are not allowed"
        raise errors.InvalidArgumentError(None, None, text) from None


@numpy_kernel.make("Pow")
def power(node: Node) -> Kernel:
    if node.output_types[0].is_integer:
        return power_of_integers
    exponent = node.constant(1)
    if exponent is not None and exponent.ndim == 0:
        # numpy's general power costs a hundred times a product, and these exponents are what models use.
        if exponent == 2:
            return lambda x, y: np.square(x)
        if exponent == 1:
            return lambda x, y: np.positive(x)
    return np.power


@numpy_kernel.make("Cross")
def cross(node: Node) -> Kernel:
    dtype = node.output_types[0].np

    def product(a: Any, b: Any) -> Any:
        if a.shape != b.shape:
            text = f"Both inputs must be of same shape: {shapes.text(a.shape)} vs. {shapes.text(b.shape)}"
            raise errors.InvalidArgumentError(None, None, text)
        if a.ndim == 0:
            raise errors.InvalidArgumentError(None, None, "Input must be at least 1D")
        if a.shape[-1] != 3:
            text = "Cross-products are only defined for 3-element vectors."
            raise errors.FailedPreconditionError(None, None, text)
        out = np.empty(a.shape, dtype)
        for i, j, k in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
            np.subtract(a[..., j] * b[..., k], a[..., k] * b[..., j], out=out[..., i])
        return out

    return product


_MANY, _SMALL = 16, 512
"""From how many inputs, and up to how many elements in each, one reduction beats a call for each input."""

_WIDTH = 8
"""TensorFlow's AddN adds so many inputs up before it adds their sum to what it has; the rest, or one more, go first."""

_reduce: Any = np.add.reduce


def _first_of(count: int) -> int:
    """How many of the inputs of AddN are added up first."""
    rest = count % _WIDTH
    return rest if rest > 1 else min(rest + _WIDTH, count)


def sum_of_rows(rows: Any) -> Any:
    """The sum of arrays of two or more elements along the first axis, in the order of AddN."""
    count, dtype, first = len(rows), rows.dtype, _first_of(len(rows))
    if count == first:
        return _reduce(rows, 0, dtype)
    groups = rows[first:].reshape(-1, _WIDTH, *rows.shape[1:])
    sums = np.empty((1 + len(groups), *rows.shape[1:]), dtype)
    _reduce(rows[:first], 0, dtype, sums[0])
    _reduce(groups, 1, dtype, sums[1:])
    return _reduce(sums, 0, dtype)


def _sum_of_few(inputs: Any) -> Any:
    total = inputs[0] + inputs[1]
    for item in inputs[2:]:
        total += item  # in place, but for scalars
    return total


def _wrong_shapes(name: str, inputs: Any) -> errors.OpError | None:
    """What is wrong with the shapes of the inputs of AddN."""
    shape = inputs[0].shape
    for index, item in enumerate(inputs):
        if item.shape != shape:
            text = (
                f"Inputs to operation {name} of type AddN must have the same size and shape.  "
                f"Input 0: {shapes.text(shape)} != input {index}: {shapes.text(item.shape)}"
            )
            return errors.InvalidArgumentError(None, None, text)
    return None


def _sum_of(name: str, *inputs: Any) -> Any:
    count, like = len(inputs), inputs[0]
    if count >= _MANY and like.ndim and 1 < like.size <= _SMALL:
        try:
            joined = np.concatenate(inputs)
        except ValueError:  # of other ranks, or other sizes but for the first
            raise _wrong_shapes(name, inputs) or errors.InternalError(None, None, "AddN failed") from None
        if len({*map(len, inputs)}) == 1:
            return sum_of_rows(joined.reshape(count, *like.shape))
    wrong = _wrong_shapes(name, inputs)
    if wrong is not None:
        raise wrong
    first = _first_of(count)
    total = _sum_of_few(inputs[:first])
    for start in range(first, count, _WIDTH):
        total += _sum_of_few(inputs[start : start + _WIDTH])
    return total


@numpy_kernel.make("AddN", "AccumulateNV2")
def add_n(node: Node) -> Kernel:
    if node.output_types[0] is dtypes.variant:
        return lambda *inputs: reduce(lambda a, b: one_variant("AddN", a).plus(one_variant("AddN", b)), inputs)
    if len(node.input_types) == 1:
        return np.positive
    return partial(_sum_of, node.name)
