"""Where do the minutes go, and what would give them back? Puts together what `timing`, `spending`, `durations`,
`benchmarks` and `resources` find in one window.

A figure that the workflow files are needed for says on how many runs it rests.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import pandas as pd

from kotaci.analysis.benchmarks import Benchmarking, BenchmarkOptions, assess_benchmarks
from kotaci.analysis.caching import with_jobs
from kotaci.analysis.durations import DurationOptions, Shifts, assess_shifts
from kotaci.analysis.resources import DEFAULTS as RESOURCES
from kotaci.analysis.resources import ResourceOptions, Resources, assess_resources
from kotaci.analysis.spending import (
    CompiledAgain,
    compiled_again,
    nobody_waits,
    slack_by_job,
    slowest_tests,
    slowest_units,
    spent_by_kind,
)
from kotaci.analysis.statistics import median_interval
from kotaci.analysis.timing import (
    BUILD_TIME,
    SUGGESTING,
    Bill,
    BuildTimeOptions,
    Effect,
    Network,
    Paths,
    Suggestion,
    Suggestions,
    UsualPath,
    critical_paths,
    lost_minutes,
    suggest_scenarios,
    to_bill,
    to_billed,
    to_gantt,
    to_misses,
    to_network,
    usual_path,
)
from kotaci.model import BadInput, Certainty, Finding, Outcome, Price, Severity, short_workflow, workflow_url

TABLES = (
    "runs", "jobs", "steps", "phases", "units", "setups", "workflow_jobs", "commits", "cache_events", "test_times",
    "benchmarks", "failures", "annotations", "usages", "usage_samples", "unit_times",
)  # fmt: skip
"""The tables that it reads."""


WORKFLOW_COLUMNS = [
    "workflow",
    "path",
    "url",
    "n_wall",
    "wall_s",
    "wall_low_s",
    "wall_high_s",
    "wall_p95_s",
    "n_queue",
    "queue_s",
    "queue_p95_s",
    "n_jobs",
    "minutes",
    "dollars",
    "share",
]
"""Columns of BuildTime.workflows: wall_s is the median over attempts that passed, with its 95 % interval, queue_s that
of jobs; minutes are whole minutes of n_jobs jobs, dollars their list price, share theirs of all minutes."""


@dataclass(frozen=True)
class BuildTime:
    """The answer as tables, most minutes first.

    workflows: WORKFLOW_COLUMNS. bill: of all jobs; lost: by reason, as lost_minutes returns it. network and paths are
    those of the attempts whose needs are known. usual: the path that decides most runs of the workflow that is drawn,
    gantt: the jobs of the run that stands for them. slack, unwaited, spent, compiled, slowest_units and slowest_tests
    are those of `spending`. days: the length of the window. findings: of all parts, most urgent first.
    """

    workflows: pd.DataFrame
    billed: pd.DataFrame
    bill: Bill
    lost: Mapping[str, Bill]
    network: Network
    paths: Paths
    usual: UsualPath
    gantt: pd.DataFrame
    slack: pd.DataFrame
    unwaited: pd.DataFrame
    spent: pd.DataFrame
    compiled: CompiledAgain
    slowest_units: pd.DataFrame
    slowest_tests: pd.DataFrame
    suggestions: Suggestions
    shifts: Shifts
    benchmarks: Benchmarking
    resources: Resources
    days: float
    findings: Sequence[Finding]
    options: BuildTimeOptions


def assess_build_time(
    tables: Mapping[str, pd.DataFrame],
    *,
    prices: Mapping[str, float],
    default_branch: str,
    workflow: str = "",
    options: BuildTimeOptions = BUILD_TIME,
    limits: ResourceOptions = RESOURCES,
) -> BuildTime:
    """Return where the minutes of the window went, from TABLES.

    `workflow` names the one whose median run is drawn, by its file with or without the folder; empty is the one with
    most minutes among those that passed once. `prices` are dollars a minute by label. Raises BadInput for a workflow
    that is none.
    """
    runs, jobs = tables["runs"], tables["jobs"]
    billed = to_billed(runs, jobs, prices=prices)
    table = _workflow_table(runs, jobs, billed)
    drawn = _choose(table, workflow)
    network = to_network(runs, jobs, tables["workflow_jobs"], tables["commits"])
    paths = critical_paths(network)
    usual = usual_path(runs, paths, workflow=drawn)
    bill = to_bill(billed)

    def of(*names: str) -> dict[str, pd.DataFrame]:
        return {name: tables[name] for name in names}

    suggestions = suggest_scenarios(
        network,
        **of("steps", "units", "commits"),
        misses=to_misses(with_jobs(tables["cache_events"], runs, jobs, tables["setups"])),
        prices=prices,
        options=replace(SUGGESTING, most=options.most_changes),
    )
    chosen = DurationOptions(
        min_shift=options.min_shift,
        min_change_s=options.min_change_s,
        false_share=options.false_share,
        medium_minutes=options.medium_minutes,
        high_minutes=options.high_minutes,
    )
    history = of("runs", "jobs", "steps", "setups", "commits", "cache_events")
    shifts = assess_shifts(**history, default_branch=default_branch, options=chosen)
    benchmarks = assess_benchmarks(
        **of("runs", "jobs", "benchmarks", "setups", "commits"),
        default_branch=default_branch,
        options=BenchmarkOptions(alert_ratio=options.alert_ratio),
    )
    watched = of("runs", "jobs", "failures", "annotations", "usages", "usage_samples")
    resources = assess_resources(**watched, options=limits)
    starts = runs["started_at"].dropna()
    found = [
        *_to_findings(suggestions, table, bill, n_days=_days(starts), options=options),
        *shifts.findings,
        *benchmarks.findings,
        *resources.findings,
    ]
    return BuildTime(
        workflows=table,
        billed=billed,
        bill=bill,
        lost=lost_minutes(runs, billed),
        network=network,
        paths=paths,
        usual=usual,
        gantt=to_gantt(usual.run, jobs, paths),
        slack=slack_by_job(network),
        unwaited=nobody_waits(network),
        spent=spent_by_kind(billed, tables["steps"], tables["phases"]),
        compiled=compiled_again(jobs, tables["units"], tables["phases"]),
        slowest_units=slowest_units(tables["unit_times"]),
        slowest_tests=slowest_tests(tables["test_times"]),
        suggestions=suggestions,
        shifts=shifts,
        benchmarks=benchmarks,
        resources=resources,
        days=_days(starts),
        findings=sorted(found, key=lambda finding: -finding.severity),
        options=options,
    )


def _days(starts: pd.Series) -> float:
    return float((starts.max() - starts.min()).total_seconds()) / 86400 if len(starts) else 0.0


def _to_findings(
    suggestions: Suggestions, workflows: pd.DataFrame, bill: Bill, *, n_days: float, options: BuildTimeOptions
) -> Iterator[Finding]:
    """Yield a finding for each ranked change that saves enough of a run's time or of all minutes."""
    walls = dict(zip(workflows["workflow"], workflows["wall_s"], strict=True))
    months = n_days / SUGGESTING.timing.month_days
    for one in suggestions.rows:
        if one.rank is None or one.effect is None:
            continue
        wall_s, minutes = walls.get(one.workflow, math.nan), -one.effect.minutes_month * months
        saved = {
            "a run": -one.effect.mean_s / wall_s if wall_s > 0 else 0.0,
            "all minutes": minutes / bill.minutes if bill.minutes and not math.isnan(minutes) else 0.0,
        }
        if max(saved.values()) >= options.min_saving:
            yield _to_finding(one, one.effect, saved, months=months)


