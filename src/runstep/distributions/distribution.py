"""What all distributions share: names, shapes of samples, and which method stands in for which."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from runstep.distributions import divergence
from runstep.graph import dtypes
from runstep.graph.constant_value import constant_value, constant_value_as_shape
from runstep.graph.convert import constant, convert_to_tensor
from runstep.graph.dtypes import DType
from runstep.graph.graph import name_scope
from runstep.graph.shapes import TensorShape
from runstep.graph.tensor import Tensor, TensorLike
from runstep.ops.comparison import equal
from runstep.ops.conversion import is_tensor
from runstep.ops.elementwise import exp, log, log1p, sqrt, square
from runstep.ops.joining import concat
from runstep.ops.reduction import reduce_prod
from runstep.ops.shape_ops import broadcast_dynamic_shape, broadcast_static_shape, reshape, shape as shape_of


class ReparameterizationType:
    """Whether gradients flow through samples. Mirrors `tf.distributions.ReparameterizationType`."""

    def __init__(self, rep_type: str) -> None:
        self._rep_type = rep_type

    def __repr__(self) -> str:
        return f"<Reparameterization Type: {self._rep_type}>"

    def __eq__(self, other: object) -> bool:
        return self is other

    __hash__ = object.__hash__


FULLY_REPARAMETERIZED = ReparameterizationType("FULLY_REPARAMETERIZED")
NOT_REPARAMETERIZED = ReparameterizationType("NOT_REPARAMETERIZED")


class Distribution:
    """A batch of distributions. Mirrors `tf.distributions.Distribution`.

    A subclass implements those that it has of `_sample_n(n, seed)`, `_log_prob(value)` or `_prob(value)`, `_mean()` and
    so on; the public methods give names, convert, and go by another way where one is missing (`prob` by `_log_prob`,
    `variance` by `_stddev`). A sample has the shape `sample_shape + batch_shape + event_shape`.

    Args:
      dtype: of the samples. reparameterization_type: FULLY_REPARAMETERIZED where gradients flow through samples.
      validate_args: whether assertions check parameters and values when they run.
      allow_nan_stats: NaN for statistics that do not exist; else an assertion fails.
      parameters: what the constructor was given, for `copy`.
    """

    def __init__(
        self,
        dtype: Any,
        reparameterization_type: ReparameterizationType,
        validate_args: bool,
        allow_nan_stats: bool,
        parameters: dict[str, Any] | None = None,
        graph_parents: list[Tensor] | None = None,
        name: str | None = None,
    ) -> None:
        for place, parent in enumerate(graph_parents or []):
            if not is_tensor(parent):
                raise ValueError(f"Graph parent item {place} is not a Tensor; {parent}.")
        if not name or name[-1] != "/":
            with name_scope(name or type(self).__name__) as name:
                pass
        self._dtype = dtypes.as_dtype(dtype)
        self._reparameterization_type = reparameterization_type
        self._validate_args = validate_args
        self._allow_nan_stats = allow_nan_stats
        self._parameters = parameters or {}
        self._graph_parents = graph_parents or []
        self._name = name

    # --- what it is -----------------------------------------------------------------------------------------------

    @property
    def name(self) -> str:
        """The scope of its nodes, a slash at the end."""
        return self._name or ""

    @property
    def dtype(self) -> DType:
        """The type of samples."""
        return self._dtype

    @property
    def parameters(self) -> dict[str, Any]:
        """What the constructor was given."""
        return {
            key: value
            for key, value in self._parameters.items()
            if not key.startswith("__") and key not in ("self", "name_scope")
        }

    @property
    def reparameterization_type(self) -> ReparameterizationType:
        """Whether gradients flow through samples."""
        return self._reparameterization_type

    @property
    def allow_nan_stats(self) -> bool:
        """Whether a statistic that does not exist is NaN, not an error."""
        return self._allow_nan_stats

    @property
    def validate_args(self) -> bool:
        """Whether assertions check parameters and values."""
        return self._validate_args

    @classmethod
    def param_shapes(cls, sample_shape: Any, name: str = "DistributionParamShapes") -> dict[str, Tensor]:
        """The shapes of parameters for which one sample has the shape `sample_shape`."""
        with name_scope(name, values=[sample_shape]):
            return cls._param_shapes(sample_shape)

    @classmethod
    def param_static_shapes(cls, sample_shape: Any) -> dict[str, TensorShape]:
        """As `param_shapes`, worked out now. ValueError unless `sample_shape` is a known shape."""
        unknown = "sample_shape must be a fully-defined TensorShape or list/tuple"
        if isinstance(sample_shape, TensorShape):
            if not sample_shape.is_fully_defined():
                raise ValueError(unknown)
            sample_shape = sample_shape.as_list()
        found = {}
        for name, shape in cls.param_shapes(sample_shape).items():
            known = constant_value(shape)
            if known is None:
                raise ValueError(unknown)
            found[name] = TensorShape(known)
        return found

    @classmethod
    def _param_shapes(cls, sample_shape: Any) -> dict[str, Tensor]:
        raise NotImplementedError("_param_shapes not implemented")

    def copy(self, **override_parameters_kwargs: Any) -> Any:
        """Another of this class; parameters that are not given are this one's."""
        return type(self)(**{**self.parameters, **override_parameters_kwargs})

    # --- shapes ---------------------------------------------------------------------------------------------------

    def batch_shape_tensor(self, name: str = "batch_shape_tensor") -> Tensor:
        """int32: the shape of the batch of distributions."""
        with self._scope(name):
            if self.batch_shape.is_fully_defined():
                return convert_to_tensor(self.batch_shape.as_list(), dtypes.int32, name="batch_shape")
            return self._batch_shape_tensor()

    @property
    def batch_shape(self) -> TensorShape:
        """What is known of the shape of the batch of distributions."""
        return TensorShape(self._batch_shape())

    def event_shape_tensor(self, name: str = "event_shape_tensor") -> Tensor:
        """int32: the shape of one sample of one distribution."""
        with self._scope(name):
            if self.event_shape.is_fully_defined():
                return convert_to_tensor(self.event_shape.as_list(), dtypes.int32, name="event_shape")
            return self._event_shape_tensor()

    @property
    def event_shape(self) -> TensorShape:
        """What is known of the shape of one sample of one distribution."""
        return TensorShape(self._event_shape())

    def is_scalar_event(self, name: str = "is_scalar_event") -> Tensor:
        """bool: whether `event_shape` is `[]`."""
        with self._scope(name):
            return convert_to_tensor(
                _is_scalar(self.event_shape, self.event_shape_tensor), dtypes.bool, name="is_scalar_event"
            )

    def is_scalar_batch(self, name: str = "is_scalar_batch") -> Tensor:
        """bool: whether `batch_shape` is `[]`."""
        with self._scope(name):
            return convert_to_tensor(
                _is_scalar(self.batch_shape, self.batch_shape_tensor), dtypes.bool, name="is_scalar_batch"
            )

    def _batch_shape_tensor(self) -> Tensor:
        raise self._lacks("batch_shape")

    def _batch_shape(self) -> Any:
        return TensorShape(None)

    def _event_shape_tensor(self) -> Tensor:
        raise self._lacks("event_shape")

    def _event_shape(self) -> Any:
        return TensorShape(None)

    # --- samples and probabilities --------------------------------------------------------------------------------

    def sample(self, sample_shape: Any = (), seed: int | None = None, name: str = "sample") -> Tensor:
        """Independent samples: `sample_shape` of them from each distribution of the batch."""
        with self._scope(name, [sample_shape]):
            outer = convert_to_tensor(sample_shape, dtypes.int32, name="sample_shape")
            known = constant_value(outer)
            count = reduce_prod(outer) if known is None else convert_to_tensor(int(np.prod(known)), dtypes.int32)
            if outer.raw_shape != (None,) and outer.raw_shape is not None and len(outer.raw_shape) == 0:
                outer = reshape(outer, [1])
            drawn = self._draw(count, seed)
            drawn = reshape(drawn, concat([outer, shape_of(drawn)[1:]], 0))
            return self._with_static_shape(drawn, outer)

    def _draw(self, count: Tensor, seed: int | None) -> Tensor:
        if not hasattr(self, "_sample_n"):
            raise self._lacks("sample_n")
        return self._sample_n(count, seed)

    def _with_static_shape(self, drawn: Tensor, sample_shape: Tensor) -> Tensor:
        whole = constant_value_as_shape(sample_shape).concatenate(self.batch_shape).concatenate(self.event_shape)
        if whole.ndims is not None:
            drawn.set_shape(whole)
        return drawn

    def log_prob(self, value: TensorLike, name: str = "log_prob") -> Tensor:
        """The logarithm of `prob`."""
        return self._at(value, name, ("_log_prob", None), ("_prob", log))

    def prob(self, value: TensorLike, name: str = "prob") -> Tensor:
        """The density of `value`, or its probability where values are discrete."""
        return self._at(value, name, ("_prob", None), ("_log_prob", exp))

    def log_cdf(self, value: TensorLike, name: str = "log_cdf") -> Tensor:
        """The logarithm of `cdf`."""
        return self._at(value, name, ("_log_cdf", None), ("_cdf", log))

    def cdf(self, value: TensorLike, name: str = "cdf") -> Tensor:
        """The probability that a sample is not greater than `value`."""
        return self._at(value, name, ("_cdf", None), ("_log_cdf", exp))

    def log_survival_function(self, value: TensorLike, name: str = "log_survival_function") -> Tensor:
        """The logarithm of `survival_function`."""
        return self._at(value, name, ("_log_survival_function", None), ("cdf", lambda below: log1p(-below)))

    def survival_function(self, value: TensorLike, name: str = "survival_function") -> Tensor:
        """The probability that a sample is greater than `value`."""
        return self._at(value, name, ("_survival_function", None), ("cdf", lambda below: 1.0 - below))

    def quantile(self, value: TensorLike, name: str = "quantile") -> Tensor:
        """The number whose `cdf` is `value`."""
        return self._at(value, name, ("_quantile", None))

    # --- statistics -----------------------------------------------------------------------------------------------

    def entropy(self, name: str = "entropy") -> Tensor:
        """Shannon's entropy, in nats."""
        return self._statistic(name, ("_entropy", None))

    def mean(self, name: str = "mean") -> Tensor:
        """The mean."""
        return self._statistic(name, ("_mean", None))

    def variance(self, name: str = "variance") -> Tensor:
        """The mean squared distance from the mean."""
        return self._statistic(name, ("_variance", None), ("_stddev", square))

    def stddev(self, name: str = "stddev") -> Tensor:
        """The square root of the variance."""
        return self._statistic(name, ("_stddev", None), ("_variance", sqrt))

    def covariance(self, name: str = "covariance") -> Tensor:
        """[..., k, k]: how the k parts of a sample vary together."""
        return self._statistic(name, ("_covariance", None))

    def mode(self, name: str = "mode") -> Tensor:
        """The value of highest `prob`."""
        return self._statistic(name, ("_mode", None))

    def cross_entropy(self, other: Distribution, name: str = "cross_entropy") -> Tensor:
        """The mean of `-other.log_prob` over samples of this one, in nats."""
        with self._scope(name):
            return divergence.cross_entropy(self, other, allow_nan_stats=self.allow_nan_stats)

    def kl_divergence(self, other: Distribution, name: str = "kl_divergence") -> Tensor:
        """What `other` loses in nats when it stands for this one. NotImplementedError for a pair without a formula."""
        with self._scope(name):
            return divergence.kl_divergence(self, other, allow_nan_stats=self.allow_nan_stats)

    # --- how ------------------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _scope(self, name: str, values: Sequence[Any] = ()) -> Iterator[None]:
        with name_scope(self.name), name_scope(name, values=[*values, *self._graph_parents]):
            yield

    def _at(self, value: Any, name: str, *ways: tuple[str, Any]) -> Tensor:
        with self._scope(name, [value]):
            tensor = convert_to_tensor(value, name="value", preferred_dtype=self.dtype)
            return self._by(ways, tensor)

    def _statistic(self, name: str, *ways: tuple[str, Any]) -> Tensor:
        with self._scope(name):
            return self._by(ways)

    def _by(self, ways: Sequence[tuple[str, Any]], *args: Tensor) -> Tensor:
        """The first method that is implemented; what it gives goes through the function beside it."""
        for method, after in ways:
            with contextlib.suppress(NotImplementedError):
                if hasattr(self, method):
                    found = getattr(self, method)(*args)
                    return found if after is None else after(found)
        raise self._lacks(ways[0][0].lstrip("_"))

    def _lacks(self, what: str) -> NotImplementedError:
        return NotImplementedError(f"{what} is not implemented: {type(self).__name__}")

    def __str__(self) -> str:
        return (
            f'tfp.distributions.{type(self).__name__}("{self.name}"{self._shapes_text(", ")}, dtype={self.dtype.name})'
        )

    def __repr__(self) -> str:
        kind = type(self).__name__
        return (
            f"<tfp.distributions.{kind} '{self.name}' batch_shape={self.batch_shape} "
            f"event_shape={self.event_shape} dtype={self.dtype.name}>"
        )

    def _shapes_text(self, separator: str) -> str:
        shapes = (("batch_shape", self.batch_shape), ("event_shape", self.event_shape))
        return "".join(f"{separator}{name}={shape}" for name, shape in shapes if shape.ndims is not None)


class ScalarEvents(Distribution):
    """A distribution of numbers: its batch has the shape of its parameters, broadcast, and events are scalars."""

    _batch_parameters: tuple[Tensor, ...] = ()

    def _batch_shape_tensor(self) -> Tensor:
        first, *others = map(shape_of, self._batch_parameters)
        for other in others:
            first = broadcast_dynamic_shape(first, other)
        return first

    def _batch_shape(self) -> TensorShape:
        first, *others = (parameter.get_shape() for parameter in self._batch_parameters)
        for other in others:
            first = broadcast_static_shape(first, other)
        return first

    def _event_shape_tensor(self) -> Tensor:
        return constant([], dtypes.int32)

    def _event_shape(self) -> TensorShape:
        return TensorShape([])

    def _sample_shape(self, count: Tensor) -> Tensor:
        """The shape of `count` samples from each distribution of the batch."""
        return concat([[count], self.batch_shape_tensor()], 0)


def _is_scalar(static: TensorShape, dynamic: Callable[[], Tensor]) -> Any:
    if static.ndims is not None:
        return static.ndims == 0
    found = dynamic()
    if found.get_shape().is_fully_defined():
        return found.get_shape().as_list() == [0]
    return equal(shape_of(found)[0], 0)
