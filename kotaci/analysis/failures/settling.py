"""The verdict of a group, from those of its jobs."""

from __future__ import annotations

import pandas as pd

from kotaci.analysis.failures.options import TriageOptions
from kotaci.analysis.failures.status import FAILING, Status
from kotaci.model import Verdict, plural

FLAKY = frozenset({Verdict.FLAKY, Verdict.FLAKY_INSIDE})


def settle(
    part: pd.DataFrame, status: Status, options: TriageOptions, *, n_commits_alike: int = 0
) -> tuple[Verdict, pd.Series, str]:
    """Return the group's verdict, the job that tells it, and the proof.

    That of the newest job with a proof. A group is only masked or a consequence when its newest job, or every job, is;
    "already failing" points to the base branch's failure, which alone counts where it is in the group; and a flake
    proved before a streak of failures without a pass says nothing of the streak. Commits that failed alike in a row
    (`n_commits_alike`) prove nothing, but stand with what is undecided.
    """
    newest = part.iloc[0]
    if newest["verdict"] == Verdict.MASKED:
        n_green = int((part["verdict"] == Verdict.MASKED).sum())
        return Verdict.MASKED, newest, f"{newest['proof']} ({n_green} of {plural(len(part), 'job')})"
    if (part["verdict"] == Verdict.CONSEQUENCE).all():
        return Verdict.CONSEQUENCE, newest, str(newest["proof"])
    own = part[~part["verdict"].isin([Verdict.MASKED, Verdict.CONSEQUENCE])]
    followed = (own["verdict"] == Verdict.ALREADY_FAILING) & own["evidence_job_id"].isin(own["job_id"])
    n_followed, own = int(followed.sum()), own[~followed]
    told = own[own["verdict"] != Verdict.UNDECIDED]
    if told.empty:
        proof = str(own.iloc[0]["proof"])
        if n_commits_alike > 1:
            proof += f"; {plural(n_commits_alike, 'commit')} in a row failed alike without a pass"
        if n_followed:
            proof += f"; {plural(n_followed, 'job')} of other branches failed so after it"
        return Verdict.UNDECIDED, own.iloc[0], proof
    telling = told.iloc[0]
    verdict = Verdict(telling["verdict"])
    n = int((own["verdict"] == verdict).sum())
    is_one = n == 1 or verdict in {Verdict.REGRESSION, Verdict.INFRASTRUCTURE}
    proof = str(telling["proof"]) if is_one else f"{n} of {plural(len(own), 'job')}: {telling['proof']}"
    if verdict in FLAKY and status.word == FAILING and status.n_streak >= options.branch_streak:
        since = own[own["started_at"] > telling["started_at"]]
        if len(since):
            before = f"it flaked before ({telling['started_at']:%d %b %Y}), but {status.why}"
            return Verdict.UNDECIDED, own.iloc[0], before
    return verdict, telling, proof
