"""Is our CI healthy? Per workflow and job: failure rate, time to green, durations, queues, re-runs, silence."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import pandas as pd

from kotaci.analysis.alarms import (
    DEFAULTS,
    HealthOptions,
    find_failing,
    find_masked,
    find_queues,
    find_red_now,
    find_silent,
)
from kotaci.analysis.statistics import median_interval, rate_change, wilson
from kotaci.analysis.superseding import find_newer_runs
from kotaci.model import (
    BAD_OUTCOMES,
    DECIDED_OUTCOMES,
    Finding,
    Outcome,
    run_url,
    short_workflow,
    workflow_url,
)


@dataclass(frozen=True)
class Health:
    """The answer as tables, most urgent first, and as findings.

    workflows: one row a workflow; jobs: one row a (workflow, job); period: week, month or quarter; outcomes: runs by
    period and outcome; rates: failure rate by workflow and period; durations: wall and queue by period;
    cancelled: cancelled runs by reason; greens: red stretches of the default branch, as
    time_to_green returns them; silence: when each workflow last ran, as measure_silence returns it.
    """

    workflows: pd.DataFrame
    jobs: pd.DataFrame
    period: str
    outcomes: pd.DataFrame
    rates: pd.DataFrame
    durations: pd.DataFrame
    cancelled: pd.DataFrame
    greens: pd.DataFrame
    silence: pd.DataFrame
    findings: Sequence[Finding]
    n_runs: int
    n_failed: int
    n_decided: int
    n_reruns: int
    rerun_minutes: float
    options: HealthOptions


GREEN_COLUMNS = ("to_green_s", "to_green_low_s", "to_green_high_s")
WORKFLOW_COLUMNS = [
    "workflow",
    "path",
    "url",
    "n_runs",
    "n",
    "n_failed",
    "failure_rate",
    "low",
    "high",
    "change",
    "change_low",
    "change_high",
    "trend",
    "n_green",
    "n_still_red",
    "to_green_s",
    "to_green_low_s",
    "to_green_high_s",
    "n_wall",
    "wall_s",
    "wall_low_s",
    "wall_high_s",
    "wall_p95_s",
    "n_queue",
    "queue_s",
    "queue_p95_s",
    "queue_sum_s",
    "busy_sum_s",
    "n_reruns",
    "n_cancelled",
    "n_superseded",
]
"""Columns of Health.workflows: n is the runs behind failure_rate, low and high its interval; change is the second
half of the window against the first; to_green_s and wall_s are medians, low and high their 95 % intervals."""


def assess_health(
    runs: pd.DataFrame,
    jobs: pd.DataFrame,
    *,
    as_of: datetime | None,
    default_branch: str,
    starts: pd.DataFrame | None = None,
    options: HealthOptions = DEFAULTS,
) -> Health:
    """Return the health of every workflow and job in the tables `runs` and `jobs`.

    `starts` tells when every workflow ran, also before the window: silence is only seen there; without it the
    window's runs must do.
    Rates count first attempts that passed or failed, since attempts of one run are not independent; a cancelled
    run is neither. Durations are those of attempts that passed: a failed run is not faster.
    """
    runs = with_superseded(runs)
    first = runs[runs["attempt"] == 1]
    decided = first[first["outcome"].isin(DECIDED_OUTCOMES)]
    greens = time_to_green(runs, default_branch=default_branch)
    workflows = _workflow_table(runs, first, decided, jobs, greens, options=options)
    job_table = _job_table(runs, jobs, options=options)
    silence = measure_silence(runs if starts is None else starts, as_of=as_of, options=options)
    reruns = runs[runs["attempt"] > 1]
    period = period_of(runs["started_at"])
    found = [
        *find_silent(silence, as_of=as_of, options=options),
        *find_red_now(workflows, runs, greens, default_branch=default_branch, as_of=as_of),
        *find_failing(workflows, first, options=options),
        *find_masked(job_table, jobs, runs),
        *find_queues(workflows, options=options),
    ]
    return Health(
        workflows=workflows,
        jobs=job_table,
        period=period,
        outcomes=count_outcomes(runs, period=period),
        rates=rate_workflows(decided, period=period),
        durations=measure_durations(runs, jobs, period=period),
        cancelled=_cancelled_table(runs, jobs),
        greens=greens,
        silence=silence,
        findings=sorted(found, key=lambda finding: (-finding.severity, -finding.n)),
        n_runs=len(first),
        n_failed=int(decided["outcome"].isin(BAD_OUTCOMES).sum()),
        n_decided=len(decided),
        n_reruns=len(reruns),
        rerun_minutes=float(reruns["wall_s"].sum()) / 60,
        options=options,
    )


def with_superseded(runs: pd.DataFrame) -> pd.DataFrame:
    """Return the runs with `is_superseded`: cancelled while a newer run of its workflow, event and branch was there.

    A pull request is told by its number, since forks' branches share names. By hand and by a newer push read the
    same in every source; the newer run is the evidence.
    """
    newer = find_newer_runs(runs)
    is_superseded = (
        (runs["outcome"] == Outcome.CANCELLED)
        & newer["newer_at"].notna()
        & (newer["newer_at"] <= runs["ended_at"].fillna(runs["created_at"]) + timedelta(minutes=1)).fillna(False)
    )
    return runs.assign(is_superseded=is_superseded.astype(bool))


def time_to_green(runs: pd.DataFrame, *, default_branch: str) -> pd.DataFrame:
    """Return one row per red stretch of a workflow on the default branch: workflow, red_at, green_at, to_green_s.

    It begins with the end of the first failed attempt after a pass and ends with the end of the next attempt that
    passed and had not begun before it; a stretch still red has no green_at. Pull requests are left out: there red
    is work in progress.
    """
    on_branch = runs[
        (runs["branch"] == default_branch)
        & (default_branch != "")
        & (runs["event"] != "pull_request")
        & runs["outcome"].isin(DECIDED_OUTCOMES)
        & runs["ended_at"].notna()
    ].sort_values("ended_at", kind="stable")
    rows = []
    for workflow, group in on_branch.groupby("workflow"):
        red_at = red_began_at = None
        for outcome, began_at, ended_at in zip(group["outcome"], group["started_at"], group["ended_at"], strict=True):
            if outcome in BAD_OUTCOMES:
                if red_at is None:
                    red_at, red_began_at = ended_at, began_at
            elif red_at is not None and not began_at < red_began_at:
                rows.append((workflow, red_at, ended_at, (ended_at - red_at).total_seconds()))
                red_at = None
        if red_at is not None:
            rows.append((workflow, red_at, pd.NaT, math.nan))
    return pd.DataFrame(rows, columns=["workflow", "red_at", "green_at", "to_green_s"])


SILENCE_COLUMNS = [
    "workflow",
    "path",
    "url",
    "run_url",
    "state",
    "n_runs",
    "last_at",
    "silent_s",
    "longest_gap_s",
    "events",
]


def measure_silence(starts: pd.DataFrame, *, as_of: datetime | None, options: HealthOptions) -> pd.DataFrame:
    """Return SILENCE_COLUMNS, one row a workflow, the longest silent first.

    `starts` has repo, run_id, attempt, workflow, event, created_at of all runs up to `as_of`. `state` is `silent`,
    `as usual`, `too few runs`, or `gone` for what is silent so long that it was rather removed.
    """
    rows = []
    for workflow, group in starts[(starts["attempt"] == 1) & starts["created_at"].notna()].groupby("workflow"):
        moments = group["created_at"].sort_values()
        last = group.loc[moments.index[-1]]
        silent_s = (pd.Timestamp(as_of) - moments.iloc[-1]).total_seconds() if as_of else math.nan
        longest_gap_s = moments.diff().max().total_seconds() if len(moments) > 1 else math.nan
        factor = options.schedule_factor if (group["event"] == "schedule").mean() > 0.5 else options.silence_factor
        state = "as usual"
        if silent_s > options.gone_days * 86400:
            state = "gone"
        elif len(moments) < options.min_runs:
            state = "too few runs"
        elif silent_s > max(factor * longest_gap_s, options.min_silence_days * 86400):
            state = "silent"
        repo = str(last["repo"])
        rows.append(
            (
                short_workflow(workflow), workflow, workflow_url(repo, workflow), run_url(repo, int(last["run_id"])),
                state, len(moments), moments.iloc[-1], silent_s, longest_gap_s, ", ".join(sorted(set(group["event"]))),
            )
        )  # fmt: skip
    table = pd.DataFrame(rows, columns=SILENCE_COLUMNS)
    order = table["state"].map({"silent": 0, "as usual": 1, "too few runs": 2, "gone": 3})
    return table.assign(order=order).sort_values(["order", "silent_s"], ascending=[True, False], ignore_index=True)[
        SILENCE_COLUMNS
    ]


PERIODS = (("week", "W-SUN", 26 * 7), ("month", "M", 36 * 31), ("quarter", "Q", 10**6))
"""Periods by name: pandas' word, and the longest span in days that is still shown by it."""


