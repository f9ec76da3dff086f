"""The earlier versions of a clone: its commits, the tree of each, and the texts of what they changed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from kotaci.archives.checkout import Tree, read_checkout
from kotaci.archives.git import PastCommit, list_past, read_blobs


@dataclass(frozen=True)
class Past:
    """The commits that lead to one, parents before children; contents are read when asked for and kept by blob."""

    path: Path
    commits: tuple[PastCommit, ...]
    _held: dict[str, bytes] = field(default_factory=dict, repr=False, compare=False)

    def line(self) -> tuple[PastCommit, ...]:
        """Return the commits of the branch itself: the newest, its first parent, and so on; the oldest first."""
        by_sha = {commit.sha: commit for commit in self.commits}
        found = []
        sha = self.commits[-1].sha if self.commits else ""
        while (commit := by_sha.get(sha)) is not None:
            found.append(commit)
            sha = commit.parents[0] if commit.parents else ""
        return tuple(reversed(found))

    def tree(self, sha: str) -> Tree:
        """Return the files of that commit."""
        return read_checkout(self.path, commit=sha, held=self._held)

    def texts(self, blobs: Iterable[str]) -> Mapping[str, str]:
        """Return the text of each blob, all read by one git."""
        wanted = set(blobs) - {""}
        self._held.update(read_blobs(self.path, sorted(wanted - self._held.keys())))
        return {blob: self._held[blob].decode("utf-8", "replace") for blob in wanted}


def read_past(path: Path, *, ref: str = "HEAD") -> Past:
    """Return the earlier versions of the clone at `path` up to `ref`. Raises BadInput where there is no such commit."""
    return Past(path, tuple(list_past(path, ref=ref)))
