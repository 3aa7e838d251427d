"""`tf.config.threading` (source: tf.compat.v1.config.threading). What a session uses, its ConfigProto says."""

__all__ = [
    "get_inter_op_parallelism_threads",
    "get_intra_op_parallelism_threads",
    "set_inter_op_parallelism_threads",
    "set_intra_op_parallelism_threads",
]

_threads = {"inter": 0, "intra": 0}


def get_inter_op_parallelism_threads() -> int:
    """What was set; 0 at first."""
    return _threads["inter"]


def get_intra_op_parallelism_threads() -> int:
    """What was set; 0 at first."""
    return _threads["intra"]


def set_inter_op_parallelism_threads(num_threads: int) -> None:
    """Remembered."""
    _threads["inter"] = num_threads


def set_intra_op_parallelism_threads(num_threads: int) -> None:
    """Remembered."""
    _threads["intra"] = num_threads
