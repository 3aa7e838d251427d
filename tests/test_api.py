"""The tf namespace: every name is TensorFlow's, takes TensorFlow's arguments, and can be reached."""

from __future__ import annotations

import functools
import importlib
import inspect
import operator
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import runstep as tf

NAMESPACES = (
    "audio bitwise config config.experimental config.optimizer config.threading data debugging distributions dtypes "
    "graph_util image initializers io layers linalg lookup losses manip math metrics nn python_io quantization queue "
    "ragged random resource_loader saved_model signal sparse spectral strings summary sysconfig test train"
).split()

# Where our signature says more than TensorFlow's, which hides its own behind a decorator.
OTHER_SIGNATURES = {
    "data.Dataset": "an abstract class there, which takes nothing; nobody calls either",
    "dtypes.DType": "made by its number there, with what handles hold; nobody makes one",
    "is_variable_initialized": "TensorFlow deprecates it in favour of a function of the same arguments",
    "meshgrid": "TensorFlow takes **kwargs and reads indexing and name out of them",
    "lookup.StaticHashTable": "a decorator hides TensorFlow's",
    "lookup.StaticVocabularyTable": "a decorator hides TensorFlow's",
}


def public(module: ModuleType) -> Iterator[tuple[str, Any]]:
    for name in sorted(module.__all__):
        value = getattr(module, name)
        if callable(value) and not inspect.ismodule(value):
            yield name, value


@functools.cache
def functions() -> dict[str, Any]:
    here = ("runstep.gradients.", "runstep.ops.", "runstep.plugins", "runstep.variables.")
    found = [
        (name, value)
        for name, value in public(importlib.import_module("runstep.api"))
        if value.__module__.startswith(here)
    ]
    for namespace in NAMESPACES:
        inner = ".namespace" if namespace in ("io", "train") else ""
        module = importlib.import_module(f"runstep.{namespace}{inner}")
        found.extend(
            (f"{namespace}.{name}", value) for name, value in public(module) if inspect.getmodule(value) is not None
        )
    return dict(found)


def oracle(path: str) -> Any:
    import tensorflow

    found = tensorflow.compat.v1
    for part in path.split("."):
        found = getattr(found, part, None)
    return found


def parameters(function: Any) -> list[str] | None:
    try:
        return list(inspect.signature(function).parameters)
    except (TypeError, ValueError):
        return None


@pytest.mark.parametrize("path", list(functions()))
def test_a_name_and_its_parameters_are_tensorflows(path: str) -> None:
    ours = functions()[path]
    theirs = oracle(path)
    if theirs is None or path in OTHER_SIGNATURES:
        assert path in OTHER_SIGNATURES or theirs is not None, f"TensorFlow has no tf.{path}"
        return
    assert parameters(ours) == parameters(theirs)


def test_every_namespace_can_be_reached_from_the_package() -> None:
    for namespace in NAMESPACES:
        assert inspect.ismodule(operator.attrgetter(namespace)(tf))


def test_the_namespace_of_version_1_is_the_package() -> None:
    code = (
        "import runstep.compat.v1 as tf, runstep\n"
        "from runstep.compat.v1 import nn\n"
        "tf.disable_v2_behavior()\n"
        "assert tf is runstep and tf.compat.v1 is tf and nn is tf.nn"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)


@pytest.mark.parametrize("name", ["VERSION", "version.VERSION", "version.GRAPH_DEF_VERSION"])
def test_programs_are_told_the_version_of_tensorflow(name: str) -> None:
    assert operator.attrgetter(name)(tf) == oracle(name)


def test_a_library_of_compiled_ops_is_refused(tmp_path: Path) -> None:
    with pytest.raises(tf.errors.NotFoundError, match="cannot open shared object file"):
        tf.load_op_library(str(tmp_path / "ops.so"))
    (tmp_path / "ops.so").touch()
    with pytest.raises(tf.errors.UnimplementedError, match="needs TensorFlow's own library"):
        tf.load_op_library(str(tmp_path / "ops.so"))


def test_what_is_configured_is_told() -> None:
    (cpu,) = tf.config.experimental.list_physical_devices()
    assert cpu == ("/physical_device:CPU:0", "CPU") and tf.config.list_physical_devices("GPU") == []
    with pytest.raises(ValueError, match="memory growth on non-GPU"):
        tf.config.experimental.set_memory_growth(cpu, True)
    with pytest.raises(RuntimeError, match="graphs only"):
        tf.config.run_functions_eagerly(True)


def test_references_of_tensors_and_variables_are_keys() -> None:
    x, v = tf.constant(1.0), tf.Variable(1.0)
    assert {x.ref(): 1, v.ref(): 2}[v.ref()] == 2 and x.ref().deref() is x and x.ref() != v.ref()


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'no_such_function'"):
        tf.no_such_function  # noqa: B018


def test_dir_lists_functions_and_messages() -> None:
    names = dir(tf)
    assert {"add", "Session", "ConfigProto", "float32"} <= set(names)


def test_importing_the_package_loads_no_kernels_no_protos_and_no_trio() -> None:
    late = "m.split('.')[0] == 'trio' or 'kernels.numpy.' in m or '_pb2' in m"
    code = f"import runstep, sys; print([m for m in sys.modules if {late}])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


@pytest.mark.parametrize(
    "module",
    (
        "actors.device actors.driver actors.hosting api graph.graph kernels kernels.numpy.table nn ops.table "
        "plan.compile session.session step testing.engine variables.scope"
    ).split(),
)
def test_each_part_can_be_imported_first(module: str) -> None:
    subprocess.run([sys.executable, "-W", "error", "-c", f"import runstep.{module}"], check=True, capture_output=True)
