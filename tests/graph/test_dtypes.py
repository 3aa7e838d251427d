"""DType against TensorFlow's: every attribute of every type, and what converts to what."""

import copy
import itertools
import pickle
from functools import partial
from typing import Any

import ml_dtypes
import numpy as np
import pytest
import tensorflow as real

from runstep.graph import dtypes

ENUMS = [*range(1, 34), *range(101, 134)]
ATTRIBUTES = (
    "name as_numpy_dtype as_datatype_enum is_bool is_integer is_floating is_complex is_quantized is_unsigned "
    "is_numeric is_numpy_compatible min max limits size _is_ref_dtype"
).split()


def outcome(function: Any) -> Any:
    try:
        value = function()
    except Exception as error:
        return type(error), str(error)
    return type(value), value


@pytest.mark.parametrize("enum", ENUMS)
@pytest.mark.parametrize("attribute", ATTRIBUTES)
def test_attribute_is_tensorflows(enum: int, attribute: str) -> None:
    theirs = real.as_dtype(enum)
    ours = dtypes.as_dtype(enum)
    assert outcome(lambda: getattr(ours, attribute)) == outcome(lambda: getattr(theirs, attribute))


@pytest.mark.parametrize("enum", ENUMS)
def test_related_types_and_text(enum: int) -> None:
    theirs = real.as_dtype(enum)
    ours = dtypes.as_dtype(enum)
    for name in ("base_dtype", "real_dtype", "_as_ref"):
        assert getattr(ours, name).name == getattr(theirs, name).name
    assert (repr(ours), str(ours), hash(ours)) == (repr(theirs), str(theirs), hash(theirs))
    assert getattr(dtypes, ours.name) is ours


CANDIDATES: list[Any] = [
    float, int, bool, str, bytes, complex, object, list, None, "float", "double", "half", "int", "str", "object", "f4",
    "float_ref", "double_ref", "half_ref", "bfloat16_ref", "qint8", "nonsense", "", np.float32, np.dtype(">f4"),
    np.dtype("S3"), np.dtype("U"), np.dtype("O"), np.dtype("M8[s]"), np.intc, np.longlong, np.ulonglong, np.str_,
    np.bytes_, np.object_, np.bool_, np.half, np.longdouble, np.floating, np.generic, ml_dtypes.bfloat16,
    np.dtype(ml_dtypes.bfloat16), ml_dtypes.int2, ml_dtypes.float8_e3m4, np.dtype([("qint8", "i1")]),
    np.dtype([("x", "i1")]), 1, 1.0, 1.5, True, False, np.int64(3), np.uint8(200), 34, 0, -1, [1], (), {},
    np.array(3.0), np.array("a"), np.void, type, b"float32", np.ndarray,
]  # fmt: skip


@pytest.mark.parametrize("candidate", CANDIDATES, ids=repr)
def test_as_dtype_takes_what_tensorflow_takes(candidate: Any) -> None:
    ours = outcome(lambda: dtypes.as_dtype(candidate).name)
    theirs = outcome(lambda: real.as_dtype(candidate).name)
    assert ours == theirs
    assert (dtypes.float32 == candidate) is (real.float32 == candidate)
    assert (dtypes.float32 != candidate) is (real.float32 != candidate)


def test_interned_through_constructor_pickle_and_copy() -> None:
    for dtype in (dtypes.float32, dtypes.string_ref, dtypes.qint32):
        assert dtypes.DType(dtype.enum) is dtype
        assert pickle.loads(pickle.dumps(dtype)) is dtype
        assert copy.deepcopy(dtype) is copy.copy(dtype) is dtype


@pytest.mark.parametrize("enum", [0, 34, 100, 134, 999, "float32", None])
def test_constructor_refuses_what_tensorflow_refuses(enum: Any) -> None:
    assert outcome(lambda: dtypes.DType(enum)) == outcome(lambda: real.DType(enum))


def test_is_compatible_with_lets_references_stand_for_values() -> None:
    names = ["float32", "float32_ref", "int32", "float", "bogus", None]
    for mine, other in itertools.product(("float32", "float32_ref"), names):
        ours, theirs = dtypes.as_dtype(mine), real.as_dtype(mine)
        assert outcome(partial(ours.is_compatible_with, other)) == outcome(partial(theirs.is_compatible_with, other))


def test_sets() -> None:
    assert {d.name for d in dtypes.QUANTIZED_DTYPES} == {d.name for d in real.compat.v1.dtypes.QUANTIZED_DTYPES}
    assert [d.np.name for d in (dtypes.qint8, dtypes.resource, dtypes.string)] == ["int8", "object", "object"]
