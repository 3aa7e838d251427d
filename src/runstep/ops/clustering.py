"""Nearest points and first centers of clusters: op definitions."""

from __future__ import annotations

from runstep.ops.common import scalar, unknown
from runstep.ops.registry import op

__all__: list[str] = []

op(
    "NearestNeighbors",
    "points: float32, centers: float32, k: int64 -> nearest_center_indices: int64, nearest_center_distances: float32",
    shape=unknown,
)
op("KMC2ChainInitialization", "distances: float32, seed: int64 -> index: int64", shape=scalar)
op(
    "KmeansPlusPlusInitialization",
    "points: float32, num_to_sample: int64, seed: int64, num_retries_per_sample: int64 -> samples: float32",
    shape=unknown,
)
