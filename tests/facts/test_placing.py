"""Parts of a log against the steps that ran: what is told is right, what is not certain is not told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kotaci.facts.placing import Part, Ran, place_parts, step_by_time

START = datetime(2026, 3, 2, 9, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def ran(name: str, start: float, end: float, **told: bool) -> Ran:
    """Return a step as the API tells it: in whole seconds."""
    return Ran(name, at(int(start)), at(int(end)), **told)


def part(name: str, start: float) -> Part:
    return Part(name, at(start))


SHORT = [ran("Set up job", 0, 0), ran("Run actions/checkout@v6", 0, 0), ran("Registry", 0, 0), ran("Test", 0, 9),
         ran("Post Registry", 9, 9), ran("Post Run actions/checkout@v6", 9, 9), ran("Complete job", 9, 9)]  # fmt: skip


def test_steps_of_one_second_are_told_by_their_order() -> None:
    parts = [part("Set up job", 0.1), part("Run actions/checkout@v6", 0.2), part("Run actions/cache@v4", 0.3),
             part("Run cargo test", 0.4), part("Post job cleanup", 9.1), part("Post job cleanup", 9.2),
             part("Complete job", 9.3)]  # fmt: skip
    assert place_parts(parts, SHORT) == [0, 1, 2, 3, 4, 5, 6]


def test_the_parts_of_a_composite_action_lie_in_its_step() -> None:
    steps = [ran("Set up job", 0, 0), ran("Tools", 1, 4), ran("Test", 4, 9), ran("Complete job", 9, 9)]
    parts = [part("Set up job", 0.5), part("Run ./tools", 1.1), part("Run actions/cache@v4", 2.0),
             part("Run cargo test", 5.5), part("Complete job", 9.0)]  # fmt: skip
    assert place_parts(parts, steps) == [0, 1, 1, 2, 3]


def test_what_may_be_of_two_steps_is_of_none() -> None:
    steps = [ran("Set up job", 0, 0), ran("Tools", 1, 1), ran("Test", 1, 1), ran("Complete job", 1, 1)]
    parts = [part("Set up job", 0.5), part("Run ./tools", 1.1), part("Run one", 1.2), part("Run two", 1.3),
             part("Complete job", 1.4)]  # fmt: skip
    assert place_parts(parts, steps) == [0, 1, None, 2, 3]


def test_steps_of_containers_and_steps_broken_off_print_no_part() -> None:
    steps = [ran("Set up job", 0, 1), ran("Initialize containers", 1, 1), ran("Build it", 1, 2),
             ran("Test", 2, 2, is_broken_off=True), ran("Stop containers", 3, 3),
             ran("Complete job", 3, 3)]  # fmt: skip
    parts = [part("Set up job", 0.5), part("Complete job", 3.0)]
    assert place_parts(parts, steps) == [0, 5]
    assert place_parts([parts[0], part("Run make", 2.5), parts[1]], steps) == [0, 3, 5]


@pytest.mark.parametrize(
    "parts",
    [
        [part("Set up job", 0.1), part("Run actions/upload@v4", 0.2)],
        [part("Set up job", 0.1)],
        [part("Run cargo test", 0.1), part("Run cargo test", 0.2)],
    ],
)
def test_a_log_that_fits_no_way_tells_nothing(parts: list[Part]) -> None:
    assert place_parts(parts, SHORT) == []


def test_the_time_alone_tells_where_one_step_fits() -> None:
    assert step_by_time(at(5), SHORT) == 3
    assert step_by_time(at(0.5), SHORT) is None
    assert step_by_time(None, SHORT) is None


@settings(deadline=None, max_examples=50)
@given(st.data())
def test_what_is_told_is_true(data: st.DataObject) -> None:
    """Jobs of steps with any lengths, each of one part or more."""
    parts, steps, true, clock = [part("Set up job", 0.0)], [], [0], 0.1
    started = [(0.0, "Set up job")]
    for number in range(1, data.draw(st.integers(2, 7))):
        started.append((clock, f"step {number}"))
        for _ in range(data.draw(st.integers(1, 3))):
            parts.append(part("Run it", clock))
            true.append(number)
            clock += data.draw(st.floats(0.01, 1.5))
    started.append((clock, "Complete job"))
    parts.append(part("Complete job", clock))
    true.append(len(started) - 1)
    ends = [start for start, _ in started[1:]] + [clock]
    steps = [ran(name, start, end) for (start, name), end in zip(started, ends, strict=True)]
    told = place_parts(parts, steps)
    assert len(told) == len(parts)
    assert all(place in (None, right) for place, right in zip(told, true, strict=True))
    if len(parts) == len(steps):
        assert told == true
