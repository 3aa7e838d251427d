"""How datasets are to be worked through (source: tf.data.Options). Kept and told; what comes out is the same anyway."""

from __future__ import annotations

import enum
import weakref
from typing import Any

from runstep.graph.operation import Operation

__all__ = [
    "AutoShardPolicy",
    "AutotuneOptions",
    "DistributeOptions",
    "ExternalStatePolicy",
    "OptimizationOptions",
    "Options",
    "ThreadingOptions",
]


class AutoShardPolicy(enum.IntEnum):
    """How a dataset is divided among workers. Mirrors `tf.data.experimental.AutoShardPolicy`."""

    OFF = -1
    AUTO = 0
    FILE = 1
    DATA = 2
    HINT = 3


class ExternalStatePolicy(enum.Enum):
    """What becomes of state outside of a dataset. Mirrors `tf.data.experimental.ExternalStatePolicy`."""

    WARN = 0
    IGNORE = 1
    FAIL = 2


class _Settings:
    """Named settings of given types, None until they are set.

    Raises:
      AttributeError: there is no such setting. TypeError: its value is of another type.
    """

    _types: dict[str, Any] = {}

    def __init__(self) -> None:
        for name, kind in self._types.items():
            nested = isinstance(kind, type) and issubclass(kind, _Settings)
            object.__setattr__(self, name, kind() if nested else None)

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in self._types:
            raise AttributeError(f"Cannot set the property {name} on {type(self).__name__}.")
        kind = self._types[name]
        if value is not None and not isinstance(value, kind):
            raise TypeError(f'Property "{name}" must be of type {kind}, got: {value} (type: {type(value)})')
        object.__setattr__(self, name, value)

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and vars(self) == vars(other)

    __hash__ = None  # type: ignore[assignment]

    def _merged(self, other: Any) -> Any:
        found = type(self)()
        for name in self._types:
            mine, theirs = getattr(self, name), getattr(other, name)
            nested = isinstance(mine, _Settings) and theirs is not None
            object.__setattr__(found, name, mine._merged(theirs) if nested else mine if theirs is None else theirs)
        return found


class AutotuneOptions(_Settings):
    """Mirrors `tf.data.experimental.AutotuneOptions`."""

    _types = {
        "autotune_algorithm": object,
        "cpu_budget": int,
        "enabled": bool,
        "initial_parallelism": int,
        "min_parallelism": int,
        "ram_budget": int,
    }


class DistributeOptions(_Settings):
    """Mirrors `tf.data.experimental.DistributeOptions`."""

    _types = {"auto_shard_policy": AutoShardPolicy, "num_devices": int}


class OptimizationOptions(_Settings):
    """Mirrors `tf.data.experimental.OptimizationOptions`."""

    _types = {
        "apply_default_optimizations": bool,
        "filter_fusion": bool,
        "filter_parallelization": bool,
        "inject_prefetch": bool,
        "map_and_batch_fusion": bool,
        "map_and_filter_fusion": bool,
        "map_fusion": bool,
        "map_parallelization": bool,
        "noop_elimination": bool,
        "parallel_batch": bool,
        "seq_interleave_prefetch": bool,
        "shuffle_and_repeat_fusion": bool,
    }


class ThreadingOptions(_Settings):
    """Mirrors `tf.data.ThreadingOptions`."""

    _types = {"max_intra_op_parallelism": int, "private_threadpool_size": int}


class Options(_Settings):
    """Mirrors `tf.data.Options`."""

    _types = {
        "autotune": AutotuneOptions,
        "dataset_name": str,
        "deterministic": bool,
        "experimental_distribute": DistributeOptions,
        "experimental_external_state_policy": ExternalStatePolicy,
        "experimental_optimization": OptimizationOptions,
        "experimental_slack": bool,
        "experimental_symbolic_checkpoint": bool,
        "experimental_warm_start": bool,
        "framework_type": list,
        "threading": ThreadingOptions,
    }
    _old = {"experimental_deterministic": "deterministic", "experimental_threading": "threading"}

    def __getattr__(self, name: str) -> Any:
        if name in self._old:
            return getattr(self, self._old[name])
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}", name=name, obj=self)

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(self._old.get(name, name), value)

    def merge(self, options: Options) -> Options:
        """Both, where the other one's count that are set."""
        found: Options = self._merged(options)
        return found


_said: weakref.WeakKeyDictionary[Operation, Options] = weakref.WeakKeyDictionary()


def remember(op: Operation, options: Options) -> None:
    """Keeps the options that a dataset's node was made with."""
    _said[op] = options


def options_of(op: Operation) -> Options:
    """The options of a dataset's node and of those before it; the later ones count."""
    found = Options()
    for tensor in op.inputs:
        if tensor.dtype.name == "variant":
            found = found.merge(options_of(tensor.op))
    return found.merge(_said[op]) if op in _said else found
