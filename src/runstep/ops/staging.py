"""Staging areas and maps: tensors handed from one step to another."""

from __future__ import annotations

from runstep.ops.common import nothing, scalar, unknown
from runstep.ops.registry import op

op(
    "Stage",
    "values: dtypes -> ",
    "capacity: int >= 0 = 0",
    "memory_limit: int >= 0 = 0",
    "dtypes: list(type) >= 1",
    "container: string = ''",
    "shared_name: string = ''",
    shape=unknown,
    stateful=True,
)
op(
    "Unstage",
    " -> values: dtypes",
    "capacity: int >= 0 = 0",
    "memory_limit: int >= 0 = 0",
    "dtypes: list(type) >= 1",
    "container: string = ''",
    "shared_name: string = ''",
    shape=unknown,
    stateful=True,
)
op(
    "StagePeek",
    "index: int32 -> values: dtypes",
    "capacity: int >= 0 = 0",
    "memory_limit: int >= 0 = 0",
    "dtypes: list(type) >= 1",
    "container: string = ''",
    "shared_name: string = ''",
    shape=unknown,
    stateful=True,
)
op(
    "StageSize",
    " -> size: int32",
    "capacity: int >= 0 = 0",
    "memory_limit: int >= 0 = 0",
    "dtypes: list(type)",
    "container: string = ''",
    "shared_name: string = ''",
    shape=scalar,
    stateful=True,
)
op(
    "StageClear",
    " -> ",
    "capacity: int >= 0 = 0",
    "memory_limit: int >= 0 = 0",
    "dtypes: list(type)",
    "container: string = ''",
    "shared_name: string = ''",
    shape=unknown,
    stateful=True,
)
op(
    "MapStage",
    "key: int64, indices: int32, values: fake_dtypes -> ",
    "capacity: int >= 0 = 0",
    "memory_limit: int >= 0 = 0",
    "dtypes: list(type)",
    "fake_dtypes: list(type) >= 1",
    "container: string = ''",
    "shared_name: string = ''",
    shape=nothing,
    stateful=True,
)
op(
    "MapPeek",
    "key: int64, indices: int32 -> values: dtypes",
    "capacity: int >= 0 = 0",
    "memory_limit: int >= 0 = 0",
    "dtypes: list(type) >= 1",
    "container: string = ''",
    "shared_name: string = ''",
    shape=unknown,
    stateful=True,
)
op(
    "MapUnstage",
    "key: int64, indices: int32 -> values: dtypes",
    "capacity: int >= 0 = 0",
    "memory_limit: int >= 0 = 0",
    "dtypes: list(type) >= 1",
    "container: string = ''",
    "shared_name: string = ''",
    shape=unknown,
    stateful=True,
)
op(
    "MapUnstageNoKey",
    "indices: int32 -> key: int64, values: dtypes",
    "capacity: int >= 0 = 0",
    "memory_limit: int >= 0 = 0",
    "dtypes: list(type) >= 1",
    "container: string = ''",
    "shared_name: string = ''",
    shape=unknown,
    stateful=True,
)
op(
    "MapSize",
    " -> size: int32",
    "capacity: int >= 0 = 0",
    "memory_limit: int >= 0 = 0",
    "dtypes: list(type)",
    "container: string = ''",
    "shared_name: string = ''",
    shape=scalar,
    stateful=True,
)
op(
    "MapIncompleteSize",
    " -> size: int32",
    "capacity: int >= 0 = 0",
    "memory_limit: int >= 0 = 0",
    "dtypes: list(type)",
    "container: string = ''",
    "shared_name: string = ''",
    shape=scalar,
    stateful=True,
)
op(
    "MapClear",
    " -> ",
    "capacity: int >= 0 = 0",
    "memory_limit: int >= 0 = 0",
    "dtypes: list(type)",
    "container: string = ''",
    "shared_name: string = ''",
    shape=nothing,
    stateful=True,
)
op(
    "OrderedMapStage",
    "key: int64, indices: int32, values: fake_dtypes -> ",
    "capacity: int >= 0 = 0",
    "memory_limit: int >= 0 = 0",
    "dtypes: list(type)",
    "fake_dtypes: list(type) >= 1",
    "container: string = ''",
    "shared_name: string = ''",
    shape=nothing,
    stateful=True,
)
op(
    "OrderedMapPeek",
    "key: int64, indices: int32 -> values: dtypes",
    "capacity: int >= 0 = 0",
    "memory_limit: int >= 0 = 0",
    "dtypes: list(type) >= 1",
    "container: string = ''",
    "shared_name: string = ''",
    shape=unknown,
    stateful=True,
)
op(
    "OrderedMapUnstage",
    "key: int64, indices: int32 -> values: dtypes",
    "capacity: int >= 0 = 0",
    "memory_limit: int >= 0 = 0",
    "dtypes: list(type) >= 1",
    "container: string = ''",
    "shared_name: string = ''",
    shape=unknown,
    stateful=True,
)
op(
    "OrderedMapUnstageNoKey",
    "indices: int32 -> key: int64, values: dtypes",
    "capacity: int >= 0 = 0",
    "memory_limit: int >= 0 = 0",
    "dtypes: list(type) >= 1",
    "container: string = ''",
    "shared_name: string = ''",
    shape=unknown,
    stateful=True,
)
op(
    "OrderedMapSize",
    " -> size: int32",
    "capacity: int >= 0 = 0",
    "memory_limit: int >= 0 = 0",
    "dtypes: list(type)",
    "container: string = ''",
    "shared_name: string = ''",
    shape=scalar,
    stateful=True,
)
op(
    "OrderedMapIncompleteSize",
    " -> size: int32",
    "capacity: int >= 0 = 0",
    "memory_limit: int >= 0 = 0",
    "dtypes: list(type)",
    "container: string = ''",
    "shared_name: string = ''",
    shape=scalar,
    stateful=True,
)
op(
    "OrderedMapClear",
    " -> ",
    "capacity: int >= 0 = 0",
    "memory_limit: int >= 0 = 0",
    "dtypes: list(type)",
    "container: string = ''",
    "shared_name: string = ''",
    shape=nothing,
    stateful=True,
)
