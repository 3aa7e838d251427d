"""`tf.random`: random numbers (source: tf.compat.v1.random)."""

from runstep.ops.random import (
    categorical as categorical,
    multinomial as multinomial,
    random_gamma as gamma,
    random_normal as normal,
    random_poisson as poisson,
    random_shuffle as shuffle,
    random_uniform as uniform,
    truncated_normal as truncated_normal,
)
from runstep.ops.random_samplers import (
    all_candidate_sampler as all_candidate_sampler,
    fixed_unigram_candidate_sampler as fixed_unigram_candidate_sampler,
    learned_unigram_candidate_sampler as learned_unigram_candidate_sampler,
    log_uniform_candidate_sampler as log_uniform_candidate_sampler,
    uniform_candidate_sampler as uniform_candidate_sampler,
)
from runstep.ops.random_stateless import (
    stateless_categorical as stateless_categorical,
    stateless_gamma as stateless_gamma,
    stateless_multinomial as stateless_multinomial,
    stateless_normal as stateless_normal,
    stateless_parameterized_truncated_normal as stateless_parameterized_truncated_normal,
    stateless_poisson as stateless_poisson,
    stateless_truncated_normal as stateless_truncated_normal,
    stateless_uniform as stateless_uniform,
)
