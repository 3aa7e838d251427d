"""Element types (`tf.DType`), interned: one object per type, so identity is equality on the hot paths.

Everything a kernel or a shape rule asks for is a plain slot, computed once at import. The numbers are those of
TensorFlow's `DataType` enum; a reference type is its base type's number plus 100.
"""

from __future__ import annotations

import builtins
from typing import Any, NoReturn

import ml_dtypes
import numpy

_REF_OFFSET = 100

# Quantized values are stored as plain integers; TensorFlow shows them to numpy as one-field records.
_QUANTIZED_RECORDS = {
    "qint8": numpy.dtype([("qint8", numpy.int8)]),
    "quint8": numpy.dtype([("quint8", numpy.uint8)]),
    "qint16": numpy.dtype([("qint16", numpy.int16)]),
    "quint16": numpy.dtype([("quint16", numpy.uint16)]),
    "qint32": numpy.dtype([("qint32", numpy.int32)]),
}

# enum, name, storage type, kind: b(ool) i(nt) u(nsigned) f(loat) c(omplex) q(uantized) s(tring) h(andle)
_TABLE: tuple[tuple[int, str, Any, str], ...] = (
    (1, "float32", numpy.float32, "f"),
    (2, "float64", numpy.float64, "f"),
    (3, "int32", numpy.int32, "i"),
    (4, "uint8", numpy.uint8, "u"),
    (5, "int16", numpy.int16, "i"),
    (6, "int8", numpy.int8, "i"),
    (7, "string", numpy.object_, "s"),
    (8, "complex64", numpy.complex64, "c"),
    (9, "int64", numpy.int64, "i"),
    (10, "bool", numpy.bool_, "b"),
    (11, "qint8", numpy.int8, "q"),
    (12, "quint8", numpy.uint8, "q"),
    (13, "qint32", numpy.int32, "q"),
    (14, "bfloat16", ml_dtypes.bfloat16, "f"),
    (15, "qint16", numpy.int16, "q"),
    (16, "quint16", numpy.uint16, "q"),
    (17, "uint16", numpy.uint16, "u"),
    (18, "complex128", numpy.complex128, "c"),
    (19, "float16", numpy.float16, "f"),
    (20, "resource", numpy.object_, "h"),
    (21, "variant", numpy.object_, "h"),
    (22, "uint32", numpy.uint32, "u"),
    (23, "uint64", numpy.uint64, "u"),
    (24, "float8_e5m2", ml_dtypes.float8_e5m2, "f"),
    (25, "float8_e4m3fn", ml_dtypes.float8_e4m3fn, "f"),
    (26, "float8_e4m3fnuz", ml_dtypes.float8_e4m3fnuz, "f"),
    (27, "float8_e4m3b11fnuz", ml_dtypes.float8_e4m3b11fnuz, "f"),
    (28, "float8_e5m2fnuz", ml_dtypes.float8_e5m2fnuz, "f"),
    (29, "int4", ml_dtypes.int4, "i"),
    (30, "uint4", ml_dtypes.uint4, "u"),
    (31, "int2", ml_dtypes.int2, "i"),
    (32, "uint2", ml_dtypes.uint2, "u"),
    (33, "float4_e2m1fn", ml_dtypes.float4_e2m1fn, "f"),
)
_REAL = {"complex64": 1, "complex128": 2}
_ALIASES = {"float": 1, "double": 2, "half": 19}


