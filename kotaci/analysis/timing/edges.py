"""The `needs` of the runs recorded with one more or one less, and what must stay because it may be a gate."""

from __future__ import annotations

import re

import numpy as np
import numpy.typing as npt
import pandas as pd

from kotaci.analysis.timing.network import ATTEMPT, DeclaredJob, Ints, Network, Plan, has_circle
from kotaci.analysis.timing.scenarios import AddNeed, RemoveNeed
from kotaci.model import BadInput, Outcome

NOT_THERE = "its workflow file has no such job or edge"
WAS_SKIPPED = "the job was skipped, and would have run"

_GATE = re.compile(r"deploy|release|publish|gate|promote|rollout", re.IGNORECASE)
_HANDED_OVER = re.compile(r"download.*artifact", re.IGNORECASE)

Mask = npt.NDArray[np.bool_]


def with_edge(network: Network, scenario: AddNeed, is_job: Mask, reasons: npt.NDArray[np.object_]) -> tuple[Ints, Ints]:
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


def without_edge(
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
        if scenario.job in plan and scenario.need in plan[scenario.job].needs and (why := gate_of(scenario.job, plan)):
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


def gate_of(key: str, plan: Plan) -> str:
    """Return why the needs of a job may be a gate; empty where the file shows nothing of the kind."""
    job: DeclaredJob = plan[key]
    reasons = {
        "the job has an `if`": job.condition,
        "the job calls another workflow": job.uses,
        "its matrix or runner is only known at run time": job.is_dynamic or "needs." in job.runs_on,
        "it is named like a deployment or a gate": _GATE.search(key),
    }
    return next((why for why, holds in reasons.items() if holds), "")
