"""One run that stands for many: which it is, and its jobs in time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from kotaci.analysis.timing.network import ATTEMPT
from kotaci.analysis.timing.paths import Paths
from kotaci.model import Outcome

GANTT_COLUMNS = ["job_id", "job", "start_s", "queue_s", "run_s", "slack_s", "is_critical"]


@dataclass(frozen=True)
class UsualPath:
    """The critical path that most runs of a workflow have, as keys of jobs: of n runs that passed, n_alike had it.

    run: the row of that one of them whose wall time is nearest the median of them all, the newest of several; where no
    path is known, of all. No row where none passed.
    """

    workflow: str
    keys: Sequence[str]
    n: int
    n_alike: int
    run: pd.DataFrame


def usual_path(runs: pd.DataFrame, paths: Paths, *, workflow: str) -> UsualPath:
    """Return the critical path that decides most often, and the run that stands for it.

    Counted are first attempts that passed, of the commonest event and number of jobs: that keeps out runs that skipped
    half of the workflow.
    """
    passed = runs[
        (runs["workflow"] == workflow)
        & (runs["attempt"] == 1)
        & (runs["outcome"] == Outcome.SUCCESS)
        & runs["wall_s"].notna()
    ]
    for column in ("event", "n_jobs"):
        passed = passed[passed[column] == passed[column].mode().max()] if len(passed) else passed
    chain = paths.critical.sort_values("step").groupby(ATTEMPT)["job_key"].agg(tuple)
    known = passed.merge(chain.rename("path").reset_index(), on=ATTEMPT)
    if known.empty:
        return UsualPath(workflow, (), 0, 0, _nearest(passed, passed))
    usual = known["path"].value_counts().index[0]
    alike = known[known["path"] == usual]
    return UsualPath(workflow, usual, len(known), len(alike), _nearest(alike, passed).drop(columns="path"))


def _nearest(runs: pd.DataFrame, to: pd.DataFrame) -> pd.DataFrame:
    if runs.empty:
        return runs
    away = (runs["wall_s"].astype(float) - float(to["wall_s"].median())).abs()
    return runs[away == away.min()].sort_values("started_at", kind="stable").tail(1)


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
