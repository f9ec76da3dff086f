"""What a scenario makes of the jobs and edges recorded: seconds, minutes, prices, and what cannot be told."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from kotaci.analysis.timing.billing import price_of, rounded_up
from kotaci.analysis.timing.network import ATTEMPT, DeclaredJob, Floats, Ints, Network, Plan, has_circle
from kotaci.analysis.timing.scenarios import AddNeed, Faster, RemoveNeed, Scenario, Split, TimeOut
from kotaci.model import BadInput, Outcome

NOT_THERE = "its workflow file has no such job or edge"
WAS_SKIPPED = "the job was skipped, and would have run"
WOULD_BREAK = "the job passed after the limit"
INSIDE_A_CALL = "the order of the jobs inside a called workflow is not known"

_GATE = re.compile(r"deploy|release|publish|gate|promote|rollout", re.IGNORECASE)
_HANDED_OVER = re.compile(r"download.*artifact", re.IGNORECASE)

Mask = npt.NDArray[np.bool_]


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


def altered(network: Network, scenario: Scenario, before: Change, *, steps: pd.DataFrame) -> Change:
    """Return the jobs and edges with the scenario. Raises BadInput where it cannot be."""
    jobs, places = network.jobs, network.jobs["place"].to_numpy(np.int64)
    in_workflow = (network.attempts["workflow"] == scenario.workflow).to_numpy(bool)
    is_job = (jobs["job_key"] == scenario.job).to_numpy(bool) & in_workflow[places]
    if not is_job.any():
        raise BadInput(scenario.job, f"is no job of {scenario.workflow} in these runs", "name a job by its key")
    reasons = np.full(len(network.attempts), NOT_THERE, dtype=object)
    reasons[places[is_job]] = ""
    if isinstance(scenario, AddNeed):
        sources, targets = _with_edge(network, scenario, is_job, reasons)
        return replace(before, sources=sources, targets=targets, reasons=reasons)
    if isinstance(scenario, RemoveNeed):
        sources, targets = _without_edge(network, scenario, steps, is_job, reasons)
        return replace(before, sources=sources, targets=targets, reasons=reasons)
    reasons[places[is_job & jobs["is_called"].to_numpy(bool)]] = INSIDE_A_CALL
    run_s = jobs["run_s"].to_numpy(float).copy()
    run_s[is_job] = _seconds(jobs[is_job], scenario, steps)
    minutes = _billed(jobs, run_s)
    if isinstance(scenario, Split):
        minutes[is_job] *= scenario.parts
    if isinstance(scenario, TimeOut):
        is_over = jobs["run_s"].to_numpy(float) > scenario.minutes * 60
        reasons[places[is_job & is_over & (jobs["outcome"] == Outcome.SUCCESS).to_numpy(bool)]] = WOULD_BREAK
    return replace(before, took_s=jobs["queue_s"].to_numpy(float) + run_s, minutes=minutes, reasons=reasons)


def _billed(jobs: pd.DataFrame, run_s: Floats) -> Floats:
    """Return the minutes of each job; what no runner took in this attempt has none."""
    is_taken = (jobs["outcome"] != Outcome.CANCELLED) | (jobs["runner"].fillna("") != "")
    return np.where(jobs["has_run"].to_numpy(bool) & is_taken.to_numpy(bool), rounded_up(run_s), 0.0)


def _seconds(jobs: pd.DataFrame, scenario: Faster | Split | TimeOut, steps: pd.DataFrame) -> Floats:
    run_s: Floats = jobs["run_s"].to_numpy(float)
    if isinstance(scenario, TimeOut):
        return np.minimum(run_s, scenario.minutes * 60)
    if isinstance(scenario, Split):
        overhead = np.minimum(run_s, scenario.overhead_s)
        return overhead + (run_s - overhead) / scenario.parts
    if not scenario.step:
        return run_s * (1 - scenario.percent / 100)
    named = steps[steps["step"] == scenario.step]
    took = (named["ended_at"] - named["started_at"]).dt.total_seconds()
    keys = [*ATTEMPT, "job_id"]
    spent = named.assign(took=took).groupby(keys)["took"].sum().reindex(pd.MultiIndex.from_frame(jobs[keys]))
    if spent.isna().all():
        raise BadInput(scenario.step, f"is no step of {scenario.job} in these runs", "write it as GitHub shows it")
    saved: Floats = np.nan_to_num(spent.to_numpy(float))
    return np.maximum(0.0, run_s - saved * scenario.percent / 100)


def _with_edge(
    network: Network, scenario: AddNeed, is_job: Mask, reasons: npt.NDArray[np.object_]
) -> tuple[Ints, Ints]:
    """Return the edges with one more, noting in `reasons` where it cannot be replayed."""
    edge = f"{scenario.job} needs {scenario.need}"
    is_source = _is_node(network, scenario.workflow, scenario.need)
    if not is_source.any():
        raise BadInput(edge, "names no job of these runs", "name a job by its key")
    if any(has_circle(_with(plan, scenario)) for plan in _plans(network, scenario.workflow)):
        raise BadInput(edge, "would go round in a circle", "add an edge that leads on")
    by_place = np.full(len(network.attempts), -1, dtype=np.int64)
    by_place[network.places[is_source]] = np.flatnonzero(is_source)
    reasons[np.flatnonzero(by_place < 0)] = NOT_THERE
    targets = np.unique(network.jobs["node"].to_numpy(np.int64)[is_job])
    sources = by_place[network.places[targets]]
    has_both = sources >= 0
    return np.append(network.sources, sources[has_both]), np.append(network.targets, targets[has_both])


def _without_edge(
    network: Network, scenario: RemoveNeed, steps: pd.DataFrame, is_job: Mask, reasons: npt.NDArray[np.object_]
) -> tuple[Ints, Ints]:
    """Return the edges without one, noting in `reasons` where that cannot be replayed."""
    edge = f"{scenario.job} needs {scenario.need}"
    is_source = _is_node(network, scenario.workflow, scenario.need)
    is_target = _is_node(network, scenario.workflow, scenario.job)
    is_cut = is_source[network.sources] & is_target[network.targets]
    if not is_cut.any():
        raise BadInput(edge, "is no edge of these runs", "name one that a workflow file has")
    for plan in _plans(network, scenario.workflow):
        if scenario.job in plan and scenario.need in plan[scenario.job].needs and (why := _gate(scenario.job, plan)):
            raise BadInput(edge, f"cannot be dropped: {why}", "keep the gate")
    keys = [*ATTEMPT, "job_id"]
    names = network.jobs.loc[is_job, keys].merge(steps[[*keys, "step"]], on=keys)["step"]
    if names.fillna("").str.contains(_HANDED_OVER).any():
        raise BadInput(edge, "cannot be dropped: the job downloads artifacts", "keep what brings them")
    has_edge = np.zeros(len(network.attempts), dtype=bool)
    has_edge[network.places[network.targets[is_cut]]] = True
    reasons[~has_edge] = NOT_THERE
    is_skipped = is_job & (network.jobs["outcome"] == Outcome.SKIPPED).to_numpy(bool)
    reasons[network.jobs["place"].to_numpy(np.int64)[is_skipped]] = WAS_SKIPPED
    return network.sources[~is_cut], network.targets[~is_cut]


def _is_node(network: Network, workflow: str, key: str) -> Mask:
    in_workflow = (network.attempts["workflow"] == workflow).to_numpy(bool)[network.places]
    found: Mask = (network.keys == key) & in_workflow
    return found


def _plans(network: Network, workflow: str) -> list[Plan]:
    return [plan for (_, _, of), plan in network.plans.items() if of == workflow]


def _with(plan: Plan, scenario: AddNeed) -> dict[str, tuple[str, ...]]:
    needs = {key: job.needs for key, job in plan.items()}
    if scenario.job in needs and scenario.need in needs:
        needs[scenario.job] = (*needs[scenario.job], scenario.need)
    return needs


def _gate(key: str, plan: Plan) -> str:
    """Return why the needs of a job may be a gate; empty where the file shows nothing of the kind."""
    job: DeclaredJob = plan[key]
    reasons = {
        "the job has an `if`": job.condition,
        "the job calls another workflow": job.uses,
        "its matrix or runner is only known at run time": job.is_dynamic or "needs." in job.runs_on,
        "it is named like a deployment or a gate": _GATE.search(key),
    }
    return next((why for why, holds in reasons.items() if holds), "")
