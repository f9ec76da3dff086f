"""Which job waited for which: the jobs of every attempt joined with the `needs` of the workflow file at its commit.

An attempt whose needs cannot be told is left out with the reason; nothing is guessed. Matrix legs and the jobs of a
called workflow share one node, the key in the file, and who needs the key waits for all of them. In which order the
jobs of a called workflow ran is not read from its file: the length of the run is right, what each of them waited for
inside counts as its queue (`is_called`), and no change of one of them is replayed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from kotaci.model import Outcome

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

ATTEMPT = ["repo", "run_id", "attempt"]

NO_FILE = "the workflow file at its commit is not known"
NO_JOBS = "no job is recorded"
NO_KEY = "a job cannot be told in the workflow file"
NO_NEED = "a job that another needs is not recorded"
NO_TIMES = "a job has no start or no end"
CIRCLE = "the needs go round in a circle"


@dataclass(frozen=True)
class DeclaredJob:
    """A job of one version of a workflow file: what it waits for, and what makes its needs a gate."""

    needs: tuple[str, ...]
    condition: str = ""
    uses: str = ""
    is_dynamic: bool = False
    runs_on: str = ""
    timeout_min: float | None = None
    """The limit that the file sets; None where it leaves it to GitHub's six hours."""


Plan = Mapping[str, DeclaredJob]


@dataclass(frozen=True)
class Network:
    """The jobs of all attempts whose needs are known, as nodes and edges.

    attempts: a row for each attempt handed in, with `reason` (empty where it is known). jobs: the jobs of the known
    ones, with `place` (position in attempts), `job_key`, `node`, `queue_s`, `run_s`, `held_s`. A job takes no time
    where it was skipped or carried over from an earlier attempt (`has_run` false). `held_s` is the time between the
    end of its needs and its creation: extra waiting that no job accounts for (concurrency groups, approvals, GitHub's
    delay). sources[i] is a node that targets[i] waits for. plans are the versions of the files that ran.
    """

    attempts: pd.DataFrame
    jobs: pd.DataFrame
    places: Ints
    keys: npt.NDArray[np.object_]
    sources: Ints
    targets: Ints
    plans: Mapping[tuple[str, str, str], Plan] = field(default_factory=dict)

    @property
    def lengths(self) -> Floats:
        """Seconds from the moment a node may start to the end of its last leg."""
        return longest_legs(self.jobs["queue_s"].to_numpy(float) + self.jobs["run_s"].to_numpy(float), self)

    def left_out(self) -> Mapping[str, int]:
        """Return how many attempts have no known needs, by reason."""
        told = self.attempts.loc[self.attempts["reason"] != "", "reason"].value_counts()
        return {str(reason): int(n) for reason, n in told.items()}


def longest_legs(seconds: Floats, network: Network) -> Floats:
    """Return for each node the most of its jobs' seconds."""
    most = np.zeros(len(network.places))
    np.maximum.at(most, network.jobs["node"].to_numpy(np.int64), seconds)
    return most


def earliest(lengths: Floats, sources: Ints, targets: Ints) -> Floats:
    """Return when each node may start at the earliest, from 0; the edges must have no circle."""
    starts = np.zeros(len(lengths))
    while True:
        later = starts.copy()
        np.maximum.at(later, targets, starts[sources] + lengths[sources])
        if np.array_equal(later, starts):
            return starts
        starts = later


def has_circle(needs: Mapping[str, Iterable[str]]) -> bool:
    """Return whether a job waits, over others, for itself."""
    waiting = {key: set(wanted) for key, wanted in needs.items()}
    while waiting:
        free = [key for key, wanted in waiting.items() if wanted.isdisjoint(waiting)]
        if not free:
            return True
        for key in free:
            del waiting[key]
    return False


