"""Every distribution's samples, probabilities and statistics are TensorFlow's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import runstep

Make = Callable[[Any], Any]


def f32(values: Any) -> Any:
    return np.array(values, np.float32)


LOC = np.array([[0.5], [-2.0]], np.float32)
SCALE = np.array([0.5, 1.0, 3.0], np.float32)
SIMPLEX = np.array([[0.2, 0.3, 0.5], [0.6, 0.3, 0.1]], np.float32)
ALPHA = np.array([[1.5, 2.0, 3.5], [0.5, 4.0, 2.0]], np.float32)
FAR = np.array([-30.0, -11.0, -6.0, -0.5, 0.0, 0.3, 2.0, 7.0, 20.0], np.float64)[:, None, None]
CLASSES = np.array([[0, 2], [1, 1], [2, 0]], np.int32)

# A distribution, and values at which to look at its probabilities.
ROWS: dict[str, tuple[Make, Any]] = {
    "normal": (lambda d: d.Normal(LOC, SCALE), FAR.astype(np.float32)),
    "normal float64": (lambda d: d.Normal(LOC.astype(np.float64), SCALE.astype(np.float64)), FAR),
    "normal scalar": (lambda d: d.Normal(1.0, scale=2.0), 0.25),
    "laplace": (lambda d: d.Laplace(LOC, SCALE), FAR.astype(np.float32)),
    "uniform": (lambda d: d.Uniform(LOC, SCALE + 1), f32([[[-2]], [[0.7]], [[1.5]], [[np.nan]]])),
    "student": (lambda d: d.StudentT(f32([0.5, 1.5, 3]), 0.5, SCALE), f32([-20, 0.2, 1])),
    "gamma": (lambda d: d.Gamma(f32([0.5, 1, 3]), LOC + 3), f32([[[0.01]], [[1.5]], [[9]]])),
    "exponential": (lambda d: d.Exponential(SCALE), f32([[0.01], [1.5], [9]])),
    "beta": (lambda d: d.Beta(SCALE, SCALE[::-1] + 1), f32([0.01, 0.5, 0.9])),
    "bernoulli": (lambda d: d.Bernoulli(probs=f32([0.1, 0.5, 0.9])), CLASSES[:, :1] % 2),
    "bernoulli logits": (lambda d: d.Bernoulli(LOC, dtype=d.Normal(0.0, 1.0).dtype), f32([0.0, 1.0])),
    "categorical": (lambda d: d.Categorical(probs=SIMPLEX), CLASSES),
    "categorical logits": (lambda d: d.Categorical(ALPHA, dtype=d.Normal(0.0, 1.0).dtype), CLASSES),
    "categorical vector": (lambda d: d.Categorical(ALPHA[0]), CLASSES),
    "dirichlet": (lambda d: d.Dirichlet(ALPHA[1]), SIMPLEX),
    "dirichlet above 1": (lambda d: d.Dirichlet(ALPHA[0]), SIMPLEX),
    "dirichlet batch": (lambda d: d.Dirichlet(ALPHA, allow_nan_stats=False).copy(concentration=ALPHA + 1), SIMPLEX),
    "dirichlet-multinomial": (lambda d: d.DirichletMultinomial(4.0, ALPHA), f32([1, 3, 0])),
    "multinomial": (lambda d: d.Multinomial([4.0], probs=SIMPLEX[:1]), f32([[1, 3, 0]])),
    "multinomial batch": (lambda d: d.Multinomial([4.0, 6.0], probs=SIMPLEX), f32([[1, 3, 0], [3, 2, 1]])),
    "multinomial logits": (lambda d: d.Multinomial(5.0, ALPHA[0]), f32([[1, 3, 1], [3, 2, 0]])),
}
AT_VALUES = "prob log_prob cdf log_cdf survival_function log_survival_function".split()
STATISTICS = "mean mode variance stddev entropy covariance".split()


@pytest.mark.parametrize("name", ROWS)
def test_values_and_statistics(name: str, same: Callable[..., None]) -> None:
    make, values = ROWS[name]

    def program(tf: Any, log: Any) -> None:
        one = make(tf.distributions)
        found = {}

        def tried(key: str, build: Callable[[], Any]) -> None:
            try:
                found[key] = build()
            except NotImplementedError as error:
                log(str(error))

        for method in AT_VALUES:
            tried(method, lambda: getattr(one, method)(values))
        for method in STATISTICS:
            tried(method, lambda: getattr(one, method)())
        tried("quantile", lambda: one.quantile(f32(0.3)))
        tried("itself", lambda: one.kl_divergence(one))
        for shape in () if name == "multinomial batch" else ((), (2, 2)):
            found[f"sample {shape}"] = one.sample(shape, seed=7)
        found |= {key: getattr(one, f"{key}_tensor")() for key in ("batch_shape", "event_shape")}
        found |= {key: getattr(one, key)() for key in ("is_scalar_batch", "is_scalar_event")}
        log({key: (tensor.shape.as_list(), tensor.dtype.name) for key, tensor in found.items()})
        log(
            str(one), repr(one), one.batch_shape.as_list(), one.event_shape.as_list(), repr(one.reparameterization_type)
        )
        log(sorted(one.parameters), one.copy(name="other").name)
        with tf.Session() as session:
            log(session.run(found))

    same(program, graph=False)


def test_counts_of_a_batch_of_multinomials() -> None:
    """TensorFlow draws the rows in parallel, in an order that changes from run to run: it has no numbers to compare."""
    one = runstep.distributions.Multinomial([4.0, 6.0], probs=[[0.2, 0.3, 0.5], [0.6, 0.4, 0.0]])
    with runstep.Session() as session:
        drawn = session.run(one.sample(200, seed=3))
    assert drawn.shape == (200, 2, 3)
    assert (drawn.sum(-1) == [4, 6]).all() and (drawn[:, 1, 2] == 0).all()
    np.testing.assert_allclose(drawn.mean(0), [[0.8, 1.2, 2.0], [3.6, 2.4, 0]], atol=0.3)


DRAWN = np.random.RandomState(5).uniform(0.3, 3, size=(2, 2, 3)).astype(np.float32)


def test_divergences_cross_entropies_and_gradients(same: Callable[..., None]) -> None:
    def program(tf: Any, log: Any) -> None:
        d = tf.distributions
        pairs = []
        for kind in (d.Normal, d.Gamma, d.Beta):
            pairs.append((kind(*tf.unstack(tf.constant(DRAWN[0]))), kind(*tf.unstack(tf.constant(DRAWN[1])))))
        for kind in (d.Bernoulli, d.Categorical, d.Dirichlet):
            pairs.append((kind(tf.constant(DRAWN[0])), kind(tf.constant(DRAWN[1]))))
        found = [d.kl_divergence(a, b) for a, b in pairs]
        found += [a.cross_entropy(b) for a, b in pairs]
        loc, scale = tf.constant(LOC), tf.constant(SCALE)
        for one in (d.Normal(loc, scale), d.Laplace(loc, scale), d.Uniform(loc, loc + scale)):
            for value in (one.sample(4, seed=3), one.log_prob(FAR.astype(np.float32)), one.entropy()):
                found += [grad for grad in tf.gradients(value, [loc, scale]) if grad is not None]
        found += tf.gradients(d.Categorical(loc).log_prob([0]), loc)
        found += tf.gradients(d.Gamma(scale, 2.0).sample(5, seed=3), scale)
        with tf.Session() as session:
            log(session.run(found))

    same(program, graph=False)


def test_shapes_that_only_the_step_knows(same: Callable[..., None]) -> None:
    def program(tf: Any, log: Any) -> None:
        d = tf.distributions
        loc = tf.placeholder(tf.float32)
        simplex = tf.placeholder(tf.float32, [None, None])
        count = tf.placeholder(tf.int32, [])
        found = []
        for one in (d.Normal(loc, 2.0), d.Bernoulli(logits=loc), d.Categorical(probs=simplex), d.Dirichlet(simplex)):
            drawn = one.sample(count, seed=2)
            found += [
                one.batch_shape_tensor(),
                one.event_shape_tensor(),
                drawn,
                one.prob(drawn[0]),
                one.is_scalar_batch(),
            ]
            log(drawn.shape.ndims)
        with tf.Session() as session:
            log(session.run(found, {loc: LOC, simplex: SIMPLEX, count: 5}))

    same(program, graph=False)


def test_what_is_refused(same: Callable[..., None]) -> None:
    def program(tf: Any, log: Any) -> None:
        d = tf.distributions
        log.tried(lambda: d.Bernoulli())
        log.tried(lambda: d.Categorical(logits=[1.0], probs=[1.0]))
        log.tried(lambda: d.Normal(1, 2))
        log.tried(lambda: d.Normal(1.0, tf.constant(2.0, tf.float64)))
        log.tried(lambda: d.Bernoulli(logits=3))
        log.tried(lambda: d.kl_divergence(d.Normal(0.0, 1.0), d.Uniform()))
        log.tried(lambda: d.Categorical([1.0, 2.0]).mean())
        log.tried(lambda: d.Normal(0.0, 1.0).covariance())
        log.tried(lambda: d.RegisterKL(d.Uniform, d.Uniform)(3))
        log.tried(lambda: d.Normal.param_static_shapes(tf.TensorShape([None])))
        for kind in (
            d.Normal,
            d.Gamma,
            d.Beta,
            d.Bernoulli,
            d.Exponential,
            d.Laplace,
            d.StudentT,
            d.Uniform,
            d.Dirichlet,
        ):
            log.tried(lambda: sorted(kind.param_static_shapes([2, 3]).items()))
        checked = [
            lambda: d.Normal(0.0, tf.constant([-1.0]), validate_args=True).mean(),
            lambda: d.Uniform(2.0, 1.0, validate_args=True).mean(),
            lambda: d.Bernoulli(probs=[1.5], validate_args=True).mean(),
            lambda: d.Categorical(probs=[0.5, 0.6], validate_args=True).entropy(),
            lambda: d.Beta(2.0, 3.0, validate_args=True).prob(1.5),
            lambda: d.Gamma(2.0, 3.0, validate_args=True).prob(-1.5),
            lambda: d.Gamma([0.5, 3.0], 3.0, allow_nan_stats=False).mode(),
            lambda: d.StudentT([0.5, 3.0], 0.0, 3.0, allow_nan_stats=False).mean(),
            lambda: d.Multinomial(4.0, [1.0, 2.0], validate_args=True).prob([1.0, 2.0]),
            lambda: d.Multinomial(4.0, [1.0, 2.0], validate_args=True).prob([1.5, 2.5]),
            lambda: d.Dirichlet([1.0, 2.0], validate_args=True).prob([0.5, 0.6]),
            lambda: d.DirichletMultinomial(2.5, [1.0, 2.0], validate_args=True).mean(),
        ]
        with tf.Session() as session:
            for build in checked:  # some are refused when they are built, others when they run
                log.tried(lambda: session.run(build()))

    same(program, graph=False, texts=False)


def test_a_distribution_of_the_users_own(same: Callable[..., None]) -> None:
    def program(tf: Any, log: Any) -> None:
        d = tf.distributions

        class Two(d.Distribution):  # type: ignore[name-defined, misc]
            def __init__(self) -> None:
                super().__init__(tf.float32, d.NOT_REPARAMETERIZED, False, True, name="Two")

            def _prob(self, value: Any) -> Any:
                return value / 2

            def _stddev(self) -> Any:
                return tf.constant(3.0)

            def _batch_shape(self) -> Any:
                return tf.TensorShape([])

            def _event_shape(self) -> Any:
                return tf.TensorShape([])

            def _sample_n(self, n: Any, seed: Any = None) -> Any:
                return tf.ones([n])

        @d.RegisterKL(Two, d.Distribution)
        def _(a: Any, b: Any, name: Any = None) -> Any:
            return tf.constant(np.nan)

        one = Two()
        found = [one.log_prob(0.5), one.variance(), one.sample([2]), d.kl_divergence(one, one)]
        log(found, one.name, Two().name)
        log.tried(lambda: one.entropy())
        log.tried(lambda: d.RegisterKL(Two, d.Distribution)(lambda a, b: None) and None)
        with tf.Session() as session:
            log(session.run(found))
            log.tried(lambda: session.run(d.kl_divergence(one, one, allow_nan_stats=False)))

    same(program, graph=False, texts=False)
