"""Since when do which jobs and steps take longer, and what changed there: every series of a history at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from kotaci.analysis.changes import ChangeOptions, find_changes
from kotaci.analysis.durations.detecting import smallest_detectable
from kotaci.analysis.durations.findings import to_finding
from kotaci.analysis.durations.options import DEFAULTS, DurationOptions
from kotaci.analysis.durations.places import GROUP_COLUMNS, Found, Place, to_place
from kotaci.analysis.durations.series import SERIES, main_line, to_points, with_place
from kotaci.analysis.durations.shifts import Shift, find_shifts, p_once, to_shift, windows_of
from kotaci.analysis.durations.together import Located, group_shifts
from kotaci.model import DECIDED_OUTCOMES, Finding, short_workflow

SERIES_COLUMNS = [*SERIES, "event", "n", "median_s", "total_s", "n_shifts", "detectable"]
SHIFT_COLUMNS = [
    "group", *SERIES, "at", "sha", "first_at", "last_at", "good_sha", "first_sha", "last_sha", "n_before",
    "n_after", "before_s", "after_s", "ratio", "low", "high", "p", "is_slower", "is_by_cache", "is_over", "over_at",
]  # fmt: skip


RECENT_RUNS = 200
"""What would be found is told of so many last runs of a series: enough to tell, and the present noise."""


@dataclass(frozen=True)
class Shifts:
    """The answer as tables and as findings.

    series: SERIES_COLUMNS, a row a series looked at, most time first; median_s since its last shift; detectable the
    least slow-down that its last RECENT_RUNS would have shown alone (0.15 is 15 %), nan where none or not asked.
    shifts: SHIFT_COLUMNS, a row a shift; group joins groups; is_by_cache: found where the share of exact hits changed,
    and gone when the outcomes of the cache are levelled; is_over: the level came back at over_at.
    groups: GROUP_COLUMNS, a row a place where series shifted together, newest first.
    points: a row a run of a series: POINTS, and level_s, the median between the shifts.
    n_brief series are too short to be looked at, n_too_few have too few runs; n_left_out shifts did not pass the bound
    on false alarms, n_small were smaller than `min_change_s`.
    """

    series: pd.DataFrame
    shifts: pd.DataFrame
    groups: pd.DataFrame
    points: pd.DataFrame
    findings: Sequence[Finding]
    n_runs: int
    n_series: int
    n_brief: int
    n_too_few: int
    n_left_out: int
    n_small: int
    options: DurationOptions

    def points_of(self, workflow: str, job: str, step: str = "") -> pd.DataFrame:
        """Return the points of one series, for its chart."""
        points = self.points
        is_it = (points["workflow"] == workflow) & (points["job"] == job) & (points["step"] == step)
        return points[is_it].reset_index(drop=True)


def assess_shifts(
    *,
    runs: pd.DataFrame,
    jobs: pd.DataFrame,
    steps: pd.DataFrame,
    setups: pd.DataFrame,
    commits: pd.DataFrame,
    cache_events: pd.DataFrame,
    default_branch: str,
    options: DurationOptions = DEFAULTS,
) -> Shifts:
    """Return where jobs and steps of the default branch shifted, from the tables of those names; any may be empty.

    A series is a job per leg, or a step of it, over the first attempts of one event that passed. Of all shifts told, an
    expected share of `options.false_share` at most is none; that bound rests on runs that are alike but for chance, and
    slow weeks of a provider are not. Pull requests are not looked at: their heads are no line of commits.
    """
    line = main_line(runs, default_branch=default_branch)
    points = to_points(line, jobs=jobs, steps=steps, cache_events=cache_events)
    parts = {_name(key): part.reset_index(drop=True) for key, part in points.groupby(SERIES, sort=False)}
    lasting = {key: part for key, part in parts.items() if part["wall_s"].median() >= options.min_wall_s}
    looked_at = {key: part for key, part in lasting.items() if len(part) >= 2 * options.min_runs}
    sought = [_seek(key, part, options=options) for key, part in looked_at.items()]
    bound = _bound(sought, options=options)
    sure = [one.but(lambda shift: shift.p > bound) for one in sought]
    large = [one.but(lambda shift: abs(shift.after_s - shift.before_s) < options.min_change_s) for one in sure]
    kept = [found for one in large for found in one.to_found()]
    restores = cache_events[cache_events["operation"] == "restore"]
    together = group_shifts(
        [one.located for one in kept],
        setups=with_place(setups, jobs, line),
        commits=commits,
        restores=with_place(restores, jobs, line),
    )
    of = {one.located: one for one in kept}
    busy = _executions(runs, jobs)
    until = max((moments.max() for moments in busy.values()), default=pd.NaT)
    places = [
        to_place(number, group, [of[member] for member in group.members], busy=busy, until=until)
        for number, group in enumerate(together, start=1)
    ]
    repo = str(runs["repo"].iloc[0]) if len(runs) else ""
    findings = [
        to_finding(place, repo=repo, n_series=len(looked_at), options=options)
        for place in places
        if not place.is_recovery
    ]
    findings.sort(key=lambda finding: (-finding.severity, -abs(finding.price.minutes or 0.0)))
    by_series: dict[tuple[str, str, str], list[Found]] = {}
    for one in kept:
        by_series.setdefault(one.key, []).append(one)
    levelled = [_with_levels(part, by_series.get(key, [])) for key, part in looked_at.items()]
    return Shifts(
        series=_series_table(levelled, by_series, options=options),
        shifts=_shift_table(places),
        groups=_group_table(places),
        points=pd.concat(levelled, ignore_index=True) if levelled else points.assign(level_s=np.nan).head(0),
        findings=findings,
        n_runs=len(line),
        n_series=len(looked_at),
        n_brief=len(parts) - len(lasting),
        n_too_few=len(lasting) - len(looked_at),
        n_left_out=_n_shifts(sought) - _n_shifts(sure),
        n_small=_n_shifts(sure) - _n_shifts(large),
        options=options,
    )


def _name(key: Any) -> tuple[str, str, str]:
    workflow, job, step = key
    return str(workflow), str(job), str(step)


@dataclass(frozen=True)
class _Sought:
    """What was found in one series, in order of time, and how many tests it took; is_by_cache beside each shift."""

    key: tuple[str, str, str]
    shifts: Sequence[tuple[Shift, bool]]
    n_tests: int

    def but(self, left_out: Callable[[Shift], bool]) -> _Sought:
        return replace(self, shifts=[pair for pair in self.shifts if not left_out(pair[0])])

    def to_found(self) -> list[Found]:
        found = []
        for place, (shift, is_by_cache) in enumerate(self.shifts):
            undone = next((later for later, _ in self.shifts[place + 1 :] if _undoes(later, shift)), None)
            is_undoing = any(_undoes(shift, earlier) for earlier, _ in self.shifts[:place])
            found.append(Found(Located(*self.key, shift), is_by_cache, undone, is_undoing))
        return found


def _seek(key: tuple[str, str, str], part: pd.DataFrame, *, options: DurationOptions) -> _Sought:
    """Return the shifts of one series with the cache's outcomes levelled, and those where its hits changed."""
    levelled = find_shifts(part, options=options)
    n_tests = max(1, len(levelled))
    shifts = [(shift, False) for shift in levelled]
    values = part["wall_s"].to_numpy(dtype=float)
    for window, culprits in _hit_changes(part, options=options):
        start, cut, end = window
        before, after = values[start:cut], values[cut:end]
        if min(len(before), len(after)) < options.min_runs:
            continue
        n_tests += 1
        shift = to_shift(part, values, window, culprits=culprits, p=p_once(before, after))
        is_told = any(_overlap(shift, other) for other in levelled)
        if shift.p < options.max_p and abs(shift.after_s / shift.before_s - 1) >= options.min_shift and not is_told:
            shifts.append((shift, True))
    return _Sought(key, sorted(shifts, key=lambda pair: pair[0].position), n_tests)


