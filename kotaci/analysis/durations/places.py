"""One place where jobs and steps shifted together: which of them tells most, whether it is over, what it costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from kotaci.analysis.durations.shifts import Shift
from kotaci.analysis.durations.together import Located, Together

GROUP_COLUMNS = [
    "group", "since_at", "until_at", "is_slower", "workflow", "job", "step", "at", "sha", "good_sha", "first_sha",
    "last_sha", "before_s", "after_s", "ratio", "low", "high", "n_before", "n_after", "n_jobs", "n_series", "shared",
    "minutes_per_week", "minutes", "is_over", "over_at", "is_recovery", "is_cold", "finding",
]  # fmt: skip

_WEEK = pd.Timedelta(weeks=1)
_EXPLAINS = 0.5
"""A step explains its job's shift that has so large a share of it."""


@dataclass(frozen=True)
class Found:
    """A shift that was found; `undone` is the later one that brought the level back, `is_undoing` such a one."""

    located: Located
    is_by_cache: bool
    undone: Shift | None
    is_undoing: bool

    @property
    def shift(self) -> Shift:
        return self.located.shift

    @property
    def key(self) -> tuple[str, str, str]:
        return self.located.workflow, self.located.job, self.located.step

    @property
    def change_s(self) -> float:
        return self.shift.after_s - self.shift.before_s

    @property
    def over_at(self) -> pd.Timestamp:
        return pd.NaT if self.undone is None else self.undone.at


@dataclass(frozen=True)
class Place:
    """What is said of one place.

    `lead`: the member that tells most, a job before its steps. `step`: the one that has most of the lead's change;
    empty where none has. `minutes` over the window and `minutes_per_week` are signed, more is a loss: the changes of
    all jobs times their runs on all branches, estimated. `is_recovery`: a gain that only undoes losses already told.
    """

    number: int
    together: Together
    members: Sequence[Found]
    lead: Found
    step: str
    n_jobs: int
    minutes: float
    minutes_per_week: float

    @property
    def since(self) -> pd.Timestamp:
        return self.together.since

    @property
    def is_over(self) -> bool:
        return self.lead.undone is not None

    @property
    def is_recovery(self) -> bool:
        return not self.lead.shift.is_slower and all(one.is_undoing for one in self.members)

    @property
    def is_cold(self) -> bool:
        return self.lead.shift.is_slower and any(one.is_by_cache for one in self.members)

    @property
    def finding_id(self) -> str:
        """Return the id of its finding, the same as long as its likeliest commit is; empty for a recovery."""
        if self.is_recovery:
            return ""
        parts = (self.kind, *self.lead.key[:2], self.step, self.lead.shift.sha[:12])
        return ":".join(parts)

    @property
    def kind(self) -> str:
        if self.is_cold:
            return "cold-cache-slower"
        return "slower" if self.lead.shift.is_slower else "faster"

    def to_row(self) -> list[Any]:
        """Return the values of GROUP_COLUMNS."""
        told = {name: getattr(self.lead.shift, name) for name in GROUP_COLUMNS if hasattr(self.lead.shift, name)}
        told |= {"workflow": self.lead.key[0], "job": self.lead.key[1], "step": self.step, "group": self.number}
        told |= {"since_at": self.together.since, "until_at": self.together.until}
        told |= {"n_jobs": self.n_jobs, "n_series": len(self.members), "shared": "; ".join(self.together.shared)}
        told |= {"minutes": self.minutes, "minutes_per_week": self.minutes_per_week, "over_at": self.lead.over_at}
        told |= {"is_over": self.is_over, "is_recovery": self.is_recovery, "is_cold": self.is_cold}
        told |= {"finding": self.finding_id}
        return [told[name] for name in GROUP_COLUMNS]


def to_place(
    number: int,
    together: Together,
    members: Sequence[Found],
    *,
    busy: Mapping[tuple[str, str], pd.Series],
    until: pd.Timestamp,
) -> Place:
    """Return what is said of one group; `busy` is when each job ran, `until` the end of the history."""
    by_job: dict[tuple[str, str], list[Found]] = {}
    for one in members:
        by_job.setdefault(one.key[:2], []).append(one)
    minutes = per_week = 0.0
    for job, mine in by_job.items():
        whole = [one for one in mine if not one.key[2]]
        last = max(whole or mine, key=lambda one: abs(one.change_s))
        change_s = last.change_s if whole else sum(one.change_s for one in mine)
        end = until if pd.isna(last.over_at) else last.over_at
        moments = busy.get(job, pd.Series(dtype="datetime64[us, UTC]"))
        n = int(((moments >= last.shift.first_at) & (moments <= end)).sum())
        minutes += change_s * n / 60
        per_week += change_s * n / 60 / max(1.0, (end - last.shift.first_at) / _WEEK)
    lead = max(members, key=lambda one: (not one.key[2], abs(one.change_s)))
    return Place(number, together, members, lead, _step(lead, members), len(by_job), minutes, per_week)


def _step(lead: Found, members: Sequence[Found]) -> str:
    if lead.key[2]:
        return lead.key[2]
    steps = [one for one in members if one.key[2] and one.key[:2] == lead.key[:2]]
    widest = max(steps, key=lambda one: abs(one.change_s), default=None)
    return widest.key[2] if widest and abs(widest.change_s) >= _EXPLAINS * abs(lead.change_s) else ""
