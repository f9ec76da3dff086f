"""What a scenario makes of the jobs and edges recorded: seconds, minutes, prices, and what cannot be told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from kotaci.analysis.superseding import find_newer_runs
from kotaci.analysis.timing.billing import price_of, rounded_up
from kotaci.analysis.timing.edges import NOT_THERE, Mask, gate_of, with_edge, without_edge
from kotaci.analysis.timing.network import ATTEMPT, Floats, Ints, Network, Plan
from kotaci.analysis.timing.scenarios import (
    AddNeed,
    CacheHits,
    CancelSuperseded,
    Faster,
    Merge,
    OtherRunner,
    RemoveNeed,
    Scenario,
    SkipPaths,
    Split,
    TimeOut,
)
from kotaci.analysis.timing.skipping import only_touching
from kotaci.model import BadInput, Outcome

WOULD_BREAK = "the job passed after the limit"
INSIDE_A_CALL = "the order of the jobs inside a called workflow is not known"
COST_UNKNOWN = "what a miss costs this job cannot be told"
OTHER_EVENT = "another event started it"
FILES_UNKNOWN = "the files of its commits are not known"
HAS_LEGS = "a job has several legs"


@dataclass(frozen=True)
class Change:
    """The jobs and edges as they would have been.

    took_s is queue and run of each job, minutes what it is billed for, price its dollars a minute (nan: not known).
    reasons, an entry an attempt, tell why it is left out; empty where it is not.
    """

    took_s: Floats
    minutes: Floats
    price: Floats
    sources: Ints
    targets: Ints
    reasons: npt.NDArray[np.object_]

    def dollars_from(self, before: Change) -> Floats:
        """Return by how much each job's list price differs; nan where that hangs on a price that is not known."""
        is_same = (self.minutes == before.minutes) & (self.price == before.price)
        is_same |= (self.minutes == before.minutes) & np.isnan(self.price) & np.isnan(before.price)
        return np.where(is_same, 0.0, self.minutes * self.price - before.minutes * before.price)


def as_it_was(network: Network, prices: Mapping[str, float]) -> Change:
    """Return the jobs and edges without a change."""
    jobs = network.jobs
    labels = jobs["labels"].fillna("")
    by_labels = {told: price_of(told, prices) for told in labels.unique()}
    run_s = jobs["run_s"].to_numpy(float)
    return Change(
        took_s=jobs["queue_s"].to_numpy(float) + run_s,
        minutes=_billed(jobs, run_s),
        price=labels.map(by_labels).to_numpy(float, na_value=np.nan),
        sources=network.sources,
        targets=network.targets,
        reasons=np.full(len(network.attempts), "", dtype=object),
    )


def altered(
    network: Network,
    scenario: Scenario,
    before: Change,
    *,
    steps: pd.DataFrame,
    misses: pd.DataFrame | None = None,
    commits: pd.DataFrame | None = None,
) -> Change:
    """Return the jobs and edges with the scenario; `misses` has the cost_s of jobs. Raises BadInput where it cannot."""
    if isinstance(scenario, CancelSuperseded | SkipPaths):
        if not (network.attempts["workflow"] == scenario.workflow).any():
            raise BadInput(scenario.workflow, "has no runs here", "name a workflow by its path")
        if isinstance(scenario, CancelSuperseded):
            return _cancelled(network, scenario, before)
        return _skipped(network, scenario, before, _wanted(commits, scenario, "commits"))
    if isinstance(scenario, Merge):
        return _merged(network, scenario, before)
    jobs, places = network.jobs, network.jobs["place"].to_numpy(np.int64)
    is_job = _is_job(network, scenario.workflow, scenario.job)
    reasons = np.full(len(network.attempts), NOT_THERE, dtype=object)
    reasons[places[is_job]] = ""
    if isinstance(scenario, AddNeed):
        sources, targets = with_edge(network, scenario, is_job, reasons)
        return replace(before, sources=sources, targets=targets, reasons=reasons)
    if isinstance(scenario, RemoveNeed):
        sources, targets = without_edge(network, scenario, steps, is_job, reasons)
        return replace(before, sources=sources, targets=targets, reasons=reasons)
    reasons[places[is_job & jobs["is_called"].to_numpy(bool)]] = INSIDE_A_CALL
    has_passed = (jobs["outcome"] == Outcome.SUCCESS).to_numpy(bool)
    run_s, price = jobs["run_s"].to_numpy(float).copy(), before.price
    if isinstance(scenario, CacheHits):
        saved = _costs(jobs, _wanted(misses, scenario, "misses"))
        is_saved = is_job & has_passed & jobs["has_run"].to_numpy(bool)
        reasons[places[is_saved & np.isnan(saved)]] = COST_UNKNOWN
        run_s[is_saved] = np.maximum(0.0, run_s - np.nan_to_num(saved))[is_saved]
    else:
        run_s[is_job] = _seconds(jobs[is_job], scenario, steps)
    minutes = _billed(jobs, run_s)
    if isinstance(scenario, Split):
        minutes[is_job] *= scenario.parts
    if isinstance(scenario, OtherRunner):
        price = np.where(is_job, scenario.price, price)
    if isinstance(scenario, TimeOut):
        is_over = jobs["run_s"].to_numpy(float) > scenario.minutes * 60
        reasons[places[is_job & is_over & has_passed]] = WOULD_BREAK
    took_s = jobs["queue_s"].to_numpy(float) + run_s
    return replace(before, took_s=took_s, minutes=minutes, price=price, reasons=reasons)