class DType:
    """The type of a tensor's elements. Mirrors `tf.DType`; `DType(enum)` returns the interned object.

    Beside TensorFlow's attributes: `enum` (int), `np` (the `numpy.dtype` values are stored in; `object` for strings,
    resources and variants; the plain integer for quantized types), `is_ref`, and `is_opaque` for what is more than a
    value: references, resources and variants.
    """

    __slots__ = (
        "_as_ref",
        "_numpy",
        "as_datatype_enum",
        "base_dtype",
        "enum",
        "is_bool",
        "is_complex",
        "is_floating",
        "is_integer",
        "is_numeric",
        "is_numpy_compatible",
        "is_opaque",
        "is_quantized",
        "is_ref",
        "is_unsigned",
        "name",
        "np",
        "real_dtype",
        "size",
    )

    enum: int
    as_datatype_enum: int
    name: str
    np: numpy.dtype[Any]
    size: int
    is_ref: builtins.bool
    is_bool: builtins.bool
    is_integer: builtins.bool
    is_unsigned: builtins.bool
    is_floating: builtins.bool
    is_complex: builtins.bool
    is_quantized: builtins.bool
    is_numeric: builtins.bool
    is_numpy_compatible: builtins.bool
    is_opaque: builtins.bool
    base_dtype: DType
    real_dtype: DType
    _as_ref: DType
    _numpy: Any

    def __new__(cls, type_enum: Any) -> DType:
        found = _BY_ENUM.get(int(type_enum))
        if found is None:
            raise TypeError(f"{type_enum} does not correspond to a valid tensorflow::DataType")
        return found

    @property
    def _type_enum(self) -> int:
        return self.enum

    @property
    def _is_ref_dtype(self) -> builtins.bool:
        return self.is_ref

    @property
    def as_numpy_dtype(self) -> Any:
        """What TensorFlow names as the numpy type: a scalar type, or a one-field record dtype for quantized types.

        Raises KeyError for resource and variant, as TensorFlow does.
        """
        if self._numpy is None:
            raise KeyError(self.enum)
        return self._numpy

    @property
    def min(self) -> Any:
        """The lowest value; TypeError where the type has no order."""
        return self._bound("minimum")

    @property
    def max(self) -> Any:
        """The highest value; TypeError where the type has no order."""
        return self._bound("maximum")

    @property
    def limits(self) -> tuple[Any, Any]:
        """The range of intensities, `(0, max)`, as image functions use it: `(0, 1)` for floats."""
        if not self.is_numpy_compatible:
            raise KeyError(self.enum)
        if self.is_bool:
            return (0, True)
        if self.base_dtype.name in ("float32", "float64"):
            return (0, 1)
        if self.is_integer and self.np.kind in "iu":
            return (0, self.max)
        raise ValueError(f"{self} does not have defined limits.")

    def _bound(self, which: str) -> Any:
        base = self.base_dtype
        if base.is_floating:
            info: Any = ml_dtypes.finfo(base.np.type)  # type: ignore[no-untyped-call]
            return info.min if which == "minimum" else info.max
        if base.is_integer:
            bounds: Any = ml_dtypes.iinfo(base.np.type)  # type: ignore[no-untyped-call]
            return bounds.min if which == "minimum" else bounds.max
        self._no_bound(which)

    def _no_bound(self, which: str) -> NoReturn:
        text = f"Cannot find {which} value of {self}"
        if self.is_quantized:
            text += f" with quantized type {self.base_dtype}"
        elif self.is_numpy_compatible:
            text += f" with type {self.base_dtype}"
        raise TypeError(text + ".")

    def is_compatible_with(self, other: Any) -> builtins.bool:
        """True if a tensor of type `other` can stand where this type is asked for (a reference for its value)."""
        other = as_dtype(other)
        return self is other or self is other.base_dtype

    def __eq__(self, other: object) -> builtins.bool:
        if self is other:
            return True
        if other is None or type(other) is DType:
            return False
        try:
            return self is as_dtype(other)
        except TypeError:
            return False

    def __ne__(self, other: object) -> builtins.bool:
        return not self == other

    def __hash__(self) -> int:
        return self.enum

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return as_dtype, (self.name,)

    def __copy__(self) -> DType:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> DType:
        return self

    def __str__(self) -> str:
        return f"<dtype: '{self.name}'>"

    def __repr__(self) -> str:
        return f"tf.{self.name}"


_BY_ENUM: dict[int, DType] = {}
# Every hashable thing that names a type: enum, name, numpy scalar type, numpy dtype, Python type.
_ANY: dict[Any, DType] = {}


def _intern(enum: int, name: str, storage: Any, kind: str) -> DType:
    dtype = object.__new__(DType)
    is_ref = enum > _REF_OFFSET
    dtype.enum = dtype.as_datatype_enum = enum
    dtype.name = name
    dtype.np = numpy.dtype(storage)
    dtype.size = 0 if kind in "sh" else dtype.np.itemsize
    dtype.is_ref = is_ref
    dtype.is_bool = kind == "b"
    dtype.is_integer = kind in "iu"
    dtype.is_unsigned = kind == "u"
    dtype.is_floating = kind == "f"
    dtype.is_complex = kind == "c"
    dtype.is_quantized = kind == "q"
    # TensorFlow counts neither bool nor the types narrower than its kernels compute in as numbers.
    narrow = name.startswith(("float8", "float4", "int4", "uint4", "int2", "uint2"))
    dtype.is_numeric = kind in "iufcq" and not narrow
    dtype.is_numpy_compatible = kind != "h"
    dtype.is_opaque = is_ref or kind == "h"
    if kind == "h":
        dtype._numpy = None
    elif kind == "s":
        dtype._numpy = numpy.object_ if is_ref else object
    else:
        dtype._numpy = _QUANTIZED_RECORDS.get(name.removesuffix("_ref"), storage)
    _BY_ENUM[enum] = _ANY[enum] = _ANY[name] = dtype
    return dtype


