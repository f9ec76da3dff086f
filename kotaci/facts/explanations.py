"""Why one job failed, with its log, and the last green log of the same job to compare with."""

from __future__ import annotations

import pandas as pd

from kotaci.facts.read import History
from kotaci.logs.causes import Catalogue
from kotaci.logs.choosing import MAX_LINES
from kotaci.logs.failure import Explanation, explain
from kotaci.model import Outcome

JobKey = tuple[int, int, int]
"""Run id, attempt, job id."""


def last_green(runs: pd.DataFrame, jobs: pd.DataFrame, *, key: JobKey, default_branch: str) -> JobKey | None:
    """Return the newest green job with a log before that one: same workflow, name and leg, and if there is one of the
    same branch, else of the default branch; None where none is held.

    A green log of another branch line or leg would make news of what only differs there.
    """
    run_id, attempt, job_id = key
    job = jobs[(jobs["run_id"] == run_id) & (jobs["attempt"] == attempt) & (jobs["job_id"] == job_id)].iloc[0]
    same = jobs[
        (jobs["workflow"] == job["workflow"])
        & (jobs["job"] == job["job"])
        & (jobs["outcome"] == Outcome.SUCCESS)
        & (jobs["log_state"] == "present")
        & (jobs["started_at"] < job["started_at"]).fillna(False)
    ]
    branches = runs.set_index(["run_id", "attempt"])["branch"]
    of_same = branches.reindex(pd.MultiIndex.from_frame(same[["run_id", "attempt"]])).to_numpy()
    for branch in dict.fromkeys((branches.get((run_id, attempt), ""), default_branch)):
        there = same[of_same == branch] if branch else same.iloc[:0]
        if len(there):
            newest = there.sort_values(["started_at", "attempt"]).iloc[-1]
            return int(newest["run_id"]), int(newest["attempt"]), int(newest["job_id"])
    return None


def explain_job(
    history: History, *, key: JobKey, catalogue: Catalogue | None = None, max_lines: int = MAX_LINES
) -> Explanation | None:
    """Return why that job failed, compared with its last green log where one is held; None where its log is not.

    `history` holds `runs` and `jobs`.
    """
    log = history.log(*key)
    if log is None:
        return None
    green = last_green(history["runs"], history["jobs"], key=key, default_branch=history.default_branch)
    text = history.log(*green) if green is not None else None
    return explain(log, last_green=text, max_lines=max_lines, catalogue=catalogue)
