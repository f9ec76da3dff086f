"""When each test that ever failed ran, how that ended, and which of its failures are proved flaky.

A failure is proved flaky by another outcome under the same conditions only: the runner's own retry, another attempt of
the same run, or another run of the same commit, event, job and leg on the same image and toolchain. Nothing else counts
as proof, and a difference of event, image or toolchain is a difference of environment.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

import numpy as np
import pandas as pd

from kotaci.model import BAD_OUTCOMES, DECIDED_OUTCOMES, Outcome

Subject: TypeAlias = tuple[str, str, str, str]
SUBJECT = ["workflow", "job_base", "suite", "test"]
"""What is counted as one test: the same name in another job or suite is another, it runs under other conditions."""

_JOB_KEY = ["run_id", "attempt", "job_id"]

EXECUTION_COLUMNS = [
    *SUBJECT, "run_id", "attempt", "job_id", "job", "leg", "outcome", "message", "location", "event", "branch",
    "head_sha", "commit", "setup", "at", "job_outcome", "run_outcome", "is_first", "proof", "is_regression",
]  # fmt: skip
"""One row a test in a job of an attempt. outcome: passed, failed, or flaky (failed, then passed by the runner's own
retry). commit: the commit that ran, for a pull request the merge commit where the log tells it. setup: image and
toolchain, missing where not told. is_first: the first time in its run; only these are counted in rates, since what is
run again was chosen for having failed. proof: retry, again (another attempt), same commit (another run), or empty."""


BATCH_ROWS = 400_000
"""Executions held at once: with 25 columns some 200 MB. A thousand tests in ten thousand jobs would be ten million."""


def each_test(
    runs: pd.DataFrame,
    jobs: pd.DataFrame,
    tests: pd.DataFrame,
    rosters: pd.DataFrame,
    roster_names: pd.DataFrame,
    setups: pd.DataFrame,
    *,
    many_at_once: int,
) -> Iterator[tuple[Subject, pd.DataFrame]]:
    """Yield every test that failed or flaked at least once, with its EXECUTION_COLUMNS, oldest first.

    A test ran where a roster names it or where it failed; a job without a log tells nothing and is not counted. Tests
    that failed with more than `many_at_once` others in a job are left out of that job: it was the job.
    """
    crowded = crowded_jobs(tests, many_at_once=many_at_once)
    failed = _failures(tests, jobs, crowded)
    about = _about(runs, jobs, setups)
    about = about[~about.index.isin(crowded)]
    held = rosters.assign(suite=rosters["suite"].fillna(""))[[*_JOB_KEY, "suite", "roster_id"]]
    held = held[pd.MultiIndex.from_frame(held[_JOB_KEY]).isin(about.index)].merge(
        about[["workflow", "job_base", "job_outcome"]], left_on=_JOB_KEY, right_index=True
    )
    listed = pd.MultiIndex.from_frame(held[_JOB_KEY].drop_duplicates())
    held = held[held["job_outcome"].isin(DECIDED_OUTCOMES)].drop(columns="job_outcome")
    silent = jobs[(jobs["outcome"] == Outcome.SUCCESS) & ~pd.MultiIndex.from_frame(jobs[_JOB_KEY]).isin(listed)]
    for batch in _batches(failed, held):
        frame = _executions(batch, held, roster_names, about, silent)
        yield from frame.groupby(SUBJECT, sort=True)


def _batches(failed: pd.DataFrame, held: pd.DataFrame) -> Iterator[pd.DataFrame]:
    """Yield the failures, all those of a test together, so that their executions are no more than BATCH_ROWS."""
    sizes = held.groupby(["workflow", "job_base", "suite"]).size()
    subjects = failed[SUBJECT].drop_duplicates().sort_values(SUBJECT, ignore_index=True)
    rows = sizes.reindex(pd.MultiIndex.from_frame(subjects[["workflow", "job_base", "suite"]])).fillna(0).to_numpy()
    number = (np.cumsum(rows) // BATCH_ROWS).astype(int)
    for _, part in subjects.groupby(number):
        yield failed.merge(part, on=SUBJECT)


def _executions(
    failed: pd.DataFrame, held: pd.DataFrame, roster_names: pd.DataFrame, about: pd.DataFrame, silent: pd.DataFrame
) -> pd.DataFrame:
    ran = _ran(failed, held, roster_names)
    keys = [*_JOB_KEY, "suite", "test"]
    frame = ran.merge(failed[[*keys, "outcome", "message", "location"]], on=keys, how="outer")
    frame = frame.assign(outcome=frame["outcome"].fillna("passed"))
    frame = frame.merge(about, left_on=_JOB_KEY, right_index=True, how="inner")
    frame = frame.sort_values(["at", "run_id", "attempt", "job_id", "suite", "test"], ignore_index=True)
    frame = frame.assign(
        is_first=~frame.duplicated(["run_id", "job", "suite", "test"]),
        proof=_proofs(frame, silent),
        is_regression=False,
    )
    return frame[EXECUTION_COLUMNS]


def _about(runs: pd.DataFrame, jobs: pd.DataFrame, setups: pd.DataFrame) -> pd.DataFrame:
    """Return what is known of each job, by its key: where, when, on what, of which commit."""
    of_jobs = jobs[[*_JOB_KEY, "workflow", "job", "job_base", "leg", "started_at", "outcome"]]
    of_runs = runs[["run_id", "attempt", "event", "branch", "pr_number", "head_sha", "outcome", "started_at"]]
    of_runs = of_runs.rename(columns={"outcome": "run_outcome", "started_at": "run_started_at"})
    frame = of_jobs.rename(columns={"outcome": "job_outcome"}).merge(of_runs, on=["run_id", "attempt"], how="inner")
    frame = frame.merge(_conditions(setups), on=_JOB_KEY, how="left")
    frame = frame.assign(
        leg=frame["leg"].fillna(""),
        branch=frame["branch"].where(frame["branch"] != "", "pull " + frame["pr_number"].astype("str")).fillna(""),
        commit=frame["merge"].fillna(frame["head_sha"]),
        at=frame["run_started_at"].fillna(frame["started_at"]),
    )
    return frame.drop(columns=["pr_number", "merge", "run_started_at", "started_at"]).set_index(_JOB_KEY)


def crowded_jobs(tests: pd.DataFrame, *, many_at_once: int) -> pd.MultiIndex:
    """Return the keys of jobs in which more tests failed than tests alone make likely."""
    failed = tests[tests["outcome"] == "failed"].drop_duplicates([*_JOB_KEY, "suite", "test"])
    counts = failed.groupby(_JOB_KEY).size()
    crowded: pd.MultiIndex = counts[counts > many_at_once].index
    return crowded


def _failures(tests: pd.DataFrame, jobs: pd.DataFrame, crowded: pd.MultiIndex) -> pd.DataFrame:
    """Return the tests that failed or flaked with workflow and job_base, one row a test and job: failed beats flaky."""
    bad = tests[tests["outcome"].isin(["failed", "flaky"])].assign(suite=tests["suite"].fillna(""))
    bad = bad.sort_values("outcome", kind="stable").drop_duplicates([*_JOB_KEY, "suite", "test"])
    bad = bad[~pd.MultiIndex.from_frame(bad[_JOB_KEY]).isin(crowded)]
    return bad.merge(jobs[[*_JOB_KEY, "workflow", "job_base"]], on=_JOB_KEY, how="inner")


def _ran(failed: pd.DataFrame, held: pd.DataFrame, roster_names: pd.DataFrame) -> pd.DataFrame:
    """Return the jobs in which a roster names one of these tests: job keys, suite, test."""
    wanted = set(failed["test"])
    named = [
        (roster_id, test)
        for roster_id, names in zip(roster_names["roster_id"], roster_names["names"], strict=True)
        for test in wanted.intersection(names.split("\n"))
    ]
    names = pd.DataFrame(named, columns=["roster_id", "test"], dtype="str").drop_duplicates()
    # Suites and tests first: rosters times names would be a row for every test in every job.
    asked = failed[SUBJECT].drop_duplicates().merge(names, on="test")
    ran = held.merge(asked, on=["workflow", "job_base", "suite", "roster_id"])
    return ran[[*_JOB_KEY, "suite", "test"]].drop_duplicates()


def _conditions(setups: pd.DataFrame) -> pd.DataFrame:
    """Return job keys, setup (image and tools in words) and merge (the merge commit), as the logs tell them."""
    told = setups[setups["item"].isin(["image", "tool"])].sort_values(["item", "name"])
    told = told.assign(setup=told["name"].fillna("") + " " + told["version"].fillna(""))
    one = told.groupby(_JOB_KEY)["setup"].agg(", ".join).reset_index()
    merge = setups[setups["item"] == "merge_commit"].drop_duplicates(_JOB_KEY)
    return one.merge(merge[[*_JOB_KEY, "name"]].rename(columns={"name": "merge"}), on=_JOB_KEY, how="outer")


def _proofs(frame: pd.DataFrame, silent: pd.DataFrame) -> pd.Series:
    """Return retry, again, same commit or nothing for each execution; only failures have any.

    `silent` are jobs that passed and whose tests nobody listed: a later attempt of the job, it ran the test too.
    """
    failed = frame.loc[frame["outcome"] == "failed"].reset_index(names="row")
    passed = frame.loc[frame["outcome"] != "failed"]
    again = _same(failed, passed, on=["run_id", "job", "suite", "test"])
    again = again[(again["attempt"] != again["attempt_other"]) & _alike(again, unknown=True)]
    by_job = _same(failed, silent, on=["run_id", "job"])
    by_job = by_job[by_job["attempt_other"] > by_job["attempt"]]
    elsewhere = _same(failed, passed, on=["workflow", "event", "commit", "job", "suite", "test"])
    elsewhere = elsewhere[(elsewhere["run_id"] != elsewhere["run_id_other"]) & _alike(elsewhere, unknown=False)]
    proof = pd.Series("", index=frame.index, dtype="str")
    proof.loc[list(set(elsewhere["row"]))] = "same commit"
    proof.loc[[*set(again["row"]), *set(by_job["row"])]] = "again"
    return proof.mask(frame["outcome"] == "flaky", "retry")


def _same(failed: pd.DataFrame, others: pd.DataFrame, *, on: list[str]) -> pd.DataFrame:
    columns = [*on, *(name for name in ("run_id", "attempt", "setup") if name in others.columns and name not in on)]
    return failed.merge(others[columns], on=on, suffixes=("", "_other"))


def _alike(pairs: pd.DataFrame, *, unknown: bool) -> pd.Series:
    """Tell whether both ran on the same image and toolchain; `unknown` is the answer where a log tells neither."""
    is_known = pairs["setup"].notna() & pairs["setup_other"].notna()
    return (pairs["setup"] == pairs["setup_other"]).fillna(False).where(is_known, unknown).astype(bool)


def allowed_to_fail(runs: pd.DataFrame, jobs: pd.DataFrame) -> pd.MultiIndex:
    """Return (workflow, job) of jobs that failed in a green run: nobody re-runs anything for their sake."""
    green = pd.MultiIndex.from_frame(runs.loc[runs["outcome"] == Outcome.SUCCESS, ["run_id", "attempt"]])
    bad = jobs[jobs["outcome"].isin(BAD_OUTCOMES)]
    bad = bad[pd.MultiIndex.from_frame(bad[["run_id", "attempt"]]).isin(green)]
    return pd.MultiIndex.from_frame(bad[["workflow", "job"]].drop_duplicates())
