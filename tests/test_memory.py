"""The ledger of a device's memory as a pure machine, sizes in words, and bytes counted once."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from runstep.memory import Claim, Ledger, bytes_held, parse_size, readable

LIMIT = 100


@settings(max_examples=300)
@given(st.data())
def test_claims_in_any_order(data: st.DataObject) -> None:
    """First come, first served; nothing is lost; nobody waits in vain."""
    ledger = Ledger(LIMIT)
    asked: list[Claim] = []
    over: set[Claim] = set()
    held: list[Claim] = []
    resident = 0
    for _ in range(data.draw(st.integers(0, 40))):
        open_claims = [claim for claim in asked if claim not in over and not claim.is_refused]
        choice = data.draw(
            st.sampled_from(["ask"] * 3 + ["give back"] * 3 * bool(open_claims) + ["hold", "drop", "grow"])
        )
        settled: list[Claim] = []
        if choice == "ask":
            asked.append(ledger.ask(data.draw(st.integers(1, LIMIT + 20)), resident, None, "test"))
        elif choice == "give back":
            claim = data.draw(st.sampled_from(open_claims))
            over.add(claim)
            settled = ledger.give_back(claim, resident)
        elif choice == "hold":
            held.append(ledger.hold(data.draw(st.integers(0, 30)), resident))
        elif choice == "drop" and held:
            settled = ledger.give_back(held.pop(), resident)
        elif choice == "grow":
            resident = data.draw(st.integers(0, 40))
        ledger.validate()
        waiting = [claim for claim in asked if claim.state == "waiting"]
        granted = [claim for claim in asked if claim.is_granted]
        assert ledger.waiting == len(waiting)
        assert all(claim.state in ("granted", "refused") for claim in settled)
        if waiting:  # nobody overtakes: those granted or refused later came later only where all before are settled
            first = asked.index(waiting[0])
            assert all(not claim.is_granted for claim in asked[first:] if claim not in over)
        assert sum(claim.size for claim in granted) == ledger.reserved
    for claim in asked:
        if claim not in over and not claim.is_refused:
            ledger.give_back(claim, resident)
    for claim in held:
        ledger.give_back(claim, resident)
    assert (ledger.reserved, ledger.held, ledger.waiting) == (0, 0, 0)


@settings(max_examples=100)
@given(st.data())
def test_steps_that_grow_in_any_order(data: st.DataObject) -> None:
    """Within the limit, and whatever each finds out, all steps end."""
    ledger = Ledger(LIMIT)
    steps = [object() for _ in range(data.draw(st.integers(1, 5)))]
    claims: dict[object, Claim] = {}
    growing: dict[object, Claim] = {}

    def end(step: object) -> None:
        for claim in (growing.pop(step, None), claims.pop(step)):
            if claim is not None and claim.state != "refused":
                ledger.give_back(claim, 0)

    for _ in range(data.draw(st.integers(0, 40))):
        step = data.draw(st.sampled_from(steps))
        claim, more = claims.get(step), growing.get(step)
        if claim is None:
            claims[step] = ledger.ask(data.draw(st.integers(1, 60)), 0, id(step), "test", step)
        elif claim.is_granted and (more is None or more.is_granted):
            if data.draw(st.booleans()):
                end(step)
            else:
                growing[step] = ledger.grow(claim, data.draw(st.integers(1, 60)), 0, id(step), "test")
        ledger.validate()
        assert ledger.reserved <= LIMIT
        for step, more in list(growing.items()):
            if more.is_refused:
                end(step)
    for _ in range(2 * len(steps)):  # who runs ends; that lets those run who waited
        for step in list(claims):
            more = growing.get(step)
            if claims[step].state != "waiting" and (more is None or more.state != "waiting"):
                end(step)
    assert not claims and (ledger.reserved, ledger.waiting) == (0, 0)


def test_growing_steps_go_before_new_ones() -> None:
    ledger = Ledger(LIMIT)
    one, other = (ledger.ask(40, 0, owner, "", owner) for owner in (1, 2))
    new = ledger.ask(30, 0, 3, "", 3)
    more = ledger.grow(one, 30, 0, 1, "")
    assert [claim.state for claim in (new, more)] == ["waiting", "waiting"]
    assert ledger.give_back(other, 0) == [more, new] and one.size == 70
    assert ledger.give_back(one, 0) == [] and ledger.reserved == 30


def test_the_last_of_those_that_wait_for_each_other_is_refused() -> None:
    ledger = Ledger(LIMIT)
    one, other = (ledger.ask(50, 0, owner, "", owner) for owner in (1, 2))
    first = ledger.grow(one, 20, 0, 1, "")
    second = ledger.grow(other, 20, 0, 2, "")
    assert (first.state, second.state) == ("waiting", "refused")
    assert ledger.give_back(other, 0) == [first] and one.size == 70
    assert ledger.grow(one, 31, 0, 1, "").is_refused  # it has the rest itself


def test_an_outer_step_of_the_same_thread_does_not_go_on_meanwhile() -> None:
    ledger = Ledger(LIMIT)
    ledger.ask(50, 0, 1, "", "outer")
    inner = ledger.join(1, "inner")
    assert ledger.grow(inner, 60, 0, 1, "").is_refused


def test_who_may_not_wait_takes_what_will_be_there() -> None:
    ledger = Ledger(LIMIT)
    one = ledger.ask(70, 0, 1, "", 1)
    other = ledger.join(None, 2)
    assert ledger.grow(other, 50, 0, None, "").is_granted and ledger.reserved == 120
    assert ledger.grow(other, 60, 0, None, "").is_refused
    ledger.give_back(one, 0)
    assert ledger.reserved == 50


def test_a_claim_waits_for_its_turn() -> None:
    ledger = Ledger(LIMIT)
    first, second, third = (ledger.ask(size, 0, None, "") for size in (60, 50, 10))
    assert [claim.state for claim in (first, second, third)] == ["granted", "waiting", "waiting"]  # fair: 10 would fit
    assert ledger.give_back(first, 0) == [second, third]
    assert ledger.peak == 60 and ledger.reserved == 60


def test_nobody_gets_what_a_suspended_step_keeps() -> None:
    ledger = Ledger(LIMIT)
    first, second = ledger.ask(80, 0, 1, ""), ledger.ask(50, 0, 2, "")
    held, settled = ledger.suspend(first, None, 60, 0)
    assert (ledger.held, ledger.reserved, ledger.peak) == (60, 0, 80)
    assert settled == [second] and second.is_refused  # what is held does not come back by itself
    third, fourth = ledger.ask(40, 0, 2, ""), ledger.ask(20, 0, 3, "")
    assert third.is_granted and fourth.state == "waiting"
    assert ledger.suspend(third, held, 70, 0) == (held, [fourth]) and fourth.is_granted
    ledger.validate()


def test_what_never_fits_is_refused() -> None:
    ledger = Ledger(LIMIT)
    assert ledger.ask(101, 0, None, "").is_refused
    assert ledger.ask(60, 50, None, "").is_refused  # variables have the rest, and keep it
    held = ledger.hold(50, 0)
    assert ledger.ask(60, 0, None, "").is_refused  # so does a suspended step
    ledger.give_back(held, 0)
    assert ledger.ask(60, 0, None, "").is_granted


def test_a_claim_in_the_queue_is_refused_when_its_chance_is_gone() -> None:
    ledger = Ledger(LIMIT)
    first, second = ledger.ask(60, 0, None, ""), ledger.ask(60, 0, None, "")
    ledger.hold(50, 0)
    assert ledger.give_back(first, 0) == [second] and second.is_refused


def test_a_step_inside_of_a_step_does_not_wait_for_itself() -> None:
    ledger = Ledger(LIMIT)
    assert ledger.ask(60, 0, 7, "").is_granted
    assert ledger.ask(60, 0, 7, "").is_refused
    assert ledger.ask(60, 0, 8, "").state == "waiting"


def test_a_claim_that_waits_can_be_withdrawn() -> None:
    ledger = Ledger(LIMIT)
    first, second, third = (ledger.ask(size, 0, None, "") for size in (60, 50, 40))
    assert ledger.give_back(second, 0) == [third]
    assert ledger.reserved == 100
    ledger.give_back(first, 0)
    assert ledger.give_back(third, 0) == [] and ledger.reserved == 0


@pytest.mark.parametrize(
    ("size", "want"),
    [(1, 1), ("2GiB", 2 << 30), ("500 MB", 500_000_000), ("1.5 kib", 1536), ("7", 7), ("3B", 3), ("1TiB", 1 << 40)],
)
def test_sizes_in_words(size: Any, want: int) -> None:
    assert parse_size(size) == want


@pytest.mark.parametrize(
    ("size", "error"),
    [("", ValueError), ("2 GiBs", ValueError), (0, ValueError), (-5, ValueError), (1.5, TypeError), (True, TypeError)],
)
def test_what_is_no_size(size: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        parse_size(size)


def test_sizes_for_people() -> None:
    assert [readable(size) for size in (5, 1536, 3 << 20, 5 << 29)] == [
        "5 bytes",
        "1.5 KiB (1536 bytes)",
        "3 MiB (3145728 bytes)",
        "2.5 GiB (2684354560 bytes)",
    ]


def test_memory_is_counted_once() -> None:
    x = np.zeros((10, 10), np.float32)
    assert bytes_held([x, x[1:], x.T.copy(), None, "text", np.float64(1)]) == 400 + 400 + 8
    assert bytes_held([np.array([[b"text", b"more"], ["", None]], object)[0], b"text"]) == 4 * 8 + 8 + 4
    assert bytes_held([(x, x[0])]) == 400
