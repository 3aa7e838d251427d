"""What is said about a variable besides its value: how it is distributed, trained, collected, named and saved."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from typing import Any

from runstep.graph.collections import GraphKeys

__all__ = ["VariableAggregation", "VariableSynchronization"]


class VariableSynchronization(enum.Enum):
    """When the copies of a distributed variable are brought together (source: tf.VariableSynchronization)."""

    AUTO = 0
    NONE = 1
    ON_WRITE = 2
    ON_READ = 3


class VariableAggregation(enum.Enum):
    """How the copies of a distributed variable are brought together (source: tf.VariableAggregation)."""

    NONE = 0
    SUM = 1
    MEAN = 2
    ONLY_FIRST_REPLICA = 3


class SaveSliceInfo:
    """Which part of a larger variable a variable is, so that a checkpoint can save the whole.

    Attributes:
      full_name: the whole variable's name. full_shape: its shape.
      var_offset: where the part begins along each axis. var_shape: the part's shape.
    """

    def __init__(
        self,
        full_name: str | None = None,
        full_shape: Sequence[int] | None = None,
        var_offset: Sequence[int] | None = None,
        var_shape: Sequence[int] | None = None,
        save_slice_info_def: Any = None,
        import_scope: str | None = None,
    ) -> None:
        if save_slice_info_def is not None:
            full_name = with_scope(save_slice_info_def.full_name, import_scope)
            full_shape = list(save_slice_info_def.full_shape)
            var_offset = list(save_slice_info_def.var_offset)
            var_shape = list(save_slice_info_def.var_shape)
        self.full_name = full_name
        self.full_shape = full_shape
        self.var_offset = var_offset
        self.var_shape = var_shape

    @property
    def spec(self) -> str:
        """The part as checkpoints name it: the full shape, then `offset,size` of each axis."""
        sizes = " ".join(str(size) for size in self.full_shape or ())
        parts = ":".join(f"{o},{s}" for o, s in zip(self.var_offset or (), self.var_shape or (), strict=True))
        return f"{sizes} {parts}"

    def to_proto(self, export_scope: str | None = None) -> Any:
        """As a `SaveSliceInfoDef` message; None for a variable outside of `export_scope`."""
        from runstep.protos import variable_pb2

        if export_scope is not None and not (self.full_name or "").startswith(export_scope):
            return None
        return variable_pb2.SaveSliceInfoDef(
            full_name=without_scope(self.full_name or "", export_scope),
            full_shape=self.full_shape,
            var_offset=self.var_offset,
            var_shape=self.var_shape,
        )


def distribution(
    synchronization: Any, aggregation: Any, trainable: bool | None
) -> tuple[VariableSynchronization, VariableAggregation, bool]:
    """The three arguments, with what None means: a variable that is synchronized on reads is not trained by default."""
    synchronization = VariableSynchronization.AUTO if synchronization is None else synchronization
    aggregation = VariableAggregation.NONE if aggregation is None else aggregation
    if trainable is None:
        trainable = synchronization is not VariableSynchronization.ON_READ
    return synchronization, aggregation, trainable


def checked_collections(collections: Any, trainable: bool) -> list[Any]:
    """The collections that a new variable belongs to.

    Raises:
      ValueError: `collections` is not a list, tuple or set.
    """
    if collections is None:
        collections = [GraphKeys.GLOBAL_VARIABLES]
    if not isinstance(collections, list | tuple | set):
        raise ValueError(
            "collections argument to Variable constructor must be a list, tuple, or set. "
            f"Got {collections} of type {type(collections)}"
        )
    found = list(collections)
    if trainable and GraphKeys.TRAINABLE_VARIABLES not in found:
        found.append(GraphKeys.TRAINABLE_VARIABLES)
    return found


def without_scope(name: str, export_scope: str | None) -> str:
    """`name` without the scope in front."""
    if not export_scope:
        return name
    scope = export_scope.rstrip("/") + "/"
    return name.removeprefix(scope)


def with_scope(name: str, import_scope: str | None) -> str:
    """`name` with the scope in front."""
    return f"{import_scope.rstrip('/')}/{name}" if import_scope else name
