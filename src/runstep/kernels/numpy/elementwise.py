"""Functions of one tensor, element by element. Most are numpy's ufunc itself."""

from __future__ import annotations

from typing import Any

import numpy as np

from runstep.graph.dtypes import DType
from runstep.kernels.numpy.shape_ops import invalid
from runstep.kernels.registry import Kernel, Node, numpy_kernel

for _op, _ufunc in (
    ("Neg", np.negative),
    ("Abs", np.absolute),
    ("Square", np.square),
    ("Sqrt", np.sqrt),
    ("Log", np.log),
    ("Exp", np.exp),
    ("Sin", np.sin),
    ("Cos", np.cos),
    ("Tan", np.tan),
    ("Asin", np.arcsin),
    ("Acos", np.arccos),
    ("Atan", np.arctan),
    ("Sinh", np.sinh),
    ("Cosh", np.cosh),
    ("Tanh", np.tanh),
    ("Asinh", np.arcsinh),
    ("Acosh", np.arccosh),
    ("Atanh", np.arctanh),
    ("Log1p", np.log1p),
    ("Expm1", np.expm1),
    ("Floor", np.floor),
    ("Ceil", np.ceil),
    ("Rint", np.rint),
    ("IsNan", np.isnan),
    ("IsInf", np.isinf),
    ("IsFinite", np.isfinite),
    ("Reciprocal", np.reciprocal),
    ("Inv", np.reciprocal),
):
    numpy_kernel(_op)(_ufunc)


def is_narrow(dtype: DType) -> bool:
    """Floats that are computed in float32 and rounded once."""
    return dtype.is_floating and dtype.size < 4


def in_float32(kernel: Kernel, dtype: np.dtype[Any]) -> Kernel:
    """`kernel` computed in float32 on inputs of a narrow dtype, and rounded once to `dtype`."""
    single = np.float32
    return lambda *inputs: kernel(*[x.astype(single) for x in inputs]).astype(dtype)


def _widened(node: Node, kernel: Kernel) -> Kernel:
    dtype = node.output_types[0]
    return in_float32(kernel, dtype.np) if is_narrow(dtype) else kernel


def _rsqrt(x: Any) -> Any:
    root = np.sqrt(x)
    return np.reciprocal(root, out=root) if isinstance(root, np.ndarray) else np.reciprocal(root)


@numpy_kernel.make("Rsqrt")
def rsqrt(node: Node) -> Kernel:
    return _widened(node, _rsqrt)


@numpy_kernel.make("Sigmoid")
def sigmoid(node: Node) -> Kernel:
    dtype = node.output_types[0]
    one = np.float32(1) if is_narrow(dtype) else dtype.np.type(1)

    def logistic(x: Any) -> Any:
        y = np.negative(x)
        if not isinstance(y, np.ndarray):
            return np.reciprocal(np.exp(y) + one)
        np.exp(y, out=y)
        np.add(y, one, out=y)
        return np.reciprocal(y, out=y)

    return _widened(node, logistic)


@numpy_kernel.make("Round")
def round_(node: Node) -> Kernel:
    return np.positive if node.output_types[0].is_integer else np.rint


def _direction(x: Any) -> Any:
    """`x / abs(x)`, 0 at 0."""
    magnitude = np.absolute(x)
    return np.where(magnitude == 0, x.dtype.type(0), x / magnitude)


@numpy_kernel.make("Sign")
def sign(node: Node) -> Kernel:
    return _direction if node.output_types[0].is_complex else np.sign


# Gradients, given the forward result y and the gradient dy of what follows.


def _alike(y: Any, dy: Any) -> Any:
    """`dy` in the shape of `y`. InvalidArgumentError where they have different numbers of elements."""
    if y.size != dy.size:
        invalid(f"The two arguments to a cwise op must have same number of elements, got {y.size} and {dy.size}")
    return dy.reshape(y.shape)


def _conjugating(op: str, kernel: Kernel) -> None:
    """Registers a gradient that conjugates a complex derivative. (Sigmoid's and tanh's get y conjugated already.)"""

    @numpy_kernel.make(op)
    def make(node: Node) -> Kernel:
        if node.output_types[0].is_complex:
            return lambda y, dy: kernel(np.conjugate(y), dy if y.shape == dy.shape else _alike(y, dy))
        return lambda y, dy: kernel(y, dy if y.shape == dy.shape else _alike(y, dy))


def _where_it_came(kernel: Kernel) -> Kernel:
    """A gradient that is 0 where 0 came in, also where the derivative has no finite value."""

    def run(y: Any, dy: Any) -> Any:
        found = kernel(y, dy)
        if type(found) is np.ndarray:
            np.copyto(found, found.dtype.type(0), where=dy == 0)
            return found
        return found if dy != 0 else found.dtype.type(0)

    return run


@numpy_kernel("SigmoidGrad")
def _sigmoid_grad(y: Any, dy: Any) -> Any:
    found = (dy if y.shape == dy.shape else _alike(y, dy)) * y
    rest = y.dtype.type(1) - y
    return np.multiply(found, rest, out=found) if type(found) is np.ndarray else found * rest


@numpy_kernel("TanhGrad")
def _tanh_grad(y: Any, dy: Any) -> Any:
    if y.shape != dy.shape:
        dy = _alike(y, dy)
    found = np.square(y)
    if type(found) is not np.ndarray:
        return dy * (y.dtype.type(1) - found)
    np.subtract(y.dtype.type(1), found, out=found)
    return np.multiply(dy, found, out=found)


_conjugating("SqrtGrad", _where_it_came(lambda y, dy: dy * y.dtype.type(0.5) / y))
_conjugating("RsqrtGrad", _where_it_came(lambda y, dy: dy * y.dtype.type(-0.5) * y * np.square(y)))
for _name in ("ReciprocalGrad", "InvGrad"):
    _conjugating(_name, _where_it_came(lambda y, dy: np.negative(dy) * np.square(y)))
