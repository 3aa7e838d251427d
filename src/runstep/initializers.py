"""`tf.initializers`: initializers (source: tf.compat.v1.initializers)."""

from runstep.ops.lookup import (
    tables_initializer as tables_initializer,
)
from runstep.variables.collections import (
    global_variables_initializer as global_variables,
)
from runstep.variables.collections import (
    local_variables_initializer as local_variables,
)
from runstep.variables.collections import (
    variables_initializer as variables,
)
from runstep.variables.initializers import (
    Constant as constant,
)
from runstep.variables.initializers import (
    GlorotNormal as glorot_normal,
)
from runstep.variables.initializers import (
    GlorotUniform as glorot_uniform,
)
from runstep.variables.initializers import (
    Identity as identity,
)
from runstep.variables.initializers import (
    Ones as ones,
)
from runstep.variables.initializers import (
    Orthogonal as orthogonal,
)
from runstep.variables.initializers import (
    RandomNormal as random_normal,
)
from runstep.variables.initializers import (
    RandomUniform as random_uniform,
)
from runstep.variables.initializers import (
    TruncatedNormal as truncated_normal,
)
from runstep.variables.initializers import (
    UniformUnitScaling as uniform_unit_scaling,
)
from runstep.variables.initializers import (
    VarianceScaling as variance_scaling,
)
from runstep.variables.initializers import (
    Zeros as zeros,
)
from runstep.variables.initializers import (
    he_normal as he_normal,
)
from runstep.variables.initializers import (
    he_uniform as he_uniform,
)
from runstep.variables.initializers import (
    lecun_normal as lecun_normal,
)
from runstep.variables.initializers import (
    lecun_uniform as lecun_uniform,
)
