"""Which alerts of a benchmark are a change of the code, and which are the runner's noise?

An alert looks at two results, as github-action-benchmark does; whether the level moved is told by the results around
them. So an alert stands where a shift that survives the test of `durations` lies at it, and is noise where the results
on both sides would have shown one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence, Set
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from kotaci.analysis.durations import Located, Shift, ShiftOptions, Together, find_shifts, group_shifts
from kotaci.analysis.durations.shifts import usable
from kotaci.analysis.durations.together import CANNOT_BE_TOLD, NOTHING
from kotaci.model import Certainty, Finding, Link, Severity, commit_url, compare_url, job_url, plural, short_workflow


@dataclass(frozen=True)
class BenchmarkOptions:
    """Thresholds; printed with the result."""

    alert_ratio: float = 1.1
    """An alert: so many times worse than the result before; github-action-benchmark's `alert-threshold: '110%'`."""
    min_alerts: int = 5
    """With so many alerts of a job it is judged whether they are worth their noise."""
    shifts: ShiftOptions = field(default_factory=ShiftOptions)


DEFAULTS = BenchmarkOptions()

SERIES = ["workflow", "job", "tool", "name", "unit"]

STANDS, NOISE, UNTOLD = "a shift", "noise", "cannot be told"
"""What an alert is."""

RESULT_COLUMNS = [
    *SERIES, "repo", "run_id", "attempt", "job_id", "at", "head_sha", "value", "low", "high", "is_smaller_better",
    "previous", "previous_sha", "ratio", "level", "verdict",
]  # fmt: skip
ALERT_COLUMNS = [
    *SERIES, "repo", "run_id", "job_id", "at", "head_sha", "previous_sha", "previous", "value", "ratio", "verdict",
]  # fmt: skip
SHIFT_COLUMNS = [
    *SERIES, "repo", "first_at", "last_at", "good_sha", "first_sha", "last_sha", "n_before", "n_after", "before",
    "after", "ratio", "low", "high", "p", "is_worse", "is_standing", "n_alerts",
]  # fmt: skip
SERIES_COLUMNS = [
    *SERIES, "is_smaller_better", "n", "last_at", "last", "noise", "n_alerts", "n_shift", "n_noise", "n_untold",
    "n_shifts", "n_missed",
]  # fmt: skip


@dataclass(frozen=True)
class Benchmarking:
    """The answer as tables and as findings; values are in the series' unit, ns where it is a time.

    results: one row a result that was looked at, in order of time within its series: `previous` is the value it was
    compared with and `ratio` by how much it is worse (1.2 is 20 %), missing for the first and where it is not known
    which way is better; `level` the median between the shifts around it; `verdict` is empty where it is no alert.
    alerts: those of them whose ratio is beyond the threshold, the newest first, with a verdict: STANDS where a shift
    for the worse has it among its culprits, NOISE where none has and enough results lie on both sides to have shown
    one, else UNTOLD.
    shifts: one row a change of level; `is_worse` missing where it is not known which way is better, `is_standing` of
    those for the worse that none for the better followed, `n_alerts` at it: one for the worse with none was missed.
    series: one row a benchmark of a job: n results, the last, `noise` (robust deviation of a result around the level
    it was at, as a share of it), and counts of alerts, shifts and missed shifts; the noisiest alerts first.
    """

    results: pd.DataFrame
    alerts: pd.DataFrame
    shifts: pd.DataFrame
    series: pd.DataFrame
    findings: Sequence[Finding]
    options: BenchmarkOptions

    def n_of(self, verdict: str) -> int:
        """Return how many alerts have that verdict."""
        return int((self.alerts["verdict"] == verdict).sum())


