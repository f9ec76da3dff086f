"""What became of each limit from commit to commit, and which were only ever loosened."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from kotaci.archives.git import PastCommit
from kotaci.audit.history.limits import LIMITED, limits_of, may_differ


@dataclass(frozen=True)
class LimitChange:
    """A commit that changed a limit."""

    commit: PastCommit
    path: str
    place: str
    before: float
    after: float
    is_looser: bool
    is_timeout: bool


@dataclass(frozen=True)
class LimitSeries:
    """All changes of one limit, the earliest first."""

    path: str
    place: str
    changes: tuple[LimitChange, ...]

    @property
    def is_only_loosened(self) -> bool:
        """Return whether every change let more pass than before."""
        return all(change.is_looser for change in self.changes)

    @property
    def chains(self) -> tuple[tuple[float, ...], ...]:
        """Return the values one after the other; a new chain where a change does not begin with the last value: where
        a limit was set anew, or lines of commits meet."""
        chains: list[list[float]] = []
        for change in self.changes:
            if not chains or chains[-1][-1] != change.before:
                chains.append([change.before])
            chains[-1].append(change.after)
        return tuple(map(tuple, chains))


def blobs_with_limits(commits: Sequence[PastCommit]) -> list[str]:
    """Return the blobs that `follow_limits` asks for: both sides of what was changed, not what came or went."""
    return [
        blob
        for commit in commits
        if not commit.is_merge
        for change in commit.changes
        if change.before and change.after and LIMITED.fullmatch(change.path)
        for blob in (change.before, change.after)
    ]


def follow_limits(commits: Sequence[PastCommit], texts: Mapping[str, str]) -> tuple[LimitSeries, ...]:
    """Return the limits that were changed, those with most changes first.

    Each commit but a merge is compared with its own parent, so that branches do not mix. The first time-out that a
    job gets is no change, its loss is one, to GitHub's default. The same change again (a squashed or picked commit)
    counts once.
    """
    series: dict[tuple[str, str], list[LimitChange]] = {}
    current: dict[tuple[str, str], float] = {}
    for commit in sorted((one for one in commits if not one.is_merge), key=lambda one: one.at):
        for change in commit.changes:
            if change.before not in texts or change.after not in texts:
                continue
            was, now = texts[change.before], texts[change.after]
            if not may_differ(change.path, was, now):
                continue
            before, after = limits_of(change.path, was), limits_of(change.path, now)
            for place in before.keys() & after.keys():
                old, new = before[place], after[place]
                is_again = current.get((change.path, place)) == new.value
                if old.value == new.value or is_again:
                    continue
                current[change.path, place] = new.value
                if old.is_default:
                    continue
                series.setdefault((change.path, place), []).append(
                    LimitChange(
                        commit, change.path, place, old.value, new.value, new.is_looser_than(old.value), new.is_timeout
                    )
                )
    found = [LimitSeries(path, place, tuple(changes)) for (path, place), changes in series.items()]
    return tuple(sorted(found, key=lambda one: (-len(one.changes), one.path, one.place)))
