"""Programs: the primitives of one region for one set of input shapes, with their memory laid out beforehand.

A `Builder` records steps on `Value`s; `finish` places the intermediate values into one block of memory by when they
live. Running a program sets the addresses of its inputs and outputs and executes one primitive after the other: about a
microsecond of Python each.

Every value is a plain row-major array in TensorFlow's order of axes. To oneDNN, which wants channels second, it is
described by strides.
"""

from __future__ import annotations

import ctypes
import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from runstep.errors import InternalError
from runstep.kernels import blas
from runstep.kernels.onednn import api as c
from runstep.kernels.onednn.api import Api, ExecArg, MemoryDesc, Primitive

Array = Any

_ALIGN = 64
_WIDE = 1_500_000
"""Floating point operations (numbers moved count 32) from which a primitive gets all threads. Below, some twenty
microseconds of work, waking and joining them costs more than it saves; more so when another process wants the core."""

_SLOW = ("ref", "simple:any", "gemm:ref")
"""How the names of implementations begin that numpy is faster than."""


class Refused(Exception):
    """A region can't be computed like this; it is then computed node by node."""


class Home:
    """The memory that a value, or several views of one, lives in.

    Attributes:
      kind: "arena", "kept" (its own block, zero at first), "input", "output" or "constant".
      index: of the input or output. array: the constant. first, last: the steps between which it is needed.
    """

    __slots__ = ("array", "first", "index", "kind", "last", "nbytes", "offset")

    def __init__(self, kind: str, nbytes: int, index: int = -1, array: Array = None) -> None:
        self.kind = kind
        self.nbytes = nbytes
        self.index = index
        self.array = array
        self.first = -1
        self.last = -1
        self.offset = 0


class Value:
    """One tensor: TensorFlow's shape, where it lives, and its content where it is constant."""

    __slots__ = ("array", "home", "shape")

    def __init__(self, shape: Sequence[int], home: Home, array: Array = None) -> None:
        self.shape = tuple(shape)
        self.home = home
        self.array = array

    @property
    def size(self) -> int:
        return math.prod(self.shape)


def constant(array: Array) -> Value:
    """A value known while the program is built."""
    array = np.ascontiguousarray(array) if np.ndim(array) else np.array(array)
    return Value(array.shape, Home("constant", array.nbytes, array=array), array)


def reshaped(value: Value, shape: Sequence[int]) -> Value:
    """The same memory under another shape."""
    return Value(shape, value.home, None if value.array is None else value.array.reshape(shape))


def strides_of(shape: Sequence[int]) -> list[int]:
    """Row-major strides, in elements."""
    strides = [1] * len(shape)
    for axis in range(len(shape) - 2, -1, -1):
        strides[axis] = strides[axis + 1] * shape[axis + 1]
    return strides


def channels_second(items: Sequence[int]) -> list[int]:
    """Items of TensorFlow's axes in oneDNN's order: from rank 3 on, the last axis goes second."""
    return [items[0], items[-1], *items[1:-1]] if len(items) > 2 else list(items)


