"""Which days' runs are listed, and in which pieces; arithmetic of dates, no I/O.

GitHub gives at most 1,000 results of a search. Runs of the last LOOK_BACK are listed at every fetch, since they can
still be re-run; older days are listed once more when they leave that span, and then never again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

LOOK_BACK = timedelta(days=30)
"""A run can be re-run for 30 days (GitHub's documentation); an unfinished one is asked for by its id, however old."""

SEARCH_CAP = 1000
"""Results of one search that GitHub gives, whatever it counts."""

FIRST_RUNS = date(2019, 7, 1)
"""No run is older than GitHub Actions."""

_SECOND = timedelta(seconds=1)


@dataclass(frozen=True)
class Slice:
    """A span of time in which runs were created, both ends included, to the second."""

    first: datetime
    last: datetime

    @property
    def created(self) -> str:
        """The search word `created`; whole days as dates, so that the address stays the same from day to day."""
        if self.is_of_days:
            return f"{self.first:%Y-%m-%d}..{self.last:%Y-%m-%d}"
        return f"{self.first:%Y-%m-%dT%H:%M:%SZ}..{self.last:%Y-%m-%dT%H:%M:%SZ}"

    @property
    def is_of_days(self) -> bool:
        """Tell whether it begins and ends where days do."""
        return self.first.time() == time.min and (self.last + _SECOND).time() == time.min

    @classmethod
    def of_days(cls, first: date, last: date) -> Slice:
        """Return the slice of whole days."""
        return cls(
            datetime.combine(first, time.min, UTC), datetime.combine(last, time.min, UTC) + timedelta(days=1) - _SECOND
        )

    @classmethod
    def parse(cls, key: str) -> Slice:
        """Read `created` of a slice of whole days."""
        first, _, last = key.partition("..")
        return cls.of_days(date.fromisoformat(first), date.fromisoformat(last))

    def halves(self) -> tuple[Slice, Slice] | None:
        """Return the later and the earlier half, at a day's border where that is possible; None for one second."""
        if self.first == self.last:
            return None
        middle = self.first + (self.last - self.first) / 2
        middle = middle.replace(microsecond=0)
        day = datetime.combine(middle.date(), time.min, UTC)
        if day > self.first:
            middle = day
        elif day + timedelta(days=1) <= self.last:
            middle = day + timedelta(days=1)
        else:
            middle = max(middle, self.first + _SECOND)
        return Slice(middle, self.last), Slice(self.first, middle - _SECOND)


def recent_slices(*, since: date, now: datetime) -> list[Slice]:
    """Return the weeks, newest first, that hold the last LOOK_BACK; cut at `since`, whose day is the first."""
    today = now.date()
    first = max(since, (now - LOOK_BACK).date())
    weeks = []
    monday = today - timedelta(days=today.weekday())
    while monday + timedelta(days=6) >= first:
        weeks.append(Slice.of_days(max(monday, first), monday + timedelta(days=6)))
        monday -= timedelta(days=7)
    return weeks


def settled_slices(*, since: date, now: datetime, listed: Collection[str]) -> Iterator[Slice]:
    """Yield the spans, newest first, between `since` and the recent weeks that no complete list covers yet."""
    end = (now - LOOK_BACK).date() - timedelta(days=1)
    known = sorted(map(Slice.parse, listed), key=lambda span: span.last, reverse=True)
    for span in known:
        after = max(since, span.last.date() + timedelta(days=1))
        if after <= end:
            yield Slice.of_days(after, end)
        end = min(end, span.first.date() - timedelta(days=1))
    if end >= since:
        yield Slice.of_days(since, end)
