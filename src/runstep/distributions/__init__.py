"""`tf.distributions`: probability distributions (source: tf.compat.v1.distributions)."""

from runstep.distributions.bernoulli import Bernoulli
from runstep.distributions.beta import Beta
from runstep.distributions.categorical import Categorical
from runstep.distributions.dirichlet import Dirichlet
from runstep.distributions.dirichlet_multinomial import DirichletMultinomial
from runstep.distributions.distribution import (
    FULLY_REPARAMETERIZED,
    NOT_REPARAMETERIZED,
    Distribution,
    ReparameterizationType,
)
from runstep.distributions.divergence import RegisterKL, kl_divergence
from runstep.distributions.gamma import Exponential, Gamma
from runstep.distributions.laplace import Laplace
from runstep.distributions.multinomial import Multinomial
from runstep.distributions.normal import Normal
from runstep.distributions.student_t import StudentT
from runstep.distributions.uniform import Uniform

__all__ = [
    "FULLY_REPARAMETERIZED",
    "NOT_REPARAMETERIZED",
    "Bernoulli",
    "Beta",
    "Categorical",
    "Dirichlet",
    "DirichletMultinomial",
    "Distribution",
    "Exponential",
    "Gamma",
    "Laplace",
    "Multinomial",
    "Normal",
    "RegisterKL",
    "ReparameterizationType",
    "StudentT",
    "Uniform",
    "kl_divergence",
]