def assess_benchmarks(
    *,
    runs: pd.DataFrame,
    jobs: pd.DataFrame,
    benchmarks: pd.DataFrame,
    setups: pd.DataFrame,
    commits: pd.DataFrame,
    default_branch: str = "",
    options: BenchmarkOptions = DEFAULTS,
) -> Benchmarking:
    """Return what the benchmarks of the window tell, from the tables of those names.

    A series is one benchmark of one job, over first attempts in order of time: those of the default branch where it
    ran there, else all. A name that a job prints twice counts once, its first result; a result of a file whose job is
    not known counts nowhere. Failed jobs count: what they printed was measured, and a job may fail because of its
    alert. Misleads where the runner's kind changed: a faster processor is a shift, and nothing in a log tells it.
    """
    results = _results(runs, jobs, benchmarks, default_branch)
    series = [_series(key, rows, options) for key, rows in results.groupby(SERIES, sort=True)]
    alerts = _stacked([one.alerts for one in series], ALERT_COLUMNS)
    alerts = alerts.sort_values("at", ascending=False, kind="stable", ignore_index=True)
    shifts = pd.DataFrame([row for one in series for row in one.shift_rows()], columns=SHIFT_COLUMNS)
    table = pd.DataFrame([one.row(options) for one in series], columns=SERIES_COLUMNS)
    of_job = results[["run_id", "attempt", "job_id", "workflow", "job", "at"]].drop_duplicates()
    groups = group_shifts(
        [one.located(shift) for one in series for shift in one.worse],
        setups=setups.merge(of_job, on=["run_id", "attempt", "job_id"]),
        commits=commits,
    )
    standing = {one.located(shift) for one in series for shift in one.standing}
    found = [
        *(_find_shift(group, standing, repo=str(results["repo"].iloc[0]), options=options) for group in groups),
        *_find_noise(alerts, options),
    ]
    return Benchmarking(
        results=_stacked([one.rows for one in series], RESULT_COLUMNS),
        alerts=alerts,
        shifts=shifts.sort_values("last_at", ascending=False, kind="stable", ignore_index=True),
        series=table.sort_values(["n_noise", "noise"], ascending=False, kind="stable", ignore_index=True),
        findings=sorted(found, key=lambda finding: (-finding.severity, -finding.n)),
        options=options,
    )


def _results(runs: pd.DataFrame, jobs: pd.DataFrame, benchmarks: pd.DataFrame, default_branch: str) -> pd.DataFrame:
    """Return one row a first attempt's result, in order of time: of the default branch where its series ran there."""
    of_job = jobs[["run_id", "attempt", "job_id", "workflow", "job"]]
    of_run = runs.loc[runs["attempt"] == 1, ["run_id", "attempt", "branch", "event", "head_sha", "started_at"]]
    joined = benchmarks.merge(of_job, on=["run_id", "attempt", "job_id"]).merge(of_run, on=["run_id", "attempt"])
    joined = joined.rename(columns={"started_at": "at"}).assign(
        workflow=joined["workflow"].map(short_workflow),
        value=joined["value"].astype(float),
        head_sha=joined["head_sha"].fillna(""),
        is_base=((joined["branch"] == default_branch) & (joined["event"] != "pull_request")).fillna(False).astype(bool),
    )
    ordered = joined.sort_values(["at", "run_id", "job_id", "line"], ignore_index=True)
    once = ordered.drop_duplicates([*SERIES, "run_id"]).dropna(subset=["value", "at"])
    on_base = pd.MultiIndex.from_frame(once.loc[once["is_base"], SERIES])
    is_kept = once["is_base"] | ~pd.MultiIndex.from_frame(once[SERIES]).isin(on_base)
    return once.loc[is_kept, [name for name in RESULT_COLUMNS if name in once]].reset_index(drop=True)


