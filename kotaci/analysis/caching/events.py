"""What caches did, joined with the jobs and runs in which they did it."""

from __future__ import annotations

import re
from collections.abc import Mapping

import pandas as pd

from kotaci.analysis.caching.options import FAMILY, JOB_KEY
from kotaci.analysis.health import period_of, start_of
from kotaci.analysis.statistics import wilson
from kotaci.model import Link, commit_url, job_url, short_workflow


def family_of(key: str) -> str:
    """Return the key without what changes from one version of the cache to the next: hashes and long numbers as `*`.

    Two builds that ask for the same family may overwrite, or make do with, each other's caches.
    """
    return re.sub(r"(?<![0-9A-Za-z])(?:[0-9a-f]{8,}|[0-9]{5,})(?![0-9A-Za-z])", "*", key)


STRATA = ["leg", "labels", "image", "tools"]
"""What jobs must have in common for their times to be set side by side: leg, runner and toolchain."""


def with_jobs(events: pd.DataFrame, runs: pd.DataFrame, jobs: pd.DataFrame, setups: pd.DataFrame) -> pd.DataFrame:
    """Return the events with their family, their job's outcome, time and strata, and their run's branch and event.

    `image` is the runner's image without its version, which is another every week; `tools` are the toolchains and their
    versions; both are empty where the log does not tell them.
    """
    of_job = jobs[[*JOB_KEY, "workflow", "job", "job_base", "leg", "outcome", "labels"]].assign(
        job_wall_s=jobs["wall_s"].astype(float), job_started_at=jobs["started_at"], job_ended_at=jobs["ended_at"]
    )
    for item, column in (("image", "image"), ("tool", "tools")):
        of_item = setups[setups["item"] == item]
        named = of_item["name"] if item == "image" else of_item["name"] + " " + of_item["version"].fillna("")
        told = of_item.assign(told=named).sort_values("name").groupby(JOB_KEY)["told"].agg(", ".join).rename(column)
        of_job = of_job.merge(told.reset_index(), on=JOB_KEY, how="left").fillna({column: ""})
    of_run = runs[["run_id", "attempt", "branch", "base_branch", "pr_number", "event", "head_sha", "started_at"]]
    joined = events.merge(of_job, on=JOB_KEY, suffixes=("", "_of_job")).merge(of_run, on=["run_id", "attempt"])
    return joined.assign(
        family=joined["key"].fillna("").map(family_of),
        workflow=joined["workflow"].map(short_workflow),
        wall_s=joined["wall_s"].astype(float),
    ).sort_values(["started_at", "run_id", "attempt"], ignore_index=True)


def with_crates(restores: pd.DataFrame, units: pd.DataFrame) -> pd.DataFrame:
    """Return the restores with how many dependencies their job compiled; missing where cargo said nothing at all."""
    built = units[units["action"].isin(["Compiling", "Checking"])]
    foreign = built[~built["is_local"].fillna(False)]
    seen = built.groupby(JOB_KEY).size()
    counts = foreign.groupby(JOB_KEY)["unit"].nunique().reindex(seen.index).fillna(0)
    keys = pd.MultiIndex.from_frame(restores[JOB_KEY])
    return restores.assign(n_crates=counts.reindex(keys).to_numpy(dtype=float))


def of_family(events: pd.DataFrame, row: Mapping[str, object]) -> pd.DataFrame:
    is_it = pd.Series(True, index=events.index)
    for name in FAMILY:
        is_it &= events[name] == row[name]
    return events[is_it]


def commit_link(row: pd.Series) -> Link:
    sha = str(row["head_sha"])
    return Link(f"commit {sha[:7]}", commit_url(str(row["repo"]), sha))


def links_of(events: pd.DataFrame) -> tuple[Link, ...]:
    newest = events.drop_duplicates(JOB_KEY).iloc[::-1].head(3)
    return tuple(
        Link(f"{row['job']} {row['started_at']:%Y-%m-%d}", job_url(row["repo"], int(row["run_id"]), int(row["job_id"])))
        for row in newest.to_dict("records")
    )


def rate_families(restores: pd.DataFrame, *, n_series: int = 3) -> tuple[pd.DataFrame, str]:
    """Return series (job and action), period_at, n, hit_rate, low, high of the busiest caches, and the period.

    First attempts only, over key families: that a key changed is what the series should show.
    """
    columns = ["series", "period_at", "n", "hit_rate", "low", "high"]
    first = restores[restores["attempt"] == 1]
    if first.empty:
        return pd.DataFrame(columns=columns), "week"
    period = period_of(first["started_at"])
    named = first.assign(
        series=first["job_base"] + ", " + first["action"],
        period_at=start_of(first["started_at"], period=period),
        is_exact=first["result"] == "exact",
    )
    kept = named[named["series"].isin(named["series"].value_counts().index[:n_series])]
    counted = kept.groupby(["series", "period_at"])["is_exact"].agg(["size", "sum"]).reset_index()
    rows = [
        (row.series, row.period_at, row.size_, row.x / row.size_, *wilson(int(row.x), int(row.size_)))
        for row in counted.rename(columns={"size": "size_", "sum": "x"}).itertuples()
    ]
    return pd.DataFrame(rows, columns=columns), period