def _fill() -> None:
    for enum, name, storage, kind in _TABLE:
        base = _intern(enum, name, storage, kind)
        ref = _intern(enum + _REF_OFFSET, name + "_ref", storage, kind)
        base.base_dtype = ref.base_dtype = base
        base._as_ref = ref._as_ref = ref
        base.real_dtype, ref.real_dtype = base, ref
        if name in _REAL:
            base.real_dtype = ref.real_dtype = _BY_ENUM[_REAL[name]]
        if kind == "q":
            _ANY[_QUANTIZED_RECORDS[name]] = base
        elif kind != "h":
            _ANY[storage] = _ANY[numpy.dtype(storage)] = base
    for alias, enum in _ALIASES.items():
        _ANY[alias] = _BY_ENUM[enum]
        _ANY[alias + "_ref"] = _BY_ENUM[enum + _REF_OFFSET]
    _ANY[float] = _BY_ENUM[1]
    _ANY[builtins.bool] = _BY_ENUM[10]
    for text in (object, numpy.bytes_, numpy.str_):
        _ANY[text] = _BY_ENUM[7]
    # C's long long has its own scalar type on some platforms.
    _ANY[numpy.longlong], _ANY[numpy.ulonglong] = _BY_ENUM[9], _BY_ENUM[23]


_fill()


def as_dtype(type_value: Any) -> DType:
    """Convert `type_value` to a DType. Mirrors `tf.as_dtype`.

    Takes a DType, an enum number, a name ('float32', 'half', 'int32_ref'), a numpy dtype or scalar type, anything
    with a numpy `dtype` attribute, and the Python types float, bool and object. TypeError for everything else
    (also int, str and bytes, as in TensorFlow).
    """
    if type(type_value) is DType:
        return type_value
    try:
        return _ANY[type_value]
    except (KeyError, TypeError):  # TypeError: not hashable
        pass
    found = None
    if isinstance(type_value, numpy.dtype):
        found = _ANY.get(type_value.type)  # other byte orders, sized strings
    else:
        inner = getattr(type_value, "dtype", None)
        if isinstance(inner, numpy.dtype):
            found = _ANY.get(inner) or _ANY.get(inner.type)
    if found is None:
        raise TypeError(f"Cannot convert the argument `type_value`: {type_value!r} to a TensorFlow DType.")
    return found


float32, float32_ref = DType(1), DType(101)
float64, float64_ref = DType(2), DType(102)
int32, int32_ref = DType(3), DType(103)
uint8, uint8_ref = DType(4), DType(104)
int16, int16_ref = DType(5), DType(105)
int8, int8_ref = DType(6), DType(106)
string, string_ref = DType(7), DType(107)
complex64, complex64_ref = DType(8), DType(108)
int64, int64_ref = DType(9), DType(109)
bool, bool_ref = DType(10), DType(110)
qint8, qint8_ref = DType(11), DType(111)
quint8, quint8_ref = DType(12), DType(112)
qint32, qint32_ref = DType(13), DType(113)
bfloat16, bfloat16_ref = DType(14), DType(114)
qint16, qint16_ref = DType(15), DType(115)
quint16, quint16_ref = DType(16), DType(116)
uint16, uint16_ref = DType(17), DType(117)
complex128, complex128_ref = DType(18), DType(118)
float16, float16_ref = DType(19), DType(119)
resource, resource_ref = DType(20), DType(120)
variant, variant_ref = DType(21), DType(121)
uint32, uint32_ref = DType(22), DType(122)
uint64, uint64_ref = DType(23), DType(123)
float8_e5m2, float8_e5m2_ref = DType(24), DType(124)
float8_e4m3fn, float8_e4m3fn_ref = DType(25), DType(125)
float8_e4m3fnuz, float8_e4m3fnuz_ref = DType(26), DType(126)
float8_e4m3b11fnuz, float8_e4m3b11fnuz_ref = DType(27), DType(127)
float8_e5m2fnuz, float8_e5m2fnuz_ref = DType(28), DType(128)
int4, int4_ref = DType(29), DType(129)
uint4, uint4_ref = DType(30), DType(130)
int2, int2_ref = DType(31), DType(131)
uint2, uint2_ref = DType(32), DType(132)
float4_e2m1fn, float4_e2m1fn_ref = DType(33), DType(133)
double, double_ref = float64, float64_ref
half, half_ref = float16, float16_ref

QUANTIZED_DTYPES: frozenset[DType] = frozenset(dtype for dtype in _BY_ENUM.values() if dtype.is_quantized)
# The types a value can have at run time, without references.
VALUE_DTYPES: tuple[DType, ...] = tuple(dtype for dtype in _BY_ENUM.values() if not dtype.is_ref)
