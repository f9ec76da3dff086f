"""Jobs that nobody waits for: no other job needs them, and hardly a run would have ended sooner without them.

That is no verdict on their worth: a check that ends before the others costs minutes, not time, and may still be the
only one that finds a fault. n_failed_alone tells how often it was.
"""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from kotaci.analysis.timing import Network, critical_paths
from kotaci.analysis.timing.network import ATTEMPT
from kotaci.model import BAD_OUTCOMES, Outcome

SLACK_COLUMNS = [
    "workflow", "job_key", "n", "n_critical", "slack_s", "least_slack_s", "minutes", "is_needed", "n_failed",
    "n_failed_alone",
]  # fmt: skip


@dataclass(frozen=True)
class WaitingOptions:
    """Thresholds; printed with the result."""

    critical_share: float = 0.05
    """In so large a share of its attempts a job may still have ended last: where others broke off, something must."""
    min_attempts: int = 5
    """Below so many attempts nothing is said of a job."""


DEFAULTS = WaitingOptions()


def slack_by_job(network: Network) -> pd.DataFrame:
    """Return SLACK_COLUMNS, one row a workflow and key of a job in its file, most minutes first.

    n: attempts in which it ran; n_critical of these in which it had no slack. slack_s: how much longer its tightest leg
    could have taken without making the run longer, the median over n, least_slack_s the least. minutes: of all its
    legs, as they ran. is_needed: another job needs it in some version of the file. n_failed: attempts in which a leg
    failed; n_failed_alone: those in which no other job did, but for jobs that failed in some run that passed (they may
    fail, and fail no run) and those whose own needs had failed. Only attempts whose `needs` are known count
    (`Network.left_out`). Misleads where required checks of GitHub wait for a job: the tables do not tell them.
    """
    timed = critical_paths(network).jobs
    timed = timed.assign(is_bad=timed["outcome"].isin(BAD_OUTCOMES))
    timed = timed.assign(is_blamed=timed["is_bad"] & ~_is_excused(timed, network))
    n_blamed = timed[timed["is_blamed"]].groupby("place")["job_key"].nunique()
    ran = timed[timed["has_run"]]
    attempts = ran.groupby(["workflow", "job_key", *ATTEMPT, "place"], as_index=False).agg(
        slack_s=("slack_s", "min"), run_s=("run_s", "sum"), is_bad=("is_bad", "any"), is_blamed=("is_blamed", "any")
    )
    attempts = attempts.assign(
        is_critical=attempts["slack_s"] == 0, is_alone=attempts["is_blamed"] & (attempts["place"].map(n_blamed) == 1)
    )
    jobs = attempts.groupby(["workflow", "job_key"], as_index=False).agg(
        n=("slack_s", "size"),
        n_critical=("is_critical", "sum"),
        least_slack_s=("slack_s", "min"),
        slack_s=("slack_s", "median"),
        seconds=("run_s", "sum"),
        n_failed=("is_bad", "sum"),
        n_failed_alone=("is_alone", "sum"),
    )
    needed = {
        (workflow, need)
        for (_, _, workflow), plan in network.plans.items()
        for job in plan.values()
        for need in job.needs
    }
    names = zip(jobs["workflow"], jobs["job_key"], strict=True)
    jobs = jobs.assign(minutes=jobs["seconds"] / 60, is_needed=[name in needed for name in names])
    return jobs[SLACK_COLUMNS].sort_values("minutes", ascending=False, kind="stable", ignore_index=True)


def _is_excused(timed: pd.DataFrame, network: Network) -> pd.Series:
    """Return which jobs may fail, as a run that passed with their failure shows, or only follow one that failed."""
    passed = (network.attempts["outcome"] == Outcome.SUCCESS).to_numpy(bool)[timed["place"].to_numpy(int)]
    names = pd.MultiIndex.from_frame(timed[["workflow", "job_key"]])
    may_fail = names.isin(names[timed["is_bad"].to_numpy(bool) & passed])
    return may_fail | timed["is_downstream"].fillna(False).astype(bool)


def nobody_waits(network: Network, *, options: WaitingOptions = DEFAULTS) -> pd.DataFrame:
    """Return those rows of slack_by_job that no job needs, that ran often enough, and that hardly a run waited for."""
    jobs = slack_by_job(network)
    is_free = ~jobs["is_needed"].astype(bool) & (jobs["n_critical"] <= options.critical_share * jobs["n"])
    return jobs[is_free & (jobs["n"] >= options.min_attempts)].reset_index(drop=True)