def to_network(runs: pd.DataFrame, jobs: pd.DataFrame, workflow_jobs: pd.DataFrame, commits: pd.DataFrame) -> Network:
    """Return the jobs of every attempt with what each waited for.

    For a pull request the file is that of its head; the merge commit's may be another (`runs.is_workflow_exact`).
    """
    attempts = _attempts(runs, commits)
    plans, shown = _plans(workflow_jobs)
    known = [tuple(row) for row in attempts[["repo", "workflows_tree", "workflow"]].itertuples(index=False, name=None)]
    number = {plan: place for place, plan in enumerate(plans)}
    attempts["plan"] = [number.get(plan, -1) for plan in known]
    reason = np.where(attempts["plan"] < 0, NO_FILE, "").astype(object)

    told = jobs.reset_index(drop=True).merge(attempts[[*ATTEMPT, "place", "plan", "origin_at"]], on=ATTEMPT)
    told = told.sort_values(["place", "job_id"], kind="stable", ignore_index=True)
    has_jobs = np.isin(attempts["place"].to_numpy(), told["place"].to_numpy())
    _note(reason, np.flatnonzero(~has_jobs), NO_JOBS)
    told["job_key"] = _keys(told, list(plans), shown)
    _note(reason, told.loc[told["job_key"] == "", "place"].to_numpy(np.int64), NO_KEY)
    told = _with_times(told)
    _note(reason, told.loc[~told["is_timed"], "place"].to_numpy(np.int64), NO_TIMES)
    circles = [
        place for place, plan in enumerate(plans.values()) if has_circle({key: job.needs for key, job in plan.items()})
    ]
    _note(reason, np.flatnonzero(attempts["plan"].isin(circles)), CIRCLE)

    edges = _edges(told, list(plans.values()))
    _note(reason, edges.loc[edges["source"] < 0, "place"].to_numpy(np.int64), NO_NEED)
    is_kept = reason == ""
    attempts["reason"] = pd.Series(reason, dtype="str")
    nodes = told[["place", "job_key", "node"]].drop_duplicates("node").sort_values("node")
    nodes = nodes[is_kept[nodes["place"].to_numpy(np.int64)]]
    renumbered = np.full(int(told["node"].max()) + 1 if len(told) else 0, -1, dtype=np.int64)
    renumbered[nodes["node"].to_numpy(np.int64)] = np.arange(len(nodes))
    edges = edges[is_kept[edges["place"].to_numpy(np.int64)]]
    told = told[is_kept[told["place"].to_numpy(np.int64)]].reset_index(drop=True)
    told["node"] = renumbered[told["node"].to_numpy(np.int64)]
    sources = renumbered[edges["source"].to_numpy(np.int64)]
    targets = renumbered[edges["node"].to_numpy(np.int64)]
    return Network(
        attempts=attempts,
        jobs=_with_waits(told, sources, targets, plans=list(plans.values()), n_nodes=len(nodes)),
        places=nodes["place"].to_numpy(np.int64),
        keys=nodes["job_key"].to_numpy(object),
        sources=sources,
        targets=targets,
        plans={plan: plans[plan] for plan in dict.fromkeys(known) if plan in plans},
    )


def _attempts(runs: pd.DataFrame, commits: pd.DataFrame) -> pd.DataFrame:
    trees = commits[["repo", "commit_sha", "workflows_tree"]].rename(columns={"commit_sha": "head_sha"})
    attempts = runs.reset_index(drop=True).merge(trees, on=["repo", "head_sha"], how="left")
    attempts["workflows_tree"] = attempts["workflows_tree"].fillna("")
    return attempts.assign(place=np.arange(len(attempts)), origin_at=attempts["started_at"])


def _plans(
    workflow_jobs: pd.DataFrame,
) -> tuple[dict[tuple[str, str, str], dict[str, DeclaredJob]], dict[tuple[str, str, str], list[tuple[str, str, str]]]]:
    """Return the declared jobs of each file, and (key, shown name, uses) of each of its legs."""
    columns = ["job_key", "job", "needs", "condition", "uses", "is_dynamic", "runs_on", "has_timeout", "timeout_min"]
    plans: dict[tuple[str, str, str], dict[str, DeclaredJob]] = defaultdict(dict)
    shown: dict[tuple[str, str, str], list[tuple[str, str, str]]] = defaultdict(list)
    for row in workflow_jobs[["repo", "workflows_tree", "workflow", *columns]].itertuples(index=False, name=None):
        key, name, needs, condition, uses, is_dynamic, runs_on, has_timeout, limit = (_text(value) for value in row[3:])
        plans[row[:3]][key] = DeclaredJob(
            needs=tuple(needs.split()),
            condition=condition,
            uses=uses,
            is_dynamic=is_dynamic == "True",
            runs_on=runs_on,
            timeout_min=float(limit) if has_timeout == "True" and limit else None,
        )
        shown[row[:3]].append((key, name, uses))
    return dict(plans), shown


def _text(value: Any) -> str:
    return "" if pd.isna(value) else str(value)


def _keys(
    told: pd.DataFrame,
    plans: list[tuple[str, str, str]],
    shown: Mapping[tuple[str, str, str], list[tuple[str, str, str]]],
) -> list[str]:
    found: dict[tuple[int, str, str], str] = {}
    names = list(zip(told["plan"], told["job"].fillna(""), told["job_base"].fillna(""), strict=True))
    for name in set(names):
        plan, job, base = name
        found[name] = _key(job, base, shown[plans[plan]]) if plan >= 0 else ""
    return [found[name] for name in names]


def _key(job: str, base: str, legs: list[tuple[str, str, str]]) -> str:
    """Return the key of a shown job: by its whole name, as a job of a called workflow, by its base; empty unless one
    key alone fits."""
    ways = (
        {key for key, name, _ in legs if name and name == job},
        {key for key, name, uses in legs if uses and job.startswith(f"{name or key} / ")},
        {key for key, name, _ in legs if base and base in {key, name.partition(" (")[0]}},
    )
    fits = next((way for way in ways if way), set())
    return fits.pop() if len(fits) == 1 else ""