def _is_job(network: Network, workflow: str, key: str) -> Mask:
    in_workflow = (network.attempts["workflow"] == workflow).to_numpy(bool)
    is_job: Mask = (network.jobs["job_key"] == key).to_numpy(bool) & in_workflow[
        network.jobs["place"].to_numpy(np.int64)
    ]
    if not is_job.any():
        raise BadInput(key, f"is no job of {workflow} in these runs", "name a job by its key")
    return is_job


def _wanted(table: pd.DataFrame | None, scenario: Scenario, name: str) -> pd.DataFrame:
    if table is None:
        raise BadInput(type(scenario).__name__, f"cannot be replayed without `{name}`", "hand them over")
    return table


def _billed(jobs: pd.DataFrame, run_s: Floats) -> Floats:
    """Return the minutes of each job; what no runner took in this attempt has none."""
    is_taken = (jobs["outcome"] != Outcome.CANCELLED) | (jobs["runner"].fillna("") != "")
    return np.where(jobs["has_run"].to_numpy(bool) & is_taken.to_numpy(bool), rounded_up(run_s), 0.0)


def _costs(jobs: pd.DataFrame, misses: pd.DataFrame) -> Floats:
    """Return what a miss cost each job: 0 where it had none, nan where that cannot be told."""
    keys = [*ATTEMPT, "job_id"]
    missed = pd.MultiIndex.from_frame(misses[keys])
    found = missed.get_indexer(pd.MultiIndex.from_frame(jobs[keys]))
    costs = np.append(misses["cost_s"].to_numpy(float, na_value=np.nan), 0.0)
    told: Floats = costs[found]
    return told


def _cancelled(network: Network, scenario: CancelSuperseded, before: Change) -> Change:
    """Return fewer minutes of runs that were still running when a newer one came."""
    attempts, jobs = network.attempts, network.jobs
    newer = find_newer_runs(attempts)["newer_at"].where(attempts["attempt"] == 1)
    place = jobs["place"].to_numpy(np.int64)
    until = newer.iloc[place].reset_index(drop=True)
    is_of_event = (attempts["event"] == scenario.event).to_numpy(bool)
    left_s = (until - jobs["started_at"].reset_index(drop=True)).dt.total_seconds().to_numpy(float, na_value=np.nan)
    run_s = jobs["run_s"].to_numpy(float)
    is_cut = is_of_event[place] & (before.minutes > 0) & (left_s < run_s)
    minutes = np.where(is_cut, np.where(left_s > 0, rounded_up(np.nan_to_num(left_s)), 0.0), before.minutes)
    reasons = np.where(is_of_event, "", OTHER_EVENT).astype(object)
    return replace(before, minutes=minutes, reasons=reasons)


def _skipped(network: Network, scenario: SkipPaths, before: Change, commits: pd.DataFrame) -> Change:
    """Return no seconds and no minutes of runs that changed only such files."""
    is_only = only_touching(network.attempts, commits, scenario.patterns, workflow=scenario.workflow)
    reasons = np.where(is_only.isna(), FILES_UNKNOWN, "").astype(object)
    is_left = is_only.fillna(False).to_numpy(bool)[network.jobs["place"].to_numpy(np.int64)]
    return replace(
        before,
        took_s=np.where(is_left, 0.0, before.took_s),
        minutes=np.where(is_left, 0.0, before.minutes),
        reasons=reasons,
    )


