"""Alarms: in order, cleared ones never, and nothing kept of them."""

from __future__ import annotations

import math
import threading
import weakref
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from runstep.actors.clock import Agenda, Clock, clock


def rung(agenda: Agenda, now: float) -> tuple[list[Any], float]:
    with agenda.lock:
        calls, wakes = agenda.due(now)
    return [call() for call in calls], wakes


def test_alarms_ring_in_order() -> None:
    agenda = Agenda()
    for when in (3.0, 1.0, 2.0, 1.0):
        agenda.add(when, lambda when=when: when)  # type: ignore[misc]
    assert rung(agenda, 0.5) == ([], 1.0)
    assert rung(agenda, 2.0) == ([1.0, 1.0, 2.0], 3.0)
    assert rung(agenda, 9.0) == ([3.0], math.inf)


def test_a_cleared_alarm_keeps_nothing_alive() -> None:
    class Step:
        def end(self) -> None: ...

    agenda, step = Agenda(), Step()
    alarm = agenda.add(1.0, step.end)
    known = weakref.ref(step)
    alarm.clear()
    alarm.clear()
    del step
    assert known() is None
    assert rung(agenda, 5.0) == ([], math.inf) and len(agenda) == 0


@settings(max_examples=50, deadline=None)
@given(data=st.data())
def test_any_order_of_setting_and_clearing(data: st.DataObject) -> None:
    """Each rings once and in time, unless it was cleared; and few that were cleared are kept."""
    agenda, alarms, expected, got, now = Agenda(), {}, {}, [], 0
    for number in range(data.draw(st.integers(0, 150))):
        action = data.draw(st.sampled_from(["set", "set", "clear", "look"]))
        if action == "set":
            expected[number] = when = now + data.draw(st.integers(0, 9))
            alarms[number] = agenda.add(when, lambda number=number: number)  # type: ignore[misc]
        elif action == "clear" and expected:
            chosen = data.draw(st.sampled_from(sorted(expected)))
            alarms.pop(chosen).clear()
            del expected[chosen]
        else:
            now += data.draw(st.integers(0, 3))
            found, wakes = rung(agenda, now)
            assert found == sorted((n for n, when in expected.items() if when <= now), key=lambda n: (expected[n], n))
            got += found
            for n in found:
                del expected[n]
            assert wakes == min(expected.values(), default=wakes)
        if action == "set":
            assert len(agenda) <= 2 * max(len(expected), 32) + 1
    assert len(set(got)) == len(got)


def test_the_clock_rings_the_earlier_first_and_survives_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []
    monkeypatch.setattr(threading, "excepthook", lambda args: seen.append(args.exc_type))
    ours, rings = Clock(), threading.Event()
    late = ours.after(1e300, seen.append, "never")
    ours.after(0.0, lambda: 1 / 0)
    ours.after(0.0, rings.set)
    assert rings.wait(30)
    assert seen == [ZeroDivisionError]
    late.clear()


def test_there_is_one_clock() -> None:
    assert clock() is clock()
