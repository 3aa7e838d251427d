"""`tf.random.Generator`: random numbers from a state that is a variable (source: tf.random.Generator)."""

from __future__ import annotations

import enum
from typing import Any, NoReturn

import numpy as np

from runstep.graph import dtypes
from runstep.graph.apply import apply
from runstep.graph.convert import convert_to_tensor
from runstep.graph.graph import get_default_graph, name_scope
from runstep.graph.tensor import Tensor
from runstep.ops.cast import cast
from runstep.ops.creation import zeros_like
from runstep.ops.joining import concat, stack
from runstep.ops.reduction import reduce_prod
from runstep.ops.shape_ops import reshape
from runstep.variables.variable import Variable

__all__ = ["Algorithm", "Generator", "create_rng_state", "get_global_generator", "set_global_generator"]


class Algorithm(enum.Enum):
    """Mirrors `tf.random.Algorithm`."""

    PHILOX = 1
    THREEFRY = 2
    AUTO_SELECT = 3


_SIZES = {1: 3, 2: 2}
_NAMES = {"philox": 1, "threefry": 2, "auto_select": 1}


def _number(alg: Any) -> int:
    """Which algorithm is meant. ValueError: there is none of this name."""
    if alg is None or alg is Algorithm.AUTO_SELECT:
        return 1
    if isinstance(alg, str):
        if alg not in _NAMES:
            raise ValueError(f"Unknown algorithm name: {alg}")
        return _NAMES[alg]
    found = alg.value if isinstance(alg, Algorithm) else int(alg)
    if found not in _SIZES:
        raise ValueError(f"Unsupported algorithm id: {found}")
    return found


def create_rng_state(seed: Any, alg: Any) -> Tensor:
    """The state that a seed begins with: int64 [3] for Philox, [2] for ThreeFry (source: tf.random.create_rng_state).

    Args:
      seed: a Python number, whose 64-bit words are taken, the lowest first; or a tensor, which is put at the end.
    """
    size = _SIZES[_number(alg)]
    if isinstance(seed, int):
        words = [seed >> 64 * index & 2**64 - 1 for index in range(size)]
        return convert_to_tensor(np.array(words, np.uint64).view(np.int64))
    given = reshape(cast(convert_to_tensor(seed), dtypes.int64), [-1])[-size:]
    known = given.shape[0].value
    if known is None:
        raise ValueError("The size of the seed must be known at graph construction time.")
    state = concat([np.zeros(size - min(known, size), np.int64), given], 0)
    state.set_shape([size])
    return state


