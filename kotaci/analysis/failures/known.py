"""All attempts of all jobs, once, to look a group's job up in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import pandas as pd

from kotaci.analysis.failures.options import TriageOptions
from kotaci.analysis.flakes.costs import to_attempts
from kotaci.analysis.verdicts.ancestry import Commits
from kotaci.model import DECIDED_OUTCOMES, Outcome


@dataclass(frozen=True)
class Known:
    """Attempts of jobs by workflow, oldest first; attempts of runs with what came after each; commits."""

    by_workflow: Mapping[str, pd.DataFrame]
    of_runs: pd.DataFrame
    commits: pd.DataFrame
    ancestry: Commits
    base: str
    as_of: datetime | None
    options: TriageOptions


def to_places(runs: pd.DataFrame) -> pd.Series:
    """Return where each run belongs: its branch, else its pull request."""
    return runs["branch"].where(runs["branch"] != "", "pull " + runs["pr_number"].astype("str")).fillna("unknown")


def look_up(
    runs: pd.DataFrame,
    jobs: pd.DataFrame,
    commits: pd.DataFrame,
    *,
    default_branch: str,
    as_of: datetime | None,
    options: TriageOptions,
) -> Known:
    """Return the attempts that passed, failed or were cancelled, with what their runs tell."""
    about = runs[["run_id", "attempt", "branch", "event", "run_number", "head_sha"]].assign(place=to_places(runs))
    known = jobs[jobs["outcome"].isin(DECIDED_OUTCOMES | {Outcome.CANCELLED})]
    attempts = known.merge(about, on=["run_id", "attempt"], how="left")
    attempts = attempts.sort_values(["started_at", "attempt"], kind="stable")
    return Known(
        by_workflow=dict(list(attempts.groupby("workflow", sort=False))),
        of_runs=to_attempts(runs, jobs),
        commits=commits,
        ancestry=Commits(commits),
        base=default_branch,
        as_of=as_of,
        options=options,
    )
