"""Every second of the jobs, split by what it was spent on.

Queue is no part of a job and stands apart (`jobs.queue_s`). The API gives the times of steps in whole seconds, so that
a kind that takes less than a second a job may show none of it. Steps that were read off a log by its markers alone
hide what post steps do: they are all the runner's. What cargo's logs tell of a script goes before its name; what they
leave open (cargo's start, other commands, a log that is gone) is `untold`, where most logs of scripts of that name tell
phases. Else the name decides on the rest, and compiling may hide in `tests`.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from kotaci.analysis.spending.kinds import BETWEEN, UNTOLD, Kinds, read_kinds
from kotaci.model import Outcome

ATTEMPT = ["repo", "run_id", "attempt"]
JOB = [*ATTEMPT, "job_id"]
STEP = [*JOB, "step_number"]
TESTING = ("tests", "doc-tests")
"""Kinds that are test execution."""
MOST = 0.5
"""Where so large a share of the logs that are held tells phases of a script, the others are thought to be silent."""

PIECE_COLUMNS = [*JOB, "kind", "wall_s"]
SPENT_COLUMNS = ["workflow", "job_base", "kind", "minutes", "share", "n_jobs", "n_spent", "median_s"]
TESTING_COLUMNS = [*ATTEMPT, "workflow", "at", "seconds"]

Ints = npt.NDArray[np.int64]


def split_jobs(
    jobs: pd.DataFrame, steps: pd.DataFrame, phases: pd.DataFrame, *, kinds: Kinds | None = None
) -> pd.DataFrame:
    """Return PIECE_COLUMNS: the seconds of each job by kind, which sum to its ended_at - started_at.

    Jobs that were skipped, or have no start or end, have none. Steps that overlap count once, for the first. Phases
    count for the step that holds them, and are shortened alike where they are longer than it (seconds are cut).
    """
    known = kinds or read_kinds()
    ran = _ran(jobs)
    timed = _timed(ran, steps, phases, known)
    told = _phases_of(timed, phases, known)
    spent_s = told.groupby("place")["wall_s"].sum().reindex(timed.index, fill_value=0.0)
    own = timed.assign(
        kind=timed["kind"].where(~timed["is_spoken"], UNTOLD), wall_s=np.maximum(0.0, timed["step_s"] - spent_s)
    )
    stepped_s = timed.groupby("number")["step_s"].sum().reindex(ran.index, fill_value=0.0)
    between = ran.assign(kind=BETWEEN, wall_s=ran["job_s"] - stepped_s)
    pieces = pd.concat([frame[PIECE_COLUMNS] for frame in (own, told, between)], ignore_index=True)
    pieces = pieces.groupby([*JOB, "kind"], as_index=False)["wall_s"].sum()
    # A remainder that is only the last digit of a sum is none.
    return pieces[pieces["wall_s"] > 1e-6].reset_index(drop=True)


def spent_by_kind(
    jobs: pd.DataFrame, steps: pd.DataFrame, phases: pd.DataFrame, *, kinds: Kinds | None = None
) -> pd.DataFrame:
    """Return SPENT_COLUMNS, most minutes first: what the jobs of each workflow and name (all legs) were spent on.

    minutes are as they ran, not rounded up as a bill would; share is of the minutes of that workflow and job; n_jobs
    its jobs, n_spent those with any second of the kind, and median_s the median over these. Hand in the jobs of
    `timing.to_billed` to leave out what was carried over into a re-run.
    """
    pieces = split_jobs(jobs, steps, phases, kinds=kinds).merge(jobs[[*JOB, "workflow", "job_base"]], on=JOB)
    names = ["workflow", "job_base"]
    n_jobs = _ran(jobs).groupby(names).size().rename("n_jobs").reset_index()
    grouped = pieces.groupby([*names, "kind"])["wall_s"]
    spent = grouped.agg(seconds="sum", n_spent="size", median_s="median").reset_index().merge(n_jobs, on=names)
    whole = spent.groupby(names)["seconds"].transform("sum")
    spent = spent.assign(minutes=spent["seconds"] / 60, share=spent["seconds"] / whole)
    return spent[SPENT_COLUMNS].sort_values("minutes", ascending=False, kind="stable", ignore_index=True)


def time_in_tests(
    runs: pd.DataFrame,
    jobs: pd.DataFrame,
    steps: pd.DataFrame,
    phases: pd.DataFrame,
    *,
    kinds: Kinds | None = None,
) -> pd.DataFrame:
    """Return TESTING_COLUMNS, a row an attempt that passed: how long tests ran in it, all its jobs and legs together.

    Where cargo's log tells phases, only tests and doc-tests count. Where it does
    not, but does for most scripts of that name, the log is gone or broke off, and the attempt is left out; else whole
    steps that are tests by name count, with what they compile. Machines' time, not anybody's waiting: jobs run at
    once. No tests are no zero, but left out.
    """
    known = kinds or read_kinds()
    timed = _timed(_ran(jobs), steps, phases, known)
    tests = timed[timed["kind"].isin(TESTING) & ~timed["has_phases"]]
    ran = phases[phases["phase"].map(known.by_phase).isin(TESTING)]
    named = tests[~tests["is_spoken"]]
    seconds = pd.concat(
        [
            ran[ATTEMPT].assign(wall_s=ran["wall_s"].to_numpy(float, na_value=0.0)),
            named[ATTEMPT].assign(wall_s=named["step_s"]),
        ]
    )
    by_run = seconds.groupby(ATTEMPT)["wall_s"].sum().reset_index()
    unknown = pd.MultiIndex.from_frame(tests.loc[tests["is_spoken"], ATTEMPT])
    by_run = by_run[(by_run["wall_s"] > 0) & ~pd.MultiIndex.from_frame(by_run[ATTEMPT]).isin(unknown)]
    passed = runs.loc[runs["outcome"] == Outcome.SUCCESS, [*ATTEMPT, "workflow", "started_at"]]
    told = by_run.merge(passed.dropna(subset="started_at"), on=ATTEMPT)
    return told.rename(columns={"started_at": "at", "wall_s": "seconds"})[TESTING_COLUMNS]


def _ran(jobs: pd.DataFrame) -> pd.DataFrame:
    """Return the jobs that took time, numbered, with start and end in whole microseconds and job_s."""
    ran = jobs[(jobs["outcome"] != Outcome.SKIPPED) & jobs["started_at"].notna() & jobs["ended_at"].notna()]
    start = _microseconds(ran["started_at"])
    end = np.maximum(_microseconds(ran["ended_at"]), start)
    ran = ran.reset_index(drop=True)
    return ran.assign(number=ran.index, job_start=start, job_end=end, job_s=(end - start) / 1e6)


def _timed(ran: pd.DataFrame, steps: pd.DataFrame, phases: pd.DataFrame, kinds: Kinds) -> pd.DataFrame:
    """Return the steps of the jobs with their kind; step_s, the part of their time that no step before had; has_phases
    of a kind whose log decides; is_spoken, whether most logs that are held tell phases of steps of that workflow and
    name."""
    known = steps[steps["started_at"].notna() & steps["ended_at"].notna()]
    timed = known[[*STEP, "step", "outcome", "started_at", "ended_at"]].merge(
        ran[[*JOB, "workflow", "log_state", "number", "job_start", "job_end"]], on=JOB
    )
    timed = timed.assign(start=_microseconds(timed["started_at"]), end=_microseconds(timed["ended_at"]))
    timed = timed.sort_values(["number", "start", "step_number"], kind="stable", ignore_index=True)
    end = np.minimum(timed["end"], timed["job_end"])
    before = end.groupby(timed["number"]).cummax().groupby(timed["number"]).shift(fill_value=np.iinfo(np.int64).min)
    start = np.maximum(np.maximum(timed["start"], timed["job_start"]), before)
    names = timed["step"].fillna("")
    kind = names.map({name: kinds.of_step(name) for name in names.unique()}).astype(object)
    timed = timed.assign(step_s=np.maximum(0, end - start) / 1e6, kind=kind)
    by_log = kind.isin([kind.id for kind in kinds.kinds.values() if kind.by_log])
    has_phases = by_log & pd.MultiIndex.from_frame(timed[STEP]).isin(pd.MultiIndex.from_frame(phases[STEP]))
    is_held = timed["log_state"].isin(["present", "pruned"]) & (timed["outcome"] != Outcome.SKIPPED)
    told = has_phases.where(is_held).astype(float).groupby([timed["workflow"], names]).transform("mean")
    return timed.assign(has_phases=has_phases, is_spoken=told >= MOST)


def _phases_of(timed: pd.DataFrame, phases: pd.DataFrame, kinds: Kinds) -> pd.DataFrame:
    """Return the phases of steps whose log decides, with the place of their step, shortened to fit into it."""
    deciding = timed.loc[timed["has_phases"], [*STEP, "step_s"]].reset_index(names="place")
    told = phases.assign(
        kind=phases["phase"].map(kinds.by_phase).astype(object), wall_s=phases["wall_s"].astype(float)
    ).dropna(subset=["kind", "wall_s"])
    told = told.merge(deciding, on=STEP)
    whole = told.groupby("place")["wall_s"].transform("sum")
    shorter = np.where(whole > told["step_s"], told["step_s"] / whole.where(whole > 0, 1.0), 1.0)
    return told.assign(wall_s=told["wall_s"] * shorter)


def _microseconds(moments: pd.Series) -> Ints:
    whole: Ints = moments.to_numpy("datetime64[us]").astype(np.int64)
    return whole
