"""The runs before a commit and those since, alike in all else as far as can be told: what a claim is judged on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import pandas as pd

from kotaci.model import BAD_OUTCOMES, DECIDED_OUTCOMES, BadInput, Outcome, Window, short_workflow

TABLES = ("runs", "jobs", "steps", "setups", "commits")
KEYS = ["run_id", "attempt"]
BEFORE, AFTER = "before", "after"

_LEAST_S = 0.5
"""Steps are told in whole seconds: one of 0 s took less than one."""


@dataclass(frozen=True)
class Scope:
    """What is compared: a workflow (path, file name or display name), of it a job (all its legs), a step."""

    workflow: str
    job: str = ""
    step: str = ""

    def __str__(self) -> str:
        place = short_workflow(self.workflow) + (f" / {self.job}" if self.job else "")
        return f"step {self.step!r} of {place}" if self.step else place


@dataclass(frozen=True)
class Sides:
    """One row a run on either side of a commit.

    `moment`: the first run of the base branch that holds the commit, else when it was committed. `runs` has run_id,
    attempt, event, head_sha, started_at, `side` (before, after), `is_bad`, and `wall_s`: missing where nothing in
    scope passed; the median of its legs, each at the common level. `differs`: image, tools and actions of which other
    versions were seen; None where one side's are not known.
    """

    commit_sha: str
    subject: str
    moment: pd.Timestamp
    window: Window
    runs: pd.DataFrame
    differs: tuple[str, ...] | None

    def durations(self, side: str) -> list[float]:
        """Return the seconds of the runs of a side that passed."""
        return [float(value) for value in self.runs.loc[self.runs["side"] == side, "wall_s"].dropna()]

    def counts(self, side: str) -> tuple[int, int]:
        """Return (failed, all) of the runs of a side."""
        mine = self.runs[self.runs["side"] == side]
        return int(mine["is_bad"].sum()), len(mine)


def find_sides(
    tables: Mapping[str, pd.DataFrame],
    *,
    at: str,
    scope: Scope,
    default_branch: str,
    days: int = 14,
    window: Window | None = None,
) -> Sides:
    """Return the runs before and since the commit `at` (7 hex digits or more). Raises BadInput for what is not held.

    First attempts only: runs of the base branch, and pull requests to it. A run is *after* where its head commit
    holds the commit; a pull request also where it started since `moment`, as GitHub tests it merged with its base; a
    head that is not in `commits` is placed by time. `days` bound both sides; `window` overrides its ends where they are
    told. The first run after a change of caches is cold and counted like the others. A leg's level is told by its
    runs on both sides; legs that exist on one side only still bend the comparison.
    """
    commits = tables["commits"]
    sha, subject = _resolved(at, commits)
    heads = _descendants(sha, commits)
    runs = tables["runs"]
    is_pull = runs["event"].str.startswith("pull_request").fillna(False)
    is_base = (runs["branch"] == default_branch).fillna(False) & ~is_pull
    to_base = is_pull & runs["base_branch"].fillna("").isin([default_branch, ""])
    holds = runs["head_sha"].isin(heads)
    moment = runs.loc[is_base & holds, "started_at"].min()
    if pd.isna(moment):
        moment = commits.loc[commits["commit_sha"] == sha, "committed_at"].iloc[0]
    is_placed = runs["head_sha"].isin(commits["commit_sha"]) & ~is_pull
    is_after = holds | ((runs["started_at"] >= moment).fillna(False) & ~is_placed)
    told = window or Window()
    bounds = Window(
        since=told.since or moment - timedelta(days=days), until=told.until or moment + timedelta(days=days)
    )
    chosen = runs.assign(side=np.where(is_after, AFTER, BEFORE))[(is_base | to_base) & (runs["attempt"] == 1)]
    chosen = chosen[[pd.notna(one) and one in bounds for one in chosen["started_at"]]]
    things = _things(tables, _of_workflow(chosen, scope.workflow, runs), scope)
    columns = [*KEYS, "event", "head_sha", "started_at", "side"]
    per_run = chosen[columns].merge(_per_run(things), on=KEYS).sort_values("started_at", ignore_index=True)
    return Sides(sha, subject, moment, bounds, per_run, _differs(tables["setups"], things, per_run))


def _resolved(at: str, commits: pd.DataFrame) -> tuple[str, str]:
    """Return the one commit that begins so, and its subject."""
    wanted = at.strip().lower()
    found = commits[commits["commit_sha"].str.startswith(wanted)] if len(wanted) >= 7 else commits.head(0)
    if len(found) != 1:
        problem = "is no commit that is held" if found.empty else f"begins {len(found)} commits"
        raise BadInput(at, problem, "give 7 hex digits or more; `kotaci import --git CLONE` brings commits")
    row = found.iloc[0]
    return str(row["commit_sha"]), "" if pd.isna(row["subject"]) else str(row["subject"])


def _descendants(sha: str, commits: pd.DataFrame) -> set[str]:
    """Return the commit and all that hold it."""
    children: dict[str, list[str]] = {}
    for child, parents in commits[["commit_sha", "parents"]].itertuples(index=False, name=None):
        for parent in [] if pd.isna(parents) else str(parents).split():
            children.setdefault(parent, []).append(child)
    found, waiting = set(), [sha]
    while waiting:
        one = waiting.pop()
        if one not in found:
            found.add(one)
            waiting += children.get(one, [])
    return found


def _of_workflow(chosen: pd.DataFrame, workflow: str, runs: pd.DataFrame) -> pd.DataFrame:
    def matching(frame: pd.DataFrame) -> pd.Series:
        short = frame["workflow"].map(short_workflow, na_action="ignore")
        return (frame["workflow"] == workflow) | (short == workflow) | (frame["workflow_name"] == workflow)

    if not matching(runs).fillna(False).any():
        raise BadInput(workflow, "is not a workflow with runs", _choose(runs["workflow"].map(short_workflow)))
    return chosen[matching(chosen).fillna(False)]


def _choose(names: pd.Series) -> str:
    known = sorted({str(name) for name in names.dropna()})
    return f"choose from {', '.join(known[:12])}" if known else "nothing is held of that time"


def _things(tables: Mapping[str, pd.DataFrame], chosen: pd.DataFrame, scope: Scope) -> pd.DataFrame:
    """Return what is measured, with job_id and leg: whole runs, jobs or steps."""
    if not scope.job and not scope.step:
        return chosen[[*KEYS, "outcome", "wall_s"]].assign(job_id=pd.NA, leg="")
    jobs = tables["jobs"].merge(chosen[KEYS], on=KEYS)
    if scope.job:
        mine = jobs[(jobs["job"] == scope.job) | (jobs["job_base"] == scope.job)]
        if mine.empty and len(jobs):
            raise BadInput(scope.job, "is no job of these runs", _choose(jobs["job_base"]))
        jobs = mine
    if not scope.step:
        return jobs[[*KEYS, "job_id", "outcome", "wall_s"]].assign(leg=jobs["job"])
    steps = tables["steps"].merge(jobs[[*KEYS, "job_id", "job"]], on=[*KEYS, "job_id"])
    mine = steps[steps["step"] == scope.step]
    if mine.empty and len(steps):
        raise BadInput(scope.step, "is no step of these jobs", _choose(steps["step"]))
    return mine[[*KEYS, "job_id", "outcome", "wall_s"]].assign(leg=mine["job"])


def _per_run(things: pd.DataFrame) -> pd.DataFrame:
    """Return one row a run of which something was decided: did any of it fail, and how long does a leg take."""
    decided = things[things["outcome"].isin(DECIDED_OUTCOMES)]
    bad = decided.assign(is_bad=decided["outcome"].isin(BAD_OUTCOMES)).groupby(KEYS)["is_bad"].any().reset_index()
    passed = decided[(decided["outcome"] == Outcome.SUCCESS) & decided["wall_s"].notna()]
    logs = passed.assign(log=np.log(passed["wall_s"].astype(float).clip(lower=_LEAST_S)))
    # A leg that is slower than the others must not make a run slow in which the others failed.
    offset = logs["log"] - logs.groupby(KEYS)["log"].transform("median")
    logs["log"] -= offset.groupby(logs["leg"]).transform("median")
    return bad.merge(np.exp(logs.groupby(KEYS)["log"].median()).rename("wall_s").reset_index(), on=KEYS, how="left")


def _differs(setups: pd.DataFrame, things: pd.DataFrame, per_run: pd.DataFrame) -> tuple[str, ...] | None:
    """Return what had other versions on the two sides, in words."""
    keys = KEYS if things["job_id"].isna().all() else [*KEYS, "job_id"]
    mine = setups[setups["item"].isin(["image", "tool", "action"])].merge(things[keys].drop_duplicates(), on=keys)
    mine = mine.merge(per_run[[*KEYS, "side"]], on=KEYS)
    was, now = (_versions(mine[mine["side"] == side]) for side in (BEFORE, AFTER))
    if not was or not now:
        return None
    return tuple(
        f"{item} {name}: {_listed(was.get((item, name)))} → {_listed(now.get((item, name)))}"
        for item, name in sorted(was.keys() | now.keys())
        if was.get((item, name)) != now.get((item, name))
    )


def _versions(setups: pd.DataFrame) -> dict[tuple[str, str], list[str]]:
    grouped = setups.groupby(["item", "name"])["version"]
    return {(str(item), str(name)): sorted({str(one) for one in versions}) for (item, name), versions in grouped}


def _listed(versions: Sequence[str] | None) -> str:
    return ", ".join(one[:40] for one in versions) if versions else "none"