def period_of(moments: pd.Series) -> str:
    """Return `week`, `month` or `quarter`: the shortest by which the span of the moments can still be read."""
    days = (moments.max() - moments.min()).days if moments.notna().any() else 0
    return next(name for name, _, longest in PERIODS if days <= longest)


def start_of(moments: pd.Series, *, period: str) -> pd.Series:
    """Return the start, 00:00 UTC, of the week (its Monday), month or quarter of each moment."""
    word = next(word for name, word, _ in PERIODS if name == period)
    return moments.dt.tz_localize(None).dt.to_period(word).dt.start_time.dt.tz_localize("UTC")


def count_outcomes(runs: pd.DataFrame, *, period: str) -> pd.DataFrame:
    """Return period_at, outcome, n_runs over all attempts."""
    if runs.empty:
        return pd.DataFrame(columns=["period_at", "outcome", "n_runs"])
    counted = (
        runs.assign(period_at=start_of(runs["started_at"], period=period)).groupby(["period_at", "outcome"]).size()
    )
    return counted.rename("n_runs").reset_index()


def rate_workflows(decided: pd.DataFrame, *, period: str, n_series: int = 3) -> pd.DataFrame:
    """Return series (workflow), period_at, n, failure_rate, low, high for the workflows with most runs.

    A workflow with less than half as many runs as the busiest is left out: it would be intervals alone.
    """
    columns = ["series", "period_at", "n", "failure_rate", "low", "high"]
    if decided.empty:
        return pd.DataFrame(columns=columns)
    counts = decided["workflow"].value_counts()
    busiest = counts[counts * 2 >= counts.max()].index[:n_series]
    kept = decided[decided["workflow"].isin(busiest)]
    rows = []
    for (workflow, start), group in kept.assign(period_at=start_of(kept["started_at"], period=period)).groupby(
        ["workflow", "period_at"]
    ):
        n, x = len(group), int(group["outcome"].isin(BAD_OUTCOMES).sum())
        rows.append((short_workflow(workflow), start, n, x / n, *wilson(x, n)))
    return pd.DataFrame(rows, columns=columns)


