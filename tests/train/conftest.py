"""Training programs run on both libraries."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from runstep.testing import programs


@pytest.fixture
def same() -> Callable[..., None]:
    """See `runstep.testing.programs.same`."""
    return programs.same
