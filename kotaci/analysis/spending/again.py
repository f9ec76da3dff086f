"""What is compiled again and again: tools from source that come prebuilt, and dependencies that no cache keeps."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from kotaci.analysis.spending.splitting import JOB

TOOL_COLUMNS = ["tool", "version", "workflow", "job_base", "n_jobs", "minutes", "median_s", "remedy"]
CRATE_COLUMNS = [
    "workflow", "job_base", "crate", "n_built", "n_jobs", "share", "n_times", "n_twice", "n_versions"
]  # fmt: skip


@dataclass(frozen=True)
class CompiledAgain:
    """tools: TOOL_COLUMNS, most minutes first: what `cargo install` built, downloads included, in n_jobs jobs. The
    remedy downloads what is published, and compiles as before where nobody published a build of that version
    (README of taiki-e/install-action: it falls back to cargo-binstall).

    crates: CRATE_COLUMNS, most times first, dependencies only. n_built: jobs that compiled or checked anything; n_jobs
    of these compiled this crate, share of n_built, n_times in all; n_twice: jobs that compiled one version of it more
    than once, that is for another profile, feature set or flags; n_versions met. How long a crate took cannot be told:
    cargo prints no end of a crate.
    """

    tools: pd.DataFrame
    crates: pd.DataFrame


def compiled_again(jobs: pd.DataFrame, units: pd.DataFrame, phases: pd.DataFrame) -> CompiledAgain:
    """Return what the jobs compiled again. Only jobs whose log is held are seen.

    What `cargo install` compiles belongs to its tool and is in no crate's count.
    """
    names = jobs[[*JOB, "workflow", "job_base"]]
    installs = phases[phases["phase"] == "tool-install"].merge(names, on=JOB)
    built = units[units["action"].isin(["Compiling", "Checking"])]
    own = built[~_within(built, installs)].merge(names, on=JOB)
    return CompiledAgain(_tools(installs), _crates(own))


def _within(units: pd.DataFrame, installs: pd.DataFrame) -> pd.Series:
    """Return which units are built between the first and the last word of an install."""
    spans = installs[[*JOB, "started_at", "wall_s"]].rename(columns={"started_at": "since"})
    spans = spans.assign(until=spans["since"] + pd.to_timedelta(spans["wall_s"].astype(float), unit="s"))
    pairs = units[[*JOB, "started_at"]].reset_index(names="unit_row").merge(spans, on=JOB)
    inside = pairs[(pairs["started_at"] >= pairs["since"]) & (pairs["started_at"] <= pairs["until"])]
    return units.index.to_series().isin(inside["unit_row"])


def _tools(installs: pd.DataFrame) -> pd.DataFrame:
    timed = installs.assign(wall_s=installs["wall_s"].astype(float)).dropna(subset=["wall_s"])
    by_job = timed.groupby(["tool", "version", "workflow", "job_base", *JOB], as_index=False)["wall_s"].sum()
    grouped = by_job.groupby(["tool", "version", "workflow", "job_base"])["wall_s"]
    tools = grouped.agg(n_jobs="size", seconds="sum", median_s="median").reset_index()
    pinned = tools["tool"] + "@" + tools["version"]
    tools = tools.assign(
        minutes=tools["seconds"] / 60,
        remedy="`uses: taiki-e/install-action@v2` with `tool: " + pinned + "` brings it prebuilt",
    )
    return tools[TOOL_COLUMNS].sort_values("minutes", ascending=False, kind="stable", ignore_index=True)


def _crates(own: pd.DataFrame) -> pd.DataFrame:
    names = ["workflow", "job_base"]
    n_built = own.drop_duplicates(JOB).groupby(names).size().rename("n_built").reset_index()
    foreign = own[~own["is_local"].fillna(False).astype(bool)].rename(columns={"unit": "crate"})
    by_version = foreign.groupby([*names, "crate", "version", *JOB]).size().rename("times").reset_index()
    by_job = by_version.assign(is_twice=by_version["times"] > 1).groupby([*names, "crate", *JOB], as_index=False)
    jobs = by_job.agg(times=("times", "sum"), is_twice=("is_twice", "any"))
    crates = jobs.groupby([*names, "crate"], as_index=False).agg(
        n_jobs=("times", "size"), n_times=("times", "sum"), n_twice=("is_twice", "sum")
    )
    versions = foreign.groupby([*names, "crate"])["version"].nunique().rename("n_versions").reset_index()
    crates = crates.merge(versions, on=[*names, "crate"]).merge(n_built, on=names)
    crates = crates.assign(share=crates["n_jobs"] / crates["n_built"])
    return crates[CRATE_COLUMNS].sort_values("n_times", ascending=False, kind="stable", ignore_index=True)
