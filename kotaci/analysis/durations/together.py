"""Jobs and steps that shifted at about the same place are one thing to look at: what do they share?

Steps that slow down at one commit have one cause, such as a new runner image, another compiler, or an edited workflow,
not one each. What changed at that place is named; that it is the cause is not proved.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pandas as pd

from kotaci.analysis.durations.shifts import Shift

CANNOT_BE_TOLD = "cannot be told"
NOTHING = "no known change of image, compiler, caches or workflow files"
NEAR_RUNS = 5
"""Runs on each side whose set-ups are compared."""


@dataclass(frozen=True)
class Located:
    """A shift and where it is; `step` is empty for a whole job. `workflow` and `job` as in the tables handed over."""

    workflow: str
    job: str
    step: str
    shift: Shift


@dataclass(frozen=True)
class Together:
    """Shifts of one direction whose culprit intervals have a moment in common: `since..until`.

    A job and its own steps are together where the likeliest run of one is a culprit of the other. `shared` names what
    changed there, in words; CANNOT_BE_TOLD where neither set-ups, caches nor workflow files are known on both sides,
    NOTHING where they are and did not change.
    """

    members: tuple[Located, ...]
    since: pd.Timestamp
    until: pd.Timestamp
    shared: tuple[str, ...]


def group_shifts(
    located: Iterable[Located],
    *,
    setups: pd.DataFrame,
    commits: pd.DataFrame,
    restores: pd.DataFrame | None = None,
) -> list[Together]:
    """Return the groups, the earliest first; a shift alone is a group of one.

    `setups` is the table with `workflow`, `job` and `at` (start of the run) joined to it; `commits` the table;
    `restores` those rows of `cache_events`, joined likewise. A group grows while all its members have a moment in
    common, so shifts that follow one another do not chain.
    """
    waiting = sorted(located, key=lambda one: (one.shift.first_at, one.shift.last_at, one.workflow, one.job, one.step))
    groups: list[list[Located]] = []
    for one in waiting:
        fitting = (group for group in groups if _fits(one, group))
        group = next(fitting, None)
        if group is None:
            groups.append([one])
        else:
            group.append(one)
    return [_together(group, setups, commits, restores) for group in groups]


def _fits(one: Located, group: Sequence[Located]) -> bool:
    if one.shift.is_slower != group[0].shift.is_slower:
        return False
    mine = [other for other in group if (other.workflow, other.job) == (one.workflow, one.job)]
    if any(other.step == one.step for other in mine):
        return False
    return _meet([one.shift, *(other.shift for other in group)]) or any(
        _holds(one.shift, other.shift) or _holds(other.shift, one.shift) for other in mine
    )


def _holds(shift: Shift, other: Shift) -> bool:
    """Tell whether the other's likeliest run is one of this one's culprits."""
    return bool(shift.first_at <= other.at <= shift.last_at)


def _meet(shifts: Sequence[Shift]) -> bool:
    return bool(max(shift.first_at for shift in shifts) <= min(shift.last_at for shift in shifts))


def _together(
    group: Sequence[Located], setups: pd.DataFrame, commits: pd.DataFrame, restores: pd.DataFrame | None
) -> Together:
    since, until = sorted((max(one.shift.first_at for one in group), min(one.shift.last_at for one in group)))
    changed = [_setups_changed(one, setups) for one in group]
    caches = [None if restores is None else _caches_changed(one, restores) for one in group]
    trees = [_workflows_changed(one.shift, commits) for one in group]
    shared = [*_versions_in_all(changed), *_in_all(caches)]
    if any(trees):
        shared.append("the workflow files changed")
    if not shared:
        is_known = any(told is not None for told in (*changed, *caches, *trees))
        shared = [NOTHING if is_known else CANNOT_BE_TOLD]
    return Together(tuple(group), since, until, tuple(shared))


def _in_all(changed: Sequence[set[str] | None]) -> list[str]:
    known = [words for words in changed if words is not None]
    return sorted(set.intersection(*known)) if known else []


def _caches_changed(one: Located, restores: pd.DataFrame) -> set[str] | None:
    """Return what became of the job's caches around the shift; None where no restore is known there."""
    mine = restores[(restores["workflow"] == one.workflow) & (restores["job"] == one.job)]
    before, after = _around(mine, one.shift)
    if before.empty or after.empty:
        is_new, is_gone = before.empty and not after.empty, after.empty and not before.empty
        return {"a cache is restored since"} if is_new else {"no cache is restored any more"} if is_gone else None
    was, now = set(before["key"]), set(after["key"])
    words = set()
    if len(now) == len(after) > 1 and len(was) < len(before):
        words.add("the cache key is new in every run")
    elif not was & now:
        words.add("the cache key is another one")
    hits = [float((side["result"] == "exact").mean()) for side in (before, after)]
    if hits[0] - hits[1] >= 0.5:
        words.add("the cache went cold")
    elif hits[1] - hits[0] >= 0.5:
        words.add("the cache hits, and did not before")
    return words


def _around(rows: pd.DataFrame, shift: Shift) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the rows of the last runs before the culprits and of the first since."""
    before = rows[rows["at"] < shift.first_at]
    after = rows[(rows["at"] >= shift.last_at) & (rows["at"] <= shift.until_at)]
    return (
        before[before["at"].isin(sorted(before["at"].unique())[-NEAR_RUNS:])],
        after[after["at"].isin(sorted(after["at"].unique())[:NEAR_RUNS])],
    )


_Versions = dict[str, tuple[set[str], set[str]]]
"""What changed: its versions before and since."""


def _setups_changed(one: Located, setups: pd.DataFrame) -> _Versions | None:
    """Return which images and tools the job had in other versions around the shift; None where they are not known."""
    mine = setups[
        (setups["workflow"] == one.workflow) & (setups["job"] == one.job) & setups["item"].isin(["image", "tool"])
    ]
    before, after = _around(mine, one.shift)
    if before.empty or after.empty:
        return None
    was, now = (frame.groupby("name")["version"].agg(set) for frame in (before, after))
    found = {name: (was[name], now[name]) for name in was.index.intersection(now.index) if not was[name] & now[name]}
    old, new = (set(frame.loc[frame["item"] == "image", "name"]) for frame in (before, after))
    if old and new and not old & new:
        found["image"] = (old, new)
    return found


def _versions_in_all(changed: Sequence[_Versions | None]) -> list[str]:
    """Return what changed for all of whom anything is known, in words."""
    known = [versions for versions in changed if versions is not None]
    names = sorted(set.intersection(*(set(versions) for versions in known))) if known else []
    return [
        f"{name} {' → '.join(_listed({one for versions in known for one in versions[name][side]}) for side in (0, 1))}"
        for name in names
    ]


def _listed(versions: Iterable[str]) -> str:
    first, *rest = sorted(versions)
    return f"{first} to {rest[-1]}" if rest else first


def _workflows_changed(shift: Shift, commits: pd.DataFrame) -> bool | None:
    """Tell whether the workflow folder is another one after the culprits; None where it is not known on both sides."""
    trees = commits.set_index("commit_sha")["workflows_tree"].dropna()
    if shift.good_sha not in trees.index or shift.last_sha not in trees.index:
        return None
    return bool(trees[shift.good_sha] != trees[shift.last_sha])
