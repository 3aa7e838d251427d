"""oneDNN's C API, as far as we call it: functions, constants, and handles that destroy themselves.

Names are those of the C API without `dnnl_`. Every call is checked: `Unsupported` tells that the library has no
implementation for what was asked, which is an ordinary answer; anything else is an error.
"""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Sequence
from ctypes import POINTER, byref, c_char_p, c_float, c_int, c_int64, c_size_t, c_uint, c_void_p
from typing import Any

from runstep.errors import InternalError
from runstep.kernels.onednn import library

F32 = 3
FORMAT_ANY = 1

FORWARD_TRAINING = 64
FORWARD_INFERENCE = 96
BACKWARD = 128

CONVOLUTION_DIRECT = 0x1
DECONVOLUTION_DIRECT = 0xA
RELU, TANH, ELU, SQUARE, ABS, SQRT, LINEAR, SOFTPLUS, HARDSIGMOID, LOGISTIC, EXP = range(0x20, 0x2B)
SWISH, LOG, CLIP, CLIP_V2, POW = range(0x2C, 0x31)
HARDSWISH = 0x34
POOLING_MAX, POOLING_AVG_INCLUDE, POOLING_AVG_EXCLUDE = 0x1FF, 0x2FF, 0x3FF
ADD, MUL, MAX, MIN, DIV, SUB = range(0x1FFF0, 0x1FFF6)
RESAMPLING_NEAREST, RESAMPLING_LINEAR = 0x2FFF0, 0x2FFF1
REDUCTION_MAX, REDUCTION_MIN, REDUCTION_SUM, REDUCTION_MUL, REDUCTION_MEAN = range(0x2FFF2, 0x2FFF7)
SOFTMAX, LOG_SOFTMAX = 0x30000, 0x30001

USE_GLOBAL_STATS, USE_SCALE, USE_SHIFT = 1, 2, 4

ARG_SRC, ARG_SRC_1, ARG_DST, ARG_WEIGHTS, ARG_BIAS = 1, 2, 17, 33, 41
ARG_MEAN, ARG_VARIANCE, ARG_SCALE, ARG_SHIFT = 49, 50, 51, 52
ARG_WORKSPACE, ARG_SCRATCHPAD = 64, 80
ARG_DIFF_SRC, ARG_DIFF_DST, ARG_DIFF_WEIGHTS, ARG_DIFF_BIAS = 129, 145, 161, 169
ARG_DIFF_SCALE, ARG_DIFF_SHIFT = 255, 256
ARG_MULTIPLE_SRC = 1024
ARG_POST_OP = 32768  # times (position + 1), with ARG_SRC_1

QUERY_IMPL = 8
QUERY_SRC, QUERY_DIFF_SRC, QUERY_WEIGHTS, QUERY_DIFF_WEIGHTS, QUERY_DST, QUERY_DIFF_DST = range(129, 135)
QUERY_WORKSPACE, QUERY_SCRATCHPAD = 135, 136

_SCRATCHPAD_USER = 1
_UNIMPLEMENTED = 3
_INVALID = 2
_CPU = 1
_IN_ORDER = 1

_Dims = c_int64 * 12


class Unsupported(Exception):
    """The library has no implementation for this."""


class ExecArg(ctypes.Structure):
    """One argument of a primitive's execution: its number and a memory."""

    _fields_ = [("arg", c_int), ("memory", c_void_p)]


