"""Seeds of random operations: the graph's, the operation's, and how they make two numbers."""

from __future__ import annotations

from typing import Any

from runstep.graph.graph import get_default_graph

__all__ = ["get_seed", "set_random_seed"]

_DEFAULT_GRAPH_SEED = 87654321
_LARGEST = 2**31 - 1


def set_random_seed(seed: int | None) -> None:
    """Sets the seed of the default graph (source: tf.set_random_seed)."""
    get_default_graph().seed = seed


def get_seed(op_seed: Any) -> tuple[int | None, int | None]:
    """(seed, seed2) for an operation about to be made (source: tf.get_seed); (None, None) for "at random".

    The same graph, built in the same order with the same seeds, gets the same pairs.
    """
    graph = get_default_graph()
    graph_seed = graph.seed
    if graph_seed is not None:
        seeds = graph_seed, graph.version if op_seed is None else op_seed
    elif op_seed is not None:
        seeds = _DEFAULT_GRAPH_SEED, op_seed
    else:
        return None, None
    first, second = (seed % _LARGEST if isinstance(seed, int) else seed for seed in seeds)
    # (0, 0) would mean "at random" to a kernel.
    return (0, _LARGEST) if first == 0 and second == 0 else (first, second)
