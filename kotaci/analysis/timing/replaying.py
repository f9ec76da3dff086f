"""What a change would have made of the runs recorded: every run is replayed with it, and its length found anew.

Estimates: queue times and outcomes stay as they were. Attempts of one run are resampled as if they were independent,
which makes the interval somewhat too narrow.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from kotaci.analysis.timing.billing import rounded_up
from kotaci.analysis.timing.network import (
    ATTEMPT,
    DeclaredJob,
    Floats,
    Ints,
    Network,
    Plan,
    earliest,
    has_circle,
    longest_legs,
)
from kotaci.analysis.timing.options import DEFAULTS, TimingOptions
from kotaci.analysis.timing.scenarios import AddNeed, Faster, RemoveNeed, Scenario, Split, TimeOut
from kotaci.model import BadInput, Outcome

NOT_THERE = "its workflow file has no such job or edge"
WAS_SKIPPED = "the job was skipped, and would have run"
WOULD_BREAK = "the job passed after the limit"
INSIDE_A_CALL = "the order of the jobs inside a called workflow is not known"

_GATE = re.compile(r"deploy|release|publish|gate|promote|rollout", re.IGNORECASE)
_HANDED_OVER = re.compile(r"download.*artifact", re.IGNORECASE)


@dataclass(frozen=True)
class Effect:
    """A scenario over n attempts of its workflow; left_out counts the others by reason.

    attempts: before_s, after_s, change_s (negative is faster) of each. median_s with its bootstrap interval low_s to
    high_s, 95 %. minutes_month is the change in billable minutes in a month, with its interval; nan where the window is
    too short. Estimated, by replay.
    """

    scenario: Scenario
    n: int
    left_out: Mapping[str, int]
    attempts: pd.DataFrame
    median_s: float
    low_s: float
    high_s: float
    minutes_month: float
    minutes_low: float
    minutes_high: float


@dataclass(frozen=True)
class _Change:
    """Run seconds of each job, how many of it run, the edges, and why attempts are left out (empty: they are not)."""

    run_s: Floats
    copies: Floats
    sources: Ints
    targets: Ints
    reasons: npt.NDArray[np.object_]


def replay(network: Network, scenario: Scenario, *, steps: pd.DataFrame, options: TimingOptions = DEFAULTS) -> Effect:
    """Return what the scenario would have changed. `steps` is the table.

    Raises BadInput, naming the edge, for a `needs` that would go round in a circle or whose loss would let a job pass
    a gate: one with an `if`, that calls a workflow, has a matrix or runner only known at run time, downloads artifacts,
    or is named like a deployment. Environments and outputs used inside steps are not in the tables: look before you
    cut.
    """
    jobs, attempts = network.jobs, network.attempts
    change = _changed(network, scenario, steps)
    is_in = (attempts["workflow"] == scenario.workflow).to_numpy(bool) & (attempts["reason"] == "").to_numpy(bool)
    kept = np.flatnonzero(is_in & (change.reasons == ""))
    queue = jobs["queue_s"].to_numpy(float)
    before = _walls(network, network.lengths, network.sources, network.targets)[kept]
    after = _walls(network, longest_legs(queue + change.run_s, network), change.sources, change.targets)[kept]
    minutes = (_minutes(network, change.run_s, change.copies) - _minutes(network, jobs["run_s"].to_numpy(float)))[kept]
    of_workflow = attempts.loc[attempts["workflow"] == scenario.workflow, "reason"].to_numpy(object)
    unknown = of_workflow[of_workflow != ""]
    told = pd.Series([*unknown, *change.reasons[is_in & (change.reasons != "")]], dtype=object).value_counts()
    days = _days(attempts)
    scale = options.month_days / days * len(kept) if days >= options.fewest_days else math.nan
    change_s = after - before
    medians, means = _resampled(change_s, minutes, options)
    return Effect(
        scenario=scenario,
        n=len(kept),
        left_out={str(reason): int(n) for reason, n in told.items()},
        attempts=attempts.iloc[kept][ATTEMPT].assign(before_s=before, after_s=after, change_s=change_s),
        median_s=float(np.median(change_s)) if len(kept) else math.nan,
        low_s=float(np.quantile(medians, 0.025)),
        high_s=float(np.quantile(medians, 0.975)),
        minutes_month=float(np.mean(minutes)) * scale if len(kept) else math.nan,
        minutes_low=float(np.quantile(means, 0.025)) * scale,
        minutes_high=float(np.quantile(means, 0.975)) * scale,
    )


def _walls(network: Network, lengths: Floats, sources: Ints, targets: Ints) -> Floats:
    walls = np.zeros(len(network.attempts))
    np.maximum.at(walls, network.places, earliest(lengths, sources, targets) + lengths)
    return walls


def _minutes(network: Network, run_s: Floats, copies: Floats | None = None) -> Floats:
    jobs = network.jobs
    is_taken = (jobs["outcome"] != Outcome.CANCELLED) | (jobs["runner"].fillna("") != "")
    is_billed = jobs["has_run"].to_numpy(bool) & is_taken.to_numpy(bool)
    minutes = np.where(is_billed, rounded_up(run_s) * (1.0 if copies is None else copies), 0.0)
    sums = np.zeros(len(network.attempts))
    np.add.at(sums, jobs["place"].to_numpy(np.int64), minutes)
    return sums


def _days(attempts: pd.DataFrame) -> float:
    starts = attempts["started_at"].dropna()
    return float((starts.max() - starts.min()).total_seconds()) / 86400 if len(starts) else 0.0


def _resampled(change_s: Floats, minutes: Floats, options: TimingOptions) -> tuple[Floats, Floats]:
    n = len(change_s)
    if n == 0:
        return np.array([math.nan]), np.array([math.nan])
    dice = np.random.default_rng(options.seed)
    drawn = (dice.integers(0, n, n) for _ in range(options.n_resamples))
    pairs = np.array([(np.median(change_s[rows]), np.mean(minutes[rows])) for rows in drawn])
    return pairs[:, 0], pairs[:, 1]


def _changed(network: Network, scenario: Scenario, steps: pd.DataFrame) -> _Change:
    jobs, places = network.jobs, network.jobs["place"].to_numpy(np.int64)
    in_workflow = (network.attempts["workflow"] == scenario.workflow).to_numpy(bool)
    is_job = (jobs["job_key"] == scenario.job).to_numpy(bool) & in_workflow[places]
    if not is_job.any():
        raise BadInput(scenario.job, f"is no job of {scenario.workflow} in these runs", "name a job by its key")
    reasons = np.full(len(network.attempts), NOT_THERE, dtype=object)
    reasons[places[is_job]] = ""
    run_s, copies = jobs["run_s"].to_numpy(float).copy(), np.ones(len(jobs))
    sources, targets = network.sources, network.targets
    if isinstance(scenario, RemoveNeed | AddNeed):
        sources, targets = _edges(network, scenario, steps, is_job, reasons)
    else:
        is_called = is_job & jobs["is_called"].to_numpy(bool)
        reasons[places[is_called]] = INSIDE_A_CALL
        run_s[is_job] = _seconds(jobs[is_job], scenario, steps)
        copies[is_job] = scenario.parts if isinstance(scenario, Split) else 1
    if isinstance(scenario, TimeOut):
        is_over = jobs["run_s"].to_numpy(float) > scenario.minutes * 60
        reasons[places[is_job & is_over & (jobs["outcome"] == Outcome.SUCCESS).to_numpy(bool)]] = WOULD_BREAK
    return _Change(run_s, copies, sources, targets, reasons)


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


def _edges(
    network: Network,
    scenario: RemoveNeed | AddNeed,
    steps: pd.DataFrame,
    is_job: npt.NDArray[np.bool_],
    reasons: npt.NDArray[np.object_],
) -> tuple[Ints, Ints]:
    """Return the edges with the change, noting in `reasons` where it cannot be replayed."""
    edge = f"{scenario.job} needs {scenario.need}"
    plans = [plan for (_, _, workflow), plan in network.plans.items() if workflow == scenario.workflow]
    in_workflow = (network.attempts["workflow"] == scenario.workflow).to_numpy(bool)[network.places]
    is_target = (network.keys == scenario.job) & in_workflow
    is_source = (network.keys == scenario.need) & in_workflow
    if isinstance(scenario, AddNeed):
        if not is_source.any():
            raise BadInput(edge, "names no job of these runs", "name a job by its key")
        if any(has_circle(_with(plan, scenario)) for plan in plans):
            raise BadInput(edge, "would go round in a circle", "add an edge that leads on")
        by_place = np.full(len(network.attempts), -1, dtype=np.int64)
        by_place[network.places[is_source]] = np.flatnonzero(is_source)
        reasons[np.flatnonzero(by_place < 0)] = NOT_THERE
        targets = np.flatnonzero(is_target)
        sources = by_place[network.places[targets]]
        has_both = sources >= 0
        return np.append(network.sources, sources[has_both]), np.append(network.targets, targets[has_both])
    is_cut = is_source[network.sources] & is_target[network.targets]
    if not is_cut.any():
        raise BadInput(edge, "is no edge of these runs", "name one that a workflow file has")
    for plan in plans:
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
