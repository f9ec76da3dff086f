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
NOTHING = "no known change of image, compiler or workflow files"
NEAR_RUNS = 5
"""Runs on each side whose set-ups are compared."""


@dataclass(frozen=True)
class Located:
    """A shift and where it is; `step` is empty for a whole job. `workflow` and `job` as in the table `jobs`."""

    workflow: str
    job: str
    step: str
    shift: Shift


@dataclass(frozen=True)
class Together:
    """Shifts of one direction whose culprit intervals have a moment in common: `since..until`.

    `shared` names what changed there, in words; CANNOT_BE_TOLD where neither set-ups nor workflow files are known on
    both sides, NOTHING where they are and did not change.
    """

    members: tuple[Located, ...]
    since: pd.Timestamp
    until: pd.Timestamp
    shared: tuple[str, ...]


def group_shifts(located: Iterable[Located], *, setups: pd.DataFrame, commits: pd.DataFrame) -> list[Together]:
    """Return the groups, the earliest first; a shift alone is a group of one.

    `setups` is the table with `workflow`, `job` and `at` (start of the run) joined to it; `commits` the table. A group
    grows while all its members have a moment in common, so shifts that follow one another do not chain.
    """
    waiting = sorted(located, key=lambda one: (one.shift.first_at, one.shift.last_at, one.workflow, one.job, one.step))
    groups: list[list[Located]] = []
    for one in waiting:
        fitting = (group for group in groups if _fits(one.shift, [other.shift for other in group]))
        group = next(fitting, None)
        if group is None:
            groups.append([one])
        else:
            group.append(one)
    return [_together(group, setups, commits) for group in groups]


def _fits(shift: Shift, others: Sequence[Shift]) -> bool:
    first = max(other.first_at for other in others)
    last = min(other.last_at for other in others)
    return shift.is_slower == others[0].is_slower and max(first, shift.first_at) <= min(last, shift.last_at)


def _together(group: Sequence[Located], setups: pd.DataFrame, commits: pd.DataFrame) -> Together:
    since = max(one.shift.first_at for one in group)
    until = min(one.shift.last_at for one in group)
    changed = [_setups_changed(one, setups) for one in group]
    trees = [_workflows_changed(one.shift, commits) for one in group]
    known = [words for words in changed if words is not None]
    shared = sorted(set.intersection(*known)) if known else []
    if any(trees):
        shared.append("the workflow files changed")
    if not shared:
        is_known = bool(known) or any(tree is not None for tree in trees)
        shared = [NOTHING if is_known else CANNOT_BE_TOLD]
    return Together(tuple(group), since, until, tuple(shared))


def _setups_changed(one: Located, setups: pd.DataFrame) -> set[str] | None:
    """Return which images and tools the job had in other versions around the shift; None where they are not known."""
    mine = setups[
        (setups["workflow"] == one.workflow) & (setups["job"] == one.job) & setups["item"].isin(["image", "tool"])
    ]
    before, after = mine[mine["at"] < one.shift.first_at], mine[mine["at"] >= one.shift.last_at]
    before = before[before["at"].isin(sorted(before["at"].unique())[-NEAR_RUNS:])]
    after = after[after["at"].isin(sorted(after["at"].unique())[:NEAR_RUNS])]
    if before.empty or after.empty:
        return None
    was, now = (frame.groupby("name")["version"].unique() for frame in (before, after))
    return {
        f"{name} {', '.join(sorted(was[name]))} → {', '.join(sorted(now[name]))}"
        for name in was.index.intersection(now.index)
        if not set(was[name]) & set(now[name])
    }


def _workflows_changed(shift: Shift, commits: pd.DataFrame) -> bool | None:
    """Tell whether the workflow folder is another one after the culprits; None where it is not known on both sides."""
    trees = commits.set_index("commit_sha")["workflows_tree"].dropna()
    if shift.good_sha not in trees.index or shift.last_sha not in trees.index:
        return None
    return bool(trees[shift.good_sha] != trees[shift.last_sha])
