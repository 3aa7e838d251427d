"""Variables in several parts along one axis, and the functions that say how many parts."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from runstep.graph import dtypes
from runstep.graph.convert import register_tensor_conversion_function
from runstep.graph.dtypes import DType
from runstep.graph.graph import name_scope
from runstep.graph.shapes import TensorShape
from runstep.graph.tensor import Tensor
from runstep.ops.basic import identity

__all__ = [
    "PartitionedVariable",
    "create_partitioned_variables",
    "fixed_size_partitioner",
    "min_max_variable_partitioner",
    "variable_axis_size_partitioner",
]

Partitioner = Callable[..., list[int]]
"""`f(shape=TensorShape, dtype=DType)` returns the number of parts along each axis."""


class PartitionedVariable:
    """Variables that are the parts of one tensor (source: tf.compat.v1.PartitionedVariable). Iterating gives the parts.

    Args:
      name: the whole variable's name. shape, dtype: those of the whole.
      variable_list: the parts in order, each with its `SaveSliceInfo`.
      partitions: the number of parts along each axis.
    """

    def __init__(
        self, name: str, shape: Any, dtype: Any, variable_list: Sequence[Any], partitions: Sequence[int]
    ) -> None:
        if not isinstance(variable_list, list | tuple):
            raise TypeError(f"variable_list is not a list or tuple: {variable_list}")
        if not isinstance(partitions, list | tuple):
            raise TypeError(f"partitions is not a list or tuple: {partitions}")
        if not all(p >= 1 for p in partitions):
            raise ValueError(f"partition values must be positive: {partitions}")
        if not variable_list:
            raise ValueError("variable_list may not be empty")
        for variable in variable_list:
            if variable._get_save_slice_info() is None:
                raise ValueError(f"All variables must have a save_slice_info available: {variable}")
        self._name = name
        self._shape = TensorShape(shape)
        self._dtype = dtypes.as_dtype(dtype)
        self._variable_list = sorted(variable_list, key=lambda v: v._get_save_slice_info().var_offset)
        self._partitions = list(partitions)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._variable_list)

    def __len__(self) -> int:
        return len(self._variable_list)

    def _partition_axes(self) -> list[int]:
        return [axis for axis, parts in enumerate(self._partitions) if parts > 1] or [0]

    def _partition_axis(self, task: str) -> int:
        axes = self._partition_axes()
        if len(axes) > 1:
            raise NotImplementedError(
                f"Cannot {task} along more than one dimension: {axes}. Multi-axis partitioning is not supported"
            )
        return axes[0]

    def as_tensor(self) -> Tensor:
        """The parts put together: a new read."""
        if len(self._variable_list) == 1:
            with name_scope(None):
                return identity(self._variable_list[0], name=self._name)
        from runstep.ops.joining import concat

        axis = self._partition_axis("concatenate")
        with name_scope(self._name + "/ConcatPartitions/"):
            whole = concat(self._variable_list, axis)
        with name_scope(None):
            return identity(whole, name=self._name)

    def _as_tensor(self) -> Tensor:
        return self.as_tensor()

    def _convert(self, dtype: DType | None, name: str | None, as_ref: bool) -> Tensor:
        if dtype is not None and not dtype.is_compatible_with(self._dtype):
            raise ValueError(
                f"Incompatible type conversion requested to type '{dtype.name}' for variable of type "
                f"'{self._dtype.name}'"
            )
        if as_ref:
            raise NotImplementedError("PartitionedVariable doesn't support being used as a reference.")
        return self.as_tensor()

    @property
    def name(self) -> str:
        return self._name

    @property
    def dtype(self) -> DType:
        return self._dtype

    @property
    def shape(self) -> TensorShape:
        return self._shape

    def get_shape(self) -> TensorShape:
        return self._shape

    def _get_variable_list(self) -> list[Any]:
        return self._variable_list

    def _get_partitions(self) -> list[int]:
        return self._partitions

    def _apply(self, update: Callable[[Any, Any], Any], value: Any, read_value: bool) -> list[Any]:
        axis = self._partition_axis("do assign action")
        if isinstance(value, PartitionedVariable):
            parts: Any = value._variable_list
        elif isinstance(value, list):
            parts = value
        else:
            from runstep.ops.joining import split

            parts = split(value, [int(v.shape[axis]) for v in self._variable_list], axis=axis)
        done = [update(variable, part) for variable, part in zip(self._variable_list, parts, strict=True)]
        return done if read_value else [update.op for update in done]

    def assign(
        self, value: Any, use_locking: bool = False, name: str | None = None, read_value: bool = True
    ) -> list[Any]:
        """Sets the parts from a whole tensor, a list of parts or another partitioned variable; a result for each
        part."""
        return self._apply(lambda v, part: v.assign(part, use_locking=use_locking, name=name), value, read_value)

    def assign_add(
        self, value: Any, use_locking: bool = False, name: str | None = None, read_value: bool = True
    ) -> list[Any]:
        """Adds to the parts, as `assign`."""
        return self._apply(lambda v, part: v.assign_add(part, use_locking=use_locking, name=name), value, read_value)

    def assign_sub(
        self, value: Any, use_locking: bool = False, name: str | None = None, read_value: bool = True
    ) -> list[Any]:
        """Subtracts from the parts, as `assign`."""
        return self._apply(lambda v, part: v.assign_sub(part, use_locking=use_locking, name=name), value, read_value)


class PartitionInfo:
    """Which part of a whole variable an initializer is asked for.

    Attributes:
      full_shape: the whole shape. var_offset: where the part begins along each axis.

    Raises:
      TypeError: one of them is not a sequence. ValueError: they don't fit together.
    """

    def __init__(self, full_shape: Sequence[int], var_offset: Sequence[int]) -> None:
        for what, given in (("full_shape", full_shape), ("var_offset", var_offset)):
            if not isinstance(given, Sequence) or isinstance(given, str):
                raise TypeError(f"`{what}` must be a sequence (like tuple or list) instead of {type(given).__name__}")
        if len(var_offset) != len(full_shape):
            raise ValueError(
                f"Expected equal length, but `var_offset` is of length {len(var_offset)} while full_shape is of length "
                f"{len(full_shape)}."
            )
        for offset, size in zip(var_offset, full_shape, strict=True):
            if offset < 0 or offset >= size:
                raise ValueError(
                    f"Expected 0 <= offset < shape but found offset={offset}, shape={size} for "
                    f"var_offset={var_offset}, full_shape={full_shape}"
                )
        self.full_shape = full_shape
        self.var_offset = var_offset

    def single_offset(self, shape: Sequence[int]) -> int:
        """Where a part of this shape begins along the axis that is partitioned; 0 where none is."""
        axis = self.single_slice_dim(shape)
        return 0 if axis is None else self.var_offset[axis]

    def single_slice_dim(self, shape: Sequence[int]) -> int | None:
        """The axis that is partitioned if parts have this shape.

        Raises:
          TypeError, ValueError: `shape` cannot be a part's, or there is more than one such axis.
        """
        if not isinstance(shape, Sequence) or isinstance(shape, str):
            raise TypeError(f"`shape` must be a sequence (like tuple or list) instead of {type(shape).__name__}")
        if len(shape) != len(self.full_shape):
            raise ValueError(
                f"Expected equal length, but received shape={shape} of length {len(shape)} while "
                f"self.full_shape={self.full_shape} is of length {len(self.full_shape)}."
            )
        found: int | None = None
        for axis, size in enumerate(shape):
            if self.var_offset[axis] + size > self.full_shape[axis]:
                raise ValueError(
                    f"With self.var_offset={self.var_offset}, a partition of shape={shape} would exceed "
                    f"self.full_shape={self.full_shape} in dimension {axis}."
                )
            if size == self.full_shape[axis]:
                continue
            if found is not None:
                raise ValueError(
                    f"Cannot use single_slice_dim() with shape={shape} and self.full_shape={self.full_shape} since "
                    f"slice dim could be either dimension {axis} or {found}."
                )
            found = axis
        return found


# --- how many parts -----------------------------------------------------------------------------------------------


def fixed_size_partitioner(num_shards: int, axis: int = 0) -> Partitioner:
    """Partitions `axis` into `num_shards` parts, or as many as it is long (source: tf.fixed_size_partitioner)."""

    def partitioner(shape: TensorShape, **unused: Any) -> list[int]:
        partitions = [1] * len(shape)
        partitions[axis] = min(num_shards, int(shape[axis]))
        return partitions

    return partitioner


def _checked_shape(shape: Any) -> list[int]:
    if not isinstance(shape, TensorShape):
        raise ValueError(f"shape is not a TensorShape: {shape}")
    if not shape.is_fully_defined():
        raise ValueError(f"shape is not fully defined: {shape}")
    return [size for size in shape.raw or () if size is not None]


def variable_axis_size_partitioner(
    max_shard_bytes: int, axis: int = 0, bytes_per_string_element: int = 16, max_shards: int | None = None
) -> Partitioner:
    """Partitions `axis` so that no part is larger than `max_shard_bytes` (source: tf.variable_axis_size_partitioner).

    Args:
      max_shards: the most parts; the parts grow beyond `max_shard_bytes` when this would not be enough.
    """
    if max_shard_bytes < 1 or bytes_per_string_element < 1:
        raise ValueError(
            f"Both max_shard_bytes and bytes_per_string_element must be positive. Currently, max_shard_bytes is "
            f"{max_shard_bytes} andbytes_per_string_element is {bytes_per_string_element}"
        )
    if max_shards and max_shards < 1:
        raise ValueError("max_shards must be positive.")

    def partitioner(shape: TensorShape, dtype: DType) -> list[int]:
        sizes = _checked_shape(shape)
        partitions = [1] * len(sizes)
        element = bytes_per_string_element if dtype.base_dtype is dtypes.string else dtype.size
        row_bytes = math.prod(sizes) / sizes[axis] * element
        rows_per_shard = max(1, math.floor(max_shard_bytes / row_bytes))
        shards = math.ceil(sizes[axis] / rows_per_shard)
        partitions[axis] = min(max_shards, shards) if max_shards else shards
        return partitions

    return partitioner


def min_max_variable_partitioner(
    max_partitions: int = 1, axis: int = 0, min_slice_size: int = 256 << 10, bytes_per_string_element: int = 16
) -> Partitioner:
    """Partitions `axis` into at most `max_partitions` parts of about `min_slice_size` bytes or more
    (source: tf.min_max_variable_partitioner)."""

    def partitioner(shape: TensorShape, dtype: DType) -> list[int]:
        if axis >= len(shape):
            raise ValueError(f"Cannot partition variable along axis {axis} when shape is only {shape}")
        sizes = _checked_shape(shape)
        partitions = [1] * len(sizes)
        element = bytes_per_string_element if dtype.base_dtype is dtypes.string else dtype.size
        wanted = math.ceil(math.prod(sizes) * element / min_slice_size)
        partitions[axis] = max(1, min(sizes[axis], max_partitions, wanted))
        return partitions

    return partitioner


def partitions_of(partitioner: Partitioner, shape: TensorShape, dtype: DType) -> list[int]:
    """What `partitioner` says for a new variable, checked: ValueError where it makes no sense."""
    if not shape.is_fully_defined():
        raise ValueError(f"Shape of a new partitioned variable must be fully defined, but instead was {shape}.")
    if not shape.raw:
        raise ValueError(f"A partitioned Variable must have rank at least 1, shape: {shape}")
    slicing = partitioner(shape=shape, dtype=dtype)
    if not isinstance(slicing, Sequence):
        raise ValueError(f"Partitioner must return a sequence, but saw: {slicing}")
    if len(slicing) != len(shape.raw):
        raise ValueError(
            f"Partitioner returned a partition list that does not match the Variable's rank: {slicing} vs. {shape}"
        )
    if any(parts < 1 for parts in slicing):
        raise ValueError(f"Partitioner returned zero partitions for some axes: {slicing}")
    if sum(parts > 1 for parts in slicing) > 1:
        raise ValueError(f"Can only slice a variable along one dimension: shape: {shape}, partitioning: {slicing}")
    return list(slicing)


def parts_of(shape: list[int], partitions: Sequence[int]) -> Iterator[tuple[list[int], list[int]]]:
    """The offset and the shape of each part; the first ones are longer where the axis does not divide."""
    axis = next((axis for axis, parts in enumerate(partitions) if parts > 1), 0)
    count = partitions[axis]
    least, longer = divmod(shape[axis], count)
    offset = [0] * len(shape)
    for part in range(count):
        size = shape.copy()
        size[axis] = least + (part < longer)
        yield offset.copy(), size
        offset[axis] += size[axis]


def create_partitioned_variables(
    shape: Sequence[int],
    slicing: Sequence[int],
    initializer: Any,
    dtype: Any = dtypes.float32,
    trainable: bool = True,
    collections: Sequence[Any] | None = None,
    name: str | None = None,
    reuse: Any = None,
) -> list[Any]:
    """The parts of a new variable that is partitioned as `slicing` says (source: tf.create_partitioned_variables)."""
    from runstep.variables.scope import get_variable_scope, variable_scope
    from runstep.variables.store import variable_store

    if len(shape) != len(slicing):
        raise ValueError(
            f"The 'shape' and 'slicing' of a partitioned Variable must have the length: shape: {shape}, slicing: "
            f"{slicing}"
        )
    if len(shape) < 1:
        raise ValueError(f"A partitioned Variable must have rank at least 1: shape: {shape}")
    with variable_scope(name, "PartitionedVariable", reuse=reuse):
        return list(
            get_variable_scope().get_variable(
                variable_store(),
                None,
                shape=shape,
                dtype=dtype,
                initializer=initializer,
                trainable=trainable,
                partitioner=lambda **unused: slicing,
                collections=collections,
            )
        )


def _converted(variable: PartitionedVariable, dtype: DType | None, name: str | None, as_ref: bool) -> Tensor:
    return variable._convert(dtype, name, as_ref)


register_tensor_conversion_function(PartitionedVariable, _converted)
