"""How a failure stands now, apart from what it is: it fails now, passes again, fails otherwise, or no longer runs."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from kotaci.analysis.failures.grouping import KEY
from kotaci.analysis.verdicts.past import PULLS
from kotaci.model import DECIDED_OUTCOMES, Outcome, plural

FAILING = "failing now"
OVER = "passes again"
GONE = "no longer runs"
OTHERWISE = "fails otherwise since"
NEWEST = "failed so in its newest run"
UNSEEN = "not run since"


@dataclass(frozen=True)
class Status:
    """A word of the six, why in a clause, and in how many runs it failed so without a pass, since when."""

    word: str
    why: str
    n_streak: int = 0
    since_at: pd.Timestamp | None = None
    n_passed_since: int = 0


def pushed(attempts: pd.DataFrame, branch: str) -> pd.DataFrame:
    """Return the attempts of pushes and schedules on a branch; of none where no branch is known."""
    return attempts[(attempts["branch"] == branch) & ~attempts["event"].isin(PULLS) & (branch != "")]


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

    `part` are its failed jobs, newest first, `of_job` all attempts of their legs, `of_workflow` the workflow's
    attempts. It fails now where the newest run of a leg on the base branch failed so, or `branch_streak` in a row on
    another; a single failure that passed when it was run again does not count, nor does a leg that its workflow left
    behind. What passed after its last failure passes again, also where it no longer runs.
    """
    behind = {leg: _n_without(rows, of_workflow, base=base) for leg, rows in of_job.groupby("job", sort=False)}
    alive = of_job[of_job["job"].map(behind) < gone_after_runs]
    n_base, since_at = _streak(part, pushed(alive, base))
    if n_base >= 2 or (n_base and not has_passed_again):
        return Status(FAILING, _failing(n_base, base, since_at), n_base, since_at)
    for branch in sorted(set(part.loc[~part["event"].isin(PULLS), "branch"]) - {"", base}):
        n_there, since_at = _streak(part, pushed(alive, branch))
        if n_there >= branch_streak:
            return Status(FAILING, _failing(n_there, branch, since_at), n_there, since_at)
    newest = part["started_at"].max()
    later = of_job[of_job["started_at"] > newest]
    n_later = int(later.loc[later["outcome"] == Outcome.SUCCESS, "run_id"].nunique())
    gone = ""
    if alive.empty:
        n_without = plural(min(behind.values()), "run")
        gone = f"{n_without} of its workflow{_where(of_job, base)} came after the last with this job"
    if n_later:
        why = f"{plural(n_later, 'run')} of this job passed since, the last failure was {newest:%d %b %Y}"
        return Status(OVER, f"{why}; it no longer runs: {gone}" if gone else why, n_passed_since=n_later)
    if gone:
        return Status(GONE, gone)
    return _unpassed(later, of_job)


def _n_without(of_leg: pd.DataFrame, of_workflow: pd.DataFrame, *, base: str) -> int:
    """Return how many runs of the workflow came after the last with this leg: of the events that it ran on, and on the
    base branch where it ran there, since a job of the nightly run is not missed by pushes."""
    after = of_workflow[of_workflow["started_at"] > of_leg["started_at"].max()]
    alike = after[after["event"].isin(of_leg["event"])]
    return int((pushed(alike, base) if len(pushed(of_leg, base)) else alike)["run_id"].nunique())


def _where(of_job: pd.DataFrame, base: str) -> str:
    return f" on {base}" if len(pushed(of_job, base)) else ""


def _unpassed(later: pd.DataFrame, of_job: pd.DataFrame) -> Status:
    """Return how a failure stands without a pass since, from what came later."""
    otherwise = later[later["outcome"].isin(DECIDED_OUTCOMES)]
    if len(otherwise):
        n, last = otherwise["run_id"].nunique(), otherwise["started_at"].max()
        return Status(OTHERWISE, f"{plural(n, 'later run')} of this job failed otherwise, the last on {last:%d %b %Y}")
    if len(later):
        return Status(UNSEEN, f"{plural(later['run_id'].nunique(), 'later run')} of this job only got cancelled")
    if (of_job["event"] == "pull_request").all():
        return Status(NEWEST, "no later run of this job is held, and it runs on pull requests only")
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