@dataclass(frozen=True)
class _Series:
    """One benchmark of one job: its results, those among them that the test for shifts can use, and what was found."""

    key: tuple[str, ...]
    rows: pd.DataFrame
    kept: pd.DataFrame
    is_smaller_better: bool | None
    shifts: Sequence[Shift]
    alerts: pd.DataFrame

    @property
    def worse(self) -> list[Shift]:
        return [shift for shift in self.shifts if _is_worse(shift, self.is_smaller_better)]

    @property
    def standing(self) -> list[Shift]:
        """Return the shifts for the worse after which none for the better came."""
        worse = self.worse
        better = [shift.position for shift in self.shifts if shift not in worse]
        return [shift for shift in worse if shift.position > max(better, default=-1)]

    def located(self, shift: Shift) -> Located:
        workflow, job, _, name, _ = self.key
        return Located(workflow, job, name, shift)

    def n_alerts_at(self, shift: Shift) -> int:
        """Return how many alerts lie among the culprits of the shift."""
        return int(self.alerts["run_id"].isin(self.kept["run_id"].iloc[shift.first : shift.last + 1]).sum())

    def noise(self, options: BenchmarkOptions) -> float:
        """Return the deviation of a result around its level, as a share of it: 1.4826 MAD; nan for few results."""
        if len(self.kept) < options.shifts.min_runs:
            return math.nan
        levelled = self.kept["value"].to_numpy(dtype=float) / _levels(self.kept["value"], self.shifts)
        return float(1.4826 * np.median(np.abs(levelled - 1)))

    def row(self, options: BenchmarkOptions) -> dict[str, object]:
        counts = self.alerts["verdict"].value_counts()
        return {
            **dict(zip(SERIES, self.key, strict=True)),
            "is_smaller_better": self.is_smaller_better,
            "n": len(self.rows),
            "last_at": self.rows["at"].iloc[-1],
            "last": self.rows["value"].iloc[-1],
            "noise": self.noise(options),
            "n_alerts": len(self.alerts),
            "n_shift": int(counts.get(STANDS, 0)),
            "n_noise": int(counts.get(NOISE, 0)),
            "n_untold": int(counts.get(UNTOLD, 0)),
            "n_shifts": len(self.shifts),
            "n_missed": sum(self.n_alerts_at(shift) == 0 for shift in self.worse),
        }

    def shift_rows(self) -> list[dict[str, object]]:
        return [
            {
                **dict(zip(SERIES, self.key, strict=True)),
                "repo": self.rows["repo"].iloc[0],
                **{name: getattr(shift, name) for name in _TOLD_OF_SHIFT},
                "before": shift.before_s,
                "after": shift.after_s,
                "is_worse": None if self.is_smaller_better is None else _is_worse(shift, self.is_smaller_better),
                "is_standing": shift in self.standing,
                "n_alerts": self.n_alerts_at(shift),
            }
            for shift in self.shifts
        ]


_TOLD_OF_SHIFT = (
    "first_at", "last_at", "good_sha", "first_sha", "last_sha", "n_before", "n_after", "ratio", "low", "high", "p",
)  # fmt: skip


def _series(key: tuple[str, ...], rows: pd.DataFrame, options: BenchmarkOptions) -> _Series:
    told = rows["is_smaller_better"].dropna()
    is_smaller_better = bool(told.iloc[-1]) if len(told) else None
    compared = _compared(rows, is_smaller_better)
    kept = usable(compared.assign(wall_s=compared["value"], place=compared.index))
    shifts = find_shifts(kept, options=options.shifts)
    worse = [shift for shift in shifts if _is_worse(shift, is_smaller_better)]
    positions = {place: position for position, place in enumerate(kept["place"])}
    levels = dict(zip(kept["place"], _levels(kept["value"], shifts), strict=True))
    is_alert = (compared["ratio"] > options.alert_ratio).tolist()
    told_of = compared.assign(
        level=[levels.get(place, math.nan) for place in compared.index],
        verdict=[
            _verdict(positions.get(place), len(kept), worse, options) if is_one else ""
            for place, is_one in zip(compared.index, is_alert, strict=True)
        ],
    )
    return _Series(key, told_of, kept, is_smaller_better, shifts, told_of[is_alert][ALERT_COLUMNS])


def _levels(values: pd.Series[float], shifts: Sequence[Shift]) -> NDArray[np.float64]:
    """Return for each value the median of the stretch between two shifts that it lies in."""
    parts = np.split(values.to_numpy(dtype=float), [shift.position for shift in shifts])
    return np.concatenate([np.full(len(part), np.median(part)) for part in parts if len(part)] or [np.empty(0)])


def _compared(rows: pd.DataFrame, is_smaller_better: bool | None) -> pd.DataFrame:
    """Return the series with what each result is compared with: the last before it that is of another commit."""
    values, shas = rows["value"].tolist(), rows["head_sha"].tolist()
    before: list[int | None] = []
    for place, sha in enumerate(shas):
        is_same = place > 0 and sha != "" and shas[place - 1] == sha
        before.append(before[-1] if is_same else place - 1 if place else None)
    return rows.assign(
        previous=[math.nan if at is None else values[at] for at in before],
        previous_sha=["" if at is None else shas[at] for at in before],
        ratio=[
            math.nan if at is None or is_smaller_better is None else _times_worse(values[at], value, is_smaller_better)
            for at, value in zip(before, values, strict=True)
        ],
    ).reset_index(drop=True)


def _times_worse(previous: float, value: float, is_smaller_better: bool) -> float:
    """Return by how much a result is worse, as github-action-benchmark reckons it (`getRatio`)."""
    above, below = (value, previous) if is_smaller_better else (previous, value)
    if below == 0:
        return 1.0 if above == 0 else math.inf
    return above / below


def _is_worse(shift: Shift, is_smaller_better: bool | None) -> bool:
    return is_smaller_better is not None and shift.is_slower == is_smaller_better


