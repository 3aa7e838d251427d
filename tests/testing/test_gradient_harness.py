"""`check_grads` finds what is wrong with a gradient, and passes what is right."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from runstep.gradients import registry
from runstep.graph.apply import apply
from runstep.graph.composite import IndexedSlices
from runstep.graph.convert import constant_node
from runstep.testing import case, check_grads, complex_, grad_case, real

WIDE = {"T": ["float64"]}
X = real(2, 3)


@pytest.fixture
def says(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Lets an op have another gradient."""
    registry.has_row("Add")  # the table is full

    def change(kind: str, function: Any) -> None:
        monkeypatch.setitem(registry._rows, kind, function)

    return change


def fails(message: str, *inputs: Any, **more: Any) -> None:
    with pytest.raises(AssertionError, match=message):
        check_grads(grad_case(*inputs, **more))


def test_right_gradients_pass_in_every_form() -> None:
    check_grads(grad_case("Mul", X, X, order=1))
    check_grads(case("Mul", complex_(2), complex_(2)), order=1)
    check_grads(grad_case(lambda x, y: [x * y, x + y], X, X, order=1, name="both"))


def test_a_wrong_value_is_found(says: Any) -> None:
    says("Mul", lambda op, grad: [grad * op.inputs[1], grad * op.inputs[1]])
    fails("gradient 1 of order 1: .*elements differ", "Mul", X, X, types=WIDE)


def test_a_gradient_too_few_is_found(says: Any) -> None:
    says("Mul", lambda op, grad: [grad * op.inputs[1], None])
    fails("gradient 1 of order 1 is None, TensorFlow's float64", "Mul", X, X, types=WIDE)


def test_slices_where_tensorflow_has_a_tensor_are_found(says: Any) -> None:
    says("Neg", lambda op, grad: IndexedSlices(-grad, constant_node(np.arange(2))))
    fails("is slices of float64 at int64, TensorFlow's float64", "Neg", X, types=WIDE, order=1)


def test_a_missing_gradient_is_found(says: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(registry._rows, "Mul")
    fails("building raised LookupError.*TensorFlow raised nothing", "Mul", X, X, types=WIDE)


def test_a_wrong_second_order_is_found(says: Any) -> None:
    def no_slope(op: Any, grad: Any) -> Any:
        return [grad * apply("StopGradient", op.inputs[1]), grad * op.inputs[0]]

    says("Mul", no_slope)
    fails("of order 2", "Mul", X, X, types=WIDE)
    check_grads(grad_case("Mul", X, X, types=WIDE, order=1))


def test_central_differences_find_what_tensorflow_is_not_asked(says: Any) -> None:
    says("Mul", lambda op, grad: [grad * op.inputs[1] * 1.001, grad * op.inputs[0]])
    fails("along a random direction", "Mul", X, X, types=WIDE, beyond=True, order=1)


def test_an_error_that_tensorflow_does_not_raise_is_found() -> None:
    fails("TensorFlow does not raise LookupError", "Mul", X, X, types=WIDE, error=LookupError)


def test_what_cannot_be_said_is_refused() -> None:
    with pytest.raises(TypeError, match="a forward row has its inputs"):
        grad_case(case("Neg", X), X)