def _hit_changes(part: pd.DataFrame, *, options: DurationOptions) -> list[tuple[tuple[int, int, int], tuple[int, int]]]:
    """Return where the share of exact hits changes, with the changes beside it, and the culprits."""
    if part["stratum"].nunique() < 2:
        return []
    misses = (part["stratum"] != "exact").astype(int).to_list()
    chosen = ChangeOptions(change_chance=options.cache_chance, certainty=options.certainty)
    changes = find_changes(misses, [1] * len(misses), options=chosen)
    windows = windows_of([change.position for change in changes], len(misses))
    return [(window, (change.first, change.last)) for window, change in zip(windows, changes, strict=True)]


def _overlap(one: Shift, other: Shift) -> bool:
    return one.is_slower == other.is_slower and max(one.first, other.first) <= min(one.last, other.last)


def _undoes(later: Shift, shift: Shift) -> bool:
    """Tell whether the later shift brings the level back: more than half of the way, not further past it."""
    change = shift.after_s - shift.before_s
    return later.is_slower != shift.is_slower and abs(later.after_s - shift.before_s) < abs(change) / 2


def _bound(sought: Sequence[_Sought], *, options: DurationOptions) -> float:
    """Return the greatest p that is told, so that an expected share of `false_share` is none: Benjamini & Hochberg, a
    series without a shift counting as a test that showed nothing. Below 0 where none is."""
    n_tests = sum(one.n_tests for one in sought)
    told = sorted(shift.p for one in sought for shift, _ in one.shifts)
    passing = [p for place, p in enumerate(told, start=1) if p <= options.false_share * place / n_tests]
    return passing[-1] if passing else -1.0


