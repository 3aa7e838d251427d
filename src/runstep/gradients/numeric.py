"""`tf.test.compute_gradient`: Jacobians as gradients say, and as differences say."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from runstep.gradients.backprop import gradients
from runstep.graph.composite import IndexedSlicesValue
from runstep.graph.convert import constant
from runstep.graph.tensor import Tensor
from runstep.ops.basic import identity
from runstep.session.default import get_default_session

__all__ = ["compute_gradient", "compute_gradient_error"]

Jacobians = tuple[Any, Any]


def compute_gradient(
    x: Any,
    x_shape: Any,
    y: Tensor,
    y_shape: Any,
    x_init_value: Any = None,
    delta: float = 1e-3,
    init_targets: Any = None,
    extra_feed_dict: Any = None,
) -> Any:
    """The Jacobian of `y` with respect to `x`, by gradients and by central differences (source:
    tf.test.compute_gradient).

    Args:
      x: a tensor, or a list of tensors. x_shape: its sizes, or a list of these.
      y: a tensor. y_shape: its sizes.
      x_init_value: the point to differentiate at; random in [0, 1) by default.
      delta: the step of the differences.
      init_targets: operations to run before. extra_feed_dict: what to feed besides `x`.

    Returns:
      Two arrays of shape [elements of x, elements of y], or a list of such pairs; a complex element counts as two.

    Raises:
      ValueError: there is no default session, or `x_init_value` does not have the shape `x_shape`.
    """
    session = get_default_session()
    if session is None:
        raise ValueError("Cannot compute a gradient: no default session is registered. Use `with sess.as_default()`.")
    for target in init_targets if isinstance(init_targets, list | tuple) else [init_targets] if init_targets else ():
        session.run(target)
    several = isinstance(x, list)
    xs = x if several else [x]
    shapes = x_shape if several else [x_shape]
    starts = x_init_value if several and x_init_value is not None else [x_init_value] * len(xs)
    points = [_point(*one) for one in zip(xs, shapes, starts, strict=True)]
    feeds = {**(extra_feed_dict or {}), **dict(zip(xs, points, strict=True))}
    found = [_jacobians(session, one, y, tuple(y_shape), feeds, delta) for one in xs]
    return found if several else found[0]


def _point(x: Tensor, shape: Sequence[int], start: Any) -> Any:
    dtype = x.dtype.base_dtype.np
    if start is None:
        return np.random.random_sample(tuple(shape)).astype(dtype)
    point = np.array(start, dtype)
    if point.shape != tuple(shape):
        raise ValueError(f"x_init_value has shape {point.shape}, x_shape is {tuple(shape)}")
    return point


def _parts(array: Any) -> Any:
    """The elements one after the other; of complex ones the real and imaginary parts. A view of `array`."""
    flat = array.reshape(-1)
    return flat.view(flat.real.dtype)


def _jacobians(session: Any, x: Tensor, y: Tensor, y_shape: tuple[int, ...], feeds: Any, delta: float) -> Jacobians:
    ones = constant(np.ones(y_shape, y.dtype.base_dtype.np))
    (dx,) = gradients(y, x, identity(ones))
    point = feeds[x]
    size = _parts(point).size
    upstream = np.zeros(y_shape, y.dtype.base_dtype.np)
    by_gradient = np.zeros((size, _parts(upstream).size), _parts(point).dtype)
    for column in range(by_gradient.shape[1]):
        chosen = upstream.copy()
        _parts(chosen)[column] = 1
        by_gradient[:, column] = _parts(_dense(session.run(dx, {**feeds, ones: chosen}), point))
    by_difference = np.zeros((size, by_gradient.shape[1]), _parts(point).dtype)
    for row in range(size):
        sides = []
        for step in (delta, -delta):
            moved = point.copy()
            _parts(moved)[row] += step
            sides.append(np.asarray(session.run(y, {**feeds, x: moved})))
        by_difference[row] = _parts((sides[0] - sides[1]) / np.asarray(2 * delta, _parts(sides[0]).dtype))
    return by_gradient, by_difference


def _dense(value: Any, like: Any) -> Any:
    if not isinstance(value, IndexedSlicesValue):
        return np.asarray(value)
    total = np.zeros_like(like)
    np.add.at(total, value.indices, value.values)
    return total


def compute_gradient_error(
    x: Any,
    x_shape: Any,
    y: Tensor,
    y_shape: Any,
    x_init_value: Any = None,
    delta: float = 1e-3,
    init_targets: Any = None,
    extra_feed_dict: Any = None,
) -> float:
    """The largest difference between the two Jacobians of `compute_gradient` (source: tf.test.compute_gradient_error).

    Args and raises: as `compute_gradient`.
    """
    found = compute_gradient(x, x_shape, y, y_shape, x_init_value, delta, init_targets, extra_feed_dict)
    pairs = [found] if isinstance(found, tuple) else found
    return max((float(np.abs(a - b).max()) for a, b in pairs if a.size), default=0.0)
