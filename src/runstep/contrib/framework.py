"""`tf.contrib.framework`: structures, variables, moving averages (source: tf.contrib.framework of TensorFlow 1.15)."""

from runstep import nest
from runstep.ops.script_ops import py_func
from runstep.variables.collections import (
    global_variables as get_variables,
    local_variables as get_local_variables,
    model_variables as get_model_variables,
    trainable_variables as get_trainable_variables,
)
from runstep.variables.global_step import (
    create_global_step,
    get_global_step,
    get_or_create_global_step,
)

__all__ = [
    "create_global_step",
    "get_global_step",
    "get_local_variables",
    "get_model_variables",
    "get_or_create_global_step",
    "get_trainable_variables",
    "get_variables",
    "nest",
    "py_func",
]
