"""Ref variables as a whole, against TensorFlow; and what readers may rely on."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest

from runstep.graph import dtypes
from runstep.kernels.resources import (
    LEGACY_VARIABLE,
    VARIABLE,
    RefVariable,
    ResourceHandle,
    ResourceManager,
    resource_of,
)
from runstep.ops import ref_scatter, state
from runstep.testing import case, check, oracle, real
from runstep.testing.stateful import RunstepApi, TensorFlowApi, compare

CASES = [
    case("DeepCopy", real(2, 3)),
    case("DeepCopy", real()),
    case("GuaranteeConst", real(2, 3)),
]


BY_HAND = dict.fromkeys(
    [
        "Variable",
        "VariableV2",
        "TemporaryVariable",
        "DestroyTemporaryVariable",
        "Assign",
        "AssignAdd",
        "AssignSub",
        "IsVariableInitialized",
        "CountUpTo",
        "InplaceUpdate",
        "InplaceAdd",
        "InplaceSub",
        "Empty",
        "MutexV2",
        "MutexLock",
        "ConsumeMutexLock",
    ],
    "programs in this file",
)


@pytest.mark.parametrize("row", CASES, ids=str)
def test_ops(row: Any) -> None:
    check(row)


def test_assign_and_update() -> None:
    def program(api: Any) -> None:
        v = api.variable([1.0, 2.0])
        api.run(v)
        api.run(api.op("AssignAdd", v, [1.0, 1.0]))
        api.run(api.op("AssignSub", v, [0.5, 3.0]))
        api.run(api.op("Assign", v, api.hidden([1.0, 2.0, 3.0])))
        api.run(api.op("Assign", v, api.hidden([[1.0, 2.0, 3.0]]), validate_shape=False))
        api.run(v)
        api.run(api.op("AssignAdd", v, api.hidden([1.0])))
        api.run(api.op("AssignSub", v, api.hidden(1.0)))
        api.build("Assign", v, [1.0, 2.0, 3.0])
        api.build("AssignAdd", v, [1.0, 2.0, 3.0])
        api.build("AssignAdd", v, [1, 2])
        api.build("Assign", api.constant([1.0]), [1.0])

    compare(program, texts=True)


@pytest.mark.parametrize(
    "dtype",
    [
        "float16",
        "bfloat16",
        "float64",
        "int8",
        "uint8",
        "int16",
        "uint16",
        "int32",
        "uint32",
        "int64",
        "uint64",
        "complex64",
        "complex128",
    ],
)
@pytest.mark.parametrize("shape", [(), (3,), (0,)])
def test_updates_of_every_dtype(dtype: str, shape: tuple[int, ...]) -> None:
    def program(api: Any) -> None:
        v = api.variable(np.full(shape, 100).tolist(), dtype)
        api.run(api.op("AssignAdd", v, np.full(shape, 100).tolist()))
        api.run(api.op("AssignSub", v, np.full(shape, 3).tolist()))

    compare(program)


@pytest.mark.parametrize("dtype,value", [("string", ["a", "b"]), ("bool", [True]), ("string", "x"), ("bool", False)])
def test_assign_of_other_dtypes(dtype: str, value: Any) -> None:
    def program(api: Any) -> None:
        v = api.variable(value, dtype)
        api.run(v)
        api.build("AssignAdd", v, value)

    compare(program)


def test_uninitialized() -> None:
    def program(api: Any) -> None:
        for name, shape in (("v", [2]), ("empty", [0, 3])):
            v = api.op("VariableV2", shape=shape, dtype="float32", name=name)
            api.run(api.op("IsVariableInitialized", v))
            api.run(api.op("Identity", v))
            api.run(api.op("AssignAdd", v, np.zeros(shape, np.float32)))
            api.run(api.op("CountUpTo", api.op("VariableV2", shape=[], dtype="int32"), limit=2))
        v = api.variable([1.0])
        api.run(api.op("IsVariableInitialized", v))

    compare(program, texts=True)


def test_static_shapes() -> None:
    def program(api: Any) -> None:
        api.run(api.op("Assign", api.op("Variable", shape=[], dtype="float32"), api.hidden(1.0)))
        api.run(api.op("Assign", api.op("VariableV2", shape=[2], dtype="float32"), api.hidden([1.0, 2.0])))
        api.run(api.op("Assign", api.op("VariableV2", shape=[None, 2], dtype="float32"), api.hidden([1.0, 2.0])))
        api.run(api.op("Empty", api.hidden([2, 3]), dtype="float32", init=True))
        api.run(api.op("Empty", [2, 3], dtype="float32", init=True))
        api.run(api.op("Empty", [2], dtype="string"))
        api.run(api.op("Empty", api.hidden([-2]), dtype="float32"))
        api.run(api.op("Empty", api.hidden(2), dtype="float32"))

    compare(program, texts=True)


def test_shared_names_and_containers() -> None:
    def program(api: Any) -> None:
        a = api.op("VariableV2", shape=[2], dtype="float32", shared_name="s", name="a")
        b = api.op("VariableV2", shape=[2], dtype="float32", shared_name="s", name="b")
        c = api.op("VariableV2", shape=[2], dtype="float32", shared_name="s", container="other", name="c")
        d = api.op("VariableV2", shape=[2], dtype="int32", shared_name="s", name="d")
        api.run(api.op("Assign", a, [1.0, 2.0]))
        api.run(b)
        api.run(api.op("IsVariableInitialized", c))
        api.run(api.op("Identity", d))

    compare(program)


def test_count_up_to() -> None:
    def program(api: Any) -> None:
        for dtype in ("int32", "int64"):
            count = api.op("CountUpTo", api.variable(0, dtype), limit=2)
            for _ in range(3):
                api.run(count)
        api.build("CountUpTo", api.variable([0], "int32"), limit=2)

    compare(program, texts=True)


def test_temporary_variable() -> None:
    def program(api: Any) -> None:
        def sum_in(name: str, destroyed: str) -> Any:
            ref = api.op("TemporaryVariable", shape=[2], dtype="float32", var_name=name)
            ref = api.op("AssignAdd", api.op("Assign", ref, [1.0, 2.0]), [10.0, 20.0])
            return api.op("DestroyTemporaryVariable", ref, var_name=destroyed)

        api.run(sum_in("t", "t"))
        api.run(sum_in("t", "u"))

    compare(program)


@pytest.mark.parametrize("op", ["InplaceUpdate", "InplaceAdd", "InplaceSub"])
@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16", "int8", "uint16", "int64", "complex64", "bool"])
def test_inplace(op: str, dtype: str) -> None:
    # By hand: TensorFlow's kernels write into what was fed, so a harness cannot feed both the same array.
    def program(api: Any) -> None:
        x = np.arange(8).reshape(4, 2)
        v = np.arange(6).reshape(3, 2) + 1
        node = api.op(op, api.constant(x, dtype), [1, 1, -1], api.constant(v, dtype))
        api.run(node)
        api.run(api.op(op, api.constant(x[:, 0], dtype), api.hidden([9]), api.constant(v[:1, 0], dtype)))

    compare(program)


def test_inplace_refuses() -> None:
    def program(api: Any) -> None:
        x = [[1.0, 2.0], [3.0, 4.0]]
        for i, v in (
            ([0], [[5.0, 6.0], [1.0, 2.0]]),
            ([0], [[5.0, 6.0, 7.0]]),
            ([0], [5.0, 6.0]),
            ([[0]], [[5.0, 6.0]]),
            (0, [5.0, 6.0]),
        ):
            api.run(api.op("InplaceAdd", api.hidden(x), api.hidden(i), api.hidden(v)))
        api.run(api.op("InplaceAdd", api.hidden([True]), api.hidden([0]), api.hidden([True])))
        api.run(api.op("InplaceUpdate", api.hidden(["a", "b"]), api.hidden([1]), api.hidden(["c"])))

    compare(program)


def test_mutex() -> None:
    def program(api: Any) -> None:
        lock = api.op("MutexLock", api.op("MutexV2", shared_name="m"))
        for _ in range(2):
            api.run(api.op("ConsumeMutexLock", lock))

    compare(program)


# --- functions ----------------------------------------------------------------------------------------------------

FUNCTIONS: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = [
    ("assign", ([1.0, 2.0],), {}),
    ("assign", ([1.0, 2.0, 3.0],), {"validate_shape": False, "use_locking": False, "name": "n"}),
    ("assign_add", ([1.0, 2.0],), {}),
    ("assign_sub", ([1.0, 2.0],), {"use_locking": True, "name": "n"}),
    ("is_variable_initialized", (), {}),
    ("scatter_update", ([0], [1.0]), {}),
    ("scatter_add", ([0], [1.0]), {"name": "n"}),
    ("scatter_sub", ([0], [1.0]), {"use_locking": True}),
    ("scatter_mul", ([0], [1.0]), {}),
    ("scatter_div", ([0], [1.0]), {}),
    ("scatter_min", ([0], [1.0]), {}),
    ("scatter_max", ([0], [1.0]), {}),
    ("scatter_nd_update", ([[0]], [1.0]), {}),
    ("scatter_nd_add", ([[0]], [1.0]), {}),
    ("scatter_nd_sub", ([[0]], [1.0]), {}),  # TensorFlow passes a name here on as bad_indices_policy
]


@pytest.mark.parametrize("name,args,options", FUNCTIONS)
def test_functions_make_the_nodes_that_tensorflow_makes(name: str, args: Any, options: Any) -> None:
    graphs = []
    for api, function in (
        (TensorFlowApi(), lambda *a, **kw: getattr(oracle.tensorflow().compat.v1, name)(*a, **kw)),
        (RunstepApi(), getattr(state if hasattr(state, name) else ref_scatter, name)),
    ):
        with api.graph.as_default():
            function(api.op("VariableV2", shape=[2], dtype="float32", name="v"), *args, **options)
        graphs.append(
            [
                (op.name, op.type, [tensor.name for tensor in op.inputs], op.node_def.attr["use_locking"].b)
                for op in api.graph.get_operations()
            ]
        )
    assert graphs[1] == graphs[0]


def test_count_up_to_and_guarantee_const() -> None:
    api = RunstepApi()
    with api.graph.as_default():
        count = state.count_up_to(api.op("VariableV2", shape=[], dtype="int32"), 3, name="c")
        same = state.guarantee_const([1.0])
    assert (count.op.name, count.op.type, same.op.type) == ("c", "CountUpTo", "GuaranteeConst")


# --- what holds whoever reads and writes --------------------------------------------------------------------------


def big() -> np.ndarray[Any, Any]:
    return np.zeros(10_000, np.float32)


def test_a_value_that_was_read_never_changes() -> None:
    variable = RefVariable("v", dtypes.float32, (10_000,), big())
    read = variable.value
    view = read[5:]
    with variable.lock:
        variable.apply(np.add, np.float32(1))
    assert not read.any() and variable.value.all()
    del read
    with variable.lock:
        variable.take()[:] = 7
        variable.value = big()
        variable.store(big() + 1)
    assert not view.any()


def test_nobody_else_holds_it_so_it_is_updated_in_place() -> None:
    variable = RefVariable("v", dtypes.float32, (10_000,), big())
    before = variable.value.ctypes.data
    with variable.lock:
        variable.apply(np.add, np.float32(1))
        variable.store(big())
        array = variable.take()
        variable.value = array
    assert variable.value.ctypes.data == before


def test_what_was_assigned_may_change_afterwards() -> None:
    variable = RefVariable("v", dtypes.float32, (2,))
    for given in (np.zeros(2, np.float32), big()):
        with variable.lock:
            variable.store(given)
        given[:] = 1
        assert not variable.value.any()


@pytest.mark.parametrize("size", [1, 10_000])
def test_updates_from_many_threads_all_count(size: int) -> None:
    variable = RefVariable("v", dtypes.float32, (size,), np.zeros(size, np.float32))
    torn = []

    def work() -> None:
        for _ in range(100):
            with variable.lock:
                variable.apply(np.add, np.ones(size, np.float32))
            value = variable.value
            if value is None:
                value = variable.locked_read()
            if value[0] != value[-1]:
                torn.append(value)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (variable.value == 800).all()
    assert not torn


@pytest.mark.parametrize("kind", ["ref", "resource"])
def test_assign_add_from_many_threads_of_one_session(kind: str) -> None:
    """S59: 8 threads times 200 assign_add are exactly 1600."""
    api = RunstepApi()
    with api.graph.as_default(), api.session:
        if kind == "ref":
            value = variable = api.variable(0.0)
            add = api.op("AssignAdd", variable, 1.0, use_locking=True)
        else:
            variable = api.resource(0.0)
            value = api.op("ReadVariableOp", variable, dtype="float32")
            add = api.op("AssignAddVariableOp", variable, 1.0)
        session = api.session

        def work() -> None:
            for _ in range(200):
                session.run(add.op if kind == "ref" else add)

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert session.run(value) == 1600


def test_what_a_session_fetched_is_private() -> None:
    """S76: changing a fetched variable changes neither the variable nor what others fetched."""
    api = RunstepApi()
    with api.graph.as_default(), api.session:
        variable, handle = api.variable(big()), api.resource(big())
        for value in (variable, api.op("Identity", variable), api.op("ReadVariableOp", handle, dtype="float32")):
            fetched = api.session.run(value)
            fetched[:] = 5
            assert not api.session.run(value).any()
            assert fetched.flags.writeable and fetched.flags.owndata


def test_the_manager() -> None:
    manager = ResourceManager("/cpu:0")
    handle = manager.handle("", VARIABLE, "a")
    assert handle == manager.handle("localhost", VARIABLE, "a") != manager.handle("", VARIABLE, "b")
    assert manager.lookup("", VARIABLE, "a") is None
    with pytest.raises(Exception, match="Resource localhost/a/N10tensorflow3VarE does not exist"):
        resource_of(handle, VARIABLE)
    made = manager.get_or_create("", VARIABLE, "a", lambda: RefVariable("a", dtypes.float32, (2,), np.zeros(2, "f4")))
    assert manager.get_or_create("", VARIABLE, "a", pytest.fail) is made is resource_of(handle, VARIABLE)
    with pytest.raises(Exception, match="wrong type.*tensorflow::Var.*tensorflow::LegacyVar"):
        resource_of(handle, LEGACY_VARIABLE)
    assert manager.nbytes == 8 and len(list(manager)) == 1
    anonymous: ResourceHandle | None = manager.anonymous(VARIABLE, made)
    assert manager.nbytes == 16
    del anonymous
    assert manager.nbytes == 8
    manager.clear(["other"])
    assert manager.nbytes == 8
    manager.clear()
    assert manager.nbytes == 0 and handle.entry.resource is None
