"""Where do the minutes go, and what would give them back? Wall, queue, machine minutes and the paths that decide them.

Puts together what `timing` computes for one window; a figure that the workflow files are needed for says on how many
runs it rests.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from kotaci.analysis.statistics import median_interval
from kotaci.analysis.timing import (
    Bill,
    Network,
    Paths,
    critical_paths,
    lost_minutes,
    pick_median_run,
    to_bill,
    to_billed,
    to_gantt,
    to_network,
)
from kotaci.model import BadInput, Outcome, short_workflow, workflow_url

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
    those of the attempts whose needs are known. median_run: the row of the run that is drawn, gantt its jobs; drawn is
    its workflow's path. days: the length of the window.
    """

    workflows: pd.DataFrame
    billed: pd.DataFrame
    bill: Bill
    lost: Mapping[str, Bill]
    network: Network
    paths: Paths
    drawn: str
    median_run: pd.DataFrame
    gantt: pd.DataFrame
    days: float


def assess_build_time(
    *,
    runs: pd.DataFrame,
    jobs: pd.DataFrame,
    workflow_jobs: pd.DataFrame,
    commits: pd.DataFrame,
    prices: Mapping[str, float],
    workflow: str = "",
) -> BuildTime:
    """Return where the minutes of the window went.

    `workflow` names the one whose median run is drawn, by its file with or without the folder; empty is the one with
    most minutes among those that passed once. `prices` are dollars a minute by label.
    """
    billed = to_billed(runs, jobs, prices=prices)
    table = _workflow_table(runs, jobs, billed)
    network = to_network(runs, jobs, workflow_jobs, commits)
    paths = critical_paths(network)
    drawn = _choose(table, workflow)
    run = pick_median_run(runs, workflow=drawn)
    starts = runs["started_at"].dropna()
    return BuildTime(
        workflows=table,
        billed=billed,
        bill=to_bill(billed),
        lost=lost_minutes(runs, billed),
        network=network,
        paths=paths,
        drawn=drawn,
        median_run=run,
        gantt=to_gantt(run, jobs, paths),
        days=(starts.max() - starts.min()).total_seconds() / 86400 if len(starts) else 0.0,
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
