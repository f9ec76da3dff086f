"""What in the health of workflows and jobs asks for action: findings from the tables of `health`, with thresholds."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import pandas as pd

from kotaci.model import (
    BAD_OUTCOMES,
    Certainty,
    Finding,
    Link,
    Outcome,
    Price,
    Severity,
    job_url,
    plural,
    run_url,
    short_workflow,
)


@dataclass(frozen=True)
class HealthOptions:
    """Thresholds; printed with the result."""

    min_runs: int = 5
    """Below this many runs no rate is shown."""
    high_failure_rate: float = 0.2
    """A workflow whose failure rate lies above this with 95 % certainty is a finding."""
    silence_factor: float = 3.0
    """A workflow is silent when it has not run for this many times its longest earlier gap ..."""
    schedule_factor: float = 2.0
    """... or for this many times, where a schedule starts it: a schedule does not pause."""
    min_silence_days: float = 2.0
    """Shorter pauses are never called silence."""
    gone_days: float = 180.0
    """What has been silent for longer is taken for removed."""
    long_queue_share: float = 0.2
    """Queue time above this share of queue and run time together is a finding ..."""
    long_queue_minutes: float = 60.0
    """... where it adds up to at least this much over the window (both as in ciburn)."""


DEFAULTS = HealthOptions()


def find_silent(silence: pd.DataFrame, *, as_of: datetime | None, options: HealthOptions) -> list[Finding]:
    """Return workflows that stopped running: silence against their own longest gap, as of the end of the data."""
    return [
        Finding(
            id=f"silent-workflow:{row['path']}",
            kind="silent-workflow",
            subject=row["workflow"],
            claim=f"has not run for {row['silent_s'] / 86400:.0f} days; "
            f"its longest gap before was {row['longest_gap_s'] / 86400:.1f} days",
            verdict="silent",
            certainty=Certainty.of_n(row["n_runs"]),
            severity=Severity.HIGH,
            n=row["n_runs"],
            method=f"silence above {options.silence_factor:g} x the longest gap "
            f"({options.schedule_factor:g} x for a schedule) and {options.min_silence_days:g} days, "
            f"as of {as_of:%Y-%m-%d %H:%M} UTC",
            remedy="Check that the workflow is still enabled and its schedule stands: GitHub stops schedules "
            "after 60 days without activity, and a renamed file starts anew.",
            evidence=(Link(f"last run {row['last_at']:%Y-%m-%d}", row["run_url"]),),
            workflow=short_workflow(row["path"]),
        )
        for row in silence[silence["state"] == "silent"].to_dict("records")
    ]


def find_red_now(
    workflows: pd.DataFrame, runs: pd.DataFrame, greens: pd.DataFrame, *, default_branch: str, as_of: datetime | None
) -> list[Finding]:
    """Return workflows whose last runs on the default branch failed and that have not passed since."""
    found = []
    for stretch in greens[greens["green_at"].isna()].to_dict("records"):
        bad = runs[
            (runs["workflow"] == stretch["workflow"])
            & (runs["branch"] == default_branch)
            & (runs["event"] != "pull_request")
            & (runs["ended_at"] >= stretch["red_at"])
            & runs["outcome"].isin(BAD_OUTCOMES)
        ].sort_values("ended_at")
        days = (pd.Timestamp(as_of) - stretch["red_at"]).total_seconds() / 86400
        trend = workflows.loc[workflows["path"] == stretch["workflow"], "trend"].iloc[0]
        found.append(
            Finding(
                id=f"red-now:{stretch['workflow']}",
                kind="red-now",
                subject=short_workflow(stretch["workflow"]),
                claim=f"has been red on {default_branch} since {stretch['red_at']:%d %b %Y} "
                f"({plural(round(days), 'day')}, {plural(len(bad), 'failed run')} and none that passed)"
                + ("; its failure rate rose over the window" if trend == "worse" else ""),
                verdict="red now",
                certainty=Certainty.PROVED,
                severity=Severity.HIGH,
                n=len(bad),
                method=f"last attempts on {default_branch} that passed or failed, pull requests left out",
                remedy="Open failure_triage: it groups what fails now.",
                price=Price(minutes=float(bad["wall_s"].sum()) / 60, basis="measured"),
                evidence=tuple(
                    Link(f"run of {row['started_at']:%d %b %Y}", run_url(row["repo"], row["run_id"], row["attempt"]))
                    for row in bad.tail(3).to_dict("records")
                ),
                workflow=short_workflow(stretch["workflow"]),
            )
        )
    return found


def find_failing(workflows: pd.DataFrame, first: pd.DataFrame, *, options: HealthOptions) -> list[Finding]:
    """Return workflows whose failure rate lies above the threshold with 95 % certainty."""
    found = []
    for row in workflows.to_dict("records"):
        if row["n"] < options.min_runs or row["low"] <= options.high_failure_rate:
            continue
        bad = first[(first["workflow"] == row["path"]) & first["outcome"].isin(BAD_OUTCOMES)].sort_values("started_at")
        found.append(
            Finding(
                id=f"failing-workflow:{row['path']}",
                kind="failing-workflow",
                subject=row["workflow"],
                claim=f"failed in {row['n_failed']} of {row['n']} runs, {row['failure_rate']:.0%} "
                f"[{row['low']:.0%}, {row['high']:.0%}]",
                verdict="red",
                certainty=Certainty.of_n(row["n"]),
                severity=Severity.HIGH if row["low"] > 2 * options.high_failure_rate else Severity.MEDIUM,
                n=row["n"],
                method=f"first attempts; 95 % Wilson interval above {options.high_failure_rate:.0%}",
                remedy="Open failure_triage for the groups of failures behind it.",
                price=Price(minutes=float(bad["wall_s"].sum()) / 60, basis="measured"),
                evidence=tuple(
                    Link(f"run {row_['run_number']}", run_url(row_["repo"], row_["run_id"]))
                    for row_ in bad.tail(3).to_dict("records")
                ),
                workflow=short_workflow(row["path"]),
            )
        )
    return found


def find_masked(table: pd.DataFrame, jobs: pd.DataFrame, runs: pd.DataFrame) -> list[Finding]:
    """Return jobs that failed in green runs: allowed to fail, and seen by nobody."""
    found = []
    green = pd.MultiIndex.from_frame(runs.loc[runs["outcome"] == Outcome.SUCCESS, ["run_id", "attempt"]])
    for row in table.to_dict("records"):
        if row["n_masked"] == 0:
            continue
        mine = jobs[(jobs["workflow"] == row["path"]) & (jobs["job"] == row["job"])]
        always = not (mine["outcome"] == Outcome.SUCCESS).any()
        mine = mine[mine["outcome"].isin(BAD_OUTCOMES)]
        mine = mine[pd.MultiIndex.from_frame(mine[["run_id", "attempt"]]).isin(green)].sort_values("started_at")
        found.append(
            Finding(
                id=f"masked-job:{row['path']}:{row['job']}",
                kind="masked-job",
                subject=f"{row['workflow']} / {row['job']}",
                claim=f"failed {row['n_masked']} times in runs that are green"
                + (", and has never passed" if always else ""),
                verdict="masked",
                certainty=Certainty.PROVED,
                severity=Severity.MEDIUM if always else Severity.LOW,
                n=int(row["n"]),
                method="failed jobs in runs whose outcome is success",
                remedy="Mend it, or drop it: a job that may always fail tells nobody anything.",
                price=Price(minutes=float(mine["wall_s"].sum()) / 60, basis="measured"),
                evidence=tuple(
                    Link(f"job of {one['started_at']:%Y-%m-%d}", job_url(one["repo"], one["run_id"], one["job_id"]))
                    for one in mine.tail(3).to_dict("records")
                ),
            )
        )
    return found


def find_queues(workflows: pd.DataFrame, *, options: HealthOptions) -> list[Finding]:
    """Return workflows whose jobs wait long for a runner, by share and by minutes."""
    found = []
    for row in workflows.to_dict("records"):
        total = row["queue_sum_s"] + row["busy_sum_s"]
        if total == 0 or row["queue_sum_s"] / total < options.long_queue_share:
            continue
        if row["queue_sum_s"] < options.long_queue_minutes * 60:
            continue
        found.append(
            Finding(
                id=f"long-queue:{row['path']}",
                kind="long-queue",
                subject=row["workflow"],
                claim=f"its jobs waited {row['queue_sum_s'] / 60:.0f} minutes for a runner, "
                f"{row['queue_sum_s'] / total:.0%} of their time",
                verdict="slow",
                certainty=Certainty.of_n(row["n_queue"]),
                severity=Severity.LOW,
                n=row["n_queue"],
                method=f"queue time at least {options.long_queue_share:.0%} of queue and run time together",
                remedy="Look at the plan's concurrency limit, at labels with few runners, and at the matrix's size.",
                price=Price(minutes=row["queue_sum_s"] / 60, basis="measured"),
            )
        )
    return found