def rate_jobs(jobs: pd.DataFrame, worst: pd.DataFrame, *, period: str) -> pd.DataFrame:
    """Return job, period_at, n, n_failed for the (workflow, job) rows of `worst`, in their order."""
    decided = jobs[jobs["outcome"].isin(DECIDED_OUTCOMES) & jobs["started_at"].notna()]
    frame = decided.assign(
        workflow=decided["workflow"].map(short_workflow),
        period_at=start_of(decided["started_at"], period=period),
        is_bad=decided["outcome"].isin(BAD_OUTCOMES),
    )
    counted = frame.groupby(["workflow", "job", "period_at"])["is_bad"].agg(n="size", n_failed="sum").reset_index()
    return worst[["workflow", "job"]].merge(counted, on=["workflow", "job"])[["job", "period_at", "n", "n_failed"]]


def measure_durations(runs: pd.DataFrame, jobs: pd.DataFrame, *, period: str) -> pd.DataFrame:
    """Return series (`wall` of runs that passed, `queue` of jobs), period_at, n, median_s, p95_s."""
    passed = runs[runs["outcome"] == Outcome.SUCCESS]
    started = jobs[jobs["queue_s"].notna() & jobs["started_at"].notna()]
    parts = [
        _by_period(passed["started_at"], passed["wall_s"], "wall, runs that passed", period=period),
        _by_period(started["started_at"], started["queue_s"], "queue, jobs", period=period),
    ]
    columns = ["series", "period_at", "n", "median_s", "p95_s"]
    kept = [part for part in parts if len(part)]
    return pd.concat(kept, ignore_index=True)[columns] if kept else pd.DataFrame(columns=columns)


