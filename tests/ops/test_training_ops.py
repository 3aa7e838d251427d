"""The update ops of optimizers, against TensorFlow."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from runstep.graph.apply import apply_op
from runstep.graph.graph import Graph
from runstep.ops import registry
from runstep.ops.basic import constant
from runstep.ops.training_ops import OPTIMIZERS, RESOURCE_ONLY, SPARSE
from runstep.testing import oracle
from runstep.testing.stateful import compare

RATES = {
    "alpha": 0.3,
    "lr": 0.1,
    "l1": 0.02,
    "l2": 0.3,
    "l2_shrinkage": 0.1,
    "lr_power": -0.5,
    "rho": 0.9,
    "momentum": 0.8,
    "epsilon": 0.01,
    "beta1_power": 0.81,
    "beta2_power": 0.98,
    "beta1": 0.9,
    "beta2": 0.99,
    "beta": 0.9,
    "logbase": 0.7,
    "sign_decay": 0.5,
}
# The state of a variable before; what must stay positive for roots is.
STATE = {"var": [[1.0, -2.0], [0.5, 3.0], [-0.1, 0.2]], "mg": [[0.1, 0.2], [0.1, 0.3], [0.2, 0.1]]}
POSITIVE = [[1.0, 0.5], [2.0, 3.0], [0.7, 0.2]]
GRAD = [[0.5, -1.0], [0.01, 2.0], [-0.3, 0.1]]
VARIANTS = [(name, sparse) for name in OPTIMIZERS for sparse in (False, True) if not sparse or name in SPARSE]
CLOSE = {"float16": 2e-2, "bfloat16": 1e-1, "float32": 2e-5, "complex64": 2e-5}


def op_name(name: str, sparse: bool, resource: bool) -> str:
    return f"{'Resource' if resource else ''}{'Sparse' if sparse else ''}Apply{name}"


BY_HAND = {
    op_name(name, sparse, resource): "programs in this file"
    for name, sparse in VARIANTS
    for resource in ((True,) if name in RESOURCE_ONLY else (False, True))
}


def dtypes_of(name: str, sparse: bool) -> set[str]:
    found: set[str] = set()
    for constraints in oracle.kernel_constraints(op_name(name, sparse, True)):
        found |= {dtype.name for dtype in constraints["T"]}
    return found


def step(
    api: Any, name: str, sparse: bool, resource: bool, dtype: str, rates: dict[str, Any], indices: Any, **attrs: Any
) -> None:
    """Makes the variables, applies the op twice, and logs all of the state."""
    slots = OPTIMIZERS[name][0].split()
    make = api.resource if resource else api.variable
    suffix = f"{resource}_{len(api.log)}"
    state = [make(STATE.get(slot, POSITIVE), dtype, name=f"{slot}{suffix}") for slot in slots]
    inputs = []
    for one in OPTIMIZERS[name][1].split():
        if one in ("grad", "delta"):
            inputs.append(api.constant(GRAD[: len(indices)] if sparse else GRAD, dtype))
            if sparse:
                inputs.append(api.constant(indices, "int32"))
        elif one == "global_step":
            inputs.append(api.constant(3, "int64"))
        else:
            inputs.append(api.constant(rates[one], dtype))
    node = api.op(op_name(name, sparse, resource), *state, *inputs, **attrs)
    for _ in range(2):
        api.run(node)
    for one in state:
        api.read(one, dtype) if resource else api.run(one)


@pytest.mark.parametrize("name,sparse", VARIANTS)
def test_updates(name: str, sparse: bool) -> None:
    attr = OPTIMIZERS[name][2].partition(":")[0]
    for dtype in sorted(dtypes_of(name, sparse)):

        def program(api: Any, dtype: str = dtype) -> None:
            for resource in (False, True):
                if resource or registry.get(op_name(name, sparse, False)) is not None:
                    step(api, name, sparse, resource, dtype, RATES, [2, 0])
            if attr:
                step(api, name, sparse, True, dtype, RATES, [2, 0], **{attr: attr != "update_slots"})

        compare(program, rtol=CLOSE.get(dtype, 1e-9), atol=CLOSE.get(dtype, 1e-9) / 20)


@pytest.mark.parametrize("name", SPARSE)
def test_rows_named_twice(name: str) -> None:
    compare(lambda api: step(api, name, True, True, "float32", RATES, [1, 1, 0]), rtol=2e-5)


@pytest.mark.parametrize("name,changed", [
    ("Ftrl", {"lr_power": -0.3}),
    ("FtrlV2", {"lr_power": -0.3}),
    ("Ftrl", {"l1": 5.0}),
    ("ProximalAdagrad", {"l1": 0.0}),
    ("ProximalGradientDescent", {"l1": 0.0}),
    ("AdagradDA", {"l1": 0.0}),
])  # fmt: skip
@pytest.mark.parametrize("sparse", [False, True])
def test_special_rates(name: str, changed: dict[str, float], sparse: bool) -> None:
    compare(lambda api: step(api, name, sparse, True, "float32", RATES | changed, [2, 0]), rtol=2e-5, atol=1e-7)


def test_refuses() -> None:
    def program(api: Any) -> None:
        v, a = api.variable([1.0, 2.0]), api.variable([1.0, 2.0], name="a")
        longer = api.resource([1.0, 2.0, 3.0], name="longer")
        r, s = api.resource([1.0, 2.0]), api.resource([1.0, 2.0], name="s")
        none = api.op("VarHandleOp", shape=[2], dtype="float32", shared_name="none")
        bare = api.op("VariableV2", shape=[2], dtype="float32", name="bare")
        api.build("ApplyGradientDescent", v, 0.1, [1.0, 2.0, 3.0])
        api.build("ResourceApplyMomentum", r, longer, 0.1, [1.0, 2.0], 0.9)
        api.run(api.op("ApplyGradientDescent", v, 0.1, api.hidden([1.0, 2.0, 3.0])))
        api.run(api.op("ApplyGradientDescent", v, api.hidden([0.1]), api.hidden([1.0, 2.0])))
        api.run(api.op("ResourceApplyMomentum", r, s, 0.1, api.hidden([1.0, 2.0, 3.0]), 0.9))
        api.run(api.op("ResourceApplyMomentum", r, s, api.hidden([0.1]), [1.0, 2.0], 0.9))
        api.run(api.op("ResourceApplyMomentum", r, none, 0.1, [1.0, 2.0], 0.9))
        api.run(api.op("ResourceSparseApplyAdagrad", none, r, 0.1, [1.0], [0]))
        api.run(api.op("ApplyMomentum", v, bare, 0.1, [1.0, 2.0], 0.9))
        for grad, indices in (
            ([1.0, 2.0], [0, 7]),
            ([1.0, 2.0], [0, -1]),
            ([1.0, 2.0], [0]),
            ([1.0, 2.0], [[0]]),
            (1.0, [0]),
        ):
            api.run(api.op("SparseApplyAdagrad", v, a, 0.1, api.hidden(grad), api.hidden(indices)))
        api.run(api.op("SparseApplyAdagrad", v, a, 0.1, np.zeros(0, np.float32), np.zeros(0, np.int32)))
        api.build("SparseApplyAdagrad", v, a, 0.1, [1.0, 2.0], [0])

    compare(program)


def test_large_variables() -> None:
    values = np.random.default_rng(0).standard_normal((300, 300)).astype(np.float32)

    def program(api: Any) -> None:
        v, m, u = (api.resource(np.abs(values) + i, name=f"v{i}") for i in range(3))
        api.run(api.op("ResourceApplyAdam", v, m, u, 0.9, 0.99, 0.1, 0.9, 0.99, 0.1, values))
        for one in (v, m, u):
            api.read(one)

    compare(program, rtol=1e-5, atol=1e-6)


def test_one_variable_in_two_roles() -> None:
    def program(api: Any) -> None:
        v = api.variable([1.0, 2.0])
        api.run(api.op("ApplyMomentum", v, v, 0.1, [1.0, 2.0], 0.9))

    compare(program)


@pytest.mark.parametrize("name,sparse", VARIANTS)
def test_op_defs_are_tensorflows(name: str, sparse: bool) -> None:
    for resource in (False, True):
        mine, theirs = registry.get(op_name(name, sparse, resource)), oracle.op_def(op_name(name, sparse, resource))
        assert (mine is None) == (theirs is None)
        if mine is None or theirs is None:
            continue
        assert [arg.name for arg in mine.inputs] == [arg.name for arg in theirs.input_arg]
        assert sorted(mine.attrs) == sorted(attr.name for attr in theirs.attr)
        assert mine.is_stateful == theirs.is_stateful


def test_static_shape_of_the_ref() -> None:
    with Graph().as_default():
        ref = apply_op("VariableV2", shape=[2], dtype="float32").outputs[0]
        out = apply_op("ApplyGradientDescent", ref, constant(0.1), constant([1.0, 2.0])).outputs[0]
        assert out.raw_shape == (2,) and out.dtype.is_ref
