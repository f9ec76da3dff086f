"""What a result rests on, and what is missing from it: said beside every answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from kotaci.model import BAD_OUTCOMES, Outcome

SINGLE_ATTEMPT_SOURCES = frozenset({"tinuous"})
"""Sources that keep one attempt of a run: re-runs cannot be seen in them."""


@dataclass(frozen=True)
class Coverage:
    """Counts of what was read, and one sentence for each thing that is missing."""

    n_runs: int
    n_attempts: int
    n_jobs: int
    n_failed_jobs: int
    n_cancelled_jobs: int
    missing: Sequence[str]


def assess_coverage(
    runs: pd.DataFrame, jobs: pd.DataFrame, *, branch_is_told: bool, default_branch: str, n_wanted_runs: int = 0
) -> Coverage:
    """Return what the tables hold and what they lack; `n_wanted_runs` are listed by a fetch that is not complete."""
    bad = jobs["outcome"].isin(BAD_OUTCOMES)
    return Coverage(
        n_runs=int(runs["run_id"].nunique()),
        n_attempts=len(runs),
        n_jobs=len(jobs),
        n_failed_jobs=int(bad.sum()),
        n_cancelled_jobs=int((jobs["outcome"] == Outcome.CANCELLED).sum()),
        missing=tuple(
            filter(
                None,
                [
                    _said(n_wanted_runs, "listed runs are not fetched yet: run kotaci fetch again"),
                    *_missing(runs, jobs, bad, branch_is_told, default_branch),
                ],
            )
        ),
    )


def _missing(
    runs: pd.DataFrame, jobs: pd.DataFrame, bad: pd.Series, branch_is_told: bool, default_branch: str
) -> list[str]:
    without_log = bad & (jobs["log_state"] != "present")
    states = jobs.loc[without_log, "log_state"].value_counts().to_dict()
    from_log = int((jobs["outcome_source"] == "log").sum())
    unknown = int((jobs["outcome"] == Outcome.UNKNOWN).sum())
    ran = jobs[jobs["outcome"] != Outcome.SKIPPED]
    n_queue = int(ran["queue_s"].notna().sum())
    single = int(runs["source"].isin(SINGLE_ATTEMPT_SOURCES).sum())
    no_jobs = int((runs["n_jobs"] == 0).sum())
    later = int((runs.groupby("run_id")["attempt"].min() > 1).sum())
    no_branch = int(((runs["branch"] == "") & (runs["event"] != "pull_request")).sum())
    return [
        _said(
            int(without_log.sum()),
            f"of {int(bad.sum())} failed jobs have no log here ("
            + ", ".join(f"{n} {state.replace('_', ' ')}" for state, n in states.items())
            + ")",
        ),
        _said(
            from_log,
            f"of {len(jobs)} outcomes were read off the logs: a job that was allowed to fail, or a time-out, "
            "cannot be told there",
        ),
        _said(unknown, "jobs have an outcome that could not be told (a log that breaks off, or a new word of GitHub)"),
        _said(len(ran) - n_queue, f"of {len(ran)} jobs have no queue time"),
        _said(single, "runs come from an archive that keeps one attempt of each: re-runs cannot be seen"),
        _said(later, "runs have no first attempt in this window: they are in no failure rate"),
        _said(no_jobs, "runs have no jobs here: a broken workflow file, or jobs that were not fetched"),
        _said(no_branch, "runs have no branch here"),
        ""
        if branch_is_told or not default_branch
        else f"The default branch was not told; {default_branch}, where most pushes went, is taken for it.",
    ]


def _said(n: int, words: str) -> str:
    return f"{n:,} {words}." if n else ""