def _verdict(position: int | None, n: int, worse: Sequence[Shift], options: BenchmarkOptions) -> str:
    if position is None:
        return UNTOLD
    if any(shift.first <= position <= shift.last for shift in worse):
        return STANDS
    return NOISE if min(position, n - position) >= options.shifts.min_runs else UNTOLD


def _stacked(parts: Sequence[pd.DataFrame], columns: Sequence[str]) -> pd.DataFrame:
    filled = [part for part in parts if len(part)]
    return pd.concat(filled, ignore_index=True)[[*columns]] if filled else pd.DataFrame(columns=[*columns])


def _find_shift(group: Together, standing: Set[Located], *, repo: str, options: BenchmarkOptions) -> Finding:
    """Return one finding for benchmarks that got worse at one place, however many they are."""
    members = sorted(group.members, key=lambda one: -abs(math.log(one.shift.ratio)))
    worst = members[0]
    shift = worst.shift
    n = min(shift.n_before, shift.n_after)
    jobs = list(dict.fromkeys(f"{one.workflow} / {one.job}" for one in group.members))
    subject = jobs[0] if len(jobs) == 1 else f"{jobs[0]} and {plural(len(jobs) - 1, 'other job')}"
    named = [f"{one.step} by {_change(one.shift)}" for one in members[:3]]
    more = f" and {plural(len(members) - 3, 'more benchmark')}" if len(members) > 3 else ""
    shared = [words for words in group.shared if words not in {CANNOT_BE_TOLD, NOTHING}]
    why = f"; there {', '.join(shared)}" if shared else ""
    is_past = not standing & set(group.members)
    first, last = (f"{at.day} {at:%b %Y}" for at in (shift.first_at, shift.last_at))
    span = f"on {first}" if first == last else f"between {first} and {last}"
    return Finding(
        id=f"benchmark-shift:{worst.workflow}:{worst.job}:{worst.step}:{shift.first_sha}",
        kind="benchmark-shift",
        subject=subject,
        claim=f"got worse {span}: {', '.join(named)}{more}{why}",
        verdict="was worse" if is_past else "is worse",
        certainty=Certainty.of_n(n),
        severity=Severity.LOW if is_past else Severity.HIGH,
        n=n,
        method=f"change point, Mann-Whitney p < {options.shifts.max_p:g} and the median moved by at least "
        f"{options.shifts.min_shift:.0%}; n is the smaller side",
        remedy="Look at the commits between: the first that is slow is among them, if the runner is the same.",
        evidence=(
            Link(f"{shift.good_sha[:7]}...{shift.last_sha[:7]}", compare_url(repo, shift.good_sha, shift.last_sha)),
            *(Link(f"commit {sha[:7]}", commit_url(repo, sha)) for sha in (shift.first_sha,) if sha),
        ),
    )


def _change(shift: Shift) -> str:
    return f"{shift.ratio - 1:+.0%} [{100 * (shift.low - 1):+.0f}, {100 * (shift.high - 1):+.0f}]"


def _find_noise(alerts: pd.DataFrame, options: BenchmarkOptions) -> list[Finding]:
    """Return one finding for a job most of whose alerts are noise."""
    found = []
    for (workflow, job), part in alerts.groupby(["workflow", "job"]):
        told = part[part["verdict"] != UNTOLD]
        noise = told[told["verdict"] == NOISE]
        if len(told) < options.min_alerts or 2 * len(noise) <= len(told):
            continue
        found.append(
            Finding(
                id=f"noisy-alerts:{workflow}:{job}",
                kind="noisy-alerts",
                subject=f"{workflow} / {job}",
                claim=f"{len(noise):,} of {plural(len(told), 'alert')} at {options.alert_ratio:.0%} of the result "
                f"before are noise: the level did not move; the largest of them was {noise['ratio'].max():.0%}",
                verdict="cries wolf",
                certainty=Certainty.of_n(len(told)),
                severity=Severity.MEDIUM,
                n=len(told),
                method="alerts as github-action-benchmark reckons them, each against the change points of its series",
                remedy="Compare with several results before, not with one; or raise `alert-threshold` above the noise.",
                evidence=tuple(
                    Link(
                        f"{row['name']} {row['at']:%Y-%m-%d}",
                        job_url(row["repo"], int(row["run_id"]), int(row["job_id"])),
                    )
                    for row in noise.head(3).to_dict("records")
                ),
            )
        )
    return found
