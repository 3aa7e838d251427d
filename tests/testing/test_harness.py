"""The harness finds what is wrong with a kernel, and passes what is right. Broken kernels live in a private table."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from runstep import errors
from runstep.graph import dtypes
from runstep.kernels.registry import KernelTable
from runstep.kernels.resources import RefVariable
from runstep.testing import (
    Case,
    bools,
    case,
    check,
    complex_,
    distinct,
    ints,
    of,
    permutation,
    positive,
    real,
    special,
    strings,
    subject,
    variable,
)
from runstep.testing.combinations import combinations
from runstep.testing.compare import differences, tolerance

FLOATS = {"T": ["float32", "float64"]}


def table(op: str, kernel: Callable[..., Any], **promises: Any) -> KernelTable:
    found = KernelTable("TEST")
    found(op, **promises)(kernel)
    return found


def fails(row: Case, kernel: Callable[..., Any], message: str, **promises: Any) -> None:
    with pytest.raises(AssertionError, match=message):
        check(row, table=table(row.op, kernel, **promises))


ADD = case("AddV2", real(2, 3), real(3), types=FLOATS)


def test_a_right_kernel_passes_in_every_dtype() -> None:
    check(case("Mul", real(2, 3), real(3)), table=table("Mul", np.multiply))


def test_a_wrong_value_is_found() -> None:
    fails(ADD, lambda x, y: np.add(x, y) + x.dtype.type(0.001), "elements differ")


def test_a_wrong_dtype_is_found() -> None:
    fails(ADD, lambda x, y: np.add(x, y).astype(np.float16), "is float16, not float32")


def test_a_wrong_shape_is_found() -> None:
    fails(ADD, lambda x, y: np.add(x, y)[..., None], r"shape \(2, 3, 1\), TensorFlow has \(2, 3\)")


def test_a_python_number_is_no_value() -> None:
    fails(case("AddV2", real(), real(), types=FLOATS), lambda x, y: float(x + y), "is a float, not an ndarray")


def test_the_number_of_outputs_counts() -> None:
    fails(ADD, lambda x, y: (x + y, x + y), "returned 2 outputs, not 1")


def test_writing_into_an_input_is_found() -> None:
    def kernel(x: Any, y: Any) -> Any:
        total = x + y
        if x.flags.writeable:
            x[...] = 0
        return total

    fails(ADD, kernel, "wrote into input 0")


def test_writing_into_a_read_only_input_is_found() -> None:
    def kernel(x: Any, y: Any) -> Any:
        x += y
        return x

    fails(ADD, kernel, "read-only")


def test_a_view_needs_the_promise() -> None:
    row = case("Identity", real(2, 3), types=FLOATS)
    fails(row, lambda x: x, "shares memory with input 0 without view=True")
    check(row, table=table("Identity", lambda x: x, view=True))


def test_a_buffer_used_twice_is_found() -> None:
    memory = {kind: np.zeros((2, 3), kind) for kind in (np.dtype("float32"), np.dtype("float64"))}
    fails(ADD, lambda x, y: np.add(x, y, out=memory[x.dtype]), "the same memory in two calls")


def test_a_kernel_with_a_memory_of_its_own_is_found() -> None:
    calls = iter(range(1000))
    fails(ADD, lambda x, y: np.add(x, y) + x.dtype.type(next(calls)), "the second call returned another output")


def test_text_is_not_bytes() -> None:
    row = case("StringJoin", [strings(2), strings(2)])

    def kernel(*parts: Any) -> Any:
        joined = np.empty(2, object)
        joined[:] = ["".join(p.decode("latin1") for p in pair) for pair in zip(*parts, strict=True)]
        return joined

    fails(row, kernel, "not bytes")


def test_a_kernel_that_relies_on_constants_is_found() -> None:
    found = KernelTable("TEST")

    @found.make("Fill")
    def fill(node: Any) -> Any:
        shape = tuple(node.constant(0).tolist())
        return lambda dims, value: np.full(shape, value)

    with pytest.raises(AssertionError, match="nothing known: raised AttributeError"):
        check(case("Fill", [2, 3], real(), types={"T": ["float32"]}), table=found)


def test_a_missing_kernel_is_found() -> None:
    only = table("AddV2", np.add, types={"T": [dtypes.float32]})
    with pytest.raises(AssertionError, match="runstep has no TEST kernel for .*float64"):
        check(ADD, table=only)


def test_errors_must_be_of_the_same_class() -> None:
    row = case("AddV2", real(2), real(3), types=FLOATS, error=errors.InvalidArgumentError)
    check(row, table=table("AddV2", np.add))  # numpy's ValueError becomes InvalidArgumentError in a run

    def kernel(x: Any, y: Any) -> Any:
        raise errors.InternalError(None, None, "no")

    fails(row, kernel, "InternalError.*TensorFlow raises InvalidArgumentError: Incompatible shapes")
    fails(row, lambda x, y: x * 1, "TensorFlow raises InvalidArgumentError")
    wrong = case("AddV2", real(3), real(3), types=FLOATS, error=errors.InvalidArgumentError)
    fails(wrong, np.add, "TensorFlow does not raise InvalidArgumentError")
    fails(ADD, kernel, "raised InternalError.*TensorFlow gives")
    fails(case("AddV2", real(2), real(3), types=FLOATS), np.add, "TensorFlow raises in every dtype")


def test_building_errors_are_compared_too() -> None:
    check(case("AddV2", real(2), real(3), error=ValueError))
    with pytest.raises(AssertionError, match="TensorFlow does not raise ValueError"):
        check(case("AddV2", real(3), real(3), error=ValueError))


def test_a_wrong_shape_rule_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    row = subject.op_def("AddV2")
    monkeypatch.setattr(row, "shape", lambda op: [op.inputs[0].raw_shape])
    wider = case("AddV2", real(3), real(2, 3), types=FLOATS)
    fails(wider, np.add, r"static shapes from .* TensorFlow says \[\(2, 3\)\]")
    monkeypatch.setattr(row, "shape", None)
    fails(ADD, np.add, "static shapes")


def test_stateful_rows_compare_dtypes_and_shapes_only() -> None:
    row = case("AddV2", real(2, 3), real(3), types=FLOATS, stateful=True)
    check(row, table=table("AddV2", lambda x, y: np.add(x, y) + x.dtype.type(np.random.random())))
    fails(row, lambda x, y: np.add(x, y)[0], r"TensorFlow has float32\(2, 3\)")


def test_what_variables_hold_afterwards_is_compared() -> None:
    row = case("AssignAdd", real(2, 3), real(2, 3), types=FLOATS)

    def add(ref: Any, value: Any) -> Any:
        ref.value = ref.value + value
        return ref

    check(row, table=table("AssignAdd", add))
    fails(row, lambda ref, value: RefVariable("", ref.dtype, ref.shape, ref.value + value), "output 1: .* differ")
    row = case("AssignAddVariableOp", variable(real(2)), real(2), types={"dtype": ["float32"]})

    def add_resource(handle: Any, value: Any) -> None:
        add(handle.entry.resource, value)

    check(row, table=table("AssignAddVariableOp", add_resource))
    fails(row, lambda handle, value: None, "elements differ")


def test_a_row_that_does_not_fit_the_op_says_so() -> None:
    with pytest.raises(TypeError, match="takes 2 inputs, the row has 1"):
        check(case("AddV2", real(2)))
    with pytest.raises(TypeError, match="no attribute 'axis'"):
        check(case("AddV2", real(2), real(2), axis=1))
    with pytest.raises(TypeError, match="no type attribute 'Tidx'"):
        check(case("AddV2", real(2), real(2), types={"Tidx": ["int32"]}))
    with pytest.raises(LookupError, match="no row for op NoSuchOp"):
        check(case("NoSuchOp"))


def test_combinations_are_those_of_tensorflow() -> None:
    op_def = subject.op_def("AddV2")
    kinds = {types["T"].name for types in combinations(case("AddV2", real(), real()), op_def)}
    assert {"float32", "float64", "bfloat16", "float16", "complex64", "complex128", "int8", "uint64"} <= kinds
    assert "string" not in kinds and "bool" not in kinds
    fixed = combinations(case("AddV2", real(dtype="int16"), real()), op_def)
    assert fixed == [{"T": dtypes.int16}]


SPECS = [real(2, 3), positive(4), ints(3, low=1, high=4), special(30), bools(5), complex_(2), distinct(2, 4)]
KINDS = "float32 float64 float16 bfloat16 int8 int64 uint8 uint64 complex64 bool qint8 quint16 string int4 float8_e5m2"


@pytest.mark.parametrize("spec", SPECS, ids=str)
@pytest.mark.parametrize("kind", KINDS.split())
def test_values_are_drawn_in_every_dtype(spec: Any, kind: str) -> None:
    dtype = dtypes.as_dtype(kind)
    value = spec(dtype, np.random.default_rng(1))
    assert value.dtype == dtype.np
    assert value.shape == spec.shape
    assert subject.same(value, spec(dtype, np.random.default_rng(1)))
    if kind == "string":
        assert all(type(item) is bytes for item in value.ravel())


def test_bounds_hold_in_unsigned_types() -> None:
    rng = np.random.default_rng(0)
    assert set(ints(100, low=-2, high=2)(dtypes.uint8, rng).tolist()) <= {0, 1}
    assert set(positive(100, high=3)(dtypes.int32, rng).tolist()) <= {1, 2}
    assert sorted(permutation(5)(dtypes.int64, rng).tolist()) == [0, 1, 2, 3, 4]


def test_special_values_hold_the_extremes() -> None:
    rng = np.random.default_rng(0)
    floats = special(40)(dtypes.float32, rng)
    assert np.isnan(floats).any() and np.isinf(floats).any() and (floats == np.finfo(np.float32).max).any()
    assert np.signbit(floats[floats == 0]).any()
    whole = special(40)(dtypes.int8, rng)
    assert whole.min() == -128 and whole.max() == 127


def test_literals_take_the_type_that_is_asked_for() -> None:
    rng = np.random.default_rng(0)
    assert of([1, 2])(dtypes.int64, rng).dtype == np.int64
    assert of("ü")(dtypes.string, rng).item() == "ü".encode()
    assert of(["a", b"b"])(dtypes.string, rng).tolist() == [b"a", b"b"]
    assert of([])(dtypes.int32, rng).shape == (0,)
    assert of(2.5, "float16").dtype is dtypes.float16


def test_rows_have_readable_ids() -> None:
    row = case("Pack", [real(2), real(2)], axis=-1)
    assert str(row) == "Pack([2,2],axis=-1)"
    assert str(case("Sum", real(2, 3), [0, 1], keep_dims=True)) == "Sum(2x3,[0,1],keep_dims=True)"
    assert str(case("Sum", real(2), 0, name="why")) == "Sum-why"


def test_values_of_a_row_do_not_depend_on_others() -> None:
    assert case("Sum", real(2), 0).seed == case("Sum", real(2), 0).seed != case("Sum", real(3), 0).seed


def test_nan_must_stand_in_the_same_places() -> None:
    nan, one = np.array([np.nan, 1.0]), np.array([1.0, np.nan])
    assert differences(nan, nan, dtypes.float64, None, None) is None
    assert "2 of 2" in str(differences(nan, one, dtypes.float64, None, None))
    short = np.array([1.0, 1.0], ml_dtypes.bfloat16)
    assert differences(short, np.array([1.0, 1.0078125], ml_dtypes.bfloat16), dtypes.bfloat16, None, None) is None
    assert differences(short, np.array([1.0, 1.03125], ml_dtypes.bfloat16), dtypes.bfloat16, None, None)


def test_tolerances_only_widen() -> None:
    assert tolerance(dtypes.float32, 1e-3, None) == (1e-3, 1e-6)
    assert tolerance(dtypes.float16, 1e-4, None) == (2e-3, 1e-6)
    assert tolerance(dtypes.float64, {"float32": 1e-3}, 0.1) == (1e-12, 0.1)
    assert tolerance(dtypes.int32, None, None) == (0.0, 0.0)


def test_rows_can_be_written_without_tensorflow() -> None:
    code = (
        "import sys; sys.modules['tensorflow'] = None\n"
        "from runstep.testing import case, check, real\n"
        "row = case('AddV2', real(2), real(2))\n"
        "from runstep.testing import oracle\n"
        "try: oracle.tensorflow()\n"
        "except ImportError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "needs TensorFlow" in done.stdout
