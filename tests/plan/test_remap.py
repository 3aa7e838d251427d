"""Hard swish with a rounded sixth: exactly TensorFlow's choice of where to divide by six.

TensorFlow makes this choice only with its oneDNN kernels, which our tests switch off: it runs in a process of its own.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from runstep.graph.apply import apply
from runstep.graph.graph import Graph
from runstep.ops.basic import identity, placeholder
from runstep.protos import attr_value_pb2, config_pb2
from runstep.session.session import Session

RNG = np.random.default_rng(5)
IMAGE = RNG.normal(size=(1, 5, 6, 4)).astype(np.float32)
FILTER = RNG.normal(size=(3, 3, 4, 4)).astype(np.float32)
DEPTHWISE = RNG.normal(size=(3, 3, 4, 1)).astype(np.float32)
BIAS = RNG.normal(size=4).astype(np.float32)
DONE = "_grappler_ArithmeticOptimizer_MinimizeBroadcasts"


def _mul(x: Any, y: Any) -> Any:
    return apply("Mul", x, y)


FORMS: dict[str, Any] = {
    "(c y) r": lambda c, y, r: _mul(_mul(c, y), r),
    "r (y c)": lambda c, y, r: _mul(r, _mul(y, c)),
    "y (c r)": lambda c, y, r: _mul(y, _mul(c, r)),
    "(r c) y": lambda c, y, r: _mul(_mul(r, c), y),
    "(y r) c": lambda c, y, r: _mul(_mul(y, r), c),
    "c (r y)": lambda c, y, r: _mul(c, _mul(r, y)),
}


def hard_swish(
    form: str = "(c y) r",
    bias: str = "BiasAdd",
    c: float = 0.1666,
    three: float = 3.0,
    used: str = "",
    conv: str = "Conv2D",
    layers: int = 1,
    const: str = "w",
    relu: str = "Relu6",
    upper: bool = False,
    sum_: str = "AddV2",
    dtype: str = "float32",
    looked_through: bool = False,
    tagged: bool = False,
) -> list[Any]:
    """`layers` convolutions with bias and hard swish, and one with a bias after them; what to fetch.

    The order of names matters to TensorFlow: `const` begins the biases', `upper` makes others sort before "Mul".
    """
    from runstep.ops.basic import constant

    x = apply("Cast", placeholder("float32", [1, 5, 6, 4], name="x"), DstT=dtype)
    also = []
    for layer in range(layers):
        kernel = constant(FILTER if conv == "Conv2D" else DEPTHWISE, dtype)
        y = convolved = apply(conv, x, kernel, strides=[1, 1, 1, 1], padding="SAME", name="conv")
        b = constant(BIAS, dtype, name=f"{const}{layer}")
        if bias != "none":
            y = apply(bias, y, b, name=f"Layer{layer}" if upper else f"sum{layer}")
        below = identity(y) if looked_through else y
        shifted = apply(sum_, below, constant(three, dtype))
        r = apply(relu, shifted, name="Bent" if upper else "relu")
        x = FORMS[form](constant(c, dtype), y, r)
        also = [{"y": y, "shifted": shifted, "r": r, "convolved": convolved, "": None}[used]]
    head = apply("Conv2D", x, constant(FILTER, dtype), strides=[1, 1, 1, 1], padding="SAME")
    found = apply("BiasAdd", head, constant(BIAS, dtype))
    return [apply("Cast", t, DstT="float32") for t in (found, *also) if t is not None]


CASES: dict[str, dict[str, Any]] = {
    **{f"{form}, {bias}": {"form": form, "bias": bias} for form in FORMS for bias in ("BiasAdd", "Add", "AddV2")},
    **{f"{form}, marked": {"form": form, "tagged": True} for form in FORMS},
    **{f"{form}, Add, marked": {"form": form, "bias": "Add", "tagged": True} for form in FORMS},
    **{f"{form}, names sort otherwise": {"form": form, "upper": True} for form in FORMS},
    **{f"{form}, bias sorts before": {"form": form, "bias": "AddV2", "const": "a"} for form in FORMS},
    **{f"{form}, otherwise, marked": {"form": form, "upper": True, "tagged": True} for form in FORMS},
    **{f"c = {c}": {"c": c} for c in (0.1566, 0.1567, 0.1766, 0.1767, 0.25)},
    **{f"t = {t}": {"three": t} for t in (2.98, 2.99, 3.01, 3.02)},
    **{f"{used} is fetched": {"used": used} for used in ("y", "shifted", "r", "convolved")},
    "three layers": {"layers": 3},
    "three layers, marked": {"layers": 3, "form": "(c y) r", "tagged": True, "bias": "Add"},
    "depthwise": {"conv": "DepthwiseConv2dNative"},
    "depthwise, AddV2": {"conv": "DepthwiseConv2dNative", "bias": "AddV2"},
    "no bias": {"bias": "none"},
    "Add": {"sum_": "Add"},
    "no Relu6": {"relu": "Relu"},
    "double": {"dtype": "float64"},
    "through an Identity": {"looked_through": True},
}


def graph_of(case: dict[str, Any]) -> tuple[Graph, list[str]]:
    graph = Graph()
    with graph.as_default():
        names = [tensor.name for tensor in hard_swish(**case)]
    if case.get("tagged"):
        for op in graph.get_operations():
            if op.type == "Mul":
                op._set_attr(DONE, attr_value_pb2.AttrValue(b=True))
    return graph, names


_TENSORFLOW = """
import sys
import numpy as np
import tensorflow
tf = tensorflow.compat.v1
folder, names, results = sys.argv[1], np.load(sys.argv[1] + "/names.npy", allow_pickle=True), {}
for i, fetches in enumerate(names):
    definition = tf.GraphDef.FromString(open(f"{folder}/{i}.pb", "rb").read())
    with tf.Graph().as_default():
        tf.import_graph_def(definition, name="")
        results[str(i)] = tf.Session().run(fetches[0], {"x:0": np.load(folder + "/x.npy")}) if len(fetches) == 1 else (
            tf.Session().run(list(fetches), {"x:0": np.load(folder + "/x.npy")})[0])
