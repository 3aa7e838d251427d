"""Assertions on values: `tf.assert_equal`, `tf.assert_less`, `tf.assert_positive` ..."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from runstep.errors import InvalidArgumentError
from runstep.graph.constant_value import constant_value
from runstep.graph.convert import constant, convert_to_tensor
from runstep.graph.graph import name_scope
from runstep.graph.tensor import Tensor
from runstep.ops.arithmetic import subtract
from runstep.ops.comparison import equal, greater, greater_equal, less, less_equal, not_equal
from runstep.ops.elementwise import abs as abs_
from runstep.ops.logging import Assert
from runstep.ops.reduction import reduce_all

__all__ = [
    "assert_equal",
    "assert_greater",
    "assert_greater_equal",
    "assert_less",
    "assert_less_equal",
    "assert_near",
    "assert_negative",
    "assert_non_negative",
    "assert_non_positive",
    "assert_none_equal",
    "assert_positive",
]


def prefixed(message: str | None) -> str:
    """A message as it stands in front of another."""
    return f"{message}.  " if message else ""


def _static_text(data: Sequence[Any]) -> str:
    """What a failed assertion shows, from what is known while the graph is built."""
    parts = []
    for item in data:
        value = constant_value(item) if isinstance(item, Tensor) else item
        parts.append(item.name if value is None else str(value))
    return "\n".join(parts)


def _compare(
    sign: str,
    compare: Callable[[Any, Any], Tensor],
    x: Any,
    y: Any,
    data: Any,
    summarize: int | None,
    message: str | None,
    name: str | None,
    default_name: str,
) -> Any:
    with name_scope(name, default_name, [x, y, data]):
        x = convert_to_tensor(x, name="x")
        y = convert_to_tensor(y, name="y")
        if data is None:
            data = [
                f"Condition x {sign} y did not hold element-wise:",
                f"x ({x.name}) = ",
                x,
                f"y ({y.name}) = ",
                y,
            ]
        if message is not None:
            data = [message, *data]
        condition = reduce_all(compare(x, y))
        known = constant_value(condition)
        if known is not None and not known:
            raise InvalidArgumentError(None, None, _static_text(data))
        return Assert(condition, data, summarize=summarize)


def assert_equal(
    x: Any,
    y: Any,
    data: Any = None,
    summarize: int | None = None,
    message: str | None = None,
    name: str | None = None,
) -> Any:
    """The operation that fails unless x == y everywhere (source: tf.assert_equal).

    Args:
      data: tensors to show when it fails; x and y by default. summarize: so many elements of each, 3 by default.
      message: shown in front.

    Raises:
      InvalidArgumentError: it is known already that it fails.
    """
    with name_scope(name, "assert_equal", [x, y, data]):
        pass  # TensorFlow opens the scope twice, so that the nodes stand in assert_equal_1
    return _compare("==", equal, x, y, data, summarize, message, name, "assert_equal")


def assert_none_equal(
    x: Any,
    y: Any,
    data: Any = None,
    summarize: int | None = None,
    message: str | None = None,
    name: str | None = None,
) -> Any:
    """The operation that fails unless x != y everywhere; see `assert_equal` (source: tf.assert_none_equal)."""
    return _compare("!=", not_equal, x, y, data, summarize, message, name, "assert_none_equal")


def assert_less(
    x: Any,
    y: Any,
    data: Any = None,
    summarize: int | None = None,
    message: str | None = None,
    name: str | None = None,
) -> Any:
    """The operation that fails unless x < y everywhere; see `assert_equal` (source: tf.assert_less)."""
    return _compare("<", less, x, y, data, summarize, message, name, "assert_less")


def assert_less_equal(
    x: Any,
    y: Any,
    data: Any = None,
    summarize: int | None = None,
    message: str | None = None,
    name: str | None = None,
) -> Any:
    """The operation that fails unless x <= y everywhere; see `assert_equal` (source: tf.assert_less_equal)."""
    return _compare("<=", less_equal, x, y, data, summarize, message, name, "assert_less_equal")


def assert_greater(
    x: Any,
    y: Any,
    data: Any = None,
    summarize: int | None = None,
    message: str | None = None,
    name: str | None = None,
) -> Any:
    """The operation that fails unless x > y everywhere; see `assert_equal` (source: tf.assert_greater)."""
    return _compare(">", greater, x, y, data, summarize, message, name, "assert_greater")


def assert_greater_equal(
    x: Any,
    y: Any,
    data: Any = None,
    summarize: int | None = None,
    message: str | None = None,
    name: str | None = None,
) -> Any:
    """The operation that fails unless x >= y everywhere; see `assert_equal` (source: tf.assert_greater_equal)."""
    return _compare(">=", greater_equal, x, y, data, summarize, message, name, "assert_greater_equal")


def assert_near(
    x: Any,
    y: Any,
    rtol: Any = None,
    atol: Any = None,
    data: Any = None,
    summarize: int | None = None,
    message: str | None = None,
    name: str | None = None,
) -> Any:
    """The operation that fails unless |x - y| < atol + rtol * |y| everywhere (source: tf.assert_near).

    Args:
      rtol, atol: tolerances, 10 times the spacing of the dtype at 1 by default.
      data, summarize, message: as in `assert_equal`.

    Raises:
      ValueError: the dtype is no floating one and a tolerance isn't given.
    """
    with name_scope(name, "assert_near", [x, y, rtol, atol, data]):
        x = convert_to_tensor(x, name="x")
        y = convert_to_tensor(y, dtype=x.dtype, name="y")
        kind = x.dtype.base_dtype
        default = None if rtol is not None and atol is not None else 10 * np.finfo(kind.as_numpy_dtype).eps
        real = kind.real_dtype
        rtol = convert_to_tensor(default if rtol is None else rtol, dtype=real, name="rtol")
        atol = convert_to_tensor(default if atol is None else atol, dtype=real, name="atol")
        if data is None:
            data = [
                prefixed(message),
                f"x and y not equal to tolerance rtol = {rtol}, atol = {atol}",
                f"x ({x.name}) = ",
                x,
                f"y ({y.name}) = ",
                y,
            ]
        tolerance = atol + rtol * abs_(y)
        condition = reduce_all(less(abs_(subtract(x, y, name="sub")), tolerance))
        return Assert(condition, data, summarize=summarize)


def _signed(
    sign: str,
    x: Any,
    data: Any,
    summarize: int | None,
    message: str | None,
    name: str | None,
    default_name: str,
) -> Any:
    with name_scope(name, default_name, [x, data]):
        x = convert_to_tensor(x, name="x")
        if data is None:
            condition, shown = f"Condition x {sign} 0 did not hold element-wise:", f"x ({x.name}) = "
            # TensorFlow runs these two together for <=.
            texts = [condition + shown] if sign == "<=" else [condition, shown]
            data = [prefixed(message), *texts, x]
        zero = constant(0, dtype=x.dtype.base_dtype)
        if sign in ("<", ">"):
            pair = (x, zero) if sign == "<" else (zero, x)
            return assert_less(pair[0], pair[1], data=data, summarize=summarize)
        pair = (x, zero) if sign == "<=" else (zero, x)
        return assert_less_equal(pair[0], pair[1], data=data, summarize=summarize)


def assert_negative(
    x: Any, data: Any = None, summarize: int | None = None, message: str | None = None, name: str | None = None
) -> Any:
    """The operation that fails unless x < 0 everywhere; see `assert_equal` (source: tf.assert_negative)."""
    return _signed("<", x, data, summarize, message, name, "assert_negative")


def assert_positive(
    x: Any, data: Any = None, summarize: int | None = None, message: str | None = None, name: str | None = None
) -> Any:
    """The operation that fails unless x > 0 everywhere; see `assert_equal` (source: tf.assert_positive)."""
    return _signed(">", x, data, summarize, message, name, "assert_positive")


def assert_non_negative(
    x: Any, data: Any = None, summarize: int | None = None, message: str | None = None, name: str | None = None
) -> Any:
    """The operation that fails unless x >= 0 everywhere; see `assert_equal` (source: tf.assert_non_negative)."""
    return _signed(">=", x, data, summarize, message, name, "assert_non_negative")


def assert_non_positive(
    x: Any, data: Any = None, summarize: int | None = None, message: str | None = None, name: str | None = None
) -> Any:
    """The operation that fails unless x <= 0 everywhere; see `assert_equal` (source: tf.assert_non_positive)."""
    return _signed("<=", x, data, summarize, message, name, "assert_non_positive")
