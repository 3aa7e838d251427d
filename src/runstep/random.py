"""`tf.random`: random numbers (source: tf.compat.v1.random)."""

from runstep.ops.random import (
    categorical as categorical,
)
from runstep.ops.random import (
    multinomial as multinomial,
)
from runstep.ops.random import (
    random_gamma as gamma,
)
from runstep.ops.random import (
    random_normal as normal,
)
from runstep.ops.random import (
    random_poisson as poisson,
)
from runstep.ops.random import (
    random_shuffle as shuffle,
)
from runstep.ops.random import (
    random_uniform as uniform,
)
from runstep.ops.random import (
    truncated_normal as truncated_normal,
)
from runstep.ops.random_samplers import (
    all_candidate_sampler as all_candidate_sampler,
)
from runstep.ops.random_samplers import (
    fixed_unigram_candidate_sampler as fixed_unigram_candidate_sampler,
)
from runstep.ops.random_samplers import (
    learned_unigram_candidate_sampler as learned_unigram_candidate_sampler,
)
from runstep.ops.random_samplers import (
    log_uniform_candidate_sampler as log_uniform_candidate_sampler,
)
from runstep.ops.random_samplers import (
    uniform_candidate_sampler as uniform_candidate_sampler,
)
from runstep.ops.random_stateless import (
    stateless_categorical as stateless_categorical,
)
from runstep.ops.random_stateless import (
    stateless_gamma as stateless_gamma,
)
from runstep.ops.random_stateless import (
    stateless_multinomial as stateless_multinomial,
)
from runstep.ops.random_stateless import (
    stateless_normal as stateless_normal,
)
from runstep.ops.random_stateless import (
    stateless_parameterized_truncated_normal as stateless_parameterized_truncated_normal,
)
from runstep.ops.random_stateless import (
    stateless_poisson as stateless_poisson,
)
from runstep.ops.random_stateless import (
    stateless_truncated_normal as stateless_truncated_normal,
)
from runstep.ops.random_stateless import (
    stateless_uniform as stateless_uniform,
)
