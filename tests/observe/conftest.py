"""`rs`: runstep inside an empty default graph."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

import runstep


@pytest.fixture
def rs() -> Iterator[Any]:
    with runstep.Graph().as_default():
        yield runstep
