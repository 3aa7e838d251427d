"""One dict of attributes for all nodes that are alike: less to keep, and plans ask once for all that share theirs."""

from __future__ import annotations

from typing import Any

_LIMIT = 1024  # sets of attributes kept to be met again


class Alike:
    """The attributes of a graph's nodes, as they were last given."""

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: dict[Any, dict[str, Any]] = {}

    def shared(self, op_type: str, attrs: dict[str, Any]) -> dict[str, Any]:
        """`attrs`, or equal ones of a node before."""
        values = attrs.values()
        for value in values:
            if type(value) is float or (type(value) is tuple and float in map(type, value)):
                return attrs  # 0.0 and -0.0 are equal
        known = self._known
        key = (op_type, *attrs.items(), *map(type, values))
        try:
            found = known.get(key)
        except TypeError:  # arrays, functions and messages
            return attrs
        if found is None:
            if len(known) >= _LIMIT:
                known.clear()
            found = known[key] = attrs
        return found