_P = c_void_p
_PP = POINTER(c_void_p)
_DIMS = POINTER(c_int64)
# By name: the argument types. All return a status, but those in _RESULTS.
_SIGNATURES: dict[str, list[Any]] = {
    "engine_create": [_PP, c_int, c_size_t],
    "stream_create": [_PP, _P, c_uint],
    "stream_wait": [_P],
    "stream_destroy": [_P],
    "memory_desc_create_with_strides": [_PP, c_int, _DIMS, c_int, _DIMS],
    "memory_desc_create_with_tag": [_PP, c_int, _DIMS, c_int, c_int],
    "memory_desc_clone": [_PP, _P],
    "memory_desc_destroy": [_P],
    "memory_desc_equal": [_P, _P],
    "memory_desc_get_size": [_P],
    "memory_desc_create_submemory": [_PP, _P, _DIMS, _DIMS],
    "memory_create": [_PP, _P, _P, _P],
    "memory_destroy": [_P],
    "memory_set_data_handle": [_P, _P],
    "primitive_desc_query": [_P, c_int, c_int, _P],
    "primitive_desc_query_md": [_P, c_int, c_int],
    "primitive_desc_destroy": [_P],
    "primitive_desc_next_impl": [_P],
    "primitive_create": [_PP, _P],
    "primitive_destroy": [_P],
    "primitive_execute": [_P, _P, c_int, _P],
    "primitive_attr_create": [_PP],
    "primitive_attr_destroy": [_P],
    "primitive_attr_set_scratchpad_mode": [_P, c_int],
    "primitive_attr_set_post_ops": [_P, _P],
    "post_ops_create": [_PP],
    "post_ops_destroy": [_P],
    "post_ops_append_sum": [_P, c_float, ctypes.c_int32, c_int],
    "post_ops_append_eltwise": [_P, c_int, c_float, c_float],
    "post_ops_append_binary": [_P, c_int, _P],
    "post_ops_append_prelu": [_P, c_int],
    "reorder_primitive_desc_create": [_PP, _P, _P, _P, _P, _P],
    "concat_primitive_desc_create": [_PP, _P, _P, c_int, c_int, _PP, _P],
    "binary_primitive_desc_create": [_PP, _P, c_int, _P, _P, _P, _P],
    "convolution_forward_primitive_desc_create": [_PP, _P, c_int, c_int, *[_P] * 4, *[_DIMS] * 4, _P],
    "convolution_backward_data_primitive_desc_create": [_PP, _P, c_int, *[_P] * 3, *[_DIMS] * 4, _P, _P],
    "convolution_backward_weights_primitive_desc_create": [_PP, _P, c_int, *[_P] * 4, *[_DIMS] * 4, _P, _P],
    "deconvolution_forward_primitive_desc_create": [_PP, _P, c_int, c_int, *[_P] * 4, *[_DIMS] * 4, _P],
    "eltwise_forward_primitive_desc_create": [_PP, _P, c_int, c_int, _P, _P, c_float, c_float, _P],
    "softmax_forward_primitive_desc_create": [_PP, _P, c_int, c_int, _P, _P, c_int, _P],
    "pooling_forward_primitive_desc_create": [_PP, _P, c_int, c_int, _P, _P, *[_DIMS] * 5, _P],
    "pooling_backward_primitive_desc_create": [_PP, _P, c_int, _P, _P, *[_DIMS] * 5, _P, _P],
    "batch_normalization_forward_primitive_desc_create": [_PP, _P, c_int, _P, _P, c_float, c_uint, _P],
    "batch_normalization_backward_primitive_desc_create": [_PP, _P, c_int, _P, _P, _P, c_float, c_uint, _P, _P],
    "matmul_primitive_desc_create": [_PP, _P, *[_P] * 5],
    "resampling_forward_primitive_desc_create": [_PP, _P, c_int, c_int, POINTER(c_float), _P, _P, _P],
    "reduction_primitive_desc_create": [_PP, _P, c_int, _P, _P, c_float, c_float, _P],
}
_RESULTS: dict[str, Any] = {
    "memory_desc_equal": c_int,
    "memory_desc_get_size": c_size_t,
    "primitive_desc_query_md": c_void_p,
}


class Api:
    """The functions of an opened library, and its one engine."""

    def __init__(self, opened: ctypes.CDLL) -> None:
        self.version = library.version_of(opened)
        self._functions: dict[str, Any] = {}
        for name, types in _SIGNATURES.items():
            function = getattr(opened, f"dnnl_{name}")
            function.argtypes = types
            function.restype = _RESULTS.get(name, c_int)
            self._functions[name] = function
        self.execute = self._functions["primitive_execute"]
        self.wait = self._functions["stream_wait"]
        self.set_data_handle = self._functions["memory_set_data_handle"]
        self.engine = c_void_p()
        self.call("engine_create", byref(self.engine), _CPU, 0)
        self.threads, self.max_threads = _threads_of(opened)

    def call(self, name: str, *args: Any) -> Any:
        """Calls a function; raises `Unsupported` or InternalError unless it succeeds. Returns what isn't a status."""
        result = self._functions[name](*args)
        if name in _RESULTS:
            return result
        if result:
            if result in (_UNIMPLEMENTED, _INVALID):
                raise Unsupported(name)
            raise InternalError(None, None, f"oneDNN's {name} failed with status {result}")
        return None

    def make(self, name: str, *args: Any) -> c_void_p:
        """Calls a function whose first argument is where it puts what it makes."""
        made = c_void_p()
        self.call(name, byref(made), *args)
        return made

    def stream(self) -> c_void_p:
        return self.make("stream_create", self.engine, _IN_ORDER)


def _threads_of(opened: ctypes.CDLL) -> tuple[Any, Any]:
    """The functions that set and tell how many threads the calling thread's primitives use; None if there are none."""
    try:
        # Found in the OpenMP library that oneDNN brought along.
        setting, telling = opened.omp_set_num_threads, opened.omp_get_max_threads
    except AttributeError:
        return None, None
    setting.argtypes, setting.restype = [c_int], None
    telling.argtypes, telling.restype = [], c_int
    return setting, telling


@functools.cache
def get() -> Api | None:
    """The API of the library that `library.find` found; None without one."""
    opened = library.find()
    return None if opened is None else Api(opened)


def dims(sizes: Sequence[int]) -> Any:
    """Sizes as the array that the C API takes."""
    return _Dims(*sizes)


