"""Which commits came between a green and a red, and what they changed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pandas as pd

from kotaci.analysis.failures.known import Known
from kotaci.analysis.failures.status import FAILING, Status, pushed
from kotaci.model import Outcome, commit_url


@dataclass(frozen=True)
class Culprit:
    """A commit that may be to blame."""

    sha: str
    url: str
    subject: str
    author: str
    authored_at: pd.Timestamp
    files: Sequence[str]


@dataclass(frozen=True)
class Blame:
    """The commits to look at, newest first; whether they are a 99 % interval; the last green and the first red commit,
    empty where the runs do not hold it."""

    culprits: Sequence[Culprit] = ()
    has_interval: bool = False
    green_sha: str = ""
    red_sha: str = ""


def name_commits(shas: Iterable[str], commits: pd.DataFrame) -> list[Culprit]:
    """Return the commits with what is known of them, in the order given; those not in the table are left out."""
    known = commits.drop_duplicates("commit_sha").set_index("commit_sha")
    rows = known.reindex([sha for sha in dict.fromkeys(shas) if sha in known.index])
    return [
        Culprit(
            sha=str(sha),
            url=commit_url(str(row["repo"]), str(sha)),
            subject=_text(row["subject"]),
            author=_text(row["author"]),
            authored_at=row["authored_at"],
            files=_text(row["files"]).split("\n") if _text(row["files"]) else [],
        )
        for sha, row in zip(rows.index, rows.to_dict("records"), strict=True)
    ]


def changed_files(culprits: Iterable[Culprit]) -> list[str]:
    """Return the paths that the commits changed, each once, in their order."""
    return list(dict.fromkeys(path for culprit in culprits for path in culprit.files))


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def find_culprits(
    part: pd.DataFrame, of_legs: pd.DataFrame, on_base: pd.DataFrame, status: Status, known: Known
) -> Blame:
    """Return the commits to look at: those of the newest regression, else those since the last green of what fails."""
    told = part[part["culprits"].notna()]
    if len(told):
        newest = str(told["culprits"].iloc[0])
        first = told[told["culprits"] == newest].iloc[-1]
        there = pushed(of_legs, str(first["branch"]))
        named = name_commits(newest.split("\n"), known.commits)
        return Blame(named, True, _last_green(there, first["started_at"]), _text(first["head_sha"]))
    if status.word != FAILING or status.since_at is None or pd.isna(status.since_at):
        return Blame()
    green_sha = _last_green(on_base, status.since_at)
    red = on_base[on_base["started_at"] == status.since_at].head(1)
    if not green_sha or red.empty:
        return Blame()
    red_sha = str(red["head_sha"].iloc[0])
    return Blame(name_commits(known.ancestry.between(green_sha, red_sha), known.commits), False, green_sha, red_sha)


def _last_green(there: pd.DataFrame, before: pd.Timestamp) -> str:
    greens = there[(there["outcome"] == Outcome.SUCCESS) & (there["started_at"] < before)]
    return _text(greens["head_sha"].iloc[-1]) if len(greens) else ""