class Builder:
    """Records the steps of a program."""

    def __init__(self, api: Api) -> None:
        self.api = api
        self.steps: list[tuple[Any, ...]] = []
        self.outputs: list[Value] = []
        self.weights = 0
        self._homes: list[Home] = []
        self._scratch = 0
        self._all = blas.threads()
        self._threads = 1
        self.sized(0)

    def sized(self, work: int) -> None:
        """Says how many floating point operations the next primitives have, which tells how many threads they get."""
        self._threads = self._all if work >= _WIDE else 1
        if self.api.threads is not None:
            self.api.threads(self._threads)

    # ------------------------------------------------------------------ values and descriptors

    def new(self, shape: Sequence[int], *, kept: bool = False) -> Value:
        """An uninitialised float32 value; one that is `kept` starts as zeros and shares its memory with no other."""
        if not math.prod(shape):
            raise Refused("empty")
        home = Home("kept" if kept else "arena", 4 * math.prod(shape))
        self._homes.append(home)
        return Value(shape, home)

    def block(self, nbytes: int) -> Home:
        """Memory for a value in a layout of the library's."""
        home = Home("arena", nbytes)
        self._homes.append(home)
        return home

    def desc(self, value: Value, rank: int | None = None) -> MemoryDesc:
        """The value as oneDNN sees it, with axes of size 1 put before it up to `rank`."""
        shape = value.shape
        lead = max(0, (1 if rank is None else rank) - len(shape))
        shape = (*(1,) * lead, *shape)
        return c.strided(self.api, channels_second(shape), channels_second(strides_of(shape)))

    def any(self, sizes: Sequence[int]) -> MemoryDesc:
        return c.any_layout(self.api, sizes)

    # ------------------------------------------------------------------ steps

    def primitive(self, name: str, *args: Any) -> Primitive:
        """Makes a primitive. Unsupported if the library has no implementation that is worth it."""
        made = Primitive(
            self.api,
            name,
            self.api.engine,
            *[arg.handle if isinstance(arg, MemoryDesc | c.Attributes) else arg for arg in args],
        )
        if made.implementation.startswith(_SLOW):
            raise c.Unsupported(name)
        return made

    def run(self, primitive: Primitive, arguments: Sequence[tuple[int, Home, MemoryDesc]]) -> None:
        """Adds the execution of a primitive."""
        self._scratch = max(self._scratch, primitive.nbytes(c.QUERY_SCRATCHPAD))
        for _, home, _ in arguments:
            self._touch(home)
        self.steps.append((primitive, list(arguments), primitive.layout(c.QUERY_SCRATCHPAD, ()), self._threads))

    def call(self, kernel: Callable[..., Any], inputs: Sequence[Value], shape: Sequence[int]) -> Value:
        """Adds the call of a numpy kernel; its result is copied into a new value."""
        result = self.new(shape)
        for value in (*inputs, result):
            self._touch(value.home)
        self.steps.append((kernel, list(inputs), result))
        return result

    def _touch(self, home: Home) -> None:
        step = len(self.steps)
        if home.first < 0:
            home.first = step
        home.last = step

    def reorder(self, source: Home, source_desc: MemoryDesc, target: Home, target_desc: MemoryDesc) -> None:
        """Adds a copy from one layout to another."""
        engine = self.api.engine
        attributes = c.Attributes(self.api)
        made = Primitive(self.api, "reorder", source_desc.handle, engine, target_desc.handle, engine, attributes.handle)
        self.run(made, [(c.ARG_SRC, source, source_desc), (c.ARG_DST, target, target_desc)])

    def arranged(self, value: Value, plain: MemoryDesc, wanted: MemoryDesc) -> Home:
        """The memory of `value` in the layout `wanted`; a constant is arranged now, once for all runs."""
        if plain == wanted:
            return value.home
        if value.array is None:
            home = self.block(wanted.nbytes)
            self.reorder(value.home, plain, home, wanted)
            return home
        array = aligned(wanted.nbytes)
        self.weights += wanted.nbytes
        home = Home("constant", array.nbytes, array=array)
        once = Builder(self.api)
        once.reorder(value.home, plain, home, wanted)
        Program(once, []).run([])
        if self.api.threads is not None:
            self.api.threads(self._threads)
        return home

    # ------------------------------------------------------------------ the end

    def finish(self, outputs: Sequence[Value]) -> Program:
        """The program that computes these outputs, each an array of its own."""
        taken: set[int] = set()
        for index, value in enumerate(outputs):
            if value.array is not None:
                self.outputs.append(value)
                continue
            home = value.home
            if home.kind in ("input", "kept", "constant") or id(home) in taken:
                copy = self.new(value.shape)
                flat, again = reshaped(value, (value.size,)), reshaped(copy, (value.size,))
                self.reorder(home, self.desc(flat), copy.home, self.desc(again))
                value, home = copy, copy.home
            taken.add(id(home))
            home.kind, home.index = "output", index
            self.outputs.append(value)
        return Program(self, self._place())

    def _place(self) -> list[Home]:
        """Gives every intermediate home an offset in the arena; homes that live at the same time don't overlap."""
        homes = [home for home in self._homes if home.kind == "arena" and home.first >= 0]
        placed: list[Home] = []
        for home in sorted(homes, key=lambda home: -home.nbytes):
            offset = 0
            for other in sorted(placed, key=lambda other: other.offset):
                if other.first <= home.last and home.first <= other.last:
                    if offset + _padded(home.nbytes) <= other.offset:
                        break
                    offset = max(offset, other.offset + _padded(other.nbytes))
            home.offset = offset
            placed.append(home)
        return placed

    @property
    def scratch(self) -> int:
        return self._scratch


