"""What every test runs under: a quiet TensorFlow on the CPU (set before anything imports it) and fixed seeds."""

import os
import random
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


@pytest.fixture
def same() -> Callable[..., None]:
    """`same(program, ordered=True, graph=True, texts=True)`, see `runstep.testing.programs`."""
    from runstep.testing import programs

    return programs.same
