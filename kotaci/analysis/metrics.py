"""The six figures that CI is steered by, each with its trend, its n and the notebook that explains it.

Build time, test time, cache hits, flaky failures, resource use and failure rate. The trend sets the second half of the
window against the first.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import pandas as pd

from kotaci.analysis.caching import with_jobs
from kotaci.analysis.caching.options import RESULTS
from kotaci.analysis.claims import shift_ratio
from kotaci.analysis.flakes import DEFAULTS as FLAKES
from kotaci.analysis.flakes import FlakeOptions, Flakiness, assess_flakes
from kotaci.analysis.spending import time_in_tests
from kotaci.analysis.statistics import median_interval, rate_change, wilson
from kotaci.model import BAD_OUTCOMES, DECIDED_OUTCOMES, Outcome, short_workflow

METRIC_COLUMNS = [
    "metric",
    "subject",
    "kind",
    "n",
    "value",
    "low",
    "high",
    "change",
    "change_low",
    "change_high",
    "trend",
    "notebook",
]
"""kind: `seconds` (value is a median, change its ratio less 1) or `rate` (0..1, change a difference); low, high and
change_low, change_high are 95 % intervals, missing where there is too little. trend: worse, better, none told (or
none that matters) or too few runs. notebook: which one explains it."""

MATTERS = 0.05
"""A smaller relative change of a duration is told as none that matters, however certain it is."""

_MOST_A_SIDE = 1000
"""More values than this a side are thinned, every k-th in time: all pairs are compared."""

_Rows = Iterator[dict[str, Any]]


TABLES = (
    "runs", "jobs", "steps", "phases", "cache_events", "setups", "tests", "rosters", "roster_names",
    "failures", "usages",
)  # fmt: skip
"""The tables that `assess_metrics` reads."""


def assess_metrics(
    tables: Mapping[str, pd.DataFrame],
    *,
    as_of: datetime | None,
    min_runs: int,
    flakes: FlakeOptions = FLAKES,
    flakiness: Flakiness | None = None,
    n_workflows: int = 4,
) -> pd.DataFrame:
    """Return METRIC_COLUMNS from TABLES, of the workflows with most runs; `flakes` are the thresholds of the notebook
    flaky_tests, `flakiness` is what these make of the same tables where that is known already."""

    def of(*names: str) -> dict[str, pd.DataFrame]:
        return {name: tables[name] for name in names}

    events = with_jobs(tables["cache_events"], tables["runs"], tables["jobs"], tables["setups"])
    restores = events[(events["operation"] == "restore") & events["result"].isin(RESULTS) & (events["attempt"] == 1)]
    if flakiness is None:
        names = ("runs", "jobs", "tests", "rosters", "roster_names", "setups", "failures")
        flakiness = assess_flakes(**of(*names), as_of=as_of, options=flakes)
    return measure_metrics(
        runs=tables["runs"],
        test_seconds=time_in_tests(**of("runs", "jobs", "steps", "phases")),
        restores=restores.assign(at=restores["job_started_at"], is_exact=restores["result"] == "exact"),
        red_by_flakes=flakiness.red_by_tests,
        peaks=_peaks(tables["usages"], tables["runs"]),
        min_runs=min_runs,
        n_workflows=n_workflows,
    )


def _peaks(usages: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    flows = runs[["repo", "run_id", "attempt", "workflow"]]
    told = usages.merge(flows, on=["repo", "run_id", "attempt"]).dropna(subset=["min_available_bytes", "memory_bytes"])
    share = 1 - told["min_available_bytes"].astype(float) / told["memory_bytes"].astype(float)
    return told.assign(at=told["started_at"], share=share)


def measure_metrics(
    *,
    runs: pd.DataFrame,
    test_seconds: pd.DataFrame,
    restores: pd.DataFrame,
    red_by_flakes: Collection[int],
    peaks: pd.DataFrame,
    min_runs: int,
    n_workflows: int = 4,
) -> pd.DataFrame:
    """Return METRIC_COLUMNS, in the order of the six, of the workflows with most runs.

    test_seconds: workflow, at, seconds of tests of a run. restores: workflow, at, is_exact, of first attempts.
    red_by_flakes: ids of runs in which a test that is or was flaky failed. peaks: workflow, at, share of the machine's
    memory that a recording reached. Fewer than min_runs in a half: no trend.
    """
    first = runs[runs["attempt"] == 1]
    passed = first[(first["outcome"] == Outcome.SUCCESS) & (first["wall_s"] > 0)]
    decided = first[first["outcome"].isin(DECIDED_OUTCOMES)]
    busiest = first["workflow"].value_counts().index[:n_workflows]
    failed = decided.assign(at=decided["started_at"], is_bad=decided["outcome"].isin(BAD_OUTCOMES))
    flaky = decided.assign(at=decided["started_at"], is_bad=decided["run_id"].isin(list(red_by_flakes)))
    walls = passed.assign(at=passed["started_at"], seconds=passed["wall_s"].astype(float))
    rows = [
        *_medians(walls, "build time", "build_time", busiest, min_runs=min_runs),
        *_medians(test_seconds, "test time", "build_time", busiest, min_runs=min_runs),
        *_rates(restores, "is_exact", "cache hits", "cache_analysis", busiest, min_runs=min_runs, is_good=True),
        *_rates(flaky, "is_bad", "red by flaky tests", "flaky_tests", busiest, min_runs=min_runs),
        *_rates_of_memory(peaks, busiest, min_runs=min_runs),
        *_rates(failed, "is_bad", "failures", "failure_triage", busiest, min_runs=min_runs),
    ]
    return pd.DataFrame(rows, columns=METRIC_COLUMNS)


def _medians(values: pd.DataFrame, metric: str, notebook: str, workflows: Sequence[str], *, min_runs: int) -> _Rows:
    for workflow, mine in _of_each(values, workflows):
        seconds = mine["seconds"].astype(float)
        early, late = _halves(mine)
        change = (math.nan, math.nan, math.nan)
        if min(len(early), len(late)) >= min_runs:
            ratio, low, high = shift_ratio(_thinned(early["seconds"]), _thinned(late["seconds"]))
            change = (ratio - 1, low - 1, high - 1)
        yield _row(metric, workflow, "seconds", len(mine), median_interval(seconds.tolist()), change, notebook)


def _rates(
    things: pd.DataFrame,
    column: str,
    metric: str,
    notebook: str,
    workflows: Sequence[str],
    *,
    min_runs: int,
    is_good: bool = False,
) -> _Rows:
    for workflow, mine in _of_each(things, workflows):
        n, x = len(mine), int(mine[column].sum())
        early, late = _halves(mine)
        change = (math.nan, math.nan, math.nan)
        if min(len(early), len(late)) >= min_runs:
            change = rate_change(int(early[column].sum()), len(early), int(late[column].sum()), len(late))
        yield _row(metric, workflow, "rate", n, (x / n, *wilson(x, n)), change, notebook, is_good=is_good)


def _rates_of_memory(peaks: pd.DataFrame, workflows: Sequence[str], *, min_runs: int) -> _Rows:
    for workflow, mine in _of_each(peaks, workflows):
        early, late = _halves(mine)
        change = (math.nan, math.nan, math.nan)
        if min(len(early), len(late)) >= min_runs:
            ratio, low, high = shift_ratio(_thinned(early["share"]), _thinned(late["share"]))
            middle = float(early["share"].astype(float).median())
            change = (middle * (ratio - 1), middle * (low - 1), middle * (high - 1))
        told = median_interval(mine["share"].astype(float).tolist())
        yield _row("memory at its peak", workflow, "rate", len(mine), told, change, "build_time")


def _of_each(values: pd.DataFrame, workflows: Sequence[str]) -> Iterator[tuple[str, pd.DataFrame]]:
    for workflow in workflows:
        mine = values[values["workflow"].map(short_workflow) == short_workflow(workflow)]
        if len(mine):
            yield workflow, mine.sort_values("at", kind="stable")


def _halves(mine: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    middle = mine["at"].min() + (mine["at"].max() - mine["at"].min()) / 2
    return mine[mine["at"] <= middle], mine[mine["at"] > middle]


def _thinned(values: pd.Series) -> list[float]:
    return [float(value) for value in values.iloc[:: 1 + len(values) // _MOST_A_SIDE]]


def _row(
    metric: str,
    workflow: str,
    kind: str,
    n: int,
    told: tuple[float, float, float],
    change: tuple[float, float, float],
    notebook: str,
    *,
    is_good: bool = False,
) -> dict[str, Any]:
    trend = _trend(change, kind=kind, is_good=is_good)
    values = (metric, short_workflow(workflow), kind, n, *told, *change, trend, notebook)
    return dict(zip(METRIC_COLUMNS, values, strict=True))


def _trend(change: tuple[float, float, float], *, kind: str, is_good: bool) -> str:
    middle, low, high = change
    if math.isnan(low):
        return "too few runs"
    if kind == "seconds" and abs(middle) < MATTERS:
        return "none told"
    if low > 0:
        return "better" if is_good else "worse"
    if high < 0:
        return "worse" if is_good else "better"
    return "none told"
