"""`tf.nest`: nested structures (source: tf.nest)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from runstep.graph import nest as _nest
from runstep.graph.nest import is_nested as _is_nested

__all__ = ["assert_same_structure", "flatten", "is_nested", "map_structure", "pack_sequence_as"]


def is_nested(seq: Any) -> bool:
    """Whether it is a container (list, tuple, dict, attrs object ...) whose items are walked into."""
    return _is_nested(seq)


def flatten(structure: Any, expand_composites: bool = False) -> list[Any]:
    """The leaves from left to right, of dicts by sorted key.

    Args:
      expand_composites: whether sparse tensors and the like give the tensors that they are made of.
    """
    leaves = _nest.flatten(structure)
    if not expand_composites:
        return leaves
    return [part for leaf in leaves for part in _parts(leaf)]


def _parts(leaf: Any) -> tuple[Any, ...]:
    return tuple(leaf._component_tensors()) if hasattr(leaf, "_component_tensors") else (leaf,)


def pack_sequence_as(structure: Any, flat_sequence: Any, expand_composites: bool = False) -> Any:
    """The leaves of `flat_sequence` in the form of `structure`; the opposite of `flatten`.

    Raises:
      TypeError: `flat_sequence` is not a sequence. ValueError: it has more or fewer leaves than `structure`.
    """
    if not _is_nested(flat_sequence):
        raise TypeError(
            f"Attempted to pack value:\n  {flat_sequence}\ninto a structure, but found incompatible type "
            f"`{type(flat_sequence)}` instead."
        )
    if not _is_nested(structure) and len(flat_sequence) != 1:
        raise ValueError(
            f"The target structure is of type `{type(structure)}`\n  {structure}\nHowever the input is a sequence "
            f"({type(flat_sequence)}) of length {len(flat_sequence)}.\n  {flat_sequence}\nnest cannot guarantee that "
            "it is safe to map one to the other."
        )
    if not expand_composites:
        return _nest.pack_sequence_as(structure, flat_sequence)
    given = list(flat_sequence)
    leaves = []
    for leaf in _nest.flatten(structure):
        count = len(_parts(leaf))
        leaves.append(_rebuilt(leaf, given[:count]))
        del given[:count]
    if given:
        raise ValueError(
            f"Could not pack sequence. Structure had {len(flat_sequence) - len(given)} atoms, but flat_sequence had "
            f"{len(flat_sequence)} items.  Structure: {structure}, flat_sequence: {flat_sequence}."
        )
    return _nest.pack_sequence_as(structure, leaves)


def _rebuilt(leaf: Any, parts: list[Any]) -> Any:
    return leaf._with_components(parts) if hasattr(leaf, "_component_tensors") else parts[0]


def map_structure(func: Callable[..., Any], *structure: Any, **kwargs: Any) -> Any:
    """`func` of the leaves of each structure, in the form of the first.

    Args:
      check_types: whether the containers must also have one type (default True).
      expand_composites: as in `flatten`.

    Raises:
      TypeError: `func` is not callable, or types differ. ValueError: no structure, differing ones, other keywords.
    """
    if not callable(func):
        raise TypeError(f"func must be callable, got: {func}")
    if not structure:
        raise ValueError("Must provide at least one structure")
    check_types = kwargs.pop("check_types", True)
    expand = kwargs.pop("expand_composites", False)
    if kwargs:
        raise ValueError(
            f"Only valid keyword arguments are `check_types` and `expand_composites`, not: `{'`, `'.join(kwargs)}`"
        )
    for other in structure[1:]:
        assert_same_structure(structure[0], other, check_types, expand)
    leaves = zip(*(flatten(part, expand) for part in structure), strict=True)
    return pack_sequence_as(structure[0], [func(*leaf) for leaf in leaves], expand)


def assert_same_structure(nest1: Any, nest2: Any, check_types: bool = True, expand_composites: bool = False) -> None:
    """Raises ValueError when the forms differ, TypeError when the types of their containers do."""
    _nest.assert_same_structure(nest1, nest2, check_types)
    if expand_composites:
        for a, b in zip(_nest.flatten(nest1), _nest.flatten(nest2), strict=True):
            if len(_parts(a)) != len(_parts(b)) or (len(_parts(a)) > 1 and type(a) is not type(b)):
                raise ValueError(f"The two structures don't have the same nested structure: {a} and {b}")
