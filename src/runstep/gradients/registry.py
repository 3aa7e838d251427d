"""The table of gradients: for each op type, the function that makes the nodes of its gradient.

    @gradient("Square")
    def _square(op, grad):
        return 2 * grad * op.inputs[0]

    no_gradient("Shape", "Rank")

A gradient function takes the operation and one gradient per output (a Tensor, IndexedSlices, or None where no gradient
comes in) and returns one per input (None: not differentiable in it); of an op with one input, that alone will do.
`RegisterGradient` is the same table under TensorFlow's name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from runstep.graph.operation import Operation

GradientFunction = Callable[..., Any]
_Function = TypeVar("_Function", bound=GradientFunction)

_rows: dict[str, GradientFunction | None] = {}
_takes_none: set[GradientFunction] = set()


def gradient(*types: str) -> Callable[[_Function], _Function]:
    """Makes the decorated function the gradient of these op types.

    Raises:
      KeyError: one of them has a gradient already.
    """

    def add(function: _Function) -> _Function:
        for kind in types:
            _add(kind, function)
        return function

    return add


def takes_none(function: _Function) -> _Function:
    """Says of a gradient function that it wants None, not zeros, for outputs that no gradient comes in for."""
    _takes_none.add(function)
    return function


def wants_zeros(function: GradientFunction) -> bool:
    """Whether a gradient function takes zeros for outputs that no gradient comes in for."""
    return function not in _takes_none


def no_gradient(*types: str) -> None:
    """Says that these op types are not differentiable: gradients stop there (source: tf.NotDifferentiable)."""
    for kind in types:
        _add(kind, None)


def _add(kind: str, function: GradientFunction | None) -> None:
    if kind in _rows:
        raise KeyError(f"Registering two gradient with name '{kind}'! (Previous registration was {_rows[kind]!r})")
    _rows[kind] = function


def find(kind: str, op: Operation | None = None) -> GradientFunction | None:
    """The gradient function of an op type; None when it is not differentiable.

    Raises:
      LookupError: nobody has said; names the operation.
    """
    import runstep.gradients.table  # noqa: F401 - all rows, when a gradient is first asked for

    try:
        return _rows[kind]
    except KeyError:
        where = "" if op is None else f" for operation '{op.name}'"
        raise LookupError(
            f'No gradient defined{where} (op type: {kind}). Use tf.RegisterGradient("{kind}") to define one, or '
            "tf.stop_gradient where none should flow."
        ) from None


def find_for(op: Operation) -> GradientFunction | None:
    """The gradient function of an operation; None when it is not differentiable.

    Raises:
      LookupError: nobody has said.
    """
    if not op.inputs:
        return None
    if op.type in op.graph._functions:
        from runstep.gradients.functional import named_call

        return named_call
    override = op.attrs.get("_gradient_op_type")
    return find(op.type if override is None else override.decode(), op)


def has_row(kind: str) -> bool:
    """Whether something has been said about this op type."""
    import runstep.gradients.table  # noqa: F401

    return kind in _rows


def types() -> Iterator[str]:
    """The op types that something has been said about."""
    return iter(_rows)


class RegisterGradient:
    """Makes the decorated function the gradient of an op type (source: tf.RegisterGradient).

    The function takes the operation and one gradient per output, and returns one per input.

    Raises:
      TypeError: the op type is not a string, or what is decorated not callable. KeyError: it has a gradient already.
    """

    def __init__(self, op_type: str) -> None:
        if not isinstance(op_type, str):
            raise TypeError("op_type must be a string")
        self._op_type = op_type

    def __call__(self, f: _Function) -> _Function:
        import runstep.gradients.table  # noqa: F401 - so that nobody redefines what is there

        if not callable(f):
            raise TypeError(f"The gradient of op type '{self._op_type}' must be a function, got {f!r}")
        _add(self._op_type, f)
        return f


def NotDifferentiable(op_type: str) -> None:  # noqa: N802 - TensorFlow's name
    """Says that an op type is not differentiable (source: tf.NotDifferentiable, tf.NoGradient).

    Raises:
      TypeError: it is not a string. KeyError: it has a gradient already.
    """
    import runstep.gradients.table  # noqa: F401

    if not isinstance(op_type, str):
        raise TypeError("op_type must be a string")
    _add(op_type, None)


NoGradient = NotDifferentiable
