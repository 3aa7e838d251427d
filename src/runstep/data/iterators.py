"""Iterators of datasets (source: tf.data.Iterator)."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from runstep.data import structure
from runstep.graph import dtypes
from runstep.graph.apply import apply, apply_op
from runstep.graph.convert import convert_to_tensor
from runstep.graph.graph import name_scope
from runstep.graph.operation import Operation
from runstep.graph.random_seed import get_seed
from runstep.graph.tensor import Tensor

if TYPE_CHECKING:
    from runstep.data.dataset import Dataset
    from runstep.data.optional import Optional

# In a graph one call is enough; more than so many are most likely made in a training loop.
_MANY_CALLS = 32
_MANY_CALLS_MESSAGE = (
    "An unusually high number of `Iterator.get_next()` calls was detected. This often indicates that "
    "`Iterator.get_next()` is being called inside a training loop, which will cause gradual slowdown and eventual "
    "resource exhaustion. If this is the case, restructure your code to call `next_element = iterator.get_next()` "
    "once outside the loop, and use `next_element` as the input to some computation that is invoked inside the loop."
)


class Iterator:
    """Where one is in a dataset: a resource of the session (source: tf.data.Iterator).

    Attributes:
      output_types, output_shapes, output_classes: of elements, in their structure.
    """

    def __init__(
        self,
        iterator_resource: Tensor,
        initializer: Operation | None,
        output_types: Any,
        output_shapes: Any,
        output_classes: Any = None,
    ) -> None:
        self._begin(iterator_resource, initializer, structure.structure_of(output_types, output_shapes, output_classes))

    @classmethod
    def _of(cls, resource: Tensor, initializer: Operation | None, elements: Any) -> Iterator:
        made = cls.__new__(cls)
        made._begin(resource, initializer, elements)
        return made

    def _begin(self, resource: Tensor, initializer: Operation | None, elements: Any) -> None:
        self._resource = resource
        self._initializer = initializer
        self._structure = elements
        self._handle = apply("IteratorToStringHandle", resource)
        self._get_next_calls = 0

    @staticmethod
    def from_structure(
        output_types: Any, output_shapes: Any = None, shared_name: str | None = None, output_classes: Any = None
    ) -> Iterator:
        """An iterator of no dataset yet: see `make_initializer`.

        Args:
          output_types: the dtypes of elements, in their structure. output_shapes: their shapes, unknown by default.
          shared_name: with one, all iterators of this name in a session are one.
        """
        elements = structure.structure_of(output_types, output_shapes, output_classes)
        return Iterator._of(_resource(elements, shared_name), None, elements)

    @staticmethod
    def from_string_handle(
        string_handle: Any, output_types: Any, output_shapes: Any = None, output_classes: Any = None
    ) -> Iterator:
        """The iterator that `string_handle`, a string tensor, names when it is evaluated."""
        elements = structure.structure_of(output_types, output_shapes, output_classes)
        handle = convert_to_tensor(string_handle, dtypes.string)
        resource = apply("IteratorFromStringHandleV2", handle, **structure.element_attrs(elements))
        return Iterator._of(resource, None, elements)

    @property
    def initializer(self) -> Operation:
        """The operation that goes to the beginning. ValueError: there is none."""
        if self._initializer is None:
            raise ValueError(
                "The iterator does not have an initializer. This means it was likely created using "
                "`tf.data.Dataset.make_one_shot_iterator()`. For an initializable iterator, use "
                "`tf.data.Dataset.make_initializable_iterator()` instead."
            )
        return self._initializer

    def make_initializer(self, dataset: Dataset, name: str | None = None) -> Operation:
        """An operation that starts this iterator on `dataset`.

        Raises:
          TypeError: the dataset's elements are of other types or shapes. ValueError: they are of another structure.
        """
        with name_scope(name, "make_initializer") as scope:
            structure.assert_same(self._structure, dataset._structure)
            for wanted, own in zip(
                structure.flatten(self._structure), structure.flatten(dataset._structure), strict=True
            ):
                if wanted.dtype != own.dtype:
                    raise TypeError(
                        f"Expected output types {self.output_types!r} but got dataset with output types "
                        f"{dataset.output_types!r}."
                    )
                if not wanted.shape.is_compatible_with(own.shape):
                    raise TypeError(
                        f"Expected output shapes compatible with {self.output_shapes!r} but got dataset with output "
                        f"shapes {dataset.output_shapes!r}."
                    )
            return apply_op("MakeIterator", dataset._variant, self._resource, name=scope)

    def get_next(self, name: str | None = None) -> Any:
        """The next element, in its structure: another one in each run.

        Raises (in the run):
          OutOfRangeError: there is none. FailedPreconditionError: the iterator wasn't initialized.
        """
        self._get_next_calls += 1
        if self._get_next_calls > _MANY_CALLS:
            warnings.warn(_MANY_CALLS_MESSAGE, stacklevel=2)
        node = apply_op("IteratorGetNext", self._resource, name=name, **structure.element_attrs(self._structure))
        return structure.denormalized(self._structure, node.outputs)

    def get_next_as_optional(self) -> Optional:
        """The next element, or nothing at the end: `has_value()` tells which."""
        from runstep.data.optional import Optional

        variant = apply("IteratorGetNextAsOptional", self._resource, **structure.element_attrs(self._structure))
        return Optional(variant, self._structure)

    def string_handle(self, name: str | None = None) -> Tensor:
        """A string that names this iterator, to be fed where `from_string_handle` takes one."""
        found: Tensor = self._handle if name is None else apply("IteratorToStringHandle", self._resource, name=name)
        return found

    @property
    def output_types(self) -> Any:
        return structure.map_structure(lambda leaf: leaf.dtype, self._structure)

    @property
    def output_shapes(self) -> Any:
        return structure.map_structure(lambda leaf: leaf.shape, self._structure)

    @property
    def output_classes(self) -> Any:
        return structure.map_structure(lambda leaf: leaf.value_type, self._structure)

    @property
    def element_spec(self) -> Any:
        return self._structure


def _resource(elements: Any, shared_name: str | None) -> Tensor:
    found: Tensor = apply(
        "IteratorV2", container="", shared_name=shared_name or "", **structure.element_attrs(elements)
    )
    return found


def make_initializable_iterator(dataset: Dataset, shared_name: str | None = None) -> Iterator:
    """An iterator that starts when its `initializer` runs (source: tf.data.make_initializable_iterator)."""
    resource = _resource(dataset._structure, shared_name)
    return Iterator._of(resource, apply_op("MakeIterator", dataset._variant, resource), dataset._structure)


def make_one_shot_iterator(dataset: Dataset) -> Iterator:
    """An iterator that starts by itself, once in a session (source: tf.data.make_one_shot_iterator).

    Raises:
      ValueError: the dataset needs a placeholder, a variable or a table.
    """
    from runstep.data.functions import of_subgraph

    get_seed(None)  # TensorFlow seeds the function with it: the seeds of what follows are to be the same
    factory = of_subgraph(dataset._variant, "_make_dataset")
    resource = apply("OneShotIterator", dataset_factory=factory, **structure.element_attrs(dataset._structure))
    return Iterator._of(resource, None, dataset._structure)


def get_output_types(dataset_or_iterator: Any) -> Any:
    """The dtypes of elements, in their structure (source: tf.data.get_output_types)."""
    return _checked(dataset_or_iterator).output_types


def get_output_shapes(dataset_or_iterator: Any) -> Any:
    """The shapes of elements, in their structure (source: tf.data.get_output_shapes)."""
    return _checked(dataset_or_iterator).output_shapes


def get_output_classes(dataset_or_iterator: Any) -> Any:
    """The classes of elements' components, in their structure (source: tf.data.get_output_classes)."""
    return _checked(dataset_or_iterator).output_classes


def _checked(dataset_or_iterator: Any) -> Any:
    from runstep.data.dataset import Dataset

    if not isinstance(dataset_or_iterator, Dataset | Iterator):
        raise TypeError(
            "Invalid `dataset_or_iterator`. `dataset_or_iterator` must be a `tf.data.Dataset` or tf.data.Iterator "
            f"object, but got {type(dataset_or_iterator)}."
        )
    return dataset_or_iterator
