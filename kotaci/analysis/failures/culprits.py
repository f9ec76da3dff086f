"""Which commits came between a green and a red, and what they changed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pandas as pd

from kotaci.analysis.failures.known import Known
from kotaci.analysis.failures.status import FAILING, Status
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
    part: pd.DataFrame, on_base: pd.DataFrame, status: Status, known: Known
) -> tuple[list[Culprit], bool, str]:
    """Return the commits to look at, newest first, whether they are a 99 % interval, and the last green commit."""
    told = part.loc[part["culprits"].notna(), "culprits"]
    greens = on_base[on_base["outcome"] == Outcome.SUCCESS]
    if len(told):
        shas = str(told.iloc[0]).split("\n")
        first = part.loc[told.index, "started_at"].min()
        green = greens[greens["started_at"] < first].tail(1)
        return name_commits(shas, known.commits), True, str(green["head_sha"].iloc[0]) if len(green) else ""
    if status.word != FAILING or status.since_at is None or pd.isna(status.since_at):
        return [], False, ""
    green = greens[greens["started_at"] < status.since_at].tail(1)
    red = on_base[on_base["started_at"] == status.since_at].head(1)
    if green.empty or red.empty:
        return [], False, ""
    before = str(green["head_sha"].iloc[0])
    return name_commits(known.ancestry.between(before, str(red["head_sha"].iloc[0])), known.commits), False, before
