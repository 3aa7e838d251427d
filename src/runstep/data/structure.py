"""What elements of datasets look like: tuples and dicts, at whose leaves are tensors or datasets.

Unlike elsewhere, a list is no structure: it becomes a tensor.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import attrs

from runstep.graph import dtypes
from runstep.graph.composite import SparseTensor
from runstep.graph.convert import convert_to_tensor
from runstep.graph.dtypes import DType
from runstep.graph.shapes import TensorShape, as_shape
from runstep.graph.tensor import Tensor


def _is_nested(value: Any) -> bool:
    return isinstance(value, tuple | Mapping) and not isinstance(value, SparseTensor | TensorShape)


def flatten(structure: Any) -> list[Any]:
    """The leaves, dicts by sorted key."""
    if not _is_nested(structure):
        return [structure]
    items = (structure[key] for key in sorted(structure)) if isinstance(structure, Mapping) else structure
    return [leaf for item in items for leaf in flatten(item)]


def pack(structure: Any, leaves: Iterable[Any]) -> Any:
    """The leaves in the form of `structure`."""
    return _packed(structure, iter(leaves))


def _packed(structure: Any, leaves: Iterator[Any]) -> Any:
    if not _is_nested(structure):
        return next(leaves)
    if isinstance(structure, Mapping):
        found = {key: _packed(structure[key], leaves) for key in sorted(structure)}
        return type(structure)((key, found[key]) for key in structure)  # type: ignore[call-arg]
    items = [_packed(item, leaves) for item in structure]
    return type(structure)(*items) if hasattr(structure, "_fields") else type(structure)(items)


def map_structure(function: Callable[[Any], Any], structure: Any) -> Any:
    """`function` of each leaf, in the form of `structure`."""
    return pack(structure, map(function, flatten(structure)))


def flatten_up_to(shallow: Any, structure: Any) -> list[Any]:
    """The parts of `structure` at the leaves of `shallow`.

    Raises:
      TypeError: `structure` hasn't its form.
    """
    if not _is_nested(shallow):
        return [structure]
    if isinstance(shallow, Mapping):
        if not isinstance(structure, Mapping) or set(shallow) != set(structure):
            raise TypeError(f"The two structures don't have the same keys: {shallow} and {structure}.")
        pairs = [(shallow[key], structure[key]) for key in sorted(shallow)]
    else:
        if not isinstance(structure, tuple | list) or len(structure) != len(shallow):
            raise TypeError(f"The two structures don't have the same form: {shallow} and {structure}.")
        pairs = list(zip(shallow, structure, strict=True))
    return [leaf for inner, part in pairs for leaf in flatten_up_to(inner, part)]


def assert_same(wanted: Any, found: Any) -> None:
    """Raises ValueError unless both have one form."""
    try:
        alike = not any(map(_is_nested, flatten_up_to(wanted, found)))
    except TypeError:
        alike = False
    if not alike:
        raise ValueError(
            f"The two structures don't have the same nested structure.\n\nFirst structure: {wanted!r}\n\n"
            f"Second structure: {found!r}"
        )


@attrs.frozen(repr=False)
class TensorLeaf:
    """A tensor of some dtype and shape."""

    dtype: DType
    shape: TensorShape

    @property
    def output_class(self) -> type:
        return Tensor

    def batched(self, size: int | None) -> TensorLeaf:
        return TensorLeaf(self.dtype, TensorShape([size]).concatenate(self.shape))

    def unbatched(self) -> TensorLeaf:
        return TensorLeaf(self.dtype, self.shape[1:])

    def __repr__(self) -> str:
        shape = "<unknown>" if self.shape.ndims is None else str(tuple(self.shape.as_list()))
        return f"TensorSpec(shape={shape}, dtype={self.dtype!r}, name=None)"


@attrs.frozen(repr=False)
class DatasetLeaf:
    """A dataset whose elements have this structure."""

    element: Any

    dtype = dtypes.variant
    shape = TensorShape([])

    @property
    def output_class(self) -> type:
        from runstep.data.dataset import Dataset

        return Dataset

    def batched(self, size: int | None) -> DatasetLeaf:
        raise TypeError("A dataset of datasets cannot be batched; use flat_map first.")

    def unbatched(self) -> DatasetLeaf:
        raise TypeError("A dataset of datasets has no slices; use flat_map first.")

    def __repr__(self) -> str:
        return f"DatasetSpec({self.element!r}, TensorShape([]))"


def structure_of(types: Any, component_shapes: Any = None) -> Any:
    """The structure with these dtypes, and shapes (in the same form; unknown by default)."""
    flat = flatten(types)
    if component_shapes is None:
        shapes = [TensorShape(None)] * len(flat)
    else:
        shapes = [as_shape(shape) for shape in _shape_leaves(types, component_shapes)]
    leaves = [TensorLeaf(dtypes.as_dtype(dtype), shape) for dtype, shape in zip(flat, shapes, strict=True)]
    return pack(types, leaves)


def _shape_leaves(types: Any, component_shapes: Any) -> list[Any]:
    return [component_shapes] if not _is_nested(types) else flatten_up_to(types, component_shapes)


def normalized(value: Any) -> tuple[Any, list[Tensor]]:
    """The structure of an element, and its components as tensors.

    Raises:
      TypeError: something in it cannot be a component.
    """
    from runstep.data.dataset import Dataset

    leaves: list[TensorLeaf | DatasetLeaf] = []
    tensors: list[Tensor] = []
    for index, part in enumerate(flatten(value)):
        if isinstance(part, Dataset):
            leaves.append(DatasetLeaf(part._structure))
            tensors.append(part._variant)
            continue
        if isinstance(part, SparseTensor):
            raise TypeError("A SparseTensor cannot be a component of a dataset's elements here; pass its parts.")
        tensor = convert_to_tensor(part, name=f"component_{index}")
        leaves.append(TensorLeaf(tensor.dtype, tensor.shape))
        tensors.append(tensor)
    return pack(value, leaves), tensors


def denormalized(structure: Any, tensors: Sequence[Tensor]) -> Any:
    """The element that these components make."""
    from runstep.data.dataset import Dataset

    found: list[Any] = []
    for leaf, tensor in zip(flatten(structure), tensors, strict=True):
        if isinstance(leaf, DatasetLeaf):
            found.append(Dataset(tensor, leaf.element))
        else:
            tensor.set_shape(leaf.shape)
            found.append(tensor)
    return pack(structure, found)


def element_attrs(structure: Any, types: str = "output_types") -> dict[str, Any]:
    """The attributes that say of a node what its elements are."""
    leaves = flatten(structure)
    return {types: [leaf.dtype for leaf in leaves], "output_shapes": [leaf.shape for leaf in leaves]}
