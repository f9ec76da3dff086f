"""What a flaky test or job costs: minutes of machines, of waiting, of people; three things that are never added.

An attempt that was started again is charged to what had failed in the attempt before; where several things had, each
bears an equal share, so that the sums are those of the runs and no test is charged for its neighbour.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pandas as pd

from kotaci.analysis.statistics import wilson
from kotaci.model import BAD_OUTCOMES, Outcome


@dataclass(frozen=True)
class Cost:
    """Minutes over the window.

    machine_minutes: of the jobs that ran again, measured; waiting_minutes: from the end of the failed attempt to the
    end of the later one that passed, measured, nights included; people_minutes: n_red times the minutes of an
    investigation, estimated. n_red: red attempts in which it failed; n_reruns of them were run again, n_greens of
    those became green. All but the counts are shares.
    """

    machine_minutes: float = 0.0
    waiting_minutes: float = 0.0
    people_minutes: float = 0.0
    n_red: int = 0
    n_reruns: int = 0
    n_greens: int = 0

    def __add__(self, other: Cost) -> Cost:
        return Cost(
            self.machine_minutes + other.machine_minutes,
            self.waiting_minutes + other.waiting_minutes,
            self.people_minutes + other.people_minutes,
            self.n_red + other.n_red,
            self.n_reruns + other.n_reruns,
            self.n_greens + other.n_greens,
        )


@dataclass(frozen=True)
class Odds:
    """Of n failed attempts that were run again, n_green were green the next time; the minutes that it took (median)."""

    n: int
    n_green: int
    low: float
    high: float
    minutes: float


def to_attempts(runs: pd.DataFrame, jobs: pd.DataFrame) -> pd.DataFrame:
    """Return the attempts, by (run_id, attempt), with what came after each.

    again_minutes: minutes of the jobs of the next attempt (of those that ran in it: with "re-run failed jobs" the rest
    is carried over); again_outcome, again_s: outcome and wall time of the next attempt; green_s: from the end of this
    attempt to that of the first later one that passed; is_last: no later attempt; is_overtaken: a newer run of its
    workflow, event and branch passed. Missing where there is none.
    """
    started = jobs.merge(
        runs[["run_id", "attempt", "started_at"]].rename(columns={"started_at": "attempt_at"}), on=["run_id", "attempt"]
    )
    ran = started[(started["started_at"] >= started["attempt_at"]).fillna(True)]
    minutes = (ran.groupby(["run_id", "attempt"])["wall_s"].sum() / 60).astype(float)
    frame = runs.sort_values(["run_id", "attempt"]).set_index(["run_id", "attempt"], drop=False)
    frame = frame.assign(minutes=minutes.reindex(frame.index).to_numpy())
    by_run = frame.groupby(frame["run_id"].to_numpy())
    green_at = frame["ended_at"].where(frame["outcome"] == Outcome.SUCCESS)
    green_after = green_at.groupby(frame["run_id"].to_numpy()).shift(-1).groupby(frame["run_id"].to_numpy()).bfill()
    place = frame["branch"].where(frame["branch"] != "", "pull " + frame["pr_number"].astype("str"))
    passed_at = frame["started_at"].where(frame["outcome"] == Outcome.SUCCESS)
    groups = [frame[name].to_numpy() for name in ("workflow", "event")] + [place.fillna("").to_numpy()]
    newest_pass = passed_at.groupby(groups).transform("max")
    return pd.DataFrame(
        {
            "repo": frame["repo"],
            "is_overtaken": (newest_pass > frame["started_at"]).fillna(False),
            "outcome": frame["outcome"],
            "started_at": frame["started_at"],
            "is_last": by_run["attempt"].transform("max") == frame["attempt"],
            "again_minutes": by_run["minutes"].shift(-1),
            "again_outcome": by_run["outcome"].shift(-1),
            "again_s": by_run["wall_s"].shift(-1).astype("Float64"),
            "green_s": (green_after - frame["ended_at"]).dt.total_seconds(),
        },
        index=frame.index,
    )


def charge(
    blamed: Iterable[tuple[int, int, str]], attempts: pd.DataFrame, *, investigation_minutes: float
) -> dict[str, Cost]:
    """Return the cost of each subject; `blamed` tells (run_id, attempt, subject): what failed in a red attempt."""
    table = pd.DataFrame(sorted(set(blamed)), columns=["run_id", "attempt", "subject"])
    rows = attempts.reindex(pd.MultiIndex.from_frame(table[["run_id", "attempt"]]))
    table = table.assign(
        share=1 / table.groupby(["run_id", "attempt"])["subject"].transform("size"),
        machine=rows["again_minutes"].to_numpy(dtype=float, na_value=math.nan),
        waiting=rows["green_s"].to_numpy(dtype=float, na_value=math.nan) / 60,
        is_rerun=rows["again_outcome"].notna().to_numpy(),
        is_green=(rows["again_outcome"] == Outcome.SUCCESS).fillna(False).to_numpy(dtype=bool),
    )
    costs = dict[str, Cost]()
    for subject, mine in table.groupby("subject", sort=False):
        costs[str(subject)] = Cost(
            machine_minutes=float((mine["machine"] * mine["share"]).sum()),
            waiting_minutes=float((mine["waiting"] * mine["share"]).sum()),
            people_minutes=float(mine["share"].sum()) * investigation_minutes,
            n_red=len(mine),
            n_reruns=int(mine["is_rerun"].sum()),
            n_greens=int(mine["is_green"].sum()),
        )
    return costs


def rerun_odds(failed: Sequence[tuple[int, int]], attempts: pd.DataFrame) -> Odds:
    """Return how the attempts after these failed ones went."""
    keys = pd.MultiIndex.from_tuples(sorted(set(failed)), names=["run_id", "attempt"])
    rows = attempts.reindex(keys)
    rows = rows[rows["again_outcome"].notna()]
    green = rows[rows["again_outcome"] == Outcome.SUCCESS]
    low, high = wilson(len(green), len(rows))
    return Odds(len(rows), len(green), low, high, float(green["again_s"].median()) / 60 if len(green) else math.nan)


def newest_open(
    failed: Sequence[tuple[int, int]], attempts: pd.DataFrame, *, as_of: pd.Timestamp | None, rerun_days: float
) -> int | None:
    """Return the newest run that is still red with one of these, not overtaken by a green run of its branch, and that
    GitHub still runs again; None for none."""
    rows = attempts.reindex(pd.MultiIndex.from_tuples(sorted(set(failed)), names=["run_id", "attempt"]))
    is_open = rows["is_last"].fillna(False).astype(bool) & rows["outcome"].isin(BAD_OUTCOMES)
    is_open &= ~rows["is_overtaken"].fillna(True).astype(bool)
    if as_of is not None:
        is_open &= (as_of - rows["started_at"]).dt.total_seconds() <= rerun_days * 86400
    rows = rows[is_open].sort_values("started_at", kind="stable")
    return int(rows.index[-1][0]) if len(rows) else None
