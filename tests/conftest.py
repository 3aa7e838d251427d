"""What every test runs under: a quiet TensorFlow on the CPU (set before anything imports it) and fixed seeds."""

import os
import random
import sys
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
os.environ["TF_USE_LEGACY_KERAS"] = "1"  # `tf.layers` and `tf.nn.rnn_cell` are there only with Keras 2

# A busy machine is no failure: how long examples take says nothing.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")


@pytest.fixture(autouse=True)
def _seeds() -> None:
    random.seed(0)
    np.random.seed(0)


@pytest.fixture(autouse=True)
def _own_graphs() -> None:
    """Each test starts with empty default graphs: it finds nothing of the tests that this process ran before."""
    for library in (sys.modules.get("runstep"), sys.modules.get("tensorflow.compat.v1")):
        if library is not None and library.get_default_graph().version:
            library.reset_default_graph()


@pytest.fixture
def same() -> Callable[..., None]:
    """`same(program, ordered=True, graph=True, texts=True)`, see `runstep.testing.programs`."""
    from runstep.testing import programs

    return programs.same
