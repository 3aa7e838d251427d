"""Settings of the tests of runstep.protos."""

import pytest


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "network: needs pip to reach a package index")
