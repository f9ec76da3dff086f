"""Days into list slices: every day once, the last thirty always, and pieces that get smaller to the second."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from kotaci.github.slices import LOOK_BACK, Slice, recent_slices, settled_slices
from tests.builders import SEEDED

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)  # a Monday


def days_of(slices: list[Slice]) -> list[date]:
    return [
        span.first.date() + timedelta(days=place)
        for span in slices
        for place in range((span.last.date() - span.first.date()).days + 1)
    ]


def test_recent_weeks_begin_on_mondays_and_end_where_the_look_back_ends() -> None:
    assert [span.created for span in recent_slices(since=date(2026, 1, 1), now=NOW)] == [
        "2026-11-23..2026-11-29",
        "2026-11-16..2026-11-22",
        "2026-11-09..2026-11-15",
        "2026-11-02..2026-11-08",
        "2026-10-26..2026-11-01",
        "2026-10-24..2026-10-25",
    ]


def test_recent_weeks_are_cut_at_the_first_day_wanted() -> None:
    assert [span.created for span in recent_slices(since=date(2026, 11, 19), now=NOW)] == [
        "2026-11-23..2026-11-29",
        "2026-11-19..2026-11-22",
    ]


def test_older_days_are_listed_once() -> None:
    since = date(2026, 8, 25)
    first = list(settled_slices(since=since, now=NOW, listed=[]))
    assert [span.created for span in first] == ["2026-08-25..2026-10-23"]
    assert list(settled_slices(since=since, now=NOW, listed=[span.created for span in first])) == []


def test_only_the_gaps_between_listed_days_are_listed() -> None:
    listed = ["2026-09-01..2026-09-10", "2026-09-05..2026-10-01"]
    slices = settled_slices(since=date(2026, 8, 25), now=NOW, listed=listed)
    assert [span.created for span in slices] == ["2026-10-02..2026-10-23", "2026-08-25..2026-08-31"]


DAYS = st.dates(date(2026, 1, 1), date(2026, 11, 23))


@SEEDED
@given(since=DAYS, spans=st.lists(st.tuples(DAYS, st.integers(0, 60)), max_size=5))
def test_every_day_is_covered_once(since: date, spans: list[tuple[date, int]]) -> None:
    listed = [Slice.of_days(first, first + timedelta(days=length)).created for first, length in spans]
    days = days_of([*recent_slices(since=since, now=NOW), *settled_slices(since=since, now=NOW, listed=listed)])
    assert len(days) == len(set(days))
    known = set(days_of([Slice.parse(key) for key in listed]))
    wanted = {since + timedelta(days=place) for place in range((NOW.date() - since).days + 1)}
    recent = {day for day in wanted if day >= (NOW - LOOK_BACK).date()}
    assert wanted - known <= set(days)
    assert recent <= set(days)
    assert not (set(days) - recent) & known - {day for day in days if day > NOW.date()}


@SEEDED
@given(start_s=st.integers(0, 10**7), seconds=st.integers(0, 40 * 86400))
def test_halves_meet_and_lose_no_second(start_s: int, seconds: int) -> None:
    first = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=start_s)
    span = Slice(first, first + timedelta(seconds=seconds))
    halves = span.halves()
    if seconds == 0:
        assert halves is None
        return
    assert halves is not None
    later, earlier = halves
    assert (earlier.first, later.last) == (span.first, span.last)
    assert later.first - earlier.last == timedelta(seconds=1)
    assert earlier.first <= earlier.last
    assert later.first <= later.last


def test_whole_days_halve_at_a_day() -> None:
    later, earlier = Slice.of_days(date(2026, 9, 1), date(2026, 9, 3)).halves() or ()
    assert (earlier.created, later.created) == ("2026-09-01..2026-09-01", "2026-09-02..2026-09-03")


def test_a_day_halves_at_noon() -> None:
    later, earlier = Slice.of_days(date(2026, 9, 1), date(2026, 9, 1)).halves() or ()
    assert earlier.created == "2026-09-01T00:00:00Z..2026-09-01T11:59:58Z"
    assert later.created == "2026-09-01T11:59:59Z..2026-09-01T23:59:59Z"
