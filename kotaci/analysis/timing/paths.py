"""What a run's length hangs on: the critical path over `needs`, and the path as it happened.

Critical path method: earliest start and finish forwards, latest finish and start backwards; slack is what a job could
take longer before the run does. Queue counts as part of a job. Misleads where runners are few: a job that is taken
away shortens the queue of others, which no path can tell.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from kotaci.analysis.timing.network import ATTEMPT, Floats, Ints, Network, earliest

STEP_COLUMNS = ["job_id", "job_key", "job", "is_called", "queue_s", "run_s"]


@dataclass(frozen=True)
class Paths:
    """Paths of the attempts whose needs are known; seconds from the start of the attempt.

    attempts: wall_s = max EF, recorded_s from the start to the end that is recorded, held_s of extra waiting on the
    critical path. jobs: es_s, ef_s, ls_s, lf_s, slack_s. critical and happened: the jobs of the paths, first to last in
    `step`, without those that took no time of their own (skipped, carried over). Of a called workflow there is one job,
    marked `is_called`, whose queue_s also holds what it waited for inside the call.
    """

    attempts: pd.DataFrame
    jobs: pd.DataFrame
    critical: pd.DataFrame
    happened: pd.DataFrame


def critical_paths(network: Network) -> Paths:
    """Return the critical path of every attempt, and the path as it happened.

    The critical path assumes that each job starts its own queue time after its needs; the other walks back from the
    job that ended last over the need that ended last. They differ where something else than `needs` held a job.
    """
    jobs, lengths = network.jobs, network.lengths
    node = jobs["node"].to_numpy(np.int64)
    took = jobs["queue_s"].to_numpy(float) + jobs["run_s"].to_numpy(float)
    starts = earliest(lengths, network.sources, network.targets)
    walls = np.zeros(len(network.attempts))
    np.maximum.at(walls, network.places, starts + lengths)
    latest = _latest(lengths, walls, network)
    timed = jobs.assign(
        es_s=starts[node],
        ef_s=starts[node] + took,
        ls_s=latest[node] - took,
        lf_s=latest[node],
        # Floats added in another order differ in the last digit; no duration is finer than 100 ns.
        slack_s=np.maximum(0.0, np.round(latest[node] - starts[node] - took, 6)),
    )
    critical = _walk(timed, starts + lengths, timed["ef_s"].to_numpy(float), network)
    ends = timed["end"].to_numpy(float)
    ended = np.where(timed["has_run"], ends, timed["ready_s"])
    happened = _walk(timed, _most(ended, node, len(starts)), ended, network)
    return Paths(_to_attempts(network, walls, timed, critical), timed.drop(columns="end"), critical, happened)


def _latest(lengths: Floats, walls: Floats, network: Network) -> Floats:
    """Return when each node must have ended at the latest for the attempt to end as it does."""
    latest = walls[network.places]
    while True:
        sooner = latest.copy()
        np.minimum.at(sooner, network.sources, latest[network.targets] - lengths[network.targets])
        if np.array_equal(sooner, latest):
            return latest
        latest = sooner


def _most(values: Floats, node: Ints, n_nodes: int) -> Floats:
    most = np.zeros(n_nodes)
    np.maximum.at(most, node, values)
    return most


def _last(values: Floats, groups: Ints, n_groups: int) -> Ints:
    """Return for each group the place of its greatest value, the first of equals; -1 for an empty one."""
    order = np.lexsort((-np.arange(len(values)), values, groups))
    last = np.full(n_groups, -1, dtype=np.int64)
    last[groups[order]] = order
    return last


def _walk(jobs: pd.DataFrame, node_ends: Floats, job_ends: Floats, network: Network) -> pd.DataFrame:
    """Walk back from the node of each attempt that ends last, over the need that ends last; one row a job."""
    last_job = _last(job_ends, jobs["node"].to_numpy(np.int64), len(node_ends))
    edge = _last(node_ends[network.sources], network.targets, len(node_ends))
    before = np.where(edge >= 0, network.sources[edge] if len(network.sources) else -1, -1)
    here = _last(node_ends, network.places, len(network.attempts))
    here = here[here >= 0]
    steps: list[Ints] = []
    while len(here):
        steps.append(last_job[here])
        here = before[here]
        here = here[here >= 0]
    rows = np.concatenate(steps[::-1]) if steps else np.empty(0, dtype=np.int64)
    path = jobs.iloc[rows]
    path = path[path["has_run"]].sort_values("place", kind="stable")
    path = path[[*ATTEMPT, *STEP_COLUMNS, "held_s", "place"]].reset_index(drop=True)
    return path.assign(step=path.groupby("place").cumcount() + 1)


def _to_attempts(network: Network, walls: Floats, jobs: pd.DataFrame, critical: pd.DataFrame) -> pd.DataFrame:
    attempts = network.attempts[network.attempts["reason"] == ""]
    place = attempts["place"].to_numpy(np.int64)
    ends = jobs.groupby("place")["end"].max()
    held = critical.groupby("place")["held_s"].sum()
    return attempts.assign(
        wall_s=walls[place],
        recorded_s=ends.reindex(place).to_numpy(float),
        held_s=held.reindex(place, fill_value=0.0).to_numpy(float),
    ).reset_index(drop=True)
