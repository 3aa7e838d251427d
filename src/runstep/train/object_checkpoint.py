"""Checkpoints of TensorFlow 2: variables are named by the objects that hold them; an index says which is which."""

from __future__ import annotations

from typing import Any

from runstep import errors
from runstep.io.tensor_bundle import BundleReader
from runstep.variables.saveable import SaveableObject

__all__: list[str] = []

_INDEX = b"_CHECKPOINTABLE_OBJECT_GRAPH"


def keys_of(save_path: str) -> dict[str, str] | None:
    """By the names that variables had in their graph: their keys in the checkpoint. None for an ordinary checkpoint."""
    from runstep.protos.trackable_object_graph_pb2 import TrackableObjectGraph

    try:
        reader = BundleReader(save_path)
    except errors.OpError:
        return None
    if _INDEX not in reader:
        return None
    index = TrackableObjectGraph.FromString(reader.read(_INDEX).item())
    return {attribute.full_name: attribute.checkpoint_key for node in index.nodes for attribute in node.attributes}


def saver_for(save_path: str, var_list: Any) -> Any:
    """A Saver that finds the variables of `var_list` in such a checkpoint; None for an ordinary checkpoint.

    Raises:
      ValueError: it lacks some of them.
    """
    from runstep.train.saver import Saver
    from runstep.train.saver_graph import saveables_of

    keys = keys_of(save_path)
    if keys is None:
        return None
    saveables = saveables_of(var_list)
    missing = {spec.name for saveable in saveables for spec in saveable.specs} - keys.keys()
    if missing:
        raise errors.NotFoundError(
            None,
            None,
            f"Existing variables not in the checkpoint: {', '.join(sorted(missing))}. It was written by "
            "tf.train.Checkpoint, from which names are matched as far as it knows them.",
        )
    return Saver([_renamed(saveable, keys) for saveable in saveables])


def _renamed(saveable: SaveableObject, keys: dict[str, str]) -> SaveableObject:
    for spec in saveable.specs:
        spec.name = keys[spec.name]
    return saveable