def _merged(network: Network, scenario: Merge, before: Change) -> Change:
    """Return the jobs with each of those merged as long as all of them, and all their minutes with the first."""
    attempts, jobs = network.attempts, network.jobs
    members = [_is_job(network, scenario.workflow, key) for key in scenario.jobs]
    names = zip(attempts["repo"], attempts["workflows_tree"], attempts["workflow"], strict=True)
    whys = {name: _not_to_merge(plan, scenario.jobs) for name, plan in network.plans.items()}
    reasons = np.array([whys.get(name, NOT_THERE) for name in names], dtype=object)
    place = jobs["place"].to_numpy(np.int64)
    counts = [np.bincount(place[member], minlength=len(attempts)) for member in members]
    reasons[(reasons == "") & (np.min(counts, axis=0) == 0)] = NOT_THERE
    reasons[(reasons == "") & (np.max(counts, axis=0) > 1)] = HAS_LEGS
    in_workflow = (attempts["workflow"] == scenario.workflow).to_numpy(bool)
    if not (reasons[in_workflow] == "").any():
        why = pd.Series(reasons[in_workflow]).mode().iloc[0]
        raise BadInput(", ".join(scenario.jobs), f"cannot be merged: {why}", "name jobs that differ in nothing else")
    rows = np.concatenate([np.flatnonzero(member) for member in members])
    rows = rows[np.argsort(place[rows], kind="stable")]
    rows = rows[reasons[place[rows]] == ""]
    has_run = jobs["has_run"].to_numpy(bool)[rows]
    of = pd.Series(place[rows])
    is_first = has_run & (pd.Series(has_run).groupby(of).cumsum() == 1).to_numpy(bool)
    run_s = jobs["run_s"].to_numpy(float)[rows]
    once = np.where(is_first, run_s, np.maximum(0.0, run_s - scenario.overhead_s))
    total = pd.Series(once).groupby(of).transform("sum").to_numpy(float)
    queue = np.where(is_first, jobs["queue_s"].to_numpy(float)[rows], 0.0)
    queue = pd.Series(queue).groupby(of).transform("sum").to_numpy(float)
    is_billed = pd.Series(before.minutes[rows] > 0).groupby(of).transform("any").to_numpy(bool)
    took_s, minutes = before.took_s.copy(), before.minutes.copy()
    took_s[rows] = queue + total
    minutes[rows] = np.where(is_first & is_billed, rounded_up(total), 0.0)
    return replace(before, took_s=took_s, minutes=minutes, reasons=reasons)


def _not_to_merge(plan: Plan, keys: Sequence[str]) -> str:
    """Return why the jobs of a file cannot become one; empty where they can."""
    if any(key not in plan for key in keys):
        return NOT_THERE
    if len({frozenset(plan[key].needs) for key in keys}) > 1:
        return "they wait for different jobs"
    if len({plan[key].runs_on for key in keys}) > 1:
        return "they run on different runners"
    return next((why for key in keys if (why := gate_of(key, plan))), "")


def _seconds(jobs: pd.DataFrame, scenario: Faster | Split | TimeOut | OtherRunner, steps: pd.DataFrame) -> Floats:
    run_s: Floats = jobs["run_s"].to_numpy(float)
    if isinstance(scenario, TimeOut):
        return np.minimum(run_s, scenario.minutes * 60)
    if isinstance(scenario, Split):
        overhead = np.minimum(run_s, scenario.overhead_s)
        return overhead + (run_s - overhead) / scenario.parts
    if isinstance(scenario, OtherRunner) or not scenario.step:
        return run_s * (1 - scenario.percent / 100)
    named = steps[steps["step"] == scenario.step]
    took = (named["ended_at"] - named["started_at"]).dt.total_seconds()
    keys = [*ATTEMPT, "job_id"]
    spent = named.assign(took=took).groupby(keys)["took"].sum().reindex(pd.MultiIndex.from_frame(jobs[keys]))
    if spent.isna().all():
        raise BadInput(scenario.step, f"is no step of {scenario.job} in these runs", "write it as GitHub shows it")
    saved: Floats = np.nan_to_num(spent.to_numpy(float))
    return np.maximum(0.0, run_s - saved * scenario.percent / 100)
