"""Importing one format loads that format and what it refers to, nothing else: import time stays small."""

import json
import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("module", "loaded"),
    [
        ("runstep.protos", set()),
        ("runstep.protos.types_pb2", {"types"}),
        ("runstep.protos.versions_pb2", {"versions"}),
        ("runstep.protos.tensor_pb2", {"resource_handle", "tensor", "tensor_shape", "types"}),
    ],
)
def test_import_loads_no_more(module: str, loaded: set[str]) -> None:
    script = (
        f"import json, sys, {module}\n"
        "names = [n.rpartition('.')[2] for n in sys.modules if n.startswith('runstep.protos.')]\n"
        "print(json.dumps([n.removesuffix('_pb2') for n in names if n.endswith('_pb2')]))"
    )
    result = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    assert set(json.loads(result.stdout)) == loaded
