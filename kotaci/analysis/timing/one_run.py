"""One run that stands for many: which it is, and its jobs in time."""

from __future__ import annotations

import pandas as pd

from kotaci.analysis.timing.network import ATTEMPT
from kotaci.analysis.timing.paths import Paths
from kotaci.model import Outcome

GANTT_COLUMNS = ["job_id", "job", "start_s", "queue_s", "run_s", "slack_s", "is_critical"]


def pick_median_run(runs: pd.DataFrame, *, workflow: str) -> pd.DataFrame:
    """Return the row of the run, or no row: of first attempts that passed, of the commonest event and number of jobs,
    the one whose wall time is nearest their median; the newest of several.

    The commonest number of jobs keeps out runs that skipped half of the workflow.
    """
    passed = runs[
        (runs["workflow"] == workflow)
        & (runs["attempt"] == 1)
        & (runs["outcome"] == Outcome.SUCCESS)
        & runs["wall_s"].notna()
    ]
    for column in ("event", "n_jobs"):
        passed = passed[passed[column] == passed[column].mode().max()] if len(passed) else passed
    if passed.empty:
        return passed
    away = (passed["wall_s"].astype(float) - float(passed["wall_s"].median())).abs()
    near = passed[away == away.min()].sort_values("started_at", kind="stable")
    return near.tail(1)


def to_gantt(run: pd.DataFrame, jobs: pd.DataFrame, paths: Paths) -> pd.DataFrame:
    """Return GANTT_COLUMNS, a row a job of the run that ran, the first to start first.

    Seconds since the start of the attempt, as they happened. Where the needs of the run are not known, `is_critical` is
    false everywhere and `slack_s` 0: nothing is guessed.
    """
    mine = jobs.merge(run[[*ATTEMPT, "started_at"]].rename(columns={"started_at": "origin_at"}), on=ATTEMPT)
    ran = mine[(mine["outcome"] != Outcome.SKIPPED) & mine["started_at"].notna() & mine["ended_at"].notna()]
    begin = (ran["started_at"] - ran["origin_at"]).dt.total_seconds()
    slack = paths.jobs.set_index("job_id")["slack_s"]
    shown = ran.assign(
        queue_s=ran["queue_s"].fillna(0.0).astype(float).clip(upper=begin.clip(lower=0.0)),
        run_s=(ran["ended_at"] - ran["started_at"]).dt.total_seconds(),
        slack_s=ran["job_id"].map(slack).fillna(0.0).astype(float),
        is_critical=ran["job_id"].isin(paths.critical["job_id"]),
    )
    shown["start_s"] = begin - shown["queue_s"]
    return shown.sort_values(["start_s", "job"], kind="stable", ignore_index=True)[GANTT_COLUMNS]
