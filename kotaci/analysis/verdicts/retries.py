"""Tests that passed only when tried again: hidden by the runner's own retries, in green jobs too."""

from __future__ import annotations

import pandas as pd

from kotaci.model import Outcome

RETRIED_COLUMNS = ["workflow", "job_base", "suite", "test", "n_jobs", "n_green", "first_at", "last_at", "message",
                   "repo", "run_id", "attempt", "job_id"]  # fmt: skip
"""One row a test of a job: in how many jobs it was flaky, how many of these were green, when first and last, and the
newest of them."""


def find_retried(tests: pd.DataFrame, jobs: pd.DataFrame) -> pd.DataFrame:
    """Return RETRIED_COLUMNS, most often first."""
    keys = ["repo", "run_id", "attempt", "job_id"]
    flaky = tests.loc[tests["outcome"] == "flaky", [*keys, "suite", "test", "message"]]
    about = jobs[[*keys, "workflow", "job_base", "outcome", "started_at"]]
    rows = flaky.merge(about, on=keys).sort_values("started_at", kind="stable")
    rows = rows.assign(is_green=rows["outcome"] == Outcome.SUCCESS, suite=rows["suite"].fillna(""))
    grouped = rows.groupby(["workflow", "job_base", "suite", "test"], sort=False)
    counts = grouped.agg(
        n_jobs=("job_id", "size"),
        n_green=("is_green", "sum"),
        first_at=("started_at", "min"),
        last_at=("started_at", "max"),
        message=("message", "last"),
        **{key: (key, "last") for key in keys},
    ).reset_index()
    return counts.sort_values(["n_jobs", "last_at"], ascending=False, ignore_index=True)[RETRIED_COLUMNS]