class Generator:
    """Random numbers, each time others, from a state that sessions keep and savers save.

    Make one with `from_seed` and its kin. Its state is a variable, to be initialized as any other.

    Attributes:
      state: the variable, int64. algorithm: 1 for Philox, 2 for ThreeFry (which only TPUs compute).
    """

    def __init__(self, copy_from: Generator | None = None, state: Any = None, alg: Any = None) -> None:
        if copy_from is not None:
            if state is not None or alg is not None:
                raise ValueError("copy_from goes without state and alg.")
            state, alg = copy_from.state.initialized_value(), copy_from.algorithm
        elif state is None or alg is None:
            raise ValueError("state and alg must be given, or copy_from.")
        self.algorithm: int = _number(alg)
        with name_scope("random_generator"):
            value = convert_to_tensor(state, dtypes.int64)
            value.shape.assert_is_compatible_with([_SIZES[self.algorithm]])
            self.state: Any = Variable(value, trainable=False, name="StateVar", dtype=dtypes.int64, use_resource=True)

    @classmethod
    def from_seed(cls, seed: Any, alg: Any = None) -> Generator:
        """One that begins with this seed."""
        return cls(state=create_rng_state(seed, alg), alg=_number(alg))

    @classmethod
    def from_state(cls, state: Any, alg: Any) -> Generator:
        """One that begins with this state: the counter, then the key."""
        return cls(state=state, alg=alg)

    @classmethod
    def from_key_counter(cls, key: Any, counter: Any, alg: Any) -> Generator:
        """One of this key and this counter."""
        return cls(state=_joined(key, counter, _number(alg)), alg=alg)

    @classmethod
    def from_non_deterministic_state(cls, alg: Any = None) -> Generator:
        """One whose state is other in each run of its initializer."""
        size = _SIZES[_number(alg)]
        return cls(state=apply("NonDeterministicInts", [size], dtype=dtypes.int64), alg=_number(alg))

    @property
    def key(self) -> Tensor:
        """The key, of Philox."""
        found: Tensor = self.state.read_value()[2]
        return found

    def reset(self, state: Any) -> None:
        """Adds an operation to the graph that sets the state; run by who waits for it."""
        self.state.assign(convert_to_tensor(state, dtypes.int64))

    def reset_from_seed(self, seed: Any) -> None:
        """As `reset`, to what `from_seed` begins with."""
        self.state.assign(create_rng_state(seed, self.algorithm))

    def reset_from_key_counter(self, key: Any, counter: Any) -> None:
        """As `reset`, to this key and counter."""
        self.state.assign(_joined(key, counter, self.algorithm))

    def skip(self, delta: Any) -> Tensor:
        """Leaves out `delta` numbers. The state before it."""
        count = cast(convert_to_tensor(delta), dtypes.uint64)
        found: Tensor = apply("RngReadAndSkip", self.state.handle, np.int32(self.algorithm), count)
        return found

    def _place(self, shape: Tensor) -> tuple[Tensor, Tensor, int]:
        state = self.skip(reduce_prod(shape))
        size = _SIZES[self.algorithm] - 1
        counter = apply("Bitcast", state[:size], type=dtypes.uint64)
        return apply("Bitcast", state[size : size + 1], type=dtypes.uint64), counter, self.algorithm

    def normal(
        self, shape: Any, mean: Any = 0.0, stddev: Any = 1.0, dtype: Any = dtypes.float32, name: str | None = None
    ) -> Tensor:
        """Normal numbers."""
        return self._spread("StatelessRandomNormalV2", "stateful_normal", shape, mean, stddev, dtype, name)

    def truncated_normal(
        self, shape: Any, mean: Any = 0.0, stddev: Any = 1.0, dtype: Any = dtypes.float32, name: str | None = None
    ) -> Tensor:
        """Normal numbers within two standard deviations."""
        return self._spread("StatelessTruncatedNormalV2", "truncated_normal", shape, mean, stddev, dtype, name)

    def _spread(
        self, op_type: str, label: str, shape: Any, mean: Any, stddev: Any, dtype: Any, name: str | None
    ) -> Tensor:
        kind = dtypes.as_dtype(dtype)
        with name_scope(name, label, [shape, mean, stddev]) as scope:
            sizes = _shape(shape)
            numbers = apply(op_type, sizes, *self._place(sizes), dtype=kind)
            scaled = apply("Mul", numbers, convert_to_tensor(stddev, kind, name="stddev"))
            result: Tensor = apply("AddV2", scaled, convert_to_tensor(mean, kind, name="mean"), name=scope)
            return result

    def uniform(
        self, shape: Any, minval: Any = 0, maxval: Any = None, dtype: Any = dtypes.float32, name: str | None = None
    ) -> Tensor:
        """Numbers from `minval` to below `maxval` (1 by default; integers have no default)."""
        kind = dtypes.as_dtype(dtype)
        if maxval is None:
            if kind.is_integer:
                raise ValueError(f"Must specify maxval for integer dtype {kind!r}")
            maxval = 1
        with name_scope(name, "stateful_uniform", [shape, minval, maxval]) as scope:
            sizes = _shape(shape)
            low, high = convert_to_tensor(minval, kind, name="min"), convert_to_tensor(maxval, kind, name="max")
            place = self._place(sizes)
            if kind.is_integer:
                whole: Tensor = apply("StatelessRandomUniformIntV2", sizes, *place, low, high, name=scope)
                return whole
            numbers = apply("StatelessRandomUniformV2", sizes, *place, dtype=kind)
            result: Tensor = apply("AddV2", apply("Mul", numbers, high - low), low, name=scope)
            return result

    def uniform_full_int(self, shape: Any, dtype: Any = dtypes.uint64, name: str | None = None) -> Tensor:
        """Integers of all values."""
        with name_scope(name, "stateful_uniform_full_int", [shape]) as scope:
            sizes = _shape(shape)
            kind = dtypes.as_dtype(dtype)
            found: Tensor = apply("StatelessRandomUniformFullIntV2", sizes, *self._place(sizes), dtype=kind, name=scope)
            return found

    def binomial(
        self, shape: Any, counts: Any, probs: Any, dtype: Any = dtypes.int32, name: str | None = None
    ) -> Tensor:
        """How many of `counts` tries succeed, each with probability `probs`."""
        with name_scope(name, "binomial", [shape, counts, probs]) as scope:
            of = convert_to_tensor(counts, dtype_hint=dtypes.float32, name="counts")
            chance = convert_to_tensor(probs, of.dtype, name="probs")
            found: Tensor = apply(
                "StatefulRandomBinomial",
                self.state.handle,
                np.int64(self.algorithm),
                _shape(shape),
                of,
                chance,
                dtype=dtypes.as_dtype(dtype),
                name=scope,
            )
            return found

    def make_seeds(self, count: int = 1) -> Tensor:
        """int64 [2, count]: seeds for stateless functions."""
        keys = self.uniform_full_int([count], dtypes.int64)
        return stack([keys, zeros_like(keys)])

    def split(self, count: int = 1) -> NoReturn:
        """NotImplementedError: generators are made when the graph is, states when it runs."""
        raise NotImplementedError("Generators cannot be split in a graph; make several with from_seed.")


def _shape(shape: Any) -> Tensor:
    return convert_to_tensor(shape, dtype_hint=dtypes.int32, name="shape")


def _joined(key: Any, counter: Any, alg: int) -> Tensor:
    key_, counter_ = cast(convert_to_tensor(key), dtypes.int64), cast(convert_to_tensor(counter), dtypes.int64)
    state = concat([reshape(counter_, [-1]), reshape(key_, [-1])], 0)
    state.set_shape([_SIZES[alg]])
    return state


def get_global_generator() -> Generator:
    """The graph's generator; one of its seed, or of a random state, if none was set."""
    graph: Any = get_default_graph()
    kept = graph.get_collection_ref("_global_generator")
    if not kept:
        seeded = graph.seed is not None
        kept.append(Generator.from_seed(graph.seed) if seeded else Generator.from_non_deterministic_state())
    found: Generator = kept[0]
    return found


def set_global_generator(generator: Generator) -> None:
    """Makes this the graph's generator."""
    get_default_graph().get_collection_ref("_global_generator")[:] = [generator]