class MemoryDesc:
    """A memory descriptor: dimensions, float32, and a layout."""

    __slots__ = ("_api", "handle", "sizes")

    def __init__(self, api: Api, handle: Any, sizes: Sequence[int]) -> None:
        self._api = api
        self.handle = handle
        self.sizes = tuple(sizes)

    def __del__(self) -> None:
        self._api.call("memory_desc_destroy", self.handle)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, MemoryDesc) and bool(self._api.call("memory_desc_equal", self.handle, other.handle))

    __hash__ = None  # type: ignore[assignment]

    @property
    def nbytes(self) -> int:
        return self._api.call("memory_desc_get_size", self.handle)


def strided(api: Api, sizes: Sequence[int], strides: Sequence[int]) -> MemoryDesc:
    """A descriptor with these strides, in elements."""
    made = api.make("memory_desc_create_with_strides", len(sizes), dims(sizes), F32, dims(strides))
    return MemoryDesc(api, made, sizes)


def any_layout(api: Api, sizes: Sequence[int]) -> MemoryDesc:
    """A descriptor that leaves the layout to the primitive."""
    return MemoryDesc(api, api.make("memory_desc_create_with_tag", len(sizes), dims(sizes), F32, FORMAT_ANY), sizes)


def part_of(api: Api, whole: MemoryDesc, sizes: Sequence[int], offsets: Sequence[int]) -> MemoryDesc:
    """The descriptor of a block inside of another one's memory."""
    return MemoryDesc(api, api.make("memory_desc_create_submemory", whole.handle, dims(sizes), dims(offsets)), sizes)


_BETTER = {"brgconv_1x1:avx2": "jit_1x1:avx2"}
"""Implementations that another one, next in the library's list, beats: measured on Zen 3, by 5 to 25 %."""


class Primitive:
    """A primitive with its descriptor: `name` is the primitive's name in the C API ("convolution_forward")."""

    __slots__ = ("_api", "desc", "handle")

    def __init__(self, api: Api, name: str, *args: Any) -> None:
        self._api = api
        self.handle: c_void_p | None = None
        self.desc: c_void_p | None = None
        self.desc = api.make(f"{name}_primitive_desc_create", *args)
        better = _BETTER.get(self.implementation)
        if better is not None:
            # The library's first choice isn't always its fastest; the ones that come after are asked for one by one.
            try:
                api.call("primitive_desc_next_impl", self.desc)
                found = self.implementation
            except (Unsupported, InternalError):
                found = ""
            if found != better:
                api.call("primitive_desc_destroy", self.desc)
                self.desc = None
                self.desc = api.make(f"{name}_primitive_desc_create", *args)
        self.handle = api.make("primitive_create", self.desc)

    def __del__(self) -> None:
        if self.handle is not None:
            self._api.call("primitive_destroy", self.handle)
        if self.desc is not None:
            self._api.call("primitive_desc_destroy", self.desc)

    @property
    def address(self) -> int:
        """The handle as a number."""
        return self.handle.value or 0 if self.handle is not None else 0

    def layout(self, query: int, sizes: Sequence[int], index: int = 0) -> MemoryDesc:
        """The layout that the primitive chose for one of its arguments."""
        borrowed = self._api.call("primitive_desc_query_md", self.desc, query, index)
        return MemoryDesc(self._api, self._api.make("memory_desc_clone", borrowed), sizes)

    def nbytes(self, query: int) -> int:
        """The size of one of its arguments (workspace, scratchpad), 0 where it has none."""
        borrowed = self._api.call("primitive_desc_query_md", self.desc, query, 0)
        return self._api.call("memory_desc_get_size", borrowed) if borrowed else 0

    @property
    def implementation(self) -> str:
        """The library's name for the code that runs, for instance "jit:avx2"."""
        text = c_char_p()
        self._api.call("primitive_desc_query", self.desc, QUERY_IMPL, 0, byref(text))
        return (text.value or b"").decode()


class Attributes:
    """Attributes of a primitive: scratchpad memory from us, and post-ops."""

    __slots__ = ("_api", "handle")

    def __init__(self, api: Api, post_ops: Sequence[tuple[Any, ...]] = ()) -> None:
        """`post_ops`: ("sum",), ("eltwise", kind, alpha, beta), ("prelu", mask) or ("binary", kind, MemoryDesc), in
        order."""
        self._api = api
        self.handle = api.make("primitive_attr_create")
        api.call("primitive_attr_set_scratchpad_mode", self.handle, _SCRATCHPAD_USER)
        if not post_ops:
            return
        chain = api.make("post_ops_create")
        try:
            for kind, *details in post_ops:
                if kind == "sum":
                    api.call("post_ops_append_sum", chain, 1.0, 0, F32)
                elif kind == "eltwise":
                    api.call("post_ops_append_eltwise", chain, *details)
                elif kind == "prelu":
                    api.call("post_ops_append_prelu", chain, *details)
                else:
                    api.call("post_ops_append_binary", chain, details[0], details[1].handle)
            api.call("primitive_attr_set_post_ops", self.handle, chain)
        finally:
            api.call("post_ops_destroy", chain)

    def __del__(self) -> None:
        self._api.call("primitive_attr_destroy", self.handle)
