"""What a layer expects of its inputs, and the check of it."""

from __future__ import annotations

from typing import Any

from runstep.graph import dtypes, nest
from runstep.graph.shapes import TensorShape


class InputSpec:
    """The dtype, rank and shape that a layer expects of one input (source: tf.layers.InputSpec).

    Args:
      dtype: any by default. shape: a full shape, with None for axes of any size. ndim: an exact rank.
      max_ndim, min_ndim: bounds of the rank. axes: a size (None for any) by axis.
      allow_last_axis_squeeze: a last axis of size one, in the spec or in the input, may be missing.
      name, optional: kept for who asks.
    """

    def __init__(
        self,
        dtype: Any = None,
        shape: Any = None,
        ndim: int | None = None,
        max_ndim: int | None = None,
        min_ndim: int | None = None,
        axes: dict[int, int | None] | None = None,
        allow_last_axis_squeeze: bool = False,
        name: str | None = None,
        optional: bool = False,
    ) -> None:
        self.dtype = None if dtype is None else dtypes.as_dtype(dtype).name
        known = TensorShape(shape)
        self.shape = None if known.rank is None else tuple(known.as_list())
        self.ndim = len(self.shape) if self.shape is not None else ndim
        self.max_ndim, self.min_ndim = max_ndim, min_ndim
        self.axes = {int(axis): size for axis, size in (axes or {}).items()}
        if self.axes and (self.ndim is not None or self.max_ndim is not None):
            largest = (self.ndim if self.ndim is not None else self.max_ndim or 0) - 1
            if max(self.axes) > largest:
                raise ValueError(
                    f"Axis {max(self.axes)} is greater than the maximum allowed value: {largest}. Received: axes={axes}"
                )
        self.allow_last_axis_squeeze = allow_last_axis_squeeze
        self.name, self.optional = name, optional

    def __repr__(self) -> str:
        fields = ("dtype", "shape", "ndim", "max_ndim", "min_ndim", "axes")
        said = [f"{key}={getattr(self, key)}" for key in fields if getattr(self, key)]
        return f"InputSpec({', '.join(said)})"

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        fields = ("dtype", "shape", "ndim", "max_ndim", "min_ndim", "axes")
        return {key: getattr(self, key) for key in fields}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> InputSpec:
        """A spec from `get_config`'s result."""
        return cls(**config)

    def problem(self, tensor: Any) -> str | None:
        """What is wrong with an input, or None."""
        shape = tensor.get_shape()
        if shape.rank is None:
            return None
        sizes = tuple(shape.as_list())
        wrong = self._wrong_rank(sizes)
        if wrong is not None:
            return wrong
        if self.dtype is not None and tensor.dtype.base_dtype.name != self.dtype:
            return f"expected dtype={self.dtype}, found dtype={tensor.dtype.base_dtype.name}"
        for axis, size in self.axes.items():
            if size is not None and sizes[axis] not in (size, None):
                return (
                    f"expected axis {axis} of input shape to have value {size}, but received input with shape {sizes}"
                )
        return self._wrong_shape(sizes)

    def _wrong_rank(self, sizes: tuple[int | None, ...]) -> str | None:
        rank = len(sizes)
        if self.ndim is not None and rank != self.ndim:
            squeezed = self.allow_last_axis_squeeze and abs(rank - self.ndim) == 1
            if not squeezed:
                return f"expected ndim={self.ndim}, found ndim={rank}. Full shape received: {sizes}"
        if self.max_ndim is not None and rank > self.max_ndim:
            return f"expected max_ndim={self.max_ndim}, found ndim={rank}"
        if self.min_ndim is not None and rank < self.min_ndim:
            return f"expected min_ndim={self.min_ndim}, found ndim={rank}. Full shape received: {sizes}"
        return None

    def _wrong_shape(self, sizes: tuple[int | None, ...]) -> str | None:
        if self.shape is None:
            return None
        wanted, found = self.shape, sizes
        if self.allow_last_axis_squeeze:
            wanted = wanted[:-1] if wanted and wanted[-1] == 1 else wanted
            found = found[:-1] if found and found[-1] == 1 else found
        for size, expected in zip(found, wanted, strict=False):
            if size is not None and expected is not None and size != expected:
                return f"expected shape={self.shape}, found shape={sizes}"
        return None


def check_inputs(specs: Any, inputs: Any, layer_name: str) -> None:
    """Fails unless inputs are as many and as expected; see `InputSpec`.

    Raises:
      ValueError: they are not.
    """
    if not specs:
        return
    wanted, found = nest.flatten(specs), nest.flatten(inputs)
    if len(wanted) != len(found):
        raise ValueError(
            f'Layer "{layer_name}" expects {len(wanted)} input(s), but it received {len(found)} input tensors. '
            f"Inputs received: {found}"
        )
    for index, (spec, tensor) in enumerate(zip(wanted, found, strict=True)):
        problem = None if spec is None else spec.problem(tensor)
        if problem is not None:
            raise ValueError(f'Input {index} of layer "{layer_name}" is incompatible with the layer: {problem}')
