"""Which runs changed only files of some patterns: what `paths-ignore` would have left out."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

import pandas as pd

FULL_PAGE = 300
"""Files that GitHub lists of one commit; one with so many may have changed more."""

_PARTS = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*"}


def to_pattern(patterns: Sequence[str]) -> re.Pattern[str]:
    """Return what matches the paths of any of the patterns: `*` within a folder, `**` over folders (GitHub docs)."""
    ways = ("".join(_PARTS.get(part) or re.escape(part) for part in _split(pattern)) for pattern in patterns)
    return re.compile("|".join(f"(?:{way})" for way in ways))


def _split(pattern: str) -> list[str]:
    return [part for part in re.split(r"(\*\*/|\*\*|\*)", pattern) if part]


def only_touching(
    attempts: pd.DataFrame, commits: pd.DataFrame, patterns: Sequence[str], *, workflow: str
) -> pd.Series:
    """Return for each attempt whether it changed only such files; missing where its files are not known.

    A push has the commits back to an earlier push of its branch, a pull request those back to one that was pushed to
    its base branch, each over first parents. Where that reaches too far back, or a change was undone, this sees more
    files than GitHub: fewer runs are taken for skipped, never more. Other events have no filter: false.
    """
    matching = to_pattern(patterns)
    touched: dict[str, list[str] | None] = {}
    parent: dict[str, str] = {}
    columns = ["commit_sha", "parents", "n_files", "files"]
    for sha, parents, n_files, files in commits[columns].itertuples(index=False, name=None):
        is_told = not pd.isna(files) and not pd.isna(n_files) and n_files < FULL_PAGE
        touched[sha] = [path for path in files.split("\n") if path] if is_told else None
        parent[sha] = "" if pd.isna(parents) else parents.partition(" ")[0]
    pushed: dict[str, dict[str, datetime]] = defaultdict(dict)
    pushes = attempts[(attempts["event"] == "push") & attempts["branch"].notna()].sort_values("created_at")
    for branch, sha, moment in pushes[["branch", "head_sha", "created_at"]].itertuples(index=False, name=None):
        pushed[sha].setdefault(branch, moment)

    def is_base(sha: str, base: str, moment: datetime) -> bool:
        then = pushed.get(sha, {}).get(base)
        return then is not None and then < moment

    def is_only(head: str, base: str, moment: datetime) -> bool | None:
        sha = head
        while True:
            files = touched.get(sha)
            if files is None:
                return None
            if any(not matching.fullmatch(path) for path in files):
                return False
            sha = parent[sha]
            if not sha or is_base(sha, base, moment):
                return True

    found: list[bool | None] = []
    rows = attempts[["workflow", "event", "head_sha", "branch", "base_branch", "created_at"]]
    for of, event, head, branch, target, moment in rows.itertuples(index=False, name=None):
        base = branch if event == "push" else target
        if of != workflow or event not in {"push", "pull_request"}:
            found.append(False)
        elif any(pd.isna(told) or told == "" for told in (head, base, moment)):
            found.append(None)
        else:
            found.append(is_only(head, base, moment))
    return pd.Series(found, index=attempts.index, dtype="boolean")