def _by_period(started_at: pd.Series, seconds: pd.Series, series: str, *, period: str) -> pd.DataFrame:
    known = seconds.notna() & started_at.notna()
    frame = pd.DataFrame(
        {"period_at": start_of(started_at[known], period=period), "seconds": seconds[known].astype(float)}
    )
    grouped = frame.groupby("period_at")["seconds"]
    table = grouped.agg(n="size", median_s="median", p95_s=lambda values: values.quantile(0.95)).reset_index()
    return table.assign(series=series)


def _workflow_table(
    runs: pd.DataFrame,
    first: pd.DataFrame,
    decided: pd.DataFrame,
    jobs: pd.DataFrame,
    greens: pd.DataFrame,
    *,
    options: HealthOptions,
) -> pd.DataFrame:
    rows = []
    for workflow, group in runs.groupby("workflow"):
        mine = decided[decided["workflow"] == workflow].sort_values("started_at")
        n, x = len(mine), int(mine["outcome"].isin(BAD_OUTCOMES).sum())
        half = mine["started_at"].min() + (mine["started_at"].max() - mine["started_at"].min()) / 2 if n else None
        bad = mine["outcome"].isin(BAD_OUTCOMES)
        early = mine["started_at"] < half if n else bad
        change = rate_change(int(bad[early].sum()), int(early.sum()), int(bad[~early].sum()), int((~early).sum()))
        queue = jobs.loc[jobs["workflow"] == workflow, "queue_s"].dropna()
        wall = group.loc[group["outcome"] == Outcome.SUCCESS, "wall_s"].dropna()
        green = greens.loc[greens["workflow"] == workflow, "to_green_s"]
        low, high = wilson(x, n)
        rows.append(
            {
                "workflow": short_workflow(workflow),
                "path": workflow,
                "url": workflow_url(group["repo"].iloc[0], workflow),
                "n_runs": int((first["workflow"] == workflow).sum()),
                "n": n,
                "n_failed": x,
                "failure_rate": x / n if n else math.nan,
                "low": low,
                "high": high,
                "change": change[0],
                "change_low": change[1],
                "change_high": change[2],
                "trend": _trend_word(change, n=n, options=options),
                "n_green": int(green.notna().sum()),
                "n_still_red": int(green.isna().sum()),
                **dict(zip(GREEN_COLUMNS, median_interval(green.tolist()), strict=True)),
                "n_wall": len(wall),
                **dict(zip(("wall_s", "wall_low_s", "wall_high_s"), median_interval(wall.tolist()), strict=True)),
                "wall_p95_s": float(wall.quantile(0.95)) if len(wall) else math.nan,
                "n_queue": len(queue),
                "queue_s": float(queue.median()) if len(queue) else math.nan,
                "queue_p95_s": float(queue.quantile(0.95)) if len(queue) else math.nan,
                "queue_sum_s": float(queue.sum()),
                "busy_sum_s": float(jobs.loc[jobs["workflow"] == workflow, "wall_s"].sum()),
                "n_reruns": int((group["attempt"] > 1).sum()),
                "n_cancelled": int((group["outcome"] == Outcome.CANCELLED).sum()),
                "n_superseded": int(group["is_superseded"].sum()),
            }
        )
    table = pd.DataFrame(rows, columns=WORKFLOW_COLUMNS)
    return table.sort_values(["low", "n_runs"], ascending=False, ignore_index=True)


