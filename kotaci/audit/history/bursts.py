"""Commits on the workflows that came one after the other: somebody tried things out in CI itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from kotaci.archives.git import PastCommit

FOLDER = ".github/"


@dataclass(frozen=True)
class BurstOptions:
    """At least so many commits, each within `gap` of the one before."""

    least: int = 3
    gap: timedelta = timedelta(hours=1)


@dataclass(frozen=True)
class Bursts:
    """The bursts, the largest first, out of `n` commits that touch `.github`."""

    bursts: tuple[tuple[PastCommit, ...], ...]
    n: int
    options: BurstOptions

    @property
    def n_within(self) -> int:
        """Return how many commits stand in a burst."""
        return sum(map(len, self.bursts))


def find_bursts(commits: Sequence[PastCommit], *, options: BurstOptions | None = None) -> Bursts:
    """Return the bursts among the commits, merges left out, by the time they were written.

    That is the author's time, which stays when commits are rebased or merged later; it is what the author's clock said.
    """
    options = options or BurstOptions()
    touching = sorted((one for one in commits if touches_ci(one) and not one.is_merge), key=lambda one: one.authored_at)
    groups: list[list[PastCommit]] = []
    for commit in touching:
        if groups and commit.authored_at - groups[-1][-1].authored_at < options.gap:
            groups[-1].append(commit)
        else:
            groups.append([commit])
    bursts = sorted((tuple(group) for group in groups if len(group) >= options.least), key=len, reverse=True)
    return Bursts(tuple(bursts), len(touching), options)


def touches_ci(commit: PastCommit) -> bool:
    """Return whether the commit changes anything under `.github`."""
    return any(change.path.startswith(FOLDER) for change in commit.changes)
