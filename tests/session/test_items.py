"""Every item of the list of semantics (S1-S191) is cited by a test of this folder, or says here why it is not."""

from __future__ import annotations

import re
from pathlib import Path

ITEMS = [
    *range(1, 15),
    *range(20, 38),
    *range(40, 49),
    *range(50, 64),
    *range(70, 86),
    *range(90, 109),
    *range(110, 122),
    *range(130, 137),
    *range(140, 163),
    *range(170, 174),
    *range(180, 192),
]

EXCEPTIONS = {number: "partial runs have an issue of their own" for number in range(140, 163)}


def _cited() -> set[int]:
    found: set[int] = set()
    for path in Path(__file__).parent.glob("test_*.py"):
        if path.name == Path(__file__).name:
            continue
        text = re.sub(r'^""".*?"""', "", path.read_text(), flags=re.DOTALL)  # not what the module says of itself
        for first, last in re.findall(r"\bS(\d+)(?:-S(\d+))?\b", text):
            found.update(range(int(first), int(last or first) + 1))
    return found


def test_each_item_is_cited() -> None:
    missing = [f"S{number}" for number in ITEMS if number not in EXCEPTIONS and number not in _cited()]
    assert not missing, f"no test cites {', '.join(missing)}"


def test_only_items_are_cited() -> None:
    unknown = sorted(_cited() - set(ITEMS))
    assert not unknown, f"tests cite items that are not in the list: {unknown}"