def _trend_word(change: tuple[float, float, float], *, n: int, options: HealthOptions) -> str:
    if n < 2 * options.min_runs or math.isnan(change[0]):
        return "too few runs"
    if change[1] > 0:
        return "worse"
    return "better" if change[2] < 0 else "none told"


def _job_table(runs: pd.DataFrame, jobs: pd.DataFrame, *, options: HealthOptions) -> pd.DataFrame:
    run_outcomes = runs.set_index(["run_id", "attempt"])["outcome"]
    of_run = run_outcomes.reindex(pd.MultiIndex.from_frame(jobs[["run_id", "attempt"]])).to_numpy()
    bad = jobs["outcome"].isin(BAD_OUTCOMES)
    first = jobs["attempt"] == 1
    frame = jobs.assign(
        is_decided=jobs["outcome"].isin(DECIDED_OUTCOMES) & first,
        is_bad=bad & first,
        is_masked=bad & (of_run == Outcome.SUCCESS),
        is_cancelled=jobs["outcome"] == Outcome.CANCELLED,
        passed_s=jobs["wall_s"].where(jobs["outcome"] == Outcome.SUCCESS).astype(float),
        waited_s=jobs["queue_s"].astype(float),
        minutes=jobs["wall_s"].astype(float) / 60,
    )
    grouped = frame.groupby(["workflow", "job"])
    table = grouped.agg(
        n=("is_decided", "sum"),
        n_failed=("is_bad", "sum"),
        n_masked=("is_masked", "sum"),
        n_cancelled=("is_cancelled", "sum"),
        n_wall=("passed_s", "count"),
        wall_s=("passed_s", "median"),
        wall_p95_s=("passed_s", lambda values: values.quantile(0.95)),
        n_queue=("waited_s", "count"),
        queue_s=("waited_s", "median"),
        queue_p95_s=("waited_s", lambda values: values.quantile(0.95)),
        minutes=("minutes", "sum"),
    ).reset_index()
    bounds = [wilson(int(x), int(n)) for x, n in zip(table["n_failed"], table["n"], strict=True)]
    table["failure_rate"] = table["n_failed"].astype(float) / table["n"].where(table["n"] > 0)
    table["low"], table["high"] = [low for low, _ in bounds], [high for _, high in bounds]
    table["path"] = table["workflow"]
    table["workflow"] = table["workflow"].map(short_workflow)
    table["has_enough"] = table["n"] >= options.min_runs
    return table.sort_values(["has_enough", "low", "n"], ascending=False, ignore_index=True)


def _cancelled_table(runs: pd.DataFrame, jobs: pd.DataFrame) -> pd.DataFrame:
    cancelled = runs[runs["outcome"] == Outcome.CANCELLED]
    why = cancelled["is_superseded"].map(
        {True: "superseded by a newer run", False: "by hand, by a time-out, or unknown"}
    )
    minutes = jobs.groupby(["run_id", "attempt"])["wall_s"].sum() / 60
    keys = pd.MultiIndex.from_frame(cancelled[["run_id", "attempt"]])
    frame = cancelled.assign(why=why, minutes=minutes.reindex(keys).fillna(0).to_numpy(dtype=float))
    table = frame.groupby(["workflow", "why"]).agg(n=("run_id", "size"), minutes=("minutes", "sum")).reset_index()
    table["workflow"] = table["workflow"].map(short_workflow)
    return table.sort_values("minutes", ascending=False, ignore_index=True)
