"""What elements of datasets look like: tuples and dicts, at whose leaves are tensors or datasets.

Unlike elsewhere, a list is no structure: it becomes a tensor.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from runstep.data.leaves import kind_of
from runstep.graph.composite import SparseTensor, SparseTensorValue
from runstep.graph.convert import convert_to_tensor
from runstep.graph.ragged_tensor import RaggedTensor, RaggedTensorValue
from runstep.graph.shapes import TensorShape, as_shape
from runstep.graph.tensor import Tensor
from runstep.graph.type_spec import SparseTensorSpec, TensorSpec, TypeSpec, type_spec_from_value


def _is_nested(value: Any) -> bool:
    return isinstance(value, tuple | Mapping) and not isinstance(value, SparseTensorValue | TensorShape)


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


def structure_of(types: Any, component_shapes: Any = None, classes: Any = None) -> Any:
    """The structure with these dtypes, shapes (in the same form; unknown by default) and classes (tensors)."""
    flat = flatten(types)
    if component_shapes is None:
        shapes = [TensorShape(None)] * len(flat)
    else:
        shapes = [as_shape(shape) for shape in _shape_leaves(types, component_shapes)]
    kinds = [Tensor] * len(flat) if classes is None else flatten(classes)
    return pack(types, [_leaf(*each) for each in zip(flat, shapes, kinds, strict=True)])


def _leaf(dtype: Any, shape: TensorShape, kind: Any) -> Any:
    if isinstance(dtype, TypeSpec):
        return dtype
    if kind is SparseTensor:
        return SparseTensorSpec(shape, dtype)
    return kind if isinstance(kind, TypeSpec) else TensorSpec(shape, dtype)


def batched(structure: Any, size: int | None) -> Any:
    """The structure of `size` elements in a row; None for any number."""
    return map_structure(lambda leaf: kind_of(leaf).batched(leaf, size), structure)


def unbatched(structure: Any) -> Any:
    """The structure of what elements are rows of."""
    return map_structure(lambda leaf: kind_of(leaf).unbatched(leaf), structure)


def _shape_leaves(types: Any, component_shapes: Any) -> list[Any]:
    return [component_shapes] if not _is_nested(types) else flatten_up_to(types, component_shapes)


def normalized(value: Any, as_rows: bool = False) -> tuple[Any, list[Tensor]]:
    """The structure of an element, and its components as tensors; those that can be cut into rows when `as_rows`.

    Raises:
      TypeError: something in it cannot be a component.
    """
    leaves: list[Any] = []
    tensors: list[Tensor] = []
    for index, part in enumerate(flatten(value)):
        part = _as_value(part, f"component_{index}")
        leaf = type_spec_from_value(part)
        kind = kind_of(leaf)
        leaves.append(leaf)
        tensors.append((kind.rows if as_rows else kind.pack)(leaf, part))
    return pack(value, leaves), tensors


def _as_value(part: Any, name: str) -> Any:
    from runstep.data.dataset import Dataset

    if isinstance(part, SparseTensorValue):
        return SparseTensor.from_value(part)
    if isinstance(part, RaggedTensorValue):
        return RaggedTensor.from_nested_row_splits(part.flat_values, part.nested_row_splits, validate=False)
    return part if isinstance(part, Dataset | SparseTensor | RaggedTensor) else convert_to_tensor(part, name=name)


def denormalized(structure: Any, tensors: Sequence[Tensor]) -> Any:
    """The element that these components make."""
    leaves = flatten(structure)
    found = [kind_of(leaf).unpack(leaf, tensor) for leaf, tensor in zip(leaves, tensors, strict=True)]
    return pack(structure, found)


def stored_as(leaf: Any, tensor: Any) -> Tensor:
    """The tensor that stands for a value at such a leaf."""
    return kind_of(leaf).pack(leaf, tensor)


def stored(structure: Any) -> list[tuple[Any, TensorShape]]:
    """The dtypes and shapes of the tensors that elements are made of."""
    return [kind_of(leaf).stored(leaf) for leaf in flatten(structure)]


def element_attrs(structure: Any, types: str = "output_types") -> dict[str, Any]:
    """The attributes that say of a node what its elements are."""
    kept = stored(structure)
    return {types: [dtype for dtype, _ in kept], "output_shapes": [shape for _, shape in kept]}
