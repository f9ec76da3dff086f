"""Which commit came from which."""

from __future__ import annotations

from collections.abc import Iterable, Set

import pandas as pd


class Commits:
    """Which commit came from which, to name those between two."""

    def __init__(self, commits: pd.DataFrame) -> None:
        rows = commits[["commit_sha", "parents"]].itertuples(index=False, name=None)
        self._parents: dict[str, list[str]] = {sha: str(parents).split() for sha, parents in rows if pd.notna(parents)}

    def between(self, good: str, bad: str) -> list[str]:
        """Return the commits that `bad` holds and `good` does not, newest first; nothing where one is not known."""
        if bad not in self._parents or good not in self._parents:
            return []
        held = set(self._walk([good], frozenset()))
        return list(self._walk([bad], held))

    def _walk(self, begin: Iterable[str], held: Set[str]) -> Iterable[str]:
        seen, waiting = set(held), list(begin)
        while waiting:
            sha = waiting.pop(0)
            if sha in seen or sha not in self._parents:
                continue
            seen.add(sha)
            yield sha
            waiting.extend(self._parents[sha])
