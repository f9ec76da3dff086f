"""The durations of every job and step of the default branch, alike enough to be set in a row."""

from __future__ import annotations

import pandas as pd

from kotaci.model import Outcome, short_workflow

KEYS = ["run_id", "attempt"]
SERIES = ["workflow", "job", "step"]
POINTS = [*SERIES, "event", "run_id", "attempt", "at", "head_sha", "wall_s", "stratum"]
WORST_FIRST = ("miss", "partial", "exact")

_LEAST_S = 0.5
"""Steps are told in whole seconds: one of 0 s took less than one."""


def main_line(runs: pd.DataFrame, *, default_branch: str) -> pd.DataFrame:
    """Return the first attempts of the default branch, of each workflow those of its commonest event but pull requests.

    `at` is their start, `workflow` the short name.
    """
    is_pull = runs["event"].str.startswith("pull_request").fillna(False).astype(bool)
    is_base = (runs["branch"] == default_branch).fillna(False).astype(bool) & (default_branch != "")
    kept = runs[is_base & ~is_pull & (runs["attempt"] == 1) & runs["started_at"].notna()]
    counts = kept.groupby(["workflow", "event"]).size().reset_index(name="n")
    commonest = counts.sort_values(["workflow", "n", "event"], ascending=[True, False, True]).drop_duplicates(
        "workflow"
    )
    chosen = kept.merge(commonest[["workflow", "event"]], on=["workflow", "event"])
    told = chosen[[*KEYS, "event", "head_sha"]].assign(at=chosen["started_at"])
    return told.assign(workflow=chosen["workflow"].map(short_workflow))


def with_place(rows: pd.DataFrame, jobs: pd.DataFrame, line: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of jobs of those runs, with `workflow`, `job` and `at` joined."""
    of_job = jobs[[*KEYS, "job_id", "job"]]
    return rows.merge(of_job, on=[*KEYS, "job_id"]).merge(line[[*KEYS, "workflow", "at"]], on=KEYS)


def to_points(
    line: pd.DataFrame, *, jobs: pd.DataFrame, steps: pd.DataFrame, cache_events: pd.DataFrame
) -> pd.DataFrame:
    """Return POINTS in order of time: one row a job that passed (`step` empty), and one a step of it.

    Steps of one name in a job are added up. `stratum` is the worst outcome of the job's restores: miss, partial,
    exact; empty where its log tells of none.
    """
    passed = jobs[(jobs["outcome"] == Outcome.SUCCESS) & jobs["wall_s"].notna()]
    passed = passed[[*KEYS, "job_id", "job", "wall_s"]].merge(line, on=KEYS)
    passed = passed.merge(_strata(cache_events), on=[*KEYS, "job_id"], how="left")
    passed = passed.assign(stratum=passed["stratum"].fillna(""), wall_s=passed["wall_s"].astype(float))
    done = steps[(steps["outcome"] == Outcome.SUCCESS) & steps["wall_s"].notna()]
    done = done[[*KEYS, "job_id", "step", "wall_s"]].merge(passed.drop(columns="wall_s"), on=[*KEYS, "job_id"])
    done = done.assign(wall_s=done["wall_s"].astype(float))
    rest = [name for name in done if name != "wall_s"]
    summed = done.groupby(rest, sort=False, as_index=False)["wall_s"].sum() if len(done) else done
    points = pd.concat([passed.assign(step=""), summed], ignore_index=True)
    return points.assign(wall_s=points["wall_s"].clip(lower=_LEAST_S))[POINTS].sort_values(
        ["at", "run_id"], kind="stable", ignore_index=True
    )


def _strata(cache_events: pd.DataFrame) -> pd.DataFrame:
    restores = cache_events[(cache_events["operation"] == "restore") & cache_events["result"].isin(WORST_FIRST)]
    order = restores["result"].map(WORST_FIRST.index).astype(float)
    worst = restores.assign(order=order).sort_values("order", kind="stable").drop_duplicates([*KEYS, "job_id"])
    return worst[[*KEYS, "job_id"]].assign(stratum=worst["result"])
