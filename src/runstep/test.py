"""`tf.test`: test cases, and checking gradients (source: tf.compat.v1.test)."""

from __future__ import annotations

import unittest
import unittest.mock as mock
from typing import Any

from runstep.gradients.numeric import compute_gradient, compute_gradient_error
from runstep.testing.unit import TestCase, get_temp_dir

__all__ = [
    "TestCase",
    "assert_equal_graph_def",
    "compute_gradient",
    "compute_gradient_error",
    "get_temp_dir",
    "gpu_device_name",
    "is_built_with_cuda",
    "is_built_with_gpu_support",
    "is_built_with_rocm",
    "is_built_with_xla",
    "is_gpu_available",
    "main",
    "mock",
    "test_src_dir_path",
]


def main(argv: Any = None) -> None:
    """Runs the tests of the program (source: tf.test.main)."""
    unittest.main(argv=argv)


def is_gpu_available(cuda_only: bool = False, min_cuda_compute_capability: Any = None) -> bool:
    """False: there are no GPU devices."""
    return False


def gpu_device_name() -> str:
    """An empty string: there are no GPU devices."""
    return ""


def is_built_with_cuda() -> bool:
    """False."""
    return False


is_built_with_rocm = is_built_with_gpu_support = is_built_with_xla = is_built_with_cuda


def test_src_dir_path(relative_path: str) -> str:
    """Where a file of the test's sources is: as seen from the folder that the tests run in."""
    import os

    return os.path.join(os.getcwd(), relative_path)


test_src_dir_path.__test__ = False  # type: ignore[attr-defined]  # pytest would take it for a test


def assert_equal_graph_def(
    actual: Any, expected: Any, checkpoint_v2: bool = False, hash_table_shared_name: bool = False
) -> None:
    """Two GraphDefs have the same nodes, in any order. AssertionError where they differ.

    Args:
      checkpoint_v2, hash_table_shared_name: names that are random are not compared.
    """
    both = []
    for graph_def in (actual, expected):
        nodes = {}
        for node in graph_def.node:
            copy = type(node)()
            copy.CopyFrom(node)
            if checkpoint_v2 and node.name.endswith("/StringJoin/inputs_1"):
                continue
            if hash_table_shared_name and "HashTable" in node.op:
                copy.attr.pop("shared_name", None)
            nodes[node.name] = copy
        both.append(nodes)
    found, wanted = both
    missing, extra = wanted.keys() - found.keys(), found.keys() - wanted.keys()
    if missing or extra:
        raise AssertionError(f"Nodes that are missing: {sorted(missing)}; that are new: {sorted(extra)}")
    for name, node in found.items():
        if node != wanted[name]:
            raise AssertionError(f"Node '{name}' differs:\n{node}\nexpected:\n{wanted[name]}")