def _with_times(told: pd.DataFrame) -> pd.DataFrame:
    """Return the jobs with start and end in seconds from the start of their attempt, and whether they ran in it."""
    is_skipped = told["outcome"] == Outcome.SKIPPED
    first = told.groupby("place")["created_at"].transform("min")
    origin = told["origin_at"].fillna(first)
    # A job that was cancelled in the queue never started: all of its time is waiting.
    started = told["started_at"].where(
        told["started_at"].notna() | (told["outcome"] != Outcome.CANCELLED), told["ended_at"]
    )
    start, end = _seconds(started, origin), _seconds(told["ended_at"], origin)
    created = _seconds(told["created_at"], origin)
    is_carried = start < 0
    has_run = ~is_skipped.to_numpy(bool) & ~is_carried
    return told.assign(
        is_carried=is_carried,
        has_run=has_run,
        is_timed=~has_run | (np.isfinite(start) & np.isfinite(end)),
        start=np.where(has_run, start, 0.0),
        end=np.where(has_run, np.maximum(end, start), 0.0),
        created=np.where(np.isfinite(created), np.maximum(created, 0.0), 0.0),
    )


def _seconds(moments: pd.Series, origin: pd.Series) -> Floats:
    seconds: Floats = (moments - origin).dt.total_seconds().to_numpy(float, na_value=np.nan)
    return seconds


def _note(reasons: npt.NDArray[np.object_], places: Ints, reason: str) -> None:
    for place in np.unique(places):
        reasons[place] = reasons[place] or reason


def _edges(told: pd.DataFrame, plans: list[Plan]) -> pd.DataFrame:
    """Number the nodes of the jobs in place, and return (place, node, source), -1 where a need is not recorded."""
    codes = {name: code for code, name in enumerate((plan, key) for plan, jobs in enumerate(plans) for key in jobs)}
    names = zip(told["plan"], told["job_key"], strict=True)
    width = len(codes) + 1
    own = told["place"].to_numpy(np.int64) * width + np.array(
        [codes.get(name, width - 1) for name in names], dtype=np.int64
    )
    nodes, told["node"] = np.unique(own, return_inverse=True)
    needs = pd.DataFrame(
        [
            (codes[plan, key], codes.get((plan, need), -1))
            for plan, jobs in enumerate(plans)
            for key, job in jobs.items()
            for need in job.needs
        ],
        columns=["code", "need"],
    )
    waiting = pd.DataFrame({"place": nodes // width, "code": nodes % width, "node": np.arange(len(nodes))})
    edges = waiting.merge(needs, on="code")
    wanted = edges["place"].to_numpy(np.int64) * width + edges["need"].to_numpy(np.int64)
    found = np.minimum(np.searchsorted(nodes, wanted), max(0, len(nodes) - 1))
    is_found = (edges["need"].to_numpy(np.int64) >= 0) & (nodes[found] == wanted)
    return edges.assign(source=np.where(is_found, found, -1))[["place", "node", "source"]]


def _with_waits(told: pd.DataFrame, sources: Ints, targets: Ints, *, plans: list[Plan], n_nodes: int) -> pd.DataFrame:
    """Return the jobs with queue, run and extra waiting, against the end of their needs as it happened.

    What the jobs of a called workflow wait for within it is not known: their queue is all the time since the caller's
    needs ended.
    """
    node = told["node"].to_numpy(np.int64)
    has_run = told["has_run"].to_numpy(bool)
    ends = np.zeros(n_nodes)
    np.maximum.at(ends, node, told["end"].to_numpy(float))
    # A skipped node ends when its needs do; a node that ran no earlier than it did.
    ready = np.zeros(n_nodes)
    is_idle = np.ones(n_nodes, dtype=bool)
    is_idle[node[has_run]] = False
    while True:
        passed = np.where(is_idle, ready, ends)
        later = ready.copy()
        np.maximum.at(later, targets, passed[sources])
        if np.array_equal(later, ready):
            break
        ready = later
    start, created = told["start"].to_numpy(float), told["created"].to_numpy(float)
    called = {(place, key) for place, plan in enumerate(plans) for key, job in plan.items() if job.uses}
    is_called = np.array([name in called for name in zip(told["plan"], told["job_key"], strict=True)], dtype=bool)
    since = np.where(is_called, ready[node], np.maximum(created, ready[node]))
    run_s = np.where(has_run, told["end"].to_numpy(float) - start, 0.0)
    return told.assign(
        is_called=is_called,
        ready_s=ready[node],
        queue_s=np.where(has_run, np.maximum(0.0, start - since), 0.0),
        held_s=np.where(has_run, np.maximum(0.0, since - ready[node]), 0.0),
        run_s=run_s,
    ).drop(columns=["start", "created", "plan", "is_timed", "wall_s"])