np.savez(folder + "/results.npz", **results)
"""


@pytest.fixture(scope="module")
def wanted(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What TensorFlow answers to every case."""
    pytest.importorskip("tensorflow")
    folder: Path = tmp_path_factory.mktemp("remap")
    fetches = np.empty(len(CASES), object)
    for i, case in enumerate(CASES.values()):
        graph, fetches[i] = graph_of(case)
        (folder / f"{i}.pb").write_bytes(graph.as_graph_def().SerializeToString())
    np.save(folder / "names.npy", fetches, allow_pickle=True)
    np.save(folder / "x.npy", IMAGE)
    environment = {**os.environ, "TF_ENABLE_ONEDNN_OPTS": "1"}
    subprocess.run([sys.executable, "-c", _TENSORFLOW, str(folder)], env=environment, check=True, capture_output=True)
    with np.load(folder / "results.npz") as results:
        return {name: results[str(i)] for i, name in enumerate(CASES)}


@pytest.mark.parametrize("name", CASES)
def test_where_tensorflow_does(name: str, wanted: dict[str, Any]) -> None:
    graph, names = graph_of(CASES[name])
    with Session(graph=graph) as session:
        found = session.run(names, {"x:0": IMAGE})[0]
    error = np.abs(found - wanted[name]).max() / np.abs(wanted[name]).max()
    assert error < 1e-5  # 0.1666 for 1/6 is off by 4e-4


def test_only_when_wanted() -> None:
    """Optimizations switched off leave the graph's own constant."""
    graph, names = graph_of({"form": "(c y) r", "c": 0.16})
    config = config_pb2.ConfigProto()
    config.graph_options.optimizer_options.opt_level = config_pb2.OptimizerOptions.L0
    with Session(graph=graph) as session, Session(graph=graph, config=config) as plain:
        rewritten, exact = session.run(names, {"x:0": IMAGE})[0], plain.run(names, {"x:0": IMAGE})[0]
        options = config_pb2.RunOptions(trace_level=config_pb2.RunOptions.FULL_TRACE)
        traced = session.run(names, {"x:0": IMAGE}, options=options, run_metadata=config_pb2.RunMetadata())[0]
    assert np.abs(rewritten - exact).max() > 0.01 * np.abs(exact).max()
    np.testing.assert_array_equal(traced, exact)