def _to_finding(one: Suggestion, effect: Effect, saved: Mapping[str, float], *, months: float) -> Finding:
    gains = [f"{100 * share:.0f} % of {what}" for what, share in saved.items() if share >= 0.01]
    minutes, dollars = -effect.minutes_month * months, effect.dollars_month
    return Finding(
        id=f"what-if:{one.workflow}:{one.title}",
        kind="what-if",
        subject=one.workflow,
        claim=f"{one.title}: would have saved {' and '.join(gains)}",
        verdict=one.verdict,
        certainty=Certainty.of_n(effect.n),
        severity=Severity.LOW if one.how == "estimated" else Severity.MEDIUM,
        n=effect.n,
        method=f"{one.how} over recorded runs, everything else as it was",
        remedy=one.basis,
        price=Price(
            minutes=None if math.isnan(minutes) else minutes,
            money_usd=None if dollars is None or math.isnan(dollars) else -dollars * months,
            basis=one.how,
        ),
    )


def _choose(table: pd.DataFrame, workflow: str) -> str:
    """Return the path of the workflow to draw. Raises BadInput, with those there are, for a name that is none."""
    if workflow:
        found = table.loc[(table["path"] == workflow) | (table["workflow"] == short_workflow(workflow)), "path"]
        if found.empty:
            known = ", ".join(table["workflow"]) or "none"
            raise BadInput(workflow, "is no workflow of this window", f"take one of: {known}")
        return str(found.iloc[0])
    passed = table[table["n_wall"] > 0]
    return str(passed["path"].iloc[0]) if len(passed) else ""


def _workflow_table(runs: pd.DataFrame, jobs: pd.DataFrame, billed: pd.DataFrame) -> pd.DataFrame:
    all_minutes = float(billed["minutes"].sum())
    rows = []
    for workflow, group in runs.groupby("workflow"):
        wall = group.loc[group["outcome"] == Outcome.SUCCESS, "wall_s"].dropna().astype(float)
        queue = jobs.loc[jobs["workflow"] == workflow, "queue_s"].dropna().astype(float)
        bill = to_bill(billed[billed["workflow"] == workflow])
        rows.append(
            {
                "workflow": short_workflow(workflow),
                "path": workflow,
                "url": workflow_url(group["repo"].iloc[0], workflow),
                "n_wall": len(wall),
                **dict(zip(("wall_s", "wall_low_s", "wall_high_s"), median_interval(wall.tolist()), strict=True)),
                "wall_p95_s": float(wall.quantile(0.95)) if len(wall) else math.nan,
                "n_queue": len(queue),
                "queue_s": float(queue.median()) if len(queue) else math.nan,
                "queue_p95_s": float(queue.quantile(0.95)) if len(queue) else math.nan,
                "n_jobs": bill.n,
                "minutes": bill.minutes,
                "dollars": bill.dollars,
                "share": bill.minutes / all_minutes if all_minutes else math.nan,
            }
        )
    table = pd.DataFrame(rows, columns=WORKFLOW_COLUMNS)
    return table.sort_values(["minutes", "n_wall"], ascending=False, ignore_index=True)
