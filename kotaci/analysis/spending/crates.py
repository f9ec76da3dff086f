"""The crates that took longest in the builds that `cargo build --timings` timed."""

from __future__ import annotations

import pandas as pd

UNIT_COLUMNS = ["crate", "n", "median_s", "total_s", "n_critical", "own_s", "share"]

BUILD = ["repo", "run_id", "attempt", "artifact_id", "file"]


def slowest_units(unit_times: pd.DataFrame) -> pd.DataFrame:
    """Return UNIT_COLUMNS, most seconds in total first, over all builds of the table `unit_times`.

    n: builds in which the crate was among the slowest (`kotaci.facts.measured.N_SLOWEST`) or on the critical path, so
    that median_s, of its units together, speaks of these. n_critical: builds whose length it helped to decide; own_s:
    seconds that their chains rested on it; share: own_s over the seconds of all builds, the most that could be saved
    if it took no time. Seconds of crates that compile at once hold their waiting for a processor and add up to more
    than the build; what was fresh is in no build.
    """
    all_s = float(unit_times.drop_duplicates(BUILD)["build_s"].astype(float).sum())
    told = unit_times.assign(
        wall_s=unit_times["wall_s"].astype(float), own_s=unit_times["own_s"].astype(float).fillna(0.0)
    ).rename(columns={"unit": "crate"})
    by_build = told.groupby([*BUILD, "crate"], as_index=False).agg(
        wall_s=("wall_s", "sum"), own_s=("own_s", "sum"), is_critical=("is_critical", "any")
    )
    crates = by_build.groupby("crate", as_index=False).agg(
        n=("wall_s", "size"),
        median_s=("wall_s", "median"),
        total_s=("wall_s", "sum"),
        n_critical=("is_critical", "sum"),
        own_s=("own_s", "sum"),
    )
    crates = crates.assign(share=crates["own_s"] / all_s if all_s else 0.0)
    return crates[UNIT_COLUMNS].sort_values("total_s", ascending=False, kind="stable", ignore_index=True)