def _padded(nbytes: int) -> int:
    return -(-nbytes // _ALIGN) * _ALIGN


def aligned(nbytes: int) -> Array:
    """Zeroed memory that starts at a multiple of 64 bytes."""
    block = np.zeros(nbytes + _ALIGN, np.uint8)
    start = -address(block) % _ALIGN
    return block[start : start + nbytes]


def address(array: Array) -> int:
    """Where the array's memory starts."""
    return array.__array_interface__["data"][0]


class Program:
    """Steps with their memory. Any number of threads may run it at once; each gets a workspace of its own.

    Attributes:
      weights: bytes of the constants that were arranged for it. arena, scratch: of one workspace.
    """

    def __init__(self, builder: Builder, placed: Sequence[Home]) -> None:
        self.api = builder.api
        self.steps = builder.steps
        self.outputs = builder.outputs
        self.scratch = builder.scratch
        self.weights = builder.weights
        self.arena = max((home.offset + _padded(home.nbytes) for home in placed), default=0)
        self._free: list[_Workspace] = []
        self._busy: list[_Workspace] = []

    @property
    def nbytes(self) -> int:
        """Bytes that it keeps: its weights and its workspaces."""
        made = [*self._free, *self._busy]
        return self.weights + sum(workspace.nbytes for workspace in made)

    @property
    def idle(self) -> int:
        """Bytes of the workspace that the next run takes; 0 if it has to be made."""
        return max((workspace.nbytes for workspace in self._free.copy()), default=0)

    def release(self) -> bool:
        """Frees the workspaces that nobody uses. Whether there were any."""
        found = bool(self._free)
        self._free.clear()
        return found

    def run(self, inputs: Sequence[Array]) -> list[Array]:
        """The outputs for inputs of the shapes that the program was built for, contiguous float32."""
        try:
            workspace = self._free.pop()
        except IndexError:
            workspace = _Workspace(self)
        outputs = [
            np.empty(value.shape, np.float32) if value.array is None else value.array.copy() for value in self.outputs
        ]
        self._busy.append(workspace)
        try:
            workspace.run(inputs, outputs)
        finally:
            self._busy.remove(workspace)
        self._free.append(workspace)
        return outputs


class _Workspace:
    """The memory and the prepared calls of one run at a time."""

    def __init__(self, program: Program) -> None:
        self._api = api = program.api
        self._arena = aligned(program.arena)
        self._scratch = aligned(max(program.scratch, 1))
        self._stream = api.stream()
        self._kept: dict[int, Array] = {}
        self._memories: list[Any] = []
        self._external: dict[tuple[str, int], list[int]] = {}
        self._arrays: dict[tuple[str, int], Array] = {}
        self._alive: list[Any] = [program]
        self._steps: list[Callable[[], Any]] = []
        threads = 0
        for step in program.steps:
            if not isinstance(step[0], Primitive):
                self._steps.append(self._call(*step))
                continue
            *details, wanted = step
            if wanted != threads and api.threads is not None:
                threads = wanted
                self._steps.append(functools.partial(api.threads, threads))
            self._steps.append(self._execution(*details))
        self._inputs = [
            (memory, index) for (kind, index), found in self._external.items() if kind == "input" for memory in found
        ]
        self._outputs = [
            (memory, index) for (kind, index), found in self._external.items() if kind == "output" for memory in found
        ]
        self._has_calls = any(not isinstance(step[0], Primitive) for step in program.steps)

    @property
    def nbytes(self) -> int:
        """Bytes of its memory."""
        return int(self._arena.nbytes + self._scratch.nbytes) + sum(block.nbytes for block in self._kept.values())

    def __del__(self) -> None:
        for memory in self._memories:
            self._api.call("memory_destroy", memory)
        self._api.call("stream_destroy", self._stream)

    def _memory(self, home: Home, desc: MemoryDesc) -> int:
        if home.kind in ("input", "output"):
            place = 0
        else:
            place = address(self._array(home))
        made = self._api.make("memory_create", desc.handle, self._api.engine, place or None)
        self._memories.append(made)
        self._alive.append(home.array)
        if not place:
            self._external.setdefault((home.kind, home.index), []).append(made.value or 0)
        return made.value or 0

    def _array(self, home: Home) -> Array:
        """The bytes of a home that stays where it is."""
        if home.kind == "constant":
            return home.array
        if home.kind == "arena":
            return self._arena[home.offset : home.offset + home.nbytes]
        found = self._kept.get(id(home))
        if found is None:
            found = self._kept[id(home)] = aligned(home.nbytes)
        return found

    def _execution(self, primitive: Primitive, arguments: Any, scratch_desc: MemoryDesc) -> Callable[[], Any]:
        found = [ExecArg(number, self._memory(home, desc)) for number, home, desc in arguments]
        if scratch_desc.nbytes:
            place = address(self._scratch)
            made = self._api.make("memory_create", scratch_desc.handle, self._api.engine, place)
            self._memories.append(made)
            found.append(ExecArg(c.ARG_SCRATCHPAD, made.value))
        arguments = (ExecArg * len(found))(*found)
        self._alive.append(arguments)
        return functools.partial(
            self._api.execute, primitive.address, self._stream.value, len(found), ctypes.addressof(arguments)
        )

    def _call(self, kernel: Callable[..., Any], inputs: Sequence[Value], result: Value) -> Callable[[], Any]:
        sources = [self._reader(value) for value in inputs]
        target = self._reader(result)

        def step() -> None:
            np.copyto(target(), kernel(*[source() for source in sources]))

        return step

    def _reader(self, value: Value) -> Callable[[], Array]:
        home, shape = value.home, value.shape
        if value.array is not None:
            known = value.array if value.array.ndim else value.array[()]
            return lambda: known
        if home.kind in ("input", "output"):
            key = home.kind, home.index
            return lambda: self._arrays[key].reshape(shape)
        array = self._array(home).view(np.float32).reshape(shape)
        return lambda: array

    def run(self, inputs: Sequence[Array], outputs: Sequence[Array]) -> None:
        set_handle = self._api.set_data_handle
        for memory, index in self._inputs:
            set_handle(memory, inputs[index].__array_interface__["data"][0])
        for memory, index in self._outputs:
            set_handle(memory, outputs[index].__array_interface__["data"][0])
        if self._has_calls:
            arrays = self._arrays
            for index, array in enumerate(inputs):
                arrays["input", index] = array
            for index, array in enumerate(outputs):
                arrays["output", index] = array
        for step in self._steps:
            if step():
                raise InternalError(None, None, "oneDNN failed to execute a primitive")
        self._arrays.clear()
