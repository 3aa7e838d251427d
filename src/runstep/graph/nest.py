"""Nested structures: lists, tuples, namedtuples and dicts with anything else at their leaves (source: tf.nest)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, MappingView, Sequence
from typing import Any

import attrs


def is_nested(structure: Any) -> bool:
    """Whether it is a container whose items are walked into."""
    if isinstance(structure, list | tuple | Mapping):
        return True
    if isinstance(structure, str | bytes | type):
        return False
    return isinstance(structure, Sequence | MappingView) or attrs.has(type(structure))


def _items(structure: Any) -> list[Any]:
    if isinstance(structure, Mapping):
        return [structure[key] for key in _keys(structure)]
    if attrs.has(type(structure)):
        return [getattr(structure, field.name) for field in attrs.fields(type(structure))]
    return list(structure)


def _keys(mapping: Mapping[Any, Any]) -> list[Any]:
    try:
        return sorted(mapping)
    except TypeError:
        raise TypeError("nest only supports dicts with sortable keys.") from None


def flatten(structure: Any) -> list[Any]:
    """The leaves, from left to right; dicts by sorted key."""
    if not is_nested(structure):
        return [structure]
    return [leaf for item in _items(structure) for leaf in flatten(item)]


def _rebuilt(structure: Any, items: list[Any]) -> Any:
    cls = type(structure)
    if isinstance(structure, Mapping):
        by_key = dict(zip(_keys(structure), items, strict=True))
        ordered = [(key, by_key[key]) for key in structure]
        factory = getattr(structure, "default_factory", None)
        return cls(factory, ordered) if hasattr(structure, "default_factory") else cls(ordered)
    if hasattr(structure, "_fields"):
        return cls(*items)
    if attrs.has(cls):
        return cls(*items)
    return cls(items)


def pack_sequence_as(structure: Any, flat_sequence: Sequence[Any]) -> Any:
    """The leaves of `flat_sequence` in the form of `structure`.

    Raises:
      ValueError: there are more or fewer leaves than places.
    """
    leaves = list(flat_sequence)
    count = len(flatten(structure))
    if len(leaves) != count:
        raise ValueError(
            f"Could not pack sequence. Structure had {count} atoms, but flat_sequence had {len(leaves)} items.  "
            f"Structure: {structure}, flat_sequence: {flat_sequence}."
        )
    position = 0

    def packed(part: Any) -> Any:
        nonlocal position
        if not is_nested(part):
            position += 1
            return leaves[position - 1]
        return _rebuilt(part, [packed(item) for item in _items(part)])

    return packed(structure)


def map_structure(function: Callable[..., Any], *structures: Any) -> Any:
    """`function` of the leaves of each structure, in the form of the first.

    Raises:
      ValueError, TypeError: they don't have one form.
    """
    for other in structures[1:]:
        assert_same_structure(structures[0], other)
    return pack_sequence_as(
        structures[0], [function(*leaves) for leaves in zip(*map(flatten, structures), strict=True)]
    )


def assert_same_structure(a: Any, b: Any, check_types: bool = True) -> None:
    """Raises ValueError when the forms differ, TypeError when the types of their containers do."""
    problem = _difference(a, b, check_types)
    if problem is not None:
        error, text = problem
        raise error(
            "The two structures don't have the same nested structure.\n\n"
            f"First structure: type={type(a).__name__} str={a}\n\nSecond structure: type={type(b).__name__} str={b}\n\n"
            f"More specifically: {text}"
        )


def _difference(a: Any, b: Any, check_types: bool) -> tuple[type[Exception], str] | None:
    if is_nested(a) != is_nested(b):
        nested, leaf = (a, b) if is_nested(a) else (b, a)
        return ValueError, (
            f'Substructure "type={type(nested).__name__} str={nested}" is a sequence, while substructure '
            f'"type={type(leaf).__name__} str={leaf}" is not'
        )
    if not is_nested(a):
        return None
    if check_types and type(a) is not type(b) and not (isinstance(a, Mapping) and isinstance(b, Mapping)):
        return TypeError, (
            f"The two namedtuples don't have the same sequence type. First structure type={type(a).__name__} str={a} "
            "has type "
            f"{type(a).__name__}, while second structure type={type(b).__name__} str={b} has type {type(b).__name__}"
        )
    if isinstance(a, Mapping) and isinstance(b, Mapping) and set(a) != set(b):
        return (
            ValueError,
            f"The two dictionaries don't have the same set of keys. First structure has keys {list(a)}, second "
            f"{list(b)}",
        )
    first, second = _items(a), _items(b)
    if len(first) != len(second):
        return ValueError, f"The two structures don't have the same number of elements: {len(first)} and {len(second)}"
    for x, y in zip(first, second, strict=True):
        found = _difference(x, y, check_types)
        if found is not None:
            return found
    return None
