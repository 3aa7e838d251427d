"""Graphs run by oneDNN and by numpy alone, side by side."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import runstep.ops.table  # noqa: F401
from runstep.graph.graph import Graph
from runstep.kernels.onednn import api, provider, region
from runstep.ops.basic import placeholder
from runstep.session.session import Session

Build = Callable[..., Any]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if api.get() is None:
        reason = "oneDNN isn't installed (pip install onednn-cpu-gomp)"
        for item in items:
            if "onednn" in item.path.parts and item.get_closest_marker("without_library") is None:
                item.add_marker(pytest.mark.skip(reason=reason))


class Sides:
    """Runs a graph with oneDNN and without.

    Attributes:
      programs: those that oneDNN's regions have run, None for each set of shapes that was refused.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._patch = monkeypatch
        self.programs: list[Any] = []
        build = region.Region._build

        def recording(made: Any, key: Any, inputs: Any) -> Any:
            self.programs.append(build(made, key, inputs))
            return self.programs[-1]

        monkeypatch.setattr(region.Region, "_build", recording)

    def run(self, build: Build, *feeds: np.ndarray, shapes: Any = None) -> tuple[list[Any], list[Any]]:
        """What `build(*placeholders)` (a tensor or a list) gives with oneDNN, and what with numpy."""
        results = []
        for get in (provider.get, lambda: None):
            with Graph().as_default() as graph, self._patch.context() as patch:
                patch.setattr(provider, "get", get)
                holders = [placeholder(x.dtype, x.shape if shapes is None else shapes[i]) for i, x in enumerate(feeds)]
                made = build(*holders)
                with Session(graph=graph) as session:
                    fetches = made if isinstance(made, list) else [made]
                    results.append(session.run(fetches, dict(zip(holders, feeds, strict=True))))
        return results[0], results[1]

    def check(self, build: Build, *feeds: np.ndarray, shapes: Any = None, tolerance: float = 2e-5) -> list[Any]:
        """Runs and compares; returns oneDNN's results."""
        found, wanted = self.run(build, *feeds, shapes=shapes)
        for a, b in zip(found, wanted, strict=True):
            assert (a.dtype, a.shape) == (b.dtype, b.shape)
            if np.size(b):
                np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance * max(1.0, np.abs(b).max()))
        return found

    def steps(self) -> list[str]:
        """The implementations of the last program's steps; "numpy" for a numpy kernel."""
        return [getattr(step[0], "implementation", "numpy") for step in self.programs[-1].steps]


@pytest.fixture
def sides(monkeypatch: pytest.MonkeyPatch) -> Sides:
    return Sides(monkeypatch)
