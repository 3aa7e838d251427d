"""Elements that may be missing (source: tf.experimental.Optional)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runstep.data import structure
from runstep.graph.apply import apply, apply_op
from runstep.graph.graph import name_scope
from runstep.graph.tensor import Tensor

if TYPE_CHECKING:
    from runstep.data.iterators import Iterator

__all__ = ["Optional", "get_next_as_optional"]


class Optional:
    """An element of some structure, or nothing; which, only the run tells (source: tf.experimental.Optional)."""

    def __init__(self, variant: Tensor, elements: Any) -> None:
        self._variant = variant
        self._structure = elements

    @staticmethod
    def from_value(value: Any) -> Optional:
        """One that has a value: a tensor, or a tuple or dict of them."""
        with name_scope("optional") as scope:
            elements, tensors = structure.normalized(value)
            return Optional(apply("OptionalFromValue", tensors, name=scope), elements)

    @staticmethod
    def empty(element_spec: Any) -> Optional:
        """One without a value, of the structure of an iterator's `element_spec`."""
        return Optional(apply("OptionalNone"), element_spec)

    def has_value(self, name: str | None = None) -> Tensor:
        """A bool scalar: whether there is a value."""
        found: Tensor = apply("OptionalHasValue", self._variant, name=name)
        return found

    def get_value(self, name: str | None = None) -> Any:
        """The value, in its structure.

        Raises (in the run):
          InvalidArgumentError: there is none.
        """
        node = apply_op("OptionalGetValue", self._variant, name=name, **structure.element_attrs(self._structure))
        return structure.denormalized(self._structure, node.outputs)

    @property
    def element_spec(self) -> Any:
        """The structure of the value."""
        return self._structure


def get_next_as_optional(iterator: Iterator) -> Optional:
    """The next element, or nothing at the end (source: tf.data.experimental.get_next_as_optional)."""
    return iterator.get_next_as_optional()
