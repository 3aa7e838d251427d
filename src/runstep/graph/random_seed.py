"""Seeds: how the graph's seed and an op's seed make the two that a random op carries."""

from __future__ import annotations

import weakref
from typing import Any

from runstep.graph.graph import Graph, get_default_graph

__all__ = ["get_seed", "set_random_seed"]

_DEFAULT_GRAPH_SEED = 87654321
_LIMIT = 2**31 - 1

# How many seeds each graph has given to ops that brought none.
_given: weakref.WeakKeyDictionary[Graph, int] = weakref.WeakKeyDictionary()


def set_random_seed(seed: int | None) -> None:
    """Sets the seed of the default graph (source: tf.set_random_seed). Ops that exist already keep theirs (S60)."""
    get_default_graph().seed = seed


def get_seed(op_seed: int | None) -> tuple[int | None, int | None]:
    """The pair of seeds for a random op of the default graph (source: tf.get_seed).

    Without any seed (None, None): different numbers in each session. With the graph's alone the op takes the next
    number of the graph's count, so that the same program makes the same numbers.
    """
    graph = get_default_graph()
    if graph.seed is not None:
        if op_seed is None:
            op_seed = _given.get(graph, 0)
            _given[graph] = op_seed + 1
        seeds = graph.seed % _LIMIT, op_seed % _LIMIT
    elif op_seed is not None:
        seeds = _DEFAULT_GRAPH_SEED, op_seed % _LIMIT
    else:
        return None, None
    return (0, _LIMIT) if seeds == (0, 0) else seeds


def seed_attrs(op_seed: Any) -> dict[str, Any]:
    """The attributes `seed` and `seed2` of a random op."""
    seed, seed2 = get_seed(op_seed)
    return {"seed": seed, "seed2": seed2}
