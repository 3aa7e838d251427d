"""What the Dirichlet distributions share: a vector of concentrations over k classes."""

from __future__ import annotations

from runstep.distributions.distribution import Distribution
from runstep.distributions.parameters import after
from runstep.graph.shapes import TensorShape
from runstep.graph.tensor import Tensor
from runstep.ops.assertions import assert_less, assert_positive
from runstep.ops.assertions_static import assert_rank_at_least
from runstep.ops.matmul import matmul
from runstep.ops.matrix_diag import matrix_set_diag
from runstep.ops.shape_ops import expand_dims, shape as shape_of


class Concentrated(Distribution):
    """A distribution over k classes, of concentrations [..., k] above 0."""

    _concentration: Tensor
    _total: Tensor

    @property
    def concentration(self) -> Tensor:
        """[..., k]: how much belongs to each class."""
        return self._concentration

    @property
    def total_concentration(self) -> Tensor:
        """[...]: the sum over classes."""
        return self._total

    def _batch_shape_tensor(self) -> Tensor:
        return shape_of(self._total)

    def _batch_shape(self) -> TensorShape:
        return self._total.get_shape()

    def _event_shape_tensor(self) -> Tensor:
        return shape_of(self._concentration)[-1:]

    def _event_shape(self) -> TensorShape:
        return self._concentration.get_shape().with_rank_at_least(1)[-1:]


def valid_concentration(concentration: Tensor, validate_args: bool) -> Tensor:
    """`concentration`, checked to be positive and to have two classes or more."""
    if not validate_args:
        return concentration
    return after(
        [
            assert_positive(concentration, message="Concentration parameter must be positive."),
            assert_rank_at_least(concentration, 1, message="Concentration parameter must have >=1 dimensions."),
            assert_less(1, shape_of(concentration)[-1], message="Concentration parameter must have event_size >= 2."),
        ],
        concentration,
    )


def with_variance(covariance: Tensor, variance: Tensor) -> Tensor:
    """`-covariance`, [..., k, k], with the variances [..., k] on the diagonal."""
    return matrix_set_diag(-covariance, variance)


def outer(x: Tensor, y: Tensor) -> Tensor:
    """[..., k, k]: the products of two vectors' elements."""
    return matmul(expand_dims(x, -1), expand_dims(y, -2))