def _n_shifts(sought: Sequence[_Sought]) -> int:
    return sum(len(one.shifts) for one in sought)


def _executions(runs: pd.DataFrame, jobs: pd.DataFrame) -> dict[tuple[str, str], pd.Series]:
    """Return when each job of each workflow ran to an end, on all branches and attempts."""
    ran = jobs[jobs["outcome"].isin(DECIDED_OUTCOMES)]
    ran = ran.merge(runs[["run_id", "attempt", "started_at"]], on=["run_id", "attempt"], suffixes=("_of_job", ""))
    ran = ran.assign(workflow=ran["workflow"].map(short_workflow)).dropna(subset="started_at")
    return {(str(w), str(j)): moments for (w, j), moments in ran.groupby(["workflow", "job"])["started_at"]}


def _with_levels(part: pd.DataFrame, found: Sequence[Found]) -> pd.DataFrame:
    level = np.searchsorted(sorted(one.shift.position for one in found), np.arange(len(part)), side="right")
    return part.assign(level_s=part["wall_s"].groupby(level).transform("median"))


def _series_table(
    levelled: Sequence[pd.DataFrame], found: dict[tuple[str, str, str], list[Found]], *, options: DurationOptions
) -> pd.DataFrame:
    rows = []
    parts = sorted(levelled, key=lambda part: -float(part["wall_s"].sum()))
    for place, part in enumerate(parts):
        key = _name(part.loc[0, SERIES])
        recent = part.tail(RECENT_RUNS)
        detectable = smallest_detectable(recent, options=options, n_trials=20) if place < options.n_detectable else None
        rows.append(
            (
                *key, part["event"].iloc[0], len(part), part["level_s"].iloc[-1], part["wall_s"].sum(),
                len(found.get(key, [])), np.nan if detectable is None else detectable,
            )
        )  # fmt: skip
    return pd.DataFrame(rows, columns=SERIES_COLUMNS)


def _shift_table(places: Sequence[Place]) -> pd.DataFrame:
    rows = []
    for place in places:
        for one in place.members:
            told = vars(one.shift) | vars(one.located)
            told |= {"group": place.number, "is_slower": one.shift.is_slower, "is_by_cache": one.is_by_cache}
            told |= {"is_over": one.undone is not None, "over_at": one.over_at}
            rows.append([told[name] for name in SHIFT_COLUMNS])
    return pd.DataFrame(rows, columns=SHIFT_COLUMNS)


def _group_table(places: Sequence[Place]) -> pd.DataFrame:
    newest = sorted(places, key=lambda place: place.since, reverse=True)
    return pd.DataFrame([place.to_row() for place in newest], columns=GROUP_COLUMNS)
