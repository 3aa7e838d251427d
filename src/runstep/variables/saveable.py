"""What savers know of the things that they save: the tensors, and how to put them back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from runstep.graph.graph import get_default_graph

__all__: list[str] = []


class SaveSpec:
    """One tensor of a checkpoint (source: tf.train.Saver's BaseSaverBuilder.SaveSpec).

    Args:
      tensor: what is saved, or a function that returns it (`dtype` must be given then).
      slice_spec: which part of a larger tensor it is ("4 2 0,2:-"), "" for a whole one.
      name: in the checkpoint.
    """

    def __init__(self, tensor: Any, slice_spec: str, name: str, dtype: Any = None, device: str | None = None) -> None:
        self._tensor = tensor
        self.slice_spec = slice_spec
        self.name = name
        if not callable(tensor):
            self.dtype = tensor.dtype
            self.device = tensor.device
        elif dtype is None:
            raise AssertionError("When passing a callable `tensor` to a SaveSpec, an explicit dtype must be provided.")
        else:
            self.dtype, self.device = dtype, device or ""

    @property
    def tensor(self) -> Any:
        return self._tensor() if callable(self._tensor) else self._tensor


class SaveableObject:
    """Something to save, of one or more tensors (source: tf.train.Saver's BaseSaverBuilder.SaveableObject).

    Subclasses say how it is restored.

    Args:
      op: what it is about. specs: `SaveSpec`s. name: in the checkpoint, where there is one tensor.
    """

    def __init__(self, op: Any, specs: Sequence[SaveSpec] | Callable[[], Sequence[SaveSpec]], name: str) -> None:
        self.op = op
        self._specs = specs
        self.name = name

    @property
    def specs(self) -> Sequence[SaveSpec]:
        if callable(self._specs):
            self._specs = self._specs()
        return self._specs

    @property
    def device(self) -> str:
        """The device of what is saved."""
        return self.specs[0].device

    @property
    def optional_restore(self) -> bool:
        """Whether a checkpoint may lack it."""
        return False

    def restore(self, restored_tensors: Sequence[Any], restored_shapes: Sequence[Any] | None) -> Any:
        """The operation that puts the tensors back.

        Args:
          restored_shapes: the shapes to give them, where the checkpoint's may differ.
        """
        raise ValueError("Calling an abstract method.")


class RefSaveable(SaveableObject):
    """A ref variable.

    Args:
      tensor: what is saved: the reference, or a read of it.
    """

    def __init__(self, ref: Any, tensor: Any, slice_spec: str, name: str) -> None:
        super().__init__(ref, [SaveSpec(tensor, slice_spec, name)], name)

    def restore(self, restored_tensors: Sequence[Any], restored_shapes: Sequence[Any] | None) -> Any:
        from runstep.ops.state import assign

        checked = restored_shapes is None and self.op.get_shape().is_fully_defined()
        return assign(self.op, _reshaped(restored_tensors, restored_shapes), validate_shape=checked)


class ResourceSaveable(SaveableObject):
    """A resource variable.

    Args:
      handle: its handle. tensor: a read of it.
    """

    def __init__(self, handle: Any, tensor: Any, slice_spec: str, name: str) -> None:
        super().__init__(handle, [SaveSpec(tensor, slice_spec, name)], name)
        self.handle_op = handle

    def restore(self, restored_tensors: Sequence[Any], restored_shapes: Sequence[Any] | None) -> Any:
        from runstep.graph.apply import apply
        from runstep.ops.basic import identity

        (spec,) = self.specs
        tensor = _reshaped(restored_tensors, restored_shapes)
        with get_default_graph().device(self.handle_op.device):
            tensor = identity(tensor)
            spec.tensor.get_shape().assert_is_compatible_with(tensor.get_shape())
            return apply("AssignVariableOp", self.handle_op, tensor, dtype=spec.dtype)


def _reshaped(restored_tensors: Sequence[Any], restored_shapes: Sequence[Any] | None) -> Any:
    from runstep.ops.shape_ops import reshape

    (tensor,) = restored_tensors
    return tensor if restored_shapes is None else reshape(tensor, restored_shapes[0])
