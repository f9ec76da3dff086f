"""How a failure stands now, apart from what it is: fails now, passes again, no longer runs, or not run since."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from kotaci.analysis.failures.grouping import KEY
from kotaci.model import DECIDED_OUTCOMES, Outcome, plural

FAILING = "failing now"
OVER = "passes again"
GONE = "no longer runs"
UNSEEN = "not run since"


@dataclass(frozen=True)
class Status:
    """A word of the four, why in a clause, and in how many runs it failed so without a pass, since when."""

    word: str
    why: str
    n_streak: int = 0
    since_at: pd.Timestamp | None = None
    n_passed_since: int = 0


def pushed(attempts: pd.DataFrame, branch: str) -> pd.DataFrame:
    """Return the attempts of pushes and schedules on a branch; of none where no branch is known."""
    return attempts[(attempts["branch"] == branch) & (attempts["event"] != "pull_request") & (branch != "")]


def assess_status(
    part: pd.DataFrame,
    of_job: pd.DataFrame,
    of_workflow: pd.DataFrame,
    *,
    has_passed_again: bool,
    base: str,
    branch_streak: int,
    gone_after_runs: int,
) -> Status:
    """Return how the group's failure stands.

    `part` are its failed jobs, newest first, `of_job` all attempts of their legs, `of_workflow` the workflow's attempts
    on the base branch. It fails now where the newest run of a leg on the base branch failed so, or `branch_streak` in a
    row on another; a single failure that passed when it was run again does not count.
    """
    since_then = of_workflow.loc[of_workflow["started_at"] > of_job["started_at"].max(), "run_id"].nunique()
    if since_then >= gone_after_runs:
        return Status(GONE, f"{plural(since_then, 'run')} of its workflow on {base} came after the last with this job")
    n_base, since_at = _streak(part, pushed(of_job, base))
    if n_base >= 2 or (n_base and not has_passed_again):
        return Status(FAILING, _failing(n_base, base, since_at), n_base, since_at)
    for branch in sorted(set(part.loc[part["event"] != "pull_request", "branch"]) - {"", base}):
        n_there, since_at = _streak(part, pushed(of_job, branch))
        if n_there >= branch_streak:
            return Status(FAILING, _failing(n_there, branch, since_at), n_there, since_at)
    newest = part["started_at"].max()
    later = of_job[(of_job["outcome"] == Outcome.SUCCESS) & (of_job["started_at"] > newest)]
    n_later = later.loc[later["job"].isin(part["job"]), "run_id"].nunique()
    if n_later:
        why = f"{plural(n_later, 'run')} of this job passed since, the last failure was {newest:%d %b %Y}"
        return Status(OVER, why, n_passed_since=n_later)
    return Status(UNSEEN, "no later run of this job is held")


def _failing(n: int, branch: str, since_at: pd.Timestamp | None) -> str:
    since = "an unknown day" if since_at is None or pd.isna(since_at) else f"{since_at:%d %b %Y}"
    return f"{plural(n, 'run')} on {branch} failed so since {since}, and none passed after"


def _streak(part: pd.DataFrame, there: pd.DataFrame) -> tuple[int, pd.Timestamp | None]:
    """Return in how many runs of a branch the job failed so without a pass since, and since when.

    None where it no longer does: the newest run there of one of its legs must have failed so.
    """
    passes = there[there["outcome"] == Outcome.SUCCESS].groupby("job")["started_at"].max()
    last_pass = pd.Series(passes.reindex(there["job"]).array, index=there.index, dtype=there["started_at"].dtype)
    is_mine = pd.MultiIndex.from_frame(there[KEY]).isin(pd.MultiIndex.from_frame(part[KEY]))
    is_last = ~there[there["outcome"].isin(DECIDED_OUTCOMES)].duplicated("job", keep="last")
    last_of_legs = is_last.reindex(there.index, fill_value=False)
    since_pass = last_pass.isna() | (there["started_at"] > last_pass)
    red_legs = set(there.loc[is_mine & since_pass & last_of_legs, "job"])
    streak = there[is_mine & since_pass & there["job"].isin(red_legs)]
    return int(streak["run_id"].nunique()), streak["started_at"].min() if len(streak) else None
